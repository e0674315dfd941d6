"""Random networks of up to millions of units, simulated without their matrices [T5]."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..cell.cell import second_moment
from ..ensemble.counted_normals import draw_key, fill_normal, parts
from ..ensemble.ensemble import Ensemble
from ..ensemble.hyperparameters import LARGEST
from ..ensemble.message_matrices import implicit_bytes, require_implicit, through_matrices
from ..ensemble.sites import Sites
from ..errors import ConvergenceError
from ..results.encoding import dict_of, require, require_shapes, result
from ..running.blas import single_blas_thread
from ..running.progress import Progress, check_progress
from ..running.threads import Threads, allowed_threads
from ..support.arithmetic import underflow_is_zero
from ..support.available_memory import available_memory
from ..support.checks import boolean, choice, generator, instance, integer, real, real_array

if TYPE_CHECKING:
    import numpy.typing as npt

    from ..support.types import Progress as Wanted
    from ..support.types import Rng

__all__ = ["simulate", "Simulation", "memory_needed"]

_TYPES = {"float64": np.float64, "float32": np.float32}
#: Sites of a simulation that are handed to the random-matrix calculators: their sampling error is below one percent.
_SITES = 20_000
#: Who asks a law for matrices that act without being formed, and what else there is.
_ASKING = "simulate", "Network.sample and Network.run"


@result("simulation")
@dataclass(frozen=True)
class Simulation:
    """A run of one random network with implicit matrices [T5]. Times count steps from 0, the initial state, to T = n_steps.

    Attributes
    ----------
    ensemble : Ensemble
    n_units, n_steps : int
    state : (d, N) array at time T
    moments : (T, n) array
        Second moments ``|m|^2 / N`` of the distinct messages at times 0 .. T - 1, in the order of ``cell.message_names``.
    correlations : dict
        {message name: (T, T) array} of two-time second moments m(t) . m(t') / N. NaN for a message that no matrix listens to.
    state_moments : (T + 1, d) array, E s^2 of the state variables
    change : (T,) array, E (s(t+1) - s(t))^2, mean over units and state variables
    growth : (T,) array or None
        log of the factor by which a tangent vector grows in each step (natural logarithm); None without ``tangent``.
    recorded_state, recorded_fields : (T, d, R) and (T, K, R) arrays
        State and fields of the first R sites at times 0 .. T - 1.
    n_directions : dict, {message name: independent directions that the matrices have met}
    sites : Sites, the first 20,000 or fewer at time T - 1 (state and the fields it gives rise to)
    dtype : str, in which the matrices' action was stored

    See Also
    --------
    Network : networks with matrices

    Examples
    --------
    >>> import gating_theory as gt
    >>> run = gt.simulate(gt.Ensemble(gt.Vanilla, gain=0.5), 200, 10, rng=0)
    >>> run.state.shape, run.moments.shape
    ((1, 200), (10, 1))
    >>> print((run.moments[-1] / run.moments[-2]).round(2))  # small states: the square of the gain
    [0.24]
    """

    ensemble: Ensemble
    n_units: int
    n_steps: int
    state: np.ndarray = field(repr=False)
    moments: np.ndarray = field(repr=False)
    correlations: dict = field(repr=False)
    state_moments: np.ndarray = field(repr=False)
    change: np.ndarray = field(repr=False)
    growth: np.ndarray | None = field(repr=False)
    recorded_state: np.ndarray = field(repr=False)
    recorded_fields: np.ndarray = field(repr=False)
    n_directions: dict
    sites: Sites = field(repr=False)
    dtype: str = "float64"

    as_dict = dict_of

    def check(self) -> None:
        """ValueError where shapes contradict the sizes."""
        cell, N, T, recorded = self.ensemble.cell, self.n_units, self.n_steps, self.recorded_state.shape[-1]
        names = cell.message_names
        shapes = {"state": (cell.n_state, N), "moments": (T, len(names)), "state_moments": (T + 1, cell.n_state), "change": (T,)}
        shapes |= {"recorded_state": (T, cell.n_state, recorded), "recorded_fields": (T, cell.n_fields, recorded)}
        shapes |= {} if self.growth is None else {"growth": (T,)}
        require_shapes(self, shapes)
        require(tuple(self.correlations) == names, f"correlations must be those of {list(names)}, got {list(self.correlations)}")
        found = {table.shape for table in self.correlations.values()}
        require(found <= {(T, T)}, f"correlations must have shape {(T, T)}, got {sorted(found)}")
        require(self.sites.cell == cell, "the sites are those of another cell")

    def __str__(self) -> str:
        last = ", ".join(f"{second_moment(n)} = {v:.5g}" for n, v in zip(self.ensemble.cell.message_names, self.moments[-1]))
        return f"{self.ensemble.cell.name}, {self.n_units} units, {self.n_steps} steps: {last}"


def memory_needed(
    ensemble: Ensemble, n_units: int, n_steps: int, *, tangent: bool = False, dtype: str = "float64", record: int = 1000
) -> int:
    """Bytes that :func:`simulate` will take at its peak, the libraries it stands on not counted.

    Arguments as in :func:`simulate`.
    """
    cell = ensemble.cell
    directions = n_steps * (2 if tangent else 1)
    require_implicit(ensemble, *_ASKING)
    total = implicit_bytes(ensemble, n_units, directions, _TYPES[dtype])
    # coordinates of every message, in the directions of all messages if they share a law; the table made of them, and its products
    shared = cell.n_messages if any(law.together for law in ensemble.matrices.values()) else 1
    total += 8 * n_steps * (3 * directions * shared + 2 * n_steps) * cell.n_messages
    total += 8 * n_steps * (cell.n_state + cell.n_fields) * min(record, n_units)
    # states, fields, biases, parameters, a message; Jacobian blocks and directions of a tangent vector
    rows = 2 * cell.n_state + 2 * cell.n_fields + cell.n_parameters + 1
    rows += 2 * cell.n_state + cell.n_fields + _block_rows(cell) if tangent else 0
    # temporaries of site functions, part by part
    return total + 8 * rows * n_units + 8 * 12 * min(n_units, parts(n_units)[0].stop * allowed_threads())


@underflow_is_zero
def simulate(
    ensemble: Ensemble,
    n_units: int = 1_000_000,
    n_steps: int = 100,
    *,
    rng: Rng = None,
    state: npt.ArrayLike | None = None,
    scale: float = 1.0,
    tangent: bool = False,
    dtype: str = "float64",
    record: int = 1000,
    memory_limit: float | None = None,
    progress: Wanted = None,
) -> Simulation:
    """Run one random network of an ensemble without ever forming its matrices: exact in law at finite N [T5].

    Cost O(N T) per step and memory O(N T): a GRU of a million units takes 4 GB for 100 steps, which are read fifty times over;
    that takes most of the time [NUMERICS]. Iid input (``input_std``, ``parameter_input_std``) is drawn anew at every step.

    Units are shared by one thread for each core that this process may use, or as many as OMP_NUM_THREADS says if that is less;
    worker processes have one. The numbers do not depend on it.

    Parameters
    ----------
    ensemble : Ensemble
    n_units : int >= 1, N
    n_steps : int >= 1, T
    rng : numpy Generator, int or None
    state : (d, N) array, optional
        Where to start. Default: iid normal with standard deviation ``scale``.
    scale : float >= 0
    tangent : bool
        Also propagate a random tangent vector, normalised at each step: its growth gives the largest Lyapunov exponent. Twice the
        directions, four times the work.
    dtype : "float64" or "float32"
        How the matrices' action is stored. float32 halves that memory; fields then carry a relative error of about 1e-6.
    record : int >= 0
        Sites whose state and fields are kept at all times.
    memory_limit : float, bytes, optional
        Default: what the machine has free, and the group of processes that this one belongs to may take.
    progress : None, True or callable(done, total)
        True: a progress bar. A callable is told after each step; if it has a method ``note``, that is given a line
        on the memory to be taken before the first.

    Returns
    -------
    Simulation

    Raises
    ------
    TypeError, ValueError
        bad arguments
    MemoryError
        more memory is needed than there is; the message says how much, and for which sizes it would fit
    ConvergenceError
        the state is no longer finite (a cell that is not bounded); the message says at which step
    CapabilityError
        a law of matrices that does not act without being formed

    See Also
    --------
    steady_state : run until it is stationary, and measured
    Network : networks with matrices

    Examples
    --------
    The second moment in a network of 2000 units, and in the limit of many:

    >>> import gating_theory as gt
    >>> ens = gt.Ensemble(gt.Vanilla, gain=2)
    >>> run = gt.simulate(ens, 2000, 100, rng=0)
    >>> print(run.moments[50:].mean().round(2), round(gt.dmft(ens).moments["h"], 2))
    0.53 0.53
    """
    instance("ensemble", ensemble, Ensemble)
    n, T = integer("n_units", n_units, low=1), integer("n_steps", n_steps, low=1)
    record = min(integer("record", record, low=0), n)
    tangent, dtype = boolean("tangent", tangent), choice("dtype", dtype, _TYPES)
    scale = real("scale", scale, low=0.0, high=LARGEST)
    rng = generator(rng)
    cell = ensemble.cell
    start = None
    if state is not None:
        start = real_array("state", state).copy()  # it is written to
        if start.shape != (cell.n_state, n):
            raise ValueError(f"state must have shape {(cell.n_state, n)} for {n} units of cell {cell.name!r}, got {start.shape}")
    check_progress(progress)
    needed = _check_memory(ensemble, n, T, tangent, dtype, record, memory_limit)
    if start is None:
        start = scale * rng.standard_normal((cell.n_state, n))
    with Progress(progress, T, "step") as tell:
        tell.note(f"{n} units, {T} steps: {needed / 2**30:.2f} GiB")
        return _Run(ensemble, n, T, rng, tangent, dtype, record).run(start, tell)


def _check_memory(ensemble, n, T, tangent, dtype, record, limit):
    """Bytes needed; MemoryError where they are more than may be taken."""
    needed = memory_needed(ensemble, n, T, tangent=tangent, dtype=dtype, record=record)
    limit = available_memory() if limit is None else real("memory_limit", limit, low=0.0)
    if needed > limit:
        steps = int(T * limit / needed)
        raise MemoryError(
            f"{n} units and {T} steps need {needed / 2**30:.2f} GiB of memory, {limit / 2**30:.2f} GiB may be taken: at most "
            f"{steps} steps, or {int(n * limit / needed)} units" + ("" if dtype == "float32" else ", or dtype='float32'")
        )
    return needed


class _Run:
    """One network: its implicit matrices, biases and site parameters.

        Units are taken part by part. All that can be done with a part before the next message has been heard everywhere is done at
    once, while its arrays are in the cache of a core: images of the last message, the update if it was the step's last, the next
    message, and its products with those before.
    """

    def __init__(self, ensemble, n, T, rng, tangent, dtype, record):
        self.ensemble, self.cell, self.n, self.T, self.rng = ensemble, ensemble.cell, n, T, rng
        self.tangent, self.dtype, self.record = tangent, dtype, record
        cell = self.cell
        self.listeners = _listeners(cell)
        self.order = list(dict.fromkeys(cell.message_of))  # of the messages, as they are heard in a step
        room = T * (2 if tangent else 1)
        acting = through_matrices(ensemble, n, room, rng, _TYPES[dtype])
        self.matrices = [matrices for matrices, _ in acting]
        self.driven = [fields for _, fields in acting]  # by each message; its other listeners have no matrix
        self.biases = [_normal(rng, m, s, n) for m, s in zip(ensemble.array("bias"), ensemble.array("bias_std"))]
        self.parameters = [_normal(rng, m, s, n) for m, s in zip(ensemble.array("parameter"), ensemble.array("parameter_std"))]
        self.input_std = np.concatenate([ensemble.array("input_std"), ensemble.array("parameter_input_std")])
        self.noise = draw_key(rng)
        self.parts, self.message = parts(n), np.empty(n)

    def run(self, state, tell):
        """The Simulation from this state, which is written to."""
        with single_blas_thread(), Threads(len(self.parts)) as threads, np.errstate(over="ignore", invalid="ignore"):
            self.threads = threads
            return self._steps(state, tell)

    def _steps(self, state, tell):
        cell, T, R = self.cell, self.T, self.record
        moments, change = np.zeros((T, cell.n_messages)), np.zeros(T)
        state_moments = np.zeros((T + 1, cell.n_state))
        growth = np.zeros(T) if self.tangent else None
        kept_state, kept_fields = np.empty((T, cell.n_state, R)), np.empty((T, cell.n_fields, R))
        coordinates = [[] for _ in range(cell.n_messages)]
        direction = self.rng.standard_normal(state.shape) if self.tangent else None
        if self.tangent:
            direction /= np.linalg.norm(direction)
        new, fields = np.empty_like(state), np.empty((cell.n_fields, self.n))
        state_moments[0] = self._mean(self._each(lambda i: _squares(state[:, self.parts[i]])))
        heard = None
        for t in range(T):
            step = _Step(self, t, state, fields, new, ahead=t < T - 1 and not self.tangent)
            met, sums = self._through_matrices(step, heard)
            for nu, (l, length) in met.items():
                coordinates[nu].append(l)
                moments[t, nu] = length * length
            state_moments[t + 1] = self._mean([squares for squares, _, _ in sums])
            change[t] = self._mean([moved for _, moved, _ in sums]).mean()
            heard = [products for _, _, products in sums] if step.ahead else None
            if not np.isfinite(change[t]):
                largest = f"{np.abs(state).max():.3g}"
                raise ConvergenceError(f"the state is not finite after step {t + 1}, before it the largest was {largest}", state)
            kept_state[t], kept_fields[t] = state[:, :R], fields[:, :R]
            if self.tangent:
                push = _Push(self, t, state, fields, direction)
                self._through_matrices(push)
                direction = push.out
                length = np.linalg.norm(direction)
                with np.errstate(divide="ignore"):
                    growth[t] = np.log(length)
                if length > 0.0:
                    direction /= length
            if t == T - 1:
                sites = self._sites(state, fields)
            state, new = new, state
            tell(1)
        names = cell.message_names
        return Simulation(
            self.ensemble,
            self.n,
            T,
            state,
            moments,
            {name: _products(rows, m.live.size > 0) for name, rows, m in zip(names, coordinates, self.matrices)},
            state_moments,
            change,
            growth,
            kept_state,
            kept_fields,
            {name: m.size for name, m in zip(names, self.matrices)},
            sites,
            self.dtype,
        )

    def _through_matrices(self, what, heard=None):
        """Take a _Step or a _Push through all matrices, message by message.

        Returns {message: (coordinates, length)}, and what ``what.finish`` returned for each part. ``heard``: products of the first
        message, where it was heard before.
        """
        met = {}
        if heard is None:
            heard = self._each(lambda i: self.hear(i, self.order[0], what.message(i, self.order[0])))
        for nu, following in zip(self.order, [*self.order[1:], None]):
            matrices = self.matrices[nu]
            met[nu] = matrices.coordinates(self.message, heard, self._each), matrices.length

            def answer(i, nu=nu, following=following):
                what.fill(i, nu)
                return what.finish(i) if following is None else self.hear(i, following, what.message(i, following))

            heard = self._each(answer)
        return met, heard

    def hear(self, i, nu, values):
        """Keep part i of a message until its images are made; its products."""
        part = self.message[self.parts[i]]
        part[...] = values
        return self.matrices[nu].products(i, part)

    def _each(self, function):
        return self.threads.each(function, len(self.parts))

    def _mean(self, sums):
        """Averages over the units from sums over the parts, in their order."""
        return np.add.reduce(sums) / self.n

    def parameters_of(self, part, t):
        """Site parameters of a part of the units at step t, with their input."""
        own = [p if np.ndim(p) == 0 else p[part] for p in self.parameters]
        return [p + self.input(part, t, k) if self.input_std[k] > 0.0 else p for k, p in enumerate(own, start=self.cell.n_fields)]

    def input(self, part, t, variable):
        """White input to a part of the units at step t: to a field or, numbered after them, a site parameter."""
        noise = np.empty(part.stop - part.start)
        fill_normal(noise, part.start, t, variable, *self.noise)
        return self.input_std[variable] * noise

    def _sites(self, state, fields):
        M, gain = min(self.n, _SITES), self.ensemble.array("gain")
        values = state, fields, self.parameters_of(slice(0, M), self.T - 1)
        rows = [
            np.array([np.broadcast_to(v, v.shape or self.n)[:M] for v in map(np.asarray, a)]).reshape(len(a), M) for a in values
        ]
        return Sites(self.cell, np.full(M, 1.0 / M), *rows, gain, "simulation", matrices=self.ensemble.matrices)


class _Step:
    """One step of the state."""

    def __init__(self, run, t, state, fields, new, ahead):
        self.run, self.t, self.state, self.fields, self.new = run, t, state, fields, new
        self.ahead = ahead  # whether the next step's first message is heard at once

    def message(self, i, nu):
        return self._message(i, nu, self.state, self.t)

    def _message(self, i, nu, state, t):
        run, part = self.run, self.run.parts[i]
        # fields further on are not there yet; the cell's definition does not let a message look at them
        known = state[:, part], self.fields[:, part], run.parameters_of(part, t)
        return run.cell.compiled.message(run.listeners[nu][0], *known)

    def fill(self, i, nu):
        run, part = self.run, self.run.parts[i]
        run.matrices[nu].images(i, [self.fields[k, part] for k in run.driven[nu]])
        for k in run.listeners[nu]:
            row = self.fields[k, part]
            if k not in run.driven[nu]:
                row[...] = 0.0
            bias = run.biases[k]
            if np.ndim(bias) or bias != 0.0:
                row += bias if np.ndim(bias) == 0 else bias[part]
            if run.input_std[k] > 0.0:
                row += run.input(part, self.t, k)

    def finish(self, i):
        """Sums over this part of the new state's squares and of its changes' squares; the next message's products."""
        run, part = self.run, self.run.parts[i]
        state, new = self.state[:, part], self.new[:, part]
        for row, value in zip(new, run.cell.compiled.update(state, self.fields[:, part], run.parameters_of(part, self.t))):
            row[...] = value
        first = run.order[0]
        heard = run.hear(i, first, self._message(i, first, self.new, self.t + 1)) if self.ahead else None
        return _squares(new), _squares(new - state), heard


class _Push:
    """J times a vector: ds' = F_s ds + F_y dy with dy_k = U_k (M_s ds + M_y dy)_k [T2]."""

    def __init__(self, run, t, state, fields, direction):
        self.run, self.t, self.state, self.fields, self.direction = run, t, state, fields, direction
        self.dy, self.out = np.zeros_like(fields), np.zeros_like(direction)
        self.blocks = [None] * len(run.parts)

    def _products(self, i, names, wanted):
        """Row ``wanted`` of two blocks times the vector's change of state and of fields."""
        part, total = self.run.parts[i], 0.0
        for name, source in zip(names, (self.direction, self.dy)):
            for (row, column), value in self.blocks[i][name].items():
                if row == wanted:
                    total = total + value * source[column, part]
        return total

    def message(self, i, nu):
        run, part = self.run, self.run.parts[i]
        if self.blocks[i] is None:
            self.blocks[i] = run.cell.compiled.blocks(self.state[:, part], self.fields[:, part], run.parameters_of(part, self.t))
        return self._products(i, ("M_s", "M_y"), run.listeners[nu][0])

    def fill(self, i, nu):
        part = self.run.parts[i]
        self.run.matrices[nu].images(i, [self.dy[k, part] for k in self.run.driven[nu]])

    def finish(self, i):
        for row, into in enumerate(self.out):
            into[self.run.parts[i]] = self._products(i, ("F_s", "F_y"), row)


def _listeners(cell):
    """For each distinct message the fields that listen to it."""
    return [[k for k in range(cell.n_fields) if cell.message_of[k] == nu] for nu in range(cell.n_messages)]


def _block_rows(cell):
    """How many arrays of N numbers the blocks of a Jacobian are."""
    one = np.zeros(1)
    blocks = cell.compiled.blocks([one] * cell.n_state, [one] * cell.n_fields, [one] * cell.n_parameters)
    return sum(len(block) for block in blocks.values())


def _squares(rows):
    """Sum of squares of each row."""
    return np.array([row @ row for row in rows])


def _normal(rng, mean, std, n):
    return mean + std * rng.standard_normal(n) if std > 0.0 else float(mean)


def _products(rows, heard):
    """Two-time products of messages from their coordinates (lists of growing length); NaN where no matrix made any."""
    if not heard:
        return np.full((len(rows), len(rows)), np.nan)
    width = max(r.size for r in rows)
    table = np.zeros((len(rows), width))
    for i, row in enumerate(rows):
        table[i, : row.size] = row
    return table @ table.T
