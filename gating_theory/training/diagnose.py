"""What the weights of a gated network do: timescales, stability, gradients, and how far they are from random ones [T3, T5, T6]."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..ensemble.sites import Sites
from ..errors import ConvergenceError
from ..interop import readers
from ..networks.end_states import end_states
from ..networks.network import Network
from ..networks.split_weights import split_weights
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
from .diagnosis import Diagnosis
from .gradients import DiagnosedGradients, backwards, forwards, lags_of, theory_along
from .learned_modes import bulk_sites, modes_at, modes_of, single_networks
from .theory_beside import TheoryBeside, counted_modes, mean_summary

if TYPE_CHECKING:
    from os import PathLike

    import numpy.typing as npt

__all__ = ["diagnose"]

#: Sequences along which tangent vectors and gradients are followed, and steps of a run without input.
_SEQUENCES = 4
_FREE_STEPS = 100
#: Starts from which it is seen where a network ends, and the amplitudes of those that are drawn at random.
_STARTS, _AMPLITUDES = 64, (0.3, 3.0)


@underflow_is_zero
def diagnose(
    source: Network | str | PathLike | Mapping[str, Any] | Any,
    inputs: npt.ArrayLike | Sequence[npt.ArrayLike] | Any = None,
    *,
    lengths: npt.ArrayLike | None = None,
    state: Any = None,
    layer: int = 0,
    direction: str = "forward",
    prefix: str | None = None,
    kind: str | None = None,
    nonlinearity: str | None = None,
    batch_first: bool | None = None,
    initial: Network | str | PathLike | Mapping[str, Any] | Any = None,
    n_states: int = 8,
    taus: float | Sequence[float] = (10, 100, 1000),
    rng: Rng = 0,
    progress: Wanted = None,
) -> Diagnosis:
    """What the weights of a gated network do to its memory and its gradients, beside what random weights of the same size would do.

    Timescales are those of the exact Jacobian at states of the network, along real inputs if given, else after a free run. The
    weights are split into a random part and learned directions (:func:`gating_theory.split_weights`), and theory is that of the
    random part: its gains, and the law of its matrices, iid or orthogonal, by their singular values [T10]. It is evaluated at the
    same states [T3, T4], and at the mean-field fixed point of the random ensemble with the same biases [T5].

    Every slow or isolated mode is split into what leaks, random and learned weights give, and told to be learned, held by a shut
    gate, or as random weights have it (:func:`gating_theory.learned_modes`, [T11]). Training that is weaker than the random part of
    a matrix does not show in it; with ``initial``, the weights before training, nothing is hidden. Where the matrix alone does not
    tell, the report says so.

    Weights are told from initialisations by what shuffling their entries destroys. Where small differences shrink, the network is
    also run without input from the states that it visits, and the distinct states in which it ends are counted: what it tells
    apart for ever it holds in attractors, however fast its modes are. Advice for initialisations is not given to trained networks.

    Parameters
    ----------
    source : PyTorch module, state dict, path of a checkpoint (see ``gating_theory.interop.torch.read``), or Network
        Whatever one of ``gating_theory.interop.readers`` knows.
    inputs : array or tensor (T, I) or (T, B, I), list of arrays (T_i, I), or PackedSequence, optional
        Input sequences; (B, T, I) with ``batch_first``, which modules know of themselves. Not for a Network, which has its
        frozen input. Gradients and exponents are those of the longest four.
    lengths : (B,) array of int, optional
        Steps of each sequence of an array; what stands after them is not looked at.
    state : array, (h_0, c_0) or dict, optional
        What the layers begin in along the inputs, default zero, as for ``RecurrentWeights.record``.
    layer, direction, prefix, kind, nonlinearity, batch_first : as for ``read``
    initial : as ``source``, or (K, N, N) array, optional
        The same network before training, of which the same layer and direction are taken; of an array its matrices.
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
    ImportError
        PyTorch is missing, and ``source`` is not a Network
    ConvergenceError
        the state runs away (ReLU)

    See Also
    --------
    gating_theory.read : Files of other libraries.
    gating_theory.fixed_point_analysis : Attractors and saddles of the same network.
    gating_theory.learned_modes : The part that tells learned modes.
    gating_theory.plotting.plot_diagnosis : Its eigenvalues.

    Examples
    --------
    >>> import gating_theory as gt
    >>> ens = gt.Ensemble(gt.GRU, gain={"h": 0.5})
    >>> net = gt.Network.sample(ens, 20, rng=0)
    >>> report = gt.diagnose(net, n_states=2)
    >>> report.modes.n_learned
    {'z': 0, 'r': 0, 'h': 0}
    >>> str(report.origin).partition(":")[0]
    'weights look like an initialisation'
    """
    n_states = integer("n_states", n_states, low=1)
    taus = tuple(real("taus", tau, low=0.0, open_low=True) for tau in np.atleast_1d(real_array("taus", taus)).ravel().tolist())
    check_progress(progress)
    rng = generator(rng)
    which = {"prefix": prefix, "kind": kind, "nonlinearity": nonlinearity}
    fed = None
    if isinstance(source, Network):
        _refuse("a Network: it has its own frozen input (Network.driven)", inputs=inputs, lengths=lengths, state=state)
        _require_several(source)
        name, run = f"{source.cell.name} network", _free_run(source, rng)
        before = _before(initial, which, layer, direction)
        other = _free_run(shuffled(source, rng), rng)
    else:
        weights = readers.weights_of(source, **which, batch_first=batch_first)
        part = weights.layer(layer, direction)
        name = part.name
        _require_several(part.network)
        before = _before(initial, which, layer, direction)
        if inputs is None:
            _refuse("no inputs: the network is then run from a random state", lengths=lengths, state=state)
            run, other = _free_run(part.network, rng), _free_run(shuffled(part.network, rng), rng)
        else:
            run = weights.record(inputs, layer, direction, lengths, state)
            fed = run.driven_ensemble()
            other = part.with_network(shuffled(part.network, rng)).record(run.inputs, run.states[0], run.lengths)
    return _Report(name, run, other, fed, split_weights(run.network, before), taus, rng).make(n_states, progress)


def _before(initial, which, layer, direction):
    """What split_weights takes: the network before training, or its matrices, or None."""
    if initial is None or isinstance(initial, (Network, np.ndarray)):
        return initial
    try:
        return readers.weights_of(initial, **which).layer(layer, direction).network
    except (TypeError, ValueError, FileNotFoundError) as error:
        raise type(error)(f"initial: {error}") from None


def _require_several(network):
    """ValueError for a single unit: what theory says of many is nothing to compare it with."""
    if network.n_units < 2:
        raise ValueError(f"source has a hidden size of {network.n_units}: theory is about many units, at least 2 are needed")


def _refuse(with_what, **given):
    """ValueError for arguments that mean nothing there."""
    for name, value in given.items():
        if value is not None:
            raise ValueError(f"{name} cannot be given with {with_what}")


class _FreeRun:
    """A run of a network under its frozen input, what a Recording is of one along sequences."""

    def __init__(self, network, states):
        self.network, self.states = network, states
        self.n_steps, self.n_sequences = states.shape[0] - 1, states.shape[1]
        self.lengths = np.full(self.n_sequences, self.n_steps)

    def at(self, times, sequences):
        """The network at some points of the run, and its states."""
        input = self.network.input
        return self.network.driven(np.broadcast_to(input, (len(times), *input.shape))), self.states[times, sequences]


def _free_run(net, rng):
    """A run without input after a transient, from a random state."""
    if net.batch is not None:
        raise ValueError(f"source must be a single network, got a batch of {net.batch}")
    state = net.run(net.random_state(rng), 2 * _FREE_STEPS, input="frozen")
    return _FreeRun(net, net.run(state, _FREE_STEPS, input="frozen", trajectory=True)[:, None])


def _spread_times(lengths, first):
    """The i-th of n times, spread from the first step that counts to the last, each within the length of its sequence."""
    n = len(lengths)
    return np.array([round(np.linspace(a, length - 1, n)[i]) for i, (a, length) in enumerate(zip(first, lengths))])


class _Report:
    def __init__(self, name, run, other, fed, split, taus, rng):
        self.name, self.run, self.other, self.fed, self.split, self.taus, self.rng = name, run, other, fed, split, taus, rng
        self.driven = fed is not None
        #: The first step of each sequence that is looked at: the first quarter of a driven one is a transient.
        self.first = np.minimum(run.lengths // 4, run.lengths - 1) * self.driven
        self.theory = TheoryBeside(taus, run.network.n_units)

    def make(self, n_states, progress):
        run, net, split, theory = self.run, self.run.network, self.split, self.theory
        size = net.cell.n_state * net.n_units
        require_memory(f"n_states = {n_states} and their eigenvalues", 16.0 * (8 * n_states * size + 8 * size**2))
        sequences = self.rng.permutation(np.arange(n_states) % run.n_sequences)
        times = _spread_times(run.lengths[sequences], self.first[sequences])
        followed = np.argsort(-run.lengths, kind="stable")[:_SEQUENCES].tolist()
        with Progress(progress, 3 * n_states + 3 * len(followed) + 5, "state") as tell:
            tell.note("modes")
            found, sites = self.modes(times, sequences, tell)
            tell.note("eigenvalues with shuffled weights")
            twins, twin_sites = self.shuffled_eigenvalues(times, sequences, tell)
            tell.note("gradients")
            growth, lags = forwards(run, followed, self.rng), lags_of(run.n_steps)
            back, twin_back = (backwards(each, followed, self.rng, tell) for each in (run, self.other))
            along = theory_along(run, followed, lags, tell, partial(bulk_sites, split=split))
            gradients = DiagnosedGradients(back.mean_square(lags), twin_back.mean_square(lags), *along)
            origin = weight_origin(net, self.rng)
            modes = modes_of(found, net, split, trained=origin.trained or split.initial is not None)
            spectra = [Spectrum(s) for s in sites]
            tell.note("theory at the states")
            from_sites = []
            for spectrum in spectra:
                from_sites.append(theory.modes(spectrum))
                tell(1)
            tell.note("effect of structure")
            structure = []
            for values, beside in (
                (modes.eigenvalues, spectra),
                (modes.bulk_eigenvalues, spectra),
                (twins, [Spectrum(s) for s in twin_sites]),
            ):
                structure.append(theory.difference(values, beside))
                tell(1)
            tell.note("theory of the ensemble")
            random = theory.mean_field(split.ensemble)
            under_input, exponent = self.under_input() if self.driven else (None, math.nan)
            tell(1)
            lyapunov = float(np.average(growth, weights=run.lengths[followed]))
            ends = self.ends() if lyapunov <= 0.0 else None
            tell(1)
        n = len(growth)
        result = Diagnosis(
            source=self.name,
            split=split,
            modes=modes,
            weights=weight_statistics(net),
            overlaps=weight_overlaps(net),
            origin=origin,
            driven=self.driven,
            n_steps=run.n_steps,
            n_sequences=run.n_sequences,
            shortest=int(run.lengths.min()),
            shuffled_eigenvalues=twins,
            actual=counted_modes(modes.eigenvalues, self.taus),
            bulk=counted_modes(modes.bulk_eigenvalues, self.taus),
            from_sites=mean_summary([s for s in from_sites if s is not None]),
            shuffled=counted_modes(twins, self.taus),
            random=random,
            lyapunov=lyapunov,
            lyapunov_stderr=float(np.std(growth, ddof=1) / np.sqrt(n)) if n > 1 and np.isfinite(growth).all() else float("nan"),
            gradient=back.typical(lags),
            gradients=gradients,
            structure=structure[0],
            structure_bulk=structure[1],
            structure_shuffled=structure[2],
            ends=ends,
            advice=[],
            status=Status("incomplete", "; ".join(theory.notes), ok=False) if theory.notes else Status("ok"),
            sites=Sites.pooled(sites, "recorded network" if self.driven else "network"),
            random_driven=under_input,
            random_lyapunov=exponent,
            input_correlation=self.fed[1] if self.driven else math.nan,
        )
        return replace(result, advice=[*advice_for(result), *theory.warnings])

    def modes(self, times, sequences, tell):
        """What is found at each state, and its sites with the gains of the random part."""
        found, sites = [], []
        for net, states in self.one_by_one(self.run, times, sequences, tell):
            (single,), (state,) = single_networks(net), states
            found.append(modes_at(single, state, self.split))
            sites.append(bulk_sites(single, state, self.split))
        return found, sites

    def shuffled_eigenvalues(self, times, sequences, tell):
        values, sites = [], []
        for net, states in self.one_by_one(self.other, times, sequences, tell):
            values.append(net.eigenvalues(states)[0])
            sites.append(net.sites(states))
        return np.array(values), sites

    def one_by_one(self, run, times, sequences, tell):
        """The network and its state at one time after the other: a batch of Jacobians of a large LSTM fills the memory."""
        for t, b in zip(times.tolist(), sequences.tolist()):
            yield run.at([t], [b])
            tell(1)

    def under_input(self):
        """Theory of a large random network of the bulk gains under white input as strong as the real one."""
        ensemble, bulk = self.fed[0], self.split.ensemble
        gains = {f"gain.{name}": gain for name, gain in bulk.gain.items()}
        return self.theory.under_input(ensemble.replace(gains).with_matrices(bulk.matrices), self.rng)

    def ends(self):
        """Where the network ends without input, from visited states or, where there were no inputs, random ones."""
        run, net = self.run, self.run.network
        if self.driven:
            visited = run.states[1:][run.running & (np.arange(run.n_steps)[:, None] >= self.first)]
            starts = visited[self.rng.permutation(len(visited))[:_STARTS]]
        else:
            low, high = np.log(_AMPLITUDES)
            sizes = np.exp(self.rng.uniform(low, high, _STARTS))
            starts = np.array([net.random_state(self.rng, float(size)) for size in sizes])
        try:
            return end_states(net, starts)
        except ConvergenceError as error:
            self.theory.notes.append(f"where the network ends is not known: {error}")
            return None
