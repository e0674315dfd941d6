"""Small gated networks in continuous time: ds/dt = F(s, y(s)) - s for any Cell [JSP].

    flow = gt.flow.GRUFlow(U_h=[[3, -3], [3, 3]])
    flow([0.1, 0.2]), flow.jacobian([0.1, 0.2])

The vector field, its Jacobian and the gate-free residual come from the symbolic definition of the cell and are compiled by numba on
first use.
"""

from .flow import Flow, GRUFlow

__all__ = ["Flow", "GRUFlow"]
