"""Growth of gradients through many steps, from whatever says what the sites do: the facade [T9]."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..ensemble.ensemble import Ensemble
from ..ensemble.matrix_laws import require as require_fact
from ..ensemble.sites import Sites
from ..mean_field.fixed_point import FixedPoint
from ..networks.network import Network
from ..results.encoding import dict_of, require, result
from ..results.status import Status
from ..running.progress import check_progress
from ..spectrum.spectrum import Spectrum
from ..support.arithmetic import underflow_is_zero
from ..support.checks import choice, generator, integer, real, shown, texts
from ..support.types import Progress as Wanted
from ..support.types import Rng
from .along_path import path_growth
from .kept_sites import kept_growth, kept_rate, quick_growth
from .scatter import scatter_of
from .site_path import is_path, site_paths

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["GradientGrowth", "gradient_growth", "log10_left"]

#: Through so many steps at most: times and memory grow with the square of them.
_STEPS = 10_000
#: A rate this close to 1 is 1.
_MARGINAL = 1e-9
_LN10 = float(np.log(10.0))
#: Where sites come from that may be one moment of a state that moves, and what results say of states that do not.
_MOMENTS = ("simulation", "sampled network", "recorded network", "network", "dynamic mean field")
_AT_REST = ("settled", "static", "zero_state")
#: What growth is computed from.
_ALLOWED = "a FixedPoint, a Spectrum, Sites with gains, a result with such sites, or a path: (network, states)"


@result("gradient_growth")
@dataclass(frozen=True)
class GradientGrowth:
    """The mean square of gradients through T steps of a random network [T9], made by :func:`gradient_growth`.

    P is the product of the Jacobians of t steps, v an isotropic unit vector: ``E|P^T v|^2`` is how much of a loss's gradient is
    left t steps back. With all variables it is ``E|P v|^2`` as well: forward and backward growth are the same number.

    Attributes
    ----------
    n_steps : int, T
    weights : "tied", the same matrices in every step, or "untied", matrices drawn anew at the same sites
    state_names : tuple of str, of the blocks
    block : tuple of str, the variables that the loss sees; all of them unless told
    log10_blocks : (T + 1, d, d) array
        log10 of ``(1/N) |P_ab|_F^2``, what variable a takes from variable b through t steps; -inf for nothing.
    rate : float
        By what the mean square grows per step in the end: tied, the square of the spectral radius. The last 1e-6 of the leaks' law
        does not count. nan along a path, which has no end.
    error : float, estimated relative error of ``mean_square``, the largest over steps: of quadratures and rounding
    status : Status
        Its code is "decays", "marginal" or "grows" by the rate, or "path".
    source : FixedPoint, Sites or None, whose sites are kept through all steps

    Examples
    --------
    Gradients at the zero state of a vanilla network decay by the square of its spectral radius in every step:

    >>> import gating_theory as gt
    >>> point = gt.fixed_points(gt.Ensemble(gt.Vanilla, gain=0.9))[0]
    >>> found = gt.gradient_growth(point, 100)
    >>> print(found.status.code, round(found.rate, 4), found.mean_square[1].round(4))
    decays 0.81 0.81
    """

    n_steps: int
    weights: str
    state_names: tuple[str, ...]
    block: tuple[str, ...]
    log10_blocks: np.ndarray
    rate: float
    error: float
    status: Status
    source: Any = field(default=None, repr=False)

    as_dict = dict_of

    @property
    def ok(self) -> bool:
        """Whether the numbers are as accurate as was asked for."""
        return self.status.ok

    @property
    def log10(self) -> np.ndarray:
        """(T + 1,) log10 of the mean square, also where that is too small or too large for a float; -inf where nothing is left."""
        rows = [self.state_names.index(name) for name in self.block]
        return _log10_sum(self.log10_blocks[:, rows]) - np.log10(len(rows))

    @property
    def mean_square(self) -> np.ndarray:
        """(T + 1,) mean square over an isotropic unit vector in the block at the end, 1 at t = 0; 0 or inf beyond floats."""
        with np.errstate(over="ignore", under="ignore"):
            return 10.0**self.log10

    @property
    def blocks(self) -> np.ndarray:
        """(T + 1, d, d) of ``(1/N) |P_ab|_F^2``: what variable a, at the end, takes from variable b; 0 or inf beyond floats."""
        with np.errstate(over="ignore", under="ignore"):
            return 10.0**self.log10_blocks

    @underflow_is_zero
    def scatter(self, n_units: int, n_draws: int = 20, rng: Rng = 0) -> np.ndarray:
        """(T + 1,) standard deviations of :attr:`log10` over single networks of N units, with tied weights.

        At a fixed point networks differ in their sites (growth is computed at ``n_draws`` draws of N) and in their matrices; at
        given sites in their matrices alone. For networks at rest the second part is the leading order in 1/N, exact; elsewhere it
        is that of a network of one matrix with as many passages and units that carry it, up to a third too small where compared.
        From about .2 on mean squares are log-normal rather than normal, their mean over networks lies above the limit, and this is
        a rough guide.

        Parameters
        ----------
        n_units : int >= 2, N
        n_draws : int >= 2, of sites
        rng : numpy Generator, int or None

        Raises
        ------
        ValueError
            of untied weights, or along a path
        CapabilityError
            of matrices that are not iid normal
        """
        n_units, n_draws, rng = integer("n_units", n_units, low=2), integer("n_draws", n_draws, low=2), generator(rng)
        if self.weights != "tied" or self.source is None:
            raise ValueError("scatter is known of tied weights at fixed points and at kept sites")
        if self.n_steps == 0:
            return np.zeros(1)
        rows = [self.state_names.index(name) for name in self.block]
        return scatter_of(self.source, self.n_steps, rows, n_units, n_draws, rng) / _LN10

    def check(self) -> None:
        """ValueError for arrays that do not belong together."""
        d = len(self.state_names)
        require(self.log10_blocks.shape == (self.n_steps + 1, d, d), f"log10_blocks must have shape {(self.n_steps + 1, d, d)}")
        require(not np.isnan(self.log10_blocks).any() and not np.isposinf(self.log10_blocks).any(), "log10_blocks must be numbers")
        require(bool(self.block) and set(self.block) <= set(self.state_names), "block must name state variables")

    def to_dataframe(self) -> pd.DataFrame:
        """A row for each step: step, log10, mean_square, and the log10 of each block; ImportError where pandas is missing."""
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError("to_dataframe needs pandas, which is not installed: pip install pandas") from error

        columns = {"step": np.arange(self.n_steps + 1), "log10": self.log10, "mean_square": self.mean_square}
        for a, to in enumerate(self.state_names):
            for b, start in enumerate(self.state_names):
                columns[f"log10 {to} from {start}"] = self.log10_blocks[:, a, b]
        return pd.DataFrame(columns)

    def __str__(self) -> str:
        of = "" if self.block == self.state_names else f" of a loss on {', '.join(self.block)}"
        log10 = self.log10
        shown_steps = sorted({t for t in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if t < self.n_steps} | {self.n_steps})
        lines = [f"mean square of gradients{of} through {self.n_steps} steps, {self.weights} weights: {self.status}"]
        lines += [
            f"  {t:>6} steps  10^{log10[t]:<9.4g}" + (f" = {10.0 ** log10[t]:.4g}" if abs(log10[t]) < 4 else "")
            for t in shown_steps
        ]
        return "\n".join(lines)


@underflow_is_zero
def gradient_growth(
    source: FixedPoint | Spectrum | Sites | Any,
    n_steps: int,
    weights: Literal["tied", "untied"] = "tied",
    block: str | Sequence[str] | None = None,
    *,
    tol: float = 1e-6,
    progress: Wanted = None,
) -> GradientGrowth:
    """Mean square of gradients through ``n_steps`` steps of a random network, in the limit of many units [T9].

    Trained networks have the same weights in every step. That changes gradients by orders of magnitude against weights drawn anew
    in each step, which the rule of thumb "mean squared singular value to the power T" assumes; ask for both and compare.

    Parameters
    ----------
    source : FixedPoint, Spectrum, Sites that carry gains, or a result with such ``sites``
        Sites are kept through all steps, also those of a moving state: that overestimates growth in chaos, by 10^2 through 50
        steps of a GRU, and the status says so. Or a path: (Network, states) as ``Network.run(.., trajectory=True)`` gives them,
        (Network, states, input), a recorded layer, or a sequence of Sites, one for each step.
    n_steps : int from 0 to 10,000, T
    weights : "tied" or "untied"
    block : str or sequence of str, optional
        The state variables that the loss sees at the end: ``block="h"`` for an LSTM whose output is h. Default: all.
    tol : float in [1e-10, 0.1], relative accuracy wanted of the mean squares; samples of sites are what they are
    progress : None, True (a bar) or callable(done, total), along paths

    Returns
    -------
    GradientGrowth
        At fixed points accurate to about 1e-11, also where 10^-40 or 10^-400 is left. Networks of N units scatter about it: where
        unstable modes dominate by a factor that grows with T, see :meth:`GradientGrowth.scatter`.

    Raises
    ------
    TypeError, ValueError
        another source, arguments out of range
    CapabilityError
        the equations are not known to hold for the law of the matrices
    ConvergenceError
        the tolerance was not reached (``estimate`` carries the last logarithms), or a path loses its digits

    See Also
    --------
    product_singular_values : all singular values of the same product

    Examples
    --------
    Through 100 steps of a GRU at its zero state gradients that go through the same weights again and again decay more slowly:

    >>> import gating_theory as gt
    >>> point = gt.fixed_points(gt.Ensemble(gt.GRU, gain={"h": 1.8}))[0]
    >>> for weights in ("tied", "untied"):
    ...     print(weights, gt.gradient_growth(point, 100, weights=weights).log10[100].round(2))
    tied -5.7
    untied -34.44
    """
    n_steps, tol = integer("n_steps", n_steps, low=0, high=_STEPS), real("tol", tol, low=1e-10, high=0.1)
    choice("weights", weights, ("tied", "untied"))
    check_progress(progress)
    if is_path(source):
        return _along(source, n_steps, weights, block, progress)
    spectrum = _spectrum_of(source)
    names = spectrum.cell.state_names
    chosen = _block_of(block, names)
    logs, error = kept_growth(spectrum, n_steps, weights, tol)
    rate = spectrum.radius() ** 2 if weights == "tied" else kept_rate(spectrum)
    kept = spectrum.source if isinstance(spectrum.source, (FixedPoint, Sites)) else spectrum.source.sites
    status = _status(rate, weights, _may_move(source, spectrum))
    return GradientGrowth(n_steps, weights, names, chosen, logs / _LN10, rate, error, status, kept)


def log10_left(spectrum: Spectrum, n_steps: int, weights: str, block: str | None = None) -> float:
    """log10 of the mean square after the last step, for the many states of a phase diagram: error estimates are left out [T9].

    Parameters
    ----------
    spectrum, n_steps, weights, block : as of :func:`gradient_growth`
    """
    spectrum = _spectrum_of(spectrum)
    names = spectrum.cell.state_names
    rows = [names.index(name) for name in _block_of(block, names)]
    logs = quick_growth(spectrum, n_steps, weights)[-1:, rows] / _LN10
    return float(_log10_sum(logs)[0] - np.log10(len(rows)))


def _along(source, n_steps, weights, block, progress):
    """Growth along recorded paths; of several sequences the mean of their mean squares."""
    paths = site_paths(source, n_steps)
    names = paths[0].cell.state_names
    chosen, d = _block_of(block, names), len(names)
    found = [[path_growth(path, weights, start, progress) for start in range(d)] for path in paths]
    with np.errstate(divide="ignore"):
        logs = np.array([[np.log2(one.mantissa) + one.exponent[:, None] for one in starts] for starts in found])
    logs = np.log10(2.0) * np.moveaxis(logs, 1, -1)  # (sequences, T + 1, a, b)
    mean = _log10_sum(np.moveaxis(logs, 0, -1).reshape(-1, len(paths))).reshape(logs.shape[1:]) - np.log10(len(paths))
    error = max(float(one.rounding.max()) for starts in found for one in starts)
    of = "the recorded path" if len(paths) == 1 else f"{len(paths)} recorded paths, their mean"
    return GradientGrowth(paths[0].n_steps, weights, names, chosen, mean, float("nan"), error, Status("path", f"along {of}"))


def _spectrum_of(source):
    """The Spectrum of a source, checked; the laws of its matrices have to have these equations."""
    try:
        spectrum = source if isinstance(source, Spectrum) else Spectrum(source)
    except TypeError:
        raise TypeError(f"source must be {_ALLOWED}; got {shown(source)}{_where_from(source)}") from None
    instead = "products of sampled Jacobians: Network.push"
    require_fact(spectrum.matrices, "gradients", "gradient_growth", instead, spectrum.gain)
    if isinstance(spectrum.source, FixedPoint):
        spectrum.source.ensemble.require("gradients", "gradient_growth", instead)
    return spectrum


def _where_from(source):
    """Where to get a source from what has no sites."""
    if isinstance(source, Ensemble):
        return "; an ensemble may have several states: take one of fixed_points(ensemble)"
    if isinstance(source, Network):
        return "; states of a network are run(state, n_steps, trajectory=True)"
    if isinstance(source, (list, tuple)) and any(isinstance(one, FixedPoint) for one in source):
        return "; take one of these, such as the last"
    if callable(getattr(source, "forward", None)):
        return "; diagnose(module) measures gradients of a module beside theory"
    if hasattr(type(source), "spectrum"):
        return "; take its spectrum"
    return ""


def _may_move(source, spectrum):
    """Whether the sites may be one moment of a moving state."""
    sampled = isinstance(spectrum.source, Sites) and spectrum.source.source.startswith(_MOMENTS)
    return sampled and getattr(getattr(source, "status", None), "code", None) not in _AT_REST


def _block_of(block, names):
    """The state variables that a block names."""
    if block is None:
        return names
    chosen = (block,) if isinstance(block, str) else tuple(texts("block", block, "names of state variables"))
    if not chosen or len(set(chosen)) != len(chosen) or not set(chosen) <= set(names):
        raise ValueError(f"block must be one or several of {list(names)}, each once, got {shown(block)}")
    return tuple(name for name in names if name in chosen)


def _status(rate, weights, may_move):
    kept = "; sites kept as they are: for moving states give a path, (network, states)" if may_move else ""
    if abs(rate - 1.0) < _MARGINAL:
        return Status("marginal", f"neither grows nor decays exponentially in the end{kept}")
    if rate < 1.0:
        return Status("decays", f"decays by {rate:.6g} a step in the end{kept}")
    single = "; few modes carry that, by which single networks scatter (see scatter)" if weights == "tied" else ""
    return Status("grows", f"grows by {rate:.6g} a step in the end{single}{kept}")


def _log10_sum(logs):
    """(T + 1,) log10 of sums over all but the first axis of numbers whose log10 are given."""
    flat = logs.reshape(len(logs), -1)
    largest = flat.max(axis=1)
    some = np.isfinite(largest)
    out = np.full(len(logs), -np.inf)
    out[some] = largest[some] + np.log10((10.0 ** (flat[some] - largest[some, None])).sum(axis=1))
    return out
