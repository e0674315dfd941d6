"""Kernels run without numba once they were compiled, and say what numba's own functions say."""

import os
import subprocess
import sys
from types import ModuleType

import pytest

from gating_theory.support.kept import DIRECTORY_VARIABLE
from gating_theory.support.kernels import load_runtime

MODULE = """
import numpy as np
from gating_theory.support.kernels import kernel

SCALE = 2.0

@kernel(nogil=True)
def doubled(x):
    return SCALE * x

@kernel(error_model="numpy")
def sums(x, z, n, flag, out):
    if n < 0:
        raise ValueError("n must not be negative")
    total, table = 0.0, np.empty((n, x.size), dtype=np.complex128)
    for i in range(x.size):
        total += doubled(x[i])
        out[i] = n * x[i]
        for k in range(n):
            table[k, i] = z * x[i] + k
    return total, table, n + 1, flag, out
"""

CODE = """
import sys
from pathlib import Path
sys.path.insert(0, {folder!r})
import numpy as np
import some_kernels as k
x, out = np.linspace(0.0, 1.0, 7), np.empty(7)
for a in (x, np.repeat(x, 2)[::2]):
    total, table, m, flag, same = k.sums(a, 1.5 - 2j, 3, True, out)
    assert np.shares_memory(same, out) and (m, flag) == (4, True) and abs(total - 7.0) < 1e-14
    np.testing.assert_array_equal(out, 3 * x)
    np.testing.assert_allclose(table, (1.5 - 2j) * x + np.arange(3)[:, None], rtol=1e-15)
try:
    k.sums(x, 1j, -1, False, out)
except ValueError as error:
    assert str(error) == "n must not be negative"
for _ in range(1000):  # what is returned is freed
    k.sums(x, 1j, 10000, False, out)
memory = Path("/proc/self/statm")  # of this process: what the system says of the most that was in use counts its parent's too
pages = int(memory.read_text().split()[1]) if memory.exists() else 0
print("numba" in sys.modules, pages < 2**17)
import numba  # after the parts of it that were loaded before
same = k.sums.compiled(x, 1j, 2, False, out)
np.testing.assert_array_equal(same[1], k.sums(x, 1j, 2, False, out)[1])
"""


def test_the_second_process_needs_no_compiler(tmp_path):
    (tmp_path / "some_kernels.py").write_text(MODULE)
    environment = os.environ | {DIRECTORY_VARIABLE: str(tmp_path / "kept")}

    def run():
        command = [sys.executable, "-c", CODE.format(folder=str(tmp_path))]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert not done.returncode, done.stderr
        return done.stdout.split()

    assert run() == ["True", "True"]
    assert run() == ["False", "True"]  # 1000 results of 1.1 MB each were there


@pytest.fixture
def imported(tmp_path, monkeypatch):
    """The module of a text; its kernels are kept in a directory of this test."""
    monkeypatch.setenv(DIRECTORY_VARIABLE, str(tmp_path / "kept"))

    def module(text, name="again"):
        path, made = tmp_path / f"{name}.py", ModuleType(name)
        path.write_text(text)
        monkeypatch.setitem(sys.modules, name, made)
        exec(compile(text, str(path), "exec"), vars(made))
        return made

    return module


TEXT = "from gating_theory.support.kernels import kernel\nSCALE = 2.0\n@kernel()\ndef scaled(x):\n    return SCALE * x\n"


def test_only_the_same_text_is_the_same_kernel(imported, tmp_path):
    assert imported(TEXT).scaled(3.0) == imported(TEXT).scaled(3.0) == 6.0
    (file,) = tmp_path.glob("kept/*.kept")
    content = file.read_bytes()
    assert imported(TEXT.replace("2.0", "5.0")).scaled(3.0) == 15.0 and len(list(tmp_path.glob("kept/*.kept"))) == 2
    # integers are other types
    assert imported(TEXT).scaled(3) == 6.0 and len(list(tmp_path.glob("kept/*.kept"))) == 3
    for damage in (b"", content[:-1], content[:50] + b"\0" + content[51:]):
        file.write_bytes(damage)
        assert imported(TEXT).scaled(3.0) == 6.0 and file.read_bytes()[:32] != damage[:32]


def test_where_parts_are_missing_numba_calls(imported, tmp_path, monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr("gating_theory.support.kernels.load_library", missing)
    load_runtime.cache_clear()
    try:
        assert imported(TEXT).scaled(3.0) == 6.0
    finally:
        load_runtime.cache_clear()
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(DIRECTORY_VARIABLE, str(tmp_path / "file" / "kept"))
    assert imported(TEXT).scaled(3.0) == 6.0
    with pytest.raises(Exception, match="annot determine Numba type|non-precise|unsupported"):
        imported(TEXT).scaled(object())
