"""Spectra and numbers of fixed points of orthogonal matrices and stacks beside those of iid ones [T10].

Theory's edges, those of holes included, and its isolated eigenvalues over networks planted at a fixed point; the fractions of
eigenvalues in discs; the complexity of vanilla networks.
"""

from __future__ import annotations

import numpy as np

import gating_theory as gt

from .common import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PAGE,
    VERMILLION,
    draw_cloud,
    draw_curve,
    joined,
    padded,
    parts,
    planted_eigenvalues,
    whole,
)

TITLE = "Matrices people really use: spectra of iid, stacked and orthogonal weights, and their numbers of fixed points"

#: Not far beyond the onset, where orthogonal matrices leave a hole with an eigenvalue of its own.
CASES = {
    "GRU": (gt.GRU, {"z": 1.0, "r": 1.0, "h": 2.2}),
    "GRU, reset after": (gt.GRUResetAfter, {"z": 1.0, "r": 1.0, "h": 2.2}),
    "LSTM": (gt.LSTM, {"f": 1.0, "i": 1.0, "g": 2.4, "o": 1.0}),
}
LAWS = {"iid": "iid", "stack": "one stack (Keras)", "orthogonal": "one orthogonal matrix a gate"}
_COLOURS = {"iid": BLUE, "stack": ORANGE, "orthogonal": GREEN}
#: Whose eigenvalues are counted in discs, and how large those along the real axis are.
MASSES_OF, SMALL = "GRU, reset after", 0.1
#: Of a single matrix a stack is the orthogonal one. Fixed points of networks are counted at this gain.
COUNTED_LAWS, COUNTED_GAIN = ("iid", "orthogonal"), 2.0


def compute(quick, seed, work):
    """Spectra of three cells under three laws with networks planted at a fixed point; complexity, and counts over N."""
    import xarray as xr

    n, count = (300, 3) if quick else (1000, 8)
    found = work.over(_panel, [(case, law, n, (seed, i, j)) for i, case in enumerate(CASES) for j, law in enumerate(LAWS)])
    radii, places = np.linspace(0.0, 1.05, 15 if quick else 36), np.linspace(-0.15, 1.1, 26 if quick else 51)
    masses = work.over(_masses, [(law, n, count, radii, places, (seed, 3, j)) for j, law in enumerate(LAWS)])
    gains = np.linspace(1.0, 3.0, 9 if quick else 41)[1:]
    rates = [(float(a), law) for law in COUNTED_LAWS for a in [*gains, COUNTED_GAIN]]
    rate = np.array(work.over(_rates, rates, {"rates": rates})).reshape(2, gains.size + 1, 2)
    sizes, networks = ((4, 8, 12), 150) if quick else ((4, 8, 12, 16, 20, 24), 500)
    counts = [(law, size, networks, seed) for law in COUNTED_LAWS for size in sizes]

    def curves(name):
        return parts(padded([p[name] for p in found], np.nan + 0j)).reshape(len(CASES), len(LAWS), -1, 2)

    variables = {name: (("case", "law", f"{name}_point", "part"), curves(name)) for name in ("edge", "holes", "outliers", "cloud")}
    for i, name in enumerate(("theory_radius", "counted_radius", "theory_place", "counted_place")):
        variables[name] = (("law", name.partition("_")[2]), np.array([values[i] for values in masses]))
    variables["rate"] = (("counted_law", "gain", "theory"), rate[:, :-1])
    variables["rate_there"] = ("counted_law", rate[:, -1, 0])
    means = np.array(work.over(_mean, counts, {"counts": counts})).reshape(2, len(sizes), 2)
    variables["mean"] = (("counted_law", "size", "statistic"), means)
    coordinates = {"case": list(CASES), "law": list(LAWS), "radius": radii, "place": places, "gain": gains, "size": list(sizes)}
    coordinates |= {"counted_law": list(COUNTED_LAWS), "theory": ["annealed", "mean_field"], "statistic": ["mean", "stderr"]}
    return xr.Dataset(variables, coordinates, attrs={"n_units": n, "networks": count})


def _point(case, law):
    cell, gain = CASES[case]
    return gt.fixed_points(gt.Ensemble(cell, gain=gain, matrices=law))[-1]


def _panel(case, law, n, seed):
    """One cell under one law: theory, and a network."""
    point = _point(case, law)
    spectrum = gt.Spectrum(point)
    return {
        "edge": joined(spectrum.boundary(384)),
        "holes": joined([curve for _, curves in spectrum.holes(256) for curve in curves]),
        "outliers": np.append(spectrum.outliers(), np.nan),
        "cloud": planted_eigenvalues(point, n, seed)[0],
    }


def _masses(law, n, count, radii, places, seed):
    """Fractions in discs about zero, theory and networks, and in small discs along the real axis."""
    point = _point(MASSES_OF, law)
    spectrum, eigenvalues = gt.Spectrum(point), planted_eigenvalues(point, n, seed, count)
    out = []
    for centers, discs in ((np.zeros_like(radii), radii), (places, np.full_like(places, SMALL))):
        out.append(spectrum.mass(centers, discs, 1e-3))
        out.append([(np.abs(eigenvalues - c) < r).mean() for c, r in zip(centers, discs)])
    return out


def _rates(gain, law):
    """Annealed complexity of vanilla networks, and the mean-field one."""
    ensemble = gt.Ensemble(gt.Vanilla, gain=gain, matrices=law)
    return [gt.complexity(ensemble).value, gt.complexity(ensemble, method="mean_field").value]


def _mean(law, n, networks, seed):
    """Mean number of fixed points of vanilla networks of n units, and its standard error."""
    ensemble = gt.Ensemble(gt.Vanilla, gain=COUNTED_GAIN, matrices=law)
    counted = gt.count_fixed_points(ensemble, n, networks, rng=np.random.default_rng((seed, n)))
    return [counted.mean, counted.mean_stderr]


def draw(data):
    """A row a cell, a column a law; below fractions in discs, and the complexity of vanilla networks."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(PAGE, 9.2), layout="constrained")
    grid = figure.add_gridspec(len(CASES) + 1, 12)
    axes = np.array([[figure.add_subplot(grid[i, 4 * j : 4 * j + 4]) for j in range(len(LAWS))] for i in range(len(CASES))])
    below = [figure.add_subplot(grid[-1, 3 * j : 3 * j + 3]) for j in range(4)]
    for case, row in zip(CASES, axes):
        _draw_spectra(row, data.sel(case=case))
        row[0].set_ylabel(f"{case}\n" + r"$\mathrm{Im}\,\lambda$")
    for law, ax in zip(LAWS, axes[0]):
        ax.set_title(LAWS[law], fontsize="small")
    for ax in axes[:-1].flat:
        ax.set_xlabel("")
        ax.tick_params(labelbottom=False)
    _draw_masses(below[0], data, "radius", r"fraction in $|\lambda| < r$", "$r$")
    _draw_masses(below[1], data, "place", rf"fraction in $|\lambda - x| < {SMALL:g}$", "$x$")
    _draw_rates(below[2], data)
    _draw_counts(below[3], data)
    for ax in [*axes.flat, *below]:
        ax.tick_params(labelsize="x-small", which="both")
        ax.xaxis.label.set_size("small")
        ax.yaxis.label.set_size("small")
    figure.legend(handles=_handles(data), loc="outside lower center", ncols=3, fontsize="x-small", frameon=False)
    return figure


def _draw_spectra(row, data):
    from matplotlib.path import Path

    clouds = [cloud[np.isfinite(cloud)] for cloud in (whole(data["cloud"].sel(law=law)) for law in LAWS)]
    z = np.concatenate(clouds)
    left, right, top = z.real.min(), max(z.real.max(), 1.0), np.abs(z.imag).max()
    pad = 0.06 * (right - left)
    for ax, law, cloud in zip(row, LAWS, clouds):
        one = data.sel(law=law)
        for curve in _pieces(whole(one["holes"])):
            ax.fill(curve.real, curve.imag, color="0.92", linewidth=0.0, zorder=0)
            within = cloud[
                Path(np.column_stack([curve.real, curve.imag])).contains_points(np.column_stack([cloud.real, cloud.imag]))
            ]
            ax.plot(within.real, within.imag, "o", color=BLUE, markersize=2.5, markeredgewidth=0, zorder=3)
        draw_cloud(ax, cloud, whole(one["edge"]))
        isolated = whole(one["outliers"])
        ax.plot(isolated.real, isolated.imag, "s", markerfacecolor="none", markeredgecolor=BLACK, markersize=5, zorder=4)
        ax.set_xlim(left - pad, right + pad)
        ax.set_ylim(-top - pad, top + pad)
        if law != next(iter(LAWS)):
            ax.set_ylabel("")
            ax.tick_params(labelleft=False)


def _pieces(curves):
    """The closed curves that NaN separates."""
    pieces = (piece[np.isfinite(piece)] for piece in np.split(curves, np.flatnonzero(~np.isfinite(curves))))
    return [piece for piece in pieces if piece.size]


def _draw_masses(ax, data, disc, title, label):
    for law, colour in _COLOURS.items():
        one = data.sel(law=law)
        draw_curve(ax, data[disc], one[f"theory_{disc}"], color=colour, linewidth=1.2, marker="")
        ax.plot(data[disc], one[f"counted_{disc}"], "o", color=colour, markersize=2.5, markeredgewidth=0)
    ax.set_title(f"{MASSES_OF}:\n{title}", fontsize="x-small")
    ax.set_xlabel(label)


def _draw_rates(ax, data):
    for law in COUNTED_LAWS:
        for theory, style in (("annealed", "-"), ("mean_field", ":")):
            rate = np.append(0.0, data["rate"].sel(counted_law=law, theory=theory))  # at the onset there is only zero
            gain = np.append(1.0, data["gain"])
            draw_curve(ax, gain, rate, linestyle=style, marker="", color=_COLOURS[law], linewidth=1.2)
    ax.set_title("Vanilla:\n" + r"complexity $\Sigma$", fontsize="x-small")
    ax.set_xlabel("gain $a$")


def _draw_counts(ax, data):
    n = data["size"].values
    for law in COUNTED_LAWS:
        mean, error = data["mean"].sel(counted_law=law).values.T
        ax.errorbar(n, mean, error, color=_COLOURS[law], linestyle="none", marker="o", markersize=3, capsize=2, linewidth=1.0)
        ax.plot(
            n, mean[-1] * np.exp(float(data["rate_there"].sel(counted_law=law)) * (n - n[-1])), color=_COLOURS[law], linewidth=1.2
        )
    ax.set_yscale("log")
    for formatter in (ax.yaxis.set_major_formatter, ax.yaxis.set_minor_formatter):
        formatter(lambda value, _: f"{value:g}")
    ax.set_xticks(n)
    ax.set_title(f"Vanilla, $a$ = {COUNTED_GAIN:g}: mean\nnumber of fixed points", fontsize="x-small")
    ax.set_xlabel("$N$")


def _handles(data):
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    square = {"marker": "s", "markerfacecolor": "none", "markeredgecolor": BLACK, "linestyle": "none"}
    dot = {"color": "0.3", "marker": "o", "markersize": 3, "linestyle": "none"}
    return [
        Line2D([], [], color=VERMILLION, label="edges, theory"),
        Patch(color="0.92", label="hole, theory"),
        Line2D([], [], label="isolated eigenvalue, theory", **square),
        *(Line2D([], [], color=colour, label=f"{LAWS[law]}, theory") for law, colour in _COLOURS.items()),
        Line2D([], [], label=f"networks: spectra of {data.attrs['n_units']} units", **dot),
        Line2D([], [], color="0.3", label=r"$\Sigma$, annealed; slope of log means"),
        Line2D([], [], color="0.3", linestyle=":", label=r"$\Sigma$, mean field"),
    ]
