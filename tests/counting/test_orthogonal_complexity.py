"""Complexity of networks with orthogonal matrices: the sheet's values, the printed formula, laws near the onset [T10]."""

import numpy as np
import pytest

import gating_theory as gt
from gating_theory.counting.functional import FULL, ComplexityFunctional
from gating_theory.counting.ridge import ridge


def ensemble(cell, matrices="orthogonal", **gain):
    return gt.Ensemble(cell, gain=gain, matrices=matrices)


@pytest.mark.parametrize("a, value", [(1.5, 0.0220341953), (2.0, 0.0499255316), (3.0, 0.0916491244)])
def test_values_of_the_sheet(a, value):
    found = gt.complexity(ensemble(gt.Vanilla, h=a))
    assert found.ok and abs(found.value - value) < 6e-11  # ten decimals are printed


@pytest.mark.parametrize("a, value", [(1.1, 0.0005151104), (1.2, 0.0018367791), (1.5, 0.0079767239), (2.0, 0.0187133091)])
def test_mean_field_values_of_the_sheet(a, value):
    found = gt.complexity(ensemble(gt.Vanilla, h=a), "mean_field")
    assert found.ok and abs(found.value - value) < 6e-11


def printed(m2, D, penalty, images, q, mu):
    """The functional as [T10] prints it, for one message and no biases.

    images: (a, nu, y, step) of each field, y along an axis of its own; nu is the multiplier itself, not in units of 1/(2 a^2 q).
    """
    density, lengths = np.exp(mu * m2) * np.sqrt(D), 0.0
    for a, nu, y, step in images:
        density = density * np.exp(-nu * y**2) * step
        lengths += nu * a**2 * q - 0.5 * np.log(2.0 * np.pi * np.e * a**2 * q)
    return -mu * q - 0.5 * penalty + lengths + np.log(density.sum())


@pytest.mark.parametrize("a", [1.3, 3.0])
@pytest.mark.parametrize("matrices", ["iid", "orthogonal"])
def test_the_saddle_is_one_of_the_printed_formula(a, matrices):
    """Value and stationarity by a plain sum; the Gaussian formula is the same with nu = 1/(2 a^2 q) and Psi = s."""
    found = gt.complexity(ensemble(gt.Vanilla, matrices, h=a))
    point = found.saddles[0].point
    (q,), (mu,), (s,) = point.q, point.mu, point.x
    iid = matrices == "iid"
    y = np.linspace(-40.0, 40.0, 16001)
    step = y[1] - y[0]

    def value(q, mu, s, nu):
        nu = 1.0 / (2.0 * a**2 * q) if iid else nu
        x, psi = (s, s) if iid else (s / (1.0 - s), -np.log(1.0 - s))
        D = 1.0 + x * a**2 / np.cosh(y) ** 4
        return printed(np.tanh(y) ** 2, D, psi, [(a, nu, y, step)], q, mu)

    at = np.array([q, mu, s, 1.0 / (2.0 * a**2 * q) * (1.0 if iid else point.nu[0])])
    assert value(*at) == pytest.approx(found.rate, abs=1e-12)
    for i in range(4):
        h = 1e-5 * at[i] * (np.arange(4) == i)
        # h^2 times a third derivative of order one, and rounding over h
        assert abs(value(*(at + h)) - value(*(at - h))) / 2e-5 < 1e-8


def test_each_field_has_its_own_share():
    """GRU with the reset after the product: one message, two orthogonal matrices, each with its s_k and nu_k."""
    found = gt.complexity(ensemble(gt.GRUResetAfter, z=1.0, r=3.0, h=3.0))
    point = found.saddles[0].point
    (q,), (mu,) = point.q, point.mu
    functional = ComplexityFunctional(found.ensemble)
    order = [found.ensemble.cell.field_names[v] for v in functional.variables]
    nodes = {"r": np.linspace(-25, 25, 701)[:, None], "h": np.linspace(-25, 25, 2501)[None, :]}
    y = [nodes[name] for name in order]
    (m,), ((w),) = found.ensemble.cell.compiled.response(*functional.arguments(y))
    squares = [9.0 * w[v] ** 2 for v in functional.variables]

    def value(s, nu):
        z = [s.sum() / (1.0 - one) * square for one, square in zip(s, squares)]
        images = [(3.0, n, nodes[name], np.ptp(nodes[name]) / (nodes[name].size - 1)) for n, name in zip(nu, order)]
        return printed(m**2, 1.0 + z[0] + z[1], -np.log1p(-s).sum(), images, q, mu)

    s, nu = point.x, point.nu / (2.0 * 9.0 * q)
    assert value(s, nu) == pytest.approx(found.rate, abs=1e-10)
    for i in range(2):
        h = 1e-4 * (np.arange(2) == i)
        assert abs(value(s * (1 + h), nu) - value(s * (1 - h), nu)) / 2e-4 < 1e-6
        assert abs(value(s, nu * (1 + h)) - value(s, nu * (1 - h))) / 2e-4 < 1e-6


@pytest.mark.parametrize("eps", [0.01, 0.002])
def test_laws_near_the_onset(eps):
    """eps^2 / 6 and eps^2 / 18, by expansion: E v - 1 = (4/3 + 2 eta) eps^2, eta costs 3 eta^2 eps^2 / 16; s is 1/2 and 1/6."""
    typical, mean_field = (gt.complexity(ensemble(gt.Vanilla, h=1.0 + eps), method) for method in ("annealed", "mean_field"))
    assert typical.value == pytest.approx(eps**2 / 6.0, rel=eps)
    assert mean_field.value == pytest.approx(eps**2 / 18.0, rel=eps)
    assert typical.determinant["x"]["h"] == pytest.approx(0.5, abs=eps)
    assert mean_field.determinant["x"]["h"] == pytest.approx(1.0 / 6.0, abs=eps)


def test_the_ridge_goes_on_in_a_hole():
    """Where 1 is in a hole the determinant is that of the response and of the matrix: E log a/cosh(y)^2, under the tilted law."""
    a, spread, y = 1.2, 0.3, np.linspace(-30.0, 30.0, 12001)
    functional = ComplexityFunctional(gt.Ensemble(gt.Vanilla, gain=a, bias_std=spread, matrices="orthogonal"))
    points = [p for p in ridge(functional).points if p.point.x[0] >= FULL]
    assert len(points) > 3
    for p in points:
        (q,), (mu,), (nu,) = p.point.q, p.point.mu, p.point.nu
        variance = a**2 * q / nu + spread**2
        density = np.exp(-0.5 * y**2 / variance) / np.sqrt(2.0 * np.pi * variance) * (y[1] - y[0])
        z = np.sum(density * np.exp(mu * np.tanh(y) ** 2) * a / np.cosh(y) ** 2)
        exact = np.log(z) - mu * q + 0.5 * (nu - 1.0 - np.log(nu))
        # points of the ridge are settled to 1e-3, where the value is stationary; shares end 1e-6 short of 1
        assert p.value == pytest.approx(exact, abs=2e-6)


def test_typical_sites_keep_lengths():
    """Images have length a |m| exactly, and so have typical sites."""
    found = gt.complexity(ensemble(gt.GRU, z=1.0, r=4.0, h=2.5))
    sites, names = found.sites_at(1e-8), found.ensemble.cell.field_names
    for field, message in (("r", "h"), ("h", "r*h")):
        square = sites.weights @ sites.fields[names.index(field)] ** 2 / sites.weights.sum()
        assert square == pytest.approx(found.ensemble.gain[field] ** 2 * found.moments[message], rel=1e-6)


@pytest.mark.parametrize(
    "iid",
    [
        ensemble(gt.Vanilla, "iid", h=4.0),
        ensemble(gt.GRU, "iid", z=1.0, r=8.0, h=1.8),
        ensemble(gt.CoupledLSTM, "iid", f=1.0, g=4.0, o=4.0),
    ],
)
def test_orthogonal_networks_have_more_fixed_points(iid):
    one, other = (gt.complexity(iid.with_matrices(law)) for law in ("iid", "orthogonal"))
    assert other.ok and other.value > one.value + 0.01


def test_one_field_alone_is_a_stack_of_one():
    stack = gt.Ensemble(gt.Vanilla, gain=1.5, matrices="stack")
    values = ComplexityFunctional(stack), ComplexityFunctional(stack.with_matrices("orthogonal"))
    point = gt.complexity(stack.with_matrices("orthogonal")).saddles[0].point
    assert values[0].evaluate(point).value == pytest.approx(values[1].evaluate(point).value, abs=1e-15)


def test_what_is_not_checked_is_refused():
    for cell in (gt.LSTM, gt.GRU):
        with pytest.raises(gt.CapabilityError, match="not known to hold"):
            gt.complexity(gt.Ensemble(cell, gain=3.0, matrices="stack"))
    with pytest.raises(gt.CapabilityError, match="several messages"):
        ComplexityFunctional(gt.Ensemble(gt.GRU, gain=3.0, matrices="stack"))


def test_onsets():
    """Continuous ones are that of the zero state; others are earlier than for iid matrices, where more fixed points are found."""
    found = gt.complexity_onset(ensemble(gt.Vanilla, h=1.5), "gain.h")
    assert abs(found - 1.0) < 1e-12 and not found.discontinuous
    gru = ensemble(gt.GRU, z=1.0, r=8.0, h=1.7)
    found = gt.complexity_onset(gru, "gain.h")
    assert found.discontinuous and found < gt.complexity_onset(gru.with_matrices("iid"), "gain.h")
    assert abs(gt.complexity(gru.replace({"gain.h": float(found)})).rate) < 1e-8
