"""What the parameters of a flow may be given as: arrays, mappings from names, descriptions; made to arrays of one shape."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..cell.cell import Cell
from ..support.checks import real_array, shown
from .input import Noise, Periodic, Piecewise, field_values

__all__ = ["by_name", "field_sites", "field_stack", "fitted_input"]


def fitted_input(input: Any, cell: Cell, n: int) -> np.ndarray | Piecewise | Periodic | Noise | None:
    """An input as a flow keeps it: None, a (K, N) array, or an object with its values for all fields and units."""
    if input is None:
        return None
    if isinstance(input, (Piecewise, Periodic, Noise)):
        return input.fitted(cell.field_names, n)
    return np.array(field_values("input", input, cell.field_names, n))


def by_name(cell: Cell, values: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Matrices, biases and site parameters (or None) from arrays by name; what is left out is 0."""
    places = {f"U_{k}": 2 for k in cell.field_names} | {f"b_{k}": 1 for k in cell.field_names}
    places |= dict.fromkeys(cell.parameter_names, 1)
    given = {}
    for name, value in values.items():
        if name not in places:
            raise ValueError(f"the description has an unknown entry {shown(name)}; allowed are cell, {', '.join(places)}")
        array = real_array(name, value)
        given[name] = array.reshape((1,) * places[name]) if array.ndim == 0 else array
    if not given:
        raise ValueError(f"the description must have at least one of {', '.join(places)}")
    first, n = next(iter(given)), next(iter(given.values())).shape[-1]
    for name, array in given.items():
        if array.shape != (n,) * places[name]:
            raise ValueError(f"{name} must have shape {(n,) * places[name]}, as {first} has {n} columns; got {array.shape}")

    def stack(names: Iterable[str]) -> np.ndarray:
        return np.array([given.get(name, np.zeros((n,) * places[name])) for name in names])

    fields = cell.field_names
    parameters = stack(cell.parameter_names) if cell.parameter_names else None
    return stack(f"U_{k}" for k in fields), stack(f"b_{k}" for k in fields), parameters


def field_stack(name: str, value: Any, labels: Sequence[str], dimensions: int) -> np.ndarray:
    """A stack of arrays, one for each label, from an array or from a mapping with some of the labels."""
    if not isinstance(value, Mapping):
        return real_array(name, value)
    unknown = [key for key in value if key not in labels]
    if unknown:
        raise ValueError(f"{name} has the unknown key {shown(unknown[0])}; allowed are {list(labels)}")
    if not value:
        raise ValueError(f"{name} must name at least one of {list(labels)}")
    arrays = {key: real_array(f"{name}[{key!r}]", v) for key, v in value.items()}
    shape = next(iter(arrays.values())).shape
    for key, array in arrays.items():
        if array.shape != shape or array.ndim != dimensions:
            raise ValueError(f"{name}[{key!r}] must have {dimensions} axes and the shape of the others, got {array.shape}")
    return np.array([arrays.get(label, np.zeros(shape)) for label in labels])


def field_sites(name: str, value: Any, labels: Sequence[str], n: int) -> np.ndarray:
    """One value for each label and unit, (len(labels), n), from an array or a mapping; 0 where nothing is given."""
    shape = (len(labels), n)
    if value is None or (isinstance(value, Mapping) and not value):
        return np.zeros(shape)
    value = field_stack(name, value, labels, 1)
    if value.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, one row for each of {list(labels)}, got {value.shape}")
    return value
