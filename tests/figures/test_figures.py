"""Figures: every script is complete, what was computed is found again, other settings are computed anew."""

import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from types import ModuleType

import numpy as np
import pytest
import xarray as xr
from gating_theory.figures import common

import gating_theory as gt
from gating_theory import figures


@pytest.mark.parametrize("name", figures.NAMES)
def test_every_script_is_complete(name):
    script = import_module(f"gating_theory.figures.{name}")
    assert script.TITLE and script.__doc__ and callable(script.compute) and callable(script.draw)


@pytest.fixture
def script(monkeypatch):
    """A figure that counts how often it is computed."""
    module = ModuleType("gating_theory.figures.small")
    module.TITLE, module.computed = "small", []

    def compute(quick, rng, work):
        module.computed.append((quick, rng))
        return xr.Dataset({"y": ("x", np.arange(3.0) + rng)})

    def draw(data):
        figure, axes = common.panels(1, 1)
        axes[0, 0].plot(data["y"])
        return figure

    module.compute, module.draw = compute, draw
    monkeypatch.setitem(sys.modules, "gating_theory.figures.small", module)
    monkeypatch.setattr("gating_theory.figures.runner.NAMES", ("small",))
    return module


def test_found_again_and_computed_anew(script, tmp_path):
    told = []
    files = figures.run(tmp_path / "new", seed=1, tell=told.append)
    assert [f.name for f in files] == ["small.nc", "small.png", "small.pdf"] and all(f.stat().st_size > 500 for f in files)
    figures.run(tmp_path / "new", seed=1, tell=told.append)
    assert script.computed == [(True, 1)] and "computed" in told[0] and "found" in told[1]
    figures.run(tmp_path / "new", seed=2)
    figures.run(tmp_path / "new", seed=2, quick=False)
    assert script.computed == [(True, 1), (True, 2), (False, 2)]
    # half a file is no result
    whole = files[0].read_bytes()
    files[0].write_bytes(whole[: len(whole) // 2])
    figures.run(tmp_path / "new", seed=2, quick=False)
    assert len(script.computed) == 4


def test_packages_that_are_not_installed(script, tmp_path):
    script.NEEDS = ("xarray", "no_such_package")
    told = []
    assert figures.run(tmp_path / "new", tell=told.append) == [] and "left out, for it needs no_such_package" in told[0]
    with pytest.raises(ModuleNotFoundError, match=r"figure small needs no_such_package, .*figures"):
        figures.run(tmp_path / "other", ["small"])
    assert script.computed == [] and not (tmp_path / "other").exists()
    # what has been computed elsewhere is drawn
    del script.NEEDS
    figures.run(tmp_path / "new")
    script.NEEDS = ("no_such_package",)
    assert len(figures.run(tmp_path / "new")) == 3


@pytest.mark.parametrize(("alone", "works"), [("always", [False]), ("quick", [False]), (None, [True])])
def test_alone_in_one_process(script, tmp_path, alone, works):
    """Computed where the executor pleases, with the same result; what goes wrong there is said by this process."""
    script.ALONE, seen = alone, []
    compute = script.compute
    script.compute = lambda quick, rng, work: (seen.append(work.executor is not None), compute(quick, rng, work))[1]
    with ThreadPoolExecutor(1) as pool:
        figures.run(tmp_path / "here", seed=1, executor=pool)
    figures.run(tmp_path / "there", seed=1)
    assert seen == [*works, False]
    assert gt.load(tmp_path / "here" / "small.nc").equals(gt.load(tmp_path / "there" / "small.nc"))

    def fails(quick, rng, work):
        raise ZeroDivisionError("as it must")

    script.compute = fails
    with ThreadPoolExecutor(1) as pool, pytest.raises(ZeroDivisionError, match="as it must"):
        figures.run(tmp_path / "nowhere", executor=pool)


def test_unknown_names(tmp_path):
    with pytest.raises(ValueError, match="'nothing'; allowed are"):
        figures.run(tmp_path / "new", ["nothing"])
    assert not (tmp_path / "new").exists()


def test_complex_numbers_survive():
    values = np.array([1 + 2j, -3j, np.nan])
    assert np.array_equal(common.whole(common.parts(values)), values, equal_nan=True)
    assert common.joined([]).size == 1


def test_critical_lines_as_arrays():
    """Curves with NaN after each, special points by kind: the onset of the GRU at a_h = 2, tricritical at a_r = sqrt 8."""
    bounds = (0.0, 10.0), (1.6, 2.4)
    lines = [
        gt.critical_line(gt.Ensemble(gt.GRU), ("gain.r", "gain.h"), kind, bounds=bounds, tol=1e-3) for kind in ("onset", "fold")
    ]
    onset, fold = map(common.whole, common.curves_of(lines, 50))
    assert onset.shape == fold.shape == (51,) and np.isnan(onset[-1]) and np.allclose(onset[:-1].imag, 2.0)
    assert np.array_equal(fold[:-1], lines[1].curve(50)[0] @ [1.0, 1j])
    specials = common.specials_of(lines)
    assert specials[:, common.SPECIALS.index("tricritical")] == pytest.approx(np.array([[np.sqrt(8), 2.0]] * 2), abs=1e-9)
    assert np.isnan(specials[:, common.SPECIALS.index("critical_end")]).all()


def test_areas_between_lines():
    """Below both lines, between, above; where the fold has left through the bottom all below the onset lies between."""
    _, axes = common.panels(1, 1)
    ax = axes[0, 0]
    ax.set_xlim(0.0, 10.0)
    ax.set_ylim(1.0, 3.0)
    onset, fold = np.array([10 + 2j, 0 + 2j, np.nan]), np.array([4 + 2j, 6 + 1j, np.nan])
    common.draw_counts(ax, onset, fold, (1, 3, 2))
    found = [[area.get_paths()[0].contains_point(place) for area in ax.collections] for place in ((2, 1.5), (8, 1.2), (8, 2.5))]
    assert found == np.eye(3, dtype=bool).tolist()


def test_the_cell_of_ones_own_is_the_one_that_is_drawn():
    from gating_theory.figures.own_cell import cell

    assert cell().check_jacobian(rng=0) < 1e-9


def test_numbers_that_are_printed_are_those_of_the_theory():
    from gating_theory.figures.marginal_stability import ensemble, squared_radii

    # theory.md: rho^2 = 1.265 at (a_h, a_r) = (2.5, 2), whatever the update gate; at a_h < 2 and a_r = 0 there is only zero
    found = squared_radii([ensemble(0.0), ensemble(7.0), ensemble(1.0, 1.9, 0.0)])
    assert found[:2] == pytest.approx([1.265, 1.265], abs=5e-4) and np.isnan(found[2])
