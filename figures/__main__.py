"""``python -m gating_theory.figures`` is ``gating-theory figures``."""

import sys

from gating_theory.cli import main

sys.exit(main(["figures", *sys.argv[1:]]))
