"""The package's main costs in one run on one thread, the shortest of a few repeats: ``python benchmarks/spine.py``.

Takes about three minutes. Where something outside the package is a natural yardstick the ratio is printed, because seconds depend
on the machine: a density map replaces diagonalising sampled matrices, and should not cost more than a few of them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # read by BLAS when numpy is imported, here and in the workers

import numpy as np  # noqa: E402

import gating_theory as gt  # noqa: E402


def best(function, repeats=5, fresh=None):
    """Shortest wall time of a few calls, in seconds; ``fresh()`` makes each call's argument outside the clock."""
    times = []
    for _ in range(repeats):
        arguments = () if fresh is None else (fresh(),)
        start = time.perf_counter()
        function(*arguments)
        times.append(time.perf_counter() - start)
    return min(times)


def import_seconds(repeats=5):
    """Seconds of ``import gating_theory`` on top of numpy, in fresh processes."""
    code = "import numpy, time; t = time.perf_counter(); import gating_theory; print(time.perf_counter() - t)"
    return min(float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout) for _ in range(repeats))


def diagram_seconds(points, jobs):
    """Seconds of a phase diagram of all solutions and their abscissas, GRU in (a_h, a_r), workers started and warm."""
    ensemble = gt.Ensemble(gt.GRU, gain={"z": 2, "r": 3, "h": 2})
    axes = {"gain.h": np.linspace(1, 3, points), "gain.r": np.linspace(0, 20, points)}
    with ProcessPoolExecutor(jobs) as executor:
        gt.phase_diagram(ensemble, {"gain.h": np.linspace(1, 3, 64 * jobs)}, executor=executor)  # every worker compiles its cell
        start = time.perf_counter()
        gt.phase_diagram(ensemble, axes, ("count", "moments", "abscissa"), executor=executor)
        return time.perf_counter() - start


def measure(full=False, jobs=2):
    """All numbers, as a dict from description to (value, unit)."""
    out = {}
    out["import gating_theory, on top of numpy"] = import_seconds(), "s"
    ensembles = {
        "GRU": gt.Ensemble(gt.GRU, gain={"z": 2, "r": 14, "h": 1.8}),
        "LSTM": gt.Ensemble(gt.LSTM, gain={"f": 2, "i": 3, "g": 3, "o": 2}),
    }
    eigvals = {}
    for name, ensemble in ensembles.items():
        point = gt.fixed_points(ensemble)[-1]
        spectrum = gt.Spectrum(point)
        spectrum.boundary(64), spectrum.density_map(8), spectrum.slow_fraction(100.0)  # compile everything

        def fresh(point=point):
            return gt.Spectrum(point)

        out[f"{name}: all fixed points of an ensemble"] = 1e3 * best(lambda e=ensemble: gt.fixed_points(e), 10), "ms"
        out[f"{name}: spectral abscissa"] = 1e3 * best(lambda s: s.abscissa(), 5, fresh), "ms"
        out[f"{name}: boundary, 256 points"] = best(lambda s: s.boundary(256), 3, fresh), "s"
        out[f"{name}: slow fraction"] = best(lambda s: s.slow_fraction(100.0), 3, fresh), "s"
        density = best(lambda s: s.density_map(200), 2, fresh)
        out[f"{name}: density map, 200 x 200"] = density, "s"
        # N = 1000 units are 1000 eigenvalues of the GRU, 2000 of the LSTM
        net, state = gt.Network.planted(point, 1000, 0)
        jacobian = net.jacobian(state)
        eigvals[name] = best(lambda J=jacobian: np.linalg.eigvals(J), 2 if name == "GRU" else 1)
        out[f"{name}: numpy.linalg.eigvals, N = 1000"] = eigvals[name], "s"
        out[f"{name}: density map / two eigvals"] = density / (2.0 * eigvals[name]), "ratio"
    if full:
        out[f"GRU: phase diagram, 100 x 100, {jobs} processes"] = diagram_seconds(100, jobs), "s"
    else:
        seconds = diagram_seconds(30, jobs)
        out[f"GRU: phase diagram, 30 x 30, {jobs} processes"] = seconds, "s"
        out[f"GRU: phase diagram, 100 x 100, {jobs} processes, EXTRAPOLATED from 30 x 30"] = seconds * (100 / 30) ** 2, "s"
    return out


def main(argv=None):
    """Print the numbers; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="the 100 x 100 phase diagram itself, not extrapolated")
    parser.add_argument("--jobs", type=int, default=2, help="processes for the phase diagram (default 2)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    results = measure(options.full, options.jobs)
    if options.json:
        print(json.dumps({name: {"value": value, "unit": unit} for name, (value, unit) in results.items()}, indent=1))
        return 0
    print(f"gating-theory {gt.__version__}, Python {platform.python_version()}, numpy {np.__version__}, one thread")
    for name, (value, unit) in results.items():
        print(f"  {name:<72}{value:>10.3g} {unit}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
