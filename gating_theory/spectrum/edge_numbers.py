"""What the edge of a spectrum is like: its slope, its weight in each site, the density just inside it [T12].

At a lambda whose T has the spectral radius tau and the Perron vectors l, r with l.r = 1, a site's part in the edge is

    phi = tr(L R),     R = W diag(a_k^2 r_k) W^dagger,  L = diag(l),        E phi = tau,

which is e_1 of the monomials of det(1 + P W Q W^dagger) at p = l, q = r, and with e_2 of those of two rows

    kappa = E tr (L R)^2 = E (e_1^2 - 2 e_2),        rho_e = |grad tau|^2 / (4 pi kappa)

is the density per unit area and unit just inside the edge; of other laws than iid kappa is less by the sum of A_g'(0) / a_g^2 times
the squares of the shares of tau that go through the groups g of fields [T10]. Both effects of a finite number N of units on the
edge have the same size: matrices smear it, with a variance kappa / N in tau, and sites move it, with Var phi / N.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np

from .dyson import Population
from .groups import Loop

__all__ = ["EdgeNumbers", "edge_numbers", "outermost_numbers", "products", "shares"]

#: |lambda| below which everywhere polynomials are expanded about 0 instead of 1.
_NEAR_ZERO = 0.5
_TINY = 1e-300


@dataclass(frozen=True)
class EdgeNumbers:
    """Numbers of one loop of messages at lambdas, arrays of one shape.

    Attributes
    ----------
    tau : array, spectral radius of T
    gradient : complex array, d tau / dx + i d tau / dy at lambda = x + i y
    kappa : array, E tr (L R)^2
    variance : array, Var phi over sites
    """

    tau: np.ndarray
    gradient: np.ndarray
    kappa: np.ndarray
    variance: np.ndarray

    @property
    def density(self) -> np.ndarray:
        """rho_e = |grad tau|^2 / (4 pi kappa), per unit area and unit: what the density is just inside an edge."""
        return np.abs(self.gradient) ** 2 / (4.0 * np.pi * np.maximum(self.kappa, _TINY))

    def __getitem__(self, part: object) -> EdgeNumbers:
        """Some of them."""
        return EdgeNumbers(*(getattr(self, name)[part] for name in ("tau", "gradient", "kappa", "variance")))


def edge_numbers(population: Population, lam: np.ndarray, loop: Loop | None = None, draws: int = 1) -> EdgeNumbers:
    """The numbers of one loop of messages at lambdas.

    Parameters
    ----------
    population : Population, of D draws of sites one after the other, all of the same size and with the same weights
    lam : (D, L) complex array, L lambdas for each draw; (L,) for one draw
    loop : one of ``population.blocks``; by default the only one
    draws : int, D

    Returns
    -------
    EdgeNumbers, arrays of the shape of ``lam``
    """
    tau, gradient, kappa, square, _ = _computed(population, np.atleast_2d(lam), loop, draws, False)
    shape = np.shape(lam)
    one = population.blocks[0] if loop is None else loop
    if any(group.truncation != 0.0 for group in one.laws):
        kappa = kappa - population.edge_uses(one, np.ravel(lam)).reshape(kappa.shape)
    return EdgeNumbers(*(a.reshape(shape) for a in (tau, gradient, kappa, np.maximum(square - tau**2, 0.0))))


def outermost_numbers(population: Population, lam: np.ndarray) -> EdgeNumbers:
    """At each of L lambdas (L,) the numbers of the loop that reaches furthest there; zeros where nothing loops."""
    if not population.blocks:
        zeros = np.zeros(lam.shape)
        return EdgeNumbers(zeros, zeros + 0j, zeros, zeros)
    each = [edge_numbers(population, lam, loop) for loop in population.blocks]
    first = np.argmax([one.tau for one in each], axis=0)
    return EdgeNumbers(*(np.choose(first, [getattr(e, n) for e in each]) for n in ("tau", "gradient", "kappa", "variance")))


def shares(population: Population, lam: np.ndarray, loop: Loop | None = None) -> np.ndarray:
    """phi (L, M) of the sites of a population at lambdas (L,): their parts in tau, the mean of which it is."""
    return _computed(population, np.atleast_2d(lam), loop, 1, True)[4][0]


def _computed(population, lam, loop, draws, want_shares):
    """What ``numbers_of_draws`` returns."""
    from .edge_kernels import numbers_of_draws

    loop = population.blocks[0] if loop is None else loop
    center = 0 if (np.abs(lam) < _NEAR_ZERO).all() else 1
    t = np.ascontiguousarray(lam - center, dtype=complex)
    data = population.expansion(center)
    chosen, rows, columns = _of_one_or_two_rows(population, loop)
    place = {m: i for i, m in enumerate(chosen)}
    of_loop = [g for g, m in enumerate(data["gram_monomial"]) if int(m) in place]
    monomial = np.array([place[int(data["gram_monomial"][g])] for g in of_loop], dtype=np.int64)
    gram = data["gram"] if len(of_loop) == len(data["gram"]) else data["gram"][of_loop]
    value, slope = products(t, population.d)
    weights = population.weights[: population.weights.size // draws] * draws
    basis = data["gram_basis"][of_loop]
    return numbers_of_draws(
        t, value, slope, data["chi"], gram, monomial, basis, rows, columns, weights, len(loop.messages), want_shares
    )


def _of_one_or_two_rows(population, loop):
    """Labels of a loop's monomials of one and of two rows, and the places of their messages in the loop, (m, 2) each."""
    place = {message: i for i, message in enumerate(loop.messages)}
    labels = [label for label in loop.labels if len(population.keys[label][0]) <= 2]
    sides = [population.messages(population.keys[label]) for label in labels]
    pairs = [[[place[k] for k in side] + [-1] * (2 - len(side)) for side in both] for both in sides]
    both = np.array(pairs, dtype=np.int64).reshape(len(labels), 2, 2)
    return labels, np.ascontiguousarray(both[:, 0]), np.ascontiguousarray(both[:, 1])


def products(t: np.ndarray, degree: int) -> tuple[np.ndarray, np.ndarray]:
    """(..., B) the parts of |q(t)|^2 of a real polynomial that belong to q_i q_j, i <= j, and their derivatives by t.

    Parameters
    ----------
    t : complex array
    degree : int
    """
    pairs = list(combinations_with_replacement(range(degree + 1), 2))
    value, slope = np.empty((*t.shape, len(pairs))), np.empty((*t.shape, len(pairs)), dtype=complex)
    for b, (i, j) in enumerate(pairs):
        twice = 1.0 if i == j else 2.0
        value[..., b] = twice * (t**i * t.conj() ** j).real
        slope[..., b] = 0.5 * twice * (_power_slope(t, i) * t.conj() ** j + _power_slope(t, j) * t.conj() ** i)
    return value, slope


def _power_slope(t, power):
    return power * t ** (power - 1) if power else np.zeros_like(t)
