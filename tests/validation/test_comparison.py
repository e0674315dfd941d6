"""Validation: the theory passes, a wrong theory or a wrong network does not, and results depend on the seed alone."""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from strategies import leaky

import gating_theory as gt
from gating_theory.gradients.growth import gradient_growth
from gating_theory.spectrum.singular.singular_values import SingularValues
from gating_theory.validation import gradients
from gating_theory.validation.cases import CASES, Case
from gating_theory.validation.comparison import validate

BY_NAME = {case.name: case for case in CASES}
SMALL = [BY_NAME["GRU zero state"], BY_NAME["GRU upper branch"]]


def test_theory_agrees_with_small_networks(small):
    """Theory agrees with networks of 120 units in all 24 comparisons."""
    assert small.ok, small.table()
    assert str(small.status) == "24 of 24 comparisons agree" and small.status.code == "agree"
    assert [row.case for row in small.rows] == ["GRU zero state"] * 12 + ["GRU upper branch"] * 12
    assert small.clouds["GRU zero state"].shape == (240,)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["GRU chaos", "LSTM zero state", "LSTM fixed point", "LSTM chaos", "GRU marginal"])
def test_every_built_in_case(name):
    """Theory agrees with sampled networks in every case of `gating-theory validate`."""
    result = validate(BY_NAME[name], 150, 2, 3)
    assert result.ok, result.table()


def test_rows_hold_what_the_theory_says(small):
    point = gt.fixed_points(SMALL[1].ensemble)[-1]
    spectrum = gt.Spectrum(point)
    rows = {row.quantity: row for row in small.rows if row.case == "GRU upper branch"}
    assert rows["radius"].theory == pytest.approx(spectrum.radius(), rel=1e-9)
    assert rows["slow fraction, tau = 100"].theory == pytest.approx(spectrum.slow_fraction(100.0), abs=1e-3)
    assert rows["log|det| per unit at 1"].theory == pytest.approx(spectrum.potential(1.0), abs=1e-3)
    for row in small.rows:
        assert row.n_units == 120 and row.n_networks == 2 and row.spread_sites >= 0 and 0.0 < row.p_value <= 1.0


@pytest.mark.parametrize(
    "method, change",
    [
        ("potential", lambda v: v + 0.15),
        ("mass", lambda v: np.minimum(1.0, v + 0.2)),
        ("mass", lambda v: 0.6 * v),
        ("radius", lambda v: 1.4 * v),
        ("radius", lambda v: 0.7 * v),
        ("abscissa", lambda v: 1.4 * v),
    ],
)
def test_a_wrong_theory_is_noticed(monkeypatch, method, change):
    """A theory that is off in one quantity does not pass, though nothing else is compared."""
    right = getattr(gt.Spectrum, method)
    monkeypatch.setattr(gt.Spectrum, method, lambda self, *a, **k: change(right(self, *a, **k)))
    discs, lambdas = SMALL[1].discs if method == "mass" else (), SMALL[1].lambdas if method == "potential" else ()
    assert not validate(replace(SMALL[1], discs=discs, taus=(), lambdas=lambdas), n_units=150, n_networks=2, rng=1).ok


@pytest.mark.parametrize("what", ["singular values", "weights drawn anew"])
def test_a_wrong_theory_of_gradients_is_noticed(monkeypatch, what):
    """Moments that are ten per cent off, and growth as if the weights were not the same in every step."""
    if what == "singular values":
        right = SingularValues.moments
        monkeypatch.setattr(SingularValues, "moments", lambda self, k: 1.1 * right(self, k))
    else:
        monkeypatch.setattr(gradients, "gradient_growth", lambda source, n: gradient_growth(source, n, "untied"))
    case = Case("mine", gt.Ensemble(gt.GRU, gain=1.0), "zero", discs=(), taus=(), lambdas=())
    result = validate(case, n_units=150, n_networks=2, rng=1)
    wrong = {row.quantity for row in result.rows if not row.verdict.ok}
    assert wrong == ({"mean s^2", "mean s^4"} if what == "singular values" else {"gradients, T = 2", "gradients, T = 5"})


def test_wrong_networks_are_noticed(monkeypatch):
    # a network whose recurrent gain is 15 % too large
    sample = gt.Network.sample.__func__

    def louder(cls, ensemble, n_units, rng=None):
        return sample(cls, ensemble.replace({"gain.h": 1.15 * ensemble.value("gain.h")}), n_units, rng)

    monkeypatch.setattr(gt.Network, "sample", classmethod(louder))
    result = validate(SMALL[0], n_units=300, n_networks=2, rng=1)
    assert not result.ok
    assert "DISAGREE" in result.table() and "off" in result.table()


def test_results_depend_on_the_seed_alone(small):
    with ProcessPoolExecutor(2) as executor:
        again = validate(SMALL, n_units=120, n_networks=2, rng=1, executor=executor)
    for a, b in zip(again.rows, small.rows, strict=True):
        assert (a.case, a.quantity, a.verdict) == (b.case, b.quantity, b.verdict)
        # the same random numbers; sums may differ in their last digits from process to process
        assert (a.theory, a.at_sites, a.measured) == pytest.approx((b.theory, b.at_sites, b.measured), rel=1e-10)
    assert validate(SMALL[:1], n_units=120, n_networks=2, rng=2).rows[0] != small.rows[0]
    # more networks: the first two are those there were
    more = validate(SMALL[:1], n_units=120, n_networks=3, rng=1)
    assert np.array_equal(more.clouds["GRU zero state"][:240], small.clouds["GRU zero state"])


def test_a_case_of_ones_own():
    case = Case("mine", gt.Ensemble(gt.Vanilla, gain=0.8), "zero", discs=((0.0, 0.4),), taus=(5.0,), lambdas=(1.2,))
    result = validate(case, n_units=200, n_networks=2)
    assert result.ok, result.table()
    # the circular law: a uniform disc of radius 0.8
    rows = {row.quantity: row.theory for row in result.rows}
    assert rows["radius"] == pytest.approx(0.8) and rows["mass |z - 0| < 0.4"] == pytest.approx(0.25, abs=1e-3)
    assert rows["log|det| per unit at 1.2"] == pytest.approx(np.log(1.2), abs=1e-9)


def test_a_cell_of_ones_own():
    """The zero state and the active fixed point of an Ensemble, by numbers that hold for this cell."""
    own = gt.Ensemble(leaky(), gain={"z": 0.0, "h": 2.0})
    result = gt.validate(own, n_units=150, n_networks=2)
    assert result.ok, result.table()
    assert result.cases == ("leaky zero state", "leaky active fixed point")
    # z = 1/2 everywhere: a disc around 1/2 of half the gain
    rows = {row.quantity: row.theory for row in result.rows if row.case == "leaky zero state"}
    assert rows["radius"] == pytest.approx(1.5) and rows["mass |z - 0.5| < 0.3"] == pytest.approx(0.09, abs=1e-3)
    silent = gt.validate(gt.Ensemble(leaky(), gain=0.5), n_units=60, n_networks=1)
    assert silent.cases == ("leaky zero state",), "it has no other fixed point"


def test_sources_of_all_kinds():
    """An Ensemble, a typical fixed point, a steady state and a fixed point at once, at places of one's own, told how far it is."""
    ens = gt.Ensemble(gt.Vanilla, gain=2.0, bias_std=0.3)
    moving = gt.steady_state(gt.Ensemble(gt.GRU, gain={"h": 6}), 500, 120, rng=0, lyapunov_units=0)
    sources = [ens, gt.complexity(gt.Ensemble(gt.Vanilla, gain=1.6)), moving, gt.fixed_points(ens)[-1]]
    told = []
    result = validate(sources, 60, 2, discs=[], taus=[3.0], lambdas=[2.0], progress=lambda *at: told.append(at))
    assert result.ok, result.table()
    assert result.cases == (
        "Vanilla active fixed point",
        "Vanilla typical fixed point",
        "GRU steady state",
        "Vanilla fixed point",
    )
    assert [row.quantity for row in result.rows[:4]] == ["radius", "abscissa", "slow fraction, tau = 3", "log|det| per unit at 2"]
    assert told == [(done, 12) for done in range(1, 13)]
    assert {case for case, note in result.notes.items() if note} == {"Vanilla typical fixed point", "GRU steady state"}
    assert "depend on one another" in result.notes["GRU steady state"]


def test_where_the_limit_describes_nothing():
    """An LSTM whose edge few sites make is compared with theory at its sites only, and what that does not know is not judged."""
    result = gt.validate(gt.Ensemble(gt.LSTM, 2.5, bias_std=2.0), 80, 1, discs=[], taus=[], lambdas=[1.2])
    assert result.ok and result.status.code == "agree", result.table()
    (note,) = result.notes.values()
    assert "the limit does not describe N = 80" in note and note in result.table()
    assert all("given the sites only" in row.reason for row in result.rows)
    radius = result.rows[0]
    assert radius.verdict.code == "not_judged" and not radius.agrees and np.isnan(radius.p_value)
    assert str(result.status) == "5 of 7 comparisons agree, 2 not judged"


@pytest.mark.parametrize(
    "arguments, error, words",
    [
        ({"n_units": 20}, ValueError, "n_units must be at least 50"),
        ({"n_units": 100.0}, TypeError, "n_units"),
        ({"n_networks": 0}, ValueError, "n_networks"),
        ({"rng": -1}, ValueError, "rng"),
        ({"rng": 1.5}, TypeError, "rng"),
        ({"level": 0.0}, ValueError, r"level must lie in \(0.0, 0.5\]"),
        ({"level": 0.7}, ValueError, r"level must lie in \(0.0, 0.5\]"),
        ({"discs": [1.0]}, TypeError, r"discs must be a sequence of pairs \(center, radius\)"),
        ({"discs": [(1.0, -1.0)]}, ValueError, "radii of discs and taus must be above 0"),
        ({"taus": [0.0]}, ValueError, "radii of discs and taus must be above 0"),
        ({"taus": 3.0}, TypeError, "must be sequences"),
        ({"lambdas": ["x"]}, TypeError, "lambdas"),
    ],
)
def test_bad_arguments(arguments, error, words):
    with pytest.raises(error, match=words):
        validate(**arguments)


def test_a_state_that_is_not_there():
    case = Case("none", gt.Ensemble(gt.GRU, gain={"z": 2, "r": 0, "h": 1.5}), "planted")
    with pytest.raises(ValueError, match="'none'.*no such fixed point"):
        validate(case, n_units=50)
    with pytest.raises(ValueError, match="no typical fixed point"):
        validate(gt.complexity(gt.Ensemble(gt.Vanilla, gain=0.5)), n_units=50)
