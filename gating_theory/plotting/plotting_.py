"""Pictures of results. Every function draws into ``ax`` or into a new figure of one column's width, and returns the Axes.

matplotlib is imported when something is drawn; no function shows a window, saves a file or touches global settings. Colours are
the Okabe-Ito set and cividis, which survive colour blindness and grey printing.
"""

from __future__ import annotations

import numpy as np

from ..spectrum.spectrum import Spectrum
from ..sweeps.dataset import symbol
from ..training.design import Design
from ..training.diagnose import Diagnosis

__all__ = [
    "plot_spectrum",
    "plot_density",
    "plot_phase_diagram",
    "plot_timescales",
    "plot_diagnosis",
    "plot_design",
    "plot_complexity",
    "draw_count",
]

#: Okabe and Ito's colours.
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILLION, PURPLE = (
    *("#000000", "#E69F00", "#56B4E9", "#009E73"),
    *("#F0E442", "#0072B2", "#D55E00", "#CC79A7"),
)
#: Pale areas for numbers of solutions 0, 1, 2, ...: darker with more of them.
COUNT_COLOURS = ("#ffffff", "#e6ecf1", "#b9d9ee", "#f3c26b", "#d9896a", "#b06aa0", "#6b5b95", "#333333")
_WIDTH = 3.4  # inches, one column


def _axes(ax, height=3.0):
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(figsize=(_WIDTH, height), layout="constrained")
        return ax
    from matplotlib.axes import Axes

    if not isinstance(ax, Axes):
        raise TypeError(f"ax must be a matplotlib Axes, got {ax!r}")
    return ax


def _require_spectrum(spectrum):
    if not isinstance(spectrum, Spectrum):
        raise TypeError(f"spectrum must be a Spectrum, got {spectrum!r}")


def _eigenvalues(values):
    array = np.asarray(values)
    if array.dtype.kind not in "iufc" or array.size == 0:
        raise TypeError(f"eigenvalues must be a non-empty array of numbers, got {values!r}")
    if not np.isfinite(array).all():
        raise ValueError("eigenvalues must be finite")
    return array.astype(complex).ravel()


def _complex_plane(ax):
    theta = np.linspace(0.0, 2.0 * np.pi, 361)
    ax.plot(np.cos(theta), np.sin(theta), color="0.45", linewidth=0.8, linestyle=(0, (4, 3)), zorder=1, label="unit circle")
    ax.set_aspect("equal")
    ax.set_xlabel(r"$\mathrm{Re}\,\lambda$")
    ax.set_ylabel(r"$\mathrm{Im}\,\lambda$")


def _limits(ax, points):
    """Square-ish limits around the spectrum, whatever the unit circle drawn before asked for."""
    z = np.concatenate([np.atleast_1d(p) for p in points])
    z = np.concatenate([z, z.conj()])
    pad = 0.07 * max(np.ptp(z.real), np.ptp(z.imag), 1e-3)
    ax.set_xlim(z.real.min() - pad, z.real.max() + pad)
    ax.set_ylim(z.imag.min() - pad, z.imag.max() + pad)


def plot_spectrum(spectrum, eigenvalues=None, *, outliers=False, n=512, ax=None):
    """The boundary of a spectrum, over a cloud of eigenvalues if given, with the unit circle.

    Parameters
    ----------
    spectrum : Spectrum
    eigenvalues : complex array of any shape, optional
        For example ``net.eigenvalues(state)``.
    outliers : bool
        Also mark the isolated eigenvalues that theory predicts (spectra of fixed points only).
    n : int
        Points on the boundary.
    ax : matplotlib Axes, optional
        Default: a new figure of one column's width.

    Returns
    -------
    matplotlib Axes
    """
    _require_spectrum(spectrum)
    isolated = spectrum.outliers() if outliers else np.zeros(0)
    cloud = None if eigenvalues is None else _eigenvalues(eigenvalues)
    ax = _axes(ax)
    _complex_plane(ax)
    drawn = []
    if cloud is not None:
        size = float(np.clip(2.2 * np.sqrt(1000.0 / cloud.size), 0.6, 4.0))
        style = {"color": SKY, "markeredgewidth": 0.0, "linestyle": "none", "rasterized": cloud.size > 5000}
        ax.plot(cloud.real, cloud.imag, marker="o", markersize=size, zorder=2, label="eigenvalues", **style)
        drawn.append(cloud)
    curves = spectrum.boundary(n)
    for i, curve in enumerate(curves):
        ax.plot(curve.real, curve.imag, color=VERMILLION, linewidth=1.3, zorder=3, label="theory" if i == 0 else None)
        drawn.append(curve)
    if not curves:  # all eigenvalues sit on atoms
        drawn.append(np.array([spectrum.radius(), -spectrum.radius()], dtype=complex))
    if isolated.size:
        style = {"markerfacecolor": "none", "markeredgecolor": BLACK, "linestyle": "none", "markersize": 7}
        ax.plot(isolated.real, isolated.imag, marker="s", zorder=4, label="outliers, theory", **style)
        drawn.append(isolated)
    _limits(ax, drawn)
    return ax


def plot_density(spectrum, *, n=200, box=None, decades=2.5, colorbar=True, ax=None):
    """The density of eigenvalues in the complex plane, logarithmic in colour, with the boundary and the unit circle.

    Parameters
    ----------
    spectrum : Spectrum
    n : int
        Pixels along each side.
    box : (left, right, bottom, top), optional
        Default: around the boundary.
    decades : float > 0
        Range of the colours, down from the largest density (its 99.8 % quantile: densities may diverge). Below it white.
    colorbar : bool
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    from matplotlib.colors import LogNorm

    from ..support.checks import real

    _require_spectrum(spectrum)
    decades = real("decades", decades, low=0.0, open_low=True)
    x, y, density = spectrum.density_map(n, box)
    positive = density[density > 0]
    top = float(np.quantile(positive, 0.998)) if positive.size else 1.0
    norm = LogNorm(top * 10.0**-decades, top)
    ax = _axes(ax, 2.7)
    _complex_plane(ax)
    shown = np.ma.masked_less(density, norm.vmin)
    mesh = ax.pcolormesh(x, y, shown, cmap="cividis", norm=norm, shading="nearest", rasterized=True, zorder=0)
    for curve in spectrum.boundary(512):
        ax.plot(curve.real, curve.imag, color=VERMILLION, linewidth=1.0, zorder=3)
    half_x, half_y = 0.5 * (x[1] - x[0]), 0.5 * (y[1] - y[0])
    ax.set_xlim(x[0] - half_x, x[-1] + half_x)
    ax.set_ylim(y[0] - half_y, y[-1] + half_y)
    if colorbar:
        ax.figure.colorbar(mesh, ax=ax, label=r"density $\rho(\lambda)$", extend="both" if (density > norm.vmax).any() else "min")
    return ax


def plot_phase_diagram(dataset, quantity="count", *, solution=None, lines=None, colorbar=True, ax=None):
    """A quantity of a phase diagram over its two axes, with onset and fold lines.

    Parameters
    ----------
    dataset : xarray.Dataset from ``phase_diagram``
        With two axes (or more of which all but two were selected: ``dataset.isel({"gain.z": 0})``). The first is drawn
        horizontally.
    quantity : str
        A variable of the dataset.
    solution : int, optional
        Which solution of quantities that have several, from 0. Default: at each point the last one there is.
    lines : sequence of names, DataArrays or Datasets, optional
        Critical values to draw, each along one of the two axes and a value of the other: variables such as "onset:gain.h"
        of this or of a finer one-dimensional diagram. Default: all that the dataset has, and its tricritical points. ``()`` for
        none.
    colorbar : bool
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError, ValueError
        Not a Dataset, other than two axes, an unknown quantity, a solution that is not there, a line that does not fit.
    """
    import xarray as xr

    if not isinstance(dataset, xr.Dataset):
        raise TypeError(f"dataset must be an xarray.Dataset from phase_diagram, got {type(dataset).__name__}")
    if quantity not in dataset.data_vars:
        raise ValueError(f"quantity must be a variable of the dataset, {list(dataset.data_vars)}, got {quantity!r}")
    values = dataset[quantity]
    if "solution" in values.dims:
        if solution is None:
            last = values.notnull().sum("solution").clip(min=1) - 1
            attributes = values.attrs
            values = values.isel(solution=last).assign_attrs(attributes)
        elif isinstance(solution, bool) or not isinstance(solution, (int, np.integer)) or solution not in values["solution"]:
            raise ValueError(f"solution must be one of {values['solution'].values.tolist()}, got {solution!r}")
        else:
            values = values.sel(solution=solution)
    elif solution is not None:
        raise ValueError(f"solution must be None for {quantity!r}, which has none, got {solution!r}")
    if values.ndim != 2:
        raise ValueError(f"dataset must have two axes, got {list(values.dims)}: select the others, dataset.isel({{'gain.z': 0}})")
    x, y = values.dims
    curves = [_line(item, dataset, (x, y)) for item in _lines(dataset, lines, (x, y))]
    points = [p for source in _sources(dataset, lines) for p in _tricritical_points(source, (x, y))]

    ax = _axes(ax, 2.6)
    if quantity == "count":
        cuts = [(horizontal, vertical) for _, _, horizontal, vertical in curves]
        mesh, ticks = draw_count(ax, values[x], values[y], values.transpose(y, x).values, cuts)
    else:
        array = np.ma.masked_invalid(values.transpose(y, x).values.astype(float))
        mesh = ax.pcolormesh(values[x], values[y], array, cmap="cividis", shading="nearest", rasterized=True)
        ticks = None
    if colorbar:
        label = "mean-field fixed points" if quantity == "count" else _label(values, quantity)
        ax.figure.colorbar(mesh, ax=ax, label=label, ticks=ticks)
    limits = ax.get_xlim(), ax.get_ylim()
    for kind, name, horizontal, vertical in curves:
        style = {"onset": (BLACK, "-"), "fold": (VERMILLION, (0, (4, 1.5)))}.get(kind, (BLUE, ":"))
        ax.plot(horizontal, vertical, color=style[0], linestyle=style[1], linewidth=1.5, label=name)
    for horizontal, vertical in points:
        ax.plot(horizontal, vertical, marker="o", color=BLACK, markersize=5, linestyle="none", label="tricritical")
    ax.set_xlim(limits[0])
    ax.set_ylim(limits[1])
    ax.set_xlabel(symbol(x))
    ax.set_ylabel(symbol(y))
    if curves or points:
        ax.legend(loc="best", fontsize="small", framealpha=0.9)
    return ax


def draw_count(ax, x, y, count, lines=()):
    """Numbers of solutions on a grid as areas of colour, cut along critical lines instead of in steps.

    Parameters
    ----------
    ax : matplotlib Axes
    x, y : 1-D arrays (nx,), (ny,), ascending
    count : int array (ny, nx)
        Points with a negative one, which did not converge, stay blank.
    lines : sequence of (horizontal, vertical) pairs of 1-D arrays
        Curves across which the count changes; one of the two must ascend. Between grid points a pixel takes the count of the
        nearest grid point on its own side of all of them.

    Returns
    -------
    The mesh, and the counts as ticks for a colour bar
    """
    from matplotlib.colors import BoundaryNorm, ListedColormap

    x, y, count = np.asarray(x, dtype=float), np.asarray(y, dtype=float), np.asarray(count)
    low, high = max(0, int(count.min())), max(1, int(count.max()))
    colours = [COUNT_COLOURS[min(i, len(COUNT_COLOURS) - 1)] for i in range(low, high + 1)]
    norm = BoundaryNorm(np.arange(low, high + 2) - 0.5, len(colours))
    if lines and min(x.size, y.size) > 1:
        x, y, count = _cut(x, y, count, lines)
    shown = np.ma.masked_less(count, 0)
    mesh = ax.pcolormesh(x, y, shown, cmap=ListedColormap(colours), norm=norm, shading="nearest", rasterized=True)
    return mesh, np.arange(low, high + 1)


#: Pixels along a side of areas that are cut along lines.
_PIXELS = 400


def _cut(x, y, count, lines):
    """The count at the pixels of a finer grid over the same area."""
    from scipy.spatial import cKDTree

    def unit(points):
        return (points - [x[0], y[0]]) / [x[-1] - x[0], y[-1] - y[0]]

    def sides(points):
        return np.array([_side(points, *line) for line in lines]).T

    fine = [_pixels(v) for v in (x, y)]
    coarse_points, points = (np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2) for axes in ((x, y), fine))
    coarse_sides, fine_sides = sides(coarse_points), sides(points)
    nearest = cKDTree(unit(coarse_points)).query(unit(points))[1]  # for areas too thin to hold a grid point
    for side in np.unique(fine_sides, axis=0):
        here, there = (fine_sides == side).all(axis=1), np.flatnonzero((coarse_sides == side).all(axis=1))
        if there.size:
            nearest[here] = there[cKDTree(unit(coarse_points[there])).query(unit(points[here]))[1]]
    return *fine, count.ravel()[nearest].reshape(fine[1].size, fine[0].size)


def _pixels(values):
    """Centres of pixels that cover the cells around ascending values."""
    low, high = values[0] - 0.5 * (values[1] - values[0]), values[-1] + 0.5 * (values[-1] - values[-2])
    return low + (high - low) * (np.arange(_PIXELS) + 0.5) / _PIXELS


def _side(points, horizontal, vertical):
    """Whether points (n, 2) lie above (1), below or on (0) a line; -1 beyond its ends."""
    finite = np.isfinite(horizontal) & np.isfinite(vertical)
    horizontal, vertical = np.asarray(horizontal)[finite], np.asarray(vertical)[finite]
    along, across = (0, 1) if np.all(np.diff(horizontal) >= 0) else (1, 0)
    place, value = (horizontal, vertical) if along == 0 else (vertical, horizontal)
    if place.size == 0:
        return np.full(len(points), -1)
    out = (points[:, across] > np.interp(points[:, along], place, value)).astype(int)
    pad = 1.01 * np.max(np.diff(place), initial=0.0)  # half a cell beyond the grid's own ends is still beside the line
    out[(points[:, along] < place[0] - pad) | (points[:, along] > place[-1] + pad)] = -1
    return out


def _label(values, quantity):
    """A colour bar's label that fits beside a small picture."""
    labels = {
        "abscissa": r"spectral abscissa $\max\,\mathrm{Re}\,\lambda$",
        "radius": r"spectral radius $\max\,|\lambda|$",
        "slow_fraction": f"fraction slower than {values.attrs.get('tau', 0):g} steps",
        "stable": "stable",
        "status": "status",
    }
    if "message" in values.attrs:
        return rf"$E\,({values.attrs['message'].replace('*', ' ')})^2$"
    if "symbol" in values.attrs:
        return f"{quantity.partition(':')[0]} {values.attrs['symbol']}"
    return labels.get(quantity, quantity)


def _is_line(array, axes):
    path = array.attrs.get("path")
    return array.ndim == 1 and {array.dims[0], path} == set(axes)


def _sources(dataset, lines):
    """The Datasets whose tricritical points are drawn."""
    import xarray as xr

    if lines is None:
        return [dataset]
    return [item for item in ([lines] if isinstance(lines, xr.Dataset) else lines) if isinstance(item, xr.Dataset)]


def _tricritical_points(dataset, axes):
    out = []
    for name in dataset.data_vars:
        kind, _, rest = str(name).partition(":")
        paths = tuple(rest.split(","))
        if kind == "tricritical" and dataset[name].ndim == 0 and set(paths) == set(axes):
            place = {paths[0]: float(dataset[name]), paths[1]: float(dataset[f"tricritical_onset:{rest}"])}
            out.append((place[axes[0]], place[axes[1]]))
    return out


def _lines(dataset, lines, axes):
    import xarray as xr

    if lines is None:
        return [dataset[name] for name in dataset.data_vars if "path" in dataset[name].attrs and _is_line(dataset[name], axes)]
    out = []
    for item in [lines] if isinstance(lines, (str, xr.DataArray, xr.Dataset)) else lines:
        if isinstance(item, xr.Dataset):
            out += [item[name] for name in item.data_vars if "path" in item[name].attrs and _is_line(item[name], axes)]
        else:
            out.append(item)
    return out


def _line(item, dataset, axes):
    import xarray as xr

    if isinstance(item, str):
        if item not in dataset.data_vars:
            raise ValueError(f"lines has the unknown entry {item!r}; the dataset has {list(dataset.data_vars)}")
        item = dataset[item]
    if not isinstance(item, xr.DataArray):
        raise TypeError(f"lines must hold names, DataArrays or Datasets, got {item!r}")
    if not _is_line(item, axes):
        raise ValueError(
            f"lines: {item.name!r} runs along {list(item.dims)} and gives {item.attrs.get('path')!r}; "
            f"a line in this diagram runs along one of {list(axes)} and gives the other"
        )
    along, value = item[item.dims[0]].values, item.values
    kind = str(item.name).partition(":")[0]
    return (kind, kind, along, value) if item.dims[0] == axes[0] else (kind, kind, value, along)


def plot_timescales(source, *, tau=None, label=None, ax=None):
    """The fraction of modes slower than tau steps against tau, logarithmic: of a spectrum (a line) or of eigenvalues (steps).

    The timescale of a mode is -1/log|lambda| steps; modes that grow count as slower than any tau, so that the curve of an
    unstable state levels off at their fraction.

    Parameters
    ----------
    source : Spectrum, or complex array of eigenvalues of any shape
    tau : 1-D array of positive numbers, optional
        Default: 24 values from 1 to 1000.
    label : str, optional
        For the legend.
    ax : matplotlib Axes, optional
        Pass the Axes of an earlier call to compare.

    Returns
    -------
    matplotlib Axes
    """
    tau = np.geomspace(1.0, 1000.0, 24) if tau is None else np.asarray(tau, dtype=float)
    if tau.ndim != 1 or tau.size < 2 or not np.isfinite(tau).all() or (tau <= 0).any():
        raise ValueError(f"tau must be a 1-D array of at least two positive numbers, got {tau!r}")
    tau = np.sort(tau)
    if isinstance(source, Spectrum):
        fraction = np.array([source.slow_fraction(t) for t in tau])
        # below the accuracy of a mass there is nothing to draw on a logarithmic scale
        fraction[fraction < 1e-5] = np.nan
        ax = _axes(ax, 2.5)
        ax.plot(tau, fraction, color=VERMILLION, linewidth=1.5, label="theory" if label is None else label)
    else:
        modulus = np.abs(_eigenvalues(source))
        with np.errstate(divide="ignore"):
            own = np.where(modulus < 1.0, -1.0 / np.log(np.where(modulus < 1.0, modulus, 0.5)), np.inf)
        own = np.sort(np.where(modulus == 0.0, 0.0, own))
        inside = own[(own > tau[0]) & (own < tau[-1])]
        at = np.concatenate([[tau[0]], inside, [tau[-1]]])
        fraction = (own.size - np.searchsorted(own, at, side="right")) / own.size
        fraction = np.where(fraction > 0, fraction, np.nan)
        ax = _axes(ax, 2.5)
        text = "eigenvalues" if label is None else label
        ax.plot(at, fraction, color=BLUE, linewidth=1.0, drawstyle="steps-post", label=text)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel(r"timescale $\tau$ (steps)")
    ax.set_ylabel(r"fraction slower than $\tau$")
    ax.legend(loc="best", fontsize="small")
    return ax


def plot_diagnosis(result, *, ax=None):
    """Eigenvalues of a diagnosed network over those with shuffled weights, with the edge that theory gives.

    Parameters
    ----------
    result : Diagnosis
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    if not isinstance(result, Diagnosis):
        raise TypeError(f"result must be a Diagnosis, got {result!r}")
    ax = _axes(ax)
    twins = _eigenvalues(result.shuffled_eigenvalues)
    style = {"marker": "o", "linestyle": "none", "markeredgewidth": 0.0, "rasterized": twins.size > 5000}
    ax.plot(twins.real, twins.imag, color="0.75", markersize=1.5, label="shuffled weights", zorder=1, **style)
    plot_spectrum(result.spectrum, result.eigenvalues, ax=ax)
    ax.legend(loc="best", fontsize="small")
    return ax


def plot_design(result, *, eigenvalues=None, tau=None, ax=None):
    """The timescales that a design achieves, with the slow fractions that were wanted, and those of eigenvalues if given.

    Parameters
    ----------
    result : Design
    eigenvalues : complex array of any shape, optional
        Of a network made by this design.
    tau : 1-D array of positive numbers, optional
        As in ``plot_timescales``; default 24 values from 1 to 1000, or to ten times the longest wanted.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    if not isinstance(result, Design):
        raise TypeError(f"result must be a Design, got {result!r}")
    wanted = {label: value for label, value in result.target.items() if label.startswith("slow_fraction(")}
    times = np.array([float(label[len("slow_fraction(") : -1]) for label in wanted])
    if tau is None:
        tau = np.geomspace(1.0, max([1000.0, *(10.0 * times)]), 24)
    if eigenvalues is not None:
        ax = plot_timescales(eigenvalues, tau=tau, ax=ax)
    ax = plot_timescales(result.spectrum, tau=tau, ax=ax)
    if wanted:
        style = {"marker": "o", "linestyle": "none", "markerfacecolor": "none", "color": BLACK}
        ax.plot(times, list(wanted.values()), label="wanted", zorder=4, **style)
        ax.legend(loc="best", fontsize="small")
    return ax


def plot_complexity(dataset, *, counts=None, ax=None):
    """The annealed complexity along one hyperparameter, a curve for each value of a second one, with counted rates if given.

    Parameters
    ----------
    dataset : xarray.Dataset from ``phase_diagram`` with the quantity "complexity"
        With one axis, or two: the first is drawn horizontally, each value of the second is a curve.
    counts : mapping, optional
        Rates from enumerated networks: value of the second axis (None where there is one axis only) to (x, rate,
        standard error), 1-D
        arrays of equal length; drawn as points with bars in the curve's colour.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError, ValueError : not a Dataset, no complexity in it, other than one or two axes, counts of values that are not there
    """
    import xarray as xr

    if not isinstance(dataset, xr.Dataset):
        raise TypeError(f"dataset must be an xarray.Dataset from phase_diagram, got {type(dataset).__name__}")
    if "complexity" not in dataset.data_vars:
        raise ValueError(f"dataset must hold 'complexity', got {list(dataset.data_vars)}: ask phase_diagram for it")
    values = dataset["complexity"]
    if values.ndim not in (1, 2):
        raise ValueError(f"dataset must have one or two axes, got {list(values.dims)}: select the others")
    x = values.dims[0]
    second = values.dims[1] if values.ndim == 2 else None
    at = [None] if second is None else [float(v) for v in values[second].values]
    counts = {} if counts is None else dict(counts)
    unknown = [key for key in counts if key not in at]
    if unknown:
        raise ValueError(f"counts has the unknown value {unknown[0]!r}; the curves are those of {at}")
    ax = _axes(ax, 2.6)
    colours = (BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY, BLACK)
    for i, value in enumerate(at):
        colour = colours[i % len(colours)]
        curve = values if second is None else values.sel({second: value})
        label = None if second is None else f"{symbol(second)} = {value:g}"
        ax.plot(values[x], curve, color=colour, linewidth=1.4, label=label)
        if value in counts:
            place, rate, error = (np.asarray(a, dtype=float) for a in counts[value])
            ax.errorbar(place, rate, error, color=colour, linestyle="none", marker="o", markersize=3.5, capsize=2, linewidth=1.0)
    ax.axhline(0.0, color="0.6", linewidth=0.6, zorder=0)
    ax.set_xlabel(symbol(x))
    ax.set_ylabel(r"complexity $\Sigma$")
    if second is not None:
        ax.legend(loc="best", fontsize="small", framealpha=0.9)
    return ax
