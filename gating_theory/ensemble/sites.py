"""Populations of sites: where theory, sampled networks and trained ones meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ..cell.cell import Cell
from ..results.encoding import dict_of, result
from ..support.arithmetic import underflow_is_zero
from ..support.checks import instance, integer, numeric_array, real_array, real_numbers, real_or_nan, several, shown, text
from .matrix_laws import MatrixLaw, field_laws

__all__ = ["Sites"]


@result("sites")
@dataclass(frozen=True)
class Sites:
    """A weighted population of sites: what the random-matrix calculators know of a network [T3, T4].

    Attributes
    ----------
    cell : Cell
    weights : (M,) array, sums to 1
    state : (d, M) array
    fields : (K, M) array
    parameters : (P, M) array
    gain : (K,) array or None, the gains of the matrices the fields come through
    source : str, where the population comes from: "mean field", "sampled network", "simulation", ...
    tol : float, quadrature tolerance the population was made for (nan for samples)
    recurrent : (K, M) array or None
        At a fixed point: the mean, given the site, of the part of each field that comes through its matrix, U_k m_k. The matrices
        are conditioned on it, which is what makes outliers [T4].
    matrices : {field name: MatrixLaw}
        Laws of the matrices the fields come through; given as for Ensemble. Default: nothing is known of them ("unknown").

    Raises
    ------
    ValueError
        shapes that do not fit the cell, values that are not finite, weights that are negative or do not sum to 1

    Examples
    --------
    Two ways to a population of sites: quadrature in mean field, and the units of a network.

    >>> import gating_theory as gt
    >>> gated = gt.Ensemble(gt.GRU, gain={"z": 2, "r": 3, "h": 6})
    >>> sites = gt.fixed_points(gated)[-1].sites
    >>> round(float(sites.mean(sites.state[0] ** 2)), 4), sites.source
    (0.7595, 'mean field')
    >>> units = gt.Network.sample(gated, 30, rng=0).sites([0.0] * 30)
    >>> units.size, units.source
    (30, 'sampled network')
    """

    cell: Cell
    weights: np.ndarray
    state: np.ndarray
    fields: np.ndarray
    parameters: np.ndarray = None  # type: ignore[assignment]  # always an array once it is made: zeros where none is given
    gain: np.ndarray | None = None
    source: str = "given"
    tol: float = field(default=float("nan"))
    recurrent: np.ndarray | None = None
    matrices: str | MatrixLaw | Mapping[str, str | MatrixLaw] | None = None

    as_dict = dict_of

    def __post_init__(self) -> None:
        cell = instance("cell", self.cell, Cell, "such as gating_theory.GRU")
        text("source", self.source)
        object.__setattr__(self, "tol", real_or_nan("tol", self.tol))
        weights = real_numbers("weights", self.weights)
        if weights.ndim != 1 or weights.size == 0:
            raise ValueError(f"weights must be a non-empty vector, got shape {weights.shape}")
        if not ((weights >= 0).all() and (weights <= 1.0 + 1e-8).all() and abs(weights.sum() - 1.0) < 1e-8):
            raise ValueError(f"weights must be non-negative and sum to 1, got {shown(weights)}")
        object.__setattr__(self, "weights", weights)
        parameters = np.zeros((cell.n_parameters, weights.size)) if self.parameters is None else self.parameters
        arrays = {"state": (self.state, cell.n_state), "fields": (self.fields, cell.n_fields)}
        arrays["parameters"] = (parameters, cell.n_parameters)
        if self.recurrent is not None:
            arrays["recurrent"] = (self.recurrent, cell.n_fields)
        for name, (value, rows) in arrays.items():
            value = real_array(name, value)
            if value.shape != (rows, weights.size):
                raise ValueError(f"{name} must have shape {(rows, weights.size)} for cell {cell.name!r}, got {value.shape}")
            object.__setattr__(self, name, value)
        if self.gain is not None:
            gain = real_numbers("gain", self.gain)
            if gain.shape != (cell.n_fields,) or not np.isfinite(gain).all() or (gain < 0).any():
                raise ValueError(f"gain must be {cell.n_fields} finite non-negative numbers, got {shown(self.gain)}")
            object.__setattr__(self, "gain", gain)
        object.__setattr__(self, "matrices", field_laws("unknown" if self.matrices is None else self.matrices, cell.field_names))

    @property
    def size(self) -> int:
        """Number of sites M."""
        return self.weights.size

    @underflow_is_zero
    def mean(self, values: npt.ArrayLike) -> np.ndarray:
        """Weighted average of ``values``, an array (..., M) whose last axis runs over sites: (...)."""
        array = numeric_array("values", values)
        if array.shape[-1:] != (self.size,):
            raise ValueError(f"values must have shape (..., {self.size}), one for each site, got {array.shape}")
        return array @ self.weights

    @underflow_is_zero
    def moments(self) -> dict[str, float]:
        """{message name: second moment E m^2}."""
        values = self.cell.compiled.messages(self.state, self.fields, self.parameters)
        return {n: float(self.mean(np.broadcast_to(v, self.size) ** 2)) for n, v in zip(self.cell.message_names, values)}

    def __repr__(self) -> str:
        return f"Sites({self.cell.name}, {self.size} sites, {self.source})"

    @classmethod
    def pooled(cls, samples: Sequence[Sites], source: str) -> Sites:
        """The sites of several sampled populations as one, each site with the same weight; gains and laws are those of the first.

        Parameters
        ----------
        samples : sequence of Sites, of one cell
        source : str
        """
        samples = several("samples", samples, Sites, "Sites")
        if not samples:
            raise ValueError("samples must be at least one, got none")
        first = samples[0]
        if any(s.cell != first.cell for s in samples):
            raise ValueError(f"samples must be of one cell, got {shown([s.cell.name for s in samples])}")
        state, fields, parameters = (
            np.concatenate([getattr(s, name) for s in samples], axis=1) for name in ("state", "fields", "parameters")
        )
        size = state.shape[1]
        weights = np.full(size, 1.0 / size)
        return cls(first.cell, weights, state, fields, parameters, first.gain, source, matrices=first.matrices)

    def thinned(self, size: int) -> Sites:
        """Every k-th site of a sampled population, each with the same weight: at most ``size`` of them."""
        keep = slice(None, None, -(-self.size // integer("size", size, low=1)))
        state, fields, parameters = (getattr(self, name)[:, keep] for name in ("state", "fields", "parameters"))
        n = state.shape[1]
        weights = np.full(n, 1.0 / n)
        return Sites(self.cell, weights, state, fields, parameters, self.gain, self.source, matrices=self.matrices)
