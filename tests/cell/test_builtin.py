"""Built-in cells: what each of them says about its Jacobian, its messages and its sites, by independent formulas."""

import numpy as np
import pytest
from scipy.special import expit

import gating_theory as gt
from gating_theory.cell import builtin as cells
from gating_theory.cell.builtin import BUILTIN


@pytest.mark.parametrize("name", BUILTIN)
def test_builtin_cells_are_public(name):
    cell = getattr(cells, name)
    assert getattr(gt, name) is cell and cell.name == name and name in gt.__all__


# one step of each cell as its authors write it, plain numpy: state, fields -> new state (parameters at the values given)


def _gru(s, y, p):
    return [expit(y[0]) * s[0] + (1 - expit(y[0])) * np.tanh(y[2])]


def _gru_after(s, y, p):
    return [expit(y[0]) * s[0] + (1 - expit(y[0])) * np.tanh(expit(y[1]) * y[2] + p[0])]


def _lstm(s, y, p):
    c = expit(y[0]) * s[1] + expit(y[1]) * np.tanh(y[2])
    return [expit(y[3]) * np.tanh(c), c]


def _coupled(s, y, p):
    c = expit(y[0]) * s[1] + (1 - expit(y[0])) * np.tanh(y[1])
    return [expit(y[2]) * np.tanh(c), c]


def _peephole(s, y, p):
    # Gers and Schmidhuber: f and i see the old memory, o the new one
    c = expit(y[0] + p[0] * s[1]) * s[1] + expit(y[1] + p[1] * s[1]) * np.tanh(y[2])
    return [expit(y[3] + p[2] * c) * np.tanh(c), c]


def _kcs(s, y, p):
    # tau dz/dt = y_z - z by one step of Euler's; x is the authors' state times their gain
    gates = [z + (field - z) / np.exp(log_tau) for z, field, log_tau in zip(s[1:], y, p)]
    return [(1 - expit(s[1])) * s[0] + expit(s[1]) * y[2], *gates]


STEPS = {
    "Vanilla": lambda s, y, p: [np.tanh(y[0])],
    "GRU": _gru,
    "GRUResetAfter": _gru_after,
    "MGU": lambda s, y, p: [(1 - expit(y[0])) * s[0] + expit(y[0]) * np.tanh(y[1])],
    "LiGRU": lambda s, y, p: [expit(y[0]) * s[0] + (1 - expit(y[0])) * np.maximum(y[1], 0)],
    "LiGRUTanh": lambda s, y, p: [expit(y[0]) * s[0] + (1 - expit(y[0])) * np.tanh(y[1])],
    "LSTM": _lstm,
    "CoupledLSTM": _coupled,
    "PeepholeLSTM": _peephole,
    "JANET": lambda s, y, p: [expit(y[0]) * s[0] + (1 - expit(y[0] - p[0])) * np.tanh(y[1])],
    "KCS": _kcs,
    "KCSFast": lambda s, y, p: [(1 - expit(y[0])) * s[0] + expit(y[0]) * y[2]],
}
MESSAGES = {
    "GRU": lambda s, y: [s[0], s[0], expit(y[1]) * s[0]],
    "MGU": lambda s, y: [s[0], expit(y[0]) * s[0]],
    "KCS": lambda s, y: [np.tanh(s[0]), np.tanh(s[0]), expit(s[2]) * np.tanh(s[0])],
    "KCSFast": lambda s, y: [np.tanh(s[0]), np.tanh(s[0]), expit(y[1]) * np.tanh(s[0])],
}


def _sites(cell, rng, n=50, scale=1.5):
    return [scale * rng.normal(size=(rows, n)) for rows in (cell.n_state, cell.n_fields, len(cell.parameters))]


@pytest.mark.parametrize("name", BUILTIN)
def test_update_and_messages(name):
    cell = getattr(gt, name)
    s, y, p = _sites(cell, np.random.default_rng(0))
    # both are a handful of operations on numbers of order 1: rounding only
    np.testing.assert_allclose(cell.compiled.update(s, y, p), STEPS[name](s, y, p), rtol=1e-13, atol=1e-15)
    expected = MESSAGES.get(name, lambda s, y: [s[0]] * len(y))(s, y)
    for k in range(cell.n_fields):
        np.testing.assert_allclose(cell.compiled.message(k, s, y, p), expected[k], rtol=1e-13)


@pytest.mark.parametrize("name", BUILTIN)
def test_fixed_state_repeats_itself(name):
    cell = getattr(gt, name)
    _, y, p = _sites(cell, np.random.default_rng(1))
    if name == "PeepholeLSTM":  # c has the sign of g: these peepholes shut the gates as it grows, others let it run away
        p = -np.sign(y[2]) * 0.2 * np.abs(p)
    s = np.array(cell.compiled.fixed_state(y, p))
    # states reach about 1e2 (1/(1 - f)); the numerical solution of PeepholeLSTM stops at 1e-11 relative
    np.testing.assert_allclose(STEPS[name](s, y, p), s, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("name", [n for n in BUILTIN if n != "LiGRU"])
def test_iteration_at_frozen_fields_ends_in_the_fixed_state(name):
    cell = getattr(gt, name)
    _, y, p = _sites(cell, np.random.default_rng(2), scale=0.7)
    if name == "PeepholeLSTM":
        p = -np.sign(y[2]) * 0.2 * np.abs(p)
    if name == "KCS":  # as a map gates overshoot where tau is below a half
        p = np.abs(p)
    s = np.zeros((cell.n_state, y.shape[1]))
    for _ in range(400):  # leaks are below sigma(2.5) = 0.92: 0.92^400 is 1e-14
        s = np.array(STEPS[name](s, y, p))
    np.testing.assert_allclose(np.array(cell.compiled.fixed_state(y, p)), s, rtol=1e-9, atol=1e-10)


def test_jacobian_blocks_of_the_lstm_keep_the_memory():
    # published hand-written Jacobians drop the c-block: dh'/dc = o tanh'(c') f and dc'/dc = f must be there
    s, y, p = _sites(gt.LSTM, np.random.default_rng(3))
    blocks = gt.LSTM.compiled.blocks(s, y, p)["F_s"]
    f, o = expit(y[0]), expit(y[3])
    new = _lstm(s, y, p)[1]
    assert set(blocks) == {(0, 1), (1, 1)}
    np.testing.assert_allclose(blocks[1, 1], f, rtol=1e-13)
    np.testing.assert_allclose(blocks[0, 1], o * f / np.cosh(new) ** 2, rtol=1e-12)


def test_jacobian_blocks_of_the_gru_keep_the_derivative_of_the_update_gate():
    s, y, p = _sites(gt.GRU, np.random.default_rng(4))
    blocks = gt.GRU.compiled.blocks(s, y, p)["F_y"]
    z = expit(y[0])
    np.testing.assert_allclose(blocks[0, 0], (s[0] - np.tanh(y[2])) * z * (1 - z), rtol=1e-11, atol=1e-15)
    np.testing.assert_allclose(blocks[0, 2], (1 - z) / np.cosh(y[2]) ** 2, rtol=1e-12)


def test_relations_between_cells():
    rng = np.random.default_rng(5)
    (s, y), none = rng.normal(size=(2, 2, 30)), np.zeros((1, 30))
    h = s[:1]
    # JANET at beta = 0 is the LiGRU with tanh; CoupledLSTM's memory obeys it too
    np.testing.assert_allclose(gt.JANET.compiled.update(h, y, none), gt.LiGRUTanh.compiled.update(h, y), rtol=1e-13)
    c = gt.CoupledLSTM.compiled.update([h[0], s[1]], [*y, y[0]])[1]
    np.testing.assert_allclose(c, gt.LiGRUTanh.compiled.update(s[1:], y)[0], rtol=1e-13)
    # MGU with the sign of its gate turned is the LiGRU with tanh (messages apart)
    np.testing.assert_allclose(
        gt.MGU.compiled.update(h, y * [[-1], [1]]), gt.LiGRUTanh.compiled.update(h, y), rtol=1e-12, atol=1e-15
    )
    # reset after the product with a wide open gate is the GRU
    open_gate = np.array([y[0], np.full(30, 40.0), y[1]])
    np.testing.assert_allclose(
        gt.GRUResetAfter.compiled.update(h, open_gate, none), gt.GRU.compiled.update(h, open_gate), rtol=1e-13
    )
