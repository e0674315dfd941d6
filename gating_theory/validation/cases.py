"""What is compared with sampled networks: states of ensembles, and the places at which their spectra are looked at."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ..cell.builtin import GRU, LSTM
from ..counting.complexity import Complexity
from ..dynamics.steady_state import SteadyState
from ..ensemble.ensemble import Ensemble
from ..mean_field.fixed_point import FixedPoint
from ..mean_field.fixed_points import fixed_points
from ..results.encoding import result
from ..support.checks import choice, complex_array, real_array, reals, shown, text

__all__ = ["CASES", "Case", "Places", "Source", "cases_of", "places_of"]

#: What spectra can be compared at.
Source = Ensemble | FixedPoint | Complexity | SteadyState
#: Discs (center, radius), timescales, places of log|det|.
Places = tuple[tuple[tuple[complex, float], ...], tuple[float, ...], tuple[complex, ...]]

#: The states of an ensemble's networks.
_STATES = ("zero", "planted", "chaotic")
_DISCS: tuple[tuple[complex, float], ...] = ((1.0, 0.2), (0.5, 0.3))
_TAUS: tuple[float, ...] = (10.0, 100.0)
_LAMBDAS: tuple[complex, ...] = (1.0, 0.6 + 0.3j)
_WANTED = "names of cells, Ensembles, fixed points, steady states or Cases"


@result("validation_case")
@dataclass(frozen=True)
class Case:
    """A state of large networks, and the places at which its spectrum is compared with that of sampled ones.

    Attributes
    ----------
    name : str
    source : Ensemble, FixedPoint, Complexity (its typical fixed point) or SteadyState
    state : str or None
        Of an Ensemble, at which state its networks are looked at: "zero" (the zero fixed point), "planted" (the active fixed point,
        that of the largest moments, planted into a random network) or "chaotic" (whatever a network runs into). None for other
        sources.
    discs : (center, radius) pairs whose masses are compared
    taus : timescales of slow fractions, steps
    lambdas : places where log|det| is compared

    Raises
    ------
    TypeError, ValueError
        another source, another state; discs, timescales or places that are none

    See Also
    --------
    gating_theory.validate : Takes it.

    Examples
    --------
    >>> import gating_theory as gt
    >>> slow = gt.Ensemble(gt.GRU, gain=2.0, bias={"z": 3})
    >>> case = gt.Case(
    ...     "slow units", slow, "zero", discs=((0.9, 0.1),), taus=(50.0,)
    ... )
    >>> case.state, case.taus
    ('zero', (50.0,))

    ``gt.validate(case)`` then samples networks of 800 units at their zero state and compares them with theory.
    """

    name: str
    source: Source
    state: str | None = None
    discs: tuple[tuple[complex, float], ...] = _DISCS
    taus: tuple[float, ...] = _TAUS
    lambdas: tuple[complex, ...] = _LAMBDAS

    def __post_init__(self) -> None:
        text("name", self.name)
        if not isinstance(self.source, Source):
            raise TypeError(f"source must be an Ensemble, a fixed point or a steady state, got {shown(self.source)}")
        if isinstance(self.source, Ensemble):
            choice("state", self.state, _STATES)
        elif self.state is not None:
            raise ValueError(f"state is for Ensembles, a {type(self.source).__name__} is one, got {shown(self.state)}")
        for name, value in zip(("discs", "taus", "lambdas"), places_of(self.discs, self.taus, self.lambdas)):
            object.__setattr__(self, name, value)

    @property
    def ensemble(self) -> Ensemble:
        """The Ensemble of its networks."""
        return self.source if isinstance(self.source, Ensemble) else self.source.ensemble


def places_of(discs: Any = None, taus: Any = None, lambdas: Any = None) -> Places:
    """Discs, timescales and lambdas, checked; the customary ones for None.

    Raises
    ------
    TypeError, ValueError
        no (center, radius) pairs, radii or timescales that are not above zero, no numbers
    """
    try:
        pairs = _DISCS if discs is None else [tuple(disc) for disc in discs]
    except TypeError:
        pairs = [()]
    if any(len(pair) != 2 for pair in pairs):
        raise TypeError(f"discs must be a sequence of pairs (center, radius), got {shown(discs)}")
    made = tuple((complex_array("discs", c)[()].item(), *reals("discs", [r], "radius")) for c, r in pairs)
    times = real_array("taus", _TAUS if taus is None else taus)
    places = complex_array("lambdas", _LAMBDAS if lambdas is None else lambdas)
    if times.ndim != 1 or places.ndim != 1:
        raise TypeError(f"taus and lambdas must be sequences of numbers, got {shown(taus)} and {shown(lambdas)}")
    if any(radius <= 0.0 for _, radius in made) or (times <= 0.0).any():
        raise ValueError(f"radii of discs and taus must be above 0, got {shown(discs)} and {shown(taus)}")
    return made, tuple(times.tolist()), tuple(places.tolist())


#: The cases that ``gating-theory validate`` runs.
CASES: tuple[Case, ...] = (
    Case(
        "GRU zero state",
        Ensemble(GRU, {"z": 1, "r": 3, "h": 1.6}, bias={"z": 1}, bias_std={"z": 1, "r": 0.5}),
        "zero",
        discs=((1.0, 0.2), (0.6, 0.3)),
    ),
    Case("GRU marginal", Ensemble(GRU, {"z": 5, "r": 2, "h": 2.5}), "planted"),
    Case("GRU upper branch", Ensemble(GRU, {"z": 2, "r": 14, "h": 1.8}), "planted"),
    Case("GRU chaos", Ensemble(GRU, {"z": 2, "r": 3, "h": 6}), "chaotic"),
    Case(
        "LSTM zero state",
        Ensemble(LSTM, {"f": 2, "i": 2, "g": 1.2, "o": 2}, bias={"f": 1}, bias_std={"f": 0.8}),
        "zero",
        discs=((1.0, 0.2), (0.0, 0.3)),
    ),
    Case("LSTM fixed point", Ensemble(LSTM, {"f": 2, "i": 3, "g": 3, "o": 2}), "planted"),
    Case("LSTM chaos", Ensemble(LSTM, {"f": 3, "i": 2, "g": 5, "o": 3}, bias={"f": 1}), "chaotic"),
)


def cases_of(sources: Any, places: Places | None = None) -> dict[int, Case]:
    """The cases that ``validate`` is asked for, by numbers that seed them: a built-in one always has the same.

    Parameters
    ----------
    sources : str, Source or Case, or a sequence of them
        The name of a cell stands for its built-in cases, an Ensemble for its zero state and its active fixed point, that of the
        largest moments, those of them that it has.
    places : where the spectra of sources that are no Cases are looked at; default: the customary ones

    Raises
    ------
    TypeError, ValueError
        something else, no source, cells without built-in cases, Cases of the same name
    CapabilityError, ConvergenceError
        as ``fixed_points`` of Ensembles
    """
    built_in: set[int] = set()
    given: list[Case] = []
    made: list[Case] = []
    for item in _items(sources):
        if isinstance(item, str):
            built_in |= _named(item)
        elif isinstance(item, Case):
            given.append(item)
        else:
            made += _made(item)
    found = {number: _at(places, CASES[number]) for number in sorted(built_in)}
    found |= dict(enumerate([*given, *(_at(places, case) for case in _told_apart(made))], start=len(CASES)))
    names = [case.name for case in found.values()]
    if len(set(names)) < len(names):
        raise ValueError(f"sources must have names of their own, got {names}")
    return found


def _at(places, case):
    """The case at these places, where there are any."""
    return case if places is None else replace(case, discs=places[0], taus=places[1], lambdas=places[2])


def _items(sources):
    """What is compared, one by one."""
    if isinstance(sources, (str, Case, Source)):
        return [sources]
    try:
        items = list(sources)
    except TypeError:
        items = [sources]  # which is told what may stand here
    if not items:
        raise ValueError(f"sources must be one or more of {_WANTED}, got none")
    return items


def _named(name):
    """Numbers of the built-in cases of a cell."""
    known = sorted({case.ensemble.cell.name for case in CASES})
    if name not in known:
        raise ValueError(f"sources has the unknown name {shown(name)}; allowed are {known}: of another cell give an Ensemble")
    return {number for number, case in enumerate(CASES) if case.ensemble.cell.name == name}


def _made(source):
    """The cases of an Ensemble, a fixed point or a steady state."""
    if not isinstance(source, Source):
        raise TypeError(f"sources must be {_WANTED}, or a sequence of these, got {shown(source)}: of a cell give Ensemble(cell)")
    name = source.cell.name if isinstance(source, Ensemble) else source.ensemble.cell.name
    if isinstance(source, Ensemble):
        points = fixed_points(source)
        found = [Case(f"{name} zero state", points[0])] if points[0].is_zero else []
        return found + ([] if points[-1].is_zero else [Case(f"{name} active fixed point", points[-1])])
    if isinstance(source, FixedPoint):
        return [Case(f"{name} {'zero state' if source.is_zero else 'fixed point'}", source)]
    return [Case(f"{name} {'typical fixed point' if isinstance(source, Complexity) else 'steady state'}", source)]


def _told_apart(cases):
    """Cases with numbers behind names that several of them have."""
    names = [case.name for case in cases]
    return [
        replace(case, name=f"{case.name} {names[: i + 1].count(case.name)}") if names.count(case.name) > 1 else case
        for i, case in enumerate(cases)
    ]
