"""Isolated eigenvalues at fixed points of random matrices with low-rank parts [T11].

Outside the support they are the zeros of det(1 - C(lambda)),

    C_ij = E[B_i W_{k(i) l(j)}(lambda) A_j],

where i and j run over the channels of the low-rank part, which reads B_i from the messages of its field and writes A_i into it,
and over one channel for each field with a random matrix, by which the fixed point conditions it: B = m_k / E m_k^2, A = x_k, the
part of the field that comes through it. Given a site's fields all A, B and x are Gaussian: E[B_i A_j | y] is the product of their
means, linear in y, plus the covariance that is left, a constant in each component of a mixture.

Leaks of sites cover what is between them on the real axis, and where gates are steep their tail covers eigenvalues that a network
of N units shows plainly. Where N is given, leaks beyond which less than a share 1/N of the sites has one cover nothing, and what
these sites add to C is taken beside the axis.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property, partial

import numpy as np

from ..ensemble.field_law import squared
from ..ensemble.loaded_sites import LoadedSites
from ..ensemble.sites import Sites
from ..mean_field.low_rank_points import LowRankFixedPoint
from .boundary import Boundary
from .determinant import spectral_radius
from .dyson import Population
from .edge import SitesEdge
from .influence import variance
from .isolated import CLEAR, IsolatedEigenvalue, distance_to_edge, matrix_part, null_vectors
from .outliers import OutlierDeterminant, isolated_zeros, polished_zeros, sorted_by_modulus

__all__ = ["LowRankIsolated", "LowRankOutliers", "common_sites"]

#: Tolerances of the populations that zeros are searched with and polished with, and their sites at most.
_SEARCHED, _POLISHED, _FEW_SITES, _MANY_SITES = 1e-4, 1e-10, 4000, 60_000
#: A leak beyond which less than this share of the sites has one is left out where N is not given.
_RARE = 1e-6
#: Step of the derivative by lambda, relative to 1 + |lambda|.
_STEP = 1e-5
#: Imaginary parts that are none, relative to 1 + |lambda|.
_REAL = 1e-9
#: How far beside the axis rare sites are evaluated, on both sides: further than their leaks are from one another.
_BESIDE = 0.02


class LowRankOutliers(OutlierDeterminant):
    """The determinant at a fixed point with a low-rank part.

    Parameters
    ----------
    loaded : LoadedSites, of the fixed point
    point : LowRankFixedPoint
    kept : (M,) bool array, optional, sites that count

    Attributes
    ----------
    weights : (M,) array, of the sites, 0 of those that do not count
    read, written : (n,) int arrays, the message that each channel reads and the field that it writes into
    right, left : (n, M) arrays, means of B and A given the site
    conditioned : (n,) bool array, which channels are those that the fixed point makes
    covariance : (C, 2n, 2n) array, of (B, A) given the site, for each component of the mixture
    component : (M,) int array
    """

    def __init__(self, loaded: LoadedSites, point: LowRankFixedPoint, kept: np.ndarray | None = None) -> None:
        sites, cell, low = loaded.sites, loaded.sites.cell, point.ensemble.low_rank
        assert low is not None
        self.message_of = np.array(cell.message_of)
        minors = dict(cell.compiled.minors(1, sites.state, sites.fields, sites.parameters))
        self.chi = np.array([np.broadcast_to(c, sites.size) for c in minors.pop(((), ()))])
        self._numerators = {(k[0], l[0]): np.asarray(q) for (k, l), q in minors.items() if len(k) == 1}
        self.weights = sites.weights if kept is None else np.where(kept, sites.weights, 0.0)
        R, q = low.rank, point.q[self.message_of]
        fields = np.flatnonzero((point.ensemble.array("gain") > 0.0) & (q > 0.0))
        self.written = np.concatenate([[cell.field_names.index(name) for name in low.channels], fields]).astype(int)
        self.read, self.conditioned = self.message_of[self.written], np.arange(self.written.size) >= R
        messages = cell.compiled.messages(sites.state, sites.fields, sites.parameters)
        felt = [np.broadcast_to(messages[self.message_of[k]], sites.size) / q[k] for k in fields]
        self.right = np.concatenate([loaded.mean[R : 2 * R], np.reshape(felt, (len(felt), sites.size))])
        left = np.concatenate([np.arange(R), 2 * R + fields])
        self.left, self.component = loaded.mean[left], loaded.component
        self.covariance = self._joint(loaded.covariance, R, left)

    def _joint(self, covariance, R, left):
        """Covariances of (B, A); messages that the fixed point conditions on are known given the site."""
        n = self.written.size
        out = np.zeros((len(covariance), 2 * n, 2 * n))
        places = np.concatenate([np.arange(R), n + np.arange(n)])
        chosen = np.concatenate([np.arange(R, 2 * R), left])
        out[:, places[:, None], places] = covariance[:, chosen[:, None], chosen]
        return out

    @cached_property
    def _rows(self):
        """Row, column and power of lambda - 1 of all that is summed over sites, and (S, M) numerators over det(lambda - F_s)."""
        places, rows, n = [], [], self.written.size
        for (k, l), numerators in self._numerators.items():
            used = [(power, row) for power, row in enumerate(numerators) if np.any(row)]
            for i in np.flatnonzero(self.read == k):
                for j in np.flatnonzero(self.written == l):
                    pair = self.right[i] * self.left[j] + self.covariance[self.component, i, n + j]
                    places += [(i, j, power) for power, _ in used]
                    rows += [row * pair * self.weights for _, row in used]
        return np.reshape(places, (len(places), 3)).astype(int), np.reshape(rows, (len(rows), self.weights.size))

    def coupling(self, lam: np.ndarray) -> np.ndarray:
        """(L, n, n) C(lambda) at a few lambdas (L,)."""
        places, rows = self._rows
        powers, chi = self.powers(lam)
        inverse = 1.0 / chi
        # twice a product of real matrices is faster than one of a complex with a real one
        sums = (inverse.real @ rows.T) + 1j * (inverse.imag @ rows.T)
        C = np.zeros((lam.size, self.written.size, self.written.size), dtype=complex)
        for (i, j, power), values in zip(places.tolist(), sums.T):
            C[:, i, j] += powers[:, power] * values
        return C

    def transfer(self, lam: complex) -> np.ndarray:
        """(n, K, M) W at the sites, rows messages."""
        powers, chi = self.powers(np.array([lam]))
        out = np.zeros((self.message_of.max() + 1, self.message_of.size, self.weights.size), dtype=complex)
        for place, rows in self._numerators.items():
            out[place] = (powers[0] @ rows) / chi[0]
        return out


class _Edge:
    """The edge of a population of sites without rare leaks.

    Parameters
    ----------
    loaded : LoadedSites
    share : float, leaks beyond which less than this share of the sites has one are left out
    """

    def __init__(self, loaded: LoadedSites, share: float) -> None:
        self.every = Population(loaded.sites)
        leaks, weights = SitesEdge(self.every).leaks, loaded.sites.weights
        self.kept, self.spans = _without_rare(leaks, weights, share)
        self._all_spans = _without_rare(leaks, weights, _RARE)[1]
        self.population = Population(_only(loaded.sites, self.kept))
        self.kept_weight = float(loaded.sites.weights[self.kept].sum())

    def radius(self, lam: np.ndarray) -> np.ndarray:
        """Spectral radius of T at a complex array, infinite between leaks that are spread."""
        lam = np.asarray(lam, dtype=complex)
        value = self.kept_weight * spectral_radius(self.population.transfer_moments(lam.real + 1j * np.abs(lam.imag)))
        real = np.abs(lam.imag) <= _REAL * (1.0 + np.abs(lam))
        for low, high in self.spans:
            value = np.where(real & (low <= lam.real) & (lam.real <= high), np.inf, value)
        return value

    def log_radius(self, lam: np.ndarray) -> np.ndarray:
        """Its logarithm, clipped: negative outside the support."""
        with np.errstate(divide="ignore"):
            return np.clip(np.log(self.radius(lam)), -700.0, 700.0)

    def among_rare(self, lam: complex) -> bool:
        """Whether a number lies in the range of the leaks that are left out here, and not where N is not given."""
        return any(low <= lam.real <= high for low, high in self._all_spans)


def common_sites(sites: Sites) -> Sites:
    """The sites of a population without those whose leaks are in a tail of less than 1e-6 of all.

    Parameters
    ----------
    sites : Sites
    """
    return _only(sites, _without_rare(SitesEdge(Population(sites)).leaks, sites.weights, _RARE)[0])


def _without_rare(leaks, weights, share):
    """(M,) bool, sites whose leaks are not rare, and intervals of the real axis that theirs cover."""
    kept, spans = np.ones(len(leaks), dtype=bool), []
    for column in leaks.T:
        if np.any(np.imag(column)) or np.ptp(column.real) == 0.0:
            continue
        low, high = _end(column.real, weights, share), -_end(-column.real, weights, share)
        kept &= (low <= column.real) & (column.real <= high)
        spans.append((low, high))
    return kept, [span for span in spans if span[1] > span[0]]


def _end(values, weights, share):
    """The lowest value that less than a share of the weight is below or at."""
    order = np.argsort(values)
    return float(values[order][np.searchsorted(np.cumsum(weights[order]), share)])


def _only(sites, kept):
    """The sites that are kept, whose weights sum to one again."""
    weights = sites.weights[kept]
    arrays = {name: getattr(sites, name)[:, kept] for name in ("state", "fields", "parameters")}
    return replace(sites, weights=weights / weights.sum(), recurrent=None, **arrays)


class LowRankIsolated:
    """The isolated eigenvalues at a fixed point with a low-rank part, and how far networks of N units are from them.

    Parameters
    ----------
    point : LowRankFixedPoint
    """

    def __init__(self, point: LowRankFixedPoint) -> None:
        self._point = point
        self._known: dict[int | None, np.ndarray] = {}

    @cached_property
    def _searched(self):
        return self._point.loaded_sites(_SEARCHED, _FEW_SITES)

    @cached_property
    def _polished(self):
        return self._point.loaded_sites(_POLISHED, _MANY_SITES)

    @cached_property
    def determinant(self) -> LowRankOutliers:
        """det(1 - C(lambda)) of all sites."""
        return LowRankOutliers(self._polished, self._point)

    def zeros(self, n_units: int | None = None) -> np.ndarray:
        """The zeros outside the support, largest modulus first.

        Parameters
        ----------
        n_units : int or None, N
        """
        if n_units not in self._known:
            self._known[n_units] = self._found(None if n_units is None else 1.0 / n_units)
        return self._known[n_units]

    def _found(self, share):
        edge = _Edge(self._searched, share or _RARE)
        searched = LowRankOutliers(self._searched, self._point, None if share is None else edge.kept)
        bound = Boundary(SitesEdge(edge.population)).bound
        first = isolated_zeros(searched, edge.log_radius, bound)
        fine = _Edge(self._polished, share or _RARE)
        found = np.array([self._polish(zero, fine, share) for zero in first.tolist()], dtype=complex)
        found = np.where(np.abs(found.imag) < _REAL * (1.0 + np.abs(found)), found.real, found)
        good = fine.radius(found) < 1.0
        if share is None:  # next to single rare leaks there is a zero for each
            good &= spectral_radius(fine.every.transfer_moments(found.real + 1j * np.abs(found.imag))) < 1.0
        return sorted_by_modulus(found[good])

    def _polish(self, zero, edge, share):
        """Newton's method with many sites; where N is given those whose rare leaks are all around count beside the axis."""
        determinant: Callable[[np.ndarray], np.ndarray] = self.determinant
        if share is not None and edge.among_rare(zero):
            kept, rare = (LowRankOutliers(self._polished, self._point, some) for some in (edge.kept, ~edge.kept))
            determinant = partial(_with_rare, kept, rare)
        return complex(polished_zeros(determinant, np.array([zero]), abs(zero) + 1.0)[0])

    def isolated(self, n_units: int) -> tuple[IsolatedEigenvalue, ...]:
        """The isolated eigenvalues of networks of N units.

        Parameters
        ----------
        n_units : int, N
        """
        edge = _Edge(self._searched, 1.0 / n_units)
        out = []
        for value in self.zeros(n_units).tolist():
            kept = edge.kept if edge.among_rare(value) else None
            sites, matrices = _spreads(LowRankOutliers(self._searched, self._point, kept), self._point, edge, value)
            sites, matrices = sites / np.sqrt(n_units), matrices / np.sqrt(n_units)
            (away,) = distance_to_edge(edge.radius, np.array([value]))
            out.append(IsolatedEigenvalue(value, sites, matrices, bool(away > CLEAR * np.hypot(sites, matrices))))
        return tuple(out)


def _with_rare(kept, rare, lam):
    """det(1 - C) with what rare sites add to C beside the axis, on average over both sides: close to its principal value there."""
    C = kept.coupling(lam) + 0.5 * (rare.coupling(lam + 1j * _BESIDE) + rare.coupling(lam - 1j * _BESIDE))
    return np.linalg.det(np.eye(C.shape[-1]) - C)


def _spreads(C, point, edge, value):
    """Standard deviations times sqrt(N), from sites and from matrices: those of planted networks, with the limit's overlaps."""
    step = _STEP * (1.0 + abs(value))
    ahead, here, behind = C.coupling(np.array([value + step, value, value - step]))
    left, right = null_vectors(here)
    scale = abs(left @ (ahead - behind) @ right) / (2.0 * step)
    W = C.transfer(value)
    T = edge.kept_weight * edge.population.transfer_moments(np.array([value]))[0]
    matrices = max(_of_matrices(C, W, left, right, point, T), 0.0)
    return float(np.sqrt(_of_sites(C, W, left, right, point))) / scale, float(np.sqrt(matrices)) / scale


def _of_matrices(C, W, left, right, point, T):
    """a (1 - T)^{-1} b: fresh matrices between the two sides."""
    gain2 = squared(point.ensemble.array("gain"))
    a, b = np.zeros(len(W)), np.zeros(len(W))
    n, listens = C.written.size, C.message_of
    for field in range(listens.size):
        felt = left[:, None] * W[C.read, field]  # (n, M), to be multiplied by B
        a[listens[field]] += gain2[field] * _mean_square(C, felt, C.right, C.covariance[:, :n, :n])
    for message in range(len(W)):
        sent = right[:, None] * W[message, C.written]
        b[message] = _mean_square(C, sent, C.left, C.covariance[:, n:, n:])
        own = np.flatnonzero(C.conditioned & (C.read == message))[:1]
        b[message] -= float(np.sum(np.abs(right[own]) ** 2)) * point.q[message]
    return matrix_part(a, T, np.maximum(b, 0.0))


def _mean_square(C, coefficients, means, covariance):
    """E |sum_i c_i X_i|^2 over sites, of numbers c (n, M) and loadings X of given means (n, M) and covariances (C, n, n)."""
    square = np.abs(np.sum(coefficients * means, axis=0)) ** 2
    for c, own in enumerate(covariance):
        here = C.component == c
        part = coefficients[:, here]
        square[here] += np.sum(part.conj() * (own @ part), axis=0).real
    return float(square @ C.weights)


def _of_sites(C, W, left, right, point):
    """Variance over sites of what C is an average of, between its null vectors: quadratic in loadings, Gaussian given the site."""
    n = C.written.size
    M = left[:, None, None] * right[None, :, None] * W[C.read][:, C.written]  # (n, n, M): B_i M_ij A_j
    own = left * right * C.conditioned * point.q[C.read]
    mean = np.einsum("im,ijm,jm->m", C.right, M, C.left) - own @ np.abs(C.right) ** 2
    spread = np.zeros(mean.size)
    for c, covariance in enumerate(C.covariance):
        here = np.flatnonzero(C.component == c)
        Q = np.zeros((here.size, 2 * n, 2 * n), dtype=complex)
        Q[:, :n, n:] = 0.5 * np.moveaxis(M[:, :, here], -1, 0)
        Q += Q.transpose(0, 2, 1)
        mean[here] += np.einsum("mij,ij->m", Q, covariance)
        through = Q @ covariance
        spread[here] = 2.0 * np.einsum("mij,mji->m", through, Q.conj() @ covariance).real
        slope = np.einsum("mij,jm->mi", Q, np.concatenate([C.right[:, here], C.left[:, here]]))
        spread[here] += 4.0 * np.einsum("mi,ij,mj->m", slope, covariance, slope.conj()).real
    return float(spread @ C.weights + variance(mean.real, C.weights) + variance(mean.imag, C.weights))
