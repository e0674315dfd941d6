"""Counting fixed points: against exact laws, dense grids, Kac-Rice and other searches; completeness, refusals, bookkeeping."""

import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from samples import cell_of, own_cell
from scipy.optimize import root
from scipy.stats import norm

import gating_theory as gt
from gating_theory.networks.reduced_map import ReducedMap
from gating_theory.results.encoding import decode, encode

# --- against what is known


def test_one_unit_exactly():
    """x = tanh(u x): three solutions where u > 1, one elsewhere, for every network of the sample."""
    result = gt.count_fixed_points(gt.Ensemble(gt.Vanilla, gain=3.0), 1, 400, rng=0, points=True)
    u = np.array([result.network(i).matrices.item() for i in range(400)])
    assert np.array_equal(result.counts, np.where(u > 1, 3, 1))
    assert result.odd and result.degree_passed == 1.0 and result.status.code == str(result.status) == "ok"
    # E n = 1 + 2 P(u > 1), four standard errors
    assert abs(result.mean - 1 - 2 * norm.sf(1 / 3.0)) < 4 * result.mean_stderr
    assert result.mean_log == pytest.approx(np.log(3) * np.mean(u > 1))
    for x, k in zip(result.points, u):
        assert np.abs(np.tanh(k * x) - x).max() < 1e-9


@pytest.mark.parametrize("name", ["Vanilla", "GRU", "GRUResetAfter", "MGU", "JANET", "LSTM", "mine"])
def test_one_unit_against_a_dense_grid(name):
    """Sign changes of Phi(x) - x on 60,000 points: they miss pairs closer than 6e-5 only, which one network in 10,000 or so has."""
    cell = cell_of(name)
    ens = gt.Ensemble(cell, gain=6.0, bias_std=0.7, parameter_std=0.3 if cell.parameters else None)
    result = gt.count_fixed_points(ens, 1, 24, rng=1)
    x = np.linspace(-1.7, 1.7, 60_001)  # JANET's states reach further than 1 where beta is positive
    for i in range(24):
        net = result.network(i)
        reduced = ReducedMap(net, net.input)
        residual = reduced.residual(x[:, None, None], np.zeros(x.size, dtype=int)).ravel()
        assert residual[0] > 0 > residual[-1]
        assert result.counts[i] == np.count_nonzero(np.diff(np.sign(residual)))
    assert result.counts.max() >= 3
    assert result.settled.all() and result.degree_passed == 1.0
    assert not result.odd


def two_units_by_grid(net, n=161):
    """All zeros of s' - s in the square, by Powell's method from every cell of a grid in which both components may vanish.

    Stands on Network.step alone: the step carries the factor 1 - z > 0, its zeros are the fixed points.
    """
    edges = np.linspace(-1.0001, 1.0001, n)
    x = np.stack(np.meshgrid(edges, edges, indexing="ij"), axis=-1).reshape(-1, 1, 2)
    batch = gt.Network(net.ensemble, *(np.broadcast_to(a, (len(x), *a.shape)) for a in (net.matrices, net.biases, net.parameters)))
    f = (batch.step(x) - x).reshape(n, n, 2)
    corners = np.stack([f[:-1, :-1], f[1:, :-1], f[:-1, 1:], f[1:, 1:]])
    # a quarter of the spread beyond the corners' own range, for the curvature within a cell
    low, high = corners.min(axis=0), corners.max(axis=0)
    maybe = ((low - 0.25 * (high - low) <= 0) & (high + 0.25 * (high - low) >= 0)).all(axis=-1)
    found = []
    for i, j in np.argwhere(maybe):
        start = 0.5 * np.array([edges[i] + edges[i + 1], edges[j] + edges[j + 1]])
        solution = root(lambda v: (net.step(v[None]) - v)[0], start, method="hybr", tol=1e-13)
        if solution.success and not any(np.abs(solution.x - known).max() < 1e-6 for known in found):
            found.append(solution.x)
    return np.array(found)


@pytest.mark.parametrize("name", ["Vanilla", "GRU", "MGU", "JANET"])
def test_two_units_against_a_grid(name):
    cell = cell_of(name)
    ens = gt.Ensemble(cell, gain={n: 1.0 if n == "z" else 6.0 for n in cell.field_names}, bias_std=0.4)
    result = gt.count_fixed_points(ens, 2, 16, rng=2, points=True)
    for i in range(4):
        known = two_units_by_grid(result.network(i))
        distance = np.abs(result.points[i][:, 0][:, None] - known[None]).max(axis=-1)
        assert len(known) == result.counts[i]
        assert (distance.min(axis=1) < 1e-6).all() and (distance.min(axis=0) < 1e-6).all()
    assert result.degree_passed == 1.0


#: E n of the finite-N Kac-Rice integral, by importance sampling with exactly conditioned matrices: an independent calculation.
_KAC_RICE = {
    ("Vanilla", 3.0, 8): (3.96, 0.02),
    ("Vanilla", 2.0, 8): (2.897, 0.014),
    ("Vanilla", 3.0, 16): (6.62, 0.07),
    ("Vanilla", 2.0, 24): (4.99, 0.07),
    ("Vanilla", 3.0, 24): (11.1, 0.2),
    ("GRU", (4.0, 8.0, 0.0), 8): (5.38, 0.04),
    ("GRU", (4.0, 4.0, -1.0), 8): (3.36, 0.03),
    ("GRU", (2.5, 8.0, 0.0), 8): (3.32, 0.03),
    ("GRU", (1.8, 8.0, 0.0), 8): (2.055, 0.013),
    ("GRU", (4.0, 8.0, 0.0), 16): (14.6, 0.2),
    ("GRU", (4.0, 4.0, 0.0), 16): (8.50, 0.11),
    ("GRU", (1.75, 20.0, -1.0), 16): (2.63, 0.03),
}


def against_kac_rice(name, gains, n_units, n_networks):
    """Within four standard errors of both; indices add up in all networks but one in fifty."""
    if name == "Vanilla":
        ens = gt.Ensemble(gt.Vanilla, gain=gains)
    else:
        a_h, a_r, b_r = gains
        ens = gt.Ensemble(gt.GRU, gain={"h": a_h, "r": a_r}, bias={"r": b_r})
    result = gt.count_fixed_points(ens, n_units, n_networks, rng=0)
    expected, error = _KAC_RICE[name, gains, n_units]
    assert abs(result.mean - expected) < 4 * np.hypot(result.mean_stderr, error)
    # an exact number would be seen to be wrong at this precision if it were off by 40 %
    assert 4 * np.hypot(result.mean_stderr, error) < 0.4 * expected
    assert result.degree_passed >= 0.98
    assert result.settled.mean() >= 0.98
    assert (result.counts % 2 == 1).all() or result.degree_passed < 1
    assert result.odd == (name == "Vanilla")
    return result


@pytest.mark.parametrize("gains, n_networks", [(3.0, 150), (2.0, 150)])
def test_vanilla_against_kac_rice(gains, n_networks):
    against_kac_rice("Vanilla", gains, 8, n_networks)


def test_gru_against_kac_rice():
    against_kac_rice("GRU", (4.0, 8.0, 0.0), 8, 96)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, gains, n_units, n_networks",
    [
        ("Vanilla", 3.0, 16, 60),
        ("Vanilla", 2.0, 24, 40),
        ("GRU", (4.0, 4.0, -1.0), 8, 100),
        ("GRU", (2.5, 8.0, 0.0), 8, 100),
        ("GRU", (1.8, 8.0, 0.0), 8, 100),
        pytest.param("GRU", (4.0, 8.0, 0.0), 16, 16, marks=pytest.mark.nightly),
    ],
)
def test_larger_networks_against_kac_rice(name, gains, n_units, n_networks):
    """Enumerated networks have on average as many fixed points as the Kac-Rice formula says."""
    against_kac_rice(name, gains, n_units, n_networks)


@pytest.mark.parametrize("name, gain", [("LSTM", 4.0), ("MGU", 4.0), ("GRUResetAfter", 4.0), ("JANET", 3.0)])
def test_other_cells_pass_the_degree_check(name, gain):
    ens = gt.Ensemble(getattr(gt, name), gain=gain)
    result = gt.count_fixed_points(ens, 5, 24, rng=3, points=True)
    assert result.degree_passed == 1.0 and result.settled.all()
    assert result.counts.max() >= 3
    for i in range(24):
        check_points(result, i)


def check_points(result, i):
    """Points are as many as were counted, distinct, and fixed under a step of the network; their indices add up to the degree."""
    net, points = result.network(i), result.points[i]
    assert points.shape == (result.counts[i], net.cell.n_state, result.n_units)
    signs = 0.0
    for k, state in enumerate(points):
        # rounding of a step, 1e-12 or so, times slopes up to 1e3
        assert np.abs(net.step(state) - state).max() < 1e-9 * max(1.0, np.abs(state).max())
        others = np.delete(points, k, axis=0)
        assert not len(others) or np.abs(others - state).max(axis=(1, 2)).min() > 1e-6
        signs += np.sign(np.linalg.det(np.eye(state.size) - net.jacobian(state)))
    assert signs == result.degree[i]


# --- completeness


def test_nothing_that_random_starts_find_is_missed():
    """Every fixed point that 100 starts of Network.find_fixed_points come to is among those counted."""
    result = gt.count_fixed_points(gt.Ensemble(gt.GRU, gain={"h": 4, "r": 8}), 12, 2, rng=4, points=True)
    for i in range(2):
        check_points(result, i)
        found = result.network(i).find_fixed_points(100, rng=0, n_steps=40, slow_tol=0.0, spectra=False).fixed
        assert len(found) >= 3
        distance = np.abs(found[:, None] - result.points[i][None]).max(axis=(2, 3))
        assert (distance.min(axis=1) < 1e-6).all()


def test_pairs_give_the_same_count_as_no_use_of_the_symmetry(monkeypatch):
    ens = gt.Ensemble(gt.Vanilla, gain=3.0)
    pairs = gt.count_fixed_points(ens, 8, 24, rng=5, points=True)
    monkeypatch.setattr(ReducedMap, "odd", lambda self: np.zeros(self.n_networks, dtype=bool))
    single = gt.count_fixed_points(ens, 8, 24, rng=5)
    assert pairs.odd and not single.odd
    assert np.array_equal(pairs.counts, single.counts)
    assert np.array_equal(pairs.degree, single.degree)
    for points in pairs.points:
        assert np.abs(points[:, None] + points[None]).max(axis=(2, 3)).min(axis=1).max() < 1e-9


# --- the result


@pytest.fixture(scope="module")
def result():
    ens = gt.Ensemble(gt.GRU, gain={"h": 4, "r": 4}, bias_std={"h": 0.1})
    return gt.count_fixed_points(ens, 5, 70, rng=7, points=True)  # two tasks


def same(a, b):
    one, other = a.as_dict(), b.as_dict()
    assert json.dumps(one) == json.dumps(other)


def test_results_do_not_depend_on_the_executor(result):
    """Two processes, to the last bit: the cut into tasks is the same whoever does them."""
    with ProcessPoolExecutor(2) as executor:
        same(result, gt.count_fixed_points(result.ensemble, 5, 70, rng=7, points=True, executor=executor))


def test_own_cells_travel():
    ens = gt.Ensemble(own_cell(), gain=3.0)
    alone = gt.count_fixed_points(ens, 3, 8, rng=0)
    with ProcessPoolExecutor(1) as executor:
        same(alone, gt.count_fixed_points(ens, 3, 8, rng=0, executor=executor))


def test_averages(result):
    counts = result.counts
    assert result.n_networks == 70 and result.n_units == 5
    assert result.mean == pytest.approx(counts.mean())
    assert result.mean_stderr == pytest.approx(counts.std(ddof=1) / np.sqrt(70))
    assert result.mean_log == pytest.approx(np.log(counts).mean())
    assert result.mean_log_stderr == pytest.approx(np.log(counts).std(ddof=1) / np.sqrt(70))
    assert result.degree_passed == np.mean(result.degree == 1)
    assert (result.hits[result.settled] >= 3).all() and (result.n_missing[result.settled] == 0).all()
    for i in range(70):
        check_points(result, i)
    with pytest.raises(ValueError):
        result.counts[0] = 5
    text = str(result)
    assert f"{result.mean:.4g}" in text and "degree check passed" in text and str(result.status) in text


def test_dataset(tmp_path, result):
    ds = result.to_dataset()
    assert np.array_equal(ds["counts"].values, result.counts)
    assert ds.attrs["mean"] == result.mean and ds.attrs["seed"] == str(result.seed)
    assert gt.Ensemble.from_dict(json.loads(ds.attrs["ensemble"])) == result.ensemble
    again = gt.load(gt.save(ds, tmp_path / "counts.nc"))
    assert np.array_equal(again["settled"].values.astype(bool), result.settled)


def test_saving(tmp_path, result):
    again = gt.load(gt.save(result, tmp_path / "counts.json"))
    same(again, result)
    assert again.settled.dtype == bool and again.points[0].dtype == float
    assert np.array_equal(again.network(3).matrices, result.network(3).matrices)
    bare = gt.count_fixed_points(gt.Ensemble(own_cell()), 2, 3, rng=0)
    path = gt.save(bare, tmp_path / "bare.json")
    assert gt.load(path, cell=own_cell()).points is None
    with pytest.raises(ValueError, match="cell="):
        gt.load(path)


@pytest.mark.parametrize(
    "change, words",
    [
        ({"counts": np.array([1])}, r"hits must have shape \(1,\), got \(70,\)"),
        ({"points": ()}, "points must hold as many states"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"n_units": 5.0}, "n_units must be an integer"),
    ],
)
def test_damaged_descriptions(result, change, words):
    with pytest.raises((TypeError, ValueError), match=words):
        decode(encode(replace(result, **change)))


def test_progress():
    calls = []
    gt.count_fixed_points(gt.Ensemble(gt.Vanilla), 2, 200, rng=0, progress=lambda *a: calls.append(a))
    done, total = zip(*calls)
    assert set(total) == {200} and done[-1] == 200 and list(done) == sorted(done)


# --- the ends of the range


def test_no_gain_one_fixed_point():
    for ens in (gt.Ensemble(gt.GRU, gain=0.0, bias_std=1.0), gt.Ensemble(gt.LSTM, gain=0.3)):
        result = gt.count_fixed_points(ens, 4, 5, rng=0)
        assert result.counts.tolist() == [1] * 5
        assert result.mean_log == 0.0 and result.status.code == "ok"


def test_unbounded_states_have_no_degree_to_check():
    result = gt.count_fixed_points(gt.Ensemble(gt.LiGRU, gain=0.5, bias_std=0.3), 3, 4, rng=0)
    assert result.complete_degree is None and np.isnan(result.degree_passed)
    assert result.counts.tolist() == [1] * 4  # a contraction at this gain
    assert "no degree to check" in str(result.status)
    assert "degree check" not in str(result).partition("status")[0]
    same(decode(encode(result)), result)


def test_networks_without_a_fixed_point():
    """h = max(0, u h + b) has none where b > 0 and u >= 1; the result says so, and E log n is -inf."""
    result = gt.count_fixed_points(gt.Ensemble(gt.LiGRU, gain=3.0, bias=1.0), 1, 6, rng=0, max_rounds=2)
    u = np.array([result.network(i).matrices[1].item() for i in range(6)])
    assert np.array_equal(result.counts, np.where(u < 1, 1, 0))
    assert 0 in result.counts and result.mean_log == -np.inf and np.isnan(result.mean_log_stderr)
    assert "without a fixed point" in str(result.status)
    same(decode(json.loads(json.dumps(encode(result)))), result)


def test_points_of_networks_without_any_come_back_from_a_journal(tmp_path):
    """(0, d, N) both times: an empty list has forgotten its shape."""
    arguments = {"rng": 0, "max_rounds": 2, "points": True, "journal": tmp_path / "journal"}
    first, again = (gt.count_fixed_points(gt.Ensemble(gt.LiGRU, gain=3.0, bias=1.0), 1, 6, **arguments) for _ in range(2))
    assert 0 in first.counts and [p.shape for p in first.points] == [p.shape for p in again.points] == [
        (c, 1, 1) for c in first.counts
    ]


def test_few_hits_leave_an_estimate_of_what_is_missing():
    """In some networks of 12 units a point is reached once only when the search ends; 24 networks of 8 units have none such."""
    result = gt.count_fixed_points(gt.Ensemble(gt.GRU, gain={"h": 4, "r": 8}), 12, 16, rng=0, min_hits=1)
    assert result.settled.all() and result.n_missing.max() > 0
    assert (result.n_missing[result.hits >= 3] == 0).all() and (result.hits[result.n_missing > 0] == 1).all()


def test_counts_that_the_degree_shows_to_be_short_are_lower_bounds():
    """After one round of a hard search: what the degree lacks is in ``n_missing``, and averages are called lower bounds."""
    result = gt.count_fixed_points(gt.Ensemble(gt.LSTM, gain=6.0), 8, 24, rng=0, max_rounds=1)
    short = result.degree != result.complete_degree
    assert short.any() and not result.complete[short].any()
    assert (result.n_missing >= np.abs(1 - result.degree)).all()
    assert np.array_equal(result.complete, result.settled & ~short)
    assert "E n >= " in str(result) and "E log n >= " in str(result)
    assert np.array_equal(result.to_dataset()["complete"].values, result.complete)
    whole = gt.count_fixed_points(gt.Ensemble(gt.Vanilla, gain=2.0), 4, 6, rng=0)
    assert whole.complete.all() and "E n = " in str(whole)


def test_cells_without_a_closed_form_have_no_degree_to_check():
    """Their sites may jump from one fixed state to another."""
    result = gt.count_fixed_points(gt.Ensemble(gt.PeepholeLSTM, gain=3.0), 3, 4, rng=0)
    assert result.complete_degree is None and "no degree to check" in str(result.status)


def test_given_up_early_is_said():
    result = gt.count_fixed_points(gt.Ensemble(gt.GRU, gain={"h": 4, "r": 8}), 14, 3, rng=0, max_rounds=1)
    assert not result.settled.all() and (result.n_rounds == 1).all()
    assert "given up before their search had settled" in str(result.status)


def test_a_single_network():
    result = gt.count_fixed_points(gt.Ensemble(gt.Vanilla, gain=2), 3, 1, rng=np.random.default_rng(0))
    assert result.n_networks == 1 and np.isnan(result.mean_stderr)
    assert "nan" in str(result)


@pytest.mark.parametrize(
    "changes, error, message",
    [
        ({"ens": gt.GRU}, TypeError, "ens must be an Ensemble"),
        ({"n_units": 0}, ValueError, "n_units must be at least 1, got 0"),
        ({"n_units": 8.0}, TypeError, "n_units must be an integer"),
        ({"n_networks": 0}, ValueError, "n_networks must be at least 1"),
        ({"executor": 4}, TypeError, "executor must have a submit method"),
        ({"progress": 4}, TypeError, "progress must be None, True or a callable"),
        ({"min_hits": 0}, ValueError, "min_hits must be at least 1"),
        ({"max_rounds": 0}, ValueError, "max_rounds must be at least 1"),
        ({"scale": 0.0}, ValueError, r"scale must lie in \(0"),
        ({"tol": 1e-3}, ValueError, "tol must lie in"),
        ({"merge": 0.0}, ValueError, "merge must lie in"),
        ({"points": 1}, TypeError, "points must be True or False, got 1"),
        ({"rng": "a"}, TypeError, "rng must be"),
    ],
)
def test_bad_arguments(changes, error, message):
    arguments = {"ens": gt.Ensemble(gt.Vanilla), "n_units": 2, "n_networks": 2} | changes
    with pytest.raises(error, match=message):
        gt.count_fixed_points(arguments.pop("ens"), arguments.pop("n_units"), arguments.pop("n_networks"), **arguments)


@pytest.mark.parametrize("i", [-1, 70, 1.0])
def test_there_is_no_such_network(result, i):
    with pytest.raises((TypeError, ValueError), match="^i must"):
        result.network(i)


def test_a_journal_spares_what_was_counted(tmp_path):
    """Four pieces, stopped after the second: what is on disk is not counted again, and all is as without a journal."""
    ens, path, told = gt.Ensemble(gt.Vanilla, gain=2.0), tmp_path / "journal", []

    def stop(done, total):
        told.append(done)
        if len(told) == 2:
            raise KeyboardInterrupt

    options = {"rng": 5, "points": True, "journal": path}
    with pytest.raises(KeyboardInterrupt):
        gt.count_fixed_points(ens, 4, 200, **options, progress=stop)
    again = gt.count_fixed_points(ens, 4, 200, **options, progress=lambda done, total: told.append(done))
    plain = gt.count_fixed_points(ens, 4, 200, rng=5, points=True)
    assert path.read_text().count("\n") - 1 == len(told) - 2, "two pieces were told of twice, none was counted twice"
    assert (again.counts == plain.counts).all() and again.degree_passed == plain.degree_passed
    assert all(np.array_equal(a, b) for a, b in zip(again.points, plain.points))
    with pytest.raises(ValueError, match="n_units was 4 and is 5"):
        gt.count_fixed_points(ens, 5, 200, **options)
