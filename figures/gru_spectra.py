"""The GRU's update gate pinches the spectrum at 1, its reset gate sets the radius [CKS]."""

import gating_theory as gt

from . import spectra

TITLE = "GRU Jacobian spectra at fixed points for growing a_z, b_z and a_r"
_BASE = {"gain": {"z": 1.0, "r": 1.0, "h": 4.0}}
_ROWS = {"gain.z": (0.0, 5.0, 20.0), "bias.z": (-2.0, 0.0, 2.0), "gain.r": (0.0, 5.0, 20.0)}


def compute(quick, rng, work):
    """See the package."""
    return spectra.compute(gt.GRU, _BASE, _ROWS, quick, rng, work)


draw = spectra.draw
