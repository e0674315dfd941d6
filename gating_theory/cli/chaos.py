"""``gating-theory chaos``: where chaos begins along a path, by the dynamic mean field or in sampled networks [T5, T8]."""

from __future__ import annotations

import argparse
import json

from ..dynamics.chaos import chaos_onset
from ..dynamics.dynamic_mean_field.chaos_line import chaos_line
from ..results.encoding import plain
from ..results.provenance import provenance
from .arguments import ensemble_of
from .common import counter, directory, write_text

__all__ = ["run"]


def run(options: argparse.Namespace) -> int:
    """Solve, print, and write with ``--out``; the exit code."""
    ensemble = ensemble_of(options)
    common = {"bounds": options.bounds, "rng": options.seed, "progress": counter("chaos")}
    if options.method == "networks":
        if options.flow or options.step is not None:
            raise ValueError("--method networks is of steps of the cell: --flow and --step belong to the dynamic mean field")
        sizes = {"n_units": options.n_units, "n_steps": options.n_steps, "n_networks": options.n_networks}
        found = chaos_onset(ensemble, options.path, **sizes, **common)
    else:
        clock = {"step": options.step, "flow": options.flow, "method": options.method, "n_sites": options.n_sites}
        found = chaos_line(ensemble, options.path, **clock, **common)
    record = {"kind": "chaos", "method": options.method, "flow": options.flow, "step": options.step, "path": options.path}
    record |= {"value": float(found), "error": plain(found.error), "discontinuous": found.discontinuous}
    record |= {"rising": found.rising, "exponent_above": plain(found.above), "moments": plain(found.moments)}
    record |= {"status": str(found.status), "provenance": provenance(ensemble, seed=options.seed)}
    out = directory(options.out)
    if out is not None:
        write_text(out / "chaos.json", json.dumps(record, indent=1) + "\n")
    if options.json:
        print(json.dumps(record, indent=1))
        return 0
    print(ensemble)
    print(found)
    return 0
