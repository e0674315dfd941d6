"""What ``gating-theory validate`` writes, and its exit code."""

import json
import pickle
from concurrent.futures import Executor, Future

import numpy as np

import gating_theory as gt
from gating_theory.cli import main
from gating_theory.validation.report import ClosedForm, closed_forms, report_text, write_report
from gating_theory.validation.rows import Row, verdict_of
from gating_theory.validation.table import Validation


def test_closed_forms(datasets):
    forms = closed_forms(datasets)
    assert [form.exact for form in forms] == [2.0, np.sqrt(8.0)]
    assert all(form.agrees for form in forms)
    assert "DISAGREE" in str(ClosedForm("x", 1.0, 1.0 + 1e-6))


def test_report(tmp_path, small, datasets):
    """The report holds every file, and the pictures and numbers of the validation."""
    files = write_report(tmp_path, small, datasets, closed_forms(datasets))
    assert sorted(files) == sorted(tmp_path.iterdir())
    expected = {"validation.txt", "validation.csv", "validation.json", "phase_diagram_GRU.nc", "phase_diagram_GRU_lines.nc"}
    assert {f.name for f in files} == expected | {
        "spectra.png",
        "densities.png",
        "timescales.png",
        "comparisons.png",
        "phase_diagrams.png",
    }
    assert all(f.read_bytes().startswith(b"\x89PNG") for f in files if f.suffix == ".png")
    assert (tmp_path / "validation.txt").read_text() == report_text(small, closed_forms(datasets))
    assert gt.load(tmp_path / "phase_diagram_GRU.nc").equals(datasets["GRU"][0])


def test_pictures_are_drawn_in_other_processes(tmp_path, small):
    """What draws a picture in another process gets it pickled, spectra and all."""

    class Elsewhere(Executor):
        def submit(self, function, /, *arguments):
            future = Future()
            future.set_result(function(*pickle.loads(pickle.dumps(arguments))))
            return future

    files = write_report(tmp_path, small, {}, [], Elsewhere())
    assert {f.stem for f in files if f.suffix == ".png"} == {"spectra", "densities", "timescales", "comparisons"}


def test_own_cells_on_the_command_line(capsys, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "import sympy as sp, gating_theory as gt\n"
        "h, y = sp.symbols('h y', real=True)\n"
        "cell = gt.Cell(name='mine', state=[h], fields=[y], messages=[h], update=[sp.tanh(y)], fixed_point=[sp.tanh(y)])\n"
    )
    out = tmp_path / "out"
    small = ["--n-units", "60", "--n-networks", "1", "--out", str(out)]
    assert main(["validate", "--cell", f"{file}:cell", "--gain", "0.8", *small]) == 0
    assert "mine zero state: 1 networks of 60 units" in capsys.readouterr().out
    files = {"validation.txt", "validation.csv", "validation.json", "spectra.png", "densities.png", "timescales.png"}
    files |= {"comparisons.png"}
    assert {path.name for path in out.iterdir()} == files
    states = ["--state", "typical", "chaotic", "--tau", "3", "--level", "1e-3"]
    assert main(["validate", "--cell", f"{file}:cell", "--gain", "1.7", *states, *small[:4]]) == 0
    printed = capsys.readouterr().out
    assert "mine typical fixed point" in printed and "mine steady state" in printed
    assert "slow fraction, tau = 3 " in printed and "is at least 0.001" in printed
    assert main(["validate", "--state", "zero"]) == 2
    assert "--state and the like belong to a --cell" in capsys.readouterr().err
    assert main(["validate", "--gain", "2"]) == 2
    assert "belong to a --cell" in capsys.readouterr().err


def test_command_line(capsys, monkeypatch, small, datasets, tmp_path):
    monkeypatch.setattr("gating_theory.cli.validate.validate", lambda *a, **k: small)
    monkeypatch.setattr("gating_theory.cli.validate.diagrams", lambda *a, **k: datasets)
    assert main(["validate", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["closed_forms"][1]["agrees"] is True
    written = []

    def write_report(out, *parts):  # the files themselves are those of the test above
        written.append(out)
        return [out / "validation.txt"]

    monkeypatch.setattr("gating_theory.cli.validate.write_report", write_report)
    assert main(["validate", "--out", str(tmp_path)]) == 0
    assert written == [tmp_path] and f"wrote {tmp_path / 'validation.txt'}" in capsys.readouterr().out
    wrong = Row("c", "q", 1.0, 1.0, 2.0, 100, 1, 0.0, 0.0, 0.0, verdict_of(0.0, 0.5), "off by 1")
    monkeypatch.setattr("gating_theory.cli.validate.validate", lambda *a, **k: Validation((wrong,), {}, {}))
    assert main(["validate"]) == 1
    assert "DISAGREE (off by 1)" in capsys.readouterr().out
