"""Recurrent layers from arrays by names of their own: which array is which, the order of gates, and from which side matrices act.

The keys of ``names`` are those of ``RecurrentWeights.tensors``, with "_l1", "_reverse" or "_l1_reverse" for other layers and
directions, and ".z" for a gate that has an array of its own: "weight_hh", "bias_ih_l1", "weight_ih.z", "weight_hh_l1_reverse.r".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..support.available_memory import require_memory
from ..support.checks import instance, shown, text
from .contents import Asked, Contents, Found
from .layers import DIRECTIONS, RecurrentWeights
from .layouts import LAYOUTS, layout_of
from .trees import as_float64, listed, parts_of, shape_of

__all__ = ["named_contents"]

_MATRICES, _BIASES, _SITES = ("weight_ih", "weight_hh"), ("bias_ih", "bias_hh"), ("p_i", "p_f", "p_o")
_TARGET = re.compile(
    rf"(?P<name>{'|'.join(_MATRICES + _BIASES + _SITES)})(?:_l(?P<layer>\d{{1,3}}))?(?P<reverse>_reverse)?(?:\.(?P<gate>\w+))?"
)
#: Other letters for gates of the layouts. A gate u writes where z keeps: its rows have the other sign, sigma(-y) = 1 - sigma(y).
_LETTERS = {"h": "nc", "g": "cj"}
_OPPOSITE = {"u": "z"}
#: Arrays of float64 that stand in memory at once for each that is named.
_COPIES = 3


def named_contents(arrays: dict[str, Any], where: str, asked: Asked) -> Contents:
    """The recurrent module whose arrays ``asked.names`` names, read at once.

    Parameters
    ----------
    arrays : dict of arrays by their names in the source
    where : str, the name of the file, or what kind of object the source is
    asked : Asked, with ``names``

    Raises
    ------
    TypeError, ValueError
        Names of nothing, shapes that fit no layer, numbers that are not finite; where shapes do not tell: no kind, no order.
    MemoryError
        the arrays claim more than there is memory for
    """
    places = _places(arrays, where, instance("names", asked.names, Mapping, '{"weight_hh": name, ...}'))
    named = [array for parts in places.values() for part in parts.values() for array, _ in part.values()]
    require_memory(f"the named arrays of {where}", _COPIES * 8.0 * sum(float(np.prod(shape_of(array))) for array in named))
    kind = _kind(places[0, "forward"], asked)
    gates = _Gates(kind, layout_of(kind).hidden, asked.order, asked.transposed)
    tensors = {place: _tensors(parts, gates) for place, parts in places.items()}
    found = RecurrentWeights(kind, where, tensors, asked.batch_first)
    _require_a_stack(found, places)
    n_units = tensors[0, "forward"]["weight_hh"].shape[1]
    return Contents(
        where,
        "arrays by names",
        {"": Found(kind, found.n_layers, found.directions, found.input_size, n_units, lambda: found)},
    )


# --- names

#: The arrays of one tensor: {gate: (array, label)}, or {"": (array, label)} where all gates are in one.
_Part = dict[str, tuple[Any, str]]


def _places(arrays, where, names):
    """{(layer, direction): {name of a tensor: _Part}} of what is named."""
    by_parts = {parts_of(name): name for name in arrays}
    places = {}
    for target, key in names.items():
        match = _TARGET.fullmatch(target) if isinstance(target, str) else None
        if match is None:
            allowed = ", ".join(_MATRICES + _BIASES + _SITES)
            raise ValueError(f"names must have keys of {allowed}, with _l1, _reverse and .gate where meant, got {shown(target)}")
        label = f"names[{target!r}]"
        name = key if text(label, key) in arrays else by_parts.get(parts_of(key))
        if name is None:
            raise ValueError(f"{label} must be one of the arrays of {where}, {listed(arrays)}, got {shown(key)}")
        place = int(match["layer"] or 0), DIRECTIONS[1 if match["reverse"] else 0]
        part = places.setdefault(place, {}).setdefault(match["name"], {})
        gate = match["gate"] or ""
        if gate in part or (part and "" in (gate, *part)):
            raise ValueError(f"{label} names that tensor a second time: give the whole of it, or its gates, once each")
        part[gate] = arrays[name], label
    for place in ((0, "forward"), *places):
        missing = [name for name in _MATRICES if name not in places.get(place, {})]
        if missing:
            raise ValueError(f"names lacks {_target(missing[0], place)!r}; {where} has {listed(arrays)}")
    return places


def _target(name, place):
    layer, way = place
    return name + (f"_l{layer}" if layer else "") + ("_reverse" if way == "reverse" else "")


def _kind(parts, asked):
    """The kind that was asked for, or that the shapes tell."""
    kind = asked.kind
    if kind is None:
        recurrent = parts["weight_hh"]
        count = len(recurrent) if "" not in recurrent else _count(shape_of(recurrent[""][0]))
        kind = {1: "RNN", 4: "LSTM peephole" if set(_SITES) & set(parts) else "LSTM"}.get(count)
    if kind is None:
        raise ValueError(
            "kind must say what the named layer is, its shapes do not: 'GRU' (which resets after the matrix product, as PyTorch), "
            f"'GRU reset before' (which resets what enters the matrix), or another one of {sorted(LAYOUTS)}"
        )
    if asked.nonlinearity == "relu" and kind not in ("RNN", "RNN relu"):
        raise ValueError(f"nonlinearity 'relu' belongs to an RNN, got kind {kind!r}")
    return "RNN relu" if asked.nonlinearity == "relu" else kind


def _count(shape):
    """How many gates an array of this shape stacks, on whichever side; 0 where that does not tell."""
    if len(shape) == 3:
        return shape[0]
    short, long = sorted(shape) if len(shape) == 2 else (0, 0)
    return long // short if short and long % short == 0 else 0


def _require_a_stack(found, places):
    """ValueError where layers or directions are missing, or do not fit on one another."""
    ways, size = found.directions, {place: arrays["weight_hh"].shape[1] for place, arrays in found.tensors.items()}
    for layer in range(found.n_layers):
        for way in ways:
            if (layer, way) not in places:
                raise ValueError(f"names lacks {_target('weight_hh', (layer, way))!r}: layers and directions must be complete")
            below = found.input_size if layer == 0 else len(ways) * size[0, "forward"]
            width = found.tensors[layer, way]["weight_ih"].shape[1]
            if width != below or size[layer, way] != size[0, "forward"]:
                label = places[layer, way]["weight_ih"]
                where = next(iter(label.values()))[1]
                raise ValueError(
                    f"{where} must read {below} inputs into {size[0, 'forward']} units, got {width} into {size[layer, way]}"
                )
    if len(places) != found.n_layers * len(ways):
        raise ValueError("names has a reverse layer above a first layer that has none: directions must be those of the first layer")


# --- gates and numbers


@dataclass(frozen=True)
class _Gates:
    """Which letter is which block of a layout, in which order blocks come, and from which side matrices act."""

    kind: str
    own: tuple[str, ...]
    order: str | None
    transposed: bool

    def letter(self, letter: str, label: str) -> tuple[str, float]:
        """(gate of the layout, sign of its rows) of a letter."""
        for own in self.own:
            if letter == own or letter in _LETTERS.get(own, ""):
                return own, 1.0
        if _OPPOSITE.get(letter) in self.own:
            return _OPPOSITE[letter], -1.0
        raise ValueError(f"{label} must name gates {', '.join(self.own)} of kind {self.kind!r}, got {shown(letter)}")

    def blocks(self, label: str) -> list[tuple[str, float]]:
        """(gate, sign) of the blocks of an array of all gates, in their order."""
        if len(self.own) == 1:
            return [(self.own[0], 1.0)]
        if self.order is None:
            raise ValueError(
                f"order must say how the gates of {label} come, a letter each: {''.join(self.own)!r} as PyTorch has them, or "
                "another"
            )
        found = [self.letter(letter, "order") for letter in text("order", self.order)]
        if sorted(gate for gate, _ in found) != sorted(self.own):
            raise ValueError(f"order must have each gate {', '.join(self.own)} of kind {self.kind!r} once, got {shown(self.order)}")
        return found

    def words(self, columns: str) -> str:
        """The shape that a matrix must have."""
        rows = "H" if len(self.own) == 1 else f"{len(self.own)} H"
        return f"({columns}, {rows})" if self.transposed else f"({rows}, {columns})"

    def hint(self, shape: tuple[int, ...]) -> str:
        """What a message adds where a recurrent matrix seems to act from the other side."""
        rows, columns = (shape[::-1] if self.transposed else shape) if len(shape) == 2 else (0, 1)
        other = rows * len(self.own) == columns
        return f"; such a matrix acts from the other side: transposed={not self.transposed}" if other else ""


def _tensors(parts, gates):
    """The arrays of one layer and direction in the order of the layout."""
    sites = layout_of(gates.kind).sites
    for name in (*_SITES, *sites):
        if (name in parts) != (name in sites):
            words = "names lacks" if name in sites else "names has"
            raise ValueError(f"a layer of kind {gates.kind!r} has the site parameters {sites}, {words} {name!r}")
    matrices = {name: _by_gate(parts[name], gates, _matrices) for name in _MATRICES}
    size = _size(parts["weight_hh"], matrices["weight_hh"], gates)
    vectors = {name: _by_gate(parts.get(name, {}), gates, _vectors) for name in _BIASES}
    for name, blocks in (matrices | vectors).items():
        for gate, block in blocks.items():
            if len(block) != size:
                raise ValueError(
                    f"{_label(parts[name])} must have {size} rows a gate, as weight_hh has, got {len(block)} of gate {gate}"
                )
    nothing = np.zeros(size)
    out = {name: np.concatenate([blocks[gate] for gate in gates.own]) for name, blocks in matrices.items()}
    out |= {name: np.concatenate([blocks.get(gate, nothing) for gate in gates.own]) for name, blocks in vectors.items()}
    for name in sites:
        out[name] = _by_gate(parts[name], gates, _site)[""]
        if out[name].shape != (size,):
            raise ValueError(f"{_label(parts[name])} must have shape ({size},), got {out[name].shape}")
    return out


def _label(part):
    return next(iter(part.values()))[1]


def _by_gate(part, gates, split):
    """{gate: (H, columns) or (H,) array} of a part; ValueError for a gate that is there twice, or a matrix that is missing."""
    found = {}
    for letter, (array, label) in part.items():
        if split is _site:
            order = [("", 1.0)]
        else:
            order = [gates.letter(letter, label)] if letter else gates.blocks(label)
        for (gate, sign), block in zip(order, split(as_float64(array, label), len(order), gates, label)):
            if gate in found:
                raise ValueError(f"{label} names gate {gate!r} of that tensor a second time")
            found[gate] = sign * block
    missing = [gate for gate in gates.own if gate not in found]
    if split is _matrices and missing:
        raise ValueError(f"names lacks '{_label(part)[7:-2].partition('.')[0]}.{missing[0]}'")
    if len({block.shape for block in found.values()}) > 1:
        raise ValueError(f"{_label(part)} must have one shape for all gates, got {[block.shape for block in found.values()]}")
    return found


def _matrices(array, count, gates, label):
    """The (H, columns) blocks of a matrix: (count H, columns) or (count, H, columns), the last two axes exchanged if transposed."""
    if array.ndim == 3 and len(array) == count:
        return array.swapaxes(1, 2) if gates.transposed else array
    if array.ndim == 1:  # one input
        array = array[None, :] if gates.transposed else array[:, None]
    flat = array.T if gates.transposed else array
    if array.ndim != 2 or 0 in array.shape or len(flat) % count:
        columns = "H" if "weight_hh" in label else "I"
        raise ValueError(f"{label} must have shape {gates.words(columns)}, got {array.shape}{gates.hint(array.shape)}")
    return flat.reshape(count, -1, flat.shape[1])


def _vectors(array, count, gates, label):
    """The (H,) blocks of a bias: (count H,), a column or row of these, or (count, H)."""
    if array.size % count or not array.size or (array.ndim > 1 and 1 not in array.shape and len(array) != count):
        raise ValueError(f"{label} must have shape ({'' if count == 1 else f'{count} '}H,), got {array.shape}")
    return array.reshape(count, -1)


def _site(array, count, gates, label):
    return [array.reshape(-1)]


def _size(part, blocks, gates):
    """H, from recurrent matrices that must be square."""
    rows, columns = next(iter(blocks.values())).shape
    if rows != columns:
        shape = shape_of(next(iter(part.values()))[0])
        raise ValueError(f"{_label(part)} must have shape {gates.words('H')}, got {shape}{gates.hint(shape)}")
    return rows
