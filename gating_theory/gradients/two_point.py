"""Growth through tied weights: the two-point function of a population of sites, exactly as a power series in time [T9].

    K(lambda, mu) = (1/N) tr (lambda - J)^-1 ((mu - J)^-1)^+ = E tr A_l^-1 A_m^-+ + c . (1 - T)^-1 b

is the generating function of (1/N) tr J^m J^nT: with x = 1/lambda, y = 1/mu* that is its coefficient of x^(m+1) y^(n+1). A Fourier
transform on two circles has an error relative to the largest G(t) / radius^2t, and G may fall by many decades before it follows the
radius. Here the equations are solved power by power: they are the recursion in time of the covariances C(t, t') of messages of a
perturbation,

    C_k(t, t') = sum over terms of weight x^i y^j U(t - i, t' - j),     U = C / (chi(x) chi(y)),

row after row of t' <= t, where everything is known but what the messages of one step feed one another. Where leaks and slopes are
positive nothing cancels, and rounding is relative to each number itself. Numbers are scaled by what a step changes them by in the
end, so that G may be as small as 10^-1000.
"""

from __future__ import annotations

import numpy as np

from ..support.available_memory import require_memory
from .growth_kernels import rows_at_equal_times
from .site_answers import SiteAnswers

__all__ = ["tied_growth", "two_point"]


def two_point(answers: SiteAnswers, lam: complex, mu: complex) -> np.ndarray:
    """(d, d) blocks of K(lambda, mu), row a, column b: outside the support and the leaks [T9].

    Parameters
    ----------
    answers : SiteAnswers
    lam, mu : complex
    """
    n, x, y = answers.n, 1.0 / lam, 1.0 / np.conj(mu)
    powers = 1 + np.arange(len(answers.chi))
    under = (1.0 + (x**powers) @ answers.chi) * (1.0 + (y**powers) @ answers.chi)
    size = max([*answers.rows.states, n - 1]) + 1
    full = np.zeros((size, n + answers.d), dtype=complex)
    for term in answers.terms:
        both = x**term.i * y**term.j + (x**term.j * y**term.i if term.i != term.j else 0.0)
        full[term.row, term.column] += both * (term.weights / under).sum()
    for constant in answers.constants:
        full[constant.row, constant.column] += constant.value * (x * y) ** constant.power
    states = list(answers.rows.states)
    inner = np.linalg.solve(np.eye(n) - full[:n, :n], full[:n, n:])
    return full[states, n:] + full[states, :n] @ inner


def tied_growth(answers: SiteAnswers, n_steps: int, scale: float = 1.0) -> np.ndarray:
    """(T + 1, d, d) natural logarithms of G_ab(t), the mean square that block a of J^t takes from block b, per site [T9].

    Parameters
    ----------
    answers : SiteAnswers
    n_steps : int >= 0, T
    scale : float > 0
        By what a perturbation changes in a step, roughly: the spectral radius. Mean squares over scale^2t have to be floats.
    """
    n, d, last = answers.n, answers.d, n_steps + 1
    size, nodes = max([*answers.rows.states, n - 1]) + 1, answers.chi.shape[1]
    shifts, under = _denominator(answers.chi, scale)
    terms = [(t.row, t.column, i, j, t.weights * scale ** -(i + j)) for t in answers.terms for i, j in {(t.i, t.j), (t.j, t.i)}]
    where = np.array([term[:4] for term in terms], dtype=np.int64).reshape(len(terms), 4)
    weights = np.array([term[4] for term in terms]).reshape(len(terms), nodes)
    constants = np.array([(c.row, c.column, c.power) for c in answers.constants], dtype=np.int64).reshape(-1, 3)
    values = np.array([c.value * scale ** (-2.0 * c.power) for c in answers.constants])
    depth = 1 + max([0, *where[:, 2:].ravel(), *shifts.ravel(), *constants[:, 2]])
    require_memory(f"growth through {n_steps} steps of {nodes} nodes", 8.0 * depth * (last + 1.0) * (n * d + 1) * nodes)
    found = rows_at_equal_times(shifts, under, where, weights, constants, values, n, d, size, last)
    value = found[1:, :, list(answers.rows.states)].swapaxes(1, 2)
    with np.errstate(divide="ignore"):
        logs = np.log(np.maximum(value, 0.0))  # what overflows is inf or nan
    return logs + 2.0 * np.log(scale) * np.arange(1, last + 1)[:, None, None]


def _denominator(chi, scale):
    """Powers (q, 2) and coefficients (q, G) of chi(x) chi(y), without its 1, for x and y over ``scale``."""
    scaled = [np.ones(chi.shape[1]), *(c * scale**-i for i, c in enumerate(chi, 1))]
    both = [(i, j) for i in range(len(scaled)) for j in range(len(scaled)) if i + j]
    both = [(i, j) for i, j in both if (scaled[i] * scaled[j]).any()]
    coefficients = np.array([scaled[i] * scaled[j] for i, j in both]).reshape(len(both), chi.shape[1])
    return np.array(both, dtype=np.int64).reshape(len(both), 2), coefficients
