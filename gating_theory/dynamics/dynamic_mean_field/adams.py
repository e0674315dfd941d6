"""Steps of a flow that is driven by what is known at the steps alone: Adams's method of fourth order [T8].

Fields of Gaussian paths are drawn at the steps of a ring and nowhere between. The last three rates predict the next state, and the
rate there corrects it:

    s* = s + step (23 f_t - 16 f_{t-1} + 5 f_{t-2}) / 12,      s' = s + step (9 f* + 19 f_t - 5 f_{t-1} + f_{t-2}) / 24,

two rates a step, as many as Heun's method needs for the second order. Decay at a rate r is stable for r step < 1.94. Rates with
white noise, which is another one in each step, tell nothing of the next: there Heun's method, which remembers no rate.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["AdamsSteps"]

#: Weights of the last rates, and of the predicted and the last ones: the first two steps, which know fewer, are of lower order.
_PREDICT = np.array([[1.0, 0.0, 0.0], [3 / 2, -1 / 2, 0.0], [23 / 12, -16 / 12, 5 / 12]])
_CORRECT = np.array([[1 / 2, 1 / 2, 0.0, 0.0], [5 / 12, 8 / 12, -1 / 12, 0.0], [9 / 24, 19 / 24, -5 / 24, 1 / 24]])
#: A rate of a state at one time.
Rate = Callable[[np.ndarray], np.ndarray]


class AdamsSteps:
    """Steps of one path, one after the other.

    Parameters
    ----------
    step : float
    shape : tuple, of the states
    white : bool, whether rates have white noise
    """

    def __init__(self, step: float, shape: tuple[int, ...], white: bool = False) -> None:
        self._predict, self._correct = step * _PREDICT, step * _CORRECT
        self._rates = np.zeros((4, int(np.prod(shape))))  # the predicted one, and the last three
        self._shape, self._known, self._most = shape, -1, 0 if white else 2

    def __call__(self, state: np.ndarray, now: Rate, then: Rate) -> np.ndarray:
        """The state a step later, from its rates at this time and at the next."""
        rates, self._known = self._rates, min(self._known + 1, self._most)
        rates[3], rates[2] = rates[2], rates[1]
        rates[1] = now(state).ravel()
        rates[0] = then(state + (self._predict[self._known] @ rates[1:]).reshape(self._shape)).ravel()
        return state + (self._correct[self._known] @ rates).reshape(self._shape)
