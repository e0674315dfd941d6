"""The dynamic mean field by paths against simulated networks, in moments and in the largest exponent [T8]."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gating_theory as gt

#: Both sides have errors of their own; four standard errors of the difference.
SIGMAS = 4.0


def agree(state, network, finite):
    """Within errors, and what a finite network may be off besides, relative in moments and absolute in the exponent."""
    for name, moment in state.moments.items():
        error = np.hypot(state.stderr[name], network.stderr[name])
        assert abs(moment - network.moments[name]) < SIGMAS * error + finite * moment, (name, state, network)
    error = np.hypot(state.exponent_stderr, network.lyapunov_stderr)
    assert abs(state.exponent - network.lyapunov) < SIGMAS * error + finite, (state, network)


@settings(max_examples=3, deadline=None, derandomize=True)
@given(cell=st.sampled_from(["GRU", "MGU", "LSTM"]), gate=st.floats(0.0, 2.0), h=st.floats(6.0, 12.0), white=st.floats(0.0, 0.5))
def test_drawn_cells_against_simulated_networks(cell, gate, h, white):
    """Gates of any gain, chaos with white input or without: networks of 4000 units, which may be off by 64^-1 = 1.6 %."""
    names = getattr(gt, cell).field_names
    gain = dict.fromkeys(names, gate) | {names[-1] if cell != "LSTM" else "g": h}
    ensemble = gt.Ensemble(getattr(gt, cell), gain=gain, input_std=white)
    state = gt.dmft(ensemble, method="paths", n_sites=500, refine=10, rng=0)
    if state.ok and state.verdict in ("chaotic", "driven"):
        agree(state, gt.steady_state(ensemble, 4000, 150, rng=1, lyapunov_units=4000), 4000**-0.5)


@pytest.mark.nightly
@pytest.mark.parametrize(
    "ensemble, step",
    [
        (gt.Ensemble(gt.GRU, gain={"z": 1, "r": 1, "h": 8}), 1.0),
        (gt.Ensemble(gt.GRU, gain={"z": 2, "r": 2, "h": 6}), 0.1),
        (gt.Ensemble(gt.Vanilla, gain=3), 0.25),
    ],
)
def test_exponents_of_dense_networks_lead_to_theory(ensemble, step):
    """``lyapunov_spectrum`` of sampled networks, extrapolated in 1/N: at 1500 units they are 3 to 8 % low."""
    cell = ensemble.cell.euler(step)
    moving = gt.Ensemble(cell, gain=ensemble.gain)
    sizes = np.repeat([300, 600, 1200], [8, 4, 2])
    found = [
        gt.lyapunov_spectrum(gt.Network.sample(moving, int(n), rng=i), 1, int(400 / step), rng=i).exponents[0] / step
        for i, n in enumerate(sizes)
    ]
    (slope, limit), covariance = np.polyfit(1.0 / sizes, found, 1, w=np.sqrt(sizes), cov=True)
    state = gt.dmft(ensemble, step=step, rng=0)
    assert abs(state.exponent - limit) < SIGMAS * np.hypot(np.sqrt(covariance[1, 1]), state.exponent_stderr)


@pytest.mark.nightly
@pytest.mark.parametrize("cell, gain", [("GRU", {"z": 1, "r": 1, "h": 8}), ("LSTM", {"f": 2, "i": 2, "g": 8, "o": 2})])
def test_tangents_of_simulated_networks_lead_to_theory(cell, gain):
    """Exponents of networks that have no matrices, of 500 to 4000 units, extrapolated in 1/N."""
    ensemble = gt.Ensemble(getattr(gt, cell), gain=gain)
    sizes = np.repeat([500, 1000, 2000, 4000], [8, 4, 2, 2])
    found = [gt.steady_state(ensemble, int(n), 200, rng=i, lyapunov_units=int(n)).lyapunov for i, n in enumerate(sizes)]
    (_, limit), covariance = np.polyfit(1.0 / sizes, found, 1, w=np.sqrt(sizes), cov=True)
    state = gt.dmft(ensemble, method="paths", rng=0)
    assert abs(state.exponent - limit) < SIGMAS * np.hypot(np.sqrt(covariance[1, 1]), state.exponent_stderr)
