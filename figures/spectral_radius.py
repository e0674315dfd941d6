"""The GRU's reset gate and the LSTM's input and output gates control the spectral radius [CKS]."""

from __future__ import annotations

import numpy as np

import gating_theory as gt
from gating_theory.ensemble.hyperparameters import symbol

from .common import BLUE, VERMILLION, draw_curve, panels, planted_eigenvalues

TITLE = "Spectral radius against a_r, b_r (GRU) and a_i, a_o (LSTM), theory against networks"
_BASES = {"GRU": {"gain": {"z": 1.0, "r": 1.0, "h": 4.0}}, "LSTM": {"gain": {"f": 1.0, "i": 1.0, "g": 4.0, "o": 1.0}}}
_SWEEPS = (("GRU", "gain.r", 0, 20), ("GRU", "bias.r", -2, 3), ("LSTM", "gain.i", 0, 20), ("LSTM", "gain.o", 0, 20))


def compute(quick, rng, work):
    """See the package."""
    import xarray as xr

    n, count, points = (300, 3, 7) if quick else (1000, 5, 15)
    tasks = []
    for s, (name, path, low, high) in enumerate(_SWEEPS):
        values = np.linspace(low, high, points).tolist()
        tasks += [(name, path, value, n, count, (rng, s, v)) for v, value in enumerate(values)]
    found = work.over(_radius, tasks)
    shape = (len(_SWEEPS), points)
    variables = {
        "value": (("sweep", "point"), np.array([np.linspace(low, high, points) for _, _, low, high in _SWEEPS])),
        "radius": (("sweep", "point"), np.array([r for r, _ in found]).reshape(shape)),
        "measured": (("sweep", "point", "network"), np.array([m for _, m in found]).reshape(*shape, count)),
    }
    coordinates = {"cell": ("sweep", [s[0] for s in _SWEEPS]), "path": ("sweep", [s[1] for s in _SWEEPS])}
    return xr.Dataset(variables, coordinates, {"n_units": n})


def _radius(name, path, value, n, count, seed):
    """Radius of the bulk in theory, and the largest modulus in networks (their outliers included)."""
    point = gt.fixed_points(gt.Ensemble(getattr(gt, name), **_BASES[name]).replace({path: value}))[-1]
    spectrum = gt.Spectrum(point)
    isolated = np.abs(spectrum.outliers())
    return max([spectrum.radius(), *isolated]), np.abs(planted_eigenvalues(point, n, seed, count)).max(axis=1)


def draw(data):
    """One panel per hyperparameter."""
    figure, axes = panels(1, data.sizes["sweep"], height=2.2)
    for s, ax in enumerate(axes[0]):
        one = data.isel(sweep=s)
        draw_curve(ax, one["value"], one["radius"], color=VERMILLION, linewidth=1.3, label="theory")
        # each network by itself: the few outermost eigenvalues scatter too much for a mean and a deviation of three
        values, measured = one["value"].broadcast_like(one["measured"]), one["measured"]
        label = f"networks, N = {data.attrs['n_units']}"
        ax.plot(values.values.ravel(), measured.values.ravel(), "o", color=BLUE, markersize=2.5, alpha=0.7, label=label)
        ax.axhline(1.0, color="0.5", linewidth=0.7, linestyle=(0, (4, 3)))
        ax.set_xlabel(symbol(str(one["path"].values)))
        ax.set_title(str(one["cell"].values), fontsize="small")
        ax.tick_params(labelsize="x-small")
    axes[0, 0].set_ylabel("spectral radius")
    handles, _ = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize="x-small", frameon=False)
    return figure
