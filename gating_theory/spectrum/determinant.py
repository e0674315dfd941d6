"""The combinatorics of det(1 + P W Q W^dagger): loops of messages, monomials, gauge, and where its equations start [T3, T4, T7].

P and Q are diagonal, with one unknown p_k and q_k for each message, and W is a transfer matrix from fields to messages. By the
Cauchy-Binet formula the determinant is a sum over minors W_IJ, rows I messages and columns J fields, of p^I (a^2 q)^J |det W_IJ|^2.
Three facts make it small, and all who solve for its unknowns (spectra, the complexity) need them:

- It factorises over *loops*, the sets of messages that feed one another.
- Minors with the same messages on both sides share one *monomial* in the unknowns.
- p -> c p, q -> q / c changes nothing. This *gauge* is fixed by the coordinates x_k = p_k q_k and tau, in which
  theta_k = log(q_k / p_k) / 2 = (gauge(n) tau)_k adds up to zero over the messages of a loop.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any, Generic, Self, TypeVar

import numpy as np

__all__ = [
    "LoopMonomials",
    "gauge",
    "indispensable",
    "loops",
    "minor",
    "minors_by_monomial",
    "monomial",
    "perron",
    "perron_start",
    "reachable",
    "spectral_radius",
]

#: What the caller of LoopMonomials finds coefficients by.
Label = TypeVar("Label", bound=Hashable)

_TINY = 1e-300
#: Added to a matrix, over its largest entry, before it is squared: it keeps powers of periodic matrices from oscillating.
_SHIFT = 0.1
#: Squarings of a matrix until its columns are Perron vectors: the power is 2 to this.
_SQUARINGS = 12


# --- which messages feed one another


def reachable(feeds: np.ndarray) -> np.ndarray:
    """(n, n) bool: whether message k depends on message j, at once or through others; from ``feeds[k, j]``, at once."""
    reach = feeds.copy()
    for k in range(len(reach)):
        reach |= np.outer(reach[:, k], reach[k])
    return reach


def loops(reach: np.ndarray) -> list[tuple[int, ...]]:
    """Sets of messages that reach one another; the determinant factorises over them. Messages that loop nowhere are in none."""
    found, seen = [], set()
    for k in range(len(reach)):
        if k in seen or not reach[k, k]:
            continue
        members = tuple(j for j in range(len(reach)) if j == k or (reach[k, j] and reach[j, k]))
        seen |= set(members)
        found.append(members)
    return found


def indispensable(messages: Sequence[int], feeds: np.ndarray) -> int | None:
    """The first of a loop's messages without which nothing in it loops, None where there is no such message."""
    for k in messages:
        rest = [j for j in messages if j != k]
        left = feeds[np.ix_(rest, rest)].astype(int)
        if not rest or not np.linalg.matrix_power(left, len(rest)).any():
            return k
    return None


# --- minors and monomials


def monomial(rows: Iterable[int], columns: Iterable[int], message_of: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The key of a minor's monomial p^I q^J: its rows, and the messages that its columns (fields) listen to, sorted."""
    return tuple(rows), tuple(sorted(message_of[l] for l in columns))


def minors_by_monomial(members: Sequence[int], columns: Sequence[int], message_of: Sequence[int], acts: np.ndarray) -> dict:
    """{monomial: [(rows, columns), ...]}: the minors of one loop that do not vanish identically, grouped by monomials.

    Parameters
    ----------
    members : messages of the loop
    columns : fields that carry these messages
    message_of : (K,), the message that each field listens to
    acts : (n, K) bool, whether a field enters a message: where it does not, the entry of W vanishes identically
    """
    groups: dict[tuple, list[tuple[tuple[int, ...], tuple[int, ...]]]] = {}
    for size in range(1, len(members) + 1):
        for rows in combinations(members, size):
            for chosen in combinations(columns, size):
                if not _structurally_singular(acts[np.ix_(rows, chosen)]):
                    groups.setdefault(monomial(rows, chosen, message_of), []).append((rows, chosen))
    return groups


def _structurally_singular(pattern: np.ndarray) -> bool:
    """Whether no product of entries of a square pattern is free of zeros."""
    n = pattern.shape[0]
    if n == 1:
        return not pattern[0, 0]
    return not any(pattern[0, j] and not _structurally_singular(np.delete(pattern[1:], j, axis=1)) for j in range(n))


def minor(W: Sequence[Sequence[Any]], rows: Sequence[int], columns: tuple[int, ...], acts: np.ndarray | None = None) -> Any:
    """A minor of W, a nested list of arrays, by expansion along rows; entries that vanish identically are skipped."""
    row, rest = rows[0], rows[1:]
    total = 0.0
    for i, l in enumerate(columns):
        if acts is not None and not acts[row, l]:
            continue
        entry = W[row][l]
        if rest:
            entry = entry * minor(W, rest, columns[:i] + columns[i + 1 :], acts)
        total = total + (entry if i % 2 == 0 else -entry)
    return total


def gauge(n: int) -> np.ndarray:
    """(n, n - 1) matrix from the coordinates tau of a loop to theta, whose sum is zero."""
    return np.eye(n)[:, : n - 1] - 1.0 / n


@dataclass(frozen=True, eq=False)
class LoopMonomials(Generic[Label]):
    """The monomials among the messages of one loop: exp(usage . log x + tilt . tau) in the gauge-free coordinates.

    Attributes
    ----------
    messages : tuple of n int
    labels : tuple, one for each monomial: where the caller finds its coefficient
    usage : (m, n) array
        Half the sum of a monomial's exponents in p and q: its derivative by log x.
    tilt : (m, n - 1) array
        Exponents in q minus those in p, gauge fixed: its derivative by tau.
    """

    messages: tuple[int, ...]
    labels: tuple[Label, ...]
    usage: np.ndarray
    tilt: np.ndarray

    @classmethod
    def of(cls, messages: tuple[int, ...], keys: Sequence[tuple], labels: Iterable[Label]) -> Self:
        """From the keys of the monomials, see :func:`monomial`."""
        e = np.array([[rows.count(j) for j in messages] for rows, _ in keys], dtype=float)
        f = np.array([[fed.count(j) for j in messages] for _, fed in keys], dtype=float)
        return cls(messages, tuple(labels), 0.5 * (e + f), (f - e) @ gauge(len(messages)))

    @cached_property
    def exponents(self) -> np.ndarray:
        """(m, 2n - 1): usage and tilt side by side."""
        return np.concatenate([self.usage, self.tilt], axis=1)


# --- the matrix T of second moments, whose spectral radius says whether a loop counts


def spectral_radius(T: np.ndarray) -> np.ndarray:
    """Largest eigenvalue modulus of non-negative matrices (..., n, n); inf where an entry on a cycle is."""
    n = T.shape[-1]
    if n == 1:
        return T[..., 0, 0]
    if n == 2:
        a, b, c, d = T[..., 0, 0], T[..., 0, 1], T[..., 1, 0], T[..., 1, 1]
        with np.errstate(invalid="ignore", over="ignore"):
            product = np.where((b == 0) | (c == 0), 0.0, b * c)
            root = np.sqrt((a - d) ** 2 + 4.0 * product)
            out = 0.5 * (a + d + root)
        return np.where(np.isnan(out), np.inf, out)
    finite = np.isfinite(T).all(axis=(-1, -2))
    out = np.full(T.shape[:-2], np.inf)
    if finite.any():
        out[finite] = np.abs(np.linalg.eigvals(T[finite])).max(axis=-1)
    return out


def perron(T: np.ndarray) -> np.ndarray:
    """Positive Perron vectors (L, n) of irreducible non-negative matrices (L, n, n), by squaring."""
    n = T.shape[-1]
    scaled = T / np.maximum(T.max(axis=(1, 2), keepdims=True), _TINY)
    power = scaled + _SHIFT * np.eye(n)
    for _ in range(_SQUARINGS):
        power = np.matmul(power, power)
        power /= power.max(axis=(1, 2), keepdims=True)
    vector = power.sum(axis=2)
    return np.maximum(vector / vector.sum(axis=1, keepdims=True), 1e-12)


def perron_start(T: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Directions of a loop's unknowns from the Perron vectors of T, exact at the edge: x (L, n) of sum 1, and tau (L, n - 1)."""
    right, left = perron(T), perron(np.swapaxes(T, 1, 2))
    # q_k along the right vector, p_k along the left one
    x = right * left
    x /= x.sum(axis=1, keepdims=True)
    theta = 0.5 * (np.log(right) - np.log(left))
    centred = theta - theta.mean(axis=1, keepdims=True)
    tau = np.linalg.lstsq(gauge(T.shape[-1]), centred.T, rcond=None)[0].T
    return x, tau
