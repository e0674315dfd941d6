"""Small gated networks in continuous time: ds/dt = F(s, y(s)) - s for any Cell [JSP].

    flow = gt.flow.GRUFlow(U_h=[[3, -3], [3, 3]])
    flow([0.1, 0.2]), flow.jacobian([0.1, 0.2])
    print(flow.fixed_points("certified"))  # all of them, with proof

The vector field, its Jacobian, the gate-free residual and their interval enclosures come from the symbolic definition of the
cell and are compiled by numba on first use, which takes some seconds in every process.
"""

from typing import TYPE_CHECKING, Any

from .continuation.bifurcation import Bifurcation
from .continuation.connection_course import ConnectionPoint
from .continuation.connection_curves import ConnectionCurve, continue_homoclinic
from .continuation.cycles import CycleBranch, continue_cycle
from .continuation.end_of_period import end_of_period
from .continuation.fixed_points import FixedPointBranch, continue_fixed_point, other_branch
from .continuation.infinite_period import InfinitePeriod
from .continuation.normal_forms import normal_form
from .flow import Flow, GRUFlow
from .line import Line
from .orbits.all_cycles import cycles
from .orbits.attractors import Attractors, attractors
from .orbits.basins import Basins, basins
from .orbits.cycle import Cycle, find_cycle
from .orbits.flow_and_map import FlowAndMap, flow_and_map
from .orbits.homoclinic import Heteroclinic, Homoclinic, heteroclinic, homoclinic
from .orbits.lyapunov import FlowExponents, lyapunov_spectrum
from .orbits.map_orbits import MapAttractor, MapAttractors, map_attractors
from .orbits.period_law import PeriodLaw
from .orbits.slow_manifold import SlowManifold, slow_manifold
from .proof.fixed_points import FlowFixedPoint, FlowFixedPoints, Topology
from .topologies.search import TopologySearch, search_topologies, simplify, topology_catalogue
from .topologies.sweep import TopologyCounts, count_fixed_points
from .topologies.topology_map import TopologyMap, topology_map

if TYPE_CHECKING:  # what __getattr__ brings
    from ..plotting.flows import plot_basins, plot_bifurcations, plot_portrait, plot_topology_map, separatrices

__all__ = [
    "Attractors",
    "Basins",
    "Bifurcation",
    "ConnectionCurve",
    "ConnectionPoint",
    "Cycle",
    "CycleBranch",
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
    "Line",
    "MapAttractor",
    "MapAttractors",
    "PeriodLaw",
    "SlowManifold",
    "Topology",
    "TopologyCounts",
    "TopologyMap",
    "TopologySearch",
    "attractors",
    "basins",
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
    "lyapunov_spectrum",
    "map_attractors",
    "normal_form",
    "other_branch",
    "plot_basins",
    "plot_bifurcations",
    "plot_portrait",
    "plot_topology_map",
    "search_topologies",
    "separatrices",
    "simplify",
    "slow_manifold",
    "topology_catalogue",
    "topology_map",
]


def __getattr__(name: str) -> Any:
    # pictures stand on this chapter: they are fetched when they are asked for
    if name in ("plot_basins", "plot_bifurcations", "plot_portrait", "plot_topology_map", "separatrices"):
        from ..plotting import flows

        return getattr(flows, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
