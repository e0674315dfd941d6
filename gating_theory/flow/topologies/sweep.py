"""Fixed points of very many small networks: how many, and of which kinds [JSP]."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...cell.cell import Cell
from ...results.encoding import dict_of, require, result
from ...results.status import Status
from ...running.progress import Progress, check_progress
from ...support.checks import instance, integer, real, real_array
from ...support.types import Progress as Wanted
from ..program.tape import parameter_count
from ..proof.enclosure import map_enclosure
from ..proof.fixed_points import Topology
from ..proof.intervals import kernels

__all__ = ["MOST_POINTS", "TopologyCounts", "count_fixed_points", "decided", "sweep_table"]

#: Fixed points of one network that those who ask for them have room for: more than have been seen of two units or three.
MOST_POINTS = 48

#: Networks between two reports of progress.
_CHUNK = 1000


@result("flow.TopologyCounts")
@dataclass(frozen=True)
class TopologyCounts:
    """Numbers of fixed points of B networks, from one search each in validated arithmetic.

    Attributes
    ----------
    count, sinks, sources, saddles : (B,) int arrays
        Fixed points proved, and their kinds.
    untyped : (B,) int array, fixed points whose kind is undecided: at a bifurcation to rounding
    undecided : (B,) int array, boxes about which nothing is proved
    index_sum : (B,) int array, sum of the indices of the fixed points
    n_boxes : (B,) int array, boxes looked at
    complete : (B,) bool array
        The count is proved: nothing undecided, no budget exhausted, index sum 1.
    status : Status
        "complete" or "incomplete"; ok where all counts are proved.

    See Also
    --------
    gating_theory.flow.count_fixed_points : Makes one.

    Examples
    --------
    >>> import gating_theory as gt
    >>> import numpy as np
    >>> weights = 10 * np.random.default_rng(0).standard_normal((200, 3, 2, 2))
    >>> counts = gt.flow.count_fixed_points(gt.GRU, weights)
    >>> bool((counts.sinks - counts.saddles + counts.sources == 1).all())
    True
    >>> list(counts.topologies().items())[0]
    (Topology(sinks=2, sources=0, saddles=1), 105)
    """

    count: np.ndarray
    sinks: np.ndarray
    sources: np.ndarray
    saddles: np.ndarray
    untyped: np.ndarray
    undecided: np.ndarray
    index_sum: np.ndarray
    n_boxes: np.ndarray
    complete: np.ndarray
    status: Status

    as_dict = dict_of

    def check(self) -> None:
        """ValueError where the kinds do not add up to the count."""
        kinds = self.sinks + self.sources + self.saddles + self.untyped
        require(np.array_equal(kinds, self.count), "the kinds do not add up to the count")

    @property
    def ok(self) -> bool:
        """Whether all counts are proved."""
        return self.status.ok

    def __len__(self) -> int:
        return len(self.count)

    @property
    def typed(self) -> np.ndarray:
        """(B,) bool array: complete, and every kind decided."""
        return self.complete & (self.untyped == 0)

    def topologies(self) -> dict[Topology, int]:
        """{Topology: number of networks} of the typed ones, most frequent first."""
        rows = np.stack([self.sinks, self.sources, self.saddles], axis=1)[self.typed]
        values, numbers = np.unique(rows.reshape(-1, 3), axis=0, return_counts=True)
        order = np.argsort(-numbers, kind="stable")
        return {Topology(*(int(v) for v in values[i])): int(numbers[i]) for i in order}

    def __str__(self) -> str:
        lines = [str(self.status)]
        lines += [f"  {tuple(t)}: {number}" for t, number in self.topologies().items()]
        return "\n".join(lines)


def count_fixed_points(
    cell: Cell,
    matrices: npt.ArrayLike,
    bias: npt.ArrayLike | None = None,
    parameters: npt.ArrayLike | None = None,
    *,
    max_boxes: int = 100_000,
    min_width: float = 1e-9,
    progress: Wanted = None,
) -> TopologyCounts:
    """Count and type the fixed points of many small networks of one cell, in compiled interval arithmetic [JSP].

    Each network is searched as by ``Flow.fixed_points(grade="validated")``: every fixed point enclosed, proved unique and
    typed, what cannot be decided counted as such. Between 5 microseconds (one GRU unit) and milliseconds (three units with
    large gains) a network.

    Parameters
    ----------
    cell : Cell
        With a closed-form fixed point of a site and bounded states; at most 3 unknowns (GRU, LSTM: 3 units).
    matrices : (B, K, N, N) array
    bias : (B, K, N) array, optional, default 0
    parameters : (B, P, N) array, optional, default 0
    max_boxes : int >= 1
        Boxes to look at for one network before giving up on it.
    min_width : float in [1e-13, 1e-2], as for ``Flow.fixed_points``
    progress : None, True or callable(done, total)

    Returns
    -------
    TopologyCounts

    Raises
    ------
    TypeError, ValueError
        wrong shapes, values that are not finite
    CapabilityError
        as by ``Flow.fixed_points``

    See Also
    --------
    gating_theory.flow.Flow.fixed_points : The points of one flow.
    gating_theory.count_fixed_points : Networks of an ensemble, by Newton's method.

    Examples
    --------
    >>> import gating_theory as gt
    >>> import numpy as np
    >>> weights = 10 * np.random.default_rng(0).standard_normal((200, 3, 2, 2))
    >>> counts = gt.flow.count_fixed_points(gt.GRU, weights)
    >>> counts.ok, np.bincount(counts.count)[1:]
    (True, array([ 51,   0, 112,   0,  28,   0,   8,   0,   1]))
    """
    instance("cell", cell, Cell)
    matrices = real_array("matrices", matrices)
    K, P = cell.n_fields, len(cell.parameters)
    if matrices.ndim != 4 or matrices.shape[1] != K or matrices.shape[2] != matrices.shape[3] or matrices.shape[3] == 0:
        raise ValueError(f"matrices must have shape (B, {K}, N, N) for cell {cell.name!r}, got {matrices.shape}")
    B, n = matrices.shape[0], matrices.shape[3]
    arrays = [matrices.reshape(B, K * n * n)]
    for name, value, rows in (("bias", bias, K), ("parameters", parameters, P)):
        value = np.zeros((B, rows, n)) if value is None else real_array(name, value)
        if value.shape != (B, rows, n):
            raise ValueError(f"{name} must have shape {(B, rows, n)}, got {value.shape}")
        arrays.append(value.reshape(B, rows * n))
    most = integer("max_boxes", max_boxes, low=1)
    narrow = real("min_width", min_width, low=1e-13, high=1e-2)
    check_progress(progress)
    flat = np.concatenate(arrays, axis=1)
    table = sweep_table(cell, n, flat, narrow, most, progress)
    count, sinks, sources, saddles, untyped, undecided, index_sum, n_boxes, finished = table.T.copy()
    complete = (finished == 1) & (undecided == 0) & (index_sum == 1)
    left = int(B - complete.sum())
    text = f"validated (numba): {B} networks, " + ("all complete" if left == 0 else f"{left} not proved complete")
    if untyped[complete].any():
        text += f", {int((untyped[complete] > 0).sum())} with points of undecided kind"
    status = Status("incomplete" if left else "complete", text, left == 0)
    return TopologyCounts(count, sinks, sources, saddles, untyped, undecided, index_sum, n_boxes, complete, status)


def sweep_table(
    cell: Cell,
    n_units: int,
    flat: np.ndarray,
    narrow: float = 1e-9,
    most_boxes: int = 100_000,
    progress: Wanted = None,
    middles: np.ndarray | None = None,
) -> np.ndarray:
    """(B, 9) int array for (B, P) flat parameters: the columns of TopologyCounts, the last 1 where the search was finished.

    ``middles`` (B, most, dim) is filled with the fixed points, where there are that many.
    """
    enclosure = map_enclosure(cell, n_units)
    # refuses cells whose states are not bounded
    enclosure.box(flat[0] if len(flat) else np.zeros(parameter_count(cell, n_units)), "validated")
    functions = [getattr(enclosure, name)("validated") for name in ("enclose", "states", "jacobian")]
    places, dim = np.array(enclosure.places), cell.n_state * n_units
    out = np.zeros((len(flat), 9), dtype=np.int64)
    middles = np.empty((len(flat), 0, dim)) if middles is None else middles
    with Progress(progress, len(flat), "network") as tell:
        for start in range(0, len(flat), _CHUNK):
            part = slice(start, start + _CHUNK)
            kernels("validated").sweep(*functions, places, dim, np.array(flat[part]), narrow, most_boxes, out[part], middles[part])
            tell(len(out[part]))
    return out


def decided(table: np.ndarray) -> np.ndarray:
    """Which rows of a sweep are proved complete, with every kind known: (B,) bool array."""
    return (table[:, 4] == 0) & (table[:, 5] == 0) & (table[:, 6] == 1) & (table[:, 8] == 1)
