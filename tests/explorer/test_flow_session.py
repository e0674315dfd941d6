"""A session of the page of two units without a server: what is asked for, and what happens to answers that come late."""

import pytest

from gating_theory.explorer.background import Answer
from gating_theory.explorer.flow_numbers import at_once, at_rest
from gating_theory.explorer.flow_view import FlowView

bokeh_document = pytest.importorskip("bokeh.document", reason="bokeh is not installed: pages of the explorer are not looked at")


class Lanes(dict):
    """In place of a Background: keeps what it is asked."""

    def __init__(self):
        super().__init__(fast=Lane(), slow=Lane())

    def forget(self, session):
        pass


class Lane:
    def __init__(self):
        self.asked = []

    def ask(self, key, task, view, tell):
        self.asked.append((task, view, tell))

    def forget(self, key):
        pass


@pytest.fixture
def session():
    from gating_theory.explorer.flow_page import flow_page

    document, lanes = bokeh_document.Document(), Lanes()
    flow_page(document, lanes)
    return document, lanes


def run_callbacks(document):
    """What a server would do next, timers included."""
    for callback in list(document.session_callbacks):
        kind = type(callback).__name__
        remove = document.remove_next_tick_callback if "NextTick" in kind else document.remove_timeout_callback
        if "NextTick" in kind:
            remove(callback)
        callback.callback()


def text(document, name="numbers"):
    return document.get_model_by_name(name).text


def test_sliders_ask_at_once_and_rest_before_what_takes_longer(session):
    document, lanes = session
    (first,) = lanes["fast"].asked
    assert first[0] is at_once and not lanes["slow"].asked
    document.get_model_by_name("U_h_00").value = 3.0
    document.get_model_by_name("U_h_00").value = 4.0
    assert [view.values["U_h[0,0]"] for _, view, _ in lanes["fast"].asked[1:]] == [3.0, 4.0]
    run_callbacks(document)
    ((task, view, _),) = lanes["slow"].asked
    assert task is at_rest and view == lanes["fast"].asked[-1][1]


def test_late_answers_are_not_shown(session):
    document, lanes = session
    document.get_model_by_name("preset").value = "Four sinks"
    old, new = lanes["fast"].asked
    for _, view, tell in (new, old):
        for piece in at_once(view):
            tell(Answer("piece", piece))
    run_callbacks(document)
    assert "4 sinks, 1 source, 4 saddles" in text(document)
    assert FlowView.from_query(document.get_model_by_name("link").tags[0]) == new[1]


def test_what_cannot_be_computed_is_said(session):
    document, lanes = session
    _, view, tell = lanes["fast"].asked[0]
    tell(Answer("failed", "no <fixed> points"))
    run_callbacks(document)
    assert "no &lt;fixed&gt; points" in text(document) and "saddle" not in text(document)
    for piece in at_once(view):
        tell(Answer("piece", piece))
    run_callbacks(document)
    assert "saddle" in text(document) and "fixed&gt;" not in text(document)
    # cycles that cannot be found leave the portrait as it is
    *_, slow = lanes["slow"].asked[-1]
    slow(Answer("crashed", "the process ended"))
    run_callbacks(document)
    assert "saddle" in text(document) and "the process ended" in text(document)
