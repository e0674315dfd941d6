"""Populations of sites at fixed points, made by tensor quadrature of the law of the fields [T5, T7]."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from ..support.checks import integer, real_array, shown
from .ensemble import Ensemble
from .lines import Line, Sections, lines
from .loaded_fields import Axes
from .quadrature import FieldLaw
from .saturation import saturated
from .sites import Sites
from .vanishing import leak_places, vanishing_places

__all__ = ["far_population", "population", "staggered"]

#: Nodes that together weigh less than this part of the tolerance are dropped; so the grid may have that many more of them.
_LIGHT, _GRID = 0.1, 4
#: The part of that which may be lost with the light nodes of the first variables, each time.
_EARLY = 0.1
#: One node stands for all values of a variable beyond which functions change by less than this part of their size, and than so many
#: times the tolerance.
_CALM, _CALM_TOLERANCES = 3e-4, 3.0
#: The power of a tolerance that had to be raised, for which tails are kept.
_TAIL = 4.0 / 3.0
#: Populations that reach far: the weight that their rules leave out, how many nodes they have at least, and the tolerance of rules
#: that cluster.
_FAR, _LEAST_NODES, _CLUSTERED = 1e-13, 10_000, 1e-5
#: Parts of a step by which a line is shifted for each step along other variables: irrational and unlike one another.
_SHEARS = (0.6180339887498949, 0.41421356237309515, 0.7320508075688772, 0.23606797749978969, 0.6457513110645906, 0.1231056256176605)


def population(
    ensemble: Ensemble,
    law: FieldLaw,
    tol: float,
    max_nodes: int,
    source: str,
    *,
    even: frozenset[int] = frozenset(),
    refine: Sequence[float] = (),
    leak_nodes: int = 1,
    leaks: Sequence[float] = (),
    tilt: Callable[[list[np.ndarray]], np.ndarray] | None = None,
    share: np.ndarray | None = None,
    axes: Axes | None = None,
) -> Sites:
    """Sites whose averages are accurate to about ``tol`` for smooth functions; ``sites.tol`` is the tolerance reached.

    Parameters
    ----------
    ensemble : Ensemble, with a fixed state of a site at given fields
    law : FieldLaw, a batch of one: fields and site parameters before a tilt
    tol : float
    max_nodes : int >= 1
        The population is kept to about this size by raising the tolerance.
    source : str, what the population is of
    even : variables of which one sign is kept, with doubled weight
    refine : (V,) sequence of numbers >= 1, optional
        Multiply the nodes of each variable; the tolerance is raised where ``max_nodes`` would be exceeded.
    leak_nodes : int >= 1
        Multiplies the nodes of the fields that set the leak (less where ``max_nodes`` would be exceeded).
    leaks : sequence of float
        Nodes cluster where a site's own leak is one of these real numbers: spectra are evaluated at them, or next to them.
    tilt : callable(list of (M,) arrays, one a variable) -> (M,) array, optional
        Factor by which the sites are favoured over the Gaussian law.
    share : (K,) array, optional
        Part of each field's deviation from its mean that comes through its matrix, given the site: what outliers need.
    axes : Axes, optional
        Coordinates that are independent, where the variables are not: ``law`` is then that of the variables one by one, and nodes
        cluster along those only that are coordinates.

    Returns
    -------
    Sites

    Raises
    ------
    TypeError, ValueError
        ``max_nodes``, ``leak_nodes`` or ``leaks`` is none
    """
    max_nodes, leak_nodes = integer("max_nodes", max_nodes, low=1), integer("leak_nodes", leak_nodes, low=1)
    near = real_array("leaks", leaks)
    if near.ndim != 1:
        raise ValueError(f"leaks must be a sequence of real numbers, got {shown(leaks)}")
    cell = ensemble.cell
    poles = cell.compiled.pole_variables
    mixed = frozenset() if axes is None else axes.mixed
    places = tuple(tuple({*a, *b}) for a, b in zip(vanishing_places(ensemble, law), leak_places(ensemble, law, near.tolist())))
    places = tuple(() if v in mixed else place for v, place in enumerate(places))
    made = partial(_lines, ensemble, law, even=even - mixed, places=places, mixed=mixed)
    law = replace(law if axes is None else axes.law, refine=_refinement(refine, law.means.size))
    reached, tail, rules = _affordable(made, law, tol, _GRID * max_nodes)
    if leak_nodes > 1:
        spread = sum(bool(law.stds[0, v]) for v in poles)
        each = int((_GRID * max_nodes / _size(rules)) ** (1.0 / max(1, spread)) + 1e-9)
        rules = made(law.refined(poles, max(1, min(leak_nodes, each))), reached, tail)
    light = _LIGHT * tail
    flat, weights = staggered(rules, poles, light if tilt is None else 0.0)
    if axes is not None:
        flat = axes.variables(flat)
    if tilt is not None:
        weights = weights * tilt(flat)
        keep, _ = _heavy(weights, light * weights.sum())
        flat, weights = [v[keep] for v in flat], weights[keep]
    weights = weights / weights.sum()
    recurrent = None if share is None else share[:, None] * (np.array(flat[: cell.n_fields]) - law.means[: cell.n_fields, None])
    return _sites(ensemble, flat, weights, source, reached, recurrent)


def far_population(
    ensemble: Ensemble, law: FieldLaw, tol: float, max_nodes: int, source: str, tail: float = _FAR, clustered: bool = True
) -> Sites:
    """Sites out to seven standard deviations, for averages that few of them carry; steps are made for ``tol``, and coarser never.

    Few variables have many nodes, so that quantiles over sites are smooth as well.

    Parameters
    ----------
    ensemble : Ensemble, with a fixed state of a site at given fields
    law : FieldLaw, a batch of one
    tol : float
    max_nodes : int, above which the steps are made for larger tolerances after all; ``sites.tol`` is the one reached
    source : str, what the population is of
    tail : float, the weight that the rules leave out: smaller ones reach further
    clustered : bool, whether nodes cluster where determinants vanish
    """
    compiled = ensemble.cell.compiled
    nowhere = ((),) * law.means.size
    places = vanishing_places(ensemble, law) if clustered else nowhere

    def rules(law, tol):
        plain = lines(law, tol, compiled.even_variables, nowhere, tail)
        near = lines(law, min(tol, _CLUSTERED), compiled.even_variables, places, tail) if any(places) else plain
        return [b if place else a for a, b, place in zip(plain, near, places)]

    made = rules(law, tol)
    while _size(made) > max_nodes and tol < 0.1:
        tol = min(0.1, 10.0 * tol)
        made = rules(law, tol)
    varied = max(1, sum(rule.size > 1 for rule in made))
    denser = (_LEAST_NODES / _size(made)) ** (1.0 / varied)
    if denser > 1.0:
        made = rules(replace(law, refine=(denser,) * law.means.size), tol)
    flat, weights = staggered(made, compiled.pole_variables, tail)
    return _sites(ensemble, flat, weights / weights.sum(), source, tol, None)


def _sites(ensemble, flat, weights, source, tol, recurrent):
    """Sites at flat values of the variables, one array each."""
    cell, K = ensemble.cell, ensemble.cell.n_fields
    state = np.array([np.broadcast_to(s, weights.size) for s in cell.compiled.fixed_state(flat[:K], flat[K:])])
    parameters = np.array(flat[K:]).reshape(cell.n_parameters, weights.size)
    fields, gain = np.array(flat[:K]), ensemble.array("gain")
    return Sites(cell, weights, state, fields, parameters, gain, source, tol, recurrent, ensemble.matrices)


def _refinement(refine, variables):
    """Factors for the nodes of so many variables, checked; none stands for 1 each."""
    factors = real_array("refine", refine)
    if factors.size == 0:
        return ()
    if factors.shape != (variables,) or not (factors >= 1.0).all():
        raise ValueError(f"refine must be {variables} numbers that are at least 1, one for each variable, got {shown(refine)}")
    return tuple(factors.tolist())


def _lines(ensemble, variables, law, tol, tail, even, places, mixed):
    """Rules of all coordinates, of a law; ``variables`` is the law of the variables.

    Those that set the leak have nodes of all sizes: lambda may be as close to the leaks' limits.
    """
    calm = saturated(ensemble, variables, min(_CALM, _CALM_TOLERANCES * tol))
    calm[(calm > law.stds[0, :, None]).any(axis=1)] = np.inf
    calm[[*ensemble.cell.compiled.pole_variables, *mixed]] = np.inf
    return lines(law, tol, even, places, tail, [(-low, high) for low, high in calm.tolist()])


def _affordable(made, law, tol, most):
    """(tol, tail, lines): the smallest of tol, tol sqrt(10), 10 tol, ... whose grid has at most ``most`` nodes (0.1 at most).

    Only steps are made for a tolerance that had to be raised: averages lose all of the weight that is left out, of the error of a
    step, which differs from line to line, only a part.
    """
    wanted = tol
    while True:
        tail = max(wanted, tol**_TAIL)
        rules = made(law, tol, tail)
        if tol >= 0.1 or _size(rules) <= most:
            return tol, tail, rules
        tol = min(0.1, tol * np.sqrt(10.0))


def _size(rules):
    return float(np.prod([line.size for line in rules], dtype=float))


def staggered(rules: Sequence[Line | Sections], last: Sequence[int], light: float = 0.0) -> tuple[list[np.ndarray], np.ndarray]:
    """A tensor grid, each line of which is shifted by another part of its step: (flat values, one array a line; flat weights).

    The determinants of [T4] vanish on surfaces in the space of a site's variables, or nearly so, and sites whose own leak equals
    lambda are among these. An aligned grid has whole planes of nodes on such a surface or at the same distance from it. A
    trapezoidal rule may be shifted freely: each variable's is, by the golden ratio and its like for every step along the variables
    before it, so that no two lines meet a surface alike. The sum over a variable at given nodes of those before it keeps its
    accuracy, and so does the whole.

    Parameters
    ----------
    rules : sequence of Line
    last : the variables that are to be shifted by all others, those that set the leak
    light : weight of the nodes that are left out, at most; lines through light nodes of the variables before are not made at all
    """
    order = [v for v in range(len(rules)) if v not in last] + list(last)
    values: dict[int, np.ndarray] = {}
    weights, before = np.ones(1), np.zeros(1)  # before: index of the variables that came so far, each times its shear
    for place, v in enumerate(order):
        y, w = rules[v].nodes(before[:, None] % 1.0 - 0.5)
        whole = weights[:, None] * w
        keep, dropped = _heavy(whole.ravel(), light if place == len(order) - 1 else _EARLY * light)
        light -= dropped
        line, node = np.divmod(keep, whole.shape[1])
        values = {u: known[line] for u, known in values.items()}
        values[v], weights = np.broadcast_to(y, whole.shape)[line, node], whole[line, node]
        before = before[line] + (_SHEARS[place % len(_SHEARS)] * node if whole.shape[1] > 1 else 0.0)
    return [values[v] for v in range(len(rules))], weights


def _heavy(weights, light):
    """Indices of all but the lightest, which together weigh less than ``light``, and how much these weigh."""
    ascending = np.sort(weights)
    total = np.cumsum(ascending)
    dropped = int(np.searchsorted(total, light)) if light > 0.0 else 0
    least = ascending[dropped]
    keep = np.flatnonzero(weights >= least)
    return keep, float(total[dropped - 1]) if dropped else 0.0
