"""All limit cycles that a set of starts finds: the stable ones forwards, the repelling ones backwards in time [JSP]."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...support.arithmetic import underflow_is_zero
from ...support.checks import instance
from ..flow import Flow
from .attractors import attractors
from .cycle import Cycle
from .fates import Fates, backward_landscape
from .starts import along_manifolds, given_starts, start_box

__all__ = ["cycles"]


@underflow_is_zero
def cycles(
    flow: Flow, starts: npt.ArrayLike | None = None, *, box: npt.ArrayLike | None = None, t_max: float | None = None
) -> list[Cycle]:
    """The limit cycles that a set of starts finds, the stable ones forwards and the repelling ones backwards in time.

    In two dimensions every cycle with a multiplier other
    than 1 attracts in one of the two directions of time; cycles whose basin falls between the starts are missed. In more dimensions
    cycles of saddle type are not found this way: follow them from a bifurcation (``continue_cycle``).

    Parameters
    ----------
    flow : Flow
    starts : int or (..., dim) array, optional
        Points per axis of a grid, or the starts themselves. Default: as for :func:`attractors`.
    box : (low, high) or one pair per coordinate, optional
        Limits of the grid. Default: ``flow.bounds``, or [-1, 1] where these are not known.
    t_max : float > 0, optional
        Time after which a trajectory is given up, as for :func:`attractors`.

    Returns
    -------
    list of Cycle
        Stable ones first, by period. Empty on a line, which has none.

    Raises
    ------
    TypeError, ValueError
        arguments that are not allowed

    See Also
    --------
    gating_theory.flow.find_cycle : The one that a trajectory comes to.
    gating_theory.flow.continue_cycle : Follows one along a parameter.

    Examples
    --------
    >>> import gating_theory as gt
    >>> turning = gt.GRUFlow(U_h=[[3, -3], [3, 3]])
    >>> found = gt.flow.cycles(turning, 3)
    >>> [(round(cycle.period, 3), bool(cycle.stable)) for cycle in found]
    [(12.934, True)]
    """
    instance("flow", flow, Flow)
    if flow.dim < 2:
        return []
    begin = given_starts(flow, starts, box)
    forwards = attractors(flow, begin, t_max=t_max)
    limits = start_box(flow, box)
    land = backward_landscape(flow, forwards.sinks)
    # edges of the box run out of it backwards; what matters begins inside, and beside the fixed points
    inner = limits.mean(axis=1) + 0.95 * (begin.reshape(-1, flow.dim) - limits.mean(axis=1))
    states = np.concatenate([inner, along_manifolds(flow, land.points, unstable=False)])
    backwards = Fates(land, states, np.inf if t_max is None else t_max, backward=True, bound=1.5 * np.abs(limits).max())
    return sorted(forwards.cycles, key=lambda c: c.period) + sorted(backwards.cycles, key=lambda c: c.period)
