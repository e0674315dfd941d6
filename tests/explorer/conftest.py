"""The command ``gating-theory explore`` in a process of its own, for pages that a browser opens."""

import os
import re
import subprocess
import sys

import pytest


def started(*arguments):
    """(process, address of its page) of the command, on a free port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gating_theory", "explore", "--no-browser", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    line = process.stdout.readline()
    found = re.search(r"http://127\.0\.0\.1:\d+/\S*", line)
    assert found, (line, process.stderr.read())
    return process, found[0]


@pytest.fixture(scope="session")
def explorer():
    """The address of the explorer's root, "http://127.0.0.1:PORT/"; one server for all tests of a worker."""
    process, address = started()
    yield address
    process.terminate()
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 0 and "Traceback" not in errors, errors
