"""Pictures of gradients: densities of singular values, pseudospectra, growth through many steps [T9]."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..gradients.growth import GradientGrowth
from ..spectrum.singular.singular_values import SingularValues
from ..spectrum.spectrum import Spectrum
from ..support.checks import instance, integer, real_array, real_numbers, shown
from ..training.diagnosis import Diagnosis
from ..training.gradients import DiagnosedGradients
from .spectra import draw_spectrum
from .style import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION, axes_or_new, finite_eigenvalues, legend_below

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_singular_values", "plot_gradient_growth", "plot_gradients_by_lag", "plot_pseudospectrum", "plot_singular_values"]

#: Colours of several growths, in order.
_COLOURS = (VERMILLION, BLUE, GREEN, PURPLE, ORANGE, SKY, BLACK)
#: Lines of theory by how weights come about.
_DASHES = {"tied": "-", "untied": "--"}
#: Points of a density.
_POINTS = 160
#: Accuracy of a curve that is looked at: bands have edges like roots, which populations of sites know less well than all else.
_DRAWN = 0.1
#: Singular values below this share of the largest sit in the atom at zero: those of networks are zero but for rounding.
_ZERO = 1e-8
#: The part of the way along which a density is shown whole: it may diverge at zero.
_MOST = 0.95
#: Weight of an atom below which it is nothing to speak of.
_LEAST_ATOM = 1e-6
#: Singular values this close to one another, relative, are in one place; so much of them may be missed.
_ONE_PLACE, _MISSED = 1e-5, 1e-3


def plot_singular_values(
    result: SingularValues, values: npt.ArrayLike | None = None, *, n: int = _POINTS, ax: Axes | None = None
) -> Axes:
    """The density of singular values, over a histogram of those of networks if given [T9].

    Parameters
    ----------
    result : SingularValues, from ``Spectrum.singular_values``
    values : array of any shape, optional
        Singular values of one network or of several, ``numpy.linalg.svd(net.jacobian(state), compute_uv=False)`` for example.
    n : int >= 10
        Points of the curve.
    ax : matplotlib Axes, optional
        Default: a new figure of one column's width.

    Returns
    -------
    matplotlib Axes

    See Also
    --------
    gating_theory.Spectrum.singular_values : Makes what is drawn.

    Notes
    -----
    Areas are fractions of all singular values. An atom at zero has no area: the legend names its weight. Where the density
    diverges the picture ends below. Where all that are not zero sit in one place (without gains, say) a line stands there.

    Examples
    --------
    >>> import gating_theory as gt
    >>> zero = gt.fixed_points(gt.Ensemble(gt.Vanilla))[0]
    >>> ax = gt.plotting.plot_singular_values(
    ...     gt.Spectrum(zero).singular_values(), n=10
    ... )
    """
    instance("result", result, SingularValues)
    n = integer("n", n, low=10)
    measured = None if values is None else _measured_values(values)
    ax = axes_or_new(ax, 2.5)
    low, high = result.smallest(), result.largest()
    if high - low <= _ONE_PLACE * high or _in_one_place(result, high):
        _draw_spike(ax, high, result.atom, measured)
        ax.legend(loc="best", fontsize="small")
        return ax
    # closer together at both ends, where the density ends like a root
    s = low + 0.5 * (high - low) * (1.0 - np.cos(np.pi * (np.arange(n) + 0.5) / n))
    density = np.asarray(result.density(s, _DRAWN))
    label = f"theory, and {100.0 * result.atom:.3g} % at 0" if result.atom > _LEAST_ATOM else "theory"
    draw_singular_values(ax, s, density, measured, label)
    ax.legend(loc="best", fontsize="small")
    return ax


def draw_singular_values(
    ax: Axes, s: np.ndarray, density: np.ndarray, values: np.ndarray | None = None, label: str = "theory"
) -> None:
    """A density over a histogram of measured values.

    Parameters
    ----------
    ax : matplotlib Axes
    s, density : (n,) arrays
    values : array, optional, singular values of networks
    label : str, of the density
    """
    heights = np.zeros(0) if values is None else _draw_histogram(ax, values, float(s[-1]))
    ax.plot(s, density, color=VERMILLION, linewidth=1.4, zorder=3, label=label)
    pad = 0.05 * float(s[-1] - s[0])
    ax.set_xlim(0.0 if s[0] < 0.2 * s[-1] else s[0] - pad, s[-1] + pad)
    ax.set_ylim(0.0, min(1.08 * density.max(), 1.3 * heights.max() if heights.size else _top(s, density)))
    ax.set_xlabel("singular value $s$")
    ax.set_ylabel(r"density $\rho(s)$")


def plot_pseudospectrum(
    spectrum: Spectrum,
    eps: npt.ArrayLike = (0.01, 0.03, 0.1),
    *,
    eigenvalues: npt.ArrayLike | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Pseudospectra around the boundary of a spectrum, over a cloud of eigenvalues if given [T9].

    Within the curve of an eps lies what eigenvalues become under perturbations of norm eps; outside the resolvent is below 1 / eps.

    Parameters
    ----------
    spectrum : Spectrum
    eps : 1-D array of numbers > 0
    eigenvalues : complex array of any shape, optional
        For example ``net.eigenvalues(state)``.
    ax : matplotlib Axes, optional
        Default: a new figure of one column's width.

    Returns
    -------
    matplotlib Axes

    See Also
    --------
    gating_theory.Spectrum.pseudospectrum : Makes what is drawn.

    Examples
    --------
    >>> import gating_theory as gt
    >>> zero = gt.fixed_points(gt.Ensemble(gt.GRU))[0]
    >>> ax = gt.plotting.plot_pseudospectrum(gt.Spectrum(zero), eps=[0.1])
    """
    from matplotlib import colormaps

    instance("spectrum", spectrum, Spectrum)
    levels = np.sort(real_array("eps", eps).ravel())
    if levels.size == 0 or (levels <= 0.0).any():
        raise ValueError(f"eps must be one or more numbers above 0, got {shown(eps)}")
    cloud = None if eigenvalues is None else finite_eigenvalues(eigenvalues)
    ax = axes_or_new(ax, 3.4)
    contours = {level: [np.asarray(curve) for curve in spectrum.pseudospectrum(level)] for level in levels.tolist()}
    bounds = [curve for curves in contours.values() for curve in curves]
    draw_spectrum(ax, spectrum.boundary(512), cloud, None, bounds)
    for i, (level, curves) in enumerate(contours.items()):
        colour = colormaps["viridis"](0.15 + 0.7 * i / max(1, levels.size - 1))
        for j, curve in enumerate(curves):
            label = rf"$\varepsilon = {level:g}$" if j == 0 else None
            ax.plot(curve.real, curve.imag, color=colour, linewidth=1.0, zorder=3, label=label)
    legend_below(ax)
    return ax


def plot_gradient_growth(
    growth: GradientGrowth | Mapping[str, GradientGrowth],
    *,
    measured: npt.ArrayLike | Mapping[str, npt.ArrayLike] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """The logarithm of the mean square of gradients over steps, with measured ones if given [T9].

    Parameters
    ----------
    growth : GradientGrowth, or a mapping from labels to several
        Untied weights are dashed.
    measured : array (T + 1,) or (networks, T + 1), or a mapping from the same labels to such, optional
        Mean squares, not their logarithms, from step 0 on; NaN where nothing was measured.
    ax : matplotlib Axes, optional
        Default: a new figure of one column's width.

    Returns
    -------
    matplotlib Axes

    See Also
    --------
    gating_theory.gradient_growth : Makes what is drawn.
    gating_theory.plotting.plot_gradients_by_lag : Of a given network.

    Examples
    --------
    >>> import gating_theory as gt
    >>> zero = gt.Spectrum(gt.fixed_points(gt.Ensemble(gt.GRU, gain={"h": 2}))[0])
    >>> growths = {
    ...     kind: gt.gradient_growth(zero, 20, kind) for kind in ("tied", "untied")
    ... }
    >>> ax = gt.plotting.plot_gradient_growth(growths)
    """
    several = _growths(growth)
    points = _measured_growth(measured, several)
    ax = axes_or_new(ax, 2.6)
    ax.axhline(0.0, color="0.7", linewidth=0.7, zorder=1)
    for i, (label, one) in enumerate(several.items()):
        colour = _COLOURS[i % len(_COLOURS)]
        ax.plot(_finite(one.log10), color=colour, linestyle=_DASHES[one.weights], linewidth=1.4, zorder=3, label=label)
        if label in points:
            _draw_measured(ax, points[label], colour)
    ax.locator_params(axis="x", integer=True)
    ax.set_xlabel("steps")
    ax.set_ylabel(r"$\log_{10}$ mean square gradient")
    ax.legend(loc="best", fontsize="small")
    return ax


def plot_gradients_by_lag(
    result: Diagnosis | DiagnosedGradients,
    *,
    growth: GradientGrowth | Mapping[str, GradientGrowth] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Mean squares of gradients by steps back along a run of a given network, with theory at the same sites beside [T9].

    Parameters
    ----------
    result : Diagnosis that was made with inputs or states, or its ``gradients``
    growth : GradientGrowth, or a mapping from labels to several, optional
        Theory of an ensemble beside: from step 1 on, as far as lags go.
    ax : matplotlib Axes, optional
        Default: a new figure of one column's width.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError, ValueError
        another result, a diagnosis without gradients

    See Also
    --------
    gating_theory.diagnose : Makes what is drawn.
    gating_theory.plotting.plot_gradient_growth : Of theory alone.

    Examples
    --------
    >>> import gating_theory as gt
    >>> ens = gt.Ensemble(gt.GRU, gain={"h": 3})
    >>> net = gt.Network.sample(ens, 20, rng=0)
    >>> ax = gt.plotting.plot_gradients_by_lag(gt.diagnose(net, n_states=2))
    >>> ax.get_xlabel()
    'steps back'
    """
    found = result.gradients if isinstance(result, Diagnosis) else result
    if not isinstance(found, DiagnosedGradients):
        if found is None:
            raise ValueError("result has no gradients: they are measured along sequences of at least two steps")
        raise TypeError(f"result must be a Diagnosis or its gradients, got {shown(found)}")
    several = {} if growth is None else _growths(growth, "ensemble")
    ax = axes_or_new(ax, 2.6)
    ax.axhline(0.0, color="0.7", linewidth=0.7, zorder=1)
    lines: dict[str, tuple[dict[int, float], dict[str, Any]]] = {
        "measured": (found.measured, {"color": BLACK, "marker": "o", "linestyle": "none", "zorder": 5}),
        "theory at its sites": (found.tied, {"color": VERMILLION, "linestyle": "-", "zorder": 4}),
        "fresh weights a step": (found.untied, {"color": VERMILLION, "linestyle": "--", "zorder": 3}),
        "shuffled weights": (found.shuffled, {"color": "0.6", "marker": "s", "linestyle": ":", "zorder": 2}),
    }
    for label, (values, style) in lines.items():
        if values:
            logs = _finite(np.array(list(values.values())))
            ax.plot(list(values), logs, label=label, linewidth=1.3, markersize=3.5, **style)
    last = max(found.measured)
    for i, (label, one) in enumerate(several.items()):
        logs = _finite(one.log10)[1 : last + 1]
        style = {"color": (BLUE, GREEN, PURPLE, ORANGE, SKY)[i % 5], "linestyle": _DASHES[one.weights], "linewidth": 1.0}
        ax.plot(np.arange(1, 1 + logs.size), logs, label=label, zorder=3, **style)
    ax.set_xscale("log")
    ax.set_xlabel("steps back")
    ax.set_ylabel(r"$\log_{10}$ mean square gradient")
    ax.legend(loc="best", fontsize="small", frameon=False)
    return ax


def _in_one_place(result, high):
    """Whether all that are not zero are the largest one."""
    if result.atom <= _LEAST_ATOM:
        return False
    return result.atom + result.mass(high * (1.0 - _ONE_PLACE), high * (1.0 + _ONE_PLACE)) > 1.0 - _MISSED


def _draw_spike(ax, place, atom, values):
    """A line at the one singular value that there is, over what share of measured ones is where."""
    share = 1.0 - atom if place > 0.0 else 1.0
    zeros = f", and {100.0 * atom:.3g} % at 0" if atom > _LEAST_ATOM and place > 0.0 else ""
    low, high = (0.8 * place, 1.2 * place) if place > 0.0 else (-0.1, 1.0)
    if values is not None:
        low, high = min(low, values[values > _ZERO * values.max()].min(initial=low)), max(high, 1.05 * values.max())
        weights = np.full(values.size, 1.0 / values.size)
        ax.hist(values, 41, range=(low, high), weights=weights, color=SKY, alpha=0.6, label="networks")
    ax.plot(
        [place, place],
        [0.0, share],
        color=VERMILLION,
        linewidth=1.4,
        zorder=3,
        label=f"theory: {100.0 * share:.3g} % at {place:.4g}{zeros}",
    )
    ax.set_xlim(low, high)
    ax.set_ylim(0.0, 1.08)
    ax.set_xlabel("singular value $s$")
    ax.set_ylabel("share of singular values")


def _growths(growth, of="theory"):
    """Growths by their labels."""
    if isinstance(growth, GradientGrowth):
        return {f"{of}, {growth.weights} weights": growth}
    items = dict(instance("growth", growth, Mapping, "from labels to results of gradient_growth"))
    if not items:
        raise ValueError("growth must have at least one entry, got none")
    return {str(label): instance("growth", one, GradientGrowth) for label, one in items.items()}


def _measured_growth(measured, several):
    """Measured mean squares (networks, steps) by the labels of what they belong to."""
    if measured is None:
        return {}
    given = measured if isinstance(measured, Mapping) else {next(iter(several)): measured}
    unknown = [label for label in given if label not in several]
    if unknown:
        raise ValueError(f"measured has the unknown label {shown(unknown[0])}; allowed are {list(several)}")
    found = {label: np.atleast_2d(real_numbers("measured", values)) for label, values in given.items()}
    for label, values in found.items():
        wanted = several[label].n_steps + 1
        if values.ndim != 2 or values.shape[1] != wanted:
            raise ValueError(
                f"measured must have shape ({wanted},) or (networks, {wanted}), mean squares from step 0 on, NaN where there is "
                f"none, got {np.shape(given[label])}"
            )
        if (values < 0.0).any():
            raise ValueError(
                f"measured must be mean squares, which are not negative, not their logarithms, got {shown(given[label])}"
            )
    return found


def _draw_measured(ax, values, colour):
    """Networks as dots."""
    steps = np.broadcast_to(np.arange(values.shape[1]), values.shape)
    style: dict[str, Any] = {"marker": "o", "linestyle": "none", "markersize": 3.0, "markerfacecolor": "none"}
    with np.errstate(divide="ignore"):
        logs = _finite(np.log10(np.where(values >= 0.0, values, np.nan)))
    ax.plot(steps.ravel(), logs.ravel(), color=colour, zorder=4, label=f"networks ({len(values)})", **style)


def _finite(logs):
    """Nothing where nothing is left."""
    return np.where(np.isfinite(logs), logs, np.nan)


def _measured_values(values):
    array = real_array("values", values).ravel()
    if array.size == 0 or (array < 0.0).any():
        raise ValueError(f"values must be singular values, which are not negative, got {shown(values)}")
    return array


def _draw_histogram(ax, values, high):
    """Areas are shares of all of them; those that are zero but for rounding are not drawn."""
    some = values[values > _ZERO * values.max()] if values.any() else values
    n_bins = int(np.clip(1.2 * np.sqrt(some.size), 10, 60))
    width = (max(high, some.max()) - min(some.min(), high)) / n_bins or 1.0
    weights = np.full(some.size, 1.0 / (values.size * width))
    heights, *_ = ax.hist(
        some, n_bins, range=(some.min(), some.min() + n_bins * width), weights=weights, color=SKY, alpha=0.6, label="networks"
    )
    return heights


def _top(s, density):
    """Where the picture of a density that diverges at zero ends: above what it is along most of the way."""
    order = np.argsort(density)
    along = np.cumsum(np.gradient(s)[order])
    return 1.5 * float(np.interp(_MOST * along[-1], along, density[order]))
