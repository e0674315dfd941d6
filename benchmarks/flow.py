"""All fixed points of random GRU flows in validated arithmetic, in CPU time of one core: ``python benchmarks/flow.py``.

Networks are drawn as U_h ~ N(0, s^2), U_r ~ N(0, s^2/4), b_r, b_h ~ N(0, s^2/16). The yardsticks are seconds of a specialised
implementation of the same algorithm for the GRU alone (numba, one core), measured once on an idle machine, without typing the points.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # read by BLAS when numpy is imported

import numpy as np  # noqa: E402

import gating_theory as gt  # noqa: E402
from gating_theory.flow import count_fixed_points  # noqa: E402

#: (units, scale s, fewest fixed points of the networks timed, milliseconds of the yardstick)
CASES = [(1, 6, 1, 0.006), (1, 30, 3, 0.013), (2, 3, 1, 0.034), (2, 10, 1, 0.061), (2, 10, 7, 0.170), (2, 30, 5, 0.256)]
LARGE = [(3, 3, 1, 0.337), (3, 6, 1, 0.692), (3, 10, 5, 1.789)]


def draw(count, n, scale, rng):
    """(matrices, biases) of random networks; update gates do not matter and are open."""
    size = np.array([0.0, 0.5, 1.0])
    matrices = rng.standard_normal((count, 3, n, n)) * scale * size[:, None, None]
    return matrices, rng.standard_normal((count, 3, n)) * scale / 4 * (size > 0)[:, None]


def sample(n, scale, fewest, count, rng):
    """Networks with at least ``fewest`` fixed points."""
    kept, found = [], 0
    while found < count:
        matrices, bias = draw(4 * count, n, scale, rng)
        enough = count_fixed_points(gt.GRU, matrices, bias).count >= fewest
        kept.append((matrices[enough], bias[enough]))
        found += int(enough.sum())
    return tuple(np.concatenate(parts)[:count] for parts in zip(*kept))


def main(argv=None):
    """Print the numbers; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=int, default=300, help="networks a case (default 300)")
    parser.add_argument("--units", type=int, default=2, choices=(1, 2, 3), help="largest number of units (default 2)")
    options = parser.parse_args(argv)
    rng = np.random.default_rng(0)
    print(f"{'units':>5}{'scale':>7}{'>= FPs':>8}{'ms/network':>12}{'boxes':>8}{'yardstick ms':>14}{'ratio':>7}   complete")
    for n, scale, fewest, yardstick in CASES + LARGE:
        if n > options.units:
            continue
        matrices, bias = sample(n, scale, fewest, options.networks, rng)
        best = np.inf
        for _ in range(7):
            start = time.process_time()
            counts = count_fixed_points(gt.GRU, matrices, bias)
            best = min(best, time.process_time() - start)
        ms = 1e3 * best / options.networks
        print(
            f"{n:>5}{scale:>7}{fewest:>8}{ms:>12.4f}{counts.n_boxes.mean():>8.0f}{yardstick:>14.3f}{ms / yardstick:>7.2f}"
            f"   {counts.complete.mean():.4f}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
