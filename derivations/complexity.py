"""The number of fixed points: determinant and constraint terms of the Kac-Rice functional, from the cell [T7].

Nothing here is used by ``gating_theory.counting.complexity``, which takes response and minors from the cell: these are the
closed forms of the
theory sheet for three cells, held against what the cell gives.
"""

from __future__ import annotations

from itertools import combinations

import sympy as sp

from gating_theory.cell.builtin import GRU, LSTM, Vanilla
from gating_theory.cell.symbolic import response, transfer_matrix

from .gru import notation as gru_notation
from .lstm import notation as lstm_notation
from .site import canonical, gain_symbols, lam
from .statement import Derivation, Equal, Step, statement
from .vanilla import notation as vanilla_notation

__all__ = ["constraint_claims", "determinant", "minors_sum", "response_claims"]

_STEPS = (
    Step(
        r"A fixed point is a field configuration with $G_k = y_k - U_k m_k(y) - b_k = 0$ for all $k$, messages taken at the fixed "
        r"state $s^*(y)$ of each site. Kac and Rice: the mean number of zeros is the density of $G$ at zero times the "
        r"mean modulus of "
        r"$\det \partial G/\partial y = \det(1 - U\, W(1))$, where $W(1)$ is the total derivative of the messages by the fields.",
        r"\mathbb{E}\, n = \int dy \prod_k \mathcal{N}\left(y_k;\, b_k,\, a_k^2 |m_k|^2 / N + \beta_k^2\right) "
        r"\mathbb{E}\left|\det(1 - W U)\right|_{U m = y - b}",
    ),
    Step(
        r"Conditioning changes each $U_k$ by rank one, which the rate does not see. The rate of the determinant is "
        r"the potential of the "
        r"self-consistent equations at $\lambda = 1$; with $q_k = \mathbb{E}\, m_k^2$ imposed by multipliers $\mu_k$ "
        r"and the entropy of "
        r"the sites maximised,",
        r"\Sigma = \mathrm{ext} \left\{ -\sum_k \mu_k q_k - \tfrac12 \sum_k p_k \hat q_k + \log \int \prod_k "
        r"\mathcal{N}(y_k;\, b_k,\, "
        r"a_k^2 q_k + \beta_k^2)\, e^{\sum_k \mu_k m_k^2} \sqrt{\det(1 + P W Q W^{T})}\, dy \right\}",
    ),
)


def _unknowns(cell):
    """Positive symbols p_k, q_k of the self-consistent equations, one pair per distinct message, and Q = diag(a_l^2 q_m(l))."""
    p = [sp.Symbol(f"p_{k + 1}", positive=True) for k in range(cell.n_messages)]
    q = [sp.Symbol(rf"\hat{{q}}_{k + 1}", positive=True) for k in range(cell.n_messages)]
    Q = sp.diag(*(a**2 * q[m] for a, m in zip(gain_symbols(cell), cell.message_of)))
    return p, q, Q


def determinant(cell):
    """det(1 + P W Q W^T) at a site's fixed point with W = W(1), one row per distinct message."""
    p, _, Q = _unknowns(cell)
    W = response(cell)[1]
    return (sp.eye(cell.n_messages) + sp.diag(*p) * W * Q * W.T).det(method="berkowitz")


def minors_sum(cell):
    """1 + sum over rows I and columns J of p^I (a^2 q)^J (det W_IJ)^2: what the calculators evaluate."""
    p, _, Q = _unknowns(cell)
    W = response(cell)[1]
    total = sp.Integer(1)
    for size in range(1, cell.n_messages + 1):
        for rows in combinations(range(cell.n_messages), size):
            for columns in combinations(range(cell.n_fields), size):
                minor = W[list(rows), list(columns)].det(method="berkowitz")
                total += sp.Mul(*(p[i] for i in rows)) * sp.Mul(*(Q[j, j] for j in columns)) * minor**2
    return total


def plain(expression):
    """Without the stable forms of evaluation: sech2(x) as 1 - tanh(x)^2, sigma(-x) as 1 - sigma(x)."""
    from gating_theory.cell.symbolic import sech2, sigma

    expression = expression.replace(sech2, lambda x: 1 - sp.tanh(x) ** 2)
    negative = lambda node: isinstance(node, sigma) and node.args[0].could_extract_minus_sign()  # noqa: E731
    return canonical(expression.replace(negative, lambda node: 1 - sigma(-node.args[0])))


def response_claims(cell):
    """Claims that the response is the transfer matrix at lambda = 1, and the Jacobian of the constraints for N = 2."""
    messages, W = response(cell)
    at_one = transfer_matrix(cell, sp.Integer(1))[[cell.message_of.index(k) for k in range(cell.n_messages)], :]
    claims = [
        Equal(
            "dm/dy at a site's fixed point is W(1)",
            W.applyfunc(plain),
            at_one.applyfunc(lambda e: plain(e.xreplace(cell.closed_form))),
        )
    ]
    n, K = 2, cell.n_fields
    site = [{y: sp.Symbol(f"{y}_{i + 1}", real=True) for y in (*cell.fields, *cell.parameters)} for i in range(n)]
    U = [[[sp.Symbol(f"U_{name}{i + 1}{j + 1}") for j in range(n)] for i in range(n)] for name in cell.field_names]
    y = [site[i][f] for f in cell.fields for i in range(n)]
    G = sp.Matrix(
        [
            site[i][cell.fields[k]] - sum(U[k][i][j] * messages[cell.message_of[k]].xreplace(site[j]) for j in range(n))
            for k in range(K)
            for i in range(n)
        ]
    )

    def entry(a, b):
        (k, i), (l, j) = divmod(a, n), divmod(b, n)
        return sp.Integer(a == b) - U[k][i][j] * W[cell.message_of[k], l].xreplace(site[j])

    jacobian = G.jacobian(y).applyfunc(plain)
    claims.append(Equal("dG/dy = 1 - U W(1), N = 2", jacobian, sp.Matrix(n * K, n * K, entry).applyfunc(plain)))
    return claims


def constraint_claims():
    """Claims for the stationarity in q: the slope of a Gaussian's logarithm by its variance."""
    y, b = sp.symbols("y b", real=True)
    v = sp.Symbol("v", positive=True)
    log_density = -((y - b) ** 2) / (2 * v) - sp.log(2 * sp.pi * v) / 2
    return [Equal("d log Normal(y; b, v) / dv", sp.diff(log_density, v), ((y - b) ** 2 / v - 1) / (2 * v))]


def _determinant_claims(cell, closed):
    """Claims that the determinant is the sum over minors, and the closed form."""
    derived = plain(determinant(cell))
    return [
        Equal("sum over minors (Cauchy and Binet)", plain(minors_sum(cell)), derived),
        Equal("determinant of a site", derived, closed),
    ]


@statement("vanilla.complexity", "Number of fixed points", ("T7",), Vanilla)
def vanilla_complexity(cell):
    """1 + g^2 s p'^2 under the root, -s/2 outside [T7]."""
    n = vanilla_notation(cell)
    p, q, _ = _unknowns(cell)
    g, s = gain_symbols(cell)[0], sp.Symbol("s", positive=True)
    closed = 1 + g**2 * s * n.dp**2
    at = {s: p[0] * q[0]}
    return Derivation(
        latex=r"\Sigma = \mathrm{ext}_{q, \mu, s} \left\{ -\tfrac{s}{2} - \mu q + \log \mathbb{E}_{y \sim \mathcal{N}(0, g^2 q)} "
        r"\left[ e^{\mu \tanh^2 y} \sqrt{1 + g^2 s \tanh'(y)^2} \right] \right\}",
        steps=_STEPS,
        claims=(
            *response_claims(cell),
            *_determinant_claims(cell, n.at_fixed_point(closed).xreplace(at)),
            *constraint_claims(),
        ),
        how="as polynomials in $\\tanh$, and on explicit networks of two units",
    )


@statement("gru.complexity", "Number of fixed points", ("T7", "CKS"), GRU)
def gru_complexity(cell):
    """1 + A r^2 p'^2 + B t^2 r'^2 + C p'^2 + B C t^2 r'^2 p'^2 under the root; the update gate drops out [T7]."""
    n = gru_notation(cell)
    p, q, _ = _unknowns(cell)
    _, a_r, a_h = gain_symbols(cell)
    A, B, C = sp.symbols("A B C", positive=True)
    at = {A: a_h**2 * p[1] * q[1], B: a_r**2 * p[1] * q[0], C: a_h**2 * p[0] * q[1]}
    closed = 1 + A * n.r**2 * n.dp**2 + B * n.p**2 * n.dr**2 + C * n.dp**2 + B * C * n.p**2 * n.dr**2 * n.dp**2
    root, tau = sp.Symbol("S", positive=True), sp.Symbol("tau", positive=True)
    R = root**2 / A  # S = sqrt(A R)
    blocks = 1 + A * (n.r * n.dp) ** 2 + root * (tau * (n.dr * n.p) ** 2 + n.dp**2 / tau) + A * R * (n.dr * n.p) ** 2 * n.dp**2
    constraint = -A / (2 * a_h**2) - B * C / (2 * A * a_r**2)
    return Derivation(
        latex=rf"\det(1 + P W Q W^T) = {sp.latex(closed, order='none')}, \qquad -\tfrac12 \sum_k p_k \hat q_k = "
        r"-\frac{A}{2 a_h^2} - \frac{B C}{2 A a_r^2}",
        steps=(
            *_STEPS,
            Step(
                r"Messages $h$ and $r h$, with $h = p = \tanh(y_h)$ at a fixed point. The column of $z$ vanishes: $h "
                r"- p = 0$, the update "
                r"gate sets the speed only. $A = a_h^2 p_2 \hat q_2$, $B = a_r^2 p_2 \hat q_1$, $C = a_h^2 p_1 \hat q_2$."
            ),
        ),
        claims=(
            *response_claims(cell),
            Equal("the update gate drops out", response(cell)[1][:, 0], sp.zeros(2, 1)),
            *_determinant_claims(cell, n.at_fixed_point(closed).xreplace(at)),
            Equal("constraint terms", -(p[0] * q[0] + p[1] * q[1]) / 2, constraint.xreplace(at)),
            Equal("in the coordinates (A, R, tau)", blocks, closed.subs({B: root * tau, C: root / tau})),
            *constraint_claims(),
        ),
        how="as polynomials in the gates, and on explicit networks of two units",
    )


@statement("lstm.complexity", "Number of fixed points", ("T7",), LSTM)
def lstm_complexity(cell):
    """1 + s v under the root with v = sum_l a_l^2 w_l(1)^2: one message, all four gates [T7]."""
    n = lstm_notation(cell)
    p, q, _ = _unknowns(cell)
    s = sp.Symbol("s", positive=True)
    ahead = n.o * n.dt * n.B
    slopes = [ahead * n.c * n.df, ahead * n.g * n.di, ahead * n.i * n.dg, n.do * n.t]
    closed = 1 + s * sum(a**2 * w**2 for a, w in zip(gain_symbols(cell), slopes))
    return Derivation(
        latex=r"\det(1 + P W Q W^T) = 1 + s \sum_l a_l^2 w_l(1)^2, \qquad w_f = o\, t' c\, \frac{f'}{1-f},\quad "
        r"w_i = o\, t' g\, \frac{i'}{1-f},\quad w_g = o\, t' i\, \frac{g'}{1-f},\quad w_o = o' \tanh c, \qquad c = "
        r"\frac{i g}{1 - f}",
        steps=_STEPS,
        claims=(
            *response_claims(cell),
            *_determinant_claims(cell, n.at_fixed_point(closed).xreplace({lam: sp.Integer(1), s: p[0] * q[0]})),
            *constraint_claims(),
        ),
        how="as rational functions of the gates, and on explicit networks of two units",
    )
