"""The command line as a function."""

import pytest

from gating_theory.cli import main


@pytest.fixture
def command(capsys):
    """``command("spectrum", "--tau", 20)`` gives (exit code, stdout, stderr)."""

    def run(*arguments):
        code = main([str(a) for a in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run
