"""What the spine costs, as ratios within one run on one thread: ``make bench``.

Machines are shared and differ; the yardstick is numpy.linalg.eigvals of a 1000 x 1000 matrix, timed in the same run.
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"  # before numpy is imported

import subprocess  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402

import numpy as np  # noqa: E402

import gating_theory as gt  # noqa: E402


def best(call, repeats=5):
    """Least wall time of several calls, in seconds; the first call, which compiles, is not counted."""
    call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def main():
    gru = gt.Ensemble(gt.GRU, gain={"z": 2, "r": 3, "h": 6})
    lstm = gt.Ensemble(gt.LSTM, gain={"f": 2, "i": 1, "g": 3, "o": 1}, bias={"f": 1})
    matrix = np.random.default_rng(0).standard_normal((1000, 1000))
    eigvals = best(lambda: np.linalg.eigvals(matrix), 3)
    rows = [("numpy.linalg.eigvals, N = 1000", eigvals, None)]
    for name, ens in (("GRU", gru), ("LSTM", lstm)):
        fp = gt.fixed_points(ens)[-1]
        rows.append((f"{name}: all fixed points", best(lambda ens=ens: gt.fixed_points(ens)), 0.020))
        rows.append((f"{name}: boundary, 256 points", best(lambda fp=fp: gt.Spectrum(fp).boundary(256)), 0.2))
        rows.append((f"{name}: abscissa", best(lambda fp=fp: gt.Spectrum(fp).abscissa()), None))
    fp = gt.fixed_points(gru)[-1]
    rows.append(("GRU: density map, 200 x 200", best(lambda: gt.Spectrum(fp).density_map(200), 2), 2 * eigvals))
    axes = {"gain.h": np.linspace(1, 4, 12), "gain.r": np.linspace(0, 20, 12)}
    quantities = ["count", "moments", "abscissa"]
    diagram = best(lambda: gt.phase_diagram(gt.Ensemble(gt.GRU), axes, quantities=quantities), 2)
    rows.append(("GRU: 100 x 100 phase diagram on 2 processes (from 12 x 12 on one)", diagram / 144 * 1e4 / 2, 20.0))
    fresh = [sys.executable, "-c", "import time; t = time.perf_counter(); import gating_theory; print(time.perf_counter() - t)"]
    imports = min(float(subprocess.run(fresh, capture_output=True, text=True, check=True).stdout) for _ in range(5))
    rows.append(("import gating_theory", imports, 0.3))
    print(f"{'':66s} {'seconds':>9s} {'of eigvals':>11s} {'of limit':>9s}")
    for name, seconds, limit in rows:
        share = "" if limit is None else f"{seconds / limit:9.2f}"
        print(f"{name:66s} {seconds:9.4f} {seconds / eigvals:11.4f} {share}")


if __name__ == "__main__":
    main()
