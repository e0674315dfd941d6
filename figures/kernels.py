"""Infinitely wide recurrent networks classify digits: kernels of vanilla networks, GRUs and LSTMs against trained ones.

Scikit-learn's handwritten digits are read pixel by pixel, in their order and permuted. A Gaussian process with the kernel of an
infinitely wide network with tied weights, and output from its last state or from the mean of its states, predicts labels; beside it
networks of PyTorch of the same cell, which start from the same law of weights and read out the same, are trained with Adam.
"""

from __future__ import annotations

import json

import numpy as np

import gating_theory as gt

from .common import panels
from .torch_runs import fast_torch

TITLE = "Digits pixel by pixel: kernels of infinitely wide networks against trained networks"
NEEDS = ("torch", "sklearn")

#: Cell -> (cell of the theory, gains, biases, which variables hear the input, PyTorch's name). A bias of 1 holds update and forget
#: gates open, as Keras does for the LSTM.
CELLS = {
    "vanilla": ("Vanilla", {"h": 1.2}, {}, ("h",), "RNN"),
    "GRU": ("GRUResetAfter", {}, {"z": 1.0}, ("z", "r", "b_in"), "GRU"),
    "LSTM": ("LSTM", {}, {"f": 1.0}, ("f", "i", "g", "o"), "LSTM"),
}
ORDERS, OUTPUTS = ("digits", "permuted"), ("last", "mean")
INPUT_GAIN = 1.0
#: Noise of the labels relative to the kernel's diagonal: the one that predicts each training label best from the others is taken.
NOISES = (1e-4, 1e-3, 1e-2)
HIDDEN, BATCH, LEARNING_RATE, CLIP = 48, 32, 1e-2, 1.0

#: Training sets, images to test on, sites of a kernel, updates of a trained network.
FULL = {"sizes": (50, 100, 200, 400, 800), "n_test": 400, "n_sites": 10_000, "updates": 600, "trained": (100, 800), "seeds": 3}
QUICK = {"sizes": (50, 100, 200, 300), "n_test": 200, "n_sites": 2000, "updates": 400, "trained": (100, 300), "seeds": 1}


def sequences(order, count):
    """(R, 64, 1) pixels and (R,) labels of so many digits; one fixed permutation where it is asked for."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    images = (images - images.mean()) / images.std()
    chosen = np.random.default_rng(7).permutation(len(images))[:count]
    if order == "permuted":
        images = images[:, np.random.default_rng(8).permutation(64)]
    return images[chosen][:, :, None], labels[chosen]


def ensemble_of(name):
    cell, gain, bias, *_ = CELLS[name]
    return gt.Ensemble(getattr(gt, cell), gain=gain, bias=bias)


def by_kernel(name, order, output, plan, seed):
    """Accuracies of the Gaussian process for each size of the training set."""
    x, labels = sequences(order, max(plan["sizes"]) + plan["n_test"])
    gains = dict.fromkeys(CELLS[name][3], INPUT_GAIN)
    kernel = gt.nngp_kernel(
        ensemble_of(name), x, input_gain=gains, output=output, method="sites", n_sites=plan["n_sites"], rng=seed
    )
    return [accuracy(kernel.K, labels, size, plan["n_test"]) for size in plan["sizes"]]


def accuracy(K, labels, size, n_test):
    """Share of the last ``n_test`` labels that the Gaussian process has right after the first ``size``."""
    targets = np.eye(10)[labels[:size]] - 0.1
    best, outputs = np.inf, None
    for noise in NOISES:
        inverse = np.linalg.inv(K[:size, :size] + noise * np.trace(K) / len(K) * np.eye(size))
        weights = inverse @ targets
        left_out = np.mean((weights / np.diag(inverse)[:, None]) ** 2)  # squared errors of predictions from all others
        if left_out < best:
            best, outputs = left_out, K[-n_test:, :size] @ weights
    return float((outputs.argmax(axis=1) == labels[-n_test:]).mean())


def by_training(name, order, output, size, plan, seed):
    """Accuracy of one trained network."""
    import torch

    from gating_theory.interop import torch as bridge

    x, labels = sequences(order, max(plan["sizes"]) + plan["n_test"])
    x, labels = torch.tensor(x.transpose(1, 0, 2), dtype=torch.float32), torch.tensor(labels)
    torch.manual_seed(seed)
    module, readout = getattr(torch.nn, CELLS[name][4])(1, HIDDEN), torch.nn.Linear(HIDDEN, 10)
    bridge.init_(module, ensemble_of(name), seed, input_gain=INPUT_GAIN)
    parameters = [*module.parameters(), *readout.parameters()]
    optimiser, rng = torch.optim.Adam(parameters, lr=LEARNING_RATE), np.random.default_rng(seed)

    def outputs(batch):
        states = module(batch)[0]
        return readout(states[-1] if output == "last" else states.mean(0))

    with fast_torch():
        for _ in range(plan["updates"]):
            chosen = rng.integers(0, size, BATCH)
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(outputs(x[:, chosen]), labels[chosen]).backward()
            torch.nn.utils.clip_grad_norm_(parameters, CLIP)
            optimiser.step()
        with torch.no_grad():
            right = outputs(x[:, -plan["n_test"] :]).argmax(1) == labels[-plan["n_test"] :]
    return float(right.float().mean())


def settings(plan):
    """All that the runs depend on, besides this package."""
    made = {
        "hidden": HIDDEN,
        "batch": BATCH,
        "learning_rate": LEARNING_RATE,
        "clip": CLIP,
        "noises": NOISES,
        "input_gain": INPUT_GAIN,
    }
    return made | {"cells": CELLS, "plan": plan}


def compute(quick, rng, work):
    """Kernels of each cell, order and output, and trained networks."""
    import xarray as xr

    plan = QUICK if quick else FULL
    places = [(name, order, output) for name in CELLS for order in ORDERS for output in OUTPUTS]
    made = settings(plan)
    kernels = work.over(by_kernel, [(*place, plan, rng) for place in places], made)
    jobs = [(*place, size, plan, rng + k) for place in places for size in plan["trained"] for k in range(plan["seeds"])]
    trained = work.over(by_training, jobs, made)
    axes, shape = ("cell", "order", "output"), (len(CELLS), len(ORDERS), len(OUTPUTS))
    variables = {
        "kernel": ((*axes, "size"), np.reshape(kernels, (*shape, -1))),
        "trained": ((*axes, "trained_size", "seed"), np.reshape(trained, (*shape, len(plan["trained"]), -1))),
    }
    coordinates = {"cell": list(CELLS), "order": list(ORDERS), "output": list(OUTPUTS), "size": list(plan["sizes"])}
    coordinates |= {"trained_size": list(plan["trained"]), "seed": list(range(rng, rng + plan["seeds"]))}
    return xr.Dataset(variables, coordinates, {"settings": json.dumps(made), "n_test": plan["n_test"]})


def draw(data):
    """A panel for each order: accuracy over the size of the training set."""
    from .common import BLACK, SKY, VERMILLION

    figure, axes = panels(1, data.sizes["order"], height=3.2, sharey=True)
    colours, styles = dict(zip(data["cell"].values, (BLACK, VERMILLION, SKY))), {"last": "--", "mean": "-"}
    for ax, order in zip(axes[0], data["order"].values):
        for cell, colour in colours.items():
            for output, style in styles.items():
                one = data.sel(order=order, cell=cell, output=output)
                ax.plot(one["size"], one["kernel"], style, color=colour, label=f"{cell}, {output}")
                face = colour if output == "mean" else "none"
                mean = one["trained"].mean("seed")
                ax.plot(
                    one["trained_size"], mean, "o" if output == "mean" else "s", color=colour, markerfacecolor=face, markersize=4
                )
        ax.set_xscale("log")
        ax.set_xticks(data["size"].values, [str(n) for n in data["size"].values])
        ax.minorticks_off()
        ax.set(title=str(order), xlabel="training images", ylim=(0.0, 1.0))
    axes[0, 0].set_ylabel("accuracy")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    title = "output of kernels (lines) and trained networks (full: mean, open: last)"
    style = {"fontsize": "x-small", "title_fontsize": "x-small", "frameon": False}
    figure.legend(handles, labels, title=title, loc="outside upper center", ncols=3, **style)
    return figure


def findings(data):
    """Accuracies at the largest training set, in words."""
    size = int(data["size"].values[-1])
    lines = [f"Accuracy on {data.attrs['n_test']} digits after {size} (chance 0.1): kernel / trained networks of {HIDDEN} units."]
    for order in data["order"].values:
        for cell in data["cell"].values:
            one = data.sel(order=order, cell=cell)
            pairs = [
                f"{output} state{'s'[: output == 'mean']} {float(one['kernel'].sel(output=output, size=size)):.2f} / "
                f"{float(one['trained'].sel(output=output).isel(trained_size=-1).mean()):.2f}"
                for output in data["output"].values
            ]
            lines.append(f"  {order}, {cell}: {', '.join(pairs)}")
    return "\n".join(lines) + "\n"
