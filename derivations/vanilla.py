"""The vanilla network h' = tanh(U h): the textbook case that the general machinery must reproduce [T2, T3, T5]."""

from __future__ import annotations

import sympy as sp

from gating_theory.cell.builtin import Vanilla
from gating_theory.cell.symbolic import transfer_matrix

from .edge import at_zero_state, claimed_average, edge_at_fixed_point, solved_site, zero_state
from .network import determinant_claims, jacobian_claims
from .onset import Expansion, gaussian_claims, normal_form_claims
from .operators import Site, gain_matrix
from .site import Mean, Notation, lam, modulus_free
from .statement import Derivation, Equal, Step, statement

a_h = sp.Symbol("a_h", positive=True)


def notation(cell):
    """p = tanh(y_h) and its derivative p'."""
    n = Notation(cell)
    n.p, n.dp = n.gate("p", "h", sp.tanh)
    return n


@statement("vanilla.jacobian", "Jacobian and characteristic polynomial", ("T2",), Vanilla)
def jacobian(cell):
    """J = [p'] U, and det(lambda - J) through the transfer matrix W = p'/lambda [T2]."""
    n = notation(cell)
    J = Site(n.dp) * gain_matrix("h")
    W = sp.Matrix([[n.dp / lam]])
    return Derivation(
        latex=rf"J = {sp.latex(J)}, \qquad W(\lambda) = {sp.latex(W[0, 0])}, \qquad "
        r"\det(\lambda - J) = \lambda^N \det\left(1 - W(\lambda)\, U_{h}\right)",
        steps=(
            Step(
                r"$[x]$ is the diagonal matrix with the site values of $x$; $p = \tanh(y_h)$ and $p' = \tanh'(y_h)$. "
                r"The state enters through the field alone, so $F_s = 0$ and every pole of $W$ is at $\lambda = 0$."
            ),
        ),
        claims=(
            *jacobian_claims(cell, [[J]], n.table),
            Equal("W", transfer_matrix(cell, lam), n.write_out(W)),
            *determinant_claims(cell),
        ),
        how="for any $N$ with matrices that do not commute, and on explicit networks of $N = 1, 2$ units",
    )


@statement("vanilla.edge", "Edge of the spectrum", ("T3",), Vanilla)
def edge(cell):
    """|lambda|^2 = a_h^2 E p'^2 at a fixed point; a disc of radius a_h at the zero state [T3]."""
    n = notation(cell)
    claimed = a_h**2 * Mean(n.dp**2) / sp.Abs(lam) ** 2
    table, vanishing = zero_state(cell, {"h": 0})
    return Derivation(
        latex=rf"T(\lambda) = {sp.latex(claimed)} = 1 \qquad\text{{and at }} h = 0: \quad |\lambda| = a_h",
        steps=(Step(r"One field and one message: $T$ is a number, and the edge is the circle where it is 1."),),
        claims=(
            solved_site(cell),
            vanishing,
            Equal("T at a fixed point", edge_at_fixed_point(cell)[0, 0], claimed_average(n, claimed)),
            Equal("T at the zero state", at_zero_state(cell, table)[0, 0], modulus_free(a_h**2 / sp.Abs(lam) ** 2)),
        ),
        how="as rational functions of the gates under the averages",
    )


@statement("vanilla.onset", "Onset of activity", ("T5",), Vanilla)
def onset(cell):
    """alpha = a_h^2 and beta = -2: continuous, always [T5]."""
    expansion = Expansion(cell, {"h": 0})
    claims = normal_form_claims(expansion, a_h**2, -2, left=[1], right=[1], critical={a_h: 1})
    return Derivation(
        latex=r"\alpha = a_h^2, \qquad \beta\,|_{\alpha = 1} = -2 < 0",
        steps=(
            Step(
                r"A Gaussian field $y = b + \sqrt\Delta\, x$ averages a function as the heat kernel does, so the coefficients of "
                r"the second moment $R_k$ of message $k$ in the variances of the fields are derivatives of $m_k^2$ at $y = b$:",
                r"R_k = \mathbb{E}\, m_k^2 = e^{\frac12 \sum_l \Delta_l \partial_l^2}\, m_k^2 = \sum_l A_{kl} \Delta_l + "
                r"\sum_{ll'} B_{kll'} \Delta_l \Delta_{l'} + \dots, \qquad "
                r"A_{kl} = \tfrac12 \partial_l^2 m_k^2, \quad B_{kll'} = \tfrac18 \partial_l^2 \partial_{l'}^2 m_k^2",
            ),
            Step(r"With one field, $R(D) = \alpha D + \beta D^2 + \dots$ and $\Delta = a_h^2 D$."),
        ),
        claims=(*gaussian_claims(), *claims),
        how="by differentiation at $y = 0$",
    )
