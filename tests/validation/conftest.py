"""A small validation, and small phase diagrams, made once for all tests of this folder."""

import pytest

from gating_theory.validation.comparison import CASES, validate
from gating_theory.validation.report import diagrams


@pytest.fixture(scope="session")
def small():
    cases = [case for case in CASES if case.name in ("GRU zero state", "GRU upper branch")]
    return validate(cases=cases, n_units=120, n_networks=2, rng=1)


@pytest.fixture(scope="session")
def datasets():
    return diagrams(("GRU",), points=4)
