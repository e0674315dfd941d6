"""Theory against sampled networks: what must agree, and how closely [T2, T3, T4].

A :class:`Sample` is one network at one state with all eigenvalues of its Jacobian. It is compared with the Spectrum of its *own
sites* (only the matrices then fluctuate) or with a mean-field Spectrum (the sites fluctuate too).

potential, ``check_potential``
    With given sites and Gaussian matrices, log|det(lambda - J)| fluctuates like that of a Ginibre matrix: with variance
    (log N)/4 + O(1) for each independent matrix inside the support, O(1) outside, and its mean is off by O(1). That is a
    standard deviation of 1.3 at N = 300 (two matrices in a GRU: up to 1.9). A planted or dynamical state conditions the
    matrices on what they did to a few vectors, which changes log|det| by O(1) as well. The mean over three networks has a standard
    deviation of 0.8 to 1.1, so 5 / N is a bound of five of them; for other numbers of networks it is scaled accordingly.
    Against mean field the sampling error of the site average is added: Phi is stationary in its order parameters, so to first
    order it is a plain average over sites, whose standard error follows from the spread over blocks of sites. It is taken
    five times, not three: a run makes some hundred effectively independent comparisons, of examples drawn at random.
masses, ``check_masses``
    Eigenvalues of non-Hermitian matrices repel: the variance of their number in a disc is carried by its rim only,
    (1/2 pi) of the integral of sqrt(density of eigenvalues) along it, twice that for real matrices and discs centred on the real
    axis (pairs enter together). That is O(N^{1/2}), not O(N). Four of these standard deviations, and 3 eigenvalues for
    the few that conditioning the matrices may move, and for the discreteness of sites near the rim.
support, ``unexplained``
    An eigenvalue at lambda is expected where T(lambda) >= 1, from the network's own sites. T is an average over sites of which an
    effective number n = (sum c)^2 / sum c^2 count, c a site's contribution. Eigenvalues stick out from the edge by a relative
    distance of order n^{-1/2}, in T twice that: for n = N this is the usual fringe of a circular law. In the other extreme
    n = 1 a unit whose leak is far from all the others has an eigenvalue at leak + w U_ii, a Gaussian whose standard deviation is
    the radius of the island T > 1 around the leak; 4.5 of them are allowed: T (1 + 3.5 n^{-1/2})^2 >= 1. (In 225 networks of all
    cells the largest need was 2.4 in place of the 3.5.) Eigenvalues that equal a site's leak are atoms or units nobody hears.
    Farther out only outliers are expected: the matrices are known to have produced the fields out of the messages,
    U_k m_k = x_k, and det(1 - C) = 0 with C_kl = <m_k W_kl x_l> / <m_k^2> over the network's own sites. The matrix under the
    determinant has a random part of the size of |W x| / |m| (T / (1 - T) / N)^{1/2}; five times that.
edge, ``check_edge``
    T(lambda) itself is an average over sites: mean field and own sites differ by its sampling error.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

import gating_theory as gt

POTENTIAL = 5.0  # of three networks
SITE_ERRORS = 5.0
COUNTS = 4.0
#: Of 1023 states of one drawn GRU two had an eigenvalue beyond 3.5, at 3.6 and 4.1, and hundreds are drawn here.
FRINGE = 4.5
OUTLIER = 5.0


@dataclass(frozen=True)
class Sample:
    """A network at a state."""

    net: gt.Network
    state: np.ndarray

    @property
    def n(self):
        return self.net.n_units

    @cached_property
    def eigenvalues(self):
        return self.net.eigenvalues(self.state)

    @cached_property
    def sites(self):
        return self.net.sites(self.state)

    @cached_property
    def own(self):
        """Spectrum of the network's own sites."""
        return gt.Spectrum.from_sites(self.sites)

    def log_det(self, lam):
        """(1/N) log|det(lambda - J)| from the eigenvalues."""
        return np.log(np.abs(np.subtract.outer(lam, self.eigenvalues))).sum(axis=-1) / self.n


def planted(fixed_point, n_units, rng, count=3):
    """Networks conditioned on holding a mean-field fixed point."""
    return [Sample(*gt.Network.planted(fixed_point, n_units, rng=rng)) for _ in range(count)]


def visited(ensemble, n_units, rng, count=3, n_steps=60):
    """Networks at the state they reach from a random one."""
    samples = []
    for _ in range(count):
        net = gt.Network.sample(ensemble, n_units, rng=rng)
        samples.append(Sample(net, net.run(net.random_state(rng), n_steps, rng=rng)))
    return samples


def scale_of(samples):
    """Centre of the cloud of eigenvalues and its largest extent around it."""
    ev = np.concatenate([s.eigenvalues for s in samples])
    center = float(ev.mean().real)
    return center, float(np.abs(ev - center).max())


def probes(samples):
    """Lambdas inside and outside, off the real axis (on it the fluctuations are twice as large)."""
    center, extent = scale_of(samples)
    r, theta = np.meshgrid([0.25, 0.5, 0.75, 1.0, 1.3, 1.8], [0.6, 1.4, 2.4])
    return (center + extent * r * np.exp(1j * theta)).ravel()


# --- potential


def blocks_of(sites, count=10):
    """Disjoint blocks of a population of equally weighted sites."""
    for part in np.array_split(np.arange(sites.size), count):
        yield gt.Sites(
            sites.cell,
            np.full(part.size, 1.0 / part.size),
            sites.state[:, part],
            sites.fields[:, part],
            sites.parameters[:, part],
            sites.gain,
            sites.source,
        )


def site_error(samples, lam):
    """Standard error of Phi from the finite number of sites, at each lambda."""
    values = np.array([gt.Spectrum.from_sites(b).potential(lam) for s in samples for b in blocks_of(s.sites)])
    return values.std(axis=0, ddof=1) / np.sqrt(values.shape[0])


def check_potential(samples, spectrum=None, lam=None):
    """Phi at lambdas inside and outside; against ``spectrum``, or each network's own sites."""
    lam = probes(samples) if lam is None else lam
    tolerance = POTENTIAL * np.sqrt(3.0 / len(samples)) / samples[0].n
    found = np.mean([s.log_det(lam) for s in samples], axis=0)
    if spectrum is None:
        expected = np.mean([s.own.potential(lam) for s in samples], axis=0)
        tolerance = np.full(lam.size, tolerance)
    else:
        expected = spectrum.potential(lam)
        tolerance = tolerance + SITE_ERRORS * site_error(samples, lam)
    worst = int(np.argmax(np.abs(found - expected) / tolerance))
    assert abs(found[worst] - expected[worst]) <= tolerance[worst], (
        f"potential at {lam[worst]}: network {found[worst]:.6f}, theory {expected[worst]:.6f}, tolerance {tolerance[worst]:.2g}; "
        f"{samples[0].net!r}"
    )


# --- masses


def default_discs(samples):
    """Centres and radii: three around the middle of the cloud, one off the axis, one of slow modes around 1."""
    center, extent = scale_of(samples)
    discs = [(center, f * extent) for f in (0.3, 0.6, 0.9)]
    return [*discs, (center + 0.5 * extent * np.exp(0.8j), 0.4 * extent), (1.0, 0.25 * extent)]


def count_deviation(spectrum, center, radius, n_units):
    """Standard deviation of the number of eigenvalues of one network in a disc."""
    theta = 2.0 * np.pi * (np.arange(64) + 0.5) / 64
    # within N^{-1/2} of the support's edge the density has not fallen to zero yet: the densest of three rims counts
    rims = radius * (1.0 + np.array([[-2.0], [0.0], [2.0]]) / np.sqrt(n_units))
    density = spectrum.density(center + rims * np.exp(1j * theta)) * spectrum.n_state * n_units
    variance = np.sqrt(density).mean(axis=1).max() * 2.0 * np.pi * radius / (2.0 * np.pi)
    return float(np.sqrt(2.0 * variance))


def check_masses(sample, discs):
    """Number of eigenvalues in discs (center, radius), against the network's own sites."""
    for center, radius in discs:
        number = sample.n * sample.own.n_state
        found = int(np.count_nonzero(np.abs(sample.eigenvalues - center) < radius))
        expected = sample.own.mass(center, radius) * number
        tolerance = COUNTS * count_deviation(sample.own, center, radius, sample.n) + 3.0
        assert abs(found - expected) <= tolerance, (
            f"disc of radius {radius} at {center}: {found} eigenvalues of {number}, theory {expected:.2f} +- {tolerance:.2f}; "
            f"{sample.net!r}"
        )


# --- support


def site_derivatives(sites):
    """{"F_s": (M, d, d), "F_y": (M, d, K), "M_s": (M, K, d), "M_y": (M, K, K)} at every site [T2]."""
    cell, size = sites.cell, sites.size
    d, K = cell.n_state, cell.n_fields
    blocks = cell.compiled.blocks(sites.state, sites.fields, sites.parameters)
    dense = {}
    for name, shape in {"F_s": (d, d), "F_y": (d, K), "M_s": (K, d), "M_y": (K, K)}.items():
        dense[name] = np.zeros((size, *shape))
        for (i, j), value in blocks[name].items():
            dense[name][:, i, j] = value
    return dense


def site_transfer(sites, lam):
    """W(lambda) of [T2] at every site, (L, M, K, K), by linear algebra on the numerical site derivatives."""
    D = site_derivatives(sites)
    d, K = D["F_y"].shape[1:]
    shifted = np.asarray(lam)[:, None, None, None] * np.eye(d) - D["F_s"]
    return D["M_s"] @ np.linalg.solve(shifted, np.broadcast_to(D["F_y"], (*shifted.shape[:2], d, K))) + D["M_y"]


def edge_and_effective_number(sites, W):
    """Spectral radius of T(lambda) [T3] and the effective number of sites in it, (L,) each, from W (L, M, K, K)."""
    T_site = np.abs(W) ** 2 * sites.gain**2
    T = T_site.mean(axis=1)
    radius, number = np.empty(T.shape[0]), np.empty(T.shape[0])
    for i, matrix in enumerate(T):
        values, right = np.linalg.eig(matrix)
        k = int(np.argmax(values.real))
        left_values, left = np.linalg.eig(matrix.T)
        u, v = np.abs(left[:, np.argmin(np.abs(left_values - values[k]))]), np.abs(right[:, k])
        share = T_site[i] @ v @ u
        radius[i] = values[k].real
        number[i] = share.sum() ** 2 / np.maximum((share**2).sum(), 1e-300)
    return radius, number


def conditioning(sample, W):
    """Smallest singular value of 1 - C(lambda) and the size of the random part of C for T -> 0, (L,) each."""
    net, sites, cell = sample.net, sample.sites, sample.net.cell
    x = sites.fields - net.biases - net.input
    m = np.array(
        [
            np.broadcast_to(cell.compiled.message(k, sites.state, sites.fields, sites.parameters), sites.size)
            for k in range(cell.n_fields)
        ]
    )
    norm2 = np.maximum((m**2).mean(axis=1), 1e-300)
    C = np.einsum("ki,likj,ji->lkj", m, W, x) / sites.size / norm2[:, None]
    noise = np.sqrt(np.einsum("likj,ji->lkj", np.abs(W) ** 2, x**2) / sites.size / norm2[:, None])
    return np.linalg.svd(np.eye(cell.n_fields) - C, compute_uv=False)[:, -1], np.sqrt((noise**2).sum(axis=(1, 2)))


def unexplained(sample):
    """Eigenvalues farther from the support of the network's own sites, and from its outliers, than finite size allows."""
    ev = sample.eigenvalues[sample.own.edge_function(sample.eigenvalues) < 1.0]
    leaks = np.linalg.eigvals(site_derivatives(sample.sites)["F_s"]).ravel()
    ev = ev[np.abs(np.subtract.outer(ev, leaks)).min(axis=1, initial=np.inf) > 1e-8]
    if not ev.size:
        return ev
    W = site_transfer(sample.sites, ev)
    T, number = edge_and_effective_number(sample.sites, W)
    distance, noise = conditioning(sample, W)
    fringe = T * (1.0 + FRINGE / np.sqrt(number)) ** 2 >= 1.0
    with np.errstate(invalid="ignore", divide="ignore"):
        outlier = distance <= OUTLIER * noise * np.sqrt(np.maximum(T, 1.0 / sample.n) / (1.0 - T) / sample.n)
    return ev[~(fringe | outlier)]


def check_support(sample):
    """No eigenvalue without a reason to be where it is."""
    left = unexplained(sample)
    assert not left.size, f"eigenvalues {left} lie outside the support and are no outliers; {sample.net!r}"


def check_edge(samples, spectrum=None):
    """T(lambda) outside the cloud: the package's own-sites value, exactly, and mean field within the sampling error."""
    center, extent = scale_of(samples)
    lam = center + 1.3 * extent * np.exp(1j * np.array([0.4, 1.5, 2.7]))
    found, number = np.transpose([edge_and_effective_number(s.sites, site_transfer(s.sites, lam)) for s in samples], (1, 0, 2))
    # two ways to write the same average: rounding, amplified where lambda is close to a leak (a state that has decayed to 1e-12 has
    # its whole spectrum within 1e-12 of one number, whose own last digit is 1e-16)
    rounding = 50 * np.finfo(float).eps * abs(center) / extent
    assert np.allclose(found, [s.own.edge_function(lam) for s in samples], rtol=1e-8 + rounding, atol=1e-12)
    if spectrum is not None:
        # the relative variance of a mean of N contributions is 1/n - 1/N
        spread = np.maximum((1.0 / number - 1.0 / samples[0].n).mean(axis=0), 0.0)
        error = found.mean(axis=0) * np.sqrt(spread / len(samples))
        expected = spectrum.edge_function(lam)
        assert np.all(np.abs(found.mean(axis=0) - expected) <= SITE_ERRORS * error + 1e-9), (
            f"T at {lam}: networks {found.mean(axis=0)} +- {error}, theory {expected}; {samples[0].net!r}"
        )
