"""A site's state at rest, s = F(s, y), where no closed form of it is known [T5].

Few states have to be solved for: those that feel themselves, by way of others too, or that such states feel. All others follow
from them. What is solved for is solved once for each set of values of the variables that it feels: on a grid of fields an output
gate costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..support.roots import bracketed_root
from .numpy_code import compile_expressions

if TYPE_CHECKING:
    import sympy as sp

    from .symbolic import AnyCell

__all__ = ["Rest", "derive_rest", "states_at_rest"]

#: Sites that are solved at once: their arrays stay in cache.
_AT_ONCE = 8192
#: Newton steps of a single state from zero, how short the last but one is, and what is rounding, in units of the state.
_NEWTON, _SHORT, _ROUNDING = 30, 1e-9, 1e-14
#: Where on the way from zero dF/ds is looked at, in units of the state.
_ON_THE_WAY = (np.arange(1, 12) / 12.0) ** 2
#: Sizes of states among which the first zero of F - s is looked for, where there are several.
_LADDER = np.geomspace(1e-3, 1e9, 121)
#: Iterations of F from zero of all other sites, and steps of Newton's method that follow.
_ITERATIONS, _POLISHING = 80, 60


def states_at_rest(cell: AnyCell) -> dict[sp.Expr, sp.Expr]:
    """What stands for states, and for their updates, in expressions at a site's fixed point.

    The closed form, if the cell has one. If not, states that nobody has to solve for become functions of the others, of fields
    and of site parameters, and the updates of those others the others themselves.

    Parameters
    ----------
    cell : Cell
    """
    if cell.closed_form is not None:
        return cell.closed_form
    update = dict(zip(cell.state, cell.update))
    solved = _solved(cell)
    table = {update[s]: s for s in solved if not update[s].is_Symbol}
    left = [s for s in cell.state if s not in solved]
    while left:
        ready = [s for s in left if not update[s].free_symbols & set(left)]
        table.update({s: update[s].xreplace(table) for s in ready})
        left = [s for s in left if s not in ready]
    return table


def _solved(cell):
    """The states from which a loop can be reached: without those that no state feels, again and again."""
    left = list(cell.state)
    while True:
        felt = set().union(*(F.free_symbols for s, F in zip(cell.state, cell.update) if s in left))
        if felt >= set(left):
            return left
        left = [s for s in left if s in felt]


def derive_rest(cell: AnyCell) -> Rest:
    """What solving for states at rest needs, of a cell without a closed form.

    Parameters
    ----------
    cell : Cell
    """
    import sympy as sp

    solved = _solved(cell)
    variables = [*cell.fields, *cell.parameters]
    places = [cell.state.index(s) for s in solved]
    felt = set().union(*(cell.update[i].free_symbols for i in places))
    arguments = [*solved, *(v for v in variables if v in felt)]
    rates = [cell.rate[i] for i in places]
    table = states_at_rest(cell)
    return Rest(
        places=tuple(places),
        variables=tuple(i for i, v in enumerate(variables) if v in felt),
        update=compile_expressions(arguments, [cell.update[i] for i in places]),
        rates=compile_expressions(arguments, [*rates, *(sp.diff(rate, s) for rate in rates for s in solved)]),
        states=compile_expressions([*solved, *variables], [table.get(s, s) for s in cell.state]),
    )


@dataclass(frozen=True)
class Rest:
    """States at rest of sites, solved for numerically.

    Attributes
    ----------
    places : tuple of int, of the states that are solved for
    variables : tuple of int, of the fields and then site parameters that these feel
    update, rates : functions of the solved states and of these variables: F; F - s, then its derivatives by the states
    states : function of the solved states, of all fields and parameters: all states
    """

    places: tuple[int, ...]
    variables: tuple[int, ...]
    update: Callable[..., list[Any]]
    rates: Callable[..., list[Any]]
    states: Callable[..., list[Any]]

    def solve(self, variables: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Where iterating F from s = 0 ends: the solved states (d', ...), and where they are none (...).

        Both have the shape that the variables which these states feel have together.

        Parameters
        ----------
        variables : arrays that broadcast, all fields and then all site parameters
        """
        felt = [np.asarray(variables[v], dtype=float) for v in self.variables]
        shape = np.broadcast_shapes(*(a.shape for a in felt))
        if not self.places:
            return np.zeros((0, *shape)), np.zeros(shape, dtype=bool)
        size = int(np.prod(shape))
        flat = np.array([np.broadcast_to(a, shape).ravel() for a in felt]).reshape(len(felt), size)  # states may feel none
        s, bad = np.zeros((len(self.places), size)), np.zeros(size, dtype=bool)
        for first in range(0, size, _AT_ONCE):
            part = slice(first, first + _AT_ONCE)
            s[:, part], bad[part] = self._solved(flat[:, part], s[:, part])
        return s.reshape(-1, *shape), bad.reshape(shape)

    def _solved(self, y, s):
        left = np.arange(s.shape[1])
        if len(s) == 1:
            for way in (self._risen, self._climbed):
                s[0, left], sure = way(y[:, left], left.size)
                left = left[~sure]
        if left.size:
            s[:, left] = self._iterated(y[:, left])
        with np.errstate(all="ignore"):
            residual = self._rates(s, y)[0]
            return s, ~(np.abs(residual).max(axis=0, initial=0.0) <= 1e-11 * (1.0 + np.abs(s).max(axis=0, initial=0.0)))

    def _rates(self, s, y):
        """F - s (d', n), and its derivatives (d', d', n)."""
        values, d = self.rates(*s, *y), len(s)
        whole = np.empty((d + d * d, s.shape[1]))
        for row, value in zip(whole, values):
            row[...] = value
        return whole[:d], whole[d:].reshape(d, d, -1)

    def _risen(self, y, n):
        """Newton's method from zero, for a single state: states (n,), and whether it is certain that iterating F ends there (n,).

        It is where 0 <= dF/ds < 1 all the way: F - s then has no other zero on the way, and no iteration steps over this one.
        """
        s, sure = np.zeros(n), np.zeros(n, dtype=bool)
        left, rising, curved = np.arange(n), np.ones(n, dtype=bool), []
        with np.errstate(all="ignore"):
            for iteration in range(_NEWTON):
                (rate,), ((slope,),) = self._rates(s[None, left], y[:, left])
                step = -rate / slope
                rising[left] &= (-1.0 <= slope) & (slope < 0.0)
                s[left] += step
                size = np.abs(s[left])
                done = np.abs(step) <= _SHORT * size
                # the first step met the zero: F is a straight line up to there
                straight = done & (iteration == 0 or (iteration == 1) & (np.abs(step) <= _ROUNDING * size))
                sure[left[straight]] = rising[left[straight]]
                curved.append(left[done & ~straight])
                left = left[~done & rising[left] & np.isfinite(step)]
                if not left.size:
                    break
            index = np.concatenate(curved)
            if index.size:
                sure[index] = rising[index] & self._rises(s[index], y[:, index])
        return s, sure

    def _rises(self, s, y):
        """Whether 0 <= dF/ds < 1 on the way from zero to s (n,), as far as a few looks tell."""
        out = np.ones(s.size, dtype=bool)
        for part in _ON_THE_WAY:
            slope = self._rates(part * s[None], y)[1][0, 0]
            out &= (-1.0 <= slope) & (slope < 0.0)
        return out

    def _climbed(self, y, n):
        """As :meth:`_risen`, of sites at whose first zero of F - s dF/ds has been above 1: ever larger states up to that zero."""
        with np.errstate(all="ignore"):
            (rate,), ((slope,),) = self._rates(np.zeros((1, n)), y)
            sign, rising = np.sign(rate), slope >= -1.0
            low, high, sure = np.zeros(n), np.zeros(n), np.zeros(n, dtype=bool)
            left = np.flatnonzero(rising)
            for size in _LADDER:
                (rate,), ((slope,),) = self._rates(size * sign[None, left], y[:, left])
                rising = slope >= -1.0
                beyond = rising & (sign[left] * rate <= 0.0)
                sure[left[beyond]], high[left[beyond]] = True, size
                low[left] = np.where(beyond, low[left], size)
                left = left[rising & ~beyond]
                if not left.size:
                    break
            index = np.flatnonzero(sure)

            def height(r):
                return sign[index] * self._rates(sign[None, index] * r, y[:, index])[0][0]

            return sign * _placed(bracketed_root(height, low[index], high[index]), index, n), sure

    def _iterated(self, y):
        """F iterated from zero and polished by Newton's method: (d', n)."""
        d, n = len(self.places), y.shape[1]
        s = np.zeros((d, n))
        for _ in range(_ITERATIONS):
            s = self._step(s, y)
        active = np.ones(n, dtype=bool)
        for _ in range(_POLISHING):
            index = np.flatnonzero(active)
            ya, sa = y[:, index], s[:, index]
            residual, slopes = self._rates(sa, ya)
            scale = 1.0 + np.abs(sa).max(axis=0)
            done = np.abs(residual).max(axis=0) <= 1e-15 * scale
            step = _newton_step(residual, slopes)
            # one update after the Newton step puts back what linearisation overshot;
            # where even so the site is no closer, the plain update is taken, which cannot leave the basin
            step = np.where(np.isfinite(step).all(axis=0), step, residual)
            trial = self._step(sa + step, ya)
            left = np.abs(self._step(trial, ya) - trial).max(axis=0)
            rounding = 4e-16 * (1.0 + np.abs(trial).max(axis=0))
            worse = ~(left <= np.maximum(0.5 * np.abs(residual).max(axis=0), rounding))
            step = np.where(worse, residual, trial - sa)
            s[:, index] = sa + step
            done |= np.abs(step).max(axis=0) <= 4e-16 * scale
            active[index[done]] = False
            if not active.any():
                break
        return s

    def _step(self, s, y):
        return np.array([np.broadcast_to(v, s.shape[1:]) for v in self.update(*s, *y)])


def _placed(values, index, n):
    """(n,) values at their places, 0 elsewhere."""
    out = np.zeros(n)
    out[index] = values
    return out


def _newton_step(residual, slopes):
    """-(slopes)^-1 residual at every site (d', n); not finite where there is none."""
    with np.errstate(all="ignore"):
        if len(residual) == 1:
            return -residual / slopes[0]
        try:
            return -np.linalg.solve(np.moveaxis(slopes, 2, 0), residual.T[:, :, None])[:, :, 0].T
        except np.linalg.LinAlgError:
            return np.full_like(residual, np.inf)
