"""Telling how far long work has come: a bar, a callable, or silence."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, Self, TextIO

from ..support.checks import shown
from ..support.types import Progress as Wanted

__all__ = ["Counter", "Progress", "TimeLeft", "check_progress"]


def check_progress(progress: Wanted) -> None:
    """TypeError unless ``progress`` is None, True or a callable(done, total)."""
    if progress is not None and progress is not True and not callable(progress):
        raise TypeError(f"progress must be None, True or a callable(done, total), got {shown(progress)}")


class Progress:
    """Tells a bar or a callable how many units of work are done: ``with Progress(True, 100, "point") as tell: tell(1)``.

    Parameters
    ----------
    progress : None, True or callable(done, total)
        True: a progress bar.
    total : int
    unit : str, what is counted
    """

    def __init__(self, progress: Wanted, total: int, unit: str) -> None:
        self.bar: Any = None
        self.report, self.total, self.unit, self.done = progress, total, unit, 0

    def __enter__(self) -> Self:
        if self.report is True:
            self.bar = _bar()(total=self.total, unit=self.unit)
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.close()
        elif callable(end := getattr(self.report, "end", None)):
            end()

    def note(self, text: str) -> None:
        """Show a line beside the bar, or hand it to the callable's own ``note`` if it has one."""
        if self.bar is not None:
            self.bar.set_postfix_str(text)
            return
        note = getattr(self.report, "note", None)
        if callable(note):
            note(text)

    def part(self) -> _Part:
        """A callable(done, total) for a piece of the work that reports unit by unit."""
        return _Part(self)

    def more(self, count: int) -> None:
        """So many units more than was thought; shown with the next that is done."""
        self.total += count

    def finish(self) -> None:
        """What is left turns out not to be needed."""
        if self.done < self.total:
            self(self.total - self.done)

    def __call__(self, count: int) -> None:
        self.done += count
        self.total = max(self.total, self.done)  # work that turns out longer than planned
        if self.bar is not None:
            self.bar.total = self.total
            self.bar.update(count)
        elif callable(self.report):
            self.report(self.done, self.total)


def _bar() -> Any:
    """The class of progress bars: a widget in notebooks that have widgets, text elsewhere (where tqdm.auto warns)."""
    ipython = sys.modules.get("IPython")  # a notebook's kernel has imported it
    shell = None if ipython is None else ipython.get_ipython()
    if shell is not None and "IPKernelApp" in shell.config and find_spec("ipywidgets") is not None:
        from tqdm.notebook import tqdm as widget

        return widget
    from tqdm import tqdm

    return tqdm


class _Part:
    def __init__(self, whole: Progress) -> None:
        self.note, self.whole, self.done = whole.note, whole, 0

    def __call__(self, done: int, total: int) -> None:
        self.whole(done - self.done)
        self.done = done


class TimeLeft:
    """How long work will still take: ``left = TimeLeft(); left(done, total)`` gives seconds, None while nothing is known.

    The rate is that over the later half of the time so far. So what came at once from a journal is soon forgotten, and the end of
    work that slows down on its way is not promised too early.

    Parameters
    ----------
    clock : callable giving seconds
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock, self.start = clock, clock()
        self.seen = deque([(self.start, 0)])

    def __call__(self, done: int, total: int) -> float | None:
        now = self.clock()
        self.seen.append((now, done))
        while len(self.seen) > 2 and self.seen[1][0] <= 0.5 * (self.start + now):
            self.seen.popleft()
        then, before = self.seen[0]
        return (now - then) * (total - done) / (done - before) if done > before else None


class Counter:
    """A ``progress`` that writes one line of text, "label: 12/40, 3:05 left", for one piece of work or several after another.

    What the work says is running, if it does, stands behind: "diagnosis: 18/31, 0:04 left: theory at the states".

    Parameters
    ----------
    label : str
    file : text file
        On a terminal the line is renewed in place. Elsewhere, such as in a log, a line is written every ``every`` seconds.
    every : float, seconds
    clock : callable giving seconds
    """

    def __init__(self, label: str, file: TextIO, every: float = 30.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.label, self.file, self.every, self.clock = label, file, every, clock
        self.done, self.told, self.width = 0, clock(), 0
        self.total: int | None = None
        self.running = ""
        self.left = TimeLeft(clock)

    def note(self, text: str) -> None:
        """What runs now; a terminal shows it at once."""
        self.running = text
        if self.total is not None and self.done < self.total and self.file.isatty():
            self._renew(self._text(self.left(self.done, self.total)))

    def __call__(self, done: int, total: int) -> None:
        if done < self.done or total != self.total and self.done == self.total:
            self.left = TimeLeft(self.clock)  # the next piece of work
        self.done, self.total = done, total
        text = self._text(self.left(done, total))
        if self.file.isatty():
            self._renew(text)
        elif self.clock() - self.told >= self.every:
            print(text, file=self.file, flush=True)
            self.told = self.clock()

    def end(self) -> None:
        """Work has ended, perhaps before it was done: what is written next begins a line of its own."""
        if self.total is not None and self.done < self.total and self.file.isatty():
            print(file=self.file, flush=True)

    def _text(self, left):
        text = f"{self.label}: {self.done}/{self.total}"
        if self.done < self.total:
            text += "" if left is None else f", {_clock_face(left)} left"
            text += self.running and f": {self.running}"
        return text

    def _renew(self, text):
        print("\r" + text.ljust(self.width), end="\n" if self.done == self.total else "", file=self.file, flush=True)
        self.width = len(text)


def _clock_face(seconds):
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
