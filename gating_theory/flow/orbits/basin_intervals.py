"""Basins of attraction of a flow on a line: intervals between its sources, exact but for the width of their enclosures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import CapabilityError, ConvergenceError
from ...results.encoding import dict_of, require, require_shapes, result
from ...support.checks import instance
from ..flow import Flow
from ..proof.fixed_points import FlowFixedPoints

__all__ = ["BasinIntervals", "basin_intervals"]


@result("flow.BasinIntervals")
@dataclass(frozen=True)
class BasinIntervals:
    """The basins of a flow of one dimension, from left to right.

    Attributes
    ----------
    flow : Flow
    sinks : (n,) array, their states
    edges : (n + 1,) array
        Basin i is the open interval from ``edges[i]`` to ``edges[i + 1]``: sources, -inf and inf at the ends.
    error : float
        Largest width of the enclosure of a source.

    See Also
    --------
    gating_theory.flow.basin_intervals : Makes one.

    Examples
    --------
    >>> import gating_theory as gt
    >>> basins = gt.flow.basin_intervals(gt.GRUFlow(U_h=3))
    >>> len(basins.sinks), round(float(abs(basins.edges[1])), 9)
    (2, 0.0)
    """

    flow: Flow
    sinks: np.ndarray
    edges: np.ndarray
    error: float

    as_dict = dict_of

    def __len__(self) -> int:
        return len(self.sinks)

    def check(self) -> None:
        """ValueError where sinks and sources do not alternate."""
        require_shapes(self, {"edges": (len(self.sinks) + 1,)})
        ordered = (self.edges[:-1] < self.sinks).all() and (self.sinks < self.edges[1:]).all()
        require(ordered and len(self.sinks) > 0, "sinks and edges do not alternate")

    def __str__(self) -> str:
        lines = [f"{len(self)} basin{'s' if len(self) > 1 else ''} on a line (edges to {self.error:.0e})"]
        lines += [f"  ({a:.10g}, {b:.10g}) goes to {s:.10g}" for a, b, s in zip(self.edges, self.edges[1:], self.sinks)]
        return "\n".join(lines)


def basin_intervals(flow: Flow, points: FlowFixedPoints | None = None) -> BasinIntervals:
    """The basins of attraction of a flow of one dimension, from all of its fixed points: nothing is integrated.

    Parameters
    ----------
    flow : Flow of one dimension
    points : FlowFixedPoints, optional
        Default: ``flow.fixed_points()``.

    Returns
    -------
    BasinIntervals

    Raises
    ------
    TypeError, CapabilityError
        dim other than 1, and where ``Flow.fixed_points`` raises it
    ConvergenceError
        not all fixed points are found and typed: at a bifurcation

    See Also
    --------
    gating_theory.flow.basins : In two dimensions.

    Examples
    --------
    >>> import gating_theory as gt
    >>> basins = gt.flow.basin_intervals(gt.GRUFlow(U_h=3, b_h=0.2))
    >>> basins.sinks.round(4), basins.edges.round(4)
    (array([-0.6487,  0.9182]), array([   -inf, -0.4959,     inf]))
    """
    instance("flow", flow, Flow)
    if flow.dim != 1:
        raise CapabilityError(f"basins are intervals of flows of one dimension; this one has dim {flow.dim}: use flow.basins")
    if points is not None:
        instance("points", points, FlowFixedPoints)
    points = flow.fixed_points() if points is None else points
    if not points.complete or any(p.kind not in ("sink", "source") for p in points):
        raise ConvergenceError(f"the fixed points are not all found and typed: {points.status}", points)
    ordered = sorted(points, key=lambda p: p.state[0])
    if [p.kind for p in ordered] != ["sink", "source"] * (len(ordered) // 2) + ["sink"]:
        raise ConvergenceError("sinks and sources do not alternate: trajectories leave all bounds", points)
    sources = [p for p in ordered if p.kind == "source"]
    edges = np.array([-np.inf, *(p.state[0] for p in sources), np.inf])
    width = max((float(p.upper[0] - p.lower[0]) for p in sources), default=0.0)
    return BasinIntervals(flow, np.array([p.state[0] for p in ordered if p.kind == "sink"]), edges, width)
