"""A binary update gate makes the GRU marginally stable: the edge lies at 1 up to a distance exponentially small in a_z [CKS]."""

from __future__ import annotations

import numpy as np

import gating_theory as gt

from .common import BLACK, BLUE, SKY, VERMILLION, draw_cloud, joined, padded, panels, parts, planted_eigenvalues, whole

TITLE = "Marginal stability of the GRU: spectra pinched at 1, the edge's distance from 1 against a_z, and where it happens"
_A_H, _A_R = 2.5, 2.0
_GAINS = (2.0, 10.0, 40.0)


#: Bias of an update gate that is open everywhere: z = 2e-16.
OPEN = -36.0
#: Where the theory is known in numbers.
_KNOWN = (1.0, 5.0, 10.0, 20.0, 40.0)


def compute(quick, rng, work):
    """See the package."""
    import xarray as xr

    n = 400 if quick else 1500
    clouds = work.over(_cloud, [(a_z, n, (rng, i)) for i, a_z in enumerate(_GAINS)])
    a_z = np.union1d(np.linspace(0.0, 50.0, 21 if quick else 51), _KNOWN)
    distance = np.array(work.over(_distance, [(float(v),) for v in a_z]))
    size = 30 if quick else 80
    a_h, a_r = np.linspace(1.5, 5.0, size), np.linspace(0.0, 12.0, size)
    rows = [([ensemble(0.0, float(h), float(r)) for h in a_h],) for r in a_r]
    rho2 = np.array(work.over(squared_radii, rows))
    variables = {
        "eigenvalues": (("gain", "eigenvalue", "part"), parts(np.array([c[0] for c in clouds]))),
        "edge": (("gain", "point", "part"), parts(padded([joined(c[1]) for c in clouds]))),
        "distance": ("a_z", distance, {"long_name": "abscissa - 1"}),
        "rho2": (("a_r", "a_h"), rho2, {"long_name": "rho^2 of the largest solution; NaN: zero only"}),
        "fold": (
            "a_r",
            work.phase_diagram(ensemble(0.0), {"gain.r": a_r}, ("fold:gain.h",))["fold:gain.h"].values,
        ),
        "rho2_here": ((), squared_radii([ensemble(0.0)])[0]),
    }
    coordinates = {"gain": list(_GAINS), "a_z": a_z, "a_h": a_h, "a_r": a_r, "known": list(_KNOWN)}
    return xr.Dataset(variables, coordinates, {"n_units": n})


def ensemble(a_z, a_h=_A_H, a_r=_A_R):
    """The GRU of these gains, without biases."""
    return gt.Ensemble(gt.GRU, gain={"z": a_z, "r": a_r, "h": a_h})


def squared_radii(ensembles):
    """rho^2 of the largest solution of GRUs, NaN where zero is the only one: the bulk is unstable iff rho^2 > 1 [T6].

    The update gate moves no fixed point. Where it is open everywhere (z = 0) the spectrum is a disc, and rho is its radius. That is
    not T(1): both pass 1 together, but elsewhere differ, because the reset gate acts through two matrices.
    """
    out = []
    for ens in ensembles:
        point = gt.fixed_points(ens.replace({"gain.z": 0.0, "bias.z": OPEN}))[-1]
        out.append(np.nan if point.is_zero else gt.Spectrum(point).radius() ** 2)
    return out


def _cloud(a_z, n, seed):
    point = gt.fixed_points(ensemble(a_z))[-1]
    return planted_eigenvalues(point, n, seed)[0], gt.Spectrum(point).boundary(384)


def _distance(a_z):
    return gt.Spectrum(gt.fixed_points(ensemble(a_z))[-1]).abscissa() - 1.0


def draw(data):
    """Spectra, distance, and the region 1 < rho^2 < 2."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    figure, axes = panels(2, 3, height=2.2)
    binary = np.sqrt(0.5 * float(data["rho2_here"]))
    angle = np.linspace(0.0, 2.0 * np.pi, 361)
    for ax, gain in zip(axes[0], data["gain"].values):
        one = data.sel(gain=gain)
        draw_cloud(ax, whole(one["eigenvalues"]), whole(one["edge"]))
        ax.plot(binary * np.cos(angle), binary * np.sin(angle), color=BLACK, linewidth=0.9, linestyle=(0, (1, 1.5)), zorder=4)
        ax.plot(1.0, 0.0, "+", color=BLACK, markersize=5, zorder=4)
        ax.set_xlim(-1.15, 1.25)
        ax.set_ylim(-1.15, 1.15)
        ax.set_title(f"$a_z$ = {gain:g}", fontsize="small")
        ax.tick_params(labelleft=bool(ax is axes[0, 0]))
        ax.set_ylabel("")
    axes[0, 0].set_ylabel(r"$\mathrm{Im}\,\lambda$")
    ax = axes[1, 0]
    # below 1e-12 what is left of the digits of the abscissa is rounding
    ax.semilogy(data["a_z"], data["distance"].where(data["distance"] > 1e-12), color=VERMILLION)
    known = data["distance"].sel(a_z=data["known"].values)
    ax.semilogy(known["a_z"], known, "o", color=VERMILLION, markersize=3)
    for a_z, value in zip(known["a_z"].values, known.values):
        ax.annotate(f"{value:.3g}", (a_z, value), textcoords="offset points", xytext=(4, 2), fontsize=6)
    ax.set_xlabel("$a_z$")
    ax.set_ylabel(r"$\max\,\mathrm{Re}\,\lambda - 1$")
    ax.set_xlim(0.0, 60.0)
    ax.set_ylim(top=0.5)
    ax = axes[1, 1]
    stable, marginal, unstable = "#e6ecf1", "#b9d9ee", "#d9896a"
    rho2, fold = data["rho2"].values, data["fold"].values
    for row in rho2:  # up to the fold, left of which there is nothing
        row[np.isnan(row)] = row[np.isfinite(row)][0]
    ax.contourf(data["a_h"], data["a_r"], rho2, levels=[0.0, 1.0, 2.0, 1e9], colors=[stable, marginal, unstable])
    ax.contour(data["a_h"], data["a_r"], rho2, levels=[1.0, 2.0], colors=[BLUE, VERMILLION], linewidths=1.2)
    ax.fill_betweenx(data["a_r"], float(data["a_h"][0]), fold, color="white", zorder=2)
    ax.plot(fold, data["a_r"], color=BLACK, linewidth=1.0, zorder=3)
    ax.plot(_A_H, _A_R, "k*", markersize=6)
    ax.set_xlabel("$a_h$")
    ax.set_ylabel("$a_r$")
    axes[1, 2].set_axis_off()
    where = rf"$a_h = {_A_H:g}$, $a_r = {_A_R:g}$: $\rho^2 = {float(data['rho2_here']):.3f}$"
    handles = [
        Line2D([], [], color=VERMILLION, label="edge, theory"),
        Line2D([], [], color=SKY, marker="o", markersize=3, linestyle="none", label=f"network, N = {data.attrs['n_units']}"),
        Line2D([], [], color=BLACK, linestyle=(0, (1, 1.5)), label=r"binary gate: $|\lambda| = \rho/\sqrt{2}$,"),
        Line2D([], [], color=BLACK, marker="+", linestyle="none", label=r"and half of them at 1"),
        Line2D([], [], color=BLACK, marker="*", linestyle="none", label=where),
        Line2D([], [], color=BLACK, label="left of it only the zero state"),
        Patch(color=stable, label=r"$\rho^2 < 1$: stable"),
        Patch(color=marginal, label=r"$1 < \rho^2 < 1/P(z\!=\!0) = 2$: marginal"),
        Patch(color=unstable, label=r"$\rho^2 > 2$: unstable for all $a_z$, and in the limit"),
    ]
    axes[1, 2].legend(handles=handles, loc="center", fontsize="x-small", frameon=False)
    for ax in axes.flat:
        ax.tick_params(labelsize="x-small")
    return figure
