"""Rotationally invariant matrices: orthogonal ones, stacks of them, and any singular values [T10].

U = O Sigma O' with Haar matrices O and O'. Mean field, dynamics, the outer edge and outer outliers are those of iid matrices of
the same gain a^2 = (1/N) tr U U^T: images of new directions are uniformly random but for what they owe to old ones. Inside the
spectrum the constant a^2 becomes A(s), s the field's share of the solution (see ``MatrixLaw.log_gain``); where U is invertible the
spectrum may have holes.

Gradients are those of iid matrices too. What iid matrices and these differ by are cumulants of four or more factors in which U and
U^T alternate. In (1/N) tr J^m (J^n)^T all factors U stand beside one another, and so do all U^T: around the trace they change
places twice, and four that alternate cannot be found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import CapabilityError
from .implicit_isometries import ImplicitIsometries, OfOneMessage
from .matrix_laws import MatrixLaw
from .reflected import both_images, completed_image, redirect

__all__ = ["Haar", "HaarStack"]

#: What holds for every rotationally invariant matrix.
_INVARIANT = frozenset({"mean field", "dynamics", "edge", "resolvent", "gradients", "outliers"})
#: What holds for blocks of Haar matrices besides.
_TRUNCATED = _INVARIANT | {"conditioning", "implicit"}


def _isometry(rows: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """A Haar (rows, n) matrix with orthonormal columns, by QR; without the signs it would not be Haar."""
    q, r = np.linalg.qr(rng.standard_normal((rows, n)))
    return q * np.where(np.diagonal(r) < 0.0, -1.0, 1.0)


class _Truncated(MatrixLaw):
    """Blocks of a Haar matrix: A(s) = a^2 / (1 - t s)."""

    holds = _TRUNCATED
    isometric = True

    def truncation(self, count: int = 1) -> float:
        """t: 1 over the number of fields that are drawn together. Argument as in MatrixLaw.truncation."""
        return 1.0 / count if self.together else 1.0

    def log_gain(self, s: np.ndarray, count: int = 1) -> np.ndarray:
        """-log(1 - t s). Arguments as in MatrixLaw.log_gain."""
        return -np.log1p(-self.truncation(count) * np.asarray(s))

    def log_gain_slope(self, s: np.ndarray, count: int = 1) -> np.ndarray:
        """t / (1 - t s). Arguments as in MatrixLaw.log_gain_slope."""
        t = self.truncation(count)
        return t / (1.0 - t * np.asarray(s))

    def penalty(self, s: np.ndarray, count: int = 1) -> np.ndarray:
        """-log(1 - t s) / t. Arguments as in MatrixLaw.penalty."""
        t = self.truncation(count)
        return -np.log1p(-t * np.asarray(s)) / t

    def inverse_square(self, count: int = 1) -> float:
        """1 of a whole Haar matrix; a block of one is not boundedly invertible. Argument as in MatrixLaw.inverse_square."""
        return 1.0 if self.truncation(count) == 1.0 else np.inf

    def mean_log(self, count: int = 1) -> float:
        """0 of a whole Haar matrix. Argument as in MatrixLaw.mean_log."""
        return 0.0 if self.truncation(count) == 1.0 else -np.inf


@dataclass(frozen=True)
class Haar(_Truncated):
    """U_k = a_k O_k with independent Haar orthogonal O_k [T10]: torch's ``orthogonal_`` on each gate's block, gain a_k.

    A single recurrent matrix (RNN, SimpleRNN) with an orthogonal initialiser has this law too.

    Examples
    --------
    Orthogonal matrices leave the edge of the zero state's spectrum where iid ones have it, and make a hole around the leak 1/2:

    >>> import gating_theory as gt
    >>> gated = gt.Ensemble(gt.GRU, matrices=gt.Haar())
    >>> sp = gt.Spectrum(gt.fixed_points(gated)[0])
    >>> print(round(sp.radius(), 4), sp.density(0.5))
    0.75 0.0
    """

    name = "orthogonal"
    holds = _TRUNCATED | {"complexity"}
    acting = ImplicitIsometries  # new directions get images orthogonal to the old ones, exact in law at finite N

    def draw(self, n: int, rng: np.random.Generator, count: int = 1) -> np.ndarray:
        """(count, n, n) independent Haar matrices times sqrt(n). Arguments as in MatrixLaw.draw."""
        return np.sqrt(n) * np.array([_isometry(n, n, rng) for _ in range(count)]).reshape(count, n, n)

    def image_scales(self, messages: np.ndarray, images: np.ndarray) -> np.ndarray:
        """``sqrt(n) |m_b| / |x_b|``: lengths are kept. Arguments as in MatrixLaw.image_scales."""
        return np.sqrt(messages.shape[1]) * np.linalg.norm(messages, axis=1) / np.linalg.norm(images, axis=1)

    def condition(self, matrices: np.ndarray, messages: np.ndarray, images: np.ndarray, rng: np.random.Generator) -> None:
        """Each matrix reflected so that it takes m to x [T10]. Arguments as in MatrixLaw.condition."""
        for matrix, message, image in zip(matrices, messages, images):
            redirect(matrix, [message], [image])


@dataclass(frozen=True)
class HaarStack(_Truncated):
    """U_k = a_k sqrt(K) V_k, where the K blocks V_k of a network's fields of this law together are one isometry [T10].

    sum_k V_k^T V_k = 1: Keras's ``recurrent_initializer="orthogonal"``, and torch's ``orthogonal_`` on the whole
    ``weight_hh``, both of gain g, give a_k = g / sqrt(K) with K the number of gates, 3 for a GRU and 4 for an LSTM. All fields
    of the law count for K, those of gain 0 too. Of one field the law is that of Haar(). How many fixed points such networks have is
    derived for one message, but not checked: complexity refuses.

    Examples
    --------
    Keras draws the three matrices of a GRU as blocks of one isometry, each of gain 1/sqrt(3):

    >>> import gating_theory as gt
    >>> keras = gt.Ensemble(gt.GRU, gain=3**-0.5, matrices=gt.HaarStack())
    >>> U_z, U_r, U_h = gt.Network.sample(keras, 50, rng=0).matrices
    >>> one = U_z.T @ U_z + U_r.T @ U_r + U_h.T @ U_h
    >>> print(one.diagonal().min().round(4), one.diagonal().max().round(4))
    1.0 1.0
    """

    name = "stack"
    together = True

    def draw(self, n: int, rng: np.random.Generator, count: int = 1) -> np.ndarray:
        """(count, n, n) blocks of one (count n, n) isometry times sqrt(count n). Arguments as in MatrixLaw.draw."""
        if count == 0:
            return np.empty((0, n, n))
        return np.sqrt(count * n) * _isometry(count * n, n, rng).reshape(count, n, n)

    def image_scales(self, messages: np.ndarray, images: np.ndarray) -> np.ndarray | None:
        """One factor for the images of a single message; None of several. Arguments as in MatrixLaw.image_scales."""
        if (messages != messages[0]).any():
            return None
        factor = np.sqrt(messages.size) * np.linalg.norm(messages[0]) / np.linalg.norm(images)
        return np.full(len(messages), factor)

    def condition(self, matrices: np.ndarray, messages: np.ndarray, images: np.ndarray, rng: np.random.Generator) -> None:
        """The isometry reflected so that its blocks take messages, at most two, to their images [T10].

        Parameters
        ----------
        matrices, messages, images, rng : as in MatrixLaw.condition

        Raises
        ------
        CapabilityError
            more than two messages; two, and fields that listen to neither
        ValueError
            too few units
        """
        count, n = messages.shape
        stack = matrices.reshape(count * n, n)
        heard, which = _distinct(messages)
        if len(heard) == 1:
            wanted = [completed_image((stack @ heard[0]).reshape(count, n), images, which == 0)]
        elif len(heard) == 2 and (which >= 0).all():
            wanted = list(both_images(float(np.linalg.norm(stack[:, 0])), heard, images, which == 0, rng))
        else:
            raise CapabilityError(
                f"a stack is conditioned on one message, or on two that all its fields listen to, not on {len(heard)} of them: "
                "use Network.sample and find_fixed_points"
            )
        redirect(stack, heard, [image.ravel() for image in wanted])

    def implicit(
        self,
        n: int,
        gains: np.ndarray,
        listeners: Sequence[Sequence[int]],
        capacity: int,
        rng: np.random.Generator,
        dtype: type,
    ) -> list[OfOneMessage]:
        """Directions of any message get images of K N units, orthogonal. Arguments as in MatrixLaw.implicit."""
        stack = ImplicitIsometries(n, gains, capacity * len(listeners), rng, dtype, together=True)
        return [OfOneMessage(stack, fields) for fields in listeners]

    def implicit_bytes(self, n: int, gains: np.ndarray, listeners: Sequence[Sequence[int]], capacity: int, dtype: type) -> int:
        """K N-vectors for each direction of any message. Arguments as in MatrixLaw.implicit."""
        return ImplicitIsometries.bytes_needed(n, np.ones(gains.size), capacity * len(listeners), dtype)


def _distinct(messages: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """The distinct rows that do not vanish, and which of them each row is; -1 where it vanishes."""
    found: list[np.ndarray] = []
    which = np.full(len(messages), -1)
    for row, message in enumerate(messages):
        if not message.any():
            continue
        known = [i for i, other in enumerate(found) if (other == message).all()]
        which[row] = known[0] if known else len(found)
        if not known:
            found.append(message)
    return found, which
