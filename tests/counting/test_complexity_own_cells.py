"""The complexity of cells that nobody here wrote, against an independent one-dimensional saddle [T7]."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize_scalar

import gating_theory as gt
from gating_theory.counting import saddles
from gating_theory.counting.newton import Newton
from gating_theory.counting.ridge import Ridge

h, y = sp.symbols("h y_h", real=True)
BUMP, WAVE, PULSE = sp.exp(-(y**2)), sp.sin(sp.pi * y), y * sp.exp(-(y**2))


def own(expression):
    return gt.Cell(name="own", state=[h], fields=[y], messages=[h], update=[expression])


def ensemble(expression, gain, bias=0.0, spread=0.0):
    return gt.Ensemble(own(expression), gain=gain, bias=bias, bias_std=spread)


def rate_at(q, f, slope, gain, bias, spread):
    """inf over mu, sup over s of -s/2 - mu q + log E exp(mu f^2) sqrt(1 + a^2 s f'^2), y ~ N(b, a^2 q + beta^2), by plain sums.

    Convex in mu and concave in s, so that the two searches cannot miss.
    """
    u = np.linspace(-9.0, 9.0, 4001)
    weight = np.exp(-0.5 * u**2)
    weight /= weight.sum()
    nodes = bias + np.sqrt(gain**2 * q + spread**2) * u
    square, bend = f(nodes) ** 2, gain**2 * slope(nodes) ** 2
    if not square.min() < q < square.max():
        return -np.inf

    def highest(mu):
        exponent = mu * square
        law = weight * np.exp(exponent - exponent.max())

        def derivative(s):
            root = np.sqrt(1.0 + s * bend)
            return law @ (bend / root) / (law @ root) - 1.0

        s = brentq(derivative, 0.0, 1.0, xtol=1e-13) if derivative(0.0) > 0.0 else 0.0  # s = 1 - E 1/(1 + a^2 s f'^2) < 1
        return exponent.max() + np.log(law @ np.sqrt(1.0 + s * bend)) - 0.5 * s - mu * q

    return minimize_scalar(lambda scaled: highest(scaled / q), bracket=(-0.5, 0.5), tol=1e-10).fun


def independent(expression, gain, bias=0.0, spread=0.0):
    """The largest of these over q, from starts at many q."""
    f, slope = sp.lambdify(y, expression), sp.lambdify(y, sp.diff(expression, y))
    top = float(np.max(f(np.linspace(-6.0, 6.0, 6001)) ** 2))

    def rate(t):
        return rate_at(top * np.exp(-t), f, slope, gain, bias, spread)

    depths = np.concatenate([np.linspace(0.03, 3.0, 18), np.linspace(3.4, 7.0, 6)])
    rates = [rate(t) for t in depths]
    i = int(np.argmax(rates))
    bounds = depths[max(i - 1, 0)], depths[min(i + 1, depths.size - 1)]
    return -minimize_scalar(lambda t: -rate(t), bounds=bounds, method="bounded", options={"xatol": 1e-6}).fun


def test_the_independent_saddle_itself():
    """What the theory's companion sheet gives for the vanilla network at gain 2."""
    assert abs(independent(sp.tanh(y), 2.0) - 0.0248251145) < 1e-9


@pytest.mark.parametrize(
    "expression, gain, bias, spread",
    [
        (BUMP, 2.0, 0.0, 0.0),
        (BUMP, 3.0, 0.0, 0.0),
        (BUMP, 4.0, 0.3, 0.0),
        (BUMP, 3.0, 0.3, 0.2),
        (WAVE, 1.0, 0.0, 0.0),
        (WAVE, 1.0, 0.3, 0.0),
        (PULSE, 2.0, 0.0, 0.0),
        (PULSE, 4.0, 0.3, 0.0),
    ],
)
def test_messages_that_vanish_at_special_fields(expression, gain, bias, spread):
    """Probes at a few special fields saw zeros of these and gave 0; exp(-y^2) has no zero state."""
    random = ensemble(expression, gain, bias, spread)
    result, bound = gt.complexity(random), gt.complexity(random, "mean_field")
    assert result.status.code == "converged" and result.residual < 1e-9
    # maxima are found to the square of 1e-6 in log q; the sums' error is far below
    assert abs(result.value - independent(expression, gain, bias, spread)) < 1e-9 + result.error
    assert 0.0 < bound.value < result.value


def test_the_sheet_values_of_the_bump():
    for gain, value in ((2.0, 0.011696), (3.0, 0.105998), (4.0, 0.192478)):  # six decimals are printed
        assert abs(gt.complexity(ensemble(BUMP, gain)).value - value) < 6e-7


@settings(max_examples=5)
@given(st.sampled_from([BUMP, PULSE, sp.tanh(y)]), st.floats(0.1, 4.0))
@example(BUMP, 0.1)
def test_a_field_in_other_units_changes_nothing(expression, c):
    """f(c y) at gain a, bias b is f(y) at gain c a, bias c b."""
    scaled = ensemble(expression.subs(y, sp.Float(c) * y), 4.0 / c, 0.1 / c)
    plain = ensemble(expression, 4.0, 0.1)
    one, other = gt.complexity(scaled), gt.complexity(plain)
    assert one.status.code == other.status.code == "converged"
    assert abs(one.value - other.value) < 1e-9 + one.error + other.error


# --- the mean field is a lower bound, and the search knows it


def test_a_search_that_misses_the_mean_field_says_so(monkeypatch):
    """Without a ridge there is no saddle: zero would be below the mean field's own rate, which is .079."""
    monkeypatch.setattr(saddles, "ridge", lambda *arguments: Ridge((), ()))
    with pytest.raises(gt.ConvergenceError, match="no saddle found, but the solver failed at E m"):
        gt.complexity(ensemble(BUMP, 3.0))


def test_a_rate_below_the_mean_field_is_incomplete(monkeypatch):
    """Saddles whose rate is taken to be .05 lower than it is lie below .079."""
    real = Newton.to_second_order
    monkeypatch.setattr(Newton, "to_second_order", lambda *arguments: real(*arguments) - 0.05)
    result = gt.complexity(ensemble(BUMP, 3.0))
    assert result.status.code == "incomplete" and not result.ok
