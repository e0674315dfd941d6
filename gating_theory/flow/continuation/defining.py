"""What defines a bifurcation of a fixed point: f = 0, and a matrix made of the Jacobian that is singular.

Fold: the Jacobian J itself. Flip of the Euler map with step h: 2 + h J. Hopf: the sums of two eigenvalues, which are those of an
additive compound of J. Neimark-Sacker: the products of two multipliers, those of a multiplicative compound, minus 1. That the
matrix T is singular is one equation g = 0, by bordering: T v + b g = 0, c v = 1 (Govaerts, Numerical Methods for Bifurcations of
Dynamical Equilibria, chapters 3 to 5); the derivatives of g follow from the second derivatives of f, which are exact.

Pitchforks and transcritical points persist along a curve only in families that keep a symmetry or a branch. f and g alone are
degenerate there: the fixed points form a surface with a crossing. One more unknown e that shifts f out of its range, and one
more equation, that f also stands still when parameters move across the curve, make the system regular; e vanishes along the whole
curve exactly where the family keeps the crossing.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..program.taylor import derivatives

if TYPE_CHECKING:
    from ..flow import Flow
    from ..line import Path

__all__ = ["CROSSINGS", "DefiningSystem", "Frame", "KINDS", "bordered", "compound"]

#: Kinds whose branches cross: they persist in special families only.
CROSSINGS = ("pitchfork", "transcritical")

#: Rows below are all shut.
_SHUT = 1e-300


def compound(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """A x B + B x A on the plane elements of pairs i < j: twice the second compound where A = B, the additive one for B = 1.

    Parameters
    ----------
    A, B : (..., n, n) arrays

    Returns
    -------
    (..., m, m) array with m = n (n - 1)/2. Of A = B it has twice the products of two eigenvalues of A, of B = 1 their sums.
    """
    i, j = np.triu_indices(A.shape[-1], 1)

    def part(a, b, first, second):
        return A[..., a[:, None], first] * B[..., b[:, None], second] + B[..., a[:, None], first] * A[..., b[:, None], second]

    return part(i, j, i, j) - part(i, j, j, i)


def bordered(T: np.ndarray, b: np.ndarray, c: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """g, v, w of a bordered matrix: T v + b g = 0 with c v = 1, and T' w + c g = 0 with b w = 1; g = 0 where T is singular.

    LinAlgError where the bordered matrix is singular, too.
    """
    A = np.block([[T, b[:, None]], [c[None], np.zeros((1, 1))]])
    last = np.eye(1, len(A), len(A) - 1)[0]
    right, left = np.linalg.solve(A, last), np.linalg.solve(A.T, last)
    return float(right[-1]), right[:-1], left[:-1]


@dataclass(frozen=True)
class _Singular:
    """The matrix that is singular at a kind of bifurcation.

    ``matrix(J, h)``, its ``change(J, dJ, h)`` with J, and the ``size(s, h)`` of its rows where those of J have sizes s.
    """

    matrix: Callable
    change: Callable
    size: Callable


def _pairs(s):
    i, j = np.triu_indices(len(s), 1)
    return s[i], s[j]


def _identity(J):
    return np.eye(J.shape[-1])


_FOLD = _Singular(lambda J, h: J, lambda J, dJ, h: dJ, lambda s, h: s)

#: Of each kind of bifurcation in two parameters.
KINDS: dict[str, _Singular] = {
    "fold": _FOLD,
    "pitchfork": _FOLD,
    "transcritical": _FOLD,
    "hopf": _Singular(
        lambda J, h: compound(J, _identity(J)),
        lambda J, dJ, h: compound(dJ, _identity(dJ)),
        lambda s, h: sum(_pairs(s)),
    ),
    "flip": _Singular(lambda J, h: 2.0 * _identity(J) + h * J, lambda J, dJ, h: h * dJ, lambda s, h: 1.0 + h * s),
    "neimark_sacker": _Singular(
        # products of multipliers minus 1, without the 1 that slow gates would lose their digits to
        lambda J, h: h * compound(J, _identity(J)) + 0.5 * h**2 * compound(J, J),
        lambda J, dJ, h: h * compound(dJ, _identity(dJ)) + h**2 * compound(J, dJ),
        lambda s, h: h * sum(_pairs(s)) + h**2 * np.multiply(*_pairs(s)),
    ),
}


@dataclass(frozen=True)
class Frame:
    """What is held while Newton's method runs: sizes of rows, borders, and for crossings the direction across the curve.

    Attributes
    ----------
    rows : (dim,) array, sizes of the rows of f
    sizes : (m,) array, sizes of the rows of T
    b, c : (m,) arrays, unit borders: near the null vectors of T, its rows divided by their sizes
    across : (2,) array, a unit vector in the scaled plane of the parameters
    """

    rows: np.ndarray
    sizes: np.ndarray
    b: np.ndarray
    c: np.ndarray
    across: np.ndarray


@dataclass(frozen=True)
class DefiningSystem:
    """The equations of a curve of bifurcations in two parameters.

    Unknowns are ``u`` = (states, parameters in units of ``scale``), for crossings with e behind them.

    Attributes
    ----------
    flow : Flow
    paths : pair of paths
    kind : str, one of KINDS
    step : float, of the Euler map
    origin, scale : (2,) arrays: parameter = origin + scale * unknown
    """

    flow: Flow
    paths: tuple[Path, Path]
    kind: str
    step: float
    origin: np.ndarray
    scale: np.ndarray

    @property
    def crossing(self) -> bool:
        """Whether e is among the unknowns."""
        return self.kind in CROSSINGS

    def unknowns(self, state: np.ndarray, values: np.ndarray) -> np.ndarray:
        """u of a state and values of the parameters."""
        return np.concatenate([state, (values - self.origin) / self.scale, np.zeros(int(self.crossing))])

    def state(self, u: np.ndarray) -> np.ndarray:
        """The state in u."""
        return u[: self.flow.dim]

    def values(self, u: np.ndarray) -> np.ndarray:
        """(2,) array: the parameters in u."""
        return self.origin + self.scale * u[self.flow.dim : self.flow.dim + 2]

    def at(self, u: np.ndarray) -> Flow:
        """The flow at these parameters."""
        return self.flow.with_parameters(dict(zip(self.paths, map(float, self.values(u)))))

    def expansion(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """f and its first and second derivatives by the states and the scaled parameters."""
        f, D, H = derivatives(self.at(u), self.state(u), self.paths)
        size = np.append(np.ones(self.flow.dim), self.scale)
        return f, D * size, H * size[:, None] * size

    def singular(self, J: np.ndarray, frame: Frame) -> np.ndarray:
        """T of a Jacobian, its rows divided by their sizes."""
        return KINDS[self.kind].matrix(J, self.step) / frame.sizes[:, None]

    def frame(self, u: np.ndarray, before: Frame | None = None) -> Frame:
        """The frame at a point of the curve; near ``before``, with its orientation."""
        dim = self.flow.dim
        _, D, H = self.expansion(u)
        # a row that is small is small with all its derivatives: a shut gate
        rows = np.maximum(np.maximum(np.linalg.norm(D, axis=1), np.linalg.norm(H, axis=(1, 2))), _SHUT)
        sizes = np.maximum(KINDS[self.kind].size(rows, self.step), _SHUT)
        T = KINDS[self.kind].matrix(D[:, :dim], self.step) / sizes[:, None]
        if before is None:
            left, _, right = np.linalg.svd(T)
            b, c = left[:, -1], right[-1]
        else:
            b, c = before.b * sizes / before.sizes, before.c
            with suppress(np.linalg.LinAlgError):  # where two curves of the kind cross, T has two null vectors: those of before
                _, c, b = bordered(T, b, c)
        b, c = b / np.linalg.norm(b), c / np.linalg.norm(c)
        across = np.zeros(2)
        if self.crossing:
            # how the critical eigenvalue moves with the parameters, states following along the branch
            follow = np.linalg.lstsq(D[:, :dim] / rows[:, None], -D[:, dim:] / rows[:, None], rcond=1e-9)[0]
            slope = (b / sizes) @ (H[:, :dim, dim:] + np.einsum("ijk,kp->ijp", H[:, :dim, :dim], follow)).transpose(2, 0, 1) @ c
            size = np.linalg.norm(slope)
            across = slope / size if size > 0.0 else np.array([1.0, 0.0])
        return Frame(rows, sizes, b, c, across)

    def equations(self, u: np.ndarray, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
        """Values (m,) and derivatives (m, m + 1) of the equations at u."""
        dim = self.flow.dim
        f, D, H = self.expansion(u)
        J, dJ = D[:, :dim], np.moveaxis(H[:, :dim], -1, 0)
        g, v, w = bordered(self.singular(J, frame), frame.b, frame.c)
        slope = -(w / frame.sizes) @ KINDS[self.kind].change(J, dJ, self.step) @ v
        rows = frame.rows[:, None]
        if not self.crossing:
            return np.append(f / frame.rows, g), np.vstack([D / rows, slope])
        # T = J here: w / rows is the left null vector of J; h = w f_d says that f stands still across the curve
        f_d, f_zd = D[:, dim:] @ frame.across, H[..., dim:] @ frame.across
        left = w / frame.rows
        bend = self._left_slopes(J / rows, dJ / rows, w, frame) / frame.rows
        still, still_slope = left @ f_d, bend @ f_d + left @ f_zd
        values = np.concatenate([f / frame.rows + u[-1] * frame.b, [g, still]])
        column = np.concatenate([frame.b, [0.0, 0.0]])[:, None]
        return values, np.hstack([np.vstack([D / rows, slope, still_slope]), column])

    def _left_slopes(self, T, dT, w, frame):
        """Derivatives of w by the unknowns: T' w_z + c g_z = -T_z' w with b w_z = 0."""
        A = np.block([[T.T, frame.c[:, None]], [frame.b[None], np.zeros((1, 1))]])
        right = np.hstack([-np.einsum("i,zij->zj", w, dT), np.zeros((len(dT), 1))])
        return np.linalg.solve(A, right.T)[:-1].T
