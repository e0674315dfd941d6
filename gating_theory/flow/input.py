"""Inputs of a flow that change in time: what is added to its fields beside the biases."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..results.encoding import require, result
from ..support.available_memory import require_memory
from ..support.checks import choice, generator, real, real_array, shown
from ..support.types import Rng

__all__ = ["Drive", "Noise", "Periodic", "Piecewise", "field_values"]

#: Values of fields: an array, or what a mapping from names of fields holds.
Values = npt.ArrayLike | Mapping[str, npt.ArrayLike]

#: Steps of a trajectory in a period of the fastest oscillation of an input, at least.
_STEPS_OF_OSCILLATION = 4

#: Changes of an input that are gone through one by one.
_MOST_CHANGES = 10_000_000


def field_values(name: str, value: Values, names: Sequence[str], n_units: int, lead: tuple[str, ...] = ()) -> np.ndarray:
    """Values of all fields of all units, from an array or from a mapping with some of the fields; the others have 0.

    Parameters
    ----------
    name : str, what messages call them
    value : (..., K, N) array, or mapping from names of fields to (..., N) arrays, or to (...) arrays for the same in all units
    names : the K names
    n_units : int, N
    lead : names of the leading axes

    Raises
    ------
    TypeError, ValueError
        other shapes, unknown names
    """
    axes = "".join(f"{axis}, " for axis in lead)
    if not isinstance(value, Mapping):
        array = real_array(name, value)
        if array.ndim != len(lead) + 2 or array.shape[len(lead) :] != (len(names), n_units):
            raise ValueError(
                f"{name} must have shape ({axes}{len(names)}, {n_units}), one row for each of {list(names)}, got {array.shape}"
            )
        return array
    unknown = [key for key in value if key not in names]
    if unknown or not value:
        raise ValueError(f"{name} must name some of {list(names)}, got {shown(unknown[0] if unknown else value)}")
    given = {}
    for key, part in value.items():
        array = real_array(f"{name}[{key!r}]", part)
        given[key] = array if array.ndim == len(lead) + 1 else array[..., None]
        if given[key].ndim != len(lead) + 1 or given[key].shape[-1] not in (1, n_units):
            raise ValueError(f"{name}[{key!r}] must have shape ({axes}{n_units}) or ({axes.rstrip(', ')}), got {array.shape}")
    shapes = {array.shape[:-1] for array in given.values()}
    if len(shapes) > 1:
        raise ValueError(f"{name} must have equal numbers of {lead[0]} in all fields, got {sorted(shapes)}")
    out = np.zeros((*shapes.pop(), len(names), n_units))
    for key, array in given.items():
        out[..., names.index(key), :] = array
    return out


class Drive(NamedTuple):
    """A smooth stretch of an input, as compiled steps take it; all arrays are flat over fields and units.

    u(t) = base + slope (t - origin) + sum_k (waves[k - 1, 0] cos(k omega t) + waves[k - 1, 1] sin(k omega t))

    Attributes
    ----------
    base, slope : (K N,) arrays
    origin : float
    waves : (H, 2, K N) array
    omega : float
    longest : float
        A step that is short enough to see the oscillation.
    """

    base: np.ndarray
    slope: np.ndarray
    origin: float
    waves: np.ndarray
    omega: float
    longest: float = math.inf

    def at(self, time: float) -> np.ndarray:
        """(K N,) array: the input at a time."""
        k = 1 + np.arange(len(self.waves))
        phase = self.omega * time * k
        return self.base + self.slope * (time - self.origin) + np.cos(phase) @ self.waves[:, 0] + np.sin(phase) @ self.waves[:, 1]


def _straight(base, slope=None, origin=0.0):
    base = np.ascontiguousarray(base, dtype=float).ravel()
    slope = np.zeros(base.size) if slope is None else np.ascontiguousarray(slope, dtype=float).ravel()
    return Drive(base, slope, float(origin), np.zeros((0, 2, base.size)), 0.0)


@result("flow.Piecewise")
@dataclass(frozen=True)
class Piecewise:
    """An input that is constant, or linear, from one time to the next.

    Parameters
    ----------
    times : (M,) array, increasing
        With a period: from 0 on, below the period.
    values : (M, K, N) array, or mapping from names of fields to (M, N) arrays, or to (M,) arrays for the same in all units
        From ``times[i]`` on (constant), or at ``times[i]`` (linear). Before the first time it has the first value, after the last
        the last. Fields left out have no input.
    interpolation : "constant" or "linear"
    period : float > 0, optional
        The input repeats itself.

    Raises
    ------
    TypeError, ValueError
        shapes that do not fit together, times that do not increase or lie beyond the period

    See Also
    --------
    gating_theory.flow.Periodic : Sines and cosines.
    gating_theory.flow.Noise : A random input.

    Examples
    --------
    >>> import gating_theory as gt
    >>> pulse = gt.flow.Piecewise([0.0, 10.0, 12.0], {"h": [0.0, 1.0, 0.0]})
    >>> flow = gt.GRUFlow(U_h=[[3, 0], [0, 1]], input=pulse)
    >>> float(flow.at_time(11.0).input[2, 0])
    1.0
    """

    times: np.ndarray
    values: Any
    interpolation: str = "constant"
    period: float | None = None

    def __post_init__(self) -> None:
        times = real_array("times", self.times)
        if times.ndim != 1 or times.size == 0 or not (np.diff(times) > 0).all():
            raise ValueError(f"times must be an increasing array, got {shown(self.times)}")
        choice("interpolation", self.interpolation, ("constant", "linear"))
        if self.period is not None:
            period = real("period", self.period, low=0.0, open_low=True)
            if times[0] < 0.0 or times[-1] >= period:
                raise ValueError(f"times must lie in [0, period) = [0, {period:g}), got {shown(self.times)}")
            object.__setattr__(self, "period", period)
        object.__setattr__(self, "times", _read_only(times))
        object.__setattr__(self, "values", _kept("values", self.values))
        for part in self.values.values() if isinstance(self.values, dict) else [self.values]:
            if part.shape[:1] != times.shape:
                raise ValueError(f"values must have one entry for each of the {times.size} times, got shape {part.shape}")

    def fitted(self, names: Sequence[str], n_units: int) -> Piecewise:
        """The same with ``values`` as an (M, K, N) array, for these fields and so many units.

        Parameters
        ----------
        names : sequence of str, the fields in their order
        n_units : int

        Returns
        -------
        Piecewise
        """
        return replace(self, values=field_values("values", self.values, names, n_units, ("M",)))

    def __call__(self, time: npt.ArrayLike) -> np.ndarray:
        """The input at times (...): (..., K, N), once it belongs to a flow."""
        time = real_array("time", time)
        values = _array(self.values)
        if self.interpolation == "constant":
            inside = time if self.period is None else np.mod(time, self.period)
            place = np.searchsorted(self.times, inside, side="right") - 1
            return values[np.maximum(place, 0) if self.period is None else place]  # -1: what the period before ended with
        flat = values.reshape(len(values), -1)
        lines = [np.interp(time, self.times, column, period=self.period) for column in flat.T]
        return np.stack(lines, axis=-1).reshape(*time.shape, *values.shape[1:])

    def stretches(self, start: float, stop: float) -> Iterator[tuple[float, float, Drive]]:
        """(begin, end, Drive) of its smooth stretches in [start, stop], in order.

        Parameters
        ----------
        start, stop : float, times

        Returns
        -------
        iterator of (float, float, Drive)
        """
        ends = np.append(self._changes(start, stop), stop)
        for a, b in zip(np.append(start, ends[:-1]).tolist(), ends.tolist()):
            middle = self(0.5 * (a + b))
            if self.interpolation == "constant":
                yield a, b, _straight(middle)
            else:
                yield a, b, _straight(middle, (self(b) - self(a)) / (b - a) if b > a else None, 0.5 * (a + b))

    def _changes(self, start, stop):
        if self.period is None:
            changes = self.times
        else:
            first, last = math.floor(start / self.period), math.ceil(stop / self.period)
            if (last - first + 1) * self.times.size > _MOST_CHANGES:
                raise ValueError(f"the input changes more than {_MOST_CHANGES:g} times from t = {start:g} to {stop:g}")
            changes = (self.times + self.period * np.arange(first, last + 1)[:, None]).ravel()
        return changes[(changes > start) & (changes < stop)]

    def __repr__(self) -> str:
        repeated = "" if self.period is None else f", period {self.period:g}"
        return (
            f"Piecewise({self.interpolation}, {self.times.size} values from t = {self.times[0]:g} to {self.times[-1]:g}{repeated})"
        )


@result("flow.Periodic")
@dataclass(frozen=True)
class Periodic:
    """A smooth periodic input: u(t) = mean + sum_k (cosines[k - 1] cos(2 pi k t / period) + sines[k - 1] sin(2 pi k t / period)).

    Parameters
    ----------
    period : float > 0
    mean : (K, N) array, or mapping from names of fields to (N,) arrays, or to numbers for the same in all units, optional
    cosines, sines : (H, K, N) arrays, or mappings from names of fields to (H, N) or (H,) arrays, optional
        What is left out is 0.

    Raises
    ------
    TypeError, ValueError
        shapes that do not fit together, nothing given

    See Also
    --------
    gating_theory.flow.Piecewise : Pulses and ramps.
    gating_theory.flow.Noise : A random input.

    Examples
    --------
    >>> import gating_theory as gt
    >>> flow = gt.GRUFlow(
    ...     U_h=[[1, 0], [0, 1]], input=gt.flow.Periodic(5.0, sines={"h": [0.5]})
    ... )
    >>> gt.flow.periodic_response(flow, [0.0, 0.0]).stable
    True
    """

    period: float
    mean: Any = None
    cosines: Any = None
    sines: Any = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "period", real("period", self.period, low=0.0, open_low=True))
        if self.mean is None and self.cosines is None and self.sines is None:
            raise ValueError("Periodic needs at least one of mean, cosines, sines")
        for name in ("mean", "cosines", "sines"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _kept(name, getattr(self, name)))

    def fitted(self, names: Sequence[str], n_units: int) -> Periodic:
        """The same with arrays (K, N), (H, K, N), (H, K, N), for these fields and so many units.

        Parameters
        ----------
        names : sequence of str, the fields in their order
        n_units : int

        Returns
        -------
        Periodic
        """
        shape = (len(names), n_units)
        given: dict[str, Any] = {
            name: np.zeros((0, *shape) if lead else shape)
            if getattr(self, name) is None
            else field_values(name, getattr(self, name), names, n_units, lead)
            for name, lead in (("mean", ()), ("cosines", ("H",)), ("sines", ("H",)))
        }
        return replace(self, **given)

    def __call__(self, time: npt.ArrayLike) -> np.ndarray:
        """The input at times (...): (..., K, N), once it belongs to a flow."""
        time = real_array("time", time)
        total: Any = 0.0 if self.mean is None else _array(self.mean)
        for function, amplitudes in ((np.cos, self.cosines), (np.sin, self.sines)):
            if amplitudes is not None:
                phases = 2 * np.pi / self.period * time[..., None] * (1 + np.arange(len(_array(amplitudes))))
                total = total + np.tensordot(function(phases), amplitudes, axes=1)
        return np.array(np.broadcast_to(total, (*time.shape, *total.shape[-2:])))

    def stretches(self, start: float, stop: float) -> Iterator[tuple[float, float, Drive]]:
        """(begin, end, Drive) of its smooth stretches in [start, stop]: one.

        Parameters
        ----------
        start, stop : float, times

        Returns
        -------
        iterator of (float, float, Drive)
        """
        n, size = max(len(self.cosines), len(self.sines)), self.mean.size
        waves = np.zeros((n, 2, size))
        waves[: len(self.cosines), 0] = self.cosines.reshape(-1, size)
        waves[: len(self.sines), 1] = self.sines.reshape(-1, size)
        longest = self.period / (_STEPS_OF_OSCILLATION * max(1, n))
        yield start, stop, Drive(self.mean.ravel().copy(), np.zeros(size), 0.0, waves, 2 * np.pi / self.period, longest)

    def __repr__(self) -> str:
        n = max((len(_any(part)) for part in (self.cosines, self.sines) if part is not None), default=0)
        return f"Periodic(period {self.period:g}, {n} harmonic{'' if n == 1 else 's'})"


@result("flow.Noise")
@dataclass(frozen=True)
class Noise:
    """A random input: Ornstein and Uhlenbeck's process, independent in every field and unit.

    Normal at every time, with correlations ``std^2 exp(-|t - t'| / correlation_time)``. It goes through the cell's functions, so
    that a white one, whose variance is infinite, would say nothing.

    Parameters
    ----------
    std : (K, N) array, or mapping from names of fields to (N,) arrays, or to numbers for the same in all units
        Standard deviations, >= 0. Fields left out have no noise.
    correlation_time : float > 0
    mean : like ``std``, optional
        Default 0.

    Raises
    ------
    TypeError, ValueError
        wrong shapes, negative standard deviations

    See Also
    --------
    gating_theory.flow.Piecewise : One course of it.
    gating_theory.flow.Periodic : Sines and cosines.

    Examples
    --------
    >>> import gating_theory as gt
    >>> noise = gt.flow.Noise({"h": 0.1}, correlation_time=2.0)
    >>> run = gt.GRUFlow(U_h=3, input=noise).integrate([0.5], [0, 20], rng=0)
    >>> bool(run.y[0, -1] > 0.8)
    True
    """

    std: Any
    correlation_time: float
    mean: Any = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "correlation_time", real("correlation_time", self.correlation_time, low=0.0, open_low=True))
        object.__setattr__(self, "std", _kept("std", self.std))
        for part in self.std.values() if isinstance(self.std, dict) else [self.std]:
            if (part < 0).any():
                raise ValueError(f"std must not be negative, got {shown(self.std)}")
        if self.mean is not None:
            object.__setattr__(self, "mean", _kept("mean", self.mean))

    @property
    def period(self) -> None:
        """None: it has none."""
        return None

    def fitted(self, names: Sequence[str], n_units: int) -> Noise:
        """The same with ``std`` and ``mean`` as (K, N) arrays, for these fields and so many units.

        Parameters
        ----------
        names : sequence of str, the fields in their order
        n_units : int

        Returns
        -------
        Noise
        """
        std = field_values("std", self.std, names, n_units)
        mean = np.zeros(std.shape) if self.mean is None else field_values("mean", self.mean, names, n_units)
        return replace(self, std=std, mean=mean)

    def sample(self, stop: float, step: float, rng: Rng = None, *, start: float = 0.0) -> Piecewise:
        """One course of the noise, exact in law at the times start, start + step, ..., and linear in between.

        Between two of these times the line differs from the process by a bridge of standard deviation sqrt(step / correlation_time)
        std at most, and of random sign: trajectories are off by the first power of the step (strong order 1).

        Parameters
        ----------
        stop : float, beyond ``start``
        step : float > 0
        rng : numpy Generator, int or None
        start : float

        Returns
        -------
        Piecewise, linear

        Examples
        --------
        >>> import gating_theory as gt
        >>> noise = gt.flow.Noise([[0.0], [0.0], [0.1]], correlation_time=2.0)
        >>> course = noise.sample(1000.0, 0.1, rng=0)
        >>> round(float(course.values[:, 2, 0].std()), 2)
        0.1
        """
        std, mean = _array(self.std), 0.0 if self.mean is None else _array(self.mean)
        start, stop = real("start", start), real("stop", stop)
        step, rng = real("step", step, low=0.0, open_low=True), generator(rng)
        if not stop > start:
            raise ValueError(f"stop must be beyond start = {start:g}, got {stop:g}")
        require_memory(f"noise at steps of {step:g}", 8.0 * 4 * ((stop - start) / step + 2) * std.size)
        from scipy.signal import lfilter

        steps = rng.standard_normal((max(1, math.ceil((stop - start) / step * (1 - 1e-12))) + 1, *std.shape))
        kept = math.exp(-step / self.correlation_time)
        steps[1:] *= math.sqrt(-math.expm1(-2.0 * step / self.correlation_time))
        return Piecewise(start + step * np.arange(len(steps)), mean + std * lfilter([1.0], [1.0, -kept], steps, axis=0), "linear")

    def __repr__(self) -> str:
        return f"Noise(correlation time {self.correlation_time:g})"


def _kept(name, value):
    """A copy of values that nobody can write to: an array, or a dict of arrays."""
    if isinstance(value, Mapping):
        return {str(key): _read_only(real_array(f"{name}[{key!r}]", part)) for key, part in value.items()}
    return _read_only(real_array(name, value))


def _read_only(array):
    array = np.array(array)
    array.flags.writeable = False
    return array


def _array(values):
    """The values of an input that belongs to a flow; ValueError for one that names fields of a cell that it does not know."""
    require(isinstance(values, np.ndarray), "an input that names fields has values once it is that of a flow: use flow.input")
    return values


def _any(part):
    return next(iter(part.values())) if isinstance(part, dict) else part
