"""Pictures of exponents, of gradients by lag and of eigenvalues along a run show the numbers given, and nothing is cut off."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

import gating_theory as gt
from gating_theory.networks.driven import recorded_run
from gating_theory.plotting import (
    animate_eigenvalues,
    plot_eigenvalues_along,
    plot_finite_time_exponents,
    plot_gradients_by_lag,
    plot_lyapunov_spectrum,
)


@pytest.fixture(scope="module")
def net():
    return gt.Network.sample(gt.Ensemble(gt.GRU, gain={"z": 1, "r": 1, "h": 6}), 12, rng=0)


@pytest.fixture(scope="module")
def run(net):
    return recorded_run(net, np.random.default_rng(0).standard_normal((20, 2, 3, 12)), rng=1)


@pytest.fixture(scope="module")
def windows(net):
    x = np.random.default_rng(0).standard_normal((140, 3, 12))
    return gt.finite_time_exponents(net, 3, 2, inputs=x, transient=0, tangent_transient=20, rng=0)


def own_axes(size=(3.4, 2.6)):
    return Figure(size, layout="constrained").subplots()


def lines(ax):
    return {line.get_label(): line for line in ax.get_lines()}


def nothing_cut_off(figure):
    """No text reaches over the edge of its figure by more than a pixel; labels of ticks beyond the limits are not drawn."""
    figure.draw_without_rendering()
    width, height = figure.canvas.get_width_height()
    for ax in figure.axes:
        texts = [ax.title, ax.xaxis.label, ax.yaxis.label, *(ax.get_legend().get_texts() if ax.get_legend() else [])]
        for text in texts:
            assert isinstance(text, Text)
            box = text.get_window_extent()
            if text.get_text() and text.get_visible():
                assert box.x0 > -1 and box.y0 > -1 and box.x1 < width + 1 and box.y1 < height + 1, text.get_text()


def test_a_spectrum_with_its_dimension(net):
    """At rest exponents are log 2, log .4 and log .3: 1 + log 2 / log 2.5 dimensions."""
    ring = gt.Network(gt.Vanilla, np.diag([2.0, 0.4, 0.3])[None], np.zeros((1, 3)))
    still = gt.lyapunov_spectrum(ring, n_steps=60, state=np.zeros(3), rng=0)
    found = lines(plot_lyapunov_spectrum(still, ax=own_axes()))
    (place,) = {line.get_xdata()[0] for label, line in found.items() if label.startswith("dimension")}
    assert place == pytest.approx((1 + np.log(2) / np.log(2.5)) / 3, abs=1e-6)
    result = gt.lyapunov_spectrum(net, n_steps=60, rng=0)
    ax = plot_lyapunov_spectrum(result, ax=own_axes())
    (curve,) = ax.containers
    np.testing.assert_allclose(curve[0].get_xdata(), (1 + np.arange(12)) / 12)
    np.testing.assert_allclose(curve[0].get_ydata(), result.exponents)
    ends = curve[2][0].get_segments()
    np.testing.assert_allclose([end[1][1] - end[0][1] for end in ends], 2 * result.stderr)
    assert ax.get_ylabel() == "exponent (1/step)"
    several = plot_lyapunov_spectrum({"one": result, "two": result}, ax=own_axes())
    assert len({curve[0].get_color() for curve in several.containers}) == 2
    nothing_cut_off(several.figure)


def test_a_large_spectrum_and_dead_directions():
    net = gt.Network.sample(gt.Ensemble(gt.Vanilla, gain=2.0), 70, rng=0)
    many = plot_lyapunov_spectrum(gt.lyapunov_spectrum(net, n_steps=20, transient=20, rng=0), ax=own_axes())
    assert not many.containers and many.collections, "a line with a band"
    silent = gt.Network(gt.Vanilla, np.diag([0.5, 0.5, 0.0])[None], np.zeros((1, 3)))
    dead = plot_lyapunov_spectrum(gt.lyapunov_spectrum(silent, n_steps=20, rng=0), ax=own_axes())
    assert dead.containers[0].get_label() == r"1 at $-\infty$" and len(dead.containers[0][0].get_xdata()) == 2


def test_windows_and_their_lengths(windows):
    ax = plot_finite_time_exponents(windows, which=1, ax=own_axes())
    heights = np.array([bar.get_height() for bar in ax.patches if hasattr(bar, "get_height")])
    assert heights.sum() == pytest.approx(1.0) and ax.get_xlabel() == "exponent of a window (1/step)"
    mean = [line.get_xdata()[0] for line in ax.get_lines() if line.get_linestyle() == ":"]
    assert mean == [windows.exponents[1]]
    nothing_cut_off(ax.figure)
    ax = plot_finite_time_exponents({"a": windows}, by_length=True, ax=own_axes())
    np.testing.assert_allclose(lines(ax)["a"].get_xdata(), windows.lengths)
    np.testing.assert_allclose(lines(ax)["a"].get_ydata(), windows.std_by_length[:, 0])
    assert ax.get_xlabel() == "length of a window (steps)"
    nothing_cut_off(ax.figure)


def test_gradients_by_lag(net):
    result = gt.diagnose(net, n_states=2)
    growth = gt.gradient_growth(gt.fixed_points(net.ensemble)[0], 10)
    ax = plot_gradients_by_lag(result, growth=growth, ax=own_axes())
    found = lines(ax)
    assert list(found["measured"].get_xdata()) == list(result.gradients.measured)
    np.testing.assert_allclose(found["measured"].get_ydata(), list(result.gradients.measured.values()))
    np.testing.assert_allclose(found["theory at its sites"].get_ydata(), list(result.gradients.tied.values()))
    last = min(10, max(result.gradients.measured))
    np.testing.assert_allclose(found["ensemble, tied weights"].get_ydata(), growth.log10[1 : last + 1])
    nothing_cut_off(ax.figure)
    assert lines(plot_gradients_by_lag(result.gradients, ax=own_axes())).keys() >= {"measured", "shuffled weights"}


def test_eigenvalues_along_a_run(net, run):
    """The values are those of dense Jacobians at the states and inputs of the run; all panels show the same plane."""
    axes = plot_eigenvalues_along(run, [0, 7, 19, 3], sequence=1)
    assert [ax.get_title() for ax in axes] == ["step 0", "step 7", "step 19", "step 3"]
    for ax, t in zip(axes, (0, 7, 19, 3)):
        values = np.linalg.eigvals(net.jacobian(run.states[t, 1], run.input[t, 1]))
        drawn = lines(ax)["eigenvalues"]
        shown = drawn.get_xdata() + 1j * drawn.get_ydata()
        # a conjugate pair may come in either order
        np.testing.assert_allclose(np.sort_complex(np.round(shown, 9)), np.sort_complex(np.round(values, 9)), atol=1e-8)
        assert ax.get_xlim() == axes[0].get_xlim() and ax.get_ylim() == axes[0].get_ylim()
        assert ax.get_xlim()[0] < -1 and ax.get_xlim()[1] > 1 and ax.get_ylim()[0] < -1 and ax.get_ylim()[1] > 1
        assert ax.get_aspect() == 1.0
    nothing_cut_off(axes[0].figure)
    plt.close(axes[0].figure)
    default = plot_eigenvalues_along(run)
    assert len(default) == 6 and [default[0].get_title(), default[5].get_title()] == ["step 0", "step 19"]
    plt.close(default[0].figure)


def test_an_animation(run, tmp_path):
    """Each frame is one step; pillow writes them all."""
    ax = own_axes((3.4, 3.4))
    film = animate_eigenvalues(run, [0, 4, 8], interval=50, ax=ax)
    path = tmp_path / "eigenvalues.gif"
    film.save(path, writer="pillow")
    with Image.open(path) as picture:
        assert picture.n_frames == 3 and picture.info["duration"] == 50
    assert ax.get_title() == "step 8"
    shown = lines(ax)["eigenvalues"]
    (still,) = plot_eigenvalues_along(run, [8], ax=[own_axes()])
    np.testing.assert_array_equal(shown.get_data(), lines(still)["eigenvalues"].get_data())


def test_what_cannot_be_drawn(windows, run):
    ax = own_axes()
    assert isinstance(ax, Axes)
    for call, error, words in (
        (lambda: plot_lyapunov_spectrum(windows, ax=ax), TypeError, "result must be a mapping, from labels"),
        (lambda: plot_lyapunov_spectrum({}, ax=ax), ValueError, "result must have at least one entry"),
        (lambda: plot_finite_time_exponents(windows, which=2, ax=ax), ValueError, "which must"),
        (lambda: plot_gradients_by_lag(windows, ax=ax), TypeError, "result must be a Diagnosis or its gradients"),
        (lambda: plot_eigenvalues_along(run, [20]), ValueError, "times must"),
        (lambda: plot_eigenvalues_along(run, sequence=2), ValueError, "sequence must"),
        (lambda: plot_eigenvalues_along(run, [0, 1], ax=[ax]), ValueError, "one Axes for each of 2 steps"),
        (lambda: plot_eigenvalues_along(run, [0], ax=3), TypeError, "ax must be a sequence of matplotlib Axes"),
        (lambda: plot_eigenvalues_along(np.zeros(3)), ValueError, r"array \(T, n\) of eigenvalues"),
        (lambda: animate_eigenvalues(run, interval=0.0, ax=ax), ValueError, "interval must"),
    ):
        with pytest.raises(error, match=words):
            call()
