"""Growth through weights that are drawn anew in every step, at the same sites: what the rule of thumb assumes [T9].

Covariances of a perturbation at two different times vanish then, and what is left is a renewal equation in one time,

    C_k(t) = sum over l, m of a_l^2 E[w_kl(m)^2] C_l(t - m),

w_kl(m) the answer of message k to a kick of field l, m steps later. It grows by x per step where the spectral radius of

    sum over m of a_l^2 E[w_kl(m)^2] x^-m  =  a_l^2 E (1/2 pi) int dtheta |W_kl(sqrt(x) e^(i theta))|^2

is 1: an average over the circle where tied weights take the maximum.
"""

from __future__ import annotations

import numpy as np

from ..spectrum.determinant import spectral_radius
from .growth_kernels import renewed
from .site_answers import SiteAnswers

__all__ = ["untied_growth", "untied_rate"]

#: Relative width of the bracket of a rate, and how far from the square of the largest leak it is looked for.
_CLOSE, _BESIDE = 1e-14, 1e-12
#: Rates are looked for among these; a smaller one counts as 0.
_SMALLEST, _LARGEST = 1e-60, 1e100


def untied_growth(answers: SiteAnswers, n_steps: int, scale: float = 1.0) -> np.ndarray:
    """(T + 1, d, d) natural logarithms of G_ab(t), per site [T9].

    Parameters
    ----------
    answers : SiteAnswers
    n_steps : int >= 0, T
    scale : float > 0
        By what mean squares change in a step, roughly. Those over scale^t have to be floats.
    """
    n = answers.n
    with np.errstate(over="ignore", invalid="ignore"):
        kernel = _kernel(answers, n_steps + 1, scale)
    at_once = np.linalg.inv(np.eye(n) - kernel[0, :n, :n])
    value = renewed(kernel, at_once, n)[1:, list(answers.rows.states)]
    with np.errstate(divide="ignore"):
        logs = np.log(np.maximum(value, 0.0))  # what overflows is inf or nan
    return logs + np.log(scale) * np.arange(1, n_steps + 2)[:, None, None]


def untied_rate(answers: SiteAnswers, largest_leak: float | None = None) -> float:
    """By what the mean square grows per step in the end; 0 where everything is forgotten after some steps [T9].

    Parameters
    ----------
    answers : SiteAnswers
    largest_leak : float, optional
        The modulus beyond which leaks do not count; default: that of the nodes. The rate is at least its square.
    """
    leak = float(answers.leaks.max()) if largest_leak is None else largest_leak
    if largest_leak is not None:
        answers = answers.among(answers.leaks <= largest_leak)

    def excess(x):
        return float(spectral_radius(_summed(answers, x)[None])[0]) - 1.0

    low = leak**2 * (1.0 + _BESIDE)
    low = max(low, _SMALLEST)
    high = max(low, 1e-3)
    while excess(high) >= 0.0:
        high *= 4.0
        if high > _LARGEST:
            return np.inf
    if excess(low) <= 0.0:
        return leak**2
    while high - low > _CLOSE * high:
        middle = np.sqrt(low * high)
        if not low < middle < high:
            break
        low, high = (middle, high) if excess(middle) > 0.0 else (low, middle)
    return float(np.sqrt(low * high))


def _kernel(answers, last, scale):
    """(last + 1, R, n + d) averages of squared answers m steps later, over scale^m."""
    root = np.sqrt(scale)
    one = np.zeros((last + 1, answers.chi.shape[1]))  # the answer of 1 / chi
    one[0] = 1.0
    for m in range(1, last + 1):
        for i, chi in enumerate(answers.chi[:m], 1):
            one[m] -= chi * root**-i * one[m - i]
    size = max([*answers.rows.states, answers.n - 1]) + 1
    out = np.zeros((last + 1, size, answers.n + answers.d))
    for term in answers.terms:
        if term.j <= last:
            twice = 1.0 if term.i == term.j else 2.0
            product = one[term.j - term.i : last + 1 - term.i] * one[: last + 1 - term.j]
            out[term.j :, term.row, term.column] += twice * root ** -(term.i + term.j) * (product @ term.weights)
    for constant in answers.constants:
        if constant.power <= last:
            out[constant.power, constant.row, constant.column] += constant.value * scale**-constant.power
    return out


def _summed(answers, x):
    """(n, n) sum over all m of the kernel of messages."""
    n, root = answers.n, np.sqrt(x)
    out = np.zeros((n, n))
    inner = [term for term in answers.terms if term.row < n and term.column < n]
    if inner:
        covariance = _autocovariance(answers.chi, root, max(term.j - term.i for term in inner))
        for term in inner:
            twice = 1.0 if term.i == term.j else 2.0
            out[term.row, term.column] += twice * root ** -(term.i + term.j) * (covariance[term.j - term.i] @ term.weights)
    for constant in answers.constants:
        if constant.row < n and constant.column < n:
            out[constant.row, constant.column] += constant.value * x**-constant.power
    return out


def _autocovariance(chi, root, most):
    """(most + 1, G) sums over m of u(m) u(m + lag), u the answer of 1 / chi, over root^m: those of an autoregressive process."""
    D = len(chi)
    weights = np.concatenate([np.ones((1, chi.shape[1])), chi * root ** -np.arange(1.0, D + 1)[:, None]])
    if D <= 1:
        ratio = -weights[1] if D else np.zeros(chi.shape[1])
        return np.array([ratio**lag / ((1.0 - ratio) * (1.0 + ratio)) for lag in range(most + 1)])
    size = max(D, most) + 1
    # Yule and Walker: sum over i of chi_i r(|lag - i|) is 1 at lag 0 and 0 later
    equations = np.zeros((chi.shape[1], size, size))
    for lag in range(size):
        for i in range(D + 1):
            equations[:, lag, abs(lag - i)] += weights[i]
    right = np.zeros((chi.shape[1], size, 1))
    right[:, 0] = 1.0
    return np.linalg.solve(equations, right)[:, : most + 1, 0].T
