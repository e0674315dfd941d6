"""How a branch of cycles ends: at a Hopf point, at the cycle of half its period, or with a period beyond all bounds, and why."""

from __future__ import annotations

import numpy as np

from ...errors import CapabilityError, ConvergenceError
from ...results.status import Status
from ..orbits.cycle import measured_cycle
from .bifurcation import Bifurcation, classified
from .cycle_bifurcations import refined
from .cycle_place import Place, at_single
from .extended import critical_point
from .infinite_period import infinite_period

__all__ = ["LIMITS", "doubling_passed", "hopf_beside", "hopf_passed", "long_period", "period_doubling_beside", "together"]

#: Rms size below which a cycle has shrunk to a point: rounding errors of the mean would show.
_POINT = 1e-6

#: A Hopf point is the end of a branch within so many sizes of its last cycle, and with a frequency this close to the cycle's.
_REACH, _FREQUENCY = 10.0, 0.1

#: Codes of a Status that stand for an infinite period.
LIMITS = ("homoclinic", "heteroclinic", "saddle_node")


# --- where cycles of this branch cease to exist beside others


def hopf_passed(old: Place, new: Place) -> bool:
    """Whether the branch went through a fixed point: beyond it are the same cycles again, shifted by half a turn."""
    return together(old, new) <= _POINT**2


def together(one: Place, other: Place) -> float:
    """What two orbits on one mesh have in common: the mean product of their distances from their means."""
    return float(one.orbit.product(one.orbit.stages, other.orbit.stages) - one.mean @ other.mean)


def doubling_passed(old: Place, new: Place) -> bool:
    """Whether the branch went through a cycle passed twice: beyond it are the same cycles again, shifted by half a period."""
    return bool(np.sum(old.halves * new.halves) <= 0.0)


def hopf_beside(place: Place) -> Bifurcation:
    """The Hopf point at which a small cycle is born; ConvergenceError where there is none within reach of it."""
    hopf = classified(critical_point(place.flow, place.path, np.append(place.mean, place.value), "hopf"), 1.0)
    reach = _REACH * place.size
    off = abs(hopf.frequency * place.orbit.period / (2.0 * np.pi) - 1.0)
    if np.abs(hopf.state - place.mean).max() > reach or off > max(reach, _FREQUENCY):
        raise ConvergenceError(f"no Hopf point beside the cycle at {place.path} = {place.value}", place.mean)
    return hopf


def period_doubling_beside(place: Place) -> Bifurcation:
    """The period doubling from which the cycles of a branch come; ConvergenceError where there is none beside this place."""
    return refined(at_single(place), "period_doubling")


def long_period(place: Place, values: np.ndarray, periods: np.ndarray) -> Status:
    """Why the period at the end of a branch is long.

    Parameters
    ----------
    place : Place, the end
    values, periods : (n,) arrays, parameter and period along the branch

    Returns
    -------
    Status
        Its code is "homoclinic", "heteroclinic" or "saddle_node" where that is located and the periods follow its law (of a ring
        of different saddles no simple one is known), else "period".
    """
    end = infinite_period(measured_cycle(place.flow, place.orbit, 0.0), place.path, values, periods)
    where = f"at {place.path} = {place.value:.10g}, period {place.orbit.period:.6g}"
    if end.status.code == "proved" or (end.kind == "heteroclinic" and end.ok):
        return Status(end.kind, f"{where}, on the way to a {end.status}")
    return Status("period", f"long {where}: {end.status}{_without_gates(place) if end.kind == 'slow' else ''}")


def _without_gates(place):
    """Words on the period with time rescaled so that the orbit moves at the gate-free speed."""
    try:
        wanted = np.linalg.norm(place.flow.residual(place.orbit.stages), axis=-1)
    except CapabilityError:
        return ""
    speed = np.linalg.norm(place.flow(place.orbit.stages), axis=-1)
    rescaled = place.orbit.period * place.orbit.average(speed / np.maximum(wanted, 1e-300))
    return f"; without the factor of its gates it would take {rescaled:.4g}"
