"""``gating-theory derive``: derivations from the symbolic cells, proved."""

from __future__ import annotations

import argparse
import json
import sys

from .arguments import cell_of
from .common import directory, write_text

__all__ = ["run"]


def run(options: argparse.Namespace) -> int:
    """Prove or print; the exit code."""
    record: dict[str, object]
    if options.pages is not None and (options.names or options.list or options.cell or options.out or options.json):
        raise ValueError("--pages writes all proofs: it takes neither names nor --list, --cell, --out, --json")
    if options.cell is not None:
        if options.names or options.list:
            raise ValueError("--cell prints a cell: it takes neither names nor --list")
        from ..cell.symbolic import to_latex

        cell = cell_of(options.cell)
        text, record, code = to_latex(cell) + "\n", {"kind": "cell", "cell": cell.name, "latex": to_latex(cell)}, 0
    else:
        import gating_theory.derivations as derivations

        if options.list:
            found = derivations.names()
            text, record, code = "\n".join(found) + "\n", {"kind": "names", "names": list(found)}, 0
        else:
            results = derivations.derive_all(options.names or None)
            failed = [result for result in results if not result.proved]
            text, code = derivations.document(results), 1 if failed else 0
            rows = [{"name": r.name, "title": r.statement.title, "proved": r.proved, "status": str(r.status)} for r in results]
            record = {"kind": "derivations", "results": rows}
            if options.pages is not None and not failed:
                directory(options.pages)
                for name, page in derivations.pages(results).items():
                    write_text(options.pages / name, page)
                text = ""
            for result in failed:
                print(f"gating-theory: proof failed: {result.name}: {result.status}", file=sys.stderr)
    if options.json:
        text = json.dumps(record, indent=1) + "\n"
    if options.out is not None:
        write_text(options.out, text)
    else:
        print(text, end="")
    return code
