"""Sparse random matrices: few entries a row that are not zero, normal or signs [T10]."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..support.checks import boolean, choice, integer, real
from .matrix_laws import MatrixLaw

__all__ = ["Sparse"]

#: Fourth moments of the entries that are not zero, of mean square 1.
_FOURTH = {"normal": 3.0, "sign": 1.0}
#: In-degrees from which the limit of many is good to 1 %, and to three digits [NUMERICS].
_PERCENT, _THREE_DIGITS = 30.0, 100.0
#: What holds at any in-degree, as it knows second moments alone; and what holds to 1 % where it is large.
_ALWAYS, _DENSE = frozenset({"edge"}), frozenset({"mean field", "dynamics", "edge", "resolvent"})


@dataclass(frozen=True)
class Sparse(MatrixLaw):
    """U_ij = a w_ij B_ij / sqrt(c): each unit hears about c others, through weights w_ij of mean square 1 [T10].

    The theory is that of iid normal matrices, the limit c -> infinity. From c = 100 on it has three digits, from c = 30 on it is
    good to 1 % (vanilla, GRU and LSTM networks, E h^2 and potentials); ``sparse_moments`` and ``sparse_potential`` add what is of
    first order in 1/c. Below c = 30 it is refused (CapabilityError), but for the edge of given sites, which second moments settle
    at any c if the sites do not depend on the matrix. There also are e^{-c} N units that hear nobody.

    Parameters
    ----------
    in_degree : float > 0, c
        The mean number of entries in a row; at most N of networks that are drawn.
    entries : "normal" or "sign"
        Law of w_ij: standard normal, or 1 and -1 with equal probability.
    fixed : bool
        Whether every row has exactly c entries (a whole number then). Default: each entry is there with probability c / N.

    Raises
    ------
    TypeError, ValueError
        values that are not allowed

    Examples
    --------
    >>> import gating_theory as gt
    >>> sparse = gt.Ensemble(gt.GRU, gain={"h": 3}, matrices=gt.Sparse(100))
    >>> round(float(gt.onset(sparse, "gain.h")), 4)  # as of dense matrices
    2.0
    >>> U = gt.Network.sample(sparse, 1000, rng=0).matrices[2]
    >>> print((U != 0).sum(axis=1).mean().round())  # how many units a unit hears
    100.0
    """

    in_degree: float
    entries: str = "normal"
    fixed: bool = False
    name = "sparse"

    def __post_init__(self) -> None:
        degree = real("in_degree", self.in_degree, low=0.0, open_low=True)
        if boolean("fixed", self.fixed) and degree != integer("in_degree", int(degree), low=1):
            raise ValueError(f"in_degree must be a whole number where it is fixed, got {degree:g}")
        object.__setattr__(self, "in_degree", degree)
        choice("entries", self.entries, _FOURTH)

    @property
    def holds(self) -> frozenset[str]:  # type: ignore[override]  # it depends on the in-degree
        """The facts that hold, by the in-degree."""
        return _DENSE if self.in_degree >= _PERCENT else _ALWAYS

    @property
    def accuracy(self) -> float:
        """Relative accuracy to be expected of the theory without corrections: 1e-3, 1e-2, or nan where nothing is known."""
        return 1e-3 if self.in_degree >= _THREE_DIGITS else 1e-2 if self.in_degree >= _PERCENT else float("nan")

    @property
    def fourth_moment(self) -> float:
        """E w^4 of the entries that are not zero: 3 or 1."""
        return _FOURTH[self.entries]

    def draw(self, n: int, rng: np.random.Generator, count: int = 1) -> np.ndarray:
        """(count, n, n) sparse matrices; ValueError for n below the in-degree. Arguments as in MatrixLaw.draw."""
        if self.in_degree > n:
            raise ValueError(f"in_degree = {self.in_degree:g} must be at most the number of units, {n}")
        shape = (count, n, n)
        values = rng.standard_normal(shape) if self.entries == "normal" else rng.choice([-1.0, 1.0], size=shape)
        values *= np.sqrt(n / self.in_degree) * self._present(shape, rng)
        return values

    def _present(self, shape: tuple[int, int, int], rng: np.random.Generator) -> Any:
        lots = rng.random(shape)
        if not self.fixed:
            return lots < self.in_degree / shape[-1]
        chosen = np.argpartition(lots, int(self.in_degree) - 1, axis=-1)[..., : int(self.in_degree)]
        present = np.zeros(shape, dtype=bool)
        np.put_along_axis(present, chosen, True, axis=-1)
        return present
