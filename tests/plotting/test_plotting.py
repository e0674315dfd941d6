"""Pictures show the numbers that they are given, with labels and units, and refuse what they cannot draw."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.integrate import trapezoid

import gating_theory as gt
from gating_theory import plotting
from gating_theory.plotting.style import smooth

GRU = gt.Ensemble(gt.GRU, gain={"z": 2, "r": 14, "h": 1.8})


@pytest.fixture(scope="module")
def spectrum():
    return gt.Spectrum(gt.fixed_points(GRU)[-1], tol=1e-3)


@pytest.fixture(scope="module")
def cloud():
    net, state = gt.Network.planted(gt.fixed_points(GRU)[-1], 100, 0)
    return net.eigenvalues(state)


@pytest.fixture(scope="module")
def diagram():
    quantities = ("count", "moments", "stable", "onset:gain.h", "fold:gain.h")
    return gt.phase_diagram(GRU, {"gain.r": [2.0, 8.0, 14.0], "gain.h": [1.3, 1.7, 1.9, 2.2]}, quantities)


def own_axes():
    return Figure(layout="constrained").subplots()


def drawn(ax):
    """The figure can be rendered, and holds what is asked for."""
    ax.figure.canvas.draw()
    return ax


# --- gradients


@pytest.fixture(scope="module")
def two_kinds():
    """The spectrum of a silent GRU whose units have one of two update gates, and a network with just these."""
    gates = np.array([[0.0, 2.0], [0.0, 0.0], [0.0, 0.0]])
    sites = gt.Sites(gt.GRU, [0.5, 0.5], np.zeros((1, 2)), gates, gain=[1.0, 1.0, 2.0], matrices="iid")
    net = gt.Network.sample(gt.Ensemble(gt.GRU, gain={"h": 2}), 200, 0)
    biases = np.repeat(gates, 100, axis=1)
    net = gt.Network(gt.GRU, net.matrices, biases)
    return gt.Spectrum(sites), net.jacobian(np.zeros((1, 200)))


def test_singular_values(two_kinds):
    """The curve has area one, and so has the histogram of a network, most of which it shares."""
    spectrum, jacobian = two_kinds
    values = np.linalg.svd(jacobian, compute_uv=False)
    ax = drawn(plotting.plot_singular_values(spectrum.singular_values(), values))
    (curve,) = ax.get_lines()
    s, density = curve.get_xdata(), curve.get_ydata()
    # square roots at both ends, 160 points: 1e-2
    assert trapezoid(density, s) == pytest.approx(1.0, abs=1e-2)
    bars = ax.patches
    assert sum(bar.get_width() * bar.get_height() for bar in bars) == pytest.approx(1.0, abs=1e-12)
    at_bars = np.interp([bar.get_x() + 0.5 * bar.get_width() for bar in bars], s, density, left=0.0, right=0.0)
    # 200 values repel: a bin of twenty holds one more or less; those at edges are half empty
    assert np.mean([abs(bar.get_height() - height) * bar.get_width() for bar, height in zip(bars, at_bars)]) < 0.02
    assert ax.get_xlabel() and ax.get_ylabel() and ax.get_xlim()[1] > max(s.max(), values.max())


def test_singular_values_with_an_atom():
    silent = gt.Spectrum.from_sites(gt.Sites(gt.LSTM, [1.0], np.zeros((2, 1)), np.zeros((4, 1)), gain=np.ones(4)))
    values = np.concatenate([np.zeros(50), np.linspace(0.4, 0.9, 50)])
    ax = drawn(plotting.plot_singular_values(silent.singular_values(), values, n=60, ax=own_axes()))
    (curve,) = ax.get_lines()
    assert curve.get_label() == "theory, and 50 % at 0"
    assert sum(bar.get_width() * bar.get_height() for bar in ax.patches) == pytest.approx(0.5, abs=1e-12), "zeros are no area"
    with pytest.raises(ValueError, match="values must be singular values"):
        plotting.plot_singular_values(silent.singular_values(), [-1.0], ax=own_axes())
    with pytest.raises(TypeError, match="result must be"):
        plotting.plot_singular_values(silent, ax=own_axes())


@pytest.mark.parametrize(
    ("cell", "place", "share", "zeros"),
    [(gt.GRU, 0.5, 1.0, 0.0), (gt.Vanilla, 0.0, 1.0, 1.0), (gt.LSTM, np.sqrt(0.3125), 0.5, 0.5)],
)
def test_singular_values_in_one_place(cell, place, share, zeros):
    """Without gains all sites are alike: z for a GRU; of an LSTM dh = o dc, dc = f dc_0, so f sqrt(1 + o^2) and zero."""
    found = gt.Spectrum(gt.fixed_points(gt.Ensemble(cell, gain=0.0))[0]).singular_values()
    measured = np.where(np.arange(40) < 40 * zeros, 0.0, place + 1e-17 * np.arange(40))
    for values in (None, measured):
        ax = drawn(plotting.plot_singular_values(found, values, ax=own_axes()))
        (spike,) = [one for one in ax.get_lines() if one.get_label().startswith("theory")]
        assert f"{100 * share:.3g} % at {place:.4g}" in spike.get_label()
        np.testing.assert_allclose(spike.get_xdata(), place, rtol=1e-5, atol=1e-12)
        assert ax.get_xlim()[0] <= place < ax.get_xlim()[1] and ax.get_ylim()[1] < 1e3


def test_pseudospectra(two_kinds):
    """On the curves drawn the resolvent has the norm that they are for; all of them can be seen."""
    spectrum, jacobian = two_kinds
    eigenvalues = np.linalg.eigvals(jacobian)
    ax = drawn(plotting.plot_pseudospectrum(spectrum, (0.2, 0.05), eigenvalues=eigenvalues))
    lines = {line.get_label(): line for line in ax.get_lines()}
    reach = []
    for eps in (0.05, 0.2):
        line = lines[rf"$\varepsilon = {eps:g}$"]
        z = (line.get_xdata() + 1j * line.get_ydata())[::40]
        # curves that are looked at: to a hundredth
        np.testing.assert_allclose(spectrum.resolvent_norm(z), 1.0 / eps, rtol=0.02)
        reach.append(line.get_xdata().max())
    assert reach[0] < reach[1] < ax.get_xlim()[1]
    assert "theory" in lines and "eigenvalues" in lines
    with pytest.raises(ValueError, match="eps must be one or more numbers above 0"):
        plotting.plot_pseudospectrum(spectrum, [0.1, 0.0], ax=own_axes())


def test_growth_of_gradients():
    """Tied and untied theory as lines of logarithms, networks as dots of their colour."""
    silent = gt.fixed_points(gt.Ensemble(gt.GRU))[0]
    several = {f"{weights} weights": gt.gradient_growth(silent, 20, weights) for weights in ("tied", "untied")}
    measured = np.full((2, 21), np.nan)
    measured[0, :6] = 1e-3 ** np.arange(6.0)
    ax = drawn(plotting.plot_gradient_growth(several, measured={"tied weights": measured}))
    lines = {line.get_label(): line for line in ax.get_lines()}
    for label, one in several.items():
        np.testing.assert_array_equal(lines[label].get_ydata(), one.log10)
    assert lines["tied weights"].get_linestyle() == "-" and lines["untied weights"].get_linestyle() == "--"
    dots = lines["networks (2)"]
    np.testing.assert_allclose(dots.get_ydata()[:6], -3.0 * np.arange(6), atol=1e-12)
    assert dots.get_color() == lines["tied weights"].get_color() and np.isnan(dots.get_ydata()[6:]).all()


def test_transients_of_two_copies():
    """Lines through the correlations, untied ones dashed, and a band where there are errors."""
    ens = gt.Ensemble(gt.GRU, gain={"z": 0, "r": 4, "h": 3}, input_std={"h": 0.3})
    exact = gt.correlation_transient(ens, 6, amplitude=0.25, tied=False)
    sampled = gt.correlation_transient(ens, 6, amplitude=0.25, method="sites", n_sites=500)
    ax = drawn(plotting.plot_correlation_transient({"fresh": exact, "networks": sampled}, "r*h"))
    lines = {line.get_label(): line for line in ax.get_lines()}
    for label, one in (("fresh", exact), ("networks", sampled)):
        np.testing.assert_array_equal(lines[label].get_ydata(), one.correlation["r*h"])
    assert lines["fresh"].get_linestyle() == "--" and lines["networks"].get_linestyle() == "-" and len(ax.collections) == 1
    (line,) = [line for line in plotting.plot_correlation_transient(exact).get_lines() if line.get_label() == "untied weights"]
    np.testing.assert_array_equal(line.get_ydata(), exact.correlation["h"])
    with pytest.raises(ValueError, match="message"):
        plotting.plot_correlation_transient(exact, "z", ax=own_axes())
    with pytest.raises(ValueError, match="at least one"):
        plotting.plot_correlation_transient({}, ax=own_axes())


def test_what_two_copies_have_in_common():
    """Lines through correlations of one copy and between two, c* at lag 0; the title is the verdict; nothing of the zero state."""
    ens = gt.Ensemble(gt.GRU, gain={"z": 0, "r": 4, "h": 2.2}, input_std={"h": 0.3})
    pair = gt.dmft(ens, replicas=2, rho_in=0.9)
    ax = drawn(plotting.plot_pair(pair, "r*h"))
    lines = {line.get_label(): line for line in ax.get_lines()}
    lags, moment = lines["two copies"].get_xdata(), pair.copy.moments["r*h"]
    np.testing.assert_array_equal(np.diff(lags), 1.0)
    both, alone = (made["messages"][:, 1] / moment for made in (pair.cross_correlation(lags), pair.copy.autocorrelation(lags)))
    np.testing.assert_allclose(lines["two copies"].get_ydata(), both, rtol=1e-12)
    np.testing.assert_allclose(lines["one copy"].get_ydata(), alone, rtol=1e-12)
    assert lines["two copies"].get_ydata()[0] == pytest.approx(pair.correlation["r*h"])
    assert ax.get_title() == "correlated, c* = 0.487" and ax.get_xlabel() == "lag in steps"
    still = drawn(plotting.plot_pair(gt.dmft(gt.Ensemble(gt.Vanilla, gain=0.5), replicas=2)))
    assert still.get_title() == "zero state" and len(still.get_lines()) == 1
    for wrong, error in (({"pair": pair, "message": "z"}, ValueError), ({"pair": pair.copy}, TypeError)):
        with pytest.raises(error, match="message" if "message" in wrong else "pair"):
            plotting.plot_pair(**wrong, ax=own_axes())


def test_correlations_of_moving_states():
    """Lines through autocorrelations at a map's steps and a flow's lags, of what stays a dashed one, and spectra from zero on."""
    frozen = gt.dmft(gt.Ensemble(gt.GRU, gain={"z": 0, "r": 10, "h": 1.7}, bias_std={"h": 0.2}))
    ax = drawn(plotting.plot_autocorrelation({"frozen": frozen, "fresh": (fresh := gt.dmft(gt.Ensemble(gt.Vanilla, gain=3)))}))
    solid, stays, white = ax.get_lines()
    lags = solid.get_xdata()
    np.testing.assert_array_equal(solid.get_ydata(), frozen.autocorrelation(lags)["messages"][:, 0])
    np.testing.assert_array_equal(np.diff(lags), 1.0)
    assert set(stays.get_ydata()) == {frozen.frozen["h"]} and stays.get_linestyle() == "--"
    assert white.get_ydata()[0] == fresh.moments["h"] and [text.get_text() for text in ax.get_legend().get_texts()] == [
        "frozen",
        "fresh",
    ]
    flow = gt.dmft(gt.Ensemble(gt.Vanilla, gain=2), flow=True)
    (line,) = drawn(plotting.plot_autocorrelation(flow)).get_lines()
    assert line.get_ydata()[0] == pytest.approx(flow.moments["h"]) and line.get_xdata()[-1] == pytest.approx(
        8 * flow.correlation_time, rel=0.1
    )
    ax = drawn(plotting.plot_autocorrelation(frozen, "r*h", spectrum=True))
    frequencies, powers = frozen.power_spectrum()
    (line,) = ax.get_lines()
    n = line.get_xdata().size
    np.testing.assert_array_equal(line.get_ydata(), powers["r*h"][:n])
    assert ax.get_yscale() == "log" and powers["r*h"][n:].max() <= 1e-5 * powers["r*h"].max()
    for still in (False, True):  # nothing moves
        drawn(plotting.plot_autocorrelation(gt.dmft(gt.Ensemble(gt.Vanilla, gain=0.5)), spectrum=still))
    with pytest.raises(ValueError, match="message"):
        plotting.plot_autocorrelation(flow, "z", ax=own_axes())
    with pytest.raises(ValueError, match="at least one"):
        plotting.plot_autocorrelation({}, ax=own_axes())


def test_colour_bar_of_singular_values():
    data = gt.phase_diagram(gt.Ensemble(gt.GRU), {"gain.h": [0.5, 1.0], "bias.z": [0.0, 1.0]}, "singular:largest")
    ax = drawn(plotting.plot_phase_diagram(data, "singular:largest", solution=0))
    assert "largest singular value" in [one.get_ylabel() for one in ax.figure.axes]


def test_growth_down_to_nothing():
    # without recurrence of any kind a state is forgotten in one step: the mean square has no logarithm
    gone = gt.gradient_growth(gt.fixed_points(gt.Ensemble(gt.Vanilla, gain=0.0))[0], 3)
    ax = drawn(plotting.plot_gradient_growth(gone, ax=own_axes()))
    (line,) = [line for line in ax.get_lines() if line.get_label() == "theory, tied weights"]
    assert line.get_ydata()[0] == 0.0 and np.isnan(line.get_ydata()[1:]).all()


@pytest.mark.parametrize(
    ("growth", "measured", "error", "words"),
    [
        ({}, None, ValueError, "growth must have at least one entry"),
        ("tied", None, TypeError, "growth must be"),
        ({"a": 1.0}, None, TypeError, "growth must be"),
        (None, {"b": [1.0]}, ValueError, "measured has the unknown label 'b'; allowed are"),
        (None, [1.0] * 9, ValueError, r"measured must have shape \(4,\) or \(networks, 4\).*got \(9,\)"),
        (None, [1.0] * 2, ValueError, r"measured must have shape \(4,\) or \(networks, 4\).*got \(2,\)"),
        (None, [0.0, -0.5, -1.0, -1.5], ValueError, "measured must be mean squares, which are not negative, not their logarithms"),
        (None, "much", TypeError, "measured must be"),
    ],
)
def test_growth_that_cannot_be_drawn(growth, measured, error, words):
    growth = gt.gradient_growth(gt.fixed_points(gt.Ensemble(gt.GRU))[0], 3) if growth is None else growth
    with pytest.raises(error, match=words):
        plotting.plot_gradient_growth(growth, measured=measured, ax=own_axes())


# --- spectra


def test_spectrum_with_eigenvalues(spectrum, cloud):
    ax = drawn(plotting.plot_spectrum(spectrum, cloud))
    assert isinstance(ax, Axes)
    lines = {line.get_label(): line for line in ax.get_lines()}
    assert set(lines) == {"unit circle", "eigenvalues", "theory"}
    np.testing.assert_array_equal(lines["eigenvalues"].get_xdata(), cloud.real)
    z = lines["theory"].get_xdata() + 1j * lines["theory"].get_ydata()
    assert np.abs(np.log(spectrum.edge_function(z[:-1]))).max() < 1e-8, "the curve drawn is the edge"
    assert z[0] == z[-1]
    np.testing.assert_allclose(np.abs(lines["unit circle"].get_xdata() + 1j * lines["unit circle"].get_ydata()), 1.0)
    assert ax.get_xlabel() == r"$\mathrm{Re}\,\lambda$" and ax.get_ylabel() == r"$\mathrm{Im}\,\lambda$"
    assert ax.get_aspect() == 1.0
    low, high = ax.get_xlim()
    assert low < min(z.real.min(), cloud.real.min()) and high > max(z.real.max(), cloud.real.max())


def test_spectrum_into_given_axes(spectrum):
    ax = own_axes()
    assert plotting.plot_spectrum(spectrum, ax=ax) is ax
    drawn(ax)


def test_outliers_are_marked_if_asked_for():
    # the vanilla network's outlier is the slope of its mean-field map, theory sheet, section 4
    point = gt.fixed_points(gt.Ensemble(gt.Vanilla, gain=1.5))[-1]
    spectrum = gt.Spectrum(point)
    expected = spectrum.outliers()
    labels = [line.get_label() for line in plotting.plot_spectrum(spectrum).get_lines()]
    assert "outliers, theory" not in labels
    lines = {line.get_label(): line for line in plotting.plot_spectrum(spectrum, outliers=True).get_lines()}
    if expected.size:
        np.testing.assert_array_equal(lines["outliers, theory"].get_xdata(), expected.real)


def test_spectrum_of_atoms_alone():
    point = gt.fixed_points(gt.Ensemble(gt.GRU, gain=0.0))[0]
    ax = drawn(plotting.plot_spectrum(gt.Spectrum(point)))
    assert np.diff(ax.get_xlim()) > 0


def test_density(spectrum):
    ax = drawn(plotting.plot_density(spectrum, n=40))
    (mesh,) = ax.collections
    assert mesh.get_array().shape == (40, 40)
    x, y, density = spectrum.density_map(40)
    shown = mesh.get_array()
    np.testing.assert_array_equal(shown.compressed(), density[~np.ma.getmaskarray(shown)])
    assert len(ax.child_axes) == 1, "a colour bar"
    ax = plotting.plot_density(spectrum, n=20, box=(0.5, 1.2, -0.3, 0.3), colorbar=False, ax=own_axes())
    assert len(drawn(ax).figure.axes) == 1
    assert ax.get_xlim() == pytest.approx((0.5, 1.2)) and ax.get_ylim() == pytest.approx((-0.3, 0.3))


def test_maps_of_densities_are_white_outside_the_support():
    """Averages over pixels of the real axis there are rounding, some of it positive."""
    spectrum = gt.Spectrum(gt.fixed_points(gt.Ensemble(gt.GRU, gain={"h": 3.0}))[-1])
    x = spectrum.density_map(60)[0]
    edge, pixel = np.concatenate(spectrum.boundary()).real, x[1] - x[0]
    beyond = (x < edge.min() - pixel) | (x > edge.max() + pixel)
    (mesh,) = plotting.plot_density(spectrum, n=60, ax=own_axes()).collections
    assert np.ma.getmaskarray(mesh.get_array())[:, beyond].all()


# --- timescales


def test_timescales(spectrum, cloud):
    tau = np.array([1.0, 10.0, 100.0])
    ax = drawn(plotting.plot_timescales(spectrum, tau=tau[::-1]))
    assert plotting.plot_timescales(cloud, tau=tau, label="network", ax=ax) is ax
    theory, steps = ax.get_lines()
    np.testing.assert_array_equal(theory.get_xdata(), tau)
    np.testing.assert_allclose(theory.get_ydata(), [spectrum.slow_fraction(t) for t in tau], atol=1e-4)
    for t in tau:
        at = np.searchsorted(steps.get_xdata(), t, side="right") - 1
        assert steps.get_ydata()[at] == pytest.approx(np.mean(np.abs(cloud) > np.exp(-1 / t)))
    assert steps.get_label() == "network"
    assert ax.get_xscale() == ax.get_yscale() == "log"


def test_timescales_of_growing_and_dead_modes():
    ax = drawn(plotting.plot_timescales(np.array([0.0, 0.5, 1.0, 1.5]), tau=[0.1, 10.0]))
    (line,) = ax.get_lines()
    # 0 decays at once, 0.5 in 1.44 steps, 1 and 1.5 never
    np.testing.assert_allclose(line.get_xdata(), [0.1, 1 / np.log(2), 10.0])
    np.testing.assert_allclose(line.get_ydata(), [0.75, 0.5, 0.5])


# --- phase diagrams


def pixels(ax, diagram):
    """Centres of a count map's pixels (x, y), the index of those next to the diagram's points, the counts shown."""
    mesh = ax.collections[0]
    corners = mesh.get_coordinates()
    centres = [0.5 * (edges[1:] + edges[:-1]) for edges in (corners[0, :, 0], corners[:, 0, 1])]
    i, j = (np.abs(c[:, None] - diagram[p].values).argmin(axis=0) for c, p in zip(centres, ("gain_r", "gain_h")))
    return centres, np.ix_(j, i), mesh.get_array()


def marked(line):
    """The points on a curve that were computed."""
    return np.array(line.get_data())[:, line.get_markevery()]


def test_phase_diagram(diagram):
    ax = drawn(plotting.plot_phase_diagram(diagram))
    assert ax.get_xlabel() == "$a_{r}$" and ax.get_ylabel() == "$a_{h}$"
    at, grid, shown = pixels(ax, diagram)
    np.testing.assert_array_equal(shown[grid], diagram["count"].values.T)
    # areas are cut along the lines: below onset and fold there is the zero state alone, whatever the grid's steps are
    lines = {line.get_label(): line for line in ax.get_lines()}
    assert set(lines) == {"onset, $a_{h}$", "fold, $a_{h}$"}
    onset, fold = (np.interp(at[0], *lines[f"{kind}, $a_{{h}}$"].get_data()) for kind in ("onset", "fold"))
    assert (shown[at[1][:, None] < np.minimum(fold, onset)] == 1).all()
    assert (shown[at[1][:, None] > np.maximum(fold, onset)] > 1).all()
    np.testing.assert_array_equal(marked(lines["fold, $a_{h}$"]), [diagram["gain_r"], diagram["fold:gain.h"]])
    assert ax.figure.axes[1].get_ylabel() == "mean-field fixed points"
    # most of a column is the picture's
    assert ax.get_position().width > 0.68


def test_diagrams_of_earlier_files(diagram):
    """Their dimensions are called like the paths, and do not say what they are."""
    old = diagram.rename({"gain_r": "gain.r", "gain_h": "gain.h"})
    for name in ("gain.r", "gain.h"):
        old[name].attrs = {"units": "1"}
    ax = drawn(plotting.plot_phase_diagram(old))
    assert (ax.get_xlabel(), ax.get_ylabel(), len(ax.get_lines())) == ("$a_{r}$", "$a_{h}$", 2)


def test_lines(diagram):
    assert not plotting.plot_phase_diagram(diagram, lines=()).get_lines()
    finer = gt.phase_diagram(GRU, {"gain.r": np.linspace(0, 14, 4)}, ("onset:gain.h",))
    for lines in (finer, [finer], [finer["onset:gain.h"]], finer["onset:gain.h"]):
        (line,) = plotting.plot_phase_diagram(diagram, lines=lines, ax=own_axes()).get_lines()
        np.testing.assert_array_equal(marked(line), [finer["gain_r"], finer["onset:gain.h"]])
    (line,) = plotting.plot_phase_diagram(diagram, lines="fold:gain.h", ax=own_axes()).get_lines()
    assert line.get_label() == "fold, $a_{h}$"
    # a value of the first axis along the second is drawn upright
    upright = gt.phase_diagram(GRU, {"gain.h": [1.9, 2.2]}, ("onset:gain.r",))["onset:gain.r"]
    (line,) = plotting.plot_phase_diagram(diagram, lines=[upright], ax=own_axes()).get_lines()
    np.testing.assert_array_equal(line.get_ydata(), [1.9, 2.2])


def test_tricritical_point_is_marked(diagram):
    name, other = "tricritical:gain.r,gain.h", "tricritical_onset:gain.r,gain.h"
    computed = gt.phase_diagram(GRU, {"gain.r": [0.0], "gain.h": [2.0]}, (name,))
    with_point = diagram.assign({name: computed[name].copy(data=2.8), other: computed[other].copy(data=2.0)})
    lines = {line.get_label(): line for line in drawn(plotting.plot_phase_diagram(with_point)).get_lines()}
    assert (lines["tricritical point"].get_xdata(), lines["tricritical point"].get_ydata()) == ([2.8], [2.0])


def test_lines_of_each_kind_look_different(diagram):
    """Four kinds of critical lines, one of them with errors, one with a value that is missing."""
    a_r = [0.0, 4.0, 8.0, 14.0]
    names = ("onset:gain.h", "fold:gain.h", "chaos:gain.h", "complexity_onset:gain.h")
    lines = gt.phase_diagram(GRU, {"gain.r": a_r}, names[:2]).assign({n: ("gain_r", np.linspace(1.9, 1.5, 4)) for n in names[2:]})
    for name in names[2:]:
        lines[name].attrs = {"path": "gain.h", "symbol": "$a_{h}$"}
    lines["chaos:gain.h"].attrs["error_variable"] = "error"
    lines["error"] = ("gain_r", np.array([0.4, 0.1, 0.1, 0.1]))
    lines["fold:gain.h"][1] = lines["chaos:gain.h"][3] = np.nan
    lines["fold_status:gain.h"][1] = lines["fold_status:gain.h"].attrs["flag_meanings"].split().index("not_converged")
    ax = drawn(plotting.plot_phase_diagram(diagram, lines=lines))
    found = {line.get_label(): line for line in ax.get_lines()}
    assert len({line.get_color() for line in found.values()}) == 4
    # what is missing is said, with the reason where it is known
    assert set(found) == {
        "onset, $a_{h}$",
        "fold, $a_{h}$\n(failed at 1 of 4)",
        "chaos, $a_{h}$\n(1 missing of 4)",
        "complexity onset, $a_{h}$",
    }
    band = [c for c in ax.collections[1:] if c.get_alpha()]
    assert len(band) == 1, "the error of chaos"
    low, high = band[0].get_datalim(ax.transData).intervaly
    assert low < 1.9 - 0.39 and high == pytest.approx(1.9 + 0.4)


def test_smooth_curves():
    place = np.array([0.0, 1.0, 2.0, 4.0, 5.0, 6.0, 7.0])
    value = np.array([0.0, 0.0, 1.0, 4.0, np.nan, 2.0, np.nan])
    x, y, marks = smooth(place, value)
    known = np.isfinite(value)
    np.testing.assert_array_equal([x[marks], y[marks]], [place[known], value[known]])
    assert np.nanmin(y) == 0.0 and np.nanmax(y) == 4.0, "nothing is overshot"
    assert np.isnan(y).sum() == 2 and (np.diff(y[: marks[3] + 1]) >= 0).all()
    # of a smooth function the curve is closer than chords are
    t = np.linspace(0.0, 3.0, 7)
    x, y, _ = smooth(t, np.exp(-t))
    assert np.abs(y - np.exp(-x)).max() < 0.3 * np.abs(np.interp(x, t, np.exp(-t)) - np.exp(-x)).max()
    for place, value in (([0, 1], [0, 1]), ([0, 2, 1], [0, 1, 2]), (np.arange(100), np.arange(100))):
        x, y, marks = smooth(place, value)
        assert not marks and np.array_equal(x, place) and np.array_equal(y, value)


def test_solutions(diagram):
    last = plotting.plot_phase_diagram(diagram, "moment_h").collections[0].get_array()
    first = plotting.plot_phase_diagram(diagram, "moment_h", solution=0, ax=own_axes()).collections[0].get_array()
    assert not first.any(), "the zero state"
    values = diagram["moment_h"].values
    np.testing.assert_array_equal(last, np.nanmax(values, axis=-1).T)
    third = plotting.plot_phase_diagram(diagram, "moment_h", solution=2, ax=own_axes()).collections[0].get_array()
    np.testing.assert_array_equal(np.ma.getmaskarray(third), np.isnan(values[..., 2]).T)
    ax = drawn(plotting.plot_phase_diagram(diagram, "moment_r_h", ax=own_axes()))
    assert ax.figure.axes[1].get_ylabel() == r"$E\,(r h)^2$"


@pytest.mark.parametrize(
    "quantity, label",
    [
        ("abscissa", r"spectral abscissa $\max\,\mathrm{Re}\,\lambda$"),
        ("radius", r"spectral radius $\max\,|\lambda|$"),
        ("slow_fraction", "fraction slower than 50 steps"),
        ("stable", "stable"),
        ("status", "status"),
    ],
)
def test_labels_of_colour_bars(quantity, label):
    asked = ("abscissa", "radius", "slow_fraction", "stable")
    data = gt.phase_diagram(gt.Ensemble(gt.Vanilla), {"gain.h": [0.5, 0.6], "bias_std.h": [0.0, 0.1]}, asked, tau=50.0)
    assert drawn(plotting.plot_phase_diagram(data, quantity)).figure.axes[1].get_ylabel() == label


def test_points_that_failed_stay_blank(diagram):
    damaged = diagram.copy(deep=True)
    damaged["count"][0, 0] = -1
    _, grid, shown = pixels(drawn(plotting.plot_phase_diagram(damaged)), damaged)
    blank = np.ma.getmaskarray(shown)
    assert blank[grid][0, 0] and blank[grid].sum() == 1


def test_selecting_from_three_axes():
    data = gt.phase_diagram(GRU, {"gain.r": [0.0, 4.0], "gain.h": [1.5, 2.5], "bias.r": [0.0, 0.5]}, ("count",))
    with pytest.raises(ValueError, match="two axes.*bias_r.*isel"):
        plotting.plot_phase_diagram(data)
    drawn(plotting.plot_phase_diagram(data.isel(bias_r=1)))


# --- bad arguments


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda s, d: plotting.plot_spectrum(3), TypeError, "spectrum must be a Spectrum, got 3"),
        (lambda s, d: plotting.plot_density(d), TypeError, "spectrum must be a Spectrum"),
        (lambda s, d: plotting.plot_spectrum(s, ["a"]), TypeError, "eigenvalues"),
        (lambda s, d: plotting.plot_spectrum(s, []), TypeError, "eigenvalues"),
        (lambda s, d: plotting.plot_spectrum(s, [np.nan]), ValueError, "eigenvalues must be finite"),
        (lambda s, d: plotting.plot_spectrum(s, ax=3), TypeError, "ax must be a matplotlib Axes, got 3"),
        (lambda s, d: plotting.plot_density(s, decades=0.0), ValueError, "decades"),
        (lambda s, d: plotting.plot_density(s, n=1), ValueError, "n must be at least 2"),
        (lambda s, d: plotting.plot_timescales(s, tau=[1.0]), ValueError, "tau"),
        (lambda s, d: plotting.plot_timescales(s, tau=[-1.0, 2.0]), ValueError, "tau"),
        (lambda s, d: plotting.plot_timescales("s"), TypeError, "eigenvalues"),
        (lambda s, d: plotting.plot_phase_diagram(s), TypeError, "dataset must be an xarray.Dataset"),
        (lambda s, d: plotting.plot_phase_diagram(d, "counts"), ValueError, "quantity must be.*'count'.*got 'counts'"),
        (lambda s, d: plotting.plot_phase_diagram(d, "count", solution=0), ValueError, "solution must be None"),
        (lambda s, d: plotting.plot_phase_diagram(d, "moment_h", solution=7), ValueError, "solution must be one of"),
        (lambda s, d: plotting.plot_phase_diagram(d, "moment_h", solution=True), ValueError, "solution must be one of"),
        (lambda s, d: plotting.plot_phase_diagram(d, lines=["onset"]), ValueError, "lines has the unknown entry 'onset'"),
        (lambda s, d: plotting.plot_phase_diagram(d, lines=["count"]), ValueError, "lines: 'count'"),
        (lambda s, d: plotting.plot_phase_diagram(d, lines=[3]), TypeError, "lines must hold"),
        (lambda s, d: plotting.plot_phase_diagram(d.isel(gain_r=0)), ValueError, "two axes"),
        (lambda s, d: plotting.plot_phase_diagram(xr.Dataset()), ValueError, "quantity must be given"),
        (
            lambda s, d: plotting.plot_phase_diagram(d.drop_vars("count")),
            ValueError,
            "quantity must be given.*moment_h.*no 'count'",
        ),
    ],
)
def test_bad_arguments_are_named(spectrum, diagram, call, error, words):
    with pytest.raises(error, match=words):
        call(spectrum, diagram)
