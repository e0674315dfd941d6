"""The gated network in continuous time [KCS]: where it is chaotic, how strongly, and how its correlations decay [T8]."""

from __future__ import annotations

from inspect import signature

import numpy as np

import gating_theory as gt

from .common import BLUE, GREEN, SPECIALS, VERMILLION, chaos_curve, curves_of, draw_lines, padded, panels, parts, specials_of, whole

TITLE = "The gated network in continuous time: its phase diagram, exponents, and correlations"

_AXES, _TOP, _RANGE = ("gain.r", "gain.h"), 16.0, (1.3, 3.0)
#: Exact: gates that follow at once and a constant update gate; by paths: both gates slow (time constants 1), the update gate steep.
_CASES = {
    "constant": (gt.KCSFast, {"z": 0.0, "r": 0.0}),
    "reset": (gt.KCSFast, {"z": 0.0, "r": 10.0}),
    "slow": (gt.KCS, {"z": 4.0, "r": 10.0}),
}
_COLOURS = dict(zip(_CASES, (GREEN, BLUE, VERMILLION)))
_LABELS = {
    "onset": "onset: zero state unstable above",
    "fold": "fold: fixed points above",
    "chaos": "chaos above, theory",
}
#: Gains of the exponents go up to this; that of the correlations.
_STRONGEST, _GAIN = 4.0, 3.0
#: Longest lag, lags of networks are _APART apart; step of the Euler map that stands for the flow in networks.
_LONGEST, _APART, _STEP = 30.0, 2.0, 0.1


def compute(quick, rng, work):
    """See the package."""
    import xarray as xr

    n_units, span, sites, most = (400, 150.0, 500, 10) if quick else (1500, 600.0, 1000, 20)
    run = {"n_units": 1000 if quick else 4000, "n_steps": 150 if quick else 400, "seed": rng}
    probe = np.linspace(0.0, _TOP, 3 if quick else 9)
    lines = work.over(_line, [(kind, 1e-3 if quick else 1e-5) for kind in ("onset", "fold")])
    (chaos,) = work.over(_chaos, [(7 if quick else 17,)])
    found = work.phase_diagram(gt.Ensemble(gt.KCSFast, gain={"z": 0.0}), {"gain.r": probe}, ("chaos:gain.h",), **run)
    curves, specials = curves_of(lines), np.full((3, len(SPECIALS), 2), np.nan)
    specials[:2] = specials_of(lines)
    specials[2, SPECIALS.index("tricritical")] = chaos.tricritical

    gains = np.linspace(0.0, 1.0, 5 if quick else 15)  # of the way from the line of chaos to the strongest
    few = np.array([2.25, 3.0, _STRONGEST])
    probes = few if quick else np.arange(2.0, 4.01, 0.25)
    lags, network_lags = np.arange(0.0, _LONGEST + 0.25, 0.5), np.arange(0.0, _LONGEST + 0.5, _APART)
    exact = work.over(_exponents, [(case, gains) for case in ("constant", "reset")])
    sampled = work.over(_state, [("slow", float(gain), lags, sites, most, rng) for gain in few])
    shapes = work.over(_state, [(case, _GAIN, lags, sites, most, rng) for case in ("constant", "reset")])
    places = [(case, float(gain)) for case in _CASES for gain in probes]
    seeds = [int(seed.generate_state(1)[0]) for seed in np.random.SeedSequence(rng).spawn(len(places) + len(_CASES))]
    exponents = work.over(_network_exponent, [(*place, n_units, span, seed) for place, seed in zip(places, seeds)])
    measured = [(case, _GAIN, network_lags, n_units, span, seed) for case, seed in zip(_CASES, seeds[len(places) :])]
    measured = work.over(_network_correlation, measured)
    exponents = np.reshape(exponents, (len(_CASES), len(probes), 2))
    slow = sampled[list(few).index(_GAIN)]
    variables = {
        "curves": (("kind", "point", "part"), parts(padded([*(whole(curve) for curve in curves), chaos.curve]))),
        "specials": (("kind", "special", "part"), specials),
        "complete": ("kind", [*(line.ok for line in lines), True]),
        "chaos": ("probe", found["chaos:gain.h"].values),
        "chaos_error": ("probe", found["chaos_error:gain.h"].values),
        "exact": (("exact_case", "number", "part"), exact),
        "sampled": (("few", "part"), [state[:2] for state in sampled]),
        "correlation": (("case", "lag"), [*(state[2:] for state in shapes), slow[2:]]),
        "network_correlation": (("case", "network_lag"), measured),
        "exponent": (("case", "gain"), exponents[..., 0]),
        "stderr": (("case", "gain"), exponents[..., 1]),
    }
    coordinates = {"kind": ["onset", "fold", "chaos"], "special": list(SPECIALS), "probe": probe, "case": list(_CASES)}
    coordinates |= {"exact_case": ["constant", "reset"], "few": few, "gain": probes, "lag": lags, "network_lag": network_lags}
    networks = signature(gt.chaos_onset).parameters["n_networks"].default
    attributes = {"n_units": n_units, "span": span, "onset_units": run["n_units"], "onset_steps": run["n_steps"]}
    return xr.Dataset(variables, coordinates, attributes | {"n_networks": networks})


def _ensemble(case, gain):
    cell, gains = _CASES[case]
    return gt.Ensemble(cell, gain={**gains, "h": gain})


def _line(kind, tol):
    """Fixed points do not know of the update gate, nor of time constants."""
    return gt.critical_line(gt.Ensemble(gt.KCSFast), _AXES, kind, bounds=((0.0, _TOP), _RANGE), tol=tol, search=5)


def _chaos(n):
    return chaos_curve(gt.Ensemble(gt.KCSFast, gain={"z": 0.0}), *_AXES, _TOP, n, np.ptp(_RANGE), flow=True)


def _exponents(case, fractions):
    """From the line of chaos up: gains and exponents, (G, 2). Where chaos jumps the line itself has one."""
    line = gt.chaos_line(_ensemble(case, 1.0), "gain.h", flow=True)
    first = float(line), line.above[0] if line.discontinuous else 0.0
    gains = first[0] + (_STRONGEST - first[0]) * fractions[1:] ** 1.5
    return [first, *((gain, gt.dmft(_ensemble(case, gain), flow=True).exponent) for gain in gains)]


def _state(case, gain, lags, sites, most, seed):
    """Exponent, its error, and E tanh(x) tanh(x(t + lag)); NaN what did not settle, and beyond the window."""
    state = gt.dmft(_ensemble(case, gain), flow=True, n_sites=sites, refine=most, rng=seed)
    window = state.step * (state.correlations.shape[1] - 1)
    out = np.full(2 + len(lags), np.nan)
    if state.ok:
        out[:2] = state.lyapunov()
        inside = lags <= window
        out[2:][inside] = state.autocorrelation(lags[inside])["messages"][:, 0]
    return out


def _network(case, gain, n_units, seed):
    ensemble = _ensemble(case, gain)
    return gt.Network.sample(gt.Ensemble(ensemble.cell.euler(_STEP), gain=ensemble.gain), n_units, seed)


def _network_correlation(case, gain, lags, n_units, span, seed):
    """The mean over units and over times after the transient, (L,)."""
    net, n_steps = _network(case, gain, n_units, seed), int(span / _STEP)
    state = net.run(net.random_state(seed), n_steps // 2)
    messages = np.tanh(net.run(state, n_steps, trajectory=True)[:, 0])
    shifts = np.rint(lags / _STEP).astype(int)
    return [float(np.mean(messages[: len(messages) - shift] * messages[shift:])) for shift in shifts]


def _network_exponent(case, gain, n_units, span, seed):
    """Largest exponent per unit of time, and its error."""
    net, n_steps = _network(case, gain, n_units, seed), int(span / _STEP)
    found = gt.lyapunov_spectrum(net, 1, n_steps, transient=n_steps, tangent_transient=n_steps // 4, rng=seed)
    return float(found.exponents[0]) / _STEP, float(found.stderr[0]) / _STEP


def draw(data):
    """The diagram, exponents over the gain, correlations at one of them."""
    figure, axes = panels(1, 3, height=2.8)
    _draw_diagram(axes[0, 0], data)
    _draw_exponents(axes[0, 1], data)
    _draw_correlations(axes[0, 2], data)
    for ax in axes.flat:
        ax.tick_params(labelsize="x-small")
    words = f"lines and squares: theory, $N \\to \\infty$; points: one network each, N = {data.attrs['n_units']}, "
    words += f"T = {data.attrs['span']:.0f}, Euler steps of {_STEP}.   Left, points: {data.attrs['n_networks']} networks of "
    words += f"{data.attrs['onset_units']}, steps of 1/2 leak time"
    figure.supxlabel(words, fontsize="xx-small")
    return figure


def _draw_diagram(ax, data):
    from gating_theory.plotting.lines import LINE_STYLES

    ax.set_xlim(0.0, _TOP)
    ax.set_ylim(*_RANGE)
    draw_lines(ax, data, _LABELS)
    style = {"color": LINE_STYLES["chaos"][1], "markersize": 3.5, "linestyle": "none", "elinewidth": 1.0, "capsize": 2.5}
    ax.errorbar(
        data["probe"], data["chaos"], data["chaos_error"], marker="o", label="chaos above, networks", clip_on=False, **style
    )
    ax.set(xlabel="$a_r$", ylabel="$g = a_h$")
    ax.set_title("gates follow at once, $a_z = 0$", fontsize="x-small")
    ax.legend(fontsize="xx-small", frameon=False, loc="upper right")


def _draw_exponents(ax, data):
    ax.axhline(0.0, color="0.7", linewidth=0.7, zorder=1)
    for case, line in zip(data["exact_case"].values, data["exact"].values):
        gain, exponent = line.T
        ax.plot(gain, exponent, color=_COLOURS[case], linewidth=1.2)
        ax.plot([gain[0]] * 2, [0.0, exponent[0]], color=_COLOURS[case], linewidth=0.8, linestyle=(0, (2, 1.5)))  # a jump
    value, error = data["sampled"].values.T
    ax.errorbar(data["few"], value, error, fmt="s", mfc="none", color=_COLOURS["slow"], markersize=5, linewidth=0.8, capsize=2.5)
    for case, colour in _COLOURS.items():
        row = data.sel(case=case)
        ax.errorbar(data["gain"], row["exponent"], row["stderr"], fmt="o", color=colour, markersize=3, linewidth=0.8)
    ax.set(xlabel="$g$", ylabel="largest exponent", ylim=(-0.05, None))


def _draw_correlations(ax, data):
    words = {"constant": "$a_z = a_r = 0$", "reset": "$a_z = 0$, $a_r = 10$", "slow": "$a_z = 4$, $a_r = 10$,\nslow gates"}
    for case, colour in _COLOURS.items():
        row = data.sel(case=case)
        line = {"marker": "s", "mfc": "none", "markevery": 8, "markersize": 4} if case == "slow" else {}
        ax.plot(data["lag"], row["correlation"], color=colour, linewidth=1.2, label=words[case], **line)
        ax.plot(data["network_lag"], row["network_correlation"], "o", color=colour, markersize=3)
    ax.set(xlabel="$\\tau$", ylabel="$E\\,\\phi(t)\\,\\phi(t + \\tau)$", ylim=(0.0, None))
    ax.set_title(f"$g$ = {_GAIN:g}", fontsize="x-small")
    ax.legend(fontsize="xx-small", frameon=False)
