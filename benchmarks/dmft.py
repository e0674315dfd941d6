"""What theory and simulation of moving states cost for the same accuracy: ``python benchmarks/dmft.py [--maps]``.

Wanted are .5 % in moments and .005 in the exponent. One run of each gives its time T and its standard errors; as errors fall with
the root of the work, T (error / wanted)^2 is the time in which they reach what is wanted. A simulated network is off by some
percent more, of which its scatter does not know: exact values, where there are any, are printed beside.
Times are of the processor. All six cases take five minutes; ``--maps``, the discrete ones alone, one.
"""

from __future__ import annotations

import argparse
import os
import time

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # read by BLAS when numpy is imported

import gating_theory as gt  # noqa: E402

#: Relative, of the first moment; absolute, of the exponent per unit of time.
MOMENT, EXPONENT = 5e-3, 5e-3
#: Steps of the Euler map that stands for the flow in simulations.
STEP = 0.1


def gru(z, r, h):
    return gt.Ensemble(gt.GRU, gain={"z": z, "r": r, "h": h})


CASES = {
    "vanilla 3": (gt.Ensemble(gt.Vanilla, gain=3), True),
    "GRU (0, 10, 4)": (gru(0, 10, 4), True),
    "GRU (1, 1, 8)": (gru(1, 1, 8), False),
}


def told(what, seconds, moment, error, exponent, apart):
    """One line: values, errors, and the time to the wanted ones."""
    ready = seconds * max((error / moment / MOMENT) ** 2, (apart / EXPONENT) ** 2)
    print(
        f"  {what:22s} {moment:.5f} +- {error:.5f}  {exponent:.4f} +- {apart:.4f}  {seconds:6.1f} s, to the wanted {ready:6.1f} s",
        flush=True,
    )


def theory(ensemble, flow, method):
    """One run of the dynamic mean field."""
    start = time.process_time()
    state = gt.dmft(ensemble, flow=flow, method=method, rng=0)
    name = next(iter(state.moments))
    told(f"dmft {method}", time.process_time() - start, state.moments[name], state.stderr[name], *state.lyapunov())


def simulation(ensemble, flow):
    """One simulated network, of the Euler map where the flow is asked for."""
    cell = ensemble.cell.euler(STEP) if flow else ensemble.cell
    moving = gt.Ensemble(cell, gain=ensemble.gain, bias=ensemble.bias)
    start = time.process_time()
    state = gt.steady_state(moving, 2000 if flow else 10_000, 800 if flow else 200, rng=0, lyapunov_units=2000)
    name, unit = next(iter(state.moments)), STEP if flow else 1.0
    numbers = state.moments[name], state.stderr[name], state.lyapunov / unit, state.lyapunov_stderr / unit
    told("steady_state", time.process_time() - start, *numbers)


def main(argv=None):
    """Print the lines; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--maps", action="store_true", help="leave out continuous time")
    clocks = (False,) if parser.parse_args(argv).maps else (False, True)
    for name, (ensemble, exact) in CASES.items():
        for flow in clocks:
            print(f"{name}, {'flow' if flow else 'map'}")
            if exact:
                theory(ensemble, flow, "lag")
            theory(ensemble, flow, "paths")
            simulation(ensemble, flow)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
