"""Flows of small networks: the vector field against the network, all fixed points against certificates and brute force."""

import math
import pickle

import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import gating_theory as gt
from gating_theory.flow import Flow, GRUFlow, Topology, count_fixed_points
from gating_theory.flow.proof.intervals import enclosing_floats, kernels

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


# --- the vector field


@pytest.mark.parametrize(
    "name, n", [("GRU", 3), ("GRUResetAfter", 2), ("LSTM", 2), ("PeepholeLSTM", 1), ("JANET", 2), ("LiGRU", 2)]
)
def test_one_euler_step_is_the_network(name, n):
    cell = getattr(gt, name)
    spread = {"parameter_std": 0.5} if cell.parameters else {}
    net = gt.Network.sample(gt.Ensemble(cell, gain=3, bias_std=1, input_std=0.3, **spread), n, rng=1)
    flow = Flow.from_network(net)
    states = np.array([net.random_state(rng=seed) for seed in range(2, 6)])
    flat = states.reshape(4, -1)
    stepped = np.array([net.step(s).ravel() for s in states])
    # the same sums in another order: a few units in the last place of numbers of order 10
    np.testing.assert_allclose(flow.euler(flat), stepped, rtol=1e-13, atol=1e-14)
    for s, J in zip(flat, flow.map_jacobian(flat)):
        np.testing.assert_allclose(J, net.jacobian(s), rtol=1e-12, atol=1e-13)
    # half a step, three times, as one trajectory
    path = flow.euler(flat[0], step=0.5, n_steps=3, trajectory=True)
    assert path.shape == (4, flow.dim)
    for before, after in zip(path[:-1], path[1:]):
        np.testing.assert_allclose(after, before + 0.5 * flow(before), rtol=1e-13, atol=1e-14)


def test_a_shut_gate_keeps_its_digits():
    open_flow = GRUFlow(U_h=[[3, -2], [1, 2]], b_h=[0.3, -0.2])
    shut = open_flow.with_parameters({"b_z[0]": 80.0, "b_z[1]": 80.0})
    s = np.array([0.31, -0.77])
    # sigma(0) = 1/2 and 1 - sigma(80) = 1/(1 + e^80)
    np.testing.assert_allclose(shut(s), 2.0 * open_flow(s) / (1.0 + math.exp(80.0)), rtol=1e-13)
    np.testing.assert_allclose(shut.jacobian(s)[0, 1], 2.0 * open_flow.jacobian(s)[0, 1] / (1.0 + math.exp(80.0)), rtol=1e-12)
    np.testing.assert_array_equal(shut.residual(s), open_flow.residual(s))


def test_integration_meets_the_cycle():
    # period and a point of the cycle by an independent code (shooting, DOP853)
    flow = GRUFlow(U_h=rotation(3))
    start = np.array([-0.549379, 0.501285])
    result = flow.integrate(start, 12.93377075908, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(result.y[:, -1], start, atol=2e-6)  # the point is given to six digits, and the cycle attracts

    def crossing(t, s):
        return s[0]

    crossing.direction = 1.0
    events = flow.integrate(start, 60.0, events=crossing).t_events[0]
    np.testing.assert_allclose(np.diff(events), 12.93377075908, rtol=1e-6)
    back = flow.integrate(flow.integrate(start, 1.0).y[:, -1], -1.0)
    np.testing.assert_allclose(back.y[:, -1], start, atol=1e-8)
    times = np.linspace(0.0, 2.0, 5)
    stiff = flow.integrate(start, times, method="LSODA", rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(stiff.y, flow.integrate(start, times).y, atol=1e-7)


def test_parameters_by_name():
    flow = GRUFlow(U_h=[[1, 2], [3, 4]], b_r=[5, 6])
    assert [flow.parameter(p) for p in ("U_h[0,1]", "U_h[1, 0]", "b_r[1]", "U_z[0,0]")] == [2.0, 3.0, 6.0, 0.0]
    other = flow.replace("U_h[0,1]", -7)
    assert other.parameter("U_h[0,1]") == -7.0 and flow.parameter("U_h[0,1]") == 2.0
    assert isinstance(other, GRUFlow) and other != flow and other.replace("U_h[0,1]", 2.0) == flow
    assert hash(other.replace("U_h[0,1]", 2.0)) == hash(flow) and pickle.loads(pickle.dumps(flow)) == flow
    np.testing.assert_array_equal(flow.matrices[2], [[1, 2], [3, 4]])
    with pytest.raises(ValueError):
        flow.matrices[0, 0, 0] = 1.0
    assert "U_h=[[1.0, 2.0], [3.0, 4.0]]" in repr(flow) and "U_z" not in repr(flow)
    after = Flow(gt.GRUResetAfter, {"h": [[1.0]]}, {"h": [0.5]}, {"b_in": [0.25]})
    assert after.parameter("b_in[0]") == 0.25 and after.parameter("b_h[0]") == 0.5
    for path in ("U_q[0,0]", "U_h[0,2]", "b_h[0,0]", "U_h", "h[0]", "", "U_h[-1,0]"):
        with pytest.raises(ValueError, match="path must be one of U_z"):
            flow.parameter(path)
    with pytest.raises(TypeError, match="path"):
        flow.parameter(3)
    with pytest.raises(ValueError, match=r"b_h\[0\] must be finite"):
        flow.replace("b_h[0]", math.inf)
    with pytest.raises(TypeError, match="mapping"):
        flow.with_parameters([1])


def test_bad_arguments():
    for wrong, message in (
        ({}, "at least one"),
        ({"U_h": [[1, 2, 3], [4, 5, 6]]}, r"U_h must have shape \(3, 3\)"),
        ({"U_h": [[1, 2], [3, 4]], "b_h": [1, 2, 3]}, "b_h must have shape"),
        ({"U_h": [[1, math.nan], [3, 4]]}, "U_h must be finite"),
        ({"U_h": [[math.inf]]}, "U_h must be finite"),
    ):
        with pytest.raises(ValueError, match=message):
            GRUFlow(**wrong)
    with pytest.raises(TypeError, match="U_h"):
        GRUFlow(U_h=[["a"]])
    with pytest.raises(TypeError, match="cell"):
        Flow("GRU", np.zeros((3, 2, 2)))
    with pytest.raises(ValueError, match="matrices must have shape"):
        Flow(gt.GRU, np.zeros((2, 2, 2)))
    with pytest.raises(ValueError, match="unknown key"):
        Flow(gt.GRU, {"q": [[1.0]]})
    with pytest.raises(ValueError, match="bias must have shape"):
        Flow(gt.GRU, np.zeros((3, 2, 2)), np.zeros((3, 3)))
    with pytest.raises(gt.CapabilityError, match="up to 12"):
        Flow(gt.GRU, np.zeros((3, 13, 13)))
    net = gt.Network.sample(gt.Ensemble(gt.GRU), 2, rng=0, batch=3)
    with pytest.raises(gt.CapabilityError, match="batch of 3"):
        Flow.from_network(net)
    with pytest.raises(TypeError, match="Network"):
        Flow.from_network(3)
    flow = GRUFlow(U_h=np.eye(2))
    for call in (flow, flow.jacobian, flow.residual, flow.euler):
        with pytest.raises(ValueError, match=r"shape \(..., 2\)"):
            call([1.0, 2.0, 3.0])
        with pytest.raises(ValueError, match="finite"):
            call([1.0, math.nan])
    with pytest.raises(ValueError, match="step"):
        flow.euler([0.0, 0.0], step=0.0)
    with pytest.raises(ValueError, match="increasing"):
        flow.integrate([0.0, 0.0], [1.0, 0.0])
    with pytest.raises(ValueError, match="grade"):
        flow.fixed_points("proved")
    with pytest.raises(ValueError, match="max_boxes"):
        flow.fixed_points(max_boxes=0)
    with pytest.raises(gt.CapabilityError, match="up to 3"):
        GRUFlow(U_h=np.eye(4)).fixed_points("certified")
    with pytest.raises(gt.CapabilityError, match="not bounded"):
        Flow(gt.LiGRU, np.ones((2, 1, 1))).fixed_points("certified")
    with pytest.raises(gt.CapabilityError, match="closed-form"):
        Flow(gt.PeepholeLSTM, np.zeros((4, 1, 1))).fixed_points("certified")
    with pytest.raises(gt.CapabilityError, match="two-dimensional"):
        GRUFlow(U_h=3.0).nullclines()
    with pytest.raises(ValueError, match="bias must have shape"):
        count_fixed_points(gt.GRU, np.zeros((4, 3, 2, 2)), np.zeros((3, 2)))
    with pytest.raises(ValueError, match="matrices must be finite"):
        count_fixed_points(gt.GRU, np.full((4, 3, 2, 2), np.nan))
    with pytest.raises(gt.CapabilityError, match="up to 3"):
        count_fixed_points(gt.GRU, np.zeros((1, 3, 4, 4)))


def test_cells_with_functions_flows_do_not_know():
    h, y = sympy.symbols("h y_h", real=True)
    cell = gt.Cell(name="sine", state=[h], fields=[y], messages=[h], update=[sympy.sin(y)], fixed_point=[sympy.sin(y)])
    with pytest.raises(gt.CapabilityError, match="sin"):
        Flow(cell, np.ones((1, 1, 1)))([0.1])


# --- interval arithmetic

_FINITE = st.floats(-60, 60) | st.sampled_from([0.0, -0.0, 1.0, -1.0, 1e-300, 700.0, -745.0, 1e-9])
_FUNCTIONS = {
    "tanh": mpmath.tanh,
    "sigma": lambda x: 1 / (1 + mpmath.exp(-x)),
    "dsigma": lambda x: mpmath.exp(-x) / (1 + mpmath.exp(-x)) ** 2,
    "sech2": lambda x: 1 / mpmath.cosh(x) ** 2,
    "exp": mpmath.exp,
}


@pytest.mark.parametrize("grade", ["validated", "arb", "iv"])
@settings(max_examples=40)
@given(a=st.tuples(_FINITE, _FINITE, st.floats(0, 1)), b=st.tuples(_FINITE, _FINITE, st.floats(0, 1)))
def test_operations_enclose(grade, a, b):
    k = kernels(grade)
    (al, ah, ta), (bl, bh, tb) = (*sorted(a[:2]), a[2]), (*sorted(b[:2]), b[2])
    with mpmath.workdps(60):
        x, y = (mpmath.mpf(l) + (mpmath.mpf(h) - mpmath.mpf(l)) * t for l, h, t in ((al, ah, ta), (bl, bh, tb)))

        def contains(pair, exact):
            rounding = abs(exact) * mpmath.mpf(10) ** -55  # of the exact value itself, which has 60 digits
            assert pair[0] <= exact + rounding and exact - rounding <= pair[1], (pair, exact)

        contains(k.add(al, ah, bl, bh), x + y)
        contains(k.subtract(al, ah, bl, bh), x - y)
        contains(k.multiply(al, ah, bl, bh), x * y)
        contains(k.scale(bl, al, ah), mpmath.mpf(bl) * x)
        contains(k.shift(bl, al, ah), mpmath.mpf(bl) + x)
        for n in (1, 2, 3, 4):
            contains(k.power(al, ah, n), x**n)
        if x != 0:
            contains(k.reciprocal(al, ah), 1 / x)
        contains(k.ramp(al, ah), max(x, 0))
        contains(k.step(al, ah), 1 if x > 0 else 0)
        for name, exact in _FUNCTIONS.items():
            pair = getattr(k, name)(al, ah)
            contains(pair, exact(x))
            # and no wider than the range by more than rounding; ends may lie on either side of zero
            points = [exact(mpmath.mpf(v)) for v in (al, ah, min(max(0.0, al), ah))]
            size = max(abs(p) for p in points)
            assert pair[1] - pair[0] <= (max(points) - min(points)) * (1 + 1e-14) + 6e-15 * size + 1e-140, (name, pair)


def test_constants_are_enclosed():
    low, high = enclosing_floats(sympy.Rational(1, 3))
    assert low < high and sympy.Rational(low) < sympy.Rational(1, 3) < sympy.Rational(high)
    assert enclosing_floats(sympy.Rational(1, 4)) == (0.25, 0.25)


def test_infinite_ends():
    for grade in ("arb", "iv", "validated"):
        k = kernels(grade)
        assert k.tanh(-math.inf, math.inf)[0] <= -1.0 and k.tanh(-math.inf, math.inf)[1] >= 1.0
        assert k.multiply(0.0, 1.0, -math.inf, math.inf) == (-math.inf, math.inf)
        assert k.scale(0.0, -math.inf, math.inf) == (0.0, 0.0)
        low, high = k.exp(0.0, 1e4)
        assert low <= 1.0 and high == math.inf
        assert math.isfinite(k.exp(1e4, 1e5)[0])


# --- all fixed points, certified: known cases


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
    assert "undecided" in at.status and "undecided" in str(at)


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
    assert not stopped.complete and "stopped" in stopped.status and len(stopped.undecided) > 0
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
    """Zeros of tanh(U_h (r h) + b_h) - h that Newton's method reaches from many starts, written out by hand."""
    U_r, U_h = flat[4:8].reshape(2, 2), flat[8:12].reshape(2, 2)
    b_r, b_h = flat[14:16], flat[16:18]
    x = starts.copy()
    with np.errstate(all="ignore"):
        for _ in range(steps):
            r = sigma(x @ U_r.T + b_r)
            t = np.tanh((r * x) @ U_h.T + b_h)
            inner = np.einsum("si,ij->sij", r * (1 - r) * x, U_r) + np.einsum("si,ij->sij", r, np.eye(2))
            J = np.einsum("si,ik,skj->sij", 1 - t**2, U_h, inner) - np.eye(2)
            F = t - x
            det = J[:, 0, 0] * J[:, 1, 1] - J[:, 0, 1] * J[:, 1, 0]
            step = (
                np.stack([J[:, 1, 1] * F[:, 0] - J[:, 0, 1] * F[:, 1], J[:, 0, 0] * F[:, 1] - J[:, 1, 0] * F[:, 0]], 1)
                / det[:, None]
            )
            x = np.clip(x - step, -1.5, 1.5)
        r = sigma(x @ U_r.T + b_r)
        # far from a double root a residual of 1e-13 means a point to 1e-9 at least; closer ones are in undecided boxes or merged
        good = np.isfinite(x).all(1) & (np.abs(np.tanh((r * x) @ U_h.T + b_h) - x).max(1) < 1e-13)
    return x[good]


_ENTRIES = st.floats(-30, 30, width=32) | st.integers(-8, 8).map(lambda n: n / 2) | st.just(0.0)


@settings(max_examples=50)
@given(arrays(float, (20, 18), elements=_ENTRIES, fill=st.nothing()), st.integers(0, 2**32 - 1))
def test_two_units_against_newton_from_many_starts(parameters, seed):
    """1000 networks: every zero that Newton reaches is in the list, or in a box reported undecided."""
    rng = np.random.default_rng(seed)
    corners = np.array([[a, b] for a in (-1.0, 0.0, 1.0) for b in (-1.0, 0.0, 1.0)])
    for flat in parameters:
        flow = Flow(gt.GRU, flat[:12].reshape(3, 2, 2), flat[12:].reshape(3, 2))
        found = flow.fixed_points()
        starts = np.concatenate([corners, rng.uniform(-1, 1, (120, 2)), np.tanh(4 * rng.standard_normal((40, 2)))])
        roots = newton_roots(flat, starts)
        boxes = [np.stack([p.lower, p.upper], 1) for p in found] + list(found.undecided)
        for root in roots:
            # 1e-6: what a residual of 1e-13 allows where the Jacobian is nearly singular
            assert any(((box[:, 0] - 1e-6 <= root) & (root <= box[:, 1] + 1e-6)).all() for box in boxes), (flow, root, str(found))
        for i, p in enumerate(found):
            assert np.abs(flow.residual(p.state)).max() < 1e-11
            assert not any((p.lower <= q.upper).all() and (q.lower <= p.upper).all() for q in found.points[:i])
        if found.complete:
            assert found.index_sum == 1 and len(found) % 2 == 1
        else:
            assert len(found.undecided), found.status


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


# --- sweeps, types, degenerate cases


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
    assert "150 networks" in str(counts)


def test_index_theorem_on_many_networks():
    # sum of indices 1, so that saddles = sinks + sources - 1, in every network that is decided; few are not
    rng = np.random.default_rng(5)
    for scale in (3.0, 10.0, 30.0):
        counts = count_fixed_points(gt.GRU, *random_networks(5000, scale, rng))
        assert counts.complete.mean() > 0.999
        assert (counts.index_sum[(counts.undecided == 0)] == 1).all()
        t = counts.typed
        assert (counts.saddles[t] == counts.sinks[t] + counts.sources[t] - 1).all()


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
    assert hopf.complete and len(hopf) == 1 and hopf[0].kind == "undecided" and "undecided kind" in hopf.status


def test_large_parameters():
    # |U| of a hundred: zeros on and near the faces of the box, boxes that need an inflation of 1e-10
    rng = np.random.default_rng(11)
    counts = count_fixed_points(gt.GRU, *random_networks(3000, 100.0, rng))
    assert counts.complete.mean() > 0.995 and (counts.count[counts.complete] % 2 == 1).all()


def test_nullclines_of_a_variable_that_nothing_drives():
    """dh_2/dt = -(1 - z) h_2: its bounds are [0, 0], and the first variable's nullclines are upright lines all over the picture."""
    flow = GRUFlow(U_h=[[10.0, 0.0], [0.0, 0.0]])
    first, second = flow.nullclines(box=[(-1, 1), (-1, 1)])
    # tanh(5 h) = h at 0 and +-0.99991
    assert sorted(np.round(curve[:, 0].mean(), 3) for curve in first) == pytest.approx([-1.0, 0.0, 1.0], abs=1e-3)
    assert all(np.ptp(curve[:, 1]) > 1.98 and np.ptp(curve[:, 0]) < 1e-9 for curve in first)
    (level,) = second
    assert np.ptp(level[:, 0]) > 1.98 and np.abs(level[:, 1]).max() < 1e-9
    with pytest.raises(ValueError, match="box"):
        flow.nullclines(box=[(1, -1), (0, 1)])


def test_nullclines_cross_at_the_fixed_points():
    flow = gru(*KNOWN[4, 1, 4])
    curves = flow.nullclines(500)
    for i in range(2):
        points = np.concatenate(curves[i])
        assert np.abs(flow.residual(points)[:, i]).max() < 0.02  # linear interpolation on a grid of 1/250
        for p in flow.fixed_points():
            assert np.abs(points - p.state).max(axis=1).min() < 0.01
    lstm = Flow(gt.LSTM, np.full((4, 1, 1), 3.0)).nullclines(300)
    assert len(lstm) == 2 and all(len(c) for c in lstm)


def test_bounds_contain_everything():
    for name in ("GRU", "LSTM", "JANET"):
        cell = getattr(gt, name)
        net = gt.Network.sample(gt.Ensemble(cell, gain=5, bias_std=0.5, parameter_std=0.5 if cell.parameters else 0), 2, rng=4)
        flow = Flow.from_network(net)
        bounds = flow.bounds
        for p in flow.fixed_points("certified"):
            assert (bounds[:, 0] <= p.state).all() and (p.state <= bounds[:, 1]).all()
    np.testing.assert_allclose(GRUFlow(U_h=np.eye(2)).bounds, [[-1, 1], [-1, 1]], atol=1e-14)


def test_results_print():
    found = gru(*KNOWN[1, 1, 1]).fixed_points()
    text = str(found)
    assert "validated (numba): 3 fixed points, complete" in text and "saddle at (" in text and "index -1" in text
    assert found.topology == Topology(1, 1, 1) and found.topology.sources == 1
    assert len(found) == 3 and found[0] in list(found)


@pytest.mark.parametrize("bias", [650.0, 750.0, 1000.0])
def test_gates_that_underflow(bias):
    """1 - z is 1e-282, below the smallest normal number, zero: the fixed points stay what they are, their kinds are not claimed."""
    for grade in ("certified", "validated"):
        found = gt.GRUFlow(U_h=[[3, -3], [3, 3]], b_z=[bias, bias]).fixed_points(grade)
        assert found.complete and len(found) == 1 and found[0].index == 1 and found[0].kind in ("source", "undecided")
    assert found[0].kind == "undecided"
