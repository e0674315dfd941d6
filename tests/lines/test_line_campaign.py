"""Two hundred random points on each line, solved for alone: a campaign. The suite takes a few on each of the GRU's elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq

import gating_theory as gt

COUNT = 200
GRU_PLANE = ("gain.r", "gain.h"), ((0.0, 10.0), (0.5, 4.0))
LSTM_PLANE = ("gain.f", "gain.g"), ((0.0, 12.0), (0.5, 4.0))

GRU, LSTM = gt.Ensemble(gt.GRU), gt.Ensemble(gt.LSTM)
SPREAD = {"GRU": gt.Ensemble(gt.GRU, bias_std={"h": 0.3}), "LSTM": gt.Ensemble(gt.LSTM, bias_std={"g": 0.3})}
#: The update gate is open everywhere; half of the LSTM's output gates likewise have no say about lambda beyond the edge.
OPEN = gt.Ensemble(gt.GRU, gain={"z": 0}, bias={"z": -36})


def root(ensemble, path, function, value):
    """Where a function of the active fixed point's spectrum has a value, within 2 % of the present value of a path."""
    here = ensemble.value(path)

    def off(v):
        return function(gt.Spectrum(gt.fixed_points(ensemble.replace({path: v}))[-1])) - value

    return brentq(off, 0.98 * here, 1.02 * here, xtol=1e-12)


def fold(ensemble, path):
    """The fold next to the present value: lines with cusps have several."""
    here = ensemble.value(path)
    return float(gt.fold(ensemble, path, (0.9 * here, min(1.1 * here, 4.0))))


CASES = {
    "GRU onset": (GRU, GRU_PLANE, "onset", None, lambda e, p: float(gt.onset(e, p)), 1e-6),
    "GRU fold": (GRU, GRU_PLANE, "fold", None, fold, 1e-6),
    "GRU complexity": (GRU, GRU_PLANE, "complexity_onset", None, lambda e, p: float(gt.complexity_onset(e, p)), 1e-6),
    "GRU marginal": (OPEN, GRU_PLANE, "radius", np.sqrt(2), lambda e, p: root(e, p, gt.Spectrum.radius, np.sqrt(2)), 1e-6),
    "GRU stable": (SPREAD["GRU"], GRU_PLANE, "abscissa", 1, lambda e, p: root(e, p, gt.Spectrum.abscissa, 1), 1e-6),
    "LSTM onset": (LSTM, LSTM_PLANE, "onset", None, lambda e, p: float(gt.onset(e, p)), 1e-6),
    "LSTM fold": (LSTM, LSTM_PLANE, "fold", None, fold, 1e-5),
    "LSTM stable": (SPREAD["LSTM"], LSTM_PLANE, "abscissa", 1, lambda e, p: root(e, p, gt.Spectrum.abscissa, 1), 1e-4),
}


def places(line, curve):
    """Random points of a curve, evenly along it in the plane: next to tricritical points it is long in the moment only."""
    s = np.linspace(0.0, curve.length[-1], 20001)
    steps = np.diff(curve.spline(s), axis=0) / np.ptp(np.array(line.bounds), axis=1)
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(steps, axis=1))])
    return curve.spline(np.interp(np.random.default_rng(3).uniform(0.0, along[-1], COUNT), along, s))


def distance(ensemble, line, point, across):
    """How far a point of a line is from the line solved for along y alone, across the line, in units of the bounds."""
    x, y = point
    (x0, x1), (y0, y1) = line.bounds
    there = ensemble.replace({line.paths[0]: x, line.paths[1]: y})
    s = np.linspace(0, line.curves[0].length[-1], 20001)
    near = np.argmin(np.hypot(*(line.curves[0].spline(s) - point).T))
    dx, dy = line.curves[0].spline(s[near], 1) / [x1 - x0, y1 - y0]
    return abs(across(there, line.paths[1]) - y) / (y1 - y0) * abs(dx) / np.hypot(dx, dy)


@pytest.mark.nightly
@pytest.mark.parametrize("name", CASES)
def test_random_points_of_lines(name):
    ensemble, (paths, bounds), quantity, value, across, tol = CASES[name]
    line = gt.critical_line(ensemble, paths, quantity, value, bounds=bounds, tol=tol)
    assert line.ok
    curve = line.curves[0]
    points = places(line, curve)
    off = [distance(ensemble, line, point, across) for point in points]
    print(f"{name}: largest distance {max(off):.2g} of the bounds, stated {line.error:.2g}")
    assert max(off) <= line.error


@pytest.mark.nightly
@pytest.mark.parametrize(("ensemble", "plane"), [(GRU, GRU_PLANE), (LSTM, LSTM_PLANE)], ids=["GRU", "LSTM"])
def test_points_of_lines_of_chaos(ensemble, plane):
    """Each point against networks of its own, within the errors of both: chi squared of so many of them."""
    paths, bounds = plane
    line = gt.critical_line(ensemble, paths, "chaos", bounds=bounds, n_points=6, n_units=1000)
    off = []
    for curve in line.curves:
        for x, y, error in zip(curve.x, curve.y, curve.error_y):
            if error > 0.0:
                there = ensemble.replace({paths[0]: x, paths[1]: y})
                alone = gt.chaos_onset(there, paths[1], (0.5 * y, 2.0 * y), n_units=1000, rng=99)
                off.append((float(alone) - y) / np.hypot(error, alone.error))
    assert len(off) >= 4
    # of six normal numbers with errors that are estimated from three networks each
    assert np.mean(np.square(off)) < 6.0
