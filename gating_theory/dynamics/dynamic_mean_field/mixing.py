"""Fixed points of maps of many variables, by Anderson's mixing of the last few steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

__all__ = ["Mixed", "Secants", "fixed_point_of"]

#: What the singular values of differences of residuals are cut off at: they become parallel where little is left.
_CUT = 1e-10
#: Part of a step that is kept where it led to nothing finite.
_BACK = 0.25
#: Differences of points, and of their residuals.
Secants = list[tuple[np.ndarray, np.ndarray]]


class Mixed(NamedTuple):
    """Where mixing ended."""

    x: np.ndarray  #: the last point at which the map was evaluated
    residual: float  #: |g(x) - x| / |x|
    steps: int  #: evaluations of the map


def fixed_point_of(
    g: Callable[[np.ndarray], np.ndarray],
    x: np.ndarray,
    tol: float,
    *,
    depth: int,
    plain: int,
    limit: int,
    damping: float = 1.0,
    part: float = 0.0,
    secants: Secants | None = None,
    reach: Callable[[np.ndarray], bool] | None = None,
) -> Mixed:
    """A fixed point x = g(x), the first steps plain, the others mixed; the history starts anew where the residual doubles.

    Parameters
    ----------
    g : callable; where it is not finite, mixing has gone too far and goes back most of its last step
    x : (n,) array, where to start
    tol : float, of |g(x) - x| / |x|
    depth : int, steps that are remembered
    plain : int, steps x <- g(x) before mixing, which lead away from fixed points that the plain map leaves
    limit : int, evaluations of g at most
    damping : float in (0, 1], the part of each residual that mixing adds
    part : float, of the first residual that is enough where it is more than ``tol``
    secants : list, optional
        What mixing has learnt of a map that differs by little, such as a constant; what it learns here is added. Start with [].
    reach : callable(x), optional
        Whether the solution that is meant may be there. Elsewhere the map is not asked, and mixing goes back as from what is not
        finite.

    Returns
    -------
    Mixed, with ``residual`` above ``tol`` where the limit was reached
    """
    learnt = [] if secants is None else secants
    last = None
    best = size = np.inf
    for step in range(1, limit + 1):
        r = g(x) - x if reach is None or reach(x) else np.full_like(x, np.nan)
        if last is not None and not np.isfinite(r).all():
            learnt.clear()
            x = last[0] + _BACK * (x - last[0])
            continue
        size = float(np.linalg.norm(r)) / max(float(np.linalg.norm(x)), 1e-300)
        if step == 1:
            tol = max(tol, part * size)
        if size <= tol or step == limit:
            break
        if size > 2.0 * best:
            learnt.clear()
            last, best = None, size
        best = min(best, size)
        if last is not None:
            learnt.append((x - last[0], r - last[1]))
            del learnt[:-depth]
        last = x, r
        if step <= plain or not learnt:
            x = x + r
            continue
        dx, dr = (np.array(rows).T for rows in zip(*learnt))
        gamma = np.linalg.lstsq(dr, r, rcond=_CUT)[0]
        x = x + damping * r - (dx + damping * dr) @ gamma
    return Mixed(x, size, step)
