"""Implicit orthogonal matrices and stacks: lengths and products kept exactly, and the law of formed ones [T10]."""

import tracemalloc

import numpy as np
import pytest

import gating_theory as gt
from gating_theory.ensemble.implicit_isometries import ImplicitIsometries
from gating_theory.ensemble.message_matrices import implicit_bytes, require_implicit, through_matrices

PRECISIONS = [(np.float64, 1e-12), (np.float32, 1e-5)]


@pytest.mark.parametrize(("dtype", "tol"), PRECISIONS)
@pytest.mark.parametrize("n", [1, 7, 40_000])
def test_images_have_the_products_of_their_messages(n, dtype, tol):
    """Of each Haar matrix by itself; of a stack, of all blocks together, whichever message each of them hears."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((6, n))
    vectors[3] = vectors[0] + 0.1 * vectors[1]  # nothing new
    vectors[4] = vectors[2] + 1e-3 * vectors[4]  # little new
    wanted = vectors @ vectors.T / n
    scale = wanted.diagonal().max()
    haar = ImplicitIsometries(n, [1.5, 0.0, 0.5], 6, rng, dtype)
    images = np.array([haar.apply(v)[0] for v in vectors])
    for k, a in enumerate((1.5, 0.0, 0.5)):
        np.testing.assert_allclose(images[:, k] @ images[:, k].T / n, a**2 * wanted, rtol=0, atol=tol * scale)
    stack = ImplicitIsometries(n, [1.0, 1.0, 1.0], 6, rng, dtype, together=True)
    images = np.array([stack.apply(v)[0].ravel() for v in vectors])
    np.testing.assert_allclose(images @ images.T / (3 * n), wanted, rtol=0, atol=tol * scale)
    assert stack.size == haar.size == min(n, 5)


@pytest.mark.parametrize(("dtype", "tol"), PRECISIONS)
def test_all_directions_make_an_orthogonal_matrix(dtype, tol):
    """After as many directions as units the matrix is known: orthogonal, the same map for every vector that follows."""
    n, rng = 30, np.random.default_rng(1)
    U = ImplicitIsometries(n, [2.0], n + 5, rng, dtype)
    v = rng.standard_normal(n)
    before = U.apply(v)[0][0]
    matrix = np.array([U.apply(e)[0][0] for e in np.eye(n)]).T
    assert U.size == n
    np.testing.assert_allclose(matrix @ matrix.T, 4.0 * np.eye(n), rtol=0, atol=100 * tol)  # the vectors' condition, some tens
    np.testing.assert_allclose(matrix @ v, before, rtol=0, atol=100 * tol)


@pytest.mark.parametrize("together", [False, True])
def test_images_are_those_of_formed_matrices_in_law(together):
    """All columns of small matrices: mean products of two and of four entries against matrices of the law's own drawing."""
    n, count, gains = 3, 4000, np.array([1.0, 1.0])
    law = gt.HaarStack() if together else gt.Haar()
    rng = np.random.default_rng(2)
    columns = np.eye(n)[:2] + 0.5  # two vectors that are not orthogonal

    def entries(act):
        return np.array([act(c) for c in columns]).ravel()  # both columns, blocks, units

    formed, acting = [], []
    for _ in range(count):
        V = law.matrices(n, rng, 2) / np.sqrt(n)
        formed.append(entries(V.__matmul__))
        U = ImplicitIsometries(n, gains, 2, rng, together=together)
        acting.append(entries(lambda c, U=U: U.apply(c)[0]))
    for power in (1, 2):
        pairs = [np.einsum("ci,cj->cij", x**power, x**power).reshape(count, -1) for x in (np.array(formed), np.array(acting))]
        error = np.sqrt(sum(p.var(axis=0) for p in pairs) / count)
        # 144 pairs, most of them twice: five standard errors each; products that never vary are equal to rounding
        assert (np.abs(pairs[0].mean(axis=0) - pairs[1].mean(axis=0)) < 5 * error + 1e-12).all()


def test_a_stack_over_two_messages_shares_its_directions():
    """The GRU: fields z and r hear h, the candidate hears r h. Products of whole images are those of the messages, across both."""
    n, rng = 5000, np.random.default_rng(3)
    ensemble = gt.Ensemble(gt.GRU, gain={"z": 0.0, "r": 1.0, "h": 2.0}, matrices="stack")
    acting = through_matrices(ensemble, n, 3, rng, np.float64)
    assert [fields for _, fields in acting] == [[0, 1], [2]]
    h, rh = rng.standard_normal((2, n))
    own = [m.apply(v)[0] for (m, _), v in zip(acting, (h, rh))]
    crossed = [m.apply(v)[0] for (m, _), v in zip(acting, (rh, h))]
    assert acting[0].matrices.size == acting[1].matrices.size == 2
    assert not own[0][0].any() and own[1].shape == (1, n)
    # two of three blocks are seen: of the isometry's unit vectors they hold two thirds, and products to N^{-1/2}
    seen = np.concatenate([own[0][1], crossed[1][0] / 2.0]), np.concatenate([crossed[0][1], own[1][0] / 2.0])
    products = np.array([[a @ b for b in seen] for a in seen]) / n
    messages = np.array([[a @ b for b in (h, rh)] for a in (h, rh)]) / n
    np.testing.assert_allclose(products, 2.0 * messages, rtol=0, atol=5 * 2 / np.sqrt(n))
    # a third block of gain 1 completes them, exactly
    ensemble = gt.Ensemble(gt.GRU, gain=1.0, matrices="stack")
    acting = through_matrices(ensemble, n, 3, rng, np.float64)
    images = [np.concatenate([m.apply(v)[0].ravel() for m, _ in acting]) for v in (h, rh, h)]
    products = np.array([[a @ b for b in images] for a in images]) / n
    table = np.array([[a @ b for b in (h, rh, h)] for a in (h, rh, h)]) / n
    np.testing.assert_allclose(products, 3.0 * table, rtol=0, atol=1e-12)


def test_laws_go_together_where_each_message_has_one():
    mixed = gt.Ensemble(gt.GRU, gain=1.0, matrices={"h": "orthogonal"})
    require_implicit(mixed, "a test", "nothing")
    with pytest.raises(gt.CapabilityError, match="a test needs one law for all fields that listen to one message: use nothing"):
        require_implicit(gt.Ensemble(gt.GRU, gain=1.0, matrices={"r": "orthogonal"}), "a test", "nothing")
    silent = gt.Ensemble(gt.GRU, gain={"z": 0.0, "r": 1.0, "h": 1.0}, matrices={"r": "orthogonal"})
    run = gt.simulate(silent, 500, 4, rng=0)
    assert not run.recorded_fields[:, 0].any()  # no matrix, no bias


@pytest.mark.parametrize("law", ["orthogonal", "stack"])
@pytest.mark.parametrize("cell", [gt.Vanilla, gt.GRU, gt.LSTM], ids=lambda c: c.name)
def test_moments_of_simulated_networks_are_those_of_theory(cell, law):
    """Fixed points that attract: the mean field of iid matrices, and of orthogonal ones alike [T5, T10]."""
    gain = {"Vanilla": 0.9, "GRU": {"z": 1, "r": 1, "h": 0.8}, "LSTM": {"f": 1, "i": 1, "g": 0.8, "o": 1}}[cell.name]
    ensemble = gt.Ensemble(cell, gain, bias_std=0.5, matrices=law)
    point = gt.fixed_points(ensemble)[-1]
    run = gt.simulate(ensemble, 2000, 40, rng=0)
    assert run.change[-1] < 1e-8
    for name, q in zip(cell.message_names, run.moments[-1]):
        # means of squares over 2000 units: relative error below sqrt(3 / N), twice that for the response of the moments
        assert q == pytest.approx(point.moments[name], rel=5 * 2 * np.sqrt(3 / 2000)), name


@pytest.mark.parametrize("law", ["orthogonal", "stack"])
def test_simulated_networks_keep_lengths_at_every_step(law):
    """A vanilla network without bias: E y^2 = a^2 E m^2 at every time, exactly; iid matrices miss it by N^{-1/2}."""
    ensemble = gt.Ensemble(gt.Vanilla, gain=2.0, matrices=law)
    run = gt.simulate(ensemble, 600, 12, rng=1, tangent=True, record=600)
    squares = np.square(run.recorded_fields[:, 0]).mean(axis=1)
    np.testing.assert_allclose(squares, 4.0 * run.moments[:, 0], rtol=1e-12)


def test_bits_do_not_depend_on_threads(monkeypatch):
    ensemble = gt.Ensemble(gt.GRU, gain=2.0, matrices="stack")
    states = []
    for threads in ("1", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        states.append(gt.simulate(ensemble, 40_000, 4, rng=0, tangent=True).state)
    assert np.array_equal(*states)


@pytest.mark.parametrize("law", ["orthogonal", "stack"])
def test_memory_foretold_is_that_of_the_arrays(law):
    ensemble = gt.Ensemble(gt.GRU, gain={"z": 0, "r": 1, "h": 1}, matrices=law)
    foretold = implicit_bytes(ensemble, 10_000, 5, np.float64)
    tracemalloc.start()
    try:
        acting = through_matrices(ensemble, 10_000, 5, np.random.default_rng(0), np.float64)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # a vector of N for what is nearly known is allocated when it is needed first: one of eleven here
    assert len(acting) == 2 and 0.88 * foretold < taken < 1.01 * foretold
