"""Which numbers of sinks, sources and saddles a two-unit GRU can have: a search, and the catalogue of what is known [JSP].

The states of a two-unit GRU stay in a square, so that the indices of its fixed points add up to 1: saddles = sinks + sources -
1, and n fixed points can be of (n + 3)/2 kinds. Every triple that the index allows up to eleven points occurs, and of those of
thirteen points all but (0, 7, 6), which was not found; fifteen points are the most that were found, as (7, 1, 7). These 35 have a
certified example each. That others do not occur is not proved. The count of 36 in [JSP] follows a definition that could not be
checked.

What decides about sources: the Jacobian is diag(1 - z) A, and A = D G - 1 does not know the update gate z (D = diag(1 - h^2),
G the slope of the candidate's fields). A fixed point with det A > 0 can be a source only where A_11 > 0 or A_22 > 0. Where
A_11 > 0 at all of them it is enough to slow the second unit down; where some have A_22 > 0 alone, gates that are linear in h
must tell them apart. Sinks on an edge, h_2 near 1 or -1, have A_22 near -1 and A_11 < 0. One that is about to meet a saddle in
a fold has A_11 > 0 in the end, if A_12 A_21 < 0: between A_11 = 0 and the fold. So edges, where most fixed points are, have
sources too, in narrow windows of the parameters. (0, 6, 5), (2, 5, 6) and (1, 6, 6) were found this way: a search that counts
fixed points with a positive A_11 or A_22 and climbs on the largest of the others, then Newton's method for parameters with
A_11 A_22 = A_12 A_21 / 2 at one or two sinks, then these parameters followed to where |A_12 A_21|, the width of the window, is
3e-5. For (0, 7, 6) six points of seven are sources and the seventh stands at A_11 = 0, but its window could not be made wider
than 1e-10 by following one set of parameters.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files

import numpy as np

from ...results.encoding import dict_of, result
from ...results.status import Status
from ...running.progress import Progress, check_progress
from ...support.arithmetic import underflow_is_zero
from ...support.available_memory import require_memory
from ...support.checks import generator, integer, real, several, shown
from ...support.types import Progress as Wanted
from ...support.types import Rng
from ..flow import Flow, GRUFlow
from ..program.compiled import compiled_flow
from ..proof.fixed_points import Topology
from .sweep import decided, sweep_table

__all__ = ["TopologySearch", "search_topologies", "topology_catalogue", "simplify"]

#: Parameter sets kept for each triple, to breed from.
_KEPT = 20

#: Flat parameters of a two-unit GRU: U_z, U_r, U_h row by row, b_z, b_r, b_h.
_Z = np.r_[0:4, 12:14]
_R_AND_H = np.r_[4:12, 14:18]

#: Boxes that the count of one network may look at.
_BUDGET = 20_000

#: Fixed points of one network that the search has room for.
_MOST = 24

#: Update gates tried on every network: at random, and directions of opposite gates.
_GATES, _DIRECTIONS = 60, 40


@result("flow.TopologySearch")
@dataclass(frozen=True)
class TopologySearch:
    """What :func:`search_topologies` found.

    Attributes
    ----------
    examples : {Topology: GRUFlow}
        One flow of each triple, counted in validated arithmetic; sorted by the number of fixed points.
    frequency : {Topology: int}, how many of the networks looked at had each triple, with one of the update gates tried
    n_networks : int, networks looked at, not counting update gates
    n_undecided : int, those left out because something about them was undecided
    status : Status
        "searched", the only code.

    See Also
    --------
    gating_theory.flow.search_topologies : Makes one.

    Examples
    --------
    >>> import gating_theory as gt
    >>> found = gt.flow.search_topologies(1, population=50, rng=0)
    >>> max(found.frequency, key=found.frequency.get).words
    '1 sink'
    """

    examples: dict[Topology, Flow]
    frequency: dict[Topology, int]
    n_networks: int
    n_undecided: int
    status: Status

    as_dict = dict_of

    @property
    def ok(self) -> bool:
        """True: a search always comes to its end."""
        return self.status.ok

    def __len__(self) -> int:
        return len(self.examples)

    def __str__(self) -> str:
        lines = [str(self.status)]
        lines += [f"  {tuple(t)}: {self.frequency[t]} networks" for t in self.examples]
        return "\n".join(lines)


@underflow_is_zero
def search_topologies(
    n_generations: int = 100,
    population: int = 500,
    rng: Rng = None,
    *,
    start: Iterable[Flow] = (),
    largest: float = 80.0,
    progress: Wanted = None,
) -> TopologySearch:
    """Search two-unit GRUs for distinct triples (sinks, sources, saddles): random draws, then quality-diversity (MAP-Elites).

    The archive holds up to 20 parameter sets of every triple met. Each generation draws parents from all triples, the rare and the
    rich ones more often, changes some of their entries on scales from 1 to 100 %, or moves them towards another of the same
    triple, and counts the fixed points of the children. The update gate moves no fixed point and no saddle, only sinks to sources
    and back: hundreds of gates are tried on the fixed points of every child, at the price of one search.

    Parameters
    ----------
    n_generations : int >= 1
    population : int >= 10, networks a generation
    rng : numpy Generator, int or None
    start : iterable of two-unit GRU flows
        Parents from the first generation on, such as the examples of an earlier search, which this one then continues.
    largest : float > 0, bound on the modulus of every parameter
    progress : None, True or callable(done, total)

    Returns
    -------
    TopologySearch
        28 triples after 6e4 networks (60 generations of 1000, rng=2), two minutes of CPU time, of the 35 known.

    Raises
    ------
    TypeError, ValueError
        arguments out of range

    See Also
    --------
    gating_theory.flow.topology_catalogue : What is known.
    gating_theory.flow.simplify : Short weights for what is found.

    Examples
    --------
    >>> import gating_theory as gt
    >>> found = gt.flow.search_topologies(1, population=50, rng=0)
    >>> found.n_networks, (2, 0, 1) in found.examples
    (50, True)
    """
    from ...cell.builtin import GRU

    n_generations, population = integer("n_generations", n_generations, low=1), integer("population", population, low=10)
    largest = real("largest", largest, low=0.0, open_low=True)
    check_progress(progress)
    rng = generator(rng)
    given = [_require_two_units("start", flow).flat for flow in several("start", start, Flow, "flows")]
    require_memory(f"population = {population}", 8.0 * population * (_MOST * 2 + 100))
    archive: dict[Topology, list[np.ndarray]] = {}
    frequency: dict[Topology, int] = {}
    undecided = 0
    jacobian = compiled_flow(GRU, 2).jacobian
    with Progress(progress, n_generations * population, "network") as tell:
        for generation in range(n_generations):
            fresh = max(population - len(given), 0) if generation == 0 else population // 20
            parents = given[:population] if generation == 0 else []
            drawn = _random(fresh, rng)
            born = _children(archive, frequency, population - fresh - len(parents), rng)
            flat = np.concatenate([drawn, born, *(p[None] for p in parents)])
            np.clip(flat, -largest, largest, out=flat)
            plain = flat.copy()
            plain[:, _Z] = 0.0
            middles = np.zeros((population, _MOST, 2))
            table = sweep_table(GRU, 2, plain, most_boxes=_BUDGET, middles=middles)
            good = decided(table) & (table[:, 0] <= _MOST)
            undecided += int((~good).sum())
            for flow, bare, row, points in zip(flat[good], plain[good], table[good], middles[good]):
                saddles = int(row[3])
                for sources, gate in _reached(jacobian, bare, flow[_Z], points[: row[0]], rng, largest):
                    triple = Topology(saddles + 1 - sources, sources, saddles)
                    frequency[triple] = frequency.get(triple, 0) + 1
                    kept = archive.setdefault(triple, [])
                    new = flow.copy()
                    new[_Z] = gate
                    if len(kept) < _KEPT:
                        kept.append(new)
                    else:  # the archive drifts, so that no dead end stays for ever
                        kept[rng.integers(_KEPT)] = new
            tell(population)
    examples = {}
    for triple in sorted(archive, key=lambda t: (sum(t), t)):
        members = np.array(sorted(archive[triple], key=lambda p: np.abs(p).sum()))
        table = sweep_table(GRU, 2, members, most_boxes=_BUDGET)
        proved = decided(table) & (table[:, 1:4] == triple).all(axis=1)
        if proved.any():
            examples[triple] = _flow(members[int(np.argmax(proved))])
    n = n_generations * population
    most = max(sum(t) for t in examples)
    text = f"{len(examples)} triples among {n} networks, {undecided} left undecided; at most {most} fixed points"
    return TopologySearch(examples, {t: frequency[t] for t in examples}, n, undecided, Status("searched", text))


def _random(count, rng):
    scale = np.exp(rng.uniform(np.log(1.0), np.log(40.0), (count, 1)))
    flat = rng.standard_normal((count, 18)) * scale
    flat[:, _R_AND_H[:4]] *= np.exp(rng.uniform(-2.0, 1.0, (count, 1)))
    flat *= rng.random((count, 18)) < rng.choice([0.3, 0.7, 1.0], (count, 1))
    # a fifth of them is the same when the units change places: their fixed points come in pairs
    alike = np.flatnonzero(rng.random(count) < 0.2)
    matrices, bias = flat[alike, :12].reshape(-1, 3, 2, 2), flat[alike, 12:].reshape(-1, 3, 2)
    flat[alike, :12] = (0.5 * (matrices + matrices[..., ::-1, ::-1])).reshape(-1, 12)
    flat[alike, 12:] = (0.5 * (bias + bias[..., ::-1])).reshape(-1, 6)
    return flat


def _children(archive, frequency, count, rng):
    if count == 0:
        return np.empty((0, 18))
    triples = list(archive)
    # rich portraits breed richer ones; rare ones are at the border of what is known
    rich = np.array([float(sum(t)) ** 2 for t in triples])
    rare = np.array([1.0 / frequency[t] for t in triples])
    chosen = rng.choice(len(triples), count, p=0.4 * rich / rich.sum() + 0.3 * rare / rare.sum() + 0.3 / len(triples))

    def members():
        return np.array([archive[triples[c]][rng.integers(len(archive[triples[c]]))] for c in chosen])

    flat, other = members(), members()
    size = np.exp(rng.uniform(np.log(0.01), np.log(1.0), (count, 1)))
    change = rng.standard_normal(flat.shape) * size * (1.0 + np.abs(flat))
    change *= rng.random(flat.shape) < rng.choice([0.1, 0.3, 1.0], (count, 1))
    along = rng.random(count) < 0.3
    change[along] += (other - flat)[along] * (0.5 * rng.standard_normal((int(along.sum()), 1)))
    return flat + change


def _reached(jacobian, plain, own, points, rng, largest):
    """[(number of sources, gate)], one for each number that some update gate gives the fixed points of a two-unit GRU.

    ``plain`` are its parameters without an update gate, ``own`` those of its gate, which is tried first. The Jacobian is
    diag(1 - z) A: a point with det A > 0 is a source where (1 - z_1) A_11 + (1 - z_2) A_22 > 0, which the gate decides where
    A_11 and A_22 differ in sign. Gates z_1 = sigma(-u), z_2 = sigma(u) with u = w.h + c have
    (1 - z_1)/(1 - z_2) = e^u: for given w all thresholds c are tried.
    """
    J = np.empty((len(points), 4))
    jacobian(np.ascontiguousarray(points), plain, J)
    a, d = J[:, 0], J[:, 3]
    no_saddle = a * d > J[:, 1] * J[:, 2]
    always = int((no_saddle & (a > 0) & (d > 0)).sum())
    mixed = no_saddle & (a * d < 0)
    if not mixed.any():
        return [(always, own)]
    x, a, d = points[mixed], a[mixed], d[mixed]
    scale = np.exp(rng.uniform(np.log(0.5), np.log(40.0), (_GATES, 1)))
    gates = rng.standard_normal((_GATES, 6)) * scale * (rng.random((_GATES, 6)) < 0.7)
    gates[0] = own
    w = rng.standard_normal((_DIRECTIONS, 2)) * np.exp(rng.uniform(np.log(0.1), np.log(20.0), (_DIRECTIONS, 1)))
    v = np.sort(np.log(-d / a) - w @ x.T, axis=1)
    c = np.concatenate([v[:, :1] - 1.0, 0.5 * (v[:, 1:] + v[:, :-1]), v[:, -1:] + 1.0], axis=1)
    w = np.repeat(w, c.shape[1], axis=0)
    opposite = np.column_stack([-w, w, -c.ravel(), c.ravel()])
    gates = np.clip(np.concatenate([gates, opposite]), -largest, largest)
    y = np.einsum("gij,kj->gki", gates[:, :4].reshape(-1, 2, 2), x) + gates[:, None, 4:]
    speed = -np.logaddexp(0.0, y)
    first, second = a * np.exp(np.minimum(speed[..., 0] - speed[..., 1], 300.0)), d
    clear = (np.abs(first + second) > 1e-3 * (np.abs(first) + np.abs(second))).all(axis=1)
    if not clear.any():
        return []
    numbers, where = np.unique((first + second > 0)[clear].sum(axis=1), return_index=True)
    return [(always + int(n), gates[clear][i]) for n, i in zip(numbers, where)]


def _flow(flat):
    matrices, bias = flat[:12].reshape(3, 2, 2), flat[12:].reshape(3, 2)
    names = [*(f"U_{k}" for k in "zrh"), *(f"b_{k}" for k in "zrh")]
    return GRUFlow(**{name: value for name, value in zip(names, [*matrices, *bias])})


def _require_two_units(name, flow):
    from ...cell.builtin import GRU

    if not isinstance(flow, Flow) or flow.cell != GRU or flow.n_units != 2:
        raise TypeError(f"{name} must be that of a two-unit GRU, got {shown(flow)}")
    return flow


def simplify(flow: Flow) -> GRUFlow:
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
    TypeError, ValueError
        another cell or size, a flow whose fixed points are not all decided

    See Also
    --------
    gating_theory.flow.search_topologies : Finds flows to simplify.

    Examples
    --------
    >>> import gating_theory as gt
    >>> flow = gt.GRUFlow(U_h=[[3.1415, 0.0213], [-0.0172, 1.2345]])
    >>> gt.flow.simplify(flow).matrices[2]
    array([[3., 0.],
           [0., 0.]])
    """
    from ...cell.builtin import GRU

    _require_two_units("flow", flow)

    def triples(flat):
        table = sweep_table(GRU, 2, flat, most_boxes=_BUDGET)
        table[~decided(table)] = -1
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


def topology_catalogue() -> dict[Topology, GRUFlow]:
    """A two-unit GRU for every triple (sinks, sources, saddles) that is known to occur, in short decimals where it allows them.

    35 triples: every one that the index allows up to thirteen fixed points but (0, 7, 6), which was searched for and not found, and
    (7, 1, 7), with the most fixed points that were found. Every entry is certified by rigorous interval arithmetic in the package's
    tests; that no others occur is not proved. The count of 36 in [JSP] follows a definition that could not be checked. (0, 6, 5),
    (1, 6, 6) and (2, 5, 6) live in narrow windows beside folds, and need all their digits.

    Returns
    -------
    {Topology: GRUFlow}, sorted by the number of fixed points

    See Also
    --------
    gating_theory.flow.search_topologies : Looks for others.

    Examples
    --------
    >>> import gating_theory as gt
    >>> catalogue = gt.flow.topology_catalogue()
    >>> len(catalogue)
    35
    >>> len(catalogue[7, 1, 7].fixed_points())
    15
    """
    text = (files(__package__) / "topologies.json").read_text(encoding="utf-8")
    out = {}
    for entry in json.loads(text)["flows"]:
        parameters = {name: value for name, value in entry.items() if name != "topology"}
        out[Topology(*entry["topology"])] = GRUFlow(**{"U_h": [[0, 0], [0, 0]], **parameters})
    return out
