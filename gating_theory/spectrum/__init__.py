"""Spectra of Jacobians: edge, potential, density, masses, outliers [T3, T4]."""
