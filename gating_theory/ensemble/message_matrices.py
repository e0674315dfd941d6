"""The matrices of one network that act without being formed, by the messages that they listen to [T5]."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..errors import CapabilityError
from .ensemble import Ensemble
from .implicit import ImplicitMatrices
from .implicit_isometries import OfOneMessage
from .matrix_laws import MatrixLaw, by_law

__all__ = ["MessageMatrices", "implicit_bytes", "one_law_a_message", "require_implicit", "through_matrices"]


class MessageMatrices(NamedTuple):
    """What one message goes through: matrices, and the fields that they give, in their order. All others have no matrix."""

    matrices: ImplicitMatrices | OfOneMessage
    fields: list[int]


class _Group(NamedTuple):
    """The matrices of one law: fields of the ensemble, and for each message that some live one hears, those that listen."""

    law: MatrixLaw
    fields: list[int]
    heard: dict[int, list[int]]


def through_matrices(ensemble: Ensemble, n: int, capacity: int, rng: np.random.Generator, dtype: type) -> list[MessageMatrices]:
    """For each distinct message what it goes through, in one random network.

    Parameters
    ----------
    ensemble : Ensemble, as :func:`require_implicit` lets through
    n : int, N
    capacity : int, how many independent vectors of each message there is room for
    rng : numpy Generator
    dtype : float64 or float32, of what is stored
    """
    gain, found = ensemble.array("gain"), {}
    for law, fields, heard in _groups(ensemble):
        listeners = [[fields.index(k) for k in ks] for ks in heard.values()]
        for (nu, ks), matrices in zip(heard.items(), law.implicit(n, gain[fields], listeners, capacity, rng, dtype)):
            found[nu] = MessageMatrices(matrices, ks)
    for nu in range(ensemble.cell.n_messages):
        if nu not in found:  # no field listens to it through a matrix
            found[nu] = MessageMatrices(ImplicitMatrices(n, np.zeros(0), 0, rng, dtype), [])
    return [found[nu] for nu in range(ensemble.cell.n_messages)]


def implicit_bytes(ensemble: Ensemble, n: int, capacity: int, dtype: type) -> int:
    """Bytes that :func:`through_matrices` takes. Arguments as in through_matrices."""
    gain, total = ensemble.array("gain"), 0
    for law, fields, heard in _groups(ensemble):
        listeners = [[fields.index(k) for k in ks] for ks in heard.values()]
        total += law.implicit_bytes(n, gain[fields], listeners, capacity, dtype)
    return total


def one_law_a_message(ensemble: Ensemble) -> bool:
    """Whether all live matrices that listen to one message have one law, so that they share what they have met.

    Parameters
    ----------
    ensemble : Ensemble
    """
    heard = [nu for group in _groups(ensemble) for nu in group.heard]
    return len(heard) == len(set(heard))


def require_implicit(ensemble: Ensemble, calculator: str, instead: str) -> None:
    """CapabilityError unless :func:`through_matrices` can be had.

    Parameters
    ----------
    ensemble : Ensemble
    calculator : str, who asks
    instead : str, what can be used
    """
    ensemble.require("implicit", calculator, instead)
    if not one_law_a_message(ensemble):
        raise CapabilityError(f"{calculator} needs one law for all fields that listen to one message: use {instead}")


def _groups(ensemble):
    gain, messages = ensemble.array("gain"), ensemble.cell.message_of
    groups = []
    for law, fields in by_law(ensemble.matrices.values()).items():
        live = sorted({messages[k] for k in fields if gain[k] > 0.0})
        if live:
            groups.append(_Group(law, fields, {nu: [k for k in fields if messages[k] == nu] for nu in live}))
    return groups
