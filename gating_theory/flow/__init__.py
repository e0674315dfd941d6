"""Small gated networks in continuous time: ds/dt = F(s, y(s)) - s for any Cell [JSP].

    flow = gt.flow.GRUFlow(U_h=[[3, -3], [3, 3]])
    flow([0.1, 0.2]), flow.jacobian([0.1, 0.2])
    print(flow.fixed_points("certified"))  # all of them, with proof

The vector field, its Jacobian, the gate-free residual and their interval enclosures come from the symbolic definition of the cell and
are compiled by numba on first use, which takes some seconds in every process.
"""

from .fixed_points import FlowFixedPoint, FlowFixedPoints, Topology
from .flow import Flow, GRUFlow
from .sweep import FixedPointCounts, count_fixed_points
from .topologies import TopologySearch, search_topologies, simplify, topology_catalogue

__all__ = [
    "FixedPointCounts",
    "Flow",
    "FlowFixedPoint",
    "FlowFixedPoints",
    "GRUFlow",
    "Topology",
    "TopologySearch",
    "count_fixed_points",
    "search_topologies",
    "simplify",
    "topology_catalogue",
]
