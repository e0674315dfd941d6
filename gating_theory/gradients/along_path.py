"""Mean-square growth of gradients along any path of sites, with tied or untied weights [T9]."""

from __future__ import annotations

import numpy as np

from ..support.types import Progress as Wanted
from .site_path import SitePath

__all__ = ["PathGrowth", "path_growth"]


class PathGrowth:
    """What path_growth gives."""

    mean_square: np.ndarray


def path_growth(path: SitePath, weights: str = "tied", start: int | None = None, progress: Wanted = None) -> PathGrowth:
    """Mean square of the product of the first t Jacobians of a path, for t = 0 .. T [T9].

    Parameters
    ----------
    path : SitePath
    weights : "tied" (one set of matrices in all steps) or "untied" (fresh ones in each, at the same sites)
    start : int or None, of a perturbation of this state variable alone; None: of all
    progress : None, True (a bar) or callable(done, total)

    Returns
    -------
    PathGrowth, whose ``mean_square`` is the (T + 1, d) array of (1/N) tr over rows a of P P^T: its sum over a is the sheet's G(t)
    """
    raise NotImplementedError
