"""All fixed points of small flows, with proof: known cases, certificates, brute force, degenerate cases."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import gating_theory as gt
from gating_theory.flow import Flow, GRUFlow, Topology
from gating_theory.flow.proof.branch_and_prune import branch_and_prune
from gating_theory.flow.proof.enclosure import map_enclosure
from gating_theory.flow.proof.stability import classify

# (sinks, sources, saddles) with U_z, U_r, U_h row by row, b_z, b_r, b_h: found by an independent search and certified by
# independent code (Python intervals with arb endpoints)
KNOWN = {
    (0, 1, 0): ([], [0, -3, 0, -3], [0, 4, -6, 8], [], [], []),
    (1, 0, 0): ([], [], [], [], [], []),
    (0, 2, 1): ([6, 0, 0, 0], [-9, 6, -18, 6], [0, 14, -1, 2], [0, -4], [1, 14], []),
    (1, 1, 1): ([], [0, -2, 0, 0], [9, 2, -5, 4], [], [], []),
    (2, 0, 1): ([], [0, 0, 5, 0], [8, 0, 0, 0], [], [4, 0], []),
    (2, 1, 2): ([], [12, 0, 0, 0], [33, 15, 14, 11], [], [], []),
    (3, 0, 2): ([], [0, 0, 0, -21], [5, 2, -5, 0], [3, 0], [9, 0], []),
    (0, 4, 3): ([0, 0, 0, 8.8], [-12, -54.8, 32, -36.1], [3.5, 2, -2.9, 1], [], [14, -0.8], [0, 0.2]),
    (2, 2, 3): ([0, 0, -1, 0], [-5, 12, -5, -8], [5, 0, 1, 3], [2, -4], [0, 1], []),
    (3, 1, 3): ([], [-28, 0, 0, 0], [3, 0, -4, 8], [], [], []),
    (0, 5, 4): ([0, -6.9, 0, 2.7], [-16.6, -23.49, 34.8, -37.83], [3.89, 2.45, -4.32, 1.14], [], [7.32, 0], [-0.04, 0.39]),
    (1, 4, 4): ([0, 0, 0, 6.1], [-12.7, -51.6, 32.2, -36.2], [4.1, 2, -3.2, 1], [0, 0.7], [12.4, -0.8], [0, 0.2]),
    (3, 2, 4): ([0, 10.7, 0, 0], [-5.6, 12.3, -4.3, -7.6], [4.9, -24.8, 0.8, 3.6], [], [], [0, 0.1]),
    (4, 1, 4): ([], [-21, 0, 0, 0], [2, 0, 0, 6], [], [1, 0], []),
    (1, 5, 5): ([0, 0, 0, 0.3], [-13.3, -21.2, 31.1, -36.9], [4.7, 2.4, -5.6, 0.9], [-5.3, 3.3], [8, 0.6], [0, 0.4]),
    (3, 3, 5): ([], [-20.1, -22.2, 84.8, -28.9], [4.3, 1, -15.1, 1], [0, 3], [10.4, 0], [0, 0.5]),
    (4, 2, 5): ([], [-12, -18, 39, -34], [5, 2, -13, 0], [], [9, 0], [0, 1]),
    (5, 1, 5): ([0, 0, -3, 0], [19, 23, 46, 44], [51, -4, 0, 29], [], [0, 9], []),
    (4, 3, 6): ([0, 3.3, 0, -2.1], [-8.3, 9.8, -32, 24.4], [16.2, 0.8, -6.2, 5.4], [0, 1.6], [-0.4, 14], [0.1, 0]),
    (5, 2, 6): ([], [-8.3, 9.8, -32, 24.4], [16.2, 0.8, -6.2, 5.4], [], [-0.4, 14], [0.1, 0]),
    (7, 0, 6): ([], [55, -66, -7, 2], [23, -20, -24, 68], [], [11, -2], [1, 25]),
}


def gru(U_z=(), U_r=(), U_h=(), b_z=(), b_r=(), b_h=()):
    values = {"U_z": U_z, "U_r": U_r, "U_h": U_h, "b_z": b_z, "b_r": b_r, "b_h": b_h}
    given_ones = {k: np.reshape(v, (2, 2) if k[0] == "U" else 2) for k, v in values.items() if len(v)}
    return GRUFlow(**{"U_h": np.zeros((2, 2)), **given_ones})


def rotation(scale, angle=None):
    """scale * Rot(angle), or [[scale, -scale], [scale, scale]]."""
    if angle is None:
        return [[scale, -scale], [scale, scale]]
    return scale * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


# --- certified: known cases


@pytest.mark.parametrize("triple", sorted(KNOWN))
def test_known_topologies_are_certified(triple):
    found = gru(*KNOWN[triple]).fixed_points("certified")
    assert found.complete and found.topology == triple, found
    assert found.backend == "arb" and len(found.undecided) == 0
    fast = gru(*KNOWN[triple]).fixed_points("validated")
    assert fast.complete and fast.topology == triple
    # the two grades enclose the same points
    for a, b in zip(found, fast):
        assert (a.lower <= b.upper).all() and (b.lower <= a.upper).all()


@pytest.mark.parametrize(
    "parameters, states",
    [
        ({"U_h": 1.0}, [0.0]),
        ({"U_h": 1.99}, [0.0]),
        ({"U_h": 2.01}, [-0.121926, 0.0, 0.121926]),
        ({"U_h": 3.0}, [-0.85856, 0.0, 0.85856]),
        ({"U_h": 4.0, "b_h": 0.5329}, [0.98678]),
        ({"U_h": 1.2, "U_r": 3.0}, [0.0]),
        ({"U_h": 1.9, "U_r": 3.0}, [0.0, 0.035415, 0.931181]),
        ({"U_h": 2.1, "U_r": 3.0}, [-0.031559, 0.0, 0.956261]),
    ],
)
def test_one_unit(parameters, states):
    # independent certificates; six digits are given
    found = GRUFlow(**parameters).fixed_points("certified")
    assert found.complete
    np.testing.assert_allclose(found.states[:, 0], states, atol=6e-6)
    kinds = ["sink"] if len(states) == 1 else ["sink", "source", "sink"]
    assert [p.kind for p in found] == kinds


def test_saddle_node_of_one_unit():
    # exactly at b_h = sqrt 2 - asinh 1 for U_h = 4: the pair near h = -1/sqrt 2 is there below and not above
    b = math.sqrt(2.0) - math.asinh(1.0)
    assert len(GRUFlow(U_h=4.0, b_h=b - 1e-9).fixed_points("certified")) == 3
    assert len(GRUFlow(U_h=4.0, b_h=b + 1e-9).fixed_points("certified")) == 1
    at = GRUFlow(U_h=4.0, b_h=b).fixed_points("certified")
    assert len(at) == 1 and not at.complete and len(at.undecided) == 1
    low, high = at.undecided[0, 0]
    assert low < -math.sqrt(0.5) < high and high - low < 1e-6
    assert "undecided" in at.status.text and "undecided" in str(at)


def test_bistable_families():
    b2_homoclinic = GRUFlow(U_h=[[4.5, -2], [10, 0]], b_h=[0.4, 1.2]).fixed_points("certified")
    assert b2_homoclinic.topology == (1, 1, 1)
    np.testing.assert_allclose(b2_homoclinic.states, [[-0.2122, 0.1380], [0.526, 0.999], [0.882, 1.000]], atol=6e-4)
    assert [p.kind for p in b2_homoclinic] == ["source", "saddle", "sink"]
    assert GRUFlow(U_h=rotation(3)).fixed_points("certified").topology == (0, 1, 0)
    assert GRUFlow(U_h=rotation(3)).fixed_points("certified")[0].label == "source (focus)"
    assert GRUFlow(U_h=[[6, -2.6], [2.6, 6]]).fixed_points("certified").topology == (4, 1, 4)
    assert GRUFlow(U_h=[[6, -2.7], [2.7, 6]]).fixed_points("certified").topology == (0, 1, 0)
    gluing = GRUFlow(U_h=[[6, 2.7], [-22.6, -13.4]], b_z=[0, 1.85])
    assert gluing.fixed_points("certified").topology == (0, 2, 1)


def test_pseudo_line_attractor():
    # the slow curve makes thousands of boxes; still three points, with eigenvalues of 1e-5
    found = GRUFlow(U_h=[[4.549, -1.612], [10.278, -4.5]]).fixed_points("certified")
    assert found.complete and found.topology == (2, 0, 1)
    np.testing.assert_allclose(found.states, [[-0.0665, -0.1050], [0, 0], [0.0665, 0.1050]], atol=6e-5)
    assert found.n_boxes > 1000
    stopped = GRUFlow(U_h=[[4.549, -1.612], [10.278, -4.5]]).fixed_points("certified", max_boxes=500)
    assert not stopped.complete and "stopped" in stopped.status.text and len(stopped.undecided) > 0
    assert not stopped.ok and stopped.status.code == "stopped"
    for p in found:  # what is not searched is reported: every fixed point is known or in an undecided box
        known = any((q.lower <= p.upper).all() and (p.lower <= q.upper).all() for q in stopped)
        assert known or any(((b[:, 0] <= p.upper) & (p.lower <= b[:, 1])).all() for b in stopped.undecided)


def test_the_fallback_proves_the_same():
    from gating_theory.flow.proof import fixed_points

    flow = gru(*KNOWN[2, 1, 2])
    arb = flow.fixed_points("certified")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fixed_points, "certified_backend", lambda: "iv")
        iv = flow.fixed_points("certified")
    assert iv.backend == "iv" and iv.topology == arb.topology == (2, 1, 2) and iv.complete
    for a, b in zip(arb, iv):
        assert (a.lower <= b.upper).all() and (b.lower <= a.upper).all()


def test_the_state_is_exact_where_the_enclosure_is_wide():
    """Next to a steep reset gate intervals prove a box of 1e-3, whose middle has a residual of 6e-8: Newton goes on inside."""
    U_r = [[22.894304275512695, 19.185028076171875], [0.0, 0.9448878169059753]]
    flow = gru([[0, 0], [0, 0]], U_r, [[3.0, -3.0], [0.0, 1.0]], [10.439486503601074, 0.0], [0.0, 25.051969528198242], [0.0, 0.0])
    found = flow.fixed_points()
    assert found.complete and max(np.ptp([p.lower, p.upper], axis=0).max() for p in found) > 1e-4
    for p in found:
        assert np.abs(flow.residual(p.state)).max() < 1e-11 and (p.lower <= p.state).all() and (p.state <= p.upper).all()


def test_three_units():
    # three independent units: products of the one-dimensional points, 3^3, eigenvalues real
    found = GRUFlow(U_h=np.diag([6.0, 5.0, 4.0])).fixed_points("certified")
    assert found.complete and found.topology == (8, 1, 18)
    assert sorted({p.n_unstable for p in found}) == [0, 1, 2, 3]
    assert all(p.index == (-1) ** p.n_unstable for p in found)
    assert all(p.rotation == "real" for p in found)
    # a rotation in a plane and a decaying axis: a saddle with one complex pair
    U = np.zeros((3, 3))
    U[:2, :2] = rotation(6, math.pi / 4)
    (point,) = (p for p in GRUFlow(U_h=U).fixed_points("certified") if not p.state.any() or np.abs(p.state).max() < 1e-9)
    assert point.n_unstable == 2 and point.rotation == "complex" and point.label == "saddle (focus)"


@pytest.mark.parametrize(
    "name, n", [("Vanilla", 2), ("GRUResetAfter", 2), ("MGU", 2), ("JANET", 2), ("LSTM", 2), ("CoupledLSTM", 1)]
)
def test_other_cells(name, n):
    cell = getattr(gt, name)
    spread = {"parameter_std": 0.5} if cell.parameters else {}
    for seed in range(2):
        net = gt.Network.sample(gt.Ensemble(cell, gain=5, bias_std=0.5, **spread), n, rng=seed)
        flow = Flow.from_network(net)
        found = flow.fixed_points("certified")
        assert found.complete, found
        # Newton from many starts finds some of them, perhaps all, and nothing else
        other = net.find_fixed_points(n_starts=60, rng=1)
        assert len(other.fixed) <= len(found)
        for state, index in zip(other.fixed, other.index):
            (match,) = (p for p in found if np.abs(p.state - state.ravel()).max() < 1e-7)
            assert match.index == index
        for p in found:
            np.testing.assert_allclose(net.step(p.state).ravel(), p.state, atol=1e-12)
            # the flow's own eigenvalues, far enough from the axis to count
            assert (np.abs(p.eigenvalues.real) < 1e-9).any() or (p.eigenvalues.real > 0).sum() == p.n_unstable


# --- against brute force


def sigma(x):
    return 0.5 * (1.0 + np.tanh(0.5 * x))


def newton_roots(flat, starts, steps=40):
    """Zeros of tanh(U_h (r h) + b_h) - h that Newton's method reaches from (n, m, 2) starts in n networks at once, by hand.

    Returns the ends (n, m, 2) and which of them are zeros (n, m).
    """
    U_r, U_h = (flat[:, k : k + 4].reshape(-1, 2, 2, 1) for k in (4, 8))  # the last axis is that of starts
    b_r, b_h = (flat[:, k : k + 2].reshape(-1, 2, 1) for k in (14, 16))
    x = np.moveaxis(starts, -1, 1)

    def values(x):
        r = sigma(U_r[:, :, 0] * x[:, :1] + U_r[:, :, 1] * x[:, 1:] + b_r)
        m = r * x
        return r, np.tanh(U_h[:, :, 0] * m[:, :1] + U_h[:, :, 1] * m[:, 1:] + b_h)

    with np.errstate(all="ignore"):
        for _ in range(steps):
            r, t = values(x)
            slope, own = 1 - t**2, r * (1 - r) * x
            # d(r h)_k/dh_j, then J_ij = (1 - t_i^2) sum_k U_h,ik d(r h)_k/dh_j - 1
            m0, m1 = (own[:, :1] * U_r[:, 0], own[:, 1:] * U_r[:, 1])
            m0, m1 = m0 + np.stack([r[:, 0], 0 * r[:, 0]], 1), m1 + np.stack([0 * r[:, 1], r[:, 1]], 1)
            J0, J1 = (slope[:, i : i + 1] * (U_h[:, i, :1] * m0 + U_h[:, i, 1:] * m1) for i in (0, 1))
            a, b, c, d = J0[:, 0] - 1, J0[:, 1], J1[:, 0], J1[:, 1] - 1
            f, g = t[:, 0] - x[:, 0], t[:, 1] - x[:, 1]
            x = np.clip(x - np.stack([d * f - b * g, a * g - c * f], 1) / (a * d - b * c)[:, None], -1.5, 1.5)
        # far from a double root a residual of 1e-13 means a point to 1e-9 at least; closer ones are in undecided boxes or merged
        good = np.isfinite(x).all(1) & (np.abs(values(x)[1] - x).max(1) < 1e-13)
    return np.moveaxis(x, 1, -1), good


_ENTRIES = st.floats(-30, 30, width=32) | st.integers(-8, 8).map(lambda n: n / 2) | st.just(0.0)


@settings(max_examples=50)
@given(arrays(float, (20, 18), elements=_ENTRIES, fill=st.nothing()), st.integers(0, 2**32 - 1))
def test_two_units_against_newton_from_many_starts(parameters, seed):
    """1000 networks: every zero that Newton reaches is in the list, or in a box reported undecided."""
    rng = np.random.default_rng(seed)
    corners = np.array([[a, b] for a in (-1.0, 0.0, 1.0) for b in (-1.0, 0.0, 1.0)])
    shape = (len(parameters), 1, 1)
    anywhere, outside = rng.uniform(-1, 1, (20, 120, 2)), np.tanh(4 * rng.standard_normal((20, 40, 2)))
    ends, good = newton_roots(parameters, np.concatenate([np.tile(corners, shape), anywhere, outside], axis=1))
    for flat, roots in zip(parameters, (x[zeros] for x, zeros in zip(ends, good))):
        flow = Flow(gt.GRU, flat[:12].reshape(3, 2, 2), flat[12:].reshape(3, 2))
        found = flow.fixed_points()
        boxes = np.array([np.stack([p.lower, p.upper], 1) for p in found] + list(found.undecided))
        # 1e-6: what a residual of 1e-13 allows where the Jacobian is nearly singular
        inside = (boxes[:, :, 0] - 1e-6 <= roots[:, None]) & (roots[:, None] <= boxes[:, :, 1] + 1e-6)
        held = inside.all(axis=2).any(axis=1)
        assert held.all(), (flow, roots[~held], str(found))
        for i, p in enumerate(found):
            assert np.abs(flow.residual(p.state)).max() < 1e-11
            assert not any((p.lower <= q.upper).all() and (q.lower <= p.upper).all() for q in found.points[:i])
        if found.complete:
            assert found.index_sum == 1 and len(found) % 2 == 1
        else:
            assert len(found.undecided), found.status


# --- types, degenerate cases


def test_gates_do_not_move_fixed_points():
    flow = gru(*KNOWN[3, 3, 5])
    reference = flow.fixed_points()
    rng = np.random.default_rng(0)
    for _ in range(20):
        gate = {f"U_z[{i},{j}]": 40 * rng.standard_normal() for i in range(2) for j in range(2)}
        gate |= {f"b_z[{i}]": 20 * rng.standard_normal() for i in range(2)}
        found = flow.with_parameters(gate).fixed_points()
        np.testing.assert_allclose(found.states, reference.states, atol=1e-10)
        assert [p.index for p in found] == [p.index for p in reference]
        for p in found:  # signs of det A and of the trace of diag(1 - z) A, by hand; 1 - z down to 1e-60
            J = flow.with_parameters(gate).jacobian(p.state)
            speed = np.abs(J).max(axis=1)
            A = J / speed[:, None]
            trace = speed[0] / speed.max() * A[0, 0] + speed[1] / speed.max() * A[1, 1]
            kind = "saddle" if np.linalg.det(A) < 0 else "sink" if trace < 0 else "source"
            assert p.kind == kind


def test_degenerate_points_are_reported():
    # det(U_h / 2 - 1) = 0 exactly: a fixed point at 0 that no interval method can prove unique
    for U in ([[2, 0], [0, 2]], [[2, 0], [0, 6]], [[3.5, 1.5], [1.5, 3.5]]):
        found = GRUFlow(U_h=U).fixed_points()
        assert not found.complete and any(((b[:, 0] < 0) & (b[:, 1] > 0)).all() for b in found.undecided), found
        assert np.ptp(found.undecided, axis=2).max() < 1e-5
    # Hopf exactly at k cos(alpha) = 2: unique, but neither sink nor source
    hopf = GRUFlow(U_h=[[2, -2], [2, 2]]).fixed_points("certified")
    assert hopf.complete and len(hopf) == 1 and hopf[0].kind == "undecided" and "undecided kind" in hopf.status.text
    assert hopf.ok and hopf.status.code == "complete"


def test_results_print():
    found = gru(*KNOWN[1, 1, 1]).fixed_points()
    text = str(found)
    assert found.ok and found.status.code == "complete"
    assert "validated (floats): 3 fixed points, complete" in text and "saddle at (" in text and "index -1" in text
    assert found.topology == Topology(1, 1, 1) and found.topology.sources == 1
    assert len(found) == 3 and found[0] in list(found)


@pytest.mark.parametrize("bias", [650.0, 750.0, 1000.0])
def test_gates_that_underflow(bias):
    """1 - z is 1e-282, below the smallest normal number, zero: the fixed points stay what they are, their kinds are not claimed."""
    for grade in ("certified", "validated"):
        found = gt.GRUFlow(U_h=[[3, -3], [3, 3]], b_z=[bias, bias]).fixed_points(grade)
        assert found.complete and len(found) == 1 and found[0].index == 1 and found[0].kind in ("source", "undecided")
    assert found[0].kind == "undecided"


@pytest.mark.parametrize("cell, n_units", [(gt.GRU, 2), (gt.Vanilla, 3), (gt.LSTM, 1), (gt.GRUResetAfter, 2)])
def test_interpreted_and_compiled_searches_give_the_same_numbers(cell, n_units):
    """One text of kernels, read by Python and by numba: which of the two runs may not be seen in any digit."""
    rng = np.random.default_rng(5)
    for scale in (0.5, 2.0, 6.0, 300.0):
        flow = Flow(cell, scale * rng.standard_normal((cell.n_fields, n_units, n_units)))
        once, again = (branch_and_prune(cell, n_units, flow.flat, grade, 1e-9, 400) for grade in ("interpreted", "validated"))
        for a, b in zip(once, again):
            np.testing.assert_array_equal(a, b)
        for root in once[0]:
            once_more, again_more = (classify(cell, n_units, flow.flat, root, grade) for grade in ("interpreted", "validated"))
            assert once_more[:3] == again_more[:3]
            np.testing.assert_array_equal(once_more[3], again_more[3])


def test_a_search_that_is_too_long_to_be_interpreted(monkeypatch):
    """It is done again by compiled code, and nobody sees where the one ended and the other began."""
    flow = GRUFlow(U_h=[[3.0, -3.0], [3.0, 3.0]], U_r=[[1.0, 2.0], [-2.0, 1.0]])
    found = []
    for left in (10_000, 5, 0):
        monkeypatch.setattr(map_enclosure(gt.GRU, 2), "left_to_interpret", left)
        found.append(flow.fixed_points())
    assert found[0].n_boxes > 5 and found[0] == found[1] == found[2]
    # a budget of the user's own that runs out in Python is one that ran out
    monkeypatch.setattr(map_enclosure(gt.GRU, 2), "left_to_interpret", 5)
    assert flow.fixed_points(max_boxes=3).status.code == "stopped"
