"""Textbook vector fields as flows: a cell whose update is a polynomial of its fields."""

import numpy as np
import sympy as sp

from gating_theory import Cell
from gating_theory.flow import Flow

_NAMES = ("l", "k", "p", "q", "r")
_S, *_FIELDS = sp.symbols("s y_l y_k y_p y_q y_r", real=True)
_L, _K, _P, _Q, _R = _FIELDS

#: ds/dt = l + k + p q r, all fields linear in the state.
CELL = Cell(name="cubic", state=[_S], fields=dict(zip(_NAMES, _FIELDS)), messages=[_S] * 5, update=[_S + _L + _K + _P * _Q * _R])


def cubic(**parts):
    """A Flow of CELL from U_l, b_l, ..., b_r by name; what is left out is 0."""
    n = len(next(iter(parts.values())))
    matrices = {name: np.array(parts.get(f"U_{name}", np.zeros((n, n))), dtype=float) for name in _NAMES}
    bias = {name: np.array(parts.get(f"b_{name}", np.zeros(n)), dtype=float) for name in _NAMES}
    return Flow(CELL, matrices, bias)


def takens(b1, b2):
    """Bogdanov-Takens: x' = y, y' = b1 + b2 x + x^2 + x y; b1 is "b_l[1]", b2 is "U_k[1,0]"."""
    return cubic(U_l=[[0, 1], [0, 0]], b_l=[0, b1], U_k=[[0, 0], [b2, 0]], U_p=[[0, 0], [1, 0]], U_q=[[0, 0], [1, 1]], b_r=[0, 1])


def front(a, c):
    """Travelling fronts of Nagumo's equation: u' = v, v' = -c v - u (1 - u) (u - a); "b_r[1]" is -a, "U_k[1,1]" is -c.

    A front from u = 1 to u = 0 exists exactly at c = sqrt(2) (1/2 - a).
    """
    return cubic(
        U_l=[[0, 1], [0, 0]],
        U_k=[[0, 0], [0, -c]],
        U_p=[[0, 0], [-1, 0]],
        U_q=[[0, 0], [-1, 0]],
        b_q=[0, 1],
        U_r=[[0, 0], [1, 0]],
        b_r=[0, -a],
    )


def sandstede(a, b, mu):
    """Sandstede's planar field: x' = a x + b y - a x^2, y' = b x + a y - 3/2 x (b x + a y) + mu y; mu is "U_k[1,1]".

    Its homoclinic orbit x^2 (1 - x) = y^2 exists at mu = 0 for all a and b, with eigenvalues a +- b at the saddle, the origin.
    J. Sandstede, J. Dyn. Diff. Eq. 9 (1997) 269.
    """
    return cubic(U_l=[[a, b], [b, a]], U_k=[[0, 0], [0, mu]], U_p=[[1, 0], [1, 0]], U_q=[[1, 0], [b, a]], b_r=[-a, -1.5])


def arneodo(a, b):
    """x' = y, y' = z, z' = a x - b y - z - x^3; a is "U_l[2,0]", "U_l[2,1]" is -b. The origin is a saddle-focus for a, b > 0.

    Its eigenvalues add up to -1: the saddle quantity vanishes where the positive one is 1, at a = b + 2.
    """
    down = [[0, 0, 0], [0, 0, 0], [-1, 0, 0]]
    up = [[0, 0, 0], [0, 0, 0], [1, 0, 0]]
    return cubic(U_l=[[0, 1, 0], [0, 0, 1], [a, -b, -1]], U_p=down, U_q=up, U_r=up)


def pendulum(damping, torque):
    """A driven, damped pendulum: x = cos(th), y = sin(th), th' = v, v' = torque - damping v - sin(th), on an attracting circle.

    The torque is "b_l[2]", "U_l[2,2]" is minus the damping.
    """
    names = ("l", "p", "q", "u", "m", "n")
    s, *fields = sp.symbols("s y_l y_p y_q y_u y_m y_n", real=True)
    line, p, q, u, m, n = fields
    update = [s + line + p * q + u * (1 - m**2 - n**2)]
    cell = Cell(name="circle", state=[s], fields=dict(zip(names, fields)), messages=[s] * 6, update=update)
    U = {name: np.zeros((3, 3)) for name in names}
    U["p"][0, 1], U["p"][1, 0] = -1, 1
    U["q"][:2, 2] = 1
    U["u"][:2, :2] = np.eye(2)
    U["m"][:2, 0] = U["n"][:2, 1] = 1
    U["l"][2] = [0, -1, -damping]
    return Flow(cell, U, {"l": [0, 0, torque]})
