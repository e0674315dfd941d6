"""Chaotic networks: theory from the paths of all their sites, beside exact products of their own Jacobians [T9].

``python benchmarks/paths.py [--networks 3] [--n-units 1000] [--n-steps 50]``: the mean square of T Jacobians of one network by
random tangents through ``Network.push``, and by tied and by untied theory along the recorded states. Few modes carry the growth:
single networks scatter about theory by half at T = 50. Then the time of theory in units of one SVD of 1000 by 1000.
"""

from __future__ import annotations

import argparse
import os
import time

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # read by BLAS when numpy is imported

import numpy as np  # noqa: E402

import gating_theory as gt  # noqa: E402

#: Name and ensemble of each chaotic state.
MOVING = [
    ("GRU", gt.Ensemble(gt.GRUResetAfter, gain={"z": 2, "r": 2, "h": 5})),
    ("LSTM", gt.Ensemble(gt.LSTM, gain={"f": 1, "i": 1, "g": 4, "o": 1})),
]
#: Steps to forget where a network started, and random tangents.
TRANSIENT, TANGENTS = 200, 64


def measured(network, states, rng):
    """(T + 1,) mean square of the product of Jacobians along states, by random tangents at the start."""
    d, n = states.shape[1:]
    tangents = rng.standard_normal((d, n, TANGENTS))
    out = [1.0]
    for state in states[:-1]:
        tangents = network.push(state, tangents)
        out.append(float(np.mean(tangents**2)))
    return np.array(out)


def recorded(ensemble, n_units, n_steps, seed):
    """A network and its states after the transient."""
    network = gt.Network.sample(ensemble, n_units, seed)
    start = network.run(network.random_state(seed), TRANSIENT)
    return network, network.run(start, n_steps, trajectory=True)


def main(networks, n_units, n_steps):
    """Print the table, then times."""
    steps = sorted({5, 10, 20, n_steps} & set(range(n_steps + 1)))
    for name, ensemble in MOVING:
        for seed in range(networks):
            network, states = recorded(ensemble, n_units, n_steps, seed)
            rows = {"measured": measured(network, states, np.random.default_rng(seed))}
            for weights in ("tied", "untied"):
                rows[weights] = gt.gradient_growth((network, states), n_steps, weights).mean_square
            told = "; ".join(f"{word} " + ", ".join(f"{row[t]:.3g}" for t in steps) for word, row in rows.items())
            print(f"chaotic {name}, N = {n_units}, T = {', '.join(map(str, steps))}: {told}", flush=True)
    matrix = np.random.default_rng(0).standard_normal((1000, 1000))
    start = time.process_time()
    np.linalg.svd(matrix, compute_uv=False)
    svd = time.process_time() - start
    for name, ensemble in MOVING:
        network, states = recorded(ensemble, 1000, 100, 0)
        for T in (50, 100):
            start = time.process_time()
            gt.gradient_growth((network, states), T)
            taken = (time.process_time() - start) / svd
            print(f"growth along a path of {name}, 1000 sites, {T} steps: {taken:.2f} SVDs of 1000 x 1000")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=int, default=3)
    parser.add_argument("--n-units", type=int, default=1000)
    parser.add_argument("--n-steps", type=int, default=50)
    arguments = parser.parse_args()
    main(arguments.networks, arguments.n_units, arguments.n_steps)
