"""A real IPython and a real kernel: what a cell of a notebook shows, how progress is told, what completion offers."""

import inspect
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import gating_theory as gt
from gating_theory.running.progress import Progress

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

CELLS = (
    "import gating_theory as gt\npoint = gt.fixed_points(gt.Ensemble(gt.GRU, gain=4))[-1]\ngt.Spectrum(point)",
    "gt.gradient_growth(point, 10)",
    "gt.GRU",
    "gt.cite(point)",
    "[gt.onset(point.ensemble, 'gain.h'), point]",
    "gt.phase_diagram(point.ensemble, {'gain.h': [1.0, 3.0]}, ['count'], progress=True)",
)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """Of each cell: {type of output: what is shown}."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": tmp_path_factory.mktemp("notebook")}}).execute()
    return [cell.outputs for cell in notebook.cells]


def test_a_notebook_shows_reports_pictures_and_equations(outputs):
    spectrum, growth, cell, cited, several, (*told, diagram) = outputs
    for (one,), line in ((spectrum, "Spectrum(GRU fixed point"), (growth, "GradientGrowth(mean square")):
        assert "data:image/png;base64," in one.data["text/html"] and one.data["text/plain"].startswith(line)
        assert len(one.data["text/plain"]) < 100 and "no picture" not in one.data["text/html"]
    assert cell[0].data["text/latex"].startswith("$$") and "text/html" not in cell[0].data
    assert cited[0].data["text/plain"] == "Citations(gating_theory, CKS)" and "@article{CKS," in cited[0].data["text/html"]
    assert several[0].data["text/plain"].count("\n") == 1  # a line for each
    assert "xr-" in diagram.data["text/html"]  # xarray's own
    words = "".join(one.text for one in told)
    assert {one.name for one in told} == {"stderr"} and "2/2" in words and "Warning" not in words


class Bar(list):
    """What a widget's bar would be."""

    def __init__(self, total, unit):
        self.total = total

    update, close = list.append, lambda self: None


@pytest.mark.parametrize(("kernel", "widgets", "expected"), [(True, True, True), (True, False, False), (False, True, False)])
def test_progress_is_a_widget_where_there_are_widgets(kernel, widgets, expected, monkeypatch, capsys):
    shell = SimpleNamespace(config={"IPKernelApp": {}} if kernel else {})
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(sys.modules, "tqdm.notebook", SimpleNamespace(tqdm=Bar))
    found = "gating_theory.running.progress.find_spec"
    monkeypatch.setattr(found, lambda name: object() if widgets and name == "ipywidgets" else None)
    with Progress(True, 2, "point") as tell:
        tell(2)
    assert (tell.bar == [2] if expected else not isinstance(tell.bar, Bar)) and ("2/2" in capsys.readouterr().err) is not expected


def offered(shell, text):
    from IPython.core.completer import provisionalcompleter

    with provisionalcompleter():
        return {one.text.rpartition(".")[2].strip("']") for one in shell.Completer.completions(text, len(text))}


def test_completion_offers_what_is_public():
    from gating_theory.interop import torch as bridge

    for face in (gt, gt.flow, gt.plotting, bridge):
        assert dir(face) == sorted(face.__all__), face.__name__
    stub = Path(gt.__file__ + "i").read_text(encoding="utf-8")
    assert set(dir(gt)) == set(re.findall(r" as (\w+)$", stub, flags=re.M))
    shell = pytest.importorskip("IPython.core.interactiveshell").InteractiveShell(user_ns={"gt": gt})
    shell.Completer.use_jedi = False
    shell.user_ns["table"] = gt.compare_initialisations([gt.Ensemble(gt.GRU)], 3)
    assert offered(shell, "gt.cri") == {"critical", "critical_line"}
    assert offered(shell, "table['") == {"GRU ensemble"}


def test_public_attributes_of_results_are_meant():
    """What completion offers of a class has words of its own, or is a field that the class describes."""
    for cls in (thing for face in (gt, gt.flow) for thing in map(face.__getattr__, face.__all__) if isinstance(thing, type)):
        if not cls.__module__.startswith("gating_theory.") or cls is gt.sigma:  # a function of sympy has many
            continue
        words = " ".join(str(base.__doc__) for base in cls.__mro__)
        for name in dir(cls):
            if not name.startswith("_") and name not in dir(float) + dir(tuple) + dir(BaseException):
                assert inspect.getdoc(getattr(cls, name)) or re.search(rf"\b{name}\b", words), f"{cls.__name__}.{name}"
