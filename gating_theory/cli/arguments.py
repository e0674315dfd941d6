"""The arguments of the commands, and how texts become numbers, ensembles and axes. Light: a command is imported when it runs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from ..ensemble.hyperparameters import KINDS

if TYPE_CHECKING:
    import numpy as np

    from ..cell.cell import Cell
    from ..ensemble.ensemble import Ensemble

__all__ = ["axis_of", "cell_of", "ensemble_of", "existing_file", "new_directory", "parser", "positive", "whole"]

_EXAMPLES = """examples:
  gating-theory spectrum --cell GRU --gain z=2 r=3 h=6
  gating-theory spectrum --cell GRU --gain z=1 r=1 h=2.2 --matrices orthogonal
  gating-theory gradients --cell LSTM --bias f=5 --gain g=0.027 --steps 10 100 --block h
  gating-theory design --cell LSTM --memory 200 --n-units 64
  gating-theory phase-diagram --axis gain.r=0:20:50 --axis gain.h=1:3:50 --quantity count onset:gain.h --jobs 2 --out diagram
  gating-theory dmft --gain r=10 h=3 --flow --lags 0 5 10
  gating-theory chaos gain.h --gain r=10
  gating-theory echo --gain z=0 r=4 h=2 --input-std h=0.6 --line gain.h
  gating-theory read model.pt
  gating-theory derive gru.edge
  gating-theory validate --out output --jobs 2
  gating-theory validate --cell my.py:MyCell --gain 2 --out output
  gating-theory portrait weights.json --map --out portrait
  gating-theory explore
"""


class _Parser(argparse.ArgumentParser):
    """One line for an error, not the whole usage."""

    def error(self, message):
        print(f"{self.prog}: error: {message} (--help says more)", file=sys.stderr)
        raise SystemExit(2)


class _Command(_Parser):
    """The parser of one command: ``describe(parser)`` enters its arguments once the command is asked for, and not before."""

    def __init__(self, describe, **options):
        super().__init__(**options)
        self._describe = describe

    def parse_known_args(self, args=None, namespace=None):
        describe, self._describe = self._describe, None
        if describe is not None:
            describe(self)
        return super().parse_known_args(args, namespace)


def parser() -> argparse.ArgumentParser:
    """The parser of the command line: what it gives has a ``run(options)``, which imports the command and returns its exit code."""
    from ..version import __version__

    top = _Parser(
        prog="gating-theory",
        description="Mean-field and random-matrix theory of gated recurrent networks.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"gating-theory {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Command)
    for name, (describe, words) in _COMMANDS.items():
        commands.add_parser(name, help=words, describe=describe).set_defaults(run=_run_of(name))
    return top


def _run_of(command):
    """``run`` of the command's module in this folder, which is imported only then."""

    def run(options: argparse.Namespace) -> int:
        return import_module(f".{command.replace('-', '_')}", __package__).run(options)

    return run


# --- the commands


def _spectrum(p):
    _ensemble_arguments(p)
    p.add_argument("--tau", type=positive, default=100.0, help="timescale of the slow fraction, in steps (default 100)")
    p.add_argument("--n-units", type=whole(1), metavar="N", help="also sample a network of N units at the largest solution")
    p.add_argument("--seed", type=whole(0), default=0, help="seed of the sampled network (default 0)")
    p.add_argument("--out", type=new_directory, metavar="DIR", help="write spectrum.json and pictures into this directory")
    p.add_argument("--json", action="store_true", help="print JSON")


def _gradients(p):
    _ensemble_arguments(p)
    p.add_argument(
        "--steps", type=whole(1), nargs="+", default=[1, 10, 100], metavar="T", help="through so many (default 1 10 100)"
    )
    p.add_argument(
        "--weights",
        nargs="+",
        choices=("tied", "untied"),
        default=["tied", "untied"],
        help="the same in every step, as networks have them, or drawn anew (default both)",
    )
    p.add_argument("--block", metavar="STATE", help="the state variable that the loss sees at the end, h say (default all)")
    p.add_argument("--n-units", type=whole(1), metavar="N", help="also measure in a network of N units at the largest solution")
    p.add_argument("--seed", type=whole(0), default=0, help="seed of the sampled network (default 0)")
    p.add_argument("--out", type=new_directory, metavar="DIR", help="write gradients.json and pictures into this directory")
    p.add_argument("--json", action="store_true", help="print JSON")


def _design(p):
    _ensemble_arguments(p)
    p.add_argument("--memory", type=whole(1), required=True, metavar="T", help="steps that gradients are to survive")
    p.add_argument("--kappa", type=positive, default=1.0, help="1 - leak is kappa / (T + kappa) (default 1)")
    p.add_argument("--given", nargs="+", default=[], metavar="PATH=VALUE", help="hold these: bias.o=5 opens an output gate")
    p.add_argument("--n-units", type=whole(10), default=2000, metavar="N", help="units of the networks it is for (default 2000)")
    p.add_argument("--out", type=new_directory, metavar="DIR", help="write design.json (for gt.load and init_) into this directory")
    p.add_argument("--json", action="store_true", help="print JSON")


def _phase_diagram(p):
    from ..sweeps.quantities import forms, names

    _ensemble_arguments(p)
    p.add_argument(
        "--axis",
        action="append",
        required=True,
        metavar="PATH=LOW:HIGH:N",
        help="or PATH=V1,V2,...; one or more times. A path: gain.h, or gain for all fields, or gain.z=gain.r for a common value",
    )
    p.add_argument(
        "--quantity",
        nargs="+",
        default=["count", "moments", "abscissa"],
        metavar="NAME",
        help=f"any of {', '.join(names())}, and {', '.join(forms())} with paths as of --axis (default count moments abscissa)",
    )
    p.add_argument("--tau", type=positive, default=100.0, help="timescale of slow_fraction (default 100)")
    p.add_argument("--n-units", type=whole(10), default=1000, metavar="N", help="units of simulated networks (default 1000)")
    p.add_argument("--n-steps", type=whole(20), default=200, metavar="T", help="steps of simulated networks (default 200)")
    p.add_argument("--seed", type=whole(0), default=0, help="seed of simulated networks (default 0)")
    p.add_argument("--jobs", type=whole(1), default=1, help="worker processes (default 1)")
    p.add_argument("--journal", type=Path, metavar="FILE", help="keep finished points in FILE; a killed run goes on from it")
    p.add_argument("--out", type=new_directory, metavar="DIR", help="write phase_diagram.nc and, for two axes, pictures")
    p.add_argument("--json", action="store_true", help="print JSON")


def _clock_arguments(p):
    p.add_argument("--flow", action="store_true", help="in continuous time, ds/dt = F(s, y) - s")
    p.add_argument("--step", type=positive, metavar="DT", help="of the Euler map, at most 1; with --flow in which paths are solved")
    p.add_argument("--n-sites", type=whole(100), default=1000, metavar="N", help="sites of a chunk, by paths (default 1000)")
    p.add_argument("--seed", type=whole(0), default=0, help="of random numbers (default 0)")


def _dmft(p):
    _ensemble_arguments(p)
    _clock_arguments(p)
    p.add_argument(
        "--method",
        choices=("auto", "lag", "paths"),
        default="auto",
        help="lag: exact, where the leak is constant; paths: any cell, with standard errors (default auto)",
    )
    p.add_argument("--all", action="store_true", help="every state, also unstable ones, where the leak is constant")
    p.add_argument("--lags", type=float, nargs="+", metavar="LAG", help="correlations at these lags, in units of time")
    p.add_argument("--out", type=new_directory, metavar="DIR", help="write dmft.json, state.nc (for gt.load) and correlations.png")
    p.add_argument("--json", action="store_true", help="print JSON")


def _chaos(p):
    _ensemble_arguments(p)
    p.add_argument("path", metavar="PATH", help="along which chaos begins, as of phase-diagram --axis: gain.h")
    p.add_argument("--bounds", type=float, nargs=2, metavar=("LOW", "HIGH"), help="where to look")
    p.add_argument(
        "--method",
        choices=("auto", "lag", "paths", "networks"),
        default="auto",
        help="by theory as of dmft (default auto), or where exponents of sampled networks change sign",
    )
    _clock_arguments(p)
    p.add_argument("--n-units", type=whole(10), default=2000, metavar="N", help="units of networks (default 2000)")
    p.add_argument("--n-steps", type=whole(20), default=200, metavar="T", help="steps of networks (default 200)")
    p.add_argument("--n-networks", type=whole(1), default=3, metavar="M", help="how many (default 3)")
    p.add_argument("--out", type=new_directory, metavar="DIR", help="write chaos.json into this directory")
    p.add_argument("--json", action="store_true", help="print JSON")


def _echo(p):
    _ensemble_arguments(p)
    p.add_argument("--line", metavar="PATH", help="also where the echo state ends along a path: gain.h, input_std.h")
    p.add_argument("--bounds", type=float, nargs=2, metavar=("LOW", "HIGH"), help="where to look for that")
    p.add_argument("--method", choices=("auto", "lag", "paths"), default="auto", help="as of dmft (default auto)")
    _clock_arguments(p)
    p.add_argument("--out", type=new_directory, metavar="DIR", help="write echo.json and state.json (for gt.load) here")
    p.add_argument("--json", action="store_true", help="print JSON")


def _derive(p):
    p.add_argument("names", nargs="*", metavar="NAME", help="statements (gru.edge) or cells (gru); default all")
    p.add_argument("--list", action="store_true", help="print the names of all statements")
    p.add_argument(
        "--cell", type=_cell_name, metavar="CELL", help=f"print definition and derivatives of a cell as LaTeX instead: {_CELL}"
    )
    p.add_argument("--pages", type=Path, metavar="DIR", help="write all proofs as pages of the site, one for each cell")
    p.add_argument("--out", type=Path, metavar="FILE", help="write to this file")
    p.add_argument("--json", action="store_true", help="print JSON")


def _validate(p):
    p.add_argument("--cells", nargs="+", default=["GRU", "LSTM"], metavar="NAME", help="built-in cases: GRU, LSTM (default both)")
    _ensemble_arguments(p, None, "compare networks of this cell instead")
    p.add_argument(
        "--state",
        nargs="+",
        choices=("zero", "active", "typical", "chaotic"),
        metavar="STATE",
        help="of a --cell: zero, active (its fixed point of the largest moments), typical (of fixed points), chaotic (what "
        "networks run into); default the first two, where there are such",
    )
    p.add_argument(
        "--n-units", type=whole(50), metavar="N", help="units of a network (default 800, and 500 with two state variables)"
    )
    p.add_argument("--n-networks", type=whole(1), default=3, metavar="M", help="networks diagonalised for each case (default 3)")
    p.add_argument("--tau", type=positive, nargs="+", help="timescales of slow fractions, in steps (default 10 100)")
    p.add_argument("--level", type=positive, default=1e-4, help="how often a row of a true theory may disagree (default 1e-4)")
    p.add_argument("--points", type=whole(1), default=40, help="points along each axis of the phase diagrams (default 40)")
    p.add_argument("--seed", type=whole(0), default=0, help="default 0")
    p.add_argument("--jobs", type=whole(1), default=1, help="worker processes (default 1)")
    p.add_argument("--out", type=new_directory, metavar="DIR", help="write tables, phase diagrams and figures into this directory")
    p.add_argument("--json", action="store_true", help="print JSON")


def _figures(p):
    p.add_argument("names", nargs="*", metavar="NAME", help="default all; --list prints them")
    p.add_argument("--list", action="store_true", help="print the names of all figures")
    size = p.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="small networks, coarse grids: minutes in all (default)")
    size.add_argument("--full", action="store_true", help="large networks, fine grids: hours")
    p.add_argument("--seed", type=whole(0), default=0, help="default 0")
    p.add_argument("--jobs", type=whole(1), default=1, help="worker processes (default 1)")
    p.add_argument("--out", type=new_directory, default=Path("output/figures"), metavar="DIR", help="default output/figures")


def _read(p):
    p.add_argument(
        "file",
        type=existing_file,
        metavar="FILE",
        help="weights as PyTorch, Keras, ONNX, Flax or numpy save them; nothing is executed",
    )
    p.add_argument("--prefix", help="say more of one module: encoder.rnn")
    p.add_argument("--kind", help="GRU, LSTM or RNN: refuse anything else")
    p.add_argument("--nonlinearity", help="tanh or relu, of an RNN whose file does not say (default tanh)")
    p.add_argument("--json", action="store_true", help="print JSON")


def _diagnose(p):
    p.add_argument("checkpoint", type=existing_file, metavar="CHECKPOINT", help="a file that the command read can list")
    p.add_argument(
        "--inputs",
        type=existing_file,
        metavar="FILE",
        help="input sequences, .npy of shape (T, I) or (T, B, I), or .npz of these as inputs and the steps of each as lengths",
    )
    p.add_argument(
        "--initial", type=existing_file, metavar="FILE", help="the checkpoint before training: what is learned is the difference"
    )
    p.add_argument("--layer", type=int, default=0, help="default 0")
    p.add_argument("--direction", default="forward", help="forward or reverse (default forward)")
    p.add_argument("--prefix", help="which module, where the checkpoint holds several: encoder.rnn")
    p.add_argument("--kind", help="GRU, LSTM or RNN: refuse anything else")
    p.add_argument("--nonlinearity", help="tanh or relu, of an RNN (default tanh)")
    p.add_argument(
        "--batch-first",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="input sequences are of shape (B, T, I); checkpoints do not say (default: (T, B, I))",
    )
    p.add_argument("--n-states", type=whole(1), default=8, metavar="S", help="states looked at (default 8)")
    p.add_argument(
        "--tau", type=positive, nargs="+", default=[10.0, 100.0, 1000.0], help="timescales in steps (default 10 100 1000)"
    )
    p.add_argument("--seed", type=whole(0), default=0, help="default 0")
    p.add_argument(
        "--out",
        type=new_directory,
        metavar="DIR",
        help="write diagnosis.nc (for gt.load), .json, .txt and .png into this directory",
    )
    p.add_argument("--json", action="store_true", help="print JSON")


def _cite(p):
    p.add_argument("names", nargs="*", metavar="NAME", help="public names, such as Spectrum or flow.cycles (default: everything)")
    p.add_argument("--json", action="store_true", help="print JSON")


def _portrait(p):
    p.add_argument(
        "file",
        type=existing_file,
        metavar="FILE.json",
        help='weights by name, {"cell": "GRU", "U_h": [[3, -3], [3, 3]], "b_h": [0, 0]}, what is left out being 0; '
        "or a flow or a result of one, written by gating_theory.save",
    )
    p.add_argument("--cell", type=_cell_name, metavar="CELL", help=f"that of the file, if it is not built in: {_CELL}")
    p.add_argument("--grade", choices=("validated", "certified"), default="certified", help="of the proofs (default certified)")
    p.add_argument("--map", action="store_true", help="compare with the network's own steps, the Euler map of step 1")
    p.add_argument("--basins", action="store_true", help="draw basins of attraction too")
    p.add_argument("--out", type=new_directory, metavar="DIR", help="write portrait.png, portrait.txt, points.json, flow.json here")
    p.add_argument("--json", action="store_true", help="print JSON")


def _explore(p):
    p.add_argument("--port", type=whole(0), default=5006, help="of this machine, 0 for a free one (default 5006)")
    p.add_argument("--flow", action="store_true", help="begin with networks of two units in continuous time")
    p.add_argument("--no-browser", action="store_true", help="print the address and open no browser")


#: {command: (what enters its arguments, what it does in words)}
_COMMANDS = {
    "spectrum": (_spectrum, "fixed points of an ensemble and the spectra there"),
    "gradients": (_gradients, "singular values and growth of gradients at fixed points of an ensemble"),
    "design": (_design, "an initialisation whose gradients survive T steps, beside those of libraries"),
    "phase-diagram": (_phase_diagram, "solutions, spectra and critical lines over a grid"),
    "dmft": (_dmft, "moving states of infinite networks: moments, correlations, exponents"),
    "chaos": (_chaos, "where chaos begins along a path, in theory or in networks"),
    "echo": (_echo, "whether copies of a network agree in the end under one input"),
    "derive": (_derive, "derivations from the symbolic cells, proved"),
    "validate": (_validate, "theory against freshly sampled networks"),
    "figures": (_figures, "the figures: computed, saved with their data, drawn"),
    "read": (_read, "recurrent layers in a file of PyTorch, Keras, ONNX, Flax or numpy"),
    "diagnose": (_diagnose, "timescales, stability and gradients of a saved GRU, LSTM or RNN"),
    "portrait": (_portrait, "all a small flow can do: fixed points, cycles, attractors, its phase portrait"),
    "cite": (_cite, "BibTeX of this software and of the papers behind it"),
    "explore": (_explore, "pages in the browser: turn a gain and see what it does, until Ctrl-C"),
}


# --- from texts


def positive(text: str) -> float:
    """An argparse type: finite numbers above zero."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a positive number, got {text!r}")
    return value


def whole(low: int) -> Callable[[str], int]:
    """An argparse type: integers from ``low`` on."""

    def convert(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if value < low:
            raise argparse.ArgumentTypeError(f"must be a whole number of at least {low}, got {text!r}")
        return value

    return convert


def existing_file(text: str) -> Path:
    """An argparse type: a file to read. It is missed here, before the libraries that read it are imported, which takes seconds."""
    path = Path(text)
    if not path.exists():
        raise argparse.ArgumentTypeError(f"there is no file {text!r}")
    return path


def _cell_name(text):
    """An argparse type: what ``cell_of`` takes. A missing file is missed here, as by ``existing_file``."""
    path = _file_of(text)
    if path is not None:
        existing_file(path)
    return text


def _file_of(text):
    """The file in "FILE.py:NAME"; None where the text has another form."""
    path, colon, _ = text.rpartition(":")
    return path if colon and path.endswith(".py") else None


def new_directory(text: str) -> Path:
    """An argparse type: a directory to write into, which is made once there is something to write."""
    path = Path(text)
    for place in (path, *path.parents):
        if place.exists():
            if not place.is_dir():
                raise argparse.ArgumentTypeError(f"must be a directory, got {text!r}, where {place} is a file")
            break
    return path


#: What ``--cell`` takes. A file is run because the user names it here, and for no other reason.
_CELL = "a built-in cell, or FILE.py:NAME, a Cell of your own; the file is run"


def _ensemble_arguments(parser, default="GRU", words=_CELL):
    text = f"{_CELL} (default {default})" if default else f"{words}: {_CELL}"
    parser.add_argument("--cell", type=_cell_name, default=default, metavar="CELL", help=text)
    for name, kind in KINDS.items():
        text = f"{kind.words.format('NAME')}: one number for all, or NAME=NUMBER pairs (default {kind.default:g})"
        parser.add_argument(f"--{name.replace('_', '-')}", nargs="+", metavar="VALUE", help=text)
    text = "law of the recurrent matrices: iid, orthogonal or stack for all, or NAME=LAW pairs (default iid)"
    parser.add_argument("--matrices", nargs="+", metavar="LAW", help=text)


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
    pairs = _pairs(option, items, "number")
    return {name: _number(text, f"--{option} {name}") for name, text in pairs.items()}


def _pairs(option, items, kind):
    """``["z=2", "r=3"]`` as {"z": "2", "r": "3"}."""
    out = {}
    for item in items:
        name, equals, text = item.partition("=")
        if not equals or not name:
            raise ValueError(f"--{option} takes one {kind} or NAME={kind.upper()} pairs, got {item!r}")
        if name in out:
            raise ValueError(f"--{option} has {name!r} twice")
        out[name] = text
    return out


def _laws(items):
    """``["stack"]`` as "stack", ``["h=orthogonal"]`` as a mapping, None as "iid"."""
    if items is None:
        return "iid"
    if len(items) == 1 and "=" not in items[0]:
        return items[0]
    return _pairs("matrices", items, "law")


def cell_of(text: str) -> Cell:
    """The cell that ``--cell`` names: a built-in one, or "FILE.py:NAME", for which the file is run.

    Raises
    ------
    ValueError
        neither, no Cell of that name in the file, or an error in it
    FileNotFoundError
        no such file
    """
    from ..cell import builtin
    from ..cell.cell import Cell

    path = _file_of(text)
    if path is not None:
        name = text.rpartition(":")[2]
        cell = _names_in(Path(path)).get(name)
        if not isinstance(cell, Cell):
            raise ValueError(f"--cell: {path} must define a Cell called {name}, got {cell!r}")
        return cell
    if text not in builtin.BUILTIN:
        raise ValueError(f"--cell must be one of {', '.join(builtin.BUILTIN)}, or FILE.py:NAME, got {text!r}")
    return getattr(builtin, text)


def _names_in(path):
    """What a file of Python defines, run as a module of its own."""
    from importlib.util import module_from_spec, spec_from_file_location

    if not path.exists():
        raise FileNotFoundError(f"--cell: there is no file {str(path)!r}")
    name = f"gating_theory_cell_{path.stem}"
    spec = spec_from_file_location(name, path)
    module = module_from_spec(spec)
    sys.modules[name] = module  # workers find there what its cells are made of
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ValueError(f"--cell: {path} ends in {type(error).__name__}: {error}") from error
    return vars(module)


def ensemble_of(options: argparse.Namespace) -> Ensemble:
    """The Ensemble that ``--cell``, ``--gain``, ``--bias``, ``--matrices`` and the like describe."""
    from ..ensemble.ensemble import Ensemble

    values = {kind: _values(kind.replace("_", "-"), getattr(options, kind)) for kind in KINDS}
    return Ensemble(cell_of(options.cell), **values, matrices=_laws(options.matrices))


def axis_of(text: str) -> tuple[str, np.ndarray]:
    """``"gain.h=1:3:50"`` or ``"gain.z=gain.r=1,2,3"`` as (path, values): the last "=" stands before the values."""
    import numpy as np

    path, equals, rest = text.rpartition("=")
    where = f"--axis {path}"
    if not equals or not path or not rest:
        raise ValueError(f"--axis takes PATH=LOW:HIGH:N or PATH=V1,V2,..., got {text!r}")
    if ":" not in rest:
        return path, np.array([_number(v, where) for v in rest.split(",")])
    parts = rest.split(":")
    if len(parts) != 3 or not parts[2].isdigit() or int(parts[2]) < 1:
        raise ValueError(f"{where} takes LOW:HIGH:N with a whole number N of points, got {rest!r}")
    return path, np.linspace(_number(parts[0], where), _number(parts[1], where), int(parts[2]))
