"""Pages on which one turns a gain and sees what it does: ``gating-theory explore``."""
