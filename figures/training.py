"""Does theory say where gated networks can be trained? Runs of plain PyTorch beside what gradients at initialisation predict [T9].

A: updates that a GRU needs to learn noisy recall, over the rate at which its units forget and the candidate's gain, under
contours of theory's mean square of gradients G(T). B: the edge of clean recall: below G(T) = eps^2 gradients are too small for
Adam to rescale. C: LSTMs that remember equally long and amplify a change of a gain differently: which learning rates they stand.
D: initialisations that people use and that theory proposes on noisy recall, and on permuted digits, where every step matters.

Nothing is fitted: theory's numbers are computed first, from the initialisations alone. Modules are ``torch.nn.GRU`` and
``torch.nn.LSTM`` of 64 units, trained with Adam, batches of 32 and gradients clipped to 1.
"""

from __future__ import annotations

import json
from itertools import product

import numpy as np

import gating_theory as gt

from .common import BLACK, BLUE, GREEN, ORANGE, PAGE, PURPLE, VERMILLION
from .torch_runs import CLIP
from .training_findings import STANDS, findings, ranked, with_scatter
from .training_runs import BATCH, DONE, HELD, HIDDEN, LEARNED, RECENT, Run, run
from .training_starts import STARTS, Start, designed

__all__ = ["NEEDS", "TITLE", "compute", "draw", "findings", "settings"]

TITLE = "Where gated networks can be trained: theory's gradients at initialisation, and runs of PyTorch"
NEEDS = ("torch", "sklearn")

#: Adam's own.
EPS = 1e-8
#: Gains of the GRUs of section B; their biases are zero.
EDGE_GAIN = 0.6
#: Starts of section D that are trained on digits as well.
ON_DIGITS = (
    "GRU default",
    "GRU orthogonal",
    "GRU onset, no biases, orthogonal",
    "GRU chrono",
    "GRU design",
    "LSTM default, b_f = 1",
    "LSTM onset, no biases",
    "LSTM chrono",
    "LSTM design",
)

FULL = {
    "map": {
        "length": 50,
        "kappa": (1.0, 3.0, 6.0, 10.0, 15.0, 25.0),
        "rho": (0.0, 0.3, 0.6, 0.9, 1.0, 1.1),
        "rate": 1e-2,
        "updates": 1000,
        "seeds": 3,
        "fine": 25,
    },
    "edge": {
        "eps": (1e-4, 1e-6, 1e-8, 1e-12),
        "ratio": (0.7, 0.786, 0.871, 0.957, 1.043, 1.129, 1.214, 1.3, 1.45, 1.6, 1.8, 2.0),
        "rate": 1e-2,
        "updates": 400,
        "seeds": 5,
    },
    "double": {
        "eps": (1e-12,),
        "ratio": (0.7, 0.786, 0.871, 0.957, 1.043, 1.129, 1.214, 1.3),
        "rate": 1e-2,
        "updates": 400,
        "seeds": 5,
    },
    "step": {
        "length": 200,
        "shut": (0.0, 0.25, 0.5, 1.0),
        "rate": (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2),
        "updates": 1000,
        "seeds": 5,
    },
    "table": {
        "length": 100,
        "starts": (
            "GRU default",
            "GRU orthogonal",
            "GRU keras",
            "GRU onset, no biases, orthogonal",
            "GRU chrono",
            "GRU chrono, onset gain",
            "GRU design",
            "GRU design, kappa = 3",
            "LSTM default, b_f = 1",
            "LSTM keras",
            "LSTM onset, no biases",
            "LSTM chrono",
            "LSTM chrono, onset gain",
            "LSTM design",
        ),
        "rate": (3e-3, 1e-2),
        "updates": 900,
        "seeds": 5,
    },
    "digits": {"updates": 1500, "seeds": 3},
}
QUICK = {
    "map": {
        "length": 20,
        "kappa": (1.0, 3.0, 8.0),
        "rho": (0.3, 1.0),
        "rate": 1e-2,
        "updates": 300,
        "seeds": 1,
        "fine": 7,
    },
    "edge": {"eps": (1e-4, 1e-8), "ratio": (0.7, 1.3), "rate": 1e-2, "updates": 250, "seeds": 1},
    "double": {"eps": (1e-12,), "ratio": (0.7,), "rate": 1e-2, "updates": 150, "seeds": 1},
    "step": {"length": 60, "shut": (0.0, 1.0), "rate": (1e-3, 3e-2), "updates": 300, "seeds": 1},
    "table": {
        "length": 20,
        "starts": ("GRU default", "GRU chrono", "GRU design", "LSTM default, b_f = 1", "LSTM chrono", "LSTM design"),
        "rate": (1e-2,),
        "updates": 300,
        "seeds": 1,
    },
    "digits": {"updates": 150, "seeds": 1},
}


# --- compute


def compute(quick, rng, work):
    """Theory of all sections first, then the runs, each kept when it is finished; the seed shifts those of all runs."""
    import xarray as xr

    plan = QUICK if quick else FULL
    sections = {
        "map": _map(plan["map"], work),
        "edge": _edge(plan["edge"]),
        "double": _edge(plan["double"]),
        "step": _step(plan["step"]),
        "table": _table(plan["table"]),
        "digits": _digits(plan["table"]),
    }
    data = xr.Dataset(attrs={"settings": json.dumps(settings()), "plan": json.dumps(plan)})
    for name, section in sections.items():
        seeds = range(rng, rng + plan[name]["seeds"])
        data = data.merge(section.trained(name, plan[name]["updates"], seeds, work))
    return data


def settings():
    """What a reader needs to repeat the runs, besides this package and what is in the data."""
    from importlib.metadata import version

    made = {"hidden": HIDDEN, "batch": BATCH, "clip": CLIP, "optimiser": "Adam", "learned": LEARNED, "done": DONE}
    made |= {"recent": RECENT, "held": HELD, "edge_gain": EDGE_GAIN}
    return made | {name: version(name) for name in ("torch", "scikit-learn", "numpy")}


class _Section:
    """A grid of runs: theory of its points, and a run for each of them and each seed.

    Parameters
    ----------
    axes : {name: values}
    points : {indices along the axes: (task, Start, learning rate, eps)}; what is not there is not run
    theory : {name: (axes, values)}, and coordinates
    """

    def __init__(self, axes, points, theory):
        self.axes, self.points, self.theory = axes, points, theory

    def trained(self, name, updates, seeds, work):
        """The data of the section: its theory, and of each run when it learned (NaN: never), its score, its updates."""
        import xarray as xr

        # seeds outermost: of a run that was stopped whole seeds are there
        places = list(product(range(len(seeds)), self.points))
        pieces = []
        for number, point in places:
            task, start, rate, eps = self.points[point]
            asked = Run(task, start.recipe(), float(rate), float(eps), updates, seeds[number], name == "double")
            pieces.append(tuple(asked))
        rows = work.over(run, pieces, {"pieces": pieces, **settings()})
        found = {key: np.full((*map(len, self.axes.values()), len(seeds)), np.nan) for key in ("learned", "score", "updates")}
        for (number, point), row in zip(places, rows):
            for key, values in found.items():
                values[(*point, number)] = np.nan if row[key] is None else row[key]
        axes = tuple(f"{name}_{axis}" for axis in (*self.axes, "seed"))
        variables = {f"{name}_{key}": (axes, values) for key, values in found.items()}
        variables |= {f"{name}_{key}": (tuple(f"{name}_{axis}" for axis in own), v) for key, (own, v) in self.theory.items()}
        coordinates = {f"{name}_{axis}": list(values) for axis, values in {**self.axes, "seed": seeds}.items()}
        return xr.Dataset(variables, coordinates)


def _map(plan, work):
    """A: designed GRUs with other forgetting and other gains."""
    task, axes = f"noisy {plan['length']}", {"kappa": plan["kappa"], "rho": plan["rho"]}
    starts = {}
    for i, kappa in enumerate(plan["kappa"]):
        onset = designed("GRU", plan["length"], kappa)
        starts |= {(i, j): onset.louder(rho) for j, rho in enumerate(plan["rho"])}
    fine = (
        np.geomspace(plan["kappa"][0] / 1.5, plan["kappa"][-1] * 1.5, plan["fine"]),
        np.linspace(0.0, plan["rho"][-1] + 0.05, plan["fine"]),
    )
    logs = work.over(_map_log10, [(plan["length"], float(kappa), fine[1].tolist()) for kappa in fine[0]])
    theory = {
        "log10_gradient": (("kappa", "rho"), _filled(axes, {p: s.log10_gradients(plan["length"])[-1] for p, s in starts.items()})),
        "scatter": (("kappa", "rho"), _filled(axes, {p: s.scatter(plan["length"], HIDDEN) for p, s in starts.items()})),
        "fine_log10_gradient": (("fine_kappa", "fine_rho"), np.array(logs)),
        "fine_kappa": (("fine_kappa",), fine[0]),
        "fine_rho": (("fine_rho",), fine[1]),
    }
    return _Section(axes, {point: (task, start, plan["rate"], EPS) for point, start in starts.items()}, theory)


def _map_log10(length, kappa, rhos):
    onset = designed("GRU", length, kappa)
    return [float(onset.louder(rho).log10_gradients(length)[-1]) for rho in rhos]


def _edge(plan):
    """B: lengths about the one at which theory's gradients fall to eps of Adam."""
    start = Start("GRU", gt.Ensemble(gt.GRUResetAfter, EDGE_GAIN))
    logs, axes, points = start.log10_gradients(200), {"eps": plan["eps"], "ratio": plan["ratio"]}, {}
    predicted = [float(np.interp(-2.0 * np.log10(eps), -logs, np.arange(logs.size))) for eps in plan["eps"]]
    lengths = np.rint(np.outer(predicted, plan["ratio"])).astype(int)
    for (i, j), length in np.ndenumerate(lengths):
        points[i, j] = f"clean {length}", start, plan["rate"], plan["eps"][i]
    theory = {
        "predicted": (("eps",), predicted),
        "length": (("eps", "ratio"), lengths),
        "log10_gradient": (("eps", "ratio"), logs[lengths]),
    }
    return _Section(axes, points, theory)


def _step(plan):
    """C: input gates shut by a share of what keeps gains of order one."""
    axes, points = {"shut": plan["shut"], "rate": plan["rate"]}, {}
    bias = designed("LSTM", plan["length"]).ensemble.bias["f"]
    starts = [designed("LSTM", plan["length"], given=(("bias.i", -share * bias),)) for share in plan["shut"]]
    for i, j in product(range(len(starts)), range(len(plan["rate"]))):
        points[i, j] = f"clean {plan['length']}", starts[i], plan["rate"][j], EPS
    theory = {
        "sensitivity": (("shut",), [start.sensitivity(plan["length"]) for start in starts]),
        "log10_gradient": (("shut",), [start.log10_gradients(plan["length"])[-1] for start in starts]),
    }
    return _Section(axes, points, theory)


def _table(plan):
    """D: what people use and what theory proposes."""
    return _of_starts(f"noisy {plan['length']}", plan["length"], plan["starts"], plan["starts"], plan["rate"])


def _digits(table):
    """D: the same on permuted digits."""
    some = [name for name in table["starts"] if name in ON_DIGITS]
    return _of_starts("permuted", 64, table["starts"], some, table["rate"])


def _of_starts(task, length, names, some, rates):
    axes, points, known = {"start": names, "rate": rates}, {}, np.full((2, len(names)), np.nan)
    for i, name in enumerate(names):
        kind, _, short = name.partition(" ")
        if name in some:
            start = STARTS[kind][short](length)
            known[:, i] = start.log10_gradients(length)[-1], start.scatter(length, HIDDEN)
            points |= {(i, j): (task, start, rate, EPS) for j, rate in enumerate(rates)}
    return _Section(axes, points, {"log10_gradient": (("start",), known[0]), "scatter": (("start",), known[1])})


def _filled(axes, values):
    out = np.full(tuple(map(len, axes.values())), np.nan)
    for place, value in values.items():
        out[place] = value
    return out


# --- draw


_COLOURS, _MARKERS = (BLUE, GREEN, ORANGE, VERMILLION, BLACK), "osD^v"
#: Levels of lg G drawn over the map.
_LEVELS = (-16, -8, -4, -2, -1, 0)
#: How far the dots of two learning rates, and of seeds, lie from their row's middle.
_APART, _SPREAD = 0.17, 0.12


def draw(data):
    """Sections A, B, C side by side; D below them, noisy recall and digits with a row for each initialisation."""
    from matplotlib.figure import Figure

    plan = json.loads(data.attrs["plan"])
    rows = data.sizes["table_start"]
    figure = Figure(figsize=(PAGE, 3.0 + 0.19 * rows), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(2.35, 0.65 + 0.19 * rows))
    first, second, third = above.subplots(1, 3, width_ratios=(1.3, 1.0, 1.0))
    _draw_map(first, data, plan["map"])
    _draw_edge(second, data)
    _draw_step(third, data, plan["step"])
    left, right = below.subplots(1, 2, width_ratios=(1.5, 1.0), sharey=True)
    _draw_table(left, data, plan["table"])
    _draw_digits(right, data)
    for ax in (first, second, third, left, right):
        ax.tick_params(labelsize="x-small")
    return figure


def _titled(ax, letter, words):
    ax.set_title(f"{letter}  {words}", fontsize="small", loc="left")


def _draw_map(ax, data, plan):
    from matplotlib.colors import LogNorm
    from matplotlib.patheffects import withStroke
    from matplotlib.ticker import NullFormatter, NullLocator

    kappas, rhos = data["map_kappa"].values, data["map_rho"].values
    edges = np.exp(_between(np.log(kappas))), _between(rhos)
    median = ranked(data["map_learned"].values)
    shown = np.ma.masked_invalid(median).T
    ax.set_facecolor("0.85")
    mesh = ax.pcolormesh(*edges, shown, cmap="cividis_r", norm=LogNorm(100, plan["updates"]), linewidth=0)
    seeds, outlined = data.sizes["map_seed"], [withStroke(linewidth=1.5, foreground="white")]
    for (i, j), count in np.ndenumerate(np.isfinite(data["map_learned"].values).sum(axis=-1)):
        if count < seeds:
            middle = np.exp(np.log(edges[0][i : i + 2]).mean()), edges[1][j : j + 2].mean()
            ax.text(*middle, f"{count}/{seeds}", ha="center", va="center", fontsize="xx-small", path_effects=outlined, zorder=6)
    fine = data["map_fine_kappa"], data["map_fine_rho"], data["map_fine_log10_gradient"].transpose("map_fine_rho", "map_fine_kappa")
    lines = ax.contour(*fine, _LEVELS, colors=VERMILLION, linewidths=1.1, linestyles="-")
    ax.clabel(lines, fmt="%d", fontsize="xx-small")
    ax.set_xscale("log")
    ax.set_xlim(edges[0][0], edges[0][-1])
    ax.set_ylim(edges[1][0], edges[1][-1])
    ax.set_xticks(kappas, [f"{kappa:g}" for kappa in kappas])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_yticks(rhos)
    ax.set_xlabel(r"$\kappa$: $1 - z = \kappa/(T + \kappa)$", fontsize="small")
    ax.set_ylabel(r"$\rho$: gain over that of the onset", fontsize="small")
    bar = ax.figure.colorbar(mesh, ax=ax, pad=0.02)
    bar.set_label("updates to learn", fontsize="x-small")
    bar.ax.tick_params(labelsize="xx-small")
    ticks = [tick for tick in (100, 200, 500, 1000) if tick <= plan["updates"]]
    bar.set_ticks(ticks, labels=[str(tick) for tick in ticks])
    bar.ax.yaxis.set_minor_formatter(NullFormatter())
    _titled(ax, "A", rf"noisy recall, $T = {plan['length']}$; lines: $\lg G(T)$")


def _draw_edge(ax, data):
    ax.axvline(1.0, color=BLACK, linewidth=0.8, linestyle=(0, (4, 3)))
    curves = [("edge", number, "") for number in range(data.sizes["edge_eps"])]
    curves += [("double", number, ", double") for number in range(data.sizes["double_eps"])]
    for place, (name, number, words) in enumerate(curves):
        one = data.isel({f"{name}_eps": number})
        eps = float(one[f"{name}_eps"])
        share = np.isfinite(one[f"{name}_learned"].values).mean(axis=-1)
        ratio = one[f"{name}_length"].values / float(one[f"{name}_predicted"])
        style = {"color": _COLOURS[place], "marker": _MARKERS[place], "markersize": 3.5, "linewidth": 0.9}
        ax.plot(ratio, share, label=rf"$\epsilon = 10^{{{np.log10(eps):.0f}}}${words}", **style)
    ax.set_ylim(-0.06, 1.06)
    ax.set_yticks([0.0, 0.5, 1.0])
    ax.set_ylabel("share of seeds that learn", fontsize="small")
    ax.set_xlabel(r"$T / T^*$, $\lg G(T^*) = 2 \lg \epsilon$", fontsize="small")
    ax.legend(fontsize="xx-small", frameon=False, loc="upper right", bbox_to_anchor=(1.0, 0.93), borderaxespad=0.1)
    _titled(ax, "B", "clean recall: edge")


def _draw_step(ax, data, plan):
    from matplotlib.ticker import NullLocator

    never, rates = _never(ax, plan["updates"], "y"), data["step_rate"].values
    ax.axvline(STANDS, color=BLACK, linewidth=0.8, linestyle=(0, (4, 3)))
    for number, size in enumerate(data["step_sensitivity"].values):
        learned = np.nan_to_num(data["step_learned"].isel(step_shut=number).values, nan=never)
        # seeds and series beside each other
        beside = np.exp(0.12 * np.linspace(-1.0, 1.0, learned.shape[-1])) if learned.shape[-1] > 1 else np.ones(1)
        place = size * rates[:, None] * beside
        style = {
            "color": _COLOURS[number],
            "marker": _MARKERS[number],
            "markersize": 2.6,
            "linestyle": "none",
            "markeredgewidth": 0,
        }
        ax.plot(place.ravel(), learned.ravel(), label=rf"$\Lambda = {size:.2g}$", **style)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ticks = [tick for tick in (10, 30, 100, 300, 1000) if tick <= plan["updates"]]
    ax.set_yticks([*ticks, never], [*map(str, ticks), "not"])
    ax.yaxis.set_minor_locator(NullLocator())
    ax.set_ylim(top=_TOP * plan["updates"])
    ax.set_ylabel("updates to learn", fontsize="small")
    ax.set_xlabel(r"$\Lambda \times$ learning rate", fontsize="small")
    ax.legend(fontsize="xx-small", frameon=False, loc="lower left", borderaxespad=0.1, handletextpad=0.1)
    _titled(ax, "C", "LSTM: step size")


#: Runs that did not learn lie in a band from here to there, in units of the number of updates that they had.
_BAND, _NOT, _TOP = 1.1, 1.3, 1.55


def _never(ax, updates, axis):
    """Where runs are drawn that did not learn."""
    (ax.axhspan if axis == "y" else ax.axvspan)(_BAND * updates, _TOP * updates, color="0.9", linewidth=0)
    return _NOT * updates


def _draw_table(ax, data, plan):
    from matplotlib.lines import Line2D
    from matplotlib.ticker import NullLocator

    never, names = _never(ax, plan["updates"], "x"), data["table_start"].values
    _dots(ax, np.nan_to_num(data["table_learned"].values, nan=never))
    ax.set_xscale("log")
    ax.set_xlim(right=_TOP * plan["updates"])
    ticks = [tick for tick in (50, 100, 200, 400, 900) if tick <= plan["updates"]]
    ax.set_xticks([*ticks, never], [*map(str, ticks), "not"])
    ax.xaxis.set_minor_locator(NullLocator())
    known = zip(names, data["table_log10_gradient"].values, data["table_scatter"].values)
    ax.set_yticks(range(names.size), [f"{name}  ({with_scatter(lg, scatter)})" for name, lg, scatter in known])
    ax.set_ylim(names.size - 0.5, -0.5)
    ax.set_xlabel("updates to learn", fontsize="small")
    for row in range(1, names.size):
        if names[row].split()[0] != names[row - 1].split()[0]:
            ax.axhline(row - 0.5, color="0.6", linewidth=0.6)
    handles = [
        Line2D([], [], color=_RATES[number], marker="o", markersize=3.5, linestyle="none", label=f"learning rate {rate:g}")
        for number, rate in enumerate(data["table_rate"].values)
    ]
    ax.legend(handles=handles, fontsize="xx-small", frameon=False, loc="lower left", borderaxespad=0.3)
    _titled(ax, "D", rf"noisy recall, $T = {plan['length']}$ (beside the names: $\lg G$)")


def _draw_digits(ax, data):
    score = np.where(np.isfinite(data["digits_log10_gradient"].values)[:, None, None], data["digits_score"].values, np.nan)
    _dots(ax, score)
    ax.tick_params(labelleft=False)
    ax.set_xlabel("accuracy", fontsize="small")
    _titled(ax, "", "permuted digits, 64 steps")


_RATES = (BLUE, PURPLE)


def _dots(ax, values):
    """A row for each start, above each other the learning rates, a dot for each seed."""
    starts, rates, seeds = values.shape
    for rate in range(rates):
        middle = (rate - (rates - 1) / 2) * 2 * _APART
        for start in range(starts):
            rows = start + middle + np.linspace(-_SPREAD, _SPREAD, seeds) if seeds > 1 else [start + middle]
            ax.plot(values[start, rate], rows, "o", color=_RATES[rate], markersize=2.6, markeredgewidth=0, alpha=0.85)
    for start in range(starts):
        ax.axhline(start, color="0.92", linewidth=0.5, zorder=0)


def _between(values):
    """Edges of cells around these values."""
    middle = (values[1:] + values[:-1]) / 2
    return np.concatenate([[values[0] - (middle[0] - values[0])], middle, [values[-1] + (values[-1] - middle[-1])]])
