"""Attractors that a set of starts reaches, each with the evidence for it [JSP]."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ...results.encoding import dict_of, require, result
from ...results.status import Status
from ...support.arithmetic import underflow_is_zero
from ...support.checks import instance, real
from ...support.types import Rng
from ..flow import Flow
from .cycle import Cycle
from .fates import ON_UNSTABLE, UNSETTLED, Fates, known_landscape
from .irregular import Irregular
from .starts import along_manifolds, given_starts

__all__ = ["Attractors", "along_manifolds", "attractors", "given_starts", "settled"]


@result("flow.Attractors")
@dataclass(frozen=True)
class Attractors:
    """Where a set of starts ends: stable fixed points, stable cycles, tori and chaos, each with evidence.

    Attributes
    ----------
    flow : Flow
    sinks : (n_sinks, dim) array
        All that are proved, or without a proved list those that trajectories came to.
    reach : (n_sinks, dim) array
        Half widths of the box around the set from which trajectories are known to go to each sink.
    proved : (n_sinks,) array of bool
        Whether sink and set are proved. Else the sink is a zero of the vector field with eigenvalues of negative real parts, and
        the Jacobian was sampled.
    cycles : list of Cycle
        Stable ones, solved by collocation, with their multipliers.
    irregular : list of Irregular
        Tori and chaotic attractors, with their Lyapunov exponents; in two dimensions there are none.
    starts : (..., dim) array
    label : (...) array of int
        Attractor of each start: sinks from 0 on, then cycles, then irregular ones; -1 where none was reached (``reasons``); -2 for
        starts on an unstable fixed point or on its stable manifold, as far as the accuracy of a trajectory goes: it came within
        1e-8 of the point.
    n_undecided : int
        Starts with label -1.
    n_on_unstable : int
        Starts with label -2.
    reasons : list of str
        Why starts are undecided, with their numbers.
    listed : bool
        The list of fixed points is proved complete.
    t_max : float or None
    status : Status
        "reached" (every start reached an attractor, or lies on an unstable point), "undecided" (some did not), "missed" (all did,
        but a trajectory from beside an unstable fixed point did not). ok for the first.

    See Also
    --------
    gating_theory.flow.attractors : Makes one.

    Examples
    --------
    >>> import gating_theory as gt
    >>> flow = gt.GRUFlow(U_h=[[3, 0], [0, 3]])
    >>> found = gt.flow.attractors(flow, 4)
    >>> found.sinks.round(2)
    array([[-0.86, -0.86],
           [-0.86,  0.86],
           [ 0.86, -0.86],
           [ 0.86,  0.86]])
    >>> found.fraction
    array([0.25, 0.25, 0.25, 0.25])
    """

    flow: Flow
    sinks: np.ndarray
    reach: np.ndarray
    proved: np.ndarray
    cycles: list[Cycle]
    irregular: list[Irregular]
    starts: np.ndarray = field(repr=False)
    label: np.ndarray = field(repr=False)
    n_undecided: int
    n_on_unstable: int
    reasons: list[str]
    listed: bool
    t_max: float | None
    status: Status

    as_dict = dict_of

    @property
    def ok(self) -> bool:
        """Whether all trajectories reached an attractor."""
        return self.status.ok

    def __len__(self) -> int:
        return len(self.sinks) + len(self.cycles) + len(self.irregular)

    @property
    def fraction(self) -> np.ndarray:
        """(len,) array, share of the starts that each attractor drew."""
        counts = np.bincount(self.label[self.label >= 0].ravel(), minlength=len(self))
        return counts / max(1, self.label.size)

    def check(self) -> None:
        """ValueError where labels name attractors that are not there, or counts do not fit them."""
        require(bool((self.label < len(self)).all() and (self.label >= ON_UNSTABLE).all()), "label names an unknown attractor")
        counts = (self.label == UNSETTLED).sum(), (self.label == ON_UNSTABLE).sum()
        require(counts == (self.n_undecided, self.n_on_unstable), "n_undecided and n_on_unstable are not those of label")

    def __str__(self) -> str:
        lines = [str(self.status)]
        for i, share in enumerate(self.fraction):
            if i < len(self.sinks):
                where = ", ".join(f"{x:.6g}" for x in self.sinks[i])
                widths = " x ".join(f"{2 * x:.2g}" for x in self.reach[i])
                what = f"sink ({where}), {'proved' if self.proved[i] else 'by its eigenvalues'}, attracts a set of {widths}"
            else:
                what = str([*self.cycles, *self.irregular][i - len(self.sinks)])
            lines.append(f"  {i}: {what}; {share:.1%} of the starts")
        if self.n_on_unstable:
            share = self.n_on_unstable / self.label.size
            lines.append(f"  on an unstable fixed point or its stable manifold: {share:.1%} of the starts")
        return "\n".join([*lines, *(f"  not settled: {reason}" for reason in self.reasons)])


def _plural(n, what):
    return f"{n} {what}{'s' * (n != 1)}"


@underflow_is_zero
def attractors(
    flow: Flow,
    starts: npt.ArrayLike | None = None,
    *,
    box: npt.ArrayLike | None = None,
    t_max: float | None = None,
    rtol: float = 1e-6,
    rng: Rng = None,
) -> Attractors:
    """All attractors that a set of starts reaches: stable fixed points, stable limit cycles, tori, chaos, each with evidence.

    Trajectories are followed by an implicit method in as many steps as it takes, whatever the time: gates that are nearly shut
    are no obstacle. A start belongs to a sink when its trajectory enters a neighbourhood that is proved to be attracted. From every
    other trajectory that nearly returns to itself a cycle is solved for, and starts belong to a stable one when they are within
    1e-3 of its extent, or come closer at the rate that its multipliers say. In three dimensions and more what is left may be a
    torus (two Lyapunov exponents that are 0, and an extent that does not shrink) or chaos (an exponent above 0 by more than its
    error). Everything else is not settled, and ``reasons`` says why.
    In two dimensions there is nothing else (Poincare-Bendixson) but connections of saddles; attractors whose basins fall between
    the starts are missed, beside every source and saddle there is a start.

    For more than three units, and cells without a closed form, the fixed points cannot be listed with proof: sinks are then what
    Newton's method finds where trajectories come to rest, and the status says so.

    Parameters
    ----------
    flow : Flow
    starts : int or (..., dim) array, optional
        Points per axis of a grid (default 101 in one dimension, 16 in two, 8 in three), or the starts themselves. In more
        dimensions the default is 256 random starts.
    box : (low, high) or one pair per coordinate, optional
        Limits of the grid. Default: ``flow.bounds``, for a GRU [-1, 1], which no trajectory leaves; [-1, 1] where these are not
        known.
    t_max : float > 0, optional
        Time after which a start counts as undecided. By default there is none; each is given up after 25 600 steps.
    rtol : float
        Relative tolerance of a step of the trajectories (not of the cycles).
    rng : numpy Generator, int or None
        For the random starts.

    Returns
    -------
    Attractors

    Raises
    ------
    TypeError, ValueError
        arguments that are not allowed

    See Also
    --------
    gating_theory.flow.basins : Basins on a grid.
    gating_theory.flow.attractors_along : Along a parameter.
    gating_theory.flow.map_attractors : Of the discrete network.

    Examples
    --------
    >>> import gating_theory as gt
    >>> turning = gt.GRUFlow(U_h=[[3, -3], [3, 3]])
    >>> found = gt.flow.attractors(turning, 4)
    >>> len(found.sinks), len(found.cycles)
    (0, 1)
    >>> round(found.cycles[0].period, 3)
    12.934
    """
    instance("flow", flow, Flow)
    t_max = None if t_max is None else real("t_max", t_max, low=0.0, open_low=True)
    rtol = real("rtol", rtol, low=1e-12, high=1e-3)
    starts = given_starts(flow, starts, box, rng)
    return settled(flow, starts, np.zeros((0, flow.dim)), t_max, rtol)[0]


def settled(
    flow: Flow, starts: np.ndarray, seeds: np.ndarray, t_max: float | None = None, rtol: float = 1e-6
) -> tuple[Attractors, np.ndarray]:
    """What :func:`attractors` does, with some more trajectories that do not count as starts.

    Parameters
    ----------
    flow : Flow
    starts : (..., dim) array
    seeds : (n, dim) array
    t_max, rtol : as for :func:`attractors`

    Returns
    -------
    Attractors, (n,) array of int : the labels of the seeds
    """
    own = starts.reshape(-1, flow.dim)
    # sets around sinks need reach no further than trajectories come from; 2 is the width of the range of tanh
    reach = np.linalg.norm(np.maximum(np.ptp(own, axis=0), 2.0)) if len(own) else 2.0 * np.sqrt(flow.dim)
    land = known_landscape(flow, float(reach))
    extra = along_manifolds(flow, land.points)
    fates = Fates(land, np.concatenate([own, seeds.reshape(-1, flow.dim), extra]), np.inf if t_max is None else t_max, rtol)
    label = _numbered(land, fates)
    return _told(land, fates, starts, label, t_max), label[len(own) : len(label) - len(extra)]


def _numbered(land, fates):
    """Labels of all trajectories; numbers of cycles come after those of the sinks, which may have been found later."""
    n_sinks, n_cycles = len(land.sinks), len(fates.cycles)
    label = np.where(fates.on_cycle >= 0, n_sinks + fates.on_cycle, fates.label)
    return np.where(fates.on_irregular >= 0, n_sinks + n_cycles + fates.on_irregular, label)


def _told(land, fates, starts, label, t_max):
    n_own = starts.size // land.flow.dim
    n_sinks, n_cycles = len(land.sinks), len(fates.cycles)
    own = label[:n_own].reshape(starts.shape[:-1])
    n_undecided, n_resting = int((own == UNSETTLED).sum()), int((own == ON_UNSTABLE).sum())
    reasons = [f"{(which < n_own).sum()} {reason}" for reason, which in fates.reasons.items() if (which < n_own).any()]
    kinds = [a.kind for a in fates.irregular]
    text = f"{_plural(n_sinks, 'sink')}, {_plural(n_cycles, 'stable cycle')}"
    if "torus" in kinds:
        text += f", {kinds.count('torus')} tor{'us' if kinds.count('torus') == 1 else 'i'}"
    if "chaos" in kinds:
        text += f", {_plural(kinds.count('chaos'), 'chaotic attractor')}"
    if not land.complete:
        text += "; the list of fixed points is not proved"
    if n_resting:
        text += f"; {n_resting} of {own.size} starts lie on an unstable fixed point or its stable manifold"
    status = Status("reached", text)
    if n_undecided:
        text += f"; {n_undecided} of {own.size} starts reached none of them: {'; '.join(reasons)}"
        status = Status("undecided", text, ok=False)
    elif (label == UNSETTLED).any():
        text += f"; a trajectory from beside an unstable fixed point reached none of them: {'; '.join(fates.reasons)}"
        status = Status("missed", text, ok=False)
    dim = land.flow.dim
    return Attractors(
        land.flow,
        np.array([s.centre for s in land.sinks]).reshape(-1, dim),
        np.array([s.half_widths for s in land.sinks]).reshape(-1, dim),
        np.array([s.proved for s in land.sinks], dtype=bool),
        fates.cycles,
        fates.irregular,
        starts,
        own,
        n_undecided,
        n_resting,
        reasons,
        land.complete,
        t_max,
        status,
    )
