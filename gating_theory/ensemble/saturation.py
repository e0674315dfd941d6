"""From where on the functions of a site change no more along a variable: gates that are open or shut."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .ensemble import Ensemble
from .quadrature import FieldLaw

__all__ = ["saturated"]

#: Sites that are probed, values of a variable on either side of zero, how far out in standard deviations, and the nearest of them.
_PROBES, _VALUES, _REACH, _NEAREST = 24, 48, 6.0, 1e-2
#: So many laws are remembered: all populations of one law have the same profiles.
_LAWS = 16


def saturated(ensemble: Ensemble, law: FieldLaw, part: float) -> np.ndarray:
    """The distances from zero, on either side, beyond which functions of a site change by less than a ``part`` of their size.

    State and transfer minors of sites drawn from the law are followed along each variable: what i does to the h of an LSTM through
    c = i g / (1 - f) goes on for as long as some f are still larger.

    Parameters
    ----------
    ensemble : Ensemble
    law : FieldLaw, a batch of one
    part : float

    Returns
    -------
    (V, 2) array, >= 0: towards negative values and towards positive ones; infinite where they go on changing, or all are alike
    """
    y, change = _profiles(ensemble, tuple(law.means.tolist()), tuple(law.stds[0].tolist()))
    calm = change < part
    return np.where(calm[..., :-1].any(axis=-1), np.take_along_axis(y, calm.argmax(axis=-1)[..., None], axis=-1)[..., 0], np.inf)


@lru_cache(maxsize=_LAWS)
def _profiles(ensemble, means, stds):
    """Distances (V, 2, n), and by what part of their size functions change at most from there to the last of these."""
    n = len(means)
    rng = np.random.default_rng(0)
    probes = np.array(means)[:, None] + np.array(stds)[:, None] * rng.standard_normal((n, _PROBES))
    y = np.zeros((n, 2, _VALUES))
    change = np.full(y.shape, np.inf)
    for v in np.flatnonzero(stds):
        out = np.abs(means[v]) + _REACH * stds[v]
        y[v] = np.geomspace(min(_NEAREST, 0.5 * out), out, _VALUES)
        functions = _functions(ensemble, probes, v, np.concatenate([-y[v, 0], y[v, 1]]))
        size = np.abs(functions).max(axis=(1, 2), keepdims=True)
        sides = functions.reshape(*functions.shape[:2], 2, _VALUES) / np.where(size > 0.0, size, 1.0)[..., None]
        apart = np.abs(sides - sides[..., -1:]).max(axis=(0, 1))
        change[v] = np.maximum.accumulate(apart[:, ::-1], axis=-1)[:, ::-1]
    return y, np.where(np.isnan(change), np.inf, change)


def _functions(ensemble, probes, v, y):
    """State and coefficients of the minors (F, M, n) of sites whose variable v takes the values y (n,)."""
    compiled, K = ensemble.cell.compiled, ensemble.cell.n_fields
    sites = np.repeat(probes, y.size, axis=1)
    sites[v] = np.tile(y, probes.shape[1])
    fields, parameters = sites[:K], sites[K:]
    state = [np.broadcast_to(s, sites.shape[1]) for s in compiled.fixed_state(fields, parameters)]
    minors = [np.broadcast_to(c, sites.shape[1]) for q in compiled.minors(0, state, fields, parameters).values() for c in q]
    return np.array([*state, *minors], dtype=float).reshape(-1, probes.shape[1], y.size)
