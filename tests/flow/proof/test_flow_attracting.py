"""Sets that are proved to be attracted by a sink: every orbit and every trajectory that starts in one is followed to it."""

import numpy as np
import pytest

from gating_theory.flow import GRUFlow
from gating_theory.flow.proof.attracting import attracting_set


@pytest.mark.parametrize("seed", range(4))
def test_orbits_of_the_map_stay_in_the_set_and_come_to_the_sink(seed):
    rng = np.random.default_rng(seed)
    flow = GRUFlow(
        U_z=rng.normal(0, 2, (2, 2)),
        U_h=rng.normal(0, 4, (2, 2)),
        b_z=rng.uniform(-1, 4, 2),
        b_h=rng.normal(0, 1, 2),
        U_r=np.eye(2),
    )
    for point in flow.fixed_points():
        if point.kind != "sink":
            continue
        for step in (1.0, 0.1):
            ball = attracting_set(flow, point, 4.0, step)
            if np.abs(1.0 + step * point.eigenvalues).max() >= 1.0:
                assert ball is None  # a focus that the map has lost, or a flip
                continue
            assert ball.proved
            # states of the set: on its box, as far as they are in it, and pulled inwards until they are
            states = point.state + rng.uniform(-1, 1, (200, 2)) * ball.half_widths
            states = states[ball.holds(states)]
            assert len(states) > 20
            for _ in range(50):
                states = flow.euler(states, step)
                assert ball.holds(states).all()
            rate = -np.log(np.abs(1.0 + step * point.eigenvalues).max())
            if rate > 1e-3:
                ends = flow.euler(states[:20], step, int(30.0 / rate))
                np.testing.assert_allclose(ends, np.tile(point.state, (len(ends), 1)), atol=1e-6)
