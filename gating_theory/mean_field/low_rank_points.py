"""Mean-field fixed points with low-rank parts of matrices: overlaps beside moments [T11]."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..cell.cell import second_moment
from ..ensemble.ensemble import Ensemble
from ..ensemble.loaded_fields import LoadedFields
from ..ensemble.loaded_sites import LoadedSites, drawn_population, given_population
from ..ensemble.quadrature import FieldLaw
from ..ensemble.sites import Sites
from ..errors import CapabilityError
from ..results.encoding import require, result
from ..results.status import Status
from ..support.arithmetic import underflow_is_zero
from ..support.checks import boolean, integer, real, real_array, shown
from .fixed_point import FixedPoint
from .overlap_map import OverlapMap, overlap_map, rules_of_units, unit_rules
from .overlap_solutions import Solution, solutions

__all__ = ["LowRankFixedPoint", "low_rank_points"]


@result("low_rank_fixed_point")
@dataclass(frozen=True)
class LowRankFixedPoint(FixedPoint):
    """A mean-field fixed point of an ensemble with a low-rank part: moments, and overlaps with its right loadings [T11].

    Attributes
    ----------
    ensemble : Ensemble
    moments : dict
        Second moment of each distinct message, keyed by its name.
    residual : float
        Largest ``|F(kappa, q) - (kappa, q)|``, relative: of overlaps to the largest of them, in units of their possible sizes.
    error : float
        Relative error of overlaps and moments, measured: the difference of two quadratures and what is left of F(u) - u, times what
        it is amplified by.
    status : Status
        Its code is "converged", "zero_state", "continuum" where solutions go on in some direction (a ring, say), of which this one
        stands for all, or "inaccurate" where the estimated error exceeds the tolerance; then it is not ok.
    overlaps : (R,) array, kappa_r = E[B_r m] of each channel, in their order

    Examples
    --------
    >>> import gating_theory as gt
    >>> memory = gt.LowRank("h", covariance=[[1.0, 1.5], [1.5, 3.0]])
    >>> points = gt.fixed_points(gt.Ensemble(gt.Vanilla, gain=0.5, low_rank=memory))
    >>> for point in points:
    ...     print(point.overlaps.round(3), point.status.code)
    [0.] zero_state
    [0.792] converged
    [-0.792] converged
    """

    overlaps: np.ndarray = None  # type: ignore[assignment]  # always an array

    def __post_init__(self) -> None:
        object.__setattr__(self, "overlaps", real_array("overlaps", self.overlaps))

    @cached_property
    def _overlap_map(self) -> OverlapMap:
        return overlap_map(self.ensemble)

    @cached_property
    def _fields(self) -> LoadedFields:
        return LoadedFields(self.ensemble)

    @property
    def is_zero(self) -> bool:
        """Whether this is the zero state: every message vanishes."""
        return not any(self.moments.values())

    @property
    def law(self) -> FieldLaw:
        """CapabilityError: with low-rank parts fields are correlated, or mixtures; ``sites`` and ``loaded_sites`` know them."""
        raise CapabilityError(
            "fields of low-rank ensembles are correlated over sites, or a mixture: they have no law of independent Gaussians; "
            "use point.sites, point.field_mean and point.field_std"
        )

    @property
    def field_mean(self) -> dict[str, float]:
        """{field: mean over sites}."""
        return dict(zip(self.ensemble.cell.field_names, self._field_moments[0].tolist()))

    @property
    def field_std(self) -> dict[str, float]:
        """{field: standard deviation over sites}."""
        return dict(zip(self.ensemble.cell.field_names, self._field_moments[1].tolist()))

    @cached_property
    def _field_moments(self):
        low, fields, K = self._fields.low_rank, self._fields, self._fields.n_fields
        if low.vectors is None:
            laws = fields.at(self.overlaps[None, :], self.q[None, :])
            means, variances = laws.means[0, :, :K], np.diagonal(laws.covariance[0], axis1=1, axis2=2)
            mean = fields.weights @ means
            return mean, np.sqrt(fields.weights @ (variances + (means - mean) ** 2))
        units = fields.random.means[:K, None] + fields.driven(self.overlaps[None, :])[0] @ low.vectors[0]
        return units.mean(axis=1), np.sqrt(units.var(axis=1) + fields.random.variance(self.q))

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

        Of given loadings every unit is there, at Gauss-Hermite nodes of what comes through the random matrices; ``leak_nodes``,
        ``leaks`` and ``fold`` change nothing then.

        Parameters
        ----------
        tol : float in [1e-15, 0.1]
        max_nodes : int >= 1
            The population is kept to about this size; ``sites.tol`` is the tolerance reached.
        fold : bool
            Keep one sign only, with doubled weight, of fields that enter spectra by their square alone and are symmetric about 0.
        leak_nodes : int >= 1
            Multiplies the nodes of the fields that set the leak (less where ``max_nodes`` would be exceeded).
        leaks : sequence of real numbers
            Nodes cluster where a site's own leak is one of these, along fields that are not correlated with others.
        refine : sequence of numbers >= 1, one for each field and then each site parameter, optional
            Multiply the nodes along each.

        Returns
        -------
        Sites, ``source`` "mean field"
        """
        even = self.ensemble.cell.compiled.even_variables if boolean("fold", fold) else frozenset()
        how = {"even": even, "leak_nodes": leak_nodes, "leaks": leaks, "refine": refine}
        return self._population(tol, max_nodes, **how).sites

    def loaded_sites(self, tol: float, max_nodes: int = 400_000) -> LoadedSites:
        """Sites as of :meth:`sites_at`, and what loadings and the random part of the fields are, given each site [T11].

        Parameters
        ----------
        tol : float in [1e-15, 0.1]
        max_nodes : int >= 1

        Returns
        -------
        LoadedSites: ``sites``; ``mean`` (2R + K, M), E[(A, B, x) | y]; ``component`` (M,); ``covariance`` (C, 2R + K, 2R + K)
        """
        return self._population(tol, max_nodes)

    @underflow_is_zero
    def _population(self, tol, max_nodes, **how):
        tol, max_nodes = real("tol", tol, low=1e-15, high=0.1), integer("max_nodes", max_nodes, low=1)
        fields, (overlaps, q) = self._fields, (self.overlaps, self.q)
        if fields.low_rank.vectors is None:
            laws = fields.at(overlaps[None, :], q[None, :])
            return drawn_population(self.ensemble, laws, fields.weights, tol, max_nodes, **how)
        every = list(range(len(fields.random.means)))
        if real_array("refine", how.get("refine", ())).size:
            raise CapabilityError("sites_at: refine is not known where loadings are given: ask for a smaller tol and more nodes")
        chosen = unit_rules(fields, q[None, :], tol, max_nodes / fields.low_rank.vectors.shape[2], every)
        rules = rules_of_units(fields, overlaps, q, chosen, every)
        made = given_population(self.ensemble, fields, overlaps, q, rules, tol)
        found = np.array(list(made.sites.moments().values()))
        # what is reached shows in the moments, which are known better
        reached = float(np.max(np.abs(found - q) / np.where(q > 0.0, q, 1.0)))
        object.__setattr__(made.sites, "tol", max(tol, reached))
        return made

    def check(self) -> None:
        """ValueError where overlaps and moments do not satisfy the mean-field map."""
        names, low = self.ensemble.cell.message_names, self.ensemble.low_rank
        require(low is not None, "the ensemble has no low-rank part")
        assert low is not None
        require(tuple(self.moments) == names, f"moments must be those of {list(names)}, got {list(self.moments)}")
        good = np.isfinite(self.q).all() and (self.q >= 0).all()
        require(good, f"moments must be finite and non-negative, got {self.moments}")
        require(self.overlaps.shape == (low.rank,), f"overlaps must be {low.rank} numbers, got {shown(self.overlaps)}")
        u = np.concatenate([self.overlaps, self.q])
        overlap = self._overlap_map
        away = np.abs(overlap(u[None, :], overlap.fine)[0] - u) / overlap.scale
        allowed = max(1e-8, 10.0 * self.residual, 10.0 * self.error) * max(float(np.abs(u / overlap.scale).max()), 1e-12)
        require(
            float(away.max()) <= allowed,
            f"overlaps {self.overlaps.tolist()} and moments {self.moments} are no fixed point of {self.ensemble!r}",
        )

    def __str__(self) -> str:
        moments = ", ".join(f"{second_moment(n)} = {v:.6g}" for n, v in self.moments.items())
        overlaps = ", ".join(f"{value:.6g}" for value in self.overlaps)
        return f"{self.ensemble.cell.name} fixed point: overlaps {overlaps}; {moments} ({self.status})"


@underflow_is_zero
def low_rank_points(ensemble: Ensemble, tol: float, at_zero: Sequence[FixedPoint]) -> list[LowRankFixedPoint]:
    """All mean-field fixed points of an ensemble with a low-rank part that a search finds, the zero state first: see fixed_points.

    Parameters
    ----------
    ensemble : Ensemble
    tol : float
    at_zero : fixed points of the random part alone
    """
    overlap = overlap_map(ensemble, tol)
    found = solutions(overlap, [point.q for point in at_zero if not point.is_zero])
    zero = [_zero(ensemble, overlap)] if any(point.is_zero for point in at_zero) else []
    return zero + [_point(ensemble, overlap, solution, tol) for solution in found]


def _zero(ensemble, overlap):
    moments = dict.fromkeys(ensemble.cell.message_names, 0.0)
    status = Status("zero_state", "zero state")
    return LowRankFixedPoint(ensemble, moments, 0.0, 0.0, status, np.zeros(overlap.n_overlaps))


def _point(ensemble, overlap: OverlapMap, solution: Solution, tol: float):
    R = overlap.n_overlaps
    status = Status("converged")
    if solution.continuum:
        status = Status("continuum", "converged; one of a continuum of fixed points with other overlaps")
    if not solution.error <= tol:
        status = Status("inaccurate", f"the estimated error, {solution.error:.1e}, exceeds the tolerance {tol:.1e}", ok=False)
    moments = dict(zip(ensemble.cell.message_names, solution.u[R:].tolist()))
    return LowRankFixedPoint(ensemble, moments, solution.residual, solution.error, status, solution.u[:R].copy())
