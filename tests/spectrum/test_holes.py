"""Holes of the spectrum: T^S against explicit matrices, closed forms of a sheet, planted orthogonal networks [T10]."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gating_theory as gt
from gating_theory.ensemble.matrix_laws import LawError, MatrixLaw
from gating_theory.ensemble.rotation_invariant import HaarStack
from gating_theory.spectrum.holes import Hole, Holes, minors_of

CELLS = {"Vanilla": (gt.Vanilla, [1.5]), "GRU": (gt.GRU, [2, 3, 4])}
CELLS |= {"GRUResetAfter": (gt.GRUResetAfter, [2, 3, 4]), "LSTM": (gt.LSTM, [1, 2, 4, 3])}


def four_sites(name, matrices="orthogonal"):
    """The sheet's sites: fields sin(1 + .7 j + 1.3 k), states .9 cos(.5 + .9 j + .8 i)."""
    cell, gain = CELLS[name]
    j = np.arange(4)
    fields = np.array([np.sin(1 + 0.7 * j + 1.3 * k) for k in range(cell.n_fields)])
    state = np.array([0.9 * np.cos(0.5 + 0.9 * j + 0.8 * i) for i in range(cell.n_state)])
    return gt.Sites(cell, np.full(4, 0.25), state, fields, None, np.array(gain, dtype=float), matrices=matrices)


def transfer_matrices(sites, lam):
    """W_kl(lambda) of each site, fields by fields, by matrix inversion."""
    cell = sites.cell
    blocks = cell.compiled.blocks(sites.state, sites.fields, sites.parameters)
    shapes = {"F_s": (cell.n_state,) * 2, "F_y": (cell.n_state, cell.n_fields)}
    shapes |= {"M_s": (cell.n_fields, cell.n_state), "M_y": (cell.n_fields, cell.n_fields)}
    full = {name: np.zeros((sites.size, *shape)) for name, shape in shapes.items()}
    for name, entries in blocks.items():
        for (i, j), value in entries.items():
            full[name][:, i, j] = value
    inverse = np.linalg.inv(lam * np.eye(cell.n_state) - full["F_s"])
    return full["M_s"] @ inverse @ full["F_y"] + full["M_y"], inverse


def radius_by_matrices(sites, S, lam):
    """Spectral radius of the K x K matrix T^S, from inverses of W_SS site by site."""
    W, _ = transfer_matrices(sites, lam)
    C = [k for k in range(sites.cell.n_fields) if k not in S]
    S = list(S)
    out = np.zeros_like(W)
    inverse = np.linalg.inv(W[:, S][:, :, S])
    out[np.ix_(range(sites.size), S, S)] = inverse
    out[np.ix_(range(sites.size), S, C)] = -inverse @ W[:, S][:, :, C]
    out[np.ix_(range(sites.size), C, S)] = W[:, C][:, :, S] @ inverse
    out[np.ix_(range(sites.size), C, C)] = W[:, C][:, :, C] - W[:, C][:, :, S] @ inverse @ W[:, S][:, :, C]
    a2 = np.asarray(sites.gain) ** 2
    a2[S] = 1 / a2[S]
    return np.abs(np.linalg.eigvals(a2 * np.einsum("s,skl->kl", sites.weights, np.abs(out) ** 2))).max()


@pytest.mark.parametrize(
    "name, lam, radius, potential",
    [
        ("Vanilla", 0.6 + 0.3j, 0.62255308, -0.0743895873),
        ("Vanilla", 0.2 + 0.1j, 0.06917256, -0.0743895873),
        ("GRUResetAfter", 0.6 + 0.3j, 0.85033655, -0.6285936297),
    ],
)
def test_the_sheets_holes(name, lam, radius, potential):
    """T^S and the potential in holes at four sites, computed with matrices site by site by others."""
    spectrum = gt.Spectrum.from_sites(four_sites(name))
    assert not spectrum.inside(lam) and spectrum.edge_function(lam) == pytest.approx(radius, abs=6e-9)
    assert spectrum.potential(lam) == pytest.approx(potential, abs=6e-11)
    assert spectrum.density(lam) == 0.0


@given(st.sampled_from(["GRU", "GRUResetAfter", "LSTM"]), st.integers(0, 10**6), st.floats(-1, 1), st.floats(0.05, 1))
@settings(max_examples=25, deadline=None)
def test_ratios_of_minors_are_pivot_transforms(name, seed, x, y):
    """T^S of every S by inverting W_SS at each site; the potential by determinants."""
    rng, cell = np.random.default_rng(seed), CELLS[name][0]
    fields, state = rng.normal(size=(cell.n_fields, 7)), rng.uniform(-1, 1, (cell.n_state, 7))
    weights = rng.dirichlet(np.ones(7))
    sites = gt.Sites(cell, weights, state, fields, None, rng.uniform(0.5, 3, cell.n_fields), matrices="orthogonal")
    lam, minors = complex(x, y), minors_of(sites)
    choices = [(0,), (1,), (2,), (3,)][: cell.n_fields]
    if name == "GRU":  # h does not answer to r, r h answers to z through h alone
        assert Hole(sites, (1,), minors).closed() and Hole(sites, (0, 2), minors).closed()
        choices = [(0,), (2,), (1, 2)]
    for S in choices:
        hole = Hole(sites, S, minors)
        expected = radius_by_matrices(sites, S, lam)
        # conditioned like W_SS itself: site by site ratios of numbers that are sums of a few terms
        assert hole.radius(np.array([lam]))[0] == pytest.approx(expected, rel=1e-7)
        W, inverse = transfer_matrices(sites, lam)
        logs = np.log(np.abs(np.linalg.det(W[:, list(S)][:, :, list(S)]) / np.linalg.det(inverse))) @ weights
        logs += np.log(np.asarray(sites.gain)[list(S)]).sum()
        assert hole.values(np.array([lam]), "potential")[0] == pytest.approx(logs, rel=1e-9, abs=1e-9)
        step = 1e-5
        around = hole.values(lam + step * np.array([1, -1, 1j, -1j]), "potential")
        slope = (around[0] - around[1] - 1j * (around[2] - around[3])) / (2 * step)
        # errors of the difference: step^2, and rounding over the step
        assert hole.values(np.array([lam]), "resolvent")[0] == pytest.approx(slope, rel=1e-5, abs=1e-6)


VANILLA = {1.1: (0.9612432, 1.0050818, 0.7981172, 0.0005151104), 1.2: (0.8244358, 1.0166127, 0.6071217, 0.0018367791)}
VANILLA |= {1.5: (0.1741902, 1.0673908, None, 0.0079767239), 2.0: (0.0011673, 1.1673360, None, 0.0187133091)}


@pytest.mark.parametrize("gain", list(VANILLA))
def test_vanilla_annulus(gain):
    """r_in = a / sqrt(E cosh^4 y), r_out, the isolated eigenvalue E y^2 / E[y sinh y cosh y] and Phi(1) of the sheet."""
    point = gt.fixed_points(gt.Ensemble(gt.Vanilla, gain=gain, matrices="orthogonal"))[-1]
    spectrum, std = gt.Spectrum(point, tol=1e-8), point.field_std["h"]
    # cosh^4 y = (3 + 4 cosh 2y + cosh 4y) / 8, and E cosh(k y) = exp(k^2 std^2 / 2)
    inner = gain / np.sqrt((3 + 4 * np.exp(2 * std**2) + np.exp(8 * std**2)) / 8)
    outside, ((fields, (hole,)),) = spectrum.boundary()[0], spectrum.holes()
    assert fields == ("h",)
    np.testing.assert_allclose(np.abs(hole), inner, rtol=1e-8)
    np.testing.assert_allclose(np.abs(outside), spectrum.radius(), rtol=1e-8)
    assert inner == pytest.approx(VANILLA[gain][0], abs=6e-8)
    assert spectrum.radius() == spectrum.abscissa() == pytest.approx(VANILLA[gain][1], abs=6e-8)
    assert spectrum.potential(1.0) == pytest.approx(VANILLA[gain][3], abs=6e-11 + 1e-8)
    # E[y sinh y cosh y] = std^2 E cosh 2y
    isolated = np.exp(-2 * std**2)
    if VANILLA[gain][2] is None:
        assert spectrum.outliers().size == 0 and isolated > inner
    else:
        assert isolated == pytest.approx(VANILLA[gain][2], abs=6e-8)
        np.testing.assert_allclose(spectrum.outliers(), isolated, rtol=1e-8)
        assert abs(spectrum.outlier_determinant(isolated)) < 1e-8
    # nothing in the hole, and everything within the outer edge
    assert spectrum.mass(0.0, [0.9 * inner, 1.01 * spectrum.radius()]) == pytest.approx([0.0, 1.0], abs=1e-4)
    # the potential is continuous, and so is the resolvent: closed form in the hole, equations inside
    beside = inner * np.array([1 - 1e-6, 1 + 1e-6])
    assert np.ptp(spectrum.potential(beside)) < 1e-6 and np.ptp(np.abs(spectrum.resolvent(beside)) * inner) < 1e-3


@pytest.mark.parametrize(
    "cell, outer, hole, isolated, potential",
    [
        (gt.GRU, 1.0090335, (0.1119191, 0.9418180), 0.8789236, -0.74643845),
        (gt.GRUResetAfter, 1.0070939, (0.0918618, 0.9578859), 0.8855449, -0.73547677),
    ],
)
def test_gated_holes_of_the_sheet(cell, outer, hole, isolated, potential):
    spectrum = gt.Spectrum(gt.fixed_points(gt.Ensemble(cell, gain={"z": 1, "r": 1, "h": 2.2}, matrices="orthogonal"))[-1])
    ((fields, (edge,)),) = spectrum.holes()
    # seven digits, the last one rounded or cut off
    assert fields == ("h",) and (edge.real.min(), edge.real.max()) == pytest.approx(hole, abs=1e-7)
    assert spectrum.abscissa() == pytest.approx(outer, abs=1e-7)
    np.testing.assert_allclose(spectrum.outliers(), [isolated], atol=1e-7)
    assert spectrum.potential([0.5, 0.6]) == pytest.approx(potential, abs=2e-8)
    assert np.abs(spectrum.edge_function(np.concatenate(spectrum.boundary())) - 1).max() < 1e-9
    assert spectrum.resolvent(0.5) == 0.0 and not spectrum.inside(0.5) and spectrum.inside(0.97)


def test_pivots_of_two_messages_hold_in_phases_of_two_fields():
    """A toy of the sheet's kind: in a hole of two fields Phi is E log|q_S| and that of both matrices, by a sampled network."""
    sites = four_sites("GRU", {"r": "orthogonal", "h": "orthogonal", "z": "iid"})
    sites = replace(sites, gain=np.array([0.05, 40.0, 40.0]))
    spectrum = gt.Spectrum.from_sites(sites)
    ((fields, _),) = spectrum.holes()
    assert fields == ("r", "h")
    n, rng, lam = 400, np.random.default_rng(3), 0.3 + 0.4j
    spread = replace(
        sites,
        weights=np.full(n, 1 / n),
        state=np.repeat(sites.state, n // 4, axis=1),
        fields=np.repeat(sites.fields, n // 4, axis=1),
        parameters=np.zeros((0, n)),
    )
    logs = [log_determinant(spread, [0.05 * rng.standard_normal((n, n)) / 20, 40 * haar(n, rng), 40 * haar(n, rng)], lam)]
    # analytic linear statistics at a distance of the spectrum: of order 1/N, and theory at complex lambda is not biased
    assert spectrum.potential(lam) == pytest.approx(np.mean(logs), abs=3e-3)


def haar(n, rng):
    q, r = np.linalg.qr(rng.standard_normal((n, n)))
    return q * np.sign(np.diag(r))


def log_determinant(sites, matrices, lam):
    """(1/N) log|det(lambda - J)| by det(lambda - F_s) det(1 - W U)."""
    W, inverse = transfer_matrices(sites, lam)
    n, K = sites.size, sites.cell.n_fields
    full = np.zeros((K * n, K * n), dtype=complex)
    for k in range(K):
        for l in range(K):
            full[k * n : (k + 1) * n, l * n : (l + 1) * n] = W[:, k, l][:, None] * matrices[l]
    sign_and_log = np.linalg.slogdet(np.eye(K * n) - full)
    return float(sign_and_log[1] / n - np.log(np.abs(np.linalg.det(inverse))).mean())


@dataclass(frozen=True)
class TwoValues(MatrixLaw):
    """Singular values 1 -+ .6 in equal parts, over their rms: a law that says what holes need."""

    name = "two_values"
    holds = frozenset({"mean field", "edge", "resolvent", "outliers"})

    def values(self):
        s = np.array([0.4, 1.6])
        return s / np.sqrt(np.mean(s**2))

    def draw(self, n, rng, count=1):
        s = np.resize(self.values(), n)
        return np.sqrt(n) * np.array([haar(n, rng) * s @ haar(n, rng) for _ in range(count)])

    def log_gain(self, s, count=1):
        raise AssertionError("the gain A(s) is not asked for in holes")

    def inverse_square(self, count=1):
        return float(np.mean(self.values() ** -2.0))

    def mean_log(self, count=1):
        return float(np.mean(np.log(self.values())))


def test_a_law_of_singular_values():
    """Inverse squares and logarithms of the law's: its hole ends where eigenvalues of its matrices do, and Phi is that of draws."""
    sites = four_sites("Vanilla", TwoValues())
    (hole,) = Holes.of(sites)
    inner = 1 / np.sqrt(hole.radius(np.array([1.0 + 0j]))[0])
    n, rng = 400, np.random.default_rng(5)
    slope = np.repeat(1 / np.cosh(sites.fields[0]) ** 2, n // 4)
    U = 1.5 * TwoValues().matrices(n, rng)[0] / np.sqrt(n)
    eigenvalues = np.linalg.eigvals(slope[:, None] * U)
    # sharp edges smear by N^{-1/2} over the density at the edge, of order one
    assert np.sort(np.abs(eigenvalues))[n // 50] > inner and np.abs(eigenvalues).min() > 0.9 * inner
    lam = np.array([0.3 * inner * 1j])
    assert hole.values(lam, "potential")[0] == pytest.approx(np.log(np.abs(lam - eigenvalues)).mean(), abs=3e-3)


def reflection(v):
    w = v / np.linalg.norm(v) - np.eye(v.size)[0]
    return np.eye(v.size) - 2 * np.outer(w, w) / (w @ w)


def planted(point, n, rng):
    """An orthogonal network that holds a fixed point, by reflections; its state, and what comes through its matrices."""
    cell, a, b = point.ensemble.cell, point.ensemble.array("gain"), point.ensemble.array("bias")
    x = np.array([point.field_std[k] for k in cell.field_names])[:, None] * rng.standard_normal((cell.n_fields, n))
    parameters, scale = np.zeros((cell.n_parameters, n)), np.zeros(1)
    while np.abs(scale - 1).max() > 1e-13:  # an isometry keeps lengths
        y = b[:, None] + x
        state = np.array(cell.compiled.fixed_state(y, parameters))
        distinct = cell.compiled.messages(state, y, parameters)
        m = np.array([np.broadcast_to(distinct[nu], n) for nu in cell.message_of])
        scale = a * np.linalg.norm(m, axis=1) / np.linalg.norm(x, axis=1)
        x = x * scale[:, None]
    matrices = []
    for k in range(cell.n_fields):
        rest = np.eye(n)
        rest[1:, 1:] = haar(n - 1, rng)
        matrices.append(a[k] * reflection(x[k]) @ rest @ reflection(m[k]))
    return gt.Network(point.ensemble, np.array(matrices), np.tile(b[:, None], n)), state, x


@pytest.mark.parametrize("cell, gain", [(gt.Vanilla, {"h": 1.2}), (gt.GRU, {"z": 1, "r": 1, "h": 2.2})])
def test_planted_orthogonal_networks(cell, gain):
    """One network of 300 units: the potential in its hole, and the isolated eigenvalue there, both at its own sites."""
    point = gt.fixed_points(gt.Ensemble(cell, gain=gain, matrices="orthogonal"))[-1]
    net, state, x = planted(point, 300, np.random.default_rng(2))
    eigenvalues = net.eigenvalues(state)
    spectrum = gt.Spectrum.from_sites(replace(net.sites(state), recurrent=x))
    ((fields, (edge,)),) = spectrum.holes()
    assert fields == ("h",)
    lam = 0.5 * (edge.real.min() + edge.real.max()) + 0.1j
    # linear statistics away from the spectrum fluctuate by 1/N times a number of order one
    assert np.log(np.abs(lam - eigenvalues)).mean() == pytest.approx(spectrum.potential(lam), abs=4 / 300)
    (isolated,) = spectrum.outliers()
    real = eigenvalues[(eigenvalues.imag == 0) & (eigenvalues.real > 0.3) & (eigenvalues.real < edge.real.max())].real
    # it moves by N^{-1/2} times the square root of what is left of the hole
    assert np.abs(real - isolated.real).min() < 0.6 * np.sqrt(1 / 300) * np.sqrt(edge.real.max() - isolated.real + 0.05)


def test_outliers_of_a_stack_of_two_messages():
    """Three blocks of an isometry that take two messages to given images: eigenvalues of C = E[m_k W_kl x_l] / E m_k^2."""
    n, law, off = 150, HaarStack(), []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        first = rng.standard_normal(n)
        m = np.array([first, first, 0.85 * first + 0.5 * rng.standard_normal(n)])
        lengths = np.linalg.norm(m, axis=1, keepdims=True)
        direction = 0.95 * m / lengths + 0.3 * rng.standard_normal((3, n)) / np.sqrt(n)
        images = lengths * direction / np.linalg.norm(direction, axis=1, keepdims=True) / np.sqrt(3)
        U = law.draw(n, rng, 3) / np.sqrt(3 * n)
        law.condition(U, m, images, rng)
        w = np.where(rng.random((2, 3, n)) < 0.5, 1.2, 0.6)
        blocks = [[row[0][:, None] * U[0] + row[1][:, None] * U[1], row[2][:, None] * U[2]] for row in w]
        C = np.array([[np.mean(m[k] * w[(0, 0, 1)[k], l] * images[l]) / np.mean(m[k] ** 2) for l in range(3)] for k in range(3)])
        off.append(np.linalg.eigvals(np.block(blocks)).real.max() - np.linalg.eigvals(C).real.max())
    # single ones scatter by .02 at this size, .3 from the edge: four errors of the mean
    assert abs(np.mean(off)) < 4 * 0.02 / np.sqrt(6) and np.std(off) < 0.06


@given(st.sampled_from([gt.Vanilla, gt.GRU, gt.GRUResetAfter, gt.LSTM, gt.MGU, gt.JANET]), st.floats(0.1, 0.9))
@settings(max_examples=10, deadline=None)
def test_orthogonal_networks_at_rest_are_circles(cell, part):
    """All eigenvalues on a circle: the edge once, no density, masses of arcs, potentials of a circle's charge."""
    d, critical = cell.n_state, float(gt.onset(gt.Ensemble(cell), f"gain.{'h' if 'h' in cell.field_names else 'g'}"))
    name = "h" if "h" in cell.field_names else "g"
    point = next(p for p in gt.fixed_points(gt.Ensemble(cell, gain={name: part * critical}, matrices="orthogonal")) if p.is_zero)
    spectrum = gt.Spectrum(point)
    (curve,), ((fields, (inner,)),) = spectrum.boundary(), spectrum.holes()
    centre = 0.5 * (curve.real.min() + curve.real.max())
    radius = spectrum.radius() - centre
    assert fields == (name,)
    np.testing.assert_allclose(np.abs(curve - centre), radius, rtol=1e-8)
    np.testing.assert_allclose(np.abs(inner - centre), radius, rtol=1e-8)
    at = centre + radius * np.array([0.4j, 0.99, 1.01])
    assert (spectrum.density(at) == 0).all() and not spectrum.inside(at).any()
    atom = 0.0 if d == 1 else np.log(np.abs(at))  # of an LSTM's h
    np.testing.assert_allclose(spectrum.potential(at), np.log(radius * np.array([1, 1, 1.01])) + atom, rtol=1e-9, atol=1e-12)
    # a disc about a point of the circle
    arc = 2 * np.arcsin(0.25) / np.pi
    assert spectrum.mass(centre + radius, 0.5 * radius) == pytest.approx(arc / d, abs=1e-6)
    assert spectrum.mass(centre, 0.99 * radius) == pytest.approx((0.0 if d == 1 or abs(centre) > 0.99 * radius else 0.5), abs=1e-9)


@pytest.mark.parametrize("cell, gain", [(gt.GRU, {"h": 1.2}), (gt.GRUResetAfter, {"h": 1.2}), (gt.LSTM, {"g": 1.2})])
def test_stacks_at_rest_are_truncations(cell, gain):
    """A disc with mass u (1 - t) / (1 - t u), u = (r / rho)^2: no hole [T10]."""
    spectrum = gt.Spectrum(gt.fixed_points(gt.Ensemble(cell, gain=gain, matrices="stack"))[0])
    t, rho, u = 1 / cell.n_fields, spectrum.radius() - 0.5, np.array([0.1, 0.5, 0.9])
    (curve,) = spectrum.boundary()
    np.testing.assert_allclose(np.abs(curve - 0.5), rho, rtol=1e-8)
    assert spectrum.holes() == [] and spectrum.inside(0.5)
    np.testing.assert_allclose(spectrum.mass(0.5, rho * np.sqrt(u)), u * (1 - t) / (1 - t * u) / cell.n_state, atol=1e-4)


def test_there_are_none_of_iid_matrices_and_of_stacks():
    for law in ("iid", "stack"):
        sites = four_sites("GRUResetAfter", law)
        assert len(Holes.of(sites)) == 0 and gt.Spectrum.from_sites(sites).holes() == []
    assert len(Holes.of(four_sites("Vanilla", "stack"))) == 1  # a stack of one field is an orthogonal matrix
    assert len(Holes.of(four_sites("GRU", {"z": "orthogonal"}))) == 1


def test_saturated_sites_close_a_hole():
    sites = four_sites("Vanilla")
    assert gt.Spectrum.from_sites(sites).edge_function(0.2) < 1
    fields = sites.fields.copy()
    fields[0, 0] = 1000.0
    closed = gt.Spectrum.from_sites(replace(sites, fields=fields))
    assert closed.holes() == [] and closed.inside(0.2)


def test_what_is_not_known_is_refused():
    """Laws of N units and singular values are known of iid matrices alone, the density at an edge of the outer one."""
    spectrum = gt.Spectrum.from_sites(four_sites("GRUResetAfter"))
    for ask in (lambda: spectrum.finite_size(rng=0), lambda: spectrum.singular_values()):
        with pytest.raises(LawError, match=r"law Haar\(\)"):
            ask()
    inner = spectrum.holes()[0][1][0][0]
    with pytest.raises(gt.CapabilityError, match="at the edge of a hole is not served"):
        spectrum.edge_density(inner)
    assert spectrum.edge_density(spectrum.radius()) > 0
