import subprocess
import sys

import pytest

_HEAVY = ("sympy", "matplotlib", "xarray", "scipy", "numba", "torch", "pandas", "tqdm", "dask", "mpmath")


def run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_importing_brings_nothing_heavy():
    # what makes `import gating_theory` take less than 0.3 s (benchmarks/spine.py), in a form that no busy machine can break
    loaded = run(f"import sys, gating_theory; print([m for m in {_HEAVY!r} if m in sys.modules])")
    assert loaded == "[]"


def test_lazy_names_work_from_a_fresh_process():
    assert run("import gating_theory as gt; print(gt.GRU.name, gt.sigma.__name__)") == "GRU sigma"
    assert run("import gating_theory as gt; print(gt.plotting.__name__)") == "gating_theory.plotting"
    assert (
        run("from gating_theory import *; print(LSTM.name, callable(phase_diagram), callable(plotting.plot_spectrum))")
        == "LSTM True True"
    )


def test_unknown_names():
    import gating_theory as gt

    with pytest.raises(AttributeError, match="no attribute 'GRUs'"):
        gt.GRUs  # noqa: B018
    assert set(gt.__all__) <= set(dir(gt))


def test_the_command_line_starts_without_the_theory():
    code = f"import sys, gating_theory.cli.command; print([m for m in {_HEAVY!r} if m in sys.modules])"
    assert run(code) == "[]"
