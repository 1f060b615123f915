"""The sign of life of a turn: its lane is kept while it works, and let go where it hangs."""

import logging
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from gateway.audit.door import Door
from gateway.errors import Busy
from gateway.record import queue
from gateway.record.queue import Overtaken, Turn

logger = logging.getLogger(__name__)
_BEAT = 10.0
"Seconds between two signs of life."
_LONGEST = 900.0
"Seconds that one file, or some hundred parts of one, may take."


class Lease:
    """Keeps a lane from another thread, for as long as the turn goes on."""

    def __init__(self, door: Door, turn: Turn, stuck: Callable[[], None] | None) -> None:
        self._door = door
        self._turn = turn
        self._stuck = stuck
        self._alive = time.monotonic()
        self._lost = False
        self._over = False
        self._timer = self._next()

    def alive(self) -> None:
        """The turn goes on; raises `Overtaken` where the lane is somebody else's."""
        self._alive = time.monotonic()
        if self._lost:
            raise Overtaken(self._turn.lane.facility)

    def _next(self) -> threading.Timer:
        timer = threading.Timer(_BEAT, self._beat)
        timer.daemon = True
        timer.start()
        return timer

    def _beat(self) -> None:
        if time.monotonic() - self._alive > _LONGEST:
            logger.error("a file of %s hangs: its turn is given up", self._turn.lane.facility)
            self._lost = True
            if self._stuck is not None:
                self._stuck()
            return
        try:
            now = self._door.clock()
            self._lost = not self._door.keep(lambda db: queue.keep(db, self._turn, now))
        except Busy:
            logger.warning("the lane of %s could not be kept", self._turn.lane.facility)
        if not (self._lost or self._over):
            self._timer = self._next()

    def __enter__(self) -> Self:
        """The lease itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """The turn is over, and so is what kept its lane."""
        self._over = True
        while True:
            timer = self._timer
            timer.cancel()
            timer.join()
            if timer is self._timer:
                return
