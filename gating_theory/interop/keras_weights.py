"""Keras' kernels as the tensors of a layout: matrices act from the right, a GRU's gates come as z, r, h, an LSTM's as i, f, c, o.

CuDNN's layers have the same order of gates and two biases in one vector; their matrices act from the left, gate by gate. The oldest
versions keep each gate's arrays apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["GATES", "CellArrays", "is_cudnn", "kind_by_shapes", "problem_of", "tensors"]

#: Gates of a kind in Keras' order, as positions of the layout's blocks: GRU r, z, h from z, r, h.
GATES = {"GRU": (1, 0, 2), "GRU reset before": (1, 0, 2), "LSTM": (0, 1, 2, 3), "RNN": (0,), "RNN relu": (0,)}


@dataclass(frozen=True)
class CellArrays:
    """Where the arrays of one cell are: names with their shapes.

    Attributes
    ----------
    kernel, recurrent, bias : tuples of names, one each, or one for each gate in Keras' order; bias is () where there is none
    shapes : dict, {name: shape}
    """

    kernel: tuple[str, ...]
    recurrent: tuple[str, ...]
    bias: tuple[str, ...]
    shapes: Mapping[str, tuple[int, ...]]

    def shape(self, names: Sequence[str]) -> tuple[int, ...]:
        """The shape of arrays of these names side by side; (-1,) where they do not fit."""
        shapes = [self.shapes[name] for name in names]
        if not shapes:
            return ()
        if any(len(s) != len(shapes[0]) or s[:-1] != shapes[0][:-1] for s in shapes) or not shapes[0]:
            return (-1,)
        return (*shapes[0][:-1], sum(s[-1] for s in shapes))

    @property
    def n_units(self) -> int:
        """How many units there are."""
        shape = self.shape(self.recurrent)
        return shape[0] if len(shape) == 2 else 0

    @property
    def input_size(self) -> int:
        """How many numbers come in at a step."""
        shape = self.shape(self.kernel)
        return shape[0] if len(shape) == 2 else 0


def kind_by_shapes(cell: CellArrays) -> str | None:
    """GRU, GRU reset before, LSTM or RNN by the shapes of the arrays; None where they are of none.

    Parameters
    ----------
    cell : CellArrays
    """
    n, bias = cell.n_units, cell.shape(cell.bias)
    for kind in ("LSTM", "GRU" if not bias or len(bias) == 2 or bias == (6 * n,) else "GRU reset before", "RNN"):
        if not problem_of(kind, cell):
            return kind
    return None


def problem_of(base: str, cell: CellArrays, units: int | None = None) -> str:
    """What is wrong with the shapes of a cell of a kind, "" where nothing is.

    Parameters
    ----------
    base : str, a kind of ``GATES``
    cell : CellArrays
    units : int, optional, H as its configuration has it
    """
    n, gates = cell.n_units, len(GATES[base])
    kernel, recurrent, bias = (cell.shape(names) for names in (cell.kernel, cell.recurrent, cell.bias))
    if len(kernel) != 2 or len(recurrent) != 2 or n < 1 or kernel[0] < 1:
        return f"its kernels must be two matrices that are not empty, they have shapes {kernel} and {recurrent}"
    if recurrent[1] != gates * n or kernel[1] != gates * n:
        return f"a {base} of {n} units has kernels of {gates * n} columns, {gates} a unit, they have {kernel[1]} and {recurrent[1]}"
    if units is not None and units != n:
        return f"its configuration says {units} units, its weights have {n}"
    allowed = [(2, gates * n), (2 * gates * n,)] if base == "GRU" else [(gates * n,)]
    if base == "LSTM":
        allowed.append((2 * gates * n,))
    if bias and bias not in allowed:
        return f"the bias of a {base} of {n} units must have shape {' or '.join(map(str, allowed))}, it has {bias}"
    return ""


def is_cudnn(cell: CellArrays) -> bool:
    """Whether the arrays are those of CuDNN's layers, which keep two biases in one vector.

    Parameters
    ----------
    cell : CellArrays
    """
    columns = cell.shape(cell.recurrent)[-1:]
    return len(cell.bias) == 1 and cell.shape(cell.bias) == tuple(2 * c for c in columns)


def tensors(base: str, cell: CellArrays, read: Callable[[str], np.ndarray]) -> dict[str, np.ndarray]:
    """Tensors of the layout of a kind: weight_ih (G H, I), weight_hh (G H, H), bias_ih and bias_hh (G H,).

    Parameters
    ----------
    base : str, a kind of ``GATES`` whose shapes the cell has
    cell : CellArrays
    read : callable, gives the array of a name

    Raises
    ------
    ValueError
        values that are not finite
    """
    arrays = {}
    for name in (*cell.kernel, *cell.recurrent, *cell.bias):
        arrays[name] = read(name)
        if not np.isfinite(arrays[name]).all():
            raise ValueError(f"{name} holds values that are not finite")
    order, n = GATES[base], cell.n_units
    kernel, recurrent = (np.concatenate([arrays[name] for name in names], axis=1) for names in (cell.kernel, cell.recurrent))
    if is_cudnn(cell):
        inputs = [block.reshape(n, -1) for block in np.split(kernel, len(order), axis=1)]
        hidden = np.split(recurrent, len(order), axis=1)
    else:
        inputs, hidden = np.split(kernel.T, len(order)), np.split(recurrent.T, len(order))
    biases = np.zeros((2, len(order) * n))
    if cell.bias:
        given = np.concatenate([np.atleast_1d(arrays[name]) for name in cell.bias], axis=-1)
        biases[: given.size // biases.shape[1]] = given.reshape(-1, biases.shape[1])
    rows = [np.split(row, len(order)) for row in biases]
    return {
        "weight_ih": np.concatenate([inputs[k] for k in order]),
        "weight_hh": np.concatenate([hidden[k] for k in order]),
        "bias_ih": np.concatenate([rows[0][k] for k in order]),
        "bias_hh": np.concatenate([rows[1][k] for k in order]),
    }
