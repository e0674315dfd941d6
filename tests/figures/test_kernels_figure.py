"""Digits by kernels: the noise is that of the best prediction of each label from all others, and orders hold the same pixels."""

import numpy as np
import pytest
from gating_theory.figures import kernels


@pytest.mark.parametrize("seed", range(4))
def test_noise_by_leaving_one_out(seed):
    """The accuracy is that of the noise which a plain loop over left out labels finds."""
    rng = np.random.default_rng(seed)
    size, n_test = 25, 30
    labels = rng.integers(0, 10, size + n_test)
    features = rng.standard_normal((10, 12))[labels] + rng.choice([0.1, 3.0]) * rng.standard_normal((size + n_test, 12))
    K = features @ features.T
    targets = np.eye(10)[labels[:size]] - 0.1
    errors, right = [], []
    for noise in kernels.NOISES:
        full = K[:size, :size] + noise * np.trace(K) / len(K) * np.eye(size)
        away = []
        for i in range(size):
            rest = np.delete(np.arange(size), i)
            away.append(targets[i] - full[i, rest] @ np.linalg.solve(full[np.ix_(rest, rest)], targets[rest]))
        errors.append(np.mean(np.square(away)))
        outputs = K[size:, :size] @ np.linalg.solve(full, targets)
        right.append((outputs.argmax(1) == labels[size:]).mean())
    assert kernels.accuracy(K, labels, size, n_test) == pytest.approx(right[int(np.argmin(errors))], abs=1e-12)


def test_orders_hold_the_same_pixels():
    pytest.importorskip("sklearn")
    (plain, labels), (permuted, same) = (kernels.sequences(order, 40) for order in kernels.ORDERS)
    assert plain.shape == (40, 64, 1) and np.array_equal(labels, same)
    assert np.array_equal(np.sort(plain, axis=1), np.sort(permuted, axis=1)) and not np.array_equal(plain, permuted)


def test_a_trained_network_learns():
    """After a hundred updates far more is right than by chance, and a seed gives one score."""
    pytest.importorskip("torch")
    plan = {"sizes": (100,), "n_test": 50, "updates": 100}
    score = kernels.by_training("GRU", "digits", "mean", 100, plan, 0)
    # three standard errors of a tenth of 50 answers
    assert score > 0.1 + 3.0 * np.sqrt(0.09 / 50)
    assert score == kernels.by_training("GRU", "digits", "mean", 100, plan, 0)
