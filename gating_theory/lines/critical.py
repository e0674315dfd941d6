"""Where a quantity of the mean-field theory has a value along a path through the hyperparameters [T3, T5, T7]."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, overload

from ..counting.onset import complexity_onset
from ..dynamics.chaos import chaos_onset
from ..dynamics.dynamic_mean_field.chaos_line import chaos_line
from ..dynamics.two_copies.echo_line import echo_line, every_echo_line
from ..ensemble.critical_value import Critical
from ..ensemble.ensemble import Ensemble
from ..ensemble.paths import AnyPath, path_of
from ..mean_field.critical import every_fold, every_onset, fold, onset
from ..mean_field.path import Path
from ..running.progress import check_progress
from ..support.arithmetic import underflow_is_zero
from ..support.checks import boolean, generator, instance, integer, real
from ..support.types import Progress as Wanted
from ..support.types import Rng
from .asked import kind_asked, measure_asked, solution_asked, value_asked
from .branch import Branch
from .networks_beyond import HALF, LAWS, NetworksBeyond, no_law
from .passages import passages
from .simulated import Simulated
from .verdicts import critical_at, critical_of_networks, nothing_at, nothing_in_networks

__all__ = ["critical"]

#: How other onsets of complexity are found.
_NEAR = "for others give bounds, or an ensemble next to them"


@overload
def critical(
    ensemble: Ensemble,
    path: AnyPath,
    quantity: str | Callable[[Any], float],
    value: float | None = ...,
    solution: str | int = ...,
    bounds: tuple[float, float] | None = ...,
    all: Literal[False] = ...,
    *,
    of: str = ...,
    tau: float = ...,
    n_units: int | None = ...,
    n_steps: int = ...,
    n_networks: int = ...,
    n_draws: int = ...,
    rng: Rng = ...,
    progress: Wanted = ...,
) -> Critical: ...


@overload
def critical(
    ensemble: Ensemble,
    path: AnyPath,
    quantity: str | Callable[[Any], float],
    value: float | None = ...,
    solution: str | int = ...,
    bounds: tuple[float, float] | None = ...,
    *,
    all: Literal[True],
    of: str = ...,
    tau: float = ...,
    n_units: int | None = ...,
    n_steps: int = ...,
    n_networks: int = ...,
    n_draws: int = ...,
    rng: Rng = ...,
    progress: Wanted = ...,
) -> list[Critical]: ...


@underflow_is_zero
def critical(
    ensemble: Ensemble,
    path: AnyPath,
    quantity: str | Callable[[Any], float],
    value: float | None = None,
    solution: str | int = "active",
    bounds: tuple[float, float] | None = None,
    all: bool = False,
    *,
    of: str = "spectrum",
    tau: float = 100.0,
    n_units: int | None = None,
    n_steps: int = 200,
    n_networks: int = 3,
    n_draws: int = 200,
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
    quantity : str or callable
        What has the value.

        - Any quantity of :func:`~gating_theory.phase_diagram` that is one number: "abscissa", "radius", "slow_fraction",
          "moment:h", "mass:1,0.1", "potential:1", "outlier", "complexity", "lyapunov", and those of your own.
          Gradients: "gradient:100" and "gradient:100,h" (of a loss on h), "gradient_untied:100", all of them log10 of the mean
          square: ``value=-1`` is where a tenth is left (the target "gradient" of ``design`` is the mean square itself);
          "gradient_rate", "mean_square", "square_std", "singular:largest", "singular:smallest".
        - Whole numbers: "count", "stable". They are critical where they pass from below the value to it, or back.
        - "onset", "fold", "complexity_onset", "chaos", "chaos_line", "echo" (see :func:`~gating_theory.echo_line`), which need no
          value: :func:`~gating_theory.onset` and so on, called from here. So are "complexity" at 0 and "lyapunov" at 0.
        - A callable of what ``of`` names, which returns a number.
    value : float, what it is to be
    solution : "active", "zero" or int
        Of which fixed point: that with the largest moments (the zero state where there is no other), the zero state, or the one of
        this number in :func:`~gating_theory.fixed_points`, from 0. Quantities of the ensemble have no use for it.
    bounds : (low, high), optional
        Between which values of the path. Default: where :func:`~gating_theory.onset` looks.
    all : bool
        Whether all places are wanted, ascending. Default: the one nearest to the ensemble's present value, as for
        :func:`~gating_theory.onset`.
    of : "spectrum", "fixed_point" or "ensemble", what a callable is a function of
    tau : float > 0, timescale of "slow_fraction" in steps
    n_units, n_steps : int
        Size (1000) and length of simulations: of "lyapunov", and of your own quantities that take them. With ``n_units`` the
        "radius" and "abscissa" are those of networks of N units: half of them are beyond ``value`` at the critical value [T12].
        Onsets, folds, and other quantities of the limit refuse it.
    n_networks : int >= 1, networks that are simulated; each meets the same random numbers at all values of the path
    n_draws : int >= 1
        Draws of N sites that the law of "radius" and "abscissa" is an average over; the same normals at all values of the path.
    rng : numpy Generator, int or None, for simulations and draws
    progress : None, True (a bar) or callable(done, total), in networks, where networks are simulated

    Returns
    -------
    Critical, or list of Critical
        Its ``kind`` is the quantity, ``error`` that of the quantity over its slope, ``below`` and ``above`` the limits of the
        quantity on both sides with their errors (of kinds with calculators of their own see :class:`~gating_theory.Critical`),
        ``moments`` those of the solution (of that which is born, at a jump).
        ``discontinuous`` says whether it jumps. Where the radius, the abscissa, the slow fraction or the number of stable solutions
        of the limit are decided by sites so rare that networks of hundreds of units and more have none, ``status`` says how many
        units have one; ``half_share`` is the fraction of the sites [T12]. Where networks were simulated see
        :func:`~gating_theory.chaos_onset`. Of networks of N units ``below`` and ``above`` are the shares that are beyond the value,
        and ``error`` is a standard error over draws.

        Nothing is lost that extends over a thousandth of the range, if the quantity takes milliseconds ("abscissa", "radius",
        moments, whole numbers). Costly ones (masses and potentials, "complexity", "lyapunov", your own) are looked at in 33 places
        of the range, evenly spaced in asinh(2 value): narrow ``bounds`` show more.

    Raises
    ------
    TypeError, ValueError
        no such path, quantity or solution, bounds that are none or not allowed
    NoCriticalValue
        the quantity does not pass the value within the bounds; the range in which it was seen is said
    CapabilityError
        the solution or the quantity is not defined for the ensemble
    ConvergenceError
        networks that contradict one another

    See Also
    --------
    gating_theory.onset : Where the zero state loses its stability.
    gating_theory.fold : Where solutions are born at finite amplitude.
    gating_theory.critical_line : The same in a plane of two paths.

    Examples
    --------
    >>> import gating_theory as gt
    >>> gains = gt.critical(
    ...     gt.Ensemble(gt.GRU, bias_std=0.5), "gain", "abscissa", 1
    ... )
    >>> round(gains, 4)
    2.285
    """
    instance("ensemble", ensemble, Ensemble)
    every = boolean("all", all)
    solution = solution_asked(solution)
    options: dict[str, Any] = {"tau": real("tau", tau, low=0.0, open_low=True), "n_steps": integer("n_steps", n_steps, low=20)}
    options |= {"n_units": 1000 if n_units is None else integer("n_units", n_units, low=10), "rng": rng}
    n_networks, n_draws = integer("n_networks", n_networks, low=1), integer("n_draws", n_draws, low=1)
    check_progress(progress)
    generator(rng)
    kind = kind_asked(quantity, value)
    if n_units is not None and kind not in (None, "chaos"):
        raise no_law(repr(quantity), n_units)
    if every and kind == "complexity_onset":
        raise ValueError(
            f"all must be False for the onset of complexity, got True: only the nearest to the present value is known; {_NEAR}"
        )
    if every and kind == "chaos":
        quantity, value = "lyapunov", 0.0
    elif kind is not None:
        simulation = {"n_steps": n_steps, "n_networks": n_networks, "rng": rng, "progress": progress}
        return _by_name(ensemble, path, kind, bounds, every, simulation | ({} if n_units is None else {"n_units": n_units}))
    measure = measure_asked(ensemble, quantity, of, options)
    target = value_asked(measure, value)
    if n_units is not None and "n_units" not in measure.entry.options:
        if quantity not in LAWS:
            raise no_law(repr(quantity), n_units)
        seed = int(generator(rng).integers(2**63))
        measure = NetworksBeyond(ensemble, quantity, target, options["n_units"], n_draws, seed)
        target = HALF
    ensemble.require("mean field", "critical", "sampled networks: Network.sample")
    line = Path(ensemble, path_of("path", path, ensemble), bounds)
    if measure.simulated:
        some = Simulated(line, measure, target, n_networks, int(generator(rng).integers(2**63)))
        return _in_networks(some, every, options, progress)
    branch = Branch(line, measure, target - 0.5 if measure.entry.discrete else target, solution)
    found = [critical_at(branch, passage) for passage in passages(branch, every)]
    if not found:
        raise nothing_at(branch, target)
    if every:
        return found
    best = line.nearest([float(one) for one in found])
    return next(one for one in found if float(one) == best)


# --- kinds that have calculators of their own


def _by_name(ensemble, path, kind, bounds, every, simulation):
    """The Critical of a kind, or all of them."""
    if kind == "chaos":
        return chaos_onset(ensemble, path, bounds, **simulation)
    if kind == "chaos_line":
        found = chaos_line(ensemble, path, bounds, rng=simulation["rng"])
        return [found] if every else found
    if kind == "echo":
        return (every_echo_line if every else echo_line)(ensemble, path, bounds, rng=simulation["rng"])
    if kind == "complexity_onset":
        return complexity_onset(ensemble, path, bounds)
    if kind == "onset":
        return every_onset(ensemble, path, bounds) if every else onset(ensemble, path, bounds)
    return every_fold(ensemble, path, bounds) if every else fold(ensemble, path, bounds)


def _in_networks(some, every, options, progress):
    """The Critical of networks that are simulated, or all of them."""
    found = []
    for change in some.changes(options["n_units"], progress):
        found.append(critical_of_networks(some, change, options))
        if not every:
            return found[0]
    if not found:
        raise nothing_in_networks(some)
    return sorted(found)
