"""Singular values of Jacobians: theory's densities over sampled networks, at silent, at still and at chaotic states [T9]."""

from __future__ import annotations

import numpy as np

import gating_theory as gt

from .common import panels

TITLE = "Singular values of GRU and LSTM Jacobians, theory over networks"

#: Cell, what its state is, hyperparameters.
_PANELS = (
    ("GRU", "silent", {"gain": {"z": 1.0, "r": 1.0, "h": 1.0}, "bias_std": {"z": 1.0}}),
    ("GRU", "fixed point", {"gain": {"z": 2.0, "r": 3.0, "h": 4.0}, "bias": {"z": 0.5}}),
    ("GRU", "chaotic", {"gain": {"z": 2.0, "r": 3.0, "h": 6.0}}),
    ("LSTM", "silent", {"gain": {"f": 1.0, "i": 1.0, "g": 1.0, "o": 1.0}, "bias": {"f": 1.0}, "bias_std": {"f": 0.5}}),
    ("LSTM", "fixed point", {"gain": {"f": 2.0, "i": 1.0, "g": 4.0, "o": 1.0}, "bias": {"f": 1.0}}),
    ("LSTM", "chaotic", {"gain": {"f": 2.0, "i": 2.0, "g": 5.0, "o": 2.0}}),
)
_POINTS, _TRANSIENT = 120, 150
#: Accuracy of a curve that is looked at: bands have edges like roots, which populations of sites know less well than all else.
_DRAWN = 0.1


def compute(quick, rng, work):
    """See the package."""
    import xarray as xr

    n, count = (400, 1) if quick else (1500, 3)
    seeds = np.random.SeedSequence(rng).spawn(len(_PANELS))
    found = work.over(_panel, [(*panel, n, count, seed) for panel, seed in zip(_PANELS, seeds)])
    size = max(one["values"].size for one in found)
    variables = {
        "s": (("panel", "point"), np.array([one["s"] for one in found])),
        "density": (("panel", "point"), np.array([one["density"] for one in found])),
        "values": (
            ("panel", "value"),
            np.array([np.pad(one["values"], (0, size - one["values"].size), constant_values=np.nan) for one in found]),
        ),
        "atom": ("panel", [one["atom"] for one in found]),
        "cell": ("panel", [panel[0] for panel in _PANELS]),
        "state": ("panel", [panel[1] for panel in _PANELS]),
    }
    return xr.Dataset(variables, attrs={"n_units": n, "count": count})


def _panel(name, state, hyperparameters, n, count, seed):
    """Theory's density, of a chaotic state from the sites of its networks, and singular values of networks."""
    ensemble = gt.Ensemble(getattr(gt, name), **hyperparameters)
    n //= ensemble.cell.n_state
    networks = [_network(ensemble, state, n, np.random.default_rng(one)) for one in seed.spawn(count)]
    values = np.concatenate([np.linalg.svd(net.jacobian(at), compute_uv=False) for net, at in networks])
    if state == "chaotic":
        source = gt.Sites.pooled([net.sites(at) for net, at in networks], "simulation")
    else:
        source = gt.fixed_points(ensemble)[0 if state == "silent" else -1]
    singular = gt.Spectrum(source).singular_values()
    # closer together at both ends of what networks show
    s = 1.02 * values.max() * (0.5 - 0.5 * np.cos(np.pi * (np.arange(_POINTS) + 0.5) / _POINTS))
    return {"s": s, "density": singular.density(s, _DRAWN), "values": values, "atom": singular.atom}


def _network(ensemble, state, n, rng):
    if state == "fixed point":
        return gt.Network.planted(gt.fixed_points(ensemble)[-1], n, rng)
    net = gt.Network.sample(ensemble, n, rng)
    at = np.zeros((ensemble.cell.n_state, n))
    return net, at if state == "silent" else net.run(net.random_state(rng), _TRANSIENT)


def draw(data):
    """A row for each cell."""
    from gating_theory.plotting.gradients import draw_singular_values

    figure, axes = panels(2, 3, height=2.1)
    for i, ax in enumerate(axes.flat):
        one = data.isel(panel=i)
        values = one["values"].values
        draw_singular_values(ax, one["s"].values, one["density"].values, values[np.isfinite(values)])
        ax.set_title(f"{one['cell'].item()}, {one['state'].item()}", fontsize="small")
        if one["atom"] > 0.0:
            ax.text(0.03, 0.9, f"{100 * one['atom'].item():.3g} % at $s = 0$", fontsize="x-small", transform=ax.transAxes)
        ax.tick_params(labelsize="x-small")
        ax.set_xlabel("singular value $s$" if i >= 3 else "", fontsize="small")
        ax.set_ylabel(r"density $\rho(s)$" if i % 3 == 0 else "", fontsize="small")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    count, n = int(data.attrs["count"]), data.attrs["n_units"]
    labels = [f"{count} network{'s'[: count != 1]}, {n} singular values each" if label == "networks" else label for label in labels]
    figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize="x-small", frameon=False)
    return figure
