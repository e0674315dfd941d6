"""The built-in cells by their names. What they say stands in ``definitions.py``, which is read when somebody asks for symbols.

Names, counts and numerical functions of a built-in cell are kept on disk (``derived.py``): a process that calculates with it need
not import sympy, which takes longer than most calculations.
"""

from __future__ import annotations

from typing import Any

from ..results.encoding import cell_finder
from ..support.checks import instance
from .cell import Cell
from .derived import derived_once

#: Names of the built-in cells.
BUILTIN = (
    "Vanilla",
    "GRU",
    "GRUResetAfter",
    "MGU",
    "LiGRU",
    "LiGRUTanh",
    "LSTM",
    "CoupledLSTM",
    "PeepholeLSTM",
    "JANET",
    "KCS",
    "KCSFast",
)

#: The gain of the candidate at which the zero state loses stability where the other gains are 1 and there are no biases.
_ONSETS = {
    "Vanilla": ("gain.h", 1.0),
    "GRU": ("gain.h", 2.0),
    "GRUResetAfter": ("gain.h", 2.0),
    "MGU": ("gain.h", 2.0),
    "LiGRU": ("gain.h", 1.4142),
    "LiGRUTanh": ("gain.h", 1.0),
    "LSTM": ("gain.g", 2.0),
    "CoupledLSTM": ("gain.g", 2.0),
    "JANET": ("gain.g", 1.0),
    "KCS": ("gain.h", 2.0),
    "KCSFast": ("gain.h", 2.0),
}

#: What a cell is without its symbols.
_OUTLINE = ("state_names", "field_names", "parameter_names", "message_names", "message_of", "has_closed_form")
#: What its definition holds beside.
_SYMBOLS = ("state", "fields", "parameters", "messages", "distinct_messages", "update", "fixed_point", "_closed_form")


class Outlined(Cell):
    """A cell whose definition is read when somebody asks for symbols; names, counts and numerical functions are kept on disk."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __getattr__(self, attribute: str) -> Any:
        """What is not there yet: read from the disk where no symbols are wanted, from the definition where they are."""
        if attribute in _OUTLINE:
            vars(self).update(derived_once(self, "outline", self._outline))
        elif attribute in _SYMBOLS:
            vars(self).update({name: getattr(self._defined, name) for name in _SYMBOLS})
        else:
            raise AttributeError(f"cells have no attribute {attribute!r}")
        return vars(self)[attribute]

    @property
    def _defined(self) -> Cell:
        raise NotImplementedError

    def _outline(self):
        return {name: getattr(self._defined, name) for name in _OUTLINE}


class Builtin(Outlined):
    """A cell that is known by its name, also to other processes: workers share the compiled functions of their own process."""

    @property
    def _examples(self) -> str:  # type: ignore[override]
        """A section in the ``__doc__`` of the cell: its names, and the onset that its equations have."""
        lines = ["", "", "Examples", "--------", ">>> import gating_theory as gt", f">>> gt.{self.name}.field_names"]
        lines.append(repr(self.field_names))
        if self.name in _ONSETS:
            path, value = _ONSETS[self.name]
            lines += [f">>> round(float(gt.onset(gt.Ensemble(gt.{self.name}), {path!r})), 4)", str(value)]
        else:
            lines += [f">>> gt.{self.name}.parameter_names", repr(self.parameter_names)]
        return "\n".join(lines)

    @property
    def in_words(self) -> str:  # type: ignore[override]
        """Its name: what that means stands in this chapter, and belongs to its version."""
        return f"built in: {self.name}"

    @property
    def _defined(self):
        from . import definitions

        return getattr(definitions, self.name)

    def __reduce__(self):
        return named, (self.name,)


Vanilla = Builtin("Vanilla")
GRU = Builtin("GRU")
GRUResetAfter = Builtin("GRUResetAfter")
MGU = Builtin("MGU")
LiGRU = Builtin("LiGRU")
LiGRUTanh = Builtin("LiGRUTanh")
LSTM = Builtin("LSTM")
CoupledLSTM = Builtin("CoupledLSTM")
PeepholeLSTM = Builtin("PeepholeLSTM")
JANET = Builtin("JANET")
KCS = Builtin("KCS")
KCSFast = Builtin("KCSFast")

__all__ = ["BUILTIN", "Builtin", "Outlined", "named", *BUILTIN]


@cell_finder
def named(name: str, cell: Cell | None = None) -> Cell:
    """The cell that a description names: the built-in one, or ``cell``, which has to have that name.

    Parameters
    ----------
    name : str
    cell : Cell, optional

    Returns
    -------
    Cell

    Raises
    ------
    ValueError
        not built in and no ``cell`` given, or a ``cell`` of another name
    """
    if cell is not None:
        instance("cell", cell, Cell)
        if cell.name != name:
            raise ValueError(f"cell must be the one saved, {name!r}, got {cell.name!r}")
        return cell
    if name not in BUILTIN:
        raise ValueError(f"cell {name!r} is not built in ({', '.join(BUILTIN)}): pass cell=")
    return globals()[name]
