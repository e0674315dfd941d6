"""``python -m gating_theory`` is ``gating-theory``."""

import sys

from .cli.command import main

if __name__ == "__main__":
    sys.exit(main())
