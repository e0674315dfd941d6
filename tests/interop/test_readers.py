"""Who reads what: each reader is asked, and only those that are needed bring their library."""

import subprocess
import sys
from types import ModuleType

import numpy as np
import pytest

import gating_theory as gt
from gating_theory.interop import readers
from gating_theory.interop.layers import RecurrentWeights
from gating_theory.interop.layouts import LAYOUTS


def some_weights():
    rows = 3 * len(LAYOUTS["RNN"].hidden)
    tensors = {"weight_ih": np.ones((rows, 2)), "weight_hh": np.eye(3), "bias_ih": np.zeros(rows), "bias_hh": np.zeros(rows)}
    return RecurrentWeights("RNN", "mine", {(0, "forward"): tensors})


def test_weights_that_are_read_stay_as_they_are():
    weights = some_weights()
    assert readers.weights_of(weights) is weights


def test_another_reader_is_asked_first(monkeypatch, tmp_path):
    """A reader is a module with two functions; the calculators take what it knows."""
    reader = ModuleType("gating_theory.interop.mine")
    reader.knows = lambda source: source == "weights.mine"
    reader.read = lambda source, **which: some_weights()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights.mine").touch()
    monkeypatch.setitem(sys.modules, reader.__name__, reader)
    monkeypatch.setattr(readers, "READERS", {"mine": "numpy", **readers.READERS})
    assert readers.weights_of("weights.mine").source == "mine"
    d = gt.diagnose("weights.mine", np.ones((6, 2)), n_states=1)
    assert d.source == "mine, layer 0, forward" and d.driven


@pytest.mark.parametrize("name, passed", [("its_library", True), ("another_library", False), (None, False)])
def test_only_a_missing_library_passes_a_reader_over(name, passed, monkeypatch):
    """A reader whose own import is at fault is not taken for one whose library is missing."""
    pytest.importorskip("torch")

    class Faulty:
        def find_spec(self, module, *rest):
            if module == "gating_theory.interop.faulty":
                raise ImportError("at fault", name=name)

    monkeypatch.setattr(sys, "meta_path", [Faulty(), *sys.meta_path])
    monkeypatch.setattr(readers, "READERS", {"faulty": "its_library", **readers.READERS})
    if passed:
        assert readers.read({"weight_hh": np.eye(2), "weight_ih": np.eye(2)}, kind="RNN").kind == "RNN"
    else:
        with pytest.raises(ImportError, match="at fault"):
            readers.read({"weight_hh": np.eye(2), "weight_ih": np.eye(2)}, kind="RNN")


def test_a_library_that_is_missing(tmp_path):
    """Networks are diagnosed without PyTorch; a checkpoint is not, and the message says what to install."""
    code = """
import sys
class Missing:
    def find_spec(self, name, *rest):
        if name == "torch":
            raise ImportError("No module named 'torch'")
sys.meta_path.insert(0, Missing())
import gating_theory as gt
net = gt.Network.sample(gt.Ensemble(gt.Vanilla), 4, rng=0)
gt.diagnose(net, n_states=1)
try:
    gt.diagnose(sys.argv[1])
except ImportError as error:
    print(error)
"""
    (tmp_path / "weights.pt").touch()
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "weights.pt"], capture_output=True, text=True, check=True)
    # quoted: brackets mean something to some shells
    assert "PyTorch is needed" in done.stdout and "pip install 'gating-theory[torch]'" in done.stdout


def test_a_missing_file_is_noticed_before_a_library_is_imported(tmp_path, monkeypatch):
    monkeypatch.setattr(readers, "READERS", {"none_of_this_name": "torch"})  # importing it would fail
    for source in ("missing.pt", tmp_path / "missing.pt"):
        with pytest.raises(FileNotFoundError, match="source: there is no file .*missing.pt"):
            readers.read(source)


def test_what_nobody_knows():
    pytest.importorskip("torch")
    with pytest.raises(TypeError, match="source must be .* got int"):
        readers.read(3)
