"""The mean number of fixed points at finite N, exactly: the Kac-Rice integral by importance sampling [T7].

With relevant fields y (those that messages depend on) the fixed points are the zeros of y_k - U_k m_k(y) - b_k, and

    E n = [zero state] + Int dy  prod_k Normal(y_k; b_k, (a_k^2 |m_k|^2/N + beta_k^2) 1)  E( |det(1 - W U)|  given U m = y - b ):

sites are drawn independently from a mixture of tilted laws along the ridge of the complexity functional and of Gaussians, the
matrices from their law conditioned on the fields, the determinant is that of the response W(1). Without |.| the same integral is
the sum of the fixed points' indices, which is 1 for bounded cells: a check of the whole chain (Poincare and Hopf).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ensemble.ensemble import Ensemble
from ..errors import CapabilityError
from ..results.encoding import dict_of, require, result
from ..results.status import Status
from ..running.progress import Progress, check_progress
from ..support.arithmetic import underflow_is_zero
from ..support.available_memory import require_memory
from ..support.checks import generator, instance, integer
from ..support.types import Progress as Wanted
from ..support.types import Rng
from .functional import ComplexityFunctional, Point
from .ridge import ridge

__all__ = ["KacRice", "Sampler", "TiltedLaw", "kac_rice"]

_BATCH = 256
#: The mixture: at most so many tilted laws, and Gaussians of the ridge's moments scaled by these factors against bias.
_COMPONENTS, _DEFENSIVE = 24, (0.001, 0.004, 0.015, 0.05, 0.15, 0.4, 0.8, 1.5)
_DEFENSIVE_SHARE = 0.3
#: Quadratures of a law's norm: tolerance, nodes, refinement; the second is used, the first tells its error.
_NORM_GRIDS = ((1e-10, 60_000, 1.0), (1e-12, 240_000, 1.2))
#: Fewest effective samples, as a share of all and in number; largest error of the norms, over the mean; of the degree, in errors.
_EFFECTIVE_SHARE, _EFFECTIVE, _NORM_SHARE, _DEGREE_ERRORS = 0.02, 50, 0.1, 4.0
#: Nodes per variable of the mesh on which the largest tilt is looked for, by their number; 11 for more than three.
_MESH = {1: 2001, 2: 129, 3: 25}


@result("kac_rice")
@dataclass(frozen=True)
class KacRice:
    """The mean number of fixed points of networks of N units, by the exact Kac-Rice integral [T7].

    Attributes
    ----------
    ensemble : Ensemble
    n_units, n_samples : int
    mean, stderr : float
        E n, the zero state included where there is one, and its standard error: that of the samples and
        ``norm_error``, in quadrature.
    degree, degree_stderr : float
        E of the sum of the fixed points' indices from the same samples, with errors of both kinds; 1 for bounded
        cells. Checked in ``status`` where sites have a closed-form fixed state; others may jump from one state to another.
    norm_error : float
        What the norms of the tilted laws, quadratures whose relative errors enter N times, may move the mean by.
    effective : float
        Effective number of samples, (sum w)^2 / sum w^2 of the weights that make the mean.
    status : Status
        Its text has the numbers; its ``code`` is one of

        - "converged"
        - "few_samples": too few of the samples are effective, so that the mean may be low by more than its error
        - "inaccurate_norms": the norms of the tilted laws are known to a tenth of the mean or worse
        - "wrong_degree": the degree is not 1 within its error, so that something is wrong with the mean as well

        ``status.ok``, and ``ok`` of the result, is True for the first alone: mean and error can be relied on.

    Examples
    --------
    >>> import gating_theory as gt
    >>> found = gt.kac_rice(gt.Ensemble(gt.Vanilla, gain=0.5), n_units=6, n_samples=500, rng=0)
    >>> print(round(found.mean, 2), round(found.degree, 2))  # the zero state alone
    1.0 1.0
    """

    ensemble: Ensemble
    n_units: int
    n_samples: int
    mean: float
    stderr: float
    degree: float
    degree_stderr: float
    norm_error: float
    effective: float
    status: Status

    as_dict = dict_of

    @property
    def ok(self) -> bool:
        """Whether mean and error can be relied on."""
        return self.status.ok

    def check(self) -> None:
        """ValueError for sizes that no calculation has."""
        require(self.n_units >= 2, f"n_units must be at least 2, got {self.n_units!r}")
        require(self.n_samples >= 1, f"n_samples must be positive, got {self.n_samples!r}")

    def __str__(self) -> str:
        return (
            f"E n = {self.mean:.4g} +- {self.stderr:.2g}, degree {self.degree:.3f} +- {self.degree_stderr:.2g} "
            f"(N = {self.n_units}, {self.n_samples} samples, {self.effective:.0f} effective; {self.status})"
        )


@underflow_is_zero
def kac_rice(
    ensemble: Ensemble,
    n_units: int,
    n_samples: int = 4000,
    *,
    rng: Rng = None,
    progress: Wanted = None,
) -> KacRice:
    """E(number of fixed points) of random networks of N units, exact but for errors that are given [T7].

    What :func:`complexity` is the exponential rate of; use it to hold theory against enumerated networks at N = 4 .. 60. Beyond
    that weights become heavy-tailed and the mean tends to come out low: ``effective`` says how many samples count.

    Parameters
    ----------
    ensemble : Ensemble
    n_units : int >= 2, N
    n_samples : int >= 100
    rng : numpy Generator, int or None
    progress : None, True or callable(done, total), told in samples

    Returns
    -------
    KacRice

    Raises
    ------
    TypeError, ValueError
        other arguments
    CapabilityError
        the cell is not bounded, or no message feeds back (then the fixed point is unique)
    ConvergenceError
        sites have no fixed point (cells without a closed form)

    See Also
    --------
    complexity : the exponential rate of this number
    count_fixed_points : numbers of sampled networks

    Examples
    --------
    The mean number of fixed points of vanilla networks of ten units, and its standard error:

    >>> import gating_theory as gt
    >>> found = gt.kac_rice(gt.Ensemble(gt.Vanilla, gain=2), n_units=10, n_samples=2000, rng=0)
    >>> print(round(found.mean, 1), round(found.stderr, 1), found.status.code)
    3.1 0.1 converged
    """
    instance("ensemble", ensemble, Ensemble)
    ensemble.require("kac-rice", "kac_rice", "count_fixed_points of sampled networks")
    n = integer("n_units", n_units, low=2)
    n_samples = integer("n_samples", n_samples, low=100)
    check_progress(progress)
    if not ensemble.cell.compiled.bounded:
        raise CapabilityError(f"cell {ensemble.cell.name!r} has messages that grow without bound with its fields")
    rng = generator(rng)
    functional = ComplexityFunctional(ensemble)
    if not functional.looping:
        raise CapabilityError("no message feeds back, so that the fixed point is unique: there is nothing to integrate")
    # fields and their images of a batch of samples, and its matrices
    require_memory(f"n_units = {n}, n_samples = {n_samples}", 8.0 * (3 * n_samples + _BATCH * (8 * n + 4 * n**2)))
    sampler = Sampler(functional, n)
    weights, signs, at_zero = np.zeros(n_samples), np.zeros(n_samples), np.zeros(n_samples)
    drift = np.zeros((2, len(sampler.laws)))  # of both means by the logarithms of the norms
    with Progress(progress, n_samples, "sample") as tell:
        for start in range(0, n_samples, _BATCH):
            cut = slice(start, min(start + _BATCH, n_samples))
            count = cut.stop - cut.start
            values = sampler.draw(count, rng)
            density, shares = sampler.log_density(values)
            signs[cut], logs = sampler.determinants(values, rng)
            weights[cut] = np.exp(logs + sampler.log_constraint(values) - density)
            drift += np.array([shares @ weights[cut], shares @ (weights[cut] * signs[cut])]) * n / n_samples
            if sampler.has_zero:
                at_zero[cut] = sampler.zero_sign(count, rng)
            tell(count)
    signed = weights * signs + at_zero
    mean = float(weights.mean()) + (1.0 if sampler.has_zero else 0.0)
    # the laws' norms come from one kind of grid: their errors may well have one sign
    norm_error, degree_norm_error = np.abs(drift) @ np.array([law.norm_error for law in sampler.laws])
    stderr = float(np.hypot(weights.std(ddof=1) / np.sqrt(n_samples), norm_error))
    degree = float(signed.mean())
    degree_error = float(np.hypot(signed.std(ddof=1) / np.sqrt(n_samples), degree_norm_error))
    effective = float(weights.sum() ** 2 / max(np.square(weights).sum(), 1e-300))
    status = Status("converged", "converged")
    if effective < _EFFECTIVE_SHARE * n_samples or effective < _EFFECTIVE:
        text = f"only {effective:.0f} effective samples: the mean may be low by more than its error"
        status = Status("few_samples", text, False)
    elif norm_error > _NORM_SHARE * mean:
        text = f"the norms of the tilted laws are known to {norm_error / mean:.2g} of the mean only"
        status = Status("inaccurate_norms", text, False)
    elif ensemble.cell.has_closed_form and abs(degree - 1.0) > _DEGREE_ERRORS * degree_error:
        text = f"the degree is {abs(degree - 1.0) / degree_error:.1f} standard errors away from 1"
        status = Status("wrong_degree", text, False)
    return KacRice(ensemble, n, n_samples, mean, stderr, degree, degree_error, float(norm_error), effective, status)


class Sampler:
    """The mixture that sites of a network of n units are drawn from, and the integrand.

    Attributes
    ----------
    laws : list of TiltedLaw
    log_share : (laws,) array, logarithms of their shares
    """

    def __init__(self, functional: ComplexityFunctional, n: int) -> None:
        self.functional, self.n = functional, n
        self.matrices = list(functional.ensemble.matrices.values())  # their laws, one a field
        self.fields = [v for v in functional.variables if v < functional.K]
        self.V = len(functional.variables)
        self.has_zero = functional.has_zero_state
        self.laws = self._mixture()
        self.log_share = np.log([law.share for law in self.laws])

    def _mixture(self):
        L = self.functional
        points = ridge(L).points
        laws = []
        if points:
            best = max(p.value for p in points)
            near = sorted((p for p in points if self.n * (p.value - best) > -12.0), key=lambda p: -p.value)[:_COMPONENTS]
            heights = np.array([max(np.exp(0.7 * self.n * (p.value - best)), 0.02) for p in near])
            shares = (1.0 - _DEFENSIVE_SHARE) * heights / heights.sum()
            laws = [TiltedLaw(L, p.point, share) for p, share in zip(near, shares)]
            q = max(points, key=lambda p: p.value).point.q
        else:
            q = np.full(len(L.fed), 0.3 * L.top)
        total = _DEFENSIVE_SHARE if laws else 1.0
        scales = np.array(_DEFENSIVE)
        for scale in scales:
            laws.append(TiltedLaw(L, L.plain(scale * q), total / scales.size))
        return laws

    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """(V, count, N) values of the variables of sites."""
        which = rng.choice(len(self.laws), size=count, p=np.exp(self.log_share) / np.exp(self.log_share).sum())
        out = np.empty((self.V, count, self.n))
        for j, law in enumerate(self.laws):
            rows = np.flatnonzero(which == j)
            if rows.size:
                out[:, rows] = law.draw(rows.size * self.n, rng).reshape(self.V, rows.size, self.n)
        return out

    def log_density(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """log of the mixture's density of all sites of a network, (count,), and each law's share in it, (laws, count)."""
        terms = np.array([s + law.log_density(values).sum(axis=-1) for s, law in zip(self.log_share, self.laws)])
        total = np.logaddexp.reduce(terms, axis=0)
        return total, np.exp(terms - total)

    def _response(self, values):
        L = self.functional
        m, W = L.cell.compiled.response(*L.arguments(list(values)))
        shape = values.shape[1:]
        messages = {k: np.broadcast_to(m[k], shape) for k in L.fed}
        return messages, W

    def log_constraint(self, values: np.ndarray) -> np.ndarray:
        """log of the density of all fields being what their matrices and biases give, (count,)."""
        L = self.functional
        messages, _ = self._response(values)
        total = np.zeros(values.shape[1])
        for i, v in enumerate(L.variables):
            if v < L.K:
                variance = np.full(values.shape[1], L.frozen[v])
                if L.gain2[v] > 0:
                    variance = variance + L.random.driven_one(v, np.mean(np.square(messages[L.listens[v]]), axis=-1))
            else:
                variance = np.full(values.shape[1], L.parameter_std[v - L.K] ** 2)
            d2 = np.square(values[i] - L.means[v]).sum(axis=-1)
            total = total - 0.5 * d2 / variance - 0.5 * self.n * np.log(2.0 * np.pi * variance)
        return total

    def determinants(self, values: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """(sign, log|.|) of det(1 - W U) with matrices conditioned on the fields, (count,) each."""
        L, n = self.functional, self.n
        messages, W = self._response(values)
        where = {k: i for i, k in enumerate(L.fed)}
        count, A = values.shape[1], len(L.fed)
        matrix = np.zeros((count, A, n, A, n))
        for l, position in L.carriers:
            m = messages[L.fed[position]]
            square = np.square(m).sum(axis=-1)
            driven = L.random.driven_one(l, square) / n
            total = driven + L.frozen[l]
            deviation = values[L.variables.index(l)] - L.means[l]
            through = (driven / total)[:, None] * deviation
            if L.frozen[l] > 0:
                through = through + np.sqrt(driven * L.frozen[l] / total)[:, None] * rng.standard_normal((count, n))
            U = np.sqrt(L.gain2[l] / n) * self.matrices[l].matrices(n, rng, count)
            self.matrices[l].condition(U, m, through, rng)
            for k, i in where.items():
                if L.acts[k, l]:
                    matrix[:, i, :, position, :] -= np.broadcast_to(W[k][l], (count, n))[:, :, None] * U
        flat = matrix.reshape(count, A * n, A * n)
        flat[:, range(A * n), range(A * n)] += 1.0
        return np.linalg.slogdet(flat)

    def zero_sign(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Signs of det(1 - W U) at the zero state of random networks, (count,): its index."""
        L, n = self.functional, self.n
        values = []
        for v in L.variables:
            std = np.sqrt(L.frozen[v]) if v < L.K else L.parameter_std[v - L.K]
            values.append(L.means[v] + std * rng.standard_normal((count, n)))
        _, W = self._response(np.array(values))
        A = len(L.fed)
        matrix = np.zeros((count, A, n, A, n))
        for l, position in L.carriers:
            U = np.sqrt(L.gain2[l] / n) * self.matrices[l].matrices(n, rng, count)
            for i, k in enumerate(L.fed):
                if L.acts[k, l]:
                    matrix[:, i, :, position, :] -= np.broadcast_to(W[k][l], (count, n))[:, :, None] * U
        flat = matrix.reshape(count, A * n, A * n)
        flat[:, range(A * n), range(A * n)] += 1.0
        return np.linalg.slogdet(flat)[0]


class TiltedLaw:
    """A tilted law of one site, Gaussian x min(tilt, bound), drawn from by rejection.

    Its density is known up to the norm E min(tilt, bound); ``norm_error`` is its relative error, what a finer grid changes.

    Attributes
    ----------
    point : Point, whose tilt it is
    share : float, of the mixture
    mean, std : (V,) arrays of the Gaussian law of the variables
    plain : bool, whether nothing is tilted: then there is no ``bound`` and no ``log_norm``
    bound, log_norm, norm_error : float
    """

    def __init__(self, functional: ComplexityFunctional, point: Point, share: float) -> None:
        self.functional, self.point, self.share = functional, point, share
        self.std = functional.law(point).stds[0, list(functional.variables)]
        self.mean = functional.means[list(functional.variables)]
        self.plain = not point.mu.any() and not point.x.any()
        self.norm_error = 0.0
        if self.plain:
            return
        # a proposal may be anything whose density is known: unbounded tilts (an LSTM's where f -> 1) are capped. Where the
        # grids are coarse (narrow laws take a few nodes of Gauss-Hermite) their largest value is not the tilt's: a cap that cuts
        # the peak off leaves a kink, which quadratures see to three digits only
        grids = [functional.grid(point, *grid)[1:3] for grid in _NORM_GRIDS]
        tilts = [functional.tilt(values, point) for values, _ in grids]
        self.bound = 1.02 * max(float(np.max(t)) for t in (*tilts, functional.tilt(self._mesh(), point)))
        norms = []
        for tilt, (_, weights) in zip(tilts, grids):
            grid = np.broadcast_to(np.minimum(tilt, self.bound), [w.size for w in weights])
            for w in reversed(weights):
                grid = grid @ w
            norms.append(float(grid))
        self.log_norm = float(np.log(norms[1]))
        self.norm_error = abs(norms[0] / norms[1] - 1.0) + 1e-14

    def _mesh(self):
        """Sites of a regular mesh over six standard deviations, one array for each variable, of shapes that broadcast."""
        u = np.linspace(-6.0, 6.0, _MESH.get(self.std.size, 11))
        axes = np.ix_(*[u] * self.std.size)
        return [mean + std * axis for mean, std, axis in zip(self.mean, self.std, axes)]

    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """(V, count) independent sites."""
        V = self.std.size
        if self.plain:
            return self.mean[:, None] + self.std[:, None] * rng.standard_normal((V, count))
        out, filled = np.empty((V, count)), 0
        while filled < count:
            trial = self.mean[:, None] + self.std[:, None] * rng.standard_normal((V, max(2 * (count - filled), 256)))
            kept = trial[:, rng.random(trial.shape[1]) * self.bound < self.functional.tilt(list(trial), self.point)]
            take = min(kept.shape[1], count - filled)
            out[:, filled : filled + take] = kept[:, :take]
            filled += take
        return out

    def log_density(self, values: np.ndarray) -> np.ndarray:
        """log of the density of sites, the shape of ``values`` without its first axis."""
        std, mean = (a.reshape(-1, *[1] * (values.ndim - 1)) for a in (self.std, self.mean))
        logs = (-0.5 * np.square((values - mean) / std) - np.log(std) - 0.5 * np.log(2.0 * np.pi)).sum(axis=0)
        if self.plain:
            return logs
        tilt = np.minimum(self.functional.tilt(list(values), self.point), self.bound)
        return logs + np.log(np.maximum(tilt, 1e-300)) - self.log_norm
