"""Implicit Gaussian matrices: linear maps, exactly, and Gaussian with the right covariance."""

import numpy as np
import pytest

from gating_theory.ensemble.implicit import ImplicitMatrices


def dense(U, n):
    """The matrices themselves, column by column: after N independent vectors they are fixed."""
    columns = [U.apply(e)[0] for e in np.eye(n)]
    return [np.array([c[k] for c in columns]).T for k in range(U.gains.size)]


@pytest.mark.parametrize("n", [1, 5, 40])
def test_is_a_linear_map(n):
    rng = np.random.default_rng(0)
    U = ImplicitMatrices(n, [1.0, 0.0, 2.5], n + 3, rng)
    first = rng.standard_normal(n)
    images = U.apply(first)[0]
    matrices = dense(U, n)
    assert U.size == n  # more directions there are not
    for v, y in [(first, images), *((v, U.apply(v)[0]) for v in rng.standard_normal((3, n)))]:
        for k in (0, 2):
            # rounding, multiplied by the condition of the vectors that happened to come (a few hundred)
            assert np.abs(matrices[k] @ v - y[k]).max() < 1e-10
        assert np.all(np.asarray(y[1]) == 0.0)


def test_entries_are_iid_normal():
    n, count = 6, 4000
    U = np.array([dense(ImplicitMatrices(n, [2.0], n, np.random.default_rng(i)), n)[0].ravel() for i in range(count)])
    covariance = U.T @ U / count
    # variances have a relative error of sqrt(2/4000) = 0.022, covariances of 0.016: five standard errors of the largest of 666
    assert np.abs(covariance / (4.0 / n) - np.eye(n * n)).max() < 0.12
    fourth = np.mean((U / np.sqrt(4.0 / n)) ** 4)
    assert fourth == pytest.approx(3.0, abs=5 * np.sqrt(96.0 / U.size))


@pytest.mark.parametrize("epsilon", [1e-2, 1e-4, 1e-6, 1e-9, 1e-12])
def test_nearly_dependent_vectors_lose_only_what_they_must(epsilon):
    """U(a + eps d) - U a = eps U d. What a vector a + eps d itself knows of d in double precision is 1e-16/eps."""
    rng = np.random.default_rng(1)
    U = ImplicitMatrices(200, [1.0], 12, rng)
    a, d = rng.standard_normal((2, 200))
    before, near, direction = U.apply(a)[0][0], U.apply(a + epsilon * d)[0][0], U.apply(d)[0][0]
    assert U.size == 3 if epsilon < 1e-8 else U.size == 2 or U.size == 3
    assert np.abs((near - before) / epsilon - direction).max() < 3e-15 / epsilon + 1e-12


def test_large_vectors_meet_one_map_in_all_their_parts():
    """A linear combination of vectors goes to that of their images, everywhere; images have the matrices' covariance."""
    n, rng = 50_000, np.random.default_rng(5)
    U = ImplicitMatrices(n, [1.0, 2.0], 4, rng)
    a, b = rng.standard_normal((2, n))
    ya, yb, yc = (U.apply(v)[0] for v in (a, b, 2.0 * a - 3.0 * b))
    assert U.size == 2
    assert np.abs(yc - 2.0 * ya + 3.0 * yb).max() < 1e-12
    table = np.concatenate([ya, yb]) @ np.concatenate([ya, yb]).T / n
    overlap = np.array([[a @ a, a @ b], [a @ b, b @ b]]) / n
    expected = np.kron(overlap, np.diag([1.0, 4.0]))
    # averages over n sites of products of normal numbers of variance up to 4: five standard errors
    assert np.abs(table - expected).max() < 5 * 4 * np.sqrt(2 / n)
    halves = [np.corrcoef(ya[:, :25_000], ya[:, 25_000:])[np.triu_indices(4, 1)]]
    assert np.abs(halves).max() < 5 / np.sqrt(n / 2)  # sites of different parts are independent, and so are the matrices


def test_coordinates_give_products():
    rng = np.random.default_rng(2)
    U = ImplicitMatrices(300, [1.0], 10, rng)
    vectors = rng.standard_normal((5, 300))
    vectors[3] = vectors[0] + 1e-7 * vectors[3]
    table = np.zeros((5, 10))
    for i, v in enumerate(vectors):
        l = U.apply(v)[1]
        table[i, : l.size] = l
    assert np.abs(table @ table.T - vectors @ vectors.T / 300).max() < 1e-13


def test_zero_vectors_and_full_shelves():
    U = ImplicitMatrices(20, [1.0], 1, np.random.default_rng(3))
    images, l = U.apply(np.zeros(20))
    assert np.all(np.asarray(images[0]) == 0.0) and l.size == 0
    v = np.ones(20)
    first = U.apply(v)[0][0]
    assert np.array_equal(U.apply(v)[0][0], first)
    with pytest.raises(IndexError, match="capacity"):
        U.apply(np.arange(20.0))


def test_single_precision_keeps_six_digits():
    rng = np.random.default_rng(4)
    U = ImplicitMatrices(500, [1.0], 6, rng, np.float32)
    a, b = rng.standard_normal((2, 500))
    ya, yb, yc = (U.apply(v)[0][0] for v in (a, b, 2 * a - 3 * b))
    assert U.size == 2
    assert np.abs(yc - 2 * ya + 3 * yb).max() < 1e-4


@pytest.mark.parametrize("dtype, tol", [(np.float64, 1e-9), (np.float32, 3e-3)])
def test_slow_paths_and_shrinking_ones_stay_linear(dtype, tol):
    """Messages that move little in a step, or decay by many orders, with a tangent's between them: all from one linear map."""
    rng = np.random.default_rng(6)
    n, steps = 100, 80
    U = ImplicitMatrices(n, [1.0], 2 * steps + n, rng, dtype)  # room for the columns asked for at the end
    a, b, v = rng.standard_normal((3, n))
    vectors = []
    for t in range(steps):
        # smooth in time: the Gram matrix of such paths is singular to rounding after ten steps
        vectors.append((np.cos(0.05 * t) * a + np.sin(0.07 * t) * b + 0.1 * np.tanh(a * b + 0.02 * t)) * 10.0 ** (-2.0 * t))
        v = 0.95 * v + 0.05 * np.tanh(v + a)
        vectors.append(v)
    images = [U.apply(x)[0][0].copy() for x in vectors]
    assert all(np.isfinite(y).all() for y in images)
    matrix = dense_columns(U, n)
    for x, y in zip(vectors, images):
        # columns of the matrix are themselves recovered from U to 1e-12 (1e-5) times their condition
        assert np.abs(matrix @ x - y).max() < tol * np.abs(x).max() * np.sqrt(n)


def dense_columns(U, n):
    """The single matrix of U; unlike in ``dense`` most of its directions are known already."""
    return np.array([U.apply(e)[0][0].copy() for e in np.eye(n)]).T


@pytest.mark.parametrize(("dtype", "tol"), [(np.float64, 1e-11), (np.float32, 1e-3)])
def test_more_vectors_than_units(dtype, tol):
    """Once the directions span everything the matrix is known: what rounding leaves is no new direction."""
    rng = np.random.default_rng(0)
    n, many = 20, 300
    matrices = ImplicitMatrices(n, [1.5], many, rng, dtype)
    vectors, images = rng.standard_normal((many, n)), []
    for k in range(n, many):  # slowly changing, as in a run
        vectors[k] = vectors[k - 1] + 1e-2 * vectors[k]
    for v in vectors:
        images.append(matrices.apply(v)[0][0].copy())
    U = np.linalg.solve(vectors[:n], np.array(images[:n])).T
    assert matrices.size == n
    np.testing.assert_allclose(vectors @ U.T, images, atol=tol * np.abs(images).max())


@pytest.mark.parametrize(("dtype", "tol"), [(np.float64, 1e-7), (np.float32, 3e-2)])
def test_decays_are_those_of_the_matrix_itself(dtype, tol):
    """v -> v / 2 + .465 U v: directions are born below rounding, grow, and rule in the end. Against the matrix that U is."""
    n, steps = 150, 1600
    U = ImplicitMatrices(n, [0.93], steps + n, np.random.default_rng(8), dtype)
    start = np.random.default_rng(9).standard_normal(n)
    path = [start]
    for _ in range(steps):
        path.append(0.5 * path[-1] + 0.5 * U.apply(path[-1])[0][0])
    matrix, v = dense_columns(U, n), start
    for t in range(1, steps + 1):
        v = 0.5 * v + 0.5 * (matrix @ v)
        # the basis is orthonormal to 1e-8 (1e-4): times the condition of modes that are not orthogonal, some tens
        assert np.linalg.norm(path[t] - v) < tol * np.linalg.norm(v), t
    assert np.linalg.norm(v) < 1e-12 * np.linalg.norm(start)  # the decay is real: no rounding of the first steps is left


@pytest.mark.parametrize("size", [1e-300, 1e-200, 1e200, 1e300])
def test_tiny_and_huge_vectors_go_through_the_same_map(size):
    """Squares of these underflow or overflow."""
    U = ImplicitMatrices(30, [1.0], 3, np.random.default_rng(0))
    v = np.random.default_rng(1).standard_normal(30)
    images = U.apply(v)[0][0].copy()
    np.testing.assert_allclose(U.apply(size * v)[0][0] / size, images, rtol=1e-12, atol=1e-14)
    assert U.size == 1
