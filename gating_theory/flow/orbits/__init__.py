"""Trajectories and closed orbits."""
