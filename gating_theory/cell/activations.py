"""Functions that libraries put into gates and candidates, by their names: "hard_sigmoid", "relu", "elu 0.5".

A function is a text: its name, then numbers, such as the slope and the offset of a hard sigmoid. Numbers left out are the defaults
of this table; :func:`function_text` gives the one text that a function has.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from ..support.checks import choice, real, shown

if TYPE_CHECKING:
    import sympy as sp

__all__ = ["ACTIVATIONS", "Activation", "function_of", "function_text"]


class Activation(NamedTuple):
    """A function of one variable: the defaults of its numbers, and what it is in sympy, ``make(x, *numbers)``."""

    numbers: tuple[float | Fraction, ...]
    make: Callable[..., sp.Expr]


def _function(name):
    def make(x):
        import sympy as sp

        from . import symbolic

        return getattr(symbolic if name == "sigma" else sp, name)(x)

    return make


def _hard_sigmoid(x, slope, offset):
    from .symbolic import hard_sigma

    return hard_sigma(slope * x + offset)


def _silu(x):
    from .symbolic import sigma

    return x * sigma(x)


def _relu(x, negative=0):
    import sympy as sp

    return sp.Max(0, x) + negative * sp.Min(0, x)


def _thresholded_relu(x, threshold):
    import sympy as sp

    return x * sp.Heaviside(x - threshold)


def _clipped(x, low, high):
    import sympy as sp

    return sp.Min(high, sp.Max(low, x))


def _elu(x, size, scale=1):
    import sympy as sp

    return scale * (sp.Max(0, x) + size * (sp.exp(sp.Min(0, x)) - 1))


def _softplus(x):
    import sympy as sp

    return sp.Max(0, x) + sp.log(1 + sp.exp(-sp.Abs(x)))


def _softsign(x):
    import sympy as sp

    return x / (1 + sp.Abs(x))


def _scaled_tanh(x, size, slope):
    import sympy as sp

    return size * sp.tanh(slope * x)


_SIXTH, _HALF = Fraction(1, 6), Fraction(1, 2)
_SELU_SIZE, _SELU_SCALE = 1.6732632423543772, 1.0507009873554805

#: Functions by their names. "hard_sigmoid" is Keras 3's and PyTorch's, clip(x / 6 + 1/2, 0, 1); that of older Keras is
#: "hard_sigmoid 0.2", of ONNX (defaults) "hard_sigmoid 0.2 0.5": numbers are a slope and an offset.
ACTIVATIONS: dict[str, Activation] = {
    "sigmoid": Activation((), _function("sigma")),
    "hard_sigmoid": Activation((_SIXTH, _HALF), _hard_sigmoid),
    "tanh": Activation((), _function("tanh")),
    "scaled_tanh": Activation((1.0, 1.0), _scaled_tanh),
    "hard_tanh": Activation((), lambda x: _clipped(x, -1, 1)),
    "linear": Activation((), lambda x: x),
    "affine": Activation((1.0, 0.0), lambda x, slope, offset: slope * x + offset),
    "relu": Activation((), _relu),
    "relu6": Activation((), lambda x: _clipped(x, 0, 6)),
    "leaky_relu": Activation((0.01,), _relu),
    "thresholded_relu": Activation((1.0,), _thresholded_relu),
    "elu": Activation((1.0,), _elu),
    "selu": Activation((), lambda x: _elu(x, _SELU_SIZE, _SELU_SCALE)),
    "silu": Activation((), _silu),
    "softplus": Activation((), _softplus),
    "softsign": Activation((), _softsign),
    "exponential": Activation((), _function("exp")),
}


def function_text(text: str, argument: str = "text") -> str:
    """The one text of a function: numbers at their defaults are left out from the end.

    Parameters
    ----------
    text : str
        "hard_sigmoid", "hard_sigmoid 0.2", "leaky_relu 0.01"
    argument : str, what errors call it

    Raises
    ------
    TypeError, ValueError
        no such function, too many numbers, or what is no number
    """
    try:
        name, numbers = _parts(text)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{argument}: {error}") from None
    given = list(zip(numbers, ACTIVATIONS[name].numbers))
    while given and given[-1][0] == float(given[-1][1]):
        given.pop()
    return " ".join([name, *(f"{number!r}" for number, _ in given)])


def function_of(text: str) -> Callable[[sp.Expr], sp.Expr]:
    """The function in sympy, of an expression.

    Parameters
    ----------
    text : str, as for :func:`function_text`
    """
    import sympy as sp

    name, numbers = _parts(text)
    defaults = ACTIVATIONS[name].numbers
    # as it was written, 0.2 and not the float next to it: derivatives stay short
    exact = [sp.Rational(str(d)) if n == float(d) else sp.Rational(repr(n)) for n, d in zip(numbers, defaults)]
    return lambda x: ACTIVATIONS[name].make(x, *exact)


def _parts(text):
    """(name, all its numbers) of a text."""
    if not isinstance(text, str):
        raise TypeError(f"a function must be given by its name, got {shown(text)}")
    name, *words = text.split() or [""]
    choice("the name of a function", name, ACTIVATIONS)
    defaults = ACTIVATIONS[name].numbers
    try:
        numbers = [real(f"a number of {name}", float(word)) for word in words]
    except ValueError:
        raise ValueError(f"after the name of a function come numbers, got {shown(text)}") from None
    if len(numbers) > len(defaults):
        raise ValueError(f"{name} has {len(defaults)} numbers, got {shown(text)}")
    return name, [*numbers, *(float(d) for d in defaults[len(numbers) :])]
