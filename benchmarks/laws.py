"""What the equations of a spectrum cost for other laws than iid, in units of what they cost for iid matrices at the same sites.

    python benchmarks/laws.py

Potential, resolvent and density at up to 1000 lambdas inside the support, from 1000 sites and from first guesses of their own.
Processor time of one thread, the shortest of a few repeats, taken by turns. The exit code is 1 where a target is missed: stacks of
one message cost what iid matrices do, independent orthogonal ones at most three times as much.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # read by BLAS when numpy is imported

import numpy as np  # noqa: E402

import gating_theory as gt  # noqa: E402
from gating_theory.mean_field.samples import sampled_sites  # noqa: E402
from gating_theory.spectrum.dyson import Population  # noqa: E402

#: Cells, their gains.
CASES = {
    "Vanilla": {"h": 2.0},
    "GRU": {"z": 2.0, "r": 3.0, "h": 4.0},
    "GRUResetAfter": {"z": 2.0, "r": 3.0, "h": 4.0},
    "LSTM": {"f": 1.0, "i": 2.0, "g": 4.0, "o": 3.0},
}
LAWS = {"orthogonal": "orthogonal", "stack": "stack", "three values": gt.WithSingularValues([0.5, 1.0, 1.5])}
#: Ratios at most; None where none is promised.
TARGETS = {"orthogonal": 3.0, "stack": 1.5, "three values": None}
WHAT = {"potential", "resolvent", "density"}
_REPEATS, _LAMBDAS, _SITES = 5, 1000, 1000


def main() -> int:
    """Ratios, and how many targets are missed."""
    missed = 0
    for name, gain in CASES.items():
        cell = getattr(gt, name)
        populations = {law: _population(cell, gain, given) for law, given in {"iid": "iid", **LAWS}.items()}
        rng = np.random.default_rng(0)
        lam = rng.uniform(0.0, 1.1, 3000) + 1j * rng.uniform(0.02, 0.8, 3000)
        inside = [population.solve(lam).shares for population in populations.values()]
        fine = np.all([(shares.max(axis=1) > 0.0) & (shares.max(axis=1) < 0.999) for shares in inside], axis=0)
        lam = lam[fine][:_LAMBDAS]
        times = {law: np.inf for law in populations}
        for _ in range(_REPEATS):
            for law, population in populations.items():
                start = time.process_time()
                population.solve(lam, WHAT)
                times[law] = min(times[law], time.process_time() - start)
        print(f"{name}: iid {1e6 * times['iid'] / lam.size:.0f} microseconds a lambda")
        for law in LAWS:
            ratio, target = times[law] / times["iid"], TARGETS[law]
            several = law == "stack" and cell.n_messages > 1
            missed += bool(target is not None and not several and ratio > target)
            print(f"    {law:<14} {ratio:6.2f}  {'' if target is None or several else target}")
    return missed


def _population(cell, gain, law):
    point = gt.fixed_points(gt.Ensemble(cell, gain=gain))[-1]
    return Population(replace(sampled_sites(point, _SITES, rng=0), matrices=law))


if __name__ == "__main__":
    sys.exit(int(main() > 0))
