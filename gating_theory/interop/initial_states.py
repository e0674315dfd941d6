"""States in which recurrent layers begin, as PyTorch gives them or as this package keeps them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..support.checks import real_array, shown
from .sequences import plain

if TYPE_CHECKING:
    from ..cell.cell import Cell

__all__ = ["initial_states", "one_state"]

Place = tuple[int, str]


def initial_states(state: Any, places: Iterable[Place], cell: Cell, n_units: int, n_sequences: int) -> dict[Place, np.ndarray]:
    """{(layer, direction): (B, d, N)}: what each layer and direction of a module begins in.

    Parameters
    ----------
    state : None, array, tensor, (h_0, c_0), or dict
        None: zero. As PyTorch has it: h_0 of shape (L D, B, N), for cells of several state variables a tuple of one for each, each
        also (L D, N) for a single sequence and, as Keras has it, (B, N) for a single layer and direction; layers in order, forward
        before reverse. As this package has it: {(layer, direction): (B, d, N) or (d, N)}, zero for what is missing; for a single
        layer and direction (B, d, N) or (d, N) itself.
    places : iterable of (layer, direction), in PyTorch's order
    cell : Cell
    n_units, n_sequences : int, N and B

    Raises
    ------
    TypeError, ValueError
        another shape, not real numbers, not finite, layers that are not there
    """
    places = list(places)
    shape = (n_sequences, cell.n_state, n_units)
    if state is None:
        return {place: np.zeros(shape) for place in places}
    if isinstance(state, Mapping):
        strange = [place for place in state if place not in places]
        if strange:
            raise ValueError(f"state must be a dict by (layer, direction) of {places}, got the key {shown(strange[0])}")
        return {place: one_state(f"state[{place}]", state.get(place), *shape) for place in places}
    if isinstance(state, tuple) or (isinstance(state, list) and cell.n_state > 1 and len(state) == cell.n_state):
        return _of_variables(state, places, cell, shape)
    array = real_array("state", plain(state))
    if cell.n_state == 1 and array.shape in _as_torch(len(places), shape):
        return _of_variables((array,), places, cell, shape)
    if len(places) == 1 and array.shape in (shape, shape[1:]):
        return {places[0]: one_state("state", array, *shape)}
    variables = " and ".join(f"{name}_0" for name in cell.state_names)
    own = "an array" if len(places) == 1 else "a dict by (layer, direction) of arrays"
    as_torch = f"{variables} of shape {_as_torch(len(places), shape)[0]}"
    raise ValueError(f"state must be {as_torch}, or {own} of shape {shape}, got shape {array.shape}")


def one_state(name: str, state: Any, n_sequences: int, n_variables: int, n_units: int) -> np.ndarray:
    """(B, d, N) state of one layer: of every sequence, or (d, N) the same for all; None is zero.

    Parameters
    ----------
    name : str, of the argument
    state : array or None
    n_sequences, n_variables, n_units : int, B, d and N
    """
    shape = (n_sequences, n_variables, n_units)
    if state is None:
        return np.zeros(shape)
    array = real_array(name, plain(state))
    if array.shape not in (shape, shape[1:]):
        raise ValueError(f"{name} must have shape {shape} or {shape[1:]}, got {array.shape}")
    return np.array(np.broadcast_to(array, shape))


def _as_torch(n_places, shape):
    """The shapes of PyTorch's h_0, and Keras's of one layer, (B, N)."""
    n_sequences, _, n_units = shape
    shapes = [(n_places, n_sequences, n_units)]
    if n_sequences == 1:
        shapes.append((n_places, n_units))
    if n_places == 1:
        shapes.append((n_sequences, n_units))
    return shapes


def _of_variables(arrays, places, cell, shape):
    """States from one (L D, B, N) array for each state variable."""
    if len(arrays) != cell.n_state:
        raise ValueError(f"state must be a tuple of {cell.n_state} arrays, {list(cell.state_names)}, got {len(arrays)}")
    batched = (len(places), shape[0], shape[2])
    states = np.empty((len(places), *shape))
    for i, given in enumerate(arrays):
        array = real_array(f"state[{i}]", plain(given))
        if array.shape not in _as_torch(len(places), shape):
            raise ValueError(f"state[{i}] must have shape {batched}, got {array.shape}")
        states[:, :, i] = array.reshape(batched)
    return dict(zip(places, states))
