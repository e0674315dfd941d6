"""``gating-theory echo``: whether copies of a network under one input agree in the end, and up to where along a path [T8b]."""

from __future__ import annotations

import argparse
import json

from ..dynamics.two_copies.echo_line import echo_line
from ..dynamics.two_copies.echo_state import echo_state
from ..results.encoding import plain
from ..results.provenance import provenance
from ..results.store import save
from .arguments import ensemble_of
from .common import counter, directory, write_text

__all__ = ["run"]


def run(options: argparse.Namespace) -> int:
    """Solve, print, and write with ``--out``; the exit code."""
    if options.bounds is not None and options.line is None:
        raise ValueError("--bounds belongs to --line PATH")
    ensemble = ensemble_of(options)
    how = {"step": options.step, "flow": options.flow, "method": options.method, "n_sites": options.n_sites}
    how |= {"rng": options.seed, "progress": counter("echo")}
    found = echo_state(ensemble, **how)
    line = None if options.line is None else echo_line(ensemble, options.line, options.bounds, **how)
    record = {"kind": "echo", "flow": options.flow, "step": found.step, "verdict": found.verdict, "ok": found.ok}
    record |= {"status": str(found.status), "lam": plain(found.lam), "lam_error": plain(found.lam_error), "chi": plain(found.chi)}
    record |= {"timescale": plain(found.timescale), "timescale_squared": plain(found.timescale_squared)}
    record["states"] = plain(found.states)
    record["line"] = None if line is None else _boundary(options.line, line)
    record["provenance"] = provenance(ensemble, seed=options.seed)
    out = directory(options.out)
    if out is not None:
        write_text(out / "echo.json", json.dumps(record, indent=1) + "\n")
        save(found, out / "state.json")
    if options.json:
        print(json.dumps(record, indent=1))
        return 0
    print(ensemble)
    print(found)
    every = "unit of time" if found.flow else "step"
    print(f"  lam {found.lam:.6g} +- {found.lam_error:.1g} a unit of time, chi {found.chi:.6g} a {every}")
    print(f"  timescale {found.timescale:.5g}, of the squared distance {found.timescale_squared:.5g}")
    if line is not None:
        print(line)
    return 0


def _boundary(path, line):
    """What is said of a boundary."""
    record = {"path": path, "value": float(line), "error": plain(line.error), "rising": line.rising}
    record |= {"discontinuous": line.discontinuous, "exponent_below": plain(line.below), "exponent_above": plain(line.above)}
    return record | {"moments": plain(line.moments), "status": str(line.status)}
