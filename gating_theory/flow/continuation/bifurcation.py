"""Bifurcations: what they are, the test functions of those of fixed points, and their types [JSP]."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ...results.encoding import dict_of, result
from ...support.checks import instance
from ..flow import require_fixed
from ..line import Path
from ..program.taylor import parameter_slope
from .extended import turning_eigenvalue
from .normal_forms import normal_form

if TYPE_CHECKING:
    from ..flow import Flow
    from ..orbits.collocation import Orbit
    from .extended import Critical

__all__ = ["COUNTS", "Bifurcation", "classified", "fixed_point_tests"]

#: What is counted along a curve beside its test functions, and the kinds of points at which several may change at once.
COUNTS = {"unstable": ("branch", "hopf"), "map_unstable": ("branch", "flip", "neimark_sacker")}

#: A scaled second derivative along the critical direction below this is 0: a pitchfork, not transcritical.
_STRAIGHT = 1e-6

#: An error that is printed beside a value.
_WORTH_SAYING = 1e-10

#: Parameters and states of one and the same bifurcation, found twice.
_SAME_VALUE, _SAME_STATE = 1e-9, 1e-7


@result("flow.Bifurcation")
@dataclass(frozen=True)
class Bifurcation:
    """A bifurcation of a fixed point or of a cycle.

    Attributes
    ----------
    kind : str
        "fold", "pitchfork", "transcritical", "multiple" (flow and map alike); "hopf" (flow); "neimark_sacker", "flip" (Euler map);
        "cycle_fold", "cycle_crossing" (another branch), "period_doubling", "torus" (cycles). "multiple": several eigenvalues
        vanish at once, as symmetries enforce, and several branches cross.
    path : str or Line
        The parameter.
    value : float
        Its value at the bifurcation.
    state : (dim,) array
        The fixed point, or a state on the cycle.
    flow : Flow at that value
    coefficient : float
        Normal-form coefficient of the fixed point's bifurcation: first Lyapunov coefficient (hopf, with ``|q| = 1``,
        ``<p, q> = 1``), real part of the cubic coefficient turned back by the multiplier (neimark_sacker), cubic coefficient (flip,
        pitchfork),
        quadratic coefficient (fold, transcritical). nan for cycles, and where there is none: several eigenvalues critical at once,
        a double zero, a strong resonance of a map.
    frequency : float
        hopf: imaginary part of the eigenvalue; neimark_sacker, torus: angle of the multiplier, so that 2 pi/frequency is steps a
        turn; else nan.
    supercritical : bool or None
        Whether what is born is stable in the directions that bifurcate (hopf, neimark_sacker, flip, pitchfork).
    period : float, of the cycle; 2 pi/frequency for hopf; else nan
    orbit : Orbit, of the cycle, or None
    error : float
        Estimated error of ``value``: rounding errors through the equations of the point; of cycles the change on a finer
        mesh. nan where none was estimated.

    See Also
    --------
    gating_theory.flow.continue_fixed_point : Finds those of fixed points.
    gating_theory.flow.continue_cycle : Finds those of cycles.

    Examples
    --------
    >>> import gating_theory as gt
    >>> flow = gt.GRUFlow(U_h=[[1, -1], [1, 1]])
    >>> branch = gt.flow.continue_fixed_point(flow, "gain.h", (0.5, 3), [0, 0])
    >>> hopf = branch.bifurcations[-1]
    >>> (
    ...     hopf.kind,
    ...     round(hopf.value, 6),
    ...     round(hopf.frequency, 6),
    ...     hopf.supercritical,
    ... )
    ('hopf', 2.0, 0.5, True)
    """

    kind: str
    path: Path
    value: float
    state: np.ndarray
    flow: Flow = field(repr=False)
    coefficient: float = np.nan
    frequency: float = np.nan
    supercritical: bool | None = None
    period: float = np.nan
    orbit: Orbit | None = field(default=None, repr=False)
    error: float = np.nan

    as_dict = dict_of

    def check(self) -> None:
        """ValueError where the state of a fixed point's bifurcation is no fixed point of the flow."""
        if self.orbit is None:
            require_fixed(self.flow, self.state)

    def same_as(self, other: Bifurcation) -> bool:
        """Whether both are one bifurcation of a fixed point, found from two sides.

        Parameters
        ----------
        other : Bifurcation

        Returns
        -------
        bool
        """
        instance("other", other, Bifurcation)
        near = abs(self.value - other.value) < _SAME_VALUE and np.abs(self.state - other.state).max() < _SAME_STATE
        return self.kind == other.kind and bool(near)

    def __str__(self) -> str:
        text = f"{self.kind} at {self.path} = {self.value:.12g}, state ({', '.join(f'{x:.6g}' for x in self.state)})"
        if self.error > _WORTH_SAYING:
            text += f", value good to {self.error:.1g}"
        if np.isfinite(self.frequency):
            text += f", frequency {self.frequency:.6g}"
        if np.isfinite(self.period):
            text += f", period {self.period:.6g}"
        if self.supercritical is not None:
            text += f", {'super' if self.supercritical else 'sub'}critical (coefficient {self.coefficient:.4g})"
        return text


def fixed_point_tests(
    flow: Flow, state: np.ndarray, tangent: np.ndarray, path: Path, step: float, size: np.ndarray | None = None
) -> tuple[dict[str, float], np.ndarray]:
    """Test functions on a curve of fixed points: where one of them changes sign there is a bifurcation.

    Parameters
    ----------
    flow : Flow at this point of the curve
    state : (dim,) array
    tangent : (dim + 1,) array, of the curve
    path : str or Line
    step : float, of the Euler map
    size : (dim,) array, optional
        What the equations are divided by: shut gates make some of them tiny without any bifurcation. Default: the norms of their
        slopes, which are themselves small at some bifurcations.

    Returns
    -------
    tests : dict
        "fold", "branch", "flip", and from two dimensions on "hopf", "neimark_sacker": a sign change of "branch" is a pitchfork or a
        transcritical point. "unstable", "map_unstable": numbers of unstable directions of the flow and of its map.
    values : (dim,) array, eigenvalues of the flow's Jacobian
    """
    J, slope = flow.jacobian(state), parameter_slope(flow, state, path)
    values = np.linalg.eigvals(J)
    whole = np.column_stack([J, slope])
    if size is None:
        size = np.maximum(np.linalg.norm(whole, axis=1), 1e-300)
    multipliers = 1.0 + step * values
    tests = {
        "fold": float(tangent[-1]),
        "branch": float(np.linalg.det(np.vstack([whole / size[:, None], tangent]))),
        "flip": float(np.prod((1.0 + multipliers) / (1.0 + np.abs(multipliers))).real),
        "unstable": int((values.real > 0).sum()),
        "map_unstable": int((np.abs(multipliers) > 1).sum()),
    }
    if len(values) > 1:
        # each factor at its own size: products of many of slow gates would underflow
        a, b = (values[k] for k in np.triu_indices(len(values), 1))
        tests["hopf"] = float(np.prod((a + b) / np.maximum(np.abs(a) + np.abs(b), 1e-300)).real)
        # (mu_a mu_b - 1)/step of the multipliers
        both = a + b + step * a * b
        tests["neimark_sacker"] = float(np.prod(both / np.maximum(np.abs(a) + np.abs(b), 1e-300)).real)
    return tests, values


def classified(critical: Critical, step: float) -> Bifurcation:
    """The Bifurcation at a critical point.

    Parameters
    ----------
    critical : Critical
    step : float, of the Euler map
    """
    here, point, kind = critical.at, critical.point, critical.kind
    own: dict[str, Any] = {
        "path": here.path,
        "value": float(point[-1]),
        "state": point[:-1],
        "flow": here.flow,
        "error": critical.error,
    }
    if kind == "branch":
        kind = _crossing(critical)
        if kind == "multiple":
            return Bifurcation(kind, **own)
    coefficient = _coefficient(here.flow, point[:-1], kind, step) if critical.multiplicity == 1 else np.nan
    if kind in ("fold", "transcritical"):
        return Bifurcation(kind, **own, coefficient=coefficient)
    supercritical = None if np.isnan(coefficient) else bool(coefficient > 0 if kind == "flip" else coefficient < 0)
    if kind in ("pitchfork", "flip"):
        return Bifurcation(kind, **own, coefficient=coefficient, supercritical=supercritical)
    value = turning_eigenvalue(np.linalg.eigvals(here.flow.jacobian(point[:-1])), kind, step)
    assert value is not None, "a turning pair was found there"
    if kind == "hopf":
        frequency = value.imag
        own["period"] = 2.0 * np.pi / frequency
    else:
        frequency = float(np.angle(1.0 + step * value))
    return Bifurcation(kind, **own, coefficient=coefficient, frequency=frequency, supercritical=supercritical)


def _crossing(critical):
    """The kind of a branch point."""
    n = len(critical.at.rest)
    left, sizes, right = np.linalg.svd(critical.at.slopes[:, :n])
    if critical.multiplicity > 1 or (n > 1 and sizes[-2] < _STRAIGHT):
        return "multiple"
    bend = np.einsum("i,ijl,j,l", left[:, -1], critical.at.bend[:, :n, :n], right[-1], right[-1])
    return "pitchfork" if abs(bend) < _STRAIGHT else "transcritical"


def _coefficient(flow, state, kind, step):
    """The normal form's coefficient; nan where there is none."""
    try:
        return normal_form(flow, state, kind, step)
    except (ValueError, np.linalg.LinAlgError):
        return np.nan
