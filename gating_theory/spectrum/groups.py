"""Which fields share an unknown of the self-consistent equations, and the monomials of a loop in these unknowns [T4, T10].

The law of a field's matrix enters as alpha(s) = A(s) / a^2, s the share of the solution that goes through the field. Fields whose
alpha depends on one and the same share are a *group*: of each message those whose alpha is constant (iid matrices), those that are
drawn together, and every other field by itself. In the shares s_g, with S_k their sum over the groups of message k,

    2 Phi = ext { E log( |chi|^2 + sum_m c_m p^{e_m} q^{f_m} prod_g alpha_g(s_g)^{f_mg} ) - sum_g Psi_g(s_g) },
    p_k = sqrt(S_k) exp(-theta_k),    q_k = sqrt(S_k) exp(theta_k).

Iid matrices have one group a message, and s = x of [T4].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..cell.cell import Cell
from ..ensemble.matrix_laws import IID, MatrixLaw, Unknown
from .determinant import LoopMonomials, gauge

__all__ = ["Group", "Loop", "groups_of"]

_TINY = 1e-300
#: How far from the end of the shares poles and zeros are looked for; how the end is: in rounds, between so many points.
_BESIDE, _ROUNDS, _POINTS = 1e-8, 6, 1000
#: Halvings at most.
_HALVINGS = 60
#: How close a share comes to the pole of alpha at 1; shares outside are brought back to these bounds.
_LEAST, _MOST = 1e-6, 0.999


@dataclass(frozen=True)
class Group:
    """Fields that listen to one message, and whose alpha depends on one and the same share.

    Attributes
    ----------
    message : int
    fields : tuple of int
    law : MatrixLaw
    count : int, how many fields of the network are drawn together
    """

    message: int
    fields: tuple[int, ...]
    law: MatrixLaw
    count: int

    @cached_property
    def truncation(self) -> float | None:
        """t where alpha = 1 / (1 - t s), else None."""
        return self.law.truncation(self.count)

    @cached_property
    def singular(self) -> tuple[float, float]:
        """t and the order of the part -order log(1 - t s) of log alpha that the solver knows in closed form.

        Of boundedly invertible matrices alpha has a pole at s = 1, order 1; of others, with zeros among their singular values, a
        zero where shares end, order -1.
        """
        if self.truncation is not None:
            return self.truncation, 1.0
        end = self._end
        with np.errstate(all="ignore"):
            slope = float(self.law.log_gain_slope(np.array([end * (1.0 - _BESIDE)]), self.count)[0]) * end * _BESIDE
        order = float(np.round(slope))
        return (1.0 / end, order) if order == -1.0 or (order == 1.0 and end == 1.0) else (0.0, 1.0)

    @property
    def _end(self):
        """Where the shares that the law allows end: 1, or less."""
        low, high = 0.0, 1.0
        for _ in range(_ROUNDS if not self.allows(np.array([1.0 - _BESIDE]))[0] else 0):
            s = np.linspace(low, high, _POINTS)
            allowed = self.allows(s[1:-1])
            last = int(np.argmin(allowed)) if not allowed.all() else allowed.size
            low, high = s[last], s[last + 1]
        return high

    def allows(self, s: np.ndarray) -> np.ndarray:
        """Whether shares are some that matrices of the law may have."""
        with np.errstate(all="ignore"):
            return np.isfinite(self.law.log_gain(s, self.count))

    @cached_property
    def first_slope(self) -> float:
        """alpha'(0)."""
        return 0.0 if self.truncation == 0.0 else float(self.law.log_gain_slope(np.zeros(1), self.count)[0])

    def log_gain(self, s: np.ndarray) -> np.ndarray:
        """log alpha(s), of shares of any shape."""
        return np.zeros_like(s) if self.truncation == 0.0 else np.asarray(self.law.log_gain(s, self.count))

    def rest(self, s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What log alpha is beyond -order log(1 - t s), and its derivative by s: 0 of truncations."""
        t, order = self.singular
        slope = np.asarray(self.law.log_gain_slope(s, self.count)) - order * t / (1.0 - t * s)
        return self.log_gain(s) + order * np.log1p(-t * s), slope

    def penalty(self, s: np.ndarray) -> np.ndarray:
        """Psi(s) [T10], s itself of iid matrices."""
        return s if self.truncation == 0.0 else np.asarray(self.law.penalty(s, self.count))


def groups_of(cell: Cell, laws: Mapping[str, MatrixLaw]) -> list[Group]:
    """The groups of a cell's fields, by message.

    Parameters
    ----------
    cell : Cell
    laws : mapping from field names to laws; of matrices of which nothing is known iid entries are assumed
    """
    known = [IID() if isinstance(laws[name], Unknown) else laws[name] for name in cell.field_names]
    out: list[Group] = []
    for message in range(cell.n_messages):
        found: dict[object, list[int]] = {}
        counts: dict[object, int] = {}
        for field in (k for k, listened in enumerate(cell.message_of) if listened == message):
            law = known[field]
            count = known.count(law) if law.together else 1
            key = "constant" if law.truncation(count) == 0.0 else law if law.together else field
            counts[key] = count
            found.setdefault(key, []).append(field)
        out.extend(Group(message, tuple(fields), known[fields[0]], counts[key]) for key, fields in found.items())
    return out


@dataclass(frozen=True, eq=False)
class Loop(LoopMonomials[int]):
    """A loop of messages and its monomials, labelled by their rows among the coefficients of a Population.

    Attributes
    ----------
    groups : tuple of int
        Among those of the cell: of the loop's messages those that its monomials hold.
    laws : tuple of Group
    message : (G,) int array, places of the groups' messages among those of the loop
    columns : (m, G) array, exponents in alpha_g
    """

    groups: tuple[int, ...]
    laws: tuple[Group, ...]
    message: np.ndarray
    columns: np.ndarray

    @classmethod
    def among(cls, messages: tuple[int, ...], keys: Sequence[tuple], labels: Sequence[int], groups: Sequence[Group]) -> Loop:
        """From the keys of the monomials: their rows, and the groups of their columns."""
        of_messages = [(rows, tuple(groups[g].message for g in columns)) for rows, columns in keys]
        plain = LoopMonomials.of(messages, of_messages, labels)
        held = tuple(sorted({g for _, columns in keys for g in columns}))
        laws = tuple(groups[g] for g in held)
        message = np.array([messages.index(group.message) for group in laws], dtype=np.int64)
        columns = np.array([[columns.count(g) for g in held] for _, columns in keys], dtype=float)
        return cls(plain.messages, plain.labels, plain.usage, plain.tilt, held, laws, message, columns)

    @cached_property
    def monomials(self) -> list[int]:
        """The labels as a list."""
        return list(self.labels)

    @cached_property
    def truncation(self) -> np.ndarray:
        """(G,) t of the groups, 0 where alpha has neither a pole nor a zero."""
        return np.array([group.singular[0] for group in self.laws])

    @cached_property
    def order(self) -> np.ndarray:
        """(G,) 1 where alpha has a pole, -1 where it has a zero."""
        return np.array([group.singular[1] for group in self.laws])

    @property
    def size(self) -> int:
        """How many unknowns the loop has."""
        return len(self.groups) + len(self.messages) - 1

    @cached_property
    def entangled(self) -> bool:
        """Whether fields that are drawn together listen to several messages of the loop: their shares alone do not close."""
        together = [group.law for group in self.laws if group.law.together]
        return any(together.count(law) > 1 for law in together)

    @cached_property
    def others(self) -> list[int]:
        """Places of the groups whose alpha is not that of a truncation."""
        return [g for g, group in enumerate(self.laws) if group.truncation is None]

    def rests(self, shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(L, G) level and growth: log alpha + order log(1 - t s) is level + growth s at shares (L, G), with its slope."""
        level, growth = np.zeros_like(shares), np.zeros_like(shares)
        for g in self.others:
            value, growth[:, g] = self.laws[g].rest(shares[:, g])
            level[:, g] = value - growth[:, g] * shares[:, g]
        return level, growth

    def mismatch(self, rests: tuple[np.ndarray, np.ndarray], shares: np.ndarray) -> np.ndarray:
        """(L,) how far log alpha at ``shares`` (L, G) is from what ``rests`` say."""
        level, growth = rests
        apart = np.zeros(len(shares))
        for g in self.others:
            error = np.abs(self.laws[g].rest(shares[:, g])[0] - level[:, g] - growth[:, g] * shares[:, g])
            apart = np.maximum(apart, np.where(np.isfinite(error), error, np.inf))
        return apart

    def allowed(self, shares: np.ndarray, known: np.ndarray | float = 0.0) -> np.ndarray:
        """Shares (L, G), those that the laws do not allow moved half of the way to allowed ones, as often as it takes."""
        out = shares.copy()
        known = np.broadcast_to(known, shares.shape)
        for g in self.others:
            for _ in range(_HALVINGS):
                bad = ~self.laws[g].allows(out[:, g])
                if not bad.any():
                    break
                out[bad, g] = 0.5 * (known[bad, g] + out[bad, g])
        return out

    def totals(self, shares: np.ndarray) -> np.ndarray:
        """(L, n): S of each message, from the shares (L, G) of the loop's groups."""
        return shares @ (self.message[:, None] == np.arange(len(self.messages)))

    def unknowns(self, shares: np.ndarray, theta: np.ndarray) -> np.ndarray:
        """(L, G + n - 1): the shares and the gauge-free tau side by side, from shares (L, G) and theta (L, n)."""
        return np.concatenate([shares, theta[:, :-1] - theta[:, -1:]], axis=1)

    def parted(self, unknowns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Shares (L, G) and theta (L, n) of unknowns."""
        G = len(self.groups)
        return unknowns[:, :G], unknowns[:, G:] @ gauge(len(self.messages)).T

    def values(self, unknowns: np.ndarray) -> np.ndarray:
        """(L, m): the monomials at given unknowns."""
        G = len(self.groups)
        shares = unknowns[:, :G]
        gains = np.column_stack([group.log_gain(s) for group, s in zip(self.laws, shares.T)])
        logs = np.log(np.maximum(self.totals(shares), _TINY)) @ self.usage.T
        return np.exp(logs + gains @ self.columns.T + unknowns[:, G:] @ self.tilt.T)

    def penalty(self, unknowns: np.ndarray) -> np.ndarray:
        """(L,): the sum of Psi over the groups."""
        return np.sum([group.penalty(s) for group, s in zip(self.laws, unknowns.T)], axis=0)

    def within_bounds(self, unknowns: np.ndarray) -> np.ndarray:
        """Unknowns that an iteration may start from, whatever became of them."""
        G = len(self.groups)
        shares, tau = unknowns[:, :G], unknowns[:, G:]
        most = np.where(self.order > 0.0, 1.0, 1.0 / np.maximum(self.truncation, 1.0)) * np.where(self.truncation > 0.0, _MOST, 1.0)
        shares = np.clip(np.where(np.isfinite(shares), shares, 0.5), _LEAST, most)
        return np.concatenate([shares, np.where(np.abs(tau) < 50.0, tau, 0.0)], axis=1)

    def moved(self, unknowns: np.ndarray, change: np.ndarray) -> np.ndarray:
        """Unknowns of which the logarithms of the shares and tau change by so much, at most by 1; shares stay below 1."""
        change, G = np.clip(change, -1.0, 1.0), len(self.groups)
        old = unknowns[:, :G]
        new = old * np.exp(change[:, :G])
        end = np.where(self.order > 0.0, 1.0, 1.0 / np.maximum(self.truncation, 1.0))
        bounded = np.where(self.truncation > 0.0, np.minimum(new, 0.5 * (end + old)), new)
        return np.concatenate([bounded, unknowns[:, G:] + change[:, G:]], axis=1)
