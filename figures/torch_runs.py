"""Runs of PyTorch in figures: one thread, and modules trained one by one with their weights kept on the way."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np

__all__ = ["OPTIMISERS", "fast_torch", "module_for", "score", "trained"]

#: Name -> class in torch.optim and its arguments.
OPTIMISERS = {
    "Adam": ("Adam", {"lr": 3e-3}),
    "RMSprop": ("RMSprop", {"lr": 2e-3}),
    "SGD": ("SGD", {"lr": 0.2, "momentum": 0.9}),
}
BATCH, CLIP = 32, 1.0


@contextmanager
def fast_torch():
    """One thread; subnormal numbers are zero: gradients that vanished over many steps cost a hundred times more otherwise.

    Both are states of the whole thread, and numpy's sums and Python's comparisons obey the second one: undone afterwards.
    """
    import torch

    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(n_threads)


def module_for(cell, hidden, task, gain, seed):
    """(torch.nn.GRU or LSTM, its linear readout): PyTorch's weights, but recurrent ones normal of a ``gain`` where one is given."""
    import torch

    torch.manual_seed(seed)
    module, readout = getattr(torch.nn, cell)(task.n_in, hidden), torch.nn.Linear(hidden, task.n_out)
    if gain is not None:
        torch.nn.init.normal_(module.weight_hh_l0, std=gain / np.sqrt(hidden))
    return module, readout


def trained(module, readout, task, optimiser, n_updates, seed, kept=()):
    """Train in place, batches and all by ``seed``; the module's weights after so many updates each, {updates: state dict}."""
    import torch

    parameters = [*module.parameters(), *readout.parameters()]
    name, options = OPTIMISERS[optimiser]
    step, rng, checkpoints = getattr(torch.optim, name)(parameters, **options), np.random.default_rng(1000 + seed), {}
    with fast_torch():
        for update in range(n_updates + 1):
            if update in kept:
                checkpoints[update] = {key: value.detach().clone() for key, value in module.state_dict().items()}
            if update == n_updates:
                break
            x, target = (torch.from_numpy(a) for a in task.batch(rng, BATCH))
            step.zero_grad(set_to_none=True)
            _loss(_answers(module, readout, task, x), target).backward()
            torch.nn.utils.clip_grad_norm_(parameters, CLIP)
            step.step()
    return checkpoints


def score(module, readout, task):
    """On test data: accuracy, or the share of variance explained."""
    import torch

    with torch.no_grad(), fast_torch():
        x, target = (torch.from_numpy(a) for a in task.test())
        answer = _answers(module, readout, task, x)
        if target.dtype == torch.int64:
            return float((answer.argmax(-1) == target).float().mean())
        return max(0.0, 1.0 - float(((answer - target.reshape(answer.shape)) ** 2).mean() / target.var()))


def _answers(module, readout, task, x):
    states = module(x)[0]
    return readout(states if task.every_step else states[-1])


def _loss(answer, target):
    import torch

    if target.dtype == torch.int64:
        return torch.nn.functional.cross_entropy(answer, target)
    return ((answer - target.reshape(answer.shape)) ** 2).mean()
