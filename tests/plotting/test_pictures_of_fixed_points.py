"""Pictures of fixed points show each point where it is, by its kind, and the plane in which the network moves."""

import matplotlib
import numpy as np
import pytest

import gating_theory as gt
from gating_theory.plotting import plot_fixed_points

matplotlib.use("Agg")


@pytest.fixture(scope="module")
def switches():
    """Two units of a GRU, bistable by themselves: the plane of their states is that of the picture, turned."""
    matrices = np.zeros((3, 4, 4))
    matrices[2, range(2), range(2)] = (4.0, 5.0)
    net = gt.Network(gt.GRU, matrices, np.zeros((3, 4)))
    inputs = np.random.default_rng(0).standard_normal((30, 5, 3, 4)) * np.array([0.0, 0.0, 4.0])[:, None]
    return net, gt.fixed_point_analysis(net, inputs, n_starts=20)


def lines(ax):
    ax.figure.canvas.draw()
    return {line.get_label(): line for line in ax.get_lines() if not line.get_label().startswith("_")}


def test_points_are_where_they_are(switches):
    net, result = switches
    ax = plot_fixed_points(result[0])
    drawn = lines(ax)
    assert set(drawn) == {"stable", "saddle", "unstable directions", "leads to"}
    at = np.concatenate([np.array(drawn[kind].get_data()).T for kind in ("stable", "saddle")])
    states = np.concatenate([result[0].stable[:, 0], result[0].saddles[:, 0]])
    # units 2 and 3 are silent: nothing is lost in the plane, distances are kept to rounding
    distance = lambda z: np.linalg.norm(z[:, None] - z, axis=-1)  # noqa: E731
    np.testing.assert_allclose(distance(at), distance(states), atol=1e-12)
    assert drawn["stable"].get_markerfacecolor() != "white" and drawn["saddle"].get_markerfacecolor() == "white"
    shares = [float(label.split("(")[1].split(" %")[0]) for label in (ax.get_xlabel(), ax.get_ylabel())]
    assert sum(shares) == pytest.approx(100, abs=1)
    # a direction lies in the plane: its line has full length, and the saddle in its middle
    ends = [np.array(line.get_data()).T for line in ax.get_lines() if line.get_linewidth() == 1.4]
    assert len(ends) == 4 + 2
    length = [np.linalg.norm(b - a) for a, b in ends]
    np.testing.assert_allclose(length, length[0], rtol=1e-9)
    assert all(np.abs(at[4:] - end.mean(axis=0)).sum(axis=1).min() < 1e-9 for end in ends)
    # nothing is cut off
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    assert left < at[:, 0].min() and right > at[:, 0].max() and bottom < at[:, 1].min() and top > at[:, 1].max()


def test_the_plane_is_that_of_trajectories(switches):
    """Principal axes against numpy's singular vectors; full states, outputs and an analysis's own give one picture."""
    net, result = switches
    paths = result.trajectories
    pictures = [plot_fixed_points(result), plot_fixed_points(result[0], paths), plot_fixed_points(result[0], paths[:, :, 0])]
    stable = [np.array(lines(ax)["stable"].get_data()) for ax in pictures]
    np.testing.assert_array_equal(stable[0], stable[1])
    np.testing.assert_array_equal(stable[0], stable[2])
    flat = paths[:, :, 0].reshape(-1, 4)
    _, spread, axes = np.linalg.svd(flat - flat.mean(axis=0), full_matrices=False)
    projected = (result[0].stable[:, 0] - flat.mean(axis=0)) @ axes[:2].T
    # signs of axes are free
    np.testing.assert_allclose(np.abs(stable[0].T), np.abs(projected), atol=1e-9)
    share = 100 * spread[0] ** 2 / np.sum(spread**2)
    assert pictures[0].get_xlabel() == f"PC 1 ({share:.0f} % of variance)"
    # thin lines, one for each sequence
    assert sum(len(line.get_xdata()) == 31 for line in pictures[0].get_lines()) == 5
    (axes_given,) = [plot_fixed_points(result.held[0].points, paths[:, 0, 0], ax=matplotlib.figure.Figure().subplots())]
    assert set(lines(axes_given)) == {"stable", "saddle", "trajectories"}, "a search knows no directions"


def test_few_points_and_few_units():
    one = gt.Network(gt.Vanilla, [[[0.5]]], [[0.1]])
    assert set(lines(plot_fixed_points(one.find_fixed_points(n_starts=4, rng=0)))) == {"stable"}
    rest = gt.Network.sample(gt.Ensemble(gt.LSTM, gain=0.5), 5, rng=0)
    found = rest.find_fixed_points(n_starts=4, rng=0, spectra=False)
    ax = plot_fixed_points(found, rest.run(rest.random_state(0), 9, trajectory=True)[:, None])
    assert set(lines(ax)) == {"fixed points", "trajectories"}
    # two variables or two sequences?
    with pytest.raises(ValueError, match=r"add an axis, \(T, 1, 2, 5\) or \(T, 2, 1, 5\)"):
        plot_fixed_points(found, np.zeros((9, 2, 5)))


def test_slow_points_are_grey():
    """A unit just before a fold: at the ghost it creeps, and the picture marks the place."""
    net = gt.Network(gt.Vanilla, [[[2.0]]], [[-0.54]])  # folds at +-0.5328
    found = gt.fixed_point_analysis(net, n_starts=20)
    assert found[0].kind.tolist() == ["stable", "slow"] and found[0].connections[1].tolist() == [1, 0]
    drawn = lines(plot_fixed_points(found))
    assert {"stable", "slow", "leads to"} == set(drawn)


def test_what_cannot_be_drawn(switches):
    net, result = switches
    several = gt.fixed_point_analysis(net, held=np.zeros((2, 3, 4)), n_starts=4)
    plot_fixed_points(several, held=1)
    for arguments, error, words in (
        ({"found": net}, TypeError, "found must be"),
        ({"found": several}, ValueError, "held must say which of 2 inputs"),
        ({"found": several, "held": 2}, ValueError, "held"),
        ({"found": result[0], "held": 0}, ValueError, "held is for a FixedPointAnalysis"),
        ({"found": result, "trajectories": np.zeros((5, 3))}, ValueError, r"trajectories must have shape \(T, B, 1, 4\)"),
        ({"found": result, "ax": 3}, TypeError, "ax"),
    ):
        with pytest.raises(error, match=words):
            plot_fixed_points(**arguments)
