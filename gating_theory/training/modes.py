"""Modes of given networks: which of them are learned, from which field, and what a random network would do in their place [T11]."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ..ensemble.ensemble import Ensemble
from ..results.encoding import require, require_shapes, result
from ..results.status import Status
from ..support.checks import boolean, choice
from .modes_text import modes_text

__all__ = ["ALL", "KINDS", "SLOW", "Mode", "Modes"]

#: What a mode can be.
KINDS = ("bulk", "leak", "random", "learned")
#: The key under which the removal of all learned parts together stands.
ALL = "all"
#: Modes that live longer than this many steps are listed wherever they lie.
SLOW = 10.0


@result("mode")
@dataclass(frozen=True)
class Mode:
    """One eigenvalue of the Jacobian at one state, and where it comes from [T11].

    Attributes
    ----------
    state : int, which of the states looked at
    eigenvalue : complex
    kind : str
        "leak": one unit forgets as slowly by itself, its gate is shut: leaks are the modulus to 5 %, and half of the mode sits on
        that unit (outside the support a quarter: a few units). Otherwise "bulk": inside the support of what the random part of the
        weights gives at these sites. "learned": outside, and without the learned part of the weights no eigenvalue is left near;
        of what leaks hold only where most of what they leave is learned.
        "random": outside and neither: where gates are open about one eigenvalue of a random network is outside by chance, where
        some are shut more are, which a few of these units share; or removal leaves another mode near, as where training only
        shifted it.
    outside : bool, whether it lies outside that support
    on_unit : float, the share of the mode that sits on the one unit with the largest share
    leak : float
        Part of the modulus that the leaks of sites give: ``leak + sum of random + sum of learned = |eigenvalue|``, exactly.
    random, learned : dict, {field: part that comes through the random, the learned part of its matrix}
    removed : dict
        {field: distance to the nearest eigenvalue left when the learned part of its matrix is removed, the sites held}, "all" for
        those of all fields; fields without learned directions are missing.

    See Also
    --------
    gating_theory.learned_modes : Makes them.

    Examples
    --------
    >>> import gating_theory as gt
    >>> import numpy as np
    >>> ens = gt.Ensemble(gt.Vanilla, gain=0.3)
    >>> before = gt.Network.sample(ens, 100, rng=0)
    >>> direction = np.ones(100) / 10
    >>> learned = 0.95 * np.outer(direction, direction)
    >>> after = gt.Network(ens, before.matrices + learned, before.biases)
    >>> split = gt.split_weights(after, initial=before)
    >>> modes = gt.learned_modes(after, np.zeros((1, 100)), split)
    >>> mode = modes.listed[0]
    >>> (
    ...     round(abs(mode.eigenvalue), 3),
    ...     round(mode.learned["h"], 3),
    ...     round(mode.random["h"], 3),
    ... )
    (0.98, 0.941, 0.039)
    """

    state: int
    eigenvalue: complex
    kind: str
    outside: bool
    on_unit: float
    leak: float
    random: dict[str, float]
    learned: dict[str, float]
    removed: dict[str, float]

    @property
    def timescale(self) -> float:
        """``-1 / log|eigenvalue|``, steps; inf where the mode does not decay."""
        modulus = abs(self.eigenvalue)
        return math.inf if modulus >= 1.0 else -1.0 / math.log(modulus) if modulus > 0.0 else 0.0

    @property
    def field(self) -> str | None:
        """The field whose learned part has the largest share; None where there is none with a positive one."""
        best = max(self.learned, key=lambda name: self.learned[name], default=None)
        return best if best is not None and self.learned[best] > 0.0 else None

    @property
    def share(self) -> float:
        """The part of the modulus that is learned, of all fields, as a fraction; nan where shares are not determined."""
        modulus = abs(self.eigenvalue)
        return sum(self.learned.values()) / modulus if modulus > 0.0 else 0.0

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; what is not a number as None."""
        plain = {"leak": self.leak, "on_unit": self.on_unit, "timescale": self.timescale}
        parts = {"random": self.random, "learned": self.learned, "removed": self.removed}
        return {
            "state": self.state,
            "eigenvalue": [self.eigenvalue.real, self.eigenvalue.imag],
            "kind": self.kind,
            "outside": self.outside,
            **{key: _finite(value) for key, value in plain.items()},
            **{key: {name: _finite(value) for name, value in values.items()} for key, values in parts.items()},
        }


@result("modes")
@dataclass(frozen=True, repr=False)
class Modes:
    """All modes at S states of a network, made by :func:`learned_modes`. Printing it gives the text; iterating gives those listed.

    Arrays have one row a state and one column for each of the d N eigenvalues; those by field have an axis of the K fields between.

    Attributes
    ----------
    ensemble : Ensemble, of the random part of the weights: what theory compares with
    n_units : int, N
    n_learned : dict, {field: number of learned directions that were found in its matrix}
    from_initial : bool, whether the learned part is the difference from initial weights
    eigenvalues : (S, d N) complex array, exact
    bulk_eigenvalues : (S, d N) complex array, at the same sites without the learned part
    edge : (S, d N) array, the edge function of the random part at each eigenvalue: below ``threshold`` it lies outside
    threshold : float
        1 / (1 + 2.5 / sqrt N): of iid networks of this size about one eigenvalue lies beyond, besides the leaks of units whose
        gates are shut [T11].
    kinds : (S, d N) array of str, see :class:`Mode`
    on_unit, leak : (S, d N) arrays, as of a Mode
    random, learned : (S, K, d N) arrays
        Parts of the modulus; nan where left and right vectors are so close to orthogonal that parts mean nothing.
    removed : dict, {field or "all": (S, d N) array}
    status : Status
        Code "ok"; with ``ok`` False "hidden", or what the split says ("blurred", "unsplit"), where the matrices alone do not tell:
        pass the initial weights.

    See Also
    --------
    gating_theory.learned_modes : Makes them.
    gating_theory.plotting.plot_mode_shares : What the slowest consist of.

    Examples
    --------
    >>> import gating_theory as gt
    >>> import numpy as np
    >>> ens = gt.Ensemble(gt.Vanilla, gain=0.3)
    >>> before = gt.Network.sample(ens, 100, rng=0)
    >>> direction = np.ones(100) / 10
    >>> learned = 0.95 * np.outer(direction, direction)
    >>> after = gt.Network(ens, before.matrices + learned, before.biases)
    >>> split = gt.split_weights(after, initial=before)
    >>> modes = gt.learned_modes(after, np.zeros((1, 100)), split)
    >>> modes.count("learned"), modes.count("bulk"), modes.n_learned
    (1.0, 99.0, {'h': 1})
    """

    ensemble: Ensemble
    n_units: int
    n_learned: dict[str, int]
    from_initial: bool
    eigenvalues: np.ndarray = field(repr=False)
    bulk_eigenvalues: np.ndarray = field(repr=False)
    edge: np.ndarray = field(repr=False)
    threshold: float
    kinds: np.ndarray = field(repr=False)
    on_unit: np.ndarray = field(repr=False)
    leak: np.ndarray = field(repr=False)
    random: np.ndarray = field(repr=False)
    learned: np.ndarray = field(repr=False)
    removed: dict[str, np.ndarray] = field(repr=False)
    status: Status

    @property
    def n_states(self) -> int:
        """How many states were looked at."""
        return len(self.eigenvalues)

    @property
    def field_names(self) -> tuple[str, ...]:
        """The fields, in the order of ``random`` and ``learned``."""
        return tuple(self.ensemble.cell.field_names)

    @property
    def outside(self) -> np.ndarray:
        """(S, d N) bool array: outside the support of the random part."""
        return self.edge < self.threshold

    @property
    def slow(self) -> np.ndarray:
        """(S, d N) bool array: longer than 10 steps, growing ones included."""
        return np.abs(self.eigenvalues) > math.exp(-1.0 / SLOW)

    def count(self, kind: str, *, slow: bool = False) -> float:
        """Mean number of modes of a kind a state.

        Parameters
        ----------
        kind : "bulk", "leak", "random" or "learned"
        slow : bool, only those that live longer than 10 steps

        Examples
        --------
        >>> import gating_theory as gt
        >>> import numpy as np
        >>> ens = gt.Ensemble(gt.Vanilla, gain=0.3)
        >>> before = gt.Network.sample(ens, 100, rng=0)
        >>> direction = np.ones(100) / 10
        >>> learned = 0.95 * np.outer(direction, direction)
        >>> after = gt.Network(ens, before.matrices + learned, before.biases)
        >>> split = gt.split_weights(after, initial=before)
        >>> modes = gt.learned_modes(after, np.zeros((1, 100)), split)
        >>> modes.count("learned"), modes.count("bulk", slow=True)
        (1.0, 0.0)
        """
        chosen = self.kinds == choice("kind", kind, KINDS)
        return float((chosen & self.slow if boolean("slow", slow) else chosen).sum(axis=1).mean())

    @cached_property
    def listed(self) -> tuple[Mode, ...]:
        """Modes that lie outside or live longer than 10 steps: the slowest first, state by state."""
        wanted = self.outside | self.slow
        out = []
        for state, row in enumerate(wanted):
            columns = np.flatnonzero(row)
            columns = columns[np.argsort(-np.abs(self.eigenvalues[state, columns]), kind="stable")]
            out += [self._mode(state, column) for column in columns.tolist()]
        return tuple(out)

    def of_kind(self, kind: str) -> tuple[Mode, ...]:
        """Those listed of one kind.

        Parameters
        ----------
        kind : "bulk", "leak", "random" or "learned"

        Examples
        --------
        >>> import gating_theory as gt
        >>> import numpy as np
        >>> ens = gt.Ensemble(gt.Vanilla, gain=0.3)
        >>> before = gt.Network.sample(ens, 100, rng=0)
        >>> direction = np.ones(100) / 10
        >>> learned = 0.95 * np.outer(direction, direction)
        >>> after = gt.Network(ens, before.matrices + learned, before.biases)
        >>> split = gt.split_weights(after, initial=before)
        >>> modes = gt.learned_modes(after, np.zeros((1, 100)), split)
        >>> [mode.field for mode in modes.of_kind("learned")]
        ['h']
        """
        choice("kind", kind, KINDS)
        return tuple(mode for mode in self.listed if mode.kind == kind)

    def _mode(self, state, column):
        names = [name for name in self.field_names if self.ensemble.gain[name] > 0.0 or name in self.n_learned]
        rows = [self.field_names.index(name) for name in names]
        return Mode(
            state,
            complex(self.eigenvalues[state, column]),
            str(self.kinds[state, column]),
            bool(self.edge[state, column] < self.threshold),
            float(self.on_unit[state, column]),
            float(self.leak[state, column]),
            dict(zip(names, self.random[state, rows, column].tolist())),
            dict(zip(names, self.learned[state, rows, column].tolist())),
            {name: float(distance[state, column]) for name, distance in self.removed.items()},
        )

    def __iter__(self) -> Iterator[Mode]:
        return iter(self.listed)

    def __len__(self) -> int:
        return len(self.listed)

    def check(self) -> None:
        """ValueError for arrays of other shapes, kinds that there are not."""
        d, K = self.ensemble.cell.n_state, self.ensemble.cell.n_fields
        one = (self.n_states, d * self.n_units)
        names = ("eigenvalues", "bulk_eigenvalues", "edge", "kinds", "on_unit", "leak")
        require_shapes(self, dict.fromkeys(names, one) | dict.fromkeys(("random", "learned"), (one[0], K, one[1])))
        require(all(np.shape(value) == one for value in self.removed.values()), f"removed must have shape {one}")
        require(bool(np.isin(self.kinds, KINDS).all()), f"kinds must be of {list(KINDS)}")

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready: counts of all kinds and the modes listed (``gt.save`` keeps all arrays)."""
        return {
            "kind": "modes",
            "gain": dict(self.ensemble.gain),
            "n_learned": dict(self.n_learned),
            "from_initial": self.from_initial,
            "threshold": self.threshold,
            "count": {kind: self.count(kind) for kind in KINDS},
            "listed": [mode.as_dict() for mode in self.listed],
            "status": str(self.status),
        }

    def __str__(self) -> str:
        return modes_text(self)

    def __repr__(self) -> str:
        counts = ", ".join(f"{kind} {self.count(kind):.3g}" for kind in KINDS)
        return f"Modes({self.n_states} states of {self.n_units} units, a state: {counts}; print it)"


def _finite(value):
    return value if math.isfinite(value) else None
