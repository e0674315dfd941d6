"""Functions of generated text: Python and numba make the same of it."""

import os
import subprocess
import sys

import numpy as np
import pytest
import sympy as sp

import gating_theory as gt
from gating_theory.flow.program.compiled import CompiledFlow

h, y_z, y_h = sp.symbols("h y_z y_h", real=True)
#: Powers, exp and its overflow, a step, a division.
CURIOUS = gt.Cell(
    name="curious",
    state=[h],
    fields=[y_z, y_h],
    messages=[h, h**3],
    update=[sp.exp(-y_z) * h**5 + sp.tanh(y_h) / (1 + y_z**2) + sp.Max(y_h, 0)],
)


@pytest.mark.parametrize("cell, n_units, name", [(gt.GRU, 2, "jacobian"), (gt.LSTM, 1, "slope"), (CURIOUS, 2, "jacobian")])
def test_few_points_and_many(cell, n_units, name):
    flow = CompiledFlow(cell, n_units)
    rng = np.random.default_rng(1)
    count = cell.n_fields * n_units * (n_units + 1)
    p, q = 3.0 * rng.standard_normal((2, count))
    more = (p, q) if name == "slope" else (p,)
    # 40 points are interpreted; 2000 are too many, and compiled code does them all
    points = np.concatenate([rng.standard_normal((20, flow.dim)), 400.0 * rng.standard_normal((1980, flow.dim))])
    few, many = (np.empty((n, flow.dim ** (2 if name == "jacobian" else 1))) for n in (40, 2000))
    getattr(flow, name)(np.ascontiguousarray(points[:40]), *more, few)
    getattr(flow, name)(points, *more, many)
    np.testing.assert_array_equal(few, many[:40])
    assert np.isfinite(few[:20]).all()


def test_a_first_answer_needs_neither_numba_nor_sympy(tmp_path):
    """What makes a new process answer at once: both take longer to be imported than the answer does."""
    code = """
import sys, numpy, gating_theory as gt
flow = gt.flow.Flow(gt.GRU, numpy.random.default_rng(0).standard_normal((3, 2, 2)))
points = flow.fixed_points()
flow(points[0].state), flow.jacobian(points[0].state), flow.residual(points[0].state)
print(points.complete, sorted({"numba", "sympy", "scipy", "llvmlite"} & set(sys.modules)))
"""
    environment = os.environ | {"GATING_THEORY_CACHE_DIR": str(tmp_path)}
    said = [
        subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert said == ["True ['sympy']\n", "True []\n"], "derived by the first process, kept for the second"
