"""Compiled site functions: overflow, broadcasting, numerical fixed states, the probes that steer quadrature."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

import gating_theory as gt
from gating_theory.cell.builtin import BUILTIN
from gating_theory.cell.compiled import require_closed_form
from gating_theory.cell.numpy_code import compile_expressions, sech2


def test_sech2():
    x = np.array([-3.0, -0.1, 0.0, 1e-9, 2.0])
    np.testing.assert_allclose(sech2(x), 1 / np.cosh(x) ** 2, rtol=1e-15)
    assert sech2(800.0) == 0.0 and sech2(-800.0) == 0.0  # no overflow, and no warning


@pytest.mark.parametrize("name", BUILTIN)
@pytest.mark.parametrize("value", [-800.0, 800.0])
def test_saturated_fields_stay_finite(name, value):
    cell = getattr(gt, name)
    s, y, p = np.full((cell.n_state, 3), 0.3), np.full((cell.n_fields, 3), value), np.zeros((len(cell.parameters), 3))
    for out in (*cell.compiled.update(s, y, p), *cell.compiled.messages(s, y, p)):
        assert np.isfinite(out).all()
    for block in cell.compiled.blocks(s, y, p).values():
        assert all(np.isfinite(v).all() for v in block.values())


def test_arrays_broadcast():
    z, r, h = np.linspace(-1, 1, 3)[:, None, None], np.linspace(-2, 0, 4)[None, :, None], np.linspace(0, 1, 5)
    s = 0.3
    out = gt.GRU.compiled.update([s], [z, r, h])[0]
    expected = expit(z) * s + (1 - expit(z)) * np.tanh(h)
    np.testing.assert_allclose(np.broadcast_to(out, (3, 4, 5)), np.broadcast_to(expected, (3, 4, 5)), rtol=1e-14)


def test_a_message_is_there_before_later_fields_are():
    # only h and r are needed for the message of the candidate: the fields computed later may hold anything
    s, y = np.array([[0.5]]), np.array([[0.1], [0.2], [np.nan]])
    np.testing.assert_allclose(gt.GRU.compiled.message(2, s, y), 0.5 * expit(0.2), rtol=1e-15)


def test_compile_expressions_uses_stable_forms():
    x = sp.Symbol("x", real=True)
    (value,) = compile_expressions([x], [1 - gt.sigma(x)])(40.0)
    assert value == pytest.approx(np.exp(-40.0), rel=1e-12)  # 1 - sigma(40) in plain floats is 0
    (value,) = compile_expressions([x], [1 - sp.tanh(x) ** 2])(20.0)
    assert value == pytest.approx(4 * np.exp(-40.0), rel=1e-12)


# --- fixed states


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), scale=st.floats(0.1, 6.0))
def test_peephole_lstm_without_peepholes_is_the_lstm(seed, scale):
    y = scale * np.random.default_rng(seed).normal(size=(4, 40))
    numeric = np.array(gt.PeepholeLSTM.compiled.fixed_state(y, np.zeros((3, 40))))
    exact = np.array(gt.LSTM.compiled.fixed_state(y))
    # a residual of one rounding in s = F(s) moves c by 1/(1 - f) of it: with f up to 1 - 1e-8 that is the leading error
    slack = 1e-13 * (1 + np.exp(np.maximum(y[0], 0)))
    assert (np.abs(numeric - exact) <= slack * (1 + np.abs(exact))).all()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), scale=st.floats(0.1, 3.0))
def test_peephole_lstm_satisfies_its_own_equation(seed, scale):
    rng = np.random.default_rng(seed)
    y = scale * rng.normal(size=(4, 40))
    # restraining: c has the sign of g, and shuts its own gates as it grows (with the other sign it can run away)
    p = -np.sign(y[2]) * rng.uniform(0.0, 0.5, size=(3, 40))
    p[2] = rng.normal(size=40)  # the output gate feeds nothing back
    try:
        s, refused = np.array(gt.PeepholeLSTM.compiled.fixed_state(y, p)), False
    except gt.ConvergenceError as error:
        s, refused = error.estimate, True
    again = np.array(gt.PeepholeLSTM.compiled.update(s, y, p))
    # the solver's own promise: 1e-11 relative to 1 + |s|
    solved = (np.abs(again - s) <= 1e-11 * (1 + np.abs(s).max(axis=0))).all(axis=0)
    assert solved.all() == (not refused)
    plain = np.zeros((2, 40))
    for _ in range(3000):
        before, plain = plain, np.array(gt.PeepholeLSTM.compiled.update(plain, y, p))
    # what is refused turns around its fixed point for ever
    assert (np.abs(plain - before)[:, ~solved].max(axis=0) > 1e-6).all()


def test_running_away_sites_are_reported():
    # a strong peephole opens the forget gate as the memory grows: f -> 1 and c adds up without bound
    y, p = np.array([[5.0], [5.0], [3.0], [0.0]]), np.array([[5.0], [5.0], [0.0]])
    with pytest.raises(gt.ConvergenceError, match="runs? away|no fixed point") as caught:
        gt.PeepholeLSTM.compiled.fixed_state(y, p)
    assert caught.value.estimate.shape == (2, 1)


def test_sites_without_a_fixed_point_are_reported():
    h, y = sp.symbols("h y", real=True)
    adding = gt.Cell(name="integrator", state=[h], fields=[y], messages=[sp.tanh(h)], update=[h + sp.exp(-y)])
    with pytest.raises(gt.ConvergenceError, match="integrator"):
        adding.compiled.fixed_state([np.zeros(2)])


def test_fixed_state_keeps_the_shape_of_broadcast_fields():
    y = [np.zeros((3, 1)), np.zeros((1, 4)), np.full((3, 1), 0.5), np.zeros((1, 4))]
    s = gt.PeepholeLSTM.compiled.fixed_state(y, [0.0, 0.0, 0.0])
    assert [v.shape for v in s] == [(3, 4), (3, 4)]
    np.testing.assert_allclose(s[1], np.tanh(0.5), rtol=1e-13)  # f = i = 1/2


# --- probes


def test_steps_made_by_other_fields_are_those_of_a_growing_memory():
    # where f -> 1, c = i g / (1 - f) jumps as y_g crosses zero
    assert [gt.LSTM.compiled.shapes[v].centre for v in range(4)] == [None, None, 0.0, None]
    for cell in (gt.GRU, gt.CoupledLSTM):
        assert all(cell.compiled.shapes[v].centre is None for v in range(cell.n_fields))


def test_strips_of_analyticity():
    # sigma has its poles at i pi, tanh at i pi/2, tanh(tanh) where tanh(y) = i pi/2: the strip is measured to a few percent
    def strips(cell):
        return [cell.compiled.shapes[v].strip for v in range(cell.n_fields)]

    assert strips(gt.GRU) == pytest.approx([np.pi, np.pi, np.pi / 2], rel=0.05)
    assert strips(gt.Vanilla) == pytest.approx([np.pi / 2], rel=0.05)
    assert strips(gt.CoupledLSTM) == pytest.approx([np.pi, np.arctan(np.pi / 2), np.pi], rel=0.05)


@pytest.mark.parametrize("name", BUILTIN)
def test_only_the_relu_is_unbounded(name):
    assert getattr(gt, name).compiled.bounded is (name != "LiGRU")


def test_require_closed_form():
    require_closed_form(gt.LSTM, "this")
    with pytest.raises(gt.CapabilityError, match="PeepholeLSTM.*this.*fixed_point="):
        require_closed_form(gt.PeepholeLSTM, "this")


@pytest.mark.parametrize("name", ["GRU", "LSTM", "MGU", "JANET"])
def test_factorised_moments_multiply_back(name):
    cell = getattr(gt, name)
    rng = np.random.default_rng(0)
    y, p = rng.normal(size=(cell.n_fields, 20)), rng.normal(size=(len(cell.parameters), 20))
    s = cell.compiled.fixed_state(y, p)
    for message, products in zip(cell.compiled.messages(s, y, p), cell.compiled.moment_factors):
        total = sum(np.prod([np.broadcast_to(f.function(*s, *y, *p), 20) for f in product], axis=0) for product in products)
        np.testing.assert_allclose(total, message**2, rtol=1e-12)
        for product in products:
            used = [v for f in product for v in f.variables]
            assert len(used) == len(set(used))  # independent factors share no variable


def test_derivatives_of_jumps_are_refused():
    """The mean field of a step stands; what needs its slope says that there is none."""
    h, y = sp.symbols("h y_h", real=True)
    for step in (sp.sign(y), sp.Heaviside(y - 1, sp.Rational(1, 2))):
        cell = gt.Cell(name="step", state=[h], fields=[y], messages=[h], update=[step], fixed_point=[step])
        ensemble = gt.Ensemble(cell, gain=4.0)
        net = gt.Network.sample(ensemble, 5, rng=0)
        point = gt.fixed_points(ensemble)[-1]
        for call in (
            lambda: gt.Spectrum(point).radius(),  # noqa: B023
            lambda: gt.complexity(ensemble),  # noqa: B023
            lambda: net.find_fixed_points(rng=0),  # noqa: B023
            lambda: net.eigenvalues(np.ones((1, 5))),  # noqa: B023
            lambda: gt.lyapunov_spectrum(net, n_steps=5, rng=0),  # noqa: B023
        ):
            with pytest.raises(gt.CapabilityError, match="jumps"):
                call()
