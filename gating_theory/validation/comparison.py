"""Theory against freshly sampled networks: one table, a verdict on every row.

Three numbers stand side by side in each row: the theory of the infinite network, the theory at the sites of the very networks
that are measured, and the measurement. Two things make a finite network differ from the infinite one, with their yardsticks [T12]:

- its N sites are a random sample of the population ("sites"),
- its matrices are one draw. Given the sites, eigenvalues repel and fluctuate little: numbers of eigenvalues by what happens along
  the rim of a region, log|det| by order one ("matrices").

A row has the probability that networks of the theory differ as much from it: measurement from the infinite network, by both
effects together, and measurement from theory at the measured sites, by the second alone, which is the sharper test.
For edges theory gives a network with given sites the probability that nothing lies beyond its outermost eigenvalue. Over networks
these are uniform on (0, 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..running.progress import Progress, check_progress
from ..running.tasks import check_executor, collect
from ..support.available_memory import require_memory
from ..support.checks import integer, real
from ..support.types import Progress as Wanted
from .cases import Case, Source, cases_of, places_of
from .judgement import Judgement
from .limits import limit_of
from .measurement import measurement_of
from .quantities import Quantities
from .states import AtRest, Moving, state_of
from .table import Validation

if TYPE_CHECKING:
    from concurrent.futures import Executor

    import numpy.typing as npt

__all__ = ["validate"]

#: Default number of units of a network, by the number of state variables.
_UNITS = {1: 800, 2: 500}
#: The largest level: beyond it verdicts say nothing.
_HIGHEST = 0.5


def validate(
    sources: str | Source | Case | Sequence[str | Source | Case] = ("GRU", "LSTM"),
    n_units: int | None = None,
    n_networks: int = 3,
    rng: int | None = 0,
    *,
    discs: Sequence[tuple[complex, float]] | None = None,
    taus: npt.ArrayLike | None = None,
    lambdas: npt.ArrayLike | None = None,
    level: float = 1e-4,
    executor: Executor | None = None,
    progress: Wanted = None,
) -> Validation:
    """Compare the theory with freshly sampled networks, of any cell [T3, T4, T12].

    Parameters
    ----------
    sources : str, Ensemble, FixedPoint, SteadyState, Complexity or Case, or a sequence of these
        An Ensemble stands for its zero state and its active fixed point, those of them that it has; a Complexity for its typical
        fixed point; the name of a cell, "GRU" or "LSTM", for its built-in cases. A Case has a name and places of its own.
    n_units : int >= 50 or None
        Units of a network. Default: 800, and 500 for cells with several state variables.
    n_networks : int >= 1
        Networks that are diagonalised for each case.
    rng : int or None
        Seed; every network gets its own stream, so that its numbers do not depend on which others there are.
    discs : sequence of (center, radius), optional
        Whose masses are compared; default (1, .2) and (.5, .3). Like the next two for all sources but Cases.
    taus : sequence of numbers > 0, optional
        Timescales of slow fractions, steps; default 10 and 100.
    lambdas : sequence of complex numbers, optional
        Where log|det| is compared; default 1 and .6 + .3i.
    level : float in (0, 0.5]
        The probability below which a row disagrees. So often a row of a true theory does, or less.
    executor : concurrent.futures.Executor, optional
        Networks run in parallel.
    progress : None, True (a bar) or callable(done, total), told in networks

    Returns
    -------
    Validation

    Raises
    ------
    TypeError, ValueError
        bad arguments; a Case of a state that its ensemble does not have
    MemoryError
        networks that do not fit into the memory
    CapabilityError
        Matrices that are not iid normal: how far networks may differ from the limit is known of these only. And what else theory
        cannot do, as ``fixed_points`` and ``Spectrum``.
    ConvergenceError
        likewise

    See Also
    --------
    gating_theory.Case : A state with places of its own.
    gating_theory.Validation : The table that comes out.

    Examples
    --------
    >>> import gating_theory as gt
    >>> ens = gt.Ensemble(gt.Vanilla, gain=2.0)
    >>> result = gt.validate(ens, n_units=100, n_networks=2)
    >>> result.ok
    True
    """
    if n_units is not None:
        n_units = integer("n_units", n_units, low=50)
    n_networks = integer("n_networks", n_networks, low=1)
    if rng is not None:
        rng = integer("rng", rng)
    level = real("level", level, low=0.0, high=_HIGHEST, open_low=True)
    check_executor(executor)
    check_progress(progress)
    given = any(places is not None for places in (discs, taus, lambdas))
    cases = cases_of(sources, places_of(discs, taus, lambdas) if given else None)
    seeds = np.random.SeedSequence(rng).spawn(max(cases) + 1)
    jobs = [_job(case, n_units, seeds[number].spawn(n_networks + 1)) for number, case in cases.items()]
    total = len(jobs) * (n_networks + 1)
    with Progress(progress, total, "network") as tell:
        laws = [(job.state, job.quantities, job.n, job.seeds[0]) for job in jobs]
        limits = collect(limit_of, laws, [1] * len(laws), "case", executor=executor, progress=tell.part())
        samples = [
            (job.state, job.quantities, job.n, limit.isolated, seed) for job, limit in zip(jobs, limits) for seed in job.seeds[1:]
        ]
        found = collect(measurement_of, samples, [1] * len(samples), "network", executor=executor, progress=tell.part())
    rows, clouds, curves, notes, spectra = [], {}, {}, {}, {}
    for i, (job, limit) in enumerate(zip(jobs, limits)):
        networks = found[i * n_networks : (i + 1) * n_networks]
        rows += Judgement(job.name, job.quantities, limit, networks, job.n, level).rows()
        clouds[job.name] = np.concatenate([network.eigenvalues for network in networks])
        curves[job.name], notes[job.name], spectra[job.name] = limit.curves, limit.note, limit.spectrum
    return Validation(tuple(rows), clouds, curves, notes, level, rng, spectra)


class _Job(NamedTuple):
    """The networks of one case."""

    name: str
    state: AtRest | Moving
    quantities: Quantities
    n: int
    seeds: list[np.random.SeedSequence]


def _job(case, n_units, seeds):
    case.ensemble.require("finite size", "validate", "Spectrum(net.sites(state)) beside net.eigenvalues(state), without a verdict")
    cell = case.ensemble.cell
    n = _UNITS.get(cell.n_state, 500) if n_units is None else n_units
    require_memory(f"a network of n_units = {n}", 8.0 * (cell.n_fields + cell.n_state**2) * float(n) ** 2)
    return _Job(case.name, state_of(case), Quantities(case), n, seeds)
