"""The LSTM's phase diagram, which is in neither paper: the onset a_g = 2 is continuous within an ellipsoid of gate gains only."""

from __future__ import annotations

import numpy as np

import gating_theory as gt
from gating_theory.plotting.lines import name_regions

from .common import (
    BLUE,
    ORANGE,
    SPECIALS,
    VERMILLION,
    count_patches,
    curves_of,
    draw_counts,
    draw_lines,
    panels,
    special_handle,
    specials_of,
    whole,
)

TITLE = "Phase diagram of the LSTM's fixed points, and the ellipsoid a_o^2 + a_i^2 + 3 a_f^2 = 64"
_BOUNDS = (0.0, 10.0), (1.6, 2.4)
_OUT = (0.0, 4.0, 7.0)
_LABELS = {"onset": "onset: zero state unstable above", "fold": "fold: non-zero mean-field solutions above"}
#: A point of each region, a_f and a_g: below the fold, between fold and onset, above both.
_REGIONS = {"silent": (5.0, 1.65), "bistable": (9.0, 1.95), "active": (5.0, 2.2)}


def compute(quick, rng, work):
    """See the package."""
    import xarray as xr

    n_ellipse = 5 if quick else 13
    lines = work.over(_line, [(kind, 1e-3 if quick else 1e-5) for kind in _LABELS])
    places = [(a_o, float(a_i)) for a_o in _OUT for a_i in np.sqrt(64 - a_o**2) * np.sin(np.linspace(0.0, 1.45, n_ellipse))]
    found = np.array(work.over(_tricritical, places)).reshape(len(_OUT), n_ellipse)
    variables = {
        "curves": (("kind", "point", "part"), curves_of(lines)),
        "specials": (("kind", "special", "part"), specials_of(lines)),
        "error": ("kind", [line.error for line in lines], {"units": "widths of the panel"}),
        "complete": ("kind", [line.ok for line in lines]),
        "count": ("region", [_count(*place) for place in _REGIONS.values()]),
        "a_i": (("a_o", "point_on_ellipse"), np.array([a_i for _, a_i in places]).reshape(found.shape)),
        "tricritical": (("a_o", "point_on_ellipse"), found),
    }
    coordinates = {"kind": list(_LABELS), "special": list(SPECIALS), "region": list(_REGIONS), "a_o": list(_OUT)}
    return xr.Dataset(variables, coordinates)


def _ensemble(a_f=0.0, a_g=2.0):
    return gt.Ensemble(gt.LSTM, gain={"f": a_f, "i": 4.0, "g": a_g, "o": 4.0})


def _line(kind, tol):
    return gt.critical_line(_ensemble(), ("gain.f", "gain.g"), kind, bounds=_BOUNDS, tol=tol, search=5)


def _count(a_f, a_g):
    """The number of mean-field solutions."""
    return len(gt.fixed_points(_ensemble(a_f, a_g)))


def _tricritical(a_o, a_i):
    """a_f at which the onset in a_g turns discontinuous."""
    return float(gt.tricritical(gt.Ensemble(gt.LSTM, gain={"i": a_i, "o": a_o}), "gain.f", along="gain.g"))


def draw(data):
    """Regions and lines; sections of the ellipsoid."""
    figure, axes = panels(1, 2, height=2.8)
    left, right = axes[0]
    for set_limits, limits in zip((left.set_xlim, left.set_ylim), _BOUNDS):
        set_limits(*limits)
    curves = [whole(data["curves"].sel(kind=kind)) for kind in _LABELS]
    draw_counts(left, *curves, data["count"].values)
    draw_lines(left, data, _LABELS)
    name_regions(left, _REGIONS, [(curve.real, curve.imag) for curve in curves])
    left.set_xlabel("$a_f$  ($a_i = a_o = 4$)")
    left.set_ylabel("$a_g$")
    handles, _ = left.get_legend_handles_labels()
    a_f = float(data["specials"].sel(kind="onset", special="tricritical", part=0))
    handles.append(special_handle("tricritical", "onset", rf"tricritical point: $a_f$ = {a_f:.4f}, exact: $\sqrt{{32/3}}$"))
    handles += count_patches(1, 2, 3)
    figure.legend(handles=handles, fontsize="x-small", ncols=2, loc="outside lower center", frameon=False)
    angle = np.linspace(0.0, np.pi / 2, 200)
    for a_o, colour in zip(data["a_o"].values, (BLUE, ORANGE, VERMILLION)):
        one, size = data.sel(a_o=a_o), np.sqrt(64 - a_o**2)
        right.plot(size * np.sin(angle), size * np.cos(angle) / np.sqrt(3), color=colour, linewidth=1.0)
        right.plot(one["a_i"], one["tricritical"], "o", color=colour, markersize=4, label=f"$a_o$ = {a_o:g}")
    right.set_ylim(-0.1, 6.6)  # room for the legend
    right.set_xlabel("$a_i$")
    right.set_ylabel("tricritical $a_f$")
    right.legend(
        fontsize="x-small",
        loc="upper right",
        bbox_to_anchor=(1.0, 1.0),
        handletextpad=0.2,
        title=r"lines: $a_o^2 + a_i^2 + 3 a_f^2 = 64$",
        title_fontsize=6,
    )
    for ax in (left, right):
        ax.tick_params(labelsize="x-small")
    return figure
