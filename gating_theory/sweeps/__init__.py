"""Phase diagrams: quantities over grids of hyperparameters."""
