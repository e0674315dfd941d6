"""Populations of sites at fixed points, made by tensor quadrature of the law of the fields [T5, T7]."""

from __future__ import annotations

from collections.abc import Callable, Container

import numpy as np

from .ensemble import Ensemble
from .quadrature import FieldLaw
from .sites import Sites

__all__ = ["population"]

#: Nodes that together weigh less than this part of the tolerance are dropped; so the grid may have that many more of them.
_LIGHT, _GRID = 0.1, 4


def population(
    ensemble: Ensemble,
    law: FieldLaw,
    tol: float,
    max_nodes: int,
    source: str,
    *,
    even: Container[int] = (),
    leak_nodes: int = 1,
    tilt: Callable[[list[np.ndarray]], np.ndarray] | None = None,
    share: np.ndarray | None = None,
) -> Sites:
    """Sites whose averages are accurate to about ``tol`` for smooth functions; ``sites.tol`` is the tolerance reached.

    Parameters
    ----------
    ensemble : Ensemble, with a fixed state of a site at given fields
    law : FieldLaw, a batch of one: fields and site parameters before a tilt
    tol : float
    max_nodes : int
        The population is kept to about this size by raising the tolerance.
    source : str, what the population is of
    even : container of variables of which one sign is kept, with doubled weight
    leak_nodes : int >= 1
        Multiplies the nodes of the fields that set the leak (less where ``max_nodes`` would be exceeded).
    tilt : callable(list of (M,) arrays, one a variable) -> (M,) array, optional
        Factor by which the sites are favoured over the Gaussian law.
    share : (K,) array, optional
        Part of each field's deviation from its mean that comes through its matrix, given the site: what outliers need.

    Returns
    -------
    Sites
    """
    cell, variables = ensemble.cell, range(law.means.size)
    poles = cell.compiled.pole_variables
    reached = law.affordable(variables, tol, even, _GRID * max_nodes)
    values, rules, _ = law.grid(variables, reached, even, np.inf)
    if leak_nodes > 1:
        room = _GRID * max_nodes / np.prod([w.shape[1] for w in rules], dtype=float)
        law = law.refined(poles, int(max(1, min(leak_nodes, room))))
        values, rules, _ = law.grid(variables, reached, even, np.inf)
    flat, weights = law.staggered(values, rules, poles)
    if tilt is not None:
        weights = weights * tilt(flat)
        weights = weights / weights.sum()
    order = np.argsort(weights)
    keep = np.sort(order[~(np.cumsum(weights[order]) < _LIGHT * reached)])
    weights = weights[keep] / weights[keep].sum()
    flat = [v[keep] for v in flat]
    K = cell.n_fields
    state = np.array([np.broadcast_to(s, keep.size) for s in cell.compiled.fixed_state(flat[:K], flat[K:])])
    parameters = np.array(flat[K:]).reshape(len(cell.parameters), keep.size)
    fields = np.array(flat[:K])
    recurrent = None if share is None else share[:, None] * (fields - law.means[:K, None])
    gain = ensemble.array("gain")
    return Sites(cell, weights, state, fields, parameters, gain, source, reached, recurrent, ensemble.matrices)
