"""Second moments between copies of one network at all pairs of times [T8b]."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

__all__ = ["TwoTimes"]


@dataclass(frozen=True)
class TwoTimes:
    """E x^a(t) x^b(t') of R copies in T steps [T8b]: of the output state at times 0 .. T, of messages at times 0 .. T - 1.

    Attributes
    ----------
    state : (R, T + 1, R, T + 1) array, of the cell's first state variable
    messages : dict, {message name: (R, T, R, T) array}
    """

    state: np.ndarray = field(repr=False)
    messages: dict[str, np.ndarray] = field(repr=False)

    def equal_time(self, message: str | None = None) -> np.ndarray:
        """(times, R, R) second moments between copies at equal times.

        Parameters
        ----------
        message : str, a message name; None: the state
        """
        table = self.state if message is None else self.messages[message]
        return np.einsum("atbt->tab", table)
