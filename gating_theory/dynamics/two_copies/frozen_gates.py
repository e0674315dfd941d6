"""Sites that never forget: where a leak depends on a field that stands still, some have leaks as near to 1 as one likes [T8b].

If a field on which the leak depends has a static Gaussian part (a fixed point, a spread of biases, a message with a mean), sites
far out in it forget at rates as small as one likes, and the average over sites falls slower than any exponential: strictly the
conditional exponent is zero from below for N -> infinity first, and what quadrature or a network reports is a window. Gates that
move, and constant ones, have a proper rate.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import product

import numpy as np

from ...ensemble.ensemble import Ensemble

__all__ = ["frozen_fields", "unforgetting"]

#: Numbers that stand for infinite ones in a frozen field, and how near to 1 a leak then comes if it reaches it.
_FAR, _NEAR = 1e6, 1e-5
#: Steps in which a site comes to rest under fields that stand still.
_STEPS = 400
#: Random points at which a symmetry is looked at, what it may be off by, and the most signs that are tried.
_POINTS, _SAME, _SIGNS = 32, 1e-9, 12


def frozen_fields(ensemble: Ensemble) -> frozenset[int]:
    """The fields of a *moving* state that have a static part, by their numbers: beta_k > 0, or a message with C(infinity) > 0.

    C(infinity) of a message vanishes where a symmetry of the site turns its sign without touching a field that has a bias or a
    static part. States that break such a symmetry are not thought of.

    Parameters
    ----------
    ensemble : Ensemble
    """
    spread, gain = ensemble.array("bias_std"), ensemble.array("gain")
    still = frozenset(np.flatnonzero(spread > 0.0).tolist())
    while True:
        turned = _turned(ensemble, still)
        new = {k for k, m in enumerate(ensemble.cell.message_of) if spread[k] > 0.0 or (gain[k] > 0.0 and m not in turned)}
        if new <= still:
            return still
        still |= new


def _turned(ensemble, still):
    """Distinct messages whose sign some symmetry turns that leaves all fields with biases or static parts as they are."""
    cell = ensemble.cell
    fixed = {k for k in range(cell.n_fields) if k in still or ensemble.array("bias")[k] != 0.0}
    free = [k for k in range(cell.n_fields) if k not in fixed]
    if cell.n_state + len(free) > _SIGNS:
        return set()
    rng = np.random.default_rng(0)
    state, fields = rng.standard_normal((cell.n_state, _POINTS)), rng.standard_normal((cell.n_fields, _POINTS))
    parameters = np.repeat(ensemble.array("parameter")[:, None], _POINTS, axis=1)
    here = _site(cell, state, fields, parameters)
    found: set[int] = set()
    for signs in product((1.0, -1.0), repeat=cell.n_state + len(free)):
        of_state, of_fields = np.array(signs[: cell.n_state])[:, None], np.ones((cell.n_fields, 1))
        of_fields[free, 0] = signs[cell.n_state :]
        there = _site(cell, of_state * state, of_fields * fields, parameters)
        if _alike(there[0], of_state * here[0]):
            found |= {m for m in range(cell.n_messages) if _alike(there[1][m], -here[1][m])}
    return found


def _site(cell, state, fields, parameters):
    """(update, messages) at points."""
    rows = cell.compiled.update(state, fields, parameters), cell.compiled.messages(state, fields, parameters)
    return tuple(np.array([np.broadcast_to(row, state.shape[1]) for row in some]) for some in rows)


def _alike(a, b):
    return bool(np.abs(a - b).max() <= _SAME * (1.0 + np.abs(b).max()))


def unforgetting(ensemble: Ensemble, frozen: Collection[int], flow: bool = False) -> tuple[str, ...]:
    """Names of the fields and parameters whose static spread gives some sites a leak that reaches 1; empty where none does.

    Parameters
    ----------
    ensemble : Ensemble
    frozen : numbers of the fields that have a static Gaussian part
    flow : bool, whether slow means eigenvalues of F_s whose real part reaches 1, and not their modulus
    """
    cell = ensemble.cell
    spread = [k for k, std in enumerate(ensemble.array("parameter_std")) if std > 0.0]
    names = [cell.field_names[k] for k in sorted(frozen)] + [cell.parameter_names[k] for k in spread]
    places = np.array(list(product((0.0, -_FAR, _FAR), repeat=len(names)))).T
    if not names:
        return ()
    n = places.shape[1]
    fields = np.repeat(ensemble.array("bias")[:, None], n, axis=1)
    parameters = np.repeat(ensemble.array("parameter")[:, None], n, axis=1)
    fields[sorted(frozen)] += places[: len(frozen)]
    parameters[spread] += places[len(frozen) :]
    leaks = _leaks(cell, fields, parameters, flow)
    if not leaks.max() >= 1.0 - _NEAR:
        return ()
    matters = [leaks[row == 0.0].max() < 1.0 - _NEAR for row in places]
    # a gate that reaches 1 by another field too has several that matter, none of them alone
    return tuple(name for name, one in zip(names, matters) if one) or tuple(names)


def _leaks(cell, fields, parameters, flow):
    """The slowest eigenvalue of F_s at sites that have come to rest under their fields; 0 where that is not finite."""
    d, n = cell.n_state, fields.shape[1]
    state = np.zeros((d, n))
    with np.errstate(all="ignore"):
        for _ in range(_STEPS):
            state = np.array([np.broadcast_to(row, n) for row in cell.compiled.update(state, fields, parameters)])
        F_s = np.zeros((n, d, d))
        for (i, j), block in cell.compiled.blocks(state, fields, parameters)["F_s"].items():
            F_s[:, i, j] = block
        F_s[~np.isfinite(F_s).all(axis=(1, 2))] = 0.0
        values = np.linalg.eigvals(F_s)
    return (values.real if flow else np.abs(values)).max(axis=1)
