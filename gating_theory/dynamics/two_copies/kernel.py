"""The kernel of an infinitely wide recurrent network between sequences of inputs [T8b]."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ...ensemble.ensemble import Ensemble
from ...results.encoding import dict_of, require, require_shapes, result
from ...running.blas import single_blas_thread
from ...running.progress import Progress, check_progress
from ...running.threads import Threads
from ...support.arithmetic import underflow_is_zero
from ...support.available_memory import require_memory
from ...support.checks import boolean, choice, generator, instance, integer, real_array
from .closed_form import closed_form
from .drives import Drives
from .gate_paths import gate_sizes
from .pair_recursion import Row, gated_rows, pair_rows
from .population import Scatter, over_networks, population_sizes
from .shared_network import Moment, SharedNetwork, bytes_needed

if TYPE_CHECKING:
    import numpy.typing as npt

    from ...support.types import Progress as Wanted
    from ...support.types import Rng

__all__ = ["NNGPKernel", "nngp_kernel"]

_OUTPUTS, _METHODS = ("last", "mean", "all"), ("auto", "pairs", "gates", "sites")
#: Averages over pairs are taken unasked up to so many entries of the table of all sequences and times (a minute), and of one
#: row of it (a gigabyte) [NUMERICS].
_PAIRS, _ROW = 3e8, 1.5e7
#: Fewer sites say nothing.
_FEWEST_SITES = 100


@result("nngp_kernel")
@dataclass(frozen=True)
class NNGPKernel:
    """Covariances of the outputs of an infinitely wide random network under given sequences [T8b].

    Attributes
    ----------
    ensemble : Ensemble
    K : (R, R2) array, (R, T, R2, T) for ``output="all"``
        E h h' between sequences of x and of x2 (or x), h the first state variable of a unit. A readout v.h / sqrt N with weights of
        variance s^2 has the covariance s^2 K. Without x2 symmetric and positive semidefinite.
    stderr : array like ``K``
        Standard errors from the scatter of networks; zeros where averages over pairs are exact.
    input_gain : dict, {field or site parameter: standard deviation of its input weights times sqrt d}
    output : str, "last", "mean" or "all"
    method : str, "pairs", "gates" or "sites"
    tied : bool
    n_units, n_networks : int
        Of the networks that were sampled; for gates the paths of a group, and the groups; 0 for pairs.

    Examples
    --------
    Two sequences of two steps, a pulse first or last; the later one is remembered better:

    >>> import gating_theory as gt
    >>> kernel = gt.nngp_kernel(gt.Ensemble(gt.Vanilla), [[[1.0], [0.0]], [[0.0], [1.0]]])
    >>> kernel.method
    'pairs'
    >>> kernel.K.round(3)
    array([[0.236, 0.   ],
           [0.   , 0.394]])
    """

    ensemble: Ensemble
    K: np.ndarray = field(repr=False)
    stderr: np.ndarray = field(repr=False)
    input_gain: dict
    output: str
    method: str
    tied: bool
    n_units: int
    n_networks: int

    as_dict = dict_of

    def check(self) -> None:
        """ValueError where shapes contradict each other, or words are unknown."""
        require(self.output in _OUTPUTS and self.method in _METHODS[1:], f"unknown output or method: {self.output}, {self.method}")
        require(self.K.ndim == (4 if self.output == "all" else 2), f"K has {self.K.ndim} dimensions")
        require_shapes(self, {"stderr": self.K.shape})

    def __str__(self) -> str:
        sizes = " x ".join(str(n) for n in self.K.shape[:: self.K.ndim // 2])
        error = np.max(self.stderr, initial=0.0) / max(np.abs(self.K).max(initial=0.0), 1e-300)
        what = "groups of {} paths" if self.method == "gates" else "networks of {} units"
        how = "averages over pairs" if self.method == "pairs" else f"{self.n_networks} {what.format(self.n_units)}"
        accuracy = "" if self.method == "pairs" else f", errors up to {error:.2g} of the largest entry"
        weights = "" if self.tied else ", fresh weights in every step"
        return f"{self.ensemble.cell.name}: kernel of {sizes} sequences, {self.output} output{weights}, {how}{accuracy}"


@underflow_is_zero
def nngp_kernel(
    ensemble: Ensemble,
    x: npt.ArrayLike,
    x2: npt.ArrayLike | None = None,
    *,
    input_gain: float | Mapping[str, float] = 1.0,
    output: str = "last",
    method: str = "auto",
    n_sites: int = 10_000,
    tied: bool = True,
    rng: Rng = 0,
    progress: Wanted = None,
) -> NNGPKernel:
    """The kernel of an infinitely wide network with tied weights between sequences: its outputs are a Gaussian process [T8b].

    A network of N -> infinity units starts at h(0) = 0 and reads sequences through input weights that are iid normal with variance
    input_gain_k^2 / d. Over random weights a readout of its state is a Gaussian process in the sequence [Yang 2019], with
    the covariance E h h'. Recurrent weights are the same in every step. Kernels for fresh weights in every step (``tied=False``),
    an approximation that is in use, are too small by a factor of 2 to 3 for gated cells of gain 3 to 4.

    Parameters
    ----------
    ensemble : Ensemble
        Gains, biases and their spreads; ``input_std`` must be 0, the input is x.
    x : (R, T, d) array, R sequences of T steps of d numbers
    x2 : (R2, T, d) array, optional
        Other sequences: the kernel between x and these, all under the same weights. For a prediction take training and test
        sequences in one call without x2, so that sampling errors of all blocks belong together.
    input_gain : float >= 0, of every field, or mapping from names of fields and site parameters (0 for those left out)
    output : "last", "mean" or "all"
        What is read out: the last state, the mean of the states at times 1 .. T, or each of these.
    method : "auto", "pairs", "gates" or "sites"
        "pairs": averages over pairs of Gaussians, exact to about 1e-12, where they close (the leak is the same at all sites and
        times: vanilla cells, the GRU with a constant update gate); time (R T)^2, memory R^2 T. "sites": any cell, by sampled
        networks; time R T n_sites^(3/2). "auto": the first where it holds and R T is at most some 17,000, else the second.
        "gates", when asked for: averages over pairs given n_sites sampled paths of the one gate that moves the leak (GRU, MGU,
        JANET); errors are a tenth of those of as many sites, but time n_sites (R T)^2 and memory n_sites R^2 T: for few sequences.
    n_sites : int >= 100
        Units of all sampled networks together. Errors are mostly 1 to 3 times E h^2 / sqrt(n_sites); what finite networks are
        off by in the mean is a tenth of that.
    tied : bool
    rng : numpy Generator, int or None, for sampled networks
    progress : None, True or callable(done, total), of steps or networks

    Returns
    -------
    NNGPKernel

    Raises
    ------
    TypeError, ValueError
        bad arguments, shapes that do not go together
    CapabilityError
        a law of matrices whose fields are not known; "pairs" or "gates" where averages do not close
    ConvergenceError
        states grow without bounds
    MemoryError
        more would be needed than there is; said with both numbers

    See Also
    --------
    correlation_transient : two copies under white input

    Examples
    --------
    >>> import numpy as np
    >>> import gating_theory as gt
    >>> t = np.arange(12)
    >>> x = np.sin([[0.7 * t], [0.7 * t + 0.5]]).transpose(0, 2, 1)
    >>> kernel = gt.nngp_kernel(gt.Ensemble(gt.Vanilla, gain=1.2), x)
    >>> kernel.K.shape
    (2, 2)
    """
    instance("ensemble", ensemble, Ensemble)
    ensemble.require("dynamics", "nngp_kernel", "Network.sample and its runs")
    if ensemble.has_white_input:
        white = {**ensemble.input_std, **ensemble.parameter_input_std}
        raise ValueError(f"input_std must be 0 for a kernel, whose input is x, got {white}: use input_gain")
    output, method = choice("output", output, _OUTPUTS), choice("method", method, _METHODS)
    tied, n_sites = boolean("tied", tied), integer("n_sites", n_sites, low=_FEWEST_SITES)
    rng = generator(rng)
    check_progress(progress)
    drives = Drives.given_sequences(ensemble, x, input_gain)
    split = None
    if x2 is not None:
        split = drives.n_copies
        drives = Drives.given_sequences(ensemble, _together(x, x2), input_gain)
    if method == "auto":
        method = "pairs" if _pairs_are_cheap(ensemble, drives) else "sites"
    n_units, n_networks = (0, 0) if method == "pairs" else (gate_sizes if method == "gates" else population_sizes)(n_sites)
    asked = _Asked(ensemble, drives, split, output, tied)
    if method == "pairs":
        values, errors = asked.by_pairs(progress)
    else:
        sampled = asked.by_gates if method == "gates" else asked.by_sites
        values, errors = sampled(n_units, n_networks, rng, progress)
    names = (*ensemble.cell.field_names, *ensemble.cell.parameter_names)
    gains = dict(zip(names, drives.std.tolist()))
    return NNGPKernel(ensemble, values, errors, gains, output, method, tied, n_units, n_networks)


def _pairs_are_cheap(ensemble, drives):
    """Whether averages over pairs close, and take little time and memory."""
    R, T, form = drives.n_copies, drives.n_steps, closed_form(ensemble, drives)
    return form is not None and (R * T) ** 2 <= _PAIRS and R**2 * T * form.weights.size <= _ROW


def _together(x, x2):
    """Both sets of sequences as one."""
    first, second = real_array("x", x), real_array("x2", x2)
    if second.ndim != 3 or second.shape[1:] != first.shape[1:] or not second.size:
        raise ValueError(f"x2 must have shape (sequences, {first.shape[1]}, {first.shape[2]}), as x has, got {second.shape}")
    return np.concatenate([first, second])


@dataclass(frozen=True)
class _Asked:
    """What is asked for: which of all copies are rows and columns, and what is read out."""

    ensemble: Ensemble
    drives: Drives
    split: int | None
    output: str
    tied: bool

    @property
    def shape(self):
        R, T = self.drives.n_copies, self.drives.n_steps
        rows, columns = (R, R) if self.split is None else (self.split, R - self.split)
        return (rows, T, columns, T) if self.output == "all" else (rows, columns)

    def block(self, table):
        """Rows and columns of a table over all copies, whose first axis and middle one they are."""
        if self.split is None:
            return table
        return table[: self.split][(slice(None),) * (table.ndim // 2) + (slice(self.split, None),)]

    def by_pairs(self, progress):
        """(K, errors)."""
        R, T = self.drives.n_copies, self.drives.n_steps
        if self.output == "all":
            require_memory(f"a kernel of {R} sequences at {T} steps each", 8.0 * (R * T) ** 2)
        collect = {"last": _last_row, "mean": _mean_of_rows, "all": _all_rows}[self.output]
        with single_blas_thread(), Progress(progress, T + 1, "step") as tell:
            rows = _told(pair_rows(self.ensemble, self.drives, np.zeros((R, R)), self.tied), tell)
            values = self.block(collect(rows, R, T))
        return values, np.zeros_like(values)

    def by_gates(self, n_paths, n_groups, rng, progress):
        """(K, errors)."""
        R, T = self.drives.n_copies, self.drives.n_steps
        if self.output == "all":
            require_memory(f"a kernel of {R} sequences at {T} steps each", 8.0 * 4 * (R * T) ** 2)
        collect = {"last": _last_row, "mean": _mean_of_rows, "all": _all_rows}[self.output]
        start, scatter = np.zeros((R, R)), Scatter()

        def one(own):
            rows = gated_rows(self.ensemble, self.drives, start, self.tied, n_paths=n_paths, rng=own)
            return self.block(collect(rows, R, T))

        for values in over_networks(one, n_groups, rng, progress):
            scatter.add(values)
        return scatter.mean, scatter.stderr

    def by_sites(self, n_units, n_networks, rng, progress):
        """(K, errors)."""
        R, T = self.drives.n_copies, self.drives.n_steps
        entries, threads = float(np.prod(self.shape)), Threads(n_networks).count
        read = n_units * R * (T if self.output == "all" else 1)
        each = bytes_needed(self.ensemble, self.drives, n_units, self.tied) + 8.0 * (read + entries)
        require_memory(f"a kernel of {R} sequences of {T} steps", threads * each + 8.0 * 4 * entries)
        features = {"last": _last, "mean": _mean, "all": _all}[self.output]
        start, scatter = np.zeros((R, R)), Scatter()

        def one(own):
            network = SharedNetwork(self.ensemble, self.drives, n_units, own, self.tied)
            return self._gram(features(network.run(start), R, T, n_units))

        for values in over_networks(one, n_networks, rng, progress):
            scatter.add(values)
        return scatter.mean, scatter.stderr

    def _gram(self, features):
        """Means over sites of products of features (R, .., n): positive semidefinite, where rows are columns."""
        rows, columns = (features, features) if self.split is None else (features[: self.split], features[self.split :])
        flat = [part.reshape(-1, part.shape[-1]) for part in (rows, columns)]
        return (flat[0] @ flat[1].T / features.shape[-1]).reshape(self.shape)


def _told(rows, tell):
    for row in rows:
        yield row
        tell(1)


def _last_row(rows: Iterator[Row], R: int, T: int) -> np.ndarray:
    return deque(rows, maxlen=1)[0].state[:, -1]


def _mean_of_rows(rows: Iterator[Row], R: int, T: int) -> np.ndarray:
    total = np.zeros((R, R))
    for row in rows:
        past = row.state[:, 1:-1].sum(axis=1)  # time 0 is the start, which nothing reads
        if row.state.shape[1] > 1:
            total += past + past.T + row.state[:, -1]
    return total / T**2


def _all_rows(rows: Iterator[Row], R: int, T: int) -> np.ndarray:
    out = np.empty((R, T, R, T))
    for t, row in enumerate(rows):
        if t:
            known = row.state[:, 1:]
            out[:, t - 1, :, :t] = known.transpose(0, 2, 1)
            out[:, :t, :, t - 1] = known.transpose(2, 1, 0)
    return out


def _last(run: Iterator[Moment], R: int, T: int, n: int) -> np.ndarray:
    return deque(run, maxlen=1)[0].state[0]


def _mean(run: Iterator[Moment], R: int, T: int, n: int) -> np.ndarray:
    total = np.zeros((R, n))
    for t, now in enumerate(run):
        if t:
            total += now.state[0]
    return total / T


def _all(run: Iterator[Moment], R: int, T: int, n: int) -> np.ndarray:
    out = np.empty((R, T, n))
    for t, now in enumerate(run):
        if t:
            out[:, t - 1] = now.state[0]
    return out
