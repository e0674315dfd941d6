"""What ``gating-theory validate`` writes: tables, phase diagrams with their closed forms, figures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..ensemble.ensemble import Ensemble
from ..plotting.phase_diagrams import plot_phase_diagram
from ..plotting.spectra import plot_density, plot_timescales
from ..results.store import save
from ..support.files import write_atomically
from ..support.types import Progress as Wanted
from ..sweeps.phase_diagram import phase_diagram
from .table import Validation

if TYPE_CHECKING:
    from concurrent.futures import Executor

    import xarray as xr
    from matplotlib.figure import Figure

    #: {cell: (areas, lines)}
    Diagrams = Mapping[str, tuple[xr.Dataset, xr.Dataset]]

__all__ = ["ClosedForm", "diagrams", "closed_forms", "panels", "report_text", "save_figure", "write_report"]

#: Quantities with a closed form come out of a root search whose own tolerance is 1e-12.
_TOL = 1e-9


@dataclass(frozen=True)
class ClosedForm:
    """A computed critical value beside its closed form."""

    name: str
    computed: float
    exact: float

    @property
    def agrees(self) -> bool:
        """Whether both are equal to 1e-9."""
        return bool(abs(self.computed - self.exact) <= _TOL)

    def __str__(self) -> str:
        return f"  {self.name:<54}{self.computed:>20.12f}{self.exact:>20.12f}  {'agree' if self.agrees else 'DISAGREE'}"


def diagrams(
    cells: Sequence[str] = ("GRU", "LSTM"),
    points: int = 40,
    executor: Executor | None = None,
    progress: Wanted = None,
) -> dict[str, tuple[xr.Dataset, xr.Dataset]]:
    """The phase diagrams of the demo: GRU in (a_r, a_h), LSTM in (a_f, a_g), with onset and fold lines and tricritical points.

    Parameters
    ----------
    cells : sequence of str
    points : int, along each axis of the areas (LSTM: half of it); lines have 21 (GRU) and 9 (LSTM)
    executor, progress : as for phase_diagram

    Returns
    -------
    dict, cell name -> (areas, lines), two xarray.Datasets
    """
    from ..cell import builtin

    # averages over four fields at once make the LSTM slower: fewer points of it
    plans = {
        "GRU": ({"z": 2, "r": 0, "h": 2}, "gain.r", 20.0, "gain.h", points, 21),
        "LSTM": ({"f": 0, "i": 4, "g": 2, "o": 4}, "gain.f", 10.0, "gain.g", -(-points // 2), 9),
    }
    out = {}
    for name in cells:
        gain, along, top, value, size, n = plans[name]
        ensemble = Ensemble(getattr(builtin, name), gain)
        grid = {along: np.linspace(0.0, top, size), value: np.linspace(1.3, 2.6, size)}
        areas = phase_diagram(ensemble, grid, ("count", "moments"), executor=executor, progress=progress)
        # closer together where the fold leaves the onset
        line = {along: top * np.linspace(0.0, 1.0, n) ** 1.3}
        wanted = (f"onset:{value}", f"fold:{value}")
        lines = phase_diagram(ensemble, line, wanted, executor=executor, progress=progress)
        point = phase_diagram(ensemble, {along: [0.0], value: [2.0]}, (f"tricritical:{along},{value}",), executor=executor)
        lines = lines.assign({k: v for k, v in point.data_vars.items() if k != "status"})
        out[name] = areas, lines
    return out


def closed_forms(datasets: Diagrams) -> list[ClosedForm]:
    """Critical values of the demo's diagrams beside their closed forms [T5]: list of ClosedForm."""
    # LSTM: the ellipsoid a_o^2 + a_i^2 + 3 a_f^2 = 64 at a_i = a_o = 4
    known = {
        "GRU": ("gain.r", "gain.h", "GRU onset a_h = 1/sigma(b_r)", "GRU tricritical a_r = sqrt 8", np.sqrt(8.0)),
        "LSTM": (
            "gain.f",
            "gain.g",
            "LSTM onset a_g = 2",
            "LSTM tricritical a_f = sqrt(32/3), on the ellipsoid",
            np.sqrt(32.0 / 3.0),
        ),
    }
    out = []
    for name, (_, lines) in datasets.items():
        along, value, onset_name, tricritical_name, exact = known[name]
        onset = lines[f"onset:{value}"].values
        out.append(ClosedForm(f"{onset_name}, worst point", float(onset[np.argmax(np.abs(onset - 2.0))]), 2.0))
        out.append(ClosedForm(tricritical_name, float(lines[f"tricritical:{along},{value}"]), float(exact)))
    return out


def write_report(
    out: Path,
    validation: Validation,
    datasets: Diagrams,
    forms: Sequence[ClosedForm],
    executor: Executor | None = None,
) -> list[Path]:
    """Write tables, datasets and figures of a validation into a directory.

    Parameters
    ----------
    out : pathlib.Path, an existing directory
    validation : Validation
    datasets : dict from :func:`diagrams`
    forms : list from :func:`closed_forms`
    executor : concurrent.futures.Executor, optional
        The figures are drawn in parallel.

    Returns
    -------
    list of pathlib.Path, the files written
    """
    files = []

    def text(name, content):
        write_atomically(out / name, lambda temporary: Path(temporary).write_text(content, encoding="utf-8"))
        files.append(out / name)

    text("validation.txt", report_text(validation, forms))
    files.append(validation.to_csv(out / "validation.csv"))
    record = validation.as_dict() | {"closed_forms": [asdict(f) | {"agrees": f.agrees} for f in forms]}
    text("validation.json", json.dumps(record, indent=1) + "\n")
    for name, (areas, lines) in datasets.items():
        files.append(save(areas, out / f"phase_diagram_{name}.nc"))
        files.append(save(lines, out / f"phase_diagram_{name}_lines.nc"))
    # the longest first
    spectra = {case: validation.spectrum(case) for case in validation.cases}  # which a validation does not take to other processes
    plans: list[tuple] = [(name, validation, spectra) for name in ("densities", "timescales") if validation.rows]
    plans += [(name, validation) for name in ("spectra", "comparisons") if validation.rows]
    plans += [("phase_diagrams", datasets)] if datasets else []
    if executor is None:
        files += [_draw(out, *plan) for plan in plans]
    else:
        files += [future.result() for future in [executor.submit(_draw, out, *plan) for plan in plans]]
    return files


def _draw(out, name, *data):
    return save_figure(_DRAWN[name](*data), out / f"{name}.png")


def report_text(validation: Validation, forms: Sequence[ClosedForm]) -> str:
    """The validation's table and the closed forms as text."""
    lines = [validation.table()]
    if forms:
        lines += ["Critical values (computed, closed form):", *map(str, forms), ""]
    return "\n".join(lines)


def save_figure(figure: Figure, path: Path, dpi: int = 160) -> Path:
    """Write a figure as PNG, atomically; the path is returned. ``path`` is a pathlib.Path."""
    # all of it, also where a legend beside it is wider than there was room
    write_atomically(path, lambda temporary: figure.savefig(temporary, format="png", dpi=dpi, bbox_inches="tight"))
    return path


def panels(columns: int, rows: int, width: float = 2.6, height: float = 2.6) -> tuple[Figure, np.ndarray]:
    """A figure of columns times rows panels of that size in inches, and its axes in one row."""
    # without pyplot: no window system, nothing global, nothing to close
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    return figure, axes


def _of_cases(validation, draw, width=2.6):
    """A figure with a panel for each case, drawn by ``draw(case, ax)``, and its axes."""
    columns = min(4, len(validation.cases))
    figure, axes = panels(columns, -(-len(validation.cases) // columns), width=width)
    for ax, case in zip(axes, validation.cases):
        draw(case, ax)
        ax.set_title(case, fontsize="medium")
    for ax in axes[len(validation.cases) :]:
        ax.set_axis_off()
    return figure, axes


def _of_spectra(validation, draw, width):
    """The same of complex planes: square panels, so that all have one size."""
    figure, axes = _of_cases(validation, draw, width)
    for ax in axes[: len(validation.cases)]:
        limits = np.array([ax.get_xlim(), ax.get_ylim()])
        half = 0.5 * np.ptp(limits, axis=1).max()
        ax.set_xlim(*(limits[0].mean() + half * np.array([-1.0, 1.0])))
        ax.set_ylim(*(limits[1].mean() + half * np.array([-1.0, 1.0])))
    return figure, axes


def _comparisons(validation):
    figure, axes = panels(1, 1, 4.6, 0.9 + 0.16 * (len(validation.rows) + 2 * len(validation.cases)))
    validation.plot(axes[0])
    return figure


def _spectra(validation):
    figure, axes = _of_spectra(validation, validation.plot_spectrum, 2.6)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(handles), fontsize="small", frameon=False)
    return figure


def _densities(validation, spectra):
    return _of_spectra(validation, lambda case, ax: plot_density(spectra[case], ax=ax, n=100), 3.2)[0]


def _timescales(validation, spectra):
    def draw(case, ax):
        cloud = validation.clouds[case]
        # down to one eigenvalue of the cloud
        plot_timescales(cloud, ax=ax)
        plot_timescales(spectra[case], tau=np.geomspace(1, 1000, 12), ax=ax)
        ax.set_ylim(0.7 / cloud.size, 1.2)

    return _of_cases(validation, draw)[0]


def _phase_diagrams(datasets):
    figure, axes = panels(len(datasets), 1, 3.6, 2.8)
    for ax, (name, (areas, lines)) in zip(axes, datasets.items()):
        plot_phase_diagram(areas, lines=[lines], ax=ax)
        ax.set_title(name, fontsize="medium")
    return figure


_DRAWN = {
    "spectra": _spectra,
    "densities": _densities,
    "timescales": _timescales,
    "comparisons": _comparisons,
    "phase_diagrams": _phase_diagrams,
}
