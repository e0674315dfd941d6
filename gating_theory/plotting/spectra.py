"""Pictures of spectra: boundary, density, timescales."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..spectrum.spectrum import Spectrum
from ..support.checks import boolean, instance, real, real_array, shown
from .style import BLACK, BLUE, SKY, VERMILLION, axes_or_new, draw_cloud, finite_eigenvalues

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_spectrum", "plot_density", "plot_spectrum", "plot_timescales"]

#: Share of modes below which a curve of slow fractions ends: the accuracy of a mass.
_LEAST_FRACTION = 1e-5

#: Quantile of the densities at which colours saturate: densities may diverge.
_TOP_QUANTILE = 0.998


#: Where a colour bar stands, in units of the picture: left, bottom, width, height.
_BAR = (1.04, 0.0, 0.05, 1.0)
#: More decades than numbers have are no range of colours.
_MOST_DECADES = 100.0


def _require_spectrum(spectrum):
    instance("spectrum", spectrum, Spectrum)


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


def plot_spectrum(
    spectrum: Spectrum,
    eigenvalues: npt.ArrayLike | None = None,
    *,
    outliers: bool = False,
    n: int = 512,
    ax: Axes | None = None,
) -> Axes:
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

    See Also
    --------
    gating_theory.plotting.plot_density : The density inside.
    gating_theory.Spectrum : What is drawn.

    Examples
    --------
    >>> import gating_theory as gt
    >>> fp = gt.fixed_points(gt.Ensemble(gt.GRU, gain={"h": 3}))[-1]
    >>> net, state = gt.Network.planted(fp, 200, rng=0)
    >>> ax = gt.plotting.plot_spectrum(gt.Spectrum(fp), net.eigenvalues(state))
    """
    _require_spectrum(spectrum)
    isolated = spectrum.outliers() if boolean("outliers", outliers) else np.zeros(0)
    cloud = None if eigenvalues is None else finite_eigenvalues(eigenvalues)
    ax = axes_or_new(ax)
    curves = spectrum.boundary(n)
    # all eigenvalues sit on atoms
    bounds = [] if curves else [np.array([spectrum.radius(), -spectrum.radius()], dtype=complex)]
    draw_spectrum(ax, curves, cloud, isolated, bounds)
    return ax


def draw_spectrum(
    ax: Axes,
    curves: Sequence[np.ndarray],
    cloud: np.ndarray | None = None,
    isolated: np.ndarray | None = None,
    bounds: Sequence[np.ndarray] = (),
) -> None:
    """Boundaries over a cloud of eigenvalues, with the unit circle.

    Parameters
    ----------
    ax : matplotlib Axes
    curves : sequence of complex arrays, closed curves
    cloud : complex array, optional
    isolated : complex array, optional, isolated eigenvalues that theory predicts
    bounds : sequence of complex arrays, what has to be seen as well
    """
    _complex_plane(ax)
    drawn = list(bounds)
    if cloud is not None:
        size = float(np.clip(2.2 * np.sqrt(1000.0 / cloud.size), 0.6, 4.0))
        draw_cloud(ax, cloud, SKY, size, zorder=2, label="eigenvalues")
        drawn.append(cloud)
    for i, curve in enumerate(curves):
        ax.plot(curve.real, curve.imag, color=VERMILLION, linewidth=1.3, zorder=3, label="theory" if i == 0 else None)
        drawn.append(curve)
    if isolated is not None and isolated.size:
        style: dict[str, Any] = {"markerfacecolor": "none", "markeredgecolor": BLACK, "linestyle": "none", "markersize": 7}
        ax.plot(isolated.real, isolated.imag, marker="s", zorder=4, label="outliers, theory", **style)
        drawn.append(isolated)
    _limits(ax, drawn)


def plot_density(
    spectrum: Spectrum,
    *,
    n: int = 200,
    box: tuple[float, float, float, float] | None = None,
    decades: float = 2.5,
    colorbar: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """The density of eigenvalues in the complex plane, logarithmic in colour, with the boundary and the unit circle.

    Parameters
    ----------
    spectrum : Spectrum
    n : int
        Pixels along each side.
    box : (left, right, bottom, top), optional
        Default: around the boundary.
    decades : float in (0, 100]
        Range of the colours, down from the largest density (its 99.8 % quantile: densities may diverge). Below it white.
    colorbar : bool
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes

    See Also
    --------
    gating_theory.plotting.plot_spectrum : The boundary alone, over eigenvalues.
    gating_theory.Spectrum : What is drawn.

    Examples
    --------
    >>> import gating_theory as gt
    >>> zero = gt.fixed_points(gt.Ensemble(gt.GRU, bias_std=1.0))[0]
    >>> ax = gt.plotting.plot_density(gt.Spectrum(zero), n=20)
    """
    from matplotlib.colors import LogNorm

    _require_spectrum(spectrum)
    decades = real("decades", decades, low=0.0, high=_MOST_DECADES, open_low=True)
    boolean("colorbar", colorbar)
    x, y, density = spectrum.density_map(n, box)
    density[:, _outside(spectrum, x)] *= np.abs(y)[:, None] > 0.75 * (y[1] - y[0])
    positive = density[density > 0]
    top = float(np.quantile(positive, _TOP_QUANTILE)) if positive.size else 1.0
    bottom = top * 10.0**-decades
    norm = LogNorm(bottom, top)
    ax = axes_or_new(ax, 2.7)
    _complex_plane(ax)
    shown = np.ma.masked_less_equal(density, 0.0)  # white is outside the support; inside, what is rarer has the darkest colour
    mesh = ax.pcolormesh(x, y, shown, cmap="cividis", norm=norm, shading="nearest", rasterized=True, zorder=0)
    for curve in spectrum.boundary(512):
        ax.plot(curve.real, curve.imag, color=VERMILLION, linewidth=1.0, zorder=3)
    half_x, half_y = 0.5 * (x[1] - x[0]), 0.5 * (y[1] - y[0])
    ax.set_xlim(x[0] - half_x, x[-1] + half_x)
    ax.set_ylim(y[0] - half_y, y[-1] + half_y)
    if colorbar:
        beside = ax.inset_axes(_BAR)  # as high as the picture, whose units are equal
        ax.figure.colorbar(mesh, cax=beside, label=r"density $\rho(\lambda)$", extend="both" if (density > top).any() else "min")
    return ax


def _outside(spectrum, x):
    """Which pixels of the real axis (n,) lie outside the support: averages over them are rounding."""
    half = 0.5 * (x[1] - x[0])
    edge = np.array([spectrum.edge_function(place + 0j) for place in (x - half, x, x + half)])
    return (edge < 1.0).all(axis=0)


def plot_timescales(
    source: Spectrum | npt.ArrayLike, *, tau: npt.ArrayLike | None = None, label: str | None = None, ax: Axes | None = None
) -> Axes:
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

    See Also
    --------
    gating_theory.Spectrum.slow_fraction : What is drawn.

    Examples
    --------
    >>> import gating_theory as gt
    >>> fp = gt.fixed_points(gt.Ensemble(gt.GRU, gain={"h": 3}))[-1]
    >>> ax = gt.plotting.plot_timescales(
    ...     gt.Spectrum(fp), tau=[1, 10, 100], label="theory"
    ... )
    >>> net, state = gt.Network.planted(fp, 200, rng=0)
    >>> ax = gt.plotting.plot_timescales(
    ...     net.eigenvalues(state), label="one network", ax=ax
    ... )
    """
    if label is not None:
        instance("label", label, str)
    tau = np.geomspace(1.0, 1000.0, 24) if tau is None else real_array("tau", tau)
    if tau.ndim != 1 or tau.size < 2 or (tau <= 0).any():
        raise ValueError(f"tau must be a 1-D array of at least two positive numbers, got {shown(tau)}")
    tau = np.sort(tau)
    if isinstance(source, Spectrum):
        fraction = np.asarray(source.slow_fraction(tau))
        # below the accuracy of a mass there is nothing to draw on a logarithmic scale
        fraction[fraction < _LEAST_FRACTION] = np.nan
        ax = axes_or_new(ax, 2.5)
        ax.plot(tau, fraction, color=VERMILLION, linewidth=1.5, label="theory" if label is None else label)
    else:
        modulus = np.abs(finite_eigenvalues(source, "source, unless a Spectrum eigenvalues,"))
        with np.errstate(divide="ignore"):
            own = np.where(modulus < 1.0, -1.0 / np.log(np.where(modulus < 1.0, modulus, 0.5)), np.inf)
        own = np.sort(np.where(modulus == 0.0, 0.0, own))
        inside = own[(own > tau[0]) & (own < tau[-1])]
        at = np.concatenate([[tau[0]], inside, [tau[-1]]])
        fraction = (own.size - np.searchsorted(own, at, side="right")) / own.size
        fraction = np.where(fraction > 0, fraction, np.nan)
        ax = axes_or_new(ax, 2.5)
        text = "eigenvalues" if label is None else label
        ax.plot(at, fraction, color=BLUE, linewidth=1.0, drawstyle="steps-post", label=text)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel(r"timescale $\tau$ (steps)")
    ax.set_ylabel(r"fraction slower than $\tau$")
    ax.legend(loc="best", fontsize="small")
    return ax
