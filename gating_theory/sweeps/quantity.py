"""What a quantity of a phase diagram is: how it is computed and from what, and the variables of the Dataset that it becomes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from ..cell.cell import Cell
    from ..ensemble.critical_value import Critical

__all__ = ["CRITICAL_STATUS", "STATUS", "CriticalQuantity", "Flawed", "Quantity", "Third", "Variable"]

#: Words for how a grid point ended, in the order of their flags.
STATUS = (
    "ok",
    "fixed_points_not_converged",
    "spectrum_not_converged",
    "critical_value_not_converged",
    "complexity_not_converged",
    "complexity_not_defined",
    "simulation_diverged",
    "quantity_not_converged",
)
#: Words for the kind of a critical value, the codes of ``Critical.status``, and for why there is none.
CRITICAL_STATUS = ("continuous", "discontinuous", "none_within_bounds", "not_defined_here", "not_converged")


@dataclass(frozen=True)
class Variable:
    """One variable of the Dataset.

    Attributes
    ----------
    long_name : str
        What it is, in 30 characters: xarray's pictures break longer labels. ``{0}``, ``{1}`` stand for what follows the colon in
        a quantity's name.
    units : str, "1" where it is dimensionless: the Dataset then has none, since pictures would show them
    name : str, that of the quantity where it is empty
    attributes : mapping, further attributes such as a comment
    symbol : str, TeX for axes, or empty
    description : str, what it is in more words, like ``long_name``
    short_name : str
        What fits beside a small picture, TeX allowed; ``<tau>`` stands for that number of the sweep. Empty: the variable's name.
    flags : tuple of str, the meanings of 0, 1, ... if the variable is a flag
    noted, note : str
        One of the flags, and what the Dataset says where there are any with ``{count}`` of it ``{of}`` all that are not missing,
        with the numbers of the sweep by their names.
    dtype : str
    missing : float, the value where the calculation failed
    when_missing : str, a comment where some are missing
    """

    long_name: str
    units: str = "1"
    name: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    noted: str = ""
    note: str = ""
    dtype: str = "float64"
    missing: float = math.nan
    when_missing: str = ""
    symbol: str = ""
    short_name: str = ""
    description: str = ""


@dataclass(frozen=True)
class Flawed:
    """What a quantity's function may return: values to be kept although the grid point counts as a failure.

    Attributes
    ----------
    values : float or tuple of float
    status : str, one of ``STATUS``
    message : str, for the warning
    """

    values: float | tuple[float, ...]
    status: str
    message: str


@dataclass(frozen=True)
class Quantity:
    """Something to compute at every grid point.

    Attributes
    ----------
    function : callable
        ``function(source, *arguments, **options)``: a number, or a tuple with one for each variable, or :class:`Flawed`. A
        ConvergenceError leaves the values missing; other errors stop the sweep.
    variables : tuple of Variable, or a callable that gives them for a Cell
    of : str, what the source is
        "fixed_point" or "spectrum": one value a solution. "ensemble", or "fixed_points" for the list of them: one value.
    options : tuple of str, which of tau, n_units, n_steps, rng the function takes by keyword
    form : str, what follows the name, such as ":<center>,<radius>"
    parse : callable, optional
        ``parse(texts, cell)`` makes the arguments of what follows the colon, split at commas; ValueError for what it does not take.
    takes : str, what it takes, in words
    fails : str, the status of a grid point where the function did not converge
    accuracy : callable, optional
        ``accuracy(source, value)``: the absolute error of what the function gave, at exact moments. None where it is not known.
    passes : callable, optional
        ``passes(point, value)``, at a FixedPoint: a number with the sign of the quantity minus the value, smooth where the quantity
        has kinks, known to about 1e-10; None where there is none.
    discrete : bool, whether it has whole numbers only, which change where solutions are born or lose their stability
    costly : bool, whether it takes so long, or is so noisy, that few values of it have to do
    """

    function: Callable[..., Any]
    variables: tuple[Variable, ...] | Callable[[Cell], tuple[Variable, ...]]
    of: str = "spectrum"
    options: tuple[str, ...] = ()
    form: str = ""
    parse: Callable[[tuple[str, ...], Cell], tuple] | None = None
    takes: str = ""
    fails: str = "spectrum_not_converged"
    accuracy: Callable[[Any, Any], float] | None = None
    passes: Callable[[Any, float], float | None] | None = None
    discrete: bool = False
    costly: bool = False

    @property
    def per_solution(self) -> bool:
        """Whether there is a value for every mean-field solution."""
        return self.of in ("fixed_point", "spectrum")

    def variables_of(self, cell: Cell) -> tuple[Variable, ...]:
        """The variables for a cell."""
        return self.variables(cell) if callable(self.variables) else self.variables


@dataclass(frozen=True)
class Third:
    """What comes with a critical value beside its status.

    Attributes
    ----------
    name : str, of the variable, before the colon and the paths
    long_name : str, with ``{0}``, ``{1}`` for the paths, short as that of a Variable
    value : callable, gives it from the Critical and the paths
    path : int, optional, the number of the path whose value it is; without one it is the critical value's standard error
    """

    name: str
    long_name: str
    value: Callable[..., float]
    path: int | None = None


@dataclass(frozen=True)
class CriticalQuantity:
    """A critical value of a hyperparameter: a line in the diagram.

    Attributes
    ----------
    long_name : str, with ``{0}``, ``{1}`` for the paths, short as that of a Variable
    function : callable
        ``function(ensemble, *paths, **options)`` gives a Critical; ``bounds``, (low, high) or None for each path, are passed where
        the paths' own spans do not do.
    paths : tuple of str, what each path is
    options : tuple of str, which of n_units, n_steps, rng the function takes by keyword
    third : Third, optional
    description : str, what it is in more words, with ``{0}``, ``{1}`` for the paths
    from_neighbour : bool
        Whether the function starts from the present value of its first path, so that a search that failed is worth repeating from
        the value that a neighbouring line has.
    """

    long_name: str
    function: Callable[..., Critical]
    paths: tuple[str, ...] = ("path",)
    options: tuple[str, ...] = ()
    third: Third | None = None
    description: str = ""
    from_neighbour: bool = False

    @property
    def form(self) -> str:
        """What follows the name, such as ":<path>"."""
        return ":" + ",".join(f"<{path}>" for path in self.paths)
