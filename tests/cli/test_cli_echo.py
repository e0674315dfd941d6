"""``gating-theory echo``: what the library says of copies under one input, as text, JSON and files."""

import json

import pytest

import gating_theory as gt

VANILLA = gt.Ensemble(gt.Vanilla, gain=1.5, input_std=0.5)
ARGUMENTS = ("echo", "--cell", "Vanilla", "--gain", "1.5", "--input-std", "0.5")


def test_the_state_as_text(command):
    code, out, err = command(*ARGUMENTS)
    found = gt.echo_state(VANILLA)
    assert code == 0 and str(VANILLA) in out and str(found) in out
    for number in (f"lam {found.lam:.6g}", f"chi {found.chi:.6g}", f"timescale {found.timescale:.5g}"):
        assert number in out


def test_state_and_boundary_as_json_and_files(command, tmp_path):
    code, out, err = command(*ARGUMENTS, "--line", "gain", "--bounds", "1.5", "1.6", "--json", "--out", tmp_path)
    record = json.loads(out)
    found = gt.echo_state(VANILLA)
    assert code == 0 and record["verdict"] == "echo_state" and record["ok"] and len(record["states"]) == 1
    for name in ("lam", "chi", "timescale", "timescale_squared"):
        assert record[name] == pytest.approx(getattr(found, name), rel=1e-9)
    line = record["line"]
    assert abs(line["value"] - 1.549674) < 6e-7 and line["rising"] and not line["discontinuous"]  # of the table of boundaries
    assert json.loads((tmp_path / "echo.json").read_text()) == record
    assert gt.load(tmp_path / "state.json") == found


def test_two_states(command):
    """No timescale where the start decides: what JSON has no number for is a word."""
    code, out, err = command("echo", "--gain", "z=0", "r=10", "h=1.9", "--input-std", "h=0.05", "--json")
    record = json.loads(out)
    assert code == 0 and record["verdict"] == "two_states" and record["timescale"] == "inf" and record["line"] is None
    assert [state["exponent"] > 0.0 for state in record["states"]] == [True, False]


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("--bounds", "1", "2"), "--line"),
        (("--line", "gain.x"), "gain.x"),
        (("--method", "networks"), "--method"),
        (("--flow",), "white"),
        (("--line", "gain", "--bounds", "0.1", "0.2"), "no boundary"),
    ],
)
def test_errors_of_echo(command, arguments, words):
    code, out, err = command(*ARGUMENTS, *arguments)
    assert code == 2 and words in err and "Traceback" not in err
