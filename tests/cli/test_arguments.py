"""Texts that become numbers, ensembles and axes."""

import argparse

import numpy as np
import pytest

import gating_theory as gt
from gating_theory.cli.arguments import axis_of, cell_of, ensemble_of, new_directory, parser, positive, whole


def test_ensembles():
    options = parser().parse_args(["spectrum", "--cell", "LSTM", "--gain", "2", "--bias", "f=1", "--bias-std", "f=0.5", "i=1"])
    assert ensemble_of(options) == gt.Ensemble(gt.LSTM, gain=2, bias={"f": 1}, bias_std={"f": 0.5, "i": 1})
    assert ensemble_of(parser().parse_args(["spectrum"])) == gt.Ensemble(gt.GRU)
    assert cell_of("JANET") is gt.JANET


@pytest.mark.parametrize(
    "command", [["spectrum"], ["phase-diagram", "--axis", "gain.h=1,2"], ["dmft"], ["echo"], ["chaos", "gain.h"]]
)
def test_laws_of_matrices(command):
    def described(*arguments):
        return ensemble_of(parser().parse_args([*command, "--matrices", *arguments]))

    assert described("stack") == gt.Ensemble(gt.GRU, matrices="stack")
    assert described("z=orthogonal", "h=iid") == gt.Ensemble(gt.GRU, matrices={"z": "orthogonal"})
    for arguments, words in (
        (["diagonal"], "matrices must be a law or one of the names"),
        (["h=diagonal"], "must be a law or one of the names"),
        (["g=stack"], "matrices has the unknown name 'g'"),
        (["stack", "stack"], "--matrices takes one law or NAME=LAW pairs, got 'stack'"),
        (["h=stack", "h=iid"], "--matrices has 'h' twice"),
    ):
        with pytest.raises(ValueError, match=words):
            described(*arguments)


def test_a_cell_from_a_file(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "import sympy as sp, gating_theory as gt\n"
        "h, y = sp.symbols('h y', real=True)\n"
        "cell, other = gt.Cell(name='mine', state=[h], fields=[y], messages=[h], update=[sp.tanh(y)]), 3\n"
    )
    assert cell_of(f"{file}:cell").name == "mine"
    assert ensemble_of(parser().parse_args(["spectrum", "--cell", f"{file}:cell", "--gain", "2"])).gain == {"y": 2.0}
    for name in ("other", "nothing"):
        with pytest.raises(ValueError, match=f"mine.py must define a Cell called {name}, got"):
            cell_of(f"{file}:{name}")
    with pytest.raises(FileNotFoundError, match="there is no file .*absent.py"):
        cell_of(f"{tmp_path}/absent.py:cell")
    file.write_text("1 / 0\n")
    with pytest.raises(ValueError, match="mine.py ends in ZeroDivisionError: division by zero"):
        cell_of(f"{file}:cell")
    with pytest.raises(ValueError, match="or FILE.py:NAME, got 'mine'"):
        cell_of("mine")


def test_axes():
    path, values = axis_of("gain.h=1:3:5")
    assert path == "gain.h"
    np.testing.assert_array_equal(values, np.linspace(1, 3, 5))
    np.testing.assert_array_equal(axis_of("bias.z=-1,0,2.5")[1], [-1, 0, 2.5])
    path, values = axis_of("gain.z=2*gain.r=0:5:20")  # the last sign of equality stands before the values
    assert path == "gain.z=2*gain.r"
    np.testing.assert_array_equal(values, np.linspace(0, 5, 20))


def test_numbers_and_directories(tmp_path):
    assert positive("1e-3") == 1e-3 and whole(0)("0") == 0 and whole(10)("12") == 12
    assert new_directory(str(tmp_path / "new" / "one")) == tmp_path / "new" / "one" and not (tmp_path / "new").exists()
    (tmp_path / "file").write_text("")
    for convert, text in ((positive, "inf"), (positive, "nan"), (whole(1), "0"), (new_directory, str(tmp_path / "file" / "x"))):
        with pytest.raises(argparse.ArgumentTypeError, match="must be"):
            convert(text)
