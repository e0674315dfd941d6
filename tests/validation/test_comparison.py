"""Validation: the theory passes, a wrong theory or a wrong network does not, and results depend on the seed alone."""

import csv
import io
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from strategies import leaky

import gating_theory as gt
from gating_theory.mean_field.samples import sampled_sites
from gating_theory.validation.comparison import CASES, Case, validate

BY_NAME = {case.name: case for case in CASES}
SMALL = [BY_NAME["GRU zero state"], BY_NAME["GRU upper branch"]]


def test_theory_agrees_with_small_networks(small):
    """Theory agrees with networks of 120 units in all sixteen comparisons."""
    assert small.ok, small.table()
    assert str(small.status) == "16 of 16 comparisons agree" and small.status.code == "agree"
    assert [row.case for row in small.rows] == ["GRU zero state"] * 8 + ["GRU upper branch"] * 8
    assert small.clouds["GRU zero state"].shape == (240,)
    assert not small.sites


@pytest.mark.slow
@pytest.mark.parametrize("name", ["GRU chaos", "LSTM zero state", "LSTM fixed point", "LSTM chaos", "GRU marginal"])
def test_every_built_in_case(name):
    """Theory agrees with sampled networks in every case of `gating-theory validate`."""
    result = validate(cases=[BY_NAME[name]], n_units=150, n_networks=2, rng=3)
    assert result.ok, result.table()
    assert set(result.sites) == ({name} if "chaos" in name else set())


def test_rows_hold_what_the_theory_says(small):
    point = gt.fixed_points(SMALL[1].ensemble())[-1]
    spectrum = gt.Spectrum(point)
    rows = {row.quantity: row for row in small.rows if row.case == "GRU upper branch"}
    assert rows["radius"].theory == pytest.approx(spectrum.radius(), rel=1e-9)
    assert rows["slow fraction, tau = 100"].theory == pytest.approx(spectrum.slow_fraction(100.0), abs=1e-3)
    assert rows["log|det| per unit at 1"].theory == pytest.approx(spectrum.potential(1.0), abs=1e-3)
    for row in small.rows:
        assert row.n_units == 120 and row.n_networks == 2 and row.spread_sites >= 0


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
    assert not validate(cases=[replace(SMALL[1], discs=discs, taus=(), lambdas=lambdas)], n_units=150, n_networks=2, rng=1).ok


def test_wrong_networks_are_noticed(monkeypatch):
    # a network whose recurrent gain is 15 % too large
    sample = gt.Network.sample.__func__

    def louder(cls, ensemble, n_units, rng=None):
        return sample(cls, ensemble.replace({"gain.h": 1.15 * ensemble.value("gain.h")}), n_units, rng)

    monkeypatch.setattr(gt.Network, "sample", classmethod(louder))
    result = validate(cases=[SMALL[0]], n_units=300, n_networks=2, rng=1)
    assert not result.ok
    assert "DISAGREE" in result.table() and "off" in result.table()


def test_results_depend_on_the_seed_alone(small):
    with ProcessPoolExecutor(2) as executor:
        again = validate(cases=SMALL, n_units=120, n_networks=2, rng=1, executor=executor)
    for a, b in zip(again.rows, small.rows, strict=True):
        assert (a.case, a.quantity, a.verdict) == (b.case, b.quantity, b.verdict)
        # the same random numbers; sums may differ in their last digits from process to process
        assert (a.theory, a.at_sites, a.measured) == pytest.approx((b.theory, b.at_sites, b.measured), rel=1e-10)
    assert validate(cases=SMALL[:1], n_units=120, n_networks=2, rng=2).rows[0] != small.rows[0]


def test_a_case_of_ones_own():
    case = Case("mine", "Vanilla", "zero", {"gain": 0.8}, discs=((0.0, 0.4),), taus=(5.0,), lambdas=(1.2,))
    result = validate(cases=[case], n_units=200, n_networks=2)
    assert result.ok, result.table()
    # the circular law: a uniform disc of radius 0.8
    rows = {row.quantity: row.theory for row in result.rows}
    assert rows["radius"] == pytest.approx(0.8) and rows["mass |z - 0| < 0.4"] == pytest.approx(0.25, abs=1e-3)
    assert rows["log|det| per unit at 1.2"] == pytest.approx(np.log(1.2), abs=1e-9)


def test_a_cell_of_ones_own():
    """In a Case or as an Ensemble: the zero state and the largest fixed point of it, by numbers that hold for this cell."""
    case = Case("mine", leaky(), "planted", {"gain": {"h": 2.0}})
    assert case.ensemble() == gt.Ensemble(leaky(), gain={"h": 2.0})
    own = gt.Ensemble(leaky(), gain={"z": 0.0, "h": 2.0})
    result = gt.validate(own, n_units=150, n_networks=2)
    assert result.ok, result.table()
    assert [case.name for case in result.cases] == ["leaky zero state", "leaky largest fixed point"]
    assert [case.ensemble() for case in result.cases] == [own, own]
    # z = 1/2 everywhere: a disc around 1/2 of half the gain
    rows = {row.quantity: row.theory for row in result.rows if row.case == "leaky zero state"}
    assert rows["radius"] == pytest.approx(1.5) and rows["mass |z - 0.5| < 0.3"] == pytest.approx(0.09, abs=1e-3)
    silent = gt.validate(gt.Ensemble(leaky(), gain=0.5), n_units=60, n_networks=1)
    assert [case.name for case in silent.cases] == ["leaky zero state"], "it has no other fixed point"


def test_edges_show_how_far_they_are_off(small):
    """The table holds a tolerance for every row: a number, or for edges the edge function and the eigenvalues beyond."""
    for row in small.rows:
        edge = row.quantity in ("radius", "abscissa")
        assert (row.tolerance is None) == edge == bool(row.margin)
        if not edge:
            assert abs(row.measured - row.theory) <= row.tolerance and f"{row.tolerance:.4f}" in small.table()
        for part in filter(None, row.margin.split(", ")):
            name, value, relation, limit = part.split()
            assert {"f": float(value) >= float(limit), "n": float(value) <= float(limit)}[name] and relation in (">=", "<=")
            # 1 - 6 / sqrt(N) of the edge function, eight eigenvalues
            assert float(limit) == pytest.approx({"f": 1.0 - 6.0 / np.sqrt(120), "n": 8.0}[name], abs=1e-3)
        assert row.margin in small.table()


def test_validations_are_results(small, tmp_path):
    again = gt.load(gt.save(small, tmp_path / "validation.nc"))
    assert again == small and isinstance(again, gt.Validation)
    assert repr(small) == "Validation(16 of 16 comparisons agree ...)" and small.table() in str(small)


def test_sampled_sites_have_the_moments_of_their_population():
    point = gt.fixed_points(SMALL[1].ensemble())[-1]
    sites = sampled_sites(point, 20000, rng=0)
    # five standard errors of a mean of squares below 1
    assert sites.moments()["h"] == pytest.approx(point.moments["h"], abs=5 * 0.5 / np.sqrt(20000))
    assert sites.size == 20000 and "sampled" in sites.source


def test_forms_of_the_table(small):
    assert json.loads(json.dumps(small.as_dict()))["rows"][0]["case"] == "GRU zero state"
    rows = list(csv.DictReader(io.StringIO(small.to_csv())))
    assert len(rows) == len(small.rows) and float(rows[0]["theory"]) == small.rows[0].theory
    text = small.table()
    assert text.count("agree") >= len(small.rows) and "GRU zero state: 2 networks of 120 units" in text
    assert max(map(len, text.splitlines())) <= 132


@pytest.mark.parametrize(
    "arguments, error, words",
    [
        ({"cells": ("JANET",)}, ValueError, "cells has the unknown entry 'JANET'"),
        ({"cells": ()}, ValueError, "cells"),
        ({"n_units": 20}, ValueError, "n_units must be at least 50"),
        ({"n_units": 100.0}, TypeError, "n_units"),
        ({"n_networks": 0}, ValueError, "n_networks"),
        ({"rng": -1}, ValueError, "rng"),
        ({"rng": 1.5}, TypeError, "rng"),
        ({"cells": gt.GRU}, TypeError, "cells must be a sequence of names of cells or Ensembles"),
        ({"cells": [gt.GRU]}, TypeError, r"give Ensemble\(cell"),
        ({"cases": ["GRU"]}, TypeError, "cases must hold Cases, got 'GRU'"),
        ({"cases": [BY_NAME["GRU chaos"]] * 2}, ValueError, "names of their own"),
    ],
)
def test_bad_arguments(arguments, error, words):
    with pytest.raises(error, match=words):
        validate(**arguments)


@pytest.mark.parametrize(
    "arguments, error, words",
    [
        (("x", 3, "zero", {}), TypeError, "cell must be a Cell or the name of a built-in one, got 3"),
        (("x", "GRU", "nowhere", {}), ValueError, r"state must be one of .*'planted'.*, got 'nowhere'"),
        (("x", "GRU", "zero", 2.0), TypeError, "values must be a mapping"),
    ],
)
def test_cases_that_are_none(arguments, error, words):
    with pytest.raises(error, match=words):
        Case(*arguments)
    with pytest.raises(ValueError, match="cell must be a Cell or one of .*got 'Nothing'"):
        Case("x", "Nothing", "zero", {}).ensemble()


def test_a_state_that_is_not_there():
    case = Case("none", "GRU", "planted", {"gain": {"z": 2, "r": 0, "h": 1.5}})
    with pytest.raises(ValueError, match="'none'.*no such fixed point"):
        validate(cases=[case], n_units=50)
