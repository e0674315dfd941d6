"""Sweeps at scale: the same bits from any executor, whoever dies on the way, in one go or resumed after kill -9."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, nullcontext

import numpy as np
import pytest

import gating_theory as gt

ENSEMBLE = gt.Ensemble(gt.GRU, gain={"r": 4.0})
AXES = {"gain.h": np.linspace(1.5, 2.5, 12), "gain.r": np.linspace(0.0, 12.0, 10)}
QUANTITIES = ("count", "moments")


@pytest.fixture(scope="module")
def alone():
    return gt.phase_diagram(ENSEMBLE, AXES, QUANTITIES)


@contextmanager
def dask(workers):
    """A real cluster, each worker in a process of its own, and its executor."""
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(workers, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50)
    with cluster, distributed.Client(cluster) as client, client.get_executor() as executor:
        yield cluster, executor


@contextmanager
def dask_executor():
    with dask(2) as (_, executor):
        yield executor


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of distributed, about sockets and workers that are gone
def test_dask_workers_one_of_which_is_killed(tmp_path, alone):
    """A real cluster: a scheduler here, each worker in a process of its own, one of them gone when half of the points are there."""
    killed = []

    with dask(3) as (cluster, executor):

        def progress(done, total):
            if 2 * done >= total and not killed:
                killed.append(next(nanny.pid for nanny in cluster.workers.values()))
                os.kill(killed[0], signal.SIGKILL)

        journal = tmp_path / "journal"
        data = gt.phase_diagram(ENSEMBLE, AXES, QUANTITIES, executor=executor, progress=progress, journal=journal)
        assert killed and killed[0] not in [nanny.pid for nanny in cluster.workers.values()]
    assert data.drop_attrs().identical(alone.drop_attrs())


def test_other_executors_give_the_same_bits(alone):
    class Later:
        """The least that an executor must have: mpi4py.futures and clusters of all kinds have more."""

        class Future:
            def __init__(self, function, arguments):
                self.call = function, arguments

            def result(self):
                return self.call[0](*self.call[1])

            def cancel(self):
                return False

        def submit(self, function, *arguments):
            return self.Future(function, arguments)

    data = gt.phase_diagram(ENSEMBLE, AXES, QUANTITIES, executor=Later())
    assert data.drop_attrs().identical(alone.drop_attrs())


SCRIPT = """
import numpy as np, gating_theory as gt
if __name__ == "__main__":
    axes = {{"gain.h": np.linspace(1.5, 2.5, 12), "gain.r": np.linspace(0.0, 12.0, 10)}}
    gt.phase_diagram(gt.Ensemble(gt.GRU, gain={{"r": 4.0}}), axes, ("count", "moments"), journal={journal!r})
"""


RESUMED_ON = {"1 process": nullcontext, "2 processes": lambda: ProcessPoolExecutor(2), "Dask": dask_executor}
#: The suite has a cluster above, one of whose workers is lost.
_RESUMED = [pytest.param(pool, marks=pytest.mark.nightly) if pool == "Dask" else pool for pool in RESUMED_ON]


# 200 x 200 points: benchmarks/resume.py
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of distributed, as above
@pytest.mark.parametrize("pool", _RESUMED)
def test_killed_at_two_fifths_and_resumed(tmp_path, alone, pool):
    """A sweep that was killed goes on from its journal on any executor, with the same bits."""
    journal = tmp_path / "journal"
    (tmp_path / "work.py").write_text(SCRIPT.format(journal=str(journal)))
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    process = subprocess.Popen([sys.executable, str(tmp_path / "work.py")], env=environment)
    patience = time.monotonic() + 300
    # 120 points in pieces of 2: a header line, then one line a piece
    while not journal.exists() or journal.read_bytes().count(b"\n") < 1 + 0.4 * 60:
        assert process.poll() is None and time.monotonic() < patience
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    held = journal.read_bytes().count(b"\n") - 1
    told = []
    with RESUMED_ON[pool]() as executor:
        data = gt.phase_diagram(
            ENSEMBLE, AXES, QUANTITIES, executor=executor, journal=journal, progress=lambda done, total: told.append(done)
        )
    pieces = len(told)
    assert 0.4 * pieces <= held < pieces and journal.read_bytes().count(b"\n") - 1 == pieces
    assert data.drop_attrs().identical(alone.drop_attrs())
