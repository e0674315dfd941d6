"""Populations of sites: averages over them, and what is refused."""

import numpy as np
import pytest

import gating_theory as gt
from gating_theory.ensemble.sites import Sites


def _sites(**changes):
    given = {"cell": gt.GRU, "weights": [0.25, 0.75], "state": np.zeros((1, 2)), "fields": np.ones((3, 2)), "gain": [1, 2, 3]}
    return Sites(**{**given, **changes})


def test_sites_hold_averages():
    sites = _sites(state=[[1.0, 2.0]], fields=[[0, 0], [0, 50.0], [0, 0]])
    assert sites.size == 2 and sites.mean([1.0, 3.0]) == 2.5 and sites.parameters.shape == (0, 2)
    # r = 1/2 and 1
    assert sites.moments() == pytest.approx({"h": 0.25 + 3.0, "r*h": 0.25 * 0.25 + 3.0}, rel=1e-14)
    assert "GRU" in repr(sites) and "2 sites" in repr(sites)
    assert np.isnan(sites.tol) and sites.source == "given"


@pytest.mark.parametrize(
    "changes, text",
    [
        ({"weights": []}, "weights"),
        ({"weights": [[0.5, 0.5]]}, "weights"),
        ({"weights": [0.5, 0.6]}, "sum to 1"),
        ({"weights": [1.5, -0.5]}, "non-negative"),
        ({"weights": [np.nan, 1.0]}, "weights"),
        ({"state": np.zeros((2, 2))}, "state must have shape"),
        ({"state": np.zeros(2)}, "state must have shape"),
        ({"fields": np.zeros((3, 3))}, "fields must have shape"),
        ({"fields": np.full((3, 2), np.inf)}, "fields must be finite"),
        ({"parameters": np.zeros((1, 2))}, "parameters must have shape"),
        ({"gain": [1.0]}, "gain"),
        ({"gain": [1.0, -1.0, 1.0]}, "gain"),
        ({"gain": [1.0, np.nan, 1.0]}, "gain"),
    ],
)
def test_bad_sites_are_refused(changes, text):
    with pytest.raises(ValueError, match=text):
        _sites(**changes)


def test_parameters_of_sites_default_to_zero():
    sites = Sites(gt.JANET, [1.0], [[0.1]], [[0.0], [0.2]])
    assert sites.parameters.tolist() == [[0.0]] and sites.gain is None
