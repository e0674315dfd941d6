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

    @property
    def is_known(self) -> bool:
        """Whether there is a fixed point there at all."""
        return not np.isnan(self.value)


#: Of what stands still where the infinite network has no fixed point: a decay or chaos that is too slow for the window.
_NO_FIXED_POINT = Rate(np.nan, np.nan)


def rate_at_rest(ensemble: Ensemble, clock: Clock, moments: np.ndarray) -> float | None:
    """Growth at the fixed point of the mean field with about these moments; None where it has none, or none is known.

    Parameters
    ----------
    ensemble : Ensemble
    clock : Clock
    moments : (distinct messages,) array
    """
    rate = _of_mean_field(ensemble, clock, moments)
    return None if rate is None or not rate.is_known else rate.value


def _of_mean_field(ensemble, clock, moments):
    """The exact Rate; None where mean field cannot tell fixed points."""
    try:
        points = fixed_points(ensemble)
    except (CapabilityError, ConvergenceError):
        return None
    point = min(points, key=lambda point: _apart(point, moments), default=None)
    return _NO_FIXED_POINT if point is None or _apart(point, moments) > _NEAR else Rate(_growth(Spectrum(point), clock), 0.0)


def _apart(point: FixedPoint, moments):
    return float((np.abs(point.q - moments) / np.maximum(moments, 1e-300)).max())


def rate_of_paths(ring: Ring, spectra: np.ndarray) -> Rate:
    """The same of paths that stand still: exact where mean field knows all fixed points, else from the sites of a few chunks.

    It is nan where mean field has no fixed point of such moments: next to an onset a slow decay stands still in any window.

    Few sites alone decide little: a frozen pattern of .2 at a_r = 10 and a_h = 1.45 is beyond its line, at 1.4387, and one chunk of
    500 sites may say that it is not.

    Parameters
    ----------
    ring : Ring
    spectra : (distinct messages, L/2 + 1) array
    """
    exact = _of_mean_field(ring.ensemble, ring.clock, mean_of_ring(spectra))
    if exact is not None:
        return exact
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
