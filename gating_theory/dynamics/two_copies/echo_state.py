"""Whether a network forgets its start under a common input, and how long that takes [T8b]."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...ensemble.ensemble import Ensemble
from ...results.encoding import dict_of, require, result
from ...results.status import Status
from ...running.progress import Progress, check_progress
from ...support.arithmetic import underflow_is_zero
from ...support.available_memory import require_memory
from ...support.checks import boolean, choice, generator, instance, integer, real
from ...support.types import Progress as Wanted
from ...support.types import Rng
from ..dynamic_mean_field.clock import LEAST_STEP, usual_step
from .common_states import CommonState, How, common_states

__all__ = ["EchoState", "echo_state", "how_asked", "verdict_of"]


@result("echo_state")
@dataclass(frozen=True)
class EchoState:
    """What becomes of two copies of one infinite network under one input [T8b].

    Attributes
    ----------
    ensemble : Ensemble
    step : float, of the map
    flow : bool, whether it is in continuous time
    states : tuple of CommonState
        Every state that starts of all sizes lead to, the largest first.
    status : Status, ``ok`` where the verdict is sure

        - "echo_state": one state, in which copies agree in the end: the network's state is a function of its input
        - "chaotic": copies part in every state
        - "two_states": several states under the same input, not all of them chaotic: what a copy does depends on its start,
          although copies that start alike may agree. Also where a zero state is stable beside chaos, or beside another fixed point
        - "frozen_gates": copies agree, but some sites remember longer than any time; the exponent is that of a window
        - "undecided": an exponent that is zero within two errors
        - "not_converged": a state was not solved

    Examples
    --------
    Weak common input does not hold a chaotic network: a small squared distance of two copies grows by chi per step.

    >>> import gating_theory as gt
    >>> found = gt.echo_state(gt.Ensemble(gt.Vanilla, gain=1.5, input_std=0.3))
    >>> print(found.verdict, found.ok, round(found.chi, 3))
    chaotic True 1.061
    """

    ensemble: Ensemble
    step: float
    flow: bool
    states: tuple[CommonState, ...]
    status: Status

    as_dict = dict_of

    @property
    def verdict(self) -> str:
        """The code of the status."""
        return self.status.code

    @property
    def ok(self) -> bool:
        """Whether the verdict is sure."""
        return self.status.ok

    @property
    def leading(self) -> CommonState | None:
        """The state of the largest exponent, which decides; None where no state was solved."""
        return max(self.states, key=lambda state: state.exponent, default=None)

    @property
    def lam(self) -> float:
        """Conditional exponent lambda per unit of time (a step of the discrete network), the largest of all states; nan: none."""
        return np.nan if self.leading is None else self.leading.exponent

    @property
    def lam_error(self) -> float:
        """Its error: 1e-6 or less where the leak is constant, a standard error by paths, ``|lambda|`` where gates are frozen."""
        return np.nan if self.leading is None else self.leading.error

    @property
    def chi(self) -> float:
        """exp(2 lambda), by what the squared distance of two copies is multiplied, in a step of the map, or a unit of time."""
        return float(np.exp(2.0 * self.lam * (1.0 if self.flow else self.step)))

    @property
    def timescale(self) -> float:
        """-1/lambda, in units of time (steps of the discrete network), of the distance of two copies; inf where that stays."""
        return -1.0 / self.lam if self.lam < 0.0 else np.nan if np.isnan(self.lam) else np.inf

    @property
    def timescale_squared(self) -> float:
        """-1/(2 lambda) = -1/log chi, the same of the squared distance, of which signal propagation speaks."""
        return 0.5 * self.timescale

    def check(self) -> None:
        """ValueError where states are not those of the ensemble."""
        names = self.ensemble.cell.message_names
        require(self.step > 0.0, f"step must be positive, got {self.step}")
        require(all(tuple(state.moments) == names for state in self.states), f"moments must be those of {list(names)}")

    def __str__(self) -> str:
        clock = "flow" if self.flow else "map" if self.step == 1.0 else f"map of step {self.step:g}"
        return "\n  ".join([f"{self.ensemble.cell.name} under common input ({clock}): {self.status}", *map(str, self.states)])


@underflow_is_zero
def echo_state(
    ensemble: Ensemble,
    step: float | None = None,
    flow: bool = False,
    method: str = "auto",
    *,
    n_sites: int = 1000,
    refine: int = 20,
    rng: Rng = 0,
    progress: Wanted = None,
) -> EchoState:
    """Whether two copies of one network agree in the end under a common input, from whatever starts [T8b].

    A small difference of two copies grows as exp(lambda t), with lambda the largest Lyapunov exponent of the driven network (the
    conditional exponent), so that chi = exp(2 lambda): vanilla a^2 E tanh'^2 for white input, the square of the spectral radius at
    a fixed point. Where lambda < 0 copies that are close agree in the end. Those that are not may end in another state: states
    are sought from small *and* large starts.

    Parameters
    ----------
    ensemble : Ensemble
        White input is ``input_std``, the same for all copies; frozen input ``bias_std``.
    step, flow, method, n_sites, refine, rng : as of :func:`dmft`
        Method "lag", a constant leak, finds all states, and exponents to 1e-6 and better; "paths" those of a large and a small
        start, with standard errors of exponents of about .002. Fixed points are there by either.
    progress : None, True (a bar) or callable(done, total)

    Returns
    -------
    EchoState

    Raises
    ------
    TypeError, ValueError, CapabilityError
        as :func:`dmft`

    See Also
    --------
    echo_line : where the echo state ends
    correlation_transient : two copies on their way

    Notes
    -----
    The verdict is about infinite networks: next to a boundary, and where two states exist, networks of N units may leave a state
    that the theory keeps. Where cells have a memory the slope of a static map from correlation to correlation at 1 is not chi.

    Examples
    --------
    >>> import gating_theory as gt
    >>> found = gt.echo_state(gt.Ensemble(gt.Vanilla, gain=1.5, input_std=0.6))
    >>> found.verdict, round(2 * found.lam, 5)
    ('echo_state', -0.08369)
    """
    how = how_asked("echo_state", [instance("ensemble", ensemble, Ensemble)], step, flow, method, n_sites, refine, rng)
    check_progress(progress)
    with Progress(progress, 1, "ensemble") as tell:
        states, troubles = common_states(ensemble, how)
        tell(1)
    return EchoState(ensemble, how.step, how.flow, tuple(states), verdict_of(states, troubles))


def how_asked(
    who: str,
    ensembles: Sequence[Ensemble],
    step: object,
    flow: object,
    method: object,
    n_sites: object,
    refine: object,
    rng: Rng,
) -> How:
    """Arguments of calculators of echo states, checked.

    Parameters
    ----------
    who : str, the calculator
    ensembles : sequence of Ensemble, whose states will be solved by one clock
    step, flow, method, n_sites, refine, rng : what users give
    """
    for each in ensembles:
        each.require("dynamics", who, "Network.sample and Network.run")
    in_time = boolean("flow", flow)
    usual = usual_step(in_time, any(each.has_white_input for each in ensembles))
    size = real("step", usual if step is None else step, low=LEAST_STEP, high=1.0)
    method = choice("method", method, ("auto", "lag", "paths"))
    sites, chunks = integer("n_sites", n_sites, low=100), integer("refine", refine, low=5)
    require_memory(f"n_sites = {sites}", 1e4 * sites)
    return How(size, in_time, method, sites, chunks, int(generator(rng).integers(2**63)))


def verdict_of(states: Sequence[CommonState], troubles: Sequence[str]) -> Status:
    """The Status of an EchoState.

    Parameters
    ----------
    states, troubles : of :func:`common_states`
    """
    if troubles or not states:
        return Status("not_converged", "; ".join(troubles) or "no state was found", ok=False)
    text = "exponents " + ", ".join(f"{state.exponent:.6g}" for state in states)
    if all(state.sign > 0 for state in states):
        return Status("chaotic", f"chaotic: copies part; {text}")
    if len(states) > 1:
        return Status("two_states", f"{len(states)} states under one input: the start decides; {text}")
    (one,) = states
    if one.sign == 0:
        return Status("undecided", f"undecided: {text} +- {one.error:.2g}", ok=False)
    if one.window:
        why = f"sites remember without bound where {' and '.join(one.window)} stands still"
        return Status(
            "frozen_gates", f"copies agree, but {why}: strictly the exponent is zero from below, of a window {one.exponent:.4g}"
        )
    return Status("echo_state", f"echo state: copies agree; {text}, a timescale of {-1.0 / one.exponent:.4g}")
