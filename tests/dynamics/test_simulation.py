"""Simulation with implicit matrices has the law of dense networks at the same finite N."""

import os
import threading
import tracemalloc

import numpy as np
import pytest
from scipy.stats import ks_2samp

import gating_theory as gt
from gating_theory.dynamics.simulation import memory_needed

ENSEMBLES = {
    "GRU": gt.Ensemble(gt.GRU, gain={"z": 2, "r": 3, "h": 4}, bias={"z": 0.3}, bias_std={"h": 0.2}),
    "LSTM": gt.Ensemble(gt.LSTM, gain=3.0, bias={"f": 1.0}, input_std={"g": 0.3}),
    "PeepholeLSTM": gt.Ensemble(gt.PeepholeLSTM, gain=3.0, parameter_std=0.3),
}


def dense_run(plain, ens, n, steps, rng):
    """Moments of the distinct messages, products with those of the first step, growth of a tangent vector: of a dense network."""
    net = gt.Network.sample(plain, n, rng=rng)
    state, v = net.random_state(rng), rng.standard_normal(ens.cell.n_state * n)
    v /= np.linalg.norm(v)
    path, growth = [], []
    for _ in range(steps):
        noise = ens.array("input_std")[:, None] * rng.standard_normal((ens.cell.n_fields, n))
        fields = net.fields(state, noise)
        path.append(np.array([np.broadcast_to(m, n) for m in ens.cell.compiled.messages(state, fields, net.parameters)]))
        v = net.jacobian(state, noise) @ v
        growth.append(np.log(np.linalg.norm(v)))
        v /= np.linalg.norm(v)
        state = net.step(state, noise)
    path = np.array(path)
    return np.mean(path**2, axis=2), np.mean(path[0] * path, axis=2), np.array(growth)


@pytest.mark.parametrize("name", ENSEMBLES)
def test_law_of_dense_networks_at_fifty_units(name):
    ens, n, steps, count = ENSEMBLES[name], 50, 5, 200
    # the dense comparison holds the frozen pattern out of it: input is drawn anew at every step in both
    plain = gt.Ensemble(ens.cell, ens.gain, ens.bias, ens.bias_std, parameter=ens.parameter, parameter_std=ens.parameter_std)
    rng = np.random.default_rng(0)
    dense, implicit = [], []
    for _ in range(count):
        dense.append(dense_run(plain, ens, n, steps, rng))
        run = gt.simulate(ens, n, steps, rng=rng, tangent=True)
        first = np.array([run.correlations[m][0] for m in ens.cell.message_names]).T
        implicit.append((run.moments, first, run.growth))
    for a, b in zip(zip(*dense), zip(*implicit)):
        a, b = np.array(a).reshape(count, -1), np.array(b).reshape(count, -1)
        error = np.sqrt((a.var(axis=0) + b.var(axis=0)) / count) + 1e-12
        # up to 25 numbers a comparison: four and a half standard errors
        assert np.all(np.abs(a.mean(axis=0) - b.mean(axis=0)) < 4.5 * error)
        # and the spread from network to network: a standard deviation of 200 has a relative error of 0.05 (more for skewed ones)
        spread = (a.std(axis=0) + 1e-12) / (b.std(axis=0) + 1e-12)
        assert np.all((0.6 < spread) & (spread < 1.6))


def test_two_time_correlations_at_two_thousand_units():
    ens, n, steps, count = gt.Ensemble(gt.GRU, gain={"z": 2, "r": 3, "h": 6}), 2000, 6, 5
    rng = np.random.default_rng(1)
    dense, implicit = [], []
    for _ in range(count):
        net = gt.Network.sample(ens, n, rng=rng)
        path = [net.random_state(rng)]
        for _ in range(steps - 1):
            path.append(net.step(path[-1]))
        h = np.array(path)[:, 0]
        dense.append(h @ h.T / n)
        implicit.append(gt.simulate(ens, n, steps, rng=rng, record=0).correlations["h"])
    dense, implicit = np.array(dense), np.array(implicit)
    # spreads of five networks are known to a third each: one spread for all pairs of times of one of the two kinds
    spread = np.sqrt(0.5 * (dense.var(axis=0, ddof=1) + implicit.var(axis=0, ddof=1)).mean())
    difference = dense.mean(axis=0) - implicit.mean(axis=0)
    assert np.abs(difference).max() < 4.5 * spread * np.sqrt(2 / count)
    # which is a sharp statement: correlations differ from one another by fifteen times that
    assert np.ptp(dense.mean(axis=0)) > 15 * spread * np.sqrt(2 / count)


def test_no_drift_once_settled():
    """A state that has converged stays: directions stop being new, and the step repeats itself to rounding."""
    ens = gt.Ensemble(gt.GRU, gain={"z": 0.5, "r": 0.5, "h": 0.8}, bias={"h": 0.5}, bias_std={"h": 0.5})
    run = gt.simulate(ens, 1000, 150, rng=0)
    assert run.change[-1] < 1e-29 and np.all(run.change[-20:] < 1e-28)
    assert run.state_moments[-1, 0] == pytest.approx(run.state_moments[-20, 0], rel=1e-13)
    assert max(run.n_directions.values()) < 100
    (fp,) = gt.fixed_points(ens)
    assert run.moments[-1, 0] == pytest.approx(fp.moments["h"], rel=5 * 2 / np.sqrt(1000))
    # and it is a fixed point of the recorded fields
    h = np.tanh(run.recorded_fields[-1, 2])
    assert np.abs(h - run.recorded_state[-1, 0]).max() < 1e-13


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("gain", "steps"), [(1.86, 800), (1.0, 450)])
def test_decays_are_those_of_dense_networks(gain, steps, dtype):
    """A slow decay and one to E h^2 = 1e-120. What rounding makes of new directions must not come back."""
    ens = gt.Ensemble(gt.GRU, gain={"z": 0, "r": 2, "h": gain})
    n, count, half = 100, 8, steps // 2
    net = gt.Network.sample(ens, n, rng=5, batch=count)
    middle = net.run(net.random_state(6), half)
    dense = [np.log10(np.mean(s**2, axis=(1, 2))) for s in (middle, net.run(middle, half))]
    runs = np.array([gt.simulate(ens, n, steps, rng=k, record=0, dtype=dtype).state_moments[:, 0] for k in range(count)])
    # networks of 100 units decay at rates that scatter by a third: two samples of one law, at a chance of one in a thousand
    assert ks_2samp(dense[1], np.log10(runs[:, -1])).pvalue > 1e-3
    assert ks_2samp(dense[1] - dense[0], np.log10(runs[:, -1] / runs[:, half])).pvalue > 1e-3
    small = runs[:, half] < 1e-6
    assert small.sum() >= 2 and (gain > 1.0 or np.median(runs[:, -1]) < 1e-100)
    # modes that are not orthogonal and beats let a moment rise by some factors, and nothing rises for good; how far it falls no
    # bound says: what is left is the slowest mode, which in one float32 run of some machines falls by e^-4 in 400 steps
    assert np.all(runs[small, -1] < runs[small, half])


@pytest.mark.parametrize("n", [500, pytest.param(2000, marks=pytest.mark.nightly)])
def test_a_state_that_decays_slowly(n):
    """Five hundred units end with E h^2 near 1e-25 in 700 steps, as dense networks; they used to overflow, or to rise again."""
    run = gt.simulate(gt.Ensemble(gt.GRU, gain={"z": 0, "r": 10, "h": 1.86}), n, 700, rng=1, record=0)
    h2 = run.state_moments[:, 0]
    small = np.flatnonzero(h2 < 1e-4)
    assert small.size > 100
    # the limit of N units decays by (1/2 + 1.86/4)^2 a step, networks by N^{-1/2} more or less; beats pass within a hundred steps
    rate = np.log(h2[-1] / h2[small[0]]) / (700 - small[0])
    assert rate == pytest.approx(2 * np.log(0.5 + 1.86 / 4), abs=2 * 0.93 / np.sqrt(n))
    assert np.all(h2[small[0] + 100 :] < h2[small[0] : -100])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_tangent_shrinks_as_the_decaying_state_itself(dtype):
    """Near zero the map is linear: both end in its slowest mode, the state through squares of 1e-300 to zero itself."""
    run = gt.simulate(gt.Ensemble(gt.Vanilla, gain=0.5), 100, 1300, rng=1, record=0, dtype=dtype, tangent=True)
    h2 = run.state_moments[:, 0]
    rate = 0.5 * np.log(h2[400] / h2[200]) / 200
    # a complex mode beats: by a factor of two or so over two hundred steps
    assert run.growth[200:400].mean() == pytest.approx(rate, abs=np.log(2) / 200)
    assert run.growth[1000:1200].mean() == pytest.approx(rate, abs=0.01) and h2[-1] == 0.0


@pytest.mark.parametrize("tangent", [False, True])
def test_same_bits_for_any_number_of_threads(tangent, monkeypatch):
    """Units enough for each thread to have some, and a last part that is shorter; all that is random is in it."""
    ens = gt.Ensemble(gt.PeepholeLSTM, gain=3.0, bias_std=0.2, input_std={"g": 0.3}, parameter_std=0.3)
    runs, alive = [], set()
    for count in (1, 2, 3):
        monkeypatch.setenv("OMP_NUM_THREADS", str(count))
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2}, raising=False)
        told = lambda done, total: alive.add((count, threading.active_count()))  # noqa: B023, E731  # called before count changes
        runs.append(gt.simulate(ens, 70_000, 3, rng=0, tangent=tangent, progress=told))
    alone = min(n for _, n in alive)
    assert {count: n - alone for count, n in alive} == {1: 0, 2: 1, 3: 2}
    first = runs[0]
    for run in runs[1:]:
        for name in ("state", "moments", "state_moments", "change", "recorded_fields", *(["growth"] if tangent else [])):
            assert np.array_equal(getattr(run, name), getattr(first, name)), name
        assert all(np.array_equal(run.correlations[m], first.correlations[m]) for m in first.correlations)


def test_correlations_are_products_of_messages():
    ens = ENSEMBLES["GRU"]
    for n, steps in ((40_000, 4), (300, 12)):  # the first of them in several parts
        run = gt.simulate(ens, n, steps, rng=0, record=n)
        h = run.recorded_state[:, 0]
        assert np.abs(run.correlations["h"] - h @ h.T / n).max() < 1e-12
        assert np.abs(run.state_moments[:-1, 0] - np.mean(h**2, axis=1)).max() < 1e-12
    assert np.abs(np.diagonal(run.correlations["r*h"]) - run.moments[:, 1]).max() < 1e-12


def test_single_precision_and_given_starts():
    """Products of messages come from coordinates, which single precision makes wrong by some 1e-6; fields follow from these."""
    ens = gt.Ensemble(gt.LSTM, gain=3.0)
    start = np.random.default_rng(5).standard_normal((2, 2000))
    double, single = (gt.simulate(ens, 2000, 20, rng=7, state=start, dtype=d, record=2000) for d in ("float64", "float32"))
    assert double.state_moments[0] == pytest.approx(np.mean(start**2, axis=1), rel=1e-14)
    for run, error in ((double, 1e-12), (single, 1e-5)):
        h = run.recorded_state[:, ens.cell.state_names.index("h")]
        assert np.abs(run.correlations["h"] - h @ h.T / 2000).max() < error
    # different random numbers: averages over 2000 sites of one network, at 20 correlated times
    a, b = (np.mean(run.recorded_fields[-10:] ** 2, axis=(0, 2)) for run in (double, single))
    assert a == pytest.approx(b, rel=5 * np.sqrt(2 * 2 / 2000))
    assert memory_needed(ens, 2000, 20, dtype="float32") < memory_needed(ens, 2000, 20)


@pytest.mark.parametrize("tangent", [False, True])
@pytest.mark.parametrize("name", ["GRU", "LSTM"])
def test_memory_is_announced(name, tangent):
    """What numpy takes at its peak, which it tells Python, is what was announced or a little less."""
    ens, n, steps = ENSEMBLES[name], 10_000, 12
    gt.simulate(ens, 10, 2, rng=0, tangent=tangent)  # compile
    tracemalloc.start()
    gt.simulate(ens, n, steps, rng=0, tangent=tangent)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    announced = memory_needed(ens, n, steps, tangent=tangent)
    assert 0.8 * announced < peak < 1.03 * announced


def test_a_state_that_runs_away_is_an_error():
    import sympy as sp

    x, y = sp.symbols("x y")
    cell = gt.Cell(name="runaway", state=[x], fields=[y], messages={y: sp.tanh(x)}, update={x: x**2 + y})
    ens = gt.Ensemble(cell, bias=2.0)
    with pytest.raises(gt.ConvergenceError, match=r"not finite after step \d+, before it the largest was \d") as caught:
        gt.simulate(ens, 50, 40, rng=0)
    assert np.isfinite(caught.value.estimate).all()
    with pytest.warns(RuntimeWarning, match="not finite"):
        ds = gt.phase_diagram(ens, {"gain.y": [1.0]}, ["lyapunov"], n_units=50, n_steps=40)
    assert (
        ds.status.attrs["flag_meanings"].split()[int(ds.status[0])] == "simulation_diverged" and np.isnan(ds.lyapunov.values).all()
    )


def test_silence_has_no_correlations():
    ens = gt.Ensemble(gt.GRU, gain={"z": 0, "r": 1, "h": 1})
    run = gt.simulate(ens, 20, 3, rng=0, state=np.zeros((1, 20)))
    assert np.array_equal(run.correlations["h"], np.zeros((3, 3))) and np.all(run.moments == 0.0)
    unheard = gt.simulate(gt.Ensemble(gt.GRU, gain={"z": 0, "r": 0, "h": 1}), 20, 3, rng=0)
    assert np.isnan(unheard.correlations["h"]).all() and np.isfinite(unheard.correlations["r*h"]).all()


def test_refuses_what_does_not_fit():
    ens = gt.Ensemble(gt.GRU)
    needed = memory_needed(ens, 1_000_000, 100)
    # two messages and three fields of 100 vectors of 8 MB are 4 GB
    assert 4.0e9 < needed < 4.5e9
    with pytest.raises(MemoryError, match=r"1000000 units and 100 steps need 3.* GiB .* at most 2\d steps"):
        gt.simulate(ens, 1_000_000, 100, memory_limit=1e9)


def test_progress_and_the_announcement():
    seen = []

    def progress(done, total):
        seen.append((done, total))

    progress.note = seen.append
    gt.simulate(gt.Ensemble(gt.GRU), 20, 3, rng=0, progress=progress)
    assert "GiB" in seen[0] and seen[1:] == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    "arguments, error, words",
    [
        ({"n_units": 0}, ValueError, "n_units"),
        ({"n_units": 10.0}, TypeError, "n_units"),
        ({"n_steps": 0}, ValueError, "n_steps"),
        ({"dtype": "float16"}, ValueError, "dtype"),
        ({"state": np.zeros((2, 10))}, ValueError, "state"),
        ({"state": np.full((1, 10), np.nan)}, ValueError, "finite"),
        ({"scale": -1.0}, ValueError, "scale"),
        ({"record": -1}, ValueError, "record"),
    ],
)
def test_bad_input(arguments, error, words):
    with pytest.raises(error, match=words):
        gt.simulate(gt.Ensemble(gt.GRU), **{"n_units": 10, "n_steps": 2, **arguments})


def test_not_an_ensemble():
    with pytest.raises(TypeError, match="ensemble"):
        gt.simulate(gt.GRU, 10, 2)


def test_progress_bar(capfd):
    gt.simulate(gt.Ensemble(gt.GRU), 20, 3, rng=0, progress=True)
    shown = capfd.readouterr().err
    assert "3/3" in shown and "GiB" in shown
    with pytest.raises(TypeError, match="progress must be"):
        gt.simulate(gt.Ensemble(gt.GRU), 20, 3, rng=0, progress=7)


def test_steady_states_count_both_runs():
    told = []
    gt.steady_state(gt.Ensemble(gt.GRU), 20, 30, rng=0, progress=lambda done, total: told.append((done, total)))
    assert told == [(i, 60) for i in range(1, 61)]
