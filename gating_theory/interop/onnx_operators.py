"""The recurrent operators of ONNX: which kind of layer a node is, and its weights in the order of that kind's layout.

GRU of ONNX has its gates as z, r, h, LSTM as i, o, f, c, peepholes as i, o, f; W and R act from the left, (directions, G H, I) and
(directions, G H, H), and B holds the biases of W and then those of R.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np

from ..support.available_memory import require_memory
from ..support.checks import shown
from .layers import RecurrentWeights
from .layouts import variant
from .onnx_graph import Scope
from .onnx_values import Constants

__all__ = ["OPERATORS", "Layer", "layer_of", "ways_of"]


@dataclass(frozen=True)
class _Operator:
    """What the standard says of one: blocks of rows, the usual functions of one direction, and where its peepholes stand."""

    blocks: int
    functions: tuple[str, ...]
    peepholes: int = 0


OPERATORS: Mapping[str, _Operator] = {
    "GRU": _Operator(3, ("Sigmoid", "Tanh")),
    "LSTM": _Operator(4, ("Sigmoid", "Tanh", "Tanh"), 3),
    "RNN": _Operator(1, ("Tanh",)),
}
#: Blocks of the operator that the blocks of the layout are. The coupled LSTM has no row for its input gate: see ``Layer.blocks``.
_ORDER = {
    "GRU": (1, 0, 2),
    "GRU reset before": (1, 0, 2),
    "LSTM": (0, 2, 3, 1),
    "LSTM peephole": (0, 2, 3, 1),
    "LSTM coupled": (0, 3, 1),
    "RNN": (0,),
}
#: Peepholes of the layout by their place in P.
_PEEPHOLES = {"p_i": 0, "p_o": 1, "p_f": 2}
_WAYS = {"forward": ("forward",), "reverse": ("reverse",), "bidirectional": ("forward", "reverse")}
#: Functions: their names here, the defaults of their alpha and beta.
_FUNCTIONS: Mapping[str, tuple[str, tuple[float, ...]]] = {
    "sigmoid": ("sigmoid", ()),
    "hardsigmoid": ("hard_sigmoid", (0.2, 0.5)),
    "tanh": ("tanh", ()),
    "scaledtanh": ("scaled_tanh", (1.0, 1.0)),
    "relu": ("relu", ()),
    "leakyrelu": ("leaky_relu", (0.01,)),
    "thresholdedrelu": ("thresholded_relu", (1.0,)),
    "elu": ("elu", (1.0,)),
    "softsign": ("softsign", ()),
    "softplus": ("softplus", ()),
    "affine": ("affine", (1.0, 0.0)),
}
#: Gates with 1 - f(y) = f(-y), the second where its offset is this.
_ODD, _HALF = ("sigmoid", "hard_sigmoid"), 0.5
#: Attributes of the standard, {name: (type, whether a list of it)}; any other changes what is not known here.
_KNOWN: Mapping[str, tuple[type, bool]] = {
    "activations": (str, True),
    "activation_alpha": (float, True),
    "activation_beta": (float, True),
    "clip": (float, False),
    "direction": (str, False),
    "hidden_size": (int, False),
    "input_forget": (int, False),
    "layout": (int, False),
    "linear_before_reset": (int, False),
    "output_sequence": (int, False),
}
#: Copies of the weights in float64 that stand in memory at once: here, and the Network's.
_COPIES, _NUMBER = 2, 8


@dataclass(frozen=True, eq=False)
class Layer:
    """One node: its kind, and its arrays as the model has them, shapes checked.

    Attributes
    ----------
    kind : str, of a layout
    base : str, the kind without other functions
    ways : tuple of str, "forward", "reverse"
    batch_first : bool
    W, R : (D, G H, I) and (D, G H, H) arrays
    B, P : (D, 2 G H) and (D, 3 H) arrays, or None
    """

    kind: str
    base: str
    ways: tuple[str, ...]
    batch_first: bool
    W: np.ndarray
    R: np.ndarray
    B: np.ndarray | None
    P: np.ndarray | None

    @property
    def mark(self) -> bytes:
        """The same for two nodes of the same kind, direction and weights: those in the branches of one If."""
        text = repr((self.kind, self.ways, self.batch_first))
        digest = blake2b(text.encode())
        for array in (self.W, self.R, self.B, self.P):
            digest.update(b"none" if array is None else repr((array.dtype.str, array.shape)).encode())
            if array is not None:
                digest.update(np.ascontiguousarray(array).tobytes())
        return digest.digest()

    def weights(self, source: str, batch_first: bool | None) -> RecurrentWeights:
        """The weights in float64.

        Parameters
        ----------
        source : str, where they come from
        batch_first : bool or None, what users say of it; None: what the node says

        Raises
        ------
        ValueError
            values that are not finite
        MemoryError
            they take more than there is
        """
        require_memory(f"the weights of {source}", _COPIES * _NUMBER * (self.W.size + self.R.size))
        for name in ("W", "R", "B", "P"):
            array = getattr(self, name)
            if array is not None and not np.isfinite(array).all():
                raise ValueError(f"{source}: its {name} has values that are not finite")
        tensors = {(0, way): self._direction(d) for d, way in enumerate(self.ways)}
        return RecurrentWeights(self.kind, source, tensors, self.batch_first if batch_first is None else batch_first)

    def _direction(self, d: int) -> dict[str, np.ndarray]:
        n = self.R.shape[2]
        b_w, b_r = np.zeros((2, len(self.R[d]))) if self.B is None else self.B[d].astype(float).reshape(2, -1)
        arrays = {"weight_ih": self.W[d], "weight_hh": self.R[d], "bias_ih": b_w, "bias_hh": b_r}
        out = {name: self._blocks(array, n) for name, array in arrays.items()}
        if self.base == "LSTM peephole" and self.P is not None:
            out |= {name: self.P[d, k * n : (k + 1) * n].astype(float) for name, k in _PEEPHOLES.items()}
        return out

    def _blocks(self, array, n):
        """Rows in the order of the layout. A coupled LSTM of ONNX has f = 1 - i, ours i = 1 - f: f(y) = i(-y) by symmetry."""
        blocks = [array[k * n : (k + 1) * n].astype(float) for k in _ORDER[self.base]]
        if self.base == "LSTM coupled":
            blocks[0] = -blocks[0]
        return np.concatenate(blocks)


def layer_of(node: Any, scope: Scope, constants: Constants) -> Layer:
    """What a recurrent node is.

    Parameters
    ----------
    node : NodeProto of one of ``OPERATORS``
    scope : Scope where it stands
    constants : Constants

    Raises
    ------
    ValueError
        why it cannot be read
    """
    attributes, operator = scope.attributes(node), OPERATORS[node.op_type]
    _check_attributes(attributes, node.op_type)
    ways = ways_of(attributes)
    if attributes.get("clip"):
        raise ValueError(f"it clips what its functions are given at {attributes['clip']:.4g}, and no cell here does")
    inputs = [*node.input, *[""] * 8]
    W, R = (_weight(scope, constants, letter, inputs[k], 3) for k, letter in ((1, "W"), (2, "R")))
    B = _weight(scope, constants, "B", inputs[3], 2) if inputs[3] else None
    P = _weight(scope, constants, "P", inputs[7], 2) if inputs[7] and operator.peepholes else None
    _check_shapes(W, R, B, P, len(ways), operator, attributes.get("hidden_size"))
    base = _base(node.op_type, attributes, P)
    kind = _with_functions(base, attributes, operator.functions, len(ways))
    return Layer(kind, base, ways, bool(attributes.get("layout", 0)), W, R, B, P)


def _check_attributes(attributes, operator):
    for name, value in attributes.items():
        if name not in _KNOWN:
            raise ValueError(f"it has an attribute {shown(name)}, which is none of the operator {operator}")
        kind, several = _KNOWN[name]
        if isinstance(value, list) != several or not all(isinstance(one, kind) for one in (value if several else [value])):
            raise ValueError(f"its {name} must be {'a list of ' if several else ''}{kind.__name__}, got {shown(value)}")


def ways_of(attributes: Mapping[str, Any]) -> tuple[str, ...]:
    """The directions of a node by its attributes; ValueError for what is none."""
    direction = attributes.get("direction", "forward")
    if direction not in _WAYS:
        raise ValueError(f"direction must be one of {list(_WAYS)}, got {shown(direction)}")
    return _WAYS[direction]


def _weight(scope, constants, letter, name, axes):
    if not name:
        raise ValueError(f"it has no {letter}")
    try:
        array = constants.value(scope, name)
    except ValueError as error:
        raise ValueError(f"its {letter}: {error}") from None
    if array.dtype.kind != "f":
        raise ValueError(f"its {letter} is of type {array.dtype}, quantised or damaged; floating point numbers are read")
    if array.ndim != axes:
        raise ValueError(f"its {letter} must have {axes} axes, got shape {array.shape}")
    return array


def _check_shapes(W, R, B, P, ways, operator, hidden_size):
    n = R.shape[2]
    shapes = {"R": (R, (ways, operator.blocks * n, n)), "W": (W, (ways, operator.blocks * n, W.shape[2]))}
    shapes |= {"B": (B, (ways, 2 * operator.blocks * n)), "P": (P, (ways, operator.peepholes * n))}
    if hidden_size is not None and hidden_size != n:
        raise ValueError(f"its hidden_size is {hidden_size} and its R has shape {R.shape}")
    for letter, (array, shape) in shapes.items():
        if array is not None and array.shape != shape:
            raise ValueError(f"its {letter} must have shape {shape} with R of {R.shape}, got {array.shape}")
    if n == 0 or W.shape[2] == 0:
        raise ValueError(f"it has no units or no inputs: W {W.shape}, R {R.shape}")


def _base(operator, attributes, P):
    if operator == "GRU":
        return "GRU" if attributes.get("linear_before_reset", 0) else "GRU reset before"
    if attributes.get("input_forget", 0) and operator == "LSTM":
        if P is not None and P.any():
            raise ValueError(
                "it couples its forget gate to the input gate (input_forget) and has peepholes: no cell here does both"
            )
        return "LSTM coupled"
    return "LSTM peephole" if P is not None else operator


def _with_functions(base, attributes, usual, ways):
    """The kind with the functions that the node names; those of both directions have to be the same."""
    names = attributes.get("activations") or list(usual) * ways
    if len(names) != len(usual) * ways:
        raise ValueError(f"its activations must be {len(usual)} a direction, got {shown(names)}")
    texts = _texts(names, attributes.get("activation_alpha") or [], attributes.get("activation_beta") or [])
    one, other = texts[: len(usual)], texts[-len(usual) :]
    if one != other:
        raise ValueError(f"its two directions have different activations, {one} and {other}: none of the kinds here does")
    if base == "LSTM coupled" and (one[0].split()[0] not in _ODD or _offset(one[0]) != _HALF):
        raise ValueError(f"it couples its forget gate to the input gate by {one[0]!r}, which is not odd about 1/2")
    places = {1: ("candidate",), 2: ("gates", "candidate"), 3: ("gates", "candidate", "output")}[len(usual)]
    return variant(base, **dict(zip(places, one)))


def _offset(text):
    """Of a gate's function at 0."""
    numbers = text.split()[1:]
    return float(numbers[1]) if len(numbers) > 1 else _HALF


def _texts(names, alphas, betas):
    """Functions as texts of ``cell.activations``. Alphas and betas go to the functions that have them, in their order."""
    known = []
    for name in names:
        if name.lower() not in _FUNCTIONS:
            raise ValueError(f"activation {shown(name)} is none of ONNX: {sorted(_FUNCTIONS)}")
        known.append(_FUNCTIONS[name.lower()])
    numbers = [[*defaults] for _, defaults in known]
    for place, (which, values) in enumerate((("activation_alpha", alphas), ("activation_beta", betas))):
        takers = [k for k, (_, defaults) in enumerate(known) if len(defaults) > place]
        if len(values) == len(names):  # one for each, whether it has any use of it or not
            values = [values[k] for k in takers]
        if len(values) > len(takers):
            raise ValueError(f"its {which} has {len(values)} values, its activations {shown(names)} take {len(takers)}")
        for k, value in zip(takers, values):
            numbers[k][place] = _meant(value)
    return [" ".join([name, *map(repr, own)]) for (name, _), own in zip(known, numbers)]


def _meant(value: float) -> float:
    """The number that was stored as a float32: 1/6, or the shortest decimal that gives the same float32."""
    return 1 / 6 if np.float32(value) == np.float32(1 / 6) else float(str(np.float32(value)))
