"""The GRU over reset and candidate gain: onset, fold, complexity, marginal region [CKS], chaos by theory and in networks [T8]."""

from __future__ import annotations

from inspect import signature

import numpy as np
from matplotlib.transforms import Bbox, TransformedBbox

import gating_theory as gt
from gating_theory.plotting.lines import LINE_STYLES, name_regions

from .common import (
    SPECIALS,
    chaos_curve,
    count_patches,
    curves_of,
    draw_counts,
    draw_lines,
    padded,
    panels,
    parts,
    special_handle,
    specials_of,
    whole,
)
from .marginal_stability import OPEN

TITLE = "Phase diagram of the GRU in (a_r, a_h) for b_r = -1, 0, 1: fixed points and chaos"
_AXES = ("gain.r", "gain.h")
_TOP = 16.0
_RANGES = {-1.0: (1.5, 5.0), 0.0: (1.3, 3.0), 1.0: (1.0, 2.5)}
#: Names of regions by bias, each with a point of it; where there is room.
_REGIONS = {
    -1.0: {"silent": (3.0, 2.0), "bistable": (14.0, 3.0), "unstable": (10.0, 4.5)},
    0.0: {"silent": (3.0, 1.5), "marginal": (3.0, 2.5), "bistable": (9.0, 1.9), "unstable": (14.0, 2.5)},
    1.0: {"silent": (3.0, 1.2), "marginal": (3.0, 2.0), "unstable": (14.0, 2.3)},
}
#: Those below the fold, between fold and onset, above both.
_COUNTED = ("silent", "bistable", "unstable")
#: What critical lines are, and along which other hyperparameters they run: the update gate moves no fixed point, and where it is
#: open everywhere the spectrum is a disc.
_LINES = {"onset": {}, "fold": {}, "complexity_onset": {}, "radius": {"gain.z": 0.0, "bias.z": OPEN}}
#: The line of chaos is exact where the update gate is constant, and hardly feels its gain up to a_z = 5.
_CHAOS = {"gain.z": 0.0}
_LABELS = {
    "onset": "onset: zero state unstable above",
    "fold": "fold: non-zero mean-field solutions above",
    "complexity_onset": "complexity onset: exponentially many fixed points above",
    "radius": r"$\rho^2 = 2$: as $a_z \to \infty$ active state marginal below, unstable above",
    "chaos": "chaos above, theory at $a_z = 0$",
}


def compute(quick, rng, work):
    """See the package."""
    import xarray as xr

    # square root spacing: chaos sets in at other gains where the reset gate is weak
    probe = _TOP * np.linspace(0.0, 1.0, 3 if quick else 9) ** 1.5
    run = {"n_units": 2000 if quick else 4000, "n_steps": 200 if quick else 400, "seed": rng}
    biases = list(_RANGES)
    lines = work.over(_line, [(bias, kind, 1e-3 if quick else 1e-5) for bias in biases for kind in _LINES])
    theory = work.over(_chaos_line, [(bias, 11 if quick else 17) for bias in biases])
    chaos = [work.phase_diagram(_ensemble(bias, **_CHAOS), {"gain.r": probe}, ("chaos:gain.h",), **run) for bias in biases]
    shape = len(biases), len(_LINES)
    curves, specials = curves_of(lines), specials_of(lines)
    special = np.full((len(biases), 1, len(SPECIALS), 2), np.nan)
    special[:, 0, SPECIALS.index("tricritical")] = [one.tricritical for one in theory]
    errors = np.reshape([line.error for line in lines], shape), np.array([[one.error] for one in theory])
    complete = np.reshape([line.ok for line in lines], shape), np.ones((len(biases), 1), dtype=bool)
    variables = {
        "curves": (("bias", "kind", "point", "part"), _joined(curves.reshape(*shape, -1, 2), [one.curve for one in theory])),
        "specials": (("bias", "kind", "special", "part"), np.hstack([specials.reshape(*shape, *specials.shape[1:]), special])),
        "error": (("bias", "kind"), np.hstack(errors), {"units": "widths of the panel"}),
        "complete": (("bias", "kind"), np.hstack(complete)),
        "count": (("bias", "region"), [_counts(bias) for bias in biases]),
        "chaos": (("bias", "probe"), [one["chaos:gain.h"].values for one in chaos]),
        "chaos_error": (("bias", "probe"), [one["chaos_error:gain.h"].values for one in chaos]),
    }
    coordinates = {"bias": biases, "kind": [*_LINES, "chaos"], "special": list(SPECIALS), "probe": probe}
    coordinates["region"] = list(_COUNTED)
    networks = signature(gt.chaos_onset).parameters["n_networks"].default  # phase_diagram has no say in it
    return xr.Dataset(variables, coordinates, {"n_units": run["n_units"], "n_steps": run["n_steps"], "n_networks": networks})


def _ensemble(bias, **changes):
    return gt.Ensemble(gt.GRU, gain={"z": 1.0}, bias={"r": bias}).replace(changes)


def _line(bias, kind, tol):
    """A line of the plane of one reset bias."""
    value = np.sqrt(2.0) if kind == "radius" else None
    bounds = (0.0, _TOP), _RANGES[bias]
    return gt.critical_line(_ensemble(bias, **_LINES[kind]), _AXES, kind, value, bounds=bounds, tol=tol, search=5)


def _chaos_line(bias, n):
    """The line of chaos in one plane."""
    ensemble = _ensemble(bias, **_CHAOS)
    return chaos_curve(ensemble, *_AXES, _TOP, n, np.ptp(_RANGES[bias]))


def _joined(curves, more):
    """Curves (bias, kind, point, part) and one more of each bias, padded to one length."""
    rows = [*(whole(curve) for one in curves for curve in one), *more]
    out = padded(rows)
    n_bias, n_kind = curves.shape[:2]
    first = out[: n_bias * n_kind].reshape(n_bias, n_kind, -1)
    return parts(np.concatenate([first, out[n_bias * n_kind :, None]], axis=1))


def _counts(bias):
    """Numbers of mean-field solutions below the fold, between fold and onset, above both; 0 where there is no such region."""
    places = [_REGIONS[bias].get(name) for name in _COUNTED]
    return [0 if p is None else len(gt.fixed_points(_ensemble(bias, **dict(zip(_AXES, p))))) for p in places]


def _chaos_label(data):
    """Of what the points are. The bars hold the scatter of these networks, not the shift that all of this size share: how far the
    points are off the line is said apart for jumps and where exponents rise from zero, so slowly that networks of any size miss it.
    """
    jumps, smooth = [], []
    for bias in data["bias"].values:
        one = data.sel(bias=bias)
        line = whole(one["curves"].sel(kind="chaos"))
        line, start = line[np.isfinite(line)], one["specials"].sel(kind="chaos", special="tricritical", part=0)
        off = one["chaos"].values / np.interp(one["probe"], line.real, line.imag) - 1.0
        for shift, there in zip(off, one["probe"].values):
            (jumps if there > float(start) else smooth).append(100.0 * shift)
    n, runs, steps = (data.attrs[name] for name in ("n_units", "n_networks", "n_steps"))
    return (
        f"chaos above, $a_z = 0$: {runs} networks, N = {n}, T = {steps}, bars: their scatter;\n"
        f"off theory by {_span(smooth)} where exponents rise from zero, {_span(jumps)} at jumps"
    )


def _span(percents):
    """ "-1 to 12 %"; all there is, to whole numbers outwards."""
    return f"{np.floor(np.nanmin(percents)):.0f} to {np.ceil(np.nanmax(percents)):.0f} %"


def draw(data):
    """A panel per bias."""
    figure, axes = panels(1, data.sizes["bias"], height=3.2)
    for ax, bias in zip(axes[0], data["bias"].values):
        one = data.sel(bias=bias)
        ax.set_xlim(0.0, _TOP)
        ax.set_ylim(*_RANGES[float(bias)])
        draw_counts(ax, *(whole(one["curves"].sel(kind=kind)) for kind in ("onset", "fold")), one["count"].values)
        draw_lines(ax, one, _LABELS)
        _draw_chaos(ax, one, _chaos_label(data))
        curves = [whole(one["curves"].sel(kind=kind)) for kind in _LABELS]
        name_regions(ax, _REGIONS[float(bias)], [(curve.real, curve.imag) for curve in curves])
        for text in ax.texts:
            text.set_fontsize("x-small")
        ax.set_xlabel("$a_r$")
        ax.set_title(f"$b_r$ = {bias:g}", fontsize="small")
        ax.tick_params(labelsize="x-small")
    axes[0, 0].set_ylabel("$a_h$")
    figure.legend(handles=_handles(data, axes[0]), loc="outside lower center", ncols=2, fontsize="x-small", frameon=False)
    return figure


def _draw_chaos(ax, one, label):
    """Points with error bars: whole at the first and last a_r, cut where bars leave through the top."""
    style = {"color": LINE_STYLES["chaos"][1], "markersize": 3.5, "linestyle": "none", "elinewidth": 1.0, "capsize": 2.5}
    drawn = ax.errorbar(one["probe"], one["chaos"], one["chaos_error"], marker="o", label=label, **style)
    wider = TransformedBbox(Bbox([[-0.05, 0.0], [1.05, 1.0]]), ax.transAxes)
    for artist in drawn.get_children():
        artist.set_clip_path(None)
        artist.set_clip_box(wider)


def _handles(data, axes):
    """Entries of the legend: lines and points of all panels, special points, areas."""
    found = {label: handle for ax in axes for handle, label in zip(*ax.get_legend_handles_labels())}
    a_r = data["specials"].sel(bias=0.0, special="tricritical", part=0)
    onset, complexity, chaos = (float(a_r.sel(kind=kind)) for kind in ("onset", "complexity_onset", "chaos"))
    words = {
        ("tricritical", "onset"): f"tricritical point of fixed points; at $b_r = 0$: $a_r$ = {onset:.4f}",
        ("tricritical", "chaos"): f"of chaos, a jump to the right; at $b_r = 0$: $a_r$ = {chaos:.4f}",
        ("tricritical", "complexity_onset"): f"of the complexity; at $b_r = 0$: $a_r$ = {complexity:.4f}",
        ("critical_end", "complexity_onset"): "critical end point: discontinuous at a finite amplitude",
    }
    points = [special_handle(special, kind, label) for (special, kind), label in words.items()]
    return [*found.values(), *points, *count_patches(1, 2, 3)]
