"""Which numbers of sinks, sources and saddles a two-unit GRU can have: a search, and the catalogue of what is known [JSP].

The states of a two-unit GRU stay in a square, so that the indices of its fixed points add up to 1: saddles = sinks + sources -
1. Which of the remaining triples occur is found by search; that others do not is not proved.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files

import numpy as np

from ..checks import generator, integer, real
from ..progress import Progress, check_progress
from .fixed_points import Topology
from .flow import GRUFlow
from .sweep import sweep_table

__all__ = ["TopologySearch", "search_topologies", "topology_catalogue", "simplify"]

#: Parameter sets kept for each triple, to breed from.
_KEPT = 30

#: Flat parameters of a two-unit GRU: U_z, U_r, U_h row by row, b_z, b_r, b_h.
_Z = np.r_[0:4, 12:14]
_R_AND_H = np.r_[4:12, 14:18]
_BUDGET = 20_000


@dataclass(frozen=True, eq=False)
class TopologySearch:
    """What :func:`search_topologies` found.

    Attributes
    ----------
    examples : {Topology: GRUFlow}
        One flow of each triple, counted in validated arithmetic; sorted by the number of fixed points.
    frequency : {Topology: int}, how many of the networks looked at had each triple
    n_networks : int, networks looked at
    n_undecided : int, those left out because something about them was undecided
    status : str
    """

    examples: dict
    frequency: dict
    n_networks: int
    n_undecided: int
    status: str

    def __len__(self):
        return len(self.examples)

    def __str__(self):
        lines = [self.status]
        lines += [f"  {tuple(t)}: {self.frequency[t]} networks" for t in self.examples]
        return "\n".join(lines)


def search_topologies(n_generations=100, population=500, rng=None, *, largest=80.0, progress=None):
    """Search two-unit GRUs for distinct triples (sinks, sources, saddles): random draws, then quality-diversity (MAP-Elites).

    The archive holds up to 30 parameter sets of every triple met. Each generation draws parents from all triples alike, changes
    some of their entries, or the update gate alone, which turns sinks into sources without moving anything, and counts the
    fixed points of the children.

    Parameters
    ----------
    n_generations : int >= 1
    population : int >= 10, networks a generation
    rng : numpy Generator, int or None
    largest : float > 0, bound on the modulus of every parameter
    progress : None, True or callable(done, total)

    Returns
    -------
    TopologySearch
        25 triples or more within 1e5 networks as a rule.

    Raises
    ------
    TypeError, ValueError : arguments out of range
    """
    from ..cells import GRU

    n_generations, population = integer("n_generations", n_generations, low=1), integer("population", population, low=10)
    largest = real("largest", largest, low=0.0, open_low=True)
    check_progress(progress)
    rng = generator(rng)
    archive, frequency, undecided = {}, {}, 0
    with Progress(progress, n_generations * population, "network") as tell:
        for generation in range(n_generations):
            fresh = population if generation == 0 else population // 20
            flat = np.concatenate([_random(fresh, rng), _children(archive, frequency, population - fresh, rng)])
            np.clip(flat, -largest, largest, out=flat)
            table = sweep_table(GRU, 2, flat, most_boxes=_BUDGET)
            good = (table[:, 4] == 0) & (table[:, 5] == 0) & (table[:, 6] == 1) & (table[:, 8] == 1)
            undecided += int((~good).sum())
            for row, parameters in zip(table[good, 1:4], flat[good]):
                triple = Topology(*(int(v) for v in row))
                frequency[triple] = frequency.get(triple, 0) + 1
                kept = archive.setdefault(triple, [])
                if len(kept) < _KEPT:
                    kept.append(parameters)
                else:  # the archive drifts, so that no dead end stays for ever
                    kept[rng.integers(_KEPT)] = parameters
            tell(population)
    order = sorted(archive, key=lambda t: (sum(t), t))
    examples = {t: _flow(archive[t][int(np.argmin([np.abs(p).sum() for p in archive[t]]))]) for t in order}
    n = n_generations * population
    status = (
        f"{len(examples)} triples among {n} networks, {undecided} left undecided; at most {max(sum(t) for t in order)} fixed points"
    )
    return TopologySearch(examples, {t: frequency[t] for t in order}, n, undecided, status)


def _random(count, rng):
    scale = np.exp(rng.uniform(np.log(1.0), np.log(40.0), (count, 1)))
    flat = rng.standard_normal((count, 18)) * scale
    flat[:, _R_AND_H[:4]] *= np.exp(rng.uniform(-2.0, 1.0, (count, 1)))
    return flat * (rng.random((count, 18)) < rng.choice([0.3, 0.7, 1.0], (count, 1)))


def _children(archive, frequency, count, rng):
    if count == 0:
        return np.empty((0, 18))
    triples = list(archive)
    # rich portraits breed richer ones; rare ones are at the border of what is known
    rich = np.array([float(sum(t)) ** 2 for t in triples])
    rare = np.array([1.0 / frequency[t] for t in triples])
    chosen = rng.choice(len(triples), count, p=0.6 * rich / rich.sum() + 0.4 * rare / rare.sum())
    flat = np.array([archive[triples[c]][rng.integers(len(archive[triples[c]]))] for c in chosen])
    size = np.exp(rng.uniform(np.log(0.02), np.log(1.0), (count, 1)))
    change = rng.standard_normal(flat.shape) * size * (1.0 + np.abs(flat)) * (rng.random(flat.shape) < 0.4)
    gate_alone = rng.random(count) < 0.3
    change[np.ix_(gate_alone, _R_AND_H)] = 0.0
    redrawn = gate_alone & (rng.random(count) < 0.5)
    spread = np.exp(rng.uniform(np.log(2.0), np.log(20.0), (int(redrawn.sum()), 1)))
    flat[np.ix_(redrawn, _Z)] = rng.standard_normal((int(redrawn.sum()), 6)) * spread
    return flat + change


def _flow(flat):
    matrices, bias = flat[:12].reshape(3, 2, 2), flat[12:].reshape(3, 2)
    names = [*(f"U_{k}" for k in "zrh"), *(f"b_{k}" for k in "zrh")]
    return GRUFlow(**{name: value for name, value in zip(names, [*matrices, *bias])})


def simplify(flow):
    """A two-unit GRU of the same triple with entries rounded to few digits and as many of them zero as possible.

    Greedy, from coarse to fine; each step is kept where the triple, counted in validated arithmetic, stays.

    Parameters
    ----------
    flow : Flow of a two-unit GRU

    Returns
    -------
    GRUFlow

    Raises
    ------
    TypeError, ValueError : another cell or size, a flow whose fixed points are not all decided
    """
    from ..cells import GRU
    from .flow import Flow

    if not isinstance(flow, Flow) or flow.cell != GRU or flow.n_units != 2:
        raise TypeError(f"flow must be that of a two-unit GRU, got {flow!r}")

    def triples(flat):
        table = sweep_table(GRU, 2, flat, most_boxes=_BUDGET)
        bad = (table[:, 4] > 0) | (table[:, 5] > 0) | (table[:, 6] != 1) | (table[:, 8] != 1)
        table[bad] = -1
        return table[:, 1:4]

    flat = np.array(flow.flat)
    wanted = triples(flat[None])[0]
    if wanted[0] < 0:
        raise ValueError(f"flow has fixed points that are not decided: {flow!r}")
    for digits in (3, 2, 1, 0):
        trial = np.round(flat, digits)
        if (triples(trial[None])[0] == wanted).all():
            flat = trial
    # one entry at a time: 0, then fewer digits; smallest entries first
    for i in np.argsort(np.abs(flat)):
        trials = np.repeat(flat[None], 5, axis=0)
        trials[:, i] = [0.0, *(np.round(flat[i], d) for d in (-1, 0, 1, 2))]
        good = (triples(trials) == wanted).all(axis=1)
        if good.any():
            flat = trials[int(np.argmax(good))]
    return _flow(flat + 0.0)


def topology_catalogue():
    """A two-unit GRU for every triple (sinks, sources, saddles) that is known to occur, in short decimals.

    Every entry is certified by rigorous interval arithmetic in the package's tests; completeness is not proved.

    Returns
    -------
    {Topology: GRUFlow}, sorted by the number of fixed points
    """
    text = (files(__package__) / "topologies.json").read_text(encoding="utf-8")
    out = {}
    for entry in json.loads(text)["flows"]:
        parameters = {name: value for name, value in entry.items() if name != "topology"}
        out[Topology(*entry["topology"])] = GRUFlow(**{"U_h": [[0, 0], [0, 0]], **parameters})
    return out
