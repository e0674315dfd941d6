"""Growth through tied weights: the two-point function of a population of sites, exactly as a power series in time [T9].

    K(lambda, mu) = (1/N) tr (lambda - J)^-1 ((mu - J)^-1)^+ = E tr A_l^-1 A_m^-+ + c . (1 - T)^-1 b

is the generating function of (1/N) tr J^m J^nT: with x = 1/lambda, y = 1/mu* that is its coefficient of x^(m+1) y^(n+1). A Fourier
transform on two circles would lose as many digits as G(t) falls below them. Here the equations are solved power by power: they are
the recursion in time of the covariances C(t, t') of messages of a perturbation,

    C_k(t, t') = sum over terms of weight x^i y^j U(t - i, t' - j),     U = C / (chi(x) chi(y)),

along lines t + t' = s, on each of which everything is known but what the messages of one step feed one another. Where leaks and
slopes are positive nothing cancels, and rounding is relative to each number itself. Numbers are scaled by powers of two as they
fall or grow, so that G may be as small as 10^-1000.
"""

from __future__ import annotations

import numpy as np

from .site_answers import SiteAnswers

__all__ = ["tied_growth", "two_point"]

#: Numbers that leave this range, in binary digits, are scaled back to 1.
_RANGE = 200


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


def tied_growth(answers: SiteAnswers, n_steps: int) -> np.ndarray:
    """(T + 1, d, d) natural logarithms of G_ab(t), the mean square that block a of J^t takes from block b, per site [T9].

    Parameters
    ----------
    answers : SiteAnswers
    n_steps : int >= 0, T
    """
    return _Recursion(answers, n_steps).growth()


class _Recursion:
    """Covariances on the lines t + t' = s, one after the other; t' <= t, the rest by symmetry.

    Arrays of a line hold what belongs to t' = first - reach .. last + reach, first and last being those that exist: zeros before,
    mirror images behind, so that a shift is a slice.
    """

    def __init__(self, answers, n_steps):
        self.answers, self.last_step = answers, n_steps + 1
        self.n, self.d, self.reach = answers.n, answers.d, answers.reach
        self.states = list(answers.rows.states)
        self.size = max([*self.states, self.n - 1]) + 1
        self.nodes = answers.chi.shape[1]
        self.lags = [(i, j, *self._matrices(w)) for i, j, w in answers.lags()]
        self.shifts = self._denominator()
        self.lines = {}  # s -> (covariances of messages (S, d, n), and of them and of kicks, filtered: U (S, d, n, G), (S, G))
        self.exponent = 0

    def _matrices(self, weights):
        """Weights of messages (R, n G), and of kicks (G, R d)."""
        messages = weights[:, : self.n].reshape(self.size, -1)
        kicks = weights[:, self.n :].transpose(2, 1, 0).reshape(self.nodes, -1)
        return messages, kicks

    def _denominator(self):
        """[(i, j, chi_i chi_j)] of chi(x) chi(y), without its 1."""
        chi = np.concatenate([np.ones((1, self.nodes)), self.answers.chi])
        both = [(i, j) for i in range(len(chi)) for j in range(len(chi)) if i + j]
        return [(i, j, chi[i] * chi[j]) for i, j in both if (chi[i] * chi[j]).any()]

    def growth(self):
        out = np.full((self.last_step, self.d, self.d), -np.inf)
        for s in range(2 * self.last_step + 1):
            rows = self._line(s)
            if s % 2 == 0 and s:
                value = rows[-1][:, self.states].T  # (S, start b, row a): t' = t is the last
                with np.errstate(divide="ignore", invalid="ignore"):
                    out[s // 2 - 1] = np.where(value > 0.0, np.log(value), -np.inf) + self.exponent * np.log(2.0)
            self._rescale(s)
        return out

    def _bounds(self, s):
        return max(0, s - self.last_step), s // 2

    def _shifted(self, s, i, j, which):
        """Of the line s - i - j, what belongs to (t - i, t' - j), for all t' of the line s; None where there is nothing."""
        line = self.lines.get(s - i - j)
        if line is None:
            return None
        first, last = self._bounds(s)
        start = first - j - (self._bounds(s - i - j)[0] - self.reach)
        return line[which][start : start + last - first + 1]

    def _line(self, s):
        """All rows (S, d, R) on one line, which is remembered."""
        first, last = self._bounds(s)
        size = last - first + 1
        rows = np.zeros((size, self.d, self.size))
        kicks = np.zeros((size, self.nodes))  # filtered
        fed = np.zeros((size, self.d, self.n, self.nodes))
        if s == 0:
            kicks[0] = 2.0**-self.exponent
        for i, j, weight in self.shifts:
            past = self._shifted(s, i, j, 1)
            if past is not None:
                fed -= weight * past
                kicks -= weight * self._shifted(s, i, j, 2)
        for i, j, messages, of_kicks in self.lags:
            for a, b in {(i, j), (j, i)}:
                past = self._shifted(s, a, b, 1) if a + b else fed
                if past is not None:
                    rows += (past.reshape(size * self.d, -1) @ messages.T).reshape(rows.shape)
                    rows += ((self._shifted(s, a, b, 2) if a + b else kicks) @ of_kicks).reshape(rows.shape)
        for constant in self.answers.constants:
            self._add_constant(s, rows, constant)
        self._within_a_step(rows)
        fed += rows[:, :, : self.n, None]
        self._remember(s, rows[:, :, : self.n], fed, kicks)
        return rows

    def _add_constant(self, s, rows, constant):
        p, b = constant.power, constant.column - self.n
        if b >= 0:  # of the kick itself, at t = t' = 0
            if s == 2 * p:
                rows[-1, b, constant.row] += constant.value * 2.0**-self.exponent
        elif p and (past := self._shifted(s, p, p, 0)) is not None:
            rows[:, :, constant.row] += constant.value * past[:, :, constant.column]

    def _within_a_step(self, rows):
        """What messages of one step feed one another, in their order."""
        for row in range(self.size):
            for constant in self.answers.constants:
                if constant.row == row and constant.power == 0 and constant.column < self.n:
                    rows[:, :, row] += constant.value * rows[:, :, constant.column]
            for term in self.answers.terms:
                if term.row == row and term.i == term.j == 0 and term.column < self.n:
                    rows[:, :, row] += term.weights.sum() * rows[:, :, term.column]

    def _remember(self, s, *arrays):
        first, last = self._bounds(s)
        size, reach = last - first + 1, self.reach
        padded = []
        for array in arrays:
            out = np.zeros((size + 2 * reach, *array.shape[1:]))
            out[reach : reach + size] = array
            for k in range(1, reach + 1):
                mirror = s - last - k - first + reach  # where t' = s - (last + k) stands
                if 0 <= mirror < reach + size:
                    out[reach + size - 1 + k] = out[mirror]
            padded.append(out)
        self.lines[s] = padded
        self.lines.pop(s - self.reach - 1, None)

    def _rescale(self, s):
        """Bring what is remembered back to numbers of order 1."""
        largest = max(np.abs(a).max(initial=0.0) for a in self.lines[s])
        if largest > 0.0 and abs(shift := int(np.frexp(largest)[1])) > _RANGE:
            for line in self.lines.values():
                for array in line:
                    np.ldexp(array, -shift, out=array)
            self.exponent += shift
