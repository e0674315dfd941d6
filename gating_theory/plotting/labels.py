"""Names of parameters of flows in pictures, and the stretches of curves that are drawn in one way."""

from __future__ import annotations

import numpy as np

from ..flow.line import Line, Path

__all__ = ["parameter_label", "runs"]


def parameter_label(path: Path) -> str:
    """b_h[1] as LaTeX with indices from 1, a common factor as a factor of its matrix; the name of any other line."""
    if isinstance(path, Line):
        kind, _, tail = path.name.partition(".")
        return f"factor of $U^{{{tail}}}$" if kind == "gain" and tail else path.name
    name, _, rest = path.partition("[")
    indices = ",".join(str(int(i) + 1) for i in rest.rstrip("]").split(","))
    head, _, tail = name.partition("_")
    return f"${head}^{{{tail}}}_{{{indices}}}$" if tail else f"${name}_{{{indices}}}$"


def runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """(start, end) of stretches of one value; neighbours share their border so that curves have no gaps."""
    edges = np.flatnonzero(np.diff(flags.astype(int))) + 1
    starts = np.concatenate([[0], edges])
    ends = np.concatenate([edges, [len(flags) - 1]])
    return [(int(a), int(min(b, len(flags) - 1))) for a, b in zip(starts, ends)]
