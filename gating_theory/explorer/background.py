"""Work outside the server: processes that calculate what pages show, so that a page never waits.

A *lane* is one process, which does one task at a time. A task is a generator function of a module, called with arguments that
can be pickled; what it yields are *pieces*, each shown as soon as it is there. Each page asks under keys of its own, and under a
key only the latest task counts: one that waits is replaced; of one that runs no more pieces are told, and it is given up at its
next piece, or where it calls ``stay_wanted``, or, if that takes longer than ``patience``, with its process. Keys take turns. A
process that dies says so to the page whose task it was doing, and the next task finds a new one.
"""

from __future__ import annotations

import logging
import multiprocessing
import signal
import threading
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pickle import PickleError
from typing import Any

from ..errors import CapabilityError, ConvergenceError, NoCriticalValue
from ..running.workers import end_with_parent

__all__ = ["Answer", "Background", "Lane", "stay_wanted"]

#: Seconds that a task which nobody wants any more may take for its present piece before its process is ended.
_PATIENCE = 3.0
#: Seconds that a process has to end by itself when the server closes.
_GRACE = 1.0
#: What calculations say that cannot be done: shown as they are. Anything else is shown with its type.
_EXPECTED = (CapabilityError, ConvergenceError, NoCriticalValue, ValueError)

_LOG = logging.getLogger(__name__)

Task = Callable[..., Iterator[Any]]


@dataclass(frozen=True)
class Answer:
    """What a page is told of the task that it asked for.

    Attributes
    ----------
    code : "piece", "done", "failed" or "crashed"
        ``value`` is what the task yielded; nothing, all pieces have come; the text of an error of the calculation; how the process
        ended. Only after a piece more comes.
    value : what was yielded, a text, or None
    """

    code: str
    value: Any = None


@dataclass
class _Asked:
    key: Hashable
    task: Task
    arguments: tuple[Any, ...]
    tell: Callable[[Answer], None]


class Lane:
    """One process for tasks, and a thread that feeds it; both begin with the first task.

    Parameters
    ----------
    name : str, of the process
    patience : float, seconds for the present piece of a task that is given up
    """

    def __init__(self, name: str, patience: float = _PATIENCE) -> None:
        self.name, self.patience = name, patience
        self._waiting: dict[Hashable, _Asked] = {}
        self._idle: list[_Asked] = []
        self._running: _Asked | None = None
        self._wanted = False
        self._closed = False
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None
        self._process: Any = None
        self._connection: Connection | None = None

    @property
    def pid(self) -> int | None:
        """The number of the process; None where there is none."""
        process = self._process
        return None if process is None or not process.is_alive() else process.pid

    def ask(self, key: Hashable, task: Task, *arguments: Any, tell: Callable[[Answer], None]) -> None:
        """Have a task done; it takes the place of the key's task before, of which no more is told.

        Parameters
        ----------
        key : hashable, such as (session, "density")
        task : generator function of a module
        arguments : what can be pickled
        tell : callable(Answer)
            Called in a thread of the lane: a page passes on to its own thread, ``document.add_next_tick_callback``.
        """
        with self._change:
            if self._closed:
                return
            self._waiting.pop(key, None)  # the latest stands last
            self._waiting[key] = _Asked(key, task, arguments, tell)
            if self._running is not None and self._running.key == key:
                self._wanted = False
            self._start()

    def _start(self):
        if self._thread is None:
            self._thread = threading.Thread(target=self._feed, daemon=True, name=f"lane {self.name}")
            self._thread.start()
        self._change.notify_all()

    def forget(self, key: Hashable) -> None:
        """Nobody wants the key's task any more."""
        with self._change:
            self._waiting.pop(key, None)
            if self._running is not None and self._running.key == key:
                self._wanted = False
            self._change.notify_all()

    def warm_up(self, task: Task, *arguments: Any, then: Callable[[], None] | None = None) -> None:
        """Have a task done for nobody while nothing is asked for: what it imports, compiles or loads is ready for the next.

        It is not given up, or what it compiles would be lost.

        Parameters
        ----------
        task, arguments : as for :meth:`ask`
        then : callable, optional
            Called in a thread of the lane when it is done, or failed.
        """

        def tell(answer):
            if answer.code != "piece" and then is not None:
                then()

        with self._change:
            if not self._closed:
                self._idle.append(_Asked(("", "warm-up"), task, arguments, tell))
                self._start()

    def keys(self) -> list[Hashable]:
        """Whose tasks wait or run."""
        with self._change:
            return [*self._waiting, *([] if self._running is None else [self._running.key])]

    def close(self) -> None:
        """End the thread and the process; tasks that wait are forgotten."""
        with self._change:
            self._closed, self._wanted = True, False
            self._waiting.clear()
            self._idle.clear()
            self._change.notify_all()
        if self._thread is not None:
            self._thread.join(2.0 * _GRACE + self.patience)
        self._end_process(_GRACE)

    # --- the thread

    def _feed(self):
        while (asked := self._next()) is not None:
            try:
                last = self._do(asked)
            except (EOFError, OSError):
                last = self._crashed()
            except (AttributeError, TypeError, PickleError) as error:
                last = Answer("failed", f"the task cannot be sent: {type(error).__name__}: {error}")
            with self._change:
                wanted, self._running = self._wanted, None
            if wanted:
                self._tell(asked, last)

    def _tell(self, asked, answer):
        """The lane goes on whatever a page makes of an answer: one that closes at this moment has no document any more."""
        try:
            asked.tell(answer)
        except Exception:
            _LOG.info("an answer found no page", exc_info=True)
            self.forget(asked.key)

    def _next(self):
        with self._change:
            while not self._waiting and not self._idle and not self._closed:
                self._change.wait()
            if self._closed:
                return None
            asked = self._waiting.pop(next(iter(self._waiting))) if self._waiting else self._idle.pop(0)
            self._running, self._wanted = asked, True
            return asked

    def _do(self, asked):
        """Pieces are told as they come; the last Answer is returned."""
        connection = self._connected()
        connection.send(("do", asked.task, asked.arguments))
        told_off, deadline = False, 0.0
        while True:
            if connection.poll(0.02 if not told_off else 0.1):
                answer = connection.recv()
                if answer.code != "piece":
                    return answer
                if self._wanted:
                    self._tell(asked, answer)
            elif told_off:
                deadline -= 0.1
                if deadline <= 0.0:
                    self._end_process(0.0)
                    return Answer("failed", "given up")  # told to nobody
            if not self._wanted and not told_off:
                connection.send(("drop", None, ()))
                told_off, deadline = True, self.patience

    def _crashed(self):
        process = self._process
        if process is not None:
            process.join(_GRACE)
        code = None if process is None else process.exitcode
        self._end_process(0.0)
        return Answer("crashed", f"the process that calculates ended ({_how(code)}); a new one does what is asked for next")

    def _connected(self):
        if self._process is not None and not self._process.is_alive():
            self._end_process(0.0)
        if self._process is None:
            context = multiprocessing.get_context("spawn")  # a fork would copy the server's threads in the midst of their work
            self._connection, theirs = context.Pipe()
            self._process = context.Process(target=_serve, args=(theirs,), daemon=True, name=f"gating-theory {self.name}")
            self._process.start()
            theirs.close()
        return self._connection

    def _end_process(self, grace):
        connection, process = self._connection, self._process
        self._connection = self._process = None
        if connection is not None:
            connection.close()  # a process that waits for a task ends with it
        if process is not None:
            process.join(grace)
            if process.is_alive():
                process.kill()
                process.join()


def _how(code):
    if code is None or code >= 0:
        return f"exit code {code}"
    return f"signal {signal.Signals(-code).name}"


class Background:
    """The lanes of a server: "fast" for what follows a slider at once, "slow" for what comes after it rests, "lines" for planes.

    Parameters
    ----------
    names : str, of lanes
    """

    def __init__(self, *names: str) -> None:
        self.lanes = {name: Lane(name) for name in names or ("fast", "slow", "lines")}

    def __getitem__(self, name: str) -> Lane:
        return self.lanes[name]

    def forget(self, session: Hashable) -> None:
        """A page has gone: keys are tuples that begin with the session."""
        for lane in self.lanes.values():
            for key in lane.keys():
                if isinstance(key, tuple) and key[0] == session:
                    lane.forget(key)

    def close(self) -> None:
        """End all processes."""
        for lane in self.lanes.values():
            lane.close()


# --- the process

#: In a process that works: what it is fed by.
_feeder: Connection | None = None


class _GivenUpError(Exception):
    """Nobody wants the task any more."""


def stay_wanted() -> None:
    """For tasks, in the midst of a piece that takes long: the task ends here if nobody wants it any more."""
    if _feeder is not None and _feeder.poll():
        raise _GivenUpError


def _serve(connection):
    """Do what comes through the connection until it closes."""
    global _feeder
    _feeder = connection
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C goes to all processes of a terminal: the server ends this one
    end_with_parent()
    from ..running.blas import single_blas_thread

    with single_blas_thread():
        try:
            while True:
                what, task, arguments = connection.recv()
                if what == "do":
                    connection.send(_done(connection, task, arguments))
        except (EOFError, OSError):
            return


def _done(connection, task, arguments):
    """Pieces are sent as they come; the last Answer is returned."""
    pieces = _answers(task, arguments)
    for answer in pieces:
        if answer.code != "piece":
            return answer
        try:
            connection.send(answer)
        except (AttributeError, TypeError, PickleError) as error:
            return Answer("failed", f"a piece cannot be sent: {type(error).__name__}: {error}")
        if connection.poll():
            pieces.close()
            break
    return Answer("done")


def _answers(task, arguments):
    try:
        for piece in task(*arguments):
            yield Answer("piece", piece)
    except _GivenUpError:
        return
    except _EXPECTED as error:
        yield Answer("failed", str(error))
    except Exception as error:
        yield Answer("failed", f"{type(error).__name__}: {error}")
