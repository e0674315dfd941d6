"""Small networks trained for the tests: three tasks, GRU and LSTM, the weights before training kept."""

from functools import cache

import numpy as np
import torch


def flip_flop(generator, n_sequences, n_steps=40):
    """Two bits: pulses of +-1 set them, and their values are wanted at all later times."""
    shape = (n_steps, n_sequences, 2)
    signs = torch.sign(torch.rand(shape, generator=generator) - 0.5)
    pulses = torch.where(torch.rand(shape, generator=generator) < 0.1, signs, 0.0)
    pulses[0] = signs[0]
    bits = [pulses[0]]
    for row in pulses[1:]:
        bits.append(torch.where(row != 0, row, bits[-1]))
    return pulses, torch.stack(bits)


def sines(generator, n_sequences, n_steps=60):
    """One of five frequencies as a constant input, a sine of that frequency wanted."""
    which = torch.randint(0, 5, (n_sequences,), generator=generator)
    frequency = 0.1 + 0.1 * which
    times = torch.arange(n_steps)[:, None]
    x = (frequency - 0.3).expand(n_steps, -1)[..., None] * 2.0
    return x.contiguous(), torch.sin(times * frequency)[..., None]


TASKS = {"flip-flop": (flip_flop, 2, 2), "sines": (sines, 1, 1)}


@cache
def trained(kind, task, hidden=48, updates=400, seed=0, gain=None):
    """A module, its state dict before training, inputs (T, B, I) that it was made for, and its last loss."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed + 1)
    sample, n_in, n_out = TASKS[task]
    rnn, head = getattr(torch.nn, kind)(n_in, hidden), torch.nn.Linear(hidden, n_out)
    if gain is not None:
        torch.nn.init.normal_(rnn.weight_hh_l0, std=gain / np.sqrt(hidden))
    initial = {name: value.clone() for name, value in rnn.state_dict().items()}
    parameters = [*rnn.parameters(), *head.parameters()]
    optimiser = torch.optim.Adam(parameters, lr=5e-3)
    for _ in range(updates):
        x, wanted = sample(generator, 32)
        optimiser.zero_grad()
        loss = ((head(rnn(x)[0]) - wanted) ** 2).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
    return rnn, initial, sample(generator, 8)[0], loss.item()
