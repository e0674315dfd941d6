"""Figures, one script per result: ``compute`` makes an xarray.Dataset, which is saved with its provenance, ``draw`` its picture.

A script is a module here with

    TITLE                                       what it shows, one line
    compute(quick, rng, work)                   -> xarray.Dataset; ``quick`` for a smaller one; see Work
    draw(data)                                  -> matplotlib Figure, from the data alone
    findings(data)                              -> str, optional: what was found, in words
    NEEDS                                       optional, names of packages that computing needs beyond those of gating_theory
    ALONE                                       optional, "quick" or "always": computed as a whole in one process beside the others,
                                                because flows are compiled in each process, which takes longer than the rest

``gating-theory figures`` runs them all.
"""

from .runner import NAMES, run
from .work import Work

__all__ = ["NAMES", "Work", "run"]
