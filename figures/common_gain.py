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
    smooth,
    whole,
)

TITLE = "Critical common gain against the spread of the biases: in the limit, at 200 and 1000 units, and exponents of networks"
_CELLS = {"Vanilla": BLACK, "GRU": BLUE, "GRUResetAfter": GREEN, "JANET": ORANGE, "LSTM": VERMILLION}
#: Its line is that of the vanilla network.
_DASHES = {"JANET": (0, (4, 4))}
_SIZES = (200, 1000)
_MARKS = {200: "o", 1000: "s"}
#: Between which common gains the critical one is sought; of the larger one that of small networks lies outside for some cells.
_BOUNDS = (0.9, 6.0)
#: The spread at which exponents are measured, and gains over the critical one.
_SPREAD, _OVER = 0.5, (0.7, 1.4)
#: Networks whose eigenvalues are shown at the limit's critical gain: cell, spread.
_SHOWN = (("GRU", 0.5), ("LSTM", 2.0))


def compute(quick, rng, work):
    """See the package."""
    import xarray as xr

    # it rises like a root where biases begin to spread
    spread = 2.0 * np.linspace(0.0, 1.0, 7 if quick else 41) ** 1.5
    few = np.array([0.5, 2.0]) if quick else np.linspace(0.25, 2.0, 8)
    over = np.linspace(*_OVER, 5 if quick else 15)
    networks, steps, n_units = (2, 150, 400) if quick else (8, 600, 1000)
    limits = np.array(work.over(_limit, [(cell, float(s)) for cell in _CELLS for s in spread])).reshape(
        len(_CELLS), spread.size, -1
    )
    tasks = [(cell, float(s), n, 30 if quick else 200, rng) for cell in _CELLS for s in few for n in _SIZES]
    finite = np.array(work.over(_of_networks, tasks)).reshape(len(_CELLS), few.size, len(_SIZES), 2)
    at = [float(_critical(cell, _SPREAD)) for cell in _CELLS]
    runs = [
        (cell, g * float(r), n_units, steps, (rng, i, k))
        for i, (cell, g) in enumerate(zip(_CELLS, at))
        for r in over
        for k in range(networks)
    ]
    exponents = np.array(work.over(_exponent, runs)).reshape(len(_CELLS), over.size, networks)
    clouds = work.over(_cloud, [(cell, s, (rng, i)) for i, (cell, s) in enumerate(_SHOWN)])
    variables = {
        "limit": (("cell", "spread"), limits[..., 0], {"long_name": "critical common gain, N -> infinity"}),
        "describes": (
            ("cell", "spread", "n_units"),
            limits[..., 1:].astype(bool),
            {"long_name": "whether the limit describes networks of N units at its critical gain"},
        ),
        "finite": (
            ("cell", "few", "n_units"),
            finite[..., 0],
            {"long_name": "where half of the networks are unstable"},
        ),
        "finite_error": (("cell", "few", "n_units"), finite[..., 1], {"long_name": "standard error over draws of sites"}),
        "exponent": (("cell", "over", "network"), exponents, {"long_name": "largest Lyapunov exponent", "units": "1/step"}),
        "eigenvalues": (("shown", "eigenvalue", "part"), parts(padded([c[0] for c in clouds]))),
        "edge": (("shown", "point", "part"), parts(padded([joined(c[1]) for c in clouds]))),
        "status": ("shown", [c[2] for c in clouds]),
    }
    coordinates = {"cell": list(_CELLS), "spread": spread, "few": few, "over": over, "n_units": list(_SIZES)}
    coordinates["shown"] = [f"{cell}, spread {s:g}" for cell, s in _SHOWN]
    return xr.Dataset(variables, coordinates, {"spread_of_exponents": _SPREAD, "n_steps": steps, "n_units_of_exponents": n_units})


def _ensemble(cell, spread, gain=1.0):
    return gt.Ensemble(getattr(gt, cell), gain=gain, bias_std=spread)


def _critical(cell, spread, **options):
    """The common gain at which the spectrum of the largest solution leaves the unit disc at 1."""
    return gt.critical(_ensemble(cell, spread), "gain", "abscissa", 1.0, bounds=_BOUNDS, **options)


def _limit(cell, spread):
    """The critical gain of the limit, and for each size whether the limit describes networks there."""
    gain = float(_critical(cell, spread))
    spectrum = gt.Spectrum(gt.fixed_points(_ensemble(cell, spread, gain))[-1])
    return [gain, *(spectrum.concentration(n).status.ok for n in _SIZES)]


def _of_networks(cell, spread, n_units, n_draws, seed):
    """The common gain at which half of the networks of this size are unstable, and its standard error."""
    found = _critical(cell, spread, n_units=n_units, n_draws=n_draws, rng=seed)
    return float(found), found.error


def _exponent(cell, gain, n_units, n_steps, seed):
    """Largest Lyapunov exponent of one network, as a reservoir without input has it."""
    return gt.largest_exponent(_ensemble(cell, _SPREAD, gain), n_units, n_steps, rng=np.random.default_rng(seed))[0]


def _cloud(cell, spread, seed):
    point = gt.fixed_points(_ensemble(cell, spread, float(_critical(cell, spread))))[-1]
    spectrum, n_units = gt.Spectrum(point), max(_SIZES) // point.ensemble.cell.n_state
    status = spectrum.concentration(n_units).status
    return (
        planted_eigenvalues(point, n_units, seed)[0],
        spectrum.boundary(384),
        f"the limit {status.code.replace('_', ' ')} N = {n_units}",
    )


def draw(data):
    """Critical gains; exponents over gains; two spectra at the limit's critical gain."""
    figure, axes = panels(2, 2, height=2.8)
    gains, exponents = axes[0]
    for cell, colour in _CELLS.items():
        one = data.sel(cell=cell)
        _draw_limit(gains, one, colour, cell)
        for n in _SIZES:
            size = one.sel(n_units=n)
            gains.errorbar(one["few"] + _shift(cell, n), size["finite"], size["finite_error"], color=colour, **_mark(n))
        low, middle, high = (one["exponent"].quantile(q, "network").values for q in (0.0, 0.5, 1.0))
        style = {"color": colour, "marker": "o", "markersize": 2.5, "linewidth": 1.0, "elinewidth": 0.7}
        exponents.errorbar(one["over"], middle, [middle - low, high - middle], **style)
    gains.set_xlabel("spread of all biases $s_b$")
    gains.set_ylabel("critical common gain $g_c$")
    exponents.axhline(0.0, color="0.6", linewidth=0.7)
    exponents.axvline(1.0, color="0.6", linewidth=0.7)
    exponents.set_xlabel(rf"$g / g_c$ at $s_b$ = {data.attrs['spread_of_exponents']:g}")
    exponents.set_ylabel("largest Lyapunov exponent")
    runs = f"N = {data.attrs['n_units_of_exponents']}, T = {data.attrs['n_steps']}, bars: range of {data.sizes['network']} networks"
    exponents.set_title(runs, fontsize="x-small")
    for ax, name in zip(axes[1], data["shown"].values):
        one = data.sel(shown=name)
        draw_cloud(ax, whole(one["eigenvalues"]), whole(one["edge"]))
        ax.set_xlim(-0.45, 1.1)
        ax.set_ylim(-0.65, 0.65)
        ax.set_title(f"{name}, at the limit's $g_c$\n{one['status'].item()}", fontsize="x-small")
    _legend(figure)
    for ax in axes.flat:
        ax.tick_params(labelsize="x-small")
        ax.xaxis.label.set_fontsize("small")
        ax.yaxis.label.set_fontsize("small")
    return figure


def _draw_limit(ax, one, colour, label):
    """The limit's critical gain, dotted where it describes no network of the larger size."""
    x, y, _ = smooth(one["spread"], one["limit"])
    described = np.interp(x, one["spread"], one["describes"].sel(n_units=max(_SIZES)).astype(float)) > 0.5
    dashes = _DASHES.get(label, "-")
    ax.plot(x, np.where(described, y, np.nan), color=colour, linewidth=1.2, linestyle=dashes, label=label)
    ax.plot(x, np.where(described, np.nan, y), color=colour, linewidth=1.2, linestyle=":")


def _shift(cell, n_units):
    """Points of several cells and sizes side by side."""
    return 0.035 * (list(_CELLS).index(cell) - 2) + 0.015 * (_SIZES.index(n_units) - 0.5)


def _mark(n_units):
    """The style of points of a size."""
    filled = "none" if n_units == min(_SIZES) else "full"
    return {"fmt": _MARKS[n_units], "fillstyle": filled, "markersize": 3.5, "elinewidth": 0.7, "capsize": 1.5}


def _legend(figure):
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], color=colour, linestyle=_DASHES.get(cell, "-"), label=cell) for cell, colour in _CELLS.items()]
    handles.append(Line2D([], [], color=BLACK, linestyle=":", label=f"the limit does not describe N = {max(_SIZES)}"))
    style = {"color": BLACK, "linestyle": "none", "markersize": 3.5}
    for n, mark in _MARKS.items():
        filled = "none" if n == min(_SIZES) else "full"
        handles.append(
            Line2D([], [], marker=mark, fillstyle=filled, label=f"half of the networks unstable, N = {n} (set apart)", **style)
        )
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize="x-small", frameon=False)
