"""Designs against closed forms of the zero state and the eigenvalues of modules made by them, and beyond what is reachable."""

import json
import pickle

import numpy as np
import pytest
from scipy.special import expit
from strategies import changed

import gating_theory as gt


def share_outside(center, radius, circle):
    """Share of a disc's area that lies outside the circle |lambda| = circle: the area of a lens, by elementary geometry."""
    d = abs(center)
    if d + radius <= circle:
        return 0.0
    if d >= radius + circle:
        return 1.0
    a = radius**2 * np.arccos((d**2 + radius**2 - circle**2) / (2 * d * radius))
    b = circle**2 * np.arccos((d**2 + circle**2 - radius**2) / (2 * d * circle))
    kite = 0.5 * np.sqrt((-d + radius + circle) * (d + radius - circle) * (d - radius + circle) * (d + radius + circle))
    return 1.0 - (a + b - kite) / (np.pi * radius**2)


@pytest.fixture(scope="module")
def remembering():
    """A GRU a fifth of whose modes live longer than 200 steps, none longer than 1000."""
    return gt.design(gt.GRUResetAfter, {"slow_fraction": {200: 0.2}, "abscissa": 1 - 1 / 1000}, {"gain.r": 1})


@pytest.mark.slow
def test_zero_state_of_the_gru(remembering):
    """A designed GRU has the slow modes and the edge that its disc has in closed form."""
    # a disc of centre sigma(b_z) and radius (1 - sigma(b_z)) a_h / 2 [T3]
    d = remembering
    assert d.reached and d.status.code == str(d.status) == "reached" and not d.reachable and set(d.solution) == {"gain.h", "bias.z"}
    z = expit(d.solution["bias.z"])
    radius = (1 - z) * d.solution["gain.h"] / 2
    assert z + radius == pytest.approx(0.999, abs=1e-6)
    assert share_outside(z, radius, np.exp(-1 / 200)) == pytest.approx(0.2, abs=2e-4)
    assert d.ensemble.gain["r"] == 1.0
    json.dumps(d.as_dict(), allow_nan=False)
    assert "bias.z" in str(d) and "wanted 0.2" in str(d)


@pytest.mark.slow
def test_the_designed_module_has_the_wanted_slow_fraction(remembering):
    """A module initialised by a design has the slow modes that were asked for, counted."""
    torch = pytest.importorskip("torch")
    from gating_theory.interop import torch as bridge

    module = bridge.init_(torch.nn.GRU(64, 512), remembering, 0)
    eigenvalues = bridge.from_module(module).eigenvalues(np.zeros(512))
    slow = np.mean(np.abs(eigenvalues) > np.exp(-1 / 200))
    error = np.sqrt(0.2 * 0.8 / 512)  # of counting independent ones; eigenvalues repel each other and do better
    print(f"slow fraction beyond 200 steps at H = 512: wanted 0.2, counted {slow:.4f}, counting error {error:.4f}")
    assert abs(slow - 0.2) < 2 * error
    assert np.abs(eigenvalues).max() < 1.001


def test_one_target_each():
    d = gt.design(gt.LSTM, {"radius": 0.95}, {"bias.f": 1})
    # disc of centre sigma(b_f), radius a_g / 4 [T3]
    assert d.reached and d.solution["gain.g"] == pytest.approx(4 * (0.95 - expit(1.0)), abs=1e-3)
    d = gt.design(gt.Vanilla, {"lyapunov": 0.0})
    assert d.reached and d.solution["gain.h"] == pytest.approx(1, abs=1e-4)  # a disc of radius g


def test_designs_that_the_limit_does_not_describe():
    """The status of a design says for which number of units the limit, which it is made with, is none of networks."""
    wide, options = gt.Ensemble(gt.LSTM, gain=3.2, bias_std=2.0), {"free": ["gain.g"], "bounds": {"gain.g": (3.0, 3.4)}}
    d = gt.design(wide, {"abscissa": 1.05}, state="active", n_units=1000, **options)
    assert d.reached and d.status.ok and d.status.code == "reached"
    assert "the limit does not describe N = 1000: half of T(1) comes from" in str(d.status) and str(d.status) in str(d)
    missed = gt.design(wide, {"abscissa": 2.0}, state="active", n_units=300, **options)
    assert missed.status.code == "not_reached" and "does not describe N = 300" in str(missed.status)
    assert not gt.design(gt.Vanilla, {"radius": 0.9}).status.text


@pytest.mark.slow
def test_what_cannot_be_reached_is_said():
    """A target out of reach is reported with what is in reach, and no module takes the design."""
    # half of the eigenvalues of an LSTM's zero state are zero
    d = gt.design(gt.LSTM, {"slow_fraction": {200: 0.6}, "abscissa": 0.999})
    assert not d.reached and d.reachable["slow_fraction(200)"][1] == pytest.approx(0.5, abs=1e-4)
    assert (
        d.status.code == "not_reached"
        and not d.status.ok
        and "reachable from" in str(d.status)
        and d.achieved["slow_fraction(200)"] == pytest.approx(0.5, abs=1e-4)
    )
    torch = pytest.importorskip("torch")
    from gating_theory.interop import torch as bridge

    with pytest.raises(ValueError, match="did not reach"):
        bridge.init_(torch.nn.LSTM(2, 3), d)
    bridge.init_(torch.nn.LSTM(2, 3), d.ensemble, 0)


def test_round_trip(tmp_path):
    d = gt.design(gt.LSTM, {"radius": 0.95}, {"bias.f": 1})
    again = gt.load(gt.save(d, tmp_path / "design.json"))
    assert vars(again) == {k: v for k, v in vars(d).items() if k != "spectrum"} and str(again) == str(d)
    # as good as the first one: it was told nothing of its spectrum
    assert again.spectrum.radius() == pytest.approx(expit(1.0) + again.ensemble.gain["g"] / 4, abs=1e-9)
    copy = pickle.loads(pickle.dumps(again))
    assert copy.as_dict() == d.as_dict()
    for change, words in (({"achieved": {"radius": 0.9}}, "not what"), ({"solution": {"gain.g": 1.0}}, "the ensemble has gain.g")):
        changed(gt.save(d, tmp_path / "damaged.json"), lambda record, new=change: record["result"].update(new))
        with pytest.raises(ValueError, match=words):
            gt.load(tmp_path / "damaged.json")


def test_a_leak_beyond_the_abscissa():
    d = gt.design(gt.GRU, {"abscissa": 0.4})  # the leak is already at 1/2
    assert not d.reached and d.reachable["abscissa"][0] == pytest.approx(0.5, abs=1e-6)


@pytest.mark.slow
def test_steady_state():
    """A design for the edge of chaos finds the gain at which networks have the exponent wanted."""
    # the vanilla cell becomes chaotic at g = 1 in the limit; N = 500 sharpens that to a few N^{-1/2}
    d = gt.design(gt.Vanilla, {"lyapunov": 0.03}, state="steady", n_units=500, n_steps=100, bounds={"gain.h": (0.5, 3)})
    assert d.reached and 1.0 < d.solution["gain.h"] < 1.8 and d.achieved["lyapunov"] == pytest.approx(0.03, abs=0.01)


def test_plot():
    import matplotlib.pyplot as plt

    d = gt.design(gt.LSTM, {"slow_fraction": {20: 0.1}}, bounds={"bias.f": (0, 6)})
    ax = gt.plotting.plot_design(d, eigenvalues=np.array([0.9, 0.99, 0.5]), tau=np.geomspace(2, 100, 4))
    assert {line.get_label() for line in ax.get_lines()} == {"eigenvalues", "theory", "wanted"}
    plt.close("all")
    with pytest.raises(TypeError, match="result must be a Design"):
        gt.plotting.plot_design(3)


@pytest.mark.parametrize(
    "cell, target, options, error, message",
    [
        ("GRU", {"abscissa": 1}, {}, TypeError, "cell must be"),
        (gt.GRU, {}, {}, TypeError, "non-empty mapping"),
        (gt.GRU, None, {}, TypeError, "a target or memory must be given"),
        (gt.GRU, {"radius": 1}, {"kappa": 0.5}, ValueError, "kappa goes with memory"),
        (gt.GRU, {"memory": 3}, {}, ValueError, "unknown entry 'memory'"),
        (gt.GRU, {"gradient": 0.3}, {}, TypeError, "mapping from numbers of steps"),
        (gt.GRU, {"gradient": {10: 0.0}}, {}, ValueError, r"gradient\(10\) must lie in \(0"),
        (gt.GRU, {"gradient": {1.5: 0.1}}, {}, TypeError, "number of steps"),
        (gt.GRU, {"gradient": {10: 0.1}}, {"state": "steady"}, ValueError, "state must be 'zero' or 'active'"),
        (gt.GRU, {"mean_square": -1.0}, {}, ValueError, "mean_square"),
        (gt.GRU, {"abscissa": 1, "radius": 1}, {}, ValueError, "may have one of"),
        (gt.GRU, {"slow_fraction": 0.2}, {}, TypeError, "mapping from timescales"),
        (gt.GRU, {"slow_fraction": {}}, {}, ValueError, "asks for nothing"),
        (gt.GRU, {"slow_fraction": {100: 0.1, 10: 0.05}}, {}, ValueError, r"contradicts itself: slow_fraction\(100\) = 0.1 of"),
        (gt.GRU, {"slow_fraction": {10: 1.2}}, {}, ValueError, r"slow_fraction\(10\) must lie in \[0.0, 1.0\]"),
        (gt.GRU, {"slow_fraction": {-1: 0.2}}, {}, ValueError, "timescale"),
        (gt.GRU, {"abscissa": float("nan")}, {}, ValueError, "must be finite"),
        (gt.GRU, {"abscissa": 1}, {"given": {"gain.q": 1}}, ValueError, "no hyperparameter 'gain.q'"),
        (gt.GRU, {"abscissa": 1}, {"given": {"gain.h": 1}}, ValueError, "both given and free"),
        (gt.GRU, {"abscissa": 1}, {"free": ("gain.h", "bias.z")}, ValueError, "one unknown for each"),
        (gt.GRU, {"abscissa": 1}, {"free": "gain.h"}, TypeError, "sequence of paths"),
        (gt.GRU, {"abscissa": 1}, {"bounds": {"gain.r": (0, 1)}}, ValueError, "not an unknown"),
        (gt.GRU, {"abscissa": 1}, {"bounds": {"gain.h": (1, 0)}}, ValueError, "low < high"),
        (gt.GRU, {"abscissa": 1}, {"state": "chaotic"}, ValueError, "state must be one of"),
        (gt.GRU, {"slow_fraction": {1: 0.1, 2: 0.1, 3: 0.1}}, {}, ValueError, "name them"),
    ],
)
def test_bad_arguments(cell, target, options, error, message):
    with pytest.raises(error, match=message):
        gt.design(cell, target, **options)


def bias_and_gain(value):
    return {"bias.z": value, "gain.r": 1.0 + value**2}


def test_unknowns_that_set_several_hyperparameters(tmp_path):
    """The zero state's abscissa is 1/2 + a_h/4 at zero biases (theory sheet): whatever path sets the gain."""
    target = {"abscissa": 0.9}
    common = gt.design(gt.GRU, target, free=("gain",))
    assert common.reached and common.solution == {"gain": pytest.approx(1.6, abs=1e-3)}
    assert common.ensemble.value("gain") == common.solution["gain"]
    way = gt.Direction(gt.Ensemble(gt.GRU), {"gain.h": 2.0, "gain.r": 1.0})
    along = gt.design(gt.GRU, target, free=(way,))
    assert along.solution == {"direction": pytest.approx(0.3, abs=1e-3)}
    both = gt.design(
        gt.GRU,
        target | {"slow_fraction": {5: 0.5}},
        {"bias_std": 0.0},
        free=("gain.h", bias_and_gain),
        bounds={bias_and_gain: (-1, 3)},
    )
    assert set(both.solution) == {"gain.h", "bias_and_gain"}
    value = both.solution["bias_and_gain"]
    assert (both.ensemble.bias["z"], both.ensemble.gain["r"]) == (value, 1.0 + value**2)
    for design in (common, along):
        assert gt.load(gt.save(design, tmp_path / "design.json")) == design


@pytest.mark.parametrize(
    "given, free, bounds, words",
    [
        ({"gain.h": 1}, ("gain",), None, "'gain.h' is both given and free"),
        ({"gain": 1}, ("gain.h",), None, "'gain' is both given and free"),
        (None, (bias_and_gain,), None, r"bounds\['bias_and_gain'\] must be given"),
        (None, ("gain.h",), {"gain": (0, 1)}, "bounds are given for 'gain', which is not an unknown"),
        (None, ("gain.h",), {"gain.h": (-1, 1)}, r"bounds\['gain.h'\] must lie within"),
        (None, ("gain.h=-gain.r",), None, "leaves no value but 0"),
    ],
)
def test_paths_that_do_not_fit(given, free, bounds, words):
    with pytest.raises(ValueError, match=words):
        gt.design(gt.GRU, {"abscissa": 0.9}, given, free=free, bounds=bounds)


def test_two_unknowns_set_different_things():
    with pytest.raises(ValueError, match="free: gain and gain.h both set gain.h"):
        gt.design(gt.GRU, {"abscissa": 0.9, "slow_fraction": {5: 0.5}}, free=("gain.h", "gain"))
