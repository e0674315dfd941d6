"""``gating-theory dmft`` and ``gating-theory chaos``: the numbers of the library, as text, JSON and files."""

import json

import pytest

import gating_theory as gt


def test_dmft_as_text(command):
    code, out, err = command("dmft", "--gain", "z=0", "r=4", "h=3", "--lags", "0", "5")
    state = gt.dmft(gt.Ensemble(gt.GRU, gain={"z": 0, "r": 4, "h": 3}))
    assert code == 0 and str(state) in out and "what never decays: nothing" in out
    for lag in (0, 5):
        assert f"lag {lag}: {state.autocorrelation([lag])['messages'][0, 0]:.7g}" in out


def test_dmft_of_a_flow_as_json_and_files(command, tmp_path):
    arguments = ("--cell", "KCSFast", "--gain", "z=0", "r=3", "h=4", "--flow", "--json", "--out", tmp_path)
    code, out, err = command("dmft", *arguments)
    record = json.loads(out)
    state = gt.dmft(gt.Ensemble(gt.KCSFast, gain={"z": 0, "r": 3, "h": 4}), flow=True)
    (row,) = record["states"]
    assert code == 0 and record["flow"] and row["verdict"] == "chaotic" and row["ok"]
    assert row["moments"] == pytest.approx(state.moments, rel=1e-12) and row["exponent"] == pytest.approx(state.exponent, rel=1e-9)
    assert json.loads((tmp_path / "dmft.json").read_text()) == record
    assert gt.load(tmp_path / "state.nc").moments == state.moments
    assert (tmp_path / "correlations.png").read_bytes().startswith(b"\x89PNG")


def test_all_states(command):
    code, out, err = command("dmft", "--gain", "z=0", "r=10", "h=1.9", "--all", "--json", "--lags", "3")
    rows = json.loads(out)["states"]
    assert [row["verdict"] for row in rows] == ["chaotic", "chaotic", "zero_state"]
    assert [row["returns"] for row in rows] == [True, False, None] and "autocorrelation" not in rows[2]


def test_chaos_in_theory_and_in_networks(command, tmp_path):
    code, out, err = command("chaos", "gain.h", "--gain", "z=0", "r=10", "--json", "--out", tmp_path)
    record = json.loads(out)
    assert code == 0 and abs(record["value"] - 1.8682263) < 6e-8 and record["discontinuous"] and record["exponent_above"][0] > 0.0
    assert json.loads((tmp_path / "chaos.json").read_text()) == record
    code, out, err = command("chaos", "gain.h", "--cell", "Vanilla", "--method", "networks", "--n-units", 300, "--n-steps", 60)
    found = gt.chaos_onset(gt.Ensemble(gt.Vanilla), "gain.h", n_units=300, n_steps=60, rng=0)
    assert code == 0 and str(found) in out


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("dmft", "--method", "lag"), "method"),
        (("dmft", "--step", "2"), "step"),
        (("dmft", "--gain", "z=0", "r=1", "h=3", "--lags", "0.5"), "multiples of the step"),
        (("dmft", "--gain", "z=1", "r=1", "h=3", "--lags", "-1"), "lags must be 0 or more"),
        (("chaos",), "PATH"),
        (("chaos", "gain.x"), "gain.x"),
        (("chaos", "gain.h", "--method", "networks", "--flow"), "--flow"),
    ],
)
def test_errors(command, arguments, words):
    code, out, err = command(*arguments)
    assert code == 2 and words in err and "Traceback" not in err
