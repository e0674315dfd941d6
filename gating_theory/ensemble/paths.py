"""Paths through the hyperparameters of an ensemble: one of them, a kind of all fields, ties, a direction, a function of one number.

Whoever moves an ensemble along something, an axis of a diagram, a search for a critical value, takes an :class:`EnsemblePath` and
asks it for the ensemble at a value. What users give becomes one in :func:`path_of`.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..support.checks import instance, interval, real, shown, text
from .ensemble import Ensemble
from .hyperparameters import KINDS, LARGEST, kind_of, parts, symbol, tied, words

__all__ = ["AnyPath", "Direction", "EnsemblePath", "moved", "path_of", "require_apart"]

#: An ensemble lies on a path if it is this near to it, relative to the larger of 1 and the hyperparameter.
_OFF = 1e-9
#: Names of directions: they stand in names of variables, in files, and between commas.
_NAME = re.compile(r"\w[\w -]*")


@dataclass(frozen=True, repr=False)
class EnsemblePath(ABC):
    """The ensembles that one number leads through; those hyperparameters that it does not set stay as they are.

    Two paths are equal where they set the same hyperparameters to the same values, whatever they are called.

    Attributes
    ----------
    name : str, such as "gain.h", "gain", "gain.z=gain.r", "direction"; what results keep of the path
    symbol : str, TeX for axes of pictures
    words : str, what the value is
    range : (lowest, highest), values that are allowed
    span : (low, high) or None
        Where critical values are looked for when nobody says; None where somebody has to.
    """

    name: str = field(compare=False)
    symbol: str = field(compare=False)
    words: str = field(compare=False)
    range: tuple[float, float]
    span: tuple[float, float] | None

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name})"

    @property
    def signed(self) -> bool:
        """Whether the value may be negative."""
        return self.range[0] < 0.0

    @abstractmethod
    def settings(self, ensemble: Ensemble, value: float) -> Mapping[str, float] | Ensemble:
        """What is set at a value that is allowed: {path of one hyperparameter: number}, or the whole ensemble.

        Parameters
        ----------
        ensemble : Ensemble, of the path's cell
        value : float
        """

    def at(self, ensemble: Ensemble, value: float) -> Ensemble:
        """The ensemble moved to a value of the path; what the path does not set stays.

        Parameters
        ----------
        ensemble : Ensemble, of the path's cell
        value : float

        Raises
        ------
        TypeError, ValueError
            a value that is not allowed, another cell
        """
        low, high = self.range
        found = self.settings(ensemble, real(f"the value of {self.name}", value, low=low, high=high))
        return found if isinstance(found, Ensemble) else ensemble.replace(found)

    def value(self, ensemble: Ensemble) -> float:
        """Where on the path an ensemble is, the value at which :meth:`at` leaves it as it is; nan where it is not on the path.

        Parameters
        ----------
        ensemble : Ensemble, of the path's cell
        """
        return math.nan

    def sets(self, ensemble: Ensemble, value: float) -> frozenset[str]:
        """The hyperparameters that are set, each by its own path.

        Parameters
        ----------
        ensemble : Ensemble
        value : float, at which a function is asked
        """
        found = self.settings(ensemble, value)
        if isinstance(found, Ensemble):
            return frozenset(ensemble.paths)
        return frozenset(each for path in found for each in tied(self.name, path, ensemble.paths))

    def within(self, bounds: tuple[float, float] | None, argument: str = "bounds") -> tuple[float, float]:
        """Between which values something is looked for: the bounds that a user gives, or the path's span.

        Parameters
        ----------
        bounds : (low, high) or None
        argument : str, what messages call them

        Raises
        ------
        TypeError, ValueError
            Not two increasing finite numbers, values that are not allowed, no bounds along a path that has no span.
        """
        if bounds is None:
            if self.span is None:
                raise ValueError(f"{argument} must be given along {self.name}: nothing says where to look, got None")
            return self.span
        low, high = interval(argument, bounds)
        if not self.range[0] <= low <= high <= self.range[1]:
            raise ValueError(f"{argument} must lie within {self.range}, where {self.name} is defined, got {(low, high)}")
        return low, high


#: What users give for a path.
AnyPath = str | EnsemblePath | Callable[[float], Mapping[str, float] | Ensemble]


@dataclass(frozen=True, repr=False)
class _Straight(EnsemblePath):
    """Hyperparameters that are linear in the value: {path: (that at 0, that at 1)}."""

    ends: tuple[tuple[str, float, float], ...]

    def settings(self, ensemble, value):
        return {path: _limited(path, _between(value, zero, one)) for path, zero, one in self.ends}

    def value(self, ensemble: Ensemble) -> float:
        here = {path: ensemble.value(path) for path, _, _ in self.ends}
        path, zero, one = max(self.ends, key=_clarity)
        value = (here[path] - zero) / (one - zero) + 0.0
        on = all(abs(x - _between(value, *end[1:])) <= _OFF * max(1.0, abs(x)) for x, end in zip(here.values(), self.ends))
        return value if on else math.nan


def _clarity(end):
    """How little rounding blurs the value where it is read off one hyperparameter: not at all where that is the value itself."""
    _, zero, one = end
    return abs(one - zero) / (abs(zero) + abs(one)), abs(one - zero) == 1.0


def _between(value, zero, one):
    """Linear in the value, exact at 0 and 1, and at all values of a path that starts from 0."""
    return (1.0 - value) * zero + value * one + 0.0  # no -0.0


def _limits(path):
    return (-math.inf if kind_of(path).signed else 0.0), LARGEST


def _limited(path, number):
    """A hyperparameter that rounding has carried past its limit."""
    low, high = _limits(path)
    return min(max(number, low), high)


def _common_part(ends, intervals):
    """The values at which every hyperparameter lies in its interval."""
    low, high = -math.inf, math.inf
    for (_, zero, one), limits in zip(ends, intervals):
        first, last = sorted((limit - zero) / (one - zero) + 0.0 for limit in limits)
        low, high = max(low, first), min(high, last)
    return low, high


def _range(ends):
    return _common_part(ends, [_limits(path) for path, _, _ in ends])


# --- names


def _named(argument, given, ensemble):
    """A path that is given by a text: one hyperparameter, all of a kind, or several that are tied."""
    ends = tuple((path, 0.0, rate) for path, rate in sorted(tied(argument, given, ensemble.paths).items()))
    span, allowed = _common_part(ends, [kind_of(path).span for path, _, _ in ends]), _range(ends)
    if not allowed[0] < allowed[1]:
        raise ValueError(f"{argument}: {shown(given)} leaves no value but {allowed[0]:g}: gains and spreads are not negative")
    name = "=".join(f"{_written(factor)}{name}" for factor, name in parts(given))
    return _Straight(name, symbol(name), words(name), allowed, span, ends)


def _written(factor):
    return "" if factor == 1.0 else "-" if factor == -1.0 else f"{repr(factor).removesuffix('.0')}*"


# --- directions


@dataclass(frozen=True, init=False, repr=False)
class Direction(_Straight):
    """The straight line between two ensembles, accepted wherever a path is: the value is 0 at the first and 1 at the second.

    All hyperparameters that differ change linearly, and together; those that do not differ are free for other paths. Critical
    values are looked for between 0 and 1 if nobody gives bounds; values beyond are allowed as far as gains and spreads stay
    positive.

    Parameters
    ----------
    start : Ensemble
    end : Ensemble, or mapping
        The ensemble at 1, of the same cell and laws of matrices. A mapping gives rates: ``{"gain.h": 1.0, "bias.z": -0.5}`` is what
        each hyperparameter changes by while the value grows by 1; "gain" and ties are taken too.
    name : str, default "direction"
        What results and pictures call it: letters, digits, spaces, "-" and "_".

    Raises
    ------
    TypeError, ValueError
        No ensembles, those of different cells or laws, those that do not differ; unknown paths, rates that are not finite or all 0.

    Examples
    --------
    >>> import gating_theory as gt
    >>> way = gt.Direction(gt.Ensemble(gt.GRU), gt.Ensemble(gt.GRU, gain={"h": 3, "r": 2}))
    >>> way.at(gt.Ensemble(gt.GRU, bias={"z": 1}), 0.5).gain
    {'z': 1.0, 'r': 1.5, 'h': 2.0}
    """

    start: Ensemble

    def __init__(self, start: Ensemble, end: Ensemble | Mapping[str, float], name: str = "direction") -> None:
        instance("start", start, Ensemble)
        if not _NAME.fullmatch(text("name", name)) or name in KINDS:
            raise ValueError(f"name must be of letters, digits, spaces, - and _, and no kind of hyperparameter, got {shown(name)}")
        if isinstance(end, Mapping):
            other = start.replace({})
            rates = sorted(_rates(end, start).items())
            ends = tuple((path, start.value(path), start.value(path) + rate) for path, rate in rates if rate)
        elif isinstance(end, Ensemble):
            other = end
            ends = tuple((path, start.value(path), end.value(path)) for path in sorted(start.paths) if path in end.paths)
            ends = tuple(found for found in ends if found[1] != found[2])
        else:
            raise TypeError(f"end must be an Ensemble or a mapping from paths to rates, got {shown(end)}")
        if (other.cell, other.matrices, other.low_rank) != (start.cell, start.matrices, start.low_rank):
            raise ValueError(
                f"end must have the cell and the laws of matrices of start, and its low-rank part, {start!r}, got {other!r}"
            )
        if not ends:
            raise ValueError(f"end must differ from start, {start!r}, in a hyperparameter, got {shown(end)}")
        allowed = _range(ends)
        low, high = max(0.0, allowed[0]), min(1.0, allowed[1])
        span = (low, high) if low < high else None
        vars(self).update(name=name, symbol=name, words=name, range=allowed, span=span)
        vars(self).update(ends=ends, start=start)

    def at(self, ensemble: Ensemble, value: float) -> Ensemble:
        """The ensemble moved to a value of the way: 0 is the start's, 1 the end's; hyperparameters that do not differ stay.

        Parameters
        ----------
        ensemble : Ensemble, of the same cell
        value : float

        Raises
        ------
        TypeError, ValueError
            another cell, a value at which a hyperparameter would not be allowed
        """
        instance("ensemble", ensemble, Ensemble)
        if ensemble.cell != self.start.cell:
            raise ValueError(
                f"ensemble: {self.name} leads through networks of {self.start.cell.name}, got those of {ensemble.cell.name}"
            )
        return super().at(ensemble, value)


def _rates(given, start):
    """{path of one hyperparameter: its rate} of rates by paths that may stand for several."""
    out: dict[str, float] = {}
    for path, value in given.items():
        rate = real(f"end[{shown(path)}]", value, low=-LARGEST, high=LARGEST)
        for each, share in tied("end", path, start.paths).items():
            if each in out:
                raise ValueError(f"end gives {each} two rates")
            out[each] = rate * share
    return out


# --- functions


@dataclass(frozen=True, repr=False)
class _Function(EnsemblePath):
    """What a user's function of the value returns."""

    argument: str = field(compare=False)
    function: Callable[[float], Mapping[str, float] | Ensemble]

    def settings(self, ensemble, value):
        where = f"{self.argument}: {self.name}({value:.6g})"
        try:
            found: Any = self.function(value)
        except Exception as error:  # of somebody else's function, or of an object that can be called and is none
            raise ValueError(f"{where} ends in {type(error).__name__}: {str(error)[:200]}") from error
        if isinstance(found, Mapping):
            return found
        if not isinstance(found, Ensemble):
            raise TypeError(f"{where} must be a mapping from paths to numbers, or an Ensemble, got {shown(found)}")
        if found.cell != ensemble.cell:
            raise ValueError(f"{where} must be an Ensemble of {ensemble.cell.name}, got one of {found.cell.name}")
        return found


def _function(argument, function):
    name = getattr(function, "__name__", "")
    if not (isinstance(name, str) and name.isidentifier()) or name in KINDS:
        name = "function"
    return _Function(name, name, name, (-math.inf, math.inf), None, argument, function)


# --- what users give


def path_of(argument: str, path: object, ensemble: Ensemble) -> EnsemblePath:
    """What a user gave as a path through the hyperparameters of an ensemble.

    Parameters
    ----------
    argument : str, what messages call it
    path : str, Direction, callable, or EnsemblePath
        - one hyperparameter, "gain.h"; a kind for all fields, "gain", "bias_std"
        - a tie, "gain.z=gain.r", "gain.z=2*gain.r", "bias.z=-bias.r", of hyperparameters or kinds: all parts have one value
        - a :class:`Direction` between two ensembles
        - a function of the value that returns {path: number}, as ``Ensemble.replace`` takes it, or an Ensemble, which then decides
          about all hyperparameters. Nothing is known of where it may be asked, so that bounds have to be given; it is called
          ``function.__name__``, "function" where it has no proper name.
    ensemble : Ensemble

    Raises
    ------
    TypeError, ValueError
        no such path
    """
    if isinstance(path, str):
        return _named(argument, path, ensemble)
    if isinstance(path, Direction) and path.start.cell != ensemble.cell:
        raise ValueError(
            f"{argument}: {path.name} leads through networks of {path.start.cell.name}, not through those of {ensemble.cell.name}"
        )
    if isinstance(path, _Straight):
        for name, _, _ in path.ends:
            tied(argument, name, ensemble.paths)
    if isinstance(path, EnsemblePath):
        return path
    if callable(path) and not isinstance(path, type):
        return _function(argument, path)
    raise TypeError(f"{argument} must be a path such as 'gain.h', a Direction, or a function of one number, got {shown(path)}")


def moved(ensemble: Ensemble, places: Mapping[EnsemblePath, float]) -> Ensemble:
    """The ensemble at values of several paths, which set different hyperparameters.

    Parameters
    ----------
    ensemble : Ensemble
    places : {EnsemblePath: value}, a function that gives whole ensembles first
    """
    for path, value in places.items():
        ensemble = path.at(ensemble, value)
    return ensemble


def require_apart(
    argument: str, first: EnsemblePath, second: EnsemblePath, ensemble: Ensemble, values: tuple[float, float]
) -> None:
    """ValueError unless two paths can be moved along together, as ``second.at(first.at(ensemble, x), y)``.

    They must set different hyperparameters; but the first may be a function that gives whole ensembles, of which the second then
    changes something.

    Parameters
    ----------
    argument : str, what messages call the two
    first, second : EnsemblePath
    ensemble : Ensemble
    values : (float, float), one of each, at which functions are asked
    """
    whole = isinstance(first.settings(ensemble, values[0]), Ensemble)
    both = first.sets(ensemble, values[0]) & second.sets(ensemble, values[1])
    if both and (not whole or len(both) == len(ensemble.paths)):
        named = next(path for path in ensemble.paths if path in both)
        raise ValueError(f"{argument}: {first.name} and {second.name} both set {named}")
