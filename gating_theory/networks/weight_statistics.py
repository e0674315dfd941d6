"""How far given recurrent weights are from the iid normal ones that theory speaks of [T1]."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..ensemble.matrix_laws import MatrixLaw, Unknown
from ..ensemble.rotation_invariant import Haar, HaarStack
from ..results.encoding import result
from ..support.checks import generator, instance
from ..support.types import Rng
from .network import Network

__all__ = [
    "WeightOrigin",
    "WeightStatistics",
    "recognised_law",
    "shuffled",
    "weight_origin",
    "weight_overlaps",
    "weight_statistics",
]

#: An eigenvalue counts as an outlier beyond 1 + this / sqrt(N), in units of the gain: one iid matrix in a hundred has one.
_MARGIN = 2.0
#: Shuffled copies that weights are held against, and the chance below which what they are not is told.
_COPIES, _SURE = 40, 1e-3
#: Relative variance over units that stands for none.
_LEAST_VARIANCE = 1e-12
#: Relative spread of singular values below which a matrix looks orthogonal: initialised so, for no training leaves it.
_ORTHOGONAL = 1e-3
#: The same below which it is one, as drawn: single precision leaves some 1e-6, one step of training 1e-4 and more.
_EXACT = 1e-5


@result("weight_statistics")
@dataclass(frozen=True)
class WeightStatistics:
    """One recurrent matrix U of N x N against iid normal entries of the same second moment; in brackets what those give.

    Attributes
    ----------
    gain : float, |U|_F / sqrt(N)
    mean : float, mean entry times N^{3/2} / gain (0 +- 1): sqrt(N) makes an eigenvalue at the gain, larger ones an outlier
    excess_kurtosis : float, of the entries (0)
    normal_distance : float, Kolmogorov-Smirnov distance of the entries from a normal law (about 0.9 / N)
    radius : float, largest |eigenvalue| / gain (1 + O(N^{-1/2}))
    circular_distance : float
        Kolmogorov-Smirnov distance of |eigenvalue|^2 / gain^2 from the uniform law, which is the circular law (O(N^{-1/2}))
    outliers : list of complex, eigenvalues / gain beyond 1 + 2 / sqrt(N), largest first (none)
    norm : float, largest singular value / gain (2)
    symmetry : float, tr U^2 / |U|_F^2 (0 +- 1 / N; 1 for a symmetric matrix, -1 for an antisymmetric one)
    """

    gain: float
    mean: float
    excess_kurtosis: float
    normal_distance: float
    radius: float
    circular_distance: float
    outliers: list[complex]
    norm: float
    symmetry: float

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; outliers as pairs of real and imaginary part."""
        return asdict(self) | {"outliers": [[z.real, z.imag] for z in self.outliers]}


@result("weight_origin")
@dataclass(frozen=True)
class WeightOrigin:
    """Whether recurrent weights look as initialised or as trained.

    Attributes
    ----------
    code : str
        "random": nothing about them tells them from iid entries; "orthogonal": all singular values of each matrix, or of the stack
        of all, are equal; "structured": neither, so trained, or made by hand.
    chance : float
        Of iid weights with the same entries to stand out as much as these do, in any of the statistics looked at.
    evidence : str, the statistic that stands out most
    """

    code: str
    chance: float
    evidence: str

    @property
    def trained(self) -> bool:
        """Whether they have structure that no initialisation has."""
        return self.code == "structured"

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    def __str__(self) -> str:
        if self.code == "orthogonal":
            return "weights are orthogonal matrices: an initialisation"
        odds = f"{self.evidence}: a chance of {self.chance:.1g} if they were shuffled"
        if self.code == "random":
            return f"weights look like an initialisation: nothing stands out from iid entries (most of all {odds})"
        return f"weights look trained: they are not iid ({odds})"


def weight_statistics(net: Network) -> dict[str, WeightStatistics]:
    """Statistics of the recurrent matrices of a network, field by field.

    Parameters
    ----------
    net : Network, a single one

    Returns
    -------
    dict, {field name: WeightStatistics}; fields whose matrix is zero are left out

    Raises
    ------
    TypeError, ValueError
        not a Network, a batch of networks
    """
    _require_single(net)
    matrices = dict(zip(net.cell.field_names, net.matrices))
    return {name: _statistics(U) for name, U in matrices.items() if U.any()}


def weight_overlaps(net: Network) -> dict[tuple[str, str], float]:
    """{(field, field): correlation of their matrices' entries}, 0 +- 1 / N if independent; arguments as in weight_statistics."""
    _require_single(net)
    unit = {name: U / np.linalg.norm(U) for name, U in zip(net.cell.field_names, net.matrices) if U.any()}
    names = list(unit)
    return {(a, b): float(np.vdot(unit[a], unit[b])) for i, a in enumerate(names) for b in names[i + 1 :]}


def weight_origin(net: Network, rng: Rng = None) -> WeightOrigin:
    """Whether the recurrent weights of a network look as initialised or as trained: they are held against shuffled copies.

    Shuffling keeps all entries of a matrix and destroys what training makes: directions along which it stretches (the fourth moment
    of its singular values), units that hear or send more than others, symmetry, likeness of the matrices of two fields. Each
    statistic is held against those of 40 shuffled copies by Student's t, and the smallest chance taken times their number.

    Training that changed little is not seen. Nor is what leaves entries exchangeable: their size, and a law of their own.

    Parameters
    ----------
    net : Network, a single one
    rng : numpy Generator, int or None, for the copies

    Returns
    -------
    WeightOrigin
    """
    from scipy.stats import t

    _require_single(net)
    rng = generator(rng)
    found = _structure(net)
    if not found:
        return WeightOrigin("random", 1.0, "no recurrent weights")
    copies = [_structure(shuffled(net, rng)) for _ in range(_COPIES)]
    pulls = {}
    for name, value in found.items():
        null = np.array([copy[name] for copy in copies])
        spread = null.std(ddof=1) * np.sqrt(1.0 + 1.0 / _COPIES)
        # matrices of one unit, or of equal entries, cannot be shuffled
        pulls[name] = abs(value - null.mean()) / spread if spread > 1e-9 else 0.0
    evidence = max(pulls, key=lambda name: pulls[name])
    chance = min(1.0, 2.0 * len(pulls) * float(t.sf(pulls[evidence], _COPIES - 1)))
    code = "orthogonal" if _orthogonal(net) else "structured" if chance < _SURE else "random"
    return WeightOrigin(code, chance, evidence)


def shuffled(net: Network, rng: Rng = None) -> Network:
    """The same network with the entries of every recurrent matrix permuted at random: the same law of entries without structure.

    Parameters
    ----------
    net : Network, a single one
    rng : numpy Generator, int or None

    Returns
    -------
    Network, with the biases, site parameters and input of the given one
    """
    _require_single(net)
    rng = generator(rng)
    matrices = np.array([rng.permutation(U.ravel()).reshape(U.shape) for U in net.matrices])
    matrices.flags.writeable = False
    return Network(net.cell, matrices, net.biases, net.parameters, net.input)


def _structure(net):
    """Statistics by which structured matrices differ from shuffled ones, {what it is: value}."""
    n, out = net.n_units, {}
    unit = {name: U * (np.sqrt(n) / np.linalg.norm(U)) for name, U in zip(net.cell.field_names, net.matrices) if U.any()}
    for name, U in unit.items():
        # logarithms: in small matrices these have long tails upwards
        out[f"the singular values of {name}"] = float(np.log(np.sum((U @ U.T) ** 2)))
        for word, axis in (("hear", 1), ("send", 0)):
            heard = np.sum(U**2, axis=axis)
            out[f"how much units {word} through {name}"] = float(np.log(np.var(heard) + _LEAST_VARIANCE * np.mean(heard) ** 2))
        out[f"the symmetry of {name}"] = float(np.sum(U * U.T)) / n
    names = list(unit)
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            out[f"the likeness of {a} and {b}"] = float(np.vdot(unit[a], unit[b])) / n
    return out


def recognised_law(net: Network) -> MatrixLaw:
    """The law of matrices that are as an orthogonal initialiser draws them, told by their singular values [T10].

    ``Haar()`` where those of each matrix are equal to 1e-5; ``HaarStack()`` where those of all matrices in one stack are. Anything
    else, trained weights for one, is ``Unknown()``: iid entries cannot be told from what training left as it was. Weights that are
    kept orthogonal while they are trained look like drawn ones here.

    Parameters
    ----------
    net : Network, a single one

    Returns
    -------
    MatrixLaw
    """
    _require_single(net)
    matrices = [U for U in net.matrices if U.any()]
    if net.n_units < 2 or not matrices:
        return Unknown()
    if all(_alike(U, _EXACT) for U in matrices):
        return Haar()
    return HaarStack() if len(matrices) == net.cell.n_fields and _alike(np.concatenate(matrices), _EXACT) else Unknown()


def _orthogonal(net):
    """Whether every matrix, or the stack of all, stretches all directions alike. Of one unit or none every matrix does."""
    matrices = [U for U in net.matrices if U.any()]
    if net.n_units < 2 or not matrices:
        return False
    return all(_alike(U, _ORTHOGONAL) for U in matrices) or _alike(np.concatenate(matrices), _ORTHOGONAL)


def _alike(U, tol):
    """Whether a matrix stretches all directions alike."""
    columns = np.linalg.norm(U, axis=0)
    if np.ptp(columns) >= tol * columns.max():  # images of unit vectors: nearly always that settles it
        return False
    stretch = np.linalg.svd(U, compute_uv=False)
    return bool(np.ptp(stretch) < tol * stretch.max())


def _require_single(net):
    instance("net", net, Network)
    if net.batch is not None:
        raise ValueError(f"net must be a single network, got a batch of {net.batch}")


def _statistics(U):
    from scipy.stats import kurtosis, norm

    n = U.shape[0]
    gain = np.linalg.norm(U) / np.sqrt(n)
    entries = U.ravel() * (np.sqrt(n) / gain)  # of variance one about zero
    eigenvalues = np.linalg.eigvals(U) / gain
    modulus = np.abs(eigenvalues)
    outside = eigenvalues[modulus > 1.0 + _MARGIN / np.sqrt(n)]
    outside = outside[np.argsort(-np.abs(outside), kind="stable")]
    constant = np.ptp(entries) == 0.0
    return WeightStatistics(
        gain=float(gain),
        mean=float(entries.mean() * n),
        excess_kurtosis=0.0 if constant else float(kurtosis(entries)),
        normal_distance=_distance(norm.cdf(entries)),
        radius=float(modulus.max()),
        circular_distance=_distance(np.minimum(modulus**2, 1.0)),
        outliers=[complex(z) for z in outside],
        norm=float(np.linalg.norm(U, 2) / gain),
        symmetry=float(np.sum(U * U.T) / (gain**2 * n)),
    )


def _distance(uniform):
    """Kolmogorov-Smirnov distance of numbers in [0, 1] from the uniform law."""
    x = np.sort(uniform)
    steps = np.arange(x.size + 1) / x.size
    return float(max(np.max(steps[1:] - x), np.max(x - steps[:-1])))
