"""Executable derivations: each proves a published closed form symbolically, starting from the Cell object.

``python -m gating_theory.derivations`` prints all of them as Markdown with LaTeX and fails if a proof fails. Nothing here is
used by the package's calculators, which take everything from the Cell directly; the closed forms are typed in these files
only, to be held against what the Cell gives.
"""

from __future__ import annotations

__all__ = ["derive_all", "document", "names", "pages"]

#: What the names of statements begin with, in the order of the document, and what their pages are called.
_GROUPS = {
    "vanilla": "Vanilla network",
    "gru": "GRU",
    "flow": "GRU as a flow of few units",
    "gru_reset_after": "GRU with its reset gate after the product",
    "lstm": "LSTM",
    "kcs": "Gated flow with slow gates (KCS)",
    "kcs_fast": "Gated flow with fast gates (KCSFast)",
}


def _statements():
    # importing the modules enters their statements, in the order of the document
    from . import complexity, dmft, flow, gradients, gru, kcs, low_rank, lstm, resting, vanilla  # noqa: F401
    from .statement import STATEMENTS

    def order(item):
        # whatever was imported first: the modules of the cells before those of subjects
        group, module = item[0].partition(".")[0], item[1].build.__module__.rpartition(".")[2]
        return tuple(_GROUPS).index(group), module != group, module

    return dict(sorted(STATEMENTS.items(), key=order))


def names():
    """Names of all statements, such as ``gru.edge``, in the order of the document."""
    return tuple(_statements())


def derive_all(names=None):
    """Work statements out and prove them.

    Parameters
    ----------
    names : str or sequence of str, optional
        Names of statements (``"gru.edge"``) or of whole groups (``"gru"``). Default: all of them.

    Returns
    -------
    list of Result
        One per statement, in the order of the document, with ``name``, ``proved``, ``status``, ``failures``, ``derivation`` and
        ``seconds``. A proof that fails is a result with ``proved`` False, never an exception.

    Raises
    ------
    ValueError
        For a name that is neither a statement nor a group.
    """
    statements = _statements()
    if names is None:
        wanted = set(statements)
    else:
        wanted = set()
        for name in [names] if isinstance(names, str) else names:
            found = {key for key in statements if key == name or key.partition(".")[0] == name}
            if not found:
                groups = ", ".join(_GROUPS)
                raise ValueError(f"names has the unknown entry {name!r}; allowed are {list(statements)} and the groups {groups}")
            wanted |= found
    return [statement.prove() for key, statement in statements.items() if key in wanted]


def document(results):
    """The results as one Markdown document: prose, LaTeX equations and, last in each section, what was proved.

    Parameters
    ----------
    results : sequence of Result
        From ``derive_all``.

    Returns
    -------
    str
    """
    lines = ["# Derivations", "", _HEAD]
    cell = None
    for result in results:
        if result.cell != cell:
            cell = result.cell
            lines += ["", f"## {cell.name}", "", *_definition(cell)]
        labels = ", ".join(result.statement.labels)
        lines += ["", f"### {result.statement.title}", "", f"`{result.name}` [{labels}]", *_argument(result)]
    return "\n".join(lines) + "\n"


def pages(results):
    """The results as Markdown pages of the site, one for each cell, and one that lists them all.

    Parameters
    ----------
    results : sequence of Result
        From ``derive_all``.

    Returns
    -------
    dict of str to str
        Text by file name: ``gru.md`` and so on, and ``index.md``. A proof is the target ``proof-gru-edge`` of references.
    """
    by_group = {}
    for result in results:
        by_group.setdefault(result.name.partition(".")[0], []).append(result)
    texts = {f"{group}.md": _page(group, mine) for group, mine in by_group.items()}
    lines = ["# Proofs", "", f"{_HEAD} {_MADE}", "", "| statement | name | label |", "|---|---|---|"]
    for result in results:
        title = f"{{ref}}`{result.statement.title} <{_target(result)}>`"
        lines.append(f"| {title} | `{result.name}` | {_labels(result)} |")
    lines += ["", "```{toctree}", ":hidden:", "", *(name.removesuffix(".md") for name in texts), "```"]
    return {"index.md": "\n".join(lines) + "\n", **texts}


_HEAD = (
    "Every equation below is derived from the symbolic definition of a cell, printed at the head of its section, and "
    "proved: the difference between the closed form and what the cell gives is expanded and found to be identically zero."
)
_MADE = "These pages are made by `gating-theory derive --pages docs/theory/proofs`."


def _page(group, results):
    lines = [f"# {_GROUPS[group]}: proofs", "", f"{_HEAD} [All proofs](index.md).", "", *_definition(results[0].cell)]
    for result in results:
        lines += ["", f"({_target(result)})=", f"## {result.statement.title}", "", f"`{result.name}`: {_labels(result)}"]
        lines += _argument(result)
    return "\n".join(lines) + "\n"


def _target(result):
    return f"proof-{result.name.replace('.', '-').replace('_', '-')}"


def _labels(result):
    return ", ".join(f"{{term}}`{label}`" if label.startswith("T") else f"[{label}]" for label in result.statement.labels)


def _definition(cell):
    from gating_theory.cell.symbolic import to_latex

    return ["Definition and site derivatives:", "", "$$", to_latex(cell), "$$"]


def _argument(result):
    """The equation, the steps, and what was proved."""
    lines = []
    if result.derivation is not None:
        lines += ["", "$$", result.derivation.latex, "$$"]
        for step in result.derivation.steps:
            lines += ["", step.text]
            if step.latex is not None:
                lines += ["", "$$", step.latex, "$$"]
    return [*lines, "", f"**{result.heading}:** {result.detail}"]
