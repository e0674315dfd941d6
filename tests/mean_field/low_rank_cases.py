"""The ensembles with low-rank parts for which section 8 of the sheet gives numbers, and these [T11]."""

from dataclasses import dataclass

import numpy as np

import gating_theory as gt

_GRU = {"z": 0.3, "r": 1.0, "h": 0.8}
_LSTM = {"f": 0.3, "i": 0.8, "g": 0.8, "o": 0.8}


@dataclass(frozen=True)
class Case:
    """An ensemble, the overlaps of its solution, its moments, and of how many digits both are given."""

    ensemble: gt.Ensemble
    overlaps: tuple
    moments: tuple
    digits: float


def _pair(aa, ab, bb):
    return [[aa, ab], [ab, bb]]


def _three_channels():
    """G3: channels in h, r and z, in this order."""
    left, right, across = np.eye(3), 3.0 * np.eye(3), np.diag([1.2, 1.0, 0.6])
    left[0, 1] = left[1, 0] = 0.4
    across[0, 1:], across[1, 0] = (0.5, -0.5), 0.7
    return gt.LowRank(("h", "r", "z"), [1, 0.5, -0.5, 1, 1, 0.5], np.block([[left, across], [across.T, right]]))


_MIXTURE = gt.LowRank({"h": 2}, [[1, -0.5, 1.2, 0], [-0.3, 1, 0.2, 1.4]], [0.3 * np.eye(4), 0.5 * np.eye(4)], mixture=[0.4, 0.6])
_TWO_GATES = [[1, 0.5, 2.2, 0.6], [0.5, 1, 0.8, 1], [2.2, 0.8, 6, 0], [0.6, 1, 0, 6]]

CASES = {
    "V1": Case(
        gt.Ensemble(gt.Vanilla, 0.8, low_rank=gt.LowRank("h", covariance=_pair(1.5, 1.6, 2))), (0.6628014706,), (0.375,), 1e-10
    ),
    "V2": Case(gt.Ensemble(gt.Vanilla, 0.6, 0.1, low_rank=_MIXTURE), (0.0415050271, 0.2700829805), (0.1198430668,), 1e-10),
    "G1": Case(
        gt.Ensemble(gt.GRU, _GRU, low_rank=gt.LowRank("h", covariance=_pair(1.5, 2.6, 5))),
        (0.4766433334,),
        (0.2307692308, 0.0606888578),
        1e-10,
    ),
    "G2": Case(
        gt.Ensemble(gt.GRU, _GRU, low_rank=gt.LowRank("h", [1, 0.5], _pair(1, 1.6, 4))),
        (0.1541383044,),
        (0.0509092426, 0.0128853140),
        1e-10,
    ),
    "G3": Case(
        gt.Ensemble(gt.GRU, _GRU, {"r": 0.2}, low_rank=_three_channels()),
        (0.5451043580, 0.5769689247, 0.0188506099),
        (0.3404716035, 0.1458604160),
        1e-10,
    ),
    "L1": Case(
        gt.Ensemble(gt.LSTM, _LSTM, low_rank=gt.LowRank("g", [1, 1], _pair(1, 2.2, 6))), (0.482544764,), (0.054213126,), 1e-9
    ),
    "L2": Case(
        gt.Ensemble(gt.LSTM, _LSTM, low_rank=gt.LowRank(("g", "f"), [1, 0.5, 1, 0.5], _TWO_GATES)),
        (0.52637287, 0.19564583),
        (0.06618896,),
        1e-8,
    ),
}
