"""Populations of two sites whose numbers stand in [T9], section 9."""

import numpy as np

import gating_theory as gt


def gru():
    """Case A."""
    fields = np.array([[1.0, -0.5], [0.3, -1.0], [0.4, -0.8]])
    return gt.Sites(gt.GRU, np.array([0.6, 0.4]), np.array([[0.5, -0.2]]), fields, gain=np.array([2.0, 3.0, 4.0]), matrices="iid")


def lstm():
    """Case B."""
    fields = {"f": [1.0, -0.5], "i": [0.3, -1.0], "g": [0.4, -0.8], "o": [0.2, 0.7]}
    gains = {"f": 1.0, "i": 1.0, "g": 3.0, "o": 2.0}
    names = gt.LSTM.field_names
    return gt.Sites(
        gt.LSTM,
        np.array([0.6, 0.4]),
        np.array([[0.3, -0.1], [0.8, -0.4]]),
        np.array([fields[name] for name in names]),
        gain=np.array([gains[name] for name in names]),
        matrices="iid",
    )
