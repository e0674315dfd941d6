"""The command ``gating-theory``.

Spectrum, gradients, design, phase-diagram, dmft, chaos, echo, derive, validate, read, diagnose, portrait, figures, explore.

Exit codes: 0 all well; 1 a proof or a comparison failed; 2 bad arguments, or a calculation that cannot be done, with one line
that says why; 130 interrupted, with what a journal holds; 141 the reader of the output has gone. Warnings are one line each.
"""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Sequence

from .arguments import parser

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        Default: the arguments of the process.

    Returns
    -------
    int, the exit code
    """

    _write_all_letters()
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _warn
            options = parser().parse_args(argv)
            code = options.run(options)
        sys.stdout.flush()
        return code
    except SystemExit as stop:  # from argparse: --help and errors
        return stop.code if isinstance(stop.code, int) else 2
    except BrokenPipeError:  # gating-theory ... | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left is not written when the process ends
        return 141
    # RuntimeError: ConvergenceError, a journal in use
    except (ValueError, TypeError, RuntimeError, OSError, ImportError, MemoryError) as error:
        _say(f"error: {_words(error)}")
        return 2
    except KeyboardInterrupt as stop:
        _say(": ".join(["interrupted", *getattr(stop, "__notes__", ())]))
        return 130


def _write_all_letters():
    """Where the terminal's encoding lacks a letter, of a file's name say, its number is written."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors != "backslashreplace":
            stream.reconfigure(errors="backslashreplace")


def _say(text):
    print(f"gating-theory: {' '.join(text.split())}", file=sys.stderr)


def _words(error):
    """The system's errors without their numbers: "x.nc: Permission denied"."""
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{os.fspath(error.filename)}: {error.strerror}"
    return str(error) or type(error).__name__


def _warn(message, category, filename, lineno, file=None, line=None):
    _say(f"warning: {message}")
