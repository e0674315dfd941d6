"""Small pictures of results, as notebooks show them beside the report.

A picture is drawn on a canvas of its own, so that no figure of the user's is touched, and takes less than half a second: results
whose picture would have to be computed first have none.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..errors import CapabilityError
from .copies import plot_correlation_transient, plot_pair
from .exponents import plot_finite_time_exponents, plot_lyapunov_spectrum
from .fixed_points import plot_fixed_points
from .gradients import plot_gradient_growth, plot_gradients_by_lag
from .modes import plot_modes
from .moving_states import plot_autocorrelation
from .phase_diagrams import plot_phase_diagram
from .spectra import plot_spectrum
from .training import plot_design, plot_diagnosis

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["DRAWN", "small_picture"]

#: Inches, and pixels in each: twice those of a screen, for sharp ones.
_SIZE, _PIXELS = (3.2, 2.3), 192
#: Points: text of pictures that are looked at in passing.
_TEXT = 7.0
#: Sites of a population above which the boundary takes longer than half a second.
_SITES = 4000
#: Points of a boundary, timescales of a design.
_BOUNDARY, _TIMES = 128, 8
#: Boxes of a search for fixed points, of which a strongly coupled flow needs more.
_BOXES = 20_000
#: Entries of a legend above which it hides the picture.
_ENTRIES = 4


def small_picture(kind: str, result: Any) -> bytes | None:
    """A PNG of a result, None where there is no quick picture of it.

    Parameters
    ----------
    kind : str, under which the class of the result is registered
    result : object of that class
    """
    draw = DRAWN.get(kind)
    if draw is None:
        return None
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    ax = figure.subplots()
    try:
        if draw(result, ax) is None:
            return None
    except CapabilityError:  # a calculator that the picture needs does not know this cell
        return None
    _tidy(ax)
    file = io.BytesIO()
    canvas.print_figure(file, format="png", dpi=_PIXELS)
    return file.getvalue()


def _tidy(ax):
    """Small text, few ticks, and no legend that is larger than what it explains."""
    from matplotlib.ticker import MaxNLocator, NullFormatter

    ax.tick_params(labelsize=_TEXT)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_minor_formatter(NullFormatter())
        axis.get_offset_text().set_fontsize(_TEXT)
        if axis.get_scale() == "linear":
            axis.set_major_locator(MaxNLocator(4))
    for text in (ax.xaxis.label, ax.yaxis.label, ax.title):
        text.set_fontsize(_TEXT + 1.0)
    legend = ax.get_legend()
    if legend is not None:
        if len(legend.get_texts()) > _ENTRIES:
            legend.remove()
        for text in legend.get_texts():
            text.set_fontsize(_TEXT - 1.0)


# --- one function a kind: it draws into the Axes and returns them, or None where that would take long


def _spectrum(spectrum: Any, ax: Axes) -> Axes | None:
    many = spectrum.fixed_point is None and getattr(spectrum.source, "sites", spectrum.source).size > _SITES
    return None if many else plot_spectrum(spectrum, n=_BOUNDARY, ax=ax)


def _design(design: Any, ax: Axes) -> Axes:
    import numpy as np

    return plot_design(design, tau=np.geomspace(1.0, 1000.0, _TIMES), ax=ax)


def _found(found: Any, ax: Axes) -> Axes | None:
    return plot_fixed_points(found, ax=ax) if len(found) > 1 else None  # one has no plane


def _portrait(flow: Any, ax: Axes, cycles: Any = ()) -> Axes | None:
    from .flows import plot_portrait

    points = flow.fixed_points(max_boxes=_BOXES) if flow.dim in (1, 2) else None
    if points is None or not points.complete:
        return None
    return plot_portrait(flow, cycles, points=points, streams=False, manifolds=False, legend=False, ax=ax)


def _cycle(cycle: Any, ax: Axes) -> Axes | None:
    return _portrait(cycle.flow, ax, [cycle])


def _basins(basins: Any, ax: Axes) -> Axes:
    from .flows import plot_basins

    return plot_basins(basins, ax=ax)


def _along(along: Any, ax: Axes) -> Axes:
    from .flows import plot_attractors_along

    return plot_attractors_along(along, ax=ax)


def _branch(branch: Any, ax: Axes) -> Axes:
    from .flows import plot_bifurcations

    return plot_bifurcations(branch, ax=ax)


def _curve(curve: Any, ax: Axes) -> Axes:
    from .planes import plot_curves

    return plot_curves(curve, legend=False, ax=ax)


def _plane(plane: Any, ax: Axes) -> Axes | None:
    from .planes import plot_curves

    return plot_curves(*plane.curves, legend=False, ax=ax) if plane.curves else None


def _topologies(plane: Any, ax: Axes) -> Axes:
    from .planes import plot_topology_map

    return plot_topology_map(plane, legend=False, ax=ax)


def _section(section: Any, ax: Axes) -> Axes:
    from .sections import plot_section

    return plot_section(section, ax=ax)


#: {kind of a result: what draws it}
DRAWN: dict[str, Callable[[Any, Axes], Axes | None]] = {
    "spectrum": _spectrum,
    "critical_line": lambda line, ax: plot_phase_diagram(line, ax=ax),
    "design": _design,
    "gradient_growth": lambda growth, ax: plot_gradient_growth(growth, ax=ax),
    "diagnosed_gradients": lambda gradients, ax: plot_gradients_by_lag(gradients, ax=ax),
    "lyapunov": lambda exponents, ax: plot_lyapunov_spectrum(exponents, ax=ax),
    "finite_time_exponents": lambda exponents, ax: plot_finite_time_exponents(exponents, ax=ax),
    "dynamic_mean_field": lambda state, ax: plot_autocorrelation(state, ax=ax),
    "pair_state": lambda pair, ax: plot_pair(pair, ax=ax),
    "correlation_transient": lambda transient, ax: plot_correlation_transient(transient, ax=ax),
    "diagnosis": lambda diagnosis, ax: plot_diagnosis(diagnosis, ax=ax),
    "modes": lambda modes, ax: plot_modes(modes, ax=ax),
    "fixed_point_analysis": lambda found, ax: plot_fixed_points(found, ax=ax),
    "held_fixed_points": _found,
    "network_fixed_points": _found,
    "flow.Flow": _portrait,
    "flow.Cycle": _cycle,
    "flow.Basins": _basins,
    "flow.AttractorsAlong": _along,
    "flow.FixedPointBranch": _branch,
    "flow.CycleBranch": _branch,
    "flow.BifurcationCurve": _curve,
    "flow.ConnectionCurve": _curve,
    "flow.CycleCurve": _curve,
    "flow.BifurcationPlane": _plane,
    "flow.TopologyMap": _topologies,
    "flow.PoincareSection": _section,
    "flow.SectionDiagram": _section,
}
