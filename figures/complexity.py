"""Does the reset gate raise the number of fixed points? Complexity against a_r, theory with enumerated counts [T7, CKS]."""

from __future__ import annotations

import numpy as np

import gating_theory as gt

from .common import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION, draw_curve, missing, panels

TITLE = "The number of fixed points: complexity against the reset gate, theory with enumerated counts"

GAINS_H = (1.8, 2.5, 4.0)
POINT = {"h": 2.5, "r": 8.0}
_METHODS = ("annealed", "mean_field")


def compute(quick, rng, work):
    """Rates over a_r at some a_h and over a_h at some a_r, critical lines, and mean counts: enumerated, and by the exact integral.

    The rate of counts is the slope of log(E n - 1) between two sizes; that of the exact integral between the same sizes says how
    much of a difference from theory is the prefactor, which settles slowly.
    """
    import xarray as xr

    a_r, a_h = np.linspace(0.0, 20.0, 11 if quick else 41), np.linspace(1.4, 4.0, 9 if quick else 53)
    places = (0.0, 8.0) if quick else (0.0, 4.0, 8.0)
    against_r = [(h, float(r)) for h in GAINS_H for r in a_r]
    against_h = [(float(h), r) for r in places for h in a_h]
    rates = np.array(work.over(_both, against_r + against_h, {"rates": against_r + against_h}))
    lines = ("complexity_onset:gain.h", "fold:gain.h", "onset:gain.h")
    lines = work.phase_diagram(gt.Ensemble(gt.GRU), {"gain.r": a_r}, lines)
    sizes, networks, samples = ((6, 12), 40, 2000) if quick else ((8, 20), 200, 20_000)
    many = (4, 8, 12) if quick else (4, 8, 12, 16, 20, 24, 32)
    tasks = [({"h": h, "r": r}, n, networks, samples, rng) for h in GAINS_H for r in places for n in sizes]
    tasks += [(POINT, n, networks if n < 24 else networks // 4, samples, rng) for n in many]
    means = np.array(work.over(_means, tasks, {"means": tasks}))
    grid = (len(GAINS_H), len(places), len(sizes), 2, 4)
    cut = int(np.prod(grid[:3]))
    variables = {
        "against_r": (("gain.h", "gain.r", "theory"), rates[: len(against_r)].reshape(len(GAINS_H), a_r.size, 2)),
        "against_h": (("place", "a_h", "theory"), rates[len(against_r) :].reshape(len(places), a_h.size, 2)),
        "means": (("gain.h", "place", "size", "way", "statistic"), means[:cut].reshape(grid)),
        "growth": (("n_units", "way", "statistic"), means[cut:]),
        "rate": ("theory", np.array(_both(POINT["h"], POINT["r"]))),
    }
    variables |= {name: ("gain.r", lines[name].values) for name in ("complexity_onset:gain.h", "fold:gain.h", "onset:gain.h")}
    coordinates = {"gain.h": list(GAINS_H), "gain.r": a_r, "place": list(places), "a_h": a_h, "theory": list(_METHODS)}
    coordinates |= {"size": list(sizes), "n_units": list(many), "way": ["counted", "exact"]}
    coordinates["statistic"] = ["mean", "stderr", "settled or degree", "degree passed or error"]
    return xr.Dataset(variables, coordinates)


def _both(a_h, a_r):
    """Annealed rate, and the mean-field one: NaN where mean-field theory has no fixed point but zero."""
    ens = gt.Ensemble(gt.GRU, gain={"h": a_h, "r": a_r})
    found = gt.fixed_points(ens)
    return [gt.complexity(ens).value, np.nan if found[-1].is_zero else gt.complexity(ens, method="mean_field").value]


def _means(gain, n, networks, samples, rng):
    """Mean number of fixed points, its standard error and two checks: counted, and by the exact integral."""
    ens = gt.Ensemble(gt.GRU, gain=gain)
    counted = gt.count_fixed_points(ens, n, networks, rng=np.random.default_rng((rng, n)))
    exact = gt.kac_rice(ens, n, samples, rng=np.random.default_rng((rng, n, 1)))
    # the last two are checks: of the search for all fixed points, and of the integral (its degree is 1)
    checks = [[counted.settled.mean(), counted.degree_passed], [exact.degree, exact.degree_stderr]]
    return [[counted.mean, counted.mean_stderr, *checks[0]], [exact.mean, exact.stderr, *checks[1]]]


def _rates(means):
    """Slope of log(E n - 1) between the two sizes, and its standard error: (place, way) each."""
    excess, error = means.sel(statistic="mean").values - 1.0, means.sel(statistic="stderr").values
    step = float(means["size"][1] - means["size"][0])
    with np.errstate(all="ignore"):
        relative = error / excess
        slope = np.log(excess[:, 1] / excess[:, 0]) / step
    return slope, np.hypot(relative[:, 0], relative[:, 1]) / step


def draw(data):
    """Rates against a_r and against a_h; mean counts against N at one point, with both rates; critical lines."""
    from matplotlib.lines import Line2D
    from matplotlib.ticker import FuncFormatter

    figure, axes = panels(2, 2, height=2.5)
    a, b, c, d = axes.flat
    rates = {float(h): _rates(data["means"].sel({"gain.h": h})) for h in data["gain.h"].values}
    for a_h, colour in zip(rates, (BLUE, VERMILLION, GREEN)):
        for method, style in zip(_METHODS, ("-", ":")):
            curve = data["against_r"].sel({"gain.h": a_h, "theory": method})
            label = f"$a_h$ = {a_h:g}" if style == "-" else None
            draw_curve(
                a, data["gain.r"], curve, linestyle=style, marker="", color=colour, linewidth=1.3, label=label
            )  # dots are counts
        _counted(a, data["place"].values, *rates[a_h], colour)
    for k, colour in zip(range(data.sizes["place"]), (PURPLE, ORANGE, BLACK)):
        for method, style in zip(_METHODS, ("-", ":")):
            curve = data["against_h"].isel(place=k).sel(theory=method)
            label = f"$a_r$ = {float(data['place'][k]):g}" if style == "-" else None
            draw_curve(b, data["a_h"], curve, linestyle=style, marker="", color=colour, linewidth=1.3, label=label)
        slopes, errors = (np.array([rates[h][i][k] for h in rates]) for i in (0, 1))
        _counted(b, np.array(list(rates)), slopes, errors, colour)
    a.set_xlabel("$a_r$")
    b.set_xlabel("$a_h$")
    for ax in (a, b):
        ax.set_ylabel(r"complexity $\Sigma$")
        ax.set_ylim(-0.08, 1.25 * float(max(data["against_r"].max(), data["against_h"].max())))
        ax.axhline(0.0, color="0.6", linewidth=0.6, zorder=0)
        ax.legend(fontsize="x-small", loc="upper left")
    handles = [
        Line2D([], [], color="0.3", label="annealed"),
        Line2D([], [], color="0.3", linestyle=":", label="mean field"),
        Line2D(
            [],
            [],
            color="0.3",
            marker="o",
            markersize=3.5,
            linestyle="none",
            label=f"counted, slope between N = {_text(data['size'])}",
        ),
        Line2D([], [], color="0.3", marker="x", markersize=5, linestyle="none", label="exact integral, between the same N"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=4, fontsize="x-small", frameon=False)

    n = data["n_units"].values
    for way, marker, colour in (("exact", "s", SKY), ("counted", "o", BLUE)):
        mean, error = data["growth"].sel(way=way, statistic=["mean", "stderr"]).values.T
        label = "exact integral" if way == "exact" else "counted"
        c.errorbar(n, mean - 1.0, error, marker=marker, color=colour, linestyle="none", markersize=3.5, capsize=2, label=label)
    top = float(data["growth"].sel(way="exact", statistic="mean")[-1]) - 1.0
    for method, style in zip(_METHODS, ("-", ":")):
        rate = float(data["rate"].sel(theory=method))
        label = rf"{method.replace('_', ' ')}: $\Sigma$ = {rate:.4f}"
        c.plot(n, top * np.exp(rate * (n - n[-1])), style, color=VERMILLION, linewidth=1.2, label=label)
    c.set_yscale("log")
    for formatter in (c.yaxis.set_major_formatter, c.yaxis.set_minor_formatter):
        formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    c.set_xlabel("$N$")
    c.set_ylabel(r"$E\,n - 1$")
    bottom, top = c.get_ylim()
    c.set_ylim(bottom, top * (top / bottom) ** 0.6)  # room for the legend
    c.legend(
        fontsize="x-small", loc="upper left", title=f"$a_h = {POINT['h']:g}$, $a_r = {POINT['r']:g}$", title_fontsize="x-small"
    )

    styles = {"onset": (BLACK, "-", "zero state unstable"), "fold": (VERMILLION, (0, (4, 1.5)), "mean-field fold")}
    styles["complexity_onset"] = (GREEN, "-", "complexity positive")
    for kind, (colour, style, label) in styles.items():
        line = data[f"{kind}:gain.h"].values
        draw_curve(d, data["gain.r"], line, color=colour, linestyle=style, linewidth=1.3, label=label + missing(line))
    d.set_xlabel("$a_r$")
    d.set_ylabel("critical $a_h$")
    d.legend(fontsize="x-small")
    for ax in axes.flat:
        ax.tick_params(labelsize="x-small", which="both")
    return figure


def _counted(ax, place, slope, error, colour):
    """Rates of counts with their errors, and crosses for those of the exact integral; (n, 2) each."""
    style = {"color": colour, "linestyle": "none", "capsize": 2, "linewidth": 1.0}
    ax.errorbar(place, slope[:, 0], error[:, 0], marker="o", markersize=3.5, **style)
    ax.errorbar(place, slope[:, 1], error[:, 1], marker="x", markersize=5, zorder=4, **style)


def _text(numbers):
    return " and ".join(f"{int(v)}" for v in numbers.values)
