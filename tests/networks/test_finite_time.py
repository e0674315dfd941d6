"""Finite-time exponents: windows by plain products of Jacobians, their spread where a formula has it, statuses, refusals."""

import json

import numpy as np
import pytest

import gating_theory as gt


def one_unit(weight=0.8):
    return gt.Network(gt.Vanilla, np.full((1, 1, 1), weight), np.zeros((1, 1)))


def log_slopes(weight, x):
    """log|ds'/ds| at each step of one unit from zero, s' = tanh(w s + x), by its formula."""
    s, out = 0.0, []
    for value in x:
        field = weight * s + value
        out.append(np.log(weight) - 2.0 * np.log(np.cosh(field)))
        s = np.tanh(field)
    return np.array(out)


def found_of_one(x, window, **more):
    settings = {"state": [[0.0]], "transient": 0, "tangent_transient": 0, "rng": 0}
    return gt.finite_time_exponents(one_unit(), window, inputs=np.reshape(x, (-1, 1, 1)), **settings, **more)


def test_one_unit_by_its_formula():
    """All windows, and all statistics of them, from the logs of slopes: rounding of sums of window terms of order one."""
    x = np.random.default_rng(0).standard_normal(2000)
    result = found_of_one(x, 5)
    windows = log_slopes(0.8, x).reshape(400, 5).mean(axis=1)
    assert result.windows[:, 0] == pytest.approx(windows, abs=1e-12)
    assert result.exponents[0] == pytest.approx(windows.mean(), abs=1e-12)
    assert result.std[0] == pytest.approx(windows.std(ddof=1), rel=1e-10)
    assert result.lengths.tolist() == [5, 10, 20, 40, 80] and result.n_windows == 400
    for j, factor in enumerate((1, 2, 4, 8, 16)):
        assert result.std_by_length[j, 0] == pytest.approx(windows.reshape(-1, factor).mean(axis=1).std(ddof=1), rel=1e-10)
    assert result.quantiles(0.3) == pytest.approx([np.quantile(windows, 0.3)], rel=1e-10)
    assert result.quantiles([0.0, 0.5, 1.0])[:, 0] == pytest.approx(np.quantile(windows, [0.0, 0.5, 1.0]), rel=1e-10)
    assert result.diffusion[0] == pytest.approx(80 * windows.reshape(-1, 16).mean(axis=1).var(ddof=1), rel=1e-10)
    blocks = windows.reshape(20, 20).mean(axis=1)
    assert result.stderr[0] == pytest.approx(blocks.std(ddof=1) / np.sqrt(20), rel=1e-10)


def test_the_spread_falls_as_the_root_of_the_length_under_white_input():
    """Slopes of one unit under white input forget within a step or two.

    The power is 1/2 within three of its errors (the seed is fixed), and the error tells something: .1 of .5 at most. The same input
    held for 64 steps at a time does not forget within a window.
    """
    rng = np.random.default_rng(1)
    result = found_of_one(rng.standard_normal(2400), 3)
    assert result.power[0] == pytest.approx(0.5, abs=3 * result.power_stderr[0]) and result.power_stderr[0] < 0.1
    assert result.status.code == "ok"
    slow = found_of_one(np.repeat(rng.standard_normal(30), 64), 4)
    assert slow.power[0] < 0.25 and slow.status.code == "correlated" and slow.status.ok
    assert f"length^{-slow.power[0]:.2f} " in str(slow.status)


def test_the_power_of_its_error():
    """Scatter of the power over 16 runs of white input against the error stated: a scatter of 16 is known to 18 %, and errors by
    leaving out one of 16 to 31 stretches differ by 20 % themselves: a factor 1.7 either way."""
    powers, errors = [], []
    for seed in range(16):
        result = found_of_one(np.random.default_rng(seed).standard_normal(500), 2)
        powers.append(result.power[0])
        errors.append(result.power_stderr[0])
    assert 1 / 1.7 < np.std(powers, ddof=1) / np.sqrt(np.mean(np.square(errors))) < 1.7
    # and the mean is 1/2: the logarithm of a standard deviation of 16 is low by 1/(4 * 15), over log 8 of lengths
    assert np.mean(powers) == pytest.approx(0.5, abs=3 * np.std(powers) / np.sqrt(16) + 0.02)


@pytest.mark.parametrize("name", ["GRU", "LSTM"])
def test_windows_by_plain_products(name):
    """Two leading exponents of windows, from QR of dense Jacobians. The frames start differently and turn to one another as exp of
    the distance of exponents times steps: after 300 steps, 0.1 a step apart, to rounding."""
    net = gt.Network.sample(gt.Ensemble(getattr(gt, name), gain={"h" if name == "GRU" else "g": 3.0}), 8, rng=0)
    K = net.cell.n_fields
    x = np.random.default_rng(1).standard_normal((420, K, 8))
    start = np.zeros((net.cell.n_state, 8))
    result = gt.finite_time_exponents(net, 12, 2, inputs=x, state=start, transient=0, tangent_transient=300, rng=0)
    states = net.run(start, 420, x, trajectory=True)
    q, logs = np.linalg.qr(np.random.default_rng(5).standard_normal((start.size, 2)))[0], []
    for state, pattern in zip(states, x):
        q, r = np.linalg.qr(net.jacobian(state, pattern) @ q)
        logs.append(np.log(np.abs(np.diag(r))))
    windows = np.array(logs)[300:].reshape(10, 12, 2).mean(axis=1)
    assert result.windows == pytest.approx(windows, abs=1e-8)
    assert result.windows.shape == (10, 2) and result.status.code == "few"


def test_means_are_those_of_the_spectrum():
    """One walk, cut differently: the same trajectory and the same first frame, to rounding times the condition of two vectors."""
    net = gt.Network.sample(gt.Ensemble(gt.GRU, gain={"z": 2, "r": 1, "h": 6}), 30, rng=0)
    more = {"n_steps": 120, "transient": 50, "tangent_transient": 30, "rng": 3}
    found = gt.finite_time_exponents(net, 12, 2, **more)
    spectrum = gt.lyapunov_spectrum(net, 2, interval=1, **more)
    assert found.exponents == pytest.approx(spectrum.exponents, abs=1e-9)
    assert not found.driven and found.n_windows == 10
    # rounded up to whole windows
    assert gt.finite_time_exponents(net, 50, **more).n_windows == 3


def test_sequences():
    """Windows do not cross the ends of sequences; of sequences that differ for good the error is that between them."""
    x = np.random.default_rng(2).standard_normal((103, 4, 1, 1)) * np.array([0.1, 0.2, 2.0, 4.0])[:, None, None]
    result = gt.finite_time_exponents(one_unit(), 10, inputs=x, state=np.zeros((4, 1, 1)), transient=0, tangent_transient=0, rng=0)
    assert result.sequence.tolist() == [0] * 10 + [1] * 10 + [2] * 10 + [3] * 10
    for b in range(4):
        own = log_slopes(0.8, x[:, b, 0, 0])[:100].reshape(10, 10).mean(axis=1)
        assert result.windows[result.sequence == b, 0] == pytest.approx(own, abs=1e-12)
    means = [result.windows[result.sequence == b, 0].mean() for b in range(4)]
    assert result.stderr[0] >= np.std(means, ddof=1) / 2 - 1e-12
    assert result.status.code == "correlated"


def test_dead_directions_and_what_never_varies(tmp_path):
    silent = gt.Network(gt.Vanilla, np.zeros((1, 3, 3)), np.zeros((1, 3)))
    dead = gt.finite_time_exponents(silent, 2, 2, 80, rng=0)
    assert (dead.exponents == -np.inf).all() and np.isnan(dead.std).all() and dead.status.code == "dead_directions"
    assert (dead.quantiles(0.3) == -np.inf).all() and str(dead)
    still = found_of_one(np.zeros(80), 2)
    # zero stays zero: the slope is the weight at every step
    assert still.exponents[0] == pytest.approx(np.log(0.8), abs=1e-14) and still.std[0] < 1e-15
    for result in (dead, still):
        path = gt.save(result, tmp_path / "windows.json")
        json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
        again = gt.load(path)
        assert np.array_equal(again.windows, result.windows) and str(again) == str(result)


def test_short_inputs():
    x = np.random.default_rng(0).standard_normal(100)
    asked = found_of_one(x, 10, n_steps=200)
    assert asked.status.code == "short" and not asked.status.ok and "100 of the 200 steps" in str(asked.status)
    assert found_of_one(x, 8, n_steps=90).status.code != "short"
    with pytest.raises(ValueError, match="window must leave two windows in the 100 steps that there are, got 60"):
        found_of_one(x, 60)


@pytest.mark.parametrize(
    ("more", "error", "words"),
    [
        ({"window": 0}, ValueError, "window must be at least 1, got 0"),
        ({"window": 2.0}, TypeError, "window must be an integer"),
        ({"k": 2}, ValueError, r"k must lie in \[1, 1\], got 2"),
        ({"n_steps": 1}, ValueError, "n_steps must be at least 2"),
        ({"progress": 1}, TypeError, "progress must be"),
    ],
)
def test_refusals(more, error, words):
    with pytest.raises(error, match=words):
        gt.finite_time_exponents(one_unit(), **{"window": 2, **more})
    with pytest.raises(ValueError, match=r"q must lie in \[0, 1\], got 2"):
        found_of_one(np.ones(10), 2).quantiles(2)


def test_damaged_files(tmp_path):
    from strategies import changed

    result = found_of_one(np.arange(20.0) / 20, 2)
    path = tmp_path / "windows.json"
    zero = {"$array": "float64", "shape": [1], "data": [0.0]}
    for name, value, words in (("exponents", zero, "means of their windows"), ("window", 0, "window must be at least 1")):
        changed(gt.save(result, path), lambda record, new={name: value}: record["result"].update(new))
        with pytest.raises(ValueError, match=words):
            gt.load(path)
