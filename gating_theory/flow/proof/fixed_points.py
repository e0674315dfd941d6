"""All fixed points of a small flow, each enclosed, proved unique and typed [JSP]."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ...results.encoding import dict_of, require, result
from ...results.status import Status
from ...support.arithmetic import underflow_is_zero
from ...support.checks import choice, integer, real
from .branch_and_prune import branch_and_prune
from .enclosure import map_enclosure
from .intervals import certified_backend
from .stability import UNDECIDED, classify

__all__ = ["FlowFixedPoint", "FlowFixedPoints", "Topology", "find_all"]

#: Boxes that a search may look at by default: about a second each.
_BUDGET = {"validated": 1_000_000, "certified": 20_000}


#: Residual above which the middle of an enclosure is polished, and Newton steps at most.
_POLISHED, _NEWTON_STEPS = 1e-12, 20


@result("flow.Topology")
class Topology(NamedTuple):
    """Numbers of (sinks, sources, saddles) of a flow, the order of [JSP]'s pictures.

    Attributes
    ----------
    sinks : int, points that attract in all directions
    sources : int, points that repel in all directions
    saddles : int, the others

    See Also
    --------
    gating_theory.flow.topology_map : The topology over a plane.
    gating_theory.flow.search_topologies : Looks for others.

    Examples
    --------
    >>> import gating_theory as gt
    >>> gt.GRUFlow(U_h=[[3, 0], [0, 3]]).fixed_points().topology
    Topology(sinks=4, sources=1, saddles=4)
    >>> gt.flow.Topology(sinks=2, sources=0, saddles=1).words
    '2 sinks, 1 saddle'
    """

    sinks: int
    sources: int
    saddles: int

    @property
    def words(self) -> str:
        """In words: "2 sinks, 1 saddle"."""
        return ", ".join(f"{n} {name if n != 1 else name[:-1]}" for name, n in zip(self._fields, self) if n)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready, as of every result."""
        return dict_of(self)


@result("flow.FlowFixedPoint")
@dataclass(frozen=True)
class FlowFixedPoint:
    """One fixed point of a flow, proved to exist in a box and to be the only one in a larger box.

    Attributes
    ----------
    state : (dim,) array, middle of the enclosure
    lower, upper : (dim,) arrays, the enclosure
    unique : (n, 2) array
        Box of the unknowns of the gate-free residual (GRU: h) in which there is no other fixed point.
    kind : "sink", "source", "saddle" or "undecided"
        By the number of unstable directions of the flow, proved in the arithmetic of the search; undecided on a bifurcation.
    n_unstable : int, -1 where undecided
    index : int
        Sign of det(-J), +1 or -1 (0 where it is not proved), which no update gate can change.
    rotation : "real", "complex" or "undecided"
        Eigenvalues all real (a node) or with a complex pair (a focus); for dim > 3, where it is not proved, from ``eigenvalues``.
    eigenvalues : (dim,) complex array, of the flow's Jacobian at ``state``, in floating point

    See Also
    --------
    gating_theory.flow.Flow.fixed_points : Makes them.

    Examples
    --------
    >>> import gating_theory as gt
    >>> point = gt.GRUFlow(U_h=3).fixed_points()[-1]
    >>> point.kind, point.state.round(4)
    ('sink', array([0.8586]))
    >>> bool(point.upper[0] - point.lower[0] < 1e-12)
    True
    """

    state: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    unique: np.ndarray
    kind: str
    n_unstable: int
    index: int
    rotation: str
    eigenvalues: np.ndarray

    as_dict = dict_of

    def check(self) -> None:
        """ValueError where the state lies outside its enclosure."""
        inside = (self.lower <= self.state).all() and (self.state <= self.upper).all()
        require(inside, f"the state {self.state.tolist()} lies outside its enclosure")

    @property
    def label(self) -> str:
        """Kind and rotation in words: "sink (focus)", "saddle"; a saddle says "(focus)" where a pair rotates."""
        name = {"real": "node", "complex": "focus", "undecided": "node or focus"}[self.rotation]
        if self.kind == "saddle" and self.rotation == "real":
            return "saddle"
        return f"{self.kind} ({name})"

    def __str__(self) -> str:
        where = ", ".join(f"{v:.10g}" for v in self.state)
        radius = float(np.max(self.upper - self.lower)) / 2
        return f"{self.label} at ({where}) +- {radius:.1e}, index {self.index:+d}"


@result("flow.FlowFixedPoints")
@dataclass(frozen=True)
class FlowFixedPoints:
    """All fixed points of a flow: a sequence of :class:`FlowFixedPoint`, ordered by their states.

    Attributes
    ----------
    points : tuple of FlowFixedPoint
    undecided : (Q, n, 2) array
        Boxes of the unknowns about which nothing could be proved, such as those around a fixed point at a bifurcation.
        Every fixed point is one of ``points`` or lies in one of these; empty for a complete list.
    index_sum : int
        Sum of the indices; 1 for a complete list.
    grade : "validated" or "certified"
    backend : "floats", "arb" or "iv", what the proofs were calculated with
    n_boxes : int, how many boxes the search looked at
    complete : bool
        The list is proved complete: nothing undecided, no budget exhausted, index sum 1.
    status : Status
        "complete"; else the first that holds of "contradiction" (an index does not fit its kind: a fault of the program), "stopped"
        (the budget of boxes ran out), "undecided" (boxes, kinds or indices). ok where the list is proved complete.

    See Also
    --------
    gating_theory.flow.Flow.fixed_points : Makes them.

    Examples
    --------
    >>> import gating_theory as gt
    >>> found = gt.GRUFlow(U_h=[[3, 0], [0, 3]]).fixed_points()
    >>> found.complete, found.topology.words
    (True, '4 sinks, 1 source, 4 saddles')
    >>> found[0].kind
    'sink'
    """

    points: tuple[FlowFixedPoint, ...]
    undecided: np.ndarray
    index_sum: int
    grade: str
    backend: str
    n_boxes: int
    complete: bool
    status: Status

    as_dict = dict_of

    def check(self) -> None:
        """ValueError where the indices do not add up."""
        require(self.index_sum == sum(p.index for p in self.points), "index_sum is not the sum of the indices")

    @property
    def ok(self) -> bool:
        """Whether the list is proved complete."""
        return self.status.ok

    def __len__(self) -> int:
        return len(self.points)

    def __iter__(self) -> Iterator[FlowFixedPoint]:
        return iter(self.points)

    def __getitem__(self, i: int) -> FlowFixedPoint:
        return self.points[i]

    @property
    def states(self) -> np.ndarray:
        """(n_points, dim) array of the states."""
        return np.array([p.state for p in self.points])

    @property
    def topology(self) -> Topology:
        """Topology(sinks, sources, saddles); points of undecided kind count in none of them."""
        kinds = [p.kind for p in self.points]
        return Topology(kinds.count("sink"), kinds.count("source"), kinds.count("saddle"))

    def __str__(self) -> str:
        lines = [str(self.status), *(f"  {p}" for p in self.points)]
        for box in self.undecided:
            lines.append("  undecided: " + " x ".join(f"[{low:.10g}, {high:.10g}]" for low, high in box))
        return "\n".join(lines)


@underflow_is_zero
def find_all(flow: Any, grade: str, max_boxes: int | None, min_width: float) -> FlowFixedPoints:
    """All fixed points of a Flow: what ``Flow.fixed_points`` does.

    Parameters, errors: as for ``Flow.fixed_points`` (grade, max_boxes, min_width), of this ``flow``.
    """
    choice("grade", grade, ("validated", "certified"))
    budget = _BUDGET[grade] if max_boxes is None else integer("max_boxes", max_boxes, low=1)
    narrow = real("min_width", min_width, low=1e-13, high=1e-2)
    backend, (roots, unique, undecided, n_boxes, finished) = _searched(flow, grade, narrow, budget)
    points = [_point(flow, root, box, backend) for root, box in zip(roots, unique)]
    # rounded, so that symmetric points come in one order whatever the arithmetic leaves of a zero
    points.sort(key=lambda p: tuple(np.round(p.state, 9) + 0.0))
    index_sum = sum(p.index for p in points)
    backend = "floats" if grade == "validated" else backend
    status = _status(points, len(undecided), index_sum, int(n_boxes), bool(finished), f"{grade} ({backend})")
    return FlowFixedPoints(tuple(points), undecided, index_sum, grade, backend, int(n_boxes), status.ok, status)


def _searched(flow, grade, narrow, budget):
    """(backend, what branch_and_prune gives). The first searches are short enough to be interpreted, which gives the same."""

    def search(backend, most_boxes):
        return backend, branch_and_prune(flow.cell, flow.n_units, flow.flat, backend, narrow, most_boxes)

    if grade == "certified":
        return search(certified_backend(), budget)
    enclosure = map_enclosure(flow.cell, flow.n_units)
    few = min(budget, enclosure.left_to_interpret)
    if few > 0:
        backend, found = search("interpreted", few)
        *_, n_boxes, finished = found
        enclosure.left_to_interpret -= n_boxes
        if finished or few == budget:
            return backend, found
    return search("validated", budget)


def _status(points, n_undecided, index_sum, n_boxes, finished, how):
    n_roots = len(points)
    words = [f"{n_roots} fixed point{'' if n_roots == 1 else 's'}"]
    if not finished:
        words.append(f"the search stopped after {n_boxes} boxes")
    if n_undecided:
        words.append(f"{n_undecided} undecided box{'' if n_undecided == 1 else 'es'}")
    untyped = sum(p.kind == "undecided" for p in points)
    if untyped:
        words.append(f"{untyped} of undecided kind")
    contradiction = any(p.n_unstable >= 0 and p.index != (-1) ** p.n_unstable for p in points)
    if contradiction:
        words.append("an index contradicts its kind: please report this flow")
    complete = finished and not contradiction and n_undecided == 0 and index_sum == 1
    words.append("complete" if complete else f"not proved complete, index sum {index_sum}")
    code = "complete" if complete else "contradiction" if contradiction else "undecided" if finished else "stopped"
    return Status(code, f"{how}: " + ", ".join(words), complete)


def _polished(flow, state, box):
    """The middle of an enclosure, or where that is wide, as next to a steep gate, what Newton's method makes of it inside."""
    if not flow.cell.has_closed_form:
        return state
    error = float(np.abs(flow.residual(state)).max())
    for _ in range(_NEWTON_STEPS):
        if error <= _POLISHED:
            break
        try:  # the vector field is the residual times what the gates let through: its zeros are the same
            trial = state - np.linalg.solve(flow.jacobian(state), flow(state))
        except np.linalg.LinAlgError:
            break
        left = float(np.abs(flow.residual(trial)).max()) if np.isfinite(trial).all() else np.inf
        if not (left < error and (box[:, 0] <= trial).all() and (trial <= box[:, 1]).all()):
            break
        state, error = trial, left
    return state


def _point(flow, root, unique, backend):
    n_unstable, rotation, index, box = classify(flow.cell, flow.n_units, flow.flat, root, backend)
    # the unknowns themselves are known better than their image
    places = map_enclosure(flow.cell, flow.n_units).places
    box[places, 0], box[places, 1] = np.maximum(box[places, 0], root[:, 0]), np.minimum(box[places, 1], root[:, 1])
    state = _polished(flow, box.mean(axis=1), box)
    eigenvalues = np.linalg.eigvals(flow.jacobian(state)).astype(complex)
    kind = {UNDECIDED: "undecided", 0: "sink", flow.dim: "source"}.get(n_unstable, "saddle")
    if flow.dim > 3:
        rotation = "complex" if (np.abs(eigenvalues.imag) > 1e-9 * np.abs(eigenvalues)).any() else "real"
    return FlowFixedPoint(state, box[:, 0].copy(), box[:, 1].copy(), unique, kind, n_unstable, index, rotation, eigenvalues)
