"""Diagnoses of fresh and of trained modules; the command line; reports."""

import json

import numpy as np
import pytest

import gating_theory as gt

torch = pytest.importorskip("torch")
from gating_theory.interop import torch as bridge  # noqa: E402


@pytest.mark.slow
def test_the_default_gru_forgets_in_two_steps(tmp_path):
    """PyTorch's own initialisation is diagnosed as what its disc of eigenvalues says."""
    torch.manual_seed(0)
    module = torch.nn.GRU(64, 128)
    d = gt.diagnose(module, n_states=2)
    # weights uniform in +-1/sqrt H have standard deviation 0.577/sqrt H: a disc of centre 1/2, radius 0.577/4, 2.27 steps
    exact = -1 / np.log(0.5 + 1 / (4 * np.sqrt(3)))
    print(f"default GRU, slowest mode: eigenvalues {d.actual.slowest:.3f}, theory {d.random.slowest:.3f}, disc {exact:.3f}")
    assert d.actual.slowest == pytest.approx(exact, abs=0.15) and d.from_sites.slowest == pytest.approx(exact, abs=0.15)
    assert d.random.slowest == pytest.approx(exact, abs=0.15)  # its small biases spread the gates by 2 percent
    assert d.actual.slow_fraction == {10: 0, 100: 0, 1000: 0}
    # alpha = (a_h / 2)^2 = 1 at a_h = 2: small biases aside, the weights may grow by 2 / 0.577
    assert d.from_sites.gain_margin == pytest.approx(2 * np.sqrt(3), rel=0.05)
    # it settles: the exponent is the log of the radius, seen over a finite time
    assert d.lyapunov == pytest.approx(np.log(d.actual.radius), abs=0.03)
    assert d.gradient[100] < -35 and any("slowest mode lives 2.2" in text or "slowest mode lives 2.3" in text for text in d.advice)
    assert d.structure < 0.05 and d.structure_shuffled < 0.05
    text = str(d)
    assert "GRU, layer 0, forward: 128 units" in text and "slower than 100 steps" in text
    json.dumps(d.as_dict(), allow_nan=False)


def rows_of_digits():
    """Real handwritten digits as sequences of eight rows: (8, n, 8) inputs and labels."""
    datasets = pytest.importorskip("sklearn.datasets")
    images, labels = datasets.load_digits(return_X_y=True)
    images = torch.tensor(images / 16 - 0.3, dtype=torch.float32).reshape(-1, 8, 8)
    return images.transpose(0, 1).contiguous(), torch.tensor(labels)


@pytest.mark.slow
def test_a_trained_module_is_read_back(tmp_path):
    """A module trained on digits is read back to rounding, and its structure is told from chance."""
    x, labels = rows_of_digits()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    rnn, head = torch.nn.GRU(8, 48), torch.nn.Linear(48, 10)
    fresh = gt.diagnose(rnn, x[:, 1400:1432], n_states=6)
    optimiser = torch.optim.Adam([*rnn.parameters(), *head.parameters()], lr=1e-2)
    generator = torch.Generator().manual_seed(1)
    for _ in range(150):
        chosen = torch.randint(0, 1400, (64,), generator=generator)
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(head(rnn(x[:, chosen])[0][-1]), labels[chosen]).backward()
        optimiser.step()
    accuracy = float((head(rnn(x[:, 1400:])[0][-1]).argmax(1) == labels[1400:]).float().mean())
    assert accuracy > 0.8
    torch.save(rnn.state_dict(), tmp_path / "trained.pt")
    d = gt.diagnose(tmp_path / "trained.pt", x[:, 1400:1432].numpy(), n_states=6)
    print(
        f"trained on digits, accuracy {accuracy:.3f}: eigenvalues in discs differ from theory at the same sites by "
        f"{d.structure:.3f} (shuffled weights {d.structure_shuffled:.3f}, before training {fresh.structure:.3f}); "
        f"radius {d.actual.radius:.3f}, theory {d.from_sites.radius:.3f}, before training {fresh.actual.radius:.3f}"
    )
    # what was read back is what was trained: Jacobian at a state along real input, against autograd
    double = torch.nn.GRU(8, 48).double()
    double.load_state_dict({k: v.double() for k, v in rnn.state_dict().items()})
    recording = bridge.read(tmp_path / "trained.pt").record(x[:, 1400:1402].double())
    outputs = double(x[:, 1400:1402].double())[0].detach().numpy()
    assert np.abs(recording.states[1:, :, 0] - outputs).max() < 1e-12
    net, states = recording.at([5], [1])
    step = lambda h: double(x[5:6, 1401:1402].double(), h[None, None])[1][0, 0]  # noqa: E731
    exact = torch.autograd.functional.jacobian(step, torch.tensor(states[0, 0])).numpy()
    assert np.abs(net.jacobian(states)[0] - exact).max() < 1e-10
    # counting noise is what fresh and shuffled weights show; training has grown the weights
    assert fresh.structure < 0.1 and d.structure_shuffled < 0.1
    assert 0 < d.structure < 1 and all(d.ensemble.gain[k] > fresh.ensemble.gain[k] for k in ("z", "h"))
    assert d.actual.radius > fresh.actual.radius


def flip_flop(n_steps, n_sequences, generator, rate):
    """Three bits: pulses of +-1 set them, and their values are wanted at all later times."""
    shape = (n_steps, n_sequences, 3)
    signs = torch.sign(torch.rand(shape, generator=generator) - 0.5)
    pulses = torch.where(torch.rand(shape, generator=generator) < rate, signs, 0.0)
    pulses[0] = signs[0]
    bits = [pulses[0]]
    for row in pulses[1:]:
        bits.append(torch.where(row != 0, row, bits[-1]))
    return pulses, torch.stack(bits)


def trained_on_bits(kind, seed=0, n_iterations=400):
    """A module of 32 units that remembers three bits, its memory shown at ten times the lengths it was trained on."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(seed + 1)
    rnn, head = getattr(torch.nn, kind)(3, 32), torch.nn.Linear(32, 3)
    optimiser = torch.optim.Adam([*rnn.parameters(), *head.parameters()], lr=1e-2)
    for _ in range(n_iterations):
        x, bits = flip_flop(40, 32, generator, 0.1)
        optimiser.zero_grad()
        ((head(rnn(x)[0]) - bits) ** 2).mean().backward()
        torch.nn.utils.clip_grad_norm_(rnn.parameters(), 1.0)
        optimiser.step()
    x, bits = flip_flop(400, 32, generator, 0.02)
    with torch.no_grad():
        accuracy = float((torch.sign(head(rnn(x)[0])) == bits).float().mean())
    return rnn, flip_flop(60, 32, generator, 0.1)[0], accuracy


#: What is said to somebody who initialises a network, and would be wrong for one that remembers.
FOR_INITIALISATIONS = ("raise the bias", "gt.design", "nothing further back is learned", "lower the gain")


@pytest.mark.slow
@pytest.mark.parametrize("kind", [pytest.param("GRU", marks=pytest.mark.nightly), "LSTM"])  # a switch made by hand is a GRU below
def test_networks_that_remember_bits_are_not_told_to_remember(kind):
    """Trained flip-flops are seen to remember in eight attractors, and get no advice for initialisations."""
    rnn, x, accuracy = trained_on_bits(kind, seed=2)  # from seed 0 the GRU holds six of the eight, two are slowly unstable
    assert accuracy > 0.98  # otherwise it has not learned what is asked for below
    along, free = gt.diagnose(rnn, x, n_states=2), gt.diagnose(rnn, n_states=2)
    stable = bridge.read(rnn).layer(0).network.find_fixed_points(rng=0, n_starts=200)
    attractors = stable.states[stable.n_unstable == 0]
    assert len(attractors) == 8
    for d in (along, free):
        assert d.origin.trained and d.origin.chance < 1e-6 and "look trained" in str(d)
        assert len(d.ends) == 8 and "it remembers for ever, in 8 attractors" in str(d)
        assert not any(text in str(d) for text in FOR_INITIALISATIONS)
        for state in d.ends.states:  # each is one of those that the search finds
            assert np.abs(attractors - state).max(axis=(1, 2)).min() < 1e-3
    # before training it is an initialisation, forgets, and is told so
    torch.manual_seed(0)
    fresh = gt.diagnose(getattr(torch.nn, kind)(3, 32), n_states=2)
    assert fresh.origin.code == "random" and len(fresh.ends) == 1 and any("raise the bias" in text for text in fresh.advice)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", [0, 1, 3, 4, 5])
@pytest.mark.parametrize("kind", ["GRU", "LSTM"])
def test_advice_for_networks_trained_from_other_seeds(kind, seed):
    rnn, _, accuracy = trained_on_bits(kind, seed, 800)
    d = gt.diagnose(rnn, n_states=4)
    stable = bridge.read(rnn).layer(0).network.find_fixed_points(rng=0, n_starts=200)
    assert d.origin.trained and len(d.ends) == np.sum(stable.n_unstable == 0)
    if accuracy > 0.98:
        assert len(d.ends) >= 6 and not any(text in str(d) for text in FOR_INITIALISATIONS)


def test_what_is_said_of_a_switch_of_a_chaotic_network_and_of_an_orthogonal_one():
    """A switch made by hand forgets deviations at once and its state never; a chaotic network has no end."""
    matrices = np.zeros((3, 8, 8))
    matrices[2] = np.diag([6.0, 5.0, 4.5] + 5 * [0.0]) + 0.1 * np.random.default_rng(0).standard_normal((8, 8)) / np.sqrt(8)
    d = gt.diagnose(gt.Network(gt.GRU, matrices, np.zeros((3, 8))), n_states=3)
    assert len(d.ends) == 8 and d.actual.slowest < 3 and not any(text in str(d) for text in FOR_INITIALISATIONS)
    chaotic = gt.diagnose(gt.Network.sample(gt.Ensemble(gt.Vanilla, gain=3), 60, rng=0), n_states=2)
    assert chaotic.ends is None and chaotic.origin.code == "random" and any("lower the gain" in text for text in chaotic.advice)
    module = torch.nn.GRU(2, 24)
    torch.nn.init.orthogonal_(module.weight_hh_l0)
    orthogonal = gt.diagnose(module, n_states=2)
    assert orthogonal.origin.code == "orthogonal" and "an initialisation" in str(orthogonal)
    assert any("raise the bias" in text for text in orthogonal.advice)


def test_texts_and_numbers_next_to_one():
    """Forget gates that are all but open: a radius below one that four digits do not show, a margin far below one."""
    matrices = 0.5 * np.random.default_rng(0).standard_normal((4, 20, 20)) / np.sqrt(20)
    biases = np.zeros((4, 20))
    biases[0] = 12.0
    d = gt.diagnose(gt.Network(gt.LSTM, matrices, biases), n_states=2)
    text = str(d)
    assert "1 - " in text.split("spectral radius")[1].splitlines()[0] and "e-0" in text.split("spectral radius")[1].splitlines()[0]
    margin = text.split("gain margin")[1].splitlines()[0]
    assert "e-" not in margin
    assert len(repr(d)) < 200 and repr(d).startswith("Diagnosis(") and "\n" not in repr(d)


def test_a_network_and_an_lstm_along_inputs():
    net = gt.Network.sample(gt.Ensemble(gt.Vanilla, gain=3), 40, rng=0)
    d = gt.diagnose(net, n_states=3, taus=(5,))
    assert d.lyapunov > 0 and any("chaotic" in text for text in d.advice) and not d.driven
    assert d.actual.radius == pytest.approx(np.mean(np.abs(d.eigenvalues).max(axis=1)))
    module = torch.nn.LSTM(2, 12, num_layers=2, bidirectional=True, batch_first=True)
    seen = []
    d = gt.diagnose(module, torch.randn(3, 20, 2), layer=1, direction="reverse", n_states=2, progress=lambda *a: seen.append(a))
    assert d.driven and d.n_steps == 20 and d.eigenvalues.shape == (2, 24) and seen[-1][0] == seen[-1][1]
    # the same Jacobians, made by hand from the recording: the layer is contracting, so is a random tangent vector
    assert d.lyapunov < 0 and d.gradient[20] < 0 and d.lyapunov_stderr > 0
    relu = gt.diagnose(torch.nn.RNN(2, 10, nonlinearity="relu"), np.ones((15, 2)), n_states=2)
    assert relu.random is None and relu.status.code == "incomplete" and "no bounded mean field" in str(relu.status)


def test_what_the_limit_does_not_describe_is_said():
    """Theory of the ensemble is for infinitely many units: of its edge few of these 60 know anything, of 100 ordinary ones many."""
    wide = gt.diagnose(gt.Network.sample(gt.Ensemble(gt.LSTM, gain=3.2, bias_std=2.0), 60, rng=0), n_states=1, taus=(5,))
    (text,) = [text for text in wide.advice if "does not describe" in text]
    assert text.startswith("the limit does not describe N = 60") and "'theory, ensemble'" in text
    assert wide.status.ok and text in str(wide)
    plain = gt.diagnose(gt.Network.sample(gt.Ensemble(gt.Vanilla, gain=0.8), 100, rng=0), n_states=1, taus=(5,))
    assert not any("does not describe" in text for text in plain.advice)


def test_growth_is_that_of_unit_vectors():
    """A rotation that shrinks by two a step, at rest: so does every tangent vector and every gradient, whatever the size."""
    for n in (2, 64):
        rotation = np.linalg.qr(np.random.default_rng(n).standard_normal((n, n)))[0]
        d = gt.diagnose(gt.Network(gt.Vanilla, 0.5 * rotation[None], np.zeros((1, n))), n_states=1)
        assert d.lyapunov == pytest.approx(np.log(0.5), abs=1e-12)
        assert d.gradient == pytest.approx({lag: lag * np.log(0.5) for lag in d.gradient}, rel=1e-12)


def test_gradients_are_those_of_autograd():
    """Sixteen random gradients sent back through a GRU by PyTorch: the mean log of their growth, within its scatter."""
    torch.manual_seed(0)
    module, x = torch.nn.GRU(4, 64).double(), torch.randn(12, 1, 4).double()
    d = gt.diagnose(module, x.repeat(1, 4, 1), n_states=1)
    states = [torch.zeros(1, 1, 64).double()]
    for row in x:
        states.append(module(row[None], states[-1])[1].detach())
    generator = torch.Generator().manual_seed(1)
    for lag in (1, 3, 10):
        start = states[12 - lag].clone().requires_grad_()
        end = module(x[12 - lag :], start)[1]
        logs = []
        for _ in range(16):
            g = torch.randn(64, generator=generator).double()
            back = torch.autograd.grad(end, start, (g / g.norm())[None, None], retain_graph=True)[0]
            logs.append(float(back.norm().log()))
        # four gradients of the diagnosis, sixteen here, scatter by about 0.1 each
        assert d.gradient[lag] == pytest.approx(np.mean(logs), abs=5 * np.std(logs) * np.sqrt(1 / 4 + 1 / 16)), lag


def test_bad_arguments():
    net = gt.Network.sample(gt.Ensemble(gt.Vanilla), 5, rng=0)
    for call, error, message in (
        (lambda: gt.diagnose(3), TypeError, "source must be"),
        (lambda: gt.diagnose(net, np.zeros((3, 2))), ValueError, "inputs cannot be given"),
        (lambda: gt.diagnose(gt.Network.sample(gt.Ensemble(gt.Vanilla), 5, batch=2)), ValueError, "batch of 2"),
        (lambda: gt.diagnose(net, n_states=0), ValueError, "n_states"),
        (lambda: gt.diagnose(net, taus=(0,)), ValueError, "taus"),
        (lambda: gt.diagnose(net, progress=3), TypeError, "progress"),
        (lambda: gt.diagnose(torch.nn.GRU(2, 3), np.zeros((3, 4))), ValueError, "inputs must have shape"),
        (lambda: gt.diagnose(torch.nn.GRU(2, 3), layer=1), ValueError, "layer"),
        (lambda: gt.diagnose(torch.nn.GRU(1, 1)), ValueError, "source has a hidden size of 1"),
    ):
        with pytest.raises(error, match=message):
            call()


def test_plot():
    import matplotlib.pyplot as plt

    d = gt.diagnose(gt.Network.sample(gt.Ensemble(gt.Vanilla, gain=0.5, bias_std=0.1), 20, rng=0), n_states=2)
    ax = gt.plotting.plot_diagnosis(d)
    named = {line.get_label().partition(" (")[0]: line for line in ax.get_lines()}
    assert {"shuffled weights", "edge", "bulk", "unit circle"} <= set(named)
    assert sum(len(named[kind].get_xdata()) for kind in ("bulk", "leak", "random", "learned") if kind in named) == 2 * 20
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    assert min(-left, right, -bottom, top) > 1.0
    ax.figure.canvas.draw()
    legend = ax.get_legend()
    assert all(line.get_markersize() >= 4.0 for line in legend.get_lines())
    # it covers nothing
    assert not legend.get_window_extent().overlaps(ax.get_window_extent())
    plt.close("all")
    with pytest.raises(TypeError, match="result must be a Diagnosis"):
        gt.plotting.plot_diagnosis(3)
