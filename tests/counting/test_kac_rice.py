"""The exact Kac-Rice integral at finite N: its degree, hand-countable networks, and enumerated networks."""

import numpy as np
import pytest
import sympy as sp

import gating_theory as gt
from gating_theory.counting.functional import ComplexityFunctional
from gating_theory.counting.kac_rice import Sampler, TiltedLaw

h, y = sp.symbols("h y_h", real=True)


def gru(a_h, a_r):
    return gt.Ensemble(gt.GRU, gain={"h": a_h, "r": a_r})


# mean counts of enumerated networks with their errors, as in the theory's companion sheet
ENUMERATED = [
    (gt.Ensemble(gt.Vanilla, gain=3.0), 8, 3.84, 0.10),
    (gru(4.0, 8.0), 8, 5.51, 0.15),
    (gru(2.5, 8.0), 8, 3.43, 0.10),
    (gru(1.8, 8.0), 8, 2.14, 0.07),  # below the mean-field fold
]


@pytest.mark.slow
@pytest.mark.parametrize("ensemble, n, mean, error", ENUMERATED)
def test_against_enumerated_counts(ensemble, n, mean, error):
    """The exact mean number at finite N is the mean of enumerated networks."""
    found = gt.kac_rice(ensemble, n, 12_000, rng=0)
    assert abs(found.mean - mean) < 4.0 * np.hypot(found.stderr, error)
    # together with the sheet's 3 %: a mean that is off by a sixth would be seen
    # norms: 1e-5 in the narrowest laws of two fields (a few nodes in each), times N = 8
    assert found.stderr < 0.03 * found.mean and found.norm_error < 1e-4 * found.mean
    assert abs(found.degree - 1.0) < 4.0 * found.degree_stderr


@pytest.mark.parametrize(
    "ensemble",
    [
        gt.Ensemble(gt.Vanilla, gain=2.0, bias_std=0.3),
        gt.Ensemble(gt.Vanilla, gain=0.9),
        gt.Ensemble(gt.GRU, gain=2.0, bias={"h": 0.2}, bias_std={"r": 0.5}),
        gt.Ensemble(gt.GRUResetAfter, gain=3.0),
        gt.Ensemble(gt.CoupledLSTM, gain=4.0),
    ],
    ids=lambda e: e.cell.name,
)
def test_indices_add_up_to_one(ensemble):
    found = gt.kac_rice(ensemble, 4, 6000, rng=1)
    assert abs(found.degree - 1.0) < 4.0 * found.degree_stderr and found.degree_stderr < 0.1
    assert found.mean > 0.9


@pytest.mark.parametrize("expression, gain", [(sp.exp(-(y**2)), 3.0), (sp.tanh(y) / 20, 18.0)], ids=["no zero state", "small"])
def test_indices_of_own_cells_add_up_to_one(expression, gain):
    """A message that vanishes nowhere, and one that is never above 1/20 and has no ridge."""
    cell = gt.Cell(name="own", state=[h], fields=[y], messages=[h], update=[expression])
    found = gt.kac_rice(gt.Ensemble(cell, gain=gain), 4, 6000, rng=1)
    assert abs(found.degree - 1.0) < 4.0 * found.degree_stderr and found.degree_stderr < 0.1
    assert found.mean >= 1.0


@pytest.mark.slow
@pytest.mark.parametrize("gains", [(1, 1, 6, 1), (2, 4, 5, 4), (1, 2, 8, 2)])
def test_lstms_against_enumerated_counts(gains):
    """The two counts of six-unit LSTMs share nothing but the cell; each says how far it may be off."""
    ensemble = gt.Ensemble(gt.LSTM, gain=dict(zip("figo", gains)))
    counted, exact = gt.count_fixed_points(ensemble, 6, 24, rng=0), gt.kac_rice(ensemble, 6, 1200, rng=0)
    assert abs(counted.mean - exact.mean) < 4.0 * np.hypot(counted.mean_stderr, exact.stderr)
    assert counted.settled.mean() > 0.95 and counted.degree_passed > 0.95


@pytest.mark.slow
def test_indices_of_lstms_add_up_to_one():
    """Four fields: norms of the tilted laws are four-dimensional quadratures, whose errors enter N times and are given."""
    found = gt.kac_rice(gt.Ensemble(gt.LSTM, gain=dict(zip("figo", (1, 1, 6, 1)))), 8, 6000, rng=0)
    assert abs(found.degree - 1.0) < 4.0 * found.degree_stderr and found.degree_stderr < 0.15 * found.mean
    assert found.norm_error < 1e-3 * found.mean


def test_norms_of_tilted_laws_are_as_accurate_as_they_say():
    """Against plain sampling of the Gaussian fields, and two laws of one variable against quadrature on a wide dense mesh."""
    rng = np.random.default_rng(0)
    for law in Sampler(ComplexityFunctional(gt.Ensemble(gt.LSTM, gain=dict(zip("figo", (1, 1, 6, 1))))), 8).laws[:3]:
        sites = law.mean[:, None] + law.std[:, None] * rng.standard_normal((4, 60_000))
        tilt = np.minimum(law.functional.tilt(list(sites), law.point), law.bound)
        assert abs(tilt.mean() - np.exp(law.log_norm)) < 4.0 * tilt.std() / np.sqrt(tilt.size)
        assert 0.0 < law.norm_error < 1e-3
    for law in Sampler(ComplexityFunctional(gt.Ensemble(gt.Vanilla, gain=3.0)), 8).laws[:2]:
        y = np.linspace(-9.0, 9.0, 20_001) * law.std[0]
        density = np.exp(law.log_density(y[None]))
        assert abs(density.sum() * (y[1] - y[0]) - 1.0) < law.norm_error + 1e-9


def test_caps_of_tilted_laws_leave_their_peaks():
    """Coarse grids of narrow laws once missed the largest tilt by half: the norms of such caps had three digits."""
    rng = np.random.default_rng(0)
    laws = [law for law in Sampler(ComplexityFunctional(gru(4.0, 8.0)), 8).laws if not law.plain]
    assert min(law.point.q.min() for law in laws) < 1e-4
    for law in laws:
        sites = law.mean[:, None] + law.std[:, None] * rng.standard_normal((2, 4000))
        assert law.functional.tilt(list(sites), law.point).max() <= law.bound and law.norm_error < 1e-4


def test_an_error_of_a_norm_enters_the_result(monkeypatch):
    """Norms off by a part in a thousand move the mean by what ``norm_error`` says, N parts in a thousand at most."""
    ensemble = gt.Ensemble(gt.Vanilla, gain=3.0)
    exact = gt.kac_rice(ensemble, 8, 1000, rng=0)
    real = TiltedLaw.__init__

    def off(self, *arguments):
        real(self, *arguments)
        if not self.plain:
            self.log_norm, self.norm_error = self.log_norm + 1e-3, 1e-3

    monkeypatch.setattr(TiltedLaw, "__init__", off)
    wrong = gt.kac_rice(ensemble, 8, 1000, rng=0)
    # the second-order change is 8e-3 of the first
    assert wrong.norm_error == pytest.approx(abs(wrong.mean - exact.mean), rel=0.02) and wrong.norm_error < 8.1e-3 * wrong.mean
    assert wrong.stderr > exact.stderr


def test_small_networks_against_counting():
    """E n at N = 2 against Network.find_fixed_points on sampled networks: another method from another module."""
    ensemble = gt.Ensemble(gt.Vanilla, gain=3.0, bias_std=0.2)
    counts = [len(gt.Network.sample(ensemble, 2, rng=seed).find_fixed_points(40, rng=0).fixed) for seed in range(60)]
    found = gt.kac_rice(ensemble, 2, 6000, rng=0)
    assert abs(found.mean - np.mean(counts)) < 4.0 * np.hypot(found.stderr, np.std(counts, ddof=1) / np.sqrt(60))


def test_grows_at_the_rate_of_the_complexity():
    """(E n - 1) exp(-N Sigma) levels off: the slope between N = 8 and 20, within error and the prefactor's change."""
    ensemble = gt.Ensemble(gt.Vanilla, gain=3.0)
    few, many = (gt.kac_rice(ensemble, n, 6000, rng=2) for n in (8, 20))
    slope = np.log((many.mean - 1.0) / (few.mean - 1.0)) / 12
    error = np.hypot(few.stderr / (few.mean - 1.0), many.stderr / (many.mean - 1.0)) / 12
    # the sheet's prefactors change by 10 % between N = 16 and 24, and by 20 % from N = 8: 0.2/12
    assert abs(slope - gt.complexity(ensemble).value) < 4.0 * error + 0.03
    assert slope > gt.complexity(ensemble, "mean_field").value


def test_the_same_seed_gives_the_same_numbers(tmp_path):
    ensemble = gt.Ensemble(gt.Vanilla, gain=2.0)
    a, b = (gt.kac_rice(ensemble, 4, 300, rng=5) for _ in range(2))
    assert a == b
    assert gt.load(gt.save(a, tmp_path / "a.json")) == a
    assert "effective" in str(a)
    told = []
    gt.kac_rice(ensemble, 4, 300, rng=5, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (300, 300)


def test_bad_arguments():
    ensemble = gt.Ensemble(gt.Vanilla, gain=2.0)
    with pytest.raises(TypeError, match="ensemble must be an Ensemble"):
        gt.kac_rice(gt.Vanilla, 4)
    with pytest.raises(ValueError, match="n_units must be at least 2"):
        gt.kac_rice(ensemble, 1)
    with pytest.raises(ValueError, match="n_samples must be at least 100"):
        gt.kac_rice(ensemble, 4, 10)
    with pytest.raises(gt.CapabilityError, match="grow without bound"):
        gt.kac_rice(gt.Ensemble(gt.LiGRU), 4)
    with pytest.raises(gt.CapabilityError, match="nothing to integrate"):
        gt.kac_rice(gt.Ensemble(gt.GRU, gain={"h": 0.0}), 4)
