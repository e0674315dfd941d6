"""The symbolic layer: logistic function, stable forms, minors, factorisation, edge condition, small-moment expansion."""

from itertools import combinations

import mpmath
import numpy as np
import pytest
import sympy as sp
from scipy.special import expit

from gating_theory.cell.builtin import BUILTIN, GRU, JANET, LSTM, MGU, CoupledLSTM, GRUResetAfter, PeepholeLSTM, Vanilla
from gating_theory.cell.numpy_code import sech2 as sech2_numeric
from gating_theory.cell.symbolic import (
    bordered_minors,
    edge_condition,
    message_label,
    sech2,
    separate,
    sigma,
    site_blocks,
    small_moment_expansion,
    stable_form,
    to_latex,
    transfer_matrix,
)

x, u, v = sp.symbols("x u v", real=True)
lam = sp.Symbol("lambda")


def _numeric(arguments, expressions):
    """numpy evaluation of exactly the expressions given, without the rewriting that the package does by itself."""
    return sp.lambdify(list(arguments), expressions, modules=[{"sigma": expit, "sech2": sech2_numeric}, "numpy"])


def _symbols_of(cell):
    return [*cell.state, *cell.fields, *cell.parameters]


def _random_site(cell, rng):
    return {symbol: float(value) for symbol, value in zip(_symbols_of(cell), rng.normal(size=len(_symbols_of(cell))))}


# --- sigma


def test_sigma_derivative_is_a_polynomial_in_sigma():
    assert sp.diff(sigma(x), x) == sigma(x) * (1 - sigma(x))
    assert sp.diff(sigma(3 * x + 1), x) == 3 * sigma(3 * x + 1) * (1 - sigma(3 * x + 1))
    s = sp.Symbol("s")
    third = sp.diff(sigma(x), x, 3).xreplace({sigma(x): s})
    # sigma''' = sigma' (1 - 6 sigma + 6 sigma^2), from differentiating s (1 - s) twice more
    assert sp.expand(third - s * (1 - s) * (1 - 6 * s + 6 * s**2)) == 0


def test_sigma_special_values():
    assert sigma(sp.Integer(0)) == sp.Rational(1, 2)
    assert sigma(sp.oo) == 1
    assert sigma(-sp.oo) == 0
    assert sigma(x).is_real and sigma(x).is_positive
    assert sigma(sp.Symbol("w")).is_real is None


@pytest.mark.parametrize("value", [-30.0, -1.5, 0.0, 0.3, 2.0, 30.0])
def test_sigma_agrees_with_expit(value):
    exact = float(expit(value))
    assert float(sigma(sp.Float(value)).evalf()) == pytest.approx(exact, rel=1e-14)
    assert float(sigma(x).rewrite(sp.exp).subs(x, sp.Float(value))) == pytest.approx(exact, rel=1e-14)
    assert float(_numeric([x], sigma(x))(value)) == exact


def test_sech2_is_one_minus_tanh_squared():
    assert sech2(x).rewrite(sp.tanh) == 1 - sp.tanh(x) ** 2
    assert sp.expand((sp.diff(sech2(x), x) - sp.diff(1 - sp.tanh(x) ** 2, x)).rewrite(sp.tanh)) == 0


# --- stable form

SATURATED = [
    # (expression, the place, its exact value by mpmath)
    (sp.diff(sigma(x), x), 40, lambda t: mpmath.exp(-t) / (1 + mpmath.exp(-t)) ** 2),
    (sp.diff(sp.tanh(x), x), 30, lambda t: mpmath.sech(t) ** 2),
    ((1 - sigma(x)) * sp.tanh(u) - 3 * (1 - sigma(x)) ** 2, 40, None),
    ((1 - sigma(x)) / (1 - sp.tanh(x) ** 2), 30, lambda t: mpmath.cosh(t) ** 2 / (1 + mpmath.exp(t))),
    (sp.tanh(x) ** 2 - 1, 30, lambda t: -(mpmath.sech(t) ** 2)),
    (sigma(x) - 1, 40, lambda t: -1 / (1 + mpmath.exp(t))),
]


@pytest.mark.parametrize("expression, place, exact", SATURATED, ids=lambda value: str(value) if isinstance(value, sp.Expr) else "")
def test_stable_form_keeps_relative_accuracy_at_saturation(expression, place, exact):
    with mpmath.workdps(60):
        if exact is None:
            gate = 1 / (1 + mpmath.exp(place))
            reference = float(gate * mpmath.tanh(mpmath.mpf("0.5")) - 3 * gate**2)
        else:
            reference = float(exact(mpmath.mpf(place)))
    value = float(_numeric([x, u], stable_form(expression))(float(place), 0.5))
    # a handful of roundings of expit and exp
    assert value == pytest.approx(reference, rel=1e-14)


def test_the_plain_form_has_lost_everything_there():
    # why stable_form exists: this is what the same expressions give without it
    assert _numeric([x], sp.diff(sigma(x), x))(40.0) == 0.0
    assert _numeric([x], sp.diff(sp.tanh(x), x))(30.0) == 0.0


def test_stable_form_is_an_exact_rewriting():
    expression = (1 - sigma(u)) ** 2 * (1 - sp.tanh(v) ** 2) + (sp.tanh(u * v) ** 2 - 1) * (2 - sigma(v)) + 1 + sigma(u)
    rewritten = stable_form(expression)
    assert rewritten.has(sech2) and rewritten.has(sigma(-u))
    # the sums that only look alike stay as they are
    assert rewritten.has(2 - sigma(v)) and not rewritten.has(sigma(-v))
    for value in ((0.3, -1.2), (2.0, 0.7)):
        assert _numeric([u, v], rewritten)(*value) == pytest.approx(_numeric([u, v], expression)(*value), rel=1e-13)


def test_stable_form_reaches_nested_arguments():
    nested = sp.tanh((1 - sigma(u)) * v)
    assert stable_form(nested) == sp.tanh(sigma(-u) * v)
    assert stable_form(1 - sp.tanh((1 - sigma(u)) * v) ** 2) == sech2(sigma(-u) * v)


# --- site derivatives, transfer matrix, minors


def test_site_blocks_of_a_small_cell():
    F_s, F_y, M_s, M_y = site_blocks([u], [x, v], [u, sigma(x) * u], [sigma(v) * u])
    assert F_s == sp.Matrix([[sigma(v)]])
    assert F_y == sp.Matrix([[0, u * sp.diff(sigma(v), v)]])
    assert M_s == sp.Matrix([1, sigma(x)])
    assert M_y == sp.Matrix([[0, 0], [u * sp.diff(sigma(x), x), 0]])


def _numeric_transfer(cell, site, where):
    """W by solving with the numerical blocks: no symbolic inverse."""
    blocks = _numeric(_symbols_of(cell), [cell.F_s, cell.F_y, cell.M_s, cell.M_y])(*site.values())
    F_s, F_y, M_s, M_y = (np.array(block, dtype=complex) for block in blocks)
    return F_s, M_s @ np.linalg.solve(where * np.eye(cell.n_state) - F_s, F_y) + M_y


@pytest.mark.parametrize("cell", [Vanilla, GRU, GRUResetAfter, MGU, LSTM, JANET, PeepholeLSTM], ids=lambda cell: cell.name)
def test_transfer_matrix_by_adjugate_is_the_solved_one(cell):
    rng = np.random.default_rng(1)
    where = 0.7 - 1.3j
    site = _random_site(cell, rng)
    symbolic = np.array(_numeric([lam, *_symbols_of(cell)], transfer_matrix(cell, lam))(where, *site.values()), dtype=complex)
    # both are a few operations on numbers of order one
    assert np.allclose(symbolic, _numeric_transfer(cell, site, where)[1], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("center", [0, 1])
@pytest.mark.parametrize("cell", [GRU, MGU, GRUResetAfter, LSTM, CoupledLSTM], ids=lambda cell: cell.name)
def test_bordered_minors_are_the_minors_of_the_transfer_matrix(cell, center):
    """All minors on distinct messages, those left out as zero included: det(lambda - F_s) det W[I, J] as polynomials."""
    rng = np.random.default_rng(2)
    minors = bordered_minors(cell, center)
    keys, coefficients = list(minors), [c for q in minors.values() for c in q]
    call = _numeric(_symbols_of(cell), coefficients)
    rows_of = [cell.message_of.index(n) for n in range(cell.n_messages)]
    for _ in range(3):
        site = _random_site(cell, rng)
        where = complex(*rng.normal(size=2))
        F_s, W = _numeric_transfer(cell, site, where)
        pole = np.linalg.det(where * np.eye(cell.n_state) - F_s)
        values = np.array(call(*site.values()), dtype=float).reshape(len(keys), cell.n_state + 1)
        polynomials = dict(zip(keys, (np.polynomial.polynomial.polyval(where - center, q) for q in values)))
        assert polynomials[(), ()] == pytest.approx(pole, rel=1e-12)
        for size in range(1, cell.n_messages + 1):
            for rows in combinations(range(cell.n_messages), size):
                for columns in combinations(range(cell.n_fields), size):
                    exact = pole * np.linalg.det(W[np.ix_([rows_of[n] for n in rows], columns)])
                    assert polynomials.get((rows, columns), 0.0) == pytest.approx(exact, rel=1e-10, abs=1e-13)


def test_bordered_minors_leave_out_what_vanishes():
    minors = bordered_minors(GRU)
    # the reset gate does not reach the state within a step, so it has no entry in the row of the message h
    assert ((0,), (1,)) not in minors and ((1,), (1,)) in minors
    assert all(len(q) == GRU.n_state + 1 for q in minors.values())
    assert max(len(rows) for rows, _ in bordered_minors(GRU, largest=1)) == 1


def test_bordered_minors_at_the_fixed_point():
    minors = bordered_minors(GRU, substitute=GRU.closed_form)
    # h = tanh(y_h) there: the update gate's column vanishes identically, not only numerically
    assert all(0 not in columns for _, columns in minors)
    assert not any(c.has(*GRU.state) for q in minors.values() for c in q if isinstance(c, sp.Basic))


# --- separation into independent factors


def _check_separation(expression, dependence):
    total = sp.Integer(0)
    for product in separate(expression, dependence):
        where = [touched for _, touched in product]
        assert sum(map(len, where)) == len(frozenset().union(*where)), "factors of a product share a variable"
        for factor, touched in product:
            assert touched == frozenset().union(*(dependence[s] for s in factor.free_symbols if s in dependence))
        total += sp.Mul(*(factor for factor, _ in product))
    assert sp.expand(total - expression) == 0
    return separate(expression, dependence)


def test_separate_splits_independent_factors():
    dependence = {u: frozenset([0]), v: frozenset([1])}
    (product,) = _check_separation(3 * x * sigma(u) * u**2 * sp.tanh(v), dependence)
    assert dict((where, factor) for factor, where in product) == {
        frozenset(): 3 * x,
        frozenset([0]): sigma(u) * u**2,
        frozenset([1]): sp.tanh(v),
    }


def test_separate_keeps_together_what_is_correlated():
    a, b, c = sp.symbols("a b c")
    dependence = {a: frozenset([0]), b: frozenset([1]), c: frozenset([0, 1]), u: frozenset([2])}
    # c ties a and b together, whatever the order of the factors
    (product,) = _check_separation(a * b * c * u, dependence)
    assert sorted(sorted(where) for _, where in product) == [[0, 1], [2]]
    (product,) = _check_separation(sp.tanh(a + b) * u, dependence)
    assert sorted(sorted(where) for _, where in product) == [[0, 1], [2]]


def test_separate_sums():
    dependence = {u: frozenset([0]), v: frozenset([1])}
    assert len(_check_separation(u * v + u**2 + 5, dependence)) == 3
    assert separate(sp.Integer(0), dependence) == [[(0, frozenset())]]


@pytest.mark.parametrize("cell", [GRU, MGU, LSTM, JANET], ids=lambda cell: cell.name)
def test_separate_on_messages_at_the_fixed_point(cell):
    dependence = {y: frozenset([k]) for k, y in enumerate(cell.fields)}
    dependence.update({p: frozenset([cell.n_fields + j]) for j, p in enumerate(cell.parameters)})
    for message in cell.distinct_messages:
        _check_separation(message.xreplace(cell.closed_form) ** 2, dependence)


def test_separate_takes_the_reset_gate_out_of_the_gru_message():
    dependence = {y: frozenset([name]) for name, y in zip(GRU.field_names, GRU.fields)}
    (product,) = separate(GRU.distinct_messages[1].xreplace(GRU.closed_form) ** 2, dependence)
    assert {next(iter(where)): factor for factor, where in product} == {
        "r": sigma(GRU.fields[1]) ** 2,
        "h": sp.tanh(GRU.fields[2]) ** 2,
    }


# --- edge condition


@pytest.mark.parametrize("cell", [Vanilla, GRU, MGU, GRUResetAfter, LSTM], ids=lambda cell: cell.name)
def test_edge_condition_has_the_squared_moduli_of_the_transfer_matrix(cell):
    """With one site in place of the average: T_k,nu = sum over the fields l that listen to nu of a_l^2 |W_kl|^2."""
    rng = np.random.default_rng(3)
    gains = [sp.Symbol(f"a_{name}", positive=True) for name in cell.field_names]
    values = rng.uniform(0.5, 3.0, size=cell.n_fields)
    T = edge_condition(cell, lam, gains, expectation="Ex")
    assert T.shape == (cell.n_messages, cell.n_messages)
    assert T.has(sp.Function("Ex"))
    at_one_site = T.applyfunc(lambda entry: entry.replace(sp.Function("Ex"), lambda inside: inside))
    site, where = _random_site(cell, rng), 1.1 + 0.4j
    numeric = np.array(_numeric([lam, *gains, *_symbols_of(cell)], at_one_site)(where, *values, *site.values()), dtype=float)
    _, W = _numeric_transfer(cell, site, where)
    full = values**2 * np.abs(W) ** 2
    # the K x K matrix over fields has the same spectral radius as the one over distinct messages
    assert np.max(np.abs(np.linalg.eigvals(numeric))) == pytest.approx(np.max(np.abs(np.linalg.eigvals(full))), rel=1e-10)
    for k in range(cell.n_messages):
        for nu in range(cell.n_messages):
            listeners = [l for l in range(cell.n_fields) if cell.message_of[l] == nu]
            assert numeric[k, nu] == pytest.approx(full[cell.message_of.index(k), listeners].sum(), rel=1e-10, abs=1e-14)


# --- small-moment expansion

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(24)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


def _second_moments(cell, bias, variances):
    """E m_k^2 over independent Gaussian fields, by a plain tensor quadrature."""
    grids = np.meshgrid(*(b + np.sqrt(variance) * NODES for b, variance in zip(bias, variances)), indexing="ij")
    weight = np.ones(())
    for _ in bias:
        weight = np.multiply.outer(weight, WEIGHTS)
    squares = [m.xreplace(cell.closed_form) ** 2 for m in cell.distinct_messages]
    return np.array([np.sum(weight * value) for value in _numeric(cell.fields, squares)(*grids)])


@pytest.mark.parametrize(
    "cell, bias",
    [
        (Vanilla, [0.0]),
        (Vanilla, [0.4]),
        (GRU, [0.3, -0.8, 0.0]),
        (GRU, [0.0, 0.5, 0.25]),
        (MGU, [0.4, 0.0]),
        (LSTM, [0.0, 0.0, 0.0, 0.0]),
        (LSTM, [-0.5, 0.3, 0.0, 0.7]),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_small_moment_expansion_against_quadrature(cell, bias):
    """What is left after the second order shrinks like the cube of the variances."""
    A, B = small_moment_expansion(cell)
    at = {y: sp.Float(b) for y, b in zip(cell.fields, bias)}
    A = np.array([[float(e.xreplace(at).evalf()) for e in row] for row in A])
    B = np.array([[[float(e.xreplace(at).evalf()) for e in row] for row in matrix] for matrix in B])
    offset = _second_moments(cell, bias, np.zeros(len(bias)))
    direction = np.linspace(1.0, 2.0, len(bias))
    left = []
    for size in (4e-3, 2e-3):
        delta = size * direction
        expanded = offset + A @ delta + np.einsum("kij,i,j->k", B, delta, delta)
        left.append(_second_moments(cell, bias, delta) - expanded)
    # third order: halving the variances divides the rest by 8, up to the fourth order (relative size 4e-3 times a
    # coefficient that reaches ten in the LSTM)
    assert np.allclose(left[0] / left[1], 8.0, rtol=0.15)
    assert np.all(np.abs(left[0]) < 1e-4)


def test_small_moment_expansion_knows_the_vanilla_series():
    A, B = small_moment_expansion(Vanilla)
    at_zero = {Vanilla.fields[0]: sp.Integer(0)}
    # E tanh(y)^2 = Delta - 2 Delta^2 + ..., from y^2 - 2 y^4 / 3 and E y^4 = 3 Delta^2
    assert A[0][0].xreplace(at_zero) == 1
    assert B[0][0][0].xreplace(at_zero) == -2


def test_small_moment_expansion_needs_a_closed_form():
    with pytest.raises(ValueError, match="PeepholeLSTM.*no closed-form fixed point.*fixed_point="):
        small_moment_expansion(PeepholeLSTM)


# --- LaTeX and labels


@pytest.mark.parametrize("name", BUILTIN)
def test_latex_describes_every_field_and_state(name):
    from gating_theory.cell import builtin as cells

    cell = getattr(cells, name)
    text = to_latex(cell)
    assert text.startswith("\\begin{aligned}\n") and text.endswith("\n\\end{aligned}")
    for field in cell.field_names:
        assert f"U_{{{field}}}" in text and f"b_{{{field}}}" in text
    for state in cell.state_names:
        assert f"{state}' &= " in text
    for block in ("F_s", "F_y", "M_s", "M_y"):
        assert f"{block} &= " in text
    assert text.count("{") == text.count("}")
    assert text.count(r"\left") == text.count(r"\right")


def test_latex_writes_sigma_as_a_greek_letter():
    assert sp.latex(sigma(u)) == r"\sigma\left(u\right)"
    assert sp.latex(sigma(u) ** 2) == r"\sigma\left(u\right)^{2}"
    assert to_latex(GRU, derivatives=False) in GRU._repr_latex_()


def test_message_labels():
    assert GRU.message_names == ("h", "r*h")
    assert MGU.message_names == ("h", "f*h")
    assert LSTM.message_names == ("h",)


@pytest.mark.parametrize(
    "expression, label",
    [
        (u, "u"),
        (sigma(x) * u, "gate*u"),
        (sigma(x) * v * u, "gate*u*v"),
        (sp.tanh(u), "tanh(u)"),
        (sigma(x) * sp.tanh(u), "gate*tanh(u)"),
        (u + sigma(x), "gate+u"),
    ],
)
def test_label_of_an_expression(expression, label):
    assert message_label(expression, [x], ["gate"]) == label
