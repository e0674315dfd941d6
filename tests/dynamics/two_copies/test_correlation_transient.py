"""How two copies of a network meet or part: pairs against sites, results, and the map of networks without memory [T8b]."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gating_theory as gt
from gating_theory.dynamics.two_copies.drives import Drives


def gru(r, h, **more):
    return gt.Ensemble(gt.GRU, gain={"z": 0, "r": r, "h": h}, **more)


@pytest.mark.parametrize("tied", [True, False])
def test_sampled_networks_agree_with_averages_over_pairs(tied):
    """GRU (0, 4, 3), starts of different size: every number by both ways, within the errors that are given."""
    ens = gru(4, 3, input_std={"h": 0.3})
    ask = {"n_steps": 8, "c0": 0.3, "amplitude": (0.25, 0.5), "rho_in": 0.8, "tied": tied, "n_sites": 40_000, "rng": 1}
    exact, sampled = (gt.correlation_transient(ens, **ask, method=m) for m in ("pairs", "sites"))
    assert exact.method == "pairs" and sampled.method == "sites" and exact.ok and sampled.ok
    for name in ("h", "r*h"):
        assert not exact.stderr[name].any() and (sampled.stderr[name] < 0.02).all()
        # 5 errors of 29 networks; numbers at successive times move together
        assert (np.abs(exact.correlation[name] - sampled.correlation[name]) < 5.0 * sampled.stderr[name]).all()
        assert (np.abs(exact.moments[name] - sampled.moments[name]) < 5.0 * sampled.moments_stderr[name]).all()


def test_tied_weights_differ_for_gated_cells():
    """What fresh matrices get wrong: GRU (1, 1, 8) in the sheet, E h^2 = .5424 tied and .2610 untied, c = .09 and .34."""
    ens = gt.Ensemble(gt.GRU, gain={"z": 1, "r": 1, "h": 8}, input_std={"z": 0.5, "r": 0.5, "h": 1})
    runs = (gt.correlation_transient(ens, 45, 0.1, 0.5, 0.9, which, method="sites", rng=2) for which in (True, False))
    tied, untied = runs
    for run, moment, c in [(tied, 0.5424, 0.088), (untied, 0.2610, 0.336)]:
        late = slice(35, 46)  # after 24 steps the tied correlation is still .15
        # errors of one time bound those of their mean; those of the sheet are .001 and .008
        assert abs(run.moments["h"][:, late].mean() - moment) < 4.0 * run.moments_stderr["h"][:, late].max() + 0.002
        assert abs(run.correlation["h"][late].mean() - c) < 3.0 * run.stderr["h"][late].max() + 0.008


@st.composite
def gated(draw):
    """An ensemble in which averages over pairs close given the paths of one gate."""
    cell = draw(st.sampled_from((gt.GRU, gt.GRUResetAfter, gt.LiGRUTanh, gt.MGU, gt.JANET)))
    gains, biases, spreads = st.floats(0.3, 3.0), st.floats(-0.5, 0.5), st.floats(0.0, 0.5)
    drawn = ({name: draw(values) for name in cell.field_names} for values in (gains, biases, spreads, spreads))
    gain, bias, bias_std, input_std = drawn
    parameter = {name: draw(biases) for name in cell.parameter_names}
    return gt.Ensemble(cell, gain=gain, bias=bias, bias_std=bias_std, input_std=input_std, parameter=parameter)


@given(gated(), st.booleans(), st.integers(0, 2**32 - 1))
@settings(max_examples=5)
def test_paths_of_a_gate_against_networks(ens, tied, seed):
    """Any cell with one leak: averages over pairs given sampled paths of its gate, and networks whose units are all sampled."""
    ask = {"n_steps": 6, "c0": 0.3, "amplitude": (0.25, 0.5), "rho_in": 0.6, "tied": tied, "rng": seed}
    gates = gt.correlation_transient(ens, **ask, method="gates", n_sites=2000)
    sites = gt.correlation_transient(ens, **ask, method="sites", n_sites=20_000)
    for name in ens.cell.message_names:
        # numbers at successive times move together; 16 groups of paths and 20 networks: 6 errors
        error = np.hypot(gates.stderr[name], sites.stderr[name])
        assert (np.abs(gates.correlation[name] - sites.correlation[name]) < 6.0 * error + 1e-9).all()
        error = np.hypot(gates.moments_stderr[name], sites.moments_stderr[name])
        assert (np.abs(gates.moments[name] - sites.moments[name]) < 6.0 * error + 1e-9).all()


def test_paths_of_a_gate_against_the_exact_recursion():
    """Where the update gate stands still paths of the reset gate are sampled instead, and their average is known."""
    ens = gru(4, 3, input_std={"h": 0.3})
    exact, gates = (gt.correlation_transient(ens, 8, 0.3, (0.25, 0.5), 0.8, method=m, rng=3) for m in ("pairs", "gates"))
    assert gates.method == "gates" and gates.status.code == "sampled"
    for name in ("h", "r*h"):
        assert (gates.stderr[name] < 0.003).all()
        # 16 groups: 5 errors; those of the first correlations vanish
        assert (np.abs(exact.correlation[name] - gates.correlation[name]) < 5.0 * gates.stderr[name] + 1e-9).all()
        assert (np.abs(exact.moments[name] - gates.moments[name]) < 5.0 * gates.moments_stderr[name] + 1e-9).all()


def test_the_best_way_is_taken():
    """Pairs where they close, gates where one moves the leak, sites of an LSTM; common copies stay common by all of them."""
    ways = {"pairs": gru(2, 3), "gates": gt.Ensemble(gt.GRU, gain=2.0), "sites": gt.Ensemble(gt.LSTM, gain=2.0)}
    for method, ens in ways.items():
        run = gt.correlation_transient(ens, 4, 1.0, 0.2, n_sites=400)
        assert run.method == method and np.abs(run.correlation["h"] - 1.0).max() < 1e-6
    with pytest.raises(gt.CapabilityError, match="one gate"):
        gt.correlation_transient(ways["sites"], 2, method="gates")


def test_common_input_and_a_common_start_stay_common():
    """c = 1 is kept to rounding, by both ways, and c = -1 without inputs and biases."""
    for method in ("pairs", "sites"):
        run = gt.correlation_transient(gru(2, 3, input_std={"h": 0.3}), 5, 1.0, 0.2, method=method, n_sites=1000)
        assert np.abs(run.correlation["h"] - 1.0).max() < 1e-12
        opposite = gt.correlation_transient(gt.Ensemble(gt.Vanilla, gain=2), 5, -1.0, 0.2, method=method, n_sites=1000)
        assert np.abs(opposite.correlation["h"] + 1.0).max() < 1e-12


def test_results_are_kept(tmp_path):
    """Saved, pickled, printed; a damaged one is refused."""
    run = gt.correlation_transient(gru(2, 3), 4, 0.5, 0.2)
    gt.save(run, tmp_path / "run.json")
    for other in (gt.load(tmp_path / "run.json"), pickle.loads(pickle.dumps(run))):
        assert other == run
    assert "two copies in 4 steps" in str(run) and list(run.times) == [0, 1, 2, 3, 4]
    assert run.correlation["h"][0] == pytest.approx(0.5) and run.moments["h"][1, 0] == pytest.approx(0.2)
    fields = {name: getattr(run, name) for name in run.as_dict() if name in type(run).__dataclass_fields__}
    with pytest.raises(ValueError, match="shape"):
        type(run)(**fields | {"n_steps": 7}).check()


def test_a_message_that_dies_out_has_no_correlation():
    """An update that forgets everything: moments are zero and the correlation is nan, said so."""
    run = gt.correlation_transient(gt.Ensemble(gt.Vanilla, gain=0.0), 2, 0.5, 0.2)
    assert np.isnan(run.correlation["h"][1:]).all() and not run.moments["h"][:, 1:].any()


@pytest.mark.parametrize(
    "change, word",
    [
        ({"n_steps": -1}, "n_steps"),
        ({"c0": 1.5}, "c0"),
        ({"amplitude": 0.0}, "amplitude"),
        ({"amplitude": (0.1, -1.0)}, "amplitude"),
        ({"rho_in": 2.0}, "rho_in"),
        ({"method": "paths"}, "method"),
        ({"n_sites": 3}, "n_sites"),
    ],
)
def test_bad_arguments_are_named(change, word):
    """ValueError with the argument's name."""
    with pytest.raises(ValueError, match=word):
        gt.correlation_transient(**{"ensemble": gru(1, 2), "n_steps": 3} | change)


def test_pairs_are_refused_where_they_do_not_close():
    """Asked for by name they are an error; "auto" takes another way, also where only steepness is in the way."""
    steep = gt.Ensemble(gt.Vanilla, gain=1000.0)
    for ens in (gt.Ensemble(gt.GRU), steep):
        with pytest.raises(gt.CapabilityError):
            gt.correlation_transient(ens, 2, method="pairs")
        assert gt.correlation_transient(ens, 2, n_sites=200).method == "gates"
    both = gru(1000, 1000)
    assert gt.correlation_transient(both, 2, n_sites=200).method == "sites"


@pytest.mark.parametrize(
    "ens, rho_in, rate, digits",
    [
        (gt.Ensemble(gt.Vanilla, gain=1.5, input_std=0.3), 0.8, -0.11442, 1e-5),
        (gru(4, 3, input_std={"h": 0.8}), 0.95, -0.0626, 1e-4),
        (gru(4, 3, input_std={"h": 0.3}), 0.8, -0.1328, 1e-3),  # two rates that are near to each other take longer to part
    ],
)
def test_correlations_settle_at_the_rate_of_the_sheet(ens, rho_in, rate, digits):
    """Differences of successive correlations fall as chi^t, log chi being that of the stationary pair."""
    c = gt.correlation_transient(ens, 131, 0.3, 0.3, rho_in).correlation["h"]
    steps = np.log(np.abs(np.diff(c)))
    assert abs((steps[130] - steps[100]) / 30.0 - rate) < digits


# --- the map of networks without memory


@pytest.mark.parametrize("rho_in, c", [(0.5, 0.29345), (0.9, 0.60406), (0.99, 0.72379), (1.0, 0.74265)])
def test_the_map_rests_where_the_sheet_says(rho_in, c):
    """Vanilla 1.5 under white input of .3: c* maps to itself, to the digits that are printed."""
    ens = gt.Ensemble(gt.Vanilla, gain=1.5, input_std=0.3)
    assert abs(gt.correlation_map(ens, c, rho_in) - c) < 1e-5


@given(st.floats(0.5, 2.5), st.floats(0.1, 1.0))
@settings(max_examples=5)
def test_the_slope_at_one_is_chi(gain, sigma):
    """chi = a^2 E tanh'^2 by a plain sum, with h = 1e-5: what the map's curvature adds is smaller than 1e-3."""
    ens = gt.Ensemble(gt.Vanilla, gain=gain, input_std=sigma)
    q = gt.fixed_points(ens)[-1].moments["h"]
    z = np.linspace(-12.0, 12.0, 4001)
    weights = np.exp(-0.5 * z**2)
    chi = gain**2 * weights @ np.cosh(np.sqrt(gain**2 * q + sigma**2) * z) ** -4.0 / weights.sum()
    assert (1.0 - gt.correlation_map(ens, 1.0 - 1e-5)) / 1e-5 == pytest.approx(chi, rel=1e-3)


def test_cells_that_remember_have_no_map():
    """The error says why, and what to use, also where the leak is constant; an amplitude must be given where nothing moves."""
    for ens in (gt.Ensemble(gt.GRU), gru(1, 2), gt.Ensemble(gt.LSTM)):
        with pytest.raises(gt.CapabilityError, match="remembers.*correlation_transient"):
            gt.correlation_map(ens, 0.5)
    with pytest.raises(ValueError, match="amplitude"):
        gt.correlation_map(gt.Ensemble(gt.Vanilla, gain=0.5), 0.5)
    with pytest.raises(ValueError, match="c must be"):
        gt.correlation_map(gt.Ensemble(gt.Vanilla), [0.0, 1.5])


# --- what copies are fed with


def covariance_of(drives, k):
    """(R, T, R, T) covariance of inputs to a variable between all copies and steps, by loops over their definition."""
    R, T = drives.n_copies, drives.n_steps
    out = np.zeros((R, T, R, T))
    for a, t, b, u in np.ndindex(out.shape):
        if t == u or not drives.fresh:
            out[a, t, b, u] = drives.std[k] ** 2 * sum(drives.rows[a, t] * drives.rows[b, u])
    return out


@pytest.mark.parametrize("white", [True, False])
def test_drives_are_what_their_samples_are(white):
    """Covariances of a hundred thousand sites, of white and of given inputs; rows are parts of the whole."""
    ens = gt.Ensemble(gt.GRU, input_std={"h": 0.3, "r": 0.2} if white else 0.0)
    sequences = np.random.default_rng(1).standard_normal((2, 3, 2))
    drives = Drives.white_pair(ens, 3, 0.8) if white else Drives.given_sequences(ens, sequences, {"h": 0.4})
    if white:
        expected = 0.04 * np.einsum("ab,tu->atbu", [[1.0, 0.8], [0.8, 1.0]], np.eye(3))
        assert np.allclose(covariance_of(drives, 1), expected, atol=1e-15)
    sampled = np.array(list(drives.inputs(100_000, np.random.default_rng(0))))
    for k in range(3):
        covariance = covariance_of(drives, k)
        found = np.einsum("tan,ubn->atbu", sampled[:, k], sampled[:, k]) / 100_000
        # six standard errors of numbers with these variances
        assert np.abs(found - covariance).max() <= 6.0 * covariance.max() * np.sqrt(2.0 / 100_000)
        for now in range(3):
            assert np.allclose(drives.row(k, now), covariance[:, now, :, : now + 1].transpose(0, 2, 1), atol=1e-15)


def test_inputs_of_site_parameters():
    """PyTorch's GRU reads the candidate's input outside the reset product: white, and the kernel of two sequences of the sheet."""
    weights = 1.0 / np.sqrt(3.0)
    ens = gt.Ensemble(gt.GRUResetAfter, gain=weights, input_std={"z": weights}, parameter_input_std=weights)
    drives = Drives.white_pair(ens, 2, 0.5)
    assert drives.n_variables == 4 and covariance_of(drives, 3)[0, 1, 1, 1] == pytest.approx(0.5 / 3.0)
    sampled = np.array(list(drives.inputs(20_000, np.random.default_rng(0))))[:, 3]
    # six standard errors
    assert abs((sampled[1, 0] * sampled[1, 1]).mean() - 0.5 / 3.0) < 6.0 * 0.4 / np.sqrt(20_000)
    t = np.arange(12.0)
    first = np.column_stack([np.sin(0.7 * t), np.cos(0.4 * t), t % 3 == 0])
    second = np.column_stack([np.sin(0.7 * t + 0.5), np.cos(0.3 * t), t % 4 == 0])
    silent, read = gt.Ensemble(gt.GRUResetAfter, gain=weights), {"z": weights, "r": weights, "b_in": weights}
    kernel = gt.nngp_kernel(silent, np.stack([first, second]), input_gain=read, n_sites=20_000, rng=0)
    found, error = [table[[0, 1, 0], [0, 1, 1]] for table in (kernel.K, kernel.stderr)]
    # five errors, and those of the sheet
    assert (np.abs(found - [0.06226, 0.1102, 0.0797]) < 5.0 * error + [0.00028, 0.001, 0.0006]).all()
    with pytest.raises(gt.CapabilityError, match="leak"):
        gt.nngp_kernel(silent.replace({"gain.z": 0.0}), np.zeros((1, 2, 1)), input_gain={"b_in": 0.5}, method="pairs")


def test_drives_refuse_what_makes_no_sense():
    """Shapes, unknown fields, white input besides."""
    ens = gt.Ensemble(gt.GRU)
    with pytest.raises(ValueError, match="x must"):
        Drives.given_sequences(ens, np.zeros((2, 3)), 0.5)
    with pytest.raises(ValueError, match="input_gain"):
        Drives.given_sequences(ens, np.zeros((2, 3, 1)), {"q": 0.5})
    with pytest.raises(ValueError, match="must be 0 where sequences are given"):
        Drives.given_sequences(ens.replace({"input_std.h": 0.1}), np.zeros((2, 3, 1)), 0.5)
    with pytest.raises(ValueError, match="input_std"):
        Drives.given_sequences(ens.replace({"input_std.h": 0.5}), np.zeros((2, 3, 1)), 0.5)
