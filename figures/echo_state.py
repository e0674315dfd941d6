"""Where networks cease to forget their start under a common input: theory, and two copies of single networks [T8b]."""

from __future__ import annotations

import numpy as np

import gating_theory as gt

from .common import BLACK, BLUE, GREEN, VERMILLION, panels

TITLE = "The boundary of the echo state over gain and common input, coexistence and reentrance"

#: Panels: cell, gains, biases, which gain is the axis, its range, whether the input enters one field only, and its strengths at
#: which the boundary is computed: by paths weak ones take many sites, since memory is long.
_SYSTEMS = {
    "vanilla": ("Vanilla", {}, {}, "gain.h", (1.0, 2.6), None, (0.1, 2.0)),
    "GRU, constant gates": ("GRU", {"z": 0.0, "r": 0.0}, {}, "gain.h", (2.0, 7.0), "h", (0.1, 2.0)),
    "GRU, $a_z = a_r = 1$": ("GRU", {"z": 1.0, "r": 1.0}, {}, "gain.h", (1.8, 8.0), None, (0.5, 2.0)),
    "LSTM, $b_f = 1$": ("LSTM", {"f": 1.0, "i": 1.0, "o": 1.0}, {"f": 1.0}, "gain.g", (0.8, 8.0), None, (0.5, 2.0)),
}
#: Strengths of the input of networks; what is shown of the axis.
_PROBES = (0.2, 0.4, 0.8, 1.6)
_SHOWN, _TICKS = (0.08, 2.5), (0.1, 0.2, 0.5, 1.0, 2.0)
#: Copies agree if the mean square of their difference, over that of their states, is below this in the end; starts of either.
_AGREE, _STARTS = 1e-3, (1.0, 1e-2)
#: Steep reset gates: where two states exist, and where a little input destroys the echo state and more restores it.
_BESIDE, _AGAIN = {"z": 0.0, "r": 10.0, "h": 1.9}, {"z": 0.0, "r": 20.0, "h": 1.7}


def compute(quick, rng, work):
    """See the package."""
    import xarray as xr

    n_units, n_steps = (300, 200) if quick else (1500, 400)
    sites, chunks = (500, 20) if quick else (1000, 60)
    inputs = {name: np.geomspace(*system[6], 3 if quick else 9) for name, system in _SYSTEMS.items()}
    lines = np.array(work.over(_boundaries, [(name, inputs[name].tolist(), sites, chunks) for name in _SYSTEMS]))
    gains = {name: np.linspace(*system[4], 5 if quick else 7)[1:-1] for name, system in _SYSTEMS.items()}
    places = [(name, float(gain), std) for name in _SYSTEMS for gain in gains[name] for std in _PROBES]
    seeds = [int(seed.generate_state(1)[0]) for seed in np.random.SeedSequence(rng).spawn(len(places))]
    apart = work.over(_two_copies, [(*place, n_units, n_steps, seed) for place, seed in zip(places, seeds)])
    strengths = {"beside": np.geomspace(0.01, 0.2, 5 if quick else 15), "again": np.linspace(0.03, 0.36, 7 if quick else 23)}
    states = {name: np.array(work.over(_states, [(name, float(std)) for std in some])) for name, some in strengths.items()}
    n = len(_SYSTEMS)
    variables = {
        "input": (("system", "strength"), list(inputs.values())),
        "boundary": (("system", "strength"), lines[:, :, 0]),
        "error": (("system", "strength"), lines[:, :, 1]),
        "gain": (("system", "place"), list(gains.values())),
        "apart": (("system", "place", "probe"), np.reshape(apart, (n, -1, len(_PROBES)))),
        "beside": (("beside_input", "state", "part"), states["beside"]),
        "again": (("again_input", "state", "part"), states["again"]),
    }
    coordinates = {"system": list(_SYSTEMS), "probe": list(_PROBES), "part": ["moment", "exponent"]}
    coordinates |= {f"{name}_input": some for name, some in strengths.items()}
    return xr.Dataset(variables, coordinates, {"n_units": n_units, "n_steps": n_steps})


def _ensemble(name, std):
    cell, gain, bias, _, _, field, _ = _SYSTEMS[name]
    return gt.Ensemble(getattr(gt, cell), gain=gain, bias=bias, input_std=std if field is None else {field: std})


def _boundaries(name, inputs, sites, chunks):
    """Boundaries and their errors, by one set of random numbers everywhere; nan where a state next to one was not solved.

    From strong input down, each sought from where the last ones point: far from a boundary states cost most, and say least.
    """
    path, bounds = _SYSTEMS[name][3:5]
    found, known = [], []
    for std in inputs[::-1]:
        try:
            there = _ensemble(name, std).replace({path: _guess(known, std, bounds)})
            line = gt.echo_line(there, path, bounds, n_sites=sites, refine=chunks)
            known.append((std, float(line)))
            found.append([float(line), line.error])
        except gt.ConvergenceError:  # a gap in the line, which the numbers beside the picture show
            found.append([np.nan, np.nan])
    return found[::-1]


def _guess(known, std, bounds):
    """Where a boundary may be: in the middle, as the root of the input, then along the last two, in logarithms."""
    if not known:
        return float(np.mean(bounds))
    (*_, (last, value)), power = known, 0.5
    if len(known) > 1:
        before, higher = known[-2]
        power = np.log(higher / value) / np.log(before / last)
    return float(np.clip(value * (std / last) ** power, *bounds))


def _two_copies(name, gain, std, n_units, n_steps, seed):
    """How far apart two copies of a network are in the end, of mean square states: a large and a small start, one input."""
    ensemble = _ensemble(name, std).replace({_SYSTEMS[name][3]: gain})
    net = gt.Network.sample(ensemble, n_units, rng=seed)
    starts = np.random.default_rng(seed).standard_normal((len(_STARTS), ensemble.cell.n_state, n_units))
    ends = [net.run(size * start, n_steps, rng=seed) for size, start in zip(_STARTS, starts)]  # one seed, one input
    return float(((ends[0] - ends[1]) ** 2).mean() / np.mean([(end**2).mean() for end in ends]))


def _states(name, std):
    """(E h^2, exponent) of the state with the larger and of that with the smaller amplitude; NaN where there is one only."""
    gain = _BESIDE if name == "beside" else _AGAIN
    found = gt.echo_state(gt.Ensemble(gt.GRU, gain=gain, input_std={"h": std})).states
    rows = [[state.moments["h"], state.exponent] for state in found]
    small = rows[-1]
    return [
        rows[0] if len(rows) > 1 or small[1] > 0.0 else [np.nan] * 2,
        small if len(rows) > 1 or small[1] <= 0.0 else [np.nan] * 2,
    ]


def draw(data):
    """A panel for each system, and two for the GRU with steep reset gates."""
    figure, axes = panels(2, 3, height=2.4)
    axes = axes.ravel()
    for ax, name in zip(axes, data["system"].values):
        _draw_boundary(ax, data.sel(system=name), str(name), data.attrs)
    handles, labels = axes[0].get_legend_handles_labels()  # above the panels: in them it would hide points
    figure.legend(handles, labels, loc="outside upper center", ncols=3, fontsize="x-small", frameon=False)
    _draw_states(axes[4], data["beside"], "moment", "$E\\,h^2$", _BESIDE)
    axes[4].set_xscale("log")
    axes[4].set_yscale("log")
    _draw_states(axes[5], data["again"], "exponent", "conditional exponent", _AGAIN)
    axes[5].axhline(0.0, color="0.7", linewidth=0.7, zorder=1)
    axes[5].legend(loc="lower right", fontsize="x-small", frameon=False)  # of both: there is room
    for ax in axes:
        ax.tick_params(labelsize="x-small")
    n, steps = data.attrs["n_units"], data.attrs["n_steps"]
    words = f"points: one network each, N = {n}, two copies from different starts under one white input for {steps} steps"
    words += "; gaps in a line: not solved" if bool(data["boundary"].isnull().any()) else ""
    figure.supxlabel(words, fontsize="x-small")
    return figure


def _draw_boundary(ax, one, name, attributes):
    path, bounds = _SYSTEMS[name][3:5]
    ax.errorbar(one["input"], one["boundary"], one["error"], fmt=".-", color=BLACK, markersize=4, linewidth=1.2, label="theory")
    for i, gain in enumerate(one["gain"].values):
        for std, apart in zip(one["probe"].values, one["apart"].values[i]):
            agree = apart < _AGREE
            ax.plot(std, gain, "o" if agree else "x", color=GREEN if agree else VERMILLION, markersize=4)
    ax.plot([], [], "o", color=GREEN, markersize=4, label="copies agree")
    ax.plot([], [], "x", color=VERMILLION, markersize=4, label="they do not")
    ax.set_xscale("log")
    ax.set_xlim(*_SHOWN)
    ax.set_xticks(_TICKS, [f"{tick:g}" for tick in _TICKS])
    ax.set_xticks([], minor=True)
    ax.set_ylim(*bounds)
    ax.set_title(name, fontsize="small")
    field = _SYSTEMS[name][5]
    ax.set_xlabel("white input to " + ("all fields" if field is None else f"${field}$"), fontsize="small")
    ax.set_ylabel(f"$a_{path[-1]}$")


def _draw_states(ax, states, part, label, gain):
    std = states[states.dims[0]]
    rows = states.sel(part=part).values
    ax.plot(std, rows[:, 0], "o-", color=VERMILLION, markersize=3, linewidth=1.0, label="copies part")
    ax.plot(std, rows[:, 1], "o-", color=BLUE, markersize=3, linewidth=1.0, label="copies agree")
    ax.set_title(f"GRU, $a_z = 0$, $a_r$ = {gain['r']:g}, $a_h$ = {gain['h']:g}", fontsize="small")
    ax.set_xlabel("white input to $h$", fontsize="small")
    ax.set_ylabel(label, fontsize="small")
