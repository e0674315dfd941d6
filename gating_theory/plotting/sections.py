"""Pictures of Poincare sections: the crossings of a plane, what takes one to the next, and how they change along a parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..flow.orbits.section_diagrams import SectionDiagram
from ..flow.orbits.sections import PoincareSection
from ..support.checks import boolean, instance, integer
from .labels import parameter_label
from .style import BLUE, axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_section"]


def plot_section(
    section: PoincareSection | SectionDiagram, *, coordinate: int = 0, returns: bool | None = None, ax: Axes | None = None
) -> Axes:
    """The crossings of a plane, or the return map: a coordinate at each crossing against that at the one before.

    Of a SectionDiagram the coordinate of all crossings against the parameter.

    Parameters
    ----------
    section : PoincareSection or SectionDiagram
    coordinate : int from 0 to dim - 2
        Of the plane, along the horizontal axis; the vertical one of crossings is the next coordinate (after the last the first).
    returns : bool, optional
        Draw the return map. Default: where the plane is a line (two dimensions).
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError, ValueError
        arguments that are not allowed, crossings of a line without ``returns``

    See Also
    --------
    gating_theory.flow.poincare_section : Makes what is drawn.
    gating_theory.flow.section_diagram : Makes diagrams.

    Examples
    --------
    >>> import gating_theory as gt
    >>> turning = gt.GRUFlow(U_h=[[3, -3], [3, 3]])
    >>> section = gt.flow.poincare_section(turning, [0.1, 0.2], n_points=5)
    >>> ax = gt.flow.plot_section(section, returns=True)
    """
    if isinstance(section, SectionDiagram):
        return _diagram(section, coordinate, ax)
    instance("section", section, PoincareSection)
    plane = section.flow.dim - 1
    coordinate = integer("coordinate", coordinate, high=plane - 1)
    returns = plane == 1 if returns is None else boolean("returns", returns)
    if plane == 1 and not returns:
        raise ValueError("returns must be True for a flow of two dimensions: its plane is a line")
    ax = axes_or_new(ax, 3.0)
    name = _name(section, coordinate)
    if returns:
        values = section.return_map(coordinate)
        if len(values):
            limits = [values.min(), values.max()]
            ax.plot(limits, limits, color="0.7", linewidth=0.8)
        ax.plot(*values.T, ".", color=BLUE, markersize=2.0, markeredgewidth=0.0)
        ax.set_xlabel(f"${name}$ at a crossing")
        ax.set_ylabel(f"${name}$ at the next")
    else:
        other = (coordinate + 1) % plane
        values = section.coordinates
        ax.plot(values[:, coordinate], values[:, other], ".", color=BLUE, markersize=2.0, markeredgewidth=0.0)
        ax.set_xlabel(f"${name}$")
        ax.set_ylabel(f"${_name(section, other)}$")
    return ax


def _diagram(diagram, coordinate, ax):
    coordinate = integer("coordinate", coordinate, high=diagram.flow.dim - 2)
    ax = axes_or_new(ax, 3.0)
    values = diagram.points @ diagram.frame[coordinate]
    ax.plot(diagram.values, values, ".", color=BLUE, markersize=1.5, markeredgewidth=0.0, rasterized=True)
    ax.set_xlabel(parameter_label(diagram.path))
    ax.set_ylabel(f"${_name(diagram, coordinate)}$ at crossings")
    return ax


def _name(section, coordinate):
    """A state variable of a unit, or a direction in the plane."""
    direction = section.frame[coordinate]
    axis = int(np.argmax(np.abs(direction)))
    if direction[axis] != 1.0:
        return f"x'_{coordinate + 1}"
    variable, unit = divmod(axis, section.flow.n_units)
    return f"{section.flow.cell.state[variable]}_{unit + 1}"
