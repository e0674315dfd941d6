"""Bridges to other libraries, each imported only where it is asked for: ``readers`` asks them, ``torch`` is the one there is."""
