"""Simulation without matrices against what it replaces and what memory allows: ``python benchmarks/simulation.py``, on one thread.

Two ratios: against dense matrix products at the largest N whose matrices fit easily, and against memory traffic alone: the same
arrays written and read as often and in the same order, with nothing else done, before and after in the same run.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # read by BLAS when numpy is imported

import numpy as np  # noqa: E402

import gating_theory as gt  # noqa: E402


def seconds(function):
    """(wall, CPU) time of one call."""
    wall, cpu = time.perf_counter(), time.process_time()
    function()
    return np.array([time.perf_counter() - wall, time.process_time() - cpu])


def traffic(n, n_steps, n_arrays):
    """Write row t of each array at step t, to memory that was never touched, and read all rows so far once."""
    arrays, row, sink = [np.empty((n_steps, n)) for _ in range(n_arrays)], np.ones(n_steps), np.empty(n)
    for t in range(n_steps):
        for array in arrays:
            array[t] = 1.0
            np.dot(row[: t + 1], array[: t + 1], out=sink)


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
    arrays = 5  # two messages, three fields
    before = seconds(lambda: traffic(n, T, arrays))
    took = seconds(lambda: gt.simulate(ensemble, n, T, rng=0))
    after = seconds(lambda: traffic(n, T, arrays))
    alone = 0.5 * (before + after)
    print(f"{n} units, {T} steps (wall, CPU): {took[0]:.1f} s, {took[1]:.1f} s")
    print(f"  memory traffic alone {alone[0]:.1f} s, {alone[1]:.1f} s; ratio {took[0] / alone[0]:.2f}, {took[1] / alone[1]:.2f}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"  {8e-9 * arrays * n * T * (T + 1) / 2 / alone[0]:.1f} GB/s; peak of this process {peak:.2f} GiB")
    m = options.dense
    implicit = seconds(lambda: gt.simulate(ensemble, m, T, rng=0))
    net = gt.Network.sample(ensemble, m, rng=0)
    state = net.random_state(1)
    dense = seconds(lambda: net.run(state, T))
    print(
        f"{m} units, {T} steps (CPU): implicit {implicit[1]:.2f} s, dense without drawing {dense[1]:.2f} s: "
        f"ratio {implicit[1] / dense[1]:.3f}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
