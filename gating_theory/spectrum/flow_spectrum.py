"""The spectrum of the flow ds/dt = F(s, y) - s at a given state: that of the discrete cell, shifted by one [T8].

The Jacobian of the flow is J - 1 with J the discrete network's, at the same state: eigenvalues are mu = lambda - 1, and those of
the Euler map of a step 1 + step mu. What differs is what counts as stable: Re mu < 0, not |lambda| < 1.

Rates are per unit of time. Of a cell that is itself an Euler map (``cell.euler(step)``) that unit is its step: divide by it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..results.display import brief
from ..support.checks import complex_array, integer, shown

__all__ = ["FlowSpectrum"]

#: A Spectrum. It stands on this module and cannot be named here.
AnySpectrum = Any


class FlowSpectrum:
    """The same spectrum by rates mu per unit of time, made by ``Spectrum.flow``; every method is the Spectrum's at lambda = 1 + mu.

    The state has to be one of the flow: fixed points are the discrete network's, the sites of a moving state come from
    ``dmft(.., flow=True)``. At a state of ``cell.euler(step)`` rates are per step of that cell: divide them by the step.

    Parameters
    ----------
    spectrum : Spectrum, by factors lambda per step

    Examples
    --------
    In continuous time a state is stable if all rates have negative real parts; the slowest decays as exp(growth_rate t):

    >>> import gating_theory as gt
    >>> rates = gt.Spectrum(gt.fixed_points(gt.Ensemble(gt.GRU, gain=1.5))[0]).flow
    >>> print(round(rates.growth_rate(), 4), round(rates.slowest_time(), 4))
    -0.125 8.0
    """

    def __init__(self, spectrum: AnySpectrum) -> None:
        if not hasattr(type(spectrum), "edge_function"):  # its class stands on this module
            raise TypeError(f"spectrum must be a Spectrum, got {shown(spectrum)}")
        self.spectrum = spectrum

    def __repr__(self) -> str:
        return brief("FlowSpectrum", str(self.spectrum).removeprefix("Spectrum(").removesuffix(")"))

    def __str__(self) -> str:
        return f"{self.spectrum}.flow"

    def growth_rate(self) -> float:
        """Largest Re mu of the spectrum, per unit of time: the state is unstable where it is positive. Outliers are not counted."""
        return self.spectrum.abscissa() - 1.0

    def slowest_time(self) -> float:
        """The longest timescale, -1 / Re mu; inf where the largest rate is zero or positive."""
        rate = self.growth_rate()
        return -1.0 / rate if rate < 0.0 else np.inf

    def edge_function(self, mu: npt.ArrayLike) -> float | np.ndarray:
        """Spectral radius of T at a rate [T3]: 1 on the boundary of the support.

        Parameters
        ----------
        mu : complex number or array
        """
        return self.spectrum.edge_function(1.0 + complex_array("mu", mu))

    def boundary(self, n: int = 256) -> list[np.ndarray]:
        """The boundary of the support as closed curves of rates [T3].

        Parameters
        ----------
        n : int >= 16, points in all
        """
        return [curve - 1.0 for curve in self.spectrum.boundary(integer("n", n, low=16))]

    def density(self, mu: npt.ArrayLike) -> float | np.ndarray:
        """Density of rates per unit area, as a fraction [T4].

        Parameters
        ----------
        mu : complex number or array
        """
        return self.spectrum.density(1.0 + complex_array("mu", mu))

    def potential(self, mu: npt.ArrayLike) -> float | np.ndarray:
        """lim (1/N) log|det(mu - (J - 1))| [T4], per unit.

        Parameters
        ----------
        mu : complex number or array
        """
        return self.spectrum.potential(1.0 + complex_array("mu", mu))

    def mass(self, center: npt.ArrayLike, radius: npt.ArrayLike, tol: float = 1e-4) -> float | np.ndarray:
        """Fraction of the rates in the disc ``|mu - center| < radius``, atoms included [T4].

        Parameters
        ----------
        center : complex number or array, in rates
        radius, tol : as of :meth:`Spectrum.mass <gating_theory.Spectrum.mass>`
        """
        return self.spectrum.mass(1.0 + complex_array("center", center), radius, tol)

    def outliers(self) -> np.ndarray:
        """Rates of isolated eigenvalues, the largest ``|1 + mu|`` first [T4]."""
        return self.spectrum.outliers() - 1.0
