"""Where eigenvalues of a given network lie that its low-rank part makes: prediction without the random part [T11].

A network U_k = R_k + L_k of a random part R_k and a low-rank one L_k has, outside the support that R_k makes at the state's sites,
isolated eigenvalues. R_k is known on the messages that the network has visited, on their span with orthonormal basis Q_k, and acts
on all else like a matrix that nobody has met. Outside the support such a matrix contributes nothing to bilinear forms B^T G W A of
vectors that it has not met, G = (1 - W R)^{-1}, so it can be deleted: the isolated eigenvalues are those of the Jacobian with

    K_k = L_k (1 - Q_k Q_k^T) + U_k Q_k Q_k^T

in place of the matrices, the sites being left as they are. These are the roots of det(1 - C(lambda)) of the network's own vectors.
Eigenvalues that the K_k have inside the support mean nothing. At a fixed point Q_k = m_k / |m_k| is enough; in a run the matrices
are known on all messages of the run, and the last one alone moves eigenvalues the wrong way.

What was deleted moves an eigenvalue. With the derivatives g_l of lambda by the fields, and the messages w_k of its eigenvector,

    E |delta lambda|^2 = a (1 - T)^{-1} b / N,    a_k = sum over fields l that listen to k of gain_l^2 |g_l|^2,
                                                  b_k = |(1 - Q_k Q_k^T) w_k|^2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt

from ..ensemble.field_law import squared
from ..errors import CapabilityError
from ..results.encoding import dict_of, require_shapes, result
from ..results.status import Status
from ..spectrum.dyson import Population
from ..spectrum.isolated import distance_to_edge, matrix_part
from ..spectrum.outliers import sorted_by_modulus
from ..spectrum.spectrum import Spectrum
from ..support.arithmetic import underflow_is_zero
from ..support.checks import instance, real, real_array
from .network import Network
from .split_weights import SplitWeights

__all__ = ["PredictedOutliers", "predicted_outliers"]

#: Share of the visited messages' second moment that their principal components hold.
HELD = 0.95
#: Visited dimensions over N up to which deleting what is not visited is right.
_FEW = 0.25
#: Relative shift of an eigenvalue that makes its resolvent finite, and steps of inverse iteration.
_SHIFT, _INVERSE_STEPS = 1e-9, 2
#: What stands for 0.
_TINY = 1e-300


@result("predicted_outliers")
@dataclass(frozen=True)
class PredictedOutliers:
    """Isolated eigenvalues that the low-rank part of a network predicts at a state [T11].

    Arrays have an entry for each of n eigenvalues, largest modulus first.

    Attributes
    ----------
    values : (n,) complex array
    sd : (n,) array
        Root of the mean square of the distance of the network's eigenvalue from the predicted one, by the random part, for iid
        matrices; to first order: it diverges at the edge. inf where the eigenvalue is not simple.
    edge_function : (n,) array, spectral radius of T there, at the network's own sites: < 1, outside the support
    distance : (n,) array, how far the edge of the support is, to first order
    leak_share : (n,) array
        The part of the modulus that is the sites' own leak, F_s. Near 1 a single shut gate holds the mode, and no matrix does.
    visited : {field: int}, dimensions on which the random part of the field's matrix is taken as known, of N
    n_units : int, N
    status : Status
        Its code is "predicted", or "many_visited" where what was visited is more than a quarter of the dimensions of some field:
        deleting the rest is then not right, and it is not ok.

    Examples
    --------
    A network with a low-rank part: one eigenvalue stands alone, at 1.5 give or take the standard deviation.

    >>> import numpy as np
    >>> import gating_theory as gt
    >>> random = gt.Network.sample(gt.Ensemble(gt.Vanilla, gain=0.5), 100, rng=0)
    >>> part = np.full((1, 100, 100), 1.5 / 100)  # one eigenvalue, 1.5
    >>> net = gt.Network(gt.Vanilla, random.matrices + part, random.biases)
    >>> found = gt.predicted_outliers(net, part, np.zeros(100))
    >>> print(found.values.round(2), found.sd.round(2), found.status.code)
    [1.5+0.j] [0.05] predicted
    """

    values: np.ndarray
    sd: np.ndarray
    edge_function: np.ndarray
    distance: np.ndarray
    leak_share: np.ndarray
    visited: dict[str, int]
    n_units: int
    status: Status

    as_dict = dict_of

    def check(self) -> None:
        """ValueError where arrays do not belong together."""
        shape = self.values.shape
        require_shapes(self, dict.fromkeys(("sd", "edge_function", "distance", "leak_share"), shape))

    @property
    def resolved(self) -> np.ndarray:
        """(n,) bool: whether a network of N units shows the eigenvalue apart from the others: sd < distance."""
        return self.sd < self.distance

    def __str__(self) -> str:
        known = ", ".join(f"{count} of {self.n_units} in {name}" for name, count in self.visited.items())
        lines = [f"{self.values.size} isolated eigenvalues predicted (known dimensions: {known})"]
        if not self.status.ok:
            lines.append(f"  {self.status}")
        for value, sd, radius, share, seen in zip(*self._columns()):
            number = f"{value.real:.4f}" if value.imag == 0.0 else f"{value:.4f}"
            words = f"edge function {radius:.3f}, leak {share:.2f}{'' if seen else f', not resolved at N = {self.n_units}'}"
            lines.append(f"  {number} +- {sd:.2g}, {words}")
        return "\n".join(lines)

    def _columns(self):
        arrays = self.values, self.sd, self.edge_function, self.leak_share, self.resolved
        return [array.tolist() for array in arrays]


@underflow_is_zero
def predicted_outliers(
    net: Network,
    low_rank_part: SplitWeights | npt.ArrayLike,
    state: npt.ArrayLike,
    visited: npt.ArrayLike | None = None,
    input: npt.ArrayLike | None = None,
    *,
    gain: float | Mapping[str, float] | npt.ArrayLike | None = None,
    held: float = HELD,
) -> PredictedOutliers:
    """Isolated eigenvalues at a state of a network, predicted from the low-rank part of its matrices alone [T11].

    What remains of the matrices is taken for random, but for what it did to the messages that the network has visited: there it is
    known. One dense eigenvalue problem, and another linear one for each eigenvalue outside the support. For low-rank parts that
    do not depend on the random part predictions are exact for N -> infinity. Learned ones do depend on it, because learning adds up
    messages: give the ``visited`` states, without them predictions of trained networks are poor.

    Parameters
    ----------
    net : Network, a single one
    low_rank_part : SplitWeights, or (K, N, N) array
        The part of each matrix that is not random, such as sum_r A_r B_r^T / N of given loadings. Of a SplitWeights its
        ``for_outliers``, with the gains and laws of its random part.
    state : (d, N) array, or flat
        Where the Jacobian is taken: a fixed point, or the present state of a run.
    visited : (T, d, N) array, optional
        States that the run has been in before, in any order. Default: none, as at a fixed point.
    input : (K, N) array, or (T + 1, K, N), optional
        The input pattern, or that of each visited state and, the last, of ``state``. Default: the network's own.
    gain : float, mapping from field names or (K,) array, optional
        Gains of the random part. Default: those of the SplitWeights, or ``|U_k - L_k|_F / sqrt(N)``.
    held : float in (0, 1]
        Visited messages count by those principal components that together hold this share of their second moment, and by the
        present one.

    Returns
    -------
    PredictedOutliers

    Raises
    ------
    TypeError, ValueError
        arrays of other shapes, arguments out of range
    CapabilityError
        a batch of networks; matrices of a law whose edge is not known

    See Also
    --------
    split_weights : finds the low-rank part of trained weights

    Examples
    --------
    The largest eigenvalue of a network with a low-rank part, predicted and computed:

    >>> import numpy as np
    >>> import gating_theory as gt
    >>> random = gt.Network.sample(gt.Ensemble(gt.Vanilla, gain=0.5), 200, rng=0)
    >>> part = np.full((1, 200, 200), 1.5 / 200)
    >>> net = gt.Network(gt.Vanilla, random.matrices + part, random.biases)
    >>> found = gt.predicted_outliers(net, part, np.zeros(200))
    >>> print(found.values.real.round(2), max(net.eigenvalues(np.zeros(200)).real).round(2))
    [1.5] 1.52
    """
    instance("net", net, Network)
    if net.batch is not None:
        raise CapabilityError(f"predicted_outliers takes a single network, got a batch of {net.batch}")
    split = low_rank_part if isinstance(low_rank_part, SplitWeights) else None
    low_rank = real_array("low_rank_part", low_rank_part if split is None else split.for_outliers)
    if low_rank.shape != net.matrices.shape:
        raise ValueError(f"low_rank_part must have shape {net.matrices.shape}, as the matrices of net, got {low_rank.shape}")
    held = real("held", held, low=0.0, high=1.0, open_low=True)
    state = net.as_state(state)
    states, inputs = _history(net, state, visited, input)
    bases = _visited_bases(net, states, inputs, held)
    known = Network(net.ensemble, _known_matrices(net.matrices, low_rank, bases), net.biases, net.parameters, net.input)
    spectrum = _support(net, net.sites(state, inputs[-1]), low_rank, split, gain)
    values = _outside(known.eigenvalues(state, inputs[-1]), spectrum)
    modes = _Modes(known, state, inputs[-1], bases, spectrum)
    rows = np.array([modes.of(value) for value in values.tolist()]).reshape(-1, 2)
    radius, distance = spectrum.edge_function(values), distance_to_edge(spectrum.edge_function, values)
    counts = {name: basis.shape[1] for name, basis, U in zip(net.cell.field_names, bases, net.matrices) if U.any()}
    return PredictedOutliers(values, rows[:, 0], radius, distance, rows[:, 1], counts, net.n_units, _status(counts, net.n_units))


def _support(net, sites, low_rank, split, gain):
    """Spectrum of the random part."""
    if gain is None and split is None:
        gain = np.sqrt(np.sum((net.matrices - low_rank) ** 2, axis=(1, 2)) / net.n_units)
    if split is None:
        return Spectrum.from_sites(net.cell, sites, gain)
    own = split.ensemble
    return Spectrum.from_sites(net.cell, sites, own.array("gain") if gain is None else gain, matrices=own.matrices)


def _status(counts, n):
    many = {name: count for name, count in counts.items() if count > _FEW * n}
    if not many:
        return Status("predicted")
    name = max(many, key=lambda field: many[field])
    words = f"{many[name]} of {n} dimensions of {name} were visited: too many for the rest to be random; take a lower held"
    return Status("many_visited", words, ok=False)


def _history(net, state, visited, input):
    """(T + 1, d, N) states, the present one last, and (T + 1, K, N) inputs there."""
    states = state[None]
    if visited is not None:
        before = real_array("visited", visited)
        if before.ndim != 3 or before.shape[1:] != state.shape:
            raise ValueError(f"visited must have shape (T, {', '.join(map(str, state.shape))}), got {before.shape}")
        states = np.concatenate([before, states])
    shape = (len(states), *net.input.shape)
    pattern = net.input if input is None else real_array("input", input)
    if pattern.shape not in (shape, shape[1:]):
        raise ValueError(f"input must have shape {shape[1:]} or {shape}, got {pattern.shape}")
    return states, np.broadcast_to(pattern, shape)


def _visited_bases(net, states, inputs, held):
    """For each field an orthonormal basis (N, n) of what it listens to: the present message, and most of those before."""
    messages = _messages(net, states, inputs)
    distinct = {message: _basis(messages[net.cell.message_of.index(message)], held) for message in set(net.cell.message_of)}
    return [distinct[message] for message in net.cell.message_of]


def _messages(net, states, inputs):
    """(K, T, N) messages at states (T, d, N)."""
    fields = net.driven(input=inputs).fields(states)
    rows = [[array[:, i] for i in range(array.shape[1])] for array in (states, fields)]
    parameters = list(net.parameters)
    compiled, shape = net.cell.compiled, (len(states), net.n_units)
    return np.array([np.broadcast_to(compiled.message(k, *rows, parameters), shape) for k in range(net.cell.n_fields)])


def _basis(messages, held):
    """Orthonormal basis (N, n) of the last of the messages (T, N), and of the principal components of all that hold a share."""
    present = messages[-1]
    _, lengths, components = np.linalg.svd(messages, full_matrices=False)
    squares = np.cumsum(lengths**2)
    if not squares.size or not squares[-1] > 0.0:
        return np.zeros((messages.shape[1], 0))
    count = int(np.searchsorted(squares, held * squares[-1] * (1.0 - 1e-12))) + 1
    vectors = np.concatenate([present[None], components[:count]]) if present.any() else components[:count]
    scale = np.linalg.norm(vectors, axis=1, keepdims=True)
    basis, sizes, _ = np.linalg.svd((vectors / scale).T, full_matrices=False)
    return basis[:, sizes > 1e-7]


def _known_matrices(matrices, low_rank, bases):
    """(K, N, N): the matrices on what was visited, their low-rank parts on all else."""
    out = low_rank.copy()
    for own, U, Q in zip(out, matrices, bases):
        own += ((U - own) @ Q) @ Q.T
    return out


def _outside(eigenvalues, spectrum):
    """Those outside the support, largest modulus first."""
    radius = spectrum.edge_function(eigenvalues)
    return sorted_by_modulus(eigenvalues[np.isfinite(radius) & (radius < 1.0)])


class _Modes:
    """Eigenvectors of the Jacobian of the matrices that are known, and what the random rest does to their eigenvalues."""

    def __init__(self, known, state, pattern, bases, spectrum):
        fields = known.fields(state, pattern)
        self._J = known.jacobian(state, pattern)
        self._shape, self._n = state.shape, known.n_units
        self._matrices, self._bases = known.matrices, bases
        blocks = known.cell.compiled.blocks(list(state), list(fields), list(known.parameters))
        self._blocks = {name: {at: np.broadcast_to(v, self._n) for at, v in entries.items()} for name, entries in blocks.items()}
        self._listens = np.array(known.cell.message_of)
        self._population = cast(Population, spectrum.populations.given)
        self._gain2 = squared(spectrum.gain)

    def of(self, value):
        """Standard deviation of the eigenvalue, and the share of its modulus that is the sites' leak."""
        right, left = self._vectors(value)
        product = np.sum(left * right)
        if not abs(product) > 0.0:
            return np.inf, np.nan
        T = self._population.transfer_moments(np.array([value]))[0]
        a, b = np.zeros(len(T)), np.zeros(len(T))
        np.add.at(a, self._listens, self._gain2 * np.sum(np.abs(self._felt(left)) ** 2, axis=1))
        b[self._listens] = [np.sum(np.abs(w - Q @ (Q.T @ w)) ** 2) for w, Q in zip(self._sent(right), self._bases)]
        spread = np.sqrt(max(matrix_part(a, T, b), 0.0) / self._n) / abs(product)
        leak = sum(np.sum(left[i] * own * right[j]) for (i, j), own in self._blocks["F_s"].items()) / product
        return spread, float((leak * np.conj(value)).real / max(abs(value) ** 2, _TINY))

    def _vectors(self, value):
        """Right and left eigenvectors (d, N), of unit length, by inverse iteration."""
        from scipy.linalg import lu_factor, lu_solve

        at = value.real if value.imag == 0.0 else value
        factors = lu_factor(self._J - (at + _SHIFT * (1.0 + abs(at))) * np.eye(len(self._J)), check_finite=False)
        start = np.random.default_rng(0).standard_normal(len(self._J))
        out = []
        for transposed in (0, 1):
            vector = start
            for _ in range(_INVERSE_STEPS):
                vector = lu_solve(factors, vector, trans=transposed, check_finite=False)
                vector = vector / np.linalg.norm(vector)
            out.append(vector.reshape(self._shape))
        return out

    def _sent(self, right):
        """(K, N) messages of the right eigenvector, field after field."""
        messages, dy = [], []
        for k, U in enumerate(self._matrices):
            terms = [self._blocks["M_s"][k, i] * s for i, s in enumerate(right) if (k, i) in self._blocks["M_s"]]
            terms += [self._blocks["M_y"][k, j] * y for j, y in enumerate(dy) if (k, j) in self._blocks["M_y"]]
            messages.append(sum(terms, np.zeros(self._n)))
            dy.append(U @ messages[-1])
        return messages

    def _felt(self, left):
        """(K, N) derivatives of the eigenvalue by the fields, times the product of the eigenvectors: field before field."""
        felt = [np.zeros(self._n)] * len(self._matrices)
        for k in reversed(range(len(felt))):
            terms = [left[i] * self._blocks["F_y"][i, k] for i in range(len(left)) if (i, k) in self._blocks["F_y"]]
            later = range(k + 1, len(felt))
            terms += [self._blocks["M_y"][j, k] * (self._matrices[j].T @ felt[j]) for j in later if (j, k) in self._blocks["M_y"]]
            felt[k] = sum(terms, np.zeros(self._n))
        return np.array(felt)
