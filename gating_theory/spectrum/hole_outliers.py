"""Isolated eigenvalues in holes of a fixed point's spectrum [T10].

A matrix that holds a fixed point takes m to y - b, and its inverse y - b to m: in a hole of type S the isolated eigenvalues are
zeros of det(1 - C^S(lambda)),

    C^S_kl = E[mu_k W^S_kl eta_l] / E[mu_l^2],      (mu, eta) = (y - b, m) for fields in S, (m, y - b) for the others,

with W^S the principal pivot transform (see ``pivots``), whose entries have poles at the zeros of det W_SS, and not at leaks.
"""

from __future__ import annotations

import numpy as np

from ..ensemble.field_law import RandomFields, squared
from ..mean_field.fixed_point import FixedPoint
from .holes import Hole

__all__ = ["HoleOutliers"]


class HoleOutliers:
    """det(1 - C^S(lambda)) as a function of an array of lambdas.

    Parameters
    ----------
    hole : Hole
    recurrent : (K, M) array, the mean of what comes through each field's matrix, given the site
    """

    def __init__(self, hole: Hole, recurrent: np.ndarray) -> None:
        self.hole = hole
        sites, cell = hole.sites, hole.cell
        distinct = cell.compiled.messages(sites.state, sites.fields, sites.parameters)
        messages = np.array([np.broadcast_to(distinct[nu], sites.size) for nu in cell.message_of])
        q = messages**2 @ sites.weights
        driven = squared(np.asarray(sites.gain)) * q
        # matrices of messages that vanish are conditioned on nothing
        self._fields = [k for k in range(cell.n_fields) if driven[k] > 0.0]
        self._mu = {k: recurrent[k] if k in hole.fields else messages[k] for k in self._fields}
        self._eta = {k: (messages[k] if k in hole.fields else recurrent[k]) for k in self._fields}
        self._square = {k: driven[k] if k in hole.fields else q[k] for k in self._fields}
        self._terms: dict[int, list] = {}

    @classmethod
    def of_sites(cls, hole: Hole) -> HoleOutliers:
        """At a fixed point given by sites that know what their matrices are conditioned on."""
        return cls(hole, np.asarray(hole.sites.recurrent))

    @classmethod
    def of_fixed_point(cls, hole: Hole, point: FixedPoint) -> HoleOutliers:
        """At a mean-field fixed point."""
        share, bias = RandomFields(point.ensemble).share(point.q), point.ensemble.array("bias")
        return cls(hole, share[:, None] * (hole.sites.fields - bias[:, None]))

    def __call__(self, lam: np.ndarray) -> np.ndarray:
        lam = np.asarray(lam, dtype=complex)
        size = len(self._fields)
        out = np.zeros((lam.size, size, size), dtype=complex)
        out[:, range(size), range(size)] = 1.0
        for center, part in ((0, np.abs(lam) < 0.5), (1, np.abs(lam) >= 0.5)):
            for row, column, mean in self._means(center) if part.any() else ():
                out[part, row, column] -= mean(lam[part] - center)
        return np.linalg.det(out)

    def _means(self, center):
        """[(row, column, function of lambda - center)]: the entries of C^S that do not vanish."""
        if center not in self._terms:
            self._terms[center] = list(self._made(center))
        return self._terms[center]

    def _made(self, center):
        ratios, pivot, listens = self.hole.ratios(center), self.hole.pivot, self.hole.cell.message_of
        for row, k in enumerate(self._fields):
            for column, l in enumerate(self._fields):
                values = self._mu[k] * self._eta[l] / self._square[l]
                if k not in pivot.fields and listens[k] in pivot.of_message:
                    if l == pivot.of_message[listens[k]]:  # (W^S)_kl = 1
                        yield row, column, ratios.mean(None, values)
                    continue
                sign, minor = pivot.entry(listens[k], l)
                if minor in ratios.minors:
                    yield row, column, ratios.mean(minor, sign * values)
