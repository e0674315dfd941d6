"""The numbers of the page of large networks as HTML, each with what it means."""

from __future__ import annotations

import math
from collections.abc import Collection
from html import escape

from ..plotting.style import BLUE, GREEN, PURPLE, VERMILLION
from .numbers import Cloud, Growth, Line, Missing, State, Timescales
from .view import LINES, View

__all__ = ["LINE_COLOURS", "NumberText", "lines_html"]

#: Cells in continuous time: steps of their maps are those of Euler's method.
_FLOWS = ("KCS", "KCSFast")
#: {line of a phase diagram: its colour}.
LINE_COLOURS = dict(zip(LINES, (VERMILLION, BLUE, PURPLE, GREEN)))
#: What takes long, in words.
_PENDING = {"at once": "numbers", "timescales": "timescales", "density": "the density", "network": "the sampled network"}
#: A rate that is this small is 0.
_NONE = 1e-12


class NumberText:
    """What is known of a view so far, in words; every number stands in an element with its name in ``data-name``.

    Attributes
    ----------
    pending : list of str, what is still being computed
    """

    def __init__(self, view: View) -> None:
        self.view = view
        self.state: State | None = None
        self.timescales: Timescales | None = None
        self.growth: Growth | None = None
        self.cloud: Cloud | None = None
        self.pending: list[str] = []

    def add(self, piece: object) -> None:
        """Take a piece; what is no number is left."""
        if isinstance(piece, State):
            self.state = piece
        elif isinstance(piece, Growth):
            self.growth = piece
        elif isinstance(piece, Cloud):
            self.cloud = piece
        elif isinstance(piece, Timescales) and (piece.exact or self.timescales is None):
            self.timescales = piece
        elif isinstance(piece, Missing) and piece.part == "Growth":  # the quick one was not good enough
            self.growth = None

    def html(self) -> str:
        """The table."""
        rows = [*self._of_state(), *self._of_timescales(), *self._of_growth(), *self._of_cloud()]
        body = "".join(f"<tr><th>{name}</th><td>{value}</td><td>{meaning}</td></tr>" for name, value, meaning in rows)
        pending = [_PENDING.get(key, key) for key in self.pending]
        still = f"still computing {', '.join(pending)} …" if pending else "all has been computed"
        return f'<table>{body}<tr><td colspan="3" class="still">{still}</td></tr></table>'

    def _of_state(self):
        if self.state is None:
            return
        state = self.state
        for message, value in state.moments.items():
            name = f"({message})" if "*" in message else message
            yield f"E {escape(name)}²", _number(f"moment {message}", value), "mean square of this message over units"
        rate = math.log(state.radius) if state.radius > 0.0 else -math.inf
        yield "spectral radius", _number("radius", state.radius), f"largest |λ|: {_rate(rate)}"
        yield "abscissa", _number("abscissa", state.abscissa), f"largest Re λ: {_stable(state.abscissa)}"
        if self.view.cell in _FLOWS:
            words = "per unit of time, of the flow ds/dt = F − s: abscissa − 1. Steps below are those of Euler's map of step 1"
            yield "growth rate", _number("rate", state.abscissa - 1.0), words

    def _of_timescales(self):
        if self.timescales is None:
            return
        piece, about = self.timescales, "" if self.timescales.exact else "≈ "
        words = f"this part of all modes outlives {self.view.tau:.6g} steps (or grows)"
        yield "slow fraction", about + _number("slow", piece.slow, "exact" if piece.exact else "rough"), words

    def _of_growth(self):
        if self.growth is None:
            return
        piece, steps = self.growth, self.view.steps
        rate = math.log(piece.rate) if piece.rate > 0.0 else -math.inf
        words = f"mean square of a gradient {steps} steps back, log₁₀; in the end {_times(rate)}"
        yield "gradients", "10^" + _number("growth", float(piece.log10[-1]), digits=4), words

    def _of_cloud(self):
        if self.cloud is None:
            return
        words = f"spectral radius of one network of {self.view.n_units} units"
        yield "sampled radius", _number("network radius", self.cloud.radius), words
        yield "sampled slow fraction", _number("network slow", self.cloud.slow), "of its eigenvalues"


def lines_html(view: View, found: dict[str, Line | Missing], left: Collection[str]) -> str:
    """What is known of the lines of a phase diagram, with their colours.

    Parameters
    ----------
    view : View
    found : {line: its piece}
    left : names of lines that are still being followed
    """
    texts = [_line_text(name, found.get(name), name in left) for name in view.lines]
    here = zip((view.x, view.y), view.bounds)
    if not all(low <= view.value(path) <= high for path, (low, high) in here):
        texts.append("<p>You are outside of this picture.</p>")
    return "".join(texts)


def _line_text(name, piece, followed):
    swatch = f'<span style="color:{LINE_COLOURS[name]};font-weight:700">—</span>'
    if piece is None:
        words = "is being followed …" if followed else "not found out"
    elif isinstance(piece, Missing):
        words = escape(piece.text)
    else:
        words = escape(piece.status.partition(";")[0])
        places = "; ".join(f"{kind} at ({x:.4g}, {y:.4g})" for kind, x, y in piece.points)
        words += f", □ {places}" if places else ""
    return f'<p data-line="{name}">{swatch} {LINES[name]}: {words}</p>'


def _number(name, value, code="", digits=6):
    """Digits that one reads; all digits for programs."""
    return f'<span class="number {code}" data-name="{escape(name)}" data-value="{value!r}">{value:.{digits}g}</span>'


def _stable(abscissa):
    return "below 1, small changes decay" if abscissa < 1.0 else "above 1, small changes grow" if abscissa > 1.0 else "at 1"


def _rate(rate):
    """A natural logarithm per step as words."""
    if abs(rate) < _NONE:
        return "ln |λ| = 0, neither grows nor decays"
    if rate == -math.inf:
        return "gone after one step"
    return f"ln |λ| = {rate:.4g} a step, {'grows' if rate > 0 else 'decays'} by e in {1.0 / abs(rate):.4g} steps"


def _times(rate):
    return f"e^({rate:.4g}) a step" if math.isfinite(rate) else "nothing is left"
