"""What libraries' initialisations do: the table against closed forms and against layers drawn as the libraries draw them [T10]."""

import numpy as np
import pytest

import gating_theory as gt


@pytest.fixture(scope="module")
def table():
    return gt.defaults(100)


def sigma(x):
    return 1.0 / (1.0 + np.exp(-x))


#: (name, leak, extent, factor, log10 of the gradient): sigma(b) of the leak's gate; a (1 - z) / 2 and a o i of the candidate.
ROWS = [
    ("keras GRU", 0.5, 1 / (4 * np.sqrt(3)), 2 * np.sqrt(3), -39.35),
    ("keras LSTM", sigma(1), 1 / 8, 8 * (1 - sigma(1)), -15.29),
    ("torch GRU", 0.5, 1 / (4 * np.sqrt(3)), 2 * np.sqrt(3), -39.35),
    ("torch LSTM", 0.5, 1 / (4 * np.sqrt(3)), 2 * np.sqrt(3), -40.04),
    ("torch LSTM, orthogonal_ on weight_hh", 0.5, 1 / 8, 4.0, None),
    ("torch GRU, orthogonal_ on each gate", 0.5, 1 / 4, 2.0, -26.21),
    ("torch LSTM, the same and b_f = 1", sigma(1), 1 / 4, 4 * (1 - sigma(1)), -3.54),
    ("torch RNN", 0.0, 3**-0.5, 3**0.5, -100 * np.log10(3)),
    ("torch RNN, orthogonal_", 0.0, 1.0, 1.0, 0.0),
]


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_closed_forms(table, row):
    name, leak, extent, factor, gradient = row
    found = table[name]
    np.testing.assert_allclose([found.leak, found.extent, found.factor], [leak, extent, factor], rtol=1e-8, atol=1e-12)
    if gradient is not None:  # the sheet's two digits
        assert abs(found.log10_gradient - gradient) <= 0.006
    assert np.isinf(found.tau) if found.radius >= 1.0 else np.isclose(found.tau, -1 / np.log(found.radius))


def orthonormal(rows, n, rng):
    q, r = np.linalg.qr(rng.standard_normal((rows, n)))
    return q * np.sign(np.diagonal(r))


def test_layers_drawn_as_libraries_draw_them(table):
    """Jacobians at rest, by hand: h' = z h + (1 - z) r U h (GRU), and c' = f c + i U_g h, h = o c (LSTM)."""
    n, rng = 200, np.random.default_rng(3)
    stack, forget = orthonormal(4 * n, n, rng).reshape(4, n, n), sigma(1.0)
    drawn = {
        "keras GRU": 0.5 * np.eye(n) + 0.25 * orthonormal(3 * n, n, rng)[:n],
        "torch GRU": 0.5 * np.eye(n) + 0.25 * rng.uniform(-1, 1, (n, n)) / np.sqrt(n),
        "flax.linen GRUCell": 0.5 * np.eye(n) + 0.25 * orthonormal(n, n, rng),
        "keras LSTM": forget * np.eye(n) + 0.25 * stack[2],
        "torch LSTM, the same and b_f = 1": forget * np.eye(n) + 0.25 * orthonormal(n, n, rng),
    }
    for name, jacobian in drawn.items():
        eigenvalues = np.linalg.eigvals(jacobian)
        # the rim of a disc of n eigenvalues is as wide as some of their distances, extent / sqrt n: 5 of them
        room = 5 * table[name].extent / np.sqrt(n)
        assert abs(np.abs(eigenvalues - table[name].leak).max() - table[name].extent) < room
        assert abs(np.abs(eigenvalues).max() - table[name].radius) < room


def test_the_table_is_a_table(table):
    assert len(table) == len(table.names) == len({*table.names}) and [row.name for row in table] == list(table.names)
    assert all(row.name in str(table) and row.source for row in table) and table.status.code == "limit"
    with pytest.raises(ValueError, match="name must be one of"):
        table["keras Transformer"]
    with pytest.raises(ValueError, match="n_steps"):
        gt.defaults(0)
