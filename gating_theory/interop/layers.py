"""Recurrent weights in the order of their layouts: all layers and directions of a module, and runs through them along real input.

Arrays only: no library of neural networks is needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..cell.cell import Cell
from ..errors import CapabilityError
from ..support.arithmetic import underflow_is_zero
from ..support.checks import choice, integer
from .initial_states import initial_states
from .layouts import layout_of
from .recurrent_layer import Recording, RecurrentLayer
from .sequences import Sequences, reversed_within, sequences_of
from .stacks import Stack

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["DIRECTIONS", "Recording", "RecurrentLayer", "RecurrentWeights"]

#: The ways a layer can run along a sequence.
DIRECTIONS = ("forward", "reverse")


@dataclass(frozen=True, eq=False)
class RecurrentWeights:
    """The checked weights of one recurrent module, all its layers and directions, in float64.

    Made by :func:`gating_theory.interop.readers.read`.

    Attributes
    ----------
    kind : str, of a layout (``layouts.layout_of``): "GRU", "LSTM", "RNN", "RNN relu", ...
    source : str, where they come from
    tensors : dict, {(layer, direction): {"weight_ih": (G H, I), "weight_hh": (G H, H), "bias_ih": (G H,), "bias_hh": (G H,)}}
        With G gates in the order of the layout; biases are zeros where the module has none. Site parameters of the layout (an
        LSTM's peepholes "p_i", "p_f", "p_o") stand beside them as (H,) arrays.
    batch_first : bool or None, whether sequences come as (B, T, I); None where nobody has said: then (T, B, I) is taken
    embeddings : dict, {name: (V, I)} of tables in the source that make vectors of the size that the module takes
    """

    kind: str
    source: str
    tensors: dict[tuple[int, str], dict[str, np.ndarray]] = field(repr=False)
    batch_first: bool | None = None
    embeddings: Mapping[str, tuple[int, int]] = field(default_factory=dict, repr=False)

    @property
    def cell(self) -> Cell:
        """The Cell that these weights drive."""
        return layout_of(self.kind).cell

    @property
    def n_layers(self) -> int:
        """Number of layers."""
        return 1 + max(layer for layer, _ in self.tensors)

    @property
    def directions(self) -> tuple[str, ...]:
        """("forward",), ("forward", "reverse"), or ("reverse",) of what runs from the end alone (a node of ONNX)."""
        return tuple(d for d in DIRECTIONS if (0, d) in self.tensors)

    @property
    def input_size(self) -> int:
        """I, the size of an input vector of the first layer."""
        return self.tensors[0, self.directions[0]]["weight_ih"].shape[1]

    def layer(self, layer: int = 0, direction: str = "forward") -> RecurrentLayer:
        """One layer and direction as a RecurrentLayer; ValueError for one that is not there.

        Parameters
        ----------
        layer : int >= 0
        direction : "forward" or "reverse"
        """
        layer = integer("layer", layer, low=0, high=self.n_layers - 1)
        choice("direction", direction, self.directions)
        return RecurrentLayer(self.kind, self.tensors[layer, direction], f"{self.source}, layer {layer}, {direction}")

    def sequences(self, inputs: Any, lengths: npt.ArrayLike | None = None) -> Sequences:
        """Input sequences as a (T, B, I) float64 array, with the length of each.

        Parameters
        ----------
        inputs : array or tensor (T, I), (T, B, I), or (B, T, I) where ``batch_first``; list of arrays; PackedSequence
            A list or tuple of arrays (T_i, I) is one of sequences, whatever their lengths. Tokens are none: ``table[tokens]``.
        lengths : (B,) array of int, optional
            Steps of each sequence, each at least 1; what stands after them is not looked at. Default: all.

        Returns
        -------
        Sequences

        Raises
        ------
        TypeError, ValueError
            not real numbers, not finite, another shape, nothing in it, tokens, lengths beyond what is there

        Warns
        -----
        UserWarning
            Far more sequences than steps, where nobody has said which axis is time; integers, where the source has embeddings.
        """
        return sequences_of(inputs, self.input_size, lengths, self.batch_first, self.embeddings)

    @underflow_is_zero
    def record(
        self,
        inputs: Any,
        layer: int = 0,
        direction: str = "forward",
        lengths: npt.ArrayLike | None = None,
        state: Any = None,
    ) -> Recording:
        """Run real input through the module, dropout off, and record one of its layers.

        Parameters
        ----------
        inputs : array, tensor, list of sequences or PackedSequence, as for :meth:`sequences`
        layer : int
        direction : "forward" or "reverse"
            Times of a Recording are those of the layer: reverse runs each sequence from its own end.
        lengths : (B,) array of int, optional, as for :meth:`sequences`
        state : array, (h_0, c_0) or dict, optional
            What the layers begin in, default zero: PyTorch's (L D, B, N) of layers and directions, for an LSTM a tuple of two; or
            {(layer, direction): (B, d, N) or (d, N)}; or that array itself where there is one layer and direction.

        Returns
        -------
        Recording

        Raises
        ------
        TypeError, ValueError
            as :meth:`sequences`; a state of another shape
        MemoryError, ConvergenceError
            as :meth:`RecurrentLayer.record`
        """
        x, wanted = self.sequences(inputs, lengths), self.layer(layer, direction)
        places = [(each, way) for each in range(self.n_layers) for way in self.directions]
        states = initial_states(state, places, self.cell, wanted.network.n_units, x.shape[1])
        for below in range(layer):
            x = self._passed_on(x, below, states)
        return _recorded(wanted, x, direction, states[layer, direction])

    def stack(self) -> Stack:
        """All layers as one system, from the state of all of them to the next: its steps, its Jacobian, recordings.

        Returns
        -------
        Stack

        Raises
        ------
        CapabilityError
            The module runs both ways: what a layer hears from the reverse one below comes from the future, so that no step leads
            from one time to the next. Its layers have one each: ``layer(layer, direction)``, ``record(inputs, layer, direction)``.
        """
        if self.directions != DIRECTIONS[:1]:
            raise CapabilityError(
                f"{self.source} runs in the directions {list(self.directions)}: what reverse layers give comes from the future, no "
                "step leads from one time of the stack to the next; take its layers one by one, layer(layer, direction) and "
                "record(inputs, layer, direction)"
            )
        layers = tuple(self.layer(layer) for layer in range(self.n_layers))
        return Stack(layers, self.source, self.batch_first, self.embeddings)

    def _passed_on(self, x, below, states):
        """What a layer gives to the one above, forward before reverse."""
        outputs = []
        for way in self.directions:
            h = _recorded(self.layer(below, way), x, way, states[below, way]).outputs
            outputs.append(h if way == "forward" else reversed_within(h, x.lengths))
        return Sequences(np.concatenate(outputs, axis=-1), x.lengths)


def _recorded(layer, x, direction, state):
    """A layer along Sequences in its direction."""
    ordered = x if direction == "forward" else x.reversed()
    return layer.record(ordered.array, state, ordered.lengths)
