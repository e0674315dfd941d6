"""Attractors other than fixed points and cycles: tori and chaos, told by Lyapunov exponents with their errors [JSP]."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ...errors import ConvergenceError
from ...results.encoding import dict_of, require, result
from ...support.checks import instance, real_array
from .following import Crowd
from .lyapunov import FlowExponents, lyapunov_spectrum

__all__ = ["Irregular", "average_over", "irregular_attractor"]

#: Time averaged over, unless the trajectory itself was followed for longer, and at most; states that are kept.
_TIME, _LONGEST, _STATES = 5000.0, 1e6, 8000

#: Steps in the time of the fastest rate, and what is averaged over with what goes before it.
_RATE, _WITH_TRANSIENT = 1.0, 1.2

#: The part of the time since a trajectory was last looked at that an average must cover, and of the steps left that it may take.
_COVERED, _SHARE = 0.1, 0.5

#: Change of the extent from the first half of a path to the second.
_SHRINKS = 0.05

#: A state within this part of the extent of one of a path's states is on the attractor.
_NEAR = 0.03

#: Tolerance of that trajectory, in units of the crowd's. A looser one, of 1e-4, locked the oscillations of a torus by their steps.
_COARSE = 1.0

#: Two are the same where so many of the states of each are on the other.
_SHARED = 0.9


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

    See Also
    --------
    gating_theory.flow.attractors : Finds them.
    gating_theory.flow.chaotic_gru : A flow that has one.

    Examples
    --------
    >>> import gating_theory as gt
    >>> found = gt.flow.attractors(gt.flow.chaotic_gru(), [[0.1, 0.2, 0.3]])
    >>> strange = found.irregular[0]
    >>> strange.kind, strange.exponents.n_positive
    ('chaos', 1)
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
        """(...) array of bool, which states (..., dim) are within 3 % of its extent of the trajectory.

        Parameters
        ----------
        states : (..., dim) array

        Returns
        -------
        (...) array of bool
        """
        states, dim = real_array("states", states, largest=1e100), self.states.shape[-1]
        if states.ndim == 0 or states.shape[-1] != dim:
            raise ValueError(f"states must have shape (..., {dim}), got {states.shape}")
        return self._tree.query(states)[0] < _NEAR * self.extent.max()

    def same(self, other: Irregular) -> bool:
        """Whether another one is this one: nine in ten of the states of each are on the other.

        Parameters
        ----------
        other : Irregular

        Returns
        -------
        bool
        """
        instance("other", other, Irregular)
        return bool(min(self.holds(other.states).mean(), other.holds(self.states).mean()) > _SHARED)

    def check(self) -> None:
        """ValueError where the exponents do not show what the kind says."""
        shown = self.exponents.n_positive > 0 if self.kind == "chaos" else self.exponents.n_zero > 1
        require(self.kind in ("torus", "chaos") and shown, f"the exponents do not show {self.kind}")

    def __str__(self) -> str:
        values = ", ".join(f"{v:.4g} +- {e:.1g}" for v, e in zip(self.exponents.exponents, self.exponents.stderr))
        centre = ", ".join(f"{x:.4g}" for x in self.states.mean(axis=0))
        name = "chaotic attractor" if self.kind == "chaos" else "torus"
        return f"{name} around ({centre}), Lyapunov exponents {values}"


def average_over(crowd: Crowd, i: int, passed: float, left: float) -> tuple[float, float]:
    """The time to average over on a trajectory, 0 where no average that can be had shows it; and roughly the steps of that.

    Behind shut gates a trajectory may take a time of 1e10 from one turn to the next, while stability keeps steps short.

    Parameters
    ----------
    crowd : Crowd
    i : int, the trajectory
    passed : float, time that it has passed since it was last looked at
    left : float, steps that all averages may still take
    """
    seen = np.stack([crowd.states[i], crowd.references[i]])
    rate = _WITH_TRANSIENT * _RATE * max(1.0, float(np.abs(crowd.flow.jacobian(seen)).sum(axis=-1).max()))
    time = min(float(np.clip(crowd.time[i], _TIME, _LONGEST)), _SHARE * left / rate)
    return (time, time * rate) if time >= max(_TIME, _COVERED * passed) else (0.0, 0.0)


def irregular_attractor(crowd: Crowd, i: int, time: float) -> Irregular | None:
    """The torus or chaotic attractor on which a trajectory runs; None where its exponents show neither.

    Parameters
    ----------
    crowd : Crowd
    i : int, the trajectory
    time : float to average over
    """
    try:
        exponents = lyapunov_spectrum(crowd.flow, time=time, start=crowd.states[i], rng=0)
    except ConvergenceError:
        return None
    if not exponents.ok or exponents.at_fixed_point:
        return None
    kind = "chaos" if exponents.n_positive else "torus" if exponents.n_zero > 1 else None
    if kind is None:
        return None
    states = crowd.path(exponents.state, time, _COARSE).states
    first, last = np.array_split(states, 2)
    if np.ptp(last, axis=0).max() < (1.0 - _SHRINKS) * np.ptp(first, axis=0).max():
        return None
    return Irregular(kind, exponents, states[:: -(-len(states) // _STATES)])
