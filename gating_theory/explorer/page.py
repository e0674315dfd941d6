"""The page of large networks."""

from __future__ import annotations

from typing import Any

from .background import Background
from .template import frame

__all__ = ["network_page"]


def network_page(document: Any, background: Background) -> None:
    """Fill a document of the server: a page that follows its controls.

    Parameters
    ----------
    document : bokeh Document of a session
    background : Background, whose processes calculate
    """
    from bokeh.models import Div

    document.title = "gating_theory explorer"
    document.add_root(Div(name="numbers", text="not yet"))
    document.template = frame("/", [], [{"title": "Numbers", "roots": "numbers"}])
