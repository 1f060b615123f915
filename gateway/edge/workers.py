"""Several worker processes on the same sockets, watched by one parent (`--workers`).

The parent opens nothing but the sockets: each worker opens its own database connections after the
fork. A worker that dies is replaced; SIGTERM goes to all, and the parent leaves when they have.
"""

import logging
import os
import select
import signal
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)
_PAUSE = 1.0
_TICK = 0.1
_READY = b"r"
Serve = Callable[[Callable[[], None]], None]
"Serves until it is told to stop; calls what it is given once it accepts."


def supervise(count: int, serve: Serve, ready: Callable[[], None]) -> int:
    """Run `count` workers until SIGTERM or SIGINT; `ready` once all accept. The exit code."""
    asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: asked.append(number))
    reader, writer = os.pipe()
    workers = {_fork(serve, writer) for _ in range(count)}
    waiting, failed, told = count, False, False
    while workers:
        if waiting and select.select([reader], [], [], _TICK)[0]:
            waiting -= len(os.read(reader, waiting))
            if not waiting:
                ready()
        elif not waiting:
            time.sleep(_TICK)
        if (asked or failed) and not told:
            told = True
            for worker in workers:
                os.kill(worker, signal.SIGTERM)
        ended, status = os.waitpid(-1, os.WNOHANG)
        if ended not in workers:
            continue  # nobody, or the parent of the intake workers
        workers.discard(ended)
        if told:
            # One that had not come up yet ends by the signal itself: it held nothing.
            failed = failed or status not in (0, signal.SIGTERM)
        elif waiting:
            failed = True  # one that never came up would not come up next time either
        else:
            logger.error("a worker ended with %s; another takes its place", status)
            time.sleep(_PAUSE)
            workers.add(_fork(serve, writer))
    return 1 if failed else 0


def _fork(serve: Serve, writer: int) -> int:
    """One worker; it never returns from here."""
    worker = os.fork()
    if worker:
        return worker
    code = 1
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        serve(lambda: _tell(writer))
        code = 0
    except Exception:
        logger.exception("a worker failed")
    finally:
        os._exit(code)
    return code


def _tell(writer: int) -> None:
    """Say to the parent that this worker accepts."""
    os.write(writer, _READY)
