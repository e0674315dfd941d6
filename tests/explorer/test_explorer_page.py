"""The page of large networks in a real browser: what it shows is what the library computes."""

import time
from dataclasses import replace
from urllib.parse import urlsplit

import numpy as np
import pytest

import gating_theory as gt
from gating_theory.explorer import numbers
from gating_theory.explorer.view import START, View

#: One server and one browser for all of them.
pytestmark = pytest.mark.xdist_group("explorer")
#: Milliseconds that a page may take on a busy machine.
LONG = 60_000
#: Pixels of a place in the plane, in the window.
_PLACE = """([x, y]) => {
  const view = Object.values(Bokeh.index).find(view => view.model.name == "plane")
  const box = view.canvas_view.el.getBoundingClientRect()
  return [box.left + view.frame.x_scale.compute(x), box.top + view.frame.y_scale.compute(y)] }"""
#: What has the focus, also within parts of bokeh.
_FOCUS = """() => { let at = document.activeElement
  while (at.shadowRoot?.activeElement) at = at.shadowRoot.activeElement
  return at.className || at.tagName }"""


class Opened:
    """A page with what tests ask of it."""

    def __init__(self, new_page, address, query="", width=1280):
        self.browser = new_page(width, 900)
        self.page = self.browser.page
        self.page.goto(f"{address}?{query}" if query else address)
        self.page.wait_for_selector('.number[data-name="radius"], p.missing', timeout=LONG)

    def view(self):
        """The view of its address."""
        return View.from_query(urlsplit(self.page.evaluate("location.href")).query)

    def wait_for(self, condition, what):
        end = time.monotonic() + LONG / 1000
        while time.monotonic() < end:
            if found := condition():
                return found
            self.page.wait_for_timeout(100)
        raise AssertionError(f"{what} did not happen, at {self.page.evaluate('location.href')}")

    def number(self, name):
        """All digits of a number of the page; None where it is not shown."""
        found = self.page.query_selector(f'.number[data-name="{name}"]')
        return None if found is None else float(found.get_attribute("data-value"))

    def wait_for_numbers(self, view):
        """Wait until the numbers are those of a view, by the library."""
        spectrum = gt.Spectrum(gt.fixed_points(view.ensemble)[-1])
        # both are good to 1e-10
        self.wait_for(lambda: abs((self.number("radius") or 0.0) - spectrum.radius()) < 1e-9, f"radius {spectrum.radius()}")
        return spectrum

    def slider(self, path):
        """What of a slider takes the keyboard."""
        return self.page.locator(".bk-Slider", has_text=f"{path}:").locator(".noUi-handle")

    def pixels(self, x, y):
        return self.page.evaluate(_PLACE, [x, y])

    def close(self):
        self.browser.check()
        self.page.close()


@pytest.fixture
def opened(browser, explorer):
    pages = []

    def open_page(query="", width=1280):
        pages.append(Opened(browser, explorer, query, width))
        return pages[-1]

    yield open_page
    for page in pages:
        page.close()


def test_numbers_follow_a_slider_that_the_keyboard_moves(opened):
    """Arrow keys on a slider change moments, radius, abscissa, growth, slow fraction and the program as the library says."""
    view = replace(START["GRU"], lines=())
    here = opened(view.query())
    here.wait_for_numbers(view)
    here.slider("gain.h").focus()
    for _ in range(3):
        here.page.keyboard.press("ArrowLeft")
    wanted = view.moved({"gain.h": 3.85})
    here.wait_for(lambda: here.view() == wanted, "the link follows")
    spectrum = here.wait_for_numbers(wanted)
    growth = gt.gradient_growth(spectrum, 100)
    here.wait_for(lambda: abs(here.number("growth") - growth.log10[-1]) < 2e-6, "growth")  # the quick one is good to 1e-6
    here.page.wait_for_selector('.number.exact[data-name="slow"]', timeout=LONG)
    assert here.number("slow") == pytest.approx(spectrum.slow_fraction(100.0), abs=2e-4)  # each is good to 1e-4
    assert here.number("abscissa") == pytest.approx(spectrum.abscissa(), rel=1e-9)
    assert here.number("moment h") == pytest.approx(spectrum.fixed_point.moments["h"], rel=1e-9)
    assert here.page.locator("pre").inner_text().strip() == wanted.code().strip()
    # from the cell on, the tab key leads to everything
    choice = here.page.locator("select").first
    choice.focus()
    reached = []
    for _ in range(12):
        here.page.keyboard.press("Tab")
        reached.append(here.page.evaluate(_FOCUS))
    assert reached.count("noUi-handle noUi-handle-lower") == 6 and reached.count("SUMMARY") == 3
    # another cell has other sliders; one that lacks what is needed says so
    choice.select_option("LiGRU")
    here.page.locator("p.missing", has_text="LiGRU").wait_for(timeout=LONG)
    assert here.number("radius") is None
    choice.select_option("Vanilla")
    here.wait_for_numbers(START["Vanilla"])
    assert here.page.locator("p.missing").count() == 0 and here.page.locator(".noUi-handle").count() == 4


def test_a_dragged_dot_moves_the_sliders(opened):
    here = opened("cell=GRU&gain.r=3&gain.h=3&x=gain.r&y=gain.h&x_bounds=1:10&y_bounds=1:5&lines=onset,fold")
    here.page.locator("[data-line=fold]", has_text="tricritical at (2.828, 2)").wait_for(timeout=LONG)
    assert "1 curve" in here.page.locator("[data-line=onset]").inner_text()
    x, y = here.pixels(3.0, 3.0)
    to_x, to_y = here.pixels(7.0, 1.5)
    here.page.mouse.move(x, y)
    here.page.mouse.down()
    here.page.mouse.move(0.5 * (x + to_x), 0.5 * (y + to_y), steps=3)
    here.page.mouse.move(to_x, to_y, steps=3)
    here.page.mouse.up()
    found = here.wait_for(lambda: here.view().value("gain.r") > 5.0 and here.view(), "the link follows the dot")
    # a pixel is 9 / 400 across and 4 / 400 up
    assert (found.value("gain.r"), found.value("gain.h")) == pytest.approx((7.0, 1.5), abs=0.1)
    for path in ("gain.r", "gain.h"):
        shown = here.slider(path).get_attribute("aria-valuenow")
        assert float(shown) == pytest.approx(found.value(path), abs=0.05)  # the step of a slider
    here.wait_for_numbers(found)


def test_a_link_gives_the_same_view_in_another_page(opened):
    """Boxes are ticked, and the address alone gives a second page with the same numbers, also those of the sampled network."""
    here = opened("cell=MGU&gain.h=1.5&lines=")
    for label in ("density", "a sampled network"):
        here.page.get_by_text(label, exact=True).click()
    radius = here.wait_for(lambda: here.number("network radius"), "a network")
    view = here.view()
    assert view == View("MGU", (("gain.h", 1.5),), density=True, network=True, lines=())
    assert radius == pytest.approx(next(numbers.network(view)).radius, rel=1e-9)
    there = opened(view.query())
    there.wait_for(lambda: there.number("network radius"), "a network")
    names = ("radius", "growth", "moment h", "network radius")
    assert there.view() == view and here.page.locator("pre").inner_text() == there.page.locator("pre").inner_text()
    assert [there.number(name) for name in names] == pytest.approx([here.number(name) for name in names], rel=1e-9)


def test_a_narrow_page_has_one_column_and_no_horizontal_scroll(opened):
    """And a bad link says what is wrong with it."""
    here = opened("cell=GRU&gain.x=2", width=400)
    here.page.locator("p.missing", has_text="gain.x").wait_for(timeout=LONG)
    here.wait_for_numbers(START["GRU"])
    assert here.page.evaluate("document.documentElement.scrollWidth") <= 400
    boxes = [panel.bounding_box() for panel in here.page.locator(".panel").all()]
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= 400 for box in boxes)
    assert np.ptp([box["x"] for box in boxes]) < 1.0
