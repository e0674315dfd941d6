"""What the training experiment found, in words and tables: theory's numbers beside those of the runs."""

from __future__ import annotations

import json

import numpy as np

__all__ = ["STANDS", "best_rate", "findings", "rank_correlation", "ranked", "separation", "with_scatter"]

#: What a step of Adam was expected to change the exponent of T steps by at most: T d radius/d gain times the learning rate.
STANDS = 0.1
#: Ends of bands of lg G, and of T d radius/d gain times the learning rate, over which runs are counted.
MAP_BANDS = (-np.inf, -8.0, -4.0, -2.0, -1.0, 0.0, np.inf)
STEP_BANDS = (0.0, 0.001, 0.06, STANDS, 0.4, np.inf)


def findings(data):
    """All sections; medians over seeds count a run that did not learn as later than all others."""
    plan, made = (json.loads(data.attrs[name]) for name in ("plan", "settings"))
    lines = [
        f"torch.nn.GRU and LSTM, {made['hidden']} units, Adam, batches of {made['batch']}, gradients clipped to {made['clip']:g}; "
        f"torch {made['torch']}, numpy {made['numpy']}, scikit-learn {made['scikit-learn']}.",
        "lg G: theory's log10 of the mean square of gradients through the T steps of the task, from the initialisation alone;",
        "± by how much single networks of that size scatter about it (GradientGrowth.scatter), where that is a tenth or more.",
    ]
    for section in (_map_lines, _edge_lines, _step_lines, _table_lines, _digits_lines):
        lines += ["", *section(data, plan)]
    return "\n".join(lines) + "\n"


# --- statistics


def ranked(learned):
    """Medians over seeds of updates to learn, "never" counted as infinitely many; the last axis runs over seeds."""
    return np.median(np.where(np.isnan(learned), np.inf, learned), axis=-1)


def rank_correlation(x, y):
    """Spearman's, infinities ranked last; NaN where one of the two is constant or there are fewer than three."""
    from scipy.stats import rankdata, spearmanr

    x, y = (rankdata(np.ravel(v)) for v in (x, y))
    return float(spearmanr(x, y).statistic) if x.size > 2 and np.ptp(x) > 0 and np.ptp(y) > 0 else np.nan


def separation(log10, learned):
    """(lg G at and above which every run learned, lg G at and below which none did); NaN where there is no such."""
    share = np.isfinite(learned).mean(axis=-1).ravel()
    order = np.argsort(np.ravel(log10))
    log10, share = np.ravel(log10)[order], share[order]
    all_above = np.flatnonzero(share < 1.0)
    none_below = np.flatnonzero(share > 0.0)
    first = 0 if all_above.size == 0 else all_above[-1] + 1
    last = log10.size - 1 if none_below.size == 0 else none_below[0] - 1
    return (float(log10[first]) if first < log10.size else np.nan), (float(log10[last]) if last >= 0 else np.nan)


def best_rate(learned):
    """(start,) number of the learning rate at which most seeds learn, of equals the one with the smaller median."""
    count, median = np.isfinite(learned).sum(axis=-1), ranked(learned)
    slow = np.where(np.isfinite(median), median, 1e9)
    return np.argmax(count - slow / 1e10, axis=1)


# --- sections


def _map_lines(data, plan):
    section, learned = plan["map"], data["map_learned"].values
    log10, kappas, rhos = data["map_log10_gradient"].values, data["map_kappa"].values, data["map_rho"].values
    lines = [
        f"A. Noisy recall, T = {section['length']}: GRU, 1 - z = kappa/(T + kappa), candidate's gain rho times that of the onset, "
        f"learning rate {section['rate']:g}, {learned.shape[-1]} seeds.",
        f'Updates to 90 % (median of seeds; how many learned if not all; "-" none in {section["updates"]}), and lg G:',
        _row("kappa", [f"rho = {rho:g}" for rho in rhos], 22),
    ]
    for i, kappa in enumerate(kappas):
        cells = [f"{_updates(learned[i, j])} ({log10[i, j]:.1f})" for j in range(rhos.size)]
        lines.append(_row(f"{kappa:g}", cells, 22))
    lines += _banded("lg G", log10, learned, MAP_BANDS)
    return [
        *lines,
        f"{np.isfinite(learned).sum()} of {learned.size} learn. Spearman of lg G with the speed: "
        f"{_number(rank_correlation(log10, -ranked(learned)), 2)} over {log10.size} points; over the "
        f"{(log10 < 0).sum()} with lg G < 0: {_number(rank_correlation(log10[log10 < 0], -ranked(learned)[log10 < 0]), 2)}.",
    ]


def _edge_lines(data, plan):
    section = plan["edge"]
    lines = [
        f"B. Clean recall: GRU, gains 0.6, no biases, learning rate {section['rate']:g}, {data.sizes['edge_seed']} seeds, up to "
        f"{section['updates']} updates. Theory's edge T*: lg G(T*) = 2 lg eps. Seeds that learn, at T (lg G):",
    ]
    for name, words in (("edge", ""), ("double", ", double precision")):
        learned, lengths = data[f"{name}_learned"].values, data[f"{name}_length"].values
        log10, edges = data[f"{name}_log10_gradient"].values, data[f"{name}_predicted"].values
        for i, eps in enumerate(data[f"{name}_eps"].values):
            counts, ratio = np.isfinite(learned[i]).sum(axis=-1), lengths[i] / edges[i]
            cells = ", ".join(f"{n} at {length} ({lg:.1f})" for n, length, lg in zip(counts, lengths[i], log10[i]))
            every, none = separation(-ratio, learned[i])
            right = (ratio < 1.0)[:, None] == np.isfinite(learned[i])
            lines.append(f"  eps {eps:g}{words}, T* = {edges[i]:.1f}: {cells}")
            lines.append(
                f"    all seeds learn up to T/T* = {_number(-every, 2)}, none from {_number(-none, 2)} on; theory is right about "
                f"{right.sum()} of {right.size} runs"
            )
    return lines


def _step_lines(data, plan):
    section, learned = plan["step"], data["step_learned"].values
    rates, per_gain = data["step_rate"].values, data["step_sensitivity"].values
    lines = [
        f"C. Clean recall, T = {section['length']}: LSTMs of the same lg G = {float(data['step_log10_gradient'][0]):.2f}, "
        f"{learned.shape[-1]} seeds, up to {section['updates']} updates. Lambda: T d radius/d gain. "
        "Seeds that learn (median updates):",
        _row("b_i / -b_f, Lambda", [f"rate {rate:g}" for rate in rates], 14),
    ]
    for i, shut in enumerate(data["step_shut"].values):
        cells = [f"{np.isfinite(one).sum()} ({_updates(one, False)})" for one in learned[i]]
        lines.append(_row(f"{shut:g}, {per_gain[i]:.2f}", cells, 14))
    product = per_gain[:, None] * rates
    return [*lines, *_banded("Lambda times learning rate", product, learned, STEP_BANDS)]


def _table_lines(data, plan):
    section, learned = plan["table"], data["table_learned"].values
    log10, scatter = data["table_log10_gradient"].values, data["table_scatter"].values
    rates, names = data["table_rate"].values, data["table_start"].values
    lines = [
        f"D. Noisy recall, T = {section['length']}, {learned.shape[-1]} seeds: updates to 90 %, median (smallest to largest), "
        f'how many learned if not all; "-" none in {section["updates"]}:',
        _row("(lg G, ± scatter of networks)", [f"rate {rate:g}" for rate in rates], 26),
    ]
    for i, name in enumerate(names):
        cells = [_spread(one) for one in learned[i]]
        lines.append(_row(f"{name} ({with_scatter(log10[i], scatter[i])})", cells, 26))
    best = best_rate(learned)
    chosen = learned[np.arange(names.size), best]
    for kind, of in _kinds(names):
        every, none = separation(log10[of], chosen[of])
        lines.append(
            f"{kind}, best rate of each: every run learns at lg G >= {_number(every)}, none at lg G <= {_number(none)}; Spearman "
            f"of lg G with the speed {_number(rank_correlation(log10[of], -ranked(chosen[of])), 2)} over {of.sum()}."
        )
    return lines


def _digits_lines(data, plan):
    score, rates = data["digits_score"].values, data["digits_rate"].values
    log10, names = data["digits_log10_gradient"].values, data["digits_start"].values
    scatter = data["digits_scatter"].values
    seeds = score.shape[-1]
    lines = [
        f"D, beside it: permuted digits, 64 steps, {plan['digits']['updates']} updates, {seeds} seeds: accuracy on images not "
        "trained on, mean (smallest to largest):",
        _row("(lg G, ± scatter of networks)", [f"rate {rate:g}" for rate in rates], 26),
    ]
    there = np.isfinite(log10)
    for i in np.flatnonzero(there):
        cells = [f"{one.mean():.3f} ({one.min():.3f} to {one.max():.3f})" for one in score[i]]
        lines.append(_row(f"{names[i]} ({with_scatter(log10[i], scatter[i])})", cells, 26))
    for kind, of in _kinds(names):
        of = of & there
        best = score[of].mean(axis=-1).max(axis=-1)
        lines.append(
            f"{kind}: Spearman of lg G with the accuracy at the better rate {_number(rank_correlation(log10[of], best), 2)} over "
            f"{of.sum()}."
        )
    return lines


# --- words


def with_scatter(log10, scatter):
    """lg G, and by how much single networks scatter about it where theory knows that and it is seen."""
    return f"{log10:.1f}" + (f" ± {scatter:.1f}" if scatter >= 0.1 else "")


def _banded(name, values, learned, ends):
    """A line for each band of a number of points: how many of its runs learn, and how fast."""
    lines = []
    for low, high in zip(ends, ends[1:]):
        some = learned[(values > low) & (values <= high)]
        if some.size:
            where = f"up to {high:g}" if low == ends[0] else f"beyond {low:g}" if high == ends[-1] else f"{low:g} to {high:g}"
            middle = _updates(some.ravel(), False)
            lines.append(f"  {name} {where}: {np.isfinite(some).sum()} of {some.size} runs learn, median updates {middle}")
    return lines


def _row(head, cells, width):
    return f"{head:<40}" + "".join(f"{cell:>{width}}" for cell in cells)


def _kinds(names):
    kinds = np.array([name.partition(" ")[0] for name in names])
    return [(kind, kinds == kind) for kind in dict.fromkeys(kinds)]


def _updates(learned, count=True):
    """The median, with how many learned if that is not all of them."""
    some = np.isfinite(learned)
    if not some.any():
        return "-"
    middle = ranked(learned)
    words = f"{middle:.0f}" if np.isfinite(middle) else "-"
    return words if some.all() or not count else f"{words}, {some.sum()} of {some.size}"


def _spread(learned):
    some = learned[np.isfinite(learned)]
    if some.size == 0:
        return "-"
    words = f"{_updates(learned, False)} ({some.min():.0f} to {some.max():.0f})"
    return words if some.size == learned.size else f"{words}, {some.size} of {learned.size}"


def _number(value, digits=1):
    return f"{value:.{digits}f}" if np.isfinite(value) else "(no such)"
