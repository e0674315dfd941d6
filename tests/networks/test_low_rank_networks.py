"""Networks that are random plus low rank against their mean field, with loadings drawn and given [T11]."""

import numpy as np
import pytest

import gating_theory as gt
from gating_theory.mean_field.overlap_map import overlap_map
from gating_theory.mean_field.overlap_solutions import slopes

N = 400


def at_rest(net, state, n_steps=250):
    for _ in range(n_steps):
        state = net.step(state)
    assert np.abs(net.step(state) - state).max() < 1e-6
    return state


def reach(point, given):
    """Standard deviations of overlaps and moments of networks of N units: those of the sites' averages, amplified by the map.

    Of given loadings only what is random beside them varies.
    """
    loaded, cell = point.loaded_sites(1e-4), point.ensemble.cell
    sites, R = loaded.sites, point.ensemble.low_rank.rank
    messages = cell.compiled.messages(sites.state, sites.fields, sites.parameters)
    read = [cell.message_of[cell.field_names.index(name)] for name in point.ensemble.low_rank.channels]
    values = np.array([*(loaded.mean[R + r] * messages[m] for r, m in enumerate(read)), *(m**2 for m in messages)])
    if given:
        units = values.reshape(len(values), N, -1)
        weights = sites.weights.reshape(N, -1)
        away = (units - (units * weights).sum(axis=2, keepdims=True) * N).reshape(len(values), -1)
    else:
        away = values - sites.mean(values)[:, None]
    covariance = (away * sites.weights) @ away.T
    if not given:  # what loadings vary by at a given site
        inner = np.array([loaded.covariance[:, R + r, R + r][loaded.component] for r in range(R)])
        covariance[range(R), range(R)] += [sites.mean(inner[r] * messages[m] ** 2) for r, m in enumerate(read)]
    u = np.concatenate([point.overlaps, point.q])
    amplified = np.linalg.inv(np.eye(u.size) - slopes(overlap_map(point.ensemble), u[None, :], 1e-6)[0])
    return np.sqrt(np.diag(amplified @ covariance @ amplified.T) / N)


def measured(net, state, right, channels):
    cell = net.cell
    messages = cell.compiled.messages(state, net.fields(state), net.parameters)
    read = [cell.message_of[cell.field_names.index(name)] for name in channels]
    return np.array([*(right[r] @ messages[m] / N for r, m in enumerate(read)), *((m**2).mean() for m in messages)])


def start(point, left):
    """Sites at the overlaps of a solution, without what is random."""
    ensemble = point.ensemble
    cell = ensemble.cell
    fields = np.repeat(ensemble.array("bias")[:, None], N, axis=1)
    for r, name in enumerate(ensemble.low_rank.channels):
        fields[cell.field_names.index(name)] += left[r] * point.overlaps[r]
    state = cell.compiled.fixed_state(fields, np.zeros((cell.n_parameters, N)))
    return np.array([np.broadcast_to(s, N) for s in state])


@pytest.mark.parametrize(
    ("ensemble", "n_networks"),
    [
        (gt.Ensemble(gt.Vanilla, 0.8, low_rank=gt.LowRank("h", covariance=[[1.5, 2.4], [2.4, 5.0]])), 12),
        (gt.Ensemble(gt.GRU, {"z": 0.3, "r": 1, "h": 0.8}, low_rank=gt.LowRank("h", covariance=[[1.5, 4.0], [4.0, 12.0]])), 10),
    ],
)
def test_networks_rest_where_theory_says(ensemble, n_networks):
    """Means over networks within 4.5 standard errors and 4 / N of bias; some within 4.5 deviations of their own theory."""
    rng = np.random.default_rng(0)
    point = next(p for p in gt.fixed_points(ensemble) if (p.overlaps > 0.0).all() and p.overlaps.any())
    found, theory = [], np.concatenate([point.overlaps, point.q])
    for i in range(n_networks):
        drawn = ensemble.with_low_rank(ensemble.low_rank.drawn(N, rng))
        left, right = drawn.low_rank.vectors
        net = gt.Network.sample(drawn, N, rng)
        found.append(measured(net, at_rest(net, start(point, left)), right, ensemble.low_rank.channels))
        if i < 2 and ensemble.cell is gt.Vanilla:
            own = next(p for p in gt.fixed_points(drawn, tol=1e-5) if (p.overlaps > 0.0).all() and p.overlaps.any())
            away = (found[-1] - [*own.overlaps, *own.q]) / reach(own, given=True)
            assert np.abs(away).max() < 4.5, away
    spread = reach(point, given=False)
    away = np.abs(np.mean(found, axis=0) - theory) - 4.0 / N
    assert np.all(away < 4.5 * spread / np.sqrt(n_networks)), (np.mean(found, axis=0), theory, spread)
    # and they scatter as much as they should: a factor of 2 is 4 standard deviations of a chi-squared of 9 degrees
    assert np.all(np.std(found, axis=0, ddof=1) < 2.0 * spread) and np.all(np.std(found, axis=0, ddof=1) > 0.4 * spread)
