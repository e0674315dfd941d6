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
    state_stderr : array like ``state``, standard errors; zeros where the moments are exact
    messages_stderr : dict like ``messages``
    """

    state: np.ndarray = field(repr=False)
    messages: dict[str, np.ndarray] = field(repr=False)
    state_stderr: np.ndarray = field(repr=False)
    messages_stderr: dict[str, np.ndarray] = field(repr=False)

    @classmethod
    def exact(cls, state: np.ndarray, messages: dict[str, np.ndarray]) -> TwoTimes:
        """Moments without a standard error; its zeros take no memory."""
        return cls(state, messages, _no_error(state), {name: _no_error(table) for name, table in messages.items()})

    @property
    def n_copies(self) -> int:
        """R, the number of copies."""
        return int(self.state.shape[0])

    @property
    def n_steps(self) -> int:
        """T, the number of steps."""
        return int(self.state.shape[1]) - 1

    def equal_time(self, message: str | None = None) -> np.ndarray:
        """(times, R, R) second moments between copies at equal times.

        Parameters
        ----------
        message : str, a message name; None: the state
        """
        table = self.state if message is None else self.messages[message]
        return np.einsum("atbt->tab", table)


def _no_error(table):
    return np.broadcast_to(0.0, table.shape)
