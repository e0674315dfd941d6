"""``gating-theory validate``: theory against freshly sampled networks."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from ..counting.complexity import complexity
from ..ensemble.hyperparameters import KINDS
from ..validation.cases import Case
from ..validation.comparison import validate
from ..validation.report import closed_forms, diagrams, report_text, write_report
from .arguments import ensemble_of
from .common import counter, directory, pool

__all__ = ["run"]


def run(options: argparse.Namespace) -> int:
    """Compare, print, and write with ``--out``; the exit code."""
    own = None if options.cell is None else _sources(ensemble_of(options), options.state)
    if own is None and any(getattr(options, name) is not None for name in (*KINDS, "matrices", "state")):
        raise ValueError("--gain, --bias, --matrices, --state and the like belong to a --cell: the built-in cases have their own")
    with pool(options.jobs) as executor:
        result = validate(
            options.cells if own is None else own,
            options.n_units,
            options.n_networks,
            options.seed,
            taus=options.tau,
            level=options.level,
            executor=executor,
            progress=counter("comparisons"),
        )
        datasets = diagrams(options.cells, options.points, executor, counter("phase diagrams")) if own is None else {}
        forms = closed_forms(datasets)
        out = directory(options.out)
        files = write_report(out, result, datasets, forms, executor) if out is not None else []
    if options.json:
        record = result.as_dict() | {"closed_forms": [asdict(f) | {"agrees": f.agrees} for f in forms]}
        print(json.dumps(record, indent=1))
    else:
        print(report_text(result, forms))
        for path in files:
            print(f"wrote {path}")
    return 0 if result.ok and all(form.agrees for form in forms) else 1


def _sources(ensemble, states):
    """What is compared of an ensemble."""
    if states is None:
        return ensemble
    name = ensemble.cell.name
    known = {"zero": ("zero state", "zero"), "active": ("active fixed point", "planted"), "chaotic": ("steady state", "chaotic")}

    def case(state):
        words, looked_at = known[state]
        return Case(f"{name} {words}", ensemble, looked_at)

    return [complexity(ensemble) if state == "typical" else case(state) for state in dict.fromkeys(states)]
