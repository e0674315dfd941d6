"""Machine code on disk: found again, never run when somebody else wrote it, done without where there is no place for it."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from gating_theory.flow import clear_kernels, kernel_directory
from gating_theory.support.kept import DIRECTORY_VARIABLE
from gating_theory.support.machine_code import jit, machine_code

SOURCE = "def double(x, out):\n    out[0] = 2.0 * x + offset"
SIGNATURE = "void(float64, float64[::1])"


@pytest.fixture
def directory(tmp_path, monkeypatch):
    monkeypatch.setenv(DIRECTORY_VARIABLE, str(tmp_path / "kept"))
    return tmp_path / "kept"


def double(offset=0.0):
    return machine_code("Twice, as much", SOURCE + f"  # {offset}", "double", SIGNATURE, namespace={"offset": offset})


def value(function, x=3.0):
    out = np.zeros(1)
    function(x, out)
    return out[0]


def test_found_again(directory):
    first, second = double(), double()
    assert value(first) == value(second) == 6.0
    assert sum(first.stats.cache_misses.values()) == 1 and sum(second.stats.cache_hits.values()) == 1
    (file,) = directory.glob("twice-as-much-*.py")
    assert "double" in file.read_text()
    # another text is another function
    assert value(double(1.0)) == 7.0 and len(list(directory.glob("*.py"))) == 2


def test_a_file_that_says_something_else_is_replaced_and_not_run(directory):
    double()
    (file,) = directory.glob("*.py")
    good = file.read_bytes()
    file.write_text("raise SystemExit('run')\n")
    assert value(double()) == 6.0 and file.read_bytes() == good


@pytest.mark.parametrize("ending", [".nbi", ".nbc"])
@pytest.mark.parametrize("damage", [b"", b"\x80\x05garbage"])
def test_damaged_machine_code_is_compiled_again(directory, ending, damage):
    double()
    (file,) = directory.glob(f"__pycache__/*{ending}")
    file.write_bytes(damage)
    assert value(double()) == 6.0
    again = double()
    assert value(again) == 6.0
    # the damaged files were removed: the one after that compiles into the empty place, and the next finds it
    double()
    assert sum(double().stats.cache_hits.values()) == 1


def test_no_place_for_it(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(DIRECTORY_VARIABLE, str(tmp_path / "file" / "kept"))
    assert value(double()) == 6.0
    # a function that comes from no file: numba has no place for it either
    namespace = {}
    exec("def triple(x): return 3.0 * x", namespace)
    assert jit(nogil=True)(namespace["triple"])(2.0) == 6.0


def test_the_oldest_go(directory):
    directory.mkdir()
    for name, age in (("old", 9e9), ("new", 0.0)):
        file = directory / f"{name}-{'0' * 20}.py"
        with open(file, "wb") as opened:
            opened.truncate(150 * 2**20)  # holes: nothing is written
        os.utime(file, (file.stat().st_atime - age, 0.0))
    (directory / "notes.txt").write_text("of somebody else")
    double()
    left = sorted(f.name[:5] for f in directory.iterdir() if f.is_file())
    assert left == ["new-0", "notes", "twice"]


def test_clear(directory):
    assert kernel_directory() == directory and clear_kernels() == 0
    function = double()
    assert clear_kernels() == 3 and not list(directory.rglob("*.n*")) and not list(directory.glob("*.py"))
    assert value(function) == 6.0 and value(double()) == 6.0


def test_where_it_is(tmp_path):
    """numba's own variable, and the directory of the user, in processes that read them."""
    code = "import gating_theory as gt; print(gt.flow.kernel_directory())"
    environment = {k: v for k, v in os.environ.items() if k not in (DIRECTORY_VARIABLE, "NUMBA_CACHE_DIR", "XDG_CACHE_HOME")}

    def place(**more):
        done = subprocess.run([sys.executable, "-c", code], env=environment | more, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    assert place(NUMBA_CACHE_DIR=str(tmp_path)) == str(tmp_path / "gating_theory")
    assert place(NUMBA_CACHE_DIR=str(tmp_path), GATING_THEORY_CACHE_DIR=str(tmp_path / "own")) == str(tmp_path / "own")
    if sys.platform.startswith("linux"):
        assert place(XDG_CACHE_HOME=str(tmp_path)) == str(tmp_path / "gating_theory")


def test_threads(directory):
    values, start = [], threading.Barrier(4)

    def work():
        start.wait()
        values.append(value(double(5.0)))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert values == [11.0] * 4


_TWICE = """
import sys
import numpy as np
from gating_theory.support import notices
from gating_theory.support.machine_code import machine_code
notices.PATIENCE = 0.0
function = machine_code("Twice", "def double(x, out):\\n    out[0] = 2.0 * x", "double", "void(float64, float64[::1])", of="pairs")
out = np.zeros(1)
function(3.0, out)
print(out[0], sum(function.stats.cache_hits.values()), sum(function.stats.cache_misses.values()))
"""


def test_one_process_compiles_and_the_others_wait(directory):
    """Started together with an empty directory, whoever comes first."""
    both = [subprocess.Popen([sys.executable, "-c", _TWICE], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert sorted(work.communicate()[0].split() for work in both) == [["6.0", "0", "1"], ["6.0", "1", "0"]]
    assert not list(directory.rglob("*.turn"))


def test_a_terminal_is_told_once(directory, on_a_terminal):
    assert on_a_terminal(_TWICE) == "\rgating_theory: compiling the kernels of pairs (once per machine) ...\r\n"
    assert on_a_terminal(_TWICE) == "", "found"


def test_an_error_ends_the_turn(directory):
    with pytest.raises(Exception, match="nothing"):
        machine_code("Wrong", "def wrong(x):\n    return nothing(x)", "wrong", "float64(float64)")
    assert list(directory.glob("wrong-*.py")) and not list(directory.rglob("*.turn"))


def test_kernels_of_modules_are_kept_in_the_directory_of_the_user(directory, tmp_path):
    """Nothing is written beside a module: a package may be installed where many read and nobody writes."""
    module = tmp_path / "package" / "kernels.py"
    module.parent.mkdir()
    module.write_text("def triple(x):\n    return 3.0 * x\n")
    before = sorted(module.parent.rglob("*"))
    for hits in (0, 1):
        namespace = {"__name__": "kernels"}
        exec(compile(module.read_text(), module, "exec"), namespace)
        triple = jit(nogil=True)(namespace["triple"])
        assert triple(2.0) == 6.0 and sum(triple.stats.cache_hits.values()) == hits
    assert sorted(module.parent.rglob("*")) == before
    assert len(list(directory.rglob("package-kernels-*.nbi"))) == 1
