"""A real browser for tests of pages: the system's Chromium, driven by playwright. What a page asks of other machines is refused
and written down.

CI installs Chromium; on a user's machine without one, these tests are skipped with a message.
"""

import os
import shutil
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

#: Names under which systems have it.
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
#: No sandbox: containers forbid it. The rest keeps the browser itself from calling home.
_SWITCHES = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def executable():
    """The path of a Chromium, or a skip; CI has one, so there its lack is a failure."""
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if found is None and os.environ.get("CI"):
        pytest.fail("CI needs a browser: install the package chromium")
    if found is None:
        pytest.skip("no Chromium on this machine: pages are not looked at (Debian: apt install chromium)")
    return found


class Page:
    """A page of the browser (``page``, of playwright) with what it asked of other machines and what went wrong in it."""

    def __init__(self, page):
        self.page, self.outside, self.errors = page, [], []
        page.route("**/*", self._here_only)
        page.on("websocket", lambda socket: self._note(socket.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)

    def _note(self, url):
        parts = urlsplit(url)
        outside = parts.scheme in ("http", "https", "ws", "wss") and parts.hostname not in ("localhost", "127.0.0.1")
        if outside:
            self.outside.append(url)
        return outside

    def _here_only(self, route):
        if self._note(route.request.url):
            route.abort()
        else:
            route.continue_()

    def check(self):
        """Nothing went wrong, and nothing left the machine."""
        assert not self.outside and not self.errors


@contextmanager
def running():
    """A callable(width, height) that opens an empty ``Page``; all are closed at the end."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pages are not looked at")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable(), args=list(_SWITCHES))
        try:
            yield lambda width=1280, height=900: Page(browser.new_page(viewport={"width": width, "height": height}))
        finally:
            browser.close()
