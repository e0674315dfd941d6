"""Initialisations: arrays of the layouts, and what PyTorch's modules hold once they are written."""

import numpy as np
import pytest

import gating_theory as gt
from gating_theory.interop import initialise
from gating_theory.interop.layouts import LAYOUTS


def test_haar_matrices_are_orthogonal_and_have_no_preferred_sign():
    U = gt.Haar().matrices(3, np.random.default_rng(0), 400) / np.sqrt(3)
    assert np.abs(U @ U.swapaxes(-1, -2) - np.eye(3)).max() < 1e-13
    # entries have mean 0 and variance 1/3; without the signs of R those of the first column were negative
    assert np.abs(U.mean(axis=0)).max() < 5 / np.sqrt(3 * 400)


@pytest.mark.parametrize("kind", ["GRU", "LSTM", "RNN"])
def test_arrays_have_the_shapes_of_the_layout(kind):
    layout, rng = LAYOUTS[kind], np.random.default_rng(0)
    rows = 4 * len(layout.hidden)
    ensemble = gt.Ensemble(layout.cell, gain=2.0, bias=1.0)
    for made in (initialise.initialisation_of(ensemble), gt.orthogonal(layout.cell, 2.0)):
        values = made.draw(layout, 4, rng)
        assert {name: a.shape for name, a in values.items()} == {"weight_hh": (rows, 4), "bias_ih": (rows,), "bias_hh": (rows,)}


torch = pytest.importorskip("torch")
from gating_theory.interop import torch as bridge  # noqa: E402


def test_an_initialisation_is_the_ensemble():
    ens = gt.Ensemble(gt.GRUResetAfter, {"z": 1, "r": 2, "h": 3}, {"z": 2}, {"h": 0.5}, parameter=0.3, parameter_std=0.2)
    module = bridge.init_(torch.nn.GRU(3, 200, num_layers=2, bidirectional=True).double(), ens, 0, input_gain=2.0)
    for layer in (0, 1):
        for way in ("forward", "reverse"):
            found = bridge.from_module(module, layer, way).ensemble
            # gains to 1/N, means and spreads of 200 biases to a few N^{-1/2}
            assert found.gain == pytest.approx(ens.gain, rel=0.03)
            assert found.bias == pytest.approx(ens.bias, abs=0.15) and found.bias_std == pytest.approx(ens.bias_std, abs=0.1)
            assert found.parameter == pytest.approx(ens.parameter, abs=0.06)
    assert float(module.weight_ih_l0.detach().std()) == pytest.approx(2.0 / np.sqrt(3), rel=0.1)
    again = bridge.init_(torch.nn.GRU(3, 200, num_layers=2, bidirectional=True).double(), ens, 0, input_gain=2.0)
    assert all(torch.equal(a, b) for a, b in zip(module.parameters(), again.parameters()))


@pytest.mark.parametrize("make, cell", [(torch.nn.LSTMCell, gt.LSTM), (torch.nn.RNN, gt.Vanilla)])
def test_initialisations_of_other_cells(make, cell):
    ens = gt.Ensemble(cell, gain=2.0, bias=1.0)
    module = make(3, 100)
    before = module.state_dict()["weight_ih" + ("_l0" if make is torch.nn.RNN else "")].clone()
    found = bridge.from_module(bridge.init_(module, ens, 1))
    assert found.ensemble.gain == pytest.approx(ens.gain, rel=0.05) and np.all(found.biases == 1.0)
    assert torch.equal(before, module.state_dict()["weight_ih" + ("_l0" if make is torch.nn.RNN else "")])


def test_orthogonal_and_chrono():
    module = bridge.init_(torch.nn.LSTM(3, 20).double(), gt.orthogonal(gt.LSTM, 1.5), 0)
    weights = module.weight_hh_l0.detach().clone()
    for U in bridge.from_module(module).matrices:
        assert np.abs(U @ U.T - 2.25 * np.eye(20)).max() < 1e-12
    module = bridge.init_(module, gt.chrono(gt.LSTM, 100), 0, what="biases")
    net = bridge.from_module(module)
    f, i, g, o = net.biases
    assert np.array_equal(f, -i) and not g.any() and not o.any() and f.min() >= 0 and f.max() <= np.log(99)
    assert torch.equal(module.weight_hh_l0, weights)
    z = bridge.from_module(bridge.init_(torch.nn.GRU(3, 20), gt.chrono(gt.GRUResetAfter, 100), 0)).biases[0]
    assert z.min() >= 0 and np.exp(z).max() > 50


def test_rows_of_libraries_are_written():
    """Keras's LSTM: one isometry for all gates, and ones in the forget gate; PyTorch's GRU without bias vectors."""
    table = gt.defaults(10)
    net = bridge.from_module(bridge.init_(torch.nn.LSTM(3, 20).double(), table["keras LSTM"], 0))
    assert np.abs(sum(U.T @ U for U in net.matrices) - np.eye(20)).max() < 1e-12
    assert [row.mean() for row in net.biases] == [1.0 if name == "f" else 0.0 for name in net.cell.field_names]
    bare = bridge.init_(torch.nn.GRU(3, 20, bias=False), table["torch GRU"], 0)  # its biases vanish as N grows
    assert float(bare.weight_hh_l0.detach().abs().max()) <= 1 / np.sqrt(20)


@pytest.mark.parametrize("make", [torch.nn.GRU, torch.nn.LSTMCell])
def test_a_part_alone(make):
    """Biases alone, or weights alone, are those that the same seed gives with the rest; the other stay as they are."""
    kind = "GRU" if make is torch.nn.GRU else "LSTM"
    ens = gt.Ensemble(LAYOUTS[kind].cell, gain=2.0, bias=1.0, bias_std=0.5)
    own = make(3, 8).state_dict()

    def written(initialise, **options):
        module = make(3, 8)
        module.load_state_dict(own)
        return initialise(module, **options).state_dict()

    def ensemble(module, **options):
        return bridge.init_(module, ens, 0, **options)

    def orthogonal(module, **options):
        return bridge.init_(module, gt.orthogonal(ens.cell, 1.5), 0, **options)

    def chrono(module, **options):
        return bridge.init_(module, gt.chrono(ens.cell, 50), 0, **options)

    for way in (ensemble, orthogonal, chrono):
        whole, biases, weights = (written(way, what=what) for what in ("both", "biases", "weights"))
        for name in own:
            part = "bias" if name.startswith("bias") else "weight_hh" if name.startswith("weight_hh") else "input"
            assert torch.equal(biases[name], (whole if part == "bias" else own)[name])
            assert torch.equal(weights[name], (whole if part == "weight_hh" else own)[name])
            assert part == "input" or not torch.equal(whole[name], own[name])
    bare = make(3, 8, bias=False)
    assert ensemble(bare, what="weights") is bare
    for what, message in (("biases", "bias=False"), ("bias", "what must be one of .*got 'bias'")):
        with pytest.raises(ValueError, match=message):
            ensemble(bare, what=what)


def test_initialisations_that_are_refused():
    module = torch.nn.GRU(2, 3)
    before = [p.detach().clone() for p in module.parameters()]
    for call, error, message in (
        (lambda: bridge.init_(module, gt.Ensemble(gt.GRU)), ValueError, "'GRUResetAfter'"),
        (lambda: bridge.init_(module, 3), TypeError, "design must be"),
        (lambda: bridge.init_(torch.nn.GRU(2, 3, bias=False), gt.Ensemble(gt.GRUResetAfter, bias=1)), ValueError, "bias=False"),
        (lambda: bridge.init_(torch.nn.Linear(2, 3), gt.Ensemble(gt.GRUResetAfter)), TypeError, "module must be"),
        (lambda: bridge.init_(torch.nn.GRU(2, 3, bias=False), gt.chrono(gt.GRUResetAfter, 10)), ValueError, "bias=False"),
        (lambda: bridge.init_(module, gt.chrono(gt.LSTM, 10)), ValueError, "'GRUResetAfter'"),
        (lambda: gt.chrono(gt.GRUResetAfter, 1), ValueError, "longest"),
        (lambda: gt.orthogonal(gt.GRUResetAfter, gain=-1), ValueError, "gain"),
    ):
        with pytest.raises(error, match=message):
            call()
    assert all(torch.equal(a, b) for a, b in zip(before, module.parameters()))
