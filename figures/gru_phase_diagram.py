"""The GRU's fixed points over reset and candidate gain: onset, fold, tricritical point, marginal region, chaos [CKS]."""

from __future__ import annotations

from inspect import signature

import numpy as np
from matplotlib.transforms import Bbox, TransformedBbox

import gating_theory as gt

from .common import BLUE, GREEN, PURPLE, count_patches, draw_curve, draw_onset_and_fold, missing, panels, smooth
from .marginal_stability import squared_radii

TITLE = "Phase diagram of the GRU's fixed points in (a_r, a_h) for b_r = -1, 0, 1"
_BIASES = (-1.0, 0.0, 1.0)
_RANGES = {-1.0: (1.5, 5.0), 0.0: (1.3, 3.0), 1.0: (1.0, 2.5)}
_TOP = 16.0


def compute(quick, rng, work):
    """See the package."""
    import xarray as xr

    size, n_lines, n_chaos = (16, 9, 3) if quick else (80, 33, 9)
    # square root spacing: lines bend where the reset gate is weak
    fine = _TOP * np.linspace(0.0, 1.0, n_lines) ** 1.5
    coarse = _TOP * np.linspace(0.0, 1.0, n_chaos) ** 1.5
    units, steps = (300, 100) if quick else (2000, 300)
    pieces = []
    for bias in _BIASES:
        ens = gt.Ensemble(gt.GRU, gain={"z": 1.0, "r": 0.0, "h": 2.0}, bias={"r": bias})
        axes = {"gain.r": np.linspace(0.0, _TOP, size), "gain.h": np.linspace(*_RANGES[bias], size)}
        areas = work.phase_diagram(ens, axes, ("count",))
        rows = [
            ([ens.replace({"gain.r": a_r, "gain.h": a_h}) for a_h in axes["gain.h"].tolist()],) for a_r in axes["gain.r"].tolist()
        ]
        rho2 = work.over(squared_radii, rows)
        lines = ("onset:gain.h", "fold:gain.h", "complexity_onset:gain.h")
        lines = work.phase_diagram(ens, {"gain.r": fine}, lines)
        run = {"n_units": units, "n_steps": steps, "seed": rng}
        chaos = work.phase_diagram(ens, {"gain.r": coarse}, ("chaos:gain.h",), **run)
        one = {
            "a_h": ("row", axes["gain.h"]),
            "count": (("column", "row"), areas["count"].values),
            "rho2": (("column", "row"), np.array(rho2)),
            "onset": ("line", lines["onset:gain.h"].values),
            "fold": ("line", lines["fold:gain.h"].values),
            "annealed": ("line", lines["complexity_onset:gain.h"].values),
            "chaos": ("probe", chaos["chaos:gain.h"].values),
            "chaos_error": ("probe", chaos["chaos_error:gain.h"].values),
            "tricritical": ((), _tricritical(ens)),
        }
        pieces.append(xr.Dataset(one))
    coordinates = {"bias": list(_BIASES), "column": np.linspace(0.0, _TOP, size), "line": fine, "probe": coarse}
    networks = signature(gt.chaos_onset).parameters["n_networks"].default  # phase_diagram has no say in it
    attributes = {"n_units": units, "n_steps": steps, "n_networks": networks}
    return xr.concat(pieces, "bias").assign_coords(coordinates).assign_attrs(attributes)


def _tricritical(ens):
    try:
        return float(gt.tricritical(ens, "gain.r", along="gain.h"))
    except gt.NoCriticalValue:  # there is none for b_r >= ln 2
        return np.nan


def _chaos_label(attributes):
    """Of what the points are; the error bars hold the scatter of these networks, not the shift that all of this size share."""
    n = int(attributes["n_units"])
    runs = f"{attributes['n_networks']} networks, N = {n}, T = {attributes['n_steps']}"
    return f"chaos above, $a_z = 1$: {runs};\nbesides the bars shifted by order $N^{{-1/2}}$ = {100 / np.sqrt(n):.0f} %"


def _marginal(one):
    """a_r, and a_h between which 1 < rho^2 < 2: where non-zero states are born, where rho^2 passes 2, as smooth curves.

    The upper is NaN where that lies between the birth and the first point of the grid: the region is narrower than the grid.
    """
    high = []
    for rho2 in one["rho2"].values:
        known = np.isfinite(rho2)
        a_h = one["a_h"].values[known]
        high.append(np.interp(2.0, rho2[known], a_h, left=np.nan, right=a_h[-1]) if known.any() else np.nan)
    a_r, high, _ = smooth(one["column"], high)
    low = np.interp(a_r, *smooth(one["line"], np.fmin(one["onset"], one["fold"]))[:2])
    return a_r, low, np.maximum(low, high)


def draw(data):
    """A panel per bias."""
    from matplotlib.patches import Patch

    figure, axes = panels(1, data.sizes["bias"], height=3.0)
    for ax, bias in zip(axes[0], data["bias"].values):
        one = data.sel(bias=bias)
        draw_onset_and_fold(ax, one["column"], one["a_h"], one["count"], one["line"], one["onset"], one["fold"])
        # the update gate has no bias, so that it is shut in half of the units when it is binary
        a_r, low, high = _marginal(one)
        ax.fill_between(a_r, low, high, facecolor="none", edgecolor="0.5", hatch="////", linewidth=0.0)
        ax.plot(a_r, high, color="0.35", linewidth=0.7)
        label = f"annealed complexity positive above{missing(*data['annealed'].values)}"
        draw_curve(ax, one["line"], one["annealed"], color=PURPLE, linestyle=":", linewidth=1.8, label=label)
        style = {
            "color": BLUE,
            "markersize": 3.5,
            "linestyle": "none",
            "linewidth": 1.0,
            "marker": "o",
            "capsize": 2.5,
        }
        drawn = ax.errorbar(
            one["probe"],
            one["chaos"],
            one["chaos_error"],
            label=_chaos_label(data.attrs),
            **style,
        )
        # whole at the first and last a_r, cut where bars leave through the top
        wider = TransformedBbox(Bbox([[-0.05, 0.0], [1.05, 1.0]]), ax.transAxes)
        for artist in drawn.get_children():
            artist.set_clip_path(None)
            artist.set_clip_box(wider)
        if np.isfinite(one["tricritical"]):
            label = f"tricritical point; at $b_r = 0$: $a_r$ = {float(data['tricritical'].sel(bias=0.0)):.4f}"
            ax.plot(one["tricritical"], one["onset"][0], "D", color=GREEN, markersize=5, label=label, zorder=5)
        ax.set_xlabel("$a_r$")
        ax.set_title(f"$b_r$ = {bias:g}", fontsize="small")
        ax.tick_params(labelsize="x-small")
    axes[0, 0].set_ylabel("$a_h$")
    handles, _ = axes[0, data["bias"].values.tolist().index(0.0)].get_legend_handles_labels()
    label = r"marginal as $a_z \to \infty$: $1 < \rho^2 < 2$"
    handles += [Patch(facecolor="none", edgecolor="0.5", hatch="////", linewidth=0.0, label=label)]
    handles += count_patches(1, 2, 3)
    figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize="x-small", frameon=False)
    return figure
