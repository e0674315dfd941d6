"""Critical values of any quantity along any path: closed forms, solutions solved for alone at the value found, round trips."""

import pickle

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import expit

import gating_theory as gt

G4 = gt.Ensemble(gt.GRU, gain={"r": 4.0})
#: Two folds within a few hundredths of each other, and no zero state.
BIASED = gt.Ensemble(gt.GRU, gain={"h": 1.7, "r": 10}, bias={"h": 0.03})


def spectra(ensemble):
    return [gt.Spectrum(point) for point in gt.fixed_points(ensemble)]


# --- smooth passages

GAINS = {
    "Vanilla": {0.0: 1.0, 0.1: 1.1934, 0.3: 1.3956, 0.5: 1.5497, 1.0: 1.8556, 2.0: 2.3250},
    "GRU": {0.0: 2.0, 0.1: 2.0311, 0.3: 2.1545, 0.5: 2.2850, 1.0: 2.5834, 2.0: 3.0832},
    "LSTM": {0.0: 2.0, 0.1: 2.1362, 0.3: 2.2441, 0.5: 2.2792, 1.0: 2.1966, 2.0: 1.4902},
}


@pytest.mark.parametrize(
    "cell, spread, gain",
    [
        pytest.param(cell, s, g, marks=pytest.mark.nightly if cell == "LSTM" and s > 0.1 else ())
        for cell, row in GAINS.items()
        for s, g in row.items()
    ],
)
def test_common_gain(cell, spread, gain):
    """The critical common gain against the spread of all biases, as found by an independent prototype to four digits."""
    ensemble = gt.Ensemble(getattr(gt, cell), bias_std=spread)
    found = gt.critical(ensemble, "gain", "abscissa", 1)
    # half a unit of the fourth digit, and some of the fifth: 2.19655 was rounded up
    assert abs(found - gain) < 6e-5 and found.error < 1e-6
    assert found.parameter == "gain" and found.kind == "abscissa" and found.rising and not found.discontinuous
    assert set(found.ensemble.gain.values()) == {float(found)}
    assert spectra(found.ensemble)[-1].abscissa() == pytest.approx(1.0, abs=1e-9)
    for side in (found.below, found.above):
        assert side[0] == pytest.approx(1.0, abs=1e-9) and side[1] < 1e-8


@settings(max_examples=8, deadline=None)
@given(b_r=st.floats(-2, 2), a_r=st.floats(0, 6), a_z=st.floats(0, 5), a_h=st.floats(0.1, 20))
def test_the_zero_state_of_a_gru(b_r, a_r, a_z, a_h):
    """a_h sigma(b_r) = 1, whatever the other gains and the present value are."""
    ensemble = gt.Ensemble(gt.GRU, gain={"z": a_z, "r": a_r, "h": a_h}, bias={"r": b_r})
    found = gt.critical(ensemble, "gain.h", "abscissa", 1, "zero")
    assert abs(found - 1.0 / expit(b_r)) <= found.error < 1e-8
    assert found.moments == {"h": 0.0, "r*h": 0.0} and "zero state" in str(found.status)
    assert abs(found - gt.onset(ensemble, "gain.h")) <= found.error
    # the abscissa between the leak and the edge is 1 - sigma(b_z) + sigma(b_z) a_h sigma(b_r) when all leaks are equal
    half = gt.critical(ensemble, "gain.h", "abscissa", 0.9, "zero")
    assert abs(half - 0.8 / expit(b_r)) <= half.error


def test_a_second_moment():
    for ensemble, path, message in (
        (gt.Ensemble(gt.Vanilla), "gain.h", "h"),
        (gt.Ensemble(gt.GRU), "gain", "r*h"),
        (gt.Ensemble(gt.LSTM, bias={"f": 1.0}), "gain.i=gain.g", "h"),
    ):
        found = gt.critical(ensemble, path, f"moment:{message}", 0.1)
        point = gt.fixed_points(found.ensemble)[-1]
        # what the error of the value means for the moment, with a slope of order one
        assert point.moments[message] == pytest.approx(0.1, abs=1e-10)
        assert found.error < 1e-9 and found.moments == pytest.approx(point.moments, rel=1e-8)
    same = gt.critical(gt.Ensemble(gt.Vanilla), "gain.h", "moments", 0.1)
    assert same == gt.critical(gt.Ensemble(gt.Vanilla), "gain.h", "moment:h", 0.1) and same.kind == "moments"


def test_a_quantity_that_rises_and_falls():
    """E h^2 of a vanilla network under a bias of either sign, which is even; the nearest to the present value."""
    ensemble = gt.Ensemble(gt.Vanilla, gain=2.0, bias=-0.3)
    both = gt.critical(ensemble, "bias.h", "moments", 0.7, all=True)
    assert [float(one) for one in both] == pytest.approx([-both[1], both[1]], abs=1e-11)
    assert [one.rising for one in both] == [False, True]
    assert float(gt.critical(ensemble, "bias.h", "moments", 0.7)) == both[0]
    assert float(gt.critical(ensemble.replace({"bias.h": 0.3}), "bias.h", "moments", 0.7)) == both[1]
    # narrow: passes 1 twice within a hundredth of the range
    peak = gt.fixed_points(ensemble.replace({"bias.h": 0.0}))[-1].moments["h"]
    close = gt.critical(ensemble, "bias.h", "moments", peak * (1 + 1e-3), all=True, bounds=(-30.0, 30.0))
    assert len(close) == 2 and close[1] - close[0] < 0.6
    for one in close:
        assert gt.fixed_points(one.ensemble)[-1].moments["h"] == pytest.approx(peak * (1 + 1e-3), rel=1e-9)


def test_paths_of_all_kinds():
    """A tie, a direction and a function that say the same."""
    ensemble = gt.Ensemble(gt.GRU, bias={"r": -0.5})
    by_name = gt.critical(ensemble, "gain.r=gain.h", "radius", 1.1)
    way = gt.Direction(ensemble.replace({"gain.r": 0.0, "gain.h": 0.0}), {"gain.r": 1.0, "gain.h": 1.0})

    def both(value):
        return {"gain.r": value, "gain.h": value}

    for path in (way, both):
        found = gt.critical(ensemble, path, "radius", 1.1, bounds=(0.0, 9.0))
        assert abs(found - by_name) <= found.error + by_name.error
        assert found.ensemble.value("gain.r") == pytest.approx(found.ensemble.value("gain.h"), rel=1e-15)
    assert found.parameter == "both"


CELLS = [gt.Vanilla, gt.GRU, gt.MGU, gt.JANET, gt.GRUResetAfter]


def round_trip(data, cells, quantities):
    """Where a quantity has the value that it has at an ensemble: there, among others."""
    cell = data.draw(st.sampled_from(cells))
    number = st.floats(0.2, 4.0)
    ensemble = gt.Ensemble(
        cell,
        gain={name: data.draw(number) for name in cell.field_names},
        bias={name: data.draw(st.floats(-1, 1)) for name in cell.field_names},
        bias_std=data.draw(st.sampled_from([0.0, 0.4])),
    )
    path = data.draw(st.sampled_from(["gain." + cell.field_names[-1], "bias." + cell.field_names[0], "bias_std"]))
    quantity = data.draw(st.sampled_from([*quantities, f"moment:{cell.message_names[0]}"]))
    here = data.draw(st.floats(0.5, 2.5))

    def at(value):
        return ensemble.replace({p: value for p in ensemble.paths if p == path or p.partition(".")[0] == path})

    def measured(there):
        point = gt.fixed_points(there)[-1]
        return point.moments[cell.message_names[0]] if "moment" in quantity else getattr(gt.Spectrum(point), quantity)()

    value = measured(at(here))
    assume(abs(measured(at(here + 0.01)) - value) > 1e-6)  # the zero state's do not change with everything
    found = gt.critical(ensemble, path, quantity, value, bounds=(0.0, 4.0), all=True)
    # a minimum or maximum at the ensemble itself is known to the square root of the quantity's error
    near = min(found, key=lambda one: abs(one - here))
    assert abs(near - here) <= 3.0 * near.error + 1e-5
    for one in found:
        assert one.discontinuous or measured(one.ensemble) == pytest.approx(value, abs=1e-8)


@settings(max_examples=6, deadline=None)
@given(data=st.data())
def test_round_trip(data):
    round_trip(data, CELLS, ["abscissa"])


@pytest.mark.nightly
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_round_trip_of_more_cells(data):
    round_trip(data, [*CELLS, gt.LSTM, gt.CoupledLSTM, gt.LiGRUTanh], ["abscissa", "radius"])


# --- jumps


def test_the_active_state_is_born_unstable():
    """GRU, a_r = 4: the abscissa of the active solution jumps over 1 where that is born."""
    found, born = gt.critical(G4, "gain.h", "abscissa", 1), gt.fold(G4, "gain.h")
    assert abs(found - born) <= found.error + born.error and found.moments == pytest.approx(born.moments, rel=1e-6)
    assert found.discontinuous and found.status.code == "discontinuous" and "born" in str(found.status) and found.rising
    # beside the fold: the zero state, whose abscissa is exact, and solutions that are a root of the distance away
    below = gt.critical(G4, "gain.h", "abscissa", found.below[0], "zero")
    assert abs(below - found) < 1e-8
    beyond = [spectra(G4.replace({"gain.h": found + step}))[-1].abscissa() for step in (1e-8, 4e-8)]
    assert found.above[0] == pytest.approx(2 * beyond[0] - beyond[1], abs=1e-6) and beyond[0] > found.above[0] > 1.0
    # the zero state does not feel it
    assert gt.critical(G4, "gain.h", "abscissa", 1, "zero") == pytest.approx(2.0, abs=1e-9)


def test_solutions_by_their_number():
    """The lower of the two that are born exists between the fold and the onset; then the number is the upper one's."""
    lower, jump = gt.critical(G4, "gain.h", "abscissa", 1.02, 1, all=True)
    assert not lower.discontinuous and spectra(lower.ensemble)[1].abscissa() == pytest.approx(1.02, abs=1e-9)
    assert jump == pytest.approx(2.0, abs=1e-11) and jump.discontinuous and "onset" in str(jump.status)
    assert jump.below[0] == pytest.approx(1.0, abs=1e-9)
    assert jump.above[0] == pytest.approx(spectra(G4.replace({"gain.h": 2.0 + 1e-7}))[-1].abscissa(), abs=1e-6)
    # between two folds: nothing is lost next to where it is born and where it merges with another
    folds = gt.critical(BIASED, "gain.h", "fold", all=True)
    for fold in folds:
        value = 0.99 * fold.moments["h"] + 0.01 * 0.02
        found = gt.critical(BIASED, "gain.h", "moment:h", value, 1)
        assert folds[0] < found < folds[1] and abs(found - fold) < 1e-3
        assert gt.fixed_points(found.ensemble)[1].moments["h"] == pytest.approx(value, rel=1e-8)
    with pytest.raises(gt.NoCriticalValue, match="moment:h of solution 1 does not pass 0.06 .* not defined at"):
        gt.critical(BIASED, "gain.h", "moment:h", 0.06, 1)


def test_numbers_of_solutions_change_at_folds_and_onsets():
    folds = gt.critical(BIASED, "gain.h", "fold", all=True)
    counts = gt.critical(BIASED, "gain.h", "count", 3, all=True)
    assert len(folds) == len(counts) == 2
    for fold, count in zip(folds, counts):
        assert abs(fold - count) <= fold.error + count.error and count.moments == pytest.approx(fold.moments, rel=1e-6)
    assert [(c.below[0], c.above[0]) for c in counts] == [(1.0, 3.0), (3.0, 1.0)]
    first, last = gt.critical(G4, "gain.h", "count", 3, all=True)
    assert first == pytest.approx(float(gt.fold(G4, "gain.h")), abs=1e-10) and last == pytest.approx(2.0, abs=1e-11)
    assert last.moments == {"h": 0.0, "r*h": 0.0} and not last.rising
    stable = gt.critical(G4, "gain.h", "stable", 1, "zero")
    assert stable == pytest.approx(2.0, abs=1e-8) and (stable.below[0], stable.above[0]) == (1.0, 0.0)


# --- costly quantities


def test_a_fraction_of_slow_modes():
    ensemble = gt.Ensemble(gt.GRU, gain={"h": 3.0})
    found = gt.critical(ensemble, "bias.z", "slow_fraction", 0.2, tau=20, bounds=(-2.0, 5.0))
    exact = gt.Spectrum(gt.fixed_points(found.ensemble)[-1]).slow_fraction(20, tol=1e-7)
    slope = (found.above[1] + found.below[1]) / (2 * found.error)
    assert abs(exact - 0.2) <= slope * found.error <= 2e-4


def test_a_number_of_fixed_points():
    found = gt.critical(gt.Ensemble(gt.Vanilla), "gain.h", "complexity", 0.01, bounds=(1.4, 2.0))
    assert gt.complexity(found.ensemble).value == pytest.approx(0.01, abs=1e-9) and found.error < 1e-7 and found.moments == {}
    assert gt.critical(G4, "gain.h", "complexity", 0) == gt.complexity_onset(G4, "gain.h")


def bumpy(point):
    """A moment with a wiggle of 1e-5, about as broad as what errors are measured on."""
    return point.moments["h"] + 1e-5 * np.sin(1e4 * point.ensemble.value("gain.h"))


def drawn(ensemble, rng):
    """A law with a known zero: gain.h - 1.5, shifted by 0.1 for each network."""
    return ensemble.value("gain.h") - 1.5 - 0.1 * np.random.default_rng(rng).standard_normal()


def test_quantities_of_ones_own():
    found = gt.critical(gt.Ensemble(gt.Vanilla), "gain.h", bumpy, 0.3, bounds=(0.5, 3.0), of="fixed_point")
    assert found.kind == "bumpy"
    smooth = gt.critical(gt.Ensemble(gt.Vanilla), "gain.h", "moment:h", 0.3)
    # the noise is found by itself: a root mean square of 0.7e-5 over a slope of 0.5
    assert 0.3e-5 < found.error < 6e-5 and abs(found - smooth) < 4 * found.error
    gt.register_quantity("drawn", drawn, of="ensemble", long_name="a number with noise", options=["rng"])
    found = gt.critical(gt.Ensemble(gt.Vanilla), "gain.h", "drawn", 0.2, n_networks=40, bounds=(0.0, 4.0))
    assert abs(found - 1.7) < 4 * found.error and found.error == pytest.approx(0.1 / np.sqrt(40), rel=0.5)
    assert len(found.networks) == 40 and found.rising


def test_an_exponent_against_theory():
    """Vanilla networks in discrete time: the exponent is the logarithm of the radius."""
    ensemble = gt.Ensemble(gt.Vanilla)
    found = gt.critical(ensemble, "gain.h", "lyapunov", 0.15, n_units=300, n_steps=150, bounds=(1.5, 3.0))
    exact = brentq(lambda g: np.log(spectra(ensemble.replace({"gain.h": g}))[-1].radius()) - 0.15, 1.5, 4.0)
    # errors from three networks are themselves uncertain by half; a network of N units is shifted by up to N^{-1/2}
    assert abs(found - exact) < 4 * found.error + 1 / np.sqrt(300)
    assert len(found.networks) == 3 and found.n_units == 300 and found.kind == "lyapunov" and "300 units" in str(found.status)
    assert found.below[0] < 0.15 < found.above[0]


# --- the rest


def test_kinds_that_have_calculators_of_their_own():
    assert gt.critical(G4, "gain.h", "onset") == gt.onset(G4, "gain.h")
    assert gt.critical(G4, "gain.h", "fold") == gt.fold(G4, "gain.h")
    assert [float(one) for one in gt.critical(G4, "gain.h", "onset", all=True)] == [float(gt.onset(G4, "gain.h"))]
    # along a bias the zero state of a GRU with a_h = 3 changes its stability once, with two biases together twice
    ensemble = gt.Ensemble(gt.GRU, gain={"h": 3.0})
    (one,) = gt.critical(ensemble, "bias.r", "onset", all=True)
    assert one == pytest.approx(-np.log(2.0), abs=1e-11)

    def bent(value):
        return {"bias.r": value**2 - 2.0}

    both = gt.critical(ensemble, bent, "onset", bounds=(-3.0, 3.0), all=True)
    assert [float(v) for v in both] == pytest.approx([-np.sqrt(2 - np.log(2)), np.sqrt(2 - np.log(2))], abs=1e-10)
    few = {"n_units": 200, "n_steps": 50, "n_networks": 1, "bounds": (0.5, 2.0)}
    assert gt.critical(gt.Ensemble(gt.Vanilla), "gain.h", "lyapunov", 0, **few) == gt.chaos_onset(
        gt.Ensemble(gt.Vanilla), "gain.h", **few
    )


def test_saved_and_printed(tmp_path):
    found = gt.critical(G4, "gain", "radius", 1.05)
    for again in (gt.load(gt.save(found, tmp_path / "value.json")), pickle.loads(pickle.dumps(found))):
        assert again == found and vars(again) == vars(found)
    assert repr(found).startswith(f"gain = {float(found)!r} (radius of the active solution passes 1.05 upwards")


def test_where_there_is_none():
    ensemble = gt.Ensemble(gt.GRU)
    with pytest.raises(
        gt.NoCriticalValue, match="abscissa of the active solution does not pass 0.2 .* 0 and 3 .* it is 0.5 to 1.*"
    ):
        gt.critical(ensemble, "gain", "abscissa", 0.2, bounds=(0, 3))
    with pytest.raises(gt.NoCriticalValue, match="it is 0 everywhere"):
        gt.critical(ensemble, "gain.z", "moment:h", 0.2)
    with pytest.raises(gt.CapabilityError, match="there is no zero state along 'gain'"):
        gt.critical(gt.Ensemble(gt.GRU, bias_std=0.5), "gain", "abscissa", 1, "zero")
    with pytest.raises(gt.NoCriticalValue, match="solution 5 is not defined anywhere"):
        gt.critical(ensemble, "gain", "abscissa", 1, 5)
    with pytest.raises(gt.CapabilityError, match="no bounded mean field"):
        gt.critical(gt.Ensemble(gt.LiGRU), "gain", "abscissa", 1)


@pytest.mark.parametrize(
    "arguments, kind, message",
    [
        (("gain.q", "abscissa", 1), ValueError, "path: no hyperparameter 'gain.q'"),
        (("gain", "abscisa", 1), ValueError, "quantity has the unknown entry 'abscisa' (did you mean 'abscissa'?); allowed are"),
        (("gain", "onset:gain.h", 1), ValueError, "quantity has the unknown entry 'onset:gain.h'"),
        (("gain", "moment:c", 1), ValueError, "moment takes the name of a message"),
        (
            ("gain", "moments", 1),
            ValueError,
            "must be one number, got 'moments'; for GRU take one of moment:h, moment:r*h",
        ),
        (("gain", "abscissa"), TypeError, "value must be given for 'abscissa'"),
        (("gain", "abscissa", "1"), TypeError, "value must be a real number"),
        (("gain", "onset", 1), ValueError, "value must be None for 'onset', got 1"),
        (("gain", "tricritical"), ValueError, "takes two paths"),
        (("gain", "abscissa", 1, "upper"), ValueError, "solution"),
        (("gain", "abscissa", 1, -1), ValueError, "solution must be at least 0"),
        (("gain", "abscissa", 1, "active", (3, 1)), ValueError, "bounds"),
        (
            ("gain", "complexity_onset", None, "active", None, True),
            ValueError,
            "all must be False for the onset of complexity, got True",
        ),
        (("gain", 3, 1), TypeError, "quantity must be"),
    ],
)
def test_bad_arguments(arguments, kind, message):
    with pytest.raises(kind) as caught:
        gt.critical(gt.Ensemble(gt.GRU), *arguments)
    assert message in str(caught.value)


def fails_above_two(point):
    if point.ensemble.value("gain.h") > 2.0:
        raise gt.ConvergenceError("not here")
    return point.moments["h"]


def test_what_did_not_converge_is_said():
    ensemble = gt.Ensemble(gt.Vanilla)
    found = gt.critical(ensemble, "gain.h", fails_above_two, 0.3, bounds=(0.5, 3.0), of="fixed_point", all=True)
    assert len(found) == 1 and "places did not converge" in str(found[0].status)
    with pytest.raises(gt.NoCriticalValue, match=r"it is 0 to 0\.5.* not defined at .* places did not converge"):
        gt.critical(ensemble, "gain.h", fails_above_two, 0.6, bounds=(0.5, 3.0), of="fixed_point")
