"""How long flows and maps are followed at most."""

from __future__ import annotations

__all__ = ["LONGEST", "LONGEST_STEP"]

#: The longest time that is followed: the slowest gate of a trained network takes less, and what lasts longer is a fixed point here.
LONGEST = 1e6
#: The longest Euler step.
LONGEST_STEP = 1e6
