"""How many fixed points a random network has: the exponential growth rate of their number, from its saddle [T7].

Annealed: Sigma = lim (1/N) log E(number of fixed points), the largest saddle with the right signs of the functional in
``functional.py``. ``ridge.py`` scans the amplitude of a fixed point, ``saddles.py`` finds the stationary points on the way, and
here is the verdict on what they say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from ..cell.cell import second_moment
from ..ensemble.ensemble import Ensemble
from ..ensemble.sites import Sites
from ..errors import ConvergenceError
from ..results.encoding import dict_of, require, result
from ..results.status import Status
from ..support.arithmetic import underflow_is_zero
from ..support.checks import choice, instance, real, real_array
from .codes import CODES
from .functional import ComplexityFunctional, Point
from .newton import Newton, Settled
from .ridge import Ridge
from .saddles import LEAST_RATE, Saddle, find_saddles, mean_field_saddles

__all__ = ["Complexity", "complexity"]

_METHODS = ("annealed", "mean_field")
#: Default tolerances of a rate: where the site integral runs over up to two variables, and over more.
_TOL, _LOOSE_TOL = 1e-10, 1e-7
#: A second moment that is as good as none, over the largest one; a loop's strength that is 1 to rounding.
_NO_AMPLITUDE, _MARGINAL = 1e-30, 1e-12
#: The population of ``Complexity.sites``: its tolerance, and sites at most.
_SITES_TOL, _SITES = 1e-4, 40_000


@result("complexity")
@dataclass(frozen=True)
class Complexity:
    """How many fixed points the networks of an ensemble have: the growth rate of their number with the size [T7].

    Attributes
    ----------
    ensemble : Ensemble
    method : "annealed" or "mean_field"
    value : float
        lim log(number)/N, natural logarithm; zero where no rate is positive (``status`` says why), nan for unbounded cells. In
        ensembles without a zero state (biases) the one fixed point that mean-field theory knows has rate zero.
    status : Status
        Its text has the numbers; its ``code`` is one of

        - "converged"
        - "not_positive": the largest rate is negative, or zero exactly
        - "no_saddle": there is no saddle, or no message feeds back
        - "inaccurate": the quadrature error exceeds the tolerance; value and error are the best reached
        - "incomplete": the solver failed at some amplitude, or the mean-field rate is larger: a larger rate may be hidden
        - "undecided": the rate is zero within its error (``value`` is its positive part), or positive and too small to be resolved
        - "unbounded": the cell's fixed points are

        ``status.ok``, and ``ok`` of the result, is True for the first three: the value can be relied on.
    rate : float
        The rate at the largest saddle, also where it is negative; nan without a saddle.
    moments : dict
        Second moment of each distinct message at a typical fixed point, keyed by its name.
    multipliers : dict
        mu_k of the messages that feed back (zero for the mean field).
    determinant : dict
        {"x": {message: p_k q_k}, "tau": (...)}, the coordinates of the determinant [T4]; of orthogonal matrices x is the sum of the
        shares s of the message's fields [T10].
    residual : float, largest relative residual of the saddle's equations
    error : float
        Estimated error of ``rate``: of the quadrature, of rounding, and of the moments where method is "mean_field". Where
        there is no saddle because the rate is too small to be resolved, the largest that it may be.
    saddles : tuple of Saddle
        Those found, the ones with the right signs first, largest rate first: see :func:`complexity` for what may be missing.

    Examples
    --------
    >>> import gating_theory as gt
    >>> found = gt.complexity(gt.Ensemble(gt.Vanilla, gain=2))
    >>> round(found.value, 5), found.status.code
    (0.02483, 'converged')
    >>> found.sites.source, round(found.moments["h"], 3)  # what a typical fixed point looks like
    ('typical fixed point', 0.385)
    """

    ensemble: Ensemble
    method: str
    value: float
    status: Status
    rate: float
    moments: dict[str, float]
    multipliers: dict[str, float]
    determinant: dict
    residual: float
    error: float
    saddles: tuple[Saddle, ...] = field(default=(), compare=False)
    _functional: ComplexityFunctional | None = field(default=None, repr=False, compare=False)

    as_dict = dict_of

    @property
    def ok(self) -> bool:
        """Whether the value can be relied on."""
        return self.status.ok

    @property
    def q(self) -> np.ndarray:
        """(n,) moments in the order of ``cell.message_names``; empty without a saddle."""
        return np.array(list(self.moments.values()))

    @cached_property
    def sites(self) -> Sites:
        """The tilted site law of a typical fixed point as Sites, for ``Spectrum``; made for a tolerance of 1e-4."""
        return self.sites_at(_SITES_TOL, _SITES)

    @underflow_is_zero
    def sites_at(
        self,
        tol: float,
        max_nodes: int = 400_000,
        leak_nodes: int = 1,
        leaks: Sequence[float] = (),
        refine: Sequence[float] = (),
    ) -> Sites:
        """Sites of a typical fixed point whose averages are accurate to about ``tol`` for smooth functions.

        Parameters
        ----------
        tol : float in [1e-14, 0.1]
        max_nodes : int >= 1
            The population is kept to about this size by raising the tolerance; ``sites.tol`` is the one reached.
        leak_nodes, leaks, refine : as for :meth:`FixedPoint.sites_at`

        Returns
        -------
        Sites, ``source`` "typical fixed point" (or "mean field"); ``recurrent`` is set, so that Spectrum finds outliers

        Raises
        ------
        ValueError
            there is no saddle, so no typical fixed point
        """
        tol = real("tol", tol, low=1e-14, high=0.1)
        functional, point = self._typical()
        source = "mean field" if self.method == "mean_field" else "typical fixed point"
        return functional.sites(point, tol, max_nodes, source, leak_nodes, leaks, refine)

    @underflow_is_zero
    def favour(self, fields: npt.ArrayLike, parameters: npt.ArrayLike) -> np.ndarray:
        """How much more frequent sites are at a typical fixed point than by the Gaussian law of its moments, up to a factor [T7].

        Parameters
        ----------
        fields : (K, M) array
        parameters : (P, M) array

        Returns
        -------
        (M,) array, exp(mu . m^2) sqrt(D); of orthogonal matrices also what multipliers of lengths change of the Gaussian [T10]

        Raises
        ------
        ValueError
            there is no saddle, so no typical fixed point; other shapes
        """
        functional, point = self._typical()
        cell, y, p = self.ensemble.cell, real_array("fields", fields), real_array("parameters", parameters)
        if y.ndim != 2 or y.shape[0] != cell.n_fields or p.shape != (cell.n_parameters, y.shape[1]):
            raise ValueError(
                f"fields and parameters must have shapes {(cell.n_fields, 'M')} and {(cell.n_parameters, 'M')}, "
                f"got {y.shape} and {p.shape}"
            )
        values = np.concatenate([y, p])
        return np.broadcast_to(functional.favour([values[v] for v in functional.variables], point), y.shape[1:])

    def _typical(self):
        """The functional, and the Point whose tilted law typical sites have."""
        if not self.saddles:
            raise ValueError(f"there is no typical fixed point to take sites of: {self.status}")
        functional = ComplexityFunctional(self.ensemble) if self._functional is None else self._functional
        return functional, _law_point(self.method, self.saddles[0].point)

    def check(self) -> None:
        """ValueError where the largest saddle is none of the ensemble's."""
        choice("method", self.method, _METHODS)
        if self.saddles:
            _require_saddle(self.ensemble, self.method, self.saddles[0].point)

    def __str__(self) -> str:
        shown = ", ".join(f"{second_moment(n)} = {v:.6g}" for n, v in self.moments.items())
        head = f"{self.ensemble.cell.name} complexity ({self.method}) {self.value:.10g}"
        return f"{head}: {shown or 'no fixed point'} ({self.status})"


@underflow_is_zero
def complexity(ensemble: Ensemble, method: Literal["annealed", "mean_field"] = "annealed", tol: float | None = None) -> Complexity:
    """The exponential growth rate of the number of fixed points of random networks with their size N [T7].

    "annealed": lim (1/N) log E(number), exact. It is a saddle over the moments, their multipliers and the determinant's
    self-consistent unknowns; every change of sign of the slope along the ridge (``ridge.py``) is a saddle, the largest maximum
    is taken. The tilted law of sites at that saddle is the law of a *typical* fixed point: ``.sites``, and ``Spectrum(result)`` is
    the spectrum there. The ridge is sought from the mean-field fixed points and eleven amplitudes and followed in steps of 0.4 or
    less in log E m^2: two saddles closer than that to one another, or a ridge of its own far from any mean-field loop, can be
    missed. A result below the mean-field rate is none: it is sought again with a finer quadrature, else "incomplete".

    "mean_field": lim ``(1/N) log|det(1 - W U)|`` at the mean-field fixed points of [T5], the largest of them: a lower bound,
    not the growth rate. Fixed points exist well below the fold of mean-field theory, which does not see them.

    Matrices have iid entries or are independent orthogonal ones (``matrices="orthogonal"``), with which networks of the same gains
    have more fixed points [T10]: beyond the onset of a vanilla network the rates are (16/81) eps^3 and eps^2 / 6. Both were held
    against exact counts at finite N. Where one orthogonal matrix is split over all gates ("stack") the rate is derived, but not
    checked, and refused.

    Any cell with a site fixed point; biases, their spreads and frozen inputs are averaged over. Where a site has several fixed
    points (cells without a closed form) only the one reached from s = 0 is counted.

    Parameters
    ----------
    ensemble : Ensemble
    method : "annealed" or "mean_field"
    tol : float in [1e-13, 0.1], optional
        Accuracy wanted of the rate, absolute: ``status`` says so where the estimated quadrature error exceeds it. Default 1e-10;
        1e-7 where the site integral runs over three and more fields (LSTM, whose rates are good to about 1e-8).

    Returns
    -------
    Complexity
        Its ``value`` is zero where the number does not grow exponentially: ``status`` then says whether the largest saddle is
        negative, zero within its error, or there is none. The zero state itself is never counted.

    Raises
    ------
    TypeError, ValueError
        not an Ensemble, an unknown method, a tolerance out of range
    CapabilityError
        matrices of a law whose rate is not known
    ConvergenceError
        no saddle was found and the solver failed somewhere, a saddle's equations keep a residual, or sites have no fixed point

    See Also
    --------
    complexity_onset : where the rate becomes positive
    kac_rice : the mean number at finite N
    count_fixed_points : numbers of sampled networks

    Examples
    --------
    Networks of N units have about exp(value N) fixed points; below the onset the zero state is the only one:

    >>> import gating_theory as gt
    >>> gt.complexity(gt.Ensemble(gt.Vanilla, gain=0.9)).value
    0.0
    >>> round(gt.complexity(gt.Ensemble(gt.Vanilla, gain=3)).value, 4)
    0.0614
    """
    instance("ensemble", ensemble, Ensemble)
    ensemble.require("complexity", "complexity", "count_fixed_points of sampled networks")
    choice("method", method, _METHODS)
    tol = None if tol is None else real("tol", tol, low=1e-13, high=0.1)
    if not ensemble.cell.compiled.bounded:
        status = _status(
            "unbounded", f"unbounded: the messages of cell {ensemble.cell.name!r} grow without bound, and so may its fixed points"
        )
        return Complexity(ensemble, method, float("nan"), status, float("nan"), {}, {}, {}, 0.0, 0.0)
    functional = ComplexityFunctional(ensemble)
    if not functional.looping:
        return _nothing(
            ensemble,
            method,
            _status("no_saddle", "no saddle: no message feeds back, so that the fixed point is unique"),
            functional,
        )
    if tol is None:
        tol = _TOL if functional.dimension <= 2 else _LOOSE_TOL
    if method == "mean_field":
        return _result(functional, method, mean_field_saddles(functional), None, tol)
    return _result(functional, method, *find_saddles(functional), tol)


def _require_saddle(ensemble: Ensemble, method: str, point: Point) -> None:
    """ValueError unless the equations of a saddle hold at this point."""
    functional = ComplexityFunctional(ensemble)
    gaussian = method == "mean_field"
    newton = Newton(functional, 1e-8 if functional.dimension <= 2 else 1e-4, 300_000)
    _, residual, _ = newton.gaussian_system(point) if gaussian else newton.system(point)
    solved = np.setdiff1d(newton.determinant if gaussian else newton.everything, newton.held(point, residual))
    left = float(np.abs(residual[solved]).max(initial=0.0))
    require(left < 1e-3, f"the saved saddle is none of {ensemble!r}: relative residual {left:.3g}")


def _law_point(method, point: Point) -> Point:
    """The Point whose tilted law the sites have: at a mean-field fixed point the determinant tilts nothing."""
    return replace(point, x=np.zeros_like(point.x)) if method == "mean_field" else point


def _nothing(ensemble, method, status, functional, error=0.0):
    return Complexity(ensemble, method, 0.0, status, float("nan"), {}, {}, {}, 0.0, error, (), functional)


def _status(code, text):
    return Status(code, text, CODES[code])


def _result(functional: ComplexityFunctional, method, saddles, found: Ridge | None, tol):
    """The Complexity that saddles, and the ridge on which they were found, amount to; ConvergenceError where there is none."""
    ensemble, cell = functional.ensemble, functional.cell
    counted = tuple(sorted((s for s in saddles if s.maximum), key=lambda s: -s.value))
    others = tuple(s for s in saddles if not s.maximum)
    best = counted[0] if counted else None
    doubts = found.doubts(best and best.value) if found else ()
    where = ", ".join(f"{np.exp(end.t):.3g}" for end in doubts)
    if best is None and doubts:
        raise ConvergenceError(
            f"complexity of {ensemble!r}: no saddle found, but the solver failed at E m^2 = {where}", estimate=found
        )
    if best is None:
        status = _why_nothing(functional, method)
        return _nothing(ensemble, method, status, functional, 0.0 if status.ok or found is None else _hidden(found.points))
    names = cell.message_names
    return Complexity(
        ensemble,
        method,
        value=float(max(best.value, 0.0)),
        status=_verdict(best, where, functional.has_zero_state, tol),
        rate=best.value,
        moments=dict(zip(names, functional.all_moments(_law_point(method, best.point)).tolist())),
        multipliers={names[k]: float(m) for k, m in zip(functional.fed, best.point.mu)},
        determinant={
            "x": {names[k]: v for k, v in functional.totals(best.point).items()},
            "tau": [float(t) for t in best.point.tau],
        },
        residual=best.residual,
        error=best.error,
        saddles=counted + others,
        _functional=functional,
    )


def _verdict(best: Saddle, lost, has_zero_state, tol) -> Status:
    """What the largest saddle says of the rate; ``lost``: amplitudes at which the solver failed, where a larger one may be."""
    accuracy = best.error
    shown = f"{best.value:.6g} +- {accuracy:.1e}"
    if lost:
        text = f"incomplete: the solver failed at E m^2 = {lost}, where there may be a larger rate than {best.value:.6g}"
        return _status("incomplete", text)
    if not best.point.x.any() and best.error == 0.0:
        text = "not positive: the mean-field fixed point attracts (1 is outside its spectrum), its rate is exactly zero"
        return _status("not_positive", text)
    if best.value < -accuracy:
        text = f"not positive: the largest rate is {shown}, the number of fixed points does not grow exponentially"
        if not has_zero_state:
            text += "; that of the mean-field fixed point, which is unique, is zero"
        return _status("not_positive", text)
    if best.value <= accuracy:
        return _status("undecided", f"undecided: the largest rate is {shown}, zero within its error")
    if best.error > tol:
        return _status("inaccurate", f"inaccurate: the quadrature error {best.error:.1e} exceeds the tolerance {tol:.1e}")
    return _status("converged", "converged")


def _hidden(points: Sequence[Settled]) -> float:
    """How large a rate may be that was not resolved: mean-field rates would give a larger one away, or the ridge shows it."""
    # between two points of the ridge, a step apart, it may rise to some more than they have
    return max([LEAST_RATE] + [2.0 * p.value for p in points])


def _why_nothing(functional: ComplexityFunctional, method) -> Status:
    """The status where there is no saddle with the right signs, and nothing says that one was missed."""
    if method == "mean_field":
        return _status("no_saddle", "no saddle: there is no mean-field fixed point but the zero state")
    strengths = [functional.loop_strength(functional.plain(q)) for q in functional.mean_field]
    if functional.has_zero_state:
        q, _ = functional.completed(functional.top * _NO_AMPLITUDE)
        strengths.append(functional.loop_strength(functional.plain(q)))
    if max(strengths, default=0.0) > 1.0 + _MARGINAL:
        text = "undecided: a mean-field fixed point is unstable, so that the rate is positive, but too small to be resolved"
        return _status("undecided", text)
    if functional.has_zero_state:
        text = "no saddle: no amplitude has a positive rate, the zero state is the only fixed point of most large networks"
    else:
        text = "no saddle: no amplitude has a rate above zero, that of the mean-field fixed point, the only one of most networks"
    return _status("no_saddle", text)
