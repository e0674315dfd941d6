"""What the complexity functional owes to the law of the matrices: determinants of shared columns, and the lengths of images [T10].

The determinant of a random matrix with a site law W sees each matrix through A(s), s the share of its columns in the determinant,
and a penalty Psi(s). Columns of matrices that it cannot tell apart are one *group*. Where |U m| = a |m| holds exactly the images
of a message are uniform on a *sphere*: their length has a multiplier nu, and fields are Gaussians of another width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from ..ensemble.matrix_laws import LawError, MatrixLaw
from ..spectrum.determinant import LoopMonomials, gauge, minors_by_monomial

__all__ = ["Block", "Group", "LocalTerms", "Sphere", "column_groups", "spheres"]

#: Half the step of the difference that gives the second derivative of a log gain, over s and 1 - s: it serves as a slope of slopes.
_ASIDE = 1e-4


@dataclass(frozen=True)
class Group:
    """Columns of a loop that the determinant cannot tell apart.

    Attributes
    ----------
    message : int, that they carry
    fields : tuple of int
    law : MatrixLaw, of all of them
    count : int, how many matrices are drawn together
    """

    message: int
    fields: tuple[int, ...]
    law: MatrixLaw
    count: int = 1

    @property
    def constant(self) -> bool:
        """Whether the gain is a^2 whatever the share: entries that are independent."""
        return self.law.truncation(self.count) == 0.0

    def gains(self, s: float) -> tuple[float, float, float, float]:
        """(log A / a^2, its first and second derivative by log s, Psi) at a share s [T10]."""
        law, count = self.law, self.count
        if self.constant:
            return 0.0, 0.0, 0.0, s
        low, high = max(s - _ASIDE * s * (1.0 - s), 0.0), s + _ASIDE * s * (1.0 - s)
        slopes = law.log_gain_slope(np.array([low, s, high]), count)
        curvature = (slopes[2] - slopes[0]) / (high - low) if high > low else 0.0
        at = np.array(s)
        first = s * slopes[1]
        return float(law.log_gain(at, count)), float(first), float(first + s * s * curvature), float(law.penalty(at, count))


@dataclass(frozen=True)
class Sphere:
    """Fields whose images have a length that is known exactly: sum over them of (y - b)^2 / a^2 is ``count`` q [T10].

    Attributes
    ----------
    fields : tuple of int, those that messages depend on
    count : int, how many fields the length is that of: all that are drawn together
    """

    fields: tuple[int, ...]
    count: int = 1

    def penalty(self, nu: float) -> tuple[float, float, float]:
        """What a Gaussian of variance a^2 q / nu costs instead of a^2 q, with its first and second derivative."""
        half = 0.5 * self.count
        return half * (nu - 1.0 - np.log(nu)), half * (1.0 - 1.0 / nu), half / nu**2


def _together(laws: Sequence[MatrixLaw], law: MatrixLaw) -> int:
    """How many matrices of a network are drawn with one of this law: all fields of the law, or 1."""
    return sum(other == law for other in laws) if law.together else 1


def column_groups(
    messages: Sequence[int], columns: Sequence[int], listens: Sequence[int], laws: Sequence[MatrixLaw]
) -> tuple[Group, ...]:
    """The groups of a loop's columns, in the order of its messages.

    Parameters
    ----------
    messages : of the loop
    columns : fields that carry them
    listens : (K,), the message of each field
    laws : of all K fields

    Raises
    ------
    CapabilityError
        matrices drawn together that act on several messages; gains A(s) and images of a random length
    """
    found: dict[tuple, list[int]] = {}
    for l in columns:
        law = laws[l]
        if law.truncation() == 0.0 and not law.together:
            found.setdefault(("constant", listens[l]), []).append(l)
        elif law.together:
            found.setdefault(("together", law), []).append(l)
        else:
            found.setdefault(("own", l), []).append(l)
    for fields in found.values():
        _one_message(fields, listens, laws)
    ordered = sorted(found.values(), key=lambda fields: messages.index(listens[fields[0]]))
    return tuple(Group(int(listens[f[0]]), tuple(f), laws[f[0]], _together(laws, laws[f[0]])) for f in ordered)


def spheres(fields: Sequence[int], listens: Sequence[int], laws: Sequence[MatrixLaw]) -> tuple[Sphere, ...]:
    """The spheres on which the images lie that reach these fields; none for laws whose images have a random length.

    Parameters
    ----------
    fields : that carry messages and on which messages depend
    listens, laws : as for :func:`column_groups`
    """
    out = []
    isometric = [l for l in fields if laws[l].isometric]
    for l in isometric:
        together = [j for j in isometric if laws[j] == laws[l]] if laws[l].together else [l]
        if l == together[0]:
            _one_message(together, listens, laws)
            out.append(Sphere(tuple(together), _together(laws, laws[l])))
    return tuple(out)


def _one_message(fields, listens, laws):
    """CapabilityError for laws without equations: images of random length, matrices drawn together that act on several messages."""
    law = laws[fields[0]]
    if not law.isometric and law.truncation() != 0.0:
        raise LawError(
            f"complexity: images under matrices of law {law!r} have a random length, whose part in the number of fixed points is "
            "not known: use count_fixed_points of sampled networks"
        )
    if laws[fields[0]].together and len({int(listens[l]) for l in fields}) > 1:
        raise LawError(
            f"complexity: matrices of law {laws[fields[0]]!r} are drawn together and act on several messages, for which the number "
            "of fixed points is not known: use count_fixed_points of sampled networks"
        )


@dataclass(frozen=True)
class LocalTerms:
    """A loop's monomials near a point, and what its shares cost there.

    Attributes
    ----------
    scale : (M,) array, the monomials
    slopes : (M, G + n - 1) array, derivatives of their logarithms by (log s, tau)
    bends : (M, G, G) array, second derivatives by log s
    uses : (M, G) array, the use of each group's columns: what s is where the equations hold
    penalty : float, sum of Psi(s)
    cost, cost_slope : (G,) arrays, first and second derivatives of Psi by log s
    """

    scale: np.ndarray
    slopes: np.ndarray
    bends: np.ndarray
    uses: np.ndarray
    penalty: float
    cost: np.ndarray
    cost_slope: np.ndarray


@dataclass(frozen=True, eq=False)
class Block(LoopMonomials[tuple]):
    """The monomials of one loop, labelled by the minors that add up to each one's coefficient, and where its unknowns stand.

    Attributes
    ----------
    groups : tuple of G Group
    columns : (M, G) array, how many columns of each group a monomial has
    first, first_tau : int
        Positions of its first share and tau among those of all loops.
    """

    groups: tuple[Group, ...] = ()
    columns: np.ndarray = None  # type: ignore[assignment]
    first: int = 0
    first_tau: int = 0

    @classmethod
    def of_loop(
        cls, members: tuple[int, ...], groups: tuple[Group, ...], acts: np.ndarray, first: int = 0, first_tau: int = 0
    ) -> Self:
        """The block of a loop of messages with these groups of columns; ``acts`` as for ``minors_by_monomial``."""
        group_of = {l: g for g, group in enumerate(groups) for l in group.fields}
        found = minors_by_monomial(members, sorted(group_of), group_of, acts)  # type: ignore[arg-type]
        rows = np.array([[rows.count(k) for k in members] for rows, _ in found], dtype=float)
        columns = np.array([[used.count(g) for g in range(len(groups))] for _, used in found], dtype=float)
        carried = columns @ np.array([[group.message == k for k in members] for group in groups], dtype=float)
        return cls(
            members,
            tuple(tuple(minors) for minors in found.values()),
            0.5 * (rows + carried),
            (carried - rows) @ gauge(len(members)),
            groups,
            columns,
            first,
            first_tau,
        )

    @property
    def keys(self) -> tuple:
        """(((rows, columns), ...), ...): the minors of each monomial."""
        return self.labels

    @property
    def unknowns(self) -> int:
        """How many: shares, and tau."""
        return len(self.groups) + len(self.messages) - 1

    @property
    def own(self) -> slice:
        """Its shares among those of all loops."""
        return slice(self.first, self.first + len(self.groups))

    @property
    def own_tau(self) -> slice:
        """Its tau among those of all loops."""
        return slice(self.first_tau, self.first_tau + len(self.messages) - 1)

    @cached_property
    def owner(self) -> np.ndarray:
        """(G,) int: which of the loop's messages a group carries."""
        return np.array([self.messages.index(group.message) for group in self.groups])

    def parts(self, s: np.ndarray) -> np.ndarray:
        """(G,) the part that each group has in the share of its message, equal ones where that is zero."""
        total = np.bincount(self.owner, s, len(self.messages))[self.owner]
        return np.where(total > 0.0, s / np.where(total > 0.0, total, 1.0), 1.0 / np.bincount(self.owner)[self.owner])

    def at(self, s: np.ndarray, tau: np.ndarray) -> LocalTerms:
        """The LocalTerms at shares s of the groups and tau [T10]; monomials vanish where s is zero."""
        log_gain, gain_slope, gain_bend, psi = np.array([group.gains(float(v)) for group, v in zip(self.groups, s)]).T
        total = np.bincount(self.owner, s, len(self.messages))
        with np.errstate(divide="ignore"):
            logs = np.where(total > 0.0, np.log(np.maximum(total, 1e-300)), -700.0)
        part = self.parts(s)
        of_message, diagonal = self.usage[:, self.owner], np.eye(len(self.groups))
        same = self.owner[:, None] == self.owner
        within = diagonal * part - same * np.outer(part, part)
        carried = self.columns @ same  # of all groups of a group's message
        return LocalTerms(
            scale=np.exp(self.exponents @ np.concatenate([logs, tau]) + self.columns @ log_gain),
            slopes=np.concatenate([of_message * part + self.columns * gain_slope, self.tilt], axis=1),
            bends=of_message[:, :, None] * within + self.columns[:, :, None] * (diagonal * gain_bend),
            uses=self.columns + (of_message - carried) * part,
            penalty=float(psi.sum()),
            cost=s * (1.0 + gain_slope),
            cost_slope=s * (1.0 + gain_slope) + s * gain_bend,
        )
