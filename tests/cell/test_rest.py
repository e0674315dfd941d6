"""Sites without a closed form: which states are solved for, that they are where iterations end, and that others follow."""

import numpy as np
import pytest
import sympy as sp

import gating_theory as gt


def plain(cell, y, p, steps):
    """(state, how far it still moves) after so many iterations of the update from zero."""
    s = np.zeros((cell.n_state, y.shape[1]))
    for _ in range(steps):
        before, s = s, np.array(cell.compiled.update(s, y, p))
    return s, np.abs(s - before).max(axis=0) / (1 + np.abs(s).max(axis=0))


def states(cell, y, p):
    """States at rest, and which of them are none."""
    try:
        s = np.array(cell.compiled.fixed_state(y, p))
    except gt.ConvergenceError as error:
        s = error.estimate
    return s, np.abs(np.array(cell.compiled.update(s, y, p)) - s).max(axis=0) > 1e-10 * (1 + np.abs(s).max(axis=0))


@pytest.mark.parametrize("scale, peephole", [(1.5, 0.5), (3.0, 0.1), (3.0, 2.0), (5.0, 0.3)])
def test_states_are_where_iterations_from_zero_end(scale, peephole):
    rng = np.random.default_rng(0)
    y, p = scale * rng.normal(size=(4, 1000)), peephole * rng.normal(size=(3, 1000))
    s, moves = plain(gt.PeepholeLSTM, y, p, 4000)
    settled = moves < 1e-13  # the slowest of them are 1e-13 / (1 - f) away from the end: 1e-9 with 1 - f = 1e-4
    assert settled.mean() > 0.5  # others run away, or creep
    found, refused = states(gt.PeepholeLSTM, y[:, settled], p[:, settled])
    assert refused.mean() < 0.002  # those that take hundreds of steps past a place where F - s nearly vanishes
    np.testing.assert_allclose(found[:, ~refused], s[:, settled][:, ~refused], rtol=1e-8, atol=1e-8)


def test_a_state_that_others_feel_in_turn_is_solved_with_them():
    """Two states in a loop, one that they drive, and one that drives them."""
    a, b, c, d, y, u = sp.symbols("a b c d y u", real=True)
    update = [sp.tanh(b / 2 + d), sp.tanh(a / 3 + y), a + b**2, u / 2]
    cell = gt.Cell(name="loop", state=[a, b, c, d], fields=[y, u], messages=[sp.tanh(c)] * 2, update=update)
    fields = np.random.default_rng(0).normal(size=(2, 50))
    s, moves = plain(cell, fields, [], 200)
    assert moves.max() < 1e-15
    np.testing.assert_allclose(cell.compiled.fixed_state(fields), s, rtol=1e-14, atol=1e-15)
    assert cell.compiled.at_rest[c] == a + b**2  # follows from the others


def test_the_mean_field_without_peepholes_is_that_of_the_lstm():
    gains = {"f": 1.0, "i": 2.0, "g": 4.0, "o": 1.5}
    exact, solved = (gt.fixed_points(gt.Ensemble(cell, gain=gains)) for cell in (gt.LSTM, gt.PeepholeLSTM))
    assert len(exact) == len(solved) > 1
    for one, other in zip(exact, solved):
        assert other.moments["h"] == pytest.approx(one.moments["h"], rel=10 * (one.error + other.error) + 1e-15)


_h, _c, _y, _u = sp.symbols("h c y u", real=True)
_FEW = {
    "the state feels no field": ([_h], [_y], [_h], [sp.tanh(_h) + sp.Rational(1, 2)]),
    "what is solved for feels no field": ([_h, _c], [_y], [_c], [gt.sigma(_h), sp.tanh(_y) * _h]),
    "two states without fields": ([_h, _c], [_y], [_h], [sp.tanh(_h / 2 + _c), gt.sigma(_h) / 2 + sp.tanh(_c) / 3]),
    "no state is felt, one field by nobody": ([_h], [_y, _u], [_h, _h], [sp.tanh(_y)]),
    "one field is felt by nobody": ([_h], [_y, _u], [_h, _h], [gt.sigma(_h) * sp.tanh(_y)]),
    "a state is a constant": ([_h, _c], [_y], [_h], [_h / 2 + 1, sp.tanh(_y)]),
}


@pytest.mark.parametrize("parts", _FEW.values(), ids=_FEW)
def test_cells_that_feel_little(parts):
    """The mean field and the spectrum of cells without some of what cells have, against iterations of sampled sites."""
    state, fields, messages, update = parts
    cell = gt.Cell(name="few", state=state, fields=fields, messages=messages, update=update)
    point = gt.fixed_points(gt.Ensemble(cell, gain=1.5, bias_std=0.5))[-1]
    y = np.random.default_rng(0).normal(size=(cell.n_fields, 100_000))
    y *= np.sqrt(1.5**2 * np.array([list(point.moments.values())[0]]) + 0.25)
    s, moves = plain(cell, y, [], 300)
    assert moves.max() < 1e-12
    message = s[state.index(messages[0])]
    # five standard errors of the average of 100,000 squares
    assert np.mean(message**2) == pytest.approx(list(point.moments.values())[0], abs=5 * np.std(message**2) / 100_000**0.5 + 1e-12)
    assert np.isfinite(gt.Spectrum(point).abscissa())
