"""Simulation without matrices against what memory allows, and against dense matrices: ``python benchmarks/simulation.py``.

The yardstick is the time in which the stored arrays are read by matrix-vector products of their size: of a GRU five, two messages
and three fields, at step t the first t rows of each, in memory that was written before. Simulation writes these arrays besides, to
memory that the system hands out page by page, draws what is new in them, and evaluates the site functions. Times are those of a
clock, as several threads share the work; on a machine that others use too, ``--cpu`` shows the processor's instead, for one thread.
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
from gating_theory.running.workers import cores  # noqa: E402

#: Most that simulations should take of the time of reading, for each number of steps; and in single precision of half their time.
TARGETS, SINGLE_TARGET = {100: 1.5, 60: 2.0}, 1.3
#: Two messages, three fields.
ARRAYS = 5


def reading(n, n_steps, clock, dtype=np.float64):
    """Seconds in which the first t rows of each array are read at step t."""
    stored = np.empty((ARRAYS, n_steps, n), dtype)
    stored[...] = 1.0
    row, out = np.ones(n_steps, dtype), np.empty(n, dtype)
    start = clock()
    for t in range(1, n_steps + 1):
        for array in stored:
            np.dot(row[:t], array[:t], out=out)
    return clock() - start


def seconds(function, clock):
    """Of one call."""
    start = clock()
    function()
    return clock() - start


def shortest(ensemble, n, n_steps, dtype, clock, repeats):
    """Seconds of the shortest of several simulations."""
    return min(seconds(lambda: gt.simulate(ensemble, n, n_steps, rng=0, dtype=dtype), clock) for _ in range(repeats))


def against_memory(ensemble, n, n_steps, clock, repeats):
    """One line each of float64 and float32, with one thread and with two where there are two cores; shortest of ``repeats``."""
    yardstick = min(reading(n, n_steps, clock) for _ in range(repeats))
    read = 8e-9 * ARRAYS * n * n_steps * (n_steps + 1) / 2
    print(f"{n} units, {n_steps} steps: reading {yardstick:.2f} s ({read / yardstick:.1f} GB/s)")
    for threads in (1, 2) if cores() > 1 and clock is time.perf_counter else (1,):
        os.environ["OMP_NUM_THREADS"] = str(threads)  # BLAS has made up its mind
        double, single = (shortest(ensemble, n, n_steps, dtype, clock, repeats) for dtype in ("float64", "float32"))
        limit = f" (target {TARGETS[n_steps]})" if n_steps in TARGETS else ""
        print(f"  threads: {threads}; float64 {double:.2f} s, {double / yardstick:.2f} of reading{limit}")
        print(f"    float32 {single:.2f} s, {2.0 * single / double:.2f} of half of that (target {SINGLE_TARGET})")
    os.environ["OMP_NUM_THREADS"] = "1"


def against_dense(ensemble, m, n_steps):
    """At the largest N whose matrices fit easily; the processor's time."""
    implicit = seconds(lambda: gt.simulate(ensemble, m, n_steps, rng=0), time.process_time)
    net = gt.Network.sample(ensemble, m, rng=0)
    state = net.random_state(1)
    dense = seconds(lambda: net.run(state, n_steps), time.process_time)
    print(f"{m} units, {n_steps} steps: {implicit:.2f} s, dense without drawing {dense:.2f} s: ratio {implicit / dense:.3f}")


def main(argv=None):
    """Print the numbers; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--units", type=int, default=1_000_000, help="units of the implicit network (default 1000000: takes 4.2 GB)"
    )
    parser.add_argument("--steps", type=int, nargs="+", default=[100, 60])
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--cpu", action="store_true", help="the processor's time, one thread")
    parser.add_argument("--dense", type=int, default=5000, help="units of the dense network (default 5000)")
    options = parser.parse_args(argv)
    clock = time.process_time if options.cpu else time.perf_counter
    ensemble = gt.Ensemble(gt.GRU, gain={"z": 2, "r": 3, "h": 6})
    for dtype in ("float64", "float32"):
        gt.simulate(ensemble, 1000, 3, rng=0, dtype=dtype)  # compile
    for n_steps in options.steps:
        against_memory(ensemble, options.units, n_steps, clock, options.repeats)
    against_dense(ensemble, options.dense, options.steps[0])
    print(f"peak of this process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
