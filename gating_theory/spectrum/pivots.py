"""The principal pivot transform of a transfer matrix: averages over sites of its entries, which are ratios of minors [T10]."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

__all__ = ["Minor", "Pivot", "Ratios"]

#: Rows (messages) and columns (fields) of a minor.
Minor = tuple[tuple[int, ...], tuple[int, ...]]

#: Part of the largest coefficient by which denominators of two sites may differ in shape and still count as one polynomial.
_ALIKE = 1e-12
#: Below this a denominator counts as zero: its square would underflow.
_NOTHING = 1e-150
#: A polynomial is zero where it is below this part of the sum of its terms.
_ROUNDING = 1e-12
#: Numbers at work at once, where denominators differ from site to site.
_AT_ONCE = 2_000_000


class Pivot:
    """The principal pivot transform of a transfer matrix, rows messages and columns fields: which minors its entries are ratios of.

    Parameters
    ----------
    fields : tuple of int, S, ascending, of different messages
    message_of : tuple of int, the message that each field listens to
    """

    def __init__(self, fields: tuple[int, ...], message_of: tuple[int, ...]) -> None:
        self.fields, self._message_of = fields, message_of
        self.rows = tuple(sorted(message_of[k] for k in fields))
        self.of_message = {message_of[k]: k for k in fields}

    @property
    def denominator(self) -> Minor:
        """det W_SS."""
        return self.rows, self.fields

    def entry(self, message: int, column: int) -> tuple[float, Minor]:
        """(sign, minor) of an entry, in units of the denominator.

        Parameters
        ----------
        message : int, of the row; where a field of S listens to it, the row is that field's
        column : int, a field
        """
        rows, fields = list(self.rows), list(self.fields)
        if message in self.of_message:
            out = fields.index(self.of_message[message])
            if column in fields:
                j = rows.index(self._message_of[column])
                return (-1.0) ** (out + j), (_without(rows, j), _without(fields, out))
            sign, columns = _exchanged(fields, out, column)
            return -sign, (self.rows, columns)
        if column in fields:
            sign, exchanged = _exchanged(rows, rows.index(self._message_of[column]), message)
            return sign, (exchanged, self.fields)
        more_rows, more_fields = tuple(sorted([*rows, message])), tuple(sorted([*fields, column]))
        return (-1.0) ** (more_rows.index(message) + more_fields.index(column)), (more_rows, more_fields)


def _without(items, place):
    return tuple(items[:place] + items[place + 1 :])


def _exchanged(items, place, new):
    """Sign and items with one of them exchanged, sorted again."""
    exchanged = tuple(sorted([*items[:place], *items[place + 1 :], new]))
    return (-1.0) ** (exchanged.index(new) - place), exchanged


class Ratios:
    """Averages over sites of ratios of minors to one of them, by polynomials in t = lambda - center.

    Where all sites share the zeros of the denominator, q_S(t) = c p(t) with one polynomial p, which is so for most sets of most
    cells, the sums over sites are made once.

    Parameters
    ----------
    minors : {minor: (d + 1, M) array}, its coefficients at M sites, lowest first
    key : the minor in the denominator
    weights : (M,) array
    """

    def __init__(self, minors: Mapping[Minor, np.ndarray], key: Minor, weights: np.ndarray) -> None:
        self.minors, self._weights, self._q = minors, weights, minors[key]
        self._known: dict[Minor, np.ndarray] = {}
        sizes = np.abs(self._q) @ weights
        self._c = self._q[np.argmax(sizes)]
        site = np.argmax(np.abs(self._c) * weights)
        with np.errstate(all="ignore"):
            self._p = self._q[:, site] / self._c[site]
        off = np.abs(self._q - self._p[:, None] * self._c).max(axis=0)
        self.common = bool((off <= _ALIKE * np.abs(self._p).max() * np.abs(self._c)).all())

    @property
    def vanishing(self) -> float:
        """The weight of the sites at which the denominator vanishes as a polynomial."""
        return float(self._weights @ (np.abs(self._q).max(axis=0) < _NOTHING))

    def squares(self, t: np.ndarray, keys: Sequence[Minor]) -> np.ndarray:
        """E|minor / q_S|^2 at t, (L, m); inf where q_S vanishes.

        Parameters
        ----------
        t : (L,) complex array
        keys : m minors
        """
        from .hole_kernels import mean_squares

        if not self.common:
            numerators = np.ascontiguousarray([self.minors[key] for key in keys])
            return mean_squares(np.asarray(t, dtype=complex), np.ascontiguousarray(self._q), numerators, self._weights)
        out = np.empty((t.size, len(keys)))
        with np.errstate(all="ignore"):
            size = np.abs(_powers(t, self._p.size) @ self._p) ** 2
            for column, key in enumerate(keys):
                if key not in self._known:
                    ratio = self.minors[key] / self._c
                    self._known[key] = (ratio * self._weights) @ ratio.T
                powers = _powers(t, self._known[key].shape[0])
                value = np.einsum("li,ij,lj->l", powers, self._known[key], powers.conj()).real
                out[:, column] = np.maximum(value, 0.0) / size
        return np.where(np.isnan(out), np.inf, out)

    def mean(self, key: Minor | None, values: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        """E[values minor / q_S] as a function of t (L,); E[values] for no minor.

        Parameters
        ----------
        key : the minor, or None for q_S itself
        values : (M,) array, one for each site
        """
        weighted = self._weights * values
        if key is None:
            return lambda t: np.full(t.size, weighted.sum(), dtype=complex)
        numerator = self.minors[key]
        if self.common:
            coefficients = (numerator / self._c) @ weighted
            return lambda t: (_powers(t, coefficients.size) @ coefficients) / (_powers(t, self._p.size) @ self._p)
        return lambda t: self._over_sites(t, lambda q, at: (at(numerator) / q) @ weighted, complex)

    def log(self, t: np.ndarray) -> np.ndarray:
        """E log|q_S|."""
        with np.errstate(divide="ignore"):
            if self.common:
                return np.log(np.abs(_powers(t, self._p.size) @ self._p)) + np.log(np.abs(self._c)) @ self._weights
            return self._over_sites(t, lambda q, at: np.log(np.abs(q)) @ self._weights, float)

    def slope(self, t: np.ndarray) -> np.ndarray:
        """E of the derivative of log q_S by t."""
        steps = np.arange(1, self._p.size)
        with np.errstate(all="ignore"):
            if self.common:
                return (_powers(t, steps.size) @ (steps * self._p[1:])) / (_powers(t, self._p.size) @ self._p)
            slopes = steps[:, None] * self._q[1:]
            return self._over_sites(t, lambda q, at: (at(slopes) / q) @ self._weights, complex)

    @property
    def shared_zeros(self) -> list[complex]:
        """The t at which q_S vanishes at all sites."""
        return np.unique(np.polynomial.polynomial.polyroots(np.trim_zeros(self._p, "b"))).tolist() if self.common else []

    def order(self, t: complex) -> float:
        """Average over sites of the order of the zero that q_S has at a number t."""
        value, orders = self._q.astype(complex), np.zeros(self._weights.size)
        left = np.ones(self._weights.size, dtype=bool)
        while value.shape[0] > 1 and left.any():
            powers = _powers(np.array([t]), value.shape[0])
            left &= np.abs(powers @ value)[0] <= _ROUNDING * (np.abs(powers) @ np.abs(value))[0]
            orders += left
            value = np.arange(1, value.shape[0])[:, None] * value[1:]
        return float(orders @ self._weights)

    def _over_sites(self, t, average, kind):
        """``average`` of q_S (l, M) and of a function from coefficients to values (l, M), for some of the t after others."""
        out, rows = np.empty(t.size, dtype=kind), max(1, _AT_ONCE // self._weights.size)
        for first in range(0, t.size, rows):
            powers = _powers(t[first : first + rows], self._q.shape[0])
            at = lambda coefficients, powers=powers: powers[:, : coefficients.shape[0]] @ coefficients  # noqa: E731
            out[first : first + rows] = average(at(self._q), at)
        return out


def _powers(t, size):
    return np.asarray(t, dtype=complex)[:, None] ** np.arange(size)
