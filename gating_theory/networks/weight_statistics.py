"""How far given recurrent weights are from the iid normal ones that theory speaks of [T1]."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..results.encoding import result
from ..support.checks import generator, instance
from ..support.types import Rng
from .network import Network

__all__ = ["WeightStatistics", "weight_statistics", "weight_overlaps", "shuffled"]

#: An eigenvalue counts as an outlier beyond 1 + this / sqrt(N), in units of the gain: one iid matrix in a hundred has one.
_MARGIN = 2.0


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
    TypeError, ValueError : not a Network, a batch of networks
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
