"""Splitting weights: known directions in known random matrices are found, of iid entries, orthogonal matrices and stacks."""

import numpy as np
import pytest

import gating_theory as gt
from gating_theory.networks.singular_bulk import bulk_of


def vanilla(U):
    return gt.Network(gt.Vanilla, U[None], np.zeros((1, len(U))))


def iid(n, rng):
    return rng.standard_normal((n, n)) / np.sqrt(n)


def haar(n, rng):
    q, r = np.linalg.qr(rng.standard_normal((n, n)))
    return q * np.sign(np.diag(r))


def directions(n, strengths, rng):
    """(U, u, v): sum of strengths[r] u[r] v[r]^T of orthonormal random vectors."""
    u, v = (np.linalg.qr(rng.standard_normal((n, len(strengths))))[0].T for _ in range(2))
    return (u.T * strengths) @ v, u, v


def test_iid_matrices_are_all_bulk():
    """Of 100 iid matrices of 96 units the gain is 1 to a percent, and at most three have a direction that is not there."""
    rng = np.random.default_rng(0)
    values = [np.linalg.svd(iid(96, rng), compute_uv=False) for _ in range(100)]
    bulks = [bulk_of(y, 0.0) for y in values]
    gains = np.array([bulk.gain for bulk in bulks])
    # the sheet's median rule: .995 +- .019, .03 false ones a matrix; the mean over the lower three quarters scatters half as much
    assert gains.mean() == pytest.approx(0.9975, abs=0.004) and 0.006 < gains.std() < 0.013
    assert sum(bulk.n_spikes for bulk in bulks) <= 3
    # Kolmogorov-Smirnov distances of singular values, which repel: of order 1/N
    assert max(bulk.distance(y) for bulk, y in zip(bulks, values)) < 4.5 / 96
    split = gt.split_weights(gt.Network.sample(gt.Ensemble(gt.GRU), 60, rng=0))
    assert split.status.code == "random" and split.status.ok and not split.learned.any()


@pytest.mark.parametrize("n, least", [(96, 1.55), (200, 1.75)])
def test_planted_directions_are_found(n, least):
    """Directions of strength 3 and 1.5 in iid matrices: both are found, with their strengths and visibilities."""
    rng = np.random.default_rng(1)
    gains, number, strengths, seen = [], [], [], []
    for _ in range(20 if n < 200 else 4):
        L, u, v = directions(n, [3.0, 1.5], rng)
        each = gt.split_weights(vanilla(iid(n, rng) + L)).fields["h"]
        gains.append(each.gain)
        number.append(each.n_learned)
        strengths.append(each.strengths[0])
        seen.append([(each.left[0] @ u[0]) ** 2, (each.right[0] @ v[0]) ** 2, each.visibility[0]])
    # 1.5 lies close to the edge at 1: it hides in the fluctuations of a quarter of the matrices of 96 units, a few of those of 200
    assert least <= np.mean(number) <= 2.1
    # gain: +- .010 a matrix, sqrt(1 - R / N) too small; strength: entries of size N^{-1/2} along u v^T, and 1/N
    assert np.mean(gains) == pytest.approx(np.sqrt(1 - np.mean(number) / n), abs=0.01)
    assert np.mean(strengths) == pytest.approx(3.0, abs=5 / np.sqrt(n * len(gains)))
    # 1 - 1/9, to the fluctuations of a squared cosine
    assert np.mean(seen, axis=0) == pytest.approx(1 - 1 / 9, abs=0.03)


@pytest.mark.parametrize("strength, expected", [(2.0, (1.264, 1.238, 1.160, 0.696)), (1.5, (0.926, 0.958, 0.762, 0.289))])
def test_bilinear_forms_are_those_of_the_sheet(strength, expected):
    """tr W L of a learned direction, from the matrix alone: debiased it is the true one, raw and least error are too small."""
    rng = np.random.default_rng(2)
    n, rows = 150, []
    while len(rows) < 20:
        W = rng.uniform(0.2, 1.0, n)  # sites that weigh units, and directions that are alike on both sides
        u = rng.standard_normal(n)
        v = 0.8 * u + 0.6 * rng.standard_normal(n)
        u, v = u / np.linalg.norm(u), v / np.linalg.norm(v)
        split = gt.split_weights(vanilla(iid(n, rng) + strength * np.outer(u, v)))
        if split.fields["h"].n_learned == 1:
            estimates = split.for_outliers, split.learned, split.least_error
            rows.append([strength * v @ (W * u), *(np.sum(W * np.diagonal(L[0])) for L in estimates)])
    true, debiased, raw, least = np.mean(rows, axis=0)
    # ratios to the true one that the formulas give: y c^2 / sigma and c^4, and those of the sheet (another W, samples of its own)
    c2 = 1 - 1 / strength**2
    assert debiased / true == pytest.approx(1.0, abs=0.08)
    assert raw / true == pytest.approx((1 + 1 / strength**2) * c2, abs=0.08)
    assert least / true == pytest.approx(c2**2, abs=0.08)
    sheet = np.array(expected[1:]) / expected[0]
    assert np.array([debiased, raw, least]) / true == pytest.approx(sheet, abs=0.12)


@pytest.mark.parametrize("fields", [1, 3, 4])
def test_orthogonal_matrices_and_stacks(fields):
    """Directions in orthogonal matrices and in stacks, under some noise: law, gain, strengths, and cosines by their formulas."""
    rng = np.random.default_rng(3)
    n, K = 120, fields
    cell = {1: gt.Vanilla, 3: gt.GRU, 4: gt.LSTM}[K]
    blocks = haar(n, rng)[None] if K == 1 else np.linalg.qr(rng.standard_normal((K * n, n)))[0].reshape(K, n, n)
    a = K**-0.5
    planted = [directions(n, [3 * a, 1.8 * a], rng) for _ in range(K)]
    U = blocks + np.array([L for L, _, _ in planted]) + 0.03 * a * np.array([iid(n, rng) for _ in range(K)])
    split = gt.split_weights(gt.Network(cell, U, np.zeros((K, n))))
    for (_, u, v), each in zip(planted, split.fields.values()):
        assert each.law == ("orthogonal" if K == 1 else "stack") and each.n_learned == 2
        assert each.gain == pytest.approx(a, rel=0.015)  # noise adds .03^2 / 2, order statistics 1/N
        # the random part has a N^{-1/2} along u v^T, and strengths near the edge are steep: three standard deviations
        assert each.strengths == pytest.approx(a * np.array([3, 1.8]), abs=4.4 * a / np.sqrt(n))
        for r in range(2):
            assert (each.left[r] @ u[r]) ** 2 == pytest.approx(each.visibility[r], abs=0.1)
            assert (each.right[r] @ v[r]) ** 2 == pytest.approx(each.visibility[r], abs=0.1)
    # without them nothing stands out
    rest = gt.split_weights(gt.Network(cell, blocks, np.zeros((K, n))))
    assert {each.law for each in rest.fields.values()} == {"orthogonal" if K == 1 else "stack"}
    assert all(each.n_learned == 0 for each in rest.fields.values()) and rest.status.code == "random"
    assert rest.ensemble.matrices["h" if K != 4 else "g"] == (gt.Haar() if K == 1 else gt.HaarStack())


def test_orthogonal_matrices_hide_no_direction():
    """A direction of a fifth of the gain of an orthogonal matrix stands out; the random part is left along it."""
    rng = np.random.default_rng(4)
    n = 100
    L, u, v = directions(n, [0.2], rng)
    split = gt.split_weights(vanilla(haar(n, rng) + L))
    each = split.fields["h"]
    # the matrix adds 1/sqrt(N) along u v^T, which the strength squared of the other half takes out
    assert each.n_learned == 1 and each.strengths[0] == pytest.approx(0.2, abs=0.05)
    left = np.linalg.svd(split.random[0], compute_uv=False)
    assert np.all(np.abs(left - 1) < 0.12)  # half of it stays, hidden in the rotation of a plane
    hidden = gt.split_weights(vanilla(iid(n, rng) + L))
    assert hidden.fields["h"].n_learned == 0


def test_with_the_weights_before_training():
    rng = np.random.default_rng(5)
    n = 60
    start = gt.Network.sample(gt.Ensemble(gt.GRU, gain={"z": 0.6, "r": 1, "h": 2}), n, rng=6)
    L, u, _ = directions(n, [0.9, 0.3, 0.01], rng)
    net = gt.Network(gt.GRU, start.matrices + np.array([0 * L, L, 0 * L]), rng.standard_normal((3, n)))
    split = gt.split_weights(net, start)
    assert split.status.code == "initial" and np.array_equal(split.random, start.matrices)
    assert np.array_equal(split.learned, net.matrices - start.matrices)
    assert [each.n_learned for each in split.fields.values()] == [0, 2, 0]  # .81 and .09 of .9001, the rest is below 5 %
    each = split.fields["r"]
    assert each.from_initial and each.strengths == pytest.approx([0.9, 0.3]) and np.array_equal(each.visibility, [1, 1])
    assert np.abs(np.sum(each.left * u[:2], axis=1)) == pytest.approx([1, 1])
    assert [split.ensemble.gain[k] for k in "zrh"] == pytest.approx([0.6, 1, 2], rel=0.05)  # 1/N, as in the null
    assert split.without() == gt.Network(gt.GRU, start.matrices, net.biases)
    assert gt.split_weights(net, start.matrices) == split
    kept = split.without(["z"])
    assert np.array_equal(kept.matrices[1], net.matrices[1]) and np.array_equal(kept.biases, net.biases)
    assert split.ensemble.bias == net.ensemble.bias and split.ensemble.bias_std == net.ensemble.bias_std
    # too weak to be seen in a matrix of gain 1
    assert gt.split_weights(net).fields["r"].n_learned == 0


def test_parts_add_up_and_are_kept(tmp_path):
    rng = np.random.default_rng(7)
    n = 80
    L = directions(n, [4.0, 2.0], rng)[0]
    U = np.array([iid(n, rng), iid(n, rng) + L, np.zeros((n, n))])
    split = gt.split_weights(gt.Network(gt.GRU, U, np.zeros((3, n))))
    assert np.abs(split.random + split.learned - U).max() <= 4e-16  # one rounding of entries below 2
    assert set(split.fields) == {"z", "r"} and not split.learned[[0, 2]].any() and split.ensemble.gain["h"] == 0.0
    each = split.fields["r"]
    y, a = each.singular_values, each.gain
    # the forms of section 5
    sigma = (y + np.sqrt(y**2 - 4 * a**2)) / 2
    assert each.strengths == pytest.approx(sigma) and each.visibility == pytest.approx(1 - a**2 / sigma**2)
    assert each.strengths * each.visibility == pytest.approx(np.sqrt(y**2 - 4 * a**2))
    assert split.least_error[1] == pytest.approx(each.matrix(np.sqrt(y**2 - 4 * a**2)))
    path = tmp_path / "split.nc"
    gt.save(split, path)
    assert gt.load(path) == split
    text = str(split)
    assert "2 learned directions of strength" in text and text.startswith("GRU, 80 units") and len(text.splitlines()) == 4
    assert "r 2" in repr(split) and split.as_dict()["status"] == str(split.status)


def test_what_cannot_be_told_is_said():
    rng = np.random.default_rng(8)
    n = 60
    U = iid(n, rng)
    alike = gt.split_weights(gt.Network(gt.GRU, np.array([U, U, iid(n, rng)]), np.zeros((3, n))))
    assert alike.status.code == "hidden" and not alike.status.ok and "initial=" in str(alike)
    # strengths that fall off without a gap, as those of long training do
    left, y, right = np.linalg.svd(iid(80, rng))
    for stretched in (y**2, y + y**4):  # the law is wrong; half of all stand out
        blurred = gt.split_weights(vanilla((left * stretched) @ right))
        assert blurred.status.code == "blurred" and not blurred.status.ok and "convention" in str(blurred)
    sparse = gt.Network.sample(gt.Ensemble(gt.Vanilla, matrices=gt.Sparse(10)), n, rng=0)
    split = gt.split_weights(sparse)
    assert (
        split.status.code == "unsplit"
        and split.fields["h"].n_learned == 0
        and split.ensemble == sparse.ensemble.replace({"gain": split.fields["h"].gain})
    )
    silent = gt.split_weights(vanilla(np.zeros((n, n))))
    assert not silent.fields and silent.status.code == "random" and not silent.learned.any()


def test_what_is_refused():
    net = gt.Network.sample(gt.Ensemble(gt.GRU), 10, rng=0)
    with pytest.raises(TypeError, match="net must be a Network"):
        gt.split_weights(net.matrices)
    with pytest.raises(ValueError, match="a batch of 2"):
        gt.split_weights(gt.Network.sample(gt.Ensemble(gt.GRU), 10, rng=0, batch=2))
    with pytest.raises(ValueError, match="two units"):
        gt.split_weights(vanilla(np.ones((1, 1))))
    with pytest.raises(ValueError, match="initial must be of the cell 'GRU'"):
        gt.split_weights(net, vanilla(np.eye(10)))
    with pytest.raises(ValueError, match=r"initial must have matrices of shape \(3, 10, 10\)"):
        gt.split_weights(net, np.zeros((3, 9, 9)))
    with pytest.raises(ValueError, match="fields must be"):
        gt.split_weights(net).without(["h", "x"])
    with pytest.raises(ValueError, match=r"weights must have shape \(0,\)"):
        gt.split_weights(net).fields["h"].matrix([1.0])
