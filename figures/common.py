"""What several figures share: eigenvalues of planted networks, complex numbers in netCDF, panels."""

from __future__ import annotations

import numpy as np

import gating_theory as gt
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


def draw_onset_and_fold(ax, x, y, count, along, onset, fold):
    """Areas by their number of mean-field solutions, with the two lines between them; count (nx, ny)."""
    gt.plotting.draw_count(ax, x, y, np.asarray(count).T, [(along, onset), (along, fold)])
    draw_curve(ax, along, onset, color=BLACK, linewidth=1.3, label="zero state unstable above")
    # the two lines are one where the transition is continuous
    style = {"color": VERMILLION, "linewidth": 1.3, "linestyle": (0, (4, 1.5))}
    draw_curve(ax, along, fold, label=f"non-zero mean-field solutions above{missing(fold)}", **style)
    ax.set_xlim(float(x[0]), float(x[-1]))
    ax.set_ylim(float(y[0]), float(y[-1]))


def missing(*values):
    """For a legend: how many values of a line are missing, and break it; empty where none is."""
    gaps, size = sum(int(np.isnan(v).sum()) for v in values), sum(np.size(v) for v in values)
    return f" ({gaps} of {size} points missing)" if gaps else ""


def count_patches(*counts):
    """Legend entries for areas of numbers of solutions."""
    from matplotlib.patches import Patch

    return [Patch(facecolor=COUNT_COLOURS[n], edgecolor="0.6", linewidth=0.5, label=f"{n} solution{'s'[: n != 1]}") for n in counts]
