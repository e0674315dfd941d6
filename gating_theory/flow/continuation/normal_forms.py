"""Normal-form coefficients of fixed points at their bifurcations, from exact second and third derivatives [JSP].

Derivatives are Taylor coefficients sent through the equations (``program.taylor``). Formulas of Kuznetsov, Elements of Applied
Bifurcation Theory (3rd ed.): Hopf (5.34), Neimark-Sacker (5.74), flip (5.73).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...support.arithmetic import underflow_is_zero
from ...support.checks import choice, instance, real, real_array, shown
from ..flow import Flow
from ..limits import LONGEST_STEP
from ..program.taylor import bilinear, trilinear

__all__ = ["normal_form"]

#: Speed below which a state is a fixed point: continuation leaves 1e-10 and less.
_AT_REST = 1e-6


#: Overlap of a left and a right eigenvector below which the eigenvalue is a double one without a second eigenvector.
_DEFECTIVE = 1e-6


@underflow_is_zero
def normal_form(flow: Flow, state: npt.ArrayLike, kind: str, step: float = 1.0) -> float:
    """The normal-form coefficient of a fixed point at its bifurcation, from exact second and third derivatives.

    Parameters
    ----------
    flow : Flow
        At the critical parameters.
    state : (dim,) array
        The fixed point.
    kind : "hopf", "neimark_sacker", "flip", "pitchfork", "fold" or "transcritical"
    step : float > 0
        Of the Euler map, for "neimark_sacker" and "flip".

    Returns
    -------
    float
        Negative for supercritical hopf, neimark_sacker and pitchfork, positive for a supercritical flip. "fold" and
        "transcritical": half the second derivative along the critical direction.

    Raises
    ------
    TypeError, ValueError
        Unknown kind, a state that is no fixed point, a critical eigenvalue that is a double one with a single eigenvector
        (Bogdanov-Takens); for "hopf" and "neimark_sacker" one without a pair of complex eigenvalues.

    See Also
    --------
    gating_theory.flow.continue_fixed_point : Finds bifurcations, with their coefficients.

    Examples
    --------
    >>> import gating_theory as gt
    >>> flow = gt.GRUFlow(U_h=[[2, -2], [2, 2]])
    >>> round(gt.flow.normal_form(flow, [0.0, 0.0], "hopf"), 6)
    -1.0
    """
    instance("flow", flow, Flow)
    choice("kind", kind, _FORMS)
    state, step = real_array("state", state), real("step", step, low=0.0, high=LONGEST_STEP, open_low=True)
    if state.shape != (flow.dim,):
        raise ValueError(f"state must have shape ({flow.dim},), got {state.shape}")
    speed = float(np.abs(flow(state)).max())
    if speed > _AT_REST:
        raise ValueError(f"state must be a fixed point of flow: it moves at a speed of {speed:.3g} at {shown(state)}")
    return _FORMS[kind](flow, state, flow.jacobian(state), step)


def _hopf(flow, state, A, step):
    values, vectors = np.linalg.eig(A)
    i = _turning(values, np.abs(values.real))
    q, p = _dual(A, values[i], vectors[:, i])
    qbar, w = q.conj(), values[i].imag
    cubic = p.conj() @ trilinear(flow, state, q, qbar)
    slow = p.conj() @ bilinear(flow, state, q, np.linalg.solve(A, bilinear(flow, state, q, qbar)))
    fast = p.conj() @ bilinear(flow, state, qbar, np.linalg.solve(2j * w * np.eye(flow.dim) - A, bilinear(flow, state, q, q)))
    return float((cubic - 2.0 * slow + fast).real / (2.0 * w))


def _neimark_sacker(flow, state, A, step):
    # the map is x + step f: its Jacobian is 1 + step A, its higher derivatives step times those of f
    values, vectors = np.linalg.eig(A)
    i = _turning(values, np.abs(np.abs(1.0 + step * values) - 1.0))
    q, p = _dual(A, values[i], vectors[:, i])
    qbar, mu = q.conj(), 1.0 + step * values[i]
    cubic = p.conj() @ trilinear(flow, state, q, qbar)
    slow = p.conj() @ bilinear(flow, state, q, np.linalg.solve(-A, bilinear(flow, state, q, qbar)))
    double = (mu**2 - 1.0) * np.eye(flow.dim) - step * A
    fast = p.conj() @ bilinear(flow, state, qbar, np.linalg.solve(double, step * bilinear(flow, state, q, q)))
    return float(0.5 * (step * (cubic + 2.0 * slow + fast) / mu).real)


def _flip(flow, state, A, step):
    values, vectors = np.linalg.eig(A)
    q, p = _real_dual(A, values, vectors, int(np.argmin(np.abs(2.0 + step * values))))
    cubic = p @ trilinear(flow, state, q, q) / 6.0
    square = bilinear(flow, state, q, q)
    return float(step * cubic - 0.5 * step * (p @ bilinear(flow, state, q, np.linalg.solve(A, square))))


def _quadratic(flow, state, A, step):
    values, vectors = np.linalg.eig(A)
    q, p = _real_dual(A, values, vectors, int(np.argmin(np.abs(values))))
    return float(0.5 * p @ bilinear(flow, state, q, q))


def _pitchfork(flow, state, A, step):
    values, vectors = np.linalg.eig(A)
    q, p = _real_dual(A, values, vectors, int(np.argmin(np.abs(values))))
    square = bilinear(flow, state, q, q)
    # B(q, A^+ B(q, q)) with the bordered inverse, which leaves out the critical direction
    bordered = np.block([[A, q[:, None]], [p[None], np.zeros((1, 1))]])
    inner = np.linalg.solve(bordered, np.append(square - (p @ square) * q, 0.0))[:-1]
    return float(p @ trilinear(flow, state, q, q) / 6.0 - 0.5 * p @ bilinear(flow, state, q, inner))


_FORMS = {
    "hopf": _hopf,
    "neimark_sacker": _neimark_sacker,
    "flip": _flip,
    "pitchfork": _pitchfork,
    "fold": _quadratic,
    "transcritical": _quadratic,
}


def _turning(values, gap):
    """Which eigenvalue of positive imaginary part has the smallest gap to the critical place."""
    turning = values.imag > 1e-12
    if not turning.any():
        raise ValueError(f"state has no pair of complex eigenvalues: {shown(values)}")
    return int(np.argmin(np.where(turning, gap, np.inf)))


def _dual(A, value, q):
    """The eigenvector q at unit length and the left one p with <p, q> = 1."""
    q = q / np.linalg.norm(q)
    values, vectors = np.linalg.eig(A.T)
    p = vectors[:, int(np.argmin(np.abs(values - np.conj(value))))]
    overlap = np.conj(p) @ q
    if abs(overlap) < _DEFECTIVE:
        raise ValueError(f"state has a double eigenvalue, {shown(value)}, with a single eigenvector: there is no such normal form")
    return q, p / np.conj(overlap)


def _real_dual(A, values, vectors, i):
    """As :func:`_dual` for the real eigenvalue i."""
    q, p = _dual(A, values[i], vectors[:, i].real)
    return q.real, p.real
