"""``python -m gating_theory.cli`` is ``gating-theory``."""

import sys

from .command import main

if __name__ == "__main__":
    sys.exit(main())
