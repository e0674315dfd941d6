"""Curves of a whole plane, held against topologies that interval arithmetic proves at points of it."""

import numpy as np
import pytest

import gating_theory as gt
from gating_theory.flow import GRUFlow, bifurcation_plane, plot_curves, plot_topology_map, topology_map

BIASES = ("b_h[0]", "b_h[1]"), ((-2, 2), (-5, 5))


def off(plane, places):
    """How far each of some places is from the nearest chord of a curve, in units of the bounds."""
    size = np.ptp(plane.bounds, axis=1)
    best = np.full(len(places), np.inf)
    for curve in plane.curves:
        start, chord = curve.values[:-1] / size, np.diff(curve.values, axis=0) / size
        length = np.maximum((chord**2).sum(axis=1), 1e-300)
        for i, place in enumerate(places / size):
            part = np.clip(((place - start) * chord).sum(axis=1) / length, 0.0, 1.0)
            best[i] = min(best[i], np.linalg.norm(start + part[:, None] * chord - place, axis=1).min())
    return best


def require_borders_explained(flow, paths, bounds, n, **options):
    """Wherever the proved topology changes between neighbours of a grid, one of the curves passes."""
    plane = bifurcation_plane(flow, paths, bounds, **options)
    assert plane.ok, str(plane)
    axes = {path: np.linspace(*limits, n) for path, limits in zip(paths, bounds)}
    borders = topology_map(flow, axes).borders(1e-3)
    assert len(borders) > 0
    # chords of steps of 0.02 with angles up to 0.37 are off by up to 0.02 * 0.37 / 8; borders by 1e-3 of a cell
    assert off(plane, borders).max() < 1.2e-3
    return plane


def test_a_plane_of_two_biases():
    flow = GRUFlow(U_h=[[4.5, -2], [10, 0]])
    plane = require_borders_explained(flow, *BIASES, 24, lines=1)
    kinds = sorted(c.kind for c in plane.curves)
    assert kinds == ["fold", "fold", "hopf", "hopf"]
    # h -> -h, b -> -b: every point has its mirror image
    for point in plane.points:
        assert any(p.kind == point.kind and np.abs(p.values + point.values).max() < 1e-8 for p in plane.points)
    names = [p.kind for p in plane.points]
    assert (names.count("bogdanov_takens"), names.count("cusp"), names.count("bautin")) == (4, 2, 2)
    assert plane.paths == BIASES[0] and "4 curves" in str(plane)
    areas = topology_map(flow, {path: np.linspace(*limits, 10) for path, limits in zip(*BIASES)})
    ax = plot_curves(*plane.curves, ax=plot_topology_map(areas))
    assert len(ax.texts) == 8 and [t.get_text() for t in ax.get_legend().get_texts()] in (["fold", "hopf"], ["hopf", "fold"])


def test_a_symmetric_plane_and_what_is_left_out(tmp_path):
    # the zero state bifurcates where an eigenvalue of U_h is 2, whatever the update gate does
    flow = GRUFlow(U_h=[[1.0, 0.3], [0.3, 0.8]])
    plane = bifurcation_plane(flow, ("gain.h", "b_z[0]"), {"gain.h": (0.5, 4.0), "b_z[0]": (-1, 1)}, kinds=["pitchfork"], lines=1)
    (first, second) = sorted(plane.curves, key=lambda c: c.values[0, 0])
    exact = 2.0 / np.linalg.eigvalsh([[1.0, 0.3], [0.3, 0.8]])[::-1]
    for curve, gain in zip((first, second), exact):
        np.testing.assert_allclose(curve.values[:, 0], gain, atol=1e-9)
    assert plane.ok
    gt.save(plane, tmp_path / "plane.json")
    assert gt.load(tmp_path / "plane.json") == plane
    # two equal units: both pitchforks at once
    plane = bifurcation_plane(GRUFlow(U_h=np.eye(2)), ("gain.h", "b_z[0]"), ((0.5, 2.5), (-1, 1)), lines=1)
    assert not plane.ok and [b.kind for b in plane.left_out] and "left out" in str(plane)


@pytest.mark.parametrize(
    "change, error, match",
    [
        ({"kinds": ["cusp"]}, ValueError, "kinds must be some of"),
        ({"lines": 0}, ValueError, "lines"),
        ({"flow": 1}, TypeError, "flow"),
        ({"bounds": ((1, 0), (0, 1))}, ValueError, "bounds of b_h.0."),
        ({"progress": 1}, TypeError, "progress"),
    ],
)
def test_refused(change, error, match):
    with pytest.raises(error, match=match):
        bifurcation_plane(**{"flow": GRUFlow(U_h=np.eye(2)), "paths": BIASES[0], "bounds": BIASES[1], **change})


@pytest.mark.nightly
@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5, 6, 8])  # 0 and 7 have one topology all over the plane
def test_every_change_of_the_topology_is_explained(seed):
    rng = np.random.default_rng(seed)
    scale = (16.0, 4.0, 8.0)[seed % 3]
    flow = GRUFlow(
        U_h=scale * rng.standard_normal((2, 2)),
        U_r=0.5 * scale * rng.standard_normal((2, 2)),
        U_z=rng.standard_normal((2, 2)),
        b_r=rng.standard_normal(2),
    )
    require_borders_explained(flow, ("b_h[0]", "b_h[1]"), ((-3, 3), (-3, 3)), 40, lines=4)
