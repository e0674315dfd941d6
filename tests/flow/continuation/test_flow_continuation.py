"""Branches and bifurcations against closed forms (derivations/flow.py) and against numbers of a separate program."""

import numpy as np
import pytest

from gating_theory.flow import GRUFlow, continue_cycle, continue_fixed_point, find_cycle, normal_form, other_branch
from gating_theory.flow.orbits.collocation import from_curve
from gating_theory.flow.orbits.cycle import cycle_from_orbit


def rotation(k, alpha):
    return k * np.array([[np.cos(alpha), -np.sin(alpha)], [np.sin(alpha), np.cos(alpha)]])


def of_kind(branch, kind):
    return [b for b in branch.bifurcations if b.kind == kind]


class TestOneUnit:
    def test_supercritical_pitchfork_and_flip(self):
        branch = continue_fixed_point(GRUFlow(U_h=1.0), "U_h[0,0]", (-8, 4), [0.0])
        assert [b.kind for b in branch.bifurcations] == ["flip", "pitchfork"]
        flip, fork = branch.bifurcations
        assert flip.value == pytest.approx(-6.0, abs=1e-9) and fork.value == pytest.approx(2.0, abs=1e-7)
        # (tanh(u h/2) - h)/2 = (u/2 - 1) h/2 - (u/2)^3 h^3/6: -1/6 at u = 2, and the map's +9/2 at u = -6
        assert fork.supercritical and fork.coefficient == pytest.approx(-1 / 6, abs=1e-7)
        assert flip.supercritical and flip.coefficient == pytest.approx(4.5, abs=1e-7)
        np.testing.assert_array_equal(branch.stable, branch.values < 2)
        np.testing.assert_array_equal(branch.map_stable, np.abs(branch.values + 2) < 4)
        sides = other_branch(fork, branch, (-8, 3))
        ends = sorted(float(s.states[-1, 0]) for s in sides)
        assert ends == pytest.approx([-0.85856, 0.85856], abs=6e-6)

    def test_transcritical_and_fold_with_a_reset_gate(self):
        branch = continue_fixed_point(GRUFlow(U_h=1.0, U_r=3.0), "U_h[0,0]", (0.5, 4), [0.0])
        (cross,) = branch.bifurcations
        assert cross.kind == "transcritical" and cross.value == pytest.approx(2.0, abs=1e-7)
        folds = [b for side in other_branch(cross, branch, (0.5, 4)) for b in of_kind(side, "fold")]
        assert len(folds) == 1
        assert folds[0].value == pytest.approx(1.34018823279436, abs=1e-11)
        assert folds[0].state[0] == pytest.approx(0.543932964628740, abs=1e-7)  # the square root of the parameter's accuracy

    def test_fold_by_the_bias(self):
        branch = continue_fixed_point(GRUFlow(U_h=4.0), "b_h[0]", (-1, 1), [0.957])
        folds = sorted(b.value for b in of_kind(branch, "fold"))
        exact = np.sqrt(2) - np.arcsinh(1)
        assert folds == pytest.approx([-exact, exact], abs=1e-12)


class TestHopfCurve:
    @pytest.mark.parametrize("alpha", np.deg2rad([30, 45, 60]))
    def test_hopf_and_neimark_sacker_of_the_zero_state(self, alpha):
        # along U_h = k R(alpha) by k needs four entries at once: follow one entry through the curve instead, where trace and
        # determinant of J at 0 are (U_11 + U_22)/4 - 1 and det(U/2 - 1)/4
        U = rotation(2.0, alpha)
        branch = continue_fixed_point(GRUFlow(U_h=U), "U_h[0,0]", (-3, 9), [0.0, 0.0])
        (hopf,) = of_kind(branch, "hopf")
        assert hopf.value == pytest.approx(4 - U[1, 1], abs=1e-10)

        def multiplier(u):
            J = 0.5 * (np.array([[u, U[0, 1]], [U[1, 0], U[1, 1]]]) / 2 - np.eye(2))
            return np.linalg.det(np.eye(2) + J)

        for b in of_kind(branch, "neimark_sacker"):
            assert multiplier(b.value) == pytest.approx(1.0, abs=1e-10)

    def test_alpha_at_k_3(self):
        assert np.arccos(2 / 3) == pytest.approx(0.8411, abs=4e-5)
        flow = GRUFlow(U_h=rotation(3.0, np.arccos(2 / 3)))
        assert np.linalg.eigvals(flow.jacobian([0.0, 0.0])).real == pytest.approx([0.0, 0.0], abs=1e-15)
        # cubic coefficient -1/8 of |w|^2 w with w = (k/2) h turned, and |q| = 1 makes |w| = (k/2)|h| / sqrt 2 ... times z q + c.c.
        omega = np.tan(np.arccos(2 / 3)) / 2
        # h = z q + c.c. with q = (1, -+i)/sqrt 2: h_1 + i h_2 = sqrt 2 z, so |w| = (3/2) sqrt 2 |z|: c_1 = -(1/8) (9/4) 2,
        # l_1 = c_1 / omega
        assert normal_form(flow, [0.0, 0.0], "hopf") == pytest.approx(-(1 / 8) * (9 / 4) * 2 / omega, rel=1e-12)

    @pytest.mark.parametrize("alpha", np.deg2rad([30, 60, 90]))
    def test_map_coefficient(self, alpha):
        k = 2 * (np.sqrt(3 + np.cos(alpha) ** 2) - np.cos(alpha))
        flow = GRUFlow(U_h=rotation(k, alpha))
        mu = 0.5 + 0.25 * k * np.exp(1j * alpha)
        assert abs(mu) == pytest.approx(1.0, abs=1e-14)
        # -(1/4)(1 - cos(theta)/2) for w, and |w|^2 = (k/2)^2 2 |z|^2
        expected = -(1 - mu.real / 2) / 4 * (k / 2) ** 2 * 2
        assert normal_form(flow, [0.0, 0.0], "neimark_sacker") == pytest.approx(expected, rel=1e-12)

    @pytest.mark.parametrize("degrees, k", [(30, 2.14093), (45, 2.32744), (60, 2.60555), (90, 3.46410)])
    def test_the_map_turns_where_its_coefficient_says(self, degrees, k):
        exact = 2 * (np.sqrt(3 + np.cos(np.deg2rad(degrees)) ** 2) - np.cos(np.deg2rad(degrees)))
        assert exact == pytest.approx(k, abs=6e-6)
        for factor, turns in ((1 - 1e-2, False), (1 + 1e-2, True)):
            flow = GRUFlow(U_h=rotation(exact * factor, np.deg2rad(degrees)))
            end = np.linalg.norm(flow.euler([0.05, 0.0], 1.0, 20000))
            assert (end > 1e-3) == turns


@pytest.fixture(scope="module")
def branch():
    return continue_fixed_point(TestFamily.flow, "b_h[1]", (-3, 3), [-0.2122, 0.1380])


class TestFamily:
    flow = GRUFlow(U_h=[[4.5, -2], [10, 0]], b_h=[0.4, 1.2])

    def test_hopf_point(self, branch):
        hopf = of_kind(branch, "hopf")[-1]
        assert hopf.value == pytest.approx(1.66324024354, abs=6e-12)
        assert hopf.frequency == pytest.approx(0.92795, abs=6e-6)
        assert hopf.supercritical

    def test_points_are_fixed_points_and_folds_are_where_they_meet(self, branch):
        """Points of a branch are zeros of the flow, and folds are where two of them meet."""
        for value, state in zip(branch.values[::20], branch.states[::20]):
            assert np.abs(self.flow.replace("b_h[1]", value)(state)).max() < 1e-12
        (fold,) = of_kind(branch, "fold")
        before, after = (len(self.flow.replace("b_h[1]", fold.value + d).fixed_points()) for d in (-1e-3, 1e-3))
        assert abs(after - before) == 2

    def test_cycles_from_the_hopf_point(self, branch):
        """The branch of cycles born at a Hopf point holds cycles of the flow."""
        hopf = of_kind(branch, "hopf")[-1]
        cycles = continue_cycle(self.flow, "b_h[1]", (-3, 3), hopf, max_period=60.0)
        assert cycles.bifurcations == [] and cycles.stable.all()
        assert cycles.values[0] < hopf.value and "homoclinic" in cycles.status.text
        assert cycles.ok and cycles.status.code == "homoclinic"
        assert cycles.values[-1] == pytest.approx(0.91283424755, abs=1e-6)
        # the branch passes through the cycles that integration finds
        for i in (5, len(cycles) // 2):
            own = find_cycle(self.flow.replace("b_h[1]", cycles.values[i]), [-0.2, 0.3])
            assert own.period == pytest.approx(cycles.periods[i], rel=1e-7)
            assert own.multipliers[0] == pytest.approx(cycles.multipliers[i][0], rel=1e-5)

    @pytest.mark.slow
    def test_a_fold_of_cycles(self):
        """Two nested cycles merge at the fold that the branch of cycles passes."""
        # two nested cycles, the inner one unstable: they meet
        flow = GRUFlow(U_h=[[-6, 27], [-7.5, 8.5]], b_h=[-1.6, 1])
        stable = find_cycle(flow, [0.9, 0.9])
        for direction in (1, -1):
            branch = continue_cycle(flow, "b_h[1]", (-3, 3), stable, direction=direction, max_points=150, max_period=100.0)
            folds = of_kind(branch, "cycle_fold")
            if folds:
                break
        assert folds
        fold = folds[0]
        # at the fold the multiplier is 1; the branch that comes back is the unstable one
        around = np.argsort(np.abs(branch.periods - fold.period))[:2]
        assert np.abs(branch.multipliers[around, 0].real - 1).min() < 0.2
        assert (~branch.stable).any()


def test_lyapunov_coefficient_predicts_the_amplitude_with_quadratic_terms():
    """Cycles beside a Hopf point have the radius that its first Lyapunov coefficient says."""
    # r^2 = -Re(lambda) / (l_1 omega) for a generic Hopf point, against the cycle itself
    flow = GRUFlow(U_h=[[4.5, -2], [10, 0]], b_h=[0.4, 1.66324024354])
    point = min((p.state for p in flow.fixed_points()), key=lambda x: abs(x[0] + 0.3333))
    l1 = normal_form(flow, point, "hopf")
    d = 1e-4
    below = flow.replace("b_h[1]", 1.66324024354 - d)
    state = min((p.state for p in below.fixed_points()), key=lambda x: abs(x[0] + 0.3333))
    values, vectors = np.linalg.eig(below.jacobian(state))
    i = int(np.argmax(values.imag))
    # from a circle four times too large: a trajectory would take 1e5 units of time to come in
    circle = from_curve(lambda t: state + 0.04 * (np.exp(1j * values[i].imag * t)[..., None] * vectors[:, i]).real, 6.8)
    cycle = cycle_from_orbit(below, circle)
    assert cycle.stable
    left, rows = np.linalg.eig(below.jacobian(state).T)
    q = vectors[:, i]
    p = rows[:, int(np.argmin(np.abs(left - values[i].conj())))]
    p = p / np.conj(np.conj(p) @ q)
    z = (cycle.states(256) - state) @ p.conj()
    assert np.mean(np.abs(z) ** 2) == pytest.approx(-values[i].real / (l1 * values[i].imag), rel=5e-3)


def test_neutral_saddles_are_no_hopf_points():
    # trace 0 with real eigenvalues: the test function changes sign, nothing turns
    flow = GRUFlow(U_h=[[6.0, 0.0], [0.0, -1.0]])
    branch = continue_fixed_point(flow, "U_h[1,1]", (-4, 1.5), [0.0, 0.0])
    assert of_kind(branch, "hopf") == []
    traces = branch.eigenvalues.sum(axis=1).real
    assert traces.min() < 0 < traces.max()


def test_branches_say_why_they_end():
    flow = GRUFlow(U_h=4.0)
    whole = continue_fixed_point(flow, "b_h[0]", (-1, 1), [0.957])
    assert whole.ok and whole.status.code == "bounds" and str(whole.status) == "b_h[0] reached -1; b_h[0] reached 1"
    assert str(whole.status) in str(whole)
    short = continue_fixed_point(flow, "b_h[0]", (-1, 1), [0.957], max_points=5)
    assert not short.ok and short.status.code == "points" and str(short.status) == "stopped after 5 points"
    cycle = find_cycle(TestFamily.flow, [-0.2, 0.2])
    few = continue_cycle(TestFamily.flow, "b_h[1]", (1.1, 1.3), cycle, max_points=3)
    assert not few.ok and few.status.code == "points" and str(few.status) == "stopped after 3 points"
    bounded = continue_cycle(TestFamily.flow, "b_h[1]", (1.19, 1.22), cycle)
    assert bounded.ok and bounded.status.code == "bounds" and str(bounded.status) == "b_h[1] reached 1.22"
    born = continue_cycle(TestFamily.flow, "b_h[1]", (1.1, 1.8), cycle)
    assert born.ok and born.status.code == "hopf" and "shrinks to a fixed point" in born.status.text


@pytest.mark.parametrize(
    "call, error, match",
    [
        (lambda f: continue_fixed_point(f, "b_h[7]", (0, 1), [0, 0.0]), ValueError, "path"),
        (lambda f: continue_fixed_point(f, "b_h[1]", (2, 3), [0, 0.0]), ValueError, "contain"),
        (lambda f: continue_fixed_point(f, "b_h[1]", (3, -3), [0, 0.0]), ValueError, "low < high"),
        (lambda f: continue_fixed_point(f, "b_h[1]", (-3, 3), [0.0]), ValueError, "state"),
        (lambda f: continue_cycle(f, "b_h[1]", (-3, 3), "hopf"), TypeError, "start"),
        (lambda f: continue_cycle(f, "b_h[1]", (-3, 3), None, direction=0), ValueError, "direction"),
        (lambda f: normal_form(f, [0.0, 0.0], "cusp"), ValueError, "kind"),
    ],
)
def test_bad_arguments(call, error, match):
    with pytest.raises(error, match=match):
        call(TestFamily.flow)
