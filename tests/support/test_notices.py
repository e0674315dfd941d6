"""What takes long is said once on a terminal, and nowhere else."""

import subprocess
import sys

_CODE = """
import sys
from gating_theory.support.notices import notice
with notice("short work"):
    pass
for _ in range(2):
    with notice("long work"), notice("long work"):
        input()
"""


def test_once_on_a_terminal(on_a_terminal):
    assert on_a_terminal(_CODE, b"\n\n") == "\rgating_theory: long work\r\n"


def test_never_elsewhere():
    code = (
        "import gating_theory.support.notices as n\nn.PATIENCE = 0.0\nwith n.notice('work'): pass\nimport sys\nsys.stderr = None\n"
    )
    done = subprocess.run([sys.executable, "-c", code + "with n.notice('work'): pass"], capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
