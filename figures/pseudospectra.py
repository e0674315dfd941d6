"""Pseudospectra: theory at the sites of a network, around its eigenvalues, and dense singular values of that network [T9]."""

from __future__ import annotations

import numpy as np

import gating_theory as gt

from .common import SKY, VERMILLION, joined, padded, panels, parts, unit_circle, whole

TITLE = "Pseudospectra of GRU and LSTM Jacobians, theory and networks"

EPS = (0.03, 0.1, 0.3)
_COLOURS = ("#440154", "#31688e", "#35b779")
_PANELS = (
    ("GRU", {"gain": {"z": 2.0, "r": 3.0, "h": 4.0}, "bias": {"z": 0.5}}),
    ("LSTM", {"gain": {"f": 2.0, "i": 1.0, "g": 4.0, "o": 1.0}, "bias": {"f": 1.0}}),
)


def compute(quick, rng, work):
    """See the package."""
    import xarray as xr

    rows, columns, points = (120, 36, 48) if quick else (300, 90, 256)
    tasks = [(name, hyperparameters, rows, columns, points, (rng, i)) for i, (name, hyperparameters) in enumerate(_PANELS)]
    found = work.over(_panel, tasks)
    curves = padded([curve for one in found for curve in one["contours"]])
    variables = {
        "eigenvalues": (("panel", "eigenvalue", "part"), parts(np.array([one["eigenvalues"] for one in found]))),
        "edge": (("panel", "edge_point", "part"), parts(padded([one["edge"] for one in found]))),
        "contours": (("panel", "eps", "point", "part"), parts(curves.reshape(len(found), len(EPS), -1))),
        "x": (("panel", "column"), np.array([one["x"] for one in found])),
        "y": (("panel", "row"), np.array([one["y"] for one in found])),
        "smallest": (("panel", "row", "column"), np.array([one["smallest"] for one in found])),
        "cell": ("panel", [name for name, _ in _PANELS]),
    }
    return xr.Dataset(variables, {"eps": list(EPS)}, {"rows": rows})


def _panel(name, hyperparameters, rows, columns, points, seed):
    """A network's eigenvalues, theory's curves at its sites, its smallest singular values of lambda - J on a grid."""
    point = gt.fixed_points(gt.Ensemble(getattr(gt, name), **hyperparameters))[-1]
    net, state = gt.Network.planted(point, rows // point.ensemble.cell.n_state, np.random.default_rng(seed))
    jacobian, spectrum = net.jacobian(state), gt.Spectrum(net.sites(state))
    contours = [joined(spectrum.pseudospectrum(eps, points)) for eps in EPS]
    widest = contours[-1][np.isfinite(contours[-1])]
    pad = 0.05 * np.ptp(widest.real)
    x = np.linspace(widest.real.min() - pad, widest.real.max() + pad, columns)
    y = np.linspace(0.0, np.abs(widest.imag).max() + pad, max(8, int(0.6 * columns)))
    unit = np.eye(len(jacobian))
    smallest = [[np.linalg.svd((u + 1j * v) * unit - jacobian, compute_uv=False)[-1] for u in x] for v in y]
    edge = joined(spectrum.boundary(384))
    return {
        "contours": contours,
        "edge": edge,
        "eigenvalues": np.linalg.eigvals(jacobian),
        "x": x,
        "y": y,
        "smallest": np.array(smallest),
    }


def draw(data):
    """A panel for each cell: theory's curves all around, the network's own in the upper half."""
    from matplotlib.lines import Line2D

    figure, axes = panels(1, data.sizes["panel"], height=3.6)
    for i, ax in enumerate(axes[0]):
        one = data.isel(panel=i)
        cloud, edge = whole(one["eigenvalues"]), whole(one["edge"])
        ax.plot(cloud.real, cloud.imag, "o", color=SKY, markersize=2.0, markeredgewidth=0, zorder=2)
        unit_circle(ax)
        ax.plot(edge.real, edge.imag, color=VERMILLION, linewidth=1.2, zorder=3)
        for eps, colour in zip(EPS, _COLOURS):
            curve = whole(one["contours"].sel(eps=eps))
            ax.plot(curve.real, curve.imag, color=colour, linewidth=1.1, zorder=4)
            ax.contour(one["x"], one["y"], one["smallest"], [eps], colors=[colour], linestyles=["--"], linewidths=0.9, zorder=4)
        ax.set_aspect("equal")
        ax.set_xlim(float(one["x"][0]), float(one["x"][-1]))
        ax.set_ylim(-float(one["y"][-1]), float(one["y"][-1]))
        ax.set_title(one["cell"].item(), fontsize="small")
        ax.set(xlabel=r"$\mathrm{Re}\,\lambda$", ylabel=r"$\mathrm{Im}\,\lambda$" if i == 0 else "")
        ax.tick_params(labelsize="x-small")
    handles = [Line2D([], [], color=colour, label=rf"$\varepsilon = {eps:g}$") for eps, colour in zip(EPS, _COLOURS)]
    handles += [
        Line2D([], [], color=VERMILLION, label="edge, theory"),
        Line2D([], [], color="0.3", linestyle="--", label=f"the same of this network, {data.attrs['rows']} rows"),
        Line2D([], [], color=SKY, marker="o", markersize=3, linestyle="none", label="its eigenvalues"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize="x-small", frameon=False)
    return figure
