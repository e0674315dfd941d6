"""Whether spectra reach beyond lines and circles: against where they end."""

from __future__ import annotations

import pytest
import sympy as sp

import gating_theory as gt
from gating_theory.spectrum.reach import outside, right_of

h, y = sp.symbols("h y")
#: The disc of its spectrum lies around -1/2, so that the radius is met at the far side.
LEFT = gt.Cell(name="left", state=[h], fields=[y], messages=[h], update=[-h / 2 - sp.tanh(y) / 2], fixed_point=[-sp.tanh(y) / 3])

ENSEMBLES = {
    "vanilla": gt.Ensemble(gt.Vanilla, gain=2, bias_std=0.3),
    "gru": gt.Ensemble(gt.GRU, gain=3, bias_std=0.2),
    "lstm": gt.Ensemble(gt.LSTM, gain=3, bias_std=0.2),
    "left": gt.Ensemble(LEFT, gain=2, bias_std=0.3),
}


@pytest.mark.parametrize("name", ENSEMBLES)
@pytest.mark.parametrize("reach, end", [(right_of, "abscissa"), (outside, "radius")])
def test_sign(name, reach, end):
    """Support beyond what is nearer than its end, none beyond what is further, and zero there."""
    point = gt.fixed_points(ENSEMBLES[name])[-1]
    place = getattr(gt.Spectrum(point), end)()
    nearer, there, further = (reach(point, place + step) for step in (-1e-3, 0.0, 1e-3))
    assert nearer is not None and nearer > 0 > further
    assert there == pytest.approx(0.0, abs=1e-8)


def test_leaks_beyond():
    """Where leaks lie further out T on the line says nothing."""
    point = gt.fixed_points(ENSEMBLES["gru"])[-1]
    assert right_of(point, 0.4) is None and outside(point, 0.4) is None
