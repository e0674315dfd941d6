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


def test_axes():
    path, values = axis_of("gain.h=1:3:5")
    assert path == "gain.h"
    np.testing.assert_array_equal(values, np.linspace(1, 3, 5))
    np.testing.assert_array_equal(axis_of("bias.z=-1,0,2.5")[1], [-1, 0, 2.5])


def test_numbers_and_directories(tmp_path):
    assert positive("1e-3") == 1e-3 and whole(0)("0") == 0 and whole(10)("12") == 12
    assert new_directory(str(tmp_path / "new" / "one")) == tmp_path / "new" / "one" and not (tmp_path / "new").exists()
    (tmp_path / "file").write_text("")
    for convert, text in ((positive, "inf"), (positive, "nan"), (whole(1), "0"), (new_directory, str(tmp_path / "file" / "x"))):
        with pytest.raises(argparse.ArgumentTypeError, match="must be"):
            convert(text)
