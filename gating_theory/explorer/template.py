"""What all pages share: the frame, plain HTML and one style sheet around the parts that the server fills, and its manners."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["REST", "copy_button", "frame"]

#: Milliseconds without a change after which sliders rest, and what takes longer begins.
REST = 350

#: The pages, in the order of the links at the top: (address, words).
_PAGES = (("/", "Large networks"), ("/flow", "Two units"))

_STYLE = """
:root { color-scheme: light; --ink: #1b2730; --soft: #5b6b77; --line: #d9e0e5; --blue: #0072B2; --paper: #fff; --ground: #f4f6f8 }
* { box-sizing: border-box }
body { margin: 0; font: 15px/1.45 system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif; color: var(--ink);
  background: var(--ground) }
header { display: flex; flex-wrap: wrap; gap: .25rem 1.5rem; align-items: baseline; padding: .6rem 1rem;
  background: var(--paper); border-bottom: 1px solid var(--line) }
header h1 { font-size: 1.05rem; margin: 0; font-weight: 650 }
header nav a { color: var(--soft); text-decoration: none; margin-right: 1rem; padding-bottom: .2rem }
header nav a[aria-current] { color: var(--ink); border-bottom: 2px solid var(--blue) }
header nav a:focus-visible, summary:focus-visible { outline: 2px solid var(--blue); outline-offset: 2px }
main { display: grid; grid-template-columns: minmax(0, 19rem) minmax(0, 1fr); gap: .8rem; padding: .8rem; max-width: 1500px;
  margin: 0 auto }
main > .pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 24rem), 1fr)); gap: .8rem;
  align-content: start; min-width: 0 }
main > .controls { display: grid; gap: .8rem; align-content: start; min-width: 0 }
.panel { background: var(--paper); border: 1px solid var(--line); border-radius: 6px; padding: .6rem .8rem; min-width: 0 }
.panel.wide { grid-column: 1 / -1 }
.panel h2, .panel summary { font-size: .95rem; font-weight: 620; margin: 0 0 .35rem }
.panel summary { cursor: pointer }
.panel details + details { border-top: 1px solid var(--line); padding-top: .45rem; margin-top: .45rem }
.panel p.note { color: var(--soft); font-size: .85rem; margin: .2rem 0 0 }
@media (min-width: 821px) { main > .controls { position: sticky; top: .8rem; max-height: calc(100vh - 1.6rem); overflow-y: auto } }
@media (max-width: 820px) { main { grid-template-columns: minmax(0, 1fr); padding: .5rem; gap: .5rem } .panel { padding: .5rem }
  main:has(.first) > * { display: contents !important } .panel.first { order: -1 } }
@media (max-width: 820px) and (min-height: 700px) { .panel.stays { position: sticky; top: 0; z-index: 1 }
  .panel.stays .note { display: none } }
"""

_COPY = """
const text = TEXT
const done = () => { button.label = "copied"; setTimeout(() => { button.label = label }, 1500) }
const old = () => { const area = document.createElement("textarea"); area.value = text; document.body.append(area)
  area.select(); document.execCommand("copy"); area.remove(); done() }
navigator.clipboard ? navigator.clipboard.writeText(text).then(done, old) : old()
"""

_FRAME = """{{% from macros import embed %}}
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{{{ title }}}}</title>
<link rel="icon" href="data:,">
{{{{ bokeh_css }}}}
{{{{ bokeh_js }}}}
<style>{style}</style>
</head>
<body>
<header><h1>gating_theory explorer</h1><nav>{links}</nav></header>
<main>
<div class="controls">{controls}</div>
<div class="pictures">{pictures}</div>
</main>
{{{{ plot_script | indent(4) }}}}
</body>
</html>
"""


def copy_button(code: Any, text: str, label: str, width: int) -> Any:
    """A button of bokeh that copies the Python of a page.

    Parameters
    ----------
    code : model of bokeh that holds it
    text : str, JavaScript: where in ``code`` it stands
    label : str
    width : int, pixels
    """
    from bokeh.models import Button, CustomJS

    button = Button(name="copy", label=label, width=width)
    known = {"code": code, "button": button, "label": label}
    button.js_on_event("button_click", CustomJS(args=known, code=_COPY.replace("TEXT", text)))
    return button


def frame(address: str, controls: Sequence[Mapping[str, str]], pictures: Sequence[Mapping[str, str]]) -> Any:
    """A page's HTML, as a template of the server for ``document.template``.

    Parameters
    ----------
    address : str, of the page: "/" or "/flow"
    controls, pictures : sequence of mappings
        Panels of the column of controls and of the grid of pictures. "roots" names the roots of the document in the panel, joined
        by blanks; optional: "title"; "class", more classes ("wide": all columns; "first": above the controls on a narrow screen;
        "stays": it stays in sight there); "fold", "open" or "closed", for a panel that folds; "note", HTML below.
    """
    links = "".join(_link(to, words, to == address) for to, words in _PAGES)
    text = _FRAME.format(style=_STYLE, links=links, controls=_panels(controls), pictures=_panels(pictures))
    from bokeh.core.templates import get_env

    return get_env().from_string(text)


def _link(address, words, here):
    return f'<a href="{address}"{" aria-current=page" if here else ""}>{words}</a>'


def _panels(panels):
    return "\n".join(_panel(panel) for panel in panels)


def _panel(panel):
    roots = "".join(f"{{{{ embed(roots.{name}) }}}}" for name in panel["roots"].split())
    note = f'<p class="note">{panel["note"]}</p>' if panel.get("note") else ""
    title, fold = panel.get("title", ""), panel.get("fold")
    if fold:
        inside = f"<details{' open' if fold == 'open' else ''}><summary>{title}</summary>{roots}{note}</details>"
    else:
        inside = (f"<h2>{title}</h2>" if title else "") + roots + note
    return f'<section class="panel {panel.get("class", "")}">{inside}</section>'
