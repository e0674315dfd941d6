"""Turns: others wait for a process that lives, and not for one that does not."""

import os
import subprocess
import sys
import threading
import time

import pytest

from gating_theory.support.files import machine_name
from gating_theory.support.turns import turn


@pytest.fixture
def path(tmp_path):
    return tmp_path / "below" / "work.turn"


def test_whose_turn_it_is(path):
    with turn(path):
        assert path.read_text() == f"{machine_name()} {os.getpid()}"
    assert not path.exists()
    with pytest.raises(ZeroDivisionError):
        with turn(path):
            raise ZeroDivisionError
    assert not path.exists(), "an error ends a turn too"


@pytest.mark.skipif(os.name != "posix", reason="elsewhere a process cannot be asked for, and age decides")
def test_a_dead_process_is_not_waited_for(path):
    gone = subprocess.Popen([sys.executable, "-c", "pass"])
    gone.wait()
    path.parent.mkdir()
    path.write_text(f"{machine_name()} {gone.pid}")
    with turn(path):
        assert path.read_text().endswith(str(os.getpid()))
    assert not path.exists()


@pytest.mark.skipif(os.name != "posix", reason="elsewhere a process cannot be asked for, and age decides")
def test_a_living_one_is(path):
    """Another process has the turn until it ends."""
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    path.parent.mkdir()
    path.write_text(f"{machine_name()} {other.pid}")
    had = []

    def wait():
        with turn(path):
            had.append(other.poll())

    waiting = threading.Thread(target=wait)
    waiting.start()
    waiting.join(0.3)
    assert waiting.is_alive() and path.read_text().endswith(str(other.pid))
    other.communicate(b"\n")  # it ends without ending its turn
    waiting.join()
    assert had == [0] and not path.exists()


@pytest.mark.parametrize("words", ["elsewhere 1", "", "not a turn"])
def test_what_is_old_is_over(path, words):
    """Of another machine, or damaged: nobody can ask whether its process lives."""
    path.parent.mkdir()
    path.write_text(words)
    hour_ago = time.time() - 3600.0
    os.utime(path, (hour_ago, hour_ago))
    with turn(path):
        assert path.read_text().endswith(str(os.getpid()))


def test_a_turn_that_was_taken_away_is_left_to_who_has_it(path):
    with turn(path):
        path.write_text("elsewhere 1")
    assert path.read_text() == "elsewhere 1"


def test_no_place_for_the_file(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "work.turn", tmp_path / "file" / "below" / "work.turn"):
        with turn(path):
            assert not path.exists()
