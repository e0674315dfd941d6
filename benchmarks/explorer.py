"""What a moved slider costs the explorer: processor time of the numbers that follow at once, over random moderate gains.

Gains are uniform in [0.5, 4], biases 0 in every second draw and else uniform in [-1, 1]; growth of gradients through 100 steps; the
solution of the largest moments. Kept numbers do not help: every draw is another ensemble. A quiet core needs 0.27 s for
``numpy.linalg.eigvals`` at N = 1000; times are scaled by what it takes here, before and after. Lines for each cell and piece:
``python benchmarks/explorer.py [DRAWS]``.
"""

import sys
import time

import numpy as np

from gating_theory.explorer import numbers
from gating_theory.explorer.view import View

#: Seconds of one eigvals on a quiet core.
QUIET = 0.27


def draws(cell, n, rng):
    fields = View(cell).ensemble.cell.field_names
    for number in range(n):
        values = {f"gain.{name}": float(rng.uniform(0.5, 4.0)) for name in fields}
        if number % 2:
            values |= {f"bias.{name}": float(rng.uniform(-1.0, 1.0)) for name in fields}
        yield View(cell, tuple(values.items()))


def measured(view):
    """{piece: milliseconds of processor time}, and all of them."""
    start = last = time.process_time()
    out = {}
    for piece in numbers.at_once(view):
        now = time.process_time()
        name = getattr(piece, "part", type(piece).__name__)
        out[name] = 1e3 * (now - last)
        last = now
    return out | {"all": 1e3 * (time.process_time() - start)}


def eigvals():
    """Seconds of processor time that eigenvalues of 1000 units take."""
    matrix, start = np.random.default_rng(0).standard_normal((1000, 1000)), time.process_time()
    np.linalg.eigvals(matrix)
    return time.process_time() - start


def main(n=40):
    rng, before = np.random.default_rng(0), eigvals()
    found = {}
    for cell in ("GRU", "LSTM"):
        for view in draws(cell, 3, rng):  # compiles, imports
            measured(view)
        found[cell] = [measured(view) for view in draws(cell, n, rng)]
    scale = 2.0 * QUIET / (before + eigvals())
    print(f"milliseconds of a quiet core ({scale:.2f} of those measured): median, nine of ten, worst of {n} draws")
    for cell, rows in found.items():
        for name in rows[0]:
            times = scale * np.array([row[name] for row in rows])
            print(f"{cell:5} {name:10} {np.median(times):6.1f} {np.quantile(times, 0.9):6.1f} {max(times):6.1f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
