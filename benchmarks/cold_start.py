"""What a new process waits for before its first flow, with and without kept machine code: ``python benchmarks/cold_start.py``.

CPU seconds of fresh processes on one thread, without what numba and sympy need to start: the first has an empty directory for
generated code, the second finds what the first compiled. The last column counts the passes of numba's compiler in the second: 0.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile

_CODE = """
import json, sys, time
import numba, scipy.integrate, scipy.optimize
from numba.core import event
from numba.core.registry import cpu_target
cpu_target.target_context.refresh(), cpu_target.typing_context.refresh()
import numpy as np
import gating_theory as gt
from gating_theory.flow.orbits.trajectories import advance

cell, n = getattr(gt, sys.argv[1]), int(sys.argv[2])
flow = gt.flow.Flow(cell, np.random.default_rng(0).standard_normal((cell.n_fields, n, n)))
state = np.full(flow.dim, 0.1)
with event.install_recorder("numba:run_pass") as passes:
    start = time.process_time()
    flow(state), flow.jacobian(state), flow.residual(state), flow.euler(state), advance(flow, state, 1.0), flow.fixed_points()
    print(json.dumps([time.process_time() - start, len(passes.buffer)]))
"""

#: Units of the cells that are timed.
CASES = [("Vanilla", 1), ("GRU", 1), ("GRU", 2), ("GRU", 3), ("LSTM", 1)]


def measured(cell, n_units, directory):
    """(CPU seconds, passes of the compiler) until a flow has done everything once, in a new process."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    done = subprocess.run(
        [sys.executable, "-c", _CODE, cell, str(n_units)],
        env=os.environ | threads | {"GATING_THEORY_CACHE_DIR": directory},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def main(argv=None):
    """Print the table; return the exit code: 1 if a second process compiled anything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3, help="second processes, of which the fastest counts (default 3)")
    options = parser.parse_args(argv)
    measured("GRU", 1, tempfile.mkdtemp())  # what is the same for all cells is compiled once an installation, into the package
    print(f"{'cell':>10}{'units':>7}{'first s':>9}{'second s':>10}{'ratio':>8}{'passes':>8}")
    compiled = 0
    for cell, n_units in CASES:
        with tempfile.TemporaryDirectory() as directory:
            first, _ = measured(cell, n_units, directory)
            later = [measured(cell, n_units, directory) for _ in range(options.repeats)]
        second = min(seconds for seconds, _ in later)
        compiled += max(passes for _, passes in later)
        print(f"{cell:>10}{n_units:>7}{first:>9.2f}{second:>10.3f}{first / second:>8.1f}{later[0][1]:>8}")
    return 1 if compiled else 0


if __name__ == "__main__":
    sys.exit(main())
