"""The numbers of a view, in pieces: what follows a slider at once, and what comes once it rests.

Tasks are generators, for ``background.py``. The kinds of pieces are classes; a part that cannot be computed is a ``Missing`` with
the reason in words, and what does not depend on it comes all the same. What is asked for twice is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..ensemble.ensemble import Ensemble
from ..errors import CapabilityError, ConvergenceError
from ..gradients.growth import GradientGrowth, gradient_growth
from ..gradients.kept_sites import quick_growth
from ..lines.critical_line import critical_line
from ..lines.line import CriticalLine
from ..mean_field.fixed_point import FixedPoint
from ..mean_field.fixed_points import fixed_points
from ..networks.network import Network
from ..results.status import Status
from ..spectrum.spectrum import Spectrum
from .background import stay_wanted
from .view import GROWTH_TOL, View

__all__ = [
    "Boundary",
    "Cloud",
    "Density",
    "Growth",
    "Line",
    "Missing",
    "Piece",
    "State",
    "Timescales",
    "at_once",
    "density",
    "line",
    "network",
    "timescales",
]

#: Points of a boundary; timescales of a survival curve, from one step to so many.
_BOUNDARY, _TAUS = 160, np.geomspace(1.0, 1000.0, 13)
#: A survival curve that follows a slider: tolerance of its sites, how many at most, tolerance of their masses (NUMERICS.md).
_ROUGH_SITES, _MOST_SITES, _ROUGH = 1e-3, 1500, 1e-2
#: Where all points of the boundary at an angle above the first are nearer to 0 than the abscissa, by the second times its square
#: or by the third, as parts, the radius is the abscissa.
_OFF_AXIS, _FALLS, _NEARER = 0.01, 0.05, 2e-3
#: Steps up to which growth follows a slider.
_QUICK_STEPS = 200
#: Pixels of a map of the density along each side.
_PIXELS = 120
#: Tolerance of lines in a plane, rows and columns where they are sought, and points of a line of chaos.
_LINE, _SEARCH, _POINTS = 1e-3, 9, 6
#: Points drawn of a curve.
_DRAWN = 200
#: Why something cannot be computed, in words.
_REASONS = (CapabilityError, ConvergenceError, ValueError)


@dataclass(frozen=True)
class Missing:
    """A part that cannot be computed: ``part`` names the class or the line, ``text`` is the reason."""

    part: str
    text: str


@dataclass(frozen=True)
class State:
    """The chosen solution among all.

    Attributes
    ----------
    solutions : tuple of str, a line for each, the smallest moments first
    chosen : int
    is_zero : bool
    moments : {message: second moment}
    status : str
    radius, abscissa : float, of the spectrum there
    """

    solutions: tuple[str, ...]
    chosen: int
    is_zero: bool
    moments: dict[str, float]
    status: str
    radius: float
    abscissa: float


@dataclass(frozen=True)
class Boundary:
    """Closed curves in the complex plane."""

    curves: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Timescales:
    """The fraction of modes slower than tau.

    Attributes
    ----------
    tau, fraction : arrays
    slow : float, the fraction at the view's tau
    exact : bool, whether it is good to 1e-4; else it comes from few sites, and is good to .01
    """

    tau: np.ndarray
    fraction: np.ndarray
    slow: float
    exact: bool


@dataclass(frozen=True)
class Growth:
    """``log10`` (T + 1,) of the mean square of gradients, and the ``rate`` by which it grows per step in the end."""

    log10: np.ndarray
    rate: float


@dataclass(frozen=True)
class Density:
    """Of eigenvalues per unit area, ``value[j, i]`` at x[i] + i y[j]."""

    x: np.ndarray
    y: np.ndarray
    value: np.ndarray


@dataclass(frozen=True)
class Cloud:
    """Eigenvalues of one sampled network, its radius, and the fraction of them slower than the view's tau."""

    eigenvalues: np.ndarray
    radius: float
    slow: float


@dataclass(frozen=True)
class Line:
    """A line of a phase diagram: its curves (n, 2), special points (kind, x, y), and how the search ended."""

    name: str
    curves: tuple[np.ndarray, ...]
    points: tuple[tuple[str, float, float], ...]
    status: str


Piece = State | Boundary | Timescales | Growth | Density | Cloud | Line | Missing


# --- what follows a slider


def at_once(view: View) -> Iterator[Piece]:
    """State, boundary, growth of gradients and a rough survival curve, in this order."""
    try:
        number, spectrum = _solution(view)
        boundary = _tried("Boundary", lambda: Boundary(tuple(spectrum.boundary(_BOUNDARY))))
        radius = _radius(spectrum, boundary)
        yield _state(view, number, spectrum.abscissa(), radius)
    except _REASONS as error:
        yield Missing("State", str(error))
        return
    yield boundary
    if view.steps <= _QUICK_STEPS:
        yield _tried("Growth", lambda: _growth(spectrum, view.steps, radius))
    yield _tried("Timescales", lambda: _rough(view, spectrum))


def _tried(name, part):
    try:
        return part()
    except _REASONS as error:
        return Missing(name, str(error))


def _solution(view):
    """The number of the view's solution, and its spectrum."""
    number = _chosen(_points(view.ensemble), view.solution)
    return number, _spectrum(view.ensemble, number)


def _state(view, number, abscissa, radius):
    points = _points(view.ensemble)
    point = points[number]
    names = tuple(_words(point) for point in points)
    return State(names, number, point.is_zero, dict(point.moments), str(point.status), radius, abscissa)


def _radius(spectrum, boundary):
    """The spectral radius. To find it on rays takes long next to leaks, and is not needed where it is the abscissa."""
    curves = boundary.curves if isinstance(boundary, Boundary) else ()
    points = np.concatenate([*curves, np.zeros(0)])
    angle, abscissa = np.abs(np.angle(points)), spectrum.abscissa()
    allowed = abscissa * (1.0 - np.minimum(_FALLS * angle**2, _NEARER))
    falls = points.size and (np.abs(points) < allowed)[angle > _OFF_AXIS].all()
    return abscissa if falls else spectrum.radius()


def _chosen(points, solution):
    """The number of the solution that a view asks for."""
    if solution == "active":
        return len(points) - 1
    if solution == "zero":
        found = [number for number, point in enumerate(points) if point.is_zero]
        if not found:
            raise CapabilityError("there is no zero state: biases, or spreads of biases or inputs, do not let every message vanish")
        return found[0]
    if int(solution) >= len(points):
        raise CapabilityError(f"there is no solution number {solution}: there are {len(points)}, from 0 on")
    return int(solution)


def _words(point):
    if point.is_zero:
        return "zero state"
    return ", ".join(f"E {name}^2 = {value:.4g}" for name, value in point.moments.items())


@lru_cache(maxsize=64)
def _points(ensemble: Ensemble) -> list[FixedPoint]:
    return fixed_points(ensemble)


@lru_cache(maxsize=64)
def _spectrum(ensemble: Ensemble, number: int) -> Spectrum:
    return Spectrum(_points(ensemble)[number])


def _growth(spectrum, steps, radius):
    logs = quick_growth(spectrum, steps, "tied")
    names, rate = spectrum.cell.state_names, radius**2
    made = GradientGrowth(steps, "tied", names, names, logs / np.log(10.0), rate, 0.0, Status("quick"))
    return Growth(made.log10, rate)


def _rough(view, spectrum):
    """A survival curve from few sites."""
    point = spectrum.fixed_point
    sites = point.sites_at(_ROUGH_SITES, _MOST_SITES, fold=True)
    few = Spectrum.from_sites(spectrum.cell, sites, spectrum.gain, matrices=spectrum.matrices)
    found = np.asarray(few.slow_fraction(np.append(_TAUS, view.tau), _ROUGH))
    return Timescales(_TAUS, np.clip(found[:-1], 0.0, 1.0), float(found[-1]), bool(point.is_zero))


# --- what comes once sliders rest


def timescales(view: View) -> Iterator[Piece]:
    """The slow fraction at the view's tau, and then the whole survival curve, both good to 1e-4; growth, whose error is bounded."""
    _, spectrum = _solution(view)
    slow = spectrum.slow_fraction(view.tau)
    yield Timescales(np.zeros(0), np.zeros(0), float(slow), True)
    yield Timescales(_TAUS, np.asarray(spectrum.slow_fraction(_TAUS)), float(slow), True)
    yield _tried("Growth", lambda: _sure_growth(spectrum, view.steps))


def _sure_growth(spectrum, steps):
    grown = gradient_growth(spectrum, steps, tol=GROWTH_TOL)
    return Growth(grown.log10, grown.rate)


def density(view: View) -> Iterator[Piece]:
    """The density of eigenvalues, 0 in pixels of the real axis outside of the support, where averages are rounding."""
    _, spectrum = _solution(view)
    x, y, value = spectrum.density_map(_PIXELS)
    half = 0.5 * (x[1] - x[0])
    outside = (np.array([spectrum.edge_function(place + 0j) for place in (x - half, x, x + half)]) < 1.0).all(axis=0)
    value[np.ix_(np.abs(y) < 0.75 * (y[1] - y[0]), outside)] = 0.0
    yield Density(x, y, value)


def network(view: View) -> Iterator[Piece]:
    """Eigenvalues of a network that has the view's solution."""
    number, _ = _solution(view)
    net, place = Network.planted(_points(view.ensemble)[number], view.n_units, view.seed)
    eigenvalues = net.eigenvalues(place)
    slow = float(np.mean(np.abs(eigenvalues) >= np.exp(-1.0 / view.tau)))
    yield Cloud(eigenvalues, float(np.abs(eigenvalues).max()), slow)


def line(view: View, name: str) -> Iterator[Piece]:
    """A line of the phase diagram."""
    yield _tried(name, lambda: _line(view.plane_ensemble, (view.x, view.y), view.bounds, name))


@lru_cache(maxsize=64)
def _line(ensemble, paths, bounds, name):
    options = {"n_points": _POINTS} if name == "chaos_line" else {}
    found = critical_line(
        ensemble, paths, name, bounds=bounds, tol=_LINE, search=_SEARCH, progress=lambda done, total: stay_wanted(), **options
    )
    return _drawn(name, found)


def _drawn(name: str, found: CriticalLine) -> Line:
    points = tuple((point.kind, float(point.x), float(point.y)) for point in found.points)
    return Line(name, tuple(found.curve(_DRAWN)), points, str(found.status))
