"""What a figure computes with: an executor, progress, and journals of what is finished."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import gating_theory as gt
from gating_theory.running.tasks import collect

__all__ = ["Work"]


@dataclass
class Work:
    """Runs the pieces of one figure.

    Parameters
    ----------
    executor : concurrent.futures.Executor, optional
    progress : callable(done, total), optional
    journals : path, optional
        How names of files for finished pieces begin: work that was killed goes on from them. Each phase diagram has one, and each
        call of ``over`` that asks for it; they are numbered in the order of these calls, which must not depend on chance.
    """

    executor: object = None
    progress: object = None
    journals: Path | None = None
    _number: count = field(default_factory=count, repr=False)

    def over(self, function, tasks, kept=None):
        """Results of function(*task) in order.

        With ``kept``, all that they depend on as JSON can hold it, they are kept in a journal and come back as JSON gives them.
        """
        options = {} if kept is None else {"journal": self._journal(), "work": kept}
        return collect(function, tasks, [1] * len(tasks), "task", executor=self.executor, progress=self.progress, **options)

    def phase_diagram(self, ensemble, axes, quantities, **options):
        """``gt.phase_diagram``."""
        options |= {"executor": self.executor, "progress": self.progress, "journal": self._journal()}
        return gt.phase_diagram(ensemble, axes, quantities, **options)

    def clear(self):
        """Remove the journals: what they hold is saved."""
        if self.journals is not None:
            for path in self.journals.parent.glob(f"{self.journals.name}*.journal"):
                path.unlink()

    def _journal(self):
        return None if self.journals is None else self.journals.with_name(f"{self.journals.name}{next(self._number)}.journal")
