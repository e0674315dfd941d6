"""Which sets of fixed points there are."""
