"""Mean-field fixed points of random gated networks [T5]: all solutions of q = R(q), see :mod:`gating_theory.mean_field.moments`."""

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
from ..errors import ConvergenceError
from ..results.encoding import dict_of, require, result
from ..results.status import Status
from ..support.arithmetic import underflow_is_zero
from ..support.checks import boolean, instance, real
from .moments import MomentMap, families, require_bounded
from .scan import scalar_roots

__all__ = ["FixedPoint", "fixed_points", "fixed_points_of_each", "zero_state"]

#: A fixed point whose relative residual exceeds this, and ten times its error, is none.
_RESIDUAL = 1e-9
#: No double is known better.
_LEAST_ERROR = 4e-16
#: Solutions closer than this, relative, are one.
_SAME = 1e-9
_CONVERGED = Status("converged")


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
        Largest |R(q) - q| relative to q.
    error : float
        Relative error of the moments, measured: the difference of two quadratures and what is left of R(q) - q, times what it is
        amplified by close to a fold or an onset. 0 where there is nothing to integrate.
    status : Status
        Its code is "converged", "zero_state", or "inaccurate" where the estimated error exceeds the tolerance; then it is not ok.
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


@underflow_is_zero
def zero_state(ensemble: Ensemble) -> FixedPoint | None:
    """The zero state as a FixedPoint, without looking for others; None where biases or inputs do not let every message vanish [T5].

    Parameters
    ----------
    ensemble : Ensemble
    """
    require_bounded(ensemble.cell)
    moments = MomentMap(ensemble)
    return _zero(ensemble) if moments.has_zero_state else None


@underflow_is_zero
def fixed_points(ensemble: Ensemble, tol: float = 1e-10) -> list[FixedPoint]:
    """All mean-field fixed points of an ensemble [T5], ascending in the second moment of the first message.

    The moments are reduced to one unknown x; G(x) = log(R(x)/x) is scanned over thirteen decades, and every sign change
    and every near-tangency is resolved by a Chebyshev interpolant whose roots are polished. Pairs closer than about 1e-6
    relative (an ensemble within 1e-12 of a fold) are one solution, whose error says how far apart they may be. Where two or more
    moments form independent loops (none of the built-in cells) the inner ones are solved from below and from above, and both
    branches are scanned.

    Moments below 1e-280 count as zero: biases and spreads up to 1e-140 leave the zero state what it is. At an onset that larger
    ones smear, but by less than averages resolve (below about 1e-12), the moment is known to an order of magnitude or worse, and
    its error says so.

    Parameters
    ----------
    ensemble : Ensemble
    tol : float in (0, 1]
        Relative accuracy wanted of the moments. Reached for all built-in cells and gains up to 10; a status says so where
        the estimated quadrature error exceeds it.

    Returns
    -------
    list of FixedPoint, the zero state first where it exists

    Raises
    ------
    TypeError, ValueError : not an Ensemble, a tolerance out of range
    CapabilityError : the cell's messages are not bounded
    ConvergenceError : a root was bracketed but not polished
    """
    instance("ensemble", ensemble, Ensemble)
    tol = real("tol", tol, low=0.0, high=1.0, open_low=True)
    (found,) = _of_family([ensemble], tol)
    if isinstance(found, ConvergenceError):
        raise found
    return found


@underflow_is_zero
def fixed_points_of_each(ensembles: Sequence[Ensemble], tol: float = 1e-10) -> list[list[FixedPoint] | ConvergenceError]:
    """The :func:`fixed_points` of each of many ensembles, computed together: of one cell at once where the same gains are zero.

    Rounding and quadratures, within the errors that fixed points state, depend on what is computed together.

    Parameters
    ----------
    ensembles : sequence of Ensemble
    tol : float in (0, 1], as of :func:`fixed_points`

    Returns
    -------
    list, for each ensemble its fixed points, or the error of one that did not converge
    """
    out: list[list[FixedPoint] | ConvergenceError] = [[] for _ in ensembles]
    for family in families(ensembles):
        for i, found in zip(family, _of_family([ensembles[i] for i in family], tol)):
            out[i] = found
    return out


def _of_family(ensembles, tol):
    """For each ensemble of a family its fixed points or its ConvergenceError."""
    for ensemble in ensembles:
        ensemble.require("mean field", "fixed_points", "Network.find_fixed_points of sampled networks")
    require_bounded(ensembles[0].cell)
    moments = MomentMap(ensembles)
    try:
        solutions = _solutions(moments)
    except ConvergenceError as error:
        if len(ensembles) == 1:
            return [error]
        # whose it is shows when fewer are computed together
        half = len(ensembles) // 2
        return _of_family(ensembles[:half], tol) + _of_family(ensembles[half:], tol)
    return _finished(moments, solutions, tol)


def _solutions(moments):
    """Solutions q = R(q) that are not zero, for each ensemble of a family: (q, root of G or None where it was not found as one)."""
    solutions = [[] for _ in moments.ensembles]
    if not moments.loop:
        at_rest = moments.complete(np.zeros(len(solutions)), moments.fine)
        return [[(q, None)] if q.any() else [] for q in at_rest]
    for start in ("small", "large") if len(moments.loop) > 1 else ("small",):
        found = scalar_roots(moments, start)
        member = np.repeat(np.arange(len(found)), [len(roots) for roots in found])
        roots = [root for roots in found for root in roots]
        if roots:
            completed = moments.of_rows(member).complete(np.array(roots), moments.fine, start)
            for i, root, q in zip(member, roots, completed):
                if not any(np.all(np.abs(q - s) <= _SAME * np.abs(s)) for s, _ in solutions[i]):
                    solutions[i].append((q, root))
    return [sorted(some, key=lambda solution: solution[0][0]) for some in solutions]


def _zero(ensemble):
    moments = dict.fromkeys(ensemble.cell.message_names, 0.0)
    return FixedPoint(ensemble, moments, 0.0, 0.0, Status("zero_state", "zero state"))


def _finished(moments, solutions, tol):
    """For each ensemble of a family the FixedPoints of its solutions, zero first, or the ConvergenceError of one."""
    out = [[_zero(ensemble)] if zero else [] for ensemble, zero in zip(moments.ensembles, moments.zero_states)]
    member = np.repeat(np.arange(len(solutions)), [len(some) for some in solutions])
    if not member.size:
        return out
    q, roots = (list(column) for column in zip(*(solution for some in solutions for solution in some)))
    q, rows = np.array(q), moments.of_rows(member)
    fine = rows(q, moments.fine)
    errors = np.maximum(rows.error(q, fine), _LEAST_ERROR)
    residuals = np.max(np.abs(fine - q) / np.maximum(fine, 1e-300), axis=1)
    for i, *solution in zip(member, q, roots, residuals.tolist(), errors.tolist()):
        found = _finish(moments.ensembles[i], *solution, tol)
        if isinstance(found, ConvergenceError):
            out[i] = found
        elif not isinstance(out[i], ConvergenceError):
            out[i].append(found)
    return out


def _finish(ensemble, q, root, residual, error, tol):
    """The FixedPoint of a solution that is not zero, or a ConvergenceError where it is none."""
    if residual > max(_RESIDUAL, 10 * error):
        return ConvergenceError(f"a mean-field fixed point of {ensemble!r} has a residual of {residual:.3g}", estimate=q)
    # averages that are off by so much move a solution by more where R(x) is nearly parallel to x
    moved = error if root is None else max(error, root.shift(error))
    status = _CONVERGED
    if not moved <= tol:
        where = " times the sensitivity so close to a fold or an onset" if error <= tol else ""
        status = Status("inaccurate", f"quadrature error{where}, {moved:.1e}, exceeds the tolerance {tol:.1e}", ok=False)
    return FixedPoint(ensemble, dict(zip(ensemble.cell.message_names, q.tolist())), residual, moved, status)
