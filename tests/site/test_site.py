"""The site as it is built: no markup that was not understood, a page for every object, pictures, links that lead somewhere."""

import inspect
import re
import sys
from importlib import import_module
from pathlib import Path

import pytest
from html_pages import (
    article,
    classes,
    documented_parameters,
    links,
    missing_targets,
    parameters_shown,
    raw_markup,
    raw_mathematics,
    read,
    text,
    tree_of,
)
from PIL import Image

import gating_theory as gt
from gating_theory import figures

FACES = ("gating_theory", "gating_theory.flow", "gating_theory.plotting", "gating_theory.interop.torch")


def objects():
    """{dotted name: object} of all that users import, under the first name that it has: modules and numbers have no page."""
    found = {}
    for face in FACES:
        module = import_module(face)
        for name in module.__all__:
            found.setdefault(id(getattr(module, name)), (f"{face}.{name}", getattr(module, name)))
    return {name: thing for name, thing in found.values() if hasattr(thing, "__module__")}


def page(site, name):
    return read(site.place / f"{name}.html")


def of_objects(site, some):
    """(name, object, page) of these objects."""
    return [(name, thing, page(site, f"generated/{name}")) for name, thing in some.items()]


@pytest.mark.slow
def test_it_is_built_without_a_warning(site):
    """The site is built with its notebooks executed, and Sphinx, MyST, numpydoc and docutils have nothing to say."""
    assert site.code == 0, site.said[-5000:]
    assert len(site.html()) > 300


def test_no_markup_is_shown(site):
    """No role, no field and no section of a docstring is left as it was typed."""
    faults = {path.name: found for path in site.html() if (found := raw_markup(read(path)))}
    assert not faults


def test_no_mathematics_is_shown_as_it_was_typed(site):
    """All TeX stands in elements that MathJax draws."""
    faults = {path.name: found for path in site.html() if (found := raw_mathematics(read(path)))}
    assert not faults


def test_links_lead_somewhere(site):
    """Every link, picture, script and anchor within the site is there."""
    faults = {path.name: found for path in site.html() if (found := missing_targets(path, site.place))}
    assert not faults


def test_nothing_is_loaded_from_elsewhere(site):
    """Scripts, styles, pictures and fonts are part of the site."""
    for path in site.html():
        loaded = [
            node.get("src") or node.get("href") for node in read(path).iter() if node.tag in ("script", "img", "link", "iframe")
        ]
        assert not [link for link in loaded if link and re.match(r"(\w+:)?//", link)], path.name


# --- the reference


def test_every_object_has_a_page(site):
    """All that users import, under the name that they write."""
    missing = [name for name in objects() if not (site.place / "generated" / f"{name}.html").exists()]
    assert not missing and len(objects()) > 200


def is_cell(thing):
    return isinstance(thing, gt.Cell)


def with_signatures():
    """Objects that are called: not cells, nor errors, nor the symbolic function sigma, which sympy calls."""
    errors = (BaseException,)
    return {
        name: thing
        for name, thing in objects().items()
        if not is_cell(thing) and not (isinstance(thing, type) and issubclass(thing, errors)) and name != "gating_theory.sigma"
    }


def parameters(thing):
    return {p.name: p for p in inspect.signature(thing).parameters.values() if not p.name.startswith("_")}


def test_signatures_are_complete(site):
    """Every parameter stands in the signature, with its type."""
    faults = {}
    for name, thing, tree in of_objects(site, with_signatures()):
        shown, asked = parameters_shown(tree), parameters(thing)
        typed = [p for p in asked if asked[p].annotation is not inspect.Parameter.empty]
        if list(shown) != list(asked) or not all(shown[p] for p in typed):
            faults[name] = (list(shown), list(asked))
    assert not faults


def test_no_parameter_is_a_phantom(site):
    """What a page calls a parameter, the signature has."""
    faults = {}
    for name, thing, tree in of_objects(site, with_signatures()):
        if phantoms := set(documented_parameters(tree)) - set(parameters(thing)):
            faults[name] = phantoms
    assert not faults


def has_source(tree):
    return any("viewcode-link" in classes(node) for node in tree.iter()) or "definitions.py" in text(article(tree))


def has_example(tree):
    """A heading, or what numpydoc makes of one, and code that begins with >>>."""
    headed = any(text(node).strip("¶ ") in ("Examples", "Example") for node in tree.iter() if node.tag in ("p", "h2"))
    return headed and any(text(node).lstrip().startswith(">>>") for node in tree.iter("pre"))


def test_every_object_shows_its_source(site):
    faults = [name for name, _, tree in of_objects(site, objects()) if not has_source(tree)]
    assert not faults


def test_every_object_has_an_example(site):
    faults = [name for name, _, tree in of_objects(site, objects()) if not has_example(tree)]
    assert not faults


def test_chapters_name_every_object(site):
    """The first sentence of each object stands on the page of its chapter."""
    pages = sorted((site.place / "generated").glob("chapter_*.html"))
    named = {link.rpartition("#")[2] for path in pages for link in links(article(read(path)))}
    assert not set(objects()) - named


def test_cells_show_their_equations(site):
    """One page has the equations of all built-in cells, in elements that MathJax draws."""
    tree = page(site, "generated/cells")
    cells = [thing for thing in objects().values() if is_cell(thing)]
    formulas = [text(node) for node in tree.iter("div") if "math" in classes(node)]
    assert len(formulas) == len(cells) >= 12
    assert all("aligned" in formula for formula in formulas)


def test_labels_lead_to_the_glossary(site):
    """[T5] in the docstring of onset is a link, and so is a term that the glossary explains."""
    tree = article(page(site, "generated/gating_theory.onset"))
    found = {text(node).strip(): node.get("href") for node in tree.iter("a") if "glossary.html#term-" in node.get("href", "")}
    assert "T5" in found and len(found) > 1
    assert found["T5"].endswith("#term-T5")


def test_terms_are_words_of_sentences(site):
    """Neither the name of a parameter nor an argument in quotes is a link into the glossary."""
    faults = {}
    for path in sorted((site.place / "generated").glob("gating_theory.*.html")):
        names = [link for name in article(read(path)).iter("dt") for part in name.iter("strong") for link in links(part)]
        if names or re.search(r'"<a [^>]*glossary', path.read_text(encoding="utf-8")):
            faults[path.name] = names
    assert not faults


def test_names_in_code_lead_to_their_pages(site):
    """The answers of the ten questions name functions: each name is a link, also as a call and behind gt."""
    tree = article(page(site, "start/questions"))
    found = {text(node): node.get("href") for node in tree.iter("a") if list(node.iter("code"))}
    assert found['gt.chaos_line(ens, "gain.h")'] == "../generated/gating_theory.chaos_line.html#gating_theory.chaos_line"
    assert "Spectrum.mass(center, radius)" in found and 'gt.diagnose("model.keras")' in found


# --- the gallery


def test_every_figure_has_its_picture(site):
    """A page with the picture, the code that makes it, and a card in the overview."""
    shown = {Path(link).stem for link in links(article(page(site, "generated/gallery")))}
    for name in figures.NAMES:
        tree = article(page(site, f"generated/gallery_{name}"))
        pictures = [node.get("src") for node in tree.iter("img")]
        assert pictures, name
        with Image.open((site.place / "generated" / pictures[0]).resolve()) as picture:
            assert min(picture.size) > 100, name
        assert any("def compute" in text(node) or "def draw" in text(node) for node in tree.iter("pre")), name
        assert {f"gallery_{name}", f"thumbnail_{name}"} <= shown, name


# --- ten questions

#: What a newcomer asks, the page that answers, and what that page has to say.
QUESTIONS = {
    "How do I compute the line of chaos?": ("guides/chaos", "chaos_line"),
    "In which units are exponents and rates?": ("notes/accuracy", "Logarithms are natural"),
    "What is the abscissa?": ("theory/glossary", "abscissa"),
    "How accurate is a mass?": ("notes/accuracy", "1e-5 per site average"),
    "How do I add a cell of my own?": ("tutorials/own_cell", "gt.Cell("),
    "How do I resume a sweep that was killed?": ("howto/resume", "journal"),
    "Which equations are solved?": ("theory/index", "T3"),
    "How do I read a Keras LSTM?": ("howto/keras_file", "gt.read("),
    "How do I choose an initialisation?": ("tutorials/memory", "gt.design("),
    "How do I cite it?": ("howto/cite", "gt.cite("),
}


def reached(site, path, seen):
    """Pages of the site that a page's own text links to."""
    found = set()
    for link in links(article(read(path))):
        target = (path.parent / link.partition("#")[0]).resolve()
        if target.suffix == ".html" and target.is_file() and target not in seen:
            found.add(target)
    return found


def test_ten_questions_are_two_clicks_away(site):
    """Each stands on a page that the front page links to, with a link to its answer."""
    front = site.place / "index.html"
    first = reached(site, front, {front})
    asked = site.place / "start" / "questions.html"
    assert asked in first
    sections = {text(node.find("h2")).strip("¶ "): node for node in read(asked).iter("section") if node.find("h2") is not None}
    assert set(QUESTIONS) <= set(sections)
    for question, (name, said) in QUESTIONS.items():
        target = site.place / f"{name}.html"
        here = {(asked.parent / link.partition("#")[0]).resolve() for link in links(sections[question])}
        assert target in here, question
        assert said in text(article(read(target))), question
        lines = [line for line in text(sections[question]).splitlines() if line.strip()]
        assert len(lines) <= 6, question


# --- the checks themselves

SIGNATURE = (
    '<article><dl><dt class="sig sig-object">f(<em class="sig-param">x: int</em>, <em class="sig-param">*</em>)</dt><dd>'
    '<dl class="field-list"><dt>Parameters:</dt><dd><dl><dt><strong>x, y</strong></dt></dl></dd></dl></dd></dl></article>'
)


@pytest.mark.parametrize(
    "check, wrong, right",
    [
        (raw_markup, "<p>see :func:`onset`</p>", "<p>see <code>:func:`onset`</code></p>"),
        (raw_markup, "<p>{term}`leak`</p>", "<p>leak</p>"),
        (raw_markup, "<p>:raises ValueError: no</p>", "<p>Raises</p>"),
        (raw_markup, "<p>Notes ----- text</p>", "<p>Notes - text</p>"),
        (raw_mathematics, "<p>$a_h$</p>", '<p><span class="math">\\(a_h\\)</span></p>'),
        (raw_mathematics, "<p>\\frac12</p>", "<p>half</p>"),
        (raw_mathematics, "<p>a\\_h</p>", "<p>a_h</p>"),
    ],
)
def test_checks_can_fail(check, wrong, right):
    assert check(tree_of(f"<article>{wrong}</article>"))
    assert not check(tree_of(f"<article>{right}</article>"))


def test_phantoms_are_seen():
    tree = tree_of(SIGNATURE)
    assert parameters_shown(tree) == {"x": "int"}
    assert documented_parameters(tree) == ["x", "y"]


def test_dead_links_are_seen(tmp_path):
    (tmp_path / "there.html").write_text('<p id="here">text</p>')
    one = tmp_path / "one.html"
    one.write_text('<a href="there.html#here"></a><a href="there.html#gone"></a><img src="gone.png"><a href="https://a.b"></a>')
    assert missing_targets(one, tmp_path) == ["gone.png", "there.html#gone"]


def test_notebooks_run_in_this_python(tmp_path, monkeypatch):
    """The kernel is the Python that builds, whatever kernels a machine has."""
    from jupyter_client.kernelspec import KernelSpecManager

    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "docs"))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "other"))
    from site_pages import kernel

    kernel.of_this_python(tmp_path)
    assert KernelSpecManager().get_kernel_spec("python3").argv[0] == sys.executable
