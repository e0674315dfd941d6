import json
import subprocess
import sys

import numpy as np
import pytest

import gating_theory as gt
from gating_theory.cli import main


def run(capsys, *arguments):
    """(exit code, stdout, stderr) of a command line."""
    code = main([str(a) for a in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


# --- spectrum


def test_spectrum(capsys):
    code, out, err = run(capsys, "spectrum", "--gain", "z=2", "r=14", "h=1.8", "--tau", "20")
    assert (code, err) == (0, "")
    points = gt.fixed_points(gt.Ensemble(gt.GRU, gain={"z": 2, "r": 14, "h": 1.8}))
    assert out.count("solution ") == len(points) == 3
    assert f"{gt.Spectrum(points[-1]).radius():.10g}" in out
    assert "20 steps" in out


def test_spectrum_as_json(capsys):
    arguments = ("--cell", "LSTM", "--gain", "2", "--bias", "f=1", "--bias-std", "f=0.5", "--json")
    code, out, err = run(capsys, "spectrum", *arguments)
    record = json.loads(out)
    ensemble = gt.Ensemble(gt.LSTM, gain=2, bias={"f": 1}, bias_std={"f": 0.5})
    points = gt.fixed_points(ensemble)
    assert record["provenance"]["ensemble"] == ensemble.as_dict()
    assert [row["moments"] for row in record["fixed_points"]] == [p.moments for p in points]
    assert record["fixed_points"][-1]["abscissa"] == pytest.approx(gt.Spectrum(points[-1]).abscissa(), rel=1e-12)


def test_spectrum_with_a_network_and_pictures(capsys, tmp_path):
    out_dir = tmp_path / "new" / "directory"
    arguments = ("spectrum", "--gain", "z=2", "r=3", "h=3", "--n-units", 60, "--seed", 5, "--json", "--out", out_dir)
    code, out, err = run(capsys, *arguments)
    assert code == 0
    assert {p.name for p in out_dir.iterdir()} == {"spectrum.json", "spectrum.png", "density.png"}
    record = json.loads(out)
    assert json.loads((out_dir / "spectrum.json").read_text()) == record
    point = gt.fixed_points(gt.Ensemble(gt.GRU, gain={"z": 2, "r": 3, "h": 3}))[-1]
    net, state = gt.Network.planted(point, 60, 5)
    assert record["network"]["radius"] == pytest.approx(np.abs(net.eigenvalues(state)).max(), rel=1e-9)
    assert (out_dir / "spectrum.png").read_bytes().startswith(b"\x89PNG")


# --- phase diagram


def test_phase_diagram(capsys, tmp_path):
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
    code, out, err = run(capsys, *arguments, "--out", tmp_path)
    assert (code, err) == (0, "")
    assert "ms a point" in out and "moment_r_h" in out
    data = gt.load(tmp_path / "phase_diagram.nc")
    np.testing.assert_array_equal(data["gain.h"], [1.5, 2.0, 2.5])
    np.testing.assert_array_equal(data["gain.r"], [0.0, 6.0])
    alone = gt.phase_diagram(gt.Ensemble(gt.GRU, gain=2), {"gain.h": [1.5, 2.0, 2.5], "gain.r": [0, 6]}, ("count", "moments"))
    np.testing.assert_array_equal(data["count"], alone["count"])
    assert {p.name for p in tmp_path.iterdir()} == {"phase_diagram.nc", "count.png", "moment_h.png", "moment_r_h.png"}


def test_phase_diagram_in_processes_and_as_json(capsys):
    arguments = ("phase-diagram", "--cell", "Vanilla", "--axis", "gain.h=0.5:1.5:3", "--quantity", "count", "abscissa", "--json")
    code, out, err = run(capsys, *arguments, "--jobs", "2")
    assert code == 0
    record = json.loads(out)  # strict JSON: NaN is null
    assert record["data_vars"]["count"]["data"] == [1, 1, 2]
    assert record["data_vars"]["abscissa"]["data"][0][1] is None
    alone = json.loads(run(capsys, *arguments)[1])
    assert alone["data_vars"] == record["data_vars"]


# --- derive


def test_derive(capsys, tmp_path):
    code, out, err = run(capsys, "derive", "--list")
    assert code == 0 and "vanilla.jacobian" in out or "vanilla" in out
    name = out.split()[0]
    code, out, err = run(capsys, "derive", name)
    assert code == 0 and out.startswith("# Derivations") and "Proved" in out
    code, out, err = run(capsys, "derive", name, "--json", "--out", tmp_path / "d.json")
    assert (code, out) == (0, "")
    assert json.loads((tmp_path / "d.json").read_text())["results"][0]["proved"] is True


def test_derive_cell(capsys):
    code, out, err = run(capsys, "derive", "--cell", "GRU")
    assert code == 0
    assert r"\begin{aligned}" in out and "U_{z}" in out and "F_y" in out


def test_failing_proofs_are_an_exit_code(capsys, monkeypatch):
    from gating_theory import derivations

    real = derivations.derive_all

    def broken(names):
        from dataclasses import replace

        return [replace(r, failures={"claim": "1"}) for r in real(names)]

    monkeypatch.setattr(derivations, "derive_all", broken)
    code, out, err = run(capsys, "derive", derivations.names()[0])
    assert code == 1 and "proof failed" in err


# --- portrait


def test_portrait(capsys, tmp_path):
    weights = tmp_path / "weights.json"
    weights.write_text('{"U_h": [[1.5, -2.598], [2.598, 1.5]]}')
    code, out, err = run(capsys, "portrait", weights, "--map", "--grade", "validated", "--out", tmp_path / "new")
    assert (code, err) == (0, "")
    # the flow rests, the map turns
    assert "1 fixed point, complete" in out and "no cycles found" in out and "invariant circle" in out
    assert {p.name for p in (tmp_path / "new").iterdir()} == {"portrait.png", "portrait.txt", "points.json"}
    assert gt.load(tmp_path / "new" / "points.json").topology == (1, 0, 0)
    assert (tmp_path / "new" / "portrait.txt").read_text() == out
    saved = gt.save(gt.GRUFlow(U_h=3.0), tmp_path / "one.json")
    code, out, err = run(capsys, "portrait", saved, "--json", "--out", tmp_path / "one")
    record = json.loads(out)
    assert code == 0 and record["topology"] == {"sinks": 2, "sources": 1, "saddles": 0} and record["complete"]
    assert "no picture" in err and not (tmp_path / "one" / "portrait.png").exists()


@pytest.mark.parametrize(
    "text, words",
    [
        ("{", "is not JSON"),
        ("[1]", "must hold weights by name"),
        ('{"U_q": [[1]]}', "unknown entry 'U_q'; allowed are cell, U_z"),
        ('{"U_h": [[1, 2]]}', "U_h must have shape (2, 2)"),
        ('{"U_h": [[NaN]]}', "U_h must be finite"),
        ('{"U_h": "abc"}', "U_h"),
        ('{"cell": "gru", "U_h": 1}', "'gru' is not built in"),
        ('{"cell": 3, "U_h": 1}', "3 is not built in"),
        ('{"format": "other"}', "not one written by gating_theory.save"),
        ('{"cell": "LiGRU", "U_h": [[1]]}', "not bounded"),
    ],
)
def test_errors_of_portrait(capsys, tmp_path, text, words):
    (tmp_path / "weights.json").write_text(text)
    code, out, err = run(capsys, "portrait", tmp_path / "weights.json", "--out", tmp_path / "new")
    assert code == 2 and words in err and err.count("\n") == 1 and out == ""
    assert not (tmp_path / "new").exists()


def test_portrait_of_what_is_no_flow(capsys, tmp_path):
    code, out, err = run(capsys, "portrait", gt.save(gt.Ensemble(gt.GRU), tmp_path / "e.json"))
    assert code == 2 and "holds a Ensemble and no flow" in err
    code, out, err = run(capsys, "portrait", tmp_path / "nothing.json")
    assert code == 2 and "nothing.json" in err
    weights = {"U_h": np.eye(4).tolist()}
    (tmp_path / "four.json").write_text(json.dumps(weights))
    code, out, err = run(capsys, "portrait", tmp_path / "four.json")
    assert code == 2 and "up to 3" in err


# --- errors: exit code 2, one line, no traceback


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
    ],
)
def test_errors(capsys, arguments, words):
    code, out, err = run(capsys, *arguments)
    assert code == 2
    assert words in err
    assert err.count("\n") == 1 and err.startswith("gating-theory"), "one line"
    assert "Traceback" not in err and out == ""


def test_unwritable_output(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        code, out, err = run(capsys, "spectrum", "--out", place)
        assert code == 2 and err.count("\n") == 1 and "file" in err


def test_an_error_leaves_no_directory(capsys, tmp_path):
    code, out, err = run(capsys, "spectrum", "--cell", "LiGRU", "--out", tmp_path / "new")
    assert code == 2 and not (tmp_path / "new").exists()


def test_calculations_that_fail(capsys, monkeypatch):
    import gating_theory.mean_field.fixed_points

    def never(ensemble):
        raise gt.ConvergenceError("a\nlong story")

    monkeypatch.setattr(gating_theory.mean_field.fixed_points, "fixed_points", never)
    code, out, err = run(capsys, "spectrum")
    assert (code, err) == (2, "gating-theory: error: a long story\n")


def test_help_and_version(capsys):
    code, out, err = run(capsys, "--help")
    assert code == 0 and "phase-diagram" in out
    code, out, err = run(capsys, "--version")
    assert (code, out) == (0, f"gating-theory {gt.__version__}\n")


def test_the_installed_command():
    code = "import sys; from gating_theory.cli import main; sys.exit(main(['derive', '--cell', 'nothing']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith("gating-theory: error:")
