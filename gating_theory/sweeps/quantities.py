"""What a phase diagram can compute: a registry of quantities, one entry each.

A :class:`Quantity` belongs to every point of the grid, a :class:`CriticalQuantity` to a line along the other axes. The sweep and
the dataset know no quantity by name. To add one, add an entry here, or call ``gating_theory.register_quantity`` from outside.

Calculators are imported when they are called: the help of the command line is this table, and is not to wait for them, nor for
numpy.
"""

from __future__ import annotations

import cmath
import math
from operator import attrgetter, methodcaller
from typing import TYPE_CHECKING

from ..counting.codes import CODES
from ..ensemble.hyperparameters import python_names
from .quantity import CriticalQuantity, Flawed, Quantity, Third, Variable

if TYPE_CHECKING:
    from typing import Any

    from ..cell.cell import Cell
    from ..ensemble.critical_value import Critical
    from ..ensemble.ensemble import Ensemble
    from ..ensemble.paths import EnsemblePath
    from ..mean_field.fixed_point import FixedPoint
    from ..spectrum.spectrum import Spectrum

    #: (low, high) for each path of a critical value, None for its own span.
    Bounds = tuple[tuple[float, float] | None, ...]

__all__ = ["CRITICAL", "QUANTITIES", "forms", "is_built_in", "moment_variables", "names", "taken_names"]

#: Steps of gradients at most, as ``gradient_growth`` takes them.
_MOST_STEPS = 10_000
#: Codes of ``Complexity.status``, and that of a ConvergenceError.
_COMPLEXITY = (*CODES, "not_converged")


#: Codes of ``Concentration.status``, and that of solutions that are none or did not converge.
_DESCRIBES = ("describes", "use_finite_size", "does_not_describe", "missing")


# --- how they are computed


def _stable(spectrum: Spectrum) -> float:
    if spectrum.radius() >= 1.0:
        return 0.0
    outliers = spectrum.outliers()
    return float(not outliers.size or abs(outliers).max() < 1.0)


def _outlier(spectrum: Spectrum) -> float:
    outliers = spectrum.outliers()
    return float(abs(outliers).max()) if outliers.size else math.nan


def _slow_fraction(spectrum: Spectrum, *, tau: float) -> float:
    return spectrum.slow_fraction(tau)


def _describes(spectrum: Spectrum, *, n_units: int) -> float:
    return _DESCRIBES.index(spectrum.concentration(n_units).status.code)


def _half_share(spectrum: Spectrum, *, n_units: int) -> float:
    return spectrum.concentration(n_units).half_share


def _n_effective(spectrum: Spectrum, *, n_units: int) -> float:
    return spectrum.concentration(n_units).n_effective


def _gradient(spectrum: Spectrum, n_steps: int, block: str | None = None) -> float:
    return _log10_left(spectrum, n_steps, "tied", block)


def _gradient_untied(spectrum: Spectrum, n_steps: int, block: str | None = None) -> float:
    return _log10_left(spectrum, n_steps, "untied", block)


def _log10_left(spectrum, n_steps, weights, block):
    from ..gradients.growth import log10_left

    return log10_left(spectrum, n_steps, weights, block)


def _gradient_rate(spectrum: Spectrum) -> float:
    return spectrum.radius() ** 2


def _mass(spectrum: Spectrum, center: complex, radius: float) -> float:
    return spectrum.mass(center, radius)


def _potential(spectrum: Spectrum, lam: complex) -> float:
    return float(spectrum.potential(lam))


def _mean_square(spectrum: Spectrum) -> float:
    return float(spectrum.singular_values().moments(1)[0])


def _square_std(spectrum: Spectrum) -> float:
    return spectrum.singular_values().square_std()


def _singular(spectrum: Spectrum, end: str) -> float:
    found = spectrum.singular_values()
    return found.largest() if end == "largest" else found.smallest()


def _moment(point: FixedPoint, message: str) -> float:
    return point.moments[message]


def _moments(point: FixedPoint) -> tuple[float, ...]:
    return tuple(point.q.tolist())


def _largest_exponent(ensemble: Ensemble, **options: Any) -> tuple[float, ...]:
    from ..dynamics.chaos import largest_exponent

    return largest_exponent(ensemble, **options)


def _complexity_of(ensemble: Ensemble) -> tuple[float, ...] | Flawed:
    from ..counting.complexity import complexity

    found = complexity(ensemble)
    code = found.status.code
    values = found.value, found.rate, _COMPLEXITY.index(code)
    # next to an onset the rate is smaller than its error, and that may be as small as anybody asked for
    if found.ok or (code == "undecided" and found.error <= _rate_accuracy(ensemble, values)):
        return values
    return Flawed(values, "complexity_not_defined" if code == "unbounded" else "complexity_not_converged", str(found.status))


def _onset(ensemble: Ensemble, path: EnsemblePath, bounds: Bounds = (None,)) -> Critical:
    from ..mean_field.critical import onset

    return onset(ensemble, path, *bounds)


def _fold(ensemble: Ensemble, path: EnsemblePath, bounds: Bounds = (None,)) -> Critical:
    from ..mean_field.critical import fold

    return fold(ensemble, path, *bounds)


def _tricritical(ensemble: Ensemble, path: EnsemblePath, along: EnsemblePath, bounds: Bounds = (None, None)) -> Critical:
    from ..mean_field.critical import tricritical

    return tricritical(ensemble, path, along, *bounds)


def _chaos_onset(ensemble: Ensemble, path: EnsemblePath, bounds: Bounds = (None,), **options: Any) -> Critical:
    from ..dynamics.chaos import chaos_onset

    return chaos_onset(ensemble, path, *bounds, **options)


def _chaos_line(ensemble: Ensemble, path: EnsemblePath, bounds: Bounds = (None,), **options: Any) -> Critical:
    from ..dynamics.dynamic_mean_field.chaos_line import chaos_line

    return chaos_line(ensemble, path, *bounds, **options)


def _chaos_tricritical(ensemble: Ensemble, path: EnsemblePath, along: EnsemblePath, bounds: Bounds = (None, None)) -> Critical:
    from ..dynamics.dynamic_mean_field.slow_states import chaos_tricritical

    return chaos_tricritical(ensemble, path, along, *bounds)


def _echo_line(ensemble: Ensemble, path: EnsemblePath, bounds: Bounds = (None,), **options: Any) -> Critical:
    from ..dynamics.two_copies.echo_line import echo_line

    return echo_line(ensemble, path, *bounds, **options)


def _complexity_onset(ensemble: Ensemble, path: EnsemblePath, bounds: Bounds = (None,)) -> Critical:
    from ..counting.onset import complexity_onset

    return complexity_onset(ensemble, path, *bounds)


def _error_of(value: Critical, path: EnsemblePath) -> float:
    return value.error


def _second_value(value: Critical, path: EnsemblePath, along: EnsemblePath) -> float:
    return along.value(value.ensemble)


#: The ends of singular values.
_ENDS = ("largest", "smallest")
#: What spectra promise of their edges, of masses, and of potentials by default; what is promised of rates, with up to two fields in
#: one average, and with more.
_EDGE, _MASS, _POTENTIAL = 1e-10, 1e-4, 1e-4
#: What is promised of log10 of the growth of gradients, a hundred times what was measured.
_GROWTH = 1e-10
_RATE, _LOOSE_RATE = 1e-10, 1e-7
#: The same of moments and edges of singular values, relative.
_SINGULAR, _SINGULAR_EDGE = 1e-5, 1e-3


def _edge_accuracy(spectrum: Spectrum, value: float) -> float:
    return _EDGE * max(1.0, abs(value))


def _right_of(point: FixedPoint, value: float) -> float | None:
    from ..spectrum.reach import right_of  # names of quantities are wanted without numpy

    return right_of(point, value)


def _outside(point: FixedPoint, value: float) -> float | None:
    from ..spectrum.reach import outside

    return outside(point, value)


def _rate_of_gradients_accuracy(spectrum: Spectrum, value: float) -> float:
    return 2.0 * _EDGE * max(1.0, abs(value))


def _growth_accuracy(spectrum: Spectrum, value: float) -> float:
    return _GROWTH * max(1.0, abs(value))


def _grows_faster(point: FixedPoint, value: float) -> float | None:
    return _outside(point, math.sqrt(value)) if value > 0.0 else None


def _mass_accuracy(spectrum: Spectrum, value: float) -> float:
    return _MASS


def _potential_accuracy(spectrum: Spectrum, value: float) -> float:
    return _POTENTIAL if spectrum.tol is None else spectrum.tol


def _square_std_accuracy(spectrum: Spectrum, value: float) -> float:
    # of m_2, in which a part tol is wrong
    mean, tol = _mean_square(spectrum), _SINGULAR if spectrum.tol is None else spectrum.tol
    return tol * (value**2 + mean**2) / (2.0 * max(value, math.sqrt(tol) * mean, 1e-300))


def _singular_accuracy(spectrum: Spectrum, value: float) -> float:
    if spectrum.fixed_point is not None and spectrum.populations.spread_variables == 0:  # one site, whose edges are exact
        return _edge_accuracy(spectrum, value)
    return (_SINGULAR_EDGE if spectrum.tol is None else spectrum.tol) * max(abs(value), _SINGULAR_EDGE)


def _rate_accuracy(ensemble: Ensemble, values: tuple[float, ...]) -> float:
    from ..counting.functional import ComplexityFunctional

    return _RATE if ComplexityFunctional(ensemble).dimension <= 2 else _LOOSE_RATE


def _second(source: Any, values: tuple[float, ...]) -> float:
    return values[1]


def _exact(source: Any, value: Any) -> float:
    return 0.0


def _disc(texts, cell):
    """The arguments of "mass:<center>,<radius>"."""
    center, radius = map(_finite, texts)
    if radius.imag != 0 or not radius.real > 0:
        raise ValueError("no radius")
    return center, radius.real


def _point(texts, cell):
    """The argument of "potential:<lambda>"."""
    (lam,) = map(_finite, texts)
    return (lam,)


def _end(texts, cell):
    """The argument of "singular:<end>"."""
    (end,) = (text.strip() for text in texts)
    if end not in _ENDS:
        raise ValueError("no end")
    return (end,)


def _steps(texts, cell):
    """The arguments of "gradient:<steps>" and "gradient:<steps>,<variable>"."""
    steps, *block = (text.strip() for text in texts)
    if not (steps.isascii() and steps.isdecimal()) or not 1 <= int(steps) <= _MOST_STEPS:
        raise ValueError("no number of steps")
    if len(block) > 1 or not set(block) <= set(cell.state_names):
        raise ValueError("no state variable")
    return (int(steps), *block)


def _message(texts, cell):
    """The argument of "moment:<message>"."""
    (name,) = (text.strip() for text in texts)
    if name not in cell.message_names:
        raise ValueError("no message of this name")
    return (name,)


def _finite(text):
    number = complex(text.replace(" ", ""))
    if not cmath.isfinite(number):
        raise ValueError("not finite")
    return number


def moment_variables(cell: Cell) -> tuple[Variable, ...]:
    """The variables of "moments": "moment_" and a message's name with everything but letters and digits as "_".

    Names that would be equal are numbered.

    Parameters
    ----------
    cell : Cell, or anything with ``message_names``
    """
    return tuple(
        Variable(
            f"second moment of {message}",
            name=f"moment_{name}",
            attributes={"message": message},
            short_name=rf"$E\,({message.replace('*', ' ')})^2$",
            description=f"second moment of the message {message}",
        )
        for name, message in zip(python_names(cell.message_names), cell.message_names)
    )


# --- the registry

#: {name: Quantity}, in the order in which help lists them.
QUANTITIES: dict[str, Quantity] = {}
#: {name: CriticalQuantity}
CRITICAL: dict[str, CriticalQuantity] = {}

QUANTITIES["count"] = Quantity(
    len,
    (
        Variable(
            "mean-field fixed points",
            description="number of mean-field fixed points, the zero state included",
            short_name="mean-field fixed points",
            dtype="int8",
            missing=-1,
            when_missing="-1 where the fixed points did not converge",
        ),
    ),
    of="fixed_points",
    accuracy=_exact,
    discrete=True,
)
QUANTITIES["moments"] = Quantity(_moments, moment_variables, of="fixed_point", accuracy=_exact)
QUANTITIES["residual"] = Quantity(
    attrgetter("residual"),
    (Variable("residual of the moments", description="largest relative residual of the moments"),),
    of="fixed_point",
)
QUANTITIES["error"] = Quantity(
    attrgetter("error"),
    (Variable("error of the moments", description="estimated relative quadrature error of the moments"),),
    of="fixed_point",
)
QUANTITIES["abscissa"] = Quantity(
    methodcaller("abscissa"),
    (
        Variable(
            "spectral abscissa",
            description="largest real part of the spectrum",
            short_name=r"spectral abscissa $\max\,\mathrm{Re}\,\lambda$",
        ),
    ),
    accuracy=_edge_accuracy,
    passes=_right_of,
)
QUANTITIES["radius"] = Quantity(
    methodcaller("radius"),
    (
        Variable(
            "spectral radius",
            description="largest modulus of the spectrum",
            short_name=r"spectral radius $\max\,|\lambda|$",
        ),
    ),
    accuracy=_edge_accuracy,
    passes=_outside,
)
QUANTITIES["gradient_rate"] = Quantity(
    _gradient_rate,
    (
        Variable(
            "growth of gradients a step",
            description="by what the mean square of gradients grows per step in the end, the square of the spectral radius",
        ),
    ),
    accuracy=_rate_of_gradients_accuracy,
    passes=_grows_faster,
)
QUANTITIES["slow_fraction"] = Quantity(
    _slow_fraction,
    (
        Variable(
            "fraction of slow modes",
            description="fraction of modes that are slower than tau steps, or grow",
            short_name="fraction slower than <tau> steps",
        ),
    ),
    options=("tau",),
    accuracy=_mass_accuracy,
    costly=True,
)
QUANTITIES["stable"] = Quantity(
    _stable,
    (
        Variable(
            "stable (1) or not (0)",
            description="whether the fixed point is stable: bulk and outliers of its spectrum within the unit circle",
        ),
    ),
    accuracy=_exact,
    discrete=True,
)
QUANTITIES["outlier"] = Quantity(
    _outlier,
    (Variable("largest outlier", description="largest modulus of the isolated eigenvalues, NaN where there is none"),),
)
QUANTITIES["mean_square"] = Quantity(
    _mean_square,
    (
        Variable(
            "mean squared singular value",
            description="mean square of the singular values of the Jacobian",
            short_name="mean squared singular value",
        ),
    ),
    accuracy=_edge_accuracy,
)
QUANTITIES["square_std"] = Quantity(
    _square_std,
    (
        Variable(
            "spread of singular values^2",
            description="standard deviation of the squared singular values of the Jacobian",
            short_name="standard deviation of $s^2$",
        ),
    ),
    accuracy=_square_std_accuracy,
    costly=True,
)
QUANTITIES["describes"] = Quantity(
    _describes,
    (
        Variable(
            "whether the limit describes N",
            description="whether the limit describes networks of this number of units",
            flags=_DESCRIBES,
            dtype="int8",
            missing=_DESCRIBES.index("missing"),
            noted="does_not_describe",
            note="the limit does not describe N = {n_units} at {count} of {of} solutions, see describes",
        ),
    ),
    options=("n_units",),
)
QUANTITIES["half_share"] = Quantity(
    _half_share,
    (Variable("sites with half of T(1)", description="fraction of the sites that carry half of T(1)"),),
    options=("n_units",),
)
QUANTITIES["n_effective"] = Quantity(
    _n_effective,
    (Variable("effective sites of T(1)", description="effective number of sites that T(1) has in a network of n_units units"),),
    options=("n_units",),
)
QUANTITIES["lyapunov"] = Quantity(
    _largest_exponent,
    (
        Variable("Lyapunov exponent", "1/step", description="largest Lyapunov exponent of a random network"),
        Variable(
            "standard error",
            "1/step",
            "lyapunov_stderr",
            description="standard error of the largest Lyapunov exponent, from blocks in time",
        ),
    ),
    of="ensemble",
    options=("n_units", "n_steps", "rng"),
    fails="simulation_diverged",
    accuracy=_second,
    costly=True,
)
QUANTITIES["complexity"] = Quantity(
    _complexity_of,
    (
        Variable(
            "annealed complexity",
            description="annealed complexity, growth rate of the number of fixed points with N",
            attributes={"comment": "complexity_status says why it is zero, NaN, or not to be relied on"},
        ),
        Variable(
            "rate of the largest saddle",
            name="complexity_rate",
            description="rate of the largest saddle of the annealed complexity, negative ones too",
        ),
        Variable(
            "status of the complexity",
            description="what the complexity is, or why it is missing",
            name="complexity_status",
            flags=_COMPLEXITY,
            dtype="int8",
            missing=_COMPLEXITY.index("not_converged"),
        ),
    ),
    of="ensemble",
    fails="complexity_not_converged",
    accuracy=_rate_accuracy,
    costly=True,
)
QUANTITIES["mass"] = Quantity(
    _mass,
    (Variable("mass within {1} of {0}", description="fraction of eigenvalues within {1} of {0}"),),
    form=":<center>,<radius>",
    parse=_disc,
    takes="a finite center and a positive radius",
    accuracy=_mass_accuracy,
    costly=True,
)
QUANTITIES["potential"] = Quantity(
    _potential,
    (Variable("potential at {0}", description="mean log|lambda - eigenvalue| at lambda = {0}"),),
    form=":<lambda>",
    parse=_point,
    takes="one finite number",
    accuracy=_potential_accuracy,
    costly=True,
)
QUANTITIES["singular"] = Quantity(
    _singular,
    (Variable("{0} singular value", description="{0} singular value of the Jacobian, rare sites left out"),),
    form=":<end>",
    parse=_end,
    takes='"largest" or "smallest"',
    accuracy=_singular_accuracy,
    costly=True,
)
for _name, _function, _words in (
    ("gradient", _gradient, "of tied weights, the same in every step"),
    ("gradient_untied", _gradient_untied, "of weights drawn anew in every step"),
):
    QUANTITIES[_name] = Quantity(
        _function,
        (
            Variable(
                "lg gradient, {0} steps",
                description=f"log10 of the mean square of gradients through {{0}} steps, {_words}",
                short_name=r"$\log_{10} G$",
            ),
        ),
        form=":<steps>",
        parse=_steps,
        takes=(
            "a number of steps from 1 to 10,000, and optionally the state variable that the loss sees, "
            f'as in "{_name}:100" and "{_name}:100,h"'
        ),
        accuracy=_growth_accuracy,
    )
QUANTITIES["moment"] = Quantity(
    _moment,
    (Variable("second moment of {0}", description="second moment of the message {0}"),),
    of="fixed_point",
    form=":<message>",
    parse=_message,
    takes="the name of a message",
    accuracy=_exact,
)

CRITICAL["onset"] = CriticalQuantity(
    "onset: {0}",
    _onset,
    description="value of {0} at which the zero state loses stability",
)
CRITICAL["fold"] = CriticalQuantity(
    "fold: {0}",
    _fold,
    description="value of {0} at which non-zero solutions appear",
)
CRITICAL["tricritical"] = CriticalQuantity(
    "tricritical: {0}",
    _tricritical,
    paths=("path", "along"),
    # a point needs two coordinates
    third=Third("tricritical_onset", "tricritical: {1}", _second_value, path=1),
    description="value of {0} at which the onset in {1} turns discontinuous",
)
CRITICAL["chaos"] = CriticalQuantity(
    "chaos: {0}",
    _chaos_onset,
    options=("n_units", "n_steps", "rng"),
    third=Third("chaos_error", "error of chaos: {0}", _error_of),
    description="value of {0} at which random networks turn chaotic or cease to be",
)
CRITICAL["chaos_line"] = CriticalQuantity(
    "chaos in theory: {0}",
    _chaos_line,
    options=("rng",),
    third=Third("chaos_line_error", "error of chaos: {0}", _error_of),
    description="least value of {0} at which infinite networks have a chaotic state",
)
CRITICAL["chaos_tricritical"] = CriticalQuantity(
    "tricritical point of chaos: {0}",
    _chaos_tricritical,
    paths=("path", "along"),
    third=Third("chaos_tricritical_onset", "tricritical point of chaos: {1}", _second_value, path=1),
    description="value of {0} at which chaos turns from beginning continuously at the onset in {1} to beginning with a jump",
)
CRITICAL["echo"] = CriticalQuantity(
    "end of the echo state: {0}",
    _echo_line,
    options=("rng",),
    third=Third("echo_error", "error of the echo state's end: {0}", _error_of),
    description="value of {0} at which copies of infinite networks cease to agree under a common input",
)
CRITICAL["complexity_onset"] = CriticalQuantity(
    "complexity onset: {0}",
    _complexity_onset,
    from_neighbour=True,
    description="value of {0} at which fixed points become exponentially many",
)

#: Names that the package itself uses: they cannot be registered again.
_BUILT_IN = frozenset({*QUANTITIES, *CRITICAL})
#: Names of variables and dimensions that a dataset has besides.
_TAKEN = {"status", "solution"} | {v.name for q in QUANTITIES.values() if not callable(q.variables) for v in q.variables}


def is_built_in(name: str) -> bool:
    """Whether an entry is the package's own, and not registered from outside.

    Parameters
    ----------
    name : str
    """
    return name in _BUILT_IN


def taken_names() -> list[str]:
    """Names of the package's own entries, and of variables and dimensions that a dataset has besides."""
    return sorted(_BUILT_IN | _TAKEN - {""})


def names() -> list[str]:
    """Names of all quantities that need nothing more."""
    return [name for name, quantity in QUANTITIES.items() if not quantity.form]


def forms() -> list[str]:
    """Forms of those that do, such as "onset:<path>"."""
    entries: dict[str, Quantity | CriticalQuantity] = {**QUANTITIES, **CRITICAL}
    return [name + entry.form for name, entry in entries.items() if entry.form]
