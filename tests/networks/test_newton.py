"""Where starts end: estimates of what is missing, merging, mirror images."""

import numpy as np

from gating_theory.networks.newton import merge_points, mirror_images, unseen


def test_estimate_of_what_is_missing():
    """Chao's estimate by hand, with and without points seen twice."""
    assert unseen(np.array([1, 1, 1, 2, 2, 9])) == 9 / 4
    assert unseen(np.array([1, 1, 1, 5])) == 3.0
    assert unseen(np.array([3, 4])) == 0.0
    assert unseen(np.array([], dtype=int)) == unseen(np.array([1])) == float("inf")


def test_merging_and_mirror_images():
    points = np.array([1.0, 0.0, 1.0 + 1e-8, 2.0, -2.0])[:, None, None]
    chosen, member = merge_points(points, 1e-6)
    assert chosen.tolist() == [0, 1, 3, 4]
    assert member.tolist() == [0, 1, 0, 2, 3]
    every, hits, mirrored, pairs, selves, source = mirror_images(points[chosen], np.array([2, 5, 1, 3]), 1e-6)
    assert every.ravel().tolist() == [1.0, 0.0, 2.0, -2.0, -1.0]
    assert hits.tolist() == [2, 5, 1, 3, 0]
    assert mirrored.tolist() == [False] * 4 + [True]
    assert pairs.tolist() == [2, 5, 4]
    assert selves.tolist() == [False, True, False]
    assert source.tolist() == [0, 1, 2, 3, 0]
