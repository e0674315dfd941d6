"""Every located bifurcation against closed forms and 40-digit arithmetic; every change of the number of fixed points explained."""

from dataclasses import replace
from itertools import pairwise

import mpmath as mp
import numpy as np
import pytest
import sympy as sp
from polynomials import cubic, takens

import gating_theory as gt
from gating_theory.flow import Flow, GRUFlow, continue_fixed_point, normal_form, other_branch

#: Rounding of a value that is compared with an estimated error.
ULP = 1e-15


def only(branch, *kinds):
    found = [b for b in branch.bifurcations if b.kind in kinds]
    assert len(found) == 1, str(branch)
    return found[0]


def agrees(bifurcation, exact):
    """Within its own estimated error, and that below 1e-8 with room."""
    assert bifurcation.error < 1e-9
    assert abs(bifurcation.value - exact) <= bifurcation.error + ULP * abs(exact)
    assert bifurcation.flow.parameter(bifurcation.path) == pytest.approx(exact, abs=1e-11)


class TestBranchPoints:
    def test_from_the_branch_that_crosses(self):
        # this one was located at 1.99165, from the branch that bends
        branch = continue_fixed_point(GRUFlow(U_h=1.9, U_r=3), "U_h[0,0]", (0, 4), [0.93])
        agrees(only(branch, "transcritical"), 2.0)
        agrees(only(branch, "fold"), 1.3401882327943625)

    def test_one_entry_of_a_rotation(self):
        a = np.pi / 6
        U = 1.9 * np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
        branch = continue_fixed_point(GRUFlow(U_h=U), "U_h[0,1]", (-5, 5), [0, 0])
        agrees(only(branch, "pitchfork"), 2 * (U[0, 0] / 2 - 1) ** 2 / (U[1, 0] / 2))

    def test_without_biases(self):
        assert sum(branch_points_agree(seed) for seed in range(6)) >= 5

    @pytest.mark.nightly
    def test_a_hundred_without_biases(self):
        # each seed has one entry, then a common factor
        assert sum(branch_points_agree(seed) for seed in range(6, 120)) >= 100

    @pytest.mark.parametrize("distance", [1e-3, 1e-5])
    def test_two_close_to_each_other(self, distance):
        flow = GRUFlow(U_h=np.diag([2.0, 2.0 + distance]))
        branch = continue_fixed_point(flow, "gain.h", (0, 1.7), [0, 0])
        assert [b.kind for b in branch.bifurcations] == ["pitchfork", "pitchfork"]
        for b, exact in zip(branch.bifurcations, (2 / (2 + distance), 1.0)):
            agrees(b, exact)

    @pytest.mark.parametrize("bounds", [(0, 2), (2, 4), (0, 4)])
    def test_at_the_bounds_and_at_a_mesh_point(self, bounds):
        # max_step 0.5 and a first step of 0.1 from 1 put points at 2 - 1e-16 or so; bounds at 2 put one there
        start = max(1.0, bounds[0])
        for max_step in (0.05, 0.5):
            branch = continue_fixed_point(GRUFlow(U_h=start), "U_h[0,0]", bounds, [0.0], max_step=max_step)
            assert branch.ok
            agrees(only(branch, "pitchfork"), 2.0)

    @pytest.mark.parametrize("b_z", [23.0, [0.0, 23.0]])
    def test_shut_gates(self, b_z):
        # 1 - z = 1e-10 changes speeds, not where branches cross
        U = np.array([[1.9, 0.3], [0.4, 1.2]])
        flow = GRUFlow(U_h=U, b_z=np.broadcast_to(b_z, 2))
        branch = continue_fixed_point(flow, "gain.h", (0, 3), [0, 0])
        exact = np.sort(2 / np.linalg.eigvals(U))
        assert [b.kind for b in branch.bifurcations] == ["pitchfork", "pitchfork"]
        for b, value in zip(branch.bifurcations, exact):
            agrees(b, value)
        slow = continue_fixed_point(GRUFlow(U_h=1.9, U_r=3, b_z=23), "U_h[0,0]", (0, 4), [0.93])
        agrees(only(slow, "transcritical"), 2.0)

    @pytest.mark.parametrize("bias", [1e-2, 1e-5, 1e-10])
    def test_an_unfolded_pitchfork_is_none(self, bias):
        # the branch bends away; a long step would jump across the gap
        branch = continue_fixed_point(GRUFlow(U_h=1.0, b_h=bias), "U_h[0,0]", (0, 4), [0.0])
        assert branch.ok and branch.bifurcations == [] and branch.stable.all()
        assert branch.states[-1, 0] == pytest.approx(0.957504, abs=2e-3)
        assert (np.diff(branch.values) > 0).all()


def branch_points_agree(seed):
    """The branch points of the zero state of a random network, against det(U_h/2 - 1) = 0; their number."""
    rng = np.random.default_rng([2, seed])
    U = rng.normal(size=(2, 2)) * rng.choice([2.0, 4.0, 8.0])
    U_z, U_r = 3 * rng.normal(size=(2, 2, 2))
    flow = GRUFlow(U_z=U_z, U_r=U_r, U_h=U)
    i, j = rng.integers(2, size=2)
    other = U / 2 - np.eye(2)
    # det is linear in one entry: its cofactor times what it must be
    cofactor, rest = other[1 - i, 1 - j], other[i, 1 - j] * other[1 - i, j]
    ways = {f"U_h[{i},{j}]": [2 * (rest / cofactor + (i == j))]}
    ways["gain.h"] = [2 / x.real for x in np.linalg.eigvals(U) if x.imag == 0 and x.real > 0]
    number = 0
    for path, values in ways.items():
        own = flow.parameter(path)
        values = [v for v in values if abs(v - own) < 5]
        if values:
            bounds = min([own, *values]) - 0.1, max([own, *values]) + 0.1
            branch = continue_fixed_point(flow, path, bounds, [0, 0], max_step=rng.choice([0.05, 0.2]))
            found = sorted((b for b in branch.bifurcations if b.kind in ("pitchfork", "transcritical")), key=lambda b: b.value)
            assert len(found) >= len(values), f"{flow!r} {branch}"
            for value in values:
                agrees(min(found, key=lambda b: abs(b.value - value)), value)
            number += len(values)
    return number


class TestSeveralAtOnce:
    @pytest.mark.parametrize("n", [2, 3])
    def test_of_equal_units(self, n):
        branch = continue_fixed_point(GRUFlow(U_h=np.eye(n)), "gain.h", (-7, 3), np.zeros(n))
        flip, several = branch.bifurcations
        assert (flip.kind, several.kind) == ("flip", "multiple")
        agrees(flip, -6.0)
        agrees(several, 2.0)
        assert np.isnan(flip.coefficient) and flip.supercritical is None

    def test_all_branches_of_a_symmetric_pitchfork(self):
        branch = continue_fixed_point(GRUFlow(U_h=1.9 * np.eye(2)), "gain.h", (0.5, 1.5), [0, 0])
        sides = other_branch(only(branch, "multiple"), branch, (0.5, 1.5))
        # 9 fixed points above: each unit at 0 or at one of two values
        ends = np.array(sorted(s.states[-1].round(10).tolist() for s in sides))
        x = mp.findroot(lambda h: mp.tanh(2.85 / 2 * h) - h, 0.8)
        expected = [(a, b) for a in (-x, 0, x) for b in (-x, 0, x) if (a, b) != (0, 0)]
        np.testing.assert_allclose(ends, np.array(expected, dtype=float), atol=1e-8)

    def test_a_double_zero_with_one_eigenvector(self):
        # Bogdanov-Takens with symmetry: trace and determinant of J vanish together, and there is no Hopf point
        flow = GRUFlow(U_h=[[3, -1], [1, 1.5]])
        branch = continue_fixed_point(flow, "U_h[1,1]", (-1, 2), [0, 0])
        point = only(branch, "pitchfork")
        agrees(point, 1.0)
        assert np.isnan(point.coefficient) and point.supercritical is None and "critical" not in str(point)
        with pytest.raises(ValueError, match="double eigenvalue"):
            normal_form(point.flow, point.state, "pitchfork")


class TestStarts:
    @pytest.mark.parametrize("guess", [0.0, 1e-3])
    def test_on_a_pitchfork(self, guess):
        branch = continue_fixed_point(GRUFlow(U_h=2.0), "U_h[0,0]", (0, 4), [guess])
        assert branch.ok and (branch.values.min(), branch.values.max()) == (0, 4)
        fork = only(branch, "pitchfork")
        agrees(fork, 2.0)
        sides = other_branch(fork, branch, (0, 4))
        ends = sorted(s.states[-1, 0] for s in sides)
        assert ends == pytest.approx([-0.9575040240772687, 0.9575040240772687], abs=1e-9)

    def test_on_a_transcritical_point(self):
        branch = continue_fixed_point(GRUFlow(U_h=2.0, U_r=3.0), "U_h[0,0]", (0.5, 4), [0.0])
        cross = only(branch, "transcritical")
        agrees(cross, 2.0)
        (fold,) = (b for side in other_branch(cross, branch, (0.5, 4)) for b in side.bifurcations)
        agrees(fold, 1.3401882327943625)

    def test_on_a_fold(self):
        exact = np.sqrt(2) - np.arcsinh(1)
        for bounds in ((-1, 1), (-exact, exact)):
            branch = continue_fixed_point(GRUFlow(U_h=4.0, b_h=exact), "b_h[0]", bounds, [-0.7])
            assert branch.ok and np.ptp(branch.states) > 1.8
            assert sorted(round(b.value, 12) for b in branch.bifurcations) == [-round(exact, 12), round(exact, 12)]

    def test_on_a_symmetric_pitchfork(self):
        branch = continue_fixed_point(GRUFlow(U_h=2 * np.eye(2)), "gain.h", (0, 1.2), [0, 0])
        several = only(branch, "multiple")
        agrees(several, 1.0)
        assert len(other_branch(several, branch, (0, 1.2))) == 8

    def test_many_units_without_a_closed_form(self):
        """Eight units of a cell without a closed form bifurcate where an eigenvalue of their matrix says."""
        # nothing is proved on the way, so neither the number of units nor the cell matters
        n = 8
        U = 0.5 * np.eye(n) + 0.05 * np.random.default_rng(0).normal(size=(n, n))
        exact = 1 / max(x.real for x in np.linalg.eigvals(U) if x.imag == 0)
        branch = continue_fixed_point(without_closed_form(U), "gain.y", (1, exact + 0.01), np.zeros(n))
        last = [b for b in branch.bifurcations if b.kind == "pitchfork"]
        agrees(min(last, key=lambda b: abs(b.value - exact)), exact)


def cusp(b, c):
    """s' = b + c s - s^3; b is "b_l[0]", c is "U_k[0,0]"."""
    return cubic(U_l=[[0]], b_l=[b], U_k=[[c]], U_p=[[-1]], U_q=[[1]], U_r=[[1]])


def circle(p):
    """s^2 + p^2 = 1 with the second unit at p^2; p is both "b_p[1]" and "b_q[1]"."""
    parts = {"U_p": [[-1, 0], [0, 0]], "b_p": [0, p], "U_q": [[1, 0], [0, 0]], "b_q": [0, p], "b_r": [1, 1]}
    return cubic(U_l=[[0, -1], [0, -1]], b_l=[1, 0], **parts)


class TestSiblings:
    @pytest.mark.parametrize("c", [1e-1, 1e-3, 1e-6])
    def test_two_folds_within_one_step(self, c):
        branch = continue_fixed_point(cusp(0.5, c), "b_l[0]", (-1, 1), [0.8])
        folds = [b for b in branch.bifurcations if b.kind == "fold"]
        exact = 2 * (c / 3) ** 1.5
        assert len(folds) == 2
        for b, value in zip(folds, (exact, -exact)):
            agrees(b, value)

    @pytest.mark.parametrize("start", [(0.5, 0.7937), (0.0, 0.0), (0.0, 0.01)])
    def test_through_a_cusp_nothing_is_born(self, start):
        branch = continue_fixed_point(cusp(start[0], 0.0), "b_l[0]", (-1, 1), [start[1]])
        assert branch.ok and {b.kind for b in branch.bifurcations} == {"flip"}
        assert np.ptp(branch.values) == 2.0

    def test_a_closed_curve_is_followed_once(self):
        branch = continue_fixed_point(circle(0.0), "b_p[1]=b_q[1]", (-3, 3), [1.0, 0.0])
        assert branch.status.code == "closed" and len(branch) < 2 * np.pi / 0.025
        # the multiplier 1 - 2 s only touches -1
        assert [b.kind for b in branch.bifurcations] == ["fold", "fold"]
        assert sorted(b.value for b in branch.bifurcations) == pytest.approx([-1, 1], abs=1e-13)

    def test_bogdanov_takens_is_no_hopf_point(self):
        for start in (-0.2, 0.0):
            branch = continue_fixed_point(takens(start, 0.0), "b_l[1]", (-1, 1), [-np.sqrt(-start), 0.0])
            fold = only(branch, "fold", "hopf", "neimark_sacker")
            agrees(fold, 0.0)
        beside = continue_fixed_point(takens(-0.2, -0.01), "b_l[1]", (-1, 1), [0.005 - np.sqrt(0.2 + 0.01**2 / 4), 0.0])
        hopf = only(beside, "hopf")
        agrees(hopf, 0.0)
        assert hopf.frequency == pytest.approx(0.1, abs=1e-9)

    @pytest.mark.parametrize("k, bounds", [(2.0, (0.5, 1.5)), (1.0, (0.5, 2.0)), (1.6, (1.0, 1.25))])
    def test_hopf_points_at_starts_and_ends(self, k, bounds):
        branch = continue_fixed_point(GRUFlow(U_h=k * np.array([[1, -1], [1, 1]])), "gain.h", bounds, [0, 0])
        hopf = only(branch, "hopf")
        agrees(hopf, 2 / k)
        assert hopf.frequency == pytest.approx(0.5, abs=1e-12)

    def test_two_pairs_at_once(self):
        branch = continue_fixed_point(GRUFlow(U_h=np.kron(np.eye(2), [[1, -1], [1, 1]])), "gain.h", (0.5, 3), np.zeros(4))
        hopf = only(branch, "hopf")
        agrees(hopf, 2.0)
        assert np.isnan(hopf.coefficient) and hopf.supercritical is None


def without_closed_form(U):
    """(tanh(U s) - s)/2 as a flow of an own cell that is not told where it rests."""
    s, y = sp.symbols("s y", real=True)
    cell = gt.Cell(name="half-leak", state=[s], fields=[y], messages=[s], update=[(s + sp.tanh(y)) / 2])
    assert cell.closed_form is None
    return Flow(cell, {"y": U})


# --- all kinds against 40 digits


def critical_equations(bifurcation, step):
    """The equations of a bifurcation of a two-unit GRU, written down again: functions of both states and the parameter."""
    flow = bifurcation.flow
    start, rates = flow.flat, flow.rates(bifurcation.path)

    def sigma(x):
        return 1 / (1 + mp.exp(-x))

    def equations(h1, h2, value):
        h = [h1, h2]
        flat = [mp.mpf(float(a)) + (value - mp.mpf(bifurcation.value)) * mp.mpf(float(r)) for a, r in zip(start, rates)]
        fields = flow.cell.field_names
        U = {name: [flat[4 * k : 4 * k + 2], flat[4 * k + 2 : 4 * k + 4]] for k, name in enumerate(fields)}
        b = {name: flat[12 + 2 * k : 14 + 2 * k] for k, name in enumerate(fields)}
        z, r = ([sigma(sum(U[k][i][j] * h[j] for j in (0, 1)) + b[k][i]) for i in (0, 1)] for k in "zr")
        t = [mp.tanh(sum(U["h"][i][j] * r[j] * h[j] for j in (0, 1)) + b["h"][i]) for i in (0, 1)]
        message = [[r[k] * (k == j) + h[k] * r[k] * (1 - r[k]) * U["r"][k][j] for j in (0, 1)] for k in (0, 1)]
        J = mp.matrix(2, 2)
        for i in (0, 1):
            for j in (0, 1):
                inner = sum(U["h"][i][k] * message[k][j] for k in (0, 1))
                J[i, j] = (1 - z[i]) * ((1 - t[i] ** 2) * inner - (i == j))
        one = mp.eye(2)
        condition = {
            "fold": lambda: (J[0, 0] * J[1, 1] - J[0, 1] * J[1, 0]) / ((1 - z[0]) * (1 - z[1])),
            "hopf": lambda: J[0, 0] + J[1, 1],
            "neimark_sacker": lambda: mp.det(one + step * J) - 1,
            "flip": lambda: mp.det(2 * one + step * J),
        }[bifurcation.kind]()
        return [t[0] - h1, t[1] - h2, condition]

    return equations


def agrees_with_40_digits(seed):
    rng = np.random.default_rng([3, seed])
    flow, path, bounds = random_path(rng)
    step = float(rng.choice([0.5, 1.0, 1.5]))
    branch = continue_fixed_point(flow, path, bounds, flow.fixed_points()[0].state, step=step)
    for b in branch.bifurcations:
        with mp.workdps(40):
            start = [*map(float, b.state), b.value]
            exact = mp.findroot(critical_equations(b, step), start, tol=1e-60, maxsteps=60)
            off = abs(float(exact[2] - mp.mpf(b.value)))
        # what a flow holds of a line's entries is rounded
        assert off <= b.error + 4 * ULP * max(1.0, np.abs(b.flow.flat).max()), f"{flow!r} {path} {b}: off by {off:.3g}"
        assert b.error < 1e-8, f"{flow!r} {path} {b}"
    return {b.kind for b in branch.bifurcations}


def random_path(rng):
    """A random two-unit GRU with all weights, a path through its parameters, and a range of it."""
    scale = rng.choice([2.0, 5.0, 10.0])
    weights = {f"U_{k}": scale * rng.normal(size=(2, 2)) for k in "zrh"}
    weights |= {f"b_{k}": scale / 4 * rng.normal(size=2) for k in "zrh"}
    flow = GRUFlow(**weights)
    way = rng.integers(4)
    if way == 0:
        return flow, flow.along("gain.h"), (0.3, 2.0)
    if way == 1:
        return flow, flow.along({"b_h[0]": 1.0, "U_r[1,0]": -0.7, "b_r[1]": 0.5}), (-3.0, 3.0)
    i, j = rng.integers(2, size=2)
    path, reach = (f"U_h[{i},{j}]", 4.0) if way == 2 else (f"b_{rng.choice(['r', 'h'])}[{i}]", 3.0)
    return flow, path, (flow.parameter(path) - reach, flow.parameter(path) + reach)


def test_all_kinds_against_40_digits():
    """Bifurcations of random flows lie where their equations, solved with 40 digits, have them, within the stated errors."""
    assert set().union(*(agrees_with_40_digits(seed) for seed in range(5))) >= {"fold"}


@pytest.mark.nightly
def test_more_against_40_digits():
    assert set().union(*(agrees_with_40_digits(seed) for seed in range(5, 80))) == {"fold", "hopf", "neimark_sacker", "flip"}


def starts_on(seed):
    """A branch through each located bifurcation of a random branch, from states at and beside it; the number of starts."""
    rng = np.random.default_rng([21, seed])
    flow, path, bounds = random_path(rng)
    branch = continue_fixed_point(flow, path, bounds, flow.fixed_points()[0].state)
    for b in branch.bifurcations:
        for off in (0.0, 1e-5, 1e-3):
            again = continue_fixed_point(b.flow, b.path, bounds, b.state + off * rng.normal(size=2))
            assert again.ok
            # beside a fold the square root of rounding errors
            same = [c for c in again.bifurcations if c.kind == b.kind and np.abs(c.state - b.state).max() < 1e-6]
            assert [c.value for c in same] == pytest.approx([b.value], abs=1e-9), f"{flow!r} {path} {b} {again}"
    return 3 * len(branch.bifurcations)


def test_a_start_on_any_bifurcation():
    assert sum(starts_on(seed) for seed in range(2)) > 0


@pytest.mark.nightly
def test_more_starts_on_bifurcations():
    assert sum(starts_on(seed) for seed in range(4, 60)) > 100


# --- every change of the number of fixed points


def unexplained(seed, n_values=41):
    """Changes of the proved number of fixed points along a random path that are not those of the folds of its branches."""
    flow, path, bounds = random_path(np.random.default_rng([14, seed]))
    counts, branches = [], []
    values = np.linspace(*bounds, n_values)
    for value in values:
        here = flow.replace(path, value)
        points = here.fixed_points()
        assert points.complete
        counts.append(len(points))
        for p in points:
            if all(distance(branch, p.state, value) > 2e-3 for branch in branches):
                branches.append(continue_fixed_point(here, path, bounds, p.state))
                assert branches[-1].ok, f"{flow!r} {path} {branches[-1]}"
    changes = {}
    for branch in branches:
        for b in branch.bifurcations:
            assert b.kind in ("fold", "hopf", "neimark_sacker", "flip"), f"generic networks have no {b}"
            if b.kind == "fold":
                # the two fixed points that meet there are on the side of the branch
                nearest = np.argsort(np.linalg.norm(branch.states - b.state, axis=1) + np.abs(branch.values - b.value))[:2]
                changes[round(b.value, 8)] = 2 if branch.values[nearest].mean() > b.value else -2
    out = []
    for (low, high), (before, after) in zip(pairwise(values), pairwise(counts)):
        expected = sum(change for value, change in changes.items() if low < value < high)
        if after - before != expected:
            out.append((seed, f"{path}", low, high, before, after, expected))
    return out, len(set(counts)) > 1


def distance(branch, state, value):
    """From a fixed point to the polygon of a branch."""
    points, target = np.column_stack([branch.states, branch.values]), np.append(state, value)
    chords = np.diff(points, axis=0)
    share = np.clip(np.einsum("ij,ij->i", target - points[:-1], chords) / (chords**2).sum(axis=1), 0, 1)
    return np.linalg.norm(points[:-1] + share[:, None] * chords - target, axis=1).min()


@pytest.mark.parametrize("seed", [4, 12])
def test_changes_of_the_number_of_fixed_points(seed):
    assert unexplained(seed) == ([], True)


@pytest.mark.nightly
def test_changes_along_forty_paths():
    results = [unexplained(seed) for seed in range(100, 140)]
    assert [x for out, _ in results for x in out] == []
    assert sum(changed for _, changed in results) > 10


# --- what a bifurcation is


def test_along_a_line_it_is_saved_printed_and_drawn(tmp_path):
    branch = continue_fixed_point(GRUFlow(U_h=np.diag([1.0, 0.5])), "gain.h", (0, 3), [0, 0])
    (fork,) = branch.bifurcations
    assert str(fork).startswith("pitchfork at gain.h = 2, state (0, 0)")
    gt.save(fork, tmp_path / "fork.json")
    back = gt.load(tmp_path / "fork.json")
    assert back.path == fork.path and back.error == fork.error and back.flow == fork.flow
    ax = gt.flow.plot_bifurcations(branch)
    assert ax.get_xlabel() == "factor of $U^{h}$"


def test_an_error_worth_saying_is_printed():
    branch = continue_fixed_point(GRUFlow(U_h=1.0), "U_h[0,0]", (0, 4), [0.0])
    (fork,) = branch.bifurcations
    assert "good to" not in str(fork)
    assert "value good to 3e-06" in str(replace(fork, error=3e-6))
