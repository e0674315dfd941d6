"""Does theory say where gated networks can be trained? Accuracy over (gain, bias) of random initialisations, with theory's lines.

    python figures/training.py --quick            # three minutes: small grid, one seed
    python figures/training.py --jobs 2           # the whole grid
    python figures/training.py --draw             # only draws what is in figures/data

Small GRUs and LSTMs of PyTorch are trained from initialisations over a grid of the candidate's gain and the slow gate's bias
(all other gains 1, other biases 0), and from PyTorch's default, orthogonal, chrono and designed ones. Tasks: scikit-learn's
handwritten digits as sequences of 64 pixels, in their order and permuted; recall of one of eight symbols after a delay; the adding
problem. Scores are measured on data not trained on: accuracy, for the adding problem the share of variance explained. The lines
drawn over them come from theory alone: where the zero state becomes unstable (onset), and a given fraction of modes slower than the
task is long.

Networks that differ in their initialisation only are trained side by side, as one batched computation, with the same data.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import nullcontext
from functools import cache
from pathlib import Path

import numpy as np

import gating_theory as gt

DATA = Path(__file__).parent / "data"
HERE = Path(__file__).parent

#: Cell -> (PyTorch module, path of the gain, path of the slow gate's bias)
PLANS = {"GRU": ("GRUResetAfter", "gain.h", "bias.z"), "LSTM": ("LSTM", "gain.g", "bias.f")}
BASELINES = ("default", "orthogonal", "chrono", "designed")
#: The designed initialisation: this fraction of modes slower than the task is long, and a spectrum that ends just before 1.
DESIGN_FRACTION = 0.2
HIDDEN, BATCH, LEARNING_RATE, CLIP, SIDE_BY_SIDE = 32, 32, 3e-3, 1.0, 15

FULL = {
    "tasks": ("digits", "permuted", "recall 20", "recall 100", "adding 50"),
    "gain": (0.5, 1.0, 2.0, 3.0, 4.0),
    "bias": (-1.0, 0.0, 1.5, 3.0, 4.5),
    "n_seeds": 3,
    "n_updates": 250,
}
QUICK = {"tasks": ("recall 20", "digits"), "gain": (0.5, 2.0, 4.0), "bias": (0.0, 2.0, 4.0), "n_seeds": 1, "n_updates": 60}


# --- tasks: batches of inputs (T, B, I) and targets (B,), and a score


class Digits:
    """Handwritten digits, one pixel a step; 1297 images to train on, 500 to test, permuted by one fixed permutation or not."""

    n_out, n_in, length, chance = 10, 1, 64, 0.1

    def __init__(self, permuted):
        from sklearn.datasets import load_digits

        images, labels = load_digits(return_X_y=True)
        images = (images - images.mean()) / images.std()
        order = np.random.default_rng(7).permutation(len(images))  # the split and the permutation are the task's, not the seed's
        if permuted:
            images = images[:, np.random.default_rng(8).permutation(64)]
        self.images, self.labels = images[order].astype(np.float32), labels[order]

    def batch(self, rng, size):
        chosen = rng.integers(0, 1297, size)
        return self.images[chosen].T[:, :, None], self.labels[chosen]

    def test(self):
        return self.images[1297:].T[:, :, None], self.labels[1297:]


class Recall:
    """One of eight symbols shown at the first step, asked for after a delay of noise (standard deviation 0.1)."""

    n_out, n_in, chance = 8, 9, 0.125

    def __init__(self, delay):
        self.length = delay + 2

    def batch(self, rng, size):
        x = np.zeros((self.length, size, self.n_in), dtype=np.float32)
        x[1:, :, :8] = 0.1 * rng.standard_normal((self.length - 1, size, 8))
        symbol = rng.integers(0, 8, size)
        x[0, np.arange(size), symbol] = 1.0
        x[-1, :, 8] = 1.0
        return x, symbol

    def test(self):
        return self.batch(np.random.default_rng(9), 512)


class Adding:
    """The sum of the two marked ones among T uniform numbers, one in each half."""

    n_out, n_in, chance = 1, 2, 0.0

    def __init__(self, length):
        self.length = length

    def batch(self, rng, size):
        half = self.length // 2
        x = np.zeros((self.length, size, 2), dtype=np.float32)
        x[:, :, 0] = rng.uniform(0.0, 1.0, (self.length, size))
        rows = np.arange(size)
        first, second = rng.integers(0, half, size), rng.integers(half, self.length, size)
        x[first, rows, 1] = x[second, rows, 1] = 1.0
        return x, (x[first, rows, 0] + x[second, rows, 0] - 1.0).astype(np.float32)

    def test(self):
        return self.batch(np.random.default_rng(9), 512)


def make_task(name):
    kind, _, number = name.partition(" ")
    if kind in ("digits", "permuted"):
        return Digits(kind == "permuted")
    return {"recall": Recall, "adding": Adding}[kind](int(number))


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
    for p in projected.unbind(0):
        y = torch.baddbmm(b, h, U)
        if kind == "GRU":
            r, z = torch.sigmoid(p[..., : 2 * H] + y[..., : 2 * H]).split(H, -1)
            h = torch.lerp(torch.tanh(torch.addcmul(p[..., 2 * H :], r, y[..., 2 * H :])), h, z)
        else:
            y = p + y
            i, f = torch.sigmoid(y[..., : 2 * H]).split(H, -1)
            c = torch.addcmul(f * c, i, torch.tanh(y[..., 2 * H : 3 * H]))
            h = torch.sigmoid(y[..., 3 * H :]) * torch.tanh(c)
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
        return scores(forward(kind, weights, x), target)


# --- initialisations


def ensemble_at(kind, gain, bias):
    cell, gain_path, bias_path = PLANS[kind]
    return gt.Ensemble(getattr(gt, cell)).replace({gain_path: gain, bias_path: bias})


def initialised(kind, how, task, seed):
    """A module and its readout: ``how`` is a baseline's name or (gain, bias). Other weights depend on the seed only."""
    import torch

    from gating_theory.interop import torch as bridge

    torch.manual_seed(seed)
    module = {"GRU": torch.nn.GRU, "LSTM": torch.nn.LSTM}[kind](task.n_in, HIDDEN)
    readout = torch.nn.Linear(HIDDEN, task.n_out)
    rng = np.random.default_rng(seed)
    if how == "orthogonal":
        bridge.init_orthogonal_(module, rng)
    elif how == "chrono":
        bridge.init_chrono_(module, task.length, rng)
    elif how == "designed":
        bridge.init_(module, designed(kind, task.length), rng)
    elif how != "default":
        bridge.init_(module, ensemble_at(kind, *how), rng)
    return module, readout


@cache
def designed(kind, length):
    """The initialisation that theory proposes for a task of this length."""
    target = {"slow_fraction": {length: DESIGN_FRACTION}, "abscissa": 1.0 - 0.1 / length}
    return gt.design(getattr(gt, PLANS[kind][0]), target).ensemble


def run_job(kind, task_name, seed, hows, n_updates):
    """Scores of some initialisations of one kind, task and seed, and the CPU time they took."""
    import torch

    torch.set_num_threads(1)
    start = time.process_time()
    task = make_task(task_name)
    pairs = [initialised(kind, how, task, seed) for how in hows]
    out = []
    for first in range(0, len(pairs), SIDE_BY_SIDE):
        modules, readouts = zip(*pairs[first : first + SIDE_BY_SIDE])
        out.append(train(kind, modules, readouts, task, n_updates, seed))
    return np.concatenate(out), time.process_time() - start


# --- compute, save


def compute(plan, jobs, out, progress=print):
    """Train everything; datasets are saved after every job, so that an interrupt loses one."""
    import xarray as xr

    todo = [(kind, task, seed) for seed in range(plan["n_seeds"]) for kind in PLANS for task in plan["tasks"]]
    points = [(a, b) for a in plan["gain"] for b in plan["bias"]]
    hows = [*points, *BASELINES]
    shape = (len(plan["tasks"]), plan["n_seeds"])
    grids = {k: np.full((*shape, len(plan["gain"]), len(plan["bias"])), np.nan) for k in PLANS}
    bases = {k: np.full((*shape, len(BASELINES)), np.nan) for k in PLANS}
    seconds = dict.fromkeys(PLANS, 0.0)
    with ProcessPoolExecutor(jobs) if jobs > 1 else nullcontext() as pool:
        if pool is None:
            finished = ((job, run_job(*job, hows, plan["n_updates"])) for job in todo)
        else:
            futures = {pool.submit(run_job, *job, hows, plan["n_updates"]): job for job in todo}
            finished = ((futures[f], f.result()) for f in as_completed(futures))
        for number, ((kind, task, seed), (values, cpu)) in enumerate(finished):
            at = plan["tasks"].index(task), seed
            grids[kind][at] = values[: len(points)].reshape(grids[kind].shape[2:])
            bases[kind][at] = values[len(points) :]
            seconds[kind] += cpu
            progress(f"{number + 1}/{len(todo)} {kind}, {task}, seed {seed}: best {values.max():.3f}, {cpu:.0f} s")
            _, gain_path, bias_path = PLANS[kind]
            data = xr.Dataset(
                {
                    "score": (("task", "seed", gain_path, bias_path), grids[kind]),
                    "baseline_score": (("task", "seed", "baseline"), bases[kind]),
                    "length": (("task",), [make_task(t).length for t in plan["tasks"]]),
                    "chance": (("task",), [make_task(t).chance for t in plan["tasks"]]),
                },
                {
                    "task": list(plan["tasks"]),
                    gain_path: list(plan["gain"]),
                    bias_path: list(plan["bias"]),
                    "baseline": list(BASELINES),
                },
                {"cell": PLANS[kind][0], "settings": json.dumps(settings(plan)), "cpu_seconds": seconds[kind]},
            )
            gt.save(data, out / f"training_{kind}.nc")


def settings(plan):
    """What a reader needs to repeat the runs."""
    from importlib.metadata import version

    made = {"hidden": HIDDEN, "batch": BATCH, "learning_rate": LEARNING_RATE, "clip": CLIP, "optimiser": "Adam"}
    made |= {name: version(name) for name in ("torch", "scikit-learn", "numpy")}
    return made | {"n_updates": plan["n_updates"], "n_seeds": plan["n_seeds"], "design_fraction": DESIGN_FRACTION}


# --- theory, drawing, what is found


def theory(kind, gains, biases, lengths):
    """Over a fine grid: the zero state's abscissa, and its slow fraction beyond each length. (G, B) and {length: (G, B)}."""
    from gating_theory.mean_field import zero_state

    abscissa = np.full((gains.size, biases.size), np.nan)
    slow = {length: abscissa.copy() for length in lengths}
    for i, gain in enumerate(gains):
        for j, bias in enumerate(biases):
            spectrum = gt.Spectrum(zero_state(ensemble_at(kind, float(gain), float(bias))))
            abscissa[i, j] = spectrum.abscissa()
            for length in lengths:
                slow[length][i, j] = spectrum.slow_fraction(length, tol=1e-3)
    return abscissa, slow


def draw(data_directory, out):
    """Heat maps of what is in the data with theory's lines; the findings as text, also written to training.txt."""
    from matplotlib.figure import Figure
    from scipy.stats import spearmanr

    from gating_theory.phase_diagram import symbol

    lines = []
    for kind, (_, gain_path, bias_path) in PLANS.items():
        path = data_directory / f"training_{kind}.nc"
        if not path.exists():
            continue
        data = gt.load(path)
        tasks = [t for t in data.task.values if np.isfinite(data.score.sel(task=t)).any()]
        mean = data.score.mean("seed", skipna=True)
        gains, biases = data[gain_path].values, data[bias_path].values
        fine = np.linspace(gains[0], gains[-1], 11), np.linspace(biases[0], biases[-1], 11)
        lengths = sorted({int(data.length.sel(task=t)) for t in tasks})
        abscissa, slow = theory(kind, *fine, lengths)
        at_points = theory(kind, gains, biases, lengths)
        figure = Figure(figsize=(3.1 * len(tasks), 2.9), layout="constrained")
        for ax, task in zip(figure.subplots(1, len(tasks), squeeze=False)[0], tasks):
            length = int(data.length.sel(task=task))
            values = mean.sel(task=task).transpose(bias_path, gain_path)
            mesh = ax.pcolormesh(gains, biases, values, cmap="cividis", vmin=0, vmax=1, shading="nearest")
            ax.contour(*fine, abscissa.T, [1.0], colors="black", linewidths=1.5)
            contours = ax.contour(*fine, slow[length].T, [0.05, 0.2, 0.5], colors="#D55E00", linewidths=1.0, linestyles="--")
            ax.clabel(contours, fmt="%g", fontsize="x-small")
            ax.set(title=f"{kind}: {task}", xlabel=symbol(gain_path), ylabel=symbol(bias_path))
            figure.colorbar(mesh, ax=ax)
            lines += findings(kind, task, data, at_points[0], at_points[1][length], spearmanr)
        figure.suptitle(
            "score after training; line: onset of instability;\ndashed: fraction of modes slower than the task is long",
            fontsize="small",
        )
        figure.savefig(out / f"training_{kind}.png", dpi=140)
        lines.append("")
    text = "\n".join(lines) + "\n"
    (out / "training.txt").write_text(text, encoding="utf-8")
    return text


def findings(kind, task, data, abscissa, slow, spearmanr):
    """What the numbers say about one cell and task, good or bad for the theory."""
    scores = data.score.sel(task=task).dropna("seed", how="all")
    mean = scores.mean("seed").values
    stable = abscissa < 1.0
    n = scores.sizes["seed"]
    out = [f"{kind}, {task} ({n} seed{'s' if n > 1 else ''}, chance {float(data.chance.sel(task=task)):.3g}):"]
    sides = [
        f"{name} {mean[m].mean():.3f} ({m.sum()} points)" for name, m in (("stable", stable), ("unstable", ~stable)) if m.any()
    ]
    out.append(f"  mean score where the zero state is {', '.join(sides)}")
    i, j = np.unravel_index(np.argmax(mean), mean.shape)
    gain, bias = (data[path].values for path in PLANS[kind][1:])
    where = f"abscissa {abscissa[i, j]:.3f}, slow fraction {slow[i, j]:.3f}"
    out.append(f"  best {mean[i, j]:.3f} at gain {gain[i]:g}, bias {bias[j]:g}: {where}")
    for name, x in (("abscissa", abscissa), ("slow fraction", slow)):
        if np.ptp(x) > 0 and np.ptp(mean) > 0:
            out.append(f"  rank correlation of the score with the {name}: {spearmanr(x.ravel(), mean.ravel()).statistic:+.2f}")
    base = data.baseline_score.sel(task=task).mean("seed", skipna=True)
    out.append("  " + ", ".join(f"{name} {float(base.sel(baseline=name)):.3f}" for name in data.baseline.values))
    if n > 1:
        out.append(
            f"  spread between seeds (standard deviation, mean over the grid) {float(scores.std('seed', ddof=1).mean()):.3f}"
        )
    return out


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a small grid, one seed, few updates")
    parser.add_argument("--jobs", type=int, default=1, help="worker processes")
    parser.add_argument("--seeds", type=int, help="number of seeds")
    parser.add_argument("--updates", type=int, help="number of updates")
    parser.add_argument("--draw", action="store_true", help="draw saved data, train nothing")
    parser.add_argument("--out", type=Path, help="directory of the data; default figures/data, output/figures with --quick")
    options = parser.parse_args(argv)
    plan = dict(QUICK if options.quick else FULL)
    if options.seeds:
        plan["n_seeds"] = options.seeds
    if options.updates:
        plan["n_updates"] = options.updates
    out = options.out or (Path("output/figures") if options.quick else DATA)
    out.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    if not options.draw:
        compute(plan, options.jobs, out)
    text = draw(out, HERE if out == DATA else out)
    print(text)
    print(f"{time.perf_counter() - start:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
