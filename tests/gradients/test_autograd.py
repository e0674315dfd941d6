"""PyTorch's own backward pass: what it measures is the product of Jacobians, and at silent states it is theory's closed form."""

import numpy as np
import pytest
from scipy.special import comb

torch = pytest.importorskip("torch")
from gating_theory.figures.autograd import growth  # noqa: E402
from gating_theory.figures.initialisations import INITIALISATIONS  # noqa: E402

import gating_theory as gt  # noqa: E402
from gating_theory.interop import torch as bridge  # noqa: E402
from gating_theory.mean_field.fixed_points import zero_state  # noqa: E402

BY_NAME = {(one.kind, one.name): one for one in INITIALISATIONS}


@pytest.mark.parametrize("kind", ["GRU", "LSTM"])
def test_backward_pass_is_the_product_of_jacobians(kind):
    """Along a path under inputs, from any start: row h of J_T .. J_1, of Jacobians that the cell's symbols give."""
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    module = getattr(torch.nn, kind)(2, 12).double()
    with torch.no_grad():
        module.weight_hh_l0.mul_(4.0)
    layer = bridge.read(module).layer()
    inputs, d = rng.standard_normal((7, 2)), layer.network.cell.n_state
    state = start = 0.5 * rng.standard_normal((d, 12))
    product = np.eye(12 * d)
    for x in inputs:
        network = layer.network.driven(*layer.drive(x))
        product = network.jacobian(state) @ product
        state = network.step(state)
    expected = (product[:12].reshape(12, d, 12) ** 2).sum(axis=(0, 2)) / 12
    np.testing.assert_allclose(growth(module, 7, inputs=inputs, start=start), expected, rtol=1e-10)


def gru_law(z, w, n):
    """(1/N) tr J^n J^nT of J = z + w U: E tr U^k U^lT / N is 1 for k = l and else 0."""
    k = np.arange(n + 1)
    return np.sum(comb(n, k) ** 2 * z ** (2.0 * (n - k)) * w ** (2.0 * k))


@pytest.mark.parametrize("name", ["orthogonal", r"onset, $b_z = \log 100$"])
def test_silent_gru(name):
    """Theory's G through 100 steps. Traces of powers of a matrix are of order one, and 16 directions are 2000 numbers:
    G is off by one or two per cent, .01 in its logarithm."""
    one = BY_NAME["GRU", name]
    z = 1.0 / (1.0 + np.exp(-one.ensemble.bias["z"]))
    expected = gru_law(z, (1.0 - z) * 0.5 * one.ensemble.gain["h"], 100)
    measured = growth(one.module(128, 0), 100, vectors=16, rng=0).sum()
    assert np.log10(measured) == pytest.approx(np.log10(expected), abs=0.05)


def test_silent_lstm_without_recurrence():
    """Tiny weights: c' = f c to 1e-5, and h = o tanh c reads it: o^2 f^2T from c_0."""
    f = o = 1.0 / (1.0 + np.exp(-5.0))
    found = growth(BY_NAME["LSTM", "Gilboa-like, $b_f = b_o = 5$"].module(128, 0), 100, vectors=16, rng=0)
    np.testing.assert_allclose(found, [0.0, o**2 * f**200], rtol=1e-3, atol=1e-9)


@pytest.mark.parametrize("one", INITIALISATIONS, ids=lambda one: f"{one.kind} {one.name}")
def test_every_common_initialisation(one):
    """Theory of tied weights is what PyTorch's backward pass gives through 100 steps, over 66 decades in all.

    What is left after T steps is |lambda|^2T of the outermost eigenvalue but for powers of T, which scatters as finite-size theory
    says: four standard deviations of it, and .05 for all that scatters like 1/N. Orthogonal and slow ones scatter less: measured by
    a sixth of a decade at most; blocks of one isometry by .41 (a third of it) and .30 (a quarter), over six seeds.
    """
    scatter = 0.41 if {law.name for law in one.ensemble.matrices.values()} == {"stack"} else 0.16
    if not one.initialisation.chrono and {law.name for law in one.ensemble.matrices.values()} <= {"iid", "uniform"}:
        radius = gt.Spectrum(zero_state(one.ensemble.with_matrices("iid"))).finite_size(128, 50, rng=0).radius
        scatter = 2 * 100 * radius.sd / radius.limit / np.log(10.0)
    measured = np.log10(growth(one.module(128, 1), 100, vectors=16, rng=0).sum())
    theory = gt.gradient_growth(one.sites, 100, block="h").log10[-1]
    assert measured == pytest.approx(theory, abs=4.0 * scatter + 0.05)


def test_default_gradients_vanish_where_designed_ones_do_not():
    """PyTorch's own weights lose forty decades in a hundred steps; the onset with slow gates half of one."""
    lost = [
        np.log10(growth(BY_NAME[kind, "PyTorch's default"].module(128, 0), 100, vectors=16, rng=0).sum())
        for kind in ("GRU", "LSTM")
    ]
    kept = [np.log10(growth(one.module(128, 0), 100, vectors=16, rng=0).sum()) for one in INITIALISATIONS if one.proposed]
    assert max(lost) < -35 and len(kept) == 2 and min(kept) > -1.2


def test_theory_s_population_is_that_of_the_module():
    """Biases of chrono modules: the moments of their gates are those of the sites that theory takes, but for counting (5 s.d.)."""
    for kind in ("GRU", "LSTM"):
        one = BY_NAME[kind, "chrono, 100 steps"]
        biases = bridge.from_module(one.module(1000, 0)).biases
        sites = one.sites
        for k, row in enumerate(biases):
            mean, sd = (
                sites.weights @ sites.fields[k],
                np.sqrt(sites.weights @ (sites.fields[k] - sites.weights @ sites.fields[k]) ** 2),
            )
            assert row.mean() == pytest.approx(mean, abs=5.0 * sd / np.sqrt(1000) + 1e-12)
            assert row.std() == pytest.approx(sd, rel=0.25, abs=1e-12)
