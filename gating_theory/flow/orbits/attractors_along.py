"""Attractors along a parameter, with the shares of their basins, matched from value to value: tipping points show [JSP]."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from ...results.encoding import dict_of, require, require_shapes, result
from ...results.status import Status
from ...running.progress import Progress, check_progress
from ...support.arithmetic import underflow_is_zero
from ...support.checks import generator, instance, integer, real, real_array
from ...support.types import Progress as Wanted
from ...support.types import Rng
from ..flow import Flow
from ..limits import LONGEST_STEP
from ..line import Line
from .attractors import settled
from .map_orbits import map_attractors
from .starts import given_starts, start_box

__all__ = ["AttractorChange", "AttractorsAlong", "attractors_along"]

#: Attractors of one kind at neighbouring values are one where they are this near, in units of the diagonal of the box of starts.
_NEAR = 0.1

#: States of each attractor from which trajectories begin at the next value, and states with which distances are measured.
_SEEDS, _MEASURED = 4, 64

#: Kinds that are not called by their own name.
_NOUNS = {"fixed": "fixed point", "periodic": "periodic orbit", "chaos": "chaotic attractor"}


def _noun(kind):
    return _NOUNS.get(kind, kind)


@result("flow.AttractorChange")
@dataclass(frozen=True)
class AttractorChange:
    """An attractor that appears, vanishes, or becomes one of another kind between two neighbouring values of the parameter.

    Attributes
    ----------
    what : "appears", "vanishes", or "becomes a cycle" and so on
    attractor : int, its number
    kind : str, what it was before, or what appears
    before, after : float
        The values of the parameter.
    into : int
        The attractor that a trajectory from one that vanished goes to, -1 where that is not settled; itself, where none vanishes.
    shares : (m,) array
        Where the starts in the basin of one that vanished go, as parts of that basin; where those of one that appears come from.

    See Also
    --------
    gating_theory.flow.attractors_along : Lists them.

    Examples
    --------
    >>> import gating_theory as gt
    >>> flow = gt.GRUFlow(U_h=3)
    >>> along = gt.flow.attractors_along(flow, "b_h[0]", [0.0, 1.0], starts=11)
    >>> change = along.changes[0]
    >>> change.what, change.attractor, change.into
    ('vanishes', 0, 1)
    """

    what: str
    attractor: int
    kind: str
    before: float
    after: float
    into: int
    shares: np.ndarray = field(repr=False)

    as_dict = dict_of

    def __str__(self) -> str:
        text = f"between {self.before:.10g} and {self.after:.10g}: {_noun(self.kind)} {self.attractor} {self.what}"
        way = "to" if self.what == "vanishes" else "from"
        others = ", ".join(f"{share:.0%} {way} {i}" for i, share in enumerate(self.shares) if share)
        if self.what == "vanishes":
            text += f"; a trajectory from it goes to {self.into if self.into >= 0 else 'none that is known'}"
        if others:
            text += f"; its basin: {others}"
        return text


@result("flow.AttractorsAlong")
@dataclass(frozen=True)
class AttractorsAlong:
    """Attractors and the shares of their basins along a parameter; attractors keep their numbers from value to value.

    Attributes
    ----------
    flow : Flow
    path : str or Line, the parameter
    values : (n,) array
    step : float or None
        Of the Euler map whose attractors these are; None: of the flow.
    kinds : list of n lists of m str
        "sink", "cycle", "torus", "chaos" (of a map "fixed", "periodic", "circle" and so on); "" where an attractor is not there.
    fractions, stderr : (n, m) arrays
        Share of the starts that each draws, and its standard error sqrt(p (1 - p) / number of starts) for random ones: counted
        starts of a grid are off by less. 0 where an attractor is not there.
    centre, low, high : (n, m, dim) arrays
        Mean, smallest and largest values of its states; nan where it is not there.
    unsettled : (n,) array
        Share of starts that belong to no attractor: not settled, or on an unstable fixed point or its stable manifold.
    starts : (k, dim) array, the same at every value
    changes : list of AttractorChange, in the order of the values
    status : Status
        "settled", or "undecided" where at some value not all trajectories were (not ok).

    See Also
    --------
    gating_theory.flow.attractors_along : Makes one.

    Examples
    --------
    >>> import gating_theory as gt
    >>> flow = gt.GRUFlow(U_h=3)
    >>> along = gt.flow.attractors_along(flow, "b_h[0]", [0.0, 1.0], starts=11)
    >>> along.fractions.round(2)
    array([[0.45, 0.45],
           [0.  , 1.  ]])
    """

    flow: Flow
    path: str | Line
    values: np.ndarray
    step: float | None
    kinds: list[list[str]]
    fractions: np.ndarray
    stderr: np.ndarray
    centre: np.ndarray = field(repr=False)
    low: np.ndarray = field(repr=False)
    high: np.ndarray = field(repr=False)
    unsettled: np.ndarray = field(repr=False)
    starts: np.ndarray = field(repr=False)
    changes: list[AttractorChange]
    status: Status

    as_dict = dict_of

    @property
    def ok(self) -> bool:
        """Whether all trajectories settled at all values."""
        return self.status.ok

    def __len__(self) -> int:
        return self.fractions.shape[1]

    @property
    def present(self) -> np.ndarray:
        """(n, m) array of bool, where each attractor is there."""
        return np.isfinite(self.centre[..., 0])

    def check(self) -> None:
        """ValueError where shapes contradict each other, or shares do not add up to 1."""
        n, m, d = len(self.values), len(self), self.flow.dim
        shapes = {
            "fractions": (n, m),
            "stderr": (n, m),
            "centre": (n, m, d),
            "low": (n, m, d),
            "high": (n, m, d),
            "unsettled": (n,),
        }
        require_shapes(self, shapes)
        require(np.allclose(self.fractions.sum(axis=1) + self.unsettled, 1.0), "shares do not add up to 1")

    def __str__(self) -> str:
        what = "the flow" if self.step is None else f"the Euler map of step {self.step:g}"
        lines = [
            f"{self.status}: {len(self)} attractors of {what} along {self.path} = {self.values[0]:.6g} to {self.values[-1]:.6g}"
        ]
        for i in range(len(self)):
            there = np.flatnonzero(self.present[:, i])
            kinds = [_noun(kind) for kind, _ in groupby(self.kinds[k][i] for k in there)]
            a, b = there[0], there[-1]
            lines.append(
                f"  {i}: {', then '.join(kinds)} from {self.values[a]:.6g} to {self.values[b]:.6g}, basin "
                f"{self.fractions[a, i]:.1%} +- {self.stderr[a, i]:.1%} to {self.fractions[b, i]:.1%} +- {self.stderr[b, i]:.1%}"
            )
        return "\n".join([*lines, *(f"  {change}" for change in self.changes)])


@underflow_is_zero
def attractors_along(
    flow: Flow,
    path: Any,
    values: npt.ArrayLike,
    *,
    starts: npt.ArrayLike | None = None,
    n: int = 400,
    box: npt.ArrayLike | None = None,
    step: float | None = None,
    rng: Rng = None,
    progress: Wanted = None,
) -> AttractorsAlong:
    """Attractors of a flow, or of its Euler map, and the shares of their basins at values of a parameter.

    At every value the same starts are followed, and trajectories from states of the attractors at the value before, which therefore
    are not lost when their basins become small. An attractor keeps its number where one of its kind is near at the next value (a
    tenth of the box), or where its own states go to one that is nobody else's, which may be of another kind. What vanishes and
    appears is listed, with where the starts in its basin go or come from.

    Parameters
    ----------
    flow : Flow
    path : as for ``Flow.along``
    values : (n,) array, at least two, increasing or decreasing
    starts : int or (k, dim) array, optional
        Points per axis of a grid, or the starts themselves. Default: n random ones.
    n : int
        Number of random starts.
    box : (low, high) or one pair per coordinate, optional
        Where random starts and grids lie. Default: ``flow.bounds``, or -1 to 1 where these are not known.
    step : float > 0, optional
        Of the Euler map; 1 is the discrete network. Default: the flow itself.
    rng : numpy Generator, int or None
        For the random starts.
    progress : None, True or callable
        True: a progress bar. A callable is told ``progress(done, total)`` in values.

    Returns
    -------
    AttractorsAlong

    Raises
    ------
    TypeError, ValueError
        arguments that are not allowed

    See Also
    --------
    gating_theory.flow.attractors : At one value.
    gating_theory.flow.plot_attractors_along : Draws the shares.

    Examples
    --------
    >>> import gating_theory as gt
    >>> flow = gt.GRUFlow(U_h=[[1, -1], [1, 1]])
    >>> along = gt.flow.attractors_along(flow, "gain.h", [1.5, 3.0], n=20, rng=0)
    >>> along.changes[0].what
    'vanishes'
    """
    instance("flow", flow, Flow)
    path = flow.along(path)
    values = real_array("values", values)
    if values.ndim != 1 or len(values) < 2 or not ((np.diff(values) > 0).all() or (np.diff(values) < 0).all()):
        raise ValueError(f"values must be an increasing or decreasing array of at least two, got shape {values.shape}")
    n = integer("n", n, low=1)
    step = None if step is None else real("step", step, low=0.0, high=LONGEST_STEP, open_low=True)
    check_progress(progress)
    limits = start_box(flow, box)
    rng = generator(rng)
    if starts is None:
        starts = rng.uniform(limits[:, 0], limits[:, 1], (n, flow.dim))
    starts = given_starts(flow, starts, box).reshape(-1, flow.dim)
    story = _Story(flow.dim, _NEAR * float(np.linalg.norm(np.ptp(limits, axis=1))))
    with Progress(progress, len(values), "value") as tell:
        for value in values:
            story.add(float(value), *_found(flow.replace(path, value), starts, story.seeds, step))
            tell(1)
    return story.told(flow, path, values, step, starts)


def _found(flow, starts, seeds, step):
    """Kinds and states of the attractors, labels of starts and of seeds."""
    if step is None:
        found, ends = settled(flow, starts, seeds)
        kinds = ["sink"] * len(found.sinks) + ["cycle"] * len(found.cycles) + [a.kind for a in found.irregular]
        states = [*found.sinks[:, None], *(c.states(400) for c in found.cycles), *(a.states for a in found.irregular)]
        return kinds, states, found.label, ends
    mapped = map_attractors(flow, np.concatenate([starts, seeds]), step=step)
    return [a.kind for a in mapped], [a.states for a in mapped], mapped.label[: len(starts)], mapped.label[len(starts) :]


class _Story:
    """Attractors by number, value after value."""

    def __init__(self, dim, near):
        self.dim, self.near, self.values, self.rows, self.labels, self.changes, self.count = dim, near, [], [], [], [], 0

    @property
    def seeds(self):
        """States of the attractors at the last value, _SEEDS of each that is there."""
        last = self.rows[-1].values() if self.rows else ()
        return np.concatenate([np.zeros((0, self.dim)), *(_spread(states, _SEEDS) for _, states in last)])

    def add(self, value, kinds, states, label, ends):
        before = self.rows[-1] if self.rows else {}
        goes = dict(zip(before, ends.reshape(len(before), -1))) if before else {}
        number = _matched(before, kinds, states, goes, self.near)
        for k in range(len(kinds)):
            if k not in number:
                number[k], self.count = self.count, self.count + 1
        row = {number[k]: (kinds[k], states[k]) for k in sorted(number, key=lambda k: number[k])}
        self.values.append(value)
        self.rows.append(row)
        self.labels.append(np.array([number[k] if k >= 0 else -1 for k in label]))
        if len(self.values) > 1:
            self._compare(before, row, {i: number.get(int(_most(e)), -1) for i, e in goes.items()})

    def _compare(self, before, row, into):
        first, last = self.values[-2:]
        old, new = self.labels[-2:]
        for i, (kind, _) in before.items():
            if i not in row:
                self.changes.append(AttractorChange("vanishes", i, kind, first, last, into[i], self._shares(new[old == i])))
            elif row[i][0] != kind:
                text = f"becomes a {_noun(row[i][0])}"
                self.changes.append(AttractorChange(text, i, kind, first, last, i, np.zeros(self.count)))
        for i, (kind, _) in row.items():
            if i not in before:
                self.changes.append(AttractorChange("appears", i, kind, first, last, i, self._shares(old[new == i])))

    def _shares(self, labels):
        counts = np.bincount(labels[labels >= 0], minlength=self.count)
        return counts / max(1, len(labels))

    def told(self, flow, path, values, step, starts):
        n, m, d = len(values), self.count, flow.dim
        fractions = np.array([np.bincount(label[label >= 0], minlength=m) / len(starts) for label in self.labels])
        centre, low, high = (np.full((n, m, d), np.nan) for _ in range(3))
        for k, row in enumerate(self.rows):
            for i, (_, states) in row.items():
                centre[k, i], low[k, i], high[k, i] = states.mean(axis=0), states.min(axis=0), states.max(axis=0)
        kinds = [[row[i][0] if i in row else "" for i in range(m)] for row in self.rows]
        unsettled = np.array([(label < 0).mean() for label in self.labels])
        worst = float(unsettled.max())
        status = (
            Status("settled") if worst == 0.0 else Status("undecided", f"up to {worst:.2%} of the starts not settled", ok=False)
        )
        stderr = np.sqrt(fractions * (1.0 - fractions) / len(starts))
        changes = [AttractorChange(**{**vars(c), "shares": np.pad(c.shares, (0, m - len(c.shares)))}) for c in self.changes]
        return AttractorsAlong(
            flow, path, values, step, kinds, fractions, stderr, centre, low, high, unsettled, starts, changes, status
        )  # fmt: skip


def _spread(states, n):
    """n of an attractor's states, evenly."""
    return states[np.linspace(0, len(states), n, endpoint=False).astype(int)]


def _most(labels):
    """The label that most of an attractor's states go to."""
    values, counts = np.unique(labels, return_counts=True)
    return values[counts.argmax()]


def _distance(a, b):
    """Mean distance of the states of each from the other, the larger of the two."""
    a, b = _spread(a, _MEASURED), _spread(b, _MEASURED)
    apart = np.linalg.norm(a[:, None] - b[None], axis=2)
    return max(apart.min(axis=1).mean(), apart.min(axis=0).mean())


def _matched(before, kinds, states, goes, near):
    """Numbers of the new attractors that are old ones: near and of one kind; else those that the states of an old one go to."""
    from scipy.optimize import linear_sum_assignment

    number: dict[int, int] = {}
    ids = list(before)
    if ids and kinds:
        apart = np.full((len(ids), len(kinds)), 1e6)
        for a, i in enumerate(ids):
            for k, kind in enumerate(kinds):
                if kind == before[i][0]:
                    distance = _distance(before[i][1], states[k])
                    # where an attractor's own states go is worth more than a little distance
                    apart[a, k] = distance if int(_most(goes[i])) == k else distance + 0.5 * near
        for a, k in zip(*linear_sum_assignment(apart)):
            if apart[a, k] < near:
                number[int(k)] = ids[a]
    for i in ids:
        k = int(_most(goes[i]))
        if i not in number.values() and k >= 0 and k not in number:
            number[k] = i
    return number
