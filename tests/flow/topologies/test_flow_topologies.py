"""The catalogue of topologies of two-unit GRUs, re-verified, and the search that finds them."""

import numpy as np
import pytest

import gating_theory as gt
from gating_theory.flow import Topology, search_topologies, simplify, topology_catalogue

CATALOGUE = topology_catalogue()


def test_catalogue_is_a_catalogue():
    assert len(CATALOGUE) == 35
    assert [sum(t) for t in CATALOGUE] == sorted(sum(t) for t in CATALOGUE)
    for triple in CATALOGUE:
        assert triple.saddles == triple.sinks + triple.sources - 1
    # all that the index allows up to thirteen points but one
    allowed = {(sinks, saddles + 1 - sinks, saddles) for saddles in range(7) for sinks in range(saddles + 2)}
    assert allowed - set(CATALOGUE) == {(0, 7, 6)}
    assert max(CATALOGUE, key=sum) == (7, 1, 7)


@pytest.mark.parametrize("triple", list(CATALOGUE), ids=lambda t: f"{t.sinks}-{t.sources}-{t.saddles}")
def test_catalogue_is_certified(triple):
    found = CATALOGUE[triple].fixed_points("certified")
    assert found.complete and found.topology == triple, found


@pytest.mark.slow
def test_search_finds_many_triples():
    """A short search finds more triples than units without gates have, each with a flow that has it."""
    # two units without gates have eight, whatever their weights; the whole search, of 25 and more, is in benchmarks/topologies.py
    found = search_topologies(10, 400, rng=1)
    assert len(found) > 8, found
    assert all(found.frequency[t] > 0 for t in found.examples)
    for triple, flow in found.examples.items():
        assert flow.fixed_points().topology == triple
    # the gates tried on every network turn sinks to sources
    assert max(t.sources for t in found.examples) > 1


def test_short_search_and_simplify():
    told = []
    found = search_topologies(4, 200, rng=0, progress=lambda done, total: told.append((done, total)))
    assert found.n_networks == 800 and told[-1] == (800, 800) and len(found) >= 5
    assert str(found).startswith(f"{len(found)} triples")
    continued = search_topologies(1, 200, rng=1, start=found.examples.values())
    assert set(continued.examples) >= set(found.examples)
    again = search_topologies(4, 200, rng=0)
    assert list(again.examples) == list(found.examples)
    triple, flow = list(found.examples.items())[-1]
    simple = simplify(flow)
    assert simple.fixed_points().topology == triple
    assert np.count_nonzero(simple.flat) <= np.count_nonzero(flow.flat)
    assert isinstance(triple, Topology)


def test_bad_arguments():
    with pytest.raises(ValueError, match="n_generations"):
        search_topologies(0)
    with pytest.raises(ValueError, match="population"):
        search_topologies(1, 3)
    with pytest.raises(ValueError, match="largest"):
        search_topologies(1, largest=0.0)
    with pytest.raises(TypeError, match="start must be a sequence of flows"):
        search_topologies(1, start=[3])
    with pytest.raises(TypeError, match="progress"):
        search_topologies(1, progress=3)
    with pytest.raises(TypeError, match="two-unit GRU"):
        simplify(gt.flow.GRUFlow(U_h=3.0))
    with pytest.raises(ValueError, match="not decided"):
        simplify(gt.flow.GRUFlow(U_h=[[2, 0], [0, 2]]))
