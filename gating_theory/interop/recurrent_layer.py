"""One layer and direction of a recurrent module: a Network, how an input vector drives it, and recordings along real input.

Arrays only: no library of neural networks is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..cell.cell import Cell
from ..ensemble.matrix_laws import Unknown
from ..errors import ConvergenceError
from ..networks.input_push import input_push
from ..networks.network import Network
from ..networks.weight_statistics import recognised_law
from ..results.display import brief
from ..support.arithmetic import underflow_is_zero
from ..support.available_memory import require_memory
from ..support.checks import integers, real_array, shown, unequal_shapes
from .initial_states import one_state
from .layouts import layout_of, rows_by_name
from .sequences import running, sequences_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from ..ensemble.ensemble import Ensemble
    from ..ensemble.sites import Sites

__all__ = ["Recording", "RecurrentLayer"]


@dataclass(frozen=True, eq=False)
class RecurrentLayer:
    """One layer and direction of a recurrent module: a Network, and how an input vector drives it.

    Attributes
    ----------
    kind : str
    tensors : dict, as in RecurrentWeights
    name : str

    See Also
    --------
    gating_theory.interop.torch.read : Makes one, by its ``layer``.

    Examples
    --------
    >>> import gating_theory as gt
    >>> import torch
    >>> from gating_theory.interop.torch import read
    >>> module = torch.nn.GRU(3, 8)
    >>> layer = read(module).layer(0)
    >>> x = torch.randn(5, 3)
    >>> states = layer.run(x.numpy())
    >>> bool(abs(states[-1, 0] - module(x)[0][-1].detach().numpy()).max() < 1e-6)
    True
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

    @property
    def input_size(self) -> int:
        """I, the size of an input vector."""
        return self.tensors["weight_ih"].shape[1]

    @cached_property
    def input_weights(self) -> tuple[np.ndarray, np.ndarray]:
        """What one unit of each input adds: (K, N, I) to the fields, (P, N, I) to the site parameters."""
        n, size = self.network.n_units, self.input_size
        input, parameters = np.zeros((size, self.cell.n_fields, n)), np.zeros((size, self.cell.n_parameters, n))
        rows = rows_by_name(self.cell, input, parameters)
        for gate, entry in enumerate(layout_of(self.kind).input):
            rows[entry] += self.tensors["weight_ih"][gate * n : (gate + 1) * n].T
        return np.moveaxis(input, 0, -1), np.moveaxis(parameters, 0, -1)

    def with_network(self, network: Network) -> RecurrentLayer:
        """The same layer with other recurrent matrices, those of ``network``; biases and input weights stay.

        Parameters
        ----------
        network : Network, of the same cell and size

        Returns
        -------
        RecurrentLayer

        Examples
        --------
        >>> import gating_theory as gt
        >>> import torch
        >>> from gating_theory.interop.torch import read
        >>> layer = read(torch.nn.GRU(3, 8)).layer(0)
        >>> random = gt.Network.sample(
        ...     gt.Ensemble(gt.GRUResetAfter, gain=2.0), 8, rng=0
        ... )
        >>> control = layer.with_network(random)
        >>> round(control.network.ensemble.gain["h"], 1)
        2.0
        """
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
        input, parameters : (K, N) and (P, N) arrays, or (B, K, N) and (B, P, N)
            For ``network.driven(input, parameters)``.

        Examples
        --------
        >>> import gating_theory as gt
        >>> import torch
        >>> from gating_theory.interop.torch import read
        >>> layer = read(torch.nn.GRU(3, 8)).layer(0)
        >>> fields, parameters = layer.drive([1.0, 0.0, 0.0])
        >>> net = layer.network.driven(fields, parameters)
        >>> fields.shape, parameters.shape
        ((3, 8), (1, 8))
        """
        x = real_array("x", x)
        size = self.input_size
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
        inputs : (T, I) or (T, B, I) array, list of arrays (T_i, I)
        state : (d, N) or (B, d, N) array, optional
            Where it starts, one for all sequences or one each; default zero.

        Returns
        -------
        Recording

        Raises
        ------
        TypeError, ValueError
            arrays of another shape, not of finite real numbers
        """
        x = sequences_of(inputs, self.input_size, batch_first=False)
        return self.record(x.array, state, x.lengths)

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

        Examples
        --------
        >>> import gating_theory as gt
        >>> import torch
        >>> from gating_theory.interop.torch import read
        >>> layer = read(torch.nn.LSTM(3, 8)).layer(0)
        >>> layer.run(torch.randn(5, 3).numpy()).shape
        (6, 2, 8)
        """
        states = self.fed(inputs, state).states
        return states[:, 0] if not unequal_shapes(inputs) and np.ndim(inputs) == 2 else states

    @underflow_is_zero
    def input_jacobian(self, state: npt.ArrayLike, x: npt.ArrayLike) -> np.ndarray:
        """The derivative ds'/dx of one step by the input vector: exact, from the derivatives of the cell [T2].

        Parameters
        ----------
        state : (d, N) or (B, d, N) array
        x : (I,) or (B, I) array

        Returns
        -------
        (d N, I) or (B, d N, I) array, rows as those of ``Network.jacobian``

        Examples
        --------
        >>> import gating_theory as gt
        >>> import torch
        >>> from gating_theory.interop.torch import read
        >>> layer = read(torch.nn.GRU(3, 8)).layer(0)
        >>> layer.input_jacobian(torch.zeros(1, 8).numpy(), [1.0, 0.0, 0.0]).shape
        (8, 3)
        """
        net = self.network.driven(*self.drive(x))
        pushed = input_push(net, net.as_state(state), *self.input_weights)
        return pushed.reshape(*pushed.shape[:-3], -1, self.input_size)

    @underflow_is_zero
    def record(self, x: npt.ArrayLike, state: npt.ArrayLike | None = None, lengths: npt.ArrayLike | None = None) -> Recording:
        """Run the layer along input sequences.

        Parameters
        ----------
        x : (T, B, I) array, in the order of time of the layer
        state : (B, d, N) array, or (d, N) for all sequences, optional
            What it begins in, default zero.
        lengths : (B,) array of int, optional
            Steps of each sequence; default all.

        Returns
        -------
        Recording

        Raises
        ------
        TypeError, ValueError
            other shapes, not real numbers, not finite
        MemoryError
            the states do not fit
        ConvergenceError
            the state runs away (ReLU); ``estimate`` is the last finite one

        Examples
        --------
        >>> import gating_theory as gt
        >>> import torch
        >>> from gating_theory.interop.torch import read
        >>> layer = read(torch.nn.GRU(3, 8)).layer(0)
        >>> recording = layer.record(torch.randn(5, 2, 3).numpy(), lengths=[5, 3])
        >>> recording.n_steps, recording.n_sequences, int(recording.running.sum())
        (5, 2, 8)
        """
        given = real_array("x", x)
        if given.ndim != 3:
            raise ValueError(f"x must have shape (T, B, I), got {given.shape}")
        sequences = sequences_of(given, self.input_size, lengths, batch_first=False)
        T, B, _ = sequences.shape
        shape = (B, self.cell.n_state, self.network.n_units)
        require_memory(f"states along {B} input sequences of {T} steps", 8.0 * (T + 1) * np.prod(shape))
        states = np.empty((T + 1, *shape))
        states[0] = one_state("state", state, *shape)
        for t, runs in enumerate(running(sequences.lengths, T)):
            driven = self.network.driven(*self.drive(sequences.array[t, runs]))
            with np.errstate(over="ignore", invalid="ignore"):
                moved = driven.step(states[t, runs])
            if not np.isfinite(moved).all():
                raise ConvergenceError(f"the state runs away: it is not finite after {t + 1} steps", estimate=states[t])
            states[t + 1] = states[t]
            states[t + 1, runs] = moved
        return Recording(self, sequences.array, states, sequences.lengths)


@dataclass(frozen=True, eq=False)
class Recording:
    """A layer's states along input sequences.

    Attributes
    ----------
    layer : RecurrentLayer
    inputs : (T, B, I) array, zero after the end of a sequence
    states : (T + 1, B, d, N) array, the initial one first; after the end of a sequence its last state stands
    lengths : (B,) array of int, steps of each sequence

    See Also
    --------
    gating_theory.interop.torch.RecurrentLayer : Makes one, by its ``record``.

    Examples
    --------
    >>> import gating_theory as gt
    >>> import torch
    >>> from gating_theory.interop.torch import read
    >>> layer, x = read(torch.nn.GRU(3, 8)).layer(0), torch.randn(5, 2, 3)
    >>> recording = layer.record(x.numpy())
    >>> recording.states.shape
    (6, 2, 1, 8)
    >>> net, states = recording.at([0, 4], [1, 1])
    >>> net.eigenvalues(states).shape
    (2, 8)
    """

    layer: RecurrentLayer
    inputs: np.ndarray = field(repr=False)
    states: np.ndarray = field(repr=False)
    lengths: np.ndarray

    def __repr__(self) -> str:
        return brief("Recording", f"{self.layer.name}: {self.n_sequences} sequences of up to {self.n_steps} steps")

    @property
    def network(self) -> Network:
        """The Network of the layer, at zero input."""
        return self.layer.network

    @property
    def n_steps(self) -> int:
        """T, the length of the longest sequence."""
        return len(self.inputs)

    @property
    def n_sequences(self) -> int:
        """B, the number of sequences."""
        return len(self.lengths)

    @property
    def running(self) -> np.ndarray:
        """(T, B) array of bool: whether a sequence still runs at a step; ``states[1:][recording.running]`` are all that it met."""
        return running(self.lengths, self.n_steps)

    @property
    def outputs(self) -> np.ndarray:
        """(T, B, N) array: what the layer gives out, its first state variable after each step; zero after the end of a sequence."""
        return np.where(self.running[..., None], self.states[1:, :, 0], 0.0)

    def at(self, times: Sequence[int], sequences: Sequence[int]) -> tuple[Network, np.ndarray]:
        """The driven network and its states at some points of the recording: a batch of networks that share their matrices.

        Parameters
        ----------
        times, sequences : sequences of int >= 0, of one length B
            The Jacobian at ``times[i]`` is that of the step from states[times[i]] to states[times[i] + 1]. Each time is before the
            end of its sequence.

        Returns
        -------
        Network of batch B, (B, d, N) array

        Examples
        --------
        >>> import gating_theory as gt
        >>> import torch
        >>> from gating_theory.interop.torch import read
        >>> layer, x = read(torch.nn.GRU(3, 8)).layer(0), torch.randn(5, 2, 3)
        >>> recording = layer.record(x.numpy())
        >>> net, states = recording.at([0, 4], [1, 1])
        >>> abs(net.eigenvalues(states)).shape
        (2, 8)
        """
        last, count = self.n_steps - 1, self.n_sequences - 1
        points = integers("times", times, high=last), integers("sequences", sequences, high=count)
        if points[0].ndim != 1 or points[0].shape != points[1].shape or not points[0].size:
            raise ValueError(
                f"times and sequences must be two sequences of one length, got shapes {points[0].shape} and {points[1].shape}"
            )
        beyond = points[0] >= self.lengths[points[1]]
        if beyond.any():
            t, b = (int(each[beyond][0]) for each in points)
            raise ValueError(f"times must be before the ends of their sequences: sequence {b} has {self.lengths[b]} steps, got {t}")
        return self.layer.network.driven(*self.layer.drive(self.inputs[points])), self.states[points]

    def sequence_steps(self) -> tuple[int, ...]:
        """Steps of each sequence."""
        return tuple(self.lengths.tolist())

    def still(self) -> bool:
        """Whether no input ever changes."""
        return bool((self.inputs == self.inputs[0])[self.running].all())

    def sites(self, times: Sequence[int], sequences: Sequence[int]) -> Sites:
        """The population of sites at some points of the recording, pooled: Sites with ``source`` "recorded network".

        Parameters
        ----------
        times, sequences : sequences of int >= 0, of one length
            As for :meth:`at`.

        Returns
        -------
        Sites

        Examples
        --------
        >>> import gating_theory as gt
        >>> import torch
        >>> from gating_theory.interop.torch import read
        >>> layer, x = read(torch.nn.GRU(3, 50)).layer(0), torch.randn(20, 1, 3)
        >>> recording = layer.record(x.numpy())
        >>> sites = recording.sites([10, 19], [0, 0])
        >>> spectrum = gt.Spectrum.from_sites(sites, matrices="iid")
        >>> bool(0.5 < spectrum.radius() < 1.0)
        True
        """
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

        Examples
        --------
        >>> import gating_theory as gt
        >>> import torch
        >>> from gating_theory.interop.torch import read
        >>> layer, x = read(torch.nn.GRU(3, 50)).layer(0), torch.randn(200, 1, 3)
        >>> recording = layer.record(x.numpy())
        >>> ens, correlation = recording.driven_ensemble()
        >>> ens.cell.name, abs(correlation) < 0.3
        ('GRUResetAfter', True)
        """
        net, cell = self.layer.network, self.layer.cell
        still, moving, products = _fed(self)
        biases, parameters = np.split(np.concatenate([net.biases, net.parameters]) + still, [cell.n_fields])
        ensemble = Network(cell, net.matrices, biases, parameters).ensemble.with_matrices(net.ensemble.matrices)
        std = np.sqrt(moving)
        fields, sites = cell.field_names, cell.parameter_names
        values = {f"input_std.{name}": float(s) for name, s in zip(fields, std)}
        values |= {f"parameter_input_std.{name}": float(s) for name, s in zip(sites, std[len(fields) :])}
        total = float(moving.sum())
        return ensemble.replace(values), products / total if total > 0.0 else float("nan")


def _fed(recording):
    """What its inputs add to fields and site parameters: ((V, N) means, (V,) variances, products with the next step)."""
    runs, weights = recording.running, np.concatenate(recording.layer.input_weights)  # (V, N, I)
    mean = recording.inputs[runs].mean(axis=0)
    away = np.where(runs[..., None], recording.inputs - mean, 0.0)
    pairs = int(runs[1:].sum())
    covariance = np.einsum("tbi,tbj->ij", away, away) / runs.sum()
    later = np.einsum("tbi,tbj->ij", away[1:], away[:-1]) / max(1, pairs)
    variances, products = (((weights @ matrix) * weights).sum(axis=2).mean(axis=1) for matrix in (covariance, later))
    return weights @ mean, np.maximum(variances, 0.0), float(products.sum()) if pairs else np.nan
