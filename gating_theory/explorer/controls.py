"""The controls of the page of large networks: each shows a part of the view, and moves it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from bokeh.layouts import column, row
from bokeh.models import CheckboxGroup, NumericInput, Select, Slider

from ..cell.builtin import BUILTIN
from ..ensemble.hyperparameters import KINDS, kind_of, words
from .view import LINES, MATRICES, START, View

__all__ = ["Controls"]

#: (low, high, step) of the sliders of a kind; they reach further where the view does.
_SPANS = {kind: (-3.0, 3.0, 0.05) if KINDS[kind].signed else (0.0, 3.0, 0.02) for kind in KINDS}
_SPANS |= {"gain": (0.0, 10.0, 0.05), "bias": (-6.0, 6.0, 0.05)}
#: Folds of sliders, and the kinds in each.
FOLDS = {"gains": ("gain",), "biases": ("bias", "parameter"), "spreads": tuple(k for k in KINDS if k.endswith("_std"))}
#: What can be chosen of timescales and steps.
_TAUS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)
_STEPS = (10, 20, 50, 100, 200, 500, 1000)
_LAWS = dict(zip(MATRICES, ("independent normal entries (iid)", "orthogonal, one a field", "one isometry, stacked (Keras)")))
_WIDE: dict[str, Any] = {"sizing_mode": "stretch_width"}


class Controls:
    """All controls of a page.

    Parameters
    ----------
    changed : callable(View)
        Told the new view whenever somebody moves a control.
    """

    def __init__(self, changed: Callable[[View], None]) -> None:
        self._changed = changed
        self._view: View | None = None
        self._showing = False
        self.sliders: dict[str, Slider] = {}
        self.folds = {name: column(name=name, **_WIDE) for name in FOLDS}
        self.cell = self._select("cell", "cell", list(BUILTIN), self._other_cell)
        laws = list(_LAWS.items())
        self.matrices = self._select("matrices", "matrices", laws, partial(self._replaced, "matrices"))
        self.solution = self._select("solution", "solution", [], partial(self._replaced, "solution"))
        self.tau = self._select("tau", "timescale, steps", [], lambda value: self._replaced("tau", float(value)))
        self.steps = self._select("steps", "gradients through so many steps", [], lambda value: self._replaced("steps", int(value)))
        self.what = self._boxes("what", ["density", "a sampled network"], self._other_what)
        self.n_units = self._number("n_units", "units", "int", low=10, high=2000)
        self.seed = self._number("seed", "seed", "int", low=0, high=2**31)
        self.lines = self._boxes("lines", list(LINES.values()), self._other_lines)
        self.x = self._select("x", "across", [], partial(self._other_axis, "x"))
        self.y = self._select("y", "up", [], partial(self._other_axis, "y"))
        self.ends = {name: self._end(name) for name in ("x0", "x1", "y0", "y1")}

    # --- where they stand

    def roots(self) -> list[Any]:
        """Models to be added to the document, by name for its template."""
        sample = row(self.n_units, self.seed, name="sample", **_WIDE)
        across = row(self.x, self.ends["x0"], self.ends["x1"], name="across", **_WIDE)
        up = row(self.y, self.ends["y0"], self.ends["y1"], name="up", **_WIDE)
        choices = [self.cell, self.matrices, self.solution, self.tau, self.steps, self.what, self.lines]
        return [*choices, *self.folds.values(), sample, across, up]

    def _select(self, name, title, options, then):
        made = Select(name=name, title=title, options=options, **_WIDE)
        made.on_change("value", self._if_moved(then))
        return made

    def _boxes(self, name, labels, then):
        made = CheckboxGroup(name=name, labels=labels, **_WIDE)
        made.on_change("active", self._if_moved(then))
        return made

    def _number(self, name, title, mode, **limits):
        made = NumericInput(name=name, title=title, mode=mode, width=90, **limits)
        made.on_change("value", self._if_moved(partial(self._replaced, name)))
        return made

    def _end(self, name):
        made = NumericInput(name=name, title="from" if name.endswith("0") else "to", mode="float", width=70)
        made.on_change("value", self._if_moved(partial(self._other_end, name)))
        return made

    def _if_moved(self, then):
        """A callback that is silent while the controls follow the view."""
        return lambda attribute, old, new: None if self._showing or self._view is None else then(new)

    # --- what they do

    def _replaced(self, name, value):
        if value is not None:
            self._changed(replace(self._view, **{name: value}))
        else:
            self.show(self._view)

    def _other_cell(self, name):
        self._changed(START[name])

    def _other_what(self, active):
        self._changed(replace(self._view, density=0 in active, network=1 in active))

    def _other_lines(self, active):
        self._changed(replace(self._view, lines=tuple(name for i, name in enumerate(LINES) if i in active)))

    def _other_axis(self, name, path):
        other = {"x": "y", "y": "x"}[name]
        change = {name: path, f"{name}_bounds": None}
        if path == getattr(self._view, other):  # they change places
            change |= {other: getattr(self._view, name), f"{other}_bounds": getattr(self._view, f"{name}_bounds")}
            change[f"{name}_bounds"] = getattr(self._view, f"{other}_bounds")
        self._changed(replace(self._view, **change))

    def _other_end(self, name, value):
        """An end of the plane that is not allowed goes back to what it was."""
        axis, end = f"{name[0]}_bounds", int(name[1])
        bounds = list(getattr(self._view, axis))
        bounds[end] = value
        try:
            view = replace(self._view, **{axis: tuple(bounds)})
        except (TypeError, ValueError):
            self.show(self._view)
            return
        self._changed(view)

    # --- what they show

    def show(self, view: View) -> None:
        """Follow the view.

        Parameters
        ----------
        view : View
        """
        self._showing = True
        try:
            if self._view is None or self._view.cell != view.cell:
                self._new_sliders(view)
            self._view = view
            self._follow(view)
        finally:
            self._showing = False

    def solutions(self, words_of_each: tuple[str, ...]) -> None:
        """Offer the solutions that there are.

        Parameters
        ----------
        words_of_each : tuple of str
        """
        options = [("active", "active: of the largest moments"), ("zero", "zero state")]
        options += [(str(number), f"number {number}: {text}") for number, text in enumerate(words_of_each)]
        if self._view is not None and self._view.solution not in dict(options):
            options.append((self._view.solution, f"number {self._view.solution}: not there"))
        if options != self.solution.options:
            self._quietly(self.solution, options=options)

    def _quietly(self, model, **values):
        before, self._showing = self._showing, True
        try:
            model.update(**values)
        finally:
            self._showing = before

    def _new_sliders(self, view):
        self.sliders = {path: self._slider(path) for path in view.paths}
        for name, kinds in FOLDS.items():
            self.folds[name].children = [s for path, s in self.sliders.items() if path.partition(".")[0] in kinds]
        named = [(path, words(path)) for path in view.paths]
        self.x.options = self.y.options = named

    def _slider(self, path):
        low, high, step = _SPANS[kind_of(path).name]
        made = Slider(name=path, title=path, start=low, end=high, step=step, value=0.0, format="0[.]00[0]", **_WIDE)
        made.on_change("value", self._if_moved(lambda value: self._changed(self._view.moved({path: value}))))
        return made

    def _follow(self, view):
        bounds = dict(zip((view.x, view.y), view.bounds))
        for path, slider in self.sliders.items():
            low, high, _ = _SPANS[kind_of(path).name]
            reach = (view.value(path), *bounds.get(path, ()))
            _set(slider, start=min(low, *reach), end=max(high, *reach), value=view.value(path))
        _set(self.cell, value=view.cell)
        _set(self.matrices, value=view.matrices)
        if view.solution not in [key for key, _ in self.solution.options]:
            self.solutions(())
        _set(self.solution, value=view.solution)
        _set(self.tau, options=_with(_TAUS, view.tau), value=_key(view.tau))
        _set(self.steps, options=_with(_STEPS, view.steps), value=_key(view.steps))
        _set(self.what, active=[i for i, shown in enumerate((view.density, view.network)) if shown])
        _set(self.n_units, value=view.n_units)
        _set(self.seed, value=view.seed)
        _set(self.lines, active=[i for i, name in enumerate(LINES) if name in view.lines])
        _set(self.x, value=view.x)
        _set(self.y, value=view.y)
        for axis, ends in zip("xy", view.bounds):
            for number, end in enumerate(ends):
                _set(self.ends[f"{axis}{number}"], value=end)


def _set(model, **values):
    """Only what differs is sent to the page."""
    changed = {name: value for name, value in values.items() if getattr(model, name) != value}
    if changed:
        model.update(**changed)


def _key(value):
    return f"{value:.12g}"


def _with(choices, value):
    """Options of a choice among numbers, with one that a link asks for."""
    return [_key(one) for one in sorted({*map(float, choices), float(value)})]
