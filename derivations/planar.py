"""Averages over Gaussian matrices of traces of words, in the limit of many units: sums over planar pairings [T9].

(1/N) tr U A U^T B averages to a^2 (1/N) tr A (1/N) tr B for diagonal A and B, and to leading order in 1/N a longer word is a sum
over the pairings of its matrices that do not cross. This knows nothing of pencils, determinants or two-point functions: what those
give is held against it. The site derivatives are symbols here, so what is proved holds for every cell of the same form.
"""

from __future__ import annotations

from functools import cached_property
from itertools import product

import sympy as sp

from .site import Mean, gain_symbols

__all__ = ["Blocks", "mean", "mean_square", "trace"]

#: A letter of a word: the index of a field and whether its matrix is transposed; or a site expression.
Word = tuple


class Blocks:
    """F_s, F_y, M_s, M_y of a cell with a symbol for each entry that is not a number, and the words of its Jacobian.

    ``table`` writes the symbols out again. ``site`` are all symbols; averages of products of them are not split.
    """

    def __init__(self, cell):
        self.cell, self.table = cell, {}
        self.F_s, self.F_y, self.M_s, self.M_y = (
            self._named(block, name) for block, name in ((cell.F_s, "f"), (cell.F_y, "y"), (cell.M_s, "s"), (cell.M_y, "m"))
        )

    def _named(self, block, name):
        names = {entry: symbol for symbol, entry in self.table.items()}

        def symbol(i, j):
            entry = block[i, j]
            if entry.is_number:
                return entry
            if entry not in names:
                names[entry] = sp.Symbol(f"{name}{i}{j}", real=True)
            self.table[names[entry]] = entry
            return names[entry]

        return sp.Matrix(*block.shape, symbol)

    @property
    def site(self):
        """The symbols, in the order of the blocks."""
        return tuple(self.table)

    @cached_property
    def gains_squared(self):
        """a_k^2, one a field."""
        return [a**2 for a in gain_symbols(self.cell)]

    @cached_property
    def jacobian(self) -> list[list[list[Word]]]:
        """Words of J = F_s + F_y U M_s + F_y U M_y U M_s + ..., by row and column of state variables [T2]."""
        d, K = self.cell.n_state, range(self.cell.n_fields)
        J = [[[(self.F_s[a, b],)] if self.F_s[a, b] != 0 else [] for b in range(d)] for a in range(d)]
        for length in range(1, len(K) + 1):
            for fields in product(K, repeat=length):
                between = sp.Mul(*(self.M_y[k, l] for k, l in zip(fields, fields[1:])))
                for a, b in product(range(d), repeat=2):
                    if between * self.F_y[a, fields[0]] * self.M_s[fields[-1], b] != 0:
                        J[a][b].append(self._word(a, fields, b))
        return J

    def _word(self, a, fields, b):
        word: list = [self.F_y[a, fields[0]], (fields[0], False)]
        for k, l in zip(fields, fields[1:]):
            word += [self.M_y[k, l], (l, False)]
        return (*word, self.M_s[fields[-1], b])

    def power(self, n) -> list[list[list[Word]]]:
        """Words of J^n, n >= 1."""
        d, found = range(self.cell.n_state), self.jacobian
        for _ in range(n - 1):
            found = [[[u + v for c in d for u in found[a][c] for v in self.jacobian[c][b]] for b in d] for a in d]
        return found

    def overlap(self, m, n):
        """(1/N) tr J^m (J^n)^T in the limit, in terms of averages over sites."""
        left, right = self.power(m), self.power(n)
        pairs = ((u, v) for a in range(len(left)) for b in range(len(left)) for u in left[a][b] for v in right[a][b])
        return sp.expand(sum((trace(u + transposed(v), self.gains_squared) for u, v in pairs), sp.Integer(0)))

    def moment(self, j):
        """(1/N) tr (J J^T)^j in the limit, in terms of averages over sites."""
        d = range(self.cell.n_state)
        square = [[[u + transposed(v) for c in d for u in self.jacobian[a][c] for v in self.jacobian[b][c]] for b in d] for a in d]
        found = square
        for _ in range(j - 1):
            found = [[[u + v for c in d for u in found[a][c] for v in square[c][b]] for b in d] for a in d]
        words = (word for a in d for word in found[a][a])
        return sp.expand(sum((trace(word, self.gains_squared) for word in words), sp.Integer(0)))


def transposed(word: Word) -> Word:
    """The transpose of a word: backwards, matrices transposed."""
    return tuple((letter[0], not letter[1]) if isinstance(letter, tuple) else letter for letter in reversed(word))


def trace(word: Word, gains_squared):
    """(1/N) tr of a word, averaged over its matrices to leading order in 1/N."""
    start = next((i for i, letter in enumerate(word) if isinstance(letter, tuple)), None)
    if start is None:
        product_of_sites = sp.Mul(*word)
        return product_of_sites if product_of_sites.is_number else Mean(product_of_sites)
    k, flipped = word[start]
    total = sp.Integer(0)
    for end in range(start + 1, len(word)):
        if word[end] == (k, not flipped):  # U U and U^T U^T average to less by a factor 1/N
            inside, outside = word[start + 1 : end], word[:start] + word[end + 1 :]
            total += gains_squared[k] * trace(inside, gains_squared) * trace(outside, gains_squared)
    return total


def mean(expression, site):
    """E of a polynomial, term by term: symbols in ``site`` differ between sites, all others are constants."""
    site, total = set(site), sp.Integer(0)
    for term in sp.Add.make_args(sp.expand(expression)):
        outside, inside = sp.sympify(term).as_independent(*site, as_Add=False)
        total += outside * (Mean(inside) if inside != 1 else 1)
    return total


def mean_square(matrix, gains):
    """Sum over the entries of E (entry)^2 over independent normal variables, exactly.

    ``gains`` maps the variables to their variances. Entries must be of first degree in each variable: then different products of
    them are uncorrelated, and squares of coefficients add up.
    """
    total = sp.Integer(0)
    for entry in matrix:
        for powers, coefficient in sp.Poly(entry, *gains).terms():
            if max(powers) > 1:
                raise ValueError(f"{entry} is not of first degree in each variable")
            total += coefficient**2 * sp.Mul(*(v for v, power in zip(gains.values(), powers) if power))
    return total
