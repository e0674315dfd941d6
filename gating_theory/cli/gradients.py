"""``gating-theory gradients``: singular values at fixed points of an ensemble, and growth through many steps."""

from __future__ import annotations

import argparse
import json
import sys

import numpy as np

from ..errors import ConvergenceError
from ..gradients.growth import gradient_growth
from ..mean_field.fixed_points import fixed_points
from ..networks.network import Network
from ..results.encoding import plain
from ..results.provenance import provenance
from ..spectrum.spectrum import Spectrum
from ..validation.gradients import growth_of_jacobian
from .arguments import ensemble_of
from .common import directory, write_text

__all__ = ["run"]


def run(options: argparse.Namespace) -> int:
    """Solve, print, and write with ``--out``; the exit code."""
    ensemble = ensemble_of(options)
    steps, weights = sorted(set(options.steps)), list(dict.fromkeys(options.weights))
    points = fixed_points(ensemble)
    growths = [{name: gradient_growth(point, steps[-1], name, block=options.block) for name in weights} for point in points]
    rows = [_row(point, found, steps) for point, found in zip(points, growths)]
    record = {"kind": "gradients", "steps": steps, "block": options.block, "fixed_points": rows}
    network, measured = None, None
    if options.n_units:
        network, state = Network.planted(points[-1], options.n_units, options.seed)
        jacobian = network.jacobian(state)
        seen = np.repeat([options.block in (None, name) for name in ensemble.cell.state_names], options.n_units)
        measured = growth_of_jacobian(jacobian, steps[-1], options.seed, seen)
        values = np.linalg.svd(jacobian, compute_uv=False)
        record["network"] = {
            "n_units": options.n_units,
            "mean_square": float(np.mean(values**2)),
            "square_std": float(np.std(values**2)),
            "largest": float(values[0]),
            "log10_growth": {str(step): float(np.log10(measured[step])) if measured[step] > 0.0 else None for step in steps},
        }
    record["provenance"] = provenance(ensemble, seed=options.seed)
    out = directory(options.out)
    if out is not None:
        from ..plotting import plot_gradient_growth
        from ..validation.report import panels, save_figure

        write_text(out / "gradients.json", json.dumps(record, indent=1) + "\n")
        _draw_singular_values(points[-1], None if network is None else values, out / "singular_values.png")
        figure, axes = panels(1, 1, 3.4, 2.6)
        named = {f"theory, {name} weights": found for name, found in growths[-1].items()}
        plot_gradient_growth(named, measured=measured, ax=axes[0])
        save_figure(figure, out / "growth.png")
    if options.json:
        print(json.dumps(record, indent=1))
        return 0
    print(ensemble)
    for number, (point, row) in enumerate(zip(points, rows)):
        print(f"solution {number}: {point}")
        print("\n".join(_lines(row, steps)))
    if network is not None:
        net = record["network"]
        print(f"sampled network, {options.n_units} units, largest solution planted:")
        print(
            f"  singular values: mean square {net['mean_square']:.4g}, standard deviation of squares {net['square_std']:.4g}, ",
            end="",
        )
        print(f"largest {net['largest']:.4g}")
        print(f"  mean square of gradients: {_told(net['log10_growth'], steps)}")
    return 0


def _draw_singular_values(point, values, where):
    """The picture of the density, or on stderr why there is none."""
    from ..plotting import plot_singular_values
    from ..validation.report import panels, save_figure

    figure, axes = panels(1, 1, 3.4, 2.6)
    try:
        plot_singular_values(Spectrum(point).singular_values(), values, ax=axes[0])
    except ConvergenceError as error:
        print(f"gating-theory: no {where.name}: {error}", file=sys.stderr)
        return
    save_figure(figure, where)


def _row(point, growths, steps):
    """What is said of a fixed point; numbers that did not converge are None, and their estimates stand apart."""
    row = plain(point)
    row.pop("ensemble")
    spectrum = Spectrum(point)
    singular = spectrum.singular_values()
    row |= {"radius": spectrum.radius(), "mean_square": float(singular.moments(1)[0])}
    about = {}
    for name, number in (("square_std", singular.square_std), ("largest", singular.largest), ("atom", lambda: singular.atom)):
        try:
            row[name] = float(number())
        except ConvergenceError as error:
            row[name], about[name] = None, _estimate(error)
    row |= {"not_converged": about} if about else {}
    # decades: what is left may be too little for a float
    row["log10_growth"] = {name: {str(step): _decades(found, step) for step in steps} for name, found in growths.items()}
    row["rate"] = {name: float(found.rate) for name, found in growths.items()}
    return row


def _estimate(error):
    """The one number that a calculation got to, None where there is none."""
    last = np.ravel([] if error.estimate is None else error.estimate)
    return float(last[0]) if last.size == 1 and np.isfinite(last[0]) else None


def _decades(growth, step):
    """Log10 of the mean square, None where nothing is left."""
    return float(growth.log10[step]) if np.isfinite(growth.log10[step]) else None


def _lines(row, steps):
    """The same in words."""
    text = f"  spectral radius {row['radius']:.10g}; singular values: mean square {row['mean_square']:.10g}, "
    text += f"standard deviation of squares {_number(row, 'square_std')}"
    if row["largest"] is not None:
        text += f", largest {row['largest']:.6g}"
    if row["atom"] is None:
        text += ", how many are 0: not converged"
    elif row["atom"] > 0.0:
        text += f", {100 * row['atom']:.3g} % are 0"
    yield text
    if row["largest"] is None:
        yield f"  largest singular value: {_number(row, 'largest')}; --n-units samples a network"
    for name, decades in row["log10_growth"].items():
        told = f"  mean square of gradients, {name} weights: {_told(decades, steps)}; "
        yield told + f"then the mean square changes by a factor of {row['rate'][name]:.6g} a step"


def _number(row, name):
    """A number, or that it did not converge and what it is about."""
    if row[name] is not None:
        return f"{row[name]:.6g}"
    about = row["not_converged"][name]
    return "not converged" + ("" if about is None else f" (about {about:.4g})")


def _told(decades, steps):
    """Growth through each number of steps."""
    return ", ".join(f"{'0' if decades[str(n)] is None else f'10^{decades[str(n)]:.4g}'} through {n}" for n in steps)
