"""From neighbour to neighbour: the search for all fixed points of small networks, many networks at a time [T7].

A few starts of Newton's method find the first fixed points of each network. Then curves in random directions lead from every fixed
point known to the next (see solution_curves), round after round, and a few more starts are made. A network is settled when its last
round brought nothing new, every fixed point has been reached several times, and the indices add up to the degree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .newton import merge_points, newton, polish, unseen
from .reduced_map import ReducedMap
from .solution_curves import trace

__all__ = ["NeighbourOptions", "NeighbourSearch"]

#: Newton starts of a network before the first round and in every round, their steps, and amplitudes in units of ``scale``.
_FIRST_STARTS, _STARTS, _STEPS, _AMPLITUDES = 32, 8, 40, (0.03, 1.5)

#: Largest change of an unknown in a Newton step, drawn for each start; from a crossing of a curve, which is close, at most that.
_CAPS, _CLOSE_CAP = (0.1, 0.5), 0.1

#: Steps along a curve and the |t| at which it is left.
_CURVE_STEPS, _FARTHEST = 100, 6.0


@dataclass(frozen=True)
class NeighbourOptions:
    """When a search is done and what counts as a fixed point; the arguments of ``count_fixed_points``.

    Attributes
    ----------
    min_hits : int, arrivals that the point hardest to reach must have
    max_rounds : int, rounds after which a network is given up
    scale : float, size of the states
    tol : float, largest residual of a fixed point
    merge : float, largest difference of two points that are one
    """

    min_hits: int = 3
    max_rounds: int = 60
    scale: float = 1.0
    tol: float = 1e-10
    merge: float = 1e-6


class NeighbourSearch:
    """The fixed points known of a batch of networks, and the search for more.

    Parameters
    ----------
    reduced : ReducedMap, of the batch
    rngs : sequence of numpy Generators, one a network
    options : NeighbourOptions

    Attributes
    ----------
    points : (P, m, N) array, one of each pair +-x where the networks are odd
    owner : (P,) array of int, the network of each
    hits : (P,) array of int, how often each was reached
    index : (P,) array of int, sign of det(1 - dPhi/dx)
    settled : (networks,) array of bool, whether the rule was met
    n_rounds : (networks,) array of int
    odd, bounded : bool
    """

    def __init__(self, reduced: ReducedMap, rngs: Sequence[np.random.Generator], options: NeighbourOptions) -> None:
        self.reduced, self.rngs, self.options = reduced, rngs, options
        self.bounds = reduced.bounds()
        self.bounded = bool(np.isfinite(self.bounds).all())
        self.odd = bool(reduced.odd().all())
        self.points = np.zeros((0, reduced.m, reduced.n_units))
        self.owner, self.hits, self.index = (np.zeros(0, dtype=int) for _ in range(3))
        self.n_rounds = np.zeros(reduced.n_networks, dtype=int)
        self.settled = np.zeros(reduced.n_networks, dtype=bool)
        # A direction in general position. Projected on it points can be sorted, so that only neighbours are compared in full;
        # and of a pair x, -x the one with the positive projection stands for both.
        self.axis = np.random.default_rng(0).standard_normal(reduced.n)

    def run(self) -> None:
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

    def starts(self, networks: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Newton starts: normal states of many amplitudes for each of the networks."""
        low, high = np.log(_AMPLITUDES)
        parts = []
        for i in networks:
            amplitude = self.options.scale * np.exp(self.rngs[i].uniform(low, high, (count, 1, 1)))
            parts.append(amplitude * self.rngs[i].standard_normal((count, self.reduced.m, self.reduced.n_units)))
        return np.concatenate(parts), np.repeat(networks, count)

    def caps(self, which: np.ndarray) -> np.ndarray:
        """Caps of Newton steps, drawn network by network."""
        out = np.empty(len(which))
        for i in np.unique(which):
            mine = which == i
            out[mine] = np.exp(self.rngs[i].uniform(*np.log(_CAPS), int(mine.sum())))
        return out

    def newton(self, x: np.ndarray, which: np.ndarray, caps: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Fixed points that starts converge to, with their networks."""
        caps = self.caps(which) if caps is None else caps
        found, error = newton(self.reduced, x, which, caps * self.options.scale, self.bounds, self.options.tol, _STEPS)
        done = error < self.options.tol
        return found[done], which[done]

    def neighbours(self, networks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
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

    def add(self, x: np.ndarray, which: np.ndarray) -> np.ndarray:
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

    def distinct(self, x: np.ndarray, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
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

    def by_network(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Smallest number of hits, degree and count of every network."""
        n = self.reduced.n_networks
        least = np.full(n, np.iinfo(int).max)
        np.minimum.at(least, self.owner, self.hits)
        copies = self.copies()
        degree = np.bincount(self.owner, weights=self.index * copies, minlength=n).astype(int)
        counts = np.bincount(self.owner, weights=copies, minlength=n).astype(int)
        return np.where(counts > 0, least, 0), degree, counts

    def copies(self) -> np.ndarray:
        """2 for points that stand for a pair +-x, 1 for the others."""
        zero = np.abs(self.points).max(axis=(1, 2)) <= self.options.merge
        return np.where(zero | (not self.odd), 1, 2)

    def result(self, keep: bool) -> dict[str, Any]:
        """Numbers by network, and the full states of the fixed points if they are to be kept."""
        least, degree, counts = self.by_network()
        missing = np.array([self.missing(i) for i in range(self.reduced.n_networks)])
        out: dict[str, Any] = {"counts": counts, "degree": degree, "hits": least, "n_missing": missing, "settled": self.settled}
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

    def missing(self, i: int) -> float:
        """Chao's estimate of the number of fixed points of network i that were not found."""
        pairs = self.hits[self.owner == i]
        return float(unseen(pairs)) * (2.0 if self.odd else 1.0)
