"""A binary update gate makes the GRU marginally stable: the edge lies at 1 up to a distance exponentially small in a_z [CKS]."""

from __future__ import annotations

import numpy as np

import gating_theory as gt

from .common import BLUE, VERMILLION, over, panels, planted_eigenvalues, unit_circle

TITLE = "Marginal stability of the GRU: spectra pinched at 1, the edge's distance from 1 against a_z, and where it happens"
_A_H, _A_R = 2.5, 2.0
_GAINS = (2.0, 10.0, 40.0)


def compute(quick, rng, executor=None, progress=None):
    """See the package."""
    import xarray as xr

    from .common import joined, padded, parts

    n = 400 if quick else 1500
    clouds = over(executor, _cloud, [(a_z, n, (rng, i)) for i, a_z in enumerate(_GAINS)])
    a_z = np.linspace(0.0, 60.0, 25 if quick else 61)
    distance = np.array(over(executor, _distance, [(float(v),) for v in a_z]))
    size = 25 if quick else 80
    a_h, a_r = np.linspace(1.5, 5.0, size), np.linspace(0.0, 12.0, size)
    rho2 = np.array(over(executor, _rho2_row, [(a_h.tolist(), float(v)) for v in a_r]))
    variables = {
        "eigenvalues": (("gain", "eigenvalue", "part"), parts(np.array([c[0] for c in clouds]))),
        "edge": (("gain", "point", "part"), parts(padded([joined(c[1]) for c in clouds]))),
        "distance": ("a_z", distance, {"long_name": "abscissa - 1"}),
        "rho2": (("a_r", "a_h"), rho2, {"long_name": "squared radius of the bulk at lambda = 1, largest solution; NaN: zero only"}),
    }
    coordinates = {"gain": list(_GAINS), "a_z": a_z, "a_h": a_h, "a_r": a_r}
    return xr.Dataset(variables, coordinates, {"n_units": n})


def _ensemble(a_z, a_h=_A_H, a_r=_A_R):
    return gt.Ensemble(gt.GRU, gain={"z": a_z, "r": a_r, "h": a_h})


def _cloud(a_z, n, seed):
    point = gt.fixed_points(_ensemble(a_z))[-1]
    return planted_eigenvalues(point, n, seed)[0], gt.Spectrum(point).boundary(384)


def _distance(a_z):
    return gt.Spectrum(gt.fixed_points(_ensemble(a_z))[-1]).abscissa() - 1.0


def _rho2_row(a_h, a_r):
    """rho^2 = T(1): the update gate cancels from the edge condition at lambda = 1, so one that is constant gives it."""
    out = []
    for value in a_h:
        point = gt.fixed_points(_ensemble(0.0, value, a_r))[-1]
        out.append(np.nan if point.is_zero else gt.Spectrum(point).edge_function(1.0))
    return out


def draw(data):
    """Spectra, distance, and the region 1 < rho^2 < 2."""
    from .common import SKY, whole

    figure, axes = panels(2, 3, height=2.2)
    for ax, gain in zip(axes[0], data["gain"].values):
        one = data.sel(gain=gain)
        cloud, edge = whole(one["eigenvalues"]), whole(one["edge"])
        ax.plot(cloud.real, cloud.imag, "o", color=SKY, markersize=1.3, markeredgewidth=0)
        ax.plot(edge.real, edge.imag, color=VERMILLION, linewidth=1.0)
        unit_circle(ax)
        ax.set_aspect("equal")
        ax.set_xlim(-1.1, 1.2)
        ax.set_ylim(-1.1, 1.1)
        ax.set_title(f"$a_z$ = {gain:g}", fontsize="small")
        ax.set_xlabel(r"$\mathrm{Re}\,\lambda$")
    axes[0, 0].set_ylabel(r"$\mathrm{Im}\,\lambda$")
    ax = axes[1, 0]
    ax.semilogy(data["a_z"], data["distance"], color=VERMILLION)
    ax.set_xlabel("$a_z$")
    ax.set_ylabel(r"$\max\,\mathrm{Re}\,\lambda - 1$")
    ax = axes[1, 1]
    levels = [0.0, 1.0, 2.0, 1e9]
    ax.contourf(data["a_h"], data["a_r"], data["rho2"], levels=levels, colors=["#eef2f5", "#b9d9ee", "#d9896a"])
    ax.contour(data["a_h"], data["a_r"], data["rho2"], levels=[1.0, 2.0], colors=[BLUE, VERMILLION], linewidths=1.2)
    ax.set_xlabel("$a_h$")
    ax.set_ylabel("$a_r$")
    ax = axes[1, 2]
    ax.set_axis_off()
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles = [
        Line2D([], [], color=VERMILLION, label="theory"),
        Line2D([], [], color=SKY, marker="o", linestyle="none", label="network"),
    ]
    handles += [Patch(color="#eef2f5", label=r"$\rho^2 < 1$: stable, or only zero (blank)")]
    handles += [Patch(color="#b9d9ee", label=r"$1 < \rho^2 < 2$: marginal as $a_z \to \infty$")]
    handles += [Patch(color="#d9896a", label=r"$\rho^2 > 2$: unstable for every $a_z$")]
    ax.legend(handles=handles, loc="center", fontsize="x-small", frameon=False)
    for ax in axes.flat:
        ax.tick_params(labelsize="x-small")
    return figure
