"""Update and forget gates pile up slow modes: their fraction and the distribution of timescales, theory against networks [CKS]."""

from __future__ import annotations

import numpy as np

import gating_theory as gt
from gating_theory.ensemble.hyperparameters import symbol

from .common import BLACK, BLUE, ORANGE, VERMILLION, draw_curve, panels, planted_eigenvalues

TITLE = "Slow modes against a_z, b_z (GRU) and a_f, b_f (LSTM); timescale distributions"
_TAU = 20.0
_BASES = {"GRU": {"gain": {"z": 1.0, "r": 1.0, "h": 3.0}}, "LSTM": {"gain": {"f": 1.0, "i": 1.0, "g": 4.0, "o": 1.0}}}
_SWEEPS = (("GRU", "gain.z", 0, 30), ("GRU", "bias.z", -3, 5), ("LSTM", "gain.f", 0, 30), ("LSTM", "bias.f", -3, 5))
_SHOWN = {"gain": (1.0, 10.0, 30.0), "bias": (0.0, 2.0, 4.0)}


def compute(quick, rng, work):
    """See the package."""
    import xarray as xr

    n, count, points, n_taus, tol = (200, 2, 5, 4, 3e-3) if quick else (1000, 4, 13, 25, 1e-4)
    taus = np.geomspace(1.0, 1000.0, n_taus)
    tasks = []
    for s, (name, path, low, high) in enumerate(_SWEEPS):
        for v, value in enumerate(np.linspace(low, high, points)):
            tasks.append((name, path, float(value), n, count, (rng, s, v), (_TAU,), tol))
        for v, value in enumerate(_SHOWN[path.partition(".")[0]]):
            tasks.append((name, path, value, n, count, (rng, s, points + v), tuple(taus), tol))
    found = work.over(_fractions, tasks)
    shape = (len(_SWEEPS), points + 3)
    rows = np.empty(shape, dtype=object)
    for i, result in enumerate(found):
        rows.flat[i] = result
    fraction = np.array([[rows[s, v][0][0] for v in range(points)] for s in range(len(_SWEEPS))])
    measured = np.array([[rows[s, v][1][:, 0] for v in range(points)] for s in range(len(_SWEEPS))])
    law = np.array([[rows[s, points + v][0] for v in range(3)] for s in range(len(_SWEEPS))])
    law_measured = np.array([[rows[s, points + v][1].mean(axis=0) for v in range(3)] for s in range(len(_SWEEPS))])
    variables = {
        "value": (("sweep", "point"), np.array([np.linspace(low, high, points) for _, _, low, high in _SWEEPS])),
        "fraction": (("sweep", "point"), fraction, {"long_name": f"fraction of modes slower than {_TAU:g} steps, theory"}),
        "measured": (("sweep", "point", "network"), measured),
        "shown": (("sweep", "curve"), np.array([_SHOWN[path.partition(".")[0]] for _, path, _, _ in _SWEEPS])),
        "law": (("sweep", "curve", "tau"), law),
        "law_measured": (("sweep", "curve", "tau"), law_measured),
    }
    coordinates = {"tau": taus, "cell": ("sweep", [s[0] for s in _SWEEPS]), "path": ("sweep", [s[1] for s in _SWEEPS])}
    return xr.Dataset(variables, coordinates, {"n_units": n})


def _fractions(name, path, value, n, count, seed, taus, tol):
    """Slow fractions of theory (taus,), to tol, and of networks (count, taus)."""
    point = gt.fixed_points(gt.Ensemble(getattr(gt, name), **_BASES[name]).replace({path: value}))[-1]
    spectrum = gt.Spectrum(point, tol=min(tol, 1e-3))  # of the averages over sites; the fractions come out better by far than asked
    modulus = np.abs(planted_eigenvalues(point, n, seed, count))
    measured = [[np.mean(m > np.exp(-1.0 / tau)) for tau in taus] for m in modulus]
    return spectrum.slow_fraction(taus, tol), np.array(measured)


def draw(data):
    """Fractions above, distributions below."""
    figure, axes = panels(2, data.sizes["sweep"], height=2.1)
    for s in range(data.sizes["sweep"]):
        one = data.isel(sweep=s)
        path = str(one["path"].values)
        ax = axes[0, s]
        draw_curve(ax, one["value"], one["fraction"], color=VERMILLION, linewidth=1.3, label="theory")
        if path == "gain.z":  # half of the gates are shut for good; the others' modes lie in a disc well within the unit circle
            ax.axhline(0.5, color=BLACK, linewidth=0.8, linestyle=(0, (1, 1.5)), label=r"binary gate, $P(z=1) = 1/2$")
        mean, spread = one["measured"].mean("network"), one["measured"].std("network")
        ax.errorbar(
            one["value"], mean, spread, fmt="o", color=BLUE, markersize=3, linewidth=0.8, label=f"N = {data.attrs['n_units']}"
        )
        ax.set_xlabel(symbol(path))
        ax.set_ylim(-0.02, 1.02)
        ax.set_title(str(one["cell"].values), fontsize="small")
        ax = axes[1, s]
        for c, colour in enumerate((BLUE, ORANGE, VERMILLION)):
            label = f"{symbol(path)} = {float(one['shown'][c]):g}"
            ax.loglog(data["tau"], one["law"].isel(curve=c), color=colour, linewidth=1.2, label=label)
            measured = one["law_measured"].isel(curve=c)
            ax.loglog(data["tau"], measured.where(measured > 0), "o", color=colour, markersize=2.5)
        ax.set_xlabel(r"$\tau$ (steps)")
        ax.set_ylim(2e-3, 60.0)  # room above fractions for the legend
        ax.set_yticks([1e-2, 1e-1, 1.0])
        ax.legend(fontsize="x-small", loc="upper right", borderpad=0.2, handlelength=1.2)
    axes[0, 0].set_ylabel(f"fraction slower\nthan {_TAU:g} steps")
    axes[1, 0].set_ylabel(r"fraction slower than $\tau$")
    handles, _ = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize="x-small", frameon=False)
    for ax in axes.flat:
        ax.tick_params(labelsize="x-small")
    return figure
