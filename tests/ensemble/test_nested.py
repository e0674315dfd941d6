"""Averages that are functions of one number, against the sums themselves."""

import numpy as np
import pytest

from gating_theory.ensemble.nested import averages_through


def sech2(x):
    return 1.0 / np.cosh(np.clip(x, -300, 300)) ** 2


@pytest.mark.parametrize(
    "inner",
    [
        lambda p, y: [np.tanh(p * np.tanh(y)) ** 2],
        lambda p, y: [(np.tanh(y) * sech2(p * np.tanh(y))) ** 2],
        lambda p, y: [sech2(p + y) ** 2],
        lambda p, y: [np.exp(-((7.3 * p - y) ** 2))],  # a length that is none of tanh's
        lambda p, y: [1.0],
    ],
)
@pytest.mark.parametrize("at", [np.geomspace(1e-9, 1e7, 400).reshape(4, 100), np.linspace(-9, 7, 300), np.array([2.5])])
def test_against_the_sum(inner, at):
    y = np.sinh(np.linspace(-25, 4, 900)) / 20  # dense at 0, where steps of any width are
    w = np.exp(-0.5 * (y / 1.3) ** 2)
    w /= w.sum()
    direct = np.broadcast_to(inner(at.ravel()[:, None], y)[0], (at.size, y.size)) @ w
    found = averages_through(inner, at, y, w)
    # truncated at 1e-12 of what is largest in a piece, a few factors of two in p; tails fall faster than that, to nothing
    assert found.shape == at.shape
    assert np.abs(found.ravel() - direct).max() <= 1e-11 * np.abs(direct).max()
    clear = np.abs(direct) > 1e-9 * np.abs(direct).max()
    assert found.ravel()[clear] == pytest.approx(direct[clear], rel=1e-6)


def test_what_no_polynomial_follows_is_refused():
    y, w = np.array([-0.5, 0.5]), np.array([0.5, 0.5])
    assert averages_through(lambda p, y: [np.floor(p + y)], np.linspace(0.0, 3.0, 50), y, w) is None
    assert averages_through(lambda p, y: [p * y], np.array([1.0, np.inf]), y, w) is None
