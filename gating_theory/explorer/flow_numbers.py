"""What the page of a two-unit GRU shows, from its view: the portrait at once; separatrices and cycles when there is time [JSP]."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..flow import cycles as all_cycles
from ..flow.flow import Flow
from ..flow.orbits.paths import paths
from ..flow.orbits.separatrices import separatrices
from .flow_view import FlowView

__all__ = [
    "CyclesFound",
    "FlowCycle",
    "Portrait",
    "Separatrices",
    "at_once",
    "at_rest",
    "cycles_of",
    "portrait",
    "separatrices_of",
    "thinned",
    "traced",
]

#: Grid of the nullclines; streamlets along each axis, the length of one and its steps.
_NULLCLINES, _STREAMLETS, _LENGTH, _STEPS = 120, 15, 0.11, 6

#: Time for which a trajectory is followed, the arc between its points, and its length at most; and the box: what runs backwards out
#: of the square of states is soon not followed.
_TIME, _ARC, _LONG, _BOX = 200.0, 0.015, 20.0, np.array([[-1.08, 1.08]] * 2)

#: Height of a point above the chord that replaces it, in each of so many passes, and the longest such chord.
_CHORD, _PASSES, _LONGEST_CHORD = 1e-4, 3, 0.2


@dataclass(frozen=True)
class Portrait:
    """What is there at once.

    Attributes
    ----------
    topology : str, numbers of sinks, sources and saddles in words
    complete : bool, whether all fixed points are proved to be among these
    status : str, how the search ended
    states : (n, 2) array, fixed points
    kinds, labels : tuples of str, of each: "sink", "sink (focus)"
    eigenvalues : (n, 2) complex array, of the flow's Jacobian there, per unit of time
    nullclines : two tuples of (m, 2) arrays
    streamlets : (k, m, 2) array, short pieces of trajectories
    trajectories : tuple of (m, 2) arrays, from the view's starts
    """

    topology: str
    complete: bool
    status: str
    states: np.ndarray
    kinds: tuple[str, ...]
    labels: tuple[str, ...]
    eigenvalues: np.ndarray
    nullclines: tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]
    streamlets: np.ndarray
    trajectories: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Separatrices:
    """Stable and unstable manifolds of the saddles, each a tuple of (m, 2) arrays that begin at a saddle."""

    stable: tuple[np.ndarray, ...]
    unstable: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class FlowCycle:
    """A limit cycle.

    Attributes
    ----------
    period : float, in units of one step of the network
    multiplier, exponent : float
        The Floquet multiplier, below 1 where the cycle is stable, and log of it per unit of time.
    states : (m, 2) array, a closed curve
    text : str, all of it in words
    """

    period: float
    multiplier: float
    exponent: float
    states: np.ndarray
    text: str

    @property
    def stable(self) -> bool:
        """Whether it attracts."""
        return self.exponent < 0.0


@dataclass(frozen=True)
class CyclesFound:
    """What the search for cycles found, the stable ones first."""

    cycles: tuple[FlowCycle, ...]


def portrait(view: FlowView) -> Portrait:
    """Fixed points, nullclines, streamlets and trajectories of a view; milliseconds.

    Parameters
    ----------
    view : FlowView

    Raises
    ------
    CapabilityError, ConvergenceError
        as ``Flow.fixed_points``
    """
    flow = view.flow()
    points = flow.fixed_points()
    first, second = (tuple(thinned(curve) for curve in curves) for curves in flow.nullclines(_NULLCLINES, (-1.0, 1.0)))
    starts = np.array(view.starts, dtype=float).reshape(-1, 2)
    return Portrait(
        topology=points.topology.words,
        complete=points.complete,
        status=str(points.status),
        states=points.states.reshape(-1, 2),
        kinds=tuple(p.kind for p in points),
        labels=tuple(p.label for p in points),
        eigenvalues=np.array([p.eigenvalues for p in points]).reshape(-1, 2),
        nullclines=(first, second),
        streamlets=_streamlets(flow),
        trajectories=traced(flow, starts),
    )


def separatrices_of(view: FlowView) -> Separatrices:
    """Stable and unstable manifolds of a view's saddles by ``flow.separatrices``; milliseconds to tenths of a second.

    Parameters
    ----------
    view : FlowView
    """
    side = float(np.diff(_BOX, axis=1).max())
    found = separatrices(view.flow(), n=round(side / _ARC), length=_LONG, box=_BOX)
    return Separatrices(*(tuple(map(thinned, found[name])) for name in ("stable", "unstable")))


def cycles_of(view: FlowView) -> CyclesFound:
    """The limit cycles that ``flow.cycles`` finds; tenths of a second to seconds.

    Parameters
    ----------
    view : FlowView

    Raises
    ------
    ConvergenceError
        as ``flow.cycles``
    """
    out = []
    for cycle in all_cycles(view.flow()):
        states = cycle.states(400)
        closed = np.concatenate([states, states[:1]])
        out.append(
            FlowCycle(cycle.period, float(cycle.multipliers[0].real), float(cycle.exponents[0]), thinned(closed), str(cycle))
        )
    return CyclesFound(tuple(out))


def at_once(view: FlowView) -> Iterator[Portrait]:
    """What follows a slider: the portrait.

    Parameters
    ----------
    view : FlowView
    """
    yield portrait(view)


def at_rest(view: FlowView) -> Iterator[Separatrices | CyclesFound]:
    """What comes when the sliders rest: separatrices, then cycles.

    Parameters
    ----------
    view : FlowView
    """
    yield separatrices_of(view)
    yield cycles_of(view)


def traced(flow: Flow, starts: np.ndarray) -> tuple[np.ndarray, ...]:
    """Trajectories from many starts as curves, for 200 units of time: until they rest or are long enough.

    Parameters
    ----------
    flow : Flow of two dimensions
    starts : (n, 2) array

    Returns
    -------
    tuple of n arrays (m, 2), from the start on; within 1e-3 of the trajectory
    """
    return tuple(map(thinned, paths(flow, starts, _TIME, spacing=_ARC, box=_BOX, length=_LONG)))


def thinned(curve: np.ndarray, height: float = _CHORD) -> np.ndarray:
    """A curve (m, 2) without points that lie on the chord of their neighbours.

    Parameters
    ----------
    curve : (m, 2) array
    height : float
        Of what goes above its chord, in each of six passes.
    """
    for first in (1, 2) * _PASSES:
        middle = np.arange(first, len(curve) - 1, 2)
        along, off = curve[middle + 1] - curve[middle - 1], curve[middle] - curve[middle - 1]
        length = np.linalg.norm(along, axis=1)
        above = np.abs(along[:, 0] * off[:, 1] - along[:, 1] * off[:, 0]) / np.maximum(length, 1e-300)
        # no long chords, and no points that turn back
        inside = (np.sum(along * off, axis=1) >= 0.0) & (np.sum(off**2, axis=1) <= length**2) & (length < _LONGEST_CHORD)
        curve = np.delete(curve, middle[(above < height) & inside], axis=0)
    return curve


def _streamlets(flow):
    """Short pieces of trajectories from a grid of places, of one length: (k, m, 2)."""
    axis = (np.arange(_STREAMLETS) + 0.5) * 2.0 / _STREAMLETS - 1.0
    states = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    out = [states]
    for _ in range(_STEPS):
        middle = states + 0.5 * _direction(flow, states)
        states = states + _direction(flow, middle)
        out.append(states)
    return np.stack(out, axis=1)


def _direction(flow, states):
    """A step along the flow; shorter where it nearly rests, so that none goes beyond a fixed point."""
    speed = flow(states)
    size = np.linalg.norm(speed, axis=1, keepdims=True)
    largest = size.max()
    return _LENGTH / _STEPS * speed / (size + 0.02 * largest) if largest > 0.0 else 0.0 * speed
