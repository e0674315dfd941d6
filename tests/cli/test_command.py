"""The command line as a whole: exit codes, errors in one line, interrupts, nothing heavy before a command runs."""

import io
import os
import signal
import subprocess
import sys
import time
import warnings

import pytest

import gating_theory as gt
from gating_theory.mean_field.fixed_points import fixed_points_of_each


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
        (("validate", "--cell", "missing.py:cell"), "there is no file 'missing.py'"),
        (("spectrum", "--cell", "missing.py:cell"), "there is no file 'missing.py'"),
        (("read", "missing.pt"), "there is no file 'missing.pt'"),
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


def test_an_interrupted_sweep_says_what_is_kept(command, monkeypatch, tmp_path):
    true, seen = fixed_points_of_each, []

    def interrupted(ensembles):
        seen.append(ensembles)
        if len(seen) % 4 == 0:
            raise KeyboardInterrupt
        return true(ensembles)

    monkeypatch.setattr("gating_theory.sweeps.points.fixed_points_of_each", interrupted)
    sweep = ("phase-diagram", "--axis", "gain.h=1:2:9", "--quantity", "count", "--out", tmp_path / "out")
    code, out, err = command(*sweep)
    assert (code, out) == (130, "") and err.endswith("interrupted: nothing is kept, --journal FILE keeps finished points\n")
    journal = tmp_path / "journal"
    for kept in (3, 6):
        code, out, err = command(*sweep, "--journal", journal)
        assert code == 130 and err.count("\n") == 1
        assert f"gating-theory: interrupted: {kept} of 9 points are in {journal}: the same work goes on from there\n" in err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals of a terminal")
def test_ctrl_c_with_workers(tmp_path):
    """A terminal interrupts the command and its workers: one line, no traceback, and the journal goes on."""
    sweep = [
        "phase-diagram",
        "--axis",
        "gain.h=2:3:400",
        "--quantity",
        "abscissa",
        "--jobs",
        "2",
        "--journal",
        tmp_path / "journal",
    ]
    code = "import sys; from gating_theory.cli import main; sys.exit(main(sys.argv[1:]))"
    work = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, sweep)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while work.poll() is None and not ((tmp_path / "journal").exists() and (tmp_path / "journal").read_bytes().count(b"\n") > 2):
        time.sleep(0.05)
    os.killpg(work.pid, signal.SIGINT)
    out, err = work.communicate(timeout=60)
    assert work.returncode == 130 and out == ""
    assert err.splitlines()[-1].startswith("gating-theory: interrupted: ") and "of 400 points are in" in err
    assert "Traceback" not in err and len(err.splitlines()) <= 2


@pytest.mark.parametrize(
    "error, words",
    [
        (PermissionError(13, "Permission denied", "x.nc"), "error: x.nc: Permission denied"),
        (OSError("the disk is full"), "error: the disk is full"),
        (MemoryError(), "error: MemoryError"),
    ],
)
def test_errors_of_the_system(command, monkeypatch, error, words):
    def fails(ensemble):
        raise error

    monkeypatch.setattr("gating_theory.cli.spectrum.fixed_points", fails)
    assert command("spectrum") == (2, "", f"gating-theory: {words}\n")


def test_warnings_are_one_line(command, monkeypatch):
    def warns(ensemble):
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("3 of 9 points\ndid not converge", RuntimeWarning, stacklevel=2)
        raise ValueError("enough")

    monkeypatch.setattr("gating_theory.cli.spectrum.fixed_points", warns)
    lines = "gating-theory: warning: 3 of 9 points did not converge\ngating-theory: error: enough\n"
    assert command("spectrum") == (2, "", lines)


def test_a_reader_who_leaves():
    code = "import sys; from gating_theory.cli import main; sys.exit(main(['derive', '--cell', 'GRU']))"
    work = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    work.stdout.close()
    err = work.stderr.read()
    work.stderr.close()
    assert work.wait() == 141 and err == ""


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


def test_letters_that_the_terminal_lacks(tmp_path, monkeypatch):
    """A report on a file whose name the terminal cannot write, as where LANG is C."""
    torch = pytest.importorskip("torch")
    from gating_theory.cli import main

    file = tmp_path / "größe.pt"
    torch.manual_seed(0)
    torch.save(torch.nn.RNN(2, 4).state_dict(), file)
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    assert main(["diagnose", str(file), "--n-states", "1"]) == 0
    assert rb"gr\xf6\xdfe.pt" in written.getvalue()


@pytest.mark.parametrize("module", ["gating_theory", "gating_theory.cli"])
def test_as_a_module(module):
    done = subprocess.run([sys.executable, "-m", module, "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"gating-theory {gt.__version__}\n", "")
