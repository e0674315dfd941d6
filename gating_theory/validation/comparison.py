"""Theory against freshly sampled networks: one table, a verdict on every row.

Three numbers stand side by side in each row: the theory of the infinite network, the theory at the sites of the very networks
that are measured, and the measurement. Two things make a finite network differ from the infinite one, each with its yardstick:

- its N sites are a random sample of the population. The theory at such samples measures that, its mean difference from the infinite
  network ("shift") and its spread ("sites");
- its matrices are one draw. Given the sites, eigenvalues repel and fluctuate little: numbers of eigenvalues in a disc by about
  their fourth root, log|det| by order one, the edge of the spectrum within a layer of relative width N^{-1/2} ("matrices").

A row agrees if measurement and infinite network differ by less than the shift and four standard deviations of both effects
together, *and* measurement and theory at the measured sites by less than four of the second alone. The second test is the sharp
one. For edges, whose position given the sites has no Gaussian law, see ``edge_reasons``.
"""

from __future__ import annotations

import csv
import io as _io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..cell.cell import Cell
from ..ensemble.ensemble import Ensemble
from ..ensemble.hyperparameters import KINDS
from ..ensemble.sites import Sites
from ..mean_field.fixed_points import fixed_points
from ..mean_field.samples import sampled_sites
from ..networks.network import Network
from ..results.encoding import result
from ..results.provenance import provenance
from ..results.status import Status
from ..running.blas import single_blas_thread
from ..running.progress import check_progress
from ..running.tasks import check_executor, collect
from ..spectrum.spectrum import Spectrum
from ..support.available_memory import require_memory
from ..support.checks import choice, instance, integer, several, shown
from ..support.types import Progress as Wanted

if TYPE_CHECKING:
    from concurrent.futures import Executor

__all__ = ["validate", "Validation", "Row", "Case", "CASES", "cases_of", "verdict_of"]

#: Standard deviations a difference may have. With about a hundred comparisons of a run a Gaussian exceeds four once in 150 runs.
_SIGMAS = 4.0
#: Eigenvalues that theory may have beyond the outermost measured one: exp(-8) is the chance to miss 8 independent ones.
_MISSING = 8.0
#: Populations of N sites drawn to estimate the spread of the theory.
_POPULATIONS = 6
#: Steps that a network runs from a random state to forget it; the slowest cell here has timescales of some tens of steps.
_STEPS = 150
#: Where networks are looked at.
_STATES = ("zero", "planted", "chaotic")
#: Sites of a simulation that are kept for pictures.
_SHOWN = 1500
#: Tolerance of the populations and masses of the infinite network: well below what networks of a thousand units resolve.
_TOL = 1e-4


@result("validation_case")
@dataclass(frozen=True)
class Case:
    """An ensemble and the state at which its networks are looked at.

    Attributes
    ----------
    name : str
    cell : str or Cell, the name of a built-in cell, or one of your own
    state : str
        "zero" (the zero fixed point), "planted" (the largest mean-field fixed point, planted into a random network) or "chaotic"
        (whatever a network runs into).
    values : mapping, what ``Ensemble`` takes besides the cell, such as {"gain": 2, "bias": {"z": 1}}
    discs : (center, radius) pairs whose masses are compared
    taus : timescales of slow fractions, steps
    lambdas : places where log|det| is compared

    Raises
    ------
    TypeError, ValueError : no cell, another state
    """

    name: str
    cell: str | Cell
    state: str
    values: Mapping[str, Any]
    discs: tuple[tuple[complex, float], ...] = ((1.0, 0.2), (0.5, 0.3))
    taus: tuple[float, ...] = (10.0, 100.0)
    lambdas: tuple[complex, ...] = (1.0, 0.6 + 0.3j)

    def __post_init__(self) -> None:
        if not isinstance(self.cell, (str, Cell)):
            raise TypeError(f"cell must be a Cell or the name of a built-in one, got {shown(self.cell)}")
        choice("state", self.state, _STATES)
        instance("values", self.values, Mapping, 'such as {"gain": 2}')

    def ensemble(self) -> Ensemble:
        """The Ensemble; ValueError for a cell that is not built in, and whatever Ensemble raises."""
        from ..cell.builtin import BUILTIN, named

        if isinstance(self.cell, str) and self.cell not in BUILTIN:
            raise ValueError(f"cell must be a Cell or one of {list(BUILTIN)}, got {shown(self.cell)}")
        return Ensemble(named(self.cell) if isinstance(self.cell, str) else self.cell, **self.values)


def cases_of(ensemble: Ensemble) -> tuple[Case, ...]:
    """The zero state and the largest fixed point of an ensemble of any cell, those of them that it has.

    Parameters
    ----------
    ensemble : Ensemble

    Returns
    -------
    tuple of Case

    Raises
    ------
    TypeError : no Ensemble
    CapabilityError, ConvergenceError : as ``fixed_points``
    """
    instance("ensemble", ensemble, Ensemble)
    values = {kind: getattr(ensemble, kind) for kind in KINDS} | {"matrices": ensemble.matrices}
    points, name = fixed_points(ensemble), ensemble.cell.name
    found = [("zero state", "zero")] if points[0].is_zero else []
    found += [] if points[-1].is_zero else [("largest fixed point", "planted")]
    return tuple(Case(f"{name} {words}", ensemble.cell, state, values) for words, state in found)


#: The cases that ``gating-theory validate`` runs.
CASES: tuple[Case, ...] = (
    Case(
        "GRU zero state",
        "GRU",
        "zero",
        {"gain": {"z": 1, "r": 3, "h": 1.6}, "bias": {"z": 1}, "bias_std": {"z": 1, "r": 0.5}},
        discs=((1.0, 0.2), (0.6, 0.3)),
    ),
    Case("GRU marginal", "GRU", "planted", {"gain": {"z": 5, "r": 2, "h": 2.5}}),
    Case("GRU upper branch", "GRU", "planted", {"gain": {"z": 2, "r": 14, "h": 1.8}}),
    Case("GRU chaos", "GRU", "chaotic", {"gain": {"z": 2, "r": 3, "h": 6}}),
    Case(
        "LSTM zero state",
        "LSTM",
        "zero",
        {"gain": {"f": 2, "i": 2, "g": 1.2, "o": 2}, "bias": {"f": 1}, "bias_std": {"f": 0.8}},
        discs=((1.0, 0.2), (0.0, 0.3)),
    ),
    Case("LSTM fixed point", "LSTM", "planted", {"gain": {"f": 2, "i": 3, "g": 3, "o": 2}}),
    Case("LSTM chaos", "LSTM", "chaotic", {"gain": {"f": 3, "i": 2, "g": 5, "o": 3}, "bias": {"f": 1}}),
)


def verdict_of(agrees: bool) -> Status:
    """The Status of one comparison: "agree" or "disagree"; tables shout the latter."""
    return Status("agree") if agrees else Status("disagree", "DISAGREE", ok=False)


@result("validation_row")
@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes
    ----------
    case, quantity : str
    theory : float, of the infinite network (at a chaotic state: of the pooled sites of other networks)
    at_sites : float, theory at the sites of the measured networks, mean over them
    measured : float, mean over the networks
    n_units, n_networks : int
    shift_sites : float, mean difference between the theory at N sites and that of the infinite network
    spread_sites, spread_matrices : float
        Expected standard deviations of one network's value, from its sites and from its matrices given the sites (None for edges).
    verdict : Status, with the code "agree", or "disagree" where ``ok`` is False
    reason : str, empty where it agrees
    tolerance : float or None
        How far the measured mean may be from ``theory``; at the measured sites the comparison is sharper. None for edges.
    margin : str
        For edges what the worst network has, and what is allowed: f, the edge function at an eigenvalue beyond theory's edge; n,
        the number of eigenvalues that theory expects beyond the outermost one.
    """

    case: str
    quantity: str
    theory: float
    at_sites: float
    measured: float
    n_units: int
    n_networks: int
    shift_sites: float
    spread_sites: float
    spread_matrices: float | None
    verdict: Status
    reason: str = ""
    tolerance: float | None = None
    margin: str = ""

    @property
    def agrees(self) -> bool:
        """Whether theory and measurement agree: ``verdict.ok``."""
        return self.verdict.ok

    def record(self) -> dict[str, Any]:
        """The row as a flat dict for tables, with the verdict in words."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__} | {"verdict": str(self.verdict)}


@result("validation")
@dataclass(frozen=True)
class Validation:
    """All rows of a validation, with the eigenvalues behind them. Printing it gives the table.

    Attributes
    ----------
    rows : tuple of Row
    clouds : dict, case name -> complex eigenvalues of the measured networks
    sites : dict, case name -> Sites behind the theory where it comes from simulation (chaotic states), thinned for pictures
    seed : the seed, or None
    cases : tuple of Case, in the order of the rows
    """

    rows: tuple[Row, ...]
    clouds: dict[str, np.ndarray] = field(repr=False)
    sites: dict[str, Sites] = field(repr=False)
    seed: int | None = None
    cases: tuple[Case, ...] = ()

    def __str__(self) -> str:
        return f"{self.status}\n\n{self.table()}"

    @property
    def ok(self) -> bool:
        """Whether every row agrees."""
        return all(row.agrees for row in self.rows)

    @property
    def status(self) -> Status:
        """How many rows agree, in one line; the code is that of a row, "disagree" if one of them does."""
        n = sum(row.agrees for row in self.rows)
        text = f"{n} of {len(self.rows)} comparisons agree" + ("" if self.ok else f", {len(self.rows) - n} DISAGREE")
        return Status("agree" if self.ok else "disagree", text, self.ok)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready: rows, status, provenance."""
        return {
            "kind": "validation",
            "status": str(self.status),
            "rows": [row.record() for row in self.rows],
            "provenance": provenance(seed=self.seed),
        }

    def to_csv(self) -> str:
        """The rows as text in CSV."""
        out = _io.StringIO()
        writer = csv.DictWriter(out, fieldnames=list(Row.__dataclass_fields__), lineterminator="\n")
        writer.writeheader()
        for row in self.rows:
            writer.writerow(row.record())
        return out.getvalue()

    def table(self) -> str:
        """The rows as an aligned text table, with a legend."""
        lines, case = [], None
        head = f"  {'quantity':<32}{'theory':>9}{'at sites':>10}{'measured':>10}{'sites':>9}{'matrices':>10}{'within':>9}  verdict"
        for row in self.rows:
            if row.case != case:
                case = row.case
                lines += ["", f"{case}: {row.n_networks} networks of {row.n_units} units", head]
            numbers = f"{row.theory:>9.4f}{row.at_sites:>10.4f}{row.measured:>10.4f}{row.spread_sites:>9.4f}"
            numbers += f"{'-':>10}" if row.spread_matrices is None else f"{row.spread_matrices:>10.4f}"
            numbers += f"{'-':>9}" if row.tolerance is None else f"{row.tolerance:>9.4f}"
            why = row.reason or row.margin
            lines.append(f"  {row.quantity:<32}{numbers}  {row.verdict}" + (f" ({why})" if why else ""))
        lines += [
            "",
            "theory: infinite network; at sites: theory at the sites of the measured networks; sites, matrices: expected standard",
            f"deviations of one network from either cause. Agreement: means over networks within {_SIGMAS:g} of these; measurement",
            "and theory may differ by as much as stands under within. At the edges no eigenvalue far beyond, where the edge",
            "function f has fallen off, and no gap: theory must not expect too many eigenvalues n beyond the outermost one.",
            str(self.status),
        ]
        return "\n".join(lines[1:]) + "\n"


def validate(
    cells: Sequence[str | Ensemble] | str | Ensemble = ("GRU", "LSTM"),
    n_units: int | None = None,
    n_networks: int = 3,
    rng: int | None = 0,
    *,
    cases: Sequence[Case] | None = None,
    executor: Executor | None = None,
    progress: Wanted = None,
) -> Validation:
    """Compare the theory with freshly sampled networks.

    Parameters
    ----------
    cells : sequence of str or Ensemble, or one of these
        Which of the built-in cases to run, by their cells. Of an Ensemble, of your own cell for instance, the zero state and the
        largest fixed point are compared (:func:`cases_of`).
    n_units : int >= 50 or None
        Units of a network. Default: 800, and 500 for cells with two state variables.
    n_networks : int >= 1
        Networks that are diagonalised for each case.
    rng : int or None
        Seed; every case gets its own stream, so that the result does not depend on which cases run.
    cases : sequence of Case, optional
        Your own instead of the built-in ones.
    executor : concurrent.futures.Executor, optional
        Cases run in parallel.
    progress : None, True (a bar) or callable(done, total)

    Returns
    -------
    Validation

    Raises
    ------
    TypeError, ValueError : bad arguments

    Examples
    --------
    >>> import gating_theory as gt
    >>> result = gt.validate(gt.Ensemble(gt.JANET, gain=2.0), n_units=100, n_networks=2)
    >>> result.ok
    True
    """
    if n_units is not None:
        n_units = integer("n_units", n_units, low=50)
    n_networks = integer("n_networks", n_networks, low=1)
    if rng is not None:
        rng = integer("rng", rng)
    check_executor(executor)
    check_progress(progress)
    for case in () if cases is None else several("cases", cases, object, "Case"):
        if not isinstance(case, Case):
            raise TypeError(f"cases must hold Cases, got {shown(case)}")
    numbered: dict[int, Case] = _cases(cells) if cases is None else dict(enumerate(cases))
    cases, places = list(numbered.values()), list(numbered)
    if not cases:
        raise ValueError("cells must name at least one cell, got none")
    if len({case.name for case in cases}) < len(cases):
        raise ValueError(f"cases must have names of their own, got {[case.name for case in cases]}")
    seeds = np.random.SeedSequence(rng).spawn(max(places) + 1)
    tasks = [(case, n_units, n_networks, seeds[place]) for case, place in zip(cases, places)]
    # the longest first, so that no worker is left alone with it at the end
    order = sorted(range(len(tasks)), key=lambda i: tasks[i][0].state != "chaotic")
    ordered = [tasks[i] for i in order]
    results = collect(_run_case, ordered, [1] * len(tasks), "case", executor=executor, progress=progress)
    rows, clouds, sites = [], {}, {}
    for i in np.argsort(order):
        found, cloud, population = results[i]
        rows += found
        clouds[ordered[i][0].name] = cloud
        if population is not None:
            sites[ordered[i][0].name] = population
    return Validation(tuple(rows), clouds, sites, rng, tuple(cases))


def _cases(cells):
    """{number: Case}: built-in cases by their cells, then those of ensembles. The number of a built-in one is always the same."""
    if isinstance(cells, (str, Ensemble)):
        cells = (cells,)
    names, ensembles, known = [], [], sorted({case.cell for case in CASES})
    for item in several("cells", cells, object, "names of cells or Ensembles"):
        if isinstance(item, Ensemble):
            ensembles.append(item)
        elif not isinstance(item, str):
            raise TypeError(f"cells must hold names or Ensembles, got {shown(item)}: of a cell give Ensemble(cell, gain=...)")
        elif item not in known:
            raise ValueError(f"cells has the unknown entry {shown(item)}; allowed are {known}, and Ensembles of any cell")
        else:
            names.append(item)
    own = [case for ensemble in ensembles for case in cases_of(ensemble)]
    return {i: case for i, case in enumerate(CASES) if case.cell in names} | dict(enumerate(own, start=len(CASES)))


def _run_case(case, n_units, n_networks, seed):
    with single_blas_thread():
        return _Comparison(case, n_units, n_networks, np.random.default_rng(seed)).result()


class _Comparison:
    """One case: theory, spread and measurement of every quantity."""

    def __init__(self, case, n_units, n_networks, rng):
        self.case, self.rng, self.m = case, rng, n_networks
        self.ensemble = case.ensemble()
        self.d = self.ensemble.cell.n_state
        self.n = n_units if n_units is not None else (800 if self.d == 1 else 500)
        require_memory(f"a network of n_units = {self.n}", 8.0 * self.ensemble.cell.n_fields * float(self.n) ** 2)
        self.names = ["radius", "abscissa"]
        self.names += [f"mass |z - {c:g}| < {r:g}" for c, r in case.discs]
        self.names += [f"slow fraction, tau = {t:g}" for t in case.taus]
        self.names += [f"log|det| per unit at {z:g}" for z in case.lambdas]

    def theory(self, spectrum):
        """All quantities of a Spectrum, in the order of ``names``."""
        out = [spectrum.radius(), spectrum.abscissa()]
        centers, radii = [c for c, _ in self.case.discs], [r for _, r in self.case.discs]
        out += [
            *np.atleast_1d(spectrum.mass(centers, radii, tol=_TOL)),
            *np.atleast_1d(spectrum.slow_fraction(self.case.taus, tol=_TOL)),
        ]
        return np.array(out + [spectrum.potential(z) for z in self.case.lambdas], dtype=float)

    def measure(self, eigenvalues, isolated):
        """The same quantities of a list of eigenvalues; predicted isolated ones do not count for the edge."""
        bulk = eigenvalues
        for z in isolated:
            bulk = np.delete(bulk, np.argmin(np.abs(bulk - z)))
        out = [np.abs(bulk).max(), bulk.real.max()]
        out += [np.mean(np.abs(eigenvalues - c) < r) for c, r in self.case.discs]
        out += [np.mean(np.abs(eigenvalues) > np.exp(-1.0 / t)) for t in self.case.taus]
        # (1/N) log|det(lambda - J)|, from the eigenvalues that are there anyway
        return np.array(out + [self.d * np.mean(np.log(np.abs(z - eigenvalues))) for z in self.case.lambdas]), bulk

    def networks(self):
        """Measured networks as (eigenvalues, sites), one after the other."""
        for _ in range(self.m):
            if self.case.state == "planted":
                net, state = Network.planted(self.point, self.n, self.rng)
            else:
                net = Network.sample(self.ensemble, self.n, self.rng)
                if self.case.state == "zero":
                    state = np.zeros((self.d, self.n))
                else:
                    state = net.run(net.random_state(self.rng), _STEPS)
            yield net.eigenvalues(state), net.sites(state)

    def result(self):
        """(rows, eigenvalues, sites of the infinite network or None)."""
        population, isolated = None, np.zeros(0)
        if self.case.state == "chaotic":
            samples = []
            for _ in range(_POPULATIONS):
                net = Network.sample(self.ensemble, self.n, self.rng)
                samples.append(net.sites(net.run(net.random_state(self.rng), _STEPS)))
            population = Sites.pooled(samples, "simulation, pooled")
            limit = Spectrum(population)
            # the pool is itself a sample: its own error adds to that of the measured networks
            inflation = np.sqrt(1.0 + self.m / _POPULATIONS)
        else:
            points = fixed_points(self.ensemble)
            self.point = points[0] if self.case.state == "zero" else points[-1]
            if self.point.is_zero != (self.case.state == "zero"):
                raise ValueError(f"case {self.case.name!r}: {self.ensemble!r} has no such fixed point")
            limit = Spectrum(self.point, tol=_TOL)
            isolated = limit.outliers()
            samples = [sampled_sites(self.point, self.n, self.rng) for _ in range(_POPULATIONS)]
            inflation = 1.0
        theory = self.theory(limit)
        sampled = np.array([self.theory(Spectrum(s)) for s in samples])
        spread, shift = sampled.std(axis=0, ddof=1) * inflation, sampled.mean(axis=0) - theory
        own, measured, clouds, edges = [], [], [], []
        for eigenvalues, sites in self.networks():
            spectrum = Spectrum(sites)
            own.append(self.theory(spectrum))
            values, bulk = self.measure(eigenvalues, isolated)
            measured.append(values)
            clouds.append(eigenvalues)
            edges.append(self.edge_reasons(spectrum, bulk, own[-1]))
        own, measured = np.array(own), np.array(measured)
        matrices = self.matrix_spread(theory)
        rows = [
            self.row(k, theory[k], own[:, k], measured[:, k], shift[k], spread[k], matrices[k], [e[k] for e in edges if k < 2])
            for k in range(theory.size)
        ]
        if population is not None:
            population = population.thinned(_SHOWN)
        return rows, np.concatenate(clouds), population

    def matrix_spread(self, theory):
        """Expected standard deviation of one network's values given its sites."""
        size = self.d * self.n
        out = np.empty(theory.size)
        out[:2] = np.nan  # no Gaussian law: see edge_reasons
        first_det = 2 + len(self.case.discs) + len(self.case.taus)
        p = theory[2:first_det]
        # eigenvalues repel: the number in a region fluctuates with its circumference, (n / pi)^(1/4) for a disc of n of them. At
        # least one eigenvalue, at most what independent ones would do
        n = size * np.clip(np.minimum(p, 1.0 - p), 1.0 / size, None)
        out[2:first_det] = np.minimum(np.maximum(1.0, (n / np.pi) ** 0.25 * np.sqrt(2.0)), np.maximum(1.0, np.sqrt(n))) / size
        # log|det| of a real iid matrix has the variance (1/2) log N
        out[first_det:] = np.sqrt(0.5 * np.log(size) + 1.0) / self.n
        return out

    def matrix_shift(self, k):
        """By how much the mean of quantity k may differ from its limit for the same sites.

        The mean of log|det| of a real iid matrix is (1/4) log N below the limit, and holding a fixed point multiplies the
        determinant by a number of order one. Numbers of eigenvalues are off by a few: the limit knows nothing of the surplus of
        real ones.
        """
        if k < 2 + len(self.case.discs) + len(self.case.taus):
            return 2.0 / (self.d * self.n)
        return (0.25 * np.log(self.d * self.n) + 2.0) / self.n

    def edge_reasons(self, spectrum, bulk, own):
        """What is wrong with radius and abscissa, given the sites, and how far they are off: two Edges.

        The edge function, which is 1 on the boundary, is itself an average over N sites and known to N^{-1/2}: the outermost of N
        eigenvalues may lie where it is below 1 by a few times that. The other way, the number of eigenvalues that theory has
        beyond the measured ones must be small: by chance alone a region that expects n of them is empty with probability
        exp(-n), and repulsion makes that less. Theory's own radius and abscissa have to lie where its edge function says.
        """
        layer = 1.0 - (_SIGMAS + 2.0) / np.sqrt(self.n)
        angles, heights = np.exp(1j * np.linspace(0.0, np.pi, 181)), own[0] * np.linspace(0.0, 1.0, 181)
        places = (
            ("circle of the spectral radius", own[0], own[0] * angles, bulk[np.argmax(np.abs(bulk))]),
            ("line of the abscissa", own[1], own[1] + 1j * heights, bulk[np.argmax(bulk.real)]),
        )
        edges = []
        for k, (name, value, line, z) in enumerate(places):
            reason, inside, beyond = "", np.nan, np.nan
            top = float(spectrum.edge_function(line).max())
            f = spectrum.edge_function(z)
            size = (abs(z), z.real)[k]
            if not layer < top < 1.0 / layer:
                reason = f"edge function up to {top:.3f} on the {name}"
            elif size > value:
                inside = f
                if f < layer:
                    reason = f"eigenvalue {z:.3f} where the edge function is {f:.3f} < {layer:.3f}"
            else:
                outside = 1.0 - spectrum.mass(0.0, size, tol=_TOL) if k == 0 else self.mass_right_of(spectrum, size, own)
                beyond = self.d * self.n * max(0.0, outside)
                if beyond > _MISSING:
                    reason = f"theory has {beyond:.1f} eigenvalues beyond {z:.3f}"
            edges.append(_Edge(reason, inside, layer, beyond))
        return edges

    def mass_right_of(self, spectrum, x, own):
        """Fraction of the eigenvalues with a real part above x, by the midpoint rule on a box; two digits are plenty."""
        radius, right = own[:2]
        re = x + (right - x) * (np.arange(24) + 0.5) / 24
        im = radius * (np.arange(48) + 0.5) / 48
        density = spectrum.density(re[:, None] + 1j * im[None, :])
        return 2.0 * density.mean() * (right - x) * radius

    def row(self, k, theory, own, measured, shift, spread, matrices, edges):
        root = np.sqrt(self.m)
        at_sites = _SIGMAS * spread / root + abs(shift) + _TOL
        tolerance = None
        if edges:
            reasons = [e.reason for e in edges if e.reason]
            gap = abs(own.mean() - theory)
            if gap > at_sites:
                reasons.append(f"theory at the sites off by {gap:.3g}, expected up to {at_sites:.3g}")
        else:
            reasons = []
            given = _SIGMAS * matrices / root + self.matrix_shift(k) + _TOL
            tolerance = float(np.hypot(at_sites, given))
            for gap, limit, what in (
                (abs(measured.mean() - theory), tolerance, "off"),
                (abs(measured.mean() - own.mean()), given, "off, given the sites,"),
            ):
                if gap > limit:
                    reasons.append(f"{what} by {gap:.3g}, expected up to {limit:.3g}")
        values = (float(theory), float(own.mean()), float(measured.mean()), self.n, self.m)
        values += (float(shift), float(spread), None if edges else float(matrices))
        verdict = verdict_of(not reasons)
        return Row(self.case.name, self.names[k], *values, verdict, "; ".join(reasons), tolerance, _margin(edges))


class _Edge(NamedTuple):
    """How an edge of one network compares: where ``inside`` and ``beyond`` do not apply they are NaN."""

    reason: str
    inside: float  # the edge function at the outermost eigenvalue, where that lies beyond theory's edge
    layer: float  # how small that may be
    beyond: float  # how many eigenvalues theory has beyond the outermost one, where that lies within


def _margin(edges):
    """The worst of some networks beside what is allowed."""
    inside = [edge.inside for edge in edges if not np.isnan(edge.inside)]
    beyond = [edge.beyond for edge in edges if not np.isnan(edge.beyond)]
    parts = [f"f {min(inside):.3f} >= {edges[0].layer:.3f}"] if inside else []
    parts += [f"n {max(beyond):.1f} <= {_MISSING:g}"] if beyond else []
    return ", ".join(parts)
