"""Two units in continuous time: oscillations are born, die in homoclinic loops, coexist; a line that almost attracts [JSP]."""

from __future__ import annotations

import numpy as np

from gating_theory import flow

from .common import BLACK, BLUE, GREEN, ORANGE, VERMILLION, panels

TITLE = "Two-unit GRUs: Hopf and homoclinic sequences, multistability, pseudo-line attractor"
ALONE = "always"

#: Name -> the flow and, for each of its cycles, a state that the trajectory through it (backwards if unstable) leads to it.
PORTRAITS = {
    r"before Hopf, $U_h = 1.8\,[1, -1; 1, 1]$": ({"U_h": [[1.8, -1.8], [1.8, 1.8]]}, ()),
    r"after Hopf at 2: $2.2\,[1, -1; 1, 1]$": ({"U_h": [[2.2, -2.2], [2.2, 2.2]]}, ((0.3, 0.0, 1),)),
    r"far beyond: $3\,[1, -1; 1, 1]$": ({"U_h": [[3, -3], [3, 3]]}, ((0.3, 0.0, 1),)),
    "$b_{h,2} = 1.2$: cycle and sink": ({"U_h": [[4.5, -2], [10, 0]], "b_h": [0.4, 1.2]}, ((-0.2, 0.2, 1),)),
    "homoclinic loop": ({"U_h": [[4.5, -2], [10, 0]], "b_h": [0.4, None]}, ()),
    "$b_{h,2} = 0.7$: only the sink": ({"U_h": [[4.5, -2], [10, 0]], "b_h": [0.4, 0.7]}, ()),
    "two sinks in a big cycle": ({"U_h": [[8.5, 6], [-7, -4.5]], "b_z": [0, 1]}, ((-1.0, 1.0, 1),)),
    "sink, unstable and stable cycle": (
        {"U_h": [[-6, 27], [-7.5, 8.5]], "b_h": [-1.6, 1]},
        ((0.9, 0.9, 1), (0.5, 0.28, -1)),
    ),
    "pseudo-line attractor": ({"U_h": [[4.549, -1.612], [10.278, -4.5]]}, ()),
}
_FAMILY = {"U_h": [[4.5, -2], [10, 0]], "b_h": [0.4, 1.2]}
_LINE = list(PORTRAITS)[-1]


def compute(quick, rng, work):
    """Critical values, periods beside the homoclinic one, the drift along the pseudo-line; portraits need nothing but these."""
    import xarray as xr

    family, line = flow.GRUFlow(**_FAMILY), flow.GRUFlow(**PORTRAITS[_LINE][0])
    branch = flow.continue_fixed_point(family, "b_h[1]", (0.5, 2.5), [-0.2122, 0.1380])
    hopf = next(b for b in branch.bifurcations if b.kind == "hopf")
    loop = flow.homoclinic(family, "b_h[1]", (0.85, 1.1), [0.525, 0.998])
    law = loop.period_law(np.logspace(-1, -5 if quick else -7, 5 if quick else 13))
    cycles = flow.continue_cycle(family, "b_h[1]", (0.5, 2.5), hopf, max_period=60)
    slow = slow_curve(line)
    kinds = [topology(parameters(name, loop.value)) for name in PORTRAITS]
    variables = {
        "topology": (("portrait", "kind"), np.array(kinds)),
        "hopf": ((), hopf.value),
        "homoclinic": ((), loop.value),
        "period": ("distance", law.periods),
        "slope": ((), law.expected, {"long_name": "1 / the unstable eigenvalue of the saddle"}),
        "fixed_point": ("value", branch.states[:, 0]),
        "stable": ("value", branch.stable),
        "low": ("cycle", cycles.low[:, 0]),
        "high": ("cycle", cycles.high[:, 0]),
        "cycle_value": ("cycle", cycles.values),
        "drift": ("h_1", np.linalg.norm(line(slow), axis=1), {"long_name": "speed along the slow curve"}),
    }
    coordinates = {"portrait": list(PORTRAITS), "kind": ["sinks", "sources", "saddles"], "h_1": slow[:, 0]}
    coordinates |= {"distance": law.distances, "value": branch.values}
    return xr.Dataset(variables, coordinates)


def parameters(name, homoclinic):
    """Of a portrait; the homoclinic loop stands where it was computed to be."""
    out = dict(PORTRAITS[name][0])
    if "b_h" in out:
        out["b_h"] = [homoclinic if b is None else b for b in out["b_h"]]
    return out


def topology(values):
    """(sinks, sources, saddles) of the GRU of two units with these parameters."""
    return flow.GRUFlow(**values).fixed_points().topology


def slow_curve(line, reach=0.5, n=41):
    """States (n, 2) of least speed for each h_1 within the reach, which is where trajectories gather."""
    from scipy.optimize import minimize_scalar

    out = []
    for h in np.linspace(-reach, reach, n):
        # the normal direction contracts at about 1, so that the least speed lies on the attracting curve; scanned, then polished
        grid = np.linspace(-0.999, 0.999, 400)
        best = grid[np.argmin(np.linalg.norm(line(np.column_stack([np.full(400, h), grid])), axis=1))]
        found = minimize_scalar(
            lambda y, h=h: np.linalg.norm(line([h, y])),
            bounds=(best - 0.01, best + 0.01),
            method="bounded",
            options={"xatol": 1e-12},
        )
        out.append([h, found.x])
    return np.array(out)


def draw(data):
    """Nine portraits; below the bifurcation diagram, the law of the period, the drift along the line."""
    figure, axes = panels(4, 3, height=2.25)
    for ax, name in zip(axes[:3].flat, PORTRAITS):
        here = flow.GRUFlow(**parameters(name, float(data["homoclinic"])))
        cycles = [flow.find_cycle(here, start[:2], backward=start[2] < 0) for start in PORTRAITS[name][1]]
        flow.plot_portrait(here, cycles, legend=False, ax=ax)
        triple = ", ".join(str(int(v)) for v in data["topology"].sel(portrait=name))
        ax.set_title(f"{name}\n({triple})", fontsize=7)
        ax.set(xticks=[-1, 0, 1], yticks=[-1, 0, 1], xlabel="", ylabel="$h_2$" if ax in axes[:, 0] else "")
    for ax in axes[2]:
        ax.set_xlabel("$h_1$")
    a, b, c = axes[3]
    _branch(a, data)
    b.semilogx(data["distance"], data["period"], "o", color=BLUE, markersize=3, label="period")
    distance = np.geomspace(float(data["distance"].min()), float(data["distance"].max()), 20)
    nearest = data["period"][int(np.argmin(data["distance"].values))]
    law = float(nearest) - float(data["slope"]) * np.log(distance / float(data["distance"].min()))
    b.semilogx(distance, law, color=VERMILLION, linewidth=1.0, label=rf"slope $1/\lambda_u$ = {float(data['slope']):.4f}")
    b.set_xlabel("distance from the homoclinic $b_{h,2}$")
    b.set_ylabel("period")
    b.legend(fontsize=6)
    c.semilogy(data["h_1"], data["drift"], color=VERMILLION, linewidth=1.0)
    c.set_xlabel("$h_1$ on the pseudo-line")
    c.set_ylabel("speed per step")
    c.set_title(f"largest {float(data['drift'].max()):.1e}", fontsize=7)
    for ax in axes.flat:
        ax.tick_params(labelsize="x-small")
    figure.legend(handles=_legend(), loc="outside lower center", ncols=4, fontsize="x-small", frameon=False)
    return figure


def _branch(ax, data):
    for stable, style in ((True, "-"), (False, (0, (3, 1.5)))):
        ax.plot(data["value"], data["fixed_point"].where(data["stable"] == stable), color=BLACK, linewidth=1.0, linestyle=style)
    for name in ("low", "high"):
        ax.plot(data["cycle_value"], data[name], color=GREEN, linewidth=1.2)
    low = float(data["fixed_point"].min())
    for name, marker in (("hopf", "o"), ("homoclinic", "s")):
        value = float(data[name])
        height = float(data["fixed_point"][int(np.argmin(np.abs(data["value"].values - value)))])
        height = height if name == "hopf" else float(data["high"][int(np.argmin(np.abs(data["cycle_value"].values - value)))])
        ax.plot(
            value,
            height,
            marker,
            color=VERMILLION,
            markersize=4,
            label=f"{name.replace('hopf', 'Hopf')} {value:.6f}",
            zorder=5,
            linestyle="none",
        )
    ax.set_ylim(min(low, -1.05), 1.6)
    ax.set_xlabel("$b_{h,2}$")
    ax.set_ylabel("$h_1$")
    ax.legend(fontsize=6, loc="upper left")


def _legend():
    from matplotlib.lines import Line2D

    def line(label, **style):
        return Line2D([], [], label=label, **style)

    point = {"linestyle": "none", "markeredgecolor": BLACK, "markersize": 5}
    return [
        line(r"$\dot h_1 = 0$", color=BLUE),
        line(r"$\dot h_2 = 0$", color=ORANGE),
        line("stable cycle", color=GREEN),
        line("unstable cycle", color=VERMILLION, linestyle=(0, (4, 2))),
        line("sink", marker="o", markerfacecolor=BLACK, **point),
        line("source", marker="o", markerfacecolor="white", **point),
        line("saddle", marker="X", markerfacecolor=VERMILLION, **(point | {"markeredgecolor": "white"})),
        line("manifolds of saddles, stable dotted", color="#CC79A7"),
    ]
