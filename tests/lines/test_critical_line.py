"""Lines of phase diagrams against points that are solved for alone, closed forms, and what a result can do."""

from __future__ import annotations

import csv
import pickle
import sys

import numpy as np
import pytest
from scipy.optimize import brentq

import gating_theory as gt
from gating_theory.lines.components import Component
from gating_theory.lines.curves import in_plane
from gating_theory.lines.line import LinePoint
from gating_theory.lines.plane import UNIT, plane_of
from gating_theory.lines.tracing import Traced
from gating_theory.results.status import Status

BOX = ((0.0, 10.0), (0.5, 4.0))
AXES = ("gain.r", "gain.h")
#: Bias of an update gate that is open everywhere.
OPEN = -36.0


@pytest.fixture(scope="module")
def gru():
    return gt.Ensemble(gt.GRU)


@pytest.fixture(scope="module")
def fold_line(gru):
    return gt.critical_line(gru, AXES, "fold", bounds=BOX)


@pytest.fixture(scope="module")
def onset_line(gru):
    return gt.critical_line(gru, AXES, "onset", bounds=BOX)


def places(line, count, seed=0):
    """Random points on the longest curve of a line, evenly along it."""
    curve = line.curves[0]
    s = np.random.default_rng(seed).uniform(0.0, curve.length[-1], count)
    return curve.spline(s)


def distances(line, points, across):
    """How far points are from the line, in units of the bounds, when it is solved for along one axis alone.

    ``across(x, y)`` solves along y at x; the slope of the line turns its distance along y into that across it.
    """
    (x0, x1), (y0, y1) = line.bounds
    out = []
    for x, y in points:
        step = 1e-3 * (x1 - x0)
        ends = [line.at(v) for v in (x - step, x + step)]
        near = [v[np.argmin(abs(v - y))] if v.size else np.nan for v in ends]
        slope = np.nan_to_num((near[1] - near[0]) / (2 * step) * (x1 - x0) / (y1 - y0))
        out.append(abs(y - across(x, y)) / (y1 - y0) / np.hypot(1.0, slope))
    return np.array(out)


def check_alone(line, count, across):
    """All random points on a line, solved for alone, agree to what the line states."""
    off = distances(line, places(line, count), across)
    assert off.max() <= line.error
    return off


def active(function, value, width=2e-2):
    """A root along y of a function of the active fixed point's spectrum."""

    def solver(ensemble, name="gain.h"):
        def at(y):
            return function(gt.Spectrum(gt.fixed_points(ensemble.replace({name: y}))[-1])) - value

        y = ensemble.value(name)
        return brentq(at, y * (1 - width), y * (1 + width), xtol=1e-12)

    return solver


class TestGRU:
    def test_onset(self, onset_line):
        """a_h sigma(b_r) = 1, and the tricritical point at a_r = sqrt 8."""
        (curve,) = onset_line.curves
        np.testing.assert_allclose(curve.y, 2.0, rtol=1e-12)
        (point,) = onset_line.points
        assert point.kind == "tricritical"
        assert (point.x, point.y) == pytest.approx((np.sqrt(8), 2.0), abs=1e-10)
        assert [end.code for end in curve.ends] == ["edge", "edge"]
        assert onset_line.ok

    def test_fold(self, gru, fold_line):
        """Points of the fold, solved for alone; the line ends at the tricritical point of the onset."""
        check_alone(fold_line, 6, lambda x, y: float(gt.fold(gru.replace({"gain.r": x, "gain.h": y}), "gain.h")))
        (curve,) = fold_line.curves
        assert {end.code for end in curve.ends} == {"tricritical", "edge"}
        (point,) = fold_line.points
        assert (point.x, point.y) == pytest.approx((np.sqrt(8), 2.0), abs=1e-9)
        # the edge of the bounds is met to the last bit
        assert 10.0 in curve.x

    def test_marginal_line(self):
        """rho^2 = 2 of the active state at an open update gate."""
        ensemble = gt.Ensemble(gt.GRU, gain={"z": 0}, bias={"z": OPEN})
        line = gt.critical_line(ensemble, AXES, "radius", np.sqrt(2), bounds=BOX, tol=1e-5)
        solve = active(lambda spectrum: spectrum.radius(), np.sqrt(2))
        check_alone(line, 5, lambda x, y: solve(ensemble.replace({"gain.r": x, "gain.h": y})))

    def test_stability_of_the_active_state(self):
        """With spread biases there is no zero state: the abscissa of the only one is 1."""
        ensemble = gt.Ensemble(gt.GRU, bias_std={"h": 0.3})
        line = gt.critical_line(ensemble, AXES, "abscissa", 1, bounds=BOX, tol=1e-5, search=5)
        solve = active(lambda spectrum: spectrum.abscissa(), 1.0)
        check_alone(line, 5, lambda x, y: solve(ensemble.replace({"gain.r": x, "gain.h": y})))

    def test_complexity_onset(self, gru):
        """Discontinuous beyond a_r = 4/sqrt 3, which is located; the zero state's onset before."""
        line = gt.critical_line(gru, AXES, "complexity_onset", bounds=((1.8, 6.0), (1.5, 2.5)), tol=1e-5)
        assert "on the two edges and in the middle" in str(line)
        check_alone(line, 5, lambda x, y: float(gt.complexity_onset(gru.replace({"gain.r": x, "gain.h": y}), "gain.h")))
        (point,) = line.points
        assert (point.x, point.y) == pytest.approx((4 / np.sqrt(3), 2.0), abs=1e-5)
        np.testing.assert_allclose(line.at(2.0), [2.0], rtol=1e-9)
        assert len(line.curves) == 2

    def test_smooth_onset_of_complexity_without_a_zero_state(self, gru):
        """The rate grows from zero where the fixed point becomes unstable: the line is that of the abscissa, also from a start."""
        ensemble, box = gru.replace({"bias_std.h": 0.3}), ((3.0, 5.0), (1.5, 2.5))
        line = gt.critical_line(ensemble, AXES, "complexity_onset", bounds=box, tol=1e-5)
        (curve,) = line.curves
        assert line.ok and [end.code for end in curve.ends] == ["edge", "edge"]
        edge = gt.critical_line(ensemble, AXES, "abscissa", 1, bounds=box, tol=1e-5, search=3)
        np.testing.assert_allclose(line.at(4.3), edge.at(4.3), atol=2 * (line.error + edge.error))
        # as it is found alone
        alone = float(gt.complexity_onset(ensemble.replace({"gain.r": 4}), "gain.h"))
        np.testing.assert_allclose(line.at(4.0), [alone], atol=2 * line.error)
        near = gt.critical_line(ensemble, AXES, "complexity_onset", bounds=box, tol=1e-5, start=(4, alone))
        np.testing.assert_allclose(near.at(4.5), line.at(4.5), atol=2 * (line.error + near.error))

    def test_where_the_onset_of_complexity_turns_discontinuous_without_a_zero_state(self, gru):
        """Smooth before the point where the two kinds of lines cross, in a jump at a finite amplitude beyond it."""
        ensemble = gru.replace({"bias_std.h": 0.05})
        line = gt.critical_line(ensemble, AXES, "complexity_onset", bounds=((3.0, 5.0), (1.5, 2.5)), tol=1e-5)
        assert line.ok and len(line.curves) == 2
        (point,) = line.points
        assert point.kind == "critical_end"
        for step, jumps in ((-0.02, False), (0.02, True)):
            alone = gt.complexity_onset(ensemble.replace({"gain.r": point.x + step}), "gain.h", (1.5, 2.5))
            assert alone.discontinuous == jumps
            np.testing.assert_allclose(line.at(point.x + step), [float(alone)], atol=2 * line.error)

    @pytest.mark.nightly
    def test_a_jump_in_front_of_a_smooth_onset_of_complexity(self, gru):
        """From a smooth start it is seen that further on the line's continuation has a jump in front of it."""
        ensemble = gru.replace({"bias_std.h": 0.05})
        line = gt.critical_line(ensemble, AXES, "complexity_onset", bounds=((3.0, 5.0), (1.5, 2.5)), tol=1e-5)
        near = gt.critical_line(ensemble, AXES, "complexity_onset", bounds=line.bounds, tol=1e-5, start=(3.2, 1.93))
        assert near.ok and [p.kind for p in near.points] == ["critical_end"]
        np.testing.assert_allclose(near.at(4.5), line.at(4.5), atol=2 * (line.error + near.error))

    def test_it_goes_on_where_its_solution_turns_back(self, gru, fold_line):
        """A moment of 0.022: first of the only solution, beyond the fold, which the line touches, of the lower one of two."""
        line = gt.critical_line(gru, AXES, "moment:r*h", 0.022, bounds=BOX, tol=1e-5)
        folds = [point for point in line.points if point.kind == "fold"]
        assert folds
        for point in folds:
            near = fold_line.at(point.x)
            assert abs(near - point.y).min() <= 3.5 * (fold_line.error + line.error)


@pytest.mark.parametrize(
    "cell, gains",
    [
        # at spreads of biases of 0, 0.1, 0.3, 0.5, 1 and 2
        (gt.Vanilla, [1.0, 1.1934, 1.3956, 1.5497, 1.8556, 2.3250]),
        (gt.GRU, [2.0, 2.0311, 2.1545, 2.2850, 2.5834, 3.0832]),
        pytest.param(gt.LSTM, [2.0, 2.1362, 2.2441, 2.2792, 2.1966, 1.4902], marks=pytest.mark.nightly),
    ],
    ids=["vanilla", "gru", "lstm"],
)
def test_critical_common_gain(cell, gains):
    """Spread gate biases have leaks that reach 1 whatever the gain: T(1) = 1 is smooth there; the line starts at the onset."""
    line = gt.critical_line(gt.Ensemble(cell), ("bias_std", "gain"), "abscissa", 1, bounds=((0, 2), (0.5, 5)), tol=1e-4, search=5)
    assert line.ok
    (curve,) = line.curves
    assert {end.code for end in curve.ends} == {"born", "edge"}
    (start,) = line.points
    assert (start.kind, start.x, start.y) == ("born", 0.0, pytest.approx(gains[0], abs=1e-9))
    found = [line.at(x) for x in (0.1, 0.3, 0.5, 1.0, 2.0)]
    np.testing.assert_allclose(np.concatenate(found), gains[1:], atol=1e-4 + 4.5 * line.error)


def test_lines_of_own_cells_and_of_the_radius():
    """Leaks of -1/2: the support is a disc around that, whose far side passes |lambda| = 1 where g^2 E phi'^2 = 1."""
    import sympy as sp

    h, y = sp.symbols("h y")
    mirrored = gt.Cell(
        name="mirrored", state=[h], fields=[y], messages=[h], update=[-h / 2 - sp.tanh(y) / 2], fixed_point=[-sp.tanh(y) / 3]
    )
    plane = dict(bounds=((0, 2), (0.5, 3)), tol=1e-4, search=4)
    line = gt.critical_line(gt.Ensemble(mirrored), ("bias_std", "gain"), "radius", 1, **plane)
    assert line.ok
    for x in (0.3, 1.0, 2.0):
        (y,) = line.at(x)
        (point,) = [p for p in gt.fixed_points(gt.Ensemble(mirrored, bias_std=x, gain=y)) if not p.is_zero]
        # lambda = -1/2 - a z / 2 with |z| = sqrt(E phi'^2): leftmost at -1
        t = np.linspace(-9, 9, 2001)
        w = np.exp(-(t**2) / 2)
        slope = 1 - np.tanh(np.sqrt(y**2 * point.moments["h"] + x**2) * t) ** 2
        assert y**2 * (slope**2 @ w) / w.sum() == pytest.approx(1.0, abs=20 * line.error + 1e-6)


def test_the_first_solution_is_the_zero_state():
    """As for a critical value: its line is that of the zero state, and asking for one where biases are spread is an error."""
    gru, box = gt.Ensemble(gt.GRU), ((0.0, 4.0), (1.0, 3.0))
    first, zero = (gt.critical_line(gru, AXES, "abscissa", 1, s, bounds=box, search=3) for s in (0, "zero"))
    assert first.ok and first.solution == zero.solution == "zero"
    np.testing.assert_allclose(first.at(3.0), [2.0], rtol=1e-9)
    np.testing.assert_allclose(zero.at(3.0), first.at(3.0), rtol=1e-12)
    with pytest.raises(gt.CapabilityError, match="no zero state"):
        gt.critical_line(gru.replace({"bias_std.h": 0.5}), AXES, "abscissa", 1, "zero", bounds=box)


def test_lines_of_the_lstm():
    """Onset a_g = 2 whatever the forget gate's gain; folds beyond 3 a_f^2 = 64 - a_o^2 - a_i^2."""
    lstm = gt.Ensemble(gt.LSTM)
    line = gt.critical_line(lstm, ("gain.f", "gain.g"), "onset", bounds=((0, 12), (0.5, 4)))
    np.testing.assert_allclose(line.at(5.0), [2.0], rtol=1e-12)
    (point,) = line.points
    assert point.x == pytest.approx(np.sqrt(62 / 3), abs=1e-9)


def test_a_cusp():
    """Two folds merge where the bias makes the birth of a solution smooth: the line has a cusp, and goes on."""
    ensemble = gt.Ensemble(gt.GRU, gain={"r": 6, "h": 1.9})
    line = gt.critical_line(ensemble, ("bias_std.h", "gain.h"), "fold", bounds=((0.0, 0.3), (1.0, 2.5)), tol=1e-5, search=15)
    assert line.ok
    (cusp,) = [point for point in line.points if point.kind == "cusp"]
    # between its two arms, just before the cusp, there are three solutions, beyond it one
    y = line.at(cusp.x - 2e-3)
    assert len(y) == 2
    counts = [len(gt.fixed_points(ensemble.replace({"bias_std.h": x, "gain.h": y.mean()}))) for x in (cusp.x - 2e-3, cusp.x + 2e-3)]
    assert counts == [3, 1]


def test_callables_and_ties():
    """A callable of the ensemble: the line a_z = a_r = a, a a_h = 2, a hyperbola."""

    def product(ensemble):
        return ensemble.value("gain.r") * ensemble.value("gain.h")

    line = gt.critical_line(
        gt.Ensemble(gt.GRU), ("gain.z=gain.r", "gain.h"), product, 2.0, of="ensemble", bounds=((0.5, 4.0), (0.5, 4.0))
    )
    x = np.linspace(0.6, 3.9, 7)
    np.testing.assert_allclose([line.at(v)[0] for v in x], 2.0 / x, atol=3.5e-6)
    assert line.quantity == "product"
    np.testing.assert_allclose(np.prod(line.curve(50)[0], axis=1), 2.0, atol=3e-5)


def test_lines_cross(onset_line):
    """The onset a_h = 2 and the hyperbola a_r a_h = 6 cross at a_r = 3."""

    def product(ensemble):
        return ensemble.value("gain.r") * ensemble.value("gain.h")

    other = gt.critical_line(onset_line.ensemble, AXES, product, 6.0, of="ensemble", bounds=BOX)
    (point,) = onset_line.meets(other)
    assert (point.x, point.y) == pytest.approx((3.0, 2.0), abs=10 * other.error)
    assert point.error <= 10 * other.error


def test_it_is_saved_pickled_and_printed(fold_line, tmp_path):
    for again in (gt.load(gt.save(fold_line, tmp_path / "line.json")), pickle.loads(pickle.dumps(fold_line))):
        assert again == fold_line
        np.testing.assert_array_equal(again.at(5.0), fold_line.at(5.0))
    text = str(fold_line)
    assert "tricritical at (2.828427125, 2)" in text
    assert "rows and columns" in text


def test_tables(fold_line, tmp_path):
    fold_line.to_csv(tmp_path / "line.csv")
    with open(tmp_path / "line.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    curve = fold_line.curves[0]
    np.testing.assert_array_equal([float(row["gain.r"]) for row in rows], curve.x)
    np.testing.assert_array_equal([float(row["moment"]) for row in rows], curve.moment)
    assert [row["point"] for row in rows].count("tricritical") == 1
    table = fold_line.to_dataframe()
    np.testing.assert_array_equal(table["gain.h"], curve.y)


def test_tables_without_pandas(fold_line, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"to_dataframe needs pandas.*to_csv"):
        fold_line.to_dataframe()
    fold_line.to_csv(tmp_path / "line.csv")
    assert (tmp_path / "line.csv").read_text(encoding="utf-8").count("\n") == len(fold_line.rows()) + 1


def test_folds_of_a_plane_that_has_a_silent_side(gru):
    """At a_h = 0 nothing feeds back and there is no fold to look for: the line is that of a plane that begins above 0."""
    (curve,) = gt.critical_line(gru, AXES, "fold", bounds=((0.0, 10.0), (0.0, 4.0))).curves
    i = np.argmin(curve.x)  # the tricritical point
    assert (curve.x[i], curve.y[i]) == pytest.approx((np.sqrt(8.0), 2.0), abs=1e-6)


def test_no_line(gru):
    """The active state of the GRU without biases is never stable [T6]."""
    line = gt.critical_line(gru, AXES, "abscissa", 1, bounds=((3.0, 8.0), (2.2, 4.0)), search=2)
    assert not line.curves
    assert line.status.code == "none"
    with pytest.raises(gt.ConvergenceError, match="next to start"):
        gt.critical_line(gru, AXES, "abscissa", 1, bounds=((3.0, 8.0), (2.2, 4.0)), start=(5.0, 3.0))


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"paths": ("gain.r",)}, TypeError, "paths"),
        ({"paths": ("gain.r", "gain.r")}, ValueError, "both set gain.r"),
        ({"paths": ("gain.r", "gain.q")}, ValueError, "gain.q"),
        ({"bounds": ((0, 1),)}, TypeError, "bounds"),
        ({"bounds": ((-1, 1), (0, 1))}, ValueError, "bounds of gain.r"),
        ({"value": 1.0}, ValueError, "value must be None"),
        ({"quantity": "abscissa"}, TypeError, "value must be given"),
        ({"quantity": "count", "value": 1}, ValueError, "continuously.*'onset', 'fold'"),
        ({"n_units": 200}, ValueError, "n_units must be None.*critical"),
        ({"quantity": "abscissa", "value": 1, "n_units": 200}, ValueError, "n_units must be None.*n_units=200"),
        ({"quantity": lambda spectrum: "a", "value": 1}, TypeError, "quantity: <lambda> must return a number, got 'a'"),
        ({"quantity": lambda spectrum: 1 / 0, "value": 1}, ValueError, "quantity: <lambda> ends in ZeroDivisionError"),
        ({"quantity": "nothing", "value": 1}, ValueError, "nothing"),
        ({"quantity": 3, "value": 1}, TypeError, "quantity"),
        ({"solution": "other"}, ValueError, "solution"),
        ({"tol": 1.0}, ValueError, "tol"),
        ({"search": 1}, ValueError, "search"),
        ({"start": (1.0,)}, TypeError, "start"),
    ],
)
def test_arguments(gru, change, error, match):
    arguments = {"ensemble": gru, "paths": AXES, "quantity": "onset", "bounds": BOX} | change
    with pytest.raises(error, match=match):
        gt.critical_line(**arguments)


def test_line_of_chaos():
    """Vanilla networks with spread biases turn chaotic where their fixed point loses stability, up to order N^(-1/2)."""
    vanilla, n = gt.Ensemble(gt.Vanilla), 200
    options = {"n_points": 3, "n_units": n, "n_steps": 100, "n_networks": 2, "rng": 1}
    line = gt.critical_line(vanilla, ("bias_std.h", "gain.h"), "chaos", bounds=((0.1, 1.0), (0.8, 3.0)), **options)
    assert line.ok
    assert "first curve met on the middle lines and the edges" in str(line)
    (curve,) = line.curves
    assert curve.x.min() == 0.1
    assert curve.x.max() == 1.0
    for x, y, error in zip(curve.x, curve.y, curve.error_y):
        edge = gt.critical(vanilla.replace({"bias_std.h": x}), "gain.h", "abscissa", 1, bounds=(0.8, 3.0))
        assert abs(y - edge) < 4 * error + 2 * y / np.sqrt(n)
    assert (curve.error_y > 0).all()


def circle(ensemble):
    return (ensemble.value("gain.h") - 2) ** 2 + (ensemble.value("bias_std.h") - 1) ** 2


def test_the_error_is_true_where_points_are_too_few():
    """A circle of radius 1/2 by 60 points, which do not keep the spline within 1e-9 of it."""
    ensemble, box = gt.Ensemble(gt.Vanilla), ((1, 3), (0, 2))
    options = {"of": "ensemble", "bounds": box, "search": 4, "tol": 1e-9}
    line = gt.critical_line(ensemble, ("gain", "bias_std"), circle, 0.25, max_points=60, **options)
    off = abs(np.hypot(*(line.curve(3000)[0] - [2, 1]).T) - 0.5).max() / 2
    assert 1e-9 < off <= line.error < 3 * off
    assert line.status.code == "incomplete"
    assert gt.critical_line(ensemble, ("gain", "bias_std"), circle, 0.25, **options).error < 2e-9


def test_ensembles_of_the_plane(fold_line):
    x, y = fold_line.curves[0].x[3], fold_line.curves[0].y[3]
    assert fold_line.ensemble_at(x, y) == gt.Ensemble(gt.GRU, gain={"r": x, "h": y})
    way = gt.Direction(gt.Ensemble(gt.GRU), {"gain.r": 1.0})
    line = gt.critical_line(gt.Ensemble(gt.GRU), (way, "gain.h"), "onset", bounds=((0, 1), (1, 3)), search=2)
    with pytest.raises(ValueError, match="'direction'"):
        line.ensemble_at(0.5, 2.0)


def test_only_lines_of_one_plane_meet(gru, onset_line):
    def line(ensemble, paths):
        return gt.critical_line(ensemble, paths, "onset", bounds=((0.5, 2.0), (1.0, 3.0)), search=2)

    # off the paths another bias; on them other gains do not matter
    with pytest.raises(ValueError, match="same plane"):
        onset_line.meets(line(gru.replace({"bias.r": 1.0}), AXES))
    assert onset_line.meets(line(gru.replace({"gain.r": 5.0}), AXES)) == ()
    a, b = (line(gru, (lambda v, k=k: {"gain.r": k * v}, "gain.h")) for k in (1, 2))
    with pytest.raises(ValueError, match="named"):
        a.meets(b)


def test_digits_of_points_are_known():
    """The widths of the bounds are the units of the error."""
    point = LinePoint("cusp", 1.23456789, 200.123456789, 1e-3)
    assert point.words((1.0, 10.0)) == "cusp at (1.235, 200.12)"


def test_a_line_that_is_not_there(gru):
    """Its status says what was seen: a value never reached, jumped over at the onset, across a pole, or never defined."""

    def none(quantity, value, ensemble=gru, **options):
        line = gt.critical_line(ensemble, AXES, quantity, value, bounds=((0.0, 10.0), (1.4, 3.0)), search=3, **options)
        assert not line.curves and line.status.code == "none"
        return line

    beyond = none("moment:h", 100)
    largest = gt.fixed_points(gru.replace({"gain.r": 10.0, "gain.h": 3.0}))[-1].moments["h"]
    assert beyond.ok and f"to {largest:.6g} at 9 points" in str(beyond.status)
    # silent below a_h = 2 at all three gains, and abscissas above 1 beyond
    jumped = none("abscissa", 1)
    assert not jumped.ok and "3 of them from one solution to another" in str(jumped.status)
    pole = none(lambda ensemble: 1 / (ensemble.value("gain.r") - 4.7), 0.0, of="ensemble")
    assert not pole.ok and "passes 0 between 3 pairs" in str(pole.status) and "onset" not in str(pole.status)
    undefined = none(lambda spectrum: float("nan"), 1)
    assert not undefined.ok and "not defined at any of 9" in str(undefined.status)
    spread = none("onset", None, gru.replace({"bias_std": 0.5}))
    assert not spread.ok and "no zero state" in str(spread.status)


def test_a_line_whose_solution_vanishes_says_so(gru):
    """In the coordinates of the plane an end at the smallest moment that is followed says which moment that is."""
    u = np.array([[0.2, 0.5, 0.0], [0.5, 0.5, -3.0], [0.8, 0.5, np.log(1e-12) / UNIT]])
    slopes = np.tile([[0.0, 1.0, 0.0], [1.0, 0.0, 0.1]], (3, 1, 1))
    ends = Status("edge", "x leaves its range"), Status("limit", "unknown 2 is small")
    traced = Traced(u, slopes, np.zeros((3, 2)), np.zeros_like(u), [], ends)
    (curve,), _ = in_plane([Component(traced, np.zeros(2))], plane_of(gru, AXES, BOX))
    assert str(curve.ends[0]) == "gain.r leaves its range"
    assert str(curve.ends[1]) == "ends where the moment of its solution becomes smaller than 1e-12" and curve.ends[1].ok


@pytest.mark.parametrize("own", [False, True])
def test_a_line_whose_solution_vanishes_ends_where_it_is_born(own):
    """The moment of the vanilla network's state vanishes with the spread of its biases, at the onset a = 1."""

    def edge(spectrum):
        return spectrum.abscissa()

    paths, bounds = ("bias_std.h", "gain.h"), ((0.0, 1.0), (0.5, 2.0))
    quantity = edge if own else "abscissa"
    line = gt.critical_line(gt.Ensemble(gt.Vanilla), paths, quantity, 1, bounds=bounds, search=3, tol=1e-4)
    assert sorted(end.code for end in line.curves[0].ends) == ["born", "edge"]
    (point,) = line.points
    assert (point.x, point.y) == pytest.approx((0.0, 1.0), abs=1e-9)
