"""Attractors and saddles: of networks that are known by construction, and of a flip-flop's GRU and LSTM trained here."""

import numpy as np
import pytest

import gating_theory as gt

SWITCHES = (4.0, 5.0)


def switches(**more):
    """A GRU of two units that excite themselves, each bistable by itself, and six that listen to them: 3^2 fixed points."""
    matrices = np.zeros((3, 8, 8))
    matrices[2, range(2), range(2)] = SWITCHES  # halved by the reset gate
    matrices[2, 2:, :2] = 0.3 * np.random.default_rng(0).standard_normal((6, 2))
    return gt.Network(gt.GRU, matrices, np.zeros((3, 8)), **more)


def test_two_switches():
    """Each unit rests at 0 or at +-h with h = tanh(a h/2); at 0 it grows by (1 + a/2)/2 a step, z and r being 1/2."""
    net = switches()
    result = gt.fixed_point_analysis(net, rng=1)
    (found,) = result
    assert result.status.ok and found.kind.tolist() == 4 * ["stable"] + 5 * ["saddle"] and len(found.slow) == 0
    on = []
    for a in SWITCHES:
        h = 1.0
        for _ in range(200):
            h = np.tanh(a * h / 2)
        on.append(h)
    signs = np.sign(np.round(found.points.states[:, 0, :2], 6)).astype(int)
    # Newton's tolerance is 1e-10, in units of the fields
    assert np.abs(found.points.states[:, 0, :2] - signs * on).max() < 1e-8
    assert len(np.unique(signs, axis=0)) == 9
    growth = np.array([0.5 + a / 4 for a in SWITCHES])
    for i, sign in enumerate(signs):
        values, directions = found.unstable_eigenvalues[i], found.unstable_directions[i]
        free = np.flatnonzero(sign == 0)
        # the unit at rest grows, the fastest first; eigenvalues to rounding of states at 0
        np.testing.assert_allclose(values, np.sort(growth[free])[::-1], atol=1e-9)
        J = net.jacobian(found.points.states[i])
        for value, v in zip(values, directions.reshape(len(values), 8)):
            assert np.abs(J @ v - value * v).max() < 1e-12 and np.linalg.norm(v) == pytest.approx(1.0, abs=1e-12)
        reached = {tuple(signs[j]) for j in np.flatnonzero(found.connections[i])}
        free_ways = np.array(np.meshgrid(*[[-1, 1] if s == 0 else [s] for s in sign])).reshape(2, -1).T
        if len(free) == 1:  # a switch falls to either side, the other one stays
            assert reached == {tuple(way) for way in free_ways}
            ahead, behind = found.leads[i][0]
            unit = free[0]
            assert signs[ahead, unit] == np.sign(directions[0, 0, unit].real) == -signs[behind, unit]
        elif len(free) == 2:  # along one direction one switch falls, mixtures make both fall
            assert reached >= {tuple(way) for way in free_ways}
            assert found.connections[i].sum() == found.n_kicks[i] == 4 + 8
        else:
            assert not found.n_kicks[i] and not found.connections[i].any()
    assert str(gt.fixed_point_analysis(net, rng=1)) == str(result), "the same seed gives the same"
    # from random states both switches fall to the side that they are on
    assert found.ends.shape == (64,) and found.n_ended[:4].sum() == 64 and (found.n_ended[:4] > 0).all()


def test_inputs_of_a_network_lead_where_they_point():
    """Pulses to a switch set it; an input that is held leaves it one state, whatever came before."""
    net = switches()
    inputs = np.zeros((12, 4, 3, 8))
    wanted = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]])
    inputs[2:5, :, 2, :2] = 2.0 * wanted
    held = np.zeros((2, 3, 8))
    held[1, 2, 0] = -3.0
    result = gt.fixed_point_analysis(net, inputs, held, rng=0, n_starts=20)
    free, pushed = result
    assert (np.sign(free.points.states[free.ends, 0, :2]) == wanted).all()
    assert (pushed.kind == "stable").sum() == 2 and (pushed.kind == "saddle").sum() == 1
    ends = np.sign(pushed.points.states[pushed.ends, 0, :2])
    assert (ends[:, 0] == -1).all() and (ends[:, 1] == wanted[:, 1]).all()
    at = result.network_at(1)
    for state in pushed.points.fixed:
        assert np.abs(at.step(state) - state).max() < 1e-9
    # states along the inputs are those of the network driven by them
    states = net.run(np.zeros((1, 8)), 12, input=inputs[:, 1], trajectory=True)
    assert np.abs(result.trajectories[:, 1] - states).max() < 1e-14
    assert "held: 4 stable" not in str(result) and "without input: 4 stable fixed points, 5 saddles" in str(result)


def test_a_cycle_is_no_attractor_that_a_saddle_leads_to():
    """A rotating pair grows from rest into a cycle: complex directions, kicks and runs that move on, and a right degree."""
    turn = 1.5 * np.array([[[np.cos(0.7), -np.sin(0.7)], [np.sin(0.7), np.cos(0.7)]]])
    (found,) = gt.fixed_point_analysis(gt.Network(gt.Vanilla, turn, np.zeros((1, 2))), n_starts=8, n_steps=200)
    assert found.kind.tolist() == ["saddle"] and found.points.status.ok
    np.testing.assert_allclose(found.unstable_eigenvalues[0], 1.5 * np.exp([0.7j, -0.7j]), atol=1e-12)
    v = found.unstable_directions[0][0].ravel()
    assert abs(v.real @ v.imag) < 1e-14
    assert (found.leads[0] == -1).all() and not found.connections.any() and found.n_kicks[0] == 2 + 8
    # of the starts zero is no random state: all of them move for ever
    assert (found.ends == -1).all() and "it moves on" in str(found) and "from 8 of 8 runs it still moves" in str(found)
    # more unstable directions than asked for: the fastest are kept, and nothing is kicked
    (few,) = gt.fixed_point_analysis(gt.Network(gt.Vanilla, 2.0 * np.eye(2)[None], np.zeros((1, 2))), n_starts=8, n_modes=1)
    (centre,) = np.flatnonzero(few.points.n_unstable == 2)
    assert len(few.unstable_eigenvalues[centre]) == 1 and few.n_kicks[centre] == 0 and (few.leads[centre] == -2).all()


def test_what_runs_away_ends_nowhere():
    """A rectified unit beyond its unstable point grows without bounds: half of the kicks end at rest."""
    import sympy as sp

    h, y = sp.symbols("h y_h", real=True)
    cell = gt.Cell(name="Rectified", state=[h], fields=[y], messages=[h], update=[sp.Max(0, y)], fixed_point=[sp.Max(0, y)])
    net = gt.Network(cell, [[[2.0]]], [[-1.0]])  # h' = 2 h - 1: rests at 1, and at 0
    (found,) = gt.fixed_point_analysis(net, n_starts=12, n_steps=1200)
    assert found.kind.tolist() == ["stable", "saddle"] and found.leads[1].tolist() == [[-1, 0]]
    assert found.n_ended[1] == 0 and (found.ends == -1).any() and (found.ends == 0).any()


def flip_flop(kind, seed=0, updates=200, steps=50, batch=32):
    """A GRU or LSTM of 32 units that holds two bits, its readout, 64 test sequences (T, B, 2) and the bits at their ends."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(seed)

    def sequences(count):
        x = 2.0 * torch.randint(0, 2, (steps, count, 2), generator=generator) - 1.0
        x[1:] *= torch.rand((steps - 1, count, 2), generator=generator) < 0.15
        bits = [x[0]]
        for pulse in x[1:]:
            bits.append(torch.where(pulse != 0, pulse, bits[-1]))
        return x, torch.stack(bits)

    rnn, head = getattr(torch.nn, kind)(2, 32), torch.nn.Linear(32, 2)
    optimiser = torch.optim.Adam([*rnn.parameters(), *head.parameters()], lr=1e-2)
    for _ in range(updates):
        x, bits = sequences(batch)
        optimiser.zero_grad()
        (head(rnn(x)[0]) - bits).square().mean().backward()
        torch.nn.utils.clip_grad_norm_(rnn.parameters(), 1.0)
        optimiser.step()
    x, bits = sequences(64)

    def read(states):
        return np.sign(head(torch.tensor(states[:, 0], dtype=torch.float32)).detach().numpy())

    return rnn, read, x, bits[-1].numpy()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["GRU", "LSTM"])
def test_two_bits_are_four_attractors(kind, tmp_path):
    """A flip-flop's network rests in four states, saddles part neighbours, and each sequence leads to the state of its bits."""
    rnn, read, x, bits = flip_flop(kind)
    told = []
    result = gt.fixed_point_analysis(rnn, x, progress=lambda done, total: told.append((done, total)))
    (found,) = result
    # degree: 4 attractors, 4 saddles between neighbours and one point with two unstable directions, 4 - 4 + 1 = 1
    assert found.kind.tolist() == 4 * ["stable"] + 5 * ["saddle"] and found.points.degree == 1 and result.status.ok
    assert (read(found.points.states[found.ends]) == bits).all(), "sequences lead to the states of their bits"
    held = read(found.stable)
    assert len(np.unique(held, axis=0)) == 4
    for i in np.flatnonzero(found.points.n_unstable == 1):
        there = np.unique(found.leads[i])
        assert len(there) == 2 and (there >= 0).all(), "a saddle parts two attractors"
        assert (held[there[0]] != held[there[1]]).sum() == 1, "that differ in one bit"
    # the states visited are PyTorch's
    outputs = rnn(x)[0].detach().numpy()
    assert np.abs(result.trajectories[1:, :, 0] - outputs).max() < 1e-4  # single precision, through 25 steps of growing errors
    assert told[-1] == (3, 3)
    gt.save(result, tmp_path / "analysis.nc")
    again = gt.load(tmp_path / "analysis.nc")
    assert str(again) == str(result) and np.array_equal(again[0].connections, found.connections)
    for one, other in zip(again[0].unstable_directions, found.unstable_directions):
        assert np.array_equal(one, other)
    print(found)


def test_bad_arguments():
    net = switches()
    batch = gt.Network.sample(gt.Ensemble(gt.GRU), 4, batch=2)
    for arguments, error, words in (
        ({"source": 3}, TypeError, "source must be"),
        ({"source": batch}, ValueError, "source must be a single network, got a batch of 2"),
        ({"held": np.zeros((3, 7))}, ValueError, r"held must have shape \(K, N\) or \(n, K, N\)"),
        ({"held": np.zeros((0, 3, 8))}, ValueError, "held must have shape"),
        ({"held": np.full((3, 8), np.nan)}, ValueError, "held must be finite"),
        ({"inputs": np.zeros((5, 8))}, ValueError, r"inputs must have shape \(T, 3, 8\)"),
        ({"n_starts": 0}, ValueError, "n_starts"),
        ({"n_modes": 0}, ValueError, "n_modes"),
        ({"tol": 1.0}, ValueError, "tol"),
        ({"progress": 3}, TypeError, "progress"),
    ):
        with pytest.raises(error, match=words):
            gt.fixed_point_analysis(**({"source": net} | arguments))
