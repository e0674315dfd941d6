"""Mean numbers of fixed points of orthogonal networks at finite N, by an exact integral, against the complexity [T10].

Fields y are a_k times images under Haar matrices: they are uniform on spheres |y_k| = a_k |m_k(y)|. With directions z drawn from
any density p, every z leads to the points of the spheres that have its directions, y_k = lambda_k z_k, and

    E n = E_z sum over these points of  prod_k 1 / (S_N |z_k|^N)  |det(1 - W U)|  /  ( |dg| Int prod_k ds_k s_k^(N-1) p(s z) )

with S_N the surface of the unit sphere, g the last of the equations log |y_k| = log a_k |m_k| along the curve on which the others
hold, and Haar matrices conditioned on U m = y by a reflection. Without |.| the same sum is 1 less the index of the zero state.
"""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.special import gammaln

import gating_theory as gt
from gating_theory.counting.functional import ComplexityFunctional
from gating_theory.counting.kac_rice import Sampler, TiltedLaw

GRU = gt.Ensemble(gt.GRU, gain={"h": 4.0, "r": 4.0}, matrices="orthogonal")
COUPLED = gt.Ensemble(gt.CoupledLSTM, gain=4.0, matrices="orthogonal")
VANILLA = gt.Ensemble(gt.Vanilla, gain=2.0, matrices="orthogonal")


def haar(count, n, rng):
    q, r = np.linalg.qr(rng.standard_normal((count, n, n)))
    return q * np.where(np.diagonal(r, axis1=1, axis2=2) < 0, -1.0, 1.0)[:, None, :]


def haar_with(m, u, rng):
    """Haar matrices that take the direction of m to that of u, (count, n, n)."""
    O = haar(*m.shape, rng)
    reflect = np.einsum("bij,bj->bi", O, m / np.linalg.norm(m, axis=1)[:, None]) - u / np.linalg.norm(u, axis=1)[:, None]
    reflect /= np.linalg.norm(reflect, axis=1)[:, None]
    return O - 2.0 * reflect[:, :, None] * np.einsum("bi,bij->bj", reflect, O)[:, None, :]


@dataclass
class Mean:
    """E n but for the zero state, and the degree; with standard errors."""

    number: float
    error: float
    degree: float
    degree_error: float


class Spheres:
    """The integral for cells of one message, and for the GRU, without biases."""

    def __init__(self, ensemble, n, seed):
        self.functional, self.n, self.rng = ComplexityFunctional(ensemble), n, np.random.default_rng(seed)
        L = self.functional
        self.fields = list(L.variables)
        self.log_a = 0.5 * np.log(L.gain2[self.fields])
        tilted = sorted((law for law in Sampler(L, n).laws if not law.plain), key=lambda law: -law.share)[:4]
        share = np.array([law.share for law in tilted])
        self.laws = [*tilted, TiltedLaw(L, L.plain(0.5 * tilted[0].point.q), 0.0)]
        self.share = np.append(0.9 * share / share.sum(), 0.1)

    def messages(self, y):
        m, W = self.functional.cell.compiled.response(*self.functional.arguments(list(y)))
        return [np.broadcast_to(v, y.shape[1:]) for v in m], W

    def log_density(self, z):
        terms = [np.log(s) + law.log_density(z).sum(axis=-1) for s, law in zip(self.share, self.laws)]
        return np.logaddexp.reduce(np.array(terms), axis=0)

    def log_along_rays(self, z):
        """log of the integral of the density along all scales of the fields."""
        V = len(self.fields)
        s = np.linspace(-4.0, 4.0, {1: 25, 2: 13}[V]) / np.sqrt(self.n)
        points = np.array(np.meshgrid(*[s] * V)).reshape(V, -1).T
        terms = [self.log_density(np.exp(p)[:, None, None] * z) + self.n * p.sum() for p in points]
        return np.logaddexp.reduce(np.array(terms), axis=0) + V * np.log(s[1] - s[0])

    def curve(self, z, t):
        """(log lambda, g): scales on the curve where all equations but one hold, and the last one."""
        L, length = self.functional, np.log(np.linalg.norm(z, axis=2))
        sources = [L.listens[v] for v in self.fields]
        if len(set(sources)) == 1:  # t is log |m|
            scale = t + self.log_a[:, None] - length
            m, _ = self.messages(np.exp(scale)[:, :, None] * z)
            return scale, t - np.log(np.linalg.norm(m[sources[0]], axis=1))
        names = [L.cell.field_names[v] for v in self.fields]
        h, r = names.index("h"), names.index("r")
        scale = np.zeros((2, z.shape[1]))
        scale[h] = t
        for i in (r, h):  # the message h does not depend on y_r
            m, _ = self.messages(np.exp(scale)[:, :, None] * z)
            image = self.log_a[i] + np.log(np.linalg.norm(m[sources[i]], axis=1)) - length[i]
            if i == r:
                scale[r] = image
        return scale, t - image

    def log_det(self, y, conditioned=True):
        L, (count, n), A = self.functional, y.shape[1:], len(self.functional.fed)
        m, W = self.messages(y)
        matrix = np.zeros((count, A, n, A, n))
        for v, position in L.carriers:
            at = self.fields.index(v)
            O = haar_with(m[L.fed[position]], y[at], self.rng) if conditioned else haar(count, n, self.rng)
            for i, k in enumerate(L.fed):
                if L.acts[k, v]:
                    matrix[:, i, :, position] -= np.broadcast_to(W[k][v], (count, n))[:, :, None] * np.exp(self.log_a[at]) * O
        flat = matrix.reshape(count, A * n, A * n)
        flat[:, range(A * n), range(A * n)] += 1.0
        return np.linalg.slogdet(flat)

    def weights(self, count):
        """(weights, signed weights) of directions, (count,) each."""
        V, n = len(self.fields), self.n
        which = self.rng.choice(len(self.laws), size=count, p=self.share)
        z = np.concatenate(
            [law.draw((which == j).sum() * n, self.rng).reshape(V, -1, n) for j, law in enumerate(self.laws)], axis=1
        )
        middle = (
            np.log(np.linalg.norm(self.messages(z)[0][self.functional.fed[0]], axis=1)) if self.one_message else np.zeros(count)
        )
        steps = np.linspace(-1.5, 1.5, 19)
        g = np.array([self.curve(z, middle + s)[1] for s in steps])
        at, rows = np.nonzero(g[:-1] * g[1:] < 0)
        rays, below = z[:, rows], g[at, rows]
        low, high = middle[rows] + steps[at], middle[rows] + steps[at + 1]
        for _ in range(40):
            half = 0.5 * (low + high)
            same = self.curve(rays, half)[1] * below > 0
            low, high = np.where(same, half, low), np.where(same, high, half)
        scale, _ = self.curve(rays, low)
        slope = np.abs(self.curve(rays, low + 1e-5)[1] - self.curve(rays, low - 1e-5)[1]) / 2e-5
        sign, log_det = self.log_det(np.exp(scale)[:, :, None] * rays)
        surface = np.log(2.0) + 0.5 * n * np.log(np.pi) - gammaln(0.5 * n)
        logs = log_det - np.log(slope) - self.log_along_rays(z)[rows]
        logs -= V * surface + n * np.log(np.linalg.norm(rays, axis=2)).sum(axis=0)
        out = np.zeros((2, count))
        for total, terms in zip(out, (np.exp(logs), sign * np.exp(logs))):
            np.add.at(total, rows, terms)
        return out

    @property
    def one_message(self):
        return len({self.functional.listens[v] for v in self.fields}) == 1

    def mean(self, samples):
        number, signed = np.concatenate([self.weights(256) for _ in range(samples // 256)], axis=1)
        index = self.log_det(np.zeros((len(self.fields), 2000, self.n)), conditioned=False)[0]
        errors = [w.std() / np.sqrt(w.size) for w in (number, signed, index)]
        return Mean(number.mean(), errors[0], signed.mean() + index.mean(), np.hypot(errors[1], errors[2]))


@pytest.mark.parametrize("ensemble", [VANILLA, COUPLED], ids=lambda e: e.cell.name)
def test_indices_add_up_to_one(ensemble):
    """The integral itself, at N = 4: spheres, scales, conditioned matrices."""
    found = Spheres(ensemble, 4, 1).mean(1024)
    assert abs(found.degree - 1.0) < 4.0 * found.degree_error < 0.6


@pytest.mark.nightly
@pytest.mark.parametrize("ensemble", [VANILLA, COUPLED, GRU], ids=lambda e: e.cell.name)
def test_counts_grow_at_the_rate_of_the_complexity(ensemble):
    """From N = 16 to 32 log(E n - 1) grows by 16 rates; the iid rate, smaller by a third and more, is excluded.

    Prefactors have not settled at N = 16: with iid matrices they grow by up to .01 N from there (companion sheet of [T7]).
    """
    small, large = (Spheres(ensemble, n, n).mean(2048) for n in (16, 32))
    slope = np.log(large.number / small.number) / 16.0
    error = np.hypot(large.error / large.number, small.error / small.number) / 16.0
    rate, iid = gt.complexity(ensemble).rate, gt.complexity(ensemble.with_matrices("iid")).rate
    assert -3.0 * error < slope - rate < 0.01 + 3.0 * error
    assert slope - 0.01 > iid + 2.0 * error


@pytest.mark.nightly
@pytest.mark.parametrize("ensemble", [VANILLA, COUPLED, GRU], ids=lambda e: e.cell.name)
def test_enumerated_networks_have_as_many(ensemble):
    exact = Spheres(ensemble, 6, 2).mean(2048)
    counts = gt.count_fixed_points(ensemble, 6, 200, rng=3).counts
    assert abs(counts.mean() - 1.0 - exact.number) < 4.0 * np.hypot(exact.error, counts.std() / np.sqrt(counts.size))
