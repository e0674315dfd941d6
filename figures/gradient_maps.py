"""Where gradients of silent networks vanish, last and explode: their mean square through 100 steps over gain and bias [T9]."""

from __future__ import annotations

import numpy as np

import gating_theory as gt
from gating_theory.ensemble.hyperparameters import symbol

from .common import BLACK, VERMILLION, panels

TITLE = "Mean square of gradients through a hundred steps over (a_h, b_z) of a GRU and (a_g, b_f) of an LSTM"

N_STEPS = 100
#: Cell, paths of its gain and bias, ranges of both.
_PANELS = (("GRUResetAfter", "gain.h", "bias.z", (0.25, 12.0), (-2.0, 7.0)), ("LSTM", "gain.g", "bias.f", (0.02, 8.0), (-2.0, 7.0)))
#: Decades at which colours end.
_DECADES = 10.0


def compute(quick, rng, work):
    """See the package."""
    import xarray as xr

    size = 15 if quick else 49
    axes = [(np.geomspace(*gains, size), np.linspace(*biases, size)) for *_, gains, biases in _PANELS]
    places = [
        (name, (path, bias), a, b) for (name, path, bias, *_), (gains, biases) in zip(_PANELS, axes) for b in biases for a in gains
    ]
    found = np.array(work.over(_growth, places)).reshape(len(_PANELS), size, size, 3)
    variables = {
        "log10_growth": (("panel", "row", "column"), found[..., 0]),
        "rate": (("panel", "row", "column"), found[..., 1]),
        "mean_square": (("panel", "row", "column"), found[..., 2]),
        "gain": (("panel", "column"), np.array([gains for gains, _ in axes])),
        "bias": (("panel", "row"), np.array([biases for _, biases in axes])),
        "cell": ("panel", [panel[0] for panel in _PANELS]),
        "path": (("panel", "axis"), [list(panel[1:3]) for panel in _PANELS]),
    }
    return xr.Dataset(variables, attrs={"n_steps": N_STEPS})


def _growth(name, paths, gain, bias):
    """Log10 of a loss on h, growth per step in the end, and the mean squared singular value."""
    from gating_theory.mean_field.fixed_points import zero_state

    ensemble = gt.Ensemble(getattr(gt, name)).replace(dict(zip(paths, (float(gain), float(bias)))))
    found = gt.gradient_growth(zero_state(ensemble), N_STEPS, block="h")
    return [found.log10[-1], found.rate, found.blocks[1].sum() / ensemble.cell.n_state]


def draw(data):
    """A panel for each cell, with the onset and the rule of thumb that mean squared singular values are to be 1."""
    from matplotlib.lines import Line2D

    figure, axes = panels(1, data.sizes["panel"], height=3.3)
    for i, ax in enumerate(axes[0]):
        one = data.isel(panel=i)
        gains, biases, growth = one["gain"].values, one["bias"].values, one["log10_growth"].values
        shown = np.clip(growth, -_DECADES, _DECADES)
        mesh = ax.pcolormesh(gains, biases, shown, cmap="PuOr_r", vmin=-_DECADES, vmax=_DECADES, shading="gouraud", rasterized=True)
        ax.contour(gains, biases, growth, [-1.0, 1.0], colors="0.35", linewidths=0.8, linestyles="solid")
        ax.contour(gains, biases, one["rate"], [1.0], colors=[BLACK], linewidths=1.6)
        ax.contour(gains, biases, one["mean_square"], [1.0], colors=[VERMILLION], linewidths=1.3, linestyles="--")
        ax.set_xscale("log")
        ax.set_xlabel(symbol(str(one["path"].values[0])))
        ax.set_ylabel(symbol(str(one["path"].values[1])))
        ax.set_title({"GRUResetAfter": "GRU"}.get(one["cell"].item(), one["cell"].item()), fontsize="small")
        ax.tick_params(labelsize="x-small")
    figure.colorbar(mesh, ax=axes, label=r"$\log_{10}$ mean square, $T = 100$", extend="both", shrink=0.8)
    handles = [
        Line2D([], [], color=BLACK, linewidth=1.6, label="onset: spectral radius 1"),
        Line2D([], [], color="0.35", linewidth=0.8, label="grown or shrunk tenfold"),
        Line2D([], [], color=VERMILLION, linewidth=1.3, linestyle="--", label="mean squared singular value 1"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize="x-small", frameon=False)
    return figure
