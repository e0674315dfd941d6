"""The ridge of the complexity functional, and the saddles on it [T7]."""

import numpy as np

import gating_theory as gt
from gating_theory.counting.functional import ComplexityFunctional
from gating_theory.counting.ridge import ridge
from gating_theory.counting.saddles import find_saddles


def test_the_ridge_joins_the_saddle():
    functional = ComplexityFunctional(gt.Ensemble(gt.GRU, gain={"h": 2.5, "r": 8.0}))
    (piece,) = ridge(functional).pieces
    top = max(p.value for p in piece)
    (saddle,) = [s for s in find_saddles(functional)[0] if s.maximum]
    assert saddle.value >= top - 1e-4 and saddle.value - top < 0.02
    assert np.all(np.diff([p.t for p in piece]) > 0)
