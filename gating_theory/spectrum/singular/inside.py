"""What singular values say inside the support of the eigenvalues: their density at zero, there [T9].

Inside, p and q stay finite as the regulator goes to zero, and so does m(0) = lim (1/N) tr eta / (X X^dagger + eta^2). To first
order in eta the determinant is D_0 + eta (D_rows + D_columns), where the regulator acts on the rows or on the columns. One scales
like q, the other like p: the gauge in which m is extremal has both averages equal, so that

    m(0)^2 = E[D_rows / D_0] E[D_columns / D_0]

holds in every gauge: that of the eigenvalues' equations, too.
"""

from __future__ import annotations

import numpy as np

from ...errors import CapabilityError, ConvergenceError
from ..dyson import Population
from .regulated import Regulated, regulated

__all__ = ["regulator_slope"]

#: Iterations of what follows from the messages of a loop that counts, at most, and the relative change that ends them.
_MOST, _SAME = 10_000, 1e-14


def regulator_slope(population: Population, lam: complex, tol: float = 1e-12) -> float:
    """m(0), the derivative by eta of (1/2N) log det((lambda - J) (lambda - J)^dagger + eta^2) at 0; 0 outside the support [T9].

    Parameters
    ----------
    population : Population
    lam : complex, not a leak that a finite share of the sites has
    tol : float, relative

    Raises
    ------
    CapabilityError
        several loops of messages, that do not feed one another both ways, are inside at once
    ConvergenceError
        the equations were not solved
    """
    solution = population.solve(np.array([lam], dtype=complex), (), tol)
    x, theta = solution.x[0], solution.theta[0]
    inside = [block.messages for block in population.blocks if x[list(block.messages)].max() > 0.0]
    if not inside:
        return 0.0
    if len(inside) > 1:
        raise CapabilityError(
            f"at lambda = {lam} several loops of messages have eigenvalues: each leaves a gauge free, and singular values next to "
            "zero are not those of one loop; use singular_values(lam).regularised(eta) at small eta"
        )
    terms = regulated(population.sites, lam)
    p, q = np.sqrt(x) * np.exp(-theta), np.sqrt(x) * np.exp(theta)
    others = np.setdiff1d(np.arange(terms.n), inside[0])
    p[others], q[others] = 0.0, 0.0
    _complete(terms, p, q, others)
    inverse = terms.c @ (terms.weights / terms.determinant(p, q, 0.0))
    first = (p**terms.e).prod(axis=1) * (q**terms.f).prod(axis=1) * inverse * (terms.g == 1)
    on_rows = terms.f.sum(axis=1) > terms.e.sum(axis=1)
    return float(np.sqrt(first[on_rows].sum() * first[~on_rows].sum()))


def _complete(terms: Regulated, p: np.ndarray, q: np.ndarray, others: np.ndarray) -> None:
    """Set p and q of the messages that no loop inside holds: one of both vanishes, the other follows from the loop's."""
    for _ in range(_MOST if others.size else 0):
        by_p, by_q = terms.slopes(p, q, 0.0)
        new = np.concatenate([by_q[others], by_p[others]])
        change = np.abs(new - np.concatenate([p[others], q[others]]))
        p[others], q[others] = by_q[others], by_p[others]
        if (change <= _SAME * new).all():
            return
    if others.size:
        raise ConvergenceError("messages beside the loop that is inside did not converge", estimate=q)
