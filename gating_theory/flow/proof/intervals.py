"""Interval arithmetic on pairs of floats (low, high), in two grades: compiled and fast, or rigorous.

"validated": compiled by numba, or read by Python as long as little is asked for. Results are widened outwards by more than their
rounding errors. Sums and products are rounded to nearest by IEEE 754, so a relative 2.3e-16 covers them; what is made of one exp
or tanh is taken to be good to 1.2e-15, five units in the last place (the usual mathematical libraries stay below two for each). A
proof up to that assumption.

"certified": sums and products moved to the next float outwards, functions by ball arithmetic (python-flint's arb) or, without
it, mpmath's interval arithmetic: a proof.
"""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sympy as sp

__all__ = ["kernels", "certified_backend", "enclosing_floats"]


def certified_backend() -> str:
    """The library behind grade "certified": "arb" where python-flint is installed, else "iv" (mpmath)."""
    from importlib.util import find_spec

    return "arb" if find_spec("flint") is not None else "iv"


def enclosing_floats(number: sp.Expr) -> tuple[float, float]:
    """(low, high): the floats next to an exact sympy number, equal where it is a float itself."""
    from sympy import Rational

    value = float(number)
    if number.is_Float or Rational(value) == number:
        return value, value
    return math.nextafter(value, -math.inf), math.nextafter(value, math.inf)


@lru_cache(maxsize=4)
def kernels(grade: str) -> ModuleType:
    """The kernels in the arithmetic of one grade: "validated" (numba), "interpreted" (the same in Python), "arb", "iv" (rigorous).

    Returns
    -------
    namespace of ``interval_kernels.py``: operations on pairs such as ``add(al, ah, bl, bh)`` -> (low, high), ``search``,
    ``classify``, ``sweep``
    """
    if grade == "validated":
        from . import interval_kernels as module

        return module
    path = Path(__file__).with_name("interval_kernels.py")
    module = ModuleType(f"{__package__}.kernels_{grade}")
    as_it_stands = {"jit": lambda f: f}
    if grade == "interpreted":
        vars(module)["JIT"] = as_it_stands["jit"]
    else:
        vars(module)["RIGOROUS"] = {**as_it_stands, **_rigorous_primitives(grade)}
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), vars(module))
    return module


def _rigorous_primitives(backend):
    def down(a):
        return math.nextafter(a, -math.inf)

    def up(a):
        return math.nextafter(a, math.inf)

    functions = _arb_functions() if backend == "arb" else _iv_functions()

    def endpoints(function, limits):
        def low(a):
            if math.isinf(a):
                return limits[0] if a < 0 else limits[1]
            return function(a)[0]

        def high(a):
            if math.isinf(a):
                return limits[0] if a < 0 else limits[1]
            return function(a)[1]

        return low, high

    limits = {"sigma": (0.0, 1.0), "dsigma": (0.0, 0.0), "sech2": (0.0, 0.0), "tanh": (-1.0, 1.0), "exp": (0.0, math.inf)}
    table = {"down": down, "up": up}
    for name, f in functions.items():
        table[f"{name}_low"], table[f"{name}_high"] = endpoints(f, limits[name])
    return table


def _arb_functions():
    from flint import arb

    def floats(ball):
        # lower() and upper() are exact bounds at working precision; the float nearest to one may lie on its wrong side
        return math.nextafter(float(ball.lower()), -math.inf), math.nextafter(float(ball.upper()), math.inf)

    def sigma(a):
        return floats(1 / (1 + (-arb(a)).exp()))

    def dsigma(a):
        e = (-abs(arb(a))).exp()
        return floats(e / ((1 + e) * (1 + e)))

    def sech2(a):
        e = (-2 * abs(arb(a))).exp()
        return floats(4 * e / ((1 + e) * (1 + e)))

    def tanh(a):
        return floats(arb(a).tanh())

    def exp(a):
        return floats(arb(a).exp())

    return {f.__name__: f for f in (sigma, dsigma, sech2, tanh, exp)}


def _iv_functions():
    from mpmath import MPIntervalContext

    iv = MPIntervalContext()  # not mpmath.iv: precision is a global of a context
    iv.prec = 160

    def floats(interval):
        return math.nextafter(float(interval.a), -math.inf), math.nextafter(float(interval.b), math.inf)

    def sigma(a):
        return floats(1 / (1 + iv.exp(-iv.mpf(a))))

    def dsigma(a):
        e = iv.exp(-iv.mpf(abs(a)))
        return floats(e / ((1 + e) * (1 + e)))

    def sech2(a):
        e = iv.exp(-2 * iv.mpf(abs(a)))
        return floats(4 * e / ((1 + e) * (1 + e)))

    def tanh(a):
        if abs(a) < 1e-20:  # x - x^3/3 < tanh x < x for x > 0: next to x, where 1 - e has lost its digits
            low, high = sorted((a, math.nextafter(a, 0.0)))
            return low, high
        e = iv.exp(-2 * iv.mpf(abs(a)))
        value = (1 - e) / (1 + e)
        return floats(value if a >= 0 else -value)

    def exp(a):
        return floats(iv.exp(iv.mpf(a)))

    return {f.__name__: f for f in (sigma, dsigma, sech2, tanh, exp)}
