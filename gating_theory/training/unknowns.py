"""What designs solve for: an unknown for each target, its bounds, and which hyperparameters are set twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..cell.cell import Cell
from ..ensemble.ensemble import Ensemble
from ..ensemble.hyperparameters import tied
from ..ensemble.paths import AnyPath, Direction, EnsemblePath, moved, path_of, require_apart
from ..errors import CapabilityError
from ..support.checks import instance, shown
from .targets import Target

__all__ = ["candidate_of", "leak_of", "require_separate", "slow_end", "spans_of", "unknowns_of"]

#: Largest modulus of an unknown when nobody says.
_LARGEST = 10.0
#: Leaks this close are the same.
_ROUNDING = 1e-12


def unknowns_of(ensemble: Ensemble, targets: Sequence[Target], free: Sequence[AnyPath] | None) -> list[EnsemblePath]:
    """One unknown for each target, checked: those that were named, or the default ones.

    Parameters
    ----------
    ensemble : Ensemble
    targets : sequence of Target
    free : sequence of paths or None
    """
    if free is None:
        free = _default_unknowns(ensemble, targets)
    if isinstance(free, (str, bytes, Mapping)) or not isinstance(free, Sequence):
        raise TypeError(f"free must be a sequence of paths such as 'gain.h', got {shown(free)}")
    found = [path_of("free", path, ensemble) for path in free]
    names = [path.name for path in found]
    if len(names) != len(targets) or len(set(names)) != len(names):
        raise ValueError(f"free must name one unknown for each of the targets {[t.label for t in targets]}, got {names}")
    return found


def require_separate(
    ensemble: Ensemble, paths: Sequence[EnsemblePath], spans: Sequence[tuple[float, float]], given: Mapping[str, float]
) -> None:
    """ValueError where a hyperparameter is set by two unknowns, or is an unknown although it was given.

    Parameters
    ----------
    ensemble : Ensemble
    paths, spans : of the unknowns, and their (low, high)
    given : mapping from paths to values
    """
    held = {each: path for path in given for each in tied("given", path, ensemble.paths)}
    for k, (path, (low, _)) in enumerate(zip(paths, spans)):
        for each in sorted(path.sets(ensemble, low) & set(held)):
            raise ValueError(f"{held[each]!r} is both given and free: hold another one, or name the unknowns with free=")
        for outer, (first, _) in zip(paths[k + 1 :], spans[k + 1 :]):
            require_apart("free", outer, path, ensemble, (first, low))


def _default_unknowns(ensemble, targets):
    """The candidate's gain, the leak's bias, the leak's bias_std, in this order; the gain not where the leak alone decides."""
    candidate, leak = candidate_of(ensemble.cell), leak_of(ensemble.cell)
    chosen = [] if all(target.takes_leak for target in targets) else ["gain." if candidate is None else f"gain.{candidate}"]
    chosen += ["bias.", "bias_std."] if leak is None else [f"bias.{leak}", f"bias_std.{leak}"]
    chosen = chosen[: len(targets)]
    if len(chosen) < len(targets) or any(path.endswith(".") for path in chosen):
        raise CapabilityError(
            f"there are no default unknowns for {len(targets)} targets of cell {ensemble.cell.name!r}: name them, one a target, "
            f"free=({', '.join(repr(p) for p in ensemble.paths[:2])}, ...)"
        )
    return tuple(chosen)


def candidate_of(cell: Cell) -> str | None:
    """The one field that a zero state's update depends on to first order, None where there are several.

    Parameters
    ----------
    cell : Cell
    """
    zero = [np.zeros(1)] * cell.n_state, [np.zeros(1)] * cell.n_fields, [np.zeros(1)] * cell.n_parameters
    slopes = cell.compiled.blocks(*zero)["F_y"]
    found = sorted({k for (_, k), value in slopes.items() if np.any(value)})
    return cell.field_names[found[0]] if len(found) == 1 else None


def leak_of(cell: Cell) -> str | None:
    """The one field that sets the leak, None where there are none or several.

    Parameters
    ----------
    cell : Cell
    """
    found = [v for v in cell.compiled.pole_variables if v < cell.n_fields]
    return cell.field_names[found[0]] if len(found) == 1 else None


def slow_end(ensemble: Ensemble, path: EnsemblePath, span: tuple[float, float]) -> int:
    """The end of an unknown's bounds at which units at rest are slower: 1 the upper, -1 the lower one, 0 where they do not differ.

    Parameters
    ----------
    ensemble : Ensemble
    path, span : of the unknown, and its (low, high)
    """
    low, high = (_leak(moved(ensemble, {path: value})) for value in span)
    return 0 if abs(high - low) < _ROUNDING else 1 if high > low else -1


def _leak(ensemble):
    """The largest eigenvalue of F_s of a unit at rest."""
    cell = ensemble.cell
    biases, parameters = ([np.array([each]) for each in ensemble.array(name)] for name in ("bias", "parameter"))
    slopes = cell.compiled.blocks([np.zeros(1)] * cell.n_state, biases, parameters)["F_s"]
    F_s = np.zeros((cell.n_state, cell.n_state))
    for at, value in slopes.items():
        F_s[at] = np.ravel(value)[0]
    return float(np.abs(np.linalg.eigvals(F_s)).max())


def spans_of(
    ensemble: Ensemble, paths: Sequence[EnsemblePath], bounds: Mapping[Any, tuple[float, float]] | None
) -> list[tuple[float, float]]:
    """(low, high) of each unknown.

    Parameters
    ----------
    ensemble : Ensemble
    paths : of the unknowns
    bounds : mapping from paths to (low, high), or None
    """
    bounds = {} if bounds is None else bounds
    instance("bounds", bounds, Mapping, "from paths to (low, high)")
    found: dict[EnsemblePath, Any] = {}
    for path, span in bounds.items():
        known = path_of("bounds", path, ensemble)
        if known not in paths:
            raise ValueError(
                f"bounds are given for {shown(known.name)}, which is not an unknown; unknowns are {[path.name for path in paths]}"
            )
        found[known] = span
    return [path.within(found.get(path, _default_span(path)), f"bounds[{path.name!r}]") for path in paths]


def _default_span(path):
    if path.span is None or isinstance(path, Direction):
        return path.span
    low, high = path.range
    return max(low, -_LARGEST), min(high, _LARGEST)
