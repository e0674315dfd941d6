"""What every eigenvalue of a network's Jacobian consists of: leaks, and random and learned weights by field [T11]."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..networks.network import Network
from ..running.blas import single_blas_thread

__all__ = ["ModeShares", "mode_shares", "with_matrices_at"]

#: Cosine of the angle between left and right vector below which shares have no digits left.
_ILL = 1e-10


class ModeShares(NamedTuple):
    """Shares of all d N eigenvalues of one Jacobian.

    Attributes
    ----------
    eigenvalues : (d N,) complex array
    on_unit : (d N,) array, the largest share of one unit in the sum of all units' |psi phi|; 0 where shares are not known
    leak : (d N,) array
    random, learned : (K, d N) arrays
    """

    eigenvalues: np.ndarray
    on_unit: np.ndarray
    leak: np.ndarray
    random: np.ndarray
    learned: np.ndarray


def mode_shares(net: Network, state: np.ndarray, random: np.ndarray, learned: np.ndarray) -> ModeShares:
    """Exact additive shares of every eigenvalue, by its left and right vectors psi and phi with psi phi = 1 [T11].

    lambda = psi F_s phi + sum_k psi F_y,k R_k dm_k + sum_k psi F_y,k L_k dm_k with dm_k = (M_s phi + M_y dy)_k and dy_k = U_k dm_k,
    field after field. A share is the real part after multiplication by conj(lambda) / |lambda|: they sum to |lambda|.

    Parameters
    ----------
    net : Network, a single one
    state : (d, N) array
    random, learned : (K, N, N) arrays, whose sum are the network's matrices

    Returns
    -------
    ModeShares, nan where left and right vectors are orthogonal to rounding
    """
    from scipy import linalg

    d, n = net.cell.n_state, net.n_units
    with single_blas_thread():
        values, left, right = linalg.eig(net.jacobian(state), left=True, right=True)
    psi, phi = left.conj().reshape(d, n, -1), right.reshape(d, n, -1)
    overlap = (psi * phi).sum(axis=(0, 1))
    known = np.abs(overlap) > _ILL
    scale = np.where(known, 1.0 / np.where(known, overlap, 1.0), np.nan)
    there = np.abs((psi * phi).sum(axis=0))
    on_unit = there.max(axis=0) / np.where(known, there.sum(axis=0), np.inf)
    with single_blas_thread():
        leak, by_field = _parts(net, state, psi, phi, (random, learned))
    modulus = np.abs(values)
    turn = scale * np.where(modulus > 0.0, values.conj() / np.where(modulus > 0.0, modulus, 1.0), 1.0)
    return ModeShares(values.astype(complex), on_unit, (leak * turn).real, *((part * turn).real for part in by_field))


def with_matrices_at(net: Network, state: np.ndarray, matrices: np.ndarray) -> Network:
    """The network with other matrices whose fields at this state are those of the given one: its sites there stay as they are.

    Parameters
    ----------
    net : Network, a single one
    state : (d, N) array
    matrices : (K, N, N) array
    """
    fields = net.fields(state)
    messages = [
        np.broadcast_to(net.cell.compiled.message(k, list(state), list(fields), list(net.parameters)), net.n_units)
        for k in range(net.cell.n_fields)
    ]
    through = np.einsum("kij,kj->ki", matrices, np.array(messages))
    return Network(net.ensemble, matrices, net.biases, net.parameters, fields - net.biases - through)


def _parts(net, state, psi, phi, matrices):
    """psi F_s phi, (M,), and psi F_y,k X_k dm_k of each stack of matrices X, (K, M) each."""
    fields = net.fields(state)
    blocks = net.cell.compiled.blocks(list(state), list(fields), list(net.parameters))
    n, size = net.n_units, phi.shape[-1]

    def combined(block, row, vectors):
        terms = [_column(value, n) * vectors[j] for (i, j), value in blocks[block].items() if i == row]
        return sum(terms) if terms else np.zeros((n, size), dtype=complex)

    leak = sum((psi[i] * combined("F_s", i, phi)).sum(axis=0) for i in range(len(phi)))
    moved: list[np.ndarray] = []
    by_field = np.zeros((len(matrices), net.cell.n_fields, size), dtype=complex)
    for k in range(net.cell.n_fields):
        message = combined("M_s", k, phi) + combined("M_y", k, moved)
        heard = sum((_column(value, n) * psi[a] for (a, j), value in blocks["F_y"].items() if j == k), np.zeros((n, size)))
        through = [stack[k] @ message for stack in matrices]
        by_field[:, k] = [(heard * part).sum(axis=0) for part in through]
        moved.append(sum(through))
    return leak, by_field


def _column(value, n):
    return np.broadcast_to(value, n)[:, None]
