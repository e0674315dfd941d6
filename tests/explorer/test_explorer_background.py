"""Work in processes: the latest wins, nothing waits, a process that dies is replaced, none is left."""

import os
import time
from functools import partial
from queue import Queue

import explorer_tasks as tasks
import pytest

from gating_theory.explorer.background import Background, Lane

#: Seconds that anything here may take on a busy machine.
LONG = 60


@pytest.fixture(scope="module")
def lane():
    made = Lane("test", patience=0.3)
    yield made
    made.close()


def done(lane, task, *arguments, key="k"):
    """The answers to one task, all of them."""
    told = Queue()
    lane.ask(key, task, *arguments, tell=told.put)
    return list(answers(told))


def answers(told):
    while True:
        yield (answer := told.get(timeout=LONG))
        if answer.code != "piece":
            return


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def gone(pid):
    end = time.monotonic() + LONG
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.02)
    return not alive(pid)


def test_pieces_come_in_order_from_another_process(lane):
    assert [a.value for a in done(lane, tasks.count, 3)] == [0, 1, 2, None]
    (first, last), (second, _) = done(lane, tasks.who), done(lane, tasks.who)
    assert first.value == second.value == lane.pid != os.getpid() and last.code == "done"


def test_the_latest_wins(lane):
    """Of thirty tasks asked for at once the first may begin, the last is done, and of those between nothing is told."""
    told = [Queue() for _ in range(30)]
    for number, queue in enumerate(told):
        lane.ask("k", tasks.count, 2 + number, 0.02, tell=queue.put)
    assert [a.value for a in answers(told[-1])] == [*range(31), None]
    assert all(queue.empty() for queue in told[1:-1])
    assert all(a.code == "piece" for a in list(told[0].queue))  # no end is told of what was given up


def test_keys_do_not_replace_one_another(lane):
    one, other = Queue(), Queue()
    lane.ask("one", tasks.count, 3, 0.02, tell=one.put)
    lane.ask("other", tasks.count, 4, tell=other.put)
    assert len(list(answers(one))) == 4 and len(list(answers(other))) == 5


def test_a_page_that_closes_while_it_is_told_does_not_end_the_lane(lane):
    """Neither at a piece nor at the end; the next page is answered as ever."""
    pid = next(answer.value for answer in done(lane, tasks.who))

    def closes(answer):
        raise AttributeError("the document is gone")

    lane.ask("gone", tasks.count, 3, tell=closes)
    lane.ask("gone at the end", tasks.count, 0, tell=closes)
    assert [a.value for a in done(lane, tasks.who)] == [pid, None]


@pytest.mark.parametrize("task, same", [(tasks.listening, True), (tasks.deaf, False)])
def test_what_is_not_wanted_is_given_up(lane, task, same):
    """A long piece that looks whether it is wanted ends itself; one that does not ends with its process, after the patience."""
    told = Queue()
    lane.ask("k", task, LONG, tell=told.put)
    pid, start = told.get(timeout=LONG).value, time.monotonic()
    (now, _) = done(lane, tasks.who)
    assert time.monotonic() - start < LONG / 2 and told.empty()
    assert (now.value == pid) is same and (same or gone(pid))


def test_a_page_that_has_gone_is_forgotten(lane):
    told = Queue()
    lane.ask("k", tasks.listening, LONG, tell=told.put)
    told.get(timeout=LONG)
    assert "k" in lane.keys()
    lane.forget("k")
    assert done(lane, tasks.count, 1, key="other")[-1].code == "done"
    assert told.empty() and not lane.keys()


def test_a_crash_is_reported_and_the_process_replaced(lane):
    began, crashed = done(lane, tasks.dies)
    assert crashed.code == "crashed" and "exit code 3" in crashed.value and gone(began.value)
    (now, last) = done(lane, tasks.who)
    assert now.value != began.value and last.code == "done"


@pytest.mark.parametrize("kind, text", [("ours", "what went wrong"), ("bug", "KeyError: 'what went wrong'")])
def test_errors_are_told_in_words(lane, kind, text):
    piece, failed = done(lane, tasks.fails, kind)
    assert (piece.value, failed.code, failed.value) == (1, "failed", text)
    assert done(lane, tasks.count, 1)[-1].code == "done"


def test_what_cannot_be_sent_is_an_error(lane):
    (failed,) = done(lane, tasks.no_pickle)
    assert failed.code == "failed" and "pickle" in failed.value.lower()
    (failed,) = done(lane, tasks.count, lambda: None)
    assert failed.code == "failed" and "pickle" in failed.value.lower()
    assert done(lane, tasks.count, 1)[-1].code == "done"


def test_no_process_is_left():
    background = Background("one")
    told = Queue()
    background["one"].ask(("page", "k"), tasks.deaf, LONG, tell=told.put)
    pid = told.get(timeout=LONG).value
    background.forget("page")
    background.close()
    assert gone(pid)
    background["one"].ask("k", tasks.who, tell=told.put)  # nothing happens any more
    assert told.empty()


def test_warm_ups_wait_for_what_is_asked_for_and_are_not_given_up(tmp_path):
    lane, told, ended = Lane("warm", patience=0.3), Queue(), []
    lane.ask("k", tasks.count, 2, 0.5, tell=told.put)
    for name in ("one", "two"):
        lane.warm_up(tasks.leaves, str(tmp_path / name), 0.5, then=partial(ended.append, name))
    lane.ask("other", tasks.exists, str(tmp_path / "one"), tell=told.put)
    assert [a.value for a in [*answers(told), *answers(told)]] == [0, 1, None, False, None]
    end = time.monotonic() + LONG
    while len(ended) < 2 and time.monotonic() < end:
        # what is asked for meanwhile replaces no warm-up, and ends none
        done(lane, tasks.count, 1)
    assert ended == ["one", "two"] and (tmp_path / "one").exists() and (tmp_path / "two").exists()
    lane.close()
    lane.warm_up(tasks.leaves, str(tmp_path / "three"), 0.0)
    assert not (tmp_path / "three").exists()
