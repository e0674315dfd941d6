"""The fixed-point equations of networks with every state variable an unknown of its own [T2].

Where a forget gate is open a site's fixed state is a step: the memory of an LSTM rests at c = i g/(1 - f), and with 1 - f = 1e-10
the output jumps from -o to o while the field y_g crosses 1e-10. The reduced equations see a cliff there, and fixed points on it
(the memory is finite because g is small) are out of their reach. With c an unknown the same points are zeros of smooth functions,

    F(s, y) - s = 0,      for the LSTM    o tanh(f c + i g) - h = 0,    i g - (1 - f) c = 0.

One Newton step solves for the variables that messages listen to, x (h), as the reduced map does: the others belong to single sites
and are eliminated site by site. With A = 1 - F_s and P the rows of x,

    ds = A^-1 (F - s + F_y dy),     (1 - P A^-1 F_y dy/dx) dx = P A^-1 (F - s).

A^-1 takes the factor 1 - z of a shut gate out of both sides, as the reduced equations do; it comes as adjugate over determinant,
so that small leaks are not subtracted from 1.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .reduced_map import ReducedMap, applied, over, size, solve

__all__ = ["StateMap"]


@lru_cache(maxsize=64)
class _StateSites:
    """Compiled site functions of a cell: A^-1 and A^-1 F_y up to the determinant, the slopes of messages, A and F_y themselves."""

    def __init__(self, cell):
        import sympy as sp

        from ..cell import symbolic
        from ..cell.numpy_code import SparseBlocks

        A, F_y = symbolic.stable_form(sp.eye(cell.n_state) - cell.F_s), symbolic.stable_form(cell.F_y)
        head, back = symbolic.placeholders(A, "A")
        right, more = symbolic.placeholders(F_y, "B")
        back |= more
        adjugate = head.adjugate()
        arguments = [*cell.state, *cell.fields, *cell.parameters]
        solved = {"adjugate": adjugate, "slopes": adjugate * right, "pole": sp.Matrix([[head.det(method="berkowitz")]])}
        self.solved = SparseBlocks(arguments, {name: matrix.xreplace(back) for name, matrix in solved.items()})
        self.leak = SparseBlocks(arguments, {"pole": solved["pole"].xreplace(back)})
        self.plain = SparseBlocks(arguments, {"A": A, "F_y": F_y})
        self.messages = SparseBlocks(arguments, {name: symbolic.stable_form(getattr(cell, name)) for name in ("M_s", "M_y")})


class StateMap:
    """s -> F(s, y(s)) of one network or several, as equations for all state variables [T2].

    Points are (B, d, N) arrays, with the network of each in ``which`` (B,).

    Parameters
    ----------
    reduced : ReducedMap, of the same networks
    at_rest : float
        Where the leak det(1 - F_s) of a site is above, its memory is no unknown but at rest in its fields, as in the reduced map.
        Default: nowhere.

    Attributes
    ----------
    reduced : ReducedMap
    heard, memory : lists of int
        The state variables that messages listen to, and the others.
    """

    def __init__(self, reduced: ReducedMap, at_rest: float = np.inf) -> None:
        self.reduced = reduced
        self.at_rest = at_rest if reduced.cell.closed_form is not None else np.inf
        self.site = _StateSites(reduced.cell)
        self.heard = reduced.site.kept
        self.memory = [i for i in range(reduced.cell.n_state) if i not in self.heard]

    def newton_step(self, s: np.ndarray, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How far points are from being fixed, (B,), and the Newton step (B, d, N)."""
        error, step = np.empty(len(s)), np.empty_like(s)
        for part in self.reduced.blocks(len(s)):
            residual, slope, step[part], _ = self._linearised(s[part], which[part])
            error[part] = _error(s[part], residual, slope, step[part], self.memory)
        return error, step

    def error(self, s: np.ndarray, which: np.ndarray) -> np.ndarray:
        """(B,) how far points are from being fixed: the largest of :meth:`residual` and of the components of a Newton step.

        Both have to be small. In front of a cliff a small residual says nothing of the distance to the fixed point, and where
        slopes are large a small step says nothing of the residual.
        """
        return self.newton_step(s, which)[0]

    def residual(self, s: np.ndarray, which: np.ndarray) -> np.ndarray:
        """(B,) largest component of A^-1 (F - s), free of update gates, each in the unit that double precision can resolve.

        A component is divided by the slope of its site's fixed state against the fields where that is above 1 (it then is the
        distance in the fields to where the site would be at rest), and that of a memory by the memory where that is above 1.
        """
        out = np.empty(len(s))
        for part in self.reduced.blocks(len(s)):
            residual, slope, _, _ = self._linearised(s[part], which[part])
            out[part] = size(residual / _unit(s[part], slope, self.memory))
        return out

    def index(self, s: np.ndarray, which: np.ndarray) -> np.ndarray:
        """(B,) sign of det(1 - P A^-1 F_y dy/dx), which is that of det(1 - J); 0 within rounding of a fold."""
        sign = np.zeros(len(s), dtype=int)
        for part in self.reduced.blocks(len(s)):
            found, log = np.linalg.slogdet(-self._linearised(s[part], which[part])[3])
            sign[part] = np.where(np.isfinite(log), found, 0).astype(int)
        return sign

    def moved(self, s: np.ndarray, step: np.ndarray, caps: np.ndarray, bounds: np.ndarray) -> np.ndarray:
        """Points after capped steps: heard variables as in the reduced map, memories m on the scale m/(1 + |m|).

        A memory may be anything between -1e12 and 1e12 while all that is heard of it is tanh(m).
        """
        new = np.empty_like(s)
        new[:, self.heard] = self.reduced.moved(s[:, self.heard], step[:, self.heard], caps, bounds)
        memory = s[:, self.memory]
        asked = memory + step[:, self.memory]
        asked = np.where(np.isfinite(asked), asked, memory)
        old, wanted, cap = _squeezed(memory), _squeezed(asked), caps[:, None, None]
        there = np.clip(old + np.clip(wanted - old, -cap, cap), _EDGE - 1.0, 1.0 - _EDGE)
        free = np.abs(wanted - old) <= cap  # not squeezed and stretched again: large memories would lose digits
        new[:, self.memory] = np.where(free, asked, there / (1.0 - np.abs(there)))
        return new

    def heard_of(self, s: np.ndarray) -> np.ndarray:
        """The heard variables of points, (B, m, N)."""
        return s[:, self.heard]

    def squeezed(self, s: np.ndarray) -> np.ndarray:
        """Points with every memory m as m/(1 + |m|): what may be compared within one tolerance."""
        out = s.copy()
        out[:, self.memory] = _squeezed(s[:, self.memory])
        return out

    @property
    def shape(self) -> tuple[int, int]:
        """(d, N), the shape of a point."""
        return self.reduced.cell.n_state, self.reduced.n_units

    def from_heard(self, x: np.ndarray, which: np.ndarray) -> np.ndarray:
        """Points with the heard variables x, memories at rest in the fields that these make."""
        return self.reduced.complete(x, which)

    def completed(self, s: np.ndarray, which: np.ndarray) -> np.ndarray:
        """The states of points: they are that."""
        return s

    def stepped(self, s: np.ndarray, which: np.ndarray) -> np.ndarray:
        """F(s, y(s)): one step of the networks, (B, d, N)."""
        _, y, parameters = self._at(s, which, self._matrices(which))
        with np.errstate(all="ignore"):
            return _stacked(self.reduced.cell.compiled.update(s.swapaxes(0, 1), y, parameters), s)

    def jacobian(
        self, s: np.ndarray, which: np.ndarray, coupling: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """F - s (B, d N) and its derivatives by s, (B, d N, d N), and by a common factor of all matrices, (B, d N).

        Parameters
        ----------
        s, which : points and their networks
        coupling : (B,) array, optional
            That factor; default 1.
        """
        reduced, n, (B, d, _) = self.reduced, self.reduced.n_units, s.shape
        reduced.n_jacobians += B
        with np.errstate(all="ignore"):
            full = matrices = self._matrices(which)
            if coupling is not None:
                matrices = {k: coupling[:, None, None] * matrix for k, matrix in matrices.items()}
            values, y, parameters = self._at(s, which, matrices)
            rate = _stacked(reduced.cell.compiled.rate(values, y, parameters), s)
            plain = self.site.plain(*values, *y, *parameters)
            slopes = self.site.messages(*values, *y, *parameters)
            dy = reduced.field_slopes(slopes, matrices, B)
            # with a the factor, dy_k/da = U_k m_k + a U_k M_y dy/da
            by_coupling: dict[int, np.ndarray] = {}
            for k, matrix in full.items():
                by_coupling[k] = applied(matrix, over(reduced.cell.compiled.message(k, values, y, parameters), (B, n)))
                for j in range(k):
                    if (k, j) in slopes["M_y"] and j in by_coupling:
                        by_coupling[k] = by_coupling[k] + applied(matrices[k], slopes["M_y"][k, j] * by_coupling[j])
            J, along = np.zeros((B, d, n, d, n)), np.zeros((B, d, n))
            units = np.arange(n)
            for (a, i), value in plain["A"].items():
                J[:, a, units, i, units] -= over(value, (B, n))
            for (a, k), value in plain["F_y"].items():
                value = over(value, (B, n))
                if k in by_coupling:
                    along[:, a] += value * by_coupling[k]
                for place, i in enumerate(self.heard):
                    if (k, place) in dy:
                        J[:, a, :, i, :] += value[:, :, None] * dy[k, place]
        return rate.reshape(B, d * n), J.reshape(B, d * n, d * n), along.reshape(B, d * n)

    def _matrices(self, which):
        reduced = self.reduced
        return {k: reduced.matrix(k, which) for k in range(reduced.cell.n_fields) if reduced.connected[k]}

    def _at(self, s, which, matrices):
        _, y, parameters = self.reduced.fields(s[:, self.heard], which, all=True, matrices=matrices)
        return s.swapaxes(0, 1), y, parameters

    def _rested(self, s, y, parameters):
        """Points with the memories at rest whose leak is large enough."""
        leak = self.site.leak(*s.swapaxes(0, 1), *y, *parameters)["pole"][0, 0]
        rest = self.reduced.fixed_state(y, parameters)
        s = s.copy()
        for a in self.memory:
            s[:, a] = np.where(leak > self.at_rest, rest[:, a], s[:, a])
        return s

    def _linearised(self, s, which):
        """A^-1 (F - s) and the slopes sum_k |A^-1 F_y|, both (B, d, N); the Newton step; the matrix that it was solved with."""
        reduced, B, n = self.reduced, len(s), self.reduced.n_units
        reduced.n_jacobians += B
        with np.errstate(all="ignore"):
            matrices = self._matrices(which)
            values, y, parameters = self._at(s, which, matrices)
            given = s
            if self.at_rest < np.inf:
                s = self._rested(s, y, parameters)
                values = s.swapaxes(0, 1)
            rate = reduced.cell.compiled.rate(values, y, parameters)
            solved = self.site.solved(*values, *y, *parameters)
            pole = over(solved["pole"][0, 0], (B, n))
            residual, steepness = np.zeros_like(s), np.zeros_like(s)
            for (a, j), value in solved["adjugate"].items():
                residual[:, a] += value * rate[j]
            residual /= pole[:, None]
            slopes = {key: value / pole for key, value in solved["slopes"].items()}
            for (a, _), value in slopes.items():
                steepness[:, a] += np.abs(value)
            dy = reduced.field_slopes(self.site.messages(*values, *y, *parameters), matrices, B)
            place = {a: i for i, a in enumerate(self.heard)}
            J = reduced.chained({(place[a], k): value for (a, k), value in slopes.items() if a in place}, dy, B)
            scale = np.maximum(1.0, steepness[:, self.heard]).reshape(B, -1)[:, :, None]
            J /= scale
            dx = -solve(J, residual[:, self.heard].reshape(B, -1, 1) / scale).reshape(B, -1, n)
            step = residual.copy()
            step[:, self.heard] = dx
            for a, k in slopes:
                if a in self.memory:
                    for i in range(len(self.heard)):
                        if (k, i) in dy:
                            step[:, a] += slopes[a, k] * applied(dy[k, i], dx[:, i])
            step += s - given
        return residual, steepness, step, J


#: How close to 1 a squeezed memory may come when its step is cut: memories up to 1e12.
_EDGE = 1e-12


def _squeezed(memory):
    return memory / (1.0 + np.abs(memory))


def _unit(s, steepness, memory):
    unit = np.maximum(1.0, steepness)
    unit[:, memory] = np.maximum(unit[:, memory], np.abs(s[:, memory]))
    return unit


def _error(s, residual, steepness, step, memory):
    unit = _unit(s, steepness, memory)
    near = np.abs(step)
    near[:, memory] /= unit[:, memory]
    return np.maximum(size(residual / unit), size(near))


def _stacked(rows, like):
    out = np.empty_like(like)
    for a, row in enumerate(rows):
        out[:, a] = row
    return out
