"""The shape of the autocorrelation of a given size, and the growth of that size: all moving states are zeros of one function [T8].

For a constant leak the spectrum of the state is that of its drive through a filter. At given C(0) = D the map C -> C' has one shape
C = C' D / C'(0) with

    G(D) = log (C'(0) / D),

and states of an ensemble are the zeros of G, as fixed points are those of log R(q)/q: stable under iteration where G falls. Along a
branch either a gain or D is solved for, so that unstable branches and folds are as easy as others. For the flow of an ensemble
without frozen biases G = log(2 int_0^D F dC / (c D)^2), conservation of energy in C'' = c^2 C - F.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .clock import Clock, even_spectrum, from_even_spectrum
from .lag_law import LagForm, LagLaw
from .mixing import fixed_point_of

__all__ = ["Energy", "LagShape", "energy_at", "has_energy", "shape_at"]

#: The residual of shapes, evaluations at most, and for rough ones: a growth is stationary in the shape.
_TOL, _LIMIT, _FEW, _DEPTH, _PLAIN = 1e-13, 400, 40, 8, 6
#: The residual that tells whether a window is long enough, and what the end of one may differ by where little is asked.
_ROUGH, _ROUGH_FLAT = 1e-6, 1e-4
#: Time that half a ring of rough shapes may hold, beside a sixteenth of the longest: small steps do not make states faster.
_ROUGH_TIME = 256.0
#: Half rings: the first, the longest; what the end of one may differ from the rest of it, relative to C(0).
_FIRST, _LONGEST, _FLAT = 64, 1 << 14, 1e-11
#: C at half the ring over C(0) above which a shape is static, and leak times that half a ring has to hold for it: in short ones
#: anything that is slow stands still. Those of the first ring.
_STILL, _TURN, _SPAN = 0.99, 200.0, 16.0
#: A drive that makes less than this part of the variance is silent.
_SILENT = 1e-200
#: Nodes of the integral that is the energy.
_NODES = 120
#: Lags of flows are this fine at first, in leak times; what their spectrum may be at its highest frequency, relative to its mean.
_FINE, _HIGHEST, _FINEST = 0.25, 1e-11, 1.0 / 64.0


@dataclass(frozen=True)
class LagShape:
    """A solution of the shape's equation.

    Attributes
    ----------
    law : LagLaw
    clock : Clock
    C : (M + 1,) array, at lags 0 .. M times ``clock.step``
    growth : float, G
    residual : float, of the shape
    flat : float, what the last quarter of the half ring differs in, relative to C(0): 0 where the window is long enough
    """

    law: LagLaw
    clock: Clock
    C: np.ndarray
    growth: float
    residual: float
    flat: float

    @property
    def frozen(self) -> float:
        """C at half the ring."""
        return float(self.C[-1])


@dataclass(frozen=True)
class Energy:
    """The growth of an amplitude by conservation of energy, without its shape."""

    variance: float
    growth: float


def has_energy(form: LagForm, clock: Clock) -> bool:
    """Whether correlations decay to zero by a law of motion in the lag: in the flow, where nothing is frozen.

    Parameters
    ----------
    form : LagForm
    clock : Clock
    """
    return clock.flow and not form.frozen and abs(form.at(1.0)(np.array([1.0, 0.0]))[0][1]) < 1e-14


def energy_at(form: LagForm, variance: float) -> Energy:
    """The growth at C(0) = variance, for forms that have an energy.

    Parameters
    ----------
    form : LagForm
    variance : float > 0
    """
    x, w = np.polynomial.legendre.leggauss(_NODES)
    u = 0.5 * (x + 1.0)  # C = D (1 - u^2): near D a drive with a steep function changes fastest
    F, _ = form.at(variance)(np.concatenate([[variance], variance * (1.0 - u**2)]))
    integral = variance * float((0.5 * w * 2.0 * u) @ F[1:])
    return Energy(variance, float(np.log(2.0 * integral / (form.leak * variance) ** 2)))


def shape_at(form: LagForm, variance: float, clock: Clock, start: LagShape | None = None, rough: bool = False) -> LagShape:
    """The shape at C(0) = variance.

    Parameters
    ----------
    form : LagForm
    variance : float > 0
    clock : Clock; of flows the step is found here, from leak / 4 down
    start : LagShape, optional, a neighbour to start from
    rough : bool, whether a growth to about 1e-5 is enough, and correlations that have fallen to 1e-4

    Returns
    -------
    LagShape, whose ``flat`` is above 1e-11 where even 2^14 lags are too few
    """
    law = form.at(variance)
    if clock.flow:
        clock = Clock(_FINE / form.leak if start is None else start.clock.step, True)
    # iteration leaves a static shape that is not stable, but not from the shape itself
    moving = start is not None and start.frozen <= _STILL * start.C[0]
    C = start.C * (variance / start.C[0]) if start is not None and moving else _first(form, variance, clock, _lags(form, clock))
    highest, flat = (np.sqrt(_HIGHEST), _ROUGH_FLAT) if rough else (_HIGHEST, _FLAT)
    longest = min(_LONGEST, max(_LONGEST // 16, int(_ROUGH_TIME / clock.step))) if rough else _LONGEST
    while True:  # windows that are too short, and lags too far apart, show before all digits are there
        found = _solved(law, clock, C, _ROUGH, _FEW if rough else _LIMIT)
        still = found.frozen > _STILL * variance and clock.step * form.leak * found.C.size < _TURN
        if not still and _is_fine(found, highest) and found.flat <= np.sqrt(flat) or found.C.size > longest:
            if not rough:
                found = _solved(law, clock, found.C, _TOL, _LIMIT)
            if _is_fine(found, highest) and found.flat <= flat or found.C.size > longest:
                return found
        if still:
            C = _first(form, variance, clock, 2 * found.C.size - 2)
        elif not _is_fine(found, highest) and clock.step * form.leak > _FINEST:
            clock, C = Clock(0.5 * clock.step, True), _finer(found.C)
        else:
            C = np.concatenate([found.C, np.full(found.C.size - 1, found.C[-1])])


def _is_fine(found, highest):
    if not found.clock.flow:
        return True
    spectrum = even_spectrum(found.C)
    return bool(spectrum[-1] <= highest * spectrum.mean())


def _lags(form, clock):
    return max(_FIRST, 1 << int(np.ceil(np.log2(_SPAN / max(clock.step * form.leak, 1e-3)))))


def _first(form, variance, clock, M):
    lags = np.arange(M + 1) * clock.step * form.leak
    return variance * np.exp(-0.5 * (lags / 2.0) ** 2) if clock.flow or form.leak * clock.step < 1.0 else variance * (lags == 0.0)


def _finer(C):
    """The same function at lags half as far apart, on the same ring."""
    spectrum = even_spectrum(C)
    spectrum[-1] *= 0.5  # the highest frequency becomes two
    return from_even_spectrum(np.concatenate([spectrum, np.zeros(C.size - 1)])) * 2.0


def _solved(law, clock, C, tol, limit):
    M, variance = C.size - 1, law.variance
    through = clock.filter(law.form.leak, M + 1)
    counts = np.full(M + 1, 2.0)
    counts[[0, -1]] = 1.0
    counts /= 2 * M  # of each frequency in C(0)
    growth = 0.0

    def image(spectrum):
        nonlocal growth
        spectrum = np.maximum(spectrum, 0.0)  # mixing may leave the covariances
        F = law.drive(from_even_spectrum(spectrum * (variance / (counts @ spectrum))))
        new = np.maximum(through * even_spectrum(F), 0.0)
        size = float(counts @ new)
        if not size > _SILENT * variance:
            growth = -np.inf
            return spectrum
        growth = np.log(size / variance)
        return new * (variance / size)

    found = fixed_point_of(image, even_spectrum(C), tol, depth=_DEPTH, plain=_PLAIN, limit=limit)
    C = from_even_spectrum(image(found.x))
    return LagShape(law, clock, C, float(growth), found.residual, float(np.ptp(C[3 * M // 4 :])) / variance)
