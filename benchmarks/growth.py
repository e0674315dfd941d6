"""What growth of gradients takes, in units of one ``numpy.linalg.svd(compute_uv=False)`` at N = 1000.

``python benchmarks/growth.py``

Processor time of one thread, the shortest of a few repeats, each next to a reference of the same seconds, because the speed of a
machine drifts. The exit code is 1 where a target is missed.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # read by BLAS when numpy is imported

import numpy as np  # noqa: E402

import gating_theory as gt  # noqa: E402

_MATRIX = np.random.default_rng(0).standard_normal((1000, 1000))
REPEATS = 10
CASES = {
    "GRU": {"z": 2, "r": 3, "h": 4},
    "GRUResetAfter": {"z": 2, "r": 3, "h": 6},
    "LSTM": {"f": 2, "i": 1, "g": 4, "o": 1},
}


def seconds(function: Callable[[], object]) -> float:
    """Of one call."""
    start = time.process_time()
    function()
    return time.process_time() - start


def reference() -> float:
    """Seconds of the singular values of one matrix of 1000 x 1000."""
    return seconds(lambda: np.linalg.svd(_MATRIX, compute_uv=False))


def ratio(function: Callable[[], object]) -> float:
    """Shortest time of a call over the shortest reference, taken between the repeats."""
    function()  # compiles, and fills what a second call finds
    references, times = [reference()], []
    for i in range(REPEATS):
        times.append(seconds(function))
        if i % 5 == 4:
            references.append(reference())
    return min(times) / min(references)


def rows():
    """(what, ratio, target)."""
    for name, gain in CASES.items():
        for point in gt.fixed_points(gt.Ensemble(getattr(gt, name), gain=gain)):
            which = "zero" if point.is_zero else "active"
            for steps, target in ((100, 0.1), (200, 0.4)):

                def growth(point=point, steps=steps):
                    return gt.gradient_growth(point, steps)

                yield f"{name}, {which}: growth through {steps} steps", ratio(growth), target
    point = gt.fixed_points(gt.Ensemble(gt.GRU, gain=CASES["GRU"]))[-1]
    net, state = gt.Network.planted(point, 1000, rng=0)
    sites = net.sites(state)
    yield "GRU: growth through 100 steps at 1000 sites", ratio(lambda: gt.gradient_growth(sites, 100)), 0.1
    axes = {"gain.h": np.linspace(0.5, 3.0, 20), "bias.z": np.linspace(0.0, 5.0, 20)}
    one = ratio(lambda: gt.phase_diagram(gt.Ensemble(gt.GRU), axes, ["gradient:100"])) / 400
    yield "GRU: a point of a map of G(100)", one, 0.02


def main() -> int:
    """Print the table; return the exit code: 1 if a target is missed."""
    missed = 0
    print(f"{'in units of one svd at N = 1000':<72}{'ratio':>10}{'target':>10}")
    for what, value, target in rows():
        missed += value > target
        print(f"{what:<72}{value:>10.4f}{target:>10g}{'  missed' if value > target else ''}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
