"""The result of a dynamic mean field [T8]."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ...cell.cell import second_moment
from ...cell.white_noise import jacobian_feels
from ...ensemble.ensemble import Ensemble
from ...ensemble.sites import Sites
from ...errors import CapabilityError
from ...results.encoding import dict_of, require, result
from ...results.status import Status
from ...support.arithmetic import underflow_is_zero
from ...support.checks import real_array
from .clock import Clock, even_spectrum, from_even_spectrum
from .ring import Ring
from .sinusoid import Sinusoid, lines_of, turns_of, without_lines
from .white_input import white_fields

__all__ = ["DynamicMeanField", "at_lags", "checked_lags"]

#: Of sites: how many, times at which they are looked at in one lap, numbers that their fields may be.
_SITES, _TIMES, _MOST_NUMBERS = 1000, 2, 1 << 22


@result("dynamic_mean_field")
@dataclass(frozen=True)
class DynamicMeanField:
    """A state of an infinite network by its dynamic mean field [T8]; ``Spectrum(d)`` is of its Jacobian at one time.

    Times, rates and the exponent are per unit of time of the flow or of the Euler map; of the discrete network (step 1) that is per
    step. The Jacobian, and so ``Spectrum(d)``, is that of the discrete cell: of the flow its eigenvalues are lambda - 1.

    Attributes
    ----------
    ensemble : Ensemble
    step : float, of the map; of a flow what lags of ``correlations`` are apart
    flow : bool
    method : str, "lag" or "paths"
    moments : dict, {message name: E m^2}
    stderr : dict
        Their errors: standard errors for "paths"; for "lag" what series, windows and residuals leave, through the response.
    correlations : (n, M + 1) array, E m(t) m(t + tau) of the distinct messages at lags tau = 0, step, .. M step
    exponent, exponent_stderr : float, the largest Lyapunov exponent per unit of time; nan where there is none
    returns : bool or None
        Whether iteration of the correlations returns to the state: an upper branch; None where it is not known.
    seed : int, of random numbers behind it and behind ``sites``
    status : Status, ``ok`` where moments and exponent are what their errors say

        - "chaotic": the exponent is positive
        - "driven": it follows its white or sinusoidal input, the exponent is negative
        - "static": correlations do not decay, a fixed point that is not zero
        - "zero_state": every message vanishes
        - "undecided": an exponent that is zero within two errors
        - "short_window": correlations have not settled within the longest window
        - "not_converged": an equation was not solved
    sinusoid : Sinusoid or None, the sinusoidal input

    Examples
    --------
    The state of ``dmft`` is accepted where a fixed point is:

    >>> import gating_theory as gt
    >>> state = gt.dmft(gt.Ensemble(gt.Vanilla, gain=2))
    >>> state.verdict, round(state.moments["h"], 4), round(state.exponent, 4)
    ('chaotic', 0.5304, 0.1547)
    >>> round(gt.Spectrum(state).radius(), 3)  # of the Jacobian at one time
    1.163
    """

    ensemble: Ensemble
    step: float
    flow: bool
    method: str
    moments: dict[str, float]
    stderr: dict[str, float]
    correlations: np.ndarray
    exponent: float
    exponent_stderr: float
    returns: bool | None
    seed: int
    status: Status
    sinusoid: Sinusoid | None = None

    as_dict = dict_of

    @property
    def ok(self) -> bool:
        """Whether the numbers are what their errors say."""
        return self.status.ok

    @property
    def converged(self) -> bool:
        """The same as ``ok``."""
        return self.status.ok

    @property
    def verdict(self) -> str:
        """The code of the status."""
        return self.status.code

    @property
    def _turns(self):
        """Periods of the sinusoidal input in the ring that was solved."""
        return turns_of(self.sinusoid, Clock(self.step, self.flow), 2 * self.correlations.shape[1] - 2)

    @property
    def _aperiodic(self):
        """Correlations of what does not repeat with the input."""
        if not self._turns:
            return self.correlations
        return from_even_spectrum(without_lines(np.maximum(even_spectrum(self.correlations), 0.0), self._turns))

    @property
    def frozen(self) -> dict[str, float]:
        """{message name: C(infinity)}, the constant that never decays: the mean over the last quarter of the window."""
        C = self._aperiodic
        return dict(zip(self.ensemble.cell.message_names, C[:, -max(1, C.shape[1] // 4) :].mean(axis=1).tolist()))

    @property
    def lines(self) -> dict[str, np.ndarray]:
        """{message name: (H,) parts of E m^2 that repeat with a sinusoidal input [T8]}, in its own frequency and its multiples.

        They never decay and stand above what moves beside them; those up to half the steps' frequency are told. Empty without such
        input.
        """
        found = lines_of(np.maximum(even_spectrum(self.correlations), 0.0), self._turns)
        return dict(zip(self.ensemble.cell.message_names, found))

    @property
    def correlation_time(self) -> float:
        """The lag at which what decays of the first message's correlation has fallen to 1/e; 0 where it does so within a step."""
        C = self._aperiodic[0]
        frozen = self.frozen[self.ensemble.cell.message_names[0]]
        if not C[0] > frozen:
            return np.nan if self.status.code == "zero_state" else np.inf
        rho = (C - frozen) / (C[0] - frozen)
        below = int(np.argmax(rho < np.exp(-1.0)))
        if below == 1 and rho[1] <= 0.0:
            return 0.0
        return self.step * (below - (np.exp(-1.0) - rho[below]) / (rho[below - 1] - rho[below]))

    def lyapunov(self) -> tuple[float, float]:
        """The largest Lyapunov exponent per unit of time and its error [T8]; nan at the zero state and at static ones.

        Under input it is that of two copies which are shown the same: ``conditional_exponent``.
        """
        return self.exponent, self.exponent_stderr

    @property
    def conditional_exponent(self) -> float:
        """Largest exponent of the distance of two copies of one network under the same input [T8], per unit of time.

        The tangent problem is that along the driven state, with the input given: white, sinusoidal or frozen input is common to
        both copies, so this is ``exponent``. Below zero the copies forget their starts and follow the input together; above it they
        differ for ever. Its error is ``exponent_stderr``.
        """
        return self.exponent

    @underflow_is_zero
    def autocorrelation(self, lags: npt.ArrayLike) -> dict[str, np.ndarray]:
        """Second moments E x(t) x(t + lag) [T8].

        Parameters
        ----------
        lags : sequence of float >= 0, in units of time
            Of a map multiples of its step; of a flow any: spectra are interpolated. At most the window.

        Returns
        -------
        dict with "messages" (L, n), the distinct ones, and "fields" (L, K), without the white input of a flow

        Raises
        ------
        ValueError
            lags beyond the window or between the steps of a map
        """
        wanted, messages = at_lags(lags, self.correlations, self.step, self.flow)
        ensemble = self.ensemble
        gain2, listens = ensemble.array("gain") ** 2, list(ensemble.cell.message_of)
        fields = gain2 * messages[:, listens] + ensemble.array("bias") ** 2 + ensemble.array("bias_std") ** 2
        if not self.flow:
            fields += np.outer(wanted == 0.0, ensemble.array("input_std") ** 2)
        if self.sinusoid is not None:
            waves = np.cos(2.0 * np.pi * wanted / self.sinusoid.period)
            fields += 0.5 * np.outer(waves, self.sinusoid.amplitudes(ensemble) ** 2)
        return {"messages": messages, "fields": fields}

    def power_spectrum(self) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """The spectrum of what moves: S(w), the sum over lags of step C(lag) cos(w lag), without what stays or repeats [T8].

        E m^2 is the integral of S over all w, -pi/step to pi/step, over 2 pi, and ``frozen`` and the sum of ``lines`` besides.
        Of a flow the ring's steps cut it off at pi/step, which little of it reaches.

        Returns
        -------
        (frequencies, powers) : (M + 1,) array, angular frequencies 0 .. pi/step per unit of time; {message name: (M + 1,) array}
        """
        C = self._aperiodic
        moving = C - np.array(list(self.frozen.values()))[:, None]
        frequencies = np.linspace(0.0, np.pi / self.step, C.shape[1])
        powers = self.step * np.maximum(even_spectrum(moving), 0.0)
        return frequencies, dict(zip(self.ensemble.cell.message_names, powers))

    @cached_property
    def sites(self) -> Sites:
        """2000 sites at one time, from Gaussian paths with these correlations; fields are without the white noise of a flow.

        CapabilityError where that noise is in the derivatives of the rate: then there is no Jacobian of one time.
        """
        cell = self.ensemble.cell
        white = white_fields(self.ensemble) if self.flow else []
        if white and jacobian_feels(cell, white):
            raise CapabilityError(f"the Jacobian at one time holds the white noise of {', '.join(white)}: it has no spectrum")
        spectra = np.maximum(even_spectrum(self.correlations), 0.0)
        length = 2 * (spectra.shape[1] - 1)
        n = int(min(_SITES, max(20, _MOST_NUMBERS // (length * (cell.n_fields + cell.n_state)))))
        ring = Ring(self.ensemble, Clock(self.step, self.flow), length, n, self.seed, self.sinusoid)
        chunks = [ring.laps(spectra, 1 + chunk) for chunk in range(-(-_SITES // n))]
        times = [length * i // _TIMES for i in range(_TIMES)]
        state = np.concatenate([laps.state[:, t] for laps in chunks for t in times], axis=1)
        fields = np.concatenate([laps.fields[:, t] for laps in chunks for t in times], axis=1)
        parameters = np.concatenate([laps.parameters[:, t] for laps in chunks for t in times], axis=1)
        size = state.shape[1]
        weights, gain = np.full(size, 1.0 / size), self.ensemble.array("gain")
        return Sites(cell, weights, state, fields, parameters, gain, "dynamic mean field", matrices=self.ensemble.matrices)

    def check(self) -> None:
        """ValueError where moments are not those of the ensemble, or not the correlations at lag zero."""
        names = self.ensemble.cell.message_names
        require(
            tuple(self.moments) == tuple(self.stderr) == names, f"moments must be those of {list(names)}, got {list(self.moments)}"
        )
        C = self.correlations
        require(C.ndim == 2 and len(C) == len(names) and C.shape[1] >= 3, f"correlations must have a row for each of {list(names)}")
        require(self.step > 0.0 and self.method in ("lag", "paths"), "no step, or an unknown method")
        same = np.allclose(C[:, 0], list(self.moments.values()), rtol=1e-6, atol=1e-12)
        require(same, "moments are not the correlations at lag zero")

    def __str__(self) -> str:
        shown = ", ".join(f"{second_moment(n)} = {v:.7g} +- {self.stderr[n]:.1g}" for n, v in self.moments.items())
        clock = "flow" if self.flow else "map" if self.step == 1.0 else f"map of step {self.step:g}"
        return f"{self.ensemble.cell.name} dynamic mean field ({clock}): {shown} ({self.status})"


def at_lags(lags: npt.ArrayLike, correlations: np.ndarray, step: float, flow: bool) -> tuple[np.ndarray, np.ndarray]:
    """((L,) lags as numbers, (L, n) correlations there); ValueError where they are none of a map or of its window.

    Parameters
    ----------
    lags : sequence of float >= 0, in units of time
    correlations : (n, M + 1) array, even functions at lags 0, step, .. M step
    step : float
    flow : bool, whether any lag may be asked for
    """
    wanted = checked_lags(lags, step, flow)
    window = step * (correlations.shape[1] - 1)
    if not (wanted <= window).all():
        raise ValueError(f"lags must be from 0 to {window:g}, half the ring that was solved, got {lags!r:.60}")
    places = wanted / step
    if flow:
        spectra = even_spectrum(correlations)
        M = spectra.shape[1] - 1
        waves = np.cos(np.pi * np.outer(places, np.arange(M + 1)) / M)
        waves[:, 1:M] *= 2.0
        return wanted, waves @ spectra.T / (2 * M)
    return wanted, correlations[:, np.rint(places).astype(int)].T


def checked_lags(lags: npt.ArrayLike, step: float, flow: bool) -> np.ndarray:
    """(L,) lags as numbers; ValueError where they are negative, or between the steps of a map.

    Parameters
    ----------
    lags : sequence of float >= 0, in units of time
    step : float
    flow : bool, whether any lag may be asked for
    """
    wanted = np.atleast_1d(real_array("lags", lags))
    if wanted.ndim != 1 or not ((wanted >= 0.0) & np.isfinite(wanted)).all():
        raise ValueError(f"lags must be 0 or more, in units of time, got {lags!r:.60}")
    if not flow and np.abs(wanted / step - np.rint(wanted / step)).max(initial=0.0) > 1e-9:
        raise ValueError(f"lags must be multiples of the step {step:g}, got {lags!r:.60}")
    return wanted
