"""A mean-field fixed point: moments, how well they are known, and the sites that have them [T5]."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..cell.cell import second_moment
from ..ensemble.ensemble import Ensemble
from ..ensemble.field_law import field_law
from ..ensemble.populations import population
from ..ensemble.quadrature import FieldLaw
from ..ensemble.sites import Sites
from ..results.encoding import dict_of, require, result
from ..results.status import Status
from ..support.arithmetic import underflow_is_zero
from ..support.checks import boolean, real
from .moments import MomentMap

__all__ = ["FixedPoint"]


@result("fixed_point")
@dataclass(frozen=True)
class FixedPoint:
    """A mean-field fixed point of an ensemble [T5].

    Attributes
    ----------
    ensemble : Ensemble
    moments : dict
        Second moment of each distinct message, keyed by its name ("h", "r*h", ...).
    residual : float
        Largest ``|R(q) - q|`` relative to q.
    error : float
        Relative error of the moments, measured: the difference of two quadratures and what is left of R(q) - q, times what it is
        amplified by close to a fold or an onset. 0 where there is nothing to integrate.
    status : Status
        Its code is "converged", "zero_state", or "inaccurate" where the estimated error exceeds the tolerance; then it is not ok.

    Examples
    --------
    Beyond its onset a vanilla network has one state beside zero:

    >>> import gating_theory as gt
    >>> zero, active = gt.fixed_points(gt.Ensemble(gt.Vanilla, gain=2))
    >>> zero.is_zero, round(active.moments["h"], 4), active.ok
    (True, 0.5304, True)
    """

    ensemble: Ensemble
    moments: dict[str, float]
    residual: float
    error: float
    status: Status

    as_dict = dict_of

    @cached_property
    def _map(self) -> MomentMap:
        return MomentMap(self.ensemble)

    @property
    def ok(self) -> bool:
        """Whether the moments are as accurate as was asked for."""
        return self.status.ok

    @property
    def overlaps(self) -> np.ndarray:
        """(R,) overlaps of the messages with the right loadings of low-rank parts [T11]; none here."""
        return np.zeros(0)

    @property
    def q(self) -> np.ndarray:
        """(n,) moments in the order of ``cell.message_names``."""
        return np.array(list(self.moments.values()))

    @property
    def is_zero(self) -> bool:
        """Whether this is the zero state: every message vanishes."""
        return not any(self.moments.values())

    @cached_property
    def law(self) -> FieldLaw:
        """The Gaussian law of fields and site parameters (batch of one)."""
        return field_law(self.ensemble, self.q)

    @property
    def field_mean(self) -> dict[str, float]:
        """{field: mean}."""
        return self.ensemble.bias

    @property
    def field_std(self) -> dict[str, float]:
        """{field: standard deviation over sites}."""
        return dict(zip(self.ensemble.cell.field_names, self.law.stds[0].tolist()))

    @cached_property
    def sites(self) -> Sites:
        """The population of sites by tensor quadrature, made for a tolerance of 1e-6 (see :meth:`sites_at`)."""
        return self.sites_at(1e-6)

    @underflow_is_zero
    def sites_at(
        self,
        tol: float,
        max_nodes: int = 400_000,
        fold: bool = False,
        leak_nodes: int = 1,
        leaks: Sequence[float] = (),
        refine: Sequence[float] = (),
    ) -> Sites:
        """Sites (weights, state, fields) whose averages are accurate to about ``tol`` for smooth functions.

        Nodes that together weigh less than ``tol / 10`` are dropped.

        Parameters
        ----------
        tol : float in [1e-15, 0.1]
        max_nodes : int >= 1
            The population is kept to about this size by raising the tolerance; ``sites.tol`` is the one reached.
        fold : bool
            Keep one sign only, with doubled weight, of fields that enter spectra by their square alone.
        leak_nodes : int >= 1
            Multiplies the nodes of the fields that set the leak (less where ``max_nodes`` would be exceeded).
        leaks : sequence of real numbers
            Nodes cluster where a site's own leak is one of these, for spectra at lambdas next to them; where the leak depends on
            one field only.
        refine : sequence of numbers >= 1, one for each field and then each site parameter, optional
            Multiply the nodes of each: of functions that change faster along it than the cell's own.

        Returns
        -------
        Sites, ``source`` "mean field"
        """
        tol = real("tol", tol, low=1e-15, high=0.1)
        even = self.ensemble.cell.compiled.even_variables if boolean("fold", fold) else frozenset()
        return population(
            self.ensemble, self.law, tol, max_nodes, "mean field", even=even, leak_nodes=leak_nodes, leaks=leaks, refine=refine
        )

    def check(self) -> None:
        """ValueError where the moments do not satisfy the mean-field map."""
        names = self.ensemble.cell.message_names
        require(tuple(self.moments) == names, f"moments must be those of {list(names)}, got {list(self.moments)}")
        good = np.isfinite(self.q).all() and (self.q >= 0).all()
        require(good, f"moments must be finite and non-negative, got {self.moments}")
        again = self._map(self.q[None, :], self._map.fine)[0]
        some = self.q.any() or again.any()
        residual = float(np.max(np.abs(again - self.q) / np.maximum(again, 1e-300))) if some else 0.0
        # the map is evaluated as when it was saved: more than its rounding means that the numbers are not its solution
        good = residual <= max(1e-9, 10.0 * self.residual)
        require(good, f"moments {self.moments} are no fixed point of {self.ensemble!r}: relative residual {residual:.3g}")

    def __str__(self) -> str:
        shown = ", ".join(f"{second_moment(n)} = {v:.6g}" for n, v in self.moments.items())
        return f"{self.ensemble.cell.name} fixed point: {shown} ({self.status})"
