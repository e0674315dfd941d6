"""Continuous time: Euler maps as cells, and the flow's spectrum, which is the discrete one shifted by one [T8]."""

import numpy as np
import pytest

import gating_theory as gt

POINT = gt.fixed_points(gt.Ensemble(gt.GRU, gain={"z": 1, "r": 2, "h": 5}, bias={"z": 0.5}))[-1]


def at_step(point, step):
    ens = point.ensemble
    return gt.fixed_points(gt.Ensemble(ens.cell.euler(step), gain=ens.gain, bias=ens.bias))[-1]


@pytest.mark.parametrize("step", [0.5, 0.125])
def test_spectra_of_euler_maps_are_the_flows(step):
    """The same fixed point; multipliers are 1 + step mu: edges agree, densities per step squared, outliers one by one."""
    flow, there = gt.Spectrum(POINT).flow, at_step(POINT, step)
    np.testing.assert_allclose(there.q, POINT.q, rtol=1e-9)
    euler = gt.Spectrum(there)
    mu = np.array([0.3, -0.2 + 0.4j, -0.9 + 1.1j])
    np.testing.assert_allclose(euler.edge_function(1.0 + step * mu), flow.edge_function(mu), rtol=1e-8)
    assert abs(euler.abscissa() - (1.0 + step * flow.growth_rate())) < 1e-8
    inside = np.array([-0.3 + 0.2j])
    # populations of both are good to 1e-5 in the potential, densities to a percent
    np.testing.assert_allclose(euler.density(1.0 + step * inside) * step**2, flow.density(inside), rtol=0.02)
    # eigenvalues shrink towards 1 by the step: determinants by the step to the number of states, shares not at all
    np.testing.assert_allclose(euler.potential(1.0 + step * mu) - np.log(step), flow.potential(mu), atol=1e-4)
    assert abs(euler.mass(1.0 - 0.3 * step, 0.2 * step) - flow.mass(-0.3, 0.2)) < 2e-4
    np.testing.assert_allclose((np.sort(euler.outliers().real) - 1.0) / step, np.sort(flow.outliers().real), rtol=1e-6)


def test_what_counts_as_stable():
    spectrum = gt.Spectrum(gt.fixed_points(gt.Ensemble(gt.GRU, gain={"h": 1}))[0])
    # a disc of radius 1/4 about 1/2: the slowest rate is -1/4
    assert abs(spectrum.flow.growth_rate() + 0.25) < 1e-9 and abs(spectrum.flow.slowest_time() - 4.0) < 1e-7
    assert gt.Spectrum(POINT).flow.slowest_time() == np.inf
    (curve,) = spectrum.flow.boundary(64)
    np.testing.assert_allclose(np.abs(curve + 0.5), 0.25, atol=1e-8)


def test_networks_of_an_euler_map_take_its_steps():
    """One step by hand, and the unit step, which is the cell itself."""
    cell = gt.GRU.euler(0.25)
    assert gt.GRU.euler(1) is gt.GRU and cell.name == "GRU (step 0.25)" and cell.check_jacobian(rng=0) < 1e-9
    full = gt.Network.sample(gt.Ensemble(gt.GRU, gain=3), 20, rng=0)
    part = gt.Network.sample(gt.Ensemble(cell, gain=3), 20, rng=0)
    h = full.random_state(rng=1)
    np.testing.assert_allclose(part.step(h), h + 0.25 * (full.step(h) - h), atol=1e-14)
    with pytest.raises(ValueError, match="step must"):
        gt.GRU.euler(0.0)


def test_dmft_of_an_euler_map_is_that_of_its_cell():
    """The step as an argument and the step in the cell: per unit of time and per step."""
    ens = gt.Ensemble(gt.GRU, gain={"z": 0, "r": 4, "h": 3})
    inside = gt.dmft(gt.Ensemble(gt.GRU.euler(0.5), gain=ens.gain))
    outside = gt.dmft(ens, step=0.5)
    assert abs(inside.moments["h"] - outside.moments["h"]) < 1e-10
    assert abs(inside.exponent / 0.5 - outside.exponent) < 1e-9
