"""White input in continuous time, where it has a limit: against conservation of energy in the lag, and what is refused [T8]."""

import numpy as np
import pytest
import sympy as sp

import gating_theory as gt

#: Stated errors hold 95 of 100 differences twice.
SIGMAS = 4.0
QUICK = {"n_sites": 500, "refine": 10, "rng": 1}


def leaky(message=sp.tanh):
    """x' = -x + U message(x) + noise."""
    x, y = sp.symbols("x y", real=True)
    return gt.Cell(name="leaky", state=[x], fields=[y], messages=[message(x)], update=[y])


def with_energy(gain, sigma):
    """(E tanh(x)^2, exponent) of x' = -x + U tanh(x) + sigma noise, by C'' = C - F with C'(0) = -sigma^2 / 2, on plain grids."""
    from scipy.linalg import eigvalsh_tridiagonal

    z, w = np.polynomial.hermite_e.hermegauss(40)
    w = w / w.sum()
    rho = np.sin(0.5 * np.pi * np.linspace(0.0, 1.0, 101)) ** 0.5

    def average(function, D):
        other = rho[:, None, None] * z[:, None] + np.sqrt(1.0 - rho[:, None, None] ** 2) * z
        return np.einsum("i,j,rij->r", w, w, function(np.sqrt(D) * z[:, None]) * function(np.sqrt(D) * other))

    def trapezoid(F, D):
        return np.concatenate([[0.0], np.cumsum(0.5 * (F[1:] + F[:-1]) * np.diff(rho * D))])

    low, high = 0.1 * sigma**2, 20.0
    for _ in range(40):  # D^2 = 2 int F dC + sigma^4 / 4
        D = 0.5 * (low + high)
        energy = trapezoid(gain**2 * average(np.tanh, D), D)[-1]
        low, high = (D, high) if 2.0 * energy + 0.25 * sigma**4 > D * D else (low, D)
    inside = trapezoid(gain**2 * average(np.tanh, D), D)
    # the lag at which C has fallen to rho D
    C = rho * D
    speed = np.sqrt(np.maximum(C**2 - 2.0 * inside, 1e-300))
    tau = np.linspace(0.0, 30.0, 1001)
    lag = np.concatenate([[0.0], np.cumsum(0.5 * (1.0 / speed[1:] + 1.0 / speed[:-1])[::-1] * np.diff(C)[::-1])])[:-1]
    there = np.interp(tau, lag, C[::-1][:-1], right=0.0)
    K = gain**2 * np.interp(there, C, average(lambda x: 1.0 / np.cosh(x) ** 2, D))
    # -kappa'' - K kappa = -(1 + lam)^2 kappa for even kappa: the first point stands for half an interval
    step = tau[1]
    main, side = 2.0 / step**2 - K, np.full(tau.size - 1, -1.0 / step**2)
    side[0] *= np.sqrt(2.0)
    lowest = eigvalsh_tridiagonal(main, side, select="i", select_range=(0, 0))[0]
    return average(np.tanh, D)[-1], -1.0 + np.sqrt(-lowest)


@pytest.mark.parametrize("gain, sigma", [pytest.param(2.0, 0.5, marks=pytest.mark.nightly), (1.5, 1.0)])
def test_noise_that_a_state_integrates(gain, sigma):
    """Chaos at gain 2 and strength .5, none at 1.5 and 1: conservation of energy, on grids good to .001."""
    moment, exponent = with_energy(gain, sigma)
    ensemble = gt.Ensemble(leaky(), gain=gain, input_std=sigma)
    state = gt.dmft(ensemble, flow=True, **QUICK)
    assert state.method == "paths" and state.step == 0.1 and state.ok
    # what steps of .1 make, .25 % of moments at most, is in the errors; grids besides
    assert abs(state.moments["tanh(x)"] - moment) < SIGMAS * state.stderr["tanh(x)"] + 1e-3 * moment
    assert abs(state.exponent - exponent) < SIGMAS * state.exponent_stderr + 1e-3
    assert state.verdict == ("chaotic" if gain == 2.0 else "driven")


@pytest.mark.nightly
def test_steps_are_in_the_errors():
    """Noise alone moves a network with a reset gate: within two stated errors of exact Euler maps, extrapolated to steps of zero.

    Tangents fall by .31 where sites forget at .5, and in their frame remember longer than a quarter of a lap: that had been .0018.
    """
    gain = {"z": 0, "r": 0.8, "h": 0.8}
    maps = [gt.dmft(gt.Ensemble(gt.KCSFast, gain=gain, input_std={"h": 0.5 / np.sqrt(step)}), step=step) for step in (0.1, 0.05)]
    assert {state.method for state in maps} == {"lag"}
    moment, exponent = (2.0 * b - a for a, b in zip(*((state.moments["tanh(x)"], state.exponent) for state in maps)))
    state = gt.dmft(gt.Ensemble(gt.KCSFast, gain=gain, input_std={"h": 0.5}), flow=True, **QUICK)
    assert abs(state.moments["tanh(x)"] - moment) < 2.0 * state.stderr["tanh(x)"]
    assert abs(state.exponent - exponent) < 2.0 * state.exponent_stderr < 1.5e-3


def test_noise_without_recurrence():
    """Gain 0: an Ornstein-Uhlenbeck process, with Heun's steps solved for by hand; smaller steps lead to sigma^2 / 2."""
    ensemble = gt.Ensemble(leaky(lambda x: x), gain=0.0, input_std=0.8)
    for step in (0.2, 0.1):
        state = gt.dmft(ensemble, flow=True, step=step, window=256, **QUICK)
        kick = step - 0.5 * step**2
        assert state.moments["x"] == pytest.approx(0.64 * kick / (step * (2.0 - kick)), rel=1e-4)
        assert abs(state.moments["x"] / 0.32 - 1.0) < 0.3 * step**2
        decay = state.correlations[0] / state.correlations[0, 0]
        np.testing.assert_allclose(decay[:20], np.exp(-step * np.arange(20)), atol=5e-3)
        np.testing.assert_array_equal(state.sites.fields, 0.0)  # of one time: without the noise


def filtered_gru(tau):
    """The GRU with a state n that filters the noise of its field, in the argument of the candidate."""
    h, n, y_z, y_r, y_h, y_n = sp.symbols("h n y_z y_r y_h y_n", real=True)
    z, r = gt.sigma(y_z), gt.sigma(y_r)
    return gt.Cell(
        name="GRU with filtered noise",
        state=[h, n],
        fields=[y_z, y_r, y_h, y_n],
        messages=[h, h, r * h, n],
        update=[z * h + (1 - z) * sp.tanh(y_h + n), n + (y_n - n) / tau],
    )


@pytest.mark.nightly  # docs/guides/chaos.md runs the same example with fewer sites
def test_noise_is_filtered_into_a_state():
    """What the error says: n has the variance sigma^2 / 2 tau, and chaos of the GRU's flow ends under enough of it."""
    ensemble = gt.Ensemble(filtered_gru(2), gain={"z": 0, "r": 1, "h": 5, "n": 0}, input_std={"n": 4.0})
    state = gt.dmft(ensemble, flow=True, **QUICK)
    assert state.moments["n"] == pytest.approx(4.0, rel=2e-3)  # Heun's steps: a quarter of (step / tau)^2
    quiet = gt.dmft(gt.Ensemble(gt.GRU, gain={"z": 0, "r": 1, "h": 5}), flow=True)
    assert quiet.verdict == "chaotic" and state.verdict == "driven" and state.exponent < quiet.exponent - 0.1


@pytest.mark.parametrize("field", ["z", "r", "h"])
def test_noise_in_gates_and_candidates_is_refused(field):
    with pytest.raises(gt.CapabilityError, match=f"white input to {field} has no limit .* Filter it into a state .* dn/dt"):
        gt.dmft(gt.Ensemble(gt.GRU, input_std={field: 0.1}), flow=True)


def test_noise_whose_strength_feels_itself_is_refused():
    x, y = sp.symbols("x y", real=True)
    own = gt.Cell(name="own", state=[x], fields=[y], messages=[sp.tanh(x)], update=[sp.tanh(x) * y])
    with pytest.raises(gt.CapabilityError, match="white input to y"):
        gt.dmft(gt.Ensemble(own, input_std=0.1), flow=True)


@pytest.mark.nightly
def test_noise_behind_a_slow_gate():
    """x' = sigma(z) (y_x - x), z' = y_z - z: the Jacobian of one time holds the noise; dense networks of 300 units."""
    x, z, y_z, y_x = sp.symbols("x z y_z y_x", real=True)
    cell = gt.Cell(
        name="gated",
        state=[x, z],
        fields=[y_z, y_x],
        messages=[sp.tanh(x), sp.tanh(x)],
        update=[x + gt.sigma(z) * (y_x - x), y_z],
    )
    ensemble = gt.Ensemble(cell, gain={"z": 3, "x": 2}, input_std={"x": 0.7})
    state = gt.dmft(ensemble, flow=True, **QUICK)
    with pytest.raises(gt.CapabilityError, match="Jacobian at one time"):
        assert state.sites is None
    found = np.array([gated_network(300, 0.05, 150.0, np.random.default_rng(seed)) for seed in range(4)])
    mean, error = found.mean(axis=0), found.std(axis=0, ddof=1) / 2.0
    # four standard errors of both; finite networks and steps 1 %, or .01
    assert abs(mean[0] - state.moments["tanh(x)"]) < SIGMAS * np.hypot(error[0], state.stderr["tanh(x)"]) + 0.01 * mean[0]
    assert abs(mean[1] - state.exponent) < SIGMAS * np.hypot(error[1], state.exponent_stderr) + 0.01


def gated_network(n, step, time, rng):
    """(second moment, exponent) of a dense network under white noise, and its tangent under the same, by Euler's steps."""
    U, V = 3.0 * rng.standard_normal((n, n)) / np.sqrt(n), 2.0 * rng.standard_normal((n, n)) / np.sqrt(n)
    x, z, dx, dz = rng.standard_normal((4, n))
    moments, growth = [], []
    for _ in range(int(time / step)):
        gate, m, slope = 1.0 / (1.0 + np.exp(-z)), np.tanh(x), 1.0 / np.cosh(x) ** 2
        inside = V @ m + 0.7 * rng.standard_normal(n) / np.sqrt(step) - x
        rates = gate * inside, U @ m - z, gate * (V @ (slope * dx) - dx) + gate * (1.0 - gate) * inside * dz, U @ (slope * dx) - dz
        x, z, dx, dz = (old + step * rate for old, rate in zip((x, z, dx, dz), rates))
        size = np.sqrt(dx @ dx + dz @ dz)
        dx, dz = dx / size, dz / size
        moments.append((m * m).mean())
        growth.append(np.log(size) / step)
    late = len(growth) // 4
    return np.mean(moments[late:]), np.mean(growth[late:])
