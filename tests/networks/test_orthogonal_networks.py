"""Networks of orthogonal matrices and stacks: drawn together, planted at fixed points, sums of their Lyapunov exponents [T10]."""

import numpy as np
import pytest

import gating_theory as gt

GAINS = {
    gt.Vanilla: 1.5,
    gt.GRU: {"z": 1, "r": 1, "h": 2.2},
    gt.GRUResetAfter: {"z": 2, "r": 0, "h": 2.6},
    gt.LSTM: {"f": 1, "i": 2, "g": 4, "o": 1.5},
}


def defect(net):
    """How far the matrices of a network are from what its laws say, relative to the gains."""
    n, gain = net.n_units, net.ensemble.array("gain")
    (law,) = set(net.ensemble.matrices.values())
    units = [U / a for U, a in zip(net.matrices, gain) if a > 0.0]
    if law == gt.HaarStack():
        # of a stack with a matrix of gain zero only the rest is there: orthonormal rows are
        rows = np.concatenate(units)
        return np.abs(rows.T @ rows / len(gain) - np.eye(n)).max() if gain.all() else np.linalg.norm(rows, 2) ** 2 - len(gain)
    return max(np.abs(U.T @ U - np.eye(n)).max() for U in units)


@pytest.mark.parametrize("law", ["orthogonal", "stack"])
@pytest.mark.parametrize("cell", GAINS, ids=lambda c: c.name)
def test_planted_states_are_fixed_points_of_matrices_of_the_law(cell, law):
    """Exact to rounding with spread biases: one message, two, gates without a matrix."""
    fixed_point = gt.fixed_points(gt.Ensemble(cell, GAINS[cell], bias_std=0.3, matrices=law))[-1]
    net, state = gt.Network.planted(fixed_point, 60, rng=1)
    assert np.abs(net.step(state) - state).max() < 1e-12
    assert defect(net) < 1e-12
    # five standard errors of mean squares over 60 sites; the response 1 / (1 - dR/dq) of the moments is below 2 here
    messages = net.cell.compiled.messages(*(getattr(net.sites(state), name) for name in ("state", "fields", "parameters")))
    for m, q in zip(messages, fixed_point.q):
        assert np.mean(m**2) == pytest.approx(q, abs=2 * 5 * np.std(m**2) / np.sqrt(m.size))


def test_gates_of_gain_zero_count_in_a_stack():
    """The candidate's matrix of a GRU stack is a third of an isometry, whatever the gates' gains are."""
    ensemble = gt.Ensemble(gt.GRU, gain={"z": 0, "r": 0, "h": 1}, matrices="stack")
    U = gt.Network.sample(ensemble, 300, rng=0).matrices[2]
    squares = np.linalg.svd(U, compute_uv=False) ** 2 / 3
    assert squares.max() < 1 + 1e-12
    # a third of the trace: it fluctuates by less than 1 / N, five times that
    assert squares.mean() == pytest.approx(1 / 3, abs=5 / 300)
    # their density ends at 4 t (1 - t) = 8/9 (that of iid entries at 4/3), which the largest misses by about N^{-2/3} = .02
    assert squares.max() == pytest.approx(8 / 9, abs=0.05)


def test_fields_of_different_laws_go_together():
    laws = {"z": "iid", "r": "orthogonal", "h": "orthogonal"}
    fixed_point = gt.fixed_points(gt.Ensemble(gt.GRU, gain={"z": 1, "r": 1, "h": 2.2}, bias_std=0.2, matrices=laws))[-1]
    net, state = gt.Network.planted(fixed_point, 40, rng=0)
    assert np.abs(net.step(state) - state).max() < 1e-12
    for U, a in zip(net.matrices[1:], (1.0, 2.2)):
        np.testing.assert_allclose(U @ U.T, a**2 * np.eye(40), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("law", "log_det"), [("orthogonal", 0.0), ("iid", -0.5)])
def test_lyapunov_exponents_add_up_to_the_potential_at_zero(law, log_det):
    """A vanilla network: log a + E log sech^2 y per unit, less 1/2 where matrices are iid (log|det U / a| / N, Stirling) [T10].

    Fields are normal of variance a^2 q in chaos as well, with q = E tanh^2 y: the map has no memory but through its matrix.
    """
    a, n = 2.0, 100
    q = gt.fixed_points(gt.Ensemble(gt.Vanilla, gain=a))[-1].q[0]
    y, w = np.polynomial.hermite_e.hermegauss(200)
    y = a * np.sqrt(q) * y
    theory = np.log(a) + log_det - 2 * (w / w.sum()) @ (np.abs(y) + np.log1p(np.exp(-2 * np.abs(y))) - np.log(2))
    net = gt.Network.sample(gt.Ensemble(gt.Vanilla, gain=a, matrices=law), n, rng=0)
    found = gt.lyapunov_spectrum(net, n_steps=200, transient=50, tangent_transient=10, rng=1)
    blocks = np.array_split(found.block_logs.sum(axis=1) / found.interval / n, 10)
    error = np.std([block.mean() for block in blocks], ddof=1) / np.sqrt(10)
    # five standard errors over time, and what a network of N units is off: its q by about N^{-1/2} / 3, and the slope of the
    # theory by log q is about -1
    assert found.exponents.sum() / n == pytest.approx(theory, abs=5 * error + 1 / np.sqrt(n))
    assert found.sum_rule[0] == pytest.approx(found.sum_rule[1], rel=1e-9)


def test_the_sum_of_exponents_is_the_potential_at_zero():
    """(1/N) log|det J| of a GRU in chaos, against theory for the sites that it visits."""
    ensemble = gt.Ensemble(gt.GRU, gain={"z": 0.5, "r": 1.0, "h": 4.0}, bias={"z": -3.0, "r": 1.0}, matrices="orthogonal")
    net, apart = gt.Network.sample(ensemble, 150, rng=2), []
    state = net.run(0.5 * np.random.default_rng(0).standard_normal(150), 100)
    for _ in range(8):
        state = net.run(state, 20)
        measured = np.linalg.slogdet(net.jacobian(state))[1] / 150
        theory = [gt.Spectrum.from_sites(net.sites(state), matrices=law).potential(0.0) for law in ("orthogonal", "iid")]
        apart.append(measured - np.array(theory))
    # log|det| of N units scatters by sqrt(log N / 4) / N or so, and lies 1.5 / N below its limit at real lambda; theory of iid
    # matrices is off by .2
    mean = np.abs(np.mean(apart, axis=0))
    assert mean[0] < 0.025 and mean[1] > 0.1
