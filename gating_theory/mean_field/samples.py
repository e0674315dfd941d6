"""Random samples of the sites of a mean-field fixed point: what networks of N units have."""

from __future__ import annotations

import numpy as np

from ..ensemble.sites import Sites
from ..support.checks import generator, integer
from ..support.types import Rng
from .fixed_points import FixedPoint

__all__ = ["sampled_sites"]


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
    ConvergenceError : a site has no fixed point at its fields (cells without a closed form)
    """
    n, count, rng = integer("n_units", n_units, low=1), integer("n_draws", n_draws, low=1), generator(rng)
    law, ensemble = fixed_point.law, fixed_point.ensemble
    normals = rng.standard_normal((count, law.means.size, n)).swapaxes(0, 1).reshape(law.means.size, count * n)
    values = law.means[:, None] + law.stds[0][:, None] * normals
    K, size = ensemble.cell.n_fields, count * n
    fields, parameters = values[:K], values[K:]
    state = np.array([np.broadcast_to(s, size) for s in ensemble.cell.compiled.fixed_state(fields, parameters)])
    weights, gain = np.full(size, 1.0 / size), ensemble.array("gain")
    return Sites(ensemble.cell, weights, state, fields, parameters, gain, "sampled mean field", matrices=ensemble.matrices)
