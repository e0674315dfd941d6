"""``gating-theory phase-diagram``: the dataset of the library, in processes too."""

import json

import numpy as np

import gating_theory as gt


def test_phase_diagram(command, tmp_path):
    arguments = (
        "phase-diagram",
        "--axis",
        "gain.h=1.5:2.5:3",
        "--axis",
        "gain.r=0,6",
        "--gain",
        "2",
        "--quantity",
        "count",
        "moments",
    )
    code, out, err = command(*arguments, "--out", tmp_path)
    assert (code, err) == (0, "")
    assert "ms a point" in out and "moment_r_h" in out
    data = gt.load(tmp_path / "phase_diagram.nc")
    np.testing.assert_array_equal(data["gain_h"], [1.5, 2.0, 2.5])
    np.testing.assert_array_equal(data["gain_r"], [0.0, 6.0])
    alone = gt.phase_diagram(gt.Ensemble(gt.GRU, gain=2), {"gain.h": [1.5, 2.0, 2.5], "gain.r": [0, 6]}, ("count", "moments"))
    np.testing.assert_array_equal(data["count"], alone["count"])
    assert {p.name for p in tmp_path.iterdir()} == {"phase_diagram.nc", "count.png", "moment_h.png", "moment_r_h.png"}


def test_phase_diagram_in_processes_and_as_json(command):
    arguments = ("phase-diagram", "--cell", "Vanilla", "--axis", "gain.h=0.5:1.5:3", "--quantity", "count", "abscissa", "--json")
    code, out, err = command(*arguments, "--jobs", "2")
    assert code == 0
    record = json.loads(out)  # strict JSON: NaN is null
    assert record["data_vars"]["count"]["data"] == [1, 1, 2]
    assert record["data_vars"]["abscissa"]["data"][0][1] is None
    alone = json.loads(command(*arguments)[1])
    assert alone["data_vars"] == record["data_vars"]
