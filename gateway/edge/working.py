"""Processes that work the queue through, beside those that serve (`[intake] workers`).

One parent, forked before anything is opened, starts them and replaces one that dies under the same
number, so that it finds the lane its predecessor left. SIGTERM ends them between two turns; one
that nobody watches any more ends by itself.
"""

import logging
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gateway.edge.jobs import Bell

logger = logging.getLogger(__name__)
_PAUSE = 1.0
_TICK = 0.1
_IDLE = 0.5
"Seconds between two looks at an empty queue, where nobody rings."
HUNG = 70
"Exit code of a worker that gave up a file which hangs."
Stopping = Callable[[], bool]
Run = Callable[[int, Stopping, "Pipe"], None]
"What a worker does until it is told to stop: its number, whether to stop, where it waits."


class Pipe(Bell):
    """A bell between processes: rung by those that serve, heard by those that work."""

    def __init__(self) -> None:
        super().__init__()
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)

    def ring(self) -> None:
        """Wake one that waits; a pipe that is full of rings wakes all the same."""
        try:
            os.write(self._writer, b"r")
        except BlockingIOError:
            return

    def pause(self, seconds: float = _IDLE) -> None:
        """Until somebody rings, at most so long."""
        if select.select([self._reader], [], [], seconds)[0]:
            try:
                os.read(self._reader, 65536)
            except BlockingIOError:
                return


@dataclass(frozen=True, slots=True)
class Workers:
    """The parent of the processes that work the queue through."""

    keeper: int
    bell: Pipe

    def tell(self) -> None:
        """Let them end what they are at, and take nothing more."""
        try:
            os.kill(self.keeper, signal.SIGTERM)
        except ProcessLookupError:
            return

    def end(self) -> bool:
        """Wait until they have ended; whether they ended well."""
        self.tell()
        try:
            _, status = os.waitpid(self.keeper, 0)
        except ChildProcessError:
            return False
        return status == 0


def start(count: int, run: Run, closing: Iterable[socket.socket]) -> Workers:
    """Start so many; `closing` are sockets that are not theirs. Nothing may be open yet."""
    bell, parent = Pipe(), os.getpid()
    keeper = os.fork()
    if keeper:
        return Workers(keeper, bell)
    code = 1
    try:
        for one in closing:
            one.close()
        code = _keep(count, run, bell, parent)
    except Exception:
        logger.exception("the parent of the intake workers failed")
    finally:
        os._exit(code)
    return Workers(keeper, bell)


def _keep(count: int, run: Run, bell: Pipe, parent: int) -> int:
    """Run them until SIGTERM, or until the gateway is gone; the exit code."""
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: asked.append(number))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    numbers = {_fork(number, run, bell): number for number in range(count)}
    told = failed = False
    while numbers:
        time.sleep(_TICK)
        if (asked or os.getppid() != parent) and not told:
            told = True
            for worker in numbers:
                os.kill(worker, signal.SIGTERM)
        ended, status = os.waitpid(-1, os.WNOHANG)
        if not ended:
            continue
        number = numbers.pop(ended)
        if told:
            failed = failed or status not in (0, signal.SIGTERM)
            continue
        logger.error("intake worker %s ended with %s; another takes its place", number, status)
        time.sleep(_PAUSE)
        numbers[_fork(number, run, bell)] = number
    return int(failed)


def _fork(number: int, run: Run, bell: Pipe) -> int:
    """One worker; it never returns from here."""
    keeper = os.getpid()
    worker = os.fork()
    if worker:
        return worker
    asked: list[int] = []
    code = 1
    try:
        signal.signal(signal.SIGTERM, lambda number, frame: asked.append(number))
        run(number, lambda: bool(asked) or os.getppid() != keeper, bell)
        code = 0
    except Exception as error:
        logger.error("intake worker %s failed: %s", number, type(error).__name__)
    finally:
        os._exit(code)
    return worker


def until_told(work: Callable[[Stopping], int], stopping: Stopping, bell: Pipe) -> None:
    """Work turn after turn; what fails is logged and tried again at the next one."""
    while not stopping():
        done = 0
        try:
            done = work(stopping)
        except Exception as error:
            logger.error("a turn of the queue failed: %s", type(error).__name__)
            bell.pause()
        if not done and not stopping():
            bell.pause()
