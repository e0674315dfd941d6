"""Networks: Lyapunov spectra, and fixed points against a plain damped Newton: ``python benchmarks/networks.py``, on one thread.

Seconds are the processor's. The Newton method is the textbook's: the residual of one step, its Jacobian, the step halved until the
residual's norm falls, from the same number of random starts.
"""

from __future__ import annotations

import os
import sys
import time

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # read by BLAS when numpy is imported

import numpy as np  # noqa: E402

import gating_theory as gt  # noqa: E402


def seconds(function):
    """(result, CPU seconds) of one call."""
    start = time.process_time()
    result = function()
    return result, time.process_time() - start


def damped_newton(net, starts, tol=1e-10, n_steps=200):
    """The starts' last states and whether the residual of a step vanishes there."""
    shape, states, converged = (net.cell.n_state, net.n_units), [], []
    for state in starts:
        residual = (net.step(state) - state).ravel()
        for _ in range(n_steps):
            size = np.linalg.norm(residual)
            if size < tol:
                break
            step = np.linalg.solve(net.jacobian(state) - np.eye(state.size), -residual).reshape(shape)
            for halvings in range(30):
                trial = state + 0.5**halvings * step
                there = (net.step(trial) - trial).ravel()
                if np.linalg.norm(there) < size:
                    break
            else:
                break
            state, residual = trial, there
        states.append(state)
        converged.append(np.linalg.norm(residual) < tol)
    return np.array(states), np.array(converged)


def distinct(states, merge=1e-6):
    """How many of the states differ."""
    kept = []
    for state in states:
        if not any(np.abs(state - other).max() < merge for other in kept):
            kept.append(state)
    return len(kept)


def main():
    """Print the numbers; return the exit code."""
    net = gt.Network.sample(gt.Ensemble(gt.GRU, gain={"z": 1, "r": 1, "h": 8}), 200, rng=0)
    gt.lyapunov_spectrum(net, n_steps=10, rng=0)  # compile
    runs = [seconds(lambda: gt.lyapunov_spectrum(net, n_steps=300, rng=0)) for _ in range(3)]
    best = min(took for _, took in runs)
    square = np.random.default_rng(0).standard_normal((200, 200))
    _, alone = seconds(lambda: [np.linalg.qr(square @ square) for _ in range(300)])
    print(f"Lyapunov spectrum, GRU, N = 200, all exponents, 300 steps: {best:.2f} s (best of 3); {runs[0][0].status}")
    print(f"  300 products and QR decompositions of that size alone: {alone:.2f} s, ratio {best / alone:.2f}")

    net = gt.Network.sample(gt.Ensemble(gt.GRUResetAfter, gain=3.0), 100, rng=0)
    rng = np.random.default_rng(1)
    (states, converged), plain = seconds(lambda: damped_newton(net, rng.standard_normal((64, 1, 100))))
    found, ours = seconds(lambda: net.find_fixed_points(64, rng=1, spectra=False))
    print("fixed points, GRU reset-after, N = 100, gain 3, 64 starts:")
    print(f"  damped Newton: {converged.sum()} converged, {distinct(states[converged])} distinct, {plain:.1f} s")
    reached = int(found.hits[found.label == "fixed"].sum())
    print(f"  find_fixed_points: {reached} converged, {len(found.fixed)} distinct with mirror images, {ours:.1f} s")
    print(f"  ratio of times {ours / plain:.2f}, largest residual {found.residual[found.label == 'fixed'].max():.1e}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
