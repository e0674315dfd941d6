"""The examples of README and site run as they stand and print the numbers that their comments promise; commands are commands."""

import re
import shlex
from pathlib import Path

import pytest

from gating_theory.cli.arguments import axis_of, ensemble_of, parser

ROOT = Path(__file__).parents[2]
#: Pages whose Python runs: how many blocks and how many promised numbers there are at least.
EXAMPLES = {
    "README.md": (1, 6),
    "CONTRIBUTING.md": (1, 0),
    "docs/guides/tour.md": (15, 13),
    "docs/guides/finite_size.md": (4, 6),
    "docs/guides/matrices.md": (9, 13),
    "docs/guides/gradients.md": (4, 12),
    "docs/guides/kernels.md": (3, 3),
    "docs/guides/chaos.md": (3, 9),
    "docs/guides/copies.md": (4, 6),
    "docs/index.md": (1, 5),
    "docs/start/first_steps.md": (8, 11),
    "docs/guides/trained.md": (8, 9),
    "docs/guides/models.md": (4, 4),
    "docs/guides/recordings.md": (5, 10),
    "docs/howto/resume.md": (1, 1),
    "docs/howto/executors.md": (1, 1),
    "docs/howto/own_quantity.md": (2, 4),
    "docs/howto/own_matrix_law.md": (1, 1),
    "docs/howto/keras_file.md": (2, 0),
    "docs/howto/cite.md": (2, 0),
    "docs/guides/extending.md": (8, 7),
}
#: Folders of docs in which builds put what they make.
MADE = {"generated", "_build"}
WRITTEN = [p for p in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")] if not MADE & set(p.parts)]
PAGES = sorted(p.relative_to(ROOT).as_posix() for p in WRITTEN)
NUMBER = r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?"


def blocks(*languages, page="README.md"):
    """(line number, text) of a page's fenced blocks in some languages; cells of notebooks, which the build runs, are ipython3."""
    found = []
    for match in re.finditer(
        r"^```(?:\{code-cell\} )?(\w*)\n(.*?)^```$", (ROOT / page).read_text(encoding="utf-8"), flags=re.M | re.S
    ):
        if match[1] in languages:
            found.append((match.string[: match.start(2)].count("\n") + 1, match[2]))
    return found


def promised(code):
    """Numbers that comments behind a print begin with: "# 1.29 and 1.31" gives "1.29", "1.31"."""
    out = []
    for comment in re.findall(r"^print\(.*\)  # (.*)$", code, flags=re.M):
        start = re.match(rf"{NUMBER}(?: and {NUMBER})*", comment)
        out += re.findall(NUMBER, start[0]) if start else []
    return out


def commands():
    texts = [text for page in PAGES for _, text in blocks("sh", "bash", page=page)]
    lines = [line for text in texts for line in text.replace("\\\n", " ").splitlines()]
    return [words for line in lines if (words := shlex.split(line, comments=True))]


@pytest.mark.slow
@pytest.mark.xdist_group("pages")  # flows are compiled and PyTorch is imported once for all of them
@pytest.mark.parametrize("page", EXAMPLES)
def test_examples_run_in_order(page, tmp_path, monkeypatch, capsys):
    """The Python of a page runs, and prints the numbers that the page promises."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    import matplotlib

    matplotlib.use("Agg")
    examples = blocks("python", page=page)
    n_blocks, n_numbers = EXAMPLES[page]
    assert len(examples) >= n_blocks
    namespace = {"__name__": "readme"}
    count = 0
    for line, code in examples:
        # blank lines in front: tracebacks show the page's own line numbers
        exec(compile("\n" * (line - 1) + code, page, "exec"), namespace)
        printed = [float(number) for number in re.findall(NUMBER, capsys.readouterr().out)]
        for number in promised(code):
            digits = len(number.partition(".")[2])
            # a unit of the last digit shown: sampled networks carry the rounding of the machine's BLAS
            unit = 10.0**-digits if digits else 0.0  # counts are exact
            close = [abs(value - float(number)) <= unit for value in printed]
            assert any(close), f"{page} line {line}: {number} is not printed"
            count += 1
    assert count >= n_numbers
    import matplotlib.pyplot as plt

    plt.close("all")


def test_commands_are_understood(monkeypatch, tmp_path):
    found = [words for words in commands() if words[0] == "gating-theory"]
    assert {words[1] for words in found} == {
        "spectrum",
        "gradients",
        "dmft",
        "chaos",
        "echo",
        "phase-diagram",
        "derive",
        "validate",
        "read",
        "diagnose",
        "figures",
        "portrait",
        "explore",
    }
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mycell.py").write_text(blocks("ipython3", page="docs/tutorials/own_cell.md")[0][1])
    for words in found:
        for name in words:
            if name.endswith((".pt", ".npy", ".npz", ".json")):  # files to read have to be there
                (tmp_path / name).touch()
        options = parser().parse_args(words[1:])  # SystemExit if not
        assert callable(options.run)
        if getattr(options, "cell", None) and hasattr(options, "gain"):
            ensemble = ensemble_of(options)
            for text in getattr(options, "axis", ()):
                path, values = axis_of(text)
                assert ensemble.value(path) is not None and values.size > 0
        if words[1] == "validate":
            assert set(options.cells) <= {"GRU", "LSTM"}


def test_other_commands_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for words in commands():
        if words[0] == "make":
            assert re.search(rf"^{words[1]}:", makefile, flags=re.M), words
        else:
            assert words[0] in ("gating-theory", "pip"), words


def test_no_page_with_examples_is_left_out():
    assert {page for page in PAGES if blocks("python", page=page)} == set(EXAMPLES)


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


def anchors(path):
    """What links into a page can name, as GitHub and the site make it from headings."""
    lines = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.M | re.S).splitlines()
    titles = [line.lstrip("#").strip().lower() for line in lines if line.startswith("#")]
    return {re.sub(r"[^\w -]", "", title).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    text = re.sub(r"^```.*?^```$", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        name, _, anchor = target.partition("#")
        if "://" not in target:
            path = (ROOT / page).parent / name if name else ROOT / page
            assert path.exists(), target
            assert not anchor or anchor in anchors(path), target


@pytest.mark.parametrize("page", PAGES)
def test_python_files_that_are_named_exist(page):
    """Paths from the root of the repository, of the package, or bare names such as `readers.py`, which some file must have."""
    text = re.sub(r"^```.*?^```$", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.M | re.S)
    named = set(re.findall(r"`([\w./-]+\.py)(?:::\w+)?`", text))
    known = {str(path.relative_to(ROOT)) for path in ROOT.rglob("*.py") if ".venv" not in path.parts}
    missing = [name for name in named if not any(path == name or path.endswith(f"/{name}") for path in known)]
    assert not missing


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_files_that_are_named_exist(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    named = set(re.findall(r"\b[A-Z_]+\.md\b", text))
    assert {"NUMERICS.md", "PAPER_MAP.md", "ARCHITECTURE.md"} <= named
    for name in named:
        assert (ROOT / name).exists(), name
