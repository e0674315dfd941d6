"""Initialisations side by side, by theory: spectra at rest, gradients, and what they ask of Adam [T9, T10]."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..ensemble.ensemble import Ensemble
from ..ensemble.sites import Sites
from ..gradients.growth import gradient_growth
from ..interop.initialise import Designed, Initialisation, Listed, initialisation_of
from ..results.display import brief
from ..results.encoding import dict_of, require, result
from ..results.status import Status
from ..support.checks import choice, integer, shown
from .gradients import power
from .step_size import at_rest, largest_rate, onset_slope
from .unknowns import candidate_of

__all__ = ["InitialisationRow", "InitialisationTable", "compare_initialisations"]

#: Steps back through which gradients are followed at most.
_LONGEST = 10_000
#: The width of names in the table.
_NAME = 46


@result("initialisation_row")
@dataclass(frozen=True)
class InitialisationRow:
    """One initialisation, and what theory says of its networks at rest, without input.

    Attributes
    ----------
    initialisation : Initialisation
    leak : float, the largest eigenvalue of a unit that hears nothing; of the slowest unit where biases are spread
    extent : float, how far the spectrum reaches from there
    radius : float, the spectral radius
    tau : float, the slowest timescale -1/log(radius) in steps; inf at the transition
    factor : float, by what all recurrent weights are to be multiplied to be at the transition
    n_steps : int, T
    log10_gradient : float, log10 of the mean square of a gradient through T steps, of a loss on the output h_T
    sensitivity : float
        Lambda = T d radius / d gain of the candidate, at the gain where the radius is 1: gradients through T steps change by the
        factor exp(2 Lambda da) where that gain changes by da.

    See Also
    --------
    gating_theory.compare_initialisations : Makes a table of rows.

    Examples
    --------
    >>> import gating_theory as gt
    >>> row = gt.compare_initialisations({"iid": gt.Ensemble(gt.GRUResetAfter)})[
    ...     "iid"
    ... ]
    >>> row.radius, round(row.factor, 4)
    (0.75, 2.0)
    """

    initialisation: Initialisation
    leak: float
    extent: float
    radius: float
    tau: float
    factor: float
    n_steps: int
    log10_gradient: float
    sensitivity: float

    as_dict = dict_of

    @property
    def name(self) -> str:
        """Of the initialisation: the library, the layer, what is drawn."""
        return self.initialisation.name

    @property
    def ensemble(self) -> Ensemble:
        """Of the initialisation: gains as measured, and the law of the matrices."""
        return self.initialisation.ensemble

    @property
    def source(self) -> str:
        """Where the initialisation comes from."""
        return self.initialisation.source

    @property
    def learning_rate(self) -> float:
        """The largest learning rate of Adam that it stands, .05 / Lambda (see :attr:`Promise.learning_rate`)."""
        return largest_rate(self.sensitivity)

    @property
    def log10_eps(self) -> float:
        """log10 of the eps that Adam has to have less than, sqrt(G(T)) (see :attr:`Promise.log10_eps`)."""
        return 0.5 * self.log10_gradient

    def check(self) -> None:
        """ValueError for numbers that do not belong together."""
        require(self.n_steps >= 1, f"n_steps must be at least 1, got {self.n_steps}")
        require(abs(self.leak + self.extent - self.radius) <= 1e-12, "radius must be leak + extent")
        require(self.sensitivity >= 0.0, f"sensitivity must not be negative, got {self.sensitivity}")

    def __repr__(self) -> str:
        gradient = f"gradient {power(self.log10_gradient)} through {self.n_steps} steps"
        numbers = f"leak {self.leak:.4g}, radius {self.radius:.4g}, {gradient}"
        return brief("InitialisationRow", f"{self.name}: {numbers}")

    def __str__(self) -> str:
        return (
            f"{self.name:<{_NAME}} {self.leak:.4f} {self.extent:7.4f} {self.radius:7.4f} {self.tau:8.3f} {self.factor:9.5g}"
            f" {power(self.log10_gradient):>9} {self.sensitivity:8.3g} {self.learning_rate:8.2g} {power(self.log10_eps):>9}"
        )


@result("initialisation_table")
@dataclass(frozen=True)
class InitialisationTable:
    """The table: printed, indexed by name (``table["keras GRU"].ensemble``), looped over; saved where all rows are of one cell.

    Attributes
    ----------
    rows : tuple of InitialisationRow

    See Also
    --------
    gating_theory.compare_initialisations : Makes one.
    gating_theory.defaults : That of the libraries.

    Examples
    --------
    >>> import gating_theory as gt
    >>> table = gt.compare_initialisations(
    ...     {
    ...         "small": gt.Ensemble(gt.LSTM, gain=0.5),
    ...         "large": gt.Ensemble(gt.LSTM, gain=2.0),
    ...     }
    ... )
    >>> table.names
    ('small', 'large')
    >>> [round(row.radius, 3) for row in table]
    [0.625, 1.0]
    """

    rows: tuple[InitialisationRow, ...]

    as_dict = dict_of

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the rows."""
        return tuple(row.name for row in self.rows)

    @property
    def status(self) -> Status:
        """What the numbers are of: code "limit"."""
        return Status("limit", "many units, at rest, without input: driven networks forget faster, networks of N units scatter")

    def __getitem__(self, name: str) -> InitialisationRow:
        return self.rows[self.names.index(choice("name", name, self.names))]

    def __iter__(self) -> Iterator[InitialisationRow]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.names)

    def __repr__(self) -> str:
        return brief("InitialisationTable", f"{len(self)} initialisations: {', '.join(self.names)}")

    def __str__(self) -> str:
        n_steps = self.rows[0].n_steps if self.rows else 0
        head = (
            f"{f'{n_steps} steps':<{_NAME}} {'leak':<6} {'extent':>7} {'radius':>7} {'tau':>8} {'factor':>9}"
            f" {'gradient':>9} {'Lambda':>8} {'rate':>8} {'eps':>9}"
        )
        foot = "gradient: mean square through so many steps; Adam: learning rates up to rate, eps below eps for gradients to count"
        return "\n".join([head, *map(str, self.rows), foot, str(self.status)])


def compare_initialisations(
    initialisations: Sequence[Initialisation | Ensemble | Designed | Listed]
    | Mapping[str, Initialisation | Ensemble | Designed | Listed],
    n_steps: int = 100,
) -> InitialisationTable:
    """What initialisations do, side by side, by theory: at rest, without input, in the limit of many units [T9, T10].

    Spectral radius, slowest timescale, by what recurrent weights are to be multiplied to reach the transition to instability, how
    gradients fare through T steps, and what they ask of Adam. Chrono biases are taken as they are drawn, unit by unit.

    Parameters
    ----------
    initialisations : sequence or {name: any of these}
        Of Initialisation (``gt.chrono``, ``gt.gilboa``, ``gt.orthogonal``, rows of ``gt.defaults()``), Design or Ensemble, with
        a zero state each, of any cells.
    n_steps : int from 1 to 10000, T

    Returns
    -------
    InitialisationTable

    Raises
    ------
    TypeError, ValueError
        other things than initialisations, two of one name, n_steps out of range
    CapabilityError
        an ensemble without a zero state, or without a single candidate

    See Also
    --------
    gating_theory.defaults : The table of the libraries.
    gating_theory.design : Finds an initialisation instead of judging one.

    Examples
    --------
    >>> import gating_theory as gt
    >>> table = gt.compare_initialisations(
    ...     [gt.chrono(gt.LSTM, 200), gt.gilboa(gt.LSTM)], 200
    ... )
    >>> [round(row.log10_gradient, 2) for row in table]
    [-1.96, -1.17]
    """
    n_steps = integer("n_steps", n_steps, low=1, high=_LONGEST)
    if isinstance(initialisations, (str, bytes)) or not isinstance(initialisations, (Mapping, Sequence)):
        raise TypeError(f"initialisations must be a sequence or a mapping from names, got {shown(initialisations)}")
    if isinstance(initialisations, Mapping):
        found = [replace(initialisation_of(one), name=name) for name, one in initialisations.items()]
    else:
        found = [initialisation_of(one) for one in initialisations]
    names = [one.name for one in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"initialisations has two of the name {twice[0]!r}: give a mapping from names of your own")
    return InitialisationTable(tuple(_row(one, n_steps) for one in found))


def _row(initialisation, n_steps):
    spectrum = at_rest(initialisation)
    radius = spectrum.radius()
    leak = min(_leak(spectrum), radius)  # the last units of a law of leaks count for neither
    gain, slope = onset_slope(initialisation)
    cell, own = initialisation.cell, float(spectrum.gain[initialisation.cell.field_names.index(candidate_of(initialisation.cell))])
    heard = [name for name in cell.state_names if name in cell.message_names]
    return InitialisationRow(
        initialisation=initialisation,
        leak=leak,
        extent=radius - leak,
        radius=radius,
        tau=-1.0 / np.log(radius) if radius < 1.0 else np.inf,
        factor=gain / own if own > 0.0 else np.inf,
        n_steps=n_steps,
        log10_gradient=float(gradient_growth(spectrum, n_steps, block=heard or None).log10[-1]),
        sensitivity=n_steps * slope,
    )


def _leak(spectrum):
    """The slowest eigenvalue of the units' own dynamics F_s."""
    sites = spectrum.source if isinstance(spectrum.source, Sites) else spectrum.source.sites
    d = sites.cell.n_state
    matrices = np.zeros((sites.size, d, d))
    for (i, j), value in sites.cell.compiled.blocks(sites.state, sites.fields, sites.parameters)["F_s"].items():
        matrices[:, i, j] = value
    return float(np.abs(np.linalg.eigvals(matrices)).max())
