"""How libraries stack the gates of a recurrent layer into one matrix: which block of rows belongs to which field of the cell.

A kind of layer is a short text such as "GRU" or "LSTM"; its :class:`Layout` brings the cell. Readers of files put the gates into
the order of the layout, so that a kind has one order whatever it was read from. Arrays only: no library of networks is needed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache

import numpy as np

from ..cell.activations import function_text
from ..cell.cell import Cell
from ..cell.variants import variant_cell
from ..support.checks import choice, instance, shown

__all__ = ["LAYOUTS", "Layout", "layout_of", "rows_by_name", "variant"]


@dataclass(frozen=True)
class Layout:
    """Where the blocks of rows of a library's matrices belong, in the library's order of gates.

    Attributes
    ----------
    make_cell : callable without arguments, gives the Cell; called once, when the cell is asked for (symbols take their time)
    hidden : tuple of str
        For each block of ``weight_hh`` and ``bias_hh``: a field of the cell.
    input : tuple of str
        For each block of ``weight_ih`` and ``bias_ih``: a field of the cell, or one of its site parameters.
    sites : tuple of str
        Site parameters that a layer has as vectors (H,) of their own, under their names: an LSTM's peepholes.
    """

    make_cell: Callable[[], Cell] = field(repr=False)
    hidden: tuple[str, ...]
    input: tuple[str, ...]
    sites: tuple[str, ...] = ()

    @cached_property
    def cell(self) -> Cell:
        """The Cell."""
        return self.make_cell()


def _builtin(name: str) -> Callable[[], Cell]:
    def make() -> Cell:
        from ..cell import builtin

        return getattr(builtin, name)

    return make


def _relu_cell() -> Cell:
    import sympy as sp

    h, y = sp.symbols("h y_h", real=True)
    rectified = sp.Max(0, y)
    return Cell(name="VanillaReLU", state=[h], fields=[y], messages=[h], update=[rectified], fixed_point=[rectified])


def _mgu_reset_after() -> Cell:
    import sympy as sp

    from ..cell.symbolic import sigma

    h, y_f, y_h, b_in = sp.symbols("h y_f y_h b_in", real=True)
    f, candidate = sigma(y_f), sp.tanh(b_in + sigma(y_f) * y_h)
    return Cell(
        name="MGUResetAfter",
        state=[h],
        fields=[y_f, y_h],
        messages=[h, h],
        update=[f * h + (1 - f) * candidate],
        fixed_point=[candidate],
        parameters=[b_in],
    )


#: Layouts by the kind of a layer. A GRU that resets after the product keeps two biases of its candidate: b_hn, the bias of field h,
#: stands inside the reset gate; b_in, the cell's site parameter, outside, and the input of the candidate enters there as well.
#: Flax's minimal gated unit does the same with its one gate f, which keeps the state at 1 (gt.MGU writes at 1, and resets before).
LAYOUTS: dict[str, Layout] = {
    "GRU": Layout(_builtin("GRUResetAfter"), ("r", "z", "h"), ("r", "z", "b_in")),
    "GRU reset before": Layout(_builtin("GRU"), ("r", "z", "h"), ("r", "z", "h")),
    "LSTM": Layout(_builtin("LSTM"), ("i", "f", "g", "o"), ("i", "f", "g", "o")),
    "LSTM peephole": Layout(_builtin("PeepholeLSTM"), ("i", "f", "g", "o"), ("i", "f", "g", "o"), ("p_i", "p_f", "p_o")),
    "LSTM coupled": Layout(_builtin("CoupledLSTM"), ("f", "g", "o"), ("f", "g", "o")),
    "MGU reset after": Layout(_mgu_reset_after, ("f", "h"), ("f", "b_in")),
    "MGU without reset": Layout(_builtin("LiGRUTanh"), ("z", "h"), ("z", "h")),
    "RNN": Layout(_builtin("Vanilla"), ("h",), ("h",)),
    "RNN relu": Layout(_relu_cell, ("h",), ("h",)),
}


#: What can be said of functions in the text of a kind, and what they are where nothing is said.
_USUAL = {"gates": "sigmoid", "candidate": "tanh", "output": "tanh"}
_VARIANT = re.compile(r"(?P<kind>[^()]+) \((?P<functions>[^()]+)\)")


def variant(kind: str, *, gates: str = "sigmoid", candidate: str = "tanh", output: str = "tanh") -> str:
    """The kind of a layer with other functions: "GRU (gates hard_sigmoid)", "LSTM (gates hard_sigmoid 0.2, output linear)".

    Parameters
    ----------
    kind : str, as in ``LAYOUTS``
    gates : str, a function of ``cell.activations.ACTIVATIONS``
        "hard_sigmoid" is clip(x/6 + 1/2, 0, 1), of Keras 3; "hard_sigmoid 0.2 0.5" has this slope and offset, of older Keras and
        ONNX.
    candidate : str
        In place of the tanh of the candidate, or of an RNN's only one: "relu", "linear", "leaky_relu 0.1", "affine 2.0 0.5", ...
    output : str, in place of the tanh of an LSTM's memory

    Returns
    -------
    str, one text for each choice; ``kind`` where all functions are the usual ones

    Raises
    ------
    TypeError, ValueError
        no such kind, no such function, or one in a place that the kind does not have
    """
    choice("kind", kind, LAYOUTS)
    given = {what: function_text(f, what) for what, f in (("gates", gates), ("candidate", candidate), ("output", output))}
    said = {what: text for what, text in given.items() if text != _USUAL[what]}
    places: tuple[str, ...] = ("gates", "candidate", "output") if kind.startswith("LSTM") else ("gates", "candidate")
    places = {"RNN": ("candidate",), "RNN relu": ()}.get(kind, places)
    for what, text in said.items():
        if what not in places:
            raise ValueError(f"{what} of a layer of kind {kind!r} cannot be {text!r}: it has none that are not as they are")
    if kind == "RNN" and said == {"candidate": "relu"}:
        return "RNN relu"
    return f"{kind} ({', '.join(f'{what} {text}' for what, text in said.items())})" if said else kind


def layout_of(kind: str) -> Layout:
    """The Layout of a kind of layer.

    Parameters
    ----------
    kind : str, as in ``LAYOUTS``, or as :func:`variant` gives it

    Raises
    ------
    TypeError, ValueError
        no such kind
    """
    parts = _VARIANT.fullmatch(kind) if isinstance(kind, str) else None
    if parts is None:
        return LAYOUTS[choice("kind", kind, LAYOUTS)]
    words = [function.partition(" ") for function in parts["functions"].split(", ")]
    if any(what not in _USUAL for what, _, _ in words):
        raise ValueError(f"kind must be one of {list(LAYOUTS)}, or one of these with other {list(_USUAL)}, got {shown(kind)}")
    functions = {what: text for what, _, text in words}
    return _variant_layout(parts["kind"] if variant(parts["kind"], **functions) else "", tuple(functions.items()))


@lru_cache(maxsize=64)
def _variant_layout(kind: str, functions: tuple[tuple[str, str], ...]) -> Layout:
    usual = LAYOUTS[kind]
    return replace(usual, make_cell=lambda: variant_cell(usual.cell, **dict(functions)))


def rows_by_name(cell: Cell, fields: np.ndarray, parameters: np.ndarray) -> dict[str, np.ndarray]:
    """Views on the rows (.., N) of the fields and the site parameters of a ``cell`` by name."""
    cell = instance("cell", cell, Cell)
    for name, array, count in (("fields", fields, cell.n_fields), ("parameters", parameters, cell.n_parameters)):
        if not isinstance(array, np.ndarray) or array.ndim < 2 or array.shape[-2] != count:
            raise ValueError(f"{name} must be an array of shape (..., {count}, N) for cell {cell.name!r}, got {shown(array)}")
    rows = {name: fields[..., k, :] for k, name in enumerate(cell.field_names)}
    return rows | {name: parameters[..., k, :] for k, name in enumerate(cell.parameter_names)}
