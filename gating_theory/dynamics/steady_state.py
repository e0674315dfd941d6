"""Time-dependent states of large random networks: moments, correlations, largest Lyapunov exponent, kind of state [T5]."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..cell.cell import second_moment
from ..ensemble.ensemble import Ensemble
from ..ensemble.sites import Sites
from ..errors import CapabilityError
from ..mean_field.expansion import growth
from ..mean_field.moments import MomentMap
from ..results.encoding import require, result
from ..results.status import Status
from ..running.progress import Progress, check_progress
from ..support.arithmetic import underflow_is_zero
from ..support.checks import generator, instance, integer, integers
from ..support.types import Progress as Wanted
from ..support.types import Rng
from .simulation import Simulation, simulate
from .time_averages import block_error, settled_mean, stationary_from

__all__ = ["steady_state", "SteadyState"]

#: Mean squared change of a step, relative to the largest mean square of the run, below which nothing moves, by the type in which
#: matrices are stored (rounding: 1e-32, and 1e-17 to 1e-15).
_STILL = {"float64": 1e-20, "float32": 1e-13}
#: Distance from rest, in units of the largest rms state of the run, above which a state that stands still is no fixed point.
_REST = 1e-3
#: A decay to zero: moments fall by this factor at least over the last half, and in its second part at least so much as fast as in
#: its first. On the way to anything else they slow down.
_FALL, _STEADY = 100.0, 0.5
#: What stands for zero in logarithms.
_TINY = 1e-300
#: Standard errors by which a Lyapunov exponent must differ from zero to have a sign.
_SIGMAS = 3.0


@result("steady_state")
@dataclass(frozen=True)
class SteadyState:
    """The state a random network settles into [T5]. ``Spectrum(steady_state)`` gives the spectrum of its Jacobian.

    Attributes
    ----------
    ensemble : Ensemble
    moments : dict, {message name: E m^2}, averages after the transient (at a settled state: at the end)
    stderr : dict
        Their standard errors: block averages in time and the finite number of sites, added in quadrature. At a settled state
        the latter is amplified by (1 - dR/dq)^{-1}, the mean-field map's response; in a moving state what little does not average
        out in time (biases) is not. Of a state on its way to zero, whose moments are given as 0: what is left of them.
    transient : int, steps that were left out
    lyapunov, lyapunov_stderr : float
        Largest Lyapunov exponent per step (natural logarithm), and its error: from blocks after the transient, and half its drift
        where it still drifts; nan if not asked for.
    status : Status
        Its code is the verdict, its text has the numbers, and ``ok`` says whether a stationary stretch was found.

        - "settled": at a fixed point
        - "decaying": on its way to the zero state, still moving; at rest there it has settled
        - "chaotic": the exponent is above zero by three standard errors
        - "driven": the exponent is below zero, and the state follows its input noise
        - "undecided": marginal, not stationary yet, or periodic
    sites : Sites, for the random-matrix calculators
    correlations : dict or None
        {"state": (L, d), "fields": (L, K), "messages": (L, n)} arrays of second moments E x(t) x(t + lag) at lags 0 .. L - 1, where
        the theory of the state has given them; None where they are taken from the simulation.
    simulation : Simulation, or None where none was made

    Examples
    --------
    >>> import gating_theory as gt
    >>> ens = gt.Ensemble(gt.Vanilla, gain=2)
    >>> state = gt.steady_state(ens, 1000, 200, rng=0, lyapunov_units=200)
    >>> state.verdict, state.lyapunov > 0
    ('chaotic', True)
    """

    ensemble: Ensemble
    moments: dict[str, float]
    stderr: dict[str, float]
    transient: int
    lyapunov: float
    lyapunov_stderr: float
    status: Status
    sites: Sites = field(repr=False)
    correlations: dict[str, np.ndarray] | None = field(default=None, repr=False)
    simulation: Simulation | None = field(default=None, repr=False)

    @property
    def verdict(self) -> str:
        """The code of the status: "settled", "decaying", "chaotic", "driven" or "undecided"."""
        return self.status.code

    @property
    def converged(self) -> bool:
        """Whether a stationary stretch of at least half of the run was found, or the state settles or decays to zero."""
        return self.status.ok

    @property
    def ok(self) -> bool:
        """The same as ``converged``."""
        return self.status.ok

    def check(self) -> None:
        """ValueError where moments are not those of the ensemble, or nothing gives correlations."""
        names = self.ensemble.cell.message_names
        good = tuple(self.moments) == tuple(self.stderr) == names
        require(good, f"moments must be those of {list(names)}, got {list(self.moments)}")
        require(self.correlations is not None or self.simulation is not None, "neither correlations nor a simulation")
        if self.simulation is not None:
            require(self.simulation.ensemble == self.ensemble, "the simulation is of another ensemble")

    @underflow_is_zero
    def autocorrelation(self, lags: npt.ArrayLike) -> dict[str, np.ndarray]:
        """Second moments E x(t) x(t + lag) over recorded sites and times after the transient [T5].

        Parameters
        ----------
        lags : sequence of int >= 0, in steps, less than the number of steps after the transient

        Returns
        -------
        dict
            "state" (L, d), "fields" (L, K), and "messages" (L, n): the first two from the recorded sites (by default 2000: two
            percent), the last from all.

        Raises
        ------
        ValueError
            a lag that is not an integer or beyond the run, a run without recorded sites
        """
        wanted = np.atleast_1d(integers("lags", lags)).tolist()
        if self.correlations is not None:
            _require_within(wanted, len(self.correlations["messages"]), "those that are known")
            return {name: table[wanted] for name, table in self.correlations.items()}
        assert self.simulation is not None  # one or the other is there
        return _autocorrelation(self.simulation, self.transient, wanted)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready: ensemble, moments, errors, exponent, verdict, status; the size of the run if there was one."""
        run = self.simulation
        size = {} if run is None else {"n_units": run.n_units, "n_steps": run.n_steps}
        return {
            "kind": "steady_state",
            "ensemble": self.ensemble.as_dict(),
            **size,
            "moments": self.moments,
            "stderr": self.stderr,
            "transient": self.transient,
            "lyapunov": self.lyapunov,
            "lyapunov_stderr": self.lyapunov_stderr,
            "verdict": self.verdict,
            "status": str(self.status),
        }

    def __str__(self) -> str:
        shown = ", ".join(f"{second_moment(n)} = {v:.5g} +- {self.stderr[n]:.1g}" for n, v in self.moments.items())
        return f"{self.ensemble.cell.name} steady state: {shown} ({self.status})"


def _require_within(lags, span, what):
    if not lags or max(lags) >= span:
        raise ValueError(f"lags must be below {span}, {what}, got {lags}")


def _autocorrelation(run, transient, lags):
    """Second moments over recorded sites and times after the transient of a Simulation."""
    if run.recorded_state.shape[2] == 0:
        raise ValueError("record was 0 in this run: autocorrelations of states and fields need recorded sites")
    span = run.n_steps - transient
    _require_within(lags, span, f"the steps after the transient of {transient}")

    def of(series):
        x = series[transient:]
        return np.array([np.mean(x[: span - lag] * x[lag:], axis=(0, 2)) for lag in lags])

    tables = [run.correlations[name][transient:, transient:] for name in run.ensemble.cell.message_names]
    messages = [[float(np.mean(np.diagonal(table, lag))) for table in tables] for lag in lags]
    return {"state": of(run.recorded_state), "fields": of(run.recorded_fields), "messages": np.array(messages)}


@underflow_is_zero
def steady_state(
    ensemble: Ensemble,
    n_units: int = 100_000,
    n_steps: int = 300,
    *,
    rng: Rng = None,
    lyapunov_units: int = 10_000,
    dtype: str = "float64",
    scale: float = 1.0,
    record: int = 2000,
    memory_limit: float | None = None,
    progress: Wanted = None,
) -> SteadyState:
    """Run a large random network until it is stationary, and measure it [T5].

    In discrete time a network of iid matrices has no response term: its fields are Gaussian processes, independent of one another,
    so that one big network is the dynamic mean field, up to its sampling error of order N^{-1/2}.

    Parameters
    ----------
    ensemble : Ensemble
        Iid input noise (``input_std``) is drawn anew at every step.
    n_units : int >= 10, N
    n_steps : int >= 20
    rng : numpy Generator, int or None
    lyapunov_units : int >= 0
        Units of a second network, which carries the tangent vector; the exponent does not depend on N. 0: none.
    dtype, scale, record, memory_limit : as for simulate
    progress : None, True (a bar) or callable(done, total)

    Returns
    -------
    SteadyState

    Raises
    ------
    TypeError, ValueError, MemoryError, ConvergenceError, CapabilityError
        as simulate

    See Also
    --------
    simulate : the run itself
    dmft : the same state by theory
    fixed_points : states at rest

    Examples
    --------
    >>> import gating_theory as gt
    >>> state = gt.steady_state(gt.Ensemble(gt.GRU), 500, 200, rng=0, lyapunov_units=0)
    >>> state.verdict
    'settled'
    """
    instance("ensemble", ensemble, Ensemble)
    ensemble.require("dynamics", "steady_state", "Network.sample and Network.run")
    n_units, n_steps = integer("n_units", n_units, low=10), integer("n_steps", n_steps, low=20)
    lyapunov_units = integer("lyapunov_units", lyapunov_units, low=0)
    rng = generator(rng)
    check_progress(progress)
    options: dict[str, Any] = {"rng": rng, "scale": scale, "dtype": dtype, "memory_limit": memory_limit}
    tangent: np.ndarray | None = None
    with Progress(progress, n_steps * (2 if lyapunov_units else 1), "step") as tell:
        run = simulate(ensemble, n_units, n_steps, record=record, progress=tell.part(), **options)
        if lyapunov_units:
            second = min(lyapunov_units, n_units)
            tangent = simulate(ensemble, second, n_steps, record=0, tangent=True, progress=tell.part(), **options).growth
    return _measured(ensemble, run, tangent)


def _measured(ensemble, run, tangent):
    names, T = ensemble.cell.message_names, run.n_steps
    moving = motion(run)
    transient, stationary, still, frozen, decaying, _ = moving
    exponent, exponent_error = np.nan, np.nan
    if tangent is not None:
        exponent, exponent_error = settled_mean(tangent, T // 2 if still else max(transient, T // 4))
    verdict = verdict_on(run, moving, exponent, exponent_error)
    text, settled = verdict, verdict in ("settled", "decaying")
    mean = run.moments[-1] if settled else run.moments[transient:].mean(axis=0)
    temporal = np.zeros(mean.size) if settled else block_error(run.moments[transient:])
    values = ensemble.cell.compiled.messages(run.sites.state, run.sites.fields, run.sites.parameters)
    squares = np.array([np.broadcast_to(v, run.sites.size) ** 2 for v in values])
    spatial = np.cov(squares).reshape(mean.size, mean.size) / run.n_units
    if settled and not decaying:  # the moments feed back on themselves
        response = _response(ensemble, mean)
        spatial = response @ spatial @ response.T
    error = np.hypot(temporal, np.sqrt(np.diagonal(spatial)))
    if settled and decaying:
        mean, error = np.zeros(mean.size), mean
    stationary = stationary or settled
    if tangent is not None:
        text += f", largest exponent {exponent:.4f} +- {exponent_error:.4f}"
    if settled and exponent > _SIGMAS * exponent_error:
        text += "; the fixed point is unstable"
    if frozen:
        text += f"; the state hardly moves and is no fixed point after {T} steps, its gates are all but shut: run longer"
    elif settled and decaying:
        text += f"; towards the zero state: what is left of the moments is given as their error{_zero_state_in_theory(ensemble)}"
    elif not stationary:
        text += f"; the moments still drift after {T} steps: run longer"
    return SteadyState(
        ensemble,
        dict(zip(names, mean.tolist())),
        dict(zip(names, error.tolist())),
        int(transient),
        exponent,
        exponent_error,
        Status(verdict, text, bool(stationary)),
        run.sites,
        simulation=run,
    )


def _response(ensemble, q):
    """(1 - dR/dq)^{-1}: how far the moments of a fixed point go when averages over sites are off; 1 without a closed form."""
    n, laws = q.size, ensemble.matrices.values()
    known = all("mean field" in law.holds for law in laws)
    if not ensemble.cell.has_closed_form or not np.all(q > 0.0) or not known:
        return np.eye(n)
    R, slopes = MomentMap(ensemble), np.empty((n, n))
    for k in range(n):
        step = 1e-4 * q[k] * np.eye(n)[k]  # an error's error: four digits are more than enough
        slopes[:, k] = (R(q + step, 1e-10) - R(q - step, 1e-10))[0] / (2e-4 * q[k])
    return np.linalg.pinv(np.eye(n) - slopes)


def _distance_from_rest(sites):
    """Root mean square distance of sites from the fixed states of their fields; 0 where a cell has no closed form for these."""
    if not sites.cell.has_closed_form:
        return 0.0
    rest = sites.cell.compiled.fixed_state(sites.fields, sites.parameters)
    return float(np.sqrt(np.mean([sites.mean(np.broadcast_to((r - s) ** 2, sites.size)) for r, s in zip(rest, sites.state)])))


def _zero_state_in_theory(ensemble):
    """Words where mean field has the zero state unstable: of a finite network, or of one that is far too small to show it yet."""
    try:
        unstable = growth(ensemble) > 1.0
    except CapabilityError:  # nothing is known of it
        return ""
    return "; in the infinite network the zero state is unstable" if unstable else ""


class Motion(NamedTuple):
    """How a run moves."""

    transient: int  #: steps to leave out
    stationary: bool  #: whether moments are stationary after these
    still: bool  #: whether it has come to rest
    frozen: bool  #: whether nothing moves because gates are all but shut, not because it has come to rest
    decaying: bool  #: whether all moments are on their way to zero
    change: np.ndarray  #: mean squared change of each step, relative to the largest mean square


def motion(run: Simulation) -> Motion:
    """Motion of a Simulation."""
    T = run.n_steps
    # logarithms: the end of an exponential decay is nothing beside its beginning, and would pass for a stationary state
    logs = np.log(np.maximum(run.moments, _TINY))
    transient, stationary = stationary_from(1.0 + logs - logs[-1])
    size = max(float(run.state_moments.mean(axis=1).max()), _TINY)
    change = run.change / size
    still = change[-1] < _STILL[run.dtype]
    decaying = _decaying(run, logs)
    # nearly shut gates make steps small anywhere: at rest are sites that are where their fields hold them
    if still and _distance_from_rest(run.sites) > _REST * np.sqrt(size):
        return Motion(transient, False, False, True, decaying, change)
    if still:
        return Motion(T - max(10, T // 10), True, True, False, decaying, change)
    return Motion(transient, stationary, False, False, decaying, change)


def _decaying(run, logs):
    """Whether moments fall steadily towards zero, which has to be a fixed point."""
    T = len(logs)
    start, middle, end = logs[T // 2], logs[T - 1 - T // 4], logs[T - 1]
    if np.any(start - end < np.log(_FALL)) or np.any(middle - end < _STEADY * (start - middle)):
        return False
    ensemble = run.ensemble
    known = all("mean field" in law.holds for law in ensemble.matrices.values())
    if not ensemble.cell.has_closed_form or not known:
        return not ensemble.has_white_input
    return MomentMap(ensemble).has_zero_state


def verdict_on(run: Simulation, moving: Motion, exponent: float, error: float) -> str:
    """One of the verdicts of SteadyState, from a run, its Motion and its exponent (nan: not known)."""
    _, stationary, still, _, decaying, change = moving
    if still:
        return "settled"
    driven = run.ensemble.has_white_input
    if stationary and exponent > _SIGMAS * error:
        return "chaotic"
    if stationary and driven and exponent < -_SIGMAS * error:
        return "driven"
    if decaying and not exponent > 0.0:
        return "decaying"
    # on its way to a fixed point: changes fall by orders of magnitude over the last half, and are small already
    half = change[change.size // 2 :]
    if not driven and half[-1] < 1e-6 and half[-1] < 1e-2 * half[0] and not exponent > 0.0:
        return "settled"
    return "undecided"
