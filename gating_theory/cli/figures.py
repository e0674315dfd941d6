"""``gating-theory figures``: the figures, computed, saved with their data, drawn."""

from __future__ import annotations

import argparse

import gating_theory.figures as figures

from .common import counter, pool

__all__ = ["run"]


def run(options: argparse.Namespace) -> int:
    """Compute and draw; the exit code."""
    if options.list:
        print("\n".join(figures.NAMES))
        return 0

    def tell(text):
        print(text, flush=True)

    with pool(options.jobs) as executor:
        quick = not options.full
        files = figures.run(
            options.out,
            options.names or None,
            quick=quick,
            seed=options.seed,
            executor=executor,
            tell=tell,
            progress=lambda name: counter(f"figure {name}"),
        )
    print(f"{len(files)} files in {options.out}; computed ones are kept and only drawn again next time")
    drawn = {path.stem for path in files}
    return 0 if drawn.issuperset(options.names or figures.NAMES) else 1
