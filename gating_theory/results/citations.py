"""What to cite: BibTeX of the software and of the papers that a session, a function or a result stands on.

One file, ``references.bib``, holds all entries. Their keywords are labels, of equations ([T1] to [T12]) and of papers, and public
names; an object stands on the entries that name it or a label of its docstring.
"""

from __future__ import annotations

import inspect
import re
import sys
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from ..support.checks import shown
from ..version import __version__
from .display import brief
from .encoding import dict_of, is_cell, is_result, require, result

__all__ = ["Citations", "cite"]

_FACE = __name__.partition(".")[0]
#: The software itself, which is always cited.
_SOFTWARE = "gating_theory"
#: An entry of our own file: its type, its key, its lines up to the brace that ends it.
_ENTRY = re.compile(r"^@\w+\{(\w+),\n(.*?)\n\}$", flags=re.M | re.S)
_KEYWORDS = re.compile(r",\n  keywords = \{(.*?)\}", flags=re.S)
#: Labels of equations and papers in docstrings: [T8b], [JSP].
_LABEL = re.compile(r"\[([A-Z]+\d*b?)\]")


@result("citations")
@dataclass(frozen=True)
class Citations:
    """BibTeX entries, of the software first; made by :func:`cite`. It prints as the text of a .bib file.

    Attributes
    ----------
    entries : dict
        {key: BibTeX of the entry}

    Examples
    --------
    >>> import gating_theory as gt
    >>> gt.cite(gt.chrono)
    Citations(gating_theory, CKS, TO)
    >>> print(gt.cite(gt.chrono).entries["TO"].splitlines()[2])
      title = {Can recurrent neural networks warp time?},
    """

    entries: dict[str, str]

    as_dict = dict_of

    def check(self) -> None:
        """ValueError where an entry is not that of its key."""
        require(all(f"{{{key}," in entry for key, entry in self.entries.items()), "entries have other keys")

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of the entries, as in ``\\\\cite{CKS}``."""
        return tuple(self.entries)

    def __repr__(self) -> str:
        return brief("Citations", ", ".join(self.keys))

    def __str__(self) -> str:
        return "\n\n".join(self.entries.values())


def cite(*objects: Any) -> Citations:
    """BibTeX of this software and of the papers behind what was used.

    Parameters
    ----------
    objects : functions, classes, cells, modules or results of this package
        Without any: all public names that this session has asked for, as in ``gt.fixed_points``.

    Returns
    -------
    Citations
        Print it to read it, or write ``str`` of it into a .bib file.

    Raises
    ------
    TypeError
        something that is not of this package

    Notes
    -----
    ``from gating_theory import *`` asks for every name, so that everything is cited. What a result stands on is that of its class;
    a phase diagram, an ``xarray.Dataset``, stands on the theory of fixed points and spectra.

    Examples
    --------
    >>> import gating_theory as gt
    >>> growth = gt.gradient_growth(gt.fixed_points(gt.Ensemble(gt.GRU))[-1], 10)
    >>> gt.cite(growth)
    Citations(gating_theory, GCGWCHP, CPS, PSG)
    >>> print(gt.cite(gt.flow.GRUFlow).entries["JSP"].splitlines()[2])
      title = {Gated recurrent units viewed through the lens of continuous time dynamical systems},
    """
    wanted = set().union(*map(_keywords, objects if objects else _asked()))
    found = {key: text for key, (text, keywords) in _entries().items() if key == _SOFTWARE or wanted & keywords}
    return Citations(found)


@cache
def _entries() -> dict[str, tuple[str, frozenset[str]]]:
    """{key: (BibTeX without its keywords, keywords)}, in the order of the file."""
    text = Path(__file__).parents[1].joinpath("references.bib").read_text(encoding="utf-8").replace("VERSION", __version__)
    found = {}
    for entry in _ENTRY.finditer(text):
        keywords = _KEYWORDS.search(entry[0])
        found[entry[1]] = _KEYWORDS.sub("", entry[0]), frozenset(keywords[1].replace(",", " ").split() if keywords else ())
    return found


def _asked() -> list[Any]:
    """What this session has asked the package's face for, and the face of flows, which knows its names by itself."""
    face: Any = import_module(_FACE)
    flows: Any = sys.modules.get(f"{_FACE}.flow")
    own = [] if flows is None else [value for name, value in vars(flows).items() if name in flows.__all__]
    return [value for name in face.__asked__ if _ours(value := getattr(face, name)) and value is not cite] + own


def _keywords(item: Any) -> set[str]:
    """Names of an object, labels of its docstring and of that of its chapter."""
    if hasattr(item, "data_vars"):  # an xarray.Dataset of phase_diagram
        return {"phase_diagram"}
    if not _ours(item):
        raise TypeError(f"objects must be functions, classes or results of {_FACE}, got {shown(item)}")
    kind = item if isinstance(item, ModuleType) or inspect.isroutine(item) or isinstance(item, type) else type(item)
    chapter = sys.modules.get(".".join(_module(kind).split(".")[:2]))
    docs = " ".join(filter(None, (str(kind.__doc__ or ""), chapter.__doc__ if chapter is not None and chapter is not kind else "")))
    names = {getattr(kind, "__name__", ""), item.name if is_cell(item) else ""}
    return names | set(_LABEL.findall(docs))


def _module(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, ModuleType) else str(getattr(kind, "__module__", "") or "")


def _ours(item: Any) -> bool:
    cls = item if isinstance(item, type) else type(item)
    kinds = [item] if isinstance(item, ModuleType) or inspect.isroutine(item) else cls.__mro__
    return is_result(item) or any(f"{_module(kind)}.".startswith(f"{_FACE}.") for kind in kinds)
