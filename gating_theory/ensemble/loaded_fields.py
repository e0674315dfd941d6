"""The law of fields and loadings of a site at given overlaps and moments [T11]: within a component everything is jointly Gaussian.

    y_k = b_k + sum_{r in k} A_r kappa_r + x_k,    x_k ~ N(0, a_k^2 q_k) through the random matrix; spreads and inputs beside it

Fields are correlated where loadings of their channels are. Such fields form a group, and are sums of independent coordinates, the
eigenvectors of their covariance; all other variables are coordinates themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..cell.probes import NarrowedShapes, Shape, Shapes
from .field_law import RandomFields
from .quadrature import FieldLaw

if TYPE_CHECKING:
    from .ensemble import Ensemble
    from .low_rank import LowRank

__all__ = ["Axes", "ComponentLaws", "LoadedFields"]

#: Eigenvalues of a covariance below this part of the largest are none.
_NOTHING = 1e-14
#: Coordinates along which steps move about are taken as analytic in this part of the length over which functions change.
_FALLBACK = 1.0 / 6.0


@dataclass(frozen=True)
class Axes:
    """Independent coordinates of the variables of a site: y = offset + turn @ coordinates.

    Attributes
    ----------
    law : FieldLaw, a batch of one, of the V coordinates; those that are variables have these variables' means
    turn : (V, V) array, the unit matrix but for the groups
    offset : (V,) array, means of the variables of groups; 0 of others
    mixed : frozenset of int, the coordinates that are no variables
    """

    law: FieldLaw
    turn: np.ndarray
    offset: np.ndarray
    mixed: frozenset[int]

    def variables(self, coordinates: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Values of the variables at those of the coordinates, arrays of one shape.

        Parameters
        ----------
        coordinates : sequence of V arrays
        """
        if not self.mixed:
            return list(coordinates)
        out = list(coordinates)
        for k in self.mixed:
            out[k] = self.offset[k] + sum(self.turn[k, j] * coordinates[j] for j in self.mixed if self.turn[k, j])
        return out


@dataclass(frozen=True)
class ComponentLaws:
    """Laws at B sets of overlaps and moments, of C components each; V variables are K fields and P site parameters.

    Attributes
    ----------
    means : (B, C, V) array
    stds : (B, C, V) array, of the coordinates
    turn : (B, C, V, V) array, from coordinates to deviations of variables from their means
    covariance : (B, C, K, K) array, of the fields
    cross : (B, C, 2R + K, K) array, of (A, B, x) with the fields
    prior_mean : (C, 2R + K) array, of (A, B, x)
    prior_covariance : (B, C, 2R + K, 2R + K) array
    groups : the groups of fields that are correlated
    shapes : what is known of the functions along each variable
    """

    means: np.ndarray
    stds: np.ndarray
    turn: np.ndarray
    covariance: np.ndarray
    cross: np.ndarray
    prior_mean: np.ndarray
    prior_covariance: np.ndarray
    groups: tuple[tuple[int, ...], ...]
    shapes: Sequence[Shape] | Shapes | NarrowedShapes

    @property
    def slopes(self) -> np.ndarray:
        """(B, C, 2R + K, K) slopes of E[(A, B, x) | y] along each coordinate of the fields, in its standard deviations."""
        K = self.cross.shape[-1]
        along, std = self.cross @ self.turn[..., :K, :K], self.stds[..., None, :K]
        return np.divide(along, std, out=np.zeros_like(along), where=std > 0.0)

    def shape(self, j: int) -> Shape:
        """What is known of the functions along a coordinate, for all of the batch.

        Parameters
        ----------
        j : int
        """
        for group in self.groups:
            if j in group:
                parts = np.abs(self.turn[..., list(group), j]).reshape(-1, len(group)).max(axis=0)
                return _along(parts, [self.shapes[k] for k in group])
        return self.shapes[j]

    def axes(self, b: int, c: int) -> Axes:
        """The coordinates of one component.

        Parameters
        ----------
        b, c : int, its place
        """
        mixed = frozenset(k for group in self.groups for k in group)
        means, offset = self.means[b, c].copy(), np.zeros(self.means.shape[-1])
        for k in mixed:
            means[k], offset[k] = 0.0, means[k]
        one = replace(self, turn=self.turn[b : b + 1, c : c + 1])
        shapes = [one.shape(j) for j in range(means.size)]
        return Axes(FieldLaw(means, self.stds[b : b + 1, c], shapes), self.turn[b, c], offset, mixed)

    def variables_law(self, b: int, c: int) -> FieldLaw:
        """Means and standard deviations of the variables of one component, a batch of one, as if they were independent.

        Parameters
        ----------
        b, c : int, its place
        """
        stds = self.stds[b, c].copy()
        K = self.covariance.shape[-1]
        stds[:K] = np.sqrt(np.diagonal(self.covariance[b, c]))
        return FieldLaw(self.means[b, c], stds[None, :], self.shapes)


def _along(parts, shapes):
    """The Shape along a coordinate of which each variable has a part (at most 1 in modulus)."""
    felt = [(part, shape) for part, shape in zip(parts, shapes) if part > 0.0]
    length = min((shape.length / part for part, shape in felt), default=np.inf)
    strips = [(shape.strip if shape.trapezoidal else _FALLBACK * shape.length) / part for part, shape in felt]
    return Shape(strip=min(strips, default=np.inf), length=length)


class LoadedFields:
    """How the law of fields and loadings of an ensemble with drawn loadings follows from overlaps and moments [T11].

    Parameters
    ----------
    ensemble : Ensemble with a low-rank part
    variables : sequence of int, optional
        The fields and site parameters that matter; groups are made of these only. Default: all.

    Attributes
    ----------
    random : RandomFields, of the random part
    field_of : (R,) int array, the field of each channel
    weights : (C,) array, of the components
    """

    def __init__(self, ensemble: Ensemble, variables: Sequence[int] | None = None) -> None:
        low = ensemble.low_rank
        assert low is not None
        self.low_rank: LowRank = low
        self.random = RandomFields(ensemble.with_low_rank(None))
        names = ensemble.cell.field_names
        self.n_fields = len(names)
        self.field_of = np.array([names.index(name) for name in low.channels])
        weights = low.mixture
        self.weights = np.ones(1) if weights is None else weights
        every = range(len(self.random.means))
        self.variables = tuple(every if variables is None else variables)
        self.groups = self._groups() if low.vectors is None else ()

    def _groups(self):
        """Fields whose loadings A are correlated in any component, of those that matter."""
        K, R = self.n_fields, self.low_rank.rank
        joined = np.zeros((K, K), dtype=bool)
        fields = self.field_of
        for r in range(R):
            for s in range(R):
                if np.any(self.low_rank.covariance[:, r, s]):
                    joined[fields[r], fields[s]] = True
        left, out = [k for k in range(K) if k in self.variables], []
        while left:
            group = {left[0]}
            while more := {k for k in left if any(joined[k, l] for l in group)} - group:
                group |= more
            left = [k for k in left if k not in group]
            if len(group) > 1:
                out.append(tuple(sorted(group)))
        return tuple(out)

    def driven(self, overlaps: np.ndarray) -> np.ndarray:
        """(B, K, R) array X: what each loading A is multiplied by in each field, at overlaps (B, R).

        Parameters
        ----------
        overlaps : (B, R) array
        """
        X = np.zeros((len(overlaps), self.n_fields, self.low_rank.rank))
        X[:, self.field_of, np.arange(self.low_rank.rank)] = overlaps
        return X

    def at(self, overlaps: np.ndarray, q: np.ndarray) -> ComponentLaws:
        """The laws at a batch of overlaps and moments, of drawn loadings.

        Parameters
        ----------
        overlaps : (B, R) array
        q : (B, n) array, moments of the distinct messages
        """
        mean, loadings = self.low_rank.mean, self.low_rank.covariance
        assert mean is not None and loadings is not None
        K, R, (B, C) = self.n_fields, self.low_rank.rank, (len(overlaps), len(mean))
        X = self.driven(overlaps)
        random, width = self.random.driven(q), self.random.variance(q)
        field_mean = self.random.means[:K] + np.einsum("bkr,cr->bck", X, mean[:, :R])
        covariance = np.einsum("bkr,crs,bls->bckl", X, loadings[:, :R, :R], X)
        covariance[:, :, range(K), range(K)] += width[:, None, :]
        cross = np.zeros((B, C, 2 * R + K, K))
        cross[:, :, : 2 * R] = np.einsum("cir,bkr->bcik", loadings[:, :, :R], X)
        cross[:, :, range(2 * R, 2 * R + K), range(K)] = random[:, None, :]
        prior = np.zeros((B, C, 2 * R + K, 2 * R + K))
        prior[:, :, : 2 * R, : 2 * R] = loadings
        prior[:, :, range(2 * R, 2 * R + K), range(2 * R, 2 * R + K)] = random[:, None, :]
        V = len(self.random.means)
        means = np.concatenate([field_mean, np.broadcast_to(self.random.means[K:], (B, C, V - K))], axis=2)
        stds = np.concatenate(
            [np.sqrt(np.diagonal(covariance, axis1=2, axis2=3)), np.broadcast_to(self.random.parameter_std, (B, C, V - K))], axis=2
        )
        turn = np.broadcast_to(np.eye(V), (B, C, V, V)).copy()
        for group in self.groups:
            rows = np.ix_(range(B), range(C), group, group)
            values, vectors = np.linalg.eigh(covariance[rows])
            kept = values > _NOTHING * values[..., -1:]
            stds[:, :, group] = np.sqrt(np.where(kept, values, 0.0))
            turn[rows] = vectors
        prior_mean = np.concatenate([mean, np.zeros((C, K))], axis=1)
        return ComponentLaws(means, stds, turn, covariance, cross, prior_mean, prior, self.groups, self.random.shapes)
