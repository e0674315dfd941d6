"""Where a quantity of the mean-field theory has a value along a path through the hyperparameters [T3, T5, T7]."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, overload

import numpy as np

from ..counting.onset import complexity_onset
from ..dynamics.chaos import chaos_onset
from ..ensemble.critical_value import Critical
from ..ensemble.ensemble import Ensemble
from ..ensemble.paths import AnyPath
from ..errors import CapabilityError, NoCriticalValue
from ..mean_field.critical import fold, onset
from ..mean_field.path import Path
from ..results.status import Status
from ..support.arithmetic import underflow_is_zero
from ..support.checks import boolean, instance, integer, real, shown
from ..support.types import Progress as Wanted
from ..support.types import Rng
from ..sweeps.quantities import CRITICAL
from ..sweeps.request import quantity_request
from .branch import Branch
from .passages import passages
from .measure import Measure

if TYPE_CHECKING:
    from .passages import Passage

__all__ = ["critical"]

_WORDS = {"onset": ", at the onset of instability of the zero state", "fold": ", where two solutions are born or merge", "": ""}


@overload
def critical(
    ensemble: Ensemble,
    path: AnyPath,
    quantity: str,
    value: float | None = ...,
    solution: str | int = ...,
    bounds: tuple[float, float] | None = ...,
    all: Literal[False] = ...,
    *,
    tau: float = ...,
    n_units: int | None = ...,
    n_steps: int = ...,
    n_networks: int = ...,
    rng: Rng = ...,
    progress: Wanted = ...,
) -> Critical: ...


@overload
def critical(
    ensemble: Ensemble,
    path: AnyPath,
    quantity: str,
    value: float | None = ...,
    solution: str | int = ...,
    bounds: tuple[float, float] | None = ...,
    *,
    all: Literal[True],
    tau: float = ...,
    n_units: int | None = ...,
    n_steps: int = ...,
    n_networks: int = ...,
    rng: Rng = ...,
    progress: Wanted = ...,
) -> list[Critical]: ...


@underflow_is_zero
def critical(
    ensemble: Ensemble,
    path: AnyPath,
    quantity: str,
    value: float | None = None,
    solution: str | int = "active",
    bounds: tuple[float, float] | None = None,
    all: bool = False,
    *,
    tau: float = 100.0,
    n_units: int | None = None,
    n_steps: int = 200,
    n_networks: int = 3,
    rng: Rng = 0,
    progress: Wanted = None,
) -> Critical | list[Critical]:
    """The value along a path at which a quantity has a value: abscissa = 1, slow fraction = 0.2, E h^2 = 0.3, ... [T3, T5, T7].

    A quantity may rise and fall, be undefined for a part of the range, and jump: where the solution that is followed is born at
    finite amplitude or is lost. A jump over the value is a critical value too; it is located at its fold and says what was found on
    both sides. Between such places quantities are smooth.

    Parameters
    ----------
    ensemble : Ensemble
    path : str, Direction or callable
        As for :func:`~gating_theory.onset`: "gain.h", "gain" (of all fields), "gain.z=gain.r", ...
    quantity : str
        What has the value.

        - Any quantity of :func:`~gating_theory.phase_diagram` that is one number: "abscissa", "radius", "slow_fraction",
          "moment:h", "mass:1,0.1", "potential:1", "outlier", "complexity", "lyapunov", and those of your own.
        - Whole numbers: "count", "stable". They are critical where they pass from below the value to it, or back.
        - "onset", "fold", "complexity_onset", "chaos", which need no value: :func:`~gating_theory.onset` and so on. So are
          "complexity" at 0 and "lyapunov" at 0.
    value : float, what it is to be
    solution : "active", "zero" or int
        Of which fixed point: that with the largest moments (the zero state where there is no other), the zero state, or the one of
        this number in :func:`~gating_theory.fixed_points`, from 0. Quantities of the ensemble have no use for it.
    bounds : (low, high), optional
        Between which values of the path. Default: where :func:`~gating_theory.onset` looks.
    all : bool
        Whether all places are wanted, ascending. Default: the one nearest to the ensemble's present value, as for
        :func:`~gating_theory.onset`.
    tau : float > 0, timescale of "slow_fraction" in steps
    n_units, n_steps : int
        Size (1000) and length of simulations: of "lyapunov", and of your own quantities that take them.
    n_networks : int >= 1, networks that are simulated; each meets the same random numbers at all values of the path
    rng : numpy Generator, int or None, for simulations
    progress : None, True (a bar) or callable(done, total), in networks, where networks are simulated

    Returns
    -------
    Critical, or list of Critical
        Its ``kind`` is the quantity, ``error`` that of the quantity over its slope, ``below`` and ``above`` the limits of the
        quantity on both sides with their errors, ``moments`` those of the solution (of that which is born, at a jump).
        ``discontinuous`` says whether it jumps. Where networks were simulated see :func:`~gating_theory.chaos_onset`.

        Nothing is lost that extends over a thousandth of the range, if the quantity takes milliseconds ("abscissa", "radius",
        moments, whole numbers). Costly ones (masses and potentials, "complexity", "lyapunov", your own) are looked at in 33 places
        of the range, evenly spaced in asinh(2 value): narrow ``bounds`` show more.

    Raises
    ------
    TypeError, ValueError : no such path, quantity or solution, bounds that are none or not allowed
    NoCriticalValue : the quantity does not pass the value within the bounds; the range in which it was seen is said
    CapabilityError : the solution or the quantity is not defined for the ensemble
    ConvergenceError : networks that contradict one another

    Examples
    --------
    >>> import gating_theory as gt
    >>> gains = gt.critical(gt.Ensemble(gt.GRU, bias_std=0.5), "gain", "abscissa", 1)
    >>> round(gains, 4)
    2.285
    """
    instance("ensemble", ensemble, Ensemble)
    instance("quantity", quantity, str)
    every = boolean("all", all)
    solution = _checked(solution)
    options = {"tau": real("tau", tau, low=0.0, open_low=True), "n_steps": integer("n_steps", n_steps, low=20)}
    options |= {"n_units": 1000 if n_units is None else integer("n_units", n_units, low=10), "rng": rng}
    if quantity in CRITICAL or (quantity, value) in _BY_NAME:
        return _by_name(ensemble, path, quantity, value, bounds, every)
    measure = _measure(ensemble, quantity, options)
    if value is None:
        raise ValueError(f"value: {quantity} is critical at a value that has to be given, got None")
    target = real("value", value)
    ensemble.require("mean field", "critical", "sampled networks: Network.sample")
    line = Path(ensemble, path, bounds)
    branch = Branch(line, measure, target - 0.5 if measure.entry.discrete else target, solution)
    found = [_critical(branch, passage) for passage in passages(branch, every)]
    if not found:
        raise _none(branch, target)
    if every:
        return found
    best = line.nearest([float(one) for one in found])
    return next(one for one in found if float(one) == best)


# --- arguments


def _checked(solution):
    if isinstance(solution, str) and solution in ("zero", "active"):
        return solution
    if isinstance(solution, str):
        raise ValueError(f"solution must be 'zero', 'active' or the number of a fixed point, got {shown(solution)}")
    return integer("solution", solution, low=0)


def _measure(ensemble, quantity, options):
    """The number that a quantity is."""
    request = quantity_request("quantity", quantity, ensemble)
    if quantity == "moments" and ensemble.cell.n_messages > 1:
        forms = ", ".join(f"moment:{name}" for name in ensemble.cell.message_names)
        raise ValueError(f"quantity must be one number, got 'moments'; for {ensemble.cell.name} take one of {forms}")
    return Measure(request, options)


# --- kinds that have calculators of their own

#: Calculators by the kind; quantities at a value at which they are such a kind.
_CALCULATORS = {"onset": onset, "fold": fold, "complexity_onset": complexity_onset, "chaos": chaos_onset}
_BY_NAME = {("complexity", 0.0): "complexity_onset", ("lyapunov", 0.0): "chaos"}


def _by_name(ensemble, path, quantity, value, bounds, every):
    kind = _BY_NAME.get((quantity, value), quantity)
    if kind == quantity and value is not None:
        raise ValueError(f"value must be None for {quantity!r}, got {shown(value)}")
    if kind not in _CALCULATORS:
        raise ValueError(f"quantity: {quantity!r} takes two paths: call gating_theory.{quantity}")
    return _CALCULATORS[kind](ensemble, path, bounds)


# --- what was found


def _which(branch):
    if branch.measure.of in ("ensemble", "fixed_points"):
        return ""
    named = {"zero": " of the zero state", "active": " of the active solution"}
    return named.get(branch.solution, f" of solution {branch.solution}")


def _critical(branch: Branch, passage: Passage) -> Critical:
    """The Critical of a passage."""
    sides = [(float(limit.height + branch.target), float(limit.error)) for limit in (passage.below, passage.above)]
    about = f"{branch.measure.name}{_which(branch)}"
    if passage.jumps:
        text = f"{about} jumps from {sides[0][0]:.6g} below to {sides[1][0]:.6g} above{_WORDS[passage.kind]}"
    else:
        text = f"{about} passes {branch.target:g} {'upwards' if passage.rising else 'downwards'}{_WORDS[passage.kind]}"
    return Critical(
        passage.value,
        branch.path.parameter,
        kind=branch.measure.name,
        error=float(passage.error),
        discontinuous=passage.jumps,
        moments={} if passage.point is None else dict(passage.point.moments),
        ensemble=branch.path.at(passage.value),
        status=Status("discontinuous" if passage.jumps else "continuous", text),
        below=sides[0],
        above=sides[1],
        rising=passage.rising,
    )


def _none(branch: Branch, target: float) -> Exception:
    """Why there is nothing: the range in which the quantity was seen."""
    path, about = branch.path, f"{branch.measure.name}{_which(branch)}"
    where = f"along {path.parameter!r} between {path.low:g} and {path.high:g} for {path.ensemble!r}"
    heights = np.array([sample.height for sample in branch.seen.values() if sample.measured])
    seen = heights[~np.isnan(heights)] + branch.target
    failed = sum(sample.label == ("failed",) for sample in branch.seen.values())
    if not seen.size:
        if branch.solution == "zero" and not failed:
            return CapabilityError(f"critical: there is no zero state {where}")
        return NoCriticalValue(f"critical: {about} is not defined anywhere {where}")
    gaps = f", not defined at {np.isnan(heights).sum()} of {heights.size} values" if seen.size < heights.size else ""
    text = f"{seen.min():.6g} to {seen.max():.6g}" if seen.max() > seen.min() else f"{seen.min():.6g} everywhere"
    return NoCriticalValue(f"critical: {about} does not pass {target:g} {where}: it is {text}{gaps}")
