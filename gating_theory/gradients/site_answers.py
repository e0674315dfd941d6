"""Sites as what the growth of gradients needs of them: averages of products of two answers to kicks, generating functions in time.

With x = 1/lambda and y = 1/mu* an answer is W_kl = x^p q(x) / chi(x), chi = 1 + chi_1 x + .. of a site's own leaks, and

    sum over l listening to c of a_l^2 E[W_kl(lambda) W_kl(mu)*]
        = constant (xy)^p  +  sum over nodes g and terms (i, j) of weight_g x^i y^j / (chi_g(x) chi_g(y)).

Nodes are the sites themselves; or, at a fixed point, those of the leak's law: all else has been averaged given the leak.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..cell.responses import AnswerRows, answer_factors, answer_rows, answers
from ..ensemble.field_law import squared
from ..ensemble.sites import Sites
from ..mean_field.fixed_point import FixedPoint
from ..spectrum.edge import FixedPointEdge
from .leak_grid import LeakGrid, largest_leaks, line_of, powers_to

__all__ = ["Constant", "SiteAnswers", "Term"]

#: So many sites are not worth condensing; nodes that are tried first.
_FEW, _LEAST_NODES = 200, 64
#: Sites that are spread over nodes at once: their table stays in memory.
_AT_ONCE = 20_000


@dataclass(frozen=True)
class Term:
    """weight_g x^i y^j / (chi_g(x) chi_g(y)) of one entry; i <= j, and where they differ x^j y^i comes with the same weight.

    Rows are those of the augmented cell; columns 0 .. n - 1 messages, n + i kicks of state i.
    """

    row: int
    column: int
    i: int
    j: int
    weights: np.ndarray


@dataclass(frozen=True)
class Constant:
    """value (xy)^power of one entry."""

    row: int
    column: int
    power: int
    value: float


@dataclass(frozen=True)
class SiteAnswers:
    """Averages of products of answers over a population of sites.

    Attributes
    ----------
    rows : AnswerRows
    weights : (G,) of the nodes
    chi : (D, G), the coefficients chi_1 .. chi_D at the nodes
    terms, constants : tuples of Term and Constant
    line : (G,) int array or None, the order of nodes where they lie on a line at equal distances
    """

    rows: AnswerRows
    weights: np.ndarray
    chi: np.ndarray
    terms: tuple[Term, ...]
    constants: tuple[Constant, ...]
    line: np.ndarray | None = None

    @property
    def n(self) -> int:
        """Number of messages."""
        return self.rows.n_messages

    @property
    def d(self) -> int:
        """Number of state variables."""
        return len(self.rows.states)

    @classmethod
    def of_sites(cls, sites: Sites) -> SiteAnswers:
        """Of given sites, each a node.

        Parameters
        ----------
        sites : Sites that carry gains
        """
        cell = sites.cell
        rows, known = answer_rows(cell), answers(cell)
        values = known.code(*sites.state, *sites.fields, *sites.parameters)
        table = np.array([np.broadcast_to(v, sites.size) for v in values], dtype=float)
        chi, rest = table[: known.degree + 1], table[known.degree + 1 :]
        squares = _squared_gains(np.asarray(sites.gain), rows)
        terms: dict[tuple[int, int, int, int], np.ndarray] = {}
        for k, l, power, length in known.entries:
            q, rest = rest[:length], rest[length:]
            for a in range(length) if squares[l] > 0.0 else ():
                for b in range(a, length):
                    _add(terms, (k, _column(l, rows), power, known.degree, a, b), squares[l] * sites.weights * q[a] * q[b])
        constants: dict[tuple[int, int, int], float] = {}
        for (k, l, power), c in zip(known.constants, rest):
            _enter(constants, (k, _column(l, rows), power), squares[l] * float(sites.weights @ c**2))
        return cls._made(rows, sites.weights, chi, terms, constants)

    @classmethod
    def of_fixed_point(cls, point: FixedPoint, n_steps: int = 0, level: int = 0) -> SiteAnswers:
        """At a mean-field fixed point, the nodes being those of the leak's law.

        Parameters
        ----------
        point : FixedPoint
        n_steps : int
            Through so many steps averages of powers of the leak are good, also where far tails of its law carry them.
        level : int, how dense the nodes are: what two levels give differently tells the error of the quadrature
        """
        cell, edge = point.ensemble.cell, FixedPointEdge(point)
        rows, factors = answer_rows(cell), answer_factors(cell)
        law, values, weights = edge.grid(level)
        grids = [LeakGrid(law, edge.pole_variables, values, weights.ravel(), edge.tol, edge.averages)]
        far = grids[0].beyond(cell, factors, n_steps)
        grids += [far] if far is not None else []
        squares = _squared_gains(point.ensemble.array("gain"), rows)
        terms: dict[tuple[int, int, int, int], np.ndarray] = {}
        constants: dict[tuple[int, int, int], float] = {}
        for (k, l), (power, products) in factors.constant.items():
            if squares[l] > 0.0:
                mean, _ = law.mean_of_products(cell, products, edge.tol, cache=edge.averages)
                _enter(constants, (k, _column(l, rows), power), squares[l] * float(np.squeeze(mean)))
        for (k, l), (power, pairs) in factors.resonant[0].items():
            for (a, b), products in pairs.items() if squares[l] > 0.0 else ():
                value = np.concatenate([grid.means(cell, products) * grid.weights for grid in grids])
                _add(terms, (k, _column(l, rows), power, factors.degree, a, b), squares[l] * value)
        chi = np.concatenate([grid.chi(cell, factors) for grid in grids], axis=1)
        made = cls._made(rows, np.concatenate([grid.weights for grid in grids]), chi, terms, constants)
        return replace(made, line=line_of(grids))

    @classmethod
    def _made(cls, rows, weights, chi, terms, constants):
        """From chi (D + 1, G), lowest power of lambda first."""
        if len(chi) == 1:  # no memory but that of the messages: one node stands for all
            weights, chi = np.ones(1), chi[:, :1]
            terms = {key: w.sum(keepdims=True) for key, w in terms.items()}
        some = tuple(Term(*key, w) for key, w in terms.items() if w.any())
        return cls(rows, weights, chi[-2::-1], some, tuple(Constant(*key, v) for key, v in constants.items() if v))

    @cached_property
    def leaks(self) -> np.ndarray:
        """(G,) the largest modulus of the leaks of each node, those apart that are 0 at all sites."""
        return largest_leaks(self.chi)

    def among(self, nodes: np.ndarray) -> SiteAnswers:
        """Some of the nodes alone.

        Parameters
        ----------
        nodes : (G,) bool array, or numbers of nodes
        """
        terms = tuple(replace(term, weights=term.weights[nodes]) for term in self.terms)
        return SiteAnswers(self.rows, self.weights[nodes], self.chi[:, nodes], terms, self.constants)

    def halved(self) -> SiteAnswers | None:
        """Every other node with twice the weight, of nodes at equal distances on a line; None for others."""
        if self.line is None:
            return None
        few = self.among(self.line[::2])
        return replace(few, weights=2.0 * few.weights, terms=tuple(replace(t, weights=2.0 * t.weights) for t in few.terms))

    def condensed(self, n_steps: int, tol: float) -> SiteAnswers:
        """Few nodes that stand for many sites through so many steps, where sites have one leak; itself where that needs as many.

        Answers are powers of the leak, which polynomials of a lower degree follow between the smallest and the largest one:
        each site is spread over the zeros of a Chebyshev polynomial there as the interpolation through them says.

        Parameters
        ----------
        n_steps : int
        tol : float
            Averages of the powers 0, 1, 2, 4, .. up to 2 T of the leak agree to this, relative to those of their moduli.
        """
        if len(self.chi) != 1 or self.weights.size <= _FEW:
            return self
        leak, size = -self.chi[0], _LEAST_NODES
        middle, half = 0.5 * (leak.max() + leak.min()), 0.5 * (leak.max() - leak.min())
        given = np.array([self.weights, *(term.weights for term in self.terms)])
        while half > 0.0 and 2 * size < self.weights.size:
            nodes, (weights, *others) = _spread((leak - middle) / half, given, size)
            terms = tuple(replace(term, weights=w) for term, w in zip(self.terms, others))
            few = replace(self, weights=weights, chi=-(middle + half * nodes)[None], terms=terms)
            if self._agrees(few, n_steps, tol):
                return few
            size *= 2
        return self

    def _agrees(self, few, n_steps, tol):
        """Whether averages of powers of the leak are those of a condensed population."""
        scale = np.abs(self.chi).max()
        for term, other in zip(self.terms, few.terms):
            for power in powers_to(n_steps):
                a, b = (-self.chi[0] / scale) ** power, (-few.chi[0] / scale) ** power
                exact, size = term.weights @ a, np.abs(term.weights) @ np.abs(a)
                if abs(other.weights @ b - exact) > tol * size:
                    return False
        return True

    def lags(self) -> Iterator[tuple[int, int, np.ndarray]]:
        """(i, j, weights (R, n + d, G)) of all terms with these powers, R rows."""
        size = max([*self.rows.states, self.n - 1]) + 1
        for i, j in sorted({(term.i, term.j) for term in self.terms}):
            weights = np.zeros((size, self.n + self.d, self.chi.shape[1]))
            for term in self.terms:
                if (term.i, term.j) == (i, j):
                    weights[term.row, term.column] += term.weights
            yield i, j, weights

    @property
    def reach(self) -> int:
        """The largest power of x times that of y, in terms and in chi(x) chi(y)."""
        powers = [term.i + term.j for term in self.terms] + [2 * c.power for c in self.constants]
        return max([2 * len(self.chi), *powers])


def _squared_gains(gain, rows):
    """a_l^2 of fields, and 1 of kicks."""
    return np.concatenate([squared(gain), np.ones(len(rows.states))])


def _column(l, rows):
    """The column of a field, that of its message, or of a kick."""
    K = len(rows.message_of)
    return rows.message_of[l] if l < K else rows.n_messages + l - K


def _spread(x, given, size):
    """Chebyshev nodes (n,) on (-1, 1), and weights (k, M) of points x (M,) on them, so that integrals of polynomials stay."""
    angles = np.pi * (np.arange(size) + 0.5) / size
    nodes, out = np.cos(angles), np.zeros((len(given), size))
    barycentric = (1.0 - 2.0 * (np.arange(size) % 2)) * np.sin(angles)
    for start in range(0, x.size, _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        distance = x[part, None] - nodes
        on_node = distance == 0.0
        with np.errstate(divide="ignore", invalid="ignore"):
            table = barycentric / distance
            table /= table.sum(axis=1, keepdims=True)
        rows = on_node.any(axis=1)
        table[rows] = on_node[rows]
        out += given[:, part] @ table
    return nodes, out


def _add(terms, where, value):
    """Enter q_a q_b: lambda^a / chi is x^(degree - a) over chi(x)."""
    k, column, power, degree, a, b = where
    _enter(terms, (k, column, power + degree - b, power + degree - a), value)


def _enter(table, key, value):
    """Add to what a table has there."""
    table[key] = table[key] + value if key in table else value
