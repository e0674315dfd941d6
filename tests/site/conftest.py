"""The site is built once, by whoever asks for it first; all tests of this folder run in one process."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Built:
    """A site: its folder, how the build ended, and what it said."""

    place: Path
    code: int
    said: str

    def html(self):
        """The pages, without the listings of sources."""
        pages = sorted(self.place.rglob("*.html"))
        return [page for page in pages if "_modules" not in page.parts and "_static" not in page.parts]


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The whole site, its notebooks executed, warnings as errors.

    ``SITE`` names the folder of one that is built already: for work on the tests.
    """
    if "SITE" in os.environ:
        return Built(Path(os.environ["SITE"]).resolve(), 0, "built before")
    place = tmp_path_factory.mktemp("site")
    words = [
        "-W",
        "--keep-going",
        "--no-color",
        "-q",
        "-b",
        "html",
        "-d",
        str(place / "doctrees"),
        str(ROOT / "docs"),
        str(place / "html"),
    ]
    ended = subprocess.run([sys.executable, "-m", "sphinx", *words], capture_output=True, text=True, cwd=ROOT)
    return Built(place / "html", ended.returncode, ended.stdout + ended.stderr)
