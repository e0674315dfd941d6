"""Stable and unstable manifolds of the saddles of a flow in the plane, as curves."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...errors import CapabilityError
from ...support.checks import instance, integer, real
from ..flow import Flow, box_limits
from ..limits import LONGEST
from ..proof.fixed_points import FlowFixedPoints
from .paths import paths

__all__ = ["separatrices"]

#: Distance from a saddle at which its manifolds begin; the time that they are followed beside what it takes to leave the saddle,
#: which is this long at most.
_BESIDE, _TIME, _LEAVING = 1e-4, 200.0, 100_000.0

#: How far beyond the default box they are followed, and how often the longest side of it, where nothing is said.
_BEYOND, _SIDES = 0.1, 10.0


def separatrices(
    flow: Flow,
    points: FlowFixedPoints | None = None,
    *,
    time: float | None = None,
    n: int = 400,
    length: float | None = None,
    box: npt.ArrayLike | None = None,
) -> dict[str, list[np.ndarray]]:
    """Stable and unstable manifolds of the saddles of a two-dimensional flow, as curves.

    Parameters
    ----------
    flow : Flow of two dimensions
    points : FlowFixedPoints, optional
        Default: ``flow.fixed_points()``.
    time : float from 0 to 1e6, optional
        How long each manifold is followed, forwards or backwards, in units of one step. Default: 200, and the time that it takes to
        leave the saddle and to come to what the manifold leads to, 18.4 over the modulus of the eigenvalue, at most 100,000.
    n : int >= 2
        Fineness: neighbouring points are at most about the longest side of the box over n apart, 1.6 times that
        where speed grows.
    length : float > 0, optional
        Arc after which a manifold ends, also one that winds onto a cycle. Default: ten times the longest side of the box.
    box : (low, high) or two such pairs, optional
        Manifolds end before they leave it. Default: ``flow.bounds`` and 10 % beyond on each side; a side without width, along a
        variable that nothing drives, has that of the other.

    Returns
    -------
    dict
        "stable" and "unstable" to lists of (m, 2) arrays, two curves a saddle, each from the saddle on. A manifold begins 1e-4
        beside it along an eigenvector; the steps have a relative tolerance of 1e-7. It ends where it comes to rest.

    Raises
    ------
    TypeError, ValueError, CapabilityError
        arguments that are not allowed, dim other than 2

    See Also
    --------
    gating_theory.flow.plot_portrait : Draws them.
    gating_theory.flow.basins : What lies between.

    Examples
    --------
    >>> import gating_theory as gt
    >>> curves = gt.flow.separatrices(gt.GRUFlow(U_h=[[3, 0], [0, 1]]), n=50)
    >>> [len(curves[kind]) for kind in ("stable", "unstable")]
    [2, 2]
    >>> [curve[-1].round(2).tolist() for curve in curves["unstable"]]
    [[0.86, 0.0], [-0.86, 0.0]]
    """
    instance("flow", flow, Flow)
    time = None if time is None else real("time", time, low=0.0, high=LONGEST)
    n = integer("n", n, low=2)
    if points is not None:
        instance("points", points, FlowFixedPoints)
    if flow.dim != 2:
        raise CapabilityError(f"separatrices are drawn for two-dimensional flows; this one has dim {flow.dim}")
    limits = box_limits(flow, box)
    side = float(np.diff(limits, axis=1).max())
    length = _SIDES * side if length is None else real("length", length, low=0.0, open_low=True)
    if box is None:
        limits += _BEYOND * np.diff(limits, axis=1) * [-1.0, 1.0]
    saddles = [p.state for p in (flow.fixed_points() if points is None else points) if p.kind == "saddle"]
    out: dict[str, list[np.ndarray]] = {}
    for name in ("stable", "unstable"):
        starts, times = _beginnings(flow, saddles, name, time)
        curves = paths(flow, starts, times, spacing=side / n, box=limits, backward=name == "stable", length=length)
        out[name] = [np.concatenate([saddle[None], curve]) for saddle, curve in zip(np.repeat(saddles, 2, axis=0), curves)]
    return out


def _beginnings(flow, saddles, name, time):
    """States on both sides of each saddle along its manifold, and how long each is followed."""
    starts, times = [], []
    for saddle in saddles:
        values, vectors = np.linalg.eig(flow.jacobian(saddle))
        chosen = int(np.argmin(values.real) if name == "stable" else np.argmax(values.real))
        step = _BESIDE * vectors[:, chosen].real
        starts += [saddle + step, saddle - step]
        rate = max(abs(float(values[chosen].real)), 1e-9)
        times += [_TIME + min(2.0 * np.log(1.0 / _BESIDE) / rate, _LEAVING) if time is None else time] * 2
    return np.array(starts).reshape(-1, 2), np.array(times)
