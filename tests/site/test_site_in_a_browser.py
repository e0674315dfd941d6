"""Pages of the site in a real browser, wide and narrow: formulas are drawn, nothing is cut, nothing is asked of other machines."""

import pytest

#: Pages, and whether they have formulas.
PAGES = {
    "index": False,
    "theory/mean_field": True,
    "generated/gating_theory.critical_line": False,
    "generated/gating_theory.Spectrum": False,
    "generated/cells": True,
    "tutorials/can_krishnamurthy_schwab": True,
    "generated/gallery": False,
    "start/questions": False,
}


@pytest.mark.parametrize("width", [1280, 400])
def test_pages_look_as_they_should(site, browser, width):
    """Without a network, from files: formulas are drawn, no error, no page wider than the window."""
    shown = browser(width, 900)
    for name, formulas in PAGES.items():
        shown.page.goto((site.place / f"{name}.html").as_uri())
        if formulas:
            shown.page.wait_for_selector("mjx-container", timeout=20_000)
            left = shown.page.evaluate(
                "[...document.querySelectorAll('.math')].filter(e => !e.querySelector('mjx-container')).length"
            )
            assert left == 0, name
            assert shown.page.evaluate("document.querySelectorAll('mjx-merror').length") == 0, name
        wide = shown.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{name} is {wide} wide"
        shown.check()
