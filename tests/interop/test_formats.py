"""Every format and layer against the framework that wrote the file: the cases of benchmarks/formats.py and of the docs."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

for library in ("torch", "keras", "h5py", "safetensors", "onnx", "flax", "jax"):
    pytest.importorskip(library)

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
import formats  # noqa: E402

CASES = list(formats.cases())


@pytest.mark.parametrize("one", CASES, ids=[f"{one.framework} {one.format}: {one.layer}" for one in CASES])
@pytest.mark.filterwarnings("ignore")  # of the frameworks, about their own older formats
def test_states_and_jacobians_are_those_of_the_framework(one):
    """What is read steps as its framework does, and its Jacobian is that of automatic differentiation, in float64."""
    step, slope = formats.measured(one)
    # sums of ten products of numbers of order one in another order, six steps: rounding leaves 1e-15 to 1e-14
    assert step <= 1e-12
    assert np.isnan(slope) or slope <= 1e-12


def test_the_tables_in_the_docs_have_these_rows():
    number = r"\d[\d.e+-]*(, \d[\d.e+-]*)?"
    shown = formats.PAGE.read_text(encoding="utf-8").split(formats.BEGIN)[1].split(formats.END)[0]
    rows = formats.tables([(one, 0.0, 0.0) for one in CASES])
    assert re.sub(number, "0", shown).strip() == re.sub(number, "0", rows)  # python benchmarks/formats.py --write
