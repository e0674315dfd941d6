"""Eigenvalues at all fixed points of sampled networks against the spectrum of a typical fixed point and of the mean-field one.

``python benchmarks/typical_spectrum.py [--n-units 30] [--n-networks 40]``: for each ensemble the fraction of eigenvalues outside
the circle through 1 around the leaks (radius 1 around 0 for a vanilla network, 1/2 around 1/2 for a GRU whose update gate stands
still), averaged over all nonzero fixed points of all networks, as E n weighs them; the error is that of the ratio of sums over
networks. Minutes for vanilla networks of 30 units, longer for GRUs.
"""

from __future__ import annotations

import argparse
import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # read by BLAS when numpy is imported

import numpy as np  # noqa: E402

import gating_theory as gt  # noqa: E402


def gru(a_h, a_r):
    """A GRU ensemble whose update gate is 1/2."""
    return gt.Ensemble(gt.GRU, gain={"h": a_h, "r": a_r, "z": 0.0})


#: Name, ensemble, centre and radius of the circle.
CASES = [
    ("vanilla 2", gt.Ensemble(gt.Vanilla, gain=2.0), 0.0, 1.0),
    ("vanilla 3", gt.Ensemble(gt.Vanilla, gain=3.0), 0.0, 1.0),
    ("GRU 1.8, 8", gru(1.8, 8.0), 0.5, 0.5),
    ("GRU 2.5, 8", gru(2.5, 8.0), 0.5, 0.5),
]


def over_points(counts, statistic):
    """Mean of ``statistic(network, state)`` over all nonzero fixed points of FixedPointCounts with points, and its error."""
    sums, number = np.zeros(counts.n_networks), np.zeros(counts.n_networks)
    for i, states in enumerate(counts.points):
        network = counts.network(i)
        values = [statistic(network, state) for state in states if np.abs(state).max() > 1e-9]
        sums[i], number[i] = sum(values), len(values)
    mean = sums.sum() / number.sum()
    return mean, np.sqrt(np.sum((sums - mean * number) ** 2)) / number.sum(), int(number.sum())


def main(n_units, n_networks):
    """Print one line for each ensemble."""
    for name, ensemble, centre, radius in CASES:
        typical = 1.0 - gt.Spectrum(gt.complexity(ensemble)).mass(centre, radius)
        known = [1.0 - gt.Spectrum(fp).mass(centre, radius) for fp in gt.fixed_points(ensemble) if not fp.is_zero]
        counts = gt.count_fixed_points(ensemble, n_units, n_networks, rng=0, points=True)

        def outside(network, state, centre=centre, radius=radius):
            return np.mean(np.abs(np.linalg.eigvals(network.jacobian(state)) - centre) > radius)

        mean, error, number = over_points(counts, outside)
        shown = ", ".join(f"{v:.4f}" for v in known) or "no mean-field fixed point"
        print(
            f"{name:12s} N = {n_units}, {number} points of {n_networks} networks: {mean:.4f} +- {error:.4f}; "
            f"typical {typical:.4f}, mean field {shown}; settled {counts.settled.mean():.2f}, degree 1 {counts.degree_passed:.2f}"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n-units", type=int, default=30)
    parser.add_argument("--n-networks", type=int, default=40)
    arguments = parser.parse_args()
    main(arguments.n_units, arguments.n_networks)
