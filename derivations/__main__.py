"""``python -m gating_theory.derivations [name ...]``: print the derivations as Markdown; exit with 1 if a proof fails."""

from __future__ import annotations

import argparse
import sys

from . import derive_all, document, names


def main(argv=None):
    """Print the document to stdout and failing statements to stderr; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m gating_theory.derivations", description="Prove the closed forms of the theory from the cells."
    )
    parser.add_argument("names", nargs="*", metavar="name", help="statements (gru.edge) or groups (gru); default: all")
    parser.add_argument("--list", action="store_true", help="print the names of all statements and stop")
    options = parser.parse_args(argv)
    if options.list:
        print("\n".join(names()))
        return 0
    try:
        results = derive_all(options.names or None)
    except ValueError as error:
        parser.error(str(error))
    print(document(results), end="")
    failed = [result for result in results if not result.proved]
    for result in failed:
        print(f"proof failed: {result.name} ({result.statement.title}): {result.status}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
