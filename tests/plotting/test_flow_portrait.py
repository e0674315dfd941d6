"""Pictures of flows: what is drawn is what was computed."""

import numpy as np
import pytest

from gating_theory.errors import CapabilityError, ConvergenceError
from gating_theory.flow import (
    GRUFlow,
    Topology,
    basin_intervals,
    basins,
    continue_fixed_point,
    find_cycle,
    plot_basins,
    plot_bifurcations,
    plot_portrait,
    plot_topology_map,
    topology_map,
)
from gating_theory.flow.orbits.trajectories import advance
from gating_theory.plotting import planes

#: All that a small plane may hold.
TOPOLOGIES = [Topology(sinks, sources, sinks + sources - 1) for sinks in range(5) for sources in range(4) if sinks + sources]

FLOW = GRUFlow(U_h=[[4.5, -2], [10, 0]], b_h=[0.4, 1.2])


def test_portrait_shows_points_cycles_and_manifolds():
    cycle = find_cycle(FLOW, [-0.2, 0.3])
    ax = plot_portrait(FLOW, [cycle], streams=False)
    labels = ax.get_legend_handles_labels()[1]
    for name in ("sink", "source", "saddle", "stable cycle", "stable manifold", "unstable manifold"):
        assert name in labels


def test_variables_that_nothing_drives_have_a_side_of_the_picture():
    for flow, low, high in (
        (GRUFlow(U_h=[[3, 0], [0, 0]]), [-1.0, -1.0], [1.0, 1.0]),
        (GRUFlow(U_h=[[2.5, 0], [0, 0]], b_h=[0.0, 0.5]), [-1.0, np.tanh(0.5) - 1.0], [1.0, np.tanh(0.5) + 1.0]),
        (GRUFlow(U_h=np.zeros((2, 2))), [-1.0, -1.0], [1.0, 1.0]),
    ):
        ax = plot_portrait(flow)
        # 3 % beyond on each side
        np.testing.assert_allclose(ax.get_xlim(), [low[0] - 0.06, high[0] + 0.06], atol=1e-6)
        np.testing.assert_allclose(ax.get_ylim(), [low[1] - 0.06, high[1] + 0.06], atol=1e-6)
        assert all(flow.nullclines())
        plot_basins(basins(flow, 5))
    ax = plot_portrait(GRUFlow(U_h=0.0, b_h=0.2))
    np.testing.assert_allclose(np.mean(ax.get_xlim()), np.tanh(0.2), atol=1e-9)


def test_basins_and_bifurcations_are_drawn():
    assert plot_basins(basins(FLOW, 7)).collections
    branch = continue_fixed_point(FLOW, "b_h[1]", (-3, 3), [-0.2122, 0.138])
    ax = plot_bifurcations(branch, coordinate=1)
    labels = ax.get_legend_handles_labels()[1]
    assert {"fold", "hopf", "stable fixed point", "unstable fixed point"} <= set(labels)
    with pytest.raises(ValueError, match="coordinate"):
        plot_bifurcations(branch, coordinate=2)
    with pytest.raises(TypeError, match="branches"):
        plot_bifurcations()
    with pytest.raises(TypeError, match="basins"):
        plot_basins(branch)
    with pytest.raises(ValueError, match="two-dimensional"):
        plot_portrait(GRUFlow(U_h=np.eye(3)))


def test_portrait_of_one_unit():
    flow = GRUFlow(U_h=4.0, b_h=0.2)
    ax = plot_portrait(flow)
    handles = dict(zip(*reversed(ax.get_legend_handles_labels())))
    assert {"sink", "source", "speed", "basins"} <= set(handles)
    places, speed = handles["speed"].get_data()
    np.testing.assert_allclose(speed, flow(places[:, None])[:, 0], atol=1e-15)
    points = flow.fixed_points()
    np.testing.assert_array_equal(handles["source"].get_xdata(), [p.state[0] for p in points if p.kind == "source"])
    # an arrow between neighbours, in the direction of the speed
    arrows = [(a.xyann[0], a.xy[0]) for a in ax.texts]
    assert len(arrows) == len(points) + 1
    for start, end in arrows:
        assert np.sign(end - start) == np.sign(flow([0.5 * (start + end)])[0])
    edges = basin_intervals(flow).edges
    areas = [p.get_extents().bounds for p in ax.patches]
    assert len(areas) == len(edges) - 1
    # at the pitchfork nothing is proved about the basins: none are drawn
    labels = plot_portrait(GRUFlow(U_h=2.0), streams=False).get_legend_handles_labels()[1]
    assert "basins" not in labels and "speed" in labels


def test_basins_of_one_unit_are_intervals_between_sources():
    for flow in (GRUFlow(U_h=4.0, b_h=0.2), GRUFlow(U_h=2.1, U_r=3.0), GRUFlow(U_h=0.5), GRUFlow(U_h=4.0, b_z=50.0)):
        found = basin_intervals(flow)
        for i, sink in enumerate(found.sinks):
            # beside the edges, and far outside; with the gate open, where they arrive in a moment
            a, b = max(found.edges[i], -3.0), min(found.edges[i + 1], 3.0)
            gate = flow.with_parameters({"b_z[0]": 0.0})
            ends = advance(gate, [[a + 1e-6], [b - 1e-6]], 2000.0)
            np.testing.assert_allclose(ends, sink, atol=1e-6)
    assert len(found) == 2 and "2 basins" in str(found) and "inf" in str(found)
    with pytest.raises(ConvergenceError, match="not all found"):
        basin_intervals(GRUFlow(U_h=2.0))
    with pytest.raises(CapabilityError, match="dim 2"):
        basin_intervals(FLOW)


def test_topology_map_is_drawn_with_its_names():
    plane = topology_map(FLOW, {"b_h[0]": np.linspace(-0.5, 0.5, 5), "b_h[1]": np.linspace(0.9, 1.7, 5)}, cycles=True)
    ax = plot_topology_map(plane)
    (image,) = (c for c in ax.collections if c.get_array() is not None and c.get_array().size == 25)
    assert np.array_equal(image.get_array(), plane.label.T)
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert {f"{tuple(t)} {t.words}" for t in plane.topologies} <= set(texts) and "(1, 1, 1) 1 sink, 1 source, 1 saddle" in texts
    assert "stable cycle" in texts
    assert ax.get_xlim() == (-0.5, 0.5) and ax.get_ylabel() == "$b^{h}_{2}$"
    colours = {planes.topology_colour(t) for t in TOPOLOGIES}
    assert len(colours) == len(TOPOLOGIES)
    with pytest.raises(TypeError, match="plane"):
        plot_topology_map(FLOW)
