"""Telling how far work has come and how long it will still take, by a clock that is set by hand."""

import io

import pytest

from gating_theory.running.progress import Counter, Progress, TimeLeft, check_progress


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_time_left_of_steady_work():
    clock = Clock()
    left = TimeLeft(clock)
    assert left(0, 50) is None  # nothing is done yet
    for done in range(1, 51):
        clock.now += 2.0
        assert left(done, 50) == pytest.approx(2.0 * (50 - done))


def test_time_left_forgets_what_came_at_once():
    """Forty of a hundred from a journal in no time, the others at ten seconds each: far from nothing is left."""
    clock = Clock()
    left = TimeLeft(clock)
    clock.now += 0.1
    left(40, 100)
    for done in range(41, 51):
        clock.now += 10.0
        told = left(done, 100)
    assert told == pytest.approx(10.0 * 50, rel=0.2)


def test_a_counter_in_a_log():
    clock, file = Clock(), io.StringIO()
    counter = Counter("points", file, every=30.0, clock=clock)
    for done in range(1, 101):
        clock.now += 2.0
        counter(done, 100)
    lines = file.getvalue().splitlines()
    # two hundred seconds: a line at 30, 60, ... and no more
    assert len(lines) == 6 and lines[0] == "points: 15/100, 2:50 left" and lines[3] == "points: 60/100, 1:20 left"


def test_a_counter_on_a_terminal():
    clock, file = Clock(), io.StringIO()
    file.isatty = lambda: True
    counter = Counter("case", file, clock=clock)
    for done in (1, 2):
        clock.now += 4000.0
        counter(done, 2)
    renewed = file.getvalue().split("\r")
    assert renewed[1] == "case: 1/2, 1:06:40 left"
    assert renewed[2] == "case: 2/2".ljust(len(renewed[1])) + "\n"
    # another piece of work begins: nothing is known of its pace
    clock.now += 1.0
    counter(0, 5)
    assert file.getvalue().split("\r")[-1].strip() == "case: 0/5"


def test_a_counter_says_what_is_running():
    clock, file = Clock(), io.StringIO()
    file.isatty = lambda: True
    counter = Counter("case", file, clock=clock)
    counter.note("the first")  # before anything is known of the work
    with Progress(counter, 3, "case") as tell:
        for text in ("the first", "the second", "the third"):
            tell.note(text)
            clock.now += 2.0
            tell(1)
    lines = [line.strip() for line in file.getvalue().split("\r")[1:]]
    assert lines == [
        "case: 1/3, 0:04 left: the first",
        "case: 1/3, 0:04 left: the second",  # at once, before it is done
        "case: 2/3, 0:02 left: the second",
        "case: 2/3, 0:02 left: the third",
        "case: 3/3",
    ]


def test_what_follows_unfinished_work_begins_a_line():
    clock, file = Clock(), io.StringIO()
    file.isatty = lambda: True
    with pytest.raises(ValueError), Progress(Counter("case", file, clock=clock), 3, "case") as tell:
        tell(1)
        raise ValueError
    assert file.getvalue().endswith("case: 1/3\n") or file.getvalue().endswith("left\n")
    finished = io.StringIO()
    finished.isatty = lambda: True
    with Progress(Counter("case", finished, clock=clock), 1, "case") as tell:
        tell(1)
    assert finished.getvalue().count("\n") == 1


def test_work_that_turns_out_longer_than_planned():
    """What is done is never more than the total; pieces report what they have done so far."""
    told = []
    with Progress(lambda done, total: told.append((done, total)), 2, "piece") as tell:
        part = tell.part()
        for done in (1, 3):
            part(done, 3)
        tell(1)
    assert told == [(1, 2), (3, 3), (4, 4)]


def test_a_bar_shows_numbers_and_what_runs(capsys):
    with Progress(True, 3, "point") as tell:
        tell.note("the first")
        tell(4)
    shown = capsys.readouterr().err
    assert "4/4" in shown and "point/s" in shown and "the first" in shown


@pytest.mark.parametrize("progress", [False, 1, "yes"])
def test_what_is_no_progress_is_refused(progress):
    with pytest.raises(TypeError, match=r"progress must be None, True or a callable\(done, total\), got"):
        check_progress(progress)
