"""Cells with other functions in gates and candidates: in networks, and in theory where it holds."""

import pickle

import numpy as np
import pytest

import gating_theory as gt
from gating_theory.cell.activations import ACTIVATIONS, function_of, function_text
from gating_theory.cell.variants import variant_cell

CELLS = [gt.GRU, gt.GRUResetAfter, gt.LSTM, gt.PeepholeLSTM, gt.Vanilla]
HARD = "hard_sigmoid"


def by_hand(text):
    """The functions in numpy, from their definitions."""
    name, *numbers = text.split()
    a = [float(number) for number in numbers]
    return {
        "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
        "hard_sigmoid": lambda x: np.clip((a[0] if a else 1 / 6) * x + (a[1] if len(a) > 1 else 0.5), 0, 1),
        "tanh": np.tanh,
        "scaled_tanh": lambda x: a[0] * np.tanh(a[1] * x),
        "hard_tanh": lambda x: np.clip(x, -1, 1),
        "linear": lambda x: x,
        "affine": lambda x: a[0] * x + a[1],
        "relu": lambda x: np.where(x > 0, x, 0),
        "relu6": lambda x: np.clip(x, 0, 6),
        "leaky_relu": lambda x: np.where(x > 0, x, (a[0] if a else 0.01) * x),
        "thresholded_relu": lambda x: np.where(x > (a[0] if a else 1), x, 0),
        "elu": lambda x: np.where(x > 0, x, (a[0] if a else 1) * np.expm1(x)),
        "selu": lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x)),
        "silu": lambda x: x / (1 + np.exp(-x)),
        "softplus": lambda x: np.log1p(np.exp(x)),
        "softsign": lambda x: x / (1 + np.abs(x)),
        "exponential": np.exp,
    }[name]


@pytest.mark.parametrize(
    "text", [*ACTIVATIONS, "hard_sigmoid 0.2", "affine 2.0 -0.5", "leaky_relu 0.1", "scaled_tanh 2.0 0.5", "elu 0.3"]
)
def test_functions_are_what_their_names_say(text):
    cell = variant_cell(gt.Vanilla, candidate=text)
    y = np.linspace(-7.3, 7.9, 41)
    (values,) = cell.compiled.update([0 * y], [y])
    text = "scaled_tanh 1.0 1.0" if text == "scaled_tanh" else "affine 1.0 0.0" if text == "affine" else text
    np.testing.assert_allclose(np.broadcast_to(values, y.shape), by_hand(text)(y), rtol=1e-14, atol=1e-15)  # rounding


def test_one_text_for_each_function():
    assert function_text("hard_sigmoid 0.16666666666666666 0.5") == function_text("hard_sigmoid") == "hard_sigmoid"
    assert function_text("hard_sigmoid 0.2 0.5") == "hard_sigmoid 0.2"
    assert function_text("hard_sigmoid 0.2 0.4") == "hard_sigmoid 0.2 0.4"
    for wrong, message in (
        ("hard", "name of a function must be"),
        ("", "name of a function must be"),
        ("relu 3", "has 0 numbers"),
        ("elu x", "come numbers"),
        ("elu nan", "come numbers|must be"),
    ):
        with pytest.raises(ValueError, match=message):
            function_text(wrong)
    with pytest.raises(TypeError, match="by its name"):
        function_of(3)


@pytest.mark.parametrize("cell", CELLS[:4], ids=lambda cell: cell.name)
@pytest.mark.parametrize("gates", [HARD, "hard_sigmoid 0.2"])
def test_jacobians_of_hard_gates(cell, gates):
    """Derivatives from the symbols against differences, where gates are shut, open and between."""
    hard = variant_cell(cell, gates=gates)
    # the helper's own bound for smooth functions; at kinks the better of its two steps counts
    assert hard.check_jacobian(rng=0, scale=3.0) < 1e-9
    net = gt.Network.sample(gt.Ensemble(hard, gain=2.0), 12, rng=1)
    state = net.run(net.random_state(rng=2), 20)
    assert net.check_jacobian(state) < 1e-6  # central differences of a network


def test_gates_have_the_names_of_their_fields():
    hard = variant_cell(gt.GRU, gates=HARD)
    assert hard.message_names == gt.GRU.message_names == ("h", "r*h")
    assert "r = hard_sigma(y_r/6 + 1/2)" in str(hard) and "(gates hard_sigmoid)" in hard.name


def test_a_variant_is_one_object():
    hard = variant_cell(gt.GRU, gates=HARD)
    assert variant_cell(gt.GRU, "hard_sigmoid 0.16666666666666666", "tanh") is hard
    assert pickle.loads(pickle.dumps(hard)) is hard
    assert variant_cell(gt.GRU) is gt.GRU
    assert hard != variant_cell(gt.GRU, gates="hard_sigmoid 0.2") != gt.GRU


def test_which_sites_have_a_closed_form():
    """An LSTM's c = i g / (1 - f) is none where its gate can be 1."""
    assert variant_cell(gt.GRU, gates=HARD).has_closed_form and variant_cell(gt.LSTM, candidate="softsign").has_closed_form
    assert not variant_cell(gt.LSTM, gates=HARD).has_closed_form


def test_mean_field_and_spectrum_of_hard_gates():
    """A GRU with hard gates: a network planted at its fixed point has its moment and its spectrum, gates of exactly 1 in it."""
    hard = variant_cell(gt.GRUResetAfter, gates=HARD)
    point = gt.fixed_points(gt.Ensemble(hard, gain={"z": 4.0, "r": 2.0, "h": 0.9}, bias={"z": 2.0, "h": 0.4}))[-1]
    net, state = gt.Network.planted(point, 400, rng=0)
    assert np.max(np.abs(net.step(state) - state)) < 1e-12  # at rest
    h, z = state[0], np.clip(net.fields(state)[0] / 6 + 0.5, 0, 1)
    assert abs(np.mean(h**2) - point.moments["h"]) < 5 * np.std(h**2) / np.sqrt(400)  # five standard errors
    assert np.sum(z == 1.0) > 5
    found = np.abs(net.eigenvalues(state))
    # what never changes is an eigenvalue 1 each; none lies further out than theory's edge and what 400 units may be off by
    assert np.sum(np.abs(found - 1.0) < 1e-9) >= np.sum(z == 1.0)
    assert found.max() < gt.Spectrum(point).radius() + 3 / np.sqrt(400)


def test_hard_lstms_in_theory():
    """Where no forget gate reaches 1 the mean field is that of a plain average; where some do, it says that they run away."""
    hard = variant_cell(gt.LSTM, gates=HARD)
    shut = {"gain": {"f": 0.5, "i": 0.5, "o": 0.5, "g": 4.0}, "bias": {"f": -2.0}}
    point = gt.fixed_points(gt.Ensemble(hard, **shut))[-1]
    q, n = point.moments["h"], 1_000_000
    rng = np.random.default_rng(0)
    f, i, o, g = (a * np.sqrt(q) * rng.standard_normal(n) + b for a, b in ((0.5, -2), (0.5, 0), (0.5, 0), (4, 0)))
    gate = by_hand(HARD)
    squares = (gate(o) * np.tanh(gate(i) * np.tanh(g) / (1 - gate(f)))) ** 2
    assert abs(squares.mean() - q) < 4 * squares.std() / np.sqrt(n)  # four standard errors of the average
    with pytest.raises(gt.ConvergenceError, match="runs away"):
        gt.fixed_points(gt.Ensemble(hard, gain=6.0, bias=0.3))
