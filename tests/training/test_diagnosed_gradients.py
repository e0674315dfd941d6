"""Gradients of a diagnosis: against closed forms at rest, structure against shuffled weights, and what is said of them."""

import json
import re

import numpy as np
import pytest
from scipy.special import comb

import gating_theory as gt


def binomial(leak, width, n):
    """(1/N) tr of (leak + width U)^n times its transpose, U of independent entries."""
    k = np.arange(n + 1)
    return np.sum(comb(n, k) ** 2 * leak ** (2.0 * (n - k)) * width ** (2.0 * k))


def test_theory_at_rest_is_the_closed_form():
    """A GRU that has come to rest: tied and fresh weights as binomials say, of the gain that theory takes."""
    net = gt.Network.sample(gt.Ensemble(gt.GRU, gain={"z": 1, "r": 1, "h": 1.5}, bias={"z": 0.5}), 100, rng=0)
    d = gt.diagnose(net, n_states=1)
    g = d.gradients
    leak = 1 / (1 + np.exp(-0.5))
    width = (1 - leak) * 0.5 * d.ensemble.gain["h"]  # of the random part, told by the matrix
    assert list(g.measured) == list(g.tied) == [1, 3, 10, 30, 100]
    for lag in g.tied:
        # after 200 steps the state is 1e-8 away from rest
        assert g.tied[lag] == pytest.approx(np.log10(binomial(leak, width, lag)), abs=1e-6)
        assert g.untied[lag] == pytest.approx(lag * np.log10(leak**2 + width**2), abs=1e-6)
        # 64 gradients of 100 units; the edge of one network's spectrum is off by a part of 100^(-1/2), to the power 2 lag
        assert g.measured[lag] == pytest.approx(g.tied[lag], abs=0.1 + 0.02 * lag)


def test_structure_shows_beside_theory_and_shuffled_weights():
    """Symmetric weights: (1/N) tr W^2n is a Catalan number, that of shuffled ones and theory is one [T9]."""
    n, gain = 300, 0.4
    matrix = np.random.default_rng(0).standard_normal((n, n))
    matrix = gain * (matrix + matrix.T) / np.sqrt(2 * n)
    g = gt.diagnose(gt.Network(gt.Vanilla, matrix[None], np.zeros((1, n))), n_states=1).gradients
    for lag in (1, 3, 10):
        iid = 2 * lag * np.log10(gain)
        catalan = comb(2 * lag, lag) / (lag + 1)
        assert g.tied[lag] == pytest.approx(iid, abs=0.02)  # of the gain that the matrix has
        assert g.shuffled[lag] == pytest.approx(iid, abs=0.02 + 0.02 * lag)
        assert g.measured[lag] == pytest.approx(iid + np.log10(catalan), abs=0.02 + 0.02 * lag)
    assert g.tied[100] == pytest.approx(g.untied[100], rel=1e-12)  # without memory of its own the two are one


def test_what_is_said_of_pytorch_s_own_weights():
    """Forty decades in a hundred steps, as theory of the same weights in every step says, and what would keep half of one."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    d = gt.diagnose(torch.nn.GRU(2, 128), n_states=1)
    g = d.gradients
    # over seeds the logarithm scatters by .3 [T9]; fresh weights would lose fourteen decades more
    assert g.measured[100] == pytest.approx(g.tied[100], abs=1.2) and g.untied[100] < g.tied[100] - 12
    assert -41 < g.measured[100] < -37
    better = r"with bias\.z = 4\.61, gain\.h = 2 \(gt\.design\(gt\.GRUResetAfter, memory=100\)\) to 0\.311"
    words = r"shrinks to 10\^-\d\d\.\d in 100 steps; " + better
    assert re.search(words, str(d))
    assert "fresh weights a step" in str(d)
    json.dumps(d.as_dict(), allow_nan=False)


def test_along_inputs(tmp_path):
    """Every lag is counted from the end of the sequences: the last steps, not the first."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(1)
    module = torch.nn.LSTM(3, 60)
    x = torch.randn(30, 2, 3)
    x[-1] *= 10.0  # at which gates are shut
    d = gt.diagnose(module, x, n_states=1)
    recording = gt.interop.torch.read(module).record(x)
    last = [recording.at([29], [b]) for b in range(2)]
    gains = d.ensemble.array("gain")  # of the random part of the weights
    theory = [gt.Spectrum.from_sites(net.cell, net.sites(state), gains) for net, state in last]
    squares = [spectrum.singular_values().moments(1)[0] for spectrum in theory]
    # one step knows no difference, but for the order of sums
    assert d.gradients.tied[1] == pytest.approx(d.gradients.untied[1], abs=1e-13)
    assert d.gradients.tied[1] == pytest.approx(np.log10(np.mean(squares)), abs=1e-9)
    assert list(d.gradients.measured) == [1, 3, 10, 30]
    for lag, value in d.gradients.measured.items():
        assert value == pytest.approx(d.gradients.tied[lag], abs=0.1 + 0.03 * lag)
    assert gt.load(gt.save(d, tmp_path / "d.json")).gradients == d.gradients


def test_gradients_that_are_gone():
    """Weights of zero let nothing through: a logarithm of minus infinity, which is kept, printed and saved."""
    d = gt.diagnose(gt.Network(gt.Vanilla, np.zeros((1, 10, 10)), np.zeros((1, 10))), n_states=1)
    assert set(d.gradients.measured.values()) == set(d.gradients.tied.values()) == {-np.inf}
    json.dumps(d.as_dict(), allow_nan=False)
    assert "gradients, steps back" in str(d)
