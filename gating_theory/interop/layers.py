"""Recurrent weights in the order of their layouts, and what they become here: Networks, and recordings along real input.

Arrays only: no library of neural networks is needed.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..cell.cell import Cell
from ..ensemble.matrix_laws import Unknown
from ..networks.network import Network
from ..networks.weight_statistics import recognised_law
from ..support.arithmetic import underflow_is_zero
from ..support.checks import choice, integer, integers, real_array, shown, unequal_shapes
from .layouts import layout_of, rows_by_name

if TYPE_CHECKING:
    import numpy.typing as npt

    from ..ensemble.ensemble import Ensemble
    from ..ensemble.sites import Sites

__all__ = ["DIRECTIONS", "Recording", "RecurrentLayer", "RecurrentWeights"]

#: So many times more sequences than steps look like axes that were taken for one another.
_FAR_MORE = 10
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
    """

    kind: str
    source: str
    tensors: dict[tuple[int, str], dict[str, np.ndarray]] = field(repr=False)
    batch_first: bool | None = None

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
        """("forward",) or ("forward", "reverse")."""
        return tuple(d for d in DIRECTIONS if (0, d) in self.tensors)

    @property
    def input_size(self) -> int:
        """I, the size of an input vector of the first layer."""
        return self.tensors[0, "forward"]["weight_ih"].shape[1]

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

    def sequences(self, inputs: npt.ArrayLike) -> np.ndarray:
        """Input sequences as a (T, B, I) float64 array.

        Parameters
        ----------
        inputs : array (T, I), (T, B, I), or (B, T, I) where ``batch_first``

        Raises
        ------
        TypeError, ValueError : not real numbers, not finite, another shape, nothing in it

        Warns
        -----
        UserWarning : far more sequences than steps, where nobody has said which axis is time
        """
        if unequal_shapes(inputs):
            raise ValueError(
                f"inputs must be sequences of one length, got {len(inputs)} of several shapes, the first {np.shape(inputs[0])}: "
                "pass each by itself"
            )
        x = real_array("inputs", inputs).astype(float)
        if x.ndim == 2:
            x = x[:, None, :]
        elif x.ndim == 3 and self.batch_first:
            x = np.swapaxes(x, 0, 1)
        if x.ndim != 3 or x.shape[2] != self.input_size or 0 in x.shape:
            shape = "(B, T, {0})" if self.batch_first else "(T, B, {0})"
            allowed = f"(T, {self.input_size}) or {shape.format(self.input_size)}"
            raise ValueError(f"inputs must have shape {allowed}, got {np.shape(inputs)}")
        if self.batch_first is None and x.shape[1] > _FAR_MORE * x.shape[0]:
            warnings.warn(
                f"inputs of shape {x.shape} were read as {x.shape[1]} sequences of {x.shape[0]} steps; if they are batch first, "
                "or to silence this, pass batch_first=True or False",
                stacklevel=2,
            )
        return x

    @underflow_is_zero
    def record(self, inputs: npt.ArrayLike, layer: int = 0, direction: str = "forward") -> Recording:
        """Run real input through the module, dropout off, and record one of its layers from a zero state.

        Parameters
        ----------
        inputs : array, as for :meth:`sequences`
        layer : int
        direction : "forward" or "reverse"; times of a Recording are those of the layer, so that reverse runs from the end

        Returns
        -------
        Recording
        """
        x, wanted = self.sequences(inputs), self.layer(layer, direction)
        for below in range(layer):
            outputs = []
            for way in self.directions:
                run = self.layer(below, way).record(x if way == "forward" else x[::-1])
                h = run.states[1:, :, 0]
                outputs.append(h if way == "forward" else h[::-1])
            x = np.concatenate(outputs, axis=-1)
        return wanted.record(x if direction == "forward" else x[::-1])


@dataclass(frozen=True, eq=False)
class RecurrentLayer:
    """One layer and direction of a recurrent module: a Network, and how an input vector drives it.

    Attributes
    ----------
    kind : str
    tensors : dict, as in RecurrentWeights
    name : str
    """

    kind: str
    tensors: dict[str, np.ndarray] = field(repr=False)
    name: str

    @property
    def cell(self) -> Cell:
        """The Cell."""
        return layout_of(self.kind).cell

    @cached_property
    def network(self) -> Network:
        """The Network at zero input, in float64; its ensemble has the moments of the weights.

        The law of its matrices is not known, unless they are as an orthogonal initialiser draws them: one orthogonal matrix a gate
        ("orthogonal"), or an isometry of all gates ("stack"), see ``networks.weight_statistics.recognised_law``.
        """
        layout, cell = layout_of(self.kind), self.cell
        n = self.tensors["weight_hh"].shape[1]
        matrices = np.empty((cell.n_fields, n, n))
        biases, parameters = np.zeros((cell.n_fields, n)), np.zeros((cell.n_parameters, n))
        rows = rows_by_name(cell, biases, parameters)
        for gate, (hidden, entry) in enumerate(zip(layout.hidden, layout.input)):
            part = slice(gate * n, (gate + 1) * n)
            matrices[cell.field_names.index(hidden)] = self.tensors["weight_hh"][part]
            rows[hidden] += self.tensors["bias_hh"][part]
            rows[entry] += self.tensors["bias_ih"][part]
        for name in layout.sites:
            rows[name] += self.tensors[name]
        for array in (matrices, biases, parameters):
            array.flags.writeable = False
        net = Network(cell, matrices, biases, parameters)
        law = recognised_law(net)
        if isinstance(law, Unknown):
            return net
        return Network(net.ensemble.with_matrices(law), matrices, biases, parameters)

    def with_network(self, network: Network) -> RecurrentLayer:
        """The same layer with other recurrent matrices, those of ``network``; biases and input weights stay."""
        layout, n = layout_of(self.kind), self.network.n_units
        if not isinstance(network, Network) or network.cell != self.cell or network.n_units != n or network.batch is not None:
            raise ValueError(f"network must be a single Network of {n} units of cell {self.cell.name!r}, got {shown(network)}")
        rows = [network.matrices[self.cell.field_names.index(name)] for name in layout.hidden]
        return RecurrentLayer(self.kind, {**self.tensors, "weight_hh": np.concatenate(rows)}, self.name)

    @underflow_is_zero
    def drive(self, x: npt.ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """What an input vector adds: the frozen input of the fields, and the site parameters with it.

        Parameters
        ----------
        x : (I,) or (B, I) array

        Returns
        -------
        input, parameters : (K, N) and (P, N) arrays, or (B, K, N) and (B, P, N): ``network.driven(input, parameters)``
        """
        x = real_array("x", x)
        size = self.tensors["weight_ih"].shape[1]
        if x.ndim not in (1, 2) or x.shape[-1] != size:
            raise ValueError(f"x must have shape ({size},) or (B, {size}), got {x.shape}")
        net, layout = self.network, layout_of(self.kind)
        lead, n = x.shape[:-1], net.n_units
        input = np.zeros((*lead, self.cell.n_fields, n))
        parameters = np.broadcast_to(net.parameters, (*lead, *net.parameters.shape)).copy()
        rows = rows_by_name(self.cell, input, parameters)
        through = x @ self.tensors["weight_ih"].T
        for gate, entry in enumerate(layout.input):
            rows[entry] += through[..., gate * n : (gate + 1) * n]
        return input, parameters

    def fed(self, inputs: npt.ArrayLike, state: npt.ArrayLike | None = None) -> Recording:
        """The recording along inputs, as calculators of driven networks ask for it (``networks.driven``): as :meth:`record`.

        Parameters
        ----------
        inputs : (T, I) or (T, B, I) array
        state : (d, N) or (B, d, N) array, optional
            Where it starts, one for all sequences or one each; default zero.

        Returns
        -------
        Recording

        Raises
        ------
        TypeError, ValueError : arrays of another shape, not of finite real numbers
        """
        x = real_array("inputs", inputs).astype(float)
        size = self.tensors["weight_ih"].shape[1]
        if x.ndim not in (2, 3) or x.shape[-1] != size or 0 in x.shape:
            raise ValueError(f"inputs must have shape (T, {size}) or (T, B, {size}), got {np.shape(inputs)}")
        x = x.reshape(len(x), -1, size)
        if state is None:
            return self.record(x)
        start = real_array("state", state)
        one = (self.cell.n_state, self.network.n_units)
        return self.record(x, np.broadcast_to(start, (x.shape[1], *one)) if start.shape == one else start)

    def run(self, inputs: npt.ArrayLike, state: npt.ArrayLike | None = None) -> np.ndarray:
        """All states along input sequences, the initial one first, as the module computes them.

        Parameters
        ----------
        inputs : (T, I) or (T, B, I) array
        state : (d, N) or (B, d, N) array, optional
            Where it starts; default zero.

        Returns
        -------
        (T + 1, d, N) array, of several sequences (T + 1, B, d, N)
        """
        states = self.fed(inputs, state).states
        return states[:, 0] if np.ndim(inputs) == 2 else states

    @underflow_is_zero
    def record(self, x: npt.ArrayLike, state: npt.ArrayLike | None = None) -> Recording:
        """Run the layer along input sequences x (T, B, I) from a state (B, d, N), default zero; returns a Recording."""
        x = real_array("x", x)
        if x.ndim != 3:
            raise ValueError(f"x must have shape (T, B, I), got {x.shape}")
        shape = (x.shape[1], self.cell.n_state, self.network.n_units)
        state = np.zeros(shape) if state is None else real_array("state", state)
        if state.shape != shape:
            raise ValueError(f"state must have shape {shape}, got {state.shape}")
        states = [state]
        for row in x:
            states.append(self.network.driven(*self.drive(row)).step(states[-1]))
        return Recording(self, x, np.array(states))


@dataclass(frozen=True, eq=False)
class Recording:
    """A layer's states along input sequences.

    Attributes
    ----------
    layer : RecurrentLayer
    inputs : (T, B, I) array
    states : (T + 1, B, d, N) array, the initial one first
    """

    layer: RecurrentLayer
    inputs: np.ndarray = field(repr=False)
    states: np.ndarray = field(repr=False)

    def at(self, times: Sequence[int], sequences: Sequence[int]) -> tuple[Network, np.ndarray]:
        """The driven network and its states at some points of the recording: a batch of networks that share their matrices.

        Parameters
        ----------
        times, sequences : sequences of int >= 0, of one length B
            The Jacobian at ``times[i]`` is that of the step from states[times[i]] to states[times[i] + 1].

        Returns
        -------
        Network of batch B, (B, d, N) array
        """
        last, count = len(self.inputs) - 1, self.inputs.shape[1] - 1
        points = integers("times", times, high=last), integers("sequences", sequences, high=count)
        if points[0].ndim != 1 or points[0].shape != points[1].shape or not points[0].size:
            raise ValueError(
                f"times and sequences must be two sequences of one length, got shapes {points[0].shape} and {points[1].shape}"
            )
        return self.layer.network.driven(*self.layer.drive(self.inputs[points])), self.states[points]

    def sequence_steps(self) -> tuple[int, ...]:
        """Steps of each sequence."""
        return (len(self.inputs),) * self.inputs.shape[1]

    def still(self) -> bool:
        """Whether no input ever changes."""
        return bool((self.inputs == self.inputs[0]).all())

    def sites(self, times: Sequence[int], sequences: Sequence[int]) -> Sites:
        """The population of sites at some points of the recording, pooled: Sites with ``source`` "recorded network"."""
        net, states = self.at(times, sequences)
        return replace(net.sites(states), source="recorded network")

    def driven_ensemble(self) -> tuple[Ensemble, float]:
        """The random networks that are fed as this layer was: its gains and biases, and white input of the same strength.

        What an input adds to a unit on average is part of its bias; what changes becomes white input of the same variance, of
        fields and of site parameters (PyTorch's GRU reads the candidate's input outside its reset gate, ``parameter_input_std``).
        Real inputs are not white: theory of the ensemble is off by what their correlations do.

        Returns
        -------
        ensemble : Ensemble, its matrices of the layer's law, "unknown" for trained weights (see ``Ensemble.assuming``)
        correlation : float
            Of the inputs at one step and the next, the mean over units, fields and site parameters; 0 for white input, nan for one
            that never changes and for sequences of one step.
        """
        net, cell = self.layer.network, self.layer.cell
        still, moving, products = _fed(self.layer, self.inputs)
        biases, parameters = np.split(np.concatenate([net.biases, net.parameters]) + still, [cell.n_fields])
        ensemble = Network(cell, net.matrices, biases, parameters).ensemble.with_matrices(net.ensemble.matrices)
        std = np.sqrt(moving)
        fields, sites = cell.field_names, cell.parameter_names
        values = {f"input_std.{name}": float(s) for name, s in zip(fields, std)}
        values |= {f"parameter_input_std.{name}": float(s) for name, s in zip(sites, std[len(fields) :])}
        total = float(moving.sum())
        return ensemble.replace(values), products / total if total > 0.0 else float("nan")


def _fed(layer, inputs):
    """What inputs (T, B, I) add to fields and site parameters: ((V, N) means, (V,) variances, products with the next step)."""
    zero = np.concatenate(layer.drive(np.zeros(inputs.shape[2])))
    mean = inputs.mean(axis=(0, 1))
    weights = np.stack([np.concatenate(layer.drive(one)) - zero for one in np.eye(inputs.shape[2])], axis=-1)  # (V, N, I)
    away = inputs - mean
    covariance = np.einsum("tbi,tbj->ij", away, away) / (away.shape[0] * away.shape[1])
    later = np.einsum("tbi,tbj->ij", away[1:], away[:-1]) / max(1, (away.shape[0] - 1) * away.shape[1])
    variances, products = (((weights @ matrix) * weights).sum(axis=2).mean(axis=1) for matrix in (covariance, later))
    return weights @ mean, np.maximum(variances, 0.0), float(products.sum()) if len(inputs) > 1 else np.nan
