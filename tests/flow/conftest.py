"""With this file here, tests in the folders below find what stands beside it (polynomials.py)."""
