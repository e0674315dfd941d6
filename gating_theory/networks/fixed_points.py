"""Fixed points of one given network, by Newton's method from many starts on a residual that no gate can make small [T2, T7]."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..ensemble.hyperparameters import LARGEST
from ..errors import CapabilityError
from ..results.encoding import dict_of, require, result
from ..results.status import Status
from ..running.blas import single_blas_thread
from ..support.checks import boolean, choice, generator, integer, real, real_array
from ..support.types import Rng
from .coupling_path import from_uncoupled
from .newton import FLAT, descend, merge_points, mirror_images, newton, polish, unseen
from .reduced_map import GivenNetwork, ReducedMap
from .slow_points import speed_minima
from .starts import starting_points, visited_states
from .state_map import StateMap

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["NetworkFixedPoints", "SearchOptions", "search"]

#: Bytes that the Jacobians of one chunk of starts may take together.
_MEMORY = 2.5e8

#: Largest change of an unknown in one Newton step, drawn for each start, in units of the largest of 1 and the rms state.
_CAPS = (0.08, 0.5)

#: Rounding of an eigenvalue's modulus, for each row of its matrix.
_UNIT = 1e-14

#: Slow points that differ by less are one: minima are flat, and found to this at best.
_FLAT_MERGE = 1e-3

#: Leak of a site above which its memory is taken to be at rest in the first try; parts of the Newton steps for both tries.
_LEAKY, _TRIES = 0.1, (0.4, 0.4)

#: Tries of a step on the walk from uncoupled units, in units of the Newton steps of a start.
_WALK = 2

#: Residual above which a start that Newton leaves is given up.
_PROMISING = 0.1


@result("network_fixed_points")
@dataclass(frozen=True)
class NetworkFixedPoints:
    """What a search for the fixed points of one network found: distinct points, how often each was reached, what is missing.

    Points are ordered: fixed before slow, fixed points by how often they were reached, slow ones by their residual (their speed,
    where that was the objective).

    Attributes
    ----------
    objective : str
        "fixed": zeros and minima of equations that no gate can make small. "speed": minima of ``|s' - s|`` next to visited
        states; see ``Network.find_fixed_points`` for the difference.
    states : (n_points, d, N) array
    label : (n_points,) array of str
        "fixed": the largest gate-free residual is below ``tol``. "slow": a local minimum, that is not zero, of the Euclidean norm
        of the gate-free residual, with largest component below ``slow_tol``: a place where the gate-free map creeps. With the
        objective "speed" a minimum of ``|s' - s|`` with largest component below ``slow_tol`` that is no fixed point: the network
        itself creeps.
    residual : (n_points,) array
        ``max |s*(y(s)) - s|`` over sites and the state variables that messages listen to; free of the factor 1 - z of a step.
        Where a cell has memories that messages do not listen to (LSTM) it is the largest component of (1 - F_s)^-1 (s' - s), in
        units of the fields where a site's fixed state is steeper than 1 against them and in units of a memory where that is
        above 1; and not below the last Newton step, which estimates the distance to the fixed point.
    speed : (n_points,) array
        Euclidean norm of s' - s, of one step of the network, per step.
    hits : (n_points,) array of int
        How many starts ended there; 0 for points added as mirror images, and for one met on the way from uncoupled units.
    mirrored : (n_points,) array of bool
        True where the point was not reached itself but is the negative of one that was, in a network that is odd.
    index : (n_points,) array of int
        Sign of det(1 - dPhi/dx), the index of the fixed point (0 for slow points and within rounding of a fold).
    spectral_radius : (n_points,) array or None
        Largest modulus of an eigenvalue of ``Network.jacobian`` at fixed points, with the objective "speed" also at slow ones,
        else nan there; None without ``spectra``.
    n_unstable : (n_points,) array of int or None
        Number of eigenvalues with modulus above 1 by more than rounding (shut gates leave many at 1), -1 where the radius is nan;
        None without ``spectra``.
    timescale : (n_points,) array or None
        Steps in which the slowest mode grows or decays by e: the largest ``1/|log |lambda||`` of the eigenvalues of the same
        Jacobian (not 1/speed, which depends on the units of the state); infinite for a modulus of 1, nan where the radius is.
    n_starts, n_failed : int
        Starts in all, and those that ended at no point.
    n_missing : float
        Chao's lower-bound estimate of the number of fixed points not found, f1^2 / (2 f2) with f1, f2 the numbers of points reached
        once and twice; f1 (f1 - 1) / 2 where f2 = 0. In an odd network pairs +-s are what is counted. An estimate: it takes the
        starts for independent draws, and knows nothing of points that hardly any start converges to. Infinite where fewer than two
        starts reached a fixed point, and with the objective "speed". Never below ``|complete_degree - degree|``: each point
        changes the degree by 1 at most, so that many are missing for certain.
    degree : int
        Sum of the indices of the fixed points.
    complete_degree : int or None
        What ``degree`` is when no fixed point is missing: 1 where the states are bounded, None where they are not, and with the
        objective "speed". Another value proves that some are missing; this value proves nothing.
    odd : bool
        Whether Phi(-x) = -Phi(x), so that fixed points come in pairs.
    tol, slow_tol, merge : float, as asked for
    status : Status
        Code "ok" or, with ``ok`` False, "missing": the degree proves that some are. The words count them all.

    Examples
    --------
    The fixed points of a small network, and how many unstable directions each has; their indices sum to 1:

    >>> import gating_theory as gt
    >>> net = gt.Network.sample(gt.Ensemble(gt.Vanilla, gain=2), 10, rng=6)
    >>> found = net.find_fixed_points(rng=0)
    >>> found.label.tolist(), found.n_unstable, found.degree
    (['fixed', 'fixed', 'fixed'], array([7, 4, 4]), 1)
    """

    objective: str
    states: np.ndarray
    label: np.ndarray
    residual: np.ndarray
    speed: np.ndarray
    hits: np.ndarray
    mirrored: np.ndarray
    index: np.ndarray
    spectral_radius: np.ndarray | None
    n_unstable: np.ndarray | None
    timescale: np.ndarray | None
    n_starts: int
    n_failed: int
    n_missing: float
    degree: int
    complete_degree: int | None
    odd: bool
    tol: float
    slow_tol: float
    merge: float
    status: Status

    as_dict = dict_of

    @property
    def fixed(self) -> np.ndarray:
        """(n_fixed, d, N) array: the states of the points labelled "fixed"."""
        return self.states[self.label == "fixed"]

    @property
    def slow(self) -> np.ndarray:
        """(n_slow, d, N) array: the states of the points labelled "slow"."""
        return self.states[self.label == "slow"]

    def __len__(self) -> int:
        return len(self.label)

    def check(self) -> None:
        """ValueError where arrays do not fit together, or the degree is not the sum of the indices."""
        length = len(self.label)
        optional = ("spectral_radius", "n_unstable", "timescale")
        for name in ("label", "residual", "speed", "hits", "mirrored", "index", *optional):
            value = getattr(self, name)
            good = value is None and name in optional or np.shape(value) == (length,)
            require(good, f"{name} must have an entry for each of the {length} labels, got shape {np.shape(value)}")
        require(self.objective in ("fixed", "speed"), f"objective must be 'fixed' or 'speed', got {self.objective!r}")
        labels = set(self.label.tolist())
        require(labels <= {"fixed", "slow"}, f"label must be 'fixed' or 'slow', got {sorted(labels)}")
        good = self.states.ndim == 3 and len(self.states) == length
        require(good, f"states must have shape ({length}, d, N), got {self.states.shape}")
        for name in ("n_starts", "n_failed"):
            integer(name, getattr(self, name))
        total = int(self.index.sum())
        require(self.degree == total, f"degree must be the sum of the indices, {total}, got {self.degree!r}")

    def __str__(self) -> str:
        lines = [str(self.status)]
        for i in range(len(self)):
            gap = f"residual {self.residual[i]:.1e}" if self.objective == "fixed" else f"speed {self.speed[i]:.1e}"
            line = f"  {self.label[i]:5s}  {gap}  rms {np.sqrt(np.mean(self.states[i] ** 2)):.4g}"
            line += "  mirror image" if self.mirrored[i] else f"  reached {self.hits[i]} times"
            if self.spectral_radius is not None and self.n_unstable is not None and np.isfinite(self.spectral_radius[i]):
                left = 1.0 - float(self.spectral_radius[i])  # shut gates leave modes that are very slow, but stable
                radius = f"{1.0 - left:.5g}" if abs(left) > 1e-4 else f"1 {'-' if left >= 0.0 else '+'} {abs(left):.1e}"
                line += f"  radius {radius}, {self.n_unstable[i]} unstable"
            if self.timescale is not None and self.objective == "speed":
                line += f", slowest mode {self.timescale[i]:.4g} steps"
            lines.append(line)
        return "\n".join(lines)


@dataclass(frozen=True)
class SearchOptions:
    """How fixed points are searched for; the attributes are the arguments of ``Network.find_fixed_points``.

    Attributes
    ----------
    n_starts, n_steps : int
    scale, tol, slow_tol, merge : float
    spectra : bool
    objective : str
    """

    n_starts: int = 64
    n_steps: int = 100
    scale: float = 1.0
    tol: float = 1e-10
    slow_tol: float = 1e-2
    merge: float = 1e-6
    spectra: bool = True
    objective: str = "fixed"

    def checked(self) -> SearchOptions:
        """The same, as plain numbers; TypeError or ValueError for options out of range."""
        return SearchOptions(
            integer("n_starts", self.n_starts),
            integer("n_steps", self.n_steps, low=1),
            real("scale", self.scale, low=0.0, high=LARGEST, open_low=True),
            real("tol", self.tol, low=0.0, high=1e-3, open_low=True),
            real("slow_tol", self.slow_tol, low=0.0),
            real("merge", self.merge, low=0.0, open_low=True),
            boolean("spectra", self.spectra),
            choice("objective", self.objective, ("fixed", "speed")),
        )


def search(
    net: GivenNetwork,
    options: SearchOptions,
    rng: Rng = None,
    *,
    starts: npt.ArrayLike | None = None,
    input: npt.ArrayLike | None = None,
) -> NetworkFixedPoints:
    """Search the fixed points of a network: ``Network.find_fixed_points``, with its options in one piece.

    Parameters
    ----------
    net : Network, a single one
    options : SearchOptions
    rng, starts, input : as in ``Network.find_fixed_points``

    Returns
    -------
    NetworkFixedPoints

    Raises
    ------
    TypeError, ValueError, CapabilityError
        as in ``Network.find_fixed_points``
    """
    if net.batch is not None:
        raise CapabilityError(f"find_fixed_points takes one network, this is a batch of {net.batch}: make a Network of one of them")
    options = options.checked()
    rng = generator(rng)
    reduced = ReducedMap(net, net.as_input(input))
    equations = StateMap(reduced) if reduced.m < net.cell.n_state else reduced
    given = None
    if starts is not None:
        given = _given_starts(net, starts)
        given = given if equations is not reduced else given[:, reduced.site.kept]
    if options.n_starts == 0 and (given is None or not len(given)):
        raise ValueError("n_starts must be at least 1 where no starts are given, got 0")
    with single_blas_thread():
        if options.objective == "speed":
            return _slowest(net, reduced, input, given, rng, options)
        x = starting_points(equations, options.n_starts, options.scale, rng, given)
        low, high = np.log(_CAPS)
        caps = np.exp(rng.uniform(low, high, len(x)))
        bounds = reduced.bounds()
        odd = bool(reduced.odd()[0])
        chunk = max(1, int(_MEMORY / (6 * 8 * reduced.n**2)))
        parts = [slice(first, first + chunk) for first in range(0, len(x), chunk)]
        ends = [_from_starts(reduced, equations, x[part], caps[part], bounds, options) for part in parts]
        points, sizes, slow = (np.concatenate(of_parts) for of_parts in zip(*ends))
        walked = points[:0] if (sizes < options.tol).any() else _by_walking(reduced, equations, bounds, options)
        return _collect(net, equations, reduced, input, (points, sizes, slow), walked, bounds, odd, options)


def _slowest(net, reduced, input, given, rng, options):
    """Minima of the speed next to visited states."""
    equations = StateMap(reduced)
    s, speed, good = speed_minima(
        equations, visited_states(equations, options.n_starts, options.scale, rng, given), options.tol, options.n_steps
    )
    good &= speed < max(options.slow_tol, options.tol)
    s, error = _finished(equations, s[good], speed[good], options.tol)
    chosen, member = merge_points(equations.squeezed(s), max(options.merge, _FLAT_MERGE))
    order = np.lexsort((speed[good][chosen], error[chosen] >= options.tol))
    chosen = chosen[order]
    hits, s, fixed = np.bincount(member, minlength=len(order))[order], s[chosen], error[chosen] < options.tol
    alone = np.zeros(len(s), dtype=int)
    n_starts, n_failed = len(good), int(np.sum(~good))
    text = f"{len(s)} points where the speed |s' - s| is least, {int(fixed.sum())} of them fixed points; "
    text += f"{n_failed} of {n_starts} starts failed"
    index = np.where(fixed, equations.index(s, alone), 0) if len(s) else alone
    return _result(
        net,
        input,
        options,
        np.arange(len(s)),
        states=s,
        label=np.where(fixed, "fixed", "slow").astype("<U5"),
        residual=equations.residual(s, alone),
        hits=hits,
        mirrored=np.zeros(len(s), dtype=bool),
        index=index,
        n_starts=n_starts,
        n_failed=n_failed,
        n_missing=float("inf"),
        complete_degree=None,
        odd=bool(reduced.odd()[0]),
        text=text,
    )


def _finished(equations, s, speed, tol):
    """Minima, those of zero speed moved to the fixed point next to them if there is one; how far each is from being fixed."""
    alone = np.zeros(len(s), dtype=int)
    polished, error = polish(equations, s, alone)
    near = np.abs(equations.squeezed(polished) - equations.squeezed(s)).max(axis=(1, 2)) <= _FLAT_MERGE
    there = (speed < tol) & near & (error < tol)
    return np.where(there[:, None, None], polished, s), np.where(there, error, np.inf)


def _by_walking(reduced, equations, bounds, options):
    """The fixed point at the end of the walk from uncoupled units, if it arrives: one point of the equations, or none."""
    every = equations if isinstance(equations, StateMap) else StateMap(reduced)
    s = from_uncoupled(every, _WALK * options.n_steps)
    if s is None:
        return np.zeros((0, *equations.shape))
    alone = np.zeros(1, dtype=int)
    start = s if equations is every else s[:, every.heard]
    point, error = newton(equations, start, alone, np.full(1, _CAPS[0]), bounds, options.tol, options.n_steps)
    return polish(equations, point, alone)[0][error < options.tol]


def _stages(equations, n_steps):
    """Equations and Newton steps of one try after the other, each from the same starts, for those that the try before lost.

    With memories kept only where they leak slowly more starts converge where sites are gentle, with all of them kept where many are
    steep. One half each costs as much as one of them, and finds as many points as the better.
    """
    if not isinstance(equations, StateMap):
        return [(equations, n_steps)]
    first, second = round(_TRIES[0] * n_steps), max(1, round(_TRIES[1] * n_steps))
    return [(StateMap(equations.reduced, _LEAKY), first), (equations, second)]


def _from_starts(reduced, equations, x, caps, bounds, options):
    """Where starts end: points, their residuals, and whether they are slow points."""
    tol = options.tol
    which = np.zeros(len(x), dtype=int)
    points, sizes = x.copy(), np.full(len(x), np.inf)
    for stage, n_steps in _stages(equations, options.n_steps):
        go = np.flatnonzero(sizes >= tol)
        points[go], sizes[go] = newton(stage, x[go], which[go], caps[go], bounds, tol, n_steps)
    slow = np.zeros(len(x), dtype=bool)
    left = np.flatnonzero(sizes >= tol)
    heard = equations.heard_of(points[left])
    promising = reduced.error(heard, which[left]) < _PROMISING
    left, heard = left[promising], heard[promising]
    if left.size:
        heard, after, flat = descend(reduced, heard, which[left], tol, _PROMISING)
        points[left], sizes[left] = equations.from_heard(heard, which[left]), after
        slow[left] = (after >= tol) & (after < options.slow_tol) & (flat <= FLAT)
    done = np.flatnonzero(sizes < tol)
    if done.size:
        points[done], sizes[done] = polish(equations, points[done], which[done])
    return points, sizes, slow


def _collect(net, equations, reduced, input, ends, walked, bounds, odd, options):
    """Ends of starts (points, residuals, whether slow) as distinct points, counted, completed and typed."""
    points, sizes, slow = ends
    merge = options.merge
    fixed = sizes < options.tol
    n_starts, n_failed = len(points), int(np.sum(~fixed & ~slow))
    chosen, member = merge_points(equations.heard_of(points[fixed]), merge)
    hits = np.bincount(member, minlength=len(chosen))
    order = np.argsort(-hits, kind="stable")
    found, hits = np.concatenate([points[fixed][chosen][order], walked]), np.append(hits[order], np.zeros(len(walked), dtype=int))
    n_found, mirrored, missing = len(found), np.zeros(len(found), dtype=bool), unseen(hits)
    source = np.arange(n_found)
    index = equations.index(found, np.zeros(n_found, dtype=int))
    if odd and n_found:
        every, hits, mirrored, pairs, selves, source = mirror_images(equations.heard_of(found), hits, merge)
        images = equations.from_heard(every[n_found:], np.zeros(len(every) - n_found, dtype=int))
        found = np.concatenate([found, images])
        if missing < np.inf:  # zero is its own image, all else comes in twos
            missing = 0.0 if selves.all() else 2.0 * unseen(pairs)
    index = index[source]
    ghosts, gap = points[slow], sizes[slow]
    chosen, member = merge_points(equations.heard_of(ghosts), max(merge, _FLAT_MERGE))
    order = np.argsort(gap[chosen], kind="stable")
    ghost_hits, chosen = np.bincount(member, minlength=len(chosen))[order], chosen[order]
    every = np.concatenate([found, ghosts[chosen]])
    alone = np.zeros(len(every), dtype=int)  # all of network 0
    states = equations.completed(every, alone) if len(every) else np.zeros((0, net.cell.n_state, net.n_units))
    complete = 1 if np.isfinite(bounds).all() else None
    lacking = 0 if complete is None else abs(complete - int(index.sum()))
    text = f"{len(found)} fixed point{'' if len(found) == 1 else 's'} found"
    text += f" ({int(mirrored.sum())} of them mirror images)" if mirrored.any() else ""
    text += " (on the way from uncoupled units, by no start)" if len(walked) else ""
    text += f", {len(chosen)} slow points; {n_failed} of {n_starts} starts failed; "
    text += _lacking(missing, lacking, int(index.sum()), complete)
    none = np.zeros(len(chosen), dtype=int)
    return _result(
        net,
        input,
        options,
        np.concatenate([source, np.arange(len(found), len(every))]),
        states=states,
        label=np.array(["fixed"] * len(found) + ["slow"] * len(chosen), dtype="<U5"),
        residual=np.concatenate([equations.error(found, alone[: len(found)]), gap[chosen]]),
        hits=np.concatenate([hits, ghost_hits]).astype(int),
        mirrored=np.concatenate([mirrored, none.astype(bool)]),
        index=np.concatenate([index, none]),
        n_starts=n_starts,
        n_failed=n_failed,
        n_missing=max(float(missing), float(lacking)),
        complete_degree=complete,
        odd=odd,
        text=text,
    )


def _lacking(missing, lacking, degree, complete):
    """What is not there, in words; an estimate that the degree contradicts is left out."""
    notes = []
    if missing == np.inf:
        notes.append("too few to estimate how many are not found")
    elif not lacking:
        notes.append(
            f"an estimated {missing:.3g} not found" if missing else "judging by how often each was reached none is missing"
        )
    if lacking:
        words = f"at least {lacking} {'is' if lacking == 1 else 'are'} missing"
        notes.append(f"the indices of the fixed points add up to {degree} where {complete} is right, so {words}")
    return "; ".join(notes)


def _result(net, input, options, source, *, states, label, index, complete_degree, text, **values):
    """A NetworkFixedPoints: what has been found, with what follows from the states."""
    radius = unstable = timescale = None
    if options.spectra:
        wanted = (label == "fixed") | (options.objective == "speed")
        radius, unstable, timescale = _stability(net, input, states, np.flatnonzero(wanted), source)
    degree = int(index.sum())
    speed = np.array([np.linalg.norm(net.step(state, input) - state) for state in states])
    return NetworkFixedPoints(
        objective=options.objective,
        states=states,
        label=label,
        speed=speed,
        index=index,
        spectral_radius=radius,
        n_unstable=unstable,
        timescale=timescale,
        degree=degree,
        complete_degree=complete_degree,
        tol=options.tol,
        slow_tol=options.slow_tol,
        merge=options.merge,
        status=_status(text, degree, complete_degree),
        **values,
    )


def _stability(net, input, states, wanted, source):
    """Spectral radii, numbers of unstable eigenvalues, slowest time scales; nan, -1, nan where not wanted."""
    radius, unstable, timescale = np.full(len(states), np.nan), np.full(len(states), -1), np.full(len(states), np.nan)
    for i in wanted:
        if source[i] != i:  # a mirror image
            radius[i], unstable[i], timescale[i] = radius[source[i]], unstable[source[i]], timescale[source[i]]
            continue
        modulus = np.abs(net.eigenvalues(states[i], input))
        radius[i], unstable[i] = modulus.max(), int(np.sum(modulus > 1.0 + _UNIT * modulus.size))
        with np.errstate(divide="ignore"):
            timescale[i] = 1.0 / np.abs(np.log(modulus)).min()
    return radius, unstable, timescale


def _status(text, degree, complete):
    return Status("ok", text) if complete in (None, degree) else Status("missing", text, ok=False)


def _given_starts(net, starts):
    starts = real_array("starts", starts)
    d, n = net.cell.n_state, net.n_units
    if starts.shape == (d, n):
        starts = starts[None]
    if starts.ndim != 3 or starts.shape[1:] != (d, n):
        raise ValueError(f"starts must have shape ({d}, {n}) or (n, {d}, {n}), got {starts.shape}")
    return starts
