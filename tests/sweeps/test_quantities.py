"""The registry of what a phase diagram can compute, and quantities of one's own."""

import json
import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

import gating_theory as gt
from gating_theory.mean_field import critical
from gating_theory.sweeps import quantities as registry
from gating_theory.sweeps.quantities import CRITICAL, QUANTITIES, forms, moment_variables, names

GRU = gt.Ensemble(gt.GRU, gain={"z": 2, "r": 3})
AXES = {"gain.h": [1.0, 3.0]}


@pytest.fixture(autouse=True)
def registry_as_it_was():
    before = dict(QUANTITIES)
    yield
    QUANTITIES.clear()
    QUANTITIES.update(before)


def margin(spectrum):
    return 1.0 - spectrum.radius()


def feedback(point):
    return point.moments["h"] * point.ensemble.gain["h"] ** 2


def total_gain(ensemble):
    return sum(ensemble.gain.values())


def slower(spectrum, *, tau):
    return spectrum.slow_fraction(2 * tau)


def test_names_of_moments():
    def variables(*messages):
        return [v.name for v in moment_variables(SimpleNamespace(message_names=messages))]

    assert variables("h", "r*h") == ["moment_h", "moment_r_h"]
    assert variables("h*r", "h+r") == ["moment_h_r_0", "moment_h_r_1"]


def test_what_help_lists():
    assert names()[:3] == ["count", "moments", "residual"] and names()[-1] == "complexity"
    assert forms()[0] == "mass:<center>,<radius>" and "tricritical:<path>,<along>" in forms()


def test_where_the_limit_describes_networks():
    """An LSTM with widely spread biases beside ordinary ones, with the note of the Dataset; nothing is noted where all is well."""
    wide = gt.Ensemble(gt.LSTM, gain=2.2)
    asked = ["describes", "half_share", "n_effective"]
    data = gt.phase_diagram(wide, {"bias_std": [0.0, 1.0, 2.0]}, asked, n_units=1000)
    words = data.describes.attrs["flag_meanings"].split()
    found = [[words[flag] for flag in row] for row in data.describes.values]
    # solutions that there are none of are missing, and do not count
    assert [row[-1] for row in found] == ["describes", "missing", "missing"]
    assert [row[0] for row in found] == ["describes", "describes", "does_not_describe"]
    assert data.attrs["note"].startswith("the limit does not describe N = 1000 at 1 of 4 solutions")
    alone = gt.Spectrum(gt.fixed_points(wide.replace({"bias_std": 2.0}))[0]).concentration(1000)
    assert data.half_share.values[2, 0] == pytest.approx(alone.half_share, rel=1e-6)
    assert data.n_effective.values[2, 0] == pytest.approx(alone.n_effective, rel=1e-6)
    assert "note" not in gt.phase_diagram(wide, {"bias_std": [1.0]}, asked, n_units=1000).attrs


def test_entries_go_to_workers():
    for entry in (*QUANTITIES.values(), *CRITICAL.values()):
        assert pickle.loads(pickle.dumps(entry)).function is not None


def test_own_quantities_of_all_kinds():
    gt.register_quantity("margin", margin, long_name="distance from the unit circle", symbol="$m$")
    gt.register_quantity("feedback", feedback, of="fixed_point", long_name="variance of the field y_h")
    gt.register_quantity("total", total_gain, of="ensemble", long_name="sum of gains", units="1/step")
    gt.register_quantity("slower", slower, long_name="fraction of modes slower than 2 tau steps", options=["tau"])
    data = gt.phase_diagram(GRU, AXES, ["count", "margin", "feedback", "total", "slower", "radius", "slow_fraction"], tau=10.0)
    np.testing.assert_array_equal(data["margin"], 1.0 - data["radius"])
    assert data["margin"].dims == data["feedback"].dims == ("gain_h", "solution") and data["total"].dims == ("gain_h",)
    np.testing.assert_array_equal(data["total"], [6.0, 8.0])
    point = gt.fixed_points(GRU.replace({"gain.h": 3.0}))[-1]
    assert float(data["feedback"].values[1, 1]) == 9.0 * point.moments["h"]
    assert data["margin"].attrs["symbol"] == "$m$" and data["margin"].attrs["long_name"] == "distance from the unit circle"
    assert data["total"].attrs == {"long_name": "sum of gains", "units": "1/step"}
    assert data["slower"].attrs["tau"] == 10.0
    assert float(data["slower"][1, 1]) == gt.Spectrum(point).slow_fraction(20.0)
    assert "margin" in names()
    # where they come from
    own = json.loads(data.attrs["provenance"])["own_quantities"]
    assert own["margin"]["function"].endswith("test_quantities.margin") and "spectrum.radius()" in own["margin"]["source"]


def test_own_quantities_on_other_executors(tmp_path):
    gt.register_quantity("margin", margin, long_name="distance from the unit circle")
    alone = gt.phase_diagram(GRU, AXES, ["margin"])
    with ProcessPoolExecutor(1) as pool:
        assert gt.phase_diagram(GRU, AXES, ["margin"], executor=pool).drop_attrs().identical(alone.drop_attrs())
        gt.register_quantity("margin", lambda spectrum: 1.0 - spectrum.radius(), long_name="the same")
        with pytest.raises(TypeError, match="'margin'.*cannot be sent to the executor's processes"):
            gt.phase_diagram(GRU, AXES, ["margin"], executor=pool)
    with ThreadPoolExecutor(1) as pool:  # threads take anything
        assert gt.phase_diagram(GRU, AXES, ["margin"], executor=pool).drop_attrs().identical(alone.drop_attrs())


def test_journals_know_own_quantities_by_their_text(tmp_path):
    def journalled():
        return gt.phase_diagram(GRU, AXES, ["total"], journal=tmp_path / "journal").drop_attrs()

    gt.register_quantity("total", total_gain, of="ensemble", long_name="sum of gains")
    first = journalled()
    assert journalled().identical(first)
    gt.register_quantity("total", lambda ensemble: 2.0, of="ensemble", long_name="sum of gains")
    with pytest.raises(ValueError, match="holds other work"):
        journalled()


def test_own_quantities_that_fail():
    def lost(source):
        raise gt.ConvergenceError("lost my way")

    gt.register_quantity("lost", lost, long_name="nothing")
    gt.register_quantity("lost_too", lost, of="ensemble", long_name="nothing")
    for name, status in (("lost", "spectrum_not_converged"), ("lost_too", "quantity_not_converged")):
        with pytest.warns(RuntimeWarning, match="2 of 2 points did not converge.*lost my way"):
            data = gt.phase_diagram(GRU, AXES, [name, "count"])
        assert np.isnan(data[name]).all() and (data["count"] > 0).all()
        words = data["status"].attrs["flag_meanings"].split()
        assert [words[i] for i in data["status"].values] == [status] * 2
    gt.register_quantity("words", lambda ensemble: "many", of="ensemble", long_name="nothing")
    with pytest.raises(TypeError, match="'words' must give a real number, got 'many'"):
        gt.phase_diagram(GRU, AXES, ["words"])


@pytest.mark.parametrize(
    "change, error, words",
    [
        ({"name": 3}, TypeError, "name must be a str"),
        ({"name": "a:b"}, ValueError, "letters, digits and underscores"),
        ({"name": "radius"}, ValueError, "'radius' is taken"),
        ({"name": "onset"}, ValueError, "'onset' is taken"),
        ({"name": "status"}, ValueError, "'status' is taken"),
        ({"name": "moment_h"}, ValueError, "'moment_h' is taken"),
        ({"name": "lyapunov_stderr"}, ValueError, "is taken"),
        ({"function": 3}, TypeError, "function must be callable"),
        ({"of": "network"}, ValueError, "of must be"),
        ({"options": "seed"}, ValueError, "options must be among"),
    ],
)
def test_bad_registrations(change, error, words):
    arguments = {"name": "margin", "function": margin, "long_name": "distance", **change}
    with pytest.raises(error, match=words):
        gt.register_quantity(**arguments)
    assert "margin" not in QUANTITIES


# --- a bug is no physics


def broken(*arguments, **options):
    return np.ones(2) + np.ones(3)


def nothing(*arguments, **options):
    raise gt.NoCriticalValue("none between the bounds")


@pytest.mark.parametrize("name", CRITICAL)
def test_a_bug_in_a_critical_value_escapes_from_a_phase_diagram(monkeypatch, name):
    entry = CRITICAL[name]
    asked = f"{name}:{','.join(['gain.h', 'gain.r'][: len(entry.paths)])}"
    monkeypatch.setitem(CRITICAL, name, registry.CriticalQuantity(entry.long_name, broken, entry.paths))
    with pytest.raises(ValueError, match="could not be broadcast"):
        gt.phase_diagram(GRU, {"bias.r": [0.0]}, [asked])
    monkeypatch.setitem(CRITICAL, name, registry.CriticalQuantity(entry.long_name, nothing, entry.paths))
    data = gt.phase_diagram(GRU, {"bias.r": [0.0]}, [asked])
    status = data[asked.replace(":", "_status:")]
    assert np.isnan(data[asked][0]) and status.attrs["flag_meanings"].split()[int(status[0])] == "none_within_bounds"


def test_a_bug_in_the_onset_escapes_from_fold_and_complexity_onset(monkeypatch):
    from gating_theory.counting import onset as counting

    for module, part, calculate in ((critical, "excess", gt.fold), (counting, "onset", gt.complexity_onset)):
        with monkeypatch.context() as patched:
            patched.setattr(module, part, broken)
            with pytest.raises(ValueError, match="could not be broadcast"):
                calculate(GRU, "gain.h", (1.0, 3.0))
            # no onset is an answer: both then look for themselves, here without success
            patched.setattr(module, part, nothing)
            with pytest.raises(gt.NoCriticalValue, match="fold: no solutions are born|complexity_onset: no critical value"):
                calculate(GRU, "gain.h", (0.1, 0.5))


def test_one_moment():
    data = gt.phase_diagram(GRU, AXES, ["moments", "moment:r*h"])
    np.testing.assert_array_equal(data["moment:r*h"], data["moment_r_h"])
    assert data["moment:r*h"].attrs["long_name"] == "second moment of r*h"
    with pytest.raises(ValueError, match="moment takes the name of a message, got 'moment:c'"):
        gt.phase_diagram(GRU, AXES, ["moment:c"])


def test_a_rate_below_its_error_is_no_failure_where_the_error_is_small():
    """Next to the onset (16/81) (g - 1)^3 [T7] is below the 1e-12 that rates are resolved to: zero, and no warning."""
    data = gt.phase_diagram(gt.Ensemble(gt.Vanilla), {"gain.h": [0.9, 1.00001, 1.1]}, ["complexity"])
    words = data["complexity_status"].attrs["flag_meanings"].split()
    assert [words[code] for code in data["complexity_status"].values] == ["no_saddle", "undecided", "converged"]
    assert data.attrs["failures"] == 0 and data["complexity"].values[1] == 0.0 < data["complexity"].values[2]
