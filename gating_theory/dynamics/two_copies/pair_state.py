"""The result of two copies of a network [T8b]."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...ensemble.ensemble import Ensemble
from ...results.encoding import dict_of, require, result
from ...results.status import Status
from ...support.arithmetic import underflow_is_zero
from ..dynamic_mean_field.state import DynamicMeanField, at_lags

__all__ = ["PairState"]


@result("pair_state")
@dataclass(frozen=True)
class PairState:
    """Two copies of an infinite network under inputs that may differ: how alike they are, and how fast they become so [T8b].

    Copies have the same weights, in every step. Their correlation c* is where iteration from ``start`` leads. Times are those of
    ``copy``: per unit of time, of the discrete network per step.

    Attributes
    ----------
    copy : DynamicMeanField, one copy by itself
    rho_in, rho_frozen : float from -1 to 1, correlations of the copies' white inputs, and of their biases
    start : float, correlation at first
    correlation : dict, {message name: c* = E m^1 m^2 / E m^2}; nan where messages vanish
    stderr : dict, its errors, as those of ``copy``
    cross : (n, M + 1) array
        E m^1(t) m^2(t + tau) of the distinct messages at lags tau = 0, step, .. M step of ``copy``; even in tau.
    rate, rate_stderr : float
        log chi(c*) per unit of time: a small difference from the correlation falls as e^(rate t). At c* = 1 that is a squared
        distance, and the rate twice the exponent of one copy. nan where it is not known.
    status : Status, ``ok`` where the numbers are what their errors say

        - "together": common input makes both copies the same
        - "apart": under common input copies stay apart, c* < 1: no echo state
        - "correlated": c* of inputs that differ
        - "independent": c* is zero within its error
        - "frozen_gates": some sites remember longer than any time, the rate is that of a window; the words tell which of the above
        - "undecided": a rate that is zero within two errors; not ``ok`` at c* = 1, which copies may leave
        - "zero_state": every message vanishes
        - "short_window", "not_converged": as of ``copy``, or of the copies

    Examples
    --------
    Two copies of a chaotic network, the same input: they stay apart.

    >>> import gating_theory as gt
    >>> pair = gt.dmft(gt.Ensemble(gt.Vanilla, gain=2, input_std=0.2), replicas=2)
    >>> print(pair.verdict, round(pair.correlation["h"], 3))
    apart 0.12
    """

    copy: DynamicMeanField
    rho_in: float
    rho_frozen: float
    start: float
    correlation: dict[str, float]
    stderr: dict[str, float]
    cross: np.ndarray
    rate: float
    rate_stderr: float
    status: Status

    as_dict = dict_of

    @property
    def ensemble(self) -> Ensemble:
        """What both are copies of."""
        return self.copy.ensemble

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
    def timescale(self) -> float:
        """-1 / rate, in units of time: how long differences of the correlation are remembered; inf where they grow."""
        return -1.0 / self.rate if self.rate < 0.0 else np.nan if np.isnan(self.rate) else np.inf

    @underflow_is_zero
    def cross_correlation(self, lags: npt.ArrayLike) -> dict[str, np.ndarray]:
        """Second moments E x^1(t) x^2(t + lag) between the copies, the same for negative lags [T8b].

        Parameters
        ----------
        lags : sequence of float >= 0, as of :meth:`DynamicMeanField.autocorrelation`

        Returns
        -------
        dict with "messages" (L, n), the distinct ones, and "fields" (L, K)

        Raises
        ------
        ValueError
            lags beyond the window or between the steps of a map
        """
        wanted, messages = at_lags(lags, self.cross, self.copy.step, self.copy.flow)
        ensemble = self.ensemble
        gain2, listens = ensemble.array("gain") ** 2, list(ensemble.cell.message_of)
        fields = gain2 * messages[:, listens] + ensemble.array("bias") ** 2 + self.rho_frozen * ensemble.array("bias_std") ** 2
        fields += np.outer(wanted == 0.0, self.rho_in * ensemble.array("input_std") ** 2)
        return {"messages": messages, "fields": fields}

    def check(self) -> None:
        """ValueError where correlations are not those of the cell, or not those that copies can have."""
        names = self.ensemble.cell.message_names
        require(
            tuple(self.correlation) == tuple(self.stderr) == names,
            f"correlation must be that of {list(names)}, got {list(self.correlation)}",
        )
        require(self.cross.shape == self.copy.correlations.shape, "cross and the correlations of one copy must have one shape")
        bounds = np.abs(self.cross) <= self.copy.correlations[:, :1] * (1.0 + 1e-6) + 1e-12
        require(bool(bounds.all()), "correlations between copies are larger than those of one")
        made = [value * self.copy.moments[name] for name, value in self.correlation.items()]
        same = np.isclose(np.nan_to_num(made), self.cross[:, 0], rtol=1e-6, atol=1e-9)
        require(bool(same.all()), "correlation is not that of cross at lag zero")

    def __str__(self) -> str:
        shown = ", ".join(f"c*_{name} = {c:.7g} +- {self.stderr[name]:.1g}" for name, c in self.correlation.items())
        inputs = f"inputs correlated by {self.rho_in:g}"
        return f"two copies of {self.ensemble.cell.name}, {inputs}: {shown} ({self.status})"
