import csv
import io
import json
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest

import gating_theory as gt
from gating_theory.validation.comparison import CASES, Case, sampled_sites, validate

BY_NAME = {case.name: case for case in CASES}
SMALL = [BY_NAME["GRU zero state"], BY_NAME["GRU upper branch"]]


def test_theory_agrees_with_small_networks(small):
    assert small.ok, small.table()
    assert str(small.status) == "16 of 16 comparisons agree" and small.status.code == "agree"
    assert [row.case for row in small.rows] == ["GRU zero state"] * 8 + ["GRU upper branch"] * 8
    assert small.clouds["GRU zero state"].shape == (240,)
    assert not small.sites


@pytest.mark.slow
@pytest.mark.parametrize("name", ["GRU chaos", "LSTM zero state", "LSTM fixed point", "LSTM chaos", "GRU marginal"])
def test_every_built_in_case(name):
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
        ("mass", lambda v: min(1.0, v + 0.2)),
        ("mass", lambda v: 0.6 * v),
        ("radius", lambda v: 1.4 * v),
        ("radius", lambda v: 0.7 * v),
        ("abscissa", lambda v: 1.4 * v),
    ],
)
def test_a_wrong_theory_is_noticed(monkeypatch, method, change):
    right = getattr(gt.Spectrum, method)
    monkeypatch.setattr(gt.Spectrum, method, lambda self, *a, **k: change(right(self, *a, **k)))
    assert not validate(cases=[SMALL[1]], n_units=300, n_networks=2, rng=1).ok


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
    ],
)
def test_bad_arguments(arguments, error, words):
    with pytest.raises(error, match=words):
        validate(**arguments)


def test_a_state_that_is_not_there():
    case = Case("none", "GRU", "planted", {"gain": {"z": 2, "r": 0, "h": 1.5}})
    with pytest.raises(ValueError, match="'none'.*no such fixed point"):
        validate(cases=[case], n_units=50)
