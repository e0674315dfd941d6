"""Paths through the parameters of a flow: one entry, by its name, or a line along which several of them change together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from ..results.encoding import require, result
from ..support.checks import real, real_array, shown

if TYPE_CHECKING:
    from ..cell.cell import Cell

__all__ = ["Line", "Path", "path_between", "place_of", "resolved"]

_ENTRY = re.compile(r"(?P<name>\w+)\[(?P<indices>\s*\d+\s*(,\s*\d+\s*)?)\]")

#: Parameters further from a line than this part of their size do not lie on it.
_OFF = 1e-9


@result("flow.Line")
@dataclass(frozen=True, eq=False)
class Line:
    """A straight line through the parameters of a flow, accepted wherever a path is: ``flat = origin + value * direction``.

    :meth:`Flow.along` makes one. Entries that do not change along the line are free: two lines can be varied together where they
    have no entry in common.

    Attributes
    ----------
    name : str
        What is varied, such as "gain.h" (a common factor of U_h), "b_z[0]=b_z[1]", "step along 1 b_h[0] - 0.5 b_h[1]".
    origin : (P,) array
        The parameters that change, as in ``Flow.flat``, at value 0; 0 elsewhere.
    direction : (P,) array
        How they change; 0 elsewhere.

    See Also
    --------
    gating_theory.flow.Flow.along : Makes one.

    Examples
    --------
    >>> import gating_theory as gt
    >>> flow = gt.GRUFlow(U_h=[[3, -3], [3, 3]])
    >>> line = flow.along("gain.h")
    >>> line.name, flow.parameter(line)
    ('gain.h', 1.0)
    >>> flow.replace(line, 0.5).matrices[2]
    array([[ 1.5, -1.5],
           [ 1.5,  1.5]])
    """

    name: str
    origin: np.ndarray
    direction: np.ndarray

    @property
    def places(self) -> np.ndarray:
        """Places in ``Flow.flat`` that change along the line."""
        return np.flatnonzero(self.direction)

    def check(self) -> None:
        """ValueError where the arrays do not fit together."""
        require(self.origin.ndim == 1 and self.origin.shape == self.direction.shape, "origin and direction differ in shape")
        require(bool(self.direction.any()), "direction vanishes")

    def value(self, flat: np.ndarray) -> float:
        """The value at which the line passes parameters ``flat`` (P,); ValueError where they do not lie on it.

        Parameters
        ----------
        flat : (P,) array, as ``Flow.flat``

        Returns
        -------
        float

        Examples
        --------
        >>> import gating_theory as gt
        >>> flow = gt.GRUFlow(U_h=[[3, -3], [3, 3]])
        >>> line = flow.along("gain.h")
        >>> line.value(flow.replace("gain.h", 0.5).flat)
        0.5
        """
        flat, on = self._checked(flat), self.places
        rest, direction = (flat - self.origin)[on], self.direction[on]
        value = float(rest @ direction / (direction @ direction))
        off = np.abs(rest - value * direction)
        if (off > _OFF * np.maximum(1.0, np.abs(flat[on]))).any():
            raise ValueError(f"path: the flow's parameters do not lie on the line {self.name!r}; they are off by {off.max():.3g}")
        return value

    def moved(self, flat: np.ndarray, value: float) -> np.ndarray:
        """``flat`` (P,) with the parameters on the line at this value.

        Parameters
        ----------
        flat : (P,) array, as ``Flow.flat``
        value : float

        Returns
        -------
        (P,) array

        Examples
        --------
        >>> import gating_theory as gt
        >>> flow = gt.GRUFlow(U_h=[[3, -3], [3, 3]])
        >>> line = flow.along("gain.h")
        >>> bool((line.moved(flow.flat, 0.5) == flow.replace("gain.h", 0.5).flat).all())
        True
        """
        value, out = real("value", value, low=-1e100, high=1e100), self._checked(flat).copy()
        out[self.places] = (self.origin + value * self.direction)[self.places]
        return out

    def _checked(self, flat):
        flat = real_array("flat", flat)
        if flat.shape != self.direction.shape:
            raise ValueError(
                f"flat must have the {self.direction.size} parameters of the flows of line {self.name!r}, got shape {flat.shape}"
            )
        return flat

    def __hash__(self) -> int:
        return hash((self.name, self.origin.tobytes(), self.direction.tobytes()))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Line):
            return NotImplemented
        same = np.array_equal(self.origin, other.origin) and np.array_equal(self.direction, other.direction)
        return self.name == other.name and same

    def __str__(self) -> str:
        return self.name


#: What results keep of a path: the name of an entry, or a line.
Path = str | Line


def place_of(argument: str, cell: Cell, n_units: int, path: object) -> int:
    """The place in the flat parameters of one entry, by a path such as "U_h[0,1]".

    Parameters
    ----------
    argument : str, what messages call the path
    cell : Cell
    n_units : int
    path : str

    Raises
    ------
    TypeError, ValueError
        no such entry
    """
    if not isinstance(path, str):
        raise TypeError(f"{argument}: a path must be a str such as 'U_{cell.field_names[0]}[0,1]', got {shown(path)}")
    place = _place(path.strip(), cell.field_names, cell.parameter_names, n_units)
    if place is None:
        raise ValueError(f"{argument}: a path must be one of {_forms(cell)} with indices below {n_units}, got {shown(path)}")
    return place


@lru_cache(maxsize=256)  # continuation asks for the same one at every step
def _place(path, fields, sites, n):
    """The place of an entry, None where there is no such entry."""
    match = _ENTRY.fullmatch(path)
    if match is None:
        return None
    name, K = match["name"], len(fields)
    indices = [int(i) for i in match["indices"].split(",")]
    if all(i < n for i in indices):
        if name.startswith("U_") and name[2:] in fields and len(indices) == 2:
            return (fields.index(name[2:]) * n + indices[0]) * n + indices[1]
        if name.startswith("b_") and name[2:] in fields and len(indices) == 1:
            return K * n * n + fields.index(name[2:]) * n + indices[0]
        if name in sites and len(indices) == 1:
            return K * n * (n + 1) + sites.index(name) * n + indices[0]
    return None


def _forms(cell):
    names = cell.field_names
    entries = [*(f"U_{k}[i,j]" for k in names), *(f"b_{k}[i]" for k in names), *(f"{p}[i]" for p in cell.parameter_names)]
    return ", ".join([*entries, "gain", *(f"gain.{k}" for k in names)])


def resolved(argument: str, cell: Cell, n_units: int, flat: np.ndarray, path: object) -> Path:
    """What a user gave as a path through the parameters ``flat``: the name of an entry, or a Line on which they lie.

    Parameters
    ----------
    argument : str, what messages call the path
    cell : Cell
    n_units : int
    flat : (P,) array
    path : str, mapping or Line, as for ``Flow.along``

    Raises
    ------
    TypeError, ValueError
        no such path, or parameters that do not lie on it
    """
    if isinstance(path, Line):
        path.value(flat)
        return path
    if isinstance(path, str):
        text = path.strip()
        if text == "gain" or text.startswith("gain."):
            return _gain(argument, cell, n_units, flat, text)
        if "=" in text:
            return _tie(argument, cell, n_units, flat, text)
        place_of(argument, cell, n_units, text)
        return text
    if isinstance(path, Mapping):
        return _direction(argument, cell, n_units, flat, path)
    raise TypeError(f"{argument} must be a str, a mapping from paths to rates, another Flow, or a Line, got {shown(path)}")


def _gain(argument, cell, n, flat, text):
    """A common factor of one field's matrix, or of all of them; 1 at the flow itself."""
    fields = cell.field_names
    size = n * n
    if text == "gain":
        places = slice(0, len(fields) * size)
    elif text[5:] in fields:
        place = fields.index(text[5:])
        places = slice(place * size, (place + 1) * size)
    else:
        raise ValueError(f"{argument}: a path must be one of {_forms(cell)}, got {shown(text)}")
    direction = np.zeros(flat.size)
    direction[places] = flat[places]
    if not direction.any():
        raise ValueError(f"{argument}: {text} is a common factor of a matrix that is zero in the flow")
    return Line(text, np.zeros(flat.size), direction)


def _tie(argument, cell, n, flat, text):
    """Entries with one common value, some of them with the opposite sign."""
    direction = np.zeros(flat.size)
    for part in (part.strip() for part in text.split("=")):
        place = place_of(argument, cell, n, part.removeprefix("-"))
        if direction[place]:
            raise ValueError(f"{argument}: {part} stands twice in {shown(text)}")
        direction[place] = -1.0 if part.startswith("-") else 1.0
    line = Line(text, np.zeros(flat.size), direction)
    values = (flat * direction)[line.places]
    if np.ptp(values) > _OFF * max(1.0, np.abs(values).max()):
        raise ValueError(f"{argument}: the entries of {text!r} must be equal in the flow, got {values.tolist()}")
    return line


def _direction(argument, cell, n, flat, rates):
    """Entries that change at given rates; 0 at the flow itself."""
    direction = np.zeros(flat.size)
    for path, rate in rates.items():
        direction[place_of(argument, cell, n, path)] = real(f"{argument}: the rate of {path}", rate)
    if not direction.any():
        raise ValueError(f"{argument} must have a rate that is not 0, got {shown(dict(rates))}")
    name = "step along " + " + ".join(f"{rate:g} {path}" for path, rate in rates.items()).replace("+ -", "- ")
    return Line(name, np.where(direction != 0, flat, 0.0), direction)


def path_between(flat: np.ndarray, other: np.ndarray) -> Line:
    """The line from parameters ``flat`` (value 0) to ``other`` (value 1); ValueError where they are equal."""
    direction = other - flat
    if not direction.any():
        raise ValueError("path must lead to another flow, got one with the same parameters")
    return Line("way", np.where(direction != 0, flat, 0.0), direction)
