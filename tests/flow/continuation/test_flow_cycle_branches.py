"""Branches of cycles against flows whose cycles are known in closed form, against simulation, and what is said at their ends.

The flows with closed forms are polynomial, embedded as cells without messages: s + (rate) is the next state.
"""

import numpy as np
import pytest
import sympy as sp
from scipy.integrate import odeint, solve_ivp

import gating_theory as gt
from gating_theory.flow import Flow, GRUFlow, continue_cycle, find_cycle

x, y, z, u = sp.symbols("x y z u", real=True)


def cell(name, rate, parameters):
    state = [x, y, z]
    return gt.Cell(
        name=name, state=state, fields=[u], messages=[x], update=[s + r for s, r in zip(state, rate)], parameters=parameters
    )


def flow_of(made, **values):
    return Flow(made, [[[0.0]]], parameters={name: [value] for name, value in values.items()})


m, q, n, a, b, c = sp.symbols("m q n a b c", real=True)
RHO = x**2 + y**2
GROWTH = m - q**2 + 2 * RHO - RHO**2
#: Circles rho = 1 +- sqrt(1 + m - q^2) of period 2 pi, and z = 0 or z^2 = n.
RINGS = cell("rings", [x * GROWTH - y, y * GROWTH + x, n * z - z**3], [m, q, n])
#: Circles of radius R at height z = 7/10, R^2 (1 + z/4) = 3/5 + a z - z^3/3 [Langford].
LANGFORD = cell(
    "Langford",
    [
        (z - sp.Rational(7, 10)) * x - sp.Rational(7, 2) * y,
        sp.Rational(7, 2) * x + (z - sp.Rational(7, 10)) * y,
        sp.Rational(3, 5) + a * z - z**3 / 3 - RHO * (1 + z / 4),
    ],
    [a],
)
ROSSLER = cell("Rossler", [-y - z, x + a * y, b + z * (x - c)], [a, b, c])

TWO_UNITS = GRUFlow(U_h=[[4.5, -2], [10, 0]], b_h=[0.4, 1.2])


def within(bifurcation, exact):
    """Whether a bifurcation is where it should be, to its own error and to the 1e-8 that is promised."""
    return abs(bifurcation.value - exact) <= bifurcation.error < 1e-8


@pytest.fixture(scope="module")
def circle():
    return find_cycle(TestClosedForms.rings, [1.0, 1.0, 0.1])


@pytest.fixture(scope="module")
def down(circle):
    return continue_cycle(circle.flow, "m[0]", (-3, 3), circle, direction=-1)


class TestClosedForms:
    rings = flow_of(RINGS, m=0.5, q=0.0, n=-0.5)

    def test_from_a_fold_to_a_hopf_point(self, down):
        fold, hopf = down.bifurcations
        assert [fold.kind, hopf.kind] == ["cycle_fold", "hopf"] and down.status.code == "hopf" and down.ok
        assert within(fold, -1.0) and within(hopf, 0.0) and not hopf.supercritical
        assert hopf.frequency == pytest.approx(1.0, abs=1e-12)
        np.testing.assert_allclose(down.periods, 2 * np.pi, rtol=1e-9)
        # z decays at the rate n; the circle rho of the plane at the rate 2 rho d(growth)/d(rho), here in terms of m and the sheet
        sheet = np.where(np.arange(len(down)) <= np.argmin(down.values), 1.0, -1.0)
        root = sheet * np.sqrt(np.maximum(1 + down.values, 0.0))
        inside = np.abs(root) > 1e-2  # the square root is ill-conditioned at the fold
        exact = np.stack([np.exp(-8 * np.pi * (1 + root) * root), np.full(len(root), np.exp(-np.pi))], axis=1)
        # in more than two dimensions multipliers below 1e-13 of the largest are rounding
        np.testing.assert_allclose(np.sort(down.multipliers.real)[inside], np.sort(exact)[inside], rtol=1e-6, atol=1e-12)

    def test_both_ways_from_the_fold(self, down):
        fold = down.bifurcations[0]
        larger, smaller = (continue_cycle(self.rings, "m[0]", (-3, 1), fold, direction=d) for d in (1, -1))
        assert larger.status.code == "bounds" and larger.bifurcations == [] and larger.stable[1:].all()
        assert larger.values[-1] == 1.0 and larger.high[-1, 0] ** 2 == pytest.approx(1 + np.sqrt(2), rel=1e-2)
        assert smaller.status.code == "hopf" and [b.kind for b in smaller.bifurcations] == ["hopf"]
        assert not smaller.stable[1:].any()

    def test_an_isola_closes(self):
        flow = flow_of(RINGS, m=-0.75, q=0.1, n=-0.5)
        branch = continue_cycle(flow, "q[0]", (-3, 3), find_cycle(flow, [1.0, 1.0, 0.1]))
        assert branch.status.code == "closed" and branch.ok
        assert sorted(b.kind for b in branch.bifurcations) == ["cycle_fold", "cycle_fold"]
        for found, exact in zip(sorted(branch.bifurcations, key=lambda b: b.value), (-0.5, 0.5)):
            assert within(found, exact)

    def test_where_branches_cross_the_other_one_is_followed(self, circle):
        branch = continue_cycle(self.rings, "n[0]", (-1, 1), circle)
        (cross,) = branch.bifurcations
        assert cross.kind == "cycle_crossing" and within(cross, 0.0)
        for side in (1, -1):
            other = continue_cycle(self.rings, "n[0]", (-1, 1), cross, direction=side)
            assert other.status.code == "bounds" and other.bifurcations == [] and other.stable.all()
            np.testing.assert_allclose(other.low[:, 2] ** 2, other.values, rtol=1e-7)
        assert abs(other.low[-1, 2]) == pytest.approx(1.0, abs=1e-9)

    def test_a_torus_is_born_where_its_closed_form_says(self):
        # trace 0 of the flow of radius and height; the angle of the multipliers is its frequency times the period 4 pi/7
        z0, e = 0.7, 0.25
        exact = z0**2 * (1 + e * z0) + e * (0.6 - z0**3 / 3)
        square = (0.6 + exact * z0 - z0**3 / 3) / (1 + e * z0)
        flow = flow_of(LANGFORD, a=0.5)
        branch = continue_cycle(flow, "a[0]", (0.3, 1), find_cycle(flow, [1.0, 1.0, 0.1]))
        (torus,) = branch.bifurcations
        assert torus.kind == "torus" and within(torus, exact)
        assert torus.frequency == pytest.approx(np.sqrt(2 * square * (1 + e * z0)) * 4 * np.pi / 7, abs=1e-8)
        with pytest.raises(ValueError, match="torus"):
            continue_cycle(flow, "a[0]", (0.3, 1), torus)


def turns_of_rossler(c):
    """How many different maxima the first coordinate has on the attractor, by scipy."""

    def rate(s, t):
        return [-s[1] - s[2], s[0] + 0.2 * s[1], 0.2 + s[2] * (s[0] - c)]

    path = odeint(rate, [1.0, 1.0, 0.0], np.arange(0.0, 2500.0, 0.01), rtol=1e-10, atol=1e-10)[-50000:, 0]
    high = np.sort(path[1:-1][(path[1:-1] > path[:-2]) & (path[1:-1] >= path[2:])])
    # maxima on the grid are short of the true ones by 1e-4
    return 1 + int((np.diff(high) > 5e-3).sum())


@pytest.fixture(scope="module")
def first():
    flow = TestPeriodDoubling.flow
    branch = continue_cycle(flow, "c[0]", (2, 3.5), find_cycle(flow, [1.0, 1.0, 0.0]), max_step=0.5)
    (doubling,) = branch.bifurcations
    return doubling


@pytest.fixture(scope="module")
def doubled(first):
    return continue_cycle(TestPeriodDoubling.flow, "c[0]", (2, 4), first, max_step=0.3)


class TestPeriodDoubling:
    flow = flow_of(ROSSLER, a=0.2, b=0.2, c=2.5)

    def test_the_first_doubling_and_what_is_born(self, first, doubled):
        """At a period doubling a stable cycle of twice the period is born."""
        assert first.kind == "period_doubling" and first.error < 1e-8
        assert doubled.stable[0] and doubled.periods[0] == pytest.approx(2 * first.period, rel=1e-3)
        assert doubled.values[0] > first.value and doubled.status.code == "bounds"
        (second,) = doubled.bifurcations
        assert second.kind == "period_doubling"
        # a trajectory takes one, two, four kinds of turns
        for value, turns in ((first.value - 0.1, 1), (first.value + 0.1, 2), (second.value - 0.1, 2), (second.value + 0.06, 4)):
            assert turns_of_rossler(value) == turns

    def test_the_doubled_branch_ends_where_it_began(self, first, doubled):
        far = find_cycle(self.flow.replace("c[0]", 3.4), [1.0, 1.0, 0.0])
        i = int(np.argmin(np.abs(doubled.values - 3.4)))
        assert far.period == pytest.approx(doubled.periods[i], rel=0.05)
        back = continue_cycle(far.flow, "c[0]", (2, 4), far, max_step=0.3, direction=-1)
        assert back.status.code == "period_doubling" and back.ok
        (end,) = back.bifurcations
        assert end.value == pytest.approx(first.value, abs=1e-9) and end.period == pytest.approx(first.period, rel=1e-9)
        assert (back.values > first.value).all()

    @pytest.mark.nightly
    def test_the_cascade_approaches_its_universal_ratio(self, first):
        values, start = [], first
        for step in (0.3, 0.3, 0.2, 0.1):
            values.append(start.value)
            branch = continue_cycle(self.flow, "c[0]", (2, 4.3), start, max_step=step, max_points=60)
            start = next(b for b in branch.bifurcations if b.kind == "period_doubling")
        gaps = np.diff([*values, start.value])
        # Feigenbaum's 4.669 is reached like its own powers: 3.5, 4.6, 4.64 here
        assert gaps[-2] / gaps[-1] == pytest.approx(4.6692, abs=0.05)


@pytest.mark.nightly
def test_a_gated_network_doubles_its_period_on_the_way_to_chaos():
    flow = GRUFlow(
        U_z=[[2, -8, -6], [0, -5, 4], [4, -10, 5]], U_h=[[0, -22, 3], [5, 3, -6], [-12, -14, -8]], b_h=[0.7, 0, 0]
    )  # fmt: skip
    branch = continue_cycle(flow, "b_h[0]", (-0.2, 2), find_cycle(flow, [0.1, 0.2, 0.3]), direction=-1)
    values = []
    for _ in range(5):
        doubling = next(b for b in branch.bifurcations if b.kind == "period_doubling")
        assert doubling.error < 1e-8
        values.append(doubling.value)
        branch = continue_cycle(flow, "b_h[0]", (-0.2, 2), doubling, max_step=0.02, max_points=60)
    gaps = np.diff(values)
    assert gaps[-2] / gaps[-1] == pytest.approx(4.6692, abs=0.12)


class Returns:
    """The first return of scipy's trajectories to a line across a cycle: signed distance after minus before.

    The line is where neighbours on the cycle are furthest from it: they stay close everywhere else.
    """

    def __init__(self, fold):
        self.fold, self.period = fold, fold.period
        points, velocity = fold.orbit.points, fold.flow(fold.orbit.points)
        unit = velocity / np.linalg.norm(velocity, axis=1, keepdims=True)
        normal = np.stack([-unit[:, 1], unit[:, 0]], axis=1)
        gap = [normal[0]]
        for step in fold.orbit.steps[:-1]:
            gap.append(step @ gap[-1])
        i = int(np.argmax(np.abs(np.sum(np.array(gap) * normal, axis=1))))
        self.state, self.along, self.across = points[i], unit[i], normal[i]

    def __call__(self, value, distance):
        flow = self.fold.flow.replace(self.fold.path, value)

        def rate(t, s):
            return flow(s)

        def crossing(t, s):
            return (s - self.state) @ self.along

        crossing.direction = 1.0
        options = {"method": "DOP853", "rtol": 1e-11, "atol": 1e-13}
        half = solve_ivp(rate, (0, 0.6 * self.period), self.state + distance * self.across, **options).y[:, -1]
        end = solve_ivp(rate, (0, self.period), half, events=crossing, **options)
        nearest = min(end.y_events[0], key=lambda s: np.abs(s - self.state).max())
        return (nearest - self.state) @ self.across - distance


def check_fold_by_simulation(fold):
    """Where a fold of cycles is said to be, returns touch the diagonal; on one side of it they cross twice, on the other never."""
    returns = Returns(fold)
    size = np.ptp(fold.orbit.points, axis=0).max()
    s = 3e-4 * size
    low, middle, high = (returns(fold.value, d) for d in (-s, 0.0, s))
    # a fixed point of slope 1, to the tolerance of the integrator and to third order in s; and curved
    assert abs(middle) < 1e-9 * size and abs(high - low) / (2 * s) < 1e-3
    bend = 0.5 * (low + high) / s**2
    assert abs(bend) * s > 1e-6
    # the parameter that puts the two cycles at about +- 2 s
    step = 1e-6
    rate = (returns(fold.value + step, 0.0) - middle) / step
    shift = -4 * bend * s**2 / rate
    here, beyond = ([returns(fold.value + d, x) for x in s * np.linspace(-4, 4, 9)] for d in (shift, -shift))
    assert np.count_nonzero(np.diff(np.sign(here))) == 2 and np.count_nonzero(np.diff(np.sign(beyond))) == 0


def random_folds(count, seed):
    """Folds of cycles of random two-unit networks, drawn around two that have one: among all networks they are rare."""
    rng, found = np.random.default_rng(seed), []
    bases = (([[-6, 27], [-7.5, 8.5]], [-1.6, 1], [0.9, 0.9]), ([[4.39, -1.78], [10.96, 0.21]], [0.45, 1.8], [-0.2, 0.2]))
    while len(found) < count:
        U, b, start = (np.array(v) for v in bases[rng.integers(2)])
        flow = GRUFlow(
            U_h=U * (1 + 0.1 * rng.normal(size=(2, 2))), U_r=0.3 * rng.normal(size=(2, 2)), U_z=0.3 * rng.normal(size=(2, 2)),
            b_z=0.3 * rng.normal(size=2), b_h=b,
        )  # fmt: skip
        try:
            cycle = find_cycle(flow, start, transient=100.0, max_period=50.0)
        except gt.ConvergenceError:
            continue
        for direction in (1, -1):
            branch = continue_cycle(flow, "b_h[1]", (-4, 4), cycle, direction=direction, max_points=150, max_period=60.0)
            found += [b for b in branch.bifurcations if b.kind == "cycle_fold"]
    return found[:count]


@pytest.mark.nightly
def test_random_folds_by_simulation():
    for fold in random_folds(8, seed=14):
        assert fold.error < 1e-8
        check_fold_by_simulation(fold)


class TestEnds:
    def test_a_hopf_point_is_not_walked_through(self):
        flow = GRUFlow(
            U_r=[[0.42965, -1.63975], [0.00556, -0.29399]], U_h=[[4.88549, -4.17251], [4.90254, 1.75847]],
            b_z=[0.06225, 0.79237], b_r=[-0.38724, 0.23555], b_h=[0.24942, -0.43217],
        )  # fmt: skip
        branch = continue_cycle(flow, "b_h[0]", (-3, 3), find_cycle(flow, [0.3, 0.3]))
        assert branch.status.code == "hopf" and (np.diff(branch.values) > 0).all()
        (hopf,) = branch.bifurcations
        values = np.linalg.eigvals(hopf.flow.jacobian(hopf.state))
        assert hopf.error < 1e-8 and np.abs(hopf.flow(hopf.state)).max() < 1e-14
        assert np.abs(values.real).max() < 1e-13 and values.imag.max() == pytest.approx(hopf.frequency, rel=1e-12)

    def test_no_folds_are_invented_beside_a_homoclinic_orbit(self):
        cycle = find_cycle(TWO_UNITS, [-0.2, 0.2])
        branch = continue_cycle(TWO_UNITS, "b_h[1]", (-3, 3), cycle, direction=-1)
        assert branch.bifurcations == [] and branch.stable.all()
        assert branch.status.code == "homoclinic" and branch.ok
        # found by a bisection on the fate of the unstable manifold
        assert branch.values[-1] == pytest.approx(0.912834247552, abs=1e-10)

    def test_a_fold_before_a_homoclinic_orbit_of_positive_saddle_quantity(self):
        """Cycles that end in a homoclinic orbit of positive saddle quantity turn round before it."""
        flow = GRUFlow(
            U_z=[[-0.15, -0.11], [-0.38, -0.31]], U_r=[[-0.27, 0.3], [-0.27, -0.13]], U_h=[[4.39, -1.78], [10.96, 0.21]],
            b_h=[0.45, 1.77],
        )  # fmt: skip
        branch = continue_cycle(flow, "b_h[1]", (1, 2.5), find_cycle(flow, [-0.2, 0.2]), direction=-1)
        (fold,) = branch.bifurcations
        assert fold.kind == "cycle_fold" and fold.error < 1e-8 and branch.status.code == "homoclinic"
        # unstable cycles reach an infinite period at the rate of the saddle's stable eigenvalue, which is the slower one
        saddle = next(p.state for p in branch.last.flow.fixed_points() if np.abs(p.state - [0.2458, 0.9976]).max() < 1e-3)
        rates = np.linalg.eigvals(branch.last.flow.jacobian(saddle)).real
        assert rates.sum() > 0 and not branch.stable[-1]
        gone = np.abs(branch.values[-12:-1] - branch.values[-1])
        measured = -np.polyfit(branch.periods[-12:-3], np.log(gone[:-2]), 1)[0]
        assert measured == pytest.approx(-rates.min(), rel=0.03)
        check_fold_by_simulation(fold)

    def test_fixed_points_born_on_the_cycle(self):
        # exact: four saddle-nodes at once at 2.60809039553088
        flow = GRUFlow(U_h=[[6, -2.8], [2.8, 6]])
        branch = continue_cycle(flow, "U_h[1,0]=-U_h[0,1]", (2, 6), find_cycle(flow, [0.1, 0.2]), direction=-1, max_period=800.0)
        assert branch.status.code == "saddle_node" and branch.ok and branch.bifurcations == []
        assert "2.60809039553" in branch.status.text

    def test_a_gate_that_shuts_is_no_bifurcation(self):
        flow = GRUFlow(U_h=[[3, -3], [3, 3]])
        cycle = find_cycle(flow, [0.1, 0.2])
        branch = continue_cycle(flow, "b_z[0]=b_z[1]", (0, 20), cycle, max_period=1000.0)
        assert branch.status.code == "period" and branch.ok and "no fixed point on the cycle" in branch.status.text
        # time runs slower by 1 - z alone: with the gates open the cycle takes as long as it does from the start
        assert branch.periods[-1] > 1000 and f"it would take {cycle.period / 2:.4g}" in branch.status.text
