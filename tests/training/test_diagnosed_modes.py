"""Modes of networks trained here: bulk gains, fields that removal confirms, the weights before training, what a report says."""

import json
import re

import numpy as np
import pytest

import gating_theory as gt

torch = pytest.importorskip("torch")
from gating_theory.interop import torch as bridge  # noqa: E402
from tests.training.trained import trained  # noqa: E402


def strong(modes):
    """Slow learned modes with a tenth or more of their modulus through one learned part."""
    learned = [mode for mode in modes.of_kind("learned") if abs(mode.eigenvalue) > 0.85]
    return [mode for mode in learned if max(mode.learned.values()) > 0.1]


@pytest.mark.slow
@pytest.mark.parametrize("kind, candidate", [("GRU", "h"), ("LSTM", "g")])
def test_what_training_put_into_a_network(kind, candidate, tmp_path):
    """Sines: bulk gains near the initial ones, few modes outside without what is learned, fields that removal confirms."""
    rnn, initial, x, loss = trained(kind, "sines", hidden=32, updates=250)
    assert loss < 0.25  # a sine is .5
    torch.save(rnn.state_dict(), tmp_path / "after.pt")
    torch.save(initial, tmp_path / "before.pt")
    alone = gt.diagnose(tmp_path / "after.pt", x, n_states=4)
    known = gt.diagnose(tmp_path / "after.pt", x, n_states=4, initial=tmp_path / "before.pt")
    before = bridge.from_state_dict(initial)
    # what is learned and too weak to stand out stays in the bulk: 5 to 9 % at 32 units, a tenth is left for other BLAS
    for name, gain in before.ensemble.gain.items():
        assert alone.ensemble.gain[name] == pytest.approx(gain, rel=0.12)
        assert alone.ensemble.gain[name] < alone.network.ensemble.gain[name]
    assert np.array_equal(known.split.random, before.matrices)
    for d in (alone, known):
        assert d.origin.trained and d.modes.n_learned[candidate] >= 2
        edge = [spectrum_at(d, i).edge_function(d.modes.bulk_eigenvalues[i]) for i in range(d.n_states)]
        left = np.mean(np.sum(np.array(edge) < d.modes.threshold, axis=1))
        assert left < 3.0 and left < d.modes.outside.sum(axis=1).mean() - 1.0
        found = strong(d.modes)
        assert len(found) >= 3 and all(mode.field == candidate for mode in found)
        for mode in found:  # removing the learned part of that field moves it most, and as far as removing all of them
            moved = {name: value for name, value in mode.removed.items() if name != "all"}
            assert max(moved, key=lambda name: moved[name]) == mode.field and moved[mode.field] > 0.03
            assert moved[mode.field] > 0.7 * mode.removed["all"]
        assert f"the candidate's ({candidate})" in str(d) and "from leaks" in str(d)
    # both look at the same states, and name the same fields
    assert np.allclose(alone.eigenvalues, known.eigenvalues)
    for mode in strong(alone.modes):
        column = np.argmin(np.abs(known.eigenvalues[mode.state] - mode.eigenvalue))
        assert known.modes.field_names[np.argmax(known.modes.learned[mode.state, :, column])] == mode.field


def spectrum_at(d, i):
    """Theory at one of the states of a diagnosis; its sites stand one state after the other."""
    n, pooled = d.network.n_units, d.sites
    part = slice(i * n, (i + 1) * n)
    sites = gt.Sites(
        pooled.cell, np.full(n, 1.0 / n), pooled.state[:, part], pooled.fields[:, part], pooled.parameters[:, part], pooled.gain
    )
    return gt.Spectrum(sites)


def test_weak_training_asks_for_the_weights_before_it():
    """An LSTM trained briefly from gain 1.3: the matrix shows little and the report says so; the weights before show more."""
    rnn, initial, x, _ = trained("LSTM", "sines", hidden=32, updates=80, gain=1.3)
    alone, known = gt.diagnose(rnn, x, n_states=3), gt.diagnose(rnn, x, n_states=3, initial=initial)
    assert not alone.modes.status.ok and alone.modes.status.code == "hidden"
    assert "pass initial=" in str(alone)
    assert known.modes.status.ok and "pass initial=" not in str(known) and "by the weights before training" in str(known)
    assert sum(known.modes.n_learned.values()) > sum(alone.modes.n_learned.values())


def test_untrained_modules_have_learned_nothing():
    """PyTorch's own initialisation: no mode is called learned, whether the weights before (the same ones) are given or not."""
    torch.manual_seed(0)
    module = torch.nn.GRU(2, 32)
    x = torch.randn(20, 4, 2)
    for d in (gt.diagnose(module, x, n_states=3), gt.diagnose(module, x, n_states=3, initial=module)):
        assert d.modes.count("learned") == 0 and d.modes.outside.sum(axis=1).mean() < 3
        assert "none is seen to be learned" in str(d) and "without learned" not in str(d)
        assert d.bulk == d.actual and d.structure_bulk == d.structure and not d.modes.removed
        json.dumps(d.as_dict(), allow_nan=False)


def test_the_column_without_the_learned_part():
    """A direction planted in the candidate of a GRU at rest: with it the slowest mode is the outlier, without it the disc [T11]."""
    n, rng = 48, np.random.default_rng(0)
    random = gt.Network.sample(gt.Ensemble(gt.GRU, gain=0.6), n, rng=rng)
    u = rng.standard_normal(n)
    matrices = random.matrices.copy()
    matrices[2] += 1.9 * np.outer(u, u) / (u @ u)
    d = gt.diagnose(gt.Network(gt.GRU, matrices, random.biases), n_states=1, initial=random)
    # zero state: 1/2 + omega / 4, the disc of radius .6 / 4 about 1/2; N^(-1/2) of a gain of .6, divided by four
    assert d.actual.radius == pytest.approx(0.5 + 1.9 / 4, abs=0.05)
    assert d.bulk.radius == pytest.approx(0.65, abs=0.04) and d.from_sites.radius == pytest.approx(0.65, abs=0.02)
    assert d.bulk.radius == pytest.approx(np.abs(random.eigenvalues(np.zeros(n))).max(), abs=1e-3)  # it is all but at rest
    words = str(d)
    assert re.search(r"1 of 48 modes lies outside .* about one does by chance", words)
    assert "the candidate's (h) 1 learned direction" in words


def test_bad_initial_weights(tmp_path):
    module, other = torch.nn.GRU(2, 6), torch.nn.GRU(2, 8)
    net = gt.Network.sample(gt.Ensemble(gt.GRU), 6, rng=0)
    torch.save(torch.nn.LSTM(2, 6).state_dict(), tmp_path / "lstm.pt")
    for call, error, words in (
        (lambda: gt.diagnose(module, initial=other), ValueError, "initial must have matrices of shape"),
        (lambda: gt.diagnose(module, initial=tmp_path / "lstm.pt"), ValueError, "initial must be of the cell"),
        (lambda: gt.diagnose(module, initial=tmp_path / "none.pt"), FileNotFoundError, "initial: .*there is no file"),
        (lambda: gt.diagnose(module, initial=3), TypeError, "initial: source must be"),
        (lambda: gt.diagnose(net, initial=np.zeros((3, 5, 5))), ValueError, "initial must have matrices of shape"),
    ):
        with pytest.raises(error, match=words):
            call()
