"""The onset of chaos, against transitions that are known, and its place in phase diagrams."""

import pickle

import numpy as np
import pytest

import gating_theory as gt

SMALL = {"n_units": 1000, "n_steps": 150}


def test_vanilla_networks_turn_chaotic_at_gain_one():
    found = gt.chaos_onset(gt.Ensemble(gt.Vanilla), "gain.h", tol=0.02, **SMALL)
    # a network of N units crosses at 1 up to N^{-1/2}: 0.03
    assert found == pytest.approx(1.0, abs=0.04)
    assert found.error <= 0.01 and not found.jump
    assert found.below[0] < 0 < found.above[0]
    assert "gain.h" in repr(found) and "1000 units" in repr(found)
    again = pickle.loads(pickle.dumps(found))
    assert again == found and again.error == found.error


def test_same_seed_same_value():
    values = [float(gt.chaos_onset(gt.Ensemble(gt.Vanilla), "gain.h", tol=0.2, rng=3, n_units=200, n_steps=60)) for _ in range(2)]
    assert values[0] == values[1]


def test_an_active_state_exists_while_zero_is_still_stable():
    """a_r = 8 > sqrt 8: from a large start chaos begins below the zero state's onset a_h = 2, near the mean-field fold."""
    ens = gt.Ensemble(gt.GRU, gain={"z": 1, "r": 8})
    found = gt.chaos_onset(ens, "gain.h", tol=0.04, **SMALL)
    fold = float(gt.fold(ens, "gain.h"))
    assert fold - 0.15 < found < 2.0


def test_largest_exponent_of_a_zero_state_is_the_log_of_its_radius():
    ens = gt.Ensemble(gt.GRU, gain={"z": 1, "r": 1, "h": 1.2}, bias={"z": 0.5})
    exponent, error = gt.largest_exponent(ens, 2000, 200, rng=0, scale=0.1)
    (zero,) = gt.fixed_points(ens)
    # the outermost eigenvalue of 2000 units sticks out of the edge by order N^{-1/2} of its radius, and power iteration of
    # 100 steps among eigenvalues that crowd at the edge is short of it by about log(100)/100
    assert exponent == pytest.approx(np.log(gt.Spectrum(zero).radius()), abs=0.05)
    assert 0 <= error < 0.02


@pytest.mark.slow
def test_largest_exponents_do_not_depend_on_the_number_of_units():
    """N = 250, 500, 1000, four networks each: networks of one size scatter by more than their errors in time say."""
    ens = gt.Ensemble(gt.GRU, gain={"z": 1, "r": 1, "h": 8})
    found = np.array([[gt.largest_exponent(ens, n, 200, rng=seed)[0] for seed in range(4)] for n in (250, 500, 1000)])
    means, errors = found.mean(axis=1), found.std(axis=1, ddof=1) / 2
    assert means.min() > 0.05
    for a, b in ((0, 1), (0, 2), (1, 2)):
        # errors from four values are themselves uncertain by 40 %; 1/N is the finite size
        assert abs(means[a] - means[b]) < 4 * np.hypot(errors[a], errors[b]) + 4 / (250, 500)[a]


def test_exponent_over_a_phase_diagram():
    ens = gt.Ensemble(gt.Vanilla)
    ds = gt.phase_diagram(ens, {"gain.h": [0.7, 1.8]}, ["count", "lyapunov"], n_units=300, n_steps=80, seed=0)
    value, error = ds["lyapunov"].values, ds["lyapunov_stderr"].values
    assert value[0] < 0 < value[1] and np.all(error >= 0)
    # a tangent shrinks by the spectral radius; of 60 dense networks of 300 units the mean is log(0.7) + 0.024, the spread 0.02
    assert value[0] == pytest.approx(np.log(0.7), abs=0.1)
    same = gt.phase_diagram(ens, {"gain.h": [0.7, 1.8]}, ["lyapunov"], n_units=300, n_steps=80, seed=0)
    assert np.array_equal(same["lyapunov"].values, value)
    other = gt.phase_diagram(ens, {"gain.h": [0.7, 1.8]}, ["lyapunov"], n_units=300, n_steps=80, seed=2)
    assert not np.array_equal(other["lyapunov"].values, value)


def test_chaos_line_in_a_phase_diagram():
    ens = gt.Ensemble(gt.Vanilla)
    axes = {"gain.h": [0.5, 1.5], "bias_std.h": [0.0]}
    ds = gt.phase_diagram(ens, axes, ["count", "chaos:gain.h"], n_units=300, n_steps=80)
    line, error = ds["chaos:gain.h"], ds["chaos_error:gain.h"]
    assert line.dims == ("bias_std.h",) and line.attrs["path"] == "gain.h"
    # 300 units cross at 1 within a few N^{-1/2}
    assert line.values[0] == pytest.approx(1.0, abs=0.2) and 0 < error.values[0] < 0.1


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda e: gt.chaos_onset(gt.Vanilla, "gain.h"), TypeError, "ensemble"),
        (lambda e: gt.chaos_onset(e, "gain.x"), ValueError, "gain.x"),
        (lambda e: gt.chaos_onset(e, "gain.h", bounds=(2, 1)), ValueError, "bounds"),
        (lambda e: gt.chaos_onset(e, "gain.h", bounds=(0.1, 0.3), n_units=50, n_steps=40), ValueError, "no onset"),
        (lambda e: gt.chaos_onset(e, "gain.h", tol=0.0), ValueError, "tol"),
        (lambda e: gt.largest_exponent(e, 5), ValueError, "n_units"),
        (lambda e: gt.phase_diagram(e, {"gain.h": [1.0]}, ["lyapunov"], n_units=5), ValueError, "n_units"),
        (lambda e: gt.phase_diagram(e, {"gain.h": [1.0]}, ["lyapunov"], seed=-1), ValueError, "seed"),
    ],
)
def test_bad_input(call, error, words):
    with pytest.raises(error, match=words):
        call(gt.Ensemble(gt.Vanilla))
