"""Input that makes chaos and input that quenches it, by dynamic mean field and in networks [T8] [KCS]."""

from __future__ import annotations

import numpy as np

import gating_theory as gt

from .common import BLACK, BLUE, GREEN, VERMILLION, panels

TITLE = "Input that makes and input that quenches chaos: exponents of the GRU under frozen and white input"

#: Steep reset gate, constant update gate: chaos begins at a_h = 1.868, by a jump. Gains for the two kinds of input.
_RESET, _FROZEN, _WHITE = 10.0, (1.5, 1.7, 1.9), (1.7, 1.85, 1.9)
_COLOURS = (GREEN, BLUE, VERMILLION)
#: Where inputs are small the zero state is close: the first is not zero.
_SMALLEST, _LARGEST = 0.02, 1.0
_KINDS = {"bias_std": "frozen input", "input_std": "white input"}


def compute(quick, rng, work):
    """See the package."""
    import xarray as xr

    n_units, n_steps = (2000, 150) if quick else (10_000, 400)
    inputs = np.geomspace(_SMALLEST, _LARGEST, 7 if quick else 25)
    probes = np.geomspace(0.05, 0.8, 3 if quick else 7)
    gains = dict(zip(_KINDS, (_FROZEN, _WHITE)))
    cases = [(kind, gain) for kind in _KINDS for gain in gains[kind]]
    theory = work.over(_state, [(*case, float(size)) for case in cases for size in inputs])
    seeds = [int(seed.generate_state(1)[0]) for seed in np.random.SeedSequence(rng).spawn(len(cases) * len(probes))]
    places = [(*case, float(size)) for case in cases for size in probes]
    networks = work.over(_network, [(*place, n_units, n_steps, seed) for place, seed in zip(places, seeds)])
    shape = len(_KINDS), len(_FROZEN)
    theory = np.reshape(theory, (*shape, len(inputs), 3))
    networks = np.reshape(networks, (*shape, len(probes), 2))
    variables = {
        "gain": (("kind", "case"), [gains[kind] for kind in _KINDS]),
        "exponent": (("kind", "case", "input"), theory[..., 0]),
        "moment": (("kind", "case", "input"), theory[..., 1]),
        "frozen": (("kind", "case", "input"), theory[..., 2]),
        "network": (("kind", "case", "probe"), networks[..., 0]),
        "stderr": (("kind", "case", "probe"), networks[..., 1]),
    }
    coordinates = {"kind": list(_KINDS), "input": inputs, "probe": probes}
    return xr.Dataset(variables, coordinates, {"n_units": n_units, "n_steps": n_steps})


def _ensemble(kind, gain, size):
    return gt.Ensemble(gt.GRU, gain={"z": 0.0, "r": _RESET, "h": gain}, **{kind: {"h": size}})


def _state(kind, gain, size):
    """Exponent, E h^2 and the part of it that never decays, of the state of largest amplitude.

    Where that is a fixed point, log radius of the Jacobian there is its exponent.
    """
    ensemble = _ensemble(kind, gain, size)
    found = gt.dmft(ensemble)
    if not found.ok:
        return [np.nan] * 3
    exponent = found.exponent
    if found.verdict == "static":
        exponent = np.log(gt.Spectrum(gt.fixed_points(ensemble)[-1]).radius())
    return [exponent, found.moments["h"], found.frozen["h"]]


def _network(kind, gain, size, n_units, n_steps, seed):
    """Exponent of one network and its error."""
    return gt.largest_exponent(_ensemble(kind, gain, size), n_units, n_steps, rng=seed)


def draw(data):
    """A panel for each kind of input, and what frozen input leaves moving."""
    figure, axes = panels(1, 3, height=2.7)
    for ax, kind in zip(axes[0], data["kind"].values):
        _draw_exponents(ax, data.sel(kind=kind))
        ax.set_title(_KINDS[str(kind)], fontsize="small")
        ax.set_xlabel("standard deviation")
    axes[0, 0].set_ylabel("largest exponent per step")
    _draw_moments(axes[0, 2], data.sel(kind="bias_std"))
    for ax in axes[0]:
        ax.set_xscale("log")
        ax.tick_params(labelsize="x-small")
    n, steps = data.attrs["n_units"], data.attrs["n_steps"]
    words = f"GRU, $a_z = 0$, $a_r$ = {_RESET:g}, input to $h$; lines: theory; points: one network each, N = {n}, T = {steps}"
    figure.supxlabel(words, fontsize="x-small")
    return figure


def _draw_exponents(ax, one):
    ax.axhline(0.0, color="0.7", linewidth=0.7, zorder=1)
    for i, colour in enumerate(_COLOURS):
        row = one.isel(case=i)
        ax.plot(one["input"], row["exponent"], color=colour, linewidth=1.2, label=f"$a_h$ = {float(row['gain']):g}")
        ax.errorbar(one["probe"], row["network"], row["stderr"], fmt="o", color=colour, markersize=3, linewidth=0.8)
    ax.set_ylim(max(ax.get_ylim()[0], -0.3), None)
    ax.legend(fontsize="x-small", frameon=False)


def _draw_moments(ax, one):
    row = one.isel(case=1)
    ax.plot(one["input"], row["moment"], color=BLACK, linewidth=1.2, label="$E\\,h^2$")
    ax.plot(one["input"], row["frozen"], color=BLUE, linewidth=1.2, linestyle=(0, (4, 2)), label="of it frozen, $C(\\infty)$")
    ax.set_title(f"frozen input, $a_h$ = {float(row['gain']):g}", fontsize="small")
    ax.set_xlabel("standard deviation")
    ax.legend(fontsize="x-small", frameon=False)
