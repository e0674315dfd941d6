"""Populations of sites that know what their loadings are, given the site: for outliers of low-rank parts [T11]."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .ensemble import Ensemble
from .loaded_fields import ComponentLaws, LoadedFields
from .populations import population
from .sites import Sites

__all__ = ["LoadedSites", "drawn_population", "given_population"]

#: Eigenvalues of a covariance below this part of the largest are none.
_NOTHING = 1e-14
_SOURCE = "mean field"


@dataclass(frozen=True)
class LoadedSites:
    """Sites, and the law of z = (A_1, .., A_R, B_1, .., B_R, x_1, .., x_K) given the fields of each [T11].

    x is the part of each field that comes through its random matrix.

    Attributes
    ----------
    sites : Sites
    mean : (2R + K, M) array, E[z | y]
    component : (M,) int array, the component of the mixture that a site is of
    covariance : (C, 2R + K, 2R + K) array, Cov(z | y), the same for all sites of a component
    """

    sites: Sites
    mean: np.ndarray
    component: np.ndarray
    covariance: np.ndarray


def drawn_population(
    ensemble: Ensemble, laws: ComponentLaws, weights: np.ndarray, tol: float, max_nodes: int, **how: Any
) -> LoadedSites:
    """The population of drawn loadings, each component by a grid of its own.

    Parameters
    ----------
    ensemble : Ensemble
    laws : ComponentLaws, a batch of one, of all variables
    weights : (C,) array, of the components
    tol : float
    max_nodes : int, of all components together
    how : as of ``population``: even, leak_nodes, leaks, refine
    """
    heavy = np.flatnonzero(weights > 0.0)
    each = max(1, max_nodes // heavy.size)
    parts = [
        population(ensemble, laws.variables_law(0, c), tol, each, _SOURCE, axes=laws.axes(0, c), **how) for c in heavy.tolist()
    ]
    component = np.repeat(heavy, [part.size for part in parts])
    means, covariances = [], np.zeros((weights.size, *laws.cross.shape[-2:-1], laws.cross.shape[-2]))
    for c in range(weights.size):
        slope = laws.cross[0, c] @ _inverse(laws.covariance[0, c])
        covariances[c] = laws.prior_covariance[0, c] - slope @ laws.cross[0, c].T
        for part in (part for part, own in zip(parts, heavy) if own == c):
            away = part.fields - laws.means[0, c, : len(part.fields), None]
            means.append(laws.prior_mean[c][:, None] + slope @ away)
    joined = _joined(parts, np.concatenate([weights[c] * part.weights for c, part in zip(heavy, parts)]))
    return LoadedSites(joined, np.concatenate(means, axis=1), component, covariances)


def _inverse(covariance):
    """The pseudo-inverse of a covariance."""
    values, vectors = np.linalg.eigh(covariance)
    kept = values > _NOTHING * max(values[-1], 0.0)
    return (vectors[:, kept] / values[kept]) @ vectors[:, kept].T


def _joined(parts, weights):
    state, fields, parameters = (
        np.concatenate([getattr(part, name) for part in parts], axis=1) for name in ("state", "fields", "parameters")
    )
    first, tol = parts[0], max(part.tol for part in parts)
    return replace(first, weights=weights / weights.sum(), state=state, fields=fields, parameters=parameters, tol=tol)


def given_population(
    ensemble: Ensemble,
    fields: LoadedFields,
    overlaps: np.ndarray,
    q: np.ndarray,
    rules: tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray]]],
    tol: float,
) -> LoadedSites:
    """The population of given loadings: every unit at the nodes of what else is random.

    Parameters
    ----------
    ensemble : Ensemble
    fields : LoadedFields
    overlaps, q : (R,) and (n,) arrays
    rules : means of the V variables of each unit, (V, N), and deviations and weights along each
    tol : float, what is said to be reached
    """
    cell, K = ensemble.cell, ensemble.cell.n_fields
    means, along = rules
    V, N = means.shape
    grid = np.array(np.meshgrid(*(x for x, _ in along), indexing="ij")).reshape(V, -1)
    weight = np.ones(1)
    for _, w in along:
        weight = (weight[:, None] * w).ravel()
    values = (means[:, :, None] + grid[:, None, :]).reshape(V, -1)
    state = np.array([np.broadcast_to(s, values.shape[1]) for s in cell.compiled.fixed_state(values[:K], values[K:])])
    weights, gain = np.tile(weight, N), ensemble.array("gain")
    sites = Sites(cell, weights / weights.sum(), state, values[:K], values[K:], gain, _SOURCE, tol, None, ensemble.matrices)
    left, right = fields.low_rank.vectors  # type: ignore[misc]  # they are given
    share = fields.random.share(q)
    x = np.tile(share[:, None] * grid[:K], N)
    mean = np.concatenate([np.repeat(left, weight.size, axis=1), np.repeat(right, weight.size, axis=1), x])
    covariance = np.zeros((1, len(mean), len(mean)))
    own = range(len(mean) - K, len(mean))
    covariance[0, own, own] = fields.random.driven(q) * (1.0 - share)
    return LoadedSites(sites, mean, np.zeros(sites.size, dtype=int), covariance)
