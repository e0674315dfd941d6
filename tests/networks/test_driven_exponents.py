"""Conditional exponents along given inputs: against networks left alone, plain QR, theory under white input; refusals."""

import numpy as np
import pytest

import gating_theory as gt

GRU = gt.Ensemble(gt.GRU, gain={"z": 2, "r": 1, "h": 4})


def fed_network(cell=gt.GRU, n=6, seed=0, T=40, B=None, **gains):
    """A network and inputs of order one for it."""
    net = gt.Network.sample(gt.Ensemble(cell, gain=gains or 1.5), n, rng=seed)
    shape = (T, cell.n_fields, n) if B is None else (T, B, cell.n_fields, n)
    return net, np.random.default_rng(seed + 1).standard_normal(shape)


def by_plain_qr(jacobians, k):
    """Exponents of a product of matrices with a QR at every step, the first frame the identity's first columns."""
    q, logs = np.eye(len(jacobians[0]))[:, :k], []
    for jacobian in jacobians:
        q, r = np.linalg.qr(jacobian @ q)
        logs.append(np.log(np.abs(np.diag(r))))
    return np.array(logs)


@pytest.mark.parametrize("name", ["GRU", "LSTM"])
def test_inputs_that_never_change_are_a_frozen_input(name):
    """The same walk, step after step: the same products in another shape of arrays, so to the rounding of 60 steps times the
    condition number of the frame that the interval allows, 1e6."""
    net, x = fed_network(getattr(gt, name), T=100)
    frozen = gt.lyapunov_spectrum(net.driven(x[0]), n_steps=60, transient=20, tangent_transient=20, rng=3)
    fed = gt.lyapunov_spectrum(net, inputs=np.repeat(x[:1], 100, axis=0), transient=20, tangent_transient=20, rng=3)
    assert fed.interval == frozen.interval and fed.n_steps == frozen.n_steps == 60
    assert fed.exponents == pytest.approx(frozen.exponents, abs=1e-9)
    assert fed.state == pytest.approx(frozen.state, abs=1e-13)
    assert fed.status.code in ("still", "dead_directions") and fed.status.ok and "never change" in str(fed.status)
    assert fed.driven and not frozen.driven and frozen.intervals == (len(frozen.block_logs),)


def test_against_plain_qr():
    """Dense Jacobians along the run, with a QR at every step from the same kind of start: what is left of the first frame after 40
    steps is exp(-40 times the smallest distance of exponents), so the sum is exact and the largest is close."""
    net, x = fed_network(T=140)
    start = np.full((1, 6), 0.3)
    states = net.run(start, 140, x, trajectory=True)
    result = gt.lyapunov_spectrum(net, inputs=x, state=start, transient=0, tangent_transient=40, interval=1, rng=0)
    logs = by_plain_qr([net.jacobian(s, i) for s, i in zip(states, x)], 6)[40:]
    # an identity: the sum of all exponents is that of log|det J|; rounding of 100 logs
    assert result.exponents.sum() == pytest.approx(logs.sum() / 100, abs=1e-11)
    assert result.sum_rule[0] == pytest.approx(result.sum_rule[1], abs=1e-11)
    # exponents 0.1 apart: two frames differ by exp(-4) of the first vectors at the start of the average, 100 steps long
    assert result.exponents[0] == pytest.approx(logs[:, 0].mean(), abs=2e-3)
    assert result.state == pytest.approx(states[-1], abs=1e-13)


def test_site_parameters_that_change():
    """One unit: the exponent is the mean of log|ds'/ds|, by central differences of the step."""
    net = gt.Network.sample(gt.Ensemble(gt.GRUResetAfter, gain=1.0), 1, rng=0)
    rng = np.random.default_rng(1)
    x, p = rng.standard_normal((60, 3, 1)), rng.standard_normal((60, 1, 1))
    states = net.run([[0.2]], 60, x, trajectory=True, parameters=p)
    h, logs = 1e-6, []
    for state, i, one in zip(states, x, p):
        at = net.driven(i, one)
        logs.append(np.log(np.abs(at.step(state + h) - at.step(state - h)) / (2 * h)))
    more = {"state": [[0.2]], "transient": 0, "tangent_transient": 0, "rng": 0}
    result = gt.lyapunov_spectrum(net, inputs=x, parameters=p, **more)
    # central differences: h^2, and 1e-16 / h
    assert result.exponents[0] == pytest.approx(np.mean(logs), abs=1e-8)
    # the first step from the same state with parameters left alone differs
    assert not np.allclose(net.run([[0.2]], 1, x[0]), states[1])
    with pytest.raises(ValueError, match="inputs are needed with parameters"):
        gt.lyapunov_spectrum(net, parameters=p)
    with pytest.raises(ValueError, match="parameters must be of as many steps"):
        gt.lyapunov_spectrum(net, inputs=x, parameters=p[1:])


def test_sequences_count_alike():
    """Several sequences: each has the exponents that it has alone, to rounding, and the mean over all is theirs."""
    net, x = fed_network(T=60, B=3)
    more = {"k": 2, "interval": 5, "transient": 5, "tangent_transient": 5, "state": np.zeros(6), "rng": 0}
    every = gt.lyapunov_spectrum(net, inputs=x, **more)
    each = [gt.lyapunov_spectrum(net, inputs=x[:, b], **more) for b in range(3)]
    assert every.n_sequences == 3 and every.intervals == (10, 10, 10) and every.n_steps == 150
    assert every.by_sequence == pytest.approx(np.array([one.exponents for one in each]), abs=1e-11)
    assert every.exponents == pytest.approx(np.mean([one.exponents for one in each], axis=0), abs=1e-12)
    scatter = every.by_sequence.std(axis=0, ddof=1) / np.sqrt(3)
    assert (every.stderr >= scatter - 1e-12).all()
    assert "conditional Lyapunov exponents" in str(every) and "150 steps of 3 sequences" in str(every)


def test_theory_of_the_largest_exponent_under_white_input():
    """White input to a vanilla network, strong enough for an echo state: dmft's conditional exponent of infinite networks.

    Two networks of 200 units. Tolerance: four standard errors over time and networks, and 3/N for the finite size (log of a mean
    over N sites; see the test of chaos without input)."""
    sigma, gain, n = 1.0, 1.6, 200
    ens = gt.Ensemble(gt.Vanilla, gain=gain, input_std=sigma)
    theory = gt.dmft(ens, rng=0)
    found, errors = [], []
    for seed in range(2):
        net = gt.Network.sample(gt.Ensemble(gt.Vanilla, gain=gain), n, rng=seed)
        x = sigma * np.random.default_rng(10 + seed).standard_normal((900, 1, n))
        result = gt.lyapunov_spectrum(net, 1, inputs=x, rng=seed)
        assert result.exponents[0] < -10 * result.stderr[0] < 0.0
        found.append(result.exponents[0])
        errors.append(result.stderr[0])
    error = np.hypot(np.sqrt(np.mean(np.square(errors)) / 2), theory.exponent_stderr)
    assert np.mean(found) == pytest.approx(theory.conditional_exponent, abs=4 * error + 3 / n)


def test_how_long_inputs_are():
    net, x = fed_network(T=40)
    full = gt.lyapunov_spectrum(net, 1, inputs=x, rng=0)
    assert (full.transient, full.tangent_transient) == (4, 4) and full.n_steps == 32
    asked = gt.lyapunov_spectrum(net, 6, 100, inputs=x, interval=1, rng=0)
    assert asked.status.code == "short" and not asked.status.ok and "32 of the 100 steps" in str(asked.status)
    assert asked.n_steps == 32
    part = gt.lyapunov_spectrum(net, 6, 10, inputs=x, interval=1, rng=0)
    assert part.n_steps == 10 and part.status.code == "ok"
    with pytest.raises(ValueError, match="inputs of 40 steps leave less than two .* transient = 30 and tangent_transient = 9"):
        gt.lyapunov_spectrum(net, inputs=x, transient=30, tangent_transient=9)


@pytest.mark.parametrize(
    ("more", "error", "words"),
    [
        ({"inputs": np.zeros((5, 3, 5))}, ValueError, r"inputs must have shape \(T, 3, 6\), or \(T, B, 3, 6\) for B"),
        ({"inputs": np.zeros((0, 3, 6))}, ValueError, "inputs must have shape"),
        ({"inputs": np.full((9, 3, 6), np.nan)}, ValueError, "inputs must be finite"),
        ({"inputs": "noise"}, TypeError, "inputs must be"),
        ({"inputs": np.zeros((9, 3, 6)), "state": np.zeros(5)}, ValueError, "state must have shape"),
        ({"inputs": np.zeros((9, 3, 6)), "interval": 5}, ValueError, r"interval must lie in \[1, 4\], got 5"),
        ({"inputs": np.zeros((9, 3, 6)), "parameters": np.zeros((9, 1, 6))}, ValueError, "parameters must have shape"),
    ],
)
def test_refusals(more, error, words):
    net, _ = fed_network()
    with pytest.raises(error, match=words):
        gt.lyapunov_spectrum(net, **more)


def test_round_trip(tmp_path):
    net, x = fed_network(T=30, B=2)
    result = gt.lyapunov_spectrum(net, 2, inputs=x, rng=0)
    again = gt.load(gt.save(result, tmp_path / "driven.json"))
    assert again == result and again.driven and again.intervals == result.intervals
    assert np.array_equal(again.by_sequence, result.by_sequence)
