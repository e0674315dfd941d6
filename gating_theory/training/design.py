"""From wanted dynamics to hyperparameters: gains and biases that give a random network the timescales asked for [T6]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..cell.cell import Cell
from ..ensemble.ensemble import Ensemble
from ..ensemble.hyperparameters import is_of_hyperparameters, tied
from ..ensemble.paths import AnyPath, moved
from ..errors import CapabilityError, ConvergenceError
from ..gradients.scatter import scatter_of
from ..results.encoding import dict_of, require, result
from ..results.status import Status
from ..spectrum.spectrum import Spectrum
from ..support.arithmetic import underflow_is_zero
from ..support.checks import choice, instance, integer, real, shown
from .memory import remembering
from .promise import Promise, promise_of
from .search import Search
from .targets import STATES, State, Target, targets_of
from .unknowns import require_separate, spans_of, unknowns_of

__all__ = ["Design", "design"]

#: What factors of tied hyperparameters round off, relative to the larger of 1 and the value.
_ROUNDING = 1e-14
#: How far a stored number of a target may be from what the ensemble gives, relative to the larger of 1 and the number.
_STORED = 1e-6
#: The longest memory, in steps: that of ``gradient_growth``.
_LONGEST = 10_000
#: Steps of the product whose singular values stand for those of longer ones, and the largest kappa for which they do.
_FEW, _SLOW = 20, 2.0
#: Decades by which gradients of single networks may scatter before it is said.
_SCATTER = 1.0


@result("design")
@dataclass(frozen=True)
class Design:
    """Hyperparameters found by :func:`design`.

    Attributes
    ----------
    ensemble : Ensemble, the answer; where the target was not reached the nearest one met
    target, achieved : dict, {"slow_fraction(200)": 0.2, "abscissa": 0.999, ...}: wanted, and what the ensemble gives
    solution : dict, {name of the path: value} of what was solved for
    state : str, "zero", "active" or "steady"
    reached : bool, whether every target is met to the tolerance
    reachable : dict, {label: (low, high)}
        Range of a target's quantity over the values scanned of its own unknown, with the targets solved inside it met; given for
        targets that were not reached.
    status : Status
        Code "reached" or, with ``ok`` False, "not_reached"; the words then say what is nearest and what can be reached. They also
        say where the limit of infinitely many units does not describe networks of n_units (``Spectrum.concentration``), and where
        gradients of single networks scatter by more than a decade (``GradientGrowth.scatter``, of their matrices alone); of designs
        made with ``memory``, where Lambda times the fluctuation of the gain is above 1 (``Promise.fluctuation``).
    size : (int, int, int), n_units of networks that the status is about, n_steps and seed of the one behind state "steady"
    promise : Promise or None, what gradients do, of designs made with ``memory``

    See Also
    --------
    gating_theory.design : Makes one.

    Examples
    --------
    >>> import gating_theory as gt
    >>> result = gt.design(gt.GRUResetAfter, memory=100)
    >>> result.reached, result.status.code
    (True, 'reached')
    >>> round(result.ensemble.bias["z"], 3)
    4.605
    """

    ensemble: Ensemble
    target: dict[str, float]
    achieved: dict[str, float]
    solution: dict[str, float]
    state: str
    reached: bool
    reachable: dict[str, tuple[float, float]]
    status: Status
    size: tuple[int, int, int]
    promise: Promise | None = None

    as_dict = dict_of

    @cached_property
    def spectrum(self) -> Spectrum:
        """Spectrum of the ensemble in that state."""
        return State(self.ensemble, self.state, self.size).spectrum

    def check(self) -> None:
        """ValueError where hyperparameters or targets contradict the ensemble, or a mean-field state does not give them."""
        for path, value in self.solution.items():
            if is_of_hyperparameters(path):
                found = self.ensemble.value(path)
                near = abs(found - value) <= _ROUNDING * max(1.0, abs(value))
                require(near, f"the ensemble has {path} = {found!r}, but the solution is {value!r}")
        good = self.state in STATES and len(self.size) == 3
        require(good, f"state must be one of {STATES} with a size of three numbers, got {self.state!r} and {self.size!r}")
        wanted, got = list(self.target), list(self.achieved)
        require(set(wanted) == set(got), f"achieved must have the targets {wanted}, got {got}")
        if self.state != "steady":  # which would take a simulation
            at = State(self.ensemble, self.state, self.size)
            for label, value in self.achieved.items():
                stored = Target.labelled(label, value)
                off = abs(stored.off(at.quantity(stored)))
                require(
                    off <= _STORED * max(1.0, abs(value)), f"achieved has {label} = {value}, which is not what the ensemble gives"
                )

    def __str__(self) -> str:
        lines = [f"{self.ensemble.cell.name} design, {self.state} state: {self.status}"]
        lines += [f"  {path} = {value:.6g}" for path, value in self.solution.items()]
        lines += [f"  {label}: {self.achieved[label]:.6g} (wanted {value:.6g})" for label, value in self.target.items()]
        lines += [f"  {line}" for line in ([] if self.promise is None else str(self.promise).splitlines())]
        return "\n".join(lines)


@underflow_is_zero
def design(
    cell: Cell | Ensemble,
    target: Mapping[str, Any] | None = None,
    given: Mapping[str, float] | None = None,
    *,
    memory: int | None = None,
    kappa: float | None = None,
    free: Sequence[AnyPath] | None = None,
    bounds: Mapping[Any, tuple[float, float]] | None = None,
    state: str = "zero",
    tol: float = 1e-4,
    n_units: int = 2000,
    n_steps: int = 200,
    rng: int = 0,
) -> Design:
    """Gains and biases of a random network with the wanted timescales, stability and gradients [T3, T5, T6, T9].

    ``design(cell, memory=T)`` is an initialisation whose gradients survive T steps, from the cell's zero state alone [T9]. The
    gate that sets the leak has 1 - leak = kappa / (T + kappa), sigma(b) at b = log(T / kappa), and the gain of the candidate is
    that of the onset, spectral radius 1: the mean square of gradients through T steps of the same weights is then about exp(-2
    kappa) I_0(2 kappa), .31 at kappa = 1, of a GRU; it falls as a power of T beyond and not exponentially. Of cells with a gate of
    their own for what is written (an LSTM's input gate) this is shut as far as the other is open, b_i = -b_f, so that gains are of
    order one and c a leaky average of what is written. The rest stays as it is: ``given={"bias.o": 5}`` opens an LSTM's output
    gate, which a loss on h sees as a factor of sigma(b_o)^2. An MGU, whose slow gate also resets, needs a gain of T / kappa.
    ``promise`` has what Adam may do with it: the largest learning rate, .05 / Lambda, and the eps that gradients have to be above.
    kappa up to 3 is enough: small networks are then close to the onset as well, and clean recall (one event, then silence) does not
    need the onset at all. With larger kappa networks of few units miss it, and the status says so: orthogonal matrices,
    ``design(Ensemble(cell, matrices="orthogonal"), memory=T)``, do not.

    Else each target is solved for by one hyperparameter, one inside the other: the stability target by the gain of the
    candidate for every value of the others, gradients and slow fractions around it. Every unknown is scanned over its bounds
    first, so that a target out of reach is found to be so, and the result says what can be reached. Of several solutions the one
    with the smallest value of the outermost unknown is returned; but of an unknown that sets the leak and serves a gradient the
    one with the slowest units. Fast units reach the same mean square by few unstable modes, which single networks do not share.

    A mean square singular value of one ("mean_square": 1) keeps gradients only if weights are drawn anew in each step: with the
    same weights it is an unstable state, in which they explode.

    Parameters
    ----------
    cell : Cell, or Ensemble whose hyperparameters are kept where nothing else is said
        For PyTorch's GRU take gt.GRUResetAfter.
    target : mapping, unless ``memory`` is given
        "slow_fraction": {tau: fraction, ...}, fractions in [0, 1] of the modes slower than tau steps, growing ones included;
        at most one of "abscissa" (largest real part; 1 - 1/T for a slowest mode of T steps), "radius" (largest modulus),
        "lyapunov" (largest exponent per step; at a fixed point the logarithm of the radius);
        "gradient": {T: G, ...}, mean squares > 0 of gradients through T steps of the same weights, 1 for what is kept whole: the
        mean square of P v, v an isotropic unit vector, P the product of T Jacobians (``gradient_growth``); not its log10, which
        is what the quantity "gradient:T" of phase diagrams and ``critical`` is;
        "mean_square" and "square_std", mean and standard deviation of the squared singular values of one Jacobian.
    given : mapping, optional
        Hyperparameters held fixed, by path as ``Ensemble.replace`` takes them: {"gain.r": 2, "bias_std": 1}.
    memory : int from 1 to 10,000, steps, instead of a target
    kappa : float from 1e-3 to 100, only with ``memory``, where it is 1 unless told
        The smaller the nearer to an isometry, the less is written per step: 1 - leak is kappa / (T + kappa).
    free : sequence of paths, optional
        The unknowns, one for each target: of the stability target first, then of gradients in their order, "mean_square" and
        "square_std", then of the slow fractions in their order. Paths as for
        :func:`onset`: "gain.h", "gain", ties, Directions, functions; they set different hyperparameters. Default: the
        gain of the candidate (the field that a zero state depends on; not where all targets are slow fractions), the bias of the
        leak (the field of the update or forget gate), and the leak's bias_std.
    bounds : mapping from paths to (low, high), optional
        Default: gains and spreads in [0, 10], biases and means in [-10, 10], Directions in [0, 1]; a function needs them.
    state : "zero", "active" or "steady"
        The mean-field fixed point with the smallest moments (the zero state where it exists), that with the largest, or the
        stationary state of a sampled network, chaotic or not. Gradients, and ``memory``, are of fixed points.
    tol : float in (0, 0.1]
        A target is reached where its quantity is that close, a gradient relative to its value. With "steady", whose sampling error
        is larger, at least 0.01.
    n_units : int >= 10
        Units of the networks that the design is for: the status says where the limit does not describe them. With state "steady"
        those of the network that is simulated.
    n_steps, rng : as for steady_state, with state "steady"; ``rng`` a seed, the same at every value

    Returns
    -------
    Design
        ``reached`` is False where the target cannot be met within the bounds, ``status`` and ``reachable`` then say what can. With
        ``memory`` its ``promise`` says what gradients do.

    Raises
    ------
    TypeError, ValueError
        Unknown targets, paths, states; fractions outside [0, 1]; a path both given and free; too few unknowns; both a target and
        ``memory``, or none of them.
    CapabilityError
        No default unknowns for this cell, or no bounded mean field; with ``memory``, a cell without a zero state, or without a
        single gate that sets its leak.
    ConvergenceError
        no state could be evaluated at any value of the unknowns

    See Also
    --------
    gating_theory.compare_initialisations : Theory of given initialisations.
    gating_theory.interop.torch.init_ : Writes a design into a module.
    gating_theory.plotting.plot_design : The timescales it achieves.

    Examples
    --------
    >>> import gating_theory as gt
    >>> d = gt.design(
    ...     gt.GRUResetAfter,
    ...     {"slow_fraction": {200: 0.2}, "abscissa": 0.999},
    ...     {"gain.r": 1},
    ... )
    >>> d.reached
    True
    >>> d = gt.design(gt.GRUResetAfter, memory=100)
    >>> {path: round(value, 3) for path, value in d.solution.items()}
    {'bias.z': 4.605, 'gain.h': 2.0}
    """
    if isinstance(cell, Cell):
        cell = Ensemble(cell)
    if not isinstance(cell, Ensemble):
        raise TypeError(f"cell must be a Cell or an Ensemble, got {shown(cell)}")
    choice("state", state, STATES)
    tol = real("tol", tol, low=0.0, high=0.1, open_low=True)
    size = integer("n_units", n_units, low=10), integer("n_steps", n_steps, low=20), integer("rng", rng)
    given = {} if given is None else given
    held = {each for path in instance("given", given, Mapping, "from paths to values") for each in tied("given", path, cell.paths)}
    base = cell.replace(given)
    if memory is not None:
        memory = integer("memory", memory, low=1, high=_LONGEST)
        if target is not None or free is not None or bounds is not None or state != "zero":
            raise ValueError(
                "memory is a design of its own, at the zero state: target, free, bounds and state cannot be given with it"
            )
        kappa = real("kappa", 1.0 if kappa is None else kappa, low=1e-3, high=100.0)
        return _remembered(base, memory, kappa, frozenset(held), size, tol)
    if kappa is not None:
        raise ValueError("kappa goes with memory, the number of steps: it cannot be given with a target")
    if target is None:
        raise TypeError("a target or memory must be given: {'slow_fraction': {200: 0.2}, 'abscissa': 0.999}, or memory=100")
    targets = targets_of(target, state)
    paths = unknowns_of(base, targets, free)
    spans = spans_of(base, paths, bounds)
    require_separate(base, paths, spans, given)
    if state == "steady":
        tol = max(tol, 0.01)
    # the innermost first in ``targets`` and ``paths``; the search goes from the last, the outermost, inwards
    search = Search(base, targets, paths, spans, state, size, tol)
    values = search.solve()
    solution = {path.name: values[path] for path in paths}
    return _made(State(moved(base, values), state, size), targets, solution, tol, search)


def _made(at, targets, solution, tol, search=None, promise=None):
    """The Design of an ensemble in a state."""
    achieved = {target.label: at.quantity(target) for target in targets}
    missed = [target.label for target in targets if not abs(target.off(achieved[target.label])) <= tol]
    ranges = {} if search is None else search.ranges
    steps = [int(target.time) for target in targets if target.name == "gradient"]
    limits = [_concentrated(at), *(_scattered(at, n_steps) for n_steps in steps), promise.warning if promise else ""]
    explained = "not reached" if search is None or not missed else search.explained(missed, achieved)
    return Design(
        ensemble=at.ensemble,
        target={target.label: target.wanted for target in targets},
        achieved=achieved,
        solution=solution,
        state=at.state,
        reached=not missed,
        reachable={label: ranges[label] for label in missed if label in ranges},
        status=_status(not missed, explained, "; ".join(words for words in limits if words)),
        size=(at.n_units, at.n_steps, at.seed),
        promise=promise,
    )


def _remembered(base, n_steps, kappa, held, size, tol):
    """The design that remembers for so many steps: at the onset, with slow gates."""
    solution = remembering(base, n_steps, kappa, held)
    at = State(base.replace(solution), "zero", size)
    short, alike = min(n_steps, _FEW), None
    if (
        n_steps <= _FEW or kappa <= _SLOW
    ):  # of few steps all singular values of the product are known, and gates can be as slow there
        alike = State(base.replace(remembering(base, short, kappa, held)), "zero", size).spectrum, short
    return _made(at, [Target("radius", None, 1.0)], solution, tol, promise=promise_of(at.spectrum, n_steps, alike, at.n_units))


def _concentrated(at):
    """Where the limit of many units does not describe the network; nothing where it does."""
    limit = at.spectrum.concentration(at.n_units).status
    return "" if limit.ok else str(limit)


def _scattered(at, n_steps):
    """By how much single networks miss a mean square of gradients where that is much: the part that their matrices make."""
    point = at.spectrum.fixed_point
    if point is None:
        return ""
    rows = list(range(point.ensemble.cell.n_state))
    try:
        with np.errstate(all="ignore"):
            decades = float(scatter_of(point, n_steps, rows, at.n_units, 0, 0)[-1] / np.log(10.0))
    except (ConvergenceError, CapabilityError):  # of matrices that are not iid normal it is not known
        return ""
    if not decades > _SCATTER:
        return ""
    return (
        f"gradients through {n_steps} steps scatter by {decades:.2g} decades over single networks of {at.n_units} units: modes "
        "of fast units carry them"
    )


def _status(reached, text, words):
    """How the search ended; with the words about networks of this size where there are some."""
    if reached:
        return Status("reached", f"reached; {words}" if words else "")
    return Status("not_reached", f"{text}; {words}" if words else text, ok=False)
