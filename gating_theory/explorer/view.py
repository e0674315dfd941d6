"""All that a page of large networks shows: its link, its ensemble, and the Python that computes its numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlencode

from ..cell import builtin
from ..ensemble.ensemble import Ensemble
from ..ensemble.hyperparameters import KINDS, LARGEST, kind_of
from ..support.checks import choice, integer, meant, real, shown

__all__ = ["GROWTH_TOL", "LINES", "MATRICES", "START", "View", "rounded", "written"]

#: Laws of matrices that a page offers.
MATRICES = ("iid", "orthogonal", "stack")
#: Lines of a phase diagram: {name in ``critical_line``: what happens there}.
LINES = {
    "onset": "the zero state becomes unstable",
    "fold": "two states are born or merge",
    "complexity_onset": "fixed points become exponentially many",
    "chaos_line": "chaos begins",
}
#: Relative accuracy that is wanted of the growth of gradients.
GROWTH_TOL = 0.01
#: Most of what a page computes at once.
_STEPS, _UNITS, _TAU = 1000, 2000, 1e6
#: Texts of links longer than this are none of ours.
_LONG = 8000
#: Words for yes in a link; no is left out.
_YES = "1"


@dataclass(frozen=True)
class View:
    """What a page of large networks shows.

    Attributes
    ----------
    cell : str, of a built-in cell
    values : tuple of (path, float)
        The hyperparameters that are not at their default, such as ("gain.h", 4.0), in the ensemble's order.
    matrices : "iid", "orthogonal" or "stack"
    solution : "active" (the largest moments), "zero", or a number, "0" being the one of the smallest moments
    tau : float, steps of the slow fraction
    steps : int from 1 to 1000, of the growth of gradients
    density, network : bool, whether the density, and eigenvalues of a sampled network, are shown
    n_units, seed : int, of that network
    x, y : str, two hyperparameters, the plane of the phase diagram
    x_bounds, y_bounds : (low, high)
    lines : tuple of str, of LINES, in its order
    """

    cell: str = "GRU"
    values: tuple[tuple[str, float], ...] = ()
    matrices: str = "iid"
    solution: str = "active"
    tau: float = 100.0
    steps: int = 100
    density: bool = False
    network: bool = False
    n_units: int = 500
    seed: int = 0
    x: str = ""
    y: str = ""
    x_bounds: tuple[float, float] | None = None
    y_bounds: tuple[float, float] | None = None
    lines: tuple[str, ...] = ("onset", "fold")

    def __post_init__(self) -> None:
        choice("cell", self.cell, builtin.BUILTIN)
        paths = self.paths
        given = dict(self.values)
        for path in given:
            if path not in paths:
                raise ValueError(f"{self.cell} has no {shown(path)}{meant(path, paths)}; it has {', '.join(paths)}")
        values = {path: _value(path, given[path]) for path in paths if path in given}
        choice("matrices", self.matrices, MATRICES)
        if self.solution not in ("active", "zero") and not (self.solution.isdecimal() and len(self.solution) < 3):
            raise ValueError(f"solution must be active, zero, or a number from 0 on, got {shown(self.solution)}")
        integer("steps", self.steps, low=1, high=_STEPS)
        integer("n_units", self.n_units, low=10, high=_UNITS)
        integer("seed", self.seed, low=0, high=2**31)
        for name in self.lines:
            choice("lines", name, LINES)
        x, y = self._plane(paths)
        set_of: dict[str, Any] = {
            "values": tuple((path, value) for path, value in values.items() if value != kind_of(path).default),
            "tau": real("tau", self.tau, low=0.0, high=_TAU, open_low=True),
            "lines": tuple(name for name in LINES if name in self.lines),
            "x": x,
            "y": y,
            "x_bounds": _bounds("x_bounds", x, self.x_bounds),
            "y_bounds": _bounds("y_bounds", y, self.y_bounds),
        }
        for name, value in set_of.items():
            object.__setattr__(self, name, value)

    def _plane(self, paths):
        """The two paths; those left out are the gains of the cell's last two fields."""
        gains = [path for path in paths if path.startswith("gain.")]
        spare = [*gains[::-1], "bias." + gains[0].partition(".")[2]]
        y = self.y or next(path for path in spare if path != self.x)
        x = self.x or next(path for path in spare if path != y)
        for name, path in (("x", x), ("y", y)):
            if path not in paths:
                raise ValueError(f"{name} must be a hyperparameter of {self.cell}{meant(path, paths)}, got {shown(path)}")
        if x == y:
            raise ValueError(f"x and y must be two hyperparameters, got {x} twice")
        return x, y

    # --- what it is of

    @property
    def paths(self) -> tuple[str, ...]:
        """All hyperparameters of the cell, by their paths."""
        return _bare(self.cell).paths

    @property
    def ensemble(self) -> Ensemble:
        """The ensemble."""
        return _bare(self.cell).with_matrices(self.matrices).replace(dict(self.values))

    @property
    def plane_ensemble(self) -> Ensemble:
        """The ensemble with both coordinates of the plane at their defaults: all places in a plane have the same one."""
        return self.ensemble.replace({path: kind_of(path).default for path in (self.x, self.y)})

    @property
    def bounds(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Of the plane, as ``critical_line`` takes them."""
        assert self.x_bounds is not None and self.y_bounds is not None  # __post_init__ sets them
        return self.x_bounds, self.y_bounds

    def value(self, path: str) -> float:
        """A hyperparameter."""
        return dict(self.values).get(path, kind_of(path).default)

    def moved(self, values: Mapping[str, float]) -> View:
        """The same view with hyperparameters changed."""
        return replace(self, values=tuple((dict(self.values) | dict(values)).items()))

    # --- link

    def query(self) -> str:
        """The part of a permanent link behind the question mark; what is at its default is left out."""
        plain = View(self.cell)
        pairs = [("cell", self.cell), *((path, written(value)) for path, value in self.values)]
        for name in _WORDS:
            if (value := getattr(self, name)) != getattr(plain, name):
                pairs.append((name, _text(value)))
        if (self.x, self.y, self.bounds) != (plain.x, plain.y, plain.bounds):
            pairs += [("x", self.x), ("y", self.y), ("x_bounds", _text(self.x_bounds)), ("y_bounds", _text(self.y_bounds))]
        return urlencode(pairs, safe=":,")

    @classmethod
    def from_query(cls, query: str) -> View:
        """The view of a link; of none the page that one begins with.

        Parameters
        ----------
        query : str, what stands behind the question mark

        Raises
        ------
        TypeError, ValueError
            a link that is not one of these: the message says what is wrong
        """
        if len(query) > _LONG:
            raise ValueError(f"the link is longer than {_LONG} characters")
        pairs = parse_qsl(query, keep_blank_values=True)
        if not pairs:
            return START["GRU"]
        given = dict(pairs)
        if len(given) < len(pairs):
            raise ValueError("the link gives something twice")
        cell = choice("cell", given.pop("cell", "GRU"), builtin.BUILTIN)
        values = {name: _float(name, given.pop(name)) for name in list(given) if name.partition(".")[0] in KINDS}
        read = {name: reader(name, given.pop(name)) for name, reader in _READERS.items() if name in given}
        if given:
            raise ValueError(f"the link has {shown(sorted(given))}, which no page knows")
        return cls(cell=cell, values=tuple(values.items()), **read)

    # --- Python

    def code(self) -> str:
        """A program that prints the numbers of the page, in variables ``point``, ``spectrum``, ``slow``, ``growth``, and so on."""
        lines = ["import gating_theory as gt", "", f"ens = {self._ensemble_code()}", "points = gt.fixed_points(ens)"]
        lines += [f"point = {self._point_code()}", "print(point)", "spectrum = gt.Spectrum(point)"]
        lines += ["print(spectrum.radius(), spectrum.abscissa())"]
        lines += [f"slow = spectrum.slow_fraction({written(self.tau)})  # of all modes, |lambda| >= exp(-1 / tau)", "print(slow)"]
        lines += [f"growth = gt.gradient_growth(point, {self.steps}, tol={written(GROWTH_TOL)})", "print(growth)"]
        if self.density:
            lines += ["", "gt.plotting.plot_density(spectrum)"]
        if self.network:
            lines += ["", f"net, state = gt.Network.planted(point, n_units={self.n_units}, rng={self.seed})"]
            lines += ["eigenvalues = net.eigenvalues(state)"]
        if self.lines:
            bounds = ", ".join(f"({written(low)}, {written(high)})" for low, high in self.bounds)
            lines += ["", f"plane = dict(paths=({_quoted(self.x)}, {_quoted(self.y)}), bounds=({bounds}), tol=1e-3)"]
            lines += [f"{name} = gt.critical_line(ens, quantity={_quoted(name)}, **plane)" for name in self.lines]
        return "\n".join(lines) + "\n"

    def _ensemble_code(self):
        parts = [f"gt.{self.cell}"]
        for kind in KINDS:
            of_kind = {path.partition(".")[2]: value for path, value in self.values if path.startswith(f"{kind}.")}
            if of_kind:
                inside = ", ".join(f"{_quoted(name)}: {written(value)}" for name, value in of_kind.items())
                parts.append(f"{kind}={{{inside}}}")
        if self.matrices != "iid":
            parts.append(f"matrices={_quoted(self.matrices)}")
        return f"gt.Ensemble({', '.join(parts)})"

    def _point_code(self):
        if self.solution == "active":
            return "points[-1]  # of the largest moments"
        if self.solution == "zero":
            return "next(p for p in points if p.is_zero)"
        return f"points[{self.solution}]"


def written(value: float) -> str:
    """A number in its shortest text that is read as the same number: "4", "0.1", "1e-07"."""
    return repr(float(value)).removesuffix(".0")


def rounded(value: float, low: float, high: float) -> float:
    """A number between two others, as exactly as a pixel of a picture is wide.

    Parameters
    ----------
    value, low, high : float
    """
    digits = 3 - math.floor(math.log10(high - low))
    return round(min(max(value, low), high), digits) + 0.0


@cache
def _bare(name):
    return Ensemble(getattr(builtin, name))


def _value(path, value, name=None):
    low = -LARGEST if kind_of(path).signed else 0.0
    return real(name or path, value, low=low, high=LARGEST) + 0.0


def _bounds(name, path, given):
    """(low, high), within what the path may be; what is left out is what is looked at usually."""
    if given is None:
        return _USUAL[kind_of(path).name]
    if not (isinstance(given, Iterable) and len(tuple(given)) == 2):
        raise ValueError(f"{name} must be two numbers, got {shown(given)}")
    low, high = (_value(path, end, f"{name} of {path}") for end in given)
    if not low < high:
        raise ValueError(f"{name} must increase, got {shown(given)}")
    return low, high


#: Where the plane of a phase diagram reaches when nobody says.
_USUAL = {kind: (-5.0, 5.0) if KINDS[kind].signed else (0.0, 3.0) for kind in KINDS} | {"gain": (0.0, 10.0)}


def _quoted(text):
    return f'"{text}"'


# --- texts of links


def _text(value):
    if isinstance(value, bool):
        return _YES if value else "0"
    if isinstance(value, tuple):
        return ",".join(value) if all(isinstance(part, str) for part in value) else ":".join(written(part) for part in value)
    return written(value) if isinstance(value, float) else str(value)


def _float(name, text):
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{name} must be a number, got {shown(text)}")
    return value


def _int(name, text):
    if not (text.isdecimal() and len(text) < 12):
        raise ValueError(f"{name} must be a whole number, got {shown(text)}")
    return int(text)


def _bool(name, text):
    return choice(name, text, ("0", _YES)) == _YES


def _pair(name, text):
    return tuple(_float(name, part) for part in text.split(":"))


def _names(name, text):
    return tuple(part for part in text.split(",") if part)


def _same(name, text):
    return text


_READERS = {
    "matrices": _same,
    "solution": _same,
    "tau": _float,
    "steps": _int,
    "density": _bool,
    "network": _bool,
    "n_units": _int,
    "seed": _int,
    "lines": _names,
    "x": _same,
    "y": _same,
    "x_bounds": _pair,
    "y_bounds": _pair,
}
_WORDS = ("matrices", "solution", "tau", "steps", "density", "network", "n_units", "seed", "lines")


def _start(cell, values, **rest):
    return View(cell, tuple(values.items()), **rest)


#: What one begins with, for each cell: something happens there.
START = {name: View(name) for name in builtin.BUILTIN} | {
    "GRU": _start(
        "GRU", {"gain.z": 2, "gain.r": 3, "gain.h": 4, "bias.z": 2}, x="gain.r", y="gain.h", x_bounds=(0, 20), y_bounds=(0, 5)
    ),
    "LSTM": _start("LSTM", {"gain.f": 2, "gain.g": 2, "bias.f": 1}, x="bias.f", y="gain.g", y_bounds=(0, 8)),
    "Vanilla": _start("Vanilla", {"gain.h": 1.5}, x="bias_std.h", y="gain.h", y_bounds=(0, 5)),
}
