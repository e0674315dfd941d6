"""The mean-field map of moments, q = R(q), and its reduction to one equation in one unknown [T5].

At a fixed point the fields are independent Gaussians, y_k ~ N(b_k, a_k^2 q_m(k) + beta_k^2 + input), where q_m is the second
moment of the message that field k listens to. The loop closes in the moments: q = R(q), one number per distinct message.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from ..ensemble.ensemble import Ensemble
from ..ensemble.field_law import RandomFields
from ..ensemble.quadrature import FieldLaw
from ..errors import CapabilityError, ConvergenceError

if TYPE_CHECKING:
    from ..cell.cell import Cell

__all__ = ["MomentMap", "families", "require_bounded"]

#: Two starts of the inner iteration, for moments that form loops of their own: below and above every solution.
_SMALL, _LARGE = 1e-12, 1e3
_MOST_ITERATIONS = 2000
#: Iterations without a smaller change than any before: what converges has one in each.
_PATIENCE = 100
#: Moments and averages are kept above this where a logarithm or a ratio is taken of them.
_TINY = 1e-300
#: Moments that are smaller count as zero: averages of squares lose their digits below, and biases of 1e-155 have no square at all.
_LEAST = 1e-280


class MomentMap:
    """R(q): the second moments of the messages when the fields have the variances that the moments q give them [T5].

    Each square is averaged factor by factor over the few fields it depends on. ``scalar(x)`` reduces q = R(q) to one
    equation in one moment x by solving for the others (explicitly where the messages feed one another without a loop).

    Parameters
    ----------
    ensemble : Ensemble, or a family of them, see :func:`families`: the map then is of all at once, see :meth:`of_rows`

    Attributes
    ----------
    ensembles : list of Ensemble, one or the family
    cell
    random : RandomFields, how the law of the fields follows from the moments
    n : int, number of distinct messages
    loop : list of int
        The fewest messages without whose moments no loop is left; the first of them is the leading moment x.
    felt : set of int, the fields that reach a message and come through a matrix
    fine, series_tol, scan_tol : float
        Quadrature tolerances of results, of interpolants of G, and of scans.
    """

    def __init__(self, ensemble: Ensemble | Sequence[Ensemble]) -> None:
        self.ensembles = [ensemble] if isinstance(ensemble, Ensemble) else list(ensemble)
        cell = self.cell = self.ensembles[0].cell
        compiled = cell.compiled
        self.random = RandomFields(self.ensembles if len(self.ensembles) > 1 else self.ensembles[0])
        self.factors = compiled.moment_factors
        self.n = cell.n_messages
        dimension = max(len(f.variables) for products in self.factors for factors in products for f in factors)
        # averages over three and more fields at once (LSTM) are scanned coarsely first and carry a digit or two less
        self.fine, self.series_tol, self.scan_tol = (1e-13, 1e-13, 1e-9) if dimension <= 2 else (1e-11, 1e-6, 1e-4)
        if not cell.has_closed_form:  # every average is over all variables at once, and every node a root search
            self.fine, self.series_tol, self.scan_tol = 1e-11, 1e-6, 1e-3
        self.inputs, self.felt, driven = [], set(), set(_driven(self.ensembles[0]))
        for products in self.factors:
            used = {v for factors in products for factor in factors for v in factor.variables if v < cell.n_fields}
            self.felt |= used & driven
            self.inputs.append({cell.message_of[v] for v in used & driven})
        self.loop = self._loop_set()
        self.order = self._topological()

    def law(self, q: np.ndarray) -> FieldLaw:
        """The FieldLaw for a batch of moments q (B, n)."""
        return self.random.law(q)

    def of_rows(self, member: np.ndarray) -> MomentMap:
        """The map of a batch of a family: row b of its moments belongs to ensemble ``member[b]``.

        Parameters
        ----------
        member : (B,) int array
        """
        rows = copy(self)
        rows.random = self.random.of_rows(member)
        return rows

    def moment(self, k: int, q: np.ndarray, tol: float, second: bool = False, known: dict | None = None) -> np.ndarray:
        """R_k for a batch q (B, n): (B,), below 1e-280 zero.

        ``known`` remembers averages of one tolerance and rule for other messages and moments.
        """
        law = self.law(q)
        value, _ = (replace(law, second=True) if second else law).mean_of_products(self.cell, self.factors[k], tol, cache=known)
        return np.broadcast_to(np.where(value > _LEAST, value, 0.0), (np.atleast_2d(q).shape[0],))

    def __call__(self, q: np.ndarray, tol: float, second: bool = False) -> np.ndarray:
        """R(q) for a batch (B, n): (B, n); ``second`` by the second rules, whose errors are others (see ``gaussian_rule``)."""
        known: dict = {}
        return np.stack([self.moment(k, q, tol, second, known) for k in range(self.n)], axis=1)

    def error(self, q: np.ndarray, values: np.ndarray) -> np.ndarray:
        """(B,) relative errors of R(q) at solutions q (B, n), measured, with values = R(q), summed over the messages.

        What another quadrature makes of R(q), what is left of R(q) - q, and what places of kinks that are not known better do.
        """
        wrong = np.abs(self(q, self.fine, second=True) - values) + np.abs(values - q)
        return np.sum(wrong / np.maximum(np.abs(values), _TINY), axis=1) + self.random.misplaced(self.felt)

    @property
    def has_zero_state(self) -> bool:
        """Whether all messages vanish where no field varies but by its frozen spread; of a family, of its first ensemble."""
        return bool(self.zero_states[0])

    @property
    def zero_states(self) -> np.ndarray:
        """(E,) bool, the same of each ensemble; remembered, for sweeps over gains."""
        nothing = np.zeros((len(self.ensembles), self.n))
        known = self.cell.compiled.zero_averages(self.law(nothing))
        key = "zero state"  # beside the averages, whose keys are factors
        if key not in known:
            known[key] = ~np.any(self(nothing, 1e-3), axis=1)
        return known[key]

    # --- reduction to one unknown

    def _loop_set(self) -> list[int]:
        for size in range(self.n + 1):
            for chosen in combinations(range(self.n), size):
                if self._acyclic_without(set(chosen)):
                    return list(chosen)
        raise AssertionError("unreachable: removing every message leaves no loop")

    def _acyclic_without(self, removed: set[int]) -> bool:
        left = set(range(self.n)) - removed
        while left:
            free = {k for k in left if not (self.inputs[k] & left)}
            if not free:
                return False
            left -= free
        return True

    def _topological(self) -> list[int]:
        """The messages outside the loop, each after those that its fields listen to."""
        left, done = set(range(self.n)) - set(self.loop), []
        while left:
            free = sorted(k for k in left if not (self.inputs[k] & left))
            done += free
            left -= set(free)
        return done

    def complete(self, x: np.ndarray, tol: float, start: str = "small", known: dict | None = None) -> np.ndarray:
        """All moments (B, n) at given values x (B,) of the leading one; the others are solved for, from "small" or "large" ones.

        ``known`` as for :meth:`moment`.
        """
        q, known = np.zeros((x.size, self.n)), {} if known is None else known
        if self.loop:
            q[:, self.loop[0]] = x
        rest = self.loop[1:]
        if rest:
            q[:, rest] = _SMALL if start == "small" else _LARGE
        best, since = np.inf, 0
        for _ in range(_MOST_ITERATIONS if rest else 1):
            for k in self.order:
                q[:, k] = self.moment(k, q, tol, known=known)
            if not rest:
                return q
            new = np.stack([self.moment(k, q, tol) for k in rest], axis=1)
            change = np.max(np.abs(new - q[:, rest]) / np.maximum(new, _TINY))
            q[:, rest] = new
            if change < max(1e-14, 1e-2 * tol):
                return q
            best, since = min(change, best), 0 if change < best else since + 1
            if since > _PATIENCE:
                break
        raise ConvergenceError(f"the moments at fixed leading moment did not converge{self._why()}", estimate=q)

    def _why(self):
        if self.cell.has_closed_form:
            return ""
        return (
            f": sites of cell {self.cell.name!r} are solved for numerically, and moments of these are not smooth to rounding; "
            "pass fixed_point= to Cell"
        )

    def log_ratio(self, x: np.ndarray, tol: float, start: str = "small") -> np.ndarray:
        """G(x) = log(R(x)/x) of the leading moment: zero at a solution [T5]."""
        known: dict = {}
        q = self.complete(x, tol, start, known)
        # without recurrence the map is zero: G is then very negative, but finite
        return np.log(np.maximum(self.moment(self.loop[0], q, tol, known=known), _TINY)) - np.log(x)


def _driven(ensemble):
    """The fields that come through a matrix."""
    return tuple(np.flatnonzero(ensemble.array("gain")).tolist())


def families(ensembles: Sequence[Ensemble]) -> list[list[int]]:
    """Places in a sequence of ensembles of those whose moments feed one another alike, and can be computed together.

    Parameters
    ----------
    ensembles : sequence of Ensemble
    """
    found: dict[tuple, list[int]] = {}
    for i, ensemble in enumerate(ensembles):
        found.setdefault((id(ensemble.cell), _driven(ensemble)), []).append(i)
    return list(found.values())


def require_bounded(cell: Cell) -> None:
    """CapabilityError unless the messages of a cell stay bounded however large its fields are: only then is there a mean field."""
    if not cell.compiled.bounded:
        raise CapabilityError(
            f"cell {cell.name!r} has messages that grow without bound with its fields (a ReLU candidate?): it has no bounded "
            "mean field. Networks, Jacobians and spectra of sampled sites work; for LiGRU the tanh form LiGRUTanh has a mean field"
        )
