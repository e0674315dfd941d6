"""The augmented cell and its determinant, against dense matrices [T9]."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gating_theory as gt
from gating_theory.cell.augmented import augmented
from gating_theory.spectrum.singular.regulated import regulated
from tests.spectrum.singular.populations import OWN, dense_blocks, some_sites
from tests.strategies import random_cells


def dense_determinant(sites, lam, p, q, eta):
    """|chi|^2 det(1 + Phat What Qhat What^+) by matrices."""
    cell = sites.cell
    F_s, F_y, M_s, M_y = dense_blocks(sites)
    first = [cell.message_of.index(k) for k in range(cell.n_messages)]
    M_s, M_y = M_s[:, first], M_y[:, first]
    A = lam * np.eye(cell.n_state) - F_s
    inverse = np.linalg.inv(A)
    What = np.block([[M_s @ inverse @ F_y + M_y, M_s @ inverse], [inverse @ F_y, inverse]])
    Phat = np.concatenate([p, np.full(cell.n_state, eta)])
    Qhat = np.concatenate([sites.gain**2 * q[list(cell.message_of)], np.full(cell.n_state, eta)])
    inner = np.eye(len(Phat)) + Phat[:, None] * (What * Qhat) @ np.swapaxes(What, 1, 2).conj()
    return np.abs(np.linalg.det(A)) ** 2 * np.linalg.det(inner).real


def agrees(sites, lam, rng):
    p, q = rng.uniform(0.05, 2.0, (2, sites.cell.n_messages))
    eta = float(rng.uniform(0.05, 2.0))
    found = regulated(sites, lam)
    assert (found.c >= 0.0).all()
    # rounding of dense determinants, whose condition is that of random A
    np.testing.assert_allclose(found.determinant(p, q, eta), dense_determinant(sites, lam, p, q, eta), rtol=1e-9)
    size = found.e.sum(axis=1) + found.f.sum(axis=1) + found.g
    assert (size % 2 == 0).all()


@pytest.mark.parametrize("cell", [gt.Vanilla, gt.GRU, gt.LSTM, gt.GRUResetAfter, gt.PeepholeLSTM, OWN], ids=lambda c: c.name)
@pytest.mark.parametrize("lam", [0.3, 1.4, 0.6 + 0.3j, -2.0j])
def test_the_determinant_is_that_of_dense_matrices(cell, lam):
    rng = np.random.default_rng(1)
    agrees(some_sites(cell, rng), lam, rng)


@given(random_cells(), st.integers(0, 99))
def test_of_any_cell(cell, seed):
    rng = np.random.default_rng(seed)
    agrees(some_sites(cell, rng), complex(*rng.normal(size=2)), rng)


@pytest.mark.parametrize(
    ("cell", "count"),
    [(gt.Vanilla, 4), (gt.LSTM, 10), (gt.GRUResetAfter, 4), (gt.GRU, 15)],
    ids=["Vanilla", "LSTM", "GRUResetAfter", "GRU"],
)
def test_monomials_are_few(cell, count):
    """As many as the sheet says: minors with the same unknowns share one."""
    assert len(regulated(some_sites(cell, np.random.default_rng(0)), 0.3).c) <= count


def test_the_augmented_cell_is_one_for_each_cell():
    assert augmented(gt.GRU) is augmented(gt.GRU)
    bigger = augmented(OWN)
    assert bigger.n_fields == OWN.n_fields + 2
    assert bigger.n_messages == OWN.n_messages + 2
    assert bigger.messages[:3] == OWN.messages
    assert bigger.check_jacobian(rng=0) < 1e-9
