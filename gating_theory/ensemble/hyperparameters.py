"""The hyperparameters of an ensemble: one table of their kinds, with limits, symbols, words and where to search.

A hyperparameter has a *path*, its kind and the name of a field or site parameter: "gain.h", "bias_std.r", "parameter.p_f". A kind
alone, "gain", stands for all fields, and hyperparameters that are tied are joined: "gain.z=2*gain.r" (see ``paths.py``).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

__all__ = [
    "KINDS",
    "LARGEST",
    "Kind",
    "is_of_hyperparameters",
    "kind_of",
    "parts",
    "python_names",
    "search_span",
    "signed",
    "symbol",
    "tied",
    "words",
]

#: Moments and quadrature grids overflow far beyond this; networks are in their binary-gate limit long before.
LARGEST = 1e6


@dataclass(frozen=True)
class Kind:
    """One kind of hyperparameter.

    Attributes
    ----------
    name : str, the first part of a path, and the name of the Ensemble's argument
    of_sites : bool, whether it belongs to a site parameter and not to a field
    default : float
    signed : bool, whether it may be negative
    symbol : str, TeX with {0} for the field's name, or for the site parameter's symbol
    words : str, with {0} for the name
    symbol_of_all : str, TeX for the common value of all fields or site parameters
    words_of_all : str, the same in words
    span : (low, high), where critical values are looked for when nobody says
    instead : str, what to take instead of an infinite value, or empty
    """

    name: str
    of_sites: bool
    default: float
    signed: bool
    symbol: str
    words: str
    symbol_of_all: str
    words_of_all: str
    span: tuple[float, float]
    instead: str = ""


_POSITIVE, _EITHER = (0.0, 100.0), (-30.0, 30.0)
#: Gates between 0 and 1 are left in a fraction 1/gain of the units (measured on the GRU's update gate, NUMERICS.md).
_BINARY = "a binary gate is the limit of large gains with corrections of order 1/gain: 100 is off by about 1 %, 1000 by 0.1 %"

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("gain", False, 1.0, False, "a_{{{0}}}", "gain of field {0}", "a", "gain of all fields", _POSITIVE, _BINARY),
        Kind("bias", False, 0.0, True, "b_{{{0}}}", "mean bias of field {0}", "b", "mean bias of all fields", _EITHER),
        Kind(
            "bias_std",
            False,
            0.0,
            False,
            r"\beta_{{{0}}}",
            "spread of the bias of field {0}",
            r"\beta",
            "spread of all biases",
            _POSITIVE,
        ),
        Kind(
            "input_std",
            False,
            0.0,
            False,
            r"\sigma^{{in}}_{{{0}}}",
            "standard deviation of the input to field {0}",
            r"\sigma^{in}",
            "standard deviation of all inputs",
            _POSITIVE,
        ),
        Kind("parameter", True, 0.0, True, "{0}", "mean of site parameter {0}", "p", "mean of all site parameters", _EITHER),
        Kind(
            "parameter_std",
            True,
            0.0,
            False,
            r"\mathrm{{std}}\,{0}",
            "spread of site parameter {0}",
            r"\mathrm{std}\,p",
            "spread of all site parameters",
            _POSITIVE,
        ),
        Kind(
            "parameter_input_std",
            True,
            0.0,
            False,
            r"\sigma^{{in}}_{{{0}}}",
            "standard deviation of the input to site parameter {0}",
            r"\sigma^{in}_p",
            "standard deviation of the inputs to all site parameters",
            _POSITIVE,
        ),
    )
}


def kind_of(path: str) -> Kind:
    """The Kind of a path; KeyError for one of no kind."""
    return KINDS[path.partition(".")[0]]


def signed(path: str) -> bool:
    """Whether the hyperparameter of this path may be negative: biases and means of site parameters; not gains and spreads.

    Parameters
    ----------
    path : str, such as "bias.z"
    """
    return kind_of(path).signed


def search_span(path: str) -> tuple[float, float]:
    """(low, high) between which a critical value of the hyperparameter is looked for when nobody says.

    Parameters
    ----------
    path : str, such as "gain.h"
    """
    return kind_of(path).span


def parts(path: str) -> list[tuple[float, str]]:
    """A path taken apart at its signs of equality: "gain.z=-2*gain.r" is [(1.0, "gain.z"), (-2.0, "gain.r")].

    Parameters
    ----------
    path : str; whether there are such hyperparameters is not asked

    Raises
    ------
    ValueError
        a factor that is no number, or zero
    """
    found = []
    for text in path.split("="):
        factor, star, name = text.rpartition("*")
        minus = not star and name.strip().startswith("-")
        try:
            number = float(factor) if star else -1.0 if minus else 1.0
        except ValueError:
            raise ValueError(f"a factor is a number before a hyperparameter, as in 2*gain.r, got {text.strip()}") from None
        if not 0.0 < abs(number) < float("inf"):
            raise ValueError(f"factors must be finite and not zero, got {factor.strip()}")
        found.append((number, name.strip().removeprefix("-").strip() if minus else name.strip()))
    return found


def tied(argument: str, path: object, paths: Collection[str]) -> dict[str, float]:
    """{path of one hyperparameter: what it grows by while the value of ``path`` grows by 1}.

    Parameters
    ----------
    argument : str, what the caller calls the path
    path : str
        One hyperparameter, "gain.h"; a kind for all fields or site parameters, "gain"; a tie, "gain.z=2*gain.r", whose parts all
        have the value.
    paths : of the ensemble

    Raises
    ------
    ValueError
        no such hyperparameter, one that stands twice, factors that are no numbers or zero
    """
    if isinstance(path, str) and path in paths:
        return {path: 1.0}
    if not isinstance(path, str):
        raise _unknown(argument, path, paths)
    try:
        found = parts(path)
    except ValueError as error:
        raise ValueError(f"{argument}: {path[:60]!r} is no path: {error}") from None
    rates: dict[str, float] = {}
    for factor, name in found:
        each = [name] if name in paths else [p for p in paths if p.partition(".")[0] == name]
        if not each:
            raise _unknown(argument, name, paths)
        for one in each:
            if one in rates:
                raise ValueError(f"{argument}: {one} stands twice in {path!r}")
            rates[one] = 1.0 / factor
    return rates


def _unknown(argument, name, paths):
    from ..support.checks import meant, shown  # numpy comes with it, and the command line reads this table before it needs any

    kinds = dict.fromkeys(path.partition(".")[0] for path in paths)
    return ValueError(
        f"{argument}: no hyperparameter {shown(name)}{meant(name, [*paths, *kinds])}; allowed are {', '.join(paths)}, "
        f"for all fields alike {', '.join(kinds)}, and ties such as gain.a=gain.b or gain.a=2*gain.b"
    )


def is_of_hyperparameters(path: str) -> bool:
    """Whether the name of a path says which hyperparameters it sets; those of directions and functions do not.

    Parameters
    ----------
    path : str
    """
    try:
        return all(name.partition(".")[0] in KINDS for _, name in parts(path))
    except ValueError:
        return False


def symbol(path: str) -> str:
    """The symbol of a hyperparameter in the theory sheet: ``symbol("gain.h")`` is ``"$a_{h}$"``.

    Parameters
    ----------
    path : str, such as "gain.h", "bias.r", "bias_std.z", "input_std.h", "parameter.p_f", "gain", "gain.z=gain.r"

    Returns
    -------
    str, TeX as matplotlib understands it; other texts come back as they are
    """
    if not is_of_hyperparameters(path):
        return path
    return f"${' = '.join(_factor(number) + _bare_symbol(name) for number, name in parts(path))}$"


def _factor(number):
    """A factor as it is written before a symbol."""
    return "" if number == 1.0 else "-" if number == -1.0 else rf"{number:g}\,"


def _bare_symbol(path):
    kind, dot, name = path.partition(".")
    if not dot:
        return KINDS[kind].symbol_of_all
    return KINDS[kind].symbol.format(re.sub(r"_(.+)", r"_{\1}", name) if KINDS[kind].of_sites else name)


def python_names(texts: Iterable[str]) -> list[str]:
    """Texts as names of Python: "gain.h" becomes "gain_h", "r*h" "r_h". Those that would be equal are numbered.

    Parameters
    ----------
    texts : iterable of str
    """
    safe = [re.sub(r"\W+", "_", text).strip("_") for text in texts]
    return [name if safe.count(name) == 1 else f"{name}_{k}" for k, name in enumerate(safe)]


def words(path: str) -> str:
    """What the hyperparameter of a path is, such as "gain of field h"; of those that are tied, the tie itself.

    Parameters
    ----------
    path : str, such as "gain.h", "gain", "gain.z=gain.r"
    """
    if "=" in path or path.startswith("-") or "*" in path:
        return path.replace("=", " = ")
    kind = kind_of(path)
    _, dot, name = path.partition(".")
    return kind.words.format(name) if dot else kind.words_of_all
