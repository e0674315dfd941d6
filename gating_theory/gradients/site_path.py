"""What the sites of a network do along a path of steps: their derivatives, step after step [T9]."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..cell.cell import Cell
from ..ensemble.matrix_laws import IID, Unknown, require
from ..ensemble.sites import Sites
from ..networks.network import Network
from ..support.arithmetic import underflow_is_zero
from ..support.available_memory import require_memory
from ..support.checks import instance, integer, real_array, several, shown

__all__ = ["SitePath", "is_path", "site_paths"]

#: A recorded step may differ from that of the network by so much, relative to the largest state: recordings in single precision do.
_SAME_STEP = 1e-4


@dataclass(frozen=True, eq=False)
class SitePath:
    """Site derivatives along a path of steps, at M sites of one network [T9].

    Attributes
    ----------
    cell : Cell
    gain : (K,) array, of the matrices
    weights : (M,) array, sums to 1
    n_steps : int, T
    F_s, F_y, M_s, M_y : dicts {(i, j): (T, M) array} of the entries that do not vanish identically
        ``M_s`` and ``M_y`` have a row for each distinct message. At kept sites the T rows are one.
    """

    cell: Cell
    gain: np.ndarray
    weights: np.ndarray
    n_steps: int
    F_s: dict[tuple[int, int], np.ndarray] = field(repr=False)
    F_y: dict[tuple[int, int], np.ndarray] = field(repr=False)
    M_s: dict[tuple[int, int], np.ndarray] = field(repr=False)
    M_y: dict[tuple[int, int], np.ndarray] = field(repr=False)

    @property
    def size(self) -> int:
        """M, the number of sites."""
        return self.weights.size

    @property
    def listeners(self) -> list[list[int]]:
        """The fields of each distinct message."""
        return [[k for k, n in enumerate(self.cell.message_of) if n == message] for message in range(self.cell.n_messages)]

    def normalised(self, dtype: type) -> tuple[SitePath, np.ndarray]:
        """The same path with derivatives of order one, so that squares neither overflow nor underflow.

        Parameters
        ----------
        dtype : type of the numbers, np.float64 or np.float32

        Returns
        -------
        path : SitePath
            Derivatives of each step and each message are divided by powers of two; gains make up for those of messages.
        powers : (T,) int array, those of the steps
        """
        steps = np.max([_largest(rows) for part in (self.F_s, self.F_y) for rows in part.values()], axis=0)
        powers = np.broadcast_to(np.frexp(steps)[1], (self.n_steps,))
        messages = np.zeros(self.cell.n_messages)
        for part in (self.M_s, self.M_y):
            for (message, _), rows in part.items():
                messages[message] = max(messages[message], float(_largest(rows).max()))
        each = np.frexp(messages)[1]
        F_s, F_y = ({at: _scaled(rows, -powers[:, None], dtype) for at, rows in part.items()} for part in (self.F_s, self.F_y))
        M_s, M_y = ({at: _scaled(rows, -each[at[0]], dtype) for at, rows in part.items()} for part in (self.M_s, self.M_y))
        gain = np.ldexp(self.gain, each[list(self.cell.message_of)])
        return SitePath(self.cell, gain, self.weights.astype(dtype), self.n_steps, F_s, F_y, M_s, M_y), powers


def _kept(rows):
    """The one row of a path that stays where it is; else all."""
    return rows[:1] if rows.strides[0] == 0 else rows


def _largest(rows):
    return np.broadcast_to(np.abs(_kept(rows)).max(axis=1), len(rows))


def _scaled(rows, powers, dtype):
    kept = _kept(rows)
    powers = powers if np.ndim(powers) == 0 else powers[: len(kept)]
    return np.broadcast_to(np.ldexp(kept, powers).astype(dtype), rows.shape)


def is_path(source: Any) -> bool:
    """Whether ``source`` is a path of several steps: (Network, states), with inputs or without, a recording, or several Sites."""
    if isinstance(source, (tuple, list)):
        return bool(source) and (isinstance(source[0], Network) or all(isinstance(item, Sites) for item in source))
    return _is_recording(source)


def _is_recording(source):
    return callable(getattr(source, "at", None)) and hasattr(source, "states") and hasattr(source, "inputs")


@underflow_is_zero
def site_paths(source: Any, n_steps: int | None = None) -> list[SitePath]:
    """The paths of a source: one for each recorded sequence, one of kept sites.

    Parameters
    ----------
    source : Sites (kept through all steps); a sequence of Sites, one for each step; (Network, states) or (Network, states, input)
        States (T + 1, d, N), or (T + 1, B, d, N) for several sequences (or networks of a batch), as ``Network.run`` gives them with
        ``trajectory=True``; ``input`` as it was given to ``run``, the frozen one where it is left out. Or a recording of a layer,
        with ``states`` (T + 1, B, d, N), ``inputs`` and ``at(times, sequences)``.
    n_steps : int >= 1, the first so many steps; default all of them. Kept sites have no number of their own.

    Returns
    -------
    list of SitePath

    Raises
    ------
    TypeError, ValueError
        Another source; Sites without gains, of several cells, gains, sizes or weights; more steps than there are; states that are
        not those of the network's steps under this input.
    CapabilityError
        the laws of the matrices are not known to have these equations
    """
    if isinstance(source, Sites):
        return [_of_sites([source], integer("n_steps", n_steps, low=1))]
    if _is_recording(source):
        return _of_recording(source, n_steps)
    if isinstance(source, (tuple, list)) and source:
        if isinstance(source[0], Network):
            return _of_network(source, n_steps)
        steps = several("source", source, Sites, "Sites")
        count = _count(n_steps, len(steps))
        return [_of_sites(steps[:count], count)]
    raise TypeError(f"source must be Sites, one for each step, (Network, states) or a recording of a layer, got {shown(source)}")


def _count(n_steps, recorded):
    return recorded if n_steps is None else integer("n_steps", n_steps, low=1, high=recorded)


def _of_sites(steps, n_steps):
    first = steps[0]
    if first.gain is None:
        raise ValueError("sites carry no gains: give them, as in Sites(..., gain=)")
    for sites in steps[1:]:
        same = sites.cell == first.cell and sites.gain is not None and np.array_equal(sites.gain, first.gain)
        if not same or not np.array_equal(sites.weights, first.weights):
            raise ValueError(f"sites of a path must have one cell, gains, and weights, got {shown(first)} and {shown(sites)}")
    rows = (np.stack([getattr(s, name) for s in steps], axis=1) for name in ("state", "fields", "parameters"))
    return _made(first.cell, first.gain, first.matrices, first.weights, n_steps, *rows)


def _of_network(source, n_steps):
    if len(source) not in (2, 3):
        raise ValueError(f"source must be (Network, states) or (Network, states, input), got {len(source)} entries")
    net, states = source[0], real_array("states", source[1])
    shape = () if net.batch is None else (net.batch,)
    shape = (*shape, net.cell.n_state, net.n_units)
    if net.batch is None and states.ndim == 4:  # several sequences of one network
        return [path for b in range(states.shape[1]) for path in _of_network((net, states[:, b], *source[2:]), n_steps)]
    if states.ndim != len(shape) + 1 or states.shape[1:] != shape or len(states) < 2:
        raise ValueError(f"states must have shape (T + 1, {', '.join(map(str, shape))}), T at least 1, got {states.shape}")
    recorded = len(states) - 1
    count = _count(n_steps, recorded)
    given = source[2] if len(source) == 3 else "frozen"
    if isinstance(given, str) and given != "frozen":
        raise ValueError(
            f"input must be an array, the recorded one, or 'frozen', got {shown(given)}; noise is not recorded: "
            "run(input=) with your own array"
        )
    pattern_at = net.input_sequence(given, recorded)
    fields = []
    for t in range(count):
        y, after = net.advance(states[t], pattern_at(t))
        _require_step(after, states[t + 1], t)
        fields.append(y)
    return _of_states(net, states[:count], np.array(fields), np.broadcast_to(net.parameters, (count, *net.parameters.shape)))


def _require_step(after, recorded, t):
    apart = np.abs(after - recorded).max()
    if not apart <= _SAME_STEP * max(1.0, np.abs(recorded).max()):
        raise ValueError(
            f"states must be those of the network's steps: after step {t + 1} they are {apart:.2g} away from it; "
            "an input that drives the network belongs to the source, (network, states, input); noise is not recorded: "
            "run(input=) with your own array"
        )


def _of_states(net, states, fields, parameters):
    """One path for each network of a batch, of arrays (T, rows, N) or (T, B, rows, N)."""
    if net.batch is not None:
        each = range(net.batch)
        return [_of_arrays(net, *(a[:, b] for a in (states, fields, parameters))) for b in each]
    return [_of_arrays(net, states, fields, parameters)]


def _of_arrays(net, *arrays):
    if net.ensemble.low_rank is not None:
        net.ensemble.require("gradients", "gradients through many steps", "products of Jacobians of sampled networks: Network.push")
    weights = np.full(net.n_units, 1.0 / net.n_units)
    rows = (np.swapaxes(a, 0, 1) for a in arrays)
    return _made(net.cell, net.ensemble.array("gain"), net.ensemble.matrices, weights, len(arrays[0]), *rows)


def _of_recording(source, n_steps):
    recorded, sequences = source.states.shape[0] - 1, source.states.shape[1]
    count = _count(n_steps, recorded)
    paths = []
    for b in range(sequences):
        net, states = source.at(range(count), [b] * count)  # its batch is time
        instance("the network of a recording", net, Network)
        paths.append(_of_arrays(net, net.as_state(states), net.fields(states), net.parameters))
    return paths


def _made(cell, gain, laws, weights, n_steps, state, fields, parameters):
    """A path from arrays (rows, T, M), or (rows, 1, M) where sites are kept."""
    known = {name: IID() if isinstance(law, Unknown) else law for name, law in laws.items()}
    instead = "products of Jacobians of sampled networks: Network.push"
    require(known, "gradients", "gradients through many steps", instead, gain)
    shape = state.shape[1:]
    n = len(gain) + cell.n_state
    require_memory(f"site derivatives of {shape[0]} steps at {shape[1]} sites", 8.0 * n * n * shape[0] * shape[1])
    blocks = cell.compiled.blocks(state, fields, parameters)
    first = [cell.message_of.index(m) for m in range(cell.n_messages)]

    def dense(name, rows=None):
        out = {}
        for (i, j), value in blocks[name].items():
            if rows is None or i in rows:
                i = i if rows is None else rows.index(i)
                out[i, j] = np.broadcast_to(np.broadcast_to(value, shape), (n_steps, shape[1]))
        return out

    return SitePath(cell, gain, weights, n_steps, dense("F_s"), dense("F_y"), dense("M_s", first), dense("M_y", first))
