"""Moments between copies of one network at all pairs of times, exactly, where averages over pairs close [T8b].

A cell with a constant leak c has s(t + 1) = (1 - c) s(t) + f(t), and messages that are s times functions of other fields, or
functions of a Gaussian s. Then

    G(t, t' + 1) = (1 - c) G(t, t') + E f(t) f(t'),                     G = E f(t) s(t'),
    C(t + 1, t') = (1 - c) C(t, t') + G(t, t'),                         C = E s(t) s(t'),

for each pair of copies: a row of C, that of time t, gives the covariances of the fields at t with those before, these the averages
of f, and all of them the next row. No row but the last is needed, so that R copies take memory R^2 T and time R^2 T^2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...cell.constant_leak import STATE, ConstantLeak, Part, constant_leak
from ...ensemble.ensemble import Ensemble
from ...ensemble.field_law import squared
from ...errors import CapabilityError
from ...support.arithmetic import underflow_is_zero
from ...support.available_memory import require_memory
from .drives import Drives
from .pair_averages import PairAverage
from .two_times import TwoTimes

__all__ = ["Row", "closed_form", "pair_moments", "pair_rows"]

#: Parts of a function's variance that series may miss.
_MISSING = 1e-7


@dataclass(frozen=True)
class Row:
    """Second moments of the copies at time t with those at times t' <= t.

    Attributes
    ----------
    state : (R, t + 1, R) array [a, t', b], of the state
    messages : dict, {message name: array of the same shape}; empty at the last time, where there are no fields
    """

    state: np.ndarray
    messages: dict[str, np.ndarray]


def closed_form(ensemble: Ensemble, drives: Drives) -> ConstantLeak | None:
    """The form of a cell whose averages over pairs close under these drives; None where they do not.

    Parameters
    ----------
    ensemble : Ensemble
    drives : Drives
    """
    cell = ensemble.cell
    driven = np.sum([source.std for source in drives.sources], axis=0)
    if ensemble.array("parameter_std").any() or driven[cell.n_fields :].any() or not cell.compiled.smooth:
        return None
    moves = ensemble.array("gain") + ensemble.array("bias_std") + driven[: cell.n_fields]
    return constant_leak(cell, [name for name, size in zip(cell.field_names, moves) if size > 0.0])


@underflow_is_zero
def pair_moments(ensemble: Ensemble, drives: Drives, start: np.ndarray, tied: bool = True) -> TwoTimes:
    """All second moments between copies and times, exact to about 1e-12 of the largest [T8b].

    Parameters
    ----------
    ensemble : Ensemble
    drives : Drives
    start : (R, R) array, covariance of the copies' states at time 0, which are normal of mean zero
    tied : bool
        The same recurrent matrices in every step; False: fresh ones, the same for all copies.

    Raises
    ------
    CapabilityError : the leak is not constant, functions have kinks or are too steep, site parameters are spread
    MemoryError : tables of (R T)^2 numbers do not fit; :func:`pair_rows` needs a T-th of it
    """
    R, T = drives.n_copies, drives.n_steps
    names = ensemble.cell.message_names
    require_memory(f"{R} copies at {T} steps", 8.0 * (1 + len(names)) * (R * (T + 1)) ** 2)
    state, messages = np.empty((R, T + 1, R, T + 1)), {name: np.empty((R, T, R, T)) for name in names}
    for t, row in enumerate(pair_rows(ensemble, drives, start, tied)):
        for table, values in [(state, row.state), *((messages[name], m) for name, m in row.messages.items())]:
            table[:, t, :, : t + 1] = values.transpose(0, 2, 1)
            table[:, : t + 1, :, t] = values.transpose(2, 1, 0)
    return TwoTimes.exact(state, messages)


def pair_rows(ensemble: Ensemble, drives: Drives, start: np.ndarray, tied: bool = True) -> Iterator[Row]:
    """The same one time after the other, t = 0 .. T, without the tables: for many copies.

    Parameters
    ----------
    ensemble, drives, start, tied : as of :func:`pair_moments`

    Yields
    ------
    Row
    """
    form = closed_form(ensemble, drives)
    if form is None:
        raise CapabilityError(
            f"averages over pairs close where the leak is the same at all sites and times and functions have no kinks; "
            f"{ensemble.cell.name} has no such form here: sample sites"
        )
    yield from _Recursion(ensemble, drives, form, tied).rows(np.asarray(start, dtype=float))


class _Recursion:
    """What is kept from one row to the next: series of all functions at all times."""

    def __init__(self, ensemble: Ensemble, drives: Drives, form: ConstantLeak, tied: bool) -> None:
        self.ensemble, self.drives, self.form, self.tied = ensemble, drives, form, tied
        self.bias, self.parameters = ensemble.array("bias"), ensemble.array("parameter")
        self.gain2, self.kept = squared(ensemble.array("gain")), ensemble.array("bias_std") ** 2
        still = [*self.bias, *self.parameters]
        self.leak = float(form.leak(*still)[0])
        self.push, self.rates = 0.0, np.zeros(0)
        if form.linear is not None:
            push, *rates = form.linear(*still)
            self.push, self.rates = float(push), np.array([float(rate) for rate in rates])
        self.drive = [self._average(part) for part in form.drive]
        cell = ensemble.cell
        self.listens = cell.message_of
        self.messages = [[self._average(part) for part in form.messages[self.listens.index(m)]] for m in range(cell.n_messages)]

    def rows(self, start: np.ndarray) -> Iterator[Row]:
        """Rows of times 0 .. T from a covariance of the states at time 0."""
        names, T = self.ensemble.cell.message_names, self.drives.n_steps
        C, means = start[:, None, :], np.zeros(1)
        for t in range(T):
            self.mean = means[-1]
            fields, messages = self._fields(t, C)
            yield Row(C + means[-1] * means[:, None], dict(zip(names, messages)))
            C = self._next(C, self._drive(C, fields))
            means = np.append(means, (1.0 - self.leak) * means[-1] + self.push)
        yield Row(C + means[-1] * means[:, None], {})

    def _fields(self, t, C):
        """Covariances of the fields at time t with those up to it, {field: (R, t + 1, R)}, and moments of the distinct messages."""
        fields: dict[int, np.ndarray] = {}
        messages: list[np.ndarray] = []
        for k, nu in enumerate(self.listens):
            if nu == len(messages):
                messages.append(self._product(self.messages[nu], C, fields) * (1.0 if self.form.gaussian else C))
            fields[k] = self.drives.row(k, t) + self.kept[k]
            if self.gain2[k]:
                heard = slice(None) if self.tied else slice(t, None)  # fresh matrices forget
                fields[k][:, heard] += self.gain2[k] * messages[nu][:, heard]
        return fields, messages

    def _drive(self, C, fields):
        """E f(t) f(t') for all t' <= t; the covariance, where the state is Gaussian."""
        if self.form.gaussian:
            return sum(rate**2 * fields[k] for k, rate in enumerate(self.rates))
        return self._product(self.drive, C, fields)

    def _next(self, C, F):
        """The row of time t + 1 from those of C and E f f' at time t."""
        keep, R = 1.0 - self.leak, len(C)
        G = np.zeros((R, C.shape[1] + 1, R))
        for t in range(C.shape[1]):
            G[:, t + 1] = keep * G[:, t] + F[:, t]
        out = np.empty_like(G)
        out[:, :-1] = keep * C + G[:, :-1]
        out[:, -1] = keep * out[:, -2].T + G[:, -1]
        return out

    def _average(self, part: Part) -> Any:
        """A part of a message or of the drive, ready for its first time."""

        def function(*values):
            at = dict(enumerate(self.bias)) | dict(zip(part.variables, values))
            return part(at.get(STATE, 0.0), *(at[k] for k in range(self.bias.size)), *self.parameters)

        if not part.variables:
            return float(function()) ** 2
        return part, PairAverage(function, len(part.variables), self.drives.n_copies, self.drives.n_steps)

    def _product(self, factors, C, fields):
        """The product of the averages of independent factors, (R, t + 1, R)."""
        value = np.ones_like(C)
        for factor in factors:
            if isinstance(factor, float):
                value *= factor
                continue
            part, average = factor
            covariances = [C if v == STATE else fields[v] for v in part.variables]
            means = [self.mean if v == STATE else self.bias[v] for v in part.variables]
            average.meet(means, [np.sqrt(np.maximum(np.diagonal(c[:, -1]), 0.0)) for c in covariances])
            if average.missing > _MISSING:
                text = f"functions of {self.ensemble.cell.name} are too steep for averages over pairs: a series misses"
                raise CapabilityError(f"{text} {average.missing:.1g} of a variance; sample sites")
            value *= average.row(covariances)
        return value
