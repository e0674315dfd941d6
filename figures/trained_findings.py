"""What is said of trained networks: tables of bulk, modes and predictions, beside those of earlier networks [T11]."""

from __future__ import annotations

import numpy as np

from .trained_tables import BULK_ROWS, KINDS, LARGEST, LEARNED, LEFT, MODULUS, NEAR, PREDICTION_ROWS, RANK, SLOW

__all__ = ["findings"]

#: Of the theory's own twelve networks, whose tables are repeated here: means by cell.
EARLIER_BULK = {
    "GRU": {
        "frobenius": (3.9, 0.059, 0.097),
        "bulk": (12.4, 0.050, 0.102),
        "random": (1.7, 0.019, -0.011),
        "rank": (2.7, 0.024, -0.008),
        "initial": (1.2, 0.023, -0.007),
        "fresh": (1.3, 0.019, -0.009),
    },
    "LSTM": {
        "frobenius": (4.3, 0.056, 0.047),
        "bulk": (11.4, 0.032, 0.059),
        "random": (1.2, 0.019, -0.015),
        "rank": (1.3, 0.017, -0.015),
        "initial": (0.8, 0.012, -0.014),
        "fresh": (0.8, 0.015, -0.009),
    },
}
#: The share of slow ones found, and the median error of a state's largest three.
EARLIER_FOUND = {
    "GRU": {
        "rank": (122 / 196, 0.091),
        "rank_visited": (167 / 196, 0.019),
        "rank_initial": (185 / 196, 0.007),
        "spikes": (160 / 196, 0.022),
        "subspace": (166 / 196, 0.013),
        "initial": (51 / 196, 0.33),
    },
    "LSTM": {
        "rank": (20 / 91, 0.108),
        "rank_visited": (77 / 91, 0.027),
        "rank_initial": (85 / 91, 0.011),
        "spikes": (35 / 91, 0.118),
        "subspace": (81 / 91, 0.025),
        "initial": (5 / 91, 0.37),
    },
}


def findings(data):
    """Tables: networks, bulk, modes, predictions; means by cell, and by what was not tried before."""
    cells = [cell for cell in ("GRU", "LSTM") if (data["cell"] == cell).any()]
    lines = [*_network_lines(data)]
    for cell in cells:
        lines += ["", *_bulk_lines(data, cell)]
    lines += ["", *_outside_lines(data)]
    for cell in cells:
        lines += ["", *_mode_lines(data, cell)]
    for cell in cells:
        lines += ["", *_found_lines(data, cell)]
    return "\n".join(lines) + "\n"


def _groups(data):
    """Words -> which networks, by what could matter."""
    names = {f"{axis} {value}": (data[axis] == value).values for axis in ("cell", "optimiser") for value in np.unique(data[axis])}
    tasks = np.array([task.split()[0] for task in data["task"].values])
    names |= {task: tasks == task for task in np.unique(tasks)}
    names |= {f"{size} units": (data["hidden"] == size).values for size in np.unique(data["hidden"])}
    large = np.isfinite(data["initial_gain"].values)
    names |= {"initial gain 0.58": ~large, "initial gain 1": large}
    return {words: chosen for words, chosen in names.items() if chosen.any()}


def _network_lines(data):
    lines = [
        "Networks: score on test data (accuracy, or variance explained), |dW| / |W0|; by field bulk gain (before),",
        "  directions that stand out / participation ratio of the squared singular values of dW",
    ]
    for number in range(data.sizes["network"]):
        one = data.isel(network=number)
        fields = [
            f"{name} {row[1]:.2f} ({row[2]:.2f}) {row[3]:.0f}/{row[4]:.0f}"
            for name, row in zip(one["field"].values, one["split"].values)
            if name
        ]
        lines.append(
            f"  {number:>2} {one['cell'].item():<4} {one['task'].item():<12} {one['hidden'].item():>3} units, "
            f"{one['optimiser'].item():<7} {one['updates'].item()} updates: {float(one['score']):.3f}, {float(one['change']):.2f}; "
            + ", ".join(fields)
        )
    off = np.abs(data["split"].sel(of_field="gain") / data["split"].sel(of_field="gain_before") - 1.0).values
    lines.append(
        f"  bulk gain against the one before: median {np.nanmedian(off):.3f}, worst {np.nanmax(off):.3f} off (earlier .02, .05)"
    )
    return lines


def _bulk_lines(data, cell):
    of = data["bulk"].isel(network=(data["cell"] == cell).values)
    states = of.sizes["network"] * of.sizes["state"]
    lines = [
        f"Bulk, {cell}, {states} states (in brackets the earlier networks): eigenvalues outside, error of discs, radius - theory",
    ]
    for name, words in BULK_ROWS.items():
        mean = of.sel(bulk_row=name).mean(("network", "state")).values
        before = EARLIER_BULK[cell].get(name, ("",) * 3)
        entries = [_beside(own, earlier, form) for own, earlier, form in zip(mean, before, ("5.1f", ".3f", "+.3f"))]
        lines.append(f"  {words:<38} " + "   ".join(entries))
    return lines


def _beside(own, earlier, form):
    """A number with the earlier one in brackets, where there is one."""
    return f"{own:{form}} " + (f"({earlier:{form}})" if earlier != "" else " " * (2 + len(f"{own:{form}}")))


def _outside_lines(data):
    lines = [f"Outside, by group: U, U minus spikes, minus rank {RANK} of dW, fresh, these off directions; discs of the last four"]
    for words, chosen in _groups(data).items():
        mean = data["bulk"].isel(network=chosen).mean(("network", "state"))
        counts = [float(mean.sel(bulk_row=name, of_bulk="outside")) for name in ("bulk", "random", "rank", "fresh", "off")]
        errors = [float(mean.sel(bulk_row=name, of_bulk="discs")) for name in ("random", "rank", "fresh", "off")]
        lines.append(f"  {words:<20}" + "".join(f"{c:>6.1f}" for c in counts) + "   " + " ".join(f"{e:.3f}" for e in errors))
    return lines


def _mode_lines(data, cell):
    of = data.isel(mode=(data["cell"].values[data["mode_network"].values] == cell))
    number = of.sizes["mode"]
    lines = [f"Modes, {cell}: {number} with |lambda| > {MODULUS:g} outside"]
    if not number:
        return lines
    learned, told, moved = (of[f"mode_{name}"].values for name in ("learned", "checkpoint", "moved"))
    total, removed = learned.sum(axis=1), of["mode_removed"].values
    shares = [float(of["mode_leak"].mean()), float(of["mode_random"].mean()), float(total.mean()), float(told.sum(axis=1).mean())]
    lines.append("  mean shares: leak {:.2f}, random {:.2f}, learned {:.2f}; learned by the checkpoint {:.2f}".format(*shares))
    named, by_removal, by_checkpoint = (each.argmax(axis=1) for each in (learned, moved, told))
    agreed, ordered = named == by_removal, np.sort(learned, axis=1)
    clear = ordered[:, -1] >= 2.0 * ordered[:, -2]
    candidate = named == _place(of, cell, {"GRU": "h", "LSTM": "g"}[cell])
    for words, chosen in ((f"learned share > {LEARNED:g}", total > LEARNED), ("less", total <= LEARNED)):
        count = int(chosen.sum())
        if not count:
            lines.append(f"  {words}: none")
            continue
        own = moved[np.arange(number), named][chosen]
        counts = [int(each[chosen].sum()) for each in (agreed, named == by_checkpoint, candidate, removed > LEFT)]
        lines += [
            f"  {words}: {count}; the field with the largest share is the one whose removal moves most in {counts[0]}, "
            f"the checkpoint's in {counts[1]}, the candidate in {counts[2]};",
            f"    its removal moves by {own.mean():.2f}, that of all by {removed[chosen].mean():.2f}, "
            f"and leaves nothing within {LEFT:g} of {counts[3]};",
            f"    where its share is twice the next, {int((chosen & clear).sum())}, in {int((chosen & clear & agreed).sum())}",
        ]
    for words, column in (("matrix", 0), ("checkpoint", 1)):
        kinds = of["mode_kind"].values[:, column]
        lines.append(
            f"  kinds by the {words}: " + ", ".join(f"{kind} {int((kinds == code).sum())}" for code, kind in enumerate(KINDS))
        )
    return lines


def _place(data, cell, field):
    number = int(np.argmax(data["cell"].values == cell))
    return data["field"].values[number].tolist().index(field)


def _found_lines(data, cell):
    of = data.isel(network=(data["cell"] == cell).values)
    slow, isolated = of["to_find"].sum(("network", "state")).values.tolist()
    lines = [
        f"Predicted from a low-rank part, {cell}: of {slow} slow ones (|lambda| > {SLOW:g}) found within {NEAR:g}, their share",
        f"  ({int(of['held'].sum())} are held by leaks and left out); median error of a state's largest {LARGEST};",
        f"  of {isolated} isolated ones in all; real among the predicted; in brackets the earlier networks",
    ]
    for name, words in PREDICTION_ROWS.items():
        found, everything, predicted, real = of["found"].sel(row=name).sum(("network", "state")).values.tolist()
        errors = of["errors"].sel(row=name).values
        median = f"{np.nanmedian(errors):.3f}" if np.isfinite(errors).any() else "-"
        before = EARLIER_FOUND[cell].get(name)
        share = f"{found / slow:.2f}" if slow else "-"
        beside = f"({before[0]:.2f})   {median} ({before[1]:.3f})" if before else f"         {median}        "
        part = f"{real / predicted:.2f}" if predicted else "-"
        lines.append(f"  {words:<55} {found:>4} {share} {beside}   {everything:>4}   {part}")
    return lines
