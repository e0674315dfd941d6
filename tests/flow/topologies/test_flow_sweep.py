"""Fixed points of many small networks at once: against single searches, and the index theorem."""

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import gating_theory as gt
from gating_theory.flow import Flow, GRUFlow, count_fixed_points

_ENTRIES = st.floats(-30, 30, width=32) | st.integers(-8, 8).map(lambda n: n / 2) | st.just(0.0)


def random_networks(count, scale, rng):
    matrices = rng.standard_normal((count, 3, 2, 2)) * scale * np.array([1.0, 0.5, 1.0])[:, None, None]
    return matrices, rng.standard_normal((count, 3, 2)) * scale / 4


def test_sweep_agrees_with_single_searches():
    matrices, bias = random_networks(150, 12.0, np.random.default_rng(3))
    told = []
    counts = count_fixed_points(gt.GRU, matrices, bias, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (150, 150) and len(counts) == 150
    for i in range(150):
        found = Flow(gt.GRU, matrices[i], bias[i]).fixed_points()
        assert (counts.sinks[i], counts.sources[i], counts.saddles[i]) == found.topology
        assert counts.count[i] == len(found) and counts.index_sum[i] == found.index_sum and counts.n_boxes[i] == found.n_boxes
    assert sum(counts.topologies().values()) == counts.typed.sum()
    assert "150 networks" in str(counts) and counts.ok == bool(counts.complete.all()) == (counts.status.code == "complete")


def test_index_theorem_on_many_networks():
    # sum of indices 1, so that saddles = sinks + sources - 1, in every network that is decided; few are not
    rng = np.random.default_rng(5)
    for scale in (3.0, 10.0, 30.0):
        counts = count_fixed_points(gt.GRU, *random_networks(5000, scale, rng))
        assert counts.complete.mean() > 0.999
        assert (counts.index_sum[(counts.undecided == 0)] == 1).all()
        t = counts.typed
        assert (counts.saddles[t] == counts.sinks[t] + counts.sources[t] - 1).all()


def test_large_parameters():
    # |U| of a hundred: zeros on and near the faces of the box, boxes that need an inflation of 1e-10
    rng = np.random.default_rng(11)
    counts = count_fixed_points(gt.GRU, *random_networks(3000, 100.0, rng))
    assert counts.complete.mean() > 0.995 and (counts.count[counts.complete] % 2 == 1).all()


# --- one unit


def sigma(x):
    return 0.5 * (1.0 + np.tanh(0.5 * x))


def count_by_scanning(u, a, c, b):
    """Fixed points of one unit, tanh(u h sigma(a h + c) + b) = h, by sign changes in atanh h; near-tangencies minimised."""
    from scipy.optimize import minimize_scalar

    reach = abs(u) + abs(b) + 1.0  # |x| <= |u| + |b|
    # dense near 0 and wherever the gate moves, in h and in x
    x = np.unique(np.concatenate([np.linspace(-reach, reach, 4001), np.arctanh(np.linspace(-1, 1, 4003)[1:-1])]))

    def f(x):
        h = np.tanh(x)
        return u * h * sigma(a * h + c) + b - x

    # a point that is itself a root is left out: a second root may lie between it and its neighbour, where only a dip shows it
    x = x[f(x) != 0.0]
    y = f(x)
    count = int((np.sign(y[1:]) != np.sign(y[:-1])).sum())
    inner, left, right = y[1:-1], y[:-2], y[2:]
    dips = (inner * left > 0) & (inner * right > 0) & (np.abs(inner) < np.abs(left)) & (np.abs(inner) < np.abs(right))
    for i in np.flatnonzero(dips) + 1:
        side = 1.0 if y[i] > 0 else -1.0
        least = minimize_scalar(
            lambda v, side=side: side * f(v), bounds=(x[i - 1], x[i + 1]), method="bounded", options={"xatol": 1e-12}
        )
        if abs(least.fun) < 1e-10:
            return None  # a fold to rounding: no count to compare with
        count += 2 if least.fun < 0 else 0
    return count


@settings(max_examples=50)
@given(arrays(float, (20, 6), elements=_ENTRIES, fill=st.nothing()))
@example(np.array([[0.0, 9.0, 21.0, 0.0, -3.0, 0.0]] * 20))  # slope .996 at h = 0: another root 5e-4 away
def test_one_unit_against_scanning(parameters):
    """1000 networks: counts agree, wherever the search is decided; never more than three."""
    counts = count_fixed_points(gt.GRU, parameters[:, :3].reshape(20, 3, 1, 1), parameters[:, 3:].reshape(20, 3, 1))
    for row, count, complete in zip(parameters, counts.count, counts.complete):
        _, a, u, _, c, b = row
        expected = count_by_scanning(u, a, c, b)
        if complete:
            assert count in (1, 3)
            assert expected is None or count == expected, row
        found = GRUFlow(U_z=row[0], U_r=a, U_h=u, b_z=row[3], b_r=c, b_h=b).fixed_points()
        assert len(found) == count and found.complete == complete


def test_one_unit_has_at_most_three():
    # the theorem, on 1e5 networks of all scales; half of the parity check catches a lost point
    rng = np.random.default_rng(0)
    scale = np.exp(rng.uniform(np.log(0.3), np.log(100.0), (100_000, 1)))
    flat = rng.standard_normal((100_000, 6)) * scale
    counts = count_fixed_points(gt.GRU, flat[:, :3].reshape(-1, 3, 1, 1), flat[:, 3:].reshape(-1, 3, 1))
    assert counts.complete.all() and set(np.unique(counts.count)) == {1, 3}
