"""What the initialisations of common libraries do: distance to the transition, timescales, gradients [T9, T10]."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..cell.builtin import GRU, LSTM, GRUResetAfter, Vanilla
from ..ensemble.ensemble import Ensemble
from ..gradients.growth import gradient_growth
from ..mean_field.critical import onset
from ..mean_field.fixed_points import fixed_points
from ..results.encoding import dict_of, require, result
from ..results.status import Status
from ..spectrum.spectrum import Spectrum
from ..support.checks import choice, integer
from .gradients import power

__all__ = ["Default", "Defaults", "defaults"]

#: Entries uniform between -1 / sqrt N and 1 / sqrt N have the variance 1 / 3 N.
_UNIFORM = 3.0**-0.5
_KERAS = "keras.io/api/layers/recurrent_layers: recurrent_initializer orthogonal, of all gates at once"
_TORCH = "docs.pytorch.org/docs/stable/nn.html: uniform within 1 / sqrt(hidden_size); biases too, which vanish as N grows"
_ORTHOGONAL = "docs.pytorch.org/docs/stable/nn.init.html: orthogonal_, gain 1; biases set to zero"
_FLAX = "flax.readthedocs.io, flax.linen: recurrent_kernel_init orthogonal, of each gate; biases zero"
#: Steps back through which gradients are followed at most.
_LONGEST = 10_000


@result("default")
@dataclass(frozen=True)
class Default:
    """One initialisation, and what theory says of its networks at rest, without input.

    Attributes
    ----------
    name : str, of the library, the layer, and what is drawn
    ensemble : Ensemble, whose networks it draws in the limit of many units: gains as measured, and the law of the matrices
    leak : float, the eigenvalue of a unit that hears nothing, about which the spectrum lies
    extent : float, how far the spectrum reaches from there
    radius : float, the spectral radius
    tau : float, the slowest timescale -1/log(radius) in steps; inf at the transition
    factor : float, by what all recurrent weights are to be multiplied to be at the transition
    n_steps : int, T
    log10_gradient : float, log10 of the mean square of a gradient through T steps, of a loss on the output h_T
    source : str, where the library says so
    """

    name: str
    ensemble: Ensemble
    leak: float
    extent: float
    radius: float
    tau: float
    factor: float
    n_steps: int
    log10_gradient: float
    source: str

    as_dict = dict_of

    def check(self) -> None:
        """ValueError for numbers that do not belong together."""
        require(self.n_steps >= 1, f"n_steps must be at least 1, got {self.n_steps}")
        require(abs(self.leak + self.extent - self.radius) <= 1e-12, "radius must be leak + extent")

    def __str__(self) -> str:
        return (
            f"{self.name:<46} {self.leak:.4f} {self.extent:7.4f} {self.radius:7.4f} {self.tau:8.3f} {self.factor:7.4f}"
            f"  {power(self.log10_gradient)}"
        )


@result("defaults")
@dataclass(frozen=True)
class Defaults:
    """The table: printed, indexed by name (``table["keras GRU"].ensemble``), looped over.

    Attributes
    ----------
    rows : tuple of Default
    """

    rows: tuple[Default, ...]

    as_dict = dict_of

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the rows."""
        return tuple(row.name for row in self.rows)

    @property
    def status(self) -> Status:
        """What the numbers are of: code "limit"."""
        return Status("limit", "many units, at rest, without input: driven networks forget faster, networks of N units scatter")

    def __getitem__(self, name: str) -> Default:
        return self.rows[self.names.index(choice("name", name, self.names))]

    def __iter__(self) -> Iterator[Default]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __str__(self) -> str:
        n_steps = self.rows[0].n_steps if self.rows else 0
        head = f"{'':<46} {'leak':<6} {'extent':>7} {'radius':>7} {'tau':>8} {'factor':>7}  gradient, {n_steps} steps"
        return "\n".join([head, *map(str, self.rows), str(self.status)])


def defaults(n_steps: int = 100) -> Defaults:
    """What recurrent layers of Keras, PyTorch and Flax are as they are initialised, by theory [T9, T10].

    At rest and without input, in the limit of many units: spectrum, slowest timescale, by what recurrent weights are to be
    multiplied to reach the transition to instability, and how gradients fare through T steps.

    Parameters
    ----------
    n_steps : int from 1 to 10000, T

    Returns
    -------
    Defaults

    Raises
    ------
    TypeError, ValueError : n_steps out of range

    Examples
    --------
    >>> import gating_theory as gt
    >>> table = gt.defaults()
    >>> round(table["keras LSTM"].tau, 3)
    6.434
    """
    n_steps = integer("n_steps", n_steps, low=1, high=_LONGEST)
    return Defaults(tuple(_row(name, ensemble, source, n_steps) for name, ensemble, source in _initialisations()))


def _initialisations():
    """(name, ensemble, source) of each. A stack of K gates of gain 1 has the gains 1 / sqrt K."""
    forget = {"f": 1.0}
    return [
        ("keras GRU", Ensemble(GRUResetAfter, 3.0**-0.5, matrices="stack"), _KERAS),
        ("keras GRU, reset_after=False", Ensemble(GRU, 3.0**-0.5, matrices="stack"), _KERAS),
        ("keras LSTM", Ensemble(LSTM, 0.5, forget, matrices="stack"), f"{_KERAS}; unit_forget_bias: b_f = 1"),
        ("keras SimpleRNN", Ensemble(Vanilla, 1.0, matrices="stack"), _KERAS),
        ("torch GRU", Ensemble(GRUResetAfter, _UNIFORM), _TORCH),
        ("torch LSTM", Ensemble(LSTM, _UNIFORM), _TORCH),
        ("torch RNN", Ensemble(Vanilla, _UNIFORM), _TORCH),
        ("torch GRU, orthogonal_ on weight_hh", Ensemble(GRUResetAfter, 3.0**-0.5, matrices="stack"), _ORTHOGONAL),
        ("torch LSTM, orthogonal_ on weight_hh", Ensemble(LSTM, 0.5, matrices="stack"), _ORTHOGONAL),
        ("torch GRU, orthogonal_ on each gate", Ensemble(GRUResetAfter, 1.0, matrices="orthogonal"), _ORTHOGONAL),
        ("torch LSTM, orthogonal_ on each gate", Ensemble(LSTM, 1.0, matrices="orthogonal"), _ORTHOGONAL),
        ("torch LSTM, the same and b_f = 1", Ensemble(LSTM, 1.0, forget, matrices="orthogonal"), _ORTHOGONAL),
        ("torch RNN, orthogonal_", Ensemble(Vanilla, 1.0, matrices="orthogonal"), _ORTHOGONAL),
        ("flax.linen GRUCell", Ensemble(GRUResetAfter, 1.0, matrices="orthogonal"), _FLAX),
        ("flax.linen LSTMCell", Ensemble(LSTM, 1.0, matrices="orthogonal"), _FLAX),
    ]


def _row(name, ensemble, source, n_steps):
    point = fixed_points(ensemble)[0]  # the zero state, which all of these have
    radius, leak = Spectrum(point).radius(), _leak(point.sites)
    return Default(
        name=name,
        ensemble=ensemble,
        leak=leak,
        extent=radius - leak,
        radius=radius,
        tau=-1.0 / np.log(radius) if radius < 1.0 else np.inf,
        factor=onset(ensemble, "gain").value / next(iter(ensemble.gain.values())),
        n_steps=n_steps,
        log10_gradient=float(gradient_growth(point, n_steps, block="h").log10[-1]),
        source=source,
    )


def _leak(sites):
    """The slowest eigenvalue of a unit's own dynamics F_s, where all units are alike."""
    d, F_s = sites.cell.n_state, sites.cell.compiled.blocks(sites.state, sites.fields, sites.parameters)["F_s"]
    matrix = np.zeros((d, d))
    for place, value in F_s.items():
        matrix[place] = np.ravel(value)[0]
    return float(np.abs(np.linalg.eigvals(matrix)).max())
