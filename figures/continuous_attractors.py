"""What two-unit GRUs learn of a limit cycle, a line attractor and a ring attractor: map and flow of what was trained, drift.

PyTorch GRUs of two units, whose state is what is observed, are trained by prediction: from a state of the target system, roll out
and be where it is. Targets: the FitzHugh-Nagumo cycle, a line of resting states h_2 = 0, a ring of them of radius 1/2. What was
learned is then taken apart: all fixed points with proof, cycles and slow curves of the flow, attractors of the map, which is what
was trained, and how far states on the target move that ought to rest. Needs PyTorch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

import gating_theory as gt
from gating_theory.flow import Flow, flow_and_map, plot_portrait, slow_manifold

from .common import BLACK, BLUE, GREEN, PAGE, VERMILLION, panels

TITLE = "Two-unit GRUs trained on a limit cycle, a line attractor and a ring attractor"
NEEDS, ALONE = ("torch",), "quick"

#: Seeds; steps predicted by a rollout; updates for rollouts, after four times as many for single steps; trajectories in a batch.
FULL = {"n_seeds": 5, "length": 40, "n_updates": 600, "batch": 48}
QUICK = {"n_seeds": 2, "length": 20, "n_updates": 80, "batch": 32}

#: Adam's learning rates for single steps and for rollouts, bound on the norm of a gradient, trajectories to learn from.
LEARNING_RATES, CLIP, _TRAJECTORIES = (0.03, 0.01), 1.0, 2000

#: Steps of the map for which drift is followed.
_DRIFT = np.unique(np.round(np.logspace(0, 4, 41)).astype(int))

_SEEN = 400


@dataclass(frozen=True)
class Target:
    """A system in the square of states: velocity, time per step, substeps of its integration, the curve of its attractor."""

    velocity: object
    dt: float
    substeps: int
    curve: object

    def steps(self, states, n):
        """Trajectories (n + 1, ...) by Runge-Kutta of order 4."""
        out, h = [states], self.dt / self.substeps
        for _ in range(n):
            for _ in range(self.substeps):
                a = self.velocity(states)
                b = self.velocity(states + 0.5 * h * a)
                c = self.velocity(states + 0.5 * h * b)
                d = self.velocity(states + h * c)
                states = states + h / 6.0 * (a + 2.0 * b + 2.0 * c + d)
            out.append(states)
        return np.array(out)


def _fitzhugh_nagumo(h):
    v, w = h[..., 0] / 0.35, 0.5 + h[..., 1] / 0.5
    return np.stack([0.35 * (v - v**3 / 3 - w + 0.5), 0.5 * 0.08 * (v + 0.7 - 0.8 * w)], axis=-1)


def _line(h):
    return np.stack([0.0 * h[..., 0], -2.0 * h[..., 1]], axis=-1)


def _ring(h):
    radius = np.maximum(np.linalg.norm(h, axis=-1, keepdims=True), 1e-9)
    return -2.0 * (radius - 0.5) * h / radius


def _circle(n):
    angle = 2 * np.pi * np.arange(n) / n
    return 0.5 * np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def _segment(n):
    return np.stack([np.linspace(-0.7, 0.7, n), np.zeros(n)], axis=-1)


def _oscillation(n):
    """The cycle, by running into it."""
    target = TARGETS["cycle"]
    path = target.steps(np.array([0.3, 0.0]), 700)[300:]
    crossings = np.flatnonzero((path[:-1, 0] < 0) & (path[1:, 0] >= 0))
    return path[crossings[0] + np.round(np.arange(n) * (crossings[1] - crossings[0]) / n).astype(int)]


TARGETS = {
    "cycle": Target(_fitzhugh_nagumo, 0.4, 4, _oscillation),
    "line": Target(_line, 0.2, 1, _segment),
    "ring": Target(_ring, 0.2, 1, _circle),
}

#: Turns of FitzHugh-Nagumo take this many steps of 0.4: period 39.474.
_PERIOD = 39.474 / 0.4


# --- training


def compute(quick, seed, work):
    """Train, then take apart what was learned."""
    plan = QUICK if quick else FULL
    tasks = [(name, tuple(sorted(plan.items())), seed) for name in TARGETS]
    rows = work.over(_learned, tasks)
    data = xr.concat(rows, xr.DataArray(list(TARGETS), dims="target", name="target"), join="outer")
    return data.assign_attrs({f"plan_{k}": v for k, v in plan.items()})


def _learned(name, plan, seed):
    """Dataset of all seeds of one target."""
    plan = dict(plan)
    flows, error = train(TARGETS[name], seed=seed, **plan)
    rows = [_taken_apart(name, flow) for flow in flows]
    return xr.concat(rows, "seed").assign(error=("seed", error)).assign_coords(seed=seed + np.arange(len(flows)))


def train(target, n_seeds, length, n_updates, batch, seed):
    """Train ``n_seeds`` GRUs side by side, first on single steps, then on rollouts; their Flows, and the errors (n_seeds,).

    The error is that of rollouts of ``length`` steps from new states: mean square by the variance of the target's states.
    """
    import torch

    modules = []
    for s in range(n_seeds):
        torch.manual_seed(1000 * seed + s)
        modules.append(torch.nn.GRU(1, 2).double())
    names = ("weight_hh_l0", "bias_hh_l0", "bias_ih_l0")
    weights = [torch.stack([getattr(m, n).detach() for m in modules]).requires_grad_() for n in names]
    rng = np.random.default_rng(seed)
    paths = torch.from_numpy(_paths(target, _TRAJECTORIES, length, rng))
    for rate, steps, updates in zip(LEARNING_RATES, (1, length), (4 * n_updates, n_updates)):
        optimiser = torch.optim.Adam(weights, lr=rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, updates, eta_min=0.02 * rate)
        size = batch if steps > 1 else 8 * batch
        for _ in range(updates):
            path = paths[: steps + 1, torch.from_numpy(rng.integers(_TRAJECTORIES, size=size))]
            optimiser.zero_grad(set_to_none=True)
            _rollout_error(weights, path).sum().backward()
            # each network by the norm of its own gradient
            norm = torch.sqrt(sum((w.grad**2).flatten(1).sum(1) for w in weights))
            shrink = (CLIP / (norm + 1e-12)).clamp(max=1.0)
            for w in weights:
                w.grad.mul_(shrink.view(-1, *(1,) * (w.dim() - 1)))
            optimiser.step()
            schedule.step()
    flows = []
    with torch.no_grad():
        error = _rollout_error(weights, torch.from_numpy(_paths(target, 500, length, rng))).numpy()
        for s, module in enumerate(modules):
            for n, w in zip(names, weights):
                getattr(module, n).copy_(w[s])
            flows.append(Flow.from_torch(module))
    return flows, error


def _paths(target, size, length, rng):
    """Trajectories (length + 1, size, 2): half of them from near the attractor, half from anywhere."""
    on = target.curve(_SEEN)
    near = on[rng.integers(len(on), size=size // 2)] + 0.05 * rng.standard_normal((size // 2, 2))
    anywhere = rng.uniform(-0.85, 0.85, (size - size // 2, 2))
    return target.steps(np.concatenate([near, anywhere]), length)


def _rollout_error(weights, path):
    """(G,) mean square errors of rollouts along path (T + 1, B, 2), in units of its variance: PyTorch's own step at zero input."""
    import torch

    W, b, c = weights[0].mT, weights[1][:, None], weights[2][:, None]
    h = path[0].expand(len(W), -1, -1)
    total = 0.0
    for target in path[1:]:
        y = torch.baddbmm(b, h, W)
        r, z = torch.sigmoid(y[..., :4] + c[..., :4]).split(2, -1)
        h = torch.lerp(torch.tanh(c[..., 4:] + r * y[..., 4:]), h, z)
        total = total + ((h - target) ** 2).mean((1, 2))
    return total / (len(path) - 1) / path[1:].var(dim=(0, 1)).mean()


# --- what was learned


def _taken_apart(name, flow):
    """Dataset of one network: topology, oscillation of flow and map, slow curve, drift along the target."""
    target = TARGETS[name]
    both = flow_and_map(flow, starts=6, t_max=2000.0)
    cycles = both.flow_attractors.cycles
    turning = [a for a in both.map_attractors if a.kind != "fixed"]
    on = target.curve(100)
    moved = flow.euler(on, n_steps=int(_DRIFT[-1]), trajectory=True)[_DRIFT]
    wanted = np.array([on]) if name != "cycle" else np.full((1, *on.shape), np.nan)
    drift = np.linalg.norm(moved - wanted, axis=-1)
    try:
        curve = slow_manifold(flow, threshold=0.03)
        ratio, length = curve.ratio, curve.length
    except gt.ConvergenceError:
        ratio, length = np.nan, np.nan
    # how fast states move that, on a line or a ring, ought to rest
    speed = np.linalg.norm(flow(on), axis=-1)
    path = flow.euler(on[0], n_steps=_SEEN, trajectory=True)
    cycle = cycles[0].states(_SEEN) if cycles else np.full((_SEEN, 2), np.nan)
    orbit = turning[0].states[:_SEEN] if turning else np.full((1, 2), np.nan)
    orbit = np.concatenate([orbit, np.full((_SEEN - len(orbit), 2), np.nan)])
    return xr.Dataset(
        {
            "flat": ("parameter", flow.flat),
            "topology": ("kind", np.array(both.points.topology)),
            "complete": ((), both.points.complete),
            "map_sinks": ((), int(both.map_stable.sum())),
            "flow_period": ((), cycles[0].period if cycles else np.nan),
            "map_period": ((), turning[0].steps_per_turn if turning else np.nan),
            "map_kind": ((), turning[0].kind if turning else "fixed"),
            "slow_ratio": ((), ratio),
            "slow_length": ((), length),
            "speed": ((), speed.max()),
            "drift": (("steps",), drift.mean(axis=1)),
            "endings": ((), len(np.unique(np.round(moved[-1], 3), axis=0))),
            "path": (("time", "coordinate"), path),
            "cycle": (("phase", "coordinate"), cycle),
            "orbit": (("phase", "coordinate"), orbit),
        },
        {"steps": _DRIFT, "kind": ["sinks", "sources", "saddles"]},
    )


def findings(data):
    """What the numbers say, as text."""
    plan = ", ".join(f"{k[5:]} {v}" for k, v in data.attrs.items() if k.startswith("plan_"))
    out = [f"{TITLE} ({plan})", ""]
    for name in TARGETS:
        part = data.sel(target=name)
        out.append(f"{name}: error of prediction, topology (sinks, sources, saddles) of the flow, what map and flow do")
        for i in range(part.sizes["seed"]):
            one = part.isel(seed=i)
            topology = tuple(int(v) for v in one["topology"].values)
            text = f"  seed {int(one['seed'])}: {float(one['error']):.2e}  {topology}"
            text += "" if bool(one["complete"]) else " (not proved complete)"
            text += f", {int(one['map_sinks'])} stable in the map"
            if name == "cycle":
                text += f"; map {str(one['map_kind'].values)}"
                text += f", {float(one['map_period']):.2f} steps a turn" if np.isfinite(one["map_period"]) else ""
                period = float(one["flow_period"])
                text += f"; flow turns in {period:.2f}" if np.isfinite(period) else "; the flow has no stable cycle"
                text += f" (target {_PERIOD:.2f})"
            else:
                text += f"; speed on the target up to {float(one['speed']):.1e}"
                text += "".join(f", drift {float(one['drift'].sel(steps=s)):.3f} in {s} steps" for s in (100, 1000, 10000))
                text += f"; {int(one['endings'])} places to end from 100 starts"
                if np.isfinite(one["slow_ratio"]):
                    text += (
                        f"; slow curve of length {float(one['slow_length']):.2f}, speed/contraction {float(one['slow_ratio']):.1e}"
                    )
            out.append(text)
        out += [f"  {_verdict(name, part)}", ""]
    return "\n".join(out)


def _verdict(name, part):
    n = part.sizes["seed"]
    error = float(part["error"].median())
    if name == "cycle":
        turning, cycling = int(np.isfinite(part["map_period"]).sum()), int(np.isfinite(part["flow_period"]).sum())
        close = int((np.abs(part["map_period"] / _PERIOD - 1.0) < 0.1).sum())
        return (
            f"=> median error {error:.1e}; the map oscillates for {turning} of {n} seeds (period within 10 % of the target: "
            f"{close}), the flow for {cycling}"
        )
    size = {"line": 0.7, "ring": 0.5}[name]
    points = part["topology"].sum("kind")
    broken = int(((points > 0) & (part["endings"] < 100)).sum())
    early, late = (float(part["drift"].sel(steps=steps).median()) / size for steps in (100, 10000))
    return (
        f"=> median error {error:.1e}; no continuum for any of {n} seeds: {int(points.min())} to {int(points.max())} isolated "
        f"fixed points; {broken} of {n} collect 100 starts on the {name} in fewer than 100 places; median drift {early:.1%} of "
        f"its size in 100 steps, {late:.0%} in 10000"
    )


def draw(data):
    """Above: portrait of the best seed of each target, with the target (dashed). Below: oscillation, and drift, of all seeds."""
    figure, axes = panels(2, len(TARGETS), PAGE, 2.5)
    for column, name in enumerate(TARGETS):
        top, bottom = axes[:, column]
        part = data.sel(target=name)
        best = int(np.argmin(part["error"].values))
        one = part.isel(seed=best)
        flow = _flow(one["flat"].values)
        plot_portrait(flow, [], manifolds=False, box=(-1.0, 1.0), legend=False, ax=top)
        cycle, orbit = one["cycle"].values, one["orbit"].values
        if np.isfinite(cycle).any():
            top.plot(*cycle.T, color=GREEN, linewidth=1.6, zorder=4, label="cycle of the flow")
        if np.isfinite(orbit).any():
            top.plot(*orbit.T, ".", color=VERMILLION, markersize=2.0, zorder=5, label="orbit of the map")
        curve = TARGETS[name].curve(_SEEN)
        curve = curve if name == "line" else np.concatenate([curve, curve[:1]])
        top.plot(*curve.T, color=BLACK, linewidth=1.2, linestyle=(0, (3, 2)), zorder=4.5, label="target")
        kinds = ", ".join(
            f"{int(v)} {str(k) if int(v) != 1 else str(k)[:-1]}" for k, v in zip(one["kind"].values, one["topology"].values) if v
        )
        top.set_title(f"{name}: {kinds}", fontsize="x-small")
        if name == "cycle":
            wanted = TARGETS[name].steps(one["path"].values[0], _SEEN)
            for i in range(part.sizes["seed"]):
                bottom.plot(
                    part["path"].isel(seed=i, coordinate=0), color=BLUE, linewidth=0.8, alpha=0.7, label="maps" if i == 0 else None
                )
            bottom.plot(wanted[:, 0], color=BLACK, linestyle=(0, (3, 2)), linewidth=1.2, label="target")
            bottom.set_ylabel("$h_1$")
            bottom.set_ylim(-1.0, 1.35)
        else:
            for i in range(part.sizes["seed"]):
                bottom.loglog(
                    data["steps"], part["drift"].isel(seed=i), color=BLUE, linewidth=0.9, label="maps" if i == 0 else None
                )
            bottom.axhline(
                {"line": 0.7, "ring": 0.5}[name], color="0.5", linewidth=0.8, linestyle=(0, (1, 1)), label="size of the target"
            )
            bottom.set_ylim(1e-4, 2.0)
            bottom.set_ylabel("mean distance moved")
        bottom.set_xlabel("steps")
        bottom.legend(fontsize="x-small", loc="upper right" if name == "cycle" else "lower right")
        for ax in (top, bottom):
            ax.tick_params(labelsize="x-small")
    handles, labels = [], []
    for ax in axes[0]:
        for handle, label in zip(*ax.get_legend_handles_labels()):
            if label not in labels:
                handles, labels = [*handles, handle], [*labels, label]
    figure.legend(handles, labels, loc="outside upper center", ncols=5, fontsize="x-small", frameon=False)
    return figure


def _flow(flat):
    """The Flow of saved parameters of PyTorch's two-unit GRU."""
    return Flow(gt.GRUResetAfter, flat[:12].reshape(3, 2, 2), flat[12:18].reshape(3, 2), flat[18:].reshape(-1, 2))
