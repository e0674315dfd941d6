"""``gating-theory diagnose``: reports in all forms, inputs good and bad."""

import json

import numpy as np
import pytest

import gating_theory as gt
from gating_theory import cli

torch = pytest.importorskip("torch")


@pytest.mark.slow
def test_diagnose_command(tmp_path, capsys):
    """A checkpoint is diagnosed from the command line, files and all."""
    torch.save(torch.nn.LSTM(2, 16).state_dict(), tmp_path / "model.pt")
    np.save(tmp_path / "x.npy", np.random.default_rng(0).standard_normal((12, 3, 2)))
    arguments = ["diagnose", str(tmp_path / "model.pt"), "--inputs", str(tmp_path / "x.npy"), "--n-states", "2", "--tau", "2", "20"]
    assert cli.main([*arguments, "--out", str(tmp_path / "out")]) == 0
    assert "slower than 20 steps" in capsys.readouterr().out
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"diagnosis.nc", "diagnosis.json", "diagnosis.txt", "diagnosis.png"}
    record = json.loads((tmp_path / "out" / "diagnosis.json").read_text())
    assert record["n_units"] == 16 and set(record["actual"]["slow_fraction"]) == {"2", "20"} and "provenance" in record
    assert str(gt.load(tmp_path / "out" / "diagnosis.nc")) in (tmp_path / "out" / "diagnosis.txt").read_text()
    # the weights before training: here others, so that all that differs counts as learned
    torch.manual_seed(1)
    torch.save(torch.nn.LSTM(2, 16).state_dict(), tmp_path / "initial.pt")
    torch.save(torch.nn.LSTM(2, 8).state_dict(), tmp_path / "small.pt")
    assert cli.main([*arguments, "--initial", str(tmp_path / "initial.pt"), "--json"]) == 0
    modes = json.loads(capsys.readouterr().out)["modes"]
    assert modes["from_initial"] and min(modes["n_learned"].values()) > 0
    assert cli.main([*arguments, "--initial", str(tmp_path / "small.pt")]) == 2
    assert "initial must have matrices of shape (4, 16, 16)" in capsys.readouterr().err
    assert cli.main(["diagnose", str(tmp_path / "none.pt")]) == 2
    np.savez(tmp_path / "two.npz", a=1)
    assert cli.main(["diagnose", str(tmp_path / "model.pt"), "--inputs", str(tmp_path / "two.npz")]) == 2
    assert "archive" in capsys.readouterr().err
    np.savez(tmp_path / "ragged.npz", inputs=np.ones((6, 2, 2)), lengths=[6, 4])
    assert cli.main(["diagnose", str(tmp_path / "model.pt"), "--inputs", str(tmp_path / "ragged.npz"), "--n-states", "1"]) == 0
    assert "along 2 input sequences of 4 to 6 steps" in capsys.readouterr().out
    for name, write, words in (
        ("text.npy", lambda path: path.write_text("no numbers"), "not a .npy or .npz file of numbers, or only a part"),
        ("part.npz", lambda path: path.write_bytes((tmp_path / "two.npz").read_bytes()[:40]), "not a .npy or .npz file"),
        ("objects.npz", lambda path: np.savez(path, inputs=np.array([None])), "not a .npy or .npz file of numbers"),
        ("long.npz", lambda path: np.savez(path, inputs=np.ones((4, 1, 2)), lengths=[5]), "lengths[0] must be at most the 4 steps"),
        ("complex.npy", lambda path: np.save(path, np.ones((2, 3), complex)), r"real numbers, got complex128 of shape (2, 3)"),
    ):
        write(tmp_path / name)
        assert cli.main(["diagnose", str(tmp_path / "model.pt"), "--inputs", str(tmp_path / name)]) == 2
        assert words in capsys.readouterr().err
