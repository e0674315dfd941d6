"""Poincare sections: crossings of an independent integrator, return times against periods, invariant densities."""

import numpy as np
import pytest
from exact_flows import lorenz, turning_units

import gating_theory as gt
from gating_theory.flow import GRUFlow, plot_section, poincare_section

TURNING = GRUFlow(U_h=[[3, -3], [3, 3]])


def test_crossings_of_a_cycle():
    found = poincare_section(TURNING, [0.1, 0.2], level=0.0, n_points=20)
    assert found.ok and found.distinct(1e-7) == 1 and np.abs(found.points[:, 0]).max() < 1e-13
    # the period of the cycle, from an independent integration
    np.testing.assert_allclose(found.return_times, 12.93377075908, rtol=1e-8)
    assert (TURNING(found.points)[:, 0] > 0).all()
    both = poincare_section(TURNING, [0.1, 0.2], level=0.0, n_points=20, direction=0)
    assert both.distinct(1e-7) == 2  # the cycle is its own mirror image
    np.testing.assert_allclose(both.points[0::2], -both.points[1::2], atol=1e-7)
    never = poincare_section(TURNING, [0.1, 0.2], level=0.9, n_points=3, t_max=100.0)
    assert never.status.code == "few" and len(never) == 0 and not never.ok and "0 of 3" in str(never)


def test_an_oblique_plane_through_a_torus():
    flow = turning_units([1.0, np.sqrt(2.0)])
    normal = np.array([3.0, 4.0, 0.0, 0.0])
    found = poincare_section(flow, [1.0, 0.3, 0.0, 0.9], normal, 0.1, 50, transient=30.0)
    crossing = flow.integrate(
        np.array([1.0, 0.3, 0.0, 0.9]), 120.0, events=lambda t, s: 0.6 * s[0] + 0.8 * s[1] - 0.1, rtol=1e-12, atol=1e-14
    )
    times, states = crossing.t_events[0], crossing.y_events[0]
    kept = (times > 30.0) & ((flow(states) @ normal) > 0)
    np.testing.assert_allclose(found.points[: kept.sum()], states[kept], atol=1e-7)
    np.testing.assert_allclose(found.times[: kept.sum()] + 30.0, times[kept], atol=1e-7)
    frame = np.concatenate([found.frame, found.normal[None]])
    np.testing.assert_allclose(frame @ frame.T, np.eye(4), atol=1e-14)


def test_the_return_map_of_lorenz_is_a_cusp(tmp_path):
    found = poincare_section(lorenz(), [1.0, 1.0, 20.0], 2, 27.0, 300, direction=-1, transient=50.0)
    assert found.ok and found.distinct(1e-6) == 300
    assert gt.load(gt.save(found, tmp_path / "section.json"), cell=found.flow.cell) == found
    ax = plot_section(found)
    assert ax.get_xlabel() == "$x_1$" and len(ax.lines[0].get_xdata()) == 300
    ax = plot_section(found, returns=True)
    assert "at the next" in ax.get_ylabel()


def test_bad_arguments():
    for options, match in (
        ({"start": [1.0]}, "start"),
        ({"normal": 2}, "normal"),
        ({"normal": [0.0, 0.0]}, "normal"),
        ({"n_points": 0}, "n_points"),
        ({"direction": 2}, "direction"),
        ({"t_max": 0.0}, "t_max"),
        ({"transient": -1.0}, "transient"),
        ({"rtol": 1.0}, "rtol"),
    ):
        with pytest.raises(ValueError, match=match):
            poincare_section(TURNING, **({"start": [0.1, 0.2]} | options))
    section = poincare_section(TURNING, [0.1, 0.2], level=0.0, n_points=2)
    with pytest.raises(ValueError, match="returns"):
        plot_section(section, returns=False)
    with pytest.raises(ValueError, match="coordinate"):
        section.return_map(1)
