"""Where mean-field fixed points are born: onset of the zero state's instability, fold, tricritical point [T5]."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..ensemble.ensemble import Ensemble
from ..ensemble.hyperparameters import require_path, search_span, signed
from ..errors import CapabilityError, ConvergenceError, NoCriticalValue
from ..results.encoding import dict_of, require, result
from ..results.status import Status
from ..support.arithmetic import underflow_is_zero
from ..support.checks import instance, interval
from ..support.roots import smooth_extremum
from .expansion import NoZeroState, growth, small_moments
from .moments import MomentMap, require_bounded
from .scan import scalar_roots, scan_decades

if TYPE_CHECKING:
    from typing import Any

__all__ = ["FIELDS", "Critical", "checked_bounds", "continuous", "default_bounds", "fold", "onset", "transition", "tricritical"]

#: What the docstrings promise, relative to the larger of 1 and the value.
_ONSET_ERROR, _FOLD_ERROR, _TRICRITICAL_ERROR = 1e-12, 1e-11, 1e-10
#: Values at which a hyperparameter's whole range is looked at; fewer in each direction where two are solved for together.
_LOOKS, _LOOKS_ALONG, _LOOKS_ACROSS = 81, 13, 25
#: The least that Brent's method takes: hyperparameters are closed in on to rounding.
_ROUNDING = 4 * np.finfo(float).eps

#: A maximum of G above this at the onset means solutions of finite amplitude; those of smaller moments are the onset's own.
_HIGHER, _SMALLEST_MOMENT = 1e-13, 1e-9
#: Half-width, in log x, of the window in which a maximum of G is followed, and how often it may be moved.
_WINDOW, _MOVES = 0.15, 40
#: Steps along the hyperparameter, relative to the larger of 1 and its value: to tell which way is downhill, the first one of the
#: walk, and the factor by which each is longer than the last.
_TEST_STEP, _FIRST_STEP, _LONGER = 1e-4, 1e-3, 1.6

#: Bisections by the number of solutions before the two roots that merge are told from the others.
_BISECTIONS = 14
#: The merging roots' extremum is sought within so many half-distances of them, a distance being at least this in log x.
_AROUND, _LEAST_DISTANCE = 4, 1e-3


#: What makes a Critical again.
FIELDS = ("value", "parameter", "kind", "error", "discontinuous", "moments", "ensemble", "status")


@result("critical", fields=FIELDS)
class Critical(float):
    """A critical value of a hyperparameter: a float that also carries how it was found.

    Parameters
    ----------
    value : float
    parameter, kind, error, discontinuous, moments, ensemble, status
        See below.

    Attributes
    ----------
    parameter : str, the path of the hyperparameter
    kind : str, what happens there: "onset", "fold", "tricritical", "chaos" or "complexity_onset"
    error : float
        A standard error where networks were simulated ("chaos"); elsewhere the accuracy that the calculation aims at.
    discontinuous : bool, whether the solutions that appear there have finite amplitude
    moments : dict, moments of the messages at the transition (zeros at an onset; none where there is no single state)
    ensemble : Ensemble at the critical value
    status : Status, its code is "continuous" or "discontinuous"
    """

    parameter: str
    kind: str
    error: float
    discontinuous: bool
    moments: dict[str, float]
    ensemble: Ensemble
    status: Status

    as_dict = dict_of

    def __new__(
        cls,
        value: float,
        parameter: str,
        *,
        kind: str,
        error: float,
        discontinuous: bool,
        moments: dict[str, float],
        ensemble: Ensemble,
        status: Status,
        **more: Any,
    ) -> Critical:
        self = super().__new__(cls, value)
        vars(self).update(parameter=parameter, kind=kind, error=error, discontinuous=discontinuous)
        vars(self).update(moments=moments, ensemble=ensemble, status=status, **more)
        return self

    def __getnewargs_ex__(self) -> tuple[tuple[float], dict[str, Any]]:
        return (float(self),), vars(self)

    @property
    def value(self) -> float:
        """The critical value as a plain float."""
        return float(self)

    def check(self) -> None:
        """ValueError where the ensemble is not that at the critical value."""
        found = self.ensemble.value(self.parameter)
        require(found == self.value, f"the ensemble has {self.parameter} = {found!r}, but the critical value is {self.value!r}")

    def __repr__(self) -> str:
        return f"{self.parameter} = {float(self)!r} ({self.status})"


def transition(value: float, parameter: str, *, error: float, discontinuous: bool, text: str, **rest: Any) -> Critical:
    """A Critical whose error is given relative to the larger of 1 and the value, and whose status has these words.

    Parameters
    ----------
    value, parameter, error, discontinuous
        As of :class:`Critical`, but for the error.
    text : str
    rest : its kind, moments and ensemble
    """
    code = "discontinuous" if discontinuous else "continuous"
    error = error * max(1.0, abs(value))
    return Critical(value, parameter, error=error, discontinuous=bool(discontinuous), status=Status(code, text), **rest)


def continuous(start: Critical, kind: str, text: str) -> Critical:
    """The onset of the zero state's instability as a continuous transition of another kind.

    Parameters
    ----------
    start : Critical, from :func:`onset`
    kind : str, as of :class:`Critical`
    text : str, words of the status
    """
    more = vars(start) | {"kind": kind, "discontinuous": False, "status": Status("continuous", text)}
    return Critical(float(start), **more)


# --- along one hyperparameter


def default_bounds(ensemble: Ensemble, parameter: str) -> tuple[float, float]:
    """Between which values of a hyperparameter a critical one is sought if nobody says: 0 to 100, biases and the like -30 to 30.

    Parameters
    ----------
    ensemble : Ensemble
    parameter : str, a path; ValueError if it is none of the ensemble's
    """
    require_path("parameter", parameter, ensemble.paths)
    return search_span(parameter)


def checked_bounds(ensemble: Ensemble, parameter: str, bounds: tuple[float, float] | None) -> tuple[float, float]:
    """The bounds, or the default ones; ValueError unless they are two increasing finite numbers, TypeError for no numbers.

    Parameters
    ----------
    ensemble : Ensemble
    parameter : str, a path; ValueError if it is none of the ensemble's
    bounds : (low, high) or None
    """
    span = default_bounds(ensemble, parameter)
    return span if bounds is None else interval("bounds", bounds)


def _looks(low, high, parameter, points):
    """Where a range is looked at: evenly for what has two signs, more densely near the lower end for gains and spreads."""
    span = np.linspace(0.0, 1.0, points)
    return low + (high - low) * (span if signed(parameter) else span**3)


def _nearest(changes, grid, present):
    """Of the indices i at which something changes between grid[i - 1] and grid[i], the one nearest to the present value."""
    return min(changes, key=lambda i: abs(0.5 * (grid[i] + grid[i - 1]) - present))


def _solve_for(function, ensemble, parameter, bounds, what, points=_LOOKS):
    """The zero of a scalar function of an ensemble along one hyperparameter, the one nearest to its present value."""
    from scipy.optimize import brentq

    low, high = checked_bounds(ensemble, parameter, bounds)
    present = ensemble.value(parameter)
    grid = _looks(low, high, parameter, points)

    def at(value):
        return function(ensemble.replace({parameter: float(value)}))

    values = np.array([at(v) for v in grid])
    if np.all(values == values[0]):
        raise NoCriticalValue(f"{what}: nothing changes with {parameter!r} between {low} and {high} for {ensemble!r}")
    crossings = [i for i in range(grid.size) if values[i] == 0 or (i and values[i - 1] * values[i] < 0)]
    if not crossings:
        raise NoCriticalValue(f"{what}: no critical value of {parameter!r} between {low} and {high} for {ensemble!r}")
    i = _nearest(crossings, grid, present)
    if values[i] == 0:
        return float(grid[i])
    return float(brentq(at, grid[i - 1], grid[i], xtol=1e-15, rtol=_ROUNDING))


# --- onset


@underflow_is_zero
def onset(ensemble: Ensemble, parameter: str, bounds: tuple[float, float] | None = None) -> Critical:
    """The value of one hyperparameter at which the zero state loses stability [T5].

    alpha = 1, where alpha is the growth of small moments under the mean-field map: the square of the spectral radius at
    lambda = 1 of the random part of the zero state's Jacobian. For gated cells, whose leak is positive, that is where the
    spectrum first touches the unit circle. GRU: a_h sigma(b_r) = 1; LSTM at zero biases: a_g = 2.

    Parameters
    ----------
    ensemble : Ensemble
    parameter : str, a path such as "gain.h" or "bias.r"
    bounds : (low, high), optional. Default (0, 100) for gains and spreads, (-30, 30) for biases.

    Returns
    -------
    Critical, accurate to about 1e-12

    Raises
    ------
    CapabilityError : no zero state, or no closed-form site fixed point
    NoCriticalValue : no crossing within the bounds
    ValueError : unknown parameter
    """
    instance("ensemble", ensemble, Ensemble)
    ensemble.require("mean field", "onset", "sampled networks: Network.sample")
    try:
        value = _solve_for(_log_growth, ensemble, parameter, bounds, "onset")
    except NoZeroState:
        where = f" when {parameter!r} varies" if MomentMap(ensemble).has_zero_state else ""
        raise CapabilityError(
            f"onset: {ensemble!r} has no zero state{where}: some message does not vanish (a bias of its field, or its spread)"
        ) from None
    there = ensemble.replace({parameter: value})
    discontinuous = small_moments(there)[1] > 0
    kind = "discontinuous" if discontinuous else "continuous"
    return transition(
        value,
        parameter,
        kind="onset",
        error=_ONSET_ERROR,
        discontinuous=discontinuous,
        moments=_no_moments(ensemble),
        ensemble=there,
        text=f"onset of instability of the zero state; locally {kind}",
    )


def _log_growth(ensemble):
    return np.log(max(growth(ensemble), 1e-300))


def _no_moments(ensemble):
    return dict.fromkeys(ensemble.cell.message_names, 0.0)


# --- fold


@underflow_is_zero
def fold(ensemble: Ensemble, parameter: str, bounds: tuple[float, float] | None = None) -> Critical:
    """The value of one hyperparameter at which non-zero mean-field fixed points appear [T5].

    Where the transition is continuous that is the onset itself (``discontinuous`` is False); where it is not, the value at
    which a pair of solutions of finite amplitude is born, G = dG/dx = 0 with G(x) = log(R(x)/x). The whole range of
    amplitudes is searched, so folds that the local expansion does not see are found.

    Parameters, errors: as :func:`onset`; and CapabilityError for cells without a bounded mean field or whose moments do not close
    in one loop, ConvergenceError where a fold was bracketed but not resolved. For an ensemble without a zero state the fold
    is where two of its solutions are born or merge; NoCriticalValue if there is none within the bounds.

    Returns
    -------
    Critical, with the moments at the fold, accurate to about 1e-11 (to ten times the accuracy of the moments where that is more)
    """
    instance("ensemble", ensemble, Ensemble)
    ensemble.require("mean field", "fold", "sampled networks: Network.sample")
    low, high = checked_bounds(ensemble, parameter, bounds)
    require_bounded(ensemble.cell)
    try:
        start = onset(ensemble, parameter, (low, high))
    except (CapabilityError, NoCriticalValue):
        # no zero state, or none that changes its stability: count solutions along the parameter instead
        return _fold_by_count(ensemble, parameter, (low, high))
    peak = _highest(MomentMap(start.ensemble))
    if peak is None or peak[1] <= _HIGHER:
        return continuous(start, "fold", "continuous transition: non-zero solutions appear at the onset")
    value, x = _polish_fold(ensemble, parameter, float(start), peak[0], (low, high))
    return _fold_at(ensemble, parameter, value, x, "discontinuous transition: two solutions are born at finite amplitude")


def _fold_at(ensemble, parameter, value, x, text):
    there = ensemble.replace({parameter: float(value)})
    moments = MomentMap(there)
    q = moments.complete(np.array([x]), moments.fine)[0]
    return transition(
        value,
        parameter,
        kind="fold",
        error=max(_FOLD_ERROR, 10 * moments.fine),
        discontinuous=True,
        moments=dict(zip(ensemble.cell.message_names, q.tolist())),
        ensemble=there,
        text=text,
    )


def _require_scalar(moments):
    if len(moments.loop) != 1:
        raise CapabilityError(
            f"fold needs moments that close in one loop; those of {moments.cell.name!r} close in {len(moments.loop)}: "
            "follow fixed_points over the parameter instead"
        )


def _extremum(moments, low, high, largest=True):
    """(log x, G) at the largest maximum (smallest minimum) of G with log x between low and high, or None."""
    return smooth_extremum(lambda u: moments.log_ratio(np.exp(u), moments.fine), low, high, largest)


def _highest(moments, tol=1e-9):
    """(x, G) at the largest interior local maximum of G(x), or None. Small x, where G -> log alpha, is excluded."""
    _require_scalar(moments)
    x, G = scan_decades(moments, "small", tol)
    best = None
    for i in range(1, x.size - 1):
        if x[i] > _SMALLEST_MOMENT and G[i] >= G[i - 1] and G[i] > G[i + 1]:
            point = _extremum(moments, np.log(x[i - 1]), np.log(x[i + 1]))
            if point is not None and (best is None or point[1] > best[1]):
                best = point
    return None if best is None else (float(np.exp(best[0])), best[1])


def _envelope(moments, u):
    """(log x, G) at the maximum of G near log x = u, uphill from there."""
    for _ in range(_MOVES):
        point = _extremum(moments, u - _WINDOW, u + _WINDOW)
        if point is not None:
            return point
        ends = moments.log_ratio(np.exp(np.array([u - _WINDOW, u + _WINDOW])), 1e-9)
        u = u - _WINDOW if ends[0] > ends[1] else u + _WINDOW
    raise ConvergenceError("the fold's amplitude was not found", estimate=float(np.exp(u)))


def _polish_fold(ensemble, parameter, p, x, bounds):
    """(value, x) where g(p) = max_x G(x; p) vanishes: a walk away from the onset, where g > 0, then Brent's method."""
    from scipy.optimize import brentq

    def envelope(value, u):
        return _envelope(MomentMap(ensemble.replace({parameter: value})), u)

    u, g = envelope(p, np.log(x))
    h = _TEST_STEP * max(1.0, abs(p))
    direction = 1.0 if envelope(p + h, u)[1] < g else -1.0
    step, previous, at_previous = _FIRST_STEP * max(1.0, abs(p)), p, u
    tracked = {p: u}
    while True:
        trial = float(np.clip(p + direction * step, *bounds))
        if not MomentMap(ensemble.replace({parameter: trial})).has_zero_state:
            raise NoCriticalValue(f"fold: the zero state ceases to exist at {parameter} = {trial}")
        u_trial, g_trial = envelope(trial, at_previous)
        tracked[trial] = u_trial
        if g_trial < 0:
            break
        if trial in bounds:
            raise NoCriticalValue(f"fold: no critical value of {parameter!r} within {bounds} for {ensemble!r}")
        previous, at_previous, step = trial, u_trial, _LONGER * step

    def nearest(value):
        return tracked[min(tracked, key=lambda k: abs(k - value))]

    def g_of(value):
        tracked[value], g_here = envelope(value, nearest(value))
        return g_here

    value = brentq(g_of, min(previous, trial), max(previous, trial), xtol=1e-14, rtol=_ROUNDING)
    u, _ = envelope(value, nearest(value))
    return float(value), float(np.exp(u))


def _fold_by_count(ensemble, parameter, bounds):
    """A fold of branches that do not touch zero: an extremum of G, maximum or minimum, that crosses 0."""
    from scipy.optimize import brentq

    low, high = bounds

    def map_at(value):
        return MomentMap(ensemble.replace({parameter: float(value)}))

    grid = _looks(low, high, parameter, _LOOKS)
    counts = [_count(map_at(value)) for value in grid]
    changes = [i for i in range(1, grid.size) if counts[i] != counts[i - 1]]
    if not changes:
        raise NoCriticalValue(
            f"fold: the number of solutions does not change with {parameter!r} between {low} and {high} for {ensemble!r}"
        )
    i = _nearest(changes, grid, ensemble.value(parameter))
    a, b = float(grid[i - 1]), float(grid[i])
    for _ in range(_BISECTIONS):
        middle = 0.5 * (a + b)
        a, b = (middle, b) if _count(map_at(middle)) == counts[i - 1] else (a, middle)
    u, reach, largest = _merging(map_at(a if counts[i - 1] > counts[i] else b))

    def point(value):
        found = _extremum(map_at(value), u - reach, u + reach, largest)
        if found is None:
            raise ConvergenceError("the fold was bracketed but not resolved", estimate=value)
        return found

    margin = b - a
    value = brentq(lambda p: point(p)[1], a - margin, b + margin, xtol=1e-14, rtol=_ROUNDING)
    return _fold_at(ensemble, parameter, value, np.exp(point(value)[0]), "two solutions are born or merge at finite amplitude")


def _count(moments):
    """Number of non-zero solutions; one where no message feeds back."""
    if not moments.loop:
        return 1
    _require_scalar(moments)
    return len(scalar_roots(moments))


def _merging(moments):
    """Of the two neighbouring roots that are closest: (their middle in log x, how far to look around it, whether G > 0 between)."""
    roots = np.log(scalar_roots(moments))
    j = int(np.argmin(np.diff(roots)))
    pad = 0.5 * (roots[j + 1] - roots[j]) + _LEAST_DISTANCE
    middle = 0.5 * (roots[j] + roots[j + 1])
    largest = bool(moments.log_ratio(np.exp(np.array([middle])), moments.fine)[0] > 0)
    return middle, _AROUND * pad, largest


# --- tricritical point


@underflow_is_zero
def tricritical(ensemble: Ensemble, parameter: str, along: str, bounds: tuple[float, float] | None = None) -> Critical:
    """Where the transition of the zero state turns from continuous to discontinuous [T5].

    Solves alpha = 1 in ``along`` and beta = 0 in ``parameter`` together, with R(D)/D = alpha + beta D + ... the small-moment
    expansion. This is the *local* condition: folds at finite amplitude can precede it (see :func:`fold`).
    GRU: (1 - s)(2 - 3s) a_r^2 = 2 with s = sigma(b_r); LSTM: a_o^2 + a_i^2 + 3 a_f^2 = 64.

    Parameters
    ----------
    ensemble : Ensemble
    parameter : str, for example "gain.r"
    along : str, the hyperparameter that is kept at the onset, for example "gain.h"
    bounds : (low, high) of ``parameter``, optional. Default as for :func:`onset`; those of ``along`` are the default ones.

    Returns
    -------
    Critical in ``parameter``, accurate to about 1e-10; its ``ensemble`` has both values set

    Raises
    ------
    NoCriticalValue : no tricritical point within the bounds
    ValueError : unknown parameter, the same twice
    CapabilityError : no zero state or no closed-form site fixed point
    """
    instance("ensemble", ensemble, Ensemble)
    require_path("parameter", parameter, ensemble.paths)
    require_path("along", along, ensemble.paths)
    if parameter == along:
        raise ValueError(f"parameter and along must differ, got {parameter!r} twice")
    ensemble.require("mean field", "tricritical", "sampled networks: Network.sample")

    def at_onset(e):
        return e.replace({along: float(_solve_for(_log_growth, e, along, None, "onset", points=_LOOKS_ALONG))})

    def beta(e):
        try:
            return small_moments(at_onset(e))[1]
        except NoCriticalValue:  # far out in one the onset lies out of bounds in the other: no crossing is sought from there
            return np.nan

    value = _solve_for(beta, ensemble, parameter, bounds, "tricritical", points=_LOOKS_ACROSS)
    there = at_onset(ensemble.replace({parameter: value}))
    return transition(
        value,
        parameter,
        kind="tricritical",
        error=_TRICRITICAL_ERROR,
        discontinuous=False,
        moments=_no_moments(ensemble),
        ensemble=there,
        text=f"tricritical point, {along} = {there.value(along)!r}",
    )
