"""The package's own exceptions. Bad arguments are plain ValueError or TypeError."""

from __future__ import annotations

from typing import Any

__all__ = ["CapabilityError", "ConvergenceError", "NoCriticalValue"]


class ConvergenceError(RuntimeError):
    """A calculation did not reach its tolerance. ``estimate`` carries the last value reached.

    See Also
    --------
    gating_theory.CapabilityError : What a calculator cannot serve at all.

    Examples
    --------
    >>> import gating_theory as gt
    >>> try:
    ...     gt.flow.find_cycle(gt.GRUFlow(U_h=[[1, -1], [1, 1]]), [0.1, 0.2])
    ... except gt.ConvergenceError as error:
    ...     print(error)
    no cycle from [0.1, 0.2]: no near return
    """

    def __init__(self, message: str, estimate: Any = None) -> None:
        super().__init__(message)
        self.estimate = estimate


class CapabilityError(ValueError):
    """This cell or ensemble cannot be served by this calculator; the message says what is missing.

    See Also
    --------
    gating_theory.ConvergenceError : A calculation that did not reach its tolerance.

    Examples
    --------
    >>> import gating_theory as gt
    >>> try:
    ...     gt.onset(gt.Ensemble(gt.GRU, bias={"h": 1}), "gain.h")
    ... except gt.CapabilityError as error:
    ...     print(str(error).rpartition("; ")[2])
    critical(.., "abscissa", 1) is where its fixed point loses stability
    """


class NoCriticalValue(ValueError):
    """Nothing happens within the bounds that were searched: no change of stability, no fold, no onset.

    See Also
    --------
    gating_theory.critical : Raises it where a value is not passed.
    gating_theory.onset : Raises it where nothing becomes unstable.

    Examples
    --------
    >>> import gating_theory as gt
    >>> try:
    ...     gt.onset(gt.Ensemble(gt.GRU), "gain.h", (0.0, 1.0))
    ... except gt.NoCriticalValue:
    ...     print("the zero state is stable up to a gain of 1")
    the zero state is stable up to a gain of 1
    """
