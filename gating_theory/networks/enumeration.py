"""All fixed points of many small sampled networks, counted: E n and E log n with errors, to hold against the complexity [T7].

For each network a few starts of Newton's method find the first fixed points. Then curves in random directions lead from every fixed
point known to the next (see curves.py), round after round, all networks of a task at once. A network is done when every fixed
point has been reached several times, the last round brought nothing new, and the indices add up to the degree. Random starts
alone are no match for this: they can find three of seven fixed points of an LSTM of 8 units in thousands of starts.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import numpy as np

from ..ensemble.ensemble import Ensemble
from ..results.encoding import require, require_shapes, result
from ..results.provenance import cell_text, provenance
from ..running.blas import single_blas_thread
from ..running.progress import check_progress
from ..running.tasks import check_executor, collect, known_cell
from ..support.checks import generator, integer, real
from .network import Network
from .newton import merge_points, newton, polish, unseen
from .reduced_map import ReducedMap
from .solution_curves import trace

__all__ = ["FixedPointCounts", "count_fixed_points"]

#: Networks in a task at most, units in it at least (batches of few small matrices are slow), tasks in all where neither decides.
_MAX_CHUNK, _MIN_UNITS, _CHUNKS = 64, 256, 8

#: Newton starts of a network before the first round and in every round, their steps, and amplitudes in units of ``scale``.
_FIRST_STARTS, _STARTS, _STEPS, _AMPLITUDES = 32, 8, 40, (0.03, 1.5)

#: Largest change of an unknown in a Newton step, drawn for each start; from a crossing of a curve, which is close, at most that.
_CAPS, _CLOSE_CAP = (0.1, 0.5), 0.1

#: Steps along a curve and the |t| at which it is left.
_CURVE_STEPS, _FARTHEST = 100, 6.0


@result("fixed_point_counts")
@dataclass(frozen=True, eq=False)
class FixedPointCounts:
    """How many fixed points each of a set of random networks has, found by enumeration, and what their averages are [T7].

    Made by :func:`count_fixed_points`. Arrays are read-only, one entry per network. The zero state counts as any other.

    Attributes
    ----------
    counts : (n_networks,) array of int, fixed points found
    n_missing : (n_networks,) array
        Chao's estimate f1^2 / (2 f2) of the number of fixed points not found, from the numbers f1, f2 of those reached once and
        twice (pairs +-x where the network is odd). A lower bound in expectation; 0 where the
        stopping rule was met with ``min_hits`` of 3 or more.
    hits : (n_networks,) array of int, how often the fixed point (or pair) hardest to reach was reached
    degree : (n_networks,) array of int, sum over the fixed points of sign det(1 - J)
    complete_degree : int or None
        What ``degree`` is when nothing is missing: 1 where the states are bounded, None where that is not known (unbounded
        candidates, cells without a closed form of the sites' fixed state).
    odd : bool, whether fixed points come in pairs +-x, as found from the equations of the networks themselves
    settled : (n_networks,) array of bool
        Whether the search ended by its rule: no fixed point new in the last round, each reached ``min_hits`` times, degree
        complete. Where it is False the count is a lower bound.
    n_rounds : (n_networks,) array of int, rounds taken
    n_solved : int, Jacobians computed in all, each for one step of Newton's method or along a curve
    points : tuple of (count, d, N) arrays, or None unless asked for
    seed : int, of the whole set; see :meth:`network`
    n_units : int, N
    min_hits, max_rounds : int, as asked for
    status : str, "ok" or what to know about these numbers
    ensemble : Ensemble
    """

    counts: np.ndarray
    n_missing: np.ndarray
    hits: np.ndarray
    degree: np.ndarray
    complete_degree: int | None
    odd: bool
    settled: np.ndarray
    n_rounds: np.ndarray
    n_solved: int
    points: tuple | None = field(repr=False)
    seed: int
    n_units: int
    min_hits: int
    max_rounds: int
    status: str
    ensemble: Ensemble

    def __post_init__(self):
        for array in (self.counts, self.n_missing, self.hits, self.degree, self.settled, self.n_rounds, *(self.points or ())):
            array.flags.writeable = False

    @property
    def n_networks(self):
        """The number of networks."""
        return len(self.counts)

    @property
    def mean(self):
        """E n, the mean number of fixed points of a network."""
        return float(np.mean(self.counts))

    @property
    def mean_stderr(self):
        """Standard error of ``mean`` over networks; nan for a single one."""
        return _standard_error(self.counts)

    @property
    def mean_log(self):
        """E log n, natural logarithm; -inf where a network has no fixed point at all (unbounded cells only)."""
        return float(np.mean(self._logs))

    @property
    def mean_log_stderr(self):
        """Standard error of ``mean_log`` over networks; nan for a single one, or where ``mean_log`` is -inf."""
        return _standard_error(self._logs)

    @property
    def degree_passed(self):
        """Fraction of networks whose indices add up to ``complete_degree``; nan where that is not known.

        A network that fails lacks fixed points for certain; one that passes may lack as many of index +1 as of -1.
        """
        return float("nan") if self.complete_degree is None else float(np.mean(self.degree == self.complete_degree))

    @property
    def _logs(self):
        with np.errstate(divide="ignore"):
            return np.log(self.counts)

    def network(self, i):
        """The i-th Network, drawn again from its seed.

        Parameters
        ----------
        i : int in [0, n_networks)

        Returns
        -------
        Network

        Raises
        ------
        TypeError, ValueError : no such index
        """
        i = integer("i", i, low=0, high=self.n_networks - 1)
        return Network.sample(self.ensemble, self.n_units, _generators(self.seed, i)[0])

    def __str__(self):
        passed = "" if self.complete_degree is None else f", degree check passed by {100 * self.degree_passed:.4g} %"
        return (
            f"fixed points of {self.n_networks} {self.ensemble.cell.name} networks, {self.n_units} units: "
            f"E n = {self.mean:.4g} +- {self.mean_stderr:.2g}, E log n = {self.mean_log:.4g} +- {self.mean_log_stderr:.2g}, "
            f"at most {self.counts.max()}{passed}, {np.mean(self.n_missing):.2g} a network estimated to be missing; "
            f"status: {self.status}"
        )

    def to_dataset(self):
        """The numbers of each network as an xarray.Dataset over "network", with averages, ensemble and versions as attributes."""
        import json

        import xarray as xr

        about = {
            "counts": "fixed points found",
            "n_missing": "estimated number of fixed points not found",
            "hits": "times that the fixed point hardest to reach was reached",
            "degree": "sum of the indices of the fixed points",
            "settled": "whether the search ended by its rule",
            "n_rounds": "rounds of the search",
        }
        variables = {k: ("network", getattr(self, k).copy(), {"long_name": text, "units": "1"}) for k, text in about.items()}
        names = (
            "mean",
            "mean_stderr",
            "mean_log",
            "mean_log_stderr",
            "degree_passed",
            "n_solved",
            "n_units",
            "min_hits",
            "max_rounds",
        )
        attributes = {name: getattr(self, name) for name in (*names, "status")}
        attributes |= {"seed": str(self.seed), "odd": int(self.odd), "cell": self.ensemble.cell.name}
        if self.complete_degree is not None:
            attributes["complete_degree"] = self.complete_degree
        attributes["ensemble"] = json.dumps(self.ensemble.as_dict())
        attributes["provenance"] = json.dumps(provenance(self.ensemble, seed=str(self.seed)))
        coordinates = {"network": ("network", np.arange(self.n_networks), {"long_name": "network, in the order of their seeds"})}
        return xr.Dataset(variables, coordinates, attributes)

    def check(self):
        """ValueError where arrays do not fit together, or points are not those counted."""
        size = len(self.counts)
        require(size >= 1, "counts must have an entry for each network, got none")
        require_shapes(self, dict.fromkeys(("counts", "hits", "degree", "n_rounds", "settled", "n_missing"), (size,)))
        for name, low in {"n_solved": 0, "seed": 0, "n_units": 1, "min_hits": 1, "max_rounds": 1}.items():
            integer(name, getattr(self, name), low=low)
        if self.complete_degree is not None:
            integer("complete_degree", self.complete_degree)
        if self.points is not None:
            shapes = [(count, self.ensemble.cell.n_state, self.n_units) for count in self.counts.tolist()]
            good = [np.shape(p) for p in self.points] == shapes
            require(good, "points must hold as many states of each network as were counted")


def count_fixed_points(
    ens,
    n_units,
    n_networks,
    *,
    rng=None,
    executor=None,
    progress=None,
    min_hits=3,
    max_rounds=60,
    scale=1.0,
    tol=1e-10,
    merge=1e-6,
    points=False,
    journal=None,
):
    """Count the fixed points of random networks by enumeration: E n and E log n, with checks of completeness [T7].

    The equations are those of ``Network.find_fixed_points``, free of gates that only set the speed: N unknowns for every built-in
    cell, whatever its number of fields and state variables. Frozen biases, inputs and site parameters of the ensemble are drawn
    with each network. Newton's method from a few starts finds the first fixed points; then, in rounds, the curves
    Phi(x) - x = t v through every fixed point known are followed in random directions v to the fixed points next to it, and a few
    more starts are made. Where a network is odd (zero biases, and gates that do not break the symmetry) a point brings -x along,
    and pairs are what is counted.

    A network is done when its last round brought no new fixed point, every one (every pair) has been reached ``min_hits`` times
    (with 3 or more the estimated number missing is then 0, with 1 or 2 it may not be), and the sum of sign det(1 - J) is 1, as it
    must be where states are bounded and sites have one fixed state each, a smooth function of their fields. Cells without a closed
    form (PeepholeLSTM) are not known to: their degree is reported, not checked.

    Parameters
    ----------
    ens : Ensemble
    n_units : int >= 1, N
        Up to about 40: the number of fixed points grows exponentially where the complexity is positive.
    n_networks : int >= 1
    rng : numpy Generator, int or None
        Every network has a seed of its own, derived from one number drawn from it (``seed`` of the result).
    executor : concurrent.futures.Executor or anything with a ``submit`` like it, optional
        Processes, threads or a cluster's client. Default: this process. The result depends neither on it nor on the number of
        workers.
    progress : None, True or callable
        True: a progress bar. A callable is told ``progress(done, total)`` in networks.
    min_hits : int >= 1
        Arrivals, of starts and curves, that the fixed point hardest to reach must have.
    max_rounds : int >= 1
        Rounds after which a network is given up, with ``settled`` False.
    scale : float > 0
        Size of the states, for starts and curves: 1 for the states of gated cells.
    tol : float in (0, 1e-6]
        A point is fixed where max |s*(y(s)) - s| is below.
    merge : float > 0
        Points that differ by at most this in every component are one.
    points : bool
        Keep the fixed points' full states.
    journal : str or path-like, optional
        A file for finished networks, written as they come. A run that was killed goes on from it when started again with the same
        arguments, ``rng`` among them as an integer; it is refused with others.

    Returns
    -------
    FixedPointCounts

    Raises
    ------
    TypeError, ValueError
        Naming the argument, its value and what is allowed.

    Notes
    -----
    Never a proof that all were found: a pair that no curve and no start has come to, with indices +1 and -1, changes neither the
    degree nor the estimate. NUMERICS.md has what was missed where it could be known. Where a cell has no closed-form site fixed
    point, sites take the one reached from s = 0, and fixed points of the network with a site elsewhere are not seen.

    Examples
    --------
    >>> import gating_theory as gt
    >>> result = gt.count_fixed_points(gt.Ensemble(gt.GRU, gain={"h": 4, "r": 8}), n_units=8, n_networks=20, rng=0)
    >>> result.degree_passed
    1.0
    """
    if not isinstance(ens, Ensemble):
        raise TypeError(f"ens must be an Ensemble, got {ens!r}")
    n_units = integer("n_units", n_units, low=1)
    n_networks = integer("n_networks", n_networks, low=1)
    check_executor(executor)
    check_progress(progress)
    options = _Options(
        integer("min_hits", min_hits, low=1),
        integer("max_rounds", max_rounds, low=1),
        real("scale", scale, low=0.0, open_low=True),
        real("tol", tol, low=0.0, high=1e-6, open_low=True),
        real("merge", merge, low=0.0, open_low=True),
    )
    if not isinstance(points, (bool, np.bool_)):
        raise TypeError(f"points must be True or False, got {points!r}")
    seed = int(generator(rng).integers(2**63))
    length = min(_MAX_CHUNK, max(-(-_MIN_UNITS // n_units), -(-n_networks // _CHUNKS)))
    cuts = [(start, min(start + length, n_networks)) for start in range(0, n_networks, length)]
    tasks = [(ens.cell, ens.as_dict(), n_units, seed, start, stop, options, bool(points)) for start, stop in cuts]
    work = {"work": "count_fixed_points", "ensemble": ens.as_dict(), "cell": cell_text(ens.cell), "n_units": n_units}
    work |= {"n_networks": n_networks, "seed": seed, "options": asdict(options), "points": bool(points)}
    sizes = [stop - start for start, stop in cuts]
    parts = collect(_chunk, tasks, sizes, "network", executor=executor, progress=progress, journal=journal, work=work)
    names = ("counts", "n_missing", "hits", "degree", "settled", "n_rounds")
    joined = {name: np.concatenate([np.asarray(p[name]) for p in parts]) for name in names}
    complete = 1 if all(p["bounded"] for p in parts) else None
    return FixedPointCounts(
        **joined,
        complete_degree=complete,
        odd=all(p["odd"] for p in parts),
        n_solved=sum(p["n_solved"] for p in parts),
        points=tuple(np.reshape(x, (-1, ens.cell.n_state, n_units)) for p in parts for x in p["points"]) if points else None,
        seed=seed,
        n_units=n_units,
        min_hits=options.min_hits,
        max_rounds=options.max_rounds,
        status=_status(joined, complete),
        ensemble=ens,
    )


@dataclass(frozen=True)
class _Options:
    min_hits: int
    max_rounds: int
    scale: float
    tol: float
    merge: float


def _standard_error(values):
    if len(values) < 2 or not np.isfinite(values).all():
        return float("nan")
    return float(np.std(values, ddof=1) / np.sqrt(len(values)))


def _status(joined, complete):
    notes = []
    open_ = int(np.sum(~joined["settled"]))
    if open_:
        notes.append(
            f"{open_} of {len(joined['counts'])} networks were given up before their search had settled: "
            "their counts are lower bounds"
        )
    if complete is None:
        notes.append("the states are not known to be bounded: no degree to check")
    elif wrong := int(np.sum(joined["degree"] != complete)):
        notes.append(f"{wrong} of them lack fixed points for certain: their degree is not {complete}")
    if (joined["counts"] == 0).any():
        notes.append(f"{int(np.sum(joined['counts'] == 0))} networks without a fixed point")
    return "; ".join(notes) or "ok"


def _generators(seed, i):
    """Generators of the i-th network of a set: for its matrices, for its search."""
    return tuple(np.random.default_rng(s) for s in np.random.SeedSequence(seed, spawn_key=(i,)).spawn(2))


def _chunk(cell, description, n_units, seed, start, stop, options, keep):
    """One task: networks start <= i < stop. Numbers by network, and the points if they are to be kept."""
    ensemble = Ensemble.from_dict(description, known_cell(cell))
    with single_blas_thread():
        pairs = [_generators(seed, i) for i in range(start, stop)]
        nets = [Network.sample(ensemble, n_units, rng) for rng, _ in pairs]
        stacked = (np.stack([getattr(net, name) for net in nets]) for name in ("matrices", "biases", "parameters", "input"))
        batch = Network(ensemble, *stacked)
        search = _Search(ReducedMap(batch, batch.input), [rng for _, rng in pairs], options)
        search.run()
        return search.result(keep)


class _Search:
    """The fixed points known of a batch of networks: points (P, m, N) with their network, hits and index."""

    def __init__(self, reduced, rngs, options):
        self.reduced, self.rngs, self.options = reduced, rngs, options
        self.bounds = reduced.bounds()
        self.bounded = bool(np.isfinite(self.bounds).all())
        self.odd = bool(reduced.odd().all())
        self.points = np.zeros((0, reduced.m, reduced.n_units))
        self.owner, self.hits, self.index = (np.zeros(0, dtype=int) for _ in range(3))
        self.n_rounds = np.zeros(reduced.n_networks, dtype=int)
        self.settled = np.zeros(reduced.n_networks, dtype=bool)
        # any direction in general position: it orders points, tells x from -x, and only those equal in it are compared in full
        self.axis = np.random.default_rng(0).standard_normal(reduced.n)

    def run(self):
        """Rounds until every network is settled or given up."""
        everyone = np.arange(self.reduced.n_networks)
        x, which = self.starts(everyone, _FIRST_STARTS)
        x[::_FIRST_STARTS] = 0.0
        self.add(*self.newton(x, which))
        for _ in range(self.options.max_rounds):
            active = np.flatnonzero(~self.settled)
            if not active.size:
                break
            x, which = self.neighbours(active)
            more, of = self.starts(active, _STARTS)
            close, far = np.full(len(x), _CLOSE_CAP), self.caps(of)
            found = self.newton(np.concatenate([x, more]), np.concatenate([which, of]), np.concatenate([close, far]))
            new = self.add(*found)
            self.n_rounds[active] += 1
            least, degree, _ = self.by_network()
            done = ~new & (least >= self.options.min_hits)
            if self.bounded:
                done &= degree == 1
            self.settled[active] = done[active]

    def starts(self, networks, count):
        """Newton starts: normal states of many amplitudes for each of the networks."""
        low, high = np.log(_AMPLITUDES)
        parts = []
        for i in networks:
            amplitude = self.options.scale * np.exp(self.rngs[i].uniform(low, high, (count, 1, 1)))
            parts.append(amplitude * self.rngs[i].standard_normal((count, self.reduced.m, self.reduced.n_units)))
        return np.concatenate(parts), np.repeat(networks, count)

    def caps(self, which):
        """Caps of Newton steps, drawn network by network."""
        out = np.empty(len(which))
        for i in np.unique(which):
            mine = which == i
            out[mine] = np.exp(self.rngs[i].uniform(*np.log(_CAPS), int(mine.sum())))
        return out

    def newton(self, x, which, caps=None):
        """Fixed points that starts converge to, with their networks."""
        caps = self.caps(which) if caps is None else caps
        found, error = newton(self.reduced, x, which, caps * self.options.scale, self.bounds, self.options.tol, _STEPS)
        done = error < self.options.tol
        return found[done], which[done]

    def neighbours(self, networks):
        """Crossings of curves from every point of the networks, both ways in one random direction each."""
        mine = np.flatnonzero(np.isin(self.owner, networks))
        which = self.owner[mine]
        directions = np.empty((mine.size, self.reduced.n))
        for i in networks:
            rows = which == i
            directions[rows] = self.rngs[i].standard_normal((int(rows.sum()), self.reduced.n))
        both = np.repeat(np.arange(mine.size), 2)
        sign = np.tile([1.0, -1.0], mine.size)
        scale = self.options.scale
        x, source = trace(
            self.reduced, self.points[mine][both], which[both], directions[both], sign, _CURVE_STEPS, _FARTHEST * scale
        )
        return x, which[both][source]

    def add(self, x, which):
        """Count arrivals at points x. Returns (networks,) bool: where something was new."""
        flat = x.reshape(len(x), self.reduced.n)
        if self.odd:  # of each pair the one on the positive side of the axis
            x = np.where((flat @ self.axis < 0)[:, None, None], -x, x)
        old = len(self.points)
        first, label = self.distinct(np.concatenate([self.points, x]), np.concatenate([self.owner, which]))
        fresh = first[first >= old] - old
        point, error = polish(self.reduced, x[fresh], which[fresh])
        good = error < self.options.tol
        # polished points may turn out to be one: they are told apart again, each with the hits of its cluster
        hits = np.concatenate([self.hits, np.ones(len(x), dtype=int)])
        total = np.bincount(label, weights=hits, minlength=len(first)).astype(int)
        known = total[label[:old]]
        points = np.concatenate([self.points, point[good]])
        owner = np.concatenate([self.owner, which[fresh][good]])
        hits = np.concatenate([known, total[first >= old][good]])
        first, label = self.distinct(points, owner)
        self.hits = np.bincount(label, weights=hits, minlength=len(first)).astype(int)
        self.points, self.owner = points[first], owner[first]
        news = first[first >= old]
        self.index = np.concatenate([self.index, self.reduced.index(points[news], owner[news])])
        new = np.zeros(self.reduced.n_networks, dtype=bool)
        new[owner[news]] = True
        return new

    def distinct(self, x, which):
        """Indices of the first of each set of equal points of one network, ascending, and the place in it of every point's own."""
        if not len(x):
            return np.zeros(0, dtype=int), np.zeros(0, dtype=int)
        distance = self.options.merge
        key = x.reshape(len(x), -1) @ self.axis
        order = np.lexsort((key, which))
        apart = (np.diff(which[order]) != 0) | (np.diff(key[order]) > distance * np.abs(self.axis).sum())
        group = np.empty(len(x), dtype=int)
        group[order] = np.concatenate([[0], np.cumsum(apart)])
        first = np.full(group.max() + 1, len(x))
        np.minimum.at(first, group, np.arange(len(x)))
        leader = first[group]
        # equal along the axis and yet apart
        for g in np.unique(group[np.abs(x - x[leader]).max(axis=(1, 2)) > distance]):
            members = np.flatnonzero(group == g)
            chosen, member = merge_points(x[members], distance)
            leader[members] = members[chosen][member]
        return np.unique(leader, return_inverse=True)

    def by_network(self):
        """Smallest number of hits, degree and count of every network."""
        n = self.reduced.n_networks
        least = np.full(n, np.iinfo(int).max)
        np.minimum.at(least, self.owner, self.hits)
        copies = self.copies()
        degree = np.bincount(self.owner, weights=self.index * copies, minlength=n).astype(int)
        counts = np.bincount(self.owner, weights=copies, minlength=n).astype(int)
        return np.where(counts > 0, least, 0), degree, counts

    def copies(self):
        """2 for points that stand for a pair +-x, 1 for the others."""
        zero = np.abs(self.points).max(axis=(1, 2)) <= self.options.merge
        return np.where(zero | (not self.odd), 1, 2)

    def result(self, keep):
        least, degree, counts = self.by_network()
        missing = np.array([self.missing(i) for i in range(self.reduced.n_networks)])
        out = {"counts": counts, "degree": degree, "hits": least, "n_missing": missing, "settled": self.settled}
        out |= {
            "n_rounds": self.n_rounds,
            "n_solved": self.reduced.n_jacobians,
            "bounded": self.bounded,
            "odd": self.odd,
            "points": [],
        }
        if keep:
            for i in range(self.reduced.n_networks):
                mine = self.owner == i
                x = self.points[mine]
                x = np.concatenate([x, -x[self.copies()[mine] == 2]])
                out["points"].append(self.reduced.complete(x, np.full(len(x), i)))
        return out

    def missing(self, i):
        pairs = self.hits[self.owner == i]
        return float(unseen(pairs)) * (2.0 if self.odd else 1.0)
