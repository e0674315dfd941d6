"""Lyapunov spectra of flows and Euler maps: known spectra, Floquet exponents, eigenvalues, determinants."""

import numpy as np
import pytest
from exact_flows import lorenz, turning_units

import gating_theory as gt
from gating_theory.flow import GRUFlow, lyapunov_spectrum

TURNING = [[3, -3], [3, 3]]
#: Floquet exponent of its cycle: multiplier and period of the two-unit flow, from an independent integration.
FLOQUET = np.log(0.025536506) / 12.93377075908


def test_the_lorenz_system():
    """The Lorenz system has its published exponents, whose sum is the trace."""
    found = gt.lyapunov_spectrum(lorenz(), time=2000.0, start=[1.0, 1.0, 20.0], rng=0)
    assert found.status.code == "converged" and found.n_positive == 1 and found.n_zero == 1
    # Sprott (2003): .9056, 0, -14.5723; the divergence is -(10 + 1 + 8/3) everywhere
    assert (np.abs(found.exponents - [0.9056, 0.0, -14.5723]) < 5 * found.stderr + 1e-3).all()
    assert found.stderr[0] < 0.01
    assert found.sum_rule == pytest.approx((-41 / 3, -41 / 3), rel=1e-7)
    assert found.dimension == pytest.approx(2.062, abs=2e-3) and found.entropy == found.exponents[0]
    (first,) = gt.flow.lyapunov_spectrum(lorenz(), 1, 2000.0, start=[1.0, 1.0, 20.0], rng=0).exponents
    # another frame: another choice of steps, another trajectory
    assert first == pytest.approx(found.exponents[0], abs=7 * found.stderr[0])


def test_limit_cycles_and_tori():
    cycle = lyapunov_spectrum(GRUFlow(U_h=TURNING), start=[0.1, 0.2], rng=0)
    assert abs(cycle.neutral) < 10 / cycle.time and cycle.exponents[1] == pytest.approx(FLOQUET, abs=10 / cycle.time)
    assert cycle.dimension == 1.0 and cycle.n_positive == 0 and cycle.entropy == 0.0
    # two oscillators with r' = r (1 - r^2), whose frequencies have no common measure
    torus = lyapunov_spectrum(turning_units([1.0, np.sqrt(2.0)]), rng=1, time=2000.0)
    assert torus.n_zero == 2 and torus.dimension == 2.0 and torus.status.code == "converged"
    np.testing.assert_allclose(torus.exponents, [0.0, 0.0, -2.0, -2.0], atol=10 / torus.time)
    assert torus.sum_rule == pytest.approx((-4.0, -4.0), abs=1e-6)


def test_at_fixed_points_exponents_are_those_of_the_jacobian():
    flow = GRUFlow(U_h=[[3, 0], [0, 1]])
    found = lyapunov_spectrum(flow, start=[0.1, 0.2])
    assert found.at_fixed_point and found.ok and "a stable fixed point" in str(found) and not found.stderr.any()
    np.testing.assert_allclose(found.exponents, np.sort(np.linalg.eigvals(flow.jacobian(found.state)).real)[::-1], rtol=1e-12)
    stays = lyapunov_spectrum(flow, start=[0.0, 0.0])
    assert "unstable" in stays.status.text
    np.testing.assert_allclose(stays.exponents, [0.25, -0.25])
    multipliers = lyapunov_spectrum(flow, start=[0.0, 0.0], step=0.5)
    np.testing.assert_allclose(multipliers.exponents, np.log([1.125, 0.875]))
    # a gate almost shut: the transient is not over, but the trajectory is known not to be on any recurrent orbit
    shut = lyapunov_spectrum(GRUFlow(U_h=[[3, 0], [0, 1]], b_z=[7, 7]), start=[0.1, 0.2], time=2000.0)
    assert shut.status.code == "transient" and not shut.ok
    slow = lyapunov_spectrum(GRUFlow(U_h=[[3, 0], [0, 1]], b_z=[7, 7]), start=[0.1, 0.2], time=100.0, transient=1e5)
    np.testing.assert_allclose(slow.exponents, 2 * found.exponents * (1 / (1 + np.exp(7))), rtol=1e-9)


def test_euler_maps():
    flow = GRUFlow(U_h=TURNING)
    circle = lyapunov_spectrum(flow, start=[0.1, 0.2], step=1.0)
    orbit = flow.euler(circle.state, 1.0, 50_000, trajectory=True)
    mean = np.linalg.slogdet(flow.map_jacobian(orbit))[1].mean()
    assert circle.n_zero == 1 and circle.sum_rule[0] == pytest.approx(circle.sum_rule[1], abs=1e-12)
    assert circle.exponents.sum() == pytest.approx(mean, abs=1e-3)  # means over other points of the circle
    # locked to six steps: the multipliers of the orbit, by matrix products
    locked = GRUFlow(U_h=[[3, -20], [20, 3]])
    found = lyapunov_spectrum(locked, start=[0.1, 0.2], step=1.0, time=1200)
    product = np.linalg.multi_dot(locked.map_jacobian(locked.euler(found.state, 1.0, 5, trajectory=True))[::-1])
    # a complex pair turns the frame: lengths over a finite time differ by the shape of its ellipse, a factor of order 1
    multipliers = np.sort(np.log(np.abs(np.linalg.eigvals(product))))[::-1]
    np.testing.assert_allclose(found.exponents, multipliers / 6, atol=3 / found.time)
    assert found.exponents.sum() == pytest.approx(multipliers.sum() / 6, abs=1e-12)
    # one unit, x -> x/2 + tanh(-20 x/2)/2 with a bias: the mean of log|slope| is the exponent
    one = GRUFlow(U_h=-20.0, U_z=6.0, b_h=1.0)
    found = lyapunov_spectrum(one, start=[0.1], step=1.0, time=200_000, rng=0)
    path = one.euler(found.state, 1.0, 200_000, trajectory=True)
    assert found.exponents[0] == pytest.approx(np.log(np.abs(one.map_jacobian(path))).mean(), abs=5 * found.stderr[0] + 1e-4)


def test_saved_and_loaded(tmp_path):
    found = lyapunov_spectrum(GRUFlow(U_h=TURNING), start=[0.1, 0.2], time=200.0, rng=0)
    assert gt.load(gt.save(found, tmp_path / "exponents.json")) == found


def test_bad_arguments():
    flow = GRUFlow(U_h=TURNING)
    for options, match in (
        ({"k": 3}, "k"),
        ({"time": 0.0}, "time"),
        ({"start": [1.0]}, "start"),
        ({"step": -1.0}, "step"),
        ({"step": 1.0, "time": 10}, "time"),
        ({"transient": -1.0}, "transient"),
        ({"rtol": 1.0}, "rtol"),
    ):
        with pytest.raises(ValueError, match=match):
            gt.lyapunov_spectrum(flow, **options)
    with pytest.raises(TypeError, match="net is a GRUFlow, of which other arguments are expected: .*'n_steps'"):
        gt.lyapunov_spectrum(flow, n_steps=10)
    with pytest.raises(TypeError, match="net must be a Network"):
        gt.lyapunov_spectrum(3)
    with pytest.raises(gt.ConvergenceError, match="runs away"):
        lyapunov_spectrum(lorenz(), start=[1.0, 1.0, 20.0], step=1.0)
