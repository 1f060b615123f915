"""The audit door: it alone opens a Work, and leaves one event whatever happens.

A writing Work inserts its event in its own transaction. A reading Work hands its event to the one
audit writer; its answer leaves after that commit (`work.recorded`, G5). A refusal rolls back and is
recorded by itself; a defect is recorded under an incident number, which is all a peer hears (G11).
"""

import logging
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection

from gateway.audit import chain
from gateway.audit.chain import Verification
from gateway.audit.events import row_of
from gateway.audit.writer import AuditWriter
from gateway.errors import (
    Busy,
    NotOwner,
    NotPermitted,
    Refusal,
    Unauthenticated,
    UntrustedSignature,
)
from gateway.model.audit import Event, EventKind, Outcome
from gateway.model.caller import Caller, CallerKind, LevelOfAssurance
from gateway.model.category import FacilityType
from gateway.model.network import NetworkPolicy
from gateway.store import audit as rows
from gateway.store.blobs import Blobs
from gateway.store.database import Database
from gateway.store.raw import savepoint
from gateway.store.together import together
from gateway.store.work import Community, Work

logger = logging.getLogger(__name__)
_Value = TypeVar("_Value")
_SERIOUS = (NotPermitted, NotOwner, Unauthenticated, UntrustedSignature)
_FLOOD_FROM = 100
_FLOOD_SECONDS = 60.0


class Defect(Exception):
    """Something went wrong that is not the caller's fault; only the incident number is told."""

    def __init__(self, incident: str) -> None:
        super().__init__(f"incident {incident}")
        self.incident = incident


class Door:
    """Opens units of work."""

    def __init__(
        self,
        *,
        database: Database,
        blobs: Blobs,
        policy: NetworkPolicy,
        community: Community,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
    ) -> None:
        self._database = database
        self._blobs = blobs
        self.policy = policy
        self.community = community
        self.clock = clock
        self._new_id = new_id
        self._writer = AuditWriter(database, self._stopped)
        self._snapshots: dict[Any, tuple[float, Any]] = {}
        self._guard = threading.Lock()
        self._floods: dict[tuple[str, str], tuple[float, int]] = {}

    def open(self) -> None:
        """Start the audit writer."""
        self._writer.start()

    def close(self) -> None:
        """Commit the events that wait, and stop."""
        self._writer.stop()

    @property
    def is_open(self) -> bool:
        """Whether the audit writer runs, and what it was handed last is durable."""
        return self._writer.is_recording

    @contextmanager
    def work(
        self,
        kind: EventKind,
        caller: Caller,
        *,
        reading: bool = False,
        held: bool = False,
        still: bool = False,
    ) -> Iterator[Work]:
        """One unit of work; raises what its body raises, a defect as `Defect`.

        The event of a reading Work that is `held` waits for company until somebody calls `flush`;
        one that is `still` sees the whole database as of one moment.
        """
        if reading:
            with self._database.still() if still else self._database.reading() as db:
                work = self._new_work(db, caller)
                try:
                    yield work
                except Refusal as refusal:
                    work.recorded = self._hand(self._refused(kind, work, refusal), held=held)
                    raise
                except Exception as error:
                    event = self._defective(kind, work, error)
                    work.recorded = self._hand(event, held=held)
                    raise Defect(event.incident) from error
                work.recorded = self._hand(_finished(kind, work), held=held)
            return
        opened: Work | None = None
        try:
            with self._database.writing() as db:
                opened = work = self._new_work(db, caller)
                yield work
                rows.insert_events(db, [self._row(_finished(kind, work))])
        except Busy as busy:
            if opened is not None:  # what cannot be written now need not be waited for once more
                self._hand(self._refused(kind, opened, busy))
            raise
        except Refusal as refusal:
            if opened is not None:
                self._write(self._refused(kind, opened, refusal))
            raise
        except Exception as error:
            if opened is None:
                raise
            event = self._defective(kind, opened, error)
            self._write(event)
            raise Defect(event.incident) from error

    @contextmanager
    def group(self, *, apart: bool = True) -> Iterator["Group"]:
        """Several Works in one transaction: one commit makes them and their events durable.

        The bytes that they put are durable before it. Each Work is undone by itself where it fails;
        those that are not `apart` fail together, and cost less: `Entangled` undoes all of them.

        What the block raises undoes all of them; `Busy` where the database cannot be used now.
        """
        with self._database.writing() as db:
            with together(self._blobs) as blobs:
                found = Group(self, db, blobs, apart=apart)
                yield found
            rows.insert_events(db, found.events)

    def flush(self) -> None:
        """Let the events that are held be committed."""
        self._writer.flush()

    @property
    def waiting(self) -> int:
        """How many events wait for the next commit."""
        return self._writer.waiting

    def seal(self) -> int:
        """Fold committed events into the chain until none wait; says how many."""
        total = 0
        while True:
            with self._database.writing() as db:
                count = chain.seal(db)
            total += count
            if not count:
                return total

    def checkpoint(self, folder: Path) -> None:
        """Seal, then keep the signed head outside the database (L-02)."""
        self.seal()
        with self._database.reading() as db:
            chain.checkpoint(db, folder, self.clock())

    def verify(
        self, folder: Path | None = None, *, tick: Callable[[int], None] | None = None
    ) -> Verification:
        """Verify the whole chain and its checkpoints."""
        with self._database.reading() as db:
            return chain.verify(db, folder, tick=tick)

    def snapshot(self, load: Callable[[Connection], _Value], *, max_age: float = 5.0) -> _Value:
        """What `load` read at most `max_age` seconds ago; shared by all threads."""
        now = time.monotonic()
        held = self._snapshots.get(load)
        if held is not None and now - held[0] < max_age:
            value: _Value = held[1]
            return value
        with self._database.reading() as db:
            value = load(db)
        if max_age:
            self._snapshots[load] = (now, value)
        return value

    def forget_snapshots(self) -> None:
        """Make the next look-up read anew, after a change made by this process."""
        self._snapshots.clear()

    def keep(self, write: Callable[[Connection], _Value]) -> _Value:
        """Write what must outlast a Work that was refused; it leaves no event of its own."""
        with self._database.writing() as db:
            return write(db)

    def note(self, event: Event) -> None:
        """Record an event outside any Work and wait until it is durable."""
        self._write(event)

    def refuse_at_edge(
        self,
        kind: EventKind,
        caller: Caller,
        *,
        code: str,
        outcome: Outcome,
        detail: dict[str, Any] | None = None,
    ) -> None:
        """Record a refusal before any message is known; equal ones are folded when they flood."""
        count = 0
        if outcome is not Outcome.SERIOUS:  # denied or forged are never folded (section 5)
            count = self._flooded(caller.certificate or caller.address, code)
            if count > _FLOOD_FROM and count % _FLOOD_FROM:
                return
        event = Event(
            kind=kind, outcome=outcome, at=self.clock(), caller=caller, code=code,
            detail={**(detail or {}), **({"repeated": count} if count > _FLOOD_FROM else {})},
        )  # fmt: skip
        self._hand(event)

    def _flooded(self, client: str, code: str) -> int:
        """How many equal refusals this client had in the running minute."""
        now = time.monotonic()
        with self._guard:
            since, count = self._floods.get((client, code), (now, 0))
            if now - since > _FLOOD_SECONDS:
                since, count = now, 0
            self._floods[client, code] = (since, count + 1)
            if len(self._floods) > 10_000:
                self._floods.clear()
            return count + 1

    def _new_work(self, db: Connection, caller: Caller, now: datetime | None = None) -> Work:
        return Work(
            db=db, caller=caller, policy=self.policy, now=now or self.clock(), new_id=self._new_id,
            community=self.community, blobs=self._blobs,
        )  # fmt: skip

    def _row(self, event: Event) -> rows.EventRow:
        return row_of(event, self._new_id())

    def _hand(self, event: Event, *, held: bool = False) -> Any:
        return self._writer.hand(lambda: self._row(event), held=held)

    def _write(self, event: Event) -> None:
        with self._database.writing() as db:
            rows.insert_events(db, [self._row(event)])

    def _stopped(self, lost: int) -> rows.EventRow:
        """The event of an audit store that can be written again (G5, AUDIT-STOP)."""
        caller = Caller(
            network=self.policy.network, kind=CallerKind.JOB, facility="gateway",
            facility_type=FacilityType.OTHER, subject="audit", role="", purpose="OPERATIONS",
            assurance=LevelOfAssurance.LOCAL, request=self._new_id(),
        )  # fmt: skip
        return self._row(
            Event(
                kind=EventKind.SECURITY_ALERT, outcome=Outcome.MAJOR, at=self.clock(),
                caller=caller, code="AUDIT-STOP", rule="G5", detail={"unrecorded": lost},
            )
        )  # fmt: skip

    def _refused(self, kind: EventKind, work: Work, refusal: Refusal) -> Event:
        trail = work.trail
        return Event(
            kind=kind,
            outcome=(
                Outcome.SERIOUS if isinstance(refusal, _SERIOUS) else trail.outcome or Outcome.MINOR
            ),
            at=work.now, caller=work.caller, patients=_patients(work),
            objects=tuple(trail.objects), rule=refusal.rule or trail.rule,
            code=refusal.log or trail.code,
            detail={**trail.detail, "refused": refusal.code, "at": refusal.at},
        )  # fmt: skip

    def _defective(self, kind: EventKind, work: Work, error: Exception) -> Event:
        incident = self._new_id()[:8]
        # Frames only: an exception's own text may carry values of a patient (G12, FN-1309).
        frames = traceback.extract_tb(error.__traceback__)
        logger.error(
            "incident %s in %s: %s at %s", incident, kind.value, type(error).__name__,
            " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in reversed(frames)),
        )  # fmt: skip
        return Event(
            kind=kind, outcome=Outcome.MAJOR, at=work.now, caller=work.caller,
            patients=_patients(work), incident=incident,
        )  # fmt: skip


class Entangled(Exception):
    """A Work failed that was not kept apart from the others of its group: do it again, apart."""


class Group:
    """Works of one transaction, each undone by itself where it fails, each with its own event."""

    def __init__(self, door: Door, db: Connection, blobs: Blobs, *, apart: bool) -> None:
        self.db = db
        self.memory: dict[Any, Any] = {}
        "What its Works remember together."
        self._blobs = blobs
        self._apart = apart
        self.events: list[rows.EventRow] = []
        self._door = door
        self._now = door.clock()
        "One moment for all of them: one commit makes them durable."

    @contextmanager
    def work(self, kind: EventKind, caller: Caller) -> Iterator[Work]:
        """One unit of work of the group; raises as `Door.work` does."""
        door, db = self._door, self.db
        work = door._new_work(db, caller, self._now)
        work.memory, work.blobs = self.memory, self._blobs
        if self._apart:
            savepoint(db, "SAVEPOINT")
        try:
            yield work
        except Busy:
            raise  # the whole group comes again
        except Refusal as refusal:
            self._require_apart(refusal)
            self._undo(door._refused(kind, work, refusal))
            raise
        except Exception as error:
            self._require_apart(error)
            event = door._defective(kind, work, error)
            self._undo(event)
            raise Defect(event.incident) from error
        if self._apart:
            savepoint(db, "RELEASE SAVEPOINT")
        self.events.append(door._row(_finished(kind, work)))

    def _require_apart(self, error: Exception) -> None:
        if not self._apart:
            raise Entangled from error

    def _undo(self, event: Event) -> None:
        savepoint(self.db, "ROLLBACK TO SAVEPOINT")
        savepoint(self.db, "RELEASE SAVEPOINT")
        self.events.append(self._door._row(event))


def tried(do: Callable[[], _Value]) -> _Value | Exception:
    """What a step gives, or how it failed: for who raises that again inside the Work it is for."""
    try:
        return do()
    except Exception as error:
        return error


def _finished(kind: EventKind, work: Work) -> Event:
    """The event of a Work that ended well."""
    trail = work.trail
    return Event(
        kind=kind, outcome=trail.outcome or Outcome.SUCCESS, at=work.now, caller=work.caller,
        patients=_patients(work), objects=tuple(trail.objects), rule=trail.rule, code=trail.code,
        detail=trail.detail,
    )  # fmt: skip


def _patients(work: Work) -> tuple[Any, ...]:
    """The patients of the trail in a stable order."""
    return tuple(sorted(work.trail.patients, key=lambda patient: (patient.domain, patient.value)))
