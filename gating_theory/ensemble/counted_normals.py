"""Normal random numbers that are functions of their place: of a key, of the vector that they belong to, and of the unit.

Nothing is drawn in an order, so it does not matter who makes which numbers, and when: threads may share the units. Words come from
Philox-4x32-10 [Salmon et al. 2011], which enciphers a counter of 128 bits in ten rounds under a key of 64; pairs of normal numbers
are points of the plane [Box and Muller 1958], of a radius from 53 bits (up to 8.6: beyond lies one pair in 10^16) and an angle
from 53. Loops do one simple thing each to a stretch of numbers in the first-level cache, without branches: compilers make vector
instructions of them, if sine, cosine and logarithm are written out (as in fdlibm).
"""

from __future__ import annotations

import numpy as np

from ..support.kernels import kernel

__all__ = ["draw_key", "fill_normal", "parts", "philox"]

#: Units of a part: few enough for the arrays of one step that belong to it to stay in the cache of a core.
_PART = 16384
#: Pairs that are made at a time.
_STRETCH = 256

_jit = kernel(nogil=True, error_model="numpy")


def parts(n_units: int) -> list[slice]:
    """The units in parts of fixed size, which threads may share.

    Parameters
    ----------
    n_units : int, N
    """
    return [slice(start, min(start + _PART, n_units)) for start in range(0, n_units, _PART)]


def draw_key(rng: np.random.Generator) -> tuple[int, int]:
    """A key for :func:`fill_normal`.

    Parameters
    ----------
    rng : numpy Generator
    """
    high, low = rng.integers(2**32, size=2).tolist()
    return high, low


@_jit
def philox(first: int, n: int, vector: int, family: int, key0: int, key1: int, high: np.ndarray, low: np.ndarray) -> None:
    """Philox-4x32-10 of the counters (first + i, vector, family, 0).

    Parameters
    ----------
    first, n, vector, family : int
    key0, key1 : int, below 2^32
    high, low : (n,) uint64 arrays, to be filled with 128 bits for each counter
    """
    mask, word, a0, c0 = np.uint64(0xFFFFFFFF), np.uint64(32), np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
    for i in range(n):
        a, b = np.uint64(first + i) & mask, np.uint64(vector) & mask
        c, d = np.uint64(family) & mask, np.uint64(0)
        x, y = np.uint64(key0) & mask, np.uint64(key1) & mask
        for _ in range(10):
            p, q = a0 * a, c0 * c
            a, b, c, d = (q >> word) ^ b ^ x, q & mask, (p >> word) ^ d ^ y, p & mask
            x, y = (x + np.uint64(0x9E3779B9)) & mask, (y + np.uint64(0xBB67AE85)) & mask
        high[i], low[i] = (a << word) | b, (c << word) | d


@_jit
def _radii(n: int, bits: np.ndarray, u: np.ndarray, as_bits: np.ndarray, out: np.ndarray) -> None:
    """sqrt(-2 log u), u uniform from the upper 53 bits; ``as_bits`` is u as int64."""
    for i in range(n):
        u[i] = (np.float64(np.int64(bits[i] >> np.uint64(11))) + 0.5) * 2.0**-53
    for i in range(n):  # u = m 2^e with m about 1
        e = (as_bits[i] - 0x3FE6A09E667F3BCD) >> 52
        as_bits[i] -= e << 52
        out[i] = np.float64(e)
    for i in range(n):
        f = u[i] - 1.0
        s = f / (2.0 + f)
        z, half = s * s, 0.5 * f * f
        r = 2.222219843214978396e-01 + z * (
            1.818357216161805012e-01 + z * (1.531383769920937332e-01 + z * 1.479819860511658591e-01)
        )
        r = z * (6.666666666666735130e-01 + z * (3.999999999940941908e-01 + z * (2.857142874366239149e-01 + z * r)))
        out[i] = np.sqrt(-2.0 * (out[i] * 0.6931471805599453 + (f - (half - s * (half + r)))))


@_jit
def _points(n: int, bits: np.ndarray, radius: np.ndarray, first: np.ndarray, second: np.ndarray) -> None:
    """Both coordinates of points at these radii, at angles from the upper 53 bits: a quarter of the turn, and where in it."""
    for i in range(n):
        turn = np.int64(bits[i] >> np.uint64(11))
        quarter = turn >> 51
        x = (np.float64(turn & 0x7FFFFFFFFFFFF) * 2.0**-51 - 0.5) * 1.5707963267948966
        t = x * x
        s = -1.98412698298579493134e-04 + t * (
            2.75573137070700676789e-06 + t * (-2.50507602534068634195e-08 + t * 1.58969099521155e-10)
        )
        s = x + x * t * (-1.66666666666666324348e-01 + t * (8.33333333332248946124e-03 + t * s))
        c = 2.48015872894767294178e-05 + t * (
            -2.75573143513906633035e-07 + t * (2.08757232129817e-09 + t * -1.13596475577881948e-11)
        )
        c = 1.0 - 0.5 * t + t * t * (4.16666666666666019037e-02 + t * (-1.38888888888741095749e-03 + t * c))
        r = -radius[i] if quarter > 1 else radius[i]
        odd = (quarter & 1) != 0
        first[i], second[i] = r * (-s if odd else c), r * (c if odd else s)


@_jit
def fill_normal(out: np.ndarray, start: int, vector: int, family: int, key0: int, key1: int) -> None:
    """Fill part of a vector with standard normal numbers.

    Parameters
    ----------
    out : (n,) array, float64 or float32
    start : int, even, the unit that comes first: parts that are filled with one key must be those of :func:`parts`
    vector, family : int, below 2^32: numbers of different vectors are independent
    key0, key1 : int, as of :func:`draw_key`
    """
    n, half = out.size, (out.size + 1) // 2
    high, low = np.empty(_STRETCH, np.uint64), np.empty(_STRETCH, np.uint64)
    u, radius, one, two = np.empty(_STRETCH), np.empty(_STRETCH), np.empty(_STRETCH), np.empty(_STRETCH)
    for done in range(0, half, _STRETCH):
        count = min(_STRETCH, half - done)
        philox(start // 2 + done, count, vector, family, key0, key1, high, low)
        _radii(count, high, u, u.view(np.int64), radius)
        _points(count, low, radius, one, two)
        for i in range(count):
            out[done + i] = one[i]
        for i in range(min(count, n - half - done)):
            out[half + done + i] = two[i]
