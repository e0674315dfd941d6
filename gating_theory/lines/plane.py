"""The plane of two paths within bounds: its ensembles, and points of it in units of the bounds' widths."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..ensemble.paths import path_of, require_apart
from ..errors import ConvergenceError
from ..support.checks import interval, shown

if TYPE_CHECKING:
    from ..ensemble.ensemble import Ensemble
    from ..ensemble.paths import EnsemblePath

__all__ = ["UNIT", "Plane", "plane_of"]

#: What one unit of the logarithm of a moment counts in units of the box: a quarter.
UNIT = 4.0


@dataclass(frozen=True)
class Plane:
    """The ensembles at all points of a rectangle.

    Attributes
    ----------
    ensemble : Ensemble
    x, y : EnsemblePath
    bounds : ((x0, x1), (y0, y1))
    """

    ensemble: Ensemble
    x: EnsemblePath
    y: EnsemblePath
    bounds: tuple[tuple[float, float], tuple[float, float]]

    @cached_property
    def low(self) -> np.ndarray:
        """(2,) array, the lower bounds."""
        return np.array([low for low, _ in self.bounds])

    @cached_property
    def widths(self) -> np.ndarray:
        """(2,) array, the bounds' widths."""
        return np.array([high - low for low, high in self.bounds])

    def at(self, x: float, y: float) -> Ensemble:
        """The ensemble at a point of the plane."""
        return self.y.at(self.x.at(self.ensemble, float(x)), float(y))

    def place(self, u: np.ndarray) -> np.ndarray:
        """(2,) coordinates of a point in units of the box; rounding beyond the edges of what is allowed is taken off."""
        x, y = self.low + self.widths * u[:2]
        limits = self.x.range, self.y.range
        return np.array([_within(v, limit, w) for v, limit, w in zip((x, y), limits, self.widths)])

    def there(self, u: np.ndarray) -> Ensemble:
        """The ensemble at a point in units of the box; ConvergenceError where the paths do not go so far."""
        try:
            return self.at(*self.place(u))
        except ValueError as error:
            raise ConvergenceError(f"a line leads to where there is no ensemble: {error}", u) from None

    def unit(self, x: float, y: float) -> np.ndarray:
        """(2,) array, a point in units of the box."""
        return (np.array([x, y]) - self.low) / self.widths


def _within(value, limit, width):
    """A value that differences or rounding have carried a little past its limit."""
    slack = 1e-2 * width
    return float(np.clip(value, *limit)) if limit[0] - slack <= value <= limit[1] + slack else float(value)


def plane_of(ensemble: Ensemble, paths: Any, bounds: Any) -> Plane:
    """The plane of two paths within bounds, all checked.

    Parameters
    ----------
    ensemble : Ensemble
    paths : pair of paths, as for ``path_of``
    bounds : pair of (low, high)

    Raises
    ------
    TypeError, ValueError
        naming what is wrong
    """
    if isinstance(paths, (str, bytes)) or not isinstance(paths, (tuple, list)) or len(paths) != 2:
        raise TypeError(f"paths must be a pair of paths, got {shown(paths)}")
    x, y = (path_of(f"paths[{i}]", path, ensemble) for i, path in enumerate(paths))
    if not isinstance(bounds, (tuple, list, np.ndarray)) or len(bounds) != 2:
        raise TypeError(f"bounds must be two pairs, ((x0, x1), (y0, y1)), got {shown(bounds)}")
    limits = tuple(interval(f"bounds[{i}]", pair) for i, pair in enumerate(bounds))
    for path, (low, high) in zip((x, y), limits):
        if not (path.range[0] <= low and high <= path.range[1]):
            raise ValueError(f"bounds of {path} must lie in {path.range}, got {(low, high)}")
    require_apart("paths", x, y, ensemble, (limits[0][0], limits[1][0]))
    return Plane(ensemble, x, y, (limits[0], limits[1]))
