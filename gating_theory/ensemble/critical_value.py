"""A critical value of a hyperparameter: where a calculator found that something happens, whichever it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..results.encoding import dict_of, require, result
from ..results.status import Status
from ..support.arithmetic import to_error
from .ensemble import Ensemble
from .hyperparameters import is_of_hyperparameters

if TYPE_CHECKING:
    from typing import Any

__all__ = ["Critical", "Side", "continuous", "transition"]

#: What factors of tied hyperparameters round off, relative to the larger of 1 and the value.
_ROUNDING = 1e-14
#: Errors beyond this, relative to the larger of 1 and the value, are printed with it.
_NOTABLE = 1e-10
#: (value, error) of a quantity on one side of a critical value.
Side = tuple[float, float]

_FIELDS = ("value", "parameter", "kind", "error", "discontinuous", "moments", "ensemble", "status")
_MORE = ("below", "above", "rising", "half_share", "networks", "n_units", "n_steps")


@result("critical", fields=(*_FIELDS, *_MORE))
class Critical(float):
    """A critical value of a hyperparameter: a float that also carries how it was found.

    Parameters
    ----------
    value : float
    parameter, kind, error, discontinuous, moments, ensemble, status, below, above, rising, half_share, networks, n_units, n_steps
        See below.

    Attributes
    ----------
    parameter : str, the name of the path, such as "gain.h", "gain", "gain.z=gain.r", "direction"
    kind : str
        What happens there: "onset", "fold", "tricritical", "complexity_onset", "chaos", "echo", or the name of the quantity that
        has the value sought.
    error : float
        A standard error where networks were simulated (``networks``) or paths of sites drawn (``chaos_line``, ``echo_line``);
        elsewhere the accuracy that the calculation aims at.
    discontinuous : bool
        Whether the solutions that appear there have finite amplitude; of a quantity, whether it jumps over the value sought.
    moments : dict
        Moments of the messages of the solution that this is about (zeros at an onset; none where there is no single state).
    ensemble : Ensemble at the critical value
    status : Status, its code is "continuous" or "discontinuous"; in words also what was found on both sides
    below, above : (float, float) or None
        Value and error of what was followed, just below and just above: limits, which differ where it jumps, and nan where it is
        not defined on that side. Where networks were simulated, at the ends of the bracket of the first one. At a fold 2 on the
        side on which the two solutions are, and 0 on the other. None at an onset, a continuous transition, and the onset of
        complexity: growth and rate are the same on both sides, 1 and 0.
    rising : bool or None
        Whether what was followed rises there: a quantity passes its value upwards; chaos, exponentially many fixed points, a pair
        of solutions, a zero state that is not stable lie above. None at a tricritical point, and where it rises to both sides.
    half_share : float or None
        Of an onset, and of a radius, abscissa, slow fraction, or number of stable solutions: the fraction of all sites that carry
        half of T where it decides; networks of less than one over it have none of these, and ``status`` says so where these are
        more than 300 units. None elsewhere, and where T is infinite or not known [T12].
    networks : tuple of float, the values of each network where networks were simulated
    n_units, n_steps : int or None, size and length of simulations

    Examples
    --------
    >>> import gating_theory as gt
    >>> found = gt.onset(gt.Ensemble(gt.GRU, gain={"r": 4}), "gain.h")
    >>> round(float(found), 4), found.kind, found.discontinuous
    (2.0, 'onset', True)
    >>> found.ensemble.gain
    {'z': 1.0, 'r': 4.0, 'h': 2.0}
    """

    parameter: str
    kind: str
    error: float
    discontinuous: bool
    moments: dict[str, float]
    ensemble: Ensemble
    status: Status
    below: Side | None
    above: Side | None
    rising: bool | None
    half_share: float | None
    networks: tuple[float, ...]
    n_units: int | None
    n_steps: int | None

    as_dict = dict_of

    def __new__(
        cls,
        value: float,
        parameter: str,
        *,
        kind: str,
        error: float,
        discontinuous: bool,
        moments: dict[str, float],
        ensemble: Ensemble,
        status: Status,
        below: Side | None = None,
        above: Side | None = None,
        rising: bool | None = None,
        half_share: float | None = None,
        networks: tuple[float, ...] = (),
        n_units: int | None = None,
        n_steps: int | None = None,
    ) -> Critical:
        self = super().__new__(cls, value)
        vars(self).update(parameter=parameter, kind=kind, error=error, discontinuous=discontinuous)
        vars(self).update(moments=moments, ensemble=ensemble, status=status, below=below, above=above, rising=rising)
        vars(self).update(
            half_share=half_share if half_share == half_share else None, networks=networks, n_units=n_units, n_steps=n_steps
        )
        return self

    def __getnewargs_ex__(self) -> tuple[tuple[float], dict[str, Any]]:
        return (float(self),), vars(self)

    @property
    def value(self) -> float:
        """The critical value as a plain float."""
        return float(self)

    def check(self) -> None:
        """ValueError where the ensemble is not that at the critical value; of directions and functions only the name is known."""
        if is_of_hyperparameters(self.parameter):
            found = self.ensemble.value(self.parameter)
            near = abs(found - self.value) <= _ROUNDING * max(1.0, abs(self.value))
            require(near, f"the ensemble has {self.parameter} = {found!r}, but the critical value is {self.value!r}")

    def __repr__(self) -> str:
        if self.networks:  # no digits that another network would not have
            return f"{self.parameter} = {float(self):.6g} +- {self.error:.2g} ({self.status})"
        return f"{self.parameter} = {float(self)!r} ({self.status})"

    def __str__(self) -> str:
        if not self.error > _NOTABLE * max(1.0, abs(self)):
            return repr(self)
        return f"{self.parameter} = {to_error(self, self.error, more=1)} +- {self.error:.2g} ({self.status})"


def transition(value: float, parameter: str, *, error: float, discontinuous: bool, text: str, **rest: Any) -> Critical:
    """A Critical whose error is given relative to the larger of 1 and the value, and whose status has these words.

    Parameters
    ----------
    value, parameter, error, discontinuous
        As of :class:`Critical`, but for the error.
    text : str
    rest : its other attributes
    """
    code = "discontinuous" if discontinuous else "continuous"
    error = error * max(1.0, abs(value))
    return Critical(value, parameter, error=error, discontinuous=bool(discontinuous), status=Status(code, text), **rest)


def continuous(start: Critical, kind: str, text: str) -> Critical:
    """The onset of the zero state's instability as a continuous transition of another kind.

    Parameters
    ----------
    start : Critical, from ``onset``
    kind : str, as of :class:`Critical`
    text : str, words of the status
    """
    more = vars(start) | {"kind": kind, "discontinuous": False, "status": Status("continuous", text)}
    return Critical(float(start), **more)
