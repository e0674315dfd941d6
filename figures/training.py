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

from .torch_runs import CLIP
from .training_runs import BATCH, DONE, HELD, HIDDEN, LEARNED, RECENT, Run, run
from .training_starts import STARTS, Start, designed

__all__ = ["NEEDS", "TITLE", "compute", "settings"]

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
    "LSTM default, b_f 1",
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
            "GRU design, kappa 3",
            "LSTM default, b_f 1",
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
    "step": {"length": 60, "shut": (0.0, 1.0), "rate": (1e-3, 3e-2), "updates": 300, "seeds": 1},
    "table": {
        "length": 20,
        "starts": ("GRU default", "GRU chrono", "GRU design", "LSTM default, b_f 1", "LSTM chrono", "LSTM design"),
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
    sections = {"map": _map(plan["map"], work), "edge": _edge(plan["edge"]), "step": _step(plan["step"], work)}
    sections["table"] = _table(plan["table"], work)
    sections["digits"] = _digits(plan["digits"], plan["table"], work)
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
            pieces.append(tuple(Run(task, start.recipe(), float(rate), float(eps), updates, seeds[number])))
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


def _step(plan, work):
    """C: input gates shut by a share of what keeps gains of order one."""
    axes, points = {"shut": plan["shut"], "rate": plan["rate"]}, {}
    bias = designed("LSTM", plan["length"]).ensemble.bias["f"]
    starts = [designed("LSTM", plan["length"], given={"bias.i": -share * bias}) for share in plan["shut"]]
    for i, j in product(range(len(starts)), range(len(plan["rate"]))):
        points[i, j] = f"clean {plan['length']}", starts[i], plan["rate"][j], EPS
    theory = {
        "amplification": (("shut",), [start.amplification(plan["length"]) for start in starts]),
        "log10_gradient": (("shut",), [start.log10_gradients(plan["length"])[-1] for start in starts]),
    }
    return _Section(axes, points, theory)


def _table(plan, work):
    """D: what people use and what theory proposes."""
    return _of_starts(f"noisy {plan['length']}", plan["length"], plan["starts"], plan["starts"], plan["rate"], work)


def _digits(plan, table, work):
    """D: the same on permuted digits."""
    some = [name for name in table["starts"] if name in ON_DIGITS]
    return _of_starts("permuted", 64, table["starts"], some, table["rate"], work)


def _of_starts(task, length, names, some, rates, work):
    axes, points, logs = {"start": names, "rate": rates}, {}, np.full(len(names), np.nan)
    for i, name in enumerate(names):
        kind, _, short = name.partition(" ")
        if name in some:
            start = STARTS[kind][short](length)
            logs[i] = start.log10_gradients(length)[-1]
            points |= {(i, j): (task, start, rate, EPS) for j, rate in enumerate(rates)}
    return _Section(axes, points, {"log10_gradient": (("start",), logs)})


def _filled(axes, values):
    out = np.full(tuple(map(len, axes.values())), np.nan)
    for place, value in values.items():
        out[place] = value
    return out
