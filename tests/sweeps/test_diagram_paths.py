"""Phase diagrams whose axes and lines move several hyperparameters at once."""

from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest

import gating_theory as gt
from gating_theory import plotting

GRU = gt.Ensemble(gt.GRU)


def candidate_and_reset(value):
    return {"gain.r": 2.0 * value, "gain.h": value}


def whole(value):
    return gt.Ensemble(gt.GRU, gain=value)


@pytest.fixture(scope="module")
def common():
    axes = {"gain": [1.0, 2.5, 3.5], "bias.z=-2*bias.r": [-2.0, 0.0, 2.0]}
    return gt.phase_diagram(GRU, axes, ["count", "moments", "onset:gain", "fold:gain"])


def test_every_point_is_that_of_the_hyperparameters_set_one_by_one(common):
    assert common["count"].dims == ("gain", "bias_z_2_bias_r")
    for gain in common.gain.values:
        for bias in common.bias_z_2_bias_r.values:
            here = common.sel(gain=gain, bias_z_2_bias_r=bias)
            point = gt.fixed_points(gt.Ensemble(gt.GRU, gain=gain, bias={"z": bias, "r": -bias / 2}))[-1]
            assert float(here["moment_h"].isel(solution=int(here["count"]) - 1)) == point.moments["h"]


def test_lines_along_paths(common):
    # a_h sigma(b_r) = 1
    np.testing.assert_allclose(common["onset:gain"], 1.0 + np.exp(0.5 * common.bias_z_2_bias_r.values), rtol=1e-11)
    assert common["onset:gain"].dims == ("bias_z_2_bias_r",)
    for k, bias in enumerate(common.bias_z_2_bias_r.values):
        fold = gt.fold(GRU.replace({"bias.z=-2*bias.r": bias}), "gain")
        assert float(common["fold:gain"][k]) == float(fold) and bool(common["fold_status:gain"][k]) == fold.discontinuous


def test_what_coordinates_and_files_say(common, tmp_path):
    assert common.gain.attrs == {"long_name": "gain of all fields", "symbol": "$a$", "path": "gain"}
    assert common.bias_z_2_bias_r.attrs["path"] == "bias.z=-2*bias.r"
    assert common.bias_z_2_bias_r.attrs["symbol"] == r"$b_{z} = -2\,b_{r}$"
    assert (common["onset:gain"].attrs["symbol"], common["onset:gain"].attrs["path"]) == ("$a$", "gain")
    tied = gt.phase_diagram(GRU, {"bias.r": [0.0, 1.0]}, "onset:gain.z = gain.h")
    for data in (common, tied):
        again = gt.load(gt.save(data, tmp_path / "diagram.nc"))
        assert set(again.variables) == set(data.variables) and again.attrs["quantities"] == data.attrs["quantities"]
    np.testing.assert_allclose(again["onset:gain.z=gain.h"], 1.0 + np.exp([0.0, -1.0]), rtol=1e-11)


def test_labels_of_pictures(common):
    ax = plotting.plot_phase_diagram(common)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("$a$", r"$b_{z} = -2\,b_{r}$")
    # no point of so coarse a grid lies between the two
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["onset, $a$", "fold, $a$", "no grid point"]


def test_directions_and_functions():
    way = gt.Direction(GRU, gt.Ensemble(gt.GRU, gain={"h": 3.0, "r": 7.0}))
    data = gt.phase_diagram(GRU, {way: [0.0, 2.0], candidate_and_bias: [0.0, 1.0]}, ["moments", "onset:direction"])
    # the candidate's gain is 1 + 2 v; beyond 1 the axis says where to look
    np.testing.assert_allclose(data["onset:direction"], 0.5 * np.exp([0.0, -1.0]), rtol=1e-11)
    np.testing.assert_array_equal(data.gain_r, [1.0, 13.0])
    np.testing.assert_array_equal(data.bias_r, [0.0, 1.0])
    assert data.gain_h.dims == ("direction",) and data.bias_z.dims == ("candidate_and_bias",)
    point = gt.fixed_points(gt.Ensemble(gt.GRU, gain={"h": 5.0, "r": 13.0}, bias={"z": -1.0, "r": 1.0}))[-1]
    assert float(data["moment_r_h"].isel(direction=1, candidate_and_bias=1).dropna("solution")[-1]) == point.moments["r*h"]


def candidate_and_bias(value):
    return {"bias.z": -value, "bias.r": value}


def test_a_function_has_the_extent_of_its_axis_as_bounds():
    data = gt.phase_diagram(GRU, {candidate_and_reset: [0.5, 1.0, 3.0]}, ["onset:candidate_and_reset", "fold:candidate_and_reset"])
    assert float(data["onset:candidate_and_reset"]) == pytest.approx(2.0, abs=1e-11)
    fold = gt.fold(GRU, "gain.r=2*gain.h", (1.0, 6.0))
    assert float(data["fold:candidate_and_reset"]) == pytest.approx(float(fold) / 2.0, abs=1e-9)
    with pytest.raises(ValueError, match="bounds must be given along|must have two values"):
        gt.phase_diagram(GRU, {candidate_and_reset: [0.5]}, "onset:candidate_and_reset")


def test_a_function_of_whole_ensembles_comes_first():
    data = gt.phase_diagram(GRU, {whole: [1.0, 3.0], "bias.r": [0.0, 1.0]}, ["count", "onset:bias.r"])
    np.testing.assert_array_equal(data["count"], [[1, 1], [2, 2]])
    np.testing.assert_allclose(data["onset:bias.r"], [np.nan, -np.log(2.0)], rtol=1e-10)
    with pytest.raises(ValueError, match="axes: bias.r and whole both set"):
        gt.phase_diagram(GRU, {"bias.r": [0.0], whole: [1.0]})


def test_tricritical_points_of_two_paths():
    axes = {"gain.r=gain.z": [0.0, 4.0], "gain.h": [1.5, 2.5]}
    data = gt.phase_diagram(GRU, axes, "tricritical:gain.r=gain.z,gain.h")
    assert float(data["tricritical:gain.r=gain.z,gain.h"]) == pytest.approx(np.sqrt(8.0), abs=1e-9)
    assert float(data["tricritical_onset:gain.r=gain.z,gain.h"]) == pytest.approx(2.0, abs=1e-9)
    attrs = data["tricritical:gain.r=gain.z,gain.h"].attrs
    assert (attrs["path"], attrs["other_path"]) == ("gain.r=gain.z", "gain.h")


def test_workers_and_journals(tmp_path):
    axes = {candidate_and_reset: [1.0, 3.0], "bias.r": [0.0, 1.0]}
    alone = gt.phase_diagram(GRU, axes, ["count", "onset:candidate_and_reset"], journal=tmp_path / "journal")
    with ProcessPoolExecutor(1) as executor:
        there = gt.phase_diagram(GRU, axes, ["count", "onset:candidate_and_reset"], executor=executor)
        assert there.drop_attrs().equals(alone.drop_attrs())
        with pytest.raises(TypeError, match="the function of the axis 'function' cannot be sent to the executor's processes"):
            gt.phase_diagram(GRU, {lambda v: {"gain.h": v}: [1.0, 3.0]}, "count", executor=executor)

    def other(value):
        return {"gain.r": 3.0 * value, "gain.h": value}

    other.__name__ = candidate_and_reset.__name__
    with pytest.raises(ValueError, match="journal"):
        gt.phase_diagram(
            GRU, {other: [1.0, 3.0], "bias.r": [0.0, 1.0]}, ["count", "onset:candidate_and_reset"], journal=tmp_path / "journal"
        )


@pytest.mark.parametrize(
    "axes, quantities, words",
    [
        ({"gain": [1.0], "gain.h": [1.0]}, "count", "axes: gain and gain.h both set gain.h"),
        ({"gain.z=gain.r": [1.0], "gain.r=gain.z": [1.0]}, "count", "both set gain.r|both set gain.z"),
        ({candidate_and_reset: [1.0], "gain.r": [1.0]}, "count", "both set gain.r"),
        ({"gain": [1.0]}, "onset:gain.h", "quantities: 'onset:gain.h': gain and gain.h both set gain.h"),
        ({"gain.r": [1.0]}, "onset:gain", "gain.r and gain both set gain.r"),
        ({"gain.r": [1.0]}, "onset:gain.z=gain.q", "quantities: no hyperparameter 'gain.q'"),
        ({"gain.z=-gain.r": [1.0]}, "count", "leaves no value but 0"),
        ({"gain.z=gain.r": [-1.0]}, "count", r"axes\['gain.z=gain.r'\]: .* got -1"),
        ({candidate_and_reset: [1.0, 2.0], "bias.r": [1.0]}, "tricritical:bias.r,candidate_and_reset", "no ensemble shows"),
        ({lambda v: {}: [1.0], lambda v: {"gain.h": v}: [1.0]}, "count", "two paths are called 'function'"),
    ],
)
def test_what_is_refused(axes, quantities, words):
    with pytest.raises(ValueError, match=words):
        gt.phase_diagram(GRU, axes, quantities)


def test_a_path_that_is_asked_for_by_two_names_is_computed_once():
    data = gt.phase_diagram(GRU, {"gain.z=gain.h": [1.0, 3.0]}, ["onset:gain.h=gain.z", "onset:gain.z=gain.h"])
    assert list(data.data_vars) == ["onset:gain.z=gain.h", "onset_status:gain.z=gain.h", "status"]
    assert float(data["onset:gain.z=gain.h"]) == pytest.approx(2.0, abs=1e-11)
