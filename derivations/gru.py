"""The GRU with the reset gate before the product: the closed forms of [CKS] and of the theory sheet [T2, T3, T5, T6]."""

from __future__ import annotations

import sympy as sp

from gating_theory.cell.builtin import GRU
from gating_theory.cell.symbolic import sigma, transfer_matrix

from .edge import (
    at_zero_state,
    claimed_average,
    claimed_joint_average,
    edge_anywhere,
    edge_at_fixed_point,
    loop_gain,
    radius_claims,
    solved_site,
    zero_state,
)
from .network import DETERMINANT, DETERMINANT_STEPS, ExplicitNetwork, determinant_claims, jacobian_claims
from .onset import Expansion, normal_form_claims
from .operators import Site, gain_matrix
from .operators import jacobian as operator_jacobian
from .site import Mean, Notation, lam, lam_bar, modulus_free
from .statement import Derivation, Equal, NonNegative, Step, statement

a_z, a_r, a_h = sp.symbols("a_z a_r a_h", positive=True)
b_z, b_r = sp.symbols("b_z b_r", real=True)
U_z, U_r, U_h = (gain_matrix(name) for name in "zrh")


def notation(cell):
    """Gates z, r, the candidate p = tanh(y_h), their derivatives, the state h and A = 1/(lambda - z)."""
    n = Notation(cell)
    n.h = cell.state[0]
    n.z, n.dz = n.gate("z", "z")
    n.r, n.dr = n.gate("r", "r")
    n.p, n.dp = n.gate("p", "h", sp.tanh)
    n.A = n.define("A", 1 / (lam - n.z))
    return n


WORDS = (
    r"$[x]$ is the diagonal matrix with the site values of $x$; $z = \sigma(y_z)$, $r = \sigma(y_r)$, $p = \tanh(y_h)$, and primes "
    r"are derivatives of these functions at their fields"
)


@statement("gru.jacobian", "State-to-state Jacobian", ("T2", "CKS"), GRU)
def jacobian(cell):
    """J = [z] + [(h - p) z'] U_z + [(1 - z) p'] U_h ([r] + [h r'] U_r) [T2, CKS]."""
    n = notation(cell)
    J = Site(n.z) + Site((n.h - n.p) * n.dz) * U_z + Site((1 - n.z) * n.dp) * U_h * (Site(n.r) + Site(n.h * n.dr) * U_r)
    return Derivation(
        latex=rf"J = {sp.latex(J, order='none')}",
        steps=(
            Step(
                WORDS + r". The three terms are the leak, the change of the update gate and the change of the candidate, whose "
                r"message $r h$ changes both directly and through the reset gate.",
                rf"F_s = {sp.latex(sp.Matrix([[n.z]]))}, \quad "
                rf"F_y = {sp.latex(sp.Matrix([[(n.h - n.p) * n.dz, 0, (1 - n.z) * n.dp]]))}, \quad "
                rf"M_s = {sp.latex(sp.Matrix([1, 1, n.r]))}, \quad "
                rf"M_y = {sp.latex(sp.Matrix([[0, 0, 0], [0, 0, 0], [0, n.h * n.dr, 0]]))}",
            ),
            Step(
                r"Eliminating the fields from the linear pencil. $U M_y$ is nilpotent, so that the inverse is a finite sum.",
                r"J = F_s + F_y\, (1 - U M_y)^{-1}\, U M_s = F_s + F_y\, (1 + U M_y)\, U M_s",
            ),
        ),
        claims=(
            Equal("F_s", cell.F_s, n.write_out(sp.Matrix([[n.z]]))),
            Equal("F_y", cell.F_y, n.write_out(sp.Matrix([[(n.h - n.p) * n.dz, 0, (1 - n.z) * n.dp]]))),
            Equal("M_s", cell.M_s, n.write_out(sp.Matrix([1, 1, n.r]))),
            Equal("M_y", cell.M_y, n.write_out(sp.Matrix([[0, 0, 0], [0, 0, 0], [0, n.h * n.dr, 0]]))),
            *jacobian_claims(cell, [[J]], n.table),
        ),
        how="for any $N$ with matrices that do not commute, and on explicit networks of $N = 1, 2$ units",
    )


@statement("gru.determinant", "Characteristic polynomial through the transfer matrix", ("T2",), GRU)
def determinant(cell):
    """det(lambda - J) = prod det(lambda - F_s) det(1 - W U) [T2]."""
    return Derivation(
        latex=DETERMINANT + r" \qquad W(\lambda) = M_s (\lambda - F_s)^{-1} F_y + M_y",
        steps=DETERMINANT_STEPS,
        claims=tuple(determinant_claims(cell)),
        how="as block factorisations for any $N$, and as polynomials in all entries of $U$ for $N = 1, 2$",
    )


@statement("gru.transfer_matrix", "Transfer matrix", ("T2",), GRU)
def transfer(cell):
    """W(lambda), rows and columns in the order z, r, h [T2]."""
    n = notation(cell)
    gate, candidate = n.A * (n.h - n.p) * n.dz, n.A * (1 - n.z) * n.dp
    W = sp.Matrix([[gate, 0, candidate], [gate, 0, candidate], [n.r * gate, n.h * n.dr, n.r * candidate]])
    return Derivation(
        latex=rf"W(\lambda) = {sp.latex(W)}, \qquad A = \frac{{1}}{{\lambda - z}}",
        steps=(
            Step(
                r"The rows of $z$ and $r$ are equal because both fields listen to $h$; the row of the candidate is that row "
                r"times $r$, except for the entry through which the reset gate changes the message $r h$."
            ),
        ),
        claims=(Equal("W", transfer_matrix(cell, lam), n.write_out(W)),),
        how="as rational functions of the gates and $\\lambda$",
    )


def _edge(n):
    """The left side of the published edge condition at a fixed point [T3]."""
    reset = Mean(n.r**2) + a_r**2 * Mean(n.h**2) * Mean(n.dr**2)
    return a_h**2 * reset * Mean((1 - n.z) ** 2 * n.dp**2 / sp.Abs(lam - n.z) ** 2)


def _rho2(n):
    """rho^2 of [T6]."""
    return a_h**2 * Mean(n.dp**2) * (Mean(n.r**2) + a_r**2 * Mean(n.h**2) * Mean(n.dr**2))


@statement("gru.edge", "Edge of the spectrum", ("T3", "CKS"), GRU)
def edge(cell):
    """a_h^2 (E r^2 + a_r^2 E h^2 E r'^2) E[(1-z)^2 p'^2 / |lambda - z|^2] = 1 at a fixed point, from T(lambda) [T3, CKS]."""
    n = notation(cell)
    gate, candidate = sp.Abs(n.A) ** 2 * (n.h - n.p) ** 2 * n.dz**2, sp.Abs(n.A) ** 2 * (1 - n.z) ** 2 * n.dp**2
    anywhere = sp.Matrix(
        [
            [a_z**2 * Mean(gate), a_h**2 * Mean(candidate)],
            [a_z**2 * Mean(n.r**2 * gate) + a_r**2 * Mean(n.h**2 * n.dr**2), a_h**2 * Mean(n.r**2 * candidate)],
        ]
    )
    slow = Mean((1 - n.z) ** 2 * n.dp**2 / sp.Abs(lam - n.z) ** 2)
    fixed = sp.Matrix([[0, a_h**2 * slow], [a_r**2 * Mean(n.h**2) * Mean(n.dr**2), a_h**2 * Mean(n.r**2) * slow]])
    T = edge_at_fixed_point(cell)
    return Derivation(
        latex=rf"{sp.latex(_edge(n), order='none')} = 1",
        steps=(
            Step(
                r"One row and column of $T$ per distinct message, $h$ and $r h$ in this order: $T_{k\nu} = \sum_{l \in \nu} "
                r"a_l^2\, \mathbb{E}|W_{kl}|^2$, with the average over the joint law of the state and the fields of a site.",
                rf"T(\lambda) = {sp.latex(anywhere)}",
            ),
            Step(
                r"At a fixed point $h = \tanh(y_h) = p$: the column of the update gate vanishes. Fields are independent, so "
                r"averages of products of functions of different fields are products of averages.",
                rf"T(\lambda) = {sp.latex(fixed)}",
            ),
            Step(
                r"A matrix $\begin{pmatrix} 0 & b \\ c & d \end{pmatrix}$ with $b, c \ge 0$, $d > 0$ has eigenvalues $x_+ > "
                r"0 \ge x_-$, and $\det(1 - T) = (1 - x_+)(1 - x_-) = 1 - d - b c$ with $1 - x_- > 0$. So the spectral "
                r"radius passes 1 where $d + b c$ does, which is the condition."
            ),
        ),
        claims=(
            solved_site(cell),
            Equal("T in any state", edge_anywhere(cell), anywhere.applyfunc(lambda e: claimed_joint_average(n, e))),
            Equal("T at a fixed point", T, fixed.applyfunc(lambda e: claimed_average(n, e))),
            *radius_claims(),
            Equal("1 - det(1 - T)", loop_gain(T), claimed_average(n, _edge(n))),
        ),
        how="as rational functions of the gates under averages that are split by linearity and independence alone",
    )


@statement("gru.zero_state", "Spectrum at the zero state: one uniform disc", ("T3",), GRU)
def zero(cell):
    """J = sigma(b_z) + (1 - sigma(b_z)) sigma(b_r) U_h: centre sigma(b_z), radius (1 - sigma(b_z)) sigma(b_r) a_h [T3]."""
    n = notation(cell)
    table, vanishing = zero_state(cell, {"z": b_z, "r": b_r, "h": 0})
    s_z = n.define("s_z", sigma(b_z), real=True)
    s_r = n.define("s_r", sigma(b_r), real=True)
    J = s_z + (1 - s_z) * s_r * U_h
    radius = (1 - s_z) * s_r * a_h
    T = at_zero_state(cell, table)
    lead = radius**2 / sp.Abs(lam - s_z) ** 2
    R, phase = sp.symbols("R phase", positive=True)
    on_circle = {lam: s_z + radius * phase, lam_bar: s_z + radius / phase}
    network = ExplicitNetwork(cell, 2)
    at_zero = {site[x]: value for site in network.sites for x, value in table.items()}
    explicit = network.jacobian().applyfunc(lambda e: e.xreplace(at_zero))
    operator = operator_jacobian(cell)[0, 0].replace(Site, lambda x: x.xreplace(table))
    x = sp.Symbol("x")
    return Derivation(
        latex=rf"J = {sp.latex(J, order='none')}, \qquad \text{{disc: centre }} \sigma(b_z), \text{{ radius }} "
        r"(1 - \sigma(b_z))\, \sigma(b_r)\, a_h",
        steps=(
            Step(
                r"Fixed biases $b_z$, $b_r$ (the same at all sites) and $b_h = 0$; $s_z = \sigma(b_z)$, $s_r = \sigma(b_r)$. "
                r"At $h = 0$ all sites are equal, so that the diagonal matrices are numbers, and the changes of both gates "
                r"multiply $h = p = 0$. What is left is a shifted and scaled Gaussian matrix, whose spectrum is a uniform "
                r"disc (circular law)."
            ),
            Step(
                r"The edge condition agrees: $T$ has the eigenvalues 0 and",
                rf"x_+ = {sp.latex(lead, order='none')} = 1 \iff |\lambda - s_z| = {sp.latex(radius, order='none')}",
            ),
        ),
        claims=(
            vanishing,
            Equal("J for any N", operator, J.xreplace(n.table)),
            Equal(
                "J by differentiating the network, N = 2",
                explicit,
                (s_z * sp.eye(2) + (1 - s_z) * s_r * network.U["h"]).xreplace(n.table),
            ),
            Equal("eigenvalues of T", (x * sp.eye(2) - T).det(), x * (x - n.write_out(lead))),
            Equal("x_+ = 1 on the circle", modulus_free(lead).xreplace(on_circle), 1),
        ),
        how="for any $N$, on the explicit network of $N = 2$ units, and for the edge condition",
    )


@statement("gru.onset", "Onset of activity and the tricritical line", ("T5", "CKS"), GRU)
def onset(cell):
    """alpha = (a_h s)^2; at alpha = 1, beta = (1 - s)(2 - 3 s) a_r^2 - 2, with s = sigma(b_r) [T5, CKS]."""
    n = notation(cell)
    s = n.define("s", sigma(b_r))
    alpha = (a_h * s) ** 2
    beta = (1 - s) * (2 - 3 * s) * a_r**2 - 2
    write = n.table
    critical = {a_h: 1 / sigma(b_r)}
    expansion = Expansion(cell, {"z": b_z, "r": b_r, "h": 0})
    perron = normal_form_claims(
        expansion, alpha.xreplace(write), beta.xreplace(write), [0, 1], [1, (s**2).xreplace(write)], critical
    )
    # the same loop closed by hand in one variable: D = E tanh^2(y_h), and E (r h)^2 = E r^2 E h^2 because fields are independent
    y_r, y_h = n.field("r"), n.field("h")
    h2, rh2 = (m.xreplace(cell.closed_form) ** 2 for m in cell.distinct_messages)
    r2 = sp.cancel(rh2 / h2)
    at, D = {y_r: b_r, y_h: 0}, sp.Symbol("D")
    reset = (r2 + a_r**2 * D * sp.diff(r2, y_r, 2) / 2).xreplace(at)
    variance = a_h**2 * D * reset
    moment = sum(sp.diff(h2, y_h, 2 * k).xreplace(at) * variance**k / (2**k * sp.factorial(k)) for k in (1, 2))
    loop = sp.Poly(sp.expand(moment), D)
    x = sp.Symbol("x", nonnegative=True)
    beyond = (sp.Rational(2, 3) + x) / (1 + x)
    return Derivation(
        latex=rf"\alpha = {sp.latex(alpha)}, \qquad \beta\,|_{{\alpha = 1}} = {sp.latex(beta, order='none')}, \qquad s = "
        rf"\sigma(b_r)",
        steps=(
            Step(
                r"$b_r$ is any fixed bias, $b_h = 0$. The mean field maps $q = (\mathbb{E} h^2, \mathbb{E} r^2 h^2)$ to "
                r"itself. To first order, with the Perron vectors $v = (1, s^2)$ on the right and $u = (0, 1)$ on the left,",
                rf"L = {sp.latex(sp.Matrix([[0, a_h**2], [0, a_h**2 * s**2]]))}, \qquad L v = \alpha v, \quad u L = \alpha u",
            ),
            Step(
                r"To second order along $v$, where the amplitude is $D = \mathbb{E} h^2$; the same follows by closing the "
                r"loop in $D$ alone.",
                r"R(D) = \alpha D + \beta D^2 + \dots, \qquad \beta = \frac{u \cdot B(v, v)}{u \cdot v} = "
                r"\alpha\, (1 - s)(2 - 3 s)\, a_r^2 - 2 \alpha^2",
            ),
            Step(
                r"So the transition is discontinuous ($\beta > 0$) iff $(1 - s)(2 - 3 s)\, a_r^2 > 2$: beyond $a_r = \sqrt "
                r"8$ at $b_r = 0$, and never for $b_r \ge \ln 2$, where $s \ge 2/3$. This is the local condition; a fold at "
                r"finite $D$ can exist without it. The update gate does not enter."
            ),
        ),
        claims=(
            solved_site(cell),
            Equal("L", expansion.linear(), sp.Matrix([[0, a_h**2], [0, (a_h * s) ** 2]]).xreplace(write)),
            *perron,
            Equal("(r h)^2 / h^2 is r^2 and has no y_h in it", r2, sigma(y_r) ** 2),
            Equal("alpha by closing the loop in D", loop.coeff_monomial(D), alpha.xreplace(write)),
            Equal("beta by closing the loop in D", loop.coeff_monomial(D**2), (alpha * (beta + 2) - 2 * alpha**2).xreplace(write)),
            Equal("beta = 0 at a_r = sqrt(8), b_r = 0", beta.xreplace(write).subs({b_r: 0, a_r: sp.sqrt(8)}), 0),
            Equal("sigma(ln 2) = 2/3", sigma(sp.log(2)).rewrite(sp.exp), sp.Rational(2, 3)),
            NonNegative("-(1 - s)(2 - 3 s) >= 0 for 2/3 <= s < 1", sp.factor(-((1 - s) * (2 - 3 * s)).subs(s, beyond))),
        ),
        how="from the second and fourth field derivatives of the messages, in two ways",
    )


@statement("gru.marginal_stability", "The update gate cancels at lambda = 1", ("T6", "CKS"), GRU)
def marginal(cell):
    """rho^2 = a_h^2 E p'^2 (E r^2 + a_r^2 E h^2 E r'^2) decides stability, whatever the update gate does [T6, CKS]."""
    n = notation(cell)
    rho2 = _rho2(n)
    T = edge_at_fixed_point(cell, at={lam: sp.Integer(1), lam_bar: sp.Integer(1)})
    R, theta, z = sp.Symbol("R"), sp.Symbol("theta", real=True), sp.Symbol("z")
    distance = (R * sp.exp(sp.I * theta) - z) * (R * sp.exp(-sp.I * theta) - z) - (1 - z) ** 2
    cosine = (sp.exp(sp.I * theta) + sp.exp(-sp.I * theta)) / 2
    epsilon, x = sp.symbols("epsilon x", nonnegative=True)
    outside = {R: 1 + epsilon, z: x / (1 + x)}
    return Derivation(
        latex=rf"\rho^2 = {sp.latex(rho2, order='none')}, \qquad \text{{unstable}} \iff \rho^2 > 1",
        steps=(
            Step(
                r"At $\lambda = 1$ the factor $(1 - z)^2 / |\lambda - z|^2$ of the edge condition is 1 for every value of "
                r"the gate: the left side of the condition is $\rho^2$, in which neither $a_z$ nor $b_z$ appears."
            ),
            Step(
                r"For $|\lambda| = R \ge 1$ at the angle $\theta$ and $0 \le z < 1$ that factor is at most 1,",
                r"|\lambda - z|^2 - (1 - z)^2 = (R - 1)(R + 1 - 2 z) + 2 R z (1 - \cos\theta) \ge 0,",
            ),
            Step(
                r"so the condition fails on and outside the unit circle if $\rho^2 < 1$: stable. If $\rho^2 > 1$, a "
                r"neighbourhood of $\lambda = 1$ is inside the support: unstable. (This is about the support; isolated "
                r"eigenvalues, from the conditioning of the gain matrices on the fixed point, are another matter.)"
            ),
        ),
        claims=(
            solved_site(cell),
            Equal("edge condition at lambda = 1", loop_gain(T), claimed_average(n, rho2)),
            Equal("distance to the gate", distance, (R - 1) * (R + 1 - 2 * z) + 2 * R * z * (1 - cosine)),
            NonNegative("first term", sp.factor(((R - 1) * (R + 1 - 2 * z)).subs(outside))),
            Equal("1 - cos(theta) = 2 sin(theta/2)^2", (1 - cosine).rewrite(sp.cos), 1 - sp.cos(theta)),
            NonNegative("second term", (2 * R * z).subs(outside) * 2 * sp.sin(theta / 2) ** 2),
        ),
        how="after averaging over independent fields",
    )


@statement("gru.binary_gate", "A binary update gate pins the edge to 1", ("T6",), GRU)
def binary_gate(cell):
    """a_z -> infinity: a fraction P(z = 1) at exactly 1, the rest fills |lambda| <= rho sqrt(P(z = 0)) [T6]."""
    n = notation(cell)
    P0, P1 = sp.symbols("P_0 P_1", positive=True)
    lead = P0 * _rho2(n) / sp.Abs(lam) ** 2
    gate = sigma(n.field("z"))
    # the average over the gate is a sum over its two values
    T = P0 * edge_at_fixed_point(cell, at={gate: sp.Integer(0)}) + P1 * edge_at_fixed_point(cell, at={gate: sp.Integer(1)})
    shut = {gate: sp.Integer(1)}
    W = transfer_matrix(cell, lam).xreplace(cell.closed_form).xreplace(shut)
    frozen = n.at_fixed_point(sp.Matrix([[0, 0, 0], [0, 0, 0], [0, n.h * n.dr, 0]]))
    return Derivation(
        latex=r"\text{weight } P(z = 1) \text{ at } \lambda = 1, \qquad \text{the rest in } |\lambda| \le \rho \sqrt{P(z = 0)}",
        steps=(
            Step(
                r"As $a_z \to \infty$ the gate of a site is $z = 1$ or $z = 0$, with probabilities $P_1$ and $P_0$. In the "
                r"edge condition only the sites with $z = 0$ are left,",
                rf"{sp.latex(P0)}\, \rho^2 / |\lambda|^2 = 1 .",
            ),
            Step(
                r"A site with $z = 1$ gives $\det(\lambda - F_s) = \lambda - 1$, and its transfer matrix does not depend on "
                r"$\lambda$, so that nothing cancels the zero: one eigenvalue at exactly 1 for each of these sites."
            ),
            Step(
                r"With the previous statement: for $1 < \rho^2 < 1 / P_0$ the disc lies inside the unit circle although the "
                r"fixed point is unstable at every finite $a_z$. The edge is pinned to 1 over a whole region of parameters: "
                r"marginal stability."
            ),
        ),
        claims=(
            Equal("edge condition with a binary gate", loop_gain(T).subs(P1, 1 - P0), claimed_average(n, lead)),
            Equal("det(lambda - F_s) at z = 1", (lam * sp.eye(1) - cell.F_s).det().xreplace(shut), lam - 1),
            Equal("W at z = 1", W, frozen),
        ),
        how="by averaging over the two values of the gate",
    )
