"""``gating-theory dmft``: moving states of infinite networks and their correlations, in discrete or continuous time [T8]."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from ..dynamics.dynamic_mean_field.clock import usual_step
from ..dynamics.dynamic_mean_field.dmft import dmft, dmft_states
from ..dynamics.dynamic_mean_field.state import checked_lags
from ..results.encoding import plain
from ..results.provenance import provenance
from ..results.store import save
from .arguments import ensemble_of
from .common import counter, directory, write_text

if TYPE_CHECKING:
    from pathlib import Path

    from ..dynamics.dynamic_mean_field.state import DynamicMeanField

__all__ = ["run"]

#: Parts of a second moment that are rounding.
_NOTHING = 1e-9
#: Correlations are drawn up to so many correlation times.
_TIMES = 10.0


def run(options: argparse.Namespace) -> int:
    """Solve, print, and write with ``--out``; the exit code."""
    ensemble, lags = ensemble_of(options), options.lags or []
    checked_lags(lags, usual_step(options.flow, False) if options.step is None else options.step, options.flow)
    clock = {"step": options.step, "flow": options.flow, "rng": options.seed, "progress": counter("dmft")}
    if options.all:
        states = dmft_states(ensemble, **clock)
    else:
        states = [dmft(ensemble, method=options.method, n_sites=options.n_sites, **clock)]
    rows = [_row(state, lags) for state in states]
    record = {"kind": "dmft", "flow": options.flow, "step": states[0].step, "lags": lags, "states": rows}
    record["provenance"] = provenance(ensemble, seed=options.seed)
    out = directory(options.out)
    if out is not None:
        write_text(out / "dmft.json", json.dumps(record, indent=1) + "\n")
        for number, state in enumerate(states):
            save(state, out / ("state.nc" if len(states) == 1 else f"state_{number}.nc"))
        _draw(states, out / "correlations.png")
    if options.json:
        print(json.dumps(record, indent=1))
        return 0
    print(ensemble)
    for state, row in zip(states, rows):
        print("\n".join(_lines(state, row, lags)))
    return 0


def _row(state, lags):
    """What is said of a state, and its correlations at these lags."""
    names = ("method", "moments", "stderr", "exponent", "exponent_stderr", "returns")
    row = {name: plain(getattr(state, name)) for name in names}
    row |= {"verdict": state.verdict, "ok": state.ok, "status": str(state.status), "frozen": plain(state.frozen)}
    row["correlation_time"] = plain(state.correlation_time)
    if lags and not state.verdict == "zero_state":
        found = state.autocorrelation(lags)["messages"]
        row["autocorrelation"] = {name: plain(found[:, m]) for m, name in enumerate(state.moments)}
    return row


def _lines(state, row, lags):
    """The same in words."""
    yield str(state)
    if state.verdict == "zero_state":
        return
    frozen = [f"{value:.4g} of {name}" for name, value in state.frozen.items() if value > _NOTHING * state.moments[name]]
    yield f"  correlation time {state.correlation_time:.4g}; what never decays: {', '.join(frozen) or 'nothing'}"
    if row["returns"] is False:
        yield "  unstable: iteration leaves it for another state"
    for lag, *values in zip(lags, *row.get("autocorrelation", {}).values()):
        yield f"  lag {lag:g}: " + ", ".join(f"{value:.7g}" for value in values)


def _draw(states: list[DynamicMeanField], where: Path) -> None:
    """Correlations of the first message of each state that moves, until they have long decayed."""
    from ..validation.report import panels, save_figure

    figure, axes = panels(1, 1, 3.4, 2.6)
    ax, name = axes[0], next(iter(states[0].moments))
    for number, state in enumerate(states):
        C = state.correlations[0]
        shown = int(min(C.size, 2 + _TIMES * state.correlation_time / state.step)) if state.correlation_time > 0.0 else C.size
        if state.verdict != "zero_state":
            lags = [lag * state.step for lag in range(shown)]
            ax.plot(lags, C[:shown], label=f"state {number}: {state.verdict}")
    ax.set(xlabel="lag", ylabel=f"second moment of {name} over the lag", ylim=(min(0.0, ax.get_ylim()[0]), None))
    if ax.lines:
        ax.legend(frameon=False, fontsize="small")
    save_figure(figure, where)
