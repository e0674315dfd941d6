"""Telling how far long work has come: a bar, a callable, or silence."""

from __future__ import annotations

__all__ = ["Progress", "check_progress"]


def check_progress(progress):
    """TypeError unless ``progress`` is None, True or a callable(done, total)."""
    if progress is not None and progress is not True and not callable(progress):
        raise TypeError(f"progress must be None, True or a callable(done, total), got {progress!r}")


class Progress:
    """Tells a bar or a callable how many units of work are done: ``with Progress(True, 100, "point") as tell: tell(1)``.

    Parameters
    ----------
    progress : None, True or callable(done, total)
        True: a progress bar.
    total : int
    unit : str, what is counted
    """

    def __init__(self, progress, total, unit):
        self.report, self.total, self.unit, self.done, self.bar = progress, total, unit, 0, None

    def __enter__(self):
        if self.report is True:
            from tqdm import tqdm

            self.bar = tqdm(total=self.total, unit=self.unit)
        return self

    def __exit__(self, *error):
        if self.bar is not None:
            self.bar.close()

    def note(self, text):
        """Show a line beside the bar, or hand it to the callable's own ``note`` if it has one."""
        if self.bar is not None:
            self.bar.set_postfix_str(text)
        elif callable(getattr(self.report, "note", None)):
            self.report.note(text)

    def part(self):
        """A callable(done, total) for a piece of the work that reports unit by unit."""
        return _Part(self)

    def __call__(self, count):
        self.done += count
        self.total = max(self.total, self.done)  # work that turns out longer than planned
        if self.bar is not None:
            self.bar.total = self.total
            self.bar.update(count)
        elif self.report is not None:
            self.report(self.done, self.total)


class _Part:
    def __init__(self, whole):
        self.note, self.whole, self.done = whole.note, whole, 0

    def __call__(self, done, total):
        self.whole(done - self.done)
        self.done = done
