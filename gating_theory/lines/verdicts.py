"""What a search for a critical value says: the Critical, or why there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..ensemble.critical_value import Critical
from ..errors import CapabilityError, NoCriticalValue
from ..mean_field.carriers import in_few_sites
from ..mean_field.fixed_points import fixed_points
from ..results.status import Status
from .networks_beyond import LAWS
from .rare_sites import ASK, ASK_ELSEWHERE, AT_EDGE, half_share_at_edge

if TYPE_CHECKING:
    from ..dynamics.sign_changes import SignChange
    from .branch import Branch
    from .passages import Passage
    from .simulated import Simulated

__all__ = ["critical_at", "critical_of_networks", "nothing_at", "nothing_in_networks"]

#: What happens to the solutions at a passage.
_WORDS = {"onset": ", at the onset of instability of the zero state", "fold": ", where two solutions are born or merge", "": ""}


def _which(branch):
    if branch.measure.of in ("ensemble", "fixed_points") or branch.measure.n_units is not None:
        return ""
    named = {"zero": " of the zero state", "active": " of the active solution"}
    return named.get(branch.solution, f" of solution {branch.solution}")


def _lost(branch):
    """Where something may have been missed."""
    return f"; {branch.lost} of {len(branch.seen)} places did not converge" if branch.lost else ""


def critical_at(branch: Branch, passage: Passage) -> Critical:
    """The Critical of a passage.

    Parameters
    ----------
    branch : Branch
    passage : Passage
    """
    sides = [(float(limit.height + branch.target), float(limit.error)) for limit in (passage.below, passage.above)]
    about = f"{branch.measure.name}{_which(branch)}"
    if passage.jumps:
        text = f"{about} jumps from {sides[0][0]:.6g} below to {sides[1][0]:.6g} above{_WORDS[passage.kind]}{_lost(branch)}"
    else:
        way = "upwards" if passage.rising else "downwards"
        text = f"{about} passes {branch.target:g} {way}{_WORDS[passage.kind]}{_lost(branch)}"
    lam, share = _carried(branch, passage)
    return Critical(
        passage.value,
        branch.path.parameter,
        kind=branch.measure.kind,
        error=float(passage.error),
        discontinuous=passage.jumps,
        moments={} if passage.point is None else dict(passage.point.moments),
        ensemble=branch.path.at(passage.value),
        status=Status("discontinuous" if passage.jumps else "continuous", text + in_few_sites(share, lam, _ask(branch))),
        below=sides[0],
        above=sides[1],
        rising=passage.rising,
        half_share=share,
        n_units=branch.measure.n_units,
    )


def _carried(branch, passage):
    """Of what T at the edge decides, the abscissa and the fraction of all sites that carry half of T there; None of all else."""
    measure = branch.measure
    if measure.n_units is not None or measure.kind.partition(":")[0] not in AT_EDGE:
        return np.nan, None
    if measure.of == "fixed_points":  # the one whose stability changes
        edges = [half_share_at_edge(point) for point in fixed_points(branch.path.at(passage.value))]
        return min(edges, key=lambda edge: abs(edge[0] - 1.0), default=(np.nan, np.nan))
    return (np.nan, np.nan) if passage.point is None else half_share_at_edge(passage.point)


def _ask(branch):
    return ASK if branch.measure.kind in LAWS else ASK_ELSEWHERE


def critical_of_networks(some: Simulated, change: SignChange, options: dict[str, Any]) -> Critical:
    """The Critical of a change of sign, on the average over networks.

    Parameters
    ----------
    some : Simulated
    change : SignChange
    options : dict, n_units and n_steps of the simulations
    """
    sides = [(height + some.target, error) for height, error in (change.below, change.above)]
    how = f"jumps from {sides[0][0]:.3g} below to {sides[1][0]:.3g} above" if change.jumps else f"passes {some.target:g}"
    which = f"{'upwards' if change.rising else 'downwards'}; {len(some.networks)} networks of {options['n_units']} units"
    return Critical(
        change.value,
        some.path.parameter,
        kind=some.measure.name,
        error=change.error,
        discontinuous=change.jumps,
        moments={},
        ensemble=some.path.at(change.value),
        status=Status("discontinuous" if change.jumps else "continuous", f"{some.measure.name} {how} {which}"),
        below=sides[0],
        above=sides[1],
        rising=change.rising,
        networks=change.values,
        n_units=options["n_units"],
        n_steps=options["n_steps"],
    )


def nothing_at(branch: Branch, target: float) -> Exception:
    """Why there is nothing: the range in which the quantity was seen.

    Parameters
    ----------
    branch : Branch
    target : float, the value that was sought
    """
    path, about = branch.path, f"{branch.measure.name}{_which(branch)}"
    where = f"along {path.parameter!r} between {path.low:g} and {path.high:g} for {path.ensemble!r}"
    heights = np.array([sample.height for sample in branch.seen.values() if sample.measured])
    seen = heights[~np.isnan(heights)] + branch.target
    if not seen.size:
        if branch.solution == "zero" and not branch.lost:
            return CapabilityError(f"critical: there is no zero state {where}")
        return NoCriticalValue(f"critical: {about} is not defined anywhere {where}{_lost(branch)}")
    gaps = f", not defined at {np.isnan(heights).sum()} of {heights.size} values" if seen.size < heights.size else ""
    text = f"{seen.min():.6g} to {seen.max():.6g}" if seen.max() > seen.min() else f"{seen.min():.6g} everywhere"
    return NoCriticalValue(f"critical: {about} does not pass {target:g} {where}: it is {text}{gaps}{_lost(branch)}")


def nothing_in_networks(some: Simulated) -> NoCriticalValue:
    """The same for networks.

    Parameters
    ----------
    some : Simulated
    """
    path, name = some.path, some.measure.name
    return NoCriticalValue(
        f"critical: {name} does not pass {some.target:g} along {path.parameter!r} between {path.low:g} and {path.high:g} for "
        f"{path.ensemble!r}: in one network it is {min(some.seen):.3g} to {max(some.seen):.3g} at {len(some.seen)} values"
    )
