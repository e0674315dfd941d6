"""How far isolated eigenvalues of networks of N units are from their limit, and whether they are seen [T12].

An isolated eigenvalue is a zero of det(1 - C(lambda)), C_kn = E[u_k w_kn], where u_k = m_k / E m_k^2 is the side that the matrices
are conditioned on, and w_kn = sum over fields l that listen to message n of W_kl times the mean of the field's recurrent part given
the site. With the null vectors l of (1 - C)^T and r of 1 - C,

    |d lambda|^2 |l C' r|^2 N = a (1 - T)^{-1} b + E |site|^2,
    a_j = sum over fields f that listen to j of a_f^2 E |sum_k l_k u_k W_kf|^2,
    b_j = E |sum_n w_jn r_n|^2 - |r_j|^2 E m_j^2,

the first term being that of the matrices: fresh ones act between the two sides through any number of units, and on nothing along
m_j, which they are conditioned on. What is left of w given the site (frozen spreads) counts in b. The second is that of the sites,

    site = sum_k l_k (m_k sum_n w_kn r_n - r_k m_k^2) / E m_k^2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..ensemble.field_law import RandomFields, squared
from ..results.encoding import dict_of, result
from .influence import variance

__all__ = ["CLEAR", "IsolatedEigenvalue", "distance_to_edge", "isolated_eigenvalues", "matrix_part", "null_vectors"]

_TOL = 1e-5
#: Step of the derivative by lambda, relative to 1 + |lambda|.
_STEP = 1e-5
#: An eigenvalue is seen if it is that many standard deviations beyond the edge, and if no other lies beyond it with this
#: probability.
CLEAR, _ALONE = 2.0, np.exp(-0.5)
#: Step of the slope of the edge function, relative to 1 + |lambda|; what stands for 0.
_EDGE_STEP, _TINY = 1e-5, 1e-300


@result("isolated_eigenvalue")
@dataclass(frozen=True)
class IsolatedEigenvalue:
    """An isolated eigenvalue of networks of N units [T12].

    Attributes
    ----------
    value : complex, that of the limit
    sd_sites, sd_matrices : float
        Root of the mean square of the distance from it, from the sites of a network and from its matrices.
    visible : bool
        Whether it is two standard deviations or more beyond the edge, and the expected number of other eigenvalues beyond it is
        less than 1/2. A proposal: close to the edge it is not sharp.

    Examples
    --------
    The overlap 0.8 of a low-rank part is an eigenvalue outside the disc of radius 0.3; 400 units move it by its standard deviation:

    >>> import gating_theory as gt
    >>> memory = gt.LowRank("h", covariance=[[1.0, 0.8], [0.8, 1.0]])
    >>> zero = gt.fixed_points(gt.Ensemble(gt.Vanilla, gain=0.3, low_rank=memory))[0]
    >>> (mode,) = gt.Spectrum(zero).isolated(400)
    >>> print(round(mode.value.real, 3), round(mode.sd, 3), mode.visible)
    0.8 0.067 True
    """

    value: complex
    sd_sites: float
    sd_matrices: float
    visible: bool

    as_dict = dict_of

    @property
    def sd(self) -> float:
        """Root of the mean square of the distance from the limit, from both causes."""
        return float(np.hypot(self.sd_sites, self.sd_matrices))

    def __str__(self) -> str:
        value = f"{self.value.real:.4f}" if self.value.imag == 0.0 else f"{self.value:.4f}"
        return f"{value} +- {self.sd:.2g}, {'visible' if self.visible else 'lost among others'}"


def isolated_eigenvalues(
    spectrum: Any, n_units: int, drawn: bool, alone_right: Any, alone_beyond: Any
) -> tuple[IsolatedEigenvalue, ...]:
    """The isolated eigenvalues of planted networks.

    Parameters
    ----------
    spectrum : Spectrum
    n_units : int, N
    drawn : bool, whether sites are drawn; if not they are the spectrum's own
    alone_right, alone_beyond : callables of a number, or None
        The probability that no eigenvalue lies right of a line, or beyond a circle. Where it is not known the distance from the
        edge decides alone what is visible.
    """
    out = []
    for value in spectrum.outliers().tolist():
        sites, matrices = _spreads(spectrum, value, n_units)
        sites = sites if drawn else 0.0
        real = value.imag == 0.0 and value.real > 0.0
        alone = 1.0 if alone_right is None else alone_right(value.real) if real else alone_beyond(abs(value))
        beyond = _beyond_edge(spectrum, value)
        visible = beyond > CLEAR * np.hypot(sites, matrices) and alone > _ALONE
        out.append(IsolatedEigenvalue(value, sites, matrices, bool(visible)))
    return tuple(out)


def distance_to_edge(edge_function: Callable[[np.ndarray], np.ndarray], values: np.ndarray) -> np.ndarray:
    """How far numbers outside the support are from its edge, to first order in 1 / sqrt(edge function): exact for a disc.

    Parameters
    ----------
    edge_function : function of a complex array
    values : (n,) complex array, where it is below 1
    """
    step = _EDGE_STEP * (1.0 + np.abs(values))

    def inverse_root(lam):
        return 1.0 / np.sqrt(np.maximum(edge_function(lam), _TINY))

    along = [(inverse_root(values + turn * step) - inverse_root(values - turn * step)) / (2.0 * step) for turn in (1.0, 1j)]
    return (inverse_root(values) - 1.0) / np.maximum(np.hypot(*along), _TINY)


def matrix_part(left: np.ndarray, T: np.ndarray, right: np.ndarray) -> float:
    """a (1 - T)^{-1} b: N times the variance of a bilinear form that passes through any number of units.

    Parameters
    ----------
    left, right : (n,) arrays, a and b
    T : (n, n) array, of spectral radius < 1
    """
    return float(left @ np.linalg.solve(np.eye(len(T)) - T, right))


def _beyond_edge(spectrum, value):
    """How far from the boundary of the support a number is."""
    curves = spectrum.boundary()
    return min((float(np.abs(curve - value).min()) for curve in curves), default=np.inf)


def _spreads(spectrum, value, n_units):
    """Standard deviations from sites and from matrices."""
    parts = _Sides(spectrum, value)
    step = _STEP * (1.0 + abs(value))
    slope = (parts.matrix(value + step) - parts.matrix(value - step)) / (2.0 * step)
    left, right = null_vectors(parts.matrix(value))
    W, m, q = parts.transfer(value), parts.messages, parts.q
    n, listens = q.size, parts.listens
    w = parts.joined(W, right)  # (n, M)
    carried = np.einsum("k,km,kfm->fm", left / q, m, W)  # (K, M)
    a, b = np.zeros(n), (np.abs(w) ** 2 @ parts.weights - np.abs(right) ** 2 * q)
    np.add.at(a, listens, parts.gain2 * (np.abs(carried) ** 2 @ parts.weights))
    # the recurrent part of a field varies around its mean given the site
    left_over = parts.left_over * np.abs(right[listens]) ** 2
    b += (np.abs(W) ** 2 @ parts.weights) @ left_over
    site = (left / q) @ (m * w - right[:, None] * m**2)
    of_sites = sum(variance(part, parts.weights) for part in (site.real, site.imag))
    of_sites += left_over @ (np.abs(carried) ** 2 @ parts.weights)
    scale = np.sqrt(n_units) * abs(left @ slope @ right)
    T = parts.population.transfer_moments(np.array([value]))[0]
    return float(np.sqrt(of_sites)) / scale, float(np.sqrt(max(matrix_part(a, T, np.maximum(b, 0.0)), 0.0))) / scale


def null_vectors(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Left and right null vectors of 1 - C.

    Parameters
    ----------
    matrix : (n, n) array, C
    """
    u, _, vh = np.linalg.svd(np.eye(len(matrix)) - matrix)
    return u[:, -1].conj(), vh[-1].conj()


class _Sides:
    """What C(lambda) is an average of, at the sites of a population."""

    def __init__(self, spectrum, value):
        self.population = spectrum.sites_near(value, _TOL, fold=False)
        sites = self.population.sites
        self.cell, self.weights = sites.cell, sites.weights
        self.listens = np.array(self.cell.message_of)
        found = self.cell.compiled.messages(sites.state, sites.fields, sites.parameters)
        self.messages = np.array([np.broadcast_to(m, sites.size) for m in found])
        self.q = np.maximum(self.messages**2 @ self.weights, 1e-300)
        self.gain2 = squared(np.asarray(sites.gain))
        self.recurrent, self.left_over = self._recurrent(spectrum.fixed_point, sites)
        minors = dict(self.cell.compiled.minors(1, sites.state, sites.fields, sites.parameters))
        self._chi = np.asarray(minors.pop(((), ())))
        self._minors = {(rows[0], columns[0]): np.asarray(q) for (rows, columns), q in minors.items() if len(rows) == 1}

    @staticmethod
    def _recurrent(fixed_point, sites):
        """(K, M) means of the fields' recurrent parts given the sites, and (K,) their variances given these."""
        if fixed_point is None:
            return np.asarray(sites.recurrent), np.zeros(len(sites.fields))
        random = RandomFields(fixed_point.ensemble)
        share, K = random.share(fixed_point.q), len(sites.fields)
        mean, std = fixed_point.law.means[:K], fixed_point.law.stds[0, :K]
        return share[:, None] * (sites.fields - mean[:, None]), share * (1.0 - share) * std**2

    def transfer(self, lam):
        """(n, K, M) W."""
        powers = (lam - 1.0) ** np.arange(len(self._chi))
        out = np.zeros((self.q.size, self.listens.size, self.weights.size), dtype=complex)
        for (k, field), q in self._minors.items():
            out[k, field] = (powers @ q) / (powers @ self._chi)
        return out

    def joined(self, W, vector):
        """(n, M) sums over fields of W times their recurrent part, weighted with a vector (n,) of messages."""
        return np.einsum("kfm,fm,f->km", W, self.recurrent, vector[self.listens])

    def matrix(self, lam):
        """C(lambda) (n, n)."""
        W = self.transfer(lam)
        columns = np.eye(self.q.size)
        return np.array([(self.messages * self.joined(W, one)) @ self.weights / self.q for one in columns]).T
