"""Laws of matrices: what is drawn, how laws are named and described, what is refused [T1]."""

import json

import numpy as np
import pytest

import gating_theory as gt
from gating_theory.ensemble.matrix_laws import FACTS, IID, LIMIT, LawError, MatrixLaw, Unknown, field_laws, law_from_dict, require


def test_iid_draws_have_mean_square_one():
    V = IID().draw(60, np.random.default_rng(0), count=3)
    assert V.shape == (3, 60, 60)
    # standard errors of the mean square and of the mean of 10 800 numbers, 4.5 of each
    assert abs(np.mean(V**2) - 1) < 4.5 * np.sqrt(2 / V.size) and abs(V.mean()) < 4.5 / np.sqrt(V.size)


def test_a_conditioned_matrix_takes_the_message_to_the_image_and_keeps_the_rest():
    rng = np.random.default_rng(1)
    before, message, image = rng.standard_normal((30, 30)), rng.standard_normal(30), rng.standard_normal(30)
    matrix = before.copy()
    assert IID().image_scales(message[None], image[None]) is None  # images of any length are possible
    IID().condition(matrix[None], message[None], image[None], rng)
    np.testing.assert_allclose(matrix @ message, image, atol=1e-12)
    across = rng.standard_normal(30)
    across -= message * (across @ message) / (message @ message)
    np.testing.assert_allclose(matrix @ across, before @ across, atol=1e-12)


def test_given_matrices_cannot_be_drawn():
    with pytest.raises(LawError, match="cannot be drawn: say which law you assume"):
        Unknown().draw(3, np.random.default_rng(0))


def test_a_law_that_says_nothing_does_nothing():
    class Silent(MatrixLaw):
        def draw(self, n, rng, count=1):
            return np.zeros((count, n, n))

    assert Silent.holds == frozenset() and IID.holds == set(FACTS) > LIMIT
    with pytest.raises(NotImplementedError, match="conditioned"):
        Silent().condition(np.ones((1, 2, 2)), np.ones((1, 2)), np.ones((1, 2)), np.random.default_rng(0))
    with pytest.raises(NotImplementedError, match="implicit"):
        Silent().implicit(2, np.ones(1), [[0]], 2, np.random.default_rng(0), np.float64)


def test_laws_by_name_by_field_and_by_description():
    assert field_laws("iid", ("r", "h")) == {"r": IID(), "h": IID()}
    assert field_laws({"h": "unknown"}, ("r", "h")) == {"r": IID(), "h": Unknown()}
    assert field_laws(Unknown(), ("h",)) == {"h": Unknown()}
    for law in (IID(), Unknown()):
        described = json.loads(json.dumps(law.as_dict()))
        assert law_from_dict(described) == law and field_laws({"h": described}, ("h",)) == {"h": law}


@pytest.mark.parametrize(
    "value, error, words",
    [
        ("gaussian", ValueError, r"matrices must be a law or one of the names \['iid', 'unknown'.*got 'gaussian'"),
        (None, TypeError, "matrices must be a law such as"),
        (IID, TypeError, "matrices must be a law such as"),
        ({"q": "iid"}, ValueError, r"unknown name 'q'; allowed are \['h'\]"),
        ({"h": 3}, TypeError, r"matrices\['h'\] must be a law"),
        ({"h": {"law": "lost"}}, ValueError, "matrix law 'lost' is not defined here"),
    ],
)
def test_what_is_no_law_is_refused(value, error, words):
    with pytest.raises(error, match=words):
        field_laws(value, ("h",))


def test_a_refusal_names_who_asks_for_what_and_what_can_be_used():
    require({"h": IID()}, "edge", "Spectrum", "eigenvalues")
    with pytest.raises(gt.CapabilityError, match="Spectrum needs the edge.*field 'h'.*Unknown.*use eigenvalues, or say which"):
        require({"r": IID(), "h": Unknown()}, "edge", "Spectrum", "eigenvalues")


def test_fields_without_a_matrix_need_no_law():
    ensemble = gt.Ensemble(gt.GRU, gain={"z": 0, "r": 1, "h": 2}, matrices={"z": "unknown"})
    ensemble.require("mean field", "fixed_points", "networks")
    with pytest.raises(LawError, match="'z'"):
        ensemble.replace({"gain.z": 0.1}).require("mean field", "fixed_points", "networks")
