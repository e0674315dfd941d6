"""Bifurcations of cycles: what tells that there is one between two places of a branch, where it is, and how well that is known."""

from __future__ import annotations

import numpy as np

from ...errors import ConvergenceError
from ...support.arclength import sign_change
from .bifurcation import Bifurcation
from .cycle_place import Place

__all__ = ["cycle_tests", "is_critical", "locate_on_cycles", "refined"]

#: Imaginary parts below are rounding; multipliers further than this from the critical value (1, -1, the unit circle) are not
#: critical: on the mesh of a branch critical ones come out to about 1e-7.
_REAL, _CRITICAL = 1e-9, 1e-4

#: Length along the branch to which a root is found, and by how much finer the mesh is on which it is found again.
_LENGTH, _FINER = 1e-12, 1.5

#: First step of the secant method, relative to the largest of 1 and the parameter, and its most steps.
_STEP, _STEPS = 1e-4, 30

#: Rounding error of the parameter at a root, relative to the largest of 1 and its value.
_ROUNDING = 1e-13


def cycle_tests(place: Place) -> dict[str, float]:
    """Test functions: where one of them changes its sign along a branch there may be a bifurcation.

    Parameters
    ----------
    place : Place

    Returns
    -------
    {"cycle_fold", "cycle_crossing", "period_doubling", and from three dimensions on "torus": float}
    """
    m, slope = place.multipliers, place.tangent.slope
    # at a fold a multiplier passes 1 and the slope 0 together; where another branch crosses, the multiplier alone
    tests = {"cycle_fold": slope, "cycle_crossing": float(np.prod(m - 1.0).real) * slope}
    tests["period_doubling"] = float(np.prod(m + 1.0).real)
    if len(m) > 1:
        i, j = np.triu_indices(len(m), 1)
        tests["torus"] = float(np.prod(m[i] * m[j] - 1.0).real)
    return tests


def locate_on_cycles(place: Place, before: dict[str, float], h: float, after: dict[str, float]) -> list[Bifurcation]:
    """Bifurcations within length h from a place, in the order of the branch.

    Each is found twice, on the mesh of the place and on one of 1.5 times as many intervals; the difference is its error.

    Parameters
    ----------
    place : Place
    before, after : test functions at the place and at length h
    h : float

    Returns
    -------
    list of Bifurcation
    """
    found = []
    for kind in after:
        if not before[kind] * after[kind] < 0:
            continue
        try:
            length, coarse = _root(place, h, kind)
            if not is_critical(kind, coarse.multipliers):
                continue
            fine = _root(place.regraded(int(_FINER * len(place.orbit.points))), h, kind)[1]
        except ConvergenceError:
            continue
        found.append((length, _bifurcation(kind, coarse, fine)))
    return [b for _, b in sorted(found, key=lambda pair: pair[0])]


def refined(place: Place, kind: str) -> Bifurcation:
    """The bifurcation of a kind beside a place where the parameter can be used to count, by the secant method on two meshes.

    Parameters
    ----------
    place : Place near it
    kind : "period_doubling" or "torus"

    Raises
    ------
    ConvergenceError
        there is none
    """
    coarse = _secant(place, kind)
    fine = _secant(coarse.regraded(int(_FINER * len(place.orbit.points))), kind)
    if not is_critical(kind, fine.multipliers):
        raise ConvergenceError(f"no {kind} beside the cycle at {place.path} = {place.value}", place.mean)
    return _bifurcation(kind, coarse, fine)


def _secant(place, kind):
    """The place near this one at which a test function vanishes."""
    before = place.at(place.value)
    place = before.at(before.value + _STEP * max(1.0, abs(before.value)))
    for _ in range(_STEPS):
        old, new = cycle_tests(before)[kind], cycle_tests(place)[kind]
        change = new * (place.value - before.value) / (old - new) if new != old else 0.0
        if abs(change) <= _ROUNDING * max(1.0, abs(place.value)):
            return place
        before, place = place, place.at(place.value + change)
    raise ConvergenceError(f"no {kind} beside the cycle at {place.path} = {place.value}", place.mean)


def _root(place, h, kind):
    """Length and place at which a test function vanishes."""
    places = {}

    def test(s):
        places[s] = place.ahead(s)
        return cycle_tests(places[s])[kind]

    length = sign_change(test, h, xtol=_LENGTH)
    return length, places[length] if length in places else place.ahead(length)


def is_critical(kind: str, multipliers: np.ndarray, within: float = _CRITICAL) -> bool:
    """Whether a multiplier is where the bifurcation has it: elsewhere the test function changed its sign by rounding."""
    if kind == "torus":
        turning = multipliers[multipliers.imag > _REAL]
        return bool(turning.size) and bool(np.abs(np.abs(turning) - 1.0).min() < within)
    critical = -1.0 if kind == "period_doubling" else 1.0
    return bool(np.abs(multipliers - critical).min() < within)


def _bifurcation(kind, coarse, fine):
    turning = fine.multipliers[np.argmin(np.abs(np.abs(fine.multipliers) - 1.0))]
    frequency = abs(float(np.angle(turning))) if kind == "torus" else np.nan
    error = abs(fine.value - coarse.value) + _ROUNDING * max(1.0, abs(fine.value))
    orbit = fine.orbit
    return Bifurcation(
        kind, fine.path, fine.value, orbit.points[0], fine.flow, frequency=frequency, period=orbit.period, orbit=orbit, error=error
    )
