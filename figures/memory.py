"""Memory by a rank-two candidate: a ring of fixed points, drift along it, and what the update gate does to both [T11].

Two learned channels in the candidate of a GRU, alike in all directions, hold a ring of fixed points. A network of N units breaks
it: states drift to a few points that are left. The update gate divides 1 - lambda along the ring by E 1/(1 - z) and moves no fixed
point; at the zero state it multiplies the times of all learned modes and does not move the overlap at which one becomes unstable.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit

import gating_theory as gt

from .common import BLACK, BLUE, GREEN, ORANGE, SKY, VERMILLION, panels, plain_log

TITLE = "Memory by a rank-two candidate: a ring of fixed points, drift along it, and what the update gate protects"

#: Overlap <A B> of each channel, mean squares of A and B, gains of the update gate, the reset gate and the candidate.
OVERLAP, LEFT, RIGHT, GAINS = 2.6, 1.5, 8.0, (0.3, 1.0, 0.8)
#: Biases of the update gate whose drift is shown; spreads of its field over sites, as gains, and biases for the protection.
_DRIFT, _SPREADS, _SPREAD_BIASES = (0.0, 2.0, 4.0), (0.3, 1.0, 2.0, 3.0), (0.0, 2.0)
#: Update gates without any leak, z = 0 to all digits: then the Jacobian is the matrix of the state's own fixed-point equation.
_OPEN = -40.0
#: Steps with such gates that take a state onto the ring: too few to drift far along it.
_SETTLING = 6
#: At rest: reset gates' bias, mean squares of loadings, biases of the update gate, a complex overlap.
_RESET, _REST_SQUARES, _REST_BIASES, _TURNING = 0.5, (1.0, 6.0), (-1.0, 1.0, 3.0), 1.3 + 0.5j
_COLOURS = (SKY, BLUE, BLACK)


def compute(quick, rng, work):
    """See the package."""
    import xarray as xr

    n, n_rings, n_rest = (250, 3, 2) if quick else (500, 4, 4)
    starts, steps = (12, 300) if quick else (24, 1000)
    biases = np.linspace(-1.0, 4.0, 4 if quick else 8)
    overlaps = np.linspace(0.8, 2.4, 5 if quick else 9)
    gates = np.linspace(-1.0, 5.0, 4 if quick else 13)
    point = gt.fixed_points(_ring_ensemble())[-1]
    seeds = [int(seed.generate_state(1)[0]) for seed in np.random.SeedSequence(rng).spawn(n_rings + n_rest)]
    rings = work.over(_ring, [(n, seed, starts, biases.tolist()) for seed in seeds[:n_rings]])
    drift = work.over(_drift, [(n, seeds[0], starts, b_z, steps) for b_z in _DRIFT])
    rest = work.over(_at_rest, [(n, seed, overlaps.tolist(), gates.tolist()) for seed in seeds[n_rings:]])
    most = max(len(one["places"]) for one in rings)

    def padded(name):
        blank = np.full((most, *np.shape(rings[0][name])[1:]), np.nan)
        return np.array([np.concatenate([one[name], blank])[:most] for one in rings])

    variables = {
        "radius": ((), float(np.hypot(*point.overlaps))),
        "moment": ((), float(point.moments["h"])),
        "place": (("network", "fixed_point", "channel"), padded("places")),
        "stable": (("network", "fixed_point"), padded("stable")),
        "rate": (("network", "fixed_point", "bias"), padded("rates")),
        "open_rate": (("network", "fixed_point"), padded("open_rates")),
        "protection": (("network", "fixed_point", "spread_bias", "spread"), padded("protections")),
        "path": (("drift_bias", "start", "time", "channel"), np.array(drift)),
        "rest_mode": (("rest_network", "overlap", "rest_bias"), np.array([one["modes"] for one in rest])),
        "turning": (("rest_network", "gate", "part"), np.array([one["turning"] for one in rest])),
    }
    coordinates = {"bias": biases, "drift_bias": list(_DRIFT), "spread": list(_SPREADS), "spread_bias": list(_SPREAD_BIASES)}
    coordinates |= {"overlap": overlaps, "rest_bias": list(_REST_BIASES), "gate": gates, "time": _times(steps)}
    return xr.Dataset(variables, coordinates, {"n_units": n, "overlap_of_ring": OVERLAP})


def _covariance(overlap, left, right):
    """Of (A, B), two channels alike whose overlaps are a matrix."""
    return np.block([[left * np.eye(2), overlap.T], [overlap, right * np.eye(2)]])


def _ring_ensemble(low_rank=None):
    """The GRU of the ring; without given channels those of theory."""
    if low_rank is None:
        low_rank = gt.LowRank({"h": 2}, covariance=_covariance(OVERLAP * np.eye(2), LEFT, RIGHT))
    return gt.Ensemble(gt.GRU, gain=dict(zip("zrh", GAINS)), low_rank=low_rank)


def _exact(covariance, n, rng):
    """Loadings of n units, normal, with no means and exactly these covariances in the sample."""
    drawn = rng.standard_normal((len(covariance), n))
    drawn -= drawn.mean(axis=1, keepdims=True)
    white = np.linalg.solve(np.linalg.cholesky(drawn @ drawn.T / n), drawn)
    return (np.linalg.cholesky(covariance) @ white).reshape(2, -1, n)


def _ring_network(n, seed):
    """A network whose ring only its random matrices break, and its loadings A and B."""
    rng = np.random.default_rng(seed)
    vectors = _exact(_covariance(OVERLAP * np.eye(2), LEFT, RIGHT), n, rng)
    return gt.Network.sample(_ring_ensemble(gt.LowRank({"h": 2}, vectors=vectors)), n, rng=rng), vectors


def _with_gate(net, b_z):
    """The same matrices, another bias of the update gate."""
    biases = net.biases.copy()
    biases[0] = b_z
    return gt.Network(net.ensemble.replace({"bias.z": b_z}), net.matrices, biases)


def _read(net, states, right):
    """Overlaps kappa = B m / N of states (.., 1, N) with the right loadings, m being the message of the candidate."""
    messages = np.array([expit(net.fields(state)[1]) * state[0] for state in states])
    return messages @ right.T / net.n_units


def _starts(vectors, count):
    """States around the ring, not yet at rest."""
    angle = 2 * np.pi * np.arange(count) / count
    return np.tanh(np.stack([np.cos(angle), np.sin(angle)], axis=1) @ vectors[0])[:, None]


def _ring(n, seed, count, biases):
    """All points found that are left of one network's ring; 1 - lambda along it, by gate; weights of sites in its protection."""
    from scipy.linalg import eig

    net, vectors = _ring_network(n, seed)
    states = [_with_gate(net, _OPEN).run(start, _SETTLING) for start in _starts(vectors, count)]
    found = net.find_fixed_points(1, rng=seed, starts=states, spectra=False, slow_tol=0.0)
    points = [state for state in found.fixed if np.abs(state).max() > 1e-3]
    gates = [_with_gate(net, b_z) for b_z in biases]
    rng, out = np.random.default_rng(seed), []
    draws = rng.standard_normal((50, n))
    for state in points:
        values, left, right = eig(_with_gate(net, _OPEN).jacobian(state), left=True, right=True)
        slow = np.argmin(np.abs(values - 1))
        weight = (left[:, slow].conj() * right[:, slow]).real
        spread = np.sqrt(np.mean(state**2)) * draws
        means = [[((1 + np.exp(b + a * spread)) @ (weight / weight.sum())).mean() for a in _SPREADS] for b in _SPREAD_BIASES]
        rates = [_closest_to_one(gate.eigenvalues(state)) for gate in gates]
        out.append((_read(net, [state], vectors[1])[0], 1 - values[slow].real, rates, means))
    places, opened, rates, protections = map(np.array, zip(*out))
    return {"places": places, "stable": 1.0 * (opened > 0), "open_rates": opened, "rates": rates, "protections": protections}


def _closest_to_one(values):
    """1 - lambda of the eigenvalue closest to 1, its real part."""
    return 1 - values[np.argmin(np.abs(values - 1))].real


def _times(steps):
    return np.append(0, np.unique(np.geomspace(1, steps, 40).round().astype(int)))


def _drift(n, seed, count, b_z, steps):
    """Overlaps of states of one network on their way, from around the ring."""
    net, vectors = _ring_network(n, seed)
    states = [_with_gate(net, _OPEN).run(start, _SETTLING) for start in _starts(vectors, count)]
    gated, times = _with_gate(net, b_z), _times(steps)
    out = []
    for state in states:
        kept = []
        for some in np.diff(times, prepend=0):
            state = gated.run(state, int(some))
            kept.append(state)
        out.append(_read(gated, kept, vectors[1]))
    return out


def _at_rest(n, seed, overlaps, gates):
    """Modes of the zero state of networks of one channel, by overlap and gate; of a pair that turns, by gate."""
    rng, zero, left, right = np.random.default_rng(seed), np.zeros((1, n)), *_REST_SQUARES
    modes = []
    for overlap in overlaps:
        net = _rest_network({"h": 1}, [[left, overlap], [overlap, right]], n, rng)
        modes.append([_closest(_with_gate(net, b).eigenvalues(zero), _mode(b, overlap)).real for b in _REST_BIASES])
    real, imaginary = _TURNING.real, _TURNING.imag
    net = _rest_network({"h": 2}, _covariance(np.array([[real, imaginary], [-imaginary, real]]), left, right), n, rng)
    turning = [_closest(_with_gate(net, b).eigenvalues(zero), _mode(b, _TURNING)) for b in gates]
    return {"modes": modes, "turning": np.stack([np.real(turning), np.abs(np.imag(turning))], axis=1)}


def _rest_network(channels, covariance, n, rng):
    low_rank = gt.LowRank(channels, vectors=_exact(np.array(covariance), n, rng))
    ensemble = gt.Ensemble(gt.GRU, gain=dict(zip("zrh", GAINS)), bias={"r": _RESET}, low_rank=low_rank)
    return gt.Network.sample(ensemble, n, rng=rng)


def _mode(b_z, overlap):
    """sigma(b_z) + (1 - sigma(b_z)) sigma(b_r) omega: derivation `gru.low_rank`."""
    return expit(b_z) + expit(-b_z) * expit(_RESET) * overlap


def _closest(values, wanted):
    return values[np.argmin(np.abs(values - wanted))]


def _protection(b_z, a_z, moment):
    """E 1/(1 - z): derivation `gru.ring`."""
    return 1 + np.exp(b_z + a_z**2 * moment / 2)


def draw(data):
    """Above the ring, drift and 1 - lambda by gate; below the protection by spread, and modes of the zero state."""
    figure, axes = panels(2, 3, height=2.45)
    (ring, drift, rates), (protection, onset, turning) = axes
    _draw_ring(ring, data)
    _draw_drift(drift, data)
    _draw_rates(rates, data)
    _draw_protection(protection, data)
    _draw_onset(onset, data)
    _draw_turning(turning, data)
    for letter, ax in zip("abcdef", axes.flat):
        ax.set_title(letter, loc="left", fontsize="small", fontweight="bold")
        ax.tick_params(labelsize="x-small", which="both")
        ax.xaxis.label.set_size("small")
        ax.yaxis.label.set_size("small")
    return figure


def _draw_ring(ax, data):
    radius = float(data["radius"])
    angle = np.linspace(0, 2 * np.pi, 361)
    for path in data["path"].sel(drift_bias=_DRIFT[0]).values:
        ax.plot(*path.T, color=SKY, linewidth=0.8)
        ax.plot(*path[0], ".", color=SKY, markersize=3)
    ax.plot(radius * np.cos(angle), radius * np.sin(angle), color=VERMILLION, linewidth=1.2, label="theory")
    for i, (place, stable) in enumerate(zip(data["place"].values, data["stable"].values)):
        mark = {"markersize": 4, "linestyle": "none", "zorder": 3}
        if i:
            ax.plot(*place.T, ".", color="0.7", markersize=3, label="other networks" if i == 1 else None)
            continue
        ax.plot(*place[stable == 1].T, "o", color=BLUE, label="stable", **mark)
        ax.plot(*place[stable == 0].T, "o", color=BLUE, markerfacecolor="white", label="saddle", **mark)
    ax.set_aspect("equal")
    ax.set_xlim(-1.35 * radius, 1.35 * radius)
    ax.set_ylim(-1.35 * radius, 1.35 * radius)
    ax.set_xlabel(r"$\kappa_1$")
    ax.set_ylabel(r"$\kappa_2$")
    ax.legend(fontsize=5, loc="center", frameon=False)


def _moved(data):
    """Root mean square angle that states have moved, (drift_bias, time)."""
    path = data["path"].values
    angle = np.unwrap(np.arctan2(path[..., 1], path[..., 0]), axis=2)
    return np.sqrt(np.mean((angle - angle[:, :, :1]) ** 2, axis=1))


def _draw_drift(ax, data):
    moved, times, moment = _moved(data), data["time"].values, float(data["moment"])
    base = _protection(_DRIFT[0], GAINS[0], moment)
    for row, b_z, colour in zip(moved, _DRIFT, _COLOURS):
        ax.loglog(times[1:], row[1:], color=colour, linewidth=1.2, label=f"$b_z = {b_z:g}$")
        if b_z != _DRIFT[0]:
            slower = times * _protection(b_z, GAINS[0], moment) / base
            shown = slower <= times[-1]
            ax.plot(slower[shown][1:], moved[0][shown][1:], color=VERMILLION, linewidth=0.9, linestyle=(0, (3, 2)))
    ax.plot([], [], color=VERMILLION, linewidth=0.9, linestyle=(0, (3, 2)), label="theory: $b_z = 0$, slower")
    ax.set_xlabel("steps")
    ax.set_ylabel("angle moved along the ring (rms)")
    ax.legend(fontsize=5, loc="lower right", frameon=False)


def _draw_rates(ax, data):
    moment = float(data["moment"])
    b_z = data["bias"].values
    fine = np.linspace(b_z[0], b_z[-1], 200)
    for i in range(data.sizes["network"]):
        one = data.isel(network=i)
        for j in np.flatnonzero(one["stable"].values == 1):
            opened = float(one["open_rate"][j])
            first = i == j == 0
            ax.semilogy(fine, opened / _protection(fine, GAINS[0], moment), color=VERMILLION, linewidth=0.6, alpha=0.7)
            ax.plot(b_z, one["rate"][j], "o", color=BLUE, markersize=2.2, markeredgewidth=0, label="networks" if first else None)
    ax.plot([], [], color=VERMILLION, linewidth=0.9, label=r"theory: $\delta\, /\, (1 + e^{b_z + a_z^2 q / 2})$")
    ax.set_xlabel("bias of the update gate $b_z$")
    ax.set_ylabel(r"$1 - \lambda$ along the ring")
    ax.legend(fontsize=5, loc="lower left", frameon=False)


def _draw_protection(ax, data):
    moment, spreads = float(data["moment"]), data["spread"].values
    fine = np.linspace(0, spreads[-1] * 1.03, 200)
    for b_z, colour in zip(data["spread_bias"].values, (SKY, BLUE)):
        ax.semilogy(fine, _protection(b_z, fine, moment), color=VERMILLION, linewidth=1.0)
        found = data["protection"].sel(spread_bias=b_z).values.reshape(-1, spreads.size)
        ax.plot(np.broadcast_to(spreads, found.shape).T, found.T, "o", color=colour, markersize=2.5, markeredgewidth=0)
        ax.plot([], [], "o", color=colour, markersize=2.5, label=f"networks, $b_z = {b_z:g}$")
    ax.plot([], [], color=VERMILLION, label=r"theory: $1 + e^{b_z + a_z^2 q / 2}$")
    plain_log(ax)
    ax.set_xlabel("gain of the update gate $a_z$")
    ax.set_ylabel(r"protection $\mathbb{E}\; 1 / (1 - z)$")
    ax.legend(fontsize=5, loc="upper left", frameon=False)


def _draw_onset(ax, data):
    overlaps = data["overlap"].values
    fine = np.linspace(overlaps[0], overlaps[-1], 100)
    for b_z, colour in zip(data["rest_bias"].values, _COLOURS):
        ax.plot(fine, _mode(b_z, fine), color=VERMILLION, linewidth=0.9, zorder=1)
        found = data["rest_mode"].sel(rest_bias=b_z).values
        ax.plot(np.broadcast_to(overlaps, found.shape).T, found.T, "o", color=colour, markersize=2.5, markeredgewidth=0)
        ax.plot([], [], "o", color=colour, markersize=2.5, label=f"$b_z = {b_z:g}$")
    ax.axhline(1.0, color="0.6", linewidth=0.6, zorder=0)
    ax.axvline(1 / expit(_RESET), color="0.6", linewidth=0.6, linestyle=(0, (1, 1)), zorder=0)
    ax.plot([], [], color=VERMILLION, linewidth=0.9, label="theory")
    ax.set_xlabel(r"overlap $\omega$ of a learned direction")
    ax.set_ylabel(r"its mode $\lambda$ at rest")
    ax.legend(fontsize=5, loc="upper left", frameon=False)


def _draw_turning(ax, data):
    gates = data["gate"].values
    fine = np.linspace(gates[0], gates[-1], 200)
    found = data["turning"].values @ [1.0, 1j]
    for function, colour, label in ((_lifetime, BLUE, "lifetime"), (_period, GREEN, "a turn")):
        ax.semilogy(fine, function(_mode(fine, _TURNING)), color=VERMILLION, linewidth=0.9)
        values = function(found)
        ax.plot(np.broadcast_to(gates, values.shape).T, values.T, "o", color=colour, markersize=2.5, markeredgewidth=0)
        ax.plot([], [], "o", color=colour, markersize=2.5, label=label)
    ax.semilogy(
        fine, 1 / (1 - expit(fine)), color=ORANGE, linewidth=0.9, linestyle=(0, (3, 2)), label="the gate alone, $1/(1 - z)$"
    )
    ax.set_xlabel("bias of the update gate $b_z$")
    ax.set_ylabel("steps, slow pair at rest")
    ax.legend(fontsize=5, loc="upper left", frameon=False)


def _lifetime(mode):
    return -1 / np.log(np.abs(mode))


def _period(mode):
    return 2 * np.pi / np.abs(np.angle(mode))
