"""How many sites carry T: the LSTM whose forget gates are spread widely, ordinary networks, and brute force [T12]."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gating_theory as gt
from gating_theory.mean_field.carriers import part_of_sites
from gating_theory.mean_field.samples import sampled_sites
from gating_theory.spectrum.dyson import Population
from gating_theory.spectrum.edge_numbers import shares


def last(ensemble):
    return gt.Spectrum(gt.fixed_points(ensemble)[-1])


def spread_lstm(gain):
    return last(gt.Ensemble(gt.LSTM, gain=gain, bias_std=2.0))


@pytest.mark.parametrize(("gain", "share"), [(1.5, 9e-5), (2.2, 4e-5), (3.2, 6e-6), (4.0, 1e-6)])
def test_an_lstm_whose_edge_few_sites_make(gain, share):
    """Half shares of T(1) by a prototype, one figure each; no limit describes networks of 300 and 2000 units."""
    spectrum = spread_lstm(gain)
    found = spectrum.concentration(300)
    assert found.half_share == pytest.approx(share, rel=0.25)
    for n in (300, 2000):
        found = spectrum.concentration(n)
        assert not found.describes and found.status.code == "does_not_describe"
        assert str(found.status).startswith(f"the limit does not describe N = {n}: half of T(1")
        assert str(found.status).endswith("of the sites")


@pytest.mark.parametrize(
    ("n_units", "effective"), [(300, 8), (600, 9), (2000, 12), pytest.param(10_000, 18, marks=pytest.mark.nightly)]
)
def test_effective_numbers_of_that_lstm(n_units, effective):
    """Medians of a prototype, at several gains: over 100 draws they are known to a tenth, and differ among gains by a fifth."""
    counts = [spread_lstm(gain).concentration(n_units).n_effective for gain in (1.5, 2.2)]
    assert np.mean(counts) == pytest.approx(effective, rel=0.3)


@pytest.mark.parametrize(
    ("ensemble", "zero"),
    [
        (gt.Ensemble(gt.Vanilla, gain=2, bias_std=0.5), False),
        (gt.Ensemble(gt.GRU, gain={"z": 2, "r": 3, "h": 4}), False),
        (gt.Ensemble(gt.LSTM, gain={"f": 2, "i": 2, "g": 1.2, "o": 2}, bias={"f": 1}, bias_std={"f": 0.8}), True),
        (gt.Ensemble(gt.LSTM, gain={"f": 2, "i": 3, "g": 3, "o": 2}), False),
    ],
    ids=["vanilla", "GRU", "LSTM at zero", "LSTM"],
)
def test_ordinary_networks_are_described(ensemble, zero):
    """At ordinary edges .34 to .55 of all sites count by a prototype, and .12 to .21 carry half (here .56, and .107 of the GRU)."""
    found = gt.Spectrum(gt.fixed_points(ensemble)[0 if zero else -1]).concentration(1000)
    assert 0.33 < found.at_edge.n_effective / 1000 < 0.57
    assert 0.1 < found.at_edge.half_share < 0.22
    assert found.describes and found.status.code == "describes"


@settings(max_examples=6, deadline=None)
@given(st.sampled_from([gt.GRU, gt.LSTM, gt.JANET, gt.MGU]), st.floats(1.5, 4.0), st.floats(0.0, 1.0))
def test_half_shares_by_brute_force(cell, gain, spread):
    """Against 60,000 sites drawn at random, sorted, and the effective numbers of 500 of these at a time."""
    spectrum = last(gt.Ensemble(cell, gain=gain, bias_std=spread))
    found = spectrum.concentration(500)
    phi = shares(Population(sampled_sites(spectrum.fixed_point, 60_000, rng=0)), np.array([1.0 + 0j]))[0]
    carried = np.cumsum(np.sort(phi)[::-1])
    half = np.searchsorted(carried, 0.5 * carried[-1]) / phi.size
    # far populations are good to a tenth; of few sites a sample does not tell the share
    if half > 1e-2:
        assert found.half_share == pytest.approx(half, rel=0.12)
    each = phi.reshape(-1, 500)
    effective = np.median(each.sum(axis=1) ** 2 / (each**2).sum(axis=1))
    # 16 draws and more; where these differ by much there are 100
    assert found.n_effective == pytest.approx(effective, rel=0.35 if effective < 100 else 0.15)


def test_sites_of_a_network_are_its_own():
    net = gt.Network.sample(gt.Ensemble(gt.GRU, gain=3.0), 80, rng=0)
    sites = net.sites(net.run(net.random_state(rng=0), 100))
    spectrum = gt.Spectrum(sites)
    found = spectrum.concentration()
    phi = shares(Population(sites), np.array([1.0 + 0j]))[0]
    assert found.n_units == 80
    assert found.n_effective == pytest.approx(phi.sum() ** 2 / (phi**2).sum())
    # other numbers of sites are drawn from among them: twice as many count
    assert spectrum.concentration(160).n_effective == pytest.approx(2 * found.n_effective, rel=0.3)


def test_few_units_and_leaks_in_the_tail():
    """Of 20 units too few count whatever the cell; where leaks end the spectrum the abscissa is that of one site in a million."""
    few = last(gt.Ensemble(gt.Vanilla, gain=2.0)).concentration(20)
    assert few.status.code == "does_not_describe" and "is carried by" in str(few.status)
    leaky = gt.Ensemble(gt.GRU, gain={"h": 1.6, "r": 3, "z": 1}, bias={"z": 1}, bias_std={"z": 1, "r": 0.5})
    found = gt.Spectrum(gt.fixed_points(leaky)[0]).concentration(300)
    assert found.status.code == "use_finite_size" and found.describes and "a leak" in str(found.status)
    assert np.isnan(found.at_edge.n_effective) and found.n_effective > 200


@pytest.mark.parametrize(
    "ensemble", [gt.Ensemble(gt.Vanilla, gain=2, bias_std=0.5), gt.Ensemble(gt.GRU, gain=4.0, bias_std=0.5)], ids=["vanilla", "GRU"]
)
def test_networks_of_millions(ensemble):
    """From 1e4 units on networks are numbers of units at nodes, 1e9 cost what 2e4 do; against 4e5 sites drawn one by one."""
    spectrum = last(ensemble)
    phi = shares(Population(sampled_sites(spectrum.fixed_point, 400_000, rng=3)), np.array([1.0 + 0j]))[0]
    part = phi.mean() ** 2 / np.mean(phi**2)
    for n in (20_000, 10**6, 10**9):
        found = spectrum.concentration(n)
        assert found.describes and not found.at_one.open and found.at_edge.open
        # the sample's own error is half a hundredth; a population that is allowed 2e-3 of the mean misses ten times that of squares
        assert found.n_effective / n == pytest.approx(part, rel=0.03)
    # an edge of T(1) that few sites make stays one of few for a long time: the count grows by far less than N
    few = [spread_lstm(2.2).concentration(n).n_effective for n in (9_000, 20_000, 10**6)]
    assert few[0] * 0.6 < few[1] < few[0] * 20_000 / 9_000 * 1.5 and few[2] < 20 * few[0]


def test_a_share_too_small_for_any_network_is_not_none_of_the_sites():
    """T(1) of an LSTM whose forget gates are spread by six: half of it comes from sites that no population has."""
    found = last(gt.Ensemble(gt.LSTM, gain=1.0, bias_std={"f": 6.0})).concentration(1000)
    assert " 0 of the sites" not in str(found)
    assert part_of_sites(0.0) == "less than 1e-15 of the sites" and part_of_sites(3.21e-5) == "3e-05 of the sites"


def test_nothing_to_carry():
    """Without recurrence T is zero everywhere, and there is nothing that the limit could miss."""
    found = gt.Spectrum(gt.fixed_points(gt.Ensemble(gt.Vanilla, gain=0.0, bias_std=1.0))[-1]).concentration(100)
    assert found.describes and np.isnan(found.half_share)


def test_results_of_finite_size_carry_it(tmp_path):
    at = last(gt.Ensemble(gt.Vanilla, gain=2.0)).finite_size(20, 2, rng=0)
    assert not at.describes and at.status == at.concentration.status
    assert (at.half_share, at.n_effective) == (at.concentration.half_share, at.concentration.n_effective)
    assert str(at.status) in str(at)
    gt.save(at.concentration, tmp_path / "concentration.json")
    assert gt.load(tmp_path / "concentration.json") == at.concentration
    with pytest.raises(ValueError, match="n_units must be given"):
        at.spectrum.concentration()
