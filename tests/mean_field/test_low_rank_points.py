"""Mean-field fixed points with low-rank parts of matrices: the sheet's numbers, closed forms, Monte Carlo, given loadings [T11]."""

from functools import cache

import numpy as np
import pytest
from low_rank_cases import CASES

import gating_theory as gt
from gating_theory.mean_field.overlap_map import overlap_map


@cache
def points_of(name):
    """The fixed points of a case, for all tests that look at them."""
    return tuple(gt.fixed_points(CASES[name].ensemble))


def brute(ensemble, overlaps, q, n, rng):
    """E[B m] and E[m^2] of the definition, and their standard errors: n sites with loadings and fields drawn one by one."""
    low, cell = ensemble.low_rank, ensemble.cell
    if low.vectors is None:
        left, right = low.drawn(n, rng).vectors
    else:
        pick = rng.integers(0, low.n_units, n)
        left, right = low.vectors[:, :, pick]
    q_of = np.array(q)[list(cell.message_of)]
    std = np.sqrt(ensemble.array("gain") ** 2 * q_of + ensemble.array("bias_std") ** 2 + ensemble.array("input_std") ** 2)
    fields = ensemble.array("bias")[:, None] + std[:, None] * rng.standard_normal((cell.n_fields, n))
    for r, name in enumerate(low.channels):
        fields[cell.field_names.index(name)] += overlaps[r] * left[r]
    spread = np.hypot(ensemble.array("parameter_std"), ensemble.array("parameter_input_std"))
    parameters = ensemble.array("parameter")[:, None] + spread[:, None] * rng.standard_normal((cell.n_parameters, n))
    messages = cell.compiled.messages(cell.compiled.fixed_state(fields, parameters), fields, parameters)
    read = [cell.message_of[cell.field_names.index(name)] for name in low.channels]
    samples = np.array([*(right[r] * messages[k] for r, k in enumerate(read)), *(m**2 for m in messages)])
    return samples.mean(axis=1), samples.std(axis=1) / np.sqrt(n)


def agree(point, n, rng):
    """Within 4.5 standard errors: a chance of 1e-5 that one of a dozen numbers is not."""
    found, error = brute(point.ensemble, point.overlaps, point.q, n, rng)
    assert np.all(np.abs(found - [*point.overlaps, *point.q]) <= 4.5 * error), (found, error, point)


@pytest.mark.parametrize("name", CASES)
def test_the_sheet_s_numbers(name):
    """Section 8 to the digits given; where the zero state is one it is there, and both signs where the loadings have mean zero."""
    case = CASES[name]
    points = points_of(name)
    assert all(point.ok for point in points)
    point = (
        points[-1]
        if name != "V1" and name != "G1" and len(case.overlaps) > 1
        else next(p for p in points if (p.overlaps > 0).any())
    )
    # half a unit of the last digit given, and what their rounding may add
    np.testing.assert_allclose(point.overlaps, case.overlaps, atol=case.digits)
    np.testing.assert_allclose(point.q, case.moments, atol=case.digits)
    assert (points[0].status.code == "zero_state") == (not any(case.ensemble.bias.values()) or name == "G3")
    assert point.residual < 1e-12 and 0.0 < point.error < 1e-9
    for one in points:
        one.check()


@pytest.mark.parametrize(("gain", "omega"), [(0.3, 1.4), (1.1, 3.0), (0.0, 2.2)])
def test_closed_forms_hold_at_any_gain(gain, omega):
    """q = 1 - 1/omega (vanilla) and 1 - 2/omega (GRU), by Stein's lemma, with partners of the other sign."""
    low = gt.LowRank("h", covariance=[[0.7, omega], [omega, 2.0 + omega**2 / 0.7]])
    for cell, least in ((gt.Vanilla, 1.0), (gt.GRU, 2.0)):
        points = gt.fixed_points(gt.Ensemble(cell, gain, low_rank=low))
        remembering = [p for p in points if p.overlaps.any()]
        assert len(remembering) == (2 if omega > least else 0)
        for p in remembering:
            assert abs(p.q[0] - (1.0 - least / omega)) < max(1e-12, p.error)
        if remembering:
            assert remembering[0].overlaps[0] == pytest.approx(-remembering[1].overlaps[0], rel=1e-9)


def test_activity_and_memory_are_several_solutions():
    """Vanilla beyond the random part's onset: at rest, random activity without an overlap, and two memories."""
    points = gt.fixed_points(gt.Ensemble(gt.Vanilla, 1.7, low_rank=gt.LowRank("h", covariance=[[1, 3], [3, 10]])))
    alone = gt.fixed_points(gt.Ensemble(gt.Vanilla, 1.7))
    assert [bool(p.overlaps.any()) for p in points] == [False, False, True, True]
    assert points[1].moments["h"] == pytest.approx(alone[1].moments["h"], rel=1e-9)
    # without symmetry the two memories are of different depth: neither is the other's mirror image
    tilted = gt.fixed_points(gt.Ensemble(gt.Vanilla, 0.5, 0.05, low_rank=gt.LowRank("h", [0.3, 0.2], [[1, 3], [3, 10]])))
    assert len(tilted) == 3 and not any(p.is_zero for p in tilted)
    assert len({round(abs(p.overlaps[0]), 6) for p in tilted}) == 3


def test_a_ring_is_one_solution_that_says_so():
    """Rank two, isotropic: overlaps may be turned, C(1) = 1 along the ring; one point stands for all."""
    eye = np.eye(2)
    ring = gt.LowRank({"h": 2}, covariance=np.block([[eye, 2.6 * eye], [2.6 * eye, 8 * eye]]))
    zero, point = gt.fixed_points(gt.Ensemble(gt.GRU, {"z": 3, "r": 1, "h": 0.8}, {"z": 2}, low_rank=ring))
    assert zero.is_zero and point.status.code == "continuum" and point.ok
    assert point.moments["h"] == pytest.approx(1.0 - 2.0 / 2.6, rel=1e-11)
    # two lone memories that do not turn into one another are no ring
    apart = ring.covariance[0].copy()
    apart[1, 3] = apart[3, 1] = 2.4
    points = gt.fixed_points(gt.Ensemble(gt.GRU, {"z": 3, "r": 1, "h": 0.8}, low_rank=gt.LowRank({"h": 2}, covariance=apart)))
    assert [p.status.code for p in points] == ["zero_state"] + ["converged"] * 4
    assert sorted(np.count_nonzero(np.abs(p.overlaps) > 1e-8) for p in points) == [0, 1, 1, 1, 1]


def _random_low_rank(rng, channels):
    size = 2 * len(channels)
    roots = rng.standard_normal((2, size, size + 1)) / np.sqrt(size)
    covariance = np.array([root @ root.T for root in roots])
    covariance[:, : size // 2, size // 2 :] += 1.2 * np.eye(size // 2)
    covariance[:, size // 2 :, : size // 2] += 1.2 * np.eye(size // 2)
    covariance += 1.5 * np.eye(size)
    return gt.LowRank(channels, 0.4 * rng.standard_normal((2, size)), covariance, mixture=[0.3, 0.7])


@pytest.mark.parametrize(
    ("cell", "channels", "seed"),
    [
        ("GRU", ("h", "r"), 0),
        ("GRUResetAfter", ("h", "z"), 1),
        ("MGU", ("h", "f"), 2),
        ("JANET", ("c", "f"), 3),
        ("LSTM", ("g", "o"), 4),
        ("PeepholeLSTM", ("g",), 5),
        ("LiGRUTanh", ("h", "h"), 6),
    ],
)
def test_any_cell_against_sites_drawn_one_by_one(cell, channels, seed):
    """Quadrature of the Gaussians given the fields, against a plain loop over the definition: mixtures, gates, spreads, inputs."""
    rng = np.random.default_rng(seed)
    cell = getattr(gt, cell)
    channels = tuple(name if name in cell.field_names else cell.field_names[-1] for name in channels)
    more = {"parameter_std": 0.3} if cell is gt.GRUResetAfter else {"parameter": 0.1}
    # memories that hardly forget have no fixed point with peepholes: they run away
    bias = {"f": -3.0} if cell is gt.PeepholeLSTM else 0.1
    ensemble = gt.Ensemble(cell, 0.7, bias, 0.2, 0.1, low_rank=_random_low_rank(rng, channels), **more)
    for point in gt.fixed_points(ensemble, tol=1e-6):
        assert point.ok, point
        agree(point, 100_000, rng)


def test_sites_that_are_solved_for_and_kinks():
    """Cells without a closed form work as well; those with kinks say how well they are known."""
    import sympy as sp

    y, h = sp.symbols("y h")
    solved = gt.Cell(name="solved", state=[h], fields=[y], messages=[h], update=[sp.tanh(y + h / 4)])
    low = gt.LowRank("y", covariance=[[1, 1.5], [1.5, 4]])
    for point in gt.fixed_points(gt.Ensemble(solved, 0.5, low_rank=low), tol=1e-8):
        assert point.ok
        agree(point, 100_000, np.random.default_rng(1))
    hard = gt.Cell(name="hard", state=[h], fields=[y], messages=[h], update=[sp.Max(-1, sp.Min(1, y))])
    for point in gt.fixed_points(gt.Ensemble(hard, 0.5, low_rank=low), tol=1e-8):
        assert point.ok or point.status.code == "inaccurate"
        agree(point, 100_000, np.random.default_rng(2))


def test_stein_s_lemma_gives_the_same_overlaps():
    """E[B m] = E[B] E[m] + Cov(B, A) X^T E[W(1)] in each component: derivatives of the cell instead of conditional means."""
    for name in ("V2", "G3", "L2"):
        point, cell = points_of(name)[-1], CASES[name].ensemble.cell
        low, loaded = point.ensemble.low_rank, point.loaded_sites(1e-8)
        sites, R = loaded.sites, low.rank
        messages, W = cell.compiled.response(sites.fields, sites.parameters)
        fields = [cell.field_names.index(c) for c in low.channels]
        total = np.zeros(R)
        for c in range(len(low.mixture)):
            own = np.where(loaded.component == c, sites.weights, 0.0)
            for r, k in enumerate(fields):
                m = cell.message_of[k]
                total[r] += low.mean[c, R + r] * (own @ messages[m])
                for s, l in enumerate(fields):
                    slope = own @ np.broadcast_to(W[m][l], sites.size)
                    total[r] += low.covariance[c, R + r, s] * point.overlaps[s] * slope
        np.testing.assert_allclose(total, point.overlaps, atol=3e-7)  # of the population's tolerance


@pytest.mark.parametrize("name", CASES)
def test_loaded_sites_are_consistent(name):
    """Means and covariances given the fields add up to those of the loadings; y = b + A kappa + x site by site."""
    case = CASES[name]
    point = points_of(name)[-1]
    loaded, low, cell = point.loaded_sites(1e-6), case.ensemble.low_rank, case.ensemble.cell
    sites, R, K = loaded.sites, low.rank, cell.n_fields
    weights = np.array([sites.weights[loaded.component == c].sum() for c in range(len(low.mixture))])
    second = (loaded.mean * sites.weights) @ loaded.mean.T + np.einsum("c,cij->ij", weights, loaded.covariance)
    expected = np.zeros_like(second)
    expected[: 2 * R, : 2 * R] = np.einsum("c,cij->ij", low.mixture, low.covariance + low.mean[:, :, None] * low.mean[:, None, :])
    x = range(2 * R, 2 * R + K)
    expected[x, x] = case.ensemble.array("gain") ** 2 * point.q[list(cell.message_of)]
    # sites reach to a tolerance of 1e-6: squares of six loadings of variance 6 there leave some times more
    np.testing.assert_allclose(second, expected, atol=3e-5)
    left = sites.fields - case.ensemble.array("bias")[:, None] - loaded.mean[2 * R :]
    for r, name_ in enumerate(low.channels):
        left[cell.field_names.index(name_)] -= point.overlaps[r] * loaded.mean[r]
    np.testing.assert_allclose(left, 0.0, atol=1e-12)
    messages = cell.compiled.messages(sites.state, sites.fields, sites.parameters)
    read = [cell.message_of[cell.field_names.index(c)] for c in low.channels]
    again = [sites.mean(loaded.mean[R + r] * messages[m]) for r, m in enumerate(read)]
    np.testing.assert_allclose(again, point.overlaps, atol=2e-6)
    np.testing.assert_allclose(list(sites.moments().values()), point.q, atol=2e-6)
    spread = {n: np.sqrt(sites.mean(y**2) - sites.mean(y) ** 2) for n, y in zip(cell.field_names, sites.fields)}
    assert point.field_std == pytest.approx(spread, abs=2e-5)
    assert point.field_mean == pytest.approx({n: sites.mean(y) for n, y in zip(cell.field_names, sites.fields)}, abs=2e-5)


def test_folded_sites_average_even_functions_alike():
    point = points_of("G1")[1]
    whole, half = point.sites_at(1e-8), point.sites_at(1e-8, fold=True)
    assert half.size < 0.7 * whole.size
    assert half.mean(half.fields[2] ** 2) == pytest.approx(whole.mean(whole.fields[2] ** 2), rel=1e-6)


@pytest.mark.parametrize("name", [pytest.param("V1", marks=pytest.mark.nightly), "G2", "L1"])
def test_given_loadings_average_over_what_is_random_beside_them(name):
    """A plain loop over the units with drawn fields, and the sums over many units: those of the law within the sampling error."""
    rng = np.random.default_rng(3)
    case = CASES[name]
    few = case.ensemble.with_low_rank(case.ensemble.low_rank.drawn(40, rng))
    point = gt.fixed_points(few, tol=1e-6)[-1]
    assert point.ok and point.overlaps.any()
    agree(point, 200_000, rng)
    loaded = point.loaded_sites(1e-4, max_nodes=60_000)
    assert loaded.sites.size <= 60_000 and not loaded.covariance.any()
    R = point.ensemble.low_rank.rank
    messages = few.cell.compiled.messages(loaded.sites.state, loaded.sites.fields, loaded.sites.parameters)
    read = few.cell.message_of[few.cell.field_names.index(few.low_rank.channels[0])]
    assert loaded.sites.mean(loaded.mean[R] * messages[read]) == pytest.approx(point.overlaps[0], rel=1e-3)
    with pytest.raises(gt.CapabilityError, match="refine is not known"):
        point.sites_at(1e-4, refine=[2.0] * (few.cell.n_fields + few.cell.n_parameters))


@pytest.mark.parametrize("given", [False, True])
def test_two_rules_show_how_far_off_averages_are(given):
    """At tolerances at which nodes are few the largest difference of the two rules is not below half of the largest error."""
    ensemble = CASES["V1"].ensemble
    if given:
        ensemble = ensemble.with_low_rank(ensemble.low_rank.drawn(50, 0))
    overlap = overlap_map(ensemble)
    u = np.array([[*CASES["V1"].overlaps, *CASES["V1"].moments]])
    exact = overlap(u, 1e-13)
    for tol in (1e-3, 1e-4, 1e-5):
        first = overlap(u, tol)
        assert np.abs(first - exact).max() < max(2.0 * np.abs(overlap(u, tol, second=True) - first).max(), 1e-12)


def test_what_is_saved_comes_back_and_what_is_damaged_does_not(tmp_path):
    points = list(points_of("V2"))
    gt.save(points, tmp_path / "points.json")
    again = gt.load(tmp_path / "points.json")
    assert again == points and again[0].overlaps.shape == (2,) and "overlaps 0.041505, 0.270083" in str(again[0])
    broken = (tmp_path / "points.json").read_text().replace("0.04150502", "0.05150502")
    (tmp_path / "broken.json").write_text(broken)
    with pytest.raises(ValueError):
        gt.load(tmp_path / "broken.json")
    assert gt.fixed_points(gt.Ensemble(gt.Vanilla, 1.5))[0].overlaps.shape == (0,)


def test_who_asks_for_independent_fields_is_refused():
    point = points_of("G1")[1]
    with pytest.raises(gt.CapabilityError, match="correlated over sites"):
        point.law  # noqa: B018
    with pytest.raises(gt.CapabilityError, match="messages that grow without bound"):
        gt.fixed_points(gt.Ensemble(gt.LiGRU, low_rank=gt.LowRank("h", covariance=np.eye(2))))
    haar = gt.fixed_points(CASES["V1"].ensemble.with_matrices("orthogonal"))
    np.testing.assert_allclose(haar[1].overlaps, CASES["V1"].overlaps, atol=1e-10)  # fields are as those of iid matrices
    with pytest.raises(gt.CapabilityError, match="Unknown"):
        gt.fixed_points(CASES["V1"].ensemble.with_matrices("unknown"))
