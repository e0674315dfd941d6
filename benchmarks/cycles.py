"""Branches of limit cycles, in CPU time per cycle, beside one numpy eigvals of a 60 x 60 matrix: ``python benchmarks/cycles.py``.

The yardsticks are what the solver before this one took in the same units: its linear systems were solved by LAPACK interval by
interval, its derivatives by parameters by power series in Python. Measured on one busy core, the best of forty.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # read by BLAS when numpy is imported

import numpy as np  # noqa: E402

from gating_theory.flow import GRUFlow, continue_cycle, find_cycle  # noqa: E402

FLOW = GRUFlow(U_h=[[4.5, -2], [10, 0]], b_h=[0.4, 1.2])
#: (what, bounds, options, eigvals a cycle that the solver before took)
CASES = [
    ("24 to 36 intervals", (1.1, 1.6), {}, 8.64),
    ("towards a homoclinic orbit", (0.9128343, 3), {"direction": -1}, 10.9),
]


def eigvals_seconds(repeats=10):
    """CPU seconds of one ``numpy.linalg.eigvals`` of a 60 x 60 matrix."""
    matrix = np.random.default_rng(0).standard_normal((60, 60))
    start = time.process_time()
    for _ in range(repeats):
        np.linalg.eigvals(matrix)
    return (time.process_time() - start) / repeats


def main(argv=None):
    """Print the numbers; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=40, help="runs of which the best counts (default 40)")
    options = parser.parse_args(argv)
    cycle = find_cycle(FLOW, [-0.2, 0.2])
    print(f"{'branch':<28}{'cycles':>7}{'ms/cycle':>10}{'eigvals':>9}{'before':>8}{'faster':>8}")
    for what, bounds, course, before in CASES:
        best, unit = np.inf, np.inf
        continue_cycle(FLOW, "b_h[1]", bounds, cycle, **course)
        for _ in range(options.repeats):
            unit = min(unit, eigvals_seconds())
            start = time.process_time()
            branch = continue_cycle(FLOW, "b_h[1]", bounds, cycle, **course)
            best = min(best, (time.process_time() - start) / len(branch))
        print(f"{what:<28}{len(branch):>7}{1e3 * best:>10.2f}{best / unit:>9.2f}{before:>8.2f}{before * unit / best:>8.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
