"""Chaos of the GRU by its dynamic mean field and in networks: correlations and exponents, in discrete and continuous time [T8]."""

from __future__ import annotations

import numpy as np

import gating_theory as gt

from .common import BLUE, GREEN, VERMILLION, panels

TITLE = "Chaos in theory and in networks: correlations and exponents of the GRU, as a map and as a flow"

#: The update gate is constant, so that theory is exact: gains of the candidate whose correlations are shown, at this reset gain.
_GAINS, _RESET = (1.9, 2.5, 4.0), 10.0
#: Reset gains of the exponents, and the largest gain of the candidate.
_RESETS, _TOP = (0.0, 4.0, 10.0), 4.0
_COLOURS = (GREEN, BLUE, VERMILLION)
#: Longest lag, in units of time; lags of networks are _APART apart; step of the Euler map that stands for the flow in networks.
_LONGEST, _APART, _STEP = 30.0, 2.0, 0.1
_TIMES = ("map", "flow")


def compute(quick, rng, work):
    """See the package."""
    import xarray as xr

    n_units, span = (400, 150.0) if quick else (1500, 600.0)
    gains = np.linspace(0.0, 1.0, 5 if quick else 15)  # of the way from the line of chaos to the top
    probes = np.array([2.25, 3.0, 4.0]) if quick else np.arange(2.0, 4.01, 0.25)
    lags, few = np.arange(0.0, _LONGEST + 0.5), np.arange(0.0, _LONGEST + 0.5, _APART)
    shapes = [(time == "flow", gain) for time in _TIMES for gain in _GAINS]
    lines = [(time == "flow", reset, gains) for time in _TIMES for reset in _RESETS]
    places = [(time == "flow", reset, gain) for time in _TIMES for reset in _RESETS for gain in probes]
    seeds = [int(seed.generate_state(1)[0]) for seed in np.random.SeedSequence(rng).spawn(len(shapes) + len(places))]
    theory = work.over(_correlation, [(*one, lags) for one in shapes])
    exact = np.array(work.over(_exponents, lines)).reshape(len(_TIMES), len(_RESETS), len(gains), 2)
    runs = [(*one, few, n_units, span, seed) for one, seed in zip(shapes, seeds)]
    measured = work.over(_network_correlation, runs)
    runs = [(*one, n_units, span, seed) for one, seed in zip(places, seeds[len(shapes) :])]
    exponents = np.array(work.over(_network_exponent, runs)).reshape(len(_TIMES), len(_RESETS), len(probes), 2)
    variables = {
        "correlation": (("time", "gain", "lag"), np.reshape(theory, (len(_TIMES), len(_GAINS), -1))),
        "network_correlation": (("time", "gain", "network_lag"), np.reshape(measured, (len(_TIMES), len(_GAINS), -1))),
        "exact": (("time", "reset", "point", "part"), exact),
        "exponent": (("time", "reset", "probe"), exponents[..., 0]),
        "stderr": (("time", "reset", "probe"), exponents[..., 1]),
    }
    coordinates = {"time": list(_TIMES), "gain": list(_GAINS), "reset": list(_RESETS)}
    coordinates |= {"lag": lags, "network_lag": few, "probe": probes}
    return xr.Dataset(variables, coordinates, {"n_units": n_units, "span": span})


def _ensemble(reset, gain):
    return gt.Ensemble(gt.GRU, gain={"z": 0.0, "r": reset, "h": gain})


def _correlation(flow, gain, lags):
    """E h(t) h(t + lag) of theory, (L,)."""
    return gt.dmft(_ensemble(_RESET, gain), flow=flow).autocorrelation(lags)["messages"][:, 0]


def _exponents(flow, reset, parts):
    """From the line of chaos up: gains and exponents, (G, 2). Where chaos jumps the line itself has one."""
    line = gt.chaos_line(_ensemble(reset, 1.0), "gain.h", flow=flow)
    first = float(line), line.above[0] if line.discontinuous else 0.0
    # closer where exponents rise from zero
    gains = first[0] + (_TOP - first[0]) * parts[1:] ** 1.5
    return [first, *((gain, gt.dmft(_ensemble(reset, gain), flow=flow).exponent) for gain in gains)]


def _network(flow, reset, gain, n_units, seed):
    """A network and the length of its step."""
    ensemble = _ensemble(reset, gain)
    if flow:
        ensemble = gt.Ensemble(gt.GRU.euler(_STEP), gain=ensemble.gain)
    return gt.Network.sample(ensemble, n_units, seed), _STEP if flow else 1.0


def _network_correlation(flow, gain, lags, n_units, span, seed):
    """The mean over units and over times after the transient, (L,)."""
    net, step = _network(flow, _RESET, gain, n_units, seed)
    n_steps = int(span / step)
    state = net.run(net.random_state(seed), n_steps // 2)
    states = net.run(state, n_steps, trajectory=True)[:, 0]
    shifts = np.rint(lags / step).astype(int)
    return [float(np.mean(states[: len(states) - shift] * states[shift:])) for shift in shifts]


def _network_exponent(flow, reset, gain, n_units, span, seed):
    """Largest exponent per unit of time, and its error."""
    net, step = _network(flow, reset, gain, n_units, seed)
    n_steps = int(span / step)
    found = gt.lyapunov_spectrum(net, 1, n_steps, transient=n_steps, tangent_transient=n_steps // 4, rng=seed)
    return float(found.exponents[0]) / step, float(found.stderr[0]) / step


def draw(data):
    """A column for the map, one for the flow: above correlations, below exponents."""
    figure, axes = panels(2, 2, height=2.4)
    for column, time in zip(axes.T, data["time"].values):
        one = data.sel(time=time)
        _draw_correlations(column[0], one)
        _draw_exponents(column[1], one)
        column[0].set_title({"map": "discrete time", "flow": "continuous time"}[str(time)], fontsize="small")
    axes[0, 0].set_ylabel("$E\\,h(t)\\,h(t+\\tau)$")
    axes[1, 0].set_ylabel("largest exponent")
    for ax in axes.flat:
        ax.tick_params(labelsize="x-small")
    words = f"lines: theory, $N \\to \\infty$; points: one network each, N = {data.attrs['n_units']}, T = {data.attrs['span']:.0f}"
    figure.supxlabel(f"GRU, $a_z = 0$. {words}; of the flow by Euler steps of {_STEP}", fontsize="x-small")
    return figure


def _draw_correlations(ax, one):
    for i, colour in enumerate(_COLOURS):
        row = one.isel(gain=i)
        ax.plot(one["lag"], row["correlation"], color=colour, linewidth=1.2, label=f"$a_h$ = {float(row['gain']):g}")
        ax.plot(one["network_lag"], row["network_correlation"], "o", color=colour, markersize=3)
    ax.set(xlabel="$\\tau$", ylim=(0.0, None))
    ax.legend(fontsize="x-small", frameon=False, title=f"$a_r$ = {_RESET:g}", title_fontsize="x-small")


def _draw_exponents(ax, one):
    ax.axhline(0.0, color="0.7", linewidth=0.7, zorder=1)
    for i, colour in enumerate(_COLOURS):
        row = one.isel(reset=i)
        gain, exponent = row["exact"].values.T
        ax.plot(gain, exponent, color=colour, linewidth=1.2, label=f"$a_r$ = {float(row['reset']):g}")
        ax.plot([gain[0]] * 2, [0.0, exponent[0]], color=colour, linewidth=0.8, linestyle=(0, (2, 1.5)))  # a jump
        ax.errorbar(one["probe"], row["exponent"], row["stderr"], fmt="o", color=colour, markersize=3, linewidth=0.8)
    ax.set(xlabel="$a_h$", ylim=(-0.05, None))
    ax.legend(fontsize="x-small", frameon=False)
