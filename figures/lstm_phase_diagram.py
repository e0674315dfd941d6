"""The LSTM's phase diagram, which is in neither paper: the onset a_g = 2 is continuous within an ellipsoid of gate gains only."""

from __future__ import annotations

import numpy as np

import gating_theory as gt

from .common import BLUE, GREEN, ORANGE, VERMILLION, count_patches, draw_onset_and_fold, panels

TITLE = "Phase diagram of the LSTM's fixed points, and the ellipsoid a_o^2 + a_i^2 + 3 a_f^2 = 64"
_TOP = 10.0
_OUT = (0.0, 4.0, 7.0)


def compute(quick, rng, work):
    """See the package."""
    import xarray as xr

    size, n_lines, n_ellipse = (10, 7, 5) if quick else (40, 17, 13)
    ens = gt.Ensemble(gt.LSTM, gain={"f": 0.0, "i": 4.0, "g": 2.0, "o": 4.0})
    axes = {"gain.f": np.linspace(0.0, _TOP, size), "gain.g": np.linspace(1.6, 2.4, size)}
    areas = work.phase_diagram(ens, axes, ("count",))
    fine = np.linspace(0.0, _TOP, n_lines)
    lines = work.phase_diagram(ens, {"gain.f": fine}, ("onset:gain.g", "fold:gain.g"))
    places = [(a_o, float(a_i)) for a_o in _OUT for a_i in np.sqrt(64 - a_o**2) * np.sin(np.linspace(0.0, 1.45, n_ellipse))]
    found = np.array(work.over(_tricritical, places)).reshape(len(_OUT), n_ellipse)
    variables = {
        "count": (("a_f", "a_g"), areas["count"].values),
        "onset": ("line", lines["onset:gain.g"].values),
        "fold": ("line", lines["fold:gain.g"].values),
        "a_i": (("a_o", "point"), np.array([a_i for _, a_i in places]).reshape(found.shape)),
        "tricritical": (("a_o", "point"), found),
    }
    coordinates = {"a_f": axes["gain.f"], "a_g": axes["gain.g"], "line": fine, "a_o": list(_OUT)}
    return xr.Dataset(variables, coordinates)


def _tricritical(a_o, a_i):
    """a_f at which the onset in a_g turns discontinuous."""
    return float(gt.tricritical(gt.Ensemble(gt.LSTM, gain={"i": a_i, "o": a_o}), "gain.f", along="gain.g"))


def draw(data):
    """Areas and lines; sections of the ellipsoid."""
    figure, axes = panels(1, 2, height=2.8)
    left, right = axes[0]
    draw_onset_and_fold(left, data["a_f"], data["a_g"], data["count"], data["line"], data["onset"], data["fold"])
    left.plot(
        np.sqrt(32 / 3), 2.0, "D", color=GREEN, markersize=5, zorder=5, label=r"tricritical point, exact: $a_f = \sqrt{32/3}$"
    )
    left.set_xlabel("$a_f$  ($a_i = a_o = 4$)")
    left.set_ylabel("$a_g$")
    handles, _ = left.get_legend_handles_labels()
    figure.legend(
        handles=[*handles, *count_patches(1, 2, 3)], fontsize="x-small", ncols=3, loc="outside lower center", frameon=False
    )
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
