"""Exact higher derivatives of a flow: Taylor polynomials sent through its tape, operation by operation.

f(x + e v, p + e q) = c_0 + c_1 e + c_2 e^2 + ..., with real or complex directions v, q. Normal forms of bifurcations need the
bilinear and trilinear derivatives, continuation the derivative by a parameter; neither is written by hand, nor a
difference quotient.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .compiled import compiled_flow, write_program
from .tape import NetworkTape

if TYPE_CHECKING:
    from ..flow import Flow
    from ..line import Path

__all__ = ["along_curve", "bilinear", "derivatives", "parameter_slope", "taylor", "trilinear"]


@lru_cache(maxsize=64)
def _program(cell, n_units):
    """[(number, operation)] that the vector field needs, and its outputs."""
    writer = NetworkTape(cell, n_units)
    outputs = writer.flow(slopes=False)[0]
    needed = write_program(writer.tape, outputs, lambda index, operation: (index, operation))
    return needed, outputs


def _add(a, b):
    if np.ndim(a) and np.ndim(b) or not (np.ndim(a) or np.ndim(b)):
        return a + b
    series, number = (a, b) if np.ndim(a) else (b, a)
    out = series.copy()
    out[0] += number
    return out


def _multiply(a, b):
    if not (np.ndim(a) and np.ndim(b)):
        return a * b
    out = np.zeros(np.broadcast_shapes(a.shape, b.shape), dtype=np.result_type(a, b))
    for k in range(len(out)):
        for j in range(k + 1):
            out[k] += a[j] * b[k - j]
    return out


def _integrate(u, first, slope):
    """The polynomial g with g_0 = ``first`` and g' = w u', where ``slope(k, g)`` is w_k, known from g_0..g_k."""
    out = np.zeros_like(u)
    out[0] = first
    w = []
    for k in range(1, len(u)):
        w.append(slope(k - 1, out))
        out[k] = sum(j * u[j] * w[k - j] for j in range(1, k + 1)) / k
    return out


def _square_term(a, k):
    return sum(a[j] * a[k - j] for j in range(k + 1))


def _stable_sigma(x):
    from scipy.special import expit

    from ...cell.numpy_code import complex_sigma

    return complex_sigma(x) if np.iscomplexobj(x) else expit(x)


def _stable_sech2(x):
    from ...cell.numpy_code import complex_sech2, sech2

    return complex_sech2(x) if np.iscomplexobj(x) else sech2(x)


def _sigma(u):
    shut = _stable_sigma(-u[0])  # 1 - sigma without the subtraction

    def slope(k, s):
        return s[0] * shut if k == 0 else s[k] - _square_term(s, k)

    return _integrate(u, _stable_sigma(u[0]), slope)


def _tanh(u):
    flat = _stable_sech2(u[0])
    return _integrate(u, np.tanh(u[0]), lambda k, t: flat if k == 0 else -_square_term(t, k))


def _sech2(u):
    t = _tanh(u)
    return _integrate(u, _stable_sech2(u[0]), lambda k, w: -2.0 * sum(t[j] * w[k - j] for j in range(k + 1)))


def _exp(u):
    return _integrate(u, np.exp(u[0]), lambda k, g: g[k])


def _reciprocal(a):
    out = np.zeros_like(a)
    out[0] = 1.0 / a[0]
    for k in range(1, len(a)):
        out[k] = -out[0] * sum(a[j] * out[k - j] for j in range(1, k + 1))
    return out


def _power(a, n):
    out = a
    for _ in range(n - 1):
        out = _multiply(out, a)
    return out


def _step(a):
    out = np.zeros_like(a)
    out[0] = np.real(a[0]) > 0
    return out


#: How each operation of the program acts on power series, lowest order first; those of the first kind take plain numbers too.
_ARITHMETIC: dict[str, Callable] = {"add": _add, "multiply": _multiply, "negative": np.negative}
_SERIES: dict[str, Callable[..., np.ndarray]] = {
    "reciprocal": _reciprocal,
    "tanh": _tanh,
    "sigma": _sigma,
    "sech2": _sech2,
    "exp": _exp,
    "ramp": lambda a: np.where(np.real(a[0]) > 0, a, 0.0 * a),
    "step": _step,
}


def taylor(
    flow: Flow, state: npt.ArrayLike, direction: npt.ArrayLike, order: int = 3, rates: np.ndarray | None = None
) -> np.ndarray:
    """Taylor coefficients of the vector field along a line in states and parameters.

    Parameters
    ----------
    flow : Flow
    state : (..., dim) array
    direction : (..., dim) array, real or complex
        Broadcast against ``state``.
    order : int
    rates : (P,) or (..., P) array, optional
        How the parameters, as in ``flow.flat``, grow along the line, or along each of the lines. Default: not at all.

    Returns
    -------
    (order + 1, ..., dim) array
        c_k with f(state + e direction) = sum_k c_k e^k; exact but for rounding. At the kink of a ReLU, those of its left side.
    """
    state, direction = np.broadcast_arrays(np.asarray(state, dtype=float), direction)
    return along_curve(flow, _line(state, direction, order), rates)


def _line(value, slope, order):
    """A straight line as a power series of this order."""
    out = np.zeros((order + 1, *np.broadcast_shapes(np.shape(value), np.shape(slope))), dtype=np.result_type(value, slope, float))
    out[0] = value
    if order > 0:
        out[1] = slope
    return out


def along_curve(flow: Flow, series: np.ndarray, rates: np.ndarray | None = None) -> np.ndarray:
    """Taylor coefficients of the vector field along a curve of states.

    Parameters
    ----------
    flow : Flow
    series : (order + 1, ..., dim) array, real or complex
        The states sum_k series_k e^k.
    rates : as for :func:`taylor`

    Returns
    -------
    (order + 1, ..., dim) array
    """
    order, lead, kind = len(series) - 1, series.shape[1:-1], np.result_type(series, float)
    needed, outputs = _program(flow.cell, flow.n_units)
    rates = np.zeros(len(flow.flat)) if rates is None else rates

    moving = np.atleast_1d(rates.any(axis=tuple(range(rates.ndim - 1))))

    def constant(value, slope=0.0):
        out = _line(value, slope, order).astype(kind)
        return out if out.ndim > 1 else out.reshape(-1, *(1 for _ in lead))

    def series_of(value):
        return value if np.ndim(value) else constant(value)

    # what does not change along the curve, most weights, stays a plain number
    values: dict[int, Any] = {}
    with np.errstate(over="ignore", under="ignore"):
        for index, (name, *arguments) in needed:
            if name == "x":
                values[index] = np.asarray(series[..., arguments[0]], dtype=kind)
            elif name == "p":
                value = flow.flat[arguments[0]]
                values[index] = constant(value, rates[..., arguments[0]]) if moving[arguments[0]] else value
            elif name == "number":
                values[index] = float(arguments[0])
            elif name == "power":
                values[index] = _power(values[arguments[0]], arguments[1])
            elif name in _ARITHMETIC:
                values[index] = _ARITHMETIC[name](*(values[a] for a in arguments))
            else:
                values[index] = _SERIES[name](*(series_of(values[a]) for a in arguments))
    out = np.zeros((order + 1, *lead, flow.dim), dtype=kind)
    for i, index in enumerate(outputs):
        if index is not None:
            out[..., i] = series_of(values[index])
    return out


def derivatives(flow: Flow, state: np.ndarray, paths: Sequence[Path]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The vector field with its first and second derivatives by the states and by the parameters of some paths, at one state.

    Parameters
    ----------
    flow : Flow
    state : (dim,) array
    paths : sequence of n paths

    Returns
    -------
    f : (dim,), D : (dim, dim + n), H : (dim, dim + n, dim + n) arrays, states first
    """
    m = flow.dim + len(paths)
    rates = np.zeros((m, len(flow.flat)))
    for row, path in zip(rates[flow.dim :], paths):
        row[:] = flow.rates(path)
    one = np.eye(m)
    i, j = np.triu_indices(m, 1)
    lines = np.concatenate([one, one[i] + one[j]])
    c = taylor(flow, state, lines[:, : flow.dim], 2, lines @ rates)
    H = np.zeros((flow.dim, m, m))
    H[:, range(m), range(m)] = 2.0 * c[2, :m].T
    # the second coefficient along a sum of two directions is that of both and their mixed derivative
    H[:, i, j] = H[:, j, i] = (c[2, m:] - c[2, i] - c[2, j]).T
    return c[0, 0], c[1, :m].T, H


def parameter_slope(flow: Flow, state: npt.ArrayLike, path: Path) -> np.ndarray:
    """df/dp at a state (..., dim) for the parameter of this path; (..., dim)."""
    state = np.asarray(state, dtype=float)
    points, out = np.ascontiguousarray(state).reshape(-1, flow.dim), np.empty((state.size // flow.dim, flow.dim))
    compiled_flow(flow.cell, flow.n_units).slope(points, flow.flat, np.array(flow.rates(path)), out)
    return out.reshape(state.shape)


def bilinear(flow: Flow, state: npt.ArrayLike, u: npt.ArrayLike, v: npt.ArrayLike) -> np.ndarray:
    """B(u, v) = sum_jk d^2 f / dx_j dx_k u_j v_k at one state (dim,), for directions that may be complex; (dim,)."""
    u, v = np.asarray(u), np.asarray(v)
    plus, minus = taylor(flow, state, np.stack([u + v, u - v]), 2)[2]
    return 0.5 * (plus - minus)


def trilinear(flow: Flow, state: npt.ArrayLike, u: npt.ArrayLike, v: npt.ArrayLike) -> np.ndarray:
    """C(u, u, v) = sum_jkl d^3 f / dx_j dx_k dx_l u_j u_k v_l at one state (dim,); (dim,)."""
    u, v = np.asarray(u), np.asarray(v)
    plus, minus, own = taylor(flow, state, np.stack([u + v, u - v, v]), 3)[3]
    return plus - minus - 2.0 * own
