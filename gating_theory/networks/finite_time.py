"""Finite-time Lyapunov exponents of networks: how much the growth of perturbations differs from one stretch of time to the next.

The walks are those of Lyapunov spectra [T5]. A window is a few of their intervals, so its exponents are means of ``log |R_jj|``
of a frame that has been carried from the start: of the directions that have grown most so far, not of the best ones of the
window.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from ..dynamics.time_averages import block_error
from ..ensemble.ensemble import Ensemble
from ..results.encoding import dict_of, require, require_shapes, result
from ..results.status import Status
from ..running.blas import single_blas_thread
from ..running.progress import Progress, check_progress
from ..support.arithmetic import underflow_is_zero
from ..support.available_memory import require_memory
from ..support.checks import boolean, generator, integer, real_array, shown
from ..support.types import Progress as Wanted
from ..support.types import Rng
from .driven import DrivenRun, Fed
from .network import Network
from .tangent_walks import walks_of

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["FiniteTimeExponents", "finite_time_exponents"]

#: Windows of a network that runs by itself unless told.
_WINDOWS = 100
#: Longest interval between two re-orthonormalisations, as for Lyapunov spectra.
_LONGEST = 10
#: Stretches of a length from which on their standard deviation is known well enough, to 18 %, to enter a power of the length.
_LEAST = 16
#: Blocks of the error of the mean.
_BLOCKS = 20
#: A power of the length differs from -1/2 where it does so by this, and by so many of its errors.
_FAR, _SIGMAS = 0.1, 3.0


@result("finite_time_exponents")
@dataclass(frozen=True)
class FiniteTimeExponents:
    """Growth rates of the leading perturbations in windows of time: their mean and their spread [T5].

    Made by :func:`finite_time_exponents`. Arrays are read-only. Natural logarithms, rates per step.

    Attributes
    ----------
    windows : (n, k) array, 1/step
        Exponents of each window; columns descend in their means, sequences stand one after the other. -inf for dead directions.
    sequence : (n,) array of int, the sequence of each window
    window : int, steps of a window
    exponents : (k,) array, 1/step, their means: the Lyapunov exponents, as far as the windows go
    stderr : (k,) array, 1/step, standard errors of the means, from groups of windows; 0 for dead directions
    std : (k,) array, 1/step, standard deviations over windows; nan for dead directions
    lengths : (m,) array of int, steps: ``window`` times 1, 2, 4, .. as long as 16 stretches of a length are left
    std_by_length : (m, k) array, 1/step, standard deviations over stretches of these lengths
    power : (k,) array
        Of the fall of the standard deviation with length, std ~ length^-power: 1/2 where what happens in one window is forgotten in
        the next, less where it is not or where sequences differ for good. nan where there is one length only, for dead directions,
        and where nothing varies.
    power_stderr : (k,) array, by leaving out stretches of the greatest length in turn
    status : Status
        Code "ok"; "dead_directions": some exponents are -inf; "few": too few windows (less than 32) to tell the power;
        "correlated": the power of the largest exponent is not 1/2, so that the spread of longer windows is not to be had by the
        square root of the length; with ``ok`` False "short": inputs end before the steps asked for, or some sequences have no
        whole window and are left out.
    n_units : int, N
    transient, tangent_transient : int, steps dropped
    driven : bool, whether along inputs that were given: these then are conditional exponents
    ensemble : Ensemble of the network

    Examples
    --------
    80 windows of five steps, and how exponents of longer ones vary:

    >>> import gating_theory as gt
    >>> net = gt.Network.sample(gt.Ensemble(gt.Vanilla, gain=2), 50, rng=0)
    >>> found = gt.finite_time_exponents(net, 5, n_steps=400, rng=1)
    >>> found.n_windows, found.lengths
    (80, array([ 5, 10, 20]))
    """

    windows: np.ndarray = field(repr=False)
    sequence: np.ndarray = field(repr=False)
    window: int
    exponents: np.ndarray
    stderr: np.ndarray
    std: np.ndarray
    lengths: np.ndarray
    std_by_length: np.ndarray = field(repr=False)
    power: np.ndarray
    power_stderr: np.ndarray
    status: Status
    n_units: int
    transient: int
    tangent_transient: int
    driven: bool
    ensemble: Ensemble

    as_dict = dict_of

    def __post_init__(self) -> None:
        for name in ("windows", "sequence", "exponents", "stderr", "std", "lengths", "std_by_length", "power", "power_stderr"):
            getattr(self, name).flags.writeable = False

    @property
    def n_windows(self) -> int:
        """Number of windows."""
        return len(self.windows)

    @property
    def diffusion(self) -> np.ndarray:
        """Length times variance at the greatest length, (k,), 1/step: D of log growths whose variance is D t after t steps.

        Where ``power`` is 1/2 stretches of t steps have exponents with variance D / t, normal near the mean. Moments of the growth,
        which rare windows carry, do not follow from D: mean squares of gradients are ``gradient_growth``'s.
        """
        return self.lengths[-1] * self.std_by_length[-1] ** 2

    def quantiles(self, q: npt.ArrayLike) -> np.ndarray:
        """Quantiles over windows, 1/step.

        Parameters
        ----------
        q : number or array in [0, 1]

        Returns
        -------
        (k,) array, or ``(*shape of q, k)``
        """
        levels = real_array("q", q)
        if (levels < 0.0).any() or (levels > 1.0).any():
            raise ValueError(f"q must lie in [0, 1], got {shown(q)}")
        rank = (self.n_windows - 1) * levels
        low, part = np.floor(rank).astype(int), (rank % 1.0)[..., None]
        ordered = np.sort(self.windows, axis=0)
        first, second = ordered[low], ordered[np.minimum(low + 1, self.n_windows - 1)]
        with np.errstate(invalid="ignore"):  # nothing lies between -inf and -inf
            return np.where(first == second, first, first + part * (second - first))

    def __str__(self) -> str:
        kind = "conditional finite-time" if self.driven else "finite-time"
        name = f"{self.ensemble.cell.name} network, {self.n_units} units"
        lines = [
            f"{self.windows.shape[1]} {kind} exponents of a {name}, {self.n_windows} windows of {self.window} steps, per step:"
        ]
        low, high = self.quantiles([0.05, 0.95])
        for j in range(min(3, self.exponents.size)):
            fall = "" if np.isnan(self.power[j]) else f", sd ~ length^{-self.power[j]:.2f} (+- {self.power_stderr[j]:.2f})"
            lines.append(
                f"  {self.exponents[j]:.5f} +- {self.stderr[j]:.5f}, sd {self.std[j]:.5f}, "
                f"nine of ten in [{low[j]:.5f}, {high[j]:.5f}]{fall}"
            )
        if self.exponents.size > 3:
            lines.append("  ...")
        return "\n".join([*lines, f"  status: {self.status}"])

    def check(self) -> None:
        """ValueError where shapes contradict one another, or exponents are not the means of their windows."""
        n, k = self.windows.shape
        m = self.lengths.size
        for name, low in {"window": 1, "n_units": 1, "transient": 0, "tangent_transient": 0}.items():
            integer(name, getattr(self, name), low=low)
        boolean("driven", self.driven)
        shapes = {name: (k,) for name in ("exponents", "stderr", "std", "power", "power_stderr")}
        require_shapes(self, shapes | {"sequence": (n,), "std_by_length": (m, k)})
        require(n >= 2 and m >= 1, "there must be two windows and one length")
        means = self.windows.mean(axis=0)
        require(np.allclose(means, self.exponents, rtol=1e-9, atol=1e-12), "exponents must be the means of their windows")


@underflow_is_zero
def finite_time_exponents(
    net: Network | DrivenRun | Fed,
    window: int,
    k: int = 1,
    n_steps: int | None = None,
    *,
    inputs: npt.ArrayLike | None = None,
    parameters: npt.ArrayLike | None = None,
    state: npt.ArrayLike | None = None,
    transient: int | None = None,
    tangent_transient: int | None = None,
    rng: Rng = None,
    progress: Wanted = None,
) -> FiniteTimeExponents:
    """Exponents of the k leading perturbations in consecutive windows of time, with their spread over windows and sequences [T5].

    Their means are those of ``lyapunov_spectrum``, by the same walk. Which stretches of an input expand and which contract, and how
    far a stretch of that length may be off, is what they tell more. Windows follow one another and do not overlap.

    Parameters
    ----------
    net : Network, a single one, a layer or recording of one, as for ``lyapunov_spectrum``
    window : int >= 1, steps
    k : int in [1, d N]
    n_steps : int >= 2, optional
        Steps of all windows, of each sequence; rounded up to whole windows for a network by itself. Default 100 windows; along
        given inputs all that are left, rounded down.
    inputs, parameters, state : arrays, optional, as for ``lyapunov_spectrum``
    transient, tangent_transient : int >= 0, optional, as for ``lyapunov_spectrum``
    rng : numpy Generator, int or None
        For the start, the first frame, the noise.
    progress : None, True or callable(done, total), in steps

    Returns
    -------
    FiniteTimeExponents

    Raises
    ------
    TypeError, ValueError
        as for ``lyapunov_spectrum``; less than two windows
    ConvergenceError
        the state runs away; ``estimate`` is the last state

    See Also
    --------
    lyapunov_spectrum : the means of these exponents, many of them

    Examples
    --------
    >>> import gating_theory as gt
    >>> net = gt.Network.sample(gt.Ensemble(gt.Vanilla, gain=2), n_units=50, rng=0)
    >>> found = gt.finite_time_exponents(net, 10, n_steps=400, rng=1)
    >>> found.windows.shape, bool(found.std[0] > found.stderr[0])
    ((40, 1), True)
    """
    window = integer("window", window, low=1)
    check_progress(progress)
    rng = generator(rng)
    frame_rng = np.random.default_rng(rng.integers(2**63))
    with single_blas_thread():
        walks = walks_of(net, inputs, parameters, state, (n_steps, transient, tangent_transient), _WINDOWS * window, rng)
        k = integer("k", k, low=1, high=walks.size)
        counts = [-(-n // window) if walks.run is None else n // window for n in walks.steps]
        if sum(counts) < 2:
            raise ValueError(f"window must leave two windows in the {max(walks.steps)} steps that there are, got {window}")
        short = walks.short
        walks = replace(walks, steps=tuple(count * window for count in counts))
        require_memory(f"windows of n_steps = {walks.n_steps}", 8.0 * 2 * k * walks.n_steps)
        longest = min(_LONGEST, window)
        with Progress(progress, walks.total, "step") as tell:
            found = walks.measure(frame_rng.standard_normal((k, walks.size)), None, longest, tell, window)
    windows = found.logs.reshape(sum(counts), window // found.interval, k).sum(axis=1) / window
    exponents = windows.mean(axis=0)
    order = np.argsort(-exponents, kind="stable")
    windows, exponents = windows[:, order], exponents[order]
    alive = np.isfinite(exponents)
    several = [part for part in np.split(windows[:, alive], np.cumsum(counts)[:-1]) if len(part)]
    factors, spread = _spread(several)
    power, error = (_with_dead(values, alive, np.nan) for values in _power(several, factors))
    return FiniteTimeExponents(
        windows=windows,
        sequence=np.repeat(np.arange(len(counts)), counts),
        window=window,
        exponents=exponents,
        stderr=_with_dead(_error(several), alive, 0.0),
        std=_with_dead(spread[0], alive, np.nan),
        lengths=factors * window,
        std_by_length=_with_dead(spread, alive, np.nan),
        power=power,
        power_stderr=error,
        status=_status(walks, counts, short, alive, power, error),
        n_units=walks.network.n_units,
        transient=walks.transient,
        tangent_transient=walks.tangent_transient,
        driven=walks.run is not None,
        ensemble=walks.network.ensemble,
    )


def _with_dead(values, alive, fill):
    """Values (.., living) with ``fill`` for the dead directions."""
    out = np.full((*values.shape[:-1], alive.size), fill)
    out[..., alive] = values
    return out


def _error(several):
    """Standard errors of the means over windows; of several sequences no less than the scatter of their means says."""
    windows = np.concatenate(several)
    error = block_error(windows, _BLOCKS)
    if len(several) > 1:
        share = np.array([len(part) for part in several])[:, None] / len(windows)
        away = share * (np.array([part.mean(axis=0) for part in several]) - windows.mean(axis=0))
        error = np.maximum(error, np.sqrt((away**2).sum(axis=0) * len(several) / (len(several) - 1)))
    return error


def _merged(several, factor):
    """Means of ``factor`` windows in a row, none across the end of a sequence."""
    whole = [part[: len(part) // factor * factor] for part in several]
    return np.concatenate([part.reshape(len(part) // factor, factor, part.shape[1]).mean(axis=1) for part in whole])


def _spread(several):
    """Factors 1, 2, 4, .. of the window, and standard deviations (m, k) over stretches of these lengths."""
    factors, spread = [1], [_merged(several, 1).std(axis=0, ddof=1)]
    while len(longer := _merged(several, 2 * factors[-1])) >= _LEAST:
        factors.append(2 * factors[-1])
        spread.append(longer.std(axis=0, ddof=1))
    return np.array(factors), np.array(spread)


def _power(several, factors):
    """Power of the fall of standard deviations, and its error by leaving out one stretch of the greatest length after the other."""
    k = several[0].shape[1]
    if factors.size < 2:
        return np.full(k, np.nan), np.full(k, np.nan)
    whole = [part[: len(part) // factors[-1] * factors[-1]] for part in several]
    blocks = np.concatenate([part.reshape(len(part) // factors[-1], factors[-1], k) for part in whole])
    n = len(blocks)
    power = _slope(blocks, factors)
    left_out = np.array([_slope(np.delete(blocks, i, axis=0), factors) for i in range(n)])
    error = np.sqrt((n - 1) / n * ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0))
    return power, error


def _slope(blocks, factors):
    """Least squares of log std over log length, each weighted with the number of stretches behind it."""
    spread = np.array([_merged(list(blocks), factor).std(axis=0, ddof=1) for factor in factors])
    weights = 1.0 / factors
    place = np.log(factors) - (weights * np.log(factors)).sum() / weights.sum()
    with np.errstate(divide="ignore", invalid="ignore"):  # nothing varies: no power
        value = -(weights * place) @ np.log(spread) / (weights @ place**2)
    return np.where((spread > 0.0).all(axis=0), value, np.nan)


def _status(walks, counts, short, alive, power, error):
    """What to know about these numbers; the code is that of the gravest note."""
    notes, code = [], "ok"
    if not alive.all():
        code = "dead_directions"
        notes.append(f"{int((~alive).sum())} exponents are -inf: directions that die")
    if alive.any():
        first = int(np.flatnonzero(alive)[0])
        if np.isnan(power[first]):
            code = "few"
            notes.append(f"{sum(counts)} windows do not say how their spread falls with length")
        elif abs(power[first] - 0.5) > max(_FAR, _SIGMAS * error[first]):
            code = "correlated"
            notes.append(
                f"the spread falls as length^{-power[first]:.2f} (+- {error[first]:.2f}) and not as its root: windows know of one "
                "another, or sequences differ"
            )
    left_out = sum(count == 0 for count in counts)
    if short or left_out:
        code = "short"
        if left_out:
            notes.append(f"{left_out} of {len(counts)} sequences have no whole window and are left out")
        else:
            notes.append(f"the inputs end early: {min(walks.steps)} of the {walks.asked} steps asked for")
    return Status(code, "; ".join(notes), ok=code != "short")
