"""The mean-field map of moments, q = R(q), and its reduction to one equation in one unknown [T5].

At a fixed point the fields are independent Gaussians, y_k ~ N(b_k, a_k^2 q_m(k) + beta_k^2 + input), where q_m is the second
moment of the message that field k listens to. The loop closes in the moments: q = R(q), one number per distinct message.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from ..ensemble.field_law import RandomFields
from ..ensemble.quadrature import FieldLaw
from ..errors import CapabilityError, ConvergenceError

if TYPE_CHECKING:
    from ..cell.cell import Cell
    from ..ensemble.ensemble import Ensemble

__all__ = ["MomentMap", "require_bounded"]

#: Two starts of the inner iteration, for moments that form loops of their own: below and above every solution.
_SMALL, _LARGE = 1e-12, 1e3
_MOST_ITERATIONS = 2000
#: Moments and averages are kept above this where a logarithm or a ratio is taken of them.
_TINY = 1e-300


class MomentMap:
    """R(q): the second moments of the messages when the fields have the variances that the moments q give them [T5].

    Each square is averaged factor by factor over the few fields it depends on. ``scalar(x)`` reduces q = R(q) to one
    equation in one moment x by solving for the others (explicitly where the messages feed one another without a loop).

    Parameters
    ----------
    ensemble : Ensemble

    Attributes
    ----------
    ensemble, cell
    random : RandomFields, how the law of the fields follows from the moments
    n : int, number of distinct messages
    loop : list of int
        The fewest messages without whose moments no loop is left; the first of them is the leading moment x.
    felt : set of int, the fields that reach a message and come through a matrix
    fine, series_tol, scan_tol : float
        Quadrature tolerances of results, of interpolants of G, and of scans.
    blocks : int
        Number of batches into which a scan is cut: a batch shares the nodes of its widest member, which costs less than a second
        call for one field alone.
    """

    def __init__(self, ensemble: Ensemble) -> None:
        cell = ensemble.cell
        self.ensemble, self.cell = ensemble, cell
        compiled = cell.compiled
        self.random = RandomFields(ensemble)
        self.factors = compiled.moment_factors
        self.n = cell.n_messages
        dimension = max(len(f.variables) for products in self.factors for factors in products for f in factors)
        self.blocks = {1: 1, 2: 2}.get(dimension, 6)
        # averages over three and more fields at once (LSTM) are scanned coarsely first and carry a digit or two less
        self.fine, self.series_tol, self.scan_tol = (1e-13, 1e-13, 1e-9) if dimension <= 2 else (1e-11, 1e-6, 1e-4)
        if not cell.has_closed_form:  # every average is over all variables at once, and every node a root search
            self.fine, self.series_tol, self.scan_tol = 1e-11, 1e-6, 1e-3
        self.inputs, self.felt = [], set()
        for products in self.factors:
            used = {v for factors in products for factor in factors for v in factor.variables if v < cell.n_fields}
            self.felt |= {v for v in used if self.random.gain2[v] > 0}
            self.inputs.append({cell.message_of[v] for v in used if self.random.gain2[v] > 0})
        self.loop = self._loop_set()
        self.order = self._topological()

    def law(self, q: np.ndarray) -> FieldLaw:
        """The FieldLaw for a batch of moments q (B, n)."""
        return self.random.law(q)

    def moment(self, k: int, q: np.ndarray, tol: float, second: bool = False) -> np.ndarray:
        """R_k for a batch q (B, n): (B,)."""
        value, _ = replace(self.law(q), second=second).mean_of_products(self.cell, self.factors[k], tol)
        return np.broadcast_to(value, (np.atleast_2d(q).shape[0],))

    def __call__(self, q: np.ndarray, tol: float, second: bool = False) -> np.ndarray:
        """R(q) for a batch (B, n): (B, n); ``second`` by the second rules, whose errors are others (see ``gaussian_rule``)."""
        return np.stack([self.moment(k, q, tol, second) for k in range(self.n)], axis=1)

    def error(self, q: np.ndarray, values: np.ndarray) -> float:
        """Relative error of R(q) at a solution q (n,), measured, with values = R(q), summed over the messages.

        What another quadrature makes of R(q), what is left of R(q) - q, and what places of kinks that are not known better do.
        """
        wrong = np.abs(self(q[None, :], self.fine, second=True)[0] - values) + np.abs(values - q)
        return float(np.sum(wrong / np.maximum(np.abs(values), _TINY))) + self.random.misplaced(self.felt)

    @property
    def has_zero_state(self) -> bool:
        """Whether all messages vanish where no field varies but by its frozen spread; remembered, for sweeps over gains."""
        nothing = np.zeros((1, self.n))
        known = self.cell.compiled.zero_averages(self.law(nothing))
        key = "zero state"  # beside the averages, whose keys are factors
        if key not in known:
            known[key] = not np.any(self(nothing, 1e-3))
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

    def complete(self, x: np.ndarray, tol: float, start: str = "small") -> np.ndarray:
        """All moments (B, n) at given values x (B,) of the leading one; the others are solved for, from "small" or "large" ones."""
        q = np.zeros((x.size, self.n))
        if self.loop:
            q[:, self.loop[0]] = x
        rest = self.loop[1:]
        if rest:
            q[:, rest] = _SMALL if start == "small" else _LARGE
        for _ in range(_MOST_ITERATIONS if rest else 1):
            for k in self.order:
                q[:, k] = self.moment(k, q, tol)
            if not rest:
                return q
            new = np.stack([self.moment(k, q, tol) for k in rest], axis=1)
            change = np.max(np.abs(new - q[:, rest]) / np.maximum(new, _TINY))
            q[:, rest] = new
            if change < max(1e-14, 1e-2 * tol):
                return q
        raise ConvergenceError("the moments at fixed leading moment did not converge", estimate=q)

    def log_ratio(self, x: np.ndarray, tol: float, start: str = "small") -> np.ndarray:
        """G(x) = log(R(x)/x) of the leading moment: zero at a solution [T5]."""
        q = self.complete(x, tol, start)
        # without recurrence the map is zero: G is then very negative, but finite
        return np.log(np.maximum(self.moment(self.loop[0], q, tol), _TINY)) - np.log(x)


def require_bounded(cell: Cell) -> None:
    """CapabilityError unless the messages of a cell stay bounded however large its fields are: only then is there a mean field."""
    if not cell.compiled.bounded:
        raise CapabilityError(
            f"cell {cell.name!r} has messages that grow without bound with its fields (a ReLU candidate?): it has no bounded "
            "mean field. Networks, Jacobians and spectra of sampled sites work; for LiGRU the tanh form LiGRUTanh has a mean field"
        )
