"""Singular values and gradients of networks, beside their theory: moments of squares, growth through several steps [T9]."""

from __future__ import annotations

import numpy as np

from ..gradients.growth import gradient_growth
from ..running.blas import single_blas_thread
from ..spectrum.spectrum import Spectrum

__all__ = ["NAMES", "growth_of_jacobian", "of_jacobian", "of_spectrum"]

#: Steps of the mean squares that are compared: through more of them few modes carry unstable states, and networks scatter.
_STEPS = (2, 5)
NAMES: tuple[str, ...] = ("mean s^2", "mean s^4", *(f"gradients, T = {steps}" for steps in _STEPS))
#: Directions at the end through which growth is measured.
_DIRECTIONS = 64


def of_spectrum(spectrum: Spectrum) -> np.ndarray:
    """(4,) values in theory."""
    growth = gradient_growth(spectrum, max(_STEPS)).mean_square
    return np.array([*spectrum.singular_values().moments(2), *growth[list(_STEPS)]])


def of_jacobian(jacobian: np.ndarray) -> np.ndarray:
    """(4,) values of one network with this Jacobian (dN, dN)."""
    with single_blas_thread():
        squares = [np.mean(jacobian**2), np.mean((jacobian @ jacobian.T) ** 2)]
        squares += [np.mean(np.linalg.matrix_power(jacobian, steps) ** 2) for steps in _STEPS]
    return len(jacobian) * np.array(squares)


def growth_of_jacobian(jacobian: np.ndarray, n_steps: int, rng: int, rows: np.ndarray | None = None) -> np.ndarray:
    """Mean square of gradients through 0 .. n_steps steps at a fixed point, from random directions at the end.

    Parameters
    ----------
    jacobian : (dN, dN) array
    n_steps : int
    rng : int, seed of the directions
    rows : boolean (dN,) array, optional, where the loss sees the state; everywhere by default

    Returns
    -------
    (n_steps + 1,) array
    """
    gradients = np.random.default_rng(rng).standard_normal((_DIRECTIONS, len(jacobian)))
    if rows is not None:
        gradients *= rows
    gradients /= np.linalg.norm(gradients)
    out = [1.0]
    with single_blas_thread():
        for _ in range(n_steps):
            gradients = gradients @ jacobian
            out.append(float(np.sum(gradients**2)))
    return np.array(out)
