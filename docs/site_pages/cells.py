"""The built-in cells: their equations, printed from the cells themselves, and the ten lines that define each."""

import ast
import re

from gating_theory.cell.symbolic import to_latex

from .faces import objects
from .places import ROOT

__all__ = ["write"]


def write(writer):
    cells = [one for one in objects() if one.is_cell]
    definitions = _definitions()
    for one in cells:
        writer.text(f"{one.dotted}.rst", _page(one, definitions[one.name]))
    writer.text("cells.rst", _together(cells))


def _definitions():
    """{name: the lines of definitions.py that say what the cell is}."""
    text = (ROOT / "gating_theory" / "cell" / "definitions.py").read_text(encoding="utf-8")
    nodes = [node for node in ast.parse(text).body if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)]
    return {node.targets[0].id: ast.get_source_segment(text, node) for node in nodes}


def _mathematics(one, derivatives):
    formulas = re.sub(r"log_\{\\tau (\w)\}", r"\\log \\tau_{\1}", to_latex(one.thing, derivatives))  # the symbol log_tau_z
    lines = formulas.splitlines()
    return [".. math::", "   :nowrap:", "", *(f"   {line}" for line in [r"\[", *lines, r"\]"]), ""]


def _indented(text):
    return [f"    {line}" for line in text.splitlines()]


def _page(one, definition):
    name, cell = one.name, one.thing
    names = ", ".join(f"``{field}``" for field in cell.field_names)
    return [
        *[":orphan:", "", name, "=" * len(name), ""],
        f":doc:`cell <chapter_cell>` / :doc:`cells` / ``{one.dotted}``",
        "",
        *[f".. py:data:: {one.dotted}", "   :type: Cell", ""],
        f"   A built-in :py:class:`~gating_theory.Cell`. Gains and biases are keyed by its fields: {names}.",
        "",
        *["Equations", "---------", "", "As the package has them, with the derivatives of one site [T2]:", ""],
        *_mathematics(one, True),
        *["Example", "-------", "", ".. code-block:: pycon", ""],
        *_indented(f">>> import gating_theory as gt\n>>> print(gt.{name})\n{cell}"),
        "",
        *["Source", "------", "", "From ``gating_theory/cell/definitions.py``, where the symbols are declared:", ""],
        *[".. code-block:: python", ""],
        *_indented(definition),
        "",
    ]


def _together(cells):
    lines = [
        *["Built-in cells", "==============", ""],
        "The equations are printed from the cells: these are the ones that are solved. A gate at 1 keeps the old state, as in",
        "PyTorch (MGU: at 0). :math:`U` are recurrent matrices, :math:`\\sigma` is the logistic function, a prime the next step.",
        "",
    ]
    for one in cells:
        lines += [one.name, "-" * len(one.name), "", f":py:obj:`{one.dotted}`", "", *_mathematics(one, False)]
    return lines
