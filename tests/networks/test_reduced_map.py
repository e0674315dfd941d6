"""The reduced equations: their derivative, the fields they need, oddness, batches."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import cell_of, network, two_stage, with_candidate

import gating_theory as gt
from gating_theory.cell.builtin import BUILTIN
from gating_theory.networks.reduced_map import ReducedMap


@pytest.mark.parametrize("name", [*BUILTIN, "two-stage"])
def test_reduced_jacobian_is_the_derivative_of_the_residual(name):
    """Central differences of width 1e-5: truncation 1e-10, rounding 1e-11 over the width, third derivatives up to 10^3: 1e-6."""
    if name == "two-stage":
        net = gt.Network.sample(gt.Ensemble(two_stage(), gain=2.0, bias_std=0.3), 6, rng=1)
    else:
        net = network(name, 6, rng=1, gain=1.0)
    reduced = ReducedMap(net, net.input)
    assert reduced.m == (2 if name in ("two-stage", "KCS") else 1)
    x = 0.5 * np.random.default_rng(2).standard_normal((3, reduced.m, 6))
    which = np.zeros(3, dtype=int)
    residual, J = reduced.jacobian(x, which)
    assert np.array_equal(residual, reduced.residual(x, which).reshape(3, -1))
    step = 1e-5
    for column, unit in enumerate(np.eye(reduced.n).reshape(-1, reduced.m, 6)):
        slope = (reduced.residual(x + step * unit, which) - reduced.residual(x - step * unit, which)) / (2 * step)
        assert np.abs(slope.reshape(3, -1) - J[:, :, column]).max() < 1e-6 * max(1.0, np.abs(J).max())


@pytest.mark.parametrize(
    "name, fields", [("GRU", ["r", "h"]), ("LiGRUTanh", ["h"]), ("MGU", ["f", "h"]), ("LSTM", ["f", "i", "g", "o"])]
)
def test_fields_that_only_set_the_speed_drop_out(name, fields):
    net = network(name)
    reduced = ReducedMap(net, net.input)
    assert [net.cell.field_names[k] for k in reduced.site.needed] == fields


@pytest.mark.parametrize(
    "name, values, odd",
    [
        ("Vanilla", {"gain": 2.0}, True),
        ("Vanilla", {"gain": 2.0, "bias_std": 1e-3}, False),
        ("Vanilla", {"gain": 1e5, "bias": 1e-3}, False),  # saturated everywhere but near zero
        ("Vanilla", {"gain": 2.0, "input_std": 0.1}, False),
        ("GRU", {"gain": {"r": 2.0, "h": 2.0}}, False),
        ("GRU", {"gain": {"r": 0.0, "h": 2.0}, "bias": {"r": 0.5}}, True),
        ("GRU", {"gain": {"r": 0.0, "h": 2.0}, "bias": {"h": 0.5}}, False),
        ("LSTM", {"gain": 2.0}, False),
        ("LSTM", {"gain": {"f": 0.0, "i": 0.0, "o": 0.0, "g": 3.0}, "bias": {"f": 1.0, "i": -1.0}}, True),
        ("LiGRUTanh", {"gain": 2.0, "bias": {"z": 1.0}}, True),  # the update gate does not matter
        ("LiGRU", {"gain": 2.0}, False),
        ("mine", {"gain": 2.0}, False),
    ],
)
def test_oddness(name, values, odd):
    net = gt.Network.sample(gt.Ensemble(cell_of(name), **values), 5, rng=0, batch=2)
    assert ReducedMap(net, net.input).odd().tolist() == [odd, odd]


@settings(max_examples=8)
@given(name=st.sampled_from(["Vanilla", "GRU", "LSTM", "JANET", "PeepholeLSTM"]), n=st.integers(1, 6), seed=st.integers(0, 1000))
def test_reduced_map_of_a_batch(name, n, seed):
    """Points of several networks together give what each gives alone, to the rounding of sums in another order."""
    cell = getattr(gt, name)
    ens = gt.Ensemble(cell, gain=1.0, bias_std=0.5, input_std=0.2, parameter_std=0.02 if cell.parameters else None)
    batch = gt.Network.sample(ens, n, rng=seed, batch=3)
    together = ReducedMap(batch, batch.input)
    rng = np.random.default_rng(seed)
    x, which = 0.5 * rng.standard_normal((7, 1, n)), rng.integers(0, 3, 7)
    residual, J = together.jacobian(x, which)
    for i in range(3):
        arrays = (batch.matrices[i], batch.biases[i], batch.parameters[i], batch.input[i])
        net = gt.Network(ens, *arrays)
        alone = ReducedMap(net, net.input)
        mine = which == i
        r, A = alone.jacobian(x[mine], np.zeros(mine.sum(), dtype=int))
        assert np.allclose(residual[mine], r, rtol=0, atol=1e-12)
        assert np.allclose(J[mine], A, rtol=1e-10, atol=1e-10)
        assert np.allclose(together.bounds()[i], alone.bounds()[0], rtol=1e-12)
        full = together.complete(x[mine], which[mine])
        assert np.allclose(full, alone.complete(x[mine], np.zeros(mine.sum(), dtype=int)), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    "candidate, largest",
    [
        (lambda y: sp.sin(sp.pi * y), 1.0),  # 0 at every whole number
        (lambda y: sp.exp(-(y**2)), 1.0),  # 0 wherever y is large
        (lambda y: y * sp.exp(-(y**2)), np.exp(-0.5) / np.sqrt(2)),
        (lambda y: sp.exp(-20 * (y - 3) ** 2), 1.0),  # of width 0.2, away from zero
        (lambda y: sp.tanh(y / 100), 1.0),
        (lambda y: sp.log(1 + y**2), np.inf),
        (lambda y: sp.Max(0, y), np.inf),
    ],
)
def test_bounds_of_states_of_own_cells(candidate, largest):
    """Known suprema: met from above, by the margin of 1 % at most."""
    net = gt.Network.sample(gt.Ensemble(with_candidate(candidate)), 3, rng=0)
    (bound,) = ReducedMap(net, net.input).bounds().ravel()
    assert largest <= bound <= 1.0101 * largest
