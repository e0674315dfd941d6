"""The equations of products of Jacobians at regulators eta = i s, where the density of their singular values is read off [T9].

With e = 1 / eta on both sides, m = e (d - e tr). For Re eta > 0 exactly one solution has P_k, Q_k with positive real parts, as
matrices, for R -> R (1 + Phat R)^-1 maps such ones to such ones; what follows on the axis stands in ``spectrum.singular.selected``.

In gaps P = i P', Q = -i Q' with real P', Q' that solve the equations of regulators -1/s and 1/s: real arithmetic does it.
"""

from __future__ import annotations

import numpy as np

from ..errors import ConvergenceError
from ..spectrum.singular.selected import NewtonSteps, Selected
from .time_equations import TimeEquations
from .time_series import lowest_order
from .time_solver import TimeSolution, implied, newton, solve

__all__ = ["TimeOnAxis"]

#: Real parts of eigenvalues, relative, that rounding may hide: what steps hardly tell apart makes many such ones.
_HIDDEN = 1e-9
#: The first steps of the phase of eta from 0 on, and the least.
_TURN, _LEAST_TURN = 0.3, 1e-3
#: How far beside the axis phases in gaps are taken, in units of the unknowns: they are whole numbers, and rounded.
_ASIDE = 1e-6


class TimeOnAxis:
    """The equations at the sites of one path: unknowns are all elements of P and Q.

    Parameters
    ----------
    equations : TimeEquations

    Attributes
    ----------
    equations : TimeEquations
    """

    def __init__(self, equations: TimeEquations) -> None:
        self.equations = equations
        lowest = np.concatenate(lowest_order(equations))
        self._alive = [np.flatnonzero(np.diagonal(block)) for block in lowest]  # others vanish
        self._shape = lowest.shape

    @property
    def on_axis(self) -> TimeOnAxis:
        """These equations themselves, as populations of one step name theirs."""
        return self

    @property
    def n_unknowns(self) -> int:
        """How many unknowns there are, 2 n T^2."""
        return int(np.prod(self._shape))

    def first(self, eta: np.ndarray) -> np.ndarray:
        """The solutions: from that at \\|eta\\| on, along the circle.

        Parameters
        ----------
        eta : (L,) complex array
        """
        z = np.empty((eta.size, self.n_unknowns), complex)
        known: TimeSolution | None = None
        at: float | None = None
        for i in np.argsort(np.abs(eta)):
            e = 1.0 / float(np.abs(eta[i]))
            known = solve(self.equations, e, known, at)
            known, at = TimeSolution(known.P, known.Q), e
            z[i] = self._turned(complex(eta[i]), _joined(known.P, known.Q))
        return z

    def _turned(self, eta, z):
        """The solution at eta from that at its modulus."""
        size, angle, turn = abs(eta), 0.0, _TURN
        whole = float(np.angle(eta))
        found, z, slope, _ = self._one(complex(size), z.astype(complex))
        while found and angle < whole:
            further = min(angle + turn, whole)
            here, there = (size * np.exp(1j * phi) for phi in (angle, further))
            moved, *values = self._one(there, z + (there - here) * slope)
            if moved and (self.signs(values[0][None]) > 0.0).all():
                angle, (z, slope, _) = further, values
            elif turn < _LEAST_TURN:
                break
            else:
                turn *= 0.5
        if angle < whole:
            raise ConvergenceError(f"singular values of a product: equations not solved at the regulator {eta:.6g}", estimate=z)
        return z

    def newton(self, eta: np.ndarray, z: np.ndarray, last: float) -> NewtonSteps:
        """Newton's method, to 1e-11 whatever ``last`` is; what is imaginary stays so.

        Parameters
        ----------
        eta : (L,) complex array
        z : (L, 2 n T^2) complex array
        last : float
        """
        found, out, slope, m = np.zeros(eta.size, bool), z.copy(), np.full(z.shape, np.nan, complex), np.full(eta.size, np.nan + 0j)
        for i in range(eta.size):
            found[i], out[i], slope[i], m[i] = self._one(complex(eta[i]), z[i])
        return found, out, slope, m

    def _one(self, eta, z):
        """At one regulator. In gaps by real arithmetic."""
        e = 1.0 / eta
        slope_of_e = -e * e
        gap = eta.real == 0.0 and not z.real.any()
        turn = -1j if gap else 1.0  # P' = turn P, Q' = Q / turn
        e_1, e_2 = turn * e, e / turn
        P, Q = self._parted(z)
        P, Q = turn * P, Q / turn
        if gap:
            P, Q, e_1, e_2, slope_of_e = P.real, Q.real, e_1.real, e_2.real, slope_of_e.real
        with np.errstate(all="ignore"):
            try:
                now = newton(self.equations, e_1, e_2, TimeSolution(P, Q), positive=False)
            except np.linalg.LinAlgError:
                now = None
            if now is None:
                return False, z, np.full(z.shape, np.nan), np.nan
            # in gaps changes of the regulators, turned, are imaginary: i times what real ones give
            by_e = self.equations.linear(np.zeros_like(now.P), np.zeros_like(now.Q), *self._changes(gap, slope_of_e))
            dP, dQ = implied(self.equations, now, *by_e)
        if gap:
            dP, dQ = 1j * dP, 1j * dQ
        m = e * (self.equations.d - e_1 * now.swept.trace)
        slope = _joined(dP / turn, turn * dQ)
        return bool(np.isfinite(m)), _joined(now.P / turn, turn * now.Q), slope, m

    @staticmethod
    def _changes(gap, change):
        """Of e_1 and e_2, up to a factor i in gaps."""
        return (-change, change) if gap else (change, change)

    def signs(self, z: np.ndarray) -> np.ndarray:
        """Eigenvalues (L, ..) of real parts, in units of the diagonal; those that rounding hides go with the largest.

        Parameters
        ----------
        z : (L, 2 n T^2) complex array
        """
        out = []
        for k, alive in enumerate(self._alive):
            part = z.reshape(-1, *self._shape)[:, k][:, alive[:, None], alive]
            roots = np.sqrt(np.maximum(np.abs(np.einsum("ltt->lt", part)), 1e-290))
            scaled = part.real / (roots[:, :, None] * roots[:, None, :])
            lost = ~np.isfinite(scaled).all(axis=(1, 2))
            scaled[lost] = 0.0
            values = np.linalg.eigvalsh(scaled)
            values = np.where(np.abs(values) <= _HIDDEN, values[:, -1:], values)
            values[lost] = np.nan
            out.append(values)
        return np.concatenate(out, axis=1)

    def counts(self, solution: Selected) -> np.ndarray:
        """(L,) how many singular values per unit (of d) lie below s: the phase of the potential, (2 / pi) Im Phi [T9].

        Parameters
        ----------
        solution : Selected, of these equations
        """
        out = np.empty(solution.s.size)
        for i, (s, z, slope) in enumerate(zip(solution.s, solution.z, solution.slope)):
            eta, gap = 1j * s, not z.real.any()
            if gap:
                beside = _ASIDE * min(s, float(np.abs(z).max() / np.abs(slope).max()))
                eta, z = eta + beside, z + beside * slope
            P, Q = self._parted(z)
            self.equations.sweep(P, Q, 1.0 / eta, 1.0 / eta)
            turns = self.equations.turns()
            turns = np.rint(turns) if gap else turns
            own = 0.0 if gap else np.einsum("kst,kst->", P, Q).imag / np.pi
            out[i] = self.equations.path.weights @ turns - own + self.equations.d
        return out

    def _parted(self, z):
        return np.split(z.reshape(self._shape), 2)


def _joined(P, Q):
    return np.concatenate([P.ravel(), Q.ravel()])
