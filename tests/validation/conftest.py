"""A small validation, and small phase diagrams, made once for all tests of this folder."""

import pytest

from gating_theory.validation.cases import CASES
from gating_theory.validation.comparison import validate
from gating_theory.validation.report import diagrams


@pytest.fixture(scope="session")
def small():
    return validate([case for case in CASES if case.name in ("GRU zero state", "GRU upper branch")], 120, 2, 1)


@pytest.fixture(scope="session")
def datasets():
    return diagrams(("GRU",), points=4)
