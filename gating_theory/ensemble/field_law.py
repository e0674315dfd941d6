"""The law of the fields at given second moments of the messages [T5]: the only place that squares a gain.

At a fixed point, and at one time of a moving state, the fields are independent Gaussians over sites,

    y_k ~ N(b_k, a_k^2 q_m(k) + beta_k^2 + input),        q_m(k) = E m_k^2 of the message that field k listens to,

for every law of matrices of which the "mean field" is known (see matrix_laws).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy

import numpy as np

from .ensemble import Ensemble
from .quadrature import FieldLaw

__all__ = ["RandomFields", "field_law", "squared"]


def squared(gain: np.ndarray) -> np.ndarray:
    """a_k^2, what the second moments of a message are multiplied by on their way through a matrix.

    Parameters
    ----------
    gain : (K,) array
    """
    return gain**2


def field_law(ensemble: Ensemble, q: np.ndarray) -> FieldLaw:
    """The law of all fields and site parameters at given second moments [T5].

    Parameters
    ----------
    ensemble : Ensemble
    q : (n,) array or a batch (B, n), moments of the distinct messages
    """
    return RandomFields(ensemble).law(q)


class RandomFields:
    """The random variables of a site of an ensemble, K fields and P site parameters, as functions of the moments [T5].

    Parameters
    ----------
    ensemble : Ensemble, or a sequence of E of one cell, whose laws are then computed together
    negligible : float, gains up to this count as zero
    strip : float
        Part of the distance of a cell's nearest singularities that quadratures may count on.

    Attributes
    ----------
    means : (V,) array, V = K + P; (E, V) for a sequence of ensembles, and so on
    gain2 : (K,) array, a_k^2
    frozen : (K,) array, variance over sites that does not come through a matrix: biases and frozen input
    parameter_std : (P,) array, frozen input to site parameters included
    listens : (K,) int array, the distinct message that each field listens to
    shapes : sequence of V Shapes, what quadratures know of the functions along each variable

    Raises
    ------
    CapabilityError
        a law of matrices for which these fields are not known
    """

    def __init__(self, ensemble: Ensemble | Sequence[Ensemble], negligible: float = 0.0, strip: float = 1.0) -> None:
        ensembles = [ensemble] if isinstance(ensemble, Ensemble) else ensemble
        for one in ensembles:
            one.require("mean field", "the mean field", "Network.sample and what networks can do")

        def values(kind):
            rows = np.array([one.array(kind) for one in ensembles])
            return rows[0] if isinstance(ensemble, Ensemble) else rows

        cell, gain = ensembles[0].cell, values("gain")
        self._gain = np.where(gain > negligible, gain, 0.0)
        self.means = np.concatenate([values("bias"), values("parameter")], axis=-1)
        self.gain2 = squared(self._gain)
        self.frozen = values("bias_std") ** 2 + values("input_std") ** 2
        self.parameter_std = np.hypot(values("parameter_std"), values("parameter_input_std"))
        self.listens = np.array(cell.message_of)
        self.shapes = cell.compiled.shapes.narrowed(strip)

    def of_rows(self, member: np.ndarray) -> RandomFields:
        """The same of a batch: row b of its moments belongs to ensemble ``member[b]`` of the sequence.

        Parameters
        ----------
        member : (B,) int array
        """
        if self.means.ndim == 1:  # the same in every row
            return self
        rows = copy(self)
        for name in ("_gain", "means", "gain2", "frozen", "parameter_std"):
            setattr(rows, name, getattr(self, name)[member])
        return rows

    def driven(self, q: np.ndarray) -> np.ndarray:
        """(..., K) variance that comes through the matrices at moments q (..., n) of the distinct messages."""
        return self.gain2 * q[..., self.listens]

    def driven_std(self, q: np.ndarray) -> np.ndarray:
        """(..., K) square root of that: a_k times the rms of the message."""
        return self._gain * self.message_rms(q)

    def message_rms(self, q: np.ndarray) -> np.ndarray:
        """(..., K) root mean square of the message that each field listens to, at moments q (..., n)."""
        return np.sqrt(q[..., self.listens])

    def variance(self, q: np.ndarray, width: np.ndarray | float = 1.0) -> np.ndarray:
        """(..., K) variance of the fields at moments q (..., n); what comes through the matrices is multiplied by ``width``."""
        return width * self.driven(q) + self.frozen

    def driven_one(self, field: int, q: np.ndarray | float) -> np.ndarray | float:
        """The variance of one field that comes through its matrix, at moments q of its message, any shape."""
        return self.gain2[field] * q

    def share(self, q: np.ndarray, width: np.ndarray | float = 1.0) -> np.ndarray:
        """(K,) part of each field's variance that comes through its matrix at moments q (n,); 0 where the field does not vary.

        ``width`` as for :meth:`variance`.
        """
        total = self.variance(q, width)
        return np.divide(width * self.driven(q), total, out=np.zeros_like(total), where=total > 0)

    def misplaced(self, variables: Iterable[int]) -> float:
        """What not knowing places of kinks and jumps along these variables better may do to averages of order one."""
        return max((self.shapes[v].misplaced for v in variables), default=0.0)

    def law(self, q: np.ndarray, width: np.ndarray | float = 1.0) -> FieldLaw:
        """The FieldLaw at moments q, (n,) or a batch (B, n); ``width`` as for :meth:`variance`."""
        q = np.atleast_2d(q)
        parameters = np.broadcast_to(self.parameter_std, (q.shape[0], self.parameter_std.shape[-1]))
        stds = np.concatenate([np.sqrt(self.variance(q, width)), parameters], axis=1)
        same = self.means.ndim > 1 and np.all(self.means == self.means[0])
        return FieldLaw(self.means[0] if same else self.means, stds, self.shapes)
