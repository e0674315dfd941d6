"""All fixed points of many small sampled networks, counted: E n and E log n with errors, to hold against the complexity [T7].

For each network a few starts of Newton's method find the first fixed points. Then curves in random directions lead from every fixed
point known to the next (see neighbour_search), round after round, all networks of a task at once. A network is done when every
fixed point has been reached several times, the last round brought nothing new, and the indices add up to the degree. Random starts
alone are no match for this: they can find three of seven fixed points of an LSTM of 8 units in thousands of starts.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from os import PathLike
from typing import TYPE_CHECKING

import numpy as np

from ..ensemble.ensemble import Ensemble
from ..ensemble.hyperparameters import LARGEST
from ..results.encoding import dict_of, require, require_shapes, result
from ..results.provenance import cell_text, provenance
from ..results.status import Status
from ..running.blas import single_blas_thread
from ..running.progress import check_progress
from ..running.tasks import check_executor, collect
from ..support.arithmetic import underflow_is_zero
from ..support.checks import boolean, generator, instance, integer, real
from ..support.types import Executor, Rng
from ..support.types import Progress as Wanted
from .neighbour_search import NeighbourOptions, NeighbourSearch
from .network import Network
from .reduced_map import ReducedMap

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["FixedPointCounts", "count_fixed_points"]

#: Networks in a task at most, units in it at least (batches of few small matrices are slow), tasks in all where neither decides.
_MAX_CHUNK, _MIN_UNITS, _CHUNKS = 64, 256, 8


@result("fixed_point_counts")
@dataclass(frozen=True)
class FixedPointCounts:
    """How many fixed points each of a set of random networks has, found by enumeration, and what their averages are [T7].

    Made by :func:`count_fixed_points`. Arrays are read-only, one entry per network. The zero state counts as any other.

    Attributes
    ----------
    counts : (n_networks,) array of int, fixed points found: lower bounds where ``complete`` is False
    n_missing : (n_networks,) array
        Chao's estimate f1^2 / (2 f2) of the number of fixed points not found, from the numbers f1, f2 of those reached once and
        twice (pairs +-x where the network is odd). A lower bound in expectation; 0 where the
        stopping rule was met with ``min_hits`` of 3 or more. Not below ``|complete_degree - degree|``: each point changes the
        degree by 1 at most, so that many are missing for certain.
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
    status : Status
        Code "ok"; "unchecked": the states are not known to be bounded, so there is no degree to check; with ``ok`` False
        "incomplete": networks were given up, or their degree says that fixed points are missing. The words say in how many.
    ensemble : Ensemble

    Examples
    --------
    Ten networks of six units, the zero state of each counted; the others come in pairs:

    >>> import gating_theory as gt
    >>> ens = gt.Ensemble(gt.Vanilla, gain=2)
    >>> found = gt.count_fixed_points(ens, n_units=6, n_networks=10, rng=0)
    >>> found.counts, bool(found.complete.all())
    (array([5, 3, 1, 3, 1, 3, 1, 3, 1, 3]), True)
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
    points: tuple[np.ndarray, ...] | None = field(repr=False)
    seed: int
    n_units: int
    min_hits: int
    max_rounds: int
    status: Status
    ensemble: Ensemble

    as_dict = dict_of

    def __post_init__(self) -> None:
        for array in (self.counts, self.n_missing, self.hits, self.degree, self.settled, self.n_rounds, *(self.points or ())):
            array.flags.writeable = False

    @property
    def n_networks(self) -> int:
        """The number of networks."""
        return len(self.counts)

    @property
    def mean(self) -> float:
        """E n, the mean number of fixed points of a network; a lower bound unless all are ``complete``."""
        return float(np.mean(self.counts))

    @property
    def mean_stderr(self) -> float:
        """Standard error of ``mean`` over networks; nan for a single one."""
        return _standard_error(self.counts)

    @property
    def mean_log(self) -> float:
        """E log n; a lower bound unless all are ``complete``; -inf where a network has none (unbounded cells only)."""
        return float(np.mean(self._logs))

    @property
    def mean_log_stderr(self) -> float:
        """Standard error of ``mean_log`` over networks; nan for a single one, or where ``mean_log`` is -inf."""
        return _standard_error(self._logs)

    @property
    def complete(self) -> np.ndarray:
        """(n_networks,) array of bool: settled, and the degree, if known, adds up. Where False the count is a lower bound."""
        return self.settled & (self.complete_degree is None or self.degree == self.complete_degree)

    @property
    def degree_passed(self) -> float:
        """Fraction of networks whose indices add up to ``complete_degree``; nan where that is not known.

        A network that fails lacks fixed points for certain; one that passes may lack as many of index +1 as of -1.
        """
        return float("nan") if self.complete_degree is None else float(np.mean(self.degree == self.complete_degree))

    @property
    def _logs(self):
        with np.errstate(divide="ignore"):
            return np.log(self.counts)

    def network(self, i: int) -> Network:
        """The i-th Network, drawn again from its seed.

        Parameters
        ----------
        i : int in [0, n_networks)

        Returns
        -------
        Network

        Raises
        ------
        TypeError, ValueError
            no such index
        """
        i = integer("i", i, low=0, high=self.n_networks - 1)
        return Network.sample(self.ensemble, self.n_units, _generators(self.seed, i)[0])

    def __str__(self) -> str:
        at_least = "=" if self.complete.all() else ">="
        passed = "" if self.complete_degree is None else f", degree check passed by {100 * self.degree_passed:.4g} %"
        return (
            f"fixed points of {self.n_networks} {self.ensemble.cell.name} networks, {self.n_units} units: "
            f"E n {at_least} {self.mean:.4g} +- {self.mean_stderr:.2g}, "
            f"E log n {at_least} {self.mean_log:.4g} +- {self.mean_log_stderr:.2g}, "
            f"at most {self.counts.max()} found{passed}, {np.mean(self.n_missing):.2g} a network estimated to be missing; "
            f"status: {self.status}"
        )

    def to_dataset(self) -> xr.Dataset:
        """The numbers of each network as an xarray.Dataset over "network", with averages, ensemble and versions as attributes."""
        import json

        import xarray as xr

        about = {
            "counts": "fixed points found",
            "n_missing": "estimated number of fixed points not found",
            "hits": "times that the fixed point hardest to reach was reached",
            "degree": "sum of the indices of the fixed points",
            "settled": "whether the search ended by its rule",
            "complete": "whether it settled and the degree adds up: where not, counts are lower bounds",
            "n_rounds": "rounds of the search",
        }
        variables = {k: ("network", getattr(self, k).copy(), {"long_name": text}) for k, text in about.items()}
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
        attributes = {name: getattr(self, name) for name in names} | {"status": str(self.status)}
        attributes |= {"seed": str(self.seed), "odd": int(self.odd), "cell": self.ensemble.cell.name}
        if self.complete_degree is not None:
            attributes["complete_degree"] = self.complete_degree
        attributes["ensemble"] = json.dumps(self.ensemble.as_dict())
        attributes["provenance"] = json.dumps(provenance(self.ensemble, seed=str(self.seed)))
        coordinates = {"network": ("network", np.arange(self.n_networks), {"long_name": "network, in the order of their seeds"})}
        return xr.Dataset(variables, coordinates, attributes)

    def check(self) -> None:
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
    ens: Ensemble,
    n_units: int,
    n_networks: int,
    *,
    rng: Rng = None,
    executor: Executor | None = None,
    progress: Wanted = None,
    min_hits: int = 3,
    max_rounds: int = 60,
    scale: float = 1.0,
    tol: float = 1e-10,
    merge: float = 1e-6,
    points: bool = False,
    journal: str | PathLike | None = None,
) -> FixedPointCounts:
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
        A point is fixed where ``max |s*(y(s)) - s|`` is below.
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

    See Also
    --------
    Network.find_fixed_points : a search in one network
    kac_rice : the mean number by theory

    Notes
    -----
    Never a proof that all were found: a pair that no curve and no start has come to, with indices +1 and -1, changes neither the
    degree nor the estimate. NUMERICS.md has what was missed where it could be known. Where a cell has no closed-form site fixed
    point, sites take the one reached from s = 0, and fixed points of the network with a site elsewhere are not seen.

    Examples
    --------
    >>> import gating_theory as gt
    >>> ens = gt.Ensemble(gt.GRU, gain={"h": 4, "r": 8})
    >>> result = gt.count_fixed_points(ens, n_units=8, n_networks=20, rng=0)
    >>> result.degree_passed
    1.0
    """
    instance("ens", ens, Ensemble)
    n_units = integer("n_units", n_units, low=1)
    n_networks = integer("n_networks", n_networks, low=1)
    check_executor(executor)
    check_progress(progress)
    options = NeighbourOptions(
        integer("min_hits", min_hits, low=1),
        integer("max_rounds", max_rounds, low=1),
        real("scale", scale, low=0.0, high=LARGEST, open_low=True),
        real("tol", tol, low=0.0, high=1e-6, open_low=True),
        real("merge", merge, low=0.0, open_low=True),
    )
    boolean("points", points)
    seed = int(generator(rng).integers(2**63))
    length = min(_MAX_CHUNK, max(-(-_MIN_UNITS // n_units), -(-n_networks // _CHUNKS)))
    cuts = [(start, min(start + length, n_networks)) for start in range(0, n_networks, length)]
    tasks = [(ens, n_units, seed, start, stop, options, bool(points)) for start, stop in cuts]
    work = {"work": "count_fixed_points", "ensemble": ens.as_dict(), "cell": cell_text(ens.cell), "n_units": n_units}
    work |= {"n_networks": n_networks, "seed": seed, "options": asdict(options), "points": bool(points)}
    sizes = [stop - start for start, stop in cuts]
    parts = collect(_chunk, tasks, sizes, "network", executor=executor, progress=progress, journal=journal, work=work)
    names = ("counts", "n_missing", "hits", "degree", "settled", "n_rounds")
    joined = {name: np.concatenate([np.asarray(p[name]) for p in parts]) for name in names}
    complete = 1 if all(p["bounded"] for p in parts) else None
    if complete is not None:
        joined["n_missing"] = np.maximum(joined["n_missing"], np.abs(complete - joined["degree"]))
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


def _standard_error(values):
    if len(values) < 2 or not np.isfinite(values).all():
        return float("nan")
    return float(np.std(values, ddof=1) / np.sqrt(len(values)))


def _status(joined, complete):
    notes = []
    open_ = int(np.sum(~joined["settled"]))
    wrong = 0 if complete is None else int(np.sum(joined["degree"] != complete))
    if open_:
        notes.append(
            f"{open_} of {len(joined['counts'])} networks were given up before their search had settled: "
            "their counts are lower bounds"
        )
    if complete is None:
        notes.append("the states are not known to be bounded: no degree to check")
    if wrong:
        notes.append(f"{wrong} of them lack fixed points for certain: their degree is not {complete}")
    if (joined["counts"] == 0).any():
        notes.append(f"{int(np.sum(joined['counts'] == 0))} networks without a fixed point")
    code = "incomplete" if open_ or wrong else "unchecked" if complete is None else "ok"
    return Status(code, "; ".join(notes), ok=code != "incomplete")


def _generators(seed, i):
    """Generators of the i-th network of a set: for its matrices, for its search."""
    return tuple(np.random.default_rng(s) for s in np.random.SeedSequence(seed, spawn_key=(i,)).spawn(2))


@underflow_is_zero
def _chunk(ensemble, n_units, seed, start, stop, options, keep):
    """One task: networks start <= i < stop. Numbers by network, and the points if they are to be kept."""
    with single_blas_thread():
        pairs = [_generators(seed, i) for i in range(start, stop)]
        nets = [Network.sample(ensemble, n_units, rng) for rng, _ in pairs]
        stacked = (np.stack([getattr(net, name) for net in nets]) for name in ("matrices", "biases", "parameters", "input"))
        batch = Network(ensemble, *stacked)
        search = NeighbourSearch(ReducedMap(batch, batch.input), [rng for _, rng in pairs], options)
        search.run()
        return search.result(keep)
