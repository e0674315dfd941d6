"""Spectra of Jacobians for growing hyperparameters: density above the real axis, eigenvalues below, theory's edge around both."""

from __future__ import annotations

import numpy as np

import gating_theory as gt
from gating_theory.phase_diagram import symbol

from .common import BLACK, SKY, VERMILLION, joined, over, padded, panels, parts, planted_eigenvalues, unit_circle, whole

#: Values of the panels in a row.
_PIXELS = 80


def compute(cell, base, rows, quick, seed, executor):
    """One panel per value of each row: {path: values}, other hyperparameters as in ``base``."""
    import xarray as xr

    places = [(path, value) for path, values in rows.items() for value in values]
    n = (300 if quick else 1500) // cell.n_state
    tasks = [(cell, base, path, value, n, (seed, i)) for i, (path, value) in enumerate(places)]
    found = over(executor, _panel, tasks)
    variables = {
        "eigenvalues": (("panel", "eigenvalue", "part"), parts(np.array([p["eigenvalues"] for p in found]))),
        "edge": (("panel", "point", "part"), parts(padded([p["edge"] for p in found], np.nan + 0j))),
        "outliers": (("panel", "outlier", "part"), parts(padded([np.append(p["outliers"], np.nan) for p in found]))),
        "x": (("panel", "column"), np.array([p["x"] for p in found])),
        "y": (("panel", "row"), np.array([p["y"] for p in found])),
        "density": (("panel", "row", "column"), np.array([p["density"] for p in found])),
        "value": ("panel", np.array([value for _, value in places])),
        "path": ("panel", np.array([path for path, _ in places])),
    }
    return xr.Dataset(variables, attrs={"cell": cell.name, "base": repr(base), "n_units": n})


def _panel(cell, base, path, value, n, seed):
    point = gt.fixed_points(gt.Ensemble(cell, **base).replace({path: value}))[-1]
    spectrum = gt.Spectrum(point)
    edge = joined(spectrum.boundary(384))
    finite = edge[np.isfinite(edge)]
    eigenvalues = planted_eigenvalues(point, n, seed)[0]
    left, right = min(finite.real.min(), 0.0), max(finite.real.max(), 1.0)
    top = 1.1 * np.abs(finite.imag).max()
    pad = 0.06 * (right - left)
    x, y, density = spectrum.density_map(_PIXELS, box=(left - pad, right + pad, 0.0, top))
    return {"eigenvalues": eigenvalues, "edge": edge, "outliers": spectrum.outliers(), "x": x, "y": y, "density": density}


def draw(data):
    """A row per hyperparameter."""
    from matplotlib.colors import LogNorm

    paths = list(dict.fromkeys(data["path"].values.tolist()))
    columns = max(int((data["path"] == path).sum()) for path in paths)
    figure, axes = panels(len(paths), columns)
    for r, path in enumerate(paths):
        for c, i in enumerate(np.flatnonzero(data["path"].values == path)):
            ax, panel = axes[r, c], data.isel(panel=i)
            density = panel["density"].values
            top = np.quantile(density[density > 0], 0.95)  # beads of real eigenvalues are higher by orders of magnitude
            norm = LogNorm(top / 300, top)
            shown = np.ma.masked_less(density, top / 300)
            ax.pcolormesh(panel["x"], panel["y"], shown, cmap="Blues", norm=norm, rasterized=True, zorder=0)
            cloud, edge, isolated = (whole(panel[name]) for name in ("eigenvalues", "edge", "outliers"))
            below = cloud[cloud.imag <= 1e-9]
            ax.plot(below.real, below.imag, "o", color=SKY, markersize=1.3, markeredgewidth=0, zorder=2)
            unit_circle(ax)
            ax.plot(edge.real, edge.imag, color=VERMILLION, linewidth=1.0, zorder=3)
            ax.plot(isolated.real, isolated.imag, "s", markerfacecolor="none", markeredgecolor=BLACK, markersize=4, zorder=4)
            height = 1.15 * np.nanmax(np.abs(edge.imag))
            width = panel["x"].values
            ax.set_xlim(width[0], width[-1])
            ax.set_ylim(-height, height)
            ax.set_aspect("equal", adjustable="datalim")
            ax.set_title(f"{symbol(path)} = {float(panel['value']):g}", fontsize="small")
            ax.tick_params(labelsize="x-small")
    for ax in axes[-1]:
        ax.set_xlabel(r"$\mathrm{Re}\,\lambda$", fontsize="small")
    for ax in axes[:, 0]:
        ax.set_ylabel(r"$\mathrm{Im}\,\lambda$", fontsize="small")
    figure.suptitle(f"{data.attrs['cell']}: theory above (density), N = {data.attrs['n_units']} below", fontsize="medium")
    return figure
