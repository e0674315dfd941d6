"""What the package promises to be as fast as, in units of one ``numpy.linalg.eigvals`` at N = 1000: ``python benchmarks/speed.py``.

    python benchmarks/speed.py                 # every section that takes seconds: points edge density singular mass
    python benchmarks/speed.py diagram slow    # phase diagrams of 100 x 100 points on two processes: minutes

Processor time of one thread, the shortest of a few repeats, each next to a reference taken in the same seconds, because the speed
of a machine drifts; the phase diagrams in wall time of two processes. The exit code is 1 where a target is missed. What a million
units cost is in ``benchmarks/simulation.py``, what a new process pays in ``benchmarks/cold_start.py``.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # read by BLAS when numpy is imported, here and in the workers

import numpy as np  # noqa: E402

import gating_theory as gt  # noqa: E402

_MATRIX = np.random.default_rng(0).standard_normal((1000, 1000))

#: Gains of the cases that have a phase of their own to look at; other cells have 2.5 in all fields.
GAINS = {
    "GRU": {"z": 2, "r": 14, "h": 1.8},
    "LSTM": {"f": 2, "i": 3, "g": 3, "o": 2},
}
CELLS = ("GRU", "GRUResetAfter", "LSTM", "Vanilla", "JANET", "MGU", "CoupledLSTM", "LiGRUTanh", "PeepholeLSTM")
MAIN = CELLS[:3]
TAUS = np.geomspace(2.0, 2000.0, 50)


def seconds(function: Callable[[], object], clock=time.process_time) -> float:
    """Of one call."""
    start = clock()
    function()
    return clock() - start


def reference(clock=time.process_time) -> float:
    """Seconds of one eigvals at N = 1000."""
    return seconds(lambda: np.linalg.eigvals(_MATRIX), clock)


def reference_svd() -> float:
    """Seconds of one svd without vectors at N = 1000."""
    return seconds(lambda: np.linalg.svd(_MATRIX, compute_uv=False))


def ratio(
    function: Callable[[object], object], fresh: Callable[[], object], repeats: int = 10, reference: Callable[[], float] = reference
) -> float:
    """Shortest time of ``function(fresh())`` over the shortest reference, taken between the repeats; inf without an answer."""
    try:
        function(fresh())  # compiles, and fills what a second call finds
    except gt.ConvergenceError:
        return np.inf
    references, times = [reference()], []
    for i in range(repeats):
        argument = fresh()
        times.append(seconds(lambda argument=argument: function(argument)))
        if i % 5 == 4 or times[-1] > 0.5 * references[0]:
            references.append(reference())
    return min(times) / min(references)


def ensemble(name: str, gain=None) -> gt.Ensemble:
    """The case of a built-in cell."""
    return gt.Ensemble(getattr(gt, name), gain=GAINS.get(name, 2.5) if gain is None else gain)


def points(cells):
    """(what, ratio, target): all fixed points of an ensemble."""
    for name in cells:
        yield f"{name}: all fixed points", ratio(gt.fixed_points, lambda name=name: ensemble(name), 30), 0.005


def edge(cells):
    """(what, ratio, target): abscissa of every solution, and the boundary."""
    for name in cells:
        found = gt.fixed_points(ensemble(name))
        for point in {id(p): p for p in (found[0], found[-1])}.values():
            which = "zero" if point.is_zero else "active"
            yield f"{name}, {which}: abscissa", ratio(gt.Spectrum.abscissa, lambda point=point: gt.Spectrum(point), 30), 0.002
        yield (
            f"{name}: boundary, 256 points",
            ratio(lambda s: s.boundary(256), lambda point=found[-1]: gt.Spectrum(point), 10),
            0.05,
        )


def density(cells):
    """(what, ratio, target): maps of the density."""
    for name in cells:
        point = gt.fixed_points(ensemble(name))[-1]
        yield f"{name}: density map, 200 x 200", ratio(lambda s: s.density_map(200), lambda point=point: gt.Spectrum(point), 3), 0.5


def singular(cells):
    """(what, ratio, target): moments and densities of singular values, of a network's sites and of a law; in units of one svd."""
    s = np.linspace(0.05, 4.0, 100)
    for name in (name for name in MAIN if name in cells):
        point = gt.fixed_points(ensemble(name))[-1]
        network, state = gt.Network.planted(point, 1000, rng=0)
        sites = network.sites(state)

        def moments(source):
            return gt.Spectrum(source).singular_values().moments(4)

        yield f"{name}: four moments, 1000 sites (svd)", ratio(moments, lambda s=sites: s, reference=reference_svd), 0.02
        yield f"{name}: four moments, a fixed point (svd)", ratio(moments, lambda p=point: p, 3, reference_svd), 1.0

        def density(source):
            return gt.Spectrum(source).singular_values().density(s)

        yield f"{name}: density at 100 points, 1000 sites (svd)", ratio(density, lambda s=sites: s, reference=reference_svd), 1.0
        yield f"{name}: density at 100 points, a fixed point (svd)", ratio(density, lambda p=point: p, 3, reference_svd), 1.0


def mass(cells):
    """(what, ratio, target): eigenvalues in discs, to 1e-4."""
    for name in (name for name in MAIN if name in cells):
        for gain, target in ((None, 0.03), (2.5, 0.03), (50.0, 0.3)):
            point = gt.fixed_points(ensemble(name, gain))[-1]
            what = f"{name}, {'gains of its own' if gain is None else f'gains of {gain}'}"

            def fresh(point=point):
                return gt.Spectrum(point)

            for tau in (3.0, 10.0, 100.0, 1000.0):
                yield f"{what}: slow fraction, tau = {tau:g}", ratio(lambda s, tau=tau: s.slow_fraction(tau), fresh), target
            for center, radius in ((0.5, 0.3), (1.0, 0.2), (0.3 + 0.2j, 0.25)):
                disc = f"|lambda - {center}| < {radius}"
                yield f"{what}: mass, {disc}", ratio(lambda s, c=center, r=radius: s.mass(c, r), fresh), target
            yield f"{what}: 50 slow fractions at once, each", ratio(lambda s: s.slow_fraction(TAUS), fresh, 3) / TAUS.size, target


def _diagram(quantities):
    """Wall time of a whole phase diagram on two processes, their start and the progress included, over the reference."""
    axes = {"gain.h": np.linspace(1, 3, 100), "gain.r": np.linspace(0, 20, 100)}
    case = gt.Ensemble(gt.GRU, gain={"z": 2, "r": 3, "h": 2})
    before = reference(time.perf_counter)

    def whole():
        with ProcessPoolExecutor(2) as executor:
            gt.phase_diagram(case, axes, quantities, executor=executor, progress=lambda done, total: None)

    took = seconds(whole, time.perf_counter)
    return took / min(before, reference(time.perf_counter))


def diagram(_cells):
    """(what, ratio, target): count, moments and abscissa of all solutions at 10^4 points, on two processes."""
    yield "GRU: phase diagram, 100 x 100", _diagram(("count", "moments", "abscissa")), 15.0


def slow(_cells):
    """(what, ratio, target): the same with the slow fraction."""
    yield "GRU: phase diagram, 100 x 100, with slow fraction", _diagram(("count", "moments", "abscissa", "slow_fraction")), 300.0


SECTIONS = {section.__name__: section for section in (points, edge, density, singular, mass, diagram, slow)}


def main(argv=None) -> int:
    """Print the table; return the exit code: 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sections", nargs="*", metavar="section", help=f"of {' '.join(SECTIONS)}; default: those that take seconds")
    parser.add_argument("--cells", nargs="+", choices=CELLS, default=CELLS, help="default: all")
    options = parser.parse_args(argv)
    unknown = set(options.sections) - set(SECTIONS)
    if unknown:
        parser.error(f"no section {', '.join(sorted(unknown))}: {', '.join(SECTIONS)}")
    missed = 0
    print(f"{'in units of one eigvals at N = 1000':<72}{'ratio':>10}{'target':>10}")
    for name in options.sections or ("points", "edge", "density", "singular", "mass"):
        for what, value, target in SECTIONS[name](options.cells):
            missed += value > target
            print(f"{what:<72}{value:>10.4f}{target:>10g}{'  missed' if value > target else ''}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
