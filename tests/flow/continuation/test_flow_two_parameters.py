"""Curves of bifurcations and points of codimension two: textbook normal forms moved and bent, closed forms, determinants."""

import numpy as np
import pytest
import sympy as sp

import gating_theory as gt
from gating_theory.errors import ConvergenceError
from gating_theory.flow import Flow, GRUFlow, continue_bifurcation, continue_fixed_point, plot_curves
from gating_theory.flow.continuation.reduction import on_focus

B1, B2 = sp.symbols("b1 b2", real=True)
PATHS = ("b1[0]", "b2[0]")
#: Long steps where only the points on a curve count.
LONG = {"max_step": 0.08}
#: Where the normal forms are put: plane and states are shifted and sheared, so that nothing is at 0 or on a coordinate line.
AT = (0.1, 0.2)
MU1 = B1 - AT[0] + sp.Rational(3, 10) * (B2 - AT[1])
MU2 = B2 - AT[1] - sp.Rational(2, 5) * (B1 - AT[0])


def one_unit(name, symbols, field):
    """A flow of one unit whose vector field is ``field``, by its two site parameters; fixed points have no closed form."""
    heard = sp.Symbol("y_k", real=True)
    update = [s + f for s, f in zip(symbols, field)]
    parameters = [B1, B2]
    cell = gt.Cell(name=name, state=symbols, fields={"k": heard}, messages=[symbols[0]], update=update, parameters=parameters)
    return lambda b1, b2: Flow(cell, {"k": [[0.0]]}, parameters={"b1": [b1], "b2": [b2]})


def first(flow, path, bounds, state, kind):
    branch = continue_fixed_point(flow, path, bounds, state)
    return next(b for b in branch.bifurcations if b.kind == kind)


def the(curve, kind):
    (point,) = [p for p in curve.points if p.kind == kind]
    return point


def require_place(point):
    """At the known place, and the stated error holds."""
    assert point.error < 1e-8
    assert np.abs(point.values - AT).max() <= point.error + 1e-15


class TestNormalForms:
    def test_cusp(self):
        x = sp.Symbol("x", real=True)
        u = x - sp.Rational(3, 10)
        make = one_unit("cusp", [x], [(MU1 + MU2 * u - u**3) / (1 + u**2 / 4)])
        fold = first(make(0.1, 1.0), "b1[0]", (-0.6, 1.2), [-0.8], "fold")
        curve = continue_bifurcation(fold, PATHS, ((-1, 1), (-1, 1.5)), **LONG)
        assert curve.ok and curve.status.code == "bounds"
        cusp = the(curve, "cusp")
        require_place(cusp)
        assert cusp.state == pytest.approx([0.3], abs=1e-8)
        assert cusp.coefficients["cubic"] == pytest.approx(-1.0, abs=1e-9)
        mu1, mu2 = (np.array([float(m.subs({B1: a, B2: b})) for a, b in curve.values]) for m in (MU1, MU2))
        np.testing.assert_allclose(27 * mu1**2, 4 * mu2**3, atol=1e-12)
        sides = np.sign(curve.coefficient[np.abs(curve.coefficient) > 1e-9])
        assert (np.diff(sides) != 0).sum() == 1

    @pytest.mark.parametrize("sign", [1, -1])
    def test_bogdanov_takens(self, sign):
        """The known Bogdanov-Takens point of a bent normal form, and the curves that leave it."""
        x, y = sp.symbols("x y", real=True)
        u, v = x - sp.Rational(3, 10), y + sp.Rational(1, 5)
        make = one_unit(f"BT{sign}", [x, y], [v, MU1 + MU2 * u + u**2 + sign * u * v])
        # at b2 = -0.8: mu1 = b1 - 0.4, mu2 = -1 - 0.4 (b1 - 0.1); Hopf where u = 0, mu1 = 0
        branch = continue_fixed_point(make(0.2, -0.8), "b1[0]", (-1, 1.5), [0.3 - 0.17, -0.2])
        bounds = ((-2, 2), (-2, 2))
        hopf, fold = (next(b for b in branch.bifurcations if b.kind == kind) for kind in ("hopf", "fold"))
        curve = continue_bifurcation(hopf, PATHS, bounds, **LONG)
        assert curve.ok and len(curve.points) == 1
        point = the(curve, "bogdanov_takens")
        require_place(point)
        assert point.coefficients == pytest.approx({"a": 1.0, "b": float(sign)}, abs=1e-7)
        np.testing.assert_array_equal(curve.values[[0, -1]][np.argmin(np.abs(curve.values[[0, -1]] - AT).max(1))], point.values)
        # b > 0: the cycle is unstable
        assert (curve.supercritical[np.isfinite(curve.coefficient)] == (sign < 0)).all()
        other = the(continue_bifurcation(fold, PATHS, bounds, **LONG), "bogdanov_takens")
        require_place(other)
        # both curves leave the point again
        again = continue_bifurcation(point, PATHS, bounds, **LONG)
        assert again.kind == "hopf" and again.ok and len(again.points) == 1
        require_place(the(again, "bogdanov_takens"))
        fold_curve = continue_bifurcation(point, PATHS, bounds, kind="fold", **LONG)
        require_place(the(fold_curve, "bogdanov_takens"))
        mu1, mu2 = (np.array([float(m.subs({B1: a, B2: b})) for a, b in fold_curve.values]) for m in (MU1, MU2))
        np.testing.assert_allclose(4 * mu1, mu2**2, atol=1e-11)

    def test_bautin_in_bent_coordinates(self):
        """The known Bautin point of a bent normal form, with its second Lyapunov coefficient."""
        x, y = sp.symbols("x y", real=True)
        # x and v = y + x^2/4 obey the normal form: the second coefficient is the same in x and y
        v = y + x**2 / 4
        r2 = x**2 + v**2
        radial = MU1 + MU2 * r2 + r2**2
        speed = radial * x - v
        make = one_unit("Bautin", [x, y], [speed, x + radial * v - speed * x / 2])
        hopf = first(make(0.0, -0.5), "b1[0]", (-0.5, 0.8), [0.0, 0.0], "hopf")
        curve = continue_bifurcation(hopf, PATHS, ((-1, 1), (-1, 1)), **LONG)
        assert curve.ok
        point = the(curve, "bautin")
        require_place(point)
        # |q| = 1 makes u + i v = sqrt 2 z: the coefficient of z |z|^4 is 4 times that of w |w|^4
        assert point.coefficients == pytest.approx({"second_lyapunov": 4.0, "frequency": 1.0}, abs=1e-7)
        mu2 = np.array([float(MU2.subs({B1: a, B2: b})) for a, b in curve.values])
        np.testing.assert_allclose(curve.coefficient, 2.0 * mu2, atol=1e-8)

    def test_fold_hopf(self):
        x, y, z = sp.symbols("x y z", real=True)
        make = one_unit("ZH", [x, y, z], [MU2 * x - y + x * z, x + MU2 * y + y * z, MU1 + z**2 - x**2 - y**2])
        hopf = first(make(-0.6, 0.5), "b1[0]", (-1.5, 0.0), [0, 0, -0.8], "hopf")
        curve = continue_bifurcation(hopf, PATHS, ((-1, 1), (-1, 1)), **LONG)
        point = the(curve, "fold_hopf")
        require_place(point)
        assert point.coefficients["frequency"] == pytest.approx(1.0, abs=1e-9)
        require_place(the(continue_bifurcation(point, PATHS, ((-1, 1), (-1, 1)), kind="fold", **LONG), "fold_hopf"))

    def test_hopf_hopf(self):
        x, y, u, v = sp.symbols("x y u v", real=True)
        r, s, w = MU1 - x**2 - y**2, MU2 - u**2 - v**2, sp.Rational(17, 10)
        make = one_unit("HH", [x, y, u, v], [r * x - y, x + r * y, s * u - w * v, w * u + s * v])
        hopf = first(make(-0.5, 0.5), "b1[0]", (-0.9, 0.3), np.zeros(4), "hopf")
        point = the(continue_bifurcation(hopf, PATHS, ((-1, 1), (-1, 1)), **LONG), "hopf_hopf")
        require_place(point)
        assert point.coefficients == pytest.approx({"frequency_1": 1.0, "frequency_2": 1.7}, abs=1e-9)
        with pytest.raises(ValueError, match="one curve through it"):
            continue_bifurcation(point, PATHS, ((-1, 1), (-1, 1)))


class TestMaps:
    """Normal forms of maps: the flow's Euler map of step 1 is the cell's own step."""

    bounds = ((-1, 1), (-1, 1))

    def test_generalized_flip(self):
        x = sp.Symbol("x", real=True)
        u = x - sp.Rational(3, 10)
        make = one_unit("GF", [x], [-u - (1 + MU1) * u + MU2 * u**3 + u**5])
        # on the flip MU1 = 0: -u + MU2 u^3 has the coefficient MU2
        flip = first(make(0.0, 0.6), "b1[0]", (-0.6, 0.6), [0.3], "flip")
        curve = continue_bifurcation(flip, PATHS, self.bounds, **LONG)
        mu2 = np.array([float(MU2.subs({B1: a, B2: b})) for a, b in curve.values])
        np.testing.assert_allclose(curve.coefficient, mu2, atol=1e-10)
        require_place(the(curve, "generalized_flip"))

    def test_chenciner(self):
        x, y = sp.symbols("x y", real=True)
        c, s, r2 = sp.Rational(3, 5), sp.Rational(4, 5), x**2 + y**2
        factor = 1 + MU1 + MU2 * r2 + r2**2
        make = one_unit("Chenciner", [x, y], [factor * (c * x - s * y) - x, factor * (s * x + c * y) - y])
        turn = first(make(0.0, -0.4), "b1[0]", (-0.6, 0.8), [0.0, 0.0], "neimark_sacker")
        curve = continue_bifurcation(turn, PATHS, self.bounds, **LONG)
        # |q| = 1: w = sqrt 2 z
        mu2 = np.array([float(MU2.subs({B1: a, B2: b})) for a, b in curve.values])
        np.testing.assert_allclose(curve.coefficient, 2.0 * mu2, atol=1e-9)
        require_place(the(curve, "chenciner"))

    def test_resonance_1_2(self):
        x, y = sp.symbols("x y", real=True)
        u, v = x - sp.Rational(3, 10), y + sp.Rational(1, 5)
        make = one_unit("R2", [x, y], [-u + v - u, -MU1 * u + (MU2 - 1) * v + u**3 / 2 - v])
        flip = first(make(0.5, 0.5), "b1[0]", (-0.9, 0.9), [0.3, -0.2], "flip")
        point = the(continue_bifurcation(flip, PATHS, self.bounds, **LONG), "resonance_1_2")
        require_place(point)
        # multipliers are of modulus 1 where MU1 = MU2, and complex above
        turning = continue_bifurcation(point, PATHS, self.bounds, **LONG)
        assert turning.kind == "neimark_sacker" and turning.ok
        require_place(the(turning, "resonance_1_2"))
        mu1, mu2 = (np.array([float(m.subs({B1: a, B2: b})) for a, b in turning.values]) for m in (MU1, MU2))
        np.testing.assert_allclose(mu1, mu2, atol=1e-11)
        assert (mu1 > -1e-11).all()


@pytest.fixture(scope="module")
def fold():
    """Of one unit of gain 4, along its bias."""
    return first(GRUFlow(U_h=4.0), "b_h[0]", (-1, 1), [0.957], "fold")


class TestOneUnit:
    def test_fold_curve_and_cusp(self, fold):
        curve = continue_bifurcation(fold, ("U_h[0,0]", "b_h[0]"), {"U_h[0,0]": (1, 8), "b_h[0]": (-3, 3)})
        u, b = curve.values.T
        h = np.sqrt(np.maximum(0.0, 1.0 - 2.0 / u))
        np.testing.assert_allclose(np.abs(b), np.abs(np.arctanh(h) - u * h / 2), atol=1e-10)
        at_4 = np.abs(b[np.argmin(np.abs(u - 4.0))])
        assert at_4 == pytest.approx(np.sqrt(2) - np.arcsinh(1), abs=0.05)
        cusp = the(curve, "cusp")
        assert np.abs(cusp.values - [2.0, 0.0]).max() <= cusp.error + 1e-15 and cusp.error < 1e-8
        # (tanh(h) - h)/2 at U = 2
        assert cusp.coefficients["cubic"] == pytest.approx(-1 / 6, abs=1e-9)

    def test_a_pitchfork_is_the_cusp_of_the_folds_that_unfold_it(self):
        fork = first(GRUFlow(U_h=1.0), "U_h[0,0]", (0, 4), [0.0], "pitchfork")
        plane = ("U_h[0,0]", "b_h[0]"), ((0, 5), (-1, 1))
        with pytest.raises(ValueError, match="does not persist in U_h.0,0. and b_h.0.: they break the symmetry"):
            continue_bifurcation(fork, *plane)
        cusp = the(continue_bifurcation(fork, *plane, kind="fold"), "cusp")
        assert np.abs(cusp.values - [2.0, 0.0]).max() <= cusp.error + 1e-15
        assert cusp.coefficients["cubic"] == pytest.approx(fork.coefficient, abs=1e-7)

    def test_slow_gates_change_nothing(self):
        # fixed points do not depend on the update gate: a shut one makes the row of the Jacobian 1e-9 times smaller
        slow = first(GRUFlow(U_h=4.0, b_z=20.0), "b_h[0]", (-1, 1), [0.957], "fold")
        curve = continue_bifurcation(slow, ("U_h[0,0]", "b_h[0]"), ((1, 8), (-3, 3)))
        assert np.abs(the(curve, "cusp").values - [2.0, 0.0]).max() < 1e-8

    def test_flips_of_the_map(self):
        flip = first(GRUFlow(U_h=-5.0), "U_h[0,0]", (-8, -4), [0.0], "flip")
        curve = continue_bifurcation(flip, ("U_h[0,0]", "b_z[0]"), ((-20, -2), (-2, 2)))
        # multiplier 1 + (1 - z)(u/2 - 1) = -1
        open_part = 1.0 / (1.0 + np.exp(curve.values[:, 1]))
        np.testing.assert_allclose(curve.values[:, 0], 2.0 - 4.0 / open_part, atol=1e-10)
        assert curve.supercritical.all() and curve.ok


@pytest.fixture(scope="module")
def curve():
    flow = GRUFlow(U_h=[[4.5, -2], [10, 0]], b_h=[0.4, 1.2])
    hopf = first(flow, "b_h[1]", (1, 3), [-0.2122, 0.1380], "hopf")
    assert hopf.value == pytest.approx(1.66324024354, abs=6e-12)
    return continue_bifurcation(hopf, *TestTwoUnits.plane)


class TestTwoUnits:
    plane = ("b_h[0]", "b_h[1]"), ((-3, 3), (-6, 6))

    def test_hopf_curve(self, curve):
        assert curve.ok and [p.kind for p in curve.points] in (["bogdanov_takens", "bautin", "bogdanov_takens"],)
        for flow, state in (
            (curve.flow.with_parameters(dict(zip(curve.paths, map(float, v)))), s) for v, s in zip(curve.values, curve.states)
        ):
            J = flow.jacobian(state)
            assert abs(np.trace(J)) < 1e-12 and np.linalg.det(J) > -1e-12
        # the Jacobian by hand: (D U/2 - 1)/2 with D = 1/cosh^2
        for point in curve.points:
            U, h = point.flow.matrices[2], point.state
            y = U @ h / 2 + point.values
            assert np.abs(np.tanh(y) - h).max() < 1e-14
            J = (U / np.cosh(y)[:, None] ** 2 / 2 - np.eye(2)) / 2
            assert abs(np.trace(J)) < 1e-12
            if point.kind == "bogdanov_takens":
                assert abs(np.linalg.det(J)) < 1e-11
        changes = np.flatnonzero(np.diff(curve.supercritical[1:-1]))
        assert len(changes) == 1  # at the Bautin point

    def test_fold_from_the_bogdanov_takens_point(self, curve):
        point = curve.points[-1]
        fold = continue_bifurcation(point, *self.plane, kind="fold")
        assert fold.ok
        for v, s in zip(fold.values, fold.states):
            assert abs(np.linalg.det(fold.flow.with_parameters(dict(zip(fold.paths, map(float, v)))).jacobian(s))) < 1e-12
        assert min(np.abs(p.values - point.values).max() for p in fold.points if p.kind == "bogdanov_takens") < 1e-9
        assert "cusp" in [p.kind for p in fold.points]

    def test_stored_and_drawn(self, curve, tmp_path):
        gt.save(curve, tmp_path / "curve.json")
        assert gt.load(tmp_path / "curve.json") == curve
        assert "bautin at b_h[0] = " in str(curve)
        ax = plot_curves(curve)
        assert sorted(t.get_text() for t in ax.texts) == ["BT", "BT", "GH"]
        drawn = [line for line in ax.lines if len(line.get_xdata()) > 1]
        assert {line.get_linestyle() for line in drawn} == {"-", "--"}

    def test_rotations(self):
        # U_h = [[p, -q], [q, p]]: J at 0 is (U/2 - 1)/2, the map's multipliers 1/2 + (p + i q)/4
        paths = ("U_h[0,0]=U_h[1,1]", "U_h[1,0]=-U_h[0,1]")
        flow = GRUFlow(U_h=[[1.0, -2.0], [2.0, 1.0]])
        branch = continue_fixed_point(flow, paths[0], (0, 3), [0.0, 0.0])
        hopf, turn = (next(b for b in branch.bifurcations if b.kind == kind) for kind in ("hopf", "neimark_sacker"))
        curve = continue_bifurcation(hopf, paths, ((0, 4), (0.5, 6)))
        p, q = curve.values.T
        np.testing.assert_allclose(p, 2.0, atol=1e-12)
        assert curve.ok and curve.points == []
        # cubic coefficient -1/8 |m|^2... as at one point in test_flow_continuation: -(1/8)(k/2)^2 2/omega
        np.testing.assert_allclose(curve.coefficient, -(p**2 + q**2) / 16 / (q / 4), rtol=1e-10)
        curve = continue_bifurcation(turn, paths, ((-8, 8), (-8, 8)), **LONG)
        np.testing.assert_allclose((0.5 + curve.values[:, 0] / 4) ** 2 + (curve.values[:, 1] / 4) ** 2, 1.0, atol=1e-12)
        assert curve.status.code == "closed"
        for order, cosine in ((3, -0.5), (4, 0.0)):
            places = sorted(tuple(p.values) for p in curve.points if p.kind == f"resonance_1_{order}")
            sine = np.sqrt(1.0 - cosine**2)
            np.testing.assert_allclose(places, [(4 * cosine - 2, -4 * sine), (4 * cosine - 2, 4 * sine)], atol=1e-8)

    @pytest.mark.parametrize("reset, kind", [(0.0, "pitchfork"), (1.0, "transcritical")])
    def test_crossings_persist_where_the_zero_state_does(self, reset, kind):
        U = np.array([[1.0, 0.7], [0.5, 1.2]])
        flow = GRUFlow(U_h=U, U_r=reset * np.array([[1.0, 0.5], [-0.3, 0.7]]), b_z=[0.3, -0.5])
        cross = first(flow, "U_h[0,0]", (0, 3), [0.0, 0.0], kind)
        plane = ("U_h[0,0]", "U_h[0,1]"), ((-6, 6), (-6, 6))
        curve = continue_bifurcation(cross, *plane)
        assert curve.ok
        u, v = curve.values.T
        np.testing.assert_allclose((u / 2 - 1) * (U[1, 1] / 2 - 1), v * U[1, 0] / 4, atol=1e-12)
        point = the(curve, "bogdanov_takens")
        A = (np.array([[point.values[0], point.values[1]], U[1]]) / 2 - np.eye(2)) / (1 + np.exp([[0.3], [-0.5]]))
        assert abs(np.trace(A)) < 1e-12 and abs(np.linalg.det(A)) < 1e-12
        if kind == "pitchfork":
            # tanh(a h) - h with a = U/2: its cubic coefficient vanishes where p (a q)^3 does, p and q null vectors of a - 1
            (u, v) = the(curve, "degenerate_pitchfork").values
            a = np.array([[u, v], U[1]]) / 2
            q, p = np.linalg.svd(a - np.eye(2))[2][-1], np.linalg.svd(a.T - np.eye(2))[2][-1]
            assert abs(p @ q**3) < 1e-9
        with pytest.raises(ValueError, match="does not persist"):
            continue_bifurcation(cross, ("b_h[1]", "b_h[0]"), ((-1, 1), (-1, 1)))


def test_two_ways_to_the_first_lyapunov_coefficient(curve):
    # by multilinear forms and by power series of the centre manifold, which lead to the second one
    for values, state, coefficient in zip(curve.values[1:-1:20], curve.states[1:-1:20], curve.coefficient[1:-1:20]):
        omega, c = on_focus(curve.flow.with_parameters(dict(zip(curve.paths, map(float, values)))), state, 1)
        assert c[0].real / omega == pytest.approx(coefficient, rel=1e-9, abs=1e-9)


class TestRequests:
    flow = GRUFlow(U_h=4.0)
    plane = ("U_h[0,0]", "b_h[0]"), ((1, 8), (-3, 3))

    @pytest.mark.parametrize(
        "change, error, match",
        [
            ({"start": 3}, TypeError, "start must be a Bifurcation or a Codim2Point, got 3"),
            ({"paths": "b_h[0]"}, TypeError, "paths must be a pair"),
            ({"paths": ("b_h[0]", "b_h[0]")}, ValueError, "twice|differ"),
            ({"paths": ("b_h[0]", "b_q[0]")}, ValueError, "a path must be one of"),
            ({"bounds": ((1, 2), (-3, 3))}, ValueError, "bounds must contain the start's U_h.0,0. = 4"),
            ({"bounds": (1, 2, 3)}, TypeError, "bounds must be two pairs"),
            ({"bounds": {"b_h[0]": (-3, 3)}}, ValueError, "bounds must be given for the paths"),
            ({"kind": "hopf"}, ValueError, "kind must be"),
            ({"max_step": 0.0}, ValueError, "max_step"),
        ],
    )
    def test_refused(self, fold, change, error, match):
        given = {"start": fold, "paths": self.plane[0], "bounds": self.plane[1], **change}
        with pytest.raises(error, match=match):
            continue_bifurcation(**given)

    def test_a_start_that_is_none(self, fold):
        from dataclasses import replace

        moved = replace(fold, flow=self.flow.replace("b_h[0]", 0.3))
        with pytest.raises(ConvergenceError, match="on no curve of kind 'fold'"):
            continue_bifurcation(moved, *self.plane)

    def test_too_few_points_are_said(self, fold):
        curve = continue_bifurcation(fold, *self.plane, max_points=3)
        assert not curve.ok and curve.status.code == "points"
