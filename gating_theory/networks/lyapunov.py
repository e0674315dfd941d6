"""Lyapunov spectra of networks, alone or along their inputs: QR re-orthonormalisation of Jacobians, with error bars [T5]."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from functools import wraps
from inspect import signature
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar, cast, overload

import numpy as np

from ..dynamics.time_averages import block_error
from ..ensemble.ensemble import Ensemble
from ..results.encoding import dict_of, require, require_shapes, result
from ..results.status import Status
from ..running.blas import single_blas_thread
from ..running.progress import Progress, check_progress
from ..support.arithmetic import underflow_is_zero
from ..support.available_memory import require_memory
from ..support.checks import boolean, generator, integer
from ..support.types import Progress as Wanted
from ..support.types import Rng
from .driven import DrivenRun, Fed
from .network import Network
from .tangent_walks import walks_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt


__all__ = ["LyapunovSpectrum", "kaplan_yorke", "lyapunov_spectrum"]

_P = ParamSpec("_P")
_R = TypeVar("_R", covariant=True)

#: Longest automatic interval. Beyond it re-orthonormalising costs nothing next to the steps; overflow is far away.
_LONGEST = 10
#: Growth of the frame's condition number within an interval from which on the smallest exponents are in doubt.
_COLLAPSE = 1e10
#: Relative difference of the two sides of the sum rule: far above the rounding of a few hundred factors, far below a missing term.
_SUM_RULE = 1e-8
#: Blocks of the error bars unless told; error bars from 20 blocks are themselves known to 16 %.
_BLOCKS = 20
#: Steps that are averaged over unless told, of a network that runs by itself.
_STEPS = 1000


@result("lyapunov")
@dataclass(frozen=True)
class LyapunovSpectrum:
    """Lyapunov exponents of a network along a trajectory, or along several sequences of inputs, with their statistics [T5].

    Made by :func:`lyapunov_spectrum`. Arrays are read-only. Natural logarithms, rates per step.

    Attributes
    ----------
    exponents : (k,) array, descending, 1/step; -inf for dead directions
    stderr : (k,) array, 1/step
        Standard errors over time from the means of ``n_blocks`` groups of intervals; 0 where the exponent is -inf. Of several
        sequences the larger of that and of the error by the scatter of their means. They know nothing of the spread between
        networks of one ensemble.
    block_logs : (n_steps / interval, k) array
        ``log |R_jj|`` of every interval, dimensionless; columns in the order of ``exponents``, which are their means over
        ``interval``. Of several sequences one stands after the other.
    interval : int, steps between two re-orthonormalisations
    n_steps : int, steps averaged over, of all sequences together: those asked for, rounded up to whole intervals
    n_blocks : int, groups of intervals behind ``stderr``
    dimension : float
        Kaplan-Yorke dimension ``j + (l_1 + .. + l_j) / |l_{j+1}|``, j the last index with a sum that is not negative; d N where no
        sum is. nan where k exponents do not reach it, as ``status`` then says.
    entropy : float, 1/step
        Sum of the positive exponents (an upper bound of the metric entropy; with too small a k only a part, as ``status`` says).
    sum_rule : (float, float) or None
        Sum of all exponents, and the mean of ``log|det J|`` over the same steps by LU of the dense Jacobians, 1/step: equal to
        rounding. None unless k = d N. Per unit it is the potential at 0, ``Spectrum.potential(0)``, of the sites that are visited
        [T4, T10]: larger for orthogonal matrices than for iid ones of the same gain (by 1/2 for a vanilla network), though the
        largest exponent is the same.
    state : (d, N) array, the state at the end (of the last sequence)
    status : Status
        Code "ok"; "still": the inputs given never change; "dead_directions": some exponents are -inf; with ``ok`` False "short":
        inputs end before the steps asked for; "partial": k exponents do not reach the dimension; "inaccurate": the frame came close
        to collapse, or the sum rule does not hold. The words say all that holds, the code the last of these.
    n_units : int, N
    transient, tangent_transient : int, steps dropped
    ensemble : Ensemble of the network
    driven : bool
        Whether along inputs that were given: these then are conditional exponents. Below zero the network forgets where it started
        and follows its input alone, an echo state.
    intervals : tuple of int, the number of intervals of each sequence

    Examples
    --------
    All exponents of a chaotic network: their sum is that of ``log|det J|``.

    >>> import gating_theory as gt
    >>> net = gt.Network.sample(gt.Ensemble(gt.Vanilla, gain=3), 50, rng=0)
    >>> found = gt.lyapunov_spectrum(net, n_steps=300, rng=1)
    >>> print(round(found.exponents[0], 1), found.dimension > 10, found.status.code)
    0.3 True ok
    >>> total, log_det = found.sum_rule
    >>> print(abs(round(total - log_det, 6)))
    0.0
    """

    exponents: np.ndarray
    stderr: np.ndarray
    block_logs: np.ndarray = field(repr=False)
    interval: int
    n_steps: int
    n_blocks: int
    dimension: float
    entropy: float
    sum_rule: tuple[float, float] | None
    state: np.ndarray = field(repr=False)
    status: Status
    n_units: int
    transient: int
    tangent_transient: int
    ensemble: Ensemble
    driven: bool
    intervals: tuple[int, ...]

    as_dict = dict_of

    def __post_init__(self) -> None:
        for array in (self.exponents, self.stderr, self.block_logs, self.state):
            array.flags.writeable = False

    @property
    def n_sequences(self) -> int:
        """Number of sequences; 1 for a network that ran by itself."""
        return len(self.intervals)

    @property
    def by_sequence(self) -> np.ndarray:
        """Exponents of each sequence, (n_sequences, k), 1/step, in the order of ``exponents``."""
        parts = np.split(self.block_logs, np.cumsum(self.intervals)[:-1])
        return np.array([part.mean(axis=0) for part in parts]) / self.interval

    def __str__(self) -> str:
        size = self.ensemble.cell.n_state * self.n_units
        shown = ", ".join(f"{value:.5f} +- {error:.5f}" for value, error in zip(self.exponents[:3], self.stderr[:3]))
        more = ", ..." if self.exponents.size > 3 else ""
        kind = "conditional Lyapunov" if self.driven else "Lyapunov"
        along = f" of {self.n_sequences} sequences" if self.n_sequences > 1 else ""
        return (
            f"{self.exponents.size} of {size} {kind} exponents of a {self.ensemble.cell.name} network, {self.n_units} units, "
            f"{self.n_steps} steps{along}: {shown}{more} per step; "
            f"dimension {self.dimension:.6g}, entropy {self.entropy:.6g} per step; status: {self.status}"
        )

    def check(self) -> None:
        """ValueError where shapes contradict the sizes, or exponents are not the means of their logs."""
        for name, low in {"interval": 1, "n_steps": 2, "n_blocks": 2, "n_units": 1, "transient": 0, "tangent_transient": 0}.items():
            integer(name, getattr(self, name), low=low)
        k = self.exponents.size
        shapes = {"exponents": (k,), "stderr": (k,), "block_logs": (self.n_steps // self.interval, k)}
        require_shapes(self, shapes | {"state": (self.ensemble.cell.n_state, self.n_units)})
        # the logs are the measurement, the exponents follow from them: to the rounding of a sum in another order
        boolean("driven", self.driven)
        require(sum(self.intervals) == len(self.block_logs), "intervals must add up to the rows of block_logs")
        require(all(integer("intervals", n, low=1) for n in self.intervals), "intervals must be numbers of intervals")
        means = self.block_logs.mean(axis=0) / self.interval
        require(np.allclose(means, self.exponents, rtol=1e-9, atol=1e-12), "exponents must be the means of their block_logs")


class _System(Protocol):
    """What a type checker knows of the other systems."""

    @property
    def dim(self) -> int: ...

    def jacobian(self, state: npt.ArrayLike) -> np.ndarray: ...


class _OfAnySystem(Protocol[_P, _R]):
    """The function of networks, which takes other systems too, with the arguments of their own functions."""

    @overload
    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R: ...

    @overload
    def __call__(self, net: _System, *args: Any, **kwargs: Any) -> Any: ...


def _of_any_system(of_network: Callable[_P, _R]) -> _OfAnySystem[_P, _R]:
    """A function that hands systems of later chapters to the function of its name on their chapter's face."""

    @wraps(of_network)
    def chosen(net, *args, **kwargs):
        calculate = _of_its_chapter(type(net), of_network.__name__)
        if calculate is None:
            return of_network(net, *args, **kwargs)
        try:
            signature(calculate).bind(net, *args, **kwargs)
        except TypeError as error:
            raise TypeError(f"net is a {type(net).__name__}, of which other arguments are expected: {error}") from None
        return calculate(net, *args, **kwargs)

    return cast("_OfAnySystem[_P, _R]", chosen)


def _of_its_chapter(kind, name):
    """What the face of the chapter that defines a class, or one that it comes from, passes on under a name; None without it."""
    faces = (sys.modules.get(parent.__module__.rpartition(".")[0]) for parent in kind.__mro__)
    own = (face for face in faces if face is not None and face.__name__.startswith(f"{__name__.partition('.')[0]}."))
    return next((getattr(face, name) for face in own if hasattr(face, name)), None)


@_of_any_system
@underflow_is_zero
def lyapunov_spectrum(
    net: Network | DrivenRun | Fed,
    k: int | None = None,
    n_steps: int | None = None,
    *,
    inputs: npt.ArrayLike | None = None,
    parameters: npt.ArrayLike | None = None,
    state: npt.ArrayLike | None = None,
    transient: int | None = None,
    tangent_transient: int | None = None,
    interval: int | None = None,
    n_blocks: int | None = None,
    rng: Rng = None,
    progress: Wanted = None,
) -> LyapunovSpectrum:
    """The k largest Lyapunov exponents of a network along a trajectory, by QR of the product of its Jacobians [T5].

    A :class:`~gating_theory.flow.Flow` is taken too: see ``flow.lyapunov_spectrum``, whose arguments then hold.

    An orthonormal frame of k tangent vectors, random at first, is carried by the exact state-to-state Jacobian (d N x d N: for
    the LSTM h and c) and made orthonormal again every ``interval`` steps; exponents are the time averages of ``log |R_jj|``. Fields
    with an ``input_std`` get fresh noise at every step, as in :meth:`Network.run`: exponents then are those of the driven network.

    With ``inputs``, or of a recording, they are conditional exponents along these inputs: of nearby states that are shown the same.

    Parameters
    ----------
    net : Network, a single one, a layer or recording of one, or a Flow
        Of a layer read from another library (``gt.read(path).layer()``) with ``inputs``, or of a ``Recording`` of it.
    k : int in [1, d N], optional
        The number of exponents; default all, d N. Cost and memory are proportional to k. With the same seed the k largest are the
        same numbers for every k, to rounding and up to the order of neighbours within their errors.
    n_steps : int >= 2, optional
        Steps to average over, of each sequence, rounded up to whole intervals. Default 1000; along given inputs all that are left.
        Inputs that end before are averaged over as far as they go, as ``status`` says.
    inputs : array, optional
        Of a Network: what its fields get at each step in place of its frozen input and noise, (T, K, N), or (T, B, K, N) for B
        sequences. Of a layer: its input vectors (T, I), or sequences as its ``record`` takes them.
    parameters : (T, P, N) or (T, B, P, N) array, optional
        Site parameters of a Network at each step, beside ``inputs``; default its own. ``layer.drive(x)`` gives both for x (T, I).
    state : (d, N) array, or flat, optional
        Where to start, before the transients. Default standard normal for a Network, zero for a layer.
    transient : int >= 0, optional
        Steps of the state alone, first. Default 200; along given inputs a tenth of the shortest sequence if that is less.
    tangent_transient : int >= 0, optional
        Steps of state and frame after that, not counted. Neighbouring exponents separate at the rate of their difference, about
        1/N: where the details of a spectrum matter, make it a few N. Default 50, likewise.
    interval : int in [1, n_steps / 2], optional
        Steps between two re-orthonormalisations. By default found during ``tangent_transient``, starting from 1: the longest up to
        10, and up to n_steps / 20, that keeps the condition number of the frame below about 1e6. The result does not depend on it
        as long as that is far below 1e16; ``status`` warns.
    n_blocks : int in [2, number of intervals], optional
        Groups of consecutive intervals whose means give the standard errors; default 20, or the number of intervals if less.
        A group should be longer than the correlation time of the dynamics.
    rng : numpy Generator, int or None
        For the start, the first frame, the noise.
    progress : None, True or callable
        True: a progress bar. A callable is told ``progress(done, total)`` in steps, transients included.

    Returns
    -------
    LyapunovSpectrum

    Raises
    ------
    TypeError, ValueError
        For anything but a single Network, a layer or a recording, numbers out of range, arrays of another shape, inputs of fewer
        steps than the transients.
    ConvergenceError
        The state or the frame runs away to infinity (cells with unbounded candidates); ``estimate`` is the last state.

    See Also
    --------
    finite_time_exponents : how much exponents of short windows vary
    largest_exponent : one exponent of a large network without matrices

    Notes
    -----
    Everything runs on one BLAS thread, because small QR decompositions are slower on several; use processes for several networks.
    Directions that die (an LSTM whose h is a function of its c, units without any output) have the exponent -inf; so have, as the
    status says, those that shrink within one interval by more than rounding resolves next to the others.

    Examples
    --------
    >>> import gating_theory as gt
    >>> net = gt.Network.sample(gt.Ensemble(gt.Vanilla, gain=3), n_units=100, rng=0)
    >>> result = gt.lyapunov_spectrum(net, k=5, n_steps=200, rng=1)
    >>> bool(result.exponents[0] > 0)
    True

    Strong enough inputs, the same for all states, hold the network:

    >>> import numpy as np
    >>> x = 10.0 * np.random.default_rng(0).standard_normal((400, 1, 100))
    >>> bool(gt.lyapunov_spectrum(net, k=1, inputs=x, rng=1).exponents[0] < 0)
    True
    """
    check_progress(progress)
    rng = generator(rng)
    # a generator of its own for the frame: the trajectory must not depend on k
    frame_rng = np.random.default_rng(rng.integers(2**63))
    with single_blas_thread():
        walks = walks_of(net, inputs, parameters, state, (n_steps, transient, tangent_transient), _STEPS, rng)
        size = walks.size
        k = size if k is None else integer("k", k, low=1, high=size)
        if interval is not None:
            interval = integer("interval", interval, low=1, high=walks.longest_interval)
        if n_blocks is not None:
            n_blocks = integer("n_blocks", n_blocks, low=2, high=sum(walks.intervals(interval or 1)))
        require_memory(f"the logarithms of n_steps = {walks.n_steps}", 8.0 * 2 * k * walks.n_steps / (interval or 1))
        longest = min(walks.longest_interval, _LONGEST, max(1, walks.n_steps // max(_BLOCKS, n_blocks or 0)))
        with Progress(progress, walks.total, "step") as tell:
            found = walks.measure(frame_rng.standard_normal((k, size)), interval, longest, tell)
    exponents = found.logs.mean(axis=0) / found.interval
    order = np.argsort(-exponents, kind="stable")  # neighbours need not have separated in a finite time
    exponents, logs = exponents[order], found.logs[:, order]
    steps = len(logs) * found.interval
    rule = (float(logs.sum() / steps), float(found.log_det / steps)) if k == size else None
    n_blocks = min(n_blocks or _BLOCKS, len(logs))
    return LyapunovSpectrum(
        exponents=exponents,
        stderr=_errors(exponents, logs, found, n_blocks),
        block_logs=logs,
        interval=found.interval,
        n_steps=steps,
        n_blocks=n_blocks,
        dimension=kaplan_yorke(exponents, size)[0],
        entropy=float(exponents[exponents > 0].sum()),
        sum_rule=rule,
        state=found.state,
        status=_status(exponents, logs, found.interval, walks, rule),
        n_units=walks.network.n_units,
        transient=walks.transient,
        tangent_transient=walks.tangent_transient,
        ensemble=walks.network.ensemble,
        driven=walks.run is not None,
        intervals=found.intervals,
    )


def _errors(exponents, logs, found, n_blocks):
    """Standard errors from the means of groups of intervals, and of sequences; 0 where an exponent is -inf."""
    alive = np.isfinite(exponents)
    stderr = np.zeros(exponents.size)
    stderr[alive] = block_error(logs[:, alive], n_blocks)
    if len(found.intervals) > 1:
        counts = np.array(found.intervals)
        means = np.array([part.mean(axis=0) for part in np.split(logs[:, alive], np.cumsum(counts)[:-1])])
        away = (counts[:, None] / counts.sum()) * (means - logs[:, alive].mean(axis=0))
        between = np.sqrt((away**2).sum(axis=0) * counts.size / (counts.size - 1))
        stderr[alive] = np.maximum(stderr[alive], between)
    return stderr / found.interval


def _status(exponents, logs, interval, walks, rule):
    """What to know about these numbers; the code is that of the gravest note."""
    notes, code, size = [], "ok", walks.size
    if walks.run is not None and walks.run.still():
        code = "still"
        notes.append("the inputs never change: these are the exponents of the network under a frozen input")
    n_dead = int(np.sum(~np.isfinite(exponents)))
    if n_dead:
        code = "dead_directions"
        notes.append(
            f"{n_dead} exponents are -inf: directions that die, or shrink within an interval ({interval} steps) by more than "
            "rounding resolves"
        )
    if walks.short:
        code = "short"
        notes.append(f"the inputs end early: {min(walks.steps)} of the {walks.asked} steps asked for are averaged over")
    spread = _largest_spread(logs)
    collapsed = interval > 1 and spread > np.log(_COLLAPSE)
    if collapsed:
        notes.append(
            f"the frame came close to collapse (1e{spread / np.log(10):.0f}): for the smallest exponents take a shorter interval"
        )
    if not kaplan_yorke(exponents, size)[1]:
        code = "partial"
        notes.append(f"dimension unknown: the sum of the {exponents.size} exponents is not negative yet, ask for more")
        if exponents[-1] > 0:
            notes.append("entropy is a lower bound: all exponents found are positive")
    violated = rule is not None and np.isfinite(rule[0]) and not abs(rule[0] - rule[1]) <= _SUM_RULE * max(1.0, abs(rule[1]))
    if violated:
        notes.append(f"the sum rule is violated: {rule[0]!r} from the frame, {rule[1]!r} from determinants, per step")
    if collapsed or violated:
        code = "inaccurate"
    return Status(code, "; ".join(notes), ok=code in ("ok", "still", "dead_directions"))


def _largest_spread(logs):
    """Largest difference of log |R_jj| within an interval, of directions that live."""
    alive = [row[np.isfinite(row)] for row in logs]
    return max((float(np.ptp(row)) for row in alive if row.size), default=0.0)


def kaplan_yorke(exponents: np.ndarray, size: int) -> tuple[float, bool]:
    """Kaplan-Yorke dimension ``j + (l_1 + .. + l_j) / |l_{j+1}|``, j the last index with a sum that is not negative [T5].

    Parameters
    ----------
    exponents : (k,) array, descending, k <= size
    size : int, the dimension of the space

    Returns
    -------
    dimension : float, nan where these exponents do not reach it
    reached : bool
    """
    sums = np.cumsum(exponents)
    negative = np.flatnonzero(sums < 0)
    if negative.size:
        j = int(negative[0])
        return (float(j + sums[j - 1] / abs(exponents[j])) if j else 0.0), True
    return (float(size), True) if exponents.size == size else (float("nan"), False)
