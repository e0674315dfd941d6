"""All states of bistable ensembles by Gaussian paths: the outer two, and the one between them that iteration leaves [T8]."""

import numpy as np
import pytest

import gating_theory as gt
from gating_theory.dynamics.dynamic_mean_field.path_branch import PathBranch

#: Stated errors hold 95 of 100 differences twice; with many comparisons four are allowed.
SIGMAS = 4.0


def gru(z, h, white=0.0):
    return gt.Ensemble(gt.GRU, gain={"z": z, "r": 10, "h": h}, input_std={"h": white})


def test_three_states_against_the_exact_form():
    """Reset gain 10 next to its jump, with a little white input: chaos, the state between, a driven state."""
    ensemble = gru(0, 1.9, 0.05)
    exact = gt.dmft_states(ensemble)
    found = gt.dmft_states(ensemble, method="paths", n_sites=500, refine=5, rng=1)
    assert [state.verdict for state in found] == [state.verdict for state in exact] == ["chaotic", "chaotic", "driven"]
    assert [state.returns for state in found] == [state.returns for state in exact] == [True, False, True]
    for state, true in zip(found, exact):
        assert state.method == "paths" and state.ensemble == ensemble and true.method == "lag"
        for name, moment in true.moments.items():
            assert abs(state.moments[name] - moment) < SIGMAS * state.stderr[name], (state, true)
            # of the state between it is what gains are off by, over the slope of their logarithm: .01 / .016 with 500 sites
            assert state.stderr[name] < (0.15 if state.returns else 0.6) * moment
        assert abs(state.exponent - true.exponent) < SIGMAS * state.exponent_stderr


@pytest.mark.parametrize("seed", [1, 2])
def test_states_that_one_chunk_does_not_have(seed):
    """Next to the birth of the upper two, by 300 sites: a chunk whose upper state is off by half, and one that has none."""
    ensemble = gru(0, 1.872)
    upper, between, zero = gt.dmft_states(ensemble, method="paths", n_sites=300, refine=5, rng=seed)
    for state, true in zip((upper, between), gt.dmft_states(ensemble)):
        assert state.ok and state.verdict == true.verdict == "chaotic" and state.returns is true.returns
        assert abs(state.moments["h"] - true.moments["h"]) < SIGMAS * state.stderr["h"]
        assert state.stderr["h"] < 0.01 * true.moments["h"]  # nothing is sampled at given amplitudes
        assert abs(state.exponent - true.exponent) < SIGMAS * state.exponent_stderr
    assert zero.verdict == "zero_state"


def test_states_that_chunks_cannot_tell(monkeypatch):
    """Right at the birth of the upper two, with an error of gains that holds both: said, and not silent."""
    ensemble = gru(0, 1.8684)  # born at 1.8682263
    monkeypatch.setattr(PathBranch, "error", staticmethod(lambda values: 1e-3))
    unsure, zero = gt.dmft_states(ensemble, method="paths", n_sites=300, refine=5, rng=2)
    assert not unsure.ok and unsure.verdict == "undecided" and "whether there are two more states" in str(unsure)
    assert zero.verdict == "zero_state" and np.isnan(unsure.stderr["h"]) and unsure.moments["h"] == pytest.approx(0.037, rel=0.3)


def test_one_state_alone():
    """No second state at gain 3: the zero state is unstable, but there, and comes last."""
    found = gt.dmft_states(gt.Ensemble(gt.Vanilla, gain=3.0), method="paths", n_sites=500, refine=5, rng=1)
    assert [state.verdict for state in found] == ["chaotic", "zero_state"]
    assert found[1].moments == {"h": 0.0} and found[1].method == "paths"
    quiet = gt.dmft_states(gt.Ensemble(gt.GRU, gain={"z": 1, "r": 1, "h": 1}), n_sites=500, refine=5, rng=1)
    assert [state.verdict for state in quiet] == ["zero_state"]


@pytest.mark.nightly
def test_an_update_gate_that_moves():
    """gain.z 5 at a_h = 1.89, above a jump at 1.871: by an earlier prototype E h^2 is .02 at 1.8849(20), .06 at 1.8845(20)."""
    upper, between, zero = gt.dmft_states(gru(5, 1.89), rng=1)
    assert upper.verdict == between.verdict == "chaotic" and zero.verdict == "zero_state"
    assert upper.returns is True and between.returns is False
    assert between.moments["h"] < 0.0225 and upper.moments["h"] > 0.055
    # asked for at that amplitude the gain is that of the ensemble
    there = gt.dmft(gru(5, 1.89), amplitude=between.moments["h"], along="gain.h", rng=2)
    assert abs(there.ensemble.gain["h"] - 1.89) < 0.016


def test_a_state_that_is_not_found_is_said(monkeypatch):
    """No amplitude between chaos and the zero state is solved: the state between is there with a status, not silently missing."""

    def unsolved(*arguments, **more):
        raise gt.NoCriticalValue("no solution at this amplitude")

    monkeypatch.setattr(PathBranch, "held", unsolved)
    upper, between, zero = gt.dmft_states(gru(0, 1.95), method="paths", n_sites=500, refine=5, rng=1)
    assert upper.ok and zero.ok and not between.ok and between.verdict == "not_converged"
    assert "not found: no solution at this amplitude" in str(between)
    assert np.isnan([between.exponent, *between.stderr.values()]).all()


def test_the_largest_state_is_that_of_dmft():
    """One start, the larger one: the upper of three states."""
    state = gt.dmft(gru(0, 1.9, 0.05), method="paths", n_sites=500, refine=5, rng=2)
    assert state.verdict == "chaotic" and abs(state.moments["h"] - 0.0706) < SIGMAS * state.stderr["h"]
    assert np.isfinite(state.exponent)
