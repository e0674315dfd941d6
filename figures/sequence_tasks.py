"""Small tasks for recurrent networks: batches of sequences with what is asked for, at the last step or at every step.

A task has ``n_in``, ``n_out``, ``length`` and ``chance`` (the score of one who guesses), ``batch(rng, size)`` and ``test()``: both
give inputs (T, B, I) and targets, labels or numbers (B,) for the last step; where ``every_step``, numbers (T, B, n_out).
"""

from __future__ import annotations

import numpy as np

__all__ = ["CleanRecall", "Digits", "FlipFlop", "NoisyRecall", "Recall", "Sines", "make_task"]


class Digits:
    """Handwritten digits, one pixel a step; 1297 images to train on, 500 to test, permuted by one fixed permutation or not."""

    n_out, n_in, length, chance, every_step = 10, 1, 64, 0.1, False

    def __init__(self, permuted):
        from sklearn.datasets import load_digits

        images, labels = load_digits(return_X_y=True)
        images = (images - images.mean()) / images.std()
        order = np.random.default_rng(7).permutation(len(images))  # the split and the permutation are the task's, not the seed's
        if permuted:
            images = images[:, np.random.default_rng(8).permutation(64)]
        self.images, self.labels = images[order].astype(np.float32), labels[order]

    def batch(self, rng, size):
        chosen = rng.integers(0, 1297, size)
        return self.images[chosen].T[:, :, None], self.labels[chosen]

    def test(self):
        return self.images[1297:].T[:, :, None], self.labels[1297:]


class Recall:
    """One of eight symbols shown at the first step, asked for after a delay of noise (standard deviation 0.1)."""

    n_out, n_in, chance, every_step = 8, 9, 0.125, False

    def __init__(self, delay):
        self.length = delay + 2

    def batch(self, rng, size):
        x = np.zeros((self.length, size, self.n_in), dtype=np.float32)
        x[1:, :, :8] = 0.1 * rng.standard_normal((self.length - 1, size, 8))
        symbol = rng.integers(0, 8, size)
        x[0, np.arange(size), symbol] = 1.0
        x[-1, :, 8] = 1.0
        return x, symbol

    def test(self):
        return self.batch(np.random.default_rng(9), 512)


class NoisyRecall:
    """A new one of eight symbols at every step, and a mark at the first: that one is asked for after the last step."""

    n_out, n_in, chance, every_step = 8, 9, 0.125, False

    def __init__(self, length):
        self.length = length

    def batch(self, rng, size):
        symbols = rng.integers(0, 8, (self.length, size))
        x = np.zeros((self.length, size, self.n_in), dtype=np.float32)
        np.put_along_axis(x, symbols[:, :, None], 1.0, axis=2)
        x[0, :, 8] = 1.0
        return x, symbols[0]

    def test(self):
        return self.batch(np.random.default_rng(9), 512)


class CleanRecall:
    """One of eight symbols at the first step, then nothing, and it is asked for after the last: all eight sequences there are."""

    n_out, n_in, chance, every_step = 8, 8, 0.125, False

    def __init__(self, length):
        self.length = length

    def batch(self, rng, size):
        x = np.zeros((self.length, 8, 8), dtype=np.float32)
        x[0] = np.eye(8)
        return x, np.arange(8)

    def test(self):
        return self.batch(None, 8)


class FlipFlop:
    """Pulses of +-1 come to two inputs at a tenth of the steps; the outputs show the last one of each, 0 before the first."""

    n_out, n_in, chance, every_step = 2, 2, 0.0, True

    def __init__(self, length):
        self.length = length

    def batch(self, rng, size):
        shape = (self.length, size, 2)
        x = rng.choice([-1.0, 1.0], shape) * (rng.uniform(size=shape) < 0.1)
        # the step of the last pulse up to each step; step 0 without a pulse shows 0 as well
        last = np.maximum.accumulate(np.where(x != 0.0, np.arange(self.length)[:, None, None], 0))
        return x.astype(np.float32), np.take_along_axis(x, last, 0).astype(np.float32)

    def test(self):
        return self.batch(np.random.default_rng(9), 512)


class Sines:
    """A constant input, with noise of standard deviation 0.02, names one of five frequencies; the output is that sine."""

    n_out, n_in, chance, every_step = 1, 1, 0.0, True
    #: Radians a step.
    frequencies = np.linspace(0.1, 0.5, 5)

    def __init__(self, length):
        self.length = length

    def batch(self, rng, size):
        omega = rng.choice(self.frequencies, size)
        x = 2.0 * omega + 0.02 * rng.standard_normal((self.length, size))
        wave = np.sin(omega * np.arange(1, self.length + 1)[:, None])
        return x[..., None].astype(np.float32), wave[..., None].astype(np.float32)

    def test(self):
        return self.batch(np.random.default_rng(9), 256)


def make_task(name):
    """The task of a name such as "digits", "permuted", "recall 20", "noisy 50", "clean 40", "flip-flop 60": kind and length."""
    kind, _, number = name.partition(" ")
    if kind in ("digits", "permuted"):
        return Digits(kind == "permuted")
    tasks = {"recall": Recall, "noisy": NoisyRecall, "clean": CleanRecall, "flip-flop": FlipFlop, "sines": Sines}
    return tasks[kind](int(number))
