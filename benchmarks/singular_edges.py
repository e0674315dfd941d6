"""Edges of singular values in units of one ``numpy.linalg.svd`` without vectors at N = 1000.

    python benchmarks/singular_edges.py          # the smallest and largest, from the sites of 1000 units
    python benchmarks/singular_edges.py dense    # pseudospectra beside grids of smallest singular values of networks, N = 300

Processor time of one thread. The exit code is 1 where a target is missed.
"""

from __future__ import annotations

import os
import sys
import time

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # read by BLAS when numpy is imported

import numpy as np  # noqa: E402

import gating_theory as gt  # noqa: E402

#: Cells, their gains.
CASES = {
    "Vanilla": {"h": 2.5},
    "GRU": {"z": 2.0, "r": 3.0, "h": 4.0},
    "GRUResetAfter": {"z": 2.0, "r": 2.0, "h": 5.0},
    "LSTM": {"f": 2.0, "i": 1.0, "g": 4.0, "o": 1.0},
}
TARGET = 0.1
_REPEATS = 5


def seconds(function) -> float:
    """Shortest processor time of a few calls."""
    times = []
    for _ in range(_REPEATS):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times)


def speed() -> int:
    """Ratios, and how many targets are missed."""
    matrix = np.random.default_rng(0).standard_normal((1000, 1000))
    start = time.process_time()
    np.linalg.svd(matrix, compute_uv=False)
    reference, missed = time.process_time() - start, 0
    for name in CASES:
        sites = planted_sites(name, 1000)
        for lam, edge in ((3.0, "smallest"), (0.0, "largest"), (1.5 + 1.5j, "largest")):
            took = (
                seconds(lambda lam=lam, edge=edge, sites=sites: getattr(gt.Spectrum(sites).singular_values(lam), edge)())
                / reference
            )
            missed += took > TARGET
            print(f"{name}: {edge} singular value at lambda = {lam:<12} {took:9.5f} {TARGET:6g}")
    return missed


def planted_sites(name: str, units: int) -> gt.Sites:
    """Sites of so many units at the mean-field fixed point of a case."""
    from gating_theory.mean_field.samples import sampled_sites

    ensemble = gt.Ensemble(getattr(gt, name), gain=CASES[name])
    return sampled_sites(gt.fixed_points(ensemble)[-1], units, 0)


def dense(units: int = 300, lines: int = 25) -> int:
    """Smallest singular values of networks on grids, over those of the limit of their sites, outside the support."""
    print(f"N = {units}: s_min of a network over that of the limit, quantiles .1, .5, .9; shares of a grid alike at eps")
    for name in CASES:
        sites = planted_sites(name, units)
        J = jacobian(sites, np.random.default_rng(1))
        spectrum = gt.Spectrum(sites)
        reach = spectrum.radius() + 1.0
        x, y = np.linspace(-reach, reach, lines), np.linspace(0.05, reach, lines // 2)
        lam = (x[None] + 1j * y[:, None]).ravel()
        limit = 1.0 / spectrum.resolvent_norm(lam)
        found = np.array([np.linalg.svd(z * np.eye(len(J)) - J, compute_uv=False)[-1] for z in lam])
        ratio = found[limit > 0.05] / limit[limit > 0.05]
        alike = [np.mean((found < eps) == (limit < eps)) for eps in (0.1, 0.3, 1.0)]
        print(f"{name}: {np.quantile(ratio, [0.1, 0.5, 0.9]).round(3)}, eps = .1, .3, 1: {np.round(alike, 3)}", flush=True)
    return 0


def jacobian(sites: gt.Sites, rng: np.random.Generator) -> np.ndarray:
    """J (d N, d N) of iid matrices at given sites, field after field."""
    cell, d, n = sites.cell, sites.cell.n_state, sites.size
    blocks = cell.compiled.blocks(sites.state, sites.fields, sites.parameters)
    dense_blocks = {key: {ij: np.broadcast_to(v, n) for ij, v in entries.items()} for key, entries in blocks.items()}

    def rows(entries, i, count):
        return [np.diag(entries[i, j]) if (i, j) in entries else np.zeros((n, n)) for j in range(count)]

    response = []
    for k in range(cell.n_fields):
        message = np.concatenate(rows(dense_blocks["M_s"], k, d), axis=1)
        for l in range(k):
            if (k, l) in dense_blocks["M_y"]:
                message = message + dense_blocks["M_y"][k, l][:, None] * response[l]
        response.append(sites.gain[k] / np.sqrt(n) * rng.standard_normal((n, n)) @ message)
    out = []
    for i in range(d):
        row = np.concatenate(rows(dense_blocks["F_s"], i, d), axis=1)
        for k in range(cell.n_fields):
            if (i, k) in dense_blocks["F_y"]:
                row = row + dense_blocks["F_y"][i, k][:, None] * response[k]
        out.append(row)
    return np.concatenate(out)


if __name__ == "__main__":
    sys.exit(bool(dense() if "dense" in sys.argv[1:] else speed()))
