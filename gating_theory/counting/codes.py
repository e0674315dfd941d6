"""How the calculation of a complexity can end, in words for programs."""

from __future__ import annotations

__all__ = ["CODES"]

#: {code of a status: whether the value can be relied on}, in the order in which datasets number them.
CODES: dict[str, bool] = {
    "converged": True,
    "not_positive": True,
    "no_saddle": True,
    "undecided": False,
    "inaccurate": False,
    "incomplete": False,
    "unbounded": False,
}
