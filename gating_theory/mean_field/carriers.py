"""How few sites carry an average, and how many units a network needs to have any of them [T12].

Averages over sites such as alpha, by which small moments grow, are those of a network of N units where many sites contribute. Where
leaks are spread widely half of such an average comes from sites in the tail of the fields' law, and networks of fewer units than
one over the fraction of these have none of them: what the average says happens in no such network.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..ensemble.ensemble import Ensemble
from ..ensemble.populations import far_population
from ..ensemble.quadrature import FieldLaw
from ..ensemble.sites import Sites
from .expansion import linear_map
from .moments import MomentMap

__all__ = ["fewest_units", "half_share_of_growth", "half_shares", "in_few_sites", "share_of_half"]

#: Tolerances of far populations one after the other, how close averages have to come to the exact ones, and nodes at most.
_TOLS, _CLOSE, _NODES = (0.1, 0.01, 1e-3), 0.02, 1_000_000
#: Networks that need no more units than this are ordinary ones: nothing is said of them.
_NOTABLE = 300.0
#: Numbers of units up to this are written out; smaller shares than the last are not told apart.
_WRITTEN, _LEAST = 1e7, 1e-15


def half_shares(ensemble: Ensemble, law: FieldLaw, phi: Callable[[Sites], np.ndarray], exact: np.ndarray) -> list[float]:
    """The fractions of all sites that carry half of some averages.

    Parameters
    ----------
    ensemble : Ensemble
    law : FieldLaw, a batch of one
    phi : callable(Sites) -> (L, M) array, not negative: what is averaged
    exact : (L,) array
        The averages. What a population of the law misses of them is taken to lie in the fewest sites.
    """
    for tol in _TOLS:
        sites = far_population(ensemble, law, tol, _NODES, "mean field")
        values = phi(sites)
        if (np.abs(values @ sites.weights / exact - 1.0) < _CLOSE).all() or sites.tol > tol:
            break
    return [share_of_half(one, sites.weights, value) for one, value in zip(values, exact)]


def share_of_half(phi: np.ndarray, weights: np.ndarray, exact: float) -> float:
    """The weight of the sites with the largest phi that carry half of its average, between two of them by interpolation.

    Parameters
    ----------
    phi, weights : (M,) arrays
    exact : float, the average
    """
    order = np.argsort(-phi)
    part, whole = (phi * weights)[order], weights[order]
    live = part > 0.0
    carried, weight = np.cumsum(part[live]), np.cumsum(whole[live])
    wanted = 0.5 * exact - max(0.0, exact - carried[-1])
    # a site stands for others around it, half of which carry more
    carried, weight = np.append(0.0, carried - 0.5 * part[live]), np.append(0.0, weight - 0.5 * whole[live])
    return float(np.interp(wanted, carried, weight))


def half_share_of_growth(ensemble: Ensemble) -> float:
    """The fraction of all sites that carry half of alpha, the growth of small moments: T(1) of the zero state; nan where unknown.

    alpha is the Perron value of A, and a site's part in it is u A_s v / (u v), with the vectors of A and the site's own A_s, which
    has elements a_l^2 (dm_k/dy_l)^2.

    Parameters
    ----------
    ensemble : Ensemble with a zero state
    """
    moments = MomentMap(ensemble)
    law = moments.law(np.zeros((1, moments.n)))
    if not law.stds.any():
        return 0.5
    A, _ = linear_map(ensemble, second_order=False)
    if not np.isfinite(A).all():
        return float("nan")
    (alpha, v), (_, u) = (_perron(M) for M in (A, A.T))
    if not alpha > 0.0 or u @ v == 0.0:
        return float("nan")
    compiled, a2, listens = ensemble.cell.compiled, moments.random.gain2, moments.random.listens

    def phi(sites):
        minors = compiled.minors(1, sites.state, sites.fields, sites.parameters)
        chi, parts = minors[((), ())][0], np.zeros((1, sites.size))
        for (rows, columns), minor in minors.items():
            if len(rows) == 1:
                (k,), (l,) = rows, columns
                parts += u[k] * v[listens[l]] * a2[l] * (minor[0] / chi) ** 2
        return parts / (u @ v)

    with np.errstate(all="ignore"):
        return half_shares(ensemble, law, phi, np.array([alpha]))[0]


def _perron(A):
    """The largest eigenvalue of a matrix that is not negative, and its vector, which is not negative either."""
    values, vectors = np.linalg.eig(A)
    i = int(np.argmax(values.real))
    return float(values[i].real), np.abs(vectors[:, i].real)


# --- in words


def fewest_units(half_share: float | None) -> str:
    """The units below which networks have none of the sites that carry half of an average, as words; empty where they are few.

    Parameters
    ----------
    half_share : float or None, the fraction of the sites; nan and None where it is not known
    """
    if half_share is None or not half_share * _NOTABLE < 1.0:
        return ""
    needed = 1.0 / max(half_share, _LEAST)
    digits = int(np.floor(np.log10(needed))) - 1
    return f"{round(needed, -digits):,.0f}" if needed < _WRITTEN else f"{needed:.1g}"


def in_few_sites(half_share: float | None, lam: float, ask: str) -> str:
    """What a status says of networks that are too small to have the sites a critical value depends on; empty where there are none.

    Parameters
    ----------
    half_share : float or None, as of :func:`fewest_units`
    lam : float, where T is carried by so few sites
    ask : str, how values of networks are asked for
    """
    needed = fewest_units(half_share)
    if not needed:
        return ""
    carried = f"half of T({lam:.6g}) comes from {half_share:.1g} of the sites"
    return f"; networks of less than {needed} units do not show it: {carried}; {ask}"
