"""Neighbourhoods of a sink that a flow enters and does not leave, as large as they can be proved, or as far as samples show.

Along the segment from the sink x* to a state x the flow is f(x) = J (x - x*), where J is the mean of the Jacobian over it. In
coordinates y = T (x - x*) that diagonalise the Jacobian at x* (pairs of complex eigenvalues as blocks of two) let m_bb bound the
logarithmic norm of block b of T J T^-1, and m_bc the norm of block (b, c). Then |y_b| grows at most by sum_c m_bc |y_c|, and if
M w < 0 for a positive vector w, max_b |y_b| / w_b decreases: every trajectory that starts where it is at most R goes to x*, as
long as the bounds hold on the box around that set. A largest norm, other than a quadratic form, is not hurt by rates that differ by
a factor of a million, as behind a gate that is nearly shut. A step of the Euler map is 1 + step J in
place of the exponential: bounds of its blocks' norms, less 1, take the place of the logarithmic norms.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .enclosure import map_enclosure
from .intervals import kernels

if TYPE_CHECKING:
    from ..flow import Flow
    from .fixed_points import FlowFixedPoint

__all__ = ["AttractingSet", "attracting_set", "sampled_set", "small_box"]

#: Smallest radius that is tried, in units of the largest, and the step down from one that fails.
_SMALLEST, _DOWN = 1e-12, 0.2

#: Bisections of the last step (to 11 %), changes of the shape at each, and parts of a segment whose Jacobians are averaged.
_BISECTIONS, _SHAPES, _PARTS = 4, 2, 2

#: Condition of the eigenvectors above which a Schur form takes their place.
_CONDITION = 1e4

#: States at which the Jacobian is sampled where it cannot be enclosed, and the part of the radius that is kept then.
_SAMPLES, _KEPT = 64, 0.5
#: Steps up to the largest radius from the smallest at which they are taken.
_SAMPLED_STEPS = 9


@dataclass(frozen=True)
class AttractingSet:
    """The states with |frame (x - centre)| <= 1 in the largest norm over coordinates, or discs where they are ``paired``.

    Attributes
    ----------
    centre : (dim,) array, the fixed point
    frame : (dim, dim) array
    paired : (dim,) array of bool
        A coordinate that counts with the one before it, as the radius of a disc.
    half_widths : (dim,) array, of the smallest box around the set
    proved : bool
        Every trajectory in the set is proved to go to the fixed point.
    """

    centre: np.ndarray
    frame: np.ndarray
    paired: np.ndarray
    half_widths: np.ndarray
    proved: bool

    def holds(self, states: np.ndarray) -> np.ndarray:
        """(...) array of bool, which states (..., dim) are in the set."""
        y = ((states - self.centre) @ self.frame.T) ** 2
        second = np.flatnonzero(self.paired)
        y[..., second - 1] += y[..., second]
        y[..., second] = 0.0
        return (y <= 1.0).all(axis=-1)


def small_box(centre: np.ndarray, radius: float) -> AttractingSet:
    """A cube around a state, of which nothing is proved."""
    d = len(centre)
    return AttractingSet(np.array(centre), np.eye(d) / radius, np.zeros(d, dtype=bool), np.full(d, radius), False)


def attracting_set(flow: Flow, point: FlowFixedPoint, largest: float, step: float | None = None) -> AttractingSet | None:
    """The largest set around a proved sink that is proved to be attracted by it; None where no size is proved.

    Parameters
    ----------
    flow : Flow
        Of a cell and size whose fixed points can be enclosed.
    point : FlowFixedPoint of kind "sink"
    largest : float
        Largest radius tried, along an eigenvector.
    step : float, optional
        Attracted by the Euler map of this step. Default: by the flow.
    """
    jacobian = map_enclosure(flow.cell, flow.n_units).jacobian("validated")
    evaluate, flat, dim = kernels("validated").evaluate, np.array(flow.flat), flow.dim
    unused, out = np.zeros(dim), np.empty(2 * dim * dim)
    # the sink is known to its enclosure only: boxes around it hold boxes around wherever it is
    doubt = np.maximum(point.upper - point.state, point.state - point.lower)

    def enclosed(half_widths):
        wide = np.nextafter(half_widths + doubt, np.inf)
        box = np.stack([np.nextafter(point.state - wide, -np.inf), np.nextafter(point.state + wide, np.inf)], axis=1)
        evaluate(jacobian, box, unused, flat, out)
        pairs = out.reshape(dim, dim, 2)
        return pairs[..., 0], pairs[..., 1]

    return _largest(flow, point.state, doubt, enclosed, largest, True, step)


def sampled_set(flow: Flow, sink: np.ndarray, largest: float, step: float | None = None) -> AttractingSet | None:
    """As :func:`attracting_set` for any flow, with the Jacobian at sampled states in place of an enclosure: not proved.

    Parameters
    ----------
    flow : Flow
    sink : (dim,) array, a fixed point whose eigenvalues have negative real parts (multipliers inside the unit circle)
    largest : float
    step : float, optional
    """
    offsets = np.random.default_rng(0).uniform(-1.0, 1.0, (_SAMPLES, flow.dim))

    def seen(half_widths):
        values = flow.jacobian(sink + offsets * half_widths)
        return values.min(axis=0), values.max(axis=0)

    found = _largest(flow, sink, np.zeros(flow.dim), seen, largest, False, step)
    return found and AttractingSet(found.centre, found.frame / _KEPT, found.paired, found.half_widths * _KEPT, False)


def _coordinates(J):
    """T, its inverse, and which coordinates belong to a pair (the second ones of them)."""
    from scipy.linalg import schur

    values, vectors = np.linalg.eig(J)
    columns, paired = [], []
    for value, vector in zip(values, vectors.T):
        if value.imag > 0.0:
            columns += [vector.real, vector.imag]
            paired += [False, True]
        elif value.imag == 0.0:
            columns.append(vector.real)
            paired.append(False)
    V = np.array(columns).T
    V = V / np.linalg.norm(V, axis=0).max(axis=0)
    if not np.linalg.cond(V) < _CONDITION:
        S, V = schur(J)
        paired = [False] + [bool(S[i + 1, i] != 0.0) for i in range(len(S) - 1)]
    return np.linalg.inv(V), V, np.array(paired)


def _comparison(low, high, T, V, blocks, step):
    """M from bounds of the entries of the Jacobian, in coordinates T; of an Euler map its growth beyond 1, per unit of time."""
    # |T| and |V| around the middle: rounding of these products is far below the margin asked for
    middle, radius = 0.5 * (low + high), 0.5 * (high - low)
    m, r = T @ middle @ V, np.abs(T) @ radius @ np.abs(V)
    size = np.abs(m) + r
    n = len(blocks)
    M = np.empty((n, n))
    for b in range(n):
        for c in range(n):
            rows, columns = blocks[b], blocks[c]
            if b != c:
                M[b, c] = np.sqrt((size[np.ix_(rows, columns)] ** 2).sum())
            elif step is not None:
                M[b, b] = _growth_in_a_step(m[np.ix_(rows, rows)], r[np.ix_(rows, rows)], step)
            elif len(rows) == 1:
                M[b, b] = m[rows[0], rows[0]] + r[rows[0], rows[0]]
            else:
                i, j = rows
                shear = 0.5 * abs(m[i, j] + m[j, i]) + 0.5 * (r[i, j] + r[j, i])
                M[b, b] = max(m[i, i] + r[i, i], m[j, j] + r[j, j]) + shear
    return M


def _growth_in_a_step(m, r, step):
    """(|1 + step A| - 1) / step for a block A within r of m, without cancellation where all rates are small."""
    if len(m) == 1:
        return max(m[0, 0] + r[0, 0], -2.0 / step - (m[0, 0] - r[0, 0]))
    # a turn with a change of size, and what is left
    rate, turn = 0.5 * (m[0, 0] + m[1, 1]), 0.5 * (m[1, 0] - m[0, 1])
    left = np.abs(m - [[rate, -turn], [turn, rate]]) + r
    size = np.hypot(1.0 + step * rate, step * turn)
    return (2.0 * rate + step * (rate**2 + turn**2)) / (1.0 + size) + np.sqrt((left**2).sum())


def _largest(flow, centre, doubt, bounds: Callable, largest, proved, step):
    T, V, paired = _coordinates(flow.jacobian(centre))
    first = np.flatnonzero(~paired)
    blocks = [[i, i + 1] if i + 1 < len(paired) and paired[i + 1] else [i] for i in first]
    # a block of two reaches as far as its two columns together
    reach = np.stack([np.sqrt((V[:, block] ** 2).sum(axis=1)) for block in blocks], axis=1)
    reach_of_doubt = max((np.abs(T) @ doubt).max(), 1e-300)

    def shape_at(radius, weights):
        """Weights of a set of this radius that is attracted, or None."""
        for _ in range(_SHAPES):
            half = radius * (reach @ weights)
            # the mean over a segment lies between the means of bounds over its parts
            low, high = np.mean([bounds(half * k / _PARTS) for k in range(1, _PARTS + 1)], axis=0)
            M = _comparison(low, high, T, V, blocks, step)
            if not np.isfinite(M).all() or not (np.diag(M) < 0.0).all():
                return None
            scale = np.abs(np.diag(M))
            if (M @ weights < -1e-9 * scale * weights).all():
                return weights
            try:
                better = np.linalg.solve(M, -scale)
            except np.linalg.LinAlgError:
                return None
            if not (better > 0.0).all():
                return None
            weights = better / better.max()
        return None

    ones = np.ones(len(blocks))
    weights, radius, failed = None, largest, None
    if proved:
        while (weights := shape_at(radius, ones)) is None:
            failed, radius = radius, radius * _DOWN
            if radius < _SMALLEST * largest:
                return None
    else:  # samples miss what is small: the set grows as long as they show nothing
        radii = largest * _DOWN ** np.arange(_SAMPLED_STEPS, -1, -1.0)
        for trial in radii:
            new = shape_at(trial, ones if weights is None else weights)
            if new is None:
                failed = trial
                break
            weights, radius = new, trial
        if weights is None:
            return None
    for _ in range(_BISECTIONS if failed else 0):
        middle = np.sqrt(radius * failed)
        better = shape_at(middle, weights)
        if better is None:
            failed = middle
        else:
            radius, weights = middle, better
    # centred at the middle of the enclosure rather than at the sink itself
    smaller = weights * radius * (1.0 - 1e-9) - 2.0 * reach_of_doubt
    if not (smaller > 0.0).all():
        return None
    sizes = np.empty(len(paired))
    for block, size in zip(blocks, smaller):
        sizes[block] = size
    return AttractingSet(centre, T / sizes[:, None], paired, reach @ smaller, proved)
