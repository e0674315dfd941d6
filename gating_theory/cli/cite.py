"""``gating-theory cite``: BibTeX of the software and of the papers behind it."""

from __future__ import annotations

import argparse
import json
from functools import reduce
from typing import Any

__all__ = ["run"]


def run(options: argparse.Namespace) -> int:
    """Print the entries."""
    import gating_theory as gt

    everything = [getattr(face, name) for face in (gt, gt.flow) for name in face.__all__ if name != "__version__"]
    found = gt.cite(*([_named(gt, name) for name in options.names] or everything))
    print(json.dumps(found.as_dict(), indent=1) if options.json else found)
    return 0


def _named(gt: Any, name: str) -> Any:
    try:
        return reduce(getattr, name.split("."), gt)
    except AttributeError:
        raise ValueError(f"NAME must be a public name, such as Spectrum or flow.cycles, got {name!r}") from None
