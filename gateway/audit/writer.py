"""The one audit writer: it commits the events of all waiting readings together (G5).

A reading costs no fsync of its own: its event joins the batch that is open, and the Future of that
batch, one for all of it, is done after its commit. Where readings come side by side, the writer
lets a batch grow for a moment before it commits it; a reading that comes alone never waits for
company. Where the audit store cannot be written the Future fails, and nothing is disclosed; the
writer then tries again every second, and first writes how much could not be recorded.
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
_AGAIN = 1.0
"Seconds between two attempts to write, after one that failed."
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

    def __init__(self, database: Database, stopped: Callable[[int], EventRow]) -> None:
        """`stopped` makes the event that says how many events could not be recorded."""
        self._database = database
        self._stopped = stopped
        self._lost = 0
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

    @property
    def is_recording(self) -> bool:
        """Whether what was handed in last could be written."""
        return self.is_running and not self._lost

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
        while (batch := self._next()) is not None:
            if company and self._enough.wait(_LINGER):
                self._enough.clear()
            with self._guard:
                if self._open is batch:
                    self._open = None
            company = len(batch.events) > 1
            self._commit(batch)

    def _next(self) -> _Batch | None:
        """The next batch; an empty one where the store failed before and nothing has come since."""
        try:
            return self._queue.get(timeout=_AGAIN if self._lost else None)
        except queue.Empty:
            return _Batch()

    def _commit(self, batch: _Batch) -> None:
        """One transaction for the batch; its Future hears how it ended."""
        try:
            made = [make() for make in batch.events]
            if self._lost:
                made.insert(0, self._stopped(self._lost))
            with self._database.writing() as db:
                rows.insert_events(db, made)
        except Exception as error:
            self._lost += len(batch.events)
            if batch.events:
                logger.error("audit store cannot be written: %s", type(error).__name__)
            refusal = Busy("cannot record this now", "記録できないため、応答できません",
                           rule="G5", log="AUDIT-STOP")  # fmt: skip
            refusal.__cause__ = error
            batch.future.set_exception(refusal)
            return
        self.committed += len(made)
        self._lost = 0
        batch.future.set_result(None)
