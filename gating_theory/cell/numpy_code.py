"""Numpy functions of expressions, as text that can be kept: what makes them needs sympy, what calls them does not."""

from __future__ import annotations

import marshal
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import CapabilityError

if TYPE_CHECKING:
    import sympy as sp

__all__ = [
    "Code",
    "PolynomialMinors",
    "SparseBlocks",
    "compile_expressions",
    "complex_hard_sigma",
    "complex_sech2",
    "complex_sigma",
    "hard_sigma",
    "sech2",
    "sigma",
]


def sech2(x: np.ndarray) -> np.ndarray:
    """1/cosh(x)^2 without overflow."""
    e = np.exp(-2.0 * np.abs(x))
    return 4.0 * e / (1.0 + e) ** 2


def sigma(x: np.ndarray) -> np.ndarray:
    """1/(1 + exp(-x)), which may overflow to 0; three times as fast as scipy's expit, which is the same formula."""
    return 1.0 / (1.0 + np.exp(-x))


def complex_sigma(x: np.ndarray) -> np.ndarray:
    """1/(1 + exp(-x)) of complex numbers without overflow."""
    e = np.exp(np.where(x.real < 0, x, -x))
    return np.where(x.real < 0, e, 1.0) / (1.0 + e)


def complex_sech2(x: np.ndarray) -> np.ndarray:
    """1/cosh(x)^2 of complex numbers without overflow."""
    e = np.exp(-2.0 * np.where(x.real < 0, -x, x))
    return 4.0 * e / (1.0 + e) ** 2


def hard_sigma(x: np.ndarray) -> np.ndarray:
    """x between 0 and 1, which it stays below and above."""
    return np.clip(x, 0.0, 1.0)


def complex_hard_sigma(x: np.ndarray) -> np.ndarray:
    """The same of complex numbers, piece by piece of the real axis."""
    return np.where(x.real < 0.0, 0.0, np.where(x.real > 1.0, 1.0, x))


class Code:
    """A numpy function of arrays that returns a list, as the text of Python code; overflow in an intermediate goes to its limit.

    Parameters
    ----------
    text : str, the definition of a function ``f``
    names : {name that the text uses: (module, name there), or the object itself}
    """

    def __init__(self, text: str, names: dict[str, Any]) -> None:
        self.text, self.names = text, names

    @cached_property
    def _function(self):
        known = {}
        for name, at in self.names.items():
            known[name] = getattr(import_module(at[0]), at[1]) if isinstance(at, tuple) else at
        exec(self._compiled, known)
        return known["f"]

    @cached_property
    def _compiled(self):
        return compile(self.text, "<derived>", "exec")

    def __call__(self, *arrays: Any) -> list[Any]:
        """The values at these arguments."""
        with np.errstate(over="ignore", under="ignore"):
            return self._function(*arrays)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Code) and self.text == other.text and self.names == other.names

    def __hash__(self) -> int:
        return hash(self.text)

    def __getstate__(self):
        return self.text, self.names, marshal.dumps(self._compiled)

    def __setstate__(self, state):
        self.text, self.names, compiled = state
        self._compiled = marshal.loads(compiled)


_OWN = ("sigma", "hard_sigma", "sech2")
#: Where functions of cells are that numpy does not have: of real arguments, and of complex ones.
_REAL = {name: (__name__, name) for name in _OWN}
_COMPLEX = {name: (__name__, f"complex_{name}") for name in _OWN}


def _no_derivative(*arrays: Any) -> list[Any]:
    raise CapabilityError(
        "a function of the cell jumps (sign, Heaviside): it has no derivative there, which Jacobians, spectra and complexity need; "
        "a steep tanh has one"
    )


def compile_expressions(
    arguments: Iterable[sp.Symbol], expressions: Iterable[Any], analytic: bool = False
) -> Callable[..., list[Any]]:
    """A function of the arguments that returns the list of values; overflow in an intermediate goes to its limit.

    With ``analytic`` the arguments may be complex. Derivatives of jumps cannot be evaluated: CapabilityError when it is tried.
    """
    import sympy as sp

    from .numpy_text import numpy_text
    from .symbolic import stable_form

    stable = [stable_form(sp.sympify(e)) for e in expressions]
    if any(e.has(sp.DiracDelta) for e in stable):
        return _no_derivative
    return Code(*numpy_text(list(arguments), stable, _COMPLEX if analytic else _REAL))


class SparseBlocks:
    """Several symbolic matrices evaluated together; entries that are identically zero are never computed."""

    def __init__(self, arguments: Iterable[sp.Symbol], matrices: Mapping[str, Any]) -> None:
        self.shapes = {name: m.shape for name, m in matrices.items()}
        self.where, expressions = [], []
        for name, matrix in matrices.items():
            for i in range(matrix.shape[0]):
                for j in range(matrix.shape[1]):
                    if matrix[i, j] != 0:
                        self.where.append((name, i, j))
                        expressions.append(matrix[i, j])
        self._call = compile_expressions(arguments, expressions)

    def __call__(self, *arrays: Any) -> dict[str, dict[tuple[int, int], np.ndarray]]:
        """{name: {(i, j): array}} with only the entries that are not identically zero."""
        out: dict[str, dict[tuple[int, int], np.ndarray]] = {name: {} for name in self.shapes}
        for (name, i, j), value in zip(self.where, self._call(*arrays)):
            out[name][i, j] = value
        return out


class PolynomialMinors:
    """Compiled coefficients of the bordered minors."""

    def __init__(self, arguments: Iterable[sp.Symbol], minors: Mapping[Any, Any]) -> None:
        self.layout, expressions = [], []
        for key, coefficients in minors.items():
            for power, c in enumerate(coefficients):
                if c != 0:
                    self.layout.append((key, power))
                    expressions.append(c)
        self.degree = len(next(iter(minors.values()))) - 1
        self._call = compile_expressions(arguments, expressions)

    def __call__(self, *arrays: Any) -> dict[Any, np.ndarray]:
        shape = np.broadcast_shapes(*(np.shape(a) for a in arrays))
        out = {}
        for (key, power), value in zip(self.layout, self._call(*arrays)):
            if key not in out:
                out[key] = np.zeros((self.degree + 1, *shape))
            out[key][power] = value
        return out
