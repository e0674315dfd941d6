"""Formats and layers: how far a step and a Jacobian of what is read here are from the framework's own.

    python benchmarks/formats.py                # prints a table for each framework
    python benchmarks/formats.py --write        # puts them into docs/guides/models.md as well
    python benchmarks/formats.py --only Keras   # one framework

Each case makes a small layer in its framework with random weights and biases in float64, saves it, reads the file with ``gt.read``,
and runs both along the same random input: the table has the largest difference of the states, and of the Jacobian of each step,
which the framework's own automatic differentiation gives (empty where it has none). A case is a function with the decorator
``case`` in a module of ``FAMILIES``; it takes an empty folder and yields a ``Pair`` for each layer and direction to compare.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("KERAS_BACKEND", "torch")  # read by keras when it is imported

import argparse  # noqa: E402
import re  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
from collections.abc import Callable, Iterable, Iterator  # noqa: E402
from dataclasses import dataclass  # noqa: E402
from importlib import import_module  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402

from gating_theory.interop.layers import RecurrentLayer  # noqa: E402

#: Modules beside this one that hold cases, in the order of the table.
FAMILIES = ("formats_torch", "formats_keras", "formats_onnx", "formats_flax", "formats_arrays")
#: Steps of the input, the page with the tables, and what stands around them.
N_STEPS, PAGE = 6, Path(__file__).parents[1] / "docs" / "guides" / "models.md"
BEGIN, END = "<!-- table: benchmarks/formats.py -->", "<!-- end of table -->"


@dataclass(frozen=True)
class Pair:
    """A layer and direction as it was read, and the framework's own step.

    Attributes
    ----------
    layer : RecurrentLayer
    step : callable, (x (I,), state (d, H)) -> (d, H): float64, state variables in the order of the cell (an LSTM's h, then c)
    jacobian : callable, (x, state) -> (d H, d H), of the step by the state, by automatic differentiation; None where there is none
    """

    layer: RecurrentLayer
    step: Callable[[np.ndarray, np.ndarray], np.ndarray]
    jacobian: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None


@dataclass(frozen=True)
class Case:
    """One entry of the table of a framework: a format, a layer, and what makes the pairs."""

    framework: str
    format: str
    layer: str
    make: Callable[[Path], Iterable[Pair]]


CASES: list[Case] = []


def case(framework: str, format: str, layer: str) -> Callable:
    """Decorator: the function makes the pairs of an entry."""

    def register(function):
        CASES.append(Case(framework, format, layer, function))
        return function

    return register


def cases() -> Iterator[Case]:
    """All cases, family by family."""
    sys.path.insert(0, str(Path(__file__).parent))
    sys.modules.setdefault("formats", sys.modules[__name__])  # families register here, also when this is run as a script
    for name in FAMILIES:
        import_module(name)
    return iter(CASES)


def differences(pair: Pair, rng: np.random.Generator) -> tuple[float, float]:
    """Largest difference of states and of Jacobians along a random input; nan for Jacobians that the framework does not give."""
    layer, d, n = pair.layer, pair.layer.cell.n_state, pair.layer.network.n_units
    ours, theirs, states, slopes = np.zeros((d, n)), np.zeros((d, n)), [0.0], []
    for x in rng.standard_normal((N_STEPS, layer.tensors["weight_ih"].shape[1])):
        driven = layer.network.driven(*layer.drive(x))
        if pair.jacobian is not None:
            slopes.append(np.max(np.abs(driven.jacobian(theirs) - pair.jacobian(x, theirs))))
        ours, theirs = driven.step(ours), pair.step(x, theirs)
        states.append(np.max(np.abs(ours - theirs)))
    return float(max(states)), float(max(slopes)) if slopes else float("nan")


def measured(one: Case) -> tuple[float, float]:
    """The same of all pairs of a case."""
    with tempfile.TemporaryDirectory() as folder:
        found = [differences(pair, np.random.default_rng(1)) for pair in one.make(Path(folder))]
    return max(step for step, _ in found), max(slope for _, slope in found)


def tables(results: list[tuple[Case, float, float]]) -> str:
    """A table in Markdown for each framework: layers, formats, and the two differences in each place."""
    return "\n\n".join(
        _table(name, [r for r in results if r[0].framework == name]) for name in _each(r[0].framework for r in results)
    )


def _table(framework, results):
    formats = _each(one.format for one, _, _ in results)
    texts = {}
    for one, step, slope in results:
        texts[one.layer, one.format] = f"{step:.0e}" + ("" if np.isnan(slope) else f", {slope:.0e}")
    lines = ["| " + " | ".join([framework, *formats]) + " |", "|---" * (1 + len(formats)) + "|"]
    for layer in _each(one.layer for one, _, _ in results):
        lines.append("| " + " | ".join([layer, *(texts.get((layer, format), "") for format in formats)]) + " |")
    return "\n".join(lines)


def _each(values):
    return list(dict.fromkeys(values))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the tables into docs/guides/models.md")
    parser.add_argument("--only", default="", help="one framework")
    options = parser.parse_args()
    if options.write and options.only:
        parser.error("--write needs all tables, without --only")
    text = tables([(one, *measured(one)) for one in cases() if options.only in ("", one.framework)])
    print(text)
    if options.write:
        page = PAGE.read_text(encoding="utf-8")
        page = re.sub(f"(?<={re.escape(BEGIN)}).*(?={re.escape(END)})", lambda _: f"\n\n{text}\n\n", page, flags=re.S)
        PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
