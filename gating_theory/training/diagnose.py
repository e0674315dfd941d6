"""What the weights of a gated network do: timescales, stability, gradients, and how far they are from random ones [T3, T5, T6]."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..dynamics.steady_state import steady_state
from ..ensemble.sites import Sites
from ..errors import CapabilityError, ConvergenceError
from ..interop import readers
from ..mean_field.fixed_points import fixed_points
from ..networks.end_states import end_states
from ..networks.network import Network
from ..networks.weight_statistics import shuffled, weight_origin, weight_overlaps, weight_statistics
from ..results.status import Status
from ..running.progress import Progress, check_progress
from ..spectrum.spectrum import Spectrum
from ..support.arithmetic import underflow_is_zero
from ..support.available_memory import require_memory
from ..support.checks import generator, integer, real, real_array
from ..support.types import Progress as Wanted
from ..support.types import Rng
from .advice import advice_for
from .diagnosis import Diagnosis, ModeSummary
from .gradients import DiagnosedGradients, backwards, forwards, lags_of, theory_along

if TYPE_CHECKING:
    from os import PathLike

    import numpy.typing as npt

__all__ = ["diagnose"]

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
        return replace(result, advice=[*advice_for(result), *self.warnings])

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
