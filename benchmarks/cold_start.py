"""What a new process waits for before its first results: ``python benchmarks/cold_start.py``.

First results: processor and wall time from ``import gating_theory`` to the first radius, slow fraction, complexity, and from ten
lines that define a cell to its spectrum (sympy imported before), the median of ten new processes that find on disk what earlier
ones left; in units of one ``numpy.linalg.eigvals`` at N = 1000, which is measured in between. The last column counts the modules of
sympy, scipy and numba that were imported on the way.

Command line: processor and wall time of whole commands that answer without calculating.

Compiled flows: processor seconds of new processes, without what numba and sympy need to start: the first has an empty directory for
generated code, the second finds what the first compiled. The last column counts the passes of numba's compiler in the second: 0.

Pool: two processes sweep a phase diagram and search fixed points of flows, with an empty directory: what each compiled, and what
both did: nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

_MATRIX = np.random.default_rng(0).standard_normal((1000, 1000))
#: Seconds of one eigvals on the quiet core for which the targets were set.
_QUIET = 0.27

_FIRST = """
import json, sys, time
import numpy as np
import gating_theory as gt
{before}
start = time.process_time(), time.perf_counter()
{work}
end = time.process_time(), time.perf_counter()
heavy = sum(name.partition(".")[0] in ("sympy", "scipy", "numba") for name in sys.modules)
print(json.dumps([end[0] - start[0], end[1] - start[1], heavy]))
"""
_POINT = "spectrum = gt.Spectrum(gt.fixed_points(gt.Ensemble(gt.{cell}, gain={gain}))[-1])\n"
_OWN = """
h, y_z, y_h = sympy.symbols("h y_z y_h", real=True)
z = gt.sigma(y_z)
cell = gt.Cell(
    name="own",
    state=[h],
    fields=[y_z, y_h],
    messages=[h, z * h],
    update=[z * h + (1 - z) * sympy.tanh(y_h)],
    fixed_point=[sympy.tanh(y_h)],
)
spectrum = gt.Spectrum(gt.fixed_points(gt.Ensemble(cell, gain={"h": 3}))[-1])
spectrum.radius(), spectrum.boundary()
"""
_GAINS = {"GRU": {"z": 2, "r": 3, "h": 4}, "LSTM": {"f": 2, "i": 3, "g": 3, "o": 2}}

_FLOW = """
flow = gt.flow.Flow(gt.GRU, np.random.default_rng(0).standard_normal((3, 2, 2)))
assert flow.fixed_points().complete
"""

#: (what, what is imported before, the work, seconds on a quiet core that it should take)
FIRST = [
    *(
        (f"{cell}: first {what}", "", _POINT.format(cell=cell, gain=gain) + call, target)
        for cell, gain in _GAINS.items()
        for what, call, target in (("radius", "spectrum.radius()", 0.15), ("slow fraction", "spectrum.slow_fraction(10.0)", 0.2))
    ),
    ("GRU: first complexity", "", f"gt.complexity(gt.Ensemble(gt.GRU, gain={_GAINS['GRU']}, bias={{'z': 2}})).value", 0.2),
    ("own cell: definition to boundary", "import sympy", _OWN, 0.3),
    ("GRU: fixed points of two-unit flow", "", _FLOW, 0.15),
]

#: Commands that answer at once, and the seconds on a quiet core that one should take.
COMMANDS = (
    *("--help", "--version", "--nonsense", "nonsense", "spectrum --help", "phase-diagram --help", "diagnose --help"),
    *("diagnose missing.pt", "portrait missing.json", "spectrum --cell missing.py:cell"),
)
_COMMAND = 0.2

_CODE = """
import json, sys, time
import numba, scipy.integrate, scipy.optimize
from numba.core import event
from numba.core.registry import cpu_target
cpu_target.target_context.refresh(), cpu_target.typing_context.refresh()
import numpy as np
import gating_theory as gt
from gating_theory.flow.orbits.trajectories import advance
from gating_theory.flow.proof.branch_and_prune import branch_and_prune

cell, n = getattr(gt, sys.argv[1]), int(sys.argv[2])
flow = gt.flow.Flow(cell, np.random.default_rng(0).standard_normal((cell.n_fields, n, n)))
state = np.full(flow.dim, 0.1)
with event.install_recorder("numba:run_pass") as passes:
    start = time.process_time()
    many = np.tile(state, (1000, 1))  # few are interpreted
    flow(many), flow.jacobian(many), flow.residual(many), flow.euler(state), advance(flow, state, 1.0)
    branch_and_prune(cell, n, flow.flat, "validated", 1e-9, 10**6)
    print(json.dumps([time.process_time() - start, len(passes.buffer)]))
"""

#: Units of the cells that are timed.
CASES = [("Vanilla", 1), ("GRU", 1), ("GRU", 2), ("GRU", 3), ("LSTM", 1)]


_POOL = """
import json, os
from concurrent.futures import ProcessPoolExecutor
import numpy as np
import gating_theory as gt

def begin():
    from numba.core import event
    class Compilations(event.Listener):
        def on_start(self, happening):
            function = happening.data["dispatcher"].py_func
            if function.__module__.startswith("gating_theory."):
                names.append(f"{function.__module__}.{function.__qualname__}{happening.data['args']}")
        def on_end(self, happening):
            pass
    global names
    names = []
    event.register("numba:compile", Compilations())

def search(seed):
    from gating_theory.flow.proof.branch_and_prune import branch_and_prune
    flow = gt.flow.Flow(gt.GRU, np.random.default_rng(seed).standard_normal((3, 2, 2)))
    branch_and_prune(flow.cell, 2, flow.flat, "validated", 1e-9, 10**6)
    return os.getpid(), names

if __name__ == "__main__":
    with ProcessPoolExecutor(2, initializer=begin) as pool:
        ensemble = gt.Ensemble(gt.GRU, gain={"z": 2, "r": 3, "h": 4})
        gt.phase_diagram(ensemble, {"gain.h": np.linspace(2, 4, 8)}, ["slow_fraction"], executor=pool)
        print(json.dumps(list(dict(pool.map(search, range(8))).values())))
"""


def printed(code, directory, *arguments):
    """What a new process prints, which keeps what it makes in a directory, and the bytecode of modules where Python wants it."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    environment |= {"GATING_THEORY_CACHE_DIR": directory}
    command = [sys.executable, "-c", code, *arguments]
    return json.loads(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


def measured(cell, n_units, directory):
    """(CPU seconds, passes of the compiler) until a flow has done everything once, in a new process."""
    return printed(_CODE, directory, cell, str(n_units))


def reference():
    """(CPU seconds, wall seconds) of one eigvals."""
    start = time.process_time(), time.perf_counter()
    np.linalg.eigvals(_MATRIX)
    return time.process_time() - start[0], time.perf_counter() - start[1]


def first_results(processes):
    """Print a table; return how many targets are missed, in processor time."""
    missed = 0
    print(f"{'':<36}{'first CPU':>10}{'later CPU':>10}{'wall':>8}{'eigvals':>9}{'target':>8}{'modules':>9}")
    with tempfile.TemporaryDirectory() as directory:
        for what, before, work, target in FIRST:
            code = _FIRST.format(before=before, work=work)
            runs, references = [printed(code, directory)], []
            for i in range(processes):
                runs.append(printed(code, directory))
                if i % 3 == 0:
                    references.append(reference())
            (first, *_), *later = runs
            (cpu, wall, heavy), unit = (statistics.median(c) for c in zip(*later)), statistics.median(r for r, _ in references)
            missed += cpu / unit > target / _QUIET
            print(
                f"{what:<36}{first:>10.2f}{cpu:>10.3f}{wall:>8.3f}{cpu / unit:>9.3f}{target / _QUIET:>8.2f}{heavy:>9.0f}",
                flush=True,
            )
    return missed


def commands(processes):
    """Print a table; return how many targets are missed, in processor time."""
    missed = 0
    print(f"{'command':<36}{'CPU':>10}{'wall':>8}{'eigvals':>9}{'target':>8}")
    for words in COMMANDS:
        times, references = [], []
        for i in range(processes):
            before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
            subprocess.run([Path(sys.executable).with_name("gating-theory"), *words.split()], capture_output=True)
            wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
            times.append((after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall))
            if i % 5 == 0:
                references.append(reference())
        (cpu, wall), unit = (statistics.median(c) for c in zip(*times)), statistics.median(r for r, _ in references)
        missed += cpu / unit > _COMMAND / _QUIET
        print(f"{words:<36}{cpu:>10.3f}{wall:>8.3f}{cpu / unit:>9.3f}{_COMMAND / _QUIET:>8.2f}", flush=True)
    return missed


def pool():
    """Print what two processes compiled; return how much both did."""
    with tempfile.TemporaryDirectory() as directory:
        found = printed(_POOL, directory)
    twice = set(found[0]).intersection(*found[1:]) if len(found) > 1 else set()
    print(f"pool: compilations of {len(found)} processes {[len(f) for f in found]}, by both {len(twice)} {sorted(twice)}")
    return len(twice)


def main(argv=None):
    """Print the tables; return the exit code: 1 if a target is missed, or a second process compiled anything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--repeats", type=int, default=3, help="second processes of a flow, of which the fastest counts (default 3)"
    )
    parser.add_argument("--processes", type=int, default=10, help="new processes for a first result (default 10)")
    options = parser.parse_args(argv)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        if os.environ.get(name) != "1":
            parser.error(f"set {name}=1: the reference runs on one thread")
    missed = first_results(options.processes) + commands(options.processes)
    print(f"{'cell':>10}{'units':>7}{'first s':>9}{'second s':>10}{'ratio':>8}{'passes':>8}")
    compiled = 0
    for cell, n_units in CASES:
        with tempfile.TemporaryDirectory() as directory:
            first, _ = measured(cell, n_units, directory)
            later = [measured(cell, n_units, directory) for _ in range(options.repeats)]
        second = min(seconds for seconds, _ in later)
        compiled += max(passes for _, passes in later)
        print(f"{cell:>10}{n_units:>7}{first:>9.2f}{second:>10.3f}{first / second:>8.1f}{later[0][1]:>8}")
    return 1 if compiled + missed + pool() else 0


if __name__ == "__main__":
    sys.exit(main())
