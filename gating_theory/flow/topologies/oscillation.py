"""Whether networks have a stable oscillation, for very many of them: proved where there is no sink, else by trajectories [JSP].

States stay in a box. Where no fixed point attracts, nearly every trajectory moves for ever; in two dimensions it comes to a cycle
(Poincare-Bendixson). Elsewhere trajectories from beside every unstable fixed point and from the corners of the box are followed. In
two dimensions that is where basins of cycles begin: inside a stable cycle lies a source that leads to it, or an unstable cycle, and
then the outside of the stable one is reached from a corner or along a saddle's unstable manifold. Only stable cycles between two
unstable ones can hide.
"""

from __future__ import annotations

import numpy as np

from ..flow import Flow
from ..orbits.following import Crowd
from ..orbits.trajectories import advance
from ..program.compiled import compiled_flow
from ..proof.attracting import small_box

__all__ = ["OSCILLATION", "stable_oscillations"]

#: What is known of a network: the meaning of the codes.
OSCILLATION = {-1: "not settled", 0: "none found", 1: "found", 2: "no sink"}

#: Distance from an unstable fixed point of the starts beside it, and from a sink of what has arrived; where another fixed point is
#: close, this part of the distance to it.
_BESIDE, _ARRIVED, _PART = 1e-2, 1e-3, 0.05

#: Starts stand inside the corners, on whose faces a saturated unit never moves; another part of the way in each direction, and
#: askew beside fixed points, as symmetric networks lead symmetric starts to saddles.
_INSIDE, _ASKEW = (0.95, 0.92, 0.89), (0.1, 0.06, 0.03)

#: How long trajectories are followed, in times of the fastest row of the Jacobian but at least of one step, and again; networks
#: slower than the last are given no more time.
_TIMES, _SLOWEST = (40.0, 120.0), 1e-4
#: Most steps of one of them: behind shut gates such times are a million steps that are short for the sake of stability.
_STEPS = 2000
#: Steps, of whatever length, of trajectories that have not arrived by then; how many periods of a cycle they come to are looked at,
#: and the longest period for which this is done.
_PATIENCE, _LOOK, _LONGEST_LOOK = 3000, 3.3, 2e4

#: Samples of a trajectory in which returns are looked for, and the steps of Newton's method to the moment of a return.
_SAMPLES, _NEWTON_STEPS = 60, 4

#: In units of the trajectory's extent: how near a return is, how near two on a cycle are, and how near where rounding is all that
#: is left. Of two returns on the way to a cycle the second comes nearer, by this factor.
_NEAR, _CLOSED, _ROUNDING, _NEARER = 0.1, 1e-3, 1e-5, 0.9

#: Tolerances of a step, of trajectories on their way and of those that are looked at.
_ROUGH, _FINE = 1e-5, 1e-7


def stable_oscillations(flow: Flow, flat: np.ndarray, points: list[np.ndarray], n_sinks: np.ndarray) -> np.ndarray:
    """Codes of :data:`OSCILLATION` for networks of one cell and size.

    Parameters
    ----------
    flow : Flow, of that cell and size
    flat : (B, P) array, their parameters
    points : list of (n, dim) arrays, all fixed points of each
    n_sinks : (B,) int array
        How many of the points are proved to be sinks; -1 where the list is not proved complete or a kind is undecided: not settled.

    Returns
    -------
    (B,) int8 array
    """
    code = np.where(n_sinks < 0, -1, 0).astype(np.int8)
    if flow.dim == 1:  # on a line nothing turns
        return code
    code[n_sinks == 0] = 2
    flat = np.array(flat)
    flat.flags.writeable = False
    here = np.flatnonzero(n_sinks > 0)
    owner = np.repeat(here, [len(points[b]) for b in here])
    states = np.concatenate([np.empty((0, flow.dim)), *(points[b] for b in here)])
    jacobians = _each(compiled_flow(flow.cell, flow.n_units).jacobian, states, flat[owner], flow.dim**2)
    jacobians = jacobians.reshape(-1, flow.dim, flow.dim)
    values, vectors = np.linalg.eig(jacobians)
    sink = (values.real < 0).all(axis=1)
    # behind a shut gate an eigenvalue may be all rounding: what is proved is not known to be this point
    unclear = np.bincount(owner[sink], minlength=len(flat)) != np.maximum(n_sinks, 0)
    code[unclear] = -1
    gap = _gaps(owner, states)
    fastest = np.zeros(len(flat))
    np.maximum.at(fastest, owner, np.abs(jacobians).max(axis=(1, 2)))
    slowness = 1.0 / np.clip(fastest, _SLOWEST, 1.0)
    keep = ~unclear[owner]
    starts, own = _starts(flow, owner[keep], states[keep], values[keep], vectors[keep], gap[keep])
    there = sink & keep
    ends = _by_owner(len(flat), states[there], owner[there], np.minimum(_ARRIVED, _PART * gap[there]))
    _follow(flow, flat, starts, own, ends, slowness, code)
    return code


def _each(function, states, parameters, size):
    """A compiled function at one state of each of many networks."""
    out = np.empty((len(states), size))
    parameters.flags.writeable = False
    for i in range(len(states)):
        function(states[i : i + 1], parameters[i], out[i : i + 1])
    return out


def _gaps(owner, states):
    """Distance of each fixed point to the next one of its network; ``owner`` ascends."""
    gap = np.ones(len(states))
    for rows in np.split(np.arange(len(owner)), np.flatnonzero(np.diff(owner)) + 1):
        if len(rows) > 1:
            apart = np.linalg.norm(states[rows, None] - states[None, rows], axis=2)
            gap[rows] = np.min(apart + np.diag(np.full(len(rows), np.inf)), axis=1)
    return gap


def _starts(flow, owner, states, values, vectors, gap):
    """Starts beside the unstable fixed points and in the corners, and whose they are."""
    point, direction = np.nonzero(values.real > 0)
    along = vectors[point, :, direction].real
    along = along / np.linalg.norm(along, axis=1, keepdims=True) + _ASKEW[: flow.dim]
    along *= np.minimum(_BESIDE, _PART * gap[point])[:, None]
    low, high = np.array(flow.bounds).T
    signs = np.stack(np.meshgrid(*[[-1.0, 1.0]] * flow.dim), axis=-1).reshape(-1, flow.dim)
    corners = 0.5 * (low + high) + 0.5 * (high - low) * signs * _INSIDE[: flow.dim]
    each = np.unique(owner)
    starts = np.concatenate([states[point] + along, states[point] - along, np.tile(corners, (len(each), 1))])
    return starts, np.concatenate([owner[point], owner[point], np.repeat(each, len(corners))])


def _by_owner(size, states, owner, radius):
    """Sinks and their radii for each network, padded with NaN."""
    first = np.searchsorted(owner, owner)
    place = np.arange(len(owner)) - first
    most = int(place.max(initial=0)) + 1
    sinks, radii = np.full((size, most, states.shape[1]), np.nan), np.full((size, most), np.nan)
    sinks[owner, place], radii[owner, place] = states, radius
    return sinks, radii


def _follow(flow, flat, states, owner, ends, slowness, code):
    """Follow all trajectories until they arrive at a sink or are seen to go round; enters what is found into ``code``."""
    stiff = np.zeros(len(owner), dtype=bool)
    for time in _TIMES:
        go = np.flatnonzero(~stiff)
        span, own = time * slowness[owner[go]], flat[owner[go]]
        later = advance(flow, states[go], span, parameters=own, rtol=_ROUGH, atol=0.01 * _ROUGH, steps=_STEPS)
        given_up = np.isnan(later).any(axis=1)
        stiff[go] = given_up
        states[go[~given_up]] = later[~given_up]
        arrived = (np.linalg.norm(states[:, None] - ends[0][owner], axis=2) < ends[1][owner]).any(axis=1)
        states, owner, stiff = states[~arrived], owner[~arrived], stiff[~arrived]
    if not stiff.all():
        go = np.flatnonzero(~stiff)
        first, last = (np.unique(side, return_index=True)[1] for side in (owner[go], owner[go][::-1]))
        few = go[np.union1d(first, len(go) - 1 - last)]
        code[owner[few][_goes_round(flow, flat[owner[few]], states[few], _TIMES[-1] * slowness[owner[few]])]] = 1
    for b in np.unique(owner[code[owner] == 0]):
        code[b] = _patiently(flow, flat[b], states[owner == b], ends[0][b], ends[1][b])


def _patiently(flow, own, states, sinks, radii):
    """The code of one network with slow trajectories: by steps that shut gates do not shorten."""
    ends = np.cumsum([flow.matrices.size, flow.bias.size])
    parts = (part.reshape(like.shape) for part, like in zip(np.split(own, ends), (flow.matrices, flow.bias, flow.parameters)))
    crowd = Crowd(Flow(flow.cell, *parts), states, rtol=_ROUGH)
    sets = [small_box(x, float(r)) for x, r in zip(sinks, radii) if np.isfinite(r)]
    crowd.advance(np.arange(len(states)), _PATIENCE, sets)
    moving = crowd.verdict < 0
    if not moving.any():
        return 0
    back, period, off = (a[moving] for a in crowd.candidates)
    best = int(off.argmin())
    if not (off[best] < _CLOSED and period[best] < _LONGEST_LOOK):
        return -1
    return 1 if _goes_round(flow, own[None], back[best : best + 1], np.array([_LOOK * period[best]]))[0] else -1


def _goes_round(flow, parameters, states, span):
    """Which trajectories come back to where they start within ``span``, twice, and nearer the second time.

    A return is the crossing of the plane through the start across the flow. Slow spirals into a sink come back to other places,
    each time by the same part nearer to the sink; on the way to a cycle returns converge.
    """
    field = compiled_flow(flow.cell, flow.n_units).field
    step = span / _SAMPLES
    path = [states]
    for _ in range(_SAMPLES):
        path.append(advance(flow, path[-1], step, parameters=parameters, rtol=_FINE, atol=0.1 * _FINE))
    path = np.stack(path, axis=1)
    extent = np.ptp(path, axis=1).max(axis=1)
    ahead = _each(field, states, parameters, flow.dim)
    ahead /= np.maximum(np.linalg.norm(ahead, axis=1, keepdims=True), 1e-300)
    height = np.einsum("umi,ui->um", path - states[:, None], ahead)
    who, when = np.nonzero((height[:, 1:-1] < 0) & (height[:, 2:] >= 0))
    before, plane = path[who, when + 1], ahead[who]
    delay = np.zeros(len(who))
    here = before
    for _ in range(_NEWTON_STEPS):
        speed = np.einsum("ui,ui->u", _each(field, here, parameters[who], flow.dim), plane)
        away = np.einsum("ui,ui->u", here - states[who], plane)
        delay = np.clip(delay - away / np.where(speed > 0, speed, np.inf), 0.0, step[who])
        here = advance(flow, before, delay, parameters=parameters[who], rtol=_FINE, atol=0.1 * _FINE)
    near = np.linalg.norm(here - states[who], axis=1) < _NEAR * extent[who]
    out = np.zeros(len(states), dtype=bool)
    for u in np.unique(who[near]):
        back = here[near & (who == u)]
        if len(back) > 1:
            first = np.linalg.norm(back[0] - states[u])
            second = np.linalg.norm(back[1] - back[0])
            out[u] = second < _CLOSED * extent[u] and (second < _NEARER * first or second < _ROUNDING * extent[u])
    return out
