"""The phase portrait of two units as a figure of bokeh, whose data change [JSP]."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..plotting.style import BLACK, BLUE, GREEN, ORANGE, PURPLE, VERMILLION
from .flow_numbers import CyclesFound, Portrait, Separatrices

__all__ = ["FlowPicture"]

#: Marker and face of each kind of fixed point, as in ``flow.plot_portrait``.
_POINTS = {
    "sink": ("circle", BLACK),
    "source": ("circle", "white"),
    "saddle": ("x", VERMILLION),
    "undecided": ("square", "#999999"),
}

#: What is drawn as curves: {name: (colour, dash, width)}.
_CURVES = {
    "field": ("#9aa7b1", "solid", 1.0),
    "first": (BLUE, "solid", 1.6),
    "second": (ORANGE, "solid", 1.6),
    "trajectories": (BLACK, "solid", 1.6),
    "stable": (PURPLE, "dotted", 1.8),
    "unstable": (PURPLE, "solid", 1.3),
    "attracting": (GREEN, "solid", 3.0),
    "repelling": (VERMILLION, "dashed", 2.5),
}

#: A little beyond the square in which states are.
_EDGE = 1.04


class FlowPicture:
    """The figure, and what is drawn in it.

    Parameters
    ----------
    clicked : callable(x, y), optional
        Told where somebody clicks.
    """

    #: What can be shown or not: (words, names of curves).
    LAYERS: tuple[tuple[str, tuple[str, ...]], ...] = (
        ("direction of the flow", ("field", "heads")),
        ("nullclines", ("first", "second")),
        ("separatrices", ("stable", "unstable")),
        ("limit cycles", ("attracting", "repelling")),
        ("trajectories", ("trajectories", "starts")),
    )

    #: HTML: what the colours mean.
    LEGEND = "; ".join(
        f'<span style="white-space: nowrap"><b style="color: {colour}">{sign}</b> {words}</span>'
        for sign, colour, words in (
            ("&#8212;", BLUE, "h<sub>1</sub> rests"),
            ("&#8212;", "#b57800", "h<sub>2</sub> rests"),
            ("&#9679;", BLACK, "sink"),
            ("&#9675;", BLACK, "source"),
            ("&#10006;", VERMILLION, "saddle"),
            ("&#183;&#183;&#183;", PURPLE, "stable manifold: it bounds basins"),
            ("&#8212;", PURPLE, "unstable manifold"),
            ("&#9473;", GREEN, "stable cycle"),
            ("- -", VERMILLION, "unstable cycle"),
        )
    )

    def __init__(self, clicked: Callable[[float, float], Any] | None = None) -> None:
        from bokeh.events import Tap
        from bokeh.models import ColumnDataSource, HoverTool
        from bokeh.plotting import figure

        square: dict[str, Any] = {"x_range": (-_EDGE, _EDGE), "y_range": (-_EDGE, _EDGE), "aspect_ratio": 1.0}
        names: dict[str, Any] = {"name": "portrait", "x_axis_label": "h\u2081", "y_axis_label": "h\u2082"}
        self.figure = figure(tools="", toolbar_location=None, sizing_mode="stretch_width", min_width=240, **square, **names)
        self.figure.grid.visible = False
        self.curves: dict[str, Any] = {}
        self.marks: dict[str, Any] = {}
        self.renderers: dict[str, Any] = {}
        for name, (colour, dash, width) in _CURVES.items():
            self.curves[name] = ColumnDataSource({"xs": [], "ys": []})
            self.renderers[name] = self.figure.multi_line(
                "xs", "ys", source=self.curves[name], line_color=colour, line_dash=dash, line_width=width, name=name
            )
        self.heads = ColumnDataSource({"x": [], "y": [], "angle": []})
        self.renderers["heads"] = self.figure.scatter(
            "x", "y", source=self.heads, angle="angle", marker="triangle", size=4, color=_CURVES["field"][0], name="heads"
        )
        self.starts = ColumnDataSource({"x": [], "y": []})
        self.renderers["starts"] = self.figure.scatter(
            "x", "y", source=self.starts, size=6, color=BLACK, marker="square", name="starts"
        )
        for kind, (marker, face) in _POINTS.items():
            self.marks[kind] = ColumnDataSource({"x": [], "y": [], "label": [], "eigenvalues": []})
            edge: dict[str, Any] = (
                {"line_color": face, "line_width": 3.5} if kind == "saddle" else {"line_color": BLACK, "line_width": 1.5}
            )
            self.renderers[kind] = self.figure.scatter(
                "x", "y", source=self.marks[kind], marker=marker, size=11, fill_color=face, name=kind, **edge
            )
        points = [self.renderers[kind] for kind in _POINTS]
        tips = [("", "@label"), ("at", "@x{0.0000}, @y{0.0000}"), ("eigenvalues", "@eigenvalues")]
        self.figure.add_tools(HoverTool(renderers=points, tooltips=tips, visible=False))
        if clicked is not None:
            self.figure.on_event(Tap, lambda event: clicked(event.x, event.y))

    def show_portrait(self, shown: Portrait, starts: Sequence[tuple[float, float]]) -> None:
        """Fixed points, nullclines, the field and trajectories.

        Parameters
        ----------
        shown : Portrait
        starts : sequence of pairs
        """
        self._draw("field", shown.streamlets)
        # a triangle points up
        turn = np.diff(shown.streamlets[:, -2:], axis=1)[:, 0]
        ends = shown.streamlets[:, -1]
        self.heads.data = {"x": ends[:, 0], "y": ends[:, 1], "angle": np.arctan2(turn[:, 1], turn[:, 0]) - 0.5 * np.pi}
        self._draw("first", shown.nullclines[0])
        self._draw("second", shown.nullclines[1])
        self._draw("trajectories", shown.trajectories)
        self.starts.data = {"x": [x for x, _ in starts], "y": [y for _, y in starts]}
        for kind, source in self.marks.items():
            here = [i for i, other in enumerate(shown.kinds) if other == kind]
            source.data = {
                "x": shown.states[here, 0],
                "y": shown.states[here, 1],
                "label": [shown.labels[i] for i in here],
                "eigenvalues": [", ".join(f"{value:.4g}" for value in shown.eigenvalues[i]) for i in here],
            }

    def show_separatrices(self, found: Separatrices) -> None:
        """Manifolds of saddles.

        Parameters
        ----------
        found : Separatrices
        """
        self._draw("stable", found.stable)
        self._draw("unstable", found.unstable)

    def show_cycles(self, found: CyclesFound) -> None:
        """Limit cycles.

        Parameters
        ----------
        found : CyclesFound
        """
        self._draw("attracting", [cycle.states for cycle in found.cycles if cycle.stable])
        self._draw("repelling", [cycle.states for cycle in found.cycles if not cycle.stable])

    def clear_slow(self) -> None:
        """Take away what belongs to other weights and comes later."""
        for name in ("stable", "unstable", "attracting", "repelling"):
            self._draw(name, ())

    def show_layers(self, chosen: Sequence[int]) -> None:
        """Show these layers and no others.

        Parameters
        ----------
        chosen : sequence of int, places in ``LAYERS``
        """
        for i, (_, names) in enumerate(self.LAYERS):
            for name in names:
                self.renderers[name].visible = i in chosen

    def _draw(self, name, curves):
        self.curves[name].data = {"xs": [curve[:, 0] for curve in curves], "ys": [curve[:, 1] for curve in curves]}
