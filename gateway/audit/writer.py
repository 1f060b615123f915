"""The one audit writer: it commits the events of all waiting readings together (G5).

A reading costs no fsync of its own: its event waits here for the commit that is under way, goes
into the next one with all others that came meanwhile, and its Future is done after that commit.
Where the audit store cannot be written the Future fails, and nothing is disclosed.
"""

import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future

from gateway.errors import Busy
from gateway.store import audit as rows
from gateway.store.audit import EventRow
from gateway.store.database import Database

logger = logging.getLogger(__name__)
_MOST = 500
_Waiting = tuple[Callable[[], EventRow], "Future[None]"]


class AuditWriter:
    """A thread with a queue; `hand` never blocks."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self.committed = 0
        "Events committed since the start, for the metrics."

    def start(self) -> None:
        """Start the thread; harmless when it runs."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="audit-writer", daemon=True)
            self._thread.start()

    @property
    def is_running(self) -> bool:
        """Whether the thread is there."""
        return self._thread is not None and self._thread.is_alive()

    def stop(self) -> None:
        """Commit what waits, then end the thread."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def hand(self, make: Callable[[], EventRow]) -> "Future[None]":
        """Queue one event; the Future is done once it is durable."""
        future: Future[None] = Future()
        self._queue.put((make, future))
        return future

    def _run(self) -> None:
        """Take all that waits, commit it at once, tell everybody, begin again."""
        while True:
            first = self._queue.get()
            if first is None:
                return
            batch = [first]
            ending = False
            while len(batch) < _MOST:
                try:
                    waiting = self._queue.get_nowait()
                except queue.Empty:
                    break
                if waiting is None:
                    ending = True
                    break
                batch.append(waiting)
            self._commit(batch)
            if ending:
                return

    def _commit(self, batch: list[_Waiting]) -> None:
        """One transaction for the batch; every Future hears how it ended."""
        try:
            made = [make() for make, _ in batch]
            with self._database.writing() as db:
                rows.insert_events(db, made)
        except Exception as error:
            logger.error("audit store cannot be written: %s", type(error).__name__)
            for _, future in batch:
                refusal = Busy("cannot record this now", "記録できないため、応答できません",
                               rule="G5", log="AUDIT-STOP")  # fmt: skip
                refusal.__cause__ = error
                future.set_exception(refusal)
            return
        self.committed += len(batch)
        for _, future in batch:
            future.set_result(None)
