"""Expressions as the text of a numpy function, subexpressions that they share computed once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sympy as sp
from sympy.printing.numpy import SciPyPrinter

__all__ = ["numpy_text"]


class _Printer(SciPyPrinter):
    """sympy's printer, with symbols under the names that it is given: theirs may be words of Python."""

    def __init__(self, names, functions):
        super().__init__(
            {
                "fully_qualified_modules": False,
                "inline": True,
                "allow_unknown_functions": True,
                "user_functions": {name: name for name in functions},
            }
        )
        self.names = names

    def _print_Symbol(self, symbol):
        return self.names.get(symbol, symbol.name)

    _print_Dummy = _print_Symbol


def numpy_text(
    arguments: Sequence[sp.Symbol], expressions: Sequence[sp.Expr], functions: Mapping[str, tuple[str, str]]
) -> tuple[str, dict[str, Any]]:
    """The text of a function ``f`` of the arguments that returns the list of the expressions' values, and the names that it uses.

    Parameters
    ----------
    arguments : sequence of Symbols
    expressions : sequence of expressions
    functions : {name: (module, name there)}
        Functions beside those of numpy and scipy.

    Returns
    -------
    (str, {name: (module, name there)}); functions that carry their own numerical form stand in place of (module, name)
    """
    names = {symbol: f"a{i}" for i, symbol in enumerate(arguments)}
    printer = _Printer(names, functions)
    shared, wanted = sp.cse(expressions, list=False)
    names.update({symbol: f"x{i}" for i, (symbol, _) in enumerate(shared)})
    lines = [f"def f({', '.join(names[symbol] for symbol in arguments)}):"]
    lines += [f"    {names[symbol]} = {printer.doprint(value)}" for symbol, value in shared]
    lines.append(f"    return [{', '.join(printer.doprint(value) for value in wanted)}]")
    used: dict[str, Any] = {name: (module, name) for module, several in printer.module_imports.items() for name in several}
    for expression in expressions:
        for call in expression.atoms(sp.Function):
            name = call.func.__name__
            if name in functions:
                used[name] = functions[name]
            elif hasattr(call, "_imp_"):  # sympy's implemented_function
                used[name] = call._imp_
    return "\n".join(lines), used
