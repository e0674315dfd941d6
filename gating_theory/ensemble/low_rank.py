"""A low-rank part of recurrent matrices: channels, each with a left and a right loading of every unit [T11].

U_k = a_k J_k + sum_{r in k} A_r B_r^T / N: channel r reads the messages of its field with the right loadings B_r, and writes into
the field with the left ones, A_r. The 2R loadings of a site are drawn from a mixture of Gaussians, or given unit by unit; they are
independent of J.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ..results.display import brief
from ..results.encoding import result
from ..support.checks import generator, integer, real, real_array, shown, texts
from ..support.types import Rng

__all__ = ["LowRank"]

#: Loadings whose squares do not overflow.
_LARGEST = 1e100
#: A covariance is one if it is symmetric to this part of its largest entry, and if no eigenvalue is more negative than that.
_ROUNDING = 1e-10
#: Weights of a mixture sum to 1 within this.
_SUM = 1e-9
#: The most channels of one field that a mapping may ask for.
_MOST_CHANNELS = 1000


@result("low_rank", fields=("channels", "mean", "covariance", "mixture", "vectors"))
class LowRank:
    """The low-rank part of an ensemble's matrices, sum_r A_r B_r^T / N over the channels of each field [T11].

    Loadings are of order one. Give either the law of the 2R loadings of a unit, (A_1, .., A_R, B_1, .., B_R), a Gaussian or a
    mixture of Gaussians, or the loadings of all units.

    Parameters
    ----------
    channels : str, sequence of str, or mapping from str to int
        The field of each of the R channels: "h", ("h", "h", "z"), or {"h": 2, "z": 1}.
    mean : (2R,) or (C, 2R) array, optional
        Means of the loadings, one row for each component of a mixture. Default 0.
    covariance : (2R, 2R) or (C, 2R, 2R) array, optional
        Covariances, symmetric and without negative eigenvalues; one for all components where there is one only. Default 0, where
        means are given.
    mixture : (C,) array, optional
        Weights of the components, which sum to 1. Default: all alike.
    vectors : (2, R, N) array, or pair (A, B) of (R, N) arrays, optional
        Given loadings of the N units of one network; then there is neither mean, covariance nor mixture.

    Raises
    ------
    TypeError, ValueError
        No channels, no loadings or both kinds, shapes that do not fit together, weights that do not sum to 1, a covariance that is
        none.

    Examples
    --------
    >>> import gating_theory as gt
    >>> memory = gt.LowRank("h", covariance=[[1.5, 2.6], [2.6, 5.0]])
    >>> gt.Ensemble(gt.GRU, gain={"z": 0.3, "h": 0.8}, low_rank=memory).low_rank.overlap
    array([[2.6]])
    """

    def __init__(
        self,
        channels: str | Sequence[str] | Mapping[str, int],
        mean: npt.ArrayLike | None = None,
        covariance: npt.ArrayLike | None = None,
        mixture: npt.ArrayLike | None = None,
        *,
        vectors: npt.ArrayLike | None = None,
    ) -> None:
        self._channels = _channels(channels)
        self._mean = self._covariance = self._mixture = self._vectors = None
        drawn = {"mean": mean, "covariance": covariance, "mixture": mixture}
        if vectors is not None:
            given = [name for name, value in drawn.items() if value is not None]
            if given:
                raise ValueError(f"vectors are the loadings themselves: {given[0]} must be left out, got {shown(drawn[given[0]])}")
            self._vectors = _frozen(_vectors(vectors, len(self._channels)))
        else:
            made = _gaussians(len(self._channels), mean, covariance, mixture)
            self._mean, self._covariance, self._mixture = map(_frozen, made)

    @property
    def channels(self) -> tuple[str, ...]:
        """The field of each channel, R names."""
        return self._channels

    @property
    def mean(self) -> np.ndarray | None:
        """(C, 2R) means of the loadings (A_1, .., A_R, B_1, .., B_R), read-only; None where they are given."""
        return self._mean

    @property
    def covariance(self) -> np.ndarray | None:
        """(C, 2R, 2R) covariances of the loadings, read-only; None where they are given."""
        return self._covariance

    @property
    def mixture(self) -> np.ndarray | None:
        """(C,) weights of the components, read-only; None where loadings are given."""
        return self._mixture

    @property
    def vectors(self) -> np.ndarray | None:
        """(2, R, N) given loadings, A and B, read-only; None where loadings are drawn."""
        return self._vectors

    @property
    def rank(self) -> int:
        """R, the number of channels."""
        return len(self._channels)

    @property
    def n_units(self) -> int | None:
        """N of given loadings; None where loadings are drawn."""
        return None if self._vectors is None else self._vectors.shape[2]

    @property
    def overlap(self) -> np.ndarray:
        """(R, R) overlaps Omega_rs = E[B_r A_s]: what slow modes at the zero state depend on [T11]."""
        if self._vectors is not None:
            left, right = self._vectors
            return right @ left.T / right.shape[1]
        mean, covariance, weights, R = self._mean, self._covariance, self._mixture, self.rank
        assert mean is not None and covariance is not None and weights is not None
        return np.einsum("c,crs->rs", weights, covariance[:, R:, :R] + mean[:, R:, None] * mean[:, None, :R])

    def scaled(self, factor: float) -> LowRank:
        """The same channels with all right loadings B multiplied by a factor, and overlaps with them.

        Parameters
        ----------
        factor : float, finite

        Returns
        -------
        LowRank
        """
        factor = real("factor", factor, low=-_LARGEST, high=_LARGEST)
        by = np.repeat([1.0, factor], self.rank)
        if self._vectors is not None:
            return LowRank(self._channels, vectors=self._vectors * np.array([1.0, factor])[:, None, None])
        assert self._mean is not None and self._covariance is not None
        return LowRank(self._channels, self._mean * by, self._covariance * np.outer(by, by), self._mixture)

    def drawn(self, n_units: int, rng: Rng = None) -> LowRank:
        """Loadings of the units of one network, drawn: the same channels with given vectors.

        Of what they were drawn from, a network's own overlaps and outliers differ by its sampling error, of order N^{-1/2}; those
        of its vectors do not.

        Parameters
        ----------
        n_units : int >= 1, N; of given loadings their number
        rng : numpy Generator, int or None

        Returns
        -------
        LowRank, with ``vectors``

        Raises
        ------
        TypeError, ValueError
            no number of units, or another one than that of given loadings
        """
        n = integer("n_units", n_units, low=1)
        return LowRank(self._channels, vectors=self.loadings(n, generator(rng)))

    def loadings(self, n_units: int, rng: np.random.Generator) -> np.ndarray:
        """(2, R, N) loadings A and B of the units of one network: drawn, or the given ones.

        Parameters
        ----------
        n_units : int >= 1, N
        rng : numpy Generator

        Raises
        ------
        ValueError
            given loadings are of another number of units
        """
        if self._vectors is not None:
            if n_units != self.n_units:
                raise ValueError(f"n_units must be {self.n_units}, the number of units whose loadings are given, got {n_units}")
            return self._vectors
        mean, covariance, weights = self._mean, self._covariance, self._mixture
        assert mean is not None and covariance is not None and weights is not None
        component = np.zeros(n_units, dtype=int) if weights.size == 1 else rng.choice(weights.size, n_units, p=weights)
        normal = rng.standard_normal((n_units, 2 * self.rank))
        factors = np.array([_root(each) for each in covariance])
        z = mean[component] + np.einsum("nij,nj->ni", factors[component], normal)
        return np.ascontiguousarray(z.T).reshape(2, self.rank, n_units)

    def matrices(self, n_units: int, rng: np.random.Generator, names: Sequence[str]) -> dict[int, np.ndarray]:
        """{position of a field: (N, N) array sum_r A_r B_r^T / N} of one network, for the fields that have channels.

        Parameters
        ----------
        n_units : int >= 1, N
        rng : numpy Generator
        names : sequence of str, of all fields
        """
        left, right = self.loadings(n_units, rng)
        out = {}
        for position, name in enumerate(names):
            own = [r for r, channel in enumerate(self._channels) if channel == name]
            if own:
                out[position] = left[own].T @ right[own] / n_units
        return out

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready: the arguments that make it again."""
        names = ("vectors",) if self._vectors is not None else ("mean", "covariance", "mixture")
        return {"channels": list(self._channels), **{name: getattr(self, name).tolist() for name in names}}

    @classmethod
    def from_dict(cls, description: Mapping[str, Any]) -> Self:
        """Rebuild it from :meth:`as_dict`.

        Parameters
        ----------
        description : mapping, as from :meth:`as_dict`

        Raises
        ------
        TypeError, ValueError
            not a description, unknown entries, what LowRank itself refuses
        """
        if not isinstance(description, Mapping) or "channels" not in description:
            raise ValueError(f"description must be a mapping with 'channels', got {shown(description)}")
        unknown = set(description) - {"channels", "mean", "covariance", "mixture", "vectors"}
        if unknown:
            raise ValueError(f"description has unknown entries {shown(sorted(unknown, key=str))}")
        return cls(**description)

    def _key(self):
        arrays = (self._mean, self._covariance, self._mixture, self._vectors)
        return self._channels, tuple(None if a is None else (a.shape, a.tobytes()) for a in arrays)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LowRank) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        if self._vectors is not None:
            return f"LowRank({list(self._channels)}, loadings of {self.n_units} units)"
        assert self._mixture is not None
        law = "Gaussian" if self._mixture.size == 1 else f"mixture of {self._mixture.size} Gaussians"
        overlap = np.array2string(self.overlap, precision=4, separator=", ").replace("\n", "") if self.rank < 4 else "of many"
        return brief("LowRank", f"{list(self._channels)}, {law}, overlap={overlap}")


def _channels(given):
    if isinstance(given, Mapping):
        counts = {name: integer(f"channels[{shown(name)}]", n, high=_MOST_CHANNELS) for name, n in given.items()}
        names = texts("channels", [name for name in given for _ in range(counts[name])], "field names")
    else:
        names = (given,) if isinstance(given, str) else texts("channels", given, "field names")
    if not names or not all(names):
        raise ValueError(f"channels must name the field of at least one channel, got {shown(given)}")
    return names


def _vectors(given, rank):
    array = real_array("vectors", given, largest=_LARGEST)
    if array.ndim != 3 or array.shape[:2] != (2, rank) or array.shape[2] == 0:
        raise ValueError(f"vectors must have shape (2, {rank}, N), A and B of {rank} channels, got {array.shape}")
    return array


def _gaussians(rank, mean, covariance, mixture):
    """Means (C, 2R), covariances (C, 2R, 2R) and weights (C,)."""
    if mean is None and covariance is None:
        raise ValueError("covariance must be given, or mean, or vectors: nothing says what the loadings are")
    size = 2 * rank
    means = _of_components("mean", np.zeros(size) if mean is None else mean, (size,))
    covariances = _of_components("covariance", np.zeros((size, size)) if covariance is None else covariance, (size, size))
    weights = None if mixture is None else real_array("mixture", mixture, largest=_LARGEST)
    if weights is not None and (weights.ndim != 1 or not weights.size or (weights < 0.0).any() or abs(weights.sum() - 1.0) > _SUM):
        raise ValueError(f"mixture must be numbers >= 0 that sum to 1, got {shown(mixture)}")
    counts = {"mean": len(means), "covariance": len(covariances)}
    counts |= {} if weights is None else {"mixture": weights.size}
    most = max(counts.values())
    for name, count in counts.items():
        if count not in (1, most) or (name == "mixture" and count != most):
            raise ValueError(f"{name} must be of {most} components, as the others are, got {count}")
    for each in covariances:
        _require_covariance(each)
    covariances = 0.5 * (covariances + covariances.transpose(0, 2, 1))
    weights = np.full(most, 1.0 / most) if weights is None else weights / weights.sum()
    return np.broadcast_to(means, (most, size)), np.broadcast_to(covariances, (most, size, size)), weights


def _of_components(name, given, shape):
    array = real_array(name, given, largest=_LARGEST)
    if array.shape[-len(shape) :] != shape or array.ndim not in (len(shape), len(shape) + 1) or array.size == 0:
        wanted = f"{shape} or {('C', *shape)}".replace("'", "")
        raise ValueError(f"{name} must have shape {wanted}, as there are {shape[-1]} loadings, got {array.shape}")
    return array.reshape(-1, *shape)


def _require_covariance(array):
    size = float(np.abs(array).max())
    if np.abs(array - array.T).max() > _ROUNDING * size:
        raise ValueError(f"covariance must be symmetric, got {shown(array.tolist())}")
    least = float(np.linalg.eigvalsh(array)[0])
    if least < -_ROUNDING * size:
        raise ValueError(f"covariance must have no negative eigenvalue, got one with {least:.4g}")


def _root(covariance):
    """L with L L^T = covariance, which may be singular."""
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0.0))


def _frozen(array):
    array = np.array(array, dtype=float) + 0.0  # no -0.0: equal parts have equal bytes
    array.flags.writeable = False
    return array
