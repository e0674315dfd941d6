"""How the correlation of two copies of a network comes about, step by step [T8b]."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...cell.cell import second_moment
from ...ensemble.ensemble import Ensemble
from ...ensemble.hyperparameters import LARGEST
from ...errors import CapabilityError
from ...results.encoding import dict_of, require, require_shapes, result
from ...results.status import Status
from ...running.progress import Progress, check_progress
from ...support.arithmetic import underflow_is_zero
from ...support.checks import boolean, choice, generator, instance, integer, real, reals
from ...support.types import Progress as Wanted
from ...support.types import Rng
from .closed_form import closed_form, gated_form
from .drives import Drives
from .gate_paths import gate_sizes
from .pair_recursion import gated_rows, pair_rows
from .population import over_networks, population_sizes
from .shared_network import SharedNetwork

__all__ = ["CorrelationTransient", "correlation_transient"]

#: The two copies' second moments and what they have in common, of rows (a, b).
_PAIRS = ((0, 0), (1, 1), (0, 1))
_METHODS = ("pairs", "gates", "sites")


@result("correlation_transient")
@dataclass(frozen=True)
class CorrelationTransient:
    """Two copies of an infinite network at times 0 .. n_steps [T8b]; ``times`` against ``correlation["h"]`` is ready to be plotted.

    Attributes
    ----------
    ensemble : Ensemble
    n_steps : int
    c0 : float, correlation of the states at time 0
    amplitude : (float, float), second moments of the two copies' states at time 0
    rho_in : float, correlation of their white inputs
    tied : bool, whether every step has the same recurrent matrices
    method : str, "pairs", "gates" or "sites"
    correlation : dict, {message name: (n_steps + 1,) array}
        E m^1 m^2 / (E m^1^2 E m^2^2)^(1/2), not centred; nan where a message vanishes.
    moments : dict, {message name: (2, n_steps + 1) array}, E m^2 of each copy
    stderr, moments_stderr : dicts, standard errors of these; zeros where averages over pairs are exact, to about 1e-12
    status : Status, "exact" or "sampled"

    Examples
    --------
    A chaotic vanilla network takes its two copies apart, step by step:

    >>> import gating_theory as gt
    >>> found = gt.correlation_transient(gt.Ensemble(gt.Vanilla, gain=2), 5, c0=0.5)
    >>> found.times, found.correlation["h"].round(3)
    (array([0, 1, 2, 3, 4, 5]), array([0.5  , 0.432, 0.383, 0.342, 0.304, 0.271]))
    """

    ensemble: Ensemble
    n_steps: int
    c0: float
    amplitude: tuple[float, float]
    rho_in: float
    tied: bool
    method: str
    correlation: dict[str, np.ndarray] = field(repr=False)
    moments: dict[str, np.ndarray] = field(repr=False)
    stderr: dict[str, np.ndarray] = field(repr=False)
    moments_stderr: dict[str, np.ndarray] = field(repr=False)
    status: Status

    as_dict = dict_of

    @property
    def times(self) -> np.ndarray:
        """0 .. n_steps, in steps."""
        return np.arange(self.n_steps + 1)

    @property
    def ok(self) -> bool:
        """Whether the numbers are what their errors say."""
        return self.status.ok

    def check(self) -> None:
        """ValueError where names or shapes contradict the ensemble and the number of steps."""
        names, T = self.ensemble.cell.message_names, self.n_steps + 1
        for name, lead in [("correlation", ()), ("stderr", ()), ("moments", (2,)), ("moments_stderr", (2,))]:
            table = getattr(self, name)
            require(tuple(table) == names, f"{name} must be those of {list(names)}, got {list(table)}")
            found = {np.shape(row) for row in table.values()}
            require(found == {(*lead, T)}, f"{name} must have shape {(*lead, T)}, got {sorted(found)}")
        require(self.method in _METHODS, f"method must be one of {list(_METHODS)}, got {self.method!r}")
        require_shapes(self, {"amplitude": (2,)})

    def __str__(self) -> str:
        name = self.ensemble.cell.message_names[0]
        c, m2 = self.correlation[name], self.moments[name][0]
        error = "" if self.method == "pairs" else f" +- {self.stderr[name][-1]:.1g}"
        weights = "tied" if self.tied else "untied"
        return (
            f"{self.ensemble.cell.name}, two copies in {self.n_steps} steps, weights {weights} ({self.status}): correlation of "
            f"{name} from {c[0]:.5g} to {c[-1]:.5g}{error}, {second_moment(name)} from {m2[0]:.5g} to {m2[-1]:.5g}"
        )


@underflow_is_zero
def correlation_transient(
    ensemble: Ensemble,
    n_steps: int,
    c0: float = 0.0,
    amplitude: float | tuple[float, float] = 1.0,
    rho_in: float = 1.0,
    tied: bool = True,
    *,
    method: str = "auto",
    n_sites: int = 20_000,
    rng: Rng = 0,
    progress: Wanted = None,
) -> CorrelationTransient:
    """The correlation of two copies of one infinite network from a given start [T8b].

    Both have the same matrices, biases and site parameters, and normal states at time 0. Moments at all pairs of times determine
    the next; there is no map from one correlation to the next for cells that remember (see :func:`correlation_map`). Three ways:

    - "pairs": averages over pairs of normal numbers, exact to about 1e-12; where leaks do not change in time and functions are
      smooth: vanilla networks, the GRU where nothing moves z, though its biases may differ from unit to unit. Cost n_steps^2.
    - "gates": the same given paths of one gate on which leaks depend, which are sampled: GRU, LiGRUTanh, MGU, JANET, the GRU with
      reset after; errors are a tenth of those of as many sites, and less
    - "sites": sampled networks without their matrices, any cell

    Parameters
    ----------
    ensemble : Ensemble
        Its ``input_std`` is that of white input.
    n_steps : int >= 0
    c0 : float from -1 to 1, correlation of the states at time 0
    amplitude : float > 0, or one for each copy
        Second moments of the states at time 0; of cells with several state variables each has it.
    rho_in : float from -1 to 1, correlation of the copies' white inputs; 1 is common input
    tied : bool
        The same recurrent matrices in every step. False: fresh ones at each, the same for both copies, as signal propagation
        often assumes. For vanilla networks that makes no difference at equal times; for gated ones it does.
    method : "auto", "pairs", "gates" or "sites"
        "auto" takes the first of them that the ensemble allows.
    n_sites : int >= 100, paths of a gate, or sites of all sampled networks together
    rng : numpy Generator, int or None
    progress : None, True (a bar) or callable(done, total)

    Returns
    -------
    CorrelationTransient

    Raises
    ------
    TypeError, ValueError
        bad arguments
    CapabilityError
        Laws of matrices without a dynamic mean field; "pairs" or "gates" where averages over pairs do not close, or functions
        are so steep that their series miss more than 1e-7 of a variance.
    ConvergenceError
        sampled networks run away

    See Also
    --------
    correlation_map : one step, for cells without memory
    nngp_kernel : correlations under given sequences

    Examples
    --------
    A vanilla network of gain 1.5 draws two copies apart, one with strong white input in common together:

    >>> import gating_theory as gt
    >>> free = gt.correlation_transient(gt.Ensemble(gt.Vanilla, gain=1.5), 4, c0=0.9)
    >>> driven = gt.correlation_transient(gt.Ensemble(gt.Vanilla, gain=1.5, input_std=1), 4, c0=0.9)
    >>> print(free.correlation["h"].round(3), driven.correlation["h"].round(3))
    [0.9   0.871 0.85  0.831 0.813] [0.9   0.902 0.925 0.944 0.959]
    """
    instance("ensemble", ensemble, Ensemble).require("dynamics", "correlation_transient", "Network.sample and Network.run")
    n_steps, c0 = integer("n_steps", n_steps), real("c0", c0, low=-1.0, high=1.0)
    first, second = _amplitudes(amplitude)
    boolean("tied", tied), choice("method", method, ("auto", *_METHODS))
    check_progress(progress)
    n_sites, rng = integer("n_sites", n_sites, low=100), generator(rng)
    drives = Drives.white_pair(ensemble, n_steps + 1, rho_in)  # with the fields of the last time, which messages may feel
    both = c0 * np.sqrt(first * second)
    start = np.array([[first, both], [both, second]])
    asked = _Asked(ensemble, drives, start, tied, n_sites, rng, progress)
    used, found = asked.by_the_first() if method == "auto" else (method, asked.by(method))
    words = {"pairs": "exact", "gates": f"sampled, {n_sites} paths of a gate", "sites": f"sampled, {n_sites} sites"}[used]
    status = Status(words.partition(",")[0], words)
    correlation, moments, stderr, moments_stderr = (dict(zip(ensemble.cell.message_names, values)) for values in found)
    return CorrelationTransient(
        ensemble,
        n_steps,
        c0,
        (first, second),
        float(rho_in),
        tied,
        used,
        correlation,
        moments,
        stderr,
        moments_stderr,
        status,
    )


def _amplitudes(amplitude: Any) -> tuple[float, float]:
    if np.ndim(amplitude) == 0:
        first = second = _amplitude("amplitude", amplitude)
        return first, second
    pair = reals("amplitude", amplitude, "first copy", "second copy")
    return _amplitude("amplitude[0]", pair[0]), _amplitude("amplitude[1]", pair[1])


def _amplitude(name: str, value: object) -> float:
    return real(name, value, low=0.0, high=LARGEST, open_low=True)


@dataclass(frozen=True)
class _Asked:
    """What is asked for; answers are (correlations, moments, their errors) of the distinct messages."""

    ensemble: Ensemble
    drives: Drives
    start: np.ndarray
    tied: bool
    n_sites: int
    rng: np.random.Generator
    progress: Wanted

    def by_the_first(self):
        """(method, answer) of the first method that there is."""
        ways = {"pairs": closed_form(self.ensemble, self.drives), "gates": gated_form(self.ensemble, self.drives, 2)}
        for method in (method for method, form in ways.items() if form is not None):
            with suppress(CapabilityError):  # functions may turn out to be too steep on the way
                return method, self.by(method)
        return "sites", self.by("sites")

    def by(self, method):
        """The answer of one method."""
        if method == "pairs":
            with Progress(self.progress, self.drives.n_steps, "step") as tell:
                each = [self.moments(pair_rows(self.ensemble, self.drives, self.start, self.tied), tell)]
            return _correlation(each[0]), each[0][:, :2], *(np.zeros_like(x) for x in (each[0][:, 0], each[0][:, :2]))
        n, count = (population_sizes if method == "sites" else gate_sizes)(self.n_sites)
        one = {"sites": self.of_network, "gates": self.of_gates}[method]
        return _answer(np.array(list(over_networks(lambda own: one(n, own), count, self.rng, self.progress))))

    def of_gates(self, n_paths, rng):
        """(n, 3, times) moments given some paths of a gate."""
        return self.moments(gated_rows(self.ensemble, self.drives, self.start, self.tied, n_paths=n_paths, rng=rng))

    def of_network(self, n, rng):
        """The same of one network of n units."""
        run = SharedNetwork(self.ensemble, self.drives, n, rng, self.tied).run(self.start)
        each = [[[m[a] @ m[b] / n for a, b in _PAIRS] for m in now.messages] for now in run if now.messages]
        return np.array(each).transpose(1, 2, 0)

    def moments(self, rows, tell=None):
        """The same of rows of two copies."""
        tables = []
        for row in rows:
            if row.messages:
                tables.append([[m[a, -1, b] for a, b in _PAIRS] for m in row.messages.values()])
                if tell is not None:
                    tell(1)
        return np.array(tables).transpose(1, 2, 0)


def _answer(each):
    """Of moments (groups, n, 3, times): what each group left out in turn changes is the error."""
    count, mean = len(each), each.mean(axis=0)
    without = (count * mean - each) / (count - 1)
    errors = [_jackknife(values) for values in (_correlation(without), without[:, :, :2])]
    return _correlation(mean), mean[:, :2], *errors


def _jackknife(without):
    """The standard error of a number from what it would be without each of the networks."""
    count = len(without)
    return np.sqrt((count - 1) * np.square(without - without.mean(axis=0)).mean(axis=0))


def _correlation(moments):
    """Of moments (.., 3, times); nan where a message vanishes."""
    first, second, both = (moments[..., i, :] for i in range(3))
    size = np.sqrt(first) * np.sqrt(second)
    return np.clip(np.divide(both, size, out=np.full_like(both, np.nan), where=size > 0.0), -1.0, 1.0)
