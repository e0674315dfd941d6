"""The page of two units in a real browser: what it shows is what the library says."""

import re

import pytest

from gating_theory import flow
from gating_theory.explorer.flow_view import FlowView, presets

#: Milliseconds: on a busy machine the first calculation of a process, which loads and compiles code, takes tens of seconds.
PATIENCE = 60_000


@pytest.fixture(scope="module")
def page(browser, explorer):
    """One page for the tests of this file, each of which opens the view that it needs."""
    return browser(1280, 900)


def opened(page, explorer, query):
    page.page.goto(f"{explorer}flow{query}")
    page.page.locator(".topology").wait_for(timeout=PATIENCE)
    return page.page


def shows(page, selector, text):
    page.locator(selector, has_text=re.compile(text)).first.wait_for(timeout=PATIENCE)


def model(name, what):
    """JavaScript: a property of the model of this name."""
    return f"Bokeh.documents[0].get_model_by_name('{name}').{what}"


def view_of(page):
    return FlowView.from_query(page.url.partition("?")[2])


def test_a_weight_moves_by_keyboard_and_the_topology_follows(page, explorer):
    """From a sink through the pitchfork at 2 by the arrow keys; numbers, link and Python are those of the library."""
    shown = opened(page, explorer, "?U_h=1.8,0,0,1")
    shows(shown, ".topology", "^1 sink$")
    handle = shown.locator(".noUi-handle").first
    handle.focus()
    for _ in range(4):
        shown.keyboard.press("ArrowRight")
    shows(shown, ".topology", "saddle")
    shown.wait_for_function("location.search.includes('2.2')", timeout=PATIENCE)
    view = view_of(shown)
    assert view.values["U_h[0,0]"] == pytest.approx(2.2)
    points = view.flow().fixed_points()
    assert shown.locator(".topology").inner_text() == points.topology.words == "2 sinks, 1 saddle"
    rows = shown.locator(".points tr").all_inner_texts()[1:]
    assert len(rows) == len(points)
    for row, point in zip(rows, points):
        label, x, y, _ = row.split("\t")
        assert label == point.label and abs(float(x) - point.state[0]) < 6e-5 and abs(float(y) - point.state[1]) < 6e-5
    made = {}
    exec("\n".join(shown.locator(".python").inner_text().splitlines()[:3]), made)
    assert made["flow"] == view.flow()
    page.check()


def test_a_preset_with_a_cycle_shows_its_period(page, explorer):
    """Chosen by name; the period and multiplier are the library's, and the link makes the same page."""
    shown = opened(page, explorer, "?U_h=1,0,0,1")
    shown.locator("select").select_option("A limit cycle")
    shows(shown, ".topology", "^1 source$")
    shows(shown, ".cycles", "1 limit cycle")
    (cycle,) = flow.cycles(presets()["Attractors and bifurcations"]["A limit cycle"].flow())
    assert shown.locator(".period").all_inner_texts() == [f"{cycle.period:.6g}"]
    assert shown.locator(".multiplier").all_inner_texts() == [f"{cycle.multipliers[0].real:.4g}"]
    assert view_of(shown) == presets()["Attractors and bifurcations"]["A limit cycle"]
    assert shown.evaluate(model("attracting", "data_source.data.xs.length")) == 1
    page.check()


def test_a_click_starts_a_trajectory(page, explorer):
    shown = opened(page, explorer, "?U_h=3,0,0,1")
    box = shown.locator(".bk-Canvas").first.bounding_box()
    shown.mouse.click(box["x"] + 0.7 * box["width"], box["y"] + 0.3 * box["height"])
    shown.wait_for_function(f"{model('trajectories', 'data_source.data.xs.length')} == 1", timeout=PATIENCE)
    ((x, y),) = view_of(shown).starts
    assert 0.0 < x < 1.0 and 0.0 < y < 1.0
    start = shown.evaluate(
        f"[{model('trajectories', 'data_source.data.xs[0][0]')}, {model('trajectories', 'data_source.data.ys[0][0]')}]"
    )
    assert start == [x, y]
    shown.get_by_text("Clear", exact=True).click()
    shown.wait_for_function(f"{model('trajectories', 'data_source.data.xs.length')} == 0", timeout=PATIENCE)
    shown.get_by_text("Start here", exact=True).click()
    shown.wait_for_function(f"{model('trajectories', 'data_source.data.xs.length')} == 1", timeout=PATIENCE)
    assert view_of(shown).starts == ((0.3, 0.0),)
    page.check()


def test_a_bad_link_says_so_and_the_page_lives(page, explorer):
    page.page.goto(f"{explorer}flow?U_h=1,2")
    shows(page.page, ".problem", "4 numbers")
    shows(page.page, ".topology", "saddle")
    page.check()


def test_nothing_is_cut_on_a_narrow_screen(browser, explorer):
    """400 pixels: no scrolling sideways, the portrait above the sliders; gates that are not at rest are unfolded."""
    narrow = browser(400, 900)
    shown = opened(narrow, explorer, "?U_h=6,2.7,-22.6,-13.4&b_z=0,1.85&start=0.9,0.9")
    shows(shown, ".cycles", "2 limit cycles")
    assert shown.evaluate("document.documentElement.scrollWidth") <= 400
    assert (
        shown.locator("details").first.get_attribute("open") is not None
        and shown.locator("details").last.get_attribute("open") is None
    )
    assert shown.locator(".bk-Canvas").first.bounding_box()["y"] < shown.locator(".noUi-handle").first.bounding_box()["y"]
    narrow.check()
