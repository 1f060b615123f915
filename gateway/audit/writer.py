"""The one audit writer: it commits the events of all waiting readings together (G5).

A reading costs no fsync of its own: its event joins the batch that is open, and the Future of that
batch, one for all of it, is done after its commit. A batch that was handed over grows until the
writer comes for it; one that is held grows until somebody says `flush`. Where the audit store
cannot be written the Future fails, and nothing is disclosed; the writer then tries again every
second, and first writes how much could not be recorded.
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
_AGAIN = 1.0
"Seconds between two attempts to write, after one that failed."


class _Batch:
    """Events that become durable together."""

    __slots__ = ("events", "future", "queued")

    def __init__(self) -> None:
        self.events: list[Callable[[], EventRow]] = []
        self.future: Future[None] = Future()
        self.queued = False


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

    @property
    def is_recording(self) -> bool:
        """Whether what was handed in last could be written."""
        return self.is_running and not self._lost

    def stop(self) -> None:
        """Commit what waits, then end the thread."""
        if self._thread is not None:
            self.flush()
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def hand(self, make: Callable[[], EventRow], *, held: bool = False) -> "Future[None]":
        """Add one event to the open batch; the batch's Future is done once it is durable.

        With `held` the caller promises to `flush` as soon as nothing more is to be expected.
        """
        with self._guard:
            batch = self._open
            if batch is None:
                batch = self._open = _Batch()
            batch.events.append(make)
            full = len(batch.events) >= _MOST
            if not batch.queued and (full or not held):
                batch.queued = True
                self._queue.put(batch)
            if full:
                self._open = None
        return batch.future

    def flush(self) -> None:
        """Let the writer have what is held."""
        with self._guard:
            batch = self._open
            if batch is not None and not batch.queued:
                batch.queued = True
                self._queue.put(batch)

    @property
    def waiting(self) -> int:
        """How many events are in the open batch."""
        batch = self._open
        return 0 if batch is None else len(batch.events)

    def _run(self) -> None:
        """Take a batch, commit it, tell everybody."""
        while (batch := self._next()) is not None:
            with self._guard:
                if self._open is batch:
                    self._open = None
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
            rows.append_events(self._database, made)
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
