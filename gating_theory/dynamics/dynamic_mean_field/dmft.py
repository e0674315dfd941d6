"""Moving states of infinite networks: their dynamic mean field, whichever way it is solved [T8]."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, overload

import numpy as np

from ...ensemble.ensemble import Ensemble
from ...ensemble.hyperparameters import LARGEST
from ...ensemble.paths import AnyPath, path_of
from ...errors import CapabilityError
from ...mean_field.moments import MomentMap
from ...results.status import Status
from ...running.progress import Progress, check_progress
from ...support.arithmetic import underflow_is_zero
from ...support.available_memory import require_memory
from ...support.checks import boolean, choice, generator, instance, integer, real
from ...support.types import Progress as Wanted
from ...support.types import Rng
from ..two_copies.copies import copies_of
from ..two_copies.lag_pair_result import lag_pair_result
from ..two_copies.pair_state import PairState
from ..two_copies.path_pair import LEAST_RING, path_pair_result
from .clock import LEAST_STEP, Clock, usual_step
from .lag_exponent import lag_exponent
from .lag_law import LagForm, lag_form
from .lag_shape import LagShape
from .lag_states import Branch, accuracy, lag_states
from .path_solver import Paths, path_result
from .path_states import path_states
from .sinusoid import Sinusoid, rings_of, step_below
from .state import DynamicMeanField
from .white_input import require_flow_limit, white_fields

__all__ = ["dmft", "dmft_states", "lag_result"]

#: Parts of a function's variance that series may miss; C(infinity)/C(0) above which nothing moves; residuals of shapes.
_MISSING, _STATIC, _RESIDUAL = 1e-7, 1.0 - 1e-6, 1e-9
#: What a window's end may differ in.
_FLAT = 1e-6


@overload
def dmft(
    ensemble: Ensemble,
    step: float | None = None,
    flow: bool = False,
    method: str = "auto",
    *,
    window: int | None = None,
    n_sites: int = 1000,
    refine: int = 20,
    amplitude: float | None = None,
    along: AnyPath | None = None,
    replicas: Literal[1] = 1,
    rho_in: None = None,
    rho_frozen: None = None,
    start: None = None,
    sinusoid: Sinusoid | None = None,
    rng: Rng = 0,
    progress: Wanted = None,
) -> DynamicMeanField: ...
@overload
def dmft(
    ensemble: Ensemble,
    step: float | None = None,
    flow: bool = False,
    method: str = "auto",
    *,
    window: int | None = None,
    n_sites: int = 1000,
    refine: int = 20,
    amplitude: float | None = None,
    along: AnyPath | None = None,
    replicas: Literal[2],
    rho_in: float | None = None,
    rho_frozen: float | None = None,
    start: float | None = None,
    sinusoid: Sinusoid | None = None,
    rng: Rng = 0,
    progress: Wanted = None,
) -> PairState: ...
@underflow_is_zero
def dmft(
    ensemble: Ensemble,
    step: float | None = None,
    flow: bool = False,
    method: str = "auto",
    *,
    window: int | None = None,
    n_sites: int = 1000,
    refine: int = 20,
    amplitude: float | None = None,
    along: AnyPath | None = None,
    replicas: int = 1,
    rho_in: float | None = None,
    rho_frozen: float | None = None,
    start: float | None = None,
    sinusoid: Sinusoid | None = None,
    rng: Rng = 0,
    progress: Wanted = None,
) -> DynamicMeanField | PairState:
    """The moving state of an infinite random network, of several the one of largest amplitude [T8].

    Fields are Gaussian processes of covariance a_k^2 E m_k(t) m_k(t + tau), without a response term; the paths of one site make
    these covariances again. Two ways to solve that:

    - "lag": cells whose leak is constant (vanilla networks, the GRU where gain.z = 0), one function of the lag; to about 1e-10
    - "paths": any cell, by Gaussian paths; standard errors of a few parts in a thousand

    Parameters
    ----------
    ensemble : Ensemble
        Frozen biases and white input belong to it. In a flow white input of strength sigma is noise with sigma^2 delta(t - t'), as
        what maps of a step dt have with sigma / sqrt dt; fields that hold it enter the rate linearly, with a factor that does not
        feel the noise itself, and no message.
    step : float from 0.001 to 1, default 1
        Of the Euler map s(t + step) = s + step (F - s); 1 is the discrete network. With ``flow`` in which paths are solved (Adams's
        method), by default 0.2; 0.1 with white input (Heun's), where errors hold step^2/4 of moments and step^2/20 of exponents,
        enough for states that forget at rates up to 1.
    flow : bool
        ds/dt = F(s, y) - s in continuous time.
    method : "auto", "lag" or "paths"
        "auto" takes "lag" where it holds.
    window : int >= 32, optional
        Steps of the ring of paths, even. Default: doubled until correlations are constant over the second half of it.
    n_sites, refine : int >= 100, int >= 5
        Of "paths": sites of a chunk, and chunks that measure. Errors are the scatter of up to ten groups of chunks with Student's
        factor, and of first order: with 300 sites and 5 chunks the first moment next to the birth of a state (within .03 of gains)
        has been four of them off. There ask :func:`dmft_states`, or at a given ``amplitude``.
    amplitude : float from 1e-12 to 1e6, optional
        Second moment of the first message: instead of the state of the ensemble, that of this amplitude, for which ``along`` is
        moved (the result's ensemble says where to). It may be one that iteration leaves.
    along : str, Direction or callable, with ``amplitude``: a path through the hyperparameters
    replicas : 1 or 2
        2: how alike two copies of the network become, with the same weights and inputs that may differ [T8b].
    rho_in, rho_frozen : float from -1 to 1, default 1, with ``replicas=2``
        Correlations of the copies' white inputs; of biases and frozen inputs, as far as they differ from site to site.
    start : float from -1 to 0.99, default 0.3, with ``replicas=2``
        Correlation of the copies at first.
    sinusoid : Sinusoid, optional
        Input A cos(2 pi t / period + theta), a random phase theta at every unit; solved by paths, on rings that hold whole periods
        (the step of a flow is chosen so, where it is free). ``lines`` of the result are what repeats with it.
    rng : numpy Generator, int or None
    progress : None, True (a bar) or callable(done, total)

    Returns
    -------
    DynamicMeanField, or PairState of two copies

    Raises
    ------
    TypeError, ValueError
        bad arguments
    CapabilityError
        Laws of matrices without a dynamic mean field; method "lag" where the leak is not constant; white input in continuous time
        that does not enter linearly: the message says how to filter it into a state.
    NoCriticalValue
        no value along the path has a state of this amplitude
    ConvergenceError
        sites overflow: they grow without bound, or a flow has rates beyond 1.9 / step

    See Also
    --------
    dmft_states : all states of an ensemble
    chaos_line : where moving states begin
    steady_state : a simulated network
    fixed_points : states at rest

    Examples
    --------
    The chaotic state of a vanilla network: its activity, its largest Lyapunov exponent per step:

    >>> import gating_theory as gt
    >>> state = gt.dmft(gt.Ensemble(gt.Vanilla, gain=1.5))
    >>> print(state.verdict, round(state.moments["h"], 4), round(state.exponent, 4))
    chaotic 0.3526 0.0652
    >>> flow = gt.dmft(gt.Ensemble(gt.Vanilla, gain=1.5), flow=True)
    >>> print(flow.verdict, round(flow.moments["h"], 4), round(flow.exponent, 4))
    chaotic 0.3323 0.0467
    """
    asked = _Asked(ensemble, step, flow, method, window, n_sites, refine, rng, sinusoid)
    if (amplitude is None) != (along is None):
        raise ValueError(f"amplitude and along must be given together, got {amplitude!r} and {along!r}")
    copies = copies_of(replicas, rho_in, rho_frozen, start)
    check_progress(progress)
    path = None if along is None else path_of("along", along, ensemble)
    amplitude = None if amplitude is None else real("amplitude", amplitude, low=1e-12, high=LARGEST)
    if asked.form is None:
        paths = asked.paths if copies is None else asked.paths._replace(least=LEAST_RING)
        one = path_result(ensemble, paths, amplitude=amplitude, along=path, progress=progress)
        return one if copies is None else path_pair_result(one, copies, paths, progress)
    ensemble, shape = _lag_state(asked, amplitude, path)
    one = lag_result(ensemble, asked.clock, asked.form if shape is None else shape.law.form, shape, asked.seed)
    return one if copies is None else lag_pair_result(one, shape, copies)


def _lag_state(asked, amplitude, path):
    """(the ensemble, its state of largest amplitude or None), or those of an amplitude along a path."""
    if path is None:
        states = lag_states(asked.form, asked.clock)
        return asked.ensemble, states[0] if states else None
    size = asked.form.variance_of(amplitude)
    branch = Branch(asked.ensemble, path, asked.clock)
    value = branch.value(size)
    return path.at(asked.ensemble, value), branch.shape(value, size)


@underflow_is_zero
def dmft_states(
    ensemble: Ensemble,
    step: float | None = None,
    flow: bool = False,
    *,
    method: str = "auto",
    n_sites: int = 1000,
    refine: int = 20,
    sinusoid: Sinusoid | None = None,
    rng: Rng = 0,
    progress: Wanted = None,
) -> list[DynamicMeanField]:
    """Every state of an ensemble, the largest amplitude first, the zero state last where it exists [T8].

    Also those are found that iteration leaves (``returns`` is False), between the zero state and a chaotic one. By "lag" states are
    zeros of the growth of an amplitude whose correlations have been solved for; amplitudes below 1e-3 of the largest possible one,
    and below what input alone makes, are not looked at. By "paths" they are what a start of the largest amplitude and one of 1e-3
    of it lead to, and where these differ the state between them: with the amplitude given and all gains multiplied by a factor, it
    is where that is one; the upper state is taken from there too. Where one was not found it is there with a status that is not ok.
    Starts follow one chunk of sites, which takes gains to be up to .03 larger or smaller than they are (500 sites). So where both
    lead to one state all chunks look above it, if gains larger by a tenth have another (not under a sinusoid); where their error
    leaves open whether there are two more states, one of the verdict "undecided" that is not ok says so.

    Parameters
    ----------
    ensemble, step, flow, method, n_sites, refine, sinusoid, rng : as of :func:`dmft`
    progress : None, True (a bar) or callable(done, total), in states

    Returns
    -------
    list of DynamicMeanField

    Raises
    ------
    TypeError, ValueError, CapabilityError, ConvergenceError
        as :func:`dmft`

    See Also
    --------
    dmft : the one of largest amplitude
    fixed_points : states at rest

    Examples
    --------
    Below the onset of this GRU, at 2, a chaotic state stands beside the stable zero state, and a third state between them, which
    iteration leaves:

    >>> import gating_theory as gt
    >>> for state in gt.dmft_states(gt.Ensemble(gt.GRU, gain={"z": 0, "r": 6, "h": 1.95})):
    ...     print(round(state.moments["h"], 4), state.verdict, state.returns)
    0.0386 chaotic True
    0.0314 chaotic False
    0.0 zero_state None
    """
    asked = _Asked(ensemble, step, flow, method, None, n_sites, refine, rng, sinusoid)
    check_progress(progress)
    if asked.form is None:
        with Progress(progress, 3, "state") as tell:
            out = path_states(ensemble, asked.paths, tell)
            tell.finish()
        if out[-1].verdict != "zero_state" and _has_zero_state(ensemble) and asked.sinusoid is None:
            out.append(replace(lag_result(ensemble, asked.clock, None, None, asked.seed), method="paths"))
        return out
    found = lag_states(asked.form, asked.clock)
    with Progress(progress, len(found) + 1, "state") as tell:
        out = []
        for shape in found:
            out.append(lag_result(ensemble, asked.clock, asked.form, shape, asked.seed))
            tell(1)
        tell.finish()
    if not out or _has_zero_state(ensemble):
        out.append(lag_result(ensemble, asked.clock, asked.form, None, asked.seed))
    return out


@dataclass
class _Asked:
    """Arguments that are common, checked."""

    ensemble: Ensemble
    step: Any
    flow: Any
    method: Any
    window: Any
    n_sites: Any
    refine: Any
    rng: Any
    sinusoid: Any = None

    def __post_init__(self):
        instance("ensemble", self.ensemble, Ensemble).require("dynamics", "dmft", "Network.sample and Network.run")
        boolean("flow", self.flow), choice("method", self.method, ("auto", "lag", "paths"))
        step = None if self.step is None else real("step", self.step, low=LEAST_STEP, high=1.0)
        white = white_fields(self.ensemble) if self.flow else []
        usual = usual_step(self.flow, bool(white))
        self.clock = Clock(usual if step is None else step, bool(self.flow))
        if self.sinusoid is not None:
            if self.flow and step is None:
                self.clock = Clock(step_below(instance("sinusoid", self.sinusoid, Sinusoid), usual), True)
            self._check_sinusoid()
        self.seed = int(generator(self.rng).integers(2**63))
        if self.window is not None and integer("window", self.window, low=32) % 2:
            raise ValueError(f"window must be even, got {self.window}")
        self.paths = Paths(
            self.clock,
            self.window,
            integer("n_sites", self.n_sites, low=100),
            integer("refine", self.refine, low=5),
            self.seed,
            self.sinusoid,
        )
        fields = self.ensemble.cell.n_fields + self.ensemble.cell.n_state
        size = 40.0 * fields * self.n_sites * (self.window or 256)
        require_memory(f"n_sites = {self.n_sites} and window = {self.window}", size)
        if self.flow:
            require_flow_limit(self.ensemble, "dmft")
        self.form = None if self.method == "paths" or white or self.sinusoid is not None else lag_form(self.ensemble)
        if self.method == "lag" and self.form is None:
            cell = self.ensemble.cell.name
            raise CapabilityError(
                f'dmft: method "lag" needs a leak that is the same at all sites and times, no sinusoid and no white input in '
                f'continuous time; {cell} is not so here: use method="paths"'
            )

    def _check_sinusoid(self):
        instance("sinusoid", self.sinusoid, Sinusoid).amplitudes(self.ensemble)
        unit, least = rings_of(self.sinusoid, self.clock)
        if self.window is not None and (self.window % unit or self.window < least):
            raise ValueError(
                f"window must be a multiple of {unit} steps, and {least} or more, so that the ring holds whole periods of the "
                f"sinusoid, got {self.window}"
            )


def _has_zero_state(ensemble):
    return ensemble.cell.has_closed_form and MomentMap(ensemble).has_zero_state


def lag_result(ensemble: Ensemble, clock: Clock, form: LagForm | None, shape: LagShape | None, seed: int) -> DynamicMeanField:
    """What a shape of growth zero says of an ensemble; None: the zero state.

    Parameters
    ----------
    ensemble : Ensemble
    clock : Clock
    form : LagForm; None for the zero state
    shape : LagShape or None
    seed : int
    """
    names, listening = ensemble.cell.message_names, ensemble.cell.message_of
    rows = [listening.index(m) for m in range(len(names))]
    if shape is None:
        nothing = dict.fromkeys(names, 0.0)
        ok = _has_zero_state(ensemble)
        status = Status("zero_state", "zero state") if ok else Status("not_converged", "no state was found", ok=False)
        return DynamicMeanField(
            ensemble, clock.step, clock.flow, "lag", nothing, nothing, np.zeros((len(names), 3)), np.nan, np.nan, None, seed, status
        )
    assert form is not None
    correlations = shape.law.messages(shape.C)[rows]
    off, slope = accuracy(form, clock, shape)
    moments = dict(zip(names, correlations[:, 0].tolist()))
    stderr = {name: off * value for name, value in moments.items()}
    error = off + 1e-10
    static = shape.frozen > _STATIC * shape.C[0]
    exponent = np.nan if static else lag_exponent(shape)
    status = _lag_status(shape, static, exponent, error)
    return DynamicMeanField(
        ensemble,
        shape.clock.step,
        clock.flow,
        "lag",
        moments,
        stderr,
        correlations,
        float(exponent),
        np.nan if static else error,
        bool(slope < 0.0),
        seed,
        status,
    )


def _lag_status(shape, static, exponent, error):
    if shape.residual > _RESIDUAL:
        return Status("not_converged", f"the shape of the correlations has a residual of {shape.residual:.1g}", ok=False)
    if static:
        return Status("static", "correlations do not decay: a fixed point, not chaos")
    if shape.flat > _FLAT:
        lags = shape.C.size - 1
        return Status("short_window", f"correlations still change by {shape.flat:.1g} at the end of {lags} lags", ok=False)
    text = f"largest exponent {exponent:.6g}"
    good = shape.law.missing <= _MISSING
    if not good:
        text += f"; series miss {shape.law.missing:.1g} of a function's variance: method paths is better there"
    if abs(exponent) <= 2.0 * error:
        return Status("undecided", f"{text}, marginal", ok=good)
    if exponent > 0.0:
        return Status("chaotic", f"chaotic, {text}", ok=good)
    code = "driven" if shape.law.form.white else "undecided"
    return Status(code, f"{code}, {text}", ok=good)
