"""Orthogonal initialisations of PyTorch are recognised as laws of matrices; trained weights are not [T10]."""

import numpy as np
import pytest

import gating_theory as gt
from gating_theory.networks.weight_statistics import recognised_law

torch = pytest.importorskip("torch")
from gating_theory.interop import torch as bridge  # noqa: E402


def module(kind, per_gate, n=48, gain=1.0, dtype=torch.float32):
    torch.manual_seed(0)
    made = getattr(torch.nn, kind)(2, n).to(dtype)
    with torch.no_grad():
        for block in made.weight_hh_l0.split(n) if per_gate else [made.weight_hh_l0]:
            torch.nn.init.orthogonal_(block, gain)
    return made


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", ["GRU", "LSTM", "RNN"])
def test_orthogonal_gates_and_stacks_are_named(kind, dtype):
    net = bridge.from_module(module(kind, True, gain=1.3, dtype=dtype))
    assert set(net.ensemble.matrices.values()) == {gt.Haar()}
    assert net.ensemble.array("gain") == pytest.approx(np.full(net.cell.n_fields, 1.3), rel=1e-5)
    net = bridge.from_module(module(kind, False, gain=1.3, dtype=dtype))
    # a single gate is both
    assert set(net.ensemble.matrices.values()) == {gt.Haar() if kind == "RNN" else gt.HaarStack()}
    # a block's gain^2 fluctuates by less than 1 / N about gain^2 / K, their sum not at all
    assert np.sum(net.ensemble.array("gain") ** 2) == pytest.approx(1.3**2, rel=1e-5)
    assert net.ensemble.array("gain") ** 2 == pytest.approx(np.full(net.cell.n_fields, 1.69 / net.cell.n_fields), rel=5 / 48)


def test_one_step_of_training_and_defaults_are_not():
    made = module("GRU", True)
    torch.manual_seed(1)
    output, _ = made(torch.randn(20, 8, 2))
    output.square().mean().backward()
    torch.optim.SGD(made.parameters(), lr=0.1).step()
    for other in (made, torch.nn.GRU(2, 48)):
        assert set(bridge.from_module(other).ensemble.matrices.values()) == {UNKNOWN}


UNKNOWN = gt.Ensemble(gt.Vanilla, matrices="unknown").matrices["h"]


def test_matrices_of_gain_zero_and_single_units():
    orthogonal = gt.Network.sample(gt.Ensemble(gt.GRU, {"z": 0, "r": 1, "h": 2}, matrices="orthogonal"), 20, rng=0)
    assert recognised_law(gt.Network(gt.GRU, orthogonal.matrices, orthogonal.biases)) == gt.Haar()
    assert gt.Network(gt.GRU, orthogonal.matrices, orthogonal.biases).ensemble.matrices["h"] == UNKNOWN  # a bare cell says nothing
    assert recognised_law(gt.Network(gt.Vanilla, np.ones((1, 1, 1)), np.zeros((1, 1)))) == UNKNOWN
    part = gt.Network.sample(gt.Ensemble(gt.GRU, {"z": 0, "r": 1, "h": 1}, matrices="stack"), 20, rng=0)
    assert recognised_law(gt.Network(gt.GRU, part.matrices, part.biases)) == UNKNOWN  # not the whole isometry


def test_a_diagnosis_uses_the_theory_of_the_law():
    """Zero state of a GRU of orthogonal gates: eigenvalues on a circle of radius 1/4 about 1/2, by theory and counted."""
    made = module("GRU", True, n=64, dtype=torch.float64)
    with torch.no_grad():
        for name in ("bias_ih_l0", "bias_hh_l0"):
            getattr(made, name).zero_()
    d = gt.diagnose(made, n_states=1)
    assert set(d.ensemble.matrices.values()) == {gt.Haar()} and d.assumes == ""
    assert d.origin.code == "orthogonal"
    assert d.from_sites.radius == pytest.approx(0.75, abs=1e-6)  # the state has not quite come to rest
    assert d.actual.radius == pytest.approx(0.75, abs=1e-6)
    # the driven ensemble is of the same law
    fed, _ = bridge.read(made).record(np.random.default_rng(0).standard_normal((5, 3, 2))).driven_ensemble()
    assert set(fed.matrices.values()) == {gt.Haar()}
