"""What a family of cycles runs into as its period diverges: a homoclinic orbit or a saddle-node on the cycle, each located [JSP].

A cycle on the way to a homoclinic orbit rests ever longer at a saddle, T ~ -log|mu - mu_c| / min(lambda_u, -lambda_s). On the way
to a saddle-node it passes where two fixed points are about to be born, T ~ |mu - mu_c|^(-1/2). What it ends at is found by means
that know nothing of periods: the boundary value problem of the connecting orbit, the branch of fixed points beyond the end. The
periods must then follow the law of what was found.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ...errors import ConvergenceError
from ...results.encoding import dict_of, result
from ...results.status import Status
from ..line import Path
from ..orbits.collocation import from_curve
from ..orbits.connections import Connection, rest_point
from ..orbits.cycle import Cycle
from ..orbits.homoclinic import Heteroclinic, Homoclinic, heteroclinic_from, homoclinic_from
from ..program.taylor import parameter_slope
from .bifurcation import Bifurcation
from .fixed_points import continue_fixed_point

__all__ = ["InfinitePeriod", "infinite_period"]

#: Speeds in units of the smallest one up to which a local minimum of the speed is a place where the cycle rests.
_RESTS = 10.0

#: Distance of a saddle or fold from the cycle, in units of its extent, up to which the cycle passes it.
_PASSES = 0.1

#: How far the slope of the periods may be off the law of what was found.
_LAW = 0.25

#: Parameters of loops that are glued together agree to this.
_SAME = 1e-7

#: How far beyond the extrapolated end fixed points are looked for, in units of the way to it.
_BEYOND = (1.0, 4.0, 16.0)

#: Mesh intervals of a loop.
_INTERVALS = 60


@result("flow.InfinitePeriod")
@dataclass(frozen=True)
class InfinitePeriod:
    """What a family of cycles ends at as its period grows.

    Attributes
    ----------
    kind : str
        "homoclinic", "heteroclinic" (a ring of several saddles), "saddle_node" (a saddle-node on the cycle, SNIC), "slow" (no fixed
        point on the cycle: it is only slow), "unsettled".
    path : str or Line
    value : float
        The parameter at which the period diverges, from the connecting orbit or the fold; nan for the last two kinds.
    states : (k, dim) array
        Where the cycle rests, once for each pass: saddles or folds, or the slowest states for the last two kinds.
    distance : float
        Of these from the last cycle, the largest, in units of the cycle's extent.
    slope : float
        Of the last periods against ``-log|mu - mu_c|`` (connections) or ``|mu - mu_c|^(-1/2)`` (saddle-node).
    expected : float
        By theory: passes / min(lambda_u, -lambda_s), or pi / sqrt(a b) summed over the folds passed, of dx/dt = a mu + b x^2 there;
        nan for a ring of different saddles.
    evidence : list of Homoclinic, Heteroclinic or Bifurcation
        The connecting orbits or folds themselves, once for each pass.
    status : Status
        "proved": what was found is located and the periods follow its law; "located": it is located, but the periods do not show
        their law (too few of them close to it, or a ring of different saddles); "slow"; "unsettled", with the reason. ok but for
        the last.

    See Also
    --------
    gating_theory.flow.end_of_period : Makes one.

    Examples
    --------
    >>> import gating_theory as gt
    >>> flow = gt.GRUFlow(U_h=[[4.5, -2], [10, 0]], b_h=[0.4, 0.95])
    >>> cycle = gt.flow.find_cycle(flow, [-0.2, 0.2])
    >>> branch = gt.flow.continue_cycle(
    ...     flow, "b_h[1]", (0.5, 1.2), cycle, direction=-1, max_period=40
    ... )
    >>> end = gt.flow.end_of_period(branch)
    >>> end.status.code, round(end.slope, 2), round(end.expected, 2)
    ('proved', 3.22, 3.22)
    """

    kind: str
    path: Path
    value: float
    states: np.ndarray
    distance: float
    slope: float
    expected: float
    evidence: list[Homoclinic | Heteroclinic | Bifurcation] = field(repr=False)
    status: Status

    as_dict = dict_of

    @property
    def ok(self) -> bool:
        """Whether it is settled what the family ends at."""
        return self.status.ok

    def __str__(self) -> str:
        return f"{self.status}"


def infinite_period(cycle: Cycle, path: Path, values: np.ndarray, periods: np.ndarray) -> InfinitePeriod:
    """What a family of cycles runs into, judged from its last cycle and from how its periods grow.

    Parameters
    ----------
    cycle : Cycle, the last one
    path : str or Line
    values, periods : (n,) arrays
        Parameters and periods along the family, the last ones those of ``cycle``.

    Returns
    -------
    InfinitePeriod
    """
    places = _resting_phases(cycle)
    states = cycle.orbit(places)
    saddles = [_saddle_near(cycle, state) for state in states]
    if all(s is not None for s in saddles):
        return _connections(cycle, path, values, periods, places, np.array(saddles))
    if all(s is None for s in saddles):
        folds = [_fold_near(cycle, path, values, periods, state) for state in states]
        if all(f is not None for f in folds):
            return _saddle_nodes(cycle, path, values, periods, folds)
        if all(f is None for f in folds):
            slowest = float(np.linalg.norm(cycle.flow(cycle.orbit.stages), axis=-1).min())
            text = f"slow: no fixed point on the cycle of period {cycle.period:.6g}, whose smallest speed is {slowest:.3g}"
            return _unsettled("slow", path, states, Status("slow", text))
    text = "unsettled: the cycle rests at several places, only some of which are fixed points or about to become some"
    return _unsettled("unsettled", path, states, Status("unsettled", text, ok=False))


def _unsettled(kind, path, states, status):
    return InfinitePeriod(kind, path, np.nan, states, np.nan, np.nan, np.nan, [], status)


def _resting_phases(cycle):
    """Phases of the cycle where its speed is smallest, one for each pass of a resting place."""
    orbit = cycle.orbit
    nodes = np.linspace(0.0, 1.0, 7)[:-1]
    phases = (orbit.mesh[:-1, None] + np.diff(orbit.mesh)[:, None] * nodes).ravel()
    speed = np.linalg.norm(cycle.flow(orbit(phases)), axis=-1)
    slow = speed < _RESTS * speed.min()
    if slow.all():
        return phases[[int(np.argmin(speed))]]
    # runs of slow states around the cycle
    start = int(np.argmin(slow))
    order = np.roll(np.arange(len(phases)), -start)
    runs = np.split(order, np.flatnonzero(np.diff(slow[order].astype(int))) + 1)
    return np.sort([phases[run[np.argmin(speed[run])]] for run in runs if slow[run[0]]])


def _saddle_near(cycle, state):
    """The saddle that the cycle passes at a state, or None."""
    try:
        saddle = rest_point(cycle.flow, state)
    except ConvergenceError:
        return None
    near = np.linalg.norm(saddle - state) < _PASSES * cycle.extent.max()
    real = np.linalg.eigvals(cycle.flow.jacobian(saddle)).real
    return saddle if near and real.min() < 0 < real.max() else None


# --- connections


def _connections(cycle, path, values, periods, places, saddles):
    flow, period = cycle.flow, cycle.period
    distance = float(cycle.distance(saddles).max() / cycle.extent.max())
    ring = len({tuple(np.round(s / cycle.extent.max(), 4)) for s in saddles}) > 1
    evidence = []
    try:
        for k in range(len(places)):
            begin, last = places[k], places[(k + 1) % len(places)]
            time = period * ((last - begin) % 1.0 or 1.0)
            loop = from_curve(lambda t, begin=begin: cycle.orbit(begin + np.asarray(t) / period), time, _INTERVALS)
            if ring:
                evidence.append(heteroclinic_from(Connection(flow, loop, saddles[[k, (k + 1) % len(places)]]), path))
            else:
                evidence.append(homoclinic_from(Connection(flow, loop, saddles[[k]]), path))
    except ConvergenceError as failure:
        text = f"unsettled: the cycle passes a saddle at {distance:.2g} of its extent, but no connecting orbit was found: {failure}"
        return _unsettled("unsettled", path, saddles, Status("unsettled", text, ok=False))
    kind = "heteroclinic" if ring else "homoclinic"
    found = np.array([e.value for e in evidence])
    if np.ptp(found) > _SAME * max(1.0, np.abs(found).max()):
        text = f"unsettled: the connections along the cycle exist at different values of {path}: {found.tolist()}"
        return _unsettled("unsettled", path, saddles, Status("unsettled", text, ok=False))
    value, error = float(found[0]), max(e.error for e in evidence)
    expected = np.nan
    if not ring:
        rate = evidence[0].eigenvalues.real
        expected = float(len(places) / min(rate[rate > 0].min(), -rate[rate < 0].max()))
    slope = _slope(np.abs(values - value), periods, error, lambda d: -np.log(d))
    what = f"{kind} orbit at {path} = {value:.12g} ({error:.0e})" + (f", {len(places)} passes" if len(places) > 1 else "")
    status = _status(what, "-log|mu - mu_c|", slope, expected)
    return InfinitePeriod(kind, path, value, saddles, distance, slope, expected, evidence, status)


def _slope(distances, periods, error, law):
    """The slope of the last periods against a law of the distance, between two distances that differ by 2 at least; nan if none."""
    use = np.flatnonzero(distances > max(100.0 * error, 1e-14))
    if len(use) < 2:
        return np.nan
    last = use[np.argmin(distances[use])]
    others = use[distances[use] > 2.0 * distances[last]]
    if not len(others):
        return np.nan
    other = others[np.argmin(distances[others])]
    return float((periods[last] - periods[other]) / (law(distances[last]) - law(distances[other])))


def _status(what, law, slope, expected):
    if not np.isfinite(expected):
        return Status("located", what)
    if not np.isfinite(slope):
        return Status("located", f"{what}; too few periods close to it to show their law")
    words = f"T grows by {slope:.6g} per unit of {law}, expected {expected:.6g}"
    if abs(slope / expected - 1.0) < _LAW:
        return Status("proved", f"{what}: {words}")
    return Status("located", f"{what}: the last periods do not follow its law yet: {words}")


# --- saddle-nodes


def _fold_near(cycle, path, values, periods, state):
    """The fold of fixed points that is about to be born at a state, or None: by the branch of fixed points beyond the end."""
    flow, here, extent = cycle.flow, cycle.flow.parameter(path), cycle.extent.max()
    # T^-2 goes to zero in proportion to the distance
    earlier = np.flatnonzero(periods < 0.9 * periods[-1])
    if not len(earlier):
        return None
    k = earlier[-1]
    way = (here - values[k]) * periods[k] ** 2 / (periods[-1] ** 2 - periods[k] ** 2)
    if way == 0.0 or not np.isfinite(way):
        return None
    for factor in _BEYOND:
        there = here + way * (1.0 + factor)
        try:
            point = rest_point(flow.replace(path, there), state)
            # a square root: the fixed points move fast in units of the parameter
            if np.linalg.norm(point - state) > 3.0 * _PASSES * extent:
                continue
            bounds = sorted((here - way, there))
            step = max(1e-9, 0.1 * np.linalg.norm(point - state))
            branch = continue_fixed_point(
                flow.replace(path, there), path, (bounds[0] - abs(way), bounds[1] + abs(way)), point, max_step=step, max_points=200
            )
        except (ConvergenceError, ValueError):
            continue
        folds = [b for b in branch.bifurcations if b.kind == "fold" and cycle.distance(b.state) < _PASSES * extent]
        folds = [b for b in folds if (b.value - here) * way > 0]
        if folds:
            return min(folds, key=lambda b: abs(b.value - here))
    return None


def _saddle_nodes(cycle, path, values, periods, folds):
    states = np.array([b.state for b in folds])
    here = cycle.flow.parameter(path)
    value = min((b.value for b in folds), key=lambda v: abs(v - here))
    # folds that come later slow the cycle down, but it does not end at them
    passed = [b for b in folds if abs(b.value - value) < _SAME * max(1.0, abs(value))]
    expected = float(sum(np.pi / np.sqrt(abs(_unfolding(b, path) * b.coefficient)) for b in passed))
    slope = _slope(np.abs(values - value), periods, 1e-12, lambda d: d**-0.5)
    distance = float(cycle.distance(states).max() / cycle.extent.max())
    what = f"saddle-node on the cycle at {path} = {value:.12g}" + (f", {len(passed)} at once" if len(passed) > 1 else "")
    status = _status(what, "|mu - mu_c|^(-1/2)", slope, expected)
    return InfinitePeriod("saddle_node", path, float(value), states, distance, slope, expected, list(passed), status)


def _unfolding(fold, path):
    """a of dx/dt = a (mu - mu_c) + b x^2 along the critical direction q, |q| = 1."""
    u, _, vt = np.linalg.svd(fold.flow.jacobian(fold.state))
    p, q = u[:, -1], vt[-1]
    return float(p @ parameter_slope(fold.flow, fold.state, path) / (p @ q))
