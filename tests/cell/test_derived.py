"""What is derived from a cell is found again, and only by those who would derive the same."""

import subprocess
import sys

import numpy as np
import pytest
import sympy as sp
from sympy.utilities.lambdify import implemented_function

import gating_theory as gt
from gating_theory.cell import derived
from gating_theory.cell.builtin import BUILTIN
from gating_theory.support.kept import DIRECTORY_VARIABLE

h, y_z, y_h = sp.symbols("h y_z y_h", real=True)


def own(candidate=sp.tanh):
    z = gt.sigma(y_z)
    update = [z * h + (1 - z) * candidate(y_h)]
    return gt.Cell(name="own", state=[h], fields=[y_z, y_h], messages=[h, z * h], update=update, fixed_point=[candidate(y_h)])


@pytest.fixture
def directory(tmp_path, monkeypatch):
    monkeypatch.setenv(DIRECTORY_VARIABLE, str(tmp_path / "kept"))
    return tmp_path / "kept"


def everything(cell):
    """Values of all derived functions of a cell at a few sites, and all that was measured."""
    c = cell.compiled
    rng = np.random.default_rng(0)
    s, y, p = (rng.standard_normal((n, 5)) for n in (cell.n_state, cell.n_fields, cell.n_parameters))
    out = [*c.update(s, y, p), *c.rate(s, y, p), *c.messages(s, y, p), *c.fixed_state(y, p), *c.minors(0, s, y, p).values()]
    out += [value for block in c.blocks(s, y, p).values() for value in block.values()]
    shapes = [c.shapes[v] for v in range(len(c.shapes))]
    out += [np.array([c.bounded, c.smooth]), np.array([shape.strip for shape in shapes]), sorted(c.even_variables)]
    factors = [f for products in c.moment_factors for product in products for f in product]
    factors += [f for powers in c.outlier_factors.values() for pair in powers if pair for side in pair for p in side for f in p]
    return out, factors


def forbid(monkeypatch):
    """From now on nothing may be derived."""

    def derives(*arguments):
        raise AssertionError("derived again")

    monkeypatch.setattr("gating_theory.cell.compiled.compile_expressions", derives)
    monkeypatch.setattr("gating_theory.cell.probes.measure", derives)


def assert_same(first, second):
    for a, b in zip(first[0], second[0], strict=True):
        np.testing.assert_array_equal(a, b)  # the same functions, in the last bit
    assert first[1] == second[1]


def test_found_again(directory, monkeypatch):
    first = everything(own())
    forbid(monkeypatch)
    assert_same(first, everything(own()))
    with pytest.raises(AssertionError, match="derived again"):
        everything(own(sp.atan))


def test_where_nothing_can_be_kept(directory, tmp_path, monkeypatch):
    first = everything(own())
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(DIRECTORY_VARIABLE, str(tmp_path / "file" / "kept"))
    assert_same(first, everything(own()))


@pytest.mark.parametrize(
    "damage", [lambda content: b"", lambda content: content[:-1], lambda content: content[:40] + b"\0" + content[41:]]
)
def test_damaged_files_are_derived_again(directory, damage):
    first = everything(own())
    files = list(directory.glob("*.kept"))
    for file in files:
        file.write_bytes(damage(file.read_bytes()))
    assert_same(first, everything(own()))
    assert sorted(directory.glob("*.kept")) == sorted(files)


def test_another_version_is_never_used(directory, monkeypatch):
    everything(own())
    count = len(list(directory.glob("*.kept")))
    monkeypatch.setattr(derived, "__version__", "another")
    derived.made_by.cache_clear()
    try:
        everything(own())
    finally:
        derived.made_by.cache_clear()
    assert len(list(directory.glob("*.kept"))) == 2 * count


def test_functions_from_elsewhere_are_not_kept(directory):
    # their names may mean anything in another process
    cube = implemented_function("cube", lambda x: x**3)
    gate = own(lambda x: sp.tanh(cube(x)))
    assert gate.compiled.update([0.0], [-800.0, 0.5])[0] == pytest.approx(np.tanh(0.125), abs=1e-15)
    assert not list(directory.glob("*.kept"))


class Doubled(gt.Cell):
    """Derives other things than its definition says."""

    @property
    def rate(self):
        return tuple(2 * r for r in super().rate)


def test_subclasses_are_not_kept(directory):
    plain = own()
    plain.compiled.rate([0.1], [0.2, 0.3])
    z = gt.sigma(y_z)
    other = Doubled(
        name="own", state=[h], fields=[y_z, y_h], messages=[h, z * h], update=plain.update, fixed_point=plain.fixed_point
    )
    assert other.compiled.rate([0.1], [0.2, 0.3])[0] == pytest.approx(2 * plain.compiled.rate([0.1], [0.2, 0.3])[0], rel=1e-15)


NAMES = ("state_names", "field_names", "parameter_names", "message_names", "message_of", "has_closed_form", "n_messages")


def test_builtin_cells_know_themselves_without_their_symbols(directory):
    code = f"""
import sys, gating_theory as gt
for name in {BUILTIN!r}:
    cell = getattr(gt, name)
    print(repr([getattr(cell, n) for n in {NAMES!r}]))
print("sympy" in sys.modules)"""

    def said():
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()

    assert said()[-1] == "True"
    *again, loaded = said()
    assert loaded == "False"
    for name, words in zip(BUILTIN, again, strict=True):
        cell = getattr(gt, name)
        expected = [tuple(map(str, cell.state)), cell.field_names, tuple(map(str, cell.parameters)), cell.message_names]
        expected += [tuple(cell.distinct_messages.index(m) for m in cell.messages), cell.fixed_point is not None]
        assert words == repr([*expected, len(set(cell.messages))])
