"""A phase diagram of 200 x 200 points, killed at 40 %, resumed on 1 process, 2 processes and Dask: the same bits as in one go?

    python benchmarks/resume.py [--points 200] [--jobs 2]

The uninterrupted diagram is computed on ``--jobs`` processes, the one that is killed (SIGKILL) on one. Each resumed run starts from
a copy of the journal that it left. Ends with an error if one differs.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np

import gating_theory as gt

QUANTITIES = ("count", "moments")


def diagram(points, **options):
    axes = {"gain.h": np.linspace(1.5, 3.0, points), "gain.r": np.linspace(0.0, 12.0, points)}
    return gt.phase_diagram(gt.Ensemble(gt.GRU), axes, QUANTITIES, **options).drop_attrs()


@contextmanager
def dask():
    import distributed

    cluster = distributed.LocalCluster(2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50)
    with cluster, distributed.Client(cluster) as client, client.get_executor() as executor:
        yield executor


def killed(points, journal):
    """Run in a process of its own and kill it when 40 % of the points are in the journal; the fraction that was."""
    process = subprocess.Popen(
        [sys.executable, __file__, "--points", str(points), "--journal", str(journal)], stdout=subprocess.PIPE
    )
    for line in process.stdout:  # one per finished piece
        if float(line) >= 0.4:
            os.kill(process.pid, signal.SIGKILL)
            break
    process.wait()
    return float(line)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--journal", type=Path, help=argparse.SUPPRESS)  # the run that is killed
    options = parser.parse_args()
    if options.journal:
        diagram(options.points, journal=options.journal, progress=lambda done, total: print(done / total, flush=True))
        return 0
    start = time.perf_counter()
    with ProcessPoolExecutor(options.jobs) as executor:
        whole = diagram(options.points, executor=executor)
    print(f"{whole['count'].size} points in one go: {time.perf_counter() - start:.0f} s", flush=True)
    same = []
    with tempfile.TemporaryDirectory() as place:
        left = Path(place) / "left.journal"
        print(f"killed with {100 * killed(options.points, left):.0f} % done", flush=True)
        for name, pool in (("1 process", nullcontext), ("2 processes", lambda: ProcessPoolExecutor(2)), ("Dask", dask)):
            journal = shutil.copy(left, Path(place) / "resumed.journal")
            start = time.perf_counter()
            with pool() as executor:
                data = diagram(options.points, executor=executor, journal=journal)
            same.append(data.identical(whole))
            seconds = time.perf_counter() - start
            print(f"resumed on {name}: {'the same bits' if same[-1] else 'DIFFERENT'} ({seconds:.0f} s)", flush=True)
    return 0 if all(same) else 1


if __name__ == "__main__":
    sys.exit(main())
