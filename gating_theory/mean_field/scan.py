"""All roots of G(x) = log(R(x)/x), one scalar function of the leading moment, over thirteen decades [T5]."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import CapabilityError
from ..support.roots import Root, smooth_roots

if TYPE_CHECKING:
    from .moments import MomentMap

__all__ = ["scalar_roots", "scan_decades"]

#: log10 of the smallest leading moment of a scan, and the smallest moment that biases alone may give.
_BOTTOM, _LEAST = -13.0, 1e-280
#: Points a decade where no field is broad enough to feel that messages are not linear, and where one is, so that G bends.
_SPARSE, _DENSE = 4, 16
#: A field feels it when its width is this part of the length over which messages change; it does above 1e-3 in any case.
_FELT, _ALWAYS = 0.1, 1e-3
#: A scan begins so many decades below the first moment that is felt.
_BELOW = 3.0
#: Changes of sign in a steeper interval of G are closed in on first, by so many halvings at most.
_STEEP, _HALVINGS = 2.0, 40
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


def scan_decades(moments: MomentMap, start: str, tol: float) -> tuple[np.ndarray, np.ndarray]:
    """Points x over thirteen decades, up to where the moments have stopped growing, and G there.

    Parameters
    ----------
    moments : MomentMap
    start : "small" or "large", as of :meth:`MomentMap.complete`
    tol : float, of the averages

    Returns
    -------
    x, G : (M,) arrays, x ascending
    """
    bottom = _BOTTOM
    if not moments.has_zero_state:  # solutions can then be as small as the moment that the biases alone give
        least = float(moments.moment(moments.loop[0], moments.complete(np.array([1e-300]), tol, start), tol)[0])
        bottom = min(_BOTTOM, np.log10(least) - 1.0) if least > _LEAST else _BOTTOM
    felt = _first_felt(moments, start, bottom)
    bottom = min(bottom, felt - _BELOW)
    low = np.logspace(bottom, felt, int(np.ceil(_SPARSE * (felt - bottom))), endpoint=False)
    x = np.concatenate([low, np.logspace(felt, 0.0, int(np.ceil(-_DENSE * felt)))])
    G = np.concatenate([moments.log_ratio(part, tol, start) for part in np.array_split(x, moments.blocks)])
    while G[-1] >= 0.0:
        if x[-1] > _TOP:
            raise CapabilityError(f"the moments of cell {moments.cell.name!r} grow without bound: no bounded mean field")
        more = x[-1] * np.logspace(0.0, np.log10(_FACTOR), _MORE)[1:]
        x, G = np.concatenate([x, more]), np.concatenate([G, moments.log_ratio(more, tol, start)])
    return x, G


def _first_felt(moments, start, bottom):
    """log10 of the smallest leading moment at which messages bend, found among all that a scan could begin with."""
    felt = sorted(moments.felt)
    lengths = np.array([moments.random.shapes[v].length for v in felt])
    x = np.logspace(2.0 * bottom, np.log10(_ALWAYS), int(_SPARSE * (np.log10(_ALWAYS) - 2.0 * bottom)))
    widths = moments.random.driven_std(moments.complete(x, _ROUGH, start))[:, felt]
    first = np.flatnonzero((widths > _FELT * lengths).any(axis=1))
    return np.log10(x[first[0]]) if first.size else np.log10(_ALWAYS)


def scalar_roots(moments: MomentMap, start: str = "small") -> list[Root]:
    """All zeros x of G over thirteen decades, ascending; a sign change and a near-tangency are resolved by an interpolant each.

    Each carries the slope and the curvature of G by log x. At a fold there is one for the two that merge there.

    Parameters
    ----------
    moments : MomentMap
    start : "small" or "large", as of :meth:`MomentMap.complete`
    """
    x, G = scan_decades(moments, start, moments.scan_tol)
    u = np.log(x)

    def rough(v):
        return moments.log_ratio(np.exp(v), moments.series_tol, start)

    def fine(v):
        return moments.log_ratio(np.exp(v), moments.fine, start)

    # just beyond an onset G is almost flat, and smaller than the error of a scan
    doubtful = np.abs(G) < _DOUBT * moments.scan_tol
    if moments.fine < moments.scan_tol and doubtful.any():
        G[doubtful] = fine(u[doubtful])
    roots: list[Root] = []
    suspicious = _suspicious(u, G, moments.scan_tol)
    for a, b in _merge([_closed_in(moments, start, *interval) for interval in suspicious]):
        pad = 1e-6 + moments.scan_tol
        around = slice(max(int(np.searchsorted(u, a, "right")) - 1, 0), int(np.searchsorted(u, b)) + 1)
        exact = moments.fine == moments.series_tol or np.abs(G[around]).max() < _SHALLOW * moments.series_tol
        series, better = (fine, None) if exact else (rough, fine)
        for root in smooth_roots(series, a - pad, b + pad, fine=better, touch=_TOUCH * moments.fine):
            if not any(abs(root - other) < _SAME for other in roots):
                roots.append(root)
    return [Root(np.exp(root), root.slope, root.curvature) for root in sorted(roots)]


def _suspicious(u, G, tol):
    """Intervals (a, b, G(a), G(b)) of u that may hold roots: changes of sign, and extrema that come near zero."""
    suspicious = []
    for i in range(1, u.size):
        if G[i - 1] * G[i] <= 0:
            suspicious.append((u[i - 1], u[i], G[i - 1], G[i]))
    for i in range(1, u.size - 1):
        turning = (G[i] - G[i - 1]) * (G[i + 1] - G[i]) < 0
        if turning and abs(G[i]) < _NEAR * max(abs(G[i] - G[i - 1]), abs(G[i + 1] - G[i])) + 10 * tol:
            suspicious.append((u[i - 1], u[i + 1], G[i - 1], G[i + 1]))
    return suspicious


def _closed_in(moments, start, a, b, at_a, at_b):
    """An interval (a, b) with a change of sign, halved until G is not too steep for an interpolant; others as they are.

    Where messages vanish unless a field goes far out, moments rise like exp(-1/x).
    """
    for _ in range(_HALVINGS):
        if at_a * at_b > 0 or abs(at_b - at_a) < _STEEP:
            break
        middle = 0.5 * (a + b)
        at_middle = float(moments.log_ratio(np.exp(np.array([middle])), moments.scan_tol, start)[0])
        if at_a * at_middle <= 0:
            b, at_b = middle, at_middle
        else:
            a, at_a = middle, at_middle
    return a, b


def _merge(intervals):
    """Intervals that overlap, as one."""
    merged = []
    for a, b in sorted(intervals):
        if merged and a < merged[-1][1]:
            merged[-1][1] = max(b, merged[-1][1])
        else:
            merged.append([a, b])
    return merged
