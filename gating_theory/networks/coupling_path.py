"""From uncoupled units to the network: a path that ends at a fixed point wherever states are bounded [T2].

With all matrices multiplied by a the sites of a = 0 rest in their biases and inputs, each on its own. The curve of fixed points
(s, a) that begins there cannot turn back to a = 0, where there is no other fixed point, nor go to infinity, as states are bounded:
it crosses a = 1. Where every start of Newton's method fails, as in an LSTM whose inputs hold forget gates open, it still comes to
a fixed point.

The curve is followed by pseudo-arclength continuation in all state variables; a memory m counts as asinh m, because while its site
passes from one side of a cliff to the other it runs from -1e12 to 1e12, and in asinh m that is a smooth walk of some fifty units.
"""

from __future__ import annotations

import numpy as np

from .reduced_map import solve
from .state_map import StateMap

__all__ = ["from_uncoupled"]

#: First and longest step along the curve; one shorter than the last ends the walk.
_FIRST, _LONGEST, _SHORTEST = 0.05, 2.0, 1e-8

#: Corrections of a step: at most so many; the first is below this part of the step, and each below half of the one before.
_CORRECTIONS, _FIRST_CORRECTION, _CLOSE = 6, 0.5, 1e-6

#: Cosine of the largest angle between the tangents of two points that follow each other.
_TURN = 0.8


def from_uncoupled(equations: StateMap, n_steps: int) -> np.ndarray | None:
    """Follow the fixed point of uncoupled units to the full strength of the matrices.

    Parameters
    ----------
    equations : StateMap, of one network
    n_steps : int, tries of a step; each factors a (d N + 1)^2 matrix up to six times

    Returns
    -------
    (1, d, N) array next to a fixed point, a start for Newton's method, or None where the walk was given up
    """
    curve = _Curve(equations)
    z = curve.beginning()
    tangent = np.zeros_like(z)
    tangent[-1] = 1.0
    tangent = curve.correction(z, z, tangent)[1]
    step = _FIRST
    for _ in range(n_steps):
        new, ahead, quick = curve.corrected(z + step * tangent, tangent, step)
        if new is None or ahead @ tangent < _TURN:
            step *= 0.4
            if step < _SHORTEST:
                return None
            continue
        if new[-1] >= 1.0:
            share = (1.0 - z[-1]) / (new[-1] - z[-1])
            return curve.state(z + share * (new - z))
        z, tangent = new, ahead
        step = min(1.6 * step, _LONGEST) if quick else step
    return None


class _Curve:
    """Points (x and asinh m, a) of the curve as vectors of d N + 1 components."""

    def __init__(self, equations):
        self.equations = equations
        self.shape = (1, equations.reduced.cell.n_state, equations.reduced.n_units)
        self.alone = np.zeros(1, dtype=int)

    def beginning(self):
        """The fixed state of every site in its constant fields, at a = 0."""
        reduced = self.equations.reduced
        constant = reduced.constant_of(self.alone)
        y = [constant[:, k] for k in range(reduced.cell.n_fields)]
        s = reduced.fixed_state(y, list(np.moveaxis(reduced.parameters, 1, 0)))
        s[:, self.equations.memory] = np.arcsinh(s[:, self.equations.memory])
        return np.append(s.ravel(), 0.0)

    def state(self, z):
        """The state of a point, and what a memory changes by when its asinh does."""
        s = z[:-1].reshape(self.shape).copy()
        s[:, self.equations.memory] = np.sinh(s[:, self.equations.memory])
        return s

    def corrected(self, guess, tangent, step):
        """The point of the curve in the plane through the guess, its tangent, and whether it took few corrections; or None."""
        z, before = guess, _FIRST_CORRECTION * step
        for count in range(_CORRECTIONS):
            with np.errstate(all="ignore"):
                change, ahead = self.correction(z, guess, tangent)
                size = np.linalg.norm(change)
            if not size <= before:
                break
            z = z + change
            if size < _CLOSE:
                return z, ahead, count <= 2
            before = 0.5 * size
        return None, tangent, False

    def correction(self, z, guess, tangent):
        """Newton's correction of a point, within the plane through the guess across the tangent, and the unit tangent there."""
        s = self.state(z)
        rate, J, along = self.equations.jacobian(s, self.alone, z[-1:])
        stretch = np.ones(self.shape)
        stretch[:, self.equations.memory] = np.hypot(1.0, s[:, self.equations.memory])
        n = z.size
        matrix, right = np.empty((1, n, n)), np.zeros((1, n, 2))
        matrix[0, :-1, :-1], matrix[0, :-1, -1], matrix[0, -1] = J[0] * stretch.ravel(), along[0], tangent
        right[0, :-1, 0], right[0, -1, 0], right[0, -1, 1] = -rate[0], tangent @ (guess - z), 1.0
        # rows of shut gates and of open ones differ by many orders of magnitude
        scale = np.abs(matrix).max(axis=2, keepdims=True)
        change, ahead = solve(matrix / scale, right / scale)[0].T
        return change, ahead / np.linalg.norm(ahead)
