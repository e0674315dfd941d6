"""One training run of a plain ``torch.nn.GRU`` or ``LSTM``: Adam, clipped gradients, and when the task was learned."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np

from .sequence_tasks import make_task
from .torch_runs import CLIP, fast_torch
from .training_starts import Start

__all__ = ["BATCH", "DONE", "HELD", "HIDDEN", "LEARNED", "RECENT", "Run", "run"]

HIDDEN, BATCH = 64, 32
#: Noisy recall is learned when this share of the answers to the last RECENT batches is right, all of them new; a run ends at DONE.
LEARNED, DONE, RECENT = 0.9, 0.99, 10
#: Clean recall is learned when all symbols are right for so many updates; a run ends then.
HELD = 50


class Run(NamedTuple):
    """Settings of a run, as JSON can hold them; ``recipe`` is that of a :class:`Start`, ``updates`` the largest number of them."""

    task: str
    recipe: list
    rate: float
    eps: float
    updates: int
    seed: int


def run(*settings):
    """Train: {"learned": updates until the task was learned or None, "score": accuracy in the end, "updates": how many there were}.

    The accuracy is that on the last new batches; of clean recall that on all symbols; of digits that on images not trained on.
    """
    asked = Run(*settings)
    task = make_task(asked.task)
    with fast_torch():
        module = Start.of(asked.recipe).module(task.n_in, HIDDEN, asked.seed)
        judge = _judge(asked.task)
        done = _train(module, _readout(task, asked.seed), task, asked, judge)
    return {"learned": judge.learned, "score": judge.score if done is None else done, "updates": judge.seen}


def _readout(task, seed):
    """The same for all starts of a seed."""
    import torch

    torch.manual_seed(1000 + seed)
    return torch.nn.Linear(HIDDEN, task.n_out)


def _train(module, readout, task, asked, judge):
    """Until the judge has seen enough; the score on test data, where the task has such."""
    import torch

    parameters = [*module.parameters(), *readout.parameters()]
    optimiser = torch.optim.Adam(parameters, lr=asked.rate, eps=asked.eps)
    rng = np.random.default_rng(1000 + asked.seed)
    for _ in range(asked.updates):
        x, target = (torch.from_numpy(a) for a in task.batch(rng, BATCH))
        answer = readout(module(x)[0][-1])
        if judge.enough(float((answer.argmax(-1) == target).float().mean())):
            break
        optimiser.zero_grad(set_to_none=True)
        torch.nn.functional.cross_entropy(answer, target).backward()
        torch.nn.utils.clip_grad_norm_(parameters, CLIP)
        optimiser.step()
    if not asked.task.startswith("permuted"):
        return None
    with torch.no_grad():
        x, target = (torch.from_numpy(a) for a in task.test())
        return float((readout(module(x)[0][-1]).argmax(-1) == target).float().mean())


class _Judge:
    """What is seen of accuracies on batches that were not trained on yet."""

    learned, score, seen = None, 0.0, 0

    def enough(self, accuracy):
        """Whether training can end. The batch is that of a network after ``seen`` updates."""
        over = self.look(accuracy)
        self.seen += not over
        return over

    def look(self, accuracy):
        return False


class _Recent(_Judge):
    """Noisy recall: the mean over the last batches."""

    def __init__(self):
        self.last = deque(maxlen=RECENT)

    def look(self, accuracy):
        self.last.append(accuracy)
        self.score = float(np.mean(self.last))
        full = len(self.last) == RECENT
        if full and self.score >= LEARNED and self.learned is None:
            self.learned = self.seen
        return full and self.score >= DONE


class _Held(_Judge):
    """Clean recall: everything right, and so for a while."""

    first = None

    def look(self, accuracy):
        self.score = accuracy
        self.first = None if accuracy < 1.0 else self.seen if self.first is None else self.first
        if self.first is not None and self.seen - self.first >= HELD:
            self.learned = self.first
        return self.learned is not None


def _judge(task):
    return {"noisy": _Recent, "clean": _Held}.get(task.split()[0], _Judge)()
