"""What is cited for what: one file of references, which agrees with PAPER_MAP.md, CITATION.cff and the public names."""

import re
import subprocess
import sys
from functools import reduce
from pathlib import Path

import pytest

import gating_theory as gt

ROOT = Path(__file__).parents[2]
BIB = (ROOT / "gating_theory" / "references.bib").read_text(encoding="utf-8")
MAP = (ROOT / "PAPER_MAP.md").read_text(encoding="utf-8")
KEYWORDS = {
    entry[: entry.index(",")].partition("{")[2]: set(re.split(r",\s*", entry.partition("  keywords = {")[2].partition("}")[0]))
    for entry in re.split(r"^@", BIB, flags=re.M)[2:]
}


def plain(text):
    """Text without the marks of BibTeX: Sok{\\'o}{\\l} is Sokól, as the paper map has it or nearly."""
    return re.sub(r"[{}]", "", text.replace("{\\'o}", "ó").replace("{\\l}", "ł").replace("``", '"').replace("''", '"'))


def field(entry, name):
    found = re.search(rf"^  {name} = \{{(.*)\}},?$", entry, flags=re.M)
    return plain(found[1]) if found else None


@pytest.fixture(scope="module")
def entries():
    names = {word for words in KEYWORDS.values() for word in words if not is_label(word)}
    objects = [getattr(gt if hasattr(gt, name) else gt.Spectrum, name) for name in names]
    return gt.cite(gt.flow, gt.dmft, gt.gradient_growth, *objects).entries


def is_label(word):
    """Those of equations stand in the first column of the map's table; those of papers begin a line."""
    return bool(re.search(rf"^\| {word} \|", MAP, flags=re.M) or re.search(rf"^\[{word}\] ", MAP, flags=re.M))


def test_keywords_are_labels_or_public_names(entries):
    assert set(entries) == {"gating_theory", *KEYWORDS} and list(entries)[0] == "gating_theory"
    papers = set(re.findall(r"^\[([A-Z]+\d*)\] [A-Z]", MAP, flags=re.M))
    assert papers <= set().union(*KEYWORDS.values()), "a paper of PAPER_MAP.md that nothing cites"


def test_titles_and_addresses_are_those_of_the_paper_map(entries):
    for line in re.findall(r"^\[[A-Z]+\d*\] .*$", MAP, flags=re.M):
        label = re.match(r"\[(\w+)\]", line)[1]
        cited = [entry for key, entry in entries.items() if label in KEYWORDS.get(key, ())]
        for title in re.findall(r"\*(.*?)\*", line):
            assert any((field(entry, "title") or "").startswith(title) for entry in cited), title
        for number in re.findall(r"arXiv:([\d.]+\d)", line):
            assert number in [field(entry, "eprint") for entry in cited]
        for year in re.findall(r"\b(?:19|20)\d\d\b", re.sub(r"arXiv:\S+|\*.*?\*", "", line)):
            assert year in [field(entry, "year") for entry in cited], line


def test_rows_of_the_paper_map_cite_their_papers():
    """A claim of a paper is checked by functions, one of which at least cites the paper."""
    for labels, functions in re.findall(r"^\| ((?:\[[A-Z]+\d*\](?:, )?)+) .*? \| (.*?) \|", MAP, flags=re.M):
        objects = [reduce(getattr, name.split("."), gt) for name in re.findall(r"`([\w.]+)`", functions)]
        owners = [getattr(gt, name.split(".")[0]) for name in re.findall(r"`([\w.]+)`", functions)]
        cited = set().union(*(KEYWORDS.get(key, set()) for key in gt.cite(*objects, *owners).keys))
        assert set(re.findall(r"\w+", labels)) <= cited, (labels, functions)


def test_the_citation_file_agrees(entries):
    yaml = pytest.importorskip("yaml")
    file = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (file["version"], file["title"]) == (gt.__version__, field(entries["gating_theory"], "title"))
    assert file["authors"] == [{"name": field(entries["gating_theory"], "author")}] and gt.__version__ in entries["gating_theory"]
    titles = {field(entry, "title"): entry for entry in entries.values()}
    for reference in file["references"]:
        entry = titles[reference["title"]]
        names = [", ".join(filter(None, (a["family-names"], a.get("given-names")))) for a in reference["authors"]]
        assert field(entry, "author") == " and ".join(names)
        assert (
            reference.get("url", "").removeprefix("https://arxiv.org/abs/") in ("", field(entry, "eprint"))
            or "doi" in reference["url"]
        )
        for here, there in (("year", "year"), ("journal", "journal"), ("volume", "volume"), ("start", "pages")):
            assert here not in reference or str(reference[here]) == field(entry, there)


def test_objects_and_results():
    point = gt.fixed_points(gt.Ensemble(gt.GRU))[-1]
    assert gt.cite(point).keys == ("gating_theory", "CKS") and repr(gt.cite(point)) == "Citations(gating_theory, CKS)"
    assert gt.cite(gt.KCS).keys == ("gating_theory", "KCS") and gt.cite(gt.LiGRU).keys == ("gating_theory",)
    assert gt.cite(gt.GRUFlow(U_h=[[2.0]])).keys == ("gating_theory", "JSP") == gt.cite(gt.flow.find_cycle).keys
    assert {"TO", "CPS"} < set(gt.cite(gt.chrono, gt.gradient_growth).keys)
    assert "CM" in gt.cite(gt.Spectrum(point).overlap).keys and "CM" not in gt.cite(gt.Spectrum).keys
    assert gt.cite(gt.phase_diagram(gt.Ensemble(gt.GRU), {"gain.h": [1.0]}, ["count"])).keys == ("gating_theory", "CKS")
    for wrong in (3, "Spectrum", sys):
        with pytest.raises(TypeError, match="objects must be functions, classes or results of gating_theory, got"):
            gt.cite(wrong)


def test_bibtex_reads_it(entries):
    found = gt.cite(gt.dmft)
    assert str(found).count("\n\n@") == len(found.keys) - 1 and "keywords" not in str(found)
    assert "@article{SCS," in found._repr_html_()
    pybtex = pytest.importorskip("pybtex.database")
    read = pybtex.parse_string("\n\n".join(entries.values()), "bibtex").entries
    assert list(read) == list(entries) and len(read["GKZ"].persons["author"]) == 3
    for key, entry in read.items():
        assert entry.persons["author"] and (entry.fields.get("title") or key == "C26")


_SESSION = """
import gating_theory as gt
print(gt.cite().keys)
spectrum = gt.Spectrum(gt.fixed_points(gt.Ensemble(gt.LSTM))[-1])
print(gt.cite().keys)
gt.save(spectrum.fixed_point, "point.json")
gt.load("point.json")  # has all classes register
gt.cite
print(gt.cite().keys)
gt.Haar, gt.flow.GRUFlow
print(gt.cite().keys)
"""


def test_a_session_cites_what_it_asked_for(tmp_path):
    done = subprocess.run([sys.executable, "-c", _SESSION], cwd=tmp_path, capture_output=True, text=True, check=True)
    first, second, loaded, more = map(eval, done.stdout.splitlines())
    assert first == ("gating_theory",) and second == loaded == ("gating_theory", "CKS")
    assert more == ("gating_theory", "CKS", "JSP", "GKZ", "HL")


def test_the_command(capsys):
    from gating_theory.cli import main

    assert main(["cite", "chrono", "flow.cycles"]) == 0
    assert re.findall(r"^@\w+\{(\w+),", capsys.readouterr().out, flags=re.M) == ["gating_theory", "CKS", "JSP", "TO"]
    assert main(["cite", "nothing"]) == 2 and "NAME must be a public name" in capsys.readouterr().err
