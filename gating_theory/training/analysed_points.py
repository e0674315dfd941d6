"""Attractors and saddles of a network, where its unstable directions lead and where inputs take it: results [T1, T2]."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from ..networks.fixed_points import NetworkFixedPoints
from ..networks.network import Network
from ..results.encoding import dict_of, require, require_shapes, result
from ..results.status import Status
from ..support.checks import integer

__all__ = ["FixedPointAnalysis", "HeldFixedPoints"]

#: Rows of a table of points, and numbers of an input vector, that a report shows.
_ROWS, _NUMBERS = 40, 6
_HEAD = f"  {'point':<6}{'kind':<8}{'rms':>8}{'slowest mode':>16}{'runs ending':>13}   unstable modes, and where they lead"


@result("held_fixed_points")
@dataclass(frozen=True, eq=False)
class HeldFixedPoints:
    """Fixed and slow points of a network while one input is held, what is unstable about them, and where that leads.

    Points are ordered: stable ones by how many runs ended there, saddles by the number of their unstable directions, slow points by
    their residual. All arrays below follow that order.

    Attributes
    ----------
    input : array, what is held: (I,) for a layer, (K, N) for a Network
    pattern, parameters : (K, N) and (P, N) arrays
        The frozen input of the fields and the site parameters that it makes; ``FixedPointAnalysis.network_at`` puts them in.
    points : NetworkFixedPoints
        States, residuals, speeds (per step), spectral radii, timescales (steps), how many are missing.
    kind : (n,) array of str
        "stable": a fixed point without an unstable eigenvalue. "saddle": one that has some. "slow": no fixed point, see
        NetworkFixedPoints.
    unstable_eigenvalues : tuple of (m,) complex arrays
        One for each point: eigenvalues of the Jacobian of one step with modulus above 1, largest first, at most ``n_modes`` of them
        (``points.n_unstable`` counts all). Empty for stable and slow points.
    unstable_directions : tuple of (m, d, N) complex arrays
        Their right eigenvectors, of unit Euclidean norm: differences along them grow by the eigenvalue each step. Real eigenvalues
        have real ones; the real and imaginary parts of the others are orthogonal, and span the plane of a pair.
    leads : tuple of (m, 2) arrays of int
        The points at which the network comes to rest after a small kick along the (real part of the) direction, and one against it;
        -1 where it still moves at the end of the run or runs away; -2 where it was not tried (more than ``n_modes`` directions).
    connections : (n, n) array of int
        How many of the kicks off the point of the row ended at the point of the column; to the kicks of ``leads`` come random
        mixtures where a saddle has several unstable directions. From a slow point one run without a kick.
    n_kicks : (n,) array of int, kicks off each point; those that are missing in its row of ``connections`` came to rest nowhere
    ends : (n_runs,) array of int
        The point at which each run came to rest, -1 where it still moves: one run for each input sequence, on from its last state
        with the input held; without inputs runs from random states.

    See Also
    --------
    gating_theory.fixed_point_analysis : Makes one for each input held.

    Examples
    --------
    >>> import gating_theory as gt
    >>> import numpy as np
    >>> matrices = np.zeros((3, 2, 2))
    >>> matrices[2] = 3 * np.eye(2)
    >>> net = gt.Network(gt.Ensemble(gt.GRU), matrices, np.zeros((3, 2)))
    >>> held = gt.fixed_point_analysis(net, n_starts=64, n_steps=200)[0]
    >>> held.kind.tolist()
    ['stable', 'stable', 'stable', 'stable', 'saddle', 'saddle', 'saddle', 'saddle', 'saddle']
    >>> held.unstable_eigenvalues[4].real.round(3)
    array([1.25])
    """

    input: np.ndarray
    pattern: np.ndarray = field(repr=False)
    parameters: np.ndarray = field(repr=False)
    points: NetworkFixedPoints
    kind: np.ndarray
    unstable_eigenvalues: tuple[np.ndarray, ...]
    unstable_directions: tuple[np.ndarray, ...] = field(repr=False)
    leads: tuple[np.ndarray, ...]
    connections: np.ndarray
    n_kicks: np.ndarray
    ends: np.ndarray

    as_dict = dict_of

    @property
    def stable(self) -> np.ndarray:
        """(n_stable, d, N) array: states of the stable fixed points."""
        return self.points.states[self.kind == "stable"]

    @property
    def saddles(self) -> np.ndarray:
        """(n_saddles, d, N) array: states of the saddles."""
        return self.points.states[self.kind == "saddle"]

    @property
    def slow(self) -> np.ndarray:
        """(n_slow, d, N) array: states of the slow points."""
        return self.points.states[self.kind == "slow"]

    @property
    def n_ended(self) -> np.ndarray:
        """(n,) array of int: how many runs ended at each point."""
        return np.bincount(self.ends[self.ends >= 0], minlength=len(self))

    def __len__(self) -> int:
        return len(self.kind)

    def check(self) -> None:
        """ValueError where parts do not fit together."""
        n, shape = len(self), self.points.states.shape[1:]
        require(len(self.points) == n, f"kind must have an entry for each of {len(self.points)} points, got {n}")
        require(set(self.kind.tolist()) <= {"stable", "saddle", "slow"}, "kind must be 'stable', 'saddle' or 'slow'")
        require_shapes(self, {"connections": (n, n), "n_kicks": (n,), "ends": (len(self.ends),)})
        for name in ("unstable_eigenvalues", "unstable_directions", "leads"):
            require(len(getattr(self, name)) == n, f"{name} must have an entry for each of {n} points")
        for values, directions, leads in zip(self.unstable_eigenvalues, self.unstable_directions, self.leads):
            m = len(values)
            require(directions.shape == (m, *shape), f"unstable_directions must have shape {(m, *shape)}, got {directions.shape}")
            require(leads.shape == (m, 2), f"leads must have shape {(m, 2)}, got {leads.shape}")
            require(not leads.size or leads.max() < n, f"leads must name one of {n} points")
        require(not self.ends.size or self.ends.max() < n, f"ends must name one of {n} points")
        require(bool((self.connections.sum(axis=1) <= self.n_kicks).all()), "connections must not be more than n_kicks")

    def __str__(self) -> str:
        count = {kind: int(np.sum(self.kind == kind)) for kind in ("stable", "saddle", "slow")}
        lines = [
            f"{_held(self.input)}: {count['stable']} stable fixed point{_s(count['stable'])}, {count['saddle']} "
            f"saddle{_s(count['saddle'])}, {count['slow']} slow point{_s(count['slow'])}"
        ]
        if len(self):
            lines.append(_HEAD)
        for i in range(min(len(self), _ROWS)):
            lines.append(self._row(i))
        if len(self) > _ROWS:
            lines.append(f"  and {len(self) - _ROWS} more")
        still = int(np.sum(self.ends < 0))
        if still:
            lines.append(f"  from {still} of {len(self.ends)} runs it still moves, or runs away")
        lines.append(f"  {self.points.status}")
        return "\n".join(lines)

    def _row(self, i):
        points = self.points
        slowest = "" if points.timescale is None or np.isnan(points.timescale[i]) else f"{points.timescale[i]:.4g} steps"
        size = np.sqrt(np.mean(points.states[i] ** 2))
        row = f"  {i:<6}{self.kind[i]:<8}{size:>8.3g}{slowest:>16}{self.n_ended[i]:>13}"
        values = self.unstable_eigenvalues[i]
        if len(values):
            n = int(points.n_unstable[i]) if points.n_unstable is not None else len(values)
            shown = [z for z in values if z.imag >= 0.0][:3]
            more = n > sum(1 if z.imag == 0.0 else 2 for z in shown)
            row += f"   {n}: {', '.join(map(_number, shown))}{', ...' if more else ''}"
        if self.n_kicks[i]:
            targets = [str(j) for j in np.flatnonzero(self.connections[i])]
            if self.connections[i].sum() < self.n_kicks[i]:
                targets.append("it moves on")
            row += f"   to {', '.join(targets)}"
        return row


@result("fixed_point_analysis")
@dataclass(frozen=True, eq=False)
class FixedPointAnalysis:
    """Attractors and saddles of a network, made by :func:`fixed_point_analysis`. Printing it gives the text.

    ``analysis[i]`` is what was found at the i-th input held, ``len(analysis)`` their number.

    Attributes
    ----------
    source : str, what was read
    network : Network, at zero input (a Network given: with its frozen input)
    held : tuple of HeldFixedPoints, one for each input held
    driven : bool, whether input sequences were given
    n_sequences, n_steps : int
        Input sequences and the length of the longest; without, the number of runs from random states and 0.
    trajectories : (n_steps + 1, B, d, N) array
        States along the input sequences, the first one first; the last one of a shorter sequence stands after its end. Of as
        many sequences as two million numbers hold, at least one. Empty without inputs.
    status : Status
        Code "ok" or, with ``ok`` False, "missing": at some input held a degree proves that fixed points are missing.

    See Also
    --------
    gating_theory.fixed_point_analysis : Makes one.

    Examples
    --------
    >>> import gating_theory as gt
    >>> import numpy as np
    >>> matrices = np.zeros((3, 2, 2))
    >>> matrices[2] = 3 * np.eye(2)
    >>> net = gt.Network(gt.Ensemble(gt.GRU), matrices, np.zeros((3, 2)))
    >>> found = gt.fixed_point_analysis(net, n_starts=64, n_steps=200)
    >>> found.status.code, len(found)
    ('ok', 1)
    >>> found[0].n_ended
    array([17, 17, 16, 14,  0,  0,  0,  0,  0])
    """

    source: str
    network: Network = field(repr=False)
    held: tuple[HeldFixedPoints, ...]
    driven: bool
    n_sequences: int
    n_steps: int
    trajectories: np.ndarray = field(repr=False)
    status: Status

    as_dict = dict_of

    def __len__(self) -> int:
        return len(self.held)

    def __getitem__(self, i: int) -> HeldFixedPoints:
        return self.held[i]

    def __iter__(self) -> Iterator[HeldFixedPoints]:
        return iter(self.held)

    def network_at(self, i: int = 0) -> Network:
        """The network while the i-th input is held: its fixed points are ``analysis[i].points``.

        Parameters
        ----------
        i : int, which of the inputs held

        Returns
        -------
        Network

        Raises
        ------
        TypeError, ValueError
            i is not one of them

        Examples
        --------
        >>> import gating_theory as gt
        >>> import numpy as np
        >>> matrices = np.zeros((3, 2, 2))
        >>> matrices[2] = 3 * np.eye(2)
        >>> net = gt.Network(gt.Ensemble(gt.GRU), matrices, np.zeros((3, 2)))
        >>> found = gt.fixed_point_analysis(net, n_starts=64, n_steps=200)
        >>> rest = found[0].stable[0]
        >>> bool(abs(found.network_at(0).step(rest) - rest).max() < 1e-9)
        True
        """
        one = self.held[integer("i", i, high=len(self.held) - 1)]
        return self.network.driven(one.pattern, one.parameters)

    def check(self) -> None:
        """ValueError where points or trajectories are not those of the network."""
        net = self.network
        require(len(self.held) > 0, "held must have an entry")
        shape = (net.cell.n_state, net.n_units)
        for one in self.held:
            require(one.points.states.shape[1:] == shape, f"states of points must have shape {shape}")
        require(self.trajectories.ndim == 4 and self.trajectories.shape[2:] == shape, f"trajectories must end in shape {shape}")

    def __str__(self) -> str:
        runs = (
            f"{self.n_sequences} input sequence{_s(self.n_sequences)} of {self.n_steps} step{_s(self.n_steps)}, then the input held"
        )
        if not self.driven:
            runs = f"{self.n_sequences} runs from random states"
        head = f"{self.source}: {self.network.n_units} units, cell {self.network.cell.name}; {runs}"
        return "\n".join([head, *(str(one) for one in self.held)])

    def __repr__(self) -> str:
        parts = [f"{np.sum(one.kind == 'stable')} stable, {np.sum(one.kind == 'saddle')} saddles" for one in self.held[:3]]
        more = "" if len(self.held) <= 3 else f"; {len(self.held)} inputs held"
        return f"FixedPointAnalysis({self.source}: {'; '.join(parts)}{more}; print it)"


def _s(count):
    return "" if count == 1 else "s"


def _number(z):
    return f"{z.real:.4g}" if z.imag == 0.0 else f"{z.real:.4g} +- {abs(z.imag):.4g}i"


def _held(x):
    if not x.any():
        return "without input"
    if x.ndim == 1 and x.size <= _NUMBERS:
        return f"input ({', '.join(f'{v:.4g}' for v in x)}) held"
    return f"input of shape {x.shape} and rms {np.sqrt(np.mean(x**2)):.4g} held"
