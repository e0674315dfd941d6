"""What a diagnosis advises: longer memory, gradients that reach further, order instead of chaos."""

from __future__ import annotations

import math

from ..cell import builtin
from ..ensemble.ensemble import Ensemble
from ..errors import CapabilityError, ConvergenceError
from ..gradients.growth import gradient_growth
from ..mean_field.fixed_points import zero_state
from ..spectrum.spectrum import Spectrum
from .diagnosis import Diagnosis
from .gradients import power
from .memory import remembering

__all__ = ["advice_for"]

#: log10 of a mean square that is far from that of an isometry, so that a better initialisation is told.
_FAR = 3.0
#: Steps of the longest run that a better initialisation is told for.
_LONGEST_DESIGN = 1000


def advice_for(d: Diagnosis) -> list[str]:
    """What to do about an initialisation; of trained networks only what is so, for what to change is learned.

    Parameters
    ----------
    d : Diagnosis, without advice
    """
    return [*_plain(d), *_better_gradients(d)]


def _plain(d):
    holds = d.ends is not None and len(d.ends) > 1
    out = []
    if holds:
        out.append(
            f"it remembers for ever, in {len(d.ends)} attractors: modes say how fast a state falls into one of them, not how long "
            "that is remembered"
        )
    else:
        out += _short_memory(d)
    out += _gradients(d, holds)
    if d.lyapunov > 0.0 and not d.lyapunov < 2.0 * (0.0 if math.isnan(d.lyapunov_stderr) else d.lyapunov_stderr):
        advice = "" if d.origin.trained else "; lower the gain of the candidate"
        out.append(f"small differences grow by exp({d.lyapunov:.3g}) a step: chaotic, gradients explode{advice}")
    if d.structure > max(3.0 * d.structure_shuffled, 0.02):
        out.append("the weights have structure that iid theory does not know: rely on the column 'actual'")
    return out


def _better_gradients(d):
    """What an initialisation does to gradients, and what one made for them would keep; nothing of trained networks."""
    steps, value = max(d.gradients.measured.items())
    if d.origin.trained or abs(value) < _FAR or d.ends is not None and len(d.ends) > 1:
        return []
    cell, memory = d.network.cell, min(steps, _LONGEST_DESIGN)
    try:
        solution = remembering(Ensemble(cell), memory, 1.0, frozenset())
        left = gradient_growth(Spectrum(zero_state(Ensemble(cell).replace(solution))), memory).log10[-1]
    except (CapabilityError, ConvergenceError):
        return []
    name = f"gt.{cell.name}" if getattr(builtin, cell.name, None) == cell else "cell"
    values = ", ".join(f"{path} = {x:.3g}" for path, x in solution.items())
    change = "shrinks" if value < 0.0 else "grows"
    return [
        f"the mean square of a gradient {change} to {power(value)} in {steps} steps; with {values} "
        f"(gt.design({name}, memory={memory})) to {power(left)}"
    ]


def _short_memory(d):
    horizon = d.n_steps if d.driven else None
    if d.actual.slowest >= (horizon or 10):
        return []
    against = f"the inputs are {horizon} steps long" if horizon else "that is very short"
    advice = ": for longer memory raise the bias of the slow gate, or take an initialisation from gt.design"
    return [f"the slowest mode lives {d.actual.slowest:.3g} steps, {against}{'' if d.origin.trained else advice}"]


def _gradients(d, holds):
    longest = max(d.gradient)
    rate = d.gradient[longest] / longest
    if not (math.isfinite(rate) and rate < 0.0 and -math.log(1e6) / rate < (d.n_steps if d.driven else 100)):
        return []
    text = f"gradients shrink by a million within {-math.log(1e6) / rate:.0f} steps: "
    if holds:
        return [text + "further training does not see further back, what the attractors hold stays"]
    return [text + ("further training does not see further back" if d.origin.trained else "nothing further back is learned")]
