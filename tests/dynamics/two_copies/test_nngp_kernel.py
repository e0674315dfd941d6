"""Kernels of infinitely wide networks: closed forms, an independent calculation, sampled networks with matrices, identities."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import gating_theory as gt

T = 12
_t = np.arange(T)
#: The two sequences of the theory sheet, section 8.
X = np.stack(
    [
        np.stack([np.sin(0.7 * _t), np.cos(0.4 * _t), _t % 3 == 0], -1),
        np.stack([np.sin(0.7 * _t + 0.5), np.cos(0.3 * _t), _t % 4 == 0], -1),
    ]
)
_h, _y = sp.symbols("h y_h", real=True)
A = 3**-0.5
#: Ensemble, input weights, and K11, K22, K12: by averages over pairs, or by populations of 4 x 20,000 sites with their errors; of
#: ten dense networks of 2000 units with theirs; for fresh weights (an error of 1 in the last digit given).
TABLE = {
    "vanilla": (
        gt.Ensemble(gt.Vanilla, gain=1.2),
        0.5,
        (0.2670920, 0.2944451, 0.1985243),
        0.0,
        (0.2678, 0.2948, 0.2007),
        (0.0026, 0.0022, 0.0026),
        (0.2670920, 0.2944451, 0.1985243),
    ),
    "GRU of constant leak": (
        gt.Ensemble(gt.GRU, gain={"z": 0, "r": 4, "h": 3}),
        {"h": 0.5},
        (0.2825031, 0.2969063, 0.2347585),
        0.0,
        (0.2825, 0.2946, 0.2364),
        (0.0043, 0.0038, 0.0053),
        (0.0887, 0.1155, 0.0857),
    ),
    "GRU of PyTorch": (
        gt.Ensemble(gt.GRUResetAfter, gain=A),
        {"z": A, "r": A, "b_in": A},
        (0.06226, 0.1102, 0.0797),
        (0.00014, 0.0005, 0.0003),
        (0.0624, 0.1110, 0.0801),
        (0.0007, 0.0013, 0.0009),
        (0.0599, 0.1091, 0.0781),
    ),
    "GRU": (
        gt.Ensemble(gt.GRU, gain={"h": 3}),
        1.0,
        (0.2810, 0.3158, 0.2487),
        (0.0008, 0.0003, 0.0003),
        (0.2833, 0.3184, 0.2502),
        (0.0026, 0.0018, 0.0029),
        (0.1698, 0.2296, 0.1694),
    ),
    "LSTM of PyTorch": (
        gt.Ensemble(gt.LSTM, gain=A),
        A,
        (0.01492, 0.02619, 0.01892),
        (0.00004, 0.00008, 0.00006),
        (0.01494, 0.02641, 0.01902),
        (0.00011, 0.00021, 0.00015),
        (0.0144, 0.0260, 0.0186),
    ),
    "LSTM": (
        gt.Ensemble(gt.LSTM, gain={"g": 4}, bias={"f": 1}),
        1.0,
        (0.1216, 0.1272, 0.0988),
        (0.0007, 0.0008, 0.0008),
        (0.1228, 0.1300, 0.1001),
        (0.0011, 0.0013, 0.0014),
        (0.0602, 0.0691, 0.0503),
    ),
}
CLOSED = ("vanilla", "GRU of constant leak")
#: Three entries of twelve comparisons: one in a thousand of all is off by four standard errors.
SIGMAS = 4.0
#: What a network of n units is off by in the mean, in units of the largest entry: measured up to 3 / n.
OFF = 3.0


def three(table):
    """K11, K22, K12 of a table of two sequences."""
    return np.array([table[0, 0], table[1, 1], table[0, 1]])


def assert_agree(kernel, expected, errors):
    """A sampled kernel and values with errors of their own."""
    off = OFF / kernel.n_units * np.max(expected)
    apart = np.abs(three(kernel.K) - expected)
    assert (apart < SIGMAS * np.hypot(three(kernel.stderr), errors) + off).all(), (kernel.K, kernel.stderr, expected)


@pytest.mark.parametrize("name", TABLE)
def test_the_sheets_table(name):
    """Sampled kernels are those of an independent calculation and of dense networks, for tied and for fresh weights."""
    ensemble, gain, tied, error, dense, dense_error, fresh = TABLE[name]
    kernel = gt.nngp_kernel(ensemble, X, input_gain=gain, method="sites", n_sites=20_000, rng=0)
    assert_agree(kernel, tied, error)
    # its ten networks of 2000 units are off the limit, too
    assert_agree(kernel, dense, np.array(dense_error) + OFF / 2000 * np.array(tied))
    kernel = gt.nngp_kernel(ensemble, X, input_gain=gain, method="sites", n_sites=20_000, rng=1, tied=False)
    # the sheet's untied values come from a population like those of tied ones
    assert_agree(kernel, fresh, np.maximum(error, 0.004 * np.array(fresh)))


@pytest.mark.parametrize("name", CLOSED)
def test_averages_over_pairs_have_the_sheets_digits(name):
    ensemble, gain, tied, *_, fresh = TABLE[name]
    kernel = gt.nngp_kernel(ensemble, X, input_gain=gain)
    assert kernel.method == "pairs" and not kernel.stderr.any()
    assert np.allclose(three(kernel.K), tied, rtol=0, atol=6e-8)  # printed to seven digits
    kernel = gt.nngp_kernel(ensemble, X, input_gain=gain, tied=False)
    assert np.allclose(three(kernel.K), fresh, rtol=0, atol=6e-8 if name == "vanilla" else 6e-4)  # sampled, to three digits


def arcsine(variances, covariance):
    """E erf(y) erf(y') [Williams 1997]."""
    return 2 / np.pi * np.arcsin(2 * covariance / np.sqrt(np.multiply.outer(1 + 2 * variances, 1 + 2 * variances)))


@pytest.mark.parametrize("method", ["pairs", "sites"])
def test_error_functions_have_a_closed_form(method):
    """A network of error functions, with biases: the arcsine kernel again and again, also for tied weights."""
    cell = gt.Cell(name="ErfNetwork", state=[_h], fields=[_y], messages=[_h], update=[sp.erf(_y)])
    ensemble = gt.Ensemble(cell, gain=1.5, bias_std=0.4)
    x = np.random.default_rng(0).standard_normal((3, 5, 2))
    exact = np.zeros((3, 3))
    for t in range(5):
        covariance = 1.5**2 * exact + 0.4**2 + 0.7**2 * x[:, t] @ x[:, t].T / 2
        exact = arcsine(np.diag(covariance), covariance)
    kernel = gt.nngp_kernel(ensemble, x, input_gain=0.7, method=method, n_sites=20_000, rng=2)
    allowed = 1e-10 if method == "pairs" else SIGMAS * kernel.stderr + OFF / kernel.n_units
    assert (np.abs(kernel.K - exact) < allowed).all()


def of_networks(ensemble, x, input_gain, n, count, rng):
    """Kernels (count, R, R) of networks with matrices, one sequence after the other."""
    out, K = [], ensemble.cell.n_fields
    for generator in map(np.random.default_rng, rng.integers(2**32, size=count)):
        network = gt.Network.sample(ensemble, n, rng=generator)
        weights = generator.standard_normal((K, x.shape[2], n)) * np.reshape(input_gain, (K, 1, 1)) / np.sqrt(x.shape[2])
        start = np.zeros((ensemble.cell.n_state, n))
        h = np.array([network.run(start, x.shape[1], np.einsum("td,kdn->tkn", one, weights))[0] for one in x])
        out.append(h @ h.T / n)
    return np.array(out)


@settings(max_examples=12, deadline=None)
@given(
    name=st.sampled_from(["Vanilla", "GRU", "GRUResetAfter", "LSTM", "CoupledLSTM", "PeepholeLSTM", "JANET", "MGU", "LiGRUTanh"]),
    seed=st.integers(0, 2**32 - 1),
    width=st.sampled_from([0.0, 0.5]),
)
def test_networks_with_matrices(name, seed, width):
    """Cells of any gains, biases, spreads and parameters: the kernel is what networks of 120 units have, within both errors."""
    rng, cell = np.random.default_rng(seed), getattr(gt, name)

    def values(names, size):
        return dict(zip(names, size * rng.random(len(names))))

    ensemble = gt.Ensemble(
        cell,
        gain=values(cell.field_names, 3.0),
        bias=values(cell.field_names, 1.0),
        bias_std=values(cell.field_names, width),
        parameter=values(cell.parameter_names, 0.5),
        parameter_std=values(cell.parameter_names, width),
    )
    gain, x = rng.random(cell.n_fields), rng.standard_normal((3, 6, 2))
    kernel = gt.nngp_kernel(ensemble, x, input_gain=dict(zip(cell.field_names, gain)), method="sites", n_sites=5000, rng=rng)
    found = of_networks(ensemble, x, gain, 120, 30, rng)
    error = np.hypot(found.std(axis=0, ddof=1) / np.sqrt(30), kernel.stderr)
    # standard errors of tens of networks are themselves known to a tenth, of which twelve examples of six entries meet the worst
    assert (np.abs(found.mean(axis=0) - kernel.K) < 5.0 * error + OFF / 120 * kernel.K.max() + 1e-12).all()


def test_errors_are_honest_and_fall_with_the_root_of_the_sites():
    ensemble, gain = TABLE["GRU of constant leak"][:2]
    x = np.random.default_rng(3).standard_normal((4, 8, 1))
    exact = gt.nngp_kernel(ensemble, x, input_gain=gain).K
    rms, ratios = [], []
    for n_sites in (1000, 16_000):
        kernels = [gt.nngp_kernel(ensemble, x, input_gain=gain, method="sites", n_sites=n_sites, rng=seed) for seed in range(12)]
        away = np.array([k.K - exact for k in kernels])
        rms.append(np.sqrt(np.mean(away**2)))
        ratios.append(np.sqrt(np.mean(away**2) / np.mean([k.stderr**2 for k in kernels])))
    # sixteen times the sites: a fourth. About forty independent numbers make each rms: known to an eighth, their ratio to a sixth
    assert 0.25 / 1.5 < rms[1] / rms[0] < 0.25 * 1.5
    assert 0.67 < min(ratios) and max(ratios) < 1.5


@pytest.mark.parametrize("method", ["pairs", "gates", "sites"])
@pytest.mark.parametrize("tied", [True, False])
def test_outputs_and_blocks_are_parts_of_one_table(method, tied):
    """Last and mean outputs, kernels between two sets: all of them are parts of one positive semidefinite table."""
    ensemble, gain = TABLE["GRU of constant leak"][:2]
    x = np.random.default_rng(4).standard_normal((5, 4, 2))
    options = {"input_gain": gain, "method": method, "n_sites": 500, "tied": tied}
    whole = gt.nngp_kernel(ensemble, x, output="all", rng=5, **options)
    assert whole.K.shape == whole.stderr.shape == (5, 4, 5, 4)
    flat = whole.K.reshape(20, 20)
    assert np.array_equal(flat, flat.T) or np.abs(flat - flat.T).max() < 1e-13
    assert np.linalg.eigvalsh(flat).min() > -1e-12
    last = gt.nngp_kernel(ensemble, x, output="last", rng=5, **options)
    mean = gt.nngp_kernel(ensemble, x, output="mean", rng=5, **options)
    assert np.allclose(last.K, whole.K[:, -1, :, -1], rtol=0, atol=1e-13)
    assert np.allclose(mean.K, whole.K.mean(axis=(1, 3)), rtol=0, atol=1e-13)
    cross = gt.nngp_kernel(ensemble, x[:2], x[2:], output="all", rng=5, **options)
    assert np.allclose(cross.K, whole.K[:2, :, 2:], rtol=0, atol=1e-13)
    assert np.allclose(cross.stderr, whole.stderr[:2, :, 2:], rtol=0, atol=1e-13)
    assert gt.nngp_kernel(ensemble, x[:2], x[2:], output="mean", rng=5, **options).K.shape == (2, 3)


def test_kernels_see_products_of_inputs_alone():
    """Turning the axes of all inputs, or writing them twice, changes nothing; a strength may stand in either place."""
    ensemble, gain = TABLE["GRU of constant leak"][:2]
    rng = np.random.default_rng(6)
    x = rng.standard_normal((3, 6, 3))
    turn = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    kernel = gt.nngp_kernel(ensemble, x, input_gain=gain)
    for same in (x @ turn, np.concatenate([x, x], axis=2)):
        assert np.allclose(gt.nngp_kernel(ensemble, same, input_gain=gain).K, kernel.K, rtol=0, atol=1e-12)
    assert np.allclose(gt.nngp_kernel(ensemble, 2 * x, input_gain={"h": 0.25}).K, kernel.K, rtol=0, atol=1e-12)


def test_zeros_in_front_of_a_sequence_leave_a_silent_network_silent():
    """Without biases a shorter sequence is one that begins with zeros."""
    ensemble, gain = TABLE["GRU of constant leak"][:2]
    padded = np.concatenate([np.zeros((2, 3, 3)), X], axis=1)
    kernel = gt.nngp_kernel(ensemble, padded, input_gain=gain)
    assert np.allclose(kernel.K, gt.nngp_kernel(ensemble, X, input_gain=gain).K, rtol=0, atol=1e-12)


def test_many_sequences_go_through_matrices_of_the_same_law():
    """Formed and implicit matrices are one law at finite n: kernels of few sequences alone and among many."""
    ensemble, gain = TABLE["LSTM"][:2]
    x = np.random.default_rng(7).standard_normal((40, 6, 3))
    options = {"input_gain": gain, "n_sites": 5000}
    few, many = gt.nngp_kernel(ensemble, x[:3], rng=8, **options), gt.nngp_kernel(ensemble, x, rng=9, **options)
    apart = few.K - many.K[:3, :3]
    assert (np.abs(apart) < SIGMAS * np.hypot(few.stderr, many.stderr[:3, :3])).all()


def test_a_kernel_is_saved_and_says_what_it_is(tmp_path):
    ensemble, gain = TABLE["LSTM"][:2]
    kernel = gt.nngp_kernel(ensemble, X, input_gain=gain, n_sites=500, rng=0)
    again = gt.load(gt.save(kernel, tmp_path / "kernel.json"))
    assert np.array_equal(again.K, kernel.K) and again.ensemble == ensemble and again.input_gain == kernel.input_gain
    assert "2 x 2 sequences" in str(kernel) and "networks of" in str(kernel)
    told = []
    gt.nngp_kernel(ensemble, X, input_gain=gain, n_sites=500, rng=0, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (kernel.n_networks, kernel.n_networks)


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"x": X[0]}, ValueError, "x must have shape"),
        ({"x": "words"}, TypeError, "x must"),
        ({"x": [X[0], X[1, :5]]}, ValueError, "sequences of one length.*in front of the shorter"),
        ({"x": [[[1.0], [2.0, 3.0]], [[3.0], [1.0]]]}, TypeError, "x must be an array"),
        ({"x": np.full((1, 2, 1), np.nan)}, ValueError, "x must be finite"),
        ({"x2": X[:, :5]}, ValueError, r"x2 must have shape \(sequences, 12, 3\)"),
        ({"x2": X[:0]}, ValueError, "x2 must have shape"),
        ({"input_gain": {"q": 1.0}}, ValueError, "input_gain has the unknown name"),
        ({"input_gain": -1.0}, ValueError, "input_gain must lie in"),
        ({"output": "first"}, ValueError, "output must be"),
        ({"method": "series"}, ValueError, "method must be"),
        ({"method": "pairs"}, gt.CapabilityError, "sample sites"),
        ({"n_sites": 10}, ValueError, "n_sites must be at least 100"),
        ({"n_sites": 10**15}, MemoryError, "GB"),
        ({"tied": "no"}, TypeError, "tied must be True or False"),
        ({"progress": 3}, TypeError, "progress"),
        ({"ensemble": gt.Ensemble(gt.LSTM, input_std=0.1)}, ValueError, "input_std must be 0"),
        ({"ensemble": gt.Ensemble(gt.LSTM, matrices="unknown")}, gt.CapabilityError, "nngp_kernel needs"),
    ],
)
def test_bad_calls_say_what_is_allowed(changes, error, text):
    options = {"ensemble": gt.Ensemble(gt.LSTM), "x": X} | changes
    with pytest.raises(error, match=text):
        gt.nngp_kernel(options.pop("ensemble"), options.pop("x"), options.pop("x2", None), **options)


def test_states_without_bounds_end_in_an_error():
    with pytest.raises(gt.ConvergenceError, match="not finite"):
        gt.nngp_kernel(gt.Ensemble(gt.LiGRU, gain=1e6), np.ones((1, 80, 1)), n_sites=100, rng=0)
