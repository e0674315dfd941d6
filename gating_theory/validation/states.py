"""States of large networks: what theory knows of their sites, and how networks at them are sampled."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from ..counting.complexity import Complexity
from ..dynamics.steady_state import SteadyState
from ..ensemble.ensemble import Ensemble
from ..ensemble.sites import Sites
from ..mean_field.fixed_point import FixedPoint
from ..mean_field.fixed_points import fixed_points
from ..networks.network import Network
from .cases import Case

__all__ = ["AtRest", "Moving", "Sampled", "state_of"]

#: Steps that a network runs from a random state to forget it; the slowest built-in case has timescales of some tens of steps.
_STEPS = 150


class Sampled(NamedTuple):
    """A network at a state: a moving one, under its input there, or (None) a fixed point."""

    net: Network
    state: np.ndarray
    input: np.ndarray | None = None

    @property
    def eigenvalues(self) -> np.ndarray:
        """(d N,) eigenvalues of the Jacobian."""
        return self.net.eigenvalues(self.state, self.input)

    @property
    def jacobian(self) -> np.ndarray:
        """(d N, d N) Jacobian."""
        return self.net.jacobian(self.state, self.input)

    @property
    def sites(self) -> Sites:
        """The population of its sites; at a fixed point with what comes through the matrices, which are conditioned on that."""
        sites = self.net.sites(self.state, self.input)
        if self.input is not None or not self.state.any():
            return sites
        return replace(sites, recurrent=sites.fields - self.net.biases - self.net.input)


@dataclass(frozen=True)
class AtRest:
    """A fixed point of theory. Networks are conditioned on holding it; at zero there is nothing to hold.

    Attributes
    ----------
    law : FixedPoint or Complexity, what the sites of a network are independent draws of
    """

    law: FixedPoint | Complexity

    @property
    def ensemble(self) -> Ensemble:
        """The Ensemble of its networks."""
        return self.law.ensemble

    def network(self, n: int, rng: np.random.Generator) -> Sampled:
        """A random network of n units at the fixed point."""
        if self.law.q.any():
            return Sampled(*Network.planted(self.law, n, rng))
        return Sampled(Network.sample(self.ensemble, n, rng), np.zeros((self.ensemble.cell.n_state, n)))


@dataclass(frozen=True)
class Moving:
    """What networks run into: chaos, a cycle, a state that follows its input. Nobody knows the law of its sites.

    Attributes
    ----------
    ensemble : Ensemble
    known : Sites or None, those of the state where somebody has simulated it
    n_steps : int, steps until it is reached
    """

    ensemble: Ensemble
    known: Sites | None = None
    n_steps: int = _STEPS

    def network(self, n: int, rng: np.random.Generator) -> Sampled:
        """A random network of n units at the state that it runs into."""
        net = Network.sample(self.ensemble, n, rng)
        state = net.run(net.random_state(rng), self.n_steps, rng=rng)
        return Sampled(net, state, net.input_sequence("noise", 1, rng)(0))


def state_of(case: Case) -> AtRest | Moving:
    """The state of a case.

    Raises
    ------
    ValueError
        the ensemble has no such fixed point; a Complexity without a typical one
    CapabilityError, ConvergenceError
        as ``fixed_points``
    """
    source = case.source
    if isinstance(source, SteadyState):
        return Moving(source.ensemble, source.sites, max(_STEPS, source.transient))
    if isinstance(source, Complexity) and not source.saddles:
        raise ValueError(f"case {case.name!r}: there is no typical fixed point: {source.status}")
    if not isinstance(source, Ensemble):
        return AtRest(source)
    if case.state == "chaotic":
        return Moving(source)
    points = fixed_points(source)
    point = points[0] if case.state == "zero" else points[-1]
    if point.is_zero != (case.state == "zero"):
        raise ValueError(f"case {case.name!r}: {source!r} has no such fixed point")
    return AtRest(point)
