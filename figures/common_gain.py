"""The common gain of all fields at which the fixed point turns unstable, over the spread of biases: limit and N units [T3, T12].

Fioratti, Marcaccioli and Casola (arXiv:2605.10650) give all gates one gain and ask at which one a reservoir should be set.
"""

from __future__ import annotations

import numpy as np

import gating_theory as gt

from .common import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    VERMILLION,
    draw_cloud,
    joined,
    padded,
    panels,
    parts,
    planted_eigenvalues,
    whole,
)

TITLE = "Critical common gain against the spread of the biases: in the limit, at 200 and 1000 units, and exponents of networks"
_CELLS = {"Vanilla": BLACK, "GRU": BLUE, "GRUResetAfter": GREEN, "JANET": ORANGE, "LSTM": VERMILLION}
_SIZES = (200, 1000)
_MARKS = {200: "o", 1000: "s"}
#: The spread at which exponents are measured, and gains over the critical one.
_SPREAD, _OVER = 0.5, (0.7, 1.4)
#: Networks whose eigenvalues are shown at the limit's critical gain: cell, spread.
_SHOWN = (("GRU", 0.5), ("LSTM", 2.0))


def compute(quick, rng, work):
    """See the package."""
    import xarray as xr

    spread = np.linspace(0.0, 2.0, 9 if quick else 41)
    few = np.array([0.5, 2.0]) if quick else np.linspace(0.25, 2.0, 8)
    over = np.linspace(*_OVER, 6 if quick else 15)
    networks, steps = (3, 200) if quick else (8, 600)
    limit = np.array(work.over(_limit, [(cell, float(s)) for cell in _CELLS for s in spread])).reshape(len(_CELLS), -1)
    tasks = [(cell, float(s), n, rng) for cell in _CELLS for s in few for n in _SIZES]
    finite = np.array(work.over(_of_networks, tasks)).reshape(len(_CELLS), few.size, len(_SIZES))
    at = [float(gt.critical(_ensemble(cell, _SPREAD), "gain", "abscissa", 1.0)) for cell in _CELLS]
    runs = [
        (cell, g * float(r), n, steps, (rng, i, k))
        for i, (cell, g) in enumerate(zip(_CELLS, at))
        for r in over
        for n in _SIZES
        for k in range(networks)
    ]
    exponents = np.array(work.over(_exponent, runs)).reshape(len(_CELLS), over.size, len(_SIZES), networks)
    clouds = work.over(_cloud, [(cell, s, (rng, i)) for i, (cell, s) in enumerate(_SHOWN)])
    variables = {
        "limit": (("cell", "spread"), limit, {"long_name": "critical common gain, N -> infinity"}),
        "finite": (("cell", "few", "n_units"), finite, {"long_name": "common gain at which half of the networks are unstable"}),
        "exponent": (
            ("cell", "over", "n_units", "network"),
            exponents,
            {"long_name": "largest Lyapunov exponent", "units": "1/step"},
        ),
        "eigenvalues": (("shown", "eigenvalue", "part"), parts(padded([c[0] for c in clouds]))),
        "edge": (("shown", "point", "part"), parts(padded([joined(c[1]) for c in clouds]))),
    }
    coordinates = {"cell": list(_CELLS), "spread": spread, "few": few, "over": over, "n_units": list(_SIZES)}
    coordinates["shown"] = [f"{cell}, spread {s:g}" for cell, s in _SHOWN]
    return xr.Dataset(variables, coordinates, {"spread": _SPREAD, "n_steps": steps})


def _ensemble(cell, spread, gain=1.0):
    return gt.Ensemble(getattr(gt, cell), gain=gain, bias_std=spread)


def _limit(cell, spread):
    """The common gain at which the spectrum of the largest solution leaves the unit disc at 1."""
    return float(gt.critical(_ensemble(cell, spread), "gain", "abscissa", 1.0))


def _of_networks(cell, spread, n_units, seed):
    """The common gain at which half of the networks of this size are unstable."""
    return float(gt.critical(_ensemble(cell, spread), "gain", "abscissa", 1.0, n_units=n_units, rng=seed))


def _exponent(cell, gain, n_units, n_steps, seed):
    """Largest Lyapunov exponent of one network, as a reservoir without input has it."""
    return gt.largest_exponent(_ensemble(cell, _SPREAD, gain), n_units, n_steps, rng=np.random.default_rng(seed))[0]


def _cloud(cell, spread, seed):
    point = gt.fixed_points(_ensemble(cell, spread, _limit(cell, spread)))[-1]
    return planted_eigenvalues(point, 1000 // point.ensemble.cell.n_state, seed)[0], gt.Spectrum(point).boundary(384)


def draw(data):
    """Critical gains; exponents over gains; two spectra at the limit's critical gain."""
    figure, axes = panels(2, 2, height=2.8)
    gains, exponents = axes[0]
    for cell, colour in _CELLS.items():
        one = data.sel(cell=cell)
        gains.plot(one["spread"], one["limit"], color=colour, label=cell)
        for n, mark in _MARKS.items():
            gains.plot(
                one["few"],
                one["finite"].sel(n_units=n),
                mark,
                color=colour,
                markersize=3.5,
                fillstyle="none" if n == min(_SIZES) else "full",
            )
        measured = one["exponent"].sel(n_units=max(_SIZES))
        exponents.errorbar(
            one["over"], measured.median("network"), _scatter(measured), color=colour, marker="o", markersize=2.5, linewidth=1.0
        )
    gains.set_xlabel("spread of all biases")
    gains.set_ylabel("critical common gain")
    exponents.axhline(0.0, color="0.6", linewidth=0.7)
    exponents.axvline(1.0, color="0.6", linewidth=0.7)
    exponents.set_xlabel(rf"common gain over critical one, spread {_SPREAD:g}")
    exponents.set_ylabel("largest Lyapunov exponent")
    for ax, name in zip(axes[1], data["shown"].values):
        one = data.sel(shown=name)
        draw_cloud(ax, whole(one["eigenvalues"]), whole(one["edge"]))
        ax.set_title(str(name), fontsize="small")
    _legend(figure, gains)
    for ax in axes.flat:
        ax.tick_params(labelsize="x-small")
    return figure


def _scatter(exponents):
    """From the median down and up to the quartiles of the networks."""
    low, middle, high = (exponents.quantile(q, "network").values for q in (0.25, 0.5, 0.75))
    return np.array([middle - low, high - middle])


def _legend(figure, ax):
    from matplotlib.lines import Line2D

    handles, _ = ax.get_legend_handles_labels()
    style = {"color": BLACK, "linestyle": "none", "markersize": 3.5}
    for n, mark in _MARKS.items():
        filled = "none" if n == min(_SIZES) else "full"
        handles.append(Line2D([], [], marker=mark, fillstyle=filled, label=f"half of the networks, N = {n}", **style))
    figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize="x-small", frameon=False)
