"""How often a validation is wrong: rows of a true theory disagree as often as their level says, those of a wrong one do."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

import gating_theory as gt
from gating_theory.validation.cases import Case
from gating_theory.validation.judgement import Judgement
from gating_theory.validation.limits import limit_of
from gating_theory.validation.measurement import measurement_of
from gating_theory.validation.quantities import Quantities
from gating_theory.validation.states import AtRest, Sampled, state_of

VANILLA = gt.Ensemble(gt.Vanilla, gain=2.0, bias_std=0.5)


def networks(state, quantities, limit, n_units, seeds):
    """Freshly sampled ones, measured."""
    return [measurement_of(state, quantities, n_units, limit.isolated, seed) for seed in seeds]


def chances(case, n_units, groups, size, seed):
    """(groups, rows) probabilities of the rows of independent validations, which share the theory of the limit."""
    state, quantities = state_of(case), Quantities(case)
    theory, *seeds = np.random.SeedSequence(seed).spawn(1 + groups * size)
    limit = limit_of(state, quantities, n_units, theory)
    found = networks(state, quantities, limit, n_units, seeds)
    parts = [found[i * size : (i + 1) * size] for i in range(groups)]
    return np.array([[row.p_value for row in Judgement("x", quantities, limit, part, n_units, 0.01).rows()] for part in parts])


def test_true_theories_disagree_as_often_as_the_level_says():
    """Of 30 validations, of two networks each, a row disagrees at a level of a tenth in a tenth of them, or less, but not never."""
    found = chances(Case("x", VANILLA, "planted"), 80, 30, 2, seed=0)
    # rows of one network depend on one another; each alone within three standard deviations of 30 coins
    assert ((found < 0.1).mean(axis=0) <= 0.1 + 3.0 * np.sqrt(0.1 * 0.9 / 30)).all(), found
    assert 0.02 < (found < 0.1).mean() < 0.15 and found.min() > 1e-4


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_ten_percent_of_a_gain_are_noticed(factor):
    """Theory whose gain is off by a tenth does not pass: that of the limit alone, and that at the sites of the networks alone."""
    ensemble, seeds = (
        gt.Ensemble(gt.GRU, {"z": 1, "r": 3, "h": 1.6}, bias_std={"z": 0.5, "r": 0.5}),
        np.random.SeedSequence(1).spawn(5),
    )
    case = Case("x", ensemble, "zero")
    state, quantities = state_of(case), Quantities(case)
    wrong = gt.fixed_points(ensemble.replace({"gain.h": factor * 1.6}))[0]
    right, other = (limit_of(AtRest(point), quantities, 200, seeds[0]) for point in (state.law, wrong))
    found = networks(state, quantities, right, 200, seeds[1:])
    assert all(row.agrees for row in Judgement("x", quantities, right, found, 200, 1e-4).rows())
    assert any(row.reason.startswith("off by") for row in Judgement("x", quantities, other, found, 200, 1e-4).rows())
    mistaken = networks(_Mistaken(state.law, factor), quantities, right, 200, seeds[1:])
    rows = Judgement("x", quantities, right, mistaken, 200, 1e-4).rows()
    assert any("given the sites" in row.reason for row in rows if row.verdict.code == "disagree")


@pytest.mark.nightly
@pytest.mark.parametrize(
    "ensemble",
    [VANILLA, gt.Ensemble(gt.GRU, {"z": 2, "r": 3, "h": 4}), gt.Ensemble(gt.LSTM, {"f": 2, "i": 3, "g": 3, "o": 2})],
    ids=lambda ensemble: ensemble.cell.name,
)
def test_rates_of_false_alarms(ensemble):
    """Of 100 validations, of three networks of 150 units each, a row disagrees at levels of .1 and .01 about so often, or less."""
    found = chances(Case("x", ensemble, "planted"), 150, 100, 3, seed=2)
    for level in (0.1, 0.01):
        rate = (found < level).mean()
        # eight rows of a validation count as two independent ones
        assert rate < level + 3.0 * np.sqrt(level / 200), (level, rate)
    assert found.min() > 1e-4


class _Doubted(Sampled):
    """A network whose sites theory takes for those of another gain."""

    factor = 1.0

    @property
    def sites(self):
        sites = super().sites
        return replace(sites, gain=self.factor * sites.gain)


@dataclass(frozen=True)
class _Mistaken(AtRest):
    factor: float = 1.0

    def network(self, n, rng):
        sampled = _Doubted(*super().network(n, rng))
        sampled.factor = self.factor
        return sampled
