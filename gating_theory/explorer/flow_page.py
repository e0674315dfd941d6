"""The page of two units in continuous time."""

from __future__ import annotations

from functools import partial
from html import escape
from typing import Any
from urllib.parse import urlencode

from .background import Answer, Background
from .flow_numbers import CyclesFound, Portrait, Separatrices, at_once, at_rest
from .flow_picture import FlowPicture
from .flow_view import MATRICES, PARAMETERS, FlowView, first_view, presets
from .template import REST, copy_button, frame

__all__ = ["flow_page"]

#: Ends of the sliders of weights and of biases; where a weight lies beyond them, the next ones.
_ENDS = {"U": (10.0, 30.0, 100.0), "b": (5.0, 30.0, 100.0)}

#: Decimals of what sliders give, whose steps are sums of tenths, and what rounding to them changes at most.
_DIGITS, _ROUNDED = 6, 1e-6

#: The name of what is no preset.
_CUSTOM = "as the sliders say"


def flow_page(document: Any, background: Background) -> None:
    """Fill a document of the server: a page that follows its controls.

    Parameters
    ----------
    document : bokeh Document of a session
    background : Background, whose processes calculate
    """
    _FlowPage(document, background)


class _FlowPage:
    """One session: its view, its controls, and what is shown."""

    def __init__(self, document, background):
        self.document, self.background = document, background
        self.key = (document.session_context.id, "flow") if document.session_context else (id(document), "flow")
        self.view, self.problem = _asked_for(document)
        self.shown: Portrait | None = None
        self.cycles: CyclesFound | None = None
        self.failed = ""
        self.open, self.setting, self.timer = True, False, None
        self.presets = {name: view for group in presets().values() for name, view in group.items()}
        self._make()
        document.title = "Two units: gating_theory explorer"
        document.template = frame("/flow", self._control_panels(), self._picture_panels())
        document.on_session_destroyed(lambda context: self._close())
        self._follow(self.view, weights=True, fresh=True)

    # --- models

    def _make(self):
        from bokeh.models import Button, CheckboxGroup, CustomJS, Div, Select, Slider, Spinner

        wide: dict[str, Any] = {"sizing_mode": "stretch_width"}
        groups = {group: [(name, name) for name in views] for group, views in presets().items()}
        self.preset = Select(title="Start from", options={"Your own": [(_CUSTOM, _CUSTOM)], **groups}, name="preset", **wide)
        self.preset.on_change("value", self._chosen)
        self.sliders = {}
        for path in PARAMETERS:
            end = _ENDS[path[0]][0]
            slider = Slider(
                title=path,
                start=-end,
                end=end,
                step=0.05 if path[0] == "b" else 0.1,
                value=0.0,
                format="0.[0000]",
                name=_name(path),
                **wide,
            )
            slider.on_change("value", partial(self._moved, path))
            self.sliders[path] = slider
        self.layers = CheckboxGroup(
            labels=[words for words, _ in FlowPicture.LAYERS], active=list(range(len(FlowPicture.LAYERS))), name="layers", **wide
        )
        self.layers.on_change("active", lambda attr, old, new: self.picture.show_layers(new))
        self.start_x = Spinner(title="h1", low=-1, high=1, step=0.1, value=0.3, width=90, name="start_x")
        self.start_y = Spinner(title="h2", low=-1, high=1, step=0.1, value=0.0, width=90, name="start_y")
        start = Button(label="Start here", name="start", width=100)
        start.on_click(lambda: self._start(self.start_x.value, self.start_y.value))
        clear = Button(label="Clear", name="clear", width=70)
        clear.on_click(lambda: self._follow(self.view.cleared(), weights=False))
        self.buttons = (start, clear)
        self.picture = FlowPicture(self._start)
        self.numbers = Div(name="numbers", stylesheets=[_WITHIN], **wide)
        self.found = Div(name="cycles", stylesheets=[_WITHIN], **wide)
        self.code = Div(name="code", stylesheets=[_WITHIN], **wide)
        self.copy = copy_button(self.code, "code.tags[0]", label="Copy", width=80)
        self.link = Div(name="link", **wide)
        self.link.js_on_change("tags", CustomJS(code=_ADDRESS))

    def _control_panels(self):
        from bokeh.models import Row

        add = self.document.add_root
        add(self.preset)
        folds = {gate: "open" if self._gated(gate) else "closed" for gate in "zr"}
        names = {}
        for matrix in MATRICES:
            names[matrix] = " ".join(_name(path) for path in PARAMETERS if path.startswith(matrix))
        for slider in self.sliders.values():
            add(slider)
        add(Row(self.start_x, self.start_y, name="places"))
        add(Row(*self.buttons, name="buttons"))
        add(self.layers)
        return [
            {"roots": "preset"},
            {"title": "Candidate: U_h, b_h", "roots": f"{names['U_h']} {names['b_h']}"},
            {"title": "Update gate: U_z, b_z", "roots": f"{names['U_z']} {names['b_z']}", "fold": folds["z"],
             "note": "Moves no fixed point; it can make a sink a source."},
            {"title": "Reset gate: U_r, b_r", "roots": f"{names['U_r']} {names['b_r']}", "fold": folds["r"]},
            {"title": "Trajectories", "roots": "places buttons", "note": "Or click in the portrait."},
            {"title": "Show", "roots": "layers"},
        ]  # fmt: skip

    def _picture_panels(self):
        for model in (self.picture.figure, self.numbers, self.found, self.code, self.copy, self.link):
            self.document.add_root(model)
        return [
            {"title": "Phase portrait", "roots": "portrait", "note": FlowPicture.LEGEND, "class": "first stays"},
            {"title": "What it can do", "roots": "numbers cycles"},
            {"title": "Python", "roots": "code copy link", "class": "wide"},
        ]

    # --- what users do

    def _chosen(self, attr, old, new):
        if not self.setting and new in self.presets:
            self._follow(self.presets[new], weights=True, fresh=True)

    def _moved(self, path, attr, old, new):
        if not self.setting:
            self._follow(self.view.moved(path, round(float(new), _DIGITS)), weights=True)

    def _start(self, x, y):
        if x is not None and y is not None and max(abs(x), abs(y)) <= 1.0:
            self._follow(self.view.started(round(float(x), 4), round(float(y), 4)), weights=False)

    # --- what follows

    def _follow(self, view, weights, fresh=False):
        """Show another view: at once what is quick, and when nothing changes any more what is not."""
        if view != self.view:
            self.view, self.problem = view, ""
        self._set_controls(fresh)
        if weights:
            self.cycles = None
            self.picture.clear_slow()
            self._wait()
        self._write("calculating")
        self.background["fast"].ask(self.key, at_once, view, tell=self._teller(view, quick=True))

    def _wait(self):
        self.background["slow"].forget(self.key)
        if self.timer is not None:
            self.document.remove_timeout_callback(self.timer)
        self.timer = self.document.add_timeout_callback(self._rested, REST)

    def _rested(self):
        self.timer = None
        self.background["slow"].ask(self.key, at_rest, self.view, tell=self._teller(self.view, quick=False))

    def _teller(self, view, quick):
        def tell(answer):  # in a thread of a lane
            if self.open:
                self.document.add_next_tick_callback(partial(self._told, view, quick, answer))

        return tell

    def _close(self):
        self.open = False
        self.background.forget(self.key[0])

    def _told(self, view: FlowView, quick: bool, answer: Answer):
        if view.values != self.view.values:
            return
        if answer.code in ("failed", "crashed"):
            self.failed = str(answer.value)
            self.shown = None if quick else self.shown  # what is shown would be of other weights
        elif answer.code == "piece":
            self._show(answer.value)
        self._write()

    def _show(self, piece):
        if isinstance(piece, Portrait):
            self.shown = piece
            self.failed = ""
            self.picture.show_portrait(piece, self.view.starts)
        elif isinstance(piece, Separatrices):
            self.picture.show_separatrices(piece)
        elif isinstance(piece, CyclesFound):
            self.cycles = piece
            self.picture.show_cycles(piece)

    def _set_controls(self, fresh):
        self.setting = True
        for path, slider in self.sliders.items():
            value = self.view.values.get(path, 0.0)
            end = next(end for end in _ENDS[path[0]] if abs(value) <= end)
            # under a hand that drags it a range may grow and does not shrink
            if end > slider.end or (fresh and end < slider.end):
                slider.update(start=-end, end=end)
            # what a hand has set is not set again: by now the hand is elsewhere
            if abs(slider.value - value) > _ROUNDED:
                slider.value = value
        weights = self.view.cleared()
        self.preset.value = next((name for name, view in self.presets.items() if view == weights), _CUSTOM)
        self.setting = False

    def _write(self, state=""):
        problem = f'<p class="problem" role="alert">{escape(self.problem)}</p>' if self.problem else ""
        self.numbers.text = problem + _numbers(self.shown, self.failed, state)
        self.found.text = _cycles(self.cycles, self.failed)
        code = self.view.python()
        self.code.update(text=f'<pre class="python">{escape(code)}</pre>', tags=[code])
        query = self.view.query()
        link = f'<a class="link" href="/flow?{escape(query)}">Link to this view</a>'
        self.link.update(text=link, tags=[query, *map(self._gated, "zr")])

    def _gated(self, gate):
        """Whether a gate is not 1/2 everywhere."""
        return any(self.view.numbers(f"U_{gate}") + self.view.numbers(f"b_{gate}"))


def _name(path):
    """The name of a slider's model: U_h[0,1] is U_h_01."""
    return path.replace("[", "_").replace("]", "").replace(",", "")


def _asked_for(document):
    """(view, what is wrong with the link)."""
    first = first_view()
    request = getattr(document.session_context, "request", None)
    arguments = getattr(request, "arguments", None) or {}
    pairs = [(name, value.decode("utf-8", "replace")) for name, values in arguments.items() for value in values]
    if not pairs:
        return first, ""
    try:
        return FlowView.from_query(urlencode(pairs)), ""
    except ValueError as error:
        return first, f"This link cannot be shown: {error}"


# --- what is written

#: Of texts: no wider than their panel, what is wider scrolls in it.
_WITHIN = (
    ":host { min-width: 0; font-size: .88rem } .bk-clearfix { display: block; width: 100% } .scroll, pre { overflow-x: auto }"
    " pre { margin: 0 }"
    " p { margin: .2rem 0 } table { border-collapse: collapse; font-variant-numeric: tabular-nums }"
    " td, th { text-align: left; padding: .1rem .8rem .1rem 0; white-space: nowrap } th { font-weight: 500; color: #5b6b77 }"
)

#: The address in the browser is the permanent link: a page that is loaded anew shows the same. Gates that act are unfolded.
_ADDRESS = """
window.history.replaceState(null, '', '?' + cb_obj.tags[0])
document.querySelectorAll('main details').forEach((fold, i) => { if (cb_obj.tags[i + 1]) fold.open = true })
"""


def _numbers(shown: Portrait | None, failed: str, state: str) -> str:
    if shown is None:
        waits = "calculating; the first time this takes some seconds, for compiling"
        return f'<p class="status" role="status">{escape(failed or waits)}</p>'
    rows = "".join(
        f"<tr><td>{escape(label)}</td><td>{_place(x)}</td><td>{_place(y)}</td><td>{_pair(values)}</td></tr>"
        for label, (x, y), values in zip(shown.labels, shown.states, shown.eigenvalues)
    )
    topology = shown.topology or "kinds are not decided: at a bifurcation"
    proof = "all fixed points, proved" if shown.complete else "perhaps not all fixed points"
    return (
        f'<p><b class="topology">{escape(topology)}</b> <span title="{escape(shown.status)}">({proof})</span></p>'
        f'<div class="scroll"><table class="points">'
        "<tr><th>kind</th><th>h<sub>1</sub></th><th>h<sub>2</sub></th><th>eigenvalues</th></tr>"
        f"{rows}</table></div>"
        f'<p class="status" role="status">{escape(failed or state) or "&nbsp;"}</p>'
    )


def _place(x):
    """A coordinate; no negative zero."""
    return f"{round(float(x), 4) + 0.0:.4f}"


def _pair(values):
    """Two eigenvalues, per unit of time; a complex pair as one."""
    first, second = values
    if first.imag != 0.0:
        return f"{first.real:.4g} &plusmn; {abs(first.imag):.4g}i"
    return ", ".join(f"{value:.4g}" for value in sorted((first.real, second.real)))


def _cycles(found: CyclesFound | None, failed: str) -> str:
    if found is None:
        return "" if failed else '<p class="cycles">Limit cycles: searched for when the sliders rest</p>'
    if not found.cycles:
        return '<p class="cycles">No limit cycles found</p>'
    rows = "".join(
        f'<tr><td>{"stable" if cycle.stable else "unstable"}</td><td class="period">{cycle.period:.6g}</td>'
        f'<td class="multiplier">{cycle.multiplier:.4g}</td></tr>'
        for cycle in found.cycles
    )
    return (
        f'<p class="cycles"><b>{len(found.cycles)} limit cycle{"s" if len(found.cycles) > 1 else ""}</b></p>'
        f'<div class="scroll"><table class="cycle"><tr><th></th><th>period</th><th>multiplier</th></tr>{rows}</table></div>'
    )
