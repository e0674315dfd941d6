"""The GRU of one and two units in continuous time, dh/dt = F(h, y(h)) - h, and its Euler map, the discrete GRU [JSP].

Flow and map have the same fixed points. Whether these are stable, and where an oscillation begins, is not the same.
"""

from __future__ import annotations

import sympy as sp

from gating_theory.cell.builtin import GRU
from gating_theory.cell.symbolic import sigma

from .site import canonical
from .statement import Derivation, Equal, NonNegative, Positive, Step, statement

h, a, c, u, b = sp.symbols("h a c u b", real=True)
k = sp.Symbol("k", positive=True)
b_z, b_r = sp.symbols("b_z b_r", real=True)
x = sp.Symbol("x", nonnegative=True)

#: e^{i alpha}: with it cosine and sine are rational functions, and their identities are seen by expansion.
turn = sp.Symbol("e")
cos, sin = (turn + 1 / turn) / 2, (turn - 1 / turn) / (2 * sp.I)

#: The rotation that stands for U_h / k.
ROTATION = sp.Matrix([[cos, -sin], [sin, cos]])


def composed(cell, state, matrices, biases):
    """(fields, next state) of a small network: lists of n expressions per field and per unit, for cells with one state variable.

    ``state`` holds n expressions, ``matrices`` and ``biases`` map the names of fields to n x n Matrices and to numbers that all
    units share (what is left out is 0).
    """
    n = len(state)
    (own,) = cell.state
    sites = [{own: value} for value in state]
    for name, y, message in zip(cell.field_names, cell.fields, cell.messages):
        U = matrices.get(name, sp.zeros(n, n))
        m = [message.xreplace(site) for site in sites]
        for i, site in enumerate(sites):
            site[y] = biases.get(name, sp.Integer(0)) + sum(U[i, j] * m[j] for j in range(n))
    fields = {name: [site[y] for site in sites] for name, y in zip(cell.field_names, cell.fields)}
    return fields, [cell.update[0].xreplace(site) for site in sites]


def velocity(cell, state, matrices, biases):
    """dh/dt = F(h, y(h)) - h as a column."""
    _, new = composed(cell, state, matrices, biases)
    return sp.Matrix(new) - sp.Matrix(state)


@statement("flow.one_dimension", "One unit has at most three fixed points", ("JSP",), GRU)
def one_dimension(cell):
    """atanh(h) - u h sigma(a h + c) = b has at most three roots, counted with multiplicity [JSP; the bound is ours]."""
    one = {"z": sp.Matrix([[sp.Symbol("U_z", real=True)]]), "r": sp.Matrix([[a]]), "h": sp.Matrix([[u]])}
    biases = {"z": b_z, "r": c, "h": b}
    fields, _ = composed(cell, [h], one, biases)
    gate = sigma(one["z"][0, 0] * h + b_z)
    argument = u * h * sigma(a * h + c) + b
    phi = sp.atanh(h) - (fields["h"][0] - b)
    # S and its derivatives by t = a h, at y = c + t
    t = sp.Symbol("t", real=True)
    p = sigma(c + t)
    S = p + t * sp.diff(p, t)
    S1, S2 = sp.diff(S, t), sp.diff(S, t, 2)
    P, T, e = sp.symbols("p t e", real=True)

    def Q(p, t):
        return -2 * p * (1 - p) ** 2 * t**2 - p * (3 - 4 * p) * t - (1 + 2 * p)

    at_maximum = 2 / (2 * P - 1)
    below = -1 / (2 * P - 1) ** 2 - P * (6 * P - 5) / (2 * P - 1) * e - 2 * P * (1 - P) ** 2 * e**2
    small, large = sp.Rational(5, 6) * x / (1 + x), (sp.Rational(5, 6) + x) / (1 + x)
    half = (sp.Rational(1, 2) + x) / (1 + x)
    inside = x / (1 + x)
    tau, E = sp.Symbol("tau", nonnegative=True), sp.Symbol("E", positive=True)
    return Derivation(
        latex=r"\#\{h : \operatorname{artanh} h - u\, h\, \sigma(a h + c) = b\} \le 3",
        steps=(
            Step(
                r"$\dot h = (1 - z)\,(\tanh(u\, r\, h + b) - h)$ vanishes where $\varphi(h) = \operatorname{artanh} h - u\, h\, "
                r"\sigma(a h + c)$ equals $b$, whatever $z$ does. Four roots of $\varphi = b$ would give three of "
                r"$\varphi'$ (Rolle, "
                r"with multiplicities); we show that it has at most two. With $p = \sigma(c + t)$, $t = a h$:",
                r"\varphi' = \frac{1}{1 - h^2} - u\, S(a h), \qquad S(t) = p + t\, p\,(1 - p)",
            ),
            Step(
                r"$a = 0$: $S$ is constant and $1/(1 - h^2)$ strictly convex. $a < 0$ is $a > 0$ seen in $-h$, so let $a > "
                r"0$. $S$ has "
                r"one zero $t_0$ (below it $S < 0$), because $1 + t + e^{c + t}$ grows; and one maximum $t_{\max} > 0$, "
                r"where $t (2 p - "
                r"1) = 2$, beyond which $S$ falls, because $t (2 p - 1)$ grows where both factors are positive.",
                r"S = p (1 - p)\,(1 + t + e^{c + t}), \qquad S' = p (1 - p)\,(2 - t (2 p - 1))",
            ),
            Step(
                r"The identity that decides. $Q$ is negative for $p < 8/9$ by its discriminant. For $p > 5/6$ and $t = 2/(2 "
                r"p - 1) - "
                r"e$, $e \ge 0$, it is negative by its expansion in $e$; and $t < t_{\max}$ means $e > 0$ wherever $p > "
                r"1/2$. So $\log|S|$ "
                r"is strictly concave on both sides of $t_0$, up to $t_{\max}$.",
                r"S S'' - S'^2 = p^2 (1 - p)\, Q, \qquad Q = -2 p (1 - p)^2 t^2 - p (3 - 4 p)\, t - (1 + 2 p),"
                r"\qquad \mathrm{disc}_t\, Q = p (9 p - 8)",
            ),
            Step(
                r"$G(h) = -\log(1 - h^2) - \log|u S(a h)|$ is zero where $\varphi'$ is, $u S > 0$. For $u < 0$ it is "
                r"strictly convex on "
                r"$S < 0$: at most two zeros. For $u > 0$ it is strictly convex up to $h_{\max} = t_{\max}/a$, and beyond "
                r"it $G' > 0$: at "
                r"most one minimum, not degenerate, so at most two zeros again. For $u = 0$ there is none."
            ),
        ),
        claims=(
            Equal("velocity", velocity(cell, [h], one, biases)[0, 0], (1 - gate) * (sp.tanh(argument) - h)),
            Equal("fixed state of a unit", cell.closed_form[cell.state[0]], sp.tanh(cell.fields[cell.field_names.index("h")])),
            Equal("phi'", sp.diff(phi, h), 1 / (1 - h**2) - u * S.xreplace({t: a * h})),
            Equal("a < 0 is a > 0 seen in -h", -phi.subs(h, -h), phi.subs(a, -a)),
            Equal("sign of S", S, p * (1 + t * (1 - p))),
            Equal("e^y in terms of the gate", sigma(sp.log(E)).rewrite(sp.exp), E / (1 + E)),
            Equal("zero of S", 1 + t * (1 - E / (1 + E)), (1 - E / (1 + E)) * (1 + t + E)),
            Positive("1 + t + e^(c + t) grows", sp.diff(1 + t + sp.exp(c + t), t)),
            Equal("S'", S1, p * (1 - p) * (2 - t * (2 * p - 1))),
            Equal("d/dt of t (2 p - 1)", sp.diff(t * (2 * p - 1), t), 2 * p - 1 + 2 * t * p * (1 - p)),
            NonNegative(
                "which is not negative at p >= 1/2, t >= 0", sp.factor((2 * P - 1).subs(P, half)) + 2 * tau * inside / (1 + x)
            ),
            Equal("S S'' - S'^2 = p^2 (1 - p) Q", S * S2 - S1**2, p**2 * (1 - p) * Q(p, t)),
            Equal("discriminant of Q", sp.discriminant(Q(P, T), T), P * (9 * P - 8)),
            NonNegative("it is negative for 0 < p <= 5/6: -disc / p", sp.factor((8 - 9 * P).subs(P, small))),
            NonNegative("Q opens downwards", 2 * inside * (1 - inside) ** 2),
            Equal("Q below the maximum of S", Q(P, at_maximum - e), below),
            NonNegative("its slope for 5/6 <= p < 1", sp.factor((P * (6 * P - 5) / (2 * P - 1)).subs(P, large))),
            Equal("-log(1 - h^2) is strictly convex", sp.diff(-sp.log(1 - h**2), h, 2), 2 * (1 + h**2) / (1 - h**2) ** 2),
            Positive("1 + h^2", 1 + h**2),
            Equal("-log(1 - h^2) grows for h > 0", sp.diff(-sp.log(1 - h**2), h), 2 * h / (1 - h**2)),
            Equal("a = 0", sp.diff(phi, h).subs(a, 0), 1 / (1 - h**2) - u * sigma(c)),
        ),
        how="as polynomials in $t$, $h$ and the gate",
    )


def _rotated(cell):
    """Jacobian of the map at h = 0 for U_h = k R(alpha), any U_z and U_r, biases b_z and b_r, and the gates there."""
    states = sp.Matrix(sp.symbols("h_1 h_2", real=True))
    names = {f: sp.Matrix(2, 2, lambda i, j, f=f: sp.Symbol(f"U_{f}{i + 1}{j + 1}", real=True)) for f in "zr"}
    _, new = composed(cell, list(states), names | {"h": k * ROTATION}, {"z": b_z, "r": b_r})
    zero = dict.fromkeys(states, sp.Integer(0))
    moved = sp.Matrix(new).xreplace(zero)
    return sp.Matrix(new).jacobian(list(states)).xreplace(zero), moved, sigma(b_z), sigma(b_r)


@statement("flow.hopf", "Where the zero state of two units begins to turn", ("JSP",), GRU)
def hopf(cell):
    """U_h = k R(alpha): Hopf bifurcation of the flow at sigma(b_r) k cos(alpha) = 1; k cos(alpha) = 2 at zero bias [JSP]."""
    M, moved, s_z, s_r = _rotated(cell)
    J = M - sp.eye(2)
    m = s_r * k
    critical = {k: 1 / (s_r * cos)}
    return Derivation(
        latex=r"\sigma(b_r)\, k \cos\alpha = 1, \qquad \omega = (1 - \sigma(b_z)) \tan\alpha"
        r" \qquad\text{(zero biases: } k \cos\alpha = 2,\ \omega = \tfrac12 \tan\alpha \text{)}",
        steps=(
            Step(
                r"$U_h = k R(\alpha)$ with the rotation $R$, $b_h = 0$, any $U_z$, $U_r$, $b_z$, $b_r$. At $h = 0$ the "
                r"changes of both "
                r"gates multiply zero.",
                r"J = (1 - s_z)\,(s_r k\, R(\alpha) - 1), \qquad s_z = \sigma(b_z),\ s_r = \sigma(b_r)",
            ),
            Step(
                r"$\mathrm{tr}\, J = 2 (1 - s_z)(s_r k \cos\alpha - 1)$ passes 0 where $\det J = (1 - s_z)^2 \tan^2\alpha > "
                r"0$, and "
                r"grows with $k$ (for $\cos\alpha > 0$). At $k = 3$ and zero biases, $\alpha = \arccos(2/3) = 0.8411$."
            ),
        ),
        claims=(
            Equal("h = 0 is a fixed point", moved, sp.zeros(2, 1)),
            Equal("J", J, (1 - s_z) * (m * ROTATION - sp.eye(2))),
            Equal("trace", J.trace(), 2 * (1 - s_z) * (m * cos - 1)),
            Equal("trace at the Hopf curve", J.trace().subs(critical), 0),
            Equal(
                "determinant there",
                J.subs(critical).det(),
                ((1 - s_z) * sin / cos) ** 2,
            ),
            Equal("zero biases", critical[k].subs(b_r, 0) * cos, 2),
            Equal("k = 3", sp.cos(sp.acos(sp.Rational(2, 3))) * 3, 2),
        ),
        how="for all gate matrices and biases of the gates",
    )


@statement("flow.neimark_sacker", "Where the zero state of the map begins to turn: always before the flow", ("JSP",), GRU)
def neimark_sacker(cell):
    """|sigma(b_z) + (1 - sigma(b_z)) sigma(b_r) k e^{i alpha}| = 1; |1/2 + (k/4) e^{i alpha}| = 1 at zero biases [JSP]."""
    M, _, s_z, s_r = _rotated(cell)
    q = (1 - s_z) * s_r * k
    square = (s_z + q * turn) * (s_z + q / turn)
    zero = {b_z: sp.Integer(0), b_r: sp.Integer(0)}
    k_ns = 2 * (sp.sqrt(3 + cos**2) - cos)
    # any two-dimensional fixed point: multipliers 1 + lambda
    A = sp.Matrix(2, 2, sp.symbols("A_11 A_12 A_21 A_22", real=True))
    omega, damping = sp.Symbol("omega", positive=True), sp.Symbol("delta", nonnegative=True)
    return Derivation(
        latex=r"\left|\sigma(b_z) + (1 - \sigma(b_z))\, \sigma(b_r)\, k\, e^{i \alpha}\right| = 1"
        r" \qquad\text{(zero biases: } k = 2\,(\sqrt{3 + \cos^2\alpha} - \cos\alpha) \text{)}",
        steps=(
            Step(
                r"Forward Euler with step 1 has the multipliers $1 + \lambda$ of the flow's eigenvalues $\lambda$. A "
                r"complex pair leaves "
                r"the unit circle where $|1 + \lambda|^2 = \det(1 + J) = 1$, that is $\mathrm{tr}\, J + \det J = 0$, the "
                r"flow's where "
                r"$\mathrm{tr}\, J = 0$. As $\det J = |\lambda|^2 > 0$, the map has lost a focus when the flow loses it.",
                r"|1 + \lambda|^2 - 1 = \mathrm{tr}\, J + \det J",
            ),
            Step(
                r"At zero biases the curve is $k^2/16 + (k/4) \cos\alpha + 1/4 = 1$. At $\alpha = \pi/2$ the map oscillates "
                r"from $k = 2 "
                r"\sqrt 3$ on, the flow never; as $b_z \to \infty$ both conditions become one."
            ),
        ),
        claims=(
            Equal("det(1 + J)", M.det(), s_z**2 + 2 * s_z * q * cos + q**2),
            Equal("which is the squared modulus of the multiplier", square, s_z**2 + 2 * s_z * q * cos + q**2),
            Equal("det(1 + J) - 1 of any 2 x 2 matrix", (sp.eye(2) + A).det() - 1, A.trace() + A.det()),
            Positive("det J of a focus that the flow just loses", omega**2 + damping**2),
            Equal("the curve at zero biases", M.det().subs(zero).subs(k, k_ns), 1),
            Equal("its k is positive: 3 + cos^2 > cos^2", (k_ns / 2 + cos) ** 2 - cos**2, 3),
            Equal("alpha = pi/2", k_ns.subs(turn, sp.I), 2 * sp.sqrt(3)),
        ),
        how="for all gate matrices and biases of the gates",
    )


@statement("flow.normal_form", "The oscillation is born stable", ("JSP",), GRU)
def normal_form(cell):
    """w' = (1 - s_z)(m (w - |w|^2 w/4 - conj(w)^3/12) - w): cubic coefficient -1/8 at the Hopf curve, zero biases [JSP; ours]."""
    s_z, s_r = sigma(b_z), sigma(b_r)
    w, w_bar, size = sp.symbols(r"w \bar{w} epsilon")
    # w = y_1 + i y_2 with the candidate's fields y = s_r U_h h: h = y/(s_r k) turned back
    y = sp.Matrix([(w + w_bar) / 2, (w - w_bar) / (2 * sp.I)])
    back = ROTATION.T * y / (s_r * k)
    fields, _ = composed(cell, list(size * back), {"h": k * ROTATION}, {"z": b_z, "r": b_r})
    drive = velocity(cell, list(size * back), {"h": k * ROTATION}, {"z": b_z, "r": b_r})
    term, third = s_r * k * ROTATION * drive.applyfunc(canonical), sp.zeros(2, 1)
    for n in range(4):
        third += term.subs(size, 0) * size**n / sp.factorial(n)
        term = term.diff(size)
    m = s_r * k * turn
    claimed = (1 - s_z) * (m * (size * w - size**3 * (w**2 * w_bar / 4 + w_bar**3 / 12)) - size * w)
    speed = sp.expand(third[0] + sp.I * third[1])
    cubic = speed.coeff(size, 3).coeff(w, 2).coeff(w_bar, 1)
    critical = {k: 1 / (s_r * cos)}
    growth = (1 - s_z) * (s_r * k * cos - 1)
    saturation = -(1 - s_z) * s_r * k * cos / 4
    amplitude2 = 4 * (1 - 1 / (s_r * k * cos))
    # the map: multiplier mu = s_z + (1 - s_z) m, here on the unit circle (turn stands for e^{i theta} in these lines)
    m_map = (turn - s_z) / (1 - s_z)
    turned = -(1 - s_z) * m_map / 4 / turn
    leak = x / (1 + x)
    return Derivation(
        latex=r"\dot w = (1 - s_z) \left[m \left(w - \tfrac14 |w|^2 w - \tfrac1{12} \bar w^3\right) - w\right] + O(|w|^5), \qquad "
        r"m = s_r\, k\, e^{i\alpha}",
        steps=(
            Step(
                r"$U_h = k R(\alpha)$, $U_z = U_r = 0$, $b_h = 0$; $w = y_1 + i y_2$ with the candidate's fields $y = s_r "
                r"U_h h$. There is "
                r"no quadratic term, so the coefficient of $|w|^2 w$ is that of the normal form. On the Hopf curve "
                r"$\mathrm{Re}\, m = 1$",
                r"\mathrm{Re}\, c_1 = -\tfrac14 (1 - s_z) < 0 \qquad (-\tfrac18 \text{ at zero biases})",
            ),
            Step(
                r"The bifurcation is supercritical, and the cycle close to it has the radius of the zero of the growth rate,",
                r"|w|^2 = 4 \left(1 - \frac{1}{\mathrm{Re}\, m}\right)",
            ),
            Step(
                r"The map turns supercritically too: with $\mu = s_z + (1 - s_z) m = e^{i\theta}$, the real part of its "
                r"cubic coefficient, "
                r"turned back by $\mu$, is negative for every $\theta$ (but $\theta = \pi/2$, where $\bar w^3$ is in resonance).",
                r"\mathrm{Re}\,(\bar\mu\, c) = -\tfrac14 (1 - s_z \cos\theta) < 0",
            ),
        ),
        claims=(
            Equal("fields", sp.Matrix(fields["h"]), size * y),
            Equal("speed to third order", speed, claimed),
            Equal("cubic coefficient", cubic, -(1 - s_z) * m / 4),
            Equal("its real part", cubic + cubic.xreplace({turn: 1 / turn}), 2 * saturation),
            Equal("on the Hopf curve", saturation.subs(critical), -(1 - s_z) / 4),
            Equal("zero biases", (-(1 - s_z) / 4).subs(b_z, 0), -sp.Rational(1, 8)),
            Equal("radius", growth + saturation * amplitude2, 0),
            Equal("map: multiplier", s_z + (1 - s_z) * m_map, turn),
            Equal("map: real part", (turned + turned.xreplace({turn: 1 / turn})) / 2, -(1 - s_z * cos) / 4),
            Positive("1 - s_z cos(theta) >= 1 - s_z > 0", sp.factor(1 - leak)),
        ),
        how="as polynomials in $w$ and $\\bar w$",
    )
