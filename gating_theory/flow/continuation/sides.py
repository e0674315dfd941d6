"""The two sides of a curve, followed from its start: what was met on each, and the curve that they make together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from ...results.status import Status
from .codimension_two import Codim2Point

__all__ = ["Side", "joined", "worst_end"]

_T = TypeVar("_T")


@dataclass
class Side(Generic[_T]):
    """What was met on one side of a start: points, those of codimension two, words on those that were not found, the end."""

    passed: list[_T]
    found: list[Codim2Point]
    end: Status
    missed: list[str] = field(default_factory=list)


def joined(sides: Sequence[Side[_T]], worst_first: Sequence[str]) -> tuple[list[_T], list[Codim2Point], Status]:
    """Points and points of codimension two from the end of the first side through the start, and why the curve ends.

    Parameters
    ----------
    sides : one or two Side, each leading away from the start
    worst_first : codes of ends, and "unlocated" for what was missed
    """
    back, *forth = sides
    passed, found = back.passed[::-1], back.found[::-1]
    for side in forth:
        passed, found = passed + side.passed[1:], found + side.found
    missed = [Status("unlocated", text, ok=False) for side in sides for text in side.missed]
    return passed, found, worst_end([*(side.end for side in sides), *missed], worst_first)


def worst_end(ends: Sequence[Status], worst_first: Sequence[str]) -> Status:
    """One Status of several ends: the code of the worst, the words of all, ok where all are."""
    worst = min(ends, key=lambda end: worst_first.index(end.code))
    return Status(worst.code, "; ".join(dict.fromkeys(str(end) for end in ends)), all(end.ok for end in ends))
