"""The report of a diagnosis, as people read it."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["counted", "diagnosis_text", "steps_text"]

#: What the columns and the last row of the table of modes are.
_LEGEND = (
    "actual: eigenvalues of the Jacobian; theory, its sites: what random weights of the bulk's gains give at the same states",
    "shuffled: eigenvalues with the entries of each matrix shuffled; gain margin: all recurrent weights times this become unstable",
)
#: Distance from one below which a radius is told by it, and a gain margin below which modes are far from stable.
_CLOSE, _LEAST_MARGIN = 5e-4, 0.01


def steps_text(value: float) -> str:
    """A timescale as people read it, or that there is none.

    Parameters
    ----------
    value : float, steps
    """
    return "grows" if math.isinf(value) else f"{value:.3g}"


def _radius(value):
    """A modulus, or where that would be rounded to one its distance."""
    gap = 1.0 - value
    return f"{value:.4f}" if abs(gap) >= _CLOSE else "1" if gap == 0.0 else f"1 {'-' if gap > 0 else '+'} {abs(gap):.1e}"


def _margin(value):
    if value is None:
        return "-"
    return f"below {_LEAST_MARGIN}" if value < _LEAST_MARGIN else "any" if math.isinf(value) else f"x {value:.3g}"


def counted(number: int, what: str) -> str:
    """A number of things: 1 state, 2 states.

    Parameters
    ----------
    number : int
    what : str, the word for one
    """
    return f"{number} {what}{'' if number == 1 else 's'}"


def diagnosis_text(d: Any) -> str:
    """The report that printing a Diagnosis gives.

    Parameters
    ----------
    d : Diagnosis
    """
    net = d.network
    shorter = f"{d.shortest} to " if d.shortest is not None and d.shortest < d.n_steps else ""
    along = (
        f"along {counted(d.n_sequences, 'input sequence')} of {shorter}{counted(d.n_steps, 'step')}"
        if d.driven
        else "without input"
    )
    lines = [f"{d.source}: {net.n_units} units, cell {net.cell.name}, {along}"]
    lines += ["", "recurrent weights        gain    bulk  learned    bias  spread  kurtosis  radius/gain  norm/gain  symmetry"]
    bias, spread = d.ensemble.bias, d.ensemble.bias_std
    for name, w in d.weights.items():
        bulk, learned = d.ensemble.gain[name], d.split.fields[name].n_learned
        lines.append(
            f"  field {name:<16}{w.gain:>7.3f} {bulk:>7.3f} {learned:>8d} {bias[name]:>7.3f} "
            f"{spread[name]:>7.3f} {w.excess_kurtosis:>9.2f} {w.radius:>12.3f} {w.norm:>10.3f} {w.symmetry:>9.3f}"
        )
    for name, value in d.ensemble.parameter.items():
        lines.append(f"  parameter {name:<36} {value:>7.3f} {d.ensemble.parameter_std[name]:>7.3f}")
    lines.append(f"  iid normal matrices give {0:>21d} {0.0:>25.2f} {1.0:>12.3f} {2.0:>10.3f} {0.0:>9.3f}")
    lines.append("  bulk: gain of the random part; learned: directions that stand out of it" + _before(d))
    lines.append(f"  {d.origin}")
    columns = {"actual": d.actual}
    if d.modes.removed:
        columns["without learned"] = d.bulk
    columns |= {"theory, its sites": d.from_sites, "shuffled": d.shuffled}
    if d.random is not None:
        columns["theory, ensemble"] = d.random
    if d.random_driven is not None:
        columns["theory, driven"] = d.random_driven
    lines += ["", f"modes (mean, {counted(d.n_states, 'state')})".ljust(26) + "".join(f"{name:>19}" for name in columns)]

    def row(label, values):
        lines.append(f"  {label:<24}" + "".join(f"{value:>19}" for value in values))

    row("slowest mode (steps)", [steps_text(c.slowest) for c in columns.values()])
    row("spectral radius", [_radius(c.radius) for c in columns.values()])
    row("spectral abscissa", [_radius(c.abscissa) for c in columns.values()])
    for tau in d.actual.slow_fraction:
        row(f"slower than {tau:g} steps", [f"{100 * c.slow_fraction[tau]:.2f} %" for c in columns.values()])
    row("gain margin", [_margin(c.gain_margin) for c in columns.values()])
    lines += [f"  {text}" for text in _LEGEND]
    if d.modes.removed:
        lines.append("  without learned: eigenvalues without the learned part of the weights, at the same sites")
    if d.random is not None:
        lines.append(
            f"  theory, ensemble: random networks of the bulk's gains and these biases{', without the inputs' if d.driven else ''}"
        )
    if d.random_driven is not None:
        alike = "" if math.isnan(d.input_correlation) else f" (yours, correlation {d.input_correlation:.2f} with the next step's)"
        lines.append(f"  theory, driven: the same under white input as strong as yours{alike}")
    lines += [f"  {d.assumes}"] if d.assumes else []
    lines += ["", *str(d.modes).splitlines()]
    error = "" if math.isnan(d.lyapunov_stderr) else f" +- {d.lyapunov_stderr:.4f}"
    beside = "" if math.isnan(d.random_lyapunov) else f"; random networks under such input: {d.random_lyapunov:.4f}"
    lines += ["", f"largest Lyapunov exponent over {shorter}{d.n_steps} steps: {d.lyapunov:.4f}{error} per step{beside}"]
    steps = ", ".join(f"10^{value / math.log(10):.1f} ({lag})" for lag, value in d.gradient.items())
    lines += ["", *str(d.gradients).splitlines()]
    lines.append(
        "  mean squares; theory: what random weights of the bulk's gains give at the same sites, the same ones in every step"
    )
    lines += [f"  a typical gradient has grown by: {steps}", ""]
    lines.append(
        f"structure of the weights: eigenvalues in discs differ from theory at the same sites by up to {_percent(d.structure)}, "
        f"without the learned part {_percent(d.structure_bulk)}, with shuffled weights {_percent(d.structure_shuffled)}"
    )
    if d.ends is not None:
        lines.append(
            f"attractors, {'visited along the inputs, then' if d.driven else 'from random states,'} without input: {d.ends}"
        )
    lines += [f"- {text}" for text in d.advice]
    if not d.status.ok:
        lines.append(f"note: {d.status}")
    return "\n".join(lines)


def _before(d):
    return ", by the weights before training" if d.split.initial is not None else ""


def _percent(fraction):
    return "an unknown part" if math.isnan(fraction) else f"{100 * fraction:.2f} %"
