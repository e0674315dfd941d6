"""Stable fixed points, saddles and slow points of a trained network under inputs that are held, and what leads where [T1, T2]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ConvergenceError
from ..interop import readers
from ..networks.end_states import end_states
from ..networks.fixed_points import NetworkFixedPoints, SearchOptions, search
from ..networks.network import Network
from ..results.status import Status
from ..running.blas import single_blas_thread
from ..running.progress import Progress, check_progress
from ..support.arithmetic import underflow_is_zero
from ..support.available_memory import require_memory
from ..support.checks import generator, integer, real_array
from ..support.types import Progress as Wanted
from ..support.types import Rng
from .analysed_points import FixedPointAnalysis, HeldFixedPoints

if TYPE_CHECKING:
    from os import PathLike

    import numpy.typing as npt

__all__ = ["fixed_point_analysis"]

#: Amplitudes of random states from which the network is run where no inputs are given.
_AMPLITUDES = (0.3, 3.0)
#: Largest component of a kick off a saddle, in units of the rms of all points; random mixtures for each of several directions.
_KICK, _MIXTURES = 1e-3, 4
#: A run has ended at a point that is as close in each component, relative to the largest of 1 and the component.
_MET = 1e-4
#: Searches that are made again with the ends of runs that no point was near to, or with states between attractors.
_AGAIN = 2
#: Pairs of attractors between which saddles are looked for, nearest ones first, and where on the way from one to the other.
_PAIRS, _BETWEEN = 64, (0.2, 0.35, 0.5, 0.65, 0.8)
#: Numbers of states along the input sequences that are kept.
_KEPT = 2_000_000


@underflow_is_zero
def fixed_point_analysis(
    source: Network | str | PathLike | Mapping[str, Any] | Any,
    inputs: npt.ArrayLike | Sequence[npt.ArrayLike] | Any = None,
    held: npt.ArrayLike | None = None,
    *,
    lengths: npt.ArrayLike | None = None,
    state: Any = None,
    n_starts: int = 64,
    n_steps: int = 1000,
    n_modes: int = 8,
    tol: float = 1e-10,
    slow_tol: float = 1e-2,
    merge: float = 1e-6,
    layer: int = 0,
    direction: str = "forward",
    prefix: str | None = None,
    kind: str | None = None,
    nonlinearity: str | None = None,
    batch_first: bool | None = None,
    rng: Rng = 0,
    progress: Wanted = None,
) -> FixedPointAnalysis:
    """Attractors and saddles of a trained network, without input or under inputs that are held, and which inputs lead where [T1].

    For each input held: the network is run on from the ends of the input sequences until it rests; Newton's method looks for fixed
    points from these ends, from states visited along the sequences and from random ones (``Network.find_fixed_points``: free of
    update gates, so that a network which merely is slow has no fixed points everywhere); fixed points are told by the eigenvalues
    of the exact Jacobian; saddles are kicked along their unstable directions, both ways, and along random mixtures of several, and
    run until they rest. Ends that no fixed point was near to are starts of another search. Where states are bounded the degree says
    whether points are missing; then the search is made again, up to twice, also from states between attractors. A network that ends
    in a cycle or in chaos is said to move on.

    Parameters
    ----------
    source : PyTorch module, state dict, path of a checkpoint (see ``gating_theory.interop.torch.read``), or Network
        Whatever one of ``gating_theory.interop.readers`` knows.
    inputs : array or tensor (T, I) or (T, B, I), list of arrays (T_i, I), or PackedSequence, optional
        Input sequences; (B, T, I) with ``batch_first``, which modules know of themselves. For a Network
        patterns of its fields in place of its frozen input, (T, K, N) or (T, B, K, N). Default: runs begin in ``n_starts`` random
        states.
    held : array (I,) or (n, I), optional
        Input vectors of this layer that are held for ever, each analysed by itself; for a Network patterns (K, N) or (n, K, N).
        Default: none, the vector 0; a Network its frozen input.
    lengths : (B,) array of int, optional
        Steps of each sequence of an array; what stands after them is not looked at. Not for a Network.
    state : array, (h_0, c_0) or dict, optional
        What the layers begin in along the inputs, default zero, as for ``RecurrentWeights.record``. Not for a Network.
    n_starts : int >= 1
        So many random starts of Newton's method, and as many visited states.
    n_steps : int >= 1
        At most so many steps of a run until it rests. Off a saddle with eigenvalue lambda it takes about 7 / log|lambda|.
    n_modes : int >= 1
        Unstable directions of a saddle that are kept; saddles with more of them are not kicked, for a few directions say little of
        where so many lead.
    tol, slow_tol, merge : float, as for ``Network.find_fixed_points``
    layer, direction, prefix, kind, nonlinearity, batch_first : as for ``gating_theory.interop.readers.read``
    rng : numpy Generator, int or None
    progress : None, True or callable(done, total)

    Returns
    -------
    FixedPointAnalysis

    Raises
    ------
    TypeError, ValueError, FileNotFoundError
        What cannot be read, inputs of another shape, numbers out of range, a batch of networks.
    ImportError
        PyTorch is missing, and ``source`` is not a Network
    ConvergenceError
        the state runs away along the inputs (ReLU)
    MemoryError
        the states along the inputs do not fit
    CapabilityError
        as for ``Network.find_fixed_points``

    See Also
    --------
    gating_theory.diagnose : Timescales and gradients of the same network.
    gating_theory.count_fixed_points : All fixed points of small networks.
    gating_theory.plotting.plot_fixed_points : Draws them in two principal components.

    Notes
    -----
    Newton's method takes of the order of N^3 operations a step, eigenvalues of the order of (d N)^3 a point. Not finding a saddle
    proves nothing; what the degree proves to be missing is said in the status. Points within ``merge`` of one another are one, so
    that of a ring or a line of fixed points, which networks of finite size break, as many are found as there are. Slow points are
    places where the network would creep with open gates; minima of its own speed, which shut gates make flat, are found by
    ``Network.find_fixed_points(objective="speed")``.

    Examples
    --------
    >>> import gating_theory as gt
    >>> import numpy as np
    >>> matrices = np.zeros((3, 2, 2))
    >>> matrices[2] = 3 * np.eye(2)
    >>> net = gt.Network(gt.Ensemble(gt.GRU), matrices, np.zeros((3, 2)))
    >>> found = gt.fixed_point_analysis(net, n_starts=64, n_steps=200)[0]
    >>> len(found.stable), len(found.saddles)
    (4, 5)
    """
    options = SearchOptions(integer("n_starts", n_starts, low=1), tol=tol, slow_tol=slow_tol, merge=merge).checked()
    n_steps, n_modes = integer("n_steps", n_steps, low=1), integer("n_modes", n_modes, low=1)
    check_progress(progress)
    rng = generator(rng)
    if isinstance(source, Network):
        subject: _GivenNetwork | _GivenLayer = _GivenNetwork(source)
    else:
        weights = readers.weights_of(source, prefix=prefix, kind=kind, nonlinearity=nonlinearity, batch_first=batch_first)
        subject = _GivenLayer(weights, layer, direction)
    patterns = subject.held(held)
    if inputs is None and not (lengths is None and state is None):
        raise ValueError(f"{'state' if lengths is None else 'lengths'} cannot be given without inputs")
    visited, runs = (None, None) if inputs is None else subject.states(inputs, lengths, state)
    analysis = _Analysis(subject, visited, runs, options, n_steps, n_modes, rng)
    with Progress(progress, 3 * len(patterns), "part") as tell:
        found = tuple(analysis.at(pattern, tell) for pattern in patterns)
    lacking = [f"{i}: {one.points.status}" for i, one in enumerate(found) if not one.points.status.ok]
    return FixedPointAnalysis(
        source=subject.name,
        network=subject.network,
        held=found,
        driven=visited is not None,
        n_sequences=len(found[0].ends),
        n_steps=0 if visited is None else len(visited) - 1,
        trajectories=_kept(visited, subject.network),
        status=Status("missing", "at held input " + "; ".join(lacking), ok=False) if lacking else Status("ok"),
    )


class _GivenLayer:
    """A layer of weights that a reader has read: what it is called, its network, and how inputs drive it."""

    def __init__(self, weights, layer, direction):
        self.weights, self.which = weights, (layer, direction)
        self.layer = weights.layer(layer, direction)
        self.name, self.network = self.layer.name, self.layer.network

    def held(self, held):
        size = self.layer.tensors["weight_ih"].shape[1]
        held = np.zeros(size) if held is None else real_array("held", held)
        return _several(held, (size,), "(I,) or (n, I)")

    def states(self, inputs, lengths, state):
        """States along the sequences, the last one of each standing after its end, and which of the steps it runs."""
        recording = self.weights.record(inputs, *self.which, lengths, state)
        return recording.states, recording.running

    def drive(self, pattern):
        return self.layer.drive(pattern)


class _GivenNetwork:
    """A network: patterns of its fields are its inputs."""

    def __init__(self, network):
        if network.batch is not None:
            raise ValueError(f"source must be a single network, got a batch of {network.batch}")
        self.name, self.network = f"{network.cell.name} network", network

    def held(self, held):
        held = self.network.input if held is None else real_array("held", held)
        return _several(held, self.network.input.shape, "(K, N) or (n, K, N)")

    def states(self, inputs, lengths, state):
        for name, value in {"lengths": lengths, "state": state}.items():
            if value is not None:
                raise ValueError(f"{name} cannot be given with a Network: its patterns are of one length and it begins in zero")
        net, x = self.network, real_array("inputs", inputs)
        shape = net.input.shape
        x = x[:, None] if x.ndim == 3 else x
        if x.ndim != 4 or x.shape[2:] != shape or 0 in x.shape:
            k, n = shape
            raise ValueError(f"inputs must have shape (T, {k}, {n}) or (T, B, {k}, {n}), got {np.shape(inputs)}")
        _require_room(len(x), x.shape[1], net)
        batch = net.driven(x[0])
        zero = np.zeros((x.shape[1], net.cell.n_state, net.n_units))
        return batch.run(zero, len(x), input=x, trajectory=True), np.ones(x.shape[:2], dtype=bool)

    def drive(self, pattern):
        return pattern, self.network.parameters


class _Analysis:
    def __init__(self, subject, visited, runs, options, n_steps, n_modes, rng):
        self.subject, self.visited, self.running, self.options, self.rng = subject, visited, runs, options, rng
        self.n_steps, self.n_modes = n_steps, n_modes

    def at(self, held, tell):
        """All about one input held."""
        pattern, parameters = self.subject.drive(held)
        net = self.subject.network.driven(pattern, parameters)
        tell.note("where runs end")
        resting, into = self.ends(net, self.runs(net))
        tell(1)
        tell.note("fixed points")
        starts = np.concatenate([self.some_visited(net), resting])
        found = self.found(net, starts)
        tell(1)
        tell.note("unstable directions")
        for again in range(_AGAIN + 1):
            values, directions = self.modes(net, found)
            kicks, source, place = self.kicks(found, values, directions)
            rest, where = self.ends(net, kicks, apart=True) if len(kicks) else (resting[:0], np.zeros(0, dtype=int))
            new = np.concatenate([resting, rest])
            new = new[_nearest(new, found.states) < 0]
            if again == _AGAIN or not len(new) and found.status.ok:
                break
            # attractors that Newton's method had missed; where the degree says that some points are, those between attractors
            starts = np.concatenate([starts, found.fixed, new] + ([] if found.status.ok else [_between(found)]))
            found = self.found(net, starts)
        tell(1)
        ends, where = (_named(one, _nearest(states, found.states)) for one, states in ((into, resting), (where, rest)))
        kind = np.where(found.label == "slow", "slow", np.where(found.n_unstable == 0, "stable", "saddle")).astype("<U6")
        connections = np.zeros((len(found), len(found)), dtype=int)
        np.add.at(connections, (source[where >= 0], where[where >= 0]), 1)
        one = HeldFixedPoints(
            input=held,
            pattern=pattern,
            parameters=parameters,
            points=found,
            kind=kind,
            unstable_eigenvalues=tuple(values),
            unstable_directions=tuple(directions),
            leads=tuple(_leads(i, values[i], source, place, where) for i in range(len(found))),
            connections=connections,
            n_kicks=np.bincount(source, minlength=len(found)),
            ends=ends,
        )
        return _ordered(one)

    def runs(self, net):
        """States from which the network is run: the ends of the input sequences, or random ones."""
        if self.visited is not None:
            return self.visited[-1]
        low, high = np.log(_AMPLITUDES)
        sizes = np.exp(self.rng.uniform(low, high, self.options.n_starts))
        return np.array([net.random_state(self.rng, float(size)) for size in sizes])

    def some_visited(self, net):
        if self.visited is None:
            return np.zeros((0, net.cell.n_state, net.n_units))
        every = self.visited[1:][self.running]
        return every[self.rng.permutation(len(every))[: self.options.n_starts]]

    def ends(self, net, starts, apart=False):
        """Distinct states at rest, and into which of them each start goes, -1 for none; what runs away goes nowhere."""
        try:
            found = end_states(net, starts, self.n_steps, apart=apart)
            return found.states, found.into
        except ConvergenceError:
            if len(starts) == 1:
                return starts[:0], np.array([-1])
        half = len(starts) // 2
        (first, a), (second, b) = self.ends(net, starts[:half], apart), self.ends(net, starts[half:], apart)
        return np.concatenate([first, second]), np.concatenate([a, np.where(b >= 0, b + len(first), -1)])

    def found(self, net, starts):
        return search(net, self.options, self.rng, starts=starts)

    def modes(self, net, found):
        """Unstable eigenvalues and directions of each point, the fastest first."""
        shape = (net.cell.n_state, net.n_units)
        values, directions = [], []
        for state, n in zip(found.states, found.n_unstable):
            if n <= 0:
                values.append(np.zeros(0, dtype=complex))
                directions.append(np.zeros((0, *shape), dtype=complex))
                continue
            with single_blas_thread():
                eigenvalues, vectors = np.linalg.eig(net.jacobian(state))
            chosen = np.argsort(-np.abs(eigenvalues), kind="stable")[: min(n, self.n_modes)]
            values.append(eigenvalues[chosen].astype(complex))
            directions.append(np.array([_turned(v) for v in vectors.T[chosen]]).reshape(-1, *shape))
        return values, directions

    def kicks(self, found, values, directions):
        """Kicked states; the point each is kicked off; which direction (2 i along the i-th, 2 i + 1 against it, -1 another)."""
        scale = float(np.sqrt(np.mean(found.states**2))) if found.states.any() else 1.0
        states, source, place = [found.states[:0]], [], []
        for i, state in enumerate(found.states):
            if found.label[i] == "slow":
                pushes, marks = [0.0 * state], [-1]
            elif 0 < found.n_unstable[i] <= self.n_modes:
                pushes, marks = self.pushes(values[i], directions[i])
            else:
                continue
            pushes = np.array(pushes)
            size = np.abs(pushes).max(axis=(1, 2), keepdims=True)
            states.append(state + _KICK * scale * pushes / np.where(size > 0.0, size, 1.0))
            source += [i] * len(marks)
            place += marks
        return np.concatenate(states), np.array(source, dtype=int), np.array(place, dtype=int)

    def pushes(self, values, directions):
        pushes, marks, basis = [], [], []
        for i, (value, direction) in enumerate(zip(values, directions)):
            if value.imag < 0.0:
                continue
            pushes += [direction.real, -direction.real]
            marks += [2 * i, 2 * i + 1]
            basis += [direction.real] if value.imag == 0.0 else [direction.real, direction.imag]
        if len(basis) > 1:
            mixtures = self.rng.standard_normal((_MIXTURES * len(basis), len(basis)))
            pushes += list(np.tensordot(mixtures, np.array(basis), axes=1))
            marks += [-1] * len(mixtures)
        return pushes, marks


def _several(held, shape, allowed):
    held = held[None] if held.shape == shape else held
    if held.shape[1:] != shape or not len(held):
        raise ValueError(f"held must have shape {allowed} with vectors of shape {shape}, got {held.shape}")
    return held


def _require_room(n_steps, n_sequences, net):
    """MemoryError where states along inputs do not fit: a list of them, and the array."""
    needed = 16.0 * (n_steps + 1) * n_sequences * net.cell.n_state * net.n_units
    require_memory(f"states along {n_sequences} input sequences of {n_steps} steps", needed)


def _kept(visited, net):
    if visited is None:
        return np.zeros((0, 0, net.cell.n_state, net.n_units))
    return visited[:, : max(1, _KEPT // max(1, visited[:, 0].size))].copy()


def _turned(vector):
    """An eigenvector of unit norm with orthogonal real and imaginary parts, its largest real component positive."""
    vector = vector.astype(complex) / np.linalg.norm(vector)
    if vector.imag.any():
        vector = vector * np.exp(-0.5j * np.angle(np.sum(vector**2)))
    largest = vector[np.argmax(np.abs(vector.real))].real
    return -vector if largest < 0.0 else vector


def _nearest(states, points):
    """(n,) the point that each state has met, -1 where there is none."""
    out = np.full(len(states), -1)
    for i, state in enumerate(states):
        distance = (np.abs(points - state) / np.maximum(1.0, np.abs(state))).max(axis=(1, 2))
        if len(distance) and distance.min() <= _MET:
            out[i] = int(np.argmin(distance))
    return out


def _between(found):
    """States on the straight ways between stable points, of the nearest pairs."""
    stable = found.states[found.n_unstable == 0]
    first, second = np.triu_indices(len(stable), 1)
    chosen = np.argsort(np.linalg.norm((stable[first] - stable[second]).reshape(len(first), -1), axis=1), kind="stable")[:_PAIRS]
    a, b = stable[first[chosen]], stable[second[chosen]]
    return np.concatenate([stable[:0], *(a + t * (b - a) for t in _BETWEEN)])


def _named(into, names):
    """What starts go into, by the points that these ends have met."""
    return np.where(into >= 0, names[into], -1) if len(names) else np.full(len(into), -1)


def _leads(i, values, source, place, where):
    """(m, 2) where kicks along and against each direction of point i led."""
    leads = np.full((len(values), 2), -2)
    for p, end in zip(place[source == i], where[source == i]):
        if p >= 0:
            leads[p // 2, p % 2] = end
    for j in np.flatnonzero(values.imag < 0.0):  # kicked in the real part, as its partner
        leads[j] = leads[np.argmin(np.abs(values - values[j].conj()))]
    return leads


def _ordered(one):
    """Stable points by the runs that ended there, saddles by their unstable directions, slow points by their residual."""
    rank = np.select([one.kind == "stable", one.kind == "saddle"], [0, 1], 2)
    order = np.lexsort((one.points.residual, -one.n_ended, one.points.n_unstable, rank))
    back = np.append(np.argsort(order), [-2, -1])  # indices -2 and -1 stay
    per_point = {f.name for f in fields(NetworkFixedPoints)} & {
        *("states", "label", "residual", "speed", "hits", "mirrored", "index", "spectral_radius", "n_unstable", "timescale")
    }
    return replace(
        one,
        points=replace(one.points, **{name: getattr(one.points, name)[order] for name in per_point}),
        kind=one.kind[order],
        unstable_eigenvalues=tuple(one.unstable_eigenvalues[i] for i in order),
        unstable_directions=tuple(one.unstable_directions[i] for i in order),
        leads=tuple(back[one.leads[i]] for i in order),
        connections=one.connections[np.ix_(order, order)],
        n_kicks=one.n_kicks[order],
        ends=back[one.ends],
    )
