"""The augmented cell and its determinant, against dense matrices [T9]."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

import gating_theory as gt
from gating_theory.cell.augmented import augmented
from gating_theory.spectrum.singular.regulated import regulated
from tests.strategies import random_cells

_h, _c, _a, _b, _e, _m = sp.symbols("h c y_a y_b y_c y_m", real=True)
#: Two state variables, neither of them a message, and three messages, one of which needs an earlier field; a site parameter.
OWN = gt.Cell(
    name="own pair",
    state=[_h, _c],
    fields=[_a, _b, _e],
    messages=[_h * sp.tanh(_c), sp.tanh(_h + _c), gt.sigma(_a) * _c],
    update=[gt.sigma(_a) * _h + sp.tanh(_b + _m), gt.sigma(_b) * _c + _h * sp.tanh(_e)],
    parameters=[_m],
)


def some_sites(cell, rng, size=4):
    """Sites anywhere, of a cell with any gains."""
    shapes = ((n, size) for n in (cell.n_state, cell.n_fields, cell.n_parameters))
    state, fields, parameters = (rng.normal(size=shape) for shape in shapes)
    weights = rng.uniform(0.1, 1.0, size)
    return gt.Sites(cell, weights / weights.sum(), state, fields, parameters, rng.uniform(0.2, 2.0, cell.n_fields))


def dense_blocks(sites):
    """F_s, F_y, M_s, M_y at each site, the messages one row each."""
    cell = sites.cell
    blocks = cell.compiled.blocks(sites.state, sites.fields, sites.parameters)
    shapes = {"F_s": (cell.n_state,) * 2, "F_y": (cell.n_state, cell.n_fields)}
    shapes |= {"M_s": (cell.n_fields, cell.n_state), "M_y": (cell.n_fields,) * 2}
    dense = {name: np.zeros((sites.size, *shape)) for name, shape in shapes.items()}
    for name, entries in blocks.items():
        for (i, j), value in entries.items():
            dense[name][:, i, j] = value
    first = [cell.message_of.index(k) for k in range(cell.n_messages)]
    return dense["F_s"], dense["F_y"], dense["M_s"][:, first], dense["M_y"][:, first]


def dense_determinant(sites, lam, p, q, eta):
    """|chi|^2 det(1 + Phat What Qhat What^+) by matrices."""
    cell = sites.cell
    F_s, F_y, M_s, M_y = dense_blocks(sites)
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
