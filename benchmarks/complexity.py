"""Rates and onset lines of the complexity: value and processor time of each, ``python benchmarks/complexity.py``.

Against the numbers of the theory sheet where it has them. Times are minima over repetitions; a minute or two.
"""

from __future__ import annotations

import argparse
import os
import time

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # read by BLAS when numpy is imported

import gating_theory as gt  # noqa: E402


def gru(a_h, a_r, b_r=0.0):
    """A GRU ensemble by the gains of candidate and reset gate, and the latter's bias."""
    return gt.Ensemble(gt.GRU, gain={"h": a_h, "r": a_r}, bias={"r": b_r})


def lstm(*gains):
    """An LSTM ensemble by the gains of f, i, g, o."""
    return gt.Ensemble(gt.LSTM, gain=dict(zip("figo", gains)))


RATES = [
    *((f"vanilla {g:g}", gt.Ensemble(gt.Vanilla, gain=g), v) for g, v in ((1.25, 0.0015235511), (2, 0.0248251145))),
    *((f"vanilla {g:g}", gt.Ensemble(gt.Vanilla, gain=g), v) for g, v in ((3, 0.0613788768), (10, 0.1680113536))),
    ("GRU 4, 4, 0", gru(4, 4), 0.0897812617),
    ("GRU 2.5, 8, 0", gru(2.5, 8), 0.0692994209),
    ("GRU 1.8, 8, 0", gru(1.8, 8), 0.0147675859),
    ("GRU 4, 4, 1", gru(4, 4, 1), 0.0956970011),
    ("GRU 4, 20, 0", gru(4, 20), 0.19724247),
    ("GRU 3, 4, -1", gru(3, 4, -1), 0.03072411),
    *((f"LSTM {g}", lstm(*g), None) for g in ((1, 1, 6, 1), (2, 4, 5, 4), (1, 2, 8, 2))),
]
ONSETS = [
    ((4, 0), 1.88548266),
    ((6, 0), 1.74931625),
    ((8, 0), 1.65599480),
    ((10, 0), 1.58960290),
    ((20, 0), 1.42125119),
    ((4, -1), 2.49037303),
]


def best_of(function, repeats):
    """(result, least processor time)."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        result = function()
        times.append(time.process_time() - start)
    return result, min(times)


def main(repeats):
    """Print one line for each rate and onset."""
    print(f"{'rate':20s} {'value':>15s} {'error':>8s} {'to sheet':>9s} {'s':>6s}  status")
    for name, ensemble, sheet in RATES:
        found, seconds = best_of(lambda e=ensemble: gt.complexity(e), repeats)
        distance = f"{found.value - sheet:9.0e}" if sheet else f"{'':9s}"
        print(f"{name:20s} {found.value:15.11f} {found.error:8.0e} {distance} {seconds:6.2f}  {found.status}", flush=True)
    print("onset of positive complexity in a_h, against (a_r, b_r)")
    for (a_r, b_r), sheet in ONSETS:
        found, seconds = best_of(lambda r=a_r, b=b_r: gt.complexity_onset(gru(1.0, r, b), "gain.h"), repeats)
        print(f"{f'GRU {a_r}, {b_r}':20s} {float(found):15.11f} {'':8s} {float(found) - sheet:9.0e} {seconds:6.2f}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    main(parser.parse_args().repeats)
