"""One training run of a plain ``torch.nn.GRU`` or ``LSTM``: Adam, clipped gradients, and when the task was learned."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np

from .sequence_tasks import make_task
from .torch_runs import CLIP, fast_torch
from .training_starts import Start

__all__ = ["BATCH", "DONE", "HELD", "HIDDEN", "LEARNED", "RECENT", "Held", "Judge", "Recent", "Run", "run"]

HIDDEN, BATCH = 64, 32
#: Noisy recall is learned when this share of the answers to the last RECENT batches is right, all of them new; a run ends at DONE.
LEARNED, DONE, RECENT = 0.9, 0.99, 10
#: Clean recall is learned when all symbols are right for so many updates; a run ends then.
HELD = 50


class Run(NamedTuple):
    """Settings of a run, as JSON can hold them.

    ``recipe`` is that of a :class:`Start`, ``updates`` the largest number of them, ``double`` whether in double precision.
    """

    task: str
    recipe: list
    rate: float
    eps: float
    updates: int
    seed: int
    double: bool = False


def run(*settings):
    """Train: {"learned": updates until the task was learned or None, "score": accuracy in the end, "updates": how many there were}.

    The accuracy of noisy recall is that on the last new batches, of clean recall that on all there is, of digits that on images not
    trained on. The numbers of updates of the first two are those before the accuracy was measured.
    """
    asked = Run(*settings)
    task, kind = make_task(asked.task), asked.task.split()[0]
    judge = {"noisy": Recent, "clean": Held}.get(kind, Judge)()
    with fast_torch():
        module = Start.of(asked.recipe).module(task.n_in, HIDDEN, asked.seed)
        readout = _readout(task, asked.seed)
        if asked.double:
            module, readout = module.double(), readout.double()
        updates = _train(module, readout, task, asked, judge)
        score = judge.score if kind in ("noisy", "clean") else _tested(module, readout, task)
    return {"learned": judge.learned, "score": score, "updates": updates}


def _readout(task, seed):
    """The same for all starts of a seed."""
    import torch

    torch.manual_seed(1000 + seed)
    return torch.nn.Linear(HIDDEN, task.n_out)


def _train(module, readout, task, asked, judge):
    """How many updates there were before the judge had seen enough."""
    import torch

    parameters = [*module.parameters(), *readout.parameters()]
    optimiser = torch.optim.Adam(parameters, lr=asked.rate, eps=asked.eps)
    rng = np.random.default_rng(1000 + asked.seed)
    for update in range(asked.updates):
        x, target = (torch.from_numpy(a) for a in task.batch(rng, BATCH))
        x = x.to(readout.weight.dtype)
        answer = readout(module(x)[0][-1])
        if judge.has_seen_enough(update, float((answer.argmax(-1) == target).float().mean())):
            return update
        optimiser.zero_grad(set_to_none=True)
        torch.nn.functional.cross_entropy(answer, target).backward()
        torch.nn.utils.clip_grad_norm_(parameters, CLIP)
        optimiser.step()
    return asked.updates


def _tested(module, readout, task):
    import torch

    with torch.no_grad():
        x, target = (torch.from_numpy(a) for a in task.test())
        return float((readout(module(x)[0][-1]).argmax(-1) == target).float().mean())


class Judge:
    """Sees accuracies on batches before they are trained on, and says when the task was learned; this one never."""

    learned, score = None, 0.0

    def has_seen_enough(self, update, accuracy):
        """Whether training can end, with the accuracy after ``update`` updates."""
        return False


class Recent(Judge):
    """Noisy recall: the mean over the last batches."""

    def __init__(self):
        self.last = deque(maxlen=RECENT)

    def has_seen_enough(self, update, accuracy):
        self.last.append(accuracy)
        self.score = float(np.mean(self.last))
        full = len(self.last) == RECENT
        if full and self.score >= LEARNED and self.learned is None:
            self.learned = update
        return full and self.score >= DONE


class Held(Judge):
    """Clean recall: everything right, and so for a while; learned is the first update of it."""

    first = None

    def has_seen_enough(self, update, accuracy):
        self.score = accuracy
        if accuracy < 1.0:
            self.first = None
        elif self.first is None:
            self.first = update
        if self.first is not None and update - self.first >= HELD:
            self.learned = self.first
        return self.learned is not None
