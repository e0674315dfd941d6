"""What all tests share.

Hypothesis has no deadlines (the machines are shared), and the same examples every time in CI. At the end of a run stand the tests
that took most processor time, each with what it proves, and the processor time of the whole run.
"""

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
_TOGETHER = {"derivations", "explorer", "flow", "validation", "site"}
#: Files whose tests import other libraries than PyTorch, which take seconds: likewise.
_LIBRARIES = {"test_flax_cells.py", "test_formats.py", "test_keras_files.py", "test_keras_hostile.py", "test_hostile_files.py"}


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items):
    for item in items:
        folder = item.path.relative_to(_HERE).parts[0]
        if folder in _TOGETHER:
            item.add_marker(pytest.mark.xdist_group(folder))
        if item.path.name in _LIBRARIES:
            item.add_marker(pytest.mark.xdist_group("libraries"))


#: How many of the slowest tests are shown, and the seconds below which none is.
_SHOWN, _NOT_SLOW = 10, 0.5
#: {test: (seconds of its processor time, what it proves)} of this run; when a test began.
_taken, _BEGAN = {}, pytest.StashKey()


def _processor_time():
    """Seconds of this process and of those that it started and waited for (on Windows they do not count)."""
    return sum(os.times()[:4])


def _proves(item):
    """The first line that says it: of the test, of its class, or of its module."""
    texts = (part.__doc__ for part in (item.function, item.cls, item.module) if part is not None)
    return next((text.strip().splitlines()[0] for text in texts if text and text.strip()), "")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    item.stash[_BEGAN] = _processor_time()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if call.when == "teardown":  # what is put into a report comes from the workers to who prints
        report.taken = _processor_time() - item.stash[_BEGAN], _proves(item)
    return report


def pytest_runtest_logreport(report):
    if hasattr(report, "taken"):
        _taken[report.nodeid] = report.taken


def pytest_terminal_summary(terminalreporter):
    """The workers have ended by now, so their time is that of processes waited for."""
    slowest = sorted(_taken.items(), key=lambda entry: entry[1][0], reverse=True)[:_SHOWN]
    shown = [(seconds, test, proves) for test, (seconds, proves) in slowest if seconds > _NOT_SLOW]
    terminalreporter.write_sep("=", f"processor time of the run: {_processor_time():.0f} s")
    if shown:
        terminalreporter.write_line("The slowest tests, and what they prove:")
    for seconds, test, proves in shown:
        terminalreporter.write_line(f"{seconds:7.1f} s  {test}\n           {proves}")


@pytest.fixture(scope="session")
def browser():
    """A callable(width=1280, height=900): a new page of a real browser (see ``browser.py``)."""
    from browser import running

    with running() as new_page:
        yield new_page


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
