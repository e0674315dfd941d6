"""Singular values of lambda - J, and what they say of eigenvalues: pseudospectra, overlaps of eigenvectors [T9]."""
