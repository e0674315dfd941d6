"""What the static pages of the site show: numbers of the library on grids of sliders, kept in files.

    python -m gating_theory.explorer.static_data docs/explorer_data

makes the files anew, in minutes. The tests compare what is in them with the library.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..cell.builtin import GRU
from ..ensemble.ensemble import Ensemble
from ..flow import GRUFlow
from ..flow import cycles as all_cycles
from ..mean_field.fixed_points import fixed_points
from ..spectrum.spectrum import Spectrum
from .flow_numbers import portrait as portrait_of
from .flow_numbers import separatrices_of, thinned, traced
from .flow_view import FlowView

__all__ = [
    "BOUNDARY_UNIT",
    "CURVES",
    "FLOW",
    "GAIN_Z",
    "KINDS",
    "SPECTRA",
    "TAUS",
    "UNIT",
    "Grid",
    "flow_row",
    "make_flows",
    "make_spectra",
    "rotation",
    "spectrum_row",
]


@dataclass(frozen=True)
class Grid:
    """Sliders: names, and the values that each takes.

    Attributes
    ----------
    names : tuple of str
    values : tuple of tuples of float
    """

    names: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """How many values each slider takes."""
        return tuple(map(len, self.values))

    def points(self) -> list[tuple[float, ...]]:
        """All combinations, the last slider the fastest."""
        return [tuple(v[i] for v, i in zip(self.values, place)) for place in np.ndindex(self.shape)]

    def place(self, *point: float) -> int:
        """The number of a combination in ``points``.

        Parameters
        ----------
        point : floats, one for each slider, values of the grid
        """
        return int(np.ravel_multi_index([v.index(x) for v, x in zip(self.values, point)], self.shape))


def _steps(low, high, step):
    return tuple(round(low + i * step, 10) for i in range(round((high - low) / step) + 1))


#: The GRU's candidate and reset gains and its update bias, at an update gain of 2.
SPECTRA = Grid(("gain.h", "gain.r", "bias.z"), (_steps(0.5, 4.5, 0.25), _steps(0.0, 4.0, 2.0), _steps(-1.0, 4.0, 1.0)))
GAIN_Z = 2.0

#: U_h is g times a rotation by an angle in degrees; no gates, no biases.
FLOW = Grid(("g", "angle"), (_steps(1.0, 5.0, 0.25), _steps(0.0, 90.0, 7.5)))

#: Points of a boundary; timescales of the survival curve, in steps.
BOUNDARY, TAUS = 64, np.round(np.geomspace(1.0, 1000.0, 13), 3)

#: Where trajectories of the portraits begin.
STARTS = ((0.06, 0.02), (-0.06, -0.02), (0.95, 0.6), (-0.6, 0.95), (-0.95, -0.6), (0.6, -0.95))

#: Curves are kept to this distance, as whole multiples of 1 / 30000; and trajectories to this length.
_CHORD, UNIT, _LENGTH = 2e-3, 30_000, 3.0

#: Boundaries, the largest of which is within 4, are kept as whole multiples of 1 / 8000.
BOUNDARY_UNIT = 8_000


def spectrum_row(gain_h: float, gain_r: float, bias_z: float) -> dict[str, Any]:
    """Numbers of the GRU's active state, or of the zero state where there is no other.

    Parameters
    ----------
    gain_h, gain_r, bias_z : float
    """
    ensemble = Ensemble(GRU, gain={"z": GAIN_Z, "r": gain_r, "h": gain_h}, bias={"z": bias_z})
    points = fixed_points(ensemble)
    spectrum = Spectrum(points[-1])
    curves = spectrum.boundary(BOUNDARY)
    return {
        "moment": points[-1].moments["h"],
        "radius": spectrum.radius(),
        "abscissa": spectrum.abscissa(),
        "slow": spectrum.slow_fraction(TAUS),
        "boundary": curves,
    }


def rotation(g: float, angle: float) -> np.ndarray:
    """g times the rotation by an angle in degrees; to six decimals, which the page prints.

    Parameters
    ----------
    g, angle : float
    """
    a = np.deg2rad(angle)
    return np.round(g * np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]), 6) + 0.0


def flow_row(g: float, angle: float) -> dict[str, Any]:
    """The portrait of a flow with U_h a rotation: points, curves by name, cycles.

    Parameters
    ----------
    g, angle : float
    """
    flow = GRUFlow(U_h=rotation(g, angle))
    view = FlowView.from_flow(flow)
    portrait, manifolds, cycles = portrait_of(view), separatrices_of(view), all_cycles(flow)
    paths = [_short(curve) for curve in traced(flow, np.array(STARTS))]
    closed = [np.concatenate([c.states(400), c.states(400)[:1]]) for c in cycles]
    stable = [c.stable for c in cycles]
    return {
        "topology": portrait.topology,
        "states": portrait.states,
        "kinds": portrait.kinds,
        "cycles": [(c.period, float(c.multipliers[0].real), c.stable) for c in cycles],
        "curves": {
            "first": portrait.nullclines[0],
            "second": portrait.nullclines[1],
            "stable": manifolds.stable,
            "unstable": manifolds.unstable,
            "attracting": [c for c, s in zip(closed, stable) if s],
            "repelling": [c for c, s in zip(closed, stable) if not s],
            "trajectories": paths,
        },
    }


def _short(curve):
    """The first part of a curve, of a length that shows where it goes."""
    way = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))])
    return curve[: max(2, int(np.searchsorted(way, _LENGTH)))]


# --- as arrays


def make_spectra(grid: Grid = SPECTRA) -> dict[str, np.ndarray]:
    """The arrays of all spectra of a grid.

    Parameters
    ----------
    grid : Grid
    """
    rows = [spectrum_row(*point) for point in grid.points()]
    numbers = np.array([[row["moment"], row["radius"], row["abscissa"]] for row in rows])
    slow = np.rint(65535 * np.clip([row["slow"] for row in rows], 0.0, 1.0)).astype(np.uint16)
    curves = [[np.stack([c.real, c.imag], axis=1) for c in row["boundary"]] for row in rows]
    return {"numbers": numbers, "slow": slow, **_packed({"boundary": curves}, BOUNDARY_UNIT)}


#: Kinds of fixed points, and the order of curves in the arrays.
KINDS = ("sink", "source", "saddle", "undecided")
CURVES = ("first", "second", "stable", "unstable", "attracting", "repelling", "trajectories")


def make_flows(grid: Grid = FLOW) -> dict[str, np.ndarray]:
    """The arrays of all portraits of a grid.

    Parameters
    ----------
    grid : Grid
    """
    rows = [flow_row(*point) for point in grid.points()]
    cycles = [[row, *cycle] for row, found in enumerate(r["cycles"] for r in rows) for cycle in found]
    states = [[i, KINDS.index(kind), *state] for i, r in enumerate(rows) for kind, state in zip(r["kinds"], r["states"])]
    curves = {name: [[_coarse(c) for c in r["curves"][name]] for r in rows] for name in CURVES}
    return {
        "topology": np.array([r["topology"] for r in rows]),
        "cycles": np.array(cycles, dtype=float).reshape(-1, 4),
        "points": np.array(states, dtype=float),
        **_packed(curves, UNIT),
    }


def _coarse(curve: npt.ArrayLike) -> np.ndarray:
    """Few enough points for a picture of the site."""
    return thinned(np.asarray(curve, dtype=float), _CHORD)


def _packed(curves: dict[str, list[list[np.ndarray]]], unit: int) -> dict[str, np.ndarray]:
    """Curves [row][curve] (m, 2) by name, as whole numbers one after the other; and (row, place of its name, length) of each."""
    table, values = [], []
    for place, name in enumerate(curves):
        for row, here in enumerate(curves[name]):
            for curve in here:
                table.append((row, place, len(curve)))
                values.append(_whole(np.asarray(curve) * unit))
    return {"curves": np.array(table, dtype=np.int32).reshape(-1, 3), "values": np.concatenate(values)}


def _whole(numbers):
    """16 bits each; ValueError where they do not fit."""
    if np.abs(numbers).max(initial=0.0) > np.iinfo(np.int16).max:
        raise ValueError(f"numbers of curves must lie in [-32767, 32767], got {np.abs(numbers).max():.0f}")
    return np.rint(numbers).astype(np.int16)


def _main(arguments: Sequence[str]) -> int:
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    made: dict[str, Any] = {"spectra": make_spectra, "flows": make_flows}
    for name in arguments[1:] or made:
        arrays: dict[str, Any] = made[name]()
        np.savez_compressed(folder / f"{name}.npz", **arrays)
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
