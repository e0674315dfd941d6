"""Where quantities have given values: critical values along a path, and critical lines in a plane."""
