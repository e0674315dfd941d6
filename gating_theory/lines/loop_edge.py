"""Where T(1) of a mean-field fixed point passes 1: there complexity grows from zero if there is no zero state [T3, T7]."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..mean_field.fixed_point import FixedPoint
from ..mean_field.fixed_points import fixed_points
from ..spectrum.reach import at
from ..spectrum.spectrum import Spectrum
from ..sweeps.quantity import Quantity, Variable
from ..sweeps.request import Request
from .conditions import OfSolution
from .measure import Measure

if TYPE_CHECKING:
    from ..ensemble.ensemble import Ensemble

__all__ = ["loop_edge", "loop_excess"]


def _loop_strength(spectrum: Spectrum) -> float:
    return float(spectrum.edge_function(1.0))


def _passes(point: FixedPoint, value: float) -> float | None:
    return at(point, 1.0) - float(np.log(value))


def loop_edge() -> OfSolution:
    """The condition that T(1) = 1 at a mean-field fixed point that is not the zero state."""
    entry = Quantity(_loop_strength, (Variable("loop strength"),), passes=_passes)
    return OfSolution(Measure(Request("loop strength", entry), {}), 1.0)


def loop_excess(ensemble: Ensemble) -> float:
    """log T(1) of the fixed point with the largest moments; -1 where there is none but the zero state.

    Parameters
    ----------
    ensemble : Ensemble
    """
    points = fixed_points(ensemble)
    return -1.0 if not points or points[-1].is_zero else at(points[-1], 1.0)
