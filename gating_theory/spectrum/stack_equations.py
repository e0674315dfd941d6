"""The self-consistent equations of a stack over several messages [T10].

Blocks of one isometry that act on different messages of a loop depend on one another, and their shares alone do not close the
equations: P is a Hermitian matrix over the messages. Every part of a loop (a stack, or a group of fields by itself) has matrices P
and Qt over the messages that its fields listen to, and a number t, 1/K of a stack of K fields:

    2 Phi = ext { E log( |chi|^2 det(1 + P W Q W^dagger) ) - sum over parts (1/t) log det(1 + t P Qt) },

P in the determinant being the sum over the parts, and of Qt the diagonal alone acts, Q_l = a_l^2 Qt_kk, k the message of field l.
By the Cauchy-Binet formula the determinant is a polynomial in the entries of P and Qt. Its coefficients, minors of W times
conjugate minors with the same columns and |chi|^2, are polynomials in lambda and its conjugate, without poles. The equations are

    q = E d log det / dP,    C = E d log det / dQ,    P = (1 - t P q)^{-1} C,    Qt = q (1 - t P q)^{-1},

which some plain iterations bring near the solution, and Newton's method for the entries of all P and Qt to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np

from ..errors import CapabilityError
from .groups import Group, Loop
from .pivots import Minor

__all__ = ["Part", "StackEquations"]

#: Plain iterations at first, in each of the attempts; Newton's steps after them; the longest relative change in one.
_PLAIN, _STEPS, _LONGEST = (6, 200, 2000), 40, 0.5
#: Plain iterations end where a relative change is below this: Newton's method takes over.
_NEAR = 1e-3
#: Numbers that are held at once, at most.
_AT_ONCE = 4_000_000
_TINY = 1e-300


@dataclass(frozen=True)
class Part:
    """A stack or a single group of fields in a loop.

    Attributes
    ----------
    groups : tuple of int, places among the loop's groups, one for each of its messages
    messages : tuple of int, places among the loop's messages
    t : float
    """

    groups: tuple[int, ...]
    messages: tuple[int, ...]
    t: float

    @property
    def size(self) -> int:
        """Real numbers that make a Hermitian matrix over the messages."""
        return len(self.messages) ** 2

    @cached_property
    def basis(self) -> np.ndarray:
        """(size, n, n): the Hermitian matrix is the sum of these times real numbers."""
        n = len(self.messages)
        out = []
        for i in range(n):
            for j in range(i, n):
                B = np.zeros((n, n), dtype=complex)
                B[i, j] = B[j, i] = 1.0
                out.append(B)
                if i != j:
                    C = np.zeros((n, n), dtype=complex)
                    C[i, j], C[j, i] = 1j, -1j
                    out.append(C)
        return np.array(out)

    @cached_property
    def diagonal(self) -> list[int]:
        """Which of the numbers are the diagonal entries."""
        n = len(self.messages)
        return [int(np.flatnonzero(self.basis[:, i, i])[0]) for i in range(n)]

    def matrix(self, numbers: np.ndarray) -> np.ndarray:
        """(L, n, n) from (L, size)."""
        return np.einsum("la,aij->lij", numbers, self.basis)

    def numbers(self, matrix: np.ndarray) -> np.ndarray:
        """(L, size) of the Hermitian part of (L, n, n)."""
        norm = np.einsum("aij,aij->a", self.basis, self.basis.conj()).real
        return np.einsum("lij,aij->la", matrix, self.basis.conj()).real / norm

    def dual(self, slopes: np.ndarray) -> np.ndarray:
        """(L, n, n) the matrix q of which tr(q dP) is the sum of slopes (L, size) times the changes of the numbers of P."""
        norm = np.einsum("aij,aij->a", self.basis, self.basis.conj()).real
        return np.einsum("la,aij->lij", slopes / norm, self.basis)

    def penalty(self, p: np.ndarray, q: np.ndarray) -> np.ndarray:
        """(L,) (1/t) log det(1 + t P Qt), from the numbers of both."""
        P, Q = self.matrix(p), self.matrix(q)
        if self.t == 0.0:
            return np.einsum("lij,lji->l", P, Q).real
        return np.linalg.slogdet(np.eye(len(self.messages)) + self.t * P @ Q)[1] / self.t

    def derivatives(self, p: np.ndarray, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of the penalty by the numbers of P and Qt side by side: (L, 2 size), (L, 2 size, 2 size)."""
        P, Q, B, t = self.matrix(p), self.matrix(q), self.basis, self.t
        Y = np.linalg.inv(np.eye(len(self.messages)) + t * P @ Q)
        by_p, by_q = Q @ Y, Y @ P
        first = np.concatenate([np.einsum("lij,aji->la", m, B) for m in (by_p, by_q)], axis=1).real
        one, two = np.einsum("lij,ajk->laik", by_p, B), np.einsum("lij,ajk->laik", by_q, B)
        pp = -t * np.einsum("lbij,laji->lab", one, one)
        qq = -t * np.einsum("lbij,laji->lab", two, two)
        left = np.einsum("lij,bjk,lkm->lbim", np.eye(len(self.messages)) - t * by_p @ P, B, Y)
        pq = np.einsum("lbij,aji->lab", left, B)
        second = np.concatenate([np.concatenate([pp, pq], 2), np.concatenate([np.swapaxes(pq, 1, 2), qq], 2)], 1)
        return first, second.real


def parts_of(laws: Sequence[Group], message: np.ndarray) -> list[Part]:
    """The parts of a loop, from its groups and the places of their messages.

    Raises
    ------
    CapabilityError
        a law beside the stack whose alpha is not that of a truncation
    """
    found: dict[object, list[int]] = {}
    for g, group in enumerate(laws):
        if group.truncation is None:
            raise CapabilityError(
                f"the resolvent is not served where a stack over several messages meets the law {group.law!r}: use eigenvalues of "
                "sampled networks: Network.eigenvalues"
            )
        found.setdefault(group.law if group.law.together else g, []).append(g)
    return [Part(tuple(gs), tuple(int(message[g]) for g in gs), float(laws[gs[0]].truncation or 0.0)) for gs in found.values()]


class _Polynomial:
    """The determinant as a polynomial in the unknowns: what multiplies the coefficients of the sites, with derivatives.

    Attributes
    ----------
    terms : list of (rows, other rows, columns (groups), imaginary)
        Which coefficient of the sites each is: of minors of some rows times conjugates of those of other rows.
    """

    def __init__(self, loop: Loop, parts: Sequence[Part], columns: Sequence[tuple[int, ...]]) -> None:
        n = len(loop.messages)
        self.size = 2 * sum(part.size for part in parts)
        entries: list[list[dict[tuple[int, ...], complex]]] = [[{} for _ in range(n)] for _ in range(n)]
        self.p, self.q, of_group, start = [], [], {}, 0
        for part in parts:
            self.p.append(slice(start, start + part.size))
            self.q.append(slice(start + part.size, start + 2 * part.size))
            for a, B in enumerate(part.basis):
                for i, j in zip(*np.nonzero(B)):
                    entry = entries[part.messages[i]][part.messages[j]]
                    key = self._power(start + a)
                    entry[key] = entry.get(key, 0.0) + complex(B[i, j])
            for g, a in zip(part.groups, part.diagonal):
                of_group[g] = start + part.size + a
            start += 2 * part.size
        self.group = [of_group[g] for g in range(len(loop.groups))]
        self.terms, rows = [], []
        for size in range(1, n + 1):
            for first in combinations(range(n), size):
                for second in combinations(range(n), size):
                    if second < first:
                        continue
                    det = self._determinant(entries, first, second)
                    for held in (c for c in columns if len(c) == size) if det else ():
                        power = self._power(*(self.group[g] for g in held))
                        product = self._product(det, {power: 1.0 + 0j})
                        for imaginary in (False, True) if first != second else (False,):
                            taken = {k: (v.imag if imaginary else v.real) for k, v in product.items()}
                            taken = {k: v for k, v in taken.items() if v}
                            if taken:
                                self.terms.append((first, second, held, imaginary))
                                rows.append(taken)
        powers = sorted({k for row in rows for k in row})
        self.powers = np.array(powers, dtype=int).reshape(len(powers), self.size)
        self.matrix = np.array([[row.get(k, 0.0) for k in powers] for row in rows]).reshape(len(rows), len(powers))

    def _power(self, *unknowns):
        out = [0] * self.size
        for u in unknowns:
            out[u] += 1
        return tuple(out)

    @staticmethod
    def _product(one, other):
        out = {}
        for k, v in one.items():
            for l, w in other.items():
                key = tuple(a + b for a, b in zip(k, l))
                out[key] = out.get(key, 0.0) + v * w
        return {k: v for k, v in out.items() if v}

    def _determinant(self, entries, rows, columns):
        if not rows:
            return {self._power(): 1.0 + 0j}
        out: dict[tuple, complex] = {}
        for place, column in enumerate(columns):
            rest = self._determinant(entries, rows[1:], columns[:place] + columns[place + 1 :])
            for k, v in self._product(entries[rows[0]][column], rest).items():
                out[k] = out.get(k, 0.0) + (-1) ** place * v
        return {k: v for k, v in out.items() if v}

    def __call__(self, u: np.ndarray) -> np.ndarray:
        """(L, m) what multiplies the coefficients, at unknowns (L, D)."""
        return self._products(u, self._factors(self.powers)) @ self.matrix.T

    def slopes(self, u: np.ndarray) -> np.ndarray:
        """(L, m, D) first derivatives."""
        out = np.zeros((len(u), len(self.powers), self.size))
        for d, count, factors in self._first:
            out[:, :, d] = count * self._products(u, factors)
        return np.matmul(self.matrix, out)

    def bend(self, u: np.ndarray, factors: np.ndarray) -> np.ndarray:
        """(L, D, D): second derivatives of the sum of the terms times ``factors`` (L, m)."""
        weight = factors @ self.matrix
        out = np.zeros((len(u), self.size, self.size))
        for d, e, rows, count, held in self._second:
            out[:, d, e] = out[:, e, d] = (weight[:, rows] * count * self._products(u, held)).sum(axis=1)
        return out

    @staticmethod
    def _products(u, factors):
        """(L, b) of the unknowns with the indices ``factors`` (b, degree), the last index standing for 1."""
        extended = np.concatenate([u, np.ones((len(u), 1))], axis=1)
        out = extended[:, factors[:, 0]]
        for column in factors.T[1:]:
            out = out * extended[:, column]
        return out

    def _factors(self, powers):
        """(b, degree) indices of the unknowns that monomials are products of."""
        degree = int(self.powers.sum(axis=1).max(initial=1))
        out = np.full((len(powers), degree), self.size)
        for row, power in zip(out, powers):
            held = np.repeat(np.arange(self.size), power)
            row[: held.size] = held
        return out

    @cached_property
    def _first(self):
        """[(unknown, factor (b,), what is left)]: first derivatives of the monomials."""
        return [(d, self.powers[:, d], self._factors(_lowered(self.powers, d))) for d in np.flatnonzero(self.powers.any(axis=0))]

    @cached_property
    def _second(self):
        """[(two unknowns, rows, factor, what is left)]: second derivatives of those monomials that have some."""
        out = []
        for d in np.flatnonzero(self.powers.any(axis=0)):
            lower = _lowered(self.powers, d)
            for e in np.flatnonzero(lower.any(axis=0)):
                count = self.powers[:, d] * lower[:, e]
                rows = np.flatnonzero(count)
                if e <= d and rows.size:
                    out.append((d, e, rows, count[rows], self._factors(_lowered(lower[rows], e))))
        return out


def _lowered(powers, d):
    """Powers (b, D) of which that of one unknown is less by 1, where it is not 0."""
    out = powers.copy()
    out[:, d] = np.maximum(out[:, d] - 1, 0)
    return out


class StackEquations:
    """The equations of one loop of messages over which a stack reaches.

    Parameters
    ----------
    loop : Loop
    minors : mapping from (rows, fields) to (d + 1, M) coefficients in lambda, rows and fields of the cell
    chi : (d + 1, M) coefficients of det(lambda - F_s)
    scale : mapping from the same keys to numbers
        The squares of what multiplies the minors: gains, and the scale of the messages.
    group_of : (K,) list, the group of each field among those of the cell
    weights : (M,)
    """

    def __init__(
        self,
        loop: Loop,
        minors: Mapping[Minor, np.ndarray],
        chi: np.ndarray,
        scale: Mapping[Minor, float],
        group_of: Sequence[int],
        weights: np.ndarray,
    ) -> None:
        self.loop, self.weights, self.chi = loop, weights, chi
        self.parts = parts_of(loop.laws, loop.message)
        place = {message: i for i, message in enumerate(loop.messages)}
        of_group = {g: i for i, g in enumerate(loop.groups)}
        self._minors: dict[tuple, dict[tuple, np.ndarray]] = {}
        for (rows, fields), q in minors.items():
            held = [of_group.get(group_of[k]) for k in fields]
            if rows and set(rows) <= set(place) and None not in held and scale[rows, fields] > 0.0:
                key = tuple(place[r] for r in rows), tuple(sorted(held))  # type: ignore[type-var]
                self._minors.setdefault(key, {})[fields] = np.sqrt(scale[rows, fields]) * q
        columns = sorted({held for _, held in self._minors})
        self.polynomial = _Polynomial(loop, self.parts, columns)

    # --- coefficients of the sites

    def _values(self, lam):
        """Minors at lambdas, {(rows, columns): {fields: (L, M)}}, and their derivatives."""
        degree = len(self.chi) - 1
        powers = lam[:, None] ** np.arange(degree + 1)
        lowered = np.zeros_like(powers)
        lowered[:, 1:] = powers[:, :-1] * np.arange(1, degree + 1)
        values = {k: {f: (powers @ q, lowered @ q) for f, q in of.items()} for k, of in self._minors.items()}
        return values, (powers @ self.chi, lowered @ self.chi)

    def coefficients(self, lam: np.ndarray, slopes: bool = False) -> list[np.ndarray]:
        """|chi|^2 (L, M) and the coefficients (L, m, M) of the polynomial.

        With ``slopes`` also their derivatives by lambda, and by lambda and its conjugate.

        Parameters
        ----------
        lam : (L,) complex array
        slopes : bool, whether derivatives are wanted
        """
        values, (chi, moved) = self._values(lam)
        kinds = ((0, 0), (1, 0), (1, 1)) if slopes else ((0, 0),)
        out = []
        for left, right in kinds:
            base = (chi, moved)[left] * (chi, moved)[right].conj()
            c = np.zeros((lam.size, len(self.polynomial.terms), self.weights.size), dtype=complex)
            for m, (first, second, held, imaginary) in enumerate(self.polynomial.terms):
                one, other = values.get((first, held), {}), values.get((second, held), {})
                for fields in one.keys() & other.keys():
                    # with det P[first, second] goes the minor of the second rows times the conjugate of that of the first
                    x = other[fields][left] * one[fields][right].conj()
                    y = one[fields][left] * other[fields][right].conj()
                    c[:, m] += x if first == second else 1j * (x - y) if imaginary else x + y
            out += [base, c] if left != right else [base.real, c.real]
        return out

    # --- solution

    def start(self, p: np.ndarray, shares: np.ndarray) -> np.ndarray:
        """First guesses (L, D): diagonal matrices.

        Parameters
        ----------
        p : (L, n), of the messages
        shares : (L, G), of the groups
        """
        total = self.loop.totals(shares)
        q = total / p
        u = np.zeros((len(p), self.polynomial.size))
        for part, where_p, where_q in zip(self.parts, self.polynomial.p, self.polynomial.q):
            for g, k, a in zip(part.groups, part.messages, part.diagonal):
                share = shares[:, g] / np.maximum(total[:, k], _TINY)
                u[:, where_p.start + a] = p[:, k] * np.maximum(share, 1e-12)
                u[:, where_q.start + a] = q[:, k]
        return u

    def solve(self, lam: np.ndarray, start: np.ndarray, limit: float) -> tuple[np.ndarray, np.ndarray]:
        """Which of the lambdas (L,) are solved, and the unknowns (L, D); Newton's method ends with a step below ``limit``."""
        solved, unknowns = np.zeros(lam.size, dtype=bool), start.copy()
        for part in self._stretches(lam.size):
            base, c = self.coefficients(lam[part])
            left = np.arange(len(base))
            for plain in _PLAIN:
                u = self._plainly(base[left], c[left], start[part][left], plain)
                done, u = self._newton(base[left], c[left], u, limit)
                unknowns[part.start + left], solved[part.start + left] = u, done
                left = left[~done]
                if not left.size:
                    break
        return solved, unknowns

    def _stretches(self, count):
        size = max(1, int(_AT_ONCE / ((len(self.polynomial.terms) + 1) * self.weights.size)))
        return [slice(i, min(i + size, count)) for i in range(0, count, size)]

    def _averages(self, base, c, u):
        """E c / D (L, m), and c / D itself."""
        total = base + _summed(self.polynomial(u), c)
        part = c / np.maximum(total, _TINY)[:, None]
        return part @ self.weights, part

    def _plainly(self, base, c, u, steps):
        u = u.copy()
        left = np.arange(len(u))
        for _ in range(steps):
            now = u[left]
            first, _ = self._averages(base[left], c[left], now)
            slopes = np.einsum("lm,lmd->ld", first, self.polynomial.slopes(now))
            new = now.copy()
            for part, where_p, where_q in zip(self.parts, self.polynomial.p, self.polynomial.q):
                P, q = part.matrix(now[:, where_p]), part.dual(slopes[:, where_p])
                C = np.zeros_like(P)
                for i, a in enumerate(part.diagonal):
                    C[:, i, i] = slopes[:, where_q.start + a]
                H = np.linalg.inv(np.eye(len(part.messages)) - part.t * P @ q)
                new[:, where_p], new[:, where_q] = part.numbers(H @ C), part.numbers(q @ H)
            scale = self._scale(now)
            change = np.abs(new / scale - now / scale).max(axis=1)
            fine = np.isfinite(new).all(axis=1)
            u[left[fine]] = new[fine]
            left = left[fine & (change > _NEAR)]
            if not left.size:
                break
        return u

    def _scale(self, u):
        """(L, D) sizes of the unknowns: of off-diagonal entries the roots of the products of diagonal ones."""
        out = np.empty_like(u)
        for part, *both in zip(self.parts, self.polynomial.p, self.polynomial.q):
            for where in both:
                diagonal = np.abs(u[:, [where.start + a for a in part.diagonal]])
                for a, B in enumerate(part.basis):
                    i, j = (int(x[0]) for x in np.nonzero(B))
                    out[:, where.start + a] = np.sqrt(diagonal[:, i] * diagonal[:, j])
        return np.maximum(out, _TINY)

    def _curvature(self, c, part, first, u):
        """Gradient (L, D) and Hessian (L, D, D) of 2 Phi by the unknowns; ``part`` is c over the determinant."""
        slopes = self.polynomial.slopes(u)
        gradient = np.einsum("lm,lmd->ld", first, slopes)
        second = np.matmul(part * self.weights, np.swapaxes(part, 1, 2))
        hessian = self.polynomial.bend(u, first) - np.swapaxes(slopes, 1, 2) @ second @ slopes
        for one, where_p, where_q in zip(self.parts, self.polynomial.p, self.polynomial.q):
            both = slice(where_p.start, where_q.stop)
            by, bend = one.derivatives(u[:, where_p], u[:, where_q])
            gradient[:, both] -= by
            hessian[:, both, both] -= bend
        return gradient, hessian

    def _gauged(self, hessian, u, scale):
        """The Hessian by relative changes, with the gauge P -> c P, Qt -> Qt / c fixed: there it has no curvature."""
        relative = hessian * scale[:, :, None] * scale[:, None, :]
        g = u / scale
        for where in self.polynomial.q:
            g[:, where] *= -1.0
        g /= np.linalg.norm(g, axis=1, keepdims=True)
        size = np.abs(relative).max(axis=(1, 2))
        return relative + size[:, None, None] * g[:, :, None] * g[:, None, :]

    def _newton(self, base, c, u, limit):
        done, left = np.zeros(len(u), dtype=bool), np.arange(len(u))
        u = u.copy()
        for _ in range(_STEPS):
            now = u[left]
            first, part = self._averages(base[left], c[left], now)
            gradient, hessian = self._curvature(c[left], part, first, now)
            scale = self._scale(now)
            matrix, right = self._gauged(hessian, now, scale), -gradient * scale
            fine = np.isfinite(matrix).all(axis=(1, 2)) & np.isfinite(right).all(axis=1)
            step = np.full_like(now, np.nan)
            step[fine] = np.linalg.solve(matrix[fine] + 0.0, right[fine][..., None])[..., 0]
            length = np.abs(step).max(axis=1)
            usable = np.isfinite(length)
            damp = np.minimum(1.0, _LONGEST / np.maximum(length, _TINY))
            u[left[usable]] = (now + damp[:, None] * step * scale)[usable]
            done[left[usable & (length < limit)]] = True
            left = left[usable & (length >= limit)]
            if not left.size:
                break
        return done & self._positive(u), u

    def _positive(self, u):
        """Whether the matrices P and the diagonals of Qt are positive: only then is it the solution that belongs to eigenvalues."""
        fine = np.isfinite(u).all(axis=1)
        for part, where_p, where_q in zip(self.parts, self.polynomial.p, self.polynomial.q):
            P = part.matrix(np.where(fine[:, None], u[:, where_p], 1.0))
            fine &= (np.linalg.eigvalsh(P) > 0.0).all(axis=1)
            fine &= (u[:, [where_q.start + a for a in part.diagonal]] > 0.0).all(axis=1)
        return fine

    def edge_uses(self, lam: np.ndarray, use: np.ndarray, right: np.ndarray) -> np.ndarray:
        """(L,) the sum of t tr (C q)^2 over the parts, at the edge of the spectrum, where P = C and q = E R to first order.

        Parameters
        ----------
        lam : (L,) complex array
        use : (L, G), C of each group
        right : (L, n) right Perron vector
        """
        n = len(self.loop.messages)
        base, c = self.coefficients(lam)
        moments = (c / np.maximum(base, _TINY)[:, None]) @ self.weights
        q = np.zeros((lam.size, n, n), dtype=complex)
        for m, (first, second, held, imaginary) in enumerate(self.polynomial.terms):
            if len(first) == 1:
                value = moments[:, m] * right[:, self.loop.message[held[0]]]
                i, j = first[0], second[0]
                if i == j:
                    q[:, i, i] += value
                else:
                    # x + y and i (x - y) of x = W_j conj(W_i), y its conjugate
                    q[:, j, i] += 0.5 * (-1j if imaginary else 1.0) * value
                    q[:, i, j] += 0.5 * (1j if imaginary else 1.0) * value
        out = np.zeros(lam.size)
        for part in self.parts:
            one = use[:, list(part.groups)][:, :, None] * q[:, list(part.messages)][:, :, list(part.messages)]
            out += part.t * np.einsum("lij,lji->l", one, one).real
        return out

    # --- what the solution says

    def shares(self, lam: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Shares (L, G) of the groups, and p (L, n) of the messages, at solved unknowns."""
        shares, p = np.zeros((lam.size, len(self.loop.groups))), np.zeros((lam.size, len(self.loop.messages)))
        for stretch in self._stretches(lam.size):
            base, c = self.coefficients(lam[stretch])
            first, _ = self._averages(base, c, u[stretch])
            by = np.einsum("lm,lmd->ld", first, self.polynomial.slopes(u[stretch])) * u[stretch]
            shares[stretch] = by[:, self.polynomial.group]
        for part, where in zip(self.parts, self.polynomial.p):
            for k, a in zip(part.messages, part.diagonal):
                p[:, k] += u[:, where.start + a]
        return shares, p

    def values(self, lam: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Twice the potential, the resolvent, and pi times the density (L,), at solved unknowns."""
        logs, resolvent, density = np.zeros(lam.size), np.zeros(lam.size, dtype=complex), np.zeros(lam.size)
        for stretch in self._stretches(lam.size):
            now = u[stretch]
            base, c, base_slope, c_slope, base_bend, c_bend = self.coefficients(lam[stretch], slopes=True)
            factor = self.polynomial(now)
            first, part = self._averages(base, c, now)
            over = 1.0 / np.maximum(base + _summed(factor, c), _TINY)
            ratio = (base_slope + _summed(factor, c_slope)) * over
            bend = (base_bend + _summed(factor, c_bend)) * over
            mixed = (c_slope * over[:, None] - part * ratio[:, None]) @ self.weights
            mixed = np.einsum("lm,lmd->ld", mixed, self.polynomial.slopes(now))
            scale = self._scale(now)
            matrix = self._gauged(self._curvature(c, part, first, now)[1], now, scale)
            right = np.stack([mixed.real, mixed.imag], axis=2) * scale[:, :, None]
            response = np.linalg.solve(matrix, right)
            penalty = sum(one.penalty(now[:, p], now[:, q]) for one, p, q in zip(self.parts, self.polynomial.p, self.polynomial.q))
            logs[stretch] = -np.log(over) @ self.weights - penalty
            resolvent[stretch] = ratio @ self.weights
            density[stretch] = (bend - np.abs(ratio) ** 2) @ self.weights - (right * response).sum(axis=(1, 2))
        return logs, resolvent, density


def _summed(factors, c):
    """(L, M) the sum of coefficients (L, m, M) times factors (L, m)."""
    return np.matmul(factors[:, None, :].astype(c.dtype), c)[:, 0]
