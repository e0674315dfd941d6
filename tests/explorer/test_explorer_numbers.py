"""The numbers of a page are those of the library, and of the program that the page shows."""

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gating_theory as gt
from gating_theory.explorer import numbers
from gating_theory.explorer.view import LINES, START, View


def pieces(task, view):
    return {piece.part if isinstance(piece, numbers.Missing) else type(piece).__name__: piece for piece in task(view)}


@st.composite
def moderate(draw):
    """GRU or LSTM at gains up to 4."""
    cell = draw(st.sampled_from(["GRU", "LSTM"]))
    fields = View(cell).ensemble.cell.field_names
    values = {f"gain.{name}": draw(st.integers(1, 16)) / 4 for name in fields}
    values |= {f"bias.{name}": draw(st.integers(-4, 4)) / 4 for name in draw(st.sampled_from([(), fields]))}
    steps = draw(st.integers(1, 60))
    return View(cell, tuple(values.items()), tau=draw(st.sampled_from([3.0, 100.0])), steps=steps, lines=())


@settings(max_examples=5)
@given(moderate())
def test_numbers_are_those_of_the_program(view):
    """The text of the page, executed, gives moments, radius, abscissa and growth, and the slow fraction to its accuracy."""
    namespace = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(view.code(), namespace)
    found, slow = pieces(numbers.at_once, view), next(numbers.timescales(view))
    state, spectrum = found["State"], namespace["spectrum"]
    assert state.moments == pytest.approx(namespace["point"].moments, rel=1e-9)  # both are good to 1e-10
    assert len(state.solutions) == len(namespace["points"])
    assert (state.radius, state.abscissa) == pytest.approx((spectrum.radius(), spectrum.abscissa()), rel=1e-9)
    # the quick growth is without a second grid, whose difference the tolerance 1e-6 of the program bounds
    assert found["Growth"].log10 == pytest.approx(namespace["growth"].log10, abs=2e-6)
    assert found["Growth"].rate == pytest.approx(namespace["growth"].rate, rel=1e-9)
    assert slow.slow == pytest.approx(namespace["slow"], abs=2e-4)  # each is good to 1e-4
    # few sites: measured up to .008
    assert found["Timescales"].slow == pytest.approx(namespace["slow"], abs=0.02)
    # points of the boundary are on it
    edge = np.concatenate([*found["Boundary"].curves, np.zeros(0)])
    assert np.allclose(spectrum.edge_function(edge[edge.imag > 1e-6]), 1.0, atol=1e-6)


def test_slow_numbers_are_those_of_the_library():
    view = View("GRU", (("gain.h", 3.0),), n_units=60, seed=4, tau=20.0)
    point = gt.fixed_points(view.ensemble)[-1]
    spectrum = gt.Spectrum(point)
    *_, curve, grown = numbers.timescales(view)
    assert curve.exact and curve.fraction == pytest.approx(spectrum.slow_fraction(curve.tau), abs=2e-4)  # each is good to 1e-4
    assert np.array_equal(grown.log10, gt.gradient_growth(point, view.steps, tol=0.01).log10)
    cloud = next(numbers.network(view))
    net, state = gt.Network.planted(point, 60, 4)
    eigenvalues = net.eigenvalues(state)
    assert np.allclose(np.sort_complex(cloud.eigenvalues), np.sort_complex(eigenvalues))
    assert cloud.slow == np.mean(np.abs(eigenvalues) >= np.exp(-1 / 20)) and cloud.radius == np.abs(eigenvalues).max()


def test_density_is_that_of_the_library():
    view = View("Vanilla", (("gain.h", 1.5),), solution="zero")
    found = next(numbers.density(view))
    pixel = (found.x[1] - found.x[0]) * (found.y[1] - found.y[0])
    assert found.value.sum() * pixel == pytest.approx(1.0, abs=0.01)  # pixels at the rim are in or out
    assert not found.value[np.hypot(*np.meshgrid(found.x, found.y)) > 1.55].any()
    inside = np.hypot(*np.meshgrid(found.x, found.y)) < 1.4
    assert found.value[inside] == pytest.approx(1 / (np.pi * 1.5**2), rel=1e-3)  # the circular law


def test_lines_are_those_of_the_library():
    """GRU, unbiased: onset at a_h = 2, fold from the tricritical point a_r^2 = 8 on; each comes as soon as it is there."""
    view = View("GRU", x="gain.r", y="gain.h", x_bounds=(1.0, 10.0), y_bounds=(1.0, 3.0))
    onset, fold = (next(numbers.line(view, name)) for name in ("onset", "fold"))
    assert (onset.name, fold.name) == ("onset", "fold")
    assert np.allclose(onset.curves[0][:, 1], 2.0, atol=1e-9)
    ((kind, x, y),) = fold.points
    assert kind == "tricritical" and (x, y) == pytest.approx((np.sqrt(8.0), 2.0), abs=1e-6)
    middle = fold.curves[0][100]
    own = gt.fold(view.ensemble.replace({"gain.r": middle[0]}), "gain.h", bounds=(1.0, 2.0))
    assert middle[1] == pytest.approx(float(own), abs=5e-3)  # lines are followed to 1e-3 of the plane's width of 2
    assert next(numbers.line(view.moved({"gain.h": 2.5}), "onset")) is onset  # the place in the plane does not matter


@pytest.mark.parametrize(
    "view, words",
    [
        (View("LiGRU"), "LiGRU"),
        (View("GRU", (("bias.h", 1.0),), solution="zero"), "no zero state"),
        (View("GRU", solution="3"), "no solution number 3: there are 1"),
    ],
)
def test_what_cannot_be_is_said(view, words):
    (missing,) = numbers.at_once(view)
    assert missing.part == "State" and words in missing.text


@pytest.mark.parametrize("cell", sorted(set(START) - {"LiGRU", "PeepholeLSTM"}))
def test_every_cell_has_its_numbers(cell):
    found = pieces(numbers.at_once, START[cell])
    assert set(found) == {"State", "Boundary", "Growth", "Timescales"}
    assert not any(isinstance(piece, numbers.Missing) for piece in found.values())


def test_lines_that_do_not_exist_say_so():
    view = View(
        "LSTM", (("bias.g", 1.0),), lines=tuple(LINES)[:2], y="gain.g", x="gain.f", x_bounds=(1.0, 2.0), y_bounds=(0.5, 1.0)
    )
    onset, fold = (next(numbers.line(view, name)) for name in view.lines)
    assert all(isinstance(line, numbers.Missing) or not line.curves for line in (onset, fold))
    assert all(line.text if isinstance(line, numbers.Missing) else "no curve" in line.status for line in (onset, fold))
