"""Importing the package is cheap, and all of its names are there when they are asked for."""

import subprocess
import sys

import pytest

_CELLS = ("Vanilla", "GRU", "GRUResetAfter", "MGU", "LiGRU", "LiGRUTanh")
_CELLS += ("LSTM", "CoupledLSTM", "PeepholeLSTM", "JANET", "KCS", "KCSFast")
_COMMANDS = ("spectrum", "gradients", "phase-diagram", "dmft", "chaos", "echo", "derive")
_COMMANDS += ("validate", "figures", "read", "diagnose", "portrait", "cite", "explore")
_HEAVY = ("sympy", "matplotlib", "xarray", "scipy", "numba", "torch", "pandas", "tqdm", "dask", "mpmath")


def run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_importing_brings_nothing_heavy():
    # what makes a session start at once (benchmarks/cold_start.py), in a form that no busy machine can break
    loaded = run("import sys, numpy, gating_theory; print([m for m in sys.modules if m.startswith('gating_theory.')])")
    assert loaded == "[]"
    # nor do the calculators, before they calculate
    names = "[n for n in gt.__all__ if n not in ('flow', 'plotting', 'GRUFlow', 'sigma')]"
    code = f"import sys, gating_theory as gt; cells = {_CELLS!r}; "
    code += f"[getattr(gt, n) for n in {names} if n not in cells]; print([m for m in {_HEAVY!r} if m in sys.modules])"
    assert run(code) == "[]"


def test_lazy_names_work_from_a_fresh_process():
    """Each way to a name works first in a process, whatever is imported by then."""
    assert run("import gating_theory as gt; print(gt.GRU.name, gt.sigma.__name__)") == "GRU sigma"
    assert run("import gating_theory as gt; print(gt.plotting.__name__)") == "gating_theory.plotting"
    assert (
        run("from gating_theory import *; print(LSTM.name, callable(phase_diagram), callable(plotting.plot_spectrum))")
        == "LSTM True True"
    )


_FIRST = """
import sys
import gating_theory as gt
for cell, gain in ((gt.GRU, {"z": 2, "r": 3, "h": 4}), (gt.LSTM, {"f": 2, "i": 3, "g": 3, "o": 2})):
    spectrum = gt.Spectrum(gt.fixed_points(gt.Ensemble(cell, gain=gain))[-1])
    spectrum.radius(), spectrum.boundary(), spectrum.slow_fraction(10.0)
gt.complexity(gt.Ensemble(gt.GRU, gain={"z": 2, "r": 3, "h": 4}))
"""


def test_first_results_of_builtin_cells_need_neither_sympy_nor_scipy_nor_numba():
    # what they are derived and compiled with takes longer to import than they to calculate (benchmarks/cold_start.py)
    code = _FIRST + f"print([m for m in {_HEAVY!r} if m in sys.modules])"
    run(code)  # derives and compiles what no earlier process of this user has
    assert run(code) == "[]"


def test_unknown_names():
    import gating_theory as gt

    with pytest.raises(AttributeError, match="GRUs"):
        gt.GRUs  # noqa: B018
    assert set(gt.__all__) <= set(dir(gt))


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "--help",
        "--version",
        "--nonsense",
        "nonsense",
        *(f"{command} --help" for command in _COMMANDS),
        *(f"{command} --nonsense" for command in _COMMANDS),
        "read missing.pt",
        "diagnose missing.pt",
        "diagnose {there} --inputs missing.npy",
        "portrait missing.json",
        *(f"{command} --cell missing.py:cell" for command in ("spectrum", "phase-diagram --axis gain.h=1,2", "derive", "validate")),
    ],
)
def test_the_command_line_starts_without_the_theory(arguments):
    # what makes it answer at once (benchmarks/cold_start.py), in a form that no busy machine can break: not even numpy is there
    words = arguments.format(there=__file__).split()
    code = "import sys, contextlib, io; from gating_theory.cli import main\n"
    code += f"with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(out): code = main({words!r})\n"
    code += f"print(code, bool(out.getvalue()), [m for m in ('numpy', *{_HEAVY!r}) if m in sys.modules])"
    assert run(code) == f"{0 if '--help' in words or words == ['--version'] else 2} True []"
