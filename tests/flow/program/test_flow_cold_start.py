"""A second process compiles nothing: every pass of numba's compiler is counted, not the time."""

import os
import subprocess
import sys

import pytest

from gating_theory.cell.builtin import BUILTIN

CODE = """
import sys
import numpy as np
from numba.core import event
import gating_theory as gt
from gating_theory.flow.orbits.paths import paths
from gating_theory.flow.orbits.trajectories import advance

with event.install_recorder("numba:run_pass") as passes:
    for name in {cells!r}:
        for n in {sizes!r}:
            cell = getattr(gt, name)
            rng = np.random.default_rng(n)
            flow = gt.flow.Flow(cell, rng.standard_normal((cell.n_fields, n, n)), rng.standard_normal((cell.n_fields, n)))
            state = 0.1 * rng.standard_normal(flow.dim)
            flow(state), flow.jacobian(state), flow.euler(state, n_steps=3), advance(flow, state, 1.0)
            paths(flow, [state], 1.0, spacing=0.1, box=np.tile([-9.0, 9.0], (flow.dim, 1)))
            if cell.closed_form is not None:
                flow.residual(state)
                if cell not in (gt.LiGRU, gt.PeepholeLSTM):
                    flow.fixed_points()
                    gt.flow.count_fixed_points(cell, flow.matrices[None], flow.bias[None])
print(len(passes.buffer))
"""


def passes_of_the_compiler(cells, sizes, directory):
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(cells=cells, sizes=sizes)],
        env=os.environ | {"GATING_THEORY_CACHE_DIR": str(directory)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_a_second_process_compiles_nothing(tmp_path):
    """What one process compiled for a flow the next one finds on disk, to the last pass."""
    assert passes_of_the_compiler(["GRU"], [1], tmp_path) > 100
    assert passes_of_the_compiler(["GRU"], [1], tmp_path) == 0


@pytest.mark.nightly
def test_a_second_process_compiles_nothing_of_any_cell(tmp_path):
    cells = list(BUILTIN)
    assert passes_of_the_compiler(cells, [1, 2, 3], tmp_path) > 1000
    assert passes_of_the_compiler(cells, [1, 2, 3], tmp_path) == 0
