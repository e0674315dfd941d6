"""Flow and Euler map beside each other: the same fixed points, not the same stability, and not the same oscillations [JSP]."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ...results.encoding import dict_of, result
from ...results.status import Status
from ...support.checks import instance, real
from ...support.types import Progress as Wanted
from ..flow import Flow
from ..limits import LONGEST_STEP
from .attractors import Attractors, attractors
from .map_orbits import MapAttractors, map_attractors

if TYPE_CHECKING:
    from ..proof.fixed_points import FlowFixedPoints

__all__ = ["FlowAndMap", "flow_and_map"]


@result("flow.FlowAndMap")
@dataclass(frozen=True)
class FlowAndMap:
    """Fixed points and attractors of a flow and of its Euler map.

    Attributes
    ----------
    flow : Flow
    step : float, of the Euler map
    points : FlowFixedPoints
        The fixed points of both.
    multipliers : (n, dim) complex array
        1 + step lambda at each fixed point.
    flow_stable, map_stable : (n,) arrays of bool
    flow_attractors : Attractors
    map_attractors : MapAttractors
    status : Status
        "same", or "different" where a fixed point is stable in one of the two only; ok always.

    See Also
    --------
    gating_theory.flow.flow_and_map : Makes one.

    Examples
    --------
    >>> import gating_theory as gt
    >>> flow = gt.GRUFlow(U_h=[[1.5, -2.598], [2.598, 1.5]])
    >>> result = gt.flow.flow_and_map(flow, starts=4)
    >>> abs(result.multipliers).round(3)
    array([[1.09, 1.09]])
    >>> result.map_attractors.attractors[0].kind
    'circle'
    """

    flow: Flow
    step: float
    points: FlowFixedPoints
    multipliers: np.ndarray
    flow_stable: np.ndarray
    map_stable: np.ndarray
    flow_attractors: Attractors = field(repr=False)
    map_attractors: MapAttractors = field(repr=False)
    status: Status

    as_dict = dict_of

    @property
    def ok(self) -> bool:
        """True: the comparison was made; whether the two agree is what ``disagree`` says."""
        return self.status.ok

    @property
    def disagree(self) -> np.ndarray:
        """(n,) array of bool: fixed points stable in one and not in the other."""
        return self.flow_stable != self.map_stable

    def __str__(self) -> str:
        lines = [str(self.status), "fixed points, in the flow and in the map:"]
        for p, m, stable in zip(self.points, self.multipliers, self.map_stable):
            where = ", ".join(f"{x:.6g}" for x in np.round(p.state, 12) + 0.0)
            top = m[np.argmax(np.abs(m))]
            text = f"{top.real:.6g}" if abs(top.imag) < 1e-14 else f"{top.real:.6g}+-{abs(top.imag):.6g}i"
            verdict = "stable" if stable else "unstable"
            mark = "   <- not the same" if stable != (p.kind == "sink") else ""
            lines.append(f"  ({where})  {p.label:<16}  {verdict} (multiplier {text}, modulus {abs(top):.6g}){mark}")
        lines += ["attractors of the flow:"] + [f"  {line}" for line in str(self.flow_attractors).splitlines()]
        lines += ["attractors of the map:"] + [f"  {line}" for line in str(self.map_attractors).splitlines()]
        return "\n".join(lines)


def flow_and_map(
    flow: Flow,
    step: float = 1.0,
    *,
    starts: npt.ArrayLike | None = None,
    t_max: float | None = None,
    max_steps: int = 4_000_000,
    progress: Wanted = None,
) -> FlowAndMap:
    """Compare a flow with its Euler map: stability of every fixed point, attractors, periods against steps per turn.

    The fixed points are the same. A multiplier is 1 + step lambda, so the map loses every focus before the flow does, and a real
    eigenvalue below -2/step makes it flip; what a trained discrete network does is what the map does.

    Parameters
    ----------
    flow : Flow
    step : float > 0
        1 is the discrete network.
    starts : as for :func:`attractors`
    t_max : float > 0, optional
        As for :func:`attractors`.
    max_steps, progress : as for :func:`map_attractors`

    Returns
    -------
    FlowAndMap

    Raises
    ------
    TypeError, ValueError
        arguments that are not allowed
    CapabilityError
        the flow's fixed points cannot be searched (more than 3 units)

    See Also
    --------
    gating_theory.flow.attractors : Of the flow.
    gating_theory.flow.map_attractors : Of the map.

    Examples
    --------
    >>> import gating_theory as gt
    >>> flow = gt.GRUFlow(U_h=[[1.5, -2.598], [2.598, 1.5]])
    >>> result = gt.flow.flow_and_map(flow, starts=4)
    >>> result.flow_stable, result.map_stable
    (array([ True]), array([False]))
    """
    instance("flow", flow, Flow)
    step = real("step", step, low=0.0, high=LONGEST_STEP, open_low=True)
    points = flow.fixed_points()
    multipliers = np.array([1.0 + step * p.eigenvalues for p in points]).reshape(-1, flow.dim)
    flow_stable = np.array([p.kind == "sink" for p in points], dtype=bool)
    # where a gate is shut the multiplier of a sink is 1 to rounding: then the sign of the flow's own eigenvalue decides
    close = np.abs(np.abs(multipliers) - 1.0).min(axis=1) < 1e-12 if len(multipliers) else np.zeros(0, dtype=bool)
    map_stable = np.where(close, flow_stable, (np.abs(multipliers) < 1.0).all(axis=1))
    of_flow = attractors(flow, starts, t_max=t_max)
    of_map = map_attractors(flow, starts, step=step, max_steps=max_steps, progress=progress)
    differ = int((flow_stable != map_stable).sum())
    text = (
        f"{len(points)} fixed point{'s' * (len(points) != 1)}, {differ} of them stable in one of flow and map (step {step:g}) only"
    )
    status = Status("different" if differ else "same", text)
    return FlowAndMap(flow, step, points, multipliers, flow_stable, map_stable, of_flow, of_map, status)
