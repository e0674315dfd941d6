"""From wanted dynamics to hyperparameters: gains and biases that give a random network the timescales asked for [T6]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations
from typing import Any

import numpy as np

from ..cell.cell import Cell
from ..dynamics.chaos import largest_exponent
from ..dynamics.steady_state import steady_state
from ..ensemble.ensemble import Ensemble
from ..ensemble.hyperparameters import is_of_hyperparameters, tied
from ..ensemble.paths import AnyPath, Direction, EnsemblePath, moved, path_of, require_apart
from ..errors import CapabilityError, ConvergenceError
from ..mean_field.fixed_points import fixed_points, zero_state
from ..results.encoding import dict_of, require, result
from ..results.status import Status
from ..spectrum.spectrum import Spectrum
from ..support.arithmetic import underflow_is_zero
from ..support.checks import choice, instance, integer, real, shown

__all__ = ["Design", "design"]

_STATES = ("zero", "active", "steady")
_STABILITY = ("abscissa", "radius", "lyapunov")
#: Largest modulus of an unknown when nobody says.
_LARGEST = 10.0
#: Values of an unknown at which its target is looked at before a root is closed in on: of the outermost, and of those inside it.
_SCAN, _SCAN_INSIDE = 11, 7
#: How far from the last root the next one is looked for, as a share of the bounds.
_REACH = 0.03
#: Steps towards a root, and how close its target is met, in units of the tolerance: of quantities that are exact, and of those of a
#: simulation. What lies outside multiplies the error of what lies inside, so roots are met more closely than asked for.
_EXACT, _SIMULATED = (80, 1e-3), (25, 0.3)
#: What factors of tied hyperparameters round off, relative to the larger of 1 and the value.
_ROUNDING = 1e-14
#: Halvings towards the end of an interval in which the deeper targets can be met.
_HALVINGS = 8


@result("design")
@dataclass(frozen=True)
class Design:
    """Hyperparameters found by :func:`design`.

    Attributes
    ----------
    ensemble : Ensemble, the answer; where the target was not reached the nearest one met
    target, achieved : dict, {"slow_fraction(200)": 0.2, "abscissa": 0.999, ...}: wanted, and what the ensemble gives
    solution : dict, {name of the path: value} of what was solved for
    state : str, "zero", "active" or "steady"
    reached : bool, whether every target is met to the tolerance
    reachable : dict, {label: (low, high)}
        Range of a target's quantity over the values scanned of its own unknown, with the targets solved inside it met; given for
        targets that were not reached.
    status : Status
        Code "reached" or, with ``ok`` False, "not_reached"; the words then say what is nearest and what can be reached. They also
        say where the limit of infinitely many units does not describe networks of n_units (``Spectrum.concentration``).
    size : (int, int, int), n_units of networks that the status is about, n_steps and seed of the one behind state "steady"
    """

    ensemble: Ensemble
    target: dict[str, float]
    achieved: dict[str, float]
    solution: dict[str, float]
    state: str
    reached: bool
    reachable: dict[str, tuple[float, float]]
    status: Status
    size: tuple[int, int, int]

    as_dict = dict_of

    @cached_property
    def spectrum(self) -> Spectrum:
        """Spectrum of the ensemble in that state."""
        return _State(self.ensemble, self.state, self.size).spectrum

    def check(self) -> None:
        """ValueError where hyperparameters or targets contradict the ensemble, or a mean-field state does not give them."""
        for path, value in self.solution.items():
            if is_of_hyperparameters(path):
                found = self.ensemble.value(path)
                near = abs(found - value) <= _ROUNDING * max(1.0, abs(value))
                require(near, f"the ensemble has {path} = {found!r}, but the solution is {value!r}")
        good = self.state in _STATES and len(self.size) == 3
        require(good, f"state must be one of {_STATES} with a size of three numbers, got {self.state!r} and {self.size!r}")
        wanted, got = list(self.target), list(self.achieved)
        require(set(wanted) == set(got), f"achieved must have the targets {wanted}, got {got}")
        if self.state != "steady":  # which would take a simulation
            at = _State(self.ensemble, self.state, self.size)
            for label, value in self.achieved.items():
                name, _, tau = label.rstrip(")").partition("(")
                off = abs(at.quantity(name, float(tau) if tau else None) - value)
                require(off <= 1e-6 * max(1.0, abs(value)), f"achieved has {label} = {value}, which is not what the ensemble gives")

    def __str__(self) -> str:
        lines = [f"{self.ensemble.cell.name} design, {self.state} state: {self.status}"]
        lines += [f"  {path} = {value:.6g}" for path, value in self.solution.items()]
        lines += [f"  {label}: {self.achieved[label]:.6g} (wanted {value:.6g})" for label, value in self.target.items()]
        return "\n".join(lines)


@underflow_is_zero
def design(
    cell: Cell | Ensemble,
    target: Mapping[str, Any],
    given: Mapping[str, float] | None = None,
    *,
    free: Sequence[AnyPath] | None = None,
    bounds: Mapping[Any, tuple[float, float]] | None = None,
    state: str = "zero",
    tol: float = 1e-4,
    n_units: int = 2000,
    n_steps: int = 200,
    rng: int = 0,
) -> Design:
    """Gains and biases of a random network with the wanted timescales and stability [T3, T5, T6].

    Each target is solved for by one hyperparameter, one inside the other: the stability target by the gain of the candidate for
    every value of the others, the slow fractions around it. Every unknown is scanned over its bounds first, so that a target out
    of reach is found to be so, and the result says what can be reached. Of several solutions the one with the smallest
    value of the outermost unknown is returned.

    Parameters
    ----------
    cell : Cell, or Ensemble whose hyperparameters are kept where nothing else is said
        For PyTorch's GRU take gt.GRUResetAfter.
    target : mapping
        "slow_fraction": {tau: fraction, ...}, fractions in [0, 1] of the modes slower than tau steps, growing ones included;
        at most one of "abscissa" (largest real part; 1 - 1/T for a slowest mode of T steps), "radius" (largest modulus), "lyapunov"
        (largest exponent per step; at a fixed point the logarithm of the radius).
    given : mapping, optional
        Hyperparameters held fixed, by path as ``Ensemble.replace`` takes them: {"gain.r": 2, "bias_std": 1}.
    free : sequence of paths, optional
        The unknowns, one for each target: of the stability target first, then of the slow fractions in their order. Paths as for
        :func:`onset`: "gain.h", "gain", ties, Directions, functions; they set different hyperparameters. Default: the
        gain of the candidate (the field that a zero state depends on), the bias of the leak (the field of the update or forget
        gate), and the leak's bias_std.
    bounds : mapping from paths to (low, high), optional
        Default: gains and spreads in [0, 10], biases and means in [-10, 10], Directions in [0, 1]; a function needs them.
    state : "zero", "active" or "steady"
        The mean-field fixed point with the smallest moments (the zero state where it exists), that with the largest, or the
        stationary state of a sampled network, chaotic or not.
    tol : float in (0, 0.1]
        A target is reached where its quantity is that close. With "steady", whose sampling error is larger, at least 0.01.
    n_units : int >= 10
        Units of the networks that the design is for: the status says where the limit does not describe them. With state "steady"
        those of the network that is simulated.
    n_steps, rng : as for steady_state, with state "steady"; ``rng`` a seed, the same at every value

    Returns
    -------
    Design
        ``reached`` is False where the target cannot be met within the bounds, ``status`` and ``reachable`` then say what can.

    Raises
    ------
    TypeError, ValueError : unknown targets, paths, states; fractions outside [0, 1]; a path both given and free; too few unknowns
    CapabilityError : no default unknowns for this cell, or no bounded mean field
    ConvergenceError : no state could be evaluated at any value of the unknowns

    Examples
    --------
    >>> import gating_theory as gt
    >>> d = gt.design(gt.GRUResetAfter, {"slow_fraction": {200: 0.2}, "abscissa": 0.999}, {"gain.r": 1})
    >>> d.reached
    True
    """
    if isinstance(cell, Cell):
        cell = Ensemble(cell)
    if not isinstance(cell, Ensemble):
        raise TypeError(f"cell must be a Cell or an Ensemble, got {shown(cell)}")
    choice("state", state, _STATES)
    tol = real("tol", tol, low=0.0, high=0.1, open_low=True)
    size = integer("n_units", n_units, low=10), integer("n_steps", n_steps, low=20), integer("rng", rng)
    targets = _targets(target)
    given = {} if given is None else given
    for path in instance("given", given, Mapping, "from paths to values"):
        tied("given", path, cell.paths)
    base = cell.replace(given)
    paths = _unknowns(base, targets, free)
    spans = _spans(base, paths, bounds)
    _require_separate(base, paths, spans, given)
    if state == "steady":
        tol = max(tol, 0.01)
    # the innermost first in ``targets`` and ``paths``; the search goes from the last, the outermost, inwards
    search = _Search(base, targets, paths, spans, state, size, tol)
    return search.design()


def _targets(target):
    """[(label, name, tau or None, value)], the stability target first."""
    if not isinstance(target, Mapping) or not target:
        raise TypeError(
            f"target must be a non-empty mapping such as {{'slow_fraction': {{200: 0.2}}, 'abscissa': 0.999}}, got {shown(target)}"
        )
    unknown = set(target) - {"slow_fraction", *_STABILITY}
    if unknown:
        raise ValueError(
            f"target has the unknown entry {shown(min(map(str, unknown)))}; "
            f"allowed are 'slow_fraction' and one of {list(_STABILITY)}"
        )
    stability = [name for name in _STABILITY if name in target]
    if len(stability) > 1:
        raise ValueError(f"target may have one of {list(_STABILITY)}, got {stability}")
    out = []
    for name in stability:
        low = -np.inf if name == "lyapunov" else 0.0 if name == "radius" else -np.inf
        out.append((name, name, None, real(f"target[{name!r}]", target[name], low=low)))
    slow = target.get("slow_fraction", {})
    if not isinstance(slow, Mapping):
        raise TypeError(f"target['slow_fraction'] must be a mapping from timescales to fractions, {{200: 0.2}}, got {shown(slow)}")
    for tau, fraction in slow.items():
        tau = real("a timescale in target['slow_fraction']", tau, low=0.0, open_low=True)
        out.append((f"slow_fraction({tau:g})", "slow_fraction", tau, real(f"slow_fraction({tau:g})", fraction, low=0.0, high=1.0)))
    if not out:
        raise ValueError("target asks for nothing: give slow fractions or a stability target")
    for (label, _, tau, fraction), (other, _, slower, more) in permutations((t for t in out if t[1] == "slow_fraction"), 2):
        if slower > tau and more > fraction:
            raise ValueError(f"target contradicts itself: {other} = {more:g} of the modes are among {label} = {fraction:g}")
    return out


def _unknowns(ensemble, targets, free):
    if free is None:
        free = _default_unknowns(ensemble, targets)
    if isinstance(free, (str, bytes, Mapping)) or not isinstance(free, Sequence):
        raise TypeError(f"free must be a sequence of paths such as 'gain.h', got {shown(free)}")
    found = [path_of("free", path, ensemble) for path in free]
    names = [path.name for path in found]
    if len(names) != len(targets) or len(set(names)) != len(names):
        raise ValueError(f"free must name one unknown for each of the targets {[t[0] for t in targets]}, got {names}")
    return found


def _require_separate(ensemble, paths, spans, given):
    """ValueError where a hyperparameter is set by two unknowns, or is an unknown although it was given."""
    held = {each: path for path in given for each in tied("given", path, ensemble.paths)}
    for k, (path, (low, _)) in enumerate(zip(paths, spans)):
        for each in sorted(path.sets(ensemble, low) & set(held)):
            raise ValueError(f"{held[each]!r} is both given and free: hold another one, or name the unknowns with free=")
        for outer, (first, _) in zip(paths[k + 1 :], spans[k + 1 :]):
            require_apart("free", outer, path, ensemble, (first, low))


def _default_unknowns(ensemble, targets):
    """The candidate's gain, the leak's bias, the leak's bias_std; from the cell's derivatives at the zero state."""
    cell = ensemble.cell
    zero = [np.zeros(1)] * cell.n_state, [np.zeros(1)] * cell.n_fields, [np.zeros(1)] * cell.n_parameters
    slopes = cell.compiled.blocks(*zero)["F_y"]
    candidates = sorted({k for (_, k), value in slopes.items() if np.any(value)})
    leaks = [v for v in cell.compiled.pole_variables if v < cell.n_fields]
    n_slow = sum(name == "slow_fraction" for _, name, _, _ in targets)
    stable = len(targets) > n_slow
    if stable and len(candidates) != 1 or n_slow and len(leaks) != 1 or n_slow > 2:
        raise CapabilityError(
            f"there are no default unknowns for {len(targets)} targets of cell {cell.name!r}: name them, one a target, "
            f"free=({', '.join(repr(p) for p in ensemble.paths[:2])}, ...)"
        )
    out = [f"gain.{cell.field_names[candidates[0]]}"] if stable else []
    if n_slow:
        leak = cell.field_names[leaks[0]]
        out += [f"bias.{leak}", f"bias_std.{leak}"][:n_slow]
    return tuple(out)


def _spans(ensemble, paths, bounds):
    bounds = {} if bounds is None else bounds
    instance("bounds", bounds, Mapping, "from paths to (low, high)")
    found: dict[EnsemblePath, Any] = {}
    for path, span in bounds.items():
        known = path_of("bounds", path, ensemble)
        if known not in paths:
            raise ValueError(
                f"bounds are given for {shown(known.name)}, which is not an unknown; unknowns are {[path.name for path in paths]}"
            )
        found[known] = span
    return [path.within(found.get(path, _default_span(path)), f"bounds[{path.name!r}]") for path in paths]


def _default_span(path):
    if path.span is None or isinstance(path, Direction):
        return path.span
    low, high = path.range
    return max(low, -_LARGEST), min(high, _LARGEST)


def _status(reached, text, limit):
    """How the search ended; with the words of the limit's own status where it does not describe the network."""
    words = "" if limit.ok else str(limit)
    if reached:
        return Status("reached", f"reached; {words}" if words else "")
    return Status("not_reached", f"{text}; {words}" if words else text, ok=False)


class _Search:
    """Root searches, one inside the other. ``levels`` count from 0, the innermost."""

    def __init__(self, base, targets, paths, spans, state, size, tol):
        self.base, self.targets, self.paths, self.spans = base, targets, paths, spans
        self.state, self.size, self.tol = state, size, tol
        self.ranges = {}
        self.hints = {}  # level -> the last root there: the next lies close to it
        self.nearest = None
        self.failures = 0

    def design(self):
        top = len(self.targets) - 1
        values = self._solve(top, {})
        if values is None:
            values = self._closest()
        ensemble = moved(self.base, values)
        at = _State(ensemble, self.state, self.size)
        achieved = {label: at.quantity(name, tau) for label, name, tau, _ in self.targets}
        target = {label: value for label, _, _, value in self.targets}
        missed = [label for label in target if not abs(achieved[label] - target[label]) <= self.tol]
        reachable = {label: span for label, span in self.ranges.items() if label in missed and span is not None}
        words = at.spectrum.concentration(self.size[0]).status
        status = _status(not missed, self._explain(missed, reachable, achieved), words)
        solution = {path.name: values[path] for path in self.paths}
        return Design(ensemble, target, achieved, solution, self.state, not missed, reachable, status, self.size)

    def _explain(self, missed, reachable, achieved):
        parts = []
        for label in missed:
            level = [t[0] for t in self.targets].index(label)
            low, high = self.spans[level]
            text = f"{label}: nearest {achieved[label]:.6g}"
            if label in reachable:
                text += f", reachable from {reachable[label][0]:.6g} to {reachable[label][1]:.6g}"
            inner = [t[0] for t in self.targets[:level]]
            text += f" with {self.paths[level]} in [{low:g}, {high:g}]" + (f" and {' and '.join(inner)} met" if inner else "")
            parts.append(text)
        return "not reached; " + "; ".join(parts)

    def _solve(self, level, outer):
        """{path: value} of this and all deeper unknowns with their targets met, given the outer ones; None if there is none."""
        label, name, tau, wanted = self.targets[level]
        path, (low, high) = self.paths[level], self.spans[level]
        table = {}  # value of this unknown -> (deviation, everything solved)

        def look(x):
            x = float(x)
            if x not in table:
                values = {**outer, path: x}
                if level:
                    values = self._solve(level - 1, values)
                table[x] = (np.nan, None) if values is None else (self._deviation(values, level), values)
            return table[x][0]

        if level in self.hints:
            root = self._near(look, self.hints[level], low, high)
            if root is not None:
                self.hints[level] = root
                return table[root][1]
        xs = list(np.linspace(low, high, _SCAN_INSIDE if outer else _SCAN))
        for x in xs:
            look(x)
        for a, b in zip(xs[:-1], xs[1:]):  # the end of what can be met lies between: solutions may hide next to it
            fa, fb = look(a), look(b)
            if np.isnan(fa) != np.isnan(fb):
                good, bad = (a, b) if np.isnan(fb) else (b, a)
                for _ in range(_HALVINGS):
                    middle = 0.5 * (good + bad)
                    good, bad = (middle, bad) if np.isfinite(look(middle)) else (good, middle)
        points = [(x, table[x][0]) for x in sorted(table) if np.isfinite(table[x][0])]
        self._remember(level, [wanted + f for _, f in points], [table[x] for x, _ in points])
        exact = [x for x, f in points if f == 0.0]
        if exact:
            return table[exact[0]][1]
        for (a, fa), (b, fb) in zip(points[:-1], points[1:]):
            if fa * fb < 0.0:
                root = self._close_in(look, a, b, fa, fb)
                if root is not None:
                    if outer:
                        self.hints[level] = root
                    return table[root][1]
        close = [x for x, f in points if abs(f) <= self.tol]
        return table[close[0]][1] if close else None

    def _near(self, look, hint, low, high):
        """A root close to that of the last search at this level, or None."""
        reach = _REACH * (high - low)
        a, b = max(low, hint - reach), min(high, hint + reach)
        fa, fb = look(a), look(b)
        return self._close_in(look, a, b, fa, fb) if fa * fb < 0.0 else None

    def _close_in(self, look, a, b, fa, fb):
        """A root between a and b where the deviation falls below the tolerance; None at a jump."""
        n_steps, share = _SIMULATED if self.state == "steady" else _EXACT
        goal = share * self.tol
        for i in range(n_steps):
            if abs(fa) <= goal or abs(fb) <= goal or b - a <= 1e-13 * max(1.0, abs(a), abs(b)):
                break
            # secant steps, pulled off the ends; every fourth halves, so that a bracket always shrinks
            x = b - fb * (b - a) / (fb - fa) if (i + 1) % 4 else 0.5 * (a + b)
            x = min(max(x, a + 1e-3 * (b - a)), b - 1e-3 * (b - a))
            f = look(x)
            if not np.isfinite(f):
                return None
            a, fa, b, fb = (x, f, b, fb) if f * fa > 0 else (a, fa, x, f)
        x, f = (a, fa) if abs(fa) <= abs(fb) else (b, fb)
        return x if abs(f) <= self.tol else None

    def _deviation(self, values, level):
        _, name, tau, wanted = self.targets[level]
        try:
            return _State(moved(self.base, values), self.state, self.size).quantity(name, tau) - wanted
        except ConvergenceError:
            self.failures += 1
            return np.nan

    def _remember(self, level, quantities, rows):
        """The range seen of a target's quantity, and the solution that came closest to the outermost target in reach."""
        if not quantities:
            return
        label, wanted = self.targets[level][0], self.targets[level][3]
        low, high = self.ranges.get(label) or (np.inf, -np.inf)
        self.ranges[label] = min(low, *quantities), max(high, *quantities)
        i = int(np.argmin(np.abs(np.array(quantities) - wanted)))
        rank = (-level, abs(quantities[i] - wanted))
        if self.nearest is None or rank < self.nearest[0]:
            self.nearest = rank, rows[i][1]

    def _closest(self):
        if self.nearest is None:
            raise ConvergenceError(
                f"no {self.state} state of {self.base!r} could be evaluated for any value of {[path.name for path in self.paths]}"
            )
        values = self.nearest[1]
        return {path: values[path] for path in self.paths}


class _State:
    """An ensemble in one of its states, with what targets ask of it."""

    def __init__(self, ensemble, state, size):
        self.ensemble, self.state = ensemble, state
        self.n_units, self.n_steps, self.seed = size
        self._spectrum = None

    @property
    def spectrum(self):
        if self._spectrum is None:
            if self.state == "steady":
                settled = steady_state(self.ensemble, self.n_units, self.n_steps, rng=self.seed, lyapunov_units=0, record=0)
                self._spectrum = Spectrum(settled)
            else:
                zero = zero_state(self.ensemble) if self.state == "zero" else None
                points = [zero] if zero is not None else fixed_points(self.ensemble)
                if not points:
                    raise ConvergenceError(f"{self.ensemble!r} has no mean-field fixed point")
                self._spectrum = Spectrum(points[0] if self.state == "zero" else points[-1])
        return self._spectrum

    def quantity(self, name, tau):
        if name == "slow_fraction":
            return self.spectrum.slow_fraction(tau, tol=1e-5)
        if name == "lyapunov" and self.state == "steady":
            return largest_exponent(self.ensemble, self.n_units, self.n_steps, rng=self.seed)[0]
        if name == "lyapunov":
            radius = self.spectrum.radius()
            return float(np.log(radius)) if radius > 0.0 else -700.0
        return self.spectrum.abscissa() if name == "abscissa" else self.spectrum.radius()
