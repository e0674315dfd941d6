"""The law of the fields at given moments: its variance by an independent sum, and against fields of sampled networks [T5]."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import random_ensembles

import gating_theory as gt
from gating_theory.ensemble.field_law import RandomFields, field_law, squared


def test_frozen_variances_add_up():
    e = gt.Ensemble(gt.GRU, bias_std={"h": 3.0}, input_std=4.0)
    np.testing.assert_array_equal(RandomFields(e).frozen, [16.0, 16.0, 25.0])


def moments(ensemble):
    """Moments of the distinct messages, strictly positive or zero."""
    n = ensemble.cell.n_messages
    return st.lists(st.sampled_from([0.0, 1e-12]) | st.floats(1e-3, 4.0), min_size=n, max_size=n)


@given(st.data())
def test_variance_by_an_independent_sum(data):
    ensemble = data.draw(random_ensembles())
    q = np.array(data.draw(moments(ensemble)))
    cell, random = ensemble.cell, RandomFields(ensemble)
    expected, through = [], []
    for k, name in enumerate(cell.field_names):
        heard = [i for i, m in enumerate(cell.distinct_messages) if m == cell.messages[k]]
        (i,) = heard
        through.append(ensemble.value(f"gain.{name}") ** 2 * q[i])
        expected.append(through[-1] + ensemble.value(f"bias_std.{name}") ** 2 + ensemble.value(f"input_std.{name}") ** 2)
    np.testing.assert_allclose(random.variance(q), expected, rtol=1e-14, atol=0)
    np.testing.assert_allclose(random.driven(q), through, rtol=1e-14, atol=0)
    np.testing.assert_allclose(random.driven_std(q) ** 2, through, rtol=1e-14, atol=1e-300)
    share = random.share(q)
    assert ((0.0 <= share) & (share <= 1.0)).all()
    np.testing.assert_allclose(share * expected, through, rtol=1e-14, atol=0)


@given(st.data())
def test_the_law_has_these_means_and_spreads(data):
    ensemble = data.draw(random_ensembles())
    cell, random = ensemble.cell, RandomFields(ensemble)
    batch = np.array([data.draw(moments(ensemble)) for _ in range(3)])
    law = random.law(batch)
    means = [ensemble.value(f"bias.{name}") for name in cell.field_names]
    means += [ensemble.value(f"parameter.{name}") for name in cell.parameter_names]
    np.testing.assert_array_equal(law.means, means)
    K, P = cell.n_fields, len(cell.parameters)
    assert law.stds.shape == (3, K + P) and len(law.shapes) == K + P
    np.testing.assert_allclose(law.stds[:, :K] ** 2, random.variance(batch), rtol=1e-14, atol=1e-300)
    np.testing.assert_array_equal(law.stds[:, K:], [[ensemble.value(f"parameter_std.{n}") for n in cell.parameter_names]] * 3)
    # one set of moments is a batch of one
    np.testing.assert_array_equal(field_law(ensemble, batch[1]).stds, law.stds[1:2])


def test_what_does_not_vary_has_no_share():
    random = RandomFields(gt.Ensemble(gt.GRU, gain={"z": 0, "r": 0, "h": 2}, bias_std={"r": 1}))
    np.testing.assert_array_equal(random.share(np.array([0.5, 0.0])), [0.0, 0.0, 0.0])
    np.testing.assert_array_equal(random.share(np.array([0.5, 0.25])), [0.0, 0.0, 1.0])


def test_negligible_gains_count_as_zero():
    ensemble = gt.Ensemble(gt.GRU, gain={"z": 1e-9, "r": 0.5, "h": 2})
    np.testing.assert_array_equal(RandomFields(ensemble, negligible=1e-9).gain2, [0.0, 0.25, 4.0])
    np.testing.assert_array_equal(RandomFields(ensemble).gain2, squared(np.array([1e-9, 0.5, 2.0])))
    half = RandomFields(ensemble, strip=0.5)
    for v, shape in enumerate(RandomFields(ensemble).shapes[v] for v in range(3)):
        assert half.shapes[v].strip == 0.5 * shape.strip and set(shape.breaks) < set(half.shapes[v].breaks)


@pytest.mark.parametrize("name", ["GRU", "LSTM", "PeepholeLSTM"])
def test_against_fields_of_sampled_networks(name):
    """At a given state the fields of a network are Gaussian over its draws; the moments are those of the state's own messages."""
    cell = getattr(gt, name)
    ensemble = gt.Ensemble(cell, gain=2.5, bias=0.4, bias_std=0.7, input_std=0.5, parameter=0.3, parameter_std=0.2)
    rng, n, count = np.random.default_rng(11), 200, 60
    random, K, scaled = RandomFields(ensemble), cell.n_fields, []
    for _ in range(count):
        net = gt.Network.sample(ensemble, n, rng=rng)
        state = rng.uniform(-1, 1, (cell.n_state, n))
        fields = net.fields(state)
        q = np.array([np.mean(m**2) for m in cell.compiled.messages(state, fields, net.parameters)])
        scaled.append((fields - random.means[:K, None]) / np.sqrt(random.variance(q))[:, None])
    scaled = np.moveaxis(scaled, 1, 0).reshape(K, n * count)
    # standard normal numbers, n x count of them: 4.5 standard errors of their mean, variance and fourth moment
    assert np.abs(scaled.mean(axis=1)).max() < 4.5 / np.sqrt(n * count)
    assert np.abs(np.mean(scaled**2, axis=1) - 1).max() < 4.5 * np.sqrt(2 / (n * count))
    assert np.abs(np.mean(scaled**4, axis=1) - 3).max() < 4.5 * np.sqrt(96 / (n * count))
