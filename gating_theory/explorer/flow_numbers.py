"""What the page of a two-unit GRU shows, from its view: the portrait at once; separatrices and cycles when there is time [JSP]."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..flow import cycles as all_cycles
from ..flow.flow import Flow
from ..flow.orbits.trajectories import advance
from ..flow.proof.fixed_points import FlowFixedPoints
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

#: Time for which a trajectory is followed, in so many stretches of so many pieces; a piece has a point for each arc of this length,
#: so many at most; and a curve is this long at most (the square has sides of 2).
_TIME, _STRETCHES, _PIECES, _ARC, _MOST_PARTS, _LONG = 200.0, 25, 8, 0.02, 200, 20.0

#: Largest component of a state: what runs backwards out of the square is not followed. Speed of a trajectory that has come to rest.
_EDGE, _AT_REST = 1.1, 1e-7

#: Distance from a saddle at which its manifolds begin, and the longest time it may take to leave it.
_BESIDE, _LEAVING = 1e-4, 20_000.0

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
    """Stable and unstable manifolds of a view's saddles; tens of milliseconds.

    As ``flow.separatrices``, all at once and in compiled code.

    Parameters
    ----------
    view : FlowView
    """
    flow = view.flow()
    return _separatrices(flow, flow.fixed_points())


def _separatrices(flow: Flow, points: FlowFixedPoints) -> Separatrices:
    saddles = np.array([p.state for p in points if p.kind == "saddle"]).reshape(-1, 2)
    found = []
    for backward in (True, False):
        beside, longer = [], []
        for saddle in saddles:
            values, vectors = np.linalg.eig(flow.jacobian(saddle))
            chosen = int(np.argmin(values.real) if backward else np.argmax(values.real))
            step = _BESIDE * vectors[:, chosen].real
            beside += [saddle + step, saddle - step]
            rate = max(abs(float(values[chosen].real)), 1e-9)
            longer += [min(2.0 * np.log(1.0 / _BESIDE) / rate, _LEAVING)] * 2  # and come to what they lead to
        curves = traced(flow, np.array(beside).reshape(-1, 2), backward=backward, longer=np.array(longer))
        found.append(tuple(np.concatenate([saddle[None], c]) for saddle, c in zip(np.repeat(saddles, 2, axis=0), curves)))
    return Separatrices(*found)


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


def traced(flow: Flow, starts: np.ndarray, *, backward: bool = False, longer: np.ndarray | None = None) -> tuple[np.ndarray, ...]:
    """Trajectories from many starts as curves, for 200 units of time: until they rest, leave the square, or are long enough.

    Parameters
    ----------
    flow : Flow of two dimensions
    starts : (n, 2) array
    backward : bool
        Follow them backwards.
    longer : (n,) array, optional
        More time for each.

    Returns
    -------
    tuple of n arrays (m, 2), from the start on; within 1e-3 of the trajectory
    """
    if len(starts) == 0:
        return ()
    times = _TIME + (np.zeros(len(starts)) if longer is None else longer)
    sign = -1.0 if backward else 1.0
    # one stretch after the other, all starts at once; then what lies within all stretches at once
    stretches = [starts]
    for _ in range(_STRETCHES - 1):
        stretches.append(_moved(flow, stretches[-1], sign * times / _STRETCHES))
    begin = np.stack(stretches, axis=1)
    dt = times / (_STRETCHES * _PIECES)
    within = _moved(flow, np.repeat(begin, _PIECES, axis=1), sign * dt[:, None] * np.tile(np.arange(_PIECES), _STRETCHES))
    return tuple(_curve(flow, states, sign * step) for states, step in zip(within, dt))


def _moved(flow, states, times):
    """States (..., 2) after times (...); nan beyond the square."""
    flat = advance(flow, states.reshape(-1, 2), times.ravel(), bound=_EDGE)
    return flat.reshape(states.shape)


def _curve(flow, states, dt):
    """The curve through states at equal times ``dt``, with more points where it moves."""
    states = states[: _length(np.isfinite(states).all(axis=1))]
    speed = np.linalg.norm(flow(states), axis=1)
    # slow as it is beside a saddle behind shut gates, it has not come to rest
    states = states[: _length(speed > min(_AT_REST, 0.1 * speed[0])) + 1]
    parts = np.clip(np.ceil(speed[: len(states)] * abs(dt) / _ARC), 1, _MOST_PARTS).astype(int)
    # a path is long enough when it has been around a few times
    chosen = np.cumsum(parts) * _ARC < _LONG
    chosen[0] = True
    states, parts = states[chosen], parts[chosen]
    share = np.concatenate([np.arange(n) / n for n in parts])
    found = _moved(flow, np.repeat(states, parts, axis=0), share * dt)
    return thinned(found[: _length(np.isfinite(found).all(axis=1))])


def _length(good):
    """How many are good before the first that is not."""
    return int(good.argmin()) if not good.all() else len(good)


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
