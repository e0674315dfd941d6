"""Memory of inputs at the initialisations of Keras and PyTorch: the table of docs/guides/copies.md, tied and untied [T8b]."""

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
    (gru(1.0), 0.487, 0.337, 0.5625, 0.3125),
    (lstm(1.0, 1.0), 0.794, 0.569, 0.9625, 0.5969),
    pytest.param(gru(STD), 0.379, 0.2915, 0.4152, 0.2708, marks=pytest.mark.nightly),
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


@pytest.mark.parametrize("gain, chi", [(STD, 0.98178), (1.0, 0.98513)])
def test_chrono_initialisation_at_rest(gain, chi):
    """Biases log u of f and -log u of i, u even from 1 to 99: the published chi, and E of the edge's equation over u by itself."""
    from scipy.optimize import brentq

    node, weights = np.polynomial.legendre.leggauss(200)
    u, weights = 50.0 + 49.0 * node, 0.5 * weights
    fields = np.array([np.log(u), -np.log(u), 0.0 * u, 0.0 * u])  # f, i, g, o
    sites = gt.Sites(gt.LSTM, weights, np.zeros((gt.LSTM.n_state, u.size)), fields, gain=np.full(4, gain), matrices="iid")
    found = gt.Spectrum(sites).radius() ** 2
    # a^2 o^2 E i^2 / |lambda - f|^2 = 1, o = 1/2: only the candidate's field moves what is zero
    own = brentq(lambda edge: 0.25 * gain**2 * weights @ (1.0 / (1.0 + u) / (edge - u / (1.0 + u))) ** 2 - 1.0, 0.9901, 2.0)
    assert found == pytest.approx(chi, abs=6e-6) and found == pytest.approx(own**2, abs=1e-10)
    assert found > 0.99**2  # the slowest unit's own, which is all that fresh matrices have


@pytest.mark.nightly
@pytest.mark.parametrize("tied, moment, c, c_error", [(True, 0.1665, 0.008, 0.01), (False, 0.0649, 0.118, 0.003)])
def test_strong_gains_of_the_lstm(tied, moment, c, c_error):
    """LSTM (2, 2, 8, 2), b_f = 1, inputs of .5 alike to .9: t = 15 .. 24, by another program's networks."""
    ensemble = gt.Ensemble(gt.LSTM, gain={"f": 2, "i": 2, "g": 8, "o": 2}, bias={"f": 1}, input_std=0.5)
    run = gt.correlation_transient(ensemble, 24, 0.1, moment, rho_in=0.9, tied=tied, n_sites=40_000, rng=0)
    late = slice(15, 25)
    # neighbouring times move together: the error of a mean over them is that of one; what is published has three digits
    size = run.moments["h"][:, late].mean()
    assert size == pytest.approx(moment, abs=4.0 * run.moments_stderr["h"][0, late].max() + 1e-3)
    assert run.correlation["h"][late].mean() == pytest.approx(c, abs=4.0 * np.hypot(run.stderr["h"][late].max(), c_error))
    assert run.stderr["h"][late].max() < 0.02
