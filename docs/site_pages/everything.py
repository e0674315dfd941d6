"""All pages that are made."""

from . import cells, explorer, gallery, notes, reference
from .places import Writer

__all__ = ["write"]


def write():
    writer = Writer()
    notes.write(writer)
    reference.write(writer)
    cells.write(writer)
    gallery.write(writer)
    explorer.write(writer)
    writer.tidy()
