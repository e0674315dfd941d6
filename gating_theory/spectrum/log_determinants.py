"""log|det(lambda - J)| of networks of N units: its mean beyond N times the potential, and what sites and matrices do [T12].

Given the sites of a network, with real iid matrices and T2_kl = a_l^2 E W_kl(lambda)^2:

    outside:         shift 1/2 log|det(1 - T2)|,    variance -1/2 [log det(1 - T) + log|det(1 - T2)|]
    inside, real:    shift -1/4 log N - .068,       variance 1/2 log N + 1.405
    inside, complex: shift 1/4 + 1/2 log(2 y),      variance 1/4 log N + .394 - 1/2 log(2 y)

with y = |Im lambda| sqrt(pi rho), rho the density per unit. Where two of these meet (an edge, the real axis) their expressions
cross at distances of order N^{-1/2}: the larger shift and the smaller variance are taken. The constants inside are Ginibre's.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ensemble.field_law import squared
from ..ensemble.sites import Sites
from .counts import Expected
from .influence import potential_influence, through_moments, variance

__all__ = ["log_determinant"]

#: Tolerance of populations: edges and densities are good to a percent.
_TOL = 1e-4
#: Ginibre's constants: shift and variance at real lambda, and at complex ones.
_REAL, _COMPLEX = (-0.068, 1.405), (0.25, 0.394)
_TINY = 1e-300


def log_determinant(spectrum: Any, n_units: int, lam: complex, drawn: bool, natural: bool) -> Expected:
    """log|det(lambda - J)|, in total.

    Parameters
    ----------
    spectrum : Spectrum
    n_units : int, N
    lam : complex
    drawn : bool, whether sites are drawn; if not they are the spectrum's own
    natural : bool, whether the moments are those of the drawn sites; else those of the limit
    """
    at = np.array([lam.real + 1j * abs(lam.imag)])
    population = spectrum.sites_near(at[0], _TOL, fold=not natural)
    found = population.solution(at, {"density"})
    inside = spectrum.inside(at[0])
    shift, spread = _within(n_units, at[0], max(float(found.values["density"][0]), 0.0) if inside else 0.0)
    if not inside:
        shift, spread = _outside(population, at, shift, spread)
        shift += float(np.log(max(abs(spectrum.outlier_determinant(at[0])), _TINY)))
    sites = 0.0
    if drawn:
        influence = potential_influence(population, at, found)
        if natural:
            influence = through_moments(population, influence, spectrum.fixed_point)
        sites = float(np.sqrt(n_units * variance(influence, population.weights)[0]))
    return Expected(float(n_units * spectrum.potential(lam) + shift), sites, float(np.sqrt(spread)))


def _within(n_units, lam, density):
    """Shift and variance inside the support; also the bounds that hold outside, next to it."""
    real = -0.25 * np.log(n_units) + _REAL[0], 0.5 * np.log(n_units) + _REAL[1]
    height = 2.0 * lam.imag * np.sqrt(np.pi * density)
    if not height > 0.0:
        return real
    half = 0.5 * np.log(height)
    return max(real[0], _COMPLEX[0] + half), min(real[1], 0.25 * np.log(n_units) + _COMPLEX[1] - half)


def _outside(population, lam, shift, spread):
    """Shift and variance outside: no further from zero than next to the edge."""
    n = population.n
    T = population.transfer_moments(lam)[0]
    apart = np.linalg.slogdet(np.eye(n) - T)[1]
    twice = np.linalg.slogdet(np.eye(n) - _plain_moments(population.sites, lam[0]))[1]
    return max(shift, 0.5 * twice), min(spread, max(-0.5 * (apart + twice), 0.0))


def _plain_moments(sites: Sites, lam):
    """(n, n) E W^2 without a modulus, times a^2: T at real lambda."""
    cell = sites.cell
    minors = dict(cell.compiled.minors(1, sites.state, sites.fields, sites.parameters))
    powers = (lam - 1.0) ** np.arange(cell.n_state + 1)
    chi = powers @ np.asarray(minors.pop(((), ())))
    gain2 = squared(np.asarray(sites.gain))
    out = np.zeros((cell.n_messages, cell.n_messages), dtype=complex)
    for (rows, columns), q in minors.items():
        if len(rows) == 1:
            (k,), (l,) = rows, columns
            out[k, cell.message_of[l]] += gain2[l] * (((powers @ np.asarray(q)) / chi) ** 2 @ sites.weights)
    return out
