"""What messages of given spectra make of themselves, with as little sampling as the cell allows [T8].

Factors of messages that share no source multiply lag by lag; those of one Gaussian variable are averaged exactly, and what is left
comes from paths (see ``cell/message_parts.py``). Spectra stay positive: products of covariances are covariances.
"""

from __future__ import annotations

import numpy as np

from ...cell.message_parts import GaussianFactor, message_parts
from .clock import even_spectrum, from_even_spectrum
from .correlated import CorrelatedAverage
from .ring import Ring

__all__ = ["PathAverages"]


class PathAverages:
    """The map from spectra of messages to spectra of messages.

    Parameters
    ----------
    ring : Ring

    Attributes
    ----------
    exact : bool, whether nothing is sampled: all chunks say the same
    """

    def __init__(self, ring: Ring) -> None:
        ensemble = ring.ensemble
        cell, law = ensemble.cell, ring.law
        self.ring = ring
        moves = (law.gain2 > 0.0) | (law.frozen > 0.0)
        moving = tuple(name for name, is_moving in zip(cell.field_names, moves) if is_moving)
        spread = tuple(name for name, std in zip(cell.parameter_names, law.parameter_std) if std)
        self._constants: list[float] = []
        self._parts = None if ring.is_fed else message_parts(cell, moving, spread)
        self.exact = self._parts is not None and not self._parts.n_sampled

    def image(self, spectra: np.ndarray, chunk: int, pairings: int = 1) -> np.ndarray:
        """(distinct messages, L/2 + 1) spectra of the messages that sites send.

        Parameters
        ----------
        spectra : (distinct messages, L/2 + 1) array
        chunk : int, of the sites that are sampled
        pairings : int, see :meth:`Ring.paired_image`
        """
        parts, ring = self._parts, self.ring
        if parts is None:
            return ring.paired_image(spectra, chunk, pairings)
        square, means = ring.field_spectra(spectra), ring.ensemble.array("bias").copy()
        self._constants = [*np.zeros(ring.ensemble.cell.n_state), *means, *ring.ensemble.array("parameter")]
        for place in parts.still:  # in the order in which they need each other
            self._constants[place] = self._filter(place)[0]
        first = ring.ensemble.cell.n_state
        for drive in parts.drives:
            k = drive.variable - first
            F, mean = self._correlation(drive, square[k], means[k])
            square[k], means[k] = np.maximum(even_spectrum(F - mean**2), 0.0), mean
        sampled = self._sampled(square, means, chunk, pairings) if parts.n_sampled else []
        out = []
        for known, numbers in zip(parts.known, parts.sampled):
            if not known and len(numbers) == 1:
                out.append(sampled[numbers[0]])
                continue
            factors = [self._correlation(factor, *self._variable(factor.variable, square, means))[0] for factor in known]
            factors += [from_even_spectrum(sampled[number]) for number in numbers]
            out.append(np.maximum(even_spectrum(np.prod(factors, axis=0)), 0.0))
        return np.array(out)

    def _variable(self, place, square, means):
        """(spectrum about its mean, mean) of a Gaussian variable."""
        first = self.ring.ensemble.cell.n_state
        if place >= first:
            return square[place - first], means[place - first]
        rest, leak, rates = self._filter(place)
        return rates**2 @ square * self.ring.clock.filter(leak, square.shape[1]), rest + rates @ means / leak

    def _filter(self, place):
        """(what a state is without fields that move, its leak, rates of the fields)."""
        drive, leak, *rates = (float(value) for value in self._parts.filters[place](*self._constants))
        return drive / leak, leak, np.array(rates)

    def _correlation(self, factor: GaussianFactor, spectrum, mean):
        """(E f f' at the lags of half the ring, E f) of a function of a variable of a spectrum."""
        covariance = from_even_spectrum(spectrum)

        def function(x):
            arguments = list(self._constants)
            arguments[factor.variable] = x
            return factor.code(*arguments)[0]

        average = CorrelatedAverage(function, [mean], [np.sqrt(max(covariance[0], 0.0))])
        rho = np.clip(covariance / covariance[0], -1.0, 1.0) if covariance[0] > 0.0 else np.ones_like(covariance)
        return average.value(rho), average.mean

    def _sampled(self, square, means, chunk, pairings):
        """Spectra of the factors that are sampled."""
        ring = self.ring
        noise, normals = ring.noise(chunk)
        fields = np.fft.irfft(np.sqrt(square)[:, :, None] * noise[: len(square)], n=ring.length, axis=1) + means[:, None, None]
        return ring.average_of_laps((fields, None, ring.site_parameters(normals, None)), pairings, self._parts.paths)
