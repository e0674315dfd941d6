"""Input sequences of one length or of several, whatever they come as: arrays, tensors, lists, packed sequences of PyTorch.

No library is imported to tell what they are: who has a tensor has imported PyTorch.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from ..support.checks import integers, real_array, real_numbers

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Sequences", "plain", "reversed_within", "running", "sequences_of"]

#: So many times more sequences than steps look like axes that were taken for one another.
_FAR_MORE = 10
#: Embeddings that a message names.
_NAMED = 3


@dataclass(frozen=True, eq=False)
class Sequences:
    """Input sequences, each of a length of its own, made by :meth:`gating_theory.interop.layers.RecurrentWeights.sequences`.

    Attributes
    ----------
    array : (T, B, I) array, zero after the end of a sequence; T is the length of the longest
    lengths : (B,) array of int, steps
    """

    array: np.ndarray = field(repr=False)
    lengths: np.ndarray

    @property
    def shape(self) -> tuple[int, int, int]:
        """(T, B, I)."""
        T, B, size = self.array.shape
        return T, B, size

    def reversed(self) -> Sequences:
        """Each sequence from its end to its beginning, as a layer of direction "reverse" meets it."""
        return Sequences(reversed_within(self.array, self.lengths), self.lengths)


def running(lengths: np.ndarray, n_steps: int) -> np.ndarray:
    """(T, B) array of bool: whether a sequence still runs at a step.

    Parameters
    ----------
    lengths : (B,) array of int, steps
    n_steps : int, T
    """
    return np.arange(n_steps)[:, None] < lengths


def reversed_within(array: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """(T, B, ..) array with each sequence turned around within its own length; what stands after it stays.

    Parameters
    ----------
    array : (T, B, ..) array
    lengths : (B,) array of int, steps
    """
    steps = np.arange(len(array))[:, None]
    source = np.where(steps < lengths, lengths - 1 - steps, steps)
    return array[source, np.arange(len(lengths))]


def sequences_of(
    inputs: Any,
    size: int,
    lengths: npt.ArrayLike | None = None,
    batch_first: bool | None = None,
    embeddings: Mapping[str, tuple[int, int]] | None = None,
) -> Sequences:
    """What users give as input sequences.

    Parameters
    ----------
    inputs : array or tensor (T, I), (T, B, I), or (B, T, I) where ``batch_first``; list or tuple of arrays (T_i, I); PackedSequence
    size : int, I
    lengths : (B,) array of int, optional
        Steps of each sequence; what stands after them is not looked at. Default: all.
    batch_first : bool or None
        Of arrays; None where nobody has said: then (T, B, I) is taken. Lists and packed sequences say themselves what is time.
    embeddings : dict, {name: (V, I)}, tables that a message names to those who give tokens

    Returns
    -------
    Sequences

    Raises
    ------
    TypeError, ValueError
        not real numbers, not finite, another shape, nothing in it, tokens, lengths that do not fit

    Warns
    -----
    UserWarning
        Far more sequences than steps, where nobody has said which axis is time; integers of the right shape, where there are
        embeddings that tokens of this shape might be meant for.
    """
    wants = _Wanted(size, batch_first, embeddings or {})
    packed = _unpacked(inputs, wants)
    if packed is not None:
        array, own = packed
    elif _is_list_of_sequences(inputs):
        array, own = _padded([wants.numbers(f"inputs[{i}]", one) for i, one in enumerate(inputs)], wants)
    else:
        array = wants.batch(inputs)
        own = np.full(array.shape[1], len(array))
    steps = own if lengths is None else _given_lengths(lengths, own)
    array = array[: steps.max()]
    array = np.where(running(steps, len(array))[..., None], array, 0.0)
    return Sequences(real_array("inputs", array), steps)


class _Wanted:
    """What vectors a module wants, and what is said to those who give something else."""

    def __init__(self, size: int, batch_first: bool | None, embeddings: Mapping[str, tuple[int, int]]) -> None:
        self.size, self.batch_first, self.embeddings = size, batch_first, embeddings

    def numbers(self, name: str, value: Any) -> np.ndarray:
        """(.., I) array of real numbers, finite or not; ValueError for tokens."""
        array = plain(value)
        given = array if isinstance(array, np.ndarray) else _array_or_none(array)
        if given is not None and given.dtype.kind in "iu" and given.ndim in (1, 2) and given.shape[-1:] != (self.size,):
            self.refuse_tokens(name, given.shape)
        if given is not None and given.dtype.kind in "iu" and self.embeddings:
            warnings.warn(
                f"{name} are integers of shape {given.shape} and were read as vectors of {self.size} numbers; if they are tokens, "
                f"pass table[tokens], {self.tables()}; if they are vectors, pass floats",
                stacklevel=5,
            )
        return real_numbers(name, array)

    def batch(self, inputs: Any) -> np.ndarray:
        """(T, B, I) from an array of any of the allowed shapes."""
        x = self.numbers("inputs", inputs)
        if x.ndim == 2:
            x = x[:, None, :]
        elif x.ndim == 3 and self.batch_first:
            x = np.swapaxes(x, 0, 1)
        if x.ndim != 3 or x.shape[2] != self.size or 0 in x.shape:
            shape = "(B, T, {0})" if self.batch_first else "(T, B, {0})"
            allowed = f"(T, {self.size}) or {shape.format(self.size)}"
            raise ValueError(f"inputs must have shape {allowed}, or be a list of arrays (T_i, {self.size}), got {np.shape(inputs)}")
        if self.batch_first is None and x.shape[1] > _FAR_MORE * x.shape[0]:
            warnings.warn(
                f"inputs of shape {x.shape} were read as {x.shape[1]} sequences of {x.shape[0]} steps; if they are batch first, "
                "or to silence this, pass batch_first=True or False",
                stacklevel=4,
            )
        return x

    def refuse_tokens(self, name: str, shape: tuple[int, ...]) -> NoReturn:
        """ValueError that says how tokens become vectors."""
        raise ValueError(
            f"{name} must hold vectors of {self.size} numbers, got integers of shape {shape}: tokens become vectors by the "
            f"embedding before the layer, pass table[tokens], {self.tables()}"
        )

    def tables(self) -> str:
        """Words for what the table can be."""
        if not self.embeddings:
            return f"table the (V, {self.size}) array of its weights"
        named = [f"{name!r} {shape}" for name, shape in self.embeddings.items()]
        more = f" or {len(named) - _NAMED} more" if len(named) > _NAMED else ""
        return f"table the array {' or '.join(named[:_NAMED])}{more} of the source"


def plain(value: Any) -> Any:
    """A tensor of PyTorch as an array, of float64 where it holds real numbers; all else as it is.

    Parameters
    ----------
    value : anything
    """
    torch: Any = sys.modules.get("torch")
    if torch is None or not isinstance(value, torch.Tensor):
        return value
    value = value.detach().cpu()
    return value.to(torch.float64).numpy() if value.is_floating_point() else value.numpy()


def _array_or_none(value: Any) -> np.ndarray | None:
    """The array that a value makes, or None where it makes none."""
    try:
        return np.asarray(value)
    except Exception:  # ragged lists; objects of somebody else: the checks of numbers say what is wrong
        return None


def _unpacked(inputs: Any, wants: _Wanted) -> tuple[np.ndarray, np.ndarray] | None:
    """(T, B, I) array and lengths of a PackedSequence of PyTorch, in the order in which it was given; None for anything else."""
    torch: Any = sys.modules.get("torch")
    if torch is None or not isinstance(inputs, torch.nn.utils.rnn.PackedSequence):
        return None
    data = wants.numbers("inputs.data", inputs.data)
    if data.ndim != 2 or data.shape[1] != wants.size:
        raise ValueError(f"inputs must be a PackedSequence of vectors of {wants.size} numbers, got data of shape {data.shape}")
    sizes = plain(inputs.batch_sizes)
    lengths = (sizes[:, None] > np.arange(sizes[0])).sum(axis=0)
    array = np.zeros((len(sizes), sizes[0], wants.size))
    array[running(lengths, len(sizes))] = data
    if inputs.unsorted_indices is not None:
        order = plain(inputs.unsorted_indices)
        array, lengths = array[:, order], lengths[order]
    return array, lengths


def _is_list_of_sequences(inputs: Any) -> bool:
    """Whether these are a list or tuple of sequences: arrays, tensors or lists (T_i, I), or of tokens of several lengths."""
    if not isinstance(inputs, (list, tuple)) or not inputs:
        return False
    arrays = [_array_or_none(plain(one)) for one in inputs]
    depths = {None if one is None else one.ndim for one in arrays}
    return depths == {2} or (depths == {1} and len({len(one) for one in arrays if one is not None}) > 1)


def _padded(listed: list[np.ndarray], wants: _Wanted) -> tuple[np.ndarray, np.ndarray]:
    """(T, B, I) array and lengths of sequences (T_i, I)."""
    for i, one in enumerate(listed):
        if one.ndim != 2 or one.shape[1] != wants.size or not len(one):
            raise ValueError(f"inputs[{i}] must have shape (T, {wants.size}) with T of at least 1, got {one.shape}")
    lengths = np.array([len(one) for one in listed])
    array = np.zeros((lengths.max(), len(listed), wants.size))
    for b, one in enumerate(listed):
        array[: len(one), b] = one
    return array, lengths


def _given_lengths(lengths: Any, own: np.ndarray) -> np.ndarray:
    """(B,) the lengths that users say, none beyond what is there."""
    steps = np.atleast_1d(integers("lengths", plain(lengths), low=1))
    if steps.shape != own.shape:
        raise ValueError(f"lengths must have an entry for each of {len(own)} sequences, got shape {np.shape(lengths)}")
    if (steps > own).any():
        b = int(np.argmax(steps > own))
        raise ValueError(f"lengths[{b}] must be at most the {own[b]} steps of sequence {b}, got {steps[b]}")
    return steps
