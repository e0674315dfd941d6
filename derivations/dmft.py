"""Closed forms of the dynamic mean field [T8]: spectra of Euler maps, the lag form, the potential, where chaos begins by a jump."""

from __future__ import annotations

import sympy as sp

from gating_theory.cell.builtin import GRU, KCSFast
from gating_theory.cell.symbolic import sigma, transfer_matrix

from .gru import notation
from .site import lam
from .statement import Derivation, Equal, Step, statement

mu = sp.Symbol("mu")
step, D = sp.symbols("Delta D", positive=True)
a_r, a_h = sp.symbols("a_r a_h", positive=True)
b_r = sp.Symbol("b_r", real=True)


class EulerMap:
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
                "the Euler map at 1 + step mu", transfer_matrix(EulerMap(cell), lam).subs(lam, 1 + step * mu), n.write_out(claimed)
            ),
        ),
        how="at any state of a site and for any step",
    )


C, q, q_later, q_before = sp.symbols("C C_0 C_+ C_-", real=True)
omega, rate = sp.symbols("omega lambda", real=True)
#: E g g' of a drive as a function of the covariance of its fields, and of the two gates.
P, R = sp.Function("P"), sp.Function("R")


@statement("gru.lag_form", "Correlations where the update gate is constant", ("T8",), GRU)
def gru_lag_form(cell):
    """(1 + b^2) C(t) - b (C(t + 1) + C(t - 1)) = (1 - b)^2 F(t), F a function of C(t): the state is all that is needed [T8]."""
    (h,), (y_z, _, y_h) = cell.state, cell.fields
    b = cell.F_s[0, 0]
    K = _slope(cell, R)
    return Derivation(
        latex=r"\left|e^{i \omega} - b\right|^2 \hat C(\omega) = (1 - b)^2 \hat F(\omega), \qquad "
        r"F = P\left(a_h^2\, C\, R(a_r^2 C)\right), \qquad b = \sigma(b_z)",
        steps=(
            Step(
                r"While $y_z$ is held the update is $b h + f(y_h)$, with $b$ and $f$ free of the state, and messages are $h$ times "
                r"a function of $y_r$. So the fields' covariances follow from $C(\tau) = E\, h(t) h(t + \tau)$ in the order of the "
                r"fields, lag by lag; $P$ and $R$ are $E \tanh \tanh'$ and $E\, r r'$ as functions of a covariance."
            ),
            Step(
                r"Multiply $h(t + 1) - b h(t) = f(t)$ at two times and average:",
                r"(1 + b^2)\, C(\tau) - b\, C(\tau + 1) - b\, C(\tau - 1) = (1 - b)^2 F(\tau)",
            ),
            Step(
                r"Tangents see the slope of that, by Price's theorem; an exponent $s$ per step makes the smallest eigenvalue of "
                r"the tridiagonal $e^{2 s} + b^2 - K(\tau)$, off the diagonal $-b e^s$, zero.",
                r"K = (1 - b)^2\, \frac{dF}{dC} = (1 - b)^2 a_h^2\, P' \left(R + a_r^2\, C R'\right)",
            ),
        ),
        claims=(
            Equal("what is kept", b, sigma(y_z)),
            Equal("drive", cell.update[0].subs(h, 0), (1 - sigma(y_z)) * sp.tanh(y_h)),
            Equal("update", cell.update[0], b * h + (1 - b) * sp.tanh(y_h)),
            Equal("messages over the state", sp.Matrix(_scaled(cell)), sp.Matrix([1, 1, sigma(cell.fields[1])])),
            Equal(
                "two times",
                _at_two_times(b),
                (1 + sigma(y_z) ** 2) * q - sigma(y_z) * (q_later + q_before),
            ),
            Equal("slope of the drive", K, a_h**2 * _at(P) * (_value(R) + a_r**2 * C * _at(R))),
        ),
        how="for the cell's own update and messages, with the averages P and R left as functions",
    )


@statement("kcs_fast.lag_form", "Correlations of the gated flow of constant leak", ("T8", "KCS"), KCSFast)
def kcs_lag_form(cell):
    """C'' = c^2 (C - F) with F = g^2 R(a_r^2 P(C)) P(C), c = sigma(b_z): the state is Gaussian [T8, KCS]."""
    (x,), (y_z, y_r, y_h) = cell.state, cell.fields
    c = 1 - cell.F_s[0, 0]
    drive = cell.update[0] - cell.F_s[0, 0] * x
    value = _gaussian_drive(cell)
    return Derivation(
        latex=r"\frac{1}{c^2} \frac{d^2 C}{d \tau^2} = C - F(C), \qquad F(C) = a_h^2\, P(C)\, R\left(a_r^2 P(C)\right), "
        r"\qquad c = \sigma(b_z)",
        steps=(
            Step(
                r"While $y_z$ is held $\dot x = c\, (y_h - x)$: the drive is linear in its field, $x$ is Gaussian, and messages "
                r"may be any function of it and of gates that it does not drive. $P = E \tanh \tanh'$ and $R = E\, r r'$ as "
                r"functions of covariances."
            ),
            Step(r"In frequencies $(\omega^2 + c^2)\, \hat C = c^2 \hat F$.", r"\left|i \omega + c\right|^2 = \omega^2 + c^2"),
        ),
        claims=(
            Equal("leak", c, sigma(y_z)),
            Equal("drive", drive, sigma(y_z) * y_h),
            Equal("the drive is linear", drive.diff(y_h, 2), 0),
            Equal("messages", sp.Matrix(cell.messages), sp.Matrix([sp.tanh(x), sp.tanh(x), sigma(y_r) * sp.tanh(x)])),
            Equal("filter", sp.expand((sp.I * omega + c) * (-sp.I * omega + c)), omega**2 + sigma(y_z) ** 2),
            Equal("F", value, a_h**2 * P(C) * R(a_r**2 * P(C))),
        ),
        how="for the cell's own update and messages, with the averages P and R left as functions",
    )


@statement("kcs_fast.potential", "Correlations in a potential, and the exponent of chaos", ("T8", "KCS"), KCSFast)
def potential(cell):
    """V = -C^2/2 + int F dC: C'^2/(2 c^2) + V is conserved, chaos has V(C(0)) = 0; lam = -c + c sqrt(1 - E_0) [T8, KCS]."""
    tau = sp.Symbol("tau", real=True)
    c, path, F = 1 - cell.F_s[0, 0], sp.Function("C")(tau), _gaussian_drive(cell)
    V = -(C**2) / 2 + sp.Integral(F.subs(C, q), (q, 0, C))
    # energy of a path, its change along it, and there the law of motion
    change = path.diff(tau) * path.diff(tau, 2) / c**2 + sp.diff(V, C).doit().subs(C, path) * path.diff(tau)
    moving = sp.expand(change.subs(path.diff(tau, 2), c**2 * (path - F.subs(C, path))))
    E_0 = 1 - (1 + rate / c) ** 2
    return Derivation(
        latex=r"\frac{1}{2 c^2} \left(\frac{d C}{d \tau}\right)^2 + V(C) = V(C(0)) = 0, "
        r"\qquad V(C) = -\frac{C^2}{2} + \int_0^C F",
        steps=(
            Step(
                r"The law of motion $\ddot C = c^2 (C - F)$ conserves energy. Correlations are even, $\dot C(0) = 0$, and those of "
                r"a chaotic state decay to zero, where $V = 0$: so $V(C(0)) = 0$ decides its amplitude; $C(0)$ enters $F$ as well."
            ),
            Step(
                r"A tangent that grows as $e^{\lambda t}$ filters its drive by $i \omega + c + \lambda$. By Price's theorem the "
                r"drive's covariance is $c^2 F'(C)$ times the tangent's. In the lag times $c$ that is a particle in a well:",
                r"\left(-\frac{d^2}{d (c \tau)^2} + 1 - F'(C(\tau))\right) \kappa = E_0\, \kappa, "
                r"\qquad \lambda = -c + c \sqrt{1 - E_0}",
            ),
        ),
        claims=(
            Equal("energy is conserved", moving, 0),
            Equal("force", sp.diff(V, C).doit(), -C + a_h**2 * P(C) * R(a_r**2 * P(C))),
            Equal(
                "filter of tangents",
                sp.expand((sp.I * omega + c + rate) * (-sp.I * omega + c + rate)),
                omega**2 + c**2 * (1 - E_0),
            ),
            Equal("leak", c, sigma(cell.fields[0])),
        ),
        how="for the cell's own drive and leak, with the averages P and R left as functions",
    )


def _at_two_times(b):
    """E of (h(t + 1) - b h(t)) at two times that are tau apart, in terms of C(tau) and its neighbours."""
    h = {name: sp.Symbol(f"h_{name}") for name in ("now", "next", "later", "after")}  # at t, t + 1, t + tau, t + tau + 1
    product = sp.expand((h["next"] - b * h["now"]) * (h["after"] - b * h["later"]))
    lags = {("next", "after"): q, ("now", "later"): q, ("next", "later"): q_before, ("now", "after"): q_later}
    return sum(product.coeff(h[i], 1).coeff(h[j], 1) * lag for (i, j), lag in lags.items())


def _scaled(cell):
    """Messages over the state, where they are proportional to it."""
    (s,) = cell.state
    return [sp.cancel(message / s) for message in cell.messages]


def _slope(cell, R):
    """dF/dC of a cell like the GRU: each message is the state times 1 or a gate, the drive a function of the last field."""
    covariance: dict = {}
    for y, a, gate in zip(cell.fields, (sp.Symbol("a_z", positive=True), a_r, a_h), _scaled(cell)):
        driven_by = [field for field in cell.fields if gate.has(field)]
        covariance[y] = a**2 * C * (R(covariance[driven_by[0]]) if driven_by else 1)
    return sp.diff(P(covariance[cell.fields[-1]]), C).doit()


def _at(function):
    """Its derivative where the slope of the drive has it."""
    z = sp.Symbol("z")
    where = a_h**2 * C * R(a_r**2 * C) if function is P else a_r**2 * C
    return sp.Subs(function(z).diff(z), z, where).doit()


def _value(function):
    return function(a_r**2 * C)


def _gaussian_drive(cell):
    """F(C) of a Gaussian state: covariances of the fields in their order, of messages tanh(x), one of them with a gate."""
    (x,) = cell.state
    covariance: dict = {}
    for y, a, message in zip(cell.fields, (sp.Symbol("a_z", positive=True), a_r, a_h), cell.messages):
        gate = sp.cancel(message / sp.tanh(x))
        driven_by = [field for field in cell.fields if gate.has(field)]
        covariance[y] = a**2 * P(C) * (R(covariance[driven_by[0]]) if driven_by else 1)
    return covariance[cell.fields[-1]]


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
            Equal("onset", growth[0], a_h**2 * s**2),
            Equal("first order in D at the onset", growth[1], bend / 3 - 2),
            Equal("slope of a_h s", -growth[1] / 2, 1 - bend / 6),
        ),
        how="by expanding the energy of the cell's own messages and candidate, to first order in the amplitude",
    )


@statement("kcs_fast.chaos_jump", "Where chaos of the gated flow begins with a jump", ("T8", "KCS"), KCSFast)
def chaos_jump_of_flow(cell):
    """a_h sigma(b_r) = 1 + (1 - a_r^2 (1 - s)(5 - 8 s)/6) D: the law of the GRU, D = E x^2 of the state [T8, KCS]."""
    growth = _growth(cell)
    s = sigma(b_r)
    bend = a_r**2 * (1 - s) * (5 - 8 * s)
    return Derivation(
        latex=r"a_h\, \sigma(b_r) = 1 + \left(1 - \frac{a_r^2 (1 - s)(5 - 8 s)}{6}\right) D + O(D^2), \qquad s = \sigma(b_r)",
        steps=(
            Step(
                r"The GRU's candidate saturates after the product, here the message does before it: to first order "
                r"$E \tanh \tanh' = C (1 - 2 D)$. Both bend the energy alike, so that chaos jumps where "
                r"$a_r^2 (1 - s)(5 - 8 s) > 6$ here too: $a_r > \sqrt{12}$ at $b_r = 0$."
            ),
        ),
        claims=(
            Equal("onset", growth[0], a_h**2 * s**2),
            Equal("first order in D at the onset", growth[1], bend / 3 - 2),
            Equal("slope of a_h s", -growth[1] / 2, 1 - bend / 6),
        ),
        how="by expanding the energy of the cell's own messages and drive, to first order in the amplitude",
    )


def _growth(cell):
    """(2 int F dC / D^2 at D = 0, coefficient of D in its logarithm where that is 1) of a cell with a gate r, z held still.

    The message of h is a gate times a function of the state, the drive a function of y_h: of both slope and third derivative count.
    """
    (s,), (_, y_r, y_h) = cell.state, cell.fields
    message = cell.messages[2].diff(s).subs(s, 0)
    drive = (cell.update[0] - cell.F_s[0, 0] * s).subs(s, 0) / (1 - cell.F_s[0, 0])
    r, r1, r2 = (sp.diff(message, y_r, k).subs(y_r, b_r) for k in range(3))
    bent = sp.cancel(cell.messages[2].diff(s, 3).subs(s, 0) / message)  # third derivative over slope
    slope, third = (sp.diff(drive, y_h, k).subs(y_h, 0) for k in (1, 3))
    passed = (r**2 + a_r**2 * D * r * r2 + a_r**2 * C * r1**2) * (1 + bent * D)
    variance = a_h**2 * D * r**2  # to first order
    F = a_h**2 * C * passed * (slope**2 + slope * third * variance)
    # to first order in the amplitude, D and C alike
    small = sp.Symbol("small", positive=True)
    F = sp.series(sp.expand(F.subs({C: small * C, D: small * D}, simultaneous=True)), small, 0, 3).removeO().subs(small, 1)
    integral = sp.expand(2 * sp.integrate(sp.expand(F), (C, 0, D)) / D**2)
    zeroth, first = integral.subs(D, 0), sp.diff(integral, D).subs(D, 0)
    return zeroth, sp.simplify(first / zeroth).subs(a_h, 1 / r)
