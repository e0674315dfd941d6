"""Where random networks become chaotic: the sign of the largest Lyapunov exponent of what they run into [T5]."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from ..ensemble.critical_value import Critical
from ..ensemble.ensemble import Ensemble
from ..ensemble.hyperparameters import LARGEST
from ..ensemble.paths import AnyPath, Direction, path_of
from ..errors import CapabilityError, ConvergenceError, NoCriticalValue
from ..mean_field.critical import onset
from ..results.status import Status
from ..running.progress import Progress, check_progress
from ..support.arithmetic import underflow_is_zero
from ..support.checks import generator, instance, integer, real
from ..support.types import Progress as Wanted
from ..support.types import Rng
from .sign_changes import sign_change
from .simulation import simulate
from .steady_state import motion, verdict_on
from .time_averages import settled_mean

__all__ = ["chaos_onset", "largest_exponent", "measured_exponent"]

#: Where an onset is looked for when nobody says: gains and spreads; biases and parameters.
_POSITIVE = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 16.0, 32.0, 64.0)
_SIGNED = (-8.0, -6.0, -4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0)
#: And first, about the onset of the zero state's instability: the middle two, further ones where these are not decided.
_ABOUT, _BESIDE = (0.125, 0.25, 0.5, 2.0, 4.0, 8.0), (-8.0, -4.0, -2.0, 2.0, 4.0, 8.0)
#: The narrowest brackets that are asked for, relative to the value: exponents of finite networks tell less.
_FINEST = 1e-9
#: Smallest value to which widths of brackets are relative: of biases, and of gains and spreads.
_SIGNED_SCALE, _SCALE = 1.0, 1e-12


@underflow_is_zero
def largest_exponent(
    ensemble: Ensemble,
    n_units: int = 2000,
    n_steps: int = 200,
    *,
    scale: float = 1.0,
    rng: Rng = None,
) -> tuple[float, float]:
    """Largest Lyapunov exponent of one random network of an ensemble, started from a random state [T5].

    The growth of a tangent vector over the last half of the run, or less where it becomes stationary later; implicit matrices,
    so that nothing of order N^2 is made. Networks of one ensemble scatter by order N^{-1/2}, which no single run shows.

    Parameters
    ----------
    ensemble : Ensemble
    n_units : int >= 10, N
    n_steps : int >= 20
    scale : float >= 0, standard deviation of the initial state
    rng : numpy Generator, int or None

    Returns
    -------
    (float, float)
        The exponent per step (natural logarithm), and its error: that of ten blocks, and half the drift over the time averaged
        where the growth still drifts (run longer). -inf and nan where state and tangent vector became zero.

    Raises
    ------
    TypeError, ValueError, MemoryError, ConvergenceError
        as simulate

    See Also
    --------
    lyapunov_spectrum : many exponents of a network with matrices
    dmft : the exponent by theory

    Examples
    --------
    >>> import gating_theory as gt
    >>> exponent, error = gt.largest_exponent(gt.Ensemble(gt.Vanilla, gain=0.5), 400, 200, rng=0)
    >>> print(round(exponent, 1))  # at the zero state log(radius), here log(0.5) = -0.69
    -0.7
    """
    n_units, n_steps = integer("n_units", n_units, low=10), integer("n_steps", n_steps, low=20)
    return measured_exponent(ensemble, n_units, n_steps, scale, generator(rng))[:2]


def measured_exponent(
    ensemble: Ensemble, n_units: int, n_steps: int, scale: float, rng: np.random.Generator
) -> tuple[float, float, str]:
    """What one run of one random network says: its exponent, the error, and what it ran into [T5].

    Parameters
    ----------
    ensemble : Ensemble
    n_units, n_steps : int, size and length of the run
    scale : float, standard deviation of the initial state
    rng : numpy Generator

    Returns
    -------
    (float, float, str)
        Exponent and error as of :func:`largest_exponent`, and the verdict of ``steady_state.verdict_on``.

    Raises
    ------
    MemoryError, ConvergenceError
        as simulate
    """
    run = simulate(ensemble, n_units, n_steps, rng=rng, tangent=True, record=0, scale=scale)
    assert run.growth is not None  # a tangent vector was asked for
    exponent, error = settled_mean(run.growth, n_steps // 2)
    return exponent, error, verdict_on(run, motion(run), exponent, error)


@underflow_is_zero
def chaos_onset(
    ensemble: Ensemble,
    parameter: AnyPath,
    bounds: tuple[float, float] | None = None,
    *,
    n_units: int = 2000,
    n_steps: int = 200,
    n_networks: int = 3,
    tol: float = 0.02,
    scale: float = 1.0,
    rng: Rng = 0,
    progress: Wanted = None,
) -> Critical:
    """The value along a path at which random networks become chaotic: a change of sign of their largest exponent [T5].

    On one side a network that starts from a random state of size ``scale`` ends at a fixed point, zero or not; on the other it does
    not. Where an active state exists beside a stable zero state (the GRU with a_r > sqrt 8) that depends on the start: a large
    one finds the active state. The value is found by bisection for a first network and, near it, for the others; the ends of the
    first bracket have to be stationary, or runs there are made up to four times as long: slow gates make long transients.

    Parameters
    ----------
    ensemble : Ensemble
    parameter : str, Direction or callable, a path as for :func:`onset`
    bounds : (float, float), optional
        Between which the sign changes; a function needs them, and along a Direction they are (0, 1). Default: half and twice the
        onset of instability of the zero state (two below and above, for a bias) where that depends on the parameter; otherwise, or
        if the sign does not change between these, the first change on a lattice of values (gains and spreads 0 to 64, biases -8 to
        8). An end at which a network stays undecided is moved outwards, and where that does not help the next network is asked.
    n_units, n_steps : int >= 10, int >= 20
        Size and length of each run. A transition of N units is sharp to order N^{-1/2}.
    n_networks : int >= 1
        With one network the error leaves out how networks scatter.
    tol : float from 1e-9
        Width of the final brackets, relative to the value (for biases to 1 where that is more).
    scale : float >= 0
    rng : numpy Generator, int or None
        Seeds of the networks: each meets the same random numbers at every value, so that the bisection sees one network change.
    progress : None, True (a bar) or callable(done, total), in networks

    Returns
    -------
    Critical, of the kind "chaos"
        Its ``error`` is a standard error: scatter of the networks about their mean over sqrt(number of networks), the exponent's
        error over its slope, and half the width of the bracket, in quadrature. Networks of another size are shifted by order
        N^{-1/2} besides. ``below`` and ``above`` are (exponent, error) at the ends of the first network's bracket, ``rising``
        whether chaos lies above the value, ``networks`` the values of each. It is ``discontinuous`` where the exponent is away from
        zero by five of its errors on both sides of a bracket of relative width N^{-1/2} / 4: a transition from a fixed point
        straight to chaos, as where non-zero states appear at finite amplitude. ``moments`` is empty: no single state is at the
        onset.

    Raises
    ------
    TypeError, ValueError
        bad arguments
    NoCriticalValue
        no change of sign within the bounds or the default ones, or ends that stay undecided
    ConvergenceError
        a state or exponent was not finite

    See Also
    --------
    chaos_line : the same of infinite networks, by theory
    largest_exponent : the exponent that changes its sign

    Examples
    --------
    Two simulated networks; so small ones become chaotic above the value of infinite ones, 1:

    >>> import gating_theory as gt
    >>> sizes = {"n_units": 100, "n_steps": 200, "n_networks": 2}
    >>> found = gt.chaos_onset(gt.Ensemble(gt.Vanilla), "gain", (0.5, 3), tol=0.1, rng=0, **sizes)
    >>> print(round(float(found), 1), found.error > 0, len(found.networks))
    1.6 True 2
    """
    instance("ensemble", ensemble, Ensemble)
    path = path_of("parameter", parameter, ensemble)
    n_units, n_steps = integer("n_units", n_units, low=10), integer("n_steps", n_steps, low=20)
    n_networks = integer("n_networks", n_networks, low=1)
    tol = real("tol", tol, low=_FINEST)  # a bracket of neighbouring numbers can no longer be halved
    scale = real("scale", scale, low=0.0, high=LARGEST)
    if bounds is not None or path.span is None or isinstance(path, Direction):
        bounds = low, high = path.within(bounds)
    check_progress(progress)
    entropy = int(generator(rng).integers(2**63))

    outer = path.range if bounds is None else (low, high)
    finest = _SCALE if not path.signed else _SIGNED_SCALE if bounds is None else min(_SIGNED_SCALE, high - low)

    networks = _Networks(ensemble, path, n_units, n_steps, scale, entropy, n_networks)
    with Progress(progress, n_networks, "network") as tell:
        if bounds is None:
            first, low, high = _bracket(ensemble, path, networks)
        else:
            first = networks[0]
            low, high = _inside(first, low, high)
        found = sign_change(networks, first, (low, high), outer, tol, n_units, finest, tell)
    runs = f"{n_networks} networks of {n_units} units, {n_steps} steps"
    text = f"chaos {'above' if found.rising else 'below'}; {runs}"
    return Critical(
        found.value,
        path.name,
        kind="chaos",
        error=found.error,
        discontinuous=found.jumps,
        moments={},
        ensemble=path.at(ensemble, found.value),
        status=Status("discontinuous" if found.jumps else "continuous", text),
        rising=found.rising,
        below=found.below,
        above=found.above,
        networks=found.values,
        n_units=n_units,
        n_steps=n_steps,
    )


class _Networks(Sequence):
    """The exponents of each network, made when they are first asked for: of many networks few may be."""

    def __init__(self, ensemble, path, n_units, n_steps, scale, entropy, count):
        self.of_all, self.entropy, self.count = (ensemble, path, n_units, n_steps, scale), entropy, count
        self.made = {}

    def __len__(self):
        return self.count

    def __getitem__(self, number):
        if not 0 <= number < self.count:
            raise IndexError(number)
        if number not in self.made:
            self.made[number] = _Exponents(*self.of_all, np.random.SeedSequence(self.entropy, spawn_key=(number,)))
        return self.made[number]


class _Exponents:
    """(exponent, error) of one network as a function of the value."""

    def __init__(self, ensemble, path, n_units, n_steps, scale, seed):
        self.ensemble, self.path, self.seed = ensemble, path, seed
        self.n_units, self.n_steps, self.scale = n_units, n_steps, scale
        self.known, self.sides = {}, {}

    def __call__(self, value):
        if value not in self.known:
            self.run(value, self.n_steps)
        return self.known[value][:2]

    def run(self, value, n_steps):
        there, rng = self.path.at(self.ensemble, value), np.random.default_rng(self.seed)
        found = measured_exponent(there, self.n_units, n_steps, self.scale, rng)
        # -inf: the state has become exactly zero, tangent and all
        if np.isnan(found[0]) or found[0] == np.inf:
            raise ConvergenceError(f"the exponent at {self.path} = {value} is {found[0]}", estimate=value)
        self.known[value] = found

    def side(self, value):
        """-1 where the exponent is negative, 1 in chaos, 0 where it stays open, after runs of up to four times the length.

        Slow gates draw transients out, in which tangent vectors grow too: chaos takes a stationary state.
        """
        if value not in self.sides:
            self.sides[value] = self.decided(value)
        return self.sides[value]

    def decided(self, value):
        for longer in (1, 2, 4):
            if longer > 1 or value not in self.known:
                self.run(value, longer * self.n_steps)
            exponent, _, verdict = self.known[value]
            if exponent < 0.0 or verdict == "chaotic":
                return -1 if exponent < 0.0 else 1
        return 0


def _inside(exponent, low, high):
    """The bracket asked for, if there is chaos at one of its ends only."""
    sides = exponent.side(low), exponent.side(high)
    if sides[0] * sides[1] >= 0:
        hint = f"not stationary after {4 * exponent.n_steps} steps: more steps?" if 0 in sides else "other bounds?"
        raise NoCriticalValue(
            f"no onset of chaos in {exponent.path} within bounds {(low, high)}: the largest exponent is {exponent(low)[0]:.3g} at "
            f"the lower and {exponent(high)[0]:.3g} at the upper one; {hint}"
        )
    return low, high


def _bracket(ensemble, path, networks):
    """The first network that shows where to look, and a bracket, when nobody says."""
    lattice = _allowed(_SIGNED if path.signed else _POSITIVE, path)
    ladders = [(lattice, range(len(lattice) - 1))]
    with suppress(CapabilityError, NoCriticalValue):  # no zero state, or its stability does not depend on the parameter
        start = float(onset(ensemble, path))
        rungs = _allowed([start + rung for rung in _BESIDE] if path.signed else [start * rung for rung in _ABOUT], path)
        middle = sum(rung < start for rung in rungs) - 1
        ladders.insert(0, (rungs, [middle] if 0 <= middle < len(rungs) - 1 else []))
    for exponent in networks:
        for ladder, pairs in ladders:
            for i in pairs:
                ends = _decided_ends(exponent, ladder, i)
                if ends is not None:
                    return exponent, *ends
        positive = [exponent(value)[0] >= 0.0 for value in lattice]
        if all(positive) or not any(positive):  # nothing that another network would decide
            break
    found = "negative" if not any(positive) else "positive" if all(positive) else "not of two signs in stationary states"
    raise NoCriticalValue(f"no onset of chaos in {path}: the largest exponent is {found} at all of {lattice}; bounds, more steps?")


def _allowed(values, path):
    """The values that a path allows: factors of a tie, and large gains, lead past its ends."""
    return [value for value in values if path.range[0] <= value <= path.range[1]]


def _decided_ends(exponent, ladder, i):
    """The rungs i and i + 1 of a ladder of values, each moved outwards to where its side is decided, if the sides then differ.

    The exponent is small, and the state hard to tell, on both sides of an onset.
    """
    if (exponent(ladder[i])[0] < 0.0) == (exponent(ladder[i + 1])[0] < 0.0):  # which costs no longer runs
        return None
    low = next((value for value in ladder[i::-1] if exponent.side(value)), None)
    high = next((value for value in ladder[i + 1 :] if exponent.side(value)), None)
    if low is None or high is None or exponent.side(low) == exponent.side(high):
        return None
    return low, high
