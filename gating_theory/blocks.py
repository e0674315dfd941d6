"""Errors of averages over time."""

from __future__ import annotations

import numpy as np

__all__ = ["block_error"]


def block_error(series, n_blocks=10):
    """Standard error of the mean over time of a correlated series, from the scatter of the means of consecutive blocks.

    Parameters
    ----------
    series : (T, ...) array
    n_blocks : int >= 2, taken as T where that is less
        Blocks have to be longer than the correlation time; the error is itself known to about 1 / sqrt(2 n_blocks).

    Returns
    -------
    (...) array
    """
    blocks = np.array([block.mean(axis=0) for block in np.array_split(series, min(n_blocks, len(series)))])
    return blocks.std(axis=0, ddof=1) / np.sqrt(len(blocks))
