"""The solver of the self-consistent equations, for more messages than two [T4]."""

import numpy as np
import pytest

import gating_theory as gt


def test_a_cell_with_three_messages():
    """The coupled solver is not special to two messages: a cell in neither paper, against a sampled network."""
    import sympy as sp

    h, y_z, y_r, y_q, y_h = sp.symbols("h y_z y_r y_q y_h", real=True)
    z, r, q = gt.sigma(y_z), gt.sigma(y_r), gt.sigma(y_q)
    cell = gt.Cell(
        name="three",
        state=[h],
        fields=[y_z, y_r, y_q, y_h],
        messages=[h, h, r * h, q * r * h],
        update=[z * h + (1 - z) * sp.tanh(y_h)],
        fixed_point=[sp.tanh(y_h)],
    )
    ens = gt.Ensemble(cell, gain={"z": 1, "r": 3, "q": 3, "h": 8})
    fp = gt.fixed_points(ens)[-1]
    net, state = gt.Network.planted(fp, 300, rng=0)
    spectrum = gt.Spectrum.from_sites(net.sites(state))
    ev = net.eigenvalues(state)
    for lam in (0.3 + 0.5j, 1.5 + 0.5j):
        # log|det| per unit of a sampled network: (log N)/N from the real non-Hermitian determinant, see tests/validation
        assert spectrum.potential(lam) == pytest.approx(np.mean(np.log(np.abs(lam - ev))), abs=5 / 300 + 0.01)
    for radius in (0.5, 1.0):
        assert spectrum.mass(0.0, radius, tol=1e-3) == pytest.approx(np.mean(np.abs(ev) < radius), abs=0.04)
