"""Sparse matrices: what is drawn, which facts hold at which in-degree [T10]."""

import json

import numpy as np
import pytest

import gating_theory as gt
from gating_theory.ensemble.matrix_laws import law_from_dict

LAWS = [gt.Sparse(4), gt.Sparse(4, "sign"), gt.Sparse(4, fixed=True), gt.Sparse(4, "sign", True)]


@pytest.mark.parametrize("law", LAWS, ids=repr)
def test_entries_have_mean_square_one_and_rows_their_number(law):
    V = law.matrices(200, np.random.default_rng(0), 3)
    present = V != 0.0
    degrees = present.sum(axis=-1)
    # squares of entries n / c w^2: five standard errors of their mean, number and size of the entries both vary
    assert np.mean(V**2) == pytest.approx(1.0, abs=5 * np.sqrt(law.fourth_moment / (4 * 600)))
    assert (degrees == 4).all() if law.fixed else degrees.mean() == pytest.approx(4.0, abs=5 * np.sqrt(4 / 600))
    assert abs(V.mean()) < 5 / np.sqrt(V.size)
    assert law.entries == "normal" or set(np.unique(np.abs(V[present]))) == {np.sqrt(50.0)}
    assert len(np.unique(degrees)) > 3 or law.fixed


@pytest.mark.parametrize("law", LAWS, ids=repr)
def test_fields_have_the_excess_kurtosis_of_few_terms(law):
    """(m4 E m^4 / (E m^2)^2 - 3 of a fixed in-degree) / c: what the corrections of theory stand on."""
    n, rng = 300, np.random.default_rng(1)
    m = np.tanh(rng.standard_normal(n))
    y = (law.matrices(n, rng, 60) @ m).ravel() / np.sqrt(n)
    y2 = np.mean(m**2)
    wanted = (law.fourth_moment * np.mean(m**4) / y2**2 - 3.0 * law.fixed) / 4
    # rows of one matrix share no entries, and 18 000 numbers are kept; terms without replacement change it by 3 / n
    excess = y**4 / y2**2 - 3.0
    assert excess.mean() == pytest.approx(wanted, abs=5 * excess.std() / np.sqrt(y.size) + 6 / n)


def test_theory_is_served_where_the_limit_is_good():
    def holds(c):
        return gt.Sparse(c).holds

    assert holds(29.9) == {"edge"} and holds(30) >= {"mean field", "dynamics", "edge", "resolvent"}
    assert np.isnan(gt.Sparse(10).accuracy) and (gt.Sparse(30).accuracy, gt.Sparse(100).accuracy) == (1e-2, 1e-3)
    few, many = (gt.Ensemble(gt.Vanilla, gain=2.0, matrices=gt.Sparse(c)) for c in (10, 30))
    assert gt.fixed_points(many)[-1].q == pytest.approx(gt.fixed_points(gt.Ensemble(gt.Vanilla, gain=2.0))[-1].q, rel=1e-12)
    with pytest.raises(gt.CapabilityError, match="Sparse"):
        gt.fixed_points(few)
    # the edge of sites that owe nothing to the matrix, at any in-degree: the zero state
    spectrum = gt.Spectrum(gt.Network.sample(few, 50, rng=0).sites(np.zeros((1, 50))))
    assert spectrum.radius() == pytest.approx(2.0, rel=1e-9)
    with pytest.raises(gt.CapabilityError, match="Sparse"):
        spectrum.potential(0.5)


def test_laws_are_saved_and_bad_ones_refused():
    law = gt.Sparse(12, "sign", fixed=True)
    assert law_from_dict(json.loads(json.dumps(law.as_dict()))) == law
    with pytest.raises(ValueError, match="in_degree must be a whole number"):
        gt.Sparse(12.5, fixed=True)
    with pytest.raises(ValueError, match="entries must be"):
        gt.Sparse(12, "cauchy")
    with pytest.raises(ValueError, match="in_degree"):
        gt.Sparse(0.0)
    with pytest.raises(ValueError, match="in_degree = 12 must be at most the number of units, 5"):
        gt.Network.sample(gt.Ensemble(gt.Vanilla, matrices=law), 5)
