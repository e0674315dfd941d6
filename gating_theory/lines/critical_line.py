"""Lines of phase diagrams: where a quantity has a value in the plane of two paths [T5]."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..dynamics.chaos import chaos_onset
from ..dynamics.dynamic_mean_field.chaos_line import chaos_line as chaos_line_along
from ..dynamics.two_copies.echo_line import echo_line
from ..ensemble.ensemble import Ensemble
from ..errors import ConvergenceError, NoCriticalValue
from ..mean_field.moments import MomentMap
from ..results.status import Status
from ..running.progress import Progress, check_progress
from ..support.arithmetic import underflow_is_zero
from ..support.checks import choice, generator, instance, integer, real, reals
from ..support.types import Progress as Wanted
from ..support.types import Rng
from . import chaos_line, complexity_line
from .curves import followed, in_plane
from .grid_values import seen_on_grid
from .line import CriticalLine, LinePoint
from .line_starts import Side, line_starts, start_near
from .networks_beyond import no_law
from .plane import plane_of
from .rare_sites import AT_EDGE, half_share_on_line, looks_along
from .requested import requested

if TYPE_CHECKING:
    from ..ensemble.paths import AnyPath

__all__ = ["critical_line"]

#: Lines that are sought point by point.
_SOUGHT = ("chaos", "chaos_line", "echo")


@underflow_is_zero
def critical_line(
    ensemble: Ensemble,
    paths: tuple[AnyPath, AnyPath],
    quantity: str | Callable[[Any], float],
    value: float | None = None,
    solution: str | int = "active",
    *,
    bounds: Sequence[Sequence[float]],
    start: Sequence[float] | None = None,
    of: str = "spectrum",
    tol: float = 1e-6,
    search: int = 9,
    max_points: int = 2000,
    tau: float = 100.0,
    n_points: int = 12,
    n_units: int | None = None,
    n_steps: int = 200,
    n_networks: int = 3,
    rng: Rng = 0,
    progress: Wanted = None,
) -> CriticalLine:
    """Where a quantity has a value in the plane of two paths, as smooth curves [T5].

    The line is followed by its length through a space of both coordinates and the moment of the solution that it belongs to, so
    that it goes on where it turns back, at cusps, and where the solution itself turns back (then with the solution that merges with
    it there). Points lie as dense as cubic splines through them need to keep within ``tol`` of it, which is measured between all.

    Parameters
    ----------
    ensemble : Ensemble
        Holds the hyperparameters that are on neither path.
    paths : pair of paths
        Along x and y: "gain.h", "gain" (a kind for all fields), "gain.z=gain.r", a Direction, a callable.
    quantity : str or callable
        - "onset": the zero state loses stability. Special points: "tricritical"
        - "fold": two solutions are born or merge. Special points: "cusp"; it ends at "tricritical" ones
        - "complexity_onset": fixed points become exponentially many. The line is that of the onset where the transition is
          continuous (without a zero state: where the fixed point loses its stability), and where it is not, the zero of the
          saddle's rate; "tricritical" is where one becomes the other, "critical_end" where they cross, at a finite amplitude
        - "chaos": random networks turn chaotic, a line of few points with standard errors: networks are simulated, see
          ``chaos_onset``
        - "chaos_line": infinite networks turn chaotic, the same from theory, a line of few points, see ``chaos_line``
        - "echo": copies of infinite networks cease to agree under a common input, a line of few points, see ``echo_line``
        - a quantity of ``phase_diagram``, also one of your own: "abscissa", "slow_fraction", "mass:1,0.1", ...
          Gradients: "gradient:100" and "gradient:100,h" (of a loss on h), "gradient_untied:100", all of them log10 of the mean
          square; "gradient_rate", "mean_square", "square_std", "singular:largest", "singular:smallest"
        - a callable of what ``of`` names, which returns a number
    value : float
        Of the quantity on the line; none for "onset", "fold", "complexity_onset", "chaos", "chaos_line", "echo"; the third and
        fourth are also "complexity" and "lyapunov" at 0.
    solution : "active", "zero" or int
        Of which state the quantity is: that with the largest moments, the zero state, or the one of this number where the line is
        met first, see ``fixed_points``.
    bounds : ((x0, x1), (y0, y1))
    start : (x, y), optional
        A point next to the line: only the curve through it is followed. Default: a grid is searched.
    of : "spectrum", "fixed_point" or "ensemble", what a callable is a function of
    tol : float in [1e-9, 0.01], in units of the bounds' widths
    search : int >= 2
        The grid has so many rows and columns, edges included. Curves are found that cross a piece of one of them an odd number of
        times; others are not looked for. Lines of onsets of complexity, of chaos and "echo" are sought on fewer lines through the
        bounds, which their status names.
    max_points : int >= 10, of a curve
    tau : float > 0, time scale of "slow_fraction"
    n_points : int >= 2, how many points of a line of "chaos", "chaos_line" or "echo" lie between opposite edges
    n_units, n_steps, n_networks, rng : as for ``chaos_onset``
        Of simulations: every point meets the same random numbers. ``n_units`` is 2000 for "chaos", and 1000
        for quantities of so many units ("half_share", "lyapunov"); all other lines are of the limit and refuse it.
    progress : None, True or callable(done, total), in points

    Returns
    -------
    CriticalLine

    Raises
    ------
    TypeError, ValueError
        naming the argument, its value and what is allowed
    CapabilityError
        the ensemble has no mean field
    ConvergenceError
        no curve next to ``start``

    See Also
    --------
    gating_theory.critical : Along one path.
    gating_theory.phase_diagram : Quantities on a grid.
    gating_theory.plotting.plot_phase_diagram : Draws lines, alone or over a diagram.

    Notes
    -----
    Errors: of each point what the errors of the quantity make of its place (1e-12 of onsets, 1e-11 of folds, 1e-9 of edges of
    spectra), in the result; of what lies between, ``tol``, or what was measured last where ``max_points`` did not suffice: the
    status then is "incomplete".

    Examples
    --------
    >>> import gating_theory as gt
    >>> paths, bounds = ("gain.r", "gain.h"), ((0, 10), (0.5, 4))
    >>> line = gt.critical_line(gt.Ensemble(gt.GRU), paths, "onset", bounds=bounds)
    >>> line.at(1.0).round(6)
    array([2.])
    >>> [(point.kind, round(point.x, 4)) for point in line.points]
    [('tricritical', 2.8284)]
    """
    instance("ensemble", ensemble, Ensemble)
    plane = plane_of(ensemble, paths, bounds)
    tol, tau = real("tol", tol, low=1e-9, high=0.01), real("tau", tau, low=0.0, open_low=True)
    search, max_points = integer("search", search, low=2, high=1000), integer("max_points", max_points, low=10)
    choice("of", of, ("spectrum", "fixed_point", "ensemble"))
    units = None if n_units is None else integer("n_units", n_units, low=10)
    options = {"n_steps": integer("n_steps", n_steps, low=20), "rng": int(generator(rng).integers(2**63))}
    asked = requested(plane, quantity, value, solution, of, options | {"tau": tau, "n_units": units or 1000})
    if units is not None and not _of_networks(asked):
        raise no_law(f"a line of {asked.quantity!r}", units)
    options |= {"n_units": units or 2000, "n_networks": integer("n_networks", n_networks, low=1)}
    near = None if start is None else reals("start", start, "x", "y")
    n_points = integer("n_points", n_points, low=2)
    check_progress(progress)
    with Progress(progress, search**2 + max_points, "point") as tell:
        if asked.quantity in _SOUGHT:
            curves, failed = chaos_line.chaos_curves(plane, near, n_points, _seek(asked.quantity, options), tell)
            points: list[LinePoint] = []
            missed: list[Side] = []
        else:
            found, failed, missed = _components(asked, plane, near, tol, search, max_points, tell)
            curves, points = in_plane(found, plane)
            curves = [_with_shares(curve, plane, asked.quantity) for curve in curves]
        missed = [side for side in missed if not side.is_crossed(curves)]
        seen = ("", True) if curves or near is not None else seen_on_grid(asked.condition, plane, search)
    if near is not None and not curves:
        raise ConvergenceError(f"critical_line: there is no line {asked.name} next to start = {tuple(near)}", estimate=failed)
    return CriticalLine(
        ensemble,
        (plane.x.name, plane.y.name),
        (plane.x.symbol, plane.y.symbol),
        plane.bounds,
        asked.quantity,
        asked.value,
        asked.solution,
        tuple(curves),
        tuple(points),
        _status(curves, failed, len(missed), tol, seen, "" if near is not None else _not_looked_for(asked, search)),
    )


def _seek(quantity, options):
    """What finds a point of a line that is sought point by point."""
    if quantity == "echo":
        return lambda ensemble, path, bounds: echo_line(ensemble, path, bounds, rng=options["rng"])
    if quantity == "chaos_line":
        return lambda ensemble, path, bounds: _chaos_within(ensemble, path, bounds, options["rng"])
    return lambda ensemble, path, bounds: chaos_onset(ensemble, path, bounds, **options)


def _chaos_within(ensemble, path, bounds, rng):
    """The least value along a path at which there is chaos, if it is within the bounds.

    Where there is a zero state it is sought from the onset of its instability, which may lie far from a jump into chaos: all along
    the path. Elsewhere nothing is known but the bounds.
    """
    ends = [path.at(ensemble, value) for value in bounds]
    if any(end.has_white_input for end in ends) or not all(MomentMap(end).has_zero_state for end in ends):
        return chaos_line_along(ensemble, path, bounds, rng=rng)
    found = chaos_line_along(ensemble, path, rng=rng)
    if not bounds[0] <= found <= bounds[1]:
        raise NoCriticalValue(f"chaos begins at {path} = {float(found):.6g}, not within {bounds}")
    return found


def _of_networks(asked):
    """Whether the line is of networks of a number of units, not of the limit."""
    measure = getattr(asked.condition, "measure", None)
    return asked.quantity == "chaos" or (measure is not None and "n_units" in measure.entry.options)


def _with_shares(curve, plane, quantity):
    """The curve with the fractions of sites that decide it at some of its points."""
    if quantity != "onset" and quantity not in AT_EDGE:
        return curve
    looks = looks_along(curve.length)
    places = [(float(curve.x[k]), float(curve.y[k])) for k in looks]
    shares = [half_share_on_line(plane.at(*place), quantity, curve.moment[k]) for k, place in zip(looks, places)]
    return replace(curve, half_share=np.column_stack([places, shares]))


def _components(asked, plane, near, tol, search, max_points, tell):
    """The curves of a condition, errors of starts that failed, and where the sign changes although no start was reached."""
    if asked.condition is None:
        return *complexity_line.complexity_components(plane, near, tol, max_points, tell), []
    if near is None:
        starts, missed = line_starts(asked.condition, plane, search, tell)
    else:
        starts, missed = start_near(asked.condition, plane, *near), []
    return *followed(asked.condition, plane, starts, tol, max_points, tell), missed


def _not_looked_for(asked, search):
    """Which curves a search over the bounds may miss, in words."""
    if asked.quantity in _SOUGHT:
        return f"; {chaos_line.SOUGHT}"
    if asked.condition is None:
        return f"; {complexity_line.SOUGHT}"
    return f"; curves that cross none of {search} rows and columns were not looked for"


def _status(curves, failed, missed, tol, seen, where):
    signs = [f"signs change between {missed} pairs of neighbours from which no curve was reached"] if missed else []
    if not curves:
        text = "; ".join(["no curve within the bounds", *([seen[0]] if seen[0] else signs)])
        return Status("none", f"{text}{where}", ok=not failed and not missed and seen[1])
    lost = [f"curve {i} {end}" for i, curve in enumerate(curves) for end in curve.ends if not end.ok]
    lost += signs
    lost += [f"{len(failed)} starts without a curve"] if failed else []
    lost += [f"curve {i} is known to {c.interpolation:.1g} only" for i, c in enumerate(curves) if c.interpolation > tol]
    number = "1 curve" if len(curves) == 1 else f"{len(curves)} curves"
    return Status("incomplete" if lost else "ok", "; ".join([number, *lost]) + where, ok=not lost)
