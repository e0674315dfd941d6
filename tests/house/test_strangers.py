"""What a stranger adds from outside the package, in about ten lines each: a law of matrices, a quantity, a result."""

from dataclasses import dataclass

import numpy as np
import pytest

import gating_theory as gt
from gating_theory.ensemble.matrix_laws import LIMIT

# --- a law of matrices


@dataclass(frozen=True)
class RandomSigns(gt.MatrixLaw):
    """Entries +- a / sqrt N: iid, so that the limit N -> infinity is that of normal entries."""

    name = "random_signs"
    holds = LIMIT

    def draw(self, n, rng, count=1):
        return rng.choice([-1.0, 1.0], size=(count, n, n))


@dataclass(frozen=True)
class Nilpotent(gt.MatrixLaw):
    """Strictly lower triangular: nothing of the theory holds, and nothing is claimed."""

    name = "nilpotent"

    def draw(self, n, rng, count=1):
        return np.sqrt(2.0) * np.tril(rng.standard_normal((count, n, n)), -1)


def signs(cell=gt.GRU, **changes):
    return gt.Ensemble(cell, **{"gain": {"z": 1, "r": 1, "h": 3}, **changes}, matrices=RandomSigns())


def test_signs_are_drawn_and_theirs_is_the_theory_of_the_limit():
    ensemble = signs(bias={"z": 0.5})
    net = gt.Network.sample(ensemble, 600, rng=0)
    for k, gain in enumerate(ensemble.gain.values()):
        np.testing.assert_array_equal(np.abs(net.matrices[k]), gain / np.sqrt(600))
    iid = gt.Ensemble(gt.GRU, gain={"z": 1, "r": 1, "h": 3}, bias={"z": 0.5})
    assert [p.moments for p in gt.fixed_points(ensemble)] == [p.moments for p in gt.fixed_points(iid)]
    # a fixed point of a network of signs: its moments are those of the limit within the scatter of 600 sites, and so is the radius
    state = net.run(net.random_state(rng=1), 400)
    sites = net.sites(state)
    assert sites.matrices["h"] == RandomSigns()
    radius = gt.Spectrum(sites).radius()
    outside = np.abs(net.eigenvalues(state)).max() / radius - 1.0
    # the largest of 600 eigenvalues lies beyond the edge by a few N^(-1/2) of its own scale at most
    assert abs(outside) < 0.15


def test_a_law_is_part_of_the_ensemble():
    ensemble = signs()
    assert ensemble != gt.Ensemble(gt.GRU, gain={"z": 1, "r": 1, "h": 3}) and "RandomSigns()" in repr(ensemble)
    assert gt.Ensemble.from_dict(ensemble.as_dict()) == ensemble
    assert ensemble.replace({"gain.h": 2.0}).matrices == ensemble.matrices
    mixed = ensemble.with_matrices({"h": RandomSigns()})
    assert mixed.matrices == {"z": gt.IID(), "r": gt.IID(), "h": RandomSigns()}
    net = gt.Network.sample(mixed, 50, rng=0)
    assert np.unique(np.abs(net.matrices[2])).size == 1 and np.unique(np.abs(net.matrices[0])).size == 2500
    assert ensemble.with_matrices("iid") == gt.Ensemble(gt.GRU, gain={"z": 1, "r": 1, "h": 3})


@pytest.mark.parametrize("wrong", ["haar", 3, None, {"q": "iid"}, {"h": 1.0}])
def test_what_is_no_law(wrong):
    with pytest.raises((TypeError, ValueError), match="matrices"):
        gt.Ensemble(gt.GRU, matrices=wrong)


#: Every calculator that takes an ensemble, and what it needs of the law.
CALCULATORS = {
    "fixed_points": lambda e: gt.fixed_points(e),
    "onset": lambda e: gt.onset(e, "gain.h"),
    "fold": lambda e: gt.fold(e, "gain.h"),
    "tricritical": lambda e: gt.tricritical(e, "gain.r", "gain.h"),
    "complexity": lambda e: gt.complexity(e),
    "complexity_onset": lambda e: gt.complexity_onset(e, "gain.h"),
    "kac_rice": lambda e: gt.kac_rice(e, 4, 200, rng=0),
    "simulate": lambda e: gt.simulate(e, 50, 20, rng=0),
    "steady_state": lambda e: gt.steady_state(e, 50, 20, rng=0),
    "largest_exponent": lambda e: gt.largest_exponent(e, 50, 20, rng=0),
    "chaos_onset": lambda e: gt.chaos_onset(e, "gain.h", (1.0, 4.0), n_units=50, n_steps=40, n_networks=1, tol=0.5),
    "phase_diagram": lambda e: gt.phase_diagram(e, {"gain.h": [2.0, 3.0]}, ["count", "radius"]),
    "Network.planted": lambda e: gt.Network.planted(gt.fixed_points(e)[-1], 20, rng=0),
    "Spectrum": lambda e: gt.Spectrum(gt.Network.sample(e, 20, rng=0).sites(np.zeros(20))).radius(),
    "count_fixed_points": lambda e: gt.count_fixed_points(e, 4, 2, rng=0),
    "Network.sample": lambda e: gt.Network.sample(e, 20, rng=0),
}
#: What random signs cannot: normal matrices at finite N.
_NORMAL_ONLY = {"kac_rice", "simulate", "steady_state", "largest_exponent", "chaos_onset", "Network.planted"}
#: What is true of every network that can be drawn.
_ANY = {"Network.sample", "count_fixed_points"}


@pytest.mark.parametrize("name", CALCULATORS)
def test_every_calculator_serves_or_refuses_by_name(name):
    calculate = CALCULATORS[name]
    if name in _NORMAL_ONLY:
        with pytest.raises(gt.CapabilityError, match=r"field 'z' has the law RandomSigns\(\).*use "):
            calculate(signs())
    else:
        assert calculate(signs()) is not None
    odd = signs().with_matrices(Nilpotent())
    if name in _ANY:
        assert calculate(odd) is not None
    else:
        with pytest.raises(gt.CapabilityError, match=r"field 'z' has the law Nilpotent\(\).*use "):
            calculate(odd)


@pytest.mark.parametrize("name", CALCULATORS)
def test_weights_of_unknown_law_get_no_answer_for_iid_ones(name):
    net = gt.Network.sample(gt.Ensemble(gt.GRU, gain={"z": 1, "r": 1, "h": 3}), 30, rng=0)
    given = gt.Network(gt.GRU, net.matrices, net.biases)
    assert given.ensemble.matrices["h"].name == "unknown"
    if name == "Spectrum":  # at their sites theory may be asked, and says what it assumes
        spectrum = gt.Spectrum(given.sites(np.zeros(30)))
        assert spectrum.matrices == dict.fromkeys("zrh", gt.IID()) and "assuming iid" in repr(spectrum)
        assert "assuming" not in repr(gt.Spectrum(net.sites(np.zeros(30))))
        return
    with pytest.raises(gt.CapabilityError, match=r"Unknown\(\).*with_matrices"):
        CALCULATORS[name](given.ensemble)
    assert given.ensemble.with_matrices("iid").matrices["h"] == gt.IID()
