"""Statistics of weights: of iid matrices as random matrix theory has them, of structure that was planted."""

import numpy as np
import pytest

import gating_theory as gt
from gating_theory.networks.weight_statistics import shuffled, weight_origin, weight_overlaps, weight_statistics


def network(matrices):
    return gt.Network(gt.Vanilla if len(matrices) == 1 else gt.GRU, np.array(matrices), np.zeros((len(matrices), len(matrices[0]))))


def test_iid_normal_matrices():
    net = gt.Network.sample(gt.Ensemble(gt.GRU, gain={"z": 1, "r": 2, "h": 3}), 150, rng=0)
    for name, gain in (("z", 1), ("r", 2), ("h", 3)):
        w = weight_statistics(net)[name]
        # errors: gain 1/N, moments of 22,500 entries, eigenvalues and singular values N^{-1/2} and N^{-2/3}
        assert w.gain == pytest.approx(gain, rel=0.03)
        assert abs(w.mean) < 4 and abs(w.excess_kurtosis) < 0.15 and w.normal_distance < 2 / 150
        assert w.radius == pytest.approx(1, abs=0.15) and w.circular_distance < 0.12 and not w.outliers
        assert w.norm == pytest.approx(2, abs=0.1) and abs(w.symmetry) < 4 / 150
    assert all(abs(c) < 4 / 150 for c in weight_overlaps(net).values()) and len(weight_overlaps(net)) == 3


def test_structure_is_seen():
    n = 120
    rng = np.random.default_rng(0)
    U = rng.standard_normal((n, n)) / np.sqrt(n)
    symmetric = weight_statistics(network([(U + U.T) / np.sqrt(2)]))["h"]
    assert symmetric.symmetry == pytest.approx(1) and symmetric.radius == pytest.approx(2, abs=0.2) and symmetric.outliers
    rank_one = weight_statistics(network([U + 3 * np.ones((n, n)) / n]))["h"]
    # an outlier at 3, moved by N^{-1/2}; the mean entry is 3 / N
    assert (rank_one.outliers[0] * rank_one.gain).real == pytest.approx(3, abs=0.3)
    assert rank_one.mean == pytest.approx(3 * np.sqrt(n) / rank_one.gain, abs=4)
    orthogonal = weight_statistics(network([np.linalg.qr(U)[0]]))["h"]
    assert orthogonal.norm == pytest.approx(1) and orthogonal.radius == pytest.approx(1)
    assert orthogonal.circular_distance > 0.99 and orthogonal.gain == pytest.approx(1)
    same = network([U, U, -U])
    assert weight_overlaps(same) == pytest.approx({("z", "r"): 1, ("z", "h"): -1, ("r", "h"): -1})
    assert set(weight_statistics(network([U, np.zeros((n, n)), U]))) == {"z", "h"}


def test_shuffling_keeps_entries_and_destroys_structure():
    rng = np.random.default_rng(1)
    U = rng.standard_normal((80, 80))
    net = network([U + U.T])
    twin = shuffled(net, 3)
    assert np.array_equal(np.sort(net.matrices.ravel()), np.sort(twin.matrices.ravel()))
    assert abs(weight_statistics(twin)["h"].symmetry) < 5 / 80
    assert np.array_equal(shuffled(net, 3).matrices, twin.matrices)


def test_iid_weights_are_random_whatever_their_law():
    """Of sixty networks with iid entries of three laws none has a chance below 1/1000, and chances are no smaller than they say."""
    chances = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        shape = (1, 20, 20) if seed % 2 else (3, 10, 10)
        entries = (rng.standard_normal(shape), rng.uniform(-1, 1, shape), rng.laplace(size=shape))[seed % 3]
        origin = weight_origin(network(entries), seed)
        assert origin.code == "random" and not origin.trained
        chances.append(origin.chance)
    # at most uniform: sixty of them, five standard deviations
    for level in (0.05, 0.2, 0.5):
        assert np.mean(np.array(chances) < level) < level + 5 * np.sqrt(level * (1 - level) / 60)


def test_structure_has_an_origin():
    n = 60
    rng = np.random.default_rng(0)
    U, V = rng.standard_normal((2, n, n)) / np.sqrt(n)
    spike = np.outer(*rng.standard_normal((2, n))) * 3 / n
    loud = U * np.exp(0.3 * rng.standard_normal(n))
    for matrices, word in (
        ([U + spike], "the singular values of h"),
        ([loud], "how much units send through h"),
        ([loud.T], "how much units hear through h"),
        ([U + U.T], "the symmetry of h"),
        ([U, V, U], "the likeness of z and h"),
    ):
        origin = weight_origin(network(matrices), 0)
        assert origin.trained and origin.evidence == word and origin.chance < 1e-3 and word in str(origin)
    Q = [np.linalg.qr(rng.standard_normal((n, n)))[0] for _ in range(3)]
    stacked = np.linalg.qr(rng.standard_normal((3 * n, n)))[0].reshape(3, n, n)
    for matrices in ([1.3 * Q[0]], Q, stacked, [np.eye(n)]):
        assert weight_origin(network(matrices), 0).code == "orthogonal"
    silent = weight_origin(network(np.zeros((1, 4, 4))), 0)
    assert silent.code == "random" and silent.chance == 1.0


def test_bad_arguments():
    with pytest.raises(TypeError, match="net must be a Network"):
        weight_statistics(np.eye(3))
    with pytest.raises(ValueError, match="batch of 2"):
        weight_overlaps(gt.Network.sample(gt.Ensemble(gt.GRU), 3, batch=2))
    with pytest.raises(TypeError, match="net must be a Network"):
        weight_origin(np.eye(3))
