"""What a unit is: its symbolic definition, and everything that is derived from it alone."""
