"""The one audit writer: it commits the events of all waiting readings together (G5).

A reading costs no fsync of its own: its event joins the batch that is open, and the Future of that
batch, one for all of it, is done after its commit. Where readings come side by side, the writer
lets a batch grow for a moment before it commits it; a reading that comes alone never waits for
company. Where the audit store cannot be written the Future fails, and nothing is disclosed.
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
_LINGER = 0.004
"Seconds for which a batch may grow, where the one before held more than one event."
_ENOUGH = 64
"Events after which a batch does not wait any longer."


class _Batch:
    """Events that become durable together."""

    __slots__ = ("events", "future")

    def __init__(self) -> None:
        self.events: list[Callable[[], EventRow]] = []
        self.future: Future[None] = Future()


class AuditWriter:
    """A thread with a queue; `hand` never blocks."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queue: queue.SimpleQueue[_Batch | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._guard = threading.Lock()
        self._open: _Batch | None = None
        self._enough = threading.Event()
        self.committed = 0
        "Events committed since the start, for the metrics."

    def start(self) -> None:
        """Start the thread; harmless when it runs."""
        if self._thread is None:
            self._enough.clear()
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
            self._enough.set()
            self._thread.join()
            self._thread = None

    def hand(self, make: Callable[[], EventRow]) -> "Future[None]":
        """Add one event to the open batch; the batch's Future is done once it is durable."""
        with self._guard:
            batch = self._open
            if batch is None:
                batch = self._open = _Batch()
                self._queue.put(batch)
            batch.events.append(make)
            count = len(batch.events)
            if count >= _MOST:
                self._open = None
        if count == _ENOUGH:
            self._enough.set()
        return batch.future

    def _run(self) -> None:
        """Take a batch, let it grow if there is company, commit it, tell everybody."""
        company = False
        while (batch := self._queue.get()) is not None:
            if company and self._enough.wait(_LINGER):
                self._enough.clear()
            with self._guard:
                if self._open is batch:
                    self._open = None
            company = len(batch.events) > 1
            self._commit(batch)

    def _commit(self, batch: _Batch) -> None:
        """One transaction for the batch; its Future hears how it ended."""
        try:
            made = [make() for make in batch.events]
            with self._database.writing() as db:
                rows.insert_events(db, made)
        except Exception as error:
            logger.error("audit store cannot be written: %s", type(error).__name__)
            refusal = Busy("cannot record this now", "記録できないため、応答できません",
                           rule="G5", log="AUDIT-STOP")  # fmt: skip
            refusal.__cause__ = error
            batch.future.set_exception(refusal)
            return
        self.committed += len(batch.events)
        batch.future.set_result(None)
