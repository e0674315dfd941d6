"""Mean-field fixed points of random gated networks [T5]: all solutions of q = R(q), see :mod:`gating_theory.mean_field.moments`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..ensemble.ensemble import Ensemble
from ..errors import ConvergenceError
from ..results.status import Status
from ..support.arithmetic import underflow_is_zero
from ..support.checks import instance, real
from .fixed_point import FixedPoint
from .low_rank_points import low_rank_points
from .moments import MomentMap, families, require_bounded
from .scan import scalar_roots

__all__ = ["fixed_points", "fixed_points_of_each", "zero_state"]

#: A fixed point whose relative residual exceeds this, and ten times its error, is none.
_RESIDUAL = 1e-9
#: No double is known better.
_LEAST_ERROR = 4e-16
#: Solutions closer than this, relative, are one.
_SAME = 1e-9
_CONVERGED = Status("converged")


@underflow_is_zero
def zero_state(ensemble: Ensemble) -> FixedPoint | None:
    """The zero state as a FixedPoint, without looking for others; None where biases or inputs do not let every message vanish [T5].

    Parameters
    ----------
    ensemble : Ensemble
    """
    require_bounded(ensemble.cell)
    moments = MomentMap(ensemble)
    return _zero(ensemble) if moments.has_zero_state else None


@underflow_is_zero
def fixed_points(ensemble: Ensemble, tol: float = 1e-10) -> list[FixedPoint]:
    """All mean-field fixed points of an ensemble [T5, T11], ascending in the second moment of the first message.

    The moments are reduced to one unknown x; G(x) = log(R(x)/x) is scanned over thirteen decades, and every sign change
    and every near-tangency is resolved by a Chebyshev interpolant whose roots are polished. Pairs closer than about 1e-6
    relative (an ensemble within 1e-12 of a fold) are one solution, whose error says how far apart they may be. Where two or more
    moments form independent loops (none of the built-in cells) the inner ones are solved from below and from above, and both
    branches are scanned.

    Moments below 1e-280 count as zero: biases and spreads up to 1e-140 leave the zero state what it is. At an onset that larger
    ones smear, but by less than averages resolve (below about 1e-12), the moment is known to an order of magnitude or worse, and
    its error says so.

    With low-rank parts moments and overlaps are solved for together [T11], by Newton's method from many starts, and along the
    overlap where there is one channel: those found are solutions, all of one channel whose size is not below 1e-6 of the largest
    possible; of more channels one may be missed that no start leads to. Solutions that differ by signs of overlaps are each given;
    of a continuum (a ring, say) one stands for all, and its status says so.

    Parameters
    ----------
    ensemble : Ensemble
    tol : float in (0, 1]
        Relative accuracy wanted of the moments. Reached for all built-in cells and gains up to 10; a status says so where
        the estimated quadrature error exceeds it.

    Returns
    -------
    list of FixedPoint, the zero state first where it exists; of LowRankFixedPoint where the ensemble has a low-rank part

    Raises
    ------
    TypeError, ValueError
        not an Ensemble, a tolerance out of range
    CapabilityError
        the cell's messages are not bounded; a law of matrices whose mean field is not known
    ConvergenceError
        a root was bracketed but not polished

    See Also
    --------
    steady_state : the state that a simulated large network settles into
    dmft : moving states, by dynamic mean field
    onset, fold : where fixed points appear
    Network.find_fixed_points : those of one network

    Examples
    --------
    Below its onset a GRU with a strong reset gate has two states beside zero, both unstable:

    >>> import gating_theory as gt
    >>> points = gt.fixed_points(gt.Ensemble(gt.GRU, gain={"z": 1, "r": 8, "h": 1.9}))
    >>> [round(point.moments["h"], 3) for point in points]
    [0.0, 0.011, 0.166]
    >>> [round(gt.Spectrum(point).abscissa(), 2) for point in points]
    [0.97, 1.03, 1.12]
    """
    instance("ensemble", ensemble, Ensemble)
    tol = real("tol", tol, low=0.0, high=1.0, open_low=True)
    if ensemble.low_rank is not None:
        return list(low_rank_points(ensemble, tol, _of_random_part(ensemble.with_low_rank(None), tol)))
    (found,) = _of_family([ensemble], tol)
    if isinstance(found, ConvergenceError):
        raise found
    return found


def _of_random_part(ensemble, tol):
    """Fixed points without overlaps, from which a search sets out; the zero state alone where others are not found."""
    try:
        return fixed_points(ensemble, tol)
    except ConvergenceError:
        zero = zero_state(ensemble)
        return [] if zero is None else [zero]


@underflow_is_zero
def fixed_points_of_each(ensembles: Sequence[Ensemble], tol: float = 1e-10) -> list[list[FixedPoint] | ConvergenceError]:
    """The :func:`fixed_points` of each of many ensembles, computed together: of one cell at once where the same gains are zero.

    Rounding and quadratures, within the errors that fixed points state, depend on what is computed together.

    Parameters
    ----------
    ensembles : sequence of Ensemble
    tol : float in (0, 1], as of :func:`fixed_points`

    Returns
    -------
    list, for each ensemble its fixed points, or the error of one that did not converge
    """
    out: list[list[FixedPoint] | ConvergenceError] = [[] for _ in ensembles]
    for family in families(ensembles):
        for i, found in zip(family, _of_family([ensembles[i] for i in family], tol)):
            out[i] = found
    return out


def _of_family(ensembles, tol):
    """For each ensemble of a family its fixed points or its ConvergenceError."""
    for ensemble in ensembles:
        who = "fixed_points" if ensemble.low_rank is None else "what takes fixed points of many ensembles at once"
        ensemble.require("mean field", who, "Network.find_fixed_points of sampled networks")
    require_bounded(ensembles[0].cell)
    moments = MomentMap(ensembles)
    try:
        solutions = _solutions(moments)
    except ConvergenceError as error:
        if len(ensembles) == 1:
            return [error]
        # whose it is shows when fewer are computed together
        half = len(ensembles) // 2
        return _of_family(ensembles[:half], tol) + _of_family(ensembles[half:], tol)
    return _finished(moments, solutions, tol)


def _solutions(moments):
    """Solutions q = R(q) that are not zero, for each ensemble of a family: (q, root of G or None where it was not found as one)."""
    solutions = [[] for _ in moments.ensembles]
    if not moments.loop:
        at_rest = moments.complete(np.zeros(len(solutions)), moments.fine)
        return [[(q, None)] if q.any() else [] for q in at_rest]
    for start in ("small", "large") if len(moments.loop) > 1 else ("small",):
        found = scalar_roots(moments, start)
        member = np.repeat(np.arange(len(found)), [len(roots) for roots in found])
        roots = [root for roots in found for root in roots]
        if roots:
            completed = moments.of_rows(member).complete(np.array(roots), moments.fine, start)
            for i, root, q in zip(member, roots, completed):
                if not any(np.all(np.abs(q - s) <= _SAME * np.abs(s)) for s, _ in solutions[i]):
                    solutions[i].append((q, root))
    return [sorted(some, key=lambda solution: solution[0][0]) for some in solutions]


def _zero(ensemble):
    moments = dict.fromkeys(ensemble.cell.message_names, 0.0)
    return FixedPoint(ensemble, moments, 0.0, 0.0, Status("zero_state", "zero state"))


def _finished(moments, solutions, tol):
    """For each ensemble of a family the FixedPoints of its solutions, zero first, or the ConvergenceError of one."""
    out = [[_zero(ensemble)] if zero else [] for ensemble, zero in zip(moments.ensembles, moments.zero_states)]
    member = np.repeat(np.arange(len(solutions)), [len(some) for some in solutions])
    if not member.size:
        return out
    q, roots = (list(column) for column in zip(*(solution for some in solutions for solution in some)))
    q, rows = np.array(q), moments.of_rows(member)
    fine = rows(q, moments.fine)
    errors = np.maximum(rows.error(q, fine), _LEAST_ERROR)
    residuals = np.max(np.abs(fine - q) / np.maximum(fine, 1e-300), axis=1)
    for i, *solution in zip(member, q, roots, residuals.tolist(), errors.tolist()):
        found = _finish(moments.ensembles[i], *solution, tol)
        if isinstance(found, ConvergenceError):
            out[i] = found
        elif not isinstance(out[i], ConvergenceError):
            out[i].append(found)
    return out


def _finish(ensemble, q, root, residual, error, tol):
    """The FixedPoint of a solution that is not zero, or a ConvergenceError where it is none."""
    if residual > max(_RESIDUAL, 10 * error):
        return ConvergenceError(f"a mean-field fixed point of {ensemble!r} has a residual of {residual:.3g}", estimate=q)
    # averages that are off by so much move a solution by more where R(x) is nearly parallel to x
    moved = error if root is None else max(error, root.shift(error))
    status = _CONVERGED
    if not moved <= tol:
        where = " times the sensitivity so close to a fold or an onset" if error <= tol else ""
        status = Status("inaccurate", f"quadrature error{where}, {moved:.1e}, exceeds the tolerance {tol:.1e}", ok=False)
    return FixedPoint(ensemble, dict(zip(ensemble.cell.message_names, q.tolist())), residual, moved, status)
