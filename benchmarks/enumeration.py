"""All fixed points of small networks, here and with scipy.optimize from many starts: ``python benchmarks/enumeration.py``.

Both get the same networks and the same equations; scipy gets the Jacobian too, takes one start at a time, and is stopped by the
same rule: every fixed point reached three times, degree complete, nothing new in the last round, or a limit of starts. What is
printed are ratios of processor time in one run, and how many fixed points each has found. Takes a few minutes.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # read by BLAS when numpy is imported

import numpy as np  # noqa: E402
from scipy.optimize import fsolve  # noqa: E402

import gating_theory as gt  # noqa: E402
from gating_theory.networks.newton import newton  # noqa: E402
from gating_theory.networks.reduced_map import ReducedMap  # noqa: E402

CASES = {
    "Vanilla, g = 3": gt.Ensemble(gt.Vanilla, gain=3.0),
    "GRU, (a_h, a_r) = (4, 8)": gt.Ensemble(gt.GRU, gain={"h": 4, "r": 8}),
    "LSTM, gains 4": gt.Ensemble(gt.LSTM, gain=4.0),
}


def clocked(function):
    """(result, seconds of processor time)."""
    start = time.process_time()
    result = function()
    return result, time.process_time() - start


def by_scipy(net, rng, limit, per_round=64):
    """(fixed points found, starts) by scipy's fsolve from random starts, with the package's stopping rule."""
    reduced = ReducedMap(net, net.input)
    here = np.zeros(1, dtype=int)
    shape = (1, reduced.m, reduced.n_units)

    def residual(x):
        return reduced.residual(x.reshape(shape), here).ravel()

    def jacobian(x):
        return reduced.jacobian(x.reshape(shape), here)[1][0]

    warnings.simplefilter("ignore", RuntimeWarning)  # slow progress of a start is no news
    points, hits, starts = np.zeros((0, reduced.n)), np.zeros(0, dtype=int), 0
    while starts < limit:
        new = False
        for _ in range(per_round):
            starts += 1
            x0 = np.exp(rng.uniform(np.log(0.03), np.log(1.5))) * rng.standard_normal(reduced.n)
            x, _, flag, _ = fsolve(residual, x0, fprime=jacobian, xtol=1e-12, full_output=True)
            if flag != 1 or np.abs(residual(x)).max() > 1e-10:
                continue
            near = np.flatnonzero(np.abs(points - x).max(axis=1) < 1e-6)
            if near.size:
                hits[near[0]] += 1
            else:
                points, hits, new = np.vstack([points, x]), np.append(hits, 1), True
        degree = reduced.index(points.reshape(-1, *shape[1:]), np.zeros(len(points), dtype=int)).sum()
        if not new and hits.min() >= 3 and degree == 1:
            break
    return len(points), starts


def batched_starts(net, rng, count):
    """Points by the package's own Newton from many starts, all at once, for the cost of a start."""
    reduced = ReducedMap(net, net.input)
    amplitude = np.exp(rng.uniform(np.log(0.03), np.log(1.5), (count, 1, 1)))
    x = amplitude * rng.standard_normal((count, reduced.m, reduced.n_units))
    caps = np.exp(rng.uniform(np.log(0.1), np.log(0.5), count))
    return newton(reduced, x, np.zeros(count, dtype=int), caps, reduced.bounds(), 1e-10, 40)


def main(sizes, n_networks, limit):
    """Print one line for each cell and size."""
    print(f"{n_networks} networks each; scipy stops after {limit} starts a network at the latest")
    print(f"{'cell':26s} {'N':>3s}  {'found':>6s} {'ms/network':>11s} | {'fsolve':>7s} {'x time':>7s} | a batched start: x faster")
    for name, ens in CASES.items():
        gt.count_fixed_points(ens, 2, 1, rng=0)  # compiles
        for n in sizes:
            mine, seconds = clocked(lambda e=ens, n=n: gt.count_fixed_points(e, n, n_networks, rng=0))
            found, spent, n_starts = 0, 0.0, 0
            for i in range(n_networks):
                (count, starts), t = clocked(lambda i=i, m=mine: by_scipy(m.network(i), np.random.default_rng(i), limit))
                found, spent, n_starts = found + count, spent + t, n_starts + starts
            net = mine.network(0)
            _, batched = clocked(lambda net=net: batched_starts(net, np.random.default_rng(0), 1000))
            ratio = (spent / n_starts) / (batched / 1000)
            print(
                f"{name:26s} {n:3d}  {mine.counts.sum():6d} {1e3 * seconds / n_networks:11.1f} | "
                f"{found:7d} {spent / seconds:7.1f} | {ratio:.0f}",
                flush=True,
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[4, 8, 16])
    parser.add_argument("--networks", type=int, default=16)
    parser.add_argument("--limit", type=int, default=2000, help="most starts of scipy a network")
    arguments = parser.parse_args()
    main(arguments.sizes, arguments.networks, arguments.limit)
