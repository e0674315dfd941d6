"""Branches of fixed points and cycles, and their bifurcations."""
