"""Where mean-field fixed points are born: onset of the zero state's instability, fold, tricritical point [T5]."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..ensemble.critical_value import Critical, continuous, transition
from ..ensemble.ensemble import Ensemble
from ..ensemble.paths import AnyPath, path_of, require_apart
from ..errors import CapabilityError, NoCriticalValue
from ..support.arithmetic import underflow_is_zero
from ..support.checks import instance
from .carriers import half_share_of_growth, in_few_sites
from .expansion import NoZeroState, excess, growth, require_expansion, small_moments
from .folds import distinct, fold_near, folds, summits
from .moments import MomentMap, require_bounded
from .path import Path
from .scan import scan_decades

__all__ = ["every_fold", "every_onset", "fold", "onset", "tricritical", "turning_point"]

#: What the docstrings promise, relative to the larger of 1 and the value.
_ONSET_ERROR, _FOLD_ERROR, _TRICRITICAL_ERROR = 1e-12, 1e-11, 1e-10
#: (alpha - 1)/(alpha + 1) is resolved to this where it is near zero, elsewhere to a part of itself.
_RESOLUTION, _HARMLESS = 1e-5, 0.25
#: Where it is looked at whether the growth of small moments rises or falls, beside an onset, relative to the larger of 1 and the
#: value.
_BESIDE = 1e-4
#: How critical values of networks are asked for.
_ASK = 'critical(.., "abscissa", 1, n_units=) asks for theirs'
#: Values in which a tricritical point's parameter is looked at, each of which takes an onset; beta, a difference, is zero at an end
#: of the range if it is this small.
_LOOKS, _ROUNDING = 25, 1e-13

#: A maximum of G above this at the onset means solutions of finite amplitude; one above the second the surface shows anyway.
_HIGHER, _HIGH = 1e-13, 1e-2
#: Other solutions are looked for beyond this distance, in log x, of the two that are born.
_APART = 0.3


# --- onset


@underflow_is_zero
def onset(ensemble: Ensemble, parameter: AnyPath, bounds: tuple[float, float] | None = None) -> Critical:
    """The value along a path at which the zero state loses stability [T5], of several the one nearest to the present one.

    alpha = 1, where alpha is the growth of small moments under the mean-field map: the square of the spectral radius at
    lambda = 1 of the random part of the zero state's Jacobian. For gated cells, whose leak is positive, that is where the
    spectrum first touches the unit circle. GRU: a_h sigma(b_r) = 1; LSTM at zero biases: a_g = 2. Where the path does not pass
    through the ensemble (fields with different gains along "gain", any function) there is no present value: of several the lowest
    is taken.

    Parameters
    ----------
    ensemble : Ensemble
    parameter : str, Direction or callable
        A path: one hyperparameter, "gain.h" or "bias.r"; one kind of all fields, "gain"; a tie, "gain.z=2*gain.r"; a
        :class:`~gating_theory.Direction`; a function of the value that returns {path: number} or an Ensemble.
    bounds : (low, high), optional
        Default (0, 100) for gains and spreads, (-30, 30) for biases, (0, 1) for a Direction; a function needs them.

    Returns
    -------
    Critical, accurate to about 1e-12 (1e-10 for cells with kinks, whose alpha is measured on the map itself)

    Raises
    ------
    CapabilityError
        no zero state, or no closed-form site fixed point
    NoCriticalValue
        no crossing within the bounds
    TypeError, ValueError
        no such path, bounds that are none

    See Also
    --------
    fold : where fixed points of finite amplitude appear
    tricritical : where the onset becomes discontinuous
    chaos_line : where chaos begins
    critical : the value at which any quantity has a given value
    critical_line : onsets, folds and others in a plane

    Examples
    --------
    A reset gate that is half open doubles the gain that the zero state bears; a positive bias opens it, and the zero state
    bears less:

    >>> import gating_theory as gt
    >>> round(float(gt.onset(gt.Ensemble(gt.GRU), "gain.h")), 4)
    2.0
    >>> opened = gt.Ensemble(gt.GRU, bias={"r": 2})
    >>> round(float(gt.onset(opened, "gain.h")), 4)  # 1 / sigma(2)
    1.1353
    >>> strong = gt.Ensemble(gt.GRU, gain={"h": 1.5})
    >>> round(float(gt.onset(strong, "bias.r")), 4)  # sigma(b_r) = 2/3
    0.6931
    """
    path = _path("onset", ensemble, parameter, bounds)
    return _of_zero_state("onset", path, lambda: _onset_at(path, path.nearest(_onsets(path))))


@underflow_is_zero
def every_onset(ensemble: Ensemble, parameter: AnyPath, bounds: tuple[float, float] | None = None) -> list[Critical]:
    """All values along a path at which the zero state loses or gains stability, ascending: each as by :func:`onset`.

    Parameters
    ----------
    ensemble, parameter, bounds : as for :func:`onset`
    """
    path = _path("onset", ensemble, parameter, bounds)
    return _of_zero_state("onset", path, lambda: [_onset_at(path, value) for value in _onsets(path)])


def _path(who, ensemble, parameter, bounds):
    instance("ensemble", ensemble, Ensemble)
    ensemble.require("mean field", who, "sampled networks: Network.sample")
    return Path(ensemble, parameter, bounds)


def _of_zero_state(who, path, calculate):
    """What a calculation gives, with an error that speaks of the ensemble that was given where it has no zero state."""
    try:
        return calculate()
    except NoZeroState as error:
        raise _without_zero_state(who, path, error) from None


def _without_zero_state(what, path, error):
    """The error that speaks of the ensemble that was given, and not of one that was tried."""
    where = f" when {path.parameter!r} varies" if MomentMap(path.ensemble).has_zero_state else ""
    instead = '; critical(.., "abscissa", 1) is where its fixed point loses stability' if what == "onset" else ""
    return CapabilityError(f"{what}: {path.ensemble!r} has no zero state{where}: {error.reason}{instead}")


def _onset_at(path, value):
    there = path.at(value)
    discontinuous = small_moments(there)[1] > 0
    kind = "discontinuous" if discontinuous else "continuous"
    share = half_share_of_growth(there)
    return transition(
        value,
        path.parameter,
        kind="onset",
        error=_ONSET_ERROR if there.cell.compiled.smooth else 100 * _ONSET_ERROR,
        discontinuous=discontinuous,
        moments=_no_moments(there),
        ensemble=there,
        text=f"onset of instability of the zero state; locally {kind}{_in_few(share)}",
        rising=_rises(path, value),
        half_share=share,
    )


def _in_few(share):
    return in_few_sites(share, 1.0, _ASK)


def _rises(path, value):
    """Whether the growth of small moments rises along a path at an onset; None where it does not pass 1."""
    step = _BESIDE * max(1.0, abs(value))
    below, above = (excess(path.at(v)) for v in (max(value - step, path.low), min(value + step, path.high)))
    return bool(above > below) if below * above <= 0.0 else None


def _onsets(path):
    """All values along a path at which alpha = 1, at least one."""
    values = path.zeros(excess, lambda v: _RESOLUTION + _HARMLESS * np.abs(v))
    between = f"between {path.low} and {path.high} for {path.ensemble!r}"
    if values is None:
        raise NoCriticalValue(f"onset: {_why_constant(path)} {between}")
    if not values:
        raise NoCriticalValue(f"onset: no critical value of {path.parameter!r} {between}")
    return values


def _why_constant(path):
    alpha = growth(path.at(0.5 * (path.low + path.high)))
    if alpha > 0:
        return f"nothing changes with {path.parameter!r}: small moments grow by {alpha:.6g} whatever it is"
    return (
        f"nothing changes with {path.parameter!r}: alpha = 0 whatever it is, the zero state is always stable (no message is "
        "proportional to a small field that is fed back: a gain is 0, or messages begin with a higher power)"
    )


def _no_moments(ensemble):
    return dict.fromkeys(ensemble.cell.message_names, 0.0)


# --- fold


@underflow_is_zero
def fold(ensemble: Ensemble, parameter: AnyPath, bounds: tuple[float, float] | None = None) -> Critical:
    """The value along a path at which mean-field fixed points appear: a pair of finite amplitude, or the onset [T5].

    A fold is where G = dG/dx = 0 with G(x) = log(R(x)/x): a pair of solutions is born, or merges. The whole range of amplitudes and
    of the hyperparameter is searched, so folds that the local expansion does not see are found, and none is lost whose pair, or
    whose absence of one, extends over a thousandth of the range. Which one is returned:

    - Where there is a zero state along the whole range: the value at which non-zero solutions appear, on one side of which there
      are none. Where the transition is continuous that is the onset itself (``discontinuous`` is False), else the fold at which a
      pair of finite amplitude is born. Folds at which further solutions are born to others count where there is no such value.
    - Elsewhere (biases, spreads, inputs): any fold.

    Of several the one nearest to the present value, as for :func:`onset`.

    Parameters
    ----------
    ensemble : Ensemble
    parameter : str, Direction or callable, a path as for :func:`onset`
    bounds : (low, high), optional
        Default as for :func:`onset`.

    Returns
    -------
    Critical
        With the moments at the fold; accurate to about 1e-11, or to ten times the accuracy of the moments over the slope of G
        along the hyperparameter where that is more (``error`` says so).

    Raises
    ------
    CapabilityError
        Cells without a bounded mean field, or whose moments do not close in one loop; cells without a closed form whose averages
        run over more than two fields.
    NoCriticalValue
        no fold within the bounds
    TypeError, ValueError
        no such path, bounds that are none

    See Also
    --------
    onset : where the zero state loses stability
    tricritical : where folds and onsets meet
    complexity_onset : where networks have exponentially many fixed points
    critical_line : folds in a plane

    Examples
    --------
    Between the fold and the onset the zero state is stable, and other fixed points exist beside it:

    >>> import gating_theory as gt
    >>> gated = gt.Ensemble(gt.GRU, gain={"r": 8})
    >>> found = gt.fold(gated, "gain.h", bounds=(1, 3))
    >>> round(float(found), 4), found.discontinuous
    (1.8046, True)
    >>> round(float(gt.onset(gated, "gain.h")), 4)
    2.0
    """
    path = _path("fold", ensemble, parameter, bounds)
    onsets, born, merging = _births(path)
    value = path.nearest(onsets + [f.value for f in born] or [f.value for f in merging])
    return _birth_at(path, value, onsets, born, merging)


@underflow_is_zero
def every_fold(ensemble: Ensemble, parameter: AnyPath, bounds: tuple[float, float] | None = None) -> list[Critical]:
    """All values along a path at which solutions are born or merge, ascending: each as by :func:`fold`.

    Continuous onsets are among them, and folds at which further solutions are born to others.

    Parameters
    ----------
    ensemble, parameter, bounds : as for :func:`fold`
    """
    path = _path("fold", ensemble, parameter, bounds)
    onsets, born, merging = _births(path)
    return [_birth_at(path, value, onsets, born, merging) for value in sorted([*onsets, *(f.value for f in born + merging)])]


def _births(path):
    """Continuous onsets along a path (values), folds at which the only solutions that are not zero are born, and other folds."""
    require_bounded(path.ensemble.cell)
    found = folds(path)
    try:
        onsets = _onsets(path)
    except (CapabilityError, NoCriticalValue):
        onsets = []
    for value in list(onsets):
        peaks = [peak for peak in summits(MomentMap(path.at(value))) if peak[1] > _HIGHER]
        if peaks:
            onsets.remove(value)
            found = distinct([*found, *_next_to_onset(path, value, peaks)])
    born = [f for f in found if f.top and _alone(path, f)]
    if not (onsets or found):
        raise NoCriticalValue(
            f"fold: no solutions are born or merge as {path.parameter!r} varies between {path.low} and {path.high} for "
            f"{path.ensemble!r}"
        )
    return onsets, born, [f for f in found if f not in born]


def _birth_at(path, value, onsets, born, merging):
    if value in onsets:
        start = _onset_at(path, value)
        text = f"continuous transition: non-zero solutions appear at the onset{_in_few(start.half_share)}"
        return continuous(start, "fold", text)
    fold = next(f for f in born + merging if f.value == value)
    return _fold_at(path, fold, fold in born)


def _next_to_onset(path, value, peaks):
    """Folds so close to an onset that the surface may not show them: where the small maxima of G at the onset pass zero."""
    step = 1e-4 * max(1.0, abs(value))
    before, after = max(value - step, path.low), min(value + step, path.high)
    slope = (excess(path.at(after)) - excess(path.at(before))) / (after - before)
    close = [fold_near(path, u, value, value - G / slope) for u, G in peaks if slope and G < _HIGH]
    return [f for f in close if f is not None]


def _alone(path, fold):
    """Whether the two solutions that are born are the only ones that are not zero."""
    ((x, G),) = scan_decades(MomentMap(path.at(fold.value)), "small", 1e-9)
    return bool(np.all(G[np.abs(np.log(x) - fold.u) > _APART] < 0.0))


def _fold_at(path, fold, born):
    there = path.at(fold.value)
    moments = MomentMap(there)
    q = moments.complete(np.array([np.exp(fold.u)]), moments.fine)[0]
    what = "discontinuous transition: two solutions are born" if born else "two solutions are born or merge"
    return transition(
        fold.value,
        path.parameter,
        kind="fold",
        error=max(_FOLD_ERROR, fold.error / max(1.0, abs(fold.value))),
        discontinuous=True,
        moments=dict(zip(there.cell.message_names, q.tolist())),
        ensemble=there,
        text=f"{what} at finite amplitude",
        below=(0.0, 0.0) if fold.larger else (2.0, 0.0),
        above=(2.0, 0.0) if fold.larger else (0.0, 0.0),
        rising=fold.larger,
    )


# --- tricritical point


@underflow_is_zero
def tricritical(
    ensemble: Ensemble,
    parameter: AnyPath,
    along: AnyPath,
    bounds: tuple[float, float] | None = None,
    along_bounds: tuple[float, float] | None = None,
) -> Critical:
    """Where the transition of the zero state turns from continuous to discontinuous [T5].

    Solves alpha = 1 in ``along`` and beta = 0 in ``parameter`` together, with R(D)/D = alpha + beta D + ... the small-moment
    expansion. This is the *local* condition: folds at finite amplitude can precede it (see :func:`fold`).
    GRU: (1 - s)(2 - 3s) a_r^2 = 2 with s = sigma(b_r); LSTM: a_o^2 + a_i^2 + 3 a_f^2 = 64.

    Parameters
    ----------
    ensemble : Ensemble
    parameter : a path as for :func:`onset`, for example "gain.r"
    along : another one, whose value is kept at the onset, for example "gain.h"; they must set different hyperparameters
    bounds, along_bounds : (low, high) of ``parameter`` and of ``along``, optional. Default as for :func:`onset`.

    Returns
    -------
    Critical in ``parameter``, accurate to about 1e-10; its ``ensemble`` has both values set

    Raises
    ------
    NoCriticalValue
        no tricritical point within the bounds
    TypeError, ValueError
        no such paths, two that set the same hyperparameter, bounds that are none
    CapabilityError
        no zero state or no closed-form site fixed point

    See Also
    --------
    onset, fold : the two transitions that meet there
    chaos_tricritical : the same of chaos

    Examples
    --------
    >>> import gating_theory as gt
    >>> found = gt.tricritical(gt.Ensemble(gt.GRU), "gain.r", "gain.h")
    >>> round(float(found), 4)  # sqrt(8)
    2.8284
    >>> round(found.ensemble.gain["h"], 4)
    2.0
    """
    return turning_point("tricritical", ensemble, parameter, along, bounds, along_bounds, lambda there: small_moments(there)[1])


def turning_point(
    who: str,
    ensemble: Ensemble,
    parameter: AnyPath,
    along: AnyPath,
    bounds: tuple[float, float] | None,
    along_bounds: tuple[float, float] | None,
    bend: Callable[[Ensemble], float],
) -> Critical:
    """Where what bends the growth of small states at the onset changes its sign: :func:`tricritical` of states of any kind.

    Parameters
    ----------
    who : str, who asks
    ensemble, parameter, along, bounds, along_bounds : as of :func:`tricritical`
    bend : callable, of an ensemble at an onset; positive where the transition is discontinuous
    """
    instance("ensemble", ensemble, Ensemble)
    ensemble.require("mean field", who, "sampled networks: Network.sample")

    require_expansion(ensemble.cell, who)
    path = Path(ensemble, parameter, bounds)
    second = path_of("along", along, ensemble)
    limits = second.within(along_bounds, "along_bounds")
    require_apart("parameter and along", path.along, second, ensemble, (path.low, limits[0]))

    def across(e):
        """The ensembles along the second path, and which of them is at the onset."""
        line = Path(e, second, limits)
        return line, line.nearest(_onsets(line))

    def bent(e):
        try:
            line, value = across(e)
            return bend(line.at(value))
        except NoCriticalValue:  # far out in one the onset lies out of bounds in the other: no crossing is sought from there
            return np.nan

    try:
        value = _turning_value(who, path, second.name, bent)
    except NoZeroState as error:
        raise _without_zero_state(who, path, error) from None
    line, at_onset = across(path.at(value))
    return transition(
        value,
        path.parameter,
        kind="tricritical",
        error=_TRICRITICAL_ERROR,
        discontinuous=False,
        moments=_no_moments(ensemble),
        ensemble=line.at(at_onset),
        text=f"tricritical point, {second.name} = {at_onset!r}",
    )


def _turning_value(who, path, along, bent):
    """Where what bends passes zero, nearest to the present value."""
    grid = [path.value(t) for t in np.linspace(path.position(path.low), path.position(path.high), _LOOKS)]
    values = np.array([bent(path.at(v)) for v in grid])
    between = f"between {path.low} and {path.high} for {path.ensemble!r}"
    if np.isnan(values).all():
        raise NoCriticalValue(f"{who}: the zero state has no onset in {along!r} for any {path.parameter!r} {between}")
    largest = np.nanmax(np.abs(values))
    if np.nanmax(values) - np.nanmin(values) <= _TRICRITICAL_ERROR * largest:
        raise NoCriticalValue(f"{who}: nothing changes with {path.parameter!r} {between}")
    ends = [grid[i] for i in (0, -1) if abs(values[i]) <= _ROUNDING * largest]
    pairs = [(i, i + 1) for i in range(len(grid) - 1) if values[i] * values[i + 1] <= 0.0]
    found = [path.bracketed(bent, grid[i], grid[j]) for i, j in pairs]
    zeros = ends + [v for v in found if v is not None]
    if not zeros:
        raise NoCriticalValue(f"{who}: no critical value of {path.parameter!r} {between}")
    return path.nearest(zeros)
