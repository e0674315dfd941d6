"""The mean-field map near the zero state, R(q) = A q + B(q, q) + ...: growth of small moments, and what bends it [T5]."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import CapabilityError
from .moments import MomentMap

if TYPE_CHECKING:
    from ..cell.cell import Cell
    from ..ensemble.ensemble import Ensemble

__all__ = ["NoZeroState", "excess", "growth", "linear_map", "require_expansion", "slow_moments", "small_moments"]


#: Moments at which the linear map of a cell with kinks is measured: leading corrections go with their square roots and cancel
#: between the two. The moment at which what bends the map is told by its sign.
_SMALL, _LESS_SMALL, _BENT = 1e-12, 4e-12, 1e-5


class NoZeroState(CapabilityError):
    """Something was asked of a zero state that an ensemble does not have; ``reason`` says what does not vanish."""

    def __init__(self, ensemble: Ensemble) -> None:
        self.reason = _what_does_not_vanish(ensemble)
        super().__init__(f"{ensemble!r} has no zero state: {self.reason}")


def _what_does_not_vanish(ensemble):
    cell = ensemble.cell
    resting = ensemble.replace({path: 0.0 for path in ensemble.paths if path.split(".")[0] in ("bias", "bias_std", "input_std")})
    moments = MomentMap(resting)
    at_rest = moments(np.zeros((1, moments.n)), moments.scan_tol)[0]
    never = [name for name, q in zip(cell.message_names, at_rest) if q]
    if never:
        return f"message {never[0]!r} of cell {cell.name!r} does not vanish where all fields are zero"
    return "some message does not vanish (a bias of its field, or its spread)"


def require_expansion(cell: Cell, calculator: str) -> None:
    """CapabilityError for cells with kinks: their moments have no expansion to second order.

    Parameters
    ----------
    cell : Cell
    calculator : str, who asks
    """
    if not cell.compiled.smooth:
        raise CapabilityError(
            f"{calculator}: cell {cell.name!r} has kinks (Max, Abs, ...), so that its moments have no expansion to second order at "
            "the zero state; onset and fold do without"
        )


def linear_map(ensemble: Ensemble, second_order: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """A_kn = dR_k/dq_n at the zero state, and the quadratic form B, averaged over frozen spreads [T5].

    A and B are averages of derivatives of the cell. For cells with kinks, which have none there, A is measured on the map itself
    (to about 1e-10), and B is not known.

    Parameters
    ----------
    ensemble : Ensemble
    second_order : bool, whether B is wanted; it is zero otherwise

    Returns
    -------
    A : (n, n) array, B : (n, n, n) array

    Raises
    ------
    NoZeroState
        some message does not vanish there
    CapabilityError
        no closed-form site fixed point, or B of a cell with kinks
    """
    cell = ensemble.cell
    moments = MomentMap(ensemble)
    if not moments.has_zero_state:
        raise NoZeroState(ensemble)
    if not cell.compiled.smooth:
        if second_order:
            require_expansion(cell, "linear_map")
        return _measured(moments), np.zeros((moments.n,) * 3)
    linear, quadratic = cell.compiled.expansion
    average = _averages(moments)
    n, a2, listens = moments.n, moments.random.gain2, moments.random.listens
    A = np.zeros((n, n))
    for k in range(n):
        for l in np.flatnonzero(a2 > 0):
            A[k, listens[l]] += a2[l] * average(linear[k][l])
    return A, _second_order(moments, quadratic, average) if second_order else np.zeros((n, n, n))


def _averages(moments):
    """The mean of products of functions at the zero state, over frozen spreads."""
    cell, law = moments.cell, moments.law(np.zeros((1, moments.n)))
    cache = cell.compiled.zero_averages(law)
    return lambda products: float(np.sum(law.mean_of_products(cell, products, moments.fine, cache=cache)[0]))


def _second_order(moments, coefficients, average):
    """(n, n, n) quadratic form of moments from coefficients [message][field][field] of variances of fields."""
    n, a2, listens = moments.n, moments.random.gain2, moments.random.listens
    form, live = np.zeros((n, n, n)), np.flatnonzero(a2 > 0)
    for k in range(n):
        for l in live:
            for m in live:
                form[k, listens[l], listens[m]] += a2[l] * a2[m] * average(coefficients[k][l][m])
    return form


def _measured(moments):
    """A from the map at two small values of each moment."""
    columns = []
    for n in range(moments.n):
        q = np.zeros((2, moments.n))
        q[:, n] = _SMALL, _LESS_SMALL
        ratios = moments(q, moments.fine) / q[:, n, None]
        columns.append(2.0 * ratios[0] - ratios[1])
    return np.stack(columns, axis=1)


def excess(ensemble: Ensemble) -> float:
    """(alpha - 1)/(alpha + 1), half of log alpha where that is small; smooth where a gain goes to zero [T5]. As :func:`growth`.

    Parameters
    ----------
    ensemble : Ensemble
    """
    alpha = growth(ensemble)
    return 1.0 if np.isinf(alpha) else (alpha - 1.0) / (alpha + 1.0)


def growth(ensemble: Ensemble) -> float:
    """alpha, by which small moments grow under the mean-field map: the Perron value of A [T5]; errors as :func:`linear_map`.

    Infinite where averages overflow, as that of 1/(1 - f)^2 does where f is spread over tens of standard deviations of its field.

    Parameters
    ----------
    ensemble : Ensemble
    """
    with np.errstate(all="ignore"):
        A, _ = linear_map(ensemble, second_order=False)
    if not np.isfinite(A).all():
        return np.inf
    return float(np.max(np.linalg.eigvals(A).real))


def small_moments(ensemble: Ensemble) -> tuple[float, float]:
    """(alpha, beta) of R(D)/D = alpha + beta D + ..., D the moment of the first message, at the zero state [T5].

    alpha is the Perron value of A; beta = u.B(v, v)/(u.v) with its left and right vectors, v scaled to v_0 = 1. beta is NaN where
    the first message has no part in the growth. For cells with kinks it is (R(D)/D - alpha)/D at D = 1e-5: its sign says which
    way the map bends, though it may grow like D^(-1/2). Errors as :func:`linear_map`.

    Parameters
    ----------
    ensemble : Ensemble
    """
    smooth = ensemble.cell.compiled.smooth
    A, B = linear_map(ensemble, second_order=smooth)
    alpha, v, u = _perron(A)
    if v is None:
        return alpha, float("nan")
    if smooth:
        return alpha, float(np.einsum("k,kij,i,j->", u, B, v, v))
    moments = MomentMap(ensemble)
    return alpha, float(u @ (moments(_BENT * v[None], moments.fine)[0] / _BENT - A @ v) / _BENT)


def slow_moments(ensemble: Ensemble) -> tuple[float, float, float, float]:
    """(alpha, beta, P, Q) at the zero state, D the moment of the first message [T8].

    Moments that move slowly, with the correlation C at a lag, make alpha C + P C^2 + Q D^2 + (beta - P - Q) D C of it.
    alpha and beta are those of :func:`small_moments`, where C = D; NaN where the first message has no part in the growth.

    Parameters
    ----------
    ensemble : Ensemble, of a cell without kinks

    Raises
    ------
    NoZeroState, CapabilityError
        as :func:`linear_map`
    """
    require_expansion(ensemble.cell, "slow_moments")
    A, B = linear_map(ensemble)
    alpha, v, u = _perron(A)
    if v is None:
        return alpha, np.nan, np.nan, np.nan
    moments = MomentMap(ensemble)
    forms = [B, *(_second_order(moments, part, _averages(moments)) for part in ensemble.cell.compiled.slow_expansion)]
    beta, P, Q = (float(np.einsum("k,kij,i,j->", u, form, v, v)) for form in forms)
    return alpha, beta, P, Q


def _perron(A):
    """(Perron value, right vector with first entry 1, left vector of product 1 with it); no vectors where the first has no part."""
    values, right = np.linalg.eig(A)
    i = int(np.argmax(values.real))
    left_values, left = np.linalg.eig(A.T)
    j = int(np.argmin(np.abs(left_values - values[i])))
    v, u = right[:, i].real, left[:, j].real
    if v[0] == 0 or u @ v == 0:
        return float(values[i].real), None, None
    v = v / v[0]
    return float(values[i].real), v, u / (u @ v)
