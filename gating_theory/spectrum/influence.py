"""Influence functions: what one site more or less does to a spectrum [T12].

The spectrum of a network follows from the sample of its N sites. A quantity X of the law of sites changes by I(s) / N when a site
s is added, so that over networks its standard deviation is sqrt(Var I / N). By stationarity of the potential in the unknowns,

    log|det| per unit:    psi(lambda) = log|chi| + 1/2 log det(1 + P R)         at the limit's P and Q,
    number in a region:   1/(2 pi i) times the contour integral of 2 d(psi)/d(lambda), the unknowns moving with lambda.

The second is the integral of the resolvent [T4] site by site. How the unknowns move follows from the equations that they solve:
their averages over sites are those of the potential's derivatives.

Fixed points that a network has by itself (not planted ones) feel their sites in the moments too: q moves by
(1 - M')^{-1} (m^2 - q), M' being the Jacobian of the moment map, and X with the law of the fields. Derivatives of averages by a
variance are averages with the score of the Gaussian law, so that one population gives all of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..ensemble.field_law import RandomFields
from .disc_mass import Nodes
from .dyson import Population, Solution
from .edge_numbers import products

if TYPE_CHECKING:
    from ..mean_field.fixed_point import FixedPoint

__all__ = ["mass_influence", "potential_influence", "through_moments", "variance"]

_TINY = 1e-300


def potential_influence(population: Population, lam: np.ndarray, solution: Solution) -> np.ndarray:
    """(L, M) psi of each site at lambdas (L,): the influence function of log|det(lambda - J)| per unit, up to a constant.

    Parameters
    ----------
    population : Population
    lam : (L,) complex array, in the upper half plane
    solution : Solution, of the population there
    """
    return np.array([0.5 * np.log(np.maximum(one.doubled, _TINY)) for one in _each(population, lam, solution)])


def mass_influence(population: Population, nodes: Nodes, discs: np.ndarray) -> np.ndarray:
    """(D, M) influence functions of the masses of discs, as fractions of all eigenvalues; their averages are the masses themselves.

    Parameters
    ----------
    population : Population, which the nodes' unknowns solve the equations of
    nodes : Nodes, contours with what is known along them: g, x and theta, one row a message
    discs : (D,) int array, ascending: which discs of the nodes
    """
    solution = population.along(nodes.known)
    upper = nodes.lam.real + 1j * np.abs(nodes.lam.imag)
    out = np.zeros((discs.size, population.weights.size))
    rows = np.searchsorted(discs, nodes.disc)
    below = nodes.lam.imag < 0.0
    for row, weight, mirrored, one in zip(rows, nodes.weights, below, _each(population, upper, solution)):
        g = one.resolvent()
        # the real part of weight times g
        out[row] += weight.real * g.real - (-weight.imag if mirrored else weight.imag) * g.imag
    return out


def through_moments(population: Population, influence: np.ndarray, fixed_point: FixedPoint) -> np.ndarray:
    """Influence functions (..., M) with what goes through the moments: those of fixed points that networks have by themselves.

    Parameters
    ----------
    population : Population
        Of the fixed point's law, both signs of every field: messages may be odd where spectra are even.
    influence : (..., M) array, of planted fixed points
    fixed_point : FixedPoint
    """
    if fixed_point.is_zero:
        return influence
    sites, q, cell = population.sites, fixed_point.q, population.cell
    found = cell.compiled.messages(sites.state, sites.fields, sites.parameters)
    squares = np.array([np.broadcast_to(m, sites.size) ** 2 for m in found])
    weighted = _scores(fixed_point, sites.fields) * sites.weights
    jacobian = squares @ weighted.T
    moved = np.linalg.solve(np.eye(q.size) - jacobian, squares - q[:, None])
    centred = influence - (influence @ sites.weights)[..., None]
    return influence + (centred @ weighted.T) @ moved


def variance(influence: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Var I (...,) over sites of influence functions (..., M)."""
    centred = influence - (influence @ weights)[..., None]
    return (centred * centred) @ weights


def _scores(fixed_point, fields):
    """(n, M) d log(density of the fields) / dq of each moment q."""
    random, q = RandomFields(fixed_point.ensemble), fixed_point.q
    std, mean = fixed_point.law.stds[0], fixed_point.law.means
    out = np.zeros((q.size, fields.shape[1]))
    for field, message in enumerate(random.listens):
        if std[field] > 0.0:
            z = (fields[field] - mean[field]) / std[field]
            out[message] += 0.5 * random.gain2[field] * (z * z - 1.0) / std[field] ** 2
    return out


# --- site by site


@dataclass
class _Loop:
    """A loop inside the support, at one lambda.

    Attributes
    ----------
    total, slope : (M,) |chi|^2 + sum of the monomials' terms, and its derivative by lambda
    shares, moved : (m, M) the terms over the total, and their derivatives by lambda over it
    exponents : (m, v), of the monomials in log x and tau
    x : (n,)
    """

    total: np.ndarray
    slope: np.ndarray
    shares: np.ndarray
    moved: np.ndarray
    exponents: np.ndarray
    x: np.ndarray


@dataclass
class _AtLambda:
    """All sites at one lambda: |chi|^2 with its derivative, and the loops that are inside the support."""

    weights: np.ndarray
    base: np.ndarray
    base_slope: np.ndarray
    loops: list[_Loop]

    @property
    def doubled(self):
        """exp(2 psi): determinants factorise over loops, which share |chi|^2."""
        out = self.base
        for count, loop in enumerate(self.loops):
            out = loop.total if not count else out * (loop.total / np.maximum(self.base, _TINY))
        return out

    def resolvent(self):
        """(M,) 2 d(psi)/d(lambda), the unknowns moving with lambda; its average is the resolvent g per unit."""
        explicit = [loop.slope / np.maximum(loop.total, _TINY) for loop in self.loops]
        if len(self.loops) != 1:
            explicit.append((1.0 - len(self.loops)) * self.base_slope / np.where(self.base > 0.0, self.base, np.inf))
        return sum(explicit) + sum(self._response(loop) for loop in self.loops)

    def _response(self, loop):
        """(M,) what the motion of the unknowns adds, less its average: the unknowns' own part of the potential moves against it."""
        slopes, exponents = loop.exponents.T @ loop.shares, loop.exponents
        first = loop.shares @ self.weights
        second = (loop.shares * self.weights) @ loop.shares.T
        hessian = exponents.T @ (np.diag(first) - second) @ exponents
        n = loop.x.size
        hessian[range(n), range(n)] -= loop.x
        g = loop.slope / np.maximum(loop.total, _TINY)
        mixed = exponents.T @ ((loop.moved - loop.shares * g) @ self.weights)
        velocity = -np.linalg.solve(hessian, mixed)
        response = velocity @ slopes
        return response - response @ self.weights


def _each(population, lam, solution) -> Iterator[_AtLambda]:
    """All sites at one lambda after the other."""
    scales = [population.monomials(block, solution) for block in population.blocks]
    for i, z in enumerate(lam.tolist()):
        center = 0 if abs(z) < 0.5 else 1
        data, t = population.expansion(center), z - center
        chi, chi_slope = _polynomial(data["chi"], t)
        terms, slopes = _gram(data, t)
        base, base_slope = np.abs(chi) ** 2, chi_slope * chi.conj()
        loops = []
        for block, scale in zip(population.blocks, scales):
            x = solution.x[i, list(block.messages)]
            if not x.max() > 0.0:
                continue
            weight = scale[i][:, None]
            part, moved = weight * np.maximum(terms[block.monomials], 0.0), weight * slopes[block.monomials]
            total, slope = base + part.sum(axis=0), base_slope + moved.sum(axis=0)
            over = 1.0 / np.maximum(total, _TINY)
            loops.append(_Loop(total, slope, part * over, moved * over, block.exponents, x))
        yield _AtLambda(population.weights, base, base_slope, loops)


def _polynomial(coefficients, t):
    """Values (M,) of polynomials (d + 1, M), lowest first, and their derivatives."""
    powers = np.arange(len(coefficients))
    value = t**powers @ coefficients
    return value, powers[1:] * t ** powers[:-1] @ coefficients[1:]


def _gram(data, t):
    """(m, M) coefficients of the monomials, and their derivatives by lambda."""
    value, slope = products(np.array(t), len(data["chi"]) - 1)
    chosen, basis = np.arange(len(data["keys"]))[:, None] == data["gram_monomial"], data["gram_basis"]
    return (chosen * value[basis]) @ data["gram"], (chosen * slope[basis]) @ data["gram"]
