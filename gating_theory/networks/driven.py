"""Networks along sequences of inputs: what is asked of a recording, and the recording of a network that is fed step by step.

Layers of other libraries are recorded in a later chapter. Whoever follows a recording asks for no more than is said here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from ..support.checks import integers, real_array, shown
from .network import Network

if TYPE_CHECKING:
    import numpy.typing as npt

    from ..support.types import Rng

__all__ = ["DrivenRun", "Fed", "NetworkRun", "recorded_run"]


@runtime_checkable
class DrivenRun(Protocol):
    """States of a network along sequences of inputs, and the network under its input at each step."""

    def at(self, times: Sequence[int], sequences: Sequence[int]) -> tuple[Network, np.ndarray]:
        """The network under its inputs at some points, and its states there: a batch, one for each point.

        Parameters
        ----------
        times, sequences : sequences of int of one length
        """
        ...

    def sequence_steps(self) -> tuple[int, ...]:
        """Steps of each sequence."""
        ...

    def still(self) -> bool:
        """Whether no input ever changes."""
        ...


@runtime_checkable
class Fed(Protocol):
    """What takes inputs in a form of its own, a layer for example, and becomes a run along them."""

    def fed(self, inputs: Any, state: Any = None) -> DrivenRun:
        """The run along inputs.

        Parameters
        ----------
        inputs : array, in its own form
        state : array, optional, where it starts
        """
        ...


@dataclass(frozen=True, eq=False)
class NetworkRun:
    """A network along sequences of patterns that its fields get.

    Attributes
    ----------
    network : Network, a single one
    input : (T, B, K, N) array
    parameters : (T, B, P, N) array, or None: those of the network at every step
    states : (T + 1, B, d, N) array, the initial ones first
    """

    network: Network
    input: np.ndarray
    parameters: np.ndarray | None
    states: np.ndarray

    def at(self, times: Sequence[int], sequences: Sequence[int]) -> tuple[Network, np.ndarray]:
        """The driven network and its states at some points of the run: a batch of networks that share their matrices.

        Parameters
        ----------
        times, sequences : sequences of int >= 0, of one length B

        Returns
        -------
        Network of batch B, (B, d, N) array
        """
        last, count = len(self.input) - 1, self.input.shape[1] - 1
        points = integers("times", times, high=last), integers("sequences", sequences, high=count)
        parameters = None if self.parameters is None else self.parameters[points]
        return self.network.driven(self.input[points], parameters), self.states[points]

    def sequence_steps(self) -> tuple[int, ...]:
        """Steps of each sequence, T of all of them."""
        return (len(self.input),) * self.input.shape[1]

    def still(self) -> bool:
        """Whether no input ever changes."""
        return all(part is None or bool((part == part[0]).all()) for part in (self.input, self.parameters))


def recorded_run(
    net: Network | DrivenRun | Fed,
    inputs: npt.ArrayLike | None,
    parameters: npt.ArrayLike | None = None,
    state: npt.ArrayLike | None = None,
    rng: Rng = None,
) -> DrivenRun:
    """The run of whatever can be driven along its inputs: of a Network, of a layer (``fed``), or a recording as it is.

    Parameters
    ----------
    net : Network, something with ``fed``, or a DrivenRun
    inputs : array, for a Network (T, K, N), or (T, B, K, N) for B sequences; None for a DrivenRun
    parameters : (T, P, N) or (T, B, P, N) array, or None, of a Network
    state : array, optional
        Where to start, (d, N) or (B, d, N). Default: standard normal for a Network, what ``fed`` starts from.
    rng : numpy Generator, int or None, for the start

    Raises
    ------
    TypeError, ValueError
        arguments that do not go together, arrays of another shape, a batch of networks
    """
    if isinstance(net, Network):
        if inputs is None:
            raise ValueError("inputs are needed with parameters that change: the input of the fields at every step")
        return _run_of_network(net, inputs, parameters, state, rng)
    if parameters is not None:
        raise ValueError(f"parameters are for a Network, net is a {type(net).__name__}, which finds them from its inputs")
    if isinstance(net, DrivenRun):
        for name, value in {"inputs": inputs, "state": state}.items():
            if value is not None:
                raise ValueError(f"{name} must be left out for a {type(net).__name__}, which has its own")
        return net
    if isinstance(net, Fed):
        if inputs is None:
            raise ValueError(f"inputs are needed for a {type(net).__name__}")
        return net.fed(inputs, state)
    if hasattr(net, "layers"):
        raise TypeError(
            f"net must be one layer, got a {type(net).__name__}: the exponents of layers on top of each other are those of each, "
            "along what it is fed with; take stack.record(inputs).layers one by one"
        )
    raise TypeError(f"net must be a Network, a layer with inputs or a recording, got {shown(net)}")


def _run_of_network(net, inputs, parameters, state, rng):
    if net.batch is not None:
        raise ValueError(f"net must be a single network, got a batch of {net.batch}")
    input = _series("inputs", inputs, net.input.shape)
    given = None if parameters is None else _series("parameters", parameters, net.parameters.shape)
    T, B = input.shape[:2]
    if given is not None and given.shape[:2] != (T, B):
        raise ValueError(f"parameters must be of as many steps and sequences as inputs, {(T, B)}, got {given.shape[:2]}")
    several = net.driven(input[0])
    if state is None:
        start = several.random_state(rng)
    else:
        array = real_array("state", state)
        alike = array.size == net.cell.n_state * net.n_units  # one for all sequences
        start = np.broadcast_to(net.as_state(array), (B, net.cell.n_state, net.n_units)) if alike else several.as_state(array)
    states = several.run(start, T, input, trajectory=True, parameters=given)
    return NetworkRun(net, input, given, states)


def _series(name, value, shape):
    """A sequence, or several, as a (T, B, *shape) array."""
    array = real_array(name, value).astype(float)
    if array.ndim == 3:
        array = array[:, None]
    if array.ndim != 4 or array.shape[2:] != shape or 0 in array.shape[:2]:
        wanted = ", ".join(map(str, shape))
        raise ValueError(f"{name} must have shape (T, {wanted}), or (T, B, {wanted}) for B sequences, got {np.shape(value)}")
    return array
