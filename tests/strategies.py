"""Hypothesis strategies: random cells and random ensembles of the built-in ones; and files changed by hand."""

import json

import sympy as sp
from hypothesis import strategies as st

import gating_theory as gt
from gating_theory.cell.builtin import BUILTIN
from gating_theory.results.checksum import signed

#: Cells with a closed form of a site's fixed point and bounded messages: all calculators accept them.
CLOSED = tuple(n for n in BUILTIN if n not in ("LiGRU", "PeepholeLSTM"))

_STATES = sp.symbols("s_1 s_2", real=True)
_FIELDS = sp.symbols("y_a y_b y_c y_d", real=True)


_h, _y_z, _y_h = sp.symbols("h y_z y_h", real=True)
_z = gt.sigma(_y_z)
#: A cell of a user's own, in pieces to be changed.
LEAKY = {
    "name": "leaky",
    "state": [_h],
    "fields": [_y_z, _y_h],
    "messages": [_h, _h],
    "update": [_z * _h + (1 - _z) * sp.tanh(_y_h)],
}


def leaky(**changes):
    """The leaky cell with some of its pieces replaced."""
    return gt.Cell(**{**LEAKY, **changes})


@st.composite
def expressions(draw, symbols, depth=2):
    """A bounded-growth expression of sigma, tanh, products and sums that uses at least one of the symbols."""
    if depth == 0:
        x = draw(st.sampled_from(list(symbols)))
        return draw(st.sampled_from([x, gt.sigma(x), sp.tanh(x), 1 - gt.sigma(x)]))
    kind = draw(st.sampled_from(["leaf", "sigma", "tanh", "product", "sum"]))
    first = draw(expressions(symbols, depth - 1))
    if kind == "leaf":
        return first
    if kind in ("sigma", "tanh"):
        scale = draw(st.sampled_from([sp.Integer(1), sp.Rational(-1, 2), sp.Rational(3, 2)]))
        return (gt.sigma if kind == "sigma" else sp.tanh)(scale * first)
    second = draw(expressions(symbols, depth - 1))
    if kind == "product":
        return first * second
    return first + draw(st.sampled_from([sp.Rational(1, 2), sp.Integer(2)])) * second


@st.composite
def random_cells(draw):
    """Cells with d = 1..2 states and 1..4 fields whose messages may use the state and earlier fields."""
    state = _STATES[: draw(st.integers(1, 2))]
    fields = _FIELDS[: draw(st.integers(1, 4))]
    messages = []
    for k in range(len(fields)):
        message = draw(expressions([*state, *fields[:k]], depth=draw(st.integers(0, 2))))
        messages.append(message if message.free_symbols else state[0])
    update = [draw(expressions([*state, *fields])) for _ in state]
    return gt.Cell(name="random", state=state, fields=fields, messages=messages, update=update)


@st.composite
def random_ensembles(draw, names=BUILTIN):
    """Ensembles of built-in cells with every hyperparameter drawn, given by name, as a scalar, or left out."""
    cell = getattr(gt, draw(st.sampled_from(names)))

    gains, biases, spreads = st.floats(0.0, 10.0), st.floats(-3.0, 3.0), st.floats(0.0, 2.0)

    def values(labels, numbers):
        if not labels:
            return draw(st.none())
        some = st.lists(st.sampled_from(labels), unique=True)
        return draw(st.one_of(st.none(), numbers, some.flatmap(lambda s: st.fixed_dictionaries(dict.fromkeys(s, numbers)))))

    return gt.Ensemble(
        cell,
        gain=values(cell.field_names, gains),
        bias=values(cell.field_names, biases),
        bias_std=values(cell.field_names, spreads),
        input_std=values(cell.field_names, spreads),
        parameter=values(cell.parameter_names, biases),
        parameter_std=values(cell.parameter_names, spreads),
    )


def changed(path, change):
    """A saved JSON file after ``change(record)``, with a checksum that fits: what only the checks of a result can notice."""
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(signed(record)))
    return path
