"""One-dimensional rules for fields much broader than the gates: few nodes, averages as by scipy's adaptive quadrature."""

import numpy as np
import pytest
import sympy as sp
from scipy import integrate

import gating_theory as gt
from gating_theory.ensemble.lines import lines
from gating_theory.ensemble.quadrature import FieldLaw
from gating_theory.ensemble.saturation import saturated


def gate(y):
    return 0.5 * (1.0 + np.tanh(0.5 * y))


def rule(law, tol, calm=(), even=frozenset()):
    return lines(law, tol, even, ((),) * law.means.size, calm=calm)


def average(f, mean, std):
    """By adaptive quadrature between scales of y, and of the Gaussian."""
    y = np.geomspace(1.0, 9.0 * std, 30)
    places = np.concatenate([-y[::-1], [0.0], y])
    parts = [
        integrate.quad(lambda x: f(x) * np.exp(-0.5 * ((x - mean) / std) ** 2), a, b, epsabs=1e-12)[0]
        for a, b in zip(places[:-1], places[1:])
    ]
    return sum(parts) / (np.sqrt(2.0 * np.pi) * std)


FUNCTIONS = {
    "gate": gate,
    "slope": lambda y: gate(y) * gate(-y),
    # logarithms of determinants at a distance from the leak: steep gates seen through gains of 50
    "logarithm": lambda y: np.log(np.abs(0.3 + 0.5j - gate(y)) ** 2 + 2500.0 * (gate(y) * gate(-y)) ** 2),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("mean, std", [(0.0, 50.0), (0.0, 500.0), (-7.0, 30.0)])
def test_averages_over_broad_fields(name, mean, std):
    ensemble = gt.Ensemble(gt.GRU, gain=50)
    law = FieldLaw(np.full(3, mean), np.full((1, 3), std), ensemble.cell.compiled.shapes)
    line = rule(law, 1e-6)[0]
    assert line.size < 100 and line.size < 2.0 * std  # even steps are ten per standard deviation
    expected = average(FUNCTIONS[name], mean, std)
    for shift in (-0.4, 0.0, 0.3):
        y, w = line.nodes(np.array([shift]))
        assert w.sum() == pytest.approx(1.0)
        # the tolerance is for the gate's own poles; where determinants vanish is nearer to the real axis: 1e-6 at 1e-8
        assert w @ FUNCTIONS[name](y) == pytest.approx(expected, abs=1e-5 if name == "logarithm" else 2e-6)


def test_one_node_stands_for_all_beyond_which_nothing_changes():
    law = FieldLaw(np.zeros(3), np.full((1, 3), 50.0), gt.GRU.compiled.shapes)
    (whole, *_), (some, *_) = rule(law, 1e-6), rule(law, 1e-6, [(-16.0, 16.0)] * 3)
    y, w = some.nodes(np.zeros((2, 1)))
    z, v = whole.nodes(np.zeros((2, 1)))
    assert some.size < 0.75 * whole.size and np.sum(np.abs(y[0]) > 16.0) == 2
    assert w.sum(axis=1) == pytest.approx(1.0) and np.sum(w * y, axis=1) == pytest.approx(np.sum(v * z, axis=1), abs=1e-12)
    # the gate is open or shut there to within exp(-16)
    assert np.sum(w * gate(y), axis=1) == pytest.approx(np.sum(v * gate(z), axis=1), abs=2e-7)
    folded = rule(law, 1e-6, [(-16.0, 16.0)] * 3, frozenset({0}))[0]
    y, w = folded.nodes(np.zeros((1, 1)))
    assert y.min() > 0.0 and w.sum() == pytest.approx(1.0) and np.sum(y > 16.0) == 1


@pytest.mark.parametrize("std", [10.0, 100.0])
def test_functions_that_go_on_changing_keep_even_steps(std):
    """sin(pi y)^2 averages to (1 - exp(-2 (pi std)^2)) / 2 = 1/2, and a gate added to it makes no difference."""
    h, y = sp.symbols("h y", real=True)
    for function in (sp.sin(sp.pi * y), sp.sin(sp.pi * y) + sp.tanh(y)):
        own = gt.Cell(name="own", state=[h], fields=[y], messages=[h], update=[function])
        law = FieldLaw(np.zeros(1), np.array([[std]]), own.compiled.shapes)
        y_nodes, w = rule(law, 1e-6)[0].nodes(np.array([0.2]))
        assert w @ np.sin(np.pi * y_nodes) ** 2 == pytest.approx(0.5, abs=1e-6)


def test_where_gates_are_open_or_shut():
    """An update gate's slope exp(-|y|) has fallen to a part p of its largest, 1/4, at log(4/p); the i of an LSTM shows in its c
    for as long as 1/(1 - f) makes up for it."""
    gru = gt.Ensemble(gt.GRU, gain=50)
    z = saturated(gru, gt.fixed_points(gru)[-1].law, 1e-3)[0]
    assert z == pytest.approx(np.full(2, np.log(4.0 / 1e-3)), rel=0.2)
    lstm = gt.Ensemble(gt.LSTM, gain=50)
    i = saturated(lstm, gt.fixed_points(lstm)[-1].law, 1e-3)[1]
    assert i[0] > 25.0 and i[1] < 12.0
