"""Figures, one script per result: ``compute`` makes an xarray.Dataset, which is saved with its provenance, ``draw`` its picture.

A script is a module here with

    TITLE                                       what it shows, one line
    compute(quick, rng, executor, progress)     -> xarray.Dataset; ``quick`` for a smaller one
    draw(data)                                  -> matplotlib Figure, from the data alone

``gating-theory figures`` runs them all, or ``python -m figures``.
"""

from .runner import NAMES, run

__all__ = ["NAMES", "run"]
