"""States by Gaussian paths that were found before, by another program and by simulated networks [T8]."""

import numpy as np
import pytest
import sympy as sp

import gating_theory as gt

#: Of both sides' errors.
SIGMAS = 4.0


def gru(z, r, h, **more):
    return gt.Ensemble(gt.GRU, gain={"z": z, "r": r, "h": h}, **more)


def gated(z, r, h):
    """Krishnamurthy's network with gates that are read from the fields; z = 0 leaves a constant leak."""
    x, y_z, y_r, y_h = sp.symbols("x y_z y_r y_h", real=True)
    messages = [sp.tanh(x), sp.tanh(x) * gt.sigma(y_r)]
    if z == 0:
        return gt.Ensemble(
            gt.Cell(name="gated leak", state=[x], fields=[y_r, y_h], messages=messages, update=[y_h]), gain={"r": r, "h": h}
        )
    update = [x + gt.sigma(y_z) * (y_h - x)]
    cell = gt.Cell(name="gated", state=[x], fields=[y_z, y_r, y_h], messages=[sp.tanh(x), *messages], update=update)
    return gt.Ensemble(cell, gain={"z": z, "r": r, "h": h})


#: moments with their errors, exponent with its error, of simulated networks or of exact forms
KNOWN = {
    "flow of gain 2": (gt.Ensemble(gt.Vanilla, gain=2), {"flow": True}, [(0.4812013, 0.0)], (0.1124581, 0.0)),
    "flow of gain 1.5": (gt.Ensemble(gt.Vanilla, gain=1.5), {"flow": True}, [(0.332305, 0.0)], (0.046746, 0.0)),
    "gated flow (4, 3)": (gated(0, 3, 4), {"flow": True}, [(0.56975, 0.0), (0.20506, 0.0)], (0.3405543, 0.0)),
    "gated flow (6, 5)": (gated(0, 5, 6), {"flow": True}, [(0.72734, 0.0), (0.30085, 0.0)], (0.6764, 0.0)),
    # networks of 20,000 units
    "GRU map (1, 1, 8)": (gru(1, 1, 8), {}, [(0.6279, 0.0021), (0.1761, 0.001)], (0.1855, 0.002)),
    "GRU map (1, 1, 8) with white input": (
        gru(1, 1, 8, input_std={"h": 2.0}),
        {},
        [(0.4327, 0.003), (0.1183, 0.001)],
        (0.109, 0.001),
    ),
    # dense networks of 1500 units by Euler steps of .1, whose exponents are up to 8 % low
    "GRU flow (2, 2, 6)": (gru(2, 2, 6), {"flow": True}, [(0.569, 0.0035), (0.1835, 0.001)], (0.198, 0.006)),
    "slow GRU map (5, 0, 4)": (gru(5, 0, 4), {}, [(0.4828, 0.0021)], (0.040, 0.001)),
}
#: What takes a second.
SHORT = ("GRU map (1, 1, 8)", "GRU map (1, 1, 8) with white input")


def holds(case, **size):
    ensemble, clock, moments, (exponent, error) = KNOWN[case]
    state = gt.dmft(ensemble, method="paths", rng=3, **size, **clock)
    assert state.verdict == "chaotic" and state.ok, state
    for (moment, off), found, own in zip(moments, state.moments.values(), state.stderr.values()):
        assert abs(found - moment) < SIGMAS * np.hypot(own, off), (case, state)
    assert abs(state.exponent - exponent) < SIGMAS * np.hypot(state.exponent_stderr, error), (case, state)


@pytest.mark.parametrize("case", SHORT)
def test_states_of_networks(case):
    """Gates of gain one, with white input and without: networks of 20,000 units."""
    holds(case, n_sites=500, refine=10)


@pytest.mark.nightly
@pytest.mark.parametrize("case", [case for case in KNOWN if case not in SHORT])
def test_states_that_were_found_before(case):
    """Flows with and without gates, slow sites: exact forms and simulated networks."""
    holds(case)


def test_frozen_gates_end_in_a_status():
    """Sites that take thousands of steps, in the default window: whatever is said, it is not said to be chaos with a number."""
    state = gt.dmft(gru(20, 0, 4), n_sites=200, refine=5, rng=1)
    assert not state.ok and state.verdict in ("short_window", "not_converged", "undecided")


def test_messages_without_a_bound_are_said():
    """One that is linear grows for ever above gain one."""
    x, y = sp.symbols("x y", real=True)
    growing = gt.Ensemble(gt.Cell(name="growing", state=[x], fields=[y], messages=[x], update=[y + y**3]), gain=2.0)
    with pytest.raises(gt.ConvergenceError, match="grow without bound"):
        gt.dmft(growing, method="paths", n_sites=200, refine=5, window=32)


def test_tangents_that_remember_longer_than_a_lap():
    """A GRU that forgets 12 % a step and whose deviations fall by 8 %: their tangents keep 96 % a step, on a ring of 128."""
    ensemble = gru(0, 1, 0.8, bias={"z": 2.0}, input_std={"h": 0.5})
    exact = gt.dmft(ensemble, method="lag")
    state = gt.dmft(ensemble, method="paths", window=128, n_sites=500, refine=10, rng=1)
    assert state.verdict == exact.verdict == "driven"
    assert abs(state.exponent - exact.exponent) < SIGMAS * state.exponent_stderr
    assert state.exponent_stderr < 1e-3
