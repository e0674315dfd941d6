"""Potentials and masses of discs under every law of matrices against sampled networks, at rest, moving, at given sites [T10].

Tolerances are those of tests/validation/agreement.py. They were derived for normal matrices. Eigenvalues of rotationally invariant
ones repel as much, so that the same numbers serve: log|det| fluctuates by O(1) or with variance (log N)/4 a matrix, and counts in
discs by their rims.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pytest
from agreement import Sample, check_masses, check_potential, default_discs, site_derivatives
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import CLOSED

import gating_theory as gt

N = 120
LAWS = {
    "iid": "iid",
    "orthogonal": "orthogonal",
    "stack": "stack",
    "given values": gt.WithSingularValues(np.linspace(0.2, 2.0, 40)),
}


@dataclass(frozen=True)
class Fresh(Sample):
    """Matrices drawn anew at the sites of a network, which do not depend on them."""

    law: object
    seed: int

    @cached_property
    def sites(self):
        return replace(self.net.sites(self.state), matrices=self.law)

    @cached_property
    def eigenvalues(self):
        """Of F_s + F_y U (1 - M_y U)^{-1} M_s, by dense blocks."""
        ensemble = self.net.ensemble.with_matrices(self.law)
        U = gt.Network.sample(ensemble, self.n, rng=self.seed).matrices
        D, (K, n, _) = site_derivatives(self.sites), U.shape
        F_s, F_y, M_s, M_y = (dense(D[name]) for name in ("F_s", "F_y", "M_s", "M_y"))
        full = np.zeros((K, n, K, n))
        full[range(K), :, range(K)] = U
        full = full.reshape(K * n, K * n)
        return np.linalg.eigvals(F_s + F_y @ full @ np.linalg.solve(np.eye(K * n) - M_y @ full, M_s))


def dense(blocks):
    """(M, a, b) site blocks as one (a M, b M) matrix."""
    M, a, b = blocks.shape
    out = np.zeros((a, M, b, M))
    out[:, range(M), :, range(M)] = blocks
    return out.reshape(a * M, b * M)


@st.composite
def ensembles(draw):
    """Of any built-in cell of bounded messages."""
    cell = getattr(gt, draw(st.sampled_from(CLOSED)))
    gain = {name: draw(st.floats(0.5, 5.0)) for name in cell.field_names}
    bias = {name: draw(st.floats(-1.0, 1.0)) for name in cell.field_names[:-1]}
    return gt.Ensemble(cell, gain=gain, bias=bias, bias_std=draw(st.sampled_from([0.0, 0.5])))


def generators(seed):
    return map(np.random.default_rng, np.random.SeedSequence(seed).spawn(3))


def at_zero(ensemble, law, seed):
    """The zero state, where fields are biases, which do not depend on matrices."""
    zero = np.zeros((ensemble.cell.n_state, N))
    return [Sample(gt.Network.sample(ensemble.with_matrices(law), N, rng=one), zero) for one in generators(seed)]


def at_given_sites(ensemble, law, seed):
    point = gt.fixed_points(ensemble)[-1]
    return [Fresh(*gt.Network.planted(point, N, rng=one), law, seed + i) for i, one in enumerate(generators(seed))]


def planted(ensemble, law, seed):
    point = gt.fixed_points(ensemble.with_matrices(law))[-1]
    return [Sample(*gt.Network.planted(point, N, rng=one)) for one in generators(seed)]


def moving(ensemble, law, seed):
    """Where networks are after 60 steps: in chaos, mostly, or on their way to rest, at sites that their own matrices made."""
    out = []
    for one in generators(seed):
        net = gt.Network.sample(ensemble.with_matrices(law), N, rng=one)
        out.append(Sample(net, net.run(one.standard_normal((ensemble.cell.n_state, N)), 60)))
    return out


def check(samples):
    check_potential(samples)
    for sample in samples:
        check_masses(sample, default_discs(samples))


STATES = {"at zero": at_zero, "at given sites": at_given_sites, "planted": planted, "moving": moving}


def possible(state, law, cell):
    """Networks of given singular values, and of stacks over more than two messages, cannot be conditioned on a state."""
    return state != "planted" or (law != "given values" and (law != "stack" or cell.n_messages <= 2))


@st.composite
def cases(draw, law):
    ensemble, state = draw(ensembles()), draw(st.sampled_from(list(STATES)))
    return ensemble, state if possible(state, law, ensemble.cell) else "at given sites", draw(st.integers(0, 2**20))


def compare(law, case):
    ensemble, state, seed = case
    check(STATES[state](ensemble, LAWS[law], seed))


@pytest.mark.parametrize("law", LAWS)
def test_a_few_cases(law):
    """Potentials and masses of three networks of 120 units, at states and hyperparameters drawn at random."""

    @given(cases(law))
    @settings(max_examples=4)
    def each(case):
        compare(law, case)

    each()


@given(st.lists(st.floats(0.1, 2.0), min_size=2, max_size=6))
@settings(max_examples=10)
def test_the_single_ring(values):
    """J = U at zero: edges by inverse and plain squares, the mass within a radius by the S-transform of the singular values."""
    sigma = np.array(values) + np.linspace(0.1, 0.3, len(values))
    ensemble = gt.Ensemble(gt.Vanilla, gain=np.sqrt(np.mean(sigma**2)), matrices=gt.WithSingularValues(sigma))
    spectrum = gt.Spectrum(gt.fixed_points(ensemble)[0])
    inner, outer = np.mean(sigma**-2.0) ** -0.5, np.mean(sigma**2) ** 0.5
    assert spectrum.radius() == pytest.approx(outer, rel=1e-9)
    ((_, (hole,)),) = spectrum.holes()
    assert np.abs(hole) == pytest.approx(inner, rel=1e-8)
    check_mass(spectrum, sigma, 0.3)


def check_mass(spectrum, sigma, y):
    """S(-s) = 1 / r^2, with s = E y sigma^2 / (1 + y sigma^2) the mass beyond r; y in units of 1 / E sigma^2."""
    squares = y * sigma**2 / np.mean(sigma**2)
    s = np.mean(squares / (1.0 + squares))
    radius = np.sqrt(np.mean(sigma**2) * s / (y * (1.0 - s)))
    assert spectrum.mass(0.0, radius) == pytest.approx(1.0 - s, abs=1e-4)  # the tolerance that masses are computed with


def test_the_inner_part_of_a_ring():
    """The ring of singular values 1.1, 2.2, 2.3 begins at 1.567; at 1.702 it holds .303 of the mass, not none."""
    sigma = np.array([1.1, 2.2, 2.3])
    ensemble = gt.Ensemble(gt.Vanilla, gain=np.sqrt(np.mean(sigma**2)), matrices=gt.WithSingularValues(sigma))
    check_mass(gt.Spectrum(gt.fixed_points(ensemble)[0]), sigma, 3.0)


@pytest.mark.nightly
@pytest.mark.parametrize("law", LAWS)
def test_many_cases(law):
    @given(cases(law))
    @settings(max_examples=60)
    def each(case):
        compare(law, case)

    each()
