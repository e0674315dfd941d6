"""The command ``gating-theory``: spectrum, phase-diagram, derive, validate, diagnose, portrait, figures.

Exit codes: 0 all well; 1 a proof or a comparison failed; 2 bad arguments, or a calculation that cannot be done, with one line
that says why; 130 interrupted.
"""

from __future__ import annotations

import sys
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

    try:
        options = parser().parse_args(argv)
        return options.run(options)
    except SystemExit as stop:  # from argparse: --help and errors
        return stop.code if isinstance(stop.code, int) else 2
    except (ValueError, TypeError, RuntimeError, OSError, ImportError) as error:  # RuntimeError: ConvergenceError, a journal in use
        text = " ".join(str(error).split())
        print(f"gating-theory: error: {text}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("gating-theory: interrupted", file=sys.stderr)
        return 130
