"""Small gated networks in continuous time: ds/dt = F(s, y(s)) - s for any Cell [JSP].

    flow = gt.flow.GRUFlow(U_h=[[3, -3], [3, 3]])
    flow([0.1, 0.2]), flow.jacobian([0.1, 0.2])
    print(flow.fixed_points("certified"))  # all of them, with proof

The vector field, its Jacobian, the gate-free residual and their interval enclosures come from the symbolic definition of the
cell and are compiled by numba on first use, which takes some seconds. Machine code is kept on disk for later processes, in
:func:`kernel_directory`.
"""

from typing import TYPE_CHECKING, Any

from ..support.kept import clear_kernels, kernel_directory
from .continuation.bifurcation import Bifurcation
from .continuation.codimension_two import Codim2Point
from .continuation.connection_curves import ConnectionCurve, continue_homoclinic
from .continuation.cycle_curves import CycleCurve
from .continuation.cycles import CycleBranch, continue_cycle
from .continuation.end_of_period import end_of_period
from .continuation.fixed_points import FixedPointBranch, continue_fixed_point, other_branch
from .continuation.infinite_period import InfinitePeriod
from .continuation.normal_forms import normal_form
from .continuation.plane import BifurcationPlane, bifurcation_plane
from .continuation.two_parameters import BifurcationCurve, continue_bifurcation
from .examples import chaotic_gru
from .flow import Flow, GRUFlow
from .input import Noise, Periodic, Piecewise
from .line import Line
from .orbits.all_cycles import cycles
from .orbits.attractors import Attractors, attractors
from .orbits.attractors_along import AttractorChange, AttractorsAlong, attractors_along
from .orbits.basin_intervals import BasinIntervals, basin_intervals
from .orbits.basins import Basins, basins
from .orbits.cycle import Cycle, find_cycle
from .orbits.flow_and_map import FlowAndMap, flow_and_map
from .orbits.forced import PeriodicResponse, periodic_response, stroboscopic
from .orbits.homoclinic import Heteroclinic, Homoclinic, heteroclinic, homoclinic
from .orbits.irregular import Irregular
from .orbits.lyapunov import FlowExponents, lyapunov_spectrum
from .orbits.map_orbits import MapAttractor, MapAttractors, map_attractors
from .orbits.period_law import PeriodLaw
from .orbits.section_diagrams import SectionDiagram, section_diagram
from .orbits.sections import PoincareSection, poincare_section
from .orbits.slow_manifold import SlowManifold, slow_manifold
from .proof.fixed_points import FlowFixedPoint, FlowFixedPoints, Topology
from .topologies.search import TopologySearch, search_topologies, simplify, topology_catalogue
from .topologies.sweep import TopologyCounts, count_fixed_points
from .topologies.topology_map import TopologyMap, topology_map

if TYPE_CHECKING:  # what __getattr__ brings
    from ..plotting.flows import plot_attractors_along, plot_basins, plot_bifurcations, plot_portrait, separatrices
    from ..plotting.planes import plot_curves, plot_topology_map
    from ..plotting.sections import plot_section

__all__ = [
    "AttractorChange",
    "Attractors",
    "AttractorsAlong",
    "BasinIntervals",
    "Basins",
    "Bifurcation",
    "ConnectionCurve",
    "BifurcationCurve",
    "BifurcationPlane",
    "Codim2Point",
    "Cycle",
    "CycleBranch",
    "CycleCurve",
    "FixedPointBranch",
    "Flow",
    "FlowAndMap",
    "FlowExponents",
    "FlowFixedPoint",
    "FlowFixedPoints",
    "GRUFlow",
    "Heteroclinic",
    "Homoclinic",
    "InfinitePeriod",
    "Irregular",
    "Line",
    "MapAttractor",
    "MapAttractors",
    "Noise",
    "PeriodLaw",
    "Periodic",
    "PeriodicResponse",
    "Piecewise",
    "PoincareSection",
    "SectionDiagram",
    "SlowManifold",
    "Topology",
    "TopologyCounts",
    "TopologyMap",
    "TopologySearch",
    "attractors",
    "attractors_along",
    "basin_intervals",
    "basins",
    "chaotic_gru",
    "clear_kernels",
    "bifurcation_plane",
    "continue_bifurcation",
    "continue_cycle",
    "continue_fixed_point",
    "continue_homoclinic",
    "count_fixed_points",
    "cycles",
    "end_of_period",
    "find_cycle",
    "flow_and_map",
    "heteroclinic",
    "homoclinic",
    "kernel_directory",
    "lyapunov_spectrum",
    "map_attractors",
    "normal_form",
    "other_branch",
    "periodic_response",
    "plot_attractors_along",
    "plot_basins",
    "plot_bifurcations",
    "plot_curves",
    "plot_portrait",
    "plot_section",
    "poincare_section",
    "plot_topology_map",
    "search_topologies",
    "section_diagram",
    "separatrices",
    "simplify",
    "slow_manifold",
    "stroboscopic",
    "topology_catalogue",
    "topology_map",
]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    # pictures stand on this chapter: they are fetched when they are asked for
    pictures: Any
    if name in ("plot_attractors_along", "plot_basins", "plot_bifurcations", "plot_portrait", "separatrices"):
        from ..plotting import flows as pictures
    elif name in ("plot_curves", "plot_topology_map"):
        from ..plotting import planes as pictures
    elif name == "plot_section":
        from ..plotting import sections as pictures
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(pictures, name)
