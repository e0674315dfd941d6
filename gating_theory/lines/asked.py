"""What users give for a quantity and for a solution: names of the registry, kinds with calculators of their own, callables."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..ensemble.ensemble import Ensemble
from ..errors import CapabilityError, ConvergenceError, NoCriticalValue
from ..support.checks import choice, instance, integer, real, shown
from ..sweeps.quantities import CRITICAL, QUANTITIES, forms, names
from ..sweeps.quantity import Quantity, Variable
from ..sweeps.request import Request, quantity_request
from .measure import Measure

__all__ = ["kind_asked", "measure_asked", "solution_asked", "value_asked"]

#: Quantities at a value at which they are a kind with a calculator of its own.
_BY_NAME = {("complexity", 0.0): "complexity_onset", ("lyapunov", 0.0): "chaos"}


def kind_asked(quantity: Any, value: Any) -> str | None:
    """The kind that a quantity at a value is, one that has a calculator of its own and takes one path; None for other quantities.

    Parameters
    ----------
    quantity : what users give
    value : None or a number

    Raises
    ------
    ValueError
        a kind with a value, or one of two paths
    """
    if not isinstance(quantity, str):
        return None
    if quantity in CRITICAL and len(CRITICAL[quantity].paths) > 1:
        raise ValueError(f"quantity: {quantity!r} takes two paths: call gating_theory.{quantity}")
    if quantity in CRITICAL and value is not None:
        raise ValueError(f"value must be None for {quantity!r}, got {shown(value)}")
    if quantity in CRITICAL:
        return quantity
    return _BY_NAME.get((quantity, float(value))) if isinstance(value, (int, float)) else None


def value_asked(measure: Measure, value: Any) -> float:
    """The value that a quantity is to have; TypeError for none, ValueError for one that is not finite.

    Parameters
    ----------
    measure : Measure
    value : what users give
    """
    if value is None:
        raise TypeError(f"value must be given for {measure.name!r}, got None")
    return real("value", value)


def solution_asked(solution: Any) -> str | int:
    """ "zero", "active" or the number of a fixed point.

    Parameters
    ----------
    solution : what users give

    Raises
    ------
    TypeError, ValueError
        anything else
    """
    if isinstance(solution, str):
        return choice("solution", solution, ("zero", "active"))
    return integer("solution", solution, low=0)


def _number_of(function, name):
    """A user's function whose errors name the argument; nan where nothing happens of which it wanted the critical value."""

    def number(source):
        try:
            found = function(source)
        except NoCriticalValue:
            return np.nan
        except (CapabilityError, ConvergenceError):
            raise
        except Exception as error:  # of somebody else's function
            raise ValueError(f"quantity: {name} ends in {type(error).__name__}: {str(error)[:200]}") from error
        if np.shape(found) or not isinstance(np.asarray(found)[()], (numbers.Real, np.bool_)):
            raise TypeError(f"quantity: {name} must return a number, got {shown(found)}")
        return found

    return number


def measure_asked(ensemble: Ensemble, quantity: Any, of: str, options: Mapping[str, Any]) -> Measure:
    """The number that a quantity is.

    Parameters
    ----------
    ensemble : Ensemble
    quantity : str or callable
    of : str, what a callable is a function of
    options : mapping, as of :class:`Measure`

    Raises
    ------
    TypeError, ValueError
        neither a name that is known nor a callable; several numbers
    """
    choice("of", of, ("spectrum", "fixed_point", "ensemble"))
    if callable(quantity):
        name = getattr(quantity, "__name__", "quantity")
        return Measure(Request(name, Quantity(_number_of(quantity, name), (Variable(name),), of, costly=True)), options)
    instance("quantity", quantity, str, "the name of one, or a callable")
    allowed = [name for name in (*names(), *forms()) if name.partition(":")[0] in QUANTITIES]
    request = quantity_request(
        "quantity", quantity, ensemble, [*allowed, *(kind for kind, entry in CRITICAL.items() if len(entry.paths) == 1)]
    )
    if quantity == "moments" and ensemble.cell.n_messages > 1:
        choices = ", ".join(f"moment:{name}" for name in ensemble.cell.message_names)
        raise ValueError(f"quantity must be one number, got 'moments'; for {ensemble.cell.name} take one of {choices}")
    return Measure(request, options)
