"""PyTorch's GRU reads the candidate's input outside the reset gate: white input of the site parameter b_in [T8b, section 7]."""

import numpy as np
import pytest

import gating_theory as gt

STD = 0.577  # PyTorch's uniform weights of 1 / sqrt(H) have this size, and inputs of variance one


def driven():
    return gt.Ensemble(gt.GRUResetAfter, STD, input_std={"z": STD, "r": STD}, parameter_input_std=STD)


def test_theory_and_simulation_are_the_sheet_s():
    state = gt.dmft(driven(), window=64, refine=5)
    run = gt.steady_state(driven(), 4000, 60, rng=1)
    # log chi = log .379, printed to three digits; networks of 4000 units and paths say how sure they are
    assert 2.0 * state.exponent == pytest.approx(np.log(0.379), abs=4.0 * state.exponent_stderr + 0.0015)
    assert run.moments["h"] == pytest.approx(state.moments["h"], abs=4.0 * np.hypot(run.stderr["h"], state.stderr["h"]))


def test_input_outside_the_gate_is_not_that_inside():
    inside = gt.dmft(gt.Ensemble(gt.GRUResetAfter, STD, input_std=STD), window=64, refine=5)
    outside = gt.dmft(driven(), window=64, refine=5)
    assert inside.moments["h"] < 0.5 * outside.moments["h"]


def test_a_network_step_by_step():
    ens, n = driven(), 400
    net = gt.Network.sample(ens.replace({"parameter_input_std.b_in": 0.0}), n, rng=0)
    rng, state, squares = np.random.default_rng(1), np.zeros((1, n)), []
    for t in range(400):
        pattern = np.array([[STD], [STD], [0.0]]) * rng.standard_normal((3, n))
        state = net.driven(pattern, STD * rng.standard_normal((1, n))).step(state)
        if t >= 50:
            squares.append(np.mean(state**2))
    found = gt.dmft(ens, window=64, refine=5)
    apart = np.std(squares, ddof=1) / np.sqrt(len(squares) / 4.0)  # correlations last some steps
    # N = 400 shifts moments by order 1 %
    assert np.mean(squares) == pytest.approx(found.moments["h"], abs=4.0 * apart + 0.01 * found.moments["h"])
    with pytest.raises(gt.CapabilityError, match="site parameters"):
        gt.Network.sample(ens, 4, rng=0).run(np.zeros((1, 4)), 3)


def test_fixed_points_hold_it_still():
    still = gt.Ensemble(gt.GRUResetAfter, 0.5, parameter_std=0.3)
    held = gt.Ensemble(gt.GRUResetAfter, 0.5, parameter_input_std=0.3)
    assert gt.fixed_points(held)[0].moments == gt.fixed_points(still)[0].moments
