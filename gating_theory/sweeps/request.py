"""What a phase diagram was asked for: names of quantities, taken apart and checked."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from ..support.checks import shown, texts
from .quantities import CRITICAL, QUANTITIES, forms, is_built_in, names

if TYPE_CHECKING:
    from typing import Any

    from ..ensemble.ensemble import Ensemble
    from .quantity import CriticalQuantity, Quantity

__all__ = ["Request", "quantity_request", "requests"]


@dataclass(frozen=True)
class Request:
    """A quantity taken apart: "onset:gain.h" is the entry "onset" with the argument "gain.h".

    Attributes
    ----------
    name : str
    entry : Quantity or CriticalQuantity
    texts : tuple of str, what follows the colon, split at commas
    arguments : tuple, the same as its function takes it
    """

    name: str
    entry: Quantity | CriticalQuantity
    texts: tuple[str, ...] = ()
    arguments: tuple = ()

    @property
    def kind(self) -> str:
        """The name of the entry."""
        return self.name.partition(":")[0]

    @property
    def own(self) -> bool:
        """Whether it was registered from outside."""
        return not is_built_in(self.kind)

    def value(self, source: Any, options: Mapping[str, Any]) -> Any:
        """What the entry's function gives for a source (an Ensemble, a FixedPoint, ...)."""
        return self.entry.function(source, *self.arguments, **{name: options[name] for name in self.entry.options})

    def description(self) -> str | dict[str, Any]:
        """JSON-ready, for journals: the name, with all that identifies the function where it is not the package's."""
        if not self.own:
            return self.name
        # critical quantities cannot be registered
        of = cast("Quantity", self.entry).of
        return {"name": self.name, "of": of, "options": list(self.entry.options)} | _text(self.entry.function)


def _text(function):
    """What is known of a function in words: where it is defined and how."""
    if isinstance(function, partial):
        return {"partial": _text(function.func), "arguments": repr(function.args), "keywords": repr(function.keywords)}
    thing = function if hasattr(function, "__qualname__") else type(function)
    try:
        source = inspect.getsource(thing)
    except (OSError, TypeError):  # typed at a prompt, or compiled
        source = None
    return {"function": f"{thing.__module__}.{thing.__qualname__}", "source": source}


def requests(quantities: Any, ensemble: Ensemble) -> list[Request]:
    """The quantities asked for, each once.

    Parameters
    ----------
    quantities : str or sequence of str
    ensemble : Ensemble, whose paths critical values may name

    Raises
    ------
    TypeError, ValueError : no names, unknown ones, or none at all; naming what is allowed
    """
    allowed = [*names(), *forms()]
    if isinstance(quantities, str):
        quantities = (quantities,)
    asked = [_request(name, ensemble, allowed) for name in dict.fromkeys(texts("quantities", quantities, "names"))]
    if not asked:
        raise ValueError(f"quantities must name at least one quantity, got none; allowed are {allowed}")
    return asked


def _request(name, ensemble, allowed):
    kind, colon, rest = name.partition(":")
    if colon and kind in CRITICAL:
        return _critical_request(name, kind, tuple(path.strip() for path in rest.split(",")), ensemble, allowed)
    return quantity_request("quantities", name, ensemble, allowed)


def quantity_request(argument: str, name: str, ensemble: Ensemble, allowed: list[str] | None = None) -> Request:
    """One quantity that is no critical value.

    Parameters
    ----------
    argument : str, what messages call it
    name : str
    ensemble : Ensemble
    allowed : list of str, optional, what messages list; default those that are no critical values

    Raises
    ------
    ValueError : an unknown one, or not what it takes
    """
    kind, colon, rest = name.partition(":")
    entry = QUANTITIES.get(kind)
    if allowed is None:
        allowed = [name for name in (*names(), *forms()) if name.partition(":")[0] in QUANTITIES]
    if entry is None or bool(entry.form) != bool(colon):
        raise ValueError(f"{argument} has the unknown entry {shown(name)}; allowed are {allowed}")
    if not entry.form or entry.parse is None:
        return Request(name, entry)
    texts = tuple(rest.split(","))
    try:
        return Request(name, entry, texts, entry.parse(texts, ensemble.cell))
    except ValueError:
        raise ValueError(f"{argument}: {kind} takes {entry.takes}, got {shown(name)}; allowed are {allowed}") from None


def _critical_request(name, kind, paths, ensemble, allowed):
    entry = CRITICAL[kind]
    if len(paths) != len(entry.paths) or len(set(paths)) != len(paths):
        raise ValueError(f"quantities: {kind} takes {len(entry.paths)} distinct path(s), got {shown(name)}; allowed are {allowed}")
    for path in paths:
        if path not in ensemble.paths:
            raise ValueError(f"quantities: {shown(name)} has the unknown path {shown(path)}; allowed are {list(ensemble.paths)}")
    return Request(f"{kind}:{','.join(paths)}", entry, paths, paths)
