"""Worker processes: no more than the machine can use, and none that outlives a killed parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gating_theory.running.workers import allowed_jobs, cores


@pytest.mark.parametrize(
    "jobs, error, words",
    [
        (1000, ValueError, "jobs must be at most .* cores .*got 1000"),
        (10**400, ValueError, "jobs must be at most"),
        (0, ValueError, "jobs must be at least 1"),
        (2.0, TypeError, "jobs must be an integer"),
    ],
)
def test_no_more_workers_than_make_sense(jobs, error, words):
    with pytest.raises(error, match=words):
        allowed_jobs(jobs)


def test_as_many_as_there_are_cores():
    assert 1 <= cores() <= (os.cpu_count() or 1) and allowed_jobs(cores()) == cores()


def test_the_command_line_says_how_many(capsys):
    from gating_theory.cli import main

    assert main(["phase-diagram", "--axis", "gain.h=1,2", "--quantity", "count", "--jobs", "1_000"]) == 2
    words = capsys.readouterr().err
    assert "jobs must be at most" in words and f"{cores()} cores" in words


#: Two workers write down who they are and go on for minutes: of a pool of one's own, or of the command line's.
_WORK = """
import os, sys, time
from concurrent.futures import ProcessPoolExecutor
from gating_theory.running.tasks import run_tasks
from gating_theory.cli.workers import workers

def work(folder, number):
    open(os.path.join(folder, f"{number}-{os.getpid()}"), "w").close()
    time.sleep(300)

if __name__ == "__main__":
    with POOL as pool:
        list(run_tasks(work, [(sys.argv[1], i) for i in range(2)], pool))
"""


def lives(pid):
    """Whether a process runs: neither gone nor dead and not yet collected."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks Linux which processes run")
@pytest.mark.parametrize("pool", ["ProcessPoolExecutor(2)", "workers(2)"])
def test_workers_end_with_a_killed_parent(pool, tmp_path):
    script, folder = tmp_path / "work.py", tmp_path / "workers"
    script.write_text(_WORK.replace("POOL", pool))
    folder.mkdir()
    process = subprocess.Popen([sys.executable, str(script), str(folder)], cwd=Path(__file__).parents[2], start_new_session=True)
    patience = time.monotonic() + 120
    try:
        while len(list(folder.iterdir())) < 2:
            assert process.poll() is None and time.monotonic() < patience
            time.sleep(0.05)
        workers = [int(name.name.partition("-")[2]) for name in folder.iterdir()]
        assert all(map(lives, workers))
        process.kill()
        process.wait()
        while any(map(lives, workers)) and time.monotonic() < patience:
            time.sleep(0.05)
        assert not any(map(lives, workers))
    finally:
        if process.poll() is None:
            process.kill()
        for name in folder.iterdir():
            pid = int(name.name.partition("-")[2])
            if lives(pid):
                os.kill(pid, signal.SIGKILL)
