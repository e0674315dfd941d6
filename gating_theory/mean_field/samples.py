"""Samples of the sites of a mean-field fixed point: random ones, as networks of N units have them, and evenly spread ones."""

from __future__ import annotations

import numpy as np

from ..ensemble.sites import Sites
from ..support.checks import generator, integer
from ..support.types import Rng
from .fixed_point import FixedPoint

__all__ = ["MOST_VARIABLES", "even_sites", "sampled_sites"]

#: Generating numbers of a lattice whose first 4^k points are even for k from 5 to 9, in as many dimensions [NUMERICS].
_LATTICE = (1, 214861, 101499, 206253, 98445, 6705, 231953, 6227, 226929, 225977, 254549, 247501)
#: Random variables and points at most.
MOST_VARIABLES, _MOST = len(_LATTICE), 4**9
#: The part of the golden ratio: shifts by its multiples are unlike one another.
_GOLDEN = 0.6180339887498949


def sampled_sites(fixed_point: FixedPoint, n_units: int, rng: Rng = None, n_draws: int = 1) -> Sites:
    """A random sample of N sites of a mean-field fixed point, or several of them, one after the other.

    Normals are drawn and then scaled: with the same ``rng`` the sites are smooth functions of all hyperparameters.

    Parameters
    ----------
    fixed_point : FixedPoint
    n_units : int >= 1, N
    rng : numpy Generator, int or None
    n_draws : int >= 1
        Sites k N to (k + 1) N are draw k: what k calls of one Generator for a draw each would give.

    Returns
    -------
    Sites with equal weights, ``n_draws`` times N of them

    Raises
    ------
    ConvergenceError
        a site has no fixed point at its fields (cells without a closed form)
    """
    n, count, rng = integer("n_units", n_units, low=1), integer("n_draws", n_draws, low=1), generator(rng)
    V = fixed_point.law.means.size
    normals = rng.standard_normal((count, V, n)).swapaxes(0, 1).reshape(V, count * n)
    return _sites(fixed_point, normals, "sampled mean field")


def even_sites(fixed_point: FixedPoint, n_sites: int, shift: int = 0) -> Sites:
    """Sites that are spread evenly over the law of a mean-field fixed point, each of the same weight.

    A lattice in the cube of the variables' quantiles, folded so that what is smooth counts as periodic: averages of smooth
    functions converge nearly as n^-2, and those that change within less than a step of a tensor grid faster than there.

    Parameters
    ----------
    fixed_point : FixedPoint
    n_sites : int, a power of 2 up to 4^9
    shift : int >= 0
        Lattices with other shifts have other points, just as even.

    Raises
    ------
    ValueError
        more random fields and parameters than lattices are known for (12)
    ConvergenceError
        a site has no fixed point at its fields (cells without a closed form)
    """
    from scipy.special import ndtri

    n = integer("n_sites", n_sites, low=1, high=_MOST)
    stds = fixed_point.law.stds[0]
    spread = np.flatnonzero(stds)
    if spread.size > MOST_VARIABLES:
        raise ValueError(f"even sites are known for up to {MOST_VARIABLES} random fields and parameters, got {spread.size}")
    steps = np.array(_LATTICE[: spread.size], dtype=np.int64)[:, None] * np.arange(n) % n
    shifts = (_GOLDEN * (shift * spread.size + 1.0 + np.arange(spread.size))) % 1.0
    place = (steps / n + shifts[:, None] / n) % 1.0
    normals = np.zeros((stds.size, n))
    # the fold; no point lies at an end, whose quantile is infinite
    normals[spread] = ndtri(np.clip(1.0 - np.abs(2.0 * place - 1.0), 0.25 / n, 1.0 - 0.25 / n))
    return _sites(fixed_point, normals, "evenly spread mean field")


def _sites(fixed_point, normals, source):
    """Sites of equal weight, whose fields and parameters are so many standard deviations (V, M) from their means."""
    law, ensemble = fixed_point.law, fixed_point.ensemble
    values = law.means[:, None] + law.stds[0][:, None] * normals
    K, size = ensemble.cell.n_fields, normals.shape[1]
    fields, parameters = values[:K], values[K:]
    state = np.array([np.broadcast_to(s, size) for s in ensemble.cell.compiled.fixed_state(fields, parameters)])
    weights, gain = np.full(size, 1.0 / size), ensemble.array("gain")
    return Sites(ensemble.cell, weights, state, fields, parameters, gain, source, matrices=ensemble.matrices)
