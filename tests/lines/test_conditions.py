"""Equations of critical values and lines, against the calculators that solve the same ones in other ways, and closed forms."""

import numpy as np
import pytest
from scipy.special import expit

import gating_theory as gt
from gating_theory.lines.conditions import FoldCondition, OfEnsemble, OfSolution, OfZeroState, OnsetCondition, solve
from gating_theory.lines.measure import Measure, state_at
from gating_theory.sweeps.request import requests

OPTIONS = {"tau": 20.0, "n_units": 100, "n_steps": 100, "rng": 0}


def measure(name, ensemble):
    (request,) = requests(name, ensemble)
    return Measure(request, OPTIONS)


def along(ensemble, *paths):
    return lambda value: ensemble.replace(dict.fromkeys(paths, value))


@pytest.mark.parametrize("b_r", [-1.0, 0.7])
def test_onset_in_closed_form(b_r):
    """GRU: a_h sigma(b_r) = 1; there the zero state's abscissa is 1."""
    ensemble = gt.Ensemble(gt.GRU, gain={"h": 2.0, "r": 1.5}, bias={"r": b_r})
    for condition in (OnsetCondition(), OfZeroState(measure("abscissa", ensemble), 1.0)):
        (start,) = condition.starts(ensemble)
        found = solve(condition, along(ensemble, "gain.h"), 2.0, start)
        assert abs(found.value - 1.0 / expit(b_r)) <= found.error < 1e-8 and found.unknowns.size == 0


def test_fold_against_the_surface():
    ensemble = gt.Ensemble(gt.GRU, gain={"h": 1.97, "r": 4.0})
    condition, known = FoldCondition(), gt.fold(ensemble, "gain.h")
    found = solve(condition, along(ensemble, "gain.h"), 1.97, condition.starts(ensemble)[0])
    assert abs(found.value - known) <= found.error + known.error
    assert found.unknowns == pytest.approx(condition.unknowns(known.ensemble, known.moments), abs=1e-6)
    # the second derivative is that of the first
    G = condition.derivatives(known.ensemble, found.unknowns, 2)
    up, down = (condition.derivatives(known.ensemble, found.unknowns + h, 1)[1] for h in (1e-4, -1e-4))
    assert G[2] == pytest.approx((up - down) / 2e-4, rel=1e-5)


@pytest.mark.parametrize("cell", [gt.GRU, gt.LSTM])
def test_quantities_of_a_solution(cell):
    """At the value found the fixed points, solved for alone, have the quantity's value."""
    ensemble = gt.Ensemble(cell, gain=2.5, bias_std=0.5)
    gains = [path for path in ensemble.paths if path.startswith("gain.")]
    message = cell.message_names[0]
    nearby = round(gt.fixed_points(along(ensemble, *gains)(2.2))[-1].moments[message], 3)
    for name, value in (("abscissa", 1.0), (f"moment:{message}", nearby)):
        condition = OfSolution(measure(name, ensemble), value)
        found = solve(condition, along(ensemble, *gains), 2.5, condition.starts(ensemble)[0])
        point = gt.fixed_points(along(ensemble, *gains)(found.value))[-1]
        got = gt.Spectrum(point).abscissa() if name == "abscissa" else point.moments[message]
        # both are known to some 1e-9
        assert got == pytest.approx(value, abs=1e-8) and found.error < 1e-7
        assert state_at(point.ensemble, float(found.unknowns[0]))[0].q == pytest.approx(point.q, rel=1e-8)


def test_a_quantity_of_the_ensemble():
    ensemble = gt.Ensemble(gt.Vanilla, gain=1.4)
    condition = OfEnsemble(measure("complexity", ensemble), 0.01)
    found = solve(condition, along(ensemble, "gain.h"), 1.4, condition.starts(ensemble)[0])
    assert gt.complexity(ensemble.replace({"gain.h": found.value})).value == pytest.approx(0.01, abs=1e-9)


def test_where_a_condition_has_no_meaning():
    biased = gt.Ensemble(gt.GRU, bias_std=0.5)
    for condition in (OnsetCondition(), OfZeroState(measure("abscissa", biased), 1.0)):
        assert np.isnan(condition.residuals(biased, np.zeros(0))).all()
        with pytest.raises(gt.ConvergenceError):
            solve(condition, along(biased, "gain.h"), 1.0, np.zeros(0))
    silent = gt.Ensemble(gt.GRU, gain=1.0)
    assert OfSolution(measure("abscissa", silent), 1.0).starts(silent) == []
