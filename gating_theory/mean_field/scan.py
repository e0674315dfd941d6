"""All roots of G(x) = log(R(x)/x), one scalar function of the leading moment, over thirteen decades [T5]."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..errors import CapabilityError
from ..support.roots import Root, smooth_roots

if TYPE_CHECKING:
    from .moments import MomentMap

__all__ = ["scalar_roots", "scan_decades"]

#: log10 of the smallest leading moment of a scan where biases alone give none.
_BOTTOM = -13.0
#: Points a decade where no field is broad enough to feel that messages are not linear, and where one is, so that G bends.
_SPARSE, _DENSE = 4, 16
#: A field feels it when its width is this part of the length over which messages change; it does above 1e-3 in any case.
_FELT, _ALWAYS = 0.1, 1e-3
#: A scan begins so many decades below the first moment that is felt.
_BELOW = 3.0
#: Changes of sign in a steeper interval of G are closed in on first, by so many halvings at most.
_STEEP, _HALVINGS = 2.0, 40
#: G is interpolated where the nearest four of few points say the same as six, to within this, and where it is so many times larger.
_OFF, _SURE, _FEW, _FINE = 1e-3, 30.0, 4, 6
#: Tolerance of averages that only tell how broad fields are.
_ROUGH = 1e-2
#: The scan goes on beyond 1 while the moments grow, by this factor in so many points; it gives up beyond the last.
_FACTOR, _MORE, _TOP = 4.0, 10, 1e8
#: An extremum of G is examined for a pair of roots if it lies within so many neighbouring steps of zero.
_NEAR = 4.0
#: An extremum of G within so many quadrature tolerances of zero is a double root: folds are known to that. Roots of neighbouring
#: brackets closer than this in log x are one.
_TOUCH, _SAME = 10.0, 1e-9
#: What a scan finds within so many of its errors of zero is evaluated to the end; so are brackets in which G is this small.
_DOUBT, _SHALLOW = 10.0, 1e3
#: The least error of averages: by it a root is moved through all of the stretch in which G is zero to rounding.
_ROUNDING = 4e-16


def scan_decades(moments: MomentMap, start: str, tol: float, off: float = 0.0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Points x over thirteen decades, up to where the moments have stopped growing, and G there, for each ensemble of a family.

    Parameters
    ----------
    moments : MomentMap
    start : "small" or "large", as of :meth:`MomentMap.complete`
    tol : float, of the averages
    off : float
        By how much G may be off where it is interpolated, far from zero; 0 where it is to be computed everywhere.

    Returns
    -------
    list of (x, G), two (M,) arrays each, x ascending
    """
    bottom = _bottoms(moments, start, tol)
    felt = _first_felt(moments, start, bottom)
    scans = [_points(*ends) for ends in zip(np.minimum(bottom, felt - _BELOW).tolist(), felt.tolist())]

    def computed(points):
        return _in_each(lambda rows, x: rows.log_ratio(x, tol, start), moments, points)

    known = computed({i: scan.x[scan.few] if off else scan.x for i, scan in enumerate(scans)})
    found = [(scan.x, scan.interpolated(known[i], off) if off else known[i]) for i, scan in enumerate(scans)]
    left = {i: np.flatnonzero(np.isnan(G)) for i, (_, G) in enumerate(found)}
    left = {i: places for i, places in left.items() if places.size}
    for i, G in computed({i: found[i][0][places] for i, places in left.items()}).items() if left else ():
        found[i][1][left[i]] = G
    while growing := [i for i, (_, G) in enumerate(found) if G[-1] >= 0.0]:
        if max(found[i][0][-1] for i in growing) > _TOP:
            raise CapabilityError(f"the moments of cell {moments.cell.name!r} grow without bound: no bounded mean field")
        more = {i: found[i][0][-1] * np.logspace(0.0, np.log10(_FACTOR), _MORE)[1:] for i in growing}
        for i, G in computed(more).items():
            found[i] = np.concatenate([found[i][0], more[i]]), np.concatenate([found[i][1], G])
    return found


def _in_each(function, moments, points):
    """{member: values} of function(MomentMap of rows, x) at {member: x}, all members in one call."""
    sizes = [x.size for x in points.values()]
    rows = moments.of_rows(np.repeat(list(points), sizes))
    return dict(zip(points, np.split(function(rows, np.concatenate(list(points.values()))), np.cumsum(sizes)[:-1])))


def _bottoms(moments, start, tol):
    """log10 of the leading moments at which the scans begin; solutions may be as small as the moment that biases alone give."""
    bottom = np.full(len(moments.ensembles), _BOTTOM)
    biased = np.flatnonzero(~moments.zero_states)
    if biased.size:
        rows = moments.of_rows(biased)
        least = rows.moment(rows.loop[0], rows.complete(np.full(biased.size, 1e-300), tol, start), tol)
        known = least > 0.0
        bottom[biased[known]] = np.minimum(_BOTTOM, np.log10(least[known]) - 1.0)
    return bottom


def _first_felt(moments, start, bottom):
    """log10 of the smallest leading moments at which messages bend, found among all that a scan could begin with."""
    felt = sorted(moments.felt)
    lengths = np.array([moments.random.shapes[v].length for v in felt])
    lowest, members = 2.0 * float(bottom.min()), len(moments.ensembles)
    x = np.logspace(lowest, np.log10(_ALWAYS), int(_SPARSE * (np.log10(_ALWAYS) - lowest)))
    rows = moments.of_rows(np.repeat(np.arange(members), x.size))
    widths = rows.random.driven_std(rows.complete(np.tile(x, members), _ROUGH, start))[:, felt]
    bends = (widths > _FELT * lengths).any(axis=1).reshape(members, x.size)
    return np.log10(np.where(bends.any(axis=1), x[np.argmax(bends, axis=1)], _ALWAYS))


@dataclass(frozen=True, eq=False)
class _Scan:
    """Where G is wanted, and how it follows from few of its values where it is smooth.

    Attributes
    ----------
    x : (n,) array, ascending
    few, between : int arrays, indices of every fourth point where they are dense, every second below, and those of the rest
    fine, coarse : matrices
        From G at the few to G between them: by the polynomials in log x through the nearest six of them, and the nearest four.
    """

    x: np.ndarray
    few: np.ndarray
    between: np.ndarray
    fine: np.ndarray
    coarse: np.ndarray

    def interpolated(self, values, off):
        """G from its values at the few points; NaN where that may be off by more, or is close to zero."""
        G = np.full(self.x.size, np.nan)
        G[self.few] = values
        between = self.fine @ values
        good = (np.abs(between - self.coarse @ values) <= off) & (np.abs(between) > _SURE * off)
        G[self.between[good]] = between[good]
        return G


@lru_cache(maxsize=256)
def _points(bottom, felt):
    low = np.logspace(bottom, felt, int(np.ceil(_SPARSE * (felt - bottom))), endpoint=False)
    x = np.concatenate([low, np.logspace(felt, 0.0, int(np.ceil(-_DENSE * felt)))])
    few = np.unique(np.concatenate([np.arange(0, low.size, 2), [low.size], np.arange(x.size - 1, low.size, -_DENSE // _SPARSE)]))
    between = np.setdiff1d(np.arange(x.size), few)
    u = np.log(x)
    scan = _Scan(x, few, between, *(_lagrange(u[few], u[between], count) for count in (_FINE, _FEW)))
    for array in (x, few, between, scan.fine, scan.coarse):
        array.flags.writeable = False  # they are kept for other scans
    return scan


def _lagrange(nodes, places, count):
    """(P, N) matrix from values at N ascending nodes to the polynomials through the ``count`` around each of the places."""
    which = np.clip(np.searchsorted(nodes, places) - count // 2, 0, nodes.size - count)[:, None] + np.arange(count)
    near, same = nodes[which], np.eye(count, dtype=bool)
    factors = (places[:, None, None] - near[:, None, :]) / np.where(same, 1.0, near[:, :, None] - near[:, None, :])
    matrix = np.zeros((places.size, nodes.size))
    np.put_along_axis(matrix, which, np.where(same, 1.0, factors).prod(axis=2), axis=1)
    return matrix


def scalar_roots(moments: MomentMap, start: str = "small") -> list[list[Root]]:
    """All zeros x of G over thirteen decades, ascending, for each ensemble of a family.

    A sign change and a near-tangency are resolved by an interpolant each. Each root carries the slope and the curvature of G by
    log x. At a fold there is one for the two that merge there. Where G falls through zero so slowly that averages do not tell
    where, at an onset that biases smear by less than rounding, the root is in the middle of that stretch, and as vague as it is
    long.

    Parameters
    ----------
    moments : MomentMap
    start : "small" or "large", as of :meth:`MomentMap.complete`
    """
    found = scan_decades(moments, start, moments.scan_tol, _OFF)
    # just beyond an onset G is almost flat, and smaller than the error of a scan
    doubtful = {i: np.abs(G) < _DOUBT * moments.scan_tol for i, (_, G) in enumerate(found)}
    doubtful = {i: doubt for i, doubt in doubtful.items() if moments.fine < moments.scan_tol and doubt.any()}
    if doubtful:
        points = {i: found[i][0][doubt] for i, doubt in doubtful.items()}
        for i, G in _in_each(lambda rows, x: rows.log_ratio(x, moments.fine, start), moments, points).items():
            found[i][1][doubtful[i]] = G
    brackets = _brackets(moments, start, [(np.log(x), G) for x, G in found])
    roots: list[list[Root]] = [[] for _ in found]
    for exact in (True, False):
        chosen = [bracket for bracket in brackets if bracket.exact == exact]
        for bracket, some in zip(chosen, _resolved(moments, start, chosen, exact) if chosen else ()):
            known = roots[bracket.member]
            known += [root for root in some if not any(abs(root - other) < _SAME for other in known)]
    for known, (x, G) in zip(roots, found):
        for a, b in _falls(np.log(x), G, _TOUCH * moments.fine):
            if not any(a <= root <= b for root in known):
                known.append(Root(0.5 * (a + b), -2.0 * _ROUNDING / (b - a), 0.0))
    return [[Root(np.exp(root), root.slope, root.curvature) for root in sorted(some)] for some in roots]


def _falls(u, G, tol):
    """Ends (a, b) of the intervals of u in which G falls from above to below zero by more than the error of averages."""
    sure = np.flatnonzero(np.abs(G) > tol)
    falls = np.flatnonzero((G[sure[:-1]] > 0.0) & (G[sure[1:]] < 0.0))
    return [(u[sure[i]], u[sure[i + 1]]) for i in falls]


class _Bracket(NamedTuple):
    """An interval (a, b) of log x that may hold roots of G of a member of a family.

    ``exact`` is whether all of it is to be evaluated to the end, since G is nowhere far from zero in it.
    """

    member: int
    a: float
    b: float
    exact: bool


def _resolved(moments, start, brackets, exact):
    """Roots in log x within each of the brackets."""
    member, pad = np.array([bracket.member for bracket in brackets]), 1e-6 + moments.scan_tol

    def to(tol):
        return lambda u, which: moments.of_rows(member[which]).log_ratio(np.exp(u), tol, start)

    low, high = (np.array(ends) for ends in zip(*((bracket.a - pad, bracket.b + pad) for bracket in brackets)))
    series, better = (to(moments.fine), None) if exact else (to(moments.series_tol), to(moments.fine))
    return smooth_roots(series, low, high, fine=better, touch=_TOUCH * moments.fine)


def _brackets(moments, start, scans):
    """The brackets of scans (u, G), those that overlap as one."""
    suspicious = [(i, *interval) for i, (u, G) in enumerate(scans) for interval in _suspicious(u, G, moments.scan_tol)]
    merged: list[list] = []
    for i, a, b in sorted(_closed_in(moments, start, suspicious)):
        if merged and i == merged[-1][0] and a < merged[-1][2]:
            merged[-1][2] = max(b, merged[-1][2])
        else:
            merged.append([i, a, b])
    out = []
    for i, a, b in merged:
        u, G = scans[i]
        around = slice(max(int(np.searchsorted(u, a, "right")) - 1, 0), int(np.searchsorted(u, b)) + 1)
        shallow = moments.fine == moments.series_tol or np.abs(G[around]).max() < _SHALLOW * moments.series_tol
        out.append(_Bracket(i, a, b, bool(shallow)))
    return out


def _suspicious(u, G, tol):
    """Intervals (a, b, G(a), G(b)) of u that may hold roots: changes of sign, and extrema that come near zero."""
    steps = np.diff(G)
    changes = np.flatnonzero(G[:-1] * G[1:] <= 0) + 1
    largest = np.maximum(np.abs(steps[:-1]), np.abs(steps[1:]))
    turning = np.flatnonzero((steps[:-1] * steps[1:] < 0) & (np.abs(G[1:-1]) < _NEAR * largest + 10 * tol)) + 1
    return [(u[i - 1], u[i], G[i - 1], G[i]) for i in changes] + [(u[i - 1], u[i + 1], G[i - 1], G[i + 1]) for i in turning]


def _closed_in(moments, start, intervals):
    """(member, a, b) of intervals (member, a, b, G(a), G(b)): those with a change of sign halved until G is not too steep there.

    Where messages vanish unless a field goes far out, moments rise like exp(-1/x).
    """
    if not intervals:
        return []
    member, a, b, at_a, at_b = (np.array(column) for column in zip(*intervals))
    for _ in range(_HALVINGS):
        steep = np.flatnonzero((at_a * at_b <= 0) & (np.abs(at_b - at_a) >= _STEEP))
        if not steep.size:
            break
        middle = 0.5 * (a[steep] + b[steep])
        at_middle = moments.of_rows(member[steep]).log_ratio(np.exp(middle), moments.scan_tol, start)
        left = at_a[steep] * at_middle <= 0
        b[steep[left]], at_b[steep[left]] = middle[left], at_middle[left]
        a[steep[~left]], at_a[steep[~left]] = middle[~left], at_middle[~left]
    return list(zip(member.tolist(), a.tolist(), b.tolist()))
