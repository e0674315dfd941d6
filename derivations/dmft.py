"""What closed forms of the dynamic mean field follow from [T8]: spectra of Euler maps, where chaos of the GRU begins by a jump."""

from __future__ import annotations

import sympy as sp

from gating_theory.cell.builtin import GRU
from gating_theory.cell.symbolic import sigma, transfer_matrix

from .gru import notation
from .site import lam
from .statement import Derivation, Equal, Step, statement

mu = sp.Symbol("mu")
step, D = sp.symbols("Delta D", positive=True)
a_r = sp.Symbol("a_r", positive=True)
b_r = sp.Symbol("b_r", real=True)


class _EulerMap:
    """The site derivatives of s + step (F - s), by differentiating that."""

    def __init__(self, cell):
        updates = sp.Matrix([s + step * (F - s) for s, F in zip(cell.state, cell.update)])
        self.n_state = cell.n_state
        self.F_s, self.F_y = updates.jacobian(list(cell.state)), updates.jacobian(list(cell.fields))
        self.M_s, self.M_y = cell.M_s, cell.M_y


@statement("gru.euler", "Spectra of Euler maps are those of the flow", ("T8",), GRU)
def euler(cell):
    """W of the Euler map at 1 + step mu is W of the discrete cell at 1 + mu, the flow's [T8]."""
    n = notation(cell)
    row = sp.Matrix([[(n.h - n.p) * n.dz, 0, (1 - n.z) * n.dp]]) / (1 + mu - n.z)
    claimed = sp.Matrix([1, 1, n.r]) * row + sp.Matrix([[0, 0, 0], [0, 0, 0], [0, n.h * n.dr, 0]])
    return Derivation(
        latex=r"W_\Delta(1 + \Delta \mu) = W(1 + \mu)",
        steps=(
            Step(
                r"The map $s + \Delta (F - s)$ has $F_s \to 1 + \Delta (F_s - 1)$ and $F_y \to \Delta F_y$, and the step "
                r"cancels in $M_s (\lambda - F_s)^{-1} F_y + M_y$ at $\lambda = 1 + \Delta \mu$. So edges, masses and outliers in "
                r"$\mu$ do not depend on it, and the rates of the flow are $\mu = \lambda - 1$."
            ),
        ),
        claims=(
            Equal("the discrete cell at 1 + mu", transfer_matrix(cell, lam).subs(lam, 1 + mu), n.write_out(claimed)),
            Equal(
                "the Euler map at 1 + step mu", transfer_matrix(_EulerMap(cell), lam).subs(lam, 1 + step * mu), n.write_out(claimed)
            ),
        ),
        how="at any state of a site and for any step",
    )


@statement("gru.chaos_jump", "Where chaos begins with a jump", ("T8",), GRU)
def chaos_jump(cell):
    """a_h sigma(b_r) = 1 + (1 - a_r^2 (1 - s)(5 - 8 s)/6) D, s = sigma(b_r): chaos jumps where that falls with D [T8]."""
    growth = _growth(cell)
    s = sigma(b_r)
    bend = a_r**2 * (1 - s) * (5 - 8 * s)
    return Derivation(
        latex=r"a_h\, \sigma(b_r) = 1 + \left(1 - \frac{a_r^2 (1 - s)(5 - 8 s)}{6}\right) D + O(D^2), \qquad s = \sigma(b_r)",
        steps=(
            Step(
                r"Near the onset everything is slow, so that the lag form is a motion in a potential whatever the step and the "
                r"update gate, $C'' = C - F(C)$ in units of the leak, and correlations that decay conserve energy: states of "
                r"$C(0) = D$ have $G = \log (2 \int_0^D F\, dC / D^2) = 0$."
            ),
            Step(
                r"To first order in $D$, with $E\, r r' = r^2 + a_r^2 D\, r r'' + a_r^2 C\, r'^2$ at $y_r = b_r$ and "
                r"$E \tanh \tanh' = C_h (1 - 2 a_h^2 r^2 D)$:",
                r"G = 2 \log (a_h s) + \left(\frac{a_r^2 (1 - s)(5 - 8 s)}{3} - 2\right) D",
            ),
        ),
        claims=(
            Equal("onset", growth[0], sp.Symbol("a_h", positive=True) ** 2 * s**2),
            Equal("first order in D at the onset", growth[1], bend / 3 - 2),
            Equal("slope of a_h s", -growth[1] / 2, 1 - bend / 6),
        ),
        how="by expanding the energy of the cell's own messages and candidate, to first order in the amplitude",
    )


def _growth(cell):
    """(2 int F dC / D^2 at D = 0, coefficient of D in its logarithm where that is 1) of a cell like the GRU, z held still."""
    (h,), (_, y_r, y_h) = cell.state, cell.fields
    a_h, C = sp.Symbol("a_h", positive=True), sp.Symbol("C", positive=True)
    gate = cell.messages[2].diff(h)
    drive = cell.update[0].subs(h, 0) / (1 - cell.F_s[0, 0])
    r, r1, r2 = (sp.diff(gate, y_r, k).subs(y_r, b_r) for k in range(3))
    slope, third = (sp.diff(drive, y_h, k).subs(y_h, 0) for k in (1, 3))
    passed = r**2 + a_r**2 * D * r * r2 + a_r**2 * C * r1**2
    variance = a_h**2 * D * r**2  # to first order
    F = a_h**2 * C * passed * (slope**2 + slope * third * variance)
    integral = sp.expand(2 * sp.integrate(sp.expand(F), (C, 0, D)) / D**2)
    zeroth, first = integral.subs(D, 0), sp.diff(integral, D).subs(D, 0)
    return zeroth, sp.simplify(first / zeroth).subs(a_h, 1 / r)
