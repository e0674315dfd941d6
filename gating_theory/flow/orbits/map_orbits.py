"""Attractors of the Euler map s -> s + step f(s), which with step 1 is the discrete network: what training learns [JSP].

Fixed points, periodic orbits, closed invariant curves with their rotation number (an oscillation whose period is no whole number of
steps), tori and chaos: each with evidence. What has none is not settled.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ...results.encoding import dict_of, require, result
from ...results.status import Status
from ...running.progress import Progress, check_progress
from ...support.arithmetic import underflow_is_zero
from ...support.checks import instance, integer, real
from ...support.types import Progress as Wanted
from ..flow import Flow
from ..limits import LONGEST_STEP
from .attractors import given_starts
from .map_search import MOST_STEPS, ON_UNSTABLE, UNSETTLED, MapSearch
from .map_verdicts import MapAttractor

__all__ = ["MapAttractor", "MapAttractors", "map_attractors"]

#: Longest period that can be asked for, and what kinds of attractors are called, one and several.
_LONGEST_PERIOD = 100_000
_NAMES = {
    "fixed": ("fixed point", "fixed points"),
    "periodic": ("periodic orbit", "periodic orbits"),
    "circle": ("invariant circle", "invariant circles"),
    "torus": ("invariant torus", "invariant tori"),
    "chaos": ("chaotic attractor", "chaotic attractors"),
}


@result("flow.MapAttractors")
@dataclass(frozen=True)
class MapAttractors:
    """Attractors of the Euler map that a set of starts reached.

    Attributes
    ----------
    flow : Flow
    step : float, of the Euler map
    attractors : list of MapAttractor
    starts : (..., dim) array
    label : (...) array of int
        The attractor of each start; -1: not settled (``reasons``); -2: it stays on an unstable orbit, or on its stable manifold as
        far as the accuracy of numbers goes (within 1e-9).
    reasons : list of str
        Why orbits are not settled: of each that was looked at closely, and of those that left or cannot be followed.
    n_steps : int
        Steps of the orbits that took longest.
    status : Status
        "reached" (every start reached an attractor), "unstable" (all but those that stay on an unstable orbit did), "unsettled"
        (some are not settled), "missed" (an orbit from beside an unstable fixed point is not settled). ok for the first two.

    See Also
    --------
    gating_theory.flow.map_attractors : Makes one.

    Examples
    --------
    >>> import gating_theory as gt
    >>> found = gt.flow.map_attractors(gt.GRUFlow(U_h=3), 4)
    >>> [(one.kind, one.states.round(3).tolist()) for one in found.attractors]
    [('fixed', [[-0.859]]), ('fixed', [[0.859]])]
    """

    flow: Flow
    step: float
    attractors: list[MapAttractor]
    starts: np.ndarray = field(repr=False)
    label: np.ndarray = field(repr=False)
    reasons: list[str]
    n_steps: int
    status: Status

    as_dict = dict_of

    @property
    def ok(self) -> bool:
        """Whether every start reached an attractor or sits on an unstable orbit."""
        return self.status.ok

    def __len__(self) -> int:
        return len(self.attractors)

    def __iter__(self) -> Iterator[MapAttractor]:
        return iter(self.attractors)

    def __getitem__(self, i: int) -> MapAttractor:
        return self.attractors[i]

    def __str__(self) -> str:
        lines = [str(self.status)]
        for i, a in enumerate(self.attractors):
            lines.append(f"  {i}: {a}; {(self.label == i).mean():.1%} of the starts")
        return "\n".join([*lines, *(f"  not settled: {reason}" for reason in self.reasons)])

    def check(self) -> None:
        """ValueError where a label names an attractor that is not there."""
        known = (self.label < len(self)) & (self.label >= ON_UNSTABLE)
        require(bool(known.all()), "label names an unknown attractor")


@underflow_is_zero
def map_attractors(
    flow: Flow,
    starts: npt.ArrayLike | None = None,
    *,
    step: float = 1.0,
    box: npt.ArrayLike | None = None,
    n_transient: int = 2000,
    max_steps: int = 4_000_000,
    max_period: int = 2000,
    progress: Wanted = None,
) -> MapAttractors:
    """Attractors of the Euler map s -> s + step f(s) that a grid of starts reaches, each with evidence.

    Orbits are looked at after ``n_transient`` steps, and again after twice as many each time, until each is known to be on an
    attractor. Fixed points attract when they are proved to, in a neighbourhood that an orbit must enter; periodic orbits when
    Newton's method converges to them and their multipliers are inside the unit circle. An invariant circle has an exponent that is
    0 within its error, a rotation that has settled, and averages that do not change from one long record to the next: what spirals
    into a weak focus is no circle. Chaos has an exponent above 0 by five standard errors. What has none of this is "not settled",
    and ``reasons`` say why. Where steps are below 1e-4 and multipliers next to 1, real from 0 to 1, or well inside the unit circle,
    orbits are taken further by the flow, which they follow there to that accuracy: which of two basins a start on their boundary
    belongs to may differ. Orbits that this takes ten times as far as ``max_steps``, and that still creep, are given up early:
    they go round a cycle that is too slow to be seen.

    Parameters
    ----------
    flow : Flow
    starts : int or (..., dim) array, optional
        Points per axis of a grid (default 16 in two dimensions, 8 in three), or the starts themselves. Starts beside the
        fixed points are added, but not counted.
    step : float > 0
        1 is the discrete network itself.
    box : (low, high) or one pair per coordinate, optional
        Limits of the grid. Default: ``flow.bounds``.
    n_transient : int from 1 to 1e9
        Steps before orbits are looked at for the first time.
    max_steps : int from 1 to 1e9
        Steps after which a start is not settled. An orbit that turns slowly is on a circle when it has made some ten turns, 2e6
        steps at 1 - z = 5e-5.
    max_period : int from 1 to 1e5
        Longest period looked for. A longer one has a negative exponent, and is not settled, or none that is told from 0, and then
        passes for a circle.
    progress : None, True or callable
        True: a progress bar. A callable is told ``progress(done, total)`` in steps; it is over when all starts are.

    Returns
    -------
    MapAttractors

    Raises
    ------
    TypeError, ValueError
        arguments that are not allowed

    See Also
    --------
    gating_theory.flow.attractors : Of the flow.
    gating_theory.flow.flow_and_map : Both, compared.

    Examples
    --------
    >>> import gating_theory as gt
    >>> flow = gt.GRUFlow(U_h=[[1.5, -2.598], [2.598, 1.5]])
    >>> found = gt.flow.map_attractors(flow, 4)
    >>> found.attractors[0].kind
    'circle'
    """
    instance("flow", flow, Flow)
    step = real("step", step, low=0.0, high=LONGEST_STEP, open_low=True)
    n_transient = integer("n_transient", n_transient, low=1, high=MOST_STEPS)
    max_steps = integer("max_steps", max_steps, low=1, high=MOST_STEPS)
    max_period = integer("max_period", max_period, low=1, high=_LONGEST_PERIOD)
    check_progress(progress)
    starts = given_starts(flow, starts, box)
    search = MapSearch(flow, step, starts.reshape(-1, flow.dim), max_period)
    with Progress(progress, max_steps, "step") as tell:
        search.run(n_transient, max_steps, tell)
    return _told(search, starts)


def _told(search, starts):
    """The result of a search: the attractors that orbits reached, and why others are not settled."""
    reached = [k for k in range(len(search.found)) if (search.label == k).any()]
    place = {old: new for new, old in enumerate(reached)} | {UNSETTLED: UNSETTLED, ON_UNSTABLE: ON_UNSTABLE}
    label = np.array([place[k] for k in search.label.tolist()], dtype=int)
    own = label[: starts[..., 0].size].reshape(starts.shape[:-1])
    found = [search.found[k].attractor for k in reached]
    status = _status(search.step, [a.kind for a in found], own, label)
    return MapAttractors(search.flow, search.step, found, starts, own, search.open_reasons(), search.seen, status)


def _status(step, kinds, own, label):
    counts = [f"{kinds.count(k)} {name[kinds.count(k) > 1]}" for k, name in _NAMES.items() if k in kinds]
    text, code = f"Euler map of step {step:g}: {', '.join(counts) or 'no attractor'}", "reached"
    stayed, unsettled = int((own == ON_UNSTABLE).sum()), int((own == UNSETTLED).sum())
    if stayed:
        text += f"; {stayed} of {own.size} starts stay on an unstable orbit"
        code = "unstable"
    if unsettled:
        text += f"; {unsettled} of {own.size} starts are not settled"
        code = "unsettled"
    elif (label == UNSETTLED).any():
        text += "; an orbit from beside an unstable fixed point is not settled"
        code = "missed"
    return Status(code, text, code in ("reached", "unstable"))
