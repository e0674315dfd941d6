"""Quantities of phase diagrams that somebody else brings."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..support.checks import choice, instance, shown, texts
from .quantities import QUANTITIES, taken_names
from .quantity import Quantity, Variable

__all__ = ["register_quantity"]


def register_quantity(
    name: str,
    function: Callable[..., float],
    of: str = "spectrum",
    *,
    long_name: str,
    units: str = "1",
    symbol: str | None = None,
    options: str | Sequence[str] = (),
) -> None:
    """Make a quantity of your own known to :func:`~gating_theory.phase_diagram`, by a name to put among its ``quantities``.

    A journal holds the text of the function as part of its description and refuses to go on after it was changed; what else the
    function depends on is for you to watch.

    Parameters
    ----------
    name : str
        Letters, digits and underscores. Registering a name again replaces the function; names of the package's own are refused.
    function : callable
        ``function(source)`` gives one number for each source; NaN where there is none. A ConvergenceError leaves NaN and marks the
        grid point as failed, other errors stop the sweep. Executors of processes receive it by pickle: define it with ``def`` at
        the top of a module that their workers can import, no lambda.
    of : "spectrum", "fixed_point" or "ensemble"
        What the source is: a Spectrum or a FixedPoint (one value for each mean-field solution), or the Ensemble at the grid point.
    long_name : str, what it is, in words; xarray's pictures break more than 30 characters
    units : str, "1" where it is dimensionless
    symbol : str, optional, TeX for axes
    options : sequence of str
        Which of phase_diagram's numbers the function takes by keyword: "tau", "n_units", "n_steps", and "rng", its seed.

    Raises
    ------
    TypeError, ValueError
        No callable; a name that is none, or taken; an unknown source or option.

    See Also
    --------
    gating_theory.phase_diagram : Computes it on grids.
    gating_theory.critical : Finds where it has a value.

    Examples
    --------
    >>> import gating_theory as gt
    >>> def margin(spectrum):
    ...     return 1.0 - spectrum.radius()
    >>> gt.register_quantity(
    ...     "margin",
    ...     margin,
    ...     long_name="distance of the spectrum from the unit circle",
    ... )
    >>> ens, axes = gt.Ensemble(gt.GRU), {"gain.h": [1.0, 3.0]}
    >>> data = gt.phase_diagram(ens, axes, ["margin"])
    """
    instance("name", name, str)
    if not name.isidentifier():
        raise ValueError(f"name must be made of letters, digits and underscores, got {shown(name)}")
    if name in taken_names() or name.startswith("moment_"):
        raise ValueError(f"name {name!r} is taken; taken are {taken_names()} and moment_...")
    if not callable(function):
        raise TypeError(f"function must be callable, got {shown(function)}")
    choice("of", of, ("spectrum", "fixed_point", "ensemble"))
    for word, given in {"long_name": long_name, "units": units, "symbol": "" if symbol is None else symbol}.items():
        instance(word, given, str)
    options = (options,) if isinstance(options, str) else texts("options", options)
    allowed = ("tau", "n_units", "n_steps", "rng")
    if not set(options) <= set(allowed):
        raise ValueError(f"options must be among {allowed}, got {shown(options)}")
    about = Variable(long_name, units, symbol=symbol or "")
    fails = "spectrum_not_converged" if of == "spectrum" else "quantity_not_converged"
    QUANTITIES[name] = Quantity(function, (about,), of, options, fails=fails, costly=True)
