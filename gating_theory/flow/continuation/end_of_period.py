"""What a branch of cycles ends at where its period diverges [JSP]."""

from __future__ import annotations

from ...support.arithmetic import underflow_is_zero
from ...support.checks import instance
from .cycles import CycleBranch
from .infinite_period import InfinitePeriod, infinite_period

__all__ = ["end_of_period"]


@underflow_is_zero
def end_of_period(branch: CycleBranch) -> InfinitePeriod:
    """What a branch of cycles ends at, if its period grows to the end: a homoclinic orbit told from a saddle-node on the cycle.

    Parameters
    ----------
    branch : CycleBranch

    Returns
    -------
    InfinitePeriod

    Raises
    ------
    TypeError
        no CycleBranch
    ValueError
        the period does not grow to the end of the branch

    See Also
    --------
    gating_theory.flow.continue_cycle : Makes the branch.
    gating_theory.flow.homoclinic : Locates the orbit by itself.

    Examples
    --------
    >>> import gating_theory as gt
    >>> flow = gt.GRUFlow(U_h=[[4.5, -2], [10, 0]], b_h=[0.4, 0.95])
    >>> cycle = gt.flow.find_cycle(flow, [-0.2, 0.2])
    >>> branch = gt.flow.continue_cycle(
    ...     flow, "b_h[1]", (0.5, 1.2), cycle, direction=-1, max_period=40
    ... )
    >>> end = gt.flow.end_of_period(branch)
    >>> end.kind, round(end.value, 6)
    ('homoclinic', 0.912834)
    """
    instance("branch", branch, CycleBranch)
    if len(branch) < 3 or branch.periods[-1] < branch.periods[-3:].max():
        raise ValueError(f"branch must end with growing periods, but it ends so: {branch.status}")
    return infinite_period(branch.last, branch.path, branch.values, branch.periods)
