"""Whether a state that does not move is a stable fixed point: where sites are slow no window of paths shows it [T8]."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...ensemble.ensemble import Ensemble
from ...ensemble.sites import Sites
from ...errors import CapabilityError, ConvergenceError
from ...mean_field.fixed_point import FixedPoint
from ...mean_field.fixed_points import fixed_points
from ...spectrum.spectrum import Spectrum
from .clock import Clock
from .path_state import error_of
from .ring import Ring, mean_of_ring

__all__ = ["Rate", "rate_at_rest", "rate_of_paths"]

#: Moments of one chunk that stands still are this near to those of its fixed point, relative.
_NEAR = 0.3
#: Chunks whose spectra scatter by the error, where mean field knows no such fixed point; errors that decide.
_CHUNKS, _SIGMAS = 5, 2.0


class Rate(NamedTuple):
    """Growth of small deviations from a fixed point, per unit of time, and its standard error: 0 where it is exact."""

    value: float
    error: float

    @property
    def grows(self) -> bool:
        """Whether the fixed point is surely not stable."""
        return self.value > _SIGMAS * self.error

    @property
    def falls(self) -> bool:
        """Whether it surely is."""
        return self.value < -_SIGMAS * self.error


def rate_at_rest(ensemble: Ensemble, clock: Clock, moments: np.ndarray) -> float | None:
    """Growth at the fixed point of the mean field with about these moments; None where it has none, or none is known.

    Parameters
    ----------
    ensemble : Ensemble
    clock : Clock
    moments : (distinct messages,) array
    """
    try:
        points = fixed_points(ensemble)
    except (CapabilityError, ConvergenceError):
        return None
    point = min(points, key=lambda point: _apart(point, moments), default=None)
    return None if point is None or _apart(point, moments) > _NEAR else _growth(Spectrum(point), clock)


def _apart(point: FixedPoint, moments):
    return float((np.abs(point.q - moments) / np.maximum(moments, 1e-300)).max())


def rate_of_paths(ring: Ring, spectra: np.ndarray) -> Rate:
    """The same of paths that stand still: exact where mean field knows their fixed point, else from the sites of a few chunks.

    Few sites alone decide little: a frozen pattern of .2 at a_r = 10 and a_h = 1.45 is beyond its line, at 1.4387, and one chunk of
    500 sites may say that it is not.

    Parameters
    ----------
    ring : Ring
    spectra : (distinct messages, L/2 + 1) array
    """
    exact = rate_at_rest(ring.ensemble, ring.clock, mean_of_ring(spectra))
    if exact is not None:
        return Rate(exact, 0.0)
    rates = np.array([_growth(Spectrum(_sites(ring, spectra, chunk)), ring.clock) for chunk in range(1, _CHUNKS + 1)])
    return Rate(float(rates.mean()), float(error_of(rates)))


def _growth(spectrum, clock):
    if clock.flow:
        return float(spectrum.abscissa() - 1.0)
    if clock.step == 1.0:
        return float(np.log(max(spectrum.radius(), 1e-300)))
    return float(np.log(max(1.0 + clock.step * (spectrum.abscissa() - 1.0), 1e-300))) / clock.step


def _sites(ring, spectra, chunk):
    """The sites of a chunk at the end of their lap."""
    ensemble, laps = ring.ensemble, ring.laps(spectra, chunk)
    n = laps.state.shape[2]
    at = laps.state[:, -1], laps.fields[:, -1], laps.parameters[:, -1]
    return Sites(ensemble.cell, np.full(n, 1.0 / n), *at, ensemble.array("gain"), "dynamic mean field", matrices=ensemble.matrices)
