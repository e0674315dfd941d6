"""Bifurcations: what they are, and those of fixed points located between two neighbours of a curve and typed [JSP]."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ...errors import ConvergenceError
from ...results.encoding import dict_of, result
from ..flow import require_fixed
from ..line import Path
from ..program.taylor import parameter_slope
from .curve import newton_onto_curve, sign_change
from .normal_forms import normal_form

if TYPE_CHECKING:
    from ..flow import Flow
    from ..orbits.collocation import Orbit

__all__ = ["Bifurcation", "fixed_point_tests", "locate"]

#: A quadratic coefficient below this part of the cubic one (or of 1) is 0: a pitchfork, not transcritical.
_ZERO = 1e-6

#: At a vertical tangent, a quadratic coefficient below this part of the cubic one: the pitchfork's own branch, no fold.
_NO_FOLD = 1e-4

#: Imaginary parts below are rounding, and a complex pair further than this from the critical circle or axis is not critical.
_REAL, _CRITICAL = 1e-9, 1e-6


@result("flow.Bifurcation")
@dataclass(frozen=True)
class Bifurcation:
    """A bifurcation of a fixed point or of a cycle.

    Attributes
    ----------
    kind : str
        "fold", "pitchfork", "transcritical" (flow and map alike); "hopf" (flow); "neimark_sacker", "flip" (Euler map);
        "cycle_fold", "period_doubling", "torus" (cycles).
    path : str or Line, value : float
        The parameter, and where.
    state : (dim,) array
        The fixed point, or a state on the cycle.
    flow : Flow at that value
    coefficient : float
        Normal-form coefficient of the fixed point's bifurcation: first Lyapunov coefficient (hopf, with |q| = 1, <p, q> = 1), real
        part of the cubic coefficient turned back by the multiplier (neimark_sacker), cubic coefficient (flip, pitchfork),
        quadratic coefficient (fold, transcritical). nan for cycles.
    frequency : float
        hopf: imaginary part of the eigenvalue; neimark_sacker: angle of the multiplier, so that 2 pi/frequency is steps a
        turn; else nan.
    supercritical : bool or None
        Whether what is born is stable in the directions that bifurcate (hopf, neimark_sacker, flip, pitchfork).
    period : float, of the cycle; 2 pi/frequency for hopf; else nan
    orbit : Orbit, of the cycle, or None
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

    as_dict = dict_of

    def check(self) -> None:
        """ValueError where the state of a fixed point's bifurcation is no fixed point of the flow."""
        if self.orbit is None:
            require_fixed(self.flow, self.state)

    def __str__(self) -> str:
        text = f"{self.kind} at {self.path} = {self.value:.12g}, state ({', '.join(f'{x:.6g}' for x in self.state)})"
        if np.isfinite(self.frequency):
            text += f", frequency {self.frequency:.6g}"
        if np.isfinite(self.period):
            text += f", period {self.period:.6g}"
        if self.supercritical is not None:
            text += f", {'super' if self.supercritical else 'sub'}critical (coefficient {self.coefficient:.4g})"
        return text


def fixed_point_tests(
    flow: Flow, state: np.ndarray, tangent: np.ndarray, path: Path, step: float
) -> tuple[dict[str, float], np.ndarray]:
    """Test functions on a curve of fixed points: where one of them changes sign there is a bifurcation.

    Parameters
    ----------
    flow : Flow at this point of the curve
    state : (dim,) array
    tangent : (dim + 1,) array, of the curve
    path : str or Line
    step : float, of the Euler map

    Returns
    -------
    tests : {"fold", "branch", "flip", and from two dimensions on "hopf", "neimark_sacker": float}
        A sign change of "branch" is a pitchfork or a transcritical point.
    values : (dim,) array, eigenvalues of the flow's Jacobian
    """
    J, slope = flow.jacobian(state), parameter_slope(flow, state, path)
    values = np.linalg.eigvals(J)
    # rows scaled: shut gates make some of them tiny without any bifurcation
    whole = np.column_stack([J, slope])
    whole = whole / np.maximum(np.linalg.norm(whole, axis=1, keepdims=True), 1e-300)
    multipliers = 1.0 + step * values
    i, j = np.triu_indices(len(values), 1)
    tests = {
        "fold": tangent[-1],
        "branch": np.linalg.det(np.vstack([whole, tangent])),
        "flip": float(np.prod(1.0 + multipliers).real),
    }
    if len(values) > 1:
        tests["hopf"] = float(np.prod(values[i] + values[j]).real)
        tests["neimark_sacker"] = float(np.prod(multipliers[i] * multipliers[j] - 1.0).real)
    return tests, values


def locate(
    flow: Flow,
    path: Path,
    y: np.ndarray,
    tangent: np.ndarray,
    before: dict[str, float],
    new: np.ndarray,
    after: dict[str, float],
    step: float,
) -> list[Bifurcation]:
    """Bifurcations between two neighbours of a curve, by a bracketed root search along the secant's hyperplanes.

    Parameters
    ----------
    flow : Flow
    path : str or Line
    y, new : (dim + 1,) arrays, the neighbours
    tangent : (dim + 1,) array, at ``y``
    before, after : the test functions at the two, from :func:`fixed_point_tests`
    step : float, of the Euler map

    Returns
    -------
    list of Bifurcation, in the order of the curve
    """
    secant = new - y
    length = np.linalg.norm(secant)
    if length == 0.0:
        return []
    secant = secant / length
    found = []
    for kind in after:
        if not before[kind] * after[kind] < 0:
            continue
        point = _root(flow, path, y, secant, length, tangent, kind, step)
        if point is None:
            # at a branch point the linear system is singular: a secant step of the test function, and Newton if it can
            point = y + secant * length * before[kind] / (before[kind] - after[kind])
            try:
                point = newton_onto_curve(flow, path, point, secant)[0]
            except ConvergenceError:
                pass
        bifurcation = _classified(flow.replace(path, float(point[-1])), path, point, kind, step)
        if bifurcation is not None:
            found.append((float((point - y) @ secant), bifurcation))
    return [b for _, b in sorted(found, key=lambda pair: pair[0])]


def _root(flow, path, y, secant, length, tangent, kind, step):
    """The point at which a test function vanishes; None where Newton fails on the way."""
    points = {}

    def test(s):
        point, direction = newton_onto_curve(flow, path, y + s * secant, secant)
        if direction @ tangent < 0:
            direction = -direction
        points[s] = point
        return fixed_point_tests(flow.replace(path, float(point[-1])), point[:-1], direction, path, step)[0][kind]

    try:
        root = sign_change(test, length, xtol=1e-14, rtol=8.9e-16)
        point = points.get(root)
        return newton_onto_curve(flow, path, y + root * secant, secant)[0] if point is None else point
    except ConvergenceError:
        return None


def _classified(here, path, point, kind, step):
    """The Bifurcation at a point where the test function of a kind vanishes; None where it is none after all."""
    known = {"path": path, "value": float(point[-1]), "state": point[:-1], "flow": here}
    if kind in ("hopf", "neimark_sacker"):
        return _rotating(known, kind, step)
    state = known["state"]
    if kind == "flip":
        coefficient = normal_form(here, state, kind, step)
        return Bifurcation(kind, **known, coefficient=coefficient, supercritical=coefficient > 0)
    if kind == "fold":
        # a pitchfork's own branch stands vertical too, but its quadratic coefficient vanishes
        quadratic = normal_form(here, state, "fold")
        if abs(quadratic) < _NO_FOLD * abs(normal_form(here, state, "pitchfork")):
            return None
        return Bifurcation(kind, **known, coefficient=quadratic)
    quadratic, cubic = normal_form(here, state, "transcritical"), normal_form(here, state, "pitchfork")
    if abs(quadratic) < _ZERO * max(1.0, abs(cubic)):
        return Bifurcation("pitchfork", **known, coefficient=cubic, supercritical=cubic < 0)
    return Bifurcation("transcritical", **known, coefficient=quadratic)


def _rotating(known, kind, step):
    """A Hopf or Neimark-Sacker point; None where no complex pair is critical."""
    here, state = known["flow"], known["state"]
    values = np.linalg.eigvals(here.jacobian(state))
    turning = values[values.imag > _REAL]
    gap = np.abs(turning.real) if kind == "hopf" else np.abs(np.abs(1.0 + step * turning) - 1.0)
    if not turning.size or gap.min() > _CRITICAL:
        return None  # two real eigenvalues of opposite sign, or reciprocal multipliers: no bifurcation
    lam = turning[np.argmin(gap)]
    coefficient = normal_form(here, state, kind, step)
    frequency = float(lam.imag) if kind == "hopf" else float(np.angle(1.0 + step * lam))
    period = 2.0 * np.pi / frequency if kind == "hopf" else np.nan
    return Bifurcation(kind, **known, coefficient=coefficient, frequency=frequency, supercritical=coefficient < 0, period=period)
