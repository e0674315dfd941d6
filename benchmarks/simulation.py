"""Simulation without matrices against what it replaces and what memory allows: ``python benchmarks/simulation.py``, on one thread.

Two ratios: against dense matrix products at the largest N whose matrices fit easily, and against the time in which the stored
arrays could be read once a step at the bandwidth measured in the same run.
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


def seconds(function):
    """Wall time of one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def memory(n):
    """Bytes a second, best of five: read by matrix-vector products (array beyond the caches), and written to fresh memory."""
    array, row = np.ones((40, n)), np.ones(40)
    read = max(array.nbytes / seconds(lambda: row @ array) for _ in range(5))
    fresh = max(array.nbytes / seconds(lambda: np.empty(array.shape).fill(1.0)) for _ in range(5))
    return read, fresh


def main(argv=None):
    """Print the numbers; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--units", type=int, default=200_000, help="units of the implicit network (default 200000)")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--dense", type=int, default=5000, help="units of the dense network (default 5000)")
    options = parser.parse_args(argv)
    ensemble = gt.Ensemble(gt.GRU, gain={"z": 2, "r": 3, "h": 6})
    gt.simulate(ensemble, 1000, 3, rng=0)  # compile
    n, T = options.units, options.steps
    read, fresh = memory(n)
    took = seconds(lambda: gt.simulate(ensemble, n, T, rng=0))
    # two messages and three fields: all that is stored is read once a step, and written once, to memory that was never touched
    alone = 8.0 * n * 5 * (T * (T - 1) / 2) / read + 8.0 * n * 5 * T / fresh
    print(f"{n} units, {T} steps: {took:.1f} s; memory traffic alone {alone:.1f} s: ratio {took / alone:.2f}")
    print(f"  reading {read / 1e9:.1f} GB/s, first writing {fresh / 1e9:.1f} GB/s")
    m = options.dense
    implicit = seconds(lambda: gt.simulate(ensemble, m, T, rng=0))
    net = gt.Network.sample(ensemble, m, rng=0)
    state = net.random_state(1)
    dense = seconds(lambda: net.run(state, T))
    print(f"{m} units, {T} steps: implicit {implicit:.2f} s, dense without drawing {dense:.2f} s: ratio {implicit / dense:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
