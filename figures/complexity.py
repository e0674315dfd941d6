"""Does the reset gate raise the number of fixed points? Complexity against a_r, theory with enumerated counts [T7, CKS]."""

from __future__ import annotations

import numpy as np

import gating_theory as gt

from .common import BLACK, BLUE, GREEN, SKY, VERMILLION, panels

TITLE = "The number of fixed points: complexity against the reset gate, theory with enumerated counts"

GAINS_H = (1.8, 2.5, 4.0)
POINT = {"h": 2.5, "r": 8.0}


def compute(quick, rng, executor=None, progress=None):
    """Rates over (a_r, a_h), critical lines over a_r, and mean counts of networks: enumerated, and by the exact integral.

    The rate of counts is the slope of log(E n - 1) between two sizes; that of the exact integral between the same sizes says how
    much of a difference from theory is the prefactor, which settles slowly.
    """
    import xarray as xr

    a_r = np.linspace(0.0, 20.0, 6 if quick else 41)
    lines = ["complexity_onset:gain.h", "fold:gain.h", "onset:gain.h"]
    axes = {"gain.r": a_r, "gain.h": list(GAINS_H)}
    out = gt.phase_diagram(gt.Ensemble(gt.GRU), axes, ["complexity", *lines], executor=executor, progress=progress)
    places = (0.0, 8.0) if quick else (0.0, 4.0, 8.0)
    sizes, networks, samples = ((6, 12), 40, 2000) if quick else ((8, 20), 200, 20_000)
    grid = [[_means({"h": h, "r": r}, n, networks, samples, rng, executor) for n in sizes] for h in GAINS_H for r in places]
    many = (4, 8, 12) if quick else (4, 8, 12, 16, 20, 24, 32)
    growth = [_means(POINT, n, networks if n < 24 else networks // 4, samples, rng, executor) for n in many]
    shape = (len(GAINS_H), len(places), len(sizes), 2, 4)
    dims = ("gain.h", "place", "size", "way", "statistic")
    extra = {
        "means": (dims, np.reshape(grid, shape)),
        "growth": (("n_units", "way", "statistic"), np.array(growth)),
    }
    coordinates = {"place": list(places), "size": list(sizes), "n_units": list(many)}
    coordinates |= {"way": ["counted", "exact"], "statistic": ["mean", "stderr", "settled or degree", "degree passed or error"]}
    return out.merge(xr.Dataset(extra, coordinates))


def _means(gain, n, networks, samples, rng, executor):
    ens = gt.Ensemble(gt.GRU, gain=gain)
    counted = gt.count_fixed_points(ens, n, networks, executor=executor, rng=np.random.default_rng((rng, n)))
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
    """Rates against a_r; mean counts against N at one point, with both rates; critical lines."""
    figure, axes = panels(1, 3, height=2.5)
    a, b, c = axes[0]
    counted = {}
    for a_h in data["gain.h"].values:
        slope, error = _rates(data["means"].sel({"gain.h": a_h}))
        a.plot(data["place"], slope[:, 1], linestyle="none", marker="x", color="0.3", markersize=5, zorder=4)
        counted[float(a_h)] = (data["place"].values, slope[:, 0], error[:, 0])
    gt.plotting.plot_complexity(data, counts=counted, ax=a)

    n = data["n_units"].values
    for way, marker, colour in (("exact", "s", SKY), ("counted", "o", BLUE)):
        mean, error = data["growth"].sel(way=way, statistic=["mean", "stderr"]).values.T
        label = "exact integral" if way == "exact" else "counted"
        b.errorbar(n, mean - 1.0, error, marker=marker, color=colour, linestyle="none", markersize=3.5, capsize=2, label=label)
    top = float(data["growth"].sel(way="exact", statistic="mean")[-1]) - 1.0
    for method, style in (("annealed", "-"), ("mean_field", ":")):
        rate, label = gt.complexity(gt.Ensemble(gt.GRU, gain=POINT), method).value, f"rate, {method.replace('_', ' ')}"
        b.plot(n, top * np.exp(rate * (n - n[-1])), style, color=VERMILLION, linewidth=1.2, label=label)
    b.set_yscale("log")
    b.set_xlabel("$N$")
    b.set_ylabel(r"$E\,n - 1$")
    b.legend(fontsize="x-small", title=f"$a_h = {POINT['h']:g}$, $a_r = {POINT['r']:g}$", title_fontsize="x-small")

    styles = {"onset": (BLACK, "-", "zero state unstable"), "fold": (VERMILLION, (0, (4, 1.5)), "mean-field fold")}
    styles["complexity_onset"] = (GREEN, "-", "complexity positive")
    for kind, (colour, style, label) in styles.items():
        c.plot(data["gain.r"], data[f"{kind}:gain.h"], color=colour, linestyle=style, linewidth=1.3, label=label)
    c.set_xlabel("$a_r$")
    c.set_ylabel("critical $a_h$")
    c.legend(fontsize="x-small")
    for ax in (a, b, c):
        ax.tick_params(labelsize="x-small")
    return figure
