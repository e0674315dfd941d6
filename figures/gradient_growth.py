"""What initialisations do to gradients: theory of tied and of untied weights against PyTorch's backward pass [T9].

The table of ``docs/guides/gradients.md`` as a picture: d h_T / d (h_0[, c_0]) of silent GRUs and LSTMs, mean squares over unit
gradients at h_T.
"""

from __future__ import annotations

import numpy as np

import gating_theory as gt

from .autograd import growth
from .common import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION, panels
from .initialisations import INITIALISATIONS
from .torch_runs import fast_torch

TITLE = "Gradients through a hundred steps for every common initialisation: tied weights, untied weights, PyTorch"
NEEDS = ("torch",)

N_STEPS, N_UNITS = 100, 128
#: Where gradients are measured on the way.
_STEPS = (1, 2, 5, 10, 20, 35, 50, 75, 100)
#: What growth is thought to be, and how each is marked.
_RULES = ("tied", "untied", "textbook")
_MARKERS = ("o", "s", "x")
_COLOURS = (BLUE, SKY, GREEN, PURPLE, ORANGE, VERMILLION, BLACK)


def compute(quick, rng, work):
    """See the package."""
    return measured_and_theory(range(rng, rng + (3 if quick else 6)), 16 if quick else None, work)


def measured_and_theory(seeds, vectors, work):
    """All initialisations with these seeds; gradients of so many random directions at the end, or of all."""
    import xarray as xr

    places = [(number, seed, vectors) for number in range(len(INITIALISATIONS)) for seed in seeds]
    measured = np.array(work.over(_measured, places)).reshape(len(INITIALISATIONS), len(seeds), len(_STEPS))
    theory = np.array(work.over(_theory, [(number,) for number in range(len(INITIALISATIONS))]))
    variables = {
        "theory": (("initialisation", "rule", "step"), theory),
        "measured": (("initialisation", "seed", "measured_step"), measured),
        "proposed": ("initialisation", [one.proposed for one in INITIALISATIONS]),
        "kind": ("initialisation", [one.kind for one in INITIALISATIONS]),
        "name": ("initialisation", [one.name for one in INITIALISATIONS]),
    }
    coordinates = {"rule": list(_RULES), "step": np.arange(N_STEPS + 1), "measured_step": list(_STEPS)}
    return xr.Dataset(variables, coordinates, {"n_units": N_UNITS})


def _theory(number):
    """Tied weights, untied ones, and the textbook's power of the mean squared singular value, (3, T + 1)."""
    sites = INITIALISATIONS[number].sites
    tied, untied = (gt.gradient_growth(sites, N_STEPS, weights, block="h").mean_square for weights in ("tied", "untied"))
    once = gt.gradient_growth(sites, 1).mean_square[1]
    return [tied, untied, once ** np.arange(N_STEPS + 1.0)]


def _measured(number, seed, vectors):
    """One module, (steps,)."""
    module = INITIALISATIONS[number].module(N_UNITS, seed)
    with fast_torch():
        return [growth(module, steps, vectors=vectors, rng=seed).sum() for steps in _STEPS]


def draw(data):
    """For each cell growth over steps, and where it ends."""
    from matplotlib.lines import Line2D

    figure, axes = panels(2, 2, height=2.7)
    for row, kind in zip(axes, ("GRU", "LSTM")):
        some = data.isel(initialisation=np.flatnonzero(data["kind"].values == kind))
        _draw_courses(row[0], some, kind)
        _draw_ends(row[1], some)
    for ax in axes[0]:
        ax.set_xlabel("")
    markers = dict(zip(_RULES, _MARKERS))
    style = {"color": "0.3", "linestyle": "none", "markersize": 5}
    handles = [
        Line2D([], [], color="0.3", linewidth=1.4, marker="o", markersize=5, label="theory, tied weights"),
        Line2D([], [], marker="|", **(style | {"markersize": 9}), label=f"PyTorch's backward pass, {_networks(data)}"),
        Line2D([], [], marker=markers["untied"], markerfacecolor="white", **style, label="theory, untied weights"),
        Line2D([], [], marker=markers["textbook"], **style, label="mean squared singular value to the power $T$"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize="x-small", frameon=False)
    return figure


def _networks(data):
    return f"H = {data.attrs['n_units']}, {data.sizes['seed']} seeds"


def _draw_courses(ax, some, kind):
    """Tied weights over steps, and what PyTorch gives."""
    ax.axhline(0.0, color="0.7", linewidth=0.7, zorder=1)
    for i, colour in enumerate(_COLOURS):
        one = some.isel(initialisation=i)
        tied = np.log10(one["theory"].sel(rule="tied").values)
        ax.plot(some["step"][1:], tied[1:], color=colour, linewidth=2.2 if one["proposed"] else 1.2, zorder=3)
        for values in np.log10(one["measured"].values):
            ax.plot(some["measured_step"], values, "|", color=colour, markersize=6, zorder=4)
    ax.set_title(kind, fontsize="small")
    ax.set(xlabel="steps $T$", ylabel=r"$\log_{10}$ mean square of gradients")
    ax.tick_params(labelsize="x-small")


def _draw_ends(ax, some):
    """A row for each initialisation: the three rules and PyTorch after the last step."""
    names = some["name"].values.tolist()
    ax.axvline(0.0, color="0.7", linewidth=0.7, zorder=1)
    for i, colour in enumerate(_COLOURS):
        one = some.isel(initialisation=i)
        ends = np.log10(one["theory"].values[:, -1])
        ax.plot([ends.min(), ends.max()], [i, i], color=colour, linewidth=0.7, zorder=2)
        for end, marker, face in zip(ends, _MARKERS, (colour, "white", colour)):
            ax.plot(end, i, marker, color=colour, markersize=5, markerfacecolor=face, zorder=3)
        ax.plot(np.log10(one["measured"].values[:, -1]), np.full(some.sizes["seed"], i), "|", color=colour, markersize=11, zorder=4)
    ax.set_yticks(range(len(names)), names, fontsize="x-small")
    for tick, proposed in zip(ax.get_yticklabels(), some["proposed"].values):
        tick.set_fontweight("bold" if proposed else "normal")
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xlabel(f"$\\log_{{10}}$ mean square at $T = {int(some['step'][-1])}$")
    ax.tick_params(axis="x", labelsize="x-small")


def findings(data):
    """The numbers of the picture, as a table in Markdown."""
    lines = [
        f"Log10 of the mean square of d h_T / d (h_0[, c_0]), T = {int(data['step'][-1])}; PyTorch: {_networks(data)}, mean and "
        "standard deviation.",
        "",
        "| initialisation | tied | untied | mean squared singular value to the power T | PyTorch |",
        "|---|---|---|---|---|",
    ]
    for i in range(data.sizes["initialisation"]):
        one = data.isel(initialisation=i)
        tied, untied, textbook = np.log10(one["theory"].values[:, -1])
        measured = np.log10(one["measured"].values[:, -1])
        name = f"{one['kind'].item()} {one['name'].item()}"
        lines.append(
            f"| {name} | {tied:.3f} | {untied:.2f} | {textbook:.2f} | {measured.mean():.3f} +- {measured.std(ddof=1):.3f} |"
        )
    return "\n".join(lines) + "\n"
