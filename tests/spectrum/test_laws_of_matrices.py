"""Potential, resolvent and density of orthogonal matrices, stacks, given singular values and users' laws [T10]."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gating_theory as gt
from gating_theory.spectrum.dyson import Population

EVERYTHING = {"potential", "resolvent", "density"}


@dataclass(frozen=True)
class Block(gt.MatrixLaw):
    """N x N block of a Haar matrix of size N / t, as a user writes it: nothing but A(s)."""

    name = "a block of an orthogonal matrix"
    holds = frozenset({"mean field", "edge", "resolvent"})
    t: float

    def draw(self, n, rng, count=1):
        raise NotImplementedError

    def log_gain(self, s, count=1):
        return -np.log(1.0 - self.t * s)


@dataclass(frozen=True)
class TwoNormal(gt.MatrixLaw):
    """U = a G G' / N of two independent normal matrices: S(-s) = 1 / (1 - s)^2, so that A(s) = a^2 (1 - s)."""

    name = "product of two normal matrices"
    holds = frozenset({"mean field", "edge", "resolvent"})

    def draw(self, n, rng, count=1):
        return np.matmul(rng.standard_normal((count, n, n)), rng.standard_normal((count, n, n))) / np.sqrt(n)

    def log_gain(self, s, count=1):
        return np.log(1.0 - s)


def few_sites(cell, gain, law):
    """The four sites of the theory sheet."""
    j, k, i = np.arange(4), np.arange(cell.n_fields)[:, None], np.arange(cell.n_state)[:, None]
    return gt.Sites(
        cell,
        np.full(4, 0.25),
        0.9 * np.cos(0.5 + 0.9 * j + 0.8 * i),
        np.sin(1.0 + 0.7 * j + 1.3 * k),
        np.zeros((cell.n_parameters, 4)),
        gain=np.array(gain, dtype=float),
        matrices=law,
    )


GAINS = {"Vanilla": [1.5], "GRU": [2, 3, 4], "GRUResetAfter": [2, 3, 4], "LSTM": [1, 2, 4, 3], "MGU": [2, 4]}
#: Potentials of the theory sheet at .6 + .3i and .2 + .1i.
TABLE = {
    ("Vanilla", "iid"): (-0.2891532592, -0.5401436923),
    ("GRU", "iid"): (-0.8713997417, -0.6796027869),
    ("GRU", "orthogonal"): (-0.7751517995, -0.6372905037),
    ("GRU", "stack"): (-0.8269260678, -0.6598739293),
    ("GRUResetAfter", "iid"): (-0.8272331871, -0.6788531686),
    ("GRUResetAfter", "orthogonal"): (None, -0.6104154995),  # the first is in a hole
    ("GRUResetAfter", "stack"): (-0.7725499352, -0.6543316533),
    ("LSTM", "iid"): (-1.4725539050, -2.0195496789),
    ("LSTM", "orthogonal"): (-1.4258962963, -1.9231130112),
    ("LSTM", "stack"): (-1.4591545601, -1.9852083900),
}
LAMBDAS = np.array([0.6 + 0.3j, 0.2 + 0.1j])


def solved(cell, law, what=(), lam=LAMBDAS, gain=None):
    return Population(few_sites(getattr(gt, cell), GAINS[cell] if gain is None else gain, law)).solve(lam, what, tol=1e-14)


@pytest.mark.parametrize("cell, law", TABLE)
def test_potentials_of_the_theory_sheet(cell, law):
    spectrum = gt.Spectrum.from_sites(few_sites(getattr(gt, cell), GAINS[cell], "iid"), matrices=law)
    for lam, expected in zip(LAMBDAS, TABLE[cell, law]):
        if expected is not None:
            assert spectrum.potential(lam) == pytest.approx(expected, abs=6e-11)  # ten digits are given


def test_shares_of_the_theory_sheet():
    """To the digits given, of each field of orthogonal matrices and of stacks as a whole."""
    found = solved("GRU", "orthogonal").shares[0]
    np.testing.assert_allclose(found, [0.1940978, 0.24377172, 0.5841724], atol=5e-8)
    found = solved("GRUResetAfter", "orthogonal", lam=LAMBDAS[1:]).shares[0]
    np.testing.assert_allclose(found, [0.07208195, 0.02146002, 0.68603958], atol=6e-9)
    found = solved("LSTM", "orthogonal").shares[0]
    np.testing.assert_allclose(found, [0.00544275, 0.01711946, 0.48312003, 0.10654276], atol=6e-9)
    assert solved("GRUResetAfter", "stack").x[0] == pytest.approx(0.80600559, abs=6e-9)
    assert solved("LSTM", "stack").x[0] == pytest.approx(0.48386323, abs=6e-9)


def test_singular_values_and_blocks_of_the_theory_sheet():
    values = np.array([0.5, 1.0, 1.5])
    law, size = gt.WithSingularValues(values), np.sqrt(np.mean(values**2))
    gru = solved("GRU", law, {"potential"}, gain=size * np.array([2.0, 3.0, 4.0]))
    assert gru.values["potential"][0] == pytest.approx(-0.7585829396, abs=6e-11)
    np.testing.assert_allclose(gru.shares[0], [0.21774, 0.22534, 0.52679], atol=5e-6)
    vanilla = solved("Vanilla", law, {"potential"}, gain=[1.5 * size], lam=LAMBDAS[:1])
    assert vanilla.values["potential"][0] == pytest.approx(-0.1667822919, abs=6e-11)
    assert vanilla.shares[0, 0] == pytest.approx(0.8870968478, abs=6e-11)
    third = solved("GRU", Block(1.0 / 3.0), {"potential"})
    assert third.values["potential"][0] == pytest.approx(-0.8485767340, abs=6e-11)


# --- identities


@given(
    cell=st.sampled_from([gt.Vanilla, gt.GRU, gt.GRUResetAfter, gt.LSTM, gt.MGU]),
    law=st.sampled_from(["iid", "orthogonal", "stack", gt.WithSingularValues([0.0, 0.5, 2.0]), Block(0.4), TwoNormal()]),
    seed=st.integers(0, 10**6),
)
@settings(max_examples=25, deadline=None)
def test_resolvent_and_density_are_derivatives(cell, law, seed):
    """g = 2 dPhi/dlambda and rho = (1/pi) dg/dconj(lambda), by differences, at random sites, gains and lambdas."""
    rng = np.random.default_rng(seed)
    M = 6
    state, fields = rng.uniform(-1, 1, (cell.n_state, M)), rng.normal(size=(cell.n_fields, M))
    gain = rng.uniform(0.5, 5.0, cell.n_fields)
    parameters = np.zeros((cell.n_parameters, M))
    sites = gt.Sites(cell, np.full(M, 1 / M), state, fields, parameters, gain=gain, matrices=law)
    lam = complex(rng.uniform(-0.3, 1.3), rng.uniform(0.1, 0.6))
    step = 1e-3
    points = lam + step * np.array([0, 1, -1, 1j, -1j, 2, -2, 2j, -2j])
    population = Population(sites)
    inside = population.solve(points)
    shares = inside.shares
    # differences across an edge are no derivatives, nor next to one, where derivatives have a jump
    if not ((inside.x.max(axis=1) > 0.03).all() and shares.max() < 0.97):
        return
    phi, g, rho = (population.solve(points, EVERYTHING, tol=1e-14).values[k] for k in ("potential", "resolvent", "density"))

    def slope(f, along):  # of fourth order
        a, b, c, d = {1: (1, 2, 5, 6), 1j: (3, 4, 7, 8)}[along]
        return (8.0 * (f[a] - f[b]) - (f[c] - f[d])) / (12.0 * step)

    # errors of fourth order in the step over the distance from what is singular (leaks, edges), and rounding over the step
    size = 1.0 + abs(g[0]) + np.pi * abs(rho[0])
    assert slope(phi, 1) - 1j * slope(phi, 1j) == pytest.approx(g[0], abs=1e-5 * size)
    assert 0.5 * (slope(g, 1) + 1j * slope(g, 1j)) / np.pi == pytest.approx(rho[0], abs=1e-4 * size)


@pytest.mark.parametrize("cell", GAINS)
def test_laws_that_are_one(cell):
    """A block of size 0 is iid, of size 1 Haar; so are equal singular values; a stack of one field is a Haar matrix."""
    few, haar = LAMBDAS[:1] if cell != "GRUResetAfter" else LAMBDAS[1:], "orthogonal"
    if cell == "Vanilla":
        few = np.array([0.88 + 0.1j])  # the others are in the hole
    at = lambda law: solved(cell, law, EVERYTHING, few).values  # noqa: E731
    pairs = [(Block(0.0), "iid"), (Block(1.0), haar), (gt.WithSingularValues([2.0, 2.0]), haar)]
    if cell == "Vanilla":
        pairs.append(("stack", haar))
    for one, other in pairs:
        one, other = at(one), at(other)
        for name in EVERYTHING:
            # densities follow from derivatives one step behind the unknowns, which is below 1e-9; next to a hole (of the MGU) the
            # logarithm of 1 - s is known to rounding over 1 - s
            np.testing.assert_allclose(one[name], other[name], rtol=1e-9 if name == "density" else 1e-12, atol=1e-12)


def test_iid_matrices_of_groups_of_their_own():
    """Fields of one message share an unknown where A is constant: with one each the solution is the same, to rounding."""
    for cell in GAINS:
        apart, together = solved(cell, Block(1e-15), EVERYTHING), solved(cell, "iid", EVERYTHING)
        for name in EVERYTHING:
            # as above
            close = 1e-9 if name == "density" else 3e-14
            np.testing.assert_allclose(apart.values[name], together.values[name], rtol=close, atol=3e-14)
        np.testing.assert_allclose(apart.x, together.x, rtol=3e-14)


def test_singular_values_of_normal_matrices_are_iid():
    """Quantiles of the quarter circle law, 4000 of them: A is that of iid matrices but for the step between quantiles."""
    from scipy.optimize import brentq

    def below(x):  # of singular values of normal matrices, of density sqrt(4 - x^2) / pi
        return (0.5 * x * np.sqrt(4.0 - x * x) + 2.0 * np.arcsin(0.5 * x)) / np.pi

    values = [brentq(lambda x, u=u: below(x) - u, 0.0, 2.0) for u in (np.arange(4000) + 0.5) / 4000]
    ours = solved("GRU", gt.WithSingularValues(values), {"potential"}).values["potential"]
    np.testing.assert_allclose(ours, TABLE["GRU", "iid"], atol=1e-4)


# --- independent methods, which share no code with the solver


def transfer(cell, sites, lam):
    """W (M, n, K) at one lambda, and det(lambda - F_s) (M,), from the derivatives of the sites alone."""
    b = cell.compiled.blocks(sites.state, sites.fields, sites.parameters)
    M, d, n, K = sites.size, cell.n_state, cell.n_messages, cell.n_fields
    shapes = {"F_s": (d, d), "F_y": (d, K), "M_s": (K, d), "M_y": (K, K)}
    F_s, F_y, M_s, M_y = (np.zeros((M, *shapes[k])) for k in shapes)
    for name, out in zip(shapes, (F_s, F_y, M_s, M_y)):
        for (i, j), value in b[name].items():
            out[:, i, j] = value
    A = lam * np.eye(d) - F_s
    W = M_y + M_s @ np.linalg.solve(A, F_y.astype(complex))
    rows = [cell.message_of.index(k) for k in range(n)]
    return W[:, rows], np.linalg.det(A)


@pytest.mark.parametrize("cell", ["GRUResetAfter", "LSTM"])
def test_a_stack_of_one_message_by_bisection(cell):
    """2 Phi = E log|chi|^2 + E log(1 + x v) - (1/t) log(1 + t x), where E[(v - t)/(1 + s (v - t))] = (1 - t)/(1 - t s)."""
    cell = getattr(gt, cell)
    sites = few_sites(cell, GAINS[cell.name], "stack")
    t = 1.0 / cell.n_fields
    for lam in LAMBDAS:
        W, chi = transfer(cell, sites, lam)
        v = np.abs(W[:, 0]) ** 2 @ np.square(sites.gain)
        low, high = 0.0, 1.0
        for _ in range(100):
            s = 0.5 * (low + high)
            low, high = (s, high) if np.mean((v - t) / (1 + s * (v - t))) > (1 - t) / (1 - t * s) else (low, s)
        x = s / (1 - t * s)
        twice = np.mean(2 * np.log(np.abs(chi)) + np.log(1 + x * v)) - np.log(1 + t * x) / t
        assert gt.Spectrum.from_sites(sites).potential(lam) == pytest.approx(0.5 * twice, abs=1e-12)


@pytest.mark.parametrize("cell", ["GRU", "MGU"])
def test_a_stack_of_several_messages_by_iteration(cell):
    """P <- (1 - t P q)^{-1} N, Qt <- q (1 - t P q)^{-1} with complex matrices of the sites, until nothing moves."""
    cell = getattr(gt, cell)
    sites = few_sites(cell, GAINS[cell.name], "stack")
    n, t, of, one = cell.n_messages, 1.0 / cell.n_fields, list(cell.message_of), np.eye(cell.n_messages)
    for lam in LAMBDAS:
        W, chi = transfer(cell, sites, lam)
        W = W * sites.gain
        P, Q = 0.3 * one + 0j, 0.3 * one + 0j
        for _ in range(2000):
            R = np.einsum("mik,k,mjk->mij", W, Q.real[of, of], W.conj())
            inverse = np.linalg.inv(one + P @ R)
            q = np.mean(R @ inverse, axis=0)
            uses = np.mean(np.einsum("mik,mij,mjk->mk", W.conj(), inverse @ P, W), axis=0)
            N = np.diag(np.bincount(of, uses.real, n))
            H = np.linalg.inv(one - t * P @ q)
            P, Q = (0.5 * (A + A.conj().T) for A in (H @ N, q @ H))
        R = np.einsum("mik,k,mjk->mij", W, Q.real[of, of], W.conj())
        log = np.linalg.slogdet(one + P @ R)[1]
        twice = np.mean(2 * np.log(np.abs(chi)) + log) - np.linalg.slogdet(one + t * P @ Q)[1] / t
        assert gt.Spectrum.from_sites(sites).potential(lam) == pytest.approx(0.5 * twice, abs=1e-11)


def test_laws_of_single_fields_by_iteration():
    """GRU with another law for each field, reset before the product: z_k = A_k(s_k) as plain iterations find it [T10]."""
    cell, t = gt.GRU, np.array([0.0, 0.4, 1.0])
    sites = few_sites(cell, GAINS["GRU"], {"r": Block(0.4), "h": "orthogonal"})
    of, a2 = list(cell.message_of), np.square(GAINS["GRU"])
    for lam in LAMBDAS:
        W, chi = transfer(cell, sites, lam)
        p, q = np.full(2, 0.3), np.full(3, 0.3) * a2
        for _ in range(4000):
            R = np.einsum("mik,k,mjk->mij", W, q, W.conj())
            inverse = np.linalg.inv(np.eye(2) + p[:, None] * R)
            row = np.mean(p * np.einsum("mii->mi", R @ inverse), axis=0).real
            s = q * np.mean(np.einsum("mik,mij,mjk->mk", W.conj(), inverse * p, W), axis=0).real
            total = np.bincount(of, s, 2)
            p *= np.sqrt(total / row)
            q = np.sqrt(q * (total / p)[of] * a2 / (1 - t * s))
        R = np.einsum("mik,k,mjk->mij", W, q, W.conj())
        log = np.linalg.slogdet(np.eye(2) + p[:, None] * R)[1]
        penalty = s[0] - np.log(1 - t[1] * s[1]) / t[1] - np.log(1 - s[2])
        twice = np.mean(2 * np.log(np.abs(chi)) + log) - penalty
        spectrum = gt.Spectrum.from_sites(sites)
        assert spectrum.potential(lam) == pytest.approx(0.5 * twice, abs=1e-11)


# --- drawn matrices


@pytest.mark.parametrize(
    "cell, law",
    [
        ("GRU", "orthogonal"),
        ("GRU", "stack"),
        ("LSTM", "orthogonal"),
        ("GRUResetAfter", TwoNormal()),
        ("LSTM", gt.WithSingularValues([0.2, 0.2, 1.0, 2.0])),
    ],
    ids=str,
)
def test_determinants_of_drawn_matrices(cell, law):
    """log|det(lambda - J)| per unit at fixed sites, N = 300, eight draws, at two lambdas; iid matrices would be off by more."""
    cell, N, draws = getattr(gt, cell), 300, 8
    few = few_sites(cell, GAINS[cell.name], law)
    many = {k: np.repeat(getattr(few, k), N // 4, axis=1) for k in ("state", "fields", "parameters")}
    ensemble = gt.Ensemble(cell, gain=dict(zip(cell.field_names, few.gain)), matrices=law)
    blocks = cell.compiled.blocks(**many)
    rng, d, K = np.random.default_rng(0), cell.n_state, cell.n_fields
    lambdas = np.array([0.6 + 0.3j, 0.3 + 0.4j])
    found = np.zeros((draws, lambdas.size))
    for i in range(draws):
        net = gt.Network.sample(ensemble, N, rng=rng)
        J = _jacobian(net, blocks, d, K, N)
        found[i] = [np.linalg.slogdet(lam * np.eye(d * N) - J)[1] / N for lam in lambdas]
    theory = Population(few).solve(lambdas, {"potential"}).values["potential"]
    normal = solved(cell.name, "iid", {"potential"}, lambdas).values["potential"]
    # a draw's log|det| scatters by about 1 / N; means of eight by a third of that. At N = 600 theory and draws differed by 1e-3 or
    # less, terms of order 1 / N: twice that here
    assert found.mean(axis=0) == pytest.approx(theory, abs=4e-3)
    assert np.abs(normal - theory).max() > 12e-3


def _jacobian(net, blocks, d, K, N):
    """J of a network whose sites have the given derivatives: dy_k = U_k dm_k, dm = M_s ds + M_y dy."""
    U = net.matrices
    S, Y = np.zeros((K * N, d * N)), np.eye(K * N)
    F = np.zeros((d * N, d * N)), np.zeros((d * N, K * N))

    def part(i):
        return slice(i * N, (i + 1) * N)

    for (k, j), value in blocks["M_s"].items():
        S[part(k), part(j)] = U[k] * value
    for (k, j), value in blocks["M_y"].items():
        Y[part(k), part(j)] -= U[k] * value
    for name, out in zip(("F_s", "F_y"), F):
        for (i, j), value in blocks[name].items():
            out[part(i), part(j)] = np.diag(np.broadcast_to(value, N))
    return F[0] + F[1] @ np.linalg.solve(Y, S)


# --- edges and masses


@pytest.mark.parametrize("law", ["orthogonal", "stack", gt.WithSingularValues([0.0, 0.5, 2.0])], ids=str)
@pytest.mark.parametrize("cell", ["GRU", "LSTM"])
def test_the_density_at_the_edge_is_the_limit_of_the_density(cell, law):
    """By the unknowns' response inside, in closed form on the edge: the linear extrapolation of the first."""
    spectrum = gt.Spectrum.from_sites(few_sites(getattr(gt, cell), GAINS[cell], law))
    edge = max(np.concatenate(spectrum.boundary(64)), key=lambda z: z.imag)
    inside = spectrum.density(edge - 1j * np.array([2e-4, 1e-4]))
    # what is left is of second order in the distance
    assert spectrum.edge_density(edge) == pytest.approx(2 * inside[1] - inside[0], rel=1e-4)


def test_the_zero_state_of_a_stack_is_a_truncated_disc():
    """One active field, all sites alike: u (1 - t) / (1 - t u) of the eigenvalues within sqrt(u) of the radius [T10]."""
    cell, gain = gt.GRUResetAfter, {"z": 0.5, "r": 0.5, "h": 1.6}
    point = gt.fixed_points(gt.Ensemble(cell, gain, matrices="stack"))[0]
    assert point.is_zero
    spectrum, t = gt.Spectrum(point), 1.0 / 3.0
    radius = spectrum.radius() - 0.5  # the leak is 1/2
    u = np.array([0.1, 0.4, 0.8])
    # masses are asked for to 1e-6
    assert spectrum.mass(0.5, np.sqrt(u) * radius, tol=1e-6) == pytest.approx(u * (1 - t) / (1 - t * u), abs=1e-6)


@pytest.mark.parametrize("gain, phi", [(1.1, 0.0005151104), (1.2, 0.0018367791), (1.5, 0.0079767239)])
def test_orthogonal_networks_at_their_fixed_point(gain, phi):
    """Phi(1) of vanilla networks, from populations of the fixed point made for the tolerance; the digits of the theory sheet."""
    point = gt.fixed_points(gt.Ensemble(gt.Vanilla, gain=gain, matrices="orthogonal"))[-1]
    assert gt.Spectrum(point, tol=1e-10).potential(1.0) == pytest.approx(phi, abs=1e-10)


# --- what is refused


def test_a_stack_over_several_messages_meets_truncations_only():
    law = {"z": "stack", "h": "stack", "r": TwoNormal()}
    with pytest.raises(gt.CapabilityError, match="where a stack over several messages meets the law TwoNormal"):
        solved("GRU", law)
    mixed = solved("GRU", {"z": "stack", "h": "stack", "r": "orthogonal"}, {"potential"})
    assert np.isfinite(mixed.values["potential"]).all()


@pytest.mark.nightly
@pytest.mark.parametrize(
    "law",
    ["iid", "orthogonal", "stack", gt.WithSingularValues([0.5, 1.0, 1.5]), gt.WithSingularValues([0.0, 0.5, 2.0]), TwoNormal()],
    ids=str,
)
@pytest.mark.parametrize("cell", [gt.Vanilla, gt.GRU, gt.GRUResetAfter, gt.LSTM, gt.MGU], ids=lambda cell: cell.name)
def test_no_lambda_is_left_unsolved(cell, law):
    """4000 lambdas for each cell and law, 1e5 in all, down to 1e-3 from the real axis, at ten sets of gains."""
    for seed in range(10):
        rng = np.random.default_rng(seed)
        gain = dict(zip(cell.field_names, rng.uniform(0.5, 5.0, cell.n_fields)))
        point = gt.fixed_points(gt.Ensemble(cell, gain=gain, matrices=law))[-1]
        away = np.abs(rng.normal(size=400)) * 10.0 ** rng.uniform(-3.0, 0.0, 400)
        found = Population(point.sites_at(1e-2, 300)).solve(0.6 + 0.6 * rng.normal(size=400) + 1j * away, EVERYTHING)
        assert all(np.isfinite(value).all() for value in found.values.values())


def test_zeros_among_singular_values_are_an_atom():
    """Half of the singular values 0, half sigma: half of the eigenvalues at 0, (1/2) / (1 - r^2 / sigma^2) in the disc of radius r
    (the S-transform of a projection); sigma^2 = 2 a^2, since gains are normalised by the mean square."""
    law = gt.WithSingularValues([0, 0, 1, 1])
    sp = gt.Spectrum(gt.fixed_points(gt.Ensemble(gt.Vanilla, gain=0.9, matrices=law))[0])
    radii = np.array([1e-3, 0.3, 0.5, 0.85])
    np.testing.assert_allclose(sp.mass(0, radii), 0.5 / (1.0 - radii**2 / 1.62), atol=1e-5)  # the default tolerance of masses
    assert sp.mass(0, 2.0) == pytest.approx(1.0, abs=1e-12)
