"""Low-rank parts of matrices: what they are made of, saved, drawn and added to networks; what does not fit is refused [T11]."""

import pickle

import numpy as np
import pytest

import gating_theory as gt

PLAIN = gt.LowRank("h", covariance=[[1.5, 2.6], [2.6, 5.0]])
MIXTURE = gt.LowRank({"h": 2}, [[1, -0.5, 1.2, 0], [-0.3, 1, 0.2, 1.4]], [0.3 * np.eye(4), 0.5 * np.eye(4)], mixture=[0.4, 0.6])


@pytest.mark.parametrize("low", [PLAIN, MIXTURE, MIXTURE.drawn(7, 0), gt.LowRank(("z", "h"), mean=[1, 2, 3, 4])])
def test_ensembles_keep_it(low, tmp_path):
    ensemble = gt.Ensemble(gt.GRU, 0.8, low_rank=low)
    gt.save(ensemble, tmp_path / "ensemble.json")
    same = [gt.load(tmp_path / "ensemble.json"), pickle.loads(pickle.dumps(ensemble)), gt.Ensemble.from_dict(ensemble.as_dict())]
    same += [ensemble.with_matrices("iid"), ensemble.assuming("iid"), ensemble.replace({"gain": 0.8})]
    assert all(one == ensemble and hash(one) == hash(ensemble) and one.low_rank == low for one in same)
    assert ensemble != gt.Ensemble(gt.GRU, 0.8) == ensemble.with_low_rank(None)
    assert "low_rank=LowRank(" in repr(ensemble) and ensemble != ensemble.with_low_rank(low.scaled(2.0))
    with pytest.raises(ValueError, match="low-rank part"):
        gt.Direction(ensemble, gt.Ensemble(gt.GRU, 0.9))


def test_overlaps_of_loadings():
    """E[B_r A_s] of the law; of given ones their own; 200000 units drawn agree within 5 standard errors."""
    expected = 0.4 * np.outer([1.2, 0], [1, -0.5]) + 0.6 * np.outer([0.2, 1.4], [-0.3, 1])
    np.testing.assert_allclose(MIXTURE.overlap, expected, atol=1e-15)
    given = MIXTURE.drawn(200_000, 1)
    left, right = given.vectors
    products = right[:, None] * left[None]
    np.testing.assert_allclose(given.overlap, products.mean(axis=2), atol=1e-12)
    assert np.all(np.abs(given.overlap - expected) < 5.0 * products.std(axis=2) / np.sqrt(200_000))
    np.testing.assert_allclose(MIXTURE.scaled(-2.0).overlap, -2.0 * expected, atol=1e-15)
    np.testing.assert_allclose(given.scaled(3.0).overlap, 3.0 * given.overlap, atol=1e-12)
    singular = gt.LowRank("h", covariance=[[1.0, 2.0], [2.0, 4.0]]).drawn(50, 0).vectors
    np.testing.assert_allclose(singular[1], 2.0 * singular[0], atol=1e-7)  # the root of rounding


def test_networks_are_random_plus_low_rank():
    """Of given loadings the random part alone is left: the same matrices, drawn by the same seed."""
    given = gt.LowRank(("h", "h", "z"), mean=np.ones(6), covariance=np.eye(6)).drawn(40, 3)
    ensemble = gt.Ensemble(gt.GRU, 0.8)
    added = gt.Network.sample(ensemble.with_low_rank(given), 40, 5).matrices - gt.Network.sample(ensemble, 40, 5).matrices
    left, right = given.vectors
    np.testing.assert_allclose(added[2], left[:2].T @ right[:2] / 40, atol=1e-14)
    np.testing.assert_allclose(added[0], np.outer(left[2], right[2]) / 40, atol=1e-14)
    assert not added[1].any()
    batch = gt.Network.sample(gt.Ensemble(gt.Vanilla, 0.0, low_rank=PLAIN), 30, 0, batch=2).matrices
    assert np.linalg.matrix_rank(batch[0, 0]) == np.linalg.matrix_rank(batch[1, 0]) == 1
    assert not np.allclose(batch[0], batch[1])  # every network has loadings of its own
    with pytest.raises(ValueError, match="n_units must be 40, .* got 30"):
        gt.Network.sample(ensemble.with_low_rank(given), 30)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"channels": []}, "channels must name the field of at least one channel"),
        ({"channels": "h"}, "covariance must be given"),
        ({"channels": "h", "covariance": np.eye(3)}, r"covariance must have shape \(2, 2\) or \(C, 2, 2\)"),
        ({"channels": "h", "covariance": [[1, 2], [0, 1]]}, "must be symmetric"),
        ({"channels": "h", "covariance": [[1, 2], [2, 1]]}, "no negative eigenvalue, got one with -1"),
        ({"channels": {"h": 2}, "mean": np.zeros((2, 4)), "mixture": [0.5, 0.6]}, "mixture must be numbers >= 0 that sum to 1"),
        ({"channels": "h", "mean": np.zeros((2, 2)), "mixture": [1.0]}, "mixture must be of 2 components"),
        ({"channels": "h", "vectors": np.ones((2, 1, 4)), "mean": 0}, "mean must be left out"),
        ({"channels": "h", "vectors": np.ones((2, 2, 4))}, r"vectors must have shape \(2, 1, N\)"),
    ],
)
def test_what_is_no_law_of_loadings(arguments, match):
    with pytest.raises(ValueError, match=match):
        gt.LowRank(**arguments)


def test_channels_are_of_fields():
    with pytest.raises(ValueError, match="channel of the unknown field 'g'"):
        gt.Ensemble(gt.GRU, low_rank=gt.LowRank("g", covariance=np.eye(2)))
    with pytest.raises(TypeError, match="low_rank must be a LowRank"):
        gt.Ensemble(gt.GRU, low_rank=[1.0])
    with pytest.raises(ValueError, match="unknown entries"):
        gt.LowRank.from_dict({"channels": "h", "rank": 1})
