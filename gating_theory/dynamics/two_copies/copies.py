"""What two copies of a network have in common, and where they start [T8b]."""

from __future__ import annotations

from dataclasses import dataclass

from ...support.checks import integer, real

__all__ = ["Copies", "copies_of"]

#: What is taken where users do not say: the same inputs and biases, and copies that are little alike at first.
_COMMON, _START = 1.0, 0.3
#: Copies that start the same stay the same, also where they would not come back.
_MOST_ALIKE = 0.99


@dataclass(frozen=True)
class Copies:
    """Two copies.

    Attributes
    ----------
    white, frozen : float from -1 to 1
        Correlations of their white inputs, and of what differs from site to site and stays (biases, frozen inputs).
    start : float from -1 to 0.99, of the copies at first
    """

    white: float
    frozen: float
    start: float

    @property
    def common(self) -> bool:
        """Whether both are fed with the same."""
        return self.white == self.frozen == 1.0


def copies_of(replicas: object, rho_in: object, rho_frozen: object, start: object) -> Copies | None:
    """What users ask for; None for one copy.

    Parameters
    ----------
    replicas, rho_in, rho_frozen, start : as of :func:`dmft`
    """
    given = {"rho_in": rho_in, "rho_frozen": rho_frozen, "start": start}
    if integer("replicas", replicas, low=1, high=2) == 1:
        for name, value in given.items():
            if value is not None:
                raise ValueError(f"{name} is of two copies: give replicas=2 with it, got replicas=1")
        return None
    white, frozen = (_COMMON if rho is None else real(name, rho, low=-1.0, high=1.0) for name, rho in list(given.items())[:2])
    return Copies(white, frozen, _START if start is None else real("start", start, low=-1.0, high=_MOST_ALIKE))
