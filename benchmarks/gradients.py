"""Gradients of PyTorch modules by their own backward pass, beside theory of tied and of untied weights [T9].

``python benchmarks/gradients.py [--seeds 6] [--chaotic 3] [--n-units 1000] [--n-steps 50]``: first silent modules of 128 units with
every common initialisation, through a hundred steps; then modules of ``n-units`` units that move chaotically, or under a frozen
input, through ``n-steps``: theory from the recorded paths of all their units. Few modes carry the growth of chaotic states: it
scatters by half from network to network, and so do theory and measurement about one another. Minutes.
"""

from __future__ import annotations

import argparse
import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # read by BLAS when numpy is imported

import numpy as np  # noqa: E402
import torch  # noqa: E402
from gating_theory.figures import gradient_growth as silent  # noqa: E402
from gating_theory.figures.autograd import growth  # noqa: E402
from gating_theory.figures.work import Work  # noqa: E402

import gating_theory as gt  # noqa: E402
from gating_theory.interop import torch as bridge  # noqa: E402

#: Name, ensemble, standard deviation of a frozen input that comes on top.
MOVING = [
    ("GRU, chaotic", gt.Ensemble(gt.GRUResetAfter, gain={"z": 2, "r": 2, "h": 5}), 0.0),
    ("LSTM, chaotic", gt.Ensemble(gt.LSTM, gain={"f": 1, "i": 1, "g": 4, "o": 1}), 0.0),
    ("LSTM, PyTorch's gains, b_f = 1, under an input", gt.Ensemble(gt.LSTM, gain=1 / np.sqrt(3), bias={"f": 1}), 1.0),
]
#: Steps that a module runs to forget where it started, random directions at the end.
TRANSIENT, DIRECTIONS = 150, 100


def moving(ensemble, input_std, n_units, n_steps, seed):
    """One module: measured, tied, untied, and the product of the mean squared singular values of each step."""
    rng = np.random.default_rng(seed)
    kind = "LSTM" if ensemble.cell == gt.LSTM else "GRU"
    module = getattr(torch.nn, kind)(n_units, n_units).double()
    bridge.init_(module, ensemble, rng)
    with torch.no_grad():
        module.weight_ih_l0.copy_(torch.from_numpy(rng.standard_normal(module.weight_ih_l0.shape) / np.sqrt(n_units)))
    layer = bridge.read(module).layer()
    x = input_std * rng.standard_normal(n_units)
    network = layer.network.driven(*layer.drive(x))
    start = network.run(network.random_state(rng), TRANSIENT)
    states = network.run(start, n_steps, trajectory=True)
    measured = growth(module, n_steps, inputs=np.tile(x, (n_steps, 1)), start=start, vectors=DIRECTIONS, rng=seed).sum()
    theory = [gt.gradient_growth((network, states), n_steps, weights, block="h").mean_square[-1] for weights in ("tied", "untied")]
    product = np.prod([gt.gradient_growth(network.sites(state), 1).mean_square[1] for state in states[:-1]])
    return measured, *theory, product


def main(seeds, networks, n_units, n_steps):
    """Print both tables."""
    torch.set_num_threads(1)
    print(silent.findings(silent.measured_and_theory(range(seeds), None, Work())))
    for name, ensemble, input_std in MOVING:
        for seed in range(networks):
            values = moving(ensemble, input_std, n_units, n_steps, seed)
            words = ("measured", "tied", "untied", "product of mean squares")
            told = ", ".join(f"{word} {value:.3g}" for word, value in zip(words, values))
            print(f"{name}, N = {n_units}, T = {n_steps}: {told}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--chaotic", type=int, default=3)
    parser.add_argument("--n-units", type=int, default=1000)
    parser.add_argument("--n-steps", type=int, default=50)
    arguments = parser.parse_args()
    main(arguments.seeds, arguments.chaotic, arguments.n_units, arguments.n_steps)
