"""``gating-theory explore``: what it says, and that nothing of it stays."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from conftest import started

from gating_theory.cli import main


@pytest.fixture
def refused(capsys):
    """``refused("--port", 5)`` gives the one line that the command says when it cannot start."""

    def run(*arguments):
        assert main(["explore", "--no-browser", *map(str, arguments)]) == 2
        out, errors = capsys.readouterr()
        assert not out and errors.count("\n") == 1
        return errors

    return run


def children(pid):
    """The processes that a process has started."""
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True)
    return [int(text) for text in listed.stdout.split()]


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_taken_port_is_named(refused):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"port {port} is taken: choose another one with --port, or --port 0 for a free one" in refused("--port", port)


@pytest.mark.parametrize("port, words", [("70000", "[0, 65535], got 70000"), ("-1", "at least 0"), ("http", "whole number")])
def test_a_bad_port_is_named(refused, port, words):
    assert words in refused("--port", port)


def test_without_bokeh_it_says_how_to_install_it(refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "bokeh.server.server", None)
    assert "pip install 'gating-theory[explore]'" in refused()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_running(number):
    """After a Ctrl-C the command ends with 0 and without a word; even if it is killed its processes end."""
    process, address = started("--flow")
    assert address.endswith("/flow")
    with urllib.request.urlopen(address) as page:
        assert b"gating_theory explorer" in page.read()
    end = time.monotonic() + 30
    while len(found := children(process.pid)) < 3 and time.monotonic() < end:
        time.sleep(0.1)
    assert len(found) >= 3
    process.send_signal(number)
    out, errors = process.communicate(timeout=30)
    if number == signal.SIGINT:
        assert (process.returncode, out, errors) == (0, "", "")
    while any(map(alive, found)) and time.monotonic() < end + 30:
        time.sleep(0.1)
    assert not any(map(alive, found))
