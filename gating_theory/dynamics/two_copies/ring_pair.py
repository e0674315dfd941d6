"""Two copies of a network on a ring of times: spectra of the sum and of the difference of their messages [T8b].

Copies can be exchanged, so that cross-spectra are real, and sum and difference of Gaussian fields are independent:

    y^1, y^2 = (y_+ +- y_-) / sqrt 2,     S_+- = a^2 P_+- + (1 +- rho_in) sigma^2 + L beta^2 (1 +- rho_frozen) at w = 0,

with P_+- = E |m^1 +- m^2|^2 / (2 L) >= 0: two spectra for each distinct message, and all else as of one copy. Their sum is twice
the spectrum P of one copy, which is known; what is measured is the coherence (P_+ - P_-) / (P_+ + P_-) at each frequency, in
which most of what sites scatter by cancels.
"""

from __future__ import annotations

import numpy as np

from ..dynamic_mean_field.clock import from_even_spectrum
from ..dynamic_mean_field.ring import Drawn, Laps, Ring, spectra_of
from .copies import Copies

__all__ = ["RingPair", "correlations_of_pair"]


class RingPair(Ring):
    """The map from spectra of sums and differences (2 x distinct messages) to such; its sites come twice, copy 1 before copy 2.

    Parameters
    ----------
    ring : Ring, of one copy
    alone : (distinct messages, L/2 + 1) array, spectra of one copy
    copies : Copies
    """

    def __init__(self, ring: Ring, alone: np.ndarray, copies: Copies) -> None:
        super().__init__(ring.ensemble, ring.clock, ring.length, ring.n_sites, ring.seed, ring.sinusoid)
        self.alone, self.copies = alone, copies

    def of_coherence(self, coherence: np.ndarray | float) -> np.ndarray:
        """(2 x distinct messages, L/2 + 1) spectra of sums and differences, of copies as coherent as that."""
        return np.concatenate([(1.0 + coherence) * self.alone, (1.0 - coherence) * self.alone])

    @property
    def noise_rows(self) -> int:
        """Rows of noise that its sites need: those of the sum before those of the difference."""
        return 2 * super().noise_rows

    def laps(self, spectra: np.ndarray, chunk: int) -> Laps:
        """Both copies of the sites under fields that messages of these spectra make: 2 n of them.

        Parameters
        ----------
        spectra : (2 x distinct messages, L/2 + 1) array, of the sums and of the differences
        chunk : int
        """
        noise, normals = self.noise(chunk)
        white, frozen = self.copies.white, self.copies.frozen
        ways = zip((1.0, -1.0), np.split(spectra, 2), np.split(noise, 2))
        plus, minus = (self.drawn(half, rows, 1.0 + sign * white, 1.0 + sign * frozen) for sign, half, rows in ways)
        drawn = Drawn(
            _both(plus.fields, minus.fields), _both_if_any(plus.white, minus.white), _both_if_any(plus.inputs, minus.inputs)
        )
        means = np.broadcast_to(self.means(chunk), plus.fields.shape)
        fields = drawn.fields + np.concatenate([means, means], axis=2)
        return self._run(fields, drawn.white, self.site_parameters(np.tile(normals, 2), drawn.inputs))

    def image(self, spectra: np.ndarray, chunk: int) -> np.ndarray:
        """(2 x distinct messages, L/2 + 1) spectra of sums and differences that both copies send in a chunk."""
        one, other = np.split(self.laps(spectra, chunk).messages, 2, axis=2)
        plus, minus = spectra_of(one + other), spectra_of(one - other)
        return self.of_coherence((plus - minus) / np.maximum(plus + minus, 1e-300))


def _both(plus: np.ndarray, minus: np.ndarray) -> np.ndarray:
    """(.., 2 n) what the two copies have, from sums and differences (.., n) over sqrt 2."""
    return np.concatenate([plus + minus, plus - minus], axis=-1) * np.sqrt(0.5)


def _both_if_any(plus, minus):
    return None if plus is None or minus is None else _both(plus, minus)


def correlations_of_pair(spectra: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """((n, M + 1) correlations between the copies, those of one copy) at lags 0 .. M, from spectra of sums and differences."""
    plus, minus = np.split(from_even_spectrum(spectra), 2)
    return 0.5 * (plus - minus), 0.5 * (plus + minus)
