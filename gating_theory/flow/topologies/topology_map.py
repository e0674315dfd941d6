"""Planes of parameters, labelled by the proved topology of the flow: numbers of sinks, sources and saddles [JSP]."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...results.encoding import dict_of, require, require_shapes, result
from ...results.status import Status
from ...running.progress import check_progress
from ...running.tasks import check_executor, collect
from ...support.arithmetic import underflow_is_zero
from ...support.available_memory import require_memory
from ...support.checks import boolean, instance, integer, real, real_array, shown
from ...support.types import Executor
from ...support.types import Progress as Wanted
from ..flow import Flow
from ..line import Path
from ..proof.fixed_points import Topology
from .oscillation import OSCILLATION, stable_oscillations
from .sweep import MOST_POINTS, decided, sweep_table

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["TopologyMap", "topology_map"]

#: Networks of one task.
_CHUNK = 1000


@result("flow.TopologyMap")
@dataclass(frozen=True)
class TopologyMap:
    """The topology of a flow over a plane of two parameters, proved at every point of a grid.

    Attributes
    ----------
    flow : Flow
        The network that is changed.
    paths : tuple of two paths (str or Line)
        What changes along the first and along the second axis.
    x, y : (n_x,), (n_y,) arrays, their values
    topologies : tuple of Topology
        All that occur, the most frequent first.
    label : (n_x, n_y) int array
        ``topologies[label[i, j]]`` is that at ``x[i]``, ``y[j]``; -1 where it is not proved, as on a bifurcation.
    oscillation : (n_x, n_y) int array or None
        Whether there is a stable oscillation: 2 there is one, as there is no sink (proved; in two dimensions a cycle), 1 found by
        trajectories that come back to where they were, 0 none found, -1 not settled. None where nobody asked.
    status : Status
        "complete" (every topology is proved) or "incomplete".

    See Also
    --------
    gating_theory.flow.topology_map : Makes one.

    Examples
    --------
    >>> import gating_theory as gt
    >>> import numpy as np
    >>> flow = gt.GRUFlow(U_h=3)
    >>> axes = {"b_h[0]": np.linspace(-0.9, 1.1, 5), "gain.h": [0.4, 1.0]}
    >>> plane = gt.flow.topology_map(flow, axes)
    >>> plane.label[:, 1]
    array([0, 0, 1, 0, 0])
    >>> plane.borders().round(3)
    array([[-0.208,  1.   ],
           [ 0.208,  1.   ],
           [ 0.1  ,  0.865]])
    """

    flow: Flow
    paths: tuple[Path, Path]
    x: np.ndarray = field(repr=False)
    y: np.ndarray = field(repr=False)
    topologies: tuple[Topology, ...]
    label: np.ndarray = field(repr=False)
    oscillation: np.ndarray | None = field(repr=False)
    status: Status

    as_dict = dict_of

    def check(self) -> None:
        """ValueError where arrays do not fit together or a label has no topology."""
        shape: tuple[int, ...] = (len(self.x), len(self.y))
        require_shapes(self, {"label": shape} | ({} if self.oscillation is None else {"oscillation": shape}))
        require(
            self.label.min() >= -1 and self.label.max() < len(self.topologies), "label must name one of the topologies or be -1"
        )

    @property
    def ok(self) -> bool:
        """Whether the topology is proved everywhere."""
        return self.status.ok

    @property
    def n_undecided(self) -> int:
        """Number of points where it is not."""
        return int((self.label < 0).sum())

    @property
    def fractions(self) -> dict[Topology, float]:
        """{Topology: its share of the points}, the largest first."""
        counts = np.bincount(self.label[self.label >= 0], minlength=len(self.topologies))
        return {t: float(n) / self.label.size for t, n in zip(self.topologies, counts)}

    def at(self, x: float, y: float) -> Flow:
        """The flow at a point of the plane, on the grid or between; TypeError, ValueError for what is no finite number.

        Parameters
        ----------
        x, y : float, values of the two paths

        Returns
        -------
        Flow

        Examples
        --------
        >>> import gating_theory as gt
        >>> axes = {"b_h[0]": [-0.5, 0.1], "gain.h": [0.5, 1.0]}
        >>> plane = gt.flow.topology_map(gt.GRUFlow(U_h=3), axes)
        >>> plane.at(0.1, 1.0).fixed_points().topology.words
        '2 sinks, 1 source'
        """
        x, y = (real(name, value, low=-1e100, high=1e100) for name, value in (("x", x), ("y", y)))
        return self.flow.with_parameters(dict(zip(self.paths, (x, y))))

    @underflow_is_zero
    def borders(self, width: float = 1e-4) -> np.ndarray:
        """Points where a topology ends, one between any two neighbours of the grid with different ones, by bisection.

        Parameters
        ----------
        width : float in [1e-9, 1], how far they may be off, in units of the distance of the neighbours

        Returns
        -------
        (m, 2) array of values of x and y
            Where more than two topologies lie between neighbours, the end of the first one.

        Examples
        --------
        >>> import gating_theory as gt
        >>> axes = {"b_h[0]": [-0.5, 0.1], "gain.h": [0.5, 1.0]}
        >>> plane = gt.flow.topology_map(gt.GRUFlow(U_h=3), axes)
        >>> plane.borders().round(3)
        array([[-0.208,  1.   ],
               [ 0.1  ,  0.865]])
        """
        width = real("width", width, low=1e-9, high=1.0)
        places = np.stack(np.meshgrid(self.x, self.y, indexing="ij"), axis=-1)
        ends = []
        for a, b in ((np.s_[:-1], np.s_[1:]), (np.s_[:, :-1], np.s_[:, 1:])):
            edge = (self.label[a] != self.label[b]) & (self.label[a] >= 0) & (self.label[b] >= 0)
            ends.append((places[a][edge], places[b][edge], self.label[a][edge]))
        inside, outside, label = (np.concatenate(part) for part in zip(*ends))
        own = np.array(self.topologies).reshape(-1, 3)[label]
        for _ in range(int(np.ceil(-np.log2(width)))):
            middle = 0.5 * (inside + outside)
            flat = _joined(self.flow, *(_changed(self.flow, path, values) for path, values in zip(self.paths, middle.T)))
            table = sweep_table(self.flow.cell, self.flow.n_units, flat)
            same = (decided(table) & (table[:, 1:4] == own).all(axis=1))[:, None]
            inside, outside = np.where(same, middle, inside), np.where(same, outside, middle)
        return 0.5 * (inside + outside)

    def __str__(self) -> str:
        lines = [str(self.status)]
        lines += [f"  {tuple(t)}: {share:.2%} ({t.words})" for t, share in self.fractions.items()]
        if self.n_undecided:
            lines.append(f"  undecided: {self.n_undecided / self.label.size:.2%}")
        if self.oscillation is not None:
            shares = [f"{name} {np.mean(self.oscillation == code):.2%}" for code, name in OSCILLATION.items() if code]
            lines.append(f"  stable oscillations: {', '.join(reversed(shares))}")
        return "\n".join(lines)

    def to_dataset(self) -> xr.Dataset:
        """sinks, sources, saddles (-1 where not proved) and, where known, oscillation, as an xarray.Dataset over the two paths."""
        import json

        import xarray as xr

        names = [f"{path}" for path in self.paths]
        table = np.array([*self.topologies, (-1, -1, -1)], dtype=np.int64)
        variables: dict[str, tuple] = {
            name: (names, table[self.label, i], {"long_name": f"number of {name}, proved; -1: undecided"})
            for i, name in enumerate(("sinks", "sources", "saddles"))
        }
        if self.oscillation is not None:
            meanings = ", ".join(f"{code}: {name}" for code, name in OSCILLATION.items())
            variables["oscillation"] = (names, self.oscillation.copy(), {"long_name": f"stable oscillation ({meanings})"})
        about = {"status": str(self.status), "undecided": self.n_undecided, "flow": json.dumps(self.flow.as_dict())}
        return xr.Dataset(variables, {names[0]: self.x.copy(), names[1]: self.y.copy()}, about)


@underflow_is_zero
def topology_map(
    flow: Flow,
    axes: Mapping[Any, npt.ArrayLike],
    *,
    cycles: bool = False,
    max_boxes: int = 100_000,
    min_width: float = 1e-9,
    executor: Executor | None = None,
    progress: Wanted = None,
) -> TopologyMap:
    """A map of a plane of two parameters: at every point of a grid the numbers of sinks, sources and saddles, proved [JSP].

    Every network is searched as by ``Flow.fixed_points(grade="validated")``, in compiled code: between 5 microseconds (one GRU
    unit), .03 to .3 ms (two; a plane of 200 x 200 in a few seconds) and milliseconds (three units with large gains) a network.
    Nothing is known between the points of the grid; ``TopologyMap.borders`` closes in on where one topology ends.

    Parameters
    ----------
    flow : Flow
        Of a cell with a closed-form fixed point of a site and bounded states; at most 3 unknowns (GRU, LSTM: 3 units).
    axes : mapping of two paths to values
        Paths as for ``Flow.along``, such as ``{"b_h[0]": np.linspace(-1, 1, 200), "gain.h": np.linspace(0, 5, 200)}``; values
        ascend. The two must not move the same parameter.
    cycles : bool
        Also look for stable oscillations. Where there is no sink there is one, proved: nothing else attracts. Elsewhere
        trajectories from beside all unstable fixed points and from the corners of the box are followed until they arrive at a
        sink, or come back to where they were, twice and nearer the second time. Takes about a millisecond a network of two units,
        several where gates are slow. Missed are cycles that none of these trajectories reaches; tori and chaos (three units)
        beside a sink are left "not settled".
    max_boxes : int >= 1
        Boxes to look at for one network before giving up on it.
    min_width : float in [1e-13, 1e-2], as for ``Flow.fixed_points``
    executor : concurrent.futures.Executor or anything with a ``submit`` like it, optional
        Threads, processes or a cluster's client. Default: this thread. The result depends neither on it nor on its workers.
    progress : None, True or callable(done, total), told in networks

    Returns
    -------
    TopologyMap

    Raises
    ------
    TypeError, ValueError
        no such path, other than two, values that are not finite or do not ascend, paths that share a parameter
    CapabilityError
        as by ``Flow.fixed_points``

    See Also
    --------
    gating_theory.flow.plot_topology_map : Draws it.
    gating_theory.flow.bifurcation_plane : The curves between topologies.

    Examples
    --------
    >>> import gating_theory as gt
    >>> import numpy as np
    >>> flow = gt.GRUFlow(U_h=[[3, 0], [0, 1]])
    >>> axes = {"b_h[0]": np.linspace(-1, 1, 9), "gain.h": [0.5, 1.0]}
    >>> plane = gt.flow.topology_map(flow, axes)
    >>> [topology.words for topology in plane.topologies]
    ['1 sink', '2 sinks, 1 saddle']
    """
    instance("flow", flow, Flow)
    paths, (x, y) = _axes(flow, axes)
    cycles = boolean("cycles", cycles)
    most, narrow = integer("max_boxes", max_boxes, low=1), real("min_width", min_width, low=1e-13, high=1e-2)
    check_executor(executor)
    check_progress(progress)
    require_memory(f"a grid of {len(x)} x {len(y)} points", 8.0 * len(x) * len(y) * (len(flow.flat) + 20))
    flat = _joined(flow, _changed(flow, paths[0], x)[:, None], _changed(flow, paths[1], y)[None]).reshape(-1, flow.flat.size)
    tasks = [(flow, flat[start : start + _CHUNK], cycles, narrow, most) for start in range(0, len(flat), _CHUNK)]
    parts = collect(_part, tasks, [len(task[1]) for task in tasks], "network", executor=executor, progress=progress)
    table = np.concatenate([part[0] for part in parts])
    oscillation = np.concatenate([part[1] for part in parts]).reshape(len(x), len(y)) if cycles else None
    topologies, label = _labels(table)
    undecided = int((label < 0).sum())
    text = f"validated (numba): {len(x)} x {len(y)} networks, {paths[0]} from {x[0]:g} to {x[-1]:g}, {paths[1]} from {y[0]:g} to "
    text += f"{y[-1]:g}; {len(topologies)} topologies, " + ("all proved" if undecided == 0 else f"{undecided} points not proved")
    status = Status("incomplete" if undecided else "complete", text, undecided == 0)
    return TopologyMap(flow, paths, x, y, topologies, label.reshape(len(x), len(y)), oscillation, status)


def _axes(flow, axes):
    """The two paths and their values, checked."""
    instance("axes", axes, Mapping, "from two paths to values")
    if len(axes) != 2:
        raise ValueError(f"axes must be two paths with values, got {len(axes)}")
    paths, values = tuple(flow.along(path) for path in axes), []
    for path, given in zip(paths, axes.values()):
        row = real_array(f"axes: {path}", given)
        if row.ndim != 1 or row.size < 2 or not (np.diff(row) > 0).all():
            raise ValueError(f"axes: {path} must have two or more values that ascend, got {shown(given)}")
        values.append(row)
    if (flow.rates(paths[0]) * flow.rates(paths[1])).any():
        raise ValueError(f"axes must not move the same parameter, as {paths[0]} and {paths[1]} do")
    return paths, values


def _changed(flow, path, values):
    """(n, P) flat parameters at values of one path."""
    return np.array([flow.replace(path, value).flat for value in values]).reshape(-1, flow.flat.size)


def _joined(flow, first, second):
    """Parameters changed along both paths: each entry as the path has it that moves it."""
    return np.where(second == flow.flat, first, second)


def _part(flow, flat, cycles, narrow, most):
    """The table of a sweep, and what is known of stable oscillations."""
    middles = np.zeros((len(flat), MOST_POINTS if cycles else 0, flow.dim))
    table = sweep_table(flow.cell, flow.n_units, flat, narrow, most, middles=middles)
    if not cycles:
        return table, None
    good = decided(table) & (table[:, 0] <= MOST_POINTS)
    points = [m[:n] for m, n in zip(middles, table[:, 0])]
    return table, stable_oscillations(flow, flat, points, np.where(good, table[:, 1], -1))


def _labels(table):
    """The topologies of a sweep, most frequent first, and each row's place among them."""
    good = decided(table)
    rows, inverse, counts = np.unique(table[good, 1:4], axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    label = np.full(len(table), -1)
    label[good] = rank[inverse.ravel()]
    return tuple(Topology(*(int(v) for v in rows[i])) for i in order), label
