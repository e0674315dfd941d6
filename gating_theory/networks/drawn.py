"""What is drawn of a random network: its matrices and sites, and both conditioned on a fixed point [T1, T4]."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..counting.complexity import Complexity
from ..ensemble.ensemble import Ensemble
from ..ensemble.field_law import RandomFields
from ..ensemble.matrix_laws import Unknown, by_law
from ..errors import ConvergenceError
from ..mean_field.fixed_point import FixedPoint

__all__ = ["PlantedSites", "planted", "random_matrices", "random_sites"]

#: Sites of the Gaussian law that are drawn at a time for one of a tilted law. The largest tilt among them stands for the largest.
_PROPOSED = 16
#: Newton steps for the lengths of fields, by differences over this step of their logarithms; the largest step; what counts as zero.
_STEPS, _DIFFERENCE, _LARGEST_STEP, _ROUNDING = 60, 1e-5, 0.5, 2e-14


class PlantedSites(NamedTuple):
    """N sites at a fixed point: (K, N), (P, N) and (K, N) arrays, the state (d, N)."""

    biases: np.ndarray
    parameters: np.ndarray
    input: np.ndarray
    state: np.ndarray


def random_matrices(ensemble: Ensemble, n: int, lead: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Matrices U_k of one network, (K, n, n), or of a batch, (B, K, n, n): random parts, and low-rank ones beside them [T11].

    Parameters
    ----------
    ensemble : Ensemble
    n : int, N
    lead : () or (B,)
    rng : numpy Generator
    """
    matrices = np.empty((*lead, ensemble.cell.n_fields, n, n))
    for one in matrices.reshape(-1, *matrices.shape[-3:]):
        _draw(ensemble, one, rng)
    matrices *= ensemble.array("gain")[:, None, None] / np.sqrt(n)
    if ensemble.low_rank is not None:
        for one in matrices.reshape(-1, *matrices.shape[-3:]):
            for k, added in ensemble.low_rank.matrices(n, rng, ensemble.cell.field_names).items():
                one[k] += added
    return matrices


def random_sites(ensemble: Ensemble, n: int, lead: tuple[int, ...], rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Biases (.., K, n), site parameters (.., P, n) and frozen input (.., K, n) of N units. Arguments as of random_matrices."""

    def draw(mean, std):
        return mean[:, None] + std[:, None] * rng.standard_normal((*lead, mean.size, n))

    biases = draw(ensemble.array("bias"), ensemble.array("bias_std"))
    spread = np.hypot(ensemble.array("parameter_std"), ensemble.array("parameter_input_std"))
    parameters = draw(ensemble.array("parameter"), spread)
    std = ensemble.array("input_std")
    return biases, parameters, draw(np.zeros(std.size), std)


def planted(fixed_point: FixedPoint | Complexity, n: int, rng: np.random.Generator) -> tuple[np.ndarray, PlantedSites]:
    """Matrices (K, n, n) conditioned on a fixed point, and the sites that are there; see ``Network.planted``.

    Parameters
    ----------
    fixed_point : FixedPoint, or Complexity with a typical fixed point
    n : int, N
    rng : numpy Generator
    """
    ensemble = fixed_point.ensemble
    matrices = np.empty((ensemble.cell.n_fields, n, n))
    _draw(ensemble, matrices, rng)
    drawn = _typical_sites if isinstance(fixed_point, Complexity) else _sites_at
    planting = _Planting(ensemble, fixed_point.q, *drawn(fixed_point, n, rng))
    planting.stretch()
    planting.condition(matrices, rng)
    matrices *= ensemble.array("gain")[:, None, None] / np.sqrt(n)
    return matrices, planting.sites


class _Planting:
    """Sites that are to be a fixed point of matrices, whose images of the messages may have to be stretched first.

    ``images``, (K, n), are what the messages become in V_k / sqrt(n): a field is its image times the gain, and bias and input.
    """

    def __init__(self, ensemble, q, biases, parameters, pattern, images):
        self.ensemble, self.cell, self.n = ensemble, ensemble.cell, images.shape[1]
        self.biases, self.parameters, self.pattern, self.images = biases, parameters, pattern, images
        self.gain = ensemble.array("gain")
        felt = q[list(self.cell.message_of)] > 0.0
        laws = by_law(ensemble.matrices.values())
        live = (self.gain > 0.0) & felt
        # of matrices that are drawn together all count, those of gain zero too
        groups = ((law, [k for k in fields if felt[k] and (live[k] or law.together)]) for law, fields in laws.items())
        self.laws = [(law, laws[law], fields) for law, fields in groups if live[fields].any()]
        self._evaluate(np.zeros(self.cell.n_fields))

    @property
    def sites(self):
        return PlantedSites(self.biases, self.parameters, self.pattern, self.state)

    def _evaluate(self, logs):
        """State and messages at images times exp(logs)."""
        fields = (self.gain * np.exp(logs))[:, None] * self.images + self.biases + self.pattern
        compiled, n = self.cell.compiled, self.n
        self.state = np.array([np.broadcast_to(s, n) for s in compiled.fixed_state(fields, self.parameters)])
        messages = [compiled.message(k, self.state, fields, self.parameters) for k in range(self.cell.n_fields)]
        self.messages = np.array([np.broadcast_to(m, n) for m in messages])
        for _, _, felt in self.laws:
            if (np.square(self.messages[felt]).sum(axis=1) == 0.0).any():  # squares of tiny messages underflow
                raise ValueError(f"n_units is too small: the messages of all {n} sites vanish")

    def _scales(self, law, felt, logs):
        return law.image_scales(self.messages[felt], np.sqrt(self.n) * np.exp(logs[felt])[:, None] * self.images[felt])

    def stretch(self):
        """Stretch images until matrices of their laws can take the messages there: Newton's method for log lengths."""
        nothing = np.zeros(self.cell.n_fields)
        bound = [(law, felt) for law, _, felt in self.laws if self._scales(law, felt, nothing) is not None]
        # one unknown for each matrix, one for all matrices that are drawn together
        unknown = [(law, [k]) for law, felt in bound if not law.together for k in felt]
        unknown += [(law, felt) for law, felt in bound if law.together]
        if not unknown:
            return

        def residual(x):
            logs = nothing.copy()
            for value, (_, fields) in zip(x, unknown):
                logs[fields] = value
            self._evaluate(logs)
            return np.array([np.log(self._scales(law, fields, logs)[0]) for law, fields in unknown]), logs

        x = np.zeros(len(unknown))
        left, logs = residual(x)
        for _ in range(_STEPS):
            if np.abs(left).max() < _ROUNDING:
                self.images = np.exp(logs)[:, None] * self.images
                return
            slope = np.array([(residual(x + _DIFFERENCE * e)[0] - left) / _DIFFERENCE for e in np.eye(x.size)]).T
            step = np.linalg.lstsq(slope, -left, rcond=None)[0]
            x = x + step * min(1.0, _LARGEST_STEP / max(np.abs(step).max(), _LARGEST_STEP))
            left, logs = residual(x)
        raise ConvergenceError(
            f"no stretch of the fields of these {self.n} sites lets matrices that keep lengths have them: "
            "near onsets and folds few units have no fixed point; take more units or another rng"
        )

    def condition(self, matrices, rng):
        """Condition the drawn matrices on the messages' images, in place."""
        for law, fields, felt in self.laws:
            for own in [fields] if law.together else [[k] for k in felt]:
                chosen = matrices[own]
                heard = np.isin(own, felt)[:, None]
                law.condition(chosen, np.where(heard, self.messages[own], 0.0), np.sqrt(self.n) * self.images[own], rng)
                matrices[own] = chosen


def _draw(ensemble, out, rng):
    """Fill (K, n, n) with matrices V of one network, those of gain 0 too: fields of one law are drawn together."""
    gain = ensemble.array("gain")
    for law, fields in by_law(ensemble.matrices.values()).items():
        if isinstance(law, Unknown) and not gain[fields].any():
            out[fields] = 0.0  # nothing needs to be known of no matrix
        else:
            out[fields] = law.matrices(out.shape[-1], rng, len(fields))


def _sites_at(fixed_point, n, rng):
    """Biases, site parameters, frozen input, and images of the messages in V / sqrt(n), of N units at given moments."""
    frozen = random_sites(fixed_point.ensemble, n, (), rng)
    rms = RandomFields(fixed_point.ensemble).message_rms(fixed_point.q)
    return *frozen, rms[:, None] * rng.standard_normal((rms.size, n))


def _typical_sites(complexity, n, rng):
    """The same at a typical fixed point: sites of the Gaussian law are kept with a probability in proportion to its tilt."""
    gain = complexity.ensemble.array("gain")[:, None]
    drawn, favours, lots, kept = [], [], [], np.zeros(0, dtype=int)
    while kept.size < n:
        sites = _sites_at(complexity, _PROPOSED * n, rng)
        biases, parameters, pattern, images = sites
        drawn.append(sites)
        favours.append(complexity.favour(biases + pattern + gain * images, parameters))
        lots.append(rng.random(_PROPOSED * n))
        favour = np.concatenate(favours)
        kept = np.flatnonzero(np.concatenate(lots) * favour.max() < favour)
    return tuple(np.concatenate(parts, axis=1)[:, kept[:n]] for parts in zip(*drawn))
