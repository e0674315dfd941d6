"""``gating-theory design``: an initialisation whose gradients survive, what Adam may do with it, and others beside it [T9]."""

from __future__ import annotations

import argparse
import json

from ..results.provenance import provenance
from ..results.store import save
from ..training.comparison import compare_initialisations
from ..training.defaults import defaults
from ..training.design import design
from ..training.initialisations import chrono
from .arguments import ensemble_of
from .common import directory, plain

__all__ = ["run"]


def run(options: argparse.Namespace) -> int:
    """Solve, print, and write with ``--out``; the exit code."""
    ensemble, steps = ensemble_of(options), options.memory
    given = dict(_held(text) for text in options.given)
    found = design(ensemble, given=given, memory=steps, kappa=options.kappa, n_units=options.n_units)
    beside = [row.initialisation for row in defaults(1) if row.initialisation.cell == ensemble.cell]
    beside += [chrono(ensemble.cell, steps)] if steps > 2 else []
    table = compare_initialisations({"this design": found} | {one.name: one for one in beside}, steps)
    out = directory(options.out)
    if out is not None:
        save(found, out / "design.json")
    if options.json:
        record = found.as_dict() | {"beside": table.as_dict(), "provenance": provenance(ensemble)}
        print(json.dumps(plain(record), indent=1))
        return 0
    print(found)
    print(table)
    return 0


def _held(text):
    """The path and the value of PATH=VALUE."""
    path, _, value = text.rpartition("=")
    try:
        return path, float(value)
    except ValueError:
        raise ValueError(f"--given takes PATH=VALUE, as bias.o=5, got {text!r}") from None
