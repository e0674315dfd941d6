"""The LSTM's forget gate gathers slow modes at 1, its input and output gates set the radius [CKS]."""

import gating_theory as gt

from . import spectra

TITLE = "LSTM Jacobian spectra at fixed points for growing a_f, b_f, a_i and a_o"
_BASE = {"gain": {"f": 1.0, "i": 1.0, "g": 4.0, "o": 1.0}}
_ROWS = {"gain.f": (0.0, 5.0, 20.0), "bias.f": (-2.0, 0.0, 2.0), "gain.i": (0.0, 5.0, 20.0), "gain.o": (0.0, 5.0, 20.0)}


def compute(quick, rng, work):
    """See the package."""
    return spectra.compute(gt.LSTM, _BASE, _ROWS, quick, rng, work)


draw = spectra.draw
