"""A quantity of the registry as one number at one state or ensemble, with its error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..errors import ConvergenceError
from ..mean_field.fixed_point import FixedPoint
from ..mean_field.moments import MomentMap
from ..results.status import Status
from ..spectrum.spectrum import Spectrum
from ..sweeps.quantity import Flawed

if TYPE_CHECKING:
    from ..ensemble.ensemble import Ensemble
    from ..sweeps.quantity import Quantity
    from ..sweeps.request import Request

__all__ = ["Measure", "leading", "state_at"]

#: Relative step of the moments by which a quantity's sensitivity to them is measured.
_STEP = 1e-5
#: What numbers that pass zero with a quantity of a spectrum are known to.
_SMOOTH = 1e-10
_TRIAL = Status("trial", "moments on the way to a solution")


def leading(moments: MomentMap) -> int:
    """Which message's second moment is the unknown x of G(x): the first of the loop, or the first message where none feeds back.

    Parameters
    ----------
    moments : MomentMap
    """
    return moments.loop[0] if moments.loop else 0


def state_at(ensemble: Ensemble, u: float) -> tuple[FixedPoint, float]:
    """The state whose leading moment is exp(u), and G(u) = log(R(x)/x) there, zero if it is a solution [T5].

    Parameters
    ----------
    ensemble : Ensemble
    u : float
    """
    moments = MomentMap(ensemble)
    q = moments.complete(np.array([np.exp(u)]), moments.fine)
    image = q[0, 0] if not moments.loop else moments.moment(moments.loop[0], q, moments.fine)[0]
    G = float(np.log(max(image, 1e-300)) - u)
    names = ensemble.cell.message_names
    return FixedPoint(ensemble, dict(zip(names, q[0].tolist())), abs(G), moments.fine, _TRIAL), G


def _beside(point):
    """The states a step of the leading moment's logarithm above and below one, the other moments completed."""
    u = float(np.log(point.q[leading(MomentMap(point.ensemble))]))
    return [state_at(point.ensemble, u + step)[0] for step in (_STEP, -_STEP)]


class Measure:
    """One number of an entry of the registry.

    Parameters
    ----------
    request : Request, of a quantity
    options : mapping, tau, n_units, n_steps, rng: what the entry takes of them is passed on
    variable : int, which of the entry's variables

    Attributes
    ----------
    name, kind : str, the quantity's in words and in the registry
    n_units : int or None, the size of the networks that it is of; None: of the limit
    entry : Quantity
    lost : int, how often it did not converge so far
    simulated : bool, whether it is random, and different for each network
    of : str, what it is a quantity of, see :class:`~gating_theory.sweeps.quantity.Quantity`
    """

    def __init__(self, request: Request, options: Mapping[str, Any], variable: int = 0) -> None:
        self.request, self.options, self.variable = request, dict(options), variable
        self.entry = cast("Quantity", request.entry)
        self.name, self.of = request.name, self.entry.of
        self.kind, self.n_units = request.name, cast("int | None", None)
        self.lost = 0
        self.simulated = self.of == "ensemble" and "rng" in self.entry.options

    def of_network(self, seed: int) -> Measure:
        """The same of one network, the one with this seed.

        Parameters
        ----------
        seed : int
        """
        return Measure(self.request, self.options | {"rng": seed}, self.variable)

    def at(self, source: Any) -> float:
        """The value at a FixedPoint, an Ensemble, or a list of FixedPoints, whichever it is a quantity of; nan where not defined.

        Parameters
        ----------
        source
        """
        return self.each([source])[0]

    def each(self, sources: Sequence[Any]) -> np.ndarray:
        """(m,) values at many sources, computed together where that is faster; nan where one is None or does not converge.

        Parameters
        ----------
        sources : sequence, as of :meth:`at`, or None
        """
        there = [source for source in sources if source is not None]
        given = Spectrum.of_each(there) if self.of == "spectrum" else there
        values = iter([self._value(source) for source in given])
        return np.array([np.nan if source is None else next(values) for source in sources])

    def error(self, source: Any) -> float:
        """The error of the value at a source: what its calculator promises, and what the error of the moments does to it.

        Where nothing is promised, as of quantities of one's own, only the second.

        Parameters
        ----------
        source : as of :meth:`at`
        """
        promise = self.entry.accuracy
        (given,) = Spectrum.of_each([source]) if self.of == "spectrum" else [source]
        own = 0.0
        if promise is not None:
            values = self._values(given)
            own = np.nan if values is None else float(promise(given, values))
        if self.of not in ("fixed_point", "spectrum") or source.is_zero:
            return own
        return own + abs(self._slope(source)) * source.error

    def beyond(self, source: Any, value: float) -> float:
        """The quantity minus a value, or a number of its sign that is smooth where the quantity is not; nan where not defined.

        Parameters
        ----------
        source : as of :meth:`at`
        value : float
        """
        smooth = self._smooth(source, value)
        return self.at(source) - value if smooth is None else smooth

    def beyond_error(self, source: Any, value: float) -> float:
        """The error of :meth:`beyond`, as of :meth:`error`; parameters as there.

        Parameters
        ----------
        source : as of :meth:`at`
        value : float
        """
        if self.entry.passes is None:
            return self.error(source)
        if source.is_zero:
            return self.error(source) if self._smooth(source, value) is None else _SMOOTH
        up, down = (self._smooth(state, value) for state in _beside(source))
        if up is None or down is None:
            return self.error(source)
        return _SMOOTH + abs(up - down) / (2.0 * _STEP) * source.error

    def _smooth(self, source, value):
        if self.entry.passes is None or source is None:
            return None
        try:
            return self.entry.passes(source, value)
        except ConvergenceError:
            self.lost += 1
            return np.nan

    def noisy(self, source: Any) -> tuple[float, float]:
        """(value, error) of a quantity that comes with its error, computed once; 0 where nothing is known of that.

        Parameters
        ----------
        source : as of :meth:`at`
        """
        values = self._values(source)
        if values is None:
            return np.nan, np.nan
        return self._number(values), 0.0 if self.entry.accuracy is None else float(self.entry.accuracy(source, values))

    def _slope(self, point):
        """Derivative by u = log x of the leading moment, the others completed."""
        up, down = self.each(_beside(point))
        return (up - down) / (2.0 * _STEP)

    def _value(self, source):
        values = self._values(source)
        return np.nan if values is None else self._number(values)

    def _number(self, values):
        return float(values[self.variable] if isinstance(values, tuple) else values)

    def _values(self, source):
        """All that the entry's function gives, or None."""
        try:
            found = self.request.value(source, self.options)
        except ConvergenceError:
            self.lost += 1
            return None
        return found.values if isinstance(found, Flawed) else found
