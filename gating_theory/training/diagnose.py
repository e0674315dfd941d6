"""What the weights of a gated network do: timescales, stability, gradients, and how far they are from random ones [T3, T5, T6]."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..cell import builtin
from ..dynamics.steady_state import steady_state
from ..ensemble.ensemble import Ensemble
from ..ensemble.sites import Sites
from ..errors import CapabilityError, ConvergenceError
from ..gradients.growth import gradient_growth
from ..interop import readers
from ..mean_field.fixed_points import fixed_points, zero_state
from ..networks.end_states import EndStates, end_states
from ..networks.network import Network
from ..networks.weight_statistics import WeightOrigin, WeightStatistics, shuffled, weight_origin, weight_overlaps, weight_statistics
from ..results.encoding import require, require_shapes, result
from ..results.status import Status
from ..running.progress import Progress, check_progress
from ..spectrum.spectrum import Spectrum
from ..support.arithmetic import underflow_is_zero
from ..support.available_memory import require_memory
from ..support.checks import generator, integer, real, real_array
from ..support.types import Progress as Wanted
from ..support.types import Rng
from .gradients import DiagnosedGradients, backwards, forwards, lags_of, power, theory_along
from .memory import remembering

if TYPE_CHECKING:
    from os import PathLike

    import numpy.typing as npt

__all__ = ["Diagnosis", "ModeSummary", "diagnose"]

#: Sequences along which tangent vectors and gradients are followed, and steps of a run without input.
_SEQUENCES = 4
_FREE_STEPS = 100
#: Starts from which it is seen where a network ends, and the amplitudes of those that are drawn at random.
_STARTS, _AMPLITUDES = 64, (0.3, 3.0)
#: The random network that theory under input looks at.
_UNITS_UNDER_INPUT, _STEPS_UNDER_INPUT = 2000, 150
#: Tolerance of masses: far below the counting error of any network that is diagonalised.
_TOL = 1e-3
#: Discs in which eigenvalues are compared with theory, by the share of them that they hold.
_QUANTILES = (0.1, 0.3, 0.5, 0.7, 0.9)
#: log10 of a mean square that is far from that of an isometry, so that a better initialisation is told.
_FAR = 3.0
#: Steps of the longest run that a better initialisation is told for.
_LONGEST_DESIGN = 1000


@result("mode_summary")
@dataclass(frozen=True)
class ModeSummary:
    """Modes of the state-to-state Jacobian, averaged over the states looked at.

    Attributes
    ----------
    slowest : float, steps: -1 / log(radius); inf where modes grow on average
    radius, abscissa : float, largest modulus and largest real part of the eigenvalues, means over the states
    slow_fraction : dict, {tau: fraction of modes slower than tau steps, growing ones included}
    gain_margin : float or None
        Factor on all recurrent weights at which, the activity held, modes at lambda = 1 lose stability: edge_function(1)^(-1/2)
        [T3]. Above 1 the state is stable there. None for counted eigenvalues.
    """

    slowest: float
    radius: float
    abscissa: float
    slow_fraction: dict[float, float]
    gain_margin: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; what is infinite as None."""
        plain = {"slowest": self.slowest, "radius": self.radius, "abscissa": self.abscissa, "gain_margin": self.gain_margin}
        plain = {k: v if v is None or math.isfinite(v) else None for k, v in plain.items()}
        return plain | {"slow_fraction": {f"{tau:g}": value for tau, value in self.slow_fraction.items()}}


@result("diagnosis")
@dataclass(frozen=True, repr=False)
class Diagnosis:
    """A report on the recurrent weights of a network, made by :func:`diagnose`. Printing it gives the text.

    Attributes
    ----------
    source : str, what was read
    network : Network, at zero input
    ensemble : Ensemble
        That of ``network``, same gains, means and spreads of biases, with the law that theory assumes for its matrices: iid normal
        entries where the network's own is not known (that of orthogonal initialisations is).
    weights : dict, {field: WeightStatistics}
    overlaps : dict, {(field, field): correlation of their matrices' entries}
    origin : WeightOrigin, whether the weights look as initialised or as trained, and how sure that is
    driven : bool, whether the states were taken along given inputs
    n_states, n_steps, n_sequences : int, states looked at, length of the run, how many runs or input sequences
    eigenvalues : (S, d N) complex array, of the exact Jacobians at these states
    actual : ModeSummary of these eigenvalues
    from_sites : ModeSummary by theory, from the sites of the same states and the gains: what matrices of the assumed law would give
        there
    shuffled : ModeSummary of the eigenvalues with the entries of each matrix shuffled, at the states this network visits
    random : ModeSummary or None, by mean-field theory, of the ensemble at zero input, at the fixed point with the largest moments
    random_driven : ModeSummary or None
        By theory at the states of a large random network of these gains and biases, under white input as strong as the real one
        (``Recording.driven_ensemble``); None without inputs, or where that network did not come to a steady state.
    random_lyapunov, input_correlation : float
        Largest exponent of that network; correlation of real inputs at one step and the next, 0 where they are white.
    lyapunov, lyapunov_stderr : float
        Largest Lyapunov exponent per step along the run, with its standard error over sequences (nan for a single one).
    gradient : dict, {lag: mean natural log of the factor by which a random gradient has grown that many steps back}
        What is typical; the mean square of the factor, which theory gives, is larger, for few gradients make most of it.
    gradients : DiagnosedGradients, mean squares by lag: measured, by theory, and with shuffled weights
    structure : float
        What is learned beyond gains and biases: the largest difference between the fraction of eigenvalues counted in discs
        around 0 and that of theory from the same sites; the discs hold 10, 30, 50, 70 and 90 % of the eigenvalues.
    structure_shuffled : float
        The same for the shuffled matrices, at the states they visit: what finite size alone gives.
    ends : EndStates or None
        Where the network ends without input (a Network with its frozen one) from states that it visits along the inputs, or from
        random ones: its attractors. None where small differences grow along the run, or a state runs away.
    advice : list of str
    status : Status
        Code "ok" or, with ``ok`` False, "incomplete"; the words then say what could not be computed.
    sites : Sites, of all states looked at
    """

    source: str
    network: Network = field(repr=False)
    ensemble: Ensemble
    weights: dict[str, WeightStatistics]
    overlaps: dict[tuple[str, str], float]
    origin: WeightOrigin
    driven: bool
    n_states: int
    n_steps: int
    n_sequences: int
    eigenvalues: np.ndarray = field(repr=False)
    shuffled_eigenvalues: np.ndarray = field(repr=False)
    actual: ModeSummary
    from_sites: ModeSummary
    shuffled: ModeSummary
    random: ModeSummary | None
    lyapunov: float
    lyapunov_stderr: float
    gradient: dict[int, float]
    gradients: DiagnosedGradients
    structure: float
    structure_shuffled: float
    ends: EndStates | None
    advice: list[str]
    status: Status
    sites: Sites = field(repr=False)
    random_driven: ModeSummary | None = None
    random_lyapunov: float = math.nan
    input_correlation: float = math.nan

    @cached_property
    def spectrum(self) -> Spectrum:
        """Spectrum of the sites: what matrices of the law that ``ensemble`` assumes would give there [T4]."""
        return Spectrum(self.sites)

    @property
    def assumes(self) -> str:
        """What theory assumes of matrices of which nothing is known, in words; empty where their law is known."""
        unknown = self.network.ensemble != self.ensemble
        return "theory assumes iid normal matrices of these gains" if unknown else ""

    def check(self) -> None:
        """ValueError where eigenvalues are not those of as many states, or parts are of different ensembles."""
        shape = (self.n_states, self.network.cell.n_state * self.network.n_units)
        require_shapes(self, {"eigenvalues": shape, "shuffled_eigenvalues": shape})
        # the same but for the law of the matrices, which theory assumes and given weights do not say
        assumed = self.network.ensemble.with_matrices(self.ensemble.matrices)
        require(assumed == self.ensemble, "the network is of another ensemble")

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready: all but matrices and sites (``gt.save`` keeps these too); eigenvalues as pairs of real and imaginary part."""
        return {
            "kind": "diagnosis",
            "source": self.source,
            "n_units": self.network.n_units,
            "ensemble": self.ensemble.as_dict(),
            "assumes": self.assumes,
            "weights": {name: statistics.as_dict() for name, statistics in self.weights.items()},
            "overlaps": {" ".join(pair): value for pair, value in self.overlaps.items()},
            "origin": self.origin.as_dict(),
            "driven": self.driven,
            "n_states": self.n_states,
            "n_steps": self.n_steps,
            "n_sequences": self.n_sequences,
            "actual": self.actual.as_dict(),
            "from_sites": self.from_sites.as_dict(),
            "shuffled": self.shuffled.as_dict(),
            "random": None if self.random is None else self.random.as_dict(),
            "structure": _finite(self.structure),
            "structure_shuffled": _finite(self.structure_shuffled),
            "random_driven": None if self.random_driven is None else self.random_driven.as_dict(),
            "random_lyapunov": _finite(self.random_lyapunov),
            "input_correlation": _finite(self.input_correlation),
            "lyapunov": _finite(self.lyapunov),
            "lyapunov_stderr": _finite(self.lyapunov_stderr),
            "gradient": {str(lag): _finite(value) for lag, value in self.gradient.items()},
            "gradients": self.gradients.as_dict(),
            "ends": None if self.ends is None else {"hits": self.ends.hits.tolist(), "n_moving": self.ends.n_moving},
            "advice": list(self.advice),
            "status": str(self.status),
            "eigenvalues": [[[z.real, z.imag] for z in row] for row in self.eigenvalues.tolist()],
        }

    def __str__(self) -> str:
        return _text(self)

    def __repr__(self) -> str:
        ends = "" if self.ends is None else f", {_count(len(self.ends), 'end state')}"
        mode = f"slowest mode {_steps(self.actual.slowest)} steps" if math.isfinite(self.actual.slowest) else "modes that grow"
        return f"Diagnosis({self.source}: {mode}, exponent {self.lyapunov:.3g}, {self.origin.code} weights{ends}; print it)"


@underflow_is_zero
def diagnose(
    source: Network | str | PathLike | Mapping[str, Any] | Any,
    inputs: npt.ArrayLike | None = None,
    *,
    layer: int = 0,
    direction: str = "forward",
    prefix: str | None = None,
    kind: str | None = None,
    nonlinearity: str | None = None,
    batch_first: bool | None = None,
    n_states: int = 8,
    taus: float | Sequence[float] = (10, 100, 1000),
    rng: Rng = 0,
    progress: Wanted = None,
) -> Diagnosis:
    """What the weights of a gated network do to its memory and its gradients, beside what random weights of the same size would do.

    Timescales are those of the exact Jacobian at states of the network, along real inputs if given, else after a free run; theory
    is evaluated at the same states from the gains alone [T3, T4], and at the mean-field fixed point of the random ensemble with the
    same gains and biases [T5]. The difference between the first two is structure in the weights. Theory is that of iid matrices, or
    of orthogonal ones where the weights are as an orthogonal initialiser draws them [T10].

    Weights are told from initialisations by what shuffling their entries destroys. Where small differences shrink, the network is
    also run without input from the states that it visits, and the distinct states in which it ends are counted: what it tells
    apart for ever it holds in attractors, however fast its modes are. Advice for initialisations is not given to trained networks.

    Parameters
    ----------
    source : PyTorch module, state dict, path of a checkpoint (see ``gating_theory.interop.torch.read``), or Network
        Whatever one of ``gating_theory.interop.readers`` knows.
    inputs : array or tensor (T, I) or (T, B, I), optional
        Input sequences; (B, T, I) with ``batch_first``, which modules know of themselves. Not for a Network, which has its
        frozen input.
    layer, direction, prefix, kind, nonlinearity, batch_first : as for ``read``
    n_states : int >= 1
        States looked at, spread over sequences and the last three quarters of their time. Diagonalising costs O((d N)^3).
    taus : sequence of positive numbers, steps
    rng : numpy Generator, int or None
        For the choice of states, the start of a free run, the shuffled matrices.
    progress : None, True or callable(done, total)

    Returns
    -------
    Diagnosis

    Raises
    ------
    TypeError, ValueError, FileNotFoundError
        What cannot be read, inputs of another shape, numbers out of range, a hidden size of one.
    ImportError : PyTorch is missing, and ``source`` is not a Network
    ConvergenceError : the state runs away (ReLU)
    """
    n_states = integer("n_states", n_states, low=1)
    taus = tuple(real("taus", tau, low=0.0, open_low=True) for tau in np.atleast_1d(real_array("taus", taus)).ravel().tolist())
    check_progress(progress)
    rng = generator(rng)
    if isinstance(source, Network):
        if inputs is not None:
            raise ValueError("inputs cannot be given with a Network: it has its own frozen input (Network.driven)")
        _require_several(source)
        name, run = f"{source.cell.name} network", _free_run(source, rng)
        other = _free_run(shuffled(source, rng), rng)
    else:
        weights = readers.read(source, prefix=prefix, kind=kind, nonlinearity=nonlinearity, batch_first=batch_first)
        part = weights.layer(layer, direction)
        name = part.name
        _require_several(part.network)
        if inputs is None:
            run, other = _free_run(part.network, rng), _free_run(shuffled(part.network, rng), rng)
        else:
            recording = weights.record(inputs, layer, direction)
            run = _Run(part.network, recording.states, recording.at)
            twin = part.with_network(shuffled(part.network, rng)).record(recording.inputs)
            other = _Run(twin.layer.network, twin.states, twin.at)
    fed = None if inputs is None else recording.driven_ensemble()
    return _Report(name, run, other, fed, taus, rng).make(n_states, progress)


def _require_several(network):
    """ValueError for a single unit: what theory says of many is nothing to compare it with."""
    if network.n_units < 2:
        raise ValueError(f"source has a hidden size of {network.n_units}: theory is about many units, at least 2 are needed")


class _Run:
    """States (T + 1, B, d, N) of a network, and ``at(times, sequences)``: the network under its input there, and its states."""

    def __init__(self, network, states, at):
        self.network, self.states, self.at = network, states, at
        self.n_steps, self.n_sequences = states.shape[0] - 1, states.shape[1]


def _free_run(net, rng):
    """A run without input after a transient, from a random state."""
    if net.batch is not None:
        raise ValueError(f"source must be a single network, got a batch of {net.batch}")
    state = net.run(net.random_state(rng), 2 * _FREE_STEPS, input="frozen")
    states = net.run(state, _FREE_STEPS, input="frozen", trajectory=True)[:, None]

    def at(times, sequences):
        return net.driven(np.broadcast_to(net.input, (len(times), *net.input.shape))), states[times, sequences]

    return _Run(net, states, at)


class _Report:
    def __init__(self, name, run, other, fed, taus, rng):
        self.name, self.run, self.other, self.fed, self.taus, self.rng = name, run, other, fed, taus, rng
        self.driven = fed is not None
        self.notes, self.warnings = [], []

    def make(self, n_states, progress):
        run, net = self.run, self.run.network
        first = min(run.n_steps // 4, run.n_steps - 1) if self.driven else 0
        require_memory(f"n_states = {n_states} and their eigenvalues", 16.0 * 4 * n_states * net.cell.n_state * net.n_units)
        times = np.linspace(first, run.n_steps - 1, n_states).round().astype(int)
        sequences = self.rng.permutation(np.arange(n_states) % run.n_sequences)
        followed = min(_SEQUENCES, run.n_sequences)
        with Progress(progress, 3 * n_states + 3 * followed + 4, "state") as tell:
            tell.note("eigenvalues")
            values, sites = self.eigenvalues(run, times, sequences, tell)
            tell.note("eigenvalues with shuffled weights")
            twins, twin_sites = self.eigenvalues(self.other, times, sequences, tell)
            tell.note("gradients")
            growth, lags = forwards(run, followed, self.rng), lags_of(run.n_steps)
            back, twin_back = (backwards(each, followed, self.rng, tell) for each in (run, self.other))
            gradients = DiagnosedGradients(
                back.mean_square(lags), twin_back.mean_square(lags), *theory_along(run, followed, lags, tell)
            )
            # nothing is known of the law of given weights: theory assumes iid normal ones, and the text says so
            ensemble = net.ensemble.assuming("iid")
            spectra = [Spectrum(s) for s in sites]
            tell.note("theory at the states")
            from_sites = []
            for spectrum in spectra:
                from_sites.append(self.theory(spectrum))
                tell(1)
            tell.note("effect of structure")
            structure = []
            for found, theory in ((values, spectra), (twins, [Spectrum(s) for s in twin_sites])):
                structure.append(self.structure(found, theory))
                tell(1)
            tell.note("theory of the ensemble")
            random = self.mean_field(ensemble)
            under_input, exponent = self.under_input() if self.driven else (None, math.nan)
            tell(1)
            ends = self.ends(first) if np.mean(growth) <= 0.0 else None
            tell(1)
        pooled = Sites.pooled(sites, "recorded network" if self.driven else "network")
        n = len(growth)
        result = Diagnosis(
            source=self.name,
            network=net,
            ensemble=ensemble,
            weights=weight_statistics(net),
            overlaps=weight_overlaps(net),
            origin=weight_origin(net, self.rng),
            driven=self.driven,
            n_states=n_states,
            n_steps=run.n_steps,
            n_sequences=run.n_sequences,
            eigenvalues=values,
            shuffled_eigenvalues=twins,
            actual=self.counted(values),
            from_sites=_mean_summary([s for s in from_sites if s is not None]),
            shuffled=self.counted(twins),
            random=random,
            lyapunov=float(np.mean(growth)),
            lyapunov_stderr=float(np.std(growth, ddof=1) / np.sqrt(n)) if n > 1 and np.isfinite(growth).all() else float("nan"),
            gradient=back.typical(lags),
            gradients=gradients,
            structure=structure[0],
            structure_shuffled=structure[1],
            ends=ends,
            advice=[],
            status=Status("incomplete", "; ".join(self.notes), ok=False) if self.notes else Status("ok"),
            sites=pooled,
            random_driven=under_input,
            random_lyapunov=exponent,
            input_correlation=self.fed[1] if self.driven else math.nan,
        )
        return replace(result, advice=[*_advice(result), *_better_gradients(result), *self.warnings])

    def eigenvalues(self, run, times, sequences, tell):
        values, sites = [], []
        for t, b in zip(times.tolist(), sequences.tolist()):  # one by one: a batch of Jacobians of a large LSTM fills the memory
            net, state = run.at([t], [b])
            values.append(net.eigenvalues(state)[0])
            sites.append(net.sites(state))
            tell(1)
        return np.array(values), sites

    def counted(self, values):
        modulus = np.abs(values)
        slow = {tau: float(np.mean(modulus > np.exp(-1.0 / tau))) for tau in self.taus}
        radius = float(modulus.max(axis=1).mean())
        return ModeSummary(_timescale(radius), radius, float(values.real.max(axis=1).mean()), slow)

    def theory(self, spectrum):
        """What matrices of the law assumed give at these sites; None where it cannot be had."""
        try:
            radius = spectrum.radius()
            slow = dict(zip(self.taus, np.asarray(spectrum.slow_fraction(self.taus, _TOL)).tolist()))
            edge = spectrum.edge_function(1.0)
            return ModeSummary(_timescale(radius), radius, spectrum.abscissa(), slow, float(edge**-0.5) if edge > 0 else math.inf)
        except (CapabilityError, ConvergenceError) as error:
            self.notes.append(f"theory from sites failed at a state: {error}")
            return None

    def of_limit(self, spectrum):
        """Theory of an infinite network, with a warning where that does not describe one of this size."""
        found = self.theory(spectrum)
        limit = spectrum.concentration(self.run.network.n_units).status
        if not limit.ok:
            self.warnings.append(f"{limit}: do not rely on the column 'theory, ensemble'")
        return found

    def structure(self, values, spectra):
        modulus = np.abs(values)
        radii = np.quantile(modulus, _QUANTILES)
        radii = np.unique(radii[radii > 1e-9])
        try:
            theory = np.mean([spectrum.mass(0.0, radii, _TOL) for spectrum in spectra], axis=0)
        except (CapabilityError, ConvergenceError) as error:
            self.notes.append(f"the effect of structure is not known: {error}")
            return math.nan
        found = np.array([np.mean(modulus < radius) for radius in radii])
        return float(np.max(np.abs(found - theory), initial=0.0))

    def mean_field(self, ensemble):
        try:
            points = fixed_points(ensemble)
            return self.of_limit(Spectrum(points[-1], tol=_TOL)) if points else None
        except (CapabilityError, ConvergenceError) as error:
            self.notes.append(f"no mean field of the random ensemble: {error}")
            return None

    def under_input(self):
        """(theory, largest exponent) of a large random network under white input as strong as the real one, or (None, nan)."""
        ensemble = self.fed[0].assuming("iid")
        try:
            state = steady_state(ensemble, _UNITS_UNDER_INPUT, _STEPS_UNDER_INPUT, rng=self.rng, lyapunov_units=_UNITS_UNDER_INPUT)
            if not state.ok:
                self.notes.append(f"no steady state of random networks under input: {state.status}")
                return None, math.nan
            return self.theory(Spectrum(state)), float(state.lyapunov)
        except (CapabilityError, ConvergenceError) as error:
            self.notes.append(f"no steady state of random networks under input: {error}")
            return None, math.nan

    def ends(self, first):
        """Where the network ends without input, from visited states or, where there were no inputs, random ones."""
        run, net = self.run, self.run.network
        if self.driven:
            visited = run.states[first + 1 :].reshape(-1, *run.states.shape[2:])
            starts = visited[self.rng.permutation(len(visited))[:_STARTS]]
        else:
            low, high = np.log(_AMPLITUDES)
            sizes = np.exp(self.rng.uniform(low, high, _STARTS))
            starts = np.array([net.random_state(self.rng, float(size)) for size in sizes])
        try:
            return end_states(net, starts)
        except ConvergenceError as error:
            self.notes.append(f"where the network ends is not known: {error}")
            return None


def _timescale(radius):
    return math.inf if radius >= 1.0 else -1.0 / math.log(radius) if radius > 0.0 else 0.0


def _mean_summary(rows):
    if not rows:
        raise ConvergenceError("theory could not be evaluated at any of the states")
    radius = float(np.mean([r.radius for r in rows]))
    slow = {tau: float(np.mean([r.slow_fraction[tau] for r in rows])) for tau in rows[0].slow_fraction}
    margin = float(np.mean([r.gain_margin for r in rows]))
    return ModeSummary(_timescale(radius), radius, float(np.mean([r.abscissa for r in rows])), slow, margin)


def _finite(value):
    return value if math.isfinite(value) else None


# --- text


#: What the columns and the last row of the table of modes are.
_LEGEND = (
    "actual: eigenvalues of the Jacobian; theory, its sites: what random weights of the same gains give at the same states",
    "shuffled: eigenvalues with the entries of each matrix shuffled; gain margin: all recurrent weights times this become unstable",
)
#: Distance from one below which a radius is told by it, and a gain margin below which modes are far from stable.
_CLOSE, _LEAST_MARGIN = 5e-4, 0.01


def _steps(value):
    return "grows" if math.isinf(value) else f"{value:.3g}"


def _radius(value):
    """A modulus, or where that would be rounded to one its distance."""
    gap = 1.0 - value
    return f"{value:.4f}" if abs(gap) >= _CLOSE else "1" if gap == 0.0 else f"1 {'-' if gap > 0 else '+'} {abs(gap):.1e}"


def _margin(value):
    if value is None:
        return "-"
    return f"below {_LEAST_MARGIN}" if value < _LEAST_MARGIN else "any" if math.isinf(value) else f"x {value:.3g}"


def _count(number, what):
    return f"{number} {what}{'' if number == 1 else 's'}"


def _text(d):
    net = d.network
    along = f"along {_count(d.n_sequences, 'input sequence')} of {_count(d.n_steps, 'step')}" if d.driven else "without input"
    lines = [f"{d.source}: {net.n_units} units, cell {net.cell.name}, {along}"]
    lines += ["", "recurrent weights        gain    bias  spread  kurtosis  radius/gain  norm/gain  symmetry  outliers"]
    bias, spread = d.ensemble.bias, d.ensemble.bias_std
    for name, w in d.weights.items():
        lines.append(
            f"  field {name:<16}{w.gain:>7.3f} {bias[name]:>7.3f} {spread[name]:>7.3f} {w.excess_kurtosis:>9.2f} {w.radius:>12.3f} "
            f"{w.norm:>10.3f} {w.symmetry:>9.3f} {len(w.outliers):>9d}"
        )
    for name, value in d.ensemble.parameter.items():
        lines.append(f"  parameter {name:<19} {value:>7.3f} {d.ensemble.parameter_std[name]:>7.3f}")
    lines.append(f"  iid normal matrices give {0.0:>29.2f} {1.0:>12.3f} {2.0:>10.3f} {0.0:>9.3f} {0:>9d}")
    lines.append(f"  {d.origin}")
    columns = {"actual": d.actual, "theory, its sites": d.from_sites, "shuffled": d.shuffled}
    if d.random is not None:
        columns["theory, ensemble"] = d.random
    if d.random_driven is not None:
        columns["theory, driven"] = d.random_driven
    lines += ["", f"modes (mean, {_count(d.n_states, 'state')})".ljust(26) + "".join(f"{name:>19}" for name in columns)]

    def row(label, values):
        lines.append(f"  {label:<24}" + "".join(f"{value:>19}" for value in values))

    row("slowest mode (steps)", [_steps(c.slowest) for c in columns.values()])
    row("spectral radius", [_radius(c.radius) for c in columns.values()])
    row("spectral abscissa", [_radius(c.abscissa) for c in columns.values()])
    for tau in d.actual.slow_fraction:
        row(f"slower than {tau:g} steps", [f"{100 * c.slow_fraction[tau]:.2f} %" for c in columns.values()])
    row("gain margin", [_margin(c.gain_margin) for c in columns.values()])
    lines += [f"  {text}" for text in _LEGEND]
    if d.random is not None:
        lines.append(f"  theory, ensemble: random networks of these gains and biases{', without the inputs' if d.driven else ''}")
    if d.random_driven is not None:
        alike = "" if math.isnan(d.input_correlation) else f" (yours, correlation {d.input_correlation:.2f} with the next step's)"
        lines.append(f"  theory, driven: the same under white input as strong as yours{alike}")
    lines += [f"  {d.assumes}"] if d.assumes else []
    error = "" if math.isnan(d.lyapunov_stderr) else f" +- {d.lyapunov_stderr:.4f}"
    beside = "" if math.isnan(d.random_lyapunov) else f"; random networks under such input: {d.random_lyapunov:.4f}"
    lines += ["", f"largest Lyapunov exponent over {d.n_steps} steps: {d.lyapunov:.4f}{error} per step{beside}"]
    steps = ", ".join(f"10^{value / math.log(10):.1f} ({lag})" for lag, value in d.gradient.items())
    lines += ["", *str(d.gradients).splitlines()]
    lines.append(
        "  mean squares; theory: what random weights of the same gains give at the same sites, the same ones in every step"
    )
    lines += [f"  a typical gradient has grown by: {steps}", ""]
    lines.append(
        f"structure of the weights: eigenvalues in discs differ from theory at the same sites by up to {100 * d.structure:.2f} %, "
        f"with shuffled weights {100 * d.structure_shuffled:.2f} %"
    )
    if d.ends is not None:
        lines.append(
            f"attractors, {'visited along the inputs, then' if d.driven else 'from random states,'} without input: {d.ends}"
        )
    lines += [f"- {text}" for text in d.advice]
    if not d.status.ok:
        lines.append(f"note: {d.status}")
    return "\n".join(lines)


def _advice(d):
    """What to do about an initialisation; of trained networks only what is so, for what to change is learned."""
    holds = d.ends is not None and len(d.ends) > 1
    out = []
    if holds:
        out.append(
            f"it remembers for ever, in {len(d.ends)} attractors: modes say how fast a state falls into one of them, not how long "
            "that is remembered"
        )
    else:
        out += _short_memory(d)
    out += _gradients(d, holds)
    if d.lyapunov > 0.0 and not d.lyapunov < 2.0 * (0.0 if math.isnan(d.lyapunov_stderr) else d.lyapunov_stderr):
        advice = "" if d.origin.trained else "; lower the gain of the candidate"
        out.append(f"small differences grow by exp({d.lyapunov:.3g}) a step: chaotic, gradients explode{advice}")
    if d.structure > max(3.0 * d.structure_shuffled, 0.02):
        out.append("the weights have structure that iid theory does not know: rely on the column 'actual'")
    return out


def _better_gradients(d):
    """What an initialisation does to gradients, and what one made for them would keep; nothing of trained networks."""
    steps, value = max(d.gradients.measured.items())
    if d.origin.trained or abs(value) < _FAR or d.ends is not None and len(d.ends) > 1:
        return []
    cell, memory = d.network.cell, min(steps, _LONGEST_DESIGN)
    try:
        solution = remembering(Ensemble(cell), memory, 1.0, frozenset())
        left = gradient_growth(Spectrum(zero_state(Ensemble(cell).replace(solution))), memory).log10[-1]
    except (CapabilityError, ConvergenceError):
        return []
    name = f"gt.{cell.name}" if getattr(builtin, cell.name, None) == cell else "cell"
    values = ", ".join(f"{path} = {x:.3g}" for path, x in solution.items())
    change = "shrinks" if value < 0.0 else "grows"
    return [
        f"the mean square of a gradient {change} to {power(value)} in {steps} steps; with {values} "
        f"(gt.design({name}, memory={memory})) to {power(left)}"
    ]


def _short_memory(d):
    horizon = d.n_steps if d.driven else None
    if d.actual.slowest >= (horizon or 10):
        return []
    against = f"the inputs are {horizon} steps long" if horizon else "that is very short"
    advice = ": for longer memory raise the bias of the slow gate, or take an initialisation from gt.design"
    return [f"the slowest mode lives {d.actual.slowest:.3g} steps, {against}{'' if d.origin.trained else advice}"]


def _gradients(d, holds):
    longest = max(d.gradient)
    rate = d.gradient[longest] / longest
    if not (math.isfinite(rate) and rate < 0.0 and -math.log(1e6) / rate < (d.n_steps if d.driven else 100)):
        return []
    text = f"gradients shrink by a million within {-math.log(1e6) / rate:.0f} steps: "
    if holds:
        return [text + "further training does not see further back, what the attractors hold stays"]
    return [text + ("further training does not see further back" if d.origin.trained else "nothing further back is learned")]
