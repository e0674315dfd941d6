"""The GRU's fixed points over reset and candidate gain: onset, fold, tricritical point, marginal region, chaos [CKS]."""

from __future__ import annotations

import numpy as np

import gating_theory as gt
from gating_theory import plotting

from .common import BLACK, BLUE, GREEN, PAGE, PURPLE, VERMILLION, over

TITLE = "Phase diagram of the GRU's fixed points in (a_r, a_h) for b_r = -1, 0, 1"
_BIASES = (-1.0, 0.0, 1.0)
_RANGES = {-1.0: (1.5, 5.0), 0.0: (1.3, 3.0), 1.0: (1.0, 2.5)}
_TOP = 16.0


def compute(quick, rng, executor=None, progress=None):
    """See the package."""
    import xarray as xr

    size, n_lines, n_chaos = (24, 13, 4) if quick else (80, 33, 9)
    # square root spacing: lines bend where the reset gate is weak
    fine = _TOP * np.linspace(0.0, 1.0, n_lines) ** 1.5
    coarse = _TOP * np.linspace(0.0, 1.0, n_chaos) ** 1.5
    units, steps = (400, 120) if quick else (2000, 300)
    pieces = []
    for bias in _BIASES:
        ens = gt.Ensemble(gt.GRU, gain={"z": 1.0, "r": 0.0, "h": 2.0}, bias={"r": bias})
        axes = {"gain.r": np.linspace(0.0, _TOP, size), "gain.h": np.linspace(*_RANGES[bias], size)}
        areas = gt.phase_diagram(ens, axes, ("count", "stable"), executor=executor)
        areas = areas.drop_vars("status").assign_coords({"gain.h": ("gain.h", np.arange(size))})
        lines = gt.phase_diagram(ens, {"gain.r": fine}, ("onset:gain.h", "fold:gain.h"), executor=executor)
        annealed = over(executor, _annealed, [(bias, float(a_r)) for a_r in fine])
        chaos = gt.phase_diagram(
            ens, {"gain.r": coarse}, ("chaos:gain.h",), n_units=units, n_steps=steps, seed=rng, executor=executor
        )
        one = {
            "a_h": ("row", axes["gain.h"]),
            "count": (("column", "row"), areas["count"].values),
            "onset": ("line", lines["onset:gain.h"].values),
            "fold": ("line", lines["fold:gain.h"].values),
            "fold_discontinuous": ("line", lines["fold_status:gain.h"].values == 1),
            "annealed": ("line", np.array(annealed)),
            "chaos": ("probe", chaos["chaos:gain.h"].values),
            "chaos_error": ("probe", chaos["chaos_error:gain.h"].values),
            "tricritical": ((), _tricritical(ens)),
        }
        pieces.append(xr.Dataset(one))
    coordinates = {"bias": list(_BIASES), "column": np.linspace(0.0, _TOP, size), "line": fine, "probe": coarse}
    return xr.concat(pieces, "bias").assign_coords(coordinates).assign_attrs(n_units=units, n_steps=steps)


def _tricritical(ens):
    try:
        return float(gt.tricritical(ens, "gain.r", along="gain.h"))
    except ValueError:  # none: b_r >= ln 2
        return np.nan


def _annealed(bias, a_r):
    """a_h at which the annealed complexity becomes positive."""
    ens = gt.Ensemble(gt.GRU, gain={"z": 1.0, "r": a_r, "h": 2.0}, bias={"r": bias})
    try:
        return float(gt.complexity_onset(ens, "gain.h"))
    except (ValueError, gt.ConvergenceError):
        return np.nan


def draw(data):
    """A panel per bias."""
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure

    figure = Figure(figsize=(PAGE, 2.7), layout="constrained")
    axes = figure.subplots(1, data.sizes["bias"])
    for ax, bias in zip(axes, data["bias"].values):
        one = data.sel(bias=bias)
        colours = ListedColormap(plotting._COUNT_COLOURS[1:4])
        ax.pcolormesh(
            one["column"], one["a_h"], one["count"].T, cmap=colours, vmin=0.5, vmax=3.5, shading="nearest", rasterized=True
        )
        ax.plot(one["line"], one["onset"], color=BLACK, label="zero state unstable above")
        # the two lines are one where the transition is continuous
        ax.plot(one["line"], one["fold"], color=VERMILLION, linestyle=(0, (4, 1.5)), label="non-zero mean-field solutions above")
        ax.plot(
            one["line"], one["annealed"], color=PURPLE, linestyle=":", linewidth=1.6, label="annealed complexity positive above"
        )
        style = {"color": BLUE, "markersize": 3.5, "linestyle": "none", "linewidth": 0.8}
        ax.errorbar(one["probe"], one["chaos"], one["chaos_error"], marker="o", label="chaos above (simulated)", **style)
        if np.isfinite(one["tricritical"]):
            ax.plot(one["tricritical"], one["onset"][0], "D", color=GREEN, markersize=5, label="tricritical point")
        ax.set_xlabel("$a_r$")
        ax.set_title(f"$b_r$ = {bias:g}", fontsize="small")
        ax.set_xlim(0, _TOP)
        ax.set_ylim(float(one["a_h"][0]), float(one["a_h"][-1]))
        ax.tick_params(labelsize="x-small")
    axes[0].set_ylabel("$a_h$")
    handles, labels = axes[list(data["bias"].values).index(0.0)].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize="x-small", frameon=False)
    return figure
