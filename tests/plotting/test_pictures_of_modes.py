"""Pictures of modes show every eigenvalue by its kind within a whole unit circle, and bars that add up to the modulus."""

import matplotlib
import numpy as np
import pytest

import gating_theory as gt
from gating_theory.plotting import plot_mode_shares, plot_modes

matplotlib.use("Agg")


@pytest.fixture(scope="module")
def modes():
    """A GRU at rest with one strong learned direction of its candidate, two states: a learned mode at 1/2 + 1.8/4."""
    n = 60
    before = gt.Network.sample(gt.Ensemble(gt.GRU, gain={"z": 0.5, "r": 0.5, "h": 0.6}), n, rng=0)
    matrices = before.matrices.copy()
    matrices[2] += 1.8 / n
    net = gt.Network(gt.GRU, matrices, np.zeros((3, n)))
    states = np.stack([np.zeros((1, n)), net.random_state(1, 0.2)])
    spectrum = gt.Spectrum(gt.Sites(gt.GRU, [1.0], np.zeros((1, 1)), np.zeros((3, 1)), gain=[0.5, 0.5, 0.6], matrices="iid"))
    return gt.learned_modes(net, states, gt.split_weights(net, before)), spectrum


def lines(ax):
    ax.figure.canvas.draw()
    return {line.get_label(): line for line in ax.get_lines() if not line.get_label().startswith("_")}


@pytest.mark.parametrize("state", [None, 0, 1])
def test_every_mode_stands_once_with_its_kind(modes, state):
    result, spectrum = modes
    ax = plot_modes(result, state=state, spectrum=spectrum)
    drawn = lines(ax)
    chosen = slice(None) if state is None else slice(state, state + 1)
    for kind in ("bulk", "leak", "random", "learned"):
        here = np.sort_complex(result.eigenvalues[chosen][result.kinds[chosen] == kind])
        labels = [label for label in drawn if label.startswith(kind)]
        assert len(labels) == (1 if here.size else 0)
        for label in labels:
            x, y = drawn[label].get_data()
            np.testing.assert_array_equal(np.sort_complex(x + 1j * y), here)
            assert label == f"{kind} ({here.size / len(result.eigenvalues[chosen]):.3g})"
    assert any(label.startswith("learned") for label in drawn)
    # at rest: a disc of radius 0.6/4 around 1/2
    edge = drawn["edge (random weights)"]
    np.testing.assert_allclose(np.abs(edge.get_xdata() + 1j * edge.get_ydata() - 0.5), 0.15, atol=1e-6)
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    assert min(-left, right, -bottom, top) > 1.0, "the unit circle is whole"
    legend = ax.get_legend().get_window_extent()
    assert legend.y0 >= ax.get_window_extent().y1 - 1.0, "the legend covers nothing"


def test_bars_add_up(modes):
    result, _ = modes
    ax = plot_mode_shares(result, state=0, n=3)
    ax.figure.canvas.draw()
    # a conjugate pair is one bar
    listed = [mode for mode in result.listed if mode.state == 0 and mode.eigenvalue.imag >= 0][:3]
    bars = [container for container in ax.containers]
    assert [bar.get_label() for bar in bars] == ["leak", "random", "learned z", "learned r", "learned h"]
    for i, mode in enumerate(listed):
        total = sum(bar.patches[i].get_width() for bar in bars)
        assert total == pytest.approx(abs(mode.eigenvalue), abs=1e-10)
    text = ax.get_yticklabels()[0].get_text()
    # leak 1/2, learned 1.8/4; left and right vectors differ from the direction by the random part, a third of it
    assert text.endswith("learned") and bars[4].patches[0].get_width() == pytest.approx(0.45, abs=0.1)
    default = plot_mode_shares(result)
    slowest = max(result.listed, key=lambda mode: abs(mode.eigenvalue)).state
    assert default.get_ylabel() == f"steps, kind (state {slowest})"


def test_what_cannot_be_drawn(modes):
    result, spectrum = modes
    quiet = gt.learned_modes(gt.Network.sample(gt.Ensemble(gt.GRU, gain=0.0), 5, rng=0), np.zeros((1, 5)))
    for call, error, words in (
        (lambda: plot_modes(spectrum), TypeError, "result must be a Diagnosis or Modes"),
        (lambda: plot_modes(result, state=2), ValueError, "state"),
        (lambda: plot_modes(result, spectrum=3), TypeError, "spectrum"),
        (lambda: plot_modes(result, ax=3), TypeError, "ax"),
        (lambda: plot_mode_shares(result, n=0), ValueError, "n must"),
        (lambda: plot_mode_shares(quiet), ValueError, "result lists no mode"),
    ):
        with pytest.raises(error, match=words):
            call()


def test_a_diagnosis_brings_its_edge():
    """At rest all states are one: the edge of a state's sites is that of all together, and all kinds are there."""
    net = gt.Network.sample(gt.Ensemble(gt.GRU, gain={"z": 0.5, "r": 0.5, "h": 0.9}, bias_std=0.3), 20, rng=0)
    result = gt.diagnose(net, n_states=2)
    every, one = (lines(plot_modes(result, state=state))["edge (random weights)"] for state in (None, 1))
    # the same sites, once and twice; a curve is traced to 1e-5, a pixel is 1e-3
    np.testing.assert_allclose(np.array(every.get_data()), np.array(one.get_data()), atol=1e-4)
    drawn = lines(plot_modes(result, state=1))
    marks = [line for label, line in drawn.items() if label.split(" ")[0] in ("bulk", "leak", "random", "learned")]
    assert sum(len(line.get_xdata()) for line in marks) == 20
