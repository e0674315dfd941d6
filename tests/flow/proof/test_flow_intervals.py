"""Interval arithmetic in all grades: against mpmath, at infinite ends."""

import math

import mpmath
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from gating_theory.flow.proof.intervals import enclosing_floats, kernels

_FINITE = st.floats(-60, 60) | st.sampled_from([0.0, -0.0, 1.0, -1.0, 1e-300, 700.0, -745.0, 1e-9])
_FUNCTIONS = {
    "tanh": mpmath.tanh,
    "sigma": lambda x: 1 / (1 + mpmath.exp(-x)),
    "dsigma": lambda x: mpmath.exp(-x) / (1 + mpmath.exp(-x)) ** 2,
    "sech2": lambda x: 1 / mpmath.cosh(x) ** 2,
    "exp": mpmath.exp,
}


@pytest.mark.parametrize("grade", ["validated", "arb", "iv"])
@settings(max_examples=40)
@given(a=st.tuples(_FINITE, _FINITE, st.floats(0, 1)), b=st.tuples(_FINITE, _FINITE, st.floats(0, 1)))
def test_operations_enclose(grade, a, b):
    k = kernels(grade)
    (al, ah, ta), (bl, bh, tb) = (*sorted(a[:2]), a[2]), (*sorted(b[:2]), b[2])
    with mpmath.workdps(60):
        x, y = (mpmath.mpf(l) + (mpmath.mpf(h) - mpmath.mpf(l)) * t for l, h, t in ((al, ah, ta), (bl, bh, tb)))

        def contains(pair, exact):
            rounding = abs(exact) * mpmath.mpf(10) ** -55  # of the exact value itself, which has 60 digits
            assert pair[0] <= exact + rounding and exact - rounding <= pair[1], (pair, exact)

        contains(k.add(al, ah, bl, bh), x + y)
        contains(k.subtract(al, ah, bl, bh), x - y)
        contains(k.multiply(al, ah, bl, bh), x * y)
        contains(k.scale(bl, al, ah), mpmath.mpf(bl) * x)
        contains(k.shift(bl, al, ah), mpmath.mpf(bl) + x)
        for n in (1, 2, 3, 4):
            contains(k.power(al, ah, n), x**n)
        if x != 0:
            contains(k.reciprocal(al, ah), 1 / x)
        contains(k.ramp(al, ah), max(x, 0))
        contains(k.step(al, ah), 1 if x > 0 else 0)
        for name, exact in _FUNCTIONS.items():
            pair = getattr(k, name)(al, ah)
            contains(pair, exact(x))
            # and no wider than the range by more than rounding; ends may lie on either side of zero
            points = [exact(mpmath.mpf(v)) for v in (al, ah, min(max(0.0, al), ah))]
            size = max(abs(p) for p in points)
            assert pair[1] - pair[0] <= (max(points) - min(points)) * (1 + 1e-14) + 6e-15 * size + 1e-140, (name, pair)


def test_constants_are_enclosed():
    low, high = enclosing_floats(sympy.Rational(1, 3))
    assert low < high and sympy.Rational(low) < sympy.Rational(1, 3) < sympy.Rational(high)
    assert enclosing_floats(sympy.Rational(1, 4)) == (0.25, 0.25)


def test_infinite_ends():
    for grade in ("arb", "iv", "validated"):
        k = kernels(grade)
        assert k.tanh(-math.inf, math.inf)[0] <= -1.0 and k.tanh(-math.inf, math.inf)[1] >= 1.0
        assert k.multiply(0.0, 1.0, -math.inf, math.inf) == (-math.inf, math.inf)
        assert k.scale(0.0, -math.inf, math.inf) == (0.0, 0.0)
        low, high = k.exp(0.0, 1e4)
        assert low <= 1.0 and high == math.inf
        assert math.isfinite(k.exp(1e4, 1e5)[0])
