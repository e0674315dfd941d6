"""Lyapunov spectra of sampled networks: QR re-orthonormalisation of the product of Jacobians, with error bars [T5].

The tangent map is never written out as a matrix: a frame of k tangent vectors goes through the site derivatives of the cell and the
matrices U_k, as the state does. Both come from the cell's definition, so every cell is served, the LSTM with h and c.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from functools import wraps
from inspect import signature
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar, cast, overload

import numpy as np

from ..dynamics.time_averages import block_error
from ..ensemble.ensemble import Ensemble
from ..errors import ConvergenceError
from ..results.encoding import dict_of, require, require_shapes, result
from ..results.status import Status
from ..running.blas import single_blas_thread
from ..running.progress import Progress, check_progress
from ..support.arithmetic import underflow_is_zero
from ..support.available_memory import require_memory
from ..support.checks import generator, instance, integer
from ..support.types import Progress as Wanted
from ..support.types import Rng
from .network import Network

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt


__all__ = ["LyapunovSpectrum", "kaplan_yorke", "lyapunov_spectrum"]

_P = ParamSpec("_P")
_R = TypeVar("_R", covariant=True)

#: The automatic interval keeps the condition number of the frame below this: ten of sixteen digits are left to the smallest.
_CONDITION = 1e6
#: Longest automatic interval. Beyond it re-orthonormalising costs nothing next to the steps; overflow is far away.
_LONGEST = 10
#: Growth of the frame's condition number within an interval from which on the smallest exponents are in doubt.
_COLLAPSE = 1e10
#: Relative difference of the two sides of the sum rule: far above the rounding of a few hundred factors, far below a missing term.
_SUM_RULE = 1e-8
#: Blocks of the error bars unless told; error bars from 20 blocks are themselves known to 16 %.
_BLOCKS = 20


@result("lyapunov")
@dataclass(frozen=True)
class LyapunovSpectrum:
    """Lyapunov exponents of a network along one trajectory, with their statistics [T5].

    Made by :func:`lyapunov_spectrum`. Arrays are read-only. Natural logarithms, rates per step.

    Attributes
    ----------
    exponents : (k,) array, descending, 1/step; -inf for dead directions
    stderr : (k,) array, 1/step
        Standard errors over time from the means of ``n_blocks`` groups of intervals; 0 where the exponent is -inf. They know
        nothing of the spread between networks of one ensemble.
    block_logs : (n_steps / interval, k) array
        log |R_jj| of every interval, dimensionless; columns in the order of ``exponents``, which are their means over ``interval``.
    interval : int, steps between two re-orthonormalisations
    n_steps : int, steps averaged over: those asked for, rounded up to whole intervals
    n_blocks : int, groups of intervals behind ``stderr``
    dimension : float
        Kaplan-Yorke dimension j + (l_1 + .. + l_j) / |l_{j+1}|, j the last index with a sum that is not negative; d N where no
        sum is. nan where k exponents do not reach it, as ``status`` then says.
    entropy : float, 1/step
        Sum of the positive exponents (an upper bound of the metric entropy; with too small a k only a part, as ``status`` says).
    sum_rule : (float, float) or None
        Sum of all exponents, and the mean of log|det J| over the same steps by LU of the dense Jacobians, 1/step: equal to
        rounding. None unless k = d N. Per unit it is the potential at 0, ``Spectrum.potential(0)``, of the sites that are visited
        [T4, T10]: larger for orthogonal matrices than for iid ones of the same gain (by 1/2 for a vanilla network), though the
        largest exponent is the same.
    state : (d, N) array, the state at the end
    status : Status
        Code "ok"; "dead_directions": some exponents are -inf; with ``ok`` False "partial": k exponents do not reach the dimension;
        "inaccurate": the frame came close to collapse, or the sum rule does not hold. The words say all that holds, the code the
        last of these.
    n_units : int, N
    transient, tangent_transient : int, steps dropped
    ensemble : Ensemble of the network
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

    as_dict = dict_of

    def __post_init__(self) -> None:
        for array in (self.exponents, self.stderr, self.block_logs, self.state):
            array.flags.writeable = False

    def __str__(self) -> str:
        size = self.ensemble.cell.n_state * self.n_units
        shown = ", ".join(f"{value:.5f} +- {error:.5f}" for value, error in zip(self.exponents[:3], self.stderr[:3]))
        more = ", ..." if self.exponents.size > 3 else ""
        return (
            f"{self.exponents.size} of {size} Lyapunov exponents of a {self.ensemble.cell.name} network, {self.n_units} units, "
            f"{self.n_steps} steps: {shown}{more} per step; "
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
    net: Network,
    k: int | None = None,
    n_steps: int = 1000,
    *,
    state: npt.ArrayLike | None = None,
    transient: int = 200,
    tangent_transient: int = 50,
    interval: int | None = None,
    n_blocks: int | None = None,
    rng: Rng = None,
    progress: Wanted = None,
) -> LyapunovSpectrum:
    """The k largest Lyapunov exponents of a network along a trajectory, by QR of the product of its Jacobians [T5].

    A :class:`~gating_theory.flow.Flow` is taken too: see ``flow.lyapunov_spectrum``, whose arguments then hold.

    An orthonormal frame of k tangent vectors, random at first, is carried by the exact state-to-state Jacobian (d N x d N: for
    the LSTM h and c) and made orthonormal again every ``interval`` steps; exponents are the time averages of log |R_jj|. Fields
    with an ``input_std`` get fresh noise at every step, as in :meth:`Network.run`: exponents then are those of the driven network.

    Parameters
    ----------
    net : Network, a single one (or a Flow)
    k : int in [1, d N], optional
        The number of exponents; default all, d N. Cost and memory are proportional to k. With the same seed the k largest are the
        same numbers for every k, to rounding and up to the order of neighbours within their errors.
    n_steps : int >= 2
        Steps to average over, rounded up to whole intervals.
    state : (d, N) array, or flat, optional
        Where to start, before the transients. Default standard normal.
    transient : int >= 0
        Steps of the state alone, first.
    tangent_transient : int >= 0
        Steps of state and frame after that, not counted. Neighbouring exponents separate at the rate of their difference, about
        1/N: where the details of a spectrum matter, make it a few N.
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
        For anything but a single Network, numbers out of range, states of another shape.
    ConvergenceError
        The state or the frame runs away to infinity (cells with unbounded candidates); ``estimate`` is the last state.

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
    """
    instance("net", net, Network)
    if net.batch is not None:
        raise ValueError(f"net must be a single network, got a batch of {net.batch}")
    size = net.cell.n_state * net.n_units
    k = size if k is None else integer("k", k, low=1, high=size)
    n_steps = integer("n_steps", n_steps, low=2)
    transient, tangent_transient = integer("transient", transient), integer("tangent_transient", tangent_transient)
    if interval is not None:
        interval = integer("interval", interval, low=1, high=n_steps // 2)
    if n_blocks is not None:
        n_blocks = integer("n_blocks", n_blocks, low=2, high=n_steps if interval is None else -(-n_steps // interval))
    check_progress(progress)
    require_memory(f"the logarithms of n_steps = {n_steps}", 8.0 * 2 * k * n_steps / (interval or 1))
    rng = generator(rng)
    # a generator of its own for the frame: the trajectory must not depend on k
    frame_rng = np.random.default_rng(rng.integers(2**63))
    state = net.random_state(rng) if state is None else net.as_state(state)

    with single_blas_thread(), Progress(progress, transient + tangent_transient + n_steps, "step") as tell:
        state = net.run(state, transient, rng=rng)
        tell(transient)
        walk = _Walk(net, state, frame_rng.standard_normal((k, size)), rng, tell)
        longest = min(_LONGEST, max(1, n_steps // max(_BLOCKS, n_blocks or 0)))
        interval = walk.settle(tangent_transient, interval, longest)
        logs, rule = walk.measure(-(-n_steps // interval), interval, k == size)
    exponents = logs.mean(axis=0) / interval
    order = np.argsort(-exponents, kind="stable")  # neighbours need not have separated in a finite time
    exponents, logs = exponents[order], logs[:, order]
    n_blocks = min(n_blocks or _BLOCKS, len(logs))
    return LyapunovSpectrum(
        exponents=exponents,
        stderr=_errors(exponents, logs, interval, n_blocks),
        block_logs=logs,
        interval=interval,
        n_steps=len(logs) * interval,
        n_blocks=n_blocks,
        dimension=kaplan_yorke(exponents, size)[0],
        entropy=float(exponents[exponents > 0].sum()),
        sum_rule=rule,
        state=walk.state.copy(),
        status=_status(exponents, logs, interval, size, rule),
        n_units=net.n_units,
        transient=transient,
        tangent_transient=tangent_transient,
        ensemble=net.ensemble,
    )


class _Walk:
    """A trajectory with its frame of tangent vectors.

    The frame is kept with its k vectors as rows, (k, d N) in C order: to LAPACK that is the d N x k matrix it decomposes in place.
    """

    def __init__(self, net, state, frame, rng, tell):
        self.net, self.state, self.tell = net, state, tell
        self.pattern_at = net.input_sequence("noise", 0, rng)
        self.time = 0
        self.frame = frame
        self.orthonormalise()

    def step(self):
        """One step of state and frame; returns the input it was made with."""
        net = self.net
        pattern = self.pattern_at(self.time)
        with np.errstate(over="ignore", invalid="ignore"):
            fields, new = net.advance(self.state, pattern)
            # columns are directions there, rows here: both ways a view
            directions = net.push(self.state, self.frame.reshape(-1, *self.state.shape).transpose(1, 2, 0), fields=fields)
            self.frame = directions.transpose(2, 0, 1).reshape(self.frame.shape)
        self.time += 1
        if not np.isfinite(new).all():
            raise ConvergenceError(
                f"the state runs away: it is not finite {self.time} steps after the transient", estimate=self.state
            )
        self.state = new
        self.tell(1)
        return pattern

    def orthonormalise(self):
        """Replace the frame by its Q; returns R and log |R_jj|, -inf for directions that rounding does not resolve.

        Saturated sites make rows of very different size. With the largest first Householder's QR is accurate row by row (Cox and
        Higham 1998), and so are small R_jj; R itself does not depend on the order of rows.
        """
        from scipy.linalg import qr

        k, size = self.frame.shape
        with np.errstate(over="ignore", invalid="ignore"):
            rows = np.sqrt(np.einsum("ij,ij->j", self.frame, self.frame))
        if not np.isfinite(rows).all():
            raise ConvergenceError(
                f"tangent vectors overflow after {self.time} steps: take a shorter interval", estimate=self.state
            )
        order = np.argsort(-rows, kind="stable")
        q, r = qr(self.frame[:, order].T, overwrite_a=True, mode="economic", check_finite=False)
        self.frame[:, order] = q.T
        diagonal = np.abs(np.diagonal(r))
        # Rounding leaves a few eps times the row that is being reduced, at most, where nothing should be left
        dead = diagonal <= (100 + size) * np.finfo(float).eps * rows[order[:k]]
        with np.errstate(divide="ignore"):
            return r, np.log(np.where(dead, 0.0, diagonal))

    def settle(self, n_steps, interval, longest):
        """Let the frame turn to its directions, and find the interval if none is given."""
        fixed = interval is not None
        interval = interval or 1
        rate = 0.0  # largest growth of the log of the condition number per step seen
        while n_steps > 0:
            length = min(interval, n_steps)
            for _ in range(length):
                self.step()
            n_steps -= length
            r, _ = self.orthonormalise()
            if not fixed:
                # condition numbers multiply at most: what one step does bounds what several do
                rate = max(rate, _log_condition(r) / length)
                allowed = longest if rate * longest <= np.log(_CONDITION) else int(np.log(_CONDITION) / rate)
                interval = max(1, min(2 * interval, allowed))
        return interval

    def measure(self, n_intervals, interval, full):
        """log |R_jj| of every interval; and, if the frame is full, their sum and log|det J| over the same steps, both per step."""
        logs = np.empty((n_intervals, self.frame.shape[0]))
        log_det = 0.0
        for b in range(n_intervals):
            for _ in range(interval):
                before = self.state
                pattern = self.step()
                if full:
                    log_det += np.linalg.slogdet(self.net.jacobian(before, pattern))[1]
            _, logs[b] = self.orthonormalise()
        steps = n_intervals * interval
        return logs, (float(logs.sum() / steps), float(log_det / steps)) if full else None


def _log_condition(r):
    """Log of the condition number of an upper triangular matrix in the 1-norm; inf where it is singular."""
    from scipy.linalg.lapack import dtrtri

    inverse, failed = dtrtri(r)
    if failed:
        return np.inf
    with np.errstate(over="ignore", invalid="ignore"):
        value = np.abs(r).sum(axis=0).max() * np.abs(inverse).sum(axis=0).max()
    return float(np.log(value)) if np.isfinite(value) else np.inf


def _errors(exponents, logs, interval, n_blocks):
    """Standard errors from the means of groups of intervals; 0 where an exponent is -inf."""
    alive = np.isfinite(exponents)
    stderr = np.zeros(exponents.size)
    stderr[alive] = block_error(logs[:, alive], n_blocks) / interval
    return stderr


def _status(exponents, logs, interval, size, rule):
    """What to know about these numbers; the code is that of the gravest note."""
    notes, code = [], "ok"
    n_dead = int(np.sum(~np.isfinite(exponents)))
    if n_dead:
        code = "dead_directions"
        notes.append(
            f"{n_dead} exponents are -inf: directions that die, or shrink within an interval ({interval} steps) by more than "
            "rounding resolves"
        )
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
    return Status(code, "; ".join(notes), ok=code in ("ok", "dead_directions"))


def _largest_spread(logs):
    """Largest difference of log |R_jj| within an interval, of directions that live."""
    alive = [row[np.isfinite(row)] for row in logs]
    return max((float(np.ptp(row)) for row in alive if row.size), default=0.0)


def kaplan_yorke(exponents: np.ndarray, size: int) -> tuple[float, bool]:
    """Kaplan-Yorke dimension j + (l_1 + .. + l_j) / |l_{j+1}|, j the last index with a sum that is not negative [T5].

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
