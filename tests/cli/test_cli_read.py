"""``gating-theory read``: what a file holds, in words and as JSON."""

import json

import numpy as np
import pytest

from gating_theory import cli

save_file = pytest.importorskip("safetensors.numpy").save_file


@pytest.fixture
def file(tmp_path):
    rng = np.random.default_rng(0)
    tensors = {"embed.weight": rng.normal(size=(9, 2)), "head.weight": np.ones((1, 3)), "other.weight_hh": np.ones((5, 3))}
    for way in ("", "_reverse"):
        tensors |= {f"rnn.weight_hh_l0{way}": rng.normal(size=(9, 3)), f"rnn.weight_ih_l0{way}": np.ones((9, 2))}
    save_file(tensors, tmp_path / "model.safetensors")
    return str(tmp_path / "model.safetensors")


def test_the_list(file, capsys):
    assert cli.main(["read", file]) == 0
    out = capsys.readouterr().out
    assert (
        "rnn: GRU, 1 layer, forward and reverse, 2 inputs, 3 units" in out and "embed.weight: looks like an embedding of 9" in out
    )
    assert "other: recurrent: it lacks the keys ['other.weight_ih']" in out
    assert cli.main(["read", file, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["format"] == "safetensors" and record["modules"]["rnn"]["n_units"] == 3
    assert record["embeddings"] == {"embed.weight": [9, 2]} and record["modules"]["other"]["problem"]


def test_one_module(file, capsys):
    assert cli.main(["read", file, "--prefix", "rnn"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("layer 0, forward: GRUResetAfter, 2 inputs, 3 units, gain z ") and second.startswith("layer 0, reverse")
    assert cli.main(["read", file, "--prefix", "rnn", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[1]["direction"] == "reverse"


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--prefix", "other"], "other: it lacks the keys"),
        (["--prefix", "none"], "prefix must name one of"),
        (["--kind", "LSTM", "--prefix", "rnn"], "it has the shapes of kind 'GRU'"),
        (["--kind", "Elman"], "kind must be one of"),
    ],
)
def test_errors_are_one_line(arguments, words, file, capsys):
    assert cli.main(["read", file, *arguments]) == 2
    err = capsys.readouterr().err
    assert words in err and err.count("\n") == 1
