"""Cell: validation of the definition, derived Jacobian against finite differences, pickling."""

import pickle
import pydoc

import pytest
import sympy as sp
from hypothesis import given, settings
from strategies import LEAKY, leaky, random_cells

import gating_theory as gt
from gating_theory.cell.builtin import BUILTIN

h, c, w = sp.symbols("h c w", real=True)
y_z, y_h = sp.symbols("y_z y_h", real=True)
z, n = gt.sigma(y_z), sp.tanh(y_h)


# --- the Jacobian

# sixth-order differences with a step of 1e-3 leave rounding of about 1e-12; 1e-7 (from the brief of this package) leaves room for
# steep random expressions, and is far below the order-one error of a wrong term
TOLERANCE = 1e-7


@pytest.mark.parametrize("name", BUILTIN)
@pytest.mark.parametrize("scale", [0.1, 1.0, 4.0])
def test_jacobian_of_builtin_cells(name, scale):
    assert getattr(gt, name).check_jacobian(rng=0, scale=scale) < TOLERANCE


@pytest.mark.slow
@settings(max_examples=25, deadline=None)  # compiling a random cell takes a few tens of ms
@given(cell=random_cells())
def test_jacobian_of_random_cells(cell):
    """Derived Jacobians of cells drawn at random are those of finite differences."""
    assert cell.check_jacobian(rng=1, n_points=16) < TOLERANCE


@pytest.mark.parametrize("block, entry", [("F_s", (0, 0)), ("F_y", (0, 1)), ("M_s", (1, 0))])
@pytest.mark.parametrize("wrong", ["sign", "missing", "slightly"])
def test_a_wrong_derivative_is_caught(monkeypatch, block, entry, wrong):
    cell = leaky()
    right = cell.compiled.blocks

    def blocks(*arguments):
        out = right(*arguments)
        if wrong == "missing":
            del out[block][entry]
        else:
            out[block][entry] = (-1.0 if wrong == "sign" else 1.001) * out[block][entry]
        return out

    assert cell.check_jacobian(rng=0) < TOLERANCE
    monkeypatch.setattr(cell.compiled, "blocks", blocks)
    # entries are of order 0.1 or more at some of the 64 points, so that even the error of one per mille shows as 1e-4
    assert cell.check_jacobian(rng=0) > 1e-5


def test_a_spurious_derivative_is_caught(monkeypatch):
    cell = gt.Cell(**{**LEAKY, "name": "spurious"})
    right = cell.compiled.blocks
    monkeypatch.setattr(cell.compiled, "blocks", lambda *a: {**right(*a), "M_y": {(1, 0): 0.01}})
    assert cell.check_jacobian(rng=0) == pytest.approx(0.01, rel=1e-6)  # the difference quotient of a constant is 0


def test_check_jacobian_takes_seeds_and_generators():
    import numpy as np

    assert gt.GRU.check_jacobian(rng=3) == gt.GRU.check_jacobian(rng=np.random.default_rng(3))
    with pytest.raises(TypeError, match="rng"):
        gt.GRU.check_jacobian(rng=0.5)


# --- pickling, equality


@pytest.mark.parametrize("name", BUILTIN)
def test_builtin_cells_pickle_by_name(name):
    cell = getattr(gt, name)
    assert pickle.loads(pickle.dumps(cell)) is cell


def test_user_cells_pickle_by_value():
    cell = leaky(fixed_point=[n + w], parameters=[w], update=[z * h + (1 - z) * (n + w)], fields={"gate": y_z, "y": y_h})
    again = pickle.loads(pickle.dumps(cell))
    assert again is not cell and again == cell and hash(again) == hash(cell)
    assert again.field_names == ("gate", "y") and again.parameter_names == ("w",)
    assert again.check_jacobian(rng=0) == cell.check_jacobian(rng=0)


@settings(max_examples=20, deadline=None)
@given(cell=random_cells())
def test_random_cells_pickle(cell):
    assert pickle.loads(pickle.dumps(cell)) == cell


def test_equality_looks_at_the_whole_definition():
    assert leaky() == leaky() and hash(leaky()) == hash(leaky())
    others = [leaky(name="other"), leaky(fixed_point=[n]), leaky(messages=[h, z * h]), leaky(fields={"a": y_z, "b": y_h})]
    assert all(other != leaky() for other in others)
    assert leaky() != "leaky"


# --- the definition


def test_names_and_counts():
    assert gt.GRU.field_names == ("z", "r", "h") and gt.GRU.message_names == ("h", "r*h")
    assert (gt.GRU.n_state, gt.GRU.n_fields, gt.GRU.n_messages) == (1, 3, 2)
    assert gt.GRU.message_of == (0, 0, 1)
    assert gt.LSTM.state_names == ("h", "c") and gt.LSTM.n_messages == 1
    assert "GRU" in repr(gt.GRU) and "r <- h" in repr(gt.GRU)


def test_single_symbols_and_expressions_need_no_list():
    cell = gt.Cell(name="v", state=h, fields=y_h, messages=h, update=n, fixed_point=n)
    assert (cell.state, cell.messages, cell.update, cell.fixed_point) == ((h,), (h,), (n,), (n,))


def test_mapping_forms_say_the_same():
    pair = {"name": "pair", "state": [h, c], "fields": [y_z, y_h]}
    update = [sp.tanh(z * c), z * c + (1 - z) * n]
    closed = [sp.tanh(z * c), n]
    plain = gt.Cell(**pair, messages=[h, z * h], update=update, fixed_point=closed)
    by_symbol = gt.Cell(
        **pair, messages={y_h: z * h, y_z: h}, update={c: update[1], h: update[0]}, fixed_point={c: closed[1], h: closed[0]}
    )
    by_name = gt.Cell(
        **pair, messages={"h": z * h, "z": h}, update={"c": update[1], "h": update[0]}, fixed_point={"c": n, "h": closed[0]}
    )
    by_field_name = gt.Cell(**{**pair, "fields": {"z": y_z, "h": y_h}}, messages=[h, z * h], update=update, fixed_point=closed)
    assert plain == by_symbol == by_name == by_field_name
    assert plain.closed_form == {h: sp.tanh(z * n), c: n}


@pytest.mark.parametrize(
    "changes, error, text",
    [
        ({"messages": [gt.sigma(y_h) * h, h]}, ValueError, "looks ahead to y_h"),
        ({"messages": [y_z, h]}, ValueError, "looks ahead to y_z"),
        ({"messages": [h]}, ValueError, "messages must have 2 entries"),
        ({"messages": [h, h, h]}, ValueError, "messages must have 2 entries"),
        ({"messages": [h, w * h]}, ValueError, "unknown symbols"),
        ({"messages": [h, sp.Integer(1)]}, ValueError, "depends on nothing"),
        ({"messages": ["h", "h"]}, TypeError, "messages"),
        ({"messages": "hh"}, TypeError, "messages"),
        ({"messages": {"z": h}}, ValueError, "lacks"),
        ({"messages": {"z": h, "h": h, "q": h}}, ValueError, "unknown key 'q'"),
        ({"update": [h, h]}, ValueError, "update must have 1 entries"),
        ({"update": [w * n]}, ValueError, "update.*unknown symbols.*w"),
        ({"update": "h"}, TypeError, "update"),
        ({"update": [True]}, TypeError, "update"),
        ({"update": [None]}, TypeError, "update"),
        ({"update": [sp.Matrix([h])]}, TypeError, "scalar"),
        ({"update": {c: n}}, ValueError, "unknown key"),
        ({"state": [h, h], "update": [n, n]}, ValueError, "distinct"),
        ({"state": [h, y_h], "update": [n, n]}, ValueError, "distinct"),
        ({"state": ["h"]}, TypeError, "state"),
        ({"state": "h"}, TypeError, "state"),
        ({"state": [h + 1]}, TypeError, "state"),
        ({"state": 3}, TypeError, "state"),
        ({"state": []}, ValueError, "state must not be empty"),
        ({"fields": [y_z, y_z]}, ValueError, "distinct"),
        ({"fields": ["y_z", "y_h"]}, TypeError, "fields"),
        ({"fields": {1: y_z, 2: y_h}}, TypeError, "names of fields"),
        ({"fields": {"": y_z, "h": y_h}}, TypeError, "names of fields"),
        ({"fields": [y_z, sp.Symbol("z", real=True)]}, ValueError, "names of fields"),
        ({"parameters": [h]}, ValueError, "distinct"),
        ({"parameters": ["p"]}, TypeError, "parameters"),
        ({"fixed_point": [h]}, ValueError, "defined through themselves"),
        ({"fixed_point": [z * h]}, ValueError, "defined through themselves"),
        ({"fixed_point": [w * n]}, ValueError, "fixed_point.*unknown symbols"),
        ({"fixed_point": [n, n]}, ValueError, "fixed_point must have 1 entries"),
        ({"fixed_point": {"q": n}}, ValueError, "unknown key"),
        ({"name": ""}, TypeError, "name"),
        ({"name": 3}, TypeError, "name"),
    ],
)
def test_refused_definitions(changes, error, text):
    with pytest.raises(error, match=text):
        leaky(**changes)


def test_fixed_points_defined_in_a_circle_are_refused():
    with pytest.raises(ValueError, match="defined through themselves"):
        gt.Cell(name="ring", state=[h, c], fields=[y_h], messages=[h], update=[c, h], fixed_point={h: c * n, c: h})


def test_a_fixed_point_that_is_none_is_refused_on_first_use():
    cell = leaky(fixed_point=[2 * n])
    with pytest.raises(ValueError, match="does not satisfy"):
        cell.compiled.fixed_state([0.3, 0.4])
    with pytest.raises(ValueError, match="does not satisfy"):
        gt.fixed_points(gt.Ensemble(cell))


# --- what a cell looks like


@pytest.mark.parametrize("name", BUILTIN)
def test_a_cell_shows_its_equations(name):
    """The printed equations, read by sympy again, are the cell's."""
    cell = getattr(gt, name)
    right = {}
    for line in str(cell).splitlines()[1:]:
        left, _, text = line.strip().partition(" = ")
        right.setdefault(left, text)
    symbols = {str(s): s for s in (*cell.state, *cell.fields, *cell.parameters)} | {"sigma": gt.sigma}
    gates = {gate: sp.sympify(right[gate], symbols) for gate in right if right[gate].startswith("sigma(y")}
    for state, update in zip(cell.state_names, cell.update):
        assert sp.simplify(sp.sympify(right[f"{state}'"], symbols | gates) - update) == 0
    for k, (field, message) in enumerate(zip(cell.fields, cell.messages)):
        text = right[str(field)].removeprefix(f"U_{cell.field_names[k]} ").removesuffix(f" + b_{cell.field_names[k]}")
        assert sp.sympify(text, symbols | gates) == message
    assert (cell.fixed_point is not None) == ("fixed point" in str(cell))
    # at a prompt, in help(), in a notebook
    assert "\n" not in repr(cell) and len(repr(cell)) < 100 and f"{cell.state_names[0]}' = " in repr(cell)
    assert str(cell).splitlines()[1].strip() in pydoc.render_doc(cell, renderer=pydoc.plaintext)
    assert cell._repr_latex_().startswith("$$ \\begin{aligned}") and f"{cell.state_names[0]}' &= " in cell._repr_latex_()


def test_the_class_keeps_its_own_words():
    assert "symbolic" in gt.Cell.__doc__ or "sympy" in gt.Cell.__doc__
    assert gt.GRU.__doc__.startswith(str(gt.GRU)) and leaky().__doc__ == str(leaky())
    assert isinstance(type(gt.GRU).__doc__, str)
