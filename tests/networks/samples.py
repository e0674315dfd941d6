"""Cells and networks that several tests of this folder look at."""

import sympy as sp

import gating_theory as gt


def network(name, n=8, rng=0, **changes):
    """A sampled network with biases and inputs of every kind."""
    values = {"gain": 2.5, "bias": 0.2, "bias_std": 0.3, "input_std": 0.1, **changes}
    cell = getattr(gt, name)
    if cell.parameters:
        # strong peepholes leave sites without a fixed point: the memory runs away on one side of zero
        values.setdefault("parameter", 0.0 if name == "PeepholeLSTM" else 0.3)
        values.setdefault("parameter_std", 0.02)
    return gt.Network.sample(gt.Ensemble(cell, **values), n, rng=rng)


def two_stage():
    """A cell of the user's: two state variables heard, one field only for the speed, a message through two earlier fields."""
    a, b, u, v, w = sp.symbols("a b u v w", real=True)
    return gt.Cell(
        name="two-stage",
        state=[a, b],
        fields=[u, v, w],
        messages=[a, b * gt.sigma(u) + a, sp.tanh(v) * gt.sigma(u) * b],
        update=[gt.sigma(u) * a + (1 - gt.sigma(u)) * sp.tanh(w), sp.tanh(v) * gt.sigma(w)],
        fixed_point=[sp.tanh(w), sp.tanh(v) * gt.sigma(w)],
    )


def own_cell():
    h, y_z, y_h = sp.symbols("h y_z y_h", real=True)
    z, n = gt.sigma(y_z), sp.tanh(y_h)
    return gt.Cell(
        name="mine", state=[h], fields=[y_z, y_h], messages=[h, z * h + h**3], update=[z * h + (1 - z) * n], fixed_point=[n]
    )


def with_candidate(f):
    """A leaky cell whose candidate is any function of its field: f(y_h) with y_h a sympy Symbol."""
    h, y_z, y_h = sp.symbols("h y_z y_h", real=True)
    z = gt.sigma(y_z)
    return gt.Cell(
        name="T",
        state=[h],
        fields=[y_z, y_h],
        messages=[h, h],
        update=[z * h + (1 - z) * f(y_h)],
        fixed_point=[f(y_h)],
    )


def cell_of(name):
    return own_cell() if name == "mine" else getattr(gt, name)
