"""``gating-theory portrait``: all that a small flow can do."""

from __future__ import annotations

import argparse
import json
import sys

from ..flow import Flow, attractors, cycles, flow_and_map
from ..results.provenance import provenance
from ..results.store import load, save
from .arguments import cell_of
from .common import counter, directory, plain, write_text

__all__ = ["run"]

#: Steps of the map after which an orbit is given up.
_STEPS = 200_000


def run(options: argparse.Namespace) -> int:
    """Search, print, and write with ``--out``; the exit code."""
    flow = _flow(options.file, None if options.cell is None else cell_of(options.cell))
    points = flow.fixed_points(options.grade)
    found = cycles(flow)
    # what moves slowly behind shut gates is not waited for: it is said to be not settled
    both = flow_and_map(flow, max_steps=_STEPS, progress=counter("map")) if options.map else None
    lines = [repr(flow), str(points)]
    lines += [str(cycle) for cycle in found] or ["no cycles found"]
    if both is None:
        lines += ["", "attractors:", str(attractors(flow))]
    else:
        lines += ["", "flow and map:", str(both)]
    text = "\n".join(lines) + "\n"
    out = directory(options.out)
    if out is not None:
        write_text(out / "portrait.txt", text)
        save(points, out / "points.json")
        save(flow, out / "flow.json")
        if flow.dim <= 2:
            _draw_portrait(flow, points, found, both, out, options.basins)
        else:
            print(f"no picture: portraits are of flows of one or two dimensions, this one has dim {flow.dim}", file=sys.stderr)
    if options.json:
        record = {"kind": "portrait", "flow": flow.as_dict(), "topology": points.topology._asdict(), "complete": points.complete}
        record["fixed_points"] = [{"state": p.state.tolist(), "kind": p.kind, "index": p.index, "label": p.label} for p in points]
        record["cycles"] = [cycle.as_dict() for cycle in found]
        if both is not None:
            record["map_stable"] = both.map_stable.tolist()
            record["map_attractors"] = [
                {"kind": a.kind, "period": a.period, "steps_per_turn": a.steps_per_turn} for a in both.map_attractors
            ]
        print(json.dumps(plain(record | {"provenance": provenance()}), indent=1))
    else:
        print(text, end="")
    return 0


def _draw_portrait(flow, points, cycles, both, out, with_basins):
    from ..flow import basins, plot_basins, plot_portrait
    from ..validation.report import panels, save_figure

    figure, axes = panels(1, 1, 4.6, 3.3)
    plot_portrait(flow, cycles, points=points, orbits=None if both is None else both.map_attractors, ax=axes[0])
    save_figure(figure, out / "portrait.png")
    if with_basins and flow.dim == 2:  # on a line the portrait has them
        figure, axes = panels(1, 1, 4.6, 3.3)
        plot_basins(basins(flow), ax=axes[0])
        save_figure(figure, out / "basins.png")


def _flow(path, cell):
    """The flow described in a JSON file, or saved there, alone or with a result of it; of a cell, where one is given."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:  # what save wrote as netCDF
        record = {"format": None}
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not JSON: {error}") from None
    if not isinstance(record, dict):
        raise ValueError(f'{path} must hold weights by name, such as {{"U_h": [[3, -3], [3, 3]]}}, or a saved flow')
    if "format" in record:
        result = load(path, cell=cell)
        flow = result if isinstance(result, Flow) else getattr(result, "flow", None)
        if not isinstance(flow, Flow):
            raise ValueError(f"{path} holds a {type(result).__name__} and no flow")
        return flow
    try:
        return Flow.from_dict(record, cell)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from None
