"""What Adam can do with an initialisation: Lambda by closed forms and differences, how sampled networks fluctuate [T9]."""

from dataclasses import replace

import numpy as np
import pytest
import sympy
from scipy.special import expit

import gating_theory as gt
from gating_theory.training.step_size import at_rest, largest_rate, onset_slope


def of(ensemble):
    return gt.Initialisation("ensemble", ensemble)


#: (cell, biases, how the candidate's matrix moves the radius): (1 - z) sigma(b_r) of GRUs, o i of LSTMs.
SLOPES = [
    (gt.GRU, {"z": 2.0, "r": -1.0}, expit(-2.0) * expit(-1.0)),
    (gt.GRUResetAfter, {"z": 4.0, "r": 0.5}, expit(-4.0) * expit(0.5)),
    (gt.LSTM, {"f": 5.0, "i": 0.0, "o": 5.0}, expit(5.0) * 0.5),
    (gt.LSTM, {"f": 5.3, "i": -5.3}, 0.5 * expit(-5.3)),
    (gt.CoupledLSTM, {"f": 3.0, "o": 1.0}, expit(1.0) * expit(-3.0)),
    (gt.MGU, {"f": -3.0}, expit(-3.0) ** 2),
    (gt.JANET, {"f": 3.0}, expit(-3.0)),
    (gt.LiGRUTanh, {"z": 3.0}, expit(-3.0)),
    (gt.PeepholeLSTM, {"f": 3.0, "i": -2.0}, 0.5 * expit(-2.0)),
    (gt.Vanilla, {}, 1.0),
]


@pytest.mark.parametrize("cell, bias, slope", SLOPES, ids=[cell.name for cell, *_ in SLOPES])
def test_closed_forms(cell, bias, slope):
    """d radius / d gain at rest is what lets the candidate through, whatever the gains are."""
    for gain in (1e-5, 0.6, 3.0):
        assert onset_slope(of(gt.Ensemble(cell, gain, bias)))[1] == pytest.approx(slope, rel=1e-9)


def own_cell():
    """A gate of another shape, and a candidate of slope 3 / 2."""
    h, y_u, y_h = sympy.symbols("h y_u y_h", real=True)
    u, n = gt.sigma(y_u) ** 2, sympy.tanh(3 * y_h / 2)
    return gt.Cell(name="Own", state=[h], fields=[y_u, y_h], messages=[h, h], update=[u * h + (1 - u) * n], fixed_point=[n])


@pytest.mark.parametrize(
    "initialisation",
    [
        of(gt.Ensemble(own_cell(), 0.5, {"u": 3.0})),
        gt.chrono(gt.LSTM, 200),
        gt.chrono(gt.GRUResetAfter, 50, gain=1.0),
        gt.orthogonal(gt.LSTM, bias={"f": 1.0}),
        of(gt.Ensemble(gt.GRU, bias={"r": 0.5}, bias_std={"r": 1.0})),
    ],
    ids=["own", "chrono LSTM", "chrono GRU", "orthogonal", "spread reset gates"],
)
def test_differences_of_the_radius(initialisation):
    """At the onset's gain the radius is 1, and its central difference is the slope: independent of T's gradient."""
    candidate = {"Own": "h", "LSTM": "g"}.get(initialisation.cell.name, "h")
    gain, slope = onset_slope(initialisation)

    def radius(factor):
        ensemble = initialisation.ensemble.replace({f"gain.{candidate}": gain * factor})
        return at_rest(replace(initialisation, ensemble=ensemble)).radius()

    step = 1e-3
    assert radius(1.0) == pytest.approx(1.0, abs=1e-8)
    # the radius is good to 1e-9 or so, its third derivative adds a few times step^2
    assert (radius(1 + step) - radius(1 - step)) / (2 * step * gain) == pytest.approx(slope, rel=1e-4)


def test_units_of_chrono_biases_dilute_one_another():
    """Slow units hold most of the mode at 1: the slope has the harmonic mean of 1 - z, T / (1 + mean u) here, not the mean."""
    # E (1 + u) of u uniform in (1, L - 1) is 1 + L / 2
    assert onset_slope(gt.chrono(gt.GRUResetAfter, 200))[1] == pytest.approx(0.5 / 101.0, rel=1e-9)


def test_an_open_input_gate_stands_small_steps_alone():
    """The same gradients as with b_i = -b_f, and a hundredth of its learning rate: T o i = 50."""
    opened = gt.design(gt.LSTM, given={"bias.i": 0.0}, memory=200).promise
    assert opened.sensitivity == pytest.approx(50.0, rel=1e-9) and opened.learning_rate == pytest.approx(0.001, rel=1e-9)
    assert opened.log10_eps == opened.log10_heard["h"] / 2 == pytest.approx(-1.12 / 2, abs=0.01)
    assert "Lambda = 50 (T d radius / d gain), learning rates up to 0.001; eps below 0.277" in str(opened)
    assert largest_rate(0.0) == np.inf


def log10_growth(jacobian, n_steps):
    """log10 of (1/N) tr J^T J^T^+, by eigenvalues and vectors of no kind: plain products, scaled."""
    product, log = np.eye(len(jacobian)), 0.0
    for _ in range(n_steps):
        product = jacobian @ product
        scale = np.abs(product).max()
        product, log = product / scale, log + np.log10(scale)
    return 2.0 * log + np.log10(np.sum(product**2) / len(jacobian))


@pytest.mark.slow
def test_networks_scatter_as_their_radius_does():
    """At z = 1/2, T = 200 iid networks of 32 units miss the limit of G by ten decades, orthogonal ones by .2, slow gates by .16."""
    n, n_steps, rng = 32, 200, np.random.default_rng(0)

    def scattered(z, orthogonal=False, draws=150):
        found = []
        for _ in range(draws):
            U = rng.standard_normal((n, n)) / np.sqrt(n)
            if orthogonal:
                q, r = np.linalg.qr(U)
                U = q * np.sign(np.diagonal(r))
            found.append(log10_growth(z * np.eye(n) + (1 - z) * U, n_steps))
        return np.std(found)

    fast = gt.Spectrum(gt.fixed_points(gt.Ensemble(gt.GRU, {"h": 2.0}))[0])
    told = 2 * n_steps * fast.finite_size(n, 1, 0).radius.sd / np.log(10.0)
    # standard deviations of 150 numbers are good to 6 %, the law of the radius to N^(-1/2)
    assert scattered(0.5) == pytest.approx(told, rel=0.25) and told == pytest.approx(9.4, abs=0.1)
    assert scattered(0.5, orthogonal=True) < 0.3
    slow = gt.design(gt.GRU, memory=200, kappa=3, n_units=n).promise
    # where it is small it is too careful, by a factor of two to three
    assert scattered(200 / 203) < 2 * slow.fluctuation / np.log(10.0) < 0.35


def test_designs_warn_of_networks_that_miss_the_onset():
    """kappa = 100 at T = 100 is a gate that is half open: 32 units miss its onset, orthogonal matrices and slow gates do not."""
    fast = gt.design(gt.GRUResetAfter, memory=100, kappa=100.0, n_units=32)
    p = fast.promise
    assert p.n_units == 32 and p.fluctuation == 100 * p.radius_sd > 4.0
    assert p.warning in str(fast.status) and 'draw orthogonal matrices (Ensemble(.., matrices="orthogonal"))' in p.warning
    assert fast.status.ok and fast.reached
    haar = gt.design(gt.Ensemble(gt.GRUResetAfter, matrices="orthogonal"), memory=100, kappa=100.0, n_units=32)
    assert haar.promise.radius_sd is None and not haar.promise.warning and not haar.status.text
    assert haar.solution == pytest.approx(fast.solution) and haar.promise.log10_gradient == fast.promise.log10_gradient
    assert haar.promise.mean_square == pytest.approx(fast.promise.mean_square) and haar.promise.largest is None
    for kappa in (1.0, 3.0):
        assert not gt.design(gt.GRUResetAfter, memory=100, kappa=kappa, n_units=32).status.text
    # spread biases: sites move the radius too
    spread = gt.design(gt.Ensemble(gt.GRU, bias_std={"r": 0.5}), memory=50, n_units=100).promise
    assert spread.radius_sd > gt.design(gt.GRU, memory=50, n_units=100).promise.radius_sd
