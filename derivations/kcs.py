"""The gated network in continuous time, its gates states of their own: transfer matrix, edge, Euler maps [T2, T3, T8, KCS]."""

from __future__ import annotations

import sympy as sp

from gating_theory.cell.builtin import KCS
from gating_theory.cell.cell import Cell
from gating_theory.cell.symbolic import sigma, transfer_matrix

from .dmft import EulerMap, mu, step
from .edge import claimed_average, edge_at_fixed_point, loop_gain, solved_site
from .site import Mean, Notation, lam, lam_bar
from .statement import Derivation, Equal, Step, statement

a_r, a_h = sp.symbols("a_r a_h", positive=True)


def notation(cell):
    """Gates and tanh of the states, their derivatives, and the rates k of the gates: one over their time constants."""
    n = Notation(cell)
    x, z, r = cell.state
    n.x, n.y_h = x, n.field("h")
    for name, function, state in (("z", sigma, z), ("r", sigma, r), ("p", sp.tanh, x)):
        letter, index = ("phi", "") if name == "p" else ("sigma", f"_{name}")
        setattr(n, name, n.define(letter + index, function(state)))
        # in braces: squares of what has a prime and an index are no TeX otherwise
        setattr(n, f"d{name}", n.define(rf"{{\{letter}'{index}}}", sp.diff(function(state), state)))
    n.k_z, n.k_r = cell.parameters
    return n


def _with_rates(cell):
    """The same cell with rates k in place of logarithms of time constants."""
    rates = {log_tau: sp.Symbol(f"k_{name}", positive=True) for name, log_tau in zip("zr", cell.parameters)}
    return Cell(
        name=cell.name,
        state=cell.state,
        fields=cell.fields,
        messages=cell.messages,
        update=[F.subs({log_tau: -sp.log(k) for log_tau, k in rates.items()}) for F in cell.update],
        fixed_point=cell.fixed_point,
        parameters=list(rates.values()),
    )


def _transfer(n):
    """W(1 + mu), rows and columns in the order z, r, h."""
    gate = n.dp * n.dz * (n.y_h - n.x) * n.k_z / ((mu + n.z) * (mu + n.k_z))
    drive = n.dp * n.z / (mu + n.z)
    reset = n.p * n.dr * n.k_r / (mu + n.k_r)
    return sp.Matrix([[gate, 0, drive], [gate, 0, drive], [n.r * gate, reset, n.r * drive]])


@statement("kcs.transfer_matrix", "Transfer matrix of the flow", ("T2", "KCS"), KCS)
def transfer(cell):
    """W at rates mu of the flow, lambda = 1 + mu, with 1/tau = k of the gates [T2, KCS]."""
    cell = _with_rates(cell)
    n = notation(cell)
    W = _transfer(n)
    return Derivation(
        latex=rf"W(1 + \mu) = {sp.latex(W)}",
        steps=(
            Step(
                r"$\sigma_z = \sigma(z)$, $\sigma_r = \sigma(r)$, $\phi = \tanh(x)$ of the states, primes are derivatives, and "
                r"$k = 1/\tau$ of the gates. A slow gate is a filter, $k/(\mu + k)$, between its field and what it does; "
                r"$k \to \infty$ is a gate that follows at once."
            ),
        ),
        claims=(Equal("W", transfer_matrix(cell, lam).subs(lam, 1 + mu), n.write_out(W)),),
        how=r"as rational functions of the gates and $\mu$",
    )


@statement("kcs.euler", "Spectra of Euler maps of slow gates are those of the flow", ("T8",), KCS)
def euler(cell):
    """W of the Euler map at 1 + step mu is W at 1 + mu, whatever the time constants [T8]."""
    cell = _with_rates(cell)
    n = notation(cell)
    claimed = n.write_out(_transfer(n))
    return Derivation(
        latex=r"W_\Delta(1 + \Delta \mu) = W(1 + \mu)",
        steps=(Step(r"The step cancels in $M_s (\lambda - F_s)^{-1} F_y$, with three states as with one."),),
        claims=(
            Equal("the cell at 1 + mu", transfer_matrix(cell, lam).subs(lam, 1 + mu), claimed),
            Equal("the Euler map at 1 + step mu", transfer_matrix(EulerMap(cell), lam).subs(lam, 1 + step * mu), claimed),
        ),
        how="at any state of a site and for any step",
    )


@statement("kcs.edge", "Edge of the flow's spectrum, and what gates cannot move", ("T3", "KCS"), KCS)
def edge(cell):
    """At a fixed point 1 - det(1 - T); at mu = 0 nothing of z and of time constants is left: they make modes slow, not unstable."""
    cell = _with_rates(cell)
    n = notation(cell)
    drive = n.dp**2 * n.z**2 / sp.Abs(lam - 1 + n.z) ** 2
    reset = Mean(n.k_r**2 / sp.Abs(lam - 1 + n.k_r) ** 2)  # time constants may be spread over sites
    condition = a_h**2 * (Mean(n.r**2) + a_r**2 * Mean(n.p**2) * Mean(n.dr**2) * reset) * Mean(drive)
    at_zero = a_h**2 * (Mean(n.r**2) + a_r**2 * Mean(n.p**2) * Mean(n.dr**2)) * Mean(n.dp**2)
    one = {lam: sp.Integer(1), lam_bar: sp.Integer(1)}
    return Derivation(
        latex=rf"{sp.latex(condition.subs(lam, 1 + mu), order='none')} = 1, \qquad "
        rf"\mu = 0: \quad {sp.latex(at_zero, order='none')} = 1",
        steps=(
            Step(
                r"At a fixed point $x = y_h$, so that the update gate only sets rates. Where it is steep a share of the sites has "
                r"$\sigma(z)$ near 0, hardly any leak: their modes gather at $\mu = 0$ and integrate what comes in, while "
                r"whether the spectrum has passed $\mu = 0$ does not depend on $z$, nor on time constants."
            ),
        ),
        claims=(
            solved_site(cell),
            Equal("1 - det(1 - T)", loop_gain(edge_at_fixed_point(cell)), claimed_average(n, condition)),
            Equal("at mu = 0", loop_gain(edge_at_fixed_point(cell, one)), claimed_average(n, at_zero)),
        ),
        how="as averages over independent fields",
    )
