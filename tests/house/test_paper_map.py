"""PAPER_MAP.md: every function, derivation, test and figure it names exists, and every label of the derivations is in it."""

import re
from functools import reduce
from pathlib import Path

import pytest

import gating_theory as gt
from gating_theory import derivations, figures

ROOT = Path(__file__).parents[2]


def tables():
    """Rows of all tables as dicts by column."""
    rows, head = [], None
    for line in (ROOT / "PAPER_MAP.md").read_text(encoding="utf-8").splitlines():
        cells = [c.strip() for c in line.strip().strip("|").split("|")] if line.startswith("|") else None
        if cells is None:
            head = None
        elif head is None:
            head = cells
        elif set("".join(cells)) != {"-"}:
            assert len(cells) == len(head), line
            rows.append(dict(zip(head, cells)))
    return rows


ROWS = tables()


def named(row, column):
    return re.findall(r"`([^`]+)`", row.get(column, ""))


def test_the_map_is_there():
    assert len(ROWS) >= 15
    assert {row["label"] for row in ROWS if "label" in row} == {f"T{i}" for i in [*range(1, 13), "8b"]}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: next(iter(row.values()))[:40])
def test_what_it_names_exists(row):
    functions, tests = named(row, "function"), named(row, "test")
    assert functions and tests
    for path in functions:
        assert callable(reduce(getattr, path.split("."), gt)), path
    assert set(named(row, "derivation")) <= set(derivations.names())
    assert set(named(row, "figure")) <= set(figures.NAMES)
    for place in tests:
        file, _, name = place.partition("::")
        assert re.search(rf"^def {name}\(", (ROOT / file).read_text(encoding="utf-8"), flags=re.M), place
    if "verdict" in row:
        assert len(row["verdict"]) > 10


def test_every_derivation_and_figure_is_on_it():
    text = (ROOT / "PAPER_MAP.md").read_text(encoding="utf-8")
    missing = [name for name in derivations.names() if f"`{name}`" not in text]
    assert not missing
    # the cell of one's own belongs to no claim
    assert [name for name in figures.NAMES if f"`{name}`" not in text] == ["own_cell"]
