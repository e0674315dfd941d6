"""Layers on top of each other as one system: the state of all of them, its next one, and the Jacobian of that step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..results.display import brief, brief_at_prompts
from ..running.blas import single_blas_thread
from ..support.arithmetic import underflow_is_zero
from ..support.available_memory import require_memory
from ..support.checks import real_array, several
from .recurrent_layer import Recording, RecurrentLayer
from .sequences import sequences_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from ..networks.network import Network

__all__ = ["Stack", "StackRecording"]


@brief_at_prompts
@dataclass(frozen=True, eq=False)
class Stack:
    """Forward layers, each fed in the same step with the new first state variable (h) of the one below.

    Made by :meth:`gating_theory.interop.layers.RecurrentWeights.stack` and ``Contents.stack``. States are tuples of one array
    (d, N) a layer, each with its own d and N; with a batch (B, d, N). In rows and columns of the Jacobian the first layer comes
    first, each as in ``Network.jacobian``.

    The Jacobian is block lower triangular, for nothing leads from a layer to the one below it. So its eigenvalues are those of the
    layers, each at what it is fed with [T2]: stacking makes no timescale of its own, and the theory of a layer's spectrum, at
    ``recording.layers[i].sites(..)``, is all that there is to say of eigenvalues. The blocks below the diagonal make the Jacobian
    less normal: they show in singular values, in growth that passes, and in what gradients of a lower layer are made of.

    Attributes
    ----------
    layers : tuple of RecurrentLayer
    source : str
    batch_first, embeddings : as of RecurrentWeights, for input sequences
    """

    layers: tuple[RecurrentLayer, ...]
    source: str
    batch_first: bool | None = None
    embeddings: Mapping[str, tuple[int, int]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        layers = several("layers", self.layers, RecurrentLayer, "RecurrentLayer")
        if not layers:
            raise ValueError("layers must not be empty")
        for below, above in zip(layers, layers[1:]):
            if above.input_size != below.network.n_units:
                raise ValueError(
                    f"layers must fit on each other: {above.name} takes {above.input_size} inputs, {below.name} has "
                    f"{below.network.n_units} units"
                )

    @property
    def input_size(self) -> int:
        """I, the size of an input vector."""
        return self.layers[0].input_size

    @property
    def sizes(self) -> tuple[int, ...]:
        """d N of each layer: rows of the Jacobian."""
        return tuple(layer.cell.n_state * layer.network.n_units for layer in self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    def __str__(self) -> str:
        lines = [f"{self.source}: {len(self)} layers as one system of {sum(self.sizes)} state variables"]
        for i, layer in enumerate(self.layers):
            lines.append(f"  layer {i}: {layer.kind}, {layer.input_size} inputs, {layer.network.n_units} units ({layer.name})")
        return "\n".join([*lines, "  its eigenvalues are those of its layers, its singular values are its own"])

    def zero_state(self) -> tuple[np.ndarray, ...]:
        """The state in which all is zero: a tuple of one (d, N) array a layer."""
        return tuple(np.zeros((layer.cell.n_state, layer.network.n_units)) for layer in self.layers)

    @underflow_is_zero
    def step(self, state: Sequence[npt.ArrayLike], x: npt.ArrayLike) -> tuple[np.ndarray, ...]:
        """The next state of all layers.

        Parameters
        ----------
        state : sequence of (d, N) or (B, d, N) arrays, one a layer
        x : (I,) or (B, I) array, what the first layer is fed with

        Returns
        -------
        tuple of arrays as of ``state``, with the batch of ``x``
        """
        return tuple(new for *_, new in self._through(state, x))

    def driven(self, state: Sequence[npt.ArrayLike], x: npt.ArrayLike) -> tuple[Network, ...]:
        """The network of each layer under what it is fed with in this step: its own Jacobian, eigenvalues, sites.

        Parameters
        ----------
        state, x : as for :meth:`step`

        Returns
        -------
        tuple of Network, of the batch of ``x``
        """
        return tuple(net for _, net, _, _, _ in self._through(state, x))

    @underflow_is_zero
    def jacobian(self, state: Sequence[npt.ArrayLike], x: npt.ArrayLike) -> np.ndarray:
        """The Jacobian ds'/ds of one step of all layers: exact, block lower triangular [T2].

        The block of layer l by layer l' < l is ds_l'/dx times dh'/ds_l' of the layer below, by the chain rule from the derivatives
        of the cells, those by site parameters among them: PyTorch's GRU reads the candidate's input there.

        Parameters
        ----------
        state, x : as for :meth:`step`

        Returns
        -------
        (S, S) or (B, S, S) array, S the sum of ``sizes``
        """
        ends = np.cumsum([0, *self.sizes])
        lead = np.shape(x)[:-1]
        require_memory(f"a Jacobian of {ends[-1]} rows", 8.0 * ends[-1] ** 2 * max(1, *lead, 1))
        J = np.zeros((*lead, ends[-1], ends[-1]))
        heard = None  # dh'/ds of the layer below, by all layers up to it
        for i, (layer, net, fed, own, _) in enumerate(self._through(state, x)):
            rows = J[..., ends[i] : ends[i + 1], :]
            rows[..., ends[i] : ends[i + 1]] = net.jacobian(own)
            if heard is not None:
                rows[..., : ends[i]] = layer.input_jacobian(own, fed) @ heard
            heard = rows[..., : net.n_units, : ends[i + 1]]
        return J

    @underflow_is_zero
    def layer_eigenvalues(self, state: Sequence[npt.ArrayLike], x: npt.ArrayLike) -> tuple[np.ndarray, ...]:
        """Eigenvalues of each layer's own Jacobian, in LAPACK's order: together they are those of the stack.

        Parameters
        ----------
        state, x : as for :meth:`step`

        Returns
        -------
        tuple of complex (d N,) or (B, d N) arrays
        """
        return tuple(net.eigenvalues(own) for _, net, _, own, _ in self._through(state, x))

    def eigenvalues(self, state: Sequence[npt.ArrayLike], x: npt.ArrayLike) -> np.ndarray:
        """Eigenvalues of the stack's Jacobian: those of its layers, one layer after the other.

        Parameters
        ----------
        state, x : as for :meth:`step`

        Returns
        -------
        complex (S,) or (B, S) array
        """
        return np.concatenate(self.layer_eigenvalues(state, x), axis=-1)

    @underflow_is_zero
    def singular_values(self, state: Sequence[npt.ArrayLike], x: npt.ArrayLike) -> np.ndarray:
        """Singular values of the stack's Jacobian, descending: they are not those of its layers.

        Parameters
        ----------
        state, x : as for :meth:`step`

        Returns
        -------
        (S,) or (B, S) array
        """
        with single_blas_thread():
            return np.linalg.svd(self.jacobian(state, x), compute_uv=False)

    def record(
        self, inputs: Any, lengths: npt.ArrayLike | None = None, state: Sequence[npt.ArrayLike] | None = None
    ) -> StackRecording:
        """Run real input through the stack, dropout off, and record all layers.

        Parameters
        ----------
        inputs, lengths : as for ``RecurrentWeights.record``
        state : sequence of (d, N) or (B, d, N) arrays, one a layer, optional
            What the layers begin in; default zero.

        Returns
        -------
        StackRecording
        """
        x = sequences_of(inputs, self.input_size, lengths, self.batch_first, self.embeddings)
        begin = [None] * len(self) if state is None else self._one_each(state)
        recordings: list[Recording] = []
        for layer, own in zip(self.layers, begin):
            fed = recordings[-1].outputs if recordings else x.array
            recordings.append(layer.record(fed, own, x.lengths))
        return StackRecording(self, tuple(recordings))

    def _one_each(self, state):
        arrays = list(state) if isinstance(state, (list, tuple)) else []
        if len(arrays) != len(self):
            raise ValueError(f"state must be a tuple of {len(self)} arrays, one a layer, got {_described(state)}")
        return arrays

    def _through(self, state, x) -> Iterator[tuple[RecurrentLayer, Network, np.ndarray, np.ndarray, np.ndarray]]:
        """(layer, its network in this step, what it is fed with, its state, its next state), from the first layer up."""
        fed = real_array("x", x)
        for i, (layer, given) in enumerate(zip(self.layers, self._one_each(state))):
            net = layer.network.driven(*layer.drive(fed))
            shape = (layer.cell.n_state, layer.network.n_units)
            own = real_array(f"state[{i}]", given)
            if own.shape not in (shape, (*fed.shape[:-1], *shape)):
                allowed = f"{shape}" if fed.ndim == 1 else f"{shape} or {(*fed.shape[:-1], *shape)}"
                raise ValueError(f"state[{i}] must have shape {allowed}, got {own.shape}")
            own = np.broadcast_to(own, (*fed.shape[:-1], *shape))
            new = net.step(own)
            yield layer, net, fed, own, new
            fed = new[..., 0, :]


@dataclass(frozen=True, eq=False)
class StackRecording:
    """All layers of a stack along input sequences, made by :meth:`Stack.record`.

    Attributes
    ----------
    stack : Stack
    layers : tuple of Recording, one a layer
    """

    stack: Stack
    layers: tuple[Recording, ...]

    def __repr__(self) -> str:
        return brief("StackRecording", f"{len(self.layers)} layers of {self.stack.source}, {len(self.lengths)} sequences")

    @property
    def inputs(self) -> np.ndarray:
        """(T, B, I) array, zero after the end of a sequence."""
        return self.layers[0].inputs

    @property
    def lengths(self) -> np.ndarray:
        """(B,) array of int, steps of each sequence."""
        return self.layers[0].lengths

    def at(self, times: Sequence[int], sequences: Sequence[int]) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        """The state of the stack and its input at some points of the recording, as :meth:`Stack.jacobian` takes them.

        Parameters
        ----------
        times, sequences : sequences of int >= 0, of one length B, as for ``Recording.at``

        Returns
        -------
        tuple of (B, d, N) arrays, (B, I) array
        """
        states = tuple(recording.at(times, sequences)[1] for recording in self.layers)
        return states, self.inputs[np.asarray(times), np.asarray(sequences)]


def _described(state):
    return f"{len(state)} of them" if isinstance(state, (list, tuple)) else type(state).__name__
