"""The command line as a whole: exit codes, errors in one line, interrupts, nothing heavy before a command runs."""

import subprocess
import sys

import pytest

import gating_theory as gt


@pytest.mark.parametrize(
    "arguments, words",
    [
        ((), "COMMAND"),
        (("spectra",), "spectra"),
        (("spectrum", "--cell", "gru"), "GRU"),
        (("spectrum", "--gain", "z=two"), "two"),
        (("spectrum", "--gain", "z"), "z=2"),
        (("spectrum", "--gain", "q=2"), "q"),
        (("spectrum", "--gain", "z=2", "3"), "NAME=NUMBER"),
        (("spectrum", "--gain", "z=2", "z=3"), "twice"),
        (("spectrum", "--gain", "-2"), "gain"),
        (("spectrum", "--gain", "z=nan"), "finite"),
        (("spectrum", "--tau", "0"), "positive"),
        (("spectrum", "--seed", "-1"), "at least 0, got '-1'"),
        (("spectrum", "--n-units", "1.5"), "whole number of at least 1, got '1.5'"),
        (("spectrum", "--tau", "soon"), "positive number, got 'soon'"),
        (("spectrum", "--cell", "LiGRU"), "LiGRU"),
        (("phase-diagram",), "--axis"),
        (("phase-diagram", "--axis", "gain.h"), "LOW:HIGH:N"),
        (("phase-diagram", "--axis", "gain.h=1:2"), "LOW:HIGH:N"),
        (("phase-diagram", "--axis", "gain.h=1:2:0"), "whole number"),
        (("phase-diagram", "--axis", "gain.h=1:2:x"), "whole number"),
        (("phase-diagram", "--axis", "gain.h=1,b"), "'b'"),
        (("phase-diagram", "--axis", "gain.h=1,2", "--axis", "gain.h=1,2"), "twice"),
        (("phase-diagram", "--axis", "gain.x=1,2"), "gain.x"),
        (("phase-diagram", "--axis", "gain.h=1,2", "--quantity", "number"), "number"),
        (("phase-diagram", "--axis", "gain.h=1,2", "--jobs", "0"), "at least 1"),
        (("derive", "no.such"), "no.such"),
        (("derive", "--cell", "nothing"), "nothing"),
        (("derive", "gru.edge", "--cell", "GRU"), "neither"),
        (("validate", "--cells", "JANET"), "JANET"),
        (("validate", "--n-units", "3"), "50"),
        (("diagnose", "missing.pt"), "there is no file 'missing.pt'"),
        (("diagnose", __file__, "--inputs", "missing.npy"), "there is no file 'missing.npy'"),
        (("portrait", "missing.json"), "there is no file 'missing.json'"),
    ],
)
def test_errors(command, arguments, words):
    code, out, err = command(*arguments)
    assert code == 2
    assert words in err
    assert err.count("\n") == 1 and err.startswith("gating-theory"), "one line"
    assert "Traceback" not in err and out == ""


def test_unwritable_output(command, tmp_path):
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        code, out, err = command("spectrum", "--out", place)
        assert code == 2 and err.count("\n") == 1 and "file" in err


def test_an_error_leaves_no_directory(command, tmp_path):
    code, out, err = command("spectrum", "--cell", "LiGRU", "--out", tmp_path / "new")
    assert code == 2 and not (tmp_path / "new").exists()


def test_calculations_that_fail(command, monkeypatch):
    def never(ensemble):
        raise gt.ConvergenceError("a\nlong story")

    monkeypatch.setattr("gating_theory.cli.spectrum.fixed_points", never)
    code, out, err = command("spectrum")
    assert (code, err) == (2, "gating-theory: error: a long story\n")


def test_interrupts(command, monkeypatch):
    def interrupted(ensemble):
        raise KeyboardInterrupt

    monkeypatch.setattr("gating_theory.cli.spectrum.fixed_points", interrupted)
    assert command("spectrum") == (130, "", "gating-theory: interrupted\n")


def test_a_command_is_imported_when_it_runs():
    """The parser knows all commands; the module of one comes with its run."""
    code = """
import sys
from gating_theory.cli.arguments import parser
options = parser().parse_args(["derive", "--cell", "nothing"])
names = [name for name in sys.modules if name.startswith("gating_theory.cli.")]
print(sorted(names), callable(options.run))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['gating_theory.cli.arguments', 'gating_theory.cli.command'] True\n"


def test_a_missing_file_is_missed_before_libraries_are_imported():
    code = """
import sys
from gating_theory.cli import main
code = main(["diagnose", "missing.pt"])
print(code, {"torch", "sympy", "scipy", "numba"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "2 set()\n"


def test_help_and_version(command):
    code, out, err = command("--help")
    assert code == 0 and "phase-diagram" in out
    code, out, err = command("--version")
    assert (code, out) == (0, f"gating-theory {gt.__version__}\n")


def test_the_installed_command():
    code = "import sys; from gating_theory.cli import main; sys.exit(main(['derive', '--cell', 'nothing']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith("gating-theory: error:")
