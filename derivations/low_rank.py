"""Random matrices plus low rank: modes of the zero state, moments by Stein's lemma, rings and how gates protect them [T11]."""

from __future__ import annotations

import sympy as sp

from gating_theory.cell.builtin import GRU, LSTM, Vanilla
from gating_theory.cell.symbolic import sigma, transfer_matrix

from .edge import claimed_average, independent_fields, solved_site, zero_state
from .gru import notation as gru_notation
from .lstm import notation as lstm_notation
from .network import ExplicitNetwork
from .site import Mean, average, lam
from .statement import Derivation, Equal, Positive, Step, statement
from .vanilla import notation as vanilla_notation

omega = sp.Symbol("omega")
b_z, b_r, b_f, b_i, b_o = sp.symbols("b_z b_r b_f b_i b_o", real=True)

_ENSEMBLE = Step(
    r"$U_k = a_k J_k + \sum_{r \in k} A_r B_r^T / N$ with iid matrices $J_k$ and loadings $A_r, B_r$ that do not depend on them; "
    r"$k(r)$ is the field of channel $r$. Isolated eigenvalues are the zeros outside the support of",
    r"\det(1 - C(\lambda)), \qquad C_{rs} = \mathbb{E}\left[B_r\, W_{k(r) k(s)}(\lambda)\, A_s\right],",
)
_AT_REST = Step(
    r"where at a fixed point that sends messages the random matrices add a channel for each field. At the zero state no message is "
    r"sent and all sites are the same: $C_{rs} = W_{k(r) k(s)}\, \Omega_{rs}$ with $\Omega_{rs} = \mathbb{E} B_r A_s$."
)


# --- the zero state


def _at_rest(cell, bias, field):
    """W(lambda) at the zero state, and det(1 - C) for two channels in ``field`` and one in each other field, any overlaps."""
    table, vanishing = zero_state(cell, bias)
    W = transfer_matrix(cell, lam).applyfunc(lambda e: e.xreplace(table))
    fields = [*range(cell.n_fields), cell.field_names.index(field)]
    overlaps = sp.Matrix(len(fields), len(fields), lambda i, j: sp.Symbol(f"Omega_{i}{j}"))
    C = sp.Matrix(len(fields), len(fields), lambda i, j: W[fields[i], fields[j]] * overlaps[i, j])
    own = [i for i, k in enumerate(fields) if k == fields[-1]]
    return table, vanishing, W, (sp.eye(len(fields)) - C).det(method="berkowitz"), overlaps.extract(own, own)


def _rank_one_network(cell, table, field):
    """det(lambda - J) at the zero state of two units whose matrices are A B^T / N and nothing else, and <A B> in ``field``."""
    network = ExplicitNetwork(cell, 2)
    loadings = {name: sp.symbols(f"A_{name}1 A_{name}2 B_{name}1 B_{name}2", real=True) for name in cell.field_names}
    entries = {}
    for name, (A1, A2, B1, B2) in loadings.items():
        low_rank = sp.Matrix([A1, A2]) * sp.Matrix([[B1, B2]]) / 2
        entries |= {network.U[name][i, j]: low_rank[i, j] for i in range(2) for j in range(2)}
    at_zero = {site[x]: value for site in network.sites for x, value in table.items()}
    J = network.jacobian().applyfunc(lambda e: e.xreplace(at_zero).xreplace(entries))
    A1, A2, B1, B2 = loadings[field]
    return (lam * sp.eye(J.rows) - J).det(method="berkowitz"), (A1 * B1 + A2 * B2) / 2


@statement("gru.low_rank", "Learned modes of the zero state", ("T11",), GRU)
def gru(cell):
    """lambda = sigma(b_z) + (1 - sigma(b_z)) sigma(b_r) omega; 1 - lambda = (1 - z)(1 - r omega); no column z [T11]."""
    n = gru_notation(cell)
    table, vanishing, W, determinant, overlaps = _at_rest(cell, {"z": b_z, "r": b_r, "h": 0}, "h")
    explicit, overlap = _rank_one_network(cell, table, "h")
    z, r = n.define("z_0", sigma(b_z)), n.define("r_0", sigma(b_r))
    mode = z + (1 - z) * r * omega
    heard = (1 - z) * r / (lam - z)
    write = n.table
    column = transfer_matrix(cell, lam).xreplace(cell.closed_form)[:, cell.field_names.index("z")]
    cleared = ((lam - z) ** 2 * (sp.eye(2) - heard * overlaps).det()).xreplace(write)
    real, imaginary = sp.symbols("x_omega y_omega", real=True)

    def square(expression):
        return sp.Mul(*(expression.subs(omega, real + sign * sp.I * imaginary) for sign in (1, -1)))

    return Derivation(
        latex=rf"\lambda = {sp.latex(mode, order='none')}, \qquad 1 - \lambda = (1 - z_0)(1 - r_0\, \omega), \qquad "
        r"\lambda = 1 \iff \omega = 1 / r_0",
        steps=(
            _ENSEMBLE,
            _AT_REST,
            Step(
                r"Biases $b_z$, $b_r$ and $b_h = 0$; $z_0 = \sigma(b_z)$, $r_0 = \sigma(b_r)$. Only the column of the candidate is "
                r"left of $W$, so that channels in the gates do nothing, and $\omega$ runs through the eigenvalues of the "
                r"overlaps $\Omega$ of the candidate's channels:",
                rf"W_{{hh}} = {sp.latex(heard, order='none')}, \qquad \det(1 - C) = \det(1 - W_{{hh}}\, \Omega)",
            ),
            Step(
                r"The disc of the random part has the radius $(1 - z_0)\, r_0\, a_h$ about $z_0$: such a mode lies outside of it "
                r"where $|\omega| > a_h$. The update gate multiplies the time $1/(1 - \lambda)$ of any learned mode by "
                r"$1/(1 - z_0)$. It does not move the real overlap at which a mode becomes unstable. Of complex overlaps, which "
                r"turn the state, it does: fast gates let a mode out of the unit circle before $r_0\, \mathrm{Re}\,\omega$ is 1,",
                r"|\lambda|^2 - 1 = (1 - z_0) \left[(1 - z_0)\, |1 - r_0\, \omega|^2 - 2\, (1 - r_0\, \mathrm{Re}\,\omega)\right].",
            ),
            Step(
                r"At every fixed point, where $h = \tanh(y_h)$, the column of the update gate vanishes in $W$: a low-rank part of "
                r"$U_z$ changes the leaks of sites and makes no isolated eigenvalue of its own."
            ),
        ),
        claims=(
            vanishing,
            solved_site(cell),
            Equal("W at the zero state: the candidate's column alone", W[:, :2], sp.zeros(3, 2)),
            Equal("W_hh at the zero state", W[2, 2], heard.xreplace(write)),
            Equal("det(1 - C), channels in every field", determinant * (lam - sigma(b_z)) ** 2, cleared),
            Equal("it vanishes at the mode", 1 - (W[2, 2] * omega).subs(lam, mode.xreplace(write)), 0),
            Equal(
                "det(lambda - J) of two units with matrices of rank one",
                explicit,
                ((lam - z) * (lam - mode.subs(omega, overlap))).xreplace(write),
            ),
            Equal("1 - lambda", 1 - mode, (1 - z) * (1 - r * omega)),
            Equal("onset", mode.subs(omega, 1 / r), 1),
            Equal("|lambda|^2 - 1", square(mode) - 1, (1 - z) * ((1 - z) * square(1 - r * omega) - 2 * (1 - r * real))),
            Equal("column of the update gate at a fixed point", column, sp.zeros(3, 1)),
        ),
        how="from the transfer matrix with any overlaps, and on the explicit network of $N = 2$ units",
    )


@statement("lstm.low_rank", "Learned modes of the zero state", ("T11",), LSTM)
def lstm(cell):
    """lambda = sigma(b_f) + sigma(b_i) sigma(b_o) omega, 1 at omega = (1 - f)/(i o) [T11]."""
    n = lstm_notation(cell)
    table, vanishing, W, determinant, overlaps = _at_rest(cell, {"f": b_f, "i": b_i, "g": 0, "o": b_o}, "g")
    explicit, overlap = _rank_one_network(cell, table, "g")
    f, i, o = (n.define(f"{name}_0", sigma(bias)) for name, bias in (("f", b_f), ("i", b_i), ("o", b_o)))
    mode = f + i * o * omega
    heard = i * o / (lam - f)
    write = n.table
    g = cell.field_names.index("g")
    others = [k for k in range(cell.n_fields) if k != g]
    cleared = ((lam - f) ** 2 * (sp.eye(2) - heard * overlaps).det()).xreplace(write)
    return Derivation(
        latex=rf"\lambda = {sp.latex(mode, order='none')}, \qquad \lambda = 1 \iff \omega = \frac{{1 - f_0}}{{i_0\, o_0}}",
        steps=(
            _ENSEMBLE,
            _AT_REST,
            Step(
                r"Biases $b_f$, $b_i$, $b_o$ and $b_g = 0$; $f_0$, $i_0$, $o_0$ are $\sigma$ of the first three. Channels in the "
                r"three gates do nothing there, and",
                rf"W_{{gg}} = {sp.latex(heard, order='none')}, \qquad \det(1 - C) = \det(1 - W_{{gg}}\, \Omega).",
            ),
            Step(
                r"Such a mode lies outside the disc where $|\omega| > a_g$. The forget gate moves the overlap at which it becomes "
                r"unstable, which the update gate of the GRU does not. At states with memories, $c \neq 0$, all gates act."
            ),
        ),
        claims=(
            vanishing,
            Equal("W at the zero state: the candidate's column alone", W.extract([*range(4)], others), sp.zeros(4, 3)),
            Equal("W_gg at the zero state", W[g, g], heard.xreplace(write)),
            Equal("det(1 - C), channels in every field", determinant * (lam - sigma(b_f)) ** 2, cleared),
            Equal("it vanishes at the mode", 1 - (W[g, g] * omega).subs(lam, mode.xreplace(write)), 0),
            Equal(
                "det(lambda - J) of two units with matrices of rank one",
                explicit,
                (lam**2 * (lam - f) * (lam - mode.subs(omega, overlap))).xreplace(write),
            ),
            Equal("onset", mode.subs(omega, (1 - f) / (i * o)), 1),
        ),
        how="from the transfer matrix with any overlaps, and on the explicit network of $N = 2$ units",
    )


# --- one channel in the candidate: moments in closed form

_STEIN = Step(
    r"Stein's lemma for jointly Gaussian $B$, $y$ of mean zero, by parts: $\mathbb{E}\, B f(y) = \mathbb{E} B y\; \mathbb{E} "
    r"f'(y)$. A unit whose state has settled sends $m(s^*(y), y)$, and the total derivative of that is the transfer matrix at "
    r"$\lambda = 1$:",
    r"\frac{d}{dy_l}\, m_k(s^*(y), y) = W_{kl}(1)",
)
_OVERLAP = Step(
    r"One channel in the candidate, loadings of mean zero with $\mathbb{E} A B = \omega$, zero biases: $y_h = A \kappa + x_h$, so "
    r"that $\mathbb{E} B y_h = \omega \kappa$, and $\kappa = \mathbb{E} B m_h$ has a solution $\kappa \neq 0$ where",
    r"1 = \omega\, \mathbb{E}\, W_{hh}(1).",
)


def _stein_claims(cell):
    """Stein's lemma by parts, and W(1) as the derivative of what a settled unit sends: true of any cell."""
    x, v = sp.Symbol("x", real=True), sp.Symbol("v", positive=True)
    density = sp.exp(-(x**2) / (2 * v)) / sp.sqrt(2 * sp.pi * v)
    sent = sp.Matrix([m.xreplace(cell.closed_form) for m in cell.messages])
    return [
        Equal("Stein's lemma: y times its density is a derivative", sp.simplify(x * density + v * sp.diff(density, x)), 0),
        Equal("dm/dy of a settled unit is W(1)", sent.jacobian(cell.fields), transfer_matrix(cell, 1).xreplace(cell.closed_form)),
    ]


def _mean_slope(cell):
    """E W_hh(1) at a fixed point whose fields are independent."""
    h = cell.field_names.index("h")
    return average(transfer_matrix(cell, 1)[h, h].xreplace(cell.closed_form), independent_fields(cell))


@statement("vanilla.low_rank", "The moment beyond the onset of a learned overlap", ("T11",), Vanilla)
def vanilla(cell):
    """q = 1 - 1/omega for one Gaussian channel, whatever the gain; the mode of the zero state is omega [T11]."""
    n = vanilla_notation(cell)
    table, vanishing = zero_state(cell, {"h": 0})
    q = 1 - 1 / omega
    slope = _mean_slope(cell)
    return Derivation(
        latex=rf"q = \mathbb{{E}}\, m^2 = {sp.latex(q)}, \qquad \lambda = \omega \text{{ at the zero state}}",
        steps=(
            _STEIN,
            _OVERLAP,
            Step(
                r"Here $W_{hh}(1) = p' = 1 - p^2$, whose mean is $1 - q$. The gain does not enter: what it adds to the field makes "
                r"$\kappa$ smaller, not $q$."
            ),
        ),
        claims=(
            solved_site(cell),
            vanishing,
            *_stein_claims(cell),
            Equal("E W_hh(1)", slope, claimed_average(n, 1 - Mean(n.p**2))),
            Equal("1 = omega E W_hh(1) at this moment", omega * slope.subs(claimed_average(n, Mean(n.p**2)), q), 1),
            Equal("mode of the zero state", (transfer_matrix(cell, lam)[0, 0] * omega).xreplace(table).subs(lam, omega), 1),
        ),
        how="by parts under a Gaussian density",
    )


@statement("gru.low_rank_moment", "The moment beyond the onset of a learned overlap", ("T11",), GRU)
def gru_moment(cell):
    """q = E h^2 = 1 - 2/omega for one Gaussian channel in the candidate, whatever the gains [T11]."""
    n = gru_notation(cell)
    q = 1 - 2 / omega
    slope = _mean_slope(cell)
    y = sp.Symbol("y", real=True)
    mean_gate = claimed_average(n, Mean(n.r))
    moment = claimed_average(n, Mean(n.p**2))
    return Derivation(
        latex=rf"q = \mathbb{{E}}\, h^2 = {sp.latex(q)}",
        steps=(
            _STEIN,
            _OVERLAP,
            Step(
                r"Here $W_{hh}(1) = r\, p'$, in which the update gate cancels. No channel in the other fields: the reset gate is "
                r"independent of the candidate's field, and its mean is 1/2 because $\sigma(y) + \sigma(-y) = 1$. So "
                r"$\mathbb{E}\, W_{hh}(1) = \frac12 (1 - q)$ whatever the three gains."
            ),
        ),
        claims=(
            solved_site(cell),
            *_stein_claims(cell),
            Equal("E W_hh(1)", slope, claimed_average(n, Mean(n.r) * (1 - Mean(n.p**2)))),
            Equal("sigma(y) + sigma(-y) = 1", sp.simplify((sigma(y) + sigma(-y)).rewrite(sp.exp)), 1),
            Equal("1 = omega E W_hh(1) at this moment", omega * slope.subs({mean_gate: sp.Rational(1, 2), moment: q}), 1),
        ),
        how="by parts under a Gaussian density, averages split by independence",
    )


# --- rings


def _isotropy_claims():
    """Loadings across the state of an isotropic pair of channels are uncorrelated with its field and with those along it."""
    overlap, alpha, beta, kappa, v = sp.symbols("omega alpha beta kappa v")
    # A_1, A_2, B_1, B_2, x; the field is A_1 kappa + x
    pair = sp.Matrix([[alpha, overlap], [overlap, beta]])
    covariance = sp.diag(sp.kronecker_product(pair, sp.eye(2)), v)
    field = sp.Matrix([[kappa, 0, 0, 0, 1]])
    known = sp.eye(5).extract([0, 2, 4], [*range(5)]).col_join(field)
    across = sp.eye(5).extract([1, 3], [*range(5)])
    return [
        Equal("loadings across the state are independent of the rest", across * covariance * known.T, sp.zeros(2, 4)),
        Equal("overlap across the state", (across * covariance * across.T)[0, 1], overlap),
        Equal("E B_1 y_h", (known[1, :] * covariance * field.T)[0], overlap * kappa),
    ]


@statement("gru.ring", "A ring of fixed points, and what the update gate protects it by", ("T11",), GRU)
def ring(cell):
    """C(1) = 1 along the ring for any update gate; -C'(1) = E 1/(1 - z) = 1 + exp(b_z + a_z^2 q / 2) [T11]."""
    n = gru_notation(cell)
    h, z = (cell.field_names.index(name) for name in "hz")
    heard = transfer_matrix(cell, lam)[h, h].xreplace(cell.closed_form)
    at_one, slope = heard.subs(lam, 1), -sp.diff(heard, lam).subs(lam, 1)
    x, b = sp.symbols("x b", real=True)
    s = sp.Symbol("s", positive=True)
    odds = sp.simplify((1 / (1 - sigma(x))).rewrite(sp.exp))
    mean = sp.integrate(sp.expand(odds.subs(x, b + s * x) * sp.exp(-(x**2) / 2)), (x, -sp.oo, sp.oo)) / sp.sqrt(2 * sp.pi)
    closed = 1 + sp.exp(b + s**2 / 2)
    return Derivation(
        latex=r"C(1) = \omega\, \mathbb{E}\, r\, p' = 1, \qquad -C'(1) = \mathbb{E}\, \frac{1}{1 - z} = "
        r"1 + e^{b_z + a_z^2 q / 2}",
        steps=(
            Step(
                r"Two channels in the candidate, isotropic: $\mathbb{E} A_r B_s = \omega\, \delta_{rs}$, and likewise "
                r"$\mathbb{E} A_r A_s$ and $\mathbb{E} B_r B_s$. Turned loadings have the same law, so that a fixed point with "
                r"overlaps $\kappa$ is one of a ring $|\kappa| = $ const. Take $\kappa = (\kappa, 0)$: then $A_2$, $B_2$ are "
                r"independent of all fields and of everything else, and $C$ falls into two blocks, of which that of channel 2 is",
                r"C_{22}(\lambda) = \omega\, \mathbb{E}\, W_{hh}(\lambda) = \omega\, \mathbb{E}\, \frac{r\, (1 - z)\, p'}"
                r"{\lambda - z}.",
            ),
            _STEIN,
            Step(
                r"Along the state $\mathbb{E} B_1 y_h = \omega \kappa$, so that $\kappa = \mathbb{E} B_1 m_h$ reads $1 = \omega\, "
                r"\mathbb{E} W_{hh}(1) = C_{22}(1)$: an eigenvalue at exactly 1 along the ring. This needs the site's fixed point "
                r"only and holds for every cell. In the GRU $z$ is not in $W_{hh}(1)$: neither the ring nor its mode at 1 "
                r"depends on the update gate."
            ),
            Step(
                r"A network of $N$ units, or anything else that is not isotropic, adds $\delta$ to $C_{22}$. To first order the "
                r"mode moves to",
                r"\lambda - 1 = \frac{\delta}{-C'(1)}, \qquad -C'(1) = \omega\, \mathbb{E}\, \frac{r\, p'}{1 - z} = \omega\, "
                r"\mathbb{E}\, r\, p'\; \mathbb{E}\, \frac{1}{1 - z} = \mathbb{E}\, \frac{1}{1 - z},",
            ),
            Step(
                r"the update gate being independent of the other fields. $1/(1 - \sigma(y)) = 1 + e^y$ is log-normal: slow gates, "
                r"and gates that differ between sites, protect the ring."
            ),
        ),
        claims=(
            solved_site(cell),
            *_isotropy_claims(),
            *_stein_claims(cell),
            Equal("W_hh at a fixed point", heard, n.at_fixed_point((1 - n.z) * n.r * n.dp * n.A)),
            Equal("W_hh(1) does not know the update gate", sp.simplify(sp.diff(at_one, cell.fields[z])), 0),
            Equal("-W_hh'(1)", slope, n.at_fixed_point(n.r * n.dp / (1 - n.z))),
            Equal(
                "E of it: the protection times E W_hh(1)",
                average(slope, independent_fields(cell)),
                claimed_average(n, Mean(n.r) * Mean(n.dp) * Mean(1 / (1 - n.z))),
            ),
            Equal("E W_hh(1)", _mean_slope(cell), claimed_average(n, Mean(n.r) * Mean(n.dp))),
            Equal("1/(1 - sigma(y)) = 1 + e^y", odds, 1 + sp.exp(x)),
            Equal("its Gaussian mean", sp.expand(mean, power_exp=True), sp.expand(closed, power_exp=True)),
            Positive("protection > 1", closed - 1),
        ),
        how="by parts under a Gaussian density, averages split by independence, and by a Gaussian integral",
    )
