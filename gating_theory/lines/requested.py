"""What a critical line was asked for: its condition, by the name of a quantity or by a callable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import CapabilityError, ConvergenceError
from ..mean_field.expansion import excess
from ..mean_field.moments import require_bounded
from ..support.checks import shown
from .asked import kind_asked, measure_asked, solution_asked, value_asked
from .conditions import Condition, FoldCondition, OfEnsemble, OfSolution, OfZeroState, OnsetCondition

if TYPE_CHECKING:
    from .plane import Plane

__all__ = ["Requested", "requested"]

#: Kinds of lines that need no value: the facts they need of the matrices, and their conditions where they have any.
_KINDS: dict[str, tuple[str, type[Condition] | None]] = {
    "onset": ("mean field", OnsetCondition),
    "fold": ("mean field", FoldCondition),
    "complexity_onset": ("complexity", None),
    "chaos": ("mean field", None),
    "chaos_line": ("dynamics", None),
    "echo": ("dynamics", None),
}


#: Where it is looked whether there is a zero state, in units of the box: in the middle and on the edges.
_PLACES = ((0.5, 0.5), (0.0, 0.5), (1.0, 0.5), (0.5, 0.0), (0.5, 1.0))


class Requested(NamedTuple):
    """A condition, None for onsets of complexity, chaos and ends of echo states, and quantity, value, solution ("" for none)."""

    condition: Condition | None
    quantity: str
    value: float
    solution: str

    @property
    def name(self) -> str:
        """What the line is, for messages."""
        return self.quantity if self.quantity in _KINDS else f"{self.quantity} = {self.value:g}"


def requested(plane: Plane, quantity: Any, value: Any, solution: Any, of: str, options: Mapping[str, Any]) -> Requested:
    """The condition of a line in a plane; arguments as of ``critical_line``, options as of :class:`Measure`.

    Raises
    ------
    TypeError, ValueError, CapabilityError
        as of ``critical_line``
    """
    solution, ensemble = solution_asked(solution), plane.ensemble
    name = kind_asked(quantity, value)
    if name is not None:
        if name not in _KINDS:
            raise ValueError(f"quantity: {name!r} is a value along one path; phase_diagram has its line over another axis")
        fact, kind = _KINDS[name]
        ensemble.require(fact, f"critical_line of {name!r}", "sampled networks: Network.sample")
        if name in ("fold", "complexity_onset"):
            require_bounded(ensemble.cell)
        return Requested(kind() if kind else None, name, 0.0, "zero" if name == "onset" else "")
    measure = measure_asked(ensemble, quantity, of, options)
    value = value_asked(measure, value)
    if measure.entry.discrete:
        where = "it changes on the lines of 'onset', 'fold', and 'abscissa' at 1"
        raise ValueError(f"quantity must change continuously, got {shown(quantity)}; {where}")
    if measure.of == "ensemble":
        return Requested(OfEnsemble(measure, value), measure.name, value, "")
    ensemble.require("mean field", f"critical_line of {measure.name!r}", "sampled networks: Network.sample")
    require_bounded(ensemble.cell)
    missing = _no_zero_state(plane)
    if solution == "zero" and missing is not None:
        raise missing
    # the first solution is the zero state where there is one
    if solution == "zero" or (solution == 0 and missing is None):
        return Requested(OfZeroState(measure, value), measure.name, value, "zero")
    return Requested(OfSolution(measure, value, -1 if solution == "active" else int(solution)), measure.name, value, str(solution))


def _no_zero_state(plane):
    """None if the ensembles in a plane have a zero state, at least along an edge of its bounds; else what one of them says."""
    missing = None
    for place in _PLACES:
        try:
            excess(plane.there(np.array(place)))
            return None
        except CapabilityError as error:
            missing = missing or error
        except ConvergenceError:
            continue
    return missing
