"""The LSTM: the full 2N x 2N Jacobian and what follows from it [T2, T3, T5, T6]."""

from __future__ import annotations

import sympy as sp

from gating_theory.cell.builtin import LSTM
from gating_theory.cell.symbolic import sigma, transfer_matrix

from .edge import at_zero_state, claimed_average, claimed_joint_average, edge_anywhere, edge_at_fixed_point, solved_site, zero_state
from .network import DETERMINANT, DETERMINANT_STEPS, ExplicitNetwork, determinant_claims, jacobian_claims
from .onset import Expansion, normal_form_claims
from .operators import Site, gain_matrix
from .operators import jacobian as operator_jacobian
from .site import Mean, Notation, lam, lam_bar, modulus_free
from .statement import Derivation, Equal, Step, statement

a_f, a_i, a_g, a_o = sp.symbols("a_f a_i a_g a_o", positive=True)
b_f, b_i, b_o = sp.symbols("b_f b_i b_o", real=True)
U_f, U_i, U_g, U_o = (gain_matrix(name) for name in "figo")

WORDS = (
    r"$f$, $i$, $o$ are the gates $\sigma(y_f)$, $\sigma(y_i)$, $\sigma(y_o)$ and $g = \tanh(y_g)$, $t = \tanh(c')$ with the "
    r"new memory $c'$; primes of $f$, $i$, $o$, $g$, $t$ are derivatives of these functions at their arguments"
)


def notation(cell):
    """Gates f, i, o, the candidate g, their derivatives, t = tanh(c') of the new memory c', the memory c, B = 1/(lambda - f)."""
    n = Notation(cell)
    n.c = cell.state[cell.state_names.index("c")]
    n.f, n.df = n.gate("f", "f")
    n.i, n.di = n.gate("i", "i")
    n.g, n.dg = n.gate("g", "g", sp.tanh)
    n.o, n.do = n.gate("o", "o")
    x = sp.Dummy()
    new = n.updated("c")
    n.t = n.define("t", sp.tanh(new))
    n.dt = n.define("t'", sp.diff(sp.tanh(x), x).xreplace({x: new}))
    n.B = n.define("B", 1 / (lam - n.f))
    return n


@statement("lstm.jacobian", "State-to-state Jacobian, 2N x 2N", ("T2", "CKS"), LSTM)
def jacobian(cell):
    """Both rows of blocks, h and c, in both columns [T2, CKS]."""
    n = notation(cell)
    memory = Site(n.c * n.df) * U_f + Site(n.g * n.di) * U_i + Site(n.i * n.dg) * U_g
    V = sp.Symbol("V", commutative=False)
    J = sp.Matrix([[Site(n.o * n.dt) * V + Site(n.t * n.do) * U_o, Site(n.o * n.dt * n.f)], [V, Site(n.f)]])
    F_s = sp.Matrix([[0, n.o * n.dt * n.f], [0, n.f]])
    dc = sp.Matrix([[n.c * n.df, n.g * n.di, n.i * n.dg, 0]])
    F_y = (n.o * n.dt * dc + sp.Matrix([[0, 0, 0, n.t * n.do]])).col_join(dc)
    return Derivation(
        latex=rf"J = {sp.latex(J)}, \qquad V = {sp.latex(memory, order='none')}",
        steps=(
            Step(r"$[x]$ is the diagonal matrix with the site values of $x$; " + WORDS + r". State in the order $(h, c)$."),
            Step(
                r"All fields listen to $h$ of the previous step, so $M_y = 0$ and $J = F_s + F_y\, U M_s$ with fields in the "
                r"order f, i, g, o:",
                rf"F_s = {sp.latex(F_s)}, \quad F_y = {sp.latex(F_y)}, \quad M_s = {sp.latex(sp.Matrix([[1, 0]] * 4))}",
            ),
            Step(
                r"The memory passes through both rows: the block of $h$ alone, $[o\, t']\, V + [o'\, t]\, U_{o}$, is not the "
                r"Jacobian of anything."
            ),
        ),
        claims=(
            Equal("F_s", cell.F_s, n.write_out(F_s)),
            Equal("F_y", cell.F_y, n.write_out(F_y)),
            Equal("M_s", cell.M_s, sp.Matrix([[1, 0]] * 4)),
            Equal("M_y", cell.M_y, sp.zeros(4, 4)),
            *jacobian_claims(cell, J.xreplace({V: memory}), n.table),
        ),
        how="for any $N$ with matrices that do not commute, and on explicit networks of $N = 1, 2$ units",
    )


@statement("lstm.determinant", "Characteristic polynomial through the transfer matrix", ("T2",), LSTM)
def determinant(cell):
    """det(lambda - J) = prod det(lambda - F_s) det(1 - W U), with det(lambda - F_s) = lambda (lambda - f) [T2]."""
    n = notation(cell)
    pole = (lam * sp.eye(2) - cell.F_s).det()
    return Derivation(
        latex=DETERMINANT + r" \qquad \det(\lambda - F_s) = \lambda\, (\lambda - f)",
        steps=DETERMINANT_STEPS,
        claims=(Equal("det(lambda - F_s)", pole, n.write_out(lam * (lam - n.f))), *determinant_claims(cell)),
        how="as block factorisations for any $N$, and as polynomials in all entries of $U$ for $N = 1, 2$",
    )


def _row(n):
    """The row w_l of the transfer matrix, which all fields share [T2]."""
    through = n.o * n.dt * n.B
    return [through * n.c * n.df, through * n.g * n.di, through * n.i * n.dg, n.do * n.t / lam]


@statement("lstm.transfer_matrix", "Transfer matrix", ("T2",), LSTM)
def transfer(cell):
    """W_kl = w_l for every k [T2]."""
    n = notation(cell)
    w = _row(n)
    printed = r", \quad ".join(rf"w_{{{name}}} = {sp.latex(x, order='none')}" for name, x in zip("figo", w))
    return Derivation(
        latex=rf"W_{{kl}}(\lambda) = w_l(\lambda): \qquad {printed}, \qquad B = \frac{{1}}{{\lambda - f}}",
        steps=(
            Step(
                WORDS + r". All rows of $W$ are equal because all fields listen to the same message $h$. A change of the memory is "
                r"seen in $h$ at once and again in all later steps: $\frac{1}{\lambda}\left(1 + \frac{f}{\lambda - "
                r"f}\right) = B$.",
            ),
        ),
        claims=(
            Equal("W", transfer_matrix(cell, lam), n.write_out(sp.Matrix([w] * 4))),
            Equal("1/lambda (1 + f B) = B", n.write_out((1 + n.f * n.B) / lam), n.write_out(n.B)),
        ),
        how="as rational functions of the gates and $\\lambda$",
    )


def _edge(n):
    """The edge condition at a fixed point with the independent output gate taken out of the average [T3]."""
    B2 = sp.Abs(n.B) ** 2
    inside = (
        a_f**2 * Mean(B2 * n.dt**2 * n.c**2 * n.df**2)
        + a_i**2 * Mean(B2 * n.dt**2 * n.g**2 * n.di**2)
        + a_g**2 * Mean(B2 * n.dt**2 * n.i**2 * n.dg**2)
    )
    return Mean(n.o**2) * inside + a_o**2 * Mean(n.do**2) * Mean(n.t**2) / sp.Abs(lam) ** 2


@statement("lstm.edge", "Edge of the spectrum", ("T3",), LSTM)
def edge(cell):
    """sum_l a_l^2 E|w_l|^2 = 1, in any state and written out at a fixed point [T3]."""
    n = notation(cell)
    anywhere = sum((a**2 * Mean(sp.Abs(w) ** 2) for a, w in zip((a_f, a_i, a_g, a_o), _row(n))), sp.Integer(0))
    return Derivation(
        latex=r"\sum_{l} a_l^2\, \mathbb{E}\,|w_l(\lambda)|^2 = 1",
        steps=(
            Step(
                r"There is one distinct message, so $T$ is a number and its spectral radius is itself. In a time-dependent "
                r"state the average is over the joint law of the state and the fields of a site. At a fixed point, where $c "
                r"= i g / (1 - f)$ and $t = \tanh(c)$, the fields are independent and the output gate factors out:",
                rf"{sp.latex(_edge(n), order='none')} = 1, \qquad B = \frac{{1}}{{\lambda - f}}",
            ),
        ),
        claims=(
            solved_site(cell),
            Equal("T in any state", edge_anywhere(cell)[0, 0], claimed_joint_average(n, anywhere)),
            Equal("T at a fixed point", edge_at_fixed_point(cell)[0, 0], claimed_average(n, _edge(n))),
        ),
        how="as rational functions of the gates under averages that are split by linearity and independence alone",
    )


@statement("lstm.forget_gate_at_one", "The forget gate does not cancel at lambda = 1", ("T6",), LSTM)
def forget_gate_at_one(cell):
    """At lambda = 1 the weights 1/(1 - f)^2 stay in the edge condition: no marginal stability by itself [T6]."""
    n = notation(cell)
    slow = (1 - n.f) ** 2
    inside = (
        a_f**2 * Mean(n.dt**2 * n.c**2 * n.f**2)
        + a_i**2 * Mean(n.dt**2 * n.g**2 * n.di**2 / slow)
        + a_g**2 * Mean(n.dt**2 * n.i**2 * n.dg**2 / slow)
    )
    claimed = Mean(n.o**2) * inside + a_o**2 * Mean(n.do**2) * Mean(n.t**2)
    T = edge_at_fixed_point(cell, at={lam: sp.Integer(1), lam_bar: sp.Integer(1)})
    return Derivation(
        latex=rf"T(1) = {sp.latex(claimed, order='none')}",
        steps=(
            Step(
                r"In the GRU the pole of the update gate comes with the weight $(1 - z)^2$ and disappears at $\lambda = 1$. "
                r"Here it does not: sites with $f \to 1$ weigh $1 / (1 - f)^2$, held back only by the saturation $t'$ of "
                r"their large memory. So $a_f$ moves the edge as well as piling modes up at 1."
            ),
        ),
        claims=(solved_site(cell), Equal("T(1)", T[0, 0], claimed_average(n, claimed))),
        how="after averaging over independent fields",
    )


@statement("lstm.zero_state", "Spectrum at the zero state: a uniform disc and an atom", ("T3",), LSTM)
def zero(cell):
    """N eigenvalues at 0; the others in a disc, centre sigma(b_f), radius sigma(b_o) sigma(b_i) a_g [T3]."""
    n = notation(cell)
    table, vanishing = zero_state(cell, {"f": b_f, "i": b_i, "g": 0, "o": b_o})
    s_f, s_i, s_o = (n.define(f"s_{name}", sigma(bias)) for name, bias in (("f", b_f), ("i", b_i), ("o", b_o)))
    write = n.table
    J = sp.Matrix([[s_o * s_i * U_g, s_o * s_f], [s_i * U_g, s_f]])
    operator = operator_jacobian(cell).applyfunc(lambda e: sp.sympify(e).replace(Site, lambda x: x.xreplace(table)))
    # det(lambda - J) for any N: subtract o times the row of c from the row of h, then add o times the column of h to that of c
    rows, columns = sp.Matrix([[1, -s_o], [0, 1]]), sp.Matrix([[1, s_o], [0, 1]])
    reduced = rows * (lam * sp.eye(2) - J) * columns
    triangular = sp.Matrix([[lam, 0], [-s_i * U_g, lam - s_f - s_o * s_i * U_g]])
    network = ExplicitNetwork(cell, 2)
    at_zero = {site[x]: value for site in network.sites for x, value in table.items()}
    explicit = network.jacobian().applyfunc(lambda e: e.xreplace(at_zero))
    disc = (lam - s_f) * sp.eye(2) - s_o * s_i * network.U["g"]
    characteristic = (lam * sp.eye(4) - explicit).det(method="berkowitz")
    W = transfer_matrix(cell, lam).applyfunc(lambda e: e.xreplace(table))
    radius = s_o * s_i * a_g
    lead = radius**2 / sp.Abs(lam - s_f) ** 2
    phase = sp.Symbol("phase", positive=True)
    on_circle = {lam: s_f + radius * phase, lam_bar: s_f + radius / phase}
    pole = (lam * sp.eye(2) - cell.F_s).det().xreplace(table)
    return Derivation(
        latex=rf"\det(\lambda - J) = \lambda^{{N}} \det\left({sp.latex(triangular[1, 1], order='none')}\right)",
        steps=(
            Step(rf"A disc with centre $\sigma(b_f)$ and radius ${sp.latex(radius)}$, and an atom of weight 1/2 at $\lambda = 0$."),
            Step(
                r"Fixed biases $b_f$, $b_i$, $b_o$ (the same at all sites) and $b_g = 0$; $s_k = \sigma(b_k)$. All sites are "
                r"equal, so the diagonal matrices are numbers, and $c$, $g$ and $t$ vanish:",
                rf"J = {sp.latex(J)}",
            ),
            Step(
                r"Subtract $s_o$ times the second row of blocks from the first, add $s_o$ times the first column to the "
                r"second. Neither changes the determinant:",
                rf"\lambda - J \;\to\; {sp.latex(triangular)}",
            ),
            Step(
                r"So $N$ of the $2N$ eigenvalues are exactly 0, and the others are those of $s_f + s_o s_i U_g$, a uniform "
                r"disc (circular law). In the language of the transfer matrix: $\det(\lambda - F_s) = \lambda (\lambda - "
                r"s_f)$ brings one $\lambda$ per site, and $W$ has no pole at $\lambda = 0$ that could cancel it, because "
                r"$w_o = o' t / \lambda$ vanishes with $t$."
            ),
            Step(r"The edge condition agrees:", rf"T(\lambda) = {sp.latex(lead, order='none')} = 1"),
        ),
        claims=(
            vanishing,
            Equal("J for any N", operator, J.xreplace(write)),
            Equal("det(lambda - J) for any N", reduced, triangular),
            Equal("det(lambda - J), N = 2", characteristic, (lam**2 * disc.det()).xreplace(write)),
            Equal("det(lambda - F_s)", pole, (lam * (lam - s_f)).xreplace(write)),
            Equal("W", W, sp.Matrix([[0, 0, s_o * s_i / (lam - s_f), 0]] * 4).xreplace(write)),
            Equal("T", at_zero_state(cell, table)[0, 0], n.write_out(lead)),
            Equal("T = 1 on the circle", modulus_free(lead).xreplace(on_circle), 1),
        ),
        how="for any $N$, on the explicit network of $N = 2$ units, and for the edge condition",
    )


@statement("lstm.onset", "Onset of activity and the tricritical ellipsoid", ("T5",), LSTM)
def onset(cell):
    """alpha = a_g^2 / 4 and beta = (a_o^2 + a_i^2 + 3 a_f^2)/4 - 16 at zero biases; the same for any biases of the gates [T5]."""
    n = notation(cell)
    s_f, s_i, s_o = (n.define(f"s_{name}", sigma(bias)) for name, bias in (("f", b_f), ("i", b_i), ("o", b_o)))
    kappa = n.define("kappa", s_i / (1 - s_f))
    alpha = (a_g * s_o * kappa) ** 2
    gates = a_o**2 * (1 - s_o) * (2 - 3 * s_o) + a_i**2 * (1 - s_i) * (2 - 3 * s_i) + a_f**2 * s_f * (1 + s_f)
    beta = gates - 2 * (1 + kappa**2) / (s_o * kappa) ** 2
    write = n.table
    critical = {a_g: (1 / (s_o * kappa)).xreplace(write)}
    expansion = Expansion(cell, {"f": b_f, "i": b_i, "g": 0, "o": b_o})
    general = normal_form_claims(expansion, alpha.xreplace(write), beta.xreplace(write), [1], [1], critical)
    ellipsoid = a_o**2 + a_i**2 + 3 * a_f**2
    alpha_0, beta_0 = a_g**2 / 4, ellipsoid / 4 - 16
    at_zero = normal_form_claims(Expansion(cell, dict.fromkeys("figo", 0)), alpha_0, beta_0, [1], [1], {a_g: 2})
    return Derivation(
        latex=rf"\alpha = {sp.latex(alpha_0)}, \qquad \beta\,|_{{\alpha = 1}} = {sp.latex(beta_0)} "
        r"\qquad \text{(zero biases)}",
        steps=(
            Step(
                r"One message, so the second moment $D = \mathbb{E} h^2$ maps to $R(D) = \alpha D + \beta D^2 + \dots$, from "
                r"the second and fourth derivatives of $h^2 = o^2 \tanh^2(i g / (1 - f))$ at $y_g = 0$. For any fixed biases "
                r"of the gates, $b_g = 0$, with $s_k = \sigma(b_k)$ and $\kappa = s_i / (1 - s_f)$:",
                rf"\alpha = {sp.latex(alpha)}, \qquad \beta\,|_{{\alpha = 1}} = {sp.latex(beta, order='none')}",
            ),
            Step(
                r"At zero biases $\kappa = 1$ and the critical gain is $a_g = 2$. The transition is discontinuous ($\beta > "
                r"0$) outside the ellipsoid",
                rf"{sp.latex(ellipsoid)} = 64 .",
            ),
        ),
        claims=(
            solved_site(cell),
            *(_renamed(claim, "zero biases") for claim in at_zero),
            *(_renamed(claim, "any biases") for claim in general),
            Equal("ellipsoid", 4 * beta.xreplace(write).subs({b_f: 0, b_i: 0, b_o: 0}), ellipsoid - 64),
        ),
        how="from the second and fourth field derivatives of the message",
    )


def _renamed(claim, where):
    return Equal(f"{claim.name}, {where}", claim.derived, claim.claimed)
