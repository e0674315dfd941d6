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


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


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
