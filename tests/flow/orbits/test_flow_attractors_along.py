"""Attractors along a parameter: folds, a homoclinic and a Hopf point at known values, basins against symmetry, saved and drawn."""

import dataclasses

import numpy as np
import pytest

import gating_theory as gt
from gating_theory.flow import GRUFlow, attractors_along, plot_attractors_along

#: A sink; a cycle between the homoclinic point at b_h[1] = 0.91283424755 and the Hopf point at 1.66324024354.
FLOW = GRUFlow(U_h=[[4.5, -2], [10, 0]], b_h=[0.4, 1.2])


@pytest.fixture(scope="module")
def along():
    return attractors_along(FLOW, "b_h[1]", [0.88, 0.90, 0.93, 1.2, 1.6, 1.65, 1.68], n=60, rng=0)


def between(change, value):
    return min(change.before, change.after) < value < max(change.before, change.after)


def test_a_cycle_is_born_at_a_homoclinic_and_becomes_a_sink_at_a_hopf_point(along):
    assert along.ok and len(along) == 2 and [c.what for c in along.changes] == ["appears", "becomes a sink"]
    born, settles = along.changes
    assert born.kind == "cycle" and between(born, 0.91283424755) and born.shares.tolist() == [1.0, 0.0]
    assert settles.attractor == born.attractor and between(settles, 1.66324024354)
    # the cycle does not shrink to nothing in between, and the sink is one point
    assert (along.high - along.low)[2:5, 1].max(axis=1).min() > 0.05 and np.ptp(
        [along.low[-1, 1], along.high[-1, 1]], axis=0
    ).max() == 0.0
    assert not along.present[0, 1] and along.fractions[0, 1] == 0.0 and np.isnan(along.centre[0, 1]).all()
    assert "  1: cycle, then sink from 0.9" in str(along)


def test_kinds_are_told_in_their_order(along):
    kinds = [list(row) for row in along.kinds]
    kinds[int(np.flatnonzero(along.present[:, 1])[0])][1] = "sink"
    assert "  1: sink, then cycle, then sink from 0.9" in str(dataclasses.replace(along, kinds=kinds))


def test_basins_are_those_of_each_value_alone(along):
    for k, value in enumerate(along.values):
        alone = gt.flow.attractors(FLOW.replace("b_h[1]", value), along.starts)
        assert sorted(alone.fraction[alone.fraction > 0]) == pytest.approx(sorted(along.fractions[k][along.fractions[k] > 0]))
    p = along.fractions
    np.testing.assert_allclose(along.stderr, np.sqrt(p * (1 - p) / 60))
    np.testing.assert_allclose(p.sum(axis=1) + along.unsettled, 1.0)


def test_backwards_it_vanishes_and_says_where_its_basin_goes():
    back = attractors_along(FLOW, "b_h[1]", [0.93, 0.90], n=60, rng=0)
    (change,) = back.changes
    assert change.what == "vanishes" and change.kind == "cycle" and back.kinds[0][change.into] == "sink"
    assert change.shares[change.into] == 1.0 and "vanishes" in str(back)


def test_folds_of_one_unit_tip_into_the_other_sink():
    # U_h = 4: three points for |b| < sqrt 2 - asinh 1 = .53284
    found = attractors_along(GRUFlow(U_h=4.0, b_h=0.0), "b_h[0]", np.linspace(-0.55, 0.55, 12), starts=40)
    assert [c.what for c in found.changes] == ["appears", "vanishes"] and found.kinds[6] == ["sink", "sink"]
    assert all(between(c, s * (np.sqrt(2) - np.arcsinh(1))) for c, s in zip(found.changes, (-1, 1)))
    assert found.changes[1].into == found.changes[0].attractor
    # h -> -h, b -> -b exchanges the two
    np.testing.assert_allclose(found.fractions[:, 0], found.fractions[::-1, 1])


def test_the_map_beside_the_flow():
    # a stable focus of the flow; the map turns from s = 2.60555 on, at an angle of 60 degrees
    a = np.pi / 3
    rotation = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    flow = GRUFlow(U_h=2.5 * rotation)
    of_flow, of_map = (attractors_along(flow, "gain.h", [1.0, 1.1], n=6, step=step, rng=0) for step in (None, 1.0))
    assert of_flow.kinds == [["sink"], ["sink"]] and of_flow.changes == []
    assert [row[0] for row in of_map.kinds] == ["fixed", "circle"] and of_map.fractions.tolist() == [[1.0], [1.0]]
    assert of_map.step == 1.0 and "fixed point 0 becomes a circle" in str(of_map)


def test_in_four_units_by_random_starts():
    flow = GRUFlow(U_h=np.diag([3.0, 3.0, 1.0, 1.0]))
    # a unit of its own has two sinks above U_h = 2
    found = attractors_along(flow, "U_h[0,0]", [3.0, 1.5], n=40, rng=0)
    assert np.isfinite(found.centre[..., 0]).sum(axis=1).tolist() == [4, 2] and len(found) == 4 and found.ok
    assert found.fractions[1].sum() == pytest.approx(1.0)


def test_it_is_saved_and_drawn(along, tmp_path):
    again = gt.load(gt.save(along, tmp_path / "along.json"))
    assert str(again) == str(along) and np.array_equal(again.centre, along.centre, equal_nan=True)
    ax = plot_attractors_along(along, coordinate=0)
    assert len(ax.collections) == 2 and ax.get_xlabel() == "$b^{h}_{2}$"


@pytest.mark.parametrize(
    "change, match",
    [({"values": [1.0]}, "values"), ({"values": [1.0, 1.0]}, "values"), ({"n": 0}, "n"), ({"path": "b_q[0]"}, "path"),
     ({"step": -1.0}, "step")],
)  # fmt: skip
def test_bad_arguments(change, match):
    arguments = {"flow": FLOW, "path": "b_h[1]", "values": [1.0, 1.1]} | change
    with pytest.raises(ValueError, match=match):
        attractors_along(**arguments)
