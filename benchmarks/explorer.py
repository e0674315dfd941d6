"""What a moved slider costs the explorer: processor time of the numbers that follow at once, over random moderate gains.

Gains are uniform in [0.5, 4], biases 0 in every second draw and else uniform in [-1, 1]; growth of gradients through 100 steps; the
solution of the largest moments. Kept numbers do not help: every draw is another ensemble. Prints a line a cell:
``python benchmarks/explorer.py [DRAWS]``.
"""

import sys
import time

import numpy as np

from gating_theory.explorer import numbers
from gating_theory.explorer.view import View


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


def main(n=40):
    rng = np.random.default_rng(0)
    for cell in ("GRU", "LSTM"):
        for view in draws(cell, 3, rng):  # compiles, imports
            measured(view)
        rows = [measured(view) for view in draws(cell, n, rng)]
        for name in rows[0]:
            times = [row[name] for row in rows]
            print(f"{cell:5} {name:10} median {np.median(times):6.1f} ms, 90 % {np.quantile(times, 0.9):6.1f}, worst {max(times):6.1f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
