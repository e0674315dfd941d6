"""Root searches, one inside the other: unknowns of an ensemble at which all targets are met, or what comes nearest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..ensemble.ensemble import Ensemble
from ..ensemble.paths import EnsemblePath, moved
from ..errors import ConvergenceError
from .targets import State, Target
from .unknowns import slow_end

__all__ = ["Search"]

#: Values of an unknown at which its target is looked at before a root is closed in on: of the outermost, and of those inside it.
_SCAN, _SCAN_INSIDE = 11, 7
#: How far from the last root the next one is looked for, as a share of the bounds.
_REACH = 0.03
#: Steps towards a root, and how close its target is met, in units of the tolerance: of quantities that are exact, and of those of a
#: simulation. What lies outside multiplies the error of what lies inside, so roots are met more closely than asked for.
_EXACT, _SIMULATED = (80, 1e-3), (25, 0.3)
#: Halvings towards the end of an interval in which the deeper targets can be met.
_HALVINGS = 8


class Search:
    """Root searches, one inside the other: ``targets``, ``paths`` and ``spans`` begin with the innermost, level 0.

    Parameters
    ----------
    base : Ensemble, whose hyperparameters are moved
    targets : sequence of Target
    paths, spans : an unknown for each of them, and its (low, high)
    state, size : as for :class:`~gating_theory.training.targets.State`
    tol : float, how close targets are met
    """

    def __init__(
        self,
        base: Ensemble,
        targets: Sequence[Target],
        paths: Sequence[EnsemblePath],
        spans: Sequence[tuple[float, float]],
        state: str,
        size: tuple[int, int, int],
        tol: float,
    ) -> None:
        self.base, self.targets, self.paths, self.spans = base, targets, paths, spans
        self.state, self.size, self.tol = state, size, tol
        # gradients can be kept by slow units and by the unstable modes of fast ones, which few networks share: slow ones come first
        self.downwards = [
            target.name == "gradient" and slow_end(base, path, span) > 0 for target, path, span in zip(targets, paths, spans)
        ]
        #: {label: (lowest, highest)} value seen of each target, with the targets inside it met.
        self.ranges: dict[str, tuple[float, float]] = {}
        self.hints: dict[int, float] = {}  # level -> the last root there: the next lies close to it
        self.nearest: Any = None

    def solve(self) -> dict[EnsemblePath, float]:
        """{path: value} with all targets met, or the nearest that was seen; ConvergenceError where nothing could be evaluated."""
        values = self._solve(len(self.targets) - 1, {})
        if values is not None:
            return values
        if self.nearest is None:
            raise ConvergenceError(
                f"no {self.state} state of {self.base!r} could be evaluated for any value of {[path.name for path in self.paths]}"
            )
        return {path: self.nearest[1][path] for path in self.paths}

    def explained(self, missed: Sequence[str], achieved: Mapping[str, float]) -> str:
        """What is nearest to each target that was missed, and what its quantity can be.

        Parameters
        ----------
        missed : labels of targets
        achieved : mapping from labels to values
        """
        parts, labels = [], [target.label for target in self.targets]
        for label in missed:
            level = labels.index(label)
            low, high = self.spans[level]
            text = f"{label}: nearest {achieved[label]:.6g}"
            if label in self.ranges:
                text += f", reachable from {self.ranges[label][0]:.6g} to {self.ranges[label][1]:.6g}"
            inner = labels[:level]
            text += f" with {self.paths[level]} in [{low:g}, {high:g}]" + (f" and {' and '.join(inner)} met" if inner else "")
            parts.append(text)
        return "not reached; " + "; ".join(parts)

    def _solve(self, level, outer):
        """{path: value} of this and all deeper unknowns with their targets met, given the outer ones; None if there is none."""
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
        self._remember(level, [f for _, f in points], [table[x][1] for x, _ in points])
        changes = [(*low, *high) for low, high in zip(points[:-1], points[1:]) if low[1] * high[1] < 0.0]
        if self.downwards[level]:
            points.reverse()
            changes.reverse()
        exact = [x for x, f in points if f == 0.0]
        if exact:
            return table[exact[0]][1]
        for a, fa, b, fb in changes:
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
        target = self.targets[level]
        try:
            value = State(moved(self.base, values), self.state, self.size).quantity(target)
        except ConvergenceError:
            return np.nan
        low, high = self.ranges.get(target.label, (np.inf, -np.inf))
        self.ranges[target.label] = min(low, value), max(high, value)
        return target.off(value)

    def _remember(self, level, deviations, rows):
        """The solution that came closest to the outermost target in reach."""
        if deviations:
            i = int(np.argmin(np.abs(deviations)))
            rank = (-level, abs(deviations[i]))
            if self.nearest is None or rank < self.nearest[0]:
                self.nearest = rank, rows[i]
