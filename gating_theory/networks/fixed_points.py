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
from ..support.available_memory import require_memory
from ..support.checks import boolean, generator, integer, real, real_array
from ..support.types import Rng
from .newton import FLAT, descend, merge_points, mirror_images, newton, polish, unseen
from .reduced_map import GivenNetwork, ReducedMap, size

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["NetworkFixedPoints", "SearchOptions", "search"]

#: Bytes that the Jacobians of one chunk of starts may take together.
_MEMORY = 2.5e8

#: Random starts: amplitudes, and steps along the relaxed map x -> x + a (Phi(x) - x) that every second one is first moved.
_AMPLITUDES, _RELAXED_STEPS = (0.1, 3.0), 30

#: Largest change of an unknown in one Newton step, drawn for each start, in units of the largest of 1 and the rms state.
_CAPS = (0.08, 0.5)

#: Rounding of an eigenvalue's modulus, for each row of its matrix.
_UNIT = 1e-14

#: Slow points that differ by less are one: minima are flat, and found to this at best.
_FLAT_MERGE = 1e-3

#: Residual above which a start that Newton leaves is given up.
_PROMISING = 0.1


@result("network_fixed_points")
@dataclass(frozen=True)
class NetworkFixedPoints:
    """What a search for the fixed points of one network found: distinct points, how often each was reached, what is missing.

    Points are ordered: fixed before slow, fixed points by how often they were reached, slow ones by their residual.

    Attributes
    ----------
    states : (n_points, d, N) array
    label : (n_points,) array of str
        "fixed": the largest gate-free residual is below ``tol``. "slow": a local minimum of the Euclidean norm of the residual
        that is not zero, with largest residual below ``slow_tol``: a place where the gate-free map creeps.
    residual : (n_points,) array
        max |s*(y(s)) - s| over sites and the state variables that messages listen to; free of the factor 1 - z of a step.
    hits : (n_points,) array of int
        How many starts ended there; 0 for points added as mirror images.
    mirrored : (n_points,) array of bool
        True where the point was not reached itself but is the negative of one that was, in a network that is odd.
    index : (n_points,) array of int
        Sign of det(1 - dPhi/dx), the index of the fixed point (0 for slow points and within rounding of a fold).
    spectral_radius : (n_points,) array or None
        Largest |eigenvalue| of ``Network.jacobian`` at fixed points, nan at slow ones; None without ``spectra``.
    n_unstable : (n_points,) array of int or None
        Number of eigenvalues with modulus above 1 by more than rounding (shut gates leave many at 1), -1 at slow points; None
        without ``spectra``.
    n_starts, n_failed : int
        Starts in all, and those that ended at no point.
    n_missing : float
        Chao's lower-bound estimate of the number of fixed points not found, f1^2 / (2 f2) with f1, f2 the numbers of points reached
        once and twice; f1 (f1 - 1) / 2 where f2 = 0. In an odd network pairs +-s are what is counted. An estimate: it takes the
        starts for independent draws, and knows nothing of points that hardly any start converges to. Infinite where fewer than two
        starts reached a fixed point.
    degree : int
        Sum of the indices of the fixed points.
    complete_degree : int or None
        What ``degree`` is when no fixed point is missing: 1 where the states are bounded, None where they are not. Another
        value proves that some are missing; this value proves nothing.
    odd : bool
        Whether Phi(-x) = -Phi(x), so that fixed points come in pairs.
    tol, slow_tol, merge : float, as asked for
    status : Status
        Code "ok" or, with ``ok`` False, "missing": the degree proves that some are. The words count them all.
    """

    states: np.ndarray
    label: np.ndarray
    residual: np.ndarray
    hits: np.ndarray
    mirrored: np.ndarray
    index: np.ndarray
    spectral_radius: np.ndarray | None
    n_unstable: np.ndarray | None
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
        for name in ("label", "residual", "hits", "mirrored", "index", "spectral_radius", "n_unstable"):
            value = getattr(self, name)
            good = value is None and name in ("spectral_radius", "n_unstable") or np.shape(value) == (length,)
            require(good, f"{name} must have an entry for each of the {length} labels, got shape {np.shape(value)}")
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
            line = f"  {self.label[i]:5s}  residual {self.residual[i]:.1e}  rms {np.sqrt(np.mean(self.states[i] ** 2)):.4g}"
            line += "  mirror image" if self.mirrored[i] else f"  reached {self.hits[i]} times"
            if self.spectral_radius is not None and self.n_unstable is not None and self.label[i] == "fixed":
                line += f"  radius {self.spectral_radius[i]:.5g}, {self.n_unstable[i]} unstable"
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
    """

    n_starts: int = 64
    n_steps: int = 100
    scale: float = 1.0
    tol: float = 1e-10
    slow_tol: float = 1e-2
    merge: float = 1e-6
    spectra: bool = True

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
        )


def _starts(reduced, n_starts, scale, rng, given):
    """Given states, zero, random states of many amplitudes, every second one moved some way along the relaxed map."""
    parts = [given] if given is not None else []
    if n_starts:
        require_memory(f"n_starts = {n_starts}", 8.0 * 8 * n_starts * reduced.m * reduced.n_units)
        low, high = np.log(_AMPLITUDES)
        amplitude = scale * np.exp(rng.uniform(low, high, (n_starts, 1, 1)))
        x = amplitude * rng.standard_normal((n_starts, reduced.m, reduced.n_units))
        pace = rng.uniform(0.1, 1.0, (n_starts, 1, 1))
        stop = rng.integers(1, _RELAXED_STEPS + 1, n_starts)
        x[0] = 0.0
        moving = np.arange(2, n_starts, 2)
        for t in range(_RELAXED_STEPS if moving.size else 0):
            go = moving[stop[moving] > t]
            if not go.size:
                break
            change = reduced.residual(x[go], np.zeros(go.size, dtype=int))
            fine = np.isfinite(change).all(axis=(1, 2))
            x[go[fine]] += pace[go[fine]] * change[fine]
        parts.append(x)
    return np.concatenate(parts)


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
    TypeError, ValueError, CapabilityError : as in ``Network.find_fixed_points``
    """
    if net.batch is not None:
        raise CapabilityError(f"find_fixed_points takes one network, this is a batch of {net.batch}: make a Network of one of them")
    options = options.checked()
    rng = generator(rng)
    reduced = ReducedMap(net, net.as_input(input))
    given = None
    if starts is not None:
        given = _given_starts(net, starts)[:, reduced.site.kept]
    if options.n_starts == 0 and (given is None or not len(given)):
        raise ValueError("n_starts must be at least 1 where no starts are given, got 0")
    with single_blas_thread():
        x = _starts(reduced, options.n_starts, options.scale, rng, given)
        low, high = np.log(_CAPS)
        caps = np.exp(rng.uniform(low, high, len(x)))
        bounds = reduced.bounds()
        odd = bool(reduced.odd()[0])
        chunk = max(1, int(_MEMORY / (6 * 8 * reduced.n**2)))
        parts = [slice(first, first + chunk) for first in range(0, len(x), chunk)]
        ends = [_from_starts(reduced, x[part], caps[part], bounds, options) for part in parts]
        points, sizes, slow = (np.concatenate(of_parts) for of_parts in zip(*ends))
        return _collect(net, reduced, input, (points, sizes, slow), bounds, odd, options)


def _from_starts(reduced, x, caps, bounds, options):
    """Where starts end: points, their residuals, and whether they are slow points."""
    tol, slow_tol = options.tol, options.slow_tol
    which = np.zeros(len(x), dtype=int)
    points, sizes = newton(reduced, x, which, caps, bounds, tol, options.n_steps)
    slow = np.zeros(len(x), dtype=bool)
    left = np.flatnonzero((sizes >= tol) & (sizes < max(_PROMISING, slow_tol)))
    if left.size:
        points[left], sizes[left], flat = descend(reduced, points[left], which[left], tol, slow_tol)
        slow[left] = (sizes[left] >= tol) & (sizes[left] < slow_tol) & (flat <= FLAT)
    done = np.flatnonzero(sizes < tol)
    if done.size:
        points[done], sizes[done] = polish(reduced, points[done], which[done])
    return points, sizes, slow


def _collect(net, reduced, input, ends, bounds, odd, options):
    """Ends of starts (points, residuals, whether slow) as distinct points, counted, completed and typed."""
    points, sizes, slow = ends
    merge = options.merge
    fixed = sizes < options.tol
    n_starts, n_failed = len(points), int(np.sum(~fixed & ~slow))
    chosen, member = merge_points(points[fixed], merge)
    hits = np.bincount(member, minlength=len(chosen))
    order = np.argsort(-hits, kind="stable")
    found, hits = points[fixed][chosen][order], hits[order]
    n_found, mirrored, missing = len(found), np.zeros(len(found), dtype=bool), unseen(hits)
    source = np.arange(n_found)
    if odd and n_found:
        found, hits, mirrored, pairs, selves, source = mirror_images(found, hits, merge)
        if missing < np.inf:  # zero is its own image, all else comes in twos
            missing = 0.0 if selves.all() else 2.0 * unseen(pairs)
    index = reduced.index(found[:n_found], np.zeros(n_found, dtype=int))
    index = index[source]
    ghosts = points[slow]
    chosen, member = merge_points(ghosts, max(merge, _FLAT_MERGE))
    order = np.argsort(sizes[slow][chosen], kind="stable")
    ghost_hits = np.bincount(member, minlength=len(chosen))[order]
    ghosts = ghosts[chosen][order]
    every = np.concatenate([found, ghosts])
    alone = np.zeros(len(every), dtype=int)  # all of network 0
    states = reduced.complete(every, alone) if len(every) else np.zeros((0, net.cell.n_state, net.n_units))
    residual = size(reduced.residual(every, alone)) if len(every) else np.zeros(0)
    radius = unstable = None
    if options.spectra:
        radius, unstable = _stability(net, input, states, source, mirrored)
    degree = int(index.sum())
    complete = 1 if np.isfinite(bounds).all() else None
    text = f"{len(found)} fixed points"
    text += f" ({int(mirrored.sum())} of them mirror images)" if mirrored.any() else ""
    text += f", {len(ghosts)} slow points; {n_failed} of {n_starts} starts failed; "
    text += f"an estimated {missing:.3g} not found" if missing < np.inf else "too few to estimate how many are not found"
    if complete is not None and degree != complete:
        text += f"; the degree is {degree} and not {complete}: some are missing"
    none = np.zeros(len(ghosts), dtype=int)
    return NetworkFixedPoints(
        states=states,
        label=np.array(["fixed"] * len(found) + ["slow"] * len(ghosts), dtype="<U5"),
        residual=residual,
        hits=np.concatenate([hits, ghost_hits]).astype(int),
        mirrored=np.concatenate([mirrored, none.astype(bool)]),
        index=np.concatenate([index, none]),
        spectral_radius=radius,
        n_unstable=unstable,
        n_starts=n_starts,
        n_failed=n_failed,
        n_missing=float(missing),
        degree=degree,
        complete_degree=complete,
        odd=odd,
        tol=options.tol,
        slow_tol=options.slow_tol,
        merge=merge,
        status=_status(text, degree, complete),
    )


def _stability(net, input, states, source, mirrored):
    """Spectral radii (nan at slow points) and numbers of unstable eigenvalues (-1 there); mirror images take their source's."""
    radius, unstable = np.full(len(states), np.nan), np.full(len(states), -1)
    for i in range(len(source)):
        if mirrored[i]:
            radius[i], unstable[i] = radius[source[i]], unstable[source[i]]
        else:
            modulus = np.abs(net.eigenvalues(states[i], input))
            radius[i], unstable[i] = modulus.max(), int(np.sum(modulus > 1.0 + _UNIT * modulus.size))
    return radius, unstable


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
