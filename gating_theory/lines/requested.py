"""What a critical line was asked for: its condition, by the name of a quantity or by a callable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from ..ensemble.ensemble import Ensemble
from ..mean_field.moments import require_bounded
from ..support.checks import choice, integer, real, shown
from ..sweeps.quantities import CRITICAL
from ..sweeps.quantity import Quantity, Variable
from ..sweeps.request import Request, requests
from .conditions import Condition, FoldCondition, OfEnsemble, OfSolution, OfZeroState, OnsetCondition
from .measure import Measure

__all__ = ["Requested", "requested"]

#: Kinds of lines that need no value: the facts they need of the matrices, and their conditions where they have any.
_KINDS: dict[str, tuple[str, type[Condition] | None]] = {
    "onset": ("mean field", OnsetCondition),
    "fold": ("mean field", FoldCondition),
    "complexity_onset": ("complexity", None),
    "chaos": ("mean field", None),
}
#: Quantities at a value at which they are such a kind.
_BY_NAME = {("complexity", 0.0): "complexity_onset", ("lyapunov", 0.0): "chaos"}


class Requested(NamedTuple):
    """A condition, None for onsets of complexity and chaos, and quantity, value, solution ("" where there is none)."""

    condition: Condition | None
    quantity: str
    value: float
    solution: str

    @property
    def name(self) -> str:
        """What the line is, for messages."""
        return self.quantity if self.quantity in _KINDS else f"{self.quantity} = {self.value:g}"


def requested(ensemble: Ensemble, quantity: Any, value: Any, solution: Any, of: str, options: Mapping[str, Any]) -> Requested:
    """The condition of a line; arguments as of ``critical_line``, options as of :class:`Measure`.

    Raises
    ------
    TypeError, ValueError, CapabilityError : as of ``critical_line``
    """
    number = _number(solution)
    if isinstance(quantity, str) and isinstance(value, (int, float)) and (quantity, value) in _BY_NAME:
        quantity, value = _BY_NAME[quantity, value], None
    if isinstance(quantity, str) and quantity in _KINDS:
        if value is not None:
            raise ValueError(f"value must be None for {quantity!r}, got {shown(value)}")
        fact, kind = _KINDS[quantity]
        ensemble.require(fact, f"critical_line of {quantity!r}", "sampled networks: Network.sample")
        if quantity in ("fold", "complexity_onset"):
            require_bounded(ensemble.cell)
        return Requested(kind() if kind else None, quantity, 0.0, "zero" if quantity == "onset" else "")
    measure = Measure(_request(ensemble, quantity, of), options)
    if value is None:
        raise TypeError(f"value must be given for {measure.name!r}")
    value = real("value", value)
    if measure.of == "ensemble":
        return Requested(OfEnsemble(measure, value), measure.name, value, "")
    ensemble.require("mean field", f"critical_line of {measure.name!r}", "sampled networks: Network.sample")
    if solution == "zero":
        return Requested(OfZeroState(measure, value), measure.name, value, "zero")
    require_bounded(ensemble.cell)
    return Requested(OfSolution(measure, value, number), measure.name, value, str(solution))


def _number(solution):
    if isinstance(solution, str):
        choice("solution", solution, ("zero", "active"))
        return -1
    return integer("solution", solution, low=0)


def _request(ensemble, quantity, of):
    if isinstance(quantity, str):
        (request,) = requests(quantity, ensemble)
        if request.kind in CRITICAL:
            raise ValueError(f"quantity must belong to a point, or be one of {list(_KINDS)}, got {shown(quantity)}")
        if cast(Quantity, request.entry).of == "fixed_points":
            raise ValueError(f"quantity must change continuously, got {shown(quantity)}")
        return request
    if not callable(quantity):
        raise TypeError(f"quantity must be a name or a callable, got {shown(quantity)}")
    choice("of", of, ("spectrum", "fixed_point", "ensemble"))
    name = getattr(quantity, "__name__", "quantity")
    return Request(name, Quantity(quantity, (Variable(name),), of))
