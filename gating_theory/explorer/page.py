"""The page of large networks: controls move a view, and everything else follows it."""

from __future__ import annotations

from functools import partial
from html import escape
from typing import Any

from bokeh.models import CustomJS, Div, PreText

from . import numbers
from .background import Answer, Background
from .controls import Controls
from .number_text import NumberText, lines_html
from .pictures import STALE, Pictures, stale
from .template import REST, copy_button, frame
from .view import START, View, rounded

__all__ = ["network_page"]

#: What comes once sliders rest.
_SLOW = ("timescales", "density", "network")
_NUMBERS = """
table { border-collapse: collapse; width: 100%; font-size: 14px } th { font-weight: 500; text-align: left; white-space: nowrap }
th, td { padding: .12rem .7rem .12rem 0; vertical-align: baseline } td:last-child { color: #5b6b77; padding-right: 0 }
.still { font-size: 13px; padding-top: .4rem }
.number { font-variant-numeric: tabular-nums; font-weight: 600 }
"""
_CODE = ":host { overflow-x: auto; display: block } pre { font: 12.5px/1.45 ui-monospace, monospace; margin: 0 }"
_NOTES = "p { margin: .15rem 0; color: #5b6b77; font-size: 13.5px } p.missing { color: #a33b00 }"
_FOLLOW = 'history.replaceState(null, "", "?" + link.text)'

_CONTROLS = (
    {"title": "Network", "roots": "cell matrices solution"},
    {"title": "Gains", "roots": "gains", "fold": "open"},
    {"title": "Biases", "roots": "biases", "fold": "open"},
    {"title": "Spreads and inputs", "roots": "spreads", "fold": "closed"},
)
_PICTURES = (
    {"title": "Numbers", "roots": "numbers messages", "class": "wide first"},
    {
        "title": "Spectrum",
        "roots": "spectrum what sample",
        "note": "Eigenvalues λ of the Jacobian of one step. Line: boundary in theory, N → ∞. Dots: one network. Dashed: |λ| = 1.",
    },
    {
        "title": "Phase diagram",
        "roots": "plane lines across up plane_notes",
        "note": "The dot is where you are: drag it, click, or use the sliders.",
    },
    {"title": "Timescales", "roots": "timescales tau"},
    {"title": "Gradients", "roots": "growth steps"},
    {"title": "The Python of this view", "roots": "code copy anchor link", "class": "wide"},
)


def network_page(document: Any, background: Background) -> None:
    """Fill a document of the server: a page that follows its controls.

    Parameters
    ----------
    document : bokeh Document of a session
    background : Background, whose processes calculate
    """
    page = _NetworkPage(document, background)
    document.title = "gating_theory explorer"
    document.template = frame("/", _CONTROLS, _PICTURES)
    document.on_session_destroyed(lambda context: page.close())
    page.begin()
    with document.models.freeze():  # models are gone through once, not for every root
        for model in page.roots():
            document.add_root(model)


class _NetworkPage:
    def __init__(self, document, background):
        self._document, self._background = document, background
        self._session = document.session_context.id if document.session_context else id(document)
        self.controls, self.pictures = Controls(self.change), Pictures(self._dragged)
        wide = {"sizing_mode": "stretch_width"}
        self.numbers = Div(name="numbers", stylesheets=[_NUMBERS, STALE], **wide)
        self.messages = Div(name="messages", visible=False, stylesheets=[_NOTES], **wide)
        self.plane_notes = Div(name="plane_notes", stylesheets=[_NOTES], **wide)
        self.code = PreText(name="code", stylesheets=[_CODE], **wide)
        self.link = Div(name="link", visible=False)
        self.anchor = Div(name="anchor", stylesheets=[_NOTES], **wide)
        self.copy = copy_button(self.code, "code.text", label="copy", width=90)
        self.link.js_on_change("text", CustomJS(args={"link": self.link}, code=_FOLLOW))
        self._view = self._text = self._plane = self._timer = None
        self._missing, self._line_notes, self._lines_left = {}, {}, []
        self._open = True

    def roots(self):
        own = [self.numbers, self.messages, self.plane_notes, self.code, self.copy, self.link, self.anchor]
        return [*self.controls.roots(), *self.pictures.roots(), *own]

    def begin(self):
        """With the view of the link."""
        context = self._document.session_context
        query = context.request.uri.partition("?")[2] if context and context.request else ""
        try:
            view, wrong = View.from_query(query), ""
        except (TypeError, ValueError) as error:
            view, wrong = START["GRU"], str(error)
        self.change(view)
        if wrong:
            self._missing["link"] = f"This link cannot be read: {wrong}. This is what the page begins with."
            self._say()

    def close(self):
        self._open = False
        self._background.forget(self._session)

    # --- a new view

    def change(self, view):
        """Everything follows; what takes long begins once nothing changes any more."""
        if view == self._view:
            self.controls.show(view)
            return
        self._view, self._text = view, NumberText(view)
        self._missing.clear()
        self._say()
        self.controls.show(view)
        self.pictures.follow(view)
        stale(self.numbers, True)
        self.code.text = view.code()
        self.link.text = view.query()
        self.anchor.text = f'<p><a href="?{escape(view.query())}">Permanent link to this view</a>, also in the address above.</p>'
        self._ask("fast", "at once", numbers.at_once, view)
        for name in _SLOW:
            self._background["slow"].forget((self._session, name))
        if self._plane_of(view) != self._plane:
            self._plane = None
            self.pictures.plane.stale(True)
            for name in self._lines_left:
                self._background["lines"].forget((self._session, name))
        if self._timer is not None:
            self._document.remove_timeout_callback(self._timer)
        self._timer = self._document.add_timeout_callback(self._rested, REST)

    def _dragged(self, x, y):
        view = self._view
        ends = zip((view.x, view.y), (x, y), view.bounds)
        self.change(view.moved({path: rounded(value, *bounds) for path, value, bounds in ends}))
        self.pictures.plane.follow(self._view)

    def _rested(self):
        self._timer = None
        view = self._view
        if view.network:
            self._ask("slow", "network", numbers.network, view)
        if view.density:
            self._ask("slow", "density", numbers.density, view)
        self._ask("slow", "timescales", numbers.timescales, view)
        if self._plane is None:
            self._plane = self._plane_of(view)
            self._line_notes, self._lines_left = {}, list(view.lines)
            self._say_lines()
            for name in view.lines:  # a task each: pages take turns
                self._ask("lines", name, numbers.line, view, name)

    @staticmethod
    def _plane_of(view):
        return view.plane_ensemble, view.x, view.y, view.bounds, view.lines

    def _ask(self, lane, key, task, view, *more):
        about = self._plane_of(view) if lane == "lines" else view
        if lane != "lines":
            self._text.pending.append(key)
            self._show_numbers()
        tell = partial(self._told, lane, key, about)
        self._background[lane].ask((self._session, key), task, view, *more, tell=tell)

    # --- what comes back

    def _told(self, lane: str, key: str, about: Any, answer: Answer) -> None:
        """In a lane's thread."""
        if self._open:
            self._document.add_next_tick_callback(partial(self._take, lane, key, about, answer))

    def _take(self, lane, key, about, answer):
        now = self._plane_of(self._view) if lane == "lines" else self._view
        if about != now or not self._open:
            return
        if answer.code != "piece" and key in self._text.pending:
            self._text.pending.remove(key)
            self._show_numbers()
        if answer.code == "piece":
            self._show(lane, answer.value)
        elif answer.code == "crashed" or answer.code == "failed" and "State" not in self._missing:
            self._missing[key] = f"{key}: {answer.value}"
            self._say()
        if lane == "lines" and answer.code != "piece" and key in self._lines_left:
            self._lines_left.remove(key)
            if not self._lines_left:
                self.pictures.plane.stale(False)
            self._say_lines()

    def _show(self, lane, piece):
        self.pictures.show(piece)
        if isinstance(piece, numbers.Missing):
            if lane != "lines":
                if piece.part == "State":  # nothing else can be said then, and slow parts may have said the same
                    for key in _SLOW:
                        self._missing.pop(key, None)
                self._missing[piece.part] = piece.text
                self._say()
        elif isinstance(piece, numbers.State):
            self.controls.solutions(piece.solutions)
        if lane == "lines":
            name = piece.part if isinstance(piece, numbers.Missing) else piece.name
            self._line_notes[name] = piece
            self.pictures.plane.stale(False, name)
            self._say_lines()
        self._text.add(piece)
        self._show_numbers()

    def _show_numbers(self):
        """Until there is a state the numbers of the view before stay, pale; the first view has none."""
        if self._text.state is not None or "at once" not in self._text.pending or not self.numbers.text:
            self.numbers.text = self._text.html()
            stale(self.numbers, False)

    def _say(self):
        text = "".join(f'<p class="missing">{escape(text)}</p>' for text in self._missing.values())
        self.messages.update(text=text, visible=bool(text))

    def _say_lines(self):
        self.plane_notes.text = lines_html(self._view, self._line_notes, self._lines_left)
