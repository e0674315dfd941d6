"""Gradients of GRUs and LSTMs at rest: laws of singular values, and their growth through many steps of the same weights [T9]."""

from __future__ import annotations

import sympy as sp

from gating_theory.cell.builtin import GRU, LSTM
from gating_theory.cell.symbolic import sigma, transfer_matrix

from .edge import zero_state
from .gru import notation as gru_notation
from .operators import Site, gain_matrix
from .operators import jacobian as operator_jacobian
from .planar import Blocks, trace
from .site import Mean, gain_symbols, lam, lam_bar
from .site_determinant import SiteDeterminant, eta
from .statement import Derivation, Equal, Positive, Step, statement

__all__ = ["binomial_growth", "resting_two_point"]

b_z, b_r, b_f, b_i, b_o = sp.symbols("b_z b_r b_f b_i b_o", real=True)
#: Centre and radius of the disc of a state's eigenvalues, an angle, steps.
z, w = sp.symbols("z w", positive=True)
theta = sp.Symbol("theta", real=True)
#: Powers of J that are written out; what holds for all of them has claims of its own.
_POWERS = 5


def binomial_growth(n):
    """sum_k C(n, k)^2 z^(2 (n - k)) w^(2 k): the mean square of (z + w U)^n."""
    return sum((sp.binomial(n, k) ** 2 * z ** (2 * (n - k)) * w ** (2 * k) for k in range(n + 1)), sp.Integer(0))


def resting_two_point(cell, table):
    """K = E tr A_l^-1 A_m^-+ + c . (1 - T)^-1 b at a state in which all sites are the same: a rational function of both lambdas."""
    d, n = cell.n_state, cell.n_messages
    rows = [cell.message_of.index(k) for k in range(n)]
    squares = [a**2 for a in gain_symbols(cell)]

    def at(value):
        F_s, F_y, M_s = (block.xreplace(table) for block in (cell.F_s, cell.F_y, cell.M_s))
        inverse = (value * sp.eye(d) - F_s).inv(method="ADJ")
        return inverse, inverse * F_y, M_s[rows, :] * inverse, transfer_matrix(cell, value).xreplace(table)[rows, :]

    (A, FA, MA, W), (B, FB, MB, V) = at(lam), at(lam_bar)

    def of_message(by_field):
        columns = [[by_field[:, l] * squares[l] for l, k in enumerate(cell.message_of) if k == message] for message in range(n)]
        return sp.Matrix.hstack(*(sum(each, sp.zeros(by_field.rows, 1)) for each in columns))

    b = sp.Matrix([(MA * MB.T)[k, k] for k in range(n)])
    c = of_message(sp.ones(1, d) * FA.multiply_elementwise(FB))
    T = of_message(W.multiply_elementwise(V))
    return (A * B.T).trace() + (c * (sp.eye(n) - T).inv(method="ADJ") * b)[0]


def _powers_claims():
    """That 1/((lambda - z)(mu - z) - w^2) generates binomial_growth for every n, and that growth is a mean over a circle."""
    n, k = sp.Symbol("n", integer=True, positive=True), sp.Symbol("k", integer=True, nonnegative=True)
    ratio = (n - k) * sp.binomial(n, k) / ((k + 1) * sp.binomial(n, k + 1))
    x, y, phase = sp.symbols("x y phase")
    geometric = sp.Add(*(w ** (2 * j) * (x * y) ** (j + 1) for j in range(_POWERS)))
    claims = [
        Equal(
            "1/(x y) = (lambda - z)(mu - z): a geometric series",
            geometric * (1 / (x * y) - w**2),
            1 - (w**2 * x * y) ** _POWERS,
        ),
        Equal("C(n, k) z^(n - k) generates (lambda - z)^(-k - 1), by induction in k", sp.combsimp(ratio), 1),
    ]
    for m in range(1, _POWERS + 1):
        turned = sp.expand((z + w * phase) ** m * (z + w / phase) ** m)
        claims.append(Equal(f"mean over the circle, n = {m}", turned.coeff(phase, 0), binomial_growth(m)))
    return claims


def _circle_claims():
    """Laplace: where |z + w e^(i theta)|^(2 n) is largest, how fast it falls off there, and what the integral is."""
    n, kappa, rho, T = sp.symbols("n kappa rho T", positive=True)
    square = z**2 + w**2 + 2 * z * w * sp.cos(theta)
    curvature = sp.diff(sp.log(square), theta, 2).subs(theta, 0)
    fall = z * w / (z + w) ** 2
    gaussian = sp.integrate(sp.exp(-n * fall * theta**2), (theta, -sp.oo, sp.oo), conds="none") / (2 * sp.pi)
    slow = square.subs({z: 1 - kappa / T, w: rho * kappa / T})
    k, x = sp.Symbol("k", integer=True, nonnegative=True), sp.Symbol("x", positive=True)
    even = (2 * x) ** (2 * k) / sp.factorial(2 * k) * sp.binomial(2 * k, k) / 4**k
    phase = sp.Symbol("phase")
    terms = [x ** (2 * j) / sp.factorial(j) ** 2 for j in range(_POWERS)]
    bessel = sp.series(sp.besseli(0, 2 * x), x, 0, 2 * _POWERS).removeO()
    return [
        Equal("|z + w e^(i theta)|^2", sp.expand((z + w * phase) * (z + w / phase)), z**2 + w**2 + z * w * (phase + 1 / phase)),
        Equal("(z + w)^2 - |z + w e^(i theta)|^2", (z + w) ** 2 - square, 2 * z * w * (1 - sp.cos(theta))),
        Equal("curvature of its logarithm at theta = 0", curvature, -2 * fall),
        Equal("Gaussian integral", sp.powsimp(gaussian**2), 1 / (4 * sp.pi * n * fall)),
        Equal("slow gates", sp.limit(T * sp.log(slow), T, sp.oo), -2 * kappa * (1 - rho * sp.cos(theta))),
        Equal(
            "mean of cos^(2 k) makes a Bessel function",
            sp.powsimp(sp.gammasimp(even.rewrite(sp.gamma))),
            sp.powsimp(sp.gammasimp((x ** (2 * k) / sp.factorial(k) ** 2).rewrite(sp.gamma))),
        ),
        Equal("its series", bessel, sum(terms, sp.Integer(0))),
        Equal(
            "at the onset, Gaussian integral",
            sp.integrate(sp.exp(-kappa * theta**2), (theta, -sp.oo, sp.oo), conds="none") / (2 * sp.pi),
            1 / sp.sqrt(4 * sp.pi * kappa),
        ),
    ]


def _edge_claims():
    """Edges of the singular values of c - U for a number c: double roots of the cubic of the unknown."""
    s, t, S, alpha = sp.symbols("s t S alpha", positive=True)
    c2 = (alpha**2 - 1) / 8
    cubic = (t - s) * (c2 - t**2) - t
    discriminant = sp.expand(sp.discriminant(cubic, t)).subs(s, sp.sqrt(S))
    largest, smallest = (alpha + 3) ** 3 / (8 * (alpha + 1)), (alpha - 3) ** 3 / (8 * (alpha - 1))
    x = sp.Symbol("x", positive=True)
    return [
        Equal("edges are double roots", discriminant, 4 * c2 * (S - largest) * (S - smallest)),
        Positive("s_min^2 > 0 for c > 1, where alpha > 3", smallest.subs(alpha, 3 + x)),
        Equal("alpha = 3 at the edge of the disc", sp.sqrt(1 + 8 * sp.Integer(1)), 3),
        Equal("s_max of U itself", sp.sqrt(largest.subs(alpha, 1)), 2),
    ]


def _gru_at_rest(cell):
    n = gru_notation(cell)
    table, vanishing = zero_state(cell, {"z": b_z, "r": b_r, "h": 0})
    a_h = gain_symbols(cell)[cell.field_names.index("h")]
    width = a_h * (1 - sigma(b_z)) * sigma(b_r)
    return n, table, vanishing, {z: sigma(b_z), w: width}


def _moment_at_rest(cell, table, j):
    """m_j at a state in which all sites are the same: averages are the values themselves."""
    blocks = Blocks(cell)
    values = {symbol: entry.xreplace(table) for symbol, entry in blocks.table.items()}
    return blocks.moment(j).xreplace(values).replace(Mean, lambda inside: inside)


_GRU_REST = Step(
    r"Fixed biases $b_z$, $b_r$ and $b_h = 0$: $J = z + w U$ with $z = \sigma(b_z)$, $w = (1 - z)\, \sigma(b_r)\, a_h$ and a "
    r"Ginibre "
    r"matrix $U$ (see the spectrum at the zero state)."
)


@statement("gru.zero_state_singular_values", "Singular values at the zero state", ("T9",), GRU)
def gru_singular_values(cell):
    """s_max/min = w sqrt((alpha +- 3)^3 / (8 (alpha +- 1))); m_1 = z^2 + w^2; mean square one is an unstable state [T9]."""
    _, table, vanishing, values = _gru_at_rest(cell)
    site = SiteDeterminant(cell)
    at_rest = {symbol: entry.xreplace(table) for symbol, entry in site.blocks.table.items()}
    D = site.by_minors().xreplace(at_rest)
    index = cell.message_of[cell.field_names.index("h")]  # the message of the candidate's field, r h
    p, q = site.p[index], site.q[index]
    others = [u for k in range(cell.n_messages) if k != index for u in (site.p[k], site.q[k])]
    r, u, distance = sp.symbols("r u c", positive=True)
    heard = site.p[1 - index] + r**2 * p
    closed = (lam - z) * (lam_bar - z) + (heard + eta) * ((w / r) ** 2 * q + eta)
    # r^2 p and (w / r)^2 q are the same number, u w - eta
    same = u * w - eta
    there = {p: same / r**2, q: same * r**2 / w**2, others[0]: sp.Integer(0), lam: z + distance * w, lam_bar: z + distance * w}
    equations = [(weight * sp.diff(sp.log(closed), v)).xreplace(there) for v, weight in ((q, r**2), (p, (w / r) ** 2))]
    s, t = sp.symbols("s t", positive=True)
    rotated = ((u - eta / w) * (distance**2 + u**2) - u).xreplace({eta: sp.I * s * w, u: sp.I * t})
    first, second = z**2 + w**2, z**4 + 4 * z**2 * w**2 + 2 * w**4
    return Derivation(
        latex=r"s_{\max/\min} = w \sqrt{\frac{(\alpha \pm 3)^3}{8 (\alpha \pm 1)}}, \quad \alpha = \sqrt{1 + 8 |\lambda - z|^2 "
        r"/ w^2}, "
        rf"\qquad m_1 = {sp.latex(first)}, \quad m_2 = {sp.latex(second)}",
        steps=(
            _GRU_REST,
            Step(
                r"The determinant of a site is $D = |\lambda - z|^2 + (p + \eta)(w^2 q + \eta)$. Both unknowns give the same: "
                r"with $u = (p + "
                r"\eta)/w$ and $c = |\lambda - z|/w$,",
                r"\left(u - \frac{\eta}{w}\right) (c^2 + u^2) = u.",
            ),
            Step(
                r"At $\eta = i s w$, $u = i t$ this cubic is real, and the density of singular values vanishes where its roots "
                r"are. It ends "
                r"where two roots meet: its discriminant has two zeros in $s^2$, of which the smaller one is positive for $c > "
                r"1$ only, that "
                r"is outside the disc of the eigenvalues."
            ),
            Step(
                r"A mean square singular value of one, $z^2 + w^2 = 1$, is the wrong target: the radius of the disc's far end "
                r"is then $z + w = "
                r"\sqrt{1 + 2 z w} > 1$, and gradients through the same weights explode. The spread of $s^2$ is $m_2 - m_1^2 = "
                r"2 z^2 w^2 + "
                r"w^4$."
            ),
        ),
        claims=(
            vanishing,
            Equal("D at the zero state", D, closed.xreplace(values | {r: sigma(b_r)})),
            Equal("the field of h alone is not heard", sp.diff(D, others[1]), 0),
            Equal("equation of p", equations[0], w * u / (distance**2 + u**2)),
            Equal("equation of q", equations[1], w * u / (distance**2 + u**2)),
            Equal("a real cubic at imaginary eta", sp.expand(rotated / sp.I), sp.expand((t - s) * (distance**2 - t**2) - t)),
            *_edge_claims(),
            Equal("m_1", _moment_at_rest(cell, table, 1), first.xreplace(values)),
            Equal("m_2", _moment_at_rest(cell, table, 2), second.xreplace(values)),
            Equal("spread of s^2", second - first**2, 2 * z**2 * w**2 + w**4),
            Equal("radius^2 where m_1 = 1", (z + w) ** 2 - first, 2 * z * w),
            Positive("radius^2 - 1 where m_1 = 1", 2 * z * w),
        ),
        how="from the determinant of a site, by its discriminant, and by non-crossing pairings",
    )


_GROWTH_STEPS = (
    Step(
        r"For every $n$: with the geometric series in $w^2$, and $(\lambda - z)^{-k-1} = \sum_n \binom{n}{k} z^{n-k} "
        r"\lambda^{-n-1}$,",
        r"\frac{1}{(\lambda - z)(\mu^* - z) - w^2} = \sum_{m, n, k} \binom{m}{k} \binom{n}{k} z^{m+n-2k} w^{2k} \lambda^{-m-1} "
        r"\mu^{*\,-n-1}.",
    ),
    Step(
        r"The sum of squared binomials is a mean over the circle, which is largest at $\theta = 0$, where tied weights go in "
        r"phase:",
        r"\sum_k \binom{n}{k}^2 z^{2(n-k)} w^{2k} = \int_{-\pi}^{\pi} \frac{d\theta}{2\pi}\, |z + w e^{i\theta}|^{2n} \simeq "
        r"\frac{(z + w)^{2n}}{\sqrt{4 "
        r"\pi n z w / (z + w)^2}}",
    ),
    Step(
        r"Slow gates, $z = 1 - \kappa/T$ and $w = \rho \kappa/T$ (in the GRU $\rho = \sigma(b_r)\, a_h$): $|z + w "
        r"e^{i\theta}|^{2T} \to e^{-2\kappa "
        r"(1 - \rho \cos\theta)}$, so that a power of $T$ is left at the onset $\rho = 1$ and not an exponential:",
        r"G(T) \to e^{-2\kappa} I_0(2 \kappa \rho) \simeq (4 \pi \kappa)^{-1/2} \quad (\rho = 1,\ \kappa \gg 1)",
    ),
)


@statement("gru.zero_state_gradients", "Growth of gradients at the zero state", ("T9",), GRU)
def gru_gradients(cell):
    """G(n) = sum_k C(n, k)^2 z^(2 (n - k)) w^(2 k) for tied weights, (z^2 + w^2)^n for untied ones; slow gates: I_0 [T9]."""
    _, table, vanishing, values = _gru_at_rest(cell)
    K = 1 / ((lam - z) * (lam_bar - z) - w**2)
    blocks = Blocks(cell)
    numbers = {symbol: entry.xreplace(table) for symbol, entry in blocks.table.items()}
    powers = [blocks.overlap(n, n).xreplace(numbers).replace(Mean, lambda x: x) for n in (1, 2, 3)]
    # fresh weights: every step has a matrix of its own, a field of its own among the letters
    fresh: list = [()]
    untied = []
    for n in range(3):
        fresh = [step + word for word in fresh for step in ((z,), (w, (n, False)))]
        pairs = ((u, tuple((x[0], not x[1]) if isinstance(x, tuple) else x for x in reversed(v))) for u in fresh for v in fresh)
        untied.append(sum((trace(u + v, [sp.Integer(1)] * 3) for u, v in pairs), sp.Integer(0)).replace(Mean, lambda x: x))
    return Derivation(
        latex=r"G(n) = \frac{1}{N} \mathrm{tr}\, J^n J^{nT} = \sum_k \binom{n}{k}^2 z^{2(n-k)} w^{2k}, \qquad \text{untied: } "
        r"(z^2 + w^2)^n",
        steps=(
            _GRU_REST,
            Step(
                r"The two-point function of the growth of gradients is there",
                r"\frac{1}{N} \mathrm{tr}\, (\lambda - J)^{-1} (\mu - J)^{-\dagger} = \frac{1}{(\lambda - z)(\mu^* - z) - w^2}.",
            ),
            *_GROWTH_STEPS,
        ),
        claims=(
            vanishing,
            Equal("two-point function", resting_two_point(cell, table), K.xreplace(values)),
            *(Equal(f"tied, n = {n}, by pairings", G, binomial_growth(n).xreplace(values)) for n, G in enumerate(powers, start=1)),
            *(Equal(f"untied, n = {n}, by pairings", G, (z**2 + w**2) ** n) for n, G in enumerate(untied, start=1)),
            *_powers_claims(),
            *_circle_claims(),
        ),
        how="from the two-point function, by non-crossing pairings, and by induction",
    )


def _lstm_at_rest(cell):
    """The zero state's substitution, its claim, J in blocks, and the symbols f, i, o that stand for the gates there."""
    table, vanishing = zero_state(cell, {"f": b_f, "i": b_i, "g": 0, "o": b_o})
    f, i, o = sp.symbols("f i o", positive=True)
    values = {f: sigma(b_f), i: sigma(b_i), o: sigma(b_o)}
    short = {value: symbol for symbol, value in values.items()}
    operator = operator_jacobian(cell).applyfunc(lambda e: sp.sympify(e).replace(Site, lambda x: x.xreplace(table).xreplace(short)))
    return table, vanishing, operator, values, (f, i, o)


@statement("lstm.zero_state_singular_values", "An LSTM at rest is never isometric", ("T9",), LSTM)
def lstm_singular_values(cell):
    """N singular values vanish; s^2 of the others is (1 + o^2)(f^2 + i^2 a_g^2 x), x Marchenko-Pastur on [0, 4] [T9]."""
    table, vanishing, J, values, (f, i, o) = _lstm_at_rest(cell)
    U = gain_matrix("g")
    column, row = sp.Matrix([o, 1]), sp.Matrix([[i * U, f]])
    a_g = gain_symbols(cell)[cell.field_names.index("g")]
    catalan = [trace(((0, False), (0, True)) * k, [sp.Integer(1)]) for k in range(1, 6)]
    x = sp.Symbol("x")
    square = (1 + o**2) * (f**2 + i**2 * a_g**2 * x)
    moments = [sp.Integer(1), *catalan]

    def over_x(power):
        return sum((c * moments[k] for (k,), c in sp.Poly(square**power, x).terms()), sp.Integer(0))

    first = (1 + o**2) * (f**2 + i**2 * a_g**2)
    return Derivation(
        latex=r"\mathrm{rank}\, J = N, \qquad s^2 = (1 + o^2)(f^2 + i^2 a_g^2 x), \quad x \sim \text{Marchenko-Pastur on } [0, "
        r"4], \qquad "
        rf"m_1 = {sp.latex(first)}",
        steps=(
            Step(
                r"Fixed biases $b_f$, $b_i$, $b_o$ and $b_g = 0$; $f$, $i$, $o$ are $\sigma$ of the first three. The Jacobian "
                r"is a column times "
                r"a row of blocks, in the order $(h, c)$:",
                r"J = \begin{pmatrix} o \\ 1 \end{pmatrix} \begin{pmatrix} i\, U_g & f \end{pmatrix}",
            ),
            Step(
                r"So a change of $h$ by any $v$ and of $c$ by $-(i/f)\, U_g v$ is forgotten at once: half of the singular "
                r"values vanish "
                r"whatever the gains and the biases. An LSTM at rest is never isometric in $(h, c)$. The others are those of "
                r"the row, times "
                r"$\sqrt{1 + o^2}$, and $U_g U_g^T / a_g^2$ has the moments 1, 2, 5, 14, 42 of the law of Marchenko and Pastur "
                r"on $[0, 4]$."
            ),
        ),
        claims=(
            vanishing,
            Equal("J is a column times a row, any N", J, column * row),
            Equal("what it forgets, any N", f * J * sp.Matrix([f, -i * U]), sp.zeros(2, 1)),
            Equal("the column's square", (column.T * column)[0], 1 + o**2),
            *(Equal(f"moment {k} of x", m, sp.catalan(k)) for k, m in enumerate(catalan, start=1)),
            Equal("m_1, per site", _moment_at_rest(cell, table, 1), over_x(1).xreplace(values)),
            Equal("m_2, per site", _moment_at_rest(cell, table, 2), over_x(2).xreplace(values)),
            Equal("m_1 in closed form", over_x(1), first),
        ),
        how="for any $N$, and by non-crossing pairings",
    )


@statement("lstm.zero_state_gradients", "Growth of gradients at the zero state", ("T9",), LSTM)
def lstm_gradients(cell):
    """G(n) = (1 + o^2)(f^2 + i^2 a_g^2) mean |f + w e^(i theta)|^(2 (n - 1)), w = o i a_g; loss on h: share o^2/(1 + o^2) [T9]."""
    table, vanishing, J, values, (f, i, o) = _lstm_at_rest(cell)
    U = gain_matrix("g")
    a_g = gain_symbols(cell)[cell.field_names.index("g")]
    column, row = sp.Matrix([o, 1]), sp.Matrix([[i * U, f]])
    inner = f + o * i * U
    width = o * i * a_g
    K = (lam - f) * (lam_bar - f) - width**2
    whole = 2 + f / (lam - f) + f / (lam_bar - f) + (1 + o**2) * (f**2 + i**2 * a_g**2) / K
    blocks = Blocks(cell)
    numbers = {symbol: entry.xreplace(table) for symbol, entry in blocks.table.items()}
    powers = [blocks.overlap(n, n).xreplace(numbers).replace(Mean, lambda x: x) for n in (1, 2)]
    disc = {z: f, w: width}

    def growth(n):
        return (1 + o**2) * (f**2 + i**2 * a_g**2) * binomial_growth(n - 1).xreplace(disc)

    return Derivation(
        latex=r"G(n) = (1 + o^2)(f^2 + i^2 a_g^2) \int \frac{d\theta}{2\pi} |f + w e^{i\theta}|^{2(n-1)}, \qquad w = o\, i\, a_g",
        steps=(
            Step(
                r"$J$ is a column $(o, 1)$ times a row $(i\, U_g, f)$, so that",
                r"J^n = \begin{pmatrix} o \\ 1 \end{pmatrix} (f + o\, i\, U_g)^{n-1} \begin{pmatrix} i\, U_g & f \end{pmatrix},",
            ),
            Step(
                r"a memory that goes $c \to (f + w U)\, c$, whose growth is that of $z + w U$. Of a loss on $h_n$ alone the "
                r"share $o^2/(1 + "
                r"o^2)$ is seen; of what is seen $f^2$ comes from $c_0$ and $i^2 a_g^2$ from $h_0$."
            ),
            *_GROWTH_STEPS,
        ),
        claims=(
            vanishing,
            Equal("J^2, any N", (J * J).applyfunc(sp.expand), (column * inner * row).applyfunc(sp.expand)),
            Equal("row times column, any N", (row * column)[0], inner),
            Equal("two-point function", resting_two_point(cell, table), (whole / (lam * lam_bar)).xreplace(values)),
            *(Equal(f"tied, n = {n}, by pairings", G, growth(n).xreplace(values)) for n, G in enumerate(powers, start=1)),
            *_powers_claims(),
            *_circle_claims(),
        ),
        how="for any $N$, from the two-point function, and by non-crossing pairings",
    )
