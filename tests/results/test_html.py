"""Results in notebooks: the report with its tables, a small picture, and what happens where none can be drawn."""

import base64
import re
import sys
import time

import numpy as np
import pytest

import gating_theory as gt
from gating_theory.plotting import notebook
from gating_theory.results.display import first_line, in_html, rounded

TABLE = """mean squares
modes (mean, 2 states)      actual  theory, its sites
  slowest (steps)             2.26               2.93
  slower than 10 steps      0.00 %                  -
  gain margin                                  x 4.23
  actual: eigenvalues of the Jacobian; theory, its sites: what random weights give at the same states
a < b"""


@pytest.fixture(scope="module")
def growth():
    return gt.gradient_growth(gt.fixed_points(gt.Ensemble(gt.GRU))[-1], 5)


def test_tables_are_tables():
    shown = in_html(TABLE)
    cells = [re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row) for row in re.findall("<tr>(.*?)</tr>", shown)]
    assert cells == [
        ["modes (mean, 2 states)", "actual", "theory, its sites"],
        ["slowest (steps)", "2.26", "2.93"],
        ["slower than 10 steps", "0.00 %", "-"],
        ["gain margin", "", "x 4.23"],
    ]
    before, after = re.findall("<pre.*?>(.*?)</pre>", shown, flags=re.S)
    assert before == "mean squares" and after.startswith("  actual: eigenvalues") and after.endswith("a &lt; b")


@pytest.mark.parametrize(
    "report",
    [
        "",
        "one line",
        "a  b  c",
        "two\nlines",
        "a  b  c\nsome words, and others; and so on for ever",
        "1 steps  10^-1  = 0.1\n2 steps  10^-2  = 0.01",
    ],
)
def test_what_is_no_table_stays_as_it_is(report):
    shown = in_html(report)
    assert "<table" not in shown and (not report or f">{report}</pre>" in shown)


def test_a_picture_stands_beside_the_report(growth):
    shown = growth._repr_html_()
    (data,) = re.findall(r'src="data:image/png;base64,([^"]+)"', shown)
    picture = base64.b64decode(data)
    assert picture.startswith(b"\x89PNG") and len(picture) < 150_000
    assert str(growth).splitlines()[0] in shown


def test_pictures_are_quick_and_touch_no_figure_of_the_user(growth):
    import matplotlib.pyplot as plt

    mine = plt.figure()
    spectrum = gt.Spectrum(gt.fixed_points(gt.Ensemble(gt.GRU, gain={"z": 2, "r": 3, "h": 6}))[-1])
    spectrum._repr_html_()  # compiles what it needs
    start = time.process_time()
    assert "data:image/png" in spectrum._repr_html_() and "data:image/png" in growth._repr_html_()
    assert time.process_time() - start < 2.0  # 0.1 s each on an idle machine
    assert plt.get_fignums() == [mine.number] and plt.gcf() is mine and not mine.axes
    plt.close(mine)


def test_without_a_picture_there_is_the_report(growth, monkeypatch):
    """And a comment that says why."""

    def broken(result, ax):
        raise RuntimeError("no -- font --> <found>")

    monkeypatch.setitem(notebook.DRAWN, "gradient_growth", broken)
    shown = growth._repr_html_()
    assert "<img" not in shown and "1 steps" in shown
    assert re.search("<!-- no picture: RuntimeError: no [^<>]* -->$", shown) and shown.count("-->") == 1
    monkeypatch.setitem(sys.modules, "gating_theory.plotting.notebook", None)  # as where matplotlib is broken
    assert "<!-- no picture: ModuleNotFoundError" in growth._repr_html_()


def test_what_would_take_long_has_no_picture():
    assert notebook.small_picture("complexity", object()) is None
    sites = gt.Sites(gt.Vanilla, np.full(5000, 1 / 5000), np.zeros((1, 5000)), np.zeros((1, 5000)), gain=[0.5])
    assert notebook.small_picture("spectrum", gt.Spectrum(sites)) is None
    three = gt.GRUFlow(U_h=np.eye(3))
    assert notebook.small_picture("flow.Flow", three) is None and "<img" not in three._repr_html_()


def test_lines_are_cut_between_words():
    assert first_line("some   words") == "some words" and first_line("a\nb") == "a ..."
    assert first_line("one, two, three and four", 20) == "one, two, three ..." and len(first_line("x" * 300, 50)) <= 50
    assert [rounded(v, 3) for v in (1 / 3, {"a": 2.0}, [0.1234, 2], 1j, "text")] == [
        "0.333",
        "{'a': 2}",
        "[0.123, 2]",
        "0+1j",
        "'text'",
    ]
