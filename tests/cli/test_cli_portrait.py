"""``gating-theory portrait``: flows from files, good and bad."""

import json

import numpy as np
import pytest

import gating_theory as gt


def test_portrait(command, tmp_path):
    weights = tmp_path / "weights.json"
    weights.write_text('{"U_h": [[1.5, -2.598], [2.598, 1.5]]}')
    code, out, err = command("portrait", weights, "--map", "--grade", "validated", "--out", tmp_path / "new")
    assert (code, err) == (0, "")
    # the flow rests, the map turns
    assert "1 fixed point, complete" in out and "no cycles found" in out and "invariant circle" in out
    assert {p.name for p in (tmp_path / "new").iterdir()} == {"portrait.png", "portrait.txt", "points.json", "flow.json"}
    assert gt.load(tmp_path / "new" / "points.json").topology == (1, 0, 0)
    assert isinstance(gt.load(tmp_path / "new" / "flow.json"), gt.flow.Flow)
    assert (tmp_path / "new" / "portrait.txt").read_text() == out
    saved = gt.save(gt.GRUFlow(U_h=3.0), tmp_path / "one.json")
    code, out, err = command("portrait", saved, "--json", "--out", tmp_path / "one")
    record = json.loads(out)
    assert code == 0 and record["topology"] == {"sinks": 2, "sources": 1, "saddles": 0} and record["complete"]
    assert err == "" and {p.name for p in (tmp_path / "one").iterdir()} == {
        "portrait.png",
        "portrait.txt",
        "points.json",
        "flow.json",
    }
    saved = gt.save(gt.GRUFlow(U_h=np.eye(3)), tmp_path / "three.json")
    code, out, err = command("portrait", saved, "--out", tmp_path / "three")
    assert code == 0 and "no picture" in err and not (tmp_path / "three" / "portrait.png").exists()


def test_cells_from_files(command, tmp_path):
    """Weights of a cell from a file, and the flow that was saved of it."""
    (tmp_path / "mine.py").write_text(
        "import sympy as sp, gating_theory as gt\n"
        "h, y = sp.symbols('h y', real=True)\n"
        "cell = gt.Cell(name='mine', state=[h], fields=[y], messages=[h], update=[sp.tanh(y)], fixed_point=[sp.tanh(y)])\n"
    )
    (tmp_path / "weights.json").write_text('{"U_y": 3.0}')
    cell = ("--cell", f"{tmp_path}/mine.py:cell")
    code, out, err = command("portrait", tmp_path / "weights.json", *cell, "--grade", "validated", "--out", tmp_path / "out")
    # tanh(3 h) = h has three solutions
    assert (code, err) == (0, "") and "mine" in out and "3 fixed points, complete" in out
    again = command("portrait", tmp_path / "out" / "flow.json", *cell, "--grade", "validated")
    assert again == (0, out, "")
    code, out, err = command("portrait", tmp_path / "out" / "flow.json")
    assert code == 2 and "'mine' is not built in" in err


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
def test_errors_of_portrait(command, tmp_path, text, words):
    (tmp_path / "weights.json").write_text(text)
    code, out, err = command("portrait", tmp_path / "weights.json", "--out", tmp_path / "new")
    assert code == 2 and words in err and err.count("\n") == 1 and out == ""
    assert not (tmp_path / "new").exists()


def test_portrait_of_what_is_no_flow(command, tmp_path):
    code, out, err = command("portrait", gt.save(gt.Ensemble(gt.GRU), tmp_path / "e.json"))
    assert code == 2 and "holds a Ensemble and no flow" in err
    code, out, err = command("portrait", tmp_path / "nothing.json")
    assert code == 2 and "nothing.json" in err
    weights = {"U_h": np.eye(4).tolist()}
    (tmp_path / "four.json").write_text(json.dumps(weights))
    code, out, err = command("portrait", tmp_path / "four.json")
    assert code == 2 and "up to 3" in err
