"""Masses of discs and of pixels: an exact radial law, the density summed up [T4, T6]."""

import mpmath
import numpy as np
import pytest

import gating_theory as gt


def test_vanilla_is_a_disc_with_a_known_radial_law():
    """J = U phi': edge a sqrt(E phi'^2); inside, 1 = E[a^2 phi'^2 / (r^2 + a^2 s phi'^2)] gives the radial mass 1 - s."""
    fp = gt.fixed_points(gt.Ensemble(gt.Vanilla, gain=3.0))[-1]
    sp = gt.Spectrum(fp, tol=1e-10)
    mpmath.mp.dps = 20
    std = mpmath.mpf(fp.field_std["h"])
    slope2 = lambda y: 1 / mpmath.cosh(std * y) ** 4  # noqa: E731
    edge = 3 * mpmath.sqrt(mpmath.quad(lambda y: slope2(y) * mpmath.npdf(y), np.linspace(-9, 9, 13).tolist()))
    assert sp.radius() == pytest.approx(float(edge), abs=1e-10)
    r = 0.7
    f = lambda s: mpmath.quad(  # noqa: E731
        lambda y: 9 * slope2(y) / (r**2 + 9 * s * slope2(y)) * mpmath.npdf(y), np.linspace(-9, 9, 25).tolist()
    )
    s = mpmath.findroot(lambda s: f(s) - 1, (0.1, 0.9), solver="anderson")
    assert sp.mass(0.0, r, tol=1e-8) == pytest.approx(1 - float(s), abs=1e-6)  # quadrature of the population, tol 1e-10


def test_masses_count_the_density_map():
    fp = gt.fixed_points(gt.Ensemble(gt.GRU, gain={"z": 1, "r": 2, "h": 3}))[-1]
    sp = gt.Spectrum(fp)
    x, y, rho = sp.density_map(120)
    area = (x[1] - x[0]) * (y[1] - y[0])
    assert rho.min() >= 0
    # the map drops what falls into pixels cut by the edge on one side and adds it on the other: one row of pixels in size
    assert rho.sum() * area == pytest.approx(1.0, abs=0.015)
    z = x[None, :] + 1j * y[:, None]
    for centre, radius in ((0.5, 0.3), (0.2 + 0.4j, 0.25)):
        pixels = rho[np.abs(z - centre) < radius].sum() * area
        assert sp.mass(centre, radius) == pytest.approx(pixels, abs=0.01)


@pytest.mark.parametrize("cell", [gt.GRU, gt.JANET])
def test_many_discs_at_once_are_those_one_by_one(cell):
    """Discs that share populations, and others that cut the real axis between the leaks; each is good to 1e-4."""
    sp = gt.Spectrum(gt.fixed_points(gt.Ensemble(cell, gain=2.5))[-1])
    center, radius = np.array([[0.0], [0.5], [0.3 + 0.5j]]), np.array([0.2, 0.0, 1e-3, 1.5])
    together = sp.mass(center, radius)
    assert together.shape == (3, 4)
    for i, one in enumerate(center[:, 0]):
        assert together[i] == pytest.approx([sp.mass(one, r) for r in radius], abs=2e-4)
    assert (together[:, 1] == 0.0).all() and together[:, 3] == pytest.approx(1.0, abs=1e-4)
    tau = np.array([[3.0, 100.0]])
    assert sp.slow_fraction(tau) == pytest.approx(1.0 - sp.mass(0.0, np.exp(-1.0 / tau)), abs=1e-12)
    assert sp.mass(np.zeros((0, 1)), radius).shape == (0, 4)
    assert isinstance(sp.mass(0.5, 0.3), float) and isinstance(sp.slow_fraction(10), float)


def test_counts_of_a_shape_that_does_not_fit():
    sp = gt.Spectrum(gt.fixed_points(gt.Ensemble(gt.Vanilla, gain=2.0))[-1])
    with pytest.raises(ValueError, match=r"shapes that broadcast, got \(2,\) and \(3,\)"):
        sp.mass([0.0, 0.1], [0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match="radius must lie in"):
        sp.mass(0.0, [0.1, -0.1])
    with pytest.raises(ValueError, match="tau must lie in"):
        sp.slow_fraction([1.0, 0.0])


def test_a_tolerance_that_is_raised_stays_in_range():
    """Rounding took it beyond the largest that populations can be made for, and the next population was refused."""
    law = gt.fixed_points(gt.Ensemble(gt.GRU, gain=50.0))[-1]
    assert law.sites_at(1e-3, 50).tol <= 0.1


def test_slow_fraction_is_the_mass_outside_a_circle():
    sp = gt.Spectrum(gt.fixed_points(gt.Ensemble(gt.GRU, gain={"z": 6, "r": 1, "h": 3}))[-1])
    fractions = [sp.slow_fraction(tau) for tau in (2, 10, 100)]
    assert fractions[0] > fractions[1] > fractions[2] > 0
    assert fractions[1] == pytest.approx(1 - sp.mass(0, np.exp(-0.1)), abs=1e-9)


def test_a_map_where_the_population_ends_before_the_exact_edge():
    """Next to the thin layer of rare leaks a coarse population has no solution but zero, though the exact edge is further out."""
    ens = gt.Ensemble(gt.GRU, {"z": 1.0, "r": 1.0, "h": 4.0}, {"z": 2.0})
    x, y, density = gt.Spectrum(gt.fixed_points(ens)[-1]).density_map(40, box=(0.25, 0.45, 0.0, 0.02))
    assert np.isfinite(density).all() and (density >= 0).all()
    assert (density == 0).any() and (density > 0).any()


@pytest.mark.parametrize("name", ["GRU", "GRUResetAfter"])
def test_masses_at_gains_of_50_are_those_of_networks(name):
    """Eigenvalues of three networks, in discs that cut the axis between leaks and in one that does not come near them."""
    fp = gt.fixed_points(gt.Ensemble(getattr(gt, name), gain=50))[-1]
    spectrum = gt.Spectrum(fp)
    samples = [gt.Network.planted(fp, 300, rng=seed) for seed in range(3)]
    found = np.concatenate([np.ravel(net.eigenvalues(state)) for net, state in samples])
    for center, radius in ((0.0, 0.5), (0.0, np.exp(-1e-3)), (0.3 + 0.2j, 0.3)):
        mass = spectrum.mass(center, radius)
        # as if eigenvalues were independent: nearly all are leaks of independent sites
        assert mass == pytest.approx(np.mean(np.abs(found - center) < radius), abs=3 * np.sqrt(mass * (1 - mass) / found.size))


@pytest.mark.parametrize("a_z", [100, 1000])
def test_gates_that_are_one_to_rounding(a_z):
    """A steep update gate is 0 or 1: half of the modes sit at 1, but for a part of order 1 / a_z (at a_z = 1000 sites with z = 1 to
    rounding once kept the equations from being solved there)."""
    active = gt.fixed_points(gt.Ensemble(gt.GRU, gain={"z": a_z, "r": 2, "h": 2.5}))[-1]
    missing = 0.5 - gt.Spectrum(active).mass(1, 0.1)
    # of the leaks z those above .9 are in the disc: 1/2 less the density of a unit's field at 0, over a_z, times log(9); the next
    # term is smaller by 1 / a_z^2, and the mass is good to 1e-5
    expected = np.log(9.0) / a_z / np.sqrt(2.0 * np.pi * active.moments["h"])
    assert missing == pytest.approx(expected, rel=40.0 / a_z**2, abs=1e-5)
