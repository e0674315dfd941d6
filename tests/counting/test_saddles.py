"""Saddles of the complexity functional: what happens where a solver fails [T7]."""

import pytest

import gating_theory as gt
from gating_theory.counting import newton, saddles


def vanilla(g, **more):
    return gt.Ensemble(gt.Vanilla, gain=g, **more)


def test_a_solver_that_fails_is_not_no_saddle(monkeypatch):
    def fails(self, point, *rest, **more):
        raise self.failure("made to fail", point)

    with monkeypatch.context() as patched:
        patched.setattr(newton.Newton, "solve", fails)
        with pytest.raises(gt.ConvergenceError, match="no saddle found, but the solver failed at E m"):
            gt.complexity(vanilla(2.0))
    with monkeypatch.context() as patched:  # the rate is -0.2 and rising where the scan is cut off, above it falls
        real = newton.Newton.settle
        patched.setattr(newton.Newton, "settle", lambda s, p: (real if p.q[0] > 0.45 else fails)(s, p))
        with pytest.raises(gt.ConvergenceError, match="no saddle found"):
            gt.complexity(vanilla(2.0))
    with monkeypatch.context() as patched:
        patched.setattr(saddles, "RESIDUAL", -1.0)
        with pytest.raises(gt.ConvergenceError, match="no saddle found"):
            gt.complexity(vanilla(2.0))
