"""``gating-theory spectrum``: fixed points of an ensemble and the spectra there."""

from __future__ import annotations

import argparse
import json

import numpy as np

from ..mean_field.fixed_points import fixed_points
from ..networks.network import Network
from ..results.encoding import plain
from ..results.provenance import provenance
from ..spectrum.spectrum import Spectrum
from .arguments import ensemble_of
from .common import directory, write_text

__all__ = ["run"]


def run(options: argparse.Namespace) -> int:
    """Solve, print, and write with ``--out``; the exit code."""
    ensemble = ensemble_of(options)
    points = fixed_points(ensemble)
    spectra = [Spectrum(point) for point in points]
    rows = []
    for point, spectrum in zip(points, spectra):
        row = plain(point)
        row.pop("ensemble")
        row |= {"radius": spectrum.radius(), "abscissa": spectrum.abscissa(), "slow_fraction": spectrum.slow_fraction(options.tau)}
        row["outliers"] = [[z.real, z.imag] for z in spectrum.outliers().tolist()]
        rows.append(row)
    record = {"kind": "spectrum", "tau": options.tau, "fixed_points": rows}
    eigenvalues = None
    if options.n_units:
        net, state = Network.planted(points[-1], options.n_units, options.seed)
        eigenvalues = net.eigenvalues(state)
        record["network"] = {
            "n_units": options.n_units,
            "radius": float(np.abs(eigenvalues).max()),
            "abscissa": float(eigenvalues.real.max()),
            "slow_fraction": float(np.mean(np.abs(eigenvalues) > np.exp(-1.0 / options.tau))),
        }
    record["provenance"] = provenance(ensemble, seed=options.seed)
    out = directory(options.out)
    if out is not None:
        from ..plotting import plot_density, plot_spectrum
        from ..validation.report import panels, save_figure

        text = json.dumps(record, indent=1) + "\n"
        write_text(out / "spectrum.json", text)
        figure, axes = panels(1, 1, 3.4, 3.0)
        plot_spectrum(spectra[-1], eigenvalues, outliers=True, ax=axes[0])
        save_figure(figure, out / "spectrum.png")
        if spectra[-1].boundary(64):
            figure, axes = panels(1, 1, 3.6, 2.8)
            plot_density(spectra[-1], ax=axes[0])
            save_figure(figure, out / "density.png")
    if options.json:
        print(json.dumps(record, indent=1))
        return 0
    print(ensemble)
    for number, (point, row) in enumerate(zip(points, rows)):
        print(f"solution {number}: {point}")
        print(f"  spectral radius {row['radius']:.10g}, abscissa {row['abscissa']:.10g}, ", end="")
        print(f"{100 * row['slow_fraction']:.4g} % of the modes slower than {options.tau:g} steps")
        if row["outliers"]:
            print("  outliers " + ", ".join(f"{complex(*z):.6g}" for z in row["outliers"]))
    if eigenvalues is not None:
        net = record["network"]
        print(f"sampled network, {options.n_units} units, largest solution planted: radius {net['radius']:.4g}, ", end="")
        print(f"abscissa {net['abscissa']:.4g}, {100 * net['slow_fraction']:.3g} % slower")
    return 0
