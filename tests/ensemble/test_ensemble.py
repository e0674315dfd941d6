"""Ensemble: hyperparameters by name, round trips."""

import json
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from strategies import leaky, random_ensembles

import gating_theory as gt


def test_the_name_of_a_cell_is_told_what_to_write():
    with pytest.raises(TypeError, match="cell must be a Cell, such as gating_theory.GRU, got 'GRU'$"):
        gt.Ensemble("GRU")


def test_an_infinite_gain_is_told_what_to_take_instead():
    for gain, name in ((np.inf, "gain"), ({"z": float("inf")}, r"gain\['z'\]")):
        with pytest.raises(
            ValueError, match=rf"^{name} must be finite, got inf; a binary gate is the limit of large gains.*1000 by"
        ):
            gt.Ensemble(gt.GRU, gain=gain)
    with pytest.raises(ValueError, match="^bias must be finite, got inf$"):
        gt.Ensemble(gt.GRU, bias=np.inf)


def test_defaults():
    e = gt.Ensemble(gt.GRU)
    assert e.cell is gt.GRU
    assert e.gain == {"z": 1.0, "r": 1.0, "h": 1.0}
    assert e.bias == e.bias_std == e.input_std == {"z": 0.0, "r": 0.0, "h": 0.0}
    assert e.parameter == e.parameter_std == {}
    assert gt.Ensemble(gt.JANET).parameter == {"beta": 0.0}


def test_scalars_reach_every_field_and_names_only_their_own():
    e = gt.Ensemble(gt.LSTM, gain=2, bias={"f": 1})
    assert e.gain == dict.fromkeys("figo", 2.0) and e.bias == {"f": 1.0, "i": 0.0, "g": 0.0, "o": 0.0}
    assert gt.Ensemble(gt.GRU, gain={"h": 3}).gain == {"z": 1.0, "r": 1.0, "h": 3.0}
    assert gt.Ensemble(gt.PeepholeLSTM, parameter=0.5).parameter == {"p_f": 0.5, "p_i": 0.5, "p_o": 0.5}
    np.testing.assert_array_equal(e.array("bias"), [1, 0, 0, 0])


def test_numbers_of_numpy_are_numbers():
    e = gt.Ensemble(gt.GRU, gain={"h": np.float32(2.5), "r": np.array(3.0), "z": np.int64(1)})
    assert e.gain == {"z": 1.0, "r": 3.0, "h": 2.5} and all(type(v) is float for v in e.gain.values())


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match=r"gain.*'q'.*'z', 'r', 'h'"):
        gt.Ensemble(gt.GRU, gain={"q": 1})
    with pytest.raises(ValueError, match="parameter.*'p_f'"):
        gt.Ensemble(gt.GRU, parameter={"p_f": 1})
    with pytest.raises(TypeError, match="cell"):
        gt.Ensemble("GRU")


def test_paths_values_replace():
    e = gt.Ensemble(gt.JANET, gain={"g": 2}, parameter={"beta": 1})
    assert "gain.g" in e.paths and "parameter.beta" in e.paths and "parameter_std.beta" in e.paths
    assert len(set(e.paths)) == len(e.paths) == 4 * 2 + 3
    assert e.value("gain.g") == 2.0 and e.value("parameter.beta") == 1.0
    new = e.replace({"gain.g": 3, "bias_std.f": 0.5})
    assert (new.value("gain.g"), new.value("bias_std.f"), new.value("parameter.beta")) == (3.0, 0.5, 1.0)
    assert e.value("gain.g") == 2.0  # the old one is untouched
    assert e.value("bias") == 0.0 and new.replace({"gain": 1.5}).gain == {"f": 1.5, "g": 1.5}  # a kind is all of its fields
    for path in ("gain.q", "gain.", "h", "", "gains.h", None, ("gain", "g")):
        with pytest.raises(ValueError, match="allowed are"):
            e.value(path)
        with pytest.raises(ValueError, match="allowed are"):
            e.replace({path: 1.0})
    with pytest.raises(ValueError, match="gain"):
        e.replace({"gain.g": -1.0})


def test_views_are_copies():
    e = gt.Ensemble(gt.GRU)
    e.gain["h"] = 99.0
    e.array("gain")[:] = 99.0
    assert e.gain["h"] == 1.0


@settings(deadline=None)
@given(ensemble=random_ensembles())
def test_round_trips(ensemble):
    again = gt.Ensemble.from_dict(json.loads(json.dumps(ensemble.as_dict())))  # floats survive JSON exactly
    assert again == ensemble and hash(again) == hash(ensemble) and again.cell is ensemble.cell
    assert pickle.loads(pickle.dumps(ensemble)) == ensemble
    assert ensemble.replace({p: ensemble.value(p) for p in ensemble.paths}) == ensemble
    assert ensemble.cell.name in repr(ensemble)


@settings(deadline=None)
@given(ensemble=random_ensembles())
def test_every_path_matters_to_equality(ensemble):
    for path in ensemble.paths:
        changed = ensemble.replace({path: ensemble.value(path) + 1.0})
        assert changed != ensemble and changed.value(path) == ensemble.value(path) + 1.0


def test_user_cells_are_passed_to_from_dict():
    cell = leaky()
    e = gt.Ensemble(cell, gain=2.0)
    assert gt.Ensemble.from_dict(e.as_dict(), cell=cell) == e
    with pytest.raises(ValueError, match="not built in.*cell="):
        gt.Ensemble.from_dict(e.as_dict())
    with pytest.raises(ValueError, match="'leaky'.*'GRU'"):
        gt.Ensemble.from_dict(e.as_dict(), cell=gt.GRU)


@pytest.mark.parametrize(
    "bad", [None, {}, "GRU", {"gain": {}}, {"cell": "GRU", "gains": {"h": 1}}, {"cell": "GRU", "gain": {"q": 1}}]
)
def test_bad_descriptions_are_refused(bad):
    with pytest.raises(ValueError):
        gt.Ensemble.from_dict(bad)


def test_ensembles_of_different_cells_differ():
    assert gt.Ensemble(gt.LiGRU) != gt.Ensemble(gt.LiGRUTanh)
    assert gt.Ensemble(gt.GRU) != gt.GRU
    assert len({gt.Ensemble(gt.GRU), gt.Ensemble(gt.GRU, gain=1.0), gt.Ensemble(gt.GRU, gain=2.0)}) == 2
