"""The annealed complexity: reference values, exact laws, identities between cells, independent methods."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import changed

import gating_theory as gt

# theory sheet [T7] and its derivation: vanilla (gain, mean field, annealed); GRU (a_h, a_r, b_r, mean field, annealed)
VANILLA = [
    (1.25, 0.0004601019, 0.0015235511),
    (1.5, 0.0027952108, 0.0071425695),
    (2.0, 0.0106830885, 0.0248251145),
    (3.0, 0.0251964444, 0.0613788768),
    (10.0, 0.0441697568, 0.1680113536),
]
GRU = [
    (4.0, 0.0, 0.0, 0.0106830885, 0.0248251145),
    (4.0, 4.0, 0.0, 0.0411360485, 0.0897812617),
    (2.5, 4.0, 0.0, 0.0197302925, 0.0331303077),
    (2.0, 4.0, 0.0, 0.0057390648, 0.0065866822),
    (1.93, 4.0, 0.0, None, 0.0025588316),
    (4.0, 8.0, 0.0, 0.0618078487, 0.1363265863),
    (2.5, 8.0, 0.0, 0.0395480406, 0.0692994209),
    (1.8, 8.0, 0.0, None, 0.0147675859),
    (4.0, 20.0, 0.0, 0.0797178519, 0.1972424739),
    (4.0, 4.0, -1.0, 0.0390434785, 0.0725757493),
    (3.0, 4.0, -1.0, 0.0229493023, 0.0307241108),
    (4.0, 4.0, 1.0, 0.0409440071, 0.0956970011),
]


def gru(a_h, a_r, b_r=0.0, **more):
    return gt.Ensemble(gt.GRU, gain={"h": a_h, "r": a_r}, bias={"r": b_r}, **more)


def vanilla(g, **more):
    return gt.Ensemble(gt.Vanilla, gain=g, **more)


# --- reference values


@pytest.mark.parametrize("g, mean_field, annealed", VANILLA)
def test_vanilla_table(g, mean_field, annealed):
    result = gt.complexity(vanilla(g))
    assert result.status.code == "converged" and result.residual < 1e-10 and result.error < 1e-11
    # ten digits are printed in the sheet
    assert abs(result.value - annealed) < 1e-9
    assert abs(gt.complexity(vanilla(g), method="mean_field").value - mean_field) < 1e-9


@pytest.mark.parametrize("a_h, a_r, b_r, mean_field, annealed", GRU)
def test_gru_table(a_h, a_r, b_r, mean_field, annealed):
    result = gt.complexity(gru(a_h, a_r, b_r))
    assert result.status.code == "converged" and result.residual < 1e-9
    assert abs(result.value - annealed) < 1e-9
    bound = gt.complexity(gru(a_h, a_r, b_r), method="mean_field")
    if mean_field is None:
        assert bound.value == 0.0 and bound.status.code == "no_saddle"
    else:
        assert abs(bound.value - mean_field) < 1e-9


def test_saddle_coordinates_of_the_gru():
    result = gt.complexity(gru(4.0, 4.0))
    # C, D, lambda_C, lambda_D, q_h, q_r of the sheet; eight decimals are printed there
    assert np.allclose([result.moments["r*h"], result.moments["h"]], [0.12094340, 0.40164188], atol=2e-8, rtol=0)
    assert np.allclose([result.multipliers["r*h"], result.multipliers["h"]], [-1.2046928, -0.0679358], atol=2e-7, rtol=0)
    assert np.allclose([result.determinant["x"]["r*h"], result.determinant["x"]["h"]], [0.40991259, 0.11622453], atol=2e-8, rtol=0)
    # the sheet's tau is a factor, ours its logarithm
    assert abs(np.exp(abs(result.determinant["tau"][0])) - 5.529757) < 2e-5


def test_both_mean_field_branches_are_seen():
    result = gt.complexity(gru(3.0, 4.0, -1.0), method="mean_field")
    assert [round(s.value, 9) for s in result.saddles] == [0.022949302, 0.006823255]


# --- exact laws at small amplitude, where Newton from the mean field stalls on a false saddle


@pytest.mark.parametrize("eps", [1e-2, 2e-3, 5e-4])
def test_vanilla_near_onset(eps):
    result = gt.complexity(vanilla(1.0 + eps))
    # corrections are of relative order 3.7 eps (annealed: .18420, .19064 at .02, .01) and 6.6 eps (mean field)
    assert abs(result.value / (16 / 81 * eps**3) - 1.0) < 4.5 * eps
    assert abs(result.moments["h"] / (2 / 3 * eps) - 1.0) < 4.0 * eps
    assert abs(gt.complexity(vanilla(1.0 + eps), "mean_field").value / (4 / 9 * eps**4) - 1.0) < 10.0 * eps


@pytest.mark.parametrize("b_r, a_r", [(0.0, 1.0), (0.0, 1.5), (-1.0, 0.8), (1.0, 2.0)])
def test_gru_near_onset(b_r, a_r):
    s, eps = 1.0 / (1.0 + np.exp(-b_r)), 3e-4
    k, eta = a_r**2 * (1 - s) * (2 - 3 * s), a_r**2 * (1 - s) ** 2
    ensemble = gru((1.0 + eps) / s, a_r, b_r)
    # the sheet finds ratios within 2e-3 of 1 at this distance for these points
    assert abs(gt.complexity(ensemble).value / (eta / (4 - 2 * k - eta) * eps**2) - 1.0) < 5e-3
    assert abs(gt.complexity(ensemble, "mean_field").value / ((eta / (2 - k)) ** 2 * eps**2) - 1.0) < 5e-3


def test_large_gain_limit_of_the_vanilla_network():
    assert abs(gt.complexity(vanilla(1000.0)).value - 0.262046) < 1e-6
    assert gt.complexity(vanilla(1000.0)).value < 0.26423932514


# --- identities


def test_cells_that_are_the_same_at_their_fixed_points():
    reference = gt.complexity(vanilla(2.0)).value
    assert abs(gt.complexity(gru(4.0, 0.0)).value - reference) < 1e-12
    assert abs(gt.complexity(gt.Ensemble(gt.LiGRUTanh, gain={"h": 2.0, "z": 7.0})).value - reference) < 1e-12
    assert abs(gt.complexity(gt.Ensemble(gt.JANET, gain={"g": 2.0, "f": 3.0})).value - reference) < 1e-12
    assert abs(gt.complexity(gt.Ensemble(gt.GRUResetAfter, gain={"h": 4.0, "r": 0.0})).value - reference) < 1e-12
    # the minimal gated unit is a GRU whose reset gate is its update gate
    assert abs(gt.complexity(gt.Ensemble(gt.MGU, gain=4.0)).value - gt.complexity(gru(4.0, 4.0)).value) < 1e-12


@pytest.mark.parametrize("method", ["annealed", "mean_field"])
@pytest.mark.parametrize("eps", [1e-2, 1e-3])
def test_errors_near_an_onset_are_relative(eps, method):
    """Four networks that are one and the same at their fixed points: rates as small as 4e-13 agree within their errors."""
    gain = 1.0 + eps
    same = [vanilla(gain), gru(2.0 * gain, 0.0)]
    same += [gt.Ensemble(gt.LiGRUTanh, gain={"h": gain, "z": 7.0}), gt.Ensemble(gt.JANET, gain={"g": gain, "f": 3.0})]
    results = [gt.complexity(e, method) for e in same]
    for one in results:
        # next to an onset moments are known to a few times 1e-13 / eps, and the rate goes with their fourth power
        assert one.error < 1e-5 * one.value
        # an error is an estimate, and the moments' own is measured to a factor
        assert abs(one.value - results[0].value) < 3.0 * (one.error + results[0].error)


def test_speed_gates_and_their_biases_drop_out():
    bare = gt.complexity(gru(3.0, 4.0))
    dressed = gt.complexity(gt.Ensemble(gt.GRU, gain={"z": 6, "h": 3, "r": 4}, bias={"z": 2.0}, bias_std={"z": 1.0}))
    assert bare.value == dressed.value


def test_a_cell_without_closed_form_is_the_one_with_it():
    cell = gt.Vanilla
    bare = gt.Cell(name="bare", state=cell.state, fields=cell.fields, messages=cell.messages, update=cell.update)
    assert abs(gt.complexity(gt.Ensemble(bare, gain=2.0)).value - gt.complexity(vanilla(2.0)).value) < 1e-11


def test_frozen_input_is_a_spread_of_biases():
    a, b = gt.complexity(vanilla(2.0, bias_std=0.3)), gt.complexity(vanilla(2.0, input_std=0.3))
    assert a.value == b.value < gt.complexity(vanilla(2.0)).value


def test_spread_of_biases_against_one_dimensional_quadrature():
    """The printed functional for a biased vanilla network, by Gauss-Legendre on a wide interval: an independent evaluation."""
    ensemble = gt.Ensemble(gt.Vanilla, gain=2.0, bias=0.2, bias_std=0.4)
    result = gt.complexity(ensemble)
    q, mu, s = result.moments["h"], result.multipliers["h"], result.determinant["x"]["h"]
    x, w = np.polynomial.legendre.leggauss(400)
    y, w = 14.0 * x, 14.0 * w

    def functional(q, mu, s):
        v = 4.0 * q + 0.16
        density = np.exp(-((y - 0.2) ** 2) / (2 * v)) / np.sqrt(2 * np.pi * v)
        return -s / 2 - mu * q + np.log(w @ (density * np.exp(mu * np.tanh(y) ** 2) * np.sqrt(1 + 4.0 * s / np.cosh(y) ** 4)))

    assert abs(functional(q, mu, s) - result.value) < 1e-11
    h = 1e-5
    for step in np.eye(3) * h:  # stationary
        assert abs(functional(*([q, mu, s] + step)) - functional(*([q, mu, s] - step))) / (2 * h) < 1e-8


@settings(max_examples=8)
@given(st.floats(1.3, 4.0), st.floats(0.0, 6.0), st.floats(-1.0, 1.0), st.floats(0.0, 0.4))
def test_annealed_bounds_the_mean_field(a, a_r, b_r, spread):
    """The mean-field value is the functional at one particular law, and the saddle is its maximum over laws."""
    ensemble = gru(a * (1.0 + np.exp(-b_r)), a_r, b_r, bias_std={"h": spread})
    annealed, mean_field = gt.complexity(ensemble), gt.complexity(ensemble, "mean_field")
    assert annealed.value >= mean_field.value - 1e-12
    if annealed.value > 0:
        best = annealed.saddles[0]
        assert best.maximum and best.residual < 1e-7 and min(*best.point.x, *best.point.q) > 0
        # a typical fixed point buys its determinant with amplitude: the sheet's reading of the gap
        assert annealed.sites_at(1e-4).moments()["h"] == pytest.approx(annealed.moments["h"], rel=3e-2)


def test_determinant_term_against_the_spectrum():
    """log|det| at the mean-field fixed point is the spectrum's potential at 1, computed by another solver from other sites."""
    ensemble = gru(3.0, 4.0, -0.5).replace({"gain.z": 0.0})
    leak = np.log(0.5)  # E log(1 - z) with an update gate of gain 0
    spectrum = gt.Spectrum(gt.fixed_points(ensemble)[-1], tol=1e-9)
    assert abs(spectrum.potential(1.0) - leak - gt.complexity(ensemble, "mean_field").value) < 1e-7


# --- LSTM: a four-dimensional site integral


def test_lstm_is_a_coupled_one_where_its_gates_stand_still():
    """With f and i frozen at 1/2, c = i g/(1 - f) = g: what the coupled LSTM has."""
    frozen = gt.Ensemble(gt.LSTM, gain={"f": 0, "i": 0, "g": 4, "o": 2})
    coupled = gt.Ensemble(gt.CoupledLSTM, gain={"f": 3, "g": 4, "o": 2})
    assert abs(gt.complexity(frozen).value - gt.complexity(coupled).value) < 1e-11


def _lstm_functional(gains, result, n=24, panels=40):
    """The printed functional at a result's coordinates: Gauss-Hermite in f, i and o, Gauss-Legendre on a geometric mesh in g."""
    from scipy.special import expit, roots_hermitenorm

    q, mu, s = result.moments["h"], result.multipliers["h"], result.determinant["x"]["h"]
    x, w = roots_hermitenorm(n)
    w = w / w.sum()
    std = np.sqrt(q) * np.array(gains)
    edges = np.concatenate([[0.0], np.geomspace(1e-7, 10.0, panels)])
    nodes, weights = np.polynomial.legendre.leggauss(10)
    u = (0.5 * (edges[1:] + edges[:-1])[:, None] + 0.5 * np.diff(edges)[:, None] * nodes).ravel()
    weights = (np.diff(edges)[:, None] * weights).ravel() * np.exp(-(u**2) / 2) / np.sqrt(2 * np.pi)
    a_f, a_i, a_g, a_o = gains
    f, leak, i, o = expit(std[0] * x), expit(-std[0] * x), expit(std[1] * x)[:, None], expit(std[3] * x)[:, None, None]
    law, total = w * w[:, None] * w[:, None, None], 0.0
    for y, weight in zip(std[2] * u, weights):
        g, dg = np.tanh(y), 1 / np.cosh(y) ** 2
        c = i * g / leak
        t, dt = np.tanh(c), 1 / np.cosh(np.minimum(c, 300)) ** 2
        v = (a_f * o * dt * c * f) ** 2 + (a_i * o * dt * c * (1 - i)) ** 2 + (a_g * o * dt * i * dg / leak) ** 2
        v = v + (a_o * o * (1 - o) * t) ** 2
        total += weight * np.sum(law * np.exp(mu * (o * t) ** 2) * np.sqrt(1 + s * v))
    return np.log(total) - mu * q - s / 2


@pytest.mark.parametrize("gains, rate", [((1, 1, 6, 1), 0.0621501), ((2, 4, 5, 4), 0.0794678), ((1, 2, 8, 2), 0.0947088)])
def test_lstm_error_is_what_it_says(gains, rate):
    """An independent quadrature at the saddle; its 24 nodes are good to 1e-12, but for gains of 4 to 3e-8."""
    result = gt.complexity(gt.Ensemble(gt.LSTM, gain=dict(zip("figo", gains))))
    assert result.status.code == "converged" and result.error < 5e-8 and abs(result.value - rate) < 1.5e-7
    bound = gt.complexity(result.ensemble, "mean_field").value
    assert 0 < bound < result.value
    assert abs(_lstm_functional(gains, result) - result.value) < result.error + (4e-8 if 4 in gains else 1e-10)


# --- status, never a silent zero


@pytest.mark.parametrize(
    "ensemble",
    [
        gru(7.34, 14.92, bias_std={"r": 0.34, "h": 0.36}),
        gt.Ensemble(gt.GRUResetAfter, gain={"r": 6.94, "h": 6.33}, bias_std={"r": 0.46, "h": 0.48}),
        vanilla(1.41, bias_std=0.3),  # the maximum is next to where the determinant vanishes
    ],
    ids=["GRU", "GRUResetAfter", "Vanilla"],
)
def test_biased_ensembles_have_their_saddle(ensemble):
    """Without symmetry the scan needs more nodes: these had 'no saddle' though the mean-field bound is positive."""
    result, bound = gt.complexity(ensemble), gt.complexity(ensemble, "mean_field")
    assert result.status.code == "converged" and result.value > bound.value > 0


def test_what_cannot_be_resolved_is_undecided():
    """(16/81) eps^3 is 2e-16 at eps = 1e-5: positive, but rounding."""
    result = gt.complexity(vanilla(1.0 + 1e-5))
    assert result.status.code == "undecided" and 0.0 <= result.value < 1e-14
    assert gt.complexity(vanilla(1.0)).status.code == "no_saddle"
    assert gt.complexity(vanilla(1.0 + 1e-4)).status.code == "converged"
    biased = gt.complexity(vanilla(1.2, bias_std=0.3))
    assert biased.value == 0.0 and "mean-field fixed point" in str(biased.status)


def test_gains_near_zero_are_none():
    assert gt.complexity(gru(4.0, 1e-150)).value == gt.complexity(gru(4.0, 0.0)).value
    # the rate is even in a_r: 0.0114 a_r^2 at a_r = 0.01
    assert abs(gt.complexity(gru(4.0, 1e-6)).value - gt.complexity(gru(4.0, 0.0)).value) < 1e-13


def test_statuses():
    none = gt.complexity(gru(1.8, 4.0))
    assert none.value == 0.0 and none.status.code == "no_saddle" and np.isnan(none.rate) and not none.saddles
    negative = gt.complexity(gru(1.88, 4.0))
    assert negative.value == 0.0 and negative.status.code == "not_positive" and -0.01 < negative.rate < 0
    unbounded = gt.complexity(gt.Ensemble(gt.LiGRU, gain=2.0))
    assert np.isnan(unbounded.value) and unbounded.status.code == "unbounded"
    silent = gt.complexity(gt.Ensemble(gt.GRU, gain={"h": 0.0}))
    assert silent.value == 0.0 and "unique" in str(silent.status)
    with pytest.raises(ValueError, match="no typical fixed point"):
        none.sites_at(1e-3)


def test_bad_arguments():
    with pytest.raises(TypeError, match="ensemble must be an Ensemble"):
        gt.complexity(gt.GRU)
    with pytest.raises(ValueError, match="method must be"):
        gt.complexity(vanilla(2.0), method="quenched")
    with pytest.raises(ValueError, match="tol must lie in"):
        gt.complexity(vanilla(2.0), tol=0.0)
    with pytest.raises(TypeError, match="ensemble must be an Ensemble"):
        gt.complexity_onset(gt.GRU, "gain.h")
    with pytest.raises(ValueError, match="no hyperparameter"):
        gt.complexity_onset(vanilla(2.0), "gain.x")
    with pytest.raises(gt.CapabilityError, match="grow without bound"):
        gt.complexity_onset(gt.Ensemble(gt.LiGRU), "gain.h")
    with pytest.raises(ValueError, match="bounds must be increasing"):
        gt.complexity_onset(vanilla(2.0), "gain.h", (3.0, 1.0))


# --- what uses it


def test_typical_fixed_point_feeds_the_spectrum():
    result = gt.complexity(gru(3.0, 4.0, bias_std={"z": 0.0}))
    sites = result.sites_at(1e-3, 5000)
    assert sites.source == "typical fixed point" and sites.recurrent.shape == sites.fields.shape
    spectrum = gt.Spectrum.from_sites(sites)
    # at a typical fixed point 1 is inside: it is unstable
    assert spectrum.edge_function(1.0) > 1.0
    assert isinstance(spectrum.outliers(), np.ndarray)


@pytest.mark.slow
def test_eigenvalues_at_all_fixed_points_of_networks():
    """As many lie outside the unit circle as the tilted law says; the mean-field fixed point has less than half of them there."""
    ensemble = gt.Ensemble(gt.Vanilla, gain=2.0)
    counts = gt.count_fixed_points(ensemble, 30, 40, rng=0, points=True)
    sums, number = np.zeros(40), np.zeros(40)
    for i, states in enumerate(counts.points):
        for state in states[np.abs(states).max(axis=(1, 2)) > 1e-9]:  # the zero state is not one of them
            sums[i] += np.mean(np.abs(np.linalg.eigvals(counts.network(i).jacobian(state))) > 1.0)
            number[i] += 1
    mean = sums.sum() / number.sum()
    error = np.sqrt(np.sum((sums - mean * number) ** 2)) / number.sum()  # of a ratio of sums over independent networks
    typical = 1.0 - gt.Spectrum(gt.complexity(ensemble)).mass(0.0, 1.0)
    mean_field = 1.0 - gt.Spectrum(gt.fixed_points(ensemble)[-1]).mass(0.0, 1.0)
    # N = 30 itself counts for 1.5 errors: the exact Kac-Rice integral has E m^2 = .359 there, .385 in the limit
    assert abs(mean - typical) < 4.0 * error and error < 0.02
    assert mean_field < 0.5 * typical and mean - mean_field > 10.0 * error


def test_saved_and_loaded(tmp_path):
    for ensemble, method in ((gru(3.0, 4.0), "annealed"), (gru(3.0, 4.0), "mean_field"), (vanilla(0.5), "annealed")):
        result = gt.complexity(ensemble, method)
        again = gt.load(gt.save(result, tmp_path / "result.json"))
        assert again.value == result.value and again.status == result.status and again.ensemble == ensemble
        if result.saddles:
            assert np.allclose(again.saddles[0].point.q, result.saddles[0].point.q)
    text = (tmp_path / "result.json").read_text()
    assert "NaN" not in text
    spoilt = gt.save(gt.complexity(vanilla(2.0)), tmp_path / "spoilt.json")
    changed(spoilt, lambda record: record["result"]["ensemble"]["gain"].update(h=2.5))
    with pytest.raises(ValueError, match="saved saddle"):
        gt.load(spoilt)


def test_phase_diagram_and_picture():
    ds = gt.phase_diagram(gt.Ensemble(gt.Vanilla), {"gain.h": [0.9, 2.0], "bias_std.h": [0.0, 0.3]}, ["complexity"])
    assert abs(float(ds["complexity"].sel(gain_h=2.0, bias_std_h=0.0)) - 0.0248251145) < 1e-9
    assert float(ds["complexity"][0, 0]) == 0.0 and np.isnan(float(ds["complexity_rate"][0, 0]))
    lines = gt.phase_diagram(gt.Ensemble(gt.Vanilla), {"bias_std.h": [0.0]}, ["complexity_onset:gain.h"])
    assert abs(float(lines["complexity_onset:gain.h"][0]) - 1.0) < 1e-12
    ax = gt.plotting.plot_complexity(ds, counts={0.3: ([2.0], [0.02], [0.01])})
    assert len(ax.get_lines()) >= 3 and ax.get_xlabel() == "$a_{h}$"
    with pytest.raises(ValueError, match="unknown value"):
        gt.plotting.plot_complexity(ds, counts={0.5: ([2.0], [0.02], [0.01])})
    import matplotlib.pyplot as plt

    plt.close("all")
    assert ds["complexity_status"].attrs["flag_meanings"].split()[:3] == ["converged", "not_positive", "no_saddle"]
    assert ds["complexity_status"][:, 0].values.tolist() == [2, 0] and (ds["status"] == 0).all()


def test_status_reaches_the_phase_diagram():
    # (16/81) eps^3 = 2e-16 is less than its error, and that is no failure: it is zero within 1e-10
    ds = gt.phase_diagram(gt.Ensemble(gt.Vanilla), {"gain.h": [1.0 + 1e-5, 2.0]}, ["complexity"])
    assert ds["complexity_status"].values.tolist() == [3, 0] and ds["status"].values.tolist() == [0, 0]
    assert abs(ds["complexity"].values[0]) < 1e-10
    with pytest.warns(RuntimeWarning, match="grow without bound"):
        ds = gt.phase_diagram(gt.Ensemble(gt.LiGRU), {"gain.h": [2.0]}, ["complexity"])
    assert np.isnan(ds["complexity"].values[0]) and ds["complexity_status"].values[0] == 6 and ds["status"].values[0] == 5
