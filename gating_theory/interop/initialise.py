"""Initialisations of recurrent layers: laws of weights and biases, drawn as arrays with gates in the order of a layout [T1].

What is drawn is one layer and direction, {"weight_hh": (G H, H), "bias_ih": (G H,), "bias_hh": (G H,)} of G gates and H units;
bridges put these into the modules of their libraries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from ..cell.cell import Cell
from ..ensemble.ensemble import Ensemble
from ..ensemble.hyperparameters import KINDS, LARGEST
from ..ensemble.sites import Sites
from ..errors import CapabilityError
from ..networks.network import Network
from ..results.encoding import dict_of, result
from ..results.status import Status
from ..support.checks import instance, integer, real, shown, text
from .layouts import Layout, rows_by_name

__all__ = ["Designed", "Initialisation", "Listed", "initialisation_of"]

#: Kinds of hyperparameters that an initialisation does not write into bias vectors.
_NOT_IN_BIASES = frozenset({"gain", "input_std"})
#: Spreads over sites and inputs, which chrono biases cannot be combined with.
_SPREADS = ("bias_std", "input_std", "parameter_std", "parameter_input_std")
#: Nodes, even in log u, that stand for the units of a law of chrono biases.
_NODES = 400
#: Steps beyond which gates are 1 to rounding.
_LONGEST = 1e12


@result("initialisation")
@dataclass(frozen=True)
class Initialisation:
    """How a layer is started: gains, laws of matrices, biases. ``init_`` writes it, ``compare_initialisations`` has its theory.

    Made by ``gt.chrono``, ``gt.gilboa``, ``gt.orthogonal``; those of libraries are in the rows of ``gt.defaults()``. Make your own
    from any ensemble: ``gt.Initialisation("mine", gt.Ensemble(gt.LSTM, gain=0.5, bias={"f": 2}))``.

    Attributes
    ----------
    name : str
    ensemble : Ensemble
        Gains, laws of the matrices, means and spreads of the biases; without chrono biases and those that vanish as N grows.
    source : str, where it comes from
    chrono : dict, {field: factor}
        Each unit has ``factor`` * log u added to the bias of the field, one u a unit, uniform in (1, longest - 1). This law is not
        normal: theory is of units that have it (``sites``), not of the ensemble's normal biases.
    longest : float from 2 to 1e12 steps, with ``chrono``; else None
    vanishing : float >= 0
        Both bias vectors have numbers uniform within ``vanishing`` / sqrt N added, as PyTorch's layers: theory is of many units
        and knows nothing of them.

    See Also
    --------
    gating_theory.compare_initialisations : Its theory beside that of others.
    gating_theory.interop.torch.init_ : Writes it into a module.

    Examples
    --------
    >>> import gating_theory as gt
    >>> mine = gt.Initialisation(
    ...     "mine", gt.Ensemble(gt.LSTM, gain=0.5, bias={"f": 1})
    ... )
    >>> mine.needs_biases
    True
    >>> round(gt.compare_initialisations([mine])["mine"].radius, 4)
    0.8561
    """

    name: str
    ensemble: Ensemble
    source: str = ""
    chrono: dict[str, float] = field(default_factory=dict)
    longest: float | None = None
    vanishing: float = 0.0

    as_dict = dict_of

    def __post_init__(self) -> None:
        text("name", self.name)
        instance("source", self.source, str)
        instance("ensemble", self.ensemble, Ensemble)
        factors = instance("chrono", self.chrono, Mapping, "from fields to factors")
        unknown = [name for name in factors if name not in self.cell.field_names]
        if unknown:
            raise ValueError(f"chrono has the unknown field {shown(unknown[0])}; fields are {list(self.cell.field_names)}")
        spread = [kind for kind in _SPREADS if self.ensemble.array(kind).any()]
        if factors and spread:
            raise ValueError(f"chrono biases cannot be combined with the {spread[0]} of the ensemble")
        if bool(factors) != (self.longest is not None):
            raise ValueError(f"longest and chrono go together, got longest = {shown(self.longest)} and chrono = {shown(factors)}")
        object.__setattr__(self, "chrono", {name: real(f"chrono[{name!r}]", factor) for name, factor in factors.items()})
        object.__setattr__(self, "vanishing", real("vanishing", self.vanishing, low=0.0, high=LARGEST))
        if self.longest is not None:
            object.__setattr__(self, "longest", real("longest", self.longest, low=2.0, high=_LONGEST, open_low=True))

    @property
    def cell(self) -> Cell:
        """The Cell."""
        return self.ensemble.cell

    @property
    def status(self) -> Status:
        """What theory of it is of: code "limit", with words about biases that the limit does not see."""
        return Status("limit", f"biases within {self.vanishing:g} / sqrt N vanish" if self.vanishing else "")

    @property
    def needs_biases(self) -> bool:
        """Whether a layer without bias vectors cannot have it."""
        return bool(self.chrono) or any(self.ensemble.array(kind).any() for kind in KINDS if kind not in _NOT_IN_BIASES)

    @property
    def sites(self) -> Sites:
        """The units of a silent network: one where all are alike, several hundred that stand for chrono biases.

        Raises
        ------
        CapabilityError
            an ensemble with spreads of its own; its zero state is one of ``gt.fixed_points(ensemble)``
        """
        spread = [kind for kind in _SPREADS if self.ensemble.array(kind).any()]
        if spread:
            raise CapabilityError(f"sites are those of biases without spread, or chrono ones, and {self.name!r} has {spread[0]}")
        logs, weights = _chrono_units(self.longest) if self.chrono else (np.zeros(1), np.ones(1))
        fields = np.repeat(self.ensemble.array("bias")[:, None], logs.size, axis=1)
        for name, factor in self.chrono.items():
            fields[self.cell.field_names.index(name)] += factor * logs
        parameters = np.repeat(self.ensemble.array("parameter")[:, None], logs.size, axis=1)
        state, gain = np.zeros((self.cell.n_state, logs.size)), self.ensemble.array("gain")
        return Sites(self.cell, weights, state, fields, parameters, gain, "zero state", matrices=self.ensemble.matrices)

    def draw(self, layout: Layout, n_units: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Recurrent weights and biases of one layer and direction.

        ``Network.sample`` draws them: matrices U_k from their law, with entries of variance gain_k^2 / H; biases and site
        parameters with the ensemble's means and spreads, and chrono biases on top. The biases of gates sit in ``bias_ih``;
        ``bias_hh`` is zero but for gates whose two biases are not the same thing (the GRU's b_hn), and for biases
        that vanish as H grows.

        Parameters
        ----------
        layout : Layout, of the ensemble's cell
        n_units : int, H
        rng : numpy Generator

        Returns
        -------
        dict, {"weight_hh", "bias_ih", "bias_hh"}

        Raises
        ------
        TypeError, ValueError
            a layout of another cell, bad arguments
        """
        instance("layout", layout, Layout)
        instance("rng", rng, np.random.Generator)
        n_units = integer("n_units", n_units, low=1)
        if self.cell != layout.cell:
            raise ValueError(f"layout must be one of cell {self.cell.name!r}, got one of {layout.cell.name!r}")
        net = Network.sample(self.ensemble, n_units, rng)
        rows = dict(rows_by_name(self.cell, net.biases, net.parameters))
        if self.longest is not None:
            logs = np.log(rng.uniform(1.0, self.longest - 1.0, n_units))
            rows |= {name: rows[name] + factor * logs for name, factor in self.chrono.items()}
        gates = list(zip(layout.hidden, layout.input))
        biases = {
            "bias_ih": np.concatenate([rows[entry] for entry in layout.input]),
            "bias_hh": np.concatenate([rows[hidden] if hidden != entry else np.zeros(n_units) for hidden, entry in gates]),
        }
        if self.vanishing:
            most = self.vanishing / np.sqrt(n_units)
            biases = {name: values + rng.uniform(-most, most, values.shape) for name, values in biases.items()}
        weights = np.concatenate([net.matrices[self.cell.field_names.index(hidden)] for hidden in layout.hidden])
        return {"weight_hh": weights} | biases

    def __str__(self) -> str:
        gains = ", ".join(f"{name} {value:.4g}" for name, value in self.ensemble.gain.items())
        biases = [f"{name} {value:.4g}" for name, value in self.ensemble.bias.items() if value]
        signs = [f"{'' if factor == 1.0 else '-' if factor == -1.0 else f'{factor:g} '}log u" for factor in self.chrono.values()]
        last = (self.longest or 0.0) - 1.0
        biases += [f"{name} {words}, u uniform in (1, {last:g})" for name, words in zip(self.chrono, signs)]
        lines = [f"{self.name}: {self.cell.name}, gains {gains}", f"  biases {'; '.join(biases) or 'zero'}"]
        lines += [f"  biases uniform within {self.vanishing:g} / sqrt N besides"] if self.vanishing else []
        lines += [f"  {self.source}"] if self.source else []
        return "\n".join(lines)


class Designed(Protocol):
    """What an initialisation takes of a Design, which is made further on than this bridge."""

    @property
    def ensemble(self) -> Ensemble:
        """The ensemble of the initialisation."""

    @property
    def reached(self) -> bool:
        """Whether it meets its targets."""

    @property
    def status(self) -> Status:
        """How the search for it ended."""


class Listed(Protocol):
    """What an initialisation takes of a row of a table: itself, by its name there."""

    @property
    def initialisation(self) -> Initialisation | None:
        """The initialisation of the row; None where it has none."""


def initialisation_of(design: Designed | Listed | Ensemble | Initialisation) -> Initialisation:
    """The Initialisation that a Design, an Ensemble or a row of a table of initialisations is.

    Parameters
    ----------
    design : Design, Ensemble, Initialisation, or something with an ``initialisation``

    Raises
    ------
    TypeError
        anything else
    ValueError
        a design that did not reach its target
    """
    if isinstance(design, Initialisation):
        return design
    if isinstance(design, Ensemble):
        return Initialisation(f"{design.cell.name} ensemble", design)
    held = getattr(design, "initialisation", None)
    if isinstance(held, Initialisation):
        return held
    ensemble = getattr(design, "ensemble", None)
    if not isinstance(ensemble, Ensemble):
        raise TypeError(f"design must be a Design, an Initialisation or an Ensemble, got {shown(design)}")
    if not getattr(design, "reached", True):
        raise ValueError(
            f"design did not reach its target ({getattr(design, 'status', '')}): pass design.ensemble to write it all the same"
        )
    return Initialisation(f"{ensemble.cell.name} design", ensemble, source="gt.design")


def _chrono_units(longest):
    """log u of units, and their weights: u uniform in (1, longest - 1), by a Gauss rule in log u."""
    x, w = np.polynomial.legendre.leggauss(_NODES)
    half = 0.5 * np.log(longest - 1.0)
    logs = half * (1.0 + x)
    weights = half * w * np.exp(logs) / (longest - 2.0)
    return logs, weights / weights.sum()
