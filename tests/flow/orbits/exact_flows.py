"""Flows of cells of their own, about which something is known exactly."""

import numpy as np
import sympy as sp

import gating_theory as gt


def lorenz():
    """The Lorenz system at its classical parameters: one unit with three state variables."""
    x, y, z, u = sp.symbols("x y z u", real=True)
    velocity = [10 * (u - x), x * (28 - z) - y, x * y - sp.Rational(8, 3) * z]
    cell = gt.Cell(name="Lorenz", state=[x, y, z], fields=[u], messages=[y], update=[s + v for s, v in zip((x, y, z), velocity)])
    return gt.flow.Flow(cell, np.ones((1, 1, 1)))


def turning_units(frequencies):
    """Uncoupled units with r' = r (1 - r^2) and a frequency each: exponents 0 and -2 of each."""
    x, y, u, omega = sp.symbols("x y u omega", real=True)
    velocity = [x * (1 - x**2 - y**2) - omega * y + u, y * (1 - x**2 - y**2) + omega * x]
    update = [s + v for s, v in zip((x, y), velocity)]
    cell = gt.Cell(name="turning", state=[x, y], fields=[u], messages=[x], update=update, parameters=[omega])
    n = len(frequencies)
    return gt.flow.Flow(cell, np.zeros((1, n, n)), parameters={"omega": frequencies})
