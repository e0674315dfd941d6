"""Exact moments between copies at all pairs of times: published values, identities, quadrature, networks [T8b]."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import gating_theory as gt
from gating_theory.dynamics.two_copies.drives import Drives
from gating_theory.dynamics.two_copies.pair_averages import PairAverage
from gating_theory.dynamics.two_copies.pair_recursion import pair_moments, pair_rows

x, y_r, y_h = sp.symbols("x y_r y_h", real=True)
#: A state that is linear in its fields, and messages that are not: Gaussian, with a mean that moves where there are biases.
FILTERED = gt.Cell(
    name="filtered",
    state=[x],
    fields=[y_r, y_h],
    messages=[sp.tanh(x), sp.tanh(x) * gt.sigma(y_r)],
    update=[x / 2 + y_h / 2],
)
LEAKY = gt.Vanilla.euler(0.3)
#: Cells whose averages over pairs close where nothing moves their leak; and the fields that must not, if there are any.
CLOSING = (gt.Vanilla, gt.GRU, gt.GRUResetAfter, gt.LiGRUTanh, gt.JANET, FILTERED, LEAKY)
STILL = ("z", "f")

t = np.arange(12.0)
#: Two sequences of three dimensions [T8b, section 8].
SEQUENCES = np.stack(
    [
        np.column_stack([np.sin(0.7 * t), np.cos(0.4 * t), t % 3 == 0]),
        np.column_stack([np.sin(0.7 * t + 0.5), np.cos(0.3 * t), t % 4 == 0]),
    ]
)


def gru(r, h, **more):
    return gt.Ensemble(gt.GRU, gain={"z": 0, "r": r, "h": h}, **more)


@pytest.mark.parametrize(
    "ens, expected",
    [
        (gt.Ensemble(gt.Vanilla, gain=1.5, input_std=0.3), [0.10516, 0.17246, 0.29288, 0.39601, 0.47116]),
        (gru(4, 3, input_std={"h": 0.3}), [0.04611, 0.08679, 0.12573, 0.10786, 0.07126]),
    ],
)
def test_transients_of_the_sheet(ens, expected):
    """Correlations after 1, 2, 5, 10, 19 steps as a prototype printed them that shares no code with this."""
    C = pair_moments(ens, Drives.white_pair(ens, 20, 0.8), np.diag([0.25, 0.25])).equal_time()
    c = C[:, 0, 1] / C[:, 0, 0]
    assert np.abs(c[[1, 2, 5, 10, 19]] - expected).max() < 6e-6


@pytest.mark.parametrize(
    "ens, input_gain, expected",
    [
        (gt.Ensemble(gt.Vanilla, gain=1.2), 0.5, (0.2670920, 0.2944451, 0.1985243)),
        (gru(4, 3), {"h": 0.5}, (0.2825031, 0.2969063, 0.2347585)),
    ],
)
def test_kernels_of_the_sheet(ens, input_gain, expected):
    """Seven digits of the kernels of two sequences, tied weights."""
    last = pair_moments(ens, Drives.given_sequences(ens, SEQUENCES, input_gain), np.zeros((2, 2))).state[:, -1, :, -1]
    assert np.abs(np.array([last[0, 0], last[1, 1], last[0, 1]]) - expected).max() < 6e-8


@pytest.mark.parametrize("tied, expected", [(True, (0.2810, 0.3158, 0.2487)), (False, (0.1698, 0.2296, 0.1694))])
def test_kernels_of_a_gru_whose_update_gate_moves(tied, expected):
    """Given sampled paths of the gate, in agreement with the networks of the sheet; positive."""
    ens = gt.Ensemble(gt.GRU, gain={"z": 1, "r": 1, "h": 3})
    kernel = gt.nngp_kernel(ens, SEQUENCES, input_gain=1.0, method="gates", n_sites=8000, tied=tied, rng=0)
    mean, error = (table[[0, 1, 0], [0, 1, 1]] for table in (kernel.K, kernel.stderr))
    assert "16 groups of 500 paths" in str(kernel)
    # errors of the sheet are .0008, .0003 and .0003; of those of fresh weights it says nothing
    assert (error < 6e-4).all() and (np.abs(mean - expected) < 5.0 * error + [0.0016, 0.0006, 0.0006]).all()
    assert mean[0] * mean[1] > mean[2] ** 2


@pytest.mark.parametrize(
    "ens, moment, rho_in, expected, n_steps",
    [
        (gt.Ensemble(gt.Vanilla, gain=1.5, input_std=0.3), 0.387042, 0.5, 0.29345, 100),
        (gru(4, 2.2, input_std={"h": 0.3}), 0.110736, 0.5, 0.25241, 150),
        (gru(4, 3, input_std={"h": 0.8}), 0.223888, 0.9, 0.67208, 150),
        (gru(4, 3, input_std={"h": 0.3}), 0.327405, 0.8, 0.053465, 100),
    ],
)
def test_transients_end_where_the_stationary_equations_say(ens, moment, rho_in, expected, n_steps):
    """Amplitudes and correlations of the sheet, whose stationary pair is solved on a ring of lags."""
    C = pair_moments(ens, Drives.white_pair(ens, n_steps, rho_in), moment * np.array([[1, 0.5], [0.5, 1]])).equal_time()[-1]
    # digits of the sheet, and what is left of the start: correlations change by 7e-6 and less in the last third of the steps
    assert abs(C[0, 0] - moment) < 2e-6 and abs(C[0, 1] / C[0, 0] - expected) < 2e-5


def test_two_amplitudes_under_the_same_input():
    """Coexistence: copies that start large and small stay apart though a small difference decays on the weak branch."""
    ens = gru(10, 1.9, input_std={"h": 0.05})
    C = pair_moments(ens, Drives.white_pair(ens, 100, 1.0), np.diag([0.1, 0.001])).equal_time()[-1]
    assert np.abs([C[0, 0] - 0.06288, C[1, 1] - 0.00341]).max() < 6e-6
    assert abs(C[0, 1] / np.sqrt(C[0, 0] * C[1, 1]) - 0.1433) < 6e-5


def _normal(n, reach=8.5):
    """Evenly spread nodes and weights of N(0, 1): exact up to the tails for functions that are smooth at their distance."""
    z = np.linspace(-reach, reach, n)
    w = np.exp(-0.5 * z**2)
    return z, w / w.sum()


@given(
    st.floats(0.01, 4.0),
    st.floats(0.0, 4.0),
    st.floats(-1.0, 1.0),
    st.floats(-1.0, 1.0),
    st.sampled_from([np.tanh, np.cos, np.arctan]),
)
@settings(max_examples=10)
def test_averages_of_different_variances_against_quadrature(v, w, rho, mean, function):
    """E f(x) f(x') by a product of Gauss-Hermite rules, of two copies at two times."""
    average = PairAverage(function, 1, 2, 2)
    average.meet([mean], [np.sqrt([v, w])])
    average.meet([0.5 * mean], [np.sqrt([w, v])])
    covariance = np.array([[[rho * np.sqrt(w * v), rho * w], [w, 0.0]], [[rho * v, 0.0], [0.0, v]]])
    found = average.row([covariance])
    (a, wa), (b, wb) = _normal(200), _normal(200)

    def expected(first, mean_first, second, mean_second, covariance):
        r = covariance / np.sqrt(first * second) if first * second > 0 else 0.0
        left = mean_first + np.sqrt(first) * a[:, None]
        right = mean_second + np.sqrt(second) * (r * a[:, None] + np.sqrt(max(1.0 - r * r, 0.0)) * b)
        return wa @ (function(left) * function(right)) @ wb

    for i, own in enumerate((w, v)):
        for when, (m, others) in enumerate([(mean, (v, w)), (0.5 * mean, (w, v))]):
            for j, other in enumerate(others):
                value = expected(own, 0.5 * mean, other, m, covariance[i, when, j])
                # singularities are half a standard deviation of 2 away: e^(-2 pi / (2 * .085)) from each rule
                assert abs(found[i, when, j] - value) < 1e-11


@given(st.floats(0.05, 2.0), st.floats(0.05, 1.5), st.floats(-1.0, 1.0), st.floats(-1.0, 1.0))
@settings(max_examples=10)
def test_averages_of_functions_of_two_variables_against_quadrature(v, w, rho, other):
    """E f(x, y) f(x', y') over four normal numbers."""

    def function(x, y):
        return np.tanh(0.3 + y / (1.0 + np.exp(-x)))

    average = PairAverage(function, 2, 2, 1)
    average.meet([0.2, -0.1], [np.sqrt([v, w]), np.sqrt([w, v])])
    rx, ry = rho * np.sqrt(v * w), other * np.sqrt(v * w)
    found = average.row([np.array([[v, rx], [rx, w]])[:, None, :], np.array([[w, ry], [ry, v]])[:, None, :]])
    z, weights = _normal(34, 6.5)
    a, b, c, d = np.meshgrid(z, z, z, z, indexing="ij", sparse=True)
    x2, y2 = rho * a + np.sqrt(1.0 - rho**2) * b, other * c + np.sqrt(1.0 - other**2) * d
    left = function(0.2 + np.sqrt(v) * a, -0.1 + np.sqrt(w) * c)
    right = function(0.2 + np.sqrt(w) * x2, -0.1 + np.sqrt(v) * y2)
    # tails beyond 6.5, and nodes .4 apart
    assert abs(found[0, 0, 1] - np.einsum("abcd,a,b,c,d->", left * right, *[weights] * 4, optimize=True)) < 1e-6


@st.composite
def closing(draw):
    """An ensemble whose averages over pairs close, with biases, spreads, and gains of its own."""
    cell = draw(st.sampled_from(CLOSING))
    gain, bias, spread = st.floats(0.0, 3.0), st.floats(-0.5, 0.5), st.floats(0.0, 0.5)
    gains, biases, spreads = ({name: draw(values) for name in cell.field_names} for values in (gain, bias, spread))
    gains |= {name: 0.0 for name in STILL if name in gains}
    parameter, scattered = {name: draw(bias) for name in cell.parameter_names}, {}
    if cell is gt.JANET and draw(st.booleans()):  # one of the two that make classes of sites
        spreads["f"], scattered = 0.0, {"beta": draw(spread)}
    return gt.Ensemble(cell, gain=gains, bias=biases, bias_std=spreads, parameter=parameter, parameter_std=scattered)


@given(closing(), st.booleans(), st.integers(0, 2**32 - 1))
@settings(max_examples=8)
def test_networks_whose_matrices_copies_share(ens, fresh, seed):
    """Two given sequences through dense networks, and a start that the copies have in common: all moments within their errors."""
    _compare_with_networks(ens, fresh, seed, 200, 4)


@pytest.mark.nightly
@given(closing(), st.booleans(), st.integers(0, 2**32 - 1))
@settings(max_examples=60)
def test_networks_whose_matrices_copies_share_at_length(ens, fresh, seed):
    """The same of more ensembles, of larger networks and longer sequences."""
    _compare_with_networks(ens, fresh, seed, 600, 7)


def _compare_with_networks(ens, fresh, seed, N, T):
    rng, count = np.random.default_rng(seed), 20
    still = [k for k, name in enumerate(ens.cell.field_names) if name in STILL]
    live = {name: 0.0 if name in STILL else 0.6 for name in ens.cell.field_names}
    sequences = rng.standard_normal((2, T, 2))
    start = 0.3 * np.array([[1.0, 0.4], [0.4, 1.0]])
    theory = pair_moments(ens, Drives.given_sequences(ens, sequences, live), start, tied=not fresh)
    root = np.linalg.cholesky(start)
    states = np.einsum("ab,nbds->nads", root, rng.standard_normal((count, 2, 1, N)))
    weights = 0.6 * rng.standard_normal((count, 2, ens.cell.n_fields, N)) / np.sqrt(2)
    weights[:, :, still] = 0.0
    inputs = np.einsum("atd,ndks->atnks", sequences, weights)
    drawn = [gt.Network.sample(ens, N, rng, batch=count) for _ in range(T if fresh else 1)]
    nets = [gt.Network(ens, net.matrices, drawn[0].biases, drawn[0].parameters) for net in drawn]
    runs = []
    for a in range(2):
        path = [states[:, a]]
        for step in range(T):
            path.append(nets[step if fresh else 0].run(path[-1], 1, input=inputs[a, step]))
        runs.append(np.array(path)[:, :, 0])
    each = np.einsum("atns,bqns->natbq", runs, runs) / N
    error = each.std(axis=0, ddof=1) / np.sqrt(count)
    # networks scatter by N^(-1/2) and are off by order 1/N in the mean; 5 errors of 20 networks, of 100 numbers in each example
    assert (np.abs(each.mean(axis=0) - theory.state) < 5.0 * error + 5.0 / N).all()


@given(closing(), st.booleans(), st.integers(0, 2**32 - 1))
@settings(max_examples=10)
def test_each_pair_knows_itself_alone(ens, tied, seed):
    """Entries of two copies are the same whoever else is there; tables are symmetric and positive; equal copies are equal."""
    rng = np.random.default_rng(seed)
    sequences = rng.standard_normal((3, 4, 2))
    sequences[2] = sequences[0]
    live = {name: 0.0 if name in STILL else 0.6 for name in ens.cell.field_names}
    start = 0.3 * np.array([[1.0, 0.2, 1.0], [0.2, 0.7, 0.2], [1.0, 0.2, 1.0]])
    all_three = pair_moments(ens, Drives.given_sequences(ens, sequences, live), start, tied)
    for chosen in ([1], [2, 1]):
        own = pair_moments(ens, Drives.given_sequences(ens, sequences[chosen], live), start[np.ix_(chosen, chosen)], tied)
        for one, table in [(own.state, all_three.state), *((own.messages[m], all_three.messages[m]) for m in own.messages)]:
            assert np.abs(one - table[np.ix_(chosen, range(table.shape[1]), chosen, range(table.shape[1]))]).max() < 1e-11
    for table in [all_three.state, *all_three.messages.values()]:
        flat = table.reshape(3 * table.shape[1], -1)
        assert np.abs(flat - flat.T).max() < 1e-12 and np.linalg.eigvalsh(flat).min() > -1e-11 * max(1.0, np.trace(flat))
        assert np.abs(table[0] - table[2]).max() < 1e-11


@given(st.floats(-1.0, 2.0), st.floats(0.1, 3.0))
@settings(max_examples=5)
def test_units_that_forget_at_different_rates(mean, spread):
    """Update gates with scattered biases and no recurrence: what is kept and what is added, averaged over gates by a plain sum."""
    ens = gt.Ensemble(gt.GRU, gain=0.0, bias={"z": mean, "h": 0.4}, bias_std={"z": spread})
    found = pair_moments(ens, Drives.white_pair(ens, 40, 1.0), np.array([[0.3, 0.1], [0.1, 0.2]])).state
    x = np.linspace(-9.0, 9.0, 20_001)
    w = np.exp(-0.5 * x**2)
    z = 1.0 / (1.0 + np.exp(-mean - spread * x))
    for now in (0, 1, 7, 40):
        for then in (0, 2, 40):
            common = w @ ((1.0 - z**now) * (1.0 - z**then)) / w.sum() * np.tanh(0.4) ** 2
            kept = w @ z ** (now + then) / w.sum() * np.array([[0.3, 0.1], [0.1, 0.2]])
            assert np.abs(found[:, now, :, then] - common - kept).max() < 1e-11


@given(st.floats(0.1, 3.0), st.floats(-1.0, 1.0), st.floats(0.0, 0.5), st.integers(0, 2**32 - 1))
@settings(max_examples=10)
def test_vanilla_networks_do_not_feel_tied_weights_at_equal_times(gain, bias, spread, seed):
    """Without memory equal times make equal times, whatever inputs and biases; without biases and inputs other times differ."""
    ens = gt.Ensemble(gt.Vanilla, gain=gain, bias=bias, bias_std=spread)
    drives = Drives.given_sequences(ens, np.random.default_rng(seed).standard_normal((3, 5, 2)), 0.5)
    tied, untied = (pair_moments(ens, drives, 0.2 * np.eye(3), which) for which in (True, False))
    assert np.abs(tied.equal_time() - untied.equal_time()).max() < 1e-13
    assert tied.state.shape == (3, 6, 3, 6)


def test_fresh_matrices_forget():
    """Untied under white input, states of a GRU follow from their last moments alone: three plain integrals a step."""
    ens = gru(4, 3, input_std={"h": 0.3, "r": 0.2}, bias={"z": 0.4, "r": 0.2})
    found = pair_moments(ens, Drives.white_pair(ens, 6, 0.7), np.array([[0.3, 0.1], [0.1, 0.2]]), tied=False).equal_time()
    (z, w), keep = _normal(201), 1.0 / (1.0 + np.exp(-0.4))

    def average(function, v, w_other, covariance):
        rho = covariance / np.sqrt(v * w_other)
        right = np.sqrt(w_other) * (rho * z[:, None] + np.sqrt(1.0 - rho**2) * z)
        return w @ (function(np.sqrt(v) * z)[:, None] * function(right)) @ w

    C = np.array([[0.3, 0.1], [0.1, 0.2]])
    for now in found:
        assert np.abs(now - C).max() < 1e-12
        reset = 16 * C + 0.04 * np.array([[1, 0.7], [0.7, 1]])
        gates = _of_pairs(average, lambda y: 1.0 / (1.0 + np.exp(-0.2 - y)), reset)
        drive = _of_pairs(average, np.tanh, 9 * gates * C + 0.09 * np.array([[1, 0.7], [0.7, 1]]))
        C = keep**2 * C + (1.0 - keep) ** 2 * drive


def _of_pairs(average, function, V):
    """(2, 2) averages of f f' of two copies with covariance V."""
    own = [average(function, V[a, a], V[a, a], V[a, a] * (1.0 - 1e-15)) for a in (0, 1)]
    both = average(function, V[0, 0], V[1, 1], V[0, 1])
    return np.array([[own[0], both], [both, own[1]]])


@given(st.floats(0.1, 3.0), st.floats(-0.5, 0.5), st.floats(0.05, 0.5))
@settings(max_examples=5)
def test_a_gru_with_open_gates_is_a_vanilla_network(gain, bias, spread):
    """z = 0 and r = 1 to rounding; and common frozen inputs are biases."""
    open_gates = gru(0, gain, bias={"z": -40, "r": 40, "h": bias})
    plain = gt.Ensemble(gt.Vanilla, gain=gain, bias=bias, bias_std=spread)
    start = 0.3 * np.array([[1.0, -0.5], [-0.5, 1.0]])
    frozen = pair_moments(open_gates, Drives.given_sequences(open_gates, np.ones((2, 6, 1)), {"h": spread}), start)
    own = pair_moments(plain, Drives.white_pair(plain, 6, 1.0), start)
    assert np.abs(frozen.state - own.state).max() < 1e-12
    assert np.abs(frozen.messages["r*h"] - own.messages["h"]).max() < 1e-12


def test_rows_are_the_tables():
    """One row at a time is what the whole table holds, and the last has no messages."""
    ens = gru(2, 2, bias_std={"r": 0.3})
    drives = Drives.given_sequences(ens, SEQUENCES[:, :5], {"h": 0.5, "r": 0.2})
    tables = pair_moments(ens, drives, np.eye(2))
    rows = list(pair_rows(ens, drives, np.eye(2)))
    assert len(rows) == 6 and not rows[-1].messages
    for now, row in enumerate(rows):
        assert np.abs(row.state - tables.state[:, now, :, : now + 1].transpose(0, 2, 1)).max() < 1e-14


@pytest.mark.parametrize(
    "ens, word",
    [
        (gt.Ensemble(gt.GRU), "leak"),
        (gt.Ensemble(gt.LSTM), "leak"),
        (gt.Ensemble(gt.JANET, gain={"f": 0}, bias_std={"f": 0.5}, parameter_std=0.5), "leak"),
        (gt.Ensemble(gt.LiGRU, gain={"z": 0}), "kinks"),
        (gt.Ensemble(gt.GRUResetAfter, gain={"z": 0}, parameter_std=0.5), "leak"),
        (gt.Ensemble(gt.Vanilla, gain=1000.0), "steep"),
    ],
)
def test_what_does_not_close_is_refused(ens, word):
    """Gates that move, kinks, spreads of site parameters and steps are for sampled sites."""
    with pytest.raises(gt.CapabilityError, match=word):
        pair_moments(ens, Drives.white_pair(ens, 2, 1.0), np.eye(2))


def test_input_on_a_gate_that_nothing_else_moves_is_seen():
    """Sequences that are read by the update gate move the leak, though the gate's gain is zero."""
    ens = gru(0, 1)
    with pytest.raises(gt.CapabilityError, match="leak"):
        pair_moments(ens, Drives.given_sequences(ens, SEQUENCES, 0.5), np.zeros((2, 2)))
