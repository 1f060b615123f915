"""Rows of the audit room: events, whom they concern, seals. Append-only, by trigger."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import starmap
from typing import Any

import orjson
from sqlalchemy import Column, Connection, Integer, Table, Text, func, select

from gateway.model.identifiers import PatientId
from gateway.store.database import Database, commits_in_order, execute, fetch
from gateway.store.metadata import METADATA

EVENT = Table(
    "audit_event",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("key", Text, nullable=False, unique=True),
    Column("at", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("outcome", Integer, nullable=False),
    Column("request", Text, nullable=False, index=True),
    Column("facility", Text, nullable=False),
    Column("content", Text, nullable=False),
)
PATIENT = Table(
    "audit_patient",
    METADATA,
    Column("domain", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("event", Text, primary_key=True),
)
SEAL = Table(
    "audit_seal",
    METADATA,
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("event", Integer, nullable=False, unique=True),
    Column("hash", Text, nullable=False),
)
_COLUMNS = (
    EVENT.c.id, EVENT.c.key, EVENT.c.at, EVENT.c.kind, EVENT.c.outcome, EVENT.c.request,
    EVENT.c.facility, EVENT.c.content,
)  # fmt: skip
_NEWER = (
    "SELECT id, key, at, kind, outcome, request, facility, content FROM audit_event "
    "WHERE id > (SELECT coalesce(max(event), 0) FROM audit_seal) ORDER BY id LIMIT ?"
)
"Where ids are given in the order of commits, whatever is newer than the last link is unsealed."


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """One event ready to be inserted."""

    key: str
    at: str
    kind: str
    outcome: int
    request: str
    facility: str
    content: str
    "Canonical JSON: what is hashed, with the other columns."
    patients: tuple[PatientId, ...]


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One event as stored, with its seal where it has one."""

    id: int
    key: str
    at: str
    kind: str
    outcome: int
    request: str
    facility: str
    content: str


@dataclass(frozen=True, slots=True)
class Seal:
    """One link of the chain."""

    sequence: int
    event: int
    hash: str


_AT_ONCE = 64
"Rows in one statement; each number of rows is a statement of its own, prepared once."


def insert_events(db: Connection, rows: Sequence[EventRow]) -> None:
    """Insert events and whom they concern: a few statements, however many events."""
    _insert(db, EVENT, [_event(row) for row in rows])
    _insert(db, PATIENT, [(p.domain, p.value, row.key) for row in rows for p in row.patients])


def append_events(database: Database, rows: Sequence[EventRow]) -> None:
    """Insert events in a transaction of their own.

    On SQLite it is one statement, because the driver gives the interpreter away, and waits to get
    it back, for each one: with several the writer and the event loop would hinder each other.
    """
    if len(rows) > _AT_ONCE or not database.appends_alone(_TOGETHER):
        with database.writing() as db:
            insert_events(db, rows)
        return
    values = [(*_event(row), _patients(row)) for row in rows]
    database.append(
        _values("sqlite", "audit_entry", (*_EVENT_COLUMNS, "patients"), len(rows)), _flat(values)
    )


_EVENT_COLUMNS = ("key", "at", "kind", "outcome", "request", "facility", "content")
_TOGETHER = (
    "CREATE TEMP VIEW IF NOT EXISTS audit_entry AS SELECT key, at, kind, outcome, request, "
    "facility, content, '' AS patients FROM audit_event",
    "CREATE TEMP TRIGGER IF NOT EXISTS audit_entry_in INSTEAD OF INSERT ON audit_entry BEGIN "
    "INSERT INTO audit_event (key, at, kind, outcome, request, facility, content) VALUES "
    "(NEW.key, NEW.at, NEW.kind, NEW.outcome, NEW.request, NEW.facility, NEW.content); "
    "INSERT INTO audit_patient (domain, value, event) SELECT json_extract(value, '$[0]'), "
    "json_extract(value, '$[1]'), NEW.key "
    "FROM json_each(NEW.patients); END",
)
"An event with its patients as one row, on one connection of SQLite."


def _event(row: EventRow) -> tuple[object, ...]:
    return (row.key, row.at, row.kind, row.outcome, row.request, row.facility, row.content)


def _patients(row: EventRow) -> str:
    return orjson.dumps([[str(p.domain), p.value] for p in row.patients]).decode()


def _flat(rows: Sequence[tuple[object, ...]]) -> list[object]:
    return [value for row in rows for value in row]


def _insert(db: Connection, table: Table, rows: Sequence[tuple[object, ...]]) -> None:
    """Insert rows of a table, its `id` left to the database."""
    columns = tuple(column.name for column in table.columns if column.name != "id")
    for start in range(0, len(rows), _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        statement = _values(db.dialect.name, table.name, columns, len(some))
        execute(db, statement, _flat(some))


@cache
def _values(dialect: str, name: str, columns: tuple[str, ...], count: int) -> str:
    """The INSERT of so many rows; every name in it is a constant of this module."""
    mark = "?" if dialect == "sqlite" else "%s"
    row = f"({', '.join([mark] * len(columns))})"
    return f"INSERT INTO {name} ({', '.join(columns)}) VALUES {', '.join([row] * count)}"  # noqa: S608


def select_unsealed(db: Connection, limit: int) -> list[StoredEvent]:
    """Events that are committed and not yet in the chain, in the order of their ids."""
    if commits_in_order(db):
        return list(starmap(StoredEvent, fetch(db, _NEWER, (limit,))))
    statement = (
        select(*_COLUMNS)
        .outerjoin(SEAL, SEAL.c.event == EVENT.c.id)
        .where(SEAL.c.event.is_(None))
        .order_by(EVENT.c.id)
        .limit(limit)
    )
    return [StoredEvent(*row) for row in db.execute(statement)]


def count_events(db: Connection) -> int:
    """How many events there are."""
    return int(db.execute(select(func.count()).select_from(EVENT)).scalar_one())


def count_seals(db: Connection) -> int:
    """How many of them are in the chain."""
    return int(db.execute(select(func.count()).select_from(SEAL)).scalar_one())


def select_head(db: Connection) -> Seal | None:
    """The last link of the chain."""
    row = db.execute(select(SEAL).order_by(SEAL.c.sequence.desc()).limit(1)).first()
    return None if row is None else Seal(*row)


def select_seal(db: Connection, sequence: int) -> Seal | None:
    """One link of the chain."""
    row = db.execute(select(SEAL).where(SEAL.c.sequence == sequence)).first()
    return None if row is None else Seal(*row)


def insert_seals(db: Connection, seals: Sequence[Seal]) -> None:
    """Append links."""
    _insert(db, SEAL, [(s.sequence, s.event, s.hash) for s in seals])


def select_chain(db: Connection, batch: int = 5000) -> Iterator[tuple[Seal, StoredEvent | None]]:
    """The chain in order, each link with its event; None where the event is gone."""
    last = 0
    while True:
        statement = (
            select(SEAL.c.sequence, SEAL.c.event, SEAL.c.hash, *_COLUMNS)
            .outerjoin(EVENT, EVENT.c.id == SEAL.c.event)
            .where(SEAL.c.sequence > last)
            .order_by(SEAL.c.sequence)
            .limit(batch)
        )
        rows = db.execute(statement).all()
        if not rows:
            return
        for row in rows:
            stored = None if row[3] is None else StoredEvent(*row[3:])
            yield Seal(*row[:3]), stored
        last = rows[-1][0]


def select_events(
    db: Connection, patients: Iterable[PatientId], kinds: Sequence[str] = ()
) -> list[StoredEvent]:
    """Events that concern any of these identifiers, oldest first."""
    found: dict[int, StoredEvent] = {}
    for patient in patients:
        statement = (
            select(*_COLUMNS)
            .join(PATIENT, PATIENT.c.event == EVENT.c.key)
            .where(PATIENT.c.domain == patient.domain, PATIENT.c.value == patient.value)
        )
        if kinds:
            statement = statement.where(EVENT.c.kind.in_(kinds))
        for row in db.execute(statement):
            found[row[0]] = StoredEvent(*row)
    return [found[identifier] for identifier in sorted(found)]


def count_between(db: Connection, since: str, until: str) -> tuple[int, int]:
    """The newest event there is, and how many there are between two moments."""
    last = db.execute(select(func.coalesce(func.max(EVENT.c.id), 0))).scalar_one()
    statement = _between(select(func.count()).select_from(EVENT), since, until)
    return int(last), int(db.execute(statement).scalar_one())


def select_between(
    db: Connection, since: str, until: str, *, after: int, last: int, limit: int
) -> list[StoredEvent]:
    """Events between two moments, in the order of their ids: a page, for an export."""
    statement = select(*_COLUMNS).where(EVENT.c.id > after, EVENT.c.id <= last)
    rows = db.execute(_between(statement, since, until).order_by(EVENT.c.id).limit(limit))
    return [StoredEvent(*row) for row in rows]


def _between(statement: Any, since: str, until: str) -> Any:
    """Restrict to events from one moment to before another; either may be empty."""
    if since:
        statement = statement.where(EVENT.c.at >= since)
    return statement.where(EVENT.c.at < until) if until else statement


def select_recent(db: Connection, limit: int = 100, request: str = "") -> list[StoredEvent]:
    """The newest events, or those of one request id (R-24)."""
    statement: Any = select(*_COLUMNS).order_by(EVENT.c.id.desc()).limit(limit)
    if request:
        statement = statement.where(EVENT.c.request == request)
    return [StoredEvent(*row) for row in db.execute(statement)]
