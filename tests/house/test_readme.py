"""The examples of README and site run as they stand and print the numbers that their comments promise; commands are commands."""

import re
import shlex
from pathlib import Path

import pytest

from gating_theory.cli.arguments import axis_of, ensemble_of, parser

ROOT = Path(__file__).parents[2]
NUMBER = r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?"


def blocks(*languages, page="README.md"):
    """(line number, text) of a page's fenced blocks in some languages."""
    found = []
    for match in re.finditer(r"^```(\w*)\n(.*?)^```$", (ROOT / page).read_text(encoding="utf-8"), flags=re.M | re.S):
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
    lines = [line for _, text in blocks("sh", "bash") for line in text.replace("\\\n", " ").splitlines()]
    return [words for line in lines if (words := shlex.split(line, comments=True))]


@pytest.mark.slow
@pytest.mark.parametrize("page", ["README.md", "docs/examples.md"])
def test_examples_run_in_order(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    import matplotlib

    matplotlib.use("Agg")
    examples = blocks("python", page=page)
    assert len(examples) >= 4
    namespace = {"__name__": "readme"}
    count = 0
    for line, code in examples:
        # blank lines in front: tracebacks show the page's own line numbers
        exec(compile("\n" * (line - 1) + code, page, "exec"), namespace)
        printed = [float(number) for number in re.findall(NUMBER, capsys.readouterr().out)]
        for number in promised(code):
            digits = len(number.partition(".")[2])
            # a unit of the last digit shown: sampled networks carry the rounding of the machine's BLAS
            close = [abs(value - float(number)) <= 10.0**-digits for value in printed]
            assert any(close), f"{page} line {line}: {number} is not printed"
            count += 1
    assert count >= 5
    import matplotlib.pyplot as plt

    plt.close("all")


def test_commands_are_understood(monkeypatch, tmp_path):
    found = [words for words in commands() if words[0] == "gating-theory"]
    assert {words[1] for words in found} == {"spectrum", "phase-diagram", "derive", "validate", "diagnose", "figures", "portrait"}
    for words in found:
        options = parser().parse_args(words[1:])  # SystemExit if not
        assert callable(options.run)
        if hasattr(options, "gain"):
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


def test_files_that_are_named_exist():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\b[A-Z_]+\.md\b", text))
    assert "NUMERICS.md" in named
    for name in named:
        assert (ROOT / name).exists(), name
