"""Corrections of first order in 1/c: moments by population dynamics, potentials of sampled sparse networks [T10]."""

import numpy as np
import pytest

import gating_theory as gt

LAM = 0.3 + 0.3j


def moment_of_trees(law, a, n=100_000, steps=(10, 30), seed=0):
    """E h^2 of a vanilla network without loops: every unit hears fresh units of the step before. Brute force, no expansion."""
    rng, c = np.random.default_rng(seed), law.in_degree
    m, found = rng.standard_normal(n), []
    for _ in range(sum(steps)):
        degrees = np.full(n, int(c)) if law.fixed else rng.poisson(c, n)
        heard = m[rng.integers(n, size=degrees.sum())]
        heard *= rng.standard_normal(heard.size) if law.entries == "normal" else rng.choice([-1.0, 1.0], heard.size)
        m = np.tanh(a / np.sqrt(c) * np.bincount(np.repeat(np.arange(n), degrees), heard, minlength=n))
        found.append(np.mean(m**2))
    return np.mean(found[steps[0] :])


@pytest.mark.parametrize("law", [gt.Sparse(30), gt.Sparse(30, "sign", fixed=True)], ids=repr)
def test_moments_are_those_of_networks_without_loops(law):
    """Vanilla, a = 2: changes of -.007 and +.003 from iid matrices."""
    point = gt.fixed_points(gt.Ensemble(gt.Vanilla, gain=2.0, matrices=law))[-1]
    (corrected,) = gt.sparse_moments(point).values()
    change = corrected - point.q[0]
    assert abs(change) > 0.002
    # the next order, (1/c)^2: the square of this one's relative size, some times; counting error 1e-3 / sqrt(30) of the means
    assert corrected == pytest.approx(moment_of_trees(law, 2.0), abs=0.0012)


def test_the_shift_of_the_potential_at_the_sites_of_chaos():
    """Vanilla, a = 2, states independent of the fields of the same step: -.0254 at c = 30, -.0075 at c = 100."""
    q = gt.fixed_points(gt.Ensemble(gt.Vanilla, gain=2.0))[-1].q[0]
    x, w = np.polynomial.hermite_e.hermegauss(80)
    w /= w.sum()
    y = 2.0 * np.sqrt(q) * x
    fields, states = (v.ravel() for v in np.meshgrid(y, np.tanh(y)))
    weights = np.outer(w, w).ravel()
    for c, shift in ((30, -0.0254), (100, -0.0075)):
        sites = gt.Sites(gt.Vanilla, weights, states[None], fields[None], gain=np.array([2.0]), matrices=gt.Sparse(c))
        spectrum = gt.Spectrum(sites)
        # rounded to the last digit; those numbers were computed at sampled sites, whose scatter is 1 % of them
        assert gt.sparse_potential(spectrum, LAM) - spectrum.potential(LAM) == pytest.approx(shift, abs=5e-4)


def test_potentials_of_sparse_networks_are_those_of_theory():
    """Eight networks of 300 units with 30 inputs each, in chaos: the Gaussian theory at their own sites is off by -.025."""
    ensemble = gt.Ensemble(gt.Vanilla, gain=2.0, matrices=gt.Sparse(30))
    off, corrected = [], []
    for seed in range(8):
        net = gt.Network.sample(ensemble, 300, rng=seed)
        state = net.run(net.random_state(seed), 40)
        spectrum = gt.Spectrum(net.sites(state))
        found = net.log_det(LAM, state)
        off.append(found - spectrum.potential(LAM))
        corrected.append(found - gt.sparse_potential(spectrum, LAM))
    error = np.std(corrected, ddof=1) / np.sqrt(8)
    # four standard errors, and 1/c^2: at c = 10 what is left was .013, a ninth of that here
    assert abs(np.mean(corrected)) < 4 * error + 0.0015
    assert np.mean(off) < -0.012


def test_signs_of_fixed_number_leave_the_zero_state_alone():
    """Every row has the same length: log|det| / N is that of iid matrices to order 1/c; of normal weights it is -3 s^2 / 4c."""
    for law, factor in ((gt.Sparse(50, "sign", fixed=True), 0.0), (gt.Sparse(50), 3.0), (gt.Sparse(50, fixed=True), 2.0)):
        spectrum = gt.Spectrum(gt.fixed_points(gt.Ensemble(gt.Vanilla, gain=2.0, matrices=law))[0])
        u = abs(LAM) ** 2 / 4.0
        lams = np.array([LAM, 3.0])  # outside the disc nothing changes
        shift = gt.sparse_potential(spectrum, lams) - spectrum.potential(lams)
        assert shift == pytest.approx([-factor * (1.0 - u) ** 2 / 200.0, 0.0], abs=1e-9)


def test_gates_without_matrices_are_let_through_and_several_matrices_are_not():
    """The GRU with one matrix: at c -> infinity the correction goes as 1/c, and both results meet those of iid matrices."""
    gain, bias = {"z": 0, "r": 0, "h": 4}, {"r": 1.0}
    shifts = []
    for c in (100, 1e6):
        point = gt.fixed_points(gt.Ensemble(gt.GRU, gain, bias, bias_std={"z": 0.5}, matrices=gt.Sparse(c)))[-1]
        spectrum = gt.Spectrum(point)
        moments = np.array(list(gt.sparse_moments(point).values())) - point.q
        shifts.append(c * np.append(moments, gt.sparse_potential(spectrum, LAM) - spectrum.potential(LAM)))
    assert shifts[1] == pytest.approx(shifts[0], rel=1e-3) and (np.abs(shifts[0]) > 0.01).all()
    several = gt.fixed_points(gt.Ensemble(gt.GRU, gain=3.0, matrices=gt.Sparse(30)))[-1]
    with pytest.raises(gt.CapabilityError, match="sparse_moments is derived for one field"):
        gt.sparse_moments(several)
    with pytest.raises(gt.CapabilityError, match="sparse_potential is derived for one field"):
        gt.sparse_potential(gt.Spectrum(gt.fixed_points(gt.Ensemble(gt.Vanilla, gain=2.0))[-1]), LAM)
    given = gt.FixedPoint(gt.Ensemble(gt.Vanilla, 2.0, matrices=gt.Sparse(20)), {"h": 0.5}, 0.0, 0.0, several.status)
    with pytest.raises(gt.CapabilityError, match="Sparse"):
        gt.sparse_moments(given)
