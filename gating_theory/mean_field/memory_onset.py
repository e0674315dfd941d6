"""Where overlaps leave zero: the eigenvalue of the map of small overlaps that passes 1 [T11].

Without overlaps, kappa = 0, fields are as those of the random part alone. Small overlaps then grow by

    D_rs = E[B_r A_s] E[W_{k(r) l(s)}(1)],

W(1) the derivatives of a site's messages by its fields. Where a real eigenvalue of D passes 1 other solutions cross.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ensemble.critical_value import Critical, transition
from ..ensemble.ensemble import Ensemble
from ..ensemble.field_law import field_law
from ..ensemble.paths import AnyPath, EnsemblePath
from ..errors import CapabilityError, NoCriticalValue
from ..support.arithmetic import underflow_is_zero
from ..support.checks import instance, integer
from .expansion import growth
from .fixed_points import fixed_points, zero_state
from .moments import require_bounded
from .overlap_map import OverlapMap, overlap_map
from .path import Path

__all__ = ["memory_onset", "overlap_growth"]

#: What the docstring promises, relative to the larger of 1 and the value.
_ERROR = 1e-9
#: (mu - 1)/(mu + 1) is resolved to this where it is near zero, elsewhere to a part of itself.
_RESOLUTION, _HARMLESS = 1e-5, 0.25
#: Tolerance of averages over sites; eigenvalues whose imaginary part is this part of them are real.
_TOL, _REAL = 1e-12, 1e-7
#: Messages whose mean vanishes to this do not drive overlaps.
_NO_MEAN = 1e-10
#: Small overlaps at which it is looked at whether they grow faster or slower, in units of their possible size; the steps in which
#: moments follow them; what changes of the growth count.
_SMALL, _SETTLING, _NOTICED = 3e-3, 400, 1e-7
#: Beside the value, relative to the larger of 1 and it.
_BESIDE = 1e-4


@dataclass(frozen=True, repr=False)
class _Overlap(EnsemblePath):
    """The factor by which all right loadings, and so all overlaps, are multiplied."""

    def settings(self, ensemble, value):
        return ensemble.with_low_rank(ensemble.low_rank.scaled(value))

    def value(self, ensemble: Ensemble) -> float:
        return 1.0


_OVERLAP = _Overlap("overlap", r"\omega/\omega_0", "factor of the overlaps", (-np.inf, np.inf), (0.0, 100.0))


@underflow_is_zero
def memory_onset(
    ensemble: Ensemble, parameter: AnyPath = "overlap", bounds: tuple[float, float] | None = None, branch: int = 0
) -> Critical:
    """The value along a path at which overlaps leave zero [T11], of several the one nearest to the present one.

    mu = 1, where mu is the largest real eigenvalue by which small overlaps grow: an outlier of the low-rank part passes lambda = 1
    there. GRU at zero biases: overlap omega = 1 / sigma(b_r), whatever b_z; LSTM: (1 - sigma(b_f)) / (sigma(b_i)
    sigma(b_o)). Pairs of complex eigenvalues, which make overlaps rotate, are not looked for: ``Spectrum.outliers`` has them.

    Parameters
    ----------
    ensemble : Ensemble with a low-rank part, whose right loadings have mean zero, or whose messages have (no biases)
    parameter : str, Direction or callable, default "overlap"
        "overlap", the factor by which all right loadings are multiplied; or a path as of ``onset``, also a function of the value
        that returns an Ensemble with other loadings.
    bounds : (low, high), optional
        Default (0, 100) for "overlap"; elsewhere as of ``onset``.
    branch : int >= 0, default 0
        Which fixed point of the random part alone it is that overlaps leave, in the order of ``fixed_points``: 0 is the zero state
        where there is one.

    Returns
    -------
    Critical, its kind "memory_onset", with the moments of the state that overlaps leave; accurate to about 1e-9

    Raises
    ------
    CapabilityError
        No low-rank part; overlaps never vanish; no such branch; no closed-form fixed point of a site.
    NoCriticalValue
        no crossing within the bounds
    TypeError, ValueError
        no such path, bounds that are none

    See Also
    --------
    onset : where the random part loses stability
    LowRank : the part of the matrices that makes the memory

    Examples
    --------
    A pair of fixed points that remember a pattern appears in a GRU where the overlap reaches 1 / sigma(b_r):

    >>> import gating_theory as gt
    >>> memory = gt.LowRank("h", covariance=[[1.0, 0.5], [0.5, 1.0]])
    >>> gated = gt.Ensemble(gt.GRU, gain={"h": 0.5}, low_rank=memory)
    >>> round(float(gt.memory_onset(gated)), 4)  # the overlap 0.5 times this factor is 2
    4.0
    """
    _require_low_rank(instance("ensemble", ensemble, Ensemble))
    branch = integer("branch", branch)
    require_bounded(ensemble.cell)
    path = Path(ensemble, _OVERLAP if isinstance(parameter, str) and parameter == "overlap" else parameter, bounds)
    _require_no_overlaps(ensemble, _moments_without(ensemble, branch))

    def excess(there):
        mu = _largest_real(overlap_growth(_require_low_rank(there), _moments_without(there, branch)))
        return (mu - 1.0) / (abs(mu) + 1.0)

    values = path.zeros(excess, lambda v: _RESOLUTION + _HARMLESS * np.abs(v))
    between = f"between {path.low} and {path.high} for {ensemble!r}"
    if values is None:
        mu = _largest_real(overlap_growth(path.at(0.5 * (path.low + path.high)), _moments_without(ensemble, branch)))
        raise NoCriticalValue(
            f"memory_onset: beside fixed point {branch} of the random part small overlaps grow by {mu:.6g} "
            f"whatever {path.parameter!r} is, "
            f"{between}"
        )
    if not values:
        raise NoCriticalValue(f"memory_onset: no critical value of {path.parameter!r} {between}")
    return _onset_at(path, path.nearest(values), branch, excess)


def overlap_growth(ensemble: Ensemble, q: np.ndarray) -> np.ndarray:
    """(R, R) matrix D by which small overlaps grow at given moments of a state without overlaps [T11].

    Parameters
    ----------
    ensemble : Ensemble with a low-rank part
    q : (n,) array
    """
    low, cell = _require_low_rank(ensemble).low_rank, ensemble.cell
    assert low is not None
    law = field_law(ensemble.with_low_rank(None), q[None, :])
    spread = [v for v in range(law.means.size) if law.stds[0, v] > 0.0]
    values, weights, _ = law.grid(spread, _TOL)
    full = [np.asarray(mean) for mean in law.means]
    for v, nodes in zip(spread, values):
        full[v] = nodes[0]
    _, W = cell.compiled.response(full[: cell.n_fields], full[cell.n_fields :])
    names = cell.field_names
    fields = [names.index(channel) for channel in low.channels]
    slopes: dict[tuple[int, int], float] = {}
    for k in fields:
        for l in fields:
            slopes[k, l] = _averaged(W[cell.message_of[k]][l], weights)
    return low.overlap * np.array([[slopes[k, l] for l in fields] for k in fields])


def _averaged(values, weights):
    out = np.broadcast_to(np.asarray(values, dtype=float), tuple(w.shape[1] for w in weights))
    for w in reversed(weights):
        out = out @ w[0]
    return float(out)


def _largest_real(D):
    """The largest eigenvalue among the real ones; 0 where there is none."""
    values = np.linalg.eigvals(D)
    real = values[np.abs(values.imag) <= _REAL * np.abs(values)].real
    return float(real.max()) if real.size else 0.0


def _require_low_rank(ensemble):
    if ensemble.low_rank is None:
        raise CapabilityError(f"memory_onset: {ensemble!r} has no low-rank part: give Ensemble(.., low_rank=gt.LowRank(..))")
    return ensemble


def _moments_without(ensemble, branch):
    """(n,) moments of a fixed point of the random part alone."""
    bare = ensemble.with_low_rank(None)
    if branch == 0:
        start = zero_state(bare)
        if start is not None:
            return start.q
    points = fixed_points(bare)
    if branch >= len(points):
        raise CapabilityError(f"memory_onset: {bare!r} has {len(points)} fixed points, there is no branch {branch}")
    return points[branch].q


def _require_no_overlaps(ensemble, q):
    """CapabilityError unless kappa = 0 is a solution."""
    overlap = overlap_map(ensemble)
    u = np.concatenate([np.zeros(overlap.n_overlaps), q])
    left = np.abs(overlap(u[None, :], overlap.fine)[0] - u)[: overlap.n_overlaps] / overlap.scale[: overlap.n_overlaps]
    if left.max() > _NO_MEAN:
        raise CapabilityError(
            f"memory_onset: overlaps of {ensemble!r} never vanish: messages and right loadings both have a mean that is not zero; "
            "fixed_points along the path show where overlaps grow large"
        )


def _onset_at(path, value, branch, excess):
    there = path.at(value)
    q = _moments_without(there, branch)
    faster = _bend(there, q)
    step = _BESIDE * max(1.0, abs(value))
    below, above = (excess(path.at(v)) for v in (max(value - step, path.low), min(value + step, path.high)))
    # moments that grow by themselves leave no room for small overlaps: nothing is born from such a state
    alpha = 0.0 if q.any() else growth(there.with_low_rank(None))
    if alpha > 1.0:
        kind = f"random activity grows from there by itself, by {alpha:.4g} a step, so that no fixed point is born; see branch"
    elif faster is None:
        kind = "how solutions leave it was not resolved"
    elif max(faster) > _NOTICED and min(faster) < -_NOTICED:
        kind = "solutions cross it, to both sides"
    else:
        kind = f"locally {'discontinuous' if max(faster) > _NOTICED else 'continuous'}"
    return transition(
        value,
        path.parameter,
        kind="memory_onset",
        error=_ERROR,
        discontinuous=bool(faster is not None and max(faster) > _NOTICED),
        moments=dict(zip(there.cell.message_names, q.tolist())),
        ensemble=there,
        text=f"overlaps leave {'the zero state' if not q.any() else 'zero'}; {kind}",
        rising=bool(above > below) if below * above <= 0.0 else None,
    )


def _bend(ensemble, q):
    """By how much more than at first small overlaps of either sign grow where they neither grow nor decay; None if not found."""
    overlap: OverlapMap = overlap_map(ensemble)
    D = overlap_growth(ensemble, q)
    values, vectors = np.linalg.eig(D.T)
    left = vectors[:, np.argmin(np.abs(values - 1.0))].real
    values, vectors = np.linalg.eig(D)
    right = vectors[:, np.argmin(np.abs(values - 1.0))].real
    right = right * _SMALL / np.abs(right / overlap.scale[: right.size]).max()
    if left @ right == 0.0:
        return None
    grown = []
    for kappa in (right, -right):
        u = np.concatenate([kappa, q])[None, :]
        for _ in range(_SETTLING):
            new = overlap(u, overlap.fine)
            change = np.abs(new[0, kappa.size :] - u[0, kappa.size :]).max()
            u[0, kappa.size :] = new[0, kappa.size :]
            if change <= 1e-10 * np.abs(new[0, kappa.size :]).max():
                break
        else:
            return None
        grown.append(float(left @ (overlap(u, overlap.fine)[0, : kappa.size] - kappa) / (left @ kappa)))
    return grown
