"""Memory of inputs at the initialisations of Keras and PyTorch: the table of docs/copies.md, tied and untied [T8b]."""

import numpy as np
import pytest

import gating_theory as gt

STD = 3**-0.5


def gru(gain):
    return gt.Ensemble(gt.GRUResetAfter, gain, input_std={"z": STD, "r": STD}, parameter_input_std=STD)


def lstm(gain, forget=0.0):
    return gt.Ensemble(gt.LSTM, gain, bias={"f": forget}, input_std=STD)


#: chi of two copies that share their weights, and with fresh ones in every step; the same at rest without input: to three digits by
#: an independent prototype, the last in closed form (z + w)^2, z^2 + w^2.
TABLE = [
    (gru(STD), 0.379, 0.2915, 0.4152, 0.2708),
    (lstm(1.0, 1.0), 0.794, 0.569, 0.9625, 0.5969),
    pytest.param(gru(1.0), 0.487, 0.337, 0.5625, 0.3125, marks=pytest.mark.nightly),
    pytest.param(lstm(STD), 0.3695, 0.2826, 0.4152, 0.2708, marks=pytest.mark.nightly),
    pytest.param(lstm(0.5, 1.0), 0.650, 0.537, 0.7328, 0.5501, marks=pytest.mark.nightly),
]


@pytest.mark.parametrize(("ensemble", "tied", "untied", "rest_tied", "rest_untied"), TABLE)
def test_memory_of_inputs(ensemble, tied, untied, rest_tied, rest_untied):
    state = gt.dmft(ensemble, window=64, refine=10)
    # the prototype's numbers carry sampling errors of their own, about .002 of log chi
    assert 2.0 * state.exponent == pytest.approx(np.log(tied), abs=4.0 * 2.0 * state.exponent_stderr + 0.004)
    run = gt.correlation_transient(ensemble, 20, 0.9, 0.05, rho_in=1.0, tied=False, n_sites=20_000, rng=0)
    part = 1.0 - run.correlation["h"]
    # of eight seeds the slope scattered by .004
    assert (part[20] / part[10]) ** 0.1 == pytest.approx(untied, abs=0.012)
    still = ensemble.replace({path: 0.0 for path in ensemble.paths if path.split(".")[0].endswith("input_std")})
    spectrum = gt.Spectrum(gt.fixed_points(still)[0])
    assert spectrum.radius() ** 2 == pytest.approx(rest_tied, abs=6e-5)
    growth = gt.gradient_growth(spectrum, 200, weights="untied").mean_square
    assert growth[-1] / growth[-2] == pytest.approx(rest_untied, abs=1e-4)
