"""Abscissas of many spectra at once, against T = 1 itself and against each alone."""

import math

import numpy as np
import pytest
import sympy as sp

import gating_theory as gt
from gating_theory.mean_field.fixed_points import fixed_points_of_each
from gating_theory.spectrum.abscissas import abscissas

CASES = {
    "GRU": {"gain.h": (0.7, 1.9, 20.0), "gain.r": (0.0, 15.0), "gain.z": (0.0, 1e-7, 2.0, 40.0)},
    "GRUResetAfter": {"gain.h": (1.9, 3.0), "parameter_std.b_in": (0.0, 0.5), "bias.z": (0.0, 3.0)},
    "MGU": {"gain.h": (1.9, 20.0), "gain.f": (0.0, 3.0), "bias.f": (-4.0, 1.0)},
    "LiGRUTanh": {"gain.h": (1.1, 5.0), "gain.z": (0.0, 1.0), "bias_std.z": (0.0, 2.0)},
    "JANET": {"gain.g": (1.1, 5.0), "gain.f": (0.0, 3.0), "bias.f": (0.0, 4.0)},
    "LSTM": {"gain.g": (2.0, 6.0), "bias.f": (-1.0, 2.0)},
    "CoupledLSTM": {"gain.g": (0.5, 3.0, 20.0), "gain.f": (0.0, 2.0), "bias.f": (0.0, 4.0)},
    "Vanilla": {"gain.h": (0.5, 3.0), "bias.h": (0.0, 1.0)},
}


def points_of(name):
    axes = CASES[name]
    places = np.stack(np.meshgrid(*axes.values(), indexing="ij"), axis=-1).reshape(-1, len(axes))
    ensembles = [gt.Ensemble(getattr(gt, name), gain=2.0).replace(dict(zip(axes, place.tolist()))) for place in places]
    return [point for points in fixed_points_of_each(ensembles) for point in points]


@pytest.mark.parametrize("name", CASES)
def test_together_they_are_what_each_spectrum_has_alone(name):
    points = points_of(name)
    together = abscissas(points)
    # very broad leaks are left to a single search, and so is a spectrum without an edge right of the leaks
    assert sum(value is not None for value in together) > 0.7 * len(points)
    for point, value in zip(points, together):
        if value is not None:
            # both close in on T = 1 to 1e-10 of the distance from the leaks
            assert value == pytest.approx(gt.Spectrum(point).abscissa(), rel=1e-10, abs=1e-10)


def test_the_edge_of_the_zero_state_is_known():
    # the GRU's leak is 1/2 and T = a_h^2 / 16 / (lambda - 1/2)^2
    points = [gt.fixed_points(gt.Ensemble(gt.GRU, gain={"z": 2, "r": 3, "h": h}))[0] for h in (1e-6, 0.3, 1.0, 50.0)]
    np.testing.assert_allclose(abscissas(points), [0.5 + h / 4 for h in (1e-6, 0.3, 1.0, 50.0)], rtol=1e-12)


def test_other_cells_are_left_to_a_single_search():
    assert abscissas([]) == []
    # sites without a closed form, and sites with two leaks of their own
    h, c, y_z, y_h = sp.symbols("h c y_z y_h", real=True)
    z, n = gt.sigma(y_z), sp.tanh(y_h)
    filtered = gt.Cell(
        name="Filtered",
        state=[h, c],
        fields=[y_z, y_h],
        messages=[h, h],
        update={h: (h + c) / 2, c: z * c + (1 - z) * n},
        fixed_point={h: n, c: n},
    )
    for cell in (gt.PeepholeLSTM, filtered):
        assert set(abscissas(gt.fixed_points(gt.Ensemble(cell, gain=0.5)))) == {None}


def test_spectra_that_share_them_say_the_same():
    points = [point for h in (1.5, 3.0) for point in gt.fixed_points(gt.Ensemble(gt.GRU, gain=h))]
    points += gt.fixed_points(gt.Ensemble(gt.GRU, gain={"h": 0.0}))  # no edge at all: the leak alone
    spectra = gt.Spectrum.of_each(points)
    assert [s.fixed_point for s in spectra] == points
    for spectrum, point in zip(spectra, points):
        assert math.isclose(spectrum.abscissa(), gt.Spectrum(point).abscissa(), rel_tol=1e-10)
        assert spectrum.radius() >= spectrum.abscissa() - 1e-10
