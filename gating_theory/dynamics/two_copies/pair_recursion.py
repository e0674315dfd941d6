"""Moments between copies of one network at all pairs of times, exactly, where averages over pairs close [T8b].

A unit with a constant leak c has s(t + 1) = (1 - c) s(t) + f(t), and messages that are s times functions of other fields, or
functions of a Gaussian s. Then

    G(t, t' + 1) = (1 - c) G(t, t') + E f(t) f(t'),                     G = E f(t) s(t'),
    C(t + 1, t') = (1 - c) C(t, t') + G(t, t'),                         C = E s(t) s(t'),

for each pair of copies: a row of C, that of time t, gives the covariances of the fields at t with those before, these the averages
of f, and all of them the next row. No row but the last is needed, so that R copies take memory R^2 T and time R^2 T^2. Where leaks
differ from unit to unit C and G are those of classes of sites, which have everything else in common; where a gate moves them, of
sites with given paths of this gate, which is independent of all other fields.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...cell.constant_leak import STATE, Part
from ...ensemble.ensemble import Ensemble
from ...ensemble.field_law import squared
from ...errors import CapabilityError
from ...support.arithmetic import underflow_is_zero
from ...support.available_memory import require_memory
from .closed_form import ClosedForm, closed_form, gated_form
from .drives import Drives
from .gate_paths import GatePaths
from .pair_averages import PairAverage
from .two_times import TwoTimes

__all__ = ["Row", "gated_rows", "pair_moments", "pair_rows"]

#: Parts of a function's variance that series may miss.
_MISSING = 1e-7
#: Tables of (R, T, R) numbers that are held at a time, for each class of sites and besides.
_TABLES_OF_A_CLASS, _TABLES = 4, 12


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
    CapabilityError
        the leak is not constant, functions have kinks or are too steep, site parameters are spread
    MemoryError
        tables of (R T)^2 numbers do not fit; :func:`pair_rows` needs a T-th of it
    """
    R, T = drives.n_copies, drives.n_steps
    names = ensemble.cell.message_names
    require_memory(f"{R} copies at {T} steps", 8.0 * (1 + len(names)) * (R * (T + 1)) ** 2)
    state, messages = np.empty((R, T + 1, R, T + 1)), {name: np.empty((R, T, R, T)) for name in names}
    for t, row in enumerate(pair_rows(ensemble, drives, start, tied)):
        for table, values in [(state, row.state), *((messages[name], m) for name, m in row.messages.items())]:
            table[:, t, :, : t + 1] = values.transpose(0, 2, 1)
            table[:, : t + 1, :, t] = values.transpose(2, 1, 0)
    return TwoTimes(state, messages)


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
            f"averages over pairs close where leaks do not change in time (gates that set them have gain and input 0) and "
            f"functions have no kinks; {ensemble.cell.name} has no such form here: sample sites"
        )
    tables = (_TABLES_OF_A_CLASS * form.weights.size + _TABLES) * drives.n_copies**2 * (drives.n_steps + 1)
    require_memory(f"{drives.n_copies} copies at {drives.n_steps} steps", 8.0 * tables)
    yield from _Recursion(ensemble, drives, form, tied).rows(np.asarray(start, dtype=float))


def gated_rows(
    ensemble: Ensemble, drives: Drives, start: np.ndarray, tied: bool = True, *, n_paths: int, rng: np.random.Generator
) -> Iterator[Row]:
    """The same where averages over pairs close given the paths of one gate, such as the GRU's update gate: these are sampled.

    Parameters
    ----------
    ensemble, drives, start, tied : as of :func:`pair_moments`
    n_paths : int, J, even
    rng : numpy Generator

    Yields
    ------
    Row, off by order 1 / J in the mean and J^(-1/2) at random

    Raises
    ------
    CapabilityError
        leaks that depend on more than one moving field, several state variables, spreads of site parameters
    """
    form = gated_form(ensemble, drives, n_paths)
    if form is None:
        raise CapabilityError(f"{ensemble.cell.name} has not one gate whose paths would close averages over pairs: sample sites")
    tables = (_TABLES_OF_A_CLASS * n_paths + _TABLES) * drives.n_copies**2 * (drives.n_steps + 1)
    require_memory(f"{n_paths} paths, {drives.n_copies} copies and {drives.n_steps} steps", 8.0 * tables)
    yield from _Recursion(ensemble, drives, form, tied, rng).rows(np.asarray(start, dtype=float))


class _Recursion:
    """What is kept from one row to the next.

    Tables of states are (t + 1, J, R, R), [t', class, a at t, b at t']; what classes are at one time is (J, R or 1).
    """

    def __init__(
        self, ensemble: Ensemble, drives: Drives, form: ClosedForm, tied: bool, rng: np.random.Generator | None = None
    ) -> None:
        self.ensemble, self.drives, self.form, self.tied = ensemble, drives, form, tied
        self.gaussian, self.means = form.cell_form.gaussian, np.concatenate([ensemble.array("bias"), ensemble.array("parameter")])
        self.gain2, self.kept = squared(ensemble.array("gain")), ensemble.array("bias_std") ** 2
        self.values = list(form.still.T[:, :, None])
        self.gate = None if rng is None else GatePaths(form.weights.size, drives.n_copies, drives.n_steps, rng)
        self.keeps: list[np.ndarray] = []  # 1 - leak at the times so far
        self.push, self.rates = 0.0, np.zeros(0)
        if form.cell_form.linear is not None:  # of one class
            push, *rates = form.cell_form.linear(*self.means)
            self.push, self.rates = float(push), np.array([float(rate) for rate in rates])
        self.drive = self._factors(form.cell_form.drive)
        cell = ensemble.cell
        self.listens = cell.message_of
        self.messages = [self._factors(form.cell_form.messages[self.listens.index(m)]) for m in range(cell.n_messages)]

    def rows(self, start: np.ndarray) -> Iterator[Row]:
        """Rows of times 0 .. T from a covariance of the states at time 0."""
        names, T = self.ensemble.cell.message_names, self.drives.n_steps
        C, means = np.repeat(start[None, None], self.form.weights.size, axis=1), np.zeros(1)
        for t in range(T):
            self.mean = means[-1]
            fields, messages = self._fields(t, C)
            yield Row(self._over_classes(C) + means[-1] * means[:, None], dict(zip(names, messages)))
            self.keeps.append(np.ones((C.shape[1], 1)) - self.form.cell_form.leak(*self.values)[0])
            C = self._next(C, *self._drive(fields, C))
            means = np.append(means, self.keeps[-1][0, 0] * means[-1] + self.push)
        yield Row(self._over_classes(C) + means[-1] * means[:, None], {})

    def _over_classes(self, tables):
        """(R, t + 1, R) mean over all sites of tables of the classes."""
        mean = tables[:, 0] if self.form.weights.size == 1 else np.tensordot(tables, self.form.weights, ((1,), (0,)))
        return np.ascontiguousarray(mean.transpose(1, 0, 2))

    def _fields(self, t, C):
        """Covariances of the fields at time t with those up to it, {field: (R, t + 1, R)}, and moments of the distinct messages."""
        fields: dict[int, np.ndarray] = {}
        messages: list[np.ndarray] = []
        for k, nu in enumerate(self.listens):
            if nu == len(messages):
                average = self._product(self.messages[nu], fields, C)
                own = self.messages[nu].own_pairs(self.values)
                messages.append(average * self._over_classes(own * np.ones_like(C) if self.gaussian else own * C))
            fields[k] = self.drives.row(k, t) + self.kept[k]
            if self.gain2[k]:
                heard = slice(None) if self.tied else slice(t, None)  # fresh matrices forget
                fields[k][:, heard] += self.gain2[k] * messages[nu][:, heard]
            if self.gate is not None and k == self.form.gate:
                self.values[k] = self.means[k] + self.gate.meet(fields[k])
        return fields, messages

    def _drive(self, fields, C):
        """What classes are to the drive, (t + 1, J, R or 1, R or 1), and a row: products are E f(t) f(t') for all t' <= t.

        Where the state is Gaussian, its covariance.
        """
        if self.gaussian:
            return np.ones((len(C), 1, 1, 1)), sum(rate**2 * fields[k] for k, rate in enumerate(self.rates))
        return self.drive.own_pairs(self.values), self._product(self.drive, fields, C)

    def _next(self, C, own, F):
        """The row of time t + 1 from those of C and of the drive at time t."""
        G = np.zeros((len(C) + 1, *C.shape[1:]))
        for t, keep in enumerate(self.keeps):
            G[t + 1] = keep[:, None, :] * G[t] + own[t] * F[:, t]
        keep = self.keeps[-1][:, :, None]
        G[:-1] += keep * C
        G[-1] += keep * G[-2].transpose(0, 2, 1)
        return G

    def _factors(self, parts: tuple[Part, ...]) -> _Factors:
        """A product of parts, ready for its first time."""
        plain, felt = [part for part in parts if not part.variables], []
        for part in parts:
            if part.variables:
                average = PairAverage(self._function(part), len(part.variables), self.drives.n_copies, self.drives.n_steps)
                felt.append((part, average))
        return _Factors(plain, felt, self.form.weights.size)

    def _function(self, part):
        """A part as a function of the variables that it feels."""

        def function(*values):
            at = dict(enumerate(self.means)) | dict(zip(part.variables, values))
            return part(at.get(STATE, 0.0), *(at[v] for v in range(self.means.size)))

        return function

    def _product(self, factors, fields, C):
        """The product of the averages of independent factors, (R, t + 1, R); C of the state, where they are functions of it."""
        size = (C.shape[2], len(C), C.shape[2])
        value, own = np.ones(size), C[:, 0].transpose(1, 0, 2)  # functions of the state are of one class
        for part, average in factors.felt:
            covariances = [own if v == STATE else fields[v] for v in part.variables]
            means = [self.mean if v == STATE else self.means[v] for v in part.variables]
            average.meet(means, [np.sqrt(np.maximum(np.diagonal(c[:, -1]), 0.0)) for c in covariances])
            if average.missing > _MISSING:
                text = f"functions of {self.ensemble.cell.name} are too steep for averages over pairs: a series misses"
                raise CapabilityError(f"{text} {average.missing:.1g} of a variance; sample sites")
            value *= average.row(covariances)
        return value


class _Factors:
    """A product of parts: those that feel nothing, which classes have values of, and those that are averaged over pairs."""

    def __init__(self, plain: list[Part], felt: list[tuple[Part, PairAverage]], n_classes: int) -> None:
        self.plain, self.felt, self.n_classes = plain, felt, n_classes
        self._past: list[np.ndarray] = []

    def own_pairs(self, values: list[np.ndarray]) -> np.ndarray:
        """(t + 1, J, R or 1, R or 1) products of what classes are at the time that begins with what they were at those before.

        Parameters
        ----------
        values : fields and site parameters of the classes, each (J, R or 1)
        """
        own = np.ones((self.n_classes, 1))
        for part in self.plain:
            own = own * part(0.0, *values)
        self._past.append(own)
        return own[:, :, None] * np.stack(self._past)[:, :, None, :]
