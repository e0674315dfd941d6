"""``gating-theory spectrum``: the numbers of the library, as text, JSON and pictures."""

import json

import numpy as np
import pytest

import gating_theory as gt


def test_spectrum(command):
    code, out, err = command("spectrum", "--gain", "z=2", "r=14", "h=1.8", "--tau", "20")
    assert (code, err) == (0, "")
    points = gt.fixed_points(gt.Ensemble(gt.GRU, gain={"z": 2, "r": 14, "h": 1.8}))
    assert out.count("solution ") == len(points) == 3
    assert f"{gt.Spectrum(points[-1]).radius():.10g}" in out
    assert "20 steps" in out


def test_spectrum_of_orthogonal_matrices(command):
    """Networks of the command are drawn by the law: at rest their eigenvalues lie on a circle."""
    code, out, err = command("spectrum", "--gain", "h=1", "--matrices", "orthogonal", "--n-units", 50, "--json")
    record = json.loads(out)
    assert (code, err) == (0, "")
    assert record["provenance"]["ensemble"]["matrices"] == gt.Ensemble(gt.GRU, matrices="orthogonal").as_dict()["matrices"]
    assert record["network"]["radius"] == pytest.approx(0.75, abs=0.01)  # 1/2 + e^{i phi} / 4; iid ones scatter by more


def test_spectrum_as_json(command):
    arguments = ("--cell", "LSTM", "--gain", "2", "--bias", "f=1", "--bias-std", "f=0.5", "--json")
    code, out, err = command("spectrum", *arguments)
    record = json.loads(out)
    ensemble = gt.Ensemble(gt.LSTM, gain=2, bias={"f": 1}, bias_std={"f": 0.5})
    points = gt.fixed_points(ensemble)
    assert record["provenance"]["ensemble"] == ensemble.as_dict()
    assert [row["moments"] for row in record["fixed_points"]] == [p.moments for p in points]
    assert record["fixed_points"][-1]["abscissa"] == pytest.approx(gt.Spectrum(points[-1]).abscissa(), rel=1e-12)


def test_spectrum_with_a_network_and_pictures(command, tmp_path):
    out_dir = tmp_path / "new" / "directory"
    arguments = ("spectrum", "--gain", "z=2", "r=3", "h=3", "--n-units", 60, "--seed", 5, "--json", "--out", out_dir)
    code, out, err = command(*arguments)
    assert code == 0
    assert {p.name for p in out_dir.iterdir()} == {"spectrum.json", "spectrum.png", "density.png"}
    record = json.loads(out)
    assert json.loads((out_dir / "spectrum.json").read_text()) == record
    point = gt.fixed_points(gt.Ensemble(gt.GRU, gain={"z": 2, "r": 3, "h": 3}))[-1]
    net, state = gt.Network.planted(point, 60, 5)
    assert record["network"]["radius"] == pytest.approx(np.abs(net.eigenvalues(state)).max(), rel=1e-9)
    assert (out_dir / "spectrum.png").read_bytes().startswith(b"\x89PNG")
