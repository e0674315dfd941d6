"""Numbers that are functions of their place: the published words of the cipher, their normal law, independence."""

import numpy as np
import pytest
from scipy.stats import kstest, norm

from gating_theory.ensemble.counted_normals import draw_key, fill_normal, parts, philox

FULL = 2**32 - 1


def words(first, vector, family, key0, key1):
    high, low = np.zeros(1, np.uint64), np.zeros(1, np.uint64)
    philox(first, 1, vector, family, key0, key1, high, low)
    return f"{int(high[0]):016x}{int(low[0]):016x}"


def reference(counter, key):
    """Philox-4x32-10 in Python's integers."""
    a, b, c, d = counter
    for i in range(10):
        p, q = 0xD2511F53 * a, 0xCD9E8D57 * c
        x, y = ((key[j] + i * step) & FULL for j, step in ((0, 0x9E3779B9), (1, 0xBB67AE85)))
        a, b, c, d = (q >> 32) ^ b ^ x, q & FULL, (p >> 32) ^ d ^ y, p & FULL
    return f"{a:08x}{b:08x}{c:08x}{d:08x}"


def test_words_are_those_of_the_cipher():
    # the published known answers, of which the first has a fourth counter of zero
    assert words(0, 0, 0, 0, 0) == "6627e8d5e169c58dbc57ac4c9b00dbd8" == reference((0, 0, 0, 0), (0, 0))
    assert reference((FULL,) * 4, (FULL, FULL)) == "408f276d41c83b0ea20bc7c66d5451fd"
    pi = (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0)
    assert reference(*pi) == "d16cfe0994fdcceb5001e42024126ea1"
    for first, vector, family, key0, key1 in np.random.default_rng(0).integers(2**32, size=(50, 5)).tolist():
        assert words(first, vector, family, key0, key1) == reference((first, vector, family, 0), (key0, key1))


def normals(n, dtype=float, start=0, vector=0, family=0, key=(1, 2)):
    out = np.empty(n, dtype)
    fill_normal(out, start, vector, family, *key)
    return out


def test_numbers_are_points_of_the_plane():
    """The transformation by numpy's functions, from the same words."""
    n = 1000
    high, low = np.empty(n // 2, np.uint64), np.empty(n // 2, np.uint64)
    philox(0, n // 2, 3, 4, 1, 2, high, low)
    u, turn = ((w >> np.uint64(11)).astype(float) + 0.5 for w in (high, low))
    radius, angle = np.sqrt(-2.0 * np.log(u * 2.0**-53)), 2.0 * np.pi * turn * 2.0**-53
    # quarters are counted from the angle -pi/4 on
    expected = np.concatenate([radius * np.cos(angle - np.pi / 4), radius * np.sin(angle - np.pi / 4)])
    np.testing.assert_allclose(normals(n, vector=3, family=4), expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_law_is_normal(dtype):
    x = normals(2_000_001, dtype, key=draw_key(np.random.default_rng(0))).astype(float)
    assert kstest(x[:500_000], "norm").pvalue > 1e-3
    for size in (1.0, 2.0, 3.0, 4.0):  # tails, to four standard errors
        expected = 2.0 * norm.sf(size) * x.size
        assert abs(np.count_nonzero(np.abs(x) > size) - expected) < 4.0 * np.sqrt(expected)


def test_vectors_families_keys_and_neighbours_are_independent():
    n = 100_000
    rows = [normals(n), normals(n, vector=1), normals(n, family=1), normals(n, key=(1, 3)), normals(n, key=(2, 2))]
    rows += [normals(n, start=n), np.roll(rows[0], 1), np.roll(rows[0], n // 2)]
    for power in (1, 2):  # of the numbers, and of their squares: standard errors 1/sqrt(n)
        table = np.corrcoef([row**power for row in rows])
        assert np.abs(table - np.eye(len(rows))).max() < 4.5 / np.sqrt(n)


@pytest.mark.parametrize("n", [1, 2, 511, 512, 513, 1025])
def test_stretches_of_any_length(n):
    """The longest stretch begins with what shorter ones are made of: pairs are at a half's distance."""
    half, long = (n + 1) // 2, normals(4000)
    np.testing.assert_array_equal(normals(n), np.concatenate([long[:half], long[2000 : 2000 + n - half]]))
    np.testing.assert_array_equal(normals(n, np.float32), normals(n).astype(np.float32))
    assert np.isfinite(normals(n)).all()


def test_parts_cover_the_units_and_begin_at_even_ones():
    for n in (1, 16384, 16385, 100_001):
        assert np.array_equal(np.concatenate([np.arange(n)[p] for p in parts(n)]), np.arange(n))
        assert all(p.start % 2 == 0 for p in parts(n))
