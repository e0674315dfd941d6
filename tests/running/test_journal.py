"""Work that is killed goes on where it stopped, and never with other parameters."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress

import numpy as np
import pytest

import gating_theory as gt
from gating_theory.running.journal import Journal
from gating_theory.running.tasks import run_tasks

GRU = gt.Ensemble(gt.GRU, gain={"r": 4.0})


def test_pieces_come_back(tmp_path):
    path = tmp_path / "journal"
    values = [(1, "a"), {"x": np.array([1.0, np.nan, -np.inf, 1 / 3])}, np.float64(0.1), None, [True, 2**62]]
    with Journal(path, {"a": 1}) as journal:
        seen = [journal.record(i, value) for i, value in enumerate(values)]
    with Journal(path, {"a": 1}) as journal:
        assert repr(journal.pieces) == repr(dict(enumerate(seen)))
    assert repr(seen) == repr(values)  # equal to what was recorded, types and all


def test_flipped_bits_are_noticed(tmp_path):
    path, pieces = tmp_path / "journal", {0: [1.5, "a"], 1: np.array([0.25, np.nan])}
    with Journal(path, {"n": 3}) as journal:
        for number, value in pieces.items():
            journal.record(number, value)
    whole, seen = path.read_bytes(), set()
    for place in range(len(whole)):
        for bit in range(8):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << bit)]) + whole[place + 1 :])
            try:
                with Journal(path, {"n": 3}) as journal:
                    left = journal.pieces
            except ValueError as error:
                assert str(path) in str(error)
                seen.add(str(error).partition(str(path))[2][:20])
            else:  # a blank that became another one
                assert repr(left) == repr(pieces)
    assert {", line 1, is damaged", ", line 2, is damaged", ", line 3, is damaged"} <= seen
    path.write_bytes(whole.replace(b"1.5", b"2.5"))
    with pytest.raises(ValueError, match="line 2, is damaged: its checksum does not match"):
        Journal(path, {"n": 3})


def test_journals_of_earlier_versions_are_refused(tmp_path):
    path = tmp_path / "journal"
    path.write_text('{"format": "gating_theory journal", "gating_theory": "0.1.0", "description": {}}\n[0, 1.0]\n')
    with pytest.raises(ValueError, match="earlier development version"):
        Journal(path, {})


def test_only_files_are_journals(tmp_path):
    with pytest.raises(OSError, match="path must be a regular file"):
        Journal("/dev/null", {})
    (tmp_path / "link").symlink_to(tmp_path / "journal")
    with Journal(tmp_path / "link", {}) as journal:
        journal.record(0, 1)
    assert (tmp_path / "link").is_symlink() and not (tmp_path / "journal").is_symlink()
    with Journal(tmp_path / "journal", {}) as journal:
        assert journal.pieces == {0: 1}


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_a_line_cut_short_is_dropped(tmp_path, cut):
    path = tmp_path / "journal"
    with Journal(path, {}) as journal:
        journal.record(0, "whole")
        length = path.stat().st_size
        journal.record(1, "x" * 40)
    with open(path, "rb+") as file:
        file.truncate(length + cut)
    with Journal(path, {}) as journal:
        assert journal.pieces == {0: "whole"}
        journal.record(1, "again")
    with Journal(path, {}) as journal:
        assert journal.pieces == {0: "whole", 1: "again"}


def test_other_work_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "journal"
    Journal(path, {"ensemble": {"gain": {"h": 2.0}}, "n": 3}).close()
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"journal holds other work: description.ensemble.gain.h was 2.0 and is 2.5"):
        Journal(path, {"ensemble": {"gain": {"h": 2.5}}, "n": 3})
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"\n", b"hello\n", b'{"format": 1}\n', b"\x89HDF"])
def test_other_files_are_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="file is not a journal"):
        Journal(path, {})
    assert path.read_bytes() == content


def test_one_process_at_a_time(tmp_path):
    pytest.importorskip("fcntl")
    with Journal(tmp_path / "journal", {}):
        with pytest.raises(RuntimeError, match="in use"):
            Journal(tmp_path / "journal", {})
    Journal(tmp_path / "journal", {}).close()
    script = f"from gating_theory.running.journal import Journal; Journal({str(tmp_path / 'journal')!r}, {{}})"
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    with Journal(tmp_path / "journal", {}):
        done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert done.returncode == 1 and "in use by another process" in done.stderr


def test_no_directory(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        Journal(tmp_path / "nowhere" / "journal", {})


def test_only_what_is_missing_is_computed(tmp_path):
    calls = []

    def square(i):
        calls.append(i)
        return i * i

    tasks = [(i,) for i in range(6)]
    with Journal(tmp_path / "journal", {}) as journal:
        results = run_tasks(square, tasks, journal=journal)
        assert [next(results) for _ in range(3)] == [(0, 0), (1, 1), (2, 4)]
        results.close()
    with Journal(tmp_path / "journal", {}) as journal:
        assert dict(run_tasks(square, tasks, journal=journal)) == {i: i * i for i in range(6)}
    assert calls == [0, 1, 2, 3, 4, 5]


AXES = {"gain.h": np.linspace(1.5, 2.5, 20), "gain.r": np.linspace(0.0, 12.0, 6)}
QUANTITIES = ("count", "moments", "abscissa", "onset:gain.h")


@pytest.mark.slow
def test_a_killed_phase_diagram_goes_on(tmp_path):
    """What a killed sweep had written is not computed again, and the rest is as without a journal."""
    path, jobs = tmp_path / "journal", 2
    script = f"""
import numpy as np, gating_theory as gt
from concurrent.futures import ProcessPoolExecutor
if __name__ == "__main__":
    axes = {{"gain.h": np.linspace(1.5, 2.5, 20), "gain.r": np.linspace(0.0, 12.0, 6)}}
    with ProcessPoolExecutor({jobs}) as executor:
        ens = gt.Ensemble(gt.GRU, gain={{"r": 4.0}})
        gt.phase_diagram(ens, axes, {QUANTITIES}, journal={str(path)!r}, executor=executor)
"""
    (tmp_path / "work.py").write_text(script)
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    process = subprocess.Popen([sys.executable, str(tmp_path / "work.py")], env=environment, start_new_session=True)
    try:
        patience = time.monotonic() + 300
        while not path.exists() or path.read_bytes().count(b"\n") < 4:  # the header and three pieces
            assert process.poll() is None and time.monotonic() < patience
            time.sleep(0.01)
    finally:
        process.kill()  # the workers are left behind
        process.wait()
    # every whole line but the header is a piece, and no piece is computed twice
    held = path.read_bytes().count(b"\n") - 1
    told = []
    try:
        data = gt.phase_diagram(GRU, AXES, QUANTITIES, journal=path, progress=lambda done, total: told.append(done))
    finally:
        with suppress(ProcessLookupError):  # the workers have ended with it
            os.killpg(process.pid, signal.SIGKILL)
    total = path.read_bytes().count(b"\n") - 1
    assert 3 <= held < total == len(told)
    fresh = gt.phase_diagram(GRU, AXES, QUANTITIES)
    assert data.drop_attrs().identical(fresh.drop_attrs())
    # other parameters are refused
    with pytest.raises(ValueError, match="holds other work: description.ensemble.gain.r was 4.0 and is 5.0"):
        gt.phase_diagram(GRU.replace({"gain.r": 5.0}), AXES, QUANTITIES, journal=path)
    with pytest.raises(ValueError, match="holds other work: description.axes"):
        gt.phase_diagram(GRU, {**AXES, "gain.r": [0.0, 1.0]}, QUANTITIES, journal=path)
    with pytest.raises(ValueError, match="holds other work: description.jobs"):
        gt.phase_diagram(GRU, AXES, ("count",), journal=path)


def _die_once(marker, i):
    """Kill the worker process that gets here first."""
    if i == 3 and not os.path.exists(marker):
        open(marker, "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    return i * i


def test_a_lost_worker(tmp_path):
    tasks = [(str(tmp_path / "marker"), i) for i in range(8)]
    with ProcessPoolExecutor(2) as executor, Journal(tmp_path / "journal", {}) as journal:
        with pytest.warns(RuntimeWarning, match="the workers are lost"):
            assert dict(run_tasks(_die_once, tasks, executor, journal)) == {i: i * i for i in range(8)}
        assert journal.pieces == {i: i * i for i in range(8)}
