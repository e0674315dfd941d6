"""Does theory say where gated networks can be trained? Scores over (gain, bias) of random initialisations, with theory's lines.

Small GRUs and LSTMs of PyTorch are trained from initialisations over a grid of the candidate's gain and the slow gate's bias
(all other gains 1, other biases 0), and from PyTorch's default, orthogonal, chrono and designed ones. Tasks: scikit-learn's
handwritten digits as sequences of 64 pixels, in their order and permuted; recall of one of eight symbols after a delay; the adding
problem. Scores are measured on data not trained on: accuracy, for the adding problem the share of variance explained. The lines
drawn over them come from theory alone: where the zero state becomes unstable (onset), and a given fraction of modes slower than the
task is long.

Networks that differ in their initialisation only are trained side by side, as one batched computation, with the same data.
"""

from __future__ import annotations

import json

import numpy as np

import gating_theory as gt
from gating_theory.ensemble.hyperparameters import symbol

from .common import BLACK, VERMILLION, panels
from .sequence_tasks import make_task
from .torch_runs import fast_torch

TITLE = "Where random gated networks can be trained: scores over gain and bias, with theory's lines"
NEEDS = ("torch", "sklearn")

#: Cell -> (cell of the theory, path of the gain, path of the slow gate's bias)
PLANS = {"GRU": ("GRUResetAfter", "gain.h", "bias.z"), "LSTM": ("LSTM", "gain.g", "bias.f")}
BASELINES = ("default", "orthogonal", "chrono", "designed")
#: The designed initialisation: this fraction of modes slower than the task is long, and a spectrum that ends just before 1.
DESIGN_FRACTION = 0.2
HIDDEN, BATCH, LEARNING_RATE, CLIP, SIDE_BY_SIDE = 32, 32, 3e-3, 1.0, 10
#: "Slow" in what is said of the findings: this fraction of modes outlives the task.
SLOW = 0.05
#: Slow fractions whose lines are drawn, and their styles.
LINES = {SLOW: ":", 0.2: "--", 0.5: "-."}

#: Updates for each task: long sequences cost more, and the digits need the most. fine: points of theory's lines along each axis.
FULL = {
    "updates": {"recall 20": 100, "recall 100": 120, "recall 200": 100, "adding 50": 200, "digits": 200, "permuted": 200},
    "gain": (0.25, 0.7, 1.8, 5.0),
    "bias": (-1.0, 1.0, 3.0, 5.0),
    "n_seeds": 3,
    "fine": 25,
}
QUICK = {
    "updates": {"recall 20": 60, "digits": 50},
    "gain": (0.25, 1.0, 4.0),
    "bias": (-1.0, 2.0, 5.0),
    "n_seeds": 1,
    "fine": 7,
}


# --- networks side by side


def stacked(modules, readouts):
    """Weights of G modules of one kind as leaves of one computation; rows of W become columns."""
    import torch

    def of(name):
        return torch.stack([getattr(m, name).detach().mT if "weight" in name else getattr(m, name).detach()[None] for m in modules])

    weights = {name: of(f"{name}_l0") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    weights["weight_out"] = torch.stack([r.weight.detach().mT for r in readouts])
    weights["bias_out"] = torch.stack([r.bias.detach()[None] for r in readouts])
    return {name: w.contiguous().requires_grad_() for name, w in weights.items()}


def forward(kind, weights, x):
    """Outputs (G, B, n_out) of G networks after the last step of x (T, B, I): PyTorch's own step, for all of them at once."""
    import torch

    G, H = weights["weight_hh"].shape[:2]
    projected = torch.einsum("tbi,gij->tgbj", x, weights["weight_ih"]) + weights["bias_ih"]
    h = c = torch.zeros(G, x.shape[1], H)
    U, b = weights["weight_hh"], weights["bias_hh"].expand(-1, x.shape[1], -1)
    # split, not sliced: the gradient of a slice fills the rest with zeros
    sizes = [2 * H, H] if kind == "GRU" else [2 * H, H, H]
    for p in projected.unbind(0):
        y = torch.baddbmm(b, h, U)
        if kind == "GRU":
            (p_gates, p_h), (y_gates, y_h) = p.split(sizes, -1), y.split(sizes, -1)
            r, z = torch.sigmoid(p_gates + y_gates).split(H, -1)
            h = torch.lerp(torch.tanh(torch.addcmul(p_h, r, y_h)), h, z)
        else:
            y_gates, y_g, y_o = (p + y).split(sizes, -1)
            i, f = torch.sigmoid(y_gates).split(H, -1)
            c = torch.addcmul(f * c, i, torch.tanh(y_g))
            h = torch.sigmoid(y_o) * torch.tanh(c)
    return torch.baddbmm(weights["bias_out"].expand(-1, x.shape[1], -1), h, weights["weight_out"])


def losses(output, target):
    """(G,) mean losses: cross entropy for labels, squared error for numbers."""
    import torch

    G = output.shape[0]
    if target.dtype == torch.int64:
        return torch.nn.functional.cross_entropy(output.mT, target.expand(G, -1), reduction="none").mean(1)
    return ((output[..., 0] - target) ** 2).mean(1)


def scores(output, target):
    """(G,) accuracies, or the share of variance explained."""
    import torch

    if target.dtype == torch.int64:
        return (output.argmax(-1) == target).float().mean(1).numpy()
    return (1.0 - ((output[..., 0] - target) ** 2).mean(1) / target.var()).clamp(min=0.0).numpy()


def train(kind, modules, readouts, task, n_updates, seed):
    """Train networks side by side with Adam; (G,) scores on test data."""
    import torch

    weights = stacked(modules, readouts)
    optimiser = torch.optim.Adam(weights.values(), lr=LEARNING_RATE)
    rng = np.random.default_rng(1000 + seed)
    for _ in range(n_updates):
        x, target = (torch.from_numpy(a) for a in task.batch(rng, BATCH))
        optimiser.zero_grad(set_to_none=True)
        losses(forward(kind, weights, x), target).sum().backward()
        # each network by the norm of its own gradient
        norm = torch.sqrt(sum((w.grad**2).sum((1, 2)) for w in weights.values()))
        shrink = (CLIP / (norm + 1e-6)).clamp(max=1.0)
        for w in weights.values():
            w.grad.mul_(shrink[:, None, None])
        optimiser.step()
    with torch.no_grad():
        x, target = (torch.from_numpy(a) for a in task.test())
        # in pieces of the size of a batch, which stay in the cache
        return scores(torch.cat([forward(kind, weights, piece) for piece in x.split(BATCH, 1)], 1), target)


# --- initialisations


def ensemble_at(kind, gain, bias):
    cell, gain_path, bias_path = PLANS[kind]
    return gt.Ensemble(getattr(gt, cell)).replace({gain_path: gain, bias_path: bias})


def initialised(kind, how, task, seed):
    """A module and its readout. ``how``: a name in BASELINES, (gain, bias), or an ensemble as a dict. A seed has one readout."""
    import torch

    from gating_theory.interop import torch as bridge

    torch.manual_seed(seed)
    module = {"GRU": torch.nn.GRU, "LSTM": torch.nn.LSTM}[kind](task.n_in, HIDDEN)
    readout = torch.nn.Linear(HIDDEN, task.n_out)
    rng = np.random.default_rng(seed)
    if how == "orthogonal":
        bridge.init_(module, gt.orthogonal(getattr(gt, PLANS[kind][0])), rng)
    elif how == "chrono":
        bridge.init_(module, gt.chrono(getattr(gt, PLANS[kind][0]), task.length), rng, what="biases")
    elif how != "default":
        ensemble = gt.Ensemble.from_dict(how) if isinstance(how, dict) else ensemble_at(kind, *how)
        bridge.init_(module, ensemble, rng)
    return module, readout


def designed(kind, length):
    """The initialisation that theory proposes for a task of this length, as a dict."""
    cell, *free = PLANS[kind]
    target = {"slow_fraction": {length: DESIGN_FRACTION}, "abscissa": 1.0 - 0.1 / length}
    return gt.design(getattr(gt, cell), target, free=free).ensemble.as_dict()


def run_job(kind, task_name, seed, hows, n_updates):
    """Scores of some initialisations of one kind, task and seed."""
    task = make_task(task_name)
    out = []
    with fast_torch():
        pairs = [initialised(kind, how, task, seed) for how in hows]
        for first in range(0, len(pairs), SIDE_BY_SIDE):
            modules, readouts = zip(*pairs[first : first + SIDE_BY_SIDE])
            out.append(train(kind, modules, readouts, task, n_updates, seed))
    return np.concatenate(out).tolist()


# --- compute


def compute(quick, rng, work):
    """Train everything: initialisations of one cell, task and seed are a piece, kept when it is finished."""
    import xarray as xr

    plan = QUICK if quick else FULL
    tasks, seeds = list(plan["updates"]), range(rng, rng + plan["n_seeds"])
    points = [(a, b) for a in plan["gain"] for b in plan["bias"]]
    lengths = [make_task(task).length for task in tasks]
    places = [(cell, length) for cell in PLANS for length in lengths]
    designs = dict(zip(places, work.over(designed, places)))
    # the longest pieces first: the last ones, which may leave a processor idle, are short
    jobs = [(cell, task, seed) for seed in seeds for task in tasks for cell in PLANS]
    size = {task: length * plan["updates"][task] for task, length in zip(tasks, lengths)}
    order = sorted(range(len(jobs)), key=lambda k: -size[jobs[k][1]])
    pieces = []
    for cell, task, seed in (jobs[k] for k in order):
        own = designs[cell, lengths[tasks.index(task)]]
        pieces.append((cell, task, seed, [*points, *BASELINES[:-1], own], plan["updates"][task]))
    found = np.empty((len(jobs), len(points) + len(BASELINES)))
    found[order] = work.over(run_job, pieces, {"pieces": pieces, **settings()})
    found = found.reshape(len(seeds), len(tasks), len(PLANS), -1)
    axes = ("seed", "task", "cell")
    variables = {
        "score": ((*axes, "gain", "bias"), found[..., : len(points)].reshape(*found.shape[:3], len(plan["gain"]), -1)),
        "baseline_score": ((*axes, "baseline"), found[..., len(points) :]),
        "length": ("task", lengths),
        "chance": ("task", [make_task(task).chance for task in tasks]),
        "updates": ("task", [plan["updates"][task] for task in tasks]),
    }
    coordinates = {"seed": list(seeds), "task": tasks, "cell": list(PLANS), "gain": list(plan["gain"])}
    coordinates |= {"bias": list(plan["bias"]), "baseline": list(BASELINES)}
    data = xr.Dataset(variables, coordinates, {"settings": json.dumps(settings())})
    gain, bias = (
        np.linspace(*_edges(np.asarray(values))[[0, -1]], plan["fine"]) for values in (np.log(plan["gain"]), plan["bias"])
    )
    lines = theory(data["length"], np.exp(gain), bias, work)
    lines = lines.rename({"gain": "fine_gain", "bias": "fine_bias", "abscissa": "fine_abscissa", "slow": "fine_slow"})
    return data.merge(theory(data["length"], data["gain"].values, data["bias"].values, work)).merge(lines)


def settings():
    """What a reader needs to repeat the runs, besides this package and what is in the data."""
    from importlib.metadata import version

    made = {"hidden": HIDDEN, "batch": BATCH, "learning_rate": LEARNING_RATE, "clip": CLIP, "optimiser": "Adam"}
    made |= {name: version(name) for name in ("torch", "scikit-learn", "numpy")}
    return made | {"design_fraction": DESIGN_FRACTION}


def theory(lengths, gains, biases, work):
    """The zero state's abscissa, and the fraction of its modes that are slower than each task is long."""
    import xarray as xr

    points = [(cell, float(a), float(b), lengths.values.tolist()) for cell in PLANS for a in gains for b in biases]
    found = np.array(work.over(_zero_spectrum, points)).reshape(len(PLANS), len(gains), len(biases), -1)
    axes = ("cell", "gain", "bias")
    variables = {"abscissa": (axes, found[..., 0]), "slow": ((*axes, "task"), found[..., 1:])}
    return xr.Dataset(variables, {"cell": list(PLANS), "gain": gains, "bias": biases, "task": lengths["task"].values})


def _zero_spectrum(kind, gain, bias, lengths):
    from gating_theory.mean_field.fixed_points import zero_state

    spectrum = gt.Spectrum(zero_state(ensemble_at(kind, gain, bias)))
    return [spectrum.abscissa(), *spectrum.slow_fraction(lengths, tol=1e-3)]


# --- draw, and say what was found


def draw(data):
    """A panel for each cell and task: mean score of the seeds, onset of instability, lines of equal slow fraction."""
    from matplotlib.lines import Line2D

    columns = min(3, data.sizes["task"])
    rows = data.sizes["cell"] * (data.sizes["task"] // columns)
    figure, axes = panels(rows, columns, height=1.75, sharex=True)
    gains, biases = data["gain"].values, data["bias"].values
    edges = np.exp(_edges(np.log(gains))), _edges(biases)
    places = [(cell, task) for cell in data["cell"].values for task in data["task"].values]
    for ax, (cell, task) in zip(axes.flat, places):
        one = data.sel(cell=cell, task=task)
        score = one["score"].mean("seed").transpose("bias", "gain")
        mesh = ax.pcolormesh(*edges, score, cmap="cividis", vmin=0.0, vmax=1.0)
        lines = one["fine_gain"], one["fine_bias"]
        ax.contour(*lines, one["fine_abscissa"].transpose("fine_bias", "fine_gain"), [1.0], colors=BLACK, linewidths=1.4)
        slow = one["fine_slow"].transpose("fine_bias", "fine_gain")
        for level, style in LINES.items():
            ax.contour(*lines, slow, [level], colors=VERMILLION, linewidths=1.2, linestyles=[style])
        ax.set_xscale("log")
        ax.set_xticks(gains, [f"{g:g}" for g in gains])
        ax.minorticks_off()
        ax.set_yticks(biases)
        ax.set_title(f"{cell}, {task}", fontsize="small")
        ax.tick_params(labelsize="x-small")
        names = [symbol(path) for path in PLANS[cell][1:]]
        if ax.get_subplotspec().is_first_col():
            ax.set_ylabel(names[1])
        ax.set_xlabel(names[0])
    figure.colorbar(mesh, ax=axes, label="score on test data", shrink=0.5)
    handles = [Line2D([], [], color=BLACK, linewidth=1.4, label="zero state unstable to the right")]
    label = "of the modes outlive the task"
    handles += [
        Line2D([], [], color=VERMILLION, linewidth=1.2, linestyle=style, label=f"{100 * level:g} % {label}")
        for level, style in LINES.items()
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=2, fontsize="x-small", frameon=False)
    return figure


def _edges(centres):
    """Of cells that touch half-way between their centres."""
    between = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[1.5 * centres[0] - 0.5 * centres[1]], between, [1.5 * centres[-1] - 0.5 * centres[-2]]])


def findings(data):
    """What the numbers say of each cell and task, good or bad for the theory, and of all together."""
    places = [(cell, task) for cell in data["cell"].values for task in data["task"].values]
    seeds = data.sizes["seed"]
    lines = [
        f"Mean scores of {seeds} seed{'s'[: seeds != 1]}, {HIDDEN} hidden units.",
        "Score: accuracy, but in the adding problem the explained share of the variance.",
        "abscissa: of the zero state's spectrum. slow: the fraction of its modes that outlive the task.",
        "",
    ]
    ordered = {"abscissa": {}, "slow fraction": {}}
    for cell, task in places:
        one = data.sel(cell=cell, task=task)
        mean = one["score"].mean("seed")
        steps, updates, chance = (one[name].item() for name in ("length", "updates", "chance"))
        lines.append(f"{cell}, {task} ({steps} steps, {updates} updates; chance {chance:.3g})")
        for name, criterion in (("unstable", one["abscissa"] > 1.0), (f"slow >= {SLOW:g}", one["slow"] >= SLOW)):
            sides = [
                f"{word} {float(mean.where(m).mean()):.2f} ({int(m.sum())})"
                for word, m in (("yes", criterion), ("no", ~criterion))
                if m.any()
            ]
            lines.append(f"  {name}: mean score (points) {', '.join(sides)}")
        ordered["abscissa"][cell, task] = _rank_correlation(one["abscissa"], mean)
        ordered["slow fraction"][cell, task] = _rank_correlation(one["slow"], mean)
        words = ", ".join(f"{name} {_signed(found[cell, task])}" for name, found in ordered.items())
        lines.append(f"  rank correlation of the score with: {words}")
        best = mean.where(mean == mean.max(), drop=True).stack(point=("gain", "bias")).dropna("point")[0]
        at = one.sel(gain=float(best["gain"]), bias=float(best["bias"]))
        lines.append(
            f"  best {float(best):.2f} at {PLANS[cell][1]} = {float(best['gain']):g}, {PLANS[cell][2]} = {float(best['bias']):g}: "
            f"abscissa {float(at['abscissa']):.3f}, slow {float(at['slow']):.2f}"
        )
        base = one["baseline_score"].mean("seed")
        lines.append("  " + ", ".join(f"{name} {float(base.sel(baseline=name)):.2f}" for name in data["baseline"].values))
        if seeds > 1:
            lines.append(
                f"  standard deviation between seeds, mean over the grid: {float(one['score'].std('seed', ddof=1).mean()):.2f}"
            )
    lines.append("")
    for name, found in ordered.items():
        told = [f"{cell} {task}" for (cell, task), value in found.items() if value >= 0.5]
        not_told = [f"{cell} {task}" for (cell, task), value in found.items() if not value >= 0.5]
        lines.append(
            f"Scores rise with the {name}, by a rank correlation of at least 0.5, in {len(told)} of {len(found)}: "
            f"{', '.join(told) or 'none'};"
        )
        lines.append(f"  not in: {', '.join(not_told) or 'none'}.")
    return "\n".join(lines) + "\n"


def _rank_correlation(x, y):
    """Spearman's, NaN where one of the two is constant."""
    from scipy.stats import spearmanr

    x, y = (v.transpose("gain", "bias").values.ravel() for v in (x, y))
    return float(spearmanr(x, y).statistic) if np.ptp(x) > 0 and np.ptp(y) > 0 else np.nan


def _signed(value):
    return f"{value:+.2f}" if np.isfinite(value) else "undefined"
