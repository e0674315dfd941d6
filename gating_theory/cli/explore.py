"""``gating-theory explore``: pages on which one turns a gain and sees what it does."""

from __future__ import annotations

import argparse

from ..explorer.server import serve

__all__ = ["run"]


def run(options: argparse.Namespace) -> int:
    """Serve the pages until Ctrl-C; the exit code."""
    serve(options.port, "/flow" if options.flow else "/", not options.no_browser, _say)
    return 0


def _say(address):
    print(f"explorer at {address} (Ctrl-C ends it)", flush=True)
