"""Phase diagrams: every point is what the calculators give there, whoever computes it; requests that make no sense are refused."""

import json
import pickle
import threading
import warnings
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import sympy as sp
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import gating_theory as gt
from gating_theory.ensemble.hyperparameters import symbol
from gating_theory.ensemble.paths import path_of
from gating_theory.sweeps import points
from gating_theory.sweeps.points import Job, compute_points
from gating_theory.sweeps.quantities import CRITICAL, QUANTITIES, is_built_in, names
from gating_theory.sweeps.request import requests

GRU = gt.Ensemble(gt.GRU, gain={"z": 2, "r": 3, "h": 1.5})
AXES = {"gain.h": [1.5, 1.9, 2.5], "gain.r": [0.0, 6.0]}


def same_values(a, b):
    """Equal data and coordinates; attributes hold times."""
    xr.testing.assert_equal(a.drop_attrs(), b.drop_attrs())


@pytest.fixture(scope="module")
def small():
    quantities = ["count", "moments", "residual", "error", "abscissa", "radius", "slow_fraction", "stable"]
    return gt.phase_diagram(GRU, AXES, quantities, tau=20.0)


def test_every_point_is_what_the_calculators_give(small):
    for i, a_h in enumerate(AXES["gain.h"]):
        for j, a_r in enumerate(AXES["gain.r"]):
            solutions = gt.fixed_points(GRU.replace({"gain.h": a_h, "gain.r": a_r}))
            here = small.isel(gain_h=i, gain_r=j)
            assert int(here["count"]) == len(solutions)
            for k, point in enumerate(solutions):
                one = here.isel(solution=k)
                spectrum = gt.Spectrum(point)
                assert float(one["moment_h"]) == point.moments["h"]
                assert float(one["moment_r_h"]) == point.moments["r*h"]
                assert float(one["residual"]) == point.residual
                assert float(one["error"]) == point.error
                # an exact repetition of the same calculation, up to the number of BLAS threads
                assert float(one["abscissa"]) == pytest.approx(spectrum.abscissa(), rel=1e-12)
                assert float(one["radius"]) == pytest.approx(spectrum.radius(), rel=1e-12)
                assert float(one["slow_fraction"]) == pytest.approx(spectrum.slow_fraction(20.0), abs=1e-9)
                assert bool(one["stable"]) == (spectrum.radius() < 1)
            for name in ("moment_h", "moment_r_h", "abscissa", "slow_fraction", "stable"):
                assert np.isnan(here[name].values[len(solutions) :]).all(), "padding is NaN"


def test_counts_across_the_fold(small):
    # theory sheet, section 5: at a_r = 6 the fold lies at a_h = 1.8739, at a_r = 0 there is none
    np.testing.assert_array_equal(small["count"].values, [[1, 1], [1, 3], [2, 2]])
    assert small["count"].dtype == np.int8
    assert small.sizes["solution"] == 3


def test_attributes(small):
    assert small["gain_h"].attrs == {"long_name": "gain of field h", "symbol": "$a_{h}$", "path": "gain.h"}
    assert small["moment_r_h"].attrs["message"] == "r*h"
    assert "NaN" in small["moment_r_h"].attrs["comment"]
    assert small["slow_fraction"].attrs["tau"] == 20.0
    assert gt.Ensemble.from_dict(json.loads(small.attrs["ensemble"])) == GRU
    record = json.loads(small.attrs["provenance"])
    assert record["gating_theory"] == gt.__version__
    assert {"numpy", "scipy", "sympy", "xarray"} <= set(record["libraries"])
    assert record["created"].endswith("+00:00")
    assert record["tau"] == 20.0 and record["axes"] == ["gain.h", "gain.r"]
    assert record["cell"]["update"] == [str(e) for e in gt.GRU.update]
    assert small.attrs["failures"] == 0 and not small["status"].any()
    assert small.attrs["seconds_per_point"] > 0


@pytest.mark.parametrize(
    "cell, axes",
    [
        (gt.GRU, {"gain.h": [3.0]}),
        (gt.GRU, {"bias.r": [-1.0, 1.0], "bias_std.z": [0.0, 1.0], "input_std.h": [0.0, 0.5], "gain.h": [1.0, 3.0]}),
        (gt.GRUResetAfter, {"parameter.b_in": [0.0, 0.5], "parameter_std.b_in": [0.0, 0.2]}),
        (gt.Vanilla, {"gain.h": np.linspace(0.5, 1.5, 3).astype(np.float32)}),
        (gt.LSTM, {"gain.g": [1, 3]}),
    ],
)
def test_any_number_and_kind_of_axes(cell, axes):
    data = gt.phase_diagram(gt.Ensemble(cell, gain=1.2), axes)
    assert data["count"].dims == tuple(path.replace(".", "_") for path in axes)
    assert data["count"].shape == tuple(len(v) for v in axes.values())
    last = {path.replace(".", "_"): len(v) - 1 for path, v in axes.items()}
    ensemble = gt.Ensemble(cell, gain=1.2).replace({path: float(v[-1]) for path, v in axes.items()})
    solutions = gt.fixed_points(ensemble)
    assert int(data["count"].isel(last)) == len(solutions)
    assert float(data["moment_h"].isel(last).isel(solution=len(solutions) - 1)) == solutions[-1].moments["h"]


def test_first_axis_varies_slowest_whatever_the_order():
    a = gt.phase_diagram(GRU, {"gain.h": [1.5, 2.5], "gain.r": [0.0, 6.0, 9.0]}, ("moments",))
    b = gt.phase_diagram(GRU, {"gain.r": [0.0, 6.0, 9.0], "gain.h": [1.5, 2.5]}, ("moments",))
    xr.testing.assert_equal(a["moment_h"].drop_attrs(), b["moment_h"].transpose(*a["moment_h"].dims).drop_attrs())


@settings(max_examples=15, deadline=None)
@given(
    a_h=st.lists(st.floats(0.0, 5.0), min_size=1, max_size=3, unique=True),
    b_r=st.lists(st.floats(-2.0, 2.0), min_size=1, max_size=2, unique=True),
)
def test_stability_of_the_zero_state(a_h, b_r):
    # the zero state of the GRU is stable iff a_h sigma(b_r) < 1, whatever the update gate does (theory sheet, sections 3 and 6)
    data = gt.phase_diagram(GRU, {"gain.h": a_h, "bias.r": b_r}, ("stable", "abscissa"))
    alpha = data.gain_h / (1 + np.exp(-data.bias_r))
    clear = abs(alpha - 1) > 1e-9
    zero = data.isel(solution=0)
    assert ((zero["stable"] == 1) == (alpha < 1)).where(clear, True).all()
    assert ((zero["abscissa"] < 1) == (alpha < 1)).where(clear, True).all()


def test_stability_looks_at_outliers(monkeypatch):
    monkeypatch.setattr(gt.Spectrum, "outliers", lambda self: np.array([1.5 + 0j]))
    data = gt.phase_diagram(GRU, {"gain.h": [1.5]}, ("stable",))
    assert float(data["stable"].isel(gain_h=0, solution=0)) == 0.0


def test_masses_potentials_and_outliers():
    # the zero state's eigenvalues fill the disc of centre 1/2 and radius rho = a_h / 4 evenly (theory sheet, section 2)
    gains = [1.0, 1.2]
    names = ("mass:0.5,0.15", "mass:0.5 + 0.1j, 3", "potential:2", "potential:0.6+0.1j", "outlier")
    zero = gt.phase_diagram(GRU, {"gain.h": gains}, names).isel(solution=0)
    rho = np.array(gains) / 4
    np.testing.assert_allclose(zero["mass:0.5,0.15"], (0.15 / rho) ** 2, atol=2e-4)
    np.testing.assert_allclose(zero["mass:0.5 + 0.1j, 3"], 1.0, atol=1e-12)
    np.testing.assert_allclose(zero["potential:2"], np.log(1.5), atol=1e-9)
    inside = np.log(rho) - 0.5 * (1 - 0.02 / rho**2)
    np.testing.assert_allclose(zero["potential:0.6+0.1j"], inside, atol=1e-6)
    assert np.isnan(zero["outlier"]).all(), "without biases nothing breaks the matrices' isotropy"


def test_singular_values():
    """Of the zero state J = 1/2 + w U, w = a_h / 4, the mean, spread and largest one in closed form."""
    gains = np.array([1.0, 1.6])
    names = ("mean_square", "square_std", "singular:largest", "singular:smallest")
    zero = gt.phase_diagram(GRU, {"gain.h": gains}, names).isel(solution=0)
    w = gains / 4
    np.testing.assert_allclose(zero["mean_square"], 0.25 + w**2, rtol=1e-10)
    np.testing.assert_allclose(zero["square_std"], np.sqrt(0.5 * w**2 + w**4), rtol=1e-5)
    # alpha of lambda = 0; it lies outside of the disc as long as w < 1/2
    alpha = np.sqrt(1.0 + 8.0 * (0.5 / w) ** 2)
    for end, sign in (("largest", 1), ("smallest", -1)):
        expected = w * np.sqrt((alpha + 3 * sign) ** 3 / (8 * (alpha + sign)))
        np.testing.assert_allclose(zero[f"singular:{end}"], expected, rtol=1e-3)
    with pytest.raises(ValueError, match='"largest" or "smallest"'):
        gt.phase_diagram(GRU, {"gain.h": gains}, "singular:middle")


def test_outliers_are_the_spectrums():
    ensemble = gt.Ensemble(gt.GRU, {"z": 1.0, "r": 1.0}, bias={"h": 1.0})
    data = gt.phase_diagram(ensemble, {"gain.h": [0.5, 3.0]}, ("outlier",))
    for a_h in (0.5, 3.0):
        expected = gt.Spectrum(gt.fixed_points(ensemble.replace({"gain.h": a_h}))[0]).outliers()
        found = float(data["outlier"].sel(gain_h=a_h).isel(solution=0))
        assert found == np.abs(expected).max() if expected.size else np.isnan(found)


# --- critical values


@pytest.fixture(scope="module")
def critical():
    return gt.phase_diagram(GRU, {"gain.h": [1.0, 2.5], "gain.r": [2.0, 6.0]}, ["onset:gain.h", "fold:gain.h", "onset:bias.r"])


def test_lines_along_the_other_axis(critical):
    assert critical["onset:gain.h"].dims == ("gain_r",)
    np.testing.assert_allclose(critical["onset:gain.h"], [2.0, 2.0], atol=1e-11)
    # theory sheet, section 5
    np.testing.assert_allclose(critical["fold:gain.h"], [2.0, 1.873850971318], atol=1e-10)
    np.testing.assert_array_equal(critical["fold_status:gain.h"], [0, 1])
    np.testing.assert_array_equal(critical["onset_status:gain.h"], [0, 1])


def test_critical_value_of_another_parameter_at_every_point(critical):
    onset = critical["onset:bias.r"]
    assert onset.dims == ("gain_h", "gain_r")
    # a_h sigma(b_r) = 1 has no solution at a_h = 1
    assert np.isnan(onset.values[0]).all()
    np.testing.assert_array_equal(critical["onset_status:bias.r"].values, [[2, 2], [0, 1]])
    np.testing.assert_allclose(onset.values[1], -np.log(1.5), atol=1e-11)
    assert "onset_status:bias.r" in onset.attrs["comment"]
    assert critical["onset_status:bias.r"].attrs["flag_meanings"].split()[2] == "none_within_bounds"
    assert "count" not in critical


def test_onset_without_a_zero_state():
    data = gt.phase_diagram(GRU, {"bias_std.h": [0.0, 0.5]}, "onset:gain.h")
    np.testing.assert_array_equal(data["onset_status:gain.h"], [1, 3])
    assert np.isnan(data["onset:gain.h"].values[1])
    assert data.attrs["failures"] == 0


@pytest.mark.slow
def test_tricritical_point():
    data = gt.phase_diagram(GRU, {"gain.r": [0.0], "gain.h": [2.0]}, ["tricritical:gain.r,gain.h"])
    assert data["tricritical:gain.r,gain.h"].ndim == 0
    assert float(data["tricritical:gain.r,gain.h"]) == pytest.approx(np.sqrt(8.0), abs=1e-10)
    assert float(data["tricritical_onset:gain.r,gain.h"]) == pytest.approx(2.0, abs=1e-10)


# --- executors and progress


class Inline:
    """An executor with nothing but ``submit``."""

    def submit(self, function, *arguments):
        future = Future()
        future.set_result(function(*arguments))
        return future


@pytest.mark.parametrize("make", [Inline, lambda: ThreadPoolExecutor(3), lambda: ProcessPoolExecutor(2)])
def test_results_do_not_depend_on_the_executor(make):
    axes = {"gain.h": np.linspace(1.5, 2.5, 9), "gain.r": np.linspace(0, 12, 8)}
    quantities = ("count", "moments")
    alone = gt.phase_diagram(GRU, axes, quantities)
    executor = make()
    try:
        same_values(alone, gt.phase_diagram(GRU, axes, quantities, executor=executor))
    finally:
        getattr(executor, "shutdown", lambda: None)()


def leaky(name="leaky"):
    h, y_z, y_h = sp.symbols("h y_z y_h", real=True)
    z = gt.sigma(y_z)
    update = [z * h + (1 - z) * sp.tanh(y_h)]
    return gt.Cell(name=name, state=[h], fields=[y_z, y_h], messages=[h, h], update=update, fixed_point=[sp.tanh(y_h)])


def test_own_cells_travel_and_are_compiled_once():
    ensemble = gt.Ensemble(leaky(), gain={"z": 2, "h": 3})
    axes = {"gain.h": np.linspace(0.5, 3, 4)}
    alone = gt.phase_diagram(ensemble, axes)
    with ProcessPoolExecutor(1) as executor:
        same_values(alone, gt.phase_diagram(ensemble, axes, executor=executor))
    # what a worker sees: ensembles that come one after the other, with a cell that is compiled once
    first, second = (pickle.loads(pickle.dumps(gt.Ensemble(leaky("leaky here")))) for _ in range(2))
    assert first.cell is second.cell
    options = {"tau": 100.0, "n_units": 100, "n_steps": 20, "seed": 0}
    job = Job((path_of("path", "gain.h", first),), (1,), tuple(requests("count", first)), options)
    (point,) = compute_points(first, job, np.array([[1.5]]))
    assert point["count"] == [len(gt.fixed_points(first.replace({"gain.h": 1.5})))]
    assert "compiled" in vars(second.cell)


def test_progress():
    calls = []
    gt.phase_diagram(GRU, {"gain.h": np.linspace(1, 2, 130)}, ("count",), progress=lambda *a: calls.append(a))
    done, total = zip(*calls)
    assert set(total) == {130} and done[-1] == 130 and list(done) == sorted(done)


def test_progress_bar(capfd):
    gt.phase_diagram(GRU, {"gain.h": [1.0, 1.5]}, ("count",), progress=True)
    assert "2/2" in capfd.readouterr().err


def test_an_error_cancels_the_rest_and_names_the_point(monkeypatch):
    def broken(ensembles):
        raise ZeroDivisionError("nothing to see")

    monkeypatch.setattr(points, "fixed_points_of_each", broken)
    release = threading.Event()
    with ThreadPoolExecutor(1) as executor:
        futures = []
        submit = executor.submit
        executor.submit = lambda *a: futures.append(submit(*a)) or futures[-1]
        with pytest.raises(ZeroDivisionError) as caught:
            gt.phase_diagram(GRU, {"gain.h": np.linspace(1, 2, 500)}, ("count",), executor=executor)
        release.set()
    assert "gain.h" in caught.value.__notes__[0]
    assert all(f.done() for f in futures)


# --- points that fail


def test_an_error_of_one_point_names_it_and_not_those_that_are_computed_with_it(monkeypatch):
    true = points.fixed_points_of_each

    def broken(ensembles):
        if any(e.value("gain.h") == 1.7 for e in ensembles):
            raise ZeroDivisionError("nothing to see")
        return true(ensembles)

    monkeypatch.setattr(points, "fixed_points_of_each", broken)
    job = Job(
        (path_of("path", "gain.h", GRU),),
        (3,),
        tuple(requests("count", GRU)),
        {"tau": 100.0, "n_units": 1000, "n_steps": 200, "seed": 0},
    )
    with pytest.raises(ZeroDivisionError) as caught:
        compute_points(GRU, job, np.array([[1.5], [1.7], [1.9]]))
    assert "1.7" in caught.value.__notes__[0]


def test_points_that_do_not_converge_are_recorded(monkeypatch):
    true = points.fixed_points_of_each

    def sometimes(ensembles):
        lost = gt.ConvergenceError("lost my way", estimate=0.1)
        return [lost if e.value("gain.h") == 1.9 else found for e, found in zip(ensembles, true(ensembles))]

    monkeypatch.setattr(points, "fixed_points_of_each", sometimes)
    with pytest.warns(RuntimeWarning, match="2 of 6 points did not converge.*lost my way"):
        data = gt.phase_diagram(GRU, AXES)
    np.testing.assert_array_equal(data["status"].values, [[0, 0], [1, 1], [0, 0]])
    np.testing.assert_array_equal(data["count"].values, [[1, 1], [-1, -1], [2, 2]])
    assert np.isnan(data["moment_h"].values[1]).all()
    assert data["status"].attrs["flag_meanings"].split()[1] == "fixed_points_not_converged"
    assert data.attrs["failures"] == 2 and "lost my way" in data.attrs["warning"]


def test_spectra_that_do_not_converge_leave_the_moments(monkeypatch):
    def never(self):
        raise gt.ConvergenceError("no edge", estimate=1.0)

    monkeypatch.setattr(gt.Spectrum, "abscissa", never)
    with pytest.warns(RuntimeWarning, match="no edge"):
        data = gt.phase_diagram(GRU, {"gain.h": [2.5]})
    assert int(data["status"][0]) == 2 and int(data["count"][0]) == 2
    assert np.isnan(data["abscissa"]).all() and np.isfinite(data["moment_h"]).all()


def test_critical_values_that_do_not_converge(monkeypatch):
    def never(ensemble, path):
        raise gt.ConvergenceError("no fold", estimate=1.0)

    monkeypatch.setitem(CRITICAL, "fold", replace(CRITICAL["fold"], function=never))
    with pytest.warns(RuntimeWarning, match="no fold"):
        data = gt.phase_diagram(GRU, {"gain.h": [1.5, 2.5], "gain.r": [1.0]}, ["count", "fold:gain.h"])
    # the line lies on gain.r alone: every gain.h above it is marked
    np.testing.assert_array_equal(data["status"].values, [[3], [3]])
    assert int(data["fold_status:gain.h"][0]) == 4 and np.isnan(data["fold:gain.h"].values[0])
    np.testing.assert_array_equal(data["count"].values, [[1], [2]])


# --- arguments


@pytest.mark.parametrize(
    "change, error, words",
    [
        ({"ensemble": gt.GRU}, TypeError, ["ensemble"]),
        ({"axes": [1, 2]}, TypeError, ["axes", "mapping"]),
        ({"axes": {}}, ValueError, ["axes", "gain.h"]),
        ({"axes": {"gain.q": [1.0]}}, ValueError, ["axes", "gain.q", "gain.h"]),
        ({"axes": {3: [1.0]}}, ValueError, ["axes", "3", "gain.h"]),
        ({"axes": {"gain.h": []}}, (ValueError, TypeError), ["axes['gain.h']"]),
        ({"axes": {"gain.h": np.zeros(0)}}, ValueError, ["axes['gain.h']", "at least one"]),
        ({"axes": {"gain.h": [[1.0]]}}, ValueError, ["axes['gain.h']", "1-D", "(1, 1)"]),
        ({"axes": {"gain.h": 1.0}}, ValueError, ["axes['gain.h']", "1-D"]),
        ({"axes": {"gain.h": [1.0, np.nan]}}, ValueError, ["axes['gain.h']", "finite", "nan"]),
        ({"axes": {"gain.h": [1.0, np.inf]}}, ValueError, ["axes['gain.h']", "finite", "inf"]),
        ({"axes": {"gain.h": [1.0, -2.0]}}, ValueError, ["axes['gain.h']", "-2.0"]),
        ({"axes": {"gain.h": ["a"]}}, TypeError, ["axes['gain.h']", "real"]),
        ({"axes": {"gain.h": [1j]}}, TypeError, ["axes['gain.h']", "real"]),
        ({"axes": {"gain.h": [True]}}, TypeError, ["axes['gain.h']", "real"]),
        ({"quantities": ()}, ValueError, ["quantities", "count"]),
        ({"quantities": ("counts",)}, ValueError, ["quantities", "'counts'", "abscissa"]),
        ({"quantities": "onset"}, ValueError, ["quantities", "'onset'"]),
        ({"quantities": (3,)}, TypeError, ["quantities", "3"]),
        ({"quantities": 3}, TypeError, ["quantities", "3"]),
        ({"quantities": ("onset:gain.q",)}, ValueError, ["quantities", "gain.q", "gain.h"]),
        ({"quantities": ("fold:gain.h,gain.r",)}, ValueError, ["quantities", "fold"]),
        ({"quantities": ("tricritical:gain.h",)}, ValueError, ["quantities", "tricritical"]),
        ({"quantities": ("tricritical:gain.h,gain.h",)}, ValueError, ["quantities", "distinct"]),
        ({"quantities": ("mass:1",)}, ValueError, ["mass:1", "center", "radius"]),
        ({"quantities": ("mass:1,-1",)}, ValueError, ["mass:1,-1", "positive"]),
        ({"quantities": ("mass:1,1j",)}, ValueError, ["mass:1,1j", "positive"]),
        ({"quantities": ("potential:x",)}, ValueError, ["potential:x", "finite number"]),
        ({"quantities": ("potential:nan",)}, ValueError, ["potential:nan", "finite number"]),
        ({"tau": 0.0}, ValueError, ["tau", "0.0"]),
        ({"tau": "slow"}, TypeError, ["tau", "slow"]),
        ({"executor": 4}, TypeError, ["executor", "submit", "4"]),
        ({"progress": 1}, TypeError, ["progress", "1"]),
        ({"progress": False}, TypeError, ["progress", "False"]),
    ],
)
def test_bad_arguments_are_named(change, error, words):
    arguments = {"ensemble": GRU, "axes": AXES, **change}
    with pytest.raises(error) as caught:
        gt.phase_diagram(**arguments)
    for word in words:
        assert word in str(caught.value)


def test_a_cell_without_mean_field_is_refused():
    with pytest.raises(gt.CapabilityError, match="LiGRU"):
        gt.phase_diagram(gt.Ensemble(gt.LiGRU), {"gain.h": [1.0]})


def test_labels_of_xarrays_pictures_stay_on_one_line():
    """xarray breaks labels after 30 characters, the unit in brackets included, and prints the unit of what has none as [1]."""
    from xarray.plot.utils import label_from_attrs

    lines = ("onset:bias_std.h", "fold:gain.h", "chaos:gain.h", "complexity_onset:gain.h", "tricritical:gain.r,gain.h")
    quantities = [*filter(is_built_in, names()), "mass:1,0.1", "potential:1", "singular:smallest", *lines]
    axes = {"gain.h": [0.5], "bias_std.z": [0.0]}
    data = gt.phase_diagram(gt.Ensemble(gt.GRU), axes, quantities, n_units=10, n_steps=20)
    for variable in data.variables:
        label = label_from_attrs(data[variable])
        assert "\n" not in label and "[1]" not in label, label
    assert label_from_attrs(data["lyapunov"]).endswith("[1/step]")
    assert data["count"].attrs["description"] == "number of mean-field fixed points, the zero state included"
    assert data["onset:bias_std.h"].attrs["description"] == "value of bias_std.h at which the zero state loses stability"


def test_dimensions_are_names_of_python():
    h, y_z, y_h = sp.symbols("h y_z y_h", real=True)
    odd = gt.Cell(name="odd", state=[h], fields={"z gate": y_z, "z-gate": y_h}, messages=[h, h], update=[sp.tanh(y_z + y_h)])
    data = gt.phase_diagram(gt.Ensemble(odd, gain=0.1), {"gain.z gate": [0.1], "gain.z-gate": [0.2], "bias.z-gate": [0.0]}, "count")
    assert data["count"].dims == ("gain_z_gate_0", "gain_z_gate_1", "bias_z_gate") and all(d.isidentifier() for d in data.dims)
    assert [data[d].attrs["path"] for d in data["count"].dims] == ["gain.z gate", "gain.z-gate", "bias.z-gate"]


def test_a_quantity_called_like_an_axis_is_refused():
    gt.register_quantity("gain_h", lambda ensemble: 1.0, of="ensemble", long_name="a gain")
    try:
        with pytest.raises(ValueError, match="'gain_h' is also the name of the axis 'gain.h'"):
            gt.phase_diagram(GRU, {"gain.h": [1.0]}, ["gain_h"])
    finally:
        QUANTITIES.pop("gain_h")


def test_names():
    assert symbol("gain.h") == "$a_{h}$"
    assert symbol("bias.z") == "$b_{z}$"
    assert symbol("bias_std.r") == r"$\beta_{r}$"
    assert symbol("parameter.p_f") == "$p_{f}$"


def test_nothing_is_warned_about_without_need():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gt.phase_diagram(GRU, {"gain.h": [2.5]}, ("count", "slow_fraction"))
