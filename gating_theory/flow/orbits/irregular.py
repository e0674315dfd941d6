"""Attractors other than fixed points and cycles: tori and chaos, told by Lyapunov exponents with their errors [JSP]."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ...errors import ConvergenceError
from ...results.encoding import dict_of, require, result
from .following import Path
from .lyapunov import FlowExponents, lyapunov_spectrum

if TYPE_CHECKING:
    from ..flow import Flow

__all__ = ["Irregular", "irregular_attractor"]

#: Time averaged over, unless the trajectory itself was followed for longer, and at most.
_TIME, _LONGEST = 5000.0, 1e6

#: Change of the extent of a torus from the first half of a path to the second.
_SHRINKS = 0.05

#: A state within this part of the extent of one of a path's states is on the attractor.
_NEAR = 0.02


@result("flow.Irregular")
@dataclass(frozen=True)
class Irregular:
    """A torus or a chaotic attractor.

    Attributes
    ----------
    kind : "torus" or "chaos"
        Two or more exponents that are 0 within their resolution, none positive, and an extent that does not shrink; a positive
        exponent.
    exponents : FlowExponents, per unit of time
    states : (n, dim) array, one trajectory on it
    """

    kind: str
    exponents: FlowExponents
    states: np.ndarray = field(repr=False)

    as_dict = dict_of

    @property
    def extent(self) -> np.ndarray:
        """(dim,) array, largest minus smallest value of each coordinate."""
        return np.ptp(self.states, axis=0)

    @cached_property
    def _tree(self):
        from scipy.spatial import cKDTree

        return cKDTree(self.states)

    def holds(self, states: np.ndarray) -> np.ndarray:
        """(...) array of bool, which states (..., dim) are within 2 % of its extent of the trajectory."""
        return self._tree.query(states)[0] < _NEAR * self.extent.max()

    def check(self) -> None:
        """ValueError where the exponents do not show what the kind says."""
        shown = self.exponents.n_positive > 0 if self.kind == "chaos" else self.exponents.n_zero > 1
        require(self.kind in ("torus", "chaos") and shown, f"the exponents do not show {self.kind}")

    def __str__(self) -> str:
        values = ", ".join(f"{v:.4g} +- {e:.1g}" for v, e in zip(self.exponents.exponents, self.exponents.stderr))
        centre = ", ".join(f"{x:.4g}" for x in self.states.mean(axis=0))
        name = "chaotic attractor" if self.kind == "chaos" else "torus"
        return f"{name} around ({centre}), Lyapunov exponents {values}"


def irregular_attractor(flow: Flow, path: Path) -> Irregular | None:
    """The torus or chaotic attractor on which a path runs; None where its exponents show neither.

    Parameters
    ----------
    flow : Flow
    path : Path
    """
    time = float(np.clip(path.times[-1], _TIME, _LONGEST))
    try:
        exponents = lyapunov_spectrum(flow, time=time, start=path.states[-1], rng=0)
    except ConvergenceError:
        return None
    if not exponents.ok or exponents.at_fixed_point:
        return None
    if exponents.n_positive:
        return Irregular("chaos", exponents, path.states)
    first, last = np.array_split(path.states, 2)
    shrinks = np.ptp(last, axis=0).max() < (1.0 - _SHRINKS) * np.ptp(first, axis=0).max()
    return Irregular("torus", exponents, path.states) if exponents.n_zero > 1 and not shrinks else None
