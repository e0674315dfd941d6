"""What random weights would do in the place of given ones: theory at the same sites, of the ensemble, and under input [T3, T5]."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..dynamics.steady_state import steady_state
from ..ensemble.ensemble import Ensemble
from ..errors import CapabilityError, ConvergenceError
from ..mean_field.fixed_points import fixed_points
from ..spectrum.spectrum import Spectrum
from .diagnosis import ModeSummary

__all__ = ["TheoryBeside", "counted_modes", "mean_summary"]

#: The random network that theory under input looks at.
_UNITS_UNDER_INPUT, _STEPS_UNDER_INPUT = 2000, 150
#: Tolerance of masses: far below the counting error of any network that is diagonalised.
_TOL = 1e-3
#: Discs in which eigenvalues are compared with theory, by the share of them that they hold.
_QUANTILES = (0.1, 0.3, 0.5, 0.7, 0.9)


class TheoryBeside:
    """Theory for a diagnosis; what cannot be had is entered into ``notes``, what is not to be relied on into ``warnings``.

    Parameters
    ----------
    taus : sequence of float, steps
    n_units : int, of the network that is diagnosed
    """

    def __init__(self, taus: Sequence[float], n_units: int) -> None:
        self.taus, self.n_units = taus, n_units
        self.notes: list[str] = []
        self.warnings: list[str] = []

    def modes(self, spectrum: Spectrum) -> ModeSummary | None:
        """What matrices of the law assumed give at the sites of a spectrum; None where it cannot be had.

        Parameters
        ----------
        spectrum : Spectrum
        """
        try:
            radius = spectrum.radius()
            slow = dict(zip(self.taus, np.asarray(spectrum.slow_fraction(self.taus, _TOL)).tolist()))
            edge = float(np.asarray(spectrum.edge_function(1.0)))
            margin = edge**-0.5 if edge > 0 else math.inf
            return ModeSummary(_timescale(radius), radius, spectrum.abscissa(), slow, margin)
        except (CapabilityError, ConvergenceError) as error:
            self.notes.append(f"theory from sites failed at a state: {error}")
            return None

    def difference(self, values: np.ndarray, spectra: Sequence[Spectrum]) -> float:
        """The largest difference between counts of eigenvalues in discs about 0 and theory; nan where there is no theory.

        Parameters
        ----------
        values : (S, d N) complex array
        spectra : sequence of S Spectrum
        """
        modulus = np.abs(values)
        radii = np.quantile(modulus, _QUANTILES)
        radii = np.unique(radii[radii > 1e-9])
        try:
            theory = np.array([spectrum.mass(0.0, radii, _TOL) for spectrum in spectra]).mean(axis=0)
        except (CapabilityError, ConvergenceError) as error:
            self.notes.append(f"the effect of structure is not known: {error}")
            return math.nan
        found = np.array([np.mean(modulus < radius) for radius in radii])
        return float(np.max(np.abs(found - theory), initial=0.0))

    def mean_field(self, ensemble: Ensemble) -> ModeSummary | None:
        """Of the ensemble at zero input, at the fixed point with the largest moments, with a warning where the limit is far.

        Parameters
        ----------
        ensemble : Ensemble
        """
        try:
            points = fixed_points(ensemble)
            return self._of_limit(Spectrum(points[-1], tol=_TOL)) if points else None
        except (CapabilityError, ConvergenceError) as error:
            self.notes.append(f"no mean field of the random ensemble: {error}")
            return None

    def _of_limit(self, spectrum):
        found = self.modes(spectrum)
        limit = spectrum.concentration(self.n_units).status
        if not limit.ok:
            self.warnings.append(f"{limit}: do not rely on the column 'theory, ensemble'")
        return found

    def under_input(self, ensemble: Ensemble, rng: np.random.Generator) -> tuple[ModeSummary | None, float]:
        """(theory, largest exponent) of a large random network under white input, or (None, nan).

        Parameters
        ----------
        ensemble : Ensemble, with its input
        rng : numpy Generator
        """
        try:
            state = steady_state(ensemble, _UNITS_UNDER_INPUT, _STEPS_UNDER_INPUT, rng=rng, lyapunov_units=_UNITS_UNDER_INPUT)
            if not state.ok:
                self.notes.append(f"no steady state of random networks under input: {state.status}")
                return None, math.nan
            return self.modes(Spectrum(state)), float(state.lyapunov)
        except (CapabilityError, ConvergenceError) as error:
            self.notes.append(f"no steady state of random networks under input: {error}")
            return None, math.nan


def counted_modes(values: np.ndarray, taus: Sequence[float]) -> ModeSummary:
    """What eigenvalues at several states say, averaged over these.

    Parameters
    ----------
    values : (S, d N) complex array
    taus : sequence of float, steps
    """
    modulus = np.abs(values)
    slow = {tau: float(np.mean(modulus > np.exp(-1.0 / tau))) for tau in taus}
    radius = float(modulus.max(axis=1).mean())
    return ModeSummary(_timescale(radius), radius, float(values.real.max(axis=1).mean()), slow)


def mean_summary(rows: Sequence[ModeSummary]) -> ModeSummary:
    """The mean of what theory gives at several states.

    Parameters
    ----------
    rows : sequence of ModeSummary

    Raises
    ------
    ConvergenceError
        there are none
    """
    if not rows:
        raise ConvergenceError("theory could not be evaluated at any of the states")
    radius = float(np.mean([r.radius for r in rows]))
    slow = {tau: float(np.mean([r.slow_fraction[tau] for r in rows])) for tau in rows[0].slow_fraction}
    margin = float(np.mean([r.gain_margin for r in rows]))
    return ModeSummary(_timescale(radius), radius, float(np.mean([r.abscissa for r in rows])), slow, margin)


def _timescale(radius):
    return math.inf if radius >= 1.0 else -1.0 / math.log(radius) if radius > 0.0 else 0.0
