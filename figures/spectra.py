"""Spectra of Jacobians for growing hyperparameters: density above the real axis, eigenvalues below, theory's edge around both."""

from __future__ import annotations

import numpy as np

import gating_theory as gt
from gating_theory.ensemble.hyperparameters import symbol

from .common import BLACK, SKY, VERMILLION, draw_cloud, joined, padded, panels, parts, planted_eigenvalues, whole

#: Of the density along each side, quick and full.
_PIXELS = {True: 48, False: 80}


def compute(cell, base, rows, quick, seed, work):
    """One panel per value of each row: {path: values}, other hyperparameters as in ``base``."""
    import xarray as xr

    places = [(path, value) for path, values in rows.items() for value in values]
    n = (300 if quick else 1500) // cell.n_state
    tasks = [(cell, base, path, value, n, _PIXELS[quick], (seed, i)) for i, (path, value) in enumerate(places)]
    found = work.over(_panel, tasks)
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


def _panel(cell, base, path, value, n, pixels, seed):
    point = gt.fixed_points(gt.Ensemble(cell, **base).replace({path: value}))[-1]
    spectrum = gt.Spectrum(point)
    edge = joined(spectrum.boundary(384))
    finite = edge[np.isfinite(edge)]
    eigenvalues = planted_eigenvalues(point, n, seed)[0]
    left, right = min(finite.real.min(), 0.0), max(finite.real.max(), 1.0)
    top = 1.1 * np.abs(finite.imag).max()
    pad = 0.06 * (right - left)
    x, y, density = spectrum.density_map(pixels, box=(left - pad, right + pad, 0.0, top))
    return {"eigenvalues": eigenvalues, "edge": edge, "outliers": spectrum.outliers(), "x": x, "y": y, "density": density}


def draw(data):
    """A row per hyperparameter, its panels in one box: sizes can be compared."""
    from matplotlib.colors import LogNorm
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    paths = list(dict.fromkeys(data["path"].values.tolist()))
    columns = max(int((data["path"] == path).sum()) for path in paths)
    figure, axes = panels(len(paths), columns, height=2.1)
    for row, path in zip(axes, paths):
        shown = np.flatnonzero(data["path"].values == path)
        edges = [whole(data["edge"][i]) for i in shown]
        left = min(float(data["x"][i].min()) for i in shown)
        right = max(float(data["x"][i].max()) for i in shown)
        top = 1.1 * max(np.nanmax(np.abs(edge.imag)) for edge in edges)
        for ax, edge, i in zip(row, edges, shown):
            panel = data.isel(panel=i)
            density = panel["density"].values
            high = np.quantile(density[density > 0], 0.95)  # beads of real eigenvalues are higher by orders of magnitude
            pale = np.ma.masked_less(density, high / 300)
            norm = LogNorm(high / 300, high)
            ax.pcolormesh(panel["x"], panel["y"], pale, cmap="Blues", norm=norm, rasterized=True, zorder=0)
            cloud, isolated = whole(panel["eigenvalues"]), whole(panel["outliers"])
            draw_cloud(ax, cloud[cloud.imag <= 1e-9], edge)
            ax.plot(isolated.real, isolated.imag, "s", markerfacecolor="none", markeredgecolor=BLACK, markersize=4, zorder=4)
            ax.set_xlim(left, right)
            ax.set_ylim(-top, top)
            ax.set_title(f"{symbol(path)} = {float(panel['value']):g}", fontsize="small")
            ax.tick_params(labelsize="x-small")
    for ax in axes[:, 1:].flat:
        ax.set_ylabel("")
        ax.tick_params(labelleft=False)
    for ax in axes[:-1].flat:
        ax.set_xlabel("")
    figure.suptitle(
        f"{data.attrs['cell']}: density in theory above, one network of {data.attrs['n_units']} units below", fontsize="medium"
    )
    handles = [
        Line2D([], [], color=VERMILLION, label="edge, theory"),
        Patch(color="#4a90c4", label="density, theory (logarithmic)"),
        Line2D([], [], color=SKY, marker="o", markersize=3, linestyle="none", label="eigenvalues of a network"),
        Line2D([], [], color="0.5", linestyle=(0, (4, 3)), linewidth=0.7, label="unit circle"),
    ]
    if data["outliers"].isel(part=0).notnull().any():  # the padding is NaN in its real part only
        style = {"marker": "s", "markerfacecolor": "none", "markeredgecolor": BLACK, "linestyle": "none"}
        handles.append(Line2D([], [], label="outlier, theory", **style))
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize="x-small", frameon=False)
    return figure
