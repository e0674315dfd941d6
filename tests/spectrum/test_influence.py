"""Influence functions of sites: against differences, resampled sites, and moments solved for on a network's own sites [T12]."""

from dataclasses import replace

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import gating_theory as gt
from gating_theory.mean_field.samples import sampled_sites
from gating_theory.spectrum.dyson import Population
from gating_theory.spectrum.edge_numbers import shares
from gating_theory.spectrum.influence import mass_influence, potential_influence, through_moments, variance

_h, _y, _r = sp.symbols("h y_h y_r", real=True)
#: A cell of one's own with two messages that feed one another: the candidate listens to a message that the gate scales.
TWO = gt.Cell(
    name="scaled",
    state=[_h],
    fields=[_r, _y],
    messages=[_h, _h * (sp.Rational(3, 2) + sp.tanh(_r))],
    update=[_h / 3 + sp.tanh(_y) / 2],
)
GRU = gt.Ensemble(gt.GRU, gain={"z": 2, "r": 3, "h": 4})
LSTM = gt.Ensemble(gt.LSTM, gain={"f": 2, "i": 3, "g": 3, "o": 2})
DISC = np.zeros(1, dtype=int)


def last(ensemble):
    return gt.fixed_points(ensemble)[-1]


def along(spectrum, center, radius):
    """Population, nodes and the influence function of a disc's mass."""
    population, nodes = spectrum.rim(center, radius, 1e-3)
    return population, nodes, mass_influence(population, nodes, DISC)[0]


@pytest.mark.parametrize(
    ("ensemble", "center", "radius"),
    [
        (gt.Ensemble(gt.Vanilla, gain=2, bias_std=0.5), 0.0, 0.9),
        (GRU, 1.0, 0.2),
        (GRU, 0.4 + 0.35j, 0.25),
        (LSTM, 0.5, 0.3),
        (gt.Ensemble(TWO, gain=2.5), 0.3, 0.5),
    ],
    ids=["vanilla", "GRU at 1", "GRU off the axis", "LSTM", "own"],
)
def test_influence_on_a_mass_is_the_slope_of_that_on_the_potential(ensemble, center, radius):
    """r d/dr of psi averaged over the circle, by a difference with the unknowns of either circle; its mean is the mass."""
    spectrum = gt.Spectrum(last(ensemble))
    population, nodes, influence = along(spectrum, center, radius)
    weight, h = np.abs(nodes.weights), 1e-3
    means = []
    for factor in (1 + h, 1 - h):
        lam = center + (nodes.lam - center) * factor
        lam = lam.real + 1j * np.abs(lam.imag)
        means.append(weight @ potential_influence(population, lam, population.solution(lam, ())) / weight.sum())
    difference = (means[0] - means[1]) / (2 * h) / spectrum.n_state
    at = population.weights
    spread = np.sqrt(variance(influence, at))
    # a difference smears sites whose leak lies within a step of the rim, and the rule of a few nodes the same: 2 % of the spread
    assert np.sqrt(variance(influence - difference, at)) < 0.1 * spread
    assert np.sqrt(variance(difference, at)) == pytest.approx(spread, rel=0.02)
    # half the nodes of a contour that was settled to 1e-3
    assert influence @ at == pytest.approx(spectrum.mass(center, radius), abs=2e-3)


@settings(max_examples=6, deadline=None)
@given(
    st.sampled_from([gt.GRU, gt.LSTM, gt.JANET, TWO]),
    st.floats(1.5, 4.0),
    st.floats(0.0, 0.8),
    st.floats(0.1, 1.4),
    st.floats(0.05, 1.0),
)
def test_potentials_of_resampled_sites(cell, gain, spread, x, y):
    """Every sample's potential is that of the limit plus the mean of its sites' influence; the spread is that of the samples."""
    point = last(gt.Ensemble(cell, gain=gain, bias_std=spread))
    spectrum, n, draws, lam = gt.Spectrum(point), 400, 12, np.array([x + 1j * y])
    population = spectrum.sites_near(lam[0], 1e-5)
    limit = population.solution(lam, {"potential"})
    psi = potential_influence(population, lam, limit)[0]
    theory = np.sqrt(variance(psi, population.weights) / n)
    found, linear = np.empty(draws), np.empty(draws)
    for k in range(draws):
        sites = Population(sampled_sites(point, n, rng=k))
        found[k] = sites.evaluate(lam, {"potential"})["potential"][0] - limit.values["potential"][0]
        linear[k] = potential_influence(sites, lam, limit)[0].mean() - psi @ population.weights
    # second order: the unknowns follow the sample, in potential by up to their number over 2 N, where these are inside
    assert np.abs(found - linear).max() < 4.0 / n + 0.3 * theory
    # a standard deviation of 12 is known to 20 %: four of these
    assert np.sqrt(np.mean(linear**2)) == pytest.approx(theory, rel=0.8, abs=1e-9)


@pytest.mark.parametrize("draws", [30, pytest.param(400, marks=pytest.mark.nightly)])
@pytest.mark.parametrize(("ensemble", "center", "radius"), [(GRU, 1.0, 0.2), (gt.Ensemble(TWO, gain=2.5), 0.3, 0.5)])
def test_masses_of_resampled_sites(ensemble, center, radius, draws):
    point, n = last(ensemble), 300
    population, _, influence = along(gt.Spectrum(point), center, radius)
    theory = np.sqrt(variance(influence, population.weights) / n)
    found = [gt.Spectrum(sampled_sites(point, n, rng=k)).mass(center, radius, 1e-3) for k in range(draws)]
    # four standard deviations of a standard deviation, and a tenth for second order in N^{-1/2}
    assert np.std(found, ddof=1) == pytest.approx(theory, rel=4.0 / np.sqrt(2 * draws) + 0.1)


def test_moments_of_natural_fixed_points():
    """N Var T of vanilla at gain 1.2, bias_std 1: .266 planted, .349 with moments of its own (a prototype: .349 +- .013)."""
    point = last(gt.Ensemble(gt.Vanilla, gain=1.2, bias_std=1.0))
    population = Population(point.sites_at(1e-8))
    phi = shares(population, np.array([1.0 + 0j]))[0]
    found = variance(phi, population.weights), variance(through_moments(population, phi, point), population.weights)
    assert found == pytest.approx((0.266, 0.349), abs=5e-4)


def solved(point, n, seed):
    """N sites whose moments are those of their own law: the same normals, scaled until they agree."""
    q = point.q
    for _ in range(200):
        sites = sampled_sites(replace(point, moments=dict(zip(point.moments, q.tolist()))), n, rng=seed)
        again = np.array(list(sites.moments().values()))
        if np.allclose(again, q, rtol=1e-12, atol=0.0):
            return sites
        q = again
    raise AssertionError("the moments of these sites did not converge")


@settings(max_examples=4, deadline=None)
@given(st.sampled_from([gt.Vanilla, gt.GRU, gt.LSTM, TWO]), st.floats(2.2, 3.5), st.floats(0.2, 0.6))
def test_sites_that_make_their_own_moments(cell, gain, spread):
    """T at sites whose moments are solved for, less that at the same normals with the limit's, is linear in the moments."""
    point = last(gt.Ensemble(cell, gain=gain, bias_std=spread))
    population, lam = Population(point.sites_at(1e-6)), np.array([1.5 + 0j])
    phi = shares(population, lam)[0]
    messages = cell.compiled.messages(population.sites.state, population.sites.fields, population.sites.parameters)
    off = np.array([np.broadcast_to(m, phi.size) ** 2 for m in messages]) - point.q[:, None]
    through = np.linalg.lstsq(off.T, through_moments(population, phi, point) - phi, rcond=None)[0]
    predicted, found = [], []
    for seed in range(10):
        planted = sampled_sites(point, 4000, rng=seed)
        predicted.append(through @ (np.array(list(planted.moments().values())) - point.q))
        natural = solved(point, 4000, seed)
        found.append(shares(Population(natural), lam).mean() - shares(Population(planted), lam).mean())
    predicted, found = np.array(predicted), np.array(found)
    # of second order in N^{-1/2} = .016, times the slope of the moment map's inverse
    assert found @ predicted / (predicted @ predicted) == pytest.approx(1.0, abs=0.15)
