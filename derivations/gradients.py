"""Gradients: the determinant behind singular values, mean squares of Jacobians and of their powers, from any cell [T9]."""

from __future__ import annotations

import sympy as sp

from gating_theory.cell.augmented import augmented
from gating_theory.cell.builtin import GRU, LSTM, GRUResetAfter, Vanilla
from gating_theory.cell.symbolic import bordered_minors, transfer_matrix

from .complexity import plain
from .edge import claimed_average, evaluate_means, independent_fields, solved_site
from .gru import notation as gru_notation
from .lstm import notation as lstm_notation
from .network import ExplicitNetwork
from .operators import gain_matrix
from .operators import jacobian as operator_jacobian
from .planar import Blocks, mean, mean_square
from .site import Mean, average, gain_symbols, lam
from .site_determinant import SiteDeterminant, eta
from .statement import Derivation, Equal, NonNegative, Step, statement

__all__ = ["first_moment", "two_point"]


def _hermitised_claim():
    """The regulated determinant as that of a matrix of twice the size, for matrices that do not commute."""
    X, Y = sp.symbols(r"X X^\dagger", commutative=False)
    doubled = sp.Matrix([[eta, X], [-Y, eta]])
    factors = sp.Matrix([[1, X / eta], [0, 1]]) * sp.Matrix([[eta + X * Y / eta, 0], [-Y, eta]])
    return Equal("det(eta^2 + X X^dagger) by doubling, any N", factors, doubled)


def _transfer_claim(cell):
    """What in terms of the cell's own site derivatives."""
    shifted = lam * sp.eye(cell.n_state) - cell.F_s
    inverse = shifted.adjugate() / shifted.det()
    W = (transfer_matrix(cell, lam)).row_join(cell.M_s * inverse).col_join((inverse * cell.F_y).row_join(inverse))
    return Equal("transfer matrix of the augmented cell", transfer_matrix(augmented(cell), lam), W)


def _minors_claim(cell, site):
    """That the minors which calculators compile for the augmented cell are those of the determinant."""
    big = augmented(cell)
    compiled = bordered_minors(big)
    rows = [big.message_of[row] for row in site.rows]
    pairs = [(minor, (tuple(rows[i] for i in I), J)) for (I, J), minor in site.minors().items()]
    # a state that is a message stands twice among the rows, and once among the distinct messages
    pairs = [(minor, key) for minor, key in pairs if key in compiled]
    derived = [sum((c * lam**power for power, c in enumerate(compiled[key])), sp.Integer(0)) for _, key in pairs]
    return Equal(
        "minors that calculators take from the augmented cell",
        sp.Matrix(derived).applyfunc(plain),
        sp.Matrix([minor.xreplace(site.blocks.table) for minor, _ in pairs]),
    )


def _singular_values(cell, count):
    site, big = SiteDeterminant(cell), augmented(cell)
    V = sp.diag(*(gain_matrix(name) for name in big.field_names[cell.n_fields :]))
    finite = {lam: sp.Symbol("lambda", complex=True)}
    signs = [NonNegative("c_m >= 0", monomial * sp.Abs(minor.xreplace(finite)) ** 2) for monomial, minor in site.terms()]
    return Derivation(
        latex=r"\frac{1}{N} \log\det\left[(\lambda - J)(\lambda - J)^\dagger + \eta^2\right] = \mathrm{ext}_{p, q} \left\{ "
        r"\mathbb{E} \log D - \sum_k p_k q_k \right\}, \qquad D = |\chi|^2 \det(1 + \hat P \hat W \hat Q \hat W^\dagger) = "
        r"|\chi|^2 + "
        r"\sum_m c_m\, p^{e_m} q^{f_m} \eta^{g_m}, \quad c_m \ge 0",
        steps=(
            Step(
                r"Keep the fields, $(\lambda - F_s)\, \delta s - F_y\, \delta y = e$ and $\delta y = U (M_s\, \delta s + M_y\, "
                r"\delta y)$: "
                r"then $e = X\, \delta s$ with the Schur complement $X = \lambda - J$ of that pencil. A regulator of the "
                r"singular values "
                r"of $X$ couples $\delta s$ and $e$ and nothing else:",
                r"\det(\eta^2 + X X^\dagger) = \det \begin{pmatrix} \eta & X \\ -X^\dagger & \eta \end{pmatrix}",
            ),
            Step(
                r"So it acts like $d$ more fields $e_i$, which are added to the update, and $d$ more messages, the state: the "
                r"augmented cell. Its Jacobian is $J + V$ with any matrices $V_i$ of these fields, and its transfer matrix",
                r"\hat W = \begin{pmatrix} W & M_s A^{-1} \\ A^{-1} F_y & A^{-1} \end{pmatrix}, \qquad A = \lambda - F_s.",
            ),
            Step(
                r"Averaging over Gaussian $U$ is that of the eigenvalues [T4], for that cell: $\hat P = \mathrm{diag}(p_k, "
                r"\eta)$, $\hat Q "
                r"= \mathrm{diag}(a_l^2 q_{m(l)}, \eta)$. With $\chi = \det A$ the determinant of a site is a sum over squared "
                r"minors "
                r"(Cauchy and Binet), and bordered determinants have no poles:",
                r"\chi \det \hat W_{IJ} = \det \begin{pmatrix} \lambda - F_s & -F_y \\ M_s & M_y \end{pmatrix}_{IJ}.",
            ),
        ),
        claims=(
            _hermitised_claim(),
            Equal("J of the augmented cell is J + V, any N", operator_jacobian(big), operator_jacobian(cell) + V),
            _transfer_claim(cell),
            Equal("D is a sum over squared minors", site.by_determinant(), site.by_minors()),
            _minors_claim(cell, site),
            Equal("number of monomials", sp.Integer(site.n_monomials()), sp.Integer(count)),
            *signs,
        ),
        how="as polynomials in $\\lambda$, the unknowns and the site derivatives",
    )


def _enter(name, cell, count):
    statement(f"{name}.singular_values", "Singular values: the augmented cell and its determinant", ("T9",), cell)(
        lambda cell: _singular_values(cell, count)
    )


for _name, _cell, _count in (("vanilla", Vanilla, 4), ("gru", GRU, 15), ("gru_reset_after", GRUResetAfter, 4), ("lstm", LSTM, 10)):
    _enter(_name, _cell, _count)


# --- mean squares


def first_moment(blocks, over_sites):
    """(1/N) tr J^T J field after field: V_k = a_k^2 (E |M_s,k|^2 + sum_l E M_y,kl^2 V_l), E |F_s|^2 + sum_k V_k E |F_y,k|^2."""
    V: list = []
    for k, square in enumerate(blocks.gains_squared):
        heard = over_sites(sum((x**2 for x in blocks.M_s[k, :]), sp.Integer(0)))
        V.append(square * sp.expand(heard + sum((over_sites(blocks.M_y[k, l] ** 2) * V[l] for l in range(k)), sp.Integer(0))))
    direct = over_sites(sum((x**2 for x in blocks.F_s), sp.Integer(0)))
    through = (V[k] * over_sites(sum((x**2 for x in blocks.F_y[:, k]), sp.Integer(0))) for k in range(len(V)))
    return sp.expand(direct + sum(through, sp.Integer(0)))


def two_point(blocks, m, n):
    """Coefficient of lambda^(-m-1) mu*^(-n-1) in K = E tr A_l^-1 A_m^-+ + c . (1 - T)^-1 b: (1/N) tr J^m (J^n)^T.

    Series in (1/lambda, 1/mu*) are {(i, j): coefficient}, from A^-1 = sum_j F_s^j lambda^(-j-1).
    """
    of, gains = blocks.cell.message_of, blocks.gains_squared
    rows = [of.index(k) for k in range(blocks.cell.n_messages)]
    M_s, M_y = blocks.M_s[rows, :], blocks.M_y[rows, :]
    R = {j + 1: blocks.F_s**j for j in range(max(m, n) + 1)}
    W = {0: M_y} | {j: M_s * power * blocks.F_y for j, power in R.items()}

    def double(parts, entries):
        """Averages of products of the coefficients of two expansions."""
        orders = [(i, j) for i in parts for j in parts if i <= m + 1 and j <= n + 1]
        return {(i, j): entries(parts[i], parts[j]).applyfunc(lambda e: mean(e, blocks.site)) for i, j in orders}

    def of_messages(by_field):
        """A row with an entry for each field, times a_l^2, summed over the fields of each message."""
        parts = [[by_field[:, l] * gains[l] for l, k in enumerate(of) if k == message] for message in range(len(rows))]
        return sp.Matrix.hstack(*(sum(columns, sp.zeros(by_field.rows, 1)) for columns in parts))

    direct = double(R, lambda u, v: sp.Matrix([[(u * v.T).trace()]]))
    b = double(R, lambda u, v: sp.Matrix([(M_s * u * v.T * M_s.T)[k, k] for k in range(len(rows))]))
    squares = double(R, lambda u, v: sp.ones(1, u.rows) * (u * blocks.F_y).multiply_elementwise(v * blocks.F_y))
    c = {order: of_messages(square) for order, square in squares.items()}
    T = {order: of_messages(square) for order, square in double(W, lambda u, v: u.multiply_elementwise(v)).items()}
    total, order = direct[m + 1, n + 1][0], (m + 1, n + 1)
    while b:  # each turn raises the order, or goes on to a later field
        total += sum(((c[order[0] - i, order[1] - j] * b[i, j])[0] for i, j in b if i <= m and j <= n), sp.Integer(0))
        b = _product(T, b, order)
    return sp.expand(total)


def _product(left, right, largest):
    """Product of two series whose coefficients are matrices; without the orders beyond ``largest``, and without zeros."""
    found: dict = {}
    for (i, j), u in left.items():
        for (k, l), v in right.items():
            if i + k <= largest[0] and j + l <= largest[1] and not (u.is_zero_matrix or v.is_zero_matrix):
                found[i + k, j + l] = found.get((i + k, j + l), sp.zeros(u.rows, v.cols)) + u * v
    return {order: value.applyfunc(sp.expand) for order, value in found.items() if not value.is_zero_matrix}


def _moment_of_network(cell, n):
    """((1/N) E tr J^T J of a network of n units over its matrices, and the closed form), at any states and fields of its sites."""
    network, blocks = ExplicitNetwork(cell, n), Blocks(cell)
    variances = {
        entry: a**2 / n for name, a in zip(cell.field_names, gain_symbols(cell)) for entry in network.U[name]
    }  # fmt: skip
    exact = mean_square(network.jacobian(), variances) / n

    def over_sites(expression):
        expression = sp.sympify(expression).xreplace(blocks.table)
        return sum((expression.xreplace(table) for table in network.sites), sp.Integer(0)) / n

    return exact, first_moment(blocks, over_sites)


_MEAN_SQUARE = r"m_1 = \frac{1}{N} \mathrm{tr}\, J^T J = \mathbb{E} |F_s|^2 + \sum_k V_k\, \mathbb{E} |F_{y,k}|^2"
_MEAN_SQUARE_STEPS = (
    Step(
        r"Field after field: $V_k$ is the variance of the change of field $k$ under an isotropic change of the state of unit "
        r"mean square.",
        r"V_k = a_k^2 \left( \mathbb{E} |M_{s,k}|^2 + \sum_{l < k} \mathbb{E}\, M_{y,kl}^2\, V_l \right)",
    ),
    Step(
        r"Each matrix stands once in each term of $J$, so this holds at every $N$, averaged over matrices that do not depend on "
        r"the "
        r"sites. Higher powers need the limit of many units. With $A_\lambda = \lambda - F_s$, messages $n$ of fields $l$:",
        r"\frac{1}{N} \mathrm{tr}\, (\lambda - J)^{-1} (\mu - J)^{-\dagger} = \mathbb{E}\, \mathrm{tr}\, A_\lambda^{-1} "
        r"A_\mu^{-\dagger} + c "
        r"\cdot (1 - T)^{-1} b, \qquad T_{kn} = \sum_{l \to n} a_l^2\, \mathbb{E}\, W_{kl}(\lambda) W_{kl}(\mu)^*",
    ),
    Step(
        r"with $b_k = \mathbb{E} (M_s A_\lambda^{-1} A_\mu^{-\dagger} M_s^\dagger)_{kk}$ and $c_n = \sum_{l \to n} a_l^2\, "
        r"\mathbb{E} "
        r"(A_\lambda^{-1} F_y)_{\cdot l} \cdot (A_\mu^{-1} F_y)^*_{\cdot l}$. The mean square of gradients through $n$ steps of "
        r"the same "
        r"weights is the coefficient of $\lambda^{-n-1} \mu^{*\,-n-1}$.",
    ),
)


def _mean_square_claims(cell, sizes):
    blocks = Blocks(cell)

    def over_sites(expression):
        return mean(expression, blocks.site)

    claims = [Equal(f"m_1 over the matrices of a network, N = {n}", *_moment_of_network(cell, n)) for n in sizes]
    claims.append(Equal("m_1 by pairings", blocks.moment(1), first_moment(blocks, over_sites)))
    for j, moment in enumerate(SiteDeterminant(cell).moments(2), start=1):
        claims.append(Equal(f"m_{j} of the determinant by pairings", blocks.moment(j), moment))
    for m, n in ((1, 1), (2, 1), (2, 2)):
        claims.append(Equal(f"(1/N) tr J^{m} (J^{n})^T by pairings", blocks.overlap(m, n), two_point(blocks, m, n)))
    return claims


def _at_fixed_point(cell):
    """The first moment with the closed form of a site in place of its state: averages over independent fields."""
    blocks = Blocks(cell)

    def over_sites(expression):
        return average(sp.sympify(expression).xreplace(blocks.table).xreplace(cell.closed_form), independent_fields(cell))

    return first_moment(blocks, over_sites)


@statement("gru.mean_square", "Mean square of the Jacobian and growth of gradients", ("T9",), GRU)
def gru_mean_square(cell):
    """E z^2 + a_h^2 E(1-z)^2 E p'^2 (E r^2 + a_r^2 E h^2 E r'^2) at a fixed point [T9]."""
    n = gru_notation(cell)
    a_r, a_h = (gain_symbols(cell)[cell.field_names.index(name)] for name in "rh")
    reset = Mean(n.r**2) + a_r**2 * Mean(n.h**2) * Mean(n.dr**2)
    closed = Mean(n.z**2) + a_h**2 * Mean((1 - n.z) ** 2) * Mean(n.dp**2) * reset
    return Derivation(
        latex=_MEAN_SQUARE,
        steps=(
            *_MEAN_SQUARE_STEPS,
            Step(
                "At a fixed point of the GRU, where its fields are independent and the change of the update gate multiplies $h "
                "- p = 0$:",
                rf"m_1 = {sp.latex(closed, order='none')}",
            ),
        ),
        claims=(
            solved_site(cell),
            *_mean_square_claims(cell, (1, 2)),
            Equal("m_1 at a fixed point", _at_fixed_point(cell), claimed_average(n, closed)),
        ),
        how="exactly on networks of $N = 1, 2$ units, and by non-crossing pairings for any site derivatives of this form",
    )


@statement("gru_reset_after.mean_square", "Mean square and mean fourth power of the singular values", ("T9",), GRUResetAfter)
def reset_after_mean_square(cell):
    """m_1 = E f^2 + E v, m_2 = E f^4 + 2 E v f^2 + 2 E f^2 E v + E v^2 + (E v)^2 for one state variable, its own message [T9]."""
    blocks = Blocks(cell)
    (leak,) = blocks.F_s
    noise = sum((square * slope**2 for square, slope in zip(blocks.gains_squared, blocks.F_y)), sp.Integer(0))

    def over_sites(expression):
        return mean(expression, blocks.site)

    first = over_sites(leak**2) + over_sites(noise)
    second = over_sites(leak**4) + 2 * over_sites(noise * leak**2) + 2 * over_sites(leak**2) * over_sites(noise)
    second += over_sites(noise**2) + over_sites(noise) ** 2
    return Derivation(
        latex=r"m_1 = \mathbb{E} f^2 + \mathbb{E} v, \qquad m_2 = \mathbb{E} f^4 + 2\, \mathbb{E} v f^2 + 2\, \mathbb{E} f^2\, "
        r"\mathbb{E} v + \mathbb{E} v^2 + (\mathbb{E} v)^2",
        steps=(
            *_MEAN_SQUARE_STEPS,
            Step(
                r"One state variable that is the message of all fields: $f = F_s$ and $v = \sum_k a_k^2 F_{y,k}^2$. The "
                r"determinant of a "
                r"site is $|\lambda - f|^2 + (p + \eta)(q v + \eta)$, and $p = P(x)/\eta$, $q = Q(x)/\eta$, $x = \eta^{-2}$ "
                r"turns its "
                r"equations into power series whose coefficients are the moments."
            ),
        ),
        claims=(
            Equal("all fields listen to h", cell.M_s, sp.ones(cell.n_fields, 1)),
            *_mean_square_claims(cell, (1, 2)),
            Equal("m_1", blocks.moment(1), first),
            Equal("m_2", blocks.moment(2), second),
        ),
        how="exactly on networks of $N = 1, 2$ units, by non-crossing pairings, and by the series of the determinant",
    )


@statement("lstm.mean_square", "Mean square of the Jacobian and growth of gradients", ("T9",), LSTM)
def lstm_mean_square(cell):
    """E (1 + o^2 t'^2)(f^2 + sum_l a_l^2 (dc'/dy_l)^2) + a_o^2 E t^2 o'^2, per site, in any state [T9]."""
    n = lstm_notation(cell)
    a = dict(zip(cell.field_names, gain_symbols(cell)))
    slopes = {"f": n.c * n.df, "i": n.g * n.di, "g": n.i * n.dg}
    both = 1 + n.o**2 * n.dt**2
    closed = Mean(n.f**2 * both) + a["o"] ** 2 * Mean(n.t**2 * n.do**2)
    closed += sum(a[name] ** 2 * Mean(both * slope**2) for name, slope in slopes.items())
    blocks, joint = Blocks(cell), {x: frozenset("s") for x in (*cell.state, *cell.fields)}

    def over_sites(expression):
        return average(sp.sympify(expression).xreplace(blocks.table), joint)

    return Derivation(
        latex=_MEAN_SQUARE,
        steps=(
            *_MEAN_SQUARE_STEPS,
            Step(
                r"For the LSTM, whose fields all listen to $h$, per site and with primes as derivatives, in any state:",
                rf"m_1 = {sp.latex(closed, order='none')}",
            ),
        ),
        claims=(
            *_mean_square_claims(cell, (1, 2)),
            Equal("m_1 in any state", first_moment(blocks, over_sites), evaluate_means(n.write_out(closed), joint)),
        ),
        how="exactly on networks of $N = 1, 2$ units, and by non-crossing pairings for any site derivatives of this form",
    )
