"""What kernels of infinitely wide networks cost: ``python benchmarks/kernels.py``.

200 sequences of 64 steps, one number a step, as pixels of small images: time of the processor, memory at the peak, standard error
relative to the diagonal.
"""

from __future__ import annotations

import os
import resource
import time

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # read by BLAS when numpy is imported

import numpy as np  # noqa: E402

import gating_theory as gt  # noqa: E402

STEPS, MANY = 64, 200
CELLS = {
    "GRU (1, 1, 3)": gt.Ensemble(gt.GRU, gain={"h": 3}),
    "LSTM (1, 1, 4, 1), b_f 1": gt.Ensemble(gt.LSTM, gain={"g": 4}, bias={"f": 1}),
    "GRU (0, 4, 3)": gt.Ensemble(gt.GRU, gain={"z": 0, "r": 4, "h": 3}),
    "vanilla 1.2": gt.Ensemble(gt.Vanilla, gain=1.2),
}
#: Gates that hear no input, so that the leak is constant.
SILENT = {"GRU (0, 4, 3)": {"z": 0.0, "r": 0.0}}


def told(name, ensemble, count, **options):
    """One line for one kernel."""
    x = np.random.default_rng(0).standard_normal((count, STEPS, 1))
    start = time.process_time()
    gains = dict.fromkeys(ensemble.cell.field_names, 1.0) | SILENT.get(name, {})
    kernel = gt.nngp_kernel(ensemble, x, input_gain=gains, rng=0, **options)
    seconds = time.process_time() - start
    error = np.sqrt(np.mean(kernel.stderr**2)) / np.mean(np.diag(kernel.K))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    how = f"{kernel.n_networks} x {kernel.n_units} sites" if kernel.method == "sites" else "pairs"
    print(
        f"  {name:26s} {count:4d} sequences  {how:16s} {seconds:6.1f} s  error {error:.4f}  {peak:.2f} GB so far",
        flush=True,
    )


def main():
    """All of it."""
    for n_sites in (2500, 10_000):
        told("GRU (1, 1, 3)", CELLS["GRU (1, 1, 3)"], MANY, method="sites", n_sites=n_sites)
    for name, ensemble in CELLS.items():
        told(name, ensemble, MANY, method="sites")
    for name in ("GRU (0, 4, 3)", "vanilla 1.2"):
        told(name, CELLS[name], MANY, method="pairs")


if __name__ == "__main__":
    main()
