"""The command ``gating-theory``: spectrum, phase-diagram, derive, validate, diagnose, portrait, figures.

Exit codes: 0 all well; 1 a proof or a comparison failed; 2 bad arguments, or a calculation that cannot be done, with one line
that says why.
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import nullcontext
from pathlib import Path

__all__ = ["main"]

_EXAMPLES = """examples:
  gating-theory spectrum --cell GRU --gain z=2 r=3 h=6
  gating-theory phase-diagram --axis gain.r=0:20:50 --axis gain.h=1:3:50 --quantity count onset:gain.h --jobs 2 --out diagram
  gating-theory derive gru.edge
  gating-theory validate --out output --jobs 2
  gating-theory portrait weights.json --map --out portrait
"""


class _Parser(argparse.ArgumentParser):
    """One line for an error, not the whole usage."""

    def error(self, message):
        print(f"{self.prog}: error: {message} (--help says more)", file=sys.stderr)
        raise SystemExit(2)


def main(argv=None):
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        Default: the arguments of the process.

    Returns
    -------
    int, the exit code
    """

    try:
        options = _parser().parse_args(argv)
        return options.run(options)
    except SystemExit as stop:  # from argparse: --help and errors
        return stop.code if isinstance(stop.code, int) else 2
    except (ValueError, TypeError, RuntimeError, OSError, ImportError) as error:  # RuntimeError: ConvergenceError, a journal in use
        text = " ".join(str(error).split())
        print(f"gating-theory: error: {text}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("gating-theory: interrupted", file=sys.stderr)
        return 130


def _parser():
    from ..sweeps.quantities import forms, names
    from ..version import __version__

    parser = _Parser(
        prog="gating-theory",
        description="Mean-field and random-matrix theory of gated recurrent networks.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"gating-theory {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)

    p = commands.add_parser("spectrum", help="fixed points of an ensemble and the spectra there")
    _ensemble_arguments(p)
    p.add_argument("--tau", type=_positive, default=100.0, help="timescale of the slow fraction, in steps (default 100)")
    p.add_argument("--n-units", type=_whole(1), metavar="N", help="also sample a network of N units at the largest solution")
    p.add_argument("--seed", type=_whole(0), default=0, help="seed of the sampled network (default 0)")
    p.add_argument("--out", type=_new_directory, metavar="DIR", help="write spectrum.json and pictures into this directory")
    p.add_argument("--json", action="store_true", help="print JSON")
    p.set_defaults(run=_spectrum)

    p = commands.add_parser("phase-diagram", help="solutions, spectra and critical lines over a grid")
    _ensemble_arguments(p)
    p.add_argument("--axis", action="append", required=True, metavar="PATH=LOW:HIGH:N", help="or PATH=V1,V2,...; one or more times")
    p.add_argument(
        "--quantity",
        nargs="+",
        default=["count", "moments", "abscissa"],
        metavar="NAME",
        help=f"any of {', '.join(names())}, and {', '.join(forms())} with paths such as gain.h (default count moments abscissa)",
    )
    p.add_argument("--tau", type=_positive, default=100.0, help="timescale of slow_fraction (default 100)")
    p.add_argument("--n-units", type=_whole(10), default=1000, metavar="N", help="units of simulated networks (default 1000)")
    p.add_argument("--n-steps", type=_whole(20), default=200, metavar="T", help="steps of simulated networks (default 200)")
    p.add_argument("--seed", type=_whole(0), default=0, help="seed of simulated networks (default 0)")
    p.add_argument("--jobs", type=_whole(1), default=1, help="worker processes (default 1)")
    p.add_argument("--journal", type=Path, metavar="FILE", help="keep finished points in FILE; a killed run goes on from it")
    p.add_argument("--out", type=_new_directory, metavar="DIR", help="write phase_diagram.nc and, for two axes, pictures")
    p.add_argument("--json", action="store_true", help="print JSON")
    p.set_defaults(run=_phase_diagram)

    p = commands.add_parser("derive", help="derivations from the symbolic cells, proved")
    p.add_argument("names", nargs="*", metavar="NAME", help="statements (gru.edge) or cells (gru); default all")
    p.add_argument("--list", action="store_true", help="print the names of all statements")
    p.add_argument("--cell", metavar="NAME", help="print definition and derivatives of a built-in cell as LaTeX instead")
    p.add_argument("--out", type=Path, metavar="FILE", help="write to this file")
    p.add_argument("--json", action="store_true", help="print JSON")
    p.set_defaults(run=_derive)

    p = commands.add_parser("validate", help="theory against freshly sampled networks")
    p.add_argument("--cells", nargs="+", default=["GRU", "LSTM"], metavar="NAME", help="GRU, LSTM (default both)")
    p.add_argument("--n-units", type=_whole(1), metavar="N", help="units of a network (default 1000 GRU, 600 LSTM)")
    p.add_argument("--n-networks", type=_whole(1), default=3, metavar="M", help="networks diagonalised for each case (default 3)")
    p.add_argument("--points", type=_whole(1), default=40, help="points along each axis of the phase diagrams (default 40)")
    p.add_argument("--seed", type=_whole(0), default=0, help="default 0")
    p.add_argument("--jobs", type=_whole(1), default=1, help="worker processes (default 1)")
    p.add_argument("--out", type=_new_directory, metavar="DIR", help="write tables, phase diagrams and figures into this directory")
    p.add_argument("--json", action="store_true", help="print JSON")
    p.set_defaults(run=_validate)

    p = commands.add_parser("figures", help="the figures: computed, saved with their data, drawn")
    p.add_argument("names", nargs="*", metavar="NAME", help="default all; --list prints them")
    p.add_argument("--list", action="store_true", help="print the names of all figures")
    size = p.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="small networks, coarse grids: minutes in all (default)")
    size.add_argument("--full", action="store_true", help="large networks, fine grids: hours")
    p.add_argument("--seed", type=_whole(0), default=0, help="default 0")
    p.add_argument("--jobs", type=_whole(1), default=1, help="worker processes (default 1)")
    p.add_argument("--out", type=_new_directory, default=Path("output/figures"), metavar="DIR", help="default output/figures")
    p.set_defaults(run=_figures)

    p = commands.add_parser("diagnose", help="timescales, stability and gradients of a saved PyTorch GRU, LSTM or RNN")
    p.add_argument("checkpoint", metavar="CHECKPOINT", help="a safetensors file, or a state dict written by torch.save")
    p.add_argument("--inputs", type=Path, metavar="FILE", help="input sequences, a .npy file of shape (T, I) or (T, B, I)")
    p.add_argument("--layer", type=int, default=0, help="default 0")
    p.add_argument("--direction", default="forward", help="forward or reverse (default forward)")
    p.add_argument("--prefix", help="which module, where the checkpoint holds several: encoder.rnn")
    p.add_argument("--kind", help="GRU, LSTM or RNN: refuse anything else")
    p.add_argument("--nonlinearity", help="tanh or relu, of an RNN (default tanh)")
    p.add_argument("--n-states", type=_whole(1), default=8, metavar="S", help="states looked at (default 8)")
    p.add_argument(
        "--tau", type=_positive, nargs="+", default=[10.0, 100.0, 1000.0], help="timescales in steps (default 10 100 1000)"
    )
    p.add_argument("--seed", type=_whole(0), default=0, help="default 0")
    p.add_argument(
        "--out", type=Path, metavar="DIR", help="write diagnosis.nc (for gt.load), .json, .txt and .png into this directory"
    )
    p.add_argument("--json", action="store_true", help="print JSON")
    p.set_defaults(run=_diagnose)

    p = commands.add_parser("portrait", help="all a small flow can do: fixed points, cycles, attractors, its phase portrait")
    p.add_argument(
        "file",
        type=Path,
        metavar="FILE.json",
        help='weights by name, {"cell": "GRU", "U_h": [[3, -3], [3, 3]], "b_h": [0, 0]}, what is left out being 0; '
        "or a flow or a result of one, written by gating_theory.save",
    )
    p.add_argument("--grade", choices=("validated", "certified"), default="certified", help="of the proofs (default certified)")
    p.add_argument("--map", action="store_true", help="compare with the network's own steps, the Euler map of step 1")
    p.add_argument("--basins", action="store_true", help="draw basins of attraction too")
    p.add_argument("--out", type=_new_directory, metavar="DIR", help="write portrait.png, portrait.txt, points.json here")
    p.add_argument("--json", action="store_true", help="print JSON")
    p.set_defaults(run=_portrait)
    return parser


# --- arguments


def _positive(text):
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a positive number, got {text!r}")
    return value


def _whole(low):
    """An argparse type: integers from ``low`` on."""

    def whole(text):
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if value < low:
            raise argparse.ArgumentTypeError(f"must be a whole number of at least {low}, got {text!r}")
        return value

    return whole


def _new_directory(text):
    """An argparse type: a directory to write into, which is made once there is something to write."""
    path = Path(text)
    for place in (path, *path.parents):
        if place.exists():
            if not place.is_dir():
                raise argparse.ArgumentTypeError(f"must be a directory, got {text!r}, where {place} is a file")
            break
    return path


def _ensemble_arguments(parser):
    parser.add_argument("--cell", default="GRU", metavar="NAME", help="a built-in cell (default GRU)")
    for kind, text in (
        ("gain", "gains: one number for all fields, or z=2 r=3 h=6 (default 1)"),
        ("bias", "mean biases (default 0)"),
        ("bias-std", "spreads of the biases (default 0)"),
        ("input-std", "standard deviations of the inputs (default 0)"),
        ("parameter", "means of the cell's site parameters (default 0)"),
        ("parameter-std", "spreads of the cell's site parameters (default 0)"),
    ):
        parser.add_argument(f"--{kind}", nargs="+", metavar="VALUE", help=text)


def _number(text, where, form="a number"):
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{where} must be {form}, got {text!r}") from None


def _values(option, items):
    """``["2"]`` as 2.0, ``["z=2", "r=3"]`` as a mapping, None as None."""
    if items is None:
        return None
    if len(items) == 1 and "=" not in items[0]:
        return _number(items[0], f"--{option}", "a number, or pairs such as z=2 r=3")
    out = {}
    for item in items:
        name, equals, text = item.partition("=")
        if not equals or not name:
            raise ValueError(f"--{option} takes one number or NAME=NUMBER pairs, got {item!r}")
        if name in out:
            raise ValueError(f"--{option} has {name!r} twice")
        out[name] = _number(text, f"--{option} {name}")
    return out


def _cell(name):
    from ..cell import builtin as cells

    if name not in cells.BUILTIN:
        raise ValueError(f"--cell must be one of {', '.join(cells.BUILTIN)}, got {name!r}")
    return getattr(cells, name)


def _ensemble(options):
    from ..ensemble.ensemble import Ensemble

    kinds = ("gain", "bias", "bias_std", "input_std", "parameter", "parameter_std")
    values = {kind: _values(kind.replace("_", "-"), getattr(options, kind)) for kind in kinds}
    return Ensemble(_cell(options.cell), **values)


def _axis(text):
    """``"gain.h=1:3:50"`` or ``"gain.h=1,2,3"`` as (path, values)."""
    import numpy as np

    path, equals, rest = text.partition("=")
    where = f"--axis {path}"
    if not equals or not path or not rest:
        raise ValueError(f"--axis takes PATH=LOW:HIGH:N or PATH=V1,V2,..., got {text!r}")
    if ":" not in rest:
        return path, np.array([_number(v, where) for v in rest.split(",")])
    parts = rest.split(":")
    if len(parts) != 3 or not parts[2].isdigit() or int(parts[2]) < 1:
        raise ValueError(f"{where} takes LOW:HIGH:N with a whole number N of points, got {rest!r}")
    return path, np.linspace(_number(parts[0], where), _number(parts[1], where), int(parts[2]))


def _directory(path):
    if path is not None:
        path.mkdir(parents=True, exist_ok=True)
    return path


def _pool(jobs):
    """Worker processes, or nothing for one job."""
    if jobs == 1:
        return nullcontext(None)
    from concurrent.futures import ProcessPoolExecutor

    return ProcessPoolExecutor(jobs)


def _counter(label):
    """A progress callback for the terminal, or for a log."""
    from ..running.progress import Counter

    return Counter(label, sys.stderr)


# --- commands


def _spectrum(options):
    from ..mean_field.fixed_points import fixed_points
    from ..networks.network import Network
    from ..results.provenance import provenance
    from ..spectrum.spectrum import Spectrum
    from ..support.files import write_atomically

    ensemble = _ensemble(options)
    points = fixed_points(ensemble)
    spectra = [Spectrum(point) for point in points]
    rows = []
    for point, spectrum in zip(points, spectra):
        row = point.as_dict()
        row.pop("ensemble")
        row |= {"radius": spectrum.radius(), "abscissa": spectrum.abscissa(), "slow_fraction": spectrum.slow_fraction(options.tau)}
        row["outliers"] = [[z.real, z.imag] for z in spectrum.outliers().tolist()]
        rows.append(row)
    record = {"kind": "spectrum", "tau": options.tau, "fixed_points": rows}
    eigenvalues = None
    if options.n_units:
        net, state = Network.planted(points[-1], options.n_units, options.seed)
        eigenvalues = net.eigenvalues(state)
        import numpy as np

        record["network"] = {
            "n_units": options.n_units,
            "radius": float(np.abs(eigenvalues).max()),
            "abscissa": float(eigenvalues.real.max()),
            "slow_fraction": float(np.mean(np.abs(eigenvalues) > np.exp(-1.0 / options.tau))),
        }
    record["provenance"] = provenance(ensemble, seed=options.seed)
    out = _directory(options.out)
    if out is not None:
        from ..plotting.spectra import plot_density, plot_spectrum
        from ..validation.report import _figure, save_figure

        text = json.dumps(record, indent=1) + "\n"
        write_atomically(out / "spectrum.json", lambda name: Path(name).write_text(text, encoding="utf-8"))
        figure, axes = _figure(1, 1, 3.4, 3.0)
        plot_spectrum(spectra[-1], eigenvalues, outliers=True, ax=axes[0])
        save_figure(figure, out / "spectrum.png")
        if spectra[-1].boundary(64):
            figure, axes = _figure(1, 1, 3.6, 2.8)
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


def _phase_diagram(options):
    from ..results.store import save
    from ..sweeps.phase_diagram import phase_diagram

    ensemble = _ensemble(options)
    axes = {}
    for text in options.axis:
        path, values = _axis(text)
        if path in axes:
            raise ValueError(f"--axis {path} is given twice")
        axes[path] = values
    with _pool(options.jobs) as executor:
        data = phase_diagram(
            ensemble,
            axes,
            options.quantity,
            tau=options.tau,
            n_units=options.n_units,
            n_steps=options.n_steps,
            seed=options.seed,
            executor=executor,
            progress=_counter("phase diagram"),
            journal=options.journal,
        )
    out = _directory(options.out)
    if out is not None:
        from ..plotting.phase_diagrams import plot_phase_diagram
        from ..validation.report import _figure, save_figure

        save(data, out / "phase_diagram.nc")
        pictures = [
            n for n in data.data_vars if set(data[n].dims) - {"solution"} == set(axes) and "flag_values" not in data[n].attrs
        ]
        for name in pictures if len(axes) == 2 else ():
            figure, ax = _figure(1, 1, 3.6, 2.8)
            plot_phase_diagram(data, name, ax=ax[0])
            save_figure(figure, out / f"{name.replace(':', '_')}.png")
    if options.json:
        print(json.dumps(_jsonable(data.to_dict()), indent=1))
    else:
        print(data)
        print(f"{1e3 * data.attrs['seconds_per_point']:.3g} ms a point")
    return 0


def _jsonable(value):
    """Plain JSON: arrays as lists, NaN as null."""
    import math

    if isinstance(value, dict):
        return {str(k): _jsonable(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_jsonable(v) for v in value]
    if hasattr(value, "tolist"):
        return _jsonable(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _derive(options):
    from ..support.files import write_atomically

    if options.cell is not None:
        if options.names or options.list:
            raise ValueError("--cell prints a cell: it takes neither names nor --list")
        from ..cell.symbolic import to_latex

        cell = _cell(options.cell)
        text, record, code = to_latex(cell) + "\n", {"kind": "cell", "cell": cell.name, "latex": to_latex(cell)}, 0
    else:
        from gating_theory import derivations

        if options.list:
            found = derivations.names()
            text, record, code = "\n".join(found) + "\n", {"kind": "names", "names": list(found)}, 0
        else:
            results = derivations.derive_all(options.names or None)
            failed = [result for result in results if not result.proved]
            text, code = derivations.document(results), 1 if failed else 0
            rows = [{"name": r.name, "title": r.statement.title, "proved": r.proved, "status": r.status} for r in results]
            record = {"kind": "derivations", "results": rows}
            for result in failed:
                print(f"gating-theory: proof failed: {result.name}: {result.status}", file=sys.stderr)
    if options.json:
        text = json.dumps(record, indent=1) + "\n"
    if options.out is not None:
        write_atomically(options.out, lambda name: Path(name).write_text(text, encoding="utf-8"))
    else:
        print(text, end="")
    return code


def _validate(options):
    from ..validation.comparison import validate
    from ..validation.report import closed_forms, diagrams, report_text, write_report

    with _pool(options.jobs) as executor:
        result = validate(
            options.cells,
            options.n_units,
            options.n_networks,
            options.seed,
            executor=executor,
            progress=_counter("comparisons"),
        )
        datasets = diagrams(options.cells, options.points, executor, _counter("phase diagrams"))
        forms = closed_forms(datasets)
        out = _directory(options.out)
        files = write_report(out, result, datasets, forms, executor) if out is not None else []
    if options.json:
        from dataclasses import asdict

        record = result.as_dict() | {"closed_forms": [asdict(f) | {"agrees": f.agrees} for f in forms]}
        print(json.dumps(record, indent=1))
    else:
        print(report_text(result, forms))
        for path in files:
            print(f"wrote {path}")
    return 0 if result.ok and all(form.agrees for form in forms) else 1


def _figures(options):
    from gating_theory import figures

    if options.list:
        print("\n".join(figures.NAMES))
        return 0

    def tell(text):
        print(text, flush=True)

    with _pool(options.jobs) as executor:
        quick = not options.full
        files = figures.run(
            options.out,
            options.names or None,
            quick=quick,
            seed=options.seed,
            executor=executor,
            tell=tell,
            progress=lambda name: _counter(f"figure {name}"),
        )
    print(f"{len(files)} files in {options.out}; computed ones are kept and only drawn again next time")
    drawn = {path.stem for path in files}
    return 0 if drawn.issuperset(options.names or figures.NAMES) else 1


def _diagnose(options):
    from ..results.provenance import provenance
    from ..support.files import write_atomically
    from ..training.diagnose import diagnose

    result = diagnose(
        options.checkpoint,
        None if options.inputs is None else _array(options.inputs),
        layer=options.layer,
        direction=options.direction,
        prefix=options.prefix,
        kind=options.kind,
        nonlinearity=options.nonlinearity,
        n_states=options.n_states,
        taus=options.tau,
        rng=options.seed,
        progress=_counter("diagnosis"),
    )
    record = result.as_dict() | {"provenance": provenance(result.ensemble, seed=options.seed)}
    text = json.dumps(record, indent=1, allow_nan=False) + "\n"
    if options.out is not None:
        from ..plotting.spectra import plot_timescales
        from ..plotting.training import plot_diagnosis
        from ..results.store import save
        from ..validation.report import _figure, save_figure

        out = _directory(options.out)
        save(result, out / "diagnosis.nc")
        write_atomically(out / "diagnosis.json", lambda name: Path(name).write_text(text, encoding="utf-8"))
        write_atomically(out / "diagnosis.txt", lambda name: Path(name).write_text(f"{result}\n", encoding="utf-8"))
        figure, axes = _figure(2, 1, 3.6, 3.0)
        plot_diagnosis(result, ax=axes[0])
        plot_timescales(result.eigenvalues, ax=axes[1])
        plot_timescales(result.spectrum, ax=axes[1])
        save_figure(figure, out / "diagnosis.png")
    print(text if options.json else result, end="" if options.json else "\n")
    return 0


def _portrait(options):
    from ..flow import cycles, flow_and_map
    from ..results.provenance import provenance
    from ..results.store import save
    from ..support.files import write_atomically

    flow = _flow(options.file)
    points = flow.fixed_points(options.grade)
    found = cycles(flow)
    both = flow_and_map(flow) if options.map else None
    lines = [repr(flow), str(points)]
    lines += [str(cycle) for cycle in found] or ["no cycles found"]
    if both is not None:
        lines += ["", "flow and map:", str(both)]
    text = "\n".join(lines) + "\n"
    out = _directory(options.out)
    if out is not None:
        write_atomically(out / "portrait.txt", lambda name: Path(name).write_text(text, encoding="utf-8"))
        save(points, out / "points.json")
        if flow.dim == 2:
            _draw_portrait(flow, points, found, both, out, options.basins)
        else:
            print(f"no picture: portraits are drawn of two-dimensional flows, this one has dim {flow.dim}", file=sys.stderr)
    if options.json:
        record = {"kind": "portrait", "flow": flow.as_dict(), "topology": points.topology._asdict(), "complete": points.complete}
        record["fixed_points"] = [{"state": p.state.tolist(), "kind": p.kind, "index": p.index, "label": p.label} for p in points]
        record["cycles"] = [cycle.as_dict() for cycle in found]
        if both is not None:
            record["map_stable"] = both.map_stable.tolist()
            record["map_attractors"] = [
                {"kind": a.kind, "period": a.period, "steps_per_turn": a.steps_per_turn} for a in both.map_attractors
            ]
        print(json.dumps(_jsonable(record | {"provenance": provenance()}), indent=1))
    else:
        print(text, end="")
    return 0


def _draw_portrait(flow, points, cycles, both, out, with_basins):
    from ..flow import basins, plot_basins, plot_portrait
    from ..validation.report import _figure, save_figure

    figure, axes = _figure(1, 1, 4.6, 3.3)
    plot_portrait(flow, cycles, points=points, orbits=None if both is None else both.map_attractors, ax=axes[0])
    save_figure(figure, out / "portrait.png")
    if with_basins:
        figure, axes = _figure(1, 1, 4.6, 3.3)
        plot_basins(basins(flow), ax=axes[0])
        save_figure(figure, out / "basins.png")


def _flow(path):
    """The flow described in a JSON file, or saved there, alone or with a result of it."""
    from ..flow import Flow
    from ..results.store import load

    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        record = None
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not JSON: {error}") from None
    if not isinstance(record, dict):
        raise ValueError(f'{path} must hold weights by name, such as {{"U_h": [[3, -3], [3, 3]]}}, or a saved flow')
    if "format" in record:
        result = load(path)
        flow = result if isinstance(result, Flow) else getattr(result, "flow", None)
        if not isinstance(flow, Flow):
            raise ValueError(f"{path} holds a {type(result).__name__} and no flow")
        return flow
    try:
        return Flow.from_dict(record)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from None


def _array(path):
    """A numeric array from a .npy file; nothing pickled is read."""
    import numpy as np

    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError):  # numpy's own words advise to unpickle it
        raise ValueError(f"--inputs {path} is not a .npy file of numbers, or only a part of one") from None
    if not isinstance(array, np.ndarray):
        raise ValueError(f"--inputs {path} must be a .npy file with one array, got an archive of several")
    if not np.issubdtype(array.dtype, np.floating) and not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"--inputs {path} must hold real numbers, got {array.dtype} of shape {array.shape}")
    return array
