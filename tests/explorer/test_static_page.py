"""The explorers of the site: data that the library made, and pages that open from a file and say its numbers."""

from pathlib import Path

import numpy as np
import pytest

import gating_theory as gt
from gating_theory import flow
from gating_theory.explorer.static_data import (
    BOUNDARY_UNIT,
    CURVES,
    FLOW,
    KINDS,
    SPECTRA,
    TAUS,
    UNIT,
    Grid,
    make_flows,
    make_spectra,
    rotation,
)
from gating_theory.explorer.static_page import SCRIPTS, copy_scripts, flow_page, spectrum_page

DATA = Path(__file__).parents[2] / "docs" / "explorer_data"


def curves(kept, row, name):
    """Of a row of a file: list of (m, 2) whole numbers."""
    ends = np.cumsum(kept["curves"][:, 2])
    chosen = (kept["curves"][:, 0] == row) & (kept["curves"][:, 1] == name)
    return [kept["values"][end - n : end] for end, n in zip(ends[chosen], kept["curves"][chosen, 2])]


@pytest.mark.parametrize("point", [(1.0, 4.0, 0.0), (3.0, 2.0, 1.0)])
def test_spectra_of_the_site_are_the_library_s(point):
    """At a zero and at an active state: the numbers, the timescales and the boundary in the file, by direct calls."""
    kept, row = np.load(DATA / "spectra.npz"), SPECTRA.place(*point)
    h, r, z = point
    fixed = gt.fixed_points(gt.Ensemble(gt.GRU, gain={"z": 2, "r": r, "h": h}, bias={"z": z}))[-1]
    spectrum = gt.Spectrum(fixed)
    # edges are good to 1e-10, whatever rounds differently on other machines
    assert kept["numbers"][row] == pytest.approx([fixed.moments["h"], spectrum.radius(), spectrum.abscissa()], rel=1e-8, abs=1e-12)
    some = [0, 4, 8]
    # whole multiples of 1/65535; masses have a tolerance of 1e-4
    assert kept["slow"][row, some] / 65535 == pytest.approx(spectrum.slow_fraction(TAUS[some]), abs=3e-4)
    (theirs,) = curves(kept, row, 0)
    (ours,) = spectrum.boundary(64)
    assert theirs @ [1, 1j] / BOUNDARY_UNIT == pytest.approx(ours, abs=2e-4)  # rounded to 1e-4


def test_portraits_of_the_site_are_the_library_s():
    """Beyond and below the Hopf bifurcation, and with nine fixed points: topology, points, periods, nullclines, by direct calls."""
    kept = np.load(DATA / "flows.npz")
    for point in ((3.0, 45.0), (1.0, 45.0), (4.0, 15.0)):
        row, here = FLOW.place(*point), flow.GRUFlow(U_h=rotation(*point))
        points = here.fixed_points()
        assert kept["topology"][row] == points.topology.words
        mine = kept["points"][kept["points"][:, 0] == row]
        assert [KINDS[int(kind)] for kind in mine[:, 1]] == [p.kind for p in points]
        assert mine[:, 2:] == pytest.approx(points.states, abs=1e-9)
        cycles, theirs = flow.cycles(here), kept["cycles"][kept["cycles"][:, 0] == row]
        assert theirs[:, 1] == pytest.approx([c.period for c in cycles], rel=1e-8)
        assert theirs[:, 2] == pytest.approx([c.multipliers[0].real for c in cycles], rel=1e-6)
        for place, name in enumerate(("first", "second")):
            assert CURVES[place] == name
            states = np.concatenate(curves(kept, row, place)) / UNIT
            # on the curve to 1e-3 (a grid of 1/60), times slopes up to 10
            assert np.abs(here.residual(states)[:, place]).max() < 0.02
        for cycle, states in zip(cycles, curves(kept, row, CURVES.index("attracting"))):
            assert cycle.distance(states / UNIT).max() < 1e-3


def test_the_files_are_what_the_script_makes():
    """Another grid, made now, has the arrays of the files; they are small, and complete."""
    small = Grid(FLOW.names, ((3.0,), (45.0,))), Grid(SPECTRA.names, ((1.0,), (0.0,), (0.0,)))
    for name, made, grid in (("flows", make_flows(small[0]), FLOW), ("spectra", make_spectra(small[1]), SPECTRA)):
        kept = np.load(DATA / f"{name}.npz")
        assert set(kept.files) == set(made) and all(kept[key].dtype.kind == made[key].dtype.kind for key in made)
        rows = len(grid.points())
        assert set(kept["curves"][:, 0]) == set(range(rows)) and kept["curves"][:, 2].sum() == len(kept["values"])
    assert sum(file.stat().st_size for file in DATA.iterdir()) < 1_000_000
    assert len(np.load(DATA / "spectra.npz")["numbers"]) == len(SPECTRA.points())
    assert len(np.load(DATA / "flows.npz")["topology"]) == len(FLOW.points())


def test_curves_have_no_gaps():
    """Neighbours on a curve of the portraits are near each other: no number left the range of 16 bits."""
    kept = dict(np.load(DATA / "flows.npz"))  # read once: an archive unpacks whatever is asked for, each time
    for row in range(len(FLOW.points())):
        for name in range(len(CURVES)):
            for curve in curves(kept, row, name):
                # chords of thinned curves are shorter than 2 * .2 and a point's distance, of sides of 2
                assert np.abs(np.diff(curve.astype(int), axis=0)).max(initial=0) < 0.6 * UNIT


def test_what_the_page_says_can_be_seen():
    """What docs/explorer.md tells readers to try happens at these places of the grids."""
    numbers, words = np.load(DATA / "spectra.npz")["numbers"], np.load(DATA / "flows.npz")["topology"]

    def abscissa(*point):
        return numbers[SPECTRA.place(*point), 2]

    for z in SPECTRA.values[2]:  # the update gate does not move the critical gain, 2
        assert abscissa(1.75, 2.0, z) < 1.0 < abscissa(2.25, 2.0, z)
    assert 1.0 - abscissa(1.0, 2.0, 4.0) < 0.1 * (1.0 - abscissa(1.0, 2.0, 0.0))  # it slows modes down
    assert (np.diff([numbers[SPECTRA.place(3.0, r, 1.0), 1] for r in SPECTRA.values[1]]) > 0.0).all()
    # sqrt(8) = 2.83
    assert words[FLOW.place(2.75, 45.0)] == "1 sink" and words[FLOW.place(3.0, 45.0)] == "1 source"
    assert words[FLOW.place(1.75, 0.0)] == "1 sink" and words[FLOW.place(2.25, 0.0)] == "4 sinks, 1 source, 4 saddles"
    assert words[FLOW.place(2.0, 0.0)] == ""  # at the bifurcation itself
    cycles = np.load(DATA / "flows.npz")["cycles"]
    slow = [cycles[cycles[:, 0] == FLOW.place(4.5, angle), 1].max(initial=0.0) for angle in FLOW.values[1]]
    first = int(np.flatnonzero(slow)[0])
    assert 0 < first and slow[first] > 2.0 * slow[-1]  # no cycle before the sinks meet saddles, and a slow one then


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    """A page with both, beside the scripts of bokeh."""
    pytest.importorskip("bokeh", reason="bokeh is not installed: pages of the explorer are not looked at")
    folder = tmp_path_factory.mktemp("static")
    copy_scripts(folder / "bokehjs")
    parts = spectrum_page(DATA, "bokehjs") + flow_page(DATA, "bokehjs")
    assert len(parts.encode()) < 2_000_000
    (folder / "page.html").write_text(
        f'<!DOCTYPE html><meta charset="utf-8"><title>x</title><body>{parts}</body>', encoding="utf-8"
    )
    assert {file.name for file in (folder / "bokehjs").iterdir()} == set(SCRIPTS)
    return folder / "page.html"


def test_from_a_file_sliders_choose_numbers_of_the_library(browser, page_file):
    """Opened without a server: a key moves a slider, and the numbers are the library's; no request, no error."""
    page = browser(1280, 900)
    shown = page.page
    shown.goto(page_file.as_uri())
    shown.locator("#static-spectrum .abscissa").wait_for(timeout=60_000)
    spectra, flows = np.load(DATA / "spectra.npz"), np.load(DATA / "flows.npz")
    shown.evaluate("document.addEventListener('keydown', () => { window.page_turned = true })")  # as sites do
    handle = shown.locator("#static-spectrum .noUi-handle").first
    handle.focus()
    shown.keyboard.press("ArrowRight")
    expected = spectra["numbers"][SPECTRA.place(3.25, 2.0, 1.0)]
    assert float(shown.locator("#static-spectrum .abscissa").inner_text()) == pytest.approx(expected[2], rel=1e-5)
    assert float(shown.locator("#static-spectrum .radius").inner_text()) == pytest.approx(expected[1], rel=1e-5)
    made = {"gt": gt}
    exec("\n".join(shown.locator("#static-spectrum .python").inner_text().splitlines()[:2]), made)
    assert made["spectrum"].abscissa() == pytest.approx(expected[2], rel=1e-8)
    shown.locator("#static-flow .noUi-handle").first.focus()
    shown.keyboard.press("ArrowLeft")
    row = FLOW.place(2.75, 45.0)
    assert shown.locator("#static-flow .topology").inner_text() == flows["topology"][row] == "1 sink"
    shown.keyboard.press("ArrowRight")
    (period,) = flows["cycles"][flows["cycles"][:, 0] == FLOW.place(3.0, 45.0), 1]
    assert float(shown.locator("#static-flow .period").inner_text()) == pytest.approx(period, rel=1e-5)
    exec(shown.locator("#static-flow .python").inner_text().splitlines()[0], made)
    assert made["flow"] == flow.GRUFlow(U_h=rotation(3.0, 45.0))
    assert shown.evaluate("window.page_turned === undefined")
    page.check()


def test_static_pages_fit_a_narrow_screen(browser, page_file):
    page = browser(400, 900)
    page.page.goto(page_file.as_uri())
    page.page.locator("#static-flow .topology").wait_for(timeout=60_000)
    assert page.page.evaluate("document.documentElement.scrollWidth") <= 400
    page.check()
