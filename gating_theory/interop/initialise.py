"""Initialisations of recurrent layers as arrays, gates stacked in the order of a layout; bridges put them into modules [T1].

Each function gives one layer and direction, {"weight_hh": (G H, H), "bias_ih": (G H,), "bias_hh": (G H,)} of G gates and H units,
with the keys that it sets: what is not there stays as it is.
"""

from __future__ import annotations

import numpy as np

from ..ensemble.ensemble import Ensemble
from ..ensemble.hyperparameters import LARGEST
from ..ensemble.rotation_invariant import Haar
from ..networks.network import Network
from ..support.available_memory import require_memory
from ..support.checks import instance, integer, real
from .layouts import Layout, rows_by_name

__all__ = ["chrono", "of_ensemble", "orthogonal"]


def of_ensemble(layout: Layout, ensemble: Ensemble, n_units: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Recurrent weights and biases of a random network of an ensemble.

    ``Network.sample`` draws them: matrices U_k from the ensemble's law, with entries of variance gain_k^2 / H; biases and site
    parameters with its means and spreads.
    The biases of gates sit in ``bias_ih``; ``bias_hh`` is zero but for gates whose two biases are not the same thing (the GRU's
    b_hn).

    Parameters
    ----------
    layout : Layout
    ensemble : Ensemble, of the layout's cell
    n_units : int, H
    rng : numpy Generator

    Returns
    -------
    dict, {"weight_hh", "bias_ih", "bias_hh"}
    """
    instance("layout", layout, Layout)
    instance("rng", rng, np.random.Generator)
    if instance("ensemble", ensemble, Ensemble).cell != layout.cell:
        raise ValueError(f"ensemble must be one of cell {layout.cell.name!r}, got {ensemble.cell.name!r}")
    net = Network.sample(ensemble, n_units, rng)
    rows = rows_by_name(ensemble.cell, net.biases, net.parameters)
    gates = list(zip(layout.hidden, layout.input))
    return {
        "weight_hh": np.concatenate([net.matrices[ensemble.cell.field_names.index(hidden)] for hidden in layout.hidden]),
        "bias_ih": np.concatenate([rows[entry] for entry in layout.input]),
        "bias_hh": np.concatenate([rows[hidden] if hidden != entry else np.zeros(n_units) for hidden, entry in gates]),
    }


def orthogonal(layout: Layout, n_units: int, gain: float, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Independent random orthogonal matrices times ``gain``, one a gate, and no biases (Saxe, McClelland and Ganguli 2014).

    Parameters
    ----------
    layout : Layout
    n_units : int, H
    gain : float from 0 to 1e6
    rng : numpy Generator

    Returns
    -------
    dict, {"weight_hh", "bias_ih", "bias_hh"}
    """
    gates, gain = len(instance("layout", layout, Layout).hidden), real("gain", gain, low=0.0, high=LARGEST)
    n_units = integer("n_units", n_units, low=1)
    weights = (gain / np.sqrt(n_units)) * Haar().matrices(n_units, rng, gates).reshape(gates * n_units, n_units)
    return {"weight_hh": weights} | {name: np.zeros(gates * n_units) for name in ("bias_ih", "bias_hh")}


def chrono(layout: Layout, n_units: int, longest: float, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Biases that give the gates timescales up to ``longest`` steps (Tallec and Ollivier 2018); all other biases are zero.

    b = log u with u uniform in (1, longest - 1): of the forget gate, with -b at the input gate (LSTM), or of the update gate z.

    Parameters
    ----------
    layout : Layout, with gates "f" and "i" or a gate "z"
    n_units : int, H
    longest : float > 2, steps
    rng : numpy Generator

    Returns
    -------
    dict, {"bias_ih", "bias_hh"}
    """
    instance("layout", layout, Layout)
    instance("rng", rng, np.random.Generator)
    n_units, longest = integer("n_units", n_units, low=1), real("longest", longest, low=2.0, open_low=True)
    require_memory(f"biases of n_units = {n_units}", 8.0 * 3 * n_units * len(layout.hidden))
    slow = np.log(rng.uniform(1.0, longest - 1.0, n_units))
    rows = {"f": slow, "i": -slow} if "f" in layout.hidden else {"z": slow}
    biases = np.concatenate([rows.get(gate, np.zeros(n_units)) for gate in layout.hidden])
    return {"bias_ih": biases, "bias_hh": np.zeros(n_units * len(layout.hidden))}
