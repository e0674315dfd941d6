"""What is said of the modes of a network."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = ["modes_text"]

#: Modes that are listed one by one.
_ROWS = 6
#: Share of the modulus below which no field is named as the one that modes come from: it says little there [T11].
_LITTLE = 0.05
#: Fields that write what a cell keeps, by the names that they have in the built-in cells; all others are gates.
_CANDIDATES = ("h", "g")


def modes_text(m: Any) -> str:
    """The text that printing Modes gives: how many lie outside, which are learned, from where, and the slowest one by one.

    Parameters
    ----------
    m : Modes
    """
    lines = [*_sentences(m), *_table(m)]
    if not m.status.ok:
        lines.append(f"note: {m.status}")
    return "\n".join(lines)


def _sentences(m):
    each = f" (mean of {m.n_states} states)" if m.n_states > 1 else ""
    gains = ", ".join(f"{name} {m.ensemble.gain[name]:.3g}" for name in m.field_names if m.ensemble.gain[name] > 0.0)
    size, outside = m.eigenvalues.shape[1], float(m.outside.sum(axis=1).mean())
    lie, of_all = "lies" if outside == 1.0 else "lie", f"{_number(outside)} of {size} modes{each}"
    held = float((m.outside & (m.kinds == "leak")).sum(axis=1).mean())
    lines = [
        f"{of_all} {lie} outside what random weights of gain {gains or '0'} give at the same sites; "
        f"about one does by chance{' besides what shut gates hold' if held else ''}"
    ]
    if held:
        be = "is a single unit whose gate is" if held == 1.0 else "are single units whose gates are"
        lines.append(f"  {_number(held)} of them {be} shut, as random weights have them there")
    learned = m.of_kind("learned")
    if learned:
        slow = [mode for mode in learned if mode.timescale > 10.0]
        lines.append(f"  {_how_many(m, outside)}{_how_slow(m, slow, learned)}:")
        lines += [f"    {text}" for text in _from_where(m, slow or learned)]
    elif not any(m.n_learned.values()):
        lines.append(f"  none is seen to be learned: {_nothing_found(m)}")
    elif outside:
        lines.append("  none of them is learned: without the learned directions something is left in their places")
    shut, bulk = m.count("leak", slow=True), m.count("bulk", slow=True)
    if shut:
        are = "is" if shut == 1.0 else "are"
        lines.append(f"  {_number(shut)} {are} slow because single units forget slowly by themselves: their gates are shut")
    if bulk:
        lines.append(f"  {_number(bulk)} slow ones lie inside: random weights of these gains have them at these sites as well")
    return lines


def _how_many(m, outside):
    """Whether all or some of those outside are learned."""
    number = m.count("learned")
    if number == outside:
        return "it is learned" if number == 1.0 else "they are learned"
    return f"{_number(number)} of them {'is' if number == 1.0 else 'are'} learned"


def _how_slow(m, slow, learned):
    if not slow:
        return ""
    if len(slow) == len(learned):
        return ", slower than 10 steps"
    return f", {_number(m.count('learned', slow=True))} slower than 10 steps; of these"


def _from_where(m, learned):
    """Which fields, how many directions, how much of the modulus, how far removal moves."""
    modulus = sum(abs(mode.eigenvalue) for mode in learned)
    share = {name: float(np.nansum([mode.learned[name] for mode in learned])) / modulus for name in learned[0].learned}
    name = max(share, key=lambda n: share[n])
    others = sum(value for key, value in share.items() if key != name)
    moved = float(np.mean([mode.removed["all"] for mode in learned]))
    leak = float(np.nansum([mode.leak for mode in learned])) / modulus
    near = f"without what is learned the nearest mode left is {moved:.2g} away"
    if share[name] < _LITTLE:
        return f"{_percent(leak)} of the modulus comes from leaks, {_percent(share[name] + others)} from what is learned", near
    text = f"{_percent(share[name])} of the modulus comes from {_owner(m, name)} {_directions(m.n_learned.get(name, 0))}"
    if abs(others) >= 0.02:
        text += f", {_percent(others)} from the learned part of other matrices"
    return f"{text}, {_percent(leak)} from leaks", near


def _nothing_found(m):
    if m.from_initial:
        return "no matrix changed"
    return "no direction of any matrix stands out from a random one; initial=, the weights before training, would show weaker ones"


def _owner(m, name):
    if len(m.n_learned) == 1 and m.ensemble.cell.n_fields == 1:
        return "its matrix's"
    return f"the candidate's ({name})" if name in _CANDIDATES else f"gate {name}'s"


def _directions(number):
    return f"{number} learned direction{'' if number == 1 else 's'}"


def _table(m):
    if not len(m):
        return []
    names = list(m.listed[0].learned)
    head = "".join(f"{text:>11}" for text in ("steps", "kind", "leak", "random", *(f"learned {name}" for name in names), "removed"))
    lines = ["", "slowest modes".ljust(24) + head]
    for mode in sorted(m.listed, key=lambda mode: -abs(mode.eigenvalue))[:_ROWS]:
        z = mode.eigenvalue
        removed = f"{mode.removed['all']:.3f}" if "all" in mode.removed else "-"
        parts = [mode.leak, sum(mode.random.values()), *mode.learned.values()]
        cells = [_steps(mode.timescale), mode.kind, *("-" if math.isnan(x) else f"{x:.3f}" for x in parts), removed]
        lines.append(f"  {f'{z.real:.4f}{z.imag:+.4f}i':<22}" + "".join(f"{text:>11}" for text in cells))
    lines.append("  parts of the modulus, their sum; removed: distance to the nearest mode left without what is learned")
    return lines


def _steps(value):
    return "grows" if math.isinf(value) else f"{value:.3g}"


def _number(value):
    return f"{value:.0f}" if abs(value - round(value)) < 1e-9 else f"{value:.1f}"


def _percent(value):
    return f"{100.0 * value:.0f} %"
