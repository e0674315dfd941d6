"""Lyapunov spectra: constant Jacobians, chaos against theory, the sum rule, tangent maps by finite differences, refusals."""

import dataclasses
import json
import re

import numpy as np
import pytest
from strategies import changed

import gating_theory as gt
from gating_theory.networks.lyapunov import kaplan_yorke

GAINS = {"GRU": {"z": 2.0, "r": 1.0, "h": 4.0}, "LSTM": {"f": 1.0, "i": 2.0, "g": 5.0, "o": 2.0}, "Vanilla": {"h": 3.0}}


def network(name, n, seed=0, **more):
    return gt.Network.sample(gt.Ensemble(getattr(gt, name), gain=GAINS[name], **more), n, rng=seed)


def short(net, k=None, n_steps=20, **more):
    return gt.lyapunov_spectrum(net, k, n_steps, **{"transient": 20, "tangent_transient": 10, "rng": 1, **more})


# --- constant Jacobians: networks held at their zero fixed point


def symmetric_network(name, eigenvalues):
    """A network whose zero state has a symmetric Jacobian 1/2 + U/4 with these eigenvalues (GRU: of h; LSTM: of c, h being c/2)."""
    n = eigenvalues.size
    q, _ = np.linalg.qr(np.random.default_rng(3).standard_normal((n, n)))
    cell = getattr(gt, name)
    matrices = np.random.default_rng(4).standard_normal((cell.n_fields, n, n))
    matrices[2] = q @ np.diag(4 * eigenvalues - 2) @ q.T  # h of the GRU, g of the LSTM; the others do not matter at zero
    return gt.Network(cell, matrices, np.zeros((cell.n_fields, n)))


@pytest.mark.parametrize("name", ["GRU", "LSTM"])
@pytest.mark.parametrize("interval", [1, 3, None])
def test_zero_state_with_separated_eigenvalues(name, interval):
    """QR iteration of a constant symmetric matrix converges as (ratio of neighbours)^(2 t): 0.8^600 here, nothing. What is left is
    rounding: a few eps a step, of a log of order 1, times the condition number 0.8^-(9 * 3) = 400 of the longest interval."""
    eigenvalues = 1.5 * 0.8 ** np.arange(10) * (-1.0) ** np.arange(10)
    net = symmetric_network(name, eigenvalues)
    size = net.cell.n_state * 10
    zero = np.zeros(size)
    result = gt.lyapunov_spectrum(net, n_steps=30, state=zero, transient=0, tangent_transient=300, interval=interval, rng=0)
    expected = np.log(np.abs(eigenvalues))
    assert result.exponents[:10] == pytest.approx(expected, abs=1e-12)
    assert result.stderr[:10] == pytest.approx(0, abs=1e-12)
    assert result.entropy == pytest.approx(expected[expected > 0].sum(), abs=1e-12)
    assert not result.state.any()
    if name == "GRU":
        assert result.exponents.sum() == pytest.approx(np.log(np.abs(eigenvalues)).sum(), abs=1e-12)
        assert result.sum_rule[0] == pytest.approx(result.sum_rule[1], abs=1e-12)
        assert result.status.code == "ok"
    else:
        # N of the 2N eigenvalues of the LSTM are exactly zero: no number, no NaN, and said so
        assert (result.exponents[10:] == -np.inf).all()
        assert (result.stderr[10:] == 0).all()
        assert result.sum_rule[0] == -np.inf
        assert "10 exponents are -inf" in str(result.status)
        assert not np.isnan(result.block_logs).any()
    # both have the same ten finite exponents, and the sum turns negative within them
    sums = np.cumsum(expected)
    j = int(np.flatnonzero(sums < 0)[0])
    assert result.dimension == pytest.approx(j + sums[j - 1] / -expected[j], abs=1e-10)


def test_zero_state_of_a_random_gru():
    """Exponents are log|eigenvalues|, complex pairs included; their sum is log|det J| whatever the frame.

    The growth of a p-volume over T steps is within a factor cond(V)^p of that by eigenvalues, V the eigenvectors; an exponent is
    the difference of two such sums. 2 p log cond(V) / T is a rigorous bound up to how the random frame lies; half of it for
    the mean p is ample.
    """
    n, T = 8, 1500
    net = network("GRU", n)
    J = net.jacobian(np.zeros(n))
    result = gt.lyapunov_spectrum(net, n_steps=T, state=np.zeros(n), transient=0, tangent_transient=100, rng=0)
    eigenvalues, vectors = np.linalg.eig(J)
    assert np.abs(eigenvalues.imag).max() > 0.1
    expected = np.sort(np.log(np.abs(eigenvalues)))[::-1]
    assert result.exponents == pytest.approx(expected, abs=n * np.log(np.linalg.cond(vectors)) / T)
    # exact: an orthonormal n-frame has determinant 1; rounding of T n logs of order 1
    assert result.exponents.sum() == pytest.approx(np.linalg.slogdet(J)[1], abs=1e-11)


def test_directions_that_are_dead_from_the_start():
    """A vanilla network with saturated units, rows of zeros, and units that nobody listens to, columns of zeros."""
    rng = np.random.default_rng(0)
    U = rng.standard_normal((1, 12, 12)) / np.sqrt(12)
    biases = np.zeros((1, 12))
    biases[0, :3] = 1e4  # 1/cosh^2 underflows to 0: these rows of the Jacobian vanish
    U[0, :, 3:5] = 0.0
    result = short(gt.Network(gt.Vanilla, U, biases), n_steps=40)
    assert (result.exponents == -np.inf).sum() == 5
    assert np.isfinite(result.exponents[:7]).all() and np.isfinite(result.stderr).all()
    assert not np.isnan(result.block_logs).any()
    assert "5 exponents are -inf" in str(result.status) and result.entropy >= 0.0
    silent = short(gt.Network(gt.Vanilla, np.zeros((1, 4, 4)), np.zeros((1, 4))))
    assert (silent.exponents == -np.inf).all()
    assert (silent.dimension, silent.entropy) == (0.0, 0.0)


def test_saturated_units_that_are_not_dead():
    """Rows 1e-26 and less of the others are resolved: the determinant says so. Gauss elimination and QR are both accurate row
    by row here; 1e-8 of a sum of order 100."""
    rng = np.random.default_rng(1)
    biases = np.zeros((1, 20))
    biases[0, :5] = [30.0, -32.0, 35.0, 50.0, 100.0]
    net = gt.Network(gt.Vanilla, 2 * rng.standard_normal((1, 20, 20)) / np.sqrt(20), biases)
    result = short(net, interval=1)
    assert np.isfinite(result.exponents).all()
    assert result.exponents[-1] < -60
    assert result.sum_rule[0] == pytest.approx(result.sum_rule[1], rel=1e-8)


# --- chaos


def test_vanilla_chaos_against_theory():
    """In discrete time fields of the vanilla network are white in the limit, so a tangent vector meets fresh Gaussians at every
    step: the largest exponent is log(a sqrt(E phi'^2)), E over the sites of the same trajectory.

    Mean over three networks. Tolerance: four standard errors in time, and 3/N for the finite network: the log of a mean over N
    sites differs from the log of its average by var/(4 N), with var of order 5 for (phi' U v)^2, and matrices differ by as much.
    """
    n, errors, excess = 300, [], []
    for seed in range(3):
        net = network("Vanilla", n, seed)
        start = net.run(net.random_state(10), 100)
        result = gt.lyapunov_spectrum(net, 2, 400, state=start, transient=0, tangent_transient=50, interval=5, rng=5)
        states = net.run(start, 450, trajectory=True)[50:450]
        slopes = np.mean([np.mean(np.cosh(net.fields(state)) ** -4.0) for state in states])
        excess.append(result.exponents[0] - np.log(3 * np.sqrt(slopes)))
        errors.append(result.stderr[0])
        assert result.exponents[0] > 20 * result.stderr[0]  # 0.3, so the tolerance of 0.02 tells something
    assert np.mean(excess) == pytest.approx(0, abs=4 * np.sqrt(np.mean(np.square(errors)) / 3) + 3 / n)


def test_independence_of_the_number_of_units():
    """The spectrum as a function of i/N has a limit: the mean of the first twentieth of it, N = 100, 200, 400, two networks each.

    Frozen matrices differ by more than errors in time say, so the error of a size is the larger of those in time and of its pair.
    Two of them (the seeds are fixed), and 1/N of the smaller for the finite size: 0.02 to 0.05, of a value of 0.1.
    """
    sizes = (100, 200, 400)
    means, errors = [], []
    for n in sizes:
        values, variances = [], []
        for seed in (0, 1):
            net = gt.Network.sample(gt.Ensemble(gt.GRU, gain={"z": 1, "r": 1, "h": 8}), n, rng=seed)
            result = gt.lyapunov_spectrum(net, n // 20, 60_000 // n, transient=100, rng=5)
            parts = [part.mean() / result.interval for part in np.array_split(result.block_logs, 20)]
            values.append(result.exponents.mean())
            variances.append(np.var(parts, ddof=1) / 20)
        means.append(np.mean(values))
        errors.append(max(np.sqrt(np.mean(variances) / 2), np.abs(np.diff(values)[0]) / 2))
    assert min(means) > 0.05
    for a in range(3):
        for b in range(a):
            assert means[a] == pytest.approx(means[b], abs=2 * np.hypot(errors[a], errors[b]) + 1 / sizes[b])


@pytest.mark.parametrize("name", ["GRU", "LSTM"])
@pytest.mark.parametrize("interval", [1, 2])
def test_the_sum_rule(name, interval):
    """Sum of log |R_jj| = log|det J| over the same steps: an identity. 1e-8 is rounding amplified by the condition number of the
    frame, 1e3 to 1e7; a wrong term of a Jacobian would show at order 1."""
    result = short(network(name, 30), interval=interval)
    assert result.exponents.size == 30 * result.state.shape[0]
    assert result.sum_rule[0] == pytest.approx(result.sum_rule[1], rel=1e-8)
    assert "sum rule" not in str(result.status)


def test_the_sum_rule_over_all_steps():
    """The sum is that of the exponents, and determinants by hand over the same steps agree with both."""
    net = network("LSTM", 20)
    start = net.run(net.random_state(0), 30)
    result = gt.lyapunov_spectrum(net, n_steps=20, state=start, transient=0, tangent_transient=4, interval=1, rng=0)
    states = net.run(start, 24, trajectory=True)
    by_hand = np.mean([np.linalg.slogdet(net.jacobian(state))[1] for state in states[4:24]])
    assert result.sum_rule[0] == pytest.approx(result.exponents.sum(), rel=1e-12)
    assert result.exponents.sum() == pytest.approx(by_hand, rel=1e-8)
    assert result.sum_rule[1] == pytest.approx(by_hand, rel=1e-12)
    assert result.state == pytest.approx(states[24], abs=1e-12)


def test_the_sum_rule_on_an_orbit_of_period_three():
    """Three units in a ring pass their signs on: log|det J| differs from phase to phase, and eight steps have no whole periods."""
    ring = 2.0 * np.roll(np.eye(3), 1, axis=0)
    net = gt.Network(gt.Vanilla, ring[None], np.array([[0.3, 0.0, -0.2]]))
    orbit = net.run(np.array([[1.0, 1.0, -1.0]]), 600, trajectory=True)[-4:]
    assert np.abs(orbit[3] - orbit[0]).max() < 1e-13 and np.abs(orbit[1] - orbit[0]).max() > 0.1
    phases = [np.linalg.slogdet(net.jacobian(state))[1] for state in orbit[:3]]
    assert np.ptp(phases) > 0.3
    result = gt.lyapunov_spectrum(net, n_steps=60, state=orbit[0], transient=0, tangent_transient=30, interval=1, rng=0)
    assert result.exponents.sum() == pytest.approx(np.mean(phases), rel=1e-10)
    assert result.sum_rule == pytest.approx((np.mean(phases), np.mean(phases)), rel=1e-10)


# --- what does not matter


@pytest.mark.parametrize("name", ["GRU", "LSTM"])
@pytest.mark.parametrize("k", [1, 6])
def test_fewer_exponents_are_the_first_of_all(name, k):
    """Same trajectory bit for bit, and the first vectors of the same frame: each column of logs is one of the full spectrum.

    To rounding, as products of other shapes round differently; it is amplified by the separation of neighbours only, hence 1e-9.
    The order of neighbours that have not separated may differ, so exponents are compared within their errors.
    """
    net = network(name, 25)
    full, few = (short(net, count, n_steps=200, tangent_transient=100, interval=1) for count in (None, k))
    assert np.array_equal(full.state, few.state)
    assert few.block_logs.shape == (200, k) and few.sum_rule is None
    for column in few.block_logs.T:
        assert np.abs(full.block_logs.T - column).max(axis=1).min() < 1e-9
    assert (np.abs(few.exponents - full.exponents[:k]) <= 2 * np.hypot(few.stderr, full.stderr[:k])).all()


@pytest.mark.parametrize("name, k", [("GRU", None), ("GRU", 5), ("LSTM", 10), ("Vanilla", 4)])
def test_the_interval_does_not_matter(name, k):
    """QR of a product is the product of the QRs: equal up to rounding times the condition number of the frame. These cases keep
    that of five steps below 1e5, hence 1e-10, relative to the largest exponent."""
    net = network(name, 10)
    one, two, five = (short(net, k, interval=m) for m in (1, 2, 5))
    scale = np.abs(one.exponents).max()
    assert [r.block_logs.shape[0] for r in (one, two, five)] == [20, 10, 4]
    assert np.array_equal(one.state, five.state)
    for other in (two, five):
        assert other.exponents == pytest.approx(one.exponents, abs=1e-10 * scale)
        merged = one.block_logs.reshape(other.block_logs.shape[0], other.interval, -1).sum(axis=1)
        assert other.block_logs == pytest.approx(merged, abs=1e-9 * scale)


def test_a_frame_near_collapse_is_reported():
    """All of a vanilla network: exponents from -0.2 to -7, so up to 1e16 between them after five steps. The automatic interval
    avoids that."""
    net = network("Vanilla", 10)
    assert re.search(r"the frame came close to collapse \(1e1[4-7]\)", str(short(net, interval=5).status))
    automatic = short(net, n_steps=100)
    assert automatic.status.code == "ok"
    # as good as re-orthonormalising at every step, to eps times the condition number allowed for, with room for its growth
    assert automatic.exponents == pytest.approx(short(net, n_steps=100, interval=1).exponents, abs=1e-7)


def test_the_automatic_interval():
    net = network("Vanilla", 20)
    many = gt.lyapunov_spectrum(net, 1, 400, tangent_transient=50, rng=0)
    assert many.interval == 10  # one vector is always well conditioned
    assert gt.lyapunov_spectrum(net, 1, 60, tangent_transient=50, rng=0).interval == 3  # twenty blocks are left
    full = gt.lyapunov_spectrum(net, None, 400, tangent_transient=50, rng=0)
    assert full.interval < many.interval
    assert short(net, k=2, tangent_transient=0).interval == 1


def test_whole_intervals():
    result = short(network("GRU", 6), n_steps=10, interval=4, tangent_transient=3)
    assert (result.n_steps, result.block_logs.shape, result.n_blocks) == (12, (3, 6), 3)
    assert result.exponents == pytest.approx(result.block_logs.mean(axis=0) / 4, rel=1e-13)


def test_seeds_and_noise():
    """The same seed, the same numbers; noise is drawn at every step where the ensemble has some."""
    net = network("GRU", 10, input_std={"h": 1.0})
    first, again, other = (short(net, 3, rng=seed) for seed in (1, np.random.default_rng(1), 2))
    assert np.array_equal(first.block_logs, again.block_logs)
    assert not np.array_equal(first.block_logs, other.block_logs)
    start = np.zeros((1, 10))
    noisy = [short(net, 3, rng=seed, state=start).state for seed in (1, 2)]
    assert not np.allclose(*noisy)
    quiet = [short(network("GRU", 10), 3, rng=seed, state=np.full(10, 0.1)).state for seed in (1, 2)]
    assert np.array_equal(*quiet)


def test_standard_errors_by_hand():
    """Standard error of the means of n_blocks groups of intervals."""
    result = short(network("GRU", 10), 2, n_steps=40, interval=2, n_blocks=5)
    means = result.block_logs.reshape(5, 4, 2).mean(axis=1) / 2
    assert result.n_blocks == 5
    assert result.stderr == pytest.approx(means.std(axis=0, ddof=1) / np.sqrt(5), rel=1e-12)


def test_kaplan_yorke_by_hand():
    inf = np.inf
    assert kaplan_yorke(np.array([1.0, -0.5, -2.0]), 3) == (2.25, True)
    assert kaplan_yorke(np.array([1.0, 0.0, -4.0, -5.0]), 9) == (2.25, True)
    assert kaplan_yorke(np.array([-0.1, -1.0]), 2) == (0.0, True)
    assert kaplan_yorke(np.array([0.5, -inf]), 2) == (1.0, True)
    assert kaplan_yorke(np.array([-inf, -inf]), 2) == (0.0, True)
    assert kaplan_yorke(np.array([1.0, -1.0]), 2) == (2.0, True)
    dimension, reached = kaplan_yorke(np.array([1.0, -0.5]), 3)
    assert np.isnan(dimension) and not reached


def test_a_dimension_out_of_reach_says_so():
    result = short(network("Vanilla", 40), 2)
    assert np.isnan(result.dimension)
    assert "dimension unknown" in str(result.status) and "entropy is a lower bound" in str(result.status)


# --- the result


def test_result_is_frozen_and_prints():
    result = short(network("GRU", 8))
    assert (np.diff(result.exponents) <= 0).all()
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.n_steps = 3
    with pytest.raises(ValueError, match="read-only"):
        result.exponents[0] = 0.0
    text = str(result)
    assert text.startswith("8 of 8 Lyapunov exponents of a GRU network, 8 units, 20 steps:") and "status: ok" in text
    assert "block_logs" not in repr(result)


@pytest.mark.parametrize("case", ["all", "few", "dead"])
def test_round_trip(tmp_path, case):
    """Bit for bit, with -inf and nan, in strict JSON."""
    if case == "dead":
        net = network("LSTM", 4)
        result = short(net, state=np.zeros(8))
        assert (result.exponents == -np.inf).any()
    else:
        result = short(network("Vanilla", 40 if case == "few" else 6), 2 if case == "few" else None)
    path = gt.save(result, tmp_path / "spectrum.json")
    json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    again = gt.load(path)
    assert isinstance(again, gt.LyapunovSpectrum)
    for item in dataclasses.fields(result):
        a, b = getattr(result, item.name), getattr(again, item.name)
        if isinstance(a, (np.ndarray, float)):
            assert np.array_equal(a, b, equal_nan=True), item.name
        else:
            assert a == b, item.name


def test_damaged_files(tmp_path):
    result = short(network("GRU", 5))
    path = tmp_path / "spectrum.json"

    def array(*values):
        return {"$array": "float64", "shape": [len(values)], "data": list(values)}

    for name, value, message in (
        ("exponents", array(*[0.0] * 5), "exponents must be the means of their block_logs"),
        ("stderr", array(*[0.0] * 4), r"stderr must have shape \(5,\), got \(4,\)"),
        ("interval", 0, "interval must be at least 1, got 0"),
        ("state", "x", "cannot be loaded"),
    ):
        changed(gt.save(result, path), lambda record, new={name: value}: record["result"].update(new))
        with pytest.raises(ValueError, match=message):
            gt.load(path)
    changed(gt.save(result, path), lambda record: record["result"].pop("sum_rule"))
    with pytest.raises(ValueError, match="a lyapunov has the entries .*'sum_rule'"):
        gt.load(path)


def test_progress(capsys):
    told = []
    net = network("GRU", 4)
    short(net, n_steps=9, interval=2, progress=lambda *a: told.append(a))
    assert told[0] == (20, 39) and told[-1] == (40, 40)  # nine steps are five intervals of two
    assert [done for done, _ in told] == list(range(20, 41))
    short(net, progress=True)
    assert "50/50" in capsys.readouterr().err


# --- refusals


@pytest.mark.parametrize(
    "changes, error, message",
    [
        ({"k": 0}, ValueError, r"k must lie in \[1, 6\], got 0"),
        ({"k": 7}, ValueError, r"k must lie in \[1, 6\], got 7"),
        ({"k": 2.0}, TypeError, "k must be an integer, got 2.0"),
        ({"k": True}, TypeError, "k must be an integer, got True"),
        ({"n_steps": 1}, ValueError, "n_steps must be at least 2, got 1"),
        ({"n_steps": 1e3}, TypeError, "n_steps must be an integer, got 1000.0"),
        ({"transient": -1}, ValueError, "transient must be at least 0, got -1"),
        ({"tangent_transient": -1}, ValueError, "tangent_transient must be at least 0, got -1"),
        ({"tangent_transient": 1.0}, TypeError, "tangent_transient must be an integer, got 1.0"),
        ({"interval": 0}, ValueError, r"interval must lie in \[1, 10\], got 0"),
        ({"interval": 11}, ValueError, r"interval must lie in \[1, 10\], got 11"),
        ({"interval": "auto"}, TypeError, "interval must be an integer, got 'auto'"),
        ({"n_blocks": 1}, ValueError, r"n_blocks must lie in \[2, 20\], got 1"),
        ({"n_blocks": 11, "interval": 2}, ValueError, r"n_blocks must lie in \[2, 10\], got 11"),
        ({"rng": -1}, ValueError, "rng must be at least 0, got -1"),
        ({"rng": "seed"}, TypeError, "rng must be an integer, got 'seed'"),
        ({"progress": False}, TypeError, "progress must be None, True or a callable"),
        ({"state": np.zeros(3)}, ValueError, r"state must have shape \(2, 3\) or"),
        ({"state": [np.nan] * 6}, ValueError, "state must be finite, got nan"),
        ({"state": "zero"}, TypeError, "state must be an array of real numbers, got 'zero'"),
    ],
)
def test_bad_input(changes, error, message):
    with pytest.raises(error, match=message):
        short(network("LSTM", 3), **changes)


def test_other_things_than_a_network():
    with pytest.raises(TypeError, match="net must be a Network, a layer with inputs or a recording, got (GRU|Cell)"):
        gt.lyapunov_spectrum(gt.GRU)
    batch = gt.Network.sample(gt.Ensemble(gt.GRU), 3, rng=0, batch=2)
    with pytest.raises(ValueError, match="net must be a single network, got a batch of 2"):
        gt.lyapunov_spectrum(batch)


def test_a_state_that_runs_away():
    net = gt.Network.sample(gt.Ensemble(gt.LiGRU, gain=8, bias=1), 20, rng=0)
    with pytest.raises(gt.ConvergenceError, match="runs away"):
        short(net, 2, n_steps=3000)
    with pytest.raises(gt.ConvergenceError, match="runs away|overflow") as caught:
        short(net, 2, n_steps=3000, transient=0, tangent_transient=0)
    assert np.isfinite(caught.value.estimate).all()
