"""Chaos of three units: the attractor, its section and return map, the cascade of period doublings that leads to it, exponents."""

from __future__ import annotations

import numpy as np

import gating_theory as gt
from gating_theory import flow

from .common import BLACK, BLUE, GREEN, VERMILLION, panels

TITLE = "A chaotic GRU of three units: attractor, section, period doublings, Lyapunov exponents"
ALONE = "always"

#: The parameter, from where a cycle is stable to the chaotic network itself; the plane h_1 = _LEVEL; a start.
PATH, FROM, TO, _LEVEL, _START = "b_h[0]", 0.5, 0.0, 0.1, (0.1, 0.2, 0.3)

#: Values of the parameter, crossings at each, crossings of the large section, time for exponents, period doublings located.
FULL = {"n_values": 251, "n_points": 150, "n_section": 4000, "time": 2000.0, "n_doublings": 3}
QUICK = {"n_values": 41, "n_points": 60, "n_section": 600, "time": 500.0, "n_doublings": 1}


def compute(quick, rng, work):
    """The network itself, and what it is along the parameter."""
    import xarray as xr

    plan = QUICK if quick else FULL
    network = flow.chaotic_gru()
    spectrum = gt.lyapunov_spectrum(network, time=5.0 * plan["time"], start=_START, rng=0)
    section = flow.poincare_section(network, spectrum.state, 0, _LEVEL, plan["n_section"])
    orbit = network.integrate(spectrum.state, np.linspace(0.0, 150.0, 6001), rtol=1e-9, atol=1e-11).y.T
    values = np.linspace(FROM, TO, plan["n_values"])
    diagram = flow.section_diagram(
        network, PATH, values, _START, 0, _LEVEL, plan["n_points"], transient=400.0, n_exponents=2, time=plan["time"]
    )
    doublings = period_doublings(network, plan["n_doublings"])
    variables = {
        "orbit": (("time", "state"), orbit),
        "section": (("crossing", "state"), section.points),
        "exponents": ("order", spectrum.exponents),
        "stderr": ("order", spectrum.stderr),
        "dimension": ((), spectrum.dimension),
        "diagram": (("value", "point", "state"), diagram.points),
        "leading": (("value", "leading_order"), diagram.exponents),
        "doubling": ("doublings", [b.value for b in doublings]),
        "doubling_error": ("doublings", [b.error for b in doublings]),
    }
    return xr.Dataset(variables, {"value": values})


def period_doublings(network, count):
    """The first period doublings on the way to chaos, each on the branch that was born at the one before."""
    start = network.replace(PATH, FROM)
    branch, found = flow.continue_cycle(start, PATH, (TO, FROM), flow.find_cycle(start, _START), direction=-1), []
    for _ in range(count):
        # the first on the way: branches run on to where they are unstable, and double again and again
        later = [b for b in branch.bifurcations if b.kind == "period_doubling" and (not found or b.value < found[-1].value - 1e-6)]
        if not later:
            break
        found.append(max(later, key=lambda b: b.value))
        if len(found) < count:
            branch = flow.continue_cycle(found[-1].flow, PATH, (TO, FROM), found[-1], max_points=60)
    return found


def draw(data):
    """Above the attractor, its section, the return map; below the cascade and the exponents along the parameter."""
    figure, axes = panels(2, 3, height=2.4)
    a, b, c = axes[0]
    for ax in axes[1]:
        ax.remove()
    grid = axes[0, 0].get_gridspec()
    d, e = figure.add_subplot(grid[1, :2]), figure.add_subplot(grid[1, 2])
    orbit, section = data["orbit"].values, data["section"].values
    a.plot(orbit[:, 0], orbit[:, 2], color=BLACK, linewidth=0.3)
    a.axvline(_LEVEL, color=VERMILLION, linewidth=0.8, linestyle=(0, (4, 2)))
    a.set(xlabel="$h_1$", ylabel="$h_3$")
    values = ", ".join(f"{x:.3f}" for x in np.round(data["exponents"].values, 3) + 0.0)
    a.set_title(f"exponents {values}; dimension {float(data['dimension']):.3f}", fontsize=6.5)
    dots = {"markersize": 1.6, "markeredgewidth": 0.0, "linestyle": "none", "marker": "."}
    b.plot(section[:, 1], section[:, 2], color=BLUE, **dots)
    b.set(xlabel="$h_2$", ylabel="$h_3$")
    b.set_title(f"crossings of $h_1 = {_LEVEL}$ upwards", fontsize=6.5)
    c.plot(section[:-1, 2], section[1:, 2], color=BLUE, **dots)
    limits = [section[:, 2].min(), section[:, 2].max()]
    c.plot(limits, limits, color="0.7", linewidth=0.7)
    c.set(xlabel="$h_3$ at a crossing", ylabel="$h_3$ at the next")
    points = data["diagram"].values[..., 2]
    d.plot(
        np.repeat(data["value"].values, points.shape[1]),
        points.ravel(),
        color=BLACK,
        rasterized=True,
        **dots,
    )
    for value in data["doubling"].values:
        d.axvline(value, color=GREEN, linewidth=0.8)
    d.set(xlabel="$b_{h,1}$", ylabel="$h_3$ at crossings", xlim=(TO, FROM))
    named = ", ".join(f"{v:.6f}" for v in data["doubling"].values)
    d.set_title(f"period doublings located at {named}", fontsize=6.5)
    for order, colour in enumerate((BLUE, "0.6")):
        e.plot(data["value"], data["leading"][:, order], color=colour, linewidth=0.9)
    e.axhline(0.0, color=BLACK, linewidth=0.5)
    e.set(xlabel="$b_{h,1}$", ylabel="two leading exponents", xlim=(TO, FROM))
    for ax in figure.axes:
        ax.tick_params(labelsize="x-small")
        for label in (ax.xaxis.label, ax.yaxis.label):
            label.set_fontsize("small")
    return figure
