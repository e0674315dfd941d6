"""What critical lines are called in legends: quantity, value, state, and what tells lines of one name apart."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..ensemble.hyperparameters import KINDS, symbol
from ..ensemble.paths import path_of
from ..lines.line import CriticalLine
from ..support.checks import shown

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["fits", "line_labels", "map_setting", "require_same_cell"]

#: A legend names so many differences.
_MOST = 3
#: Quantities that are log10 of what they are called.
_LOGARITHMS = ("gradient", "gradient_untied")

#: What holds off the two paths: the cell's name and hyperparameters by their paths.
Setting = Mapping[str, Any]


def line_labels(lines: Sequence[CriticalLine], over: Setting | None = None) -> list[str]:
    """A label for each line: quantity, value and state; of several lines alike also what differs between their ensembles.

    Parameters
    ----------
    lines : sequence of CriticalLine, of one plane
    over : of the map that they are drawn over, from :func:`map_setting`
        What a line has otherwise than the map is named.
    """
    words = [_words(line) for line in lines]
    settings = [_setting(line) for line in lines]
    out = []
    for word, mine in zip(words, settings):
        others = [other for name, other in zip(words, settings) if name == word] + ([over] if over else [])
        known = [key for key in mine if all(key in other for other in others)]
        differ = [key for key in known if not all(_same(mine[key], other[key]) for other in others)]
        named = [mine[key] if key == "cell" else f"{symbol(key)} = {mine[key]:.4g}" for key in differ]
        out.append(", ".join([word, *named[:_MOST], *(["..."] if len(named) > _MOST else [])]))
    return out


def fits(line: CriticalLine, over: Setting | None) -> bool:
    """Whether a line is of the ensembles of a map, as far as the map says what these are.

    Parameters
    ----------
    line : CriticalLine
    over : from :func:`map_setting`
    """
    mine = _setting(line)
    return over is None or all(_same(mine[key], over[key]) for key in mine if key in over)


def _same(one, other):
    return one == other if isinstance(one, str) else bool(np.isclose(one, other, rtol=1e-9, atol=1e-12))


def _words(line):
    """What a line is, such as "abscissa = 1.1, active state"."""
    kind, _, form = line.quantity.partition(":")
    words = "function" if "<" in kind else kind.replace("_", " ")
    words = f"lg {words}" if kind in _LOGARITHMS else words
    words += f" ({form})" if form else ""
    if line.name != line.quantity:
        words += f" = {line.value:.4g}"
    if line.solution and line.quantity != "onset":
        words += f", {line.solution} state" if line.solution in ("zero", "active") else f", solution {line.solution}"
    if line.fewest_units:  # smaller networks do not show all of it
        words += f" (N > {line.fewest_units})"
    return words


def _setting(line):
    """The cell's name, and hyperparameters that neither path of a line sets; all of them where a path is not known by its name."""
    ensemble = line.ensemble
    try:
        paths = [path_of("paths", name, ensemble) for name in line.paths]
        moved = set().union(*(path.sets(ensemble, float(np.mean(ends))) for path, ends in zip(paths, line.bounds)))
    except (TypeError, ValueError):  # a direction or a function
        moved = set()
    return {"cell": ensemble.cell.name} | {path: ensemble.value(path) for path in ensemble.paths if path not in moved}


def map_setting(dataset: xr.Dataset) -> Setting | None:
    """The cell's name and the hyperparameters of a phase diagram, also those of axes along which one place was selected.

    None where the dataset does not say.

    Parameters
    ----------
    dataset : xarray.Dataset
    """
    try:
        about = json.loads(dataset.attrs["ensemble"])
        out = {f"{kind}.{name}": value for kind in KINDS for name, value in about.get(kind, {}).items()}
        out["cell"] = str(about["cell"])
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    for coordinate in dataset.coords.values():
        path = str(coordinate.attrs.get("path", ""))
        if coordinate.ndim == 0 and path in out:
            out[path] = float(coordinate)
        elif coordinate.ndim == 0 and path:  # several hyperparameters at once: their names are not to be had from here
            return {"cell": out["cell"]}
    return out


def require_same_cell(lines: Sequence[CriticalLine], over: Setting | None) -> None:
    """ValueError for a line of another cell than the map it is drawn over.

    Parameters
    ----------
    lines : sequence of CriticalLine
    over : from :func:`map_setting`
    """
    if over is None:
        return
    for line in lines:
        if line.ensemble.cell.name != over["cell"]:
            raise ValueError(f"lines: {line.name!r} is of {line.ensemble.cell.name} networks, the diagram of {shown(over['cell'])}")
