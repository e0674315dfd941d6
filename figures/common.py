"""What several figures share: eigenvalues of planted networks, complex numbers in netCDF, panels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

import gating_theory as gt
from gating_theory.plotting.lines import LINE_STYLES, POINT_STYLES
from gating_theory.plotting.style import (  # noqa: F401
    BLACK,
    BLUE,
    COUNT_COLOURS,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    draw_curve,
    smooth,
)

#: Inches: a column, and the width of a page.
COLUMN, PAGE = 3.4, 7.0
#: Kinds of special points of critical lines that figures show.
SPECIALS = ("tricritical", "critical_end")


def panels(rows, columns, width=PAGE, height=2.0, **options):
    """A figure without pyplot, and its axes as an array (rows, columns)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height * rows), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def parts(values):
    """Complex numbers (...) as real ones (..., 2): netCDF has no complex type."""
    values = np.asarray(values, dtype=complex)
    return np.stack([values.real, values.imag], axis=-1)


def whole(array):
    """The inverse of :func:`parts` for a DataArray, without the NaN that pads it."""
    values = np.asarray(array)
    values = values[..., 0] + 1j * values[..., 1]
    return values


def padded(rows, fill=np.nan):
    """Arrays of different lengths as one, padded."""
    out = np.full((len(rows), max(map(len, rows))), fill, dtype=complex)
    for i, row in enumerate(rows):
        out[i, : len(row)] = row
    return out


def joined(curves):
    """Closed curves as one array, separated by NaN."""
    pieces = [piece for curve in curves for piece in (curve, [np.nan])]
    return np.concatenate(pieces) if pieces else np.array([np.nan + 0j])


def planted_eigenvalues(point, n_units, seed, count=1):
    """Eigenvalues of random networks that have a mean-field fixed point, at that fixed point; (count, d N)."""
    out = []
    for generator in map(np.random.default_rng, np.random.SeedSequence(seed).spawn(count)):
        net, state = gt.Network.planted(point, n_units, generator)
        out.append(net.eigenvalues(state))
    return np.array(out)


def unit_circle(ax):
    theta = np.linspace(0, 2 * np.pi, 361)
    ax.plot(np.cos(theta), np.sin(theta), color="0.5", linewidth=0.7, linestyle=(0, (4, 3)), zorder=1)


def plain_log(ax):
    """A logarithmic vertical axis that is labelled at powers of ten only."""
    from matplotlib.ticker import NullFormatter

    ax.yaxis.set_minor_formatter(NullFormatter())


def draw_cloud(ax, cloud, edge):
    """Eigenvalues of a network with theory's edge around them and the unit circle, in limits that hold the first two."""
    ax.plot(cloud.real, cloud.imag, "o", color=SKY, markersize=1.3, markeredgewidth=0, rasterized=cloud.size > 5000, zorder=2)
    ax.plot(edge.real, edge.imag, color=VERMILLION, linewidth=1.0, zorder=3)
    unit_circle(ax)
    z = np.concatenate([cloud, edge[np.isfinite(edge)]])
    pad = 0.05 * np.ptp(z.real)
    ax.set_xlim(z.real.min() - pad, z.real.max() + pad)
    ax.set_ylim(-np.abs(z.imag).max() - pad, np.abs(z.imag).max() + pad)
    ax.set_aspect("equal")
    ax.set_xlabel(r"$\mathrm{Re}\,\lambda$")
    ax.set_ylabel(r"$\mathrm{Im}\,\lambda$")


def curves_of(lines, n=600):
    """Critical lines as one array (line, point, 2): n points of each of their curves, NaN between curves and for padding."""
    return parts(padded([joined([points @ [1.0, 1j] for points in line.curve(n)]) for line in lines]))


def specials_of(lines):
    """The first special point of each kind in SPECIALS of critical lines, NaN where there is none; (line, kind, 2)."""
    out = np.full((len(lines), len(SPECIALS), 2), np.nan)
    for places, line in zip(out, lines):
        for point in reversed(line.points):
            if point.kind in SPECIALS:
                places[SPECIALS.index(point.kind)] = point.x, point.y
    return out


def draw_lines(ax, one, labels):
    """Critical lines in the package's styles, and their special points; ``labels`` by kind.

    ``one`` has curves (kind, point, part), specials (kind, special, part), complete (kind).
    """
    for kind, label in labels.items():
        line, (_, colour, dashes) = one.sel(kind=kind), LINE_STYLES[kind]
        curve = whole(line["curves"])
        if np.isfinite(curve).any():
            label += "" if line["complete"] else " (incomplete)"
            ax.plot(curve.real, curve.imag, color=colour, linestyle=dashes, linewidth=1.4, label=label)
    for kind in labels:
        for special, place in zip(one["special"].values, one["specials"].sel(kind=kind).values):
            if np.isfinite(place).all():
                colour = LINE_STYLES[kind][1]
                ax.plot(*place, POINT_STYLES[special][1], color=colour, markersize=4, zorder=4 + (kind == "onset"))


def special_handle(special, kind, label):
    """A legend's entry for a special point of lines of a kind."""
    from matplotlib.lines import Line2D

    style = {"marker": POINT_STYLES[special][1], "color": LINE_STYLES[kind][1], "markersize": 4}
    return Line2D([], [], linestyle="none", label=label, **style)


def draw_counts(ax, onset, fold, counts):
    """Areas between the onset and the fold by their number of mean-field solutions.

    Parameters
    ----------
    ax : matplotlib Axes, with its final limits
    onset, fold : complex arrays, curves along which the real part is monotone; NaN where there is none
    counts : three ints, the numbers below both, between them, above both
    """
    low, high = ax.get_ylim()
    x = np.linspace(*ax.get_xlim(), 1000)
    onset, fold = (_over(x, line, low) for line in (onset, fold))
    born = np.fmin(onset, fold)
    for bottom, top, count in zip((np.full_like(x, low), born, onset), (born, onset, np.full_like(x, high)), counts):
        ax.fill_between(x, bottom, top, color=COUNT_COLOURS[count], linewidth=0.0, zorder=0)


def _over(x, line, floor):
    """The imaginary part of a curve over its real part; beyond ends it is NaN, or ``floor`` where the curve leaves through that."""
    line = line[np.isfinite(line)]
    line = line[np.argsort(line.real)]
    if not line.size:
        return np.full_like(x, np.nan)
    left, right = (floor if np.isclose(end, floor) else np.nan for end in line.imag[[0, -1]])
    return np.interp(x, line.real, line.imag, left=left, right=right)


class ChaosCurve(NamedTuple):
    """The line of chaos in a plane, its tricritical point (NaN where it has none), and what its curve may be off."""

    curve: np.ndarray
    tricritical: tuple[float, float]
    error: float


def chaos_curve(ensemble, along, parameter, top, n, height, flow=False):
    """Exact values of ``parameter`` at n places up to ``top`` of ``along``, a spline between them.

    Flat up to the tricritical point, and level with the onset there; ``height`` is that of the panel, the unit of the error.
    """
    from scipy.interpolate import CubicSpline

    onset = float(gt.onset(ensemble, parameter))
    try:
        start = float(gt.chaos_tricritical(ensemble, along, parameter, (0.5, top)))
    except gt.NoCriticalValue:
        start = np.nan
    first, u = 0.0 if np.isnan(start) else start, np.linspace(0.0, 1.0, n)
    places = first + (top - first) * u**2  # closer where the line bends
    values = [float(gt.chaos_line(ensemble.replace({along: place}), parameter, flow=flow)) for place in places]
    if np.isnan(start):
        return ChaosCurve(places + 1j * np.array(values), (np.nan, np.nan), 0.0)
    level, fine = ((1, 0.0), "not-a-knot"), np.linspace(0.0, 1.0, 600)
    line, coarse = (CubicSpline(u[::every], values[::every], bc_type=level)(fine) for every in (1, 2))
    # at least of third order: with half the distances an eighth of the error
    error = np.abs(line - coarse).max() / 7.0 / height
    return ChaosCurve(np.concatenate([[1j * onset], first + (top - first) * fine**2 + 1j * line]), (start, onset), float(error))


def missing(*values):
    """For a legend: how many values of a line are missing, and break it; empty where none is."""
    gaps, size = sum(int(np.isnan(v).sum()) for v in values), sum(np.size(v) for v in values)
    return f" ({gaps} of {size} points missing)" if gaps else ""


def count_patches(*counts):
    """Legend entries for areas of numbers of solutions."""
    from matplotlib.patches import Patch

    return [Patch(facecolor=COUNT_COLOURS[n], edgecolor="0.6", linewidth=0.5, label=f"{n} solution{'s'[: n != 1]}") for n in counts]
