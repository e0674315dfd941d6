"""Critical lines in pictures: curves, special points, bands of errors, names of regions, and areas cut along them."""

from __future__ import annotations

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest

import gating_theory as gt
from gating_theory.lines.line import CriticalLine, LineCurve, LinePoint
from gating_theory.plotting.lines import line_styles
from gating_theory.results.status import Status

AXES = ("gain.r", "gain.h")
BOX = ((0.0, 10.0), (1.4, 3.0))


def line(quantity, x, y, error=0.0, value=0.0, points=(), paths=AXES):
    """A line through given points."""
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    length = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x) / 10.0, np.diff(y) / 1.6))])
    zero, ends = np.zeros(x.size), (Status("edge"), Status("edge"))
    curve = LineCurve(x, y, zero, zero + error, zero * np.nan, length, 1e-7, ends)
    ensemble = gt.Ensemble(gt.GRU)
    return CriticalLine(ensemble, paths, ("$a_r$", "$a_h$"), BOX, quantity, value, "", (curve,), points, Status("ok"))


@pytest.fixture
def onset():
    return line("onset", np.linspace(0, 10, 30), np.full(30, 2.0), points=(LinePoint("tricritical", np.sqrt(8), 2.0, 1e-12),))


def test_lines_without_a_grid(onset):
    x = np.linspace(0, 10, 9)
    bent = line("abscissa", x, 2.2 + 0.05 * (x - 5) ** 2 / 5, value=1.1)
    ax = gt.plotting.plot_phase_diagram([onset, bent])
    labels = [curve.get_label() for curve in ax.get_lines() if not curve.get_label().startswith("_")]
    assert labels == ["onset", "abscissa = 1.1", "tricritical point"]
    assert (ax.get_xlim(), ax.get_ylim()) == BOX
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("$a_r$", "$a_h$")
    drawn = ax.get_lines()[1].get_xydata()
    # the spline through points of a parabola, over its length
    np.testing.assert_allclose(drawn[:, 1], 2.2 + 0.05 * (drawn[:, 0] - 5) ** 2 / 5, atol=1e-3)
    assert len(drawn) > 1000
    mark = ax.get_lines()[-1]
    assert mark.get_xydata().tolist() == [[np.sqrt(8), 2.0]]


def test_logarithms_are_called_that():
    lines = [line(name, [0, 10], [y, y], value=-1.0) for name, y in (("gradient:100", 1.6), ("gradient_rate", 1.8))]
    labels = [curve.get_label() for curve in gt.plotting.plot_phase_diagram(lines).get_lines()]
    assert labels == ["lg gradient (100) = -1", "gradient rate = -1"]


def test_one_style_for_each_quantity(onset):
    """The same colour in all pictures; two values of one quantity have other dashes."""
    one, two = (line("abscissa", [0, 10], [y, y], value=v) for y, v in ((1.6, 1.0), (1.8, 1.2)))
    styles = line_styles([onset, one, two])
    assert len(set(styles)) == 3
    assert styles[1][1] == styles[2][1] != styles[0][1]
    assert styles[1][2] != styles[2][2]
    assert line_styles([one]) == styles[1:2]
    assert [words for words, _, _ in styles] == ["onset", "abscissa = 1", "abscissa = 1.2"]


def test_errors_are_bands():
    """Wide ones as areas of twice the error, invisible ones not at all."""
    wide = line("chaos", np.linspace(0, 10, 5), np.full(5, 2.0), error=0.1)
    ax = gt.plotting.plot_phase_diagram(wide)
    (band,) = ax.patches
    x, y = band.get_xy()[:-1].T
    area = 0.5 * abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))
    assert area == pytest.approx(10 * 0.2, rel=1e-6)
    assert not gt.plotting.plot_phase_diagram(line("chaos", [0, 10], [2, 2], error=1e-5)).patches


def test_names_stand_inside_their_regions(onset):
    ax = gt.plotting.plot_phase_diagram(onset, regions={"below": (0.2, 1.99), "above": (9.9, 2.02)})
    places = {text.get_text(): text.get_position() for text in ax.texts}
    # in the middle of each part, within pixels of a 300th
    assert places["below"][1] == pytest.approx(1.7, abs=0.02)
    assert places["above"][1] == pytest.approx(2.5, abs=0.02)
    assert all(2 < x < 8 for x, _ in places.values())


def test_over_a_map(onset):
    """Areas of the count are cut along onsets: on both sides of the line, between grid points, the count is that of its side."""
    axes = {"gain.r": np.linspace(0.0, 2.0, 5), "gain.h": [1.45, 1.85, 2.25, 2.65]}
    data = gt.phase_diagram(gt.Ensemble(gt.GRU), axes, ["count"])
    ax = gt.plotting.plot_phase_diagram(data, lines=[onset])
    mesh = ax.collections[0]
    counts, corners = mesh.get_array(), mesh.get_coordinates()
    y = 0.5 * (corners[1:, 0, 1] + corners[:-1, 0, 1])
    column = np.asarray(counts).reshape(y.size, -1)[:, 200]
    assert (column[(y > 1.5) & (y < 1.995)] == 1).all()
    assert (column[(y > 2.005) & (y < 2.6)] == 2).all()
    assert "onset" in [curve.get_label() for curve in ax.get_lines()]


def pixels(ax):
    """The count shown at a place."""
    mesh = ax.collections[0]
    corners = mesh.get_coordinates()
    counts = np.ma.filled(mesh.get_array(), -1).reshape(len(corners) - 1, -1)
    return lambda x, y: counts[np.searchsorted(corners[:, 0, 1], y) - 1, np.searchsorted(corners[0, :, 0], x) - 1]


#: Curves of all kinds, and whether a place is on their far side.
GRID = np.linspace(0.0, 4.0, 9)
TURN = np.linspace(0.0, 2 * np.pi, 300)
FOLDED = np.linspace(-1.45, 1.45, 300)
CURVES = {
    "upright": (np.full(400, 1.7), np.linspace(0, 4, 400), lambda x, y: x > 1.7),
    "upright and descending": (np.full(400, 1.7), np.linspace(4, 0, 400), lambda x, y: x > 1.7),
    "closed": (2 + np.cos(TURN), 2 + 1.3 * np.sin(TURN), lambda x, y: (x - 2) ** 2 + ((y - 2) / 1.3) ** 2 < 1),
    "turning": (2.1 - FOLDED**2, 2.1 + FOLDED, lambda x, y: x < 2.1 - (y - 2.1) ** 2),
}


@pytest.mark.parametrize("name", CURVES)
def test_areas_are_cut_along_any_curve(name):
    """Every pixel that is not under the curve has the count of its own side."""
    x, y, far = CURVES[name]
    _, ax = plt.subplots()
    gt.plotting.draw_count(ax, GRID, GRID, np.where(far(*np.meshgrid(GRID, GRID)), 3, 1), [(x, y)])
    shown = pixels(ax)
    places = np.random.default_rng(0).uniform(0.01, 3.99, (500, 2))
    clear = np.hypot(places[:, :1] - x, places[:, 1:] - y).min(axis=1) > 0.03
    # a curve that ends divides only what is beside it
    clear &= (name != "turning") | (np.abs(places[:, 1] - 2.1) < 1.4)
    assert clear.sum() > 300
    for place in places[clear]:
        assert shown(*place) == (3 if far(*place) else 1), place


def test_a_part_without_a_grid_point_stays_blank():
    """It takes no count from across its border; the legend says so."""
    circle = 3.74 + 0.12 * np.cos(TURN), 3.76 + 0.12 * np.sin(TURN)
    _, ax = plt.subplots()
    gt.plotting.draw_count(ax, GRID, GRID, np.ones((9, 9), dtype=int), [circle])
    shown = pixels(ax)
    assert (shown(3.74, 3.76), shown(3.4, 3.76)) == (-1, 1)
    assert "no grid point" in ax.get_legend_handles_labels()[1]


def test_areas_are_cut_by_lines_of_their_own_ensemble_only(onset):
    axes = {"gain.r": np.linspace(0.0, 2.0, 3), "gain.h": [1.45, 1.85, 2.25, 2.65]}
    data = gt.phase_diagram(gt.Ensemble(gt.GRU), axes, ["count"])
    other = replace(onset, ensemble=gt.Ensemble(gt.GRU, bias={"r": -1.0}))
    ax = gt.plotting.plot_phase_diagram(data, lines=[other])
    assert [curve.get_label() for curve in ax.get_lines()][0] == "onset, $b_{r}$ = -1"
    assert len(ax.collections[0].get_array().ravel()) == 12
    with pytest.raises(ValueError, match="is of LSTM networks, the diagram of 'GRU'"):
        gt.plotting.plot_phase_diagram(data, lines=[replace(onset, ensemble=gt.Ensemble(gt.LSTM), paths=AXES)])


def test_labels_say_what_differs(onset):
    """The state; hyperparameters off the two paths; labels of one's own; lines without curves."""
    one, two = (replace(onset, quantity="fold", ensemble=gt.Ensemble(gt.GRU, gain={"r": b}, bias={"r": b})) for b in (0.0, 1.0))
    assert [words for words, _, _ in line_styles([one, two])] == ["fold, $b_{r}$ = 0", "fold, $b_{r}$ = 1"]
    active = replace(onset, quantity="abscissa", value=1.1, solution="active", curves=(), points=(), status=Status("none"))
    ax = gt.plotting.plot_phase_diagram([onset, active])
    assert "abscissa = 1.1, active state: no curve found" in [text.get_text() for text in ax.get_legend().get_texts()]
    assert line_styles([replace(active, quantity="<lambda>", solution="")])[0][0] == "function = 1.1"
    ax = gt.plotting.plot_phase_diagram({"mine": onset})
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["mine", "tricritical point"]


def test_special_points_of_several_lines_are_told_apart(onset):
    """Where they lie apart; those at one place are one."""
    same = replace(onset, quantity="fold")
    assert point_labels([onset, same]) == ["tricritical point"]
    away = replace(onset, quantity="complexity_onset", points=(LinePoint("tricritical", 2.3, 2.0, 1e-9),))
    assert point_labels([onset, same, away]) == ["tricritical point: onset and fold", "tricritical point: complexity onset"]


def point_labels(lines):
    """Labels of special points in the legend."""
    labels = [text.get_text() for text in gt.plotting.plot_phase_diagram(lines).get_legend().get_texts()]
    return [label for label in labels if label.startswith("tricritical")]


def test_the_legend_leaves_a_title_free(onset):
    ax = gt.plotting.plot_phase_diagram(onset, regions={"silent": (2, 1.6)})
    ax.set_title("title")
    ax.figure.draw_without_rendering()
    legend = ax.get_legend().get_window_extent()
    assert not legend.overlaps(ax.title.get_window_extent())
    assert not legend.overlaps(ax.xaxis.get_tightbbox())
    assert not legend.overlaps(ax.bbox)


def test_a_name_does_not_leak_around_the_ends_of_a_line(onset):
    """Over a map the frame is that of its outermost points, and a line that is shorter goes on."""
    axes = {"gain.r": np.linspace(0.0, 10.5, 3), "gain.h": np.linspace(1.4, 3.0, 3)}
    data = gt.phase_diagram(gt.Ensemble(gt.GRU), axes, ["radius"])
    ax = gt.plotting.plot_phase_diagram(data, "radius", lines=[onset], regions={"silent": (2, 1.6)})
    assert (ax.get_xlim(), ax.get_ylim()) == ((0.0, 10.5), (1.4, 3.0))
    (name,) = ax.texts
    assert name.get_position()[1] == pytest.approx(1.7, abs=0.02)
    assert name.get_clip_on() and not name.get_in_layout()


@pytest.mark.parametrize("corner", [(0.0, 1.4), (10.0, 3.0)])
def test_names_stay_in_triangles_and_frames(onset, corner):
    """Whatever their length."""
    x = np.linspace(0, 10, 30)
    diagonal = replace(onset, curves=line("fold", x, 3.0 - 0.16 * x).curves, points=())
    for words in ("here", "a name that is longer than there is room for in this triangle"):
        ax = gt.plotting.plot_phase_diagram(diagonal, regions={words: (0.5 * corner[0] + 2.5, 0.5 * corner[1] + 1.1)})
        ax.figure.draw_without_rendering()
        box = ax.texts[0].get_window_extent().transformed(ax.transAxes.inverted())
        if words == "here":
            side = np.array([a + b - 1.0 for a in (box.x0, box.x1) for b in (box.y0, box.y1)])
            assert (side > 0).all() if corner[0] else (side < 0).all()
        assert min(box.x0, box.y0) >= -1e-6 and max(box.x1, box.y1) <= 1 + 1e-6 or box.width > 1.0


def test_what_cannot_be_drawn(onset):
    other = line("onset", [0, 1], [2, 2], paths=("gain.z", "gain.h"))
    with pytest.raises(ValueError, match="same paths"):
        gt.plotting.plot_phase_diagram([onset, other])
    with pytest.raises(ValueError, match="one cell, got Vanilla and GRU"):
        gt.plotting.plot_phase_diagram([onset, replace(onset, ensemble=gt.Ensemble(gt.Vanilla))])
    with pytest.raises(ValueError, match="beside its lines"):
        gt.plotting.plot_phase_diagram(onset, regions={"outside": (20.0, 2.0)})
    with pytest.raises(TypeError, match="regions"):
        gt.plotting.plot_phase_diagram(onset, regions=["outside"])
    with pytest.raises(ValueError, match="alone"):
        gt.plotting.plot_phase_diagram(onset, lines=())
    data = gt.phase_diagram(gt.Ensemble(gt.GRU), {"gain.r": [0.0, 1.0], "gain.h": [1.0, 2.0]}, ["count"])
    with pytest.raises(ValueError, match="runs along"):
        gt.plotting.plot_phase_diagram(data, lines=other)
    with pytest.raises(TypeError, match="dataset"):
        gt.plotting.plot_phase_diagram([onset, 3])
