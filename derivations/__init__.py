"""Executable derivations: each proves a published closed form symbolically, starting from the Cell object.

``python -m gating_theory.derivations`` prints all of them as Markdown with LaTeX and fails if a proof fails. Nothing here is
used by the package's calculators, which take everything from the Cell directly; the closed forms are typed in these files
only, to be held against what the Cell gives.
"""

from __future__ import annotations

__all__ = ["derive_all", "document", "names"]

#: What the names of statements begin with, in the order of the document.
_GROUPS = ("vanilla", "gru", "flow", "gru_reset_after", "lstm", "kcs", "kcs_fast")


def _statements():
    # importing the modules enters their statements, in the order of the document
    from . import complexity, dmft, flow, gradients, gru, kcs, low_rank, lstm, resting, vanilla  # noqa: F401
    from .statement import STATEMENTS

    return dict(sorted(STATEMENTS.items(), key=lambda item: _GROUPS.index(item[0].partition(".")[0])))


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
    from gating_theory.cell.symbolic import to_latex

    lines = [
        "# Derivations",
        "",
        "Every equation below is derived from the symbolic definition of a cell, printed at the head of its section, and "
        "proved: the difference between the closed form and what the cell gives is expanded and found to be identically zero.",
    ]
    cell = None
    for result in results:
        if result.cell != cell:
            cell = result.cell
            lines += ["", f"## {cell.name}", "", "Definition and site derivatives:", "", "$$", to_latex(cell), "$$"]
        labels = ", ".join(result.statement.labels)
        lines += ["", f"### {result.statement.title}", "", f"`{result.name}` [{labels}]"]
        if result.derivation is not None:
            lines += ["", "$$", result.derivation.latex, "$$"]
            for step in result.derivation.steps:
                lines += ["", step.text]
                if step.latex is not None:
                    lines += ["", "$$", step.latex, "$$"]
        lines += ["", f"**{result.heading}:** {result.detail}"]
    return "\n".join(lines) + "\n"
