"""Where things stand, and how made pages are written: those that did not change keep their time, those no longer made go."""

from pathlib import Path

__all__ = ["DOCS", "GENERATED", "ROOT", "Writer"]

DOCS = Path(__file__).parents[1]
ROOT = DOCS.parent
GENERATED = DOCS / "generated"


class Writer:
    """Writes files of docs/generated."""

    def __init__(self):
        GENERATED.mkdir(exist_ok=True)
        self.kept = set()

    def text(self, name, lines):
        """A page, of lines or one text."""
        self.bytes(name, (lines if isinstance(lines, str) else "\n".join([*lines, ""])).encode())

    def bytes(self, name, content):
        path = GENERATED / name
        self.kept.add(path)
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)

    def tidy(self):
        """Pages of an earlier build that this one has not made."""
        for path in GENERATED.iterdir():
            if path.is_file() and path not in self.kept:
                path.unlink()
