"""The onset of chaos, against transitions that are known, and its place in phase diagrams."""

import pickle

import numpy as np
import pytest

import gating_theory as gt
from gating_theory.dynamics import chaos

SMALL = {"n_units": 1000, "n_steps": 150}


def exact_exponent(ens):
    """Vanilla networks in discrete time: log(a sqrt(E phi'^2)) at the mean field's only non-zero or largest solution [T5]."""
    sites = gt.fixed_points(ens)[-1].sites
    return np.log(ens.gain["h"] * np.sqrt(sites.mean(np.cosh(sites.fields[0]) ** -4.0)))


@pytest.mark.parametrize(
    "ens, parameter, bounds, rising",
    [
        (gt.Ensemble(gt.Vanilla), "gain.h", (0.5, 1.5), True),
        (gt.Ensemble(gt.Vanilla, bias=0.5), "gain.h", (1.0, 3.0), True),  # no zero state
        (gt.Ensemble(gt.Vanilla, gain=1.5), "bias_std.h", (0.1, 2.0), False),  # frozen noise ends chaos
        (gt.Ensemble(gt.Vanilla, gain=2.0), "bias.h", (-3.0, 0.0), True),
    ],
)
def test_vanilla_onsets_are_where_theory_has_them(ens, parameter, bounds, rising):
    """From theory, where the exponent of a vanilla network is known, and by networks of 1000 units."""
    found = gt.chaos_onset(ens, parameter, tol=0.03, **SMALL)
    from scipy.optimize import brentq

    exact = brentq(lambda v: exact_exponent(ens.replace({parameter: v})) + (1e-12 if v == 1.0 else 0.0), *bounds)
    # errors from three networks are themselves uncertain by half; and a network of N units is shifted by up to N^{-1/2}
    assert abs(found - exact) < 4 * found.error + 1 / np.sqrt(1000)
    assert found.rising is rising and not found.discontinuous and len(found.networks) == 3
    assert (found.below[0] < 0 < found.above[0]) if rising else (found.above[0] < 0 < found.below[0])
    assert parameter in repr(found) and "1000 units" in repr(found) and ("above" if rising else "below") in repr(found)
    assert isinstance(found, gt.Critical) and found.kind == "chaos" and found.ensemble.value(parameter) == found
    assert found.discontinuous == (found.status.code == "discontinuous")
    again = pickle.loads(pickle.dumps(found))
    assert again == found and vars(again) == vars(found)


def invented(monkeypatch, law):
    """Replaces simulations by an exponent law(value, generator) and counts them."""
    calls = []

    def stand_in(ensemble, n_units, n_steps, scale, rng):
        calls.append(ensemble.value("gain.h"))
        return *law(calls[-1], rng), "chaotic"

    monkeypatch.setattr(chaos, "measured_exponent", stand_in)
    return calls


def test_a_jump_is_told_from_a_steep_crossing_whatever_the_tolerance(monkeypatch):
    ens = gt.Ensemble(gt.Vanilla)
    for tol in (0.3, 0.02):
        invented(monkeypatch, lambda v, rng: (np.sign(v - 1.234) * 0.05 + 0.1 * (v - 1.234), 1e-3))
        jump = gt.chaos_onset(ens, "gain.h", tol=tol)
        assert jump.discontinuous and jump == pytest.approx(1.234, abs=1.234 * 0.25 / np.sqrt(2000))
        invented(monkeypatch, lambda v, rng: (0.7 * (v - 1.234), 1e-3))
        smooth = gt.chaos_onset(ens, "gain.h", tol=tol)
        assert not smooth.discontinuous and smooth == pytest.approx(1.234, abs=1.234 * tol)


def test_errors_cover_what_networks_scatter_by(monkeypatch):
    """Invented networks whose onsets scatter by 0.05, seen through exponents with an error of 0.01 and a slope of 0.5."""
    pulls = []
    for seed in range(60):

        def law(v, rng):
            shift = 0.05 * rng.standard_normal()
            value = round(v * 1e9)
            return 0.5 * (v - 1.3 - shift) + 0.01 * np.random.default_rng(value).standard_normal(), 0.01

        invented(monkeypatch, law)
        found = gt.chaos_onset(gt.Ensemble(gt.Vanilla), "gain.h", n_networks=5, tol=1e-3, rng=seed)
        assert found.error == pytest.approx(0.05 / np.sqrt(5), rel=1.2)
        pulls.append((found - 1.3) / found.error)
    # Student's t with four degrees of freedom has a standard deviation of 1.4; 60 of them
    assert 0.7 < np.std(pulls) < 2.2 and abs(np.mean(pulls)) < 0.7


def test_where_an_onset_is_looked_for(monkeypatch):
    """The zero state of a GRU does not feel b_z: the first change of sign on the lattice. None at all is an error with words."""
    ens = gt.Ensemble(gt.GRU, gain={"z": 1, "r": 1, "h": 3})
    monkeypatch.setattr(chaos, "measured_exponent", lambda e, *a: (2.5 - e.value("bias.z"), 1e-3, "chaotic"))
    found = gt.chaos_onset(ens, "bias.z", tol=0.01)
    assert found == pytest.approx(2.5, abs=0.02) and not found.rising
    with pytest.raises(ValueError, match="no onset of chaos in gain.z: the largest exponent is positive at all of"):
        gt.chaos_onset(ens, "gain.z")
    # a network that disagrees with the first one beyond the bounds it was given
    drawn = []

    def law(v, rng):
        mark = rng.standard_normal()
        drawn.append(mark) if mark not in drawn else None
        return v - (1.0 if mark == drawn[0] else 6.0), 1e-3

    invented(monkeypatch, law)
    with pytest.raises(gt.ConvergenceError, match="another one does not"):
        gt.chaos_onset(gt.Ensemble(gt.Vanilla), "gain.h", bounds=(0.5, 1.5))
    # without bounds it is followed
    drawn.clear()
    assert gt.chaos_onset(gt.Ensemble(gt.Vanilla), "gain.h").networks == pytest.approx((1.0, 6.0, 6.0), rel=0.02)


def test_undecided_ends_are_moved_outwards(monkeypatch):
    """Beyond an onset at 2.6 the exponent is small, and no length of run tells the state from a drawn-out transient below 5."""

    def law(e, *size):
        value = e.value("gain.h")
        return value - 2.6, 1e-3, "chaotic" if value > 5.0 else "settled" if value < 2.6 else "undecided"

    monkeypatch.setattr(chaos, "measured_exponent", law)
    ens = gt.Ensemble(gt.GRU, gain={"z": 1, "r": 0, "h": 1})  # the zero state's onset is at 2: looked for between 1 and 4
    assert gt.chaos_onset(ens, "gain.h", tol=0.01) == pytest.approx(2.6, rel=0.01)


def test_where_one_network_does_not_tell_another_is_asked(monkeypatch):
    """The first network stays undecided wherever its exponent is positive."""
    drawn = []

    def law(e, n_units, n_steps, scale, rng):
        mark = rng.standard_normal()
        drawn.append(mark) if mark not in drawn else None
        value = e.value("gain.h")
        return value - 1.3, 1e-3, "settled" if value < 1.3 else "undecided" if mark == drawn[0] else "chaotic"

    monkeypatch.setattr(chaos, "measured_exponent", law)
    found = gt.chaos_onset(gt.Ensemble(gt.Vanilla), "gain.h", tol=0.01)
    assert found == pytest.approx(1.3, rel=0.01) and len(found.networks) == 3
    with pytest.raises(gt.NoCriticalValue, match="not of two signs in stationary states"):
        drawn.clear()
        gt.chaos_onset(gt.Ensemble(gt.Vanilla), "gain.h", n_networks=1)


def chaos_line(a_z, a_r, seed):
    """A line of a phase diagram, without a hole: a search that fails, or warns, fails the test. Small networks, short runs."""
    ens = gt.Ensemble(gt.GRU, gain={"z": a_z})
    ds = gt.phase_diagram(ens, {"gain.r": a_r}, ["chaos:gain.h"], n_units=300, n_steps=100, seed=seed)
    line, error = ds["chaos:gain.h"].values, ds["chaos_error:gain.h"].values
    assert np.isfinite(line).all() and np.isfinite(error).all()
    for r, value, spread in zip(a_r, line, error):
        # below the fold there is nothing but the stable zero state; networks of 300 units turn up to 2 N^{-1/2} earlier
        least = float(gt.fold(ens.replace({"gain.r": float(r)}), "gain.h"))
        assert value > least * (1 - 2 / np.sqrt(300)) - 3 * spread and value < 4.0


def test_a_chaos_line_has_no_hole():
    """At a_r = 0 a limit cycle at a_h = 4 left the bracket undecided."""
    chaos_line(1.0, np.array([0.0]), 0)


@pytest.mark.nightly
@pytest.mark.parametrize(("a_z", "seed"), [(0.0, 2), (1.0, 0), (1.0, 1)])
def test_chaos_lines_have_no_holes(a_z, seed):
    chaos_line(a_z, np.linspace(0.0, 10.0, 25), seed)


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_exponents_that_are_not_numbers_are_errors(monkeypatch, broken):
    invented(monkeypatch, lambda v, rng: (v - 1.0 if v < 1.2 else broken, 1e-3))
    with pytest.raises(gt.ConvergenceError, match=f"the exponent at gain.h = .* is {broken}"):
        gt.chaos_onset(gt.Ensemble(gt.Vanilla), "gain.h")


def test_same_seed_same_value():
    values = [float(gt.chaos_onset(gt.Ensemble(gt.Vanilla), "gain.h", tol=0.2, rng=3, n_units=200, n_steps=60)) for _ in range(2)]
    assert values[0] == values[1]


def test_an_active_state_exists_while_zero_is_still_stable():
    """a_r = 8 > sqrt 8: from a large start chaos begins below the zero state's onset a_h = 2, near the mean-field fold."""
    ens = gt.Ensemble(gt.GRU, gain={"z": 1, "r": 8})
    found = gt.chaos_onset(ens, "gain.h", tol=0.04, n_networks=2, **SMALL)
    assert float(gt.onset(ens, "gain.h")) == pytest.approx(2.0)
    assert found + 2 * found.error < 2.0
    assert found > float(gt.fold(ens, "gain.h")) - 3 * found.error
    # and the same networks fall to zero from a small start there
    exponent, error = gt.largest_exponent(ens.replace({"gain.h": 1.95}), scale=1e-3, rng=0, **SMALL)
    assert exponent < -3 * error


def test_largest_exponent_of_a_zero_state_is_the_log_of_its_radius():
    ens = gt.Ensemble(gt.GRU, gain={"z": 1, "r": 1, "h": 1.2}, bias={"z": 0.5})
    exponent, error = gt.largest_exponent(ens, 1000, 200, rng=0, scale=0.1)
    (zero,) = gt.fixed_points(ens)
    # the outermost eigenvalue of 1000 units sticks out of the edge by order N^{-1/2} of its radius, and power iteration of
    # 100 steps among eigenvalues that crowd at the edge is short of it by about log(100)/100
    assert exponent == pytest.approx(np.log(gt.Spectrum(zero).radius()), abs=0.05)
    assert 0 <= error < 0.02


@pytest.mark.slow
def test_largest_exponents_do_not_depend_on_the_number_of_units():
    """N = 250 and 1000, four networks each: networks of one size scatter by more than their errors in time say."""
    ens = gt.Ensemble(gt.GRU, gain={"z": 1, "r": 1, "h": 8})
    found = np.array([[gt.largest_exponent(ens, n, 200, rng=seed)[0] for seed in range(4)] for n in (250, 1000)])
    means, errors = found.mean(axis=1), found.std(axis=1, ddof=1) / 2
    assert means.min() > 0.05
    # errors from four values are themselves uncertain by 40 %; 1/N is the finite size
    assert abs(means[0] - means[1]) < 4 * np.hypot(*errors) + 4 / 250


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
    # of ten seeds (three networks each) values lie between 0.97 and 1.33, with errors of 0.01 to 0.14: one that is not at the edge
    ds = gt.phase_diagram(ens, axes, ["count", "chaos:gain.h"], n_units=300, n_steps=80, seed=1)
    line, error = ds["chaos:gain.h"], ds["chaos_error:gain.h"]
    assert line.dims == ("bias_std_h",) and line.attrs["path"] == "gain.h"
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
        (lambda e: gt.chaos_onset(e, "gain.h", n_networks=0), ValueError, "n_networks"),
        (lambda e: gt.chaos_onset(e, "gain.h", progress=3), TypeError, "progress"),
        (lambda e: gt.largest_exponent(e, 5), ValueError, "n_units"),
        (lambda e: gt.phase_diagram(e, {"gain.h": [1.0]}, ["lyapunov"], n_units=5), ValueError, "n_units"),
        (lambda e: gt.phase_diagram(e, {"gain.h": [1.0]}, ["lyapunov"], seed=-1), ValueError, "seed"),
    ],
)
def test_bad_input(call, error, words):
    with pytest.raises(error, match=words):
        call(gt.Ensemble(gt.Vanilla))


@pytest.mark.parametrize(("bounds", "n_steps"), [((1.0, 16.0), 200), (None, 60)])
def test_slow_gates_are_no_chaos(bounds, n_steps):
    """alpha = 1/4: only the zero state, and it is stable, however long a_z draws out the way there, on which vectors grow."""
    ens = gt.Ensemble(gt.GRU, gain={"z": 1, "r": 1, "h": 1})
    with pytest.raises(ValueError, match="no onset of chaos in gain.z"):
        gt.chaos_onset(ens, "gain.z", bounds, n_units=200, n_steps=n_steps, n_networks=1, tol=0.3)


def test_along_paths_of_several_hyperparameters(monkeypatch):
    """An exponent that is linear in the gain, along other ways to the same networks."""
    lstm = gt.Ensemble(gt.LSTM)

    def squared(value):
        return {"gain": value**2}

    def measured(ensemble, n_units, n_steps, scale, rng):
        return ensemble.gain["g"] - 1.3, 1e-3, "chaotic"

    monkeypatch.setattr(chaos, "measured_exponent", measured)
    ways = [("gain", None, 1.3), ("gain.g=2*gain.f", None, 1.3), (gt.Direction(lstm, {"gain.g": 1.5}), None, 0.2)]
    ways += [(squared, (0.5, 2.0), np.sqrt(1.3)), ("2*gain.g=gain.f", None, 2.6)]
    for path, bounds, value in ways:
        found = gt.chaos_onset(lstm, path, bounds, n_networks=1, tol=1e-6)
        assert abs(found - value) < 1e-6 * max(1.0, value) and found.ensemble.gain["g"] == pytest.approx(1.3, abs=1e-5)
    with pytest.raises(gt.NoCriticalValue, match="direction within bounds"):
        gt.chaos_onset(lstm, gt.Direction(lstm, {"gain.f": 1.0}), n_networks=1)
