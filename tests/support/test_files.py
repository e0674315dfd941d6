"""Files that are there whole or not at all: what a write replaces, what it leaves, and what it clears away."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from gating_theory.support.files import machine_name, process_lives, regular_file, write_atomically


def write(path, text="new", **more):
    write_atomically(path, lambda name: Path(name).write_text(text), **more)


@pytest.fixture(scope="module")
def dead():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize("lasting", [True, False])
def test_what_is_replaced_keeps_its_mode_and_its_links(tmp_path, lasting):
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_text("old")
    file.chmod(0o640)
    link.symlink_to(file)
    write(link, lasting=lasting)
    assert link.is_symlink() and file.read_text() == "new" and stat.S_IMODE(file.stat().st_mode) == 0o640
    assert set(tmp_path.iterdir()) == {file, link}


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path):
    (tmp_path / "file").write_text("old")

    def fail(name):
        Path(name).write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "file", fail)
    assert [p.read_text() for p in tmp_path.iterdir()] == ["old"]


def test_only_leftovers_of_this_machine_s_dead_go(tmp_path, dead):
    def leftover(machine, process):
        return tmp_path / f".gating-theory-{machine}-{process}-0a1b2c3d.tmp"

    gone = leftover(machine_name(), dead)
    kept = [leftover("0" * 8, dead), leftover(machine_name(), os.getpid()), tmp_path / ".gating-theory.tmp"]
    for path in (gone, *kept):
        path.write_text("half")
    write(tmp_path / "file")
    assert set(tmp_path.iterdir()) == {*kept, tmp_path / "file"}


def test_leftovers_that_cannot_be_removed_or_listed_are_no_errors(tmp_path, dead, monkeypatch):
    stays = tmp_path / f".gating-theory-{machine_name()}-{dead}-0a1b2c3d.tmp"
    stays.mkdir()  # as hard to unlink as another user's
    write(tmp_path / "file")
    assert stays.is_dir() and (tmp_path / "file").read_text() == "new"

    def refuse(directory):
        raise PermissionError

    monkeypatch.setattr(os, "listdir", refuse)
    write(tmp_path / "file", "again")
    assert (tmp_path / "file").read_text() == "again"


def test_which_processes_live(dead):
    assert process_lives(os.getpid()) and process_lives(1)
    assert not process_lives(dead) and not process_lives(2**70)


def test_what_is_no_regular_file_is_refused(tmp_path):
    with pytest.raises(IsADirectoryError, match="path must be a file, got the directory"):
        regular_file(tmp_path)
    with pytest.raises(OSError, match="path must be a regular file, got a device, pipe or socket"):
        regular_file(Path(os.devnull))
    with pytest.raises(FileNotFoundError, match="the directory .* does not exist"):
        write(tmp_path / "none" / "file")
