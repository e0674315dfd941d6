"""A terminal of a test's own."""

import os
import subprocess
import sys

import pytest


@pytest.fixture
def on_a_terminal():
    """``on_a_terminal(code, answer)``: what a new process of Python writes to standard error, which is a terminal.

    Once a whole line was read there ``answer`` is written to its standard input; without one it is not waited for.
    """
    pty = pytest.importorskip("pty")  # not on Windows

    def run(code, answer=None):
        mine, theirs = pty.openpty()
        work = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=theirs)
        os.close(theirs)
        text = b""
        while answer is not None and b"\n" not in text:
            text += os.read(mine, 1000)
        work.communicate(answer)
        assert work.returncode == 0
        try:
            while more := os.read(mine, 1000):
                text += more
        except OSError:  # how a terminal says that nobody writes any more
            pass
        os.close(mine)
        return text.decode()

    return run
