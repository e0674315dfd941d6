"""``gating-theory phase-diagram``: solutions, spectra and critical lines over a grid."""

from __future__ import annotations

import argparse
import json
from contextlib import contextmanager

from ..results.store import save
from ..sweeps.phase_diagram import phase_diagram
from .arguments import axis_of, ensemble_of
from .common import counter, directory, plain, pool

__all__ = ["run"]


def run(options: argparse.Namespace) -> int:
    """Sweep, print, and write with ``--out``; the exit code."""
    ensemble = ensemble_of(options)
    axes = {}
    for text in options.axis:
        path, values = axis_of(text)
        if path in axes:
            raise ValueError(f"--axis {path} is given twice")
        axes[path] = values
    with _advice(options.journal), pool(options.jobs) as executor:
        data = phase_diagram(
            ensemble,
            axes,
            options.quantity,
            tau=options.tau,
            n_units=options.n_units,
            n_steps=options.n_steps,
            seed=options.seed,
            executor=executor,
            progress=counter("phase diagram"),
            journal=options.journal,
        )
    out = directory(options.out)
    if out is not None:
        from ..plotting import plot_phase_diagram
        from ..validation.report import panels, save_figure

        save(data, out / "phase_diagram.nc")
        grid = data["status"].dims
        pictures = [
            str(n)
            for n in data.data_vars
            if {*data[n].dims, "solution"} == {*grid, "solution"} and "flag_values" not in data[n].attrs
        ]
        for name in pictures if len(axes) == 2 else ():
            figure, ax = panels(1, 1, 3.6, 2.8)
            plot_phase_diagram(data, name, ax=ax[0])
            save_figure(figure, out / f"{name.replace(':', '_')}.png")
    if options.json:
        print(json.dumps(plain(data.to_dict()), indent=1))
    else:
        print(data)
        print(f"{1e3 * data.attrs['seconds_per_point']:.3g} ms a point")
    return 0


@contextmanager
def _advice(journal):
    """An interrupt without a journal loses what was done: how to keep it the next time."""
    try:
        yield
    except KeyboardInterrupt as stop:
        if journal is None:
            stop.add_note("nothing is kept, --journal FILE keeps finished points")
        raise
