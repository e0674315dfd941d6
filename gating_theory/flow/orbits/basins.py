"""Basins of attraction of a flow of two dimensions on a grid [JSP]."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...results.encoding import dict_of, result
from ...support.checks import instance, integer
from ..flow import Flow
from .attractors import Attractors, attractors
from .starts import grid

__all__ = ["Basins", "basins"]


@result("flow.Basins")
@dataclass(frozen=True)
class Basins:
    """Basins of attraction of a two-dimensional flow on a grid.

    Attributes
    ----------
    x, y : (n,) arrays, the grid
    label : (n, n) array of int, ``label[j, i]`` belongs to (x[i], y[j]); see Attractors
    attractors : Attractors

    See Also
    --------
    gating_theory.flow.basins : Makes one.

    Examples
    --------
    >>> import gating_theory as gt
    >>> result = gt.flow.basins(gt.GRUFlow(U_h=[[3, 0], [0, 1]]), n=6)
    >>> result.attractors.fraction
    array([0.5, 0.5])
    """

    x: np.ndarray
    y: np.ndarray
    label: np.ndarray
    attractors: Attractors

    as_dict = dict_of

    @property
    def flow(self) -> Flow:
        """The Flow."""
        return self.attractors.flow

    def __str__(self) -> str:
        return str(self.attractors)


def basins(flow: Flow, n: int = 121, *, box: npt.ArrayLike | None = None, t_max: float | None = None) -> Basins:
    """Basins of attraction of a two-dimensional flow.

    Parameters
    ----------
    flow : Flow of two dimensions
    n : int
        Points per axis.
    box : (low, high) or two such pairs, optional
        Default: ``flow.bounds``.
    t_max : float > 0, optional
        As for :func:`attractors`.

    Returns
    -------
    Basins

    Raises
    ------
    TypeError, ValueError
        arguments that are not allowed, a flow of other than two dimensions

    See Also
    --------
    gating_theory.flow.basin_intervals : In one dimension.
    gating_theory.flow.plot_basins : Draws them.
    gating_theory.flow.separatrices : The curves between them.

    Examples
    --------
    >>> import gating_theory as gt
    >>> flow = gt.GRUFlow(U_h=[[3, 0], [0, 1]])
    >>> result = gt.flow.basins(flow, n=6)
    >>> result.label
    array([[0, 0, 0, 1, 1, 1],
           [0, 0, 0, 1, 1, 1],
           [0, 0, 0, 1, 1, 1],
           [0, 0, 0, 1, 1, 1],
           [0, 0, 0, 1, 1, 1],
           [0, 0, 0, 1, 1, 1]])
    """
    instance("flow", flow, Flow)
    if flow.dim != 2:
        raise ValueError(f"flow must have two dimensions for basins on a grid, got {flow.dim}")
    (x, y), starts = grid("n", flow, integer("n", n, low=2), box)
    result = attractors(flow, starts, t_max=t_max)
    return Basins(x, y, result.label, result)
