"""The share of the networks of N units whose radius or abscissa is beyond a value, as a quantity along a path [T12]."""

from __future__ import annotations

from functools import partial

import numpy as np

from ..ensemble.ensemble import Ensemble
from ..spectrum.finite_size import share_beyond
from ..sweeps.quantity import Quantity
from ..sweeps.request import Request
from .measure import Measure

__all__ = ["HALF", "LAWS", "NetworksBeyond", "no_law"]

#: Quantities whose law over networks of N units is known, and the share of them that is beyond a critical value.
LAWS = ("radius", "abscissa")
HALF = 0.5


def no_law(what: str, n_units: int) -> ValueError:
    """Why a size of networks is refused, and what to ask instead.

    Parameters
    ----------
    what : str, a quantity or a line, which is of the limit of large networks
    n_units : int
    """
    instead = f"critical(ensemble, path, 'abscissa', 1, n_units={n_units}) finds one point"
    return ValueError(
        f"n_units must be None for {what}, which is of the limit of large networks, got {n_units}; "
        f"at finite N laws of {list(LAWS)} are known: {instead}"
    )


class NetworksBeyond(Measure):
    """The share of the networks of N units whose radius or abscissa is beyond a value.

    The same normals are drawn at all values of a path, so that the share is a smooth function of these.

    Parameters
    ----------
    ensemble : Ensemble
    quantity : "radius" or "abscissa"
    value : float
    n_units, n_draws : int
    seed : int

    Raises
    ------
    CapabilityError
        the law is not known for the ensemble's matrices
    """

    def __init__(self, ensemble: Ensemble, quantity: str, value: float, n_units: int, n_draws: int, seed: int) -> None:
        ensemble.require("finite size", "critical(.., n_units=)", "eigenvalues of sampled networks: Network.eigenvalues")
        share = partial(_share, quantity, value, n_units, n_draws, seed)
        error = partial(_error, quantity, value, n_units, n_draws, seed)
        entry = Quantity(share, (), of="fixed_point", costly=True, accuracy=error)
        super().__init__(Request(f"share of the networks of {n_units} units beyond {quantity} = {value:g}", entry), {})
        self.kind, self.n_units = quantity, n_units


def _share(quantity, value, n_units, n_draws, seed, point):
    return float(share_beyond(point, quantity, value, n_units, n_draws, np.random.default_rng(seed)).mean())


def _error(quantity, value, n_units, n_draws, seed, point, _):
    """The standard error of the share, from its spread over draws."""
    each = share_beyond(point, quantity, value, n_units, n_draws, np.random.default_rng(seed))
    return float(each.std(ddof=min(1, n_draws - 1)) / np.sqrt(n_draws))
