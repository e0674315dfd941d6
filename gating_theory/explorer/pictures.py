"""The pictures of the page of large networks: figures that are made once, and data that come in pieces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource, LogColorMapper, PointDrawTool, Range1d, Span
from bokeh.palettes import Cividis256
from bokeh.plotting import figure

from ..ensemble.hyperparameters import words
from ..plotting.style import BLACK, ORANGE, SKY, VERMILLION
from .number_text import LINE_COLOURS
from .numbers import Boundary, Cloud, Density, Growth, Line, Missing, Timescales
from .view import LINES, View

__all__ = ["STALE", "Pictures", "stale"]

#: Old curves are pale, but not at once: what takes an instant does not flicker.
STALE = ":host(.stale) { opacity: .4; transition: opacity .3s .25s } :host { transition: opacity .1s }"
_GREY, _HEIGHT = "#8a949c", 330
#: Decades of densities that colours span, and the quantile at which they saturate: densities may diverge.
_DECADES, _TOP = 2.5, 0.998
#: The lowest share of modes that is drawn, and the longest time.
_LEAST, _LONGEST = 1e-4, 1000.0


class Pictures:
    """Spectrum, survival curve, growth of gradients, phase diagram.

    Parameters
    ----------
    dragged : callable(x, y)
        Told where somebody has put the dot of the phase diagram.
    """

    def __init__(self, dragged: Callable[[float, float], None]) -> None:
        self._dragged, self._following = dragged, False
        self.spectrum, self.timescales, self.growth = _Spectrum(), _Timescales(), _Growth()
        self._parts: dict[str, Any] = {"Boundary": self.spectrum, "Timescales": self.timescales, "Growth": self.growth}
        self.plane = _Plane()
        self.plane.dot.on_change("data", self._put)

    def roots(self) -> list[Any]:
        """Models to be added to the document, by name for its template."""
        return [self.spectrum.figure, self.timescales.figure, self.growth.figure, self.plane.figure]

    def follow(self, view: View) -> None:
        """A new view: what is there becomes old; axes and the dot follow."""
        self._following = True
        try:
            for part in self._parts.values():
                stale(part.figure, True)
            self.spectrum.follow(view)
            self.timescales.follow(view)
            self.growth.follow(view)
            self.plane.follow(view)
        finally:
            self._following = False

    def show(self, piece: Any) -> None:
        """Draw a piece; of a part that is missing nothing stays."""
        if isinstance(piece, Boundary):
            self.spectrum.boundary(piece)
        elif isinstance(piece, Density):
            self.spectrum.density(piece)
        elif isinstance(piece, Cloud):
            self.spectrum.cloud(piece)
        elif isinstance(piece, Timescales) and piece.tau.size:
            self.timescales.curve(piece)
        elif isinstance(piece, Growth):
            self.growth.curve(piece)
        elif isinstance(piece, Line):
            self.plane.line(piece)
        elif isinstance(piece, Missing):
            self._clear(piece.part)

    def _clear(self, part):
        for name, one in self._parts.items():
            if part in (name, "State"):
                one.clear()
        if part in LINES:
            self.plane.line(Line(part, (), (), ""))

    def _put(self, attribute, old, new):
        if not self._following and len(new["x"]):
            self._dragged(float(new["x"][-1]), float(new["y"][-1]))


def stale(model: Any, old: bool) -> None:
    """Whether what a model shows is of another view: then it is pale.

    Parameters
    ----------
    model : of bokeh, with the style sheet ``STALE``
    old : bool
    """
    model.css_classes = ["stale"] if old else []


def _figure(name, across, up, **options):
    made = figure(
        name=name,
        height=options.pop("height", _HEIGHT),
        sizing_mode="stretch_width",
        toolbar_location=None,
        x_axis_label=across,
        y_axis_label=up,
        stylesheets=[STALE],
        tools=options.pop("tools", ""),
        min_border_right=12,
        **options,
    )
    made.outline_line_color = "#d9e0e5"
    made.grid.grid_line_color = "#eef1f3"
    for axis in made.axis:
        axis.axis_label_text_font_style = "normal"
        axis.axis_line_color = axis.major_tick_line_color = axis.minor_tick_line_color = _GREY
    return made


def _empty(*names):
    return ColumnDataSource({name: [] for name in names})


class _Spectrum:
    """Boundary, density, eigenvalues and the unit circle, in equal units."""

    def __init__(self):
        self.figure = _figure("spectrum", "Re λ", "Im λ", match_aspect=True, height=_HEIGHT + 40)
        theta = np.linspace(0.0, 2.0 * np.pi, 181)
        self._map = ColumnDataSource({"image": [], "x": [], "y": [], "dw": [], "dh": []})
        self._colours = LogColorMapper(palette=Cividis256, low=1e-2, high=1.0, low_color="rgba(0,0,0,0)", nan_color="rgba(0,0,0,0)")
        self.figure.image("image", x="x", y="y", dw="dw", dh="dh", source=self._map, color_mapper=self._colours)
        self.figure.line(np.cos(theta), np.sin(theta), color=_GREY, line_dash=[5, 4])
        self._cloud, self._curves = _empty("x", "y"), _empty("xs", "ys")
        self.figure.scatter("x", "y", source=self._cloud, size=3.5, color=SKY, line_color=None)
        self.figure.multi_line("xs", "ys", source=self._curves, color=VERMILLION, line_width=2)

    def follow(self, view):
        if not view.density:
            self._map.data = {name: [] for name in self._map.data}
        if not view.network:
            self._cloud.data = {"x": [], "y": []}

    def boundary(self, piece):
        self._curves.data = {"xs": [curve.real for curve in piece.curves], "ys": [curve.imag for curve in piece.curves]}
        stale(self.figure, False)

    def density(self, piece):
        positive = piece.value[piece.value > 0.0]
        top = float(np.quantile(positive, _TOP)) if positive.size else 1.0
        self._colours.update(high=top, low=top * 10.0**-_DECADES)
        half_x, half_y = 0.5 * (piece.x[1] - piece.x[0]), 0.5 * (piece.y[1] - piece.y[0])
        left, low = piece.x[0] - half_x, piece.y[0] - half_y
        width, height = np.ptp(piece.x) + 2.0 * half_x, np.ptp(piece.y) + 2.0 * half_y
        # inside, what is rarer than the colours reach has the darkest of them
        inside = np.where(piece.value > 0.0, np.maximum(piece.value, 1.001 * self._colours.low), 0.0)
        self._map.data = {"image": [inside], "x": [left], "y": [low], "dw": [width], "dh": [height]}

    def cloud(self, piece):
        self._cloud.data = {"x": piece.eigenvalues.real, "y": piece.eigenvalues.imag}

    def clear(self):
        self._curves.data, self._cloud.data = {"xs": [], "ys": []}, {"x": [], "y": []}
        self._map.data = {name: [] for name in self._map.data}
        stale(self.figure, False)


class _Timescales:
    """The fraction of modes slower than tau, both logarithmic."""

    def __init__(self):
        self.figure = _figure(
            "timescales",
            "timescale τ (steps)",
            "fraction of modes slower than τ",
            x_axis_type="log",
            y_axis_type="log",
            x_range=Range1d(1.0, _LONGEST),
            y_range=Range1d(_LEAST, 1.3),
        )
        self._curve = _empty("tau", "fraction")
        self._here = Span(dimension="height", line_color=_GREY, line_dash=[5, 4])
        self.figure.add_layout(self._here)
        self.figure.line("tau", "fraction", source=self._curve, color=VERMILLION, line_width=2)

    def follow(self, view):
        self._here.location = view.tau

    def curve(self, piece):
        self._curve.data = {"tau": piece.tau, "fraction": np.where(piece.fraction > 1e-5, piece.fraction, np.nan)}
        stale(self.figure, False)

    def clear(self):
        self._curve.data = {"tau": [], "fraction": []}
        stale(self.figure, False)


class _Growth:
    """log10 of the mean square of gradients against steps."""

    def __init__(self):
        self.figure = _figure("growth", "steps back in time", "log₁₀ of the mean square of gradients")
        self._curve = _empty("t", "log10")
        self.figure.add_layout(Span(dimension="width", location=0.0, line_color=_GREY, line_dash=[5, 4]))
        self.figure.line("t", "log10", source=self._curve, color=VERMILLION, line_width=2)

    def follow(self, view):
        pass

    def curve(self, piece):
        finite = np.where(np.isfinite(piece.log10), piece.log10, np.nan)
        self._curve.data = {"t": np.arange(finite.size), "log10": finite}
        stale(self.figure, False)

    def clear(self):
        self._curve.data = {"t": [], "log10": []}
        stale(self.figure, False)


class _Plane:
    """Lines over two hyperparameters, special points on them, and the dot that can be dragged."""

    def __init__(self):
        self.figure = _figure("plane", "", "", x_range=Range1d(0.0, 1.0), y_range=Range1d(0.0, 1.0), height=_HEIGHT + 40)
        self._lines = {name: _empty("xs", "ys") for name in LINES}
        self._points = {name: () for name in LINES}
        self._special = _empty("x", "y", "kind")
        drawn = {
            name: self.figure.multi_line("xs", "ys", source=source, color=LINE_COLOURS[name], line_width=2)
            for name, source in self._lines.items()
        }
        self.figure.scatter("x", "y", source=self._special, marker="square", size=6, color="white", line_color=BLACK)
        self.dot = ColumnDataSource({"x": [0.5], "y": [0.5]})
        style = {"size": 15, "color": ORANGE, "line_color": BLACK, "line_width": 1.5, "level": "overlay"}
        dot = self.figure.scatter("x", "y", source=self.dot, **style)
        # a selected dot looks as it does
        dot.nonselection_glyph = None
        tool = PointDrawTool(renderers=[dot], num_objects=1, add=True)
        self.figure.add_tools(tool)
        self.figure.toolbar.active_multi = tool
        self._drawn = drawn

    def follow(self, view):
        for axis, path, range_, bounds in (
            (self.figure.xaxis, view.x, self.figure.x_range, view.bounds[0]),
            (self.figure.yaxis, view.y, self.figure.y_range, view.bounds[1]),
        ):
            axis.axis_label = f"{words(path)}, {path}"
            range_.update(start=bounds[0], end=bounds[1])
        place = {"x": [view.value(view.x)], "y": [view.value(view.y)]}
        if {name: list(values) for name, values in self.dot.data.items() if name in place} != place:
            self.dot.data = place
        for name in set(LINES) - set(view.lines):
            self.line(Line(name, (), (), ""))

    def stale(self, old, *names):
        """Whether lines, all or those of these names, are those of another plane."""
        for name in names or self._drawn:
            self._drawn[name].glyph.line_alpha = 0.3 if old else 1.0

    def line(self, piece):
        source = self._lines[piece.name]
        if piece.curves or len(source.data["xs"]):
            source.data = {"xs": [curve[:, 0] for curve in piece.curves], "ys": [curve[:, 1] for curve in piece.curves]}
        if piece.points != self._points[piece.name]:
            self._points[piece.name] = piece.points
            kinds, x, y = zip(*found) if (found := [p for points in self._points.values() for p in points]) else ((), (), ())
            self._special.data = {"x": x, "y": y, "kind": kinds}
