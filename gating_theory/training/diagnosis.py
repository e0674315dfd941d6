"""What a diagnosis holds: modes, gradients, weights and attractors of a network, and what random weights would give [T3, T5]."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ..ensemble.ensemble import Ensemble
from ..ensemble.matrix_laws import Unknown
from ..ensemble.sites import Sites
from ..networks.end_states import EndStates
from ..networks.network import Network
from ..networks.split_weights import SplitWeights
from ..networks.weight_statistics import WeightOrigin, WeightStatistics
from ..results.display import brief
from ..results.encoding import require, require_shapes, result
from ..results.status import Status
from ..spectrum.spectrum import Spectrum
from .diagnosis_text import counted, diagnosis_text, steps_text
from .gradients import DiagnosedGradients
from .modes import Modes

__all__ = ["Diagnosis", "ModeSummary"]


@result("mode_summary")
@dataclass(frozen=True)
class ModeSummary:
    """Modes of the state-to-state Jacobian, averaged over the states looked at.

    Attributes
    ----------
    slowest : float, steps: -1 / log(radius); inf where modes grow on average
    radius, abscissa : float, largest modulus and largest real part of the eigenvalues, means over the states
    slow_fraction : dict, {tau: fraction of modes slower than tau steps, growing ones included}
    gain_margin : float or None
        Factor on all recurrent weights at which, the activity held, modes at lambda = 1 lose stability: edge_function(1)^(-1/2)
        [T3]. Above 1 the state is stable there. None for counted eigenvalues.
    """

    slowest: float
    radius: float
    abscissa: float
    slow_fraction: dict[float, float]
    gain_margin: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; what is infinite as None."""
        plain = {"slowest": self.slowest, "radius": self.radius, "abscissa": self.abscissa, "gain_margin": self.gain_margin}
        plain = {k: v if v is None or math.isfinite(v) else None for k, v in plain.items()}
        return plain | {"slow_fraction": {f"{tau:g}": value for tau, value in self.slow_fraction.items()}}


@result("diagnosis")
@dataclass(frozen=True, repr=False)
class Diagnosis:
    """A report on the recurrent weights of a network, made by :func:`diagnose`. Printing it gives the text.

    Attributes
    ----------
    source : str, what was read
    split : SplitWeights, the random part and the learned directions of its weights
    modes : Modes, of the exact Jacobians at these states: what they consist of, and which are learned
    weights : dict, {field: WeightStatistics}
    overlaps : dict, {(field, field): correlation of their matrices' entries}
    origin : WeightOrigin, whether the weights look as initialised or as trained, and how sure that is
    driven : bool, whether the states were taken along given inputs
    n_steps, n_sequences : int, length of the run or the longest input sequence, how many runs or input sequences
    actual : ModeSummary of the eigenvalues
    bulk : ModeSummary of the eigenvalues without the learned part of the weights, at the same sites
    from_sites : ModeSummary by theory
        From the sites of the same states and the gains of the random part: what random matrices of its law would give there.
    shuffled_eigenvalues : (S, d N) complex array
        Eigenvalues with the entries of each matrix shuffled, at the states that this network visits.
    shuffled : ModeSummary of the eigenvalues with the entries of each matrix shuffled, at the states this network visits
    random : ModeSummary or None, by mean-field theory, of the ensemble at zero input, at the fixed point with the largest moments
    random_driven : ModeSummary or None
        By theory at the states of a large random network of these biases and the gains of the random part, under white input as
        strong as the real one (``Recording.driven_ensemble``); None without inputs, or where it did not come to a steady state.
    random_lyapunov, input_correlation : float
        Largest exponent of that network; correlation of real inputs at one step and the next, 0 where they are white.
    lyapunov, lyapunov_stderr : float
        Largest Lyapunov exponent per step along the run, sequences weighted by their length, with its standard error over
        sequences (nan for a single one).
    gradient : dict, {lag: mean natural log of the factor by which a random gradient has grown that many steps back}
        What is typical; the mean square of the factor, which theory gives, is larger, for few gradients make most of it.
    gradients : DiagnosedGradients, mean squares by lag: measured, by theory, and with shuffled weights
    structure : float
        What is learned beyond gains and biases: the largest difference between the fraction of eigenvalues counted in discs
        around 0 and that of theory from the same sites; the discs hold 10, 30, 50, 70 and 90 % of the eigenvalues.
    structure_bulk : float, the same for the eigenvalues without the learned part
    structure_shuffled : float
        The same for the shuffled matrices, at the states they visit: what finite size alone gives.
    ends : EndStates or None
        Where the network ends without input (a Network with its frozen one) from states that it visits along the inputs, or from
        random ones: its attractors. None where small differences grow along the run, or a state runs away.
    advice : list of str
    status : Status
        Code "ok" or, with ``ok`` False, "incomplete"; the words then say what could not be computed.
    sites : Sites, of all states looked at, with the gains and laws of the random part
    shortest : int or None, length of the shortest input sequence; None in results of versions that had one length only

    See Also
    --------
    gating_theory.diagnose : Makes one.
    gating_theory.plotting.plot_diagnosis : Its eigenvalues.
    gating_theory.plotting.plot_gradients_by_lag : Its gradients.

    Examples
    --------
    >>> import gating_theory as gt
    >>> ens = gt.Ensemble(gt.GRU, gain={"h": 0.5})
    >>> net = gt.Network.sample(ens, 20, rng=0)
    >>> report = gt.diagnose(net, n_states=2)
    >>> report.status.code, report.eigenvalues.shape
    ('ok', (2, 20))
    >>> report.lyapunov < 0
    True
    """

    source: str
    split: SplitWeights
    modes: Modes
    weights: dict[str, WeightStatistics]
    overlaps: dict[tuple[str, str], float]
    origin: WeightOrigin
    driven: bool
    n_steps: int
    n_sequences: int
    shuffled_eigenvalues: np.ndarray = field(repr=False)
    actual: ModeSummary
    bulk: ModeSummary
    from_sites: ModeSummary
    shuffled: ModeSummary
    random: ModeSummary | None
    lyapunov: float
    lyapunov_stderr: float
    gradient: dict[int, float]
    gradients: DiagnosedGradients
    structure: float
    structure_bulk: float
    structure_shuffled: float
    ends: EndStates | None
    advice: list[str]
    status: Status
    sites: Sites = field(repr=False)
    random_driven: ModeSummary | None = None
    random_lyapunov: float = math.nan
    input_correlation: float = math.nan
    shortest: int | None = None

    @property
    def network(self) -> Network:
        """The Network, at zero input."""
        return self.split.network

    @property
    def ensemble(self) -> Ensemble:
        """Of the random part of the weights: bulk gains, the law that theory takes its matrices to be of, biases of the network."""
        return self.split.ensemble

    @property
    def n_states(self) -> int:
        """Number of states looked at, S."""
        return self.modes.n_states

    @property
    def eigenvalues(self) -> np.ndarray:
        """(S, d N) complex array, of the exact Jacobians at these states."""
        return self.modes.eigenvalues

    @cached_property
    def spectrum(self) -> Spectrum:
        """Spectrum of the sites: what matrices of the law and the gains that ``ensemble`` has would give there [T4]."""
        return Spectrum(self.sites)

    @property
    def assumes(self) -> str:
        """What theory assumes of matrices of which nothing is known, in words; empty where their law is known."""
        unknown = {name for name, law in self.network.ensemble.matrices.items() if isinstance(law, Unknown)}
        laws = {each.law for name, each in self.split.fields.items() if name in unknown}
        if not laws:
            return ""
        if laws == {"iid"}:
            return "theory assumes iid normal matrices of the gains of the random part"
        return f"theory takes random parts for {' or '.join(sorted(laws))} matrices, as their singular values are"

    def check(self) -> None:
        """ValueError where eigenvalues are not those of as many states, or parts are of different networks."""
        shape = (self.n_states, self.network.cell.n_state * self.network.n_units)
        require_shapes(self, {"eigenvalues": shape, "shuffled_eigenvalues": shape})
        require(self.modes.ensemble == self.split.ensemble, "modes and split are of different ensembles")

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready: all but matrices and sites (``gt.save`` keeps these too); eigenvalues as pairs of real and imaginary part."""
        return {
            "kind": "diagnosis",
            "source": self.source,
            "n_units": self.network.n_units,
            "n_learned": {name: each.n_learned for name, each in self.split.fields.items()},
            "ensemble": self.ensemble.as_dict(),
            "assumes": self.assumes,
            "weights": {name: statistics.as_dict() for name, statistics in self.weights.items()},
            "overlaps": {" ".join(pair): value for pair, value in self.overlaps.items()},
            "origin": self.origin.as_dict(),
            "driven": self.driven,
            "n_states": self.n_states,
            "n_steps": self.n_steps,
            "n_sequences": self.n_sequences,
            "shortest": self.n_steps if self.shortest is None else self.shortest,
            "actual": self.actual.as_dict(),
            "bulk": self.bulk.as_dict(),
            "from_sites": self.from_sites.as_dict(),
            "shuffled": self.shuffled.as_dict(),
            "random": None if self.random is None else self.random.as_dict(),
            "structure": _finite(self.structure),
            "structure_bulk": _finite(self.structure_bulk),
            "structure_shuffled": _finite(self.structure_shuffled),
            "random_driven": None if self.random_driven is None else self.random_driven.as_dict(),
            "random_lyapunov": _finite(self.random_lyapunov),
            "input_correlation": _finite(self.input_correlation),
            "lyapunov": _finite(self.lyapunov),
            "lyapunov_stderr": _finite(self.lyapunov_stderr),
            "gradient": {str(lag): _finite(value) for lag, value in self.gradient.items()},
            "gradients": self.gradients.as_dict(),
            "ends": None if self.ends is None else {"hits": self.ends.hits.tolist(), "n_moving": self.ends.n_moving},
            "modes": self.modes.as_dict(),
            "advice": list(self.advice),
            "status": str(self.status),
            "eigenvalues": [[[z.real, z.imag] for z in row] for row in self.eigenvalues.tolist()],
        }

    def __str__(self) -> str:
        return diagnosis_text(self)

    def __repr__(self) -> str:
        ends = "" if self.ends is None else f", {counted(len(self.ends), 'end state')}"
        mode = f"slowest mode {steps_text(self.actual.slowest)} steps" if math.isfinite(self.actual.slowest) else "modes that grow"
        return brief("Diagnosis", f"{self.source}: {mode}, exponent {self.lyapunov:.3g}, {self.origin.code} weights{ends}")


def _finite(value):
    return value if math.isfinite(value) else None
