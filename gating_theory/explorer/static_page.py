"""Explorers of the site that need no server: sliders that choose among numbers of the library on a grid."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ..plotting.style import BLUE, ORANGE
from .flow_picture import FlowPicture
from .static_data import BOUNDARY_UNIT, CURVES, FLOW, GAIN_Z, KINDS, SPECTRA, TAUS, UNIT

__all__ = ["SCRIPTS", "copy_scripts", "flow_page", "spectrum_page"]

#: Scripts of bokeh that the pages load, from the folder that ``copy_scripts`` fills.
SCRIPTS = ("bokeh.min.js", "bokeh-widgets.min.js")

_WIDE: dict[str, Any] = {"sizing_mode": "stretch_width"}

_TITLES = "Spectrum of the Jacobian", "Share of modes that live longer"

#: The place of what the sliders say in the grid, the last slider the fastest; and its curves, by the place of their name.
_CHOOSE = """
let at = 0
for (const slider of sliders) {
  const n = Math.round((slider.end - slider.start) / slider.step) + 1
  at = at * n + Math.round((slider.value - slider.start) / slider.step)
}
const {first, name, begin, length} = curves.data
const xy = values.data.xy
names.forEach((source, j) => {
  const xs = [], ys = []
  for (let k = first[at]; k < first[at + 1]; k++) {
    if (name[k] != j) continue
    const x = new Float64Array(length[k]), y = new Float64Array(length[k])
    for (let i = 0; i < length[k]; i++) { x[i] = xy[2 * (begin[k] + i)] / unit; y[i] = xy[2 * (begin[k] + i) + 1] / unit }
    xs.push(x); ys.push(y)
  }
  source.data = {xs, ys}
})
const values_of = sliders.map((slider) => Number(slider.value.toFixed(6)))
"""

_SPECTRUM = """
const row = taus.map((_, i) => slow.data.share[at * taus.length + i] / 65535)
survival.data = {x: taus, y: row}
const [moment, radius, abscissa] = [0, 1, 2].map((i) => numbers.data.value[3 * at + i])
const cell = (name, value) => `<tr><th>${name}</th><td class="${name.replace(/[ ,].*/, "")}">${value}</td></tr>`
text.text = "<table>" + cell("moment, E h²", moment.toPrecision(6)) + cell("radius", radius.toPrecision(6))
  + cell("abscissa", abscissa.toPrecision(6)) + cell("share slower than 10 steps", row[ten].toFixed(4))
  + cell("share slower than 100 steps", row[hundred].toFixed(4)) + "</table>"
const [h, r, z] = values_of
code.text = `<pre class="python">ens = gt.Ensemble(gt.GRU, gain={"z": ${gain_z}, "r": ${r}, "h": ${h}}, bias={"z": ${z}})
spectrum = gt.Spectrum(gt.fixed_points(ens)[-1])
spectrum.abscissa()  # ${abscissa.toPrecision(6)}
spectrum.slow_fraction([10, 100])</pre>`
"""

_FLOW = """
const words = topology.data.words[at]
const points = Object.fromEntries(marks.map((source, kind) => [kind, {x: [], y: []}]))
const {row, kind, x, y} = states.data
row.forEach((r, i) => { if (r == at) { points[kind[i]].x.push(x[i]); points[kind[i]].y.push(y[i]) } })
marks.forEach((source, k) => { source.data = points[k] })
let found = ""
const all = cycles.data
all.row.forEach((r, i) => { if (r == at) {
  found += `<tr><td>${all.stable[i] ? "stable" : "unstable"} cycle</td>`
    + `<td>period <b class="period">${all.period[i].toPrecision(6)}</b></td>`
    + `<td>multiplier <b class="multiplier">${all.multiplier[i].toPrecision(4)}</b></td></tr>` } })
text.text = `<p><b class="topology">${words || "at a bifurcation: the kind of the fixed point is not decided"}</b></p>`
  + (found ? `<table>${found}</table>` : "<p>no limit cycle</p>")
const [g, angle] = values_of
const c = Number((g * Math.cos(angle * Math.PI / 180)).toFixed(6)), s = Number((g * Math.sin(angle * Math.PI / 180)).toFixed(6))
code.text = `<pre class="python">flow = gt.flow.GRUFlow(U_h=[[${c}, ${-s || 0}], [${s}, ${c}]])
flow.fixed_points().topology.words  # "${words}"
gt.flow.cycles(flow)</pre>`
"""

_TEXT = (
    ":host { min-width: 0; font-size: .9rem } .bk-clearfix { display: block; width: 100% } pre { overflow-x: auto; margin: 0 }"
    " p { margin: .2rem 0 } td, th { text-align: left; padding: .1rem .9rem .1rem 0; white-space: nowrap; font-weight: normal }"
    " table { border-collapse: collapse; font-variant-numeric: tabular-nums } td { font-weight: 600 }"
)

_STYLE = """<style>
.static-explorer { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 17rem), 1fr)); gap: .6rem 1.2rem;
  color: #1b2730; background: #fff; border: 1px solid #d9e0e5; border-radius: 6px; padding: .8rem; margin: 1rem 0 }
.static-explorer > div { min-width: 0 }
.static-explorer > .wide { grid-column: 1 / -1 }
.static-explorer > .legend { font-size: .85rem; color: #5b6b77 }
</style>"""

#: Arrow keys move sliders; sites take them for "next page".
_KEYS = """<script>
document.getElementById("static-{name}").addEventListener("keydown", (event) => event.stopPropagation())
</script>"""


def copy_scripts(folder: Path) -> None:
    """Copy the scripts of the installed bokeh into a folder.

    Parameters
    ----------
    folder : Path
    """
    found = find_spec("bokeh")
    if found is None or found.origin is None:
        raise ImportError("the explorers of the site need bokeh, which is not installed: pip install 'gating-theory[explore]'")
    source = Path(found.origin).parent / "server" / "static" / "js"
    folder.mkdir(parents=True, exist_ok=True)
    for name in SCRIPTS:
        shutil.copyfile(source / name, folder / name)


def spectrum_page(data: Path, scripts: str) -> str:
    """HTML: the GRU's spectrum and its timescales over gains and a bias.

    Parameters
    ----------
    data : Path, the folder with the files of ``static_data``
    scripts : str, where a page finds the folder of ``copy_scripts``
    """
    from bokeh.models import ColumnDataSource, CustomJS

    kept = np.load(data / "spectra.npz")
    titles = "gain of the candidate, a_h", "gain of the reset gate, a_r", "bias of the update gate, b_z"
    sliders = _sliders(SPECTRA, titles, (3.0, 2.0, 1.0))
    plane, boundary = _complex_plane()
    survival, curve = _survival()
    text, code = _text(), _text()
    arguments = {
        "sliders": sliders, "names": [boundary], "unit": BOUNDARY_UNIT, **_curves(kept, len(SPECTRA.points())),
        "slow": ColumnDataSource({"share": kept["slow"].ravel()}), "numbers": ColumnDataSource({"value": kept["numbers"].ravel()}),
        "taus": TAUS.tolist(), "ten": int(np.argmin(abs(TAUS - 10.0))), "hundred": int(np.argmin(abs(TAUS - 100.0))),
        "survival": curve, "text": text, "code": code, "gain_z": GAIN_Z,
    }  # fmt: skip
    _follow(sliders, CustomJS(args=arguments, code=_CHOOSE + _SPECTRUM))
    return _html("spectrum", sliders, [text, plane, survival], code, scripts)


def flow_page(data: Path, scripts: str) -> str:
    """HTML: the portrait of two units over size and angle of a rotation.

    Parameters
    ----------
    data, scripts : as for :func:`spectrum_page`
    """
    from bokeh.models import ColumnDataSource, CustomJS

    kept = np.load(data / "flows.npz")
    sliders = _sliders(FLOW, ("size g", "angle, degrees"), (3.0, 45.0))
    picture = FlowPicture(None)
    text, code = _text(), _text()
    row, kind = kept["points"][:, :2].T.astype(np.int32)
    row_of, period, multiplier, stable = kept["cycles"].T
    arguments = {
        "sliders": sliders, "names": [picture.curves[name] for name in CURVES], "unit": float(UNIT),
        **_curves(kept, len(FLOW.points())), "marks": [picture.marks[name] for name in KINDS],
        "states": ColumnDataSource({"row": row, "kind": kind, "x": kept["points"][:, 2], "y": kept["points"][:, 3]}),
        "cycles": ColumnDataSource({"row": row_of.astype(np.int32), "period": period, "multiplier": multiplier, "stable": stable}),
        "topology": ColumnDataSource({"words": kept["topology"].tolist()}), "text": text, "code": code,
    }  # fmt: skip
    _follow(sliders, CustomJS(args=arguments, code=_CHOOSE + _FLOW))
    note = f'<div class="wide legend">{FlowPicture.LEGEND}</div>'
    return _html("flow", [*sliders, text], [picture.figure], code, scripts, note)


# --- parts


def _complex_plane():
    """A picture with the unit circle, and the source of its boundary."""
    from bokeh.models import ColumnDataSource

    axes = {"x_range": (-1.05, 1.75), "y_range": (-1.4, 1.4), "x_axis_label": "Re λ", "y_axis_label": "Im λ"}
    plane = _picture(_TITLES[0], axes)
    angle = np.linspace(0.0, 2.0 * np.pi, 181)
    plane.line(np.cos(angle), np.sin(angle), line_dash="dashed", line_color="#888888")
    boundary = ColumnDataSource({"xs": [], "ys": []})
    plane.multi_line("xs", "ys", source=boundary, line_color=BLUE, line_width=2.5)
    return plane, boundary


def _survival():
    """A picture of shares of modes over timescales, and the source of its curve."""
    from bokeh.models import ColumnDataSource

    axes = {"x_axis_type": "log", "x_range": (1.0, 1000.0), "x_axis_label": "steps", "y_range": (-0.02, 1.02)}
    survival = _picture(_TITLES[1], axes)
    curve = ColumnDataSource({"x": [], "y": []})
    survival.line("x", "y", source=curve, line_color=ORANGE, line_width=2.5)
    return survival, curve


def _picture(title, axes):
    from bokeh.plotting import figure

    return figure(title=title, tools="", toolbar_location=None, aspect_ratio=1.0, **axes, **_WIDE)


def _sliders(grid, titles, values):
    from bokeh.models import Slider

    return [
        Slider(title=title, start=v[0], end=v[-1], step=v[1] - v[0], value=value, name=name, format="0.[00]", **_WIDE)
        for title, v, value, name in zip(titles, grid.values, values, grid.names)
    ]


def _text():
    from bokeh.models import Div

    return Div(stylesheets=[_TEXT], **_WIDE)


def _curves(kept, n_rows):
    """Sources of the curves of a file: sorted by row, where each row's begin."""
    from bokeh.models import ColumnDataSource

    row, name, length = kept["curves"].T
    begin = np.concatenate([[0], np.cumsum(length)[:-1]])
    order = np.argsort(row, kind="stable")
    first = np.searchsorted(row[order], np.arange(n_rows + 1))
    columns = {"name": name[order], "begin": begin[order], "length": length[order]}
    # columns of a source have one length
    size = max(len(first), len(order))
    padded = {key: np.pad(np.asarray(v, dtype=np.int32), (0, size - len(v))) for key, v in {"first": first, **columns}.items()}
    return {"curves": ColumnDataSource(padded), "values": ColumnDataSource({"xy": kept["values"].ravel()})}


def _follow(sliders, script):
    for slider in sliders:
        slider.js_on_change("value", script)


def _html(name, controls, others, code, scripts, note=""):
    """Parts of one document in a grid, with the scripts that they need; the code stands last, as wide as all."""
    from bokeh.document import Document
    from bokeh.embed import components
    from bokeh.events import DocumentReady
    from bokeh.layouts import column

    document = Document()
    roots = [column(*controls, **_WIDE), *others, code]
    for root in roots:
        document.add_root(root)
    # what a slider does when it moves is done once when the page is there
    document.js_on_event(DocumentReady, controls[0].js_property_callbacks["change:value"][0])
    script, places = components(tuple(roots))
    cells = "".join(f"<div>{place}</div>" for place in places[:-1])
    sources = "".join(f'<script src="{scripts}/{file}"></script>' for file in SCRIPTS)
    whole = f'<div class="static-explorer" id="static-{name}">{cells}{note}<div class="wide">{places[-1]}</div></div>'
    return f"{_STYLE}\n{sources}\n{whole}\n{_KEYS.format(name=name)}\n{script}\n"
