"""Hypothesis profiles: no deadlines (the machines are shared), the same examples every time in CI."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("default", deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("default"), derandomize=True, database=None, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")

_HERE = Path(__file__).parent
#: Folders whose tests share what takes long to make, symbolic results or compiled kernels: one worker runs them all, and those of
#: the folders in them.
_TOGETHER = {"derivations", "flow", "validation"}


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items):
    for item in items:
        folder = item.path.relative_to(_HERE).parts[0]
        if folder in _TOGETHER:
            item.add_marker(pytest.mark.xdist_group(folder))


@pytest.fixture(autouse=True)
def subnormal_numbers_stay():
    """A library that flushes subnormal numbers to zero does so for the whole thread: not beyond the test that calls it."""
    yield
    assert sys.float_info.min / 2 > 0


@pytest.fixture(autouse=True)
def own_quantities_go():
    """What a test registers for phase diagrams goes with it."""
    yield
    registry = sys.modules.get("gating_theory.sweeps.quantities")
    for name in [n for n in registry.QUANTITIES if not registry.is_built_in(n)] if registry else []:
        del registry.QUANTITIES[name]
