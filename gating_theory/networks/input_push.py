"""The derivative of one step of a network by what drives it: input to its fields, and to its site parameters [T2]."""

from __future__ import annotations

import numpy as np

from ..support.arithmetic import underflow_is_zero
from ..support.checks import instance, real_array
from .network import Network

__all__ = ["input_push"]


@underflow_is_zero
def input_push(net: Network, state: np.ndarray, input: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    """The derivative of one step along directions of the input and the site parameters, exact [T2].

    dy_k = U_k (M_y dy + M_p dp)_k + dI_k, field after field, then ds' = F_y dy + F_p dp: what ``Network.push`` is along directions
    of the state.

    Parameters
    ----------
    net : Network, under its input
    state : (d, N) or (B, d, N) array
    input : (K, N, m) array, m directions dI of the input, the same for all networks of a batch
    parameters : (P, N, m) array, the same of the site parameters, dp

    Returns
    -------
    (d, N, m) or (B, d, N, m) array

    Raises
    ------
    TypeError, ValueError
        arrays of another shape
    """
    net = instance("net", net, Network)
    state, input, parameters = net.as_state(state), real_array("input", input), real_array("parameters", parameters)
    cell, n = net.cell, net.n_units
    for name, array, rows in (("input", input, cell.n_fields), ("parameters", parameters, cell.n_parameters)):
        if array.ndim != 3 or array.shape[:2] != (rows, n) or array.shape[2] != input.shape[-1]:
            raise ValueError(f"{name} must have shape ({rows}, {n}, m), got {array.shape}")
    fields = net.fields(state)
    arrays = [[each[..., i, :] for i in range(each.shape[-2])] for each in (state, fields, net.parameters)]
    own, by_parameters = cell.compiled.blocks(*arrays), cell.compiled.parameter_blocks(*arrays)
    site = state.shape[:-2] + (n,)

    def total(row, *terms):
        """Sum over (block, parts) and j of block[row, j] parts[j]; None where all vanish."""
        out = None
        for block, parts in terms:
            for j, part in enumerate(parts):
                slope = block.get((row, j))
                if slope is not None:
                    term = np.broadcast_to(slope, site)[..., None] * part
                    out = term if out is None else out + term
        return out

    dp: list[np.ndarray] = list(parameters)
    dy: list[np.ndarray] = []
    for k in range(cell.n_fields):
        message = total(k, (own["M_y"], dy), (by_parameters["M_p"], dp))
        dy.append(input[k] if message is None else input[k] + np.matmul(net.matrices[..., k, :, :], message))
    out = np.zeros((*state.shape, input.shape[-1]))
    for i in range(cell.n_state):
        moved = total(i, (own["F_y"], dy), (by_parameters["F_p"], dp))
        if moved is not None:
            out[..., i, :, :] = moved
    return out
