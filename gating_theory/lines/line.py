"""A line of a phase diagram as a result: curves through the plane of two paths, with their ends and special points."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..ensemble.ensemble import Ensemble
from ..ensemble.hyperparameters import is_of_hyperparameters
from ..mean_field.carriers import fewest_units
from ..results.encoding import dict_of, require, result
from ..results.status import Status
from ..support.arithmetic import to_error
from ..support.checks import instance, integer, path_of, real
from .crossings import crossings
from .smooth_curve import spline_through

if TYPE_CHECKING:
    import os

    import pandas as pd
    from scipy.interpolate import CubicSpline

__all__ = ["CriticalLine", "LineCurve", "LinePoint"]

#: Lines of these kinds have no value.
_KINDS = ("onset", "fold", "complexity_onset", "chaos", "chaos_line", "echo")
#: A node within this part of the box of a special point is that point.
_SAME = 1e-7
#: Meeting points nearer than this, in units of the box, are one.
_ONE = 1e-6


@result("line_point")
@dataclass(frozen=True)
class LinePoint:
    """A point of a line at which something happens.

    Attributes
    ----------
    kind : str
        "tricritical": the transition turns discontinuous, at zero amplitude; "critical_end": at a finite one. "cusp": two folds
        merge. "fold": the solution that the line belongs to turns back, and the line goes on with the other one. "branch": two
        curves of the line cross. "born": the solution it belongs to is born there from the zero state. "meets": with another line,
        see ``CriticalLine.meets``.
    x, y : float
    error : float, of the place, in units of the bounds' widths
    curve : int, which of the line's curves it is on
    """

    kind: str
    x: float
    y: float
    error: float
    curve: int = 0

    as_dict = dict_of

    def __str__(self) -> str:
        return self.words((1.0, 1.0))

    def words(self, widths: Sequence[float]) -> str:
        """The kind and the place, with the digits that its error leaves.

        Parameters
        ----------
        widths : (float, float), of the line's bounds, the units of the error
        """
        x, y = (to_error(value, self.error * width) for value, width in zip((self.x, self.y), widths))
        return f"{self.kind} at ({x}, {y})"


@result("line_curve")
@dataclass(frozen=True)
class LineCurve:
    """One curve of a line, from end to end; between its points it is the cubic spline over the length.

    Attributes
    ----------
    x, y : (k,) arrays, the points
    error_x, error_y : (k,) arrays
        How far the line may lie from the points, across it, as components along both axes.
    moment : (k,) array
        The leading moment of the solution that the line belongs to, nan where there is none.
    length : (k,) array
        Length along the curve, in units of the bounds' widths (and of four units of the moment's logarithm).
    interpolation : float
        How far the spline is from the line at most, in units of the bounds' widths, as measured between all points; nan where
        points are too few to tell.
    ends : (Status, Status)
        How it ends at its first and its last point. Codes: "edge" (it leaves the range), "closed", "tricritical", "critical_end",
        "born", "limit" (the solution becomes too small to follow), "points" (there are too many), "lost"; of the last two, not ok.
    half_share : (p, 3) array
        x and y of some of the points, and the fraction of all sites that carry half of T there: of onsets and of lines of the
        radius, abscissa and slow fraction. Networks of less than one over it do not show the line there [T12].
    """

    x: np.ndarray
    y: np.ndarray
    error_x: np.ndarray
    error_y: np.ndarray
    moment: np.ndarray
    length: np.ndarray
    interpolation: float
    ends: tuple[Status, Status]
    half_share: np.ndarray = field(default_factory=lambda: np.zeros((0, 3)))

    as_dict = dict_of

    def check(self) -> None:
        """ValueError where the arrays do not fit together."""
        shape = np.shape(self.x)
        require(len(shape) == 1 and shape[0] > 0, "x must be a vector")
        for name in ("y", "error_x", "error_y", "moment", "length"):
            require(np.shape(getattr(self, name)) == shape, f"{name} must have shape {shape}")
        require(bool((np.diff(self.length) > 0).all()), "length must increase")
        require(np.ndim(self.half_share) == 2 and np.shape(self.half_share)[1] == 3, "half_share must have three columns")

    @property
    def closed(self) -> bool:
        """Whether the curve closes on itself; its first point then is its last one too."""
        return self.ends[0].code == "closed"

    @cached_property
    def spline(self) -> CubicSpline:
        """(x, y) as a function of the length, of two points or more."""
        return spline_through(self.length, np.column_stack([self.x, self.y]), self.closed)

    def points(self, n: int) -> np.ndarray:
        """(n, 2) points, evenly spaced along the curve and as close to the line as ``interpolation`` says."""
        n = integer("n", n, low=2)
        if len(self.x) == 1:
            return np.tile([[self.x[0], self.y[0]]], (n, 1))
        out: np.ndarray = self.spline(np.linspace(0.0, self.length[-1], n))
        out[[0, -1]] = [[self.x[0], self.y[0]], [self.x[-1], self.y[-1]]]
        return out

    def where(self, axis: int, value: float) -> np.ndarray:
        """(m, 2) points at which one of the coordinates (0: x, 1: y) has a value, in the order of the curve."""
        along = (self.x, self.y)[axis]
        if len(along) == 1:
            return np.array([[self.x[0], self.y[0]]]) if along[0] == value else np.zeros((0, 2))
        one = spline_through(self.length, along[:, None], self.closed)
        one.c = one.c[:, :, 0]
        places = np.unique(one.solve(value, extrapolate=False))
        ends = [s for s, v in ((0.0, along[0]), (self.length[-1], along[-1])) if v == value]
        places = np.array(sorted({*places[np.isfinite(places)].tolist(), *ends}))
        places = places[np.diff(places, prepend=-1.0) > 1e-12]
        found: np.ndarray = self.spline(places).reshape(-1, 2)
        found[:, axis] = value
        return found


@result("critical_line")
@dataclass(frozen=True)
class CriticalLine:
    """Where a quantity has a value in the plane of two paths: curves, their ends, and special points on them.

    Attributes
    ----------
    ensemble : Ensemble, whose hyperparameters off the two paths are those of the line
    paths : (str, str), names of the paths along x and y
    symbols : (str, str), of the two, in TeX
    bounds : ((x0, x1), (y0, y1))
    quantity : str, such as "abscissa", "onset", "fold"
    value : float, of the quantity on the line; 0 for "onset", "fold" and other kinds
    solution : str, of which the quantity is: "zero", "active", a number, or "" where it is of the whole ensemble
    curves : tuple of LineCurve, the longest first
    points : tuple of LinePoint
    status : Status
        Its code is "ok", "none" (no curve was found; not ok where signs change all the same, or the quantity is not defined
        anywhere), or "incomplete" (a curve was lost, or has not points enough for ``tol``), which is not ok.

    See Also
    --------
    gating_theory.critical_line : Makes one.

    Examples
    --------
    >>> import gating_theory as gt
    >>> paths, bounds = ("gain.r", "gain.h"), ((0, 10), (0.5, 4))
    >>> line = gt.critical_line(gt.Ensemble(gt.GRU), paths, "onset", bounds=bounds)
    >>> line.name, line.status.code
    ('onset', 'ok')
    >>> line.curve(3)[0].round(4)
    array([[10.,  2.],
           [ 5.,  2.],
           [ 0.,  2.]])
    """

    ensemble: Ensemble
    paths: tuple[str, str]
    symbols: tuple[str, str]
    bounds: tuple[tuple[float, float], tuple[float, float]]
    quantity: str
    value: float
    solution: str
    curves: tuple[LineCurve, ...]
    points: tuple[LinePoint, ...]
    status: Status

    as_dict = dict_of

    def check(self) -> None:
        """ValueError where points belong to no curve."""
        require(all(0 <= point.curve < len(self.curves) for point in self.points), "points must be on curves of the line")
        require(all(low < high for low, high in self.bounds), "bounds must increase")

    @property
    def ok(self) -> bool:
        """Whether every curve that was found was followed to its ends."""
        return self.status.ok

    @property
    def name(self) -> str:
        """What the line is, such as "abscissa = 1"."""
        return self.quantity if self.quantity in _KINDS else f"{self.quantity} = {self.value:g}"

    @property
    def error(self) -> float:
        """How far anything on the curves may be from the line, in units of the bounds' widths: points and what lies between."""
        widths = np.ptp(np.array(self.bounds), axis=1)
        own = [np.hypot(c.error_x / widths[0], c.error_y / widths[1]).max() + np.nan_to_num(c.interpolation) for c in self.curves]
        return float(max(own, default=0.0))

    def curve(self, n: int = 400) -> list[np.ndarray]:
        """Each curve as (n, 2) points (x, y), evenly spaced along it; between the points that were solved for by cubic splines.

        Parameters
        ----------
        n : int >= 2, points of each curve

        Examples
        --------
        >>> import gating_theory as gt
        >>> paths, bounds = ("gain.r", "gain.h"), ((0, 10), (0.5, 4))
        >>> line = gt.critical_line(gt.Ensemble(gt.GRU), paths, "onset", bounds=bounds)
        >>> [points.shape for points in line.curve(100)]
        [(100, 2)]
        """
        return [curve.points(n) for curve in self.curves]

    def at(self, x: float) -> np.ndarray:
        """All y at which the line has this x, ascending; none where it has not; as accurate as ``error`` says across the line.

        Parameters
        ----------
        x : float, a value of the first path

        Returns
        -------
        (m,) array

        Examples
        --------
        >>> import gating_theory as gt
        >>> paths, bounds = ("gain.r", "gain.h"), ((0, 10), (0.5, 4))
        >>> line = gt.critical_line(gt.Ensemble(gt.GRU), paths, "onset", bounds=bounds)
        >>> line.at(5.0).round(6)
        array([2.])
        >>> line.at(11.0)
        array([], dtype=float64)
        """
        return self._where(0, real("x", x))

    def at_y(self, y: float) -> np.ndarray:
        """All x at which the line has this y, ascending, as :meth:`at`.

        Parameters
        ----------
        y : float, a value of the second path

        Returns
        -------
        (m,) array
        """
        return self._where(1, real("y", y))

    @property
    def fewest_units(self) -> str:
        """The units below which networks do not show some part of the line, as words; empty where that is no more than 300."""
        shares = [share for curve in self.curves for share in curve.half_share[:, 2] if np.isfinite(share)]
        return fewest_units(min(shares, default=None))

    def _where(self, axis, value):
        return np.sort(np.concatenate([c.where(axis, value)[:, 1 - axis] for c in self.curves] or [np.zeros(0)]))

    def ensemble_at(self, x: float, y: float) -> Ensemble:
        """The ensemble at a point of the plane, whether or not it is on the line.

        Parameters
        ----------
        x, y : float, values of the two paths

        Raises
        ------
        TypeError, ValueError
            Values that are not allowed; paths that are directions or functions, of which only the names are known.

        Examples
        --------
        >>> import gating_theory as gt
        >>> paths, bounds = ("gain.r", "gain.h"), ((0, 10), (0.5, 4))
        >>> line = gt.critical_line(gt.Ensemble(gt.GRU), paths, "onset", bounds=bounds)
        >>> zero = gt.fixed_points(line.ensemble_at(1.0, 2.0))[0]
        >>> round(gt.Spectrum(zero).radius(), 6)
        1.0
        """
        for path in self.paths:
            if not is_of_hyperparameters(path):
                raise ValueError(f"ensemble_at: only the name of {path!r} is known, move the ensemble along it with its own .at")
        return self.ensemble.replace({self.paths[0]: real("x", x), self.paths[1]: real("y", y)})

    def _another_plane(self, other):
        """Why another line is not of the same plane, in words; empty where it is, as far as directions and functions are known."""
        if other.paths != self.paths:
            return f"one is along {self.paths}, the other along {other.paths}"
        if "function" in self.paths and other is not self:
            return "functions without a name may be different ones: give paths that are named"
        middle = {path: sum(ends) / 2 for path, ends in zip(self.paths, self.bounds) if is_of_hyperparameters(path)}
        mine, others = self.ensemble, other.ensemble
        if (mine.cell, mine.matrices, mine.low_rank) == (others.cell, others.matrices, others.low_rank):
            if self.ensemble.replace(middle) == other.ensemble.replace(middle):
                return ""
        return f"one is of {self.ensemble!r}, the other of {other.ensemble!r}"

    def meets(self, other: CriticalLine) -> tuple[LinePoint, ...]:
        """Where this line and another one of the same plane cross, by their splines.

        Parameters
        ----------
        other : CriticalLine, along the same paths, of the same ensemble beside these

        Returns
        -------
        tuple of LinePoint
            Of kind "meets"; their ``curve`` is this line's. Lines that touch, or end on one another, do not cross.
        """
        instance("other", other, CriticalLine)
        if different := self._another_plane(other):
            raise ValueError(f"other must be a line of the same plane: {different}")
        found: list[LinePoint] = []
        for i, mine in enumerate(self.curves):
            for theirs in other.curves:
                found += self._crossings(i, mine, theirs, self.error + other.error)
        return tuple(found)

    def _crossings(self, i, mine, theirs, error):
        if min(len(mine.x), len(theirs.x)) < 2:
            return []
        scale = np.ptp(np.array(self.bounds), axis=1)
        found = crossings(mine.length, mine.spline, theirs.length, theirs.spline, scale)
        return [LinePoint("meets", x, y, error * blur, i) for x, y, blur in found]

    # --- for other programs

    def rows(self) -> list[dict[str, float | int | str]]:
        """A row for each point that was solved for: curve, both coordinates and their errors, the moment, the kind of point."""
        x, y = self.paths
        return [
            {
                "curve": i,
                x: float(c.x[k]),
                y: float(c.y[k]),
                f"error of {x}": float(c.error_x[k]),
                f"error of {y}": float(c.error_y[k]),
                "moment": float(c.moment[k]),
                "point": self._kind_at(i, c.x[k], c.y[k]),
            }
            for i, c in enumerate(self.curves)
            for k in range(len(c.x))
        ]

    def _kind_at(self, i, x, y):
        (x0, x1), (y0, y1) = self.bounds
        near = [p.kind for p in self.points if p.curve == i and np.hypot((p.x - x) / (x1 - x0), (p.y - y) / (y1 - y0)) < _SAME]
        return near[0] if near else ""

    def to_dataframe(self) -> pd.DataFrame:
        """The :meth:`rows` as a table of pandas; ImportError where that is not installed (:meth:`to_csv` does without)."""
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError(
                "to_dataframe needs pandas, which is not installed: pip install pandas; to_csv does without"
            ) from error

        return pd.DataFrame(self.rows(), columns=self._columns())

    def _columns(self):
        x, y = self.paths
        return ["curve", x, y, f"error of {x}", f"error of {y}", "moment", "point"]

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write the :meth:`rows` to a file of comma-separated values, numbers to the last digit.

        Parameters
        ----------
        path : str or path-like

        Examples
        --------
        >>> import gating_theory as gt
        >>> paths, bounds = ("gain.r", "gain.h"), ((0, 10), (0.5, 4))
        >>> line = gt.critical_line(gt.Ensemble(gt.GRU), paths, "onset", bounds=bounds)
        >>> line.to_csv("onset.csv")
        >>> from pathlib import Path
        >>> Path("onset.csv").read_text().partition("\\n")[0]
        'curve,gain.r,gain.h,error of gain.r,error of gain.h,moment,point'
        """
        with path_of("path", path).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self._columns())
            writer.writeheader()
            writer.writerows(self.rows())

    def _not_shown(self, curve):
        """The part of a curve that networks of some hundred units and more do not show, in words."""
        rare = [place for place in curve.half_share if fewest_units(place[2])]
        if not rare:
            return ""
        low, high = np.min(rare, axis=0), np.max(rare, axis=0)
        where = ", ".join(f"{path} from {a:.4g} to {b:.4g}" for path, a, b in zip(self.paths, low, high))
        needed = " to ".join(dict.fromkeys(fewest_units(share) for share in (high[2], low[2])))
        return f"networks of less than {needed} units do not show it at {where}"

    def __str__(self) -> str:
        x, y = self.paths
        widths = [high - low for low, high in self.bounds]
        lines = [f"{self.name} in {x}, {y}: {self.status}"]
        for i, c in enumerate(self.curves):
            ends = (
                "closed"
                if c.closed
                else " to ".join(f"({c.x[k]:.6g}, {c.y[k]:.6g}) [{end.code}]" for k, end in zip((0, -1), c.ends))
            )
            lines.append(f"  curve {i}: {len(c.x)} points, {ends}")
            lines += [f"    {point.words(widths)}" for point in self.points if point.curve == i]
            lines += [f"    {self._not_shown(c)}"] if self._not_shown(c) else []
        return "\n".join(lines)
