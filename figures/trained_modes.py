"""What training puts into gated networks: spectra before, during and after, kinds of modes, what theory explains of them [T11].

GRUs and LSTMs of PyTorch are trained on flip-flops, sines, handwritten digits and delayed recall, by RMSprop, SGD with momentum and
Adam, from default and from large recurrent weights. Nothing in the theory was chosen by looking at these networks. At states along
test inputs three things are counted. The bulk: whether a network without its learned directions is a random one of the bulk gain.
The modes: which part of an eigenvalue is leak, random matrix, learned directions, by field; whether the field that is named is the
one whose removal moves the mode. Predictions: how many isolated eigenvalues follow from low-rank parts alone.
"""

from __future__ import annotations

import json
from typing import NamedTuple

import numpy as np

import gating_theory as gt

from .common import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION, joined, panels, parts, unit_circle, whole
from .sequence_tasks import make_task
from .torch_runs import BATCH, CLIP, OPTIMISERS, module_for, score, trained
from .trained_findings import findings
from .trained_tables import (
    BULK_ROWS,
    KINDS,
    LARGEST,
    MODULUS,
    NEAR,
    PREDICTION_ROWS,
    SLOW,
    Split,
    State,
    bulk,
    held_and_not,
    predictions,
    slow_modes,
)

__all__ = ["NEEDS", "TITLE", "checkpoints", "compute", "draw", "findings", "measured"]

TITLE = "Training a GRU and an LSTM: spectra before, during and after, and where their modes come from"
NEEDS = ("torch", "sklearn")


class Run(NamedTuple):
    """One network: the gain of its initial recurrent matrices is PyTorch's 3^(-1/2) where None is given."""

    cell: str
    task: str
    hidden: int
    optimiser: str
    gain: float | None
    updates: int
    seed: int


FULL = {
    "runs": (
        Run("GRU", "flip-flop 60", 96, "SGD", None, 800, 11),
        Run("GRU", "flip-flop 60", 64, "RMSprop", 1.0, 500, 12),
        Run("GRU", "sines 80", 128, "RMSprop", None, 1500, 13),
        Run("GRU", "sines 80", 64, "Adam", 1.0, 1000, 14),
        Run("GRU", "digits", 128, "RMSprop", None, 600, 15),
        Run("GRU", "digits", 96, "SGD", 1.0, 800, 16),
        Run("GRU", "recall 20", 96, "RMSprop", 1.0, 600, 17),
        Run("LSTM", "flip-flop 60", 64, "SGD", None, 800, 21),
        Run("LSTM", "flip-flop 60", 96, "RMSprop", 1.0, 500, 22),
        Run("LSTM", "sines 80", 96, "RMSprop", None, 1500, 23),
        Run("LSTM", "sines 80", 64, "RMSprop", 1.0, 1500, 24),
        Run("LSTM", "digits", 96, "RMSprop", None, 600, 25),
        Run("LSTM", "digits", 128, "SGD", 1.0, 800, 26),
        Run("LSTM", "recall 10", 96, "RMSprop", 1.0, 1000, 27),
        Run("GRU", "sines 80", 256, "Adam", None, 600, 18),
    ),
    "states": 4,
}

QUICK = {
    "runs": (
        Run("GRU", "sines 40", 48, "RMSprop", None, 150, 31),
        Run("LSTM", "flip-flop 30", 48, "SGD", None, 150, 32),
    ),
    "states": 2,
}
EPOCHS = ("before", "during", "after")
#: Sequences of the test data that are recorded, and modes whose shares are drawn.
RECORDED, BARS = 16, 12


# --- one network


def checkpoints(run):
    """(score on test data, weights before, during and after training)."""
    task = make_task(run.task)
    module, readout = module_for(run.cell, run.hidden, task, run.gain, run.seed)
    kept = trained(module, readout, task, run.optimiser, run.updates, run.seed, (0, run.updates // 4, run.updates))
    return score(module, readout, task), list(kept.values())


def measured(run, reached, weights, n_states):
    """All that is kept of a network, as JSON can hold it."""
    from gating_theory.interop import readers

    inputs = make_task(run.task).test()[0][:, :RECORDED]
    layers = [readers.weights_of(each) for each in weights]
    recordings = [layer.record(inputs) for layer in layers]
    times = np.linspace(len(inputs) // 4, len(inputs) - 1, n_states).round().astype(int).tolist()
    first, last = (each.layer().network for each in (layers[0], layers[-1]))
    split = Split(gt.split_weights(last), gt.split_weights(last, first), first.matrices)
    rng, sequences = np.random.default_rng(run.seed), range(n_states)
    states = [State.of(recordings[-1], time, sequence) for time, sequence in zip(times, sequences)]
    own, told = (gt.learned_modes(*recordings[-1].at(times, sequences), each) for each in (split.matrix, split.checkpoint))
    before = [gt.learned_modes(*each.at(times[-1:], sequences[-1:])) for each in recordings[:-1]]
    change = np.linalg.norm(last.matrices - first.matrices) / np.linalg.norm(first.matrices)
    return {
        "score": reached,
        "change": float(change),
        "fields": _fields(split),
        "bulk": [bulk(state, split, rng) for state in states],
        "held": [len(held_and_not(own, number)[0]) for number in sequences],
        "predictions": [predictions(state, split, *held_and_not(own, number), rng) for number, state in enumerate(states)],
        "modes": slow_modes(own, told),
        "spectra": [_spectrum(each, State.of(rec, times[-1], sequences[-1])) for each, rec in zip((*before, own), recordings)],
    }


def run_network(*run_and_states):
    """Train and measure one network."""
    *run, n_states = run_and_states
    run = Run(*run)
    return measured(run, *checkpoints(run), n_states)


def _fields(split):
    """Gains, numbers of learned directions and participation ratios of the squared singular values of dW by field."""
    out = {}
    for name, own in split.matrix.fields.items():
        first = split.checkpoint.fields[name]
        change = split.checkpoint.learned[split.matrix.network.cell.field_names.index(name)]
        powers = np.linalg.svd(change, compute_uv=False) ** 2
        ratio = float(powers.sum() ** 2 / (powers**2).sum())
        out[name] = [own.frobenius_gain, own.gain, first.gain, own.n_learned, ratio]
    return out


def _spectrum(modes, state):
    """Of the last state: eigenvalues by kind, theory's edge at the bulk gain, shares of the slowest modes that are not bulk."""
    edge = joined(state.spectrum(modes.ensemble.array("gain")).boundary(64))
    values, kinds = modes.eigenvalues[-1], modes.kinds[-1]
    listed = np.flatnonzero(kinds != "bulk")
    listed = listed[np.argsort(-np.abs(values[listed]))][:BARS]
    return {
        "values": parts(values).tolist(),
        "kinds": [KINDS.index(str(kind)) for kind in kinds],
        "edge": parts(edge).tolist(),
        "leak": modes.leak[-1, listed].tolist(),
        "random": modes.random[-1][:, listed].sum(axis=0).tolist(),
        "learned": modes.learned[-1][:, listed].T.tolist(),
    }


# --- compute


def compute(quick, rng, work):
    """Networks are the pieces, the longest first, each kept when it is finished; the seed shifts those of all networks."""
    plan = QUICK if quick else FULL
    runs = [run._replace(seed=run.seed + 100 * rng) for run in plan["runs"]]
    order = sorted(range(len(runs)), key=lambda k: -_size(runs[k]))
    pieces = [(*runs[k], plan["states"]) for k in order]
    found = work.over(run_network, pieces, {"pieces": pieces, **settings()})
    return dataset(runs, [row for _, row in sorted(zip(order, found), key=lambda pair: pair[0])])


def _size(run):
    return run.updates * run.hidden**2 * (4 if run.cell == "LSTM" else 3)


def settings():
    """What a reader needs to repeat the runs, besides this package and what is in the data."""
    from importlib.metadata import version

    made = {"batch": BATCH, "clip": CLIP, "optimisers": OPTIMISERS, "near": NEAR, "slow": SLOW, "modulus": MODULUS}
    return made | {name: version(name) for name in ("torch", "scikit-learn", "numpy")}


def dataset(runs, found):
    """Networks along ``network``; slow modes of all of them along ``mode``, with the number of their network."""
    import xarray as xr

    fields = max(len(row["fields"]) for row in found)
    variables = {
        name: ("network", [getattr(run, name) for run in runs])
        for name in ("cell", "task", "hidden", "optimiser", "updates", "seed")
    }
    variables["initial_gain"] = ("network", [np.nan if run.gain is None else run.gain for run in runs])
    variables |= {name: ("network", [row[name] for row in found]) for name in ("score", "change")}
    variables["field"] = (("network", "place"), _filled([list(row["fields"]) for row in found], (fields,), ""))
    described = _filled([list(row["fields"].values()) for row in found], (fields, 5), np.nan)
    variables["split"] = (("network", "place", "of_field"), described)
    table = [[[state[name] for name in BULK_ROWS] for state in row["bulk"]] for row in found]
    variables["bulk"] = (("network", "state", "bulk_row", "of_bulk"), np.array(table, dtype=float))
    variables |= _predicted(found)
    variables |= _mode_table(found, fields)
    chosen = _chosen(runs)
    variables["drawn"] = ("spectrum", chosen)
    variables |= _drawn([found[number] for number in chosen], fields)
    coordinates = {
        "of_field": ["frobenius_gain", "gain", "gain_before", "n_learned", "participation"],
        "bulk_row": list(BULK_ROWS),
        "of_bulk": ["outside", "discs", "radius"],
        "row": list(PREDICTION_ROWS),
        "epoch": list(EPOCHS),
        "kind": list(KINDS),
    }
    return xr.Dataset(variables, coordinates, {"settings": json.dumps(settings())})


def _filled(rows, shape, fill):
    """Lists of different lengths as one array, filled up at their ends."""
    rows = [np.asarray(row) for row in rows]
    kind = object if fill == "" else float
    out = np.full((len(rows), *shape), fill, dtype=kind)
    for place, row in zip(out, rows):
        if row.size:
            place[tuple(map(slice, row.shape))] = row
    return out.astype(str) if fill == "" else out


def _predicted(found):
    counts = ("slow", "isolated", "predicted", "real")
    states = [row["predictions"] for row in found]
    asked = [[[one["slow"], one["isolated"]] for one in each] for each in states]
    table = [[[[one["rows"][name][key] for key in counts] for name in PREDICTION_ROWS] for one in each] for each in states]
    errors = np.array(
        [_filled([one["rows"][n]["errors"] for one in each for n in PREDICTION_ROWS], (LARGEST,), np.nan) for each in states]
    )
    return {
        "held": (("network", "state"), np.array([row["held"] for row in found])),
        "to_find": (("network", "state", "of_isolated"), np.array(asked)),
        "found": (("network", "state", "row", "of_found"), np.array(table)),
        "errors": (("network", "state", "row", "largest"), errors.reshape(*np.shape(table)[:3], LARGEST)),
    }


def _mode_table(found, fields):
    rows = [(number, mode) for number, row in enumerate(found) for mode in row["modes"]]
    modes = [mode for _, mode in rows]
    out = {"mode_network": ("mode", np.array([number for number, _ in rows], dtype=int))}
    out |= {
        f"mode_{name}": ("mode", np.array([m[name] for m in modes], dtype=float)) for name in ("state", "leak", "random", "removed")
    }
    out["mode_value"] = (("mode", "part"), np.array([m["value"] for m in modes], dtype=float).reshape(-1, 2))
    kinds = np.array([[KINDS.index(kind) for kind in m["kind"]] for m in modes], dtype=int).reshape(-1, 2)
    out["mode_kind"] = (("mode", "split_by"), kinds)
    for name in ("learned", "checkpoint", "moved"):
        out[f"mode_{name}"] = (("mode", "place"), _filled([m[name] for m in modes], (fields,), 0.0))
    return out


def _drawn(found, fields):
    spectra = [row["spectra"] for row in found]

    def of(name, shape, fill=np.nan):
        rows = _filled([one[name] for each in spectra for one in each], shape, fill)
        return rows.reshape(len(spectra), len(EPOCHS), *shape).astype(np.float32)

    size, points = (max(len(one[name]) for each in spectra for one in each) for name in ("values", "edge"))
    axes = ("spectrum", "epoch")
    return {
        "eigenvalues": ((*axes, "eigenvalue", "part"), of("values", (size, 2))),
        "eigenvalue_kind": ((*axes, "eigenvalue"), of("kinds", (size,), -1.0).astype(np.int8)),
        "edge": ((*axes, "point", "part"), of("edge", (points, 2))),
        "bar_leak": ((*axes, "bar"), of("leak", (BARS,))),
        "bar_random": ((*axes, "bar"), of("random", (BARS,))),
        "bar_learned": ((*axes, "bar", "place"), of("learned", (BARS, fields))),
    }


# --- draw


#: What is drawn of the full plan: a network of each cell for each of these tasks, the first of its kind.
DRAWN = ("flip-flop", "sines", "digits")
KIND_COLOURS = dict(zip(KINDS, ("0.65", BLUE, BLACK, VERMILLION)))
FIELD_COLOURS = (GREEN, ORANGE, VERMILLION, PURPLE)


def draw(data):
    """A row for each network: spectra before, during and after with theory's edge, and shares of the slowest modes after."""
    chosen = data["drawn"].values.tolist()
    figure, axes = panels(len(chosen), len(EPOCHS) + 1, height=1.35)
    for place, (row, number) in enumerate(zip(axes, chosen)):
        one = data.isel(network=number, spectrum=place)
        for ax, epoch in zip(row, EPOCHS):
            _draw_spectrum(ax, one.sel(epoch=epoch))
        _draw_bars(row[-1], one.sel(epoch=EPOCHS[-1]))
        gain = float(one["initial_gain"])
        words = f"{one['optimiser'].item()}, gain {'0.58' if np.isnan(gain) else f'{gain:g}'}"
        row[0].set_ylabel(f"{one['cell'].item()}, {one['task'].item().split()[0]}\n{words}", fontsize="x-small")
    for ax, title in zip(axes[0], (*EPOCHS, "slowest modes after")):
        ax.set_title(title, fontsize="small")
    figure.legend(handles=_handles(data, chosen), loc="outside upper center", ncols=6, fontsize="x-small", frameon=False)
    return figure


def _chosen(runs):
    """Numbers of the networks that are drawn: of a small run all."""
    if len(runs) <= len(DRAWN):
        return list(range(len(runs)))
    names = [(run.cell, run.task.split()[0]) for run in runs]
    return [names.index((cell, task)) for cell in ("GRU", "LSTM") for task in DRAWN]


def _draw_spectrum(ax, one):
    values, kinds = whole(one["eigenvalues"]), one["eigenvalue_kind"].values
    unit_circle(ax)
    for code, kind in enumerate(KINDS):
        z = values[kinds == code]
        ax.plot(
            z.real,
            z.imag,
            "o",
            color=KIND_COLOURS[kind],
            markersize=1.3 if kind == "bulk" else 2.6,
            markeredgewidth=0,
            zorder=2 + code,
        )
    edge = whole(one["edge"])
    ax.plot(edge.real, edge.imag, color=SKY, linewidth=0.9, zorder=2)
    ax.set_xlim(-1.1, 1.25)
    ax.set_ylim(-0.85, 0.85)
    ax.set_aspect("equal")
    ax.set_xticks([-1, 0, 1])
    ax.set_yticks([-0.5, 0, 0.5])
    ax.tick_params(labelsize="xx-small")


def _draw_bars(ax, one):
    """Shares of the modulus, stacked; negative ones hang below zero."""
    layers = [one["bar_leak"].values, one["bar_random"].values, *one["bar_learned"].values.T]
    up, down = (np.zeros(len(layers[0])) for _ in range(2))
    for layer, colour in zip(layers, (KIND_COLOURS["leak"], "0.8", *FIELD_COLOURS)):
        layer = np.nan_to_num(layer)
        ax.bar(np.arange(layer.size), layer, bottom=np.where(layer > 0.0, up, down), color=colour, width=0.8)
        up, down = up + np.maximum(layer, 0.0), down + np.minimum(layer, 0.0)
    ax.axhline(0.0, color="0.5", linewidth=0.5)
    ax.set_xticks([])
    ax.set_yticks([0, 0.5, 1])
    ax.set_ylim(min(-0.1, 1.05 * down.min()), max(1.1, 1.05 * up.max()))
    ax.tick_params(labelsize="xx-small")


def _handles(data, chosen):
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    dots = [
        Line2D([], [], linestyle="none", marker="o", markersize=3, color=colour, label=kind)
        for kind, colour in KIND_COLOURS.items()
    ]
    names = {data["cell"].values[k]: [str(name) for name in data["field"].values[k] if name] for k in chosen}
    shares = [Patch(color=KIND_COLOURS["leak"], label="share of leaks"), Patch(color="0.8", label="random weights")]
    for place, colour in enumerate(FIELD_COLOURS[: max(map(len, names.values()))]):
        of = " or ".join(fields[place] for fields in names.values() if place < len(fields))
        shares.append(Patch(color=colour, label=f"learned in {of}"))
    return [*dots, Line2D([], [], color=SKY, linewidth=0.9, label="theory's edge"), *shares]
