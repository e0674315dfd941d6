"""``gating-theory design``: what the library says of an initialisation, as text and JSON."""

import json

import numpy as np
import pytest

import gating_theory as gt


def test_design_beside_libraries(command, tmp_path):
    code, out, err = command("design", "--cell", "LSTM", "--memory", 50, "--n-units", 32, "--out", tmp_path / "new")
    assert (code, err) == (0, "")
    assert "bias.i = -3.91202" in out and "Lambda = 0.49 (T d radius / d gain), learning rates up to 0.1; eps below" in out
    assert "32 units: Lambda times the fluctuation of the gain is" in out
    assert all(f"\n{name} " in out for name in ("this design", "keras LSTM", "torch LSTM", "chrono, 50 steps"))
    found = gt.load(tmp_path / "new" / "design.json")
    assert found == gt.design(gt.LSTM, memory=50, n_units=32)
    code, out, _ = command("design", "--cell", "JANET", "--memory", 10, "--kappa", 2, "--given", "bias.g=0", "--json")
    record = json.loads(out)
    assert code == 0 and record["solution"]["bias.f"] == pytest.approx(np.log(5.0), rel=1e-9)
    assert [row["initialisation"]["name"] for row in record["beside"]["rows"]] == ["this design", "chrono, 10 steps"]


def test_designs_that_are_refused(command):
    for arguments, words in ((("--given", "bias.o"), "PATH=VALUE"), (("--given", "bias.z=1"), "which memory solves for")):
        code, _, err = command("design", "--memory", 10, *arguments)
        assert code == 2 and words in err
