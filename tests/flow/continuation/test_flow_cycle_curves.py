"""Curves of cycle folds and period doublings in two parameters: closed forms, and multipliers by scipy."""

import numpy as np
import pytest
import sympy as sp
from scipy.integrate import solve_ivp

import gating_theory as gt
from gating_theory.flow import (
    CycleCurve,
    Flow,
    GRUFlow,
    continue_bifurcation,
    continue_cycle,
    continue_fixed_point,
    find_cycle,
    plot_curves,
)

x, y, z, u = sp.symbols("x y z u", real=True)
p, q, a, b, c = sp.symbols("p q a b c", real=True)
RHO = x**2 + y**2
PLANE = ("p[0]", "q[0]")


def rings(name, growth):
    """Circles on which a polynomial of their squared radius vanishes, of period 2 pi."""
    update = [x + x * growth - y, y + y * growth + x]
    cell = gt.Cell(name=name, state=[x, y], fields=[u], messages=[x], update=update, parameters=[p, q])
    return lambda *values: Flow(cell, [[[0.0]]], parameters={"p": [values[0]], "q": [values[1]]})


#: Folds at p = -q^2/4, q > 0, up to the Bautin point p = q = 0.
BAUTIN = rings("bautin_rings", p + q * RHO - RHO**2)
#: Folds at 27 p^2 = 4 q^3, with a cusp.
CUSP = rings("cusp_rings", p + q * (RHO - 1) - (RHO - 1) ** 3)


def branch_of(flow, path, bounds, **options):
    return continue_cycle(flow, path, bounds, find_cycle(flow, [1.0, 1.0, 0.1][: flow.dim]), **options)


def the(branch, kind):
    return next(b for b in branch.bifurcations if b.kind == kind)


@pytest.fixture(scope="module")
def down():
    return branch_of(BAUTIN(0.5, 1.0), "p[0]", (-1, 1), direction=-1)


@pytest.fixture(scope="module")
def folds(down):
    return continue_bifurcation(the(down, "cycle_fold"), PLANE, ((-1, 1), (-1, 3)), max_step=0.05)


def require_parabola(curve):
    assert curve.kind == "cycle_fold" and curve.status.code == "bounds" and curve.ok
    assert curve.errors.max() < 1e-8
    first, second = curve.values.T
    np.testing.assert_allclose(first, -(second**2) / 4, atol=1e-12)
    assert {curve.values[0, 0], curve.values[-1, 0]} == {-1.0, 0.0} and second.min() == 0.0
    # the squared radius is q/2; phases of a coordinate's extreme are on no mesh
    np.testing.assert_allclose(curve.high[:, 0] ** 2, second / 2, rtol=5e-3)
    np.testing.assert_allclose(np.sum(curve.states**2, axis=1), second / 2, atol=1e-9)
    np.testing.assert_allclose(curve.periods, 2 * np.pi, rtol=1e-9)
    np.testing.assert_allclose(curve.multipliers[:, 0], 1.0, atol=1e-7)
    (bautin,) = curve.points
    assert bautin.kind == "bautin" and np.abs(bautin.values).max() < 1e-9


def test_a_parabola_of_folds_from_bounds_to_a_bautin_point(folds):
    require_parabola(folds)


def test_the_same_curve_from_its_bautin_point(down):
    hopf = continue_bifurcation(the(down, "hopf"), PLANE, ((-1, 1), (-1, 3)), max_step=0.2)
    (bautin,) = hopf.points
    require_parabola(continue_bifurcation(bautin, PLANE, ((-1, 1), (-1, 3)), kind="cycle_fold", max_step=0.05))


def test_with_the_axes_exchanged(down):
    other = continue_bifurcation(the(down, "cycle_fold"), PLANE[::-1], {"p[0]": (-1, 1), "q[0]": (-1, 3)}, max_step=0.05)
    first, second = other.values.T
    np.testing.assert_allclose(second, -(first**2) / 4, atol=1e-12)
    assert other.status.code == "bounds" and [point.kind for point in other.points] == ["bautin"]


def test_along_lines(down):
    """Both axes are lines, and the path along which the fold was found is neither of them."""
    start = the(down, "cycle_fold")
    lines = start.flow.along({"p[0]": 2.0}), start.flow.along({"q[0]": -0.5})  # 0 at the start (-1/4, 1)
    curve = continue_bifurcation(start, lines, ((-0.5, 0.5), (-2, 2)), max_step=0.05)
    p_there, q_there = -0.25 + 2.0 * curve.values[:, 0], 1.0 - 0.5 * curve.values[:, 1]
    np.testing.assert_allclose(p_there, -(q_there**2) / 4, atol=1e-12)


def test_a_cusp_is_passed_and_located():
    start = the(branch_of(CUSP(0.5, 0.3), "p[0]", (-0.9, 0.6), direction=-1), "cycle_fold")
    curve = continue_bifurcation(start, PLANE, ((-0.4, 0.4), (-1, 2)), max_step=0.05)
    assert curve.ok and curve.status.code == "bounds" and sorted(curve.values[[0, -1], 0]) == [-0.4, 0.4]
    first, second = curve.values.T
    np.testing.assert_allclose(27 * first**2, 4 * second**3, atol=1e-11)
    (cusp,) = curve.points
    assert cusp.kind == "cycle_cusp" and np.abs(cusp.values).max() < 1e-9 and cusp.error < 1e-9
    # the place along the curve comes from a mesh with a local error of 1e-7; the parameters stand still there
    assert np.linalg.norm(cusp.state) == pytest.approx(1.0, abs=1e-6)


def test_a_closed_curve_of_folds():
    # the growth rho = 1 +- sqrt(1 - p^2 - q^2) is real inside the unit circle, on which the folds lie
    make = rings("closed_rings", 1 - p**2 - q**2 - (RHO - 2) ** 2)
    flow = make(0.5, 0.0)
    start = the(continue_cycle(flow, "p[0]", (-2, 2), find_cycle(flow, [1.2, 1.2])), "cycle_fold")
    curve = continue_bifurcation(start, PLANE, ((-2, 2), (-2, 2)), max_step=0.1)
    assert curve.status.code == "closed" and curve.points == []
    np.testing.assert_allclose(np.sum(curve.values**2, axis=1), 1.0, atol=1e-11)
    np.testing.assert_array_equal(curve.values[0], curve.values[-1])
    angles = np.unwrap(np.arctan2(*curve.values.T))
    assert abs(angles[-1] - angles[0]) == pytest.approx(2 * np.pi, abs=1e-9)


class TestRossler:
    cell = gt.Cell(
        name="Rossler_plane",
        state=[x, y, z],
        fields=[u],
        messages=[x],
        update=[x - y - z, y + x + a * y, z + b + z * (x - c)],
        parameters=[a, b, c],
    )

    def test_multipliers_are_minus_one_by_scipy(self):
        flow = Flow(self.cell, [[[0.0]]], parameters={"a": [0.2], "b": [0.2], "c": [2.5]})
        start = the(branch_of(flow, "c[0]", (2, 3.5), max_step=0.5), "period_doubling")
        curve = continue_bifurcation(start, ("a[0]", "c[0]"), ((0.15, 0.3), (2, 8)), max_step=0.2)
        assert curve.kind == "period_doubling" and curve.ok and curve.status.code == "bounds" and curve.errors.max() < 1e-8
        for place in (1, len(curve) // 2, -2):
            (one, two), state, period = curve.values[place], curve.states[place], curve.periods[place]

            def rate(t, s, a=one, c=two):
                X, Y, Z = s[:3]
                J = np.array([[0, -1, -1], [1, a, 0], [Z, 0, X - c]])
                return np.concatenate([[-Y - Z, X + a * Y, 0.2 + Z * (X - c)], (J @ s[3:].reshape(3, 3)).ravel()])

            run = solve_ivp(rate, (0, period), np.append(state, np.eye(3)), rtol=1e-12, atol=1e-13, method="DOP853").y[:, -1]
            np.testing.assert_allclose(run[:3], state, atol=1e-8)
            values = np.linalg.eigvals(run[3:].reshape(3, 3))
            assert np.abs(values + 1.0).min() < 1e-6 and np.abs(values - 1.0).min() < 1e-6


def test_of_a_gated_network_up_to_a_homoclinic_orbit():
    """From a Bautin point of two units; on it multipliers of scipy's trajectories are 1."""
    flow = GRUFlow(U_h=[[3.5, -3.5], [4.5, 7.0]], b_z=[0.0, 3.0], b_h=[-1.65, 0.155859842654])
    state = min((fixed.state for fixed in flow.fixed_points()), key=lambda s: np.abs(s - [0.66, -0.74]).max())
    paths, bounds = ("b_h[0]", "b_h[1]"), ((-2.0, -1.0), (-1.0, 1.0))
    hopfs = continue_fixed_point(flow, "b_h[0]", (-1.8, -1.6), state, max_points=60).bifurcations
    hopf = continue_bifurcation(next(found for found in hopfs if found.kind == "hopf"), paths, bounds)
    bautin = next(point for point in hopf.points if point.kind == "bautin")
    curve = continue_bifurcation(bautin, paths, bounds, kind="cycle_fold", max_step=0.1)
    assert curve.status.code == "flat" and curve.ok and [point.kind for point in curve.points] == ["bautin"]
    np.testing.assert_allclose(curve.points[0].values, bautin.values, atol=1e-9)
    assert curve.periods.max() > 2.5 * curve.periods.min() and curve.errors.max() < 1e-7
    place = int(np.argmin(np.abs(curve.periods - 60.0)))
    here = flow.with_parameters(dict(zip(paths, map(float, curve.values[place]))))

    def rate(t, s):
        return np.append(here(s[:2]), np.trace(here.jacobian(s[:2])))

    run = solve_ivp(rate, (0, curve.periods[place]), np.append(curve.states[place], 0.0), rtol=1e-11, atol=1e-12).y[:, -1]
    np.testing.assert_allclose(run[:2], curve.states[place], atol=1e-7)
    assert abs(run[2]) < 1e-6  # the logarithm of the multiplier


class TestResult:
    def test_saved_and_printed(self, folds, tmp_path):
        path = tmp_path / "folds.json"
        gt.save(folds, path)
        again = gt.load(path, cell=folds.flow.cell)
        assert isinstance(again, CycleCurve) and str(again) == str(folds)
        np.testing.assert_array_equal(again.values, folds.values)
        assert str(folds).startswith(f"cycle_fold curve, {len(folds)} points, p[0] in [-1, ") and "bautin" in str(folds)

    def test_in_a_picture(self, folds):
        ax = plot_curves(folds)
        np.testing.assert_array_equal(ax.lines[0].get_xydata(), folds.values)
        assert "GH" in [text.get_text() for text in ax.texts]

    def test_what_is_refused(self, folds, down):
        fold = the(down, "cycle_fold")
        with pytest.raises(ValueError, match="kind"):
            continue_bifurcation(fold, PLANE, ((-1, 1), (-1, 2)), kind="hopf")
        with pytest.raises(ValueError, match="bounds must contain"):
            continue_bifurcation(fold, PLANE, ((0.5, 1), (-1, 2)))
        for kind, words in (("torus", "torus"), ("cycle_fold", "orbit")):
            bare = gt.flow.Bifurcation(kind, "p[0]", fold.value, fold.state, fold.flow)
            with pytest.raises(ValueError, match=words):
                continue_bifurcation(bare, PLANE, ((-1, 1), (-1, 2)))

    def test_few_points_and_short_periods(self, down):
        fold = the(down, "cycle_fold")
        short = continue_bifurcation(fold, PLANE, ((-1, 1), (-1, 2)), max_points=4)
        assert short.status.code == "points" and not short.ok and len(short) == 7
        ended = continue_bifurcation(fold, PLANE, ((-1, 1), (-1, 2)), max_period=5.0)
        assert ended.status.code == "period" and ended.ok
