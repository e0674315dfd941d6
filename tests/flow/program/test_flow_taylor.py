"""Taylor polynomials through the tape, against sympy's derivatives of the same cells and against the compiled Jacobian."""

import mpmath
import numpy as np
import pytest
import sympy as sp

import gating_theory as gt
from gating_theory.flow import Flow, GRUFlow
from gating_theory.flow.program.taylor import along_curve, bilinear, derivatives, parameter_slope, taylor, trilinear


def symbolic_field(flow):
    """The vector field as sympy expressions, composed by hand from the cell: independent of the tape."""
    cell, n = flow.cell, flow.n_units
    states = sp.symbols(f"s0:{flow.dim}", real=True)
    sites = [{s: states[a * n + i] for a, s in enumerate(cell.state)} for i in range(n)]
    for q, p in enumerate(cell.parameters):
        for i in range(n):
            sites[i][p] = flow.parameters[q, i]
    for k, y in enumerate(cell.fields):
        m = [cell.messages[k].xreplace(site) for site in sites]
        for i in range(n):
            sites[i][y] = sum(float(flow.matrices[k, i, j]) * m[j] for j in range(n)) + float(flow.bias[k, i])
    new = [cell.update[a].xreplace(sites[i]) - states[a * n + i] for a in range(cell.n_state) for i in range(n)]
    return states, [e.replace(gt.sigma, lambda x: 1 / (1 + sp.exp(-x))) for e in new]


def random_flow(cell, n, rng):
    matrices = rng.normal(size=(cell.n_fields, n, n))
    return Flow(cell, matrices, rng.normal(size=(cell.n_fields, n)), 0.3 * rng.normal(size=(len(cell.parameters), n)))


@pytest.mark.parametrize("name", ["GRU", "GRUResetAfter", "JANET", "LSTM"])
def test_second_and_third_derivatives_are_those_of_the_cell(name):
    rng = np.random.default_rng(1)
    flow = random_flow(getattr(gt, name), 2 if name != "LSTM" else 1, rng)
    states, field = symbolic_field(flow)
    point = rng.uniform(-0.8, 0.8, flow.dim)
    u, v = rng.normal(size=(2, flow.dim)) + 1j * rng.normal(size=(2, flow.dim))
    first = taylor(flow, point, u, 1)[1]
    second, third = bilinear(flow, point, u, v), trilinear(flow, point, u, v)
    with mpmath.workdps(40):
        for i, expression in enumerate(field):
            f = sp.lambdify(states, expression, "mpmath")

            def moved(e, g, f=f):
                return f(*(x + e * mpmath.mpmathify(a) + g * mpmath.mpmathify(b) for x, a, b in zip(point, u, v)))

            # numerical differentiation at 40 digits: good to more than ten
            assert complex(mpmath.diff(moved, (0, 0), (1, 0))) == pytest.approx(first[i], rel=1e-10, abs=1e-10)
            assert complex(mpmath.diff(moved, (0, 0), (1, 1))) == pytest.approx(second[i], rel=1e-10, abs=1e-10)
            assert complex(mpmath.diff(moved, (0, 0), (2, 1))) == pytest.approx(third[i], rel=1e-10, abs=1e-10)


def test_first_derivatives_are_the_compiled_jacobian():
    rng = np.random.default_rng(2)
    flow = random_flow(gt.GRU, 2, rng)
    points, direction = rng.normal(size=(2, 5, flow.dim))
    c = taylor(flow, points, direction, 1)
    np.testing.assert_allclose(c[0], flow(points), rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(c[1], np.einsum("bij,bj->bi", flow.jacobian(points), direction), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("path", ["U_h[0,1]", "b_z[1]", "U_r[1,1]", "b_h[0]", "U_z[1,0]"])
def test_slope_by_a_parameter(path):
    rng = np.random.default_rng(3)
    flow = random_flow(gt.GRU, 2, rng)
    points, at, e = rng.uniform(-1, 1, (4, 2)), flow.parameter(path), 1e-5
    change = (flow.replace(path, at + e)(points) - flow.replace(path, at - e)(points)) / (2 * e)
    # a central difference of step 1e-5: 1e-10 of truncation, 1e-11 of rounding
    np.testing.assert_allclose(parameter_slope(flow, points, path), change, atol=1e-9)


def test_states_and_parameters_at_once():
    rng = np.random.default_rng(4)
    flow = random_flow(gt.GRU, 2, rng)
    point, paths, e = rng.uniform(-1, 1, 2), ("U_h[0,1]", "b_z[1]"), 1e-5
    f, D, H = derivatives(flow, point, paths)
    np.testing.assert_allclose(f, flow(point), rtol=1e-13)
    np.testing.assert_allclose(D[:, :2], flow.jacobian(point), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(H, H.transpose(0, 2, 1))
    for k, path in enumerate(paths):
        slope = parameter_slope(flow, point, path)
        np.testing.assert_allclose(D[:, 2 + k], slope, rtol=1e-12, atol=1e-14)
        sides = [flow.replace(path, flow.parameter(path) + s * e) for s in (1, -1)]
        # central differences: 1e-10 of truncation, 1e-11 of rounding
        change = (sides[0].jacobian(point) - sides[1].jacobian(point)) / (2 * e)
        np.testing.assert_allclose(H[:, :2, 2 + k], change, atol=1e-9)
        for j, other in enumerate(paths):
            change = (parameter_slope(sides[0], point, other) - parameter_slope(sides[1], point, other)) / (2 * e)
            np.testing.assert_allclose(H[:, 2 + j, 2 + k], change, atol=1e-9)


def test_along_a_curve_of_states():
    rng = np.random.default_rng(5)
    flow = random_flow(gt.GRU, 2, rng)
    point, u, v, w = rng.normal(size=(4, 2))
    c = along_curve(flow, np.array([point, u, v, w]))
    # the chain rule, with the coefficients of straight lines
    np.testing.assert_allclose(c[2], taylor(flow, point, u, 2)[2] + flow.jacobian(point) @ v, rtol=1e-11)
    third = taylor(flow, point, u, 3)[3] + bilinear(flow, point, u, v) + flow.jacobian(point) @ w
    np.testing.assert_allclose(c[3], third, rtol=1e-11)


def test_saturated_gates_keep_their_digits():
    flow = GRUFlow(U_h=[[2.0, 1.0], [-1.0, 2.0]], U_z=[[3.0, 0.0], [0.0, 3.0]], b_z=[40.0, 40.0])
    point, u = np.array([0.3, -0.2]), np.array([1.0, 0.5])
    shut = np.exp(-(40.0 + 3.0 * point))  # 1 - z, of order 1e-18
    r = taylor(flow, point, u, 2)
    assert np.all(np.abs(r[0]) > 1e-20) and np.all(r[0] / shut == pytest.approx(np.tanh(flow.matrices[2] @ point / 2) - point))
    # (1 - z) g with d(1 - z) = -3 u (1 - z): the first coefficient by the product rule
    y = flow.matrices[2] @ point / 2
    slope = (flow.matrices[2] @ u / 2) / np.cosh(y) ** 2 - u
    assert r[1] / shut == pytest.approx(slope - 3.0 * u * (np.tanh(y) - point), rel=1e-12)
